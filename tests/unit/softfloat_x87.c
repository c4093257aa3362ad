/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extended-real arithmetic against the host's x87: every operation, rounding and precision mode, edge cases by edge
 * cases and random operands; results and all flags bit by bit.
 * Spec: Intel SDM vol 1 chapter 8; the silicon decides.
 */
#include "target/x86/softfloat_x87.h"

#include <float.h>
#include <string.h>

#if defined(__x86_64__)

/* ---- operands ---- */

static uint64_t rng_state;

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state * 0x2545f4914f6cdd1d;
}

static const Float80 edges[] = {
    {0, 0}, {1, 0}, {0x7fffffffffffffff, 0}, {0x4000000000000000, 0},          /* zero, denormals */
    {0x8000000000000000, 0}, {0xffffffffffffffff, 0},                           /* pseudo-denormals */
    {0x8000000000000000, 1}, {0xffffffffffffffff, 1}, {0x8000000000000001, 2},  /* smallest normals */
    {0x8000000000000000, 64}, {0xc000000000000001, 63},
    {0x8000000000000000, 0x3fff}, {0x8000000000000001, 0x3fff}, {0xffffffffffffffff, 0x3ffe}, /* around 1 */
    {0xffffffffffffffff, 0x3fff}, {0x8000000000000000, 0x4000}, {0x8000000000000000, 0x3ffe},
    {0xc000000000000000, 0x3fff}, {0xa000000000000000, 0x4000}, {0xc000000000000000, 0x3ffe},
    {0x8000000000000400, 0x3fff}, {0x8000000000000c00, 0x3fff}, {0x80000000000003ff, 0x3fff}, /* halfway, 53 bits */
    {0x8000008000000000, 0x3fff}, {0x8000018000000000, 0x3fff}, {0x8000007fffffffff, 0x3fff}, /* halfway, 24 bits */
    {0xfffffffffffffc00, 0x3fff}, {0xffffff8000000000, 0x3fff},
    {0xc90fdaa22168c235, 0x4000}, {0x9a209a84fbcff799, 0x3ffd},
    {0xffffffff00000000, 0x401d}, {0x8000000000000000, 0x401e}, {0xffffffffffffffff, 0x403d}, /* integer limits */
    {0x8000000000000000, 0x403e}, {0x8000000000000001, 0x403e}, {0xfffe000000000000, 0x400d},
    {0xde0b6b3a763fffff, 0x403a}, {0xde0b6b3a76400000, 0x403a},                  /* 10^18 */
    {0xffffff7fffffffff, 0x407e}, {0xfffffffffffffbff, 0x43fe}, {0xffffffffffffffff, 0x43fe}, /* float limits */
    {0x8000000000000000, 0x3f80}, {0x8000000000000000, 0x3f6a}, {0x8000000000000000, 0x3c00},
    {0x8000000000000000, 0x3bcd}, {0xffffffffffffffff, 0x3c00},
    {0xffffffffffffffff, 0x7ffe}, {0x8000000000000000, 0x7ffe}, {0xffffffffffffffff, 0x7ffd}, /* largest */
    {0x8000000000000000, 0x7fff}, {0xc000000000000000, 0x7fff}, {0xc000000000000001, 0x7fff}, /* infinity, QNaNs */
    {0x8000000000000001, 0x7fff}, {0xbfffffffffffffff, 0x7fff},                  /* SNaNs */
    {0, 0x7fff}, {0x4000000000000000, 0x7fff}, {0, 0x3fff}, {0x7fffffffffffffff, 0x4000}, /* unsupported */
};

static Float80 edge(unsigned n)
{
    Float80 v = edges[n >> 1];
    v.se |= (n & 1) << 15;
    return v;
}
#define NUM_EDGES (2 * ARRAY_LEN(edges))

static Float80 random_value(void)
{
    uint64_t kind = rng();
    if ((kind & 7) == 0) {
        return edge((kind >> 8 & 0xffff) % NUM_EDGES);
    }
    Float80 v = {.mant = rng() | F80_INT_BIT, .se = (uint16_t)(kind >> 48)};
    if (kind >> 3 & 3) {
        v.se = (uint16_t)((v.se & 0x8000) | (F80_BIAS - 64 + (v.se & 127))); /* near enough to interact */
    }
    if (kind & 0x20) {
        v.mant &= ~0ull << (kind >> 8 & 63);
        v.mant |= F80_INT_BIT;
    }
    return v;
}

