/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What instruction handlers are made of.  A handler runs with cpu->rip already at the next instruction and
 * cpu->insn_rip at its own; it raises by cpu_raise*() before it has changed anything the guest can see.
 * `exec_NAME` is an array of eight handlers, [log2 operand size + 4 if the E operand is in memory].
 */
#pragma once

#include "target/x86/flags.h"
#include "target/x86/insn.h"
#include "target/x86/mem.h"

/* All eight the same: the handler looks at i->osize and INSN_MEM itself. */
#define EXEC_ONE(name, fn)                                                                                             \
    ExecFn *const exec_##name[8] = {fn, fn, fn, fn, fn, fn, fn, fn}
/* By operand size and form. */
#define EXEC_8(name, r8, r16, r32, r64, m8, m16, m32, m64)                                                             \
    ExecFn *const exec_##name[8] = {r8, r16, r32, r64, m8, m16, m32, m64}

/* Byte registers are addressed by their offset (Insn.reg8, rm8). */
static inline uint8_t reg8_get(const X86Cpu *cpu, unsigned off)
{
    return ((const uint8_t *)cpu->r)[off];
}
static inline void reg8_set(X86Cpu *cpu, unsigned off, uint8_t v)
{
    ((uint8_t *)cpu->r)[off] = v;
}
static inline void reg16_set(X86Cpu *cpu, unsigned n, uint16_t v)
{
    memcpy(&cpu->r[n], &v, 2);
}
/* A 32-bit write clears the upper half, a 64-bit one does not care. */
static inline void reg32_set(X86Cpu *cpu, unsigned n, uint32_t v)
{
    cpu->r[n] = v;
}
static inline void reg64_set(X86Cpu *cpu, unsigned n, uint64_t v)
{
    cpu->r[n] = v;
}

/* Stack pointer arithmetic and pushes by SS.B / 64-bit mode; they store before RSP changes (stack.c). */
void push16(X86Cpu *cpu, uint16_t v);
void push32(X86Cpu *cpu, uint32_t v);
void push64(X86Cpu *cpu, uint64_t v);
void push_osize(X86Cpu *cpu, unsigned log2size, uint64_t v);
/* The value at the top; the caller adds to RSP with stack_adjust() when nothing can fault any more. */
uint64_t stack_peek(X86Cpu *cpu, unsigned log2size, unsigned offset);
void stack_adjust(X86Cpu *cpu, int64_t bytes);

/* Near control transfer: checks the target (limit or canonical: #GP(0)), truncates it to osize, sets rip. */
void branch_to(X86Cpu *cpu, uint64_t target, unsigned log2size);

/* #GP(0) unless CPL is 0. */
void require_cpl0(X86Cpu *cpu);
/* I/O permission of `size` bytes at `port`: IOPL, TSS bitmap; #GP(0) (io.c). */
void io_check(X86Cpu *cpu, uint16_t port, unsigned size);
uint32_t io_in(X86Cpu *cpu, uint16_t port, unsigned size);
void io_out(X86Cpu *cpu, uint16_t port, uint32_t value, unsigned size);

/* CR0.EM/TS/MP: #NM for x87 (wait: WAIT/FWAIT rules); pending unmasked x87 exceptions: #MF (fpu.c). */
void x87_check(X86Cpu *cpu);         /* before a waiting x87 instruction */
void x87_check_no_wait(X86Cpu *cpu); /* FNxxx: availability only */
void mmx_check(X86Cpu *cpu);         /* #UD if EM, #NM if TS, #MF if pending */
void sse_check(X86Cpu *cpu);         /* #UD if EM or no OSFXSR, #NM if TS */

ExecFn exec_ud_fn;  /* raises #UD */
ExecFn exec_gp0_fn; /* raises #GP(0) */
