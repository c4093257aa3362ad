/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exchanges: XCHG (always locked with memory), XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B.
 * Spec: Intel SDM vol 2, the instructions' pages; vol 3 section 8.1.2.
 */
#include "target/x86/exec_int.h"

#define DEFINE_XCHG(bits, log2)                                                                                      \
    static void xchg_r##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        uint##bits##_t a = e_get##bits(cpu, i);                                                                      \
        e_set##bits(cpu, i, g_get##bits(cpu, i));                                                                    \
        g_set##bits(cpu, i, a);                                                                                      \
    }                                                                                                                \
    static void xchg_m##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        MemRef ref;                                                                                                  \
        m_ref##bits(cpu, i, &ref);                                                                                   \
        uint##bits##_t a, b = g_get##bits(cpu, i);                                                                   \
        if (likely(ref_atomic(&ref, bits / 8))) {                                                                    \
            a = __atomic_exchange_n((uint##bits##_t *)ref.host, b, __ATOMIC_SEQ_CST);                                \
        } else {                                                                                                     \
            mem_exclusive_begin(cpu);                                                                                \
            a = ref_load##bits(cpu, &ref);                                                                           \
            ref_store##bits(cpu, &ref, b);                                                                           \
            mem_exclusive_end(cpu);                                                                                  \
        }                                                                                                            \
        g_set##bits(cpu, i, a);                                                                                      \
    }                                                                                                                \
    static void xadd_r##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        uint##bits##_t a = e_get##bits(cpu, i), b = g_get##bits(cpu, i), r = (uint##bits##_t)(a + b);                \
        flags_lazy(cpu, CC_ADD, log2, r, b);                                                                         \
        g_set##bits(cpu, i, a);                                                                                      \
        e_set##bits(cpu, i, r);                                                                                      \
    }                                                                                                                \
    static void xadd_m##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        MemRef ref;                                                                                                  \
        m_ref##bits(cpu, i, &ref);                                                                                   \
        uint##bits##_t a, b = g_get##bits(cpu, i);                                                                   \
        if (i->flags & INSN_LOCK) {                                                                                  \
            LOCKED_UPDATE(bits, cpu, &ref, a, a + b);                                                                \
        } else {                                                                                                     \
            a = ref_load##bits(cpu, &ref);                                                                           \
            ref_store##bits(cpu, &ref, (uint##bits##_t)(a + b));                                                     \
        }                                                                                                            \
        flags_lazy(cpu, CC_ADD, log2, (uint##bits##_t)(a + b), b);                                                   \
        g_set##bits(cpu, i, a);                                                                                      \
    }
FOR_SIZES(DEFINE_XCHG)
EXEC_R_M(xchg_e_g, xchg_r, xchg_m);
EXEC_R_M(xadd, xadd_r, xadd_m);

/* XCHG rAX: the opcode's register and RAX.  (90 without REX.B is NOP, another row.) */
#define DEFINE_XCHG_A(bits, log2)                                                                                    \
    static void xchg_z##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        uint##bits##_t a = (uint##bits##_t)cpu->r[RAX], b = e_get##bits(cpu, i);                                     \
        reg##bits##_set(cpu, RAX, b);                                                                                \
        e_set##bits(cpu, i, a);                                                                                      \
    }
FOR_WIDE_SIZES(DEFINE_XCHG_A)
EXEC_WIDE_R_M(xchg_z_a, xchg_z, xchg_z);

/*
 * CMPXCHG.  Memory is written in any case, so a failing compare faults as a store does.  Equal: RAX keeps its upper
 * half; not equal: a register destination keeps its own (seen on silicon).
 */
