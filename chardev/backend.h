/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside chardev/: what a backend implements. */
#pragma once

#include "chardev/chardev.h"
#include "util/opts.h"

typedef struct CharOps {
    void (*free)(Chardev *chr); /* everything but the Chardev's own id; then the struct itself */
    size_t (*write)(Chardev *chr, const uint8_t *buf, size_t len);
    void (*accept_input)(Chardev *chr);
    char *(*describe)(const Chardev *chr);
    bool (*opened)(const Chardev *chr); /* a peer is there now */
    /* Only where several clients share the stream; NULL otherwise. */
    bool (*attach)(Chardev *chr, const CharClient *client, GError **error);
    void (*detach)(Chardev *chr, void *opaque);
    bool (*in_use)(const Chardev *chr);
} CharOps;

struct Chardev {
    const CharOps *ops;
    char *id;
    bool attached;
    CharClient client; /* when attached */
    CharWatchFn *watch; /* may be NULL */
    void *watch_opaque;
};

/* How a backend comes from -chardev NAME,key=value.  create() reads its keys; "id" and "mux" are read already. */
typedef struct CharBackend {
    const char *name;
    const char *help;
    Chardev *(*create)(Opts *opts, GError **error);
    const char *const *keys; /* NULL-terminated, beside id and mux */
} CharBackend;

extern const CharBackend char_null, char_stdio, char_file, char_pipe, char_serial, char_pty, char_socket;

/* The client side of every backend; all accept a stream that nobody has attached to. */
size_t char_can_receive(const Chardev *chr);
void char_receive(Chardev *chr, const uint8_t *buf, size_t len);
void char_event(Chardev *chr, CharEvent event);
void char_writable(Chardev *chr);

/* A mux over `lower`, which it owns from now on. */
Chardev *mux_new(Chardev *lower, const char *id);
bool chardev_is_mux(const Chardev *chr);

/* One line on stderr that names the program. */
void char_warn(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* Error OPTS_OPEN "OPTION: what: strerror(err)hint". */
void char_open_error(GError **error, const Opts *opts, const char *what, int err, const char *hint);
