/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversions between extended reals and the memory formats: single, double, integers, packed decimal.
 * Spec: Intel SDM vol 1 sections 4.2, 4.8.3, 8.2, 8.5.1.1 (invalid integers), table 4-4 (packed BCD).
 */
#include "target/x86/softfloat_x87.h"

/* ---- single and double: one description of both ---- */

typedef struct Format {
    unsigned frac_bits; /* of the stored fraction */
    int bias;
    uint64_t exp_max;
} Format;

static const Format single_format = {.frac_bits = 23, .bias = 127, .exp_max = 0xff};
static const Format double_format = {.frac_bits = 52, .bias = 1023, .exp_max = 0x7ff};

/* Exact.  A SNaN stays one. */
static Float80 widen(uint64_t bits, const Format *f, FloatEnv *e)
{
    bool sign = bits >> (f->frac_bits + (f->exp_max == 0xff ? 8 : 11)) & 1;
    uint64_t exp = bits >> f->frac_bits & f->exp_max;
    uint64_t mant = bits << (63 - f->frac_bits) & ~F80_INT_BIT;
    if (exp == f->exp_max) {
        return f80_make(sign, F80_EXP_MAX, mant | F80_INT_BIT);
    }
    if (exp == 0) {
        if (mant == 0) {
            return f80_zero(sign);
        }
        e->flags |= FX_DENORMAL;
        int z = clz64(mant);
        return f80_make(sign, F80_BIAS - f->bias + 1 - z, mant << z);
    }
    return f80_make(sign, F80_BIAS - f->bias + (int)exp, mant | F80_INT_BIT);
}

static uint64_t narrow_finite(F80Parts p, const Format *f, FloatEnv *e)
{
    unsigned drop = 63 - f->frac_bits; /* significand bits that do not fit */
    int64_t exp = p.exp - F80_BIAS + f->bias;
    uint64_t frac = p.sig << (64 - drop), top = p.sig >> drop;
    e->rounded_up = round_away(e->round, p.sign, top & 1, frac);
    top += e->rounded_up;
    if (top >> (f->frac_bits + 1)) {
        top >>= 1;
        exp++;
    }
    if (exp < 1) {
        /* Tiny after rounding; round again where a denormal's last bit is. */
        int64_t shift = p.exp - F80_BIAS + f->bias;
        u128 wide = shr_jam128((u128)p.sig << 64 >> drop, (unsigned)(1 - shift));
        top = (uint64_t)(wide >> 64);
        frac = (uint64_t)wide;
        e->rounded_up = round_away(e->round, p.sign, top & 1, frac);
        top += e->rounded_up;
        if (frac || !(e->masks & FX_UNDERFLOW)) {
            e->flags |= FX_UNDERFLOW;
        }
        exp = top >> f->frac_bits; /* 1 if it rounded up to the smallest normal number */
    }
    if (exp >= (int64_t)f->exp_max) {
        bool to_infinity = e->round == ROUND_NEAREST || e->round == (p.sign ? ROUND_DOWN : ROUND_UP);
        e->flags |= FX_OVERFLOW | FX_INEXACT;
        e->rounded_up = to_infinity;
        return (f->exp_max << f->frac_bits) - !to_infinity;
    }
    if (frac) {
        e->flags |= FX_INEXACT;
    }
    return (uint64_t)exp << f->frac_bits | (top & (BIT64(f->frac_bits) - 1));
}

/* Without the sign. */
static uint64_t narrow(Float80 a, const Format *f, FloatEnv *e)
{
    uint64_t frac_mask = BIT64(f->frac_bits) - 1;
    e->rounded_up = false;
    switch (f80_class(a)) {
    case F80_ZERO:
        return 0;
    case F80_INFINITY:
        return f->exp_max << f->frac_bits;
    case F80_SNAN:
        e->flags |= FX_INVALID;
        /* fall through */
    case F80_QNAN:
        return f->exp_max << f->frac_bits | ((a.mant | F80_QUIET_BIT) >> (63 - f->frac_bits) & frac_mask);
    case F80_UNSUPPORTED:
        e->flags |= FX_INVALID;
        return f->exp_max << f->frac_bits | BIT64(f->frac_bits - 1);
    default:
        return narrow_finite(f80_unpack(a), f, e);
    }
}

static Float80 quiet_snan(Float80 a, FloatEnv *e)
{
    if (f80_class(a) == F80_SNAN) {
        e->flags |= FX_INVALID;
        a.mant |= F80_QUIET_BIT;
    }
    return a;
}

Float80 f80_from_f32(f32 a, FloatEnv *e)
{
    return quiet_snan(widen(a, &single_format, e), e);
}

