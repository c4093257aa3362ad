/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extended-real arithmetic: classification, NaN rules, rounding under precision control, the four operations, square
 * root, comparison and rounding to an integral value.
 * Spec: Intel SDM vol 1 sections 4.8, 8.1.5, 8.5; AMD APM vol 1 section 6.
 */
#include "target/x86/softfloat_x87.h"

F80Class f80_class(Float80 a)
{
    unsigned exp = a.se & F80_EXP_MAX;
    if (exp == 0) {
        return a.mant ? F80_DENORMAL : F80_ZERO;
    }
    if (!(a.mant & F80_INT_BIT)) {
        return F80_UNSUPPORTED;
    }
    if (exp != F80_EXP_MAX) {
        return F80_NORMAL;
    }
    if (a.mant == F80_INT_BIT) {
        return F80_INFINITY;
    }
    return a.mant & F80_QUIET_BIT ? F80_QNAN : F80_SNAN;
}

Float80 f80_invalid(FloatEnv *e)
{
    e->flags = (e->flags & (uint8_t)~FX_DENORMAL) | FX_INVALID; /* goes before a denormal operand */
    return f80_indefinite();
}

F80Parts f80_unpack(Float80 a)
{
    F80Parts p = {.sign = f80_sign(a), .exp = a.se & F80_EXP_MAX, .sig = a.mant};
    if (p.exp == 0) {
        int z = clz64(p.sig);
        p.sig <<= z;
        p.exp = 1 - z; /* exponent field 0 means the same power of two as 1 */
    }
    return p;
}

/* ---- operands that decide the result ---- */

static Float80 quieted(Float80 a)
{
    a.mant |= F80_QUIET_BIT;
    return a;
}

/* SDM vol 1 table 4-7: of two NaNs the one with the larger significand, of a SNaN and a QNaN the QNaN. */
static Float80 choose_nan(Float80 a, F80Class ca, Float80 b, F80Class cb)
{
    if (ca < F80_QNAN) {
        return quieted(b);
    }
    if (cb < F80_QNAN) {
        return quieted(a);
    }
    if (ca != cb) {
        return ca == F80_QNAN ? a : b;
    }
    if (a.mant != b.mant) {
        return quieted(a.mant > b.mant ? a : b);
    }
    return quieted(f80_sign(a) ? b : a);
}

bool f80_special(Float80 a, Float80 b, FloatEnv *e, Float80 *out)
{
    F80Class ca = f80_class(a), cb = f80_class(b);
    if (ca == F80_UNSUPPORTED || cb == F80_UNSUPPORTED) {
        *out = f80_invalid(e);
        return true;
    }
    if (ca >= F80_QNAN || cb >= F80_QNAN) {
        e->flags &= (uint8_t)~FX_DENORMAL; /* what a memory operand's conversion may have raised */
        if (ca == F80_SNAN || cb == F80_SNAN) {
            e->flags |= FX_INVALID;
        }
        *out = choose_nan(a, ca, b, cb);
        return true;
    }
    if (ca == F80_DENORMAL || cb == F80_DENORMAL) {
        e->flags |= FX_DENORMAL;
    }
    return false;
}

bool f80_special1(Float80 a, FloatEnv *e, Float80 *out)
{
    return f80_special(a, f80_zero(false), e, out);
}

/* ---- rounding ---- */

/* Overflow: SDM vol 1 table 4-10. */
static Float80 overflowed(bool sign, unsigned precision, FloatEnv *e)
{
    e->flags |= FX_OVERFLOW | FX_INEXACT;
    bool to_infinity = e->round == ROUND_NEAREST || e->round == (sign ? ROUND_DOWN : ROUND_UP);
    e->rounded_up = to_infinity;
    if (to_infinity) {
        return f80_infinity(sign);
    }
    return f80_make(sign, F80_EXP_MAX - 1, ~0ull << (64 - precision));
}

/* sig to `precision` bits at the top of a 64-bit significand; may carry out: then 0 is returned. */
static uint64_t round_sig(bool sign, u128 sig, unsigned precision, FloatEnv *e, bool *inexact)
{
    unsigned drop = 64 - precision;
    uint64_t top = (uint64_t)(sig >> 64) >> drop;
    uint64_t frac = (uint64_t)(sig << precision >> 64) | ((uint64_t)(sig << precision) != 0);
    *inexact = frac != 0;
    e->rounded_up = round_away(e->round, sign, top & 1, frac);
    top += e->rounded_up;
    return top << drop;
}

