/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where OSZAPC are while a block is translated.  They stay in the host's flags as long as nothing disturbs them; when
 * something does, they are remembered as "what made them" if the registers still tell, and stored otherwise.
 */
#include "tcg/internal.h"

static const uint8_t cc_of[] = {[DESC_ADD] = CC_ADD, [DESC_SUB] = CC_SUB, [DESC_CMP] = CC_CMP,
                                [DESC_LOGIC] = CC_LOGIC, [DESC_TEST] = CC_TEST, [DESC_SHL] = CC_SHL,
                                [DESC_SHR] = CC_SHR, [DESC_SAR] = CC_SAR,
                                [DESC_INC] = CC_INC, [DESC_DEC] = CC_DEC};

/* The host register with an operand of the desc, whose bits above the size may be anything. */
static unsigned operand(Tr *t, unsigned guest, unsigned scratch)
{
    if (guest == DESC_STORED) {
        asm_load64(&t->a, scratch, scratch == H_T2 ? CPU_MEM(cc_dst) : CPU_MEM(cc_src));
        return scratch;
    }
    return tr_use(t, guest, scratch);
}

/* TEST of a register with itself, or a result: one operand says it all. */
static bool one_value(const FlagDesc *d)
{
    return d->kind == DESC_LOGIC || (d->kind == DESC_TEST && d->b == d->a);
}

static bool is_shift(const FlagDesc *d)
{
    return d->kind >= DESC_SHL && d->kind <= DESC_SAR;
}

static bool is_step(const FlagDesc *d)
{
    return d->kind >= DESC_INC;
}

/* What there was before the last of the steps, by SHLX SHRX SARX, which change no flags. */
static void store_shifted(Tr *t, const FlagDesc *d)
{
    static const unsigned prefix[] = {[DESC_SHL] = ENC_66, [DESC_SHR] = ENC_F2, [DESC_SAR] = ENC_F3};
    if (d->imm == 1) {
        asm_load64(&t->a, H_T2, CPU_MEM(jit_kept));
    } else {
        asm_mov_imm(&t->a, H_T2, (uint64_t)d->imm - 1);
        asm_vex(&t->a, prefix[d->kind] | (d->log2 == 3 ? ENC_W : 0), ENC_0F38, 0xf7, H_T2, H_T2, CPU_MEM(jit_kept));
    }
    asm_store64(&t->a, CPU_MEM(cc_src), H_T2);
}

static void store_desc(Tr *t, const FlagDesc *d)
{
    Asm *a = &t->a;
    asm_store_imm8(a, CPU_MEM(cc_op), (uint8_t)((one_value(d) ? CC_LOGIC : cc_of[d->kind]) + d->log2));
    if (d->a != DESC_STORED) {
        asm_store64(a, CPU_MEM(cc_dst), tr_use(t, d->a, H_T2));
    }
    if (one_value(d) || d->b == DESC_STORED) {
        return;
    }
    if (is_shift(d)) {
        store_shifted(t, d);
    } else if (is_step(d)) {
        asm_op(a, 0, ENC_0F, 0xb6, H_T2, CPU_MEM(jit_kept)); /* movzx */
        asm_store64(a, CPU_MEM(cc_src), H_T2);
    } else if (d->b == H_NONE) {
        asm_store_imm32(a, CPU_MEM(cc_src), d->imm);
    } else {
        asm_store64(a, CPU_MEM(cc_src), tr_use(t, d->b, H_T2));
    }
}

/* From the host's flags themselves: LAHF and SETO, which change none. */
static void store_host(Tr *t)
{
    asm_mov_rr(&t->a, H_T2, H_RAX);
    asm_byte(&t->a, 0x9f);                                  /* lahf */
    asm_op(&t->a, 0, ENC_0F, 0x90, 0, op_reg(H_RAX));       /* seto al */
    asm_op(&t->a, ENC_66, ENC_1, 0x89, H_RAX, CPU_MEM(cc_src));
    asm_mov_rr(&t->a, H_RAX, H_T2);
    asm_store_imm8(&t->a, CPU_MEM(cc_op), CC_HOST);
}

