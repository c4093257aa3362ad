/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shuffles, blends, insertion, extraction and widening on vector registers, legacy and VEX forms.
 * Spec: Intel SDM vol 1, 10.4.4, 11.4.1.4, 12.10; vol 2 for each instruction.
 */
#include "target/x86/vector.h"

/* ---- shuffles by an immediate ---- */

static inline void shuffle_4(Xmm *d, const Xmm *s, unsigned n, FloatEnv *e)
{
    *d = (Xmm){.d = {d->d[n & 3], d->d[n >> 2 & 3], s->d[n >> 4 & 3], s->d[n >> 6 & 3]}};
}
VECTOR_INT(shufps, shuffle_4, 16, 0);

static inline void shuffle_2q(Xmm *d, const Xmm *s, unsigned n, FloatEnv *e)
{
    *d = (Xmm){.q = {d->q[n & 1], s->q[n >> 1 & 1]}};
}
VECTOR_INT(shufpd, shuffle_2q, 16, 2);

static inline void permute_4(Xmm *d, const Xmm *s, unsigned n, FloatEnv *e)
{
    *d = (Xmm){.d = {s->d[n & 3], s->d[n >> 2 & 3], s->d[n >> 4 & 3], s->d[n >> 6 & 3]}};
}
VECTOR_INT(pshufd, permute_4, 16, 0);
VEX_FORM(permilps_i, vex_int(cpu, i, permute_4, 16, 0));

static inline void permute_2q(Xmm *d, const Xmm *s, unsigned n, FloatEnv *e)
{
    *d = (Xmm){.q = {s->q[n & 1], s->q[n >> 1 & 1]}};
}
VEX_FORM(permilpd_i, vex_int(cpu, i, permute_2q, 16, 2));

static inline void shuffle_words(Xmm *d, const Xmm *s, unsigned n, unsigned base)
{
    *d = *s;
    for (unsigned k = 0; k < 4; k++) {
        d->w[base + k] = s->w[base + (n >> 2 * k & 3)];
    }
}

static inline void shuffle_low(Xmm *d, const Xmm *s, unsigned n, FloatEnv *e)
{
    shuffle_words(d, s, n, 0);
}
VECTOR_INT(pshuflw, shuffle_low, 16, 0);

static inline void shuffle_high(Xmm *d, const Xmm *s, unsigned n, FloatEnv *e)
{
    shuffle_words(d, s, n, 4);
}
VECTOR_INT(pshufhw, shuffle_high, 16, 0);

/* ---- shuffles by a register: the second operand chooses elements of the first ---- */

static inline void choose_4(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    *d = (Xmm){.d = {d->d[s->d[0] & 3], d->d[s->d[1] & 3], d->d[s->d[2] & 3], d->d[s->d[3] & 3]}};
}
VEX_FORM(permilps, vex_int(cpu, i, choose_4, 16, 0));

static inline void choose_2q(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    *d = (Xmm){.q = {d->q[s->q[0] >> 1 & 1], d->q[s->q[1] >> 1 & 1]}};
}
VEX_FORM(permilpd, vex_int(cpu, i, choose_2q, 16, 0));

/* ---- blends ---- */

static inline void blend_4(Xmm *d, const Xmm *s, unsigned n, FloatEnv *e)
{
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = n >> k & 1 ? s->d[k] : d->d[k];
    }
}
VECTOR_INT(blendps, blend_4, 16, 4);
VEX_FORM(pblendd, vex_int(cpu, i, blend_4, 16, 4));

static inline void blend_2q(Xmm *d, const Xmm *s, unsigned n, FloatEnv *e)
{
    for (unsigned k = 0; k < 2; k++) {
        d->q[k] = n >> k & 1 ? s->q[k] : d->q[k];
    }
}
VECTOR_INT(blendpd, blend_2q, 16, 2);

static inline void blend_8(Xmm *d, const Xmm *s, unsigned n, FloatEnv *e)
{
    for (unsigned k = 0; k < 8; k++) {
        d->w[k] = n >> k & 1 ? s->w[k] : d->w[k];
    }
}
VECTOR_INT(pblendw, blend_8, 16, 0);

/*
 * The variable blends take the top bit of each element of a mask: XMM0, or with VEX the register that bits 7:4 of the
 * immediate name (bit 7 counts in 64-bit mode only).
 */
