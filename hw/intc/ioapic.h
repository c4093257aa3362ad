/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O APIC.  Inputs 0..23: true is "asserted", whatever the polarity on a real board's wire.  Region 0: 4 KiB,
 * usually at 0xfec00000.  apic_bus_add_ioapic() joins it to the local APICs.
 */
#pragma once

#include "hw/core/device.h"
#include "hw/intc/lapic.h"

#define IOAPIC_PINS IRQCHIP_PINS

/* Called by apic_bus_add_ioapic(). */
void ioapic_set_bus(Device *dev, ApicBus *bus);
void ioapic_get_state(Device *dev, IoapicState *out);
void ioapic_set_state(Device *dev, const IoapicState *in);
/* A local APIC ended a level-triggered interrupt. */
void ioapic_eoi(Device *dev, uint8_t vector);
