/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the emitters share.  An emitter returns false to leave the instruction to the interpreter's handler. */
#pragma once

#include "tcg/internal.h"

static inline unsigned size_flags(unsigned log2)
{
    return log2 == 0 ? ENC_BYTE_REG | ENC_BYTE_RM : log2 == 1 ? ENC_66 : log2 == 3 ? ENC_W : 0;
}

static inline unsigned bytes_of(const Insn *i)
{
    return 1u << i->osize;
}

static inline bool is_mem(const Insn *i)
{
    return i->flags & INSN_MEM;
}

static inline void put_imm(Tr *t, int64_t imm, unsigned log2)
{
    asm_le(&t->a, (uint64_t)imm, log2 == 3 ? 4 : 1u << log2);
}

/* All of OSZAPC are about to be replaced. */
static inline void flags_die(Tr *t)
{
    t->place = FLAGS_DEAD;
    t->desc.kind = DESC_NONE;
}

/* Flags that only the host has. */
static const FlagDesc no_desc = {.kind = DESC_NONE};

static inline bool imm_fits(int64_t imm)
{
    return imm == (int32_t)imm && imm != INT32_MIN;
}

static inline int64_t signed_imm(const Insn *i)
{
    return i->osize == 0 ? (int8_t)i->imm : i->osize == 1 ? (int16_t)i->imm : (int32_t)i->imm;
}

/* ---- operands.c: E and G ---- */

/* The E operand of an integer instruction, ready to be encoded. */
typedef struct EOp {
    HostOp op;
    unsigned enc;   /* ENC_*: size, LOCK */
    bool high;      /* op.reg is 0..3 and stands for AH CH DH BH */
    uint8_t commit; /* guest register to be stored from op.reg afterwards, or H_NONE */
} EOp;
/* The G operand; a guest register that lives in memory has been loaded into a scratch register. */
typedef struct GOp {
    uint8_t reg, guest;
    bool high;
} GOp;
/* What the instruction does with OSZAPC.  NEEDED: some are read, or stay while others change. */
typedef enum FlagUse { FLAGS_KEPT, FLAGS_REPLACED, FLAGS_NEEDED } FlagUse;
enum {
    E_READ = 1, E_WRITE = 2,
    E_LOCKED = 4, /* memory that is not aligned is the interpreter's */
    E_IN_REG = 8, /* a register operand really in a register: the memory form means something else */
};
/*
 * Make E usable for one host instruction: the TLB check, or a register (H_T2 when it lives in memory and the memory form
 * does not do).  Then the host's flags are as `use` says.  An instruction that keeps them announces what it changes by
 * tr_reg_changes() before.  H_T1, and with a memory operand H_T2, is free for G.
 */
bool tr_e(Tr *t, const Insn *i, unsigned log2, unsigned access, FlagUse use, EOp *e);
bool tr_e_reg(Tr *t, unsigned guest, bool high, unsigned log2, unsigned access, FlagUse use, EOp *e);
void tr_e_done(Tr *t, const EOp *e);
/* read: G's old value matters. */
GOp tr_g(Tr *t, const Insn *i, unsigned log2, bool read);
GOp tr_g_reg(Tr *t, unsigned guest, bool high, bool read, unsigned scratch);
void tr_g_done(Tr *t, const GOp *g);
void tr_op_ext(Tr *t, const EOp *e, unsigned map, uint8_t opcode, unsigned ext);
/* AH-BH cannot be encoded beside what needs a REX prefix: the register's bytes then change places for a moment. */
void tr_op_pair(Tr *t, const EOp *e, unsigned map, uint8_t opcode, const GOp *g);

