/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random values of which many are edge cases, for registers, memory and floating-point state. */
#include "tests/cpu/values.h"

#include <string.h>

uint64_t rng_next(Rng *rng) /* xoroshiro128+ */
{
    uint64_t a = rng->s[0], b = rng->s[1], sum = a + b;
    b ^= a;
    rng->s[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
    rng->s[1] = b << 37 | b >> 27;
    return sum;
}

void rng_seed(Rng *rng, uint64_t seed)
{
    for (int i = 0; i < 2; i++) { /* splitmix64 */
        seed += 0x9e3779b97f4a7c15ull;
        uint64_t z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ z >> 27) * 0x94d049bb133111ebull;
        rng->s[i] = z ^ z >> 31;
    }
}

/* ---- values ---- */

uint64_t edge_value(Rng *rng)
{
    static const uint64_t edges[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
                                     0xffffffff, 0x7fffffffffffffffull, 0x8000000000000000ull, ~0ull, ~1ull, 31, 32, 33, 63,
                                     64, 0x0f, 0x99, 0x9a};
    switch (below(rng, 4)) {
    case 0:
        return edges[below(rng, ARRAY_LEN(edges))];
    case 1: /* any magnitude, either sign */
        return (rng_next(rng) >> below(rng, 64)) ^ (chance(rng, 2) ? ~0ull : 0);
    case 2:
        return edges[below(rng, ARRAY_LEN(edges))] + below(rng, 5) - 2;
    default:
        return rng_next(rng);
    }
}

static uint32_t float_bits(Rng *rng)
{
    static const uint32_t edges[] = {0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000, 0x3f800000, 0xbf800000,
                                     0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001,
                                     0x7fa12345, 0x4f000000, 0xcf000000, 0x5f000000, 0x3f000000, 0x3effffff, 0x4b000000};
    switch (below(rng, 4)) {
    case 0:
        return edges[below(rng, ARRAY_LEN(edges))];
    case 1:
        return (uint32_t)((below(rng, 2) << 31) | ((100 + below(rng, 56)) << 23) | below(rng, 1 << 23));
    case 2:
        return (uint32_t)((below(rng, 2) << 31) | (below(rng, 6) << 23) | below(rng, 1 << 23));
    default:
        return (uint32_t)rng_next(rng);
    }
}

static uint64_t double_bits(Rng *rng)
{
    static const uint64_t edges[] = {0, 0x8000000000000000ull, 1, 0x000fffffffffffffull, 0x0010000000000000ull,
                                     0x3ff0000000000000ull, 0xbff0000000000000ull, 0x7fefffffffffffffull,
                                     0x7ff0000000000000ull, 0xfff0000000000000ull, 0x7ff8000000000000ull,
                                     0xfff8000000000000ull, 0x7ff0000000000001ull, 0x41e0000000000000ull,
                                     0xc1e0000000200000ull, 0x43e0000000000000ull, 0xc3e0000000000000ull,
                                     0x3fe0000000000000ull, 0x36a0000000000000ull, 0x47efffffe0000000ull};
    switch (below(rng, 4)) {
    case 0:
        return edges[below(rng, ARRAY_LEN(edges))];
    case 1:
        return below(rng, 2) << 63 | (1000 + below(rng, 48)) << 52 | (rng_next(rng) >> 12);
    case 2: /* around the edges of single precision, and tiny */
        return below(rng, 2) << 63 | (chance(rng, 2) ? 0x368 + below(rng, 40) : below(rng, 4)) << 52 |
               (rng_next(rng) >> 12 & ~0ull << below(rng, 50));
    default:
        return rng_next(rng);
    }
}

