/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the APICs: destinations, lowest priority, inter-processor interrupts, message-signalled interrupts.
 * Spec: Intel SDM vol 3, 11.6 (IPIs), 11.12.10 (x2APIC addresses), 11.11 (messages).
 */
#include "hw/intc/lapic_internal.h"

#include "hw/intc/ioapic.h"

bool apic_bus_add_lapic(ApicBus *bus, Device *dev)
{
    if (bus->num_lapics >= APIC_MAX_CPUS) {
        return false;
    }
    bus->lapic[bus->num_lapics++] = dev;
    lapic(dev)->bus = bus;
    return true;
}

bool apic_bus_add_ioapic(ApicBus *bus, Device *dev)
{
    if (bus->num_ioapics >= APIC_MAX_IOAPICS) {
        return false;
    }
    bus->ioapic[bus->num_ioapics++] = dev;
    ioapic_set_bus(dev, bus);
    return true;
}

/* 11.6.2.2: flat or cluster model of an APIC in xAPIC mode; dest is 8 bits. */
static bool matches_logical_x(const Lapic *l, uint32_t dest)
{
    uint32_t id = l->s.ldr >> 24;
    switch (l->s.dfr >> 28) {
    case 0xf:
        return id & dest;
    case 0:
        return ((id ^ dest) >> 4 == 0 || dest >> 4 == 0xf) && (id & dest & 0xf);
    default:
        return false;
    }
}

static bool matches(Lapic *l, const ApicMsg *msg)
{
    if (msg->dest == (msg->wide ? UINT32_MAX : 0xff)) {
        return true; /* broadcast */
    }
    if (!msg->logical) {
        return msg->dest == lapic_id(&l->dev);
    }
    if (lapic_x2(l)) {
        uint32_t id = lapic_ldr(l);
        return (id ^ msg->dest) >> 16 == 0 && (id & msg->dest & 0xffff);
    }
    return msg->dest <= 0xff && matches_logical_x(l, msg->dest);
}

/* 11.6.2.4: the processor that does the least important work; among equals the first. */
static unsigned deliver_lowest(ApicBus *bus, const ApicMsg *msg, const Lapic *except)
{
    Lapic *best = NULL;
    for (unsigned i = 0; i < bus->num_lapics; i++) {
        Lapic *l = lapic(bus->lapic[i]);
        if (l != except && lapic_software_enabled(l) && matches(l, msg) &&
            (!best || lapic_ppr(l) < lapic_ppr(best))) {
            best = l;
        }
    }
    return best && lapic_take(best, msg) ? 1 : 0;
}

/* As a message for the engine: SDM vol 3, 11.11. */
static bool hand_on(const IrqSink *sink, const ApicMsg *msg)
{
    uint64_t addr = APIC_DEFAULT_BASE | (uint64_t)(msg->dest & 0xff) << 12 | (msg->logical ? BIT(2) : 0) |
                    (msg->mode == APIC_LOWEST ? BIT(3) : 0);
    uint32_t data = msg->vector | (uint32_t)msg->mode << 8 | (msg->level ? BIT(15) | BIT(14) : 0);
    return sink->message(sink->opaque, addr, data);
}

static unsigned hand_on_to_all(const ApicBus *bus, const ApicMsg *msg, const Lapic *except)
{
    unsigned taken = 0;
    if (!except) {
        return hand_on(bus->sink, msg);
    }
    for (unsigned i = 0; i < bus->num_lapics; i++) {
        ApicMsg one = *msg;
        one.dest = lapic(bus->lapic[i])->initial_id;
        if (lapic(bus->lapic[i]) != except) {
            taken += hand_on(bus->sink, &one);
        }
    }
    return taken;
}

