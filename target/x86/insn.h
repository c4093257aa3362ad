/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction table's row, the decoded instruction, and the decoder.  Rows live in insns.def (one per encoding),
 * which includes one file per topic.  decode.c indexes them at start-up and refuses ambiguous or duplicate rows.
 */
#pragma once

#include "target/x86/cpu.h"

typedef struct Insn Insn;
typedef void ExecFn(X86Cpu *cpu, const Insn *i);

/* ---- decoded ---- */

enum {
    INSN_MEM = 1 << 0,   /* the E/M/Q/W/O operand is in memory at seg:ea */
    INSN_LOCK = 1 << 1,
    INSN_REP = 1 << 2,   /* F3 as REP/REPE */
    INSN_REPNE = 1 << 3, /* F2 as REPNE */
    INSN_REX = 1 << 4,   /* a REX (or VEX/EVEX) prefix counts */
    INSN_OPSIZE = 1 << 5, /* a 66 prefix is there */
    INSN_ADSIZE = 1 << 6, /* a 67 prefix is there */
    INSN_REXW = 1 << 7,
};

struct Insn {
    ExecFn *fn;
    uint64_t imm;     /* by operand code: Iz, sIb, J: sign-extended; Ib, Iw: zero-extended; Iv up to 64 bits; A: offset */
    int64_t disp;     /* sign-extended; O operands: the address, base and index are REG_ZERO */
    uint16_t row;     /* index of the row: insn_row() */
    uint16_t imm2;    /* ENTER's second immediate; A: selector */
    uint16_t at;      /* in a block: bytes from its start */
    uint8_t len;      /* 1..15 */
    uint8_t opcode;   /* last opcode byte */
    uint8_t modrm;
    uint8_t osize;    /* log2 bytes of the operand size: 0..3 */
    uint8_t asize;    /* log2 bytes of the address size: 1..3 */
    uint8_t reg, rm;  /* register numbers with REX bits; Z operands (register in opcode) are in rm */
    uint8_t reg8, rm8; /* the same as byte registers: byte offset into X86Cpu.r (AH is 1, SIL is 48) */
    uint8_t base, index, scale; /* register numbers, REG_ZERO when absent, REG_IP; scale 0..3.  A_VSIB: index is a vector */
    uint8_t seg;      /* segment of the memory operand, override applied (default DS, or SS for RSP/RBP bases) */
    uint8_t seg_override; /* SEG_* or 0xff */
    uint8_t vvvv, vl; /* VEX: register number; 0: 128, 1: 256, 2: 512 */
    uint8_t flags;    /* INSN_* */
};

/* ---- rows ---- */

enum InsnMap { MAP_1, MAP_0F, MAP_0F38, MAP_0F3A, MAP_VEX_0F, MAP_VEX_0F38, MAP_VEX_0F3A, NUM_MAPS };
/* ModRM constraints: mod field; reg and rm fields 0..7 or ANY (fixed rm needs MOD_REG: 0F 01 C1, D9 E0 ...). */
enum InsnMod { MOD_NONE /* no ModRM byte */, MOD_ANY, MOD_MEM, MOD_REG };
#define ANY (-1)
/* Mandatory prefix.  PFX_ANY: the row does not look (66 is the operand size, F2/F3 are REP or ignored).
   PFX_NP: none of 66 F2 F3. */
enum InsnPrefix { PFX_ANY, PFX_NP, PFX_66, PFX_F3, PFX_F2 };
enum { MODE_16_32 = 1, MODE_64 = 2, MODE_ALL = 3 }; /* where the encoding exists */

