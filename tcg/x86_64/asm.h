/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing x86-64 machine code: one encoder for every legacy-encoded instruction, one for VEX, and names for the few that
 * the translator uses itself.
 * Spec: Intel SDM vol 2 chapter 2 (instruction format).
 */
#pragma once

#include <string.h>

#include "util/base.h"

enum { H_RAX, H_RCX, H_RDX, H_RBX, H_RSP, H_RBP, H_RSI, H_RDI, H_R8, H_R9, H_R10, H_R11, H_R12, H_R13, H_R14, H_R15 };
#define H_NONE 0xff

/*
 * Where code goes.  No instruction begins at or behind `end`; `full` tells that one wanted to.  ASM_SLACK bytes behind `end`
 * may be written as well, so that whoever writes asks once an instruction.
 */
enum { ASM_SLACK = 32 };
typedef struct Asm {
    uint8_t *p, *end;
    bool full;
    uint32_t touched; /* bit n: general register n may have changed since the reader last cleared it.  Of what is written by
                         asm_byte() alone nothing is known. */
} Asm;

/*
 * The E operand: a register, or [base + (index << scale) + disp]; base and index may be H_NONE.  8 bytes: it goes in a
 * register.  To be made by op_*() only, but the number of a register may be changed.
 */
typedef struct HostOp {
    uint8_t mem : 1, scale : 2;
    uint8_t rex : 2; /* memory form: bits X and B */
    uint8_t reg;     /* register form */
    uint8_t base, index;
    int32_t disp;
} HostOp;

static inline HostOp op_reg(unsigned reg)
{
    return (HostOp){.reg = (uint8_t)reg};
}
static inline HostOp op_sib(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
    unsigned rex = (base != H_NONE ? base >> 3 & 1 : 0) | (index != H_NONE ? index >> 2 & 2 : 0);
    return (HostOp){.mem = true, .base = (uint8_t)base, .index = (uint8_t)index, .scale = scale & 3, .rex = rex & 3,
                    .disp = disp};
}
static inline HostOp op_mem(unsigned base, int32_t disp)
{
    return op_sib(base, H_NONE, 0, disp);
}

static inline void asm_byte(Asm *a, uint8_t v)
{
    if (a->p < a->end) {
        *a->p++ = v;
    } else {
        a->full = true;
    }
}
static inline void asm_le(Asm *a, uint64_t v, unsigned bytes)
{
    if (likely(a->p < a->end)) {
        memcpy(a->p, &v, sizeof(v)); /* what is behind it is not written yet */
        a->p += bytes;
    } else {
        a->full = true;
    }
}

/* Encoding maps, as in SDM appendix A. */
enum { ENC_1, ENC_0F, ENC_0F38, ENC_0F3A };
enum {
    ENC_66 = 1 << 0, ENC_F3 = 1 << 1, ENC_F2 = 1 << 2, ENC_W = 1 << 3,
    ENC_BYTE_REG = 1 << 4, /* reg is a byte register: SIL DIL BPL SPL need a REX prefix */
    ENC_BYTE_RM = 1 << 5,
    ENC_LOCK = 1 << 6,
    ENC_L = 1 << 7, /* VEX.L: 256 bits */
};
/* The two forms of asm_op(); code: flags, map and opcode, each in a byte of its own. */
void asm_op_reg(Asm *a, uint32_t code, unsigned reg, unsigned rm);
void asm_op_mem(Asm *a, uint32_t code, unsigned reg, HostOp rm);
/* prefixes, REX, opcode in its map, ModRM, SIB, displacement.  Immediates follow by asm_le(). */
static inline void asm_op(Asm *a, unsigned flags, unsigned map, uint8_t opcode, unsigned reg, HostOp rm)
{
    uint32_t code = flags << 16 | map << 8 | opcode;
    if (rm.mem) {
        asm_op_mem(a, code, reg, rm);
    } else {
        asm_op_reg(a, code, reg, rm.reg);
    }
}

/* The same with a VEX prefix, in its shorter form where there is one.  vvvv: register, 0 when the instruction has none. */
void asm_vex(Asm *a, unsigned flags, unsigned map, uint8_t opcode, unsigned reg, unsigned vvvv, HostOp rm);

static inline void asm_mov_rr(Asm *a, unsigned dst, unsigned src)
{
    asm_op(a, ENC_W, ENC_1, 0x8b, dst, op_reg(src));
}
static inline void asm_load64(Asm *a, unsigned dst, HostOp m)
{
    asm_op(a, ENC_W, ENC_1, 0x8b, dst, m);
}
static inline void asm_store64(Asm *a, HostOp m, unsigned src)
{
    asm_op(a, ENC_W, ENC_1, 0x89, src, m);
}
static inline void asm_lea64(Asm *a, unsigned dst, HostOp m)
{
    asm_op(a, ENC_W, ENC_1, 0x8d, dst, m);
}
/* The shortest form that gives the 64-bit value; flags are left alone. */
void asm_mov_imm(Asm *a, unsigned dst, uint64_t v);
/* [m] = sign-extended 32-bit immediate, 64 bits wide. */
void asm_store_imm32(Asm *a, HostOp m, int32_t v);
void asm_store_imm8(Asm *a, HostOp m, uint8_t v);

void asm_push(Asm *a, unsigned reg);
void asm_pop(Asm *a, unsigned reg);

/* Jumps with a 32-bit displacement to be filled in: the place of the displacement. */
uint8_t *asm_jcc(Asm *a, unsigned cc);
uint8_t *asm_jmp(Asm *a);
uint8_t *asm_hole(Asm *a); /* the displacement alone */
/* Fill in a displacement so that the jump goes to target (both in the same mapping). */
void asm_patch(uint8_t *place, const uint8_t *target);
void asm_jmp_to(Asm *a, const uint8_t *target);
void asm_call_to(Asm *a, const uint8_t *target);
