/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI function: configuration space with its write masks, base address registers, interrupt pin.
 * Spec: PCI Local Bus Specification 3.0, chapter 6.
 */
#include "hw/pci/pci.h"

#include <string.h>

#include "util/checked.h"

#define PCI_CAP_FIRST 0x40

void pci_device_init(PciDevice *pci, uint8_t *config, const PciIds *ids)
{
    pci->config = config;
    pci->next_cap = PCI_CAP_FIRST;
    memset(pci->init, 0, sizeof(pci->init));
    memset(pci->wmask, 0, sizeof(pci->wmask));
    memset(pci->w1c, 0, sizeof(pci->w1c));
    memset(pci->live, 0, sizeof(pci->live));
    for (unsigned n = 0; n < PCI_NUM_BARS; n++) {
        pci->bars[n] = (PciBar){.addr = PCI_UNMAPPED};
    }
    pci_put16(pci->init, PCI_VENDOR_ID, ids->vendor);
    pci_put16(pci->init, PCI_DEVICE_ID, ids->device);
    pci_put16(pci->init, PCI_CLASS_DEVICE, ids->class_code);
    pci->init[PCI_CLASS_PROG] = ids->prog_if;
    pci->init[PCI_REVISION_ID] = ids->revision;
    pci->init[PCI_HEADER_TYPE] = ids->multifunction ? PCI_HEADER_MULTIFUNCTION : 0;
    pci_put16(pci->init, PCI_SUBSYSTEM_VENDOR_ID, ids->sub_vendor);
    pci_put16(pci->init, PCI_SUBSYSTEM_ID, ids->sub_device);
    pci_put16(pci->wmask, PCI_COMMAND,
              PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
                  PCI_COMMAND_INTX_DISABLE);
    pci_put16(pci->w1c, PCI_STATUS, 0xf900); /* 6.2.3: error bits, write one to clear */
    pci->live[PCI_STATUS] = PCI_STATUS_INTERRUPT;
    pci->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
    pci->wmask[PCI_LATENCY_TIMER] = 0xff;
    pci->wmask[PCI_INTERRUPT_LINE] = 0xff;
}

void pci_add_bar(PciDevice *pci, unsigned n, const Region *region, uint8_t flags)
{
    unsigned offset = PCI_BAR0 + 4 * n;
    uint64_t mask = ~(region->size - 1);

    pci->bars[n] = (PciBar){.region = region, .flags = flags, .addr = PCI_UNMAPPED};
    pci_put32(pci->init, offset, flags);
    pci_put32(pci->wmask, offset, (uint32_t)mask & (flags & PCI_BAR_IO ? ~3u : ~0xfu));
    if (flags & PCI_BAR_64) {
        pci_put32(pci->wmask, offset + 4, (uint32_t)(mask >> 32));
    }
}

void pci_set_interrupt_pin(PciDevice *pci, uint8_t pin)
{
    pci->init[PCI_INTERRUPT_PIN] = pin;
}

uint8_t pci_add_capability(PciDevice *pci, uint8_t id, uint8_t len)
{
    uint8_t offset = pci->next_cap;

    pci->init[offset] = id;
    pci->init[offset + 1] = pci->init[PCI_CAPABILITY_LIST];
    pci->init[PCI_CAPABILITY_LIST] = offset;
    pci->init[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    pci->next_cap = (uint8_t)((offset + len + 3) & ~3);
    return offset;
}

void pci_device_fini(PciDevice *pci)
{
    if (pci->bus) {
        pci_bus_unplug(pci);
    }
}

void pci_device_reset(PciDevice *pci)
{
    memcpy(pci->config, pci->init, PCI_CONFIG_SIZE);
}

/* ---- windows ---- */

static uint64_t bar_address(const PciDevice *pci, unsigned n)
{
    const PciBar *bar = &pci->bars[n];
    bool io = bar->flags & PCI_BAR_IO;
    uint16_t command = pci_get16(pci->config, PCI_COMMAND);
    uint64_t limit = io ? 0x10000 : bar->flags & PCI_BAR_64 ? BIT64(52) : BIT64(32);
    uint64_t addr = pci_get32(pci->config, PCI_BAR0 + 4 * n);

    if (!(command & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY))) {
        return PCI_UNMAPPED;
    }
    if (bar->flags & PCI_BAR_64) {
        addr |= (uint64_t)pci_get32(pci->config, PCI_BAR0 + 4 * n + 4) << 32;
    }
    addr &= ~(bar->region->size - 1);
    /* Zero is "no address" to all software (6.2.5.1); the top of the space is what sizing leaves behind. */
    return addr != 0 && range_in(addr, bar->region->size, limit - 1) ? addr : PCI_UNMAPPED;
}

