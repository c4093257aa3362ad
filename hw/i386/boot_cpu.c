/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processors as firmware leaves them, and the boot processor at a kernel's entry point.
 * Spec: Intel SDM vol 3, 9.8.5 (entering IA-32e mode), 11.11 (MTRRs); Linux Documentation/arch/x86/boot.rst.
 */
#include "hw/i386/boot_cpu.h"

#include "target/x86/cpuid.h"
#include "target/x86/segment.h"

#define MTRR_ENABLE 0xc00ull /* MTRRdefType: all, and the fixed ones */
enum { MTRR_UC = 0, MTRR_WP = 5, MTRR_WB = 6 };
#define MTRR_VALID 0x800ull
#define EIGHT(type) ((type) * 0x0101010101010101ull)

void boot_cpu_set_mtrrs(X86Cpu *cpu)
{
    uint64_t hole = 4 * GIB - PCI_HOLE_BASE;

    /* 64 KiB pieces below 512 KiB, 16 KiB ones below 768 KiB, then 4 KiB ones: table 11-9. */
    cpu->msr.mtrr_fixed[0] = EIGHT(MTRR_WB);
    cpu->msr.mtrr_fixed[1] = EIGHT(MTRR_WB);
    cpu->msr.mtrr_fixed[2] = EIGHT(MTRR_UC);
    for (unsigned n = 3; n < ARRAY_LEN(cpu->msr.mtrr_fixed); n++) {
        cpu->msr.mtrr_fixed[n] = EIGHT(MTRR_WP);
    }
    cpu->msr.mtrr_base[0] = PCI_HOLE_BASE | MTRR_UC;
    cpu->msr.mtrr_mask[0] = (MASK64(cpu->model->phys_bits - 1, 0) & ~(hole - 1)) | MTRR_VALID;
    cpu->msr.mtrr_def_type = MTRR_ENABLE | MTRR_WB;
}

static void load_flat_segments(X86Cpu *cpu, bool long_mode)
{
    uint32_t common = SEG_P | SEG_S | SEG_G | SEG_ACCESSED;
    uint32_t data = common | SEG_DB | SEG_WRITE;

    seg_load_cache(cpu, SEG_CS, 0x10, 0, UINT32_MAX,
                   common | SEG_CODE | SEG_READ | (long_mode ? SEG_L : SEG_DB));
    for (unsigned seg = 0; seg < NUM_SEGS; seg++) {
        if (seg != SEG_CS) {
            seg_load_cache(cpu, seg, 0x18, 0, UINT32_MAX, data);
        }
    }
}

void boot_cpu_enter(X86Cpu *cpu, const BootEntry *entry)
{
    enum { TSS32_BUSY = 11, TSS_LIMIT = 0x67, GDT_LIMIT = 4 * 8 - 1 };
    bool long_mode = entry->mode == BOOT_LONG64;

    cpu->cr0 = CR0_PE | CR0_ET;
    if (long_mode) {
        cpu->cr4 = CR4_PAE;
        cpu->cr3 = entry->cr3;
        cpu->efer = EFER_LME | EFER_LMA;
        cpu->cr0 |= CR0_PG;
    }
    cpu_update_mode(cpu);
    load_flat_segments(cpu, long_mode);
    if (entry->gdt) {
        cpu->gdtr = (TableReg){.base = entry->gdt, .limit = GDT_LIMIT};
    }
    if (entry->tss) {
        cpu->tr = (Segment){.limit = TSS_LIMIT, .attr = SEG_P | TSS32_BUSY};
    }
    for (unsigned n = RAX; n <= R15; n++) {
        cpu->r[n] = 0;
    }
    cpu->r[RAX] = entry->rax;
    cpu->r[RBX] = entry->rbx;
    cpu->r[RSI] = entry->rsi;
    cpu->rip = entry->rip;
    cpu_update_mode(cpu);
}
