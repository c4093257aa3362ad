/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page walk for every paging mode but 5-level.
 * Spec: Intel SDM vol 3 chapter 4 (4.3 32-bit, 4.4 PAE, 4.5 4-level, 4.6 access rights and protection keys, 4.8
 * accessed and dirty).
 */
#include "target/x86/mmu.h"

#include "softmmu/core/machine.h"
#include "target/x86/cpuid.h"

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

static void entry_read(X86Cpu *cpu, Entry *e)
{
    FlatRange range;
    AddressSpace *mem = cpu->machine->memory;
    unsigned size = e->wide ? 8 : 4;
    e->host = NULL;
    if (space_lookup(mem, e->addr, &range) && range.region->kind != REGION_IO && e->addr + size <= range.end) {
        uint8_t *p = range.region->host + range.offset + (e->addr - range.start);
        e->value = e->wide ? __atomic_load_n((uint64_t *)(void *)p, __ATOMIC_RELAXED)
                           : __atomic_load_n((uint32_t *)(void *)p, __ATOMIC_RELAXED);
        e->host = range.region->kind == REGION_RAM ? p : NULL;
    } else {
        e->value = space_read(mem, e->addr, size);
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

static uint32_t walk_tables(X86Cpu *cpu, gva_t lin, Access access, unsigned mode, bool side_effects, Walk *w,
                            bool *retry)
{
    const Level *l;
    unsigned n;
    gpa_t table;
    bool wide = (cpu->cr4 & CR4_PAE) != 0;
    if (!first_table(cpu, lin, &l, &n, &table)) {
        return fault(cpu, access, mode, 0);
    }
    *w = (Walk){.user = true, .write = true};
    for (unsigned i = 0; i < n; i++, l++) {
        unsigned index = (unsigned)(lin >> l->shift) & (BIT(l->bits) - 1);
        Entry e = {.addr = (table + index * (wide ? 8 : 4)) & cpu->a20_mask, .wide = wide};
        entry_read(cpu, &e);
        if (!(e.value & PTE_P)) {
            return fault(cpu, access, mode, 0);
        }
        bool leaf = is_leaf(cpu, l, e.value);
        uint64_t reserved = reserved_bits(cpu, l, wide, leaf);
        if (l->shift == 30 && (e.value & PTE_PS) && !leaf) {
            reserved |= PTE_PS;
        }
        if (e.value & reserved) {
            return fault(cpu, access, mode, PF_P | PF_RSVD);
        }
        w->user &= (e.value & PTE_U) != 0;
        w->write &= (e.value & PTE_W) != 0;
        w->no_exec |= wide && (e.value & PTE_NX);
        if (!leaf) {
            if (side_effects && !entry_set(cpu, &e, PTE_A)) {
                *retry = true;
                return WALK_OK;
            }
            table = wide ? e.value & MASK64(51, 12) : e.value & 0xfffff000u;
            continue;
        }
        bool keyed = side_effects && key_forbids(cpu, w, e.value, access, mode); /* debuggers pass */
        if (keyed || !allowed(cpu, w, access, mode)) {
            return fault(cpu, access, mode, keyed ? PF_P | PF_PK : PF_P);
        }
        if (side_effects && !entry_set(cpu, &e, PTE_A | (access == ACCESS_WRITE ? PTE_D : 0))) {
            *retry = true;
            return WALK_OK;
        }
        w->dirty = (e.value & PTE_D) != 0;
        w->global = (e.value & PTE_G) && (cpu->cr4 & CR4_PGE);
        w->shift = l->shift;
        w->phys = leaf_address(l, wide, e.value, lin) & cpu->a20_mask;
        return WALK_OK;
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
    for (;;) {
        bool retry = false;
        uint32_t status = walk_tables(cpu, lin, access, mode, side_effects, w, &retry);
        if (!retry) {
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
