/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where OSZAPC are while a block is translated.  They stay in the host's flags as long as nothing disturbs them; when
 * something does, they are remembered as "what made them" if the registers still tell, and stored otherwise.
 */
#include "tcg/internal.h"

static const uint8_t cc_of[] = {[DESC_ADD] = CC_ADD, [DESC_SUB] = CC_SUB, [DESC_CMP] = CC_CMP,
                                [DESC_LOGIC] = CC_LOGIC, [DESC_TEST] = CC_LOGIC};

/* Zero-extended value of a guest register at the desc's size into dst; flags stay. */
static void load_sized(Tr *t, unsigned dst, unsigned guest, unsigned log2)
{
    unsigned h = tr_use(t, guest, dst);
    switch (log2) {
    case 0:
        asm_op(&t->a, ENC_BYTE_RM, ENC_0F, 0xb6, dst, op_reg(h));
        break;
    case 1:
        asm_op(&t->a, 0, ENC_0F, 0xb7, dst, op_reg(h));
        break;
    case 2:
        asm_op(&t->a, 0, ENC_1, 0x8b, dst, op_reg(h));
        break;
    default:
        if (h != dst) {
            asm_mov_rr(&t->a, dst, h);
        }
        break;
    }
}

/* dst = dst + (b or imm), or dst - it, without touching flags; T1 may be used. */
static void combine(Tr *t, unsigned dst, const FlagDesc *d, bool subtract)
{
    if (d->b == H_NONE) {
        asm_lea64(&t->a, dst, op_mem(dst, subtract ? -d->imm : d->imm));
        return;
    }
    load_sized(t, H_T1, d->b, d->log2);
    if (subtract) { /* a - b = a + ~b + 1 */
        asm_op(&t->a, ENC_W, ENC_1, 0xf7, 2, op_reg(H_T1));
        asm_lea64(&t->a, dst, op_sib(dst, H_T1, 0, 1));
    } else {
        asm_lea64(&t->a, dst, op_sib(dst, H_T1, 0, 0));
    }
}

/* Truncate dst to the size. */
static void truncate_to(Tr *t, unsigned dst, unsigned log2)
{
    static const uint8_t opcode[] = {0xb6, 0xb7};
    if (log2 < 2) {
        asm_op(&t->a, ENC_BYTE_RM, ENC_0F, opcode[log2], dst, op_reg(dst));
    } else if (log2 == 2) {
        asm_op(&t->a, 0, ENC_1, 0x8b, dst, op_reg(dst));
    }
}

