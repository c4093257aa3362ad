/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single and double precision arithmetic with SSE's rules.  Results and flags never depend on the host: where the host's
 * own floating point is used (nearest rounding, normal numbers), IEEE 754 leaves it no choice.
 * Spec: Intel SDM vol 1, 4.8-4.9, 11.5 and appendix E; IEEE 754-2008.
 */
#include "target/x86/softfloat.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef unsigned __int128 u128;

/* A finite number other than zero: mant / 2^63 * 2^exp, bit 63 of mant set. */
typedef struct Num {
    uint64_t mant;
    int32_t exp;
    bool sign;
} Num;

typedef struct Format {
    unsigned frac; /* bits of the fraction */
    int bias;
    unsigned exp_max;
} Format;

/* Does rounding add one unit to the kept bits?  rest: what is dropped, half: half a unit. */
static inline bool rounds_up(unsigned mode, bool sign, bool odd, uint64_t rest, uint64_t half)
{
    switch (mode) {
    case ROUND_NEAREST:
        return rest > half || (rest == half && odd);
    case ROUND_DOWN:
        return sign && rest;
    case ROUND_UP:
        return !sign && rest;
    default:
        return false;
    }
}

static inline uint64_t shift_right_jam(uint64_t v, unsigned n)
{
    return n == 0 ? v : n > 63 ? v != 0 : v >> n | (v << (64 - n) != 0);
}

/*
 * The result is at or above the largest power of two.  With the exception unmasked nothing is delivered, and inexact
 * speaks of the significand alone.
 */
static uint64_t overflow(Format f, bool sign, bool inexact, FloatEnv *e)
{
    bool masked = e->masks & FX_OVERFLOW;
    uint64_t inf = (uint64_t)f.exp_max << f.frac;
    bool to_inf = e->round == ROUND_NEAREST || e->round == (sign ? ROUND_DOWN : ROUND_UP);

    e->flags |= FX_OVERFLOW | (masked || inexact ? FX_INEXACT : 0);
    return to_inf ? inf : inf - 1;
}

/*
 * biased <= 0.  x86 finds tininess after rounding: a number that would round up to the smallest normal number with
 * unbounded exponent is not tiny.  Unmasked underflow is raised for exact results too, and inexact then speaks of the
 * result before it is denormalised.  FTZ works only while underflow is masked (SDM vol 1 10.2.3.3).
 */
static uint64_t underflow(Format f, bool sign, int biased, uint64_t mant, FloatEnv *e)
{
    const unsigned shift = 63 - f.frac;
    const uint64_t half = 1ull << (shift - 1), mask = 2 * half - 1;
    bool odd = (mant >> shift) & 1;
    bool tiny = biased < 0 || mant >> shift != (2ull << f.frac) - 1 ||
                !rounds_up(e->round, sign, odd, mant & mask, half);

    if (tiny && !(e->masks & FX_UNDERFLOW)) {
        e->flags |= FX_UNDERFLOW | (mant & mask ? FX_INEXACT : 0);
        return 0;
    }
    if (tiny && e->ftz) {
        e->flags |= FX_UNDERFLOW | FX_INEXACT;
        return 0;
    }
    mant = shift_right_jam(mant, (unsigned)(1 - biased));
    uint64_t kept = mant >> shift, rest = mant & mask;
    if (rest) {
        e->flags |= FX_INEXACT | (tiny ? FX_UNDERFLOW : 0);
        kept += rounds_up(e->round, sign, kept & 1, rest, half);
    }
    return kept;
}

/* Round to the format and pack; the low bit of mant is sticky. */
static inline uint64_t round_pack(Format f, Num n, FloatEnv *e)
{
    const unsigned shift = 63 - f.frac;
    const uint64_t half = 1ull << (shift - 1), mask = 2 * half - 1;
    uint64_t sign_bit = n.sign ? (f.exp_max + 1ull) << f.frac : 0;
    int biased = n.exp + f.bias;

    if (unlikely(biased <= 0)) {
        return sign_bit | underflow(f, n.sign, biased, n.mant, e);
    }
    uint64_t rest = n.mant & mask;
    uint64_t kept = (n.mant >> shift) + rounds_up(e->round, n.sign, (n.mant >> shift) & 1, rest, half);
    uint64_t packed = ((uint64_t)(biased - 1) << f.frac) + kept; /* the integer bit adds one to the exponent */
    if (unlikely(packed >= (uint64_t)f.exp_max << f.frac)) {
        return sign_bit | overflow(f, n.sign, rest, e);
    }
    if (rest) {
        e->flags |= FX_INEXACT;
    }
    return sign_bit | packed;
}

