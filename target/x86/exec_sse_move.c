/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves of vector registers, legacy and VEX forms, non-temporal stores, fences and cache line operations.
 * Spec: Intel SDM vol 1, 10.4.1.1, 10.4.6, 11.4.1.1, 11.4.4, 12.3; vol 2 for each instruction.
 */
#include "target/x86/lanes.h"
#include "target/x86/vector.h"

/* ---- all 16 or 32 bytes ---- */

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

static inline void vex_load(X86Cpu *cpu, const Insn *i, bool aligned)
{
    avx_enter(cpu);
    unsigned lanes = i->vl + 1u;
    Xmm s[2];
    if (aligned && in_memory(i)) {
        sse_require_aligned(cpu, i->seg, insn_ea(cpu, i), 16 * lanes);
    }
    vex_rm(cpu, i, s, 16 * lanes);
    ymm_set(cpu, i->reg, s, lanes);
}

static inline void vex_store(X86Cpu *cpu, const Insn *i, bool aligned)
{
    avx_enter(cpu);
    unsigned lanes = i->vl + 1u;
    Xmm v[2];
    memcpy(v, cpu->v[i->reg].b, sizeof(v));
    if (!in_memory(i)) {
        ymm_set(cpu, i->rm, v, lanes);
        return;
    }
    if (aligned) {
        sse_require_aligned(cpu, i->seg, insn_ea(cpu, i), 16 * lanes);
    }
    mem_write_bytes(cpu, i->seg, insn_ea(cpu, i), v, 16 * lanes);
}
VEX_FORM(movaps_v_w, vex_load(cpu, i, true));
VEX_FORM(movups_v_w, vex_load(cpu, i, false));
VEX_FORM(movaps_w_v, vex_store(cpu, i, true));
VEX_FORM(movups_w_v, vex_store(cpu, i, false));

static void maskmovdqu(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    unsigned mask = lane_movmask(xmm(cpu, i->rm), sizeof(Xmm));
    sse_masked_store(cpu, i, xmm(cpu, i->reg), mask, sizeof(Xmm));
}
EXEC_ONE(maskmovdqu, maskmovdqu);

static void vmaskmovdqu(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    unsigned mask = lane_movmask(xmm(cpu, i->rm), sizeof(Xmm));
    sse_masked_store(cpu, i, xmm(cpu, i->reg), mask, sizeof(Xmm));
}
EXEC_ONE(vmaskmovdqu, vmaskmovdqu);

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

/* The VEX forms between registers take the rest of the lane from VEX.vvvv; loads and stores are two-operand forms. */
static inline void merge_1(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->d[0] = s->d[0];
}
static inline void merge_1q(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->q[0] = s->q[0];
}

/* To ModRM.rm, from ModRM.reg and VEX.vvvv. */
VECTOR_INLINE void merge_store(X86Cpu *cpu, const Insn *i, LaneOp *op)
{
    Xmm d = *xmm(cpu, i->vvvv);
    op(&d, xmm(cpu, i->reg), 0, NULL);
    ymm_set(cpu, i->rm, &d, 1);
}

VECTOR_INLINE void merge_load(X86Cpu *cpu, const Insn *i, LaneOp *op, unsigned src)
{
    avx_enter(cpu);
    Xmm s[2], d = {0};
    vex_rm(cpu, i, s, src);
    if (!in_memory(i)) {
        d = *xmm(cpu, i->vvvv);
    }
    op(&d, s, 0, NULL);
    ymm_set(cpu, i->reg, &d, 1);
}
VEX_FORM(movss_v_w, merge_load(cpu, i, merge_1, 4));
VEX_FORM(movsd_v_w, merge_load(cpu, i, merge_1q, 8));

static void vmovss_w_v(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    if (in_memory(i)) {
        mem_write32(cpu, i->seg, insn_ea(cpu, i), cpu->v[i->reg].d[0]);
    } else {
        merge_store(cpu, i, merge_1);
    }
}
EXEC_ONE(vmovss_w_v, vmovss_w_v);

static void vmovsd_w_v(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    if (in_memory(i)) {
        mem_write64(cpu, i->seg, insn_ea(cpu, i), cpu->v[i->reg].q[0]);
    } else {
        merge_store(cpu, i, merge_1q);
    }
}
EXEC_ONE(vmovsd_w_v, vmovsd_w_v);

/* MOVQ clears the upper half in every form. */
static inline void low_quad(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    *d = (Xmm){.q = {s->q[0]}};
}
VECTOR_INT(movq_v_w, low_quad, 8, 0);

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

static void vmovq_w_v(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    Xmm v = {.q = {cpu->v[i->reg].q[0]}};
    if (in_memory(i)) {
        mem_write64(cpu, i->seg, insn_ea(cpu, i), v.q[0]);
    } else {
        ymm_set(cpu, i->rm, &v, 1);
    }
}
EXEC_ONE(vmovq_w_v, vmovq_w_v);

static void movd_v_e(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    *xmm(cpu, i->reg) = (Xmm){.q = {sse_gpr_rm(cpu, i)}};
}
EXEC_ONE(movd_v_e, movd_v_e);

