/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flushes of the data and fetch TLBs.  Every fill is logged, so that a flush touches what was filled, not the table.
 * Spec: Intel SDM vol 3 section 4.10 (what MOV CR3, INVLPG and CR4.PGE must drop).
 */
#include "target/x86/mmu.h"

#include "softmmu/core/ram.h"

enum { META_FILLED = 1, META_GLOBAL = 2, META_LARGE = 4 };

/* A page address whose index is not i: no address can match it. */
static uint64_t no_match(unsigned i)
{
    return (uint64_t)(i ^ 1) << 12;
}

static void entry_clear(TlbEntry *e, unsigned i)
{
    e->rtag = e->wtag = no_match(i);
    e->meta = 0;
}

void tlb_flush_all(X86Cpu *cpu)
{
    for (unsigned m = 0; m < NUM_MEM_MODES; m++) {
        for (unsigned i = 0; i < TLB_SIZE; i++) {
            entry_clear(&cpu->tlb[m][i], i);
        }
    }
    cpu->tlb_logged[0] = cpu->tlb_logged[1] = 0;
    cpu->tlb_large_lo = ~0ull;
    cpu->tlb_large_hi = 0;
    cpu->tlb_gen++;
    mmu_fetch_flush(cpu, true);
}

void mmu_fetch_flush(X86Cpu *cpu, bool globals_too)
{
    cpu->fetch_gen[0]++;
    if (globals_too) {
        cpu->fetch_gen[1]++;
    }
    if (cpu->fetch_gen[0] == 0 || cpu->fetch_gen[1] == 0) { /* wrapped: old entries could look valid again */
        memset(cpu->fetch, 0, sizeof(cpu->fetch));
        cpu->fetch_gen[0] = cpu->fetch_gen[1] = 1;
    }
}

void tlb_flush_nonglobal(X86Cpu *cpu)
{
    if (cpu->tlb_logged[0] > TLB_LOG) {
        tlb_flush_all(cpu);
        return;
    }
    for (unsigned n = 0; n < cpu->tlb_logged[0]; n++) {
        unsigned code = cpu->tlb_log[0][n];
        TlbEntry *e = &cpu->tlb[code >> TLB_BITS][code & (TLB_SIZE - 1)];
        if (!(e->meta & META_GLOBAL)) {
            entry_clear(e, code & (TLB_SIZE - 1));
        }
    }
    cpu->tlb_logged[0] = 0;
    cpu->tlb_gen++;
    mmu_fetch_flush(cpu, false);
}

/* Entries cut out of a large page: any of them may belong to the page that is invalidated. */
static void flush_large(X86Cpu *cpu, gva_t lin)
{
    if (cpu->tlb_logged[0] > TLB_LOG || cpu->tlb_logged[1] > TLB_LOG) {
        tlb_flush_all(cpu);
        return;
    }
    for (unsigned log = 0; log < 2; log++) {
        for (unsigned n = 0; n < cpu->tlb_logged[log]; n++) {
            unsigned code = cpu->tlb_log[log][n];
            TlbEntry *e = &cpu->tlb[code >> TLB_BITS][code & (TLB_SIZE - 1)];
            if ((e->meta & META_LARGE) && (e->rtag ^ lin) < GIB) {
                entry_clear(e, code & (TLB_SIZE - 1));
            }
        }
    }
}

void tlb_flush_page(X86Cpu *cpu, gva_t lin)
{
    unsigned i = (unsigned)(lin >> 12) & (TLB_SIZE - 1);
    for (unsigned m = 0; m < NUM_MEM_MODES; m++) {
        entry_clear(&cpu->tlb[m][i], i);
    }
    if (lin >= cpu->tlb_large_lo && lin <= cpu->tlb_large_hi) {
        flush_large(cpu, lin);
        mmu_fetch_flush(cpu, true);
    }
    FetchEntry *f = &cpu->fetch[(lin >> 12) & (FETCH_TLB_SIZE - 1)];
    f->gen = 0;
    cpu->tlb_gen++;
}

void tlb_protect_page(X86Cpu *cpu, const uint8_t *host_page)
{
    /* Rare (a page becomes code), and the address is not known: look at all that was filled. */
    for (unsigned log = 0; log < 2; log++) {
        bool overflow = cpu->tlb_logged[log] > TLB_LOG;
        unsigned count = overflow ? NUM_MEM_MODES * TLB_SIZE : cpu->tlb_logged[log];
        for (unsigned n = 0; n < count; n++) {
            unsigned code = overflow ? n : cpu->tlb_log[log][n];
            unsigned i = code & (TLB_SIZE - 1);
            TlbEntry *e = &cpu->tlb[code >> TLB_BITS][i];
            if (e->wtag != no_match(i) && (const uint8_t *)(e->addend + e->wtag) == host_page) {
                e->wtag = no_match(i);
            }
        }
    }
}

static void log_fill(X86Cpu *cpu, unsigned mode, unsigned i, bool global)
{
    uint16_t *logged = &cpu->tlb_logged[global];
    if (*logged < TLB_LOG) {
        cpu->tlb_log[global][*logged] = (uint16_t)(mode << TLB_BITS | i);
    }
    if (*logged <= TLB_LOG) { /* TLB_LOG + 1 means overflow */
        (*logged)++;
    }
}

void tlb_fill(X86Cpu *cpu, gva_t lin, unsigned mode, const Walk *w, uint8_t *host, bool writable)
{
    unsigned i = (unsigned)(lin >> 12) & (TLB_SIZE - 1);
    TlbEntry *e = &cpu->tlb[mode][i];
    gva_t page = lin & PAGE_MASK;
    uint64_t meta = META_FILLED | (w->global ? META_GLOBAL : 0) | (w->shift > 12 ? META_LARGE : 0);
    if (e->rtag != page || e->meta != meta) {
        log_fill(cpu, mode, i, w->global);
    }
    e->rtag = page;
    e->wtag = writable ? page : no_match(i);
    e->addend = (uintptr_t)host - lin;
    e->meta = meta;
    if (w->shift > 12) {
        cpu->tlb_large_lo = MIN(cpu->tlb_large_lo, page & ~(BIT64(w->shift) - 1));
        cpu->tlb_large_hi = MAX(cpu->tlb_large_hi, page | (BIT64(w->shift) - 1));
    }
}
