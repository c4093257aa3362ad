/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ADD OR ADC SBB AND SUB XOR CMP TEST, INC DEC NEG NOT, by size and form.
 * Spec: Intel SDM vol 2, the instructions' pages; LOCK: vol 3 section 8.1.2.
 */
#include "target/x86/exec_int.h"

/*
 * Two operands.  CALC is the result and CC the lazy operation, as expressions of a, b and the carry c (CARRY_IN).
 * The flags are set after the last access that can fault.
 */
#define DEFINE_BINARY(name, bits, log2, CARRY_IN, CALC, CC)                                                          \
    static inline uint##bits##_t name##bits(X86Cpu *cpu, uint##bits##_t a, uint##bits##_t b)                         \
    {                                                                                                                \
        unsigned c = (CARRY_IN);                                                                                     \
        (void)c;                                                                                                     \
        uint##bits##_t r = (uint##bits##_t)(CALC);                                                                   \
        flags_lazy(cpu, (CC), log2, r, b);                                                                           \
        return r;                                                                                                    \
    }                                                                                                                \
    static void name##_r_g##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        e_set##bits(cpu, i, name##bits(cpu, e_get##bits(cpu, i), g_get##bits(cpu, i)));                              \
    }                                                                                                                \
    static void name##_g_r##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        g_set##bits(cpu, i, name##bits(cpu, g_get##bits(cpu, i), e_get##bits(cpu, i)));                              \
    }                                                                                                                \
    DEFINE_LOAD(name##_g_m##bits, bits, g_set##bits(cpu, i, name##bits(cpu, g_get##bits(cpu, i), v)))                \
    static void name##_r_i##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        e_set##bits(cpu, i, name##bits(cpu, e_get##bits(cpu, i), (uint##bits##_t)i->imm));                           \
    }

/* Their destinations in memory; under LOCK the carry is read once, before the loop. */
#define DEFINE_BINARY_RMW(name, bits, log2, CARRY_IN, CALC, CC)                                                      \
    static void name##_locked##bits(X86Cpu *cpu, const MemRef *ref, uint##bits##_t b)                                \
    {                                                                                                                \
        uint##bits##_t a;                                                                                            \
        unsigned c = (CARRY_IN);                                                                                     \
        (void)c;                                                                                                     \
        LOCKED_UPDATE(bits, cpu, ref, a, CALC);                                                                      \
        flags_lazy(cpu, (CC), log2, (uint##bits##_t)(CALC), b);                                                      \
    }                                                                                                                \
    __attribute__((cold, noinline)) static void name##_ref##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t b)       \
    {                                                                                                                \
        MemRef ref;                                                                                                  \
        m_ref##bits(cpu, i, &ref);                                                                                   \
        if (i->flags & INSN_LOCK) {                                                                                  \
            name##_locked##bits(cpu, &ref, b);                                                                       \
        } else {                                                                                                     \
            ref_store##bits(cpu, &ref, name##bits(cpu, ref_load##bits(cpu, &ref), b));                               \
        }                                                                                                            \
    }                                                                                                                \
    static inline void name##_rmw##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t b)                                \
    {                                                                                                                \
        void *host = m_host(cpu, i, bits / 8, ACCESS_WRITE);                                                         \
        if (unlikely(!host || (i->flags & INSN_LOCK))) {                                                             \
            name##_ref##bits(cpu, i, b);                                                                             \
            return;                                                                                                  \
        }                                                                                                            \
        host_set##bits(host, name##bits(cpu, host_get##bits(host), b));                                              \
    }                                                                                                                \
    static void name##_m_g##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        name##_rmw##bits(cpu, i, g_get##bits(cpu, i));                                                               \
    }                                                                                                                \
    static void name##_m_i##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        name##_rmw##bits(cpu, i, (uint##bits##_t)i->imm);                                                            \
    }

