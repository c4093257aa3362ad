/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MUL IMUL DIV IDIV.  Undefined flags as on Zen: multiplications leave SF ZF AF PF, divisions leave CF OF and
 * give SF = ZF = PF = 0, AF = 1.
 * Spec: Intel SDM vol 2, MUL, IMUL, DIV, IDIV.
 */
#include "target/x86/exec_int.h"

typedef unsigned __int128 uint128;
typedef __int128 int128;

static inline void set_mul_flags(X86Cpu *cpu, bool overflow)
{
    flags_lazy(cpu, CC_MUL, 0, flags_compute(cpu), overflow);
}

static inline void set_div_flags(X86Cpu *cpu)
{
    flags_set(cpu, (flags_compute(cpu) & (FL_CF | FL_OF)) | FL_AF);
}

/* ---- rDX:rAX = rAX * E (AX = AL * E) ---- */

static inline void mul_8(X86Cpu *cpu, uint8_t b)
{
    uint16_t r = (uint16_t)((uint8_t)cpu->r[RAX] * b);
    set_mul_flags(cpu, r >> 8);
    reg16_set(cpu, RAX, r);
}
static inline void imul_8(X86Cpu *cpu, uint8_t b)
{
    int16_t r = (int16_t)((int8_t)cpu->r[RAX] * (int8_t)b);
    set_mul_flags(cpu, r != (int8_t)r);
    reg16_set(cpu, RAX, (uint16_t)r);
}

