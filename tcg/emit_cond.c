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
    asm_byte(a, 0x9c); /* pushfq: the host's stack is free below */
    asm_pop(a, H_T2);
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

/*
 * H_T2 becomes EFLAGS, as wide as the operand: the handler does what changes the mode (AC, TF) or lets an interrupt in that
 * waits, and what IOPL decides.
 */
void tr_pop_eflags(Tr *t, const Insn *i)
{
    Asm *a = &t->a;
    bool kernel = (t->src->mode >> JIT_MODE_CPL_SHIFT & 3) == 0;
    uint32_t wide = i->osize > 1 ? FL_AC | FL_ID : 0, free = FL_DF | FL_NT | (wide & FL_ID) | (kernel ? FL_IF | FL_IOPL : 0);
    Stub *s = tr_stub(t);
    asm_op(a, 0, ENC_1, 0x8b, H_T1, op_reg(H_T2));
    asm_op(a, 0, ENC_1, 0x33, H_T1, CPU_MEM(eflags)); /* xor */
    asm_op(a, 0, ENC_1, 0xf7, 0, op_reg(H_T1));       /* test */
    asm_le(a, FL_TF | (wide & FL_AC), 4);
    s->from[0] = asm_jcc(a, 5);
    uint8_t *clear = NULL;
    if (kernel) {
        asm_op(a, 0, ENC_1, 0xf7, 0, op_reg(H_T2));
        asm_le(a, FL_IF, 4);
        clear = asm_jcc(a, 4);
    }
    asm_op(a, 0, ENC_1, 0xf7, 0, kernel ? CPU_MEM(events) : CPU_MEM(eflags));
    asm_le(a, kernel ? EVENT_INTR : FL_IOPL, 4);
    s->from[1] = asm_jcc(a, 5);
    if (clear && !a->full) {
        asm_patch(clear, a->p);
    }
    asm_op(a, 0, ENC_1, 0x8b, H_T1, op_reg(H_T2));
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T1)); /* and */
    asm_le(a, FL_OSZAPC, 4);
    asm_store64(a, CPU_MEM(cc_src), H_T1);
    asm_store_imm8(a, CPU_MEM(cc_op), CC_FLAGS);
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T2));
    asm_le(a, free, 4);
    asm_op(a, 0, ENC_1, 0x8b, H_T1, CPU_MEM(eflags));
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T1));
    asm_le(a, ~free, 4);
    asm_op(a, 0, ENC_1, 0x09, H_T1, op_reg(H_T2)); /* or */
    asm_op(a, 0, ENC_1, 0x89, H_T2, CPU_MEM(eflags));
    t->place = FLAGS_IN_CPU;
    t->desc.kind = DESC_NONE;
}

bool emit_popf(Tr *t, const Insn *i)
{
    if (i->osize != 3) {
        return false;
    }
    tr_reg_changes(t, RSP);
    HostOp m = tr_stack(t, RSP, 0, false);
    asm_load64(&t->a, H_T2, m);
    tr_pop_eflags(t, i);
    asm_lea64(&t->a, H_GUEST_RSP, op_mem(H_GUEST_RSP, 8));
    tr_exit_to(t, t->rip[t->n + 1]);
    return true;
}
