/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which general registers an instruction may change.  What is not listed here may change all of them.
 * Spec: Intel SDM vol 2 chapters 3-5.
 */
#include "tcg/internal.h"

#define R(reg) (1u << (reg))

static const unsigned all = 0xffff;

static unsigned byte_or_full(const Insn *i, unsigned full, unsigned byte)
{
    return R(i->osize ? full : byte >> 3);
}

static unsigned e(const Insn *i)
{
    return i->flags & INSN_MEM ? 0 : byte_or_full(i, i->rm, i->rm8);
}

static unsigned g(const Insn *i)
{
    return byte_or_full(i, i->reg, i->reg8);
}

static unsigned alu(const Insn *i)
{
    if (i->opcode >= 0x38) {
        return 0; /* CMP */
    }
    return (i->opcode & 7) >= 4 ? R(RAX) : i->opcode & 2 ? g(i) : e(i);
}

static unsigned group(const Insn *i)
{
    unsigned ext = i->modrm >> 3 & 7;
    if (i->opcode >= 0xfe) {
        return ext < 2 ? e(i) : ext == 2 || ext == 6 ? R(RSP) : ext == 4 ? 0 : all;
    }
    return ext < 2 ? 0 : ext < 4 ? e(i) : R(RAX) | R(RDX); /* F6 F7 */
}

static unsigned one_byte(const Insn *i)
{
    switch (i->opcode) {
    case 0x00 ... 0x3f:
        return (i->opcode & 7) < 6 ? alu(i) : all;
    case 0x50 ... 0x57:
    case 0x68:
    case 0x6a:
    case 0x9c:
    case 0xc2:
    case 0xc3:
    case 0xe8:
        return R(RSP);
    case 0x58 ... 0x5f:
        return R(RSP) | R(i->rm);
    case 0x63:
    case 0x69:
    case 0x6b:
    case 0x8a:
    case 0x8b:
    case 0x8d:
        return g(i);
    case 0x70 ... 0x7f:
    case 0x84:
    case 0x85:
    case 0x9e:
    case 0xa2:
    case 0xa3:
    case 0xa8:
    case 0xa9:
    case 0xe9:
    case 0xeb:
    case 0xf5:
    case 0xf8 ... 0xf9:
    case 0xfc ... 0xfd:
        return 0;
    case 0x80:
    case 0x81:
    case 0x83:
        return (i->modrm >> 3 & 7) == 7 ? 0 : e(i);
    case 0x86:
    case 0x87:
        return e(i) | g(i);
    case 0x88:
    case 0x89:
    case 0xb0 ... 0xc1:
    case 0xc6:
    case 0xc7:
    case 0xd0 ... 0xd3:
        return e(i);
    case 0x90 ... 0x97:
        return R(RAX) | R(i->rm);
    case 0x98:
    case 0x9f:
    case 0xa0:
    case 0xa1:
    case 0xd7:
        return R(RAX);
    case 0x99:
        return R(RDX);
    case 0xc9:
        return R(RSP) | R(RBP);
    case 0xf6:
    case 0xf7:
    case 0xfe:
    case 0xff:
        return group(i);
    default:
        return all;
    }
}

static unsigned two_byte(const Insn *i)
{
    switch (i->opcode) {
    case 0x0d:
    case 0x18 ... 0x1f:
    case 0x80 ... 0x8f:
    case 0xa3:
        return 0;
    case 0x40 ... 0x4f:
    case 0xaf:
    case 0xb6:
    case 0xb7:
    case 0xb8:
    case 0xbc ... 0xbf:
        return R(i->reg);
    case 0x90 ... 0x9f: /* bytes, whatever the operand size */
        return i->flags & INSN_MEM ? 0 : R(i->rm8 >> 3) | R(i->rm);
    case 0xa4:
    case 0xa5:
    case 0xab:
    case 0xac:
    case 0xad:
    case 0xb3:
    case 0xba:
    case 0xbb:
        return e(i);
    case 0xb0:
    case 0xb1:
        return R(RAX) | e(i);
    case 0xc0:
    case 0xc1:
        return e(i) | g(i);
    case 0xc8 ... 0xcf:
        return R(i->rm);
    default:
        return all;
    }
}

/* SSE and AVX: the destination is the first operand. */
static unsigned vector(const Insn *i)
{
    const InsnRow *row = insn_row(i);
    bool strings = (row->map == MAP_0F3A || row->map == MAP_VEX_0F3A) && (row->opcode & 0xfc) == 0x60;
    switch (row->operands[0]) {
    case 'G':
        return R(i->reg);
    case 'E':
    case 'R':
        return i->flags & INSN_MEM ? 0 : R(i->rm);
    case 'V':
    case 'W':
    case 'M':
    case 'H':
    case 'U':
        return strings ? R(RCX) : 0;
    default:
        return all;
    }
}

unsigned insn_writes(const Insn *i)
{
    if (insn_undefined(i)) {
        return all;
    }
    const InsnRow *row = insn_row(i);
    if (row->attr & (A_SYS | A_IO | A_REP)) {
        return all;
    }
    if (row->attr & A_X87) {
        return R(RAX); /* FNSTSW AX */
    }
    if (row->attr & A_SSE) {
        return vector(i);
    }
    if (row->attr & A_MMX) {
        return R(i->reg) | R(i->rm);
    }
    switch (row->map) {
    case MAP_1:
        return one_byte(i);
    case MAP_0F:
        return two_byte(i);
    case MAP_0F38:
        return row->opcode >= 0xf0 ? R(i->reg) : all;
    default:
        return row->feature == FEAT_BMI1 || row->feature == FEAT_BMI2 ? R(i->reg) | R(i->vvvv & 15) : all;
    }
}
