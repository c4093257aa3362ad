/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A 16550A serial port.  Region 0: 8 ports; pin "irq".  Boards read where the port lies from the properties. */
#pragma once

#include "hw/core/device.h"

/* As the properties "iobase" and "irq" (or "index", for COM1..COM4) say; after device_realize(). */
uint16_t uart16550_iobase(const Device *dev);
uint8_t uart16550_irq(const Device *dev);