/* ---- emit_alu.c ---- */
bool emit_alu(Tr *t, const Insn *i);
bool emit_alu_imm(Tr *t, const Insn *i);
bool emit_test(Tr *t, const Insn *i);
bool emit_test_imm(Tr *t, const Insn *i); /* A8 A9 */
bool emit_incdec(Tr *t, const Insn *i);
/* INC and DEC of `guest`, or H_NONE: what they want of the flags; then the operation on that operand, with that use. */
FlagUse step_flags(Tr *t, unsigned guest);
void emit_step(Tr *t, const Insn *i, const EOp *e, FlagUse use, unsigned guest, bool dec);
bool emit_group3(Tr *t, const Insn *i);   /* F6 F7 */
/* ---- emit_muldiv.c ---- */
bool emit_mul(Tr *t, const Insn *i, unsigned ext);
bool emit_div(Tr *t, const Insn *i, bool is_signed);
bool emit_imul2(Tr *t, const Insn *i);
/* ---- emit_move.c ---- */
bool emit_mov(Tr *t, const Insn *i);
bool emit_mov_imm(Tr *t, const Insn *i);
bool emit_mov_moffs(Tr *t, const Insn *i);
bool emit_mov_sreg(Tr *t, const Insn *i);
bool emit_extend(Tr *t, const Insn *i, unsigned map, unsigned src_log2);
bool emit_lea(Tr *t, const Insn *i);
bool emit_xchg(Tr *t, const Insn *i);
bool emit_xchg_rax(Tr *t, const Insn *i);
bool emit_convert(Tr *t, const Insn *i);
bool emit_bswap(Tr *t, const Insn *i);
bool emit_movbe(Tr *t, const Insn *i);
bool emit_xlat(Tr *t, const Insn *i);
bool emit_push_mem(Tr *t, const Insn *i); /* FF /6 */
bool emit_pop_rsp(Tr *t, const Insn *i);
/* ---- emit_cond.c: what looks at, or changes, single flags ---- */
bool emit_setcc(Tr *t, const Insn *i);
bool emit_cmov(Tr *t, const Insn *i);
bool emit_flag(Tr *t, const Insn *i);
bool emit_ah(Tr *t, const Insn *i);
bool emit_pushf(Tr *t, const Insn *i);
bool emit_popf(Tr *t, const Insn *i);
/* What PUSHF pushes, into H_T2; what POPF has popped, from H_T2. */
void tr_eflags(Tr *t);
void tr_pop_eflags(Tr *t, const Insn *i);
/* ---- emit_legacy.c: what code that is not 64-bit does in its own way ---- */
typedef enum Emitted { EMITTED, EMITTED_BY_HANDLER, EMITTED_AS_64 } Emitted;
Emitted emit_legacy(Tr *t, const Insn *i);
/* ---- emit_legacy_stack.c ---- */
void legacy_push(Tr *t, const Insn *i, unsigned host); /* the low part of a host register, as wide as the operand size */
void legacy_push_value(Tr *t, const Insn *i, uint64_t v);
bool legacy_push_operand(Tr *t, const Insn *i);
bool legacy_push_segment(Tr *t, const Insn *i, unsigned seg);
bool legacy_pushf(Tr *t, const Insn *i);
bool legacy_popf(Tr *t, const Insn *i);
bool legacy_pop(Tr *t, const Insn *i);
bool legacy_leave(Tr *t, const Insn *i);
/* The stack pointer becomes `host` + disp; what is above its width stays, or becomes 0. */
void legacy_set_stack(Tr *t, unsigned host, int32_t disp);
/* An operand in memory, zero-extended, to H_ADDR. */
bool legacy_load_operand(Tr *t, const Insn *i);
/* ---- emit_shift.c ---- */
bool emit_shift(Tr *t, const Insn *i);
bool emit_double_shift(Tr *t, const Insn *i);
/* ---- emit_bit.c ---- */
bool emit_bit(Tr *t, const Insn *i);
bool emit_scan(Tr *t, const Insn *i);
bool emit_crc32(Tr *t, const Insn *i);
/* ---- emit_bmi.c ---- */
bool emit_bmi(Tr *t, const Insn *i);
bool emit_adx(Tr *t, const Insn *i);
/* ---- emit_lock.c ---- */
bool emit_xadd(Tr *t, const Insn *i);
bool emit_cmpxchg(Tr *t, const Insn *i);
bool emit_cmpxchg_wide(Tr *t, const Insn *i);
bool emit_fence(Tr *t, const Insn *i);
/* ---- emit_flow.c: the stack, transfers of control ---- */
bool emit_jcc(Tr *t, const Insn *i);
bool emit_push(Tr *t, const Insn *i);
bool emit_push_imm(Tr *t, const Insn *i);
bool emit_pop(Tr *t, const Insn *i);
bool emit_leave(Tr *t, const Insn *i);
bool emit_ret(Tr *t, const Insn *i);
bool emit_jump(Tr *t, const Insn *i);
bool emit_call(Tr *t, const Insn *i);
bool emit_group5(Tr *t, const Insn *i);
/* ---- emit_system.c ---- */
bool emit_cpuid(Tr *t);
bool emit_system(Tr *t, const Insn *i);
/* ---- emit_msr.c: the bases of FS and GS in 64-bit code; RDMSR, WRMSR at CPL 0 ---- */
bool emit_rdmsr(Tr *t);
bool emit_wrmsr(Tr *t);
bool emit_fsgsbase(Tr *t, const Insn *i);
/* ---- emit_string.c ---- */
bool emit_string(Tr *t, const Insn *i);
/* ---- emit_time.c: RDTSC, RDTSCP ---- */
bool emit_rdtsc(Tr *t, bool aux);
/* ---- emit_syscall.c: in 64-bit code; SYSRET of 64 bits, at CPL 0 ---- */
bool emit_syscall(Tr *t);
bool emit_sysret(Tr *t);
/* ---- emit_vector.c: SSE and AVX ---- */
bool emit_vector(Tr *t, const Insn *i);
/* What a vector instruction does with memory. */
typedef struct VectorAccess {
    unsigned bytes; /* of the memory operand, 0: none */
    unsigned align; /* it must be a multiple of this, or 0 */
    bool write, sets_flags;
} VectorAccess;
/* False when it is none, or emit_vector() leaves it to its handler. */
bool emit_vector_access(const Tr *t, const Insn *i, VectorAccess *out);
/* ---- emit_x87.c, emit_mmx.c ---- */
bool emit_x87(Tr *t, const Insn *i);
bool emit_mmx(Tr *t, const Insn *i);
bool emit_mmx_uses_vectors(const Tr *t, const Insn *i);