Float80 f80_round_pack(bool sign, int32_t exp, u128 sig, unsigned precision, FloatEnv *e)
{
    bool inexact;
    uint64_t mant = round_sig(sign, sig, precision, e, &inexact);
    bool carry = mant == 0;
    int32_t rounded_exp = exp + carry;
    if (rounded_exp < 1 && (e->masks & FX_UNDERFLOW)) {
        /* Tiny after rounding with unbounded exponent; now round where a denormal's last bit is. */
        mant = round_sig(sign, shr_jam128(sig, (unsigned)(1 - exp)), precision, e, &inexact);
        if (inexact) {
            e->flags |= FX_UNDERFLOW | FX_INEXACT;
        }
        return f80_make(sign, (mant & F80_INT_BIT) != 0, mant);
    }
    if (rounded_exp < 1) {
        e->flags |= FX_UNDERFLOW;
        rounded_exp += F80_WRAP;
    } else if (rounded_exp >= F80_EXP_MAX) {
        if (e->masks & FX_OVERFLOW) {
            return overflowed(sign, precision, e);
        }
        e->flags |= FX_OVERFLOW;
        rounded_exp -= F80_WRAP;
    }
    if (rounded_exp < 1 || rounded_exp >= F80_EXP_MAX) {
        /* Even the wrapped exponent is out of range, which only FSCALE can do: zero or infinity. */
        e->flags |= FX_INEXACT;
        e->rounded_up = rounded_exp > 0;
        return rounded_exp > 0 ? f80_infinity(sign) : f80_zero(sign);
    }
    if (inexact) {
        e->flags |= FX_INEXACT;
    }
    return f80_make(sign, rounded_exp, carry ? F80_INT_BIT : mant);
}

/* ---- arithmetic ---- */

static Float80 add_parts(F80Parts a, F80Parts b, FloatEnv *e)
{
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        F80Parts t = a;
        a = b;
        b = t;
    }
    u128 big = (u128)a.sig << 63, small = shr_jam128((u128)b.sig << 63, (unsigned)(a.exp - b.exp));
    u128 sum = a.sign == b.sign ? big + small : big - small;
    if (sum == 0) {
        return f80_zero(e->round == ROUND_DOWN);
    }
    int z = clz128(sum);
    return f80_round_pack(a.sign, a.exp + 1 - z, sum << z, e->precision, e);
}

/* A sum with a zero: still rounded to the precision in force. */
static Float80 round_one(Float80 a, FloatEnv *e)
{
    F80Parts p = f80_unpack(a);
    return f80_round_pack(p.sign, p.exp, (u128)p.sig << 64, e->precision, e);
}

Float80 f80_add(Float80 a, Float80 b, FloatEnv *e)
{
    Float80 out;
    e->rounded_up = false;
    if (f80_special(a, b, e, &out)) {
        return out;
    }
    F80Class ca = f80_class(a), cb = f80_class(b);
    if (ca == F80_INFINITY || cb == F80_INFINITY) {
        if (ca == cb && f80_sign(a) != f80_sign(b)) {
            return f80_invalid(e);
        }
        return ca == F80_INFINITY ? a : b;
    }
    if (ca == F80_ZERO && cb == F80_ZERO) {
        return f80_sign(a) == f80_sign(b) ? a : f80_zero(e->round == ROUND_DOWN);
    }
    if (ca == F80_ZERO || cb == F80_ZERO) {
        return round_one(ca == F80_ZERO ? b : a, e);
    }
    return add_parts(f80_unpack(a), f80_unpack(b), e);
}

Float80 f80_sub(Float80 a, Float80 b, FloatEnv *e)
{
    if (f80_class(b) < F80_QNAN) {
        b.se ^= 0x8000; /* a NaN keeps its sign */
    }
    return f80_add(a, b, e);
}

Float80 f80_mul(Float80 a, Float80 b, FloatEnv *e)
{
    Float80 out;
    e->rounded_up = false;
    if (f80_special(a, b, e, &out)) {
        return out;
    }
    F80Class ca = f80_class(a), cb = f80_class(b);
    bool sign = f80_sign(a) != f80_sign(b);
    if (ca == F80_INFINITY || cb == F80_INFINITY) {
        return ca == F80_ZERO || cb == F80_ZERO ? f80_invalid(e) : f80_infinity(sign);
    }
    if (ca == F80_ZERO || cb == F80_ZERO) {
        return f80_zero(sign);
    }
    F80Parts pa = f80_unpack(a), pb = f80_unpack(b);
    u128 product = (u128)pa.sig * pb.sig;
    int z = clz128(product);
    return f80_round_pack(sign, pa.exp + pb.exp - F80_BIAS + 1 - z, product << z, e->precision, e);
}

