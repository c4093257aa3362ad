/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of code that is not 64-bit.  A flat segment, which its mode names, costs nothing: what lies across the end of
 * 4 GiB lies across a page too, and such operands are the interpreter's.  Any other one is looked at as it is at the time
 * of the access, by the limits that the interpreter goes by (Segment.fast_r, fast_w); its base is added modulo 4 GiB.
 * Spec: Intel SDM vol 3 sections 3.3, 3.4.
 */
#include "tcg/emit.h"

static bool is_flat(const Tr *t, unsigned seg)
{
    return seg < SEG_FS && seg != SEG_CS && (t->src->mode >> (JIT_MODE_FLAT_SHIFT + seg) & 1);
}

static HostOp segment_member(unsigned seg, size_t member)
{
    return op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, seg) + seg * sizeof(Segment) + member));
}

/* An offset has been computed modulo 4 GiB. */
static void offset_done(Tr *t, unsigned seg, bool wide)
{
    if (!wide) {
        asm_op(&t->a, 0, ENC_0F, 0xb7, H_ADDR, op_reg(H_ADDR)); /* movzx */
    }
    t->seg = is_flat(t, seg) ? NUM_SEGS : seg;
}

void tr_offset(Tr *t, const Insn *i)
{
    unsigned index = i->index == REG_ZERO ? H_NONE : host_of(i->index);
    if (i->base == REG_ZERO && index == H_NONE) {
        asm_mov_imm(&t->a, H_ADDR, (uint32_t)i->disp);
    } else {
        unsigned base = i->base == REG_ZERO ? H_NONE : host_of(i->base);
        asm_op(&t->a, 0, ENC_1, 0x8d, H_ADDR, op_sib(base, index, i->scale, (int32_t)i->disp)); /* lea ADDRd */
    }
    offset_done(t, i->seg, i->asize == 2);
}

void tr_stack_offset(Tr *t, unsigned host, int32_t disp)
{
    if (disp) {
        asm_op(&t->a, 0, ENC_1, 0x8d, H_ADDR, op_mem(host, disp));
    } else {
        asm_op(&t->a, 0, ENC_1, 0x8b, H_ADDR, op_reg(host));
    }
    offset_done(t, SEG_SS, t->src->mode & JIT_MODE_STACK32);
}

void tr_segment(Tr *t, unsigned reg, unsigned size, bool write, Stub *s)
{
    Asm *a = &t->a;
    if (t->seg == NUM_SEGS) {
        return;
    }
    size_t end = write ? offsetof(Segment, fast_w) : offsetof(Segment, fast_r);
    asm_lea64(a, H_T1, op_mem(reg, (int32_t)size));
    asm_op(a, ENC_W, ENC_1, 0x3b, H_T1, segment_member(t->seg, end));
    s->from[2] = asm_jcc(a, 7); /* ja */
    asm_op(a, 0, ENC_1, 0x03, reg, segment_member(t->seg, offsetof(Segment, base))); /* add, 32 bits */
    t->seg = NUM_SEGS;
}
