/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks and the memory they were made of: whose bytes are watched, what happens to blocks when those have been written to,
 * and how older versions of a place come back (docs/decisions/013).
 */
#include "accel/interp/versions.h"

#include <string.h>

#include "accel/tcg/chaos.h"
#include "softmmu/core/machine.h"
#include "target/x86/mem.h"
#include "tcg/jit.h"

/* Code outside RAM changes only with the memory map; a dead block never becomes valid by itself. */
static const uint64_t never_changes = 0, always_changed = 1;

/*
 * Announce that granules of a RAM page are about to be decoded: from now on writes there are seen.  A page that held no
 * code may still be writable through some vCPU's TLB: all are stopped to take that away.  Only then is it watched, so that
 * nobody takes a page for watched that another is about to protect.
 */
static void watch_granules(const InterpVcpu *v, size_t page, uint64_t granules)
{
    Machine *m = v->cpu->machine;
    uint64_t *code = &m->ram->pages[page].code, old = __atomic_load_n(code, __ATOMIC_SEQ_CST);
    while (old != 0) {
        if (__atomic_compare_exchange_n(code, &old, old | granules, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            return;
        }
    }
    exclusive_begin(m->lock);
    __atomic_fetch_or(code, granules, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < m->num_cpus; i++) {
        tlb_protect_page(m->cpus[i], m->ram->host + (page << PAGE_SHIFT));
    }
    exclusive_end(m->lock);
}

static size_t page_index(const BlockCache *c, const uint8_t *host)
{
    return (size_t)(host - c->ram->host) >> PAGE_SHIFT;
}

/* How many of the block's bytes are in its first page. */
static unsigned bytes_in_first(const Block *b)
{
    return b->host[1] ? (unsigned)(PAGE_SIZE - (b->phys & (PAGE_SIZE - 1))) : b->bytes;
}

/* The block's granules in its page n. */
static uint64_t granules_of(const Block *b, unsigned n)
{
    unsigned first = bytes_in_first(b), at = (unsigned)(b->phys & (PAGE_SIZE - 1));
    return n == 0 ? ram_granules(at, at + first - 1) : ram_granules(0, b->bytes - first - 1);
}

bool block_same_bytes(const Block *b)
{
    unsigned first = bytes_in_first(b);
    return memcmp(b->host[0], b->copy, first) == 0 &&
           (!b->host[1] || memcmp(b->host[1], b->copy + first, b->bytes - first) == 0);
}

void block_watch(const InterpVcpu *v, const Block *b)
{
    for (unsigned n = 0; n < 2 && b->host[n]; n++) {
        if (ram_owns(v->cache->ram, b->host[n])) {
            watch_granules(v, page_index(v->cache, b->host[n]), granules_of(b, n));
        }
    }
}

/* ---- blocks by page ---- */

/* Which of the block's pages is it? */
static unsigned which_page(const BlockCache *c, const Block *b, size_t page)
{
    return b->host[1] && page_index(c, b->host[1]) == page;
}

void block_list(BlockCache *c, Block *b)
{
    b->dead = false;
    for (unsigned n = 0; n < 2 && b->host[n]; n++) {
        if (!ram_owns(c->ram, b->host[n])) {
            b->changed[n] = &never_changes;
            continue;
        }
        size_t page = page_index(c, b->host[n]);
        b->changed[n] = &c->changed[page];
        b->in_page[n] = c->in_page[page];
        c->in_page[page] = b;
    }
}

static void unlist_block(BlockCache *c, Block *b)
{
    b->dead = true;
    for (unsigned n = 0; n < 2 && b->host[n]; n++) {
        b->changed[n] = &always_changed;
        if (ram_owns(c->ram, b->host[n])) {
            size_t page = page_index(c, b->host[n]);
            Block **link = &c->in_page[page];
            while (*link != b) {
                link = &(*link)->in_page[which_page(c, *link, page)];
            }
            *link = b->in_page[n];
        }
    }
}

/* Jumps that lead to its host code stay connected: they leave there. */
static void kill_block(BlockCache *c, Block *b)
{
    unlist_block(c, b);
    for (JitCode *code = b->code; code; code = code->next) {
        jit_disable(c->jit, code, NULL);
    }
    c->killed++;
}

/*
 * Something was written to the page's code: blocks that had bytes in those granules are compared with what is there now,
 * and killed if they differ.  In this order: from now on we hear of writes again, then look.
 */
static void look_again(InterpVcpu *v, size_t page)
{
    BlockCache *c = v->cache;
    uint64_t written = __atomic_exchange_n(&c->changed[page], 0, __ATOMIC_SEQ_CST);
    for (Block *b = c->in_page[page], *next; b; b = next) {
        unsigned n = which_page(c, b, page);
        next = b->in_page[n];
        if (granules_of(b, n) & written) {
            watch_granules(v, page, granules_of(b, n));
            if (!block_same_bytes(b) || (v->chaos && chaos_withholds(v->chaos))) {
                kill_block(c, b);
            }
        }
    }
}

void blocks_look_if_changed(InterpVcpu *v, const FetchEntry *f)
{
    BlockCache *c = v->cache;
    if (f->host && ram_owns(c->ram, f->host)) {
        size_t page = page_index(c, f->host);
        if (unlikely(__atomic_load_n(&c->changed[page], __ATOMIC_RELAXED))) {
            look_again(v, page);
        }
    }
}

Block *block_revive(InterpVcpu *v, Block *newest)
{
    BlockCache *c = v->cache;
    for (Block *b = newest, *before = NULL; b; before = b, b = b->older) {
        if (!block_same_bytes(b)) {
            continue;
        }
        block_watch(v, b);
        if (!block_same_bytes(b)) {
            continue;
        }
        if (before) {
            before->older = b->older;
            b->older = newest;
        }
        block_list(c, b);
        for (JitCode *code = b->code; code; code = code->next) {
            jit_enable(c->jit, code);
        }
        c->revived++;
        return b;
    }
    return NULL;
}

void block_forget_oldest(BlockCache *c, Block *b)
{
    for (unsigned n = 0; n < BLOCK_MAX_OLDER && b; n++) {
        b = b->older;
    }
    for (Block *old = b ? b->older : NULL; old; old = old->older) {
        for (JitCode *code = old->code; code; code = code->next) {
            jit_disable(c->jit, code, NULL);
        }
    }
    if (b) {
        b->older = NULL;
    }
}
