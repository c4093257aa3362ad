/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single bits, bit scans and counts, CRC32, BSWAP.
 * Spec: Intel SDM vol 2, BT BTC BTR BTS BSF BSR TZCNT LZCNT POPCNT CRC32 BSWAP.
 */
#include "target/x86/exec_int.h"

/* ---- BT BTS BTR BTC: only CF changes (the undefined flags stay, as on silicon) ---- */

static inline void set_cf(X86Cpu *cpu, bool cf)
{
    flags_set(cpu, (flags_compute(cpu) & ~(uint32_t)FL_CF) | (cf ? FL_CF : 0));
}

/* With a register bit offset a memory operand is a string of bits, SDM vol 1 section 3.7.2. */
#define DEFINE_BIT_ADDRESS(bits, log2)                                                                               \
    static inline gva_t bit_address##bits(X86Cpu *cpu, const Insn *i)                                                \
    {                                                                                                                \
        int64_t offset = (int##bits##_t)g_get##bits(cpu, i);                                                         \
        return (insn_ea(cpu, i) + ((uint64_t)(offset >> (3 + log2)) << log2)) & asize_mask[i->asize];                \
    }
FOR_WIDE_SIZES(DEFINE_BIT_ADDRESS)

#define DEFINE_BT(bits, log2)                                                                                        \
    static void bt_r_g##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        set_cf(cpu, e_get##bits(cpu, i) >> (g_get##bits(cpu, i) & (bits - 1)) & 1);                                  \
    }                                                                                                                \
    static void bt_m_g##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        uint##bits##_t a = mem_read##bits(cpu, i->seg, bit_address##bits(cpu, i));                                   \
        set_cf(cpu, a >> (g_get##bits(cpu, i) & (bits - 1)) & 1);                                                    \
    }                                                                                                                \
    static void bt_r_i##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        set_cf(cpu, e_get##bits(cpu, i) >> (i->imm & (bits - 1)) & 1);                                               \
    }                                                                                                                \
    static void bt_m_i##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        set_cf(cpu, m_get##bits(cpu, i) >> (i->imm & (bits - 1)) & 1);                                               \
    }
FOR_WIDE_SIZES(DEFINE_BT)
EXEC_WIDE_R_M(bt_e_g, bt_r_g, bt_m_g);
EXEC_WIDE_R_M(bt_e_i, bt_r_i, bt_m_i);

/* CALC: the new value from the old one `a` and the bit mask `m`. */
#define DEFINE_BIT_CHANGE(name, bits, CALC)                                                                          \
    static inline void name##_ref##bits(X86Cpu *cpu, const Insn *i, const MemRef *ref, unsigned n)                   \
    {                                                                                                                \
        uint##bits##_t a, m = (uint##bits##_t)((uint64_t)1 << (n & (bits - 1)));                                     \
        if (unlikely(i->flags & INSN_LOCK)) {                                                                        \
            LOCKED_UPDATE(bits, cpu, ref, a, CALC);                                                                  \
        } else {                                                                                                     \
            a = ref_load##bits(cpu, ref);                                                                            \
            ref_store##bits(cpu, ref, (uint##bits##_t)(CALC));                                                       \
        }                                                                                                            \
        set_cf(cpu, a & m);                                                                                          \
    }                                                                                                                \
    static inline void name##_reg##bits(X86Cpu *cpu, const Insn *i, unsigned n)                                      \
    {                                                                                                                \
        uint##bits##_t a = e_get##bits(cpu, i), m = (uint##bits##_t)((uint64_t)1 << (n & (bits - 1)));               \
        set_cf(cpu, a & m);                                                                                          \
        e_set##bits(cpu, i, (uint##bits##_t)(CALC));                                                                 \
    }                                                                                                                \
    static void name##_r_g##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        name##_reg##bits(cpu, i, (unsigned)g_get##bits(cpu, i));                                                     \
    }                                                                                                                \
    static void name##_r_i##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        name##_reg##bits(cpu, i, (unsigned)i->imm);                                                                  \
    }                                                                                                                \
    static void name##_m_g##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        MemRef ref;                                                                                                  \
        ref_at(cpu, &ref, i->seg, bit_address##bits(cpu, i), bits / 8);                                              \
        name##_ref##bits(cpu, i, &ref, (unsigned)g_get##bits(cpu, i));                                               \
    }                                                                                                                \
    static void name##_m_i##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        MemRef ref;                                                                                                  \
        m_ref##bits(cpu, i, &ref);                                                                                   \
        name##_ref##bits(cpu, i, &ref, (unsigned)i->imm);                                                            \
    }
