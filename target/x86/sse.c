/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SSE and AVX availability, 16-byte memory operands and SIMD floating-point exceptions.
 * Spec: Intel SDM vol 3 table 2-2 and 13.1; vol 2 2.4 (AVX); vol 1 10.4.1.1 (alignment), 11.5.3 (unmasked exceptions).
 */
#include "target/x86/vector.h"

void sse_check(X86Cpu *cpu)
{
    if ((cpu->cr0 & CR0_EM) || !(cpu->cr4 & CR4_OSFXSR)) {
        cpu_raise_ud(cpu);
    }
    if (cpu->cr0 & CR0_TS) {
        cpu_raise(cpu, EXC_NM);
    }
}

void avx_check(X86Cpu *cpu)
{
    bool enabled = (cpu->cr4 & CR4_OSXSAVE) && (cpu->xcr0 & 6) == 6;
    if (!enabled || !cpu->protected_mode) {
        cpu_raise_ud(cpu);
    }
    if (cpu->cr0 & CR0_TS) {
        cpu_raise(cpu, EXC_NM);
    }
}

/*
 * QUIRK: exceptions found before the computation (invalid, denormal, divide by zero) are collected over all lanes; if
 * one of them is unmasked, nothing is computed and the flags of overflow, underflow and inexact stay as they are.
 */
void sse_raise(X86Cpu *cpu, const FloatEnv *e)
{
    const unsigned before = FX_INVALID | FX_DENORMAL | FX_DIVZERO;
    bool blocked = e->flags & ~e->masks & before;

    cpu->mxcsr |= blocked ? e->flags & before : e->flags;
    if (!(cpu->cr4 & CR4_OSXMMEXCPT)) {
        cpu_raise_ud(cpu);
    }
    cpu_raise(cpu, EXC_XM);
}

void sse_require_aligned(X86Cpu *cpu, unsigned seg, gva_t off, unsigned align)
{
    gva_t base = cpu->code64 && seg < SEG_FS ? 0 : cpu->seg[seg].base;
    if (unlikely((base + off) & (align - 1))) {
        cpu_raise_gp0(cpu);
    }
}

static gva_t operand_linear(X86Cpu *cpu, const Insn *i, Access access, bool aligned)
{
    gva_t ea = insn_ea(cpu, i);
    if (aligned) {
        sse_require_aligned(cpu, i->seg, ea, 16);
    }
    return seg_linear(cpu, i->seg, ea, 16, access);
}

/* All 16 bytes lie in one page, so only the first half can fault. */
static Xmm load_in_page(X86Cpu *cpu, gva_t lin, unsigned seg)
{
    Xmm v;
    v.q[0] = lin_read64(cpu, lin, seg);
    v.q[1] = lin_read64(cpu, lin + 8, seg);
    return v;
}

static void store_in_page(X86Cpu *cpu, gva_t lin, unsigned seg, const Xmm *v)
{
    lin_write64(cpu, lin, v->q[0], seg);
    lin_write64(cpu, lin + 8, v->q[1], seg);
}

static bool crosses_page(gva_t lin)
{
    return (lin & 0xfff) > 0x1000 - 16;
}

Xmm sse_load(X86Cpu *cpu, const Insn *i)
{
    return load_in_page(cpu, operand_linear(cpu, i, ACCESS_READ, true), i->seg);
}

Xmm sse_load_unaligned(X86Cpu *cpu, const Insn *i)
{
    gva_t lin = operand_linear(cpu, i, ACCESS_READ, false);
    if (unlikely(crosses_page(lin))) {
        Xmm v;
        mem_read_bytes(cpu, i->seg, insn_ea(cpu, i), &v, sizeof(v));
        return v;
    }
    return load_in_page(cpu, lin, i->seg);
}

void sse_store(X86Cpu *cpu, const Insn *i, const Xmm *v)
{
    store_in_page(cpu, operand_linear(cpu, i, ACCESS_WRITE, true), i->seg, v);
}

void sse_store_unaligned(X86Cpu *cpu, const Insn *i, const Xmm *v)
{
    gva_t lin = operand_linear(cpu, i, ACCESS_WRITE, false);
    if (unlikely(crosses_page(lin))) {
        mem_write_bytes(cpu, i->seg, insn_ea(cpu, i), v, sizeof(*v));
        return;
    }
    store_in_page(cpu, lin, i->seg, v);
}

void sse_masked_store(X86Cpu *cpu, const Insn *i, const void *bytes, unsigned mask, unsigned size)
{
    const uint8_t *v = bytes;
    unsigned seg = i->seg_override != 0xff ? i->seg_override : SEG_DS;

    for (unsigned k = 0; k < size; k += 8) {
        mem_probe(cpu, seg, (cpu->r[RDI] + k) & asize_mask[i->asize], 8, ACCESS_WRITE);
    }
    for (unsigned k = 0; k < size; k++) {
        if (mask >> k & 1) {
            mem_write8(cpu, seg, (cpu->r[RDI] + k) & asize_mask[i->asize], v[k]);
        }
    }
}
