/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What SSE and MMX handlers share: registers, memory operands, MXCSR and its exceptions, the MMX state.
 * Spec: Intel SDM vol 1, chapters 9-11 and appendix E; vol 3 chapter 13.
 */
#pragma once

#include "target/x86/exec.h"
#include "target/x86/softfloat.h"

/* The 16 bytes that legacy SSE sees of a vector register; it leaves the others alone. */
typedef union Xmm {
    uint8_t b[16];
    uint16_t w[8];
    uint32_t d[4];
    uint64_t q[2];
    int8_t sb[16];
    int16_t sw[8];
    int32_t sd[4];
    int64_t sq[2];
} Xmm;

enum { MXCSR_FLAGS = 0x3f, MXCSR_DAZ = 1 << 6, MXCSR_MASKS_SHIFT = 7, MXCSR_RC_SHIFT = 13, MXCSR_FTZ = 1 << 15 };
#define MXCSR_DEFAULT 0x1f80u
#define MXCSR_MASK 0xffffu /* what may be set; FXSAVE reports it */

static inline Xmm *xmm(X86Cpu *cpu, unsigned n)
{
    return (Xmm *)&cpu->v[n];
}

/* First thing in a handler: sse_check() without a call in the usual case. */
static inline void sse_enter(X86Cpu *cpu)
{
    if (unlikely((cpu->cr0 & (CR0_EM | CR0_TS)) || !(cpu->cr4 & CR4_OSFXSR))) {
        sse_check(cpu);
    }
}

/* ---- operands ---- */

/* #GP(0) unless seg:off is a multiple of `align`.  Comes before the limit check, also where that gives #SS (seen on Zen). */
void sse_require_aligned(X86Cpu *cpu, unsigned seg, gva_t off, unsigned align);
/* 16 bytes at the memory operand; #GP(0) unless aligned, or anywhere. */
Xmm sse_load(X86Cpu *cpu, const Insn *i);
Xmm sse_load_unaligned(X86Cpu *cpu, const Insn *i);
void sse_store(X86Cpu *cpu, const Insn *i, const Xmm *v);
void sse_store_unaligned(X86Cpu *cpu, const Insn *i, const Xmm *v);

/*
 * MASKMOVDQU, MASKMOVQ: the bytes whose mask bit is set, at DS:rDI (segment override allowed).  No other byte is touched.
 * QUIRK: the manuals leave faults of what the mask excludes open; as on Zen, all of each 8 bytes must be writable.
 */
void sse_masked_store(X86Cpu *cpu, const Insn *i, const void *bytes, unsigned mask, unsigned size);

static inline bool in_memory(const Insn *i)
{
    return i->flags & INSN_MEM;
}
static inline Xmm sse_rm(X86Cpu *cpu, const Insn *i)
{
    return in_memory(i) ? sse_load(cpu, i) : *xmm(cpu, i->rm);
}
static inline uint32_t sse_rm32(X86Cpu *cpu, const Insn *i)
{
    return in_memory(i) ? mem_read32(cpu, i->seg, insn_ea(cpu, i)) : cpu->v[i->rm].d[0];
}
static inline uint64_t sse_rm64(X86Cpu *cpu, const Insn *i)
{
    return in_memory(i) ? mem_read64(cpu, i->seg, insn_ea(cpu, i)) : cpu->v[i->rm].q[0];
}
/* A general register or memory operand of 4 or 8 bytes (Ey). */
static inline uint64_t sse_gpr_rm(X86Cpu *cpu, const Insn *i)
{
    if (i->osize == 3) {
        return in_memory(i) ? mem_read64(cpu, i->seg, insn_ea(cpu, i)) : cpu->r[i->rm];
    }
    return in_memory(i) ? mem_read32(cpu, i->seg, insn_ea(cpu, i)) : (uint32_t)cpu->r[i->rm];
}

/* ---- MXCSR ---- */

static inline FloatEnv sse_env(const X86Cpu *cpu)
{
    uint32_t m = cpu->mxcsr;
    uint8_t masks = (uint8_t)(m >> MXCSR_MASKS_SHIFT & MXCSR_FLAGS);
    return (FloatEnv){
        .round = (uint8_t)(m >> MXCSR_RC_SHIFT & 3),
        .daz = m & MXCSR_DAZ,
        .ftz = m & MXCSR_FTZ,
        .masks = masks,
        /* A masked inexact that is already there need not be found again: the fast paths rely on it. */
        .flags = (uint8_t)(m & masks & FX_INEXACT),
    };
}

G_NORETURN void sse_raise(X86Cpu *cpu, const FloatEnv *e);

/* After all lanes are computed and before anything is written: flags into MXCSR, #XM when one is unmasked. */
static inline void sse_finish(X86Cpu *cpu, const FloatEnv *e)
{
    if (unlikely(e->flags & ~e->masks)) {
        sse_raise(cpu, e);
    }
    cpu->mxcsr |= e->flags;
}

/* ---- MMX ---- */

static inline uint64_t mmx_rm(X86Cpu *cpu, const Insn *i)
{
    return in_memory(i) ? mem_read64(cpu, i->seg, insn_ea(cpu, i)) : cpu->fpu.r[i->rm & 7].mant;
}

/* Every MMX instruction but EMMS leaves TOP 0 and all registers valid (SDM vol 1 9.5.1). */
static inline void mmx_touch(X86Cpu *cpu)
{
    cpu->fpu.top = 0;
    cpu->fpu.empty = 0;
}
static inline void mmx_set(X86Cpu *cpu, unsigned n, uint64_t v)
{
    mmx_touch(cpu);
    cpu->fpu.r[n & 7] = (Float80){.mant = v, .se = 0xffff};
}

/* RCPSS and RSQRTSS (sse_approx.c). */
f32 f32_rcp_approx(f32 a);
f32 f32_rsqrt_approx(f32 a);