#define DEFINE_CMPXCHG(bits, log2)                                                                                   \
    static inline void compare##bits(X86Cpu *cpu, uint##bits##_t acc, uint##bits##_t old)                            \
    {                                                                                                                \
        flags_lazy(cpu, CC_SUB, log2, (uint##bits##_t)(acc - old), old);                                             \
        if (acc != old) {                                                                                            \
            reg##bits##_set_a(cpu, old);                                                                             \
        }                                                                                                            \
    }                                                                                                                \
    static void cmpxchg_r##bits(X86Cpu *cpu, const Insn *i)                                                          \
    {                                                                                                                \
        uint##bits##_t acc = (uint##bits##_t)cpu->r[RAX], old = e_get##bits(cpu, i), b = g_get##bits(cpu, i);        \
        compare##bits(cpu, acc, old);                                                                                \
        if (acc == old) {                                                                                            \
            e_set##bits(cpu, i, b);                                                                                  \
        }                                                                                                            \
    }                                                                                                                \
    static void cmpxchg_m##bits(X86Cpu *cpu, const Insn *i)                                                          \
    {                                                                                                                \
        MemRef ref;                                                                                                  \
        m_ref##bits(cpu, i, &ref);                                                                                   \
        uint##bits##_t acc = (uint##bits##_t)cpu->r[RAX], old = acc, b = g_get##bits(cpu, i);                        \
        if ((i->flags & INSN_LOCK) && ref_atomic(&ref, bits / 8)) {                                                  \
            __atomic_compare_exchange_n((uint##bits##_t *)ref.host, &old, b, false, __ATOMIC_SEQ_CST,                \
                                        __ATOMIC_SEQ_CST);                                                           \
        } else {                                                                                                     \
            bool lock = i->flags & INSN_LOCK;                                                                        \
            if (lock) {                                                                                              \
                mem_exclusive_begin(cpu);                                                                            \
            }                                                                                                        \
            old = ref_load##bits(cpu, &ref);                                                                         \
            ref_store##bits(cpu, &ref, old == acc ? b : old);                                                        \
            if (lock) {                                                                                              \
                mem_exclusive_end(cpu);                                                                              \
            }                                                                                                        \
        }                                                                                                            \
        compare##bits(cpu, acc, old);                                                                                \
    }
static inline void reg8_set_a(X86Cpu *cpu, uint8_t v)
{
    reg8_set(cpu, 0, v);
}
static inline void reg16_set_a(X86Cpu *cpu, uint16_t v)
{
    reg16_set(cpu, RAX, v);
}
static inline void reg32_set_a(X86Cpu *cpu, uint32_t v)
{
    reg32_set(cpu, RAX, v);
}
static inline void reg64_set_a(X86Cpu *cpu, uint64_t v)
{
    reg64_set(cpu, RAX, v);
}
FOR_SIZES(DEFINE_CMPXCHG)
EXEC_R_M(cmpxchg, cmpxchg_r, cmpxchg_m);

/* Only ZF changes. */
static void set_zf(X86Cpu *cpu, bool zf)
{
    flags_set(cpu, (flags_compute(cpu) & ~(uint32_t)FL_ZF) | (zf ? FL_ZF : 0));
}

static void cmpxchg8b(X86Cpu *cpu, const Insn *i)
{
    MemRef ref;
    m_ref64(cpu, i, &ref);
    uint64_t acc = cpu->r[RDX] << 32 | (uint32_t)cpu->r[RAX], b = cpu->r[RCX] << 32 | (uint32_t)cpu->r[RBX], old;
    if ((i->flags & INSN_LOCK)) {
        LOCKED_UPDATE(64, cpu, &ref, old, old == acc ? b : old);
    } else {
        old = ref_load64(cpu, &ref);
        ref_store64(cpu, &ref, old == acc ? b : old);
    }
    set_zf(cpu, old == acc);
    if (old != acc) {
        reg32_set(cpu, RAX, (uint32_t)old);
        reg32_set(cpu, RDX, (uint32_t)(old >> 32));
    }
}
EXEC_ONE(cmpxchg8b, cmpxchg8b);

typedef unsigned __int128 uint128;

#if defined(__x86_64__)
/* The __atomic forms would call libatomic. */
__attribute__((target("cx16"))) static uint128 host_cmpxchg16(void *host, uint128 acc, uint128 b)
{
    return __sync_val_compare_and_swap((uint128 *)host, acc, b);
}
#define HAVE_HOST_CMPXCHG16 true
#else
static uint128 host_cmpxchg16(void *host, uint128 acc, uint128 b)
{
    return 0;
}
#define HAVE_HOST_CMPXCHG16 false
#endif

static uint128 exclusive_cmpxchg16(X86Cpu *cpu, const MemRef *low, uint128 acc, uint128 b)
{
    MemRef high = {.host = low->host ? (char *)low->host + 8 : NULL, .lin = low->lin + 8, .seg = low->seg};
    mem_exclusive_begin(cpu);
    uint128 old = (uint128)ref_load64(cpu, &high) << 64 | ref_load64(cpu, low);
    uint128 result = old == acc ? b : old;
    ref_store64(cpu, low, (uint64_t)result);
    ref_store64(cpu, &high, (uint64_t)(result >> 64));
    mem_exclusive_end(cpu);
    return old;
}

/* Aligned, else #GP(0); it is always atomic here, with LOCK or without. */
static void cmpxchg16b(X86Cpu *cpu, const Insn *i)
{
    gva_t ea = insn_ea(cpu, i);
    if (seg_linear(cpu, i->seg, ea, 16, ACCESS_WRITE) & 15) {
        cpu_raise_gp0(cpu);
    }
    MemRef ref;
    ref_at(cpu, &ref, i->seg, ea, 16);
    uint128 acc = (uint128)cpu->r[RDX] << 64 | cpu->r[RAX], b = (uint128)cpu->r[RCX] << 64 | cpu->r[RBX];
    uint128 old = HAVE_HOST_CMPXCHG16 && ref_atomic(&ref, 16) ? host_cmpxchg16(ref.host, acc, b)
                                                              : exclusive_cmpxchg16(cpu, &ref, acc, b);
    set_zf(cpu, old == acc);
    if (old != acc) {
        cpu->r[RAX] = (uint64_t)old;
        cpu->r[RDX] = (uint64_t)(old >> 64);
    }
}
EXEC_ONE(cmpxchg16b, cmpxchg16b);
