/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fast A20 gate and processor reset: type "port92".  Region 0 (one port) belongs at 0x92.
 * Pins: "a20" (high: address line 20 passes; the chipset ORs it with the keyboard controller's), "reset" (a pulse:
 * the processor is to be reset).
 */
#pragma once

#define PORT92_PORT 0x92
