/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pair of 8259A interrupt controllers of a PC.  Inputs 0..15 are IRQ0..IRQ15 (IRQ2 is the cascade and not
 * connected), pin "intr" goes to LINT0 of the local APICs, regions: 0 master (ports 0x20-0x21), 1 slave
 * (0xa0-0xa1), 2 edge/level registers (0x4d0-0x4d1).
 */
#pragma once

#include "hw/core/device.h"
#include "hw/core/irqchip.h"

/* The processor's two INTA cycles: the vector, which is that of IR7 of a chip when its request has gone away. */
int i8259_ack(Device *dev);

/* Chip 0 or 1 for an engine that has the pair, and back; the lines are as the board drives them. */
void i8259_get_state(Device *dev, unsigned chip, PicState *out);
void i8259_set_state(Device *dev, unsigned chip, const PicState *in);

/* The level of pin "intr". */
bool i8259_intr(Device *dev);
