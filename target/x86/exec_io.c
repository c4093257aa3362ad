/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IN and OUT.
 * Spec: Intel SDM vol 1 chapter 19, vol 2 IN, OUT.  There is no 64-bit form: REX.W means 32 bits.
 */
#include "target/x86/exec_int.h"

static void in_port(X86Cpu *cpu, const Insn *i, uint16_t port)
{
    unsigned size = MIN(1u << i->osize, 4u);
    io_check(cpu, port, size);
    uint32_t v = io_in(cpu, port, size);
    if (size == 1) {
        reg8_set(cpu, 0, (uint8_t)v);
    } else if (size == 2) {
        reg16_set(cpu, RAX, (uint16_t)v);
    } else {
        reg32_set(cpu, RAX, v);
    }
}

static void out_port(X86Cpu *cpu, const Insn *i, uint16_t port)
{
    unsigned size = MIN(1u << i->osize, 4u);
    io_check(cpu, port, size);
    io_out(cpu, port, (uint32_t)(cpu->r[RAX] & (size == 4 ? 0xffffffffu : (1u << size * 8) - 1)), size);
}

static void in_imm(X86Cpu *cpu, const Insn *i)
{
    in_port(cpu, i, (uint16_t)i->imm);
}
EXEC_ONE(in_i, in_imm);

static void in_dx(X86Cpu *cpu, const Insn *i)
{
    in_port(cpu, i, (uint16_t)cpu->r[RDX]);
}
EXEC_ONE(in_dx, in_dx);

static void out_imm(X86Cpu *cpu, const Insn *i)
{
    out_port(cpu, i, (uint16_t)i->imm);
}
EXEC_ONE(out_i, out_imm);

static void out_dx(X86Cpu *cpu, const Insn *i)
{
    out_port(cpu, i, (uint16_t)cpu->r[RDX]);
}
EXEC_ONE(out_dx, out_dx);
