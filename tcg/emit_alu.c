/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ADD OR ADC SBB AND SUB XOR CMP, TEST, INC DEC NOT NEG: re-encoded with the operands where they are now. */
#include "tcg/emit.h"

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
    if (d.kind == DESC_LOGIC) { /* the result says it all */
        d.b = H_NONE;
        d.imm = 0;
    }
    if (b == H_NONE && d.kind != DESC_LOGIC && !imm_fits(imm)) {
        d.kind = DESC_NONE;
    }
    return d;
}

static FlagUse alu_flags(unsigned op)
{
    return op == ALU_ADC || op == ALU_SBB ? FLAGS_NEEDED : FLAGS_REPLACED;
}

/*
 * The memory operand through H_T2 into cc_dst or cc_src as well: an operation whose flags somebody may see keeps what they
 * can be made from.
 */
static void keep_operand(Tr *t, const Insn *i, EOp *e, HostOp where)
{
    static const uint8_t opcode[] = {0xb6, 0xb7, 0x8b, 0x8b};
    asm_op(&t->a, i->osize == 3 ? ENC_W : 0, i->osize < 2 ? ENC_0F : ENC_1, opcode[i->osize], H_T2, e->op);
    asm_store64(&t->a, where, H_T2);
    e->op = op_reg(H_T2);
}

/* Of CMP or TEST, first operand in memory.  To TEST, a result and a first operand are the same. */
static FlagDesc kept_desc(Tr *t, const Insn *i, DescKind kind, unsigned b, int64_t imm)
{
    if (t->num_stubs && t->stubs[t->num_stubs - 1].n == t->n) { /* else the check is another instruction's */
        t->stubs[t->num_stubs - 1].compares = kind == DESC_CMP;
    }
    return (FlagDesc){.kind = kind, .log2 = i->osize, .a = DESC_STORED, .b = (uint8_t)b, .imm = (int32_t)imm};
}

/* dst = dst op src, both registers. */
static void alu_rr(Tr *t, const Insn *i, unsigned op, unsigned dst, bool dst_high, unsigned src, bool src_high)
{
    unsigned log2 = i->osize;
    uint8_t opcode = (uint8_t)(op << 3 | (log2 != 0));
    EOp e;
    GOp g;
    if (host_of(dst) != H_NONE) {
        tr_e_reg(t, src, src_high, log2, E_READ, alu_flags(op), &e);
        g = tr_g_reg(t, dst, dst_high, true, H_NONE);
        tr_op_pair(t, &e, ENC_1, opcode | 2, &g);
    } else if (dst == src && log2 >= 2 && (op == ALU_XOR || op == ALU_SUB)) {
        flags_die(t); /* zero, whatever was there */
        asm_op(&t->a, 0, ENC_1, opcode, H_T2, op_reg(H_T2));
        asm_store64(&t->a, guest_home(dst), H_T2);
    } else {
        tr_e_reg(t, dst, false, log2, op == ALU_CMP ? E_READ : E_READ | E_WRITE, alu_flags(op), &e);
        g = tr_g_reg(t, src, src_high, true, H_T1);
        tr_op_pair(t, &e, ENC_1, opcode, &g);
        tr_e_done(t, &e);
    }
    tr_flags_set(t, dst_high || src_high ? no_desc : alu_desc(op, log2, dst, src, 0));
}

static void alu_ri(Tr *t, const Insn *i, unsigned op, EOp *e, int64_t imm)
{
    bool small = i->osize != 0 && imm == (int8_t)imm;
    tr_op_ext(t, e, ENC_1, i->osize == 0 ? 0x80 : small ? 0x83 : 0x81, op);
    if (small) {
        asm_byte(&t->a, (uint8_t)imm);
    } else {
        put_imm(t, imm, i->osize);
    }
    tr_e_done(t, e);
}

static unsigned alu_access(unsigned op)
{
    return op == ALU_CMP ? E_READ : E_READ | E_WRITE;
}

static bool alu_accumulator(Tr *t, const Insn *i, unsigned op)
{
    EOp e;
    tr_e_reg(t, RAX, false, i->osize, alu_access(op), alu_flags(op), &e);
    alu_ri(t, i, op, &e, signed_imm(i));
    tr_flags_set(t, alu_desc(op, i->osize, RAX, H_NONE, signed_imm(i)));
    return true;
}

