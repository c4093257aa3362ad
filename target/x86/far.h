/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks that far transfers and returns share.
 * Spec: Intel SDM vol 3 section 5.8.
 */
#pragma once

#include "target/x86/segment.h"

/* #GP(0) unless rip lies in the code segment (or is canonical in a 64-bit one). */
void far_check_target(X86Cpu *cpu, const Desc *code, uint64_t rip);
/* Is it a 64-bit code segment here? */
bool far_is_long(const X86Cpu *cpu, const Desc *code);

/* Where RETF or IRET goes: CS checked, SS too when the privilege changes or 64-bit IRET pops it. */
typedef struct Return {
    uint16_t cs, ss;
    uint64_t rip, rsp;
    Desc code, stack;
    unsigned cpl;
    bool pops_stack; /* ss and rsp count */
} Return;

/* Check CS and RIP; sets cpl from the selector's RPL. */
void return_check_code(X86Cpu *cpu, Return *r);
void return_check_stack(X86Cpu *cpu, Return *r);
/* Mark descriptors accessed, then load CS, and SS:RSP if they count.  rsp gets `extra` bytes added. */
void return_commit(X86Cpu *cpu, Return *r, unsigned extra);