/* attributes */
enum {
    A_BYTE = 1 << 0,    /* operand size is one byte: osize 0 */
    A_LOCK = 1 << 1,    /* LOCK is legal with a memory destination (else #UD) */
    A_REP = 1 << 2,     /* REP/REPNE repeat it */
    A_D64 = 1 << 3,     /* operand size 64 by default in 64-bit mode; 66 gives 16, there is no 32 */
    A_F64 = 1 << 4,     /* operand size 64 in 64-bit mode whatever the prefixes (near branches, MOV CR) */
    A_PLUSR = 1 << 5,   /* the low three opcode bits are a register (operand code Z): the row covers 8 opcodes */
    A_CC = 1 << 6,      /* the low four opcode bits are a condition: the row covers 16 opcodes */
    A_END = 1 << 7,     /* ends a block: RIP, mode, mapping or interrupt state may change */
    A_PRIV = 1 << 8,    /* #GP unless CPL 0 (the handler checks; documentation and tests read this) */
    A_STORE = 1 << 9,   /* writes its memory operand */
    A_LOAD = 1 << 10,   /* reads its memory operand */
    A_IO = 1 << 11,     /* port access, checked against IOPL and the TSS bitmap */
    A_SYS = 1 << 12,    /* not testable in user mode on silicon: covered by bare-metal guests */
    A_NODIFF = 1 << 13, /* result depends on time or identity (RDTSC, CPUID, RDRAND): not compared with silicon */
    A_X87 = 1 << 14, A_MMX = 1 << 15, A_SSE = 1 << 16, /* which state it needs */
    A_NO66 = 1 << 17,   /* 66 does not change the operand size (x87, MOVQ ...): osize stays 2, or 3 with REX.W */
    A_UNALIGNED = 1 << 18, /* 16-byte memory operand without alignment check */
    A_OP66 = 1 << 19,   /* a PFX_66 row whose 66 is the operand size as well (MOVBE) */
    A_VSIB = 1 << 20,   /* the memory operand has a SIB byte whose index is a vector register, also register 4 */
};

typedef struct InsnRow {
    uint8_t map, opcode, mod;
    int8_t reg, rm;
    uint8_t prefix;
    int8_t w;           /* REX.W/VEX.W: 0, 1 or ANY */
    int8_t l;           /* VEX.L: 0, 1 or ANY */
    uint8_t modes;
    const char *name;   /* Intel mnemonic, lower case; A_CC rows: the part before the condition */
    const char *operands; /* SDM vol 2 appendix A codes, "Ev,Gv" */
    int16_t feature;
    uint32_t flags_read, flags_written, flags_undef; /* FL_*; undef is a subset of written */
    uint32_t attr;
    ExecFn *const *exec; /* [osize + 4 * memory form] */
} InsnRow;

/*
 * Operand codes: method letter + type letters of SDM vol 2 appendix A.2 (E G I J M O S C D R X Y A F P Q N U V W H B L)
 * and Z: register in the opcode's low bits.  Types: b w d q v z y p s dq ps pd ss sd a x pi.  sIb: Ib sign-extended.
 * Lx: a register in bits 7:4 of an immediate.
 * Fixed operands by name: AL CL DX rAX eAX 1 ES CS SS DS FS GS ST0 STi.
 */

extern const InsnRow insn_rows[];
extern const unsigned insn_num_rows;
static inline const InsnRow *insn_row(const Insn *i)
{
    return &insn_rows[i->row];
}

/* ---- decoder ---- */

typedef enum DecodeStatus {
    DECODE_OK,
    DECODE_SHORT,   /* needs more than `avail` bytes */
    DECODE_INVALID, /* #UD; out->len is set and out->fn raises #UD */
    DECODE_TOO_LONG, /* more than 15 bytes: #GP(0); out->fn raises it */
} DecodeStatus;

/* Build the index.  Called once, before any decoding.  False with an error naming the clashing rows. */
bool insn_table_init(GError **error);

/*
 * Decode one instruction.  code_size: 0, 1, 2 for 16, 32, 64-bit code.  features: rows whose feature is absent do not
 * exist (TZCNT without BMI1 is BSF).  Pure: no CPU state is touched; bytes beyond `avail` are not read.
 */
DecodeStatus insn_decode(Insn *out, const uint8_t *bytes, unsigned avail, unsigned code_size,
                         const FeatureSet *features);

/* "add" with the condition filled in, for logs and reports. */
const char *insn_name(const Insn *i, char *buf, size_t size);
