/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A range of bytes that a board maps into an address space (memory or ports): RAM, ROM or callbacks.
 * A region never knows its address.
 */
#pragma once

#include "util/base.h"

typedef struct RegionOps {
    /*
     * offset is inside the region and, with size, wholly inside it; size is 1, 2, 4 or 8 within min_size..max_size.
     * Wider accesses are split by the core into max_size pieces, little endian, lowest first; narrower than
     * min_size are done as one aligned min_size access with the bytes picked out (a write: no read-modify-write,
     * the other bytes are zero).  Accesses that are not aligned to their size are split into bytes unless
     * `unaligned`.  Called with the machine lock held unless `unlocked`.
     */
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned size);
    uint8_t min_size; /* 0 means 1 */
    uint8_t max_size; /* 0 means 4 */
    bool unaligned;
    bool unlocked;
} RegionOps;

typedef enum RegionKind {
    REGION_IO,  /* callbacks */
    REGION_RAM, /* host memory, read-write, direct */
    REGION_ROM, /* host memory, reads direct; writes are dropped, or go to ops->write if ops is set */
} RegionKind;

typedef struct Region {
    const char *name;
    RegionKind kind;
    uint64_t size; /* bytes */
    const RegionOps *ops;
    void *opaque;
    const struct WriteNotifier *notifiers; /* hw/core/notify.h; changed in exclusive sections */
    unsigned num_notifiers;
    uint64_t late_start; /* region_allow_late() */
    uint32_t late_len;
    uint8_t *host; /* RAM and ROM: first byte, page aligned */
    bool traced;   /* the callbacks write the lines of -d mmio themselves, by register name */
} Region;

static inline void region_init_io(Region *r, const char *name, uint64_t size, const RegionOps *ops, void *opaque)
{
    *r = (Region){.name = name, .kind = REGION_IO, .size = size, .ops = ops, .opaque = opaque};
}

/*
 * Writes inside [start, start + len) do nothing that anybody could notice before the next access to the machine's devices:
 * an index register's, a pixel's.  An engine may deliver them late, all in their order and before any other access of a
 * processor to a device, and before the machine is paused.  Before the region is mapped.
 */
static inline void region_allow_late(Region *r, uint64_t start, uint32_t len)
{
    r->late_start = start;
    r->late_len = len;
}

/* One access with the size rules above applied; offset + size must lie in the region. */
uint64_t region_read(const Region *r, uint64_t offset, unsigned size);
void region_write(const Region *r, uint64_t offset, uint64_t value, unsigned size);