typedef void SelectOp(Xmm *d, const Xmm *s, const Xmm *mask);

static inline void select_16(Xmm *d, const Xmm *s, const Xmm *mask)
{
    for (unsigned k = 0; k < 16; k++) {
        d->b[k] = mask->sb[k] < 0 ? s->b[k] : d->b[k];
    }
}
static inline void select_4(Xmm *d, const Xmm *s, const Xmm *mask)
{
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = mask->sd[k] < 0 ? s->d[k] : d->d[k];
    }
}
static inline void select_2q(Xmm *d, const Xmm *s, const Xmm *mask)
{
    for (unsigned k = 0; k < 2; k++) {
        d->q[k] = mask->sq[k] < 0 ? s->q[k] : d->q[k];
    }
}

VECTOR_INLINE void legacy_select(X86Cpu *cpu, const Insn *i, SelectOp *op)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), mask = *xmm(cpu, 0), d = *xmm(cpu, i->reg);
    op(&d, &s, &mask);
    *xmm(cpu, i->reg) = d;
}

VECTOR_INLINE void vex_select(X86Cpu *cpu, const Insn *i, SelectOp *op)
{
    avx_enter(cpu);
    unsigned lanes = i->vl + 1u, mask = i->imm >> 4 & (cpu->code64 ? 15 : 7);
    Xmm s[2], d[2];
    vex_rm(cpu, i, s, 16 * lanes);
    memcpy(d, cpu->v[i->vvvv].b, sizeof(d));
    for (unsigned k = 0; k < lanes; k++) {
        op(&d[k], &s[k], ymm(cpu, mask, k));
    }
    ymm_set(cpu, i->reg, d, lanes);
}
VECTOR_FORMS(pblendvb, legacy_select(cpu, i, select_16), vex_select(cpu, i, select_16));
VECTOR_FORMS(blendvps, legacy_select(cpu, i, select_4), vex_select(cpu, i, select_4));
VECTOR_FORMS(blendvpd, legacy_select(cpu, i, select_2q), vex_select(cpu, i, select_2q));

/* ---- one element in ---- */

/* Where it comes from; which element and what else happens is in the immediate. */
typedef void InsertFn(X86Cpu *cpu, const Insn *i, Xmm *d);

static inline void insert_b(X86Cpu *cpu, const Insn *i, Xmm *d)
{
    d->b[i->imm & 15] = in_memory(i) ? mem_read8(cpu, i->seg, insn_ea(cpu, i)) : (uint8_t)cpu->r[i->rm];
}
static inline void insert_w(X86Cpu *cpu, const Insn *i, Xmm *d)
{
    d->w[i->imm & 7] = in_memory(i) ? mem_read16(cpu, i->seg, insn_ea(cpu, i)) : (uint16_t)cpu->r[i->rm];
}
/* PINSRD, PINSRQ by REX.W; likewise PEXTRD, PEXTRQ. */
static inline void insert_y(X86Cpu *cpu, const Insn *i, Xmm *d)
{
    uint64_t v = sse_gpr_rm(cpu, i);
    if (i->osize == 3) {
        d->q[i->imm & 1] = v;
    } else {
        d->d[i->imm & 3] = (uint32_t)v;
    }
}
/* Immediate: 7:6 source element (not used for memory), 5:4 destination element, 3:0 elements to clear. */
static inline void insert_ps(X86Cpu *cpu, const Insn *i, Xmm *d)
{
    d->d[i->imm >> 4 & 3] =
        in_memory(i) ? mem_read32(cpu, i->seg, insn_ea(cpu, i)) : cpu->v[i->rm].d[i->imm >> 6 & 3];
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = i->imm >> k & 1 ? 0 : d->d[k];
    }
}

