/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AVX and AVX2: broadcasts, what moves data between the lanes, shifts by a count per element.
 * Spec: Intel SDM vol 1, 14.1.2, 14.6, 14.7; vol 2 for each instruction.
 */
#include "target/x86/vector.h"

/* ---- broadcasts: one element, or 16 bytes, of memory or the low end of a register ---- */

/* bytes: of the element. */
VECTOR_INLINE void broadcast(X86Cpu *cpu, const Insn *i, unsigned bytes)
{
    avx_enter(cpu);
    unsigned lanes = i->vl + 1u;
    Xmm s[2], d[2];
    if (bytes == 1 && in_memory(i)) {
        s[0].b[0] = mem_read8(cpu, i->seg, insn_ea(cpu, i));
    } else {
        vex_rm(cpu, i, s, bytes);
    }
    for (unsigned at = 0; at < sizeof(d); at += bytes) {
        memcpy((uint8_t *)d + at, s, bytes);
    }
    ymm_set(cpu, i->reg, d, lanes);
}
VEX_FORM(pbroadcastb, broadcast(cpu, i, 1));
VEX_FORM(pbroadcastw, broadcast(cpu, i, 2));
VEX_FORM(pbroadcastd, broadcast(cpu, i, 4)); /* and VBROADCASTSS */
VEX_FORM(pbroadcastq, broadcast(cpu, i, 8)); /* and VBROADCASTSD */
VEX_FORM(broadcast128, broadcast(cpu, i, 16)); /* VBROADCASTF128, VBROADCASTI128 */

/* ---- whole lanes; immediate bit 0 names the lane ---- */

static void vinsert128(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    Xmm s[2], d[2];
    vex_rm(cpu, i, s, 16);
    memcpy(d, cpu->v[i->vvvv].b, sizeof(d));
    d[i->imm & 1] = s[0];
    ymm_set(cpu, i->reg, d, 2);
}
EXEC_ONE(vinsert128, vinsert128); /* VINSERTF128, VINSERTI128 */

static void vextract128(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    Xmm v = *ymm(cpu, i->reg, i->imm & 1);
    if (in_memory(i)) {
        sse_store_unaligned(cpu, i, &v);
    } else {
        ymm_set(cpu, i->rm, &v, 1);
    }
}
EXEC_ONE(vextract128, vextract128); /* VEXTRACTF128, VEXTRACTI128 */

/* Each nibble of the immediate: bit 3 zero, bits 1:0 one of the four lanes of both operands. */
static void vperm2x128(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    Xmm v[4], d[2];
    vex_rm(cpu, i, v + 2, 32);
    memcpy(v, cpu->v[i->vvvv].b, 32);
    for (unsigned k = 0; k < 2; k++) {
        unsigned n = (unsigned)i->imm >> 4 * k & 15;
        d[k] = n & 8 ? (Xmm){0} : v[n & 3];
    }
    ymm_set(cpu, i->reg, d, 2);
}
EXEC_ONE(vperm2x128, vperm2x128); /* VPERM2F128, VPERM2I128 */

/* ---- elements from anywhere in 32 bytes ---- */

/* VPERMQ, VPERMPD: two bits of the immediate for each. */
static void vpermq(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    Xmm s[2], d[2];
    vex_rm(cpu, i, s, 32);
    for (unsigned k = 0; k < 4; k++) {
        unsigned n = (unsigned)i->imm >> 2 * k & 3;
        d[k / 2].q[k & 1] = s[n / 2].q[n & 1];
    }
    ymm_set(cpu, i->reg, d, 2);
}
EXEC_ONE(vpermq, vpermq);

/* VPERMD, VPERMPS: the first operand holds the numbers, the second the elements. */
static void vpermd(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    Xmm s[2], d[2];
    vex_rm(cpu, i, s, 32);
    for (unsigned k = 0; k < 8; k++) {
        unsigned n = cpu->v[i->vvvv].d[k] & 7;
        d[k / 4].d[k & 3] = s[n / 4].d[n & 3];
    }
    ymm_set(cpu, i->reg, d, 2);
}
EXEC_ONE(vpermd, vpermd);

/* ---- shifts: a count for each element ---- */

#define SHIFT_EACH(name, T, field, bits, expr, beyond)                                                                 \
    static inline void shift_##name(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)                                   \
    {                                                                                                                  \
        for (unsigned k = 0; k < 128 / (bits); k++) {                                                                  \
            T a = (T)d->field[k];                                                                                      \
            uint##bits##_t n = s->field[k];                                                                            \
            d->field[k] = (uint##bits##_t)(n < (bits) ? (expr) : (beyond));                                            \
        }                                                                                                              \
    }                                                                                                                  \
    VEX_FORM(name, vex_int(cpu, i, shift_##name, 16, 0))
SHIFT_EACH(psllvd, uint32_t, d, 32, a << n, 0);
SHIFT_EACH(psllvq, uint64_t, q, 64, a << n, 0);
SHIFT_EACH(psrlvd, uint32_t, d, 32, a >> n, 0);
SHIFT_EACH(psrlvq, uint64_t, q, 64, a >> n, 0);
SHIFT_EACH(psravd, int32_t, d, 32, a >> n, a < 0 ? -1 : 0);
