/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shuffles, blends, insertion, extraction and widening on XMM registers.
 * Spec: Intel SDM vol 1, 10.4.4, 11.4.1.4, 12.10; vol 2 for each instruction.
 */
#include "target/x86/sse.h"

/* ---- shuffles by an immediate ---- */

static void shufps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg);
    unsigned n = (unsigned)i->imm;
    *d = (Xmm){.d = {d->d[n & 3], d->d[n >> 2 & 3], s.d[n >> 4 & 3], s.d[n >> 6 & 3]}};
}
EXEC_ONE(shufps, shufps);

static void shufpd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg);
    *d = (Xmm){.q = {d->q[i->imm & 1], s.q[i->imm >> 1 & 1]}};
}
EXEC_ONE(shufpd, shufpd);

static void pshufd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i);
    unsigned n = (unsigned)i->imm;
    *xmm(cpu, i->reg) = (Xmm){.d = {s.d[n & 3], s.d[n >> 2 & 3], s.d[n >> 4 & 3], s.d[n >> 6 & 3]}};
}
EXEC_ONE(pshufd, pshufd);

static inline void shuffle_words(X86Cpu *cpu, const Insn *i, unsigned base)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), r = s;
    for (unsigned k = 0; k < 4; k++) {
        r.w[base + k] = s.w[base + (i->imm >> 2 * k & 3)];
    }
    *xmm(cpu, i->reg) = r;
}

static void pshuflw(X86Cpu *cpu, const Insn *i)
{
    shuffle_words(cpu, i, 0);
}
EXEC_ONE(pshuflw, pshuflw);

static void pshufhw(X86Cpu *cpu, const Insn *i)
{
    shuffle_words(cpu, i, 4);
}
EXEC_ONE(pshufhw, pshufhw);

/* ---- blends ---- */

static void blendps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg);
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = i->imm >> k & 1 ? s.d[k] : d->d[k];
    }
}
EXEC_ONE(blendps, blendps);

static void blendpd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg);
    for (unsigned k = 0; k < 2; k++) {
        d->q[k] = i->imm >> k & 1 ? s.q[k] : d->q[k];
    }
}
EXEC_ONE(blendpd, blendpd);

static void pblendw(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), *d = xmm(cpu, i->reg);
    for (unsigned k = 0; k < 8; k++) {
        d->w[k] = i->imm >> k & 1 ? s.w[k] : d->w[k];
    }
}
EXEC_ONE(pblendw, pblendw);

/* The variable blends take the top bit of each lane of XMM0. */
static void pblendvb(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), mask = *xmm(cpu, 0), *d = xmm(cpu, i->reg);
    for (unsigned k = 0; k < 16; k++) {
        d->b[k] = mask.sb[k] < 0 ? s.b[k] : d->b[k];
    }
}
EXEC_ONE(pblendvb, pblendvb);

static void blendvps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), mask = *xmm(cpu, 0), *d = xmm(cpu, i->reg);
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = mask.sd[k] < 0 ? s.d[k] : d->d[k];
    }
}
EXEC_ONE(blendvps, blendvps);

static void blendvpd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i), mask = *xmm(cpu, 0), *d = xmm(cpu, i->reg);
    for (unsigned k = 0; k < 2; k++) {
        d->q[k] = mask.sq[k] < 0 ? s.q[k] : d->q[k];
    }
}
EXEC_ONE(blendvpd, blendvpd);

/* ---- one element ---- */

static void pinsrb(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint8_t v = in_memory(i) ? mem_read8(cpu, i->seg, insn_ea(cpu, i)) : (uint8_t)cpu->r[i->rm];
    cpu->v[i->reg].b[i->imm & 15] = v;
}
EXEC_ONE(pinsrb, pinsrb);

static void pinsrw(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint16_t v = in_memory(i) ? mem_read16(cpu, i->seg, insn_ea(cpu, i)) : (uint16_t)cpu->r[i->rm];
    cpu->v[i->reg].w[i->imm & 7] = v;
}
EXEC_ONE(pinsrw, pinsrw);

/* PINSRD, PINSRQ by REX.W; likewise PEXTRD, PEXTRQ. */
static void pinsrd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint64_t v = sse_gpr_rm(cpu, i);
    if (i->osize == 3) {
        cpu->v[i->reg].q[i->imm & 1] = v;
    } else {
        cpu->v[i->reg].d[i->imm & 3] = (uint32_t)v;
    }
}
EXEC_ONE(pinsrd, pinsrd);

