/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversions between formats, and rounding to integers, on XMM and general registers.
 * Spec: Intel SDM vol 1, 11.4.1.6, 12.8.4 (ROUNDPS); vol 2 for each instruction.
 */
#include "target/x86/sse.h"

/* ---- between integers and scalars ---- */

static void cvtsi2ss(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint64_t s = sse_gpr_rm(cpu, i);
    FloatEnv e = sse_env(cpu);
    f32 r = f32_from_i64(i->osize == 3 ? (int64_t)s : (int32_t)s, &e);
    sse_finish(cpu, &e);
    cpu->v[i->reg].d[0] = r;
}
EXEC_ONE(cvtsi2ss, cvtsi2ss);

static void cvtsi2sd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint64_t s = sse_gpr_rm(cpu, i);
    FloatEnv e = sse_env(cpu);
    f64 r = f64_from_i64(i->osize == 3 ? (int64_t)s : (int32_t)s, &e);
    sse_finish(cpu, &e);
    cpu->v[i->reg].q[0] = r;
}
EXEC_ONE(cvtsi2sd, cvtsi2sd);

static inline void ss2si(X86Cpu *cpu, const Insn *i, bool truncate)
{
    sse_enter(cpu);
    f32 s = sse_rm32(cpu, i);
    FloatEnv e = sse_env(cpu);
    unsigned mode = truncate ? ROUND_ZERO : e.round;
    uint64_t r = i->osize == 3 ? (uint64_t)f32_to_i64(s, mode, &e) : (uint32_t)f32_to_i32(s, mode, &e);
    sse_finish(cpu, &e);
    cpu->r[i->reg] = r;
}

static inline void sd2si(X86Cpu *cpu, const Insn *i, bool truncate)
{
    sse_enter(cpu);
    f64 s = sse_rm64(cpu, i);
    FloatEnv e = sse_env(cpu);
    unsigned mode = truncate ? ROUND_ZERO : e.round;
    uint64_t r = i->osize == 3 ? (uint64_t)f64_to_i64(s, mode, &e) : (uint32_t)f64_to_i32(s, mode, &e);
    sse_finish(cpu, &e);
    cpu->r[i->reg] = r;
}

static void cvtss2si(X86Cpu *cpu, const Insn *i)
{
    ss2si(cpu, i, false);
}
EXEC_ONE(cvtss2si, cvtss2si);

static void cvttss2si(X86Cpu *cpu, const Insn *i)
{
    ss2si(cpu, i, true);
}
EXEC_ONE(cvttss2si, cvttss2si);

static void cvtsd2si(X86Cpu *cpu, const Insn *i)
{
    sd2si(cpu, i, false);
}
EXEC_ONE(cvtsd2si, cvtsd2si);

static void cvttsd2si(X86Cpu *cpu, const Insn *i)
{
    sd2si(cpu, i, true);
}
EXEC_ONE(cvttsd2si, cvttsd2si);

/* ---- between integers and packed numbers ---- */

static void cvtdq2ps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), r;
    FloatEnv e = sse_env(cpu);
    for (unsigned k = 0; k < 4; k++) {
        r.d[k] = f32_from_i32(s.sd[k], &e);
    }
    sse_finish(cpu, &e);
    *xmm(cpu, i->reg) = r;
}
EXEC_ONE(cvtdq2ps, cvtdq2ps);

static void cvtdq2pd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint64_t s = sse_rm64(cpu, i);
    FloatEnv e = sse_env(cpu); /* exact */
    *xmm(cpu, i->reg) = (Xmm){.q = {f64_from_i32((int32_t)s, &e), f64_from_i32((int32_t)(s >> 32), &e)}};
}
EXEC_ONE(cvtdq2pd, cvtdq2pd);

static inline void ps2dq(X86Cpu *cpu, const Insn *i, bool truncate)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), r;
    FloatEnv e = sse_env(cpu);
    unsigned mode = truncate ? ROUND_ZERO : e.round;
    for (unsigned k = 0; k < 4; k++) {
        r.sd[k] = f32_to_i32(s.d[k], mode, &e);
    }
    sse_finish(cpu, &e);
    *xmm(cpu, i->reg) = r;
}

