/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data movement that leaves the flags alone: MOV and its extensions, LEA, XCHG, conversions, rare stack forms. */
#include "tcg/emit.h"

/* Zero- or sign-extending and full moves replace all of a register; the narrow ones need what is there. */
static bool keeps_rest(const Insn *i)
{
    return i->osize < 2;
}

/* ---- MOV ---- */

static void mov_rr(Tr *t, const Insn *i, unsigned dst, bool dst_high, unsigned src, bool src_high)
{
    uint8_t wide = i->osize != 0;
    EOp e;
    tr_reg_changes(t, dst);
    if (host_of(dst) != H_NONE) {
        tr_e_reg(t, src, src_high, i->osize, E_READ, FLAGS_KEPT, &e);
        GOp g = tr_g_reg(t, dst, dst_high, true, H_NONE);
        tr_op_pair(t, &e, ENC_1, 0x8a | wide, &g);
        return;
    }
    tr_e_reg(t, dst, false, i->osize, E_WRITE, FLAGS_KEPT, &e);
    GOp g = tr_g_reg(t, src, src_high, true, H_T1);
    tr_op_pair(t, &e, ENC_1, 0x88 | wide, &g);
    tr_e_done(t, &e);
}

/* 88 to 8B */
bool emit_mov(Tr *t, const Insn *i)
{
    bool to_reg = i->opcode & 2, byte = i->osize == 0;
    unsigned guest_g = byte ? i->reg8 >> 3 : i->reg;
    if (!is_mem(i)) {
        unsigned guest_e = byte ? i->rm8 >> 3 : i->rm;
        bool e_high = byte && (i->rm8 & 7), g_high = byte && (i->reg8 & 7);
        mov_rr(t, i, to_reg ? guest_g : guest_e, to_reg ? g_high : e_high, to_reg ? guest_e : guest_g,
               to_reg ? e_high : g_high);
        return true;
    }
    if (to_reg) {
        tr_reg_changes(t, guest_g);
    }
    EOp e;
    if (!tr_e(t, i, i->osize, to_reg ? E_READ : E_WRITE, FLAGS_KEPT, &e)) {
        return false;
    }
    GOp g = tr_g(t, i, i->osize, !to_reg || keeps_rest(i));
    tr_op_pair(t, &e, ENC_1, i->opcode, &g);
    if (to_reg) {
        tr_g_done(t, &g);
    }
    return true;
}

/* B0 to BF, C6, C7 */
bool emit_mov_imm(Tr *t, const Insn *i)
{
    bool all = i->opcode >= 0xb8 && i->opcode < 0xc0; /* a 64-bit immediate */
    EOp e;
    if (is_mem(i) || i->osize < 2) {
        if (!tr_e(t, i, i->osize, E_WRITE, FLAGS_KEPT, &e)) {
            return false;
        }
        tr_op_ext(t, &e, ENC_1, i->osize ? 0xc7 : 0xc6, 0);
        put_imm(t, signed_imm(i), i->osize);
        tr_e_done(t, &e);
        return true;
    }
    uint64_t v = i->osize == 2 ? (uint32_t)i->imm : all ? i->imm : (uint64_t)(int64_t)(int32_t)i->imm;
    tr_reg_changes(t, i->rm);
    if (host_of(i->rm) != H_NONE) {
        asm_mov_imm(&t->a, host_of(i->rm), v);
    } else if ((int64_t)v == (int32_t)v) {
        asm_store_imm32(&t->a, guest_home(i->rm), (int32_t)v);
    } else {
        asm_mov_imm(&t->a, H_T2, v);
        asm_store64(&t->a, guest_home(i->rm), H_T2);
    }
    return true;
}

/* A0 to A3: between RAX and an address in the instruction. */
bool emit_mov_moffs(Tr *t, const Insn *i)
{
    bool store = i->opcode & 2;
    HostOp m;
    if (!store) {
        tr_reg_changes(t, RAX);
    }
    if (!tr_operand(t, i, bytes_of(i), store ? MEM_WRITE : 0, &m)) {
        return false;
    }
    asm_op(&t->a, size_flags(i->osize), ENC_1, (uint8_t)((store ? 0x88 : 0x8a) | (i->osize != 0)), H_RAX, m);
    return true;
}

/* 8C: a selector to a register of any size, or 16 bits to memory. */
bool emit_mov_sreg(Tr *t, const Insn *i)
{
    unsigned seg = i->modrm >> 3 & 7;
    if (seg >= NUM_SEGS || is_mem(i) || host_of(i->rm) == H_NONE) {
        return false;
    }
    tr_reg_changes(t, i->rm);
    HostOp selector = op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, seg) + seg * sizeof(Segment) +
                                              offsetof(Segment, selector)));
    asm_op(&t->a, i->osize == 1 ? ENC_66 : 0, ENC_0F, 0xb7, host_of(i->rm), selector); /* movzx */
    return true;
}

/* MOVZX, MOVSX, MOVSXD (one-byte map): the source is `src_log2` wide. */
bool emit_extend(Tr *t, const Insn *i, unsigned map, unsigned src_log2)
{
    EOp e;
    if (i->osize < 1 || (map == ENC_1 && i->osize == 1)) {
        return false;
    }
    tr_reg_changes(t, i->reg);
    if (!tr_e(t, i, src_log2, E_READ, FLAGS_KEPT, &e)) {
        return false;
    }
    e.enc = size_flags(i->osize) | (src_log2 == 0 ? ENC_BYTE_RM : 0);
    GOp g = tr_g_reg(t, i->reg, false, keeps_rest(i), is_mem(i) ? H_T2 : H_T1);
    tr_op_pair(t, &e, map, i->opcode, &g);
    tr_g_done(t, &g);
    return true;
}

