/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pc board's interrupt wires: each goes to the 8259 pair and to the I/O APIC.
 * Spec: Intel MultiProcessor specification 1.4, 3.6.2.3 (symmetric I/O mode), 5.3 (timer on I/O APIC pin 2).
 */
#include "hw/i386/pc.h"

enum { TIMER_IRQ = 0, CASCADE_IRQ = 2, NUM_ISA_IRQS = 16 };

static void drive(PcBoard *pc, unsigned gsi, bool level)
{
    unsigned pin = gsi == TIMER_IRQ ? CASCADE_IRQ : gsi;
    Irq irq;

    if (gsi < NUM_ISA_IRQS && gsi != CASCADE_IRQ) {
        irq = device_input(pc->pic, gsi);
        irq_set(&irq, level);
    }
    if (gsi != CASCADE_IRQ) {
        irq = device_input(pc->ioapic, pin);
        irq_set(&irq, level);
    }
    if (pc->apic_bus.sink && pc->apic_bus.sink->line) {
        pc->apic_bus.sink->line(pc->apic_bus.sink->opaque, gsi, level);
    }
}

static void source_changed(void *opaque, unsigned n, bool level)
{
    PcIrqSource *source = opaque;
    PcBoard *pc = source->pc;
    bool before = pc->asserted[source->gsi] != 0;

    if (level == source->level) {
        return;
    }
    source->level = level;
    pc->asserted[source->gsi] += level ? 1u : -1u;
    if ((pc->asserted[source->gsi] != 0) != before) {
        drive(pc, source->gsi, !before);
    }
}

Irq pc_irq_source(PcBoard *pc, unsigned gsi)
{
    PcIrqSource *source = g_new0(PcIrqSource, 1);

    source->pc = pc;
    source->gsi = gsi % IOAPIC_PINS;
    g_ptr_array_add(pc->irq_sources, source);
    return (Irq){.fn = source_changed, .opaque = source};
}

void pc_map_ports(PcBoard *pc, Device *dev, unsigned region, uint16_t port)
{
    space_map_whole(pc->machine->io, port, device_region(dev, region));
}
