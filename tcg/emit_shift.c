/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shifts, rotates, double shifts. */
#include "tcg/emit.h"

static bool count_is_zero(const Insn *i)
{
    return ((unsigned)i->imm & (i->osize == 3 ? 63 : 31)) == 0;
}

/* A shift of a whole register whose flags somebody may see keeps what is shifted. */
static FlagDesc keep_shifted(Tr *t, const Insn *i, const EOp *e)
{
    static const DescKind kind[8] = {[4] = DESC_SHL, [5] = DESC_SHR, [7] = DESC_SAR};
    FlagDesc d = {.kind = kind[i->modrm >> 3 & 7], .log2 = i->osize, .a = i->rm, .b = H_NONE, .imm = 1};
    if (i->opcode == 0xc1) {
        d.imm = (int32_t)((unsigned)i->imm & (i->osize == 3 ? 63 : 31));
    }
    if (is_mem(i) || (i->opcode & 0xef) != 0xc1 || i->osize < 2 || d.imm == 0 || d.kind == DESC_NONE || !t->live[t->n] ||
        !feature_in(&t->jit->host, FEAT_BMI2)) {
        return no_desc;
    }
    unsigned h = e->op.mem ? tr_use(t, i->rm, H_T2) : e->op.reg;
    asm_store64(&t->a, CPU_MEM(jit_kept), h);
    return d;
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
    FlagDesc desc = keep_shifted(t, i, &e);
    tr_op_ext(t, &e, ENC_1, i->opcode, ext);
    if (by_imm) {
        asm_byte(&t->a, (uint8_t)i->imm);
    }
    tr_e_done(t, &e);
    tr_flags_set(t, desc);
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
