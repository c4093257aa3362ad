/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating-point comparisons: masks, flags.
 * Spec: Intel SDM vol 2, CMPPS (table 3-1: predicates), COMISS, UCOMISS.
 */
#include "target/x86/sse.h"

/*
 * Predicates 0-7: EQ LT LE UNORD NEQ NLT NLE ORD.  LT, LE and their negations signal for quiet NaNs too.  Legacy encodings
 * look at the low three bits of the immediate only.
 */
static inline bool predicate_quiet(unsigned predicate)
{
    return (predicate & 3) == 0 || (predicate & 3) == 3;
}

static inline bool predicate_holds(unsigned predicate, int relation)
{
    bool holds;
    switch (predicate & 3) {
    case 0:
        holds = relation == 0;
        break;
    case 1:
        holds = relation == -1;
        break;
    case 2:
        holds = relation <= 0;
        break;
    default:
        holds = relation == 2;
        break;
    }
    return holds != (predicate >> 2 & 1);
}

static inline bool compare32(unsigned predicate, f32 a, f32 b, FloatEnv *e)
{
    return predicate_holds(predicate, f32_compare(a, b, predicate_quiet(predicate), e));
}
static inline bool compare64(unsigned predicate, f64 a, f64 b, FloatEnv *e)
{
    return predicate_holds(predicate, f64_compare(a, b, predicate_quiet(predicate), e));
}

static void cmpps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg), r;
    FloatEnv e = sse_env(cpu);
    for (unsigned k = 0; k < 4; k++) {
        r.d[k] = compare32(i->imm & 7, d->d[k], s.d[k], &e) ? ~0u : 0;
    }
    sse_finish(cpu, &e);
    *d = r;
}
EXEC_ONE(cmpps, cmpps);

static void cmppd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg), r;
    FloatEnv e = sse_env(cpu);
    for (unsigned k = 0; k < 2; k++) {
        r.q[k] = compare64(i->imm & 7, d->q[k], s.q[k], &e) ? ~0ull : 0;
    }
    sse_finish(cpu, &e);
    *d = r;
}
EXEC_ONE(cmppd, cmppd);

static void cmpss(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    f32 s = sse_rm32(cpu, i);
    FloatEnv e = sse_env(cpu);
    bool holds = compare32(i->imm & 7, cpu->v[i->reg].d[0], s, &e);
    sse_finish(cpu, &e);
    cpu->v[i->reg].d[0] = holds ? ~0u : 0;
}
EXEC_ONE(cmpss, cmpss);

static void cmpsd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    f64 s = sse_rm64(cpu, i);
    FloatEnv e = sse_env(cpu);
    bool holds = compare64(i->imm & 7, cpu->v[i->reg].q[0], s, &e);
    sse_finish(cpu, &e);
    cpu->v[i->reg].q[0] = holds ? ~0ull : 0;
}
EXEC_ONE(cmpsd, cmpsd);

/* OF, SF and AF become 0; unordered sets ZF, PF and CF. */
static void set_relation(X86Cpu *cpu, int relation)
{
    static const uint8_t flags[4] = {FL_CF, FL_ZF, 0, FL_ZF | FL_PF | FL_CF};
    flags_set(cpu, flags[relation + 1]);
}

static inline void comi32(X86Cpu *cpu, const Insn *i, bool quiet)
{
    sse_enter(cpu);
    f32 s = sse_rm32(cpu, i);
    FloatEnv e = sse_env(cpu);
    int relation = f32_compare(cpu->v[i->reg].d[0], s, quiet, &e);
    sse_finish(cpu, &e);
    set_relation(cpu, relation);
}

static inline void comi64(X86Cpu *cpu, const Insn *i, bool quiet)
{
    sse_enter(cpu);
    f64 s = sse_rm64(cpu, i);
    FloatEnv e = sse_env(cpu);
    int relation = f64_compare(cpu->v[i->reg].q[0], s, quiet, &e);
    sse_finish(cpu, &e);
    set_relation(cpu, relation);
}

static void comiss(X86Cpu *cpu, const Insn *i)
{
    comi32(cpu, i, false);
}
EXEC_ONE(comiss, comiss);

static void ucomiss(X86Cpu *cpu, const Insn *i)
{
    comi32(cpu, i, true);
}
EXEC_ONE(ucomiss, ucomiss);

static void comisd(X86Cpu *cpu, const Insn *i)
{
    comi64(cpu, i, false);
}
EXEC_ONE(comisd, comisd);

static void ucomisd(X86Cpu *cpu, const Insn *i)
{
    comi64(cpu, i, true);
}
EXEC_ONE(ucomisd, ucomisd);
