/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MUL IMUL DIV IDIV. */
#include "tcg/emit.h"

bool emit_mul(Tr *t, const Insn *i, unsigned ext)
{
    EOp e;
    if (!tr_e(t, i, i->osize, E_READ, FLAGS_REPLACED, &e)) {
        return false;
    }
    tr_op_ext(t, &e, ENC_1, i->opcode, ext);
    tr_flags_set(t, no_desc);
    return true;
}

/* The divisor into H_ADDR, zero-extended if it is narrow; it may be RAX or RDX.  Only the host's flags change. */
static bool load_divisor(Tr *t, const Insn *i)
{
    static const uint8_t opcode[] = {0xb6, 0xb7};
    Asm *a = &t->a;
    EOp e = {.high = false};
    tr_flags_clobber(t);
    if (!is_mem(i)) {
        tr_e(t, i, i->osize, E_READ, FLAGS_KEPT, &e);
    } else if (!tr_operand(t, i, bytes_of(i), MEM_FLAGS, &e.op)) {
        return false;
    }
    if (i->osize >= 2) {
        asm_op(a, size_flags(i->osize), ENC_1, 0x8b, H_ADDR, e.op);
    } else if (e.high) {
        asm_op(a, 0, ENC_0F, 0xb7, H_ADDR, e.op);
        asm_op(a, 0, ENC_1, 0xc1, 5, op_reg(H_ADDR)); /* shr ADDRd, 8 */
        asm_byte(a, 8);
    } else {
        asm_op(a, ENC_BYTE_RM, ENC_0F, opcode[i->osize], H_ADDR, e.op);
    }
    return true;
}

/* Unsigned: the upper half of the dividend must be below the divisor. */
static void check_unsigned(Tr *t, const Insn *i, Stub *stub)
{
    Asm *a = &t->a;
    if (i->osize == 0) {
        asm_op(a, 0, ENC_0F, 0xb7, H_T2, op_reg(H_RAX)); /* movzx T2d, ax; shr T2d, 8; cmp T2d, ADDRd */
        asm_op(a, 0, ENC_1, 0xc1, 5, op_reg(H_T2));
        asm_byte(a, 8);
        asm_op(a, 0, ENC_1, 0x39, H_ADDR, op_reg(H_T2));
    } else {
        asm_op(a, size_flags(i->osize), ENC_1, 0x39, H_ADDR, op_reg(H_RDX));
    }
    stub->from[0] = asm_jcc(a, 3);
}

/* Signed: it fits if the dividend is one half sign-extended and the divisor is neither 0 nor -1. */
static void check_signed(Tr *t, const Insn *i, Stub *stub)
{
    Asm *a = &t->a;
    unsigned f = size_flags(i->osize);
    if (i->osize == 0) {
        asm_op(a, ENC_66, ENC_0F, 0xbe, H_T2, op_reg(H_RAX)); /* movsx T2w, al; cmp ax, T2w */
        asm_op(a, ENC_66, ENC_1, 0x39, H_T2, op_reg(H_RAX));
    } else {
        asm_op(a, f, ENC_1, 0x8b, H_T2, op_reg(H_RAX));
        asm_op(a, f, ENC_1, 0xc1, 7, op_reg(H_T2));
        asm_byte(a, (uint8_t)((8u << i->osize) - 1));
        asm_op(a, f, ENC_1, 0x39, H_RDX, op_reg(H_T2));
    }
    stub->from[0] = asm_jcc(a, 5);
    asm_op(a, i->osize == 3 ? ENC_W : 0, ENC_1, 0x8d, H_T2, op_mem(H_ADDR, 1));
    asm_op(a, f & ~(unsigned)ENC_BYTE_REG, ENC_1, i->osize ? 0x83 : 0x80, 7, op_reg(H_T2));
    asm_byte(a, 1);
    stub->from[1] = asm_jcc(a, 6);
}

/* The host's own divide error is kept away: whatever might overflow is the interpreter's. */
bool emit_div(Tr *t, const Insn *i, bool is_signed)
{
    if (!load_divisor(t, i)) {
        return false;
    }
    Stub *stub = tr_stub(t);
    stub->wants_flags = true;
    if (is_signed) {
        check_signed(t, i, stub);
    } else {
        check_unsigned(t, i, stub);
    }
    flags_die(t);
    asm_op(&t->a, size_flags(i->osize) & ~(unsigned)ENC_BYTE_REG, ENC_1, i->opcode, is_signed ? 7 : 6, op_reg(H_ADDR));
    tr_flags_set(t, no_desc);
    return true;
}

bool emit_imul2(Tr *t, const Insn *i)
{
    bool three = i->opcode != 0xaf;
    EOp e;
    if (!tr_e(t, i, i->osize, E_READ, FLAGS_REPLACED, &e)) {
        return false;
    }
    GOp g = tr_g(t, i, i->osize, !three || i->osize == 1);
    if (three) {
        tr_op_pair(t, &e, ENC_1, 0x69, &g);
        put_imm(t, i->opcode == 0x6b ? (int8_t)i->imm : signed_imm(i), i->osize);
    } else {
        tr_op_pair(t, &e, ENC_0F, 0xaf, &g);
    }
    tr_g_done(t, &g);
    tr_flags_set(t, no_desc);
    return true;
}