static inline Num unpack(Format f, uint64_t a)
{
    unsigned exp = (unsigned)(a >> f.frac) & f.exp_max;
    Num n = {.mant = a << (63 - f.frac), .exp = (int)exp - f.bias, .sign = (a >> f.frac) > f.exp_max};

    if (exp) {
        n.mant |= 1ull << 63;
    } else {
        n.mant <<= 1;
        unsigned lead = (unsigned)__builtin_clzll(n.mant);
        n.mant <<= lead;
        n.exp -= (int)lead;
    }
    return n;
}

/* a has the larger magnitude; false when the sum is exactly zero. */
static inline bool add_nums(Num *a, Num b)
{
    uint64_t big = a->mant >> 1, small = shift_right_jam(b.mant >> 1, (unsigned)(a->exp - b.exp));
    uint64_t sum = a->sign == b.sign ? big + small : big - small;

    if (sum == 0) {
        return false;
    }
    int lead = __builtin_clzll(sum);
    a->mant = sum << lead;
    a->exp += 1 - lead;
    return true;
}

static inline bool num_less(Num a, Num b)
{
    return a.exp < b.exp || (a.exp == b.exp && a.mant < b.mant);
}

/* a * b + c with one rounding to come; false when it is exactly zero. */
static bool fma_nums(Num *a, Num b, Num c)
{
    u128 p = (u128)a->mant * b.mant, q = (u128)c.mant << 64;
    int exp = a->exp + b.exp + 1, exp_c = c.exp;
    bool sign = a->sign != b.sign, subtract = sign != c.sign;

    if (!(p >> 127)) {
        p <<= 1;
        exp--;
    }
    if (exp < exp_c || (exp == exp_c && p < q)) {
        u128 t = p;
        p = q;
        q = t;
        int x = exp;
        exp = exp_c;
        exp_c = x;
        sign = c.sign;
    }
    /* The significands end well above bit 0, so one bit of head room costs nothing. */
    unsigned n = (unsigned)(exp - exp_c) + 1;
    q = n > 127 ? 1 : q >> n | ((q & (((u128)1 << n) - 1)) != 0);
    p = subtract ? (p >> 1) - q : (p >> 1) + q;
    if (p == 0) {
        return false;
    }
    unsigned lead = p >> 64 ? (unsigned)__builtin_clzll((uint64_t)(p >> 64)) : 64 + (unsigned)__builtin_clzll((uint64_t)p);
    p <<= lead;
    *a = (Num){.mant = (uint64_t)(p >> 64) | ((uint64_t)p != 0), .exp = exp + 1 - (int)lead, .sign = sign};
    return true;
}

/* a / b, with a sticky low bit. */
static inline Num div_nums(Num a, Num b)
{
    u128 num = (u128)a.mant << 63;
    uint64_t q = (uint64_t)(num / b.mant);
    Num r = {.mant = q | ((u128)q * b.mant != num), .exp = a.exp - b.exp, .sign = a.sign != b.sign};

    if (!(r.mant >> 63)) {
        r.mant <<= 1; /* the sticky bit is far below the rounding bit, so moving it up is harmless */
        r.exp--;
    }
    return r;
}

/*
 * Square root of a positive number: a root of 62 bits and a sticky bit.  The host's square root is only a first guess;
 * one Newton step in integers and the final comparison make it exact whatever the host does.
 */
static Num sqrt_num(Num a)
{
    unsigned odd = (unsigned)a.exp & 1;
    u128 n = (u128)a.mant << (59 + odd); /* [2^122, 2^124) */
    uint64_t c = (uint64_t)(sqrt((double)(uint64_t)(n >> 64)) * 4294967296.0);

    int64_t rest = (int64_t)((__int128)(n - (u128)c * c) >> 20);
    c += (uint64_t)(int64_t)((double)rest * 1048576.0 / (2.0 * (double)c));
    while ((u128)c * c > n) {
        c--;
    }
    while ((u128)(c + 1) * (c + 1) <= n) {
        c++;
    }
    return (Num){.mant = c << 2 | ((u128)c * c != n), .exp = (a.exp - (int)odd) / 2};
}

