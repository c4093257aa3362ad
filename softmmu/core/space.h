/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An address space (physical memory, or the 64 KiB of ports): regions mapped at addresses, with priorities and
 * overlap, rendered into a sorted flat view.  Maps change under the machine lock inside an exclusive section
 * (softmmu/core/exclusive.h); look-ups by vCPUs need no lock, since no vCPU runs during a change.
 */
#pragma once

#include "hw/core/region.h"
#include "util/base.h"

typedef struct AddressSpace AddressSpace;
typedef struct Mapping Mapping;

/* A piece of the flat view: no overlap, ascending. */
typedef struct FlatRange {
    uint64_t start, end;     /* [start, end) */
    const Region *region;
    uint64_t offset;         /* of `start` in the region */
} FlatRange;

/* width: 16 for ports, up to 52 for memory. `floating` answers reads of holes (all ones for ports; memory too). */
AddressSpace *space_new(const char *name, unsigned width);
void space_free(AddressSpace *space);

/*
 * Map len bytes of the region, from region offset `offset`, at address `addr`.  Higher priority wins where mappings
 * overlap; among equals the later.  The same region may be mapped many times (aliases).  Machine lock held (or
 * before the machine runs).  addr + len must fit the space's width: asserts.
 */
Mapping *space_map(AddressSpace *space, uint64_t addr, const Region *region, uint64_t offset, uint64_t len,
                   int priority);
static inline Mapping *space_map_whole(AddressSpace *space, uint64_t addr, const Region *region)
{
    return space_map(space, addr, region, 0, region->size, 0);
}
void space_unmap(AddressSpace *space, Mapping *mapping);
void space_move(AddressSpace *space, Mapping *mapping, uint64_t addr);
void space_set_enabled(AddressSpace *space, Mapping *mapping, bool enabled);

/* Several changes, one re-rendering: nestable. */
void space_begin(AddressSpace *space);
void space_commit(AddressSpace *space);

/* Called after each change of the flat view, inside the exclusive section: engines flush what they cached. */
void space_add_listener(AddressSpace *space, void (*changed)(void *opaque), void *opaque);

/* The same pair as was added. */
void space_remove_listener(AddressSpace *space, void (*changed)(void *opaque), void *opaque);

/* A region's notifiers changed: tell the listeners. */
void space_refresh(AddressSpace *space);

/* The range that holds addr; false in a hole.  Valid until the map changes. */
bool space_lookup(const AddressSpace *space, uint64_t addr, FlatRange *out);

/* The flat view, *count ranges; valid until the map changes. */
const FlatRange *space_ranges(const AddressSpace *space, size_t *count);

/*
 * One access of 1..8 bytes by a CPU.  Crosses ranges byte by byte; holes read as all ones and drop writes.  Takes
 * the machine lock around callbacks that need it.  Traces with -d mmio.  Any vCPU thread; not with the lock held.
 */
uint64_t space_read(AddressSpace *space, uint64_t addr, unsigned size);
void space_write(AddressSpace *space, uint64_t addr, uint64_t value, unsigned size);

/* Copy to or from RAM and ROM (a ROM takes no writes).  False, with nothing done, if any byte is elsewhere. */
bool space_dma_read(AddressSpace *space, gpa_t addr, void *buf, size_t len);
bool space_dma_write(AddressSpace *space, gpa_t addr, const void *buf, size_t len);

/* The flat view as text, for `info mtree`. */
void space_dump(const AddressSpace *space, GString *out);

struct Ram;
struct MachineLock;
/* RAM whose pages need ram_written(), and the lock for callbacks. */
void space_set_ram(AddressSpace *space, struct Ram *ram);
void space_set_lock(AddressSpace *space, struct MachineLock *lock);
