/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers and memory operands of translated instructions. */
#include "tcg/internal.h"

#include "target/x86/mem.h"

unsigned tr_use(Tr *t, unsigned guest, unsigned scratch)
{
    unsigned h = host_of(guest);
    if (h != H_NONE) {
        return h;
    }
    asm_load64(&t->a, scratch, guest_home(guest));
    return scratch;
}

void tr_commit(Tr *t, unsigned guest, unsigned h)
{
    unsigned own = host_of(guest);
    if (own == H_NONE) {
        asm_store64(&t->a, guest_home(guest), h);
    } else if (own != h) {
        asm_mov_rr(&t->a, own, h);
    }
}

bool tr_address(Tr *t, const Insn *i)
{
    Asm *a = &t->a;
    if (i->disp != (int32_t)i->disp || (i->base == REG_IP && i->asize != 3)) {
        return false;
    }
    if (i->base == REG_IP) {
        asm_mov_imm(a, H_ADDR, t->rip[t->n + 1] + (uint64_t)i->disp);
    } else if (i->base == REG_ZERO && i->index == REG_ZERO) {
        asm_mov_imm(a, H_ADDR, (uint64_t)i->disp & asize_mask[i->asize]);
    } else {
        unsigned index = i->index == REG_ZERO ? H_NONE : tr_use(t, i->index, H_T1);
        unsigned wide = i->asize == 3 ? ENC_W : 0;
        if (i->base == REG_ZERO) {
            /* index * scale + disp32: ModRM has a form without base, the encoder does without it */
            asm_mov_imm(a, H_ADDR, 0);
            asm_op(a, wide, ENC_1, 0x8d, H_ADDR, op_sib(H_ADDR, index, i->scale, (int32_t)i->disp));
        } else {
            unsigned base = tr_use(t, i->base, H_ADDR);
            HostOp m = index == H_NONE ? op_mem(base, (int32_t)i->disp)
                                       : op_sib(base, index, i->scale, (int32_t)i->disp);
            asm_op(a, wide, ENC_1, 0x8d, H_ADDR, m);
        }
    }
    if (i->seg >= SEG_FS) {
        asm_load64(a, H_T1, op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, seg) + i->seg * sizeof(Segment) +
                                                    offsetof(Segment, base))));
        asm_lea64(a, H_ADDR, op_sib(H_ADDR, H_T1, 0, 0));
    }
    return true;
}

Stub *tr_stub(Tr *t)
{
    Stub *s = &t->stubs[t->num_stubs++];
    *s = (Stub){.n = t->n, .place = t->place, .desc = t->desc};
    return s;
}

HostOp tr_memory(Tr *t, unsigned size, bool write, bool wants_flags)
{
    Asm *a = &t->a;
    size_t table = offsetof(X86Cpu, tlb) + (t->src->mode & 3) * sizeof(((X86Cpu *)0)->tlb[0]);
    size_t tag = table + (write ? offsetof(TlbEntry, wtag) : offsetof(TlbEntry, rtag));
    tr_flags_clobber(t);
    Stub *s = tr_stub(t);
    s->wants_flags = wants_flags;
    asm_op(a, 0, ENC_1, 0x8b, H_T1, op_reg(H_ADDR));       /* mov T1d, ADDRd */
    asm_op(a, 0, ENC_1, 0xc1, 5, op_reg(H_T1));            /* shr T1d, 12 - log2(32) */
    asm_byte(a, 7);
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T1));            /* and T1d, index mask * 32 */
    asm_le(a, (TLB_SIZE - 1) * sizeof(TlbEntry), 4);
    asm_mov_rr(a, H_T2, H_ADDR);
    asm_op(a, ENC_W, ENC_1, 0x2b, H_T2, op_sib(H_CPU, H_T1, 0, (int32_t)tag)); /* sub T2, tag */
    asm_op(a, ENC_W, ENC_1, 0x81, 7, op_reg(H_T2));        /* cmp T2, 4096 - size */
    asm_le(a, 4096 - size, 4);
    s->from[0] = asm_jcc(a, 7); /* ja */
    asm_load64(a, H_T1, op_sib(H_CPU, H_T1, 0, (int32_t)(table + offsetof(TlbEntry, addend))));
    return op_sib(H_T1, H_ADDR, 0, 0);
}