/* ---- the host ---- */

typedef struct Result {
    Float80 v, second;
    uint64_t bits; /* stores to memory formats */
    uint16_t sw;   /* exceptions and condition codes */
} Result;

enum { SW_MASK = 0x473f, SW_C0 = 0x100, SW_C1 = 0x200, SW_C2 = 0x400, SW_C3 = 0x4000 };

typedef struct Ten {
    uint64_t mant;
    uint16_t se;
} __attribute__((packed)) Ten;

#define X87_REGISTERS "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"

/* b is ST(1), a is ST(0); the result is ST(0) afterwards. */
#define HOST_BINARY(name, text)                                                                                        \
    static void host_##name(Float80 fa, Float80 fb, uint16_t cw, Result *r)                                            \
    {                                                                                                                  \
        Ten a = {fa.mant, fa.se}, b = {fb.mant, fb.se}, out;                                                           \
        __asm__ volatile("fninit\n\tfldcw %4\n\tfldt %3\n\tfldt %2\n\t" text "\n\tfnstsw %1\n\tfstpt %0\n\tfninit"     \
                         : "=m"(out), "=m"(r->sw)                                                                      \
                         : "m"(a), "m"(b), "m"(cw)                                                                     \
                         : X87_REGISTERS);                                                                                      \
        r->v = (Float80){out.mant, out.se};                                                                            \
    }
HOST_BINARY(add, "fadd %%st(1), %%st")
HOST_BINARY(sub, "fsub %%st(1), %%st")
HOST_BINARY(mul, "fmul %%st(1), %%st")
HOST_BINARY(div, "fdiv %%st(1), %%st")
HOST_BINARY(sqrt, "fsqrt")
HOST_BINARY(round_int, "frndint")
HOST_BINARY(prem, "fprem")
HOST_BINARY(prem1, "fprem1")
HOST_BINARY(scale, "fscale")
HOST_BINARY(com, "fcom %%st(1)")
HOST_BINARY(ucom, "fucom %%st(1)")
HOST_BINARY(f2xm1, "f2xm1")
HOST_BINARY(fyl2x, "fyl2x")
HOST_BINARY(fyl2xp1, "fyl2xp1")
HOST_BINARY(fpatan, "fpatan")
HOST_BINARY(fsin, "fsin")
HOST_BINARY(fcos, "fcos")

static void host_extract(Float80 fa, Float80 fb, uint16_t cw, Result *r)
{
    Ten a = {fa.mant, fa.se}, out, second;
    __asm__ volatile("fninit\n\tfldcw %4\n\tfldt %3\n\tfxtract\n\tfnstsw %2\n\tfstpt %0\n\tfstpt %1\n\tfninit"
                     : "=m"(out), "=m"(second), "=m"(r->sw)
                     : "m"(a), "m"(cw)
                     : X87_REGISTERS);
    r->v = (Float80){out.mant, out.se};
    r->second = (Float80){second.mant, second.se};
}

#define HOST_STORE(name, text, type)                                                                                   \
    static void host_##name(Float80 fa, Float80 fb, uint16_t cw, Result *r)                                            \
    {                                                                                                                  \
        Ten a = {fa.mant, fa.se};                                                                                      \
        type out;                                                                                                      \
        __asm__ volatile("fninit\n\tfldcw %3\n\tfldt %2\n\t" text " %0\n\tfnstsw %1\n\tfninit"                         \
                         : "=m"(out), "=m"(r->sw)                                                                      \
                         : "m"(a), "m"(cw)                                                                             \
                         : X87_REGISTERS);                                                                             \
        r->bits = (uint64_t)out;                                                                                       \
    }
HOST_STORE(to_f32, "fstps", uint32_t)
HOST_STORE(to_f64, "fstpl", uint64_t)
HOST_STORE(to_i16, "fistps", uint16_t)
HOST_STORE(to_i32, "fistpl", uint32_t)
HOST_STORE(to_i64, "fistpll", uint64_t)

