/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `info jit`. */
#pragma once

#include "tcg/jit.h"

/* One processor's part; cache_flushes: times all blocks were dropped. */
void stats_append(const X86Cpu *cpu, const Jit *jit, uint64_t cache_flushes, GString *out);
