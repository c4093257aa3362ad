/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One block: entry checks, instructions, ways out, and the cold stubs behind them. */
#include "tcg/internal.h"

#include <string.h>

#include "softmmu/core/ram.h"

static void leave(Tr *t, gva_t rip)
{
    asm_mov_imm(&t->a, H_ADDR, rip);
    asm_jmp_to(&t->a, t->jit->exit);
}

static void call_insn(Tr *t, unsigned n, bool flags)
{
    asm_mov_imm(&t->a, H_ADDR, (uint64_t)(uintptr_t)&t->src->insns[n]);
    asm_mov_imm(&t->a, H_T1, t->rip[n]);
    asm_call_to(&t->a, flags ? t->jit->call_insn_flags : t->jit->call_insn);
}

/* Handlers after which the block's mode may be another one. */
static bool changes_mxcsr(const Insn *i)
{
    const char *name = insn_row(i)->name;
    return strncmp(name, "ldmxcsr", 7) == 0 || strncmp(name, "vldmxcsr", 8) == 0 || strstr(name, "xrstor");
}

void tr_call_insn(Tr *t)
{
    tr_flags_to_cpu(t);
    tr_x87_before_c(t);
    call_insn(t, t->n, false);
    t->fpu_live = false;
    t->place = FLAGS_IN_CPU;
    t->desc.kind = DESC_NONE;
    if (!insn_undefined(&t->src->insns[t->n]) && changes_mxcsr(&t->src->insns[t->n])) {
        leave(t, t->rip[t->n + 1]);
        t->ended = true;
    } else {
        tr_vectors_again(t, t->n);
    }
}

/* ---- ways out ---- */

/* To the address in H_ADDR, through the table of places visited before. */
void tr_exit_indirect(Tr *t)
{
    Asm *a = &t->a;
    uint8_t *miss[3];
    asm_mov_rr(a, H_T1, H_ADDR);
    asm_op(a, ENC_W, ENC_1, 0xc1, 5, op_reg(H_T1)); /* shr T1, 12 */
    asm_byte(a, 12);
    asm_op(a, ENC_W, ENC_1, 0x31, H_ADDR, op_reg(H_T1));
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T1));
    asm_le(a, JIT_JUMPS - 1, 4);
    asm_op(a, 0, ENC_1, 0xc1, 4, op_reg(H_T1)); /* shl T1d, log2(sizeof(JitJump)) */
    asm_byte(a, 5);
    asm_mov_imm(a, H_T2, (uint64_t)(uintptr_t)t->jit->jumps);
    asm_op(a, ENC_W, ENC_1, 0x01, H_T2, op_reg(H_T1));
    asm_op(a, ENC_W, ENC_1, 0x39, H_ADDR, op_mem(H_T1, offsetof(JitJump, rip)));
    miss[0] = asm_jcc(a, 5);
    asm_load64(a, H_T2, CPU_MEM(tlb_gen));
    asm_op(a, ENC_W, ENC_1, 0x39, H_T2, op_mem(H_T1, offsetof(JitJump, tlb_gen)));
    miss[1] = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0x81, 7, op_mem(H_T1, offsetof(JitJump, mode)));
    asm_le(a, t->src->mode, 4);
    miss[2] = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0xff, 4, op_mem(H_T1, offsetof(JitJump, code)));
    for (unsigned i = 0; i < 3 && !a->full; i++) {
        asm_patch(miss[i], a->p);
    }
    asm_jmp_to(a, t->jit->exit);
}

static bool same_page(const Tr *t, gva_t rip)
{
    return ((rip ^ t->src->rip) & PAGE_MASK) == 0;
}

/* Pad so that the displacement of a jump with `opcode_bytes` is aligned. */
static void align_jump(Tr *t, unsigned opcode_bytes)
{
    while (((uintptr_t)t->a.p + opcode_bytes) & 3 && !t->a.full) {
        asm_byte(&t->a, 0x90);
    }
}

static void add_exit(Tr *t, uint8_t *from, gva_t rip)
{
    t->exits[t->num_exits++] = (Exit){.from = from, .rip = rip};
}

void tr_exit_to(Tr *t, gva_t rip)
{
    if (same_page(t, rip)) {
        align_jump(t, 1);
        add_exit(t, asm_jmp(&t->a), rip);
    } else {
        asm_mov_imm(&t->a, H_ADDR, rip);
        tr_exit_indirect(t);
    }
    t->ended = true;
}

void tr_exit_if(Tr *t, unsigned cc, gva_t taken, gva_t other)
{
    align_jump(t, 2);
    add_exit(t, asm_jcc(&t->a, cc), taken);
    tr_exit_to(t, other);
}

