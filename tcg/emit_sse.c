/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SSE instructions, run by the host on XMM0 and XMM1.  The guest's registers stay in X86Cpu.v; the guest's MXCSR is in
 * the host's only between the first instruction of a block that computes with it and the next call or way out.
 * The row's operand codes say what to load and store: V and U are XMM registers, W a register or memory, E, G, R general.
 */
#include "tcg/emit.h"

#include <string.h>

enum { X0, X1 };

static HostOp vector_home(unsigned n)
{
    return op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, v) + n * sizeof(Vec)));
}

static void load_vector(Tr *t, unsigned x, unsigned guest)
{
    asm_op(&t->a, 0, ENC_0F, 0x28, x, vector_home(guest)); /* movaps */
}

static void store_vector(Tr *t, unsigned guest, unsigned x)
{
    asm_op(&t->a, 0, ENC_0F, 0x29, x, vector_home(guest));
}

/* ---- MXCSR ---- */

void tr_fp_enter(Tr *t)
{
    if (!t->fp) {
        asm_op(&t->a, 0, ENC_0F, 0xae, 2, CPU_MEM(mxcsr));
        t->fp = true;
    }
}

void tr_fp_emit_leave(Tr *t)
{
    asm_op(&t->a, 0, ENC_0F, 0xae, 3, CPU_MEM(mxcsr));
    asm_op(&t->a, 0, ENC_0F, 0xae, 2, CPU_MEM(jit_host_mxcsr));
}

void tr_fp_leave(Tr *t)
{
    if (t->fp) {
        tr_fp_emit_leave(t);
        t->fp = false;
    }
}

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
static bool to_vector(Tr *t, const Insn *i, const Shape *s, bool sets_flags)
{
    HostOp e = {0};
    if (is_mem(i)) {
        e = vector_memory(t, i, s, false, sets_flags);
    } else if (strchr("ER", s->src)) {
        e = op_reg(tr_use(t, i->rm, H_T2));
    } else {
        load_vector(t, X1, i->rm);
        e = op_reg(X1);
    }
    load_vector(t, X0, i->reg);
    if (sets_flags) {
        t->place = FLAGS_DEAD;
        t->desc.kind = DESC_NONE;
    }
    operate(t, i, s, X0, e);
    if (sets_flags) {
        tr_flags_set(t, no_desc);
    } else {
        store_vector(t, i->reg, X0);
    }
    return true;
}

/* W, M <- V; E, R <- V. */
static bool from_vector(Tr *t, const Insn *i, const Shape *s)
{
    if (is_mem(i)) {
        HostOp m = vector_memory(t, i, s, true, false);
        load_vector(t, X0, i->reg);
        operate(t, i, s, X0, m);
        return true;
    }
    if (s->dst == 'W') {
        load_vector(t, X0, i->reg);
        load_vector(t, X1, i->rm);
        operate(t, i, s, X0, op_reg(X1));
        store_vector(t, i->rm, X1);
        return true;
    }
    tr_reg_changes(t, i->rm);
    load_vector(t, X0, i->reg);
    operate(t, i, s, X0, op_reg(H_T2));
    tr_commit(t, i->rm, H_T2);
    return true;
}

/* G <- U, W. */
static bool to_general(Tr *t, const Insn *i, const Shape *s)
{
    HostOp e;
    if (is_mem(i)) {
        e = vector_memory(t, i, s, false, false);
    } else {
        load_vector(t, X1, i->rm);
        e = op_reg(X1);
    }
    operate(t, i, s, H_T2, e);
    tr_commit(t, i->reg, H_T2);
    return true;
}

/* Shifts by an immediate: U in the rm field, the operation in reg. */
static bool shift_vector(Tr *t, const Insn *i, const Shape *s)
{
    load_vector(t, X0, i->rm);
    operate(t, i, s, i->modrm >> 3 & 7, op_reg(X0));
    store_vector(t, i->rm, X0);
    return true;
}

bool emit_sse(Tr *t, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    Shape s;
    bool fp = computes(row);
    bool sets_flags = row->flags_written & FL_OSZAPC;
    if (has_implicit_operands(row) || (row->attr & (A_MMX | A_SYS)) || !(t->src->mode & JIT_MODE_SSE) ||
        (fp && !(t->src->mode & JIT_MODE_FP)) ||
        !feature_in(&t->jit->host, row->feature) || !shape_of(i, row, &s)) {
        return false;
    }
    bool known = (s.dst == 'V' && strchr("WUMER", s.src)) || (strchr("WMER", s.dst) && s.src == 'V') ||
                 (s.dst == 'G' && strchr("UW", s.src)) || (s.dst == 'U' && s.src == 'I');
    if (!known || (sets_flags && s.dst != 'V')) {
        return false;
    }
    if (s.dst == 'G') {
        tr_reg_changes(t, i->reg);
    }
    if (is_mem(i) && !tr_address(t, i)) {
        return false;
    }
    if (fp) {
        tr_fp_enter(t);
    }
    switch (s.dst) {
    case 'V':
        return to_vector(t, i, &s, sets_flags);
    case 'G':
        return to_general(t, i, &s);
    case 'U':
        return shift_vector(t, i, &s);
    default:
        return from_vector(t, i, &s);
    }
}
