/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keyboard controller with a PS/2 keyboard and a PS/2 mouse attached: type "i8042".
 * Region 0 has the data port at offset 0 and the status and command port at offset 4; what is between belongs to
 * others, so a board maps two pieces of one byte: space_map(io, 0x60, r, 0, 1, 0) and
 * space_map(io, 0x64, r, 4, 1, 0).
 * Pins: "kbd-irq" (ISA IRQ 1), "mouse-irq" (IRQ 12), "a20" (the gate: high after reset; the chipset ORs it with that
 * of port 92), "reset" (a pulse: the processor is to be reset).
 */
#pragma once

#include "hw/core/device.h"

#define I8042_DATA_PORT 0x60
#define I8042_COMMAND_PORT 0x64

/*
 * After a reset, for a board that starts a kernel without firmware: the state in which firmware hands over, with
 * self test passed, keyboard interrupts and translation to set 1 on, mouse interface off.
 */
void i8042_skip_firmware(Device *dev);

/* A key of the user.  code: set 1, with 0xe000 for prefixed keys, as ps2_keyboard_key().  Machine lock held. */
void i8042_key(Device *dev, uint16_t code, bool down);
/* The user's mouse moved (dy downwards, dz of the wheel towards the user) or changed buttons (PS2_BUTTON_*). */
void i8042_mouse(Device *dev, int dx, int dy, int dz, unsigned buttons);
