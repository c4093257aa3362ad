/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of check=on share: single.c runs one block, chain.c several that are connected. */
#pragma once

#include "accel/tcg/check.h"
#include "accel/tcg/trial.h"
#include "tcg/jit.h"

/* Where a block of a chain begins. */
typedef struct CheckPlace {
    gva_t rip, lin;
    bool by_jump; /* control came there by a transfer: in any case through the entry of the code for this place */
} CheckPlace;

struct Check {
    InterpVcpu *v;
    Trial *trial;
    GString *why;
    unsigned most;             /* blocks in a chain */
    uint64_t state;            /* of a generator of random numbers */
    bool failed;
    bool attention;            /* somebody asked for it while a chain ran */
    CheckPlace place[CHECK_MOST + 1]; /* of the chain: where it starts, and where each block led */
    unsigned num_places;       /* besides the first */
    uint64_t blocks, insns;    /* compared */
    uint64_t chains;           /* runs of several blocks */
    uint64_t alone;            /* instructions run by the translator only */
    uint64_t stale;            /* runs not compared: they used translations the page tables no longer give */
    /* who looks whether a chain comes to an end */
    GThread *watch;
    GMutex mutex;
    GCond cond;
    bool ended;                /* guarded by mutex */
    uint64_t running;          /* atomic: number of the chain that runs, 0: none */
    bool overdue;              /* atomic */
};

/* One block, by code that is connected to nothing.  False: the caller's turn.  May raise. */
bool check_single(Check *c);
/* Several blocks.  False, and nothing has happened: there is no chain from here. */
bool check_chain(Check *c);

/* ---- check.c ---- */

/*
 * Try once more, from the same memory, what the translator may have had reason to do otherwise: `run` starts the trial, with
 * page walks that set bits if live_walks.  The processor is as the translator left it; does the trial now agree?
 */
typedef void CheckTrial(Check *c, void *opaque);
bool check_same_again(Check *c, CheckTrial *run, void *opaque, bool live_walks, bool raised, GString *why);
/* Say so, and end the machine.  code: of the guest, as text. */
void check_fail(Check *c, gva_t start, const char *code, bool raised, const char *why);
