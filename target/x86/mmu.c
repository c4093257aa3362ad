/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page walk for every paging mode but 5-level.
 * Spec: Intel SDM vol 3 chapter 4 (4.3 32-bit, 4.4 PAE, 4.5 4-level, 4.6 access rights and protection keys, 4.8
 * accessed and dirty).
 */
#include "target/x86/mmu.h"

#include "softmmu/core/machine.h"
#include "target/x86/cpuid.h"
#include "target/x86/trial.h"

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40, PTE_PS = 0x80, PTE_G = 0x100 };
#define PTE_NX (1ull << 63)

/* One level's geometry. */
typedef struct Level {
    uint8_t shift; /* of the address bits below this entry's page */
    uint8_t bits;  /* index width */
    bool may_be_leaf;
} Level;

static const Level levels_32[] = {{22, 10, true}, {12, 10, true}};
static const Level levels_pae[] = {{21, 9, true}, {12, 9, true}};
static const Level levels_4[] = {{39, 9, false}, {30, 9, true}, {21, 9, true}, {12, 9, true}};

typedef struct Entry {
    gpa_t addr;
    uint8_t *host; /* in RAM, or NULL */
    uint64_t value;
    bool wide;     /* 8 bytes */
} Entry;

uint8_t *mmu_ram_slow(X86Cpu *cpu, gpa_t addr)
{
    FlatRange range;
    if (!space_lookup(cpu->machine->memory, addr, &range) || range.region->kind != REGION_RAM) {
        return NULL;
    }
    gpa_t start = (range.start + PAGE_SIZE - 1) & PAGE_MASK, end = range.end & PAGE_MASK;
    if (addr < start || addr >= end) {
        return NULL;
    }
    cpu->window = (RamWindow){.start = start, .size = end - start,
                              .host = range.region->host + range.offset + (start - range.start)};
    return cpu->window.host + (addr - start);
}

static void entry_load(Entry *e)
{
    e->value = e->wide ? __atomic_load_n((uint64_t *)(void *)e->host, __ATOMIC_RELAXED)
                       : __atomic_load_n((uint32_t *)(void *)e->host, __ATOMIC_RELAXED);
}

static void entry_read(X86Cpu *cpu, Entry *e)
{
    e->host = mmu_ram(cpu, e->addr);
    if (likely(e->host)) {
        entry_load(e);
    } else {
        trial_before_outside(cpu);
        e->value = space_read(cpu->machine->memory, e->addr, e->wide ? 8 : 4);
    }
}

/* Set bits in an entry as the MMU does: atomically, and only if it has not changed meanwhile. */
static bool entry_set(X86Cpu *cpu, Entry *e, uint64_t bits)
{
    uint64_t want = e->value | bits;
    if (want == e->value) {
        return true;
    }
    if (!e->host) {
        return true; /* tables in ROM or MMIO: the update is lost, as on a bus that drops it */
    }
    if (!trial_walk_sets(cpu, e->host, e->value, e->wide)) {
        e->value = want;
        return true;
    }
    bool done;
    if (e->wide) {
        uint64_t old = e->value;
        done = __atomic_compare_exchange_n((uint64_t *)(void *)e->host, &old, want, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_RELAXED);
    } else {
        uint32_t old = (uint32_t)e->value;
        done = __atomic_compare_exchange_n((uint32_t *)(void *)e->host, &old, (uint32_t)want, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_RELAXED);
    }
    if (done) {
        e->value = want;
        if (unlikely(ram_page_watched(ram_page(cpu->machine->ram, e->host)))) {
            ram_written(cpu->machine->ram, e->host, e->wide ? 8 : 4);
        }
    }
    return done;
}

