/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -accel tcg,check=on: each block is tried by the interpreter, then run by the translator, and everything the two leave
 * is compared.  The first difference ends the emulator with a report.
 */
#pragma once

#include "accel/interp/interp.h"

typedef struct Check Check;

Check *check_new(InterpVcpu *v);
void check_free(Check *c);

/*
 * Run some blocks from cs:rip.  False when the next instruction must be done by the caller.  Called like translated
 * code: outside of locks, and may unwind.
 */
bool check_run(Check *c);

void check_info(const Check *c, GString *out);
