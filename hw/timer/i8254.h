/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 8254 interval timer of a PC.  Regions: 0 counters and control word (ports 0x40-0x43), 1 system control port B
 * (0x61).  Pin "irq0" is OUT0.  The gates of counters 0 and 1 are high, that of counter 2 is bit 0 of port B.
 */
#pragma once

#include "hw/core/device.h"

#define I8254_HZ 1193182

/* OUT of counter 2 through the speaker gate (bit 1 of port B) now: what the speaker gets. */
bool i8254_speaker(Device *dev);
