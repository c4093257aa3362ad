/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interpreter's decoded-block cache. */
#include "accel/interp/versions.h"

#include <string.h>
#include <sys/mman.h>

#include "softmmu/core/machine.h"
#include "target/x86/cpuid.h"
#include "target/x86/disas.h"
#include "target/x86/mem.h"
#include "target/x86/stops.h"
#include "tcg/jit.h"
#include "util/populate.h"

static void *map_zeros(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    g_assert(p != MAP_FAILED);
    return p;
}

static size_t num_pages(const BlockCache *c)
{
    return (size_t)(c->ram->size >> PAGE_SHIFT);
}

BlockCache *block_cache_new(size_t arena_size, Ram *ram)
{
    BlockCache *c = g_new0(BlockCache, 1);
    c->size = arena_size;
    c->arena = map_zeros(arena_size);
    c->ram = ram;
    c->changed = map_zeros(num_pages(c) * sizeof(*c->changed));
    c->in_page = map_zeros(num_pages(c) * sizeof(Block *));
    ram_add_reader(ram, c->changed);
    return c;
}

void block_cache_free(BlockCache *c)
{
    if (c) {
        ram_remove_reader(c->ram, c->changed);
        jit_free(c->jit);
        munmap(c->arena, c->size);
        munmap(c->changed, num_pages(c) * sizeof(*c->changed));
        munmap(c->in_page, num_pages(c) * sizeof(Block *));
        g_free(c);
    }
}

static void flush(BlockCache *c)
{
    memset(c->buckets, 0, sizeof(c->buckets));
    memset(c->jump, 0, sizeof(c->jump));
    madvise(c->in_page, num_pages(c) * sizeof(Block *), MADV_DONTNEED); /* zeros again */
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

void block_link(InterpVcpu *v, Block *from, Block *to)
{
    if (!from->link) {
        from->link = block_alloc(v->cache, 2 * sizeof(BlockLink));
        if (!from->link) {
            return;
        }
        from->link[0] = from->link[1] = (BlockLink){.tlb_gen = ~0ull};
    }
    from->link[from->next_link] = (BlockLink){.lin = code_linear(v->cpu), .tlb_gen = v->cpu->tlb_gen, .block = to};
    from->next_link ^= 1;
}

/*
 * Places 16 bytes apart, as functions are, have buckets side by side: code that is met in order meets few cache lines.  The
 * bits below and above stir.
 */
static unsigned bucket_of(gpa_t phys, unsigned code_size)
{
    uint64_t n = phys >> 4, low = (phys & 15) << 2 | code_size;
    return (unsigned)(n ^ n >> BLOCK_BUCKET_BITS * 3 / 4 ^ low << (BLOCK_BUCKET_BITS - 6)) & (BLOCK_BUCKETS - 1);
}

static void log_block(const X86Cpu *cpu, const Block *b, gva_t rip)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "IN: cpu %u\n", cpu->index);
    for (unsigned n = 0, at = 0; n < b->num; at += b->insns[n].len, n++) {
        disas_append(text, b->copy + at, b->insns[n].len, rip + at, cpu->code_size);
    }
    log_printf("%s\n", text->str);
}

static bool is_branch(const Insn *i)
{
    const InsnRow *row = insn_row(i);
    return (row->map == MAP_1 && (i->opcode & 0xf0) == 0x70) || (row->map == MAP_0F && (i->opcode & 0xf0) == 0x80);
}

/* A branch forwards, to be left by when it is taken. */
static bool goes_on_behind(const Insn *i)
{
    return is_branch(i) && (int64_t)i->imm > 0;
}

/*
 * A block whose last instruction is a branch back to another one of its own ends before that: the loop is a block of its
 * own, whose first turn is like the others.  How many instructions are left.
 */
static unsigned before_loop(const Block *b)
{
    const Insn *last = &b->insns[b->num - 1];
    int64_t to = last->at + last->len + (int64_t)last->imm;
    for (unsigned n = 1; is_branch(last) && n < b->num; n++) {
        if (b->insns[n].at == to) {
            return n;
        }
    }
    return b->num;
}

/*
 * Decode until a block end; 0 instructions when even the first does not fit in len bytes.  Translated blocks go on behind
 * branches.
 */
