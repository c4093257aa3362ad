/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pc board's interrupt controllers, for an engine that has them in the host's kernel while the guest runs. */
#include "hw/i386/pc.h"
#include "hw/intc/i8259.h"

static void set_sink(void *opaque, const IrqSink *sink)
{
    PcBoard *pc = opaque;

    pc->apic_bus.sink = sink;
    for (unsigned n = 0; n < pc->machine->num_cpus; n++) {
        lapic_set_away(pc->cpus[n].lapic, sink != NULL);
        if (sink) {
            cpu_set_intr(pc->cpus[n].cpu, false);
        }
    }
    if (sink && sink->intr) {
        sink->intr(sink->opaque, i8259_intr(pc->pic));
    }
    if (sink && sink->table) {
        IoapicState state;
        ioapic_get_state(pc->ioapic, &state);
        sink->table(sink->opaque, state.table);
    }
    if (!sink) {
        device_update(pc->pic);
        device_update(pc->ioapic);
    }
}

static void get_lapic(void *opaque, unsigned cpu, LapicState *out)
{
    lapic_get_state(((PcBoard *)opaque)->cpus[cpu].lapic, out);
}

static void set_lapic(void *opaque, unsigned cpu, const LapicState *in)
{
    PcBoard *pc = opaque;

    pc_apic_move_page(pc, cpu, in->base);
    lapic_set_state(pc->cpus[cpu].lapic, in);
}

static void set_base_tpr(void *opaque, unsigned cpu, uint64_t base, uint8_t cr8)
{
    PcBoard *pc = opaque;

    pc_apic_move_page(pc, cpu, base);
    lapic_set_base_tpr(pc->cpus[cpu].lapic, base, cr8);
}

static void get_ioapic(void *opaque, IoapicState *out)
{
    ioapic_get_state(((PcBoard *)opaque)->ioapic, out);
}

static void set_ioapic(void *opaque, const IoapicState *in)
{
    ioapic_set_state(((PcBoard *)opaque)->ioapic, in);
}

static void get_pic(void *opaque, unsigned chip, PicState *out)
{
    i8259_get_state(((PcBoard *)opaque)->pic, chip, out);
}

static void set_pic(void *opaque, unsigned chip, const PicState *in)
{
    i8259_set_state(((PcBoard *)opaque)->pic, chip, in);
}

static uint32_t lines(void *opaque)
{
    const PcBoard *pc = opaque;
    uint32_t levels = 0;

    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        levels |= pc->asserted[n] ? BIT(n) : 0;
    }
    return levels;
}

static int ack(void *opaque)
{
    PcBoard *pc = opaque;

    return i8259_intr(pc->pic) ? i8259_ack(pc->pic) : -1;
}

static void eoi(void *opaque, uint8_t vector)
{
    ioapic_eoi(((PcBoard *)opaque)->ioapic, vector);
}

const IrqchipOps pc_irqchip_ops = {
    .set_sink = set_sink,
    .get_lapic = get_lapic,
    .set_lapic = set_lapic,
    .get_ioapic = get_ioapic,
    .set_ioapic = set_ioapic,
    .get_pic = get_pic,
    .set_pic = set_pic,
    .set_base_tpr = set_base_tpr,
    .lines = lines,
    .ack = ack,
    .eoi = eoi,
};
