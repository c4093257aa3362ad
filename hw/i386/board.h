/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A board wires chips to a machine; the command line chooses it by -machine NAME. */
#pragma once

#include "chardev/chardev.h"
#include "softmmu/core/machine.h"

struct X86Cpu;
struct CpuModel;

/* What the command line says about a machine.  Strings and arrays are borrowed for the life of the machine. */
typedef struct BoardConfig {
    uint64_t ram_size; /* bytes */
    unsigned num_cpus;
    const struct CpuModel *cpu_model;
    const char *kernel, *initrd, *append; /* -kernel, -initrd, -append; NULL when absent */
    const char *bios;                     /* firmware, started when there is no kernel; NULL when absent */
    Chardev *serial[4];                   /* NULL: that port is absent */
    Chardev *debugcon;                    /* port 0xe9 (NULL: the port is absent); 0x402 comes with -device isa-debugcon */
    const char **devices;                 /* -device texts, NULL-terminated: "isa-debug-exit,iobase=0xf4" */
    Chardev *(*find_chardev)(void *opaque, const char *id); /* for chardev= properties */
    void *find_opaque;
    bool nodefaults;
    bool hpet, pit, smm, acpi; /* -machine switches; boards say which they know */
    const char *rtc_base;      /* "utc", "localtime" or a date; NULL: utc */
} BoardConfig;

typedef struct Board {
    const char *name; /* "pc" */
    const char *alias;
    const char *desc;
    unsigned max_cpus;
    /* Create CPUs (cpu_new) and devices in m, load the kernel.  False with an error; m is then freed as it is. */
    bool (*init)(Machine *m, const BoardConfig *config, GError **error);
    /* System reset: devices, CPUs, kernel image and boot state again.  Machine lock held, vCPUs paused. */
    void (*reset)(Machine *m);
    /* The power button was pressed (system_powerdown). */
    void (*power_button)(Machine *m);
    void (*destroy)(Machine *m); /* frees m->board */
} Board;

const Board *const *board_all(size_t *count);
const Board *board_find(const char *name); /* name or alias */
