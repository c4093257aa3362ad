/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside monitor/: the parts of a monitor. */
#pragma once

#include "monitor/monitor.h"
#include "softmmu/core/machine.h"

struct X86Cpu;

#define LINE_MAX_LEN 4096
#define HISTORY 32

struct Monitor {
    const MonitorHost *host;
    Chardev *chr; /* NULL: commands come from monitor_command() only */
    unsigned cpu; /* the one that commands look at */
    bool greeted;
    GString *line;
    GString *unsent;    /* output the stream has not taken yet */
    GPtrArray *history; /* char *, oldest first */
    guint history_pos;  /* index shown, history->len for the new line */
    uint8_t escape;     /* 1 after ESC, 2 after ESC [ */
    bool after_cr;      /* a line feed now belongs to the same key */
};

/* The vCPUs stand still between these two, whether the machine runs or not. */
bool monitor_hold(Monitor *mon);
void monitor_release(Monitor *mon, bool held);

struct X86Cpu *monitor_cpu(Monitor *mon);

/* Examine memory: "/4xw ADDRESS" after x or xp. */
void monitor_examine(Monitor *mon, const char *args, bool physical, GString *out);
