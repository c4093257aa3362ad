/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SSE and AVX instructions: the guest's vector registers are the host's, so they are encoded again as they are, with
 * memory operands and general registers replaced.  The row's operand codes say what the fields of ModRM name: V, H, L and
 * U are vector registers, W is one or memory, E and R a general register or memory, G a general register, M memory.
 * Spec: Intel SDM vol 2 appendix A.2 (operand codes), 2.3 (VEX).
 */
#include "tcg/emit.h"

#include <string.h>

/* Does it round or raise floating-point exceptions? */
static bool computes(const InsnRow *row)
{
    switch (row->map) {
    case MAP_0F3A:
    case MAP_VEX_0F3A: /* round, dot products, VCVTPS2PH */
        return (row->opcode >= 0x08 && row->opcode <= 0x0b) || row->opcode == 0x40 || row->opcode == 0x41 ||
               row->opcode == 0x1d;
    case MAP_0F38:
    case MAP_VEX_0F38: /* FMA, VCVTPH2PS */
        return row->opcode == 0x13 || (row->opcode >= 0x96 && row->opcode <= 0xbf);
    default:
        break;
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

/* ---- operands ---- */

typedef struct Plan {
    unsigned flags;     /* ENC_* */
    unsigned map;
    unsigned mem_bytes; /* of the memory operand */
    bool vex, imm, sets_flags;
    bool code64;        /* otherwise W does not widen general registers, of which there are eight */
    bool to_rm, rm_general, reg_general; /* what ModRM.rm is: the destination?  a general register? */
    bool imm_register;  /* the immediate's upper half is a register */
    bool sets_rcx;      /* PCMPxSTRI */
} Plan;

/* VEX rows whose memory operand is a part of what its type letters say: the 16 or 32 bytes, shifted right. */
static unsigned part_of_lanes(const Insn *i, const InsnRow *row)
{
    static const uint8_t extend[] = {1, 2, 3, 1, 2, 1}; /* BW BD BQ WD WQ DQ */
    if (row->map == MAP_VEX_0F38) {
        bool extends = (row->opcode & 0xe0) == 0x20 && (row->opcode & 7) < 6 && !(row->opcode & 8);
        return extends ? extend[row->opcode & 7] : row->opcode == 0x13;
    }
    if (row->map == MAP_VEX_0F3A) {
        return row->opcode == 0x1d;
    }
    return (row->opcode == 0x5a && row->prefix == PFX_NP) || (row->opcode == 0xe6 && row->prefix == PFX_F3) ||
           (row->opcode == 0x12 && row->prefix == PFX_F2 && i->vl == 0); /* VCVTPS2PD, VCVTDQ2PD, VMOVDDUP */
}

/* Bytes of a memory operand by its type letters; 0 for types not known here. */
static unsigned type_bytes(const Plan *p, const Insn *i, const InsnRow *row, const char *type)
{
    static const struct {
        char name[4];
        uint8_t bytes;
    } types[] = {{"ps", 16}, {"pd", 16}, {"x", 16}, {"dq", 16}, {"ss", 4}, {"sd", 8},
                 {"q", 8}, {"d", 4}, {"w", 2}, {"b", 1}};
    size_t len = strcspn(type, ",");
    if (len == 1 && *type == 'y') {
        return (i->flags & INSN_REXW) && p->code64 ? 8 : 4;
    }
    for (size_t n = 0; n < G_N_ELEMENTS(types); n++) {
        if (strlen(types[n].name) != len || strncmp(types[n].name, type, len) != 0) {
            continue;
        }
        bool lanes = len == 2 ? *type == 'p' : *type == 'x';
        if (*type == 'd' && len == 2) { /* integers to be converted come in all lanes, others in one */
            lanes = row->map == MAP_VEX_0F && (row->opcode == 0x5b || row->opcode == 0xe6);
        }
        return row->map < MAP_VEX_0F || !lanes ? types[n].bytes
                                               : (types[n].bytes << i->vl) >> part_of_lanes(i, row);
    }
    return 0;
}

/* One operand of the row; false for codes not known here. */
static bool plan_operand(Plan *p, const Insn *i, const InsnRow *row, const char *op, bool first)
{
    bool memory = false;
    switch (*op) {
    case 'V':
    case 'H':
    case 'U':
        break;
    case 'L':
        p->imm_register = true;
        p->imm = true;
        break;
    case 'I':
        p->imm = true;
        break;
    case 'G':
        p->reg_general = true;
        break;
    case 'E':
    case 'R':
        p->rm_general = true;
        p->to_rm |= first;
        memory = is_mem(i);
        break;
    case 'W':
    case 'M':
        p->to_rm |= first;
        memory = is_mem(i);
        break;
    default:
        return false;
    }
    if (memory) {
        p->mem_bytes = type_bytes(p, i, row, op + 1);
    }
    return !memory || p->mem_bytes;
}

static bool plan(const Tr *t, const Insn *i, Plan *p)
{
    static const uint8_t prefixes[] = {[PFX_66] = ENC_66, [PFX_F3] = ENC_F3, [PFX_F2] = ENC_F2};
    const InsnRow *row = insn_row(i);
    bool vex = row->map >= MAP_VEX_0F;
    bool masked_to_rdi = (row->map == MAP_0F || row->map == MAP_VEX_0F) && row->opcode == 0xf7; /* not in ModRM */
    bool loads_mxcsr = row->opcode == 0xae && row->reg == 2;
    if (!(t->src->mode & (vex ? JIT_MODE_AVX : JIT_MODE_SSE)) || (computes(row) && !(t->src->mode & JIT_MODE_FP)) ||
        !feature_in(&t->jit->host, row->feature) || (vex && !feature_in(&t->jit->host, FEAT_AVX)) ||
        (row->attr & (A_MMX | A_X87 | A_SYS | A_VSIB)) || masked_to_rdi || loads_mxcsr || row->map == MAP_1) {
        return false;
    }
    *p = (Plan){.vex = vex, .code64 = tr_code64(t), .map = row->map - (vex ? MAP_VEX_0F : MAP_0F) + ENC_0F,
                .flags = prefixes[row->prefix], .sets_flags = row->flags_written & FL_OSZAPC};
    const char *op = row->operands;
    for (bool first = true; *op; first = false) {
        if (!plan_operand(p, i, row, op, first)) {
            return false;
        }
        op += strcspn(op, ",");
        op += *op == ',';
    }
    bool strings = p->map == ENC_0F3A && (row->opcode & 0xfc) == 0x60;
    p->sets_rcx = strings && (row->opcode & 1);
    bool general = strings || p->rm_general || p->reg_general;
    if ((vex || general) && (i->flags & INSN_REXW) && (p->code64 || !general)) {
        p->flags |= ENC_W;
    }
    if (i->vl) {
        p->flags |= ENC_L;
    }
    return true;
}

static VectorAccess access_of(const Insn *i, const Plan *p)
{
    bool wide = p->mem_bytes >= 16 && !(insn_row(i)->attr & A_UNALIGNED);
    return (VectorAccess){.bytes = p->mem_bytes, .align = wide ? p->mem_bytes : 0, .write = p->to_rm,
                          .sets_flags = p->sets_flags};
}

bool emit_vector_access(const Tr *t, const Insn *i, VectorAccess *out)
{
    Plan p;
    if (insn_undefined(i) || (insn_row(i)->attr & (A_SSE | A_X87 | A_MMX)) != A_SSE || !plan(t, i, &p)) {
        return false;
    }
    *out = access_of(i, &p);
    return true;
}

bool emit_uses_vectors(const Tr *t, const Insn *i)
{
    VectorAccess x;
    bool mmx = !insn_undefined(i) && (insn_row(i)->attr & A_MMX);
    return mmx ? emit_mmx_uses_vectors(t, i) : emit_vector_access(t, i, &x);
}

/* ---- emitting ---- */

/* The memory operand with its alignment checked where the instruction demands it. */
static bool vector_memory(Tr *t, const Insn *i, const Plan *p, HostOp *m)
{
    VectorAccess x = access_of(i, p);
    MemOperand shared = {.bytes = x.bytes, .align = x.align, .write = x.write, .wants_flags = x.sets_flags, .vector = true};
    if (tr_place(t, t->n, &shared.place) && tr_shared(t, &shared, m)) {
        return true;
    }
    if (!tr_address(t, i)) {
        return false;
    }
    tr_slot_memory(t, H_ADDR, x.bytes, x.write, x.sets_flags);
    if (x.align) {
        asm_op(&t->a, ENC_BYTE_RM, ENC_1, 0xf6, 0, op_reg(H_ADDR)); /* test */
        asm_byte(&t->a, (uint8_t)(x.align - 1));
        t->stubs[t->num_stubs - 1].from[1] = asm_jcc(&t->a, 5);
    }
    *m = op_mem(H_ADDR, 0);
    return true;
}

/* Where a general register's new value is put: itself, or H_T2 to be committed. */
static unsigned general_result(unsigned guest)
{
    return host_of(guest) != H_NONE ? host_of(guest) : H_T2;
}

static void encode(Tr *t, const Insn *i, const Plan *p, HostOp rm)
{
    const InsnRow *row = insn_row(i);
    unsigned reg = row->reg != ANY ? (unsigned)row->reg : p->reg_general ? general_result(i->reg) : i->reg;
    uint32_t touched = t->a.touched;
    if (p->vex) {
        asm_vex(&t->a, p->flags, p->map, i->opcode, reg, i->vvvv, rm);
    } else {
        asm_op(&t->a, p->flags & ~(unsigned)ENC_L, p->map, i->opcode, reg, rm);
    }
    if (!p->reg_general && !p->rm_general) { /* the numbers were those of vector registers */
        t->a.touched = touched;
    }
    if (p->imm) {
        asm_byte(&t->a, (uint8_t)(i->imm & (p->imm_register && !p->code64 ? 0x7f : 0xff)));
    }
}

/* VZEROUPPER, VZEROALL */
static bool emit_zero(Tr *t, const Insn *i)
{
    asm_byte(&t->a, 0xc5);
    asm_byte(&t->a, i->vl ? 0xfc : 0xf8);
    asm_byte(&t->a, 0x77);
    return true;
}

bool emit_vector(Tr *t, const Insn *i)
{
    Plan p;
    if (!plan(t, i, &p)) {
        return false;
    }
    if (insn_row(i)->mod == MOD_NONE) {
        return emit_zero(t, i);
    }
    if (p.reg_general) {
        tr_reg_changes(t, i->reg);
    }
    if (p.sets_rcx) {
        tr_reg_changes(t, RCX);
    }
    HostOp rm = op_reg(i->rm);
    if (is_mem(i)) {
        if (!vector_memory(t, i, &p, &rm)) {
            return false;
        }
    } else if (p.rm_general && p.to_rm) {
        tr_reg_changes(t, i->rm);
        rm = op_reg(general_result(i->rm));
    } else if (p.rm_general) {
        rm = op_reg(tr_use(t, i->rm, H_T2));
    }
    if (p.sets_flags) {
        flags_die(t);
    }
    encode(t, i, &p, rm);
    if (p.reg_general) {
        tr_commit(t, i->reg, general_result(i->reg));
    } else if (!is_mem(i) && p.rm_general && p.to_rm) {
        tr_commit(t, i->rm, general_result(i->rm));
    }
    if (p.sets_flags) {
        tr_flags_set(t, no_desc);
    }
    return true;
}
