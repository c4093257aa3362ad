/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What blocks that are not 64-bit run in: the size of their code, and segments that are seldom as simple as they could be. */
#pragma once

#include "tests/cpu/silicon.h"

typedef struct SettingSegment {
    uint32_t base, limit, attr;
} SettingSegment;

typedef struct Setting {
    unsigned code_size; /* 0: 16-bit, 1: 32-bit, 2: 64-bit, where nothing else here counts */
    uint32_t cs_base, cs_limit;
    SettingSegment seg[NUM_SEGS]; /* not CS */
} Setting;

/* No bases and no limits. */
void setting_plain(Setting *s, unsigned code_size);
void setting_random(Setting *s, unsigned code_size, Rng *rng);
/*
 * Fit a block's first case and the setting to one another: registers as such code may find them (anything above 32 bits, small
 * ones for addresses of 16 bits), a limit that cuts off the case's operand, or just does not.
 */
void setting_fit(Setting *s, Case *c, Rng *rng);
/*
 * The bytes of a case, made for 32-bit code, with other prefixes if the code is 16-bit.  Decodes what has become of it:
 * false when it is another instruction.
 */
bool setting_prefixes(const Setting *s, Case *c, Insn *i, const FeatureSet *features, Rng *rng);
/* Into a CPU that the case has been loaded into. */
void setting_load(const Setting *s, X86Cpu *cpu);
