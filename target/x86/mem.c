/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slow paths of guest memory: TLB misses, page crossing, MMIO, ROM, pages that hold code or are tracked,
 * data breakpoints, alignment checks.
 */
#include "target/x86/mem.h"

#include "softmmu/core/machine.h"
#include "target/x86/debug.h"
#include "target/x86/mmu.h"
#include "target/x86/trial.h"

const uint64_t asize_mask[4] = {0, 0xffff, 0xffffffff, ~0ull};

/* One page's part of an access, translated. */
typedef struct Piece {
    uint8_t *host; /* RAM or ROM, NULL for callbacks */
    gpa_t phys;
    bool ram;
} Piece;

static void raise_noncanonical(X86Cpu *cpu, unsigned seg)
{
    cpu_raise_error(cpu, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
}

static void check_alignment(X86Cpu *cpu, gva_t lin, unsigned size)
{
    if (size <= 8 && (lin & (size - 1)) != 0) {
        cpu_raise_error(cpu, EXC_AC, 0);
    }
}

/* Host address of a byte in a whole page of ROM; NULL for callbacks, and for a page that is part something else. */
static uint8_t *find_rom(X86Cpu *cpu, gpa_t phys)
{
    FlatRange range;
    gpa_t page = phys & PAGE_MASK;
    if (!space_lookup(cpu->machine->memory, phys, &range) || range.region->kind == REGION_IO ||
        page < range.start || page + PAGE_SIZE > range.end) {
        return NULL;
    }
    return range.region->host + range.offset + (phys - range.start);
}

/* The TLB learns where the page of lin is, when direct access is allowed. */
static void keep(X86Cpu *cpu, gva_t lin, Access access, unsigned mode, const Walk *w, const Piece *piece)
{
    if (mode == MEM_USER_AC || (debug_data_armed(cpu) && debug_page_watched(cpu, lin))) {
        return;
    }
    bool writable = piece->ram && w->dirty && (access == ACCESS_WRITE) &&
                    !ram_page_watched(ram_page(cpu->machine->ram, piece->host));
    if (writable) {
        trial_before_write(cpu, piece->host - (lin & (PAGE_SIZE - 1)), PAGE_SIZE);
    }
    tlb_fill(cpu, lin, mode, w, piece->host, writable);
}

/* Translate the byte at lin (and what follows it in its page); raises #PF. Fills the TLB when that is allowed. */
static void translate(X86Cpu *cpu, gva_t lin, Access access, unsigned mode, Piece *piece)
{
    Walk w;
    uint32_t status = mmu_walk(cpu, lin, access, mode, true, &w);
    if (unlikely(status != WALK_OK)) {
        cpu_raise_pf(cpu, lin, status & ~WALK_FAULT);
    }
    piece->phys = w.phys;
    piece->host = mmu_ram(cpu, w.phys);
    piece->ram = piece->host != NULL;
    if (!piece->ram) {
        piece->host = find_rom(cpu, w.phys);
        if (!piece->host) {
            return;
        }
    }
    keep(cpu, lin, access, mode, &w, piece);
}

static uint64_t piece_read(X86Cpu *cpu, const Piece *p, unsigned size)
{
    uint64_t value = 0;
    if (!p->host) {
        trial_before_outside(cpu);
        return space_read(cpu->machine->memory, p->phys, size);
    }
    switch (size) { /* single host accesses: other vCPUs must never see half a value */
    case 1:
        return *p->host;
    case 2:
        memcpy(&value, p->host, 2);
        return value;
    case 4:
        memcpy(&value, p->host, 4);
        return value;
    case 8:
        memcpy(&value, p->host, 8);
        return value;
    default:
        memcpy(&value, p->host, size);
        return value;
    }
}

/*
 * Is the present instruction in the page of RAM that holds host?  Then a write there may change the block that runs, even if
 * nothing there is watched: another processor may have written to the same granule just before.
 */
static bool runs_in_page(const X86Cpu *cpu, const uint8_t *host)
{
    gva_t lin = cpu->code64 ? cpu->insn_rip : (uint32_t)(cpu->seg[SEG_CS].base + cpu->insn_rip);
    const FetchEntry *f = &cpu->fetch[(lin >> PAGE_SHIFT) & (FETCH_TLB_SIZE - 1)];
    return f->host && (uint64_t)(host - f->host) < PAGE_SIZE;
}

static void piece_write(X86Cpu *cpu, const Piece *p, uint64_t value, unsigned size)
{
    if (!p->host || !p->ram) {
        trial_before_outside(cpu);
        space_write(cpu->machine->memory, p->phys, value, size);
        return;
    }
    trial_before_write(cpu, p->host, size);
    switch (size) {
    case 1:
        *p->host = (uint8_t)value;
        break;
    case 2:
        memcpy(p->host, &value, 2);
        break;
    case 4:
        memcpy(p->host, &value, 4);
        break;
    case 8:
        memcpy(p->host, &value, 8);
        break;
    default:
        memcpy(p->host, &value, size);
        break;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* written, then looked: see ram_written() */
    bool hit = unlikely(ram_page_watched(ram_page(cpu->machine->ram, p->host))) &&
               ram_written(cpu->machine->ram, p->host, size);
    if (unlikely(hit || runs_in_page(cpu, p->host))) {
        cpu->break_block = true; /* perhaps our own next instruction */
    }
}

/* The linear address of the byte after the page that holds lin; wraps at 4 GiB outside 64-bit code. */
static gva_t next_page(const X86Cpu *cpu, gva_t lin)
{
    gva_t next = (lin & PAGE_MASK) + PAGE_SIZE;
    return cpu->long_mode ? next : next & 0xffffffffu;
}

/* Checks that come before translation; returns how many of the bytes lie in the first page. */
static unsigned begin_access(X86Cpu *cpu, gva_t lin, unsigned size, unsigned seg, unsigned mode)
{
    if (unlikely(!mmu_canonical(cpu, lin) || !mmu_canonical(cpu, lin + size - 1))) {
        raise_noncanonical(cpu, seg);
    }
    if (mode == MEM_USER_AC) {
        check_alignment(cpu, lin, size);
    }
    unsigned left = (unsigned)(PAGE_SIZE - (lin & (PAGE_SIZE - 1)));
    return MIN(left, size);
}

/* Up to 8 bytes over the end of a page, both pages known to the TLB: where the two parts are. */
static bool direct_pair(X86Cpu *cpu, gva_t lin, unsigned size, unsigned mode, Access access, uint8_t *part[2],
                        unsigned *first)
{
    *first = (unsigned)(PAGE_SIZE - (lin & (PAGE_SIZE - 1)));
    if (*first >= size) {
        return false;
    }
    part[0] = mem_direct(cpu, lin, *first, mode, access);
    part[1] = mem_direct(cpu, next_page(cpu, lin), size - *first, mode, access);
    return part[0] && part[1];
}

/* 8 bytes, the `first` of them at the end of a page, the others at the beginning of another. */
static uint64_t joined(const uint8_t *end, const uint8_t *begin, unsigned first)
{
    uint64_t low, high;
    memcpy(&low, end + first - 8, 8); /* the page's last bytes and the next one's first: both pages have them */
    memcpy(&high, begin, 8);
    return low >> (64 - 8 * first) | high << (8 * first);
}

static bool read_pair(X86Cpu *cpu, gva_t lin, unsigned size, unsigned mode, uint64_t *value)
{
    uint8_t *part[2];
    unsigned first;
    if (!direct_pair(cpu, lin, size, mode, ACCESS_READ, part, &first)) {
        return false;
    }
    *value = joined(part[0], part[1], first);
    return true;
}

static bool write_pair(X86Cpu *cpu, gva_t lin, uint64_t value, unsigned size, unsigned mode)
{
    uint8_t *part[2];
    unsigned first;
    if (!direct_pair(cpu, lin, size, mode, ACCESS_WRITE, part, &first)) {
        return false;
    }
    for (unsigned n = 0; n < size; n++, value >>= 8) {
        *(n < first ? part[0] + n : part[1] + (n - first)) = (uint8_t)value;
    }
    return true;
}

static uint64_t read_slow(X86Cpu *cpu, gva_t lin, unsigned size, unsigned seg, unsigned mode)
{
    Piece p[2];
    unsigned first = begin_access(cpu, lin, size, seg, mode);
    translate(cpu, lin, ACCESS_READ, mode, &p[0]);
    if (first < size) {
        translate(cpu, next_page(cpu, lin), ACCESS_READ, mode, &p[1]);
    }
    if (unlikely(debug_data_armed(cpu))) {
        debug_check_data(cpu, lin, size, false);
    }
    uint64_t value = piece_read(cpu, &p[0], first);
    if (first < size) {
        value |= piece_read(cpu, &p[1], size - first) << (first * 8);
    }
    return value;
}

static void write_slow(X86Cpu *cpu, gva_t lin, uint64_t value, unsigned size, unsigned seg, unsigned mode)
{
    Piece p[2];
    unsigned first = begin_access(cpu, lin, size, seg, mode);
    translate(cpu, lin, ACCESS_WRITE, mode, &p[0]);
    if (first < size) {
        translate(cpu, next_page(cpu, lin), ACCESS_WRITE, mode, &p[1]);
    }
    if (unlikely(debug_data_armed(cpu))) {
        debug_check_data(cpu, lin, size, true);
    }
    piece_write(cpu, &p[0], value, first);
    if (first < size) {
        piece_write(cpu, &p[1], value >> (first * 8), size - first);
    }
}

static void probe(X86Cpu *cpu, gva_t lin, unsigned size, unsigned seg, unsigned mode, Access access)
{
    Piece p;
    unsigned first = begin_access(cpu, lin, size, seg, mode == MEM_USER_AC && size > 8 ? MEM_USER : mode);
    if (!mem_direct(cpu, lin, first, mode, access)) {
        translate(cpu, lin, access, mode, &p);
    }
    if (first < size && !mem_direct(cpu, next_page(cpu, lin), size - first, mode, access)) {
        translate(cpu, next_page(cpu, lin), access, mode, &p);
    }
}

uint64_t lin_read_slow(X86Cpu *cpu, gva_t lin, unsigned size, unsigned seg)
{
    uint64_t value;
    if (read_pair(cpu, lin, size, cpu->mem_mode, &value)) {
        return value;
    }
    return read_slow(cpu, lin, size, seg, cpu->mem_mode);
}

void lin_write_slow(X86Cpu *cpu, gva_t lin, uint64_t value, unsigned size, unsigned seg)
{
    if (!write_pair(cpu, lin, value, size, cpu->mem_mode)) {
        write_slow(cpu, lin, value, size, seg, cpu->mem_mode);
    }
}

void mem_ref_slow(X86Cpu *cpu, MemRef *ref, unsigned size)
{
    ref->host = NULL;
    probe(cpu, ref->lin, size, ref->seg, cpu->mem_mode, ACCESS_WRITE);
    const TlbEntry *e = &cpu->tlb[cpu->mem_mode][(ref->lin >> 12) & (TLB_SIZE - 1)];
    if (ref->lin - e->wtag <= 4096 - size) {
        ref->host = (void *)(e->addend + ref->lin);
    }
}

/* ---- what translated code can do itself after all ---- */

static uint8_t *find_part(X86Cpu *cpu, gva_t lin, unsigned size, Access access)
{
    unsigned mode = cpu->mem_mode;
    uint8_t *host = mem_direct(cpu, lin, size, mode, access);
    Walk w;
    if (host || !mmu_canonical(cpu, lin) || !mmu_walk_cached(cpu, lin, access, mode, &w)) {
        return host;
    }
    uint64_t offset = w.phys - cpu->window.start;
    if (offset >= cpu->window.size) {
        return NULL;
    }
    keep(cpu, lin, access, mode, &w, &(Piece){.host = cpu->window.host + offset, .phys = w.phys, .ram = true});
    return mem_direct(cpu, lin, size, mode, access);
}

uint8_t *mem_find(X86Cpu *cpu, gva_t lin, unsigned size, Access access)
{
    unsigned first = (unsigned)(PAGE_SIZE - (lin & (PAGE_SIZE - 1)));
    if (first >= size) {
        return find_part(cpu, lin, size, access);
    }
    if (access == ACCESS_WRITE) {
        return NULL;
    }
    const uint8_t *end = find_part(cpu, lin, first, access), *begin = find_part(cpu, next_page(cpu, lin), size - first, access);
    if (!end || !begin) {
        return NULL;
    }
    uint8_t *copy = cpu->joined + (lin & 31); /* as aligned as the address is: some instructions want to know */
    if (size <= 8) {
        uint64_t value = joined(end, begin, first);
        memcpy(copy, &value, 8);
    } else {
        memcpy(copy, end, first);
        memcpy(copy + first, begin, size - first);
    }
    return copy;
}

/* ---- blocks of bytes ---- */

/* How many of `left` bytes at lin are in its page. */
static unsigned page_part(gva_t lin, unsigned left)
{
    return MIN(left, (unsigned)(PAGE_SIZE - (lin & (PAGE_SIZE - 1))));
}

void mem_read_bytes(X86Cpu *cpu, unsigned seg, gva_t off, void *buf, unsigned size)
{
    gva_t lin = seg_linear(cpu, seg, off, size, ACCESS_READ);
    const uint8_t *host = mem_direct(cpu, lin, size, cpu->mem_mode, ACCESS_READ);
    if (likely(host)) {
        memcpy(buf, host, size);
        return;
    }
    probe(cpu, lin, size, seg, cpu->mem_mode, ACCESS_READ);
    for (unsigned done = 0, n; done < size; done += n) {
        gva_t at = cpu->long_mode ? lin + done : (uint32_t)(lin + done);
        n = page_part(at, size - done);
        host = mem_direct(cpu, at, n, cpu->mem_mode, ACCESS_READ);
        if (host) {
            memcpy((uint8_t *)buf + done, host, n);
            continue;
        }
        n = MIN(size - done, 8);
        uint64_t value = read_slow(cpu, at, n, seg, cpu->mem_mode == MEM_USER_AC ? MEM_USER : cpu->mem_mode);
        memcpy((uint8_t *)buf + done, &value, n);
    }
}

void mem_write_bytes(X86Cpu *cpu, unsigned seg, gva_t off, const void *buf, unsigned size)
{
    gva_t lin = seg_linear(cpu, seg, off, size, ACCESS_WRITE);
    uint8_t *host = mem_direct(cpu, lin, size, cpu->mem_mode, ACCESS_WRITE);
    if (likely(host)) {
        memcpy(host, buf, size);
        return;
    }
    probe(cpu, lin, size, seg, cpu->mem_mode, ACCESS_WRITE);
    for (unsigned done = 0, n; done < size; done += n) {
        gva_t at = cpu->long_mode ? lin + done : (uint32_t)(lin + done);
        n = page_part(at, size - done);
        host = mem_direct(cpu, at, n, cpu->mem_mode, ACCESS_WRITE);
        if (host) {
            memcpy(host, (const uint8_t *)buf + done, n);
            continue;
        }
        n = MIN(size - done, 8);
        uint64_t value = 0;
        memcpy(&value, (const uint8_t *)buf + done, n);
        write_slow(cpu, at, value, n, seg, cpu->mem_mode == MEM_USER_AC ? MEM_USER : cpu->mem_mode);
    }
}

void mem_probe(X86Cpu *cpu, unsigned seg, gva_t off, unsigned size, Access access)
{
    gva_t lin = seg_linear(cpu, seg, off, size, access);
    if (!mem_direct(cpu, lin, size, cpu->mem_mode, access)) {
        probe(cpu, lin, size, seg, cpu->mem_mode, access);
    }
}

/* ---- as CPL 0: implicit accesses obey SMAP whatever EFLAGS.AC says (SDM vol 3 section 4.6) ---- */

static gva_t sys_wrap(const X86Cpu *cpu, gva_t lin)
{
    return cpu->long_mode ? lin : (uint32_t)lin;
}

uint64_t sys_read_slow(X86Cpu *cpu, gva_t lin, unsigned size)
{
    lin = sys_wrap(cpu, lin);
    const uint8_t *host = mem_direct(cpu, lin, size, MEM_KERNEL, ACCESS_READ);
    if (likely(host)) {
        uint64_t value = 0;
        memcpy(&value, host, size);
        return value;
    }
    return read_slow(cpu, lin, size, SEG_DS, MEM_KERNEL);
}

void sys_write_slow(X86Cpu *cpu, gva_t lin, uint64_t value, unsigned size)
{
    lin = sys_wrap(cpu, lin);
    uint8_t *host = mem_direct(cpu, lin, size, MEM_KERNEL, ACCESS_WRITE);
    if (likely(host)) {
        memcpy(host, &value, size);
        return;
    }
    write_slow(cpu, lin, value, size, SEG_DS, MEM_KERNEL);
}

void sys_probe(X86Cpu *cpu, gva_t lin, unsigned size, Access access)
{
    lin = sys_wrap(cpu, lin);
    if (!mem_direct(cpu, lin, size, MEM_KERNEL, access)) {
        probe(cpu, lin, size, SEG_DS, MEM_KERNEL, access);
    }
}

void mem_exclusive_begin(X86Cpu *cpu)
{
    if (cpu->trial) {
        return; /* its owner has stopped the others, and it may unwind from here */
    }
    exclusive_begin(cpu->machine->lock);
}

void mem_exclusive_end(X86Cpu *cpu)
{
    if (cpu->trial) {
        return;
    }
    exclusive_end(cpu->machine->lock);
}

/* ---- instruction fetch ---- */

const FetchEntry *mmu_fetch(X86Cpu *cpu, gva_t lin)
{
    FetchEntry *f = &cpu->fetch[(lin >> 12) & (FETCH_TLB_SIZE - 1)];
    uint64_t tag = (lin & PAGE_MASK) | (cpu->cpl == 3);
    if (likely(f->tag == tag && f->gen == cpu->fetch_gen[f->global])) {
        return f;
    }
    if (unlikely(!mmu_canonical(cpu, lin))) {
        cpu_raise_error(cpu, EXC_GP, 0);
    }
    Walk w;
    uint32_t status = mmu_walk(cpu, lin, ACCESS_EXEC, cpu->cpl == 3 ? MEM_USER : MEM_KERNEL, true, &w);
    if (unlikely(status != WALK_OK)) {
        cpu_raise_pf(cpu, lin, status & ~WALK_FAULT);
    }
    gpa_t page = w.phys & PAGE_MASK;
    *f = (FetchEntry){.tag = tag, .phys = page, .global = w.global, .gen = cpu->fetch_gen[w.global]};
    if (w.shift > 12) {
        tlb_note_large(cpu, lin, w.shift);
    }
    f->host = mmu_ram(cpu, page);
    if (!f->host) {
        f->host = find_rom(cpu, page);
    }
    return f;
}
