/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory as instructions see it: seg:offset -> linear (limits, canonical form) -> TLB -> host.
 * Every function may raise #GP, #SS, #PF, #AC and then has changed nothing.
 */
#pragma once

#include <string.h>

#include "target/x86/cpu.h"
#include "target/x86/insn.h"

typedef enum Access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC } Access;

/* ---- segmentation ---- */

/* Checked path: limits, type, null; raises #SS(0) for SS, else #GP(0). */
void seg_check_slow(X86Cpu *cpu, unsigned seg, gva_t off, unsigned size, Access access);

/* Linear address of seg:off for an access of `size` bytes. */
static inline gva_t seg_linear(X86Cpu *cpu, unsigned seg, gva_t off, unsigned size, Access access)
{
    const Segment *s = &cpu->seg[seg];
    if (cpu->code64) {
        return seg >= SEG_FS ? off + s->base : off;
    }
    if (unlikely(off + size > (access == ACCESS_WRITE ? s->fast_w : s->fast_r))) {
        seg_check_slow(cpu, seg, off, size, access);
    }
    return (uint32_t)(s->base + off);
}

extern const uint64_t asize_mask[4]; /* by log2 of the address size: 16, 32, 64 bits */

/* Offset of the memory operand in its segment. */
static inline gva_t insn_ea(const X86Cpu *cpu, const Insn *i)
{
    return (cpu->r[i->base] + (cpu->r[i->index] << i->scale) + (uint64_t)i->disp) & asize_mask[i->asize];
}

/* Host address of `size` bytes inside one page, or NULL: the TLB does not allow a direct access. */
static inline uint8_t *mem_direct(const X86Cpu *cpu, gva_t lin, unsigned size, unsigned mode, Access access)
{
    const TlbEntry *e = &cpu->tlb[mode][(lin >> 12) & (TLB_SIZE - 1)];
    uint64_t tag = access == ACCESS_WRITE ? e->wtag : e->rtag;
    return likely(lin - tag <= 4096 - size) ? (uint8_t *)(e->addend + lin) : NULL;
}

/*
 * Host address for an access of up to 32 bytes, after a look into the paging-structure cache if need be.  Over the end of a
 * page a read finds a copy, until the next call.  NULL for all else: only an access that may fault can tell.
 */
uint8_t *mem_find(X86Cpu *cpu, gva_t lin, unsigned size, Access access);

/* ---- linear accesses; seg only chooses #SS or #GP for a non-canonical address ---- */

uint64_t lin_read_slow(X86Cpu *cpu, gva_t lin, unsigned size, unsigned seg);
void lin_write_slow(X86Cpu *cpu, gva_t lin, uint64_t value, unsigned size, unsigned seg);

