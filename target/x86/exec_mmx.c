/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MMX: the 64-bit integer registers that live in the x87 significands.
 * Spec: Intel SDM vol 1 chapter 9 (9.5.1: effect on TOP and tags), vol 2 for each instruction.
 */
#include "target/x86/lanes.h"
#include "target/x86/sse.h"

static inline uint64_t mmx_reg(const X86Cpu *cpu, unsigned n)
{
    return cpu->fpu.r[n & 7].mant;
}

#define LANE(name)                                                                                                     \
    static void mmx_##name(X86Cpu *cpu, const Insn *i)                                                                 \
    {                                                                                                                  \
        mmx_check(cpu);                                                                                                \
        uint64_t s = mmx_rm(cpu, i), d = mmx_reg(cpu, i->reg);                                                         \
        lane_##name(&d, &s, sizeof(d));                                                                                \
        mmx_set(cpu, i->reg, d);                                                                                       \
    }                                                                                                                  \
    EXEC_ONE(mmx_##name, mmx_##name);
#define LANE_SSE(name)
#define LANE_SHIFT(name) LANE(name)
#include "target/x86/lanes.def"
#undef LANE
#undef LANE_SSE
#undef LANE_SHIFT

#define SHIFT_IMM(name)                                                                                                \
    static void mmx_##name##_i(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                  \
        mmx_check(cpu);                                                                                                \
        uint64_t d = mmx_reg(cpu, i->rm);                                                                              \
        lane_##name(&d, &i->imm, sizeof(d));                                                                           \
        mmx_set(cpu, i->rm, d);                                                                                        \
    }                                                                                                                  \
    EXEC_ONE(mmx_##name##_i, mmx_##name##_i);
SHIFT_IMM(psllw)
SHIFT_IMM(pslld)
SHIFT_IMM(psllq)
SHIFT_IMM(psrlw)
SHIFT_IMM(psrld)
SHIFT_IMM(psrlq)
SHIFT_IMM(psraw)
SHIFT_IMM(psrad)

/* PUNPCKLxx mm, mm/m32: only four bytes are read. */
#define UNPACK_LOW(name)                                                                                               \
    static void mmx_##name##_low(X86Cpu *cpu, const Insn *i)                                                           \
    {                                                                                                                  \
        mmx_check(cpu);                                                                                                \
        uint64_t s = in_memory(i) ? mem_read32(cpu, i->seg, insn_ea(cpu, i)) : mmx_reg(cpu, i->rm);                    \
        uint64_t d = mmx_reg(cpu, i->reg);                                                                             \
        lane_##name(&d, &s, sizeof(d));                                                                                \
        mmx_set(cpu, i->reg, d);                                                                                       \
    }                                                                                                                  \
    EXEC_ONE(mmx_##name##_low, mmx_##name##_low);
UNPACK_LOW(punpcklbw)
UNPACK_LOW(punpcklwd)
UNPACK_LOW(punpckldq)

static void mmx_emms(X86Cpu *cpu, const Insn *i)
{
    mmx_check(cpu);
    mmx_touch(cpu); /* QUIRK: AMD's EMMS clears TOP, as the other MMX instructions do */
    cpu->fpu.empty = 0xff;
}
EXEC_ONE(emms, mmx_emms);

/* ---- moves ---- */

static void movd_p_e(X86Cpu *cpu, const Insn *i)
{
    mmx_check(cpu);
    mmx_set(cpu, i->reg, sse_gpr_rm(cpu, i));
}
EXEC_ONE(movd_p_e, movd_p_e);

static void movd_e_p(X86Cpu *cpu, const Insn *i)
{
    mmx_check(cpu);
    uint64_t v = mmx_reg(cpu, i->reg);
    if (in_memory(i)) {
        if (i->osize == 3) {
            mem_write64(cpu, i->seg, insn_ea(cpu, i), v);
        } else {
            mem_write32(cpu, i->seg, insn_ea(cpu, i), (uint32_t)v);
        }
    } else {
        cpu->r[i->rm] = i->osize == 3 ? v : (uint32_t)v;
    }
    mmx_touch(cpu);
}
EXEC_ONE(movd_e_p, movd_e_p);

static void movq_p_q(X86Cpu *cpu, const Insn *i)
{
    mmx_check(cpu);
    mmx_set(cpu, i->reg, mmx_rm(cpu, i));
}
EXEC_ONE(movq_p_q, movq_p_q);

/* MOVQ and MOVNTQ stores. */
static void movq_q_p(X86Cpu *cpu, const Insn *i)
{
    mmx_check(cpu);
    uint64_t v = mmx_reg(cpu, i->reg);
    if (in_memory(i)) {
        mem_write64(cpu, i->seg, insn_ea(cpu, i), v);
        mmx_touch(cpu);
    } else {
        mmx_set(cpu, i->rm, v);
    }
}
EXEC_ONE(movq_q_p, movq_q_p);

static void sse_enter_mmx(X86Cpu *cpu)
{
    sse_enter(cpu);
    mmx_check(cpu);
}

static void movq2dq(X86Cpu *cpu, const Insn *i)
{
    sse_enter_mmx(cpu);
    *xmm(cpu, i->reg) = (Xmm){.q = {mmx_reg(cpu, i->rm), 0}};
    mmx_touch(cpu);
}
EXEC_ONE(movq2dq, movq2dq);

static void movdq2q(X86Cpu *cpu, const Insn *i)
{
    sse_enter_mmx(cpu);
    mmx_set(cpu, i->reg, cpu->v[i->rm].q[0]);
}
EXEC_ONE(movdq2q, movdq2q);

/* Only bytes whose mask bit is set are touched; they may fault one by one, so all are probed first. */
static void mmx_maskmovq(X86Cpu *cpu, const Insn *i)
{
    mmx_check(cpu);
    uint64_t v = mmx_reg(cpu, i->reg), mask = mmx_reg(cpu, i->rm);
    mmx_touch(cpu); /* before the store faults, as on Zen */
    sse_masked_store(cpu, i, &v, lane_movmask(&mask, sizeof(mask)), sizeof(v));
}
EXEC_ONE(maskmovq, mmx_maskmovq);

/* ---- shuffles ---- */

static void mmx_pshufw(X86Cpu *cpu, const Insn *i)
{
    mmx_check(cpu);
    uint64_t s = mmx_rm(cpu, i), d = 0;
    for (unsigned k = 0; k < 4; k++) {
        d |= (s >> 16 * (i->imm >> 2 * k & 3) & 0xffff) << 16 * k;
    }
    mmx_set(cpu, i->reg, d);
}
EXEC_ONE(pshufw, mmx_pshufw);

static void mmx_palignr(X86Cpu *cpu, const Insn *i)
{
    mmx_check(cpu);
    uint64_t s = mmx_rm(cpu, i), d = mmx_reg(cpu, i->reg);
    lane_palignr(&d, &s, sizeof(d), (unsigned)i->imm);
    mmx_set(cpu, i->reg, d);
}
EXEC_ONE(mmx_palignr, mmx_palignr);

static void mmx_pinsrw(X86Cpu *cpu, const Insn *i)
{
    mmx_check(cpu);
    uint64_t v = in_memory(i) ? mem_read16(cpu, i->seg, insn_ea(cpu, i)) : (uint16_t)cpu->r[i->rm];
    unsigned at = 16 * (i->imm & 3);
    mmx_set(cpu, i->reg, (mmx_reg(cpu, i->reg) & ~(0xffffull << at)) | v << at);
}
EXEC_ONE(mmx_pinsrw, mmx_pinsrw);

static void mmx_pextrw(X86Cpu *cpu, const Insn *i)
{
    mmx_check(cpu);
    reg32_set(cpu, i->reg, mmx_reg(cpu, i->rm) >> 16 * (i->imm & 3) & 0xffff);
    mmx_touch(cpu);
}
EXEC_ONE(mmx_pextrw, mmx_pextrw);

static void mmx_pmovmskb(X86Cpu *cpu, const Insn *i)
{
    mmx_check(cpu);
    uint64_t s = mmx_reg(cpu, i->rm);
    reg32_set(cpu, i->reg, lane_movmask(&s, sizeof(s)));
    mmx_touch(cpu);
}
EXEC_ONE(mmx_pmovmskb, mmx_pmovmskb);

/* ---- conversions between MMX and XMM registers ---- */

/*
 * QUIRK: with a memory operand AMD leaves the x87 state alone for both CVTPI2PS and CVTPI2PD; and where the state changes
 * to MMX, it does so even if the conversion then raises #XM.
 */
static uint64_t enter_convert(X86Cpu *cpu, const Insn *i)
{
    if (in_memory(i)) {
        sse_enter(cpu);
        return mmx_rm(cpu, i);
    }
    sse_enter_mmx(cpu);
    mmx_touch(cpu);
    return mmx_reg(cpu, i->rm);
}

static void cvtpi2ps(X86Cpu *cpu, const Insn *i)
{
    uint64_t s = enter_convert(cpu, i);
    FloatEnv e = sse_env(cpu);
    uint64_t lo = f32_from_i32((int32_t)s, &e), hi = f32_from_i32((int32_t)(s >> 32), &e);
    sse_finish(cpu, &e);
    cpu->v[i->reg].q[0] = lo | hi << 32;
}
EXEC_ONE(cvtpi2ps, cvtpi2ps);

static void cvtpi2pd(X86Cpu *cpu, const Insn *i)
{
    uint64_t s = enter_convert(cpu, i);
    FloatEnv e = sse_env(cpu); /* exact */
    *xmm(cpu, i->reg) = (Xmm){.q = {f64_from_i32((int32_t)s, &e), f64_from_i32((int32_t)(s >> 32), &e)}};
}
EXEC_ONE(cvtpi2pd, cvtpi2pd);

static void convert_ps2pi(X86Cpu *cpu, const Insn *i, bool truncate)
{
    sse_enter_mmx(cpu);
    uint64_t s = sse_rm64(cpu, i);
    mmx_touch(cpu);
    FloatEnv e = sse_env(cpu);
    unsigned mode = truncate ? ROUND_ZERO : e.round;
    uint64_t lo = (uint32_t)f32_to_i32((f32)s, mode, &e), hi = (uint32_t)f32_to_i32((f32)(s >> 32), mode, &e);
    sse_finish(cpu, &e);
    mmx_set(cpu, i->reg, lo | hi << 32);
}

static void convert_pd2pi(X86Cpu *cpu, const Insn *i, bool truncate)
{
    sse_enter_mmx(cpu);
    Xmm s = sse_rm(cpu, i);
    mmx_touch(cpu);
    FloatEnv e = sse_env(cpu);
    unsigned mode = truncate ? ROUND_ZERO : e.round;
    uint64_t lo = (uint32_t)f64_to_i32(s.q[0], mode, &e), hi = (uint32_t)f64_to_i32(s.q[1], mode, &e);
    sse_finish(cpu, &e);
    mmx_set(cpu, i->reg, lo | hi << 32);
}

static void cvtps2pi(X86Cpu *cpu, const Insn *i)
{
    convert_ps2pi(cpu, i, false);
}
EXEC_ONE(cvtps2pi, cvtps2pi);

static void cvttps2pi(X86Cpu *cpu, const Insn *i)
{
    convert_ps2pi(cpu, i, true);
}
EXEC_ONE(cvttps2pi, cvttps2pi);

static void cvtpd2pi(X86Cpu *cpu, const Insn *i)
{
    convert_pd2pi(cpu, i, false);
}
EXEC_ONE(cvtpd2pi, cvtpd2pi);

static void cvttpd2pi(X86Cpu *cpu, const Insn *i)
{
    convert_pd2pi(cpu, i, true);
}
EXEC_ONE(cvttpd2pi, cvttpd2pi);
