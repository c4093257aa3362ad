/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer operations on lanes, the same for 8-byte MMX and 16-byte SSE operands: lane_NAME(dst, src, bytes).  dst is the
 * first operand and the result; src never overlaps it.  Plain loops of constant length, for the compiler to vectorise.
 * Spec: Intel SDM vol 2, the instruction of each name.
 */
#pragma once

#include <string.h>

#include "util/base.h"

static inline int32_t clamp(int32_t v, int32_t lo, int32_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* d[k] = expr of a = d[k] and b = s[k] */
#define LANES(name, T, expr)                                                                                           \
    static inline void lane_##name(void *dst, const void *src, unsigned bytes)                                         \
    {                                                                                                                  \
        T *d = dst;                                                                                                    \
        const T *s = src;                                                                                              \
        for (unsigned k = 0; k < bytes / sizeof(T); k++) {                                                             \
            T a = d[k], b = s[k];                                                                                      \
            (void)a;                                                                                                   \
            d[k] = (T)(expr);                                                                                          \
        }                                                                                                              \
    }

LANES(paddb, uint8_t, a + b)
LANES(paddw, uint16_t, a + b)
LANES(paddd, uint32_t, a + b)
LANES(paddq, uint64_t, a + b)
LANES(psubb, uint8_t, a - b)
LANES(psubw, uint16_t, a - b)
LANES(psubd, uint32_t, a - b)
LANES(psubq, uint64_t, a - b)
LANES(paddsb, int8_t, clamp(a + b, -128, 127))
LANES(paddsw, int16_t, clamp(a + b, -32768, 32767))
LANES(psubsb, int8_t, clamp(a - b, -128, 127))
LANES(psubsw, int16_t, clamp(a - b, -32768, 32767))
LANES(paddusb, uint8_t, clamp(a + b, 0, 255))
LANES(paddusw, uint16_t, clamp(a + b, 0, 65535))
LANES(psubusb, uint8_t, a > b ? a - b : 0)
LANES(psubusw, uint16_t, a > b ? a - b : 0)
LANES(pand, uint64_t, a &b)
LANES(pandn, uint64_t, ~a & b)
LANES(por, uint64_t, a | b)
LANES(pxor, uint64_t, a ^ b)
LANES(pcmpeqb, uint8_t, a == b ? -1 : 0)
LANES(pcmpeqw, uint16_t, a == b ? -1 : 0)
LANES(pcmpeqd, uint32_t, a == b ? -1 : 0)
LANES(pcmpeqq, uint64_t, a == b ? -1 : 0)
LANES(pcmpgtb, int8_t, a > b ? -1 : 0)
LANES(pcmpgtw, int16_t, a > b ? -1 : 0)
LANES(pcmpgtd, int32_t, a > b ? -1 : 0)
LANES(pcmpgtq, int64_t, a > b ? -1 : 0)
LANES(pmaxub, uint8_t, a > b ? a : b)
LANES(pmaxuw, uint16_t, a > b ? a : b)
LANES(pmaxud, uint32_t, a > b ? a : b)
LANES(pmaxsb, int8_t, a > b ? a : b)
LANES(pmaxsw, int16_t, a > b ? a : b)
LANES(pmaxsd, int32_t, a > b ? a : b)
LANES(pminub, uint8_t, a < b ? a : b)
LANES(pminuw, uint16_t, a < b ? a : b)
LANES(pminud, uint32_t, a < b ? a : b)
LANES(pminsb, int8_t, a < b ? a : b)
LANES(pminsw, int16_t, a < b ? a : b)
LANES(pminsd, int32_t, a < b ? a : b)
LANES(pavgb, uint8_t, (a + b + 1) >> 1)
LANES(pavgw, uint16_t, (a + b + 1) >> 1)
LANES(pmullw, int16_t, a *b)
LANES(pmulld, uint32_t, a *b)
LANES(pmulhw, int16_t, (a * b) >> 16)
LANES(pmulhuw, uint16_t, ((uint32_t)a * b) >> 16)
LANES(pmulhrsw, int16_t, ((a * b >> 14) + 1) >> 1)
LANES(pmuludq, uint64_t, (uint64_t)(uint32_t)a * (uint32_t)b)
LANES(pmuldq, int64_t, (int64_t)(int32_t)a * (int32_t)b)
LANES(pabsb, int8_t, b < 0 ? -b : b)
LANES(pabsw, int16_t, b < 0 ? -b : b)
LANES(pabsd, uint32_t, (int32_t)b < 0 ? 0u - b : b)
LANES(psignb, int8_t, b < 0 ? -a : b == 0 ? 0 : a)
LANES(psignw, int16_t, b < 0 ? -a : b == 0 ? 0 : a)
LANES(psignd, uint32_t, (int32_t)b < 0 ? 0u - a : b == 0 ? 0 : a)

/* ---- shifts: one count of 64 bits for all lanes ---- */

#define LANE_SHIFTS(name, T, expr, beyond)                                                                             \
    static inline void lane_##name(void *dst, const void *src, unsigned bytes)                                         \
    {                                                                                                                  \
        T *d = dst;                                                                                                    \
        uint64_t count;                                                                                                \
        memcpy(&count, src, sizeof(count));                                                                            \
        unsigned n = count < 8 * sizeof(T) ? (unsigned)count : 8 * sizeof(T);                                          \
        for (unsigned k = 0; k < bytes / sizeof(T); k++) {                                                             \
            T a = d[k];                                                                                                \
            d[k] = (T)(n < 8 * sizeof(T) ? (expr) : (beyond));                                                         \
        }                                                                                                              \
    }
LANE_SHIFTS(psllw, uint16_t, a << n, 0)
LANE_SHIFTS(pslld, uint32_t, a << n, 0)
LANE_SHIFTS(psllq, uint64_t, a << n, 0)
LANE_SHIFTS(psrlw, uint16_t, a >> n, 0)
LANE_SHIFTS(psrld, uint32_t, a >> n, 0)
LANE_SHIFTS(psrlq, uint64_t, a >> n, 0)
LANE_SHIFTS(psraw, int16_t, a >> n, a < 0 ? -1 : 0)
LANE_SHIFTS(psrad, int32_t, a >> n, a < 0 ? -1 : 0)

/* ---- interleaving and packing ---- */

#define LANE_UNPACK(name, T, from)                                                                                     \
    static inline void lane_##name(void *dst, const void *src, unsigned bytes)                                         \
    {                                                                                                                  \
        unsigned n = bytes / sizeof(T);                                                                                \
        T *d = dst, a[16 / sizeof(T)];                                                                                 \
        const T *s = src;                                                                                              \
        memcpy(a, dst, bytes);                                                                                         \
        for (unsigned k = 0; k < n / 2; k++) {                                                                         \
            d[2 * k] = a[k + (from)];                                                                                  \
            d[2 * k + 1] = s[k + (from)];                                                                              \
        }                                                                                                              \
    }
LANE_UNPACK(punpcklbw, uint8_t, 0)
LANE_UNPACK(punpcklwd, uint16_t, 0)
LANE_UNPACK(punpckldq, uint32_t, 0)
LANE_UNPACK(punpcklqdq, uint64_t, 0)
LANE_UNPACK(punpckhbw, uint8_t, n / 2)
LANE_UNPACK(punpckhwd, uint16_t, n / 2)
LANE_UNPACK(punpckhdq, uint32_t, n / 2)
LANE_UNPACK(punpckhqdq, uint64_t, n / 2)

#define LANE_PACK(name, FROM, TO, lo, hi)                                                                              \
    static inline void lane_##name(void *dst, const void *src, unsigned bytes)                                         \
    {                                                                                                                  \
        unsigned n = bytes / sizeof(FROM);                                                                             \
        TO *d = dst;                                                                                                   \
        FROM a[16 / sizeof(FROM)];                                                                                     \
        const FROM *s = src;                                                                                           \
        memcpy(a, dst, bytes);                                                                                         \
        for (unsigned k = 0; k < n; k++) {                                                                             \
            d[k] = (TO)clamp(a[k], lo, hi);                                                                            \
            d[k + n] = (TO)clamp(s[k], lo, hi);                                                                        \
        }                                                                                                              \
    }
LANE_PACK(packsswb, int16_t, int8_t, -128, 127)
LANE_PACK(packssdw, int32_t, int16_t, -32768, 32767)
LANE_PACK(packuswb, int16_t, uint8_t, 0, 255)
LANE_PACK(packusdw, int32_t, uint16_t, 0, 65535)

/* ---- pairs ---- */

#define LANE_HORIZONTAL(name, T, expr)                                                                                 \
    static inline void lane_##name(void *dst, const void *src, unsigned bytes)                                         \
    {                                                                                                                  \
        unsigned n = bytes / sizeof(T);                                                                                \
        T *d = dst, v[32 / sizeof(T)];                                                                                 \
        memcpy(v, dst, bytes);                                                                                         \
        memcpy(v + n, src, bytes);                                                                                     \
        for (unsigned k = 0; k < n; k++) {                                                                             \
            T a = v[2 * k], b = v[2 * k + 1];                                                                          \
            d[k] = (T)(expr);                                                                                          \
        }                                                                                                              \
    }
LANE_HORIZONTAL(phaddw, int16_t, a + b)
LANE_HORIZONTAL(phaddd, uint32_t, a + b)
LANE_HORIZONTAL(phaddsw, int16_t, clamp(a + b, -32768, 32767))
LANE_HORIZONTAL(phsubw, int16_t, a - b)
LANE_HORIZONTAL(phsubd, uint32_t, a - b)
LANE_HORIZONTAL(phsubsw, int16_t, clamp(a - b, -32768, 32767))

static inline void lane_pmaddwd(void *dst, const void *src, unsigned bytes)
{
    int16_t a[8];
    uint32_t *d = dst;
    const int16_t *s = src;
    memcpy(a, dst, bytes);
    for (unsigned k = 0; k < bytes / 4; k++) { /* unsigned: 2 * 0x8000 * 0x8000 wraps */
        d[k] = (uint32_t)(a[2 * k] * s[2 * k]) + (uint32_t)(a[2 * k + 1] * s[2 * k + 1]);
    }
}

static inline void lane_pmaddubsw(void *dst, const void *src, unsigned bytes)
{
    uint8_t a[16];
    int16_t *d = dst;
    const int8_t *s = src;
    memcpy(a, dst, bytes);
    for (unsigned k = 0; k < bytes / 2; k++) {
        d[k] = (int16_t)clamp(a[2 * k] * s[2 * k] + a[2 * k + 1] * s[2 * k + 1], -32768, 32767);
    }
}

static inline void lane_psadbw(void *dst, const void *src, unsigned bytes)
{
    uint8_t *d = dst;
    const uint8_t *s = src;
    for (unsigned q = 0; q < bytes; q += 8) {
        uint64_t sum = 0;
        for (unsigned k = q; k < q + 8; k++) {
            sum += d[k] > s[k] ? d[k] - s[k] : s[k] - d[k];
        }
        memcpy(d + q, &sum, sizeof(sum));
    }
}

static inline void lane_pshufb(void *dst, const void *src, unsigned bytes)
{
    uint8_t a[16], *d = dst;
    const uint8_t *s = src;
    memcpy(a, dst, bytes);
    for (unsigned k = 0; k < bytes; k++) {
        d[k] = s[k] & 0x80 ? 0 : a[s[k] & (bytes - 1)];
    }
}

/* src:dst is one number, dst above; shifted right by bytes. */
static inline void lane_palignr(void *dst, const void *src, unsigned bytes, unsigned shift)
{
    uint8_t v[64] = {0};
    memcpy(v, src, bytes);
    memcpy(v + bytes, dst, bytes);
    memcpy(dst, v + MIN(shift, 32), bytes);
}

/* The top bit of each byte. */
static inline unsigned lane_movmask(const void *src, unsigned bytes)
{
    const uint8_t *s = src;
    unsigned mask = 0;
    for (unsigned k = 0; k < bytes; k++) {
        mask |= (unsigned)(s[k] >> 7) << k;
    }
    return mask;
}

#undef LANES
#undef LANE_SHIFTS
#undef LANE_UNPACK
#undef LANE_PACK
#undef LANE_HORIZONTAL
