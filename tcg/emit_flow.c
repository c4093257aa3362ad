/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stack, and transfers of control. */
#include "tcg/emit.h"

/* ---- transfers on a condition ---- */

bool emit_jcc(Tr *t, const Insn *i)
{
    if (i->osize != 3) {
        return false;
    }
    tr_flags_load(t);
    gva_t next = t->rip[t->n + 1];
    if (tr_again_if(t, i->opcode & 15)) {
        tr_flags_to_cpu(t);
        tr_exit_to(t, next);
    } else {
        tr_branch(t, i->opcode & 15, next + i->imm);
    }
    return true;
}

/* ---- stack and transfers ---- */

static void stack_store(Tr *t, HostOp m, unsigned h)
{
    asm_store64(&t->a, m, h);
    asm_lea64(&t->a, H_GUEST_RSP, op_mem(H_GUEST_RSP, -8));
}

static HostOp push_memory(Tr *t)
{
    tr_reg_changes(t, RSP);
    return tr_stack(t, RSP, -8, true);
}

bool emit_push(Tr *t, const Insn *i)
{
    if (i->osize != 3) {
        return false;
    }
    HostOp m = push_memory(t);
    stack_store(t, m, tr_use(t, i->rm, H_T2));
    return true;
}

static void push_value(Tr *t, uint64_t v)
{
    HostOp m = push_memory(t);
    if ((uint64_t)(int64_t)(int32_t)v == v) {
        asm_store_imm32(&t->a, m, (int32_t)v);
        asm_lea64(&t->a, H_GUEST_RSP, op_mem(H_GUEST_RSP, -8));
    } else {
        asm_mov_imm(&t->a, H_T2, v);
        stack_store(t, m, H_T2);
    }
}

bool emit_push_imm(Tr *t, const Insn *i)
{
    if (i->osize != 3) {
        return false;
    }
    push_value(t, i->opcode == 0x6a ? (uint64_t)(int64_t)(int8_t)i->imm : (uint64_t)(int64_t)(int32_t)i->imm);
    return true;
}

bool emit_pop(Tr *t, const Insn *i)
{
    if (i->osize != 3 || i->rm == RSP) {
        return false;
    }
    tr_reg_changes(t, i->rm);
    tr_reg_changes(t, RSP);
    HostOp m = tr_stack(t, RSP, 0, false);
    unsigned d = host_of(i->rm) != H_NONE ? host_of(i->rm) : H_T2;
    asm_load64(&t->a, d, m);
    asm_lea64(&t->a, H_GUEST_RSP, op_mem(H_GUEST_RSP, 8));
    if (d == H_T2) {
        tr_commit(t, i->rm, d);
    }
    return true;
}

bool emit_leave(Tr *t, const Insn *i)
{
    if (i->osize != 3) {
        return false;
    }
    tr_reg_changes(t, RBP);
    tr_reg_changes(t, RSP);
    HostOp m = tr_stack(t, RBP, 0, false);
    asm_load64(&t->a, H_T2, m);
    asm_lea64(&t->a, H_GUEST_RSP, op_mem(H_RBP, 8));
    asm_mov_rr(&t->a, H_RBP, H_T2);
    return true;
}

/* Where a transfer to H_ADDR goes that is not prepared: its target may also not be canonical. */
static Stub *unprepared(Tr *t, uint8_t *from, const uint8_t *routine)
{
    Stub *s = tr_stub(t);
    s->from[0] = from;
    s->routine = routine;
    return s;
}

bool emit_ret(Tr *t, const Insn *i)
{
    Asm *a = &t->a;
    if (i->osize != 3 || i->opcode == 0xc2) { /* nobody drops arguments in 64-bit code */
        return false;
    }
    tr_flags_to_cpu(t);
    t->place = FLAGS_IN_CPU;
    tr_reg_changes(t, RSP);
    HostOp m = tr_stack(t, RSP, 0, false);
    asm_load64(a, H_ADDR, m);
    asm_op(a, ENC_W, ENC_1, 0x3b, H_ADDR, op_mem(H_RSP, 8));
    unprepared(t, asm_jcc(a, 5), t->jit->ret_checked);
    asm_lea64(a, H_GUEST_RSP, op_mem(H_GUEST_RSP, 8));
    asm_byte(a, 0xc3);
    t->ended = true;
    return true;
}

bool emit_jump(Tr *t, const Insn *i)
{
    if (i->osize != 3) {
        return false;
    }
    tr_flags_to_cpu(t);
    tr_exit_to(t, t->rip[t->n + 1] + i->imm);
    return true;
}

bool emit_call(Tr *t, const Insn *i)
{
    if (i->osize != 3) {
        return false;
    }
    tr_flags_to_cpu(t);
    t->place = FLAGS_IN_CPU;
    push_value(t, t->rip[t->n + 1]);
    tr_call_to(t, t->rip[t->n + 1] + i->imm);
    return true;
}

/* To H_ADDR.  What is in the table is canonical. */
static void jump_indirect(Tr *t)
{
    Asm *a = &t->a;
    unprepared(t, asm_table_lookup(a), t->jit->exit_checked);
    asm_op(a, 0, ENC_1, 0xff, 4, asm_table_code());
    t->ended = true;
}

/* The same for CALL.  The push is the last that may fault. */
static void call_indirect(Tr *t)
{
    Asm *a = &t->a;
    Stub *s = unprepared(t, asm_table_lookup(a), t->jit->call_checked);
    asm_load64(a, H_T1, asm_table_code());
    s->back = a->p;
    asm_store64(a, CPU_MEM(jit_target), H_T1);
    push_value(t, t->rip[t->n + 1]);
    tr_call_code(t);
}

/* CALL and JMP through a register or memory: FF /2, FF /4. */
static bool emit_indirect(Tr *t, const Insn *i, bool call)
{
    HostOp m;
    if (i->osize != 3 || (!is_mem(i) && call && i->rm == RSP)) {
        return false;
    }
    tr_flags_to_cpu(t);
    t->place = FLAGS_IN_CPU;
    if (!is_mem(i)) {
        asm_mov_rr(&t->a, H_ADDR, tr_use(t, i->rm, H_ADDR));
    } else if (tr_operand(t, i, 8, 0, &m)) {
        asm_load64(&t->a, H_ADDR, m);
    } else {
        return false;
    }
    if (call) {
        call_indirect(t);
    } else {
        jump_indirect(t);
    }
    return true;
}

bool emit_group5(Tr *t, const Insn *i)
{
    switch (i->modrm >> 3 & 7) {
    case 0:
    case 1:
        return emit_incdec(t, i);
    case 2:
        return emit_indirect(t, i, true);
    case 4:
        return emit_indirect(t, i, false);
    case 6:
        return !is_mem(i) && emit_push(t, i);
    default:
        return false;
    }
}
