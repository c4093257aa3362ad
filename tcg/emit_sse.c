/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SSE instructions: the guest's vector registers are the host's, so they are encoded again as they are, with memory
 * operands and general registers replaced.
 * The row's operand codes say what to load and store: V and U are XMM registers, W a register or memory, E, G, R general.
 */
#include "tcg/emit.h"

#include <string.h>

/* Does it round or raise floating-point exceptions? */
static bool computes(const InsnRow *row)
{
    if (row->map == MAP_0F3A) {
        return (row->opcode >= 0x08 && row->opcode <= 0x0b) || row->opcode == 0x40 || row->opcode == 0x41;
    }
    if (row->map != MAP_0F) {
        return false;
    }
    switch (row->opcode) {
    case 0x2a:
    case 0x2c ... 0x2f:
    case 0x51:
    case 0x58 ... 0x5f:
    case 0x7c:
    case 0x7d:
    case 0xc2:
    case 0xd0:
    case 0xe6:
        return true;
    default:
        return false;
    }
}

/*
 * Operands that the encoding does not name: XMM0 of the variable blends and SHA256RNDS2, memory of MASKMOV, ECX or XMM0
 * of PCMPxSTRx.
 */
static bool has_implicit_operands(const InsnRow *row)
{
    if (row->map == MAP_0F38) {
        return row->opcode == 0x10 || row->opcode == 0x14 || row->opcode == 0x15 || row->opcode == 0xcb;
    }
    return row->map == MAP_0F3A ? (row->opcode & 0xfc) == 0x60 : row->opcode == 0xf7;
}

/* ---- operands ---- */

/* Bytes of an operand by its type letters; 0 for types not known here. */
static unsigned type_bytes(const Insn *i, const char *type)
{
    static const struct {
        char name[4];
        uint8_t bytes;
    } types[] = {{"ps", 16}, {"pd", 16}, {"dq", 16}, {"ss", 4}, {"sd", 8}, {"q", 8}, {"d", 4}, {"w", 2}, {"b", 1}};
    size_t len = strcspn(type, ",");
    if (len == 1 && *type == 'y') {
        return i->flags & INSN_REXW ? 8 : 4;
    }
    for (size_t n = 0; n < G_N_ELEMENTS(types); n++) {
        if (strlen(types[n].name) == len && strncmp(types[n].name, type, len) == 0) {
            return types[n].bytes;
        }
    }
    return 0;
}

typedef struct Shape {
    char dst, src;        /* operand methods */
    unsigned mem_bytes;   /* of the operand that may be in memory */
    bool imm;
    unsigned flags;       /* ENC_* */
    unsigned map;
} Shape;

static bool shape_of(const Insn *i, const InsnRow *row, Shape *s)
{
    static const uint8_t prefixes[] = {[PFX_66] = ENC_66, [PFX_F3] = ENC_F3, [PFX_F2] = ENC_F2};
    const char *first = row->operands, *second = strchr(first, ',');
    if (!second || row->map > MAP_0F3A) {
        return false;
    }
    second++;
    *s = (Shape){.dst = *first, .src = *second, .map = row->map - MAP_0F + ENC_0F};
    const char *third = strchr(second, ',');
    s->imm = third ? strcmp(third, ",Ib") == 0 : strcmp(second, "Ib") == 0;
    if (third && !s->imm) {
        return false;
    }
    if (is_mem(i)) {
        s->mem_bytes = type_bytes(i, strchr("WME", s->dst) ? first + 1 : second + 1);
        if (!s->mem_bytes) {
            return false;
        }
    }
    s->flags = prefixes[row->prefix];
    bool general = strchr("EGR", s->dst) || strchr("EGR", s->src);
    if (general && (i->flags & INSN_REXW)) {
        s->flags |= ENC_W;
    }
    return true;
}

