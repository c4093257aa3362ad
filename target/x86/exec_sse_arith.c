/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating-point arithmetic on XMM registers.
 * Spec: Intel SDM vol 1, 10.4, 11.4.1, 12.4, 12.8; vol 2 for each instruction.
 */
#include "target/x86/sse.h"

typedef f32 Op32(f32 a, f32 b, FloatEnv *e);
typedef f64 Op64(f64 a, f64 b, FloatEnv *e);

/* ---- destination and source, lane by lane ---- */

static inline void arith_ss(X86Cpu *cpu, const Insn *i, Op32 *op)
{
    sse_enter(cpu);
    uint32_t s = sse_rm32(cpu, i);
    FloatEnv e = sse_env(cpu);
    uint32_t r = op(cpu->v[i->reg].d[0], s, &e);
    sse_finish(cpu, &e);
    cpu->v[i->reg].d[0] = r;
}

static inline void arith_sd(X86Cpu *cpu, const Insn *i, Op64 *op)
{
    sse_enter(cpu);
    uint64_t s = sse_rm64(cpu, i);
    FloatEnv e = sse_env(cpu);
    uint64_t r = op(cpu->v[i->reg].q[0], s, &e);
    sse_finish(cpu, &e);
    cpu->v[i->reg].q[0] = r;
}

static inline void arith_ps(X86Cpu *cpu, const Insn *i, Op32 *op)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg), r;
    FloatEnv e = sse_env(cpu);
    for (unsigned k = 0; k < 4; k++) {
        r.d[k] = op(d->d[k], s.d[k], &e);
    }
    sse_finish(cpu, &e);
    *d = r;
}

static inline void arith_pd(X86Cpu *cpu, const Insn *i, Op64 *op)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg), r;
    FloatEnv e = sse_env(cpu);
    for (unsigned k = 0; k < 2; k++) {
        r.q[k] = op(d->q[k], s.q[k], &e);
    }
    sse_finish(cpu, &e);
    *d = r;
}

#define ARITH_FORM(name, form, op)                                                                                     \
    static void name##form(X86Cpu *cpu, const Insn *i)                                                                 \
    {                                                                                                                  \
        arith_##form(cpu, i, op);                                                                                      \
    }                                                                                                                  \
    EXEC_ONE(name##form, name##form);
#define ARITH(name, op32, op64)                                                                                        \
    ARITH_FORM(name, ss, op32)                                                                                         \
    ARITH_FORM(name, ps, op32)                                                                                         \
    ARITH_FORM(name, sd, op64)                                                                                         \
    ARITH_FORM(name, pd, op64)

/* SQRT has one operand, the source. */
static f32 sqrt32(f32 a, f32 b, FloatEnv *e)
{
    return f32_sqrt(b, e);
}
static f64 sqrt64(f64 a, f64 b, FloatEnv *e)
{
    return f64_sqrt(b, e);
}
static f32 rcp32(f32 a, f32 b, FloatEnv *e)
{
    return f32_rcp_approx(b);
}
static f32 rsqrt32(f32 a, f32 b, FloatEnv *e)
{
    return f32_rsqrt_approx(b);
}

ARITH(add, f32_add, f64_add)
ARITH(sub, f32_sub, f64_sub)
ARITH(mul, f32_mul, f64_mul)
ARITH(div, f32_div, f64_div)
ARITH(min, f32_min, f64_min)
ARITH(max, f32_max, f64_max)
ARITH(sqrt, sqrt32, sqrt64)
ARITH_FORM(rcp, ss, rcp32)
ARITH_FORM(rcp, ps, rcp32)
ARITH_FORM(rsqrt, ss, rsqrt32)
ARITH_FORM(rsqrt, ps, rsqrt32)

/* ---- SSE3: across lanes ---- */

static void addsubps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg), r;
    FloatEnv e = sse_env(cpu);
    for (unsigned k = 0; k < 4; k++) {
        r.d[k] = (k & 1 ? f32_add : f32_sub)(d->d[k], s.d[k], &e);
    }
    sse_finish(cpu, &e);
    *d = r;
}
EXEC_ONE(addsubps, addsubps);

static void addsubpd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg), r;
    FloatEnv e = sse_env(cpu);
    for (unsigned k = 0; k < 2; k++) {
        r.q[k] = (k & 1 ? f64_add : f64_sub)(d->q[k], s.q[k], &e);
    }
    sse_finish(cpu, &e);
    *d = r;
}
EXEC_ONE(addsubpd, addsubpd);

static inline void horizontal_ps(X86Cpu *cpu, const Insn *i, Op32 *op)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg), r;
    FloatEnv e = sse_env(cpu);
    for (unsigned k = 0; k < 4; k++) {
        const uint32_t *pair = k < 2 ? &d->d[2 * k] : &s.d[2 * k - 4];
        r.d[k] = op(pair[0], pair[1], &e);
    }
    sse_finish(cpu, &e);
    *d = r;
}

static inline void horizontal_pd(X86Cpu *cpu, const Insn *i, Op64 *op)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg), r;
    FloatEnv e = sse_env(cpu);
    r.q[0] = op(d->q[0], d->q[1], &e);
    r.q[1] = op(s.q[0], s.q[1], &e);
    sse_finish(cpu, &e);
    *d = r;
}

static void haddps(X86Cpu *cpu, const Insn *i)
{
    horizontal_ps(cpu, i, f32_add);
}
EXEC_ONE(haddps, haddps);

static void hsubps(X86Cpu *cpu, const Insn *i)
{
    horizontal_ps(cpu, i, f32_sub);
}
EXEC_ONE(hsubps, hsubps);

static void haddpd(X86Cpu *cpu, const Insn *i)
{
    horizontal_pd(cpu, i, f64_add);
}
EXEC_ONE(haddpd, haddpd);

static void hsubpd(X86Cpu *cpu, const Insn *i)
{
    horizontal_pd(cpu, i, f64_sub);
}
EXEC_ONE(hsubpd, hsubpd);

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

static void dpps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg), t;
    FloatEnv e = sse_env(cpu);

    for (unsigned k = 0; k < 4; k++) {
        t.d[k] = i->imm >> (4 + k) & 1 ? f32_mul(d->d[k], s.d[k], &e) : 0;
    }
    finish_stage(cpu, &e);
    f32 low = f32_add(t.d[0], t.d[1], &e), high = f32_add(t.d[2], t.d[3], &e);
    finish_stage(cpu, &e);
    f32 sum = f32_add(low, high, &e);
    finish_stage(cpu, &e);
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = i->imm >> k & 1 ? sum : 0;
    }
}
EXEC_ONE(dpps, dpps);

static void dppd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg), t;
    FloatEnv e = sse_env(cpu);

    for (unsigned k = 0; k < 2; k++) {
        t.q[k] = i->imm >> (4 + k) & 1 ? f64_mul(d->q[k], s.q[k], &e) : 0;
    }
    finish_stage(cpu, &e);
    f64 sum = f64_add(t.q[0], t.q[1], &e);
    finish_stage(cpu, &e);
    for (unsigned k = 0; k < 2; k++) {
        d->q[k] = i->imm >> k & 1 ? sum : 0;
    }
}
EXEC_ONE(dppd, dppd);
