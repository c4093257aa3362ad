/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside chardev/: the part that all backends on file descriptors share. */
#pragma once

#include "chardev/backend.h"

#define STREAM_QUEUE 8192 /* bytes waiting for a slow peer */

typedef enum StreamOut {
    OUT_PLAIN,   /* write() does not wait: O_NONBLOCK of our own, a regular file, /dev/null */
    OUT_SOCKET,  /* send() with MSG_DONTWAIT */
    OUT_CAREFUL, /* shared with other processes, so without O_NONBLOCK: poll, then a little */
} StreamOut;

typedef struct CharStream CharStream;
struct CharStream {
    Chardev chr;
    char *label;          /* for messages: "file:/tmp/log" */
    int in_fd, out_fd;    /* -1: none */
    bool own_in, own_out; /* closed with the stream */
    bool open;            /* a peer is there */
    StreamOut out_kind;
    bool warned;
    bool starved; /* a write was taken in part: the client waits for writable() */
    GSource *source;
    gpointer in_tag, out_tag; /* of source, while the descriptor is polled */
    size_t head, used;
    uint8_t queue[STREAM_QUEUE];
    /* Input on its way to the client; returns what is left of it.  NULL: as it is. */
    size_t (*filter)(CharStream *s, uint8_t *buf, size_t len);
    /* End of file or a broken peer: the default stops reading. */
    void (*hangup)(CharStream *s);
};

extern const CharOps stream_ops; /* for backends that add nothing; free() takes a g_malloc'ed CharStream */

void stream_init(CharStream *s, const CharOps *ops, char *label);
/* Descriptors are set: poll them, tell the client. */
void stream_open(CharStream *s);
/* The peer is gone: stop polling, close owned descriptors, forget queued output, tell the client. */
void stream_close(CharStream *s);
/* Release all but the struct; queued output gets a moment to leave. */
void stream_fini(CharStream *s);

size_t stream_write(Chardev *chr, const uint8_t *buf, size_t len);
void stream_accept_input(Chardev *chr);
char *stream_describe(const Chardev *chr);
bool stream_opened(const Chardev *chr);

/* Use a descriptor that other processes share (stdout) for output, without changing its flags for them. */
void stream_adopt_out(CharStream *s, int fd);
