/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -daemonize and -pidfile. */
#pragma once

#include "util/base.h"

typedef struct Daemon {
    int ready_fd; /* where the waiting parent hears of success; -1: no daemon */
    int pid_fd;   /* the locked pid file, or -1 */
    char *pidfile;
} Daemon;

/*
 * Fork; the parent waits until the child calls daemon_ready() and exits, with the child's code if that comes first.
 * Returns in the child only.
 */
bool daemon_fork(Daemon *d, GError **error);
/* Write and lock the pid file.  It goes away with daemon_clear(). */
bool daemon_write_pid(Daemon *d, const char *path, GError **error);
/* Everything is set up: let the parent go, leave the terminal. */
void daemon_ready(Daemon *d);
void daemon_clear(Daemon *d);
