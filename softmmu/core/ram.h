/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM: one memfd, plus a word of bookkeeping a page: which 64-byte granules hold decoded code, a generation
 * that moves when such code is overwritten, and dirty bits by client.
 */
#pragma once

#include "util/base.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ull
#define PAGE_MASK (~(PAGE_SIZE - 1))

enum { DIRTY_DISPLAY = 1 << 0, DIRTY_MIGRATION = 1 << 1 };

/* All members are atomic: written by any thread. */
typedef struct RamPage {
    uint64_t code;     /* bit n: bytes n*64..n*64+63 hold decoded code (engines must be told of writes there) */
    uint32_t code_gen; /* raised when such a granule is written */
    uint8_t dirty;     /* DIRTY_*: written since the client last cleared its bit */
    uint8_t track;     /* DIRTY_*: clients that want to know of the first write */
} RamPage;

typedef struct Ram {
    uint8_t *host; /* page aligned, contiguous */
    uint64_t size; /* bytes, multiple of 4096 */
    int fd;        /* memfd */
    RamPage *pages;
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

/*
 * Bytes [host, host + len) inside RAM were or are about to be written, by a CPU or by a device.  Sets dirty bits;
 * if a code granule is hit, clears the page's code mask and raises code_gen.  True if code was hit.
 */
bool ram_written(Ram *ram, uint8_t *host, uint64_t len);
