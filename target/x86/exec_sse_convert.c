/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversions between formats, and rounding to integers, on vector and general registers, legacy and VEX forms.
 * Spec: Intel SDM vol 1, 11.4.1.6, 12.8.4 (ROUNDPS), 14.4 (half precision); vol 2 for each instruction.
 */
#include "target/x86/vector.h"

/* ---- between integers and scalars ---- */

static inline int64_t integer_source(X86Cpu *cpu, const Insn *i)
{
    uint64_t s = sse_gpr_rm(cpu, i);
    return i->osize == 3 ? (int64_t)s : (int32_t)s;
}

static inline f32 si2ss(X86Cpu *cpu, const Insn *i)
{
    int64_t s = integer_source(cpu, i);
    FloatEnv e = sse_env(cpu);
    f32 r = f32_from_i64(s, &e);
    sse_finish(cpu, &e);
    return r;
}

static inline f64 si2sd(X86Cpu *cpu, const Insn *i)
{
    int64_t s = integer_source(cpu, i);
    FloatEnv e = sse_env(cpu);
    f64 r = f64_from_i64(s, &e);
    sse_finish(cpu, &e);
    return r;
}

static void cvtsi2ss(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    cpu->v[i->reg].d[0] = si2ss(cpu, i);
}
EXEC_ONE(cvtsi2ss, cvtsi2ss);

static void cvtsi2sd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    cpu->v[i->reg].q[0] = si2sd(cpu, i);
}
EXEC_ONE(cvtsi2sd, cvtsi2sd);

static void vcvtsi2ss(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    Xmm d = *xmm(cpu, i->vvvv);
    d.d[0] = si2ss(cpu, i);
    ymm_set(cpu, i->reg, &d, 1);
}
EXEC_ONE(vcvtsi2ss, vcvtsi2ss);

static void vcvtsi2sd(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    Xmm d = *xmm(cpu, i->vvvv);
    d.q[0] = si2sd(cpu, i);
    ymm_set(cpu, i->reg, &d, 1);
}
EXEC_ONE(vcvtsi2sd, vcvtsi2sd);

static inline void ss2si(X86Cpu *cpu, const Insn *i, bool truncate)
{
    f32 s = sse_rm32(cpu, i);
    FloatEnv e = sse_env(cpu);
    unsigned mode = truncate ? ROUND_ZERO : e.round;
    uint64_t r = i->osize == 3 ? (uint64_t)f32_to_i64(s, mode, &e) : (uint32_t)f32_to_i32(s, mode, &e);
    sse_finish(cpu, &e);
    cpu->r[i->reg] = r;
}

static inline void sd2si(X86Cpu *cpu, const Insn *i, bool truncate)
{
    f64 s = sse_rm64(cpu, i);
    FloatEnv e = sse_env(cpu);
    unsigned mode = truncate ? ROUND_ZERO : e.round;
    uint64_t r = i->osize == 3 ? (uint64_t)f64_to_i64(s, mode, &e) : (uint32_t)f64_to_i32(s, mode, &e);
    sse_finish(cpu, &e);
    cpu->r[i->reg] = r;
}

BOTH_FORMS(cvtss2si, ss2si(cpu, i, false));
BOTH_FORMS(cvttss2si, ss2si(cpu, i, true));
BOTH_FORMS(cvtsd2si, sd2si(cpu, i, false));
BOTH_FORMS(cvttsd2si, sd2si(cpu, i, true));

/* ---- between integers and packed numbers ---- */

static inline void dq2ps(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = f32_from_i32(s->sd[k], e);
    }
}
VECTOR_FLOAT(cvtdq2ps, dq2ps, 16);

static inline void dq2pd(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    int32_t low = s->sd[0], high = s->sd[1];
    FloatEnv exact = {0};
    d->q[0] = f64_from_i32(low, &exact);
    d->q[1] = f64_from_i32(high, &exact);
}
VECTOR_INT(cvtdq2pd, dq2pd, 8, 0);

static inline void ps2dq(Xmm *d, const Xmm *s, unsigned mode, FloatEnv *e)
{
    for (unsigned k = 0; k < 4; k++) {
        d->sd[k] = f32_to_i32(s->d[k], mode, e);
    }
}
static inline void pd2dq(Xmm *d, const Xmm *s, unsigned mode, FloatEnv *e)
{
    for (unsigned k = 0; k < 2; k++) {
        d->sd[k] = f64_to_i32(s->q[k], mode, e);
    }
    d->q[1] = 0;
}