/* ---- LEA ---- */

bool emit_lea(Tr *t, const Insn *i)
{
    HostOp m;
    tr_reg_changes(t, i->reg);
    if (!tr_lea(t, i, &m)) {
        return false;
    }
    GOp g = tr_g_reg(t, i->reg, false, keeps_rest(i), H_T2);
    asm_op(&t->a, size_flags(i->osize), ENC_1, 0x8d, g.reg, m);
    tr_g_done(t, &g);
    return true;
}

/* ---- XCHG ---- */

static bool xchg(Tr *t, const Insn *i, EOp *e, const GOp *g)
{
    tr_op_pair(t, e, ENC_1, i->osize ? 0x87 : 0x86, g);
    tr_g_done(t, g);
    tr_e_done(t, e);
    return true;
}

/* 86, 87.  With memory it is locked, prefix or not. */
bool emit_xchg(Tr *t, const Insn *i)
{
    EOp e;
    tr_reg_changes(t, i->osize ? i->reg : i->reg8 >> 3);
    if (!tr_e(t, i, i->osize, E_READ | E_WRITE | E_IN_REG | E_LOCKED, FLAGS_KEPT, &e)) {
        return false;
    }
    GOp g = tr_g(t, i, i->osize, true);
    return xchg(t, i, &e, &g);
}

/* 91 to 97, and 90 with REX.B */
bool emit_xchg_rax(Tr *t, const Insn *i)
{
    EOp e;
    tr_reg_changes(t, RAX);
    tr_e_reg(t, i->rm, false, i->osize, E_READ | E_WRITE | E_IN_REG, FLAGS_KEPT, &e);
    GOp g = tr_g_reg(t, RAX, false, true, H_NONE);
    return xchg(t, i, &e, &g);
}

/* ---- CBW CWDE CDQE, CWD CDQ CQO, BSWAP, MOVBE, XLAT ---- */

bool emit_convert(Tr *t, const Insn *i)
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

bool emit_bswap(Tr *t, const Insn *i)
{
    if (i->osize < 2) {
        return false;
    }
    tr_reg_changes(t, i->rm);
    unsigned d = tr_use(t, i->rm, H_T2); /* which is touched by that */
    asm_byte(&t->a, (uint8_t)(0x40 | (i->osize == 3 ? 8 : 0) | d >> 3));
    asm_byte(&t->a, 0x0f);
    asm_byte(&t->a, (uint8_t)(0xc8 | (d & 7)));
    if (d == H_T2) {
        tr_commit(t, i->rm, d);
    }
    return true;
}

/* 0F 38 F0 loads, F1 stores. */
bool emit_movbe(Tr *t, const Insn *i)
{
    bool load = i->opcode == 0xf0;
    EOp e;
    if (!feature_in(&t->jit->host, FEAT_MOVBE)) {
        return false;
    }
    if (load) {
        tr_reg_changes(t, i->reg);
    }
    if (!tr_e(t, i, i->osize, load ? E_READ : E_WRITE, FLAGS_KEPT, &e)) {
        return false;
    }
    GOp g = tr_g(t, i, i->osize, !load || keeps_rest(i));
    tr_op_pair(t, &e, ENC_0F38, i->opcode, &g);
    if (load) {
        tr_g_done(t, &g);
    }
    return true;
}

bool emit_xlat(Tr *t, const Insn *i)
{
    if (i->asize != 3 || i->seg >= SEG_FS) {
        return false;
    }
    tr_reg_changes(t, RAX);
    asm_op(&t->a, 0, ENC_0F, 0xb6, H_ADDR, op_reg(H_RAX)); /* movzx ADDRd, al */
    asm_lea64(&t->a, H_ADDR, op_sib(H_ADDR, H_RBX, 0, 0));
    HostOp m = tr_memory(t, 1, false, false);
    asm_op(&t->a, 0, ENC_1, 0x8a, H_RAX, m);
    return true;
}

/* ---- memory to the stack, and RSP from it ---- */

bool emit_push_mem(Tr *t, const Insn *i)
{
    Asm *a = &t->a;
    HostOp m;
    if (i->osize != 3) {
        return false;
    }
    tr_reg_changes(t, RSP);
    if (!tr_operand(t, i, 8, 0, &m)) {
        return false;
    }
    asm_load64(a, H_T2, m);
    asm_store64(a, CPU_MEM(jit_target), H_T2);
    m = tr_stack(t, RSP, -8, true);
    asm_load64(a, H_T2, CPU_MEM(jit_target));
    asm_store64(a, m, H_T2);
    asm_lea64(a, H_GUEST_RSP, op_mem(H_GUEST_RSP, -8));
    return true;
}

/* The value read is all that stays. */
bool emit_pop_rsp(Tr *t, const Insn *i)
{
    if (i->osize != 3) {
        return false;
    }
    tr_reg_changes(t, RSP);
    asm_load64(&t->a, H_GUEST_RSP, tr_stack(t, RSP, 0, false));
    return true;
}
