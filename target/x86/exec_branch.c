/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Near control transfer: JMP CALL RET Jcc LOOPcc JrCXZ.  A target outside the segment (or not canonical) is #GP(0)
 * of the branch itself: it is checked before anything changes.
 * Spec: Intel SDM vol 2; AMD APM vol 3 for 66 in 64-bit mode (targets of 16 bits).
 */
#include "target/x86/exec_int.h"
#include "target/x86/mmu.h"

static gva_t checked_target(X86Cpu *cpu, uint64_t target, unsigned log2size)
{
    target &= asize_mask[log2size];
    if (cpu->code64 ? !mmu_canonical(cpu, target) : target > cpu->seg[SEG_CS].limit) {
        cpu_raise_gp0(cpu);
    }
    return target;
}

void branch_to(X86Cpu *cpu, uint64_t target, unsigned log2size)
{
    cpu->rip = checked_target(cpu, target, log2size);
}

/* rip already points behind the instruction. */
static void jmp_rel(X86Cpu *cpu, const Insn *i)
{
    branch_to(cpu, cpu->rip + i->imm, i->osize);
}
EXEC_ONE(jmp_j, jmp_rel);

static void jcc(X86Cpu *cpu, const Insn *i)
{
    if (flags_condition(cpu, i->opcode)) {
        branch_to(cpu, cpu->rip + i->imm, i->osize);
    }
}
EXEC_ONE(jcc, jcc);

/* A fault of the push comes before that of the target (seen on Zen). */
static void call_to(X86Cpu *cpu, const Insn *i, uint64_t target)
{
    unsigned size = 1u << i->osize;
    gva_t sp = (cpu->r[RSP] - size) & asize_mask[cpu->stack_size];
    MemRef ref = mem_ref(cpu, SEG_SS, sp, size);
    target = checked_target(cpu, target, i->osize);
    if (size == 2) {
        ref_store16(cpu, &ref, (uint16_t)cpu->rip);
    } else if (size == 4) {
        ref_store32(cpu, &ref, (uint32_t)cpu->rip);
    } else {
        ref_store64(cpu, &ref, cpu->rip);
    }
    reg_set_log2(cpu, RSP, cpu->stack_size, sp);
    cpu->rip = target;
}

static void call_rel(X86Cpu *cpu, const Insn *i)
{
    call_to(cpu, i, cpu->rip + i->imm);
}
EXEC_ONE(call_j, call_rel);

#define DEFINE_INDIRECT(bits, log2)                                                                                  \
    static void jmp_r##bits(X86Cpu *cpu, const Insn *i)                                                              \
    {                                                                                                                \
        branch_to(cpu, e_get##bits(cpu, i), log2);                                                                   \
    }                                                                                                                \
    static void jmp_m##bits(X86Cpu *cpu, const Insn *i)                                                              \
    {                                                                                                                \
        branch_to(cpu, m_get##bits(cpu, i), log2);                                                                   \
    }                                                                                                                \
    static void call_r##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        call_to(cpu, i, e_get##bits(cpu, i));                                                                        \
    }                                                                                                                \
    static void call_m##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        call_to(cpu, i, m_get##bits(cpu, i));                                                                        \
    }
FOR_WIDE_SIZES(DEFINE_INDIRECT)
EXEC_WIDE_R_M(jmp_e, jmp_r, jmp_m);
EXEC_WIDE_R_M(call_e, call_r, call_m);

/* The immediate is zero without one. */
static void ret_near(X86Cpu *cpu, const Insn *i)
{
    gva_t target = checked_target(cpu, stack_peek(cpu, i->osize, 0), i->osize);
    stack_adjust(cpu, (int64_t)((1u << i->osize) + i->imm));
    cpu->rip = target;
}
EXEC_ONE(ret, ret_near);

/* ---- loops count in CX, ECX or RCX by address size ---- */

static void loop_if(X86Cpu *cpu, const Insn *i, bool condition)
{
    uint64_t count = (cpu->r[RCX] - 1) & asize_mask[i->asize];
    if (count != 0 && condition) {
        branch_to(cpu, cpu->rip + i->imm, i->osize);
    }
    reg_set_log2(cpu, RCX, i->asize, count);
}

static void loop(X86Cpu *cpu, const Insn *i)
{
    loop_if(cpu, i, true);
}
EXEC_ONE(loop, loop);

static void loope(X86Cpu *cpu, const Insn *i)
{
    loop_if(cpu, i, flags_condition(cpu, 4));
}
EXEC_ONE(loope, loope);

static void loopne(X86Cpu *cpu, const Insn *i)
{
    loop_if(cpu, i, flags_condition(cpu, 5));
}
EXEC_ONE(loopne, loopne);

static void jcxz(X86Cpu *cpu, const Insn *i)
{
    if ((cpu->r[RCX] & asize_mask[i->asize]) == 0) {
        branch_to(cpu, cpu->rip + i->imm, i->osize);
    }
}
EXEC_ONE(jcxz, jcxz);
