/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IEEE 754 arithmetic in integers, with x86's rules for NaNs, denormals, tininess and flags.
 * f32 and f64 serve SSE (DAZ and FTZ honoured), f80 serves x87 (precision control honoured).
 * Spec: Intel SDM vol 1, chapters 4, 8, 11 and appendix D/E.
 */
#pragma once

#include "target/x86/cpu.h"

typedef uint32_t f32;
typedef uint64_t f64;

enum { ROUND_NEAREST, ROUND_DOWN, ROUND_UP, ROUND_ZERO }; /* as in MXCSR.RC and FCW.RC */
/* Exception flags, as in MXCSR and FSW. */
enum { FX_INVALID = 1, FX_DENORMAL = 2, FX_DIVZERO = 4, FX_OVERFLOW = 8, FX_UNDERFLOW = 16, FX_INEXACT = 32 };

typedef struct FloatEnv {
    uint8_t round;     /* ROUND_* */
    uint8_t precision; /* f80 results: 24, 53 or 64 bits of significand */
    bool daz, ftz;
    uint8_t masks;     /* FX_* that are masked (unmasked under/overflow deliver wrapped results for x87, no FTZ) */
    uint8_t flags;     /* FX_* raised, accumulated */
    bool rounded_up;   /* the last result was rounded away from zero (x87 C1) */
} FloatEnv;

/* ---- f32, f64: softfloat_sse.c ---- */
#define DECLARE_FLOAT(T)                                                                                               \
    T T##_add(T a, T b, FloatEnv *e);                                                                                  \
    T T##_sub(T a, T b, FloatEnv *e);                                                                                  \
    T T##_mul(T a, T b, FloatEnv *e);                                                                                  \
    T T##_div(T a, T b, FloatEnv *e);                                                                                  \
    T T##_sqrt(T a, FloatEnv *e);                                                                                      \
    T T##_min(T a, T b, FloatEnv *e);                                                                                  \
    T T##_max(T a, T b, FloatEnv *e);                                                                                  \
    T T##_fma(T a, T b, T c, FloatEnv *e);                                                                             \
    T T##_round_int(T a, unsigned mode, bool inexact, FloatEnv *e);                                                    \
    /* -1 less, 0 equal, 1 greater, 2 unordered; quiet: only SNaN is invalid */                                        \
    int T##_compare(T a, T b, bool quiet, FloatEnv *e);                                                                \
    int32_t T##_to_i32(T a, unsigned mode, FloatEnv *e); /* indefinite 0x80000000 when out of range */                 \
    int64_t T##_to_i64(T a, unsigned mode, FloatEnv *e);                                                               \
    T T##_from_i32(int32_t v, FloatEnv *e);                                                                            \
    T T##_from_i64(int64_t v, FloatEnv *e);
DECLARE_FLOAT(f32)
DECLARE_FLOAT(f64)
f64 f32_to_f64(f32 a, FloatEnv *e);
f32 f64_to_f32(f64 a, FloatEnv *e);
/* Half precision (F16C): DAZ does not apply to its denormals and FTZ does not to results. */
f32 f16_to_f32(uint16_t a, FloatEnv *e);
uint16_t f32_to_f16(f32 a, FloatEnv *e);

/* ---- f80: softfloat_x87.c ---- */
Float80 f80_add(Float80 a, Float80 b, FloatEnv *e);
Float80 f80_sub(Float80 a, Float80 b, FloatEnv *e);
Float80 f80_mul(Float80 a, Float80 b, FloatEnv *e);
Float80 f80_div(Float80 a, Float80 b, FloatEnv *e);
Float80 f80_sqrt(Float80 a, FloatEnv *e);
Float80 f80_round_int(Float80 a, FloatEnv *e);
int f80_compare(Float80 a, Float80 b, bool quiet, FloatEnv *e);
Float80 f80_from_f32(f32 a, FloatEnv *e);
Float80 f80_from_f64(f64 a, FloatEnv *e);
f32 f80_to_f32(Float80 a, FloatEnv *e);
f64 f80_to_f64(Float80 a, FloatEnv *e);
Float80 f80_from_i64(int64_t v);
int16_t f80_to_i16(Float80 a, unsigned mode, FloatEnv *e);
int32_t f80_to_i32(Float80 a, unsigned mode, FloatEnv *e);
int64_t f80_to_i64(Float80 a, unsigned mode, FloatEnv *e);
