/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer arithmetic and logic on vector registers, legacy and VEX forms.
 * Spec: Intel SDM vol 1, 11.4.2, 12.7, 12.10, 14.6; vol 2 for each instruction.
 */
#include "target/x86/lanes.h"
#include "target/x86/vector.h"

#define LANE(name)                                                                                                     \
    static inline void op_##name(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)                                      \
    {                                                                                                                  \
        lane_##name(d, s, sizeof(*d));                                                                                 \
    }                                                                                                                  \
    VECTOR_INT(name, op_##name, 16, 0);
#define LANE_SSE(name) LANE(name)

/* ---- shifts: one count for all elements of both lanes, 16 bytes in memory or a register, or an immediate ---- */

VECTOR_INLINE void vex_shift(X86Cpu *cpu, const Insn *i, LaneOp *op)
{
    avx_enter(cpu);
    unsigned lanes = i->vl + 1u;
    Xmm s[2], d[2];
    vex_rm(cpu, i, s, 16);
    memcpy(d, cpu->v[i->vvvv].b, sizeof(d));
    for (unsigned k = 0; k < lanes; k++) {
        op(&d[k], s, 0, NULL);
    }
    ymm_set(cpu, i->reg, d, lanes);
}

/* The destination is VEX.vvvv, the source ModRM.rm. */
VECTOR_INLINE void vex_shift_imm(X86Cpu *cpu, const Insn *i, LaneOp *op)
{
    avx_enter(cpu);
    unsigned lanes = i->vl + 1u;
    Xmm count = {.q = {i->imm}}, d[2];
    memcpy(d, cpu->v[i->rm].b, sizeof(d));
    for (unsigned k = 0; k < lanes; k++) {
        op(&d[k], &count, (unsigned)i->imm, NULL);
    }
    ymm_set(cpu, i->vvvv, d, lanes);
}

VECTOR_INLINE void legacy_shift_imm(X86Cpu *cpu, const Insn *i, LaneOp *op)
{
    sse_enter(cpu);
    Xmm count = {.q = {i->imm}}, d = *xmm(cpu, i->rm);
    op(&d, &count, (unsigned)i->imm, NULL);
    *xmm(cpu, i->rm) = d;
}

#define SHIFT_IMM(name, op) VECTOR_FORMS(name, legacy_shift_imm(cpu, i, op), vex_shift_imm(cpu, i, op));
#define LANE_SHIFT(name)                                                                                               \
    static inline void op_##name(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)                                      \
    {                                                                                                                  \
        lane_##name(d, s, sizeof(*d));                                                                                 \
    }                                                                                                                  \
    VECTOR_FORMS(name, legacy_int(cpu, i, op_##name, 16), vex_shift(cpu, i, op_##name));                               \
    SHIFT_IMM(name##_i, op_##name)

#include "target/x86/lanes.def"
#undef LANE
#undef LANE_SSE
#undef LANE_SHIFT

static inline void shift_bytes_left(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    uint8_t v[32] = {0};
    memcpy(v + 16, d, 16);
    memcpy(d, v + 16 - MIN(imm, 16), 16);
}
SHIFT_IMM(pslldq, shift_bytes_left)

static inline void shift_bytes_right(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    uint8_t v[32] = {0};
    memcpy(v, d, 16);
    memcpy(d, v + MIN(imm, 16), 16);
}
SHIFT_IMM(psrldq, shift_bytes_right)

/* ---- the irregular ones ---- */

static inline void align_right(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    lane_palignr(d, s, sizeof(*d), imm);
}
VECTOR_INT(palignr, align_right, 16, 0);

static void pmovmskb(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    reg32_set(cpu, i->reg, lane_movmask(xmm(cpu, i->rm), sizeof(Xmm)));
}
EXEC_ONE(pmovmskb, pmovmskb);

static void vpmovmskb(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    reg32_set(cpu, i->reg, lane_movmask(xmm(cpu, i->rm), sizeof(Xmm) * (i->vl + 1u)));
}
EXEC_ONE(vpmovmskb, vpmovmskb);

/* Eight sums of four absolute differences: a block of the source against eleven bytes of the destination. */
static inline void sums_of_differences(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    unsigned block = (imm & 3) * 4, start = imm & 4;
    Xmm r;

    for (unsigned k = 0; k < 8; k++) {
        unsigned sum = 0;
        for (unsigned j = 0; j < 4; j++) {
            int diff = d->b[start + k + j] - s->b[block + j];
            sum += (unsigned)(diff < 0 ? -diff : diff);
        }
        r.w[k] = (uint16_t)sum;
    }
    *d = r;
}
VECTOR_INT(mpsadbw, sums_of_differences, 16, 3);

static inline void horizontal_minimum(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    unsigned best = 0;

    for (unsigned k = 1; k < 8; k++) {
        best = s->w[k] < s->w[best] ? k : best;
    }
    *d = (Xmm){.w = {s->w[best], (uint16_t)best}};
}
VECTOR_INT(phminposuw, horizontal_minimum, 16, 0);

/* ---- tests: ZF when s & d is zero, CF when s & ~d is, in the bits of `which` ---- */

static inline void test_bits(X86Cpu *cpu, const Xmm *d, const Xmm *s, uint64_t which, unsigned lanes)
{
    uint64_t both = 0, only_s = 0;
    for (unsigned k = 0; k < lanes; k++) {
        both |= (s[k].q[0] & d[k].q[0]) | (s[k].q[1] & d[k].q[1]);
        only_s |= (s[k].q[0] & ~d[k].q[0]) | (s[k].q[1] & ~d[k].q[1]);
    }
    flags_set(cpu, (both & which ? 0 : FL_ZF) | (only_s & which ? 0 : FL_CF));
}

static void ptest(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i);
    test_bits(cpu, xmm(cpu, i->reg), &s, ~0ull, 1);
}
EXEC_ONE(ptest, ptest);

#define VEX_TEST(name, which)                                                                                          \
    static void name(X86Cpu *cpu, const Insn *i)                                                                       \
    {                                                                                                                  \
        avx_enter(cpu);                                                                                                \
        unsigned lanes = i->vl + 1u;                                                                                   \
        Xmm s[2];                                                                                                      \
        vex_rm(cpu, i, s, 16 * lanes);                                                                                 \
        test_bits(cpu, xmm(cpu, i->reg), s, which, lanes);                                                             \
    }                                                                                                                  \
    EXEC_ONE(name, name)
VEX_TEST(vptest, ~0ull);
VEX_TEST(vtestps, 0x8000000080000000);
VEX_TEST(vtestpd, 0x8000000000000000);
