/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel PIIX4 power management function: ACPI fixed registers, SCI, soft-off, power button, SMI command port.
 * Spec: 82371AB (PIIX4) datasheet (290562), chapter 7; ACPI specification 6.5, section 4.8.
 */
#pragma once

#include "hw/pci/pci.h"

extern const DeviceType piix4pm_type;

/* Configuration registers that firmware sets up. */
enum {
    PIIX4PM_PMBA = 0x40,      /* base of the 64 power management ports */
    PIIX4PM_DEVACTB = 0x58,   /* device activity B: bit 25 lets port 0xb2 raise SMIs */
    PIIX4PM_PMREGMISC = 0x80, /* bit 0: they are decoded */
    PIIX4PM_SMBBA = 0x90,     /* base of the SMBus host ports (no host is there) */
    PIIX4PM_SMBHSTCFG = 0xd2,
};

#define DEVACTB_APMC_EN BIT(25)

/* Regions. */
enum {
    PIIX4PM_REGS, /* at PMBA, mapped by the device through the bus */
    PIIX4PM_GPE,  /* general purpose events: status words, enable words */
    PIIX4PM_APM,  /* ports 0xb2 and 0xb3 */
};

/* What the FADT tells the guest to write to port 0xb2. */
enum { PIIX4PM_ACPI_ENABLE = 0xf1, PIIX4PM_ACPI_DISABLE = 0xf0 };
/* PM1a_CNT.SLP_TYP of the soft-off state, for the \_S5 package. */
#define PIIX4PM_SLP_TYP_S5 0
#define PIIX4PM_PM_TIMER_HZ 3579545

/* The pin group "sci" is one wire, active high.  The power button was pressed: */
void piix4pm_power_button(Device *dev);
