/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another engine for a machine that exists: every engine works on X86Cpu, so the state is there already. */
#include "softmmu/accel_switch.h"

#include <string.h>

#include "softmmu/core/machine.h"
#include "target/x86/cpuid.h"
#include "target/x86/mem.h"
#include "target/x86/pvclock.h"

/* The guest has seen what its processors can: another engine must have all of it. */
static bool check_features(const Machine *m, const AccelOps *ops, GError **error)
{
    FeatureSet available;
    memset(&available, 0xff, sizeof(available));
    if (!ops->limit_features) {
        return true;
    }
    if (!ops->limit_features(&available, error)) {
        return false;
    }
    CpuModel model = *m->cpus[0]->model;
    g_autofree char *lost = cpu_model_limit(&model, &available);
    return !lost || bad_usage(error, "%s on this host lacks what the guest's processors have: %s", ops->name, lost);
}

/* Machine paused. */
static bool attach(Machine *m, Accel *accel, GError **error)
{
    m->accel = accel;
    for (unsigned n = 0; n < m->num_cpus; n++) {
        X86Cpu *cpu = m->cpus[n];
        tlb_flush_all(cpu);
        if (!accel->ops->vcpu_create(accel, cpu, error)) {
            return false;
        }
        if (accel->ops->caps & ACCEL_CAP_SOFT_CPU) {
            pvclock_update(cpu); /* engines with a clock page of their own write it themselves */
        }
    }
    return true;
}

static void detach(Machine *m)
{
    m->accel->ops->destroy(m->accel);
    m->accel = NULL;
}

/* The old engine is gone already: back to it, or the machine cannot go on. */
static bool go_back(Machine *m, const AccelOps *old)
{
    Accel *accel;
    detach(m);
    accel = old->create(m, NULL, NULL);
    if (accel && attach(m, accel, NULL)) {
        return true;
    }
    run_request_exit(m->run, CAUSE_HOST_QUIT, 1);
    return false;
}

static bool swap(Machine *m, const AccelOps *ops, const char *opts, GError **error)
{
    const AccelOps *old = m->accel->ops;
    Accel *accel = ops->create(m, opts, error);
    if (!accel) {
        return false;
    }
    detach(m);
    if (attach(m, accel, error)) {
        return true;
    }
    go_back(m, old);
    return false;
}

bool accel_switch(Machine *m, const char *text, GError **error)
{
    const char *comma = strchr(text, ',');
    g_autofree char *name = comma ? g_strndup(text, comma - text) : g_strdup(text);
    const AccelOps *ops = accel_find(name);
    bool running = run_state(m->run) == RUN_RUNNING;
    if (!ops) {
        return bad_usage(error, "'%s' is not an accelerator; -accel help lists them", name);
    }
    if ((ops->probe && !ops->probe(error)) || !check_features(m, ops, error)) {
        return false;
    }
    if (running) {
        m->accel->ops->pause(m->accel);
    }
    bool ok = swap(m, ops, comma ? comma + 1 : NULL, error);
    if (running && m->accel) {
        m->accel->ops->resume(m->accel);
    }
    return ok;
}
