/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block that jumps to its own beginning is there twice.  The second copy begins where the flags are what the jump's own
 * comparison left, so neither copy stores them on the way round: who stops inside stores them, and the way out.
 */
#include "tcg/internal.h"

#include <string.h>

bool tr_is_loop(const Tr *t)
{
    enum { MAX_LOOP = MAX_INSNS / 2 }; /* so that stubs and ways out of two copies fit */
    const JitSource *src = t->src;
    const Insn *last = &src->insns[src->num - 1];
    if (!src->loops || src->num_pages != 1 || src->num > MAX_LOOP || !tr_code64(t) || insn_undefined(last) ||
        t->rip[src->num] + (uint64_t)last->imm != src->rip) {
        return false;
    }
    for (unsigned n = 0; n < src->num; n++) {
        if (insn_undefined(&src->insns[n]) || (insn_row(&src->insns[n])->attr & (A_X87 | A_MMX))) {
            return false;
        }
    }
    const InsnRow *row = insn_row(last);
    return (row->map == MAP_1 && (last->opcode & 0xf0) == 0x70) || (row->map == MAP_0F && (last->opcode & 0xf0) == 0x80);
}

bool tr_again_if(Tr *t, unsigned cc)
{
    const FlagDesc *d = &t->desc;
    if (t->hoist) {
        return tr_hoist_again_if(t, cc);
    }
    if (!t->loops || t->n != t->src->num - 1 || t->place != FLAGS_IN_HOST || d->kind == DESC_NONE ||
        d->a == DESC_STORED || d->b == DESC_STORED || (t->again && !same_desc(d, &t->again_desc))) {
        return false;
    }
    uint8_t *from = asm_jcc(&t->a, cc);
    if (!t->again) {
        t->again_from = from;
        t->again_desc = *d;
    } else if (!t->a.full) {
        asm_patch(from, t->again);
    }
    return true;
}

/* The second copy of a loop: entered by itself and the first one only, so the mapping and the mode are right. */
void tr_loop_again(Tr *t)
{
    Asm *a = &t->a;
    if (!t->again_from || a->full) {
        return;
    }
    uint8_t *leave = t->leave;
    t->leave = a->p;
    tr_flags_store(t, &t->again_desc, FLAGS_IN_DESC);
    asm_jmp_to(a, leave);
    t->again = a->p;
    asm_patch(t->again_from, t->again);
    tr_check_still(t);
    memcpy(t->jit->next_slot, t->first_slot, sizeof(t->first_slot));
    memset(t->shared, 0, sizeof(t->shared));
    t->place = FLAGS_IN_DESC;
    t->desc = t->again_desc;
    t->ended = false;
    tr_insns(t);
}
