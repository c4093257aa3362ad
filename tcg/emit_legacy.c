/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What 16-bit and 32-bit code does in its own way: the stack (emit_legacy_stack.c), near transfers, INC and DEC in one
 * byte.  The rest of the instructions differ in their operands' addresses only (segments.c).
 */
#include "tcg/emit.h"

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
    tr_branch(t, i->opcode & 15, target);
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
    legacy_push_value(t, i, t->rip[t->n + 1]);
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
    } else if (!legacy_load_operand(t, i)) {
        return false;
    }
    if (!is_call) {
        tr_exit_indirect(t);
        return true;
    }
    asm_store64(a, CPU_MEM(jit_target), H_ADDR);
    legacy_push_value(t, i, t->rip[t->n + 1]);
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
    legacy_set_stack(t, H_GUEST_RSP, drop);
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

/* LOOP and JCXZ count in CX or ECX by the address size; LOOPE and LOOPNE are their handlers'. */
static bool loop(Tr *t, const Insn *i)
{
    bool counts = i->opcode == 0xe2;
    unsigned narrow = i->asize == 1 ? ENC_66 : 0;
    gva_t target;
    if (i->opcode < 0xe2 || !direct_target(t, i, &target)) {
        return false;
    }
    flags_home(t);
    if (counts) {
        tr_reg_changes(t, RCX);
        asm_op(&t->a, narrow, ENC_1, 0x8d, H_RCX, op_mem(H_RCX, -1)); /* lea */
    }
    asm_op(&t->a, narrow, ENC_1, 0x85, H_RCX, op_reg(H_RCX)); /* test */
    tr_exit_if(t, counts ? 5 : 4, target, t->rip[t->n + 1]);
    return true;
}

/* ---- INC and DEC: 40 to 4F ---- */

static bool incdec(Tr *t, const Insn *i)
{
    EOp e;
    FlagUse use = step_flags(t, i->rm);
    tr_e_reg(t, i->rm, false, i->osize, E_READ | E_WRITE, use, &e);
    emit_step(t, i, &e, use, i->rm, i->opcode >> 3 & 1);
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
            return done_if(legacy_push_operand(t, i));
        }
        legacy_push(t, i, host_of(i->rm));
        return EMITTED;
    default:
        return EMITTED_AS_64;
    }
}

static Emitted one_byte(Tr *t, const Insn *i)
{
    switch (i->opcode) {
    case 0x06:
    case 0x0e:
    case 0x16:
    case 0x1e:
        return done_if(legacy_push_segment(t, i, i->opcode >> 3));
    case 0x40 ... 0x4f:
        return done_if(incdec(t, i));
    case 0x50 ... 0x57:
        legacy_push(t, i, host_of(i->rm));
        return EMITTED;
    case 0x58 ... 0x5f:
        return done_if(legacy_pop(t, i));
    case 0x68:
    case 0x6a:
        legacy_push_value(t, i, i->imm);
        return EMITTED;
    case 0x70 ... 0x7f:
        return done_if(jcc(t, i));
    case 0x9c:
        return done_if(legacy_pushf(t, i));
    case 0x9d:
        return done_if(legacy_popf(t, i));
    case 0xc2:
    case 0xc3:
        return done_if(ret(t, i));
    case 0xc9:
        return done_if(legacy_leave(t, i));
    case 0xe0 ... 0xe3:
        return done_if(loop(t, i));
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
    if (row->map == MAP_0F && (i->opcode & 0xf7) == 0xa0) {
        return done_if(legacy_push_segment(t, i, SEG_FS + (i->opcode >> 3 & 1)));
    }
    return row->map == MAP_0F && (i->opcode & 0xf0) == 0x80 ? done_if(jcc(t, i)) : EMITTED_AS_64;
}