static void decode(const X86Cpu *cpu, Block *b, const uint8_t *bytes, unsigned len, bool translated)
{
    unsigned at = 0, straight = 0;
    b->num = 0;
    while (b->num < BLOCK_MAX_INSNS) {
        Insn *i = &b->insns[b->num];
        DecodeStatus status = insn_decode(i, bytes + at, len - at, cpu->code_size, &cpu->features);
        if (status == DECODE_SHORT) {
            break;
        }
        b->num++;
        i->at = (uint16_t)at;
        at += i->len;
        if (status != DECODE_OK || at >= len) {
            break;
        }
        if (insn_row(i)->attr & A_END) {
            straight = straight ? straight : b->num;
            if (!translated || b->num >= BLOCK_MOST_BEFORE_BRANCH || !goes_on_behind(i)) {
                b->num = (uint16_t)before_loop(b);
                at = b->insns[b->num - 1].at + b->insns[b->num - 1].len;
                break;
            }
        }
    }
    b->bytes = (uint16_t)at;
    b->straight = (uint8_t)(straight ? MIN(straight, b->num) : b->num);
}

/* ---- new blocks ---- */

/*
 * Decode what is at offset in the page into b; 0 instructions when even the first does not fit.  False when somebody has
 * written there meanwhile: one who goes on doing so must not keep us here.
 */
static bool decode_watched(const InterpVcpu *v, Block *b, const FetchEntry *f, unsigned offset)
{
    uint8_t bytes[BLOCK_MAX_BYTES];
    unsigned len = MIN((unsigned)PAGE_SIZE - offset, BLOCK_MAX_BYTES);
    b->host[0] = f->host + offset;
    b->host[1] = NULL;
    memcpy(bytes, b->host[0], len);
    decode(v->cpu, b, bytes, len, v->cache->jit != NULL);
    if (b->num == 0) {
        return true;
    }
    b->copy = memcpy(&b->insns[b->num], bytes, b->bytes);
    block_watch(v, b);
    return block_same_bytes(b);
}

/*
 * The one instruction that begins at the end of a page.  False when its second page is no memory, or the same one (a block
 * is in the list of each of its pages once), or somebody has written there meanwhile.
 */
static bool decode_crossing(const InterpVcpu *v, Block *b, const CodePages *pages, unsigned offset)
{
    unsigned first = (unsigned)PAGE_SIZE - offset;
    uint8_t bytes[15];
    if (!pages->second->host || pages->second->host == pages->first->host || first >= sizeof(bytes)) {
        return false;
    }
    b->host[0] = pages->first->host + offset;
    b->host[1] = pages->second->host;
    b->phys2 = pages->second->phys;
    memcpy(bytes, b->host[0], first);
    memcpy(bytes + first, b->host[1], sizeof(bytes) - first);
    DecodeStatus status = insn_decode(b->insns, bytes, sizeof(bytes), v->cpu->code_size, &v->cpu->features);
    b->num = b->straight = 1;
    b->bytes = b->insns[0].len;
    if (status == DECODE_SHORT || b->bytes <= first) {
        return false;
    }
    b->copy = memcpy(&b->insns[1], bytes, b->bytes);
    block_watch(v, b);
    return block_same_bytes(b);
}

static Block *new_block(InterpVcpu *v, const CodePages *pages, unsigned offset)
{
    Block *b = (Block *)(void *)(v->cache->arena + v->cache->used);
    b->phys = pages->first->phys + offset;
    b->code_size = v->cpu->code_size;
    return b;
}

/* older: dead blocks that were there before, or NULL. */
static Block *add_block(InterpVcpu *v, Block *b, Block *older)
{
    BlockCache *c = v->cache;
    const InsnRow *last = insn_row(&b->insns[b->num - 1]);
    b->linkable = !(last->attr & A_END) || !(last->attr & A_SYS);
    b->next_link = 0;
    b->code = NULL;
    b->link = NULL;
    b->older = older;
    block_forget_oldest(c, b);
    block_list(c, b);
    c->used += (sizeof(Block) + b->num * sizeof(Insn) + b->bytes + 15) & ~(size_t)15;
    c->decoded += b->num;
    Block **bucket = &c->buckets[bucket_of(b->phys, b->code_size)];
    b->next = *bucket;
    *bucket = b;
    if (log_on(LOG_IN_ASM)) {
        log_block(v->cpu, b, v->cpu->rip);
    }
    return b;
}

void block_cut(Block *b, unsigned num)
{
    b->num = (uint16_t)num;
    b->straight = MIN(b->straight, (uint8_t)num);
    b->bytes = 0;
    for (unsigned n = 0; n < num; n++) {
        b->bytes += b->insns[n].len;
    }
    b->code = NULL;
}

