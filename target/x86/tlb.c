/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flushes of the data and fetch TLBs.  Every fill is logged, so that a flush touches what was filled, not the table.
 * Spec: Intel SDM vol 3 section 4.10 (what MOV CR3, INVLPG and CR4.PGE must drop).
 */
#include "target/x86/mmu.h"

#include "softmmu/core/ram.h"

enum {
    META_FILLED = 1, META_GLOBAL = 2, META_LARGE = 4,
    META_LOGGED = 8, /* << log: the log, or its overflow, covers this slot; stays when the entry is cleared */
};

/* A page address whose index is not i: no address can match it. */
static uint64_t no_match(unsigned i)
{
    return (uint64_t)(i ^ 1) << 12;
}

static void entry_clear(TlbEntry *e, unsigned i)
{
    e->rtag = e->wtag = no_match(i);
    e->meta &= META_LOGGED | META_LOGGED << 1;
}

/* The bit of tlb_large that stands for the 4 MiB around lin, and that of tlb_huge for its GiB. */
static unsigned large_bit(gva_t lin)
{
    return (unsigned)(lin >> 22 ^ lin >> 32) & (TLB_LARGE_BITS - 1);
}

static uint64_t huge_mask(gva_t lin)
{
    return BIT64((lin >> 30 ^ lin >> 36) & 63);
}

void tlb_note_large(X86Cpu *cpu, gva_t lin, unsigned shift)
{
    if (shift > 22) {
        cpu->tlb_huge |= huge_mask(lin);
    } else {
        cpu->tlb_large[large_bit(lin) / 64] |= BIT64(large_bit(lin) & 63);
    }
}

/* False only if no piece of a large page that holds lin was filled since the last full flush. */
static bool large_known(const X86Cpu *cpu, gva_t lin)
{
    return (cpu->tlb_huge & huge_mask(lin)) || cpu->tlb_large[large_bit(lin) / 64] >> (large_bit(lin) & 63) & 1;
}

typedef bool Doomed(const TlbEntry *e, gva_t lin);

static inline void consider(X86Cpu *cpu, unsigned m, unsigned i, Doomed *doomed, gva_t lin, uint64_t forget)
{
    TlbEntry *e = &cpu->tlb[m][i];
    e->meta &= ~forget;
    if (doomed(e, lin)) {
        entry_clear(e, i);
    }
}

/* Clear what is doomed among the slots a log covers: those named in it, or after an overflow those of all modes used. */
static inline void clear_logged(X86Cpu *cpu, unsigned log, Doomed *doomed, gva_t lin, bool forget)
{
    uint64_t mark = forget ? (uint64_t)META_LOGGED << log : 0;
    if (likely(cpu->tlb_logged[log] <= TLB_LOG)) {
        for (unsigned n = 0; n < cpu->tlb_logged[log]; n++) {
            unsigned code = cpu->tlb_log[log][n];
            consider(cpu, code >> TLB_BITS, code & (TLB_SIZE - 1), doomed, lin, mark);
        }
    } else {
        for (unsigned m = 0; m < NUM_MEM_MODES; m++) {
            for (unsigned i = 0; cpu->tlb_modes[log] >> m & 1 && i < TLB_SIZE; i++) {
                consider(cpu, m, i, doomed, lin, mark);
            }
        }
    }
    if (forget) {
        cpu->tlb_logged[log] = 0;
        cpu->tlb_modes[log] = 0;
    }
}

static bool any(const TlbEntry *e, gva_t lin)
{
    return true;
}

static bool not_global(const TlbEntry *e, gva_t lin)
{
    return !(e->meta & META_GLOBAL);
}

/* Entries cut out of a large page: any of them may belong to the page that is invalidated. */
static bool large_near(const TlbEntry *e, gva_t lin)
{
    return (e->meta & META_LARGE) && (e->rtag ^ lin) < GIB;
}

static void empty_slots(X86Cpu *cpu)
{
    cpu->slots_gen++;
    for (unsigned m = 0; m < NUM_MEM_MODES; m++) {
        for (unsigned w = 0; w < 2; w++) {
            for (uint64_t used = cpu->slots_used[m][w]; used; used &= used - 1) {
                cpu->slot[m][w][__builtin_ctzll(used)].limit = 0;
            }
            cpu->slots_used[m][w] = 0;
        }
    }
}

void tlb_init(X86Cpu *cpu)
{
    for (unsigned m = 0; m < NUM_MEM_MODES; m++) {
        for (unsigned i = 0; i < TLB_SIZE; i++) {
            entry_clear(&cpu->tlb[m][i], i);
        }
    }
}

