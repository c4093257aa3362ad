/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control registers and EFER: what may be written, and what a write entails.
 * Spec: Intel SDM vol 3 sections 2.5, 4.1, 4.10.4, 9.8.5; vol 2 MOV to/from control registers.
 */
#include "target/x86/cpu.h"

#include "softmmu/core/machine.h"
#include "target/x86/cpuid.h"
#include "target/x86/mem.h"
#include "target/x86/segment.h"

/* ---- PAE page directory pointers ---- */

static bool pae_paging(const X86Cpu *cpu, uint64_t cr0, uint64_t cr4)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(cpu->efer & EFER_LME);
}

/* SDM vol 3 section 4.4.1: loaded with CR3, and a reserved bit in a present one is #GP. */
static void load_pdptes(X86Cpu *cpu, uint64_t cr3)
{
    uint64_t pdpte[4];
    gpa_t table = cr3 & 0xffffffe0;
    uint64_t reserved = MASK64(63, cpu->model->phys_bits) | MASK64(8, 5) | MASK64(2, 1);
    for (unsigned n = 0; n < 4; n++) {
        pdpte[n] = space_read(cpu->machine->memory, (table + n * 8) & cpu->a20_mask, 8);
        if ((pdpte[n] & 1) && (pdpte[n] & reserved)) {
            cpu_raise_gp0(cpu);
        }
    }
    memcpy(cpu->pdpte, pdpte, sizeof(pdpte));
}

/* ---- CR0 ---- */

static void check_cr0(X86Cpu *cpu, uint64_t value)
{
    bool bad = value >> 32 || ((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD));
    bool paging_on = (value & CR0_PG) && !(cpu->cr0 & CR0_PG);
    bool paging_off = !(value & CR0_PG) && (cpu->cr0 & CR0_PG);
    if (paging_on && (cpu->efer & EFER_LME)) {
        bool tss16 = !(cpu->tr.attr & SEG_UNUSABLE) && (cpu->tr.attr & SEG_TYPE) < DESC_TSS32;
        bad |= !(cpu->cr4 & CR4_PAE) || (cpu->seg[SEG_CS].attr & SEG_L) || tss16;
    }
    if (paging_off) {
        bad |= cpu->code64 || (cpu->cr4 & CR4_PCIDE);
    }
    if (bad) {
        cpu_raise_gp0(cpu);
    }
}

void cpu_write_cr0(X86Cpu *cpu, uint64_t value)
{
    check_cr0(cpu, value);
    value &= CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
    value |= CR0_ET;
    uint64_t changed = value ^ cpu->cr0;
    if ((changed & (CR0_PG | CR0_CD | CR0_NW)) && pae_paging(cpu, value, cpu->cr4)) {
        load_pdptes(cpu, cpu->cr3);
    }
    if (changed & CR0_PG) {
        bool lma = (value & CR0_PG) && (cpu->efer & EFER_LME);
        cpu->efer = (cpu->efer & ~(uint64_t)EFER_LMA) | (lma ? EFER_LMA : 0);
    }
    cpu->cr0 = value;
    if (changed & CR0_PE) {
        for (unsigned s = 0; s < NUM_SEGS; s++) {
            seg_update(cpu, s);
        }
    }
    cpu_update_mode(cpu);
    if (changed & (CR0_PG | CR0_WP | CR0_PE)) {
        tlb_flush_all(cpu);
    }
}

/* ---- CR3 ---- */

void cpu_write_cr3(X86Cpu *cpu, uint64_t value)
{
    bool keep = false;
    if (cpu->long_mode) {
        if (cpu->cr4 & CR4_PCIDE) {
            keep = value >> 63;
            value &= ~(1ull << 63);
        }
        if (value & MASK64(63, cpu->model->phys_bits)) {
            cpu_raise_gp0(cpu);
        }
    } else if (pae_paging(cpu, cpu->cr0, cpu->cr4)) {
        load_pdptes(cpu, value);
    }
    /* The TLB carries no PCIDs, so that only a reload of the same address space can keep it. */
    bool same = keep && value == cpu->cr3;
    cpu->cr3 = value;
    if (!same) {
        tlb_flush_nonglobal(cpu);
    }
}

