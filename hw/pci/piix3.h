/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel PIIX3 ISA bridge: PCI interrupt routing and the reset control register.
 * Spec: 82371SB (PIIX3) datasheet (290550), sections 2.2 and 2.5.
 */
#pragma once

#include "hw/pci/pci.h"

extern const DeviceType piix3_type;

enum { PIIX3_PIRQRC = 0x60 }; /* four route registers: bit 7 off, bits 3-0 ISA interrupt */

typedef struct Piix3 {
    PciDevice pci;
    Irq isa[16];              /* pin group "isa" */
    bool pirq[PCI_NUM_PIRQS]; /* levels on the inputs PIRQA#..PIRQD# (true: requesting) */
    uint16_t driven;          /* bit n: isa[n] is high now */
    struct {
        PCI_CONFIG_STATE;
        uint8_t reset_control;
    } s;
} Piix3;

/* Region 0: port 0xcf9. */
enum { PIIX3_RESET_CONTROL };

static inline Piix3 *piix3(Device *dev)
{
    return container_of(dev, Piix3, pci.dev);
}