void tr_flags_store(Tr *t, const FlagDesc *desc, FlagPlace place)
{
    if (place == FLAGS_IN_DESC || (place == FLAGS_IN_HOST && desc->kind != DESC_NONE)) {
        store_desc(t, desc);
    } else if (place == FLAGS_IN_HOST) {
        store_host(t);
    }
}

void tr_flags_to_cpu(Tr *t)
{
    tr_flags_store(t, &t->desc, t->place);
    if (t->place == FLAGS_IN_DESC) {
        t->place = FLAGS_IN_CPU;
    } /* in the host too: they can still be used there */
}

void tr_flags_clobber(Tr *t)
{
    if (t->place != FLAGS_IN_HOST) {
        return;
    }
    if (t->desc.kind != DESC_NONE) {
        t->place = FLAGS_IN_DESC;
    } else {
        store_host(t);
        t->place = FLAGS_IN_CPU;
    }
}

/* "opcode a, b or imm" at the desc's size, by the opcode of its byte form and the immediate form's extension. */
static void redo(Tr *t, const FlagDesc *d, unsigned a, uint8_t opcode, uint8_t imm_opcode, unsigned ext)
{
    unsigned enc = d->log2 == 0 ? ENC_BYTE_REG | ENC_BYTE_RM : d->log2 == 1 ? ENC_66 : d->log2 == 3 ? ENC_W : 0;
    uint8_t wide = d->log2 != 0;
    if (d->b == H_NONE) {
        asm_op(&t->a, enc & ~(unsigned)ENC_BYTE_REG, ENC_1, imm_opcode | wide, ext, op_reg(a));
        asm_le(&t->a, (uint32_t)d->imm, d->log2 == 3 ? 4 : 1u << d->log2);
    } else {
        bool same = d->b == d->a && (d->b != DESC_STORED || one_value(d));
        asm_op(&t->a, enc, ENC_1, opcode | wide, same ? a : operand(t, d->b, H_T1), op_reg(a));
    }
}

/* The first operand of an addition or subtraction into T2, from the result and the second one. */
static void undo(Tr *t, const FlagDesc *d)
{
    Asm *a = &t->a;
    unsigned result = operand(t, d->a, H_T2);
    bool add = d->kind == DESC_ADD;
    if (d->b == H_NONE) {
        asm_lea64(a, H_T2, op_mem(result, add ? -d->imm : d->imm));
        return;
    }
    unsigned b = operand(t, d->b, H_T1);
    if (result != H_T2) {
        asm_mov_rr(a, H_T2, result);
    }
    asm_op(a, ENC_W, ENC_1, add ? 0x29 : 0x01, b, op_reg(H_T2));
}

static void shift_again(Tr *t, const FlagDesc *d)
{
    static const uint8_t ext[] = {[DESC_SHL] = 4, [DESC_SHR] = 5, [DESC_SAR] = 7};
    asm_load64(&t->a, H_T2, CPU_MEM(jit_kept));
    asm_op(&t->a, d->log2 == 3 ? ENC_W : 0, ENC_1, 0xc1, ext[d->kind], op_reg(H_T2));
    asm_byte(&t->a, (uint8_t)d->imm);
}

bool tr_flags_load_carry(Tr *t)
{
    if (t->place != FLAGS_IN_DESC || !is_step(&t->desc)) {
        return false;
    }
    asm_op(&t->a, 0, ENC_0F, 0xb6, H_T2, CPU_MEM(jit_kept)); /* movzx, as narrow as it was stored */
    asm_op(&t->a, 0, ENC_1, 0xf7, 3, op_reg(H_T2));          /* neg */
    return true;
}

