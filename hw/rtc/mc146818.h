/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real-time clock and CMOS memory of a PC.  Region 0: ports 0x70 (index, bit 7 masks NMI) and 0x71 (data).
 * Pin "irq8".  Property "base": "utc" (default), "localtime" or a date (2026-06-17 or 2026-06-17T16:01:21): the
 * time at power-on.
 */
#pragma once

#include "hw/core/device.h"

#define MC146818_CENTURY 0x32

/* CMOS bytes that firmware expects (memory size, boot order): what a battery would have kept. Index 0x0e..0x7f. */
void mc146818_set_cmos(Device *dev, unsigned index, uint8_t value);
uint8_t mc146818_get_cmos(Device *dev, unsigned index);
/* The time now, in seconds since 1970 of the calendar that the guest sees. */
int64_t mc146818_get_time(Device *dev);
void mc146818_set_time(Device *dev, int64_t seconds);
/* Bit 7 of port 0x70. */
bool mc146818_nmi_masked(Device *dev);
