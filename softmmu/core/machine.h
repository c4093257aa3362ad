/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine: the one object everything hangs off. */
#pragma once

#include "hw/core/device.h"
#include "hw/core/irqchip.h"
#include "softmmu/core/dirty.h"
#include "softmmu/core/exclusive.h"
#include "softmmu/core/ram.h"
#include "softmmu/core/runstate.h"
#include "softmmu/core/space.h"
#include "util/base.h"

struct X86Cpu;
struct Accel;

typedef struct Machine {
    AddressSpace *memory; /* guest physical, 52 bits wide (the A20 gate is applied by the CPU) */
    AddressSpace *io;     /* ports, 16 bits wide */
    Ram *ram;
    Clock *clock;
    TickRate tsc;          /* of every processor's TSC on every engine; decided before the guest runs */
    int64_t pvclock_ahead; /* ns that the paravirtual clock has shown more than the clock, under an engine with its own */
    MachineLock *lock;
    RunControl *run;
    DeviceEnv env;         /* given to every device; env.opaque is this machine */
    GPtrArray *devices;    /* Device *, in creation order; owned */
    struct X86Cpu **cpus;
    unsigned num_cpus;
    struct Accel *accel;
    void *board;           /* the board's own struct */
    GPtrArray *dirty_engines; /* const DirtyEngine *: dirty.h; machine lock */
    GPtrArray *watched;    /* IrqNotifier *: every one that is served; machine lock */
    const IrqchipOps *irqchip; /* the board's; NULL: they cannot leave the devices */
    void *irqchip_opaque;
    /* An engine that serves them: true if it took (gave up) this one.  NULL: the main loop does. */
    bool (*irq_engine)(void *opaque, IrqNotifier *notifier, bool on);
    void *irq_engine_opaque;
} Machine;

/* Everything but CPUs, accelerator and devices.  ram_size: bytes, multiple of 4096. */
Machine *machine_new(uint64_t ram_size, GError **error);
/* vCPU threads must have ended. */
void machine_free(Machine *m);

/* Create, set "prop=value" pairs (NULL-terminated list: name, value, ..., NULL), realize, and own a device. */
Device *machine_add_device(Machine *m, const char *type, const char *id, GError **error, ...) G_GNUC_NULL_TERMINATED;
/* Realize a device made by device_new() and own it.  On failure it is freed and NULL returned. */
Device *machine_own_device(Machine *m, Device *dev, GError **error);
/* The first device with this id, or NULL. */
Device *machine_find_device(const Machine *m, const char *id);
/* Who serves the interrupts' eventfds from now on: see irq_engine.  Main thread, machine lock held. */
void machine_set_irq_engine(Machine *m, bool (*engine)(void *opaque, IrqNotifier *notifier, bool on), void *opaque);
/* Reset every device, in creation order.  Machine lock held, vCPUs stopped. */
void machine_reset_devices(Machine *m);
