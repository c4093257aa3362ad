/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions on control and debug registers, descriptor table registers and the TLB.
 * Spec: Intel SDM vol 2 MOV (control and debug registers), LMSW, SMSW, CLTS, LGDT, SGDT, INVLPG, INVPCID.
 */
#include "target/x86/exec.h"

#include "softmmu/core/machine.h"
#include "target/x86/debug.h"
#include "target/x86/segment.h"

void require_cpl0(X86Cpu *cpu)
{
    if (cpu->cpl != 0) {
        cpu_raise_gp0(cpu);
    }
}

/* SGDT, SIDT, SLDT, SMSW, STR tell user mode about the kernel unless UMIP forbids it. */
static void check_umip(X86Cpu *cpu)
{
    if (cpu->cpl != 0 && (cpu->cr4 & CR4_UMIP)) {
        cpu_raise_gp0(cpu);
    }
}

/* ---- control registers ---- */

static uint64_t read_cr8(X86Cpu *cpu)
{
    uint64_t value = 0;
    if (cpu->apic) {
        machine_lock(cpu->machine->lock);
        value = cpu->apic->get_tpr(cpu->apic_opaque);
        machine_unlock(cpu->machine->lock);
    }
    return value;
}

static void write_cr8(X86Cpu *cpu, uint64_t value)
{
    if (value > 15) {
        cpu_raise_gp0(cpu);
    }
    if (cpu->apic) {
        machine_lock(cpu->machine->lock);
        cpu->apic->set_tpr(cpu->apic_opaque, (uint8_t)value);
        machine_unlock(cpu->machine->lock);
    }
}

static void check_cr(X86Cpu *cpu, const Insn *i)
{
    bool exists = i->reg == 0 || (i->reg >= 2 && i->reg <= 4) || (i->reg == 8 && cpu->code64);
    if (!exists) {
        cpu_raise_ud(cpu);
    }
    require_cpl0(cpu);
}

static void do_mov_r_cr(X86Cpu *cpu, const Insn *i)
{
    check_cr(cpu, i);
    switch (i->reg) {
    case 0:
        cpu->r[i->rm] = cpu->cr0;
        break;
    case 2:
        cpu->r[i->rm] = cpu->code64 ? cpu->cr2 : (uint32_t)cpu->cr2;
        break;
    case 3:
        cpu->r[i->rm] = cpu->code64 ? cpu->cr3 : (uint32_t)cpu->cr3;
        break;
    case 4:
        cpu->r[i->rm] = cpu->cr4;
        break;
    default:
        cpu->r[i->rm] = read_cr8(cpu);
        break;
    }
}

static void do_mov_cr_r(X86Cpu *cpu, const Insn *i)
{
    uint64_t value = cpu->code64 ? cpu->r[i->rm] : (uint32_t)cpu->r[i->rm];
    check_cr(cpu, i);
    switch (i->reg) {
    case 0:
        cpu_write_cr0(cpu, value);
        break;
    case 2:
        cpu->cr2 = value;
        break;
    case 3:
        cpu_write_cr3(cpu, value);
        break;
    case 4:
        cpu_write_cr4(cpu, value);
        break;
    default:
        write_cr8(cpu, value);
        break;
    }
    cpu->break_block = true;
}

/* LMSW can set PE but not clear it. */
static void do_lmsw(X86Cpu *cpu, const Insn *i)
{
    require_cpl0(cpu);
    uint16_t value = i->flags & INSN_MEM ? mem_read16(cpu, i->seg, insn_ea(cpu, i)) : (uint16_t)cpu->r[i->rm];
    uint64_t keep = ~(uint64_t)(CR0_MP | CR0_EM | CR0_TS);
    cpu_write_cr0(cpu, (cpu->cr0 & keep) | (value & (CR0_PE | CR0_MP | CR0_EM | CR0_TS)));
}

static void do_clts(X86Cpu *cpu, const Insn *i)
{
    require_cpl0(cpu);
    cpu->cr0 &= ~(uint64_t)CR0_TS;
}

