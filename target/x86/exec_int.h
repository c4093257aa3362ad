/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operand access for the integer handlers, one set of functions per size: e = the E operand as a register, g = the G
 * operand, m = the E operand in memory.
 */
#pragma once

#include "target/x86/exec.h"

static inline uint8_t e_get8(const X86Cpu *cpu, const Insn *i)
{
    return reg8_get(cpu, i->rm8);
}
static inline uint8_t g_get8(const X86Cpu *cpu, const Insn *i)
{
    return reg8_get(cpu, i->reg8);
}
static inline void e_set8(X86Cpu *cpu, const Insn *i, uint8_t v)
{
    reg8_set(cpu, i->rm8, v);
}
static inline void g_set8(X86Cpu *cpu, const Insn *i, uint8_t v)
{
    reg8_set(cpu, i->reg8, v);
}

#define DEFINE_OPERANDS(bits)                                                                                        \
    static inline uint##bits##_t e_get##bits(const X86Cpu *cpu, const Insn *i)                                       \
    {                                                                                                                \
        return (uint##bits##_t)cpu->r[i->rm];                                                                        \
    }                                                                                                                \
    static inline uint##bits##_t g_get##bits(const X86Cpu *cpu, const Insn *i)                                       \
    {                                                                                                                \
        return (uint##bits##_t)cpu->r[i->reg];                                                                       \
    }                                                                                                                \
    static inline void e_set##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t v)                                     \
    {                                                                                                                \
        reg##bits##_set(cpu, i->rm, v);                                                                              \
    }                                                                                                                \
    static inline void g_set##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t v)                                     \
    {                                                                                                                \
        reg##bits##_set(cpu, i->reg, v);                                                                             \
    }
DEFINE_OPERANDS(16)
DEFINE_OPERANDS(32)
DEFINE_OPERANDS(64)

/*
 * Host address of `size` bytes of the memory operand if the TLB allows the access directly, else NULL: the hot path
 * of every handler.  It calls nothing, so that handlers which leave the rest to another function keep no stack frame.
 */
static inline void *m_host(const X86Cpu *cpu, const Insn *i, unsigned size, Access access)
{
    const Segment *s = &cpu->seg[i->seg];
    gva_t lin = insn_ea(cpu, i);
    if (likely(cpu->code64)) {
        if (i->seg >= SEG_FS) {
            lin += s->base;
        }
    } else {
        if (unlikely(lin + size > (access == ACCESS_WRITE ? s->fast_w : s->fast_r))) {
            return NULL;
        }
        lin = (uint32_t)(lin + s->base);
    }
    const TlbEntry *e = &cpu->tlb[cpu->mem_mode][(lin >> 12) & (TLB_SIZE - 1)];
    gva_t in_page = lin - (access == ACCESS_WRITE ? e->wtag : e->rtag);
    return likely(in_page <= 4096 - size) ? (void *)(e->addend + lin) : NULL;
}

/* A checked place for read-modify-write at seg:off, filled in place (a copy would stall on store forwarding). */
static inline void ref_at(X86Cpu *cpu, MemRef *ref, unsigned seg, gva_t off, unsigned size)
{
    ref->seg = seg;
    ref->lin = seg_linear(cpu, seg, off, size, ACCESS_WRITE);
    const TlbEntry *e = &cpu->tlb[cpu->mem_mode][(ref->lin >> 12) & (TLB_SIZE - 1)];
    if (likely(ref->lin - e->wtag <= 4096 - size)) {
        ref->host = (void *)(e->addend + ref->lin);
    } else {
        mem_ref_slow(cpu, ref, size);
    }
}

#define DEFINE_MEMORY_OPERANDS(bits)                                                                                 \
    static inline uint##bits##_t m_get##bits(X86Cpu *cpu, const Insn *i)                                             \
    {                                                                                                                \
        return mem_read##bits(cpu, i->seg, insn_ea(cpu, i));                                                         \
    }                                                                                                                \
    static inline void m_set##bits(X86Cpu *cpu, const Insn *i, uint##bits##_t v)                                     \
    {                                                                                                                \
        mem_write##bits(cpu, i->seg, insn_ea(cpu, i), v);                                                            \
    }                                                                                                                \
    static inline void m_ref##bits(X86Cpu *cpu, const Insn *i, MemRef *ref)                                          \
    {                                                                                                                \
        ref_at(cpu, ref, i->seg, insn_ea(cpu, i), bits / 8);                                                         \
    }                                                                                                                \
    static inline uint##bits##_t host_get##bits(const void *host)                                                    \
    {                                                                                                                \
        uint##bits##_t v;                                                                                            \
        memcpy(&v, host, bits / 8);                                                                                  \
        return v;                                                                                                    \
    }                                                                                                                \
    static inline void host_set##bits(void *host, uint##bits##_t v)                                                  \
    {                                                                                                                \
        memcpy(host, &v, bits / 8);                                                                                  \
    }
DEFINE_MEMORY_OPERANDS(8)
DEFINE_MEMORY_OPERANDS(16)
DEFINE_MEMORY_OPERANDS(32)
DEFINE_MEMORY_OPERANDS(64)

/*
 * Handlers with a memory operand, in two functions: the direct access and all the rest.
 * LOAD: BODY is a statement over v, the value read.  STORE: VALUE is what is written.
 */
#define DEFINE_LOAD(name, bits, BODY)                                                                                \
    __attribute__((cold, noinline)) static void name##_slow(X86Cpu *cpu, const Insn *i)                              \
    {                                                                                                                \
        uint##bits##_t v = m_get##bits(cpu, i);                                                                      \
        BODY;                                                                                                        \
    }                                                                                                                \
    static void name(X86Cpu *cpu, const Insn *i)                                                                     \
    {                                                                                                                \
        const void *host = m_host(cpu, i, bits / 8, ACCESS_READ);                                                    \
        if (unlikely(!host)) {                                                                                       \
            name##_slow(cpu, i);                                                                                     \
            return;                                                                                                  \
        }                                                                                                            \
        uint##bits##_t v = host_get##bits(host);                                                                     \
        BODY;                                                                                                        \
    }
#define DEFINE_STORE(name, bits, VALUE)                                                                              \
    __attribute__((cold, noinline)) static void name##_slow(X86Cpu *cpu, const Insn *i)                              \
    {                                                                                                                \
        m_set##bits(cpu, i, (VALUE));                                                                                \
    }                                                                                                                \
    static void name(X86Cpu *cpu, const Insn *i)                                                                     \
    {                                                                                                                \
        void *host = m_host(cpu, i, bits / 8, ACCESS_WRITE);                                                         \
        if (unlikely(!host)) {                                                                                       \
            name##_slow(cpu, i);                                                                                     \
            return;                                                                                                  \
        }                                                                                                            \
        host_set##bits(host, (VALUE));                                                                               \
    }

#define MASK_BITS(bits) (~0ull >> (64 - (bits)))

/* By size: 8, 16, 32, 64 with log2 of their bytes. */
#define FOR_SIZES(M) M(8, 0) M(16, 1) M(32, 2) M(64, 3)
#define FOR_WIDE_SIZES(M) M(16, 1) M(32, 2) M(64, 3)

/* Arrays of handlers whose functions are called PREFIX<bits>. */
#define EXEC_R_M(name, r, m) EXEC_8(name, r##8, r##16, r##32, r##64, m##8, m##16, m##32, m##64)
/* No byte form: osize is never 0. */
#define EXEC_WIDE_R_M(name, r, m) EXEC_8(name, exec_ud_fn, r##16, r##32, r##64, exec_ud_fn, m##16, m##32, m##64)

/* Write a register whose width is chosen at run time. */
static inline void reg_set_log2(X86Cpu *cpu, unsigned n, unsigned log2size, uint64_t v)
{
    if (log2size == 1) {
        reg16_set(cpu, n, (uint16_t)v);
    } else {
        cpu->r[n] = v & asize_mask[log2size];
    }
}

/*
 * A read-modify-write under LOCK: NEW is an expression of `old`.  Host atomics when the operand is aligned in RAM,
 * else an exclusive section.
 */
#define LOCKED_UPDATE(bits, cpu, ref, old, NEW)                                                                      \
    do {                                                                                                             \
        if (likely(ref_atomic(ref, bits / 8))) {                                                                     \
            uint##bits##_t *host_ = (uint##bits##_t *)(ref)->host;                                                   \
            old = __atomic_load_n(host_, __ATOMIC_RELAXED);                                                          \
            while (!__atomic_compare_exchange_n(host_, &old, (uint##bits##_t)(NEW), false, __ATOMIC_SEQ_CST,         \
                                                __ATOMIC_RELAXED)) {                                                 \
            }                                                                                                        \
        } else {                                                                                                     \
            mem_exclusive_begin(cpu);                                                                                \
            old = ref_load##bits(cpu, ref);                                                                          \
            ref_store##bits(cpu, ref, (uint##bits##_t)(NEW));                                                        \
            mem_exclusive_end(cpu);                                                                                  \
        }                                                                                                            \
    } while (0)
