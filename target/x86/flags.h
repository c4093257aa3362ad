/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lazy OSZAPC: how to read, set and test them. */
#pragma once

#include "target/x86/cpu.h"

/* Every flag that exists; bit 1, which is always set, is not among them. */
#define FL_ALL                                                                                                         \
    (FL_OSZAPC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_RF | FL_VM | FL_AC | FL_VIF | FL_VIP | FL_ID)

/* OSZAPC computed from cc_op, cc_dst, cc_src (flags.c). */
GENERAL_REGS_ONLY uint32_t flags_compute(const X86Cpu *cpu);
/* One of the 16 conditions of Jcc/SETcc/CMOVcc, by the low four bits of the opcode. */
bool flags_condition(const X86Cpu *cpu, unsigned cc);
bool flags_cf(const X86Cpu *cpu);

/* All of EFLAGS. */
static inline uint32_t cpu_eflags(const X86Cpu *cpu)
{
    return cpu->eflags | flags_compute(cpu);
}

/* Replace OSZAPC by these bits. */
static inline void flags_set(X86Cpu *cpu, uint32_t oszapc)
{
    cpu->cc_op = CC_FLAGS;
    cpu->cc_src = oszapc & FL_OSZAPC;
}

static inline void flags_lazy(X86Cpu *cpu, unsigned op, unsigned log2size, uint64_t dst, uint64_t src)
{
    cpu->cc_op = (uint8_t)(op + log2size);
    cpu->cc_dst = dst;
    cpu->cc_src = src;
}

/*
 * Load EFLAGS: bits of `value` inside `mask` replace the current ones (OSZAPC too), the rest stays.  Recomputes the
 * mode when VM or AC change and looks at pending interrupts when IF becomes 1.
 */
void cpu_load_eflags(X86Cpu *cpu, uint32_t value, uint32_t mask);
