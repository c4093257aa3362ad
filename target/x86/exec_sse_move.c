/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves of XMM registers, non-temporal stores, fences and cache line operations.
 * Spec: Intel SDM vol 1, 10.4.1.1, 10.4.6, 11.4.1.1, 11.4.4, 12.3; vol 2 for each instruction.
 */
#include "target/x86/lanes.h"
#include "target/x86/sse.h"

/* ---- all 16 bytes ---- */

static void movaps_v_w(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    *xmm(cpu, i->reg) = sse_rm(cpu, i);
}
EXEC_ONE(movaps_v_w, movaps_v_w); /* MOVAPS, MOVAPD, MOVDQA, MOVNTDQA */

static void movups_v_w(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    *xmm(cpu, i->reg) = in_memory(i) ? sse_load_unaligned(cpu, i) : *xmm(cpu, i->rm);
}
EXEC_ONE(movups_v_w, movups_v_w); /* MOVUPS, MOVUPD, MOVDQU, LDDQU */

static void movaps_w_v(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    if (in_memory(i)) {
        sse_store(cpu, i, xmm(cpu, i->reg));
    } else {
        *xmm(cpu, i->rm) = *xmm(cpu, i->reg);
    }
}
EXEC_ONE(movaps_w_v, movaps_w_v); /* and MOVNTPS, MOVNTPD, MOVNTDQ */

static void movups_w_v(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    if (in_memory(i)) {
        sse_store_unaligned(cpu, i, xmm(cpu, i->reg));
    } else {
        *xmm(cpu, i->rm) = *xmm(cpu, i->reg);
    }
}
EXEC_ONE(movups_w_v, movups_w_v);

static void maskmovdqu(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    unsigned mask = lane_movmask(xmm(cpu, i->rm), sizeof(Xmm));
    sse_masked_store(cpu, i, xmm(cpu, i->reg), mask, sizeof(Xmm));
}
EXEC_ONE(maskmovdqu, maskmovdqu);

/* ---- scalars: a load clears the rest of the register, a move between registers keeps it ---- */

static void movss_v_w(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    if (in_memory(i)) {
        *xmm(cpu, i->reg) = (Xmm){.d = {mem_read32(cpu, i->seg, insn_ea(cpu, i))}};
    } else {
        cpu->v[i->reg].d[0] = cpu->v[i->rm].d[0];
    }
}
EXEC_ONE(movss_v_w, movss_v_w);

static void movsd_v_w(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    if (in_memory(i)) {
        *xmm(cpu, i->reg) = (Xmm){.q = {mem_read64(cpu, i->seg, insn_ea(cpu, i))}};
    } else {
        cpu->v[i->reg].q[0] = cpu->v[i->rm].q[0];
    }
}
EXEC_ONE(movsd_v_w, movsd_v_w);

static void movss_w_v(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    if (in_memory(i)) {
        mem_write32(cpu, i->seg, insn_ea(cpu, i), cpu->v[i->reg].d[0]);
    } else {
        cpu->v[i->rm].d[0] = cpu->v[i->reg].d[0];
    }
}
EXEC_ONE(movss_w_v, movss_w_v);

static void movsd_w_v(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    if (in_memory(i)) {
        mem_write64(cpu, i->seg, insn_ea(cpu, i), cpu->v[i->reg].q[0]);
    } else {
        cpu->v[i->rm].q[0] = cpu->v[i->reg].q[0];
    }
}
EXEC_ONE(movsd_w_v, movsd_w_v);

/* MOVQ clears the upper half in every form. */
static void movq_v_w(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    *xmm(cpu, i->reg) = (Xmm){.q = {sse_rm64(cpu, i)}};
}
EXEC_ONE(movq_v_w, movq_v_w);

static void movq_w_v(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint64_t v = cpu->v[i->reg].q[0];
    if (in_memory(i)) {
        mem_write64(cpu, i->seg, insn_ea(cpu, i), v);
    } else {
        *xmm(cpu, i->rm) = (Xmm){.q = {v}};
    }
}
EXEC_ONE(movq_w_v, movq_w_v);

