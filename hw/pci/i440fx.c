/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82441FX (i440FX) host bridge: configuration mechanism 1 and the attributes of the legacy ROM area.
 * Spec: 82441FX PMC datasheet (290549), sections 3.1 (CONFADD, CONFDATA), 3.2.17 (PAM), 3.2.20 (SMRAM);
 * PCI Local Bus Specification 3.0, section 3.2.2.3.2 (mechanism 1).
 */
#include "hw/pci/i440fx.h"

#include <string.h>

enum { PMCCFG = 0x50, SMRAM = 0x72 };
#define CONFIG_ENABLE 0x80000000u
#define CONFIG_ADDRESS_MASK 0x80fffffcu
#define SMRAM_RESET 0x02

/* ---- configuration mechanism 1 ---- */

static PciDevice *target(const I440fx *bridge)
{
    uint32_t address = bridge->s.config_address;

    /* Only bus 0 exists; a cycle for any other ends in a master abort. */
    if (!(address & CONFIG_ENABLE) || (address >> 16 & 0xff) != 0 || !bridge->child_bus) {
        return NULL;
    }
    return pci_bus_find(bridge->child_bus, address >> 8 & 0xff);
}

static uint64_t ports_read(void *opaque, uint64_t offset, unsigned size)
{
    I440fx *bridge = opaque;
    PciDevice *pci;

    if (offset >= 4) {
        pci = target(bridge);
        return pci ? pci_config_read(pci, (bridge->s.config_address & 0xfc) + (offset & 3), size) : UINT64_MAX;
    }
    if (size == 4) {
        return bridge->s.config_address;
    }
    /* Narrower cycles are not CONFADD's: they pass on to the bus, where only the reset register answers. */
    if (offset == 1 && size == 1 && bridge->reset_control) {
        return region_read(bridge->reset_control, 0, 1);
    }
    return UINT64_MAX;
}

static void ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I440fx *bridge = opaque;
    PciDevice *pci;

    if (offset >= 4) {
        pci = target(bridge);
        if (pci) {
            pci_config_write(pci, (bridge->s.config_address & 0xfc) + (offset & 3), (uint32_t)value, size);
        }
    } else if (size == 4) {
        bridge->s.config_address = (uint32_t)value & CONFIG_ADDRESS_MASK;
    } else if (offset == 1 && size == 1 && bridge->reset_control) {
        region_write(bridge->reset_control, 0, value, 1);
    }
}

static const RegionOps ports_ops = {.read = ports_read, .write = ports_write, .max_size = 4};

/* ---- programmable attribute map ---- */

/* Bit 0: reads go to DRAM, bit 1: writes do. */
static uint8_t pam_attributes(const I440fx *bridge, unsigned piece)
{
    if (piece == I440FX_PAM_PIECES - 1) {
        return bridge->s.config[I440FX_PAM0] >> 4 & 3;
    }
    return bridge->s.config[I440FX_PAM0 + 1 + piece / 2] >> (piece & 1 ? 4 : 0) & 3;
}

static void i440fx_update(Device *dev)
{
    I440fx *bridge = i440fx(dev);

    pci_device_update(&bridge->pci);
    if (!bridge->pam_changed) {
        return;
    }
    for (unsigned piece = 0; piece < I440FX_PAM_PIECES; piece++) {
        uint8_t now = pam_attributes(bridge, piece);

        if (now != bridge->pam_now[piece]) {
            bridge->pam_now[piece] = now;
            bridge->pam_changed(bridge->pam_opaque, piece, now & 1, now & 2);
        }
    }
}

void i440fx_wire(I440fx *bridge, PciBus *bus, const Region *reset_control,
                 void (*pam_changed)(void *opaque, unsigned piece, bool read_dram, bool write_dram), void *opaque)
{
    bridge->child_bus = pci_bus_ref(bus);
    bridge->reset_control = reset_control;
    bridge->pam_changed = pam_changed;
    bridge->pam_opaque = opaque;
    memset(bridge->pam_now, 0xff, sizeof(bridge->pam_now));
    i440fx_update(&bridge->pci.dev);
}

/* ---- the device ---- */

static bool i440fx_realize(Device *dev, GError **error)
{
    static const PciIds ids = {.vendor = 0x8086,
                               .device = 0x1237,
                               .class_code = 0x0600,
                               .revision = 2,
                               .sub_vendor = 0x1af4,
                               .sub_device = 0x1100};
    I440fx *bridge = i440fx(dev);

    pci_device_init(&bridge->pci, bridge->s.config, &ids);
    /* The bridge always answers memory cycles and is always a master (3.2.3). */
    pci_put16(bridge->pci.init, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    pci_put16(bridge->pci.wmask, PCI_COMMAND, PCI_COMMAND_PARITY | PCI_COMMAND_SERR);
    memset(bridge->pci.wmask + PMCCFG, 0xff, 2);
    bridge->pci.wmask[I440FX_PAM0] = 0x30;
    memset(bridge->pci.wmask + I440FX_PAM0 + 1, 0x33, 6);
    bridge->pci.init[SMRAM] = SMRAM_RESET;
    bridge->pci.wmask[SMRAM] = 0x78;
    device_region_init_io(dev, "pci-conf", 8, &ports_ops);
    return true;
}

static void i440fx_unrealize(Device *dev)
{
    I440fx *bridge = i440fx(dev);

    pci_device_fini(&bridge->pci);
    if (bridge->child_bus) {
        pci_bus_unref(bridge->child_bus);
        bridge->child_bus = NULL;
    }
}

static void i440fx_reset(Device *dev)
{
    pci_device_reset(&i440fx(dev)->pci);
}

static bool i440fx_validate(const Device *dev, GError **error)
{
    return pci_device_validate((const PciDevice *)dev, error);
}

static const Field i440fx_state[] = {
    PCI_CONFIG_FIELD(I440fx),
    FIELD_RANGE(I440fx, config_address, 0, 0, CONFIG_ADDRESS_MASK),
};

DEVICE_TYPE(i440fx, I440fx, .name = "i440FX", .desc = "i440FX host bridge: PCI configuration and ROM shadowing",
            .bus = BUS_NONE, FIELDS(i440fx_state), .realize = i440fx_realize, .unrealize = i440fx_unrealize,
            .reset = i440fx_reset, .update = i440fx_update, .validate = i440fx_validate);