/* The memory operand with its alignment checked where SSE demands it. */
static HostOp vector_memory(Tr *t, const Insn *i, const Shape *s, bool write, bool sets_flags)
{
    HostOp m = tr_memory(t, s->mem_bytes, write, sets_flags);
    if (s->mem_bytes == 16 && !(insn_row(i)->attr & A_UNALIGNED)) {
        asm_op(&t->a, ENC_BYTE_RM, ENC_1, 0xf6, 0, op_reg(H_ADDR));
        asm_byte(&t->a, 15);
        t->stubs[t->num_stubs - 1].from[1] = asm_jcc(&t->a, 5);
    }
    return m;
}

static void operate(Tr *t, const Insn *i, const Shape *s, unsigned reg, HostOp rm)
{
    asm_op(&t->a, s->flags, s->map, i->opcode, reg, rm);
    if (s->imm) {
        asm_byte(&t->a, (uint8_t)i->imm);
    }
}

/* V <- V op (W, U, M, E, R); sets flags instead of V for the compares that do. */
static void to_vector(Tr *t, const Insn *i, const Shape *s, bool sets_flags)
{
    HostOp e = {0};
    if (is_mem(i)) {
        e = vector_memory(t, i, s, false, sets_flags);
    } else if (strchr("ER", s->src)) {
        e = op_reg(tr_use(t, i->rm, H_T2));
    } else {
        e = op_reg(i->rm);
    }
    if (sets_flags) {
        flags_die(t);
    }
    operate(t, i, s, i->reg, e);
    if (sets_flags) {
        tr_flags_set(t, no_desc);
    }
}

/* W, M <- V; E, R <- V. */
static void from_vector(Tr *t, const Insn *i, const Shape *s)
{
    if (is_mem(i)) {
        HostOp m = vector_memory(t, i, s, true, false);
        operate(t, i, s, i->reg, m);
        return;
    }
    if (s->dst == 'W') {
        operate(t, i, s, i->reg, op_reg(i->rm));
        return;
    }
    tr_reg_changes(t, i->rm);
    operate(t, i, s, i->reg, op_reg(H_T2));
    tr_commit(t, i->rm, H_T2);
}

/* G <- U, W. */
static void to_general(Tr *t, const Insn *i, const Shape *s)
{
    HostOp e = is_mem(i) ? vector_memory(t, i, s, false, false) : op_reg(i->rm);
    operate(t, i, s, H_T2, e);
    tr_commit(t, i->reg, H_T2);
}

static bool shape_known(const Shape *s, bool sets_flags)
{
    if (sets_flags && s->dst != 'V') {
        return false;
    }
    return (s->dst == 'V' && strchr("WUMER", s->src)) || (strchr("WMER", s->dst) && s->src == 'V') ||
           (s->dst == 'G' && strchr("UW", s->src)) || (s->dst == 'U' && s->src == 'I');
}

static bool plan(const Tr *t, const Insn *i, Shape *s)
{
    const InsnRow *row = insn_row(i);
    return !has_implicit_operands(row) && !(row->attr & (A_MMX | A_SYS)) && (t->src->mode & JIT_MODE_SSE) &&
           (!computes(row) || (t->src->mode & JIT_MODE_FP)) && feature_in(&t->jit->host, row->feature) &&
           shape_of(i, row, s) && shape_known(s, row->flags_written & FL_OSZAPC);
}

bool emit_uses_vectors(const Tr *t, const Insn *i)
{
    Shape s;
    return !insn_undefined(i) && (insn_row(i)->attr & A_SSE) && plan(t, i, &s);
}

bool emit_sse(Tr *t, const Insn *i)
{
    Shape s;
    if (!plan(t, i, &s)) {
        return false;
    }
    if (s.dst == 'G') {
        tr_reg_changes(t, i->reg);
    }
    if (is_mem(i) && !tr_address(t, i)) {
        return false;
    }
    switch (s.dst) {
    case 'V':
        to_vector(t, i, &s, insn_row(i)->flags_written & FL_OSZAPC);
        break;
    case 'G':
        to_general(t, i, &s);
        break;
    case 'U': /* shifts by an immediate: the operation is in the reg field */
        operate(t, i, &s, i->modrm >> 3 & 7, op_reg(i->rm));
        break;
    default:
        from_vector(t, i, &s);
        break;
    }
    return true;
}
