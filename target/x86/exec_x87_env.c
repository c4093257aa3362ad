/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 control instructions: control and status words, environment and state images, FWAIT.
 * Spec: Intel SDM vol 2 (FLDCW, FNSTCW, FNSTSW, FNCLEX, FNINIT, FLDENV, FNSTENV, FRSTOR, FNSAVE, WAIT).
 */
#include "target/x86/exec_x87.h"

static void fldcw(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    bool masked = fpu_all_masked(&cpu->fpu);
    fpu_set_control(&cpu->fpu, mem_read16(cpu, i->seg, insn_ea(cpu, i)));
    fpu_control_changed(cpu, masked);
}

static void fnstcw(X86Cpu *cpu, const Insn *i)
{
    x87_check_no_wait(cpu);
    mem_write16(cpu, i->seg, insn_ea(cpu, i), cpu->fpu.cw);
}

static void fnstsw_m16(X86Cpu *cpu, const Insn *i)
{
    x87_check_no_wait(cpu);
    mem_write16(cpu, i->seg, insn_ea(cpu, i), fpu_status(&cpu->fpu));
}

static void fnstsw_ax(X86Cpu *cpu, const Insn *i)
{
    x87_check_no_wait(cpu);
    reg16_set(cpu, RAX, fpu_status(&cpu->fpu));
}

static void fnclex(X86Cpu *cpu, const Insn *i)
{
    x87_check_no_wait(cpu);
    cpu->fpu.sw &= (uint16_t)~(FSW_EXCEPTIONS | FSW_SF | FSW_ES | FSW_B);
}

static void fninit(X86Cpu *cpu, const Insn *i)
{
    x87_check_no_wait(cpu);
    bool masked = fpu_all_masked(&cpu->fpu);
    fpu_init(&cpu->fpu);
    fpu_control_changed(cpu, masked);
}

/* FNENI, FNDISI, FNSETPM of older coprocessors. */
static void ignored(X86Cpu *cpu, const Insn *i)
{
    x87_check_no_wait(cpu);
}

static FpuLayout layout(const X86Cpu *cpu, const Insn *i)
{
    return (FpuLayout){.wide = i->osize != 1, .real = !cpu->protected_mode};
}

/*
 * QUIRK: which address CR2 gets when an image crosses into a missing page.  Zen 4 stores the last byte first; it loads
 * the control word's cell, then the last byte.
 */
static void read_image(X86Cpu *cpu, const Insn *i, uint8_t *image, unsigned size)
{
    gva_t ea = insn_ea(cpu, i);
    mem_probe(cpu, i->seg, ea, i->osize == 1 ? 2 : 4, ACCESS_READ);
    mem_probe(cpu, i->seg, ea + size - 1, 1, ACCESS_READ);
    mem_read_bytes(cpu, i->seg, ea, image, size);
}

static void write_image(X86Cpu *cpu, const Insn *i, const uint8_t *image, unsigned size)
{
    gva_t ea = insn_ea(cpu, i);
    mem_probe(cpu, i->seg, ea, i->osize == 1 ? 2 : 4, ACCESS_WRITE);
    mem_probe(cpu, i->seg, ea + size - 1, 1, ACCESS_WRITE);
    mem_write_bytes(cpu, i->seg, ea, image, size);
}

static void fldenv(X86Cpu *cpu, const Insn *i)
{
    uint8_t image[FPU_SAVE_MAX];
    FpuLayout l = layout(cpu, i);
    x87_check(cpu);
    bool masked = fpu_all_masked(&cpu->fpu);
    read_image(cpu, i, image, fpu_env_size(l));
    fpu_load_env(&cpu->fpu, l, image);
    fpu_control_changed(cpu, masked);
}

/* The exceptions are masked after their masks were saved. */
static void fnstenv(X86Cpu *cpu, const Insn *i)
{
    uint8_t image[FPU_SAVE_MAX];
    FpuLayout l = layout(cpu, i);
    x87_check_no_wait(cpu);
    bool masked = fpu_all_masked(&cpu->fpu);
    fpu_store_env(&cpu->fpu, l, image);
    write_image(cpu, i, image, fpu_env_size(l));
    fpu_set_control(&cpu->fpu, cpu->fpu.cw | FSW_EXCEPTIONS);
    fpu_control_changed(cpu, masked);
}

static void frstor(X86Cpu *cpu, const Insn *i)
{
    uint8_t image[FPU_SAVE_MAX];
    FpuLayout l = layout(cpu, i);
    unsigned env = fpu_env_size(l);
    x87_check(cpu);
    bool masked = fpu_all_masked(&cpu->fpu);
    read_image(cpu, i, image, env + 80);
    fpu_load_env(&cpu->fpu, l, image);
    fpu_load_stack(&cpu->fpu, image + env);
    fpu_control_changed(cpu, masked);
}

static void fnsave(X86Cpu *cpu, const Insn *i)
{
    uint8_t image[FPU_SAVE_MAX];
    FpuLayout l = layout(cpu, i);
    unsigned env = fpu_env_size(l);
    x87_check_no_wait(cpu);
    bool masked = fpu_all_masked(&cpu->fpu);
    fpu_store_env(&cpu->fpu, l, image);
    fpu_store_stack(&cpu->fpu, image + env);
    write_image(cpu, i, image, env + 80);
    fpu_init(&cpu->fpu);
    fpu_control_changed(cpu, masked);
}

static void fwait(X86Cpu *cpu, const Insn *i)
{
    x87_check_fwait(cpu);
}

EXEC_ONE(fldcw, fldcw);
EXEC_ONE(fnstcw, fnstcw);
EXEC_ONE(fnstsw_m16, fnstsw_m16);
EXEC_ONE(fnstsw_ax, fnstsw_ax);
EXEC_ONE(fnclex, fnclex);
EXEC_ONE(fninit, fninit);
EXEC_ONE(x87_ignored, ignored);
EXEC_ONE(fldenv, fldenv);
EXEC_ONE(fnstenv, fnstenv);
EXEC_ONE(frstor, frstor);
EXEC_ONE(fnsave, fnsave);
EXEC_ONE(fwait, fwait);