Float80 f80_div(Float80 a, Float80 b, FloatEnv *e)
{
    Float80 out;
    e->rounded_up = false;
    if (f80_special(a, b, e, &out)) {
        return out;
    }
    F80Class ca = f80_class(a), cb = f80_class(b);
    bool sign = f80_sign(a) != f80_sign(b);
    if (ca == cb && (ca == F80_INFINITY || ca == F80_ZERO)) {
        return f80_invalid(e);
    }
    if (ca == F80_INFINITY) {
        return f80_infinity(sign);
    }
    if (ca == F80_ZERO || cb == F80_INFINITY) {
        return f80_zero(sign);
    }
    if (cb == F80_ZERO) {
        /* Goes before a denormal dividend (SDM vol 1 section 4.9.2). */
        e->flags = (e->flags & (uint8_t)~FX_DENORMAL) | FX_DIVZERO;
        return f80_infinity(sign);
    }
    F80Parts pa = f80_unpack(a), pb = f80_unpack(b);
    bool less = pa.sig < pb.sig;
    u128 dividend = (u128)pa.sig << (less ? 64 : 63);
    u128 high = dividend / pb.sig, rest = (dividend % pb.sig) << 64;
    u128 sig = high << 64 | rest / pb.sig | (rest % pb.sig != 0);
    return f80_round_pack(sign, pa.exp - pb.exp + F80_BIAS - less, sig, e->precision, e);
}

Float80 f80_sqrt(Float80 a, FloatEnv *e)
{
    Float80 out;
    e->rounded_up = false;
    F80Class c = f80_class(a);
    if (c == F80_ZERO) {
        return a;
    }
    if (c < F80_QNAN && f80_sign(a)) {
        return f80_invalid(e);
    }
    if (f80_special1(a, e, &out)) {
        return out;
    }
    if (c == F80_INFINITY) {
        return a;
    }
    F80Parts p = f80_unpack(a);
    int32_t power = p.exp - F80_BIAS;
    u128 rest, square = (u128)p.sig << (power & 1 ? 64 : 63);
    uint64_t root = sqrt128(square, &rest);
    /* The next bit is one when rest > root (never a tie: that would need a square with a fraction of 1/4). */
    u128 sig = (u128)root << 64 | (u128)(rest > root) << 63 | (rest != 0);
    return f80_round_pack(false, (power >> 1) + F80_BIAS, sig, e->precision, e);
}

/* ---- comparison ---- */

int f80_compare(Float80 a, Float80 b, bool quiet, FloatEnv *e)
{
    Float80 ignored;
    F80Class ca = f80_class(a), cb = f80_class(b);
    if (f80_special(a, b, e, &ignored)) {
        if (!quiet) {
            e->flags |= FX_INVALID;
        }
        return 2;
    }
    if (ca == F80_ZERO && cb == F80_ZERO) {
        return 0;
    }
    bool negative = f80_sign(a);
    if (ca != F80_ZERO && cb != F80_ZERO && negative == f80_sign(b)) {
        /* A pseudo-denormal equals the normal number with exponent 1. */
        unsigned ea = MAX(a.se & F80_EXP_MAX, 1), eb = MAX(b.se & F80_EXP_MAX, 1);
        if (ea == eb && a.mant == b.mant) {
            return 0;
        }
        bool below = ea != eb ? ea < eb : a.mant < b.mant;
        return below != negative ? -1 : 1;
    }
    bool a_negative = ca != F80_ZERO && negative, b_negative = cb != F80_ZERO && f80_sign(b);
    if (ca == F80_ZERO) {
        return b_negative ? 1 : -1;
    }
    return a_negative ? -1 : 1;
}

/* ---- integral values ---- */

Float80 f80_round_int(Float80 a, FloatEnv *e)
{
    Float80 out;
    e->rounded_up = false;
    if (f80_special1(a, e, &out)) {
        return out;
    }
    int exp = a.se & F80_EXP_MAX;
    if (f80_class(a) == F80_ZERO || exp >= F80_BIAS + 63) {
        return a; /* already integral, or infinite */
    }
    bool sign = f80_sign(a);
    int whole = exp - F80_BIAS + 1; /* bits of the significand before the binary point */
    u128 fixed = whole >= 0 ? (u128)a.mant << whole : shr_jam128(a.mant, (unsigned)-whole);
    uint64_t integer = (uint64_t)(fixed >> 64), frac = (uint64_t)fixed;
    if (frac == 0) {
        return a;
    }
    e->flags |= FX_INEXACT;
    e->rounded_up = round_away(e->round, sign, integer & 1, frac);
    integer += e->rounded_up;
    if (integer == 0) {
        return f80_zero(sign);
    }
    int z = clz64(integer);
    return f80_make(sign, F80_BIAS + 63 - z, integer << z);
}
