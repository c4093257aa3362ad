/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page table walks: linear to physical with permissions, accessed and dirty bits. */
#pragma once

#include "target/x86/mem.h"

typedef struct Walk {
    gpa_t phys;       /* of the very address, A20 applied */
    bool user, write; /* allowed by every level */
    bool no_exec;
    bool global;
    bool dirty;       /* the leaf's D bit is set now */
    uint8_t shift;    /* log2 of the page size */
} Walk;

enum { WALK_OK = 0, WALK_FAULT = 1u << 31 };

/*
 * Translate for an access in one of the MEM_* modes.  WALK_OK, or WALK_FAULT | #PF error code.  side_effects: set
 * A and D bits as the MMU does.
 */
uint32_t mmu_walk(X86Cpu *cpu, gva_t lin, Access access, unsigned mode, bool side_effects, Walk *walk);

/* The same by the paging-structure cache alone, with side effects.  False: it does not know, or there may be a fault. */
bool mmu_walk_cached(X86Cpu *cpu, gva_t lin, Access access, unsigned mode, Walk *walk);

/* Canonical form for the paging mode in force; always true outside long mode. */
static inline bool mmu_canonical(const X86Cpu *cpu, gva_t lin)
{
    return !cpu->long_mode || (gva_t)((int64_t)(lin << 16) >> 16) == lin;
}

/* Find the range of RAM that holds addr and remember it: NULL if addr is elsewhere, or its page is not all RAM. */
uint8_t *mmu_ram_slow(X86Cpu *cpu, gpa_t addr);
/* Host address of a guest physical address in a whole page of RAM, or NULL. */
static inline uint8_t *mmu_ram(X86Cpu *cpu, gpa_t addr)
{
    uint64_t offset = addr - cpu->window.start;
    return likely(offset < cpu->window.size) ? cpu->window.host + offset : mmu_ram_slow(cpu, addr);
}

/* A piece of a large page at lin enters the data or the fetch TLB: INVLPG must find it. */
void tlb_note_large(X86Cpu *cpu, gva_t lin, unsigned shift);

/* Make direct access to the page of lin possible; host is the address of the byte at lin. */
void tlb_fill(X86Cpu *cpu, gva_t lin, unsigned mode, const Walk *walk, uint8_t *host, bool writable);
