/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O APIC of a PC, with the EOI register of version 0x20.
 * Spec: Intel 82093AA data sheet (order 290566-001), section 3; EOI register: Intel ICH9 data sheet, 13.5.4.
 */
#include "hw/intc/ioapic.h"

#include <string.h>

#define VERSION 0x20

enum { IOREGSEL = 0x00, IOWIN = 0x10, EOIR = 0x40 };
enum { REG_ID, REG_VERSION, REG_ARBITRATION, REG_TABLE = 0x10 };

/* Redirection table entries, 3.2.4. */
#define RTE_MODE(rte) ((ApicMode)((rte) >> 8 & 7))
#define RTE_LOGICAL BIT64(11)
#define RTE_REMOTE_IRR BIT64(14)
#define RTE_LEVEL BIT64(15)
#define RTE_MASKED BIT64(16)
#define RTE_WRITABLE (MASK64(63, 56) | 0x1afff)

typedef struct Ioapic {
    Device dev;
    ApicBus *bus;
    struct {
        uint64_t table[IOAPIC_PINS];
        uint32_t select, id;
        uint32_t lines; /* asserted inputs */
        uint32_t edges; /* edges that no local APIC has taken yet */
    } s;
} Ioapic;

static const Field ioapic_state[] = {
    FIELD_ARRAY(Ioapic, table, RTE_MASKED),
    FIELD_RANGE(Ioapic, select, 0, 0, 0xff),
    FIELD(Ioapic, id, 0),
    FIELD_RANGE(Ioapic, lines, 0, 0, BIT(IOAPIC_PINS) - 1),
    FIELD_RANGE(Ioapic, edges, 0, 0, BIT(IOAPIC_PINS) - 1),
};

static Ioapic *ioapic(Device *dev)
{
    return container_of(dev, Ioapic, dev);
}

void ioapic_set_bus(Device *dev, ApicBus *bus)
{
    ioapic(dev)->bus = bus;
}

/* Level only means something for fixed and lowest-priority delivery: 3.2.4, delivery mode. */
static bool level_triggered(uint64_t rte)
{
    return (rte & RTE_LEVEL) && RTE_MODE(rte) <= APIC_LOWEST;
}

static bool send(Ioapic *io, uint64_t rte)
{
    ApicMsg msg = {
        .dest = (uint32_t)(rte >> 56),
        .logical = rte & RTE_LOGICAL,
        .level = level_triggered(rte),
        .mode = RTE_MODE(rte),
        .vector = rte & 0xff,
    };
    return msg.mode != APIC_RESERVED && msg.mode != APIC_SIPI && apic_bus_deliver(io->bus, &msg) > 0;
}

/* Does an engine have the I/O APIC, too? */
static bool away(const Ioapic *io)
{
    return io->bus && io->bus->sink && io->bus->sink->full;
}

static void serve(Ioapic *io, unsigned n)
{
    uint64_t rte = io->s.table[n];
    uint32_t bit = BIT(n);
    if (rte & RTE_MASKED) {
        return;
    }
    if (!level_triggered(rte)) {
        if (io->s.edges & bit) {
            io->s.edges &= ~bit;
            send(io, rte);
        }
    } else if ((io->s.lines & bit) && !(rte & RTE_REMOTE_IRR)) {
        /* set first: an EOI may come back before send() returns */
        io->s.table[n] |= RTE_REMOTE_IRR;
        if (!send(io, rte)) {
            io->s.table[n] &= ~RTE_REMOTE_IRR;
        }
    }
}

static void ioapic_update(Device *dev)
{
    Ioapic *io = ioapic(dev);
    if (away(io)) {
        return;
    }
    for (uint32_t todo = io->s.lines | io->s.edges; todo; todo &= todo - 1) {
        serve(io, (unsigned)__builtin_ctz(todo));
    }
}

static void ioapic_input(Device *dev, unsigned n, bool level)
{
    Ioapic *io = ioapic(dev);
    if (n >= IOAPIC_PINS) {
        return;
    }
    if (!level) {
        io->s.lines &= ~BIT(n);
    } else if (!(io->s.lines & BIT(n))) {
        io->s.lines |= BIT(n);
        if (!level_triggered(io->s.table[n]) && !(io->s.table[n] & RTE_MASKED)) {
            io->s.edges |= BIT(n); /* 3.2.4, interrupt mask: an edge on a masked pin is not remembered */
        }
    }
}