static bool alu_from_memory(Tr *t, const Insn *i, unsigned op)
{
    EOp e;
    if (!tr_e(t, i, i->osize, E_READ, alu_flags(op), &e)) {
        return false;
    }
    bool high = i->osize == 0 && (i->reg8 & 7);
    bool keep = t->live[t->n] && !high && (op == ALU_CMP || op == ALU_ADD || op == ALU_SUB);
    if (keep) {
        keep_operand(t, i, &e, CPU_MEM(cc_src));
    }
    GOp g = tr_g_reg(t, i->osize ? i->reg : i->reg8 >> 3, high, true, keep ? H_T1 : H_T2);
    tr_op_pair(t, &e, ENC_1, i->opcode, &g);
    if (op != ALU_CMP) {
        tr_g_done(t, &g);
    }
    bool told = keep || (!high && op != ALU_CMP && op != ALU_ADD && op != ALU_SUB);
    tr_flags_set(t, told ? alu_desc(op, i->osize, g.guest, keep ? DESC_STORED : H_NONE, 0) : no_desc);
    return true;
}

static bool alu_to_memory(Tr *t, const Insn *i, unsigned op)
{
    EOp e;
    if (!tr_e(t, i, i->osize, alu_access(op), alu_flags(op), &e)) {
        return false;
    }
    bool high = i->osize == 0 && (i->reg8 & 7), keep = t->live[t->n] && !high && op == ALU_CMP;
    if (keep) {
        keep_operand(t, i, &e, CPU_MEM(cc_dst));
    }
    GOp g = tr_g_reg(t, i->osize ? i->reg : i->reg8 >> 3, high, true, keep ? H_T1 : H_T2);
    tr_op_pair(t, &e, ENC_1, i->opcode, &g);
    tr_flags_set(t, keep ? kept_desc(t, i, DESC_CMP, g.guest, 0) : no_desc);
    return true;
}

bool emit_alu(Tr *t, const Insn *i)
{
    unsigned op = i->opcode >> 3;
    bool to_reg = i->opcode & 2, byte = i->osize == 0;
    if ((i->opcode & 7) >= 4) {
        return alu_accumulator(t, i, op);
    }
    if (!is_mem(i)) {
        unsigned e = byte ? i->rm8 >> 3 : i->rm, g = byte ? i->reg8 >> 3 : i->reg;
        bool e_high = byte && (i->rm8 & 7), g_high = byte && (i->reg8 & 7);
        alu_rr(t, i, op, to_reg ? g : e, to_reg ? g_high : e_high, to_reg ? e : g, to_reg ? e_high : g_high);
        return true;
    }
    return to_reg ? alu_from_memory(t, i, op) : alu_to_memory(t, i, op);
}

bool emit_alu_imm(Tr *t, const Insn *i)
{
    unsigned op = i->modrm >> 3 & 7;
    int64_t imm = i->opcode == 0x83 ? (int8_t)i->imm : signed_imm(i);
    EOp e;
    if (!tr_e(t, i, i->osize, alu_access(op), alu_flags(op), &e)) {
        return false;
    }
    if (is_mem(i) && op == ALU_CMP && t->live[t->n] && imm_fits(imm)) {
        keep_operand(t, i, &e, CPU_MEM(cc_dst));
        alu_ri(t, i, op, &e, imm);
        tr_flags_set(t, kept_desc(t, i, DESC_CMP, H_NONE, imm));
        return true;
    }
    alu_ri(t, i, op, &e, imm);
    tr_flags_set(t, is_mem(i) || e.high ? no_desc : alu_desc(op, i->osize, i->osize ? i->rm : i->rm8 >> 3, H_NONE, imm));
    return true;
}

/* ---- TEST ---- */

bool emit_test(Tr *t, const Insn *i)
{
    EOp e;
    if (!tr_e(t, i, i->osize, E_READ, FLAGS_REPLACED, &e)) {
        return false;
    }
    bool g_high = i->osize == 0 && (i->reg8 & 7);
    if (is_mem(i) && t->live[t->n] && !g_high) {
        keep_operand(t, i, &e, CPU_MEM(cc_dst));
        GOp b = tr_g_reg(t, i->osize ? i->reg : i->reg8 >> 3, false, true, H_T1);
        tr_op_pair(t, &e, ENC_1, i->opcode, &b);
        tr_flags_set(t, kept_desc(t, i, DESC_TEST, b.guest, 0));
        return true;
    }
    GOp g = tr_g(t, i, i->osize, true);
    tr_op_pair(t, &e, ENC_1, i->opcode, &g);
    FlagDesc d = {.kind = DESC_TEST, .log2 = i->osize, .a = i->osize ? i->rm : i->rm8 >> 3, .b = g.guest};
    tr_flags_set(t, is_mem(i) || e.high || g.high ? no_desc : d);
    return true;
}