/* Bits that must be zero in a present entry (SDM vol 3 tables 4-4 to 4-19). */
static uint64_t reserved_bits(const X86Cpu *cpu, const Level *l, bool wide, bool leaf)
{
    uint64_t high = MASK64(51, cpu->model->phys_bits);
    if (!wide) {
        /* 4 MiB pages: bit 21; bits 20:13 hold address bits 39:32 (PSE-36). */
        return leaf && l->shift == 22 ? BIT64(21) : 0;
    }
    uint64_t r = high;
    if (!(cpu->efer & EFER_NXE)) {
        r |= PTE_NX;
    }
    if (!cpu->long_mode) {
        r |= MASK64(62, 52);
    }
    if (leaf && l->shift > 12) {
        r |= MASK64(l->shift - 1, 13);
    } else if (!leaf && !l->may_be_leaf) {
        r |= PTE_PS; /* PML4E */
    }
    return r;
}

static uint32_t fault(const X86Cpu *cpu, Access access, unsigned mode, uint32_t code)
{
    if (access == ACCESS_WRITE) {
        code |= PF_W;
    } else if (access == ACCESS_EXEC &&
               (((cpu->efer & EFER_NXE) && (cpu->cr4 & CR4_PAE)) || (cpu->cr4 & CR4_SMEP))) {
        code |= PF_I;
    }
    if (mode >= MEM_USER) {
        code |= PF_U;
    }
    return code | WALK_FAULT;
}

/* SDM vol 3 section 4.6.1. */
static bool allowed(const X86Cpu *cpu, const Walk *w, Access access, unsigned mode)
{
    if (mode >= MEM_USER) {
        return w->user && (access != ACCESS_WRITE || w->write) && (access != ACCESS_EXEC || !w->no_exec);
    }
    switch (access) {
    case ACCESS_EXEC:
        return !w->no_exec && !(w->user && (cpu->cr4 & CR4_SMEP));
    case ACCESS_WRITE:
        if (!w->write && (cpu->cr0 & CR0_WP)) {
            return false;
        }
        break;
    case ACCESS_READ:
        break;
    }
    return !(w->user && (cpu->cr4 & CR4_SMAP) && mode == MEM_KERNEL);
}

/*
 * SDM vol 3 section 4.6.2: does the page's protection key forbid a data access?  4.7: #PF tells so even when the access
 * rights forbid it, too.
 */
static bool key_forbids(const X86Cpu *cpu, const Walk *w, uint64_t entry, Access access, unsigned mode)
{
    enum { ACCESS_DISABLE = 1, WRITE_DISABLE = 2 };
    if (access == ACCESS_EXEC || !cpu->long_mode || !(cpu->cr4 & (w->user ? CR4_PKE : CR4_PKS))) {
        return false;
    }
    unsigned key = (unsigned)(entry >> 59) & 15;
    uint32_t rights = (w->user ? cpu->pkru : cpu->pkrs) >> (2 * key);
    bool write = access == ACCESS_WRITE && (mode >= MEM_USER || (cpu->cr0 & CR0_WP));
    return (rights & ACCESS_DISABLE) || (write && (rights & WRITE_DISABLE));
}

static bool is_leaf(const X86Cpu *cpu, const Level *l, uint64_t entry)
{
    if (l->shift == 12) {
        return true;
    }
    if (!l->may_be_leaf || !(entry & PTE_PS)) {
        return false;
    }
    if (l->shift == 22) {
        return (cpu->cr4 & CR4_PSE) != 0;
    }
    return l->shift != 30 || feature_in(&cpu->features, FEAT_PDPE1GB);
}

static gpa_t leaf_address(const Level *l, bool wide, uint64_t entry, gva_t lin)
{
    uint64_t offset = lin & (BIT64(l->shift) - 1);
    if (wide) {
        return (entry & MASK64(51, l->shift)) | offset;
    }
    if (l->shift == 22) {
        return (entry & 0xffc00000u) | (entry >> 13 & 0xff) << 32 | offset;
    }
    return (entry & 0xfffff000u) | offset;
}

