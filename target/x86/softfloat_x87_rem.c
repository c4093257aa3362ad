/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FPREM, FPREM1, FSCALE and FXTRACT.
 * Spec: Intel SDM vol 2 (the instructions' pages); AMD APM vol 5.
 */
#include "target/x86/softfloat_x87.h"

/* a.sig * 2^n mod b.sig, with the low three bits of the quotient (whole when it matters: the last step). */
static uint64_t reduce(uint64_t sig, uint64_t divisor, int n, unsigned *quotient)
{
    uint64_t q = 0;
    if (sig >= divisor) {
        sig -= divisor;
        q = 1;
    }
    for (; n > 0; n--) {
        bool carry = sig >> 63;
        sig <<= 1;
        q <<= 1;
        if (carry || sig >= divisor) {
            sig -= divisor;
            q |= 1;
        }
    }
    *quotient = q & 7;
    return sig;
}

/* An exact result that may be denormal; with underflow unmasked a tiny one is wrapped. */
static Float80 pack_exact(bool sign, int32_t exp, uint64_t sig, FloatEnv *e)
{
    int z = clz64(sig);
    return f80_round_pack(sign, exp - z, (u128)sig << (64 + z), 64, e);
}

Float80 f80_remainder(Float80 a, Float80 b, bool nearest, unsigned *quotient, bool *partial, FloatEnv *e)
{
    Float80 out;
    *quotient = 0;
    *partial = false;
    e->rounded_up = false;
    if (f80_special(a, b, e, &out)) {
        return out;
    }
    F80Class ca = f80_class(a), cb = f80_class(b);
    if (ca == F80_INFINITY || cb == F80_ZERO) {
        return f80_invalid(e);
    }
    if (ca == F80_ZERO) {
        return a;
    }
    F80Parts pa = f80_unpack(a), pb = f80_unpack(b);
    if (cb == F80_INFINITY) {
        return pack_exact(pa.sign, pa.exp, pa.sig, e);
    }
    int32_t distance = pa.exp - pb.exp;
    if (distance >= 64) {
        /* Reduce the exponent by between 32 and 63; the low quotient bits are meaningless yet. */
        int n = 32 + (distance & 31);
        uint64_t rest = reduce(pa.sig, pb.sig, n, quotient);
        *quotient = 0;
        *partial = true;
        return rest ? pack_exact(pa.sign, pa.exp - n, rest, e) : f80_zero(pa.sign);
    }
    if (distance < -1 || (distance < 0 && !nearest)) {
        return pack_exact(pa.sign, pa.exp, pa.sig, e); /* the quotient is 0 */
    }
    uint64_t rest;
    int32_t exp = pb.exp;
    if (distance < 0) {
        exp = pa.exp; /* only FPREM1: a may be above half of b */
        rest = pa.sig;
        if (rest > pb.sig) {
            *quotient = 1;
            u128 diff = ((u128)pb.sig << 1) - rest;
            int z = clz128(diff);
            return f80_round_pack(!pa.sign, exp + 64 - z, diff << z, 64, e);
        }
        return pack_exact(pa.sign, pa.exp, pa.sig, e);
    }
    rest = reduce(pa.sig, pb.sig, distance, quotient);
    if (nearest && (rest > pb.sig - rest || (rest == pb.sig - rest && (*quotient & 1)))) {
        rest = pb.sig - rest;
        pa.sign = !pa.sign;
        *quotient = (*quotient + 1) & 7;
    }
    return rest ? pack_exact(pa.sign, exp, rest, e) : f80_zero(f80_sign(a));
}

/* The integer part of b, toward zero, limited to +-65536: further scaling makes no difference. */
static int32_t scale_count(Float80 b)
{
    int exp = (b.se & F80_EXP_MAX) - F80_BIAS;
    if (exp < 0) {
        return 0;
    }
    int32_t n = exp > 15 ? 65536 : (int32_t)(b.mant >> (63 - exp));
    return f80_sign(b) ? -n : n;
}

Float80 f80_scale(Float80 a, Float80 b, FloatEnv *e)
{
    Float80 out;
    e->rounded_up = false;
    if (f80_special(a, b, e, &out)) {
        return out;
    }
    F80Class ca = f80_class(a), cb = f80_class(b);
    if (cb == F80_INFINITY) {
        if (f80_sign(b)) {
            return ca == F80_INFINITY ? f80_invalid(e) : f80_zero(f80_sign(a));
        }
        return ca == F80_ZERO ? f80_invalid(e) : f80_infinity(f80_sign(a));
    }
    if (ca == F80_ZERO || ca == F80_INFINITY) {
        return a;
    }
    F80Parts p = f80_unpack(a);
    return f80_round_pack(p.sign, p.exp + scale_count(b), (u128)p.sig << 64, 64, e);
}

Float80 f80_extract(Float80 a, Float80 *exponent, FloatEnv *e)
{
    Float80 out;
    e->rounded_up = false;
    if (f80_special1(a, e, &out)) {
        *exponent = out;
        return out;
    }
    switch (f80_class(a)) {
    case F80_ZERO:
        e->flags |= FX_DIVZERO;
        *exponent = f80_infinity(true);
        return a;
    case F80_INFINITY:
        *exponent = f80_infinity(false);
        return a;
    default: {
        F80Parts p = f80_unpack(a);
        *exponent = f80_from_i64(p.exp - F80_BIAS);
        return f80_make(p.sign, F80_BIAS, p.sig);
    }
    }
}