#define DEFINE_MUL(bits, wide, swide)                                                                                \
    static inline void mul_##bits(X86Cpu *cpu, uint##bits##_t b)                                                     \
    {                                                                                                                \
        wide r = (wide)(uint##bits##_t)cpu->r[RAX] * b;                                                              \
        set_mul_flags(cpu, r >> bits != 0);                                                                          \
        reg##bits##_set(cpu, RAX, (uint##bits##_t)r);                                                                \
        reg##bits##_set(cpu, RDX, (uint##bits##_t)(r >> bits));                                                      \
    }                                                                                                                \
    static inline void imul_##bits(X86Cpu *cpu, uint##bits##_t b)                                                    \
    {                                                                                                                \
        swide r = (swide)(int##bits##_t)cpu->r[RAX] * (int##bits##_t)b;                                              \
        set_mul_flags(cpu, r != (int##bits##_t)r);                                                                   \
        reg##bits##_set(cpu, RAX, (uint##bits##_t)r);                                                                \
        reg##bits##_set(cpu, RDX, (uint##bits##_t)(r >> bits));                                                      \
    }                                                                                                                \
    static inline uint##bits##_t imul2_##bits(X86Cpu *cpu, uint##bits##_t a, uint##bits##_t b)                       \
    {                                                                                                                \
        swide r = (swide)(int##bits##_t)a * (int##bits##_t)b;                                                        \
        set_mul_flags(cpu, r != (int##bits##_t)r);                                                                   \
        return (uint##bits##_t)r;                                                                                    \
    }
DEFINE_MUL(16, uint32_t, int32_t)
DEFINE_MUL(32, uint64_t, int64_t)
DEFINE_MUL(64, uint128, int128)

/* ---- rAX, rDX = rDX:rAX divided by E ---- */

static inline void div_8(X86Cpu *cpu, uint8_t b)
{
    uint16_t a = (uint16_t)cpu->r[RAX];
    if (b == 0 || a / b > 0xff) {
        cpu_raise(cpu, EXC_DE);
    }
    set_div_flags(cpu);
    reg16_set(cpu, RAX, (uint16_t)(a / b | (a % b) << 8));
}

static inline void idiv_8(X86Cpu *cpu, uint8_t b)
{
    int a = (int16_t)cpu->r[RAX], d = (int8_t)b;
    if (d == 0 || a / d != (int8_t)(a / d)) {
        cpu_raise(cpu, EXC_DE);
    }
    set_div_flags(cpu);
    reg16_set(cpu, RAX, (uint16_t)((uint8_t)(a / d) | (uint8_t)(a % d) << 8));
}

/* Signed division by magnitudes: the most negative dividend over -1 must not trap in the host. */
#define DEFINE_DIV(bits, wide, swide)                                                                                \
    static inline wide dividend##bits(const X86Cpu *cpu)                                                             \
    {                                                                                                                \
        return (wide)(uint##bits##_t)cpu->r[RDX] << bits | (uint##bits##_t)cpu->r[RAX];                              \
    }                                                                                                                \
    static inline void div_##bits(X86Cpu *cpu, uint##bits##_t b)                                                     \
    {                                                                                                                \
        wide a = dividend##bits(cpu);                                                                                \
        if ((uint##bits##_t)cpu->r[RDX] >= b) {                                                                      \
            cpu_raise(cpu, EXC_DE);                                                                                  \
        }                                                                                                            \
        set_div_flags(cpu);                                                                                          \
        reg##bits##_set(cpu, RAX, (uint##bits##_t)(a / b));                                                          \
        reg##bits##_set(cpu, RDX, (uint##bits##_t)(a % b));                                                          \
    }                                                                                                                \
    static inline void idiv_##bits(X86Cpu *cpu, uint##bits##_t b)                                                    \
    {                                                                                                                \
        wide a = dividend##bits(cpu);                                                                                \
        bool neg_a = (swide)a < 0, neg_b = (int##bits##_t)b < 0;                                                     \
        wide ua = neg_a ? -a : a, ub = neg_b ? (uint##bits##_t)-b : b;                                               \
        wide limit = MASK_BITS(bits - 1) + (wide)(neg_a != neg_b);                                                   \
        if (ub == 0 || ua / ub > limit) {                                                                            \
            cpu_raise(cpu, EXC_DE);                                                                                  \
        }                                                                                                            \
        wide q = ua / ub, r = ua % ub;                                                                               \
        set_div_flags(cpu);                                                                                          \
        reg##bits##_set(cpu, RAX, (uint##bits##_t)(neg_a != neg_b ? -q : q));                                        \
        reg##bits##_set(cpu, RDX, (uint##bits##_t)(neg_a ? -r : r));                                                 \
    }
DEFINE_DIV(16, uint32_t, int32_t)
DEFINE_DIV(32, uint64_t, int64_t)
DEFINE_DIV(64, uint128, int128)

/* ---- handlers ---- */

#define DEFINE_ONE_OPERAND(name, bits)                                                                               \
    static void name##_r##bits(X86Cpu *cpu, const Insn *i)                                                           \
    {                                                                                                                \
        name##_##bits(cpu, e_get##bits(cpu, i));                                                                     \
    }                                                                                                                \
    static void name##_m##bits(X86Cpu *cpu, const Insn *i)                                                           \
    {                                                                                                                \
        name##_##bits(cpu, m_get##bits(cpu, i));                                                                     \
    }
#define ONE_OPERAND(bits, log2)                                                                                      \
    DEFINE_ONE_OPERAND(mul, bits)                                                                                    \
    DEFINE_ONE_OPERAND(imul, bits)                                                                                   \
    DEFINE_ONE_OPERAND(div, bits)                                                                                    \
    DEFINE_ONE_OPERAND(idiv, bits)
FOR_SIZES(ONE_OPERAND)
EXEC_R_M(mul, mul_r, mul_m);
EXEC_R_M(imul, imul_r, imul_m);
EXEC_R_M(div, div_r, div_m);
EXEC_R_M(idiv, idiv_r, idiv_m);

#define TWO_OPERANDS(bits, log2)                                                                                     \
    static void imul_g_r##bits(X86Cpu *cpu, const Insn *i)                                                           \
    {                                                                                                                \
        g_set##bits(cpu, i, imul2_##bits(cpu, g_get##bits(cpu, i), e_get##bits(cpu, i)));                            \
    }                                                                                                                \
    DEFINE_LOAD(imul_g_m##bits, bits, g_set##bits(cpu, i, imul2_##bits(cpu, g_get##bits(cpu, i), v)))                \
    static void imul_r_i##bits(X86Cpu *cpu, const Insn *i)                                                           \
    {                                                                                                                \
        g_set##bits(cpu, i, imul2_##bits(cpu, e_get##bits(cpu, i), (uint##bits##_t)i->imm));                         \
    }                                                                                                                \
    DEFINE_LOAD(imul_m_i##bits, bits, g_set##bits(cpu, i, imul2_##bits(cpu, v, (uint##bits##_t)i->imm)))
FOR_WIDE_SIZES(TWO_OPERANDS)
EXEC_WIDE_R_M(imul_g_e, imul_g_r, imul_g_m);
EXEC_WIDE_R_M(imul_g_e_i, imul_r_i, imul_m_i);
