/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the x87 handlers share.  Each begins with the availability check, then touches memory, and only then changes
 * x87 state: a page fault leaves the status word and the pointers as they were.
 */
#pragma once

#include "target/x86/exec.h"
#include "target/x86/fpu.h"

/* The pointers that FNSTENV shows: every x87 instruction but the control ones records its own (as AMD's CPUs do). */
static inline void x87_track(X86Cpu *cpu, const Insn *i)
{
    X87 *f = &cpu->fpu;
    f->fop = (uint16_t)((i->opcode & 7) << 8 | i->modrm);
    f->fip = cpu->insn_rip;
    f->fcs = cpu->seg[SEG_CS].selector;
    if (i->flags & INSN_MEM) {
        f->fdp = insn_ea(cpu, i);
        f->fds = cpu->seg[i->seg].selector;
    }
}

/* A register-only instruction starts: checked and recorded. */
static inline X87 *x87_begin(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    x87_track(cpu, i);
    return &cpu->fpu;
}
