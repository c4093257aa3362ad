/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of the machine: building it, running it, what the guest and the user ask of it, taking it down. */
#pragma once

#include "monitor/monitor.h"
#include "softmmu/config.h"
#include "softmmu/mainloop.h"
#include "softmmu/panic_watch.h"

typedef struct Vm {
    Config *config;
    Machine *machine;
    const Board *board;
    MainLoop loop;
    GPtrArray *monitors; /* Monitor * */
    MonitorHost host;
    bool board_ready; /* board->init() was called */
    bool quit;
    int exit_code;
    struct {
        int64_t window; /* monotonic us of the first of the resets counted */
        unsigned count;
    } faults; /* resets by triple fault in quick succession */
    PanicWatch panics[4]; /* one a serial port; under our own name only */
} Vm;

/* On failure vm_destroy() takes down what there is. */
bool vm_create(Vm *vm, Config *config, GError **error);
/* Until the end; returns the process' exit code. */
int vm_run(Vm *vm);
void vm_destroy(Vm *vm);
