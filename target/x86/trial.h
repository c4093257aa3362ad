/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trying instructions without consequences: an X86Cpu with a `trial` is a copy whose owner takes every write to RAM back
 * afterwards.  The memory paths tell the owner before they write, and stop where something outside registers and RAM
 * would be touched (accel/tcg/trial.c; X86Cpu.trial of real processors is NULL).
 */
#pragma once

#include "target/x86/cpu.h"

struct CpuTrial {
    /* Bytes [host, host + len), inside one page of RAM, are about to be written.  May unwind like a fault. */
    void (*write)(X86Cpu *cpu, uint8_t *host, unsigned len);
    /* A device, ROM or a hole is about to be accessed: unwinds like a fault. */
    void (*outside)(X86Cpu *cpu);
    /* A page walk is about to set bits in the entry at host, which is `value`.  False: it shall pretend. */
    bool (*walk_sets)(X86Cpu *cpu, uint8_t *host, uint64_t value, bool wide);
};

static inline void trial_before_write(X86Cpu *cpu, uint8_t *host, unsigned len)
{
    if (unlikely(cpu->trial)) {
        cpu->trial->write(cpu, host, len);
    }
}

static inline void trial_before_outside(X86Cpu *cpu)
{
    if (unlikely(cpu->trial)) {
        cpu->trial->outside(cpu);
    }
}

static inline bool trial_walk_sets(X86Cpu *cpu, uint8_t *host, uint64_t value, bool wide)
{
    return likely(!cpu->trial) || cpu->trial->walk_sets(cpu, host, value, wide);
}
