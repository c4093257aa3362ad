/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stack frames of interrupts, gates and far calls: checked and probed as a whole, so that a fault leaves nothing
 * half pushed, then written.
 * Spec: Intel SDM vol 3 sections 5.8.5 and 6.12.1.
 */
#pragma once

#include "target/x86/segment.h"

typedef struct Frame {
    Segment ss;     /* hidden part of the stack segment written to */
    uint64_t sp;    /* before the pushes */
    uint64_t mask;  /* of the stack pointer */
    uint32_t error; /* of #SS */
    bool flat;      /* 64-bit: no base, no limit */
    bool user;      /* CPL 3 rights, through the current SS */
} Frame;

/* The stack in use, for pushes at an unchanged CPL. */
Frame frame_current(const X86Cpu *cpu, unsigned ext);
/* A stack in another segment, of an inner privilege. */
Frame frame_inner(const Desc *ss, uint16_t sel, uint64_t sp, unsigned ext);
/* A 64-bit stack. */
Frame frame_long(uint64_t sp, unsigned ext);

/* Push v[0] first, v[n - 1] last.  Raises #SS or #PF before it writes; returns the new stack pointer. */
uint64_t frame_push(X86Cpu *cpu, const Frame *f, unsigned log2size, const uint64_t *v, unsigned n);

/*
 * SS:SP of privilege `cpl` from the TSS in use (16 or 32 bits; long mode: sel is 0).  #TS(TR) if it lies outside.
 */
uint64_t tss_inner_stack(X86Cpu *cpu, unsigned cpl, unsigned ext, uint16_t *sel);
/* Entry `ist` (1..7) of the 64-bit TSS. */
uint64_t tss_ist(X86Cpu *cpu, unsigned ist, unsigned ext);
