/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "kick-testdev", 1af4:10f0: BAR 0 (memory) and BAR 1 (ports) with these registers.  The worker counts kicks and then
 * interrupts, by MSI if that is enabled, else by INTA#.
 */
#pragma once

#include "hw/pci/pci.h"

extern const DeviceType kick_testdev_type;

#define KICK_TESTDEV_ID 0x10f0 /* of the numbers that are free for experiments */
#define KICK_TESTDEV_KICKS 3
#define KICK_TESTDEV_VALUE 0xcafe1234u

enum {
    KICK_TESTDEV_ANY = 0x00,     /* write of any size: kick 0, while ON */
    KICK_TESTDEV_WORD = 0x08,    /* write of 16 bits: kick 1 */
    KICK_TESTDEV_MATCH = 0x10,   /* write of KICK_TESTDEV_VALUE, 32 bits: kick 2 */
    KICK_TESTDEV_COUNT = 0x20,   /* 3 counters of 32 bits, read */
    KICK_TESTDEV_DIRECT = 0x30,  /* read: writes to a kick register that were no kicks */
    KICK_TESTDEV_ON = 0x34,      /* bit 0: the kick registers are watched */
    KICK_TESTDEV_PENDING = 0x38, /* read: INTA# is up; write: takes it down */
    KICK_TESTDEV_TRAIL = 0x40,   /* read: what was written here and to LATE, in its order, as one number */
    KICK_TESTDEV_LATE = 0x44,    /* writes may be late (region_allow_late()) */
};
