/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fast system calls.  Intel's SYSCALL works in 64-bit code only, AMD's in any protected mode; AMD's SYSENTER does not
 * work in long mode, Intel's does.
 * Spec: Intel SDM vol 2 SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS; AMD APM vol 3 the same.
 */
#include "target/x86/exec.h"

#include "target/x86/debug.h"
#include "target/x86/segment.h"

#define SYSRET_FLAGS (FL_ALL & ~(uint32_t)(FL_RF | FL_VM))

/* Base 0, 4 GiB; what seg_update() would find for it. */
static void set_flat(Segment *s, uint16_t sel, uint32_t attr)
{
    *s = (Segment){.selector = sel, .limit = 0xffffffff, .attr = attr, .fast_r = 1ull << 32,
                   .fast_w = attr & SEG_CODE ? 0 : 1ull << 32};
}

/* Flat CS and SS of privilege `dpl`; these instructions never look at the descriptor tables. */
static void load_flat(X86Cpu *cpu, uint16_t cs, uint16_t ss, unsigned dpl, bool long_code)
{
    uint32_t privilege = dpl << SEG_DPL_SHIFT;
    set_flat(&cpu->seg[SEG_CS], (uint16_t)((cs & ~3) | dpl), SEG_FLAT_CODE | privilege | (long_code ? SEG_L : SEG_DB));
    set_flat(&cpu->seg[SEG_SS], (uint16_t)((ss & ~3) | dpl), SEG_FLAT_DATA | privilege);
    cpu_update_mode(cpu);
}

static void check_syscall(X86Cpu *cpu)
{
    if (!(cpu->efer & EFER_SCE) || !cpu->protected_mode || (cpu->intel && !cpu->code64)) {
        cpu_raise_ud(cpu);
    }
}

static void do_syscall(X86Cpu *cpu, const Insn *i)
{
    check_syscall(cpu);
    uint16_t cs = (uint16_t)(cpu->msr.star >> 32);
    if (cpu->long_mode) {
        uint32_t flags = cpu_eflags(cpu) & ~(uint32_t)FL_RF;
        uint64_t target = cpu->code64 ? cpu->msr.lstar : cpu->msr.cstar;
        cpu->r[RCX] = cpu->rip;
        cpu->r[R11] = flags;
        load_flat(cpu, cs, (uint16_t)(cs + 8), 0, true);
        cpu->rip = target;
        cpu_load_eflags(cpu, flags & ~(uint32_t)cpu->msr.fmask, FL_ALL);
    } else {
        cpu->r[RCX] = (uint32_t)cpu->rip;
        load_flat(cpu, cs, (uint16_t)(cs + 8), 0, false);
        cpu->rip = (uint32_t)cpu->msr.star;
        cpu_load_eflags(cpu, 0, FL_IF | FL_VM | FL_RF);
    }
}

static void do_sysret(X86Cpu *cpu, const Insn *i)
{
    check_syscall(cpu);
    require_cpl0(cpu);
    uint16_t base = (uint16_t)(cpu->msr.star >> 48);
    bool to64 = cpu->long_mode && i->osize == 3;
    uint64_t target = to64 ? cpu->r[RCX] : (uint32_t)cpu->r[RCX];
    /* Intel faults here, in ring 0 and on the user's stack; AMD at the first fetch, in ring 3. */
    if (to64 && cpu->intel && !is_canonical(cpu, target)) {
        cpu_raise_gp0(cpu);
    }
    load_flat(cpu, (uint16_t)(to64 ? base + 16 : base), (uint16_t)(base + 8), 3, to64);
    cpu->rip = target;
    if (!cpu->long_mode) {
        cpu_load_eflags(cpu, FL_IF, FL_IF);
        return;
    }
    cpu_load_eflags(cpu, (uint32_t)cpu->r[R11] & SYSRET_FLAGS, FL_ALL);
    if (cpu->eflags & FL_TF) { /* unlike POPF and IRET, SYSRET looks at TF when it ends */
        cpu_raise_db(cpu, DR6_BS, true);
    }
}

static uint16_t check_sysenter(X86Cpu *cpu)
{
    if (cpu->long_mode && !cpu->intel) {
        cpu_raise_ud(cpu);
    }
    uint16_t cs = (uint16_t)cpu->msr.sysenter_cs;
    if (!(cpu->cr0 & CR0_PE) || sel_null(cs)) {
        cpu_raise_gp0(cpu);
    }
    return cs;
}

static void do_sysenter(X86Cpu *cpu, const Insn *i)
{
    uint16_t cs = check_sysenter(cpu);
    bool lm = cpu->long_mode;
    cpu_load_eflags(cpu, 0, FL_VM | FL_IF | FL_RF);
    load_flat(cpu, cs, (uint16_t)(cs + 8), 0, lm);
    cpu->r[RSP] = lm ? cpu->msr.sysenter_esp : (uint32_t)cpu->msr.sysenter_esp;
    cpu->rip = lm ? cpu->msr.sysenter_eip : (uint32_t)cpu->msr.sysenter_eip;
}

static void do_sysexit(X86Cpu *cpu, const Insn *i)
{
    uint16_t cs = check_sysenter(cpu);
    require_cpl0(cpu);
    bool to64 = i->osize == 3;
    uint64_t rip = cpu->r[RDX], rsp = cpu->r[RCX];
    if (!to64) {
        rip = (uint32_t)rip;
        rsp = (uint32_t)rsp;
    } else if (!is_canonical(cpu, rip) || !is_canonical(cpu, rsp)) {
        cpu_raise_gp0(cpu);
    }
    load_flat(cpu, (uint16_t)(cs + (to64 ? 32 : 16)), (uint16_t)(cs + (to64 ? 40 : 24)), 3, to64);
    cpu->rip = rip;
    cpu->r[RSP] = rsp;
}

static void do_swapgs(X86Cpu *cpu, const Insn *i)
{
    require_cpl0(cpu);
    uint64_t base = cpu->seg[SEG_GS].base;
    cpu->seg[SEG_GS].base = cpu->msr.kernel_gs_base;
    cpu->msr.kernel_gs_base = base;
}

EXEC_ONE(syscall, do_syscall);
EXEC_ONE(sysret, do_sysret);
EXEC_ONE(sysenter, do_sysenter);
EXEC_ONE(sysexit, do_sysexit);
EXEC_ONE(swapgs, do_swapgs);