static void test_imm(Tr *t, const Insn *i, EOp *e, unsigned guest)
{
    int64_t imm = signed_imm(i);
    tr_op_ext(t, e, ENC_1, i->osize == 0 ? 0xf6 : 0xf7, 0);
    put_imm(t, imm, i->osize);
    FlagDesc d = {.kind = DESC_TEST, .log2 = i->osize, .a = (uint8_t)guest, .b = H_NONE, .imm = (int32_t)imm};
    tr_flags_set(t, guest == H_NONE ? no_desc : d);
}

bool emit_test_imm(Tr *t, const Insn *i)
{
    EOp e;
    tr_e_reg(t, RAX, false, i->osize, E_READ, FLAGS_REPLACED, &e);
    test_imm(t, i, &e, RAX);
    return true;
}

static bool emit_test_e_imm(Tr *t, const Insn *i)
{
    EOp e;
    if (!tr_e(t, i, i->osize, E_READ, FLAGS_REPLACED, &e)) {
        return false;
    }
    bool keep = is_mem(i) && t->live[t->n];
    if (keep) {
        keep_operand(t, i, &e, CPU_MEM(cc_dst));
    }
    test_imm(t, i, &e, keep ? DESC_STORED : is_mem(i) || e.high ? H_NONE : i->osize ? i->rm : i->rm8 >> 3);
    return true;
}

/* ---- INC DEC NOT NEG ---- */

static bool one_operand(Tr *t, const Insn *i, unsigned ext, FlagUse use)
{
    EOp e;
    if (!tr_e(t, i, i->osize, E_READ | E_WRITE, use, &e)) {
        return false;
    }
    tr_op_ext(t, &e, ENC_1, i->opcode, ext);
    tr_e_done(t, &e);
    if (use != FLAGS_KEPT) {
        tr_flags_set(t, no_desc);
    }
    return true;
}

FlagUse step_flags(Tr *t, unsigned guest)
{
    if (!(t->live[t->n] & LIVE_C)) {
        return FLAGS_REPLACED;
    }
    /* behind another one, as in a loop that it counts, the carry need not be stored again */
    return guest != H_NONE && tr_flags_load_carry(t) ? FLAGS_REPLACED : FLAGS_NEEDED;
}

void emit_step(Tr *t, const Insn *i, const EOp *e, FlagUse use, unsigned guest, bool dec)
{
    bool told = t->live[t->n] && guest != H_NONE;
    if (told && use == FLAGS_NEEDED) {
        asm_op(&t->a, 0, ENC_0F, 0x92, 0, CPU_MEM(jit_kept)); /* setc */
    }
    tr_op_ext(t, e, ENC_1, i->osize ? 0xff : 0xfe, dec);
    tr_e_done(t, e);
    FlagDesc d = {.kind = dec ? DESC_DEC : DESC_INC, .log2 = i->osize, .a = (uint8_t)guest, .b = H_NONE};
    tr_flags_set(t, told ? d : no_desc);
}

bool emit_incdec(Tr *t, const Insn *i)
{
    EOp e;
    bool high = !i->osize && (i->rm8 & 7);
    unsigned guest = is_mem(i) || high ? H_NONE : i->osize ? i->rm : i->rm8 >> 3;
    FlagUse use = step_flags(t, guest);
    if (!tr_e(t, i, i->osize, E_READ | E_WRITE, use, &e)) {
        return false;
    }
    emit_step(t, i, &e, use, guest, i->modrm >> 3 & 1);
    return true;
}

bool emit_group3(Tr *t, const Insn *i)
{
    unsigned ext = i->modrm >> 3 & 7;
    switch (ext) {
    case 0:
    case 1:
        return emit_test_e_imm(t, i);
    case 2:
        return one_operand(t, i, ext, FLAGS_KEPT);
    case 3:
        return one_operand(t, i, ext, FLAGS_REPLACED);
    case 4:
    case 5:
        return emit_mul(t, i, ext);
    default:
        return emit_div(t, i, ext == 7);
    }
}
