/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One kernel per vector operation, and what runs it: the legacy form works on 16 bytes, the destination is the first
 * operand and the rest of the register stays; the VEX form works on one or two lanes of 16 bytes, VEX.vvvv is the first
 * operand and the rest of the register becomes zero.
 * Spec: Intel SDM vol 1, 14.1-14.3; vol 2, 2.3 (2.3.10: the upper bits), 2.4.
 */
#pragma once

#include "target/x86/sse.h"

/* d: the first operand, becomes the result.  s: the second; what lies behind a narrower source is unspecified. */
typedef void LaneOp(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e);

#define VECTOR_INLINE static inline __attribute__((always_inline))

/* #UD unless the OS has enabled AVX state (and never in real or virtual-8086 mode), #NM if CR0.TS. */
void avx_check(X86Cpu *cpu);

/* First thing in a VEX handler that uses vector registers. */
VECTOR_INLINE void avx_enter(X86Cpu *cpu)
{
    enum { XCR0_SSE_AVX = 6 };
    if (unlikely((cpu->cr0 & CR0_TS) || !(cpu->cr4 & CR4_OSXSAVE) || (cpu->xcr0 & XCR0_SSE_AVX) != XCR0_SSE_AVX ||
                 !cpu->protected_mode)) {
        avx_check(cpu);
    }
}

/* ---- operands ---- */

/* Lane 0 or 1 of a register. */
static inline Xmm *ymm(X86Cpu *cpu, unsigned n, unsigned lane)
{
    return (Xmm *)(void *)(cpu->v[n].b + 16 * lane);
}

/* Write lanes and clear what is above them. */
static inline void ymm_set(X86Cpu *cpu, unsigned n, const Xmm *v, unsigned lanes)
{
    memcpy(cpu->v[n].b, v, 16 * lanes);
    memset(cpu->v[n].b + 16 * lanes, 0, sizeof(Vec) - 16 * lanes);
}

/* The E operand: `bytes` of memory, anywhere, or all of a register. */
VECTOR_INLINE void vex_rm(X86Cpu *cpu, const Insn *i, Xmm s[2], unsigned bytes)
{
    if (!in_memory(i)) {
        memcpy(s, cpu->v[i->rm].b, 32);
        return;
    }
    memset(s, 0, 32);
    switch (bytes) {
    case 2:
        s->w[0] = mem_read16(cpu, i->seg, insn_ea(cpu, i));
        break;
    case 4:
        s->d[0] = mem_read32(cpu, i->seg, insn_ea(cpu, i));
        break;
    case 8:
        s->q[0] = mem_read64(cpu, i->seg, insn_ea(cpu, i));
        break;
    case 16:
        s[0] = sse_load_unaligned(cpu, i);
        break;
    default:
        mem_read_bytes(cpu, i->seg, insn_ea(cpu, i), s, bytes);
        break;
    }
}

/* The same for a legacy form: 16 bytes are aligned. */
VECTOR_INLINE Xmm legacy_rm(X86Cpu *cpu, const Insn *i, unsigned bytes)
{
    if (bytes == 16) {
        return sse_rm(cpu, i);
    }
    Xmm s[2];
    vex_rm(cpu, i, s, bytes);
    return s[0];
}

/* ---- the drivers ---- */

/* src: bytes of the source operand. */
VECTOR_INLINE void legacy_int(X86Cpu *cpu, const Insn *i, LaneOp *op, unsigned src)
{
    sse_enter(cpu);
    Xmm s = legacy_rm(cpu, i, src), d = *xmm(cpu, i->reg);
    op(&d, &s, (unsigned)i->imm, NULL);
    *xmm(cpu, i->reg) = d;
}

VECTOR_INLINE void legacy_float(X86Cpu *cpu, const Insn *i, LaneOp *op, unsigned src)
{
    sse_enter(cpu);
    Xmm s = legacy_rm(cpu, i, src), d = *xmm(cpu, i->reg);
    FloatEnv e = sse_env(cpu);
    op(&d, &s, (unsigned)i->imm, &e);
    sse_finish(cpu, &e);
    *xmm(cpu, i->reg) = d;
}

