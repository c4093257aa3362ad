/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transcendental functions without the host's x87: special operands by the manual's tables, the rest by the C library
 * in long double.  Used where the host is no x86-64 (on x86-64 only by the test).
 * Spec: Intel SDM vol 2 (F2XM1 table 3-15, FYL2X table 3-50, FYL2XP1 table 3-51, FPATAN table 3-30, FPTAN, FSIN ...).
 */
#include "target/x86/softfloat_x87.h"

#include <math.h>

static const Float80 ln2 = {0xb17217f7d1cf79ac, 0x3ffe};

static long double to_host(Float80 a)
{
    long double v = ldexpl((long double)a.mant, MAX(a.se & F80_EXP_MAX, 1) - F80_BIAS - 63);
    return f80_sign(a) ? -v : v;
}

/* Rounded to 64 bits, as all these functions do whatever the precision control; always inexact. */
static Float80 from_host(long double v, FloatEnv *e)
{
    if (v == 0) {
        e->flags |= FX_INEXACT;
        return f80_zero(signbit(v));
    }
    int exp;
    long double sig = ldexpl(frexpl(fabsl(v), &exp), 64);
    uint64_t high = (uint64_t)sig;
    uint64_t low = (uint64_t)ldexpl(sig - (long double)high, 64);
    return f80_round_pack(signbit(v), exp - 1 + F80_BIAS, (u128)high << 64 | low | 1, 64, e);
}

static Float80 times(Float80 a, Float80 b, FloatEnv *e)
{
    FloatEnv full = *e;
    full.precision = 64;
    Float80 product = f80_mul(a, b, &full);
    e->flags |= full.flags | FX_INEXACT;
    e->rounded_up = full.rounded_up;
    return product;
}

static int exponent(Float80 a)
{
    return (a.se & F80_EXP_MAX) - F80_BIAS;
}

/* sin, tan and the like of a value so small that it is its own function value. */
static Float80 same(Float80 a, FloatEnv *e)
{
    F80Parts p = f80_unpack(a);
    return f80_round_pack(p.sign, p.exp, (u128)p.sig << 64 | 1, 64, e);
}

static Float80 exp2_minus_1(Float80 a, FloatEnv *e)
{
    if (f80_class(a) == F80_INFINITY) {
        return f80_sign(a) ? f80_make(true, F80_BIAS, F80_INT_BIT) : a;
    }
    if (exponent(a) < -66) {
        return times(a, ln2, e);
    }
    if (a.mant == F80_INT_BIT && exponent(a) == 0) {
        e->flags |= FX_INEXACT; /* QUIRK: Zen 4 says so of these exact results */
        return f80_sign(a) ? f80_make(true, F80_BIAS - 1, F80_INT_BIT) : a;
    }
    if (exponent(a) >= 14) {
        return a; /* outside -1..1 the result is undefined */
    }
    return from_host(expm1l(to_host(a) * to_host(ln2)), e);
}

/* y * logarithm, where the logarithm is 0, infinite or finite with this sign. */
static Float80 times_log(Float80 y, F80Class log_class, bool log_sign, FloatEnv *e)
{
    F80Class cy = f80_class(y);
    bool sign = f80_sign(y) != log_sign;
    if ((cy == F80_ZERO && log_class == F80_INFINITY) || (cy == F80_INFINITY && log_class == F80_ZERO)) {
        return f80_invalid(e);
    }
    return cy == F80_INFINITY || log_class == F80_INFINITY ? f80_infinity(sign) : f80_zero(sign);
}

static Float80 y_log2_x(Float80 x, Float80 y, FloatEnv *e)
{
    F80Class cx = f80_class(x), cy = f80_class(y);
    if (cx == F80_ZERO) {
        if (cy != F80_ZERO && cy != F80_INFINITY) {
            e->flags = (e->flags & (uint8_t)~FX_DENORMAL) | FX_DIVZERO;
        }
        return times_log(y, F80_INFINITY, true, e);
    }
    if (f80_sign(x)) {
        return f80_invalid(e);
    }
    bool is_one = x.mant == F80_INT_BIT && exponent(x) == 0;
    if (cx == F80_INFINITY || is_one) {
        return times_log(y, is_one ? F80_ZERO : F80_INFINITY, false, e);
    }
    if (cy == F80_ZERO || cy == F80_INFINITY) {
        return times_log(y, F80_NORMAL, exponent(x) < 0, e);
    }
    FloatEnv exact = {.masks = 0x3f, .precision = 64};
    F80Parts p = f80_unpack(x);
    /* Near 1 the whole number counts; elsewhere the exponent is split off so that no denormal is needed. */
    int whole = p.exp == F80_BIAS || p.exp == F80_BIAS - 1 ? 0 : p.exp - F80_BIAS;
    long double fraction = to_host(f80_make(false, p.exp - whole, p.sig));
    return times(y, from_host(log2l(fraction) + whole, &exact), e);
}

