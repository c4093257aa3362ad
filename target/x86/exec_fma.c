/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FMA: a product and a sum with one rounding.
 * Spec: Intel SDM vol 1, 14.5 and table 14-17 (signs of zero); vol 2, VFMADD132PD ... VFNMSUB231SS.
 */
#include "target/x86/vector.h"

/* Signs that change on the way in; a NaN keeps its own. */
static inline f32 flip32(f32 a, bool flip)
{
    return flip && (a & 0x7fffffff) <= 0x7f800000 ? a ^ 0x80000000 : a;
}
static inline f64 flip64(f64 a, bool flip)
{
    return flip && (a & ~BIT64(63)) <= 0x7ff0000000000000 ? a ^ BIT64(63) : a;
}

/* Which operands are multiplied and which is added: 1 the destination, 2 VEX.vvvv, 3 the E operand. */
enum { FMA_132, FMA_213, FMA_231 };

typedef struct FmaSigns {
    bool product, even, odd; /* negate the product, the addend of even and of odd elements */
} FmaSigns;

#define DEFINE_FMA(T, bits, field)                                                                                     \
    VECTOR_INLINE T fma_one##bits(unsigned order, FmaSigns n, T d, T v, T s, bool odd, FloatEnv *e)                    \
    {                                                                                                                  \
        T a = order == FMA_132 ? d : v, b = order == FMA_213 ? d : s;                                                  \
        T c = order == FMA_132 ? v : order == FMA_213 ? s : d;                                                         \
        return T##_fma(flip##bits(a, n.product), b, flip##bits(c, odd ? n.odd : n.even), e);                           \
    }                                                                                                                  \
    VECTOR_INLINE void fma_packed##bits(X86Cpu *cpu, const Insn *i, unsigned order, FmaSigns n)                        \
    {                                                                                                                  \
        avx_enter(cpu);                                                                                                \
        enum { PER_LANE = 128 / (bits) };                                                                              \
        unsigned lanes = i->vl + 1u;                                                                                   \
        Xmm s[2], r[2];                                                                                                \
        vex_rm(cpu, i, s, 16 * lanes);                                                                                 \
        FloatEnv e = sse_env(cpu);                                                                                     \
        for (unsigned k = 0; k < PER_LANE * lanes; k++) {                                                              \
            r[k / PER_LANE].field[k % PER_LANE] =                                                                      \
                fma_one##bits(order, n, cpu->v[i->reg].field[k], cpu->v[i->vvvv].field[k],                             \
                              s[k / PER_LANE].field[k % PER_LANE], k & 1, &e);                                         \
        }                                                                                                              \
        sse_finish(cpu, &e);                                                                                           \
        ymm_set(cpu, i->reg, r, lanes);                                                                                \
    }                                                                                                                  \
    VECTOR_INLINE void fma_scalar##bits(X86Cpu *cpu, const Insn *i, unsigned order, FmaSigns n)                        \
    {                                                                                                                  \
        avx_enter(cpu);                                                                                                \
        Xmm s[2], r = *xmm(cpu, i->reg);                                                                               \
        vex_rm(cpu, i, s, (bits) / 8);                                                                                 \
        FloatEnv e = sse_env(cpu);                                                                                     \
        r.field[0] = fma_one##bits(order, n, r.field[0], cpu->v[i->vvvv].field[0], s[0].field[0], false, &e);          \
        sse_finish(cpu, &e);                                                                                           \
        ymm_set(cpu, i->reg, &r, 1);                                                                                   \
    }
DEFINE_FMA(f32, 32, d)
DEFINE_FMA(f64, 64, q)

#define FMA_ORDERS(M, name, ...)                                                                                       \
    M(name, 132, __VA_ARGS__);                                                                                         \
    M(name, 213, __VA_ARGS__);                                                                                         \
    M(name, 231, __VA_ARGS__)
#define FMA_PACKED(name, order, ...)                                                                                   \
    VEX_FORM(name##order##ps, fma_packed32(cpu, i, FMA_##order, (FmaSigns){__VA_ARGS__}));                             \
    VEX_FORM(name##order##pd, fma_packed64(cpu, i, FMA_##order, (FmaSigns){__VA_ARGS__}))
#define FMA_SCALAR(name, order, ...)                                                                                   \
    VEX_FORM(name##order##ss, fma_scalar32(cpu, i, FMA_##order, (FmaSigns){__VA_ARGS__}));                             \
    VEX_FORM(name##order##sd, fma_scalar64(cpu, i, FMA_##order, (FmaSigns){__VA_ARGS__}))

FMA_ORDERS(FMA_PACKED, fmadd, false, false, false);
FMA_ORDERS(FMA_PACKED, fmsub, false, true, true);
FMA_ORDERS(FMA_PACKED, fnmadd, true, false, false);
FMA_ORDERS(FMA_PACKED, fnmsub, true, true, true);
FMA_ORDERS(FMA_PACKED, fmaddsub, false, true, false);
FMA_ORDERS(FMA_PACKED, fmsubadd, false, false, true);
FMA_ORDERS(FMA_SCALAR, fmadd, false, false, false);
FMA_ORDERS(FMA_SCALAR, fmsub, false, true, true);
FMA_ORDERS(FMA_SCALAR, fnmadd, true, false, false);
FMA_ORDERS(FMA_SCALAR, fnmsub, true, true, true);
