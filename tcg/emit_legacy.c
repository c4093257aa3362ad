/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What 16-bit and 32-bit code does in its own way: the stack, whose pointer is ESP or SP, near transfers, INC and DEC in
 * one byte.  The rest of the instructions differ in their operands' addresses only (segments.c).
 */
#include "tcg/emit.h"

/* ---- the stack ---- */

static unsigned narrow(const Insn *i)
{
    return i->osize == 1 ? ENC_66 : 0;
}

/* The stack pointer becomes `host` + disp; what is above its width stays, or becomes 0. */
static void set_stack(Tr *t, unsigned host, int32_t disp)
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
    set_stack(t, H_GUEST_RSP, -(int32_t)bytes_of(i));
}

static void push_host(Tr *t, const Insn *i, unsigned h)
{
    HostOp m = push_memory(t, i);
    asm_op(&t->a, narrow(i), ENC_1, 0x89, h, m);
    pushed(t, i);
}

static void push_value(Tr *t, const Insn *i, uint64_t v)
{
    HostOp m = push_memory(t, i);
    asm_op(&t->a, narrow(i), ENC_1, 0xc7, 0, m);
    put_imm(t, (int64_t)v, i->osize);
    pushed(t, i);
}

/* PUSH of memory, and CALL through it: the push needs what the value was loaded with. */
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

static bool pop(Tr *t, const Insn *i)
{
    if (i->rm == RSP) {
        return false;
    }
    tr_reg_changes(t, i->rm);
    tr_reg_changes(t, RSP);
    load_stack(t, i, H_GUEST_RSP, host_of(i->rm));
    set_stack(t, H_GUEST_RSP, (int32_t)bytes_of(i));
    return true;
}

static bool leave(Tr *t, const Insn *i)
{
    tr_reg_changes(t, RBP);
    tr_reg_changes(t, RSP);
    load_stack(t, i, H_RBP, H_T2);
    set_stack(t, H_RBP, (int32_t)bytes_of(i));
    asm_op(&t->a, narrow(i), ENC_1, 0x8b, H_RBP, op_reg(H_T2));
    return true;
}

/* An operand in memory, zero-extended, to H_ADDR. */
static bool load_operand(Tr *t, const Insn *i)
{
    HostOp m;
    if (!tr_operand(t, i, bytes_of(i), 0, &m)) {
        return false;
    }
    asm_op(&t->a, 0, i->osize == 1 ? ENC_0F : ENC_1, i->osize == 1 ? 0xb7 : 0x8b, H_ADDR, m);
    return true;
}

static bool push_memory_operand(Tr *t, const Insn *i)
{
    tr_reg_changes(t, RSP);
    if (!load_operand(t, i)) {
        return false;
    }
    asm_store64(&t->a, CPU_MEM(jit_target), H_ADDR);
    push_kept(t, i);
    return true;
}

/* ---- transfers ---- */

/* A target of 16 bits is inside every limit that translated code has. */
static bool inside(const Tr *t, const Insn *i)
{
    return i->osize == 1 || (t->src->mode & JIT_MODE_CS_4G);
}

static bool direct_target(const Tr *t, const Insn *i, gva_t *target)
{
    *target = (t->rip[t->n + 1] + i->imm) & (i->osize == 1 ? 0xffff : 0xffffffffu);
    return *target <= 0xffff || (t->src->mode & JIT_MODE_CS_4G);
}

static bool jcc(Tr *t, const Insn *i)
{
    gva_t target;
    if (!direct_target(t, i, &target)) {
        return false;
    }
    tr_flags_load(t);
    tr_flags_to_cpu(t);
    tr_exit_if(t, i->opcode & 15, target, t->rip[t->n + 1]);
    return true;
}

static bool jump(Tr *t, const Insn *i)
{
    gva_t target;
    if (!direct_target(t, i, &target)) {
        return false;
    }
    tr_flags_to_cpu(t);
    tr_exit_to(t, target);
    return true;
}

static void flags_home(Tr *t)
{
    tr_flags_to_cpu(t);
    t->place = FLAGS_IN_CPU;
}

static bool call(Tr *t, const Insn *i)
{
    gva_t target;
    if (!direct_target(t, i, &target)) {
        return false;
    }
    flags_home(t);
    push_value(t, i, t->rip[t->n + 1]);
    tr_call_to(t, target);
    return true;
}

