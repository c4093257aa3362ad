/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random encodings of one row of the instruction table. */
#pragma once

#include "target/x86/insn.h"

/* 32 bytes: an encoding that the row claims (a more specific row may still take it), followed by random bytes. */
void insn_random(const InsnRow *row, unsigned code_size, GRand *rng, uint8_t bytes[32]);
