/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BMI1, BMI2 and ADX: general registers, mostly VEX-encoded, three operands. */
#include "tcg/emit.h"

static unsigned mandatory_prefix(const InsnRow *row)
{
    return row->prefix == PFX_66 ? ENC_66 : row->prefix == PFX_F3 ? ENC_F3 : row->prefix == PFX_F2 ? ENC_F2 : 0;
}

static void changes(Tr *t, const Insn *i, bool to_vvvv, bool both)
{
    if (!to_vvvv) {
        tr_reg_changes(t, i->reg);
    }
    if (to_vvvv || both) {
        tr_reg_changes(t, i->vvvv);
    }
}

/*
 * ANDN BEXTR BZHI PDEP PEXT MULX RORX SARX SHLX SHRX: G is the result; MULX puts the lower half into VEX.vvvv before.
 * BLSI BLSMSK BLSR: VEX.vvvv is, /reg is part of the opcode.  A scratch register may be source and result at once.
 */
bool emit_bmi(Tr *t, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    unsigned map = row->map == MAP_VEX_0F38 ? ENC_0F38 : ENC_0F3A;
    bool to_vvvv = row->reg != ANY, rotate = map == ENC_0F3A, mulx = map == ENC_0F38 && i->opcode == 0xf6;
    FlagUse use = row->flags_written ? FLAGS_REPLACED : FLAGS_KEPT;
    EOp e;
    if (!feature_in(&t->jit->host, (Feature)row->feature) || i->osize < 2) {
        return false;
    }
    if (use == FLAGS_KEPT) {
        changes(t, i, to_vvvv, mulx);
    }
    if (!tr_e(t, i, i->osize, E_READ, use, &e)) {
        return false;
    }
    GOp v = {.reg = 0};
    unsigned reg = i->modrm >> 3 & 7;
    if (!rotate) {
        v = tr_g_reg(t, i->vvvv, false, !to_vvvv && !mulx, mulx ? H_T1 : H_T2);
    }
    GOp g = {.reg = (uint8_t)reg};
    if (!to_vvvv) {
        g = tr_g_reg(t, i->reg, false, false, H_T2);
    }
    asm_vex(&t->a, mandatory_prefix(row) | (i->osize == 3 ? ENC_W : 0), map, i->opcode, g.reg, v.reg, e.op);
    if (rotate) {
        asm_byte(&t->a, (uint8_t)i->imm);
    }
    if (to_vvvv || mulx) {
        tr_g_done(t, &v);
    }
    if (!to_vvvv) {
        tr_g_done(t, &g);
    }
    if (use == FLAGS_REPLACED) {
        tr_flags_set(t, no_desc);
    }
    return true;
}

/* ADCX, ADOX: one flag is carry in and out, the others stay. */
bool emit_adx(Tr *t, const Insn *i)
{
    EOp e;
    if (!feature_in(&t->jit->host, FEAT_ADX) || i->osize < 2) {
        return false;
    }
    if (!tr_e(t, i, i->osize, E_READ, FLAGS_NEEDED, &e)) {
        return false;
    }
    e.enc |= mandatory_prefix(insn_row(i));
    GOp g = tr_g(t, i, i->osize, true);
    tr_op_pair(t, &e, ENC_0F38, i->opcode, &g);
    tr_g_done(t, &g);
    tr_flags_set(t, no_desc);
    return true;
}
