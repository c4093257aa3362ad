/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XADD, CMPXCHG and its wide forms, LFENCE MFENCE SFENCE.  LOCK is the host's own on memory that is aligned; anything else
 * is done by the interpreter's handler with all other vCPUs stopped.
 */
#include "tcg/emit.h"

#include <string.h>

bool emit_xadd(Tr *t, const Insn *i)
{
    EOp e;
    if (!tr_e(t, i, i->osize, E_READ | E_WRITE | E_IN_REG, FLAGS_REPLACED, &e)) {
        return false;
    }
    GOp g = tr_g(t, i, i->osize, true);
    tr_op_pair(t, &e, ENC_0F, i->opcode, &g);
    tr_g_done(t, &g);
    tr_e_done(t, &e); /* with twice the same register the sum stays */
    tr_flags_set(t, no_desc);
    return true;
}

/* The accumulator is where it belongs; AL may not change places with AH beside it. */
bool emit_cmpxchg(Tr *t, const Insn *i)
{
    EOp e;
    if (i->osize == 0 && ((i->reg8 & 7) || (!is_mem(i) && (i->rm8 & 7)))) {
        return false;
    }
    if (!tr_e(t, i, i->osize, E_READ | E_WRITE | E_IN_REG, FLAGS_REPLACED, &e)) {
        return false;
    }
    GOp g = tr_g(t, i, i->osize, true);
    tr_op_pair(t, &e, ENC_0F, i->opcode, &g);
    tr_e_done(t, &e);
    tr_flags_set(t, no_desc);
    return true;
}

/* CMPXCHG8B and 16B: all registers are where they belong, ZF alone changes.  16B must be aligned or raises #GP. */
bool emit_cmpxchg_wide(Tr *t, const Insn *i)
{
    bool wide = strcmp(insn_row(i)->name, "cmpxchg16b") == 0;
    unsigned size = wide ? 16 : 8;
    HostOp m;
    if (wide && !feature_in(&t->jit->host, FEAT_CX16)) {
        return false;
    }
    unsigned how = MEM_WRITE | MEM_FLAGS | MEM_FIXED;
    if (!tr_operand(t, i, size, how | (wide || (i->flags & INSN_LOCK) ? MEM_ALIGNED : 0), &m)) {
        return false;
    }
    tr_flags_load(t);
    asm_op(&t->a, (wide ? ENC_W : 0) | (wide || (i->flags & INSN_LOCK) ? ENC_LOCK : 0), ENC_0F, 0xc7, 1, m);
    tr_flags_set(t, no_desc);
    return true;
}

bool emit_fence(Tr *t, const Insn *i)
{
    asm_byte(&t->a, 0x0f);
    asm_byte(&t->a, 0xae);
    asm_byte(&t->a, i->modrm);
    return true;
}