static void host_to_bcd(Float80 fa, Float80 fb, uint16_t cw, Result *r)
{
    Ten a = {fa.mant, fa.se}, out;
    __asm__ volatile("fninit\n\tfldcw %3\n\tfldt %2\n\tfbstp %0\n\tfnstsw %1\n\tfninit"
                     : "=m"(out), "=m"(r->sw)
                     : "m"(a), "m"(cw)
                     : X87_REGISTERS);
    r->bits = out.mant;
    r->second = (Float80){0, out.se};
}

/* Loads: the operand's significand supplies the bits. */
#define HOST_LOAD(name, text, type)                                                                                    \
    static void host_##name(Float80 fa, Float80 fb, uint16_t cw, Result *r)                                            \
    {                                                                                                                  \
        type in = (type)fa.mant;                                                                                       \
        Ten out;                                                                                                       \
        __asm__ volatile("fninit\n\tfldcw %3\n\t" text " %2\n\tfnstsw %1\n\tfstpt %0\n\tfninit"                        \
                         : "=m"(out), "=m"(r->sw)                                                                      \
                         : "m"(in), "m"(cw)                                                                            \
                         : X87_REGISTERS);                                                                             \
        r->v = (Float80){out.mant, out.se};                                                                            \
    }
HOST_LOAD(from_f32, "flds", uint32_t)
HOST_LOAD(from_f64, "fldl", uint64_t)
HOST_LOAD(from_i64, "fildll", uint64_t)

static void host_from_bcd(Float80 fa, Float80 fb, uint16_t cw, Result *r)
{
    Ten in = {fa.mant, fa.se}, out;
    __asm__ volatile("fninit\n\tfldcw %3\n\tfbld %2\n\tfnstsw %1\n\tfstpt %0\n\tfninit"
                     : "=m"(out), "=m"(r->sw)
                     : "m"(in), "m"(cw)
                     : X87_REGISTERS);
    r->v = (Float80){out.mant, out.se};
}

/* ---- ours ---- */

static void finish(const FloatEnv *e, Result *r)
{
    r->sw = e->flags | (e->rounded_up ? SW_C1 : 0);
}

#define OUR_VALUE(name, expression)                                                                                    \
    static void our_##name(Float80 a, Float80 b, FloatEnv *e, Result *r)                                               \
    {                                                                                                                  \
        r->v = expression;                                                                                             \
        finish(e, r);                                                                                                  \
    }
#define OUR_BITS(name, expression)                                                                                     \
    static void our_##name(Float80 a, Float80 b, FloatEnv *e, Result *r)                                               \
    {                                                                                                                  \
        r->bits = expression;                                                                                          \
        finish(e, r);                                                                                                  \
    }
OUR_VALUE(add, f80_add(a, b, e))
OUR_VALUE(sub, f80_sub(a, b, e))
OUR_VALUE(mul, f80_mul(a, b, e))
OUR_VALUE(div, f80_div(a, b, e))
OUR_VALUE(sqrt, f80_sqrt(a, e))
OUR_VALUE(round_int, f80_round_int(a, e))
OUR_VALUE(scale, f80_scale(a, b, e))
OUR_VALUE(extract, f80_extract(a, &r->second, e))
OUR_VALUE(from_f32, f80_from_f32((f32)a.mant, e))
OUR_VALUE(from_f64, f80_from_f64(a.mant, e))
OUR_VALUE(from_i64, f80_from_i64((int64_t)a.mant))
OUR_VALUE(from_bcd, f80_from_bcd(a.mant, a.se))
OUR_BITS(to_f32, f80_to_f32(a, e))
OUR_BITS(to_f64, f80_to_f64(a, e))
OUR_BITS(to_i16, (uint16_t)f80_to_i16(a, e->round, e))
OUR_BITS(to_i32, (uint32_t)f80_to_i32(a, e->round, e))
OUR_BITS(to_i64, (uint64_t)f80_to_i64(a, e->round, e))

static void our_to_bcd(Float80 a, Float80 b, FloatEnv *e, Result *r)
{
    f80_to_bcd(a, &r->bits, &r->second.se, e);
    finish(e, r);
}

