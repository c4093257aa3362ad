/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -accel tcg,check=on: blocks are tried by the interpreter, then run by the translator, some at a time, and everything the
 * two leave is compared.  The first difference ends the emulator with a report.
 */
#pragma once

#include "accel/interp/interp.h"

typedef struct Check Check;

/* most: blocks that run connected to one another before they are compared, 1 to CHECK_MOST. */
#define CHECK_MOST 256
Check *check_new(InterpVcpu *v, unsigned most);
void check_free(Check *c);

/*
 * Run some blocks from cs:rip.  False when the next instruction must be done by the caller.  Called like translated
 * code: outside of locks, and may unwind.
 */
bool check_run(Check *c);

void check_info(const Check *c, GString *out);
