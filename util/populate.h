/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is written from its beginning on: its pages are asked for some at a time, before they are touched, because a
 * fault costs more than the page.  A kernel that cannot (before 5.14) gives them one by one as ever.
 */
#pragma once

#include <sys/mman.h>

#include "util/base.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

enum { POPULATE_AHEAD = 16 * KIB, POPULATE_PIECE = 256 * KIB };

/* *done: bytes of size at base that have been asked for; used: those that are in use.  True when there are more now. */
static inline bool populate_ahead(uint8_t *base, size_t size, size_t used, size_t *done)
{
    if (likely(used + POPULATE_AHEAD <= *done || *done >= size)) {
        return false;
    }
    size_t from = MAX(*done, used & ~(size_t)(4 * KIB - 1)), len = MIN((size_t)POPULATE_PIECE, size - from);
    madvise(base + from, len, MADV_POPULATE_WRITE);
    *done = from + len;
    return true;
}