void pci_device_update(PciDevice *pci)
{
    if (!pci->bus) {
        return;
    }
    for (unsigned n = 0; n < PCI_NUM_BARS; n++) {
        PciBar *bar = &pci->bars[n];
        uint64_t addr = bar->region ? bar_address(pci, n) : PCI_UNMAPPED;
        bool io = bar->flags & PCI_BAR_IO;

        if (addr == bar->addr) {
            continue;
        }
        if (bar->addr != PCI_UNMAPPED) {
            pci_bus_unmap(pci->bus, io, bar->mapping);
        }
        bar->addr = addr;
        bar->mapping = addr != PCI_UNMAPPED ? pci_bus_map(pci->bus, io, addr, bar->region) : NULL;
    }
}

/* ---- interrupt pin ---- */

void pci_set_intx(PciDevice *pci, bool level)
{
    bool disabled = pci_get16(pci->config, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;

    /* 6.2.3: the status bit tells the request even while the pin is disabled. */
    pci->config[PCI_STATUS] =
        (uint8_t)((pci->config[PCI_STATUS] & ~PCI_STATUS_INTERRUPT) | (level ? PCI_STATUS_INTERRUPT : 0));
    level = level && !disabled && !pci_msi_enabled(pci);
    if (level != pci->intx) {
        pci->intx = level;
        pci_bus_pin_changed(pci, level);
    }
}

/* ---- accesses ---- */

static bool access_ok(unsigned offset, unsigned len)
{
    return (len == 1 || len == 2 || len == 4) && offset < PCI_CONFIG_SIZE && (offset & (len - 1)) == 0;
}

uint32_t pci_config_read(const PciDevice *pci, unsigned offset, unsigned len)
{
    uint32_t value = 0;

    if (!access_ok(offset, len)) {
        return UINT32_MAX >> (32 - 8 * MIN(len, 4u));
    }
    for (unsigned n = 0; n < len; n++) {
        value |= (uint32_t)pci->config[offset + n] << (8 * n);
    }
    return value;
}

void pci_config_write(PciDevice *pci, unsigned offset, uint32_t value, unsigned len)
{
    if (!access_ok(offset, len)) {
        return;
    }
    for (unsigned n = 0; n < len; n++) {
        unsigned at = offset + n;
        uint8_t byte = (uint8_t)(value >> (8 * n));

        pci->config[at] = (uint8_t)((pci->config[at] & ~pci->wmask[at]) | (byte & pci->wmask[at]));
        pci->config[at] &= (uint8_t)~(byte & pci->w1c[at]);
    }
    device_update(&pci->dev);
}

bool pci_device_validate(const PciDevice *pci, GError **error)
{
    for (unsigned n = 0; n < PCI_CONFIG_SIZE; n++) {
        if ((pci->config[n] ^ pci->init[n]) & ~(pci->wmask[n] | pci->w1c[n] | pci->live[n])) {
            g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                        "configuration space byte 0x%02x is 0x%02x, but this device has 0x%02x there", n,
                        pci->config[n], pci->init[n]);
            return false;
        }
    }
    return true;
}

bool pci_dma_read(PciDevice *pci, gpa_t addr, void *buf, size_t len)
{
    return (pci_get16(pci->config, PCI_COMMAND) & PCI_COMMAND_MASTER) &&
           pci->dev.env->dma_read(pci->dev.env->opaque, addr, buf, len);
}

bool pci_dma_write(PciDevice *pci, gpa_t addr, const void *buf, size_t len)
{
    return (pci_get16(pci->config, PCI_COMMAND) & PCI_COMMAND_MASTER) &&
           pci->dev.env->dma_write(pci->dev.env->opaque, addr, buf, len);
}
