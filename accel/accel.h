/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An engine that runs vCPUs.  All engines work on struct X86Cpu (target/x86/cpu.h) or synchronise to it.
 * A leaf header: it names other layers' types by forward declaration only.
 */
#pragma once

#include "util/base.h"

struct Machine;
struct X86Cpu;
struct FeatureSet;
typedef struct Accel Accel;

enum {
    ACCEL_CAP_SOFT_CPU = 1 << 0, /* runs guest code in this process' own code: CPUID is ours */
};

typedef struct AccelOps {
    const char *name; /* as in -accel NAME */
    const char *desc;
    const char *help; /* its options, lines for -accel NAME,help; NULL: it has none */
    unsigned caps;
    /* Can it work on this host?  False with the reason (and, where there is one, the fix). */
    bool (*probe)(GError **error);
    /* Is it a good choice when nobody named it?  False with the reason.  NULL: yes. */
    bool (*worthwhile)(GError **error);
    /* Clear from *set the features that no processor of this engine can have here.  NULL: it can have all. */
    bool (*limit_features)(struct FeatureSet *set, GError **error);
    /* opts: the text after -accel NAME, or NULL. */
    Accel *(*create)(struct Machine *m, const char *opts, GError **error);
    void (*destroy)(Accel *accel);
    /* Attach to a CPU that has been reset; starts its thread, which waits until accel_resume(). */
    bool (*vcpu_create)(Accel *accel, struct X86Cpu *cpu, GError **error);
    /*
     * Main thread, machine lock held once: pause releases it while it waits.  pause returns when no vCPU runs guest
     * code and X86Cpu is up to date.
     */
    void (*pause)(Accel *accel);
    void (*resume)(Accel *accel);
    /* Any thread: the vCPU must look at its interrupts and requests soon. */
    void (*kick)(Accel *accel, struct X86Cpu *cpu);
    /*
     * A debugger's points (StopPoint of target/x86/stops.h) are others now: stop at them, also in code known already.  Machine
     * paused.  False with an error: there are more, or others, than the engine can have; it has none then.
     */
    bool (*stops_changed)(Accel *accel, const GArray *points, GError **error);
    /* Statistics for `info accel`. */
    void (*info)(Accel *accel, GString *out);
    /* For `info jit`; NULL: it translates nothing. */
    void (*info_jit)(Accel *accel, GString *out);
} AccelOps;

struct Accel {
    const AccelOps *ops;
    struct Machine *machine;
};

/* All accelerators built in, in order of preference. */
const AccelOps *const *accel_all(size_t *count);
const AccelOps *accel_find(const char *name);