VECTOR_INLINE void legacy_insert(X86Cpu *cpu, const Insn *i, InsertFn *insert)
{
    sse_enter(cpu);
    Xmm d = *xmm(cpu, i->reg);
    insert(cpu, i, &d);
    *xmm(cpu, i->reg) = d;
}
VECTOR_INLINE void vex_insert(X86Cpu *cpu, const Insn *i, InsertFn *insert)
{
    avx_enter(cpu);
    Xmm d = *xmm(cpu, i->vvvv);
    insert(cpu, i, &d);
    ymm_set(cpu, i->reg, &d, 1);
}
#define INSERT(name, fn) VECTOR_FORMS(name, legacy_insert(cpu, i, fn), vex_insert(cpu, i, fn))
INSERT(pinsrb, insert_b);
INSERT(pinsrw, insert_w);
INSERT(pinsrd, insert_y);
INSERT(insertps, insert_ps);

/* ---- one element out ---- */

static inline void extract_b(X86Cpu *cpu, const Insn *i)
{
    uint8_t v = cpu->v[i->reg].b[i->imm & 15];
    if (in_memory(i)) {
        mem_write8(cpu, i->seg, insn_ea(cpu, i), v);
    } else {
        reg32_set(cpu, i->rm, v);
    }
}
BOTH_FORMS(pextrb, extract_b(cpu, i));

/* 0F C5: from ModRM.rm to ModRM.reg; 0F 3A 15, with a memory form: the other way round. */
BOTH_FORMS(pextrw_g_u, reg32_set(cpu, i->reg, cpu->v[i->rm].w[i->imm & 7]));

static inline void extract_w(X86Cpu *cpu, const Insn *i)
{
    uint16_t v = cpu->v[i->reg].w[i->imm & 7];
    if (in_memory(i)) {
        mem_write16(cpu, i->seg, insn_ea(cpu, i), v);
    } else {
        reg32_set(cpu, i->rm, v);
    }
}
BOTH_FORMS(pextrw_e_v, extract_w(cpu, i));

static inline void extract_y(X86Cpu *cpu, const Insn *i)
{
    bool wide = i->osize == 3;
    uint64_t v = wide ? cpu->v[i->reg].q[i->imm & 1] : cpu->v[i->reg].d[i->imm & 3];
    if (!in_memory(i)) {
        cpu->r[i->rm] = v;
    } else if (wide) {
        mem_write64(cpu, i->seg, insn_ea(cpu, i), v);
    } else {
        mem_write32(cpu, i->seg, insn_ea(cpu, i), (uint32_t)v);
    }
}
BOTH_FORMS(pextrd, extract_y(cpu, i));

static inline void extract_ps(X86Cpu *cpu, const Insn *i)
{
    uint32_t v = cpu->v[i->reg].d[i->imm & 3];
    if (in_memory(i)) {
        mem_write32(cpu, i->seg, insn_ea(cpu, i), v);
    } else {
        reg32_set(cpu, i->rm, v);
    }
}
BOTH_FORMS(extractps, extract_ps(cpu, i));

/* ---- widening: 8, 4 or 2 bytes of the source for each lane ---- */

#define WIDEN(name, FROM, TO)                                                                                          \
    static inline void widen_##name(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)                                   \
    {                                                                                                                  \
        enum { COUNT = sizeof(Xmm) / sizeof(TO) };                                                                     \
        FROM from[COUNT];                                                                                              \
        TO to[COUNT];                                                                                                  \
        memcpy(from, s, sizeof(from));                                                                                 \
        for (unsigned k = 0; k < COUNT; k++) {                                                                         \
            to[k] = from[k];                                                                                           \
        }                                                                                                              \
        memcpy(d, to, sizeof(to));                                                                                     \
    }                                                                                                                  \
    VECTOR_INT(name, widen_##name, sizeof(Xmm) / sizeof(TO) * sizeof(FROM), 0)
WIDEN(pmovsxbw, int8_t, int16_t);
WIDEN(pmovsxbd, int8_t, int32_t);
WIDEN(pmovsxbq, int8_t, int64_t);
WIDEN(pmovsxwd, int16_t, int32_t);
WIDEN(pmovsxwq, int16_t, int64_t);
WIDEN(pmovsxdq, int32_t, int64_t);
WIDEN(pmovzxbw, uint8_t, uint16_t);
WIDEN(pmovzxbd, uint8_t, uint32_t);
WIDEN(pmovzxbq, uint8_t, uint64_t);
WIDEN(pmovzxwd, uint16_t, uint32_t);
WIDEN(pmovzxwq, uint16_t, uint64_t);
WIDEN(pmovzxdq, uint32_t, uint64_t);