/* Where the walk starts: false when a PAE PDPTE is absent. */
static bool first_table(const X86Cpu *cpu, gva_t lin, const Level **level, unsigned *n, gpa_t *table)
{
    if (cpu->long_mode) {
        *level = levels_4;
        *n = ARRAY_LEN(levels_4);
        *table = cpu->cr3 & MASK64(51, 12);
    } else if (cpu->cr4 & CR4_PAE) {
        uint64_t pdpte = cpu->pdpte[lin >> 30 & 3];
        *level = levels_pae;
        *n = ARRAY_LEN(levels_pae);
        *table = pdpte & MASK64(51, 12);
        return pdpte & PTE_P;
    } else {
        *level = levels_32;
        *n = ARRAY_LEN(levels_32);
        *table = cpu->cr3 & 0xfffff000u;
    }
    return true;
}

/* How a walk of the tables is done, and for what. */
typedef struct Request {
    gva_t lin;
    Access access;
    unsigned mode;
    bool side_effects;
} Request;

enum { WALK_AGAIN = 1 }; /* an entry changed under the walk */

/* A present entry's part: rights are added to *w; 0, or a fault. */
static uint32_t take_entry(X86Cpu *cpu, const Request *q, const Level *l, const Entry *e, bool leaf, Walk *w)
{
    uint64_t reserved = reserved_bits(cpu, l, e->wide, leaf);
    if (l->shift == 30 && (e->value & PTE_PS) && !leaf) {
        reserved |= PTE_PS;
    }
    if (unlikely(e->value & reserved)) {
        return fault(cpu, q->access, q->mode, PF_P | PF_RSVD);
    }
    w->user &= (e->value & PTE_U) != 0;
    w->write &= (e->value & PTE_W) != 0;
    w->no_exec |= e->wide && (e->value & PTE_NX);
    return WALK_OK;
}

static uint32_t take_leaf(X86Cpu *cpu, const Request *q, const Level *l, Entry *e, Walk *w)
{
    bool keyed = q->side_effects && key_forbids(cpu, w, e->value, q->access, q->mode); /* debuggers pass */
    if (keyed || !allowed(cpu, w, q->access, q->mode)) {
        return fault(cpu, q->access, q->mode, keyed ? PF_P | PF_PK : PF_P);
    }
    if (q->side_effects && !entry_set(cpu, e, PTE_A | (q->access == ACCESS_WRITE ? PTE_D : 0))) {
        return WALK_AGAIN;
    }
    w->dirty = (e->value & PTE_D) != 0;
    w->global = (e->value & PTE_G) && (cpu->cr4 & CR4_PGE);
    w->shift = l->shift;
    w->phys = leaf_address(l, e->wide, e->value, q->lin) & cpu->a20_mask;
    return WALK_OK;
}

/* ---- the paging-structure cache ---- */

static unsigned region_shift(const X86Cpu *cpu)
{
    return cpu->cr4 & CR4_PAE ? 21 : 22;
}

static WalkEntry *cache_slot(X86Cpu *cpu, gva_t region)
{
    return &cpu->walk[region & (WALK_CACHE_SIZE - 1)];
}

/* Every level above the last is present, of good form, and marked accessed: that may be remembered. */
static void cache_put(X86Cpu *cpu, gva_t lin, gpa_t table, const Walk *w)
{
    uint8_t *host = mmu_ram(cpu, table & cpu->a20_mask);
    gva_t region = lin >> region_shift(cpu);
    if (host) {
        *cache_slot(cpu, region) = (WalkEntry){.region = region, .gen = cpu->walk_gen, .table = host, .user = w->user,
                                               .write = w->write, .no_exec = w->no_exec};
    }
}

