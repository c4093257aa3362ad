/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands between an x87 or MMX instruction and its execution: state kept elsewhere, #UD, #NM, and exceptions left
 * pending.
 * Spec: Intel SDM vol 1 sections 8.3.11, 8.7; vol 3 table 2-2.
 */
#include "target/x86/fpu.h"

#include "target/x86/exec.h"

void x87_check_no_wait(X86Cpu *cpu)
{
    fpu_sync(cpu);
    if (unlikely(cpu->cr0 & (CR0_EM | CR0_TS))) {
        cpu_raise(cpu, EXC_NM);
    }
}

/* SDM vol 1 section 8.7: #MF with CR0.NE; else FERR# asks the board for IRQ 13 and the program goes on. */
static void deliver_pending(X86Cpu *cpu)
{
    if (unlikely(cpu->fpu.sw & FSW_ES)) {
        if (cpu->cr0 & CR0_NE) {
            cpu_raise(cpu, EXC_MF);
        }
        if (cpu->ferr) {
            cpu->ferr(cpu->ferr_opaque);
        }
    }
}

void x87_check(X86Cpu *cpu)
{
    x87_check_no_wait(cpu);
    deliver_pending(cpu);
}

void mmx_check(X86Cpu *cpu)
{
    fpu_sync(cpu);
    if (unlikely(cpu->cr0 & CR0_EM)) {
        cpu_raise_ud(cpu);
    }
    if (unlikely(cpu->cr0 & CR0_TS)) {
        cpu_raise(cpu, EXC_NM);
    }
    deliver_pending(cpu);
}

/* FWAIT: #NM needs TS and MP; EM does not matter (SDM vol 3 table 2-2). */
void x87_check_fwait(X86Cpu *cpu)
{
    fpu_sync(cpu);
    if ((cpu->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) {
        cpu_raise(cpu, EXC_NM);
    }
    deliver_pending(cpu);
}