/* ---- CR4 ---- */

static uint64_t cr4_known(const X86Cpu *cpu)
{
    static const struct {
        Feature feature;
        uint32_t bits;
    } bits[] = {
        {FEAT_NONE, CR4_PCE},        {FEAT_VME, CR4_VME | CR4_PVI}, {FEAT_TSC, CR4_TSD},     {FEAT_DE, CR4_DE},
        {FEAT_PSE, CR4_PSE},         {FEAT_PAE, CR4_PAE},           {FEAT_MCE, CR4_MCE},     {FEAT_PGE, CR4_PGE},
        {FEAT_FXSR, CR4_OSFXSR},     {FEAT_SSE, CR4_OSXMMEXCPT},    {FEAT_UMIP, CR4_UMIP},   {FEAT_SMEP, CR4_SMEP},
        {FEAT_FSGSBASE, CR4_FSGSBASE}, {FEAT_PCID, CR4_PCIDE},      {FEAT_XSAVE, CR4_OSXSAVE}, {FEAT_SMAP, CR4_SMAP},
        {FEAT_PKU, CR4_PKE},         {FEAT_PKS, CR4_PKS},
    };
    uint64_t known = 0;
    for (unsigned n = 0; n < ARRAY_LEN(bits); n++) {
        if (feature_in(&cpu->features, bits[n].feature)) {
            known |= bits[n].bits;
        }
    }
    return known;
}

void cpu_write_cr4(X86Cpu *cpu, uint64_t value)
{
    uint64_t changed = value ^ cpu->cr4;
    uint64_t set = value & changed;
    if ((value & ~cr4_known(cpu)) || (cpu->long_mode && !(value & CR4_PAE)) ||
        ((set & CR4_PCIDE) && (!cpu->long_mode || (cpu->cr3 & 0xfff)))) {
        cpu_raise_gp0(cpu);
    }
    if ((changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) && pae_paging(cpu, cpu->cr0, value)) {
        load_pdptes(cpu, cpu->cr3);
    }
    cpu->cr4 = value;
    if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_PCIDE | CR4_PKE | CR4_PKS)) {
        tlb_flush_all(cpu);
    }
    cpu_update_mode(cpu);
}

/* ---- EFER ---- */

void cpu_write_efer(X86Cpu *cpu, uint64_t value)
{
    uint64_t known = EFER_LMA;
    known |= feature_in(&cpu->features, FEAT_SYSCALL) ? EFER_SCE : 0;
    known |= feature_in(&cpu->features, FEAT_LM) ? EFER_LME : 0;
    known |= feature_in(&cpu->features, FEAT_NX) ? EFER_NXE : 0;
    known |= feature_in(&cpu->features, FEAT_FFXSR) ? EFER_FFXSR : 0;
    if ((value & ~known) || (((value ^ cpu->efer) & EFER_LME) && (cpu->cr0 & CR0_PG))) {
        cpu_raise_gp0(cpu);
    }
    uint64_t changed = value ^ cpu->efer;
    cpu->efer = (value & ~(uint64_t)EFER_LMA) | (cpu->efer & EFER_LMA); /* LMA is the CPU's own */
    if (changed & EFER_NXE) {
        tlb_flush_all(cpu);
    }
    cpu_update_mode(cpu);
}

/* ---- protection keys ---- */

/* The TLB holds what the keys allowed when it was filled. */
static void set_key_rights(X86Cpu *cpu, uint32_t *rights, uint32_t value)
{
    if (*rights != value) {
        *rights = value;
        tlb_flush_all(cpu);
        cpu->break_block = true;
    }
}

void cpu_set_pkru(X86Cpu *cpu, uint32_t value)
{
    set_key_rights(cpu, &cpu->pkru, value);
}

void cpu_set_pkrs(X86Cpu *cpu, uint32_t value)
{
    set_key_rights(cpu, &cpu->pkrs, value);
}
