/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of boards. */
#include "hw/i386/board.h"

#include <string.h>

#include "hw/i386/pc.h"

static const Board *const boards[] = {&pc_board_type};

const Board *const *board_all(size_t *count)
{
    *count = ARRAY_LEN(boards);
    return boards;
}

const Board *board_find(const char *name)
{
    for (size_t n = 0; n < ARRAY_LEN(boards); n++) {
        if (strcmp(boards[n]->name, name) == 0 || (boards[n]->alias && strcmp(boards[n]->alias, name) == 0)) {
            return boards[n];
        }
    }
    return NULL;
}