static void vmovd_v_e(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    Xmm v = {.q = {sse_gpr_rm(cpu, i)}};
    ymm_set(cpu, i->reg, &v, 1);
}
EXEC_ONE(vmovd_v_e, vmovd_v_e);

static inline void low_to_general(X86Cpu *cpu, const Insn *i)
{
    uint64_t v = cpu->v[i->reg].q[0];
    if (!in_memory(i)) {
        cpu->r[i->rm] = i->osize == 3 ? v : (uint32_t)v;
    } else if (i->osize == 3) {
        mem_write64(cpu, i->seg, insn_ea(cpu, i), v);
    } else {
        mem_write32(cpu, i->seg, insn_ea(cpu, i), (uint32_t)v);
    }
}
BOTH_FORMS(movd_e_v, low_to_general(cpu, i));

/* ---- halves ---- */

/* MOVLPS, MOVLPD; the register form of MOVLPS is MOVHLPS: the source's upper half. */
static void movlps_v_m(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    cpu->v[i->reg].q[0] = in_memory(i) ? mem_read64(cpu, i->seg, insn_ea(cpu, i)) : cpu->v[i->rm].q[1];
}
EXEC_ONE(movlps_v_m, movlps_v_m);

static void vmovlps_v_m(X86Cpu *cpu, const Insn *i)
{
    avx_enter(cpu);
    Xmm d = *xmm(cpu, i->vvvv);
    d.q[0] = in_memory(i) ? mem_read64(cpu, i->seg, insn_ea(cpu, i)) : cpu->v[i->rm].q[1];
    ymm_set(cpu, i->reg, &d, 1);
}
EXEC_ONE(vmovlps_v_m, vmovlps_v_m);

/* MOVHPS, MOVHPD; the register form of MOVHPS is MOVLHPS. */
static inline void merge_high(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->q[1] = s->q[0];
}
VECTOR_INT(movhps_v_m, merge_high, 8, 0);

static inline void high_to_memory(X86Cpu *cpu, const Insn *i)
{
    mem_write64(cpu, i->seg, insn_ea(cpu, i), cpu->v[i->reg].q[1]);
}
BOTH_FORMS(movhps_m_v, high_to_memory(cpu, i));

/* ---- duplication ---- */

static inline void duplicate_1q(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    d->q[0] = d->q[1] = s->q[0];
}
/* The 128-bit forms read 8 bytes, the 256-bit form 32. */
VECTOR_FORMS(movddup, legacy_int(cpu, i, duplicate_1q, 8), vex_int(cpu, i, duplicate_1q, i->vl ? 16 : 8, 0));

static inline void duplicate_even(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    *d = (Xmm){.d = {s->d[0], s->d[0], s->d[2], s->d[2]}};
}
VECTOR_INT(movsldup, duplicate_even, 16, 0);

static inline void duplicate_odd(Xmm *d, const Xmm *s, unsigned imm, FloatEnv *e)
{
    *d = (Xmm){.d = {s->d[1], s->d[1], s->d[3], s->d[3]}};
}
VECTOR_INT(movshdup, duplicate_odd, 16, 0);

/* ---- sign masks ---- */

static inline void signs_ps(X86Cpu *cpu, const Insn *i)
{
    uint32_t mask = 0;
    for (unsigned k = 0; k < 4u * (i->vl + 1u); k++) {
        mask |= cpu->v[i->rm].d[k] >> 31 << k;
    }
    reg32_set(cpu, i->reg, mask);
}
BOTH_FORMS(movmskps, signs_ps(cpu, i));

static inline void signs_pd(X86Cpu *cpu, const Insn *i)
{
    uint32_t mask = 0;
    for (unsigned k = 0; k < 2u * (i->vl + 1u); k++) {
        mask |= (uint32_t)(cpu->v[i->rm].q[k] >> 63) << k;
    }
    reg32_set(cpu, i->reg, mask);
}
BOTH_FORMS(movmskpd, signs_pd(cpu, i));

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

/* ---- the upper halves of all registers that the mode has ---- */

static inline void clear_vectors(X86Cpu *cpu, unsigned from)
{
    avx_enter(cpu);
    for (unsigned n = 0; n < (cpu->code64 ? 16 : 8); n++) {
        memset(cpu->v[n].b + from, 0, sizeof(Vec) - from);
    }
}

static void vzeroupper(X86Cpu *cpu, const Insn *i)
{
    clear_vectors(cpu, sizeof(Xmm));
}
EXEC_ONE(vzeroupper, vzeroupper);

static void vzeroall(X86Cpu *cpu, const Insn *i)
{
    clear_vectors(cpu, 0);
}
EXEC_ONE(vzeroall, vzeroall);

/* Caches are always coherent here; what is left is that the byte must be readable (SDM vol 2, CLFLUSH). */
static void clflush(X86Cpu *cpu, const Insn *i)
{
    mem_probe(cpu, i->seg, insn_ea(cpu, i), 1, ACCESS_READ);
}
EXEC_ONE(clflush, clflush);
