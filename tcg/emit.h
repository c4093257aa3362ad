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

/* AH CH DH BH have no encoding beside REX registers. */
static inline bool high_byte(const Insn *i, uint8_t reg8)
{
    return i->osize == 0 && (reg8 & 7) != 0;
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

/* ---- emit_flow.c: conditions, stack, transfers ---- */
bool emit_setcc(Tr *t, const Insn *i);
bool emit_cmov(Tr *t, const Insn *i);
bool emit_jcc(Tr *t, const Insn *i);
bool emit_push(Tr *t, const Insn *i);
bool emit_push_imm(Tr *t, const Insn *i);
bool emit_pop(Tr *t, const Insn *i);
bool emit_leave(Tr *t, const Insn *i);
bool emit_ret(Tr *t, const Insn *i);
bool emit_jump(Tr *t, const Insn *i);
bool emit_call(Tr *t, const Insn *i);
bool emit_group5(Tr *t, const Insn *i);
/* ---- emit_int.c ---- */
bool emit_incdec(Tr *t, const Insn *i);
/* ---- emit_vector.c: SSE and AVX ---- */
bool emit_vector(Tr *t, const Insn *i);
