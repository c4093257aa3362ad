/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating-point comparisons: masks, flags.
 * Spec: Intel SDM vol 2, CMPPS (table 3-1: predicates), COMISS, UCOMISS.
 */
#include "target/x86/vector.h"

/*
 * What predicates 0-15 hold for, as a set: bit 0 less, 1 equal, 2 greater, 3 unordered.  Legacy encodings look at three
 * bits of the immediate.  16-31 are 0-15 with the opposite answer to "does a quiet NaN signal?".
 */
static const uint8_t predicate_set[16] = {
    2, 1, 1 | 2, 8,                       /* EQ_OQ LT_OS LE_OS UNORD_Q */
    1 | 4 | 8, 2 | 4 | 8, 4 | 8, 1 | 2 | 4, /* NEQ_UQ NLT_US NLE_US ORD_Q */
    2 | 8, 1 | 8, 1 | 2 | 8, 0,           /* EQ_UQ NGE_US NGT_US FALSE_OQ */
    1 | 4, 2 | 4, 4, 15,                  /* NEQ_OQ GE_OS GT_OS TRUE_UQ */
};

static inline bool predicate_quiet(unsigned predicate)
{
    return ((predicate & 3) == 0 || (predicate & 3) == 3) != (predicate >> 4 & 1);
}

static inline bool compare32(unsigned predicate, f32 a, f32 b, FloatEnv *e)
{
    return predicate_set[predicate & 15] >> (f32_compare(a, b, predicate_quiet(predicate), e) + 1) & 1;
}
static inline bool compare64(unsigned predicate, f64 a, f64 b, FloatEnv *e)
{
    return predicate_set[predicate & 15] >> (f64_compare(a, b, predicate_quiet(predicate), e) + 1) & 1;
}

static inline void cmp_4(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = compare32(imm, d->d[k], s->d[k], e) ? ~0u : 0;
    }
}
static inline void cmp_2q(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    for (unsigned k = 0; k < 2; k++) {
        d->q[k] = compare64(imm, d->q[k], s->q[k], e) ? ~0ull : 0;
    }
}
static inline void cmp_1(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->d[0] = compare32(imm, d->d[0], s->d[0], e) ? ~0u : 0;
}
static inline void cmp_1q(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->q[0] = compare64(imm, d->q[0], s->q[0], e) ? ~0ull : 0;
}

#define LEGACY_CMP(op)                                                                                                 \
    static inline void legacy_##op(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)                                    \
    {                                                                                                                  \
        op(d, s, imm & 7, e);                                                                                          \
    }
LEGACY_CMP(cmp_4)
LEGACY_CMP(cmp_2q)
LEGACY_CMP(cmp_1)
LEGACY_CMP(cmp_1q)
VECTOR_FORMS(cmpps, legacy_float(cpu, i, legacy_cmp_4, 16), vex_float(cpu, i, cmp_4, 16, 0));
VECTOR_FORMS(cmppd, legacy_float(cpu, i, legacy_cmp_2q, 16), vex_float(cpu, i, cmp_2q, 16, 0));
VECTOR_FORMS(cmpss, legacy_float(cpu, i, legacy_cmp_1, 4), vex_scalar(cpu, i, cmp_1, 4));
VECTOR_FORMS(cmpsd, legacy_float(cpu, i, legacy_cmp_1q, 8), vex_scalar(cpu, i, cmp_1q, 8));

/* OF, SF and AF become 0; unordered sets ZF, PF and CF. */
static void set_relation(X86Cpu *cpu, int relation)
{
    static const uint8_t flags[4] = {FL_CF, FL_ZF, 0, FL_ZF | FL_PF | FL_CF};
    flags_set(cpu, flags[relation + 1]);
}

static inline void comi32(X86Cpu *cpu, const Insn *i, bool quiet)
{
    f32 s = sse_rm32(cpu, i);
    FloatEnv e = sse_env(cpu);
    int relation = f32_compare(cpu->v[i->reg].d[0], s, quiet, &e);
    sse_finish(cpu, &e);
    set_relation(cpu, relation);
}

static inline void comi64(X86Cpu *cpu, const Insn *i, bool quiet)
{
    f64 s = sse_rm64(cpu, i);
    FloatEnv e = sse_env(cpu);
    int relation = f64_compare(cpu->v[i->reg].q[0], s, quiet, &e);
    sse_finish(cpu, &e);
    set_relation(cpu, relation);
}

BOTH_FORMS(comiss, comi32(cpu, i, false));
BOTH_FORMS(ucomiss, comi32(cpu, i, true));
BOTH_FORMS(comisd, comi64(cpu, i, false));
BOTH_FORMS(ucomisd, comi64(cpu, i, true));
