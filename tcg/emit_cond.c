/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What looks at single flags or changes them: SETcc CMOVcc, LAHF SAHF, CLC STC CMC CLD STD, PUSHF. */
#include "tcg/emit.h"

bool emit_setcc(Tr *t, const Insn *i)
{
    EOp e;
    if (!tr_e(t, i, 0, E_WRITE, FLAGS_NEEDED, &e)) {
        return false;
    }
    tr_op_ext(t, &e, ENC_0F, i->opcode, 0);
    tr_e_done(t, &e);
    return true;
}

bool emit_cmov(Tr *t, const Insn *i)
{
    EOp e;
    if (!tr_e(t, i, i->osize, E_READ, FLAGS_NEEDED, &e)) {
        return false;
    }
    tr_reg_changes(t, i->reg); /* the flags are in the host: only what made them is forgotten */
    GOp g = tr_g(t, i, i->osize, true);
    tr_op_pair(t, &e, ENC_0F, i->opcode, &g);
    tr_g_done(t, &g);
    return true;
}

/* The host's flags are needed if some of those that stay are. */
static void load_if_live(Tr *t, unsigned staying)
{
    if (t->live[t->n] & staying) {
        tr_flags_load(t);
    } else {
        flags_die(t);
    }
}

static void change_df(Tr *t, bool set)
{
    tr_flags_clobber(t);
    asm_op(&t->a, 0, ENC_1, 0x81, set ? 1 : 4, CPU_MEM(eflags));
    asm_le(&t->a, set ? FL_DF : ~(uint32_t)FL_DF, 4);
}

bool emit_flag(Tr *t, const Insn *i)
{
    switch (i->opcode) {
    case 0xf5: /* CMC */
        tr_flags_load(t);
        break;
    case 0xf8: /* CLC */
    case 0xf9: /* STC */
        load_if_live(t, LIVE_REST);
        break;
    default: /* CLD, STD */
        change_df(t, i->opcode == 0xfd);
        return true;
    }
    asm_byte(&t->a, i->opcode);
    tr_flags_set(t, no_desc);
    return true;
}

bool emit_ah(Tr *t, const Insn *i)
{
    if (i->opcode == 0x9f) { /* LAHF */
        tr_flags_load(t);
        tr_reg_changes(t, RAX);
        asm_byte(&t->a, 0x9f);
        return true;
    }
    load_if_live(t, LIVE_REST); /* OF stays */
    asm_byte(&t->a, 0x9e);
    tr_flags_set(t, no_desc);
    return true;
}

void tr_eflags(Tr *t)
{
    Asm *a = &t->a;
    tr_flags_load(t);
    tr_flags_to_cpu(t);
    t->place = FLAGS_IN_CPU;
    t->desc.kind = DESC_NONE;
    asm_byte(a, 0x9c); /* pushfq; pop T2: the host's stack is free below */
    asm_byte(a, 0x41);
    asm_byte(a, 0x58 | (H_T2 & 7));
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T2));
    asm_le(a, FL_OSZAPC, 4);
    asm_op(a, 0, ENC_1, 0x0b, H_T2, CPU_MEM(eflags));
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T2));
    asm_le(a, ~(uint32_t)(FL_VM | FL_RF), 4);
}

/* In 64-bit code whatever CPL and IOPL are. */
bool emit_pushf(Tr *t, const Insn *i)
{
    Asm *a = &t->a;
    if (i->osize != 3) {
        return false;
    }
    tr_reg_changes(t, RSP);
    tr_eflags(t);
    asm_store64(a, CPU_MEM(jit_target), H_T2);
    HostOp m = tr_stack(t, RSP, -8, true);
    asm_load64(a, H_T2, CPU_MEM(jit_target));
    asm_store64(a, m, H_T2);
    asm_lea64(a, H_GUEST_RSP, op_mem(H_GUEST_RSP, -8));
    return true;
}
