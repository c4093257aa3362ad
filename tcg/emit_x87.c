/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 instructions, as they are: the guest's stack, tags, status and control word are the host's (x87.c).  Only while all
 * exceptions are masked (JIT_MODE_X87), so that the host never raises one.
 * Spec: Intel SDM vol 1 chapter 8.
 */
#include "tcg/emit.h"

#include "target/x86/fpu.h"

/* Bytes of the memory operand by the type letter of "Mw", "Md", "Mq", "Mt". */
static unsigned operand_bytes(const Insn *i)
{
    switch (insn_row(i)->operands[1]) {
    case 'w':
        return 2;
    case 'd':
        return 4;
    case 'q':
        return 8;
    default:
        return 10;
    }
}

static bool emit_memory(Tr *t, const Insn *i)
{
    if (!tr_address(t, i)) {
        return false;
    }
    tr_x87_enter(t);
    tr_flags_clobber(t); /* needs H_T2 */
    asm_mov_rr(&t->a, H_T2, H_ADDR); /* H_ADDR is the pointer to be recorded */
    tr_slot_memory(t, H_T2, operand_bytes(i), insn_row(i)->attr & A_STORE, false);
    asm_op(&t->a, 0, ENC_1, i->opcode, i->modrm >> 3 & 7, op_mem(H_T2, 0));
    tr_x87_track(t, i);
    return true;
}

static void put(Tr *t, uint8_t opcode, uint8_t modrm)
{
    asm_byte(&t->a, opcode);
    asm_byte(&t->a, modrm);
}

/* FCMOVcc reads the flags, FCOMI and FUCOMI set them. */
static bool emit_register(Tr *t, const Insn *i)
{
    bool sets_flags = insn_row(i)->flags_written & FL_OSZAPC;
    tr_x87_enter(t);
    if (insn_row(i)->flags_read & FL_OSZAPC) {
        tr_flags_load(t);
    }
    if (sets_flags) {
        flags_die(t);
    }
    put(t, i->opcode, i->modrm);
    if (sets_flags) {
        tr_flags_set(t, no_desc);
    }
    tr_x87_track(t, i);
    return true;
}

/* ---- control: no pointers ---- */

/* The handler does it when the new control word unmasks an exception. */
static bool emit_fldcw(Tr *t, const Insn *i)
{
    Asm *a = &t->a;
    if (!tr_address(t, i)) {
        return false;
    }
    tr_x87_enter(t);
    tr_slot_memory(t, H_ADDR, 2, false, false);
    asm_op(a, 0, ENC_0F, 0xb7, H_T2, op_mem(H_ADDR, 0)); /* movzx */
    asm_op(a, 0, ENC_1, 0x8b, H_T1, op_reg(H_T2));
    asm_op(a, 0, ENC_1, 0xf7, 2, op_reg(H_T1)); /* not: the masks that are clear */
    asm_op(a, ENC_BYTE_RM, ENC_1, 0xf6, 0, op_reg(H_T1));
    asm_byte(a, FSW_EXCEPTIONS);
    t->stubs[t->num_stubs - 1].from[1] = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T2));
    asm_le(a, FCW_WRITABLE, 4);
    asm_op(a, 0, ENC_1, 0x81, 1, op_reg(H_T2));
    asm_le(a, FCW_ONES, 4);
    asm_op(a, ENC_66, ENC_1, 0x89, H_T2, CPU_MEM(fpu.cw));
    asm_op(a, 0, ENC_1, 0xd9, 5, CPU_MEM(fpu.cw));
    return true;
}

static bool emit_fnstcw(Tr *t, const Insn *i)
{
    if (!tr_address(t, i)) {
        return false;
    }
    tr_slot_memory(t, H_ADDR, 2, true, false);
    asm_op(&t->a, 0, ENC_0F, 0xb7, H_T2, CPU_MEM(fpu.cw));
    asm_op(&t->a, ENC_66, ENC_1, 0x89, H_T2, op_mem(H_ADDR, 0));
    return true;
}

static bool emit_fnstsw(Tr *t, const Insn *i)
{
    if (!tr_address(t, i)) {
        return false;
    }
    tr_x87_enter(t);
    tr_slot_memory(t, H_ADDR, 2, true, false);
    asm_op(&t->a, 0, ENC_1, i->opcode, i->modrm >> 3 & 7, op_mem(H_ADDR, 0));
    return true;
}

static void store_imm16(Tr *t, HostOp m, uint16_t v)
{
    asm_op(&t->a, ENC_66, ENC_1, 0xc7, 0, m);
    asm_le(&t->a, v, 2);
}

static void emit_fninit(Tr *t, const Insn *i)
{
    tr_x87_enter(t);
    put(t, i->opcode, i->modrm);
    t->pointers = (X87Pointers){0};
    store_imm16(t, CPU_MEM(fpu.cw), FCW_INIT);
    store_imm16(t, CPU_MEM(fpu.fop), 0);
    store_imm16(t, CPU_MEM(fpu.fcs), 0);
    store_imm16(t, CPU_MEM(fpu.fds), 0);
    asm_store_imm32(&t->a, CPU_MEM(fpu.fip), 0);
    asm_store_imm32(&t->a, CPU_MEM(fpu.fdp), 0);
}

static bool emit_control_memory(Tr *t, const Insn *i)
{
    unsigned reg = i->modrm >> 3 & 7;
    if (i->opcode == 0xd9 && reg == 5) {
        return emit_fldcw(t, i);
    }
    if (i->opcode == 0xd9 && reg == 7) {
        return emit_fnstcw(t, i);
    }
    return i->opcode == 0xdd && reg == 7 && emit_fnstsw(t, i);
}

static bool emit_control(Tr *t, const Insn *i)
{
    if (i->opcode == 0x9b) {
        return true; /* FWAIT: nothing can be pending */
    }
    if (is_mem(i)) {
        return emit_control_memory(t, i);
    }
    switch (i->opcode << 8 | i->modrm) {
    case 0xdfe0: /* FNSTSW AX: the guest's is the host's */
        tr_reg_changes(t, RAX);
        tr_x87_enter(t);
        put(t, i->opcode, i->modrm);
        return true;
    case 0xdbe2: /* FNCLEX */
        tr_x87_enter(t);
        put(t, i->opcode, i->modrm);
        return true;
    case 0xdbe3:
        emit_fninit(t, i);
        return true;
    default:
        return true; /* FNENI, FNDISI, FNSETPM: ignored since the 80387 */
    }
}

bool emit_x87(Tr *t, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    if (row->map != MAP_1 /* FXSAVE, XSAVE ... */ || !(t->src->mode & JIT_MODE_X87) ||
        !feature_in(&t->jit->host, row->feature)) {
        return false;
    }
    if (insn_x87_control(i)) {
        return emit_control(t, i);
    }
    return is_mem(i) ? emit_memory(t, i) : emit_register(t, i);
}
