/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating-point arithmetic on vector registers, legacy and VEX forms.
 * Spec: Intel SDM vol 1, 10.4, 11.4.1, 12.4, 12.8, 14.3; vol 2 for each instruction.
 */
#include "target/x86/vector.h"

/* ---- destination and source, element by element ---- */

#define ARITH32(name, op)                                                                                              \
    static inline void name##_1(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)                                       \
    {                                                                                                                  \
        d->d[0] = op(d->d[0], s->d[0], e);                                                                             \
    }                                                                                                                  \
    static inline void name##_4(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)                                       \
    {                                                                                                                  \
        for (unsigned k = 0; k < 4; k++) {                                                                             \
            d->d[k] = op(d->d[k], s->d[k], e);                                                                         \
        }                                                                                                              \
    }                                                                                                                  \
    VECTOR_SCALAR(name##ss, name##_1, 4);                                                                              \
    VECTOR_FLOAT(name##ps, name##_4, 16)
#define ARITH64(name, op)                                                                                              \
    static inline void name##_1q(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)                                      \
    {                                                                                                                  \
        d->q[0] = op(d->q[0], s->q[0], e);                                                                             \
    }                                                                                                                  \
    static inline void name##_2q(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)                                      \
    {                                                                                                                  \
        for (unsigned k = 0; k < 2; k++) {                                                                             \
            d->q[k] = op(d->q[k], s->q[k], e);                                                                         \
        }                                                                                                              \
    }                                                                                                                  \
    VECTOR_SCALAR(name##sd, name##_1q, 8);                                                                             \
    VECTOR_FLOAT(name##pd, name##_2q, 16)
#define ARITH(name, op32, op64)                                                                                        \
    ARITH32(name, op32);                                                                                               \
    ARITH64(name, op64)

/* SQRT and the approximations have one operand, the source. */
static inline f32 sqrt32(f32 a, f32 b, FloatEnv *e)
{
    return f32_sqrt(b, e);
}
static inline f64 sqrt64(f64 a, f64 b, FloatEnv *e)
{
    return f64_sqrt(b, e);
}
static inline f32 rcp32(f32 a, f32 b, FloatEnv *e)
{
    return f32_rcp_approx(b);
}
static inline f32 rsqrt32(f32 a, f32 b, FloatEnv *e)
{
    return f32_rsqrt_approx(b);
}

ARITH(add, f32_add, f64_add);
ARITH(sub, f32_sub, f64_sub);
ARITH(mul, f32_mul, f64_mul);
ARITH(div, f32_div, f64_div);
ARITH(min, f32_min, f64_min);
ARITH(max, f32_max, f64_max);
ARITH(sqrt, sqrt32, sqrt64);
ARITH32(rcp, rcp32);
ARITH32(rsqrt, rsqrt32);

/* ---- SSE3: across elements ---- */

static inline void addsub_4(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = (k & 1 ? f32_add : f32_sub)(d->d[k], s->d[k], e);
    }
}
VECTOR_FLOAT(addsubps, addsub_4, 16);

static inline void addsub_2q(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->q[0] = f64_sub(d->q[0], s->q[0], e);
    d->q[1] = f64_add(d->q[1], s->q[1], e);
}
VECTOR_FLOAT(addsubpd, addsub_2q, 16);

#define HORIZONTAL(name, op32, op64)                                                                                   \
    static inline void name##_4(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)                                       \
    {                                                                                                                  \
        Xmm r;                                                                                                         \
        for (unsigned k = 0; k < 4; k++) {                                                                             \
            const uint32_t *pair = k < 2 ? &d->d[2 * k] : &s->d[2 * k - 4];                                            \
            r.d[k] = op32(pair[0], pair[1], e);                                                                        \
        }                                                                                                              \
        *d = r;                                                                                                        \
    }                                                                                                                  \
    static inline void name##_2q(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)                                      \
    {                                                                                                                  \
        d->q[0] = op64(d->q[0], d->q[1], e);                                                                           \
        d->q[1] = op64(s->q[0], s->q[1], e);                                                                           \
    }                                                                                                                  \
    VECTOR_FLOAT(name##ps, name##_4, 16);                                                                              \
    VECTOR_FLOAT(name##pd, name##_2q, 16)
HORIZONTAL(hadd, f32_add, f64_add);
HORIZONTAL(hsub, f32_sub, f64_sub);

/* ---- SSE4.1: dot products ---- */

/*
 * The products, the sums of pairs and the last sum are separate operations: each may raise, with the flags of the ones
 * before it already in MXCSR (SDM vol 2, DPPS).
 */
static void finish_stage(X86Cpu *cpu, FloatEnv *e)
{
    sse_finish(cpu, e);
    e->flags &= e->masks & FX_INEXACT;
}

static inline void dot_ps(X86Cpu *cpu, const Insn *i, Xmm *d, const Xmm *s, unsigned lanes)
{
    FloatEnv e = sse_env(cpu);
    Xmm t[2];

    for (unsigned k = 0; k < 4 * lanes; k++) {
        bool wanted = i->imm >> (4 + (k & 3)) & 1;
        t[k / 4].d[k & 3] = wanted ? f32_mul(d[k / 4].d[k & 3], s[k / 4].d[k & 3], &e) : 0;
    }
    finish_stage(cpu, &e);
    for (unsigned l = 0; l < lanes; l++) {
        t[l].d[0] = f32_add(t[l].d[0], t[l].d[1], &e);
        t[l].d[2] = f32_add(t[l].d[2], t[l].d[3], &e);
    }
    finish_stage(cpu, &e);
    for (unsigned l = 0; l < lanes; l++) {
        t[l].d[0] = f32_add(t[l].d[0], t[l].d[2], &e);
    }
    finish_stage(cpu, &e);
    for (unsigned k = 0; k < 4 * lanes; k++) {
        d[k / 4].d[k & 3] = i->imm >> (k & 3) & 1 ? t[k / 4].d[0] : 0;
    }
}

/* One lane only: there is no VEX.256 form. */
static inline void dot_pd(X86Cpu *cpu, const Insn *i, Xmm *d, const Xmm *s)
{
    FloatEnv e = sse_env(cpu);
    Xmm t;

    for (unsigned k = 0; k < 2; k++) {
        t.q[k] = i->imm >> (4 + k) & 1 ? f64_mul(d->q[k], s->q[k], &e) : 0;
    }
    finish_stage(cpu, &e);
    f64 sum = f64_add(t.q[0], t.q[1], &e);
    finish_stage(cpu, &e);
    for (unsigned k = 0; k < 2; k++) {
        d->q[k] = i->imm >> k & 1 ? sum : 0;
    }
}

static void dpps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), d = *xmm(cpu, i->reg);
    dot_ps(cpu, i, &d, &s, 1);
    *xmm(cpu, i->reg) = d;
}
EXEC_ONE(dpps, dpps);

static void vdpps(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    unsigned lanes = i->vl + 1u;
    Xmm s[2], d[2];
    vex_rm(cpu, i, s, 16 * lanes);
    memcpy(d, cpu->v[i->vvvv].b, sizeof(d));
    dot_ps(cpu, i, d, s, lanes);
    ymm_set(cpu, i->reg, d, lanes);
}
EXEC_ONE(vdpps, vdpps);

static void dppd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), d = *xmm(cpu, i->reg);
    dot_pd(cpu, i, &d, &s);
    *xmm(cpu, i->reg) = d;
}
EXEC_ONE(dppd, dppd);

static void vdppd(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    Xmm s[2], d = *xmm(cpu, i->vvvv);
    vex_rm(cpu, i, s, 16);
    dot_pd(cpu, i, &d, s);
    ymm_set(cpu, i->reg, &d, 1);
}
EXEC_ONE(vdppd, vdppd);
