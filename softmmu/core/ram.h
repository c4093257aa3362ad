/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM: one memfd, plus a word of bookkeeping a page: which 64-byte granules hold decoded code, and dirty bits by
 * client.  Whoever keeps decoded code is told which granules of it were overwritten.
 */
#pragma once

#include "util/base.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ull
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define GRANULE_SHIFT 6 /* a bit of RamPage.code is 64 bytes */
#define RAM_MAX_READERS 256
#define RAM_LAST_HITS 16 /* the last of so many writes to all code of a page ends that it is watched */

enum { DIRTY_DISPLAY = 1 << 0, DIRTY_MIGRATION = 1 << 1, DIRTY_ALL = DIRTY_DISPLAY | DIRTY_MIGRATION };

/* All members are atomic: written by any thread. */
typedef struct RamPage {
    uint64_t code; /* bit n: bytes n*64..n*64+63 hold decoded code (engines must be told of writes there) */
    uint8_t dirty; /* DIRTY_*: written since the client last cleared its bit */
    uint8_t track; /* DIRTY_*: clients that log the page */
    uint8_t last_hits; /* writes to all the code that the page has */
} RamPage;

typedef struct Ram {
    uint8_t *host; /* page aligned, contiguous */
    uint64_t size; /* bytes, multiple of 4096 */
    int fd;        /* memfd */
    RamPage *pages;
    bool logged;   /* some page has a bit in `track`; changed in exclusive sections (dirty.h) */
    uint64_t *readers[RAM_MAX_READERS]; /* atomic; or NULL */
} Ram;

/* size: a multiple of 4096, > 0.  NULL with an error (no memory, limits). */
Ram *ram_new(uint64_t size, GError **error);
void ram_free(Ram *ram);

static inline bool ram_owns(const Ram *ram, const uint8_t *host)
{
    return host >= ram->host && host < ram->host + ram->size;
}
static inline RamPage *ram_page(const Ram *ram, const uint8_t *host)
{
    return &ram->pages[(uint64_t)(host - ram->host) >> PAGE_SHIFT];
}

/* A page that holds code or is tracked may not be written directly: each write must call ram_written(). */
static inline bool ram_page_watched(const RamPage *page)
{
    return __atomic_load_n(&page->code, __ATOMIC_RELAXED) != 0 ||
           (__atomic_load_n(&page->track, __ATOMIC_RELAXED) & ~__atomic_load_n(&page->dirty, __ATOMIC_RELAXED)) != 0;
}

/* The page was written, for all clients. */
static inline void ram_mark_dirty(RamPage *page)
{
    if ((__atomic_load_n(&page->dirty, __ATOMIC_RELAXED) & DIRTY_ALL) != DIRTY_ALL) {
        __atomic_fetch_or(&page->dirty, DIRTY_ALL, __ATOMIC_ACQ_REL);
    }
}

/*
 * Somebody who keeps decoded code: changed[page] has a bit for each granule of the page, set (atomically) after code in it
 * was written.  No other thread may be adding or removing one.
 */
void ram_add_reader(Ram *ram, uint64_t *changed);
void ram_remove_reader(Ram *ram, const uint64_t *changed);

/* Granules of bytes first..last of a page. */
static inline uint64_t ram_granules(unsigned first, unsigned last)
{
    return MASK64(last >> GRANULE_SHIFT, first >> GRANULE_SHIFT);
}

/*
 * Bytes [host, host + len) inside RAM were written, by a CPU or by a device.  Sets dirty bits; granules of code that are
 * hit stop being watched (all that a page has only after a few times), and all readers are told.  True if code was hit.
 */
bool ram_written(Ram *ram, uint8_t *host, uint64_t len);
