/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the interpreter and the translator left of one block, held against one another. */
#pragma once

#include "accel/tcg/trial.h"

/*
 * real: the processor after the translator ran, raised: by a fault.  Each difference adds a line to `why`.
 * The trial must have been undone.
 */
bool compare_states(const Trial *t, const X86Cpu *real, bool raised, GString *why);
bool compare_memory(const Trial *t, GString *why);

/* The whole story of a difference. */
typedef struct CompareReport {
    const Trial *trial;
    const X86Cpu *real;
    bool raised;
    gva_t rip;        /* of the first instruction */
    const char *code; /* of the guest */
    const char *why;
} CompareReport;
void compare_report(const CompareReport *r, GString *out);
/* Instructions, and their bytes to be taken elsewhere. */
void compare_append_code(const Insn *insns, unsigned num, const uint8_t *bytes, gva_t rip, unsigned code_size, GString *out);
