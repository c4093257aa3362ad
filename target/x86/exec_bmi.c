/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BMI1 and BMI2 on general registers (VEX encoded: no vector state is needed), ADX.
 * Spec: Intel SDM vol 1, 5.1.16; vol 2, ANDN ... SHRX, ADCX, ADOX; vol 2 table 2-29 (exceptions).
 */
#include "target/x86/exec_int.h"

/* VEX encodings do not exist in real and virtual-8086 mode. */
static inline void bmi_enter(X86Cpu *cpu)
{
    if (unlikely(!cpu->protected_mode)) {
        cpu_raise_ud(cpu);
    }
}

/* SF and ZF by the result; undefined by the manuals and as on Zen: PF by the result, too, AF clear. */
static inline uint32_t result_flags(uint64_t r, unsigned bits)
{
    return (r >> (bits - 1) & 1 ? FL_SF : 0) | (r ? 0 : FL_ZF) | (__builtin_parity(r & 0xff) ? 0 : FL_PF);
}

/* ---- extraction and deposit of bits ---- */

static inline uint64_t deposit(uint64_t v, uint64_t mask)
{
    uint64_t r = 0;
    for (; mask; mask &= mask - 1, v >>= 1) {
        r |= v & 1 ? mask & -mask : 0;
    }
    return r;
}

static inline uint64_t extract(uint64_t v, uint64_t mask)
{
    uint64_t r = 0;
    for (unsigned n = 0; mask; mask &= mask - 1, n++) {
        r |= v & mask & -mask ? BIT64(n) : 0;
    }
    return r;
}

/* ---- one set for 32 and one for 64 bits; a: the E operand, b: VEX.vvvv ---- */