Float80 f80_from_f64(f64 a, FloatEnv *e)
{
    return quiet_snan(widen(a, &double_format, e), e);
}

Float80 f80_operand_f32(f32 a, FloatEnv *e)
{
    return widen(a, &single_format, e);
}

Float80 f80_operand_f64(f64 a, FloatEnv *e)
{
    return widen(a, &double_format, e);
}

/* An unsupported operand gives the indefinite, which is negative. */
static bool narrow_sign(Float80 a)
{
    return f80_sign(a) || f80_class(a) == F80_UNSUPPORTED;
}

f32 f80_to_f32(Float80 a, FloatEnv *e)
{
    return (f32)narrow(a, &single_format, e) | (f32)narrow_sign(a) << 31;
}

f64 f80_to_f64(Float80 a, FloatEnv *e)
{
    return narrow(a, &double_format, e) | (f64)narrow_sign(a) << 63;
}

/* ---- integers ---- */

Float80 f80_from_i64(int64_t v)
{
    if (v == 0) {
        return f80_zero(false);
    }
    uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;
    int z = clz64(magnitude);
    return f80_make(v < 0, F80_BIAS + 63 - z, magnitude << z);
}

/* |a| rounded to an integer; false if that exceeds `limit` or a has no integer value.  Flags as for a store. */
static bool to_magnitude(Float80 a, unsigned mode, uint64_t limit, uint64_t *magnitude, FloatEnv *e)
{
    e->rounded_up = false;
    F80Class c = f80_class(a);
    *magnitude = 0;
    if (c == F80_ZERO) {
        return true;
    }
    F80Parts p = f80_unpack(a);
    int whole = p.exp - F80_BIAS + 1;
    if (c >= F80_INFINITY || whole > 64) {
        e->flags |= FX_INVALID;
        return false;
    }
    u128 fixed = whole >= 0 ? (u128)p.sig << whole : shr_jam128(p.sig, (unsigned)-whole);
    uint64_t frac = (uint64_t)fixed;
    bool up = round_away(mode, p.sign, fixed >> 64 & 1, frac);
    u128 rounded = (fixed >> 64) + up;
    if (rounded > limit) {
        e->flags |= FX_INVALID;
        return false;
    }
    e->rounded_up = up;
    if (frac) {
        e->flags |= FX_INEXACT;
    }
    *magnitude = (uint64_t)rounded;
    return true;
}

/* Two's complement of `bits` bits; the most negative number is also what invalid conversions give. */
static int64_t to_int(Float80 a, unsigned mode, unsigned bits, FloatEnv *e)
{
    uint64_t magnitude, top = BIT64(bits - 1);
    if (!to_magnitude(a, mode, f80_sign(a) ? top : top - 1, &magnitude, e)) {
        return (int64_t)-top;
    }
    return (int64_t)(f80_sign(a) ? -magnitude : magnitude);
}

int16_t f80_to_i16(Float80 a, unsigned mode, FloatEnv *e)
{
    return (int16_t)to_int(a, mode, 16, e);
}

int32_t f80_to_i32(Float80 a, unsigned mode, FloatEnv *e)
{
    return (int32_t)to_int(a, mode, 32, e);
}

int64_t f80_to_i64(Float80 a, unsigned mode, FloatEnv *e)
{
    return to_int(a, mode, 64, e);
}

/* ---- packed decimal: 18 digits, sign in bit 79 ---- */

#define BCD_MAX 999999999999999999ull

Float80 f80_from_bcd(uint64_t low, uint16_t high)
{
    uint64_t value = 0;
    for (int shift = 4; shift >= 0; shift -= 4) {
        value = value * 10 + (high >> shift & 15);
    }
    for (int shift = 60; shift >= 0; shift -= 4) {
        value = value * 10 + (low >> shift & 15); /* digits above 9 are undefined; they count as their value */
    }
    Float80 result = f80_from_i64((int64_t)value);
    result.se |= high & 0x8000;
    return result;
}

bool f80_to_bcd(Float80 a, uint64_t *low, uint16_t *high, FloatEnv *e)
{
    uint64_t magnitude;
    if (!to_magnitude(a, e->round, BCD_MAX, &magnitude, e)) {
        *low = 0xc000000000000000;
        *high = 0xffff;
        return false;
    }
    *low = 0;
    for (int shift = 0; shift < 64; shift += 4) {
        *low |= magnitude % 10 << shift;
        magnitude /= 10;
    }
    *high = (uint16_t)(magnitude % 10 | magnitude / 10 << 4 | (f80_sign(a) ? 0x8000 : 0));
    return true;
}