/* src: bytes of the source operand for each lane; step: bits of the immediate that each lane uses up. */
VECTOR_INLINE void vex_lanes(X86Cpu *cpu, const Insn *i, LaneOp *op, unsigned src, unsigned step, unsigned lanes,
                             Xmm d[2], FloatEnv *e)
{
    Xmm s[2], part;
    vex_rm(cpu, i, s, src * lanes);
    memcpy(d, cpu->v[i->vvvv].b, 32);
    for (unsigned k = 0; k < lanes; k++) {
        memcpy(&part, (const uint8_t *)s + src * k, sizeof(part));
        op(&d[k], &part, (unsigned)i->imm >> step * k, e);
    }
}

VECTOR_INLINE void vex_int(X86Cpu *cpu, const Insn *i, LaneOp *op, unsigned src, unsigned step)
{
    Xmm d[2];
    avx_enter(cpu);
    unsigned lanes = i->vl + 1u;
    vex_lanes(cpu, i, op, src, step, lanes, d, NULL);
    ymm_set(cpu, i->reg, d, lanes);
}

VECTOR_INLINE void vex_float_lanes(X86Cpu *cpu, const Insn *i, LaneOp *op, unsigned src, unsigned step, unsigned lanes,
                                   Xmm d[2])
{
    avx_enter(cpu);
    FloatEnv e = sse_env(cpu);
    vex_lanes(cpu, i, op, src, step, lanes, d, &e);
    sse_finish(cpu, &e);
}

VECTOR_INLINE void vex_float(X86Cpu *cpu, const Insn *i, LaneOp *op, unsigned src, unsigned step)
{
    Xmm d[2];
    unsigned lanes = i->vl + 1u;
    vex_float_lanes(cpu, i, op, src, step, lanes, d);
    ymm_set(cpu, i->reg, d, lanes);
}

/* Scalars: VEX.L is ignored. */
VECTOR_INLINE void vex_scalar(X86Cpu *cpu, const Insn *i, LaneOp *op, unsigned src)
{
    Xmm d[2];
    vex_float_lanes(cpu, i, op, src, 0, 1, d);
    ymm_set(cpu, i->reg, d, 1);
}

/* Each lane gives 8 bytes: the result is half as wide as the source. */
VECTOR_INLINE void vex_narrow(X86Cpu *cpu, const Insn *i, LaneOp *op)
{
    Xmm d[2];
    unsigned lanes = i->vl + 1u;
    vex_float_lanes(cpu, i, op, 16, 0, lanes, d);
    d[0].q[1] = lanes == 2 ? d[1].q[0] : 0;
    ymm_set(cpu, i->reg, d, 1);
}

/* ---- handlers: exec_NAME and exec_vNAME ---- */

#define VECTOR_FORMS(name, legacy, vex)                                                                                \
    static void legacy_##name(X86Cpu *cpu, const Insn *i)                                                              \
    {                                                                                                                  \
        legacy;                                                                                                        \
    }                                                                                                                  \
    EXEC_ONE(name, legacy_##name);                                                                                     \
    VEX_FORM(name, vex)
#define VEX_FORM(name, vex)                                                                                            \
    static void vex_##name(X86Cpu *cpu, const Insn *i)                                                                 \
    {                                                                                                                  \
        vex;                                                                                                           \
    }                                                                                                                  \
    EXEC_ONE(v##name, vex_##name)

/* Handlers that only differ in what makes them available. */
#define BOTH_FORMS(name, call)                                                                                         \
    VECTOR_FORMS(name, sse_enter(cpu);                                                                                 \
                 call, avx_enter(cpu);                                                                                 \
                 call)

#define VECTOR_INT(name, op, src, step)                                                                                \
    VECTOR_FORMS(name, legacy_int(cpu, i, op, src), vex_int(cpu, i, op, src, step))
#define VECTOR_FLOAT(name, op, src)                                                                                    \
    VECTOR_FORMS(name, legacy_float(cpu, i, op, src), vex_float(cpu, i, op, src, 0))
#define VECTOR_SCALAR(name, op, src)                                                                                   \
    VECTOR_FORMS(name, legacy_float(cpu, i, op, src), vex_scalar(cpu, i, op, src))
#define VECTOR_NARROW(name, op) VECTOR_FORMS(name, legacy_float(cpu, i, op, 16), vex_narrow(cpu, i, op))
