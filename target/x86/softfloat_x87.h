/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the f80 arithmetic that only x87 instructions use, and what its source files share.
 * Spec: Intel SDM vol 1 chapter 8 and section 4.2.2; AMD APM vol 5.
 */
#pragma once

#include "target/x86/softfloat_prims.h"

#define F80_BIAS 16383
#define F80_EXP_MAX 0x7fff
#define F80_INT_BIT BIT64(63)
#define F80_QUIET_BIT BIT64(62)
/* What is added to or taken from an exponent that leaves the range while the exception is unmasked. */
#define F80_WRAP 24576

/* How the bits are to be understood; the order lets NaNs be tested by >=. */
typedef enum F80Class {
    F80_ZERO,
    F80_DENORMAL, /* pseudo-denormals included */
    F80_NORMAL,
    F80_INFINITY,
    F80_QNAN,
    F80_SNAN,
    F80_UNSUPPORTED, /* integer bit clear with an exponent that is not zero */
} F80Class;

F80Class f80_class(Float80 a);

static inline bool f80_sign(Float80 a)
{
    return a.se >> 15;
}
static inline Float80 f80_make(bool sign, int exp, uint64_t mant)
{
    return (Float80){.mant = mant, .se = (uint16_t)(sign << 15 | exp)};
}
static inline Float80 f80_zero(bool sign)
{
    return f80_make(sign, 0, 0);
}
static inline Float80 f80_infinity(bool sign)
{
    return f80_make(sign, F80_EXP_MAX, F80_INT_BIT);
}
/* Real indefinite: the QNaN of masked invalid operations. */
static inline Float80 f80_indefinite(void)
{
    return f80_make(true, F80_EXP_MAX, F80_INT_BIT | F80_QUIET_BIT);
}
Float80 f80_invalid(FloatEnv *e); /* raises #IA, gives the indefinite */

/* A finite value that is not zero: sig * 2^(exp - F80_BIAS - 63) with bit 63 of sig set; exp may be below 1. */
typedef struct F80Parts {
    bool sign;
    int32_t exp;
    uint64_t sig;
} F80Parts;

F80Parts f80_unpack(Float80 a);
/* Round sig (bit 127 set, worth 2^(exp - F80_BIAS); bit 0 may be sticky) to e->precision or to 64 bits. */
Float80 f80_round_pack(bool sign, int32_t exp, u128 sig, unsigned precision, FloatEnv *e);

/* True if an operand is a NaN or unsupported: *out is then the operation's result.  Else raises #D where it applies. */
bool f80_special(Float80 a, Float80 b, FloatEnv *e, Float80 *out);
bool f80_special1(Float80 a, FloatEnv *e, Float80 *out);

/* ---- softfloat_x87_rem.c ---- */

/*
 * One step of FPREM (nearest false) or FPREM1.  *quotient gets the low three bits of the integer quotient;
 * *partial is true if the reduction is incomplete (C2).
 */
Float80 f80_remainder(Float80 a, Float80 b, bool nearest, unsigned *quotient, bool *partial, FloatEnv *e);
Float80 f80_scale(Float80 a, Float80 b, FloatEnv *e);
/* FXTRACT: the result is the significand, *exponent the unbiased exponent. */
Float80 f80_extract(Float80 a, Float80 *exponent, FloatEnv *e);

/* ---- softfloat_x87_conv.c ---- */

/* Like f80_from_f32() and f80_from_f64() but a SNaN is left for the operation that uses it: only #D is raised. */
Float80 f80_operand_f32(f32 a, FloatEnv *e);
Float80 f80_operand_f64(f64 a, FloatEnv *e);
Float80 f80_from_bcd(uint64_t low, uint16_t high);
/* False, with the invalid flag, when it does not fit 18 digits: *low and *high then hold the packed indefinite. */
bool f80_to_bcd(Float80 a, uint64_t *low, uint16_t *high, FloatEnv *e);

/* ---- transcendental functions: softfloat_x87_host.c or softfloat_x87_trans.c ---- */

typedef enum F80Function {
    FN_2XM1, FN_YL2X, FN_PTAN, FN_PATAN, FN_YL2XP1 = 9, FN_SINCOS = 11, FN_SIN = 14, FN_COS = 15,
} F80Function; /* low four bits of the second opcode byte, D9 F0 + n */

/*
 * a is ST(0), b is ST(1) of the functions of two operands.  *second: what FPTAN (1.0) and FSINCOS (cosine) push over
 * the result.  *partial: the operand is out of range (C2) and stays as it is.
 */
Float80 f80_function(F80Function fn, Float80 a, Float80 b, Float80 *second, bool *partial, FloatEnv *e);
/* The same without the host's x87; within an ulp or so of the true value. */
Float80 f80_function_portable(F80Function fn, Float80 a, Float80 b, Float80 *second, bool *partial, FloatEnv *e);