static void our_remainder(Float80 a, Float80 b, bool nearest, FloatEnv *e, Result *r)
{
    unsigned quotient;
    bool partial;
    r->v = f80_remainder(a, b, nearest, &quotient, &partial, e);
    r->sw = (uint16_t)(e->flags | (quotient & 1 ? SW_C1 : 0) | (quotient & 2 ? SW_C3 : 0) |
                       (quotient & 4 ? SW_C0 : 0) | (partial ? SW_C2 : 0));
}
static void our_prem(Float80 a, Float80 b, FloatEnv *e, Result *r)
{
    our_remainder(a, b, false, e, r);
}
static void our_prem1(Float80 a, Float80 b, FloatEnv *e, Result *r)
{
    our_remainder(a, b, true, e, r);
}

static void our_compare(Float80 a, Float80 b, bool quiet, FloatEnv *e, Result *r)
{
    static const uint16_t codes[4] = {SW_C0, SW_C3, 0, SW_C0 | SW_C2 | SW_C3};
    int answer = f80_compare(a, b, quiet, e);
    r->v = a;
    r->sw = e->flags | codes[answer + 1];
}
static void our_com(Float80 a, Float80 b, FloatEnv *e, Result *r)
{
    our_compare(a, b, false, e, r);
}
static void our_ucom(Float80 a, Float80 b, FloatEnv *e, Result *r)
{
    our_compare(a, b, true, e, r);
}

/* ---- comparison ---- */

typedef struct Operation {
    const char *name;
    void (*host)(Float80 a, Float80 b, uint16_t cw, Result *r);
    void (*our)(Float80 a, Float80 b, FloatEnv *e, Result *r);
    bool binary;
} Operation;

static const Operation operations[] = {
    {"add", host_add, our_add, true}, {"sub", host_sub, our_sub, true}, {"mul", host_mul, our_mul, true},
    {"div", host_div, our_div, true}, {"prem", host_prem, our_prem, true}, {"prem1", host_prem1, our_prem1, true},
    {"scale", host_scale, our_scale, true}, {"com", host_com, our_com, true}, {"ucom", host_ucom, our_ucom, true},
    {"sqrt", host_sqrt, our_sqrt, false}, {"round_int", host_round_int, our_round_int, false},
    {"extract", host_extract, our_extract, false}, {"to_f32", host_to_f32, our_to_f32, false},
    {"to_f64", host_to_f64, our_to_f64, false}, {"to_i16", host_to_i16, our_to_i16, false},
    {"to_i32", host_to_i32, our_to_i32, false}, {"to_i64", host_to_i64, our_to_i64, false},
    {"to_bcd", host_to_bcd, our_to_bcd, false}, {"from_f32", host_from_f32, our_from_f32, false},
    {"from_f64", host_from_f64, our_from_f64, false}, {"from_i64", host_from_i64, our_from_i64, false},
    {"from_bcd", host_from_bcd, our_from_bcd, false},
};

static const uint8_t precisions[4] = {24, 64, 53, 64};

/* control: rounding in bits 2-3, precision in bits 0-1, as in the control word. */
static void check(const Operation *op, Float80 a, Float80 b, unsigned control)
{
    FloatEnv e = {.round = control >> 2 & 3, .precision = precisions[control & 3], .masks = 0x3f};
    Result host = {0}, our = {0};
    op->host(a, b, (uint16_t)(0x7f | control << 8), &host);
    op->our(a, b, &e, &our);
    host.sw &= SW_MASK;
    if (host.v.mant != our.v.mant || host.v.se != our.v.se || host.second.mant != our.second.mant ||
        host.second.se != our.second.se || host.bits != our.bits || host.sw != our.sw) {
        g_test_message("%s %04x:%016" G_GINT64_MODIFIER "x %04x:%016" G_GINT64_MODIFIER "x control %x: host %04x:%016"
                       G_GINT64_MODIFIER "x bits %" G_GINT64_MODIFIER "x sw %04x, ours %04x:%016" G_GINT64_MODIFIER
                       "x bits %" G_GINT64_MODIFIER "x sw %04x",
                       op->name, a.se, a.mant, b.se, b.mant, control, host.v.se, host.v.mant, host.bits, host.sw,
                       our.v.se, our.v.mant, our.bits, our.sw);
        g_test_fail();
    }
}