/* Store a register of up to 64 bits: the operand size in registers, a word in memory. */
static void store_word(X86Cpu *cpu, const Insn *i, uint64_t value)
{
    if (i->flags & INSN_MEM) {
        mem_write16(cpu, i->seg, insn_ea(cpu, i), (uint16_t)value);
    } else if (i->osize == 1) {
        reg16_set(cpu, i->rm, (uint16_t)value);
    } else {
        cpu->r[i->rm] = i->osize == 2 ? (uint32_t)value : value;
    }
}

static void do_smsw(X86Cpu *cpu, const Insn *i)
{
    check_umip(cpu);
    store_word(cpu, i, cpu->cr0);
}

/* ---- debug registers ---- */

static unsigned check_dr(X86Cpu *cpu, const Insn *i)
{
    unsigned n = i->reg;
    if (n > 7 || ((n == 4 || n == 5) && (cpu->cr4 & CR4_DE))) {
        cpu_raise_ud(cpu);
    }
    require_cpl0(cpu);
    if (cpu->dr7 & DR7_GD) {
        cpu_raise_db(cpu, DR6_BD, false);
    }
    return n == 4 || n == 5 ? n + 2 : n;
}

static void do_mov_r_dr(X86Cpu *cpu, const Insn *i)
{
    unsigned n = check_dr(cpu, i);
    uint64_t value = n < 4 ? cpu->dr[n] : n == 6 ? cpu->dr6 : cpu->dr7;
    cpu->r[i->rm] = cpu->code64 ? value : (uint32_t)value;
}

static void do_mov_dr_r(X86Cpu *cpu, const Insn *i)
{
    uint64_t value = cpu->code64 ? cpu->r[i->rm] : (uint32_t)cpu->r[i->rm];
    unsigned n = check_dr(cpu, i);
    if (n < 4) {
        debug_write_address(cpu, n, value);
        return;
    }
    if (value >> 32) {
        cpu_raise_gp0(cpu);
    }
    if (n == 6) {
        debug_write_dr6(cpu, value);
    } else {
        debug_write_dr7(cpu, value);
    }
}

/* ---- descriptor table registers ---- */

static void store_table(X86Cpu *cpu, const Insn *i, const TableReg *t)
{
    check_umip(cpu);
    gva_t ea = insn_ea(cpu, i);
    uint8_t image[10];
    memcpy(image, &t->limit, 2);
    memcpy(image + 2, &t->base, 8);
    mem_write_bytes(cpu, i->seg, ea, image, cpu->code64 ? 10 : 6);
}

static void load_table(X86Cpu *cpu, const Insn *i, TableReg *t)
{
    require_cpl0(cpu);
    gva_t ea = insn_ea(cpu, i);
    uint16_t limit = mem_read16(cpu, i->seg, ea);
    ea = (ea + 2) & asize_mask[i->asize];
    uint64_t base;
    if (cpu->code64) {
        base = mem_read64(cpu, i->seg, ea);
        if (!is_canonical(cpu, base)) {
            cpu_raise_gp0(cpu);
        }
    } else {
        base = mem_read32(cpu, i->seg, ea);
        base &= i->osize == 1 ? 0xffffff : 0xffffffff; /* 16-bit operand size: 24-bit base, as on the 80286 */
    }
    *t = (TableReg){.base = base, .limit = limit};
}

static void do_sgdt(X86Cpu *cpu, const Insn *i)
{
    store_table(cpu, i, &cpu->gdtr);
}

static void do_sidt(X86Cpu *cpu, const Insn *i)
{
    store_table(cpu, i, &cpu->idtr);
}

static void do_lgdt(X86Cpu *cpu, const Insn *i)
{
    load_table(cpu, i, &cpu->gdtr);
}

static void do_lidt(X86Cpu *cpu, const Insn *i)
{
    load_table(cpu, i, &cpu->idtr);
}