/* FF /2, /4 */
static bool indirect(Tr *t, const Insn *i, bool is_call)
{
    Asm *a = &t->a;
    if (!inside(t, i)) {
        return false;
    }
    flags_home(t);
    if (!is_mem(i)) {
        asm_op(a, 0, i->osize == 1 ? ENC_0F : ENC_1, i->osize == 1 ? 0xb7 : 0x8b, H_ADDR, op_reg(host_of(i->rm)));
    } else if (!load_operand(t, i)) {
        return false;
    }
    if (!is_call) {
        tr_exit_indirect(t);
        return true;
    }
    asm_store64(a, CPU_MEM(jit_target), H_ADDR);
    push_value(t, i, t->rip[t->n + 1]);
    asm_load64(a, H_ADDR, CPU_MEM(jit_target));
    tr_call_indirect(t);
    return true;
}

static bool ret(Tr *t, const Insn *i)
{
    Asm *a = &t->a;
    if (!inside(t, i)) {
        return false;
    }
    int32_t drop = (int32_t)(bytes_of(i) + (i->opcode == 0xc2 ? (uint16_t)i->imm : 0));
    flags_home(t);
    tr_reg_changes(t, RSP);
    tr_stack_offset(t, H_GUEST_RSP, 0);
    HostOp m = tr_memory(t, bytes_of(i), false, false);
    asm_op(a, 0, i->osize == 1 ? ENC_0F : ENC_1, i->osize == 1 ? 0xb7 : 0x8b, H_ADDR, m);
    set_stack(t, H_GUEST_RSP, drop);
    asm_op(a, ENC_W, ENC_1, 0x3b, H_ADDR, op_mem(H_RSP, 8));
    uint8_t *miss = asm_jcc(a, 5);
    asm_byte(a, 0xc3);
    if (!a->full) {
        asm_patch(miss, a->p);
    }
    asm_jmp_to(a, t->jit->ret_miss);
    t->ended = true;
    return true;
}

/* ---- INC and DEC: 40 to 4F ---- */

static bool incdec(Tr *t, const Insn *i)
{
    EOp e;
    FlagUse use = t->live[t->n] & LIVE_C ? FLAGS_NEEDED : FLAGS_REPLACED;
    tr_e_reg(t, i->rm, false, i->osize, E_READ | E_WRITE, use, &e);
    tr_op_ext(t, &e, ENC_1, 0xff, i->opcode >> 3 & 1);
    tr_flags_set(t, no_desc);
    return true;
}

/* ---- which of them ---- */

static Emitted done_if(bool emitted)
{
    return emitted ? EMITTED : EMITTED_BY_HANDLER;
}

static Emitted group5(Tr *t, const Insn *i)
{
    switch (i->modrm >> 3 & 7) {
    case 2:
        return done_if(indirect(t, i, true));
    case 4:
        return done_if(indirect(t, i, false));
    case 6:
        if (is_mem(i)) {
            return done_if(push_memory_operand(t, i));
        }
        push_host(t, i, host_of(i->rm));
        return EMITTED;
    default:
        return EMITTED_AS_64;
    }
}

static Emitted one_byte(Tr *t, const Insn *i)
{
    switch (i->opcode) {
    case 0x40 ... 0x4f:
        return done_if(incdec(t, i));
    case 0x50 ... 0x57:
        push_host(t, i, host_of(i->rm));
        return EMITTED;
    case 0x58 ... 0x5f:
        return done_if(pop(t, i));
    case 0x68:
    case 0x6a:
        push_value(t, i, i->imm);
        return EMITTED;
    case 0x70 ... 0x7f:
        return done_if(jcc(t, i));
    case 0x9c:
        return EMITTED_BY_HANDLER;
    case 0xc2:
    case 0xc3:
        return done_if(ret(t, i));
    case 0xc9:
        return done_if(leave(t, i));
    case 0xe8:
        return done_if(call(t, i));
    case 0xe9:
    case 0xeb:
        return done_if(jump(t, i));
    case 0xff:
        return group5(t, i);
    default:
        return EMITTED_AS_64;
    }
}

Emitted emit_legacy(Tr *t, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    bool vex = row->map >= MAP_VEX_0F;
    if (vex && (!(t->src->mode & JIT_MODE_PROTECTED) || row->mod == MOD_NONE)) {
        return EMITTED_BY_HANDLER; /* #UD; VZEROUPPER and VZEROALL, which leave half of the registers alone */
    }
    if (row->attr & A_SYS) {
        bool interrupts = row->map == MAP_1 && (i->opcode == 0xfa || i->opcode == 0xfb); /* CLI, STI */
        bool access = row->map == MAP_0F && i->opcode == 0x01 && (i->modrm == 0xca || i->modrm == 0xcb); /* CLAC, STAC */
        return interrupts || access ? EMITTED_AS_64 : EMITTED_BY_HANDLER;
    }
    if (row->map == MAP_1) {
        return one_byte(t, i);
    }
    return row->map == MAP_0F && (i->opcode & 0xf0) == 0x80 ? done_if(jcc(t, i)) : EMITTED_AS_64;
}
