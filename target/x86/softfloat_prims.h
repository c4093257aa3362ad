/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The integer steps every software float is made of: counting zeros, shifting with a sticky bit, wide square root,
 * and the one decision of rounding.
 * Spec: IEEE 754-2008 section 4.3; Intel SDM vol 1 section 4.8.4.
 */
#pragma once

#include "target/x86/softfloat.h"

typedef unsigned __int128 u128;

static inline int clz64(uint64_t x) /* 64 for 0 */
{
    return x ? __builtin_clzll(x) : 64;
}

static inline int clz128(u128 x) /* 128 for 0 */
{
    uint64_t hi = (uint64_t)(x >> 64);
    return hi ? clz64(hi) : 64 + clz64((uint64_t)x);
}

/* x >> n for any n >= 0; the lowest bit of the result tells that anything was lost. */
static inline uint64_t shr_jam64(uint64_t x, unsigned n)
{
    if (n == 0) {
        return x;
    }
    return n < 64 ? x >> n | (x << (64 - n) != 0) : x != 0;
}

static inline u128 shr_jam128(u128 x, unsigned n)
{
    if (n == 0) {
        return x;
    }
    return n < 128 ? x >> n | (x << (128 - n) != 0) : x != 0;
}

/*
 * Whether the magnitude goes up.  odd: the lowest kept bit; frac: what is cut off, as a binary fraction whose
 * half is bit 63 and whose bit 0 may be sticky.
 */
static inline bool round_away(unsigned mode, bool sign, bool odd, uint64_t frac)
{
    switch (mode) {
    case ROUND_NEAREST:
        return frac > BIT64(63) || (frac == BIT64(63) && odd);
    case ROUND_DOWN:
        return sign && frac;
    case ROUND_UP:
        return !sign && frac;
    default:
        return false;
    }
}

/* Floor of the square root of x; *rest gets x - root * root. */
static inline uint64_t sqrt128(u128 x, u128 *rest)
{
    u128 root = 0, bit = (u128)1 << 126;
    while (bit > x) {
        bit >>= 2;
    }
    for (; bit; bit >>= 2) {
        if (x >= root + bit) {
            x -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    *rest = x;
    return (uint64_t)root;
}