static unsigned deliver(ApicBus *bus, const ApicMsg *msg, const Lapic *except)
{
    unsigned taken = 0;
    if (bus->sink) {
        return hand_on_to_all(bus, msg, except);
    }
    if (msg->mode == APIC_LOWEST) {
        return deliver_lowest(bus, msg, except);
    }
    for (unsigned i = 0; i < bus->num_lapics; i++) {
        Lapic *l = lapic(bus->lapic[i]);
        if (l != except && matches(l, msg)) {
            taken += lapic_take(l, msg);
        }
    }
    return taken;
}

unsigned apic_bus_deliver(ApicBus *bus, const ApicMsg *msg)
{
    return bus ? deliver(bus, msg, NULL) : 0;
}

void apic_bus_eoi(const ApicBus *bus, uint8_t vector)
{
    if (bus->sink && bus->sink->eoi) {
        bus->sink->eoi(bus->sink->opaque, vector);
        return;
    }
    for (unsigned i = 0; i < bus->num_ioapics; i++) {
        ioapic_eoi(bus->ioapic[i], vector);
    }
}

/*
 * 11.11.1 and 11.11.2: address bits 19..12 destination, 3 redirection hint, 2 logical; data like an I/O APIC entry.
 * The manual says that without the hint the destination is physical, but chipsets look at bit 2 alone and kernels
 * rely on it.
 */
void apic_bus_msi(ApicBus *bus, uint64_t addr, uint32_t data)
{
    ApicMsg msg = {
        .dest = addr >> 12 & 0xff,
        .logical = addr & BIT(2),
        .level = data & BIT(15),
        .mode = (ApicMode)(data >> 8 & 7),
        .vector = data & 0xff,
    };
    if (bus->sink) {
        bus->sink->message(bus->sink->opaque, addr, data);
        return;
    }
    if (addr >> 20 != APIC_DEFAULT_BASE >> 20 || msg.mode == APIC_RESERVED || msg.mode == APIC_SIPI ||
        (msg.level && !(data & BIT(14)))) {
        return; /* not a message, or a level that goes away: APICs take no notice */
    }
    if (msg.logical && (addr & BIT(3)) && msg.mode == APIC_FIXED) {
        msg.mode = APIC_LOWEST;
    }
    apic_bus_deliver(bus, &msg);
}

/* ---- inter-processor interrupts ---- */

enum { TO_DEST, TO_SELF, TO_ALL, TO_OTHERS }; /* ICR bits 19:18 */

void lapic_send_self(Lapic *l, uint8_t vector)
{
    ApicMsg msg = {.mode = APIC_FIXED, .vector = vector};
    if (vector < 16) {
        lapic_error(l, ESR_SEND_ILLEGAL);
    } else {
        lapic_take(l, &msg);
    }
}

/* What the ICR says, 11.6.1. */
void lapic_send_ipi(Lapic *l)
{
    uint32_t low = (uint32_t)l->s.icr;
    bool x2 = lapic_x2(l);
    unsigned to = low >> 18 & 3;
    ApicMsg msg = {
        .dest = (uint32_t)(l->s.icr >> (x2 ? 32 : 56)),
        .wide = x2,
        .logical = low & BIT(11),
        .mode = (ApicMode)(low >> 8 & 7),
        .vector = low & 0xff,
    };
    if (to != TO_DEST) {
        msg.dest = x2 ? UINT32_MAX : 0xff;
        msg.logical = false;
    }
    bool fixed = msg.mode == APIC_FIXED || msg.mode == APIC_LOWEST;
    bool deassert = msg.mode == APIC_INIT && (low & BIT(15)) && !(low & BIT(14));
    if (fixed && msg.vector < 16) {
        lapic_error(l, ESR_SEND_ILLEGAL);
    } else if (msg.mode == APIC_RESERVED || msg.mode == APIC_EXTINT || deassert) {
        return; /* INIT level de-assert does nothing since the Pentium 4 */
    } else if (to == TO_SELF) {
        if (msg.mode == APIC_FIXED || msg.mode == APIC_NMI) {
            lapic_take(l, &msg);
        }
    } else if (l->bus) {
        deliver(l->bus, &msg, to == TO_OTHERS ? l : NULL);
    }
}
