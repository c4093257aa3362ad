/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Things a CPU test needs to touch: ports and memory that remember what was written, and interrupt lines it can move.
 * Spec: the use made of it by kvm-unit-tests (x86/emulator.c, realmode.c, eventinj.c, ioram.h; lib/x86/apic.c).
 */
#include "hw/misc/pc_testdev.h"

#include <string.h>

#include "hw/core/device.h"

#define MEMORY_SIZE 0x10000

typedef struct PcTestdev {
    Device dev;
    Irq irq[PC_TESTDEV_NUM_IRQS];
    struct {
        uint32_t echo;
        uint32_t lines; /* bit n: level of irq[n] */
        uint8_t memory[MEMORY_SIZE];
    } s;
} PcTestdev;

static PcTestdev *pc_testdev(Device *dev)
{
    return container_of(dev, PcTestdev, dev);
}

static const Field pc_testdev_fields[] = {
    FIELD(PcTestdev, echo, 0),
    FIELD_RANGE(PcTestdev, lines, 0, 0, BIT(PC_TESTDEV_NUM_IRQS) - 1),
    FIELD_BYTES(PcTestdev, memory, 0),
};

/* FLUSH asks the host to drop its mapping of the page at this address; here nothing depends on such mappings. */
static const Reg pc_testdev_regs[] = {
    {.offset = 0, .name = "ECHO", .bank = REG_ANY_BANK, .width = 4, BACKED(PcTestdev, echo, UINT32_MAX)},
    {.offset = 4, .name = "FLUSH", .bank = REG_ANY_BANK, .width = 4},
    {.offset = 8, .name = "ECHO", .bank = REG_ANY_BANK, .width = 4, BACKED(PcTestdev, echo, UINT32_MAX)},
};

/* One access moves one line, whatever its width. */
static void line_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PcTestdev *t = pc_testdev(opaque);
    uint32_t bit = BIT(offset % PC_TESTDEV_NUM_IRQS);
    t->s.lines = value ? t->s.lines | bit : t->s.lines & ~bit;
}

static uint64_t line_read(void *opaque, uint64_t offset, unsigned size)
{
    return (pc_testdev(opaque)->s.lines >> (offset % PC_TESTDEV_NUM_IRQS)) & 1;
}

static const RegionOps line_ops = {.read = line_read, .write = line_write, .unaligned = true};

static uint64_t memory_read(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t value = 0;
    if (offset <= MEMORY_SIZE - size) {
        memcpy(&value, pc_testdev(opaque)->s.memory + offset, size);
    }
    return value;
}

static void memory_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    if (offset <= MEMORY_SIZE - size) {
        memcpy(pc_testdev(opaque)->s.memory + offset, &value, size);
    }
}

static const RegionOps memory_ops = {.read = memory_read, .write = memory_write, .max_size = 8, .unaligned = true};

static void pc_testdev_update(Device *dev)
{
    const PcTestdev *t = pc_testdev(dev);
    for (unsigned n = 0; n < PC_TESTDEV_NUM_IRQS; n++) {
        irq_set(&t->irq[n], t->s.lines & BIT(n));
    }
}

static bool pc_testdev_realize(Device *dev, GError **error)
{
    device_region_init_regs(dev, "pc-testdev", 12, true);
    device_region_init_io(dev, "pc-testdev-irq-line", PC_TESTDEV_NUM_IRQS, &line_ops);
    device_region_init_io(dev, "pc-testdev-iomem", MEMORY_SIZE, &memory_ops);
    return true;
}

static const Pin pc_testdev_pins[] = {PIN(PcTestdev, "irq", irq)};

DEVICE_TYPE(pc_testdev, PcTestdev, .name = "pc-testdev", .desc = "test device of kvm-unit-tests", .bus = BUS_ISA,
            FIELDS(pc_testdev_fields), REGS(pc_testdev_regs), PINS(pc_testdev_pins), .realize = pc_testdev_realize,
            .update = pc_testdev_update);
