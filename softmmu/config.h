/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the command line asks for, checked and with defaults filled in. */
#pragma once

#include "accel/accel.h"
#include "hw/i386/board.h"
#include "monitor/monitor.h"
#include "softmmu/options.h"

typedef struct AccelChoice {
    char *name;
    char *opts;    /* text after the name, or NULL */
    bool required; /* no fallback: the user named exactly this one */
} AccelChoice;

typedef struct Config {
    const Options *options;
    bool strict;
    char *program;
    const Board *board_type;
    BoardConfig board;
    struct CpuModel *cpu; /* owned; made when the accelerator is known */
    const char *cpu_text;
    char *machine_accel;      /* accel= of -machine */
    char *machine_irqchip;    /* kernel-irqchip= of -machine: for -accel kvm, if that does not say it itself */
    char *kernel;             /* -kernel or the file given alone */
    char *bios;               /* the file that -bios stands for */
    char *append;             /* the kernel's command line, where ours differs from -append */
    GArray *accels;           /* AccelChoice, in order of preference */
    GPtrArray *devices;       /* const char *, NULL-terminated for BoardConfig */
    GHashTable *chardevs;     /* id -> Chardev *, owned */
    GPtrArray *chardev_order; /* Chardev * */
    GPtrArray *monitors;      /* Chardev * of each */
    uint8_t escape;           /* of a mux */
    bool nographic, nodefaults;
    bool no_reboot, no_shutdown, stopped, daemonize;
    const char *pidfile;
    char *name, *rtc_base;
} Config;

/* Everything but the streams: no effect outside this process. */
bool config_read(Config *c, const Options *options, GError **error);
/* Open character devices, choose serial ports and monitors. */
bool config_open_streams(Config *c, GError **error);
/* The processor model, for the accelerator that was chosen. */
bool config_cpu_model(Config *c, const AccelOps *accel, GError **error);
void config_clear(Config *c);

Chardev *config_find_chardev(void *config, const char *id);

/* ---- parts of config_read() ---- */

bool config_machine(Config *c, GError **error);   /* -machine -smp -m -accel -enable-kvm */
bool config_boot_file(Config *c, GError **error); /* -kernel -initrd -append FILE */
/* A note for the user: nothing under QEMU's name, where every word on stderr may be read as a failure. */
void config_note(const Config *c, const char *format, ...) G_GNUC_PRINTF(2, 3);
