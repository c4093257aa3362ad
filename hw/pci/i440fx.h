/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82441FX (i440FX) host bridge: configuration mechanism 1 and the attributes of the legacy ROM area.
 * Spec: 82441FX PMC datasheet (290549).
 */
#pragma once

#include "hw/pci/pci.h"

extern const DeviceType i440fx_type;

/* The area C0000h-FFFFFh: twelve pieces of 16 KiB, then one of 64 KiB at F0000h. */
#define I440FX_PAM_PIECES 13
#define I440FX_PAM_BASE 0xc0000u
enum { I440FX_PAM0 = 0x59 }; /* first of seven configuration registers */

static inline uint32_t i440fx_pam_start(unsigned piece)
{
    return I440FX_PAM_BASE + piece * 0x4000;
}
static inline uint32_t i440fx_pam_size(unsigned piece)
{
    return piece == I440FX_PAM_PIECES - 1 ? 0x10000 : 0x4000;
}

typedef struct I440fx {
    PciDevice pci;
    /* wiring: i440fx_wire() */
    PciBus *child_bus;
    const Region *reset_control; /* port 0xcf9, which lies inside CONFIG_ADDRESS's dword */
    /* Reads (writes) of the piece go to DRAM, or else to PCI. */
    void (*pam_changed)(void *opaque, unsigned piece, bool read_dram, bool write_dram);
    void *pam_opaque;
    uint8_t pam_now[I440FX_PAM_PIECES]; /* what was told last, 0xff: nothing yet */
    struct {
        PCI_CONFIG_STATE;
        uint32_t config_address;
    } s;
} I440fx;

/* Region 0: the eight ports from 0xcf8. */
enum { I440FX_PORTS };

static inline I440fx *i440fx(Device *dev)
{
    return container_of(dev, I440fx, pci.dev);
}

/* The bus whose functions mechanism 1 reaches, and who maps the ROM area. */
void i440fx_wire(I440fx *bridge, PciBus *bus, const Region *reset_control,
                 void (*pam_changed)(void *opaque, unsigned piece, bool read_dram, bool write_dram), void *opaque);
