/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -accel tcg,chaos=SEED: at block entries and slow paths, by a seeded generator, what may happen at any time happens often:
 * TLB flushes, code invalidated, caches dropped, looks at events for nothing, blocks not connected.  A correct engine
 * shows no difference but in speed.
 */
#pragma once

#include "accel/interp/interp.h"

typedef struct Chaos Chaos;

Chaos *chaos_new(InterpVcpu *v, uint64_t seed);
void chaos_free(Chaos *c);

/* Before a block is looked up. */
void chaos_at_block(Chaos *c);
/* In the middle of a block, before a handler runs: what another processor or an INVLPG could cause there. */
void chaos_at_slow_path(X86Cpu *cpu, void *opaque);
/* Shall a connection between blocks not be made this time? */
bool chaos_withholds(Chaos *c);

void chaos_info(const Chaos *c, GString *out);
