/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What random cases are filled with. */
#pragma once

#include "tests/cpu/silicon.h"

static inline uint64_t below(Rng *rng, uint64_t n)
{
    return rng_next(rng) % n;
}

static inline bool chance(Rng *rng, unsigned one_in)
{
    return below(rng, one_in) == 0;
}

uint64_t edge_value(Rng *rng);
/* Integers, floats, doubles and 80-bit numbers, 16 bytes of each. */
void random_memory(Rng *rng, uint8_t *p, unsigned len);
/* The state that rows with these attributes (A_X87, A_MMX, A_SSE) work on. */
void random_fx(Case *c, Rng *rng, uint32_t attr);

/* ---- walk.c ---- */

/* One instruction of a loop over arrays into out (16 bytes are enough): its length.  Not every one is valid. */
unsigned walk_insn(Rng *rng, bool with_avx, uint8_t *out);
/* The pointers: near one another, and near ends of pages. */
void walk_registers(Case *c, Rng *rng);