#define BIT_CHANGE(name, CALC)                                                                                       \
    DEFINE_BIT_CHANGE(name, 16, CALC)                                                                                \
    DEFINE_BIT_CHANGE(name, 32, CALC)                                                                                \
    DEFINE_BIT_CHANGE(name, 64, CALC)                                                                                \
    EXEC_WIDE_R_M(name##_e_g, name##_r_g, name##_m_g);                                                               \
    EXEC_WIDE_R_M(name##_e_i, name##_r_i, name##_m_i)
BIT_CHANGE(bts, a | m);
BIT_CHANGE(btr, a & ~m);
BIT_CHANGE(btc, a ^ m);

/* ---- scans and counts: each takes the source and writes G ---- */

/* BSF, BSR: a zero source leaves the destination alone, its upper half too.  Other flags than ZF as on Zen. */
#define DEFINE_SCANS(bits, log2)                                                                                     \
    static inline void bsf_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a)                                      \
    {                                                                                                                \
        unsigned n = a ? (unsigned)__builtin_ctzll(a) : 0;                                                           \
        flags_set(cpu, a ? (__builtin_parity(n) ? 0 : FL_PF) : FL_ZF | FL_PF);                                       \
        if (a) {                                                                                                     \
            g_set##bits(cpu, i, (uint##bits##_t)n);                                                                  \
        }                                                                                                            \
    }                                                                                                                \
    static inline void bsr_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a)                                      \
    {                                                                                                                \
        unsigned n = a ? 63 - (unsigned)__builtin_clzll(a) : 0;                                                      \
        flags_set(cpu, a ? (__builtin_parity(n) ? 0 : FL_PF) : FL_ZF | FL_PF);                                       \
        if (a) {                                                                                                     \
            g_set##bits(cpu, i, (uint##bits##_t)n);                                                                  \
        }                                                                                                            \
    }                                                                                                                \
    static inline void tzcnt_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a)                                    \
    {                                                                                                                \
        unsigned n = a ? (unsigned)__builtin_ctzll(a) : bits;                                                        \
        flags_set(cpu, (flags_compute(cpu) & FL_OF) | (a ? 0 : FL_CF) | (n ? 0 : FL_ZF));                            \
        g_set##bits(cpu, i, (uint##bits##_t)n);                                                                      \
    }                                                                                                                \
    static inline void lzcnt_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a)                                    \
    {                                                                                                                \
        unsigned n = a ? (unsigned)__builtin_clzll(a) - (64 - bits) : bits;                                          \
        flags_set(cpu, (flags_compute(cpu) & FL_OF) | (a ? 0 : FL_CF) | (n ? 0 : FL_ZF));                            \
        g_set##bits(cpu, i, (uint##bits##_t)n);                                                                      \
    }                                                                                                                \
    static inline void popcnt_##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t a)                                   \
    {                                                                                                                \
        flags_set(cpu, a ? 0 : FL_ZF);                                                                               \
        g_set##bits(cpu, i, (uint##bits##_t)__builtin_popcountll(a));                                                \
    }
FOR_WIDE_SIZES(DEFINE_SCANS)

#define DEFINE_SCAN_FORM(name, bits)                                                                                 \
    static void name##_r##bits(X86Cpu *cpu, const Insn *i)                                                           \
    {                                                                                                                \
        name##_##bits(cpu, i, e_get##bits(cpu, i));                                                                  \
    }                                                                                                                \
    static void name##_m##bits(X86Cpu *cpu, const Insn *i)                                                           \
    {                                                                                                                \
        name##_##bits(cpu, i, m_get##bits(cpu, i));                                                                  \
    }
#define SCAN(name)                                                                                                   \
    DEFINE_SCAN_FORM(name, 16)                                                                                       \
    DEFINE_SCAN_FORM(name, 32)                                                                                       \
    DEFINE_SCAN_FORM(name, 64)                                                                                       \
    EXEC_WIDE_R_M(name, name##_r, name##_m)
SCAN(bsf);
SCAN(bsr);
SCAN(tzcnt);
SCAN(lzcnt);
SCAN(popcnt);

/* ---- CRC32: polynomial 11EDC6F41h, reflected, four bits at a time ---- */

static uint32_t crc32c(uint32_t crc, uint64_t data, unsigned bits)
{
    static const uint32_t nibble[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    for (; bits; bits -= 4, data >>= 4) {
        crc = crc >> 4 ^ nibble[(crc ^ data) & 15];
    }
    return crc;
}

#define DEFINE_CRC32(bits, log2)                                                                                     \
    static void crc32_r##bits(X86Cpu *cpu, const Insn *i)                                                            \
    {                                                                                                                \
        cpu->r[i->reg] = crc32c((uint32_t)cpu->r[i->reg], e_get##bits(cpu, i), bits);                                \
    }                                                                                                                \
    static void crc32_m##bits(X86Cpu *cpu, const Insn *i)                                                            \
    {                                                                                                                \
        uint##bits##_t data = m_get##bits(cpu, i);                                                                   \
        cpu->r[i->reg] = crc32c((uint32_t)cpu->r[i->reg], data, bits);                                               \
    }
FOR_SIZES(DEFINE_CRC32)
EXEC_R_M(crc32, crc32_r, crc32_m);

/* ---- BSWAP: with 16 bits undefined, zero on Zen ---- */

static void bswap16(X86Cpu *cpu, const Insn *i)
{
    reg16_set(cpu, i->rm, 0);
}
static void bswap32(X86Cpu *cpu, const Insn *i)
{
    reg32_set(cpu, i->rm, __builtin_bswap32((uint32_t)cpu->r[i->rm]));
}
static void bswap64(X86Cpu *cpu, const Insn *i)
{
    reg64_set(cpu, i->rm, __builtin_bswap64(cpu->r[i->rm]));
}
EXEC_WIDE_R_M(bswap, bswap, bswap);
