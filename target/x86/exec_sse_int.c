/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer arithmetic and logic on XMM registers.
 * Spec: Intel SDM vol 1, 11.4.2, 12.7, 12.10; vol 2 for each instruction.
 */
#include "target/x86/lanes.h"
#include "target/x86/sse.h"

#define LANE(name)                                                                                                     \
    static void sse_##name(X86Cpu *cpu, const Insn *i)                                                                 \
    {                                                                                                                  \
        sse_enter(cpu);                                                                                                \
        Xmm s = sse_rm(cpu, i);                                                                                        \
        lane_##name(xmm(cpu, i->reg), &s, sizeof(s));                                                                  \
    }                                                                                                                  \
    EXEC_ONE(name, sse_##name);
#define LANE_SSE(name) LANE(name)
#include "target/x86/lanes.def"
#undef LANE
#undef LANE_SSE

/* ---- shifts by an immediate: the register is in ModRM.rm ---- */

#define SHIFT_IMM(name)                                                                                                \
    static void sse_##name##_i(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                  \
        sse_enter(cpu);                                                                                                \
        lane_##name(xmm(cpu, i->rm), &i->imm, sizeof(Xmm));                                                            \
    }                                                                                                                  \
    EXEC_ONE(name##_i, sse_##name##_i);
SHIFT_IMM(psllw)
SHIFT_IMM(pslld)
SHIFT_IMM(psllq)
SHIFT_IMM(psrlw)
SHIFT_IMM(psrld)
SHIFT_IMM(psrlq)
SHIFT_IMM(psraw)
SHIFT_IMM(psrad)

static void sse_pslldq(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint8_t v[32] = {0};
    memcpy(v + 16, xmm(cpu, i->rm), 16);
    memcpy(xmm(cpu, i->rm), v + 16 - MIN(i->imm, 16), 16);
}
EXEC_ONE(pslldq, sse_pslldq);

static void sse_psrldq(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint8_t v[32] = {0};
    memcpy(v, xmm(cpu, i->rm), 16);
    memcpy(xmm(cpu, i->rm), v + MIN(i->imm, 16), 16);
}
EXEC_ONE(psrldq, sse_psrldq);

/* ---- the irregular ones ---- */

static void sse_palignr(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i);
    lane_palignr(xmm(cpu, i->reg), &s, sizeof(s), (unsigned)i->imm);
}
EXEC_ONE(palignr, sse_palignr);

static void sse_pmovmskb(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    reg32_set(cpu, i->reg, lane_movmask(xmm(cpu, i->rm), sizeof(Xmm)));
}
EXEC_ONE(pmovmskb, sse_pmovmskb);

/* Eight sums of four absolute differences: a block of the source against eleven bytes of the destination. */
static void sse_mpsadbw(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg), r;
    unsigned block = (i->imm & 3) * 4, start = i->imm & 4;

    for (unsigned k = 0; k < 8; k++) {
        unsigned sum = 0;
        for (unsigned j = 0; j < 4; j++) {
            int diff = d->b[start + k + j] - s.b[block + j];
            sum += (unsigned)(diff < 0 ? -diff : diff);
        }
        r.w[k] = (uint16_t)sum;
    }
    *d = r;
}
EXEC_ONE(mpsadbw, sse_mpsadbw);

static void sse_phminposuw(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i);
    unsigned best = 0;

    for (unsigned k = 1; k < 8; k++) {
        best = s.w[k] < s.w[best] ? k : best;
    }
    *xmm(cpu, i->reg) = (Xmm){.w = {s.w[best], (uint16_t)best}};
}
EXEC_ONE(phminposuw, sse_phminposuw);

static void sse_ptest(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg);
    bool zf = ((s.q[0] & d->q[0]) | (s.q[1] & d->q[1])) == 0;
    bool cf = ((s.q[0] & ~d->q[0]) | (s.q[1] & ~d->q[1])) == 0;

    flags_set(cpu, (zf ? FL_ZF : 0) | (cf ? FL_CF : 0));
}
EXEC_ONE(ptest, sse_ptest);