static void pextrb(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint8_t v = cpu->v[i->reg].b[i->imm & 15];
    if (in_memory(i)) {
        mem_write8(cpu, i->seg, insn_ea(cpu, i), v);
    } else {
        reg32_set(cpu, i->rm, v);
    }
}
EXEC_ONE(pextrb, pextrb);

/* 0F C5: from ModRM.rm to ModRM.reg; 0F 3A 15, with a memory form: the other way round. */
static void pextrw_g_u(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    reg32_set(cpu, i->reg, cpu->v[i->rm].w[i->imm & 7]);
}
EXEC_ONE(pextrw_g_u, pextrw_g_u);

static void pextrw_e_v(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint16_t v = cpu->v[i->reg].w[i->imm & 7];
    if (in_memory(i)) {
        mem_write16(cpu, i->seg, insn_ea(cpu, i), v);
    } else {
        reg32_set(cpu, i->rm, v);
    }
}
EXEC_ONE(pextrw_e_v, pextrw_e_v);

static void pextrd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
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
EXEC_ONE(pextrd, pextrd);

static void extractps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint32_t v = cpu->v[i->reg].d[i->imm & 3];
    if (in_memory(i)) {
        mem_write32(cpu, i->seg, insn_ea(cpu, i), v);
    } else {
        reg32_set(cpu, i->rm, v);
    }
}
EXEC_ONE(extractps, extractps);

/* Immediate: 7:6 source element (not used for memory), 5:4 destination element, 3:0 elements to clear. */
static void insertps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint32_t v = in_memory(i) ? mem_read32(cpu, i->seg, insn_ea(cpu, i)) : cpu->v[i->rm].d[i->imm >> 6 & 3];
    Xmm *d = xmm(cpu, i->reg);
    d->d[i->imm >> 4 & 3] = v;
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = i->imm >> k & 1 ? 0 : d->d[k];
    }
}
EXEC_ONE(insertps, insertps);

/* ---- widening: 8, 4 or 2 bytes of the source ---- */

static inline uint64_t widen_source(X86Cpu *cpu, const Insn *i, unsigned bytes)
{
    if (!in_memory(i)) {
        return cpu->v[i->rm].q[0];
    }
    gva_t ea = insn_ea(cpu, i);
    return bytes == 8 ? mem_read64(cpu, i->seg, ea)
         : bytes == 4 ? mem_read32(cpu, i->seg, ea) : mem_read16(cpu, i->seg, ea);
}

#define WIDEN(name, FROM, TO)                                                                                          \
    static void name(X86Cpu *cpu, const Insn *i)                                                                       \
    {                                                                                                                  \
        enum { LANES = sizeof(Xmm) / sizeof(TO) };                                                                     \
        sse_enter(cpu);                                                                                                \
        uint64_t s = widen_source(cpu, i, LANES * sizeof(FROM));                                                       \
        FROM from[LANES];                                                                                              \
        TO to[LANES];                                                                                                  \
        memcpy(from, &s, sizeof(from));                                                                                \
        for (unsigned k = 0; k < LANES; k++) {                                                                         \
            to[k] = from[k];                                                                                           \
        }                                                                                                              \
        memcpy(xmm(cpu, i->reg), to, sizeof(to));                                                                      \
    }                                                                                                                  \
    EXEC_ONE(name, name);
WIDEN(pmovsxbw, int8_t, int16_t)
WIDEN(pmovsxbd, int8_t, int32_t)
WIDEN(pmovsxbq, int8_t, int64_t)
WIDEN(pmovsxwd, int16_t, int32_t)
WIDEN(pmovsxwq, int16_t, int64_t)
WIDEN(pmovsxdq, int32_t, int64_t)
WIDEN(pmovzxbw, uint8_t, uint16_t)
WIDEN(pmovzxbd, uint8_t, uint32_t)
WIDEN(pmovzxbq, uint8_t, uint64_t)
WIDEN(pmovzxwd, uint16_t, uint32_t)
WIDEN(pmovzxwq, uint16_t, uint64_t)
WIDEN(pmovzxdq, uint32_t, uint64_t)