static void movd_v_e(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    *xmm(cpu, i->reg) = (Xmm){.q = {sse_gpr_rm(cpu, i)}};
}
EXEC_ONE(movd_v_e, movd_v_e);

static void movd_e_v(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint64_t v = cpu->v[i->reg].q[0];
    if (!in_memory(i)) {
        cpu->r[i->rm] = i->osize == 3 ? v : (uint32_t)v;
    } else if (i->osize == 3) {
        mem_write64(cpu, i->seg, insn_ea(cpu, i), v);
    } else {
        mem_write32(cpu, i->seg, insn_ea(cpu, i), (uint32_t)v);
    }
}
EXEC_ONE(movd_e_v, movd_e_v);

/* ---- halves ---- */

/* MOVLPS, MOVLPD; the register form of MOVLPS is MOVHLPS: the source's upper half. */
static void movlps_v_m(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    cpu->v[i->reg].q[0] = in_memory(i) ? mem_read64(cpu, i->seg, insn_ea(cpu, i)) : cpu->v[i->rm].q[1];
}
EXEC_ONE(movlps_v_m, movlps_v_m);

/* MOVHPS, MOVHPD; the register form of MOVHPS is MOVLHPS. */
static void movhps_v_m(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    cpu->v[i->reg].q[1] = sse_rm64(cpu, i);
}
EXEC_ONE(movhps_v_m, movhps_v_m);

static void movhps_m_v(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    mem_write64(cpu, i->seg, insn_ea(cpu, i), cpu->v[i->reg].q[1]);
}
EXEC_ONE(movhps_m_v, movhps_m_v);

/* ---- duplication ---- */

static void movddup(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    uint64_t v = sse_rm64(cpu, i);
    *xmm(cpu, i->reg) = (Xmm){.q = {v, v}};
}
EXEC_ONE(movddup, movddup);

static void movsldup(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i);
    *xmm(cpu, i->reg) = (Xmm){.d = {s.d[0], s.d[0], s.d[2], s.d[2]}};
}
EXEC_ONE(movsldup, movsldup);

static void movshdup(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sse_rm(cpu, i);
    *xmm(cpu, i->reg) = (Xmm){.d = {s.d[1], s.d[1], s.d[3], s.d[3]}};
}
EXEC_ONE(movshdup, movshdup);

/* ---- sign masks ---- */

static void movmskps(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    const uint32_t *d = cpu->v[i->rm].d;
    reg32_set(cpu, i->reg, d[0] >> 31 | d[1] >> 31 << 1 | d[2] >> 31 << 2 | d[3] >> 31 << 3);
}
EXEC_ONE(movmskps, movmskps);

static void movmskpd(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    const uint64_t *q = cpu->v[i->rm].q;
    reg32_set(cpu, i->reg, (uint32_t)(q[0] >> 63 | q[1] >> 63 << 1));
}
EXEC_ONE(movmskpd, movmskpd);

/* ---- general register stores, fences, cache lines: no SSE state needed ---- */

static void movnti(X86Cpu *cpu, const Insn *i)
{
    if (i->osize == 3) {
        mem_write64(cpu, i->seg, insn_ea(cpu, i), cpu->r[i->reg]);
    } else {
        mem_write32(cpu, i->seg, insn_ea(cpu, i), (uint32_t)cpu->r[i->reg]);
    }
}
EXEC_ONE(movnti, movnti);

static void fence(X86Cpu *cpu, const Insn *i)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
EXEC_ONE(fence, fence);

/* Caches are always coherent here; what is left is that the byte must be readable (SDM vol 2, CLFLUSH). */
static void clflush(X86Cpu *cpu, const Insn *i)
{
    mem_probe(cpu, i->seg, insn_ea(cpu, i), 1, ACCESS_READ);
}
EXEC_ONE(clflush, clflush);
