/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shifts, rotates, double shifts. */
#include "tcg/emit.h"

static bool count_is_zero(const Insn *i)
{
    return ((unsigned)i->imm & (i->osize == 3 ? 63 : 31)) == 0;
}

bool emit_shift(Tr *t, const Insn *i)
{
    unsigned ext = i->modrm >> 3 & 7;
    bool by_cl = (i->opcode & 0xfe) == 0xd2, by_imm = (i->opcode & 0xfe) == 0xc0;
    bool rotate = ext < 4, carry_in = ext == 2 || ext == 3;
    bool keeps = rotate || by_cl || (by_imm && count_is_zero(i)); /* some flags, perhaps */
    EOp e;
    FlagUse use = carry_in || (keeps && t->live[t->n]) ? FLAGS_NEEDED : FLAGS_REPLACED;
    if (!tr_e(t, i, i->osize, E_READ | E_WRITE, use, &e)) {
        return false;
    }
    tr_op_ext(t, &e, ENC_1, i->opcode, ext);
    if (by_imm) {
        asm_byte(&t->a, (uint8_t)i->imm);
    }
    tr_e_done(t, &e);
    tr_flags_set(t, no_desc);
    return true;
}

/* SHLD, SHRD: 0F A4 AC by an immediate, A5 AD by CL */
bool emit_double_shift(Tr *t, const Insn *i)
{
    bool by_imm = !(i->opcode & 1);
    bool keeps = !by_imm || count_is_zero(i);
    EOp e;
    if (!tr_e(t, i, i->osize, E_READ | E_WRITE, keeps && t->live[t->n] ? FLAGS_NEEDED : FLAGS_REPLACED, &e)) {
        return false;
    }
    GOp g = tr_g(t, i, i->osize, true);
    tr_op_pair(t, &e, ENC_0F, i->opcode, &g);
    if (by_imm) {
        asm_byte(&t->a, (uint8_t)i->imm);
    }
    tr_e_done(t, &e);
    tr_flags_set(t, no_desc);
    return true;
}
