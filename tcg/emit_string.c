/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * STOS and MOVS of 64-bit addresses, upwards.  With REP the host's own instruction does the whole run when it lies in one
 * page of each operand and the TLB knows these; all else (DF set, a run over the end of a page, misses) is the handler's.
 * Spec: Intel SDM vol 1 section 7.3.9, vol 2 MOVS STOS REP.
 */
#include "tcg/emit.h"

#include "target/x86/mem.h"

static bool repeats(const Insn *i)
{
    return i->flags & (INSN_REP | INSN_REPNE);
}

static void add_rr(Asm *a, unsigned to, unsigned from)
{
    asm_op(a, ENC_W, ENC_1, 0x01, from, op_reg(to));
}

static void sub_rr(Asm *a, unsigned to, unsigned from)
{
    asm_op(a, ENC_W, ENC_1, 0x29, from, op_reg(to));
}

/*
 * The stub unless DF is clear and the count fits in a page; a count of zero jumps to the place returned.  H_ADDR becomes the
 * greatest offset in a page at which the run may begin.
 */
static uint8_t *begin_run(Tr *t, const Insn *i, Stub *s)
{
    Asm *a = &t->a;
    asm_op(a, 0, ENC_1, 0xf7, 0, CPU_MEM(eflags)); /* test */
    asm_le(a, FL_DF, 4);
    s->from[0] = asm_jcc(a, 5);
    if (!repeats(i)) {
        asm_mov_imm(a, H_ADDR, 4096 - (1u << i->osize));
        return NULL;
    }
    asm_mov_rr(a, H_ADDR, H_RCX);
    asm_op(a, ENC_W, ENC_1, 0x81, 7, op_reg(H_ADDR)); /* cmp */
    asm_le(a, 4096u >> i->osize, 4);
    s->from[1] = asm_jcc(a, 7);                               /* ja */
    asm_op(a, 0, ENC_1, 0x85, H_ADDR, op_reg(H_ADDR)); /* test */
    uint8_t *none = asm_jcc(a, 4);
    asm_op(a, 0, ENC_1, 0xc1, 4, op_reg(H_ADDR)); /* shl */
    asm_byte(a, i->osize);
    asm_op(a, ENC_W, ENC_1, 0xf7, 3, op_reg(H_ADDR)); /* neg */
    asm_lea64(a, H_ADDR, op_mem(H_ADDR, 4096));
    return none;
}

/* The TLB's addend for the run at guest register `reg` into H_T1; H_T2 is used. */
static void find_run(Tr *t, unsigned reg, bool write, uint8_t **miss)
{
    Asm *a = &t->a;
    size_t table = offsetof(X86Cpu, tlb) + (t->src->mode & 3) * sizeof(((X86Cpu *)0)->tlb[0]);
    size_t tag = table + (write ? offsetof(TlbEntry, wtag) : offsetof(TlbEntry, rtag));
    enum { SHIFT = 12 - 5 }; /* page number times the size of an entry */
    G_STATIC_ASSERT(sizeof(TlbEntry) == 1 << 5);
    asm_mov_rr(a, H_T2, reg);
    asm_op(a, 0, ENC_1, 0x8b, H_T1, op_reg(reg));
    asm_op(a, 0, ENC_1, 0xc1, 5, op_reg(H_T1)); /* shr */
    asm_byte(a, SHIFT);
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T1)); /* and */
    asm_le(a, (TLB_SIZE - 1) * sizeof(TlbEntry), 4);
    asm_op(a, ENC_W, ENC_1, 0x2b, H_T2, op_sib(H_CPU, H_T1, 0, (int32_t)tag)); /* sub T2, tag */
    asm_op(a, ENC_W, ENC_1, 0x39, H_ADDR, op_reg(H_T2));                       /* cmp T2, ADDR */
    *miss = asm_jcc(a, 7);                                                     /* ja */
    asm_load64(a, H_T1, op_sib(H_CPU, H_T1, 0, (int32_t)(table + offsetof(TlbEntry, addend))));
}

/* Host opcode with its size and REP prefixes. */
static void put_string(Asm *a, const Insn *i)
{
    if (repeats(i)) {
        asm_byte(a, 0xf3);
    }
    if (i->osize == 1) {
        asm_byte(a, 0x66);
    } else if (i->osize == 3) {
        asm_byte(a, 0x48);
    }
    asm_byte(a, (uint8_t)((i->opcode & ~1u) | (i->osize != 0)));
}

static void changes(Tr *t, const Insn *i, bool source)
{
    tr_flags_clobber(t);
    tr_reg_changes(t, RDI);
    if (source) {
        tr_reg_changes(t, RSI);
    }
    if (repeats(i)) {
        tr_reg_changes(t, RCX);
    }
}

static bool emit_stos(Tr *t, const Insn *i)
{
    Asm *a = &t->a;
    changes(t, i, false);
    Stub *s = tr_stub(t);
    uint8_t *none = begin_run(t, i, s);
    find_run(t, H_RDI, true, &s->from[2]);
    add_rr(a, H_RDI, H_T1);
    put_string(a, i);
    sub_rr(a, H_RDI, H_T1);
    if (none && !a->full) {
        asm_patch(none, a->p);
    }
    return true;
}

static bool emit_movs(Tr *t, const Insn *i)
{
    Asm *a = &t->a;
    if (i->seg >= SEG_FS) {
        return false;
    }
    changes(t, i, true);
    Stub *s = tr_stub(t);
    uint8_t *none = begin_run(t, i, s);
    find_run(t, H_RSI, false, &s->from[2]);
    asm_store64(a, CPU_MEM(jit_target), H_T1);
    find_run(t, H_RDI, true, &tr_stub(t)->from[0]);
    asm_load64(a, H_T2, CPU_MEM(jit_target));
    add_rr(a, H_RDI, H_T1);
    add_rr(a, H_RSI, H_T2);
    put_string(a, i);
    sub_rr(a, H_RDI, H_T1);
    sub_rr(a, H_RSI, H_T2);
    if (none && !a->full) {
        asm_patch(none, a->p);
    }
    return true;
}

bool emit_string(Tr *t, const Insn *i)
{
    if (i->asize != 3) {
        return false;
    }
    switch (i->opcode & ~1u) {
    case 0xa4:
        return emit_movs(t, i);
    case 0xaa:
        return emit_stos(t, i);
    default:
        return false;
    }
}