static void step_again(Tr *t, const FlagDesc *d)
{
    Asm *a = &t->a;
    bool dec = d->kind == DESC_DEC;
    unsigned enc = d->log2 == 0 ? ENC_BYTE_RM : d->log2 == 1 ? ENC_66 : d->log2 == 3 ? ENC_W : 0;
    tr_flags_load_carry(t);
    asm_lea64(a, H_T2, op_mem(operand(t, d->a, H_T2), dec ? 1 : -1));
    asm_op(a, enc, ENC_1, d->log2 ? 0xff : 0xfe, dec, op_reg(H_T2));
}

void tr_flags_load(Tr *t)
{
    FlagDesc *d = &t->desc;
    if (t->place == FLAGS_IN_HOST) {
        return;
    }
    if (t->place != FLAGS_IN_DESC) {
        asm_call_to(&t->a, t->jit->load_flags);
        d->kind = DESC_NONE;
    } else if (d->kind == DESC_ADD || d->kind == DESC_SUB) {
        undo(t, d);
        redo(t, d, H_T2, d->kind == DESC_ADD ? 0x00 : 0x38, 0x80, d->kind == DESC_ADD ? 0 : 7);
    } else if (is_shift(d)) {
        shift_again(t, d);
    } else if (is_step(d)) {
        step_again(t, d);
    } else if (d->kind == DESC_CMP) {
        redo(t, d, operand(t, d->a, H_T2), 0x38, 0x80, 7);
    } else {
        FlagDesc self = *d;
        self.b = d->kind == DESC_LOGIC ? d->a : d->b;
        redo(t, &self, operand(t, d->a, H_T2), 0x84, 0xf6, 0);
    }
    t->place = FLAGS_IN_HOST;
}

void tr_flags_undo_compare(Tr *t)
{
    asm_load64(&t->a, H_T2, CPU_MEM(cc_dst));
    asm_load64(&t->a, H_T1, CPU_MEM(cc_src));
    asm_lea64(&t->a, H_T2, op_sib(H_T2, H_T1, 0, 0));
    asm_store64(&t->a, CPU_MEM(cc_dst), H_T2);
}

/* Can anybody see the flags once the present instruction has begun? */
static bool wanted(const Tr *t)
{
    return t->live[t->n] || insn_flags(&t->src->insns[t->n]).may_stop;
}

/*
 * The desc's operands in this register go to cc_dst and cc_src, where they are found from now on.  Host flags stay.  False
 * for what could not be told from a TEST of a register with itself, and when a scratch register would be needed, but may
 * be in use.
 */
static bool keep_operand(Tr *t, FlagDesc *d, unsigned guest)
{
    bool one = one_value(d);
    if ((t->place == FLAGS_IN_HOST && host_of(guest) == H_NONE) ||
        (d->kind == DESC_TEST && !one && (d->a == DESC_STORED || d->b == DESC_STORED))) {
        return false;
    }
    unsigned h = tr_use(t, guest, H_T2);
    if (!one && d->b == guest) {
        asm_store64(&t->a, CPU_MEM(cc_src), h);
        d->b = DESC_STORED;
    }
    if (d->a == guest) {
        asm_store64(&t->a, CPU_MEM(cc_dst), h);
        d->a = DESC_STORED;
    }
    d->b = one ? d->a : d->b;
    return true;
}

void tr_reg_changes(Tr *t, unsigned guest)
{
    FlagDesc *d = &t->desc;
    if (d->kind == DESC_NONE || (d->a != guest && d->b != guest)) {
        return;
    }
    bool kept = t->place == FLAGS_IN_DESC || t->place == FLAGS_IN_HOST;
    if (kept && wanted(t) && keep_operand(t, d, guest)) {
        return;
    }
    if (t->place == FLAGS_IN_DESC && wanted(t)) {
        store_desc(t, d);
        t->place = FLAGS_IN_CPU;
    } else if (t->place == FLAGS_IN_DESC) {
        t->place = FLAGS_DEAD;
    }
    d->kind = DESC_NONE;
}

void tr_flags_set(Tr *t, FlagDesc desc)
{
    t->place = FLAGS_IN_HOST;
    t->desc = desc;
}
