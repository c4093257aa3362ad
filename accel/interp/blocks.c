/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interpreter's decoded-block cache. */
#include "accel/interp/interp.h"

#include <string.h>
#include <sys/mman.h>

#include "softmmu/core/machine.h"
#include "target/x86/cpuid.h"
#include "target/x86/disas.h"
#include "target/x86/mem.h"
#include "tcg/jit.h"

BlockCache *block_cache_new(size_t arena_size)
{
    BlockCache *c = g_new0(BlockCache, 1);
    c->size = arena_size;
    c->arena = mmap(NULL, arena_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    g_assert(c->arena != MAP_FAILED);
    return c;
}

void block_cache_free(BlockCache *c)
{
    if (c) {
        jit_free(c->jit);
        munmap(c->arena, c->size);
        g_free(c);
    }
}

static void flush(BlockCache *c)
{
    memset(c->buckets, 0, sizeof(c->buckets));
    memset(c->jump, 0, sizeof(c->jump));
    if (c->jit) {
        jit_flush(c->jit);
    }
    c->used = 0;
    c->flush = false;
    c->flushes++;
}

void *block_alloc(BlockCache *c, size_t size)
{
    if (c->used + size > c->size) {
        return NULL;
    }
    void *p = c->arena + c->used;
    c->used += (size + 15) & ~(size_t)15;
    return p;
}

/* Code outside RAM changes only with the memory map. */
static const uint32_t no_gen;

static unsigned bucket_of(gpa_t phys, unsigned code_size)
{
    /* functions are aligned, so that the low bits tell little: all bits into the high ones */
    return (unsigned)((phys << 2 | code_size) * 0x9e3779b97f4a7c15u >> (64 - BLOCK_BUCKET_BITS));
}

/*
 * Announce that bytes [offset, offset + len) of a RAM page are about to be decoded: from now on writes there are
 * seen.  A page that held no code may still be writable through some vCPU's TLB: all are stopped to take that away.
 */
static void watch_code(X86Cpu *cpu, RamPage *page, const uint8_t *host_page, unsigned offset, unsigned len)
{
    uint64_t mask = MASK64((offset + len - 1) >> 6, offset >> 6);
    uint64_t old = __atomic_fetch_or(&page->code, mask, __ATOMIC_SEQ_CST);
    if (old == 0) {
        Machine *m = cpu->machine;
        exclusive_begin(m->lock);
        for (unsigned i = 0; i < m->num_cpus; i++) {
            tlb_protect_page(m->cpus[i], host_page);
        }
        exclusive_end(m->lock);
    }
}

static void log_block(X86Cpu *cpu, const Block *b, gva_t rip, const uint8_t *bytes)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "IN: cpu %u\n", cpu->index);
    for (unsigned n = 0, at = 0; n < b->num; at += b->insns[n].len, n++) {
        disas_append(text, bytes + at, b->insns[n].len, rip + at, cpu->code_size);
    }
    log_printf("%s\n", text->str);
}

/* Decode from offset in the page until a block end; 0 instructions when even the first does not fit in the page. */
static void decode(X86Cpu *cpu, Block *b, const uint8_t *page, unsigned offset)
{
    unsigned at = offset;
    b->num = 0;
    while (b->num < BLOCK_MAX_INSNS) {
        Insn *i = &b->insns[b->num];
        DecodeStatus status = insn_decode(i, page + at, (unsigned)PAGE_SIZE - at, cpu->code_size, &cpu->features);
        if (status == DECODE_SHORT) {
            break;
        }
        b->num++;
        at += i->len;
        if (status != DECODE_OK || (insn_row(i)->attr & A_END) || at >= PAGE_SIZE) {
            break;
        }
    }
    b->bytes = (uint16_t)(at - offset);
}

/* Bookkeeping of a page of code: its generation, watched bytes; code outside RAM has none. */
static const uint32_t *watch(X86Cpu *cpu, const FetchEntry *f, unsigned offset, unsigned len, uint32_t *gen)
{
    if (!ram_owns(cpu->machine->ram, f->host)) {
        *gen = no_gen;
        return &no_gen;
    }
    RamPage *page = ram_page(cpu->machine->ram, f->host);
    watch_code(cpu, page, f->host, offset, len);
    *gen = __atomic_load_n(&page->code_gen, __ATOMIC_SEQ_CST);
    return &page->code_gen;
}

/*
 * Watch first, decode afterwards: a write in between raises the generation.  The bytes are not known before, so a length is
 * guessed, and what was not used stays watched, which costs little.
 */
