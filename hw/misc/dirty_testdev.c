/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "dirty-testdev": the log of writes to memory as a display device would use it, for a guest to check; dirty_testdev.h. */
#include "hw/misc/dirty_testdev.h"

#include "hw/core/device.h"

#define PAGE_BYTES 4096u

typedef struct DirtyTestdev {
    Device dev;
    uint16_t iobase;
    struct {
        uint64_t addr, len;
    } logged; /* what the machine was told; len 0: nothing */
    struct {
        uint32_t address, pages, buffer;
        uint8_t ok;
        uint8_t on; /* with log_address and log_pages */
        uint8_t unused[2];
        uint32_t log_address, log_pages;
    } s;
} DirtyTestdev;

static DirtyTestdev *testdev(Device *dev)
{
    return container_of(dev, DirtyTestdev, dev);
}

static bool take(DirtyTestdev *t)
{
    const DeviceEnv *env = t->dev.env;
    uint64_t bitmap[DIRTY_TESTDEV_MAX_PAGES / 64] = {0};
    return t->logged.len && env->take_written(env->opaque, t->logged.addr, t->logged.len, bitmap) &&
           env->dma_write(env->opaque, t->s.buffer, bitmap, sizeof(bitmap));
}

static bool write_by_dma(const DirtyTestdev *t)
{
    static const uint8_t bytes[DIRTY_TESTDEV_DMA] = "written by DMA";
    return t->dev.env->dma_write(t->dev.env->opaque, t->s.buffer, bytes, sizeof(bytes));
}

static void tell_machine(DirtyTestdev *t, uint64_t addr, uint64_t len)
{
    const DeviceEnv *env = t->dev.env;
    if (t->logged.len) {
        env->log_writes(env->opaque, t->logged.addr, t->logged.len, false);
    }
    t->logged.addr = addr;
    t->logged.len = len && env->log_writes && env->log_writes(env->opaque, addr, len, true) ? len : 0;
}

/* After a reset or a load, too. */
static void testdev_update(Device *dev)
{
    DirtyTestdev *t = testdev(dev);
    uint64_t len = t->s.on ? (uint64_t)t->s.log_pages * PAGE_BYTES : 0;
    if (len != t->logged.len || (len && t->s.log_address != t->logged.addr)) {
        tell_machine(t, t->s.log_address, len);
    }
}

static void command(Device *dev, uint64_t value)
{
    DirtyTestdev *t = testdev(dev);
    switch (value) {
    case DIRTY_TESTDEV_LOG:
        t->s.on = 0;
        testdev_update(dev); /* begun anew, even where it was */
        t->s.on = 1;
        t->s.log_address = t->s.address;
        t->s.log_pages = MIN(t->s.pages, DIRTY_TESTDEV_MAX_PAGES);
        testdev_update(dev);
        t->s.ok = t->logged.len != 0;
        t->s.on = t->s.ok;
        break;
    case DIRTY_TESTDEV_END:
        t->s.on = 0;
        t->s.ok = 1;
        break;
    case DIRTY_TESTDEV_TAKE:
        t->s.ok = take(t);
        break;
    case DIRTY_TESTDEV_WRITE:
        t->s.ok = write_by_dma(t);
        break;
    default:
        guest_error(dev, "no command %u", (unsigned)value);
        t->s.ok = 0;
        break;
    }
}

static uint64_t read_ok(Device *dev)
{
    return testdev(dev)->s.ok;
}

static void testdev_unrealize(Device *dev)
{
    tell_machine(testdev(dev), 0, 0);
}

static bool testdev_realize(Device *dev, GError **error)
{
    device_region_init_regs(dev, "dirty-testdev", 16, true);
    return true;
}

static const Field testdev_fields[] = {
    FIELD(DirtyTestdev, address, 0),
    FIELD(DirtyTestdev, pages, 0),
    FIELD(DirtyTestdev, buffer, 0),
    FIELD_BOOL(DirtyTestdev, ok, 0),
    FIELD_BOOL(DirtyTestdev, on, 0),
    FIELD_BYTES(DirtyTestdev, unused, 0),
    FIELD(DirtyTestdev, log_address, 0),
    FIELD_RANGE(DirtyTestdev, log_pages, 0, 0, DIRTY_TESTDEV_MAX_PAGES),
};

static const Reg testdev_regs[] = {
    {.offset = DIRTY_TESTDEV_ADDRESS, .name = "ADDRESS", .bank = REG_ANY_BANK, .width = 4,
     BACKED(DirtyTestdev, address, UINT32_MAX)},
    {.offset = DIRTY_TESTDEV_PAGES, .name = "PAGES", .bank = REG_ANY_BANK, .width = 4,
     BACKED(DirtyTestdev, pages, UINT32_MAX)},
    {.offset = DIRTY_TESTDEV_BUFFER, .name = "BUFFER", .bank = REG_ANY_BANK, .width = 4,
     BACKED(DirtyTestdev, buffer, UINT32_MAX)},
    {.offset = DIRTY_TESTDEV_COMMAND, .name = "COMMAND", .bank = REG_ANY_BANK, .width = 4, HANDLED(read_ok, command)},
};

static const Prop testdev_props[] = {
    PROP_UINT_(DirtyTestdev, "iobase", iobase, 0x520, 0xffff, "first port"),
};

DEVICE_TYPE(dirty_testdev, DirtyTestdev, .name = "dirty-testdev", .desc = "test device: shows which pages were written",
            .bus = BUS_ISA, FIELDS(testdev_fields), REGS(testdev_regs), PROPS(testdev_props), .realize = testdev_realize,
            .unrealize = testdev_unrealize, .update = testdev_update);