static void test_edges(gconstpointer data)
{
    const Operation *op = data;
    for (unsigned i = 0; i < NUM_EDGES && !g_test_failed(); i++) {
        for (unsigned j = 0; j < (op->binary ? NUM_EDGES : 1); j++) {
            for (unsigned control = 0; control < 16; control++) {
                check(op, edge(i), edge(j), control);
            }
        }
    }
}

static void test_random(gconstpointer data)
{
    const Operation *op = data;
    rng_state = 0x9e3779b97f4a7c15;
    for (unsigned n = 0; n < (op->binary ? 120000 : 40000) && !g_test_failed(); n++) {
        Float80 a = random_value(), b = random_value();
        check(op, a, b, (unsigned)rng() & 15);
    }
}

/* ---- unmasked over- and underflow: SDM vol 1 sections 4.9.1.4 and 4.9.1.5 ---- */

static void test_unmasked(void)
{
    Float80 big = {0xc000000000000000, 0x7ffe}, small = {0xc000000000000000, 1};
    FloatEnv e = {.precision = 64, .masks = 0x3f & ~(FX_OVERFLOW | FX_UNDERFLOW)};
    Float80 v = f80_mul(big, big, &e);
    g_assert_cmphex(v.mant, ==, 0x9000000000000000);
    g_assert_cmphex(v.se, ==, 2 * 0x7ffe - F80_BIAS + 1 - F80_WRAP);
    g_assert_cmphex(e.flags, ==, FX_OVERFLOW);

    e.flags = 0;
    v = f80_mul(small, small, &e);
    g_assert_cmphex(v.mant, ==, 0x9000000000000000);
    g_assert_cmphex(v.se, ==, 2 - F80_BIAS + 1 + F80_WRAP);
    g_assert_cmphex(e.flags, ==, FX_UNDERFLOW);

    /* An exact denormal result is an underflow only when unmasked. */
    Float80 half = {F80_INT_BIT, F80_BIAS - 1};
    e.flags = 0;
    f80_mul(small, half, &e);
    g_assert_cmphex(e.flags, ==, FX_UNDERFLOW);
    e = (FloatEnv){.precision = 64, .masks = 0x3f};
    v = f80_mul(small, half, &e);
    g_assert_cmphex(e.flags, ==, 0);
    g_assert_cmphex(v.mant, ==, 0x6000000000000000);
}

/* ---- transcendental functions ---- */

typedef struct Function {
    const char *name;
    F80Function fn;
    void (*host)(Float80 a, Float80 b, uint16_t cw, Result *r);
    bool binary;
    int low, high; /* exponents of the tested range */
} Function;

static const Function functions[] = {
    {"f2xm1", FN_2XM1, host_f2xm1, false, -200, -1},     {"fyl2x", FN_YL2X, host_fyl2x, true, -8000, 8000},
    {"fyl2xp1", FN_YL2XP1, host_fyl2xp1, true, -200, -2}, {"fpatan", FN_PATAN, host_fpatan, true, -8000, 8000},
    {"fsin", FN_SIN, host_fsin, false, -200, -1},         {"fcos", FN_COS, host_fcos, false, -200, -1},
};

/* Distance in units of the last place of two values of one sign. */
static uint64_t distance(Float80 a, Float80 b)
{
    if ((a.se ^ b.se) & 0x8000) {
        return (a.mant | b.mant) ? G_MAXUINT64 : 0;
    }
    if (a.se == b.se) {
        return a.mant > b.mant ? a.mant - b.mant : b.mant - a.mant;
    }
    Float80 high = a.se > b.se ? a : b, low = a.se > b.se ? b : a;
    return high.se - low.se == 1 ? (high.mant - F80_INT_BIT) * 2 + (0 - low.mant) : G_MAXUINT64;
}

static Float80 in_range(const Function *f)
{
    uint64_t r = rng();
    int exp = f->low + (int)(r % (unsigned)(f->high - f->low + 1));
    bool sign = (r >> 32 & 1) && f->fn != FN_YL2X;
    return f80_make(sign, exp + F80_BIAS, rng() | F80_INT_BIT);
}

/*
 * What Rhea runs on this host is the host's instruction: bit-exact.  The portable one is within a few units of
 * the last place (fewer where long double has more than 64 bits).
 */