static void extended_value(Rng *rng, uint64_t *mant, uint16_t *se)
{
    static const uint16_t exps[] = {0, 1, 2, 0x3ffe, 0x3fff, 0x4000, 0x401e, 0x403e, 0x403f, 0x7ffd, 0x7ffe, 0x7fff,
                                    0x3bcd, 0x3c01, 0x43fe, 0x43ff, 0x3f6a, 0x3f81, 0x407e, 0x407f};
    *se = exps[below(rng, ARRAY_LEN(exps))];
    switch (below(rng, 4)) {
    case 0:
        *se = (uint16_t)(0x3fff - 40 + below(rng, 80));
        break;
    case 1:
        *se = (uint16_t)rng_next(rng) & 0x7fff;
        break;
    default:
        break;
    }
    *se |= (uint16_t)(below(rng, 2) << 15);
    *mant = chance(rng, 3) ? edge_value(rng) << below(rng, 64) : rng_next(rng);
    if (!chance(rng, 12)) { /* mostly well-formed */
        *mant |= 1ull << 63;
        if ((*se & 0x7fff) == 0 && chance(rng, 2)) {
            *mant &= ~(1ull << 63);
        }
    }
    if (chance(rng, 10)) {
        *mant = 0;
        *se &= 0x8000;
    }
}

void random_memory(Rng *rng, uint8_t *p, unsigned len)
{
    uint64_t mant;
    uint16_t se;
    for (unsigned i = 0; i < len; i += 16) {
        uint64_t v[2];
        switch (below(rng, 5)) {
        case 0:
            v[0] = edge_value(rng);
            v[1] = edge_value(rng);
            break;
        case 1:
            v[0] = double_bits(rng);
            v[1] = double_bits(rng);
            break;
        case 2:
            v[0] = float_bits(rng) | (uint64_t)float_bits(rng) << 32;
            v[1] = float_bits(rng) | (uint64_t)float_bits(rng) << 32;
            break;
        case 3:
            extended_value(rng, &mant, &se);
            v[0] = mant;
            v[1] = se | (rng_next(rng) & ~0xffffull);
            break;
        default:
            v[0] = rng_next(rng);
            v[1] = rng_next(rng);
            break;
        }
        memcpy(p + i, v, MIN(16, len - i));
    }
}

/* ---- floating-point state ---- */

void random_fx(Case *c, Rng *rng, uint32_t attr)
{
    FxImage *fx = &c->fx;
    memset(fx, 0, sizeof(*fx));
    fx->fcw = 0x37f;
    fx->mxcsr = 0x1f80;
    if (attr & (A_X87 | A_MMX)) {
        fx->fcw = (uint16_t)(0x40 | below(rng, 4) << 10 | (chance(rng, 3) ? below(rng, 4) : 3) << 8);
        fx->fcw |= chance(rng, 4) ? (uint16_t)below(rng, 64) : 0x3f;
        fx->fsw = (uint16_t)(below(rng, 8) << 11 | (rng_next(rng) & 0x4700));
        if (chance(rng, 4)) {
            fx->fsw |= (uint16_t)below(rng, 128);
        }
        if (fx->fsw & ~fx->fcw & 0x3f) {
            fx->fsw |= 0x8080; /* ES and B follow the unmasked flags */
        }
        fx->ftw = chance(rng, 3) ? (uint8_t)rng_next(rng) : 0xff;
        for (int i = 0; i < 8; i++) {
            extended_value(rng, &fx->st[i].mant, &fx->st[i].se);
            if (attr & A_MMX) {
                fx->st[i].mant = edge_value(rng) ^ (chance(rng, 2) ? rng_next(rng) : 0);
            }
        }
    }
    if (attr & A_SSE) {
        fx->mxcsr = (uint32_t)(below(rng, 4) << 13 | (chance(rng, 4) ? below(rng, 64) : 0));
        fx->mxcsr |= chance(rng, 6) ? (uint32_t)below(rng, 64) << 7 : 0x1f80;
        fx->mxcsr |= chance(rng, 4) ? 1u << 6 : 0;
        fx->mxcsr |= chance(rng, 4) ? 1u << 15 : 0;
        for (int i = 0; i < 16; i++) {
            random_memory(rng, (uint8_t *)fx->xmm[i], 16);
            random_memory(rng, (uint8_t *)fx->ymm[i], 16);
        }
    }
}
