/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MMX instructions, as they are: MM0-7 are the significands of the host's x87 registers, wherever its stack's top is.
 * The row's operand codes say what is where: P and N are MMX registers, Q a register or memory, E, G, R general.
 * Spec: Intel SDM vol 1 chapter 9.
 */
#include "tcg/emit.h"

#include <string.h>

static void operate(Tr *t, const Insn *i, unsigned reg, HostOp rm)
{
    const InsnRow *row = insn_row(i);
    bool general = strchr("EGR", row->operands[0]) || strstr(row->operands, ",E");
    unsigned flags = general && (i->flags & INSN_REXW) ? ENC_W : 0;
    asm_op(&t->a, flags, row->map - MAP_0F + ENC_0F, i->opcode, reg, rm);
    if (strstr(row->operands, "Ib")) {
        asm_byte(&t->a, (uint8_t)i->imm);
    }
}

/* Bytes of the memory operand by its type letter. */
static unsigned operand_bytes(const Insn *i)
{
    const char *operands = insn_row(i)->operands;
    char type = operands[strcspn(operands, "QEM") + 1];
    return type == 'w' ? 2 : type == 'd' || (type == 'y' && !(i->flags & INSN_REXW)) ? 4 : 8;
}

static bool emit_memory(Tr *t, const Insn *i)
{
    if (!tr_address(t, i)) {
        return false;
    }
    tr_x87_enter(t);
    HostOp m = tr_memory(t, operand_bytes(i), insn_row(i)->attr & A_STORE, false);
    operate(t, i, i->reg & 7, m);
    return true;
}

/* A general register as the destination, in the reg or rm field. */
static void emit_to_general(Tr *t, const Insn *i, bool in_rm)
{
    unsigned guest = in_rm ? i->rm : i->reg;
    unsigned h = host_of(guest) != H_NONE ? host_of(guest) : H_T2;
    tr_reg_changes(t, guest);
    tr_x87_enter(t);
    operate(t, i, in_rm ? i->reg & 7 : h, op_reg(in_rm ? h : i->rm & 7));
    if (h == H_T2) {
        tr_commit(t, guest, h);
    }
}

bool emit_mmx(Tr *t, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    const char *dst = row->operands, *src = strchr(dst, ',');
    if (!(t->src->mode & JIT_MODE_X87) || !feature_in(&t->jit->host, row->feature) || (row->attr & A_SSE) ||
        (row->map == MAP_0F && i->opcode == 0xf7) /* MASKMOVQ: an operand that it does not name */) {
        return false;
    }
    if (is_mem(i)) {
        return emit_memory(t, i);
    }
    if (!src) { /* EMMS */
        tr_x87_enter(t);
        asm_byte(&t->a, 0x0f);
        asm_byte(&t->a, i->opcode);
    } else if (*dst == 'E' || *dst == 'G') {
        emit_to_general(t, i, *dst == 'E');
    } else if (*dst == 'N') { /* shifts by an immediate: the operation is in the reg field */
        tr_x87_enter(t);
        operate(t, i, i->modrm >> 3 & 7, op_reg(i->rm & 7));
    } else {
        tr_x87_enter(t);
        bool general = src[1] == 'E' || src[1] == 'R';
        operate(t, i, i->reg & 7, op_reg(general ? tr_use(t, i->rm, H_T2) : i->rm & 7u));
    }
    return true;
}