static inline void pd2dq(X86Cpu *cpu, const Insn *i, bool truncate)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), r = {0};
    FloatEnv e = sse_env(cpu);
    unsigned mode = truncate ? ROUND_ZERO : e.round;
    for (unsigned k = 0; k < 2; k++) {
        r.sd[k] = f64_to_i32(s.q[k], mode, &e);
    }
    sse_finish(cpu, &e);
    *xmm(cpu, i->reg) = r;
}

static void cvtps2dq(X86Cpu *cpu, const Insn *i)
{
    ps2dq(cpu, i, false);
}
EXEC_ONE(cvtps2dq, cvtps2dq);

static void cvttps2dq(X86Cpu *cpu, const Insn *i)
{
    ps2dq(cpu, i, true);
}
EXEC_ONE(cvttps2dq, cvttps2dq);

static void cvtpd2dq(X86Cpu *cpu, const Insn *i)
{
    pd2dq(cpu, i, false);
}
EXEC_ONE(cvtpd2dq, cvtpd2dq);

static void cvttpd2dq(X86Cpu *cpu, const Insn *i)
{
    pd2dq(cpu, i, true);
}
EXEC_ONE(cvttpd2dq, cvttpd2dq);

/* ---- between single and double precision ---- */

static void cvtss2sd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    f32 s = sse_rm32(cpu, i);
    FloatEnv e = sse_env(cpu);
    f64 r = f32_to_f64(s, &e);
    sse_finish(cpu, &e);
    cpu->v[i->reg].q[0] = r;
}
EXEC_ONE(cvtss2sd, cvtss2sd);

static void cvtsd2ss(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    f64 s = sse_rm64(cpu, i);
    FloatEnv e = sse_env(cpu);
    f32 r = f64_to_f32(s, &e);
    sse_finish(cpu, &e);
    cpu->v[i->reg].d[0] = r;
}
EXEC_ONE(cvtsd2ss, cvtsd2ss);

static void cvtps2pd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint64_t s = sse_rm64(cpu, i);
    FloatEnv e = sse_env(cpu);
    Xmm r = {.q = {f32_to_f64((f32)s, &e), f32_to_f64((f32)(s >> 32), &e)}};
    sse_finish(cpu, &e);
    *xmm(cpu, i->reg) = r;
}
EXEC_ONE(cvtps2pd, cvtps2pd);

static void cvtpd2ps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i);
    FloatEnv e = sse_env(cpu);
    Xmm r = {.d = {f64_to_f32(s.q[0], &e), f64_to_f32(s.q[1], &e)}};
    sse_finish(cpu, &e);
    *xmm(cpu, i->reg) = r;
}
EXEC_ONE(cvtpd2ps, cvtpd2ps);

/* ---- SSE4.1: rounding to an integral number ---- */

/* Immediate: bits 1:0 mode, bit 2: MXCSR's mode instead, bit 3: inexact is not reported. */
static unsigned round_mode(const Insn *i, const FloatEnv *e)
{
    return i->imm & 4 ? e->round : i->imm & 3;
}

static void roundss(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    f32 s = sse_rm32(cpu, i);
    FloatEnv e = sse_env(cpu);
    f32 r = f32_round_int(s, round_mode(i, &e), !(i->imm & 8), &e);
    sse_finish(cpu, &e);
    cpu->v[i->reg].d[0] = r;
}
EXEC_ONE(roundss, roundss);

static void roundsd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    f64 s = sse_rm64(cpu, i);
    FloatEnv e = sse_env(cpu);
    f64 r = f64_round_int(s, round_mode(i, &e), !(i->imm & 8), &e);
    sse_finish(cpu, &e);
    cpu->v[i->reg].q[0] = r;
}
EXEC_ONE(roundsd, roundsd);

static void roundps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), r;
    FloatEnv e = sse_env(cpu);
    for (unsigned k = 0; k < 4; k++) {
        r.d[k] = f32_round_int(s.d[k], round_mode(i, &e), !(i->imm & 8), &e);
    }
    sse_finish(cpu, &e);
    *xmm(cpu, i->reg) = r;
}
EXEC_ONE(roundps, roundps);

static void roundpd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), r;
    FloatEnv e = sse_env(cpu);
    for (unsigned k = 0; k < 2; k++) {
        r.q[k] = f64_round_int(s.q[k], round_mode(i, &e), !(i->imm & 8), &e);
    }
    sse_finish(cpu, &e);
    *xmm(cpu, i->reg) = r;
}
EXEC_ONE(roundpd, roundpd);