#define DEFINE_BMI(bits)                                                                                               \
    static inline void andn_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                     \
    {                                                                                                                  \
        uint##bits##_t r = ~b & a;                                                                                     \
        flags_set(cpu, result_flags(r, bits));                                                                         \
        cpu->r[i->reg] = r;                                                                                            \
    }                                                                                                                  \
    static inline void blsr_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                     \
    {                                                                                                                  \
        uint##bits##_t r = a & (a - 1);                                                                                \
        flags_set(cpu, result_flags(r, bits) | (a ? 0 : FL_CF));                                                       \
        cpu->r[i->vvvv] = r;                                                                                           \
    }                                                                                                                  \
    static inline void blsmsk_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                   \
    {                                                                                                                  \
        uint##bits##_t r = a ^ (a - 1);                                                                                \
        flags_set(cpu, result_flags(r, bits) | (a ? 0 : FL_CF));                                                       \
        cpu->r[i->vvvv] = r;                                                                                           \
    }                                                                                                                  \
    static inline void blsi_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                     \
    {                                                                                                                  \
        uint##bits##_t r = a & -a;                                                                                     \
        flags_set(cpu, result_flags(r, bits) | (a ? FL_CF : 0));                                                       \
        cpu->r[i->vvvv] = r;                                                                                           \
    }                                                                                                                  \
    static inline void bextr_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                    \
    {                                                                                                                  \
        unsigned start = b & 0xff, len = b >> 8 & 0xff;                                                                \
        uint##bits##_t r = start < bits ? a >> start : 0;                                                              \
        r &= len < bits ? ((uint##bits##_t)1 << len) - 1 : ~(uint##bits##_t)0;                                         \
        flags_set(cpu, (result_flags(r, bits) & ~(uint32_t)FL_SF) | FL_AF); /* as on Zen */                              \
        cpu->r[i->reg] = r;                                                                                            \
    }                                                                                                                  \
    static inline void bzhi_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                     \
    {                                                                                                                  \
        unsigned n = b & 0xff;                                                                                         \
        uint##bits##_t r = n < bits ? a & (((uint##bits##_t)1 << n) - 1) : a;                                          \
        flags_set(cpu, result_flags(r, bits) | (n < bits ? 0 : FL_CF));                                                \
        cpu->r[i->reg] = r;                                                                                            \
    }                                                                                                                  \
    static inline void pdep_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                     \
    {                                                                                                                  \
        cpu->r[i->reg] = deposit(b, a);                                                                                \
    }                                                                                                                  \
    static inline void pext_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                     \
    {                                                                                                                  \
        cpu->r[i->reg] = extract(b, a);                                                                                \
    }                                                                                                                  \
    /* The upper half counts when both halves go to one register. */                                                   \
    static inline void mulx_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                     \
    {                                                                                                                  \
        unsigned __int128 p = (unsigned __int128)a * (uint##bits##_t)cpu->r[RDX];                                      \
        cpu->r[i->vvvv] = (uint##bits##_t)p;                                                                           \
        cpu->r[i->reg] = (uint##bits##_t)(p >> bits);                                                                  \
    }                                                                                                                  \
    static inline void shlx_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                     \
    {                                                                                                                  \
        cpu->r[i->reg] = (uint##bits##_t)(a << (b & (bits - 1)));                                                      \
    }                                                                                                                  \
    static inline void shrx_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                     \
    {                                                                                                                  \
        cpu->r[i->reg] = a >> (b & (bits - 1));                                                                        \
    }                                                                                                                  \
    static inline void sarx_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                     \
    {                                                                                                                  \
        cpu->r[i->reg] = (uint##bits##_t)((int##bits##_t)a >> (b & (bits - 1)));                                       \
    }                                                                                                                  \
    static inline void rorx_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a, uint##bits##_t b)                     \
    {                                                                                                                  \
        unsigned n = i->imm & (bits - 1);                                                                              \
        cpu->r[i->reg] = (uint##bits##_t)(a >> n | a << (-n & (bits - 1)));                                            \
    }
DEFINE_BMI(32)
DEFINE_BMI(64)

#define BMI_FORM(name, bits)                                                                                           \
    static void name##_r##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                  \
        bmi_enter(cpu);                                                                                                \
        name##_##bits(cpu, i, e_get##bits(cpu, i), (uint##bits##_t)cpu->r[i->vvvv]);                                   \
    }                                                                                                                  \
    static void name##_m##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                  \
        bmi_enter(cpu);                                                                                                \
        name##_##bits(cpu, i, m_get##bits(cpu, i), (uint##bits##_t)cpu->r[i->vvvv]);                                   \
    }
#define BMI(name)                                                                                                      \
    BMI_FORM(name, 32)                                                                                                 \
    BMI_FORM(name, 64)                                                                                                 \
    EXEC_8(name, exec_ud_fn, exec_ud_fn, name##_r32, name##_r64, exec_ud_fn, exec_ud_fn, name##_m32, name##_m64)
BMI(andn);
BMI(blsr);
BMI(blsmsk);
BMI(blsi);
BMI(bextr);
BMI(bzhi);
BMI(pdep);
BMI(pext);
BMI(mulx);
BMI(shlx);
BMI(shrx);
BMI(sarx);
BMI(rorx);

/* ---- ADX: an addition whose carry is one flag and that leaves all others alone ---- */

#define DEFINE_ADD_WITH(name, bits, flag)                                                                              \
    static inline void name##_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a)                                     \
    {                                                                                                                  \
        uint32_t flags = flags_compute(cpu);                                                                           \
        unsigned __int128 sum = (unsigned __int128)a + g_get##bits(cpu, i) + (flags & (flag) ? 1 : 0);                 \
        flags_set(cpu, (flags & ~(uint32_t)(flag)) | (sum >> bits ? (flag) : 0));                                      \
        g_set##bits(cpu, i, (uint##bits##_t)sum);                                                                      \
    }                                                                                                                  \
    static void name##_r##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                  \
        name##_##bits(cpu, i, e_get##bits(cpu, i));                                                                    \
    }                                                                                                                  \
    static void name##_m##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                  \
        name##_##bits(cpu, i, m_get##bits(cpu, i));                                                                    \
    }
#define ADD_WITH(name, flag)                                                                                           \
    DEFINE_ADD_WITH(name, 32, flag)                                                                                    \
    DEFINE_ADD_WITH(name, 64, flag)                                                                                    \
    EXEC_8(name, exec_ud_fn, exec_ud_fn, name##_r32, name##_r64, exec_ud_fn, exec_ud_fn, name##_m32, name##_m64)
ADD_WITH(adcx, FL_CF);
ADD_WITH(adox, FL_OF);