static void store_desc(Tr *t, const FlagDesc *d)
{
    asm_store_imm8(&t->a, CPU_MEM(cc_op), (uint8_t)(cc_of[d->kind] + d->log2));
    if (d->kind == DESC_CMP) { /* before nearly every conditional jump: the operands as they are */
        asm_store64(&t->a, CPU_MEM(cc_dst), tr_use(t, d->a, H_T2));
        if (d->b == H_NONE) {
            asm_store_imm32(&t->a, CPU_MEM(cc_src), d->imm);
        } else {
            asm_store64(&t->a, CPU_MEM(cc_src), tr_use(t, d->b, H_T2));
        }
        return;
    }
    load_sized(t, H_T2, d->a, d->log2);
    if (d->kind == DESC_TEST && (d->b == H_NONE || d->b != d->a)) {
        /* AND touches the flags; it is only used where they are not wanted, see tr_flags_store(). */
        if (d->b == H_NONE) {
            asm_op(&t->a, ENC_W, ENC_1, 0x81, 4, op_reg(H_T2));
            asm_le(&t->a, (uint32_t)d->imm, 4);
        } else {
            load_sized(t, H_T1, d->b, d->log2);
            asm_op(&t->a, ENC_W, ENC_1, 0x21, H_T1, op_reg(H_T2));
        }
        truncate_to(t, H_T2, d->log2);
    }
    asm_store64(&t->a, CPU_MEM(cc_dst), H_T2);
    if (d->kind == DESC_LOGIC || d->kind == DESC_TEST) {
        return;
    }
    if (d->b == H_NONE) {
        uint64_t imm = (uint64_t)(int64_t)d->imm & (~0ull >> (64 - (8u << d->log2)));
        asm_mov_imm(&t->a, H_T2, imm);
    } else {
        load_sized(t, H_T2, d->b, d->log2);
    }
    asm_store64(&t->a, CPU_MEM(cc_src), H_T2);
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
    bool disturbs = desc->kind == DESC_TEST && (desc->b == H_NONE || desc->b != desc->a);
    if (place == FLAGS_IN_DESC || (place == FLAGS_IN_HOST && desc->kind != DESC_NONE && !disturbs)) {
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

void tr_flags_load(Tr *t)
{
    const FlagDesc *d = &t->desc;
    if (t->place == FLAGS_IN_HOST) {
        return;
    }
    if (t->place != FLAGS_IN_DESC) {
        asm_call_to(&t->a, t->jit->load_flags);
        t->desc.kind = DESC_NONE;
        t->place = FLAGS_IN_HOST;
        return;
    }
    unsigned prefix = d->log2 == 1 ? ENC_66 : d->log2 == 3 ? ENC_W : 0;
    unsigned bytes = d->log2 == 0 ? ENC_BYTE_REG | ENC_BYTE_RM : 0;
    unsigned wide = d->log2 != 0;
    load_sized(t, H_T2, d->a, d->log2);
    if (d->kind == DESC_LOGIC || (d->kind == DESC_TEST && d->b == d->a)) {
        asm_op(&t->a, prefix | bytes, ENC_1, (uint8_t)(0x84 | wide), H_T2, op_reg(H_T2));
    } else if (d->kind == DESC_TEST && d->b == H_NONE) {
        asm_op(&t->a, prefix | bytes, ENC_1, (uint8_t)(0xf6 | wide), 0, op_reg(H_T2));
        asm_le(&t->a, (uint32_t)d->imm, d->log2 == 3 ? 4 : 1u << d->log2);
    } else if (d->kind == DESC_TEST) {
        load_sized(t, H_T1, d->b, d->log2);
        asm_op(&t->a, prefix | bytes, ENC_1, (uint8_t)(0x84 | wide), H_T1, op_reg(H_T2));
    } else {
        /* a - b again: for SUB a is result + b, for ADD the operation is done once more on result - b. */
        if (d->kind != DESC_CMP) {
            combine(t, H_T2, d, d->kind == DESC_ADD);
        }
        unsigned ext = d->kind == DESC_ADD ? 0 : 7;
        if (d->b == H_NONE) {
            asm_op(&t->a, prefix | bytes, ENC_1, wide ? 0x81 : 0x80, ext, op_reg(H_T2));
            asm_le(&t->a, (uint32_t)d->imm, d->log2 == 3 ? 4 : 1u << d->log2);
        } else {
            load_sized(t, H_T1, d->b, d->log2);
            asm_op(&t->a, prefix | bytes, ENC_1, (uint8_t)((d->kind == DESC_ADD ? 0x00 : 0x38) | wide), H_T1,
                   op_reg(H_T2));
        }
    }
    t->place = FLAGS_IN_HOST;
}

void tr_reg_changes(Tr *t, unsigned guest)
{
    FlagDesc *d = &t->desc;
    if (d->kind == DESC_NONE || (d->a != guest && d->b != guest)) {
        return;
    }
    if (t->place == FLAGS_IN_DESC) {
        store_desc(t, d);
        t->place = FLAGS_IN_CPU;
    }
    d->kind = DESC_NONE;
}

void tr_flags_set(Tr *t, FlagDesc desc)
{
    t->place = FLAGS_IN_HOST;
    t->desc = desc;
}
