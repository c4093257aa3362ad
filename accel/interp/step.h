/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One instruction at a time, for whoever borrows the interpreter: tests, and engines that cannot execute something. */
#pragma once

#include "target/x86/cpu.h"

/*
 * Execute the instruction at cs:rip on the calling thread, which owns the CPU.  True when it completed; false when it
 * raised: cpu->exc says what, nothing was delivered, and rip is that of the instruction.  Neither interrupts nor
 * debug traps are looked at.
 */
bool interp_step_one(X86Cpu *cpu);
/*
 * The same with breakpoints, single step, interrupt shadows and RF looked at.  False: cpu_deliver_pending() is due.
 */
bool interp_step_whole(X86Cpu *cpu);
/* What the next instruction is. */
typedef enum InterpNext {
    NEXT_OTHER,  /* also when it cannot be fetched */
    NEXT_PLAIN,  /* changes no more than general registers, flags and RIP; not every such instruction is found to be one */
    NEXT_VECTOR, /* of x87, MMX, SSE or AVX */
} InterpNext;
InterpNext interp_next(X86Cpu *cpu);
