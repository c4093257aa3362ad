/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the guest's x87 and MMX registers are, and the addresses of the last x87 instruction and operand.
 *
 * X86Cpu.fpu_live tells whether the state is in the host's x87 unit.  It is fetched before the first instruction of a block
 * that works on it and stays there, over other blocks and C code too, until somebody calls fpu_sync(): the handlers of x87,
 * MMX and state-saving instructions do, and the run loop before others look at the processor.
 *
 * The pointers (FIP, FDP, FOP, their selectors) are always in X86Cpu.fpu.  FDP is stored with each memory operand, the
 * others once for a row of x87 instructions: behind the last one, and in the stubs of those between.
 */
#include "tcg/internal.h"

#define FPU_MEM(member) CPU_MEM(fpu.member)

void tr_x87_enter(Tr *t)
{
    if (t->fpu_live) {
        return;
    }
    tr_flags_clobber(t);
    asm_op(&t->a, 0, ENC_1, 0x80, 7, CPU_MEM(fpu_live)); /* cmp byte */
    asm_byte(&t->a, 0);
    X87Fetch *f = &t->fetches[t->num_fetches++];
    f->from = asm_jcc(&t->a, 4);
    f->back = t->a.p;
    t->a.touched |= 1u << H_T1 | 1u << H_T2;
    t->fpu_live = true;
}

void tr_x87_emit_fetches(Tr *t)
{
    for (unsigned n = 0; n < t->num_fetches && !t->a.full; n++) {
        asm_patch(t->fetches[n].from, t->a.p);
        asm_call_to(&t->a, t->jit->fetch_x87);
        asm_jmp_to(&t->a, t->fetches[n].back);
    }
}

/* ---- pointers ---- */

static HostOp selector(unsigned seg)
{
    return op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, seg) + seg * sizeof(Segment) + offsetof(Segment, selector)));
}

static void copy16(Tr *t, HostOp to, HostOp from)
{
    asm_op(&t->a, 0, ENC_0F, 0xb7, H_T2, from); /* movzx */
    asm_op(&t->a, ENC_66, ENC_1, 0x89, H_T2, to);
}

void tr_x87_store_pointers(Tr *t, const X87Pointers *p)
{
    if (!p->owed) {
        return;
    }
    const Insn *i = &t->src->insns[p->n];
    asm_mov_imm(&t->a, H_T2, t->rip[p->n]);
    asm_store64(&t->a, FPU_MEM(fip), H_T2);
    asm_op(&t->a, ENC_66, ENC_1, 0xc7, 0, FPU_MEM(fop));
    asm_le(&t->a, (uint64_t)((i->opcode & 7) << 8 | i->modrm), 2);
    copy16(t, FPU_MEM(fcs), selector(SEG_CS));
    if (p->operand) {
        copy16(t, FPU_MEM(fds), selector(p->seg));
    }
}

bool insn_x87_control(const Insn *i)
{
    if (insn_row(i)->map != MAP_1) { /* FXSAVE, XSAVE ... */
        return true;
    }
    unsigned reg = i->modrm >> 3 & 7;
    switch (i->opcode) {
    case 0x9b:
        return true;
    case 0xd9:
        return (i->flags & INSN_MEM) && reg >= 4;
    case 0xdb:
        return !(i->flags & INSN_MEM) && reg == 4;
    case 0xdd:
        return (i->flags & INSN_MEM) && (reg == 4 || reg >= 6);
    case 0xdf:
        return i->modrm == 0xe0;
    default:
        return false;
    }
}

/* Does an x87 instruction follow that sets the pointers again, with no way out between that is not a stub? */
static bool set_again(const Tr *t)
{
    for (unsigned n = t->n + 1; n < t->src->num; n++) {
        const Insn *i = &t->src->insns[n];
        if (insn_undefined(i) || (insn_row(i)->attr & (A_END | A_SYS | A_IO | A_REP))) {
            return false;
        }
        if ((insn_row(i)->attr & A_X87) && !insn_x87_control(i)) {
            return true;
        }
    }
    return false;
}

void tr_x87_track(Tr *t, const Insn *i)
{
    X87Pointers *p = &t->pointers;
    if (i->flags & INSN_MEM) {
        unsigned ea = H_ADDR;
        if (i->seg >= SEG_FS && tr_code64(t)) { /* tr_address() has added the base; flags are not in the host now */
            ea = H_T2;
            asm_mov_rr(&t->a, ea, H_ADDR);
            asm_op(&t->a, ENC_W, ENC_1, 0x2b, ea, op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, seg) + i->seg * sizeof(Segment) +
                                                                         offsetof(Segment, base))));
        }
        asm_store64(&t->a, FPU_MEM(fdp), ea);
        p->operand = true;
        p->seg = i->seg;
    }
    p->owed = true;
    p->n = (uint8_t)t->n;
    if (!set_again(t)) {
        tr_x87_before_c(t);
    }
}

void tr_x87_before_c(Tr *t)
{
    tr_x87_store_pointers(t, &t->pointers);
    t->pointers = (X87Pointers){0};
}
