/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BT BTS BTR BTC, BSF BSR TZCNT LZCNT POPCNT, CRC32. */
#include "tcg/emit.h"

/* Only the carry changes. */
static FlagUse bit_flags(const Tr *t)
{
    return t->live[t->n] & LIVE_REST ? FLAGS_NEEDED : FLAGS_REPLACED;
}

/*
 * Memory and a bit number in a register: a string of bits in both directions.  The address of the operand that has the
 * bit is computed here; H_T2 has the number inside it for the host's instruction.
 */
static bool bit_string(Tr *t, const Insn *i, bool write)
{
    Asm *a = &t->a;
    FlagUse use = bit_flags(t);
    unsigned f = size_flags(i->osize);
    tr_flags_clobber(t);
    if ((i->asize != 3 && tr_code64(t)) || i->asize == 1 || !tr_address(t, i)) {
        return false;
    }
    GOp g = tr_g(t, i, i->osize, true);
    if (i->osize == 3) {
        asm_mov_rr(a, H_T2, g.reg);
    } else { /* movsxd, movsx */
        asm_op(a, ENC_W, i->osize == 2 ? ENC_1 : ENC_0F, i->osize == 2 ? 0x63 : 0xbf, H_T2, op_reg(g.reg));
    }
    asm_op(a, ENC_W, ENC_1, 0xc1, 7, op_reg(H_T2)); /* sar T2, log2 of the operand's bits */
    asm_byte(a, (uint8_t)(3 + i->osize));
    asm_op(a, i->asize == 3 ? ENC_W : 0, ENC_1, 0x8d, H_ADDR, op_sib(H_ADDR, H_T2, i->osize, 0)); /* lea */
    HostOp m = tr_memory_at(t, bytes_of(i), (write ? MEM_WRITE : 0) | MEM_FLAGS | MEM_FIXED |
                                                (i->flags & INSN_LOCK ? MEM_ALIGNED : 0));
    asm_op(a, 0, ENC_1, 0x8b, H_T2, op_reg(tr_use(t, i->reg, H_T2)));
    asm_op(a, 0, ENC_1, 0x83, 4, op_reg(H_T2)); /* and T2d, bits - 1 */
    asm_byte(a, (uint8_t)((8u << i->osize) - 1));
    if (use == FLAGS_NEEDED) {
        asm_store64(a, CPU_MEM(jit_target), H_T2);
        tr_flags_load(t);
        asm_load64(a, H_T2, CPU_MEM(jit_target));
    } else {
        flags_die(t);
    }
    asm_op(a, f | (i->flags & INSN_LOCK ? ENC_LOCK : 0), ENC_0F, i->opcode, H_T2, m);
    tr_flags_set(t, no_desc);
    return true;
}

/* 0F A3 AB B3 BB with a register, 0F BA /4 to /7 with an immediate */
bool emit_bit(Tr *t, const Insn *i)
{
    bool by_imm = i->opcode == 0xba;
    bool test = by_imm ? (i->modrm >> 3 & 7) == 4 : i->opcode == 0xa3;
    EOp e;
    if (is_mem(i) && !by_imm) {
        return bit_string(t, i, !test);
    }
    unsigned access = (test ? E_READ : E_READ | E_WRITE) | (by_imm ? 0 : E_IN_REG);
    if (!tr_e(t, i, i->osize, access, bit_flags(t), &e)) {
        return false;
    }
    if (by_imm) {
        tr_op_ext(t, &e, ENC_0F, i->opcode, i->modrm >> 3 & 7);
        asm_byte(&t->a, (uint8_t)(i->imm & ((8u << i->osize) - 1)));
    } else {
        GOp g = tr_g(t, i, i->osize, true);
        tr_op_pair(t, &e, ENC_0F, i->opcode, &g);
    }
    tr_e_done(t, &e);
    tr_flags_set(t, no_desc);
    return true;
}

/* 0F B8 BC BD, with or without F3 as the row says: without the feature TZCNT is BSF. */
bool emit_scan(Tr *t, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    EOp e;
    if (!feature_in(&t->jit->host, (Feature)row->feature)) {
        return false;
    }
    if (!tr_e(t, i, i->osize, E_READ, FLAGS_REPLACED, &e)) {
        return false;
    }
    e.enc |= row->prefix == PFX_F3 ? ENC_F3 : 0;
    GOp g = tr_g(t, i, i->osize, true); /* BSF, BSR of zero keep it */
    tr_op_pair(t, &e, ENC_0F, i->opcode, &g);
    tr_g_done(t, &g);
    tr_flags_set(t, no_desc);
    return true;
}

/* F2 0F 38 F0 F1 */
bool emit_crc32(Tr *t, const Insn *i)
{
    EOp e;
    if (!feature_in(&t->jit->host, FEAT_SSE42)) {
        return false;
    }
    tr_reg_changes(t, i->reg);
    if (!tr_e(t, i, i->osize, E_READ, FLAGS_KEPT, &e)) {
        return false;
    }
    e.enc = (e.enc & ~(unsigned)ENC_BYTE_REG) | ENC_F2;
    GOp g = tr_g_reg(t, i->reg, false, true, is_mem(i) ? H_T2 : H_T1);
    tr_op_pair(t, &e, ENC_0F38, i->opcode, &g);
    tr_g_done(t, &g);
    return true;
}
