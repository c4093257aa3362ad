/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MMX instructions, as they are: MM0-7 are the significands of the host's x87 registers, wherever its stack's top is.
 * The row's operand codes say what is where: P and N are MMX registers, Q one or memory, V and U XMM registers, W one or
 * memory, E, G, R general.
 * Spec: Intel SDM vol 1 chapter 9.
 */
#include "tcg/emit.h"

#include <string.h>

static void operate(Tr *t, const Insn *i, unsigned reg, HostOp rm)
{
    static const uint8_t prefixes[] = {[PFX_66] = ENC_66, [PFX_F3] = ENC_F3, [PFX_F2] = ENC_F2};
    const InsnRow *row = insn_row(i);
    bool general = strchr("EGR", row->operands[0]) || strstr(row->operands, ",E");
    unsigned flags = general && (i->flags & INSN_REXW) ? ENC_W : 0;
    asm_op(&t->a, flags | prefixes[row->prefix], row->map - MAP_0F + ENC_0F, i->opcode, reg, rm);
    if (strstr(row->operands, "Ib")) {
        asm_byte(&t->a, (uint8_t)i->imm);
    }
}

/* Bytes of the memory operand by its type letters. */
static unsigned operand_bytes(const Insn *i)
{
    const char *operands = insn_row(i)->operands;
    const char *letters = operands + strcspn(operands, "QEMW") + 1;
    char type = *letters;
    if (strcmp(letters, "pd") == 0) {
        return 16;
    }
    return type == 'w' ? 2 : type == 'd' || (type == 'y' && !(i->flags & INSN_REXW)) ? 4 : 8;
}

static bool emit_memory(Tr *t, const Insn *i)
{
    if (!tr_address(t, i)) {
        return false;
    }
    bool to_vector = insn_row(i)->operands[0] == 'V'; /* CVTPI2PS, CVTPI2PD: no MMX register */
    unsigned size = operand_bytes(i);
    if (!to_vector) {
        tr_x87_enter(t);
    }
    tr_slot_memory(t, H_ADDR, size, insn_row(i)->attr & A_STORE, false);
    if (size == 16) {
        asm_op(&t->a, ENC_BYTE_RM, ENC_1, 0xf6, 0, op_reg(H_ADDR));
        asm_byte(&t->a, 15);
        t->stubs[t->num_stubs - 1].from[1] = asm_jcc(&t->a, 5);
    }
    operate(t, i, to_vector ? i->reg : i->reg & 7, op_mem(H_ADDR, 0));
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

static bool can_emit(const Tr *t, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    unsigned need = JIT_MODE_X87;
    if (row->attr & A_SSE) {
        need |= JIT_MODE_SSE | (row->opcode != 0xd6 ? JIT_MODE_FP : 0); /* all but the moves convert */
    }
    return (t->src->mode & need) == need && feature_in(&t->jit->host, row->feature) &&
           !(row->map == MAP_0F && i->opcode == 0xf7); /* MASKMOVQ: an operand that it does not name */
}

bool emit_mmx_uses_vectors(const Tr *t, const Insn *i)
{
    return (insn_row(i)->attr & A_SSE) && can_emit(t, i);
}

static unsigned rm_register(Tr *t, const Insn *i, char code)
{
    switch (code) {
    case 'E':
    case 'R':
        return tr_use(t, i->rm, H_T2);
    case 'U':
    case 'W':
        return i->rm;
    default:
        return i->rm & 7;
    }
}

bool emit_mmx(Tr *t, const Insn *i)
{
    const char *dst = insn_row(i)->operands, *src = strchr(dst, ',');
    if (!can_emit(t, i)) {
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
        operate(t, i, *dst == 'V' ? i->reg : i->reg & 7, op_reg(rm_register(t, i, src[1])));
    }
    return true;
}
