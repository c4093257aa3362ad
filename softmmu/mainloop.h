/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main thread's loop: host events and virtual timers, with the machine lock held except while it sleeps. */
#pragma once

#include "softmmu/core/machine.h"

typedef struct MainLoop {
    Machine *machine;
    GMainContext *context;
    GArray *fds; /* GPollFD, room for a query */
    int signal_fd;
    GSource *signal_source;
    char *signal_text; /* "terminating on signal 15 from pid 7 (sh)" after the first one */
} MainLoop;

/* Blocks SIGINT, SIGTERM and SIGHUP for all threads made later and turns them into exit requests. */
bool main_loop_init(MainLoop *loop, Machine *m, GError **error);
void main_loop_fini(MainLoop *loop);
/* Sleep until something is due, then do it.  The caller holds the machine lock once. */
void main_loop_iterate(MainLoop *loop);
