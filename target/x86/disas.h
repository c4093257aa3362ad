/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions as text, for -d in_asm and the monitor. */
#pragma once

#include "util/base.h"

/*
 * One line "address: bytes  text\n" for the instruction of len bytes.  code_size: 0, 1, 2 for 16, 32, 64-bit code.
 * Without libcapstone the text is the mnemonic of our own table.
 */
void disas_append(GString *out, const uint8_t *bytes, unsigned len, uint64_t address, unsigned code_size);

/* Length of the instruction at bytes, at least 1 (undecodable bytes count one by one); 0 when it needs more. */
unsigned disas_length(const uint8_t *bytes, unsigned avail, unsigned code_size);