static void decode_watched(X86Cpu *cpu, Block *b, const FetchEntry *f, unsigned offset)
{
    unsigned len = MIN((unsigned)PAGE_SIZE - offset, 64u);
    b->page_gen2 = NULL;
    b->page_gen = watch(cpu, f, offset, len, &b->gen);
    decode(cpu, b, f->host, offset);
    while (b->bytes > len) {
        len = b->bytes;
        watch(cpu, f, offset, len, &b->gen);
        decode(cpu, b, f->host, offset);
    }
}

/* The one instruction that begins at the end of a page.  False when its second page is no memory. */
static bool decode_crossing(X86Cpu *cpu, Block *b, const CodePages *pages, unsigned offset)
{
    unsigned first = (unsigned)PAGE_SIZE - offset;
    uint8_t bytes[15];
    if (!pages->second->host || first >= sizeof(bytes)) {
        return false;
    }
    b->page_gen = watch(cpu, pages->first, offset, first, &b->gen);
    b->page_gen2 = watch(cpu, pages->second, 0, sizeof(bytes) - first, &b->gen2);
    b->phys2 = pages->second->phys;
    memcpy(bytes, pages->first->host + offset, first);
    memcpy(bytes + first, pages->second->host, sizeof(bytes) - first);
    DecodeStatus status = insn_decode(b->insns, bytes, sizeof(bytes), cpu->code_size, &cpu->features);
    b->num = 1;
    b->bytes = b->insns[0].len;
    return status != DECODE_SHORT && b->bytes > first;
}

static Block *new_block(InterpVcpu *v, const CodePages *pages, unsigned offset)
{
    BlockCache *c = v->cache;
    size_t most = sizeof(Block) + BLOCK_MAX_INSNS * sizeof(Insn);
    if (c->used + most > c->size) {
        flush(c);
    }
    Block *b = (Block *)(void *)(c->arena + c->used);
    b->phys = pages->first->phys + offset;
    b->code_size = v->cpu->code_size;
    return b;
}

static Block *add_block(InterpVcpu *v, Block *b, const CodePages *pages, unsigned offset)
{
    BlockCache *c = v->cache;
    const InsnRow *last = insn_row(&b->insns[b->num - 1]);
    b->linkable = !(last->attr & A_END) || !(last->attr & A_SYS);
    b->next_link = 0;
    b->code = NULL;
    b->link[0] = b->link[1] = (BlockLink){.tlb_gen = ~0ull};
    c->used += (sizeof(Block) + b->num * sizeof(Insn) + 15) & ~(size_t)15;
    c->decoded += b->num;
    Block **bucket = &c->buckets[bucket_of(b->phys, b->code_size)];
    b->next = *bucket;
    *bucket = b;
    if (log_on(LOG_IN_ASM) && !b->page_gen2) {
        log_block(v->cpu, b, v->cpu->rip, pages->first->host + offset);
    }
    return b;
}

void block_cut(Block *b, unsigned num)
{
    b->num = (uint16_t)num;
    b->bytes = 0;
    for (unsigned n = 0; n < num; n++) {
        b->bytes += b->insns[n].len;
    }
    b->code = NULL;
}

/*
 * The blocks of a bucket: those that begin at phys, the last used first.  A block over two pages fits if its second one is
 * mapped now; that look-up may fault, as the instruction's fetch does.
 */
static Block *find_in_bucket(InterpVcpu *v, CodePages *pages, unsigned offset)
{
    X86Cpu *cpu = v->cpu;
    gpa_t phys = pages->first->phys + offset;
    Block **bucket = &v->cache->buckets[bucket_of(phys, cpu->code_size)];
    for (Block **link = bucket, *b; (b = *link) != NULL;) {
        if (b->phys != phys || b->code_size != cpu->code_size) {
            link = &b->next; /* not even a look at its page: that would be a cache miss for each */
            continue;
        }
        bool valid = block_valid(b);
        if (valid && b->page_gen2) {
            pages->second = mmu_fetch(cpu, code_linear(cpu) + PAGE_SIZE - offset);
            if (pages->second->phys != b->phys2) {
                link = &b->next;
                continue;
            }
            valid = __atomic_load_n(b->page_gen2, __ATOMIC_RELAXED) == b->gen2;
        }
        *link = b->next;
        if (valid) {
            b->next = *bucket; /* to the front: most of a bucket's blocks are cold */
            *bucket = b;
            return b;
        }
        /* overwritten code: its memory comes back with the next flush */
    }
    return NULL;
}

