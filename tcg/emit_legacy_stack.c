/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stack of 16-bit and 32-bit code: operands of 16 or 32 bits, a stack pointer of either width, a segment. */
#include "tcg/emit.h"

static unsigned narrow(const Insn *i)
{
    return i->osize == 1 ? ENC_66 : 0;
}

void legacy_set_stack(Tr *t, unsigned host, int32_t disp)
{
    asm_op(&t->a, t->src->mode & JIT_MODE_STACK32 ? 0 : ENC_66, ENC_1, 0x8d, H_GUEST_RSP, op_mem(host, disp)); /* lea */
}

static HostOp push_memory(Tr *t, const Insn *i)
{
    tr_reg_changes(t, RSP);
    tr_flags_clobber(t);
    tr_stack_offset(t, H_GUEST_RSP, -(int32_t)bytes_of(i));
    return tr_memory(t, bytes_of(i), true, false);
}

static void pushed(Tr *t, const Insn *i)
{
    legacy_set_stack(t, H_GUEST_RSP, -(int32_t)bytes_of(i));
}

void legacy_push(Tr *t, const Insn *i, unsigned h)
{
    HostOp m = push_memory(t, i);
    asm_op(&t->a, narrow(i), ENC_1, 0x89, h, m);
    pushed(t, i);
}

void legacy_push_value(Tr *t, const Insn *i, uint64_t v)
{
    HostOp m = push_memory(t, i);
    asm_op(&t->a, narrow(i), ENC_1, 0xc7, 0, m);
    put_imm(t, (int64_t)v, i->osize);
    pushed(t, i);
}

/* What H_T2 or H_ADDR was put away to. */
static void push_kept(Tr *t, const Insn *i)
{
    HostOp m = push_memory(t, i);
    asm_load64(&t->a, H_T2, CPU_MEM(jit_target));
    asm_op(&t->a, narrow(i), ENC_1, 0x89, H_T2, m);
    pushed(t, i);
}

/* A value of the operand's size from the stack at `host` into a host register, of which a narrow one keeps the rest. */
static void load_stack(Tr *t, const Insn *i, unsigned host, unsigned to)
{
    tr_flags_clobber(t);
    tr_stack_offset(t, host, 0);
    HostOp m = tr_memory(t, bytes_of(i), false, false);
    asm_op(&t->a, narrow(i), ENC_1, 0x8b, to, m);
}

bool legacy_pop(Tr *t, const Insn *i)
{
    if (i->rm == RSP) {
        return false;
    }
    tr_reg_changes(t, i->rm);
    tr_reg_changes(t, RSP);
    load_stack(t, i, H_GUEST_RSP, host_of(i->rm));
    legacy_set_stack(t, H_GUEST_RSP, (int32_t)bytes_of(i));
    return true;
}

bool legacy_leave(Tr *t, const Insn *i)
{
    tr_reg_changes(t, RBP);
    tr_reg_changes(t, RSP);
    load_stack(t, i, H_RBP, H_T2);
    legacy_set_stack(t, H_RBP, (int32_t)bytes_of(i));
    asm_op(&t->a, narrow(i), ENC_1, 0x8b, H_RBP, op_reg(H_T2));
    return true;
}

bool legacy_load_operand(Tr *t, const Insn *i)
{
    HostOp m;
    if (!tr_operand(t, i, bytes_of(i), 0, &m)) {
        return false;
    }
    asm_op(&t->a, 0, i->osize == 1 ? ENC_0F : ENC_1, i->osize == 1 ? 0xb7 : 0x8b, H_ADDR, m);
    return true;
}

bool legacy_push_operand(Tr *t, const Insn *i)
{
    tr_reg_changes(t, RSP);
    if (!legacy_load_operand(t, i)) {
        return false;
    }
    asm_store64(&t->a, CPU_MEM(jit_target), H_ADDR);
    push_kept(t, i);
    return true;
}

bool legacy_push_segment(Tr *t, const Insn *i, unsigned seg)
{
    HostOp m = push_memory(t, i);
    asm_op(&t->a, 0, ENC_0F, 0xb7, H_T2,
           op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, seg) + seg * sizeof(Segment) + offsetof(Segment, selector))));
    asm_op(&t->a, narrow(i), ENC_1, 0x89, H_T2, m);
    pushed(t, i);
    return true;
}

static bool is_v86(const Tr *t)
{
    return !(t->src->mode & JIT_MODE_PROTECTED) && (t->src->mode >> JIT_MODE_CPL_SHIFT & 3) != 0;
}

/* In virtual-8086 mode IOPL decides. */
bool legacy_pushf(Tr *t, const Insn *i)
{
    if (is_v86(t)) {
        return false;
    }
    tr_eflags(t);
    asm_store64(&t->a, CPU_MEM(jit_target), H_T2);
    push_kept(t, i);
    return true;
}

bool legacy_popf(Tr *t, const Insn *i)
{
    if (is_v86(t)) {
        return false;
    }
    tr_reg_changes(t, RSP);
    load_stack(t, i, H_GUEST_RSP, H_T2);
    tr_pop_eflags(t, i);
    legacy_set_stack(t, H_GUEST_RSP, (int32_t)bytes_of(i));
    tr_exit_to(t, t->rip[t->n + 1]);
    return true;
}
