/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A byte stream to the host: stdio, pty, file, socket, pipe, null, and the mux that shares one between a serial
 * port and the monitor.  Everything runs on the main thread under the machine lock, but chardev_write() may be
 * called by a vCPU thread that holds the machine lock.  No call ever waits for the peer.  The program ignores SIGPIPE.
 */
#pragma once

#include "util/base.h"

typedef struct Chardev Chardev;

typedef enum CharEvent {
    CHAR_OPENED,    /* a peer is there; also sent by chardev_attach() when it already was */
    CHAR_CLOSED,
    CHAR_BREAK,
    CHAR_FOCUS_IN,  /* input now goes to this client: after CHAR_OPENED, or when a mux switches */
    CHAR_FOCUS_OUT,
} CharEvent;

/* The user of a stream: a serial port, a monitor. */
typedef struct CharClient {
    size_t (*can_receive)(void *opaque); /* bytes it can take now */
    void (*receive)(void *opaque, const uint8_t *buf, size_t len);
    void (*event)(void *opaque, CharEvent event); /* may be NULL */
    void (*writable)(void *opaque);               /* after a short write: there is room again; may be NULL */
    void *opaque;
} CharClient;

/*
 * A backend from its option text: "stdio", "mon:stdio", "pty", "file:PATH", "pipe:PATH", "null",
 * "tcp:HOST:PORT[,server=on][,wait=off]", "unix:PATH[,server=on][,wait=off]", "telnet:...", "vc", "none" (-serial
 * form) or from -chardev "BACKEND,id=ID,key=value,...".  NULL with an error; "none" gives NULL without one.
 */
Chardev *chardev_new_legacy(const char *text, const char *id, GError **error);
Chardev *chardev_new(const char *text, GError **error);
/* chardev_new_legacy() for the option that errors shall name: "-serial", "-monitor". */
Chardev *chardev_new_for(const char *option, const char *text, const char *id, GError **error);
/* One line a backend, for -chardev help. */
void chardev_list_backends(GString *out);
void chardev_free(Chardev *chr);
const char *chardev_id(const Chardev *chr);
/* What `info chardev` prints, for example "pty:/dev/pts/3". */
char *chardev_describe(const Chardev *chr);

/* Take the stream; a mux takes several clients, any other one only.  False when it is in use.  client is copied. */
bool chardev_attach(Chardev *chr, const CharClient *client, GError **error);
void chardev_detach(Chardev *chr, void *opaque);
bool chardev_in_use(const Chardev *chr);

/*
 * For a mux: the escape character (-echr) and what its x key does.  A stream without mux ignores it, with false.
 */
bool chardev_mux_setup(Chardev *chr, uint8_t escape, void (*quit)(void *opaque), void *opaque);

/* Send: the number of bytes taken, which may be short when the peer is slow.  A closed peer takes and drops all. */
size_t chardev_write(Chardev *chr, const uint8_t *buf, size_t len);
/* Show everything that is sent from now on to `fn` as well, where chardev_write() is called.  NULL ends it. */
typedef void CharWatchFn(void *opaque, const uint8_t *buf, size_t len);
void chardev_watch(Chardev *chr, CharWatchFn *fn, void *opaque);
/* The client can receive again. */
void chardev_accept_input(Chardev *chr);