/* Faults found this way are not final: SDM vol 3 section 4.10.4.1, a page fault does not recur for a stale entry. */
static uint32_t walk_cached(X86Cpu *cpu, const Request *q, Walk *w)
{
    static const Level last = {12, 0, true};
    bool wide = (cpu->cr4 & CR4_PAE) != 0;
    gva_t region = q->lin >> (wide ? 21 : 22);
    const WalkEntry *c = cache_slot(cpu, region);
    if (c->region != region || c->gen != cpu->walk_gen) {
        return WALK_FAULT;
    }
    Entry e = {.wide = wide};
    e.host = c->table + (wide ? (q->lin >> 12 & 511) * 8 : (q->lin >> 12 & 1023) * 4);
    entry_load(&e);
    *w = (Walk){.user = c->user, .write = c->write, .no_exec = c->no_exec};
    if (!(e.value & PTE_P) || take_entry(cpu, q, &last, &e, true, w) != WALK_OK) {
        return WALK_FAULT;
    }
    return take_leaf(cpu, q, &last, &e, w);
}

bool mmu_walk_cached(X86Cpu *cpu, gva_t lin, Access access, unsigned mode, Walk *w)
{
    Request q = {.lin = lin, .access = access, .mode = mode, .side_effects = true};
    return (cpu->cr0 & CR0_PG) && walk_cached(cpu, &q, w) == WALK_OK;
}

/* ---- walks ---- */

static uint32_t walk_tables(X86Cpu *cpu, const Request *q, Walk *w)
{
    const Level *l;
    unsigned n;
    gpa_t table;
    bool wide = (cpu->cr4 & CR4_PAE) != 0;
    if (!first_table(cpu, q->lin, &l, &n, &table)) {
        return fault(cpu, q->access, q->mode, 0);
    }
    *w = (Walk){.user = true, .write = true};
    for (unsigned i = 0; i < n; i++, l++) {
        unsigned index = (unsigned)(q->lin >> l->shift) & (BIT(l->bits) - 1);
        Entry e = {.addr = (table + index * (wide ? 8 : 4)) & cpu->a20_mask, .wide = wide};
        entry_read(cpu, &e);
        if (!(e.value & PTE_P)) {
            return fault(cpu, q->access, q->mode, 0);
        }
        bool leaf = is_leaf(cpu, l, e.value);
        uint32_t status = take_entry(cpu, q, l, &e, leaf, w);
        if (status != WALK_OK) {
            return status;
        }
        if (leaf) {
            return take_leaf(cpu, q, l, &e, w);
        }
        if (q->side_effects && !entry_set(cpu, &e, PTE_A)) {
            return WALK_AGAIN;
        }
        table = wide ? e.value & MASK64(51, 12) : e.value & 0xfffff000u;
        if (i == n - 2 && q->side_effects && e.host) {
            cache_put(cpu, q->lin, table, w);
        }
    }
    g_assert_not_reached();
}

uint32_t mmu_walk(X86Cpu *cpu, gva_t lin, Access access, unsigned mode, bool side_effects, Walk *w)
{
    if (!(cpu->cr0 & CR0_PG)) {
        *w = (Walk){.phys = (lin & 0xffffffffu) & cpu->a20_mask, .user = true, .write = true, .dirty = true,
                    .shift = 12};
        return WALK_OK;
    }
    Request q = {.lin = lin, .access = access, .mode = mode, .side_effects = side_effects};
    if (side_effects && walk_cached(cpu, &q, w) == WALK_OK) {
        return WALK_OK;
    }
    for (;;) {
        uint32_t status = walk_tables(cpu, &q, w);
        if (status != WALK_AGAIN) {
            return status;
        }
    }
}

bool mmu_debug_translate(const X86Cpu *cpu, gva_t lin, gpa_t *phys)
{
    Walk w;
    if (!mmu_canonical(cpu, lin)) {
        return false;
    }
    /* Without side effects the walk changes nothing; the cast only serves its signature.  Supervisor reads with
       SMAP lifted see every present page. */
    if (mmu_walk((X86Cpu *)(uintptr_t)cpu, lin, ACCESS_READ, MEM_KERNEL_AC, false, &w) != WALK_OK) {
        return false;
    }
    *phys = w.phys;
    return true;
}
