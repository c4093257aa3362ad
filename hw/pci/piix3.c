/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel PIIX3 ISA bridge: PCI interrupt routing and the reset control register.
 * Spec: 82371SB (PIIX3) datasheet (290550), sections 2.2 (configuration registers) and 2.5.5.3 (RC register).
 */
#include "hw/pci/piix3.h"

#include <string.h>

enum {
    IORT = 0x4c,
    XBCS = 0x4e,
    TOM = 0x69,
    MBIRQ0 = 0x70,
    MBDMA = 0x76,
    PCSC = 0x78,
    SMICNTL = 0xa0,
};
#define PIRQ_OFF 0x80
#define ISA_ROUTABLE 0xdef8u /* 3-7, 9-12, 14, 15: the others are reserved */
enum { RC_HARD = 1 << 1, RC_CPU_RESET = 1 << 2 };

static void piix3_update(Device *dev)
{
    Piix3 *bridge = piix3(dev);
    uint16_t want = 0;
    uint16_t changed;

    pci_device_update(&bridge->pci);
    for (unsigned n = 0; n < PCI_NUM_PIRQS; n++) {
        uint8_t route = bridge->s.config[PIIX3_PIRQRC + n];

        if (bridge->pirq[n] && !(route & PIRQ_OFF)) {
            want |= (uint16_t)(BIT(route & 15) & ISA_ROUTABLE);
        }
    }
    changed = want ^ bridge->driven;
    bridge->driven = want;
    for (unsigned n = 0; n < 16; n++) {
        if (changed & BIT(n)) {
            irq_set(&bridge->isa[n], want >> n & 1);
        }
    }
}

static void piix3_input(Device *dev, unsigned n, bool level)
{
    piix3(dev)->pirq[n % PCI_NUM_PIRQS] = level;
    piix3_update(dev);
}

static uint64_t reset_control_read(Device *dev)
{
    return piix3(dev)->s.reset_control;
}

static void reset_control_write(Device *dev, uint64_t value)
{
    Piix3 *bridge = piix3(dev);
    bool edge = !(bridge->s.reset_control & RC_CPU_RESET) && (value & RC_CPU_RESET);

    /* Bit 2 starts a reset when it goes from 0 to 1; bit 1 chooses which kind.  Both kinds reset the machine here. */
    bridge->s.reset_control = (uint8_t)value & (RC_HARD | RC_CPU_RESET);
    if (edge) {
        dev->env->request(dev->env->opaque, REQUEST_RESET, 0);
    }
}

static const Reg piix3_regs[] = {
    {0, "RC", REG_ANY_BANK, HANDLED(reset_control_read, reset_control_write)},
};

static bool piix3_realize(Device *dev, GError **error)
{
    static const PciIds ids = {.vendor = 0x8086,
                               .device = 0x7000,
                               .class_code = 0x0601,
                               .multifunction = true,
                               .sub_vendor = 0x1af4,
                               .sub_device = 0x1100};
    Piix3 *bridge = piix3(dev);
    uint8_t *init = bridge->pci.init;
    uint8_t *wmask = bridge->pci.wmask;

    pci_device_init(&bridge->pci, bridge->s.config, &ids);
    pci_put16(init, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    pci_put16(wmask, PCI_COMMAND, 0);
    pci_put16(init, PCI_STATUS, 0x0200);
    init[IORT] = 0x4d;
    init[XBCS] = 0x03;
    wmask[IORT] = 0x7f;
    pci_put16(wmask, XBCS, 0x01ff);
    memset(init + PIIX3_PIRQRC, PIRQ_OFF, PCI_NUM_PIRQS);
    memset(wmask + PIIX3_PIRQRC, 0x8f, PCI_NUM_PIRQS);
    init[TOM] = 0x02;
    wmask[TOM] = 0xfe;
    init[MBIRQ0] = PIRQ_OFF;
    wmask[MBIRQ0] = 0xef;
    pci_put16(init, MBDMA, 0x0c0c);
    pci_put16(wmask, MBDMA, 0x8f8f);
    init[PCSC] = 0x02;
    pci_put16(wmask, PCSC, 0xffff);
    init[SMICNTL] = 0x08;
    wmask[SMICNTL] = 0x1d;
    device_region_init_regs(dev, "reset-control", 1, true);
    return true;
}

static void piix3_unrealize(Device *dev)
{
    pci_device_fini(&piix3(dev)->pci);
}

static void piix3_reset(Device *dev)
{
    pci_device_reset(&piix3(dev)->pci);
}

static bool piix3_validate(const Device *dev, GError **error)
{
    return pci_device_validate((const PciDevice *)dev, error);
}

static const Field piix3_state[] = {
    PCI_CONFIG_FIELD(Piix3),
    FIELD_RANGE(Piix3, reset_control, 0, 0, RC_HARD | RC_CPU_RESET),
};

static const Pin piix3_pins[] = {PIN(Piix3, "isa", isa)};

DEVICE_TYPE(piix3, Piix3, .name = "PIIX3", .desc = "PIIX3 ISA bridge: PCI interrupt routing and reset control",
            .bus = BUS_NONE, FIELDS(piix3_state), REGS(piix3_regs), PINS(piix3_pins), .realize = piix3_realize,
            .unrealize = piix3_unrealize, .reset = piix3_reset, .update = piix3_update, .input = piix3_input,
            .validate = piix3_validate);