#define BINARY(name, CARRY_IN, CALC, CC)                                                                             \
    DEFINE_BINARY(name, 8, 0, CARRY_IN, CALC, CC)                                                                    \
    DEFINE_BINARY(name, 16, 1, CARRY_IN, CALC, CC)                                                                   \
    DEFINE_BINARY(name, 32, 2, CARRY_IN, CALC, CC)                                                                   \
    DEFINE_BINARY(name, 64, 3, CARRY_IN, CALC, CC)                                                                   \
    DEFINE_BINARY_RMW(name, 8, 0, CARRY_IN, CALC, CC)                                                                \
    DEFINE_BINARY_RMW(name, 16, 1, CARRY_IN, CALC, CC)                                                               \
    DEFINE_BINARY_RMW(name, 32, 2, CARRY_IN, CALC, CC)                                                               \
    DEFINE_BINARY_RMW(name, 64, 3, CARRY_IN, CALC, CC)                                                               \
    EXEC_R_M(name##_e_g, name##_r_g, name##_m_g);                                                                    \
    EXEC_R_M(name##_g_e, name##_g_r, name##_g_m);                                                                    \
    EXEC_R_M(name##_e_i, name##_r_i, name##_m_i)

BINARY(add, 0, a + b, CC_ADD);
BINARY(or, 0, a | b, CC_LOGIC);
BINARY(adc, flags_cf(cpu), a + b + c, c ? CC_ADC : CC_ADD);
BINARY(sbb, flags_cf(cpu), a - b - c, c ? CC_SBB : CC_SUB);
BINARY(and, 0, a & b, CC_LOGIC);
BINARY(sub, 0, a - b, CC_SUB);
BINARY(xor, 0, a ^ b, CC_LOGIC);

/* CMP and TEST: flags only. */
#define DEFINE_COMPARE(name, bits, log2, CALC, CC)                                                                   \
    static inline void name##bits(X86Cpu *cpu, uint##bits##_t a, uint##bits##_t b)                                   \
    {                                                                                                                \
        flags_lazy(cpu, CC, log2, (uint##bits##_t)(CALC), b);                                                        \
    }                                                                                                                \
    static void name##_r_g##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        name##bits(cpu, e_get##bits(cpu, i), g_get##bits(cpu, i));                                                   \
    }                                                                                                                \
    DEFINE_LOAD(name##_m_g##bits, bits, name##bits(cpu, v, g_get##bits(cpu, i)))                                     \
    static void name##_r_i##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        name##bits(cpu, e_get##bits(cpu, i), (uint##bits##_t)i->imm);                                                \
    }                                                                                                                \
    DEFINE_LOAD(name##_m_i##bits, bits, name##bits(cpu, v, (uint##bits##_t)i->imm))
#define CMP_SIZE(bits, log2) DEFINE_COMPARE(cmp, bits, log2, a - b, CC_SUB)
FOR_SIZES(CMP_SIZE)
EXEC_R_M(cmp_e_g, cmp_r_g, cmp_m_g);
EXEC_R_M(cmp_e_i, cmp_r_i, cmp_m_i);

#define CMP_G_SIZE(bits, log2)                                                                                       \
    static void cmp_g_r##bits(X86Cpu *cpu, const Insn *i)                                                            \
    {                                                                                                                \
        cmp##bits(cpu, g_get##bits(cpu, i), e_get##bits(cpu, i));                                                    \
    }                                                                                                                \
    DEFINE_LOAD(cmp_g_m##bits, bits, cmp##bits(cpu, g_get##bits(cpu, i), v))
FOR_SIZES(CMP_G_SIZE)
EXEC_R_M(cmp_g_e, cmp_g_r, cmp_g_m);

#define TEST_SIZE(bits, log2) DEFINE_COMPARE(test, bits, log2, a &b, CC_LOGIC)
FOR_SIZES(TEST_SIZE)
EXEC_R_M(test_e_g, test_r_g, test_m_g);
EXEC_R_M(test_e_i, test_r_i, test_m_i);

/* One operand.  SET_FLAGS is a statement over a (before) and r (after). */
#define DEFINE_UNARY(name, bits, CALC, SET_FLAGS)                                                                    \
    static void name##_r##bits(X86Cpu *cpu, const Insn *i)                                                           \
    {                                                                                                                \
        uint##bits##_t a = e_get##bits(cpu, i), r = (uint##bits##_t)(CALC);                                          \
        SET_FLAGS;                                                                                                   \
        e_set##bits(cpu, i, r);                                                                                      \
    }                                                                                                                \
    __attribute__((cold, noinline)) static void name##_ref##bits(X86Cpu *cpu, const Insn *i)                         \
    {                                                                                                                \
        MemRef ref;                                                                                                  \
        m_ref##bits(cpu, i, &ref);                                                                                   \
        uint##bits##_t a, r;                                                                                         \
        if (i->flags & INSN_LOCK) {                                                                                  \
            LOCKED_UPDATE(bits, cpu, &ref, a, CALC);                                                                 \
            r = (uint##bits##_t)(CALC);                                                                              \
        } else {                                                                                                     \
            a = ref_load##bits(cpu, &ref);                                                                           \
            r = (uint##bits##_t)(CALC);                                                                              \
            ref_store##bits(cpu, &ref, r);                                                                           \
        }                                                                                                            \
        SET_FLAGS;                                                                                                   \
        (void)r;                                                                                                     \
    }                                                                                                                \
    static void name##_m##bits(X86Cpu *cpu, const Insn *i)                                                           \
    {                                                                                                                \
        void *host = m_host(cpu, i, bits / 8, ACCESS_WRITE);                                                         \
        if (unlikely(!host || (i->flags & INSN_LOCK))) {                                                             \
            name##_ref##bits(cpu, i);                                                                                \
            return;                                                                                                  \
        }                                                                                                            \
        uint##bits##_t a = host_get##bits(host), r = (uint##bits##_t)(CALC);                                         \
        host_set##bits(host, r);                                                                                     \
        SET_FLAGS;                                                                                                   \
    }
#define INC_SIZE(bits, log2) DEFINE_UNARY(inc, bits, a + 1, flags_lazy(cpu, CC_INC, log2, r, flags_cf(cpu)))
#define DEC_SIZE(bits, log2) DEFINE_UNARY(dec, bits, a - 1, flags_lazy(cpu, CC_DEC, log2, r, flags_cf(cpu)))
#define NEG_SIZE(bits, log2) DEFINE_UNARY(neg, bits, -a, flags_lazy(cpu, CC_SUB, log2, r, a))
#define NOT_SIZE(bits, log2) DEFINE_UNARY(not, bits, ~a, (void)0)
FOR_SIZES(INC_SIZE)
FOR_SIZES(DEC_SIZE)
FOR_SIZES(NEG_SIZE)
FOR_SIZES(NOT_SIZE)
EXEC_R_M(inc, inc_r, inc_m);
EXEC_R_M(dec, dec_r, dec_m);
EXEC_R_M(neg, neg_r, neg_m);
EXEC_R_M(not, not_r, not_m);