static Float80 y_log2_x_plus_1(Float80 x, Float80 y, FloatEnv *e)
{
    F80Class cx = f80_class(x), cy = f80_class(y);
    if (cx == F80_ZERO || cx == F80_INFINITY) {
        return cx == F80_INFINITY && f80_sign(x) ? f80_invalid(e) : times_log(y, cx, f80_sign(x), e);
    }
    if (f80_sign(x) && exponent(x) >= 0) {
        return f80_invalid(e); /* outside the function's range */
    }
    if (cy == F80_ZERO || cy == F80_INFINITY) {
        return times_log(y, F80_NORMAL, f80_sign(x), e);
    }
    FloatEnv exact = {.masks = 0x3f, .precision = 64};
    static const Float80 log2e = {0xb8aa3b295c17f0bc, 0x3fff};
    if (exponent(x) < -66) {
        return times(times(y, log2e, &exact), x, e);
    }
    return times(y, from_host(log1pl(to_host(x)) * to_host(log2e), &exact), e);
}

static Float80 arc_tangent(Float80 x, Float80 y, FloatEnv *e)
{
    F80Class cx = f80_class(x), cy = f80_class(y);
    bool finite = cx != F80_INFINITY && cy != F80_INFINITY && cx != F80_ZERO && cy != F80_ZERO;
    if (!f80_sign(x) && (cy == F80_ZERO || (cx == F80_INFINITY && cy != F80_INFINITY))) {
        return f80_zero(f80_sign(y));
    }
    if (finite && !f80_sign(x) && exponent(y) - exponent(x) < -66) {
        FloatEnv full = *e;
        full.precision = 64;
        Float80 ratio = f80_div(y, x, &full);
        e->flags |= full.flags | FX_INEXACT;
        e->rounded_up = full.rounded_up;
        return ratio;
    }
    long double hx = cx == F80_INFINITY ? copysignl(INFINITY, f80_sign(x) ? -1 : 1) : to_host(x);
    long double hy = cy == F80_INFINITY ? copysignl(INFINITY, f80_sign(y) ? -1 : 1) : to_host(y);
    return from_host(atan2l(hy, hx), e);
}

static Float80 trigonometric(F80Function fn, Float80 a, Float80 *second, FloatEnv *e)
{
    static const Float80 one = {F80_INT_BIT, F80_BIAS};
    bool tiny = exponent(a) < -40;
    long double v = to_host(a);
    switch (fn) {
    case FN_COS:
        return tiny ? from_host(1, e) : from_host(cosl(v), e);
    case FN_SIN:
        return tiny ? same(a, e) : from_host(sinl(v), e);
    case FN_SINCOS:
        *second = tiny ? one : from_host(cosl(v), e);
        return tiny ? same(a, e) : from_host(sinl(v), e);
    default:
        *second = one;
        return tiny ? same(a, e) : from_host(tanl(v), e);
    }
}

Float80 f80_function_portable(F80Function fn, Float80 a, Float80 b, Float80 *second, bool *partial, FloatEnv *e)
{
    Float80 out;
    bool two = fn == FN_YL2X || fn == FN_YL2XP1 || fn == FN_PATAN;
    *partial = false;
    e->rounded_up = false;
    *second = f80_indefinite();
    if (f80_special(a, two ? b : f80_zero(false), e, &out)) {
        *second = out;
        return out;
    }
    switch (fn) {
    case FN_YL2X:
        return y_log2_x(a, b, e);
    case FN_YL2XP1:
        return y_log2_x_plus_1(a, b, e);
    case FN_PATAN:
        return arc_tangent(a, b, e);
    default:
        break;
    }
    F80Class c = f80_class(a);
    if (c == F80_ZERO) {
        static const Float80 one = {F80_INT_BIT, F80_BIAS};
        *second = one;
        return fn == FN_COS ? one : a;
    }
    if (fn == FN_2XM1) {
        return exp2_minus_1(a, e);
    }
    if (c == F80_INFINITY) {
        return f80_invalid(e);
    }
    if (exponent(a) >= 63) {
        *partial = true;
        return a;
    }
    return trigonometric(fn, a, second, e);
}
