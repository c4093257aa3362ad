/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests that put a machine of one processor on an engine. */
#pragma once

#include "accel/accel.h"
#include "softmmu/core/machine.h"
#include "target/x86/cpu.h"
#include "target/x86/cpuid.h"

/* A test /name/ENGINE for each engine that works here; its data is the engine's name. */
static inline void engines_add_test(const char *name, GTestDataFunc run)
{
    size_t count;
    const AccelOps *const *all = accel_all(&count);
    for (size_t i = 0; i < count; i++) {
        g_autoptr(GError) error = NULL;
        if (all[i]->probe && !all[i]->probe(&error)) {
            g_test_message("%s is left out: %s", all[i]->name, error->message);
            continue;
        }
        g_autofree char *path = g_strdup_printf("/%s/%s", name, all[i]->name);
        g_test_add_data_func(path, all[i]->name, run);
    }
}

/* The processor is the only one, and m->cpus, from g_new(), the test's own. */
static inline void machine_free_with(Machine *m, X86Cpu *cpu, CpuModel *model)
{
    cpu_free(cpu);
    cpu_model_free(model);
    g_free(m->cpus);
    m->num_cpus = 0;
    machine_free(m);
}