/* The instructions of group 6 exist in protected mode only. */
static void need_protected(X86Cpu *cpu)
{
    if (!cpu->protected_mode) {
        cpu_raise_ud(cpu);
    }
}

static void do_sldt(X86Cpu *cpu, const Insn *i)
{
    need_protected(cpu);
    check_umip(cpu);
    store_word(cpu, i, cpu->ldtr.selector);
}

static void do_str(X86Cpu *cpu, const Insn *i)
{
    need_protected(cpu);
    check_umip(cpu);
    store_word(cpu, i, cpu->tr.selector);
}

static uint16_t load_selector(X86Cpu *cpu, const Insn *i)
{
    return i->flags & INSN_MEM ? mem_read16(cpu, i->seg, insn_ea(cpu, i)) : (uint16_t)cpu->r[i->rm];
}

static void do_lldt(X86Cpu *cpu, const Insn *i)
{
    need_protected(cpu);
    require_cpl0(cpu);
    seg_load_ldtr(cpu, load_selector(cpu, i), EXC_GP, 0);
}

static void do_ltr(X86Cpu *cpu, const Insn *i)
{
    need_protected(cpu);
    require_cpl0(cpu);
    seg_load_tr(cpu, load_selector(cpu, i));
}

/* ---- TLB ---- */

static void do_invlpg(X86Cpu *cpu, const Insn *i)
{
    require_cpl0(cpu);
    gva_t lin = insn_ea(cpu, i);
    if (!cpu->code64) {
        lin = (uint32_t)(lin + cpu->seg[i->seg].base);
    } else if (i->seg >= SEG_FS) {
        lin += cpu->seg[i->seg].base;
    }
    if (is_canonical(cpu, lin)) {
        tlb_flush_page(cpu, lin);
    }
}

static void do_invpcid(X86Cpu *cpu, const Insn *i)
{
    enum { INV_ADDRESS, INV_CONTEXT, INV_ALL_GLOBAL, INV_ALL };
    uint64_t type = cpu->code64 ? cpu->r[i->reg] : (uint32_t)cpu->r[i->reg];
    uint64_t desc[2];
    require_cpl0(cpu);
    mem_read_bytes(cpu, i->seg, insn_ea(cpu, i), desc, sizeof(desc));
    bool pcid_off = !(cpu->cr4 & CR4_PCIDE);
    if (type > INV_ALL || desc[0] >> 12 || (type <= INV_CONTEXT && pcid_off && (desc[0] & 0xfff)) ||
        (type == INV_ADDRESS && !is_canonical(cpu, desc[1]))) {
        cpu_raise_gp0(cpu);
    }
    if (type == INV_ADDRESS) {
        tlb_flush_page(cpu, desc[1]);
    } else if (type == INV_ALL_GLOBAL) {
        tlb_flush_all(cpu);
    } else {
        tlb_flush_nonglobal(cpu);
    }
    cpu->break_block = true;
}

static void do_cache_priv(X86Cpu *cpu, const Insn *i)
{
    require_cpl0(cpu); /* memory is coherent: nothing to write back */
}

EXEC_ONE(mov_r_cr, do_mov_r_cr);
EXEC_ONE(mov_cr_r, do_mov_cr_r);
EXEC_ONE(lmsw, do_lmsw);
EXEC_ONE(clts, do_clts);
EXEC_ONE(smsw, do_smsw);
EXEC_ONE(mov_r_dr, do_mov_r_dr);
EXEC_ONE(mov_dr_r, do_mov_dr_r);
EXEC_ONE(sgdt, do_sgdt);
EXEC_ONE(sidt, do_sidt);
EXEC_ONE(lgdt, do_lgdt);
EXEC_ONE(lidt, do_lidt);
EXEC_ONE(sldt, do_sldt);
EXEC_ONE(str, do_str);
EXEC_ONE(lldt, do_lldt);
EXEC_ONE(ltr, do_ltr);
EXEC_ONE(invlpg, do_invlpg);
EXEC_ONE(invpcid, do_invpcid);
EXEC_ONE(cache_priv, do_cache_priv);
