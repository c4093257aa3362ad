/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What random blocks (blocks.c) and random programs (programs.c) share: choosing instructions, comparing results. */
#pragma once

#include <glib.h>

#include "tests/cpu/silicon.h"

/* ---- mix.c ---- */

enum { CLASS_X87, CLASS_VECTOR, CLASS_OTHER, NUM_CLASSES };

/* The rows worth mixing: those that neither trap by nature nor depend on time. */
typedef struct Mix {
    FeatureSet features;
    unsigned *rows[NUM_CLASSES]; /* indices into insn_rows */
    unsigned num[NUM_CLASSES], total;
} Mix;

/*
 * name: only rows of this mnemonic, or NULL; code_size: 1 for 32-bit code, 2 for 64-bit; rep: string instructions, too.
 * Ended by mix_free().
 */
void mix_init(Mix *m, const char *name, unsigned code_size, bool rep, const FeatureSet *features);
void mix_free(Mix *m);
/* There are many more vector rows than others: a third of the instructions are of each class. */
unsigned mix_row(const Mix *m, Rng *rng);
unsigned row_class(const InsnRow *row);

/* ---- result.c ---- */

enum { RESULT_SYSTEM = 40 };

typedef struct Result {
    Outcome outcome;
    X87 fpu;
    uint64_t system[RESULT_SYSTEM]; /* what system instructions work on, see result.c */
    bool paused; /* nothing else tells whether a PAUSE was executed */
} Result;

/* Environment of the x87 from which comparisons start. */
void result_start_fpu(X86Cpu *cpu);
/* What the engine holds now; done: it raised nothing. */
void result_take(Engine *e, bool done, Result *out);
/* Are they the same, but for the undefined flags?  A line into why for each difference. */
bool result_same(const Result *want, const Result *got, uint32_t undef, GString *why);
/* The host's own, without its sticky flags: to see that translated code has put it back. */
unsigned host_mxcsr(void);
