/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test device of kvm-unit-tests on a PC: type "pc-testdev", at fixed addresses:
 * region 0 at port 0xe0 (12 ports), region 1 at port 0x2000 (24 ports), region 2 at memory 0xff000000 (64 KiB).
 * Pins: "irq", 24 of them, pin n being interrupt line n of the board (GSI).
 */
#pragma once

#define PC_TESTDEV_PORT 0xe0
#define PC_TESTDEV_IRQ_PORT 0x2000
#define PC_TESTDEV_MEMORY 0xff000000
#define PC_TESTDEV_NUM_IRQS 24