void ioapic_eoi(Device *dev, uint8_t vector)
{
    Ioapic *io = ioapic(dev);
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        if ((io->s.table[n] & 0xff) == vector && level_triggered(io->s.table[n])) {
            io->s.table[n] &= ~RTE_REMOTE_IRR;
        }
    }
    if (dev->depth == 0) {
        device_update(dev);
    }
}

/* ---- state for an engine ---- */

void ioapic_get_state(Device *dev, IoapicState *out)
{
    const Ioapic *io = ioapic(dev);
    *out = (IoapicState){.select = io->s.select, .id = io->s.id, .requests = io->s.edges};
    memcpy(out->table, io->s.table, sizeof(out->table));
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        if (level_triggered(io->s.table[n])) {
            out->requests = (out->requests & ~BIT(n)) | (io->s.lines & BIT(n));
        }
    }
}

/* The lines are as the board drives them. */
void ioapic_set_state(Device *dev, const IoapicState *in)
{
    Ioapic *io = ioapic(dev);
    io->s.select = in->select & 0xff;
    io->s.id = in->id & 0x0f000000;
    memcpy(io->s.table, in->table, sizeof(io->s.table));
    io->s.edges = 0;
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        /* an edge of a masked pin is remembered by some engines; here it is not */
        if (!level_triggered(in->table[n]) && !(in->table[n] & RTE_MASKED)) {
            io->s.edges |= in->requests & BIT(n);
        }
    }
    device_update(dev);
}

/* ---- registers ---- */

static uint32_t window_read(const Ioapic *io)
{
    unsigned reg = io->s.select, n = (reg - REG_TABLE) / 2;
    switch (reg) {
    case REG_ID:
    case REG_ARBITRATION:
        return io->s.id;
    case REG_VERSION:
        return (IOAPIC_PINS - 1) << 16 | VERSION;
    default:
        if (reg < REG_TABLE || n >= IOAPIC_PINS) {
            return 0;
        }
        return (uint32_t)(io->s.table[n] >> (reg & 1 ? 32 : 0));
    }
}

static void table_write(Ioapic *io, unsigned n, bool high, uint32_t value)
{
    uint64_t old = io->s.table[n];
    uint64_t rte = high ? (old & UINT32_MAX) | (uint64_t)value << 32 : (old & MASK64(63, 32)) | value;
    rte = (rte & RTE_WRITABLE) | (old & RTE_REMOTE_IRR);
    if (!level_triggered(rte)) {
        rte &= ~RTE_REMOTE_IRR; /* kernels toggle the trigger mode of a masked pin to clear it */
    }
    io->s.table[n] = rte;
    if (io->bus && io->bus->sink && io->bus->sink->table) {
        io->bus->sink->table(io->bus->sink->opaque, io->s.table);
    }
}

static void window_write(Ioapic *io, uint32_t value)
{
    unsigned reg = io->s.select, n = (reg - REG_TABLE) / 2;
    if (reg == REG_ID) {
        io->s.id = value & 0x0f000000;
    } else if (reg >= REG_TABLE && n < IOAPIC_PINS) {
        table_write(io, n, reg & 1, value);
    }
}

static uint64_t ioapic_read(void *opaque, uint64_t offset, unsigned size)
{
    Ioapic *io = opaque;
    switch (offset) {
    case IOREGSEL:
        return io->s.select;
    case IOWIN:
        return window_read(io);
    default:
        return 0;
    }
}

static void ioapic_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Ioapic *io = opaque;
    switch (offset) {
    case IOREGSEL:
        io->s.select = value & 0xff;
        break;
    case IOWIN:
        window_write(io, (uint32_t)value);
        break;
    case EOIR:
        ioapic_eoi(&io->dev, (uint8_t)value);
        break;
    default:
        break;
    }
}

static const RegionOps ioapic_ops = {.read = ioapic_read, .write = ioapic_write, .min_size = 4, .max_size = 4};

static bool ioapic_realize(Device *dev, GError **error)
{
    device_region_init_io(dev, "ioapic", 4096, &ioapic_ops);
    return true;
}

DEVICE_TYPE(ioapic, Ioapic, .name = "ioapic", .desc = "82093AA I/O APIC", FIELDS(ioapic_state),
            .realize = ioapic_realize, .update = ioapic_update, .input = ioapic_input);