/* Outside 64-bit code no instruction of it may reach over the segment's limit. */
static Block *inside_limit(const X86Cpu *cpu, Block *b)
{
    return likely(cpu->code64 || cpu->rip + b->bytes - 1 <= cpu->seg[SEG_CS].limit) ? b : NULL;
}

/* Is the block's second page what is mapped now?  That look-up may fault, as the instruction's fetch does. */
static bool second_page_fits(InterpVcpu *v, const Block *b, CodePages *pages)
{
    unsigned first = (unsigned)PAGE_SIZE - (unsigned)(b->phys & (PAGE_SIZE - 1));
    pages->second = mmu_fetch(v->cpu, code_linear(v->cpu) + first);
    if (pages->second->phys != b->phys2) {
        return false;
    }
    blocks_look_if_changed(v, pages->second); /* may kill it */
    return true;
}

/*
 * The blocks of a bucket: those that begin at phys, the last used first.  Dead ones of one page that do not come to life
 * again are handed over, as the older ones of the block that is about to be made; those of two pages are forgotten.
 */
static Block *find_in_bucket(InterpVcpu *v, CodePages *pages, unsigned offset, Block **dead)
{
    gpa_t phys = pages->first->phys + offset;
    unsigned code_size = v->cpu->code_size;
    Block **bucket = &v->cache->buckets[bucket_of(phys, code_size)];
    for (Block **link = bucket, *b; (b = *link) != NULL;) {
        if (b->phys != phys || b->code_size != code_size) {
            link = &b->next; /* not even a look at its page: that would be a cache miss for each */
            continue;
        }
        if (b->host[1] && !b->dead && (!inside_limit(v->cpu, b) || !second_page_fits(v, b, pages))) {
            link = &b->next;
            continue;
        }
        *link = b->next;
        if (b->dead) {
            if (b->host[1]) {
                continue;
            }
            *dead = b;
            b = block_revive(v, b);
        }
        if (b) {
            b->next = *bucket; /* to the front: most of a bucket's blocks are cold */
            *bucket = b;
            *dead = NULL;
            return b;
        }
    }
    return NULL;
}

/* May the bytes of an instruction of any length be fetched, as far as the segment goes? */
static bool far_from_limit(const X86Cpu *cpu, gva_t lin)
{
    enum { LONGEST = 15 };
    return cpu->code64 || (cpu->rip + LONGEST - 1 <= cpu->seg[SEG_CS].limit && lin + LONGEST - 1 <= 0xffffffff);
}

Block *block_fetch(InterpVcpu *v, CodePages *pages)
{
    X86Cpu *cpu = v->cpu;
    BlockCache *c = v->cache;
    const size_t most = sizeof(Block) + BLOCK_MAX_INSNS * sizeof(Insn) + BLOCK_MAX_BYTES;
    cpu->insn_rip = cpu->rip; /* a fetch that faults is the fault of the instruction not yet there */
    if (unlikely(c->flush || c->used + most > c->size)) {
        flush(c);
    }
    populate_ahead(c->arena, c->size, c->used, &c->populated);
    gva_t lin = code_linear(cpu);
    unsigned offset = (unsigned)(lin & (PAGE_SIZE - 1));
    pages->first = mmu_fetch(cpu, lin);
    if (!pages->first->host || (unlikely(cpu->stops) && stops_exec_page(cpu, lin))) {
        return NULL;
    }
    blocks_look_if_changed(v, pages->first);
    Block *dead = NULL, *b = find_in_bucket(v, pages, offset, &dead);
    if (b) {
        return inside_limit(cpu, b);
    }
    b = new_block(v, pages, offset);
    if (!decode_watched(v, b, pages->first, offset)) {
        return NULL; /* the interpreter does one instruction of whatever is there */
    }
    if (b->num == 0) {
        if (!c->jit || !far_from_limit(cpu, lin)) {
            return NULL;
        }
        pages->second = mmu_fetch(cpu, lin + PAGE_SIZE - offset);
        if (!decode_crossing(v, b, pages, offset)) {
            return NULL;
        }
    }
    return inside_limit(cpu, add_block(v, b, b->host[1] ? NULL : dead));
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
        if (!b || b->host[1]) {
            return NULL;
        }
        *j = (JumpEntry){.rip = lin, .tlb_gen = cpu->tlb_gen, .code_size = cpu->code_size, .cpl = cpu->cpl,
                         .block = b};
    }
    return inside_limit(cpu, b);
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
