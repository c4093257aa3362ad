/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decimal adjustments (not in 64-bit mode) and SALC.
 * Spec: Intel SDM vol 2, DAA DAS AAA AAS AAM AAD.
 */
#include "target/x86/exec_int.h"

static uint32_t result_flags(uint8_t al)
{
    return (al & 0x80 ? FL_SF : 0) | (al == 0 ? FL_ZF : 0) | (__builtin_parity(al) ? 0 : FL_PF);
}

/* OF is undefined; as an addition of the adjustment would set it, like Zen. */
static void daa(X86Cpu *cpu, const Insn *i)
{
    uint32_t old = flags_compute(cpu), f = 0;
    uint8_t before = (uint8_t)cpu->r[RAX], al = before;
    if ((before & 15) > 9 || (old & FL_AF)) {
        al += 6;
        f |= FL_AF;
    }
    if (before > 0x99 || (old & FL_CF)) {
        al += 0x60;
        f |= FL_CF;
    }
    reg8_set(cpu, 0, al);
    flags_set(cpu, f | result_flags(al) | (al & ~before & 0x80 ? FL_OF : 0));
}
EXEC_ONE(daa, daa);

static void das(X86Cpu *cpu, const Insn *i)
{
    uint32_t old = flags_compute(cpu), f = 0;
    uint8_t before = (uint8_t)cpu->r[RAX], al = before;
    if ((before & 15) > 9 || (old & FL_AF)) {
        f |= FL_AF | (al < 6 || (old & FL_CF) ? FL_CF : 0);
        al -= 6;
    }
    if (before > 0x99 || (old & FL_CF)) {
        al -= 0x60;
        f |= FL_CF;
    }
    reg8_set(cpu, 0, al);
    flags_set(cpu, f | result_flags(al) | (before & ~al & 0x80 ? FL_OF : 0));
}
EXEC_ONE(das, das);

/* AX +/- 106h when adjusting; the undefined flags are those of the 16-bit operation on Zen. */
static void ascii_adjust(X86Cpu *cpu, bool subtract)
{
    uint16_t ax = (uint16_t)cpu->r[RAX], r = ax;
    uint32_t f = 0;
    if ((ax & 15) > 9 || (flags_compute(cpu) & FL_AF)) {
        r = (uint16_t)(subtract ? ax - 0x106 : ax + 0x106);
        f = FL_AF | FL_CF | ((subtract ? ax & ~r : r & ~ax) & 0x8000 ? FL_OF : 0);
    }
    f |= (r & 0x8000 ? FL_SF : 0) | (r == 0 ? FL_ZF : 0) | (__builtin_parity((uint8_t)r) ? 0 : FL_PF);
    reg16_set(cpu, RAX, r & 0xff0f);
    flags_set(cpu, f);
}

static void aaa(X86Cpu *cpu, const Insn *i)
{
    ascii_adjust(cpu, false);
}
EXEC_ONE(aaa, aaa);

static void aas(X86Cpu *cpu, const Insn *i)
{
    ascii_adjust(cpu, true);
}
EXEC_ONE(aas, aas);

static void aam(X86Cpu *cpu, const Insn *i)
{
    uint8_t al = (uint8_t)cpu->r[RAX], base = (uint8_t)i->imm;
    if (base == 0) {
        cpu_raise(cpu, EXC_DE);
    }
    reg16_set(cpu, RAX, (uint16_t)(al / base << 8 | al % base));
    flags_set(cpu, result_flags(al % base));
}
EXEC_ONE(aam, aam);

/* CF AF OF are undefined; as the addition AL + AH * base sets them, like Zen. */
static void aad(X86Cpu *cpu, const Insn *i)
{
    uint8_t al = (uint8_t)cpu->r[RAX], add = (uint8_t)(reg8_get(cpu, 1) * i->imm);
    uint8_t r = (uint8_t)(al + add);
    reg16_set(cpu, RAX, r);
    flags_lazy(cpu, CC_ADD, 0, r, add);
}
EXEC_ONE(aad, aad);

/* D6: AL = CF ? FF : 00; in every processor, in few manuals. */
static void salc(X86Cpu *cpu, const Insn *i)
{
    reg8_set(cpu, 0, flags_cf(cpu) ? 0xff : 0);
}
EXEC_ONE(salc, salc);
