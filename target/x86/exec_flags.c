/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions on EFLAGS.IF and the whole of EFLAGS, software interrupts, HLT.
 * Spec: Intel SDM vol 2 CLI, STI, PUSHF, POPF, INT n, HLT, CLAC, STAC; vol 3 sections 20.3 and 20.4 (VME, PVI).
 */
#include "target/x86/exec.h"

static bool in_v86(const X86Cpu *cpu)
{
    return (cpu->eflags & FL_VM) != 0;
}

static unsigned iopl(const X86Cpu *cpu)
{
    return (cpu->eflags & FL_IOPL) >> FL_IOPL_SHIFT;
}

/* May CLI and STI change IF itself?  Else VIF stands in for it, or #GP (SDM vol 2 table 3-7). */
static bool controls_if(X86Cpu *cpu)
{
    if (cpu->cpl <= iopl(cpu)) { /* CPL is 0 in real mode, 3 in virtual-8086 mode */
        return true;
    }
    bool virtual_if = in_v86(cpu) ? (cpu->cr4 & CR4_VME) != 0 : cpu->cpl == 3 && (cpu->cr4 & CR4_PVI);
    if (!virtual_if) {
        cpu_raise_gp0(cpu);
    }
    return false;
}

static void do_cli(X86Cpu *cpu, const Insn *i)
{
    cpu_load_eflags(cpu, 0, controls_if(cpu) ? FL_IF : FL_VIF);
}

static void do_sti(X86Cpu *cpu, const Insn *i)
{
    if (!controls_if(cpu)) {
        if (cpu->eflags & FL_VIP) {
            cpu_raise_gp0(cpu);
        }
        cpu_load_eflags(cpu, FL_VIF, FL_VIF);
        return;
    }
    if (!(cpu->eflags & FL_IF)) {
        cpu_load_eflags(cpu, FL_IF, FL_IF);
        cpu->shadow = SHADOW_STI;
        cpu->break_block = true;
    }
}

/* ---- PUSHF, POPF ---- */

static void do_pushf(X86Cpu *cpu, const Insn *i)
{
    uint32_t flags = cpu_eflags(cpu);
    if (in_v86(cpu) && iopl(cpu) < 3) {
        if (!(cpu->cr4 & CR4_VME) || i->osize != 1) {
            cpu_raise_gp0(cpu);
        }
        flags = (flags & ~(uint32_t)FL_IF) | FL_IOPL | (flags & FL_VIF ? FL_IF : 0);
    }
    push_osize(cpu, i->osize, flags & ~(uint32_t)(FL_VM | FL_RF));
}

#define POPF_ALWAYS (FL_OSZAPC | FL_TF | FL_DF | FL_NT)

static void popf_v86_virtual(X86Cpu *cpu, unsigned osize)
{
    if (!(cpu->cr4 & CR4_VME) || osize != 1) {
        cpu_raise_gp0(cpu);
    }
    uint32_t flags = (uint32_t)stack_peek(cpu, 1, 0);
    if ((flags & FL_TF) || ((flags & FL_IF) && (cpu->eflags & FL_VIP))) {
        cpu_raise_gp0(cpu);
    }
    stack_adjust(cpu, 2);
    cpu_load_eflags(cpu, flags | (flags & FL_IF ? FL_VIF : 0), POPF_ALWAYS | FL_VIF);
}

static void do_popf(X86Cpu *cpu, const Insn *i)
{
    if (in_v86(cpu) && iopl(cpu) < 3) {
        popf_v86_virtual(cpu, i->osize);
        return;
    }
    uint32_t mask = POPF_ALWAYS | (i->osize > 1 ? FL_AC | FL_ID : 0);
    if (cpu->cpl <= iopl(cpu)) {
        mask |= FL_IF;
    }
    if (cpu->cpl == 0) {
        mask |= FL_IOPL;
    }
    uint32_t flags = (uint32_t)stack_peek(cpu, i->osize, 0);
    stack_adjust(cpu, 1 << i->osize);
    cpu_load_eflags(cpu, flags, mask);
    cpu->break_block = true;
}

/* ---- SMAP's AC ---- */

static void set_ac(X86Cpu *cpu, uint32_t ac)
{
    if (cpu->cpl != 0) {
        cpu_raise_ud(cpu);
    }
    cpu_load_eflags(cpu, ac, FL_AC);
}

static void do_clac(X86Cpu *cpu, const Insn *i)
{
    set_ac(cpu, 0);
}

static void do_stac(X86Cpu *cpu, const Insn *i)
{
    set_ac(cpu, FL_AC);
}

/* ---- software interrupts ---- */

static void do_int_n(X86Cpu *cpu, const Insn *i)
{
    cpu_deliver(cpu, i->imm & 0xff, INT_SOFT, false, 0);
}

static void do_int3(X86Cpu *cpu, const Insn *i)
{
    cpu_deliver(cpu, EXC_BP, INT_SOFT_EXC, false, 0);
}

static void do_into(X86Cpu *cpu, const Insn *i)
{
    if (flags_compute(cpu) & FL_OF) {
        cpu_deliver(cpu, EXC_OF, INT_SOFT_EXC, false, 0);
    }
}

static void do_int1(X86Cpu *cpu, const Insn *i)
{
    if (cpu->pending_db) { /* held back by MOV SS: one #DB for both */
        cpu->dr6 = (cpu->dr6 & ~15ull) | cpu->pending_db;
        cpu->pending_db = 0;
    }
    cpu_deliver(cpu, EXC_DB, INT_ICEBP, false, 0);
}

static void do_hlt(X86Cpu *cpu, const Insn *i)
{
    require_cpl0(cpu);
    cpu->halted = true;
    cpu->break_block = true;
}

EXEC_ONE(cli, do_cli);
EXEC_ONE(sti, do_sti);
EXEC_ONE(pushf, do_pushf);
EXEC_ONE(popf, do_popf);
EXEC_ONE(clac, do_clac);
EXEC_ONE(stac, do_stac);
EXEC_ONE(int_n, do_int_n);
EXEC_ONE(int3, do_int3);
EXEC_ONE(into, do_into);
EXEC_ONE(int1, do_int1);
EXEC_ONE(hlt, do_hlt);