/*
 * The host rounds to nearest and delivers normal results exactly as SSE does, so with inexact already raised (SSE's
 * flags are sticky: sse_env() passes a masked one on) nothing is left to find out.
 */
#if FLT_EVAL_METHOD == 0 && !defined(__FAST_MATH__)
static inline bool host_allowed(const FloatEnv *e)
{
    return e->round == ROUND_NEAREST && (e->flags & FX_INEXACT);
}
#else
static inline bool host_allowed(const FloatEnv *e)
{
    return false;
}
#endif

#define F f32
#define HOST float
#define HOST_SQRT sqrtf
#define HOST_FMA fmaf
#define FRAC 23
#define EXP_MAX 0xffu
#define FN(name) f32_##name
#include "target/x86/softfloat_sse_ops.c.inc"
#undef F
#undef HOST
#undef HOST_SQRT
#undef HOST_FMA
#undef FRAC
#undef EXP_MAX
#undef FN

#define F f64
#define HOST double
#define HOST_SQRT sqrt
#define HOST_FMA fma
#define FRAC 52
#define EXP_MAX 0x7ffu
#define FN(name) f64_##name
#include "target/x86/softfloat_sse_ops.c.inc"

f64 f32_to_f64(f32 a, FloatEnv *e)
{
    uint64_t sign = (uint64_t)(a >> 31) << 63;

    if (f32_is_nan(a)) {
        e->flags |= f32_is_snan(a) ? FX_INVALID : 0;
        return sign | 0x7ff8000000000000 | (uint64_t)(a & 0x7fffff) << 29;
    }
    a = f32_squash(a, e);
    if ((a & 0x7fffffff) == 0) {
        return sign;
    }
    if ((a & 0x7fffffff) == 0x7f800000) {
        return sign | 0x7ff0000000000000;
    }
    f32_note_denormal(a, e);
    return round_pack(f64_format, unpack(f32_format, a), e);
}

f32 f64_to_f32(f64 a, FloatEnv *e)
{
    uint32_t sign = (uint32_t)(a >> 63) << 31;

    if (f64_is_nan(a)) {
        e->flags |= f64_is_snan(a) ? FX_INVALID : 0;
        return sign | 0x7fc00000 | ((uint32_t)(a >> 29) & 0x7fffff);
    }
    a = f64_squash(a, e);
    if (a << 1 == 0) {
        return sign;
    }
    if (a << 1 == 0xffe0000000000000) {
        return sign | 0x7f800000;
    }
    f64_note_denormal(a, e);
    return (f32)round_pack(f32_format, unpack(f64_format, a), e);
}

static const Format f16_format = {10, 15, 31};

/* Exact: only a signalling NaN raises anything. */
f32 f16_to_f32(uint16_t a, FloatEnv *e)
{
    uint32_t sign = (uint32_t)(a >> 15) << 31, magnitude = a & 0x7fff;

    if (magnitude > 0x7c00) {
        e->flags |= a & 0x200 ? 0 : FX_INVALID;
        return sign | 0x7fc00000 | (magnitude & 0x3ff) << 13;
    }
    if (magnitude == 0) {
        return sign;
    }
    if (magnitude == 0x7c00) {
        return sign | 0x7f800000;
    }
    FloatEnv exact = {0};
    return (f32)round_pack(f32_format, unpack(f16_format, a), &exact);
}

uint16_t f32_to_f16(f32 a, FloatEnv *e)
{
    uint16_t sign = (uint16_t)(a >> 31 << 15);

    if (f32_is_nan(a)) {
        e->flags |= f32_is_snan(a) ? FX_INVALID : 0;
        return sign | 0x7e00 | (uint16_t)((a >> 13) & 0x3ff);
    }
    a = f32_squash(a, e);
    if ((a & 0x7fffffff) == 0) {
        return sign;
    }
    if ((a & 0x7fffffff) == 0x7f800000) {
        return sign | 0x7c00;
    }
    f32_note_denormal(a, e);
    bool ftz = e->ftz;
    e->ftz = false;
    uint16_t r = (uint16_t)round_pack(f16_format, unpack(f32_format, a), e);
    e->ftz = ftz;
    return r;
}