static void emit_exit(Tr *t, const Exit *e)
{
    Asm *a = &t->a;
    if (a->full) {
        return;
    }
    asm_patch(e->from, a->p);
    asm_mov_imm(a, H_ADDR, e->rip);
    if (!same_page(t, e->rip)) {
        tr_exit_indirect(t);
        return;
    }
    asm_byte(a, 0x4c); /* lea T1, [rip + d]: the jump's displacement */
    asm_byte(a, 0x8d);
    asm_byte(a, 0x2d);
    asm_le(a, (uint64_t)(e->from - (a->p + 4)), 4);
    asm_jmp_to(a, t->jit->exit_jump);
}

static void emit_stub(Tr *t, const Stub *s)
{
    if (t->a.full) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(s->from); i++) {
        if (s->from[i]) {
            asm_patch(s->from[i], t->a.p);
        }
    }
    if (s->place == FLAGS_IN_DESC) {
        tr_flags_store(t, &s->desc, s->place);
    }
    tr_x87_store_pointers(t, &s->pointers);
    call_insn(t, s->n, s->wants_flags);
    if (insn_row(&t->src->insns[s->n])->attr & (A_X87 | A_MMX)) {
        asm_call_to(&t->a, t->jit->fetch_x87); /* its handler may have brought the state home */
    }
    if (s->back) {
        tr_vectors_again(t, s->n);
        asm_jmp_to(&t->a, s->back);
    } else {
        leave(t, t->rip[s->n + 1]); /* a transfer that the interpreter let fall through: not reached in practice */
    }
}

/* ---- the block ---- */

/* The bytes may have changed, and somebody may wait: leave before the first instruction. */
static void emit_entry(Tr *t, uint8_t *out[2])
{
    Asm *a = &t->a;
    asm_mov_imm(a, H_T1, (uint64_t)(uintptr_t)t->src->page_gen);
    asm_op(a, 0, ENC_1, 0x81, 7, op_mem(H_T1, 0));
    asm_le(a, t->src->gen, 4);
    out[0] = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0x80, 7, CPU_MEM(attention));
    asm_byte(a, 0);
    out[1] = asm_jcc(a, 5);
}

static void translate_insns(Tr *t)
{
    const JitSource *src = t->src;
    for (t->n = 0; t->n < src->num && !t->ended; t->n++) {
        unsigned first_stub = t->num_stubs;
        if (!emit_insn(t, &src->insns[t->n])) {
            tr_call_insn(t);
        }
        for (unsigned s = first_stub; s < t->num_stubs; s++) {
            t->stubs[s].back = t->ended ? NULL : t->a.p;
        }
    }
    if (t->ended) {
        return;
    }
    tr_flags_to_cpu(t);
    const Insn *last = &src->insns[src->num - 1];
    if (insn_undefined(last) || (insn_row(last)->attr & A_SYS)) {
        leave(t, t->rip[src->num]); /* HLT, STI, MOV SS ...: the run loop has something to look at */
    } else {
        tr_exit_to(t, t->rip[src->num]);
    }
}

const uint8_t *jit_translate(Jit *jit, const JitSource *src)
{
    Tr t = {.jit = jit, .src = src, .place = FLAGS_IN_CPU};
    /* Patching reads and writes a few bytes behind `end`. */
    t.a = (Asm){.p = jit->next, .end = jit->rw + jit->size - 64};
    t.rip[0] = src->rip;
    for (unsigned n = 0; n < src->num; n++) {
        t.rip[n + 1] = t.rip[n] + src->insns[n].len;
    }
    flags_liveness(src->insns, src->num, t.live);
    uint8_t *code = t.a.p;
    uint8_t *out[2];
    emit_entry(&t, out);
    tr_vectors_enter(&t);
    translate_insns(&t);
    tr_vectors_emit_stub(&t);
    for (unsigned i = 0; i < t.num_stubs; i++) {
        emit_stub(&t, &t.stubs[i]);
    }
    tr_x87_emit_fetches(&t);
    for (unsigned i = 0; i < t.num_exits; i++) {
        emit_exit(&t, &t.exits[i]);
    }
    if (!t.a.full) {
        asm_patch(out[0], t.a.p);
        asm_patch(out[1], t.a.p);
    }
    leave(&t, src->rip);
    if (t.a.full) {
        return NULL;
    }
    jit->next = (uint8_t *)(((uintptr_t)t.a.p + 15) & ~(uintptr_t)15);
    return jit->rx + (code - jit->rw);
}