#define DEFINE_LIN_ACCESS(bits)                                                                                        \
    static inline uint##bits##_t lin_read##bits(X86Cpu *cpu, gva_t lin, unsigned seg)                                  \
    {                                                                                                                  \
        const TlbEntry *e = &cpu->tlb[cpu->mem_mode][(lin >> 12) & (TLB_SIZE - 1)];                                    \
        if (likely(lin - e->rtag <= 4096 - bits / 8)) {                                                                \
            uint##bits##_t value;                                                                                      \
            memcpy(&value, (const void *)(e->addend + lin), bits / 8);                                                 \
            return value;                                                                                              \
        }                                                                                                              \
        return (uint##bits##_t)lin_read_slow(cpu, lin, bits / 8, seg);                                                 \
    }                                                                                                                  \
    static inline void lin_write##bits(X86Cpu *cpu, gva_t lin, uint##bits##_t value, unsigned seg)                     \
    {                                                                                                                  \
        const TlbEntry *e = &cpu->tlb[cpu->mem_mode][(lin >> 12) & (TLB_SIZE - 1)];                                    \
        if (likely(lin - e->wtag <= 4096 - bits / 8)) {                                                                \
            memcpy((void *)(e->addend + lin), &value, bits / 8);                                                       \
            return;                                                                                                    \
        }                                                                                                              \
        lin_write_slow(cpu, lin, value, bits / 8, seg);                                                                \
    }                                                                                                                  \
    static inline uint##bits##_t mem_read##bits(X86Cpu *cpu, unsigned seg, gva_t off)                                  \
    {                                                                                                                  \
        return lin_read##bits(cpu, seg_linear(cpu, seg, off, bits / 8, ACCESS_READ), seg);                             \
    }                                                                                                                  \
    static inline void mem_write##bits(X86Cpu *cpu, unsigned seg, gva_t off, uint##bits##_t value)                     \
    {                                                                                                                  \
        lin_write##bits(cpu, seg_linear(cpu, seg, off, bits / 8, ACCESS_WRITE), value, seg);                           \
    }
DEFINE_LIN_ACCESS(8)
DEFINE_LIN_ACCESS(16)
DEFINE_LIN_ACCESS(32)
DEFINE_LIN_ACCESS(64)

/* Any size up to a page at once (vectors, state images); all pages are probed before a byte is written. */
void mem_read_bytes(X86Cpu *cpu, unsigned seg, gva_t off, void *buf, unsigned size);
void mem_write_bytes(X86Cpu *cpu, unsigned seg, gva_t off, const void *buf, unsigned size);
/* Raise whatever a write (or read) of [off, off + size) would raise; size up to 4096. */
void mem_probe(X86Cpu *cpu, unsigned seg, gva_t off, unsigned size, Access access);

/* As CPL 0 whatever CPL is (descriptor tables, TSS, interrupt delivery).  Linear, no segment. */
uint64_t sys_read_slow(X86Cpu *cpu, gva_t lin, unsigned size);
void sys_write_slow(X86Cpu *cpu, gva_t lin, uint64_t value, unsigned size);
static inline uint64_t sys_read(X86Cpu *cpu, gva_t lin, unsigned size)
{
    const uint8_t *host = mem_direct(cpu, lin, size, MEM_KERNEL, ACCESS_READ);
    uint64_t value;
    if (likely(size == 8 && host)) {
        memcpy(&value, host, 8);
        return value;
    }
    return sys_read_slow(cpu, lin, size);
}
static inline void sys_write(X86Cpu *cpu, gva_t lin, uint64_t value, unsigned size)
{
    uint8_t *host = mem_direct(cpu, lin, size, MEM_KERNEL, ACCESS_WRITE);
    if (likely(size == 8 && host)) {
        memcpy(host, &value, 8);
    } else {
        sys_write_slow(cpu, lin, value, size);
    }
}
void sys_probe(X86Cpu *cpu, gva_t lin, unsigned size, Access access);

/* ---- read-modify-write ---- */

/* A place in memory that has been checked for writing: load and store cannot fault any more. */
typedef struct MemRef {
    void *host; /* direct, not crossing a page, or NULL */
    gva_t lin;
    unsigned seg;
} MemRef;

void mem_ref_slow(X86Cpu *cpu, MemRef *ref, unsigned size);

static inline MemRef mem_ref(X86Cpu *cpu, unsigned seg, gva_t off, unsigned size)
{
    MemRef ref = {.lin = seg_linear(cpu, seg, off, size, ACCESS_WRITE), .seg = seg};
    const TlbEntry *e = &cpu->tlb[cpu->mem_mode][(ref.lin >> 12) & (TLB_SIZE - 1)];
    if (likely(ref.lin - e->wtag <= 4096 - size)) {
        ref.host = (void *)(e->addend + ref.lin);
    } else {
        mem_ref_slow(cpu, &ref, size);
    }
    return ref;
}

#define DEFINE_REF_ACCESS(bits)                                                                                        \
    static inline uint##bits##_t ref_load##bits(X86Cpu *cpu, const MemRef *ref)                                        \
    {                                                                                                                  \
        uint##bits##_t value;                                                                                          \
        if (likely(ref->host)) {                                                                                       \
            memcpy(&value, ref->host, bits / 8);                                                                       \
            return value;                                                                                              \
        }                                                                                                              \
        return (uint##bits##_t)lin_read_slow(cpu, ref->lin, bits / 8, ref->seg);                                       \
    }                                                                                                                  \
    static inline void ref_store##bits(X86Cpu *cpu, const MemRef *ref, uint##bits##_t value)                           \
    {                                                                                                                  \
        if (likely(ref->host)) {                                                                                       \
            memcpy(ref->host, &value, bits / 8);                                                                       \
        } else {                                                                                                       \
            lin_write_slow(cpu, ref->lin, value, bits / 8, ref->seg);                                                  \
        }                                                                                                              \
    }
DEFINE_REF_ACCESS(8)
DEFINE_REF_ACCESS(16)
DEFINE_REF_ACCESS(32)
DEFINE_REF_ACCESS(64)

/*
 * LOCK: if ref->host is set and aligned to the operand, host atomics on it are enough.  Otherwise bracket plain
 * loads and stores by these (an exclusive section over all vCPUs; nothing between them may raise).
 */
static inline bool ref_atomic(const MemRef *ref, unsigned size)
{
    return ref->host && ((uintptr_t)ref->host & (size - 1)) == 0;
}
void mem_exclusive_begin(X86Cpu *cpu);
void mem_exclusive_end(X86Cpu *cpu);

/* ---- TLB and paging: mmu.c ---- */

/* A new CPU: nothing can match. */
void tlb_init(X86Cpu *cpu);
void tlb_flush_all(X86Cpu *cpu);
void tlb_flush_nonglobal(X86Cpu *cpu);
void tlb_flush_page(X86Cpu *cpu, gva_t lin); /* INVLPG: globals too */
/* Drop write permission for one page of RAM in this CPU's TLB (it became code or tracked). vCPU stopped. */
void tlb_protect_page(X86Cpu *cpu, const uint8_t *host_page);

/*
 * Walk the page tables as the MMU does now, without side effects (monitor, gdb, IN_ASM logs).
 * False if not mapped.
 */
bool mmu_debug_translate(const X86Cpu *cpu, gva_t lin, gpa_t *phys);

/* The byte window for decoding at cs:rip: host pointer and bytes left in the page, or raises #PF / #GP. */
const FetchEntry *mmu_fetch(X86Cpu *cpu, gva_t lin);
