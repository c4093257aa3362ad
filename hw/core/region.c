/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Size rules between an access and the callbacks that serve it: split, widen, byte by byte. */
#include "hw/core/region.h"

#include <string.h>

static uint64_t size_mask(unsigned size)
{
    return size >= 8 ? ~0ull : (1ull << (size * 8)) - 1;
}

typedef struct Limits {
    unsigned min, max;
} Limits;

static Limits limits(const Region *r)
{
    Limits l = {r->ops->min_size ? r->ops->min_size : 1, r->ops->max_size ? r->ops->max_size : 4};
    return l;
}

/* The size of the first piece of an access: the callbacks take it as it is, or widened. */
static unsigned piece_size(const Region *r, uint64_t offset, unsigned size)
{
    Limits l = limits(r);
    bool pow2 = (size & (size - 1)) == 0;
    if (!pow2 || (!r->ops->unaligned && (offset & (size - 1)))) {
        return 1;
    }
    if (size < l.min) {
        /* one aligned access must hold all of it */
        return (offset & (l.min - 1)) + size <= l.min ? size : 1;
    }
    return MIN(size, l.max);
}

static uint64_t read_piece(const Region *r, uint64_t offset, unsigned size)
{
    unsigned min = limits(r).min;
    if (!r->ops->read) {
        return size_mask(size);
    }
    if (size >= min) {
        return r->ops->read(r->opaque, offset, size) & size_mask(size);
    }
    uint64_t start = offset & ~(uint64_t)(min - 1);
    if (start + min > r->size) {
        return size_mask(size);
    }
    return (r->ops->read(r->opaque, start, min) >> ((offset - start) * 8)) & size_mask(size);
}

static void write_piece(const Region *r, uint64_t offset, uint64_t value, unsigned size)
{
    unsigned min = limits(r).min;
    if (!r->ops->write) {
        return;
    }
    value &= size_mask(size);
    if (size >= min) {
        r->ops->write(r->opaque, offset, value, size);
        return;
    }
    uint64_t start = offset & ~(uint64_t)(min - 1);
    if (start + min <= r->size) {
        r->ops->write(r->opaque, start, value << ((offset - start) * 8), min);
    }
}

uint64_t region_read(const Region *r, uint64_t offset, unsigned size)
{
    uint64_t value = 0;
    if (r->kind != REGION_IO) {
        memcpy(&value, r->host + offset, size);
        return value;
    }
    unsigned piece = piece_size(r, offset, size);
    for (unsigned done = 0; done < size; done += piece) {
        value |= read_piece(r, offset + done, piece) << (done * 8);
    }
    return value;
}

void region_write(const Region *r, uint64_t offset, uint64_t value, unsigned size)
{
    if (r->kind == REGION_RAM) {
        memcpy(r->host + offset, &value, size);
        return;
    }
    if (!r->ops) {
        return; /* a ROM */
    }
    unsigned piece = piece_size(r, offset, size);
    for (unsigned done = 0; done < size; done += piece) {
        write_piece(r, offset + done, value >> (done * 8), piece);
    }
}