static void test_function(gconstpointer data)
{
    const Function *f = data;
    rng_state = 0x1234567;
    uint64_t worst = 0;
    for (unsigned n = 0; n < 20000; n++) {
        Float80 a = in_range(f), b = in_range(f), second;
        unsigned control = (unsigned)rng() & 15;
        FloatEnv e = {.round = control >> 2 & 3, .precision = precisions[control & 3], .masks = 0x3f};
        Result host;
        bool partial;
        f->host(a, b, (uint16_t)(0x7f | control << 8), &host);
        Float80 v = f80_function(f->fn, a, b, &second, &partial, &e);
        g_assert_cmphex(v.mant, ==, host.v.mant);
        g_assert_cmphex(v.se, ==, host.v.se);
        g_assert_cmphex(e.flags, ==, host.sw & 0x3f);

        e = (FloatEnv){.round = ROUND_NEAREST, .precision = 64, .masks = 0x3f};
        f->host(a, b, 0x37f, &host);
        v = f80_function_portable(f->fn, a, b, &second, &partial, &e);
        worst = MAX(worst, distance(v, host.v));
    }
    g_test_message("portable %s: worst distance %" G_GUINT64_FORMAT, f->name, worst);
    g_assert_cmpuint(worst, <=, LDBL_MANT_DIG >= 64 ? 8 : 1 << 14);
}

/* Special operands give the same on both, flags included. */
static void test_function_edges(gconstpointer data)
{
    const Function *f = data;
    static const Float80 special[] = {
        {0, 0}, {F80_INT_BIT, 0x7fff}, {0xc000000000000001, 0x7fff}, {0x8000000000000001, 0x7fff},
        {0, 0x3fff}, {F80_INT_BIT, 0x3fff}, {F80_INT_BIT, 0x3ffe},
    };
    for (unsigned i = 0; i < 2 * ARRAY_LEN(special); i++) {
        for (unsigned j = 0; j < 2 * ARRAY_LEN(special); j++) {
            Float80 a = special[i >> 1], b = special[j >> 1], second;
            a.se |= (uint16_t)((i & 1) << 15);
            b.se |= (uint16_t)((j & 1) << 15);
            bool out_of_range = (f->fn == FN_2XM1 || f->fn == FN_YL2XP1) && f80_class(a) == F80_INFINITY;
            if (out_of_range || (f->fn == FN_YL2XP1 && a.se == 0xbfff)) {
                continue;
            }
            FloatEnv e = {.round = ROUND_NEAREST, .precision = 64, .masks = 0x3f};
            Result host;
            bool partial;
            f->host(a, b, 0x37f, &host);
            Float80 v = f80_function_portable(f->fn, a, b, &second, &partial, &e);
            if (distance(v, host.v) > 2 || e.flags != (host.sw & 0x3f)) {
                g_test_message("%s %04x:%016" G_GINT64_MODIFIER "x %04x:%016" G_GINT64_MODIFIER "x: host %04x:%016"
                               G_GINT64_MODIFIER "x flags %x, portable %04x:%016" G_GINT64_MODIFIER "x flags %x",
                               f->name, a.se, a.mant, b.se, b.mant, host.v.se, host.v.mant, host.sw & 0x3f, v.se,
                               v.mant, e.flags);
                g_test_fail();
            }
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < ARRAY_LEN(operations); i++) {
        g_autofree char *edge_path = g_strdup_printf("/softfloat_x87/edges/%s", operations[i].name);
        g_autofree char *random_path = g_strdup_printf("/softfloat_x87/random/%s", operations[i].name);
        g_test_add_data_func(edge_path, &operations[i], test_edges);
        g_test_add_data_func(random_path, &operations[i], test_random);
    }
    g_test_add_func("/softfloat_x87/unmasked", test_unmasked);
    for (unsigned i = 0; i < ARRAY_LEN(functions); i++) {
        g_autofree char *path = g_strdup_printf("/softfloat_x87/function/%s", functions[i].name);
        g_autofree char *edge_path = g_strdup_printf("/softfloat_x87/function-edges/%s", functions[i].name);
        g_test_add_data_func(path, &functions[i], test_function);
        g_test_add_data_func(edge_path, &functions[i], test_function_edges);
    }
    return g_test_run();
}

#else

int main(void)
{
    return 77; /* skipped: the reference is an x87 */
}

#endif
