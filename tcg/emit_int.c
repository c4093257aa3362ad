/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer instructions: re-encoded with the operands where they are now.
 * Each emitter decides first (returning false leaves the instruction to the interpreter's handler) and emits afterwards.
 */
#include "tcg/emit.h"

/* ---- ADD OR ADC SBB AND SUB XOR CMP ---- */

enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

static FlagDesc alu_desc(unsigned op, unsigned log2, unsigned a, unsigned b, int64_t imm)
{
    FlagDesc d = {.log2 = (uint8_t)log2, .a = (uint8_t)a, .b = (uint8_t)b, .imm = (int32_t)imm};
    switch (op) {
    case ALU_CMP:
        d.kind = DESC_CMP;
        break;
    case ALU_ADD:
        d.kind = a != b ? DESC_ADD : DESC_NONE;
        break;
    case ALU_SUB:
        d.kind = a != b ? DESC_SUB : DESC_LOGIC;
        break;
    case ALU_OR:
    case ALU_AND:
    case ALU_XOR:
        d.kind = DESC_LOGIC;
        break;
    default:
        break;
    }
    if (b == H_NONE && d.kind != DESC_LOGIC && !imm_fits(imm)) {
        d.kind = DESC_NONE;
    }
    return d;
}

static void before_alu(Tr *t, unsigned op)
{
    if (op == ALU_ADC || op == ALU_SBB) {
        tr_flags_load(t);
        t->desc.kind = DESC_NONE;
    } else {
        flags_die(t);
    }
}

/* dst = dst op src, registers. */
static void alu_rr(Tr *t, const Insn *i, unsigned op, unsigned dst, unsigned src)
{
    before_alu(t, op);
    unsigned s = tr_use(t, src, H_T1);
    unsigned d = tr_use(t, dst, H_T2);
    asm_op(&t->a, size_flags(i->osize), ENC_1, (uint8_t)(op << 3 | (i->osize != 0)), s, op_reg(d));
    if (op != ALU_CMP && d == H_T2) {
        tr_commit(t, dst, d);
    }
    tr_flags_set(t, alu_desc(op, i->osize, dst, src, 0));
}

static void put_alu_imm(Tr *t, unsigned log2, unsigned op, HostOp e, int64_t imm)
{
    bool small = log2 != 0 && imm == (int8_t)imm;
    asm_op(&t->a, size_flags(log2), ENC_1, log2 == 0 ? 0x80 : small ? 0x83 : 0x81, op, e);
    if (small) {
        asm_byte(&t->a, (uint8_t)imm);
    } else {
        put_imm(t, imm, log2);
    }
}

static void alu_ri(Tr *t, const Insn *i, unsigned op, unsigned dst, int64_t imm)
{
    before_alu(t, op);
    unsigned d = tr_use(t, dst, H_T2);
    put_alu_imm(t, i->osize, op, op_reg(d), imm);
    if (op != ALU_CMP && d == H_T2) {
        tr_commit(t, dst, d);
    }
    tr_flags_set(t, alu_desc(op, i->osize, dst, H_NONE, imm));
}

static bool alu_mem_ok(const Insn *i, unsigned op)
{
    return op != ALU_ADC && op != ALU_SBB && !(i->flags & INSN_LOCK);
}

static int64_t signed_imm(const Insn *i)
{
    return i->osize == 0 ? (int8_t)i->imm : i->osize == 1 ? (int16_t)i->imm : (int32_t)i->imm;
}

static bool emit_alu(Tr *t, const Insn *i)
{
    unsigned op = i->opcode >> 3;
    bool to_reg = i->opcode & 2;
    if ((i->opcode & 7) >= 4) {
        alu_ri(t, i, op, RAX, signed_imm(i));
        return true;
    }
    if (high_byte(i, i->reg8) || (!is_mem(i) && high_byte(i, i->rm8))) {
        return false;
    }
    if (!is_mem(i)) {
        alu_rr(t, i, op, to_reg ? i->reg : i->rm, to_reg ? i->rm : i->reg);
        return true;
    }
    if (!alu_mem_ok(i, op) || !tr_address(t, i)) {
        return false;
    }
    HostOp m = tr_memory(t, bytes_of(i), !to_reg && op != ALU_CMP, true);
    flags_die(t);
    unsigned g = tr_use(t, i->reg, H_T2);
    asm_op(&t->a, size_flags(i->osize), ENC_1, (uint8_t)(op << 3 | (to_reg ? 2 : 0) | (i->osize != 0)), g, m);
    FlagDesc d = no_desc;
    if (to_reg && op != ALU_CMP) {
        if (g == H_T2) {
            tr_commit(t, i->reg, g);
        }
        if (op != ALU_ADD && op != ALU_SUB) {
            d = alu_desc(op, i->osize, i->reg, H_NONE, 0);
        }
    }
    tr_flags_set(t, d);
    return true;
}

static bool emit_alu_imm(Tr *t, const Insn *i)
{
    unsigned op = i->modrm >> 3 & 7;
    if (!is_mem(i)) {
        if (high_byte(i, i->rm8)) {
            return false;
        }
        alu_ri(t, i, op, i->rm, i->opcode == 0x83 ? (int8_t)i->imm : signed_imm(i));
        return true;
    }
    if (!alu_mem_ok(i, op) || !tr_address(t, i)) {
        return false;
    }
    HostOp m = tr_memory(t, bytes_of(i), op != ALU_CMP, true);
    flags_die(t);
    put_alu_imm(t, i->osize, op, m, i->opcode == 0x83 ? (int8_t)i->imm : signed_imm(i));
    tr_flags_set(t, no_desc);
    return true;
}

static bool emit_test(Tr *t, const Insn *i)
{
    if (high_byte(i, i->reg8) || (!is_mem(i) && high_byte(i, i->rm8))) {
        return false;
    }
    if (is_mem(i)) {
        if (!tr_address(t, i)) {
            return false;
        }
        HostOp m = tr_memory(t, bytes_of(i), false, true);
        flags_die(t);
        asm_op(&t->a, size_flags(i->osize), ENC_1, i->opcode, tr_use(t, i->reg, H_T2), m);
        tr_flags_set(t, no_desc);
        return true;
    }
    flags_die(t);
    unsigned s = tr_use(t, i->reg, H_T1), d = tr_use(t, i->rm, H_T2);
    asm_op(&t->a, size_flags(i->osize), ENC_1, i->opcode, s, op_reg(d));
    tr_flags_set(t, (FlagDesc){.kind = DESC_TEST, .log2 = i->osize, .a = i->rm, .b = i->reg});
    return true;
}

static bool emit_test_imm(Tr *t, const Insn *i, unsigned reg)
{
    int64_t imm = signed_imm(i);
    flags_die(t);
    asm_op(&t->a, size_flags(i->osize), ENC_1, i->osize == 0 ? 0xf6 : 0xf7, 0, op_reg(tr_use(t, reg, H_T2)));
    put_imm(t, imm, i->osize);
    FlagDesc d = {.kind = DESC_TEST, .log2 = i->osize, .a = (uint8_t)reg, .b = H_NONE, .imm = (int32_t)imm};
    tr_flags_set(t, d);
    return true;
}

/* ---- moves ---- */

static bool emit_mov(Tr *t, const Insn *i)
{
    bool to_reg = i->opcode & 2;
    if (high_byte(i, i->reg8) || (!is_mem(i) && high_byte(i, i->rm8))) {
        return false;
    }
    if (!is_mem(i)) {
        unsigned dst = to_reg ? i->reg : i->rm, src = to_reg ? i->rm : i->reg;
        tr_reg_changes(t, dst);
        unsigned s = tr_use(t, src, H_T1);
        unsigned d = host_of(dst) != H_NONE ? host_of(dst) : H_T2;
        if (d == H_T2 && i->osize < 2) {
            asm_load64(&t->a, H_T2, guest_home(dst));
        }
        asm_op(&t->a, size_flags(i->osize), ENC_1, i->osize ? 0x8b : 0x8a, d, op_reg(s));
        if (d == H_T2) {
            tr_commit(t, dst, d);
        }
        return true;
    }
    if (to_reg) {
        tr_reg_changes(t, i->reg);
    }
    if (!tr_address(t, i)) {
        return false;
    }
    HostOp m = tr_memory(t, bytes_of(i), !to_reg, false);
    unsigned g = to_reg && i->osize >= 2 && host_of(i->reg) == H_NONE ? (unsigned)H_T2 : tr_use(t, i->reg, H_T2);
    asm_op(&t->a, size_flags(i->osize), ENC_1, i->opcode, g, m);
    if (to_reg && g == H_T2) {
        tr_commit(t, i->reg, g);
    }
    return true;
}

static bool emit_mov_imm(Tr *t, const Insn *i)
{
    bool plus = i->opcode < 0xc0; /* B0..BF */
    if (is_mem(i)) {
        if (!tr_address(t, i)) {
            return false;
        }
        HostOp m = tr_memory(t, bytes_of(i), true, false);
        asm_op(&t->a, size_flags(i->osize), ENC_1, i->opcode, 0, m);
        put_imm(t, signed_imm(i), i->osize);
        return true;
    }
    if (high_byte(i, i->rm8)) {
        return false;
    }
    tr_reg_changes(t, i->rm);
    unsigned d = host_of(i->rm) != H_NONE ? host_of(i->rm) : H_T2;
    if (i->osize >= 2) {
        uint64_t v = i->osize == 2 ? (uint32_t)i->imm : plus ? i->imm : (uint64_t)(int64_t)(int32_t)i->imm;
        asm_mov_imm(&t->a, d, v);
    } else {
        d = tr_use(t, i->rm, H_T2);
        asm_op(&t->a, size_flags(i->osize), ENC_1, i->osize ? 0xc7 : 0xc6, 0, op_reg(d));
        put_imm(t, signed_imm(i), i->osize);
    }
    if (d == H_T2) {
        tr_commit(t, i->rm, d);
    }
    return true;
}

/* MOVZX, MOVSX, MOVSXD: the source is `src_log2` wide. */
static bool emit_extend(Tr *t, const Insn *i, unsigned map, uint8_t opcode, unsigned src_log2)
{
    bool from_high = src_log2 == 0 && !is_mem(i) && (i->rm8 & 7) != 0;
    if (from_high || i->osize < 1 || (src_log2 == 2 && i->osize < 2)) {
        return false;
    }
    tr_reg_changes(t, i->reg);
    unsigned d = host_of(i->reg) != H_NONE ? host_of(i->reg) : H_T2;
    unsigned flags = size_flags(i->osize) | (src_log2 == 0 ? ENC_BYTE_RM : 0);
    if (is_mem(i)) {
        if (!tr_address(t, i)) {
            return false;
        }
        HostOp m = tr_memory(t, 1u << src_log2, false, false);
        if (d == H_T2 && i->osize == 1) {
            asm_load64(&t->a, H_T2, guest_home(i->reg));
        }
        asm_op(&t->a, flags, map, opcode, d, m);
    } else {
        unsigned s = tr_use(t, i->rm, H_T1);
        if (d == H_T2 && i->osize == 1) {
            asm_load64(&t->a, H_T2, guest_home(i->reg));
        }
        asm_op(&t->a, flags, map, opcode, d, op_reg(s));
    }
    if (d == H_T2) {
        tr_commit(t, i->reg, d);
    }
    return true;
}

static bool emit_lea(Tr *t, const Insn *i)
{
    Insn flat = *i;
    flat.seg = SEG_DS;
    tr_reg_changes(t, i->reg);
    if (!tr_address(t, &flat)) {
        return false;
    }
    unsigned d = host_of(i->reg) != H_NONE ? host_of(i->reg) : H_T2;
    if (d == H_T2 && i->osize < 2) {
        asm_load64(&t->a, H_T2, guest_home(i->reg));
    }
    asm_op(&t->a, size_flags(i->osize), ENC_1, 0x8b, d, op_reg(H_ADDR));
    if (d == H_T2) {
        tr_commit(t, i->reg, d);
    }
    return true;
}

static bool emit_xchg_reg(Tr *t, unsigned a, unsigned b, unsigned log2)
{
    if (log2 < 2) {
        return false;
    }
    unsigned wide = log2 == 3 ? ENC_W : 0;
    tr_reg_changes(t, a);
    tr_reg_changes(t, b);
    asm_op(&t->a, wide, ENC_1, 0x8b, H_T1, op_reg(tr_use(t, a, H_T1)));
    asm_op(&t->a, wide, ENC_1, 0x8b, H_T2, op_reg(tr_use(t, b, H_T2)));
    tr_commit(t, a, H_T2);
    tr_commit(t, b, H_T1);
    return true;
}

/* CBW CWDE CDQE, CWD CDQ CQO, BSWAP: registers only, no flags. */
static bool emit_convert(Tr *t, const Insn *i)
{
    tr_reg_changes(t, i->opcode == 0x98 ? RAX : RDX);
    if (i->osize == 1) {
        asm_byte(&t->a, 0x66);
    } else if (i->osize == 3) {
        asm_byte(&t->a, 0x48);
    }
    asm_byte(&t->a, i->opcode);
    return true;
}

static bool emit_bswap(Tr *t, const Insn *i)
{
    if (i->osize < 2) {
        return false;
    }
    tr_reg_changes(t, i->rm);
    unsigned d = tr_use(t, i->rm, H_T2);
    asm_byte(&t->a, (uint8_t)(0x40 | (i->osize == 3 ? 8 : 0) | d >> 3));
    asm_byte(&t->a, 0x0f);
    asm_byte(&t->a, (uint8_t)(0xc8 | (d & 7)));
    if (d == H_T2) {
        tr_commit(t, i->rm, d);
    }
    return true;
}

/* ---- INC DEC NOT NEG MUL IMUL DIV IDIV ---- */

bool emit_incdec(Tr *t, const Insn *i)
{
    unsigned ext = i->modrm >> 3 & 1;
    bool carry = t->live[t->n] & LIVE_C;
    if ((i->flags & INSN_LOCK) || (!is_mem(i) && high_byte(i, i->rm8))) {
        return false;
    }
    if (is_mem(i)) {
        if (carry || !tr_address(t, i)) {
            return false;
        }
        HostOp m = tr_memory(t, bytes_of(i), true, true);
        asm_op(&t->a, size_flags(i->osize), ENC_1, i->opcode, ext, m);
        tr_flags_set(t, no_desc);
        return true;
    }
    if (carry) {
        tr_flags_load(t);
        t->desc.kind = DESC_NONE;
    } else {
        flags_die(t);
    }
    unsigned d = tr_use(t, i->rm, H_T2);
    asm_op(&t->a, size_flags(i->osize), ENC_1, i->opcode, ext, op_reg(d));
    if (d == H_T2) {
        tr_commit(t, i->rm, d);
    }
    tr_flags_set(t, no_desc);
    return true;
}

static bool emit_not_neg(Tr *t, const Insn *i, unsigned ext)
{
    if ((i->flags & INSN_LOCK) || (!is_mem(i) && high_byte(i, i->rm8))) {
        return false;
    }
    bool neg = ext == 3;
    if (is_mem(i)) {
        if (!tr_address(t, i)) {
            return false;
        }
        HostOp m = tr_memory(t, bytes_of(i), true, neg);
        asm_op(&t->a, size_flags(i->osize), ENC_1, i->opcode, ext, m);
    } else {
        if (neg) {
            flags_die(t);
        }
        tr_reg_changes(t, i->rm);
        unsigned d = tr_use(t, i->rm, H_T2);
        asm_op(&t->a, size_flags(i->osize), ENC_1, i->opcode, ext, op_reg(d));
        if (d == H_T2) {
            tr_commit(t, i->rm, d);
        }
    }
    if (neg) {
        tr_flags_set(t, no_desc);
    }
    return true;
}

static bool emit_mul(Tr *t, const Insn *i, unsigned ext)
{
    if (i->osize < 2) {
        return false;
    }
    HostOp e;
    if (is_mem(i)) {
        if (!tr_address(t, i)) {
            return false;
        }
        e = tr_memory(t, bytes_of(i), false, true);
    } else {
        e = op_reg(tr_use(t, i->rm, H_T2));
    }
    flags_die(t);
    asm_op(&t->a, size_flags(i->osize), ENC_1, 0xf7, ext, e);
    tr_flags_set(t, no_desc);
    return true;
}

/* The host's own divide error is kept away: whatever might overflow is the interpreter's. */
static bool emit_div(Tr *t, const Insn *i, bool is_signed)
{
    Asm *a = &t->a;
    unsigned f = size_flags(i->osize);
    if (i->osize < 2 || is_mem(i) || i->rm == RDX || i->rm == RAX) {
        return false;
    }
    unsigned s = tr_use(t, i->rm, H_ADDR);
    tr_flags_clobber(t);
    Stub *stub = tr_stub(t);
    stub->wants_flags = true;
    if (is_signed) {
        /* fits if RDX is just the sign of RAX and the divisor is neither 0 nor -1 */
        asm_op(a, f, ENC_1, 0x8b, H_T2, op_reg(H_RAX));
        asm_op(a, f, ENC_1, 0xc1, 7, op_reg(H_T2));
        asm_byte(a, i->osize == 3 ? 63 : 31);
        asm_op(a, f, ENC_1, 0x39, H_RDX, op_reg(H_T2));
        stub->from[0] = asm_jcc(a, 5);
        asm_op(a, f, ENC_1, 0x8d, H_T2, op_mem(s, 1));
        asm_op(a, f, ENC_1, 0x83, 7, op_reg(H_T2));
        asm_byte(a, 1);
        stub->from[1] = asm_jcc(a, 6);
    } else {
        asm_op(a, f, ENC_1, 0x39, s, op_reg(H_RDX)); /* RDX below the divisor */
        stub->from[0] = asm_jcc(a, 3);
    }
    flags_die(t);
    asm_op(a, f, ENC_1, 0xf7, is_signed ? 7 : 6, op_reg(s));
    tr_flags_set(t, no_desc);
    return true;
}

static bool emit_imul2(Tr *t, const Insn *i)
{
    bool three = i->opcode != 0xaf;
    if (i->osize < 2) {
        return false;
    }
    HostOp e;
    if (is_mem(i)) {
        if (!tr_address(t, i)) {
            return false;
        }
        e = tr_memory(t, bytes_of(i), false, true);
    } else {
        e = op_reg(tr_use(t, i->rm, H_T1));
    }
    flags_die(t);
    unsigned d = three && host_of(i->reg) == H_NONE ? (unsigned)H_T2 : tr_use(t, i->reg, H_T2);
    if (three) {
        asm_op(&t->a, size_flags(i->osize), ENC_1, 0x69, d, e);
        asm_le(&t->a, i->opcode == 0x6b ? (uint64_t)(int64_t)(int8_t)i->imm : i->imm, 4);
    } else {
        asm_op(&t->a, size_flags(i->osize), ENC_0F, 0xaf, d, e);
    }
    if (d == H_T2) {
        tr_commit(t, i->reg, d);
    }
    tr_flags_set(t, no_desc);
    return true;
}

static bool emit_group3(Tr *t, const Insn *i)
{
    unsigned ext = i->modrm >> 3 & 7;
    switch (ext) {
    case 0:
    case 1:
        return !is_mem(i) && !high_byte(i, i->rm8) && emit_test_imm(t, i, i->rm);
    case 2:
    case 3:
        return emit_not_neg(t, i, ext);
    case 4:
    case 5:
        return emit_mul(t, i, ext);
    default:
        return emit_div(t, i, ext == 7);
    }
}

/* ---- shifts and rotates ---- */

static bool emit_shift(Tr *t, const Insn *i)
{
    unsigned ext = i->modrm >> 3 & 7;
    bool by_cl = (i->opcode & 0xfe) == 0xd2;
    bool by_one = (i->opcode & 0xfe) == 0xd0;
    bool rotate = ext < 4;
    unsigned count = by_one ? 1 : (unsigned)i->imm & (i->osize == 3 ? 63 : 31);
    if (!is_mem(i) && high_byte(i, i->rm8)) {
        return false;
    }
    bool keeps = by_cl || rotate || count == 0; /* some flags may stay */
    bool carry_in = ext == 2 || ext == 3;
    HostOp e;
    if (is_mem(i)) {
        if (keeps || !tr_address(t, i)) {
            return false;
        }
        e = tr_memory(t, bytes_of(i), true, true);
    } else if ((keeps && t->live[t->n]) || carry_in) {
        tr_flags_load(t);
        t->desc.kind = DESC_NONE;
    } else {
        flags_die(t);
    }
    unsigned d = H_NONE;
    if (!is_mem(i)) {
        tr_reg_changes(t, i->rm);
        d = tr_use(t, i->rm, H_T2);
        e = op_reg(d);
    }
    asm_op(&t->a, size_flags(i->osize), ENC_1, i->opcode, ext, e);
    if (!by_cl && !by_one) {
        asm_byte(&t->a, (uint8_t)i->imm);
    }
    if (d == H_T2) {
        tr_commit(t, i->rm, d);
    }
    tr_flags_set(t, no_desc);
    return true;
}

/* ---- by opcode ---- */

static bool emit_one_byte(Tr *t, const Insn *i)
{
    uint8_t op = i->opcode;
    if (op < 0x40) {
        return (op & 7) < 6 && emit_alu(t, i);
    }
    switch (op) {
    case 0x50 ... 0x57:
        return emit_push(t, i);
    case 0x58 ... 0x5f:
        return emit_pop(t, i);
    case 0x63:
        return emit_extend(t, i, ENC_1, 0x63, 2);
    case 0x68:
    case 0x6a:
        return emit_push_imm(t, i);
    case 0x69:
    case 0x6b:
        return emit_imul2(t, i);
    case 0x70 ... 0x7f:
        return emit_jcc(t, i);
    case 0x80:
    case 0x81:
    case 0x83:
        return emit_alu_imm(t, i);
    case 0x84:
    case 0x85:
        return emit_test(t, i);
    case 0x87:
        return !is_mem(i) && emit_xchg_reg(t, i->reg, i->rm, i->osize);
    case 0x88 ... 0x8b:
        return emit_mov(t, i);
    case 0x8d:
        return emit_lea(t, i);
    case 0x90 ... 0x97:
        if (i->rm == RAX) {
            return !(i->flags & INSN_REP); /* NOP; PAUSE is the interpreter's */
        }
        return i->rm != RAX && emit_xchg_reg(t, RAX, i->rm, i->osize);
    case 0x98:
    case 0x99:
        return emit_convert(t, i);
    case 0xa8:
    case 0xa9:
        return emit_test_imm(t, i, RAX);
    case 0xb0 ... 0xbf:
    case 0xc6:
    case 0xc7:
        return emit_mov_imm(t, i);
    case 0xc0:
    case 0xc1:
    case 0xd0 ... 0xd3:
        return emit_shift(t, i);
    case 0xc2:
    case 0xc3:
        return emit_ret(t, i);
    case 0xc9:
        return emit_leave(t, i);
    case 0xe8:
        return emit_call(t, i);
    case 0xe9:
    case 0xeb:
        return emit_jump(t, i);
    case 0xf6:
    case 0xf7:
        return emit_group3(t, i);
    case 0xfe:
        return emit_incdec(t, i);
    case 0xff:
        return emit_group5(t, i);
    default:
        return false;
    }
}

static bool emit_two_byte(Tr *t, const Insn *i)
{
    switch (i->opcode) {
    case 0x1e:
    case 0x1f: /* the hints: ENDBR, multi-byte NOP */
        return true;
    case 0x40 ... 0x4f:
        return emit_cmov(t, i);
    case 0x80 ... 0x8f:
        return emit_jcc(t, i);
    case 0x90 ... 0x9f:
        return emit_setcc(t, i);
    case 0xaf:
        return emit_imul2(t, i);
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf:
        return emit_extend(t, i, ENC_0F, i->opcode, i->opcode & 1);
    case 0xc8 ... 0xcf:
        return emit_bswap(t, i);
    default:
        return false;
    }
}

bool emit_insn(Tr *t, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    if (!insn_undefined(i) && (row->attr & A_SSE)) {
        return emit_vector(t, i);
    }
    if (insn_undefined(i) || (row->attr & (A_SYS | A_IO | A_X87 | A_SSE | A_MMX))) {
        return false;
    }
    return row->map == MAP_1 ? emit_one_byte(t, i) : row->map == MAP_0F && emit_two_byte(t, i);
}
