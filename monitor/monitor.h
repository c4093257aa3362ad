/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The human monitor: lines of commands on a character device. */
#pragma once

#include "chardev/chardev.h"
#include "util/base.h"

struct Machine;
typedef struct Monitor Monitor;

/* What a monitor works on and talks about; must outlive it. */
typedef struct MonitorHost {
    struct Machine *machine;
    const char *prompt;  /* "(rhea) " */
    const char *version; /* "0.1.0" */
    const char *name;    /* of the program, for the greeting */
    void (*serve)(void *opaque); /* do now what was requested of the machine's run control; NULL: it is done in time */
    void (*power_button)(void *opaque);
    bool (*accel_switch)(void *opaque, const char *name, GError **error); /* another engine */
    void (*list_chardevs)(void *opaque, GString *out); /* one line each */
    void *opaque;
} MonitorHost;

/* Attach to the stream.  All calls come on the main thread under the machine lock.  NULL with an error. */
Monitor *monitor_new(Chardev *chr, const MonitorHost *host, GError **error);
void monitor_free(Monitor *mon);

/* Run one command line; its output is appended to out.  (The monitor without a stream: tests, and the -mon line.) */
void monitor_command(Monitor *mon, const char *line, GString *out);
