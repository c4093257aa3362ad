/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Execution of single instructions, without the block cache. */
#include "accel/interp/step.h"

#include "accel/interp/interp.h"
#include "target/x86/debug.h"
#include "target/x86/mem.h"

/* Instructions that enter a handler: their single-step trap depends on the TF they leave (it is mostly cleared). */
static bool enters_handler(const Insn *i)
{
    switch (insn_row(i)->map) {
    case MAP_1:
        return i->opcode == 0xcc || i->opcode == 0xcd || i->opcode == 0xce || i->opcode == 0xf1;
    case MAP_0F:
        return i->opcode == 0x05;
    default:
        return false;
    }
}

void insn_step(X86Cpu *cpu, const Insn *i)
{
    bool tf = (cpu->eflags & FL_TF) != 0;
    cpu->shadow = 0;
    cpu->eflags &= ~(uint32_t)FL_RF; /* IRET and task switches set it again for the next instruction */
    insn_execute(cpu, i);
    uint64_t db = cpu->pending_db;
    if (tf && (!enters_handler(i) || (cpu->eflags & FL_TF))) {
        db |= BIT64(14); /* DR6.BS */
    }
    /* MOV SS and POP SS hold debug traps back, with the interrupts, until after the next instruction. */
    if (db && cpu->shadow != SHADOW_SS) {
        cpu->pending_db = 0;
        cpu->insn_rip = cpu->rip;
        cpu_raise_db(cpu, db, true);
    }
}

bool interp_step_one(X86Cpu *cpu)
{
    Insn insn;
    if (_setjmp(cpu->unwind) != 0) {
        cpu->rip = cpu->insn_rip;
        return false;
    }
    insn_fetch(cpu, &insn);
    insn_execute(cpu, &insn);
    return true;
}

bool interp_step_whole(X86Cpu *cpu)
{
    Insn insn;
    if (_setjmp(cpu->unwind) != 0) {
        return false;
    }
    cpu->insn_rip = cpu->rip;
    if (debug_any_armed(cpu)) {
        debug_check_exec(cpu, code_linear(cpu)); /* raises */
    }
    insn_fetch(cpu, &insn);
    insn_step(cpu, &insn);
    return true;
}

/* In 64-bit code all that pushes has A_D64. */
static bool only_computes(const X86Cpu *cpu, const Insn *i)
{
    uint32_t attr = insn_row(i)->attr;
    if ((attr & A_END) && (attr & A_CC)) {
        return cpu->code64;
    }
    return cpu->code64 && !(attr & (A_END | A_D64 | A_REP | A_IO | A_PRIV | A_SYS | A_NODIFF)) &&
           !((attr & A_STORE) && (i->flags & INSN_MEM));
}

InterpNext interp_next(X86Cpu *cpu)
{
    Insn insn;
    if (_setjmp(cpu->unwind) != 0) {
        return NEXT_OTHER;
    }
    insn_fetch(cpu, &insn);
    return !insn.fn                                                  ? NEXT_OTHER
           : insn_row(&insn)->attr & (A_X87 | A_MMX | A_SSE) ? NEXT_VECTOR
           : only_computes(cpu, &insn)                              ? NEXT_PLAIN
                                                                     : NEXT_OTHER;
}
