/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people see of translated code: -d op and out_asm, the map for perf, counts. */
#pragma once

#include "tcg/internal.h"

/* A block has been translated; its code begins at `code` in the executable mapping. */
void observe_block(const Tr *t, const uint8_t *code);
