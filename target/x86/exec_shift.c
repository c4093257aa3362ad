/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shifts and rotates.  A masked count of zero changes no flag, but a memory operand is still accessed for writing and
 * a 32-bit register still loses its upper half (seen on silicon).
 * Spec: Intel SDM vol 2, SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD.
 */
#include "target/x86/exec_int.h"

#define COUNT_MASK(bits) ((bits) == 64 ? 63 : 31)

/* Rotates touch CF and OF only. */
static inline void set_cf_of(X86Cpu *cpu, bool cf, bool of)
{
    flags_set(cpu, (flags_compute(cpu) & ~(uint32_t)(FL_CF | FL_OF)) | (cf ? FL_CF : 0) | (of ? FL_OF : 0));
}

/* The operations: value and unmasked count in, result out, flags set.  w: the value in 64 bits. */
#define DEFINE_SHIFTS(bits, log2)                                                                                    \
    static inline uint##bits##_t shl##bits(X86Cpu *cpu, uint##bits##_t a, unsigned count)                            \
    {                                                                                                                \
        unsigned n = count & COUNT_MASK(bits);                                                                       \
        if (n == 0) {                                                                                                \
            return a;                                                                                                \
        }                                                                                                            \
        uint##bits##_t last = (uint##bits##_t)((uint64_t)a << (n - 1)), r = (uint##bits##_t)(last << 1);             \
        flags_lazy(cpu, CC_SHL, log2, r, last);                                                                      \
        return r;                                                                                                    \
    }                                                                                                                \
    static inline uint##bits##_t shr##bits(X86Cpu *cpu, uint##bits##_t a, unsigned count)                            \
    {                                                                                                                \
        unsigned n = count & COUNT_MASK(bits);                                                                       \
        if (n == 0) {                                                                                                \
            return a;                                                                                                \
        }                                                                                                            \
        uint##bits##_t last = (uint##bits##_t)((uint64_t)a >> (n - 1)), r = last >> 1;                               \
        flags_lazy(cpu, CC_SHR, log2, r, last);                                                                      \
        return r;                                                                                                    \
    }                                                                                                                \
    static inline uint##bits##_t sar##bits(X86Cpu *cpu, uint##bits##_t a, unsigned count)                            \
    {                                                                                                                \
        unsigned n = count & COUNT_MASK(bits);                                                                       \
        if (n == 0) {                                                                                                \
            return a;                                                                                                \
        }                                                                                                            \
        int64_t last = (int64_t)(int##bits##_t)a >> (n - 1);                                                         \
        uint##bits##_t r = (uint##bits##_t)(last >> 1);                                                              \
        flags_lazy(cpu, CC_SAR, log2, r, (uint##bits##_t)last);                                                      \
        return r;                                                                                                    \
    }                                                                                                                \
    static inline uint##bits##_t rol##bits(X86Cpu *cpu, uint##bits##_t a, unsigned count)                            \
    {                                                                                                                \
        unsigned masked = count & COUNT_MASK(bits), n = masked & (bits - 1);                                         \
        uint##bits##_t r = n ? (uint##bits##_t)(a << n | a >> (bits - n)) : a;                                       \
        if (masked) {                                                                                                \
            set_cf_of(cpu, r & 1, (r ^ r >> (bits - 1)) & 1);                                                        \
        }                                                                                                            \
        return r;                                                                                                    \
    }                                                                                                                \
    static inline uint##bits##_t ror##bits(X86Cpu *cpu, uint##bits##_t a, unsigned count)                            \
    {                                                                                                                \
        unsigned masked = count & COUNT_MASK(bits), n = masked & (bits - 1);                                         \
        uint##bits##_t r = n ? (uint##bits##_t)(a >> n | a << (bits - n)) : a;                                       \
        if (masked) {                                                                                                \
            set_cf_of(cpu, r >> (bits - 1) & 1, (r >> (bits - 1) ^ r >> (bits - 2)) & 1);                            \
        }                                                                                                            \
        return r;                                                                                                    \
    }                                                                                                                \
    static inline uint##bits##_t rcl##bits(X86Cpu *cpu, uint##bits##_t a, unsigned count)                            \
    {                                                                                                                \
        unsigned masked = count & COUNT_MASK(bits), n = bits < 32 ? masked % (bits + 1) : masked;                    \
        uint64_t w = a, r = w, c = flags_cf(cpu);                                                                    \
        if (n) {                                                                                                     \
            r = w << n | c << (n - 1) | (n > 1 ? w >> (bits + 1 - n) : 0);                                           \
            c = w >> (bits - n) & 1;                                                                                 \
        }                                                                                                            \
        if (masked) {                                                                                                \
            set_cf_of(cpu, c, (c ^ r >> (bits - 1)) & 1);                                                            \
        }                                                                                                            \
        return (uint##bits##_t)r;                                                                                    \
    }                                                                                                                \
    static inline uint##bits##_t rcr##bits(X86Cpu *cpu, uint##bits##_t a, unsigned count)                            \
    {                                                                                                                \
        unsigned masked = count & COUNT_MASK(bits), n = bits < 32 ? masked % (bits + 1) : masked;                    \
        uint64_t w = a, r = w, c = flags_cf(cpu);                                                                    \
        if (n) {                                                                                                     \
            r = w >> n | c << (bits - n) | (n > 1 ? w << (bits + 1 - n) : 0);                                        \
            c = w >> (n - 1) & 1;                                                                                    \
        }                                                                                                            \
        if (masked) {                                                                                                \
            set_cf_of(cpu, c, (r >> (bits - 1) ^ r >> (bits - 2)) & 1);                                              \
        }                                                                                                            \
        return (uint##bits##_t)r;                                                                                    \
    }
FOR_SIZES(DEFINE_SHIFTS)

/* Forms: by 1, by CL, by an immediate. */
#define DEFINE_SHIFT_FORM(name, bits, suffix, COUNT)                                                                 \
    static void name##_r_##suffix##bits(X86Cpu *cpu, const Insn *i)                                                  \
    {                                                                                                                \
        e_set##bits(cpu, i, name##bits(cpu, e_get##bits(cpu, i), (COUNT)));                                          \
    }                                                                                                                \
    static void name##_m_##suffix##bits(X86Cpu *cpu, const Insn *i)                                                  \
    {                                                                                                                \
        MemRef ref;                                                                                                  \
        m_ref##bits(cpu, i, &ref);                                                                                   \
        ref_store##bits(cpu, &ref, name##bits(cpu, ref_load##bits(cpu, &ref), (COUNT)));                             \
    }
#define DEFINE_SHIFT_SIZE(name, bits)                                                                                \
    DEFINE_SHIFT_FORM(name, bits, 1_, 1)                                                                             \
    DEFINE_SHIFT_FORM(name, bits, cl, (unsigned)cpu->r[RCX])                                                         \
    DEFINE_SHIFT_FORM(name, bits, i, (unsigned)i->imm)
#define SHIFT(name)                                                                                                  \
    DEFINE_SHIFT_SIZE(name, 8)                                                                                       \
    DEFINE_SHIFT_SIZE(name, 16)                                                                                      \
    DEFINE_SHIFT_SIZE(name, 32)                                                                                      \
    DEFINE_SHIFT_SIZE(name, 64)                                                                                      \
    EXEC_R_M(name##_e_1, name##_r_1_, name##_m_1_);                                                                  \
    EXEC_R_M(name##_e_cl, name##_r_cl, name##_m_cl);                                                                 \
    EXEC_R_M(name##_e_i, name##_r_i, name##_m_i)
SHIFT(shl);
SHIFT(shr);
SHIFT(sar);
SHIFT(rol);
SHIFT(ror);
SHIFT(rcl);
SHIFT(rcr);

/*
 * Double shifts.  16-bit counts above 16 are undefined; Zen takes further bits from the source once more and clears
 * CF.
 */
static inline uint16_t shld16(X86Cpu *cpu, uint16_t a, uint16_t b, unsigned count)
{
    unsigned n = count & 31;
    if (n == 0) {
        return a;
    }
    uint64_t both = (uint64_t)a << 32 | (uint32_t)b << 16 | b;
    uint16_t r = (uint16_t)(both << n >> 32);
    if (n > 16) {
        flags_lazy(cpu, CC_SAR, 1, r, 0);
    } else {
        flags_lazy(cpu, CC_SHL, 1, r, (uint16_t)(both << (n - 1) >> 32));
    }
    return r;
}

static inline uint16_t shrd16(X86Cpu *cpu, uint16_t a, uint16_t b, unsigned count)
{
    unsigned n = count & 31;
    if (n == 0) {
        return a;
    }
    uint64_t both = (uint64_t)b << 32 | (uint32_t)b << 16 | a;
    uint16_t r = (uint16_t)(both >> n);
    flags_lazy(cpu, CC_SHR, 1, r, n > 16 ? 0 : (uint16_t)(both >> (n - 1)));
    return r;
}

#define DEFINE_DOUBLE(bits, log2)                                                                                    \
    static inline uint##bits##_t shld##bits(X86Cpu *cpu, uint##bits##_t a, uint##bits##_t b, unsigned count)         \
    {                                                                                                                \
        unsigned n = count & (bits - 1);                                                                             \
        if (n == 0) {                                                                                                \
            return a;                                                                                                \
        }                                                                                                            \
        uint##bits##_t r = a << n | b >> (bits - n);                                                                 \
        flags_lazy(cpu, CC_SHL, log2, r, a << (n - 1));                                                              \
        return r;                                                                                                    \
    }                                                                                                                \
    static inline uint##bits##_t shrd##bits(X86Cpu *cpu, uint##bits##_t a, uint##bits##_t b, unsigned count)         \
    {                                                                                                                \
        unsigned n = count & (bits - 1);                                                                             \
        if (n == 0) {                                                                                                \
            return a;                                                                                                \
        }                                                                                                            \
        uint##bits##_t r = a >> n | b << (bits - n);                                                                 \
        flags_lazy(cpu, CC_SHR, log2, r, a >> (n - 1));                                                              \
        return r;                                                                                                    \
    }
DEFINE_DOUBLE(32, 2)
DEFINE_DOUBLE(64, 3)

#define DEFINE_DOUBLE_FORM(name, bits, suffix, COUNT)                                                                \
    static void name##_r_##suffix##bits(X86Cpu *cpu, const Insn *i)                                                  \
    {                                                                                                                \
        e_set##bits(cpu, i, name##bits(cpu, e_get##bits(cpu, i), g_get##bits(cpu, i), (COUNT)));                     \
    }                                                                                                                \
    static void name##_m_##suffix##bits(X86Cpu *cpu, const Insn *i)                                                  \
    {                                                                                                                \
        MemRef ref;                                                                                                  \
        m_ref##bits(cpu, i, &ref);                                                                                   \
        ref_store##bits(cpu, &ref,                                                                                   \
                        name##bits(cpu, ref_load##bits(cpu, &ref), g_get##bits(cpu, i), (COUNT)));                   \
    }
#define DOUBLE_SIZE(bits, log2)                                                                                      \
    DEFINE_DOUBLE_FORM(shld, bits, cl, (unsigned)cpu->r[RCX])                                                        \
    DEFINE_DOUBLE_FORM(shld, bits, i, (unsigned)i->imm)                                                              \
    DEFINE_DOUBLE_FORM(shrd, bits, cl, (unsigned)cpu->r[RCX])                                                        \
    DEFINE_DOUBLE_FORM(shrd, bits, i, (unsigned)i->imm)
FOR_WIDE_SIZES(DOUBLE_SIZE)
EXEC_WIDE_R_M(shld_cl, shld_r_cl, shld_m_cl);
EXEC_WIDE_R_M(shld_i, shld_r_i, shld_m_i);
EXEC_WIDE_R_M(shrd_cl, shrd_r_cl, shrd_m_cl);
EXEC_WIDE_R_M(shrd_i, shrd_r_i, shrd_m_i);
