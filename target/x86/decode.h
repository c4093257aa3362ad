/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the decoder: the index that decode_index.c builds from rows and decode.c walks.  Public for tests. */
#pragma once

#include "target/x86/insn.h"

/* What follows the ModRM bytes. */
enum ImmKind {
    IMM_NONE,
    IMM_IB,    /* zero-extended byte */
    IMM_SIB,   /* sign-extended byte: sIb, Jb */
    IMM_IW,    /* zero-extended word */
    IMM_IZ,    /* 16 or 32 bits, sign-extended: Iz, Jz */
    IMM_IV,    /* 16, 32 or 64 bits */
    IMM_IW_IB, /* ENTER */
    IMM_IB_IB, /* EXTRQ, INSERTQ */
    IMM_AP,    /* far pointer: offset by operand size, then selector */
    IMM_O,     /* address by address size */
};

/* The set of encodings that a row matches, one bit mask per independent property. */
typedef struct MatchSet {
    uint8_t form;   /* bit 0: memory, bit 1: register; rows without ModRM: both */
    uint8_t reg, rm; /* bit per value of the ModRM field */
    uint8_t prefix; /* bit per state: 0 none, 1 66, 2 F3, 3 F2 */
    uint8_t mode_w; /* bit (64-bit mode) * 2 + W */
    uint8_t l;      /* bit per VEX.L */
    uint8_t b;      /* bit per REX.B of an opcode register: a plain row over a "+r" row is register 0 only */
} MatchSet;

typedef struct Candidate {
    MatchSet set;
    uint8_t imm;        /* ImmKind */
    bool last;          /* of its list */
    bool plain;         /* in 64-bit code it matches whatever else there is: most do, and are the first of their list */
    bool force_reg;     /* R operand: the mod field is ignored */
    bool plus_r;
    bool any_vvvv;      /* VEX.vvvv is an operand */
    uint8_t reg_mask, rm_mask; /* 7 where REX.R / REX.B are ignored (MMX, segment registers) */
    uint8_t osize[3][4]; /* by code size and (W * 2 + 66) */
    uint16_t row;
    int16_t feature;
    uint32_t attr;
    ExecFn *const *exec;
} Candidate;

/* Per opcode: without ModRM only list[0] counts, else [register form * 8 + reg field]. */
typedef struct OpcodeEntry {
    bool used, has_modrm;
    uint16_t list[16]; /* first candidate, NO_LIST: nothing there */
} OpcodeEntry;
enum { NO_LIST = 0xffff };

typedef struct InsnIndex {
    OpcodeEntry op[NUM_MAPS][256];
    Candidate *cand;
    unsigned num_cand;
} InsnIndex;

/* NULL with an error naming two clashing rows, or the row that makes no sense. */
InsnIndex *insn_index_new(const InsnRow *rows, unsigned n, GError **error);
void insn_index_free(InsnIndex *index);

DecodeStatus insn_decode_with(const InsnIndex *index, Insn *out, const uint8_t *bytes, unsigned avail,
                              unsigned code_size, const FeatureSet *features);
