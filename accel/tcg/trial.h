/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter on a copy of a processor, with every write to RAM noted and taken back: what the instructions of a
 * block would do.  Whoever uses it holds the machine lock in an exclusive section, so that nothing else writes.
 */
#pragma once

#include "target/x86/cpu.h"
#include "target/x86/insn.h"

typedef enum TrialEnd {
    TRIAL_DONE,
    TRIAL_RAISED,  /* the last instruction raised cpu->exc; nothing was delivered */
    TRIAL_OUTSIDE, /* the next instruction needs something besides registers and RAM */
    TRIAL_UNKNOWN, /* the next instruction reads flags that an instruction of the block left undefined */
} TrialEnd;

/* A page of RAM that was written: as it was, and as the trial left it. */
typedef struct TrialPage {
    uint8_t *host;
    uint8_t before[4096], after[4096];
} TrialPage;

/* A page table entry in which a walk would set A or D. */
typedef struct TrialEntry {
    uint8_t *host;
    uint64_t value; /* before */
    bool wide;      /* 8 bytes, else 4 */
} TrialEntry;
#define TRIAL_ENTRIES 32
#define TRIAL_VISITED 128

typedef struct Trial {
    X86Cpu *before; /* the processor's registers when the trial began */
    X86Cpu *cpu;    /* as the trial left them */
    TrialEnd end;
    unsigned done;  /* instructions that completed */
    uint32_t undef; /* FL_*: flags that are nobody's business at the end */
    GPtrArray *pages; /* TrialPage *; the first num_pages are in use */
    unsigned num_pages;
    bool live_walks;  /* page walks set A and D, instead of pretending */
    TrialEntry entries[TRIAL_ENTRIES]; /* where they would, or did; those that fit */
    unsigned num_entries;
    gva_t visited[TRIAL_VISITED]; /* pages that were read from */
    unsigned num_visited;
    const uint8_t *row_kind; /* by InsnRow: what may be tried */
} Trial;

Trial *trial_new(const X86Cpu *real);
void trial_free(Trial *t);

/* Remember the registers of `real`: trials start from there. */
void trial_begin(Trial *t, const X86Cpu *real);
/*
 * Run the block's instructions from the remembered registers, `most` of them at most.  to_the_end: also past an
 * instruction that asks to leave the block.  Memory is left as the trial made it: trial_undo() takes that back.
 */
void trial_run(Trial *t, const Insn *insns, unsigned num, unsigned most, bool to_the_end);
/*
 * The same in steps: back to the remembered registers, then block after block.  False: end says why the block's last
 * instructions were not run.
 */
void trial_start(Trial *t);
bool trial_go_on(Trial *t, const Insn *insns, unsigned num);
/* What the run loop has to look at comes before the next instruction. */
bool trial_must_look(const X86Cpu *cpu);
/* Has the trial written to this page of memory? */
bool trial_wrote(const Trial *t, const uint8_t *host);
/* Note what memory became, and make it what it was. */
void trial_undo(Trial *t);
/* The processor's registers and memory as they were, after it has run, too. */
void trial_restore(const Trial *t, X86Cpu *real);

/*
 * The last instruction of a trial was a REP that the processor left after some of its iterations: make the copy
 * what it is after as many.  real: the processor.
 */
void trial_run_rep(Trial *t, const Insn *rep, const X86Cpu *real);

/* Does the processor still use translations of pages that the page tables no longer give? */
bool trial_stale(const Trial *t, const X86Cpu *real);