static inline void round_ps2dq(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    ps2dq(d, s, e->round, e);
}
VECTOR_FLOAT(cvtps2dq, round_ps2dq, 16);

static inline void truncate_ps2dq(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    ps2dq(d, s, ROUND_ZERO, e);
}
VECTOR_FLOAT(cvttps2dq, truncate_ps2dq, 16);

static inline void round_pd2dq(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    pd2dq(d, s, e->round, e);
}
VECTOR_NARROW(cvtpd2dq, round_pd2dq);

static inline void truncate_pd2dq(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    pd2dq(d, s, ROUND_ZERO, e);
}
VECTOR_NARROW(cvttpd2dq, truncate_pd2dq);

/* ---- between single and double precision ---- */

static inline void ss2sd(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->q[0] = f32_to_f64(s->d[0], e);
}
VECTOR_SCALAR(cvtss2sd, ss2sd, 4);

static inline void sd2ss(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->d[0] = f64_to_f32(s->q[0], e);
}
VECTOR_SCALAR(cvtsd2ss, sd2ss, 8);

static inline void ps2pd(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->q[0] = f32_to_f64(s->d[0], e);
    d->q[1] = f32_to_f64(s->d[1], e);
}
VECTOR_FLOAT(cvtps2pd, ps2pd, 8);

static inline void pd2ps(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->d[0] = f64_to_f32(s->q[0], e);
    d->d[1] = f64_to_f32(s->q[1], e);
    d->q[1] = 0;
}
VECTOR_NARROW(cvtpd2ps, pd2ps);

/* ---- SSE4.1: rounding to an integral number ---- */

/* Immediate: bits 1:0 mode, bit 2: MXCSR's mode instead, bit 3: inexact is not reported. */
static inline unsigned round_mode(unsigned imm, const FloatEnv *e)
{
    return imm & 4 ? e->round : imm & 3;
}

static inline void round_1(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->d[0] = f32_round_int(s->d[0], round_mode(imm, e), !(imm & 8), e);
}
VECTOR_SCALAR(roundss, round_1, 4);

static inline void round_1q(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->q[0] = f64_round_int(s->q[0], round_mode(imm, e), !(imm & 8), e);
}
VECTOR_SCALAR(roundsd, round_1q, 8);

static inline void round_4(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = f32_round_int(s->d[k], round_mode(imm, e), !(imm & 8), e);
    }
}
VECTOR_FLOAT(roundps, round_4, 16);

static inline void round_2q(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    for (unsigned k = 0; k < 2; k++) {
        d->q[k] = f64_round_int(s->q[k], round_mode(imm, e), !(imm & 8), e);
    }
}
VECTOR_FLOAT(roundpd, round_2q, 16);

/* ---- F16C: half precision in memory, single precision in registers ---- */

static inline void ph2ps(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = f16_to_f32(s->w[k], e);
    }
}
VEX_FORM(cvtph2ps, vex_float(cpu, i, ph2ps, 8, 0));

/* Immediate: bits 1:0 mode, bit 2: MXCSR's mode instead. */
static void vcvtps2ph(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    unsigned lanes = i->vl + 1u;
    FloatEnv e = sse_env(cpu);
    Xmm r = {0};
    e.round = (uint8_t)round_mode((unsigned)i->imm, &e);
    for (unsigned k = 0; k < 4 * lanes; k++) {
        r.w[k] = f32_to_f16(cpu->v[i->reg].d[k], &e);
    }
    if (in_memory(i)) { /* the address is checked before the numbers are looked at */
        mem_probe(cpu, i->seg, insn_ea(cpu, i), 8 * lanes, ACCESS_WRITE);
    }
    sse_finish(cpu, &e);
    if (!in_memory(i)) {
        ymm_set(cpu, i->rm, &r, 1);
    } else if (lanes == 1) {
        mem_write64(cpu, i->seg, insn_ea(cpu, i), r.q[0]);
    } else {
        sse_store_unaligned(cpu, i, &r);
    }
}
EXEC_ONE(vcvtps2ph, vcvtps2ph);
