/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arithmetic on sizes and addresses that come from a guest or an image: true when the result fits. */
#pragma once

#include "util/base.h"

static inline bool add_ck(uint64_t a, uint64_t b, uint64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

static inline bool mul_ck(uint64_t a, uint64_t b, uint64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* [start, start + len) lies inside [0, size) */
static inline bool range_in(uint64_t start, uint64_t len, uint64_t size)
{
    return len <= size && start <= size - len;
}