/* Drop every fetch translation; kinds as the data TLB. */
static void fetch_flush(X86Cpu *cpu, bool globals_too)
{
    cpu->fetch_gen[0]++;
    memset(cpu->itlb, 0, globals_too ? sizeof(cpu->itlb) : ITLB_LOCAL * sizeof(cpu->itlb[0]));
    if (globals_too) {
        cpu->fetch_gen[1]++;
    }
    if (cpu->fetch_gen[0] == 0 || cpu->fetch_gen[1] == 0) { /* wrapped: old entries could look valid again */
        memset(cpu->fetch, 0, sizeof(cpu->fetch));
        cpu->fetch_gen[0] = cpu->fetch_gen[1] = 1;
    }
}

void tlb_flush_all(X86Cpu *cpu)
{
    empty_slots(cpu);
    for (unsigned log = 0; log < 2; log++) {
        clear_logged(cpu, log, any, 0, true);
    }
    memset(cpu->tlb_large, 0, sizeof(cpu->tlb_large));
    cpu->tlb_huge = 0;
    cpu->window.size = 0;
    cpu->walk_gen++;
    cpu->tlb_gen++;
    fetch_flush(cpu, true);
}

void tlb_flush_nonglobal(X86Cpu *cpu)
{
    empty_slots(cpu);
    clear_logged(cpu, 0, not_global, 0, true);
    cpu->walk_gen++;
    cpu->tlb_gen++;
    fetch_flush(cpu, false);
}

void tlb_flush_page(X86Cpu *cpu, gva_t lin)
{
    empty_slots(cpu);
    unsigned i = (unsigned)(lin >> 12) & (TLB_SIZE - 1);
    for (unsigned m = 0; m < NUM_MEM_MODES; m++) {
        entry_clear(&cpu->tlb[m][i], i);
    }
    if (large_known(cpu, lin)) {
        clear_logged(cpu, 0, large_near, lin, false);
        clear_logged(cpu, 1, large_near, lin, false);
        fetch_flush(cpu, true);
    }
    FetchEntry *f = &cpu->fetch[(lin >> 12) & (FETCH_TLB_SIZE - 1)];
    f->gen = 0;
    cpu->walk_gen++;
    cpu->itlb[itlb_slot(false, lin)] = cpu->itlb[itlb_slot(true, lin)] = 0;
    cpu->tlb_gen++;
}

void tlb_protect_page(X86Cpu *cpu, const uint8_t *host_page)
{
    empty_slots(cpu);
    /* Rare (a page becomes code), and the address is not known: look at all that was filled. */
    for (unsigned log = 0; log < 2; log++) {
        bool overflow = cpu->tlb_logged[log] > TLB_LOG;
        unsigned count = overflow ? NUM_MEM_MODES * TLB_SIZE : cpu->tlb_logged[log];
        for (unsigned n = 0; n < count; n++) {
            unsigned code = overflow ? n : cpu->tlb_log[log][n];
            unsigned i = code & (TLB_SIZE - 1);
            if (!(cpu->tlb_modes[log] >> (code >> TLB_BITS) & 1)) {
                n |= TLB_SIZE - 1; /* nothing was filled in this mode */
                continue;
            }
            TlbEntry *e = &cpu->tlb[code >> TLB_BITS][i];
            if (e->wtag != no_match(i) && (const uint8_t *)(e->addend + e->wtag) == host_page) {
                e->wtag = no_match(i);
            }
        }
    }
}

static void log_fill(X86Cpu *cpu, TlbEntry *e, unsigned mode, unsigned i, bool global)
{
    if (e->meta & META_LOGGED << global) {
        return;
    }
    uint16_t *logged = &cpu->tlb_logged[global];
    e->meta |= META_LOGGED << global;
    cpu->tlb_modes[global] |= (uint8_t)(1u << mode);
    if (*logged < TLB_LOG) {
        cpu->tlb_log[global][*logged] = (uint16_t)(mode << TLB_BITS | i);
    }
    if (*logged <= TLB_LOG) { /* TLB_LOG + 1 means overflow */
        (*logged)++;
    }
}

void tlb_fill(X86Cpu *cpu, gva_t lin, unsigned mode, const Walk *w, uint8_t *host, bool writable)
{
    cpu->tlb_fills++;
    unsigned i = (unsigned)(lin >> 12) & (TLB_SIZE - 1);
    TlbEntry *e = &cpu->tlb[mode][i];
    gva_t page = lin & PAGE_MASK;
    log_fill(cpu, e, mode, i, w->global);
    e->rtag = page;
    e->wtag = writable ? page : no_match(i);
    e->addend = (uintptr_t)host - lin;
    e->meta = (e->meta & (META_LOGGED | META_LOGGED << 1)) | META_FILLED | (w->global ? META_GLOBAL : 0) |
              (w->shift > 12 ? META_LARGE : 0);
    if (w->shift > 12) {
        tlb_note_large(cpu, lin, w->shift);
    }
}