Block *block_fetch(InterpVcpu *v, CodePages *pages)
{
    X86Cpu *cpu = v->cpu;
    cpu->insn_rip = cpu->rip; /* a fetch that faults is the fault of the instruction not yet there */
    if (unlikely(v->cache->flush)) {
        flush(v->cache);
    }
    gva_t lin = code_linear(cpu);
    unsigned offset = (unsigned)(lin & (PAGE_SIZE - 1));
    pages->first = mmu_fetch(cpu, lin);
    if (!pages->first->host) {
        return NULL;
    }
    Block *b = find_in_bucket(v, pages, offset);
    if (b) {
        return b;
    }
    b = new_block(v, pages, offset);
    decode_watched(cpu, b, pages->first, offset);
    if (b->num == 0) {
        if (!v->cache->jit || !cpu->code64) {
            return NULL; /* the interpreter steps over it */
        }
        pages->second = mmu_fetch(cpu, lin + PAGE_SIZE - offset);
        if (!decode_crossing(cpu, b, pages, offset)) {
            return NULL;
        }
    }
    return add_block(v, b, pages, offset);
}

Block *block_find(InterpVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    BlockCache *c = v->cache;
    gva_t lin = code_linear(cpu);
    if (unlikely(c->flush)) {
        flush(c);
    }
    JumpEntry *j = &c->jump[(lin ^ lin >> 12) & (JUMP_CACHE_SIZE - 1)];
    Block *b = j->block;
    if (unlikely(!b || j->rip != lin || j->tlb_gen != cpu->tlb_gen || j->code_size != cpu->code_size ||
                 j->cpl != cpu->cpl || !block_valid(b))) {
        CodePages pages;
        b = block_fetch(v, &pages);
        if (!b || b->page_gen2) {
            return NULL;
        }
        *j = (JumpEntry){.rip = lin, .tlb_gen = cpu->tlb_gen, .code_size = cpu->code_size, .cpl = cpu->cpl,
                         .block = b};
    }
    if (unlikely(!cpu->code64 && cpu->rip + b->bytes - 1 > cpu->seg[SEG_CS].limit)) {
        return NULL;
    }
    return b;
}

/* One byte of code at cs:rip + n, with the limit and page checks of a fetch. */
static uint8_t fetch_byte(X86Cpu *cpu, unsigned n)
{
    uint64_t off = cpu->rip + n;
    gva_t lin = off;
    if (!cpu->code64) {
        off = (uint32_t)off;
        if (off > cpu->seg[SEG_CS].limit) {
            cpu_raise_error(cpu, EXC_GP, 0);
        }
        lin = (uint32_t)(cpu->seg[SEG_CS].base + off);
    }
    const FetchEntry *f = mmu_fetch(cpu, lin);
    unsigned offset = (unsigned)(lin & (PAGE_SIZE - 1));
    return f->host ? f->host[offset] : (uint8_t)space_read(cpu->machine->memory, f->phys + offset, 1);
}

/* The next bytes, n being there; returns how many are now.  Bytes that the instruction may not have must not fault. */
static unsigned fetch_more(X86Cpu *cpu, uint8_t *bytes, unsigned n)
{
    if (cpu->code64) { /* no limit: what follows in the page is as good as its first byte */
        const FetchEntry *f = mmu_fetch(cpu, cpu->rip + n);
        if (f->host) {
            unsigned offset = (unsigned)((cpu->rip + n) & (PAGE_SIZE - 1));
            unsigned len = MIN(15 - n, (unsigned)PAGE_SIZE - offset);
            memcpy(bytes + n, f->host + offset, len);
            return n + len;
        }
    }
    bytes[n] = fetch_byte(cpu, n);
    return n + 1;
}

void insn_fetch(X86Cpu *cpu, Insn *out)
{
    uint8_t bytes[16];
    unsigned n = 0;
    cpu->insn_rip = cpu->rip;
    do {
        n = fetch_more(cpu, bytes, n);
    } while (insn_decode(out, bytes, n, cpu->code_size, &cpu->features) == DECODE_SHORT && n < 15);
    if (log_on(LOG_IN_ASM)) {
        g_autoptr(GString) text = g_string_new(NULL);
        disas_append(text, bytes, out->len, cpu->rip, cpu->code_size);
        log_printf("STEP: cpu %u\n%s\n", cpu->index, text->str);
    }
}
