/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between an access and a chip: register rows found by offset and bank, parts of registers, the trace by register
 * name, the check that a handler is not entered twice, and the update after each access.
 */
#include "hw/core/device.h"

#include <string.h>

#include "hw/core/internal.h"

#define NO_ROW UINT16_MAX

/* What stands behind a region of a device: Region.opaque. */
typedef struct RegionFront {
    Device *dev;
    const char *name;
    RegionOps ops;          /* what the region shows */
    const RegionOps *inner; /* raw callbacks, or NULL: register rows */
    uint8_t hole;           /* a byte without a register reads as this */
    uint32_t span;          /* bytes from offset 0 to the end of the last register */
    uint16_t *first;        /* [span]: the first row that covers this byte, or NO_ROW */
} RegionFront;

uint64_t member_load(const void *member, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, member, MIN(size, 8));
    return value;
}

void member_store(void *member, unsigned size, uint64_t value)
{
    memcpy(member, &value, MIN(size, 8));
}

static unsigned reg_width(const Reg *reg)
{
    return reg->width ? reg->width : 1;
}

static uint64_t bytes_mask(unsigned bytes)
{
    return bytes >= 8 ? ~0ull : (1ull << (bytes * 8)) - 1;
}

/* ---- guards ---- */

static void enter(Device *dev)
{
    if (unlikely(++dev->depth > 1)) {
        host_bug("a register handler of %s/%s was entered while another runs", dev->type->name, dev->id);
    }
}

static void leave(Device *dev)
{
    dev->depth--;
    device_update(dev);
}

static void trace(const RegionFront *f, const char *reg, uint64_t offset, const char *verb, unsigned size,
                  uint64_t value)
{
    if (reg) {
        log_printf("mmio: %s/%s %s %s = 0x%0*" PRIx64 "\n", f->dev->type->name, f->dev->id, verb, reg,
                   (int)size * 2, value);
    } else {
        log_printf("mmio: %s/%s %s %s+0x%" PRIx64 " = 0x%0*" PRIx64 "\n", f->dev->type->name, f->dev->id, verb,
                   f->name, offset, (int)size * 2, value);
    }
}

/* ---- register rows ---- */

static const Reg *find_reg(const RegionFront *f, uint64_t offset)
{
    const DeviceType *type = f->dev->type;
    if (offset >= f->span || f->first[offset] == NO_ROW) {
        return NULL;
    }
    int bank = type->bank ? type->bank(f->dev) : 0;
    /* the rows of other banks follow somewhere behind the first */
    for (uint32_t row = f->first[offset]; row < type->num_regs; row++) {
        const Reg *reg = &type->regs[row];
        if ((reg->bank == REG_ANY_BANK || reg->bank == bank) && offset >= reg->offset &&
            offset < reg->offset + reg_width(reg)) {
            return reg;
        }
    }
    return NULL;
}

static uint64_t reg_read(Device *dev, const Reg *reg)
{
    if (reg->read) {
        return reg->read(dev);
    }
    return reg->member ? member_load((char *)dev + reg->member, reg->member_size) : 0;
}

/* lanes: the bits of the register that the access reaches. */
static void reg_write(Device *dev, const Reg *reg, uint64_t value, uint64_t lanes)
{
    value &= reg->wmask;
    if (reg->write) {
        reg->write(dev, value);
    } else if (reg->member) {
        void *member = (char *)dev + reg->member;
        uint64_t replaced = reg->wmask & lanes;
        uint64_t old = member_load(member, reg->member_size);
        member_store(member, reg->member_size, (old & ~replaced) | (value & replaced));
    }
}

static uint64_t regs_read(void *opaque, uint64_t offset, unsigned size)
{
    RegionFront *f = opaque;
    uint64_t result = 0;
    enter(f->dev);
    for (unsigned done = 0; done < size;) {
        uint64_t at = offset + done, piece = f->hole;
        unsigned len = 1;
        const Reg *reg = find_reg(f, at);
        if (reg) {
            unsigned skip = (unsigned)(at - reg->offset);
            len = MIN(reg_width(reg) - skip, size - done);
            piece = (reg_read(f->dev, reg) >> (skip * 8)) & bytes_mask(len);
        }
        if (log_on(LOG_MMIO)) {
            trace(f, reg ? reg->name : NULL, at, "read", len, piece);
        }
        result |= piece << (done * 8);
        done += len;
    }
    leave(f->dev);
    return result;
}

