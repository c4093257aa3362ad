/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the machine runs, and what has been asked of it.  Requests come from any thread; the main loop acts. */
#pragma once

#include "util/base.h"

typedef enum RunState {
    RUN_PRELAUNCH, /* -S: never started */
    RUN_RUNNING,
    RUN_PAUSED,
    RUN_SHUTDOWN, /* powered off, kept by -no-shutdown */
} RunState;

typedef enum ShutdownCause {
    CAUSE_NONE,
    CAUSE_GUEST_SHUTDOWN, /* ACPI S5 */
    CAUSE_GUEST_RESET,    /* reset under -no-reboot ends the process */
    CAUSE_GUEST_PANIC,    /* triple fault */
    CAUSE_DEBUG_EXIT,     /* isa-debug-exit */
    CAUSE_HOST_QUIT,      /* monitor `quit`, Ctrl-A x, window closed */
    CAUSE_HOST_SIGNAL,
    CAUSE_OWN_FAULT,      /* this program found itself wrong; the log says how */
} ShutdownCause;

typedef struct RunControl RunControl;

RunControl *run_control_new(void);
void run_control_free(RunControl *rc);

/* Any thread (request_signal also from a signal handler's self-pipe); the first cause wins; wakes the main loop. */
void run_request_exit(RunControl *rc, ShutdownCause cause, int code);
void run_request_reset(RunControl *rc, ShutdownCause cause);
void run_request_stop(RunControl *rc);
void run_request_cont(RunControl *rc);

/* Main thread: take what was asked since the last call. */
typedef struct RunRequests {
    bool exit, reset, stop, cont;
    ShutdownCause cause;
    int code;
} RunRequests;
bool run_take_requests(RunControl *rc, RunRequests *out);
void run_control_set_notify(RunControl *rc, void (*fn)(void *opaque), void *opaque);

RunState run_state(const RunControl *rc); /* any thread */
void run_set_state(RunControl *rc, RunState state);
const char *run_state_name(RunState state); /* "running", "paused", "prelaunch", "shutdown" */