static void regs_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    RegionFront *f = opaque;
    enter(f->dev);
    for (unsigned done = 0; done < size;) {
        uint64_t at = offset + done;
        const Reg *reg = find_reg(f, at);
        unsigned skip = reg ? (unsigned)(at - reg->offset) : 0;
        unsigned len = reg ? MIN(reg_width(reg) - skip, size - done) : 1;
        uint64_t piece = (value >> (done * 8)) & bytes_mask(len);
        if (log_on(LOG_MMIO)) {
            trace(f, reg ? reg->name : NULL, at, "write", len, piece);
        }
        if (reg) {
            reg_write(f->dev, reg, piece << (skip * 8), bytes_mask(len) << (skip * 8));
        }
        done += len;
    }
    leave(f->dev);
}

/* ---- raw callbacks ---- */

static uint64_t raw_read(void *opaque, uint64_t offset, unsigned size)
{
    RegionFront *f = opaque;
    enter(f->dev);
    uint64_t value = f->inner->read ? f->inner->read(f->dev, offset, size) : bytes_mask(size);
    if (log_on(LOG_MMIO)) {
        trace(f, NULL, offset, "read", size, value & bytes_mask(size));
    }
    leave(f->dev);
    return value;
}

static void raw_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    RegionFront *f = opaque;
    if (log_on(LOG_MMIO)) {
        trace(f, NULL, offset, "write", size, value);
    }
    enter(f->dev);
    if (f->inner->write) {
        f->inner->write(f->dev, offset, value, size);
    }
    leave(f->dev);
}

/* ---- making regions ---- */

static void index_regs(RegionFront *f, uint64_t size)
{
    const DeviceType *type = f->dev->type;
    for (uint32_t i = 0; i < type->num_regs; i++) {
        f->span = MAX(f->span, type->regs[i].offset + reg_width(&type->regs[i]));
    }
    f->span = (uint32_t)MIN(f->span, size);
    f->first = g_new(uint16_t, f->span + 1);
    memset(f->first, 0xff, (f->span + 1) * sizeof(uint16_t));
    for (uint32_t row = type->num_regs; row-- > 0;) {
        const Reg *reg = &type->regs[row];
        for (uint32_t b = reg->offset; b < reg->offset + reg_width(reg) && b < f->span; b++) {
            f->first[b] = (uint16_t)row;
        }
    }
}

static Region *add_region(Device *dev, RegionFront *front, const char *name, uint64_t size)
{
    if (dev->num_regions >= DEVICE_MAX_REGIONS) {
        host_bug("%s has more than %d regions", dev->type->name, DEVICE_MAX_REGIONS);
        __builtin_trap();
    }
    Region *region = &dev->regions[dev->num_regions++];
    front->dev = dev;
    front->name = name;
    region_init_io(region, name, size, &front->ops, front);
    region->traced = true;
    return region;
}

Region *device_region_init_regs(Device *dev, const char *name, uint64_t size, bool ports)
{
    RegionFront *f = g_new0(RegionFront, 1);
    f->hole = ports ? 0xff : 0;
    f->ops = (RegionOps){.read = regs_read, .write = regs_write, .max_size = 8, .unaligned = true};
    Region *region = add_region(dev, f, name, size);
    index_regs(f, size);
    return region;
}

Region *device_region_init_io(Device *dev, const char *name, uint64_t size, const RegionOps *ops)
{
    RegionFront *f = g_new0(RegionFront, 1);
    f->inner = ops;
    f->ops = *ops;
    Region *region = add_region(dev, f, name, size);
    if (ops->unlocked) {
        region->opaque = dev;
        region->ops = ops;
        region->traced = false;
        g_free(f);
    } else {
        f->ops.read = raw_read;
        f->ops.write = raw_write;
    }
    return region;
}

Region *device_region(Device *dev, unsigned n)
{
    return n < dev->num_regions ? &dev->regions[n] : NULL;
}

void regions_free(Device *dev)
{
    for (unsigned i = 0; i < dev->num_regions; i++) {
        if (dev->regions[i].traced) {
            RegionFront *f = dev->regions[i].opaque;
            g_free(f->first);
            g_free(f);
        }
    }
    dev->num_regions = 0;
}
