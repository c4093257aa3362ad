/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MSI capability: an interrupt is a 32-bit memory write to the local APICs' window.
 * Spec: PCI Local Bus Specification 3.0, section 6.8.1.
 */
#include "hw/pci/pci.h"

enum {
    MSI_CAP_ID = 0x05,
    MSI_CONTROL = 2, /* offsets in the capability, 64-bit address layout */
    MSI_ADDRESS = 4,
    MSI_DATA = 12,
    MSI_MASK = 16,
    MSI_PENDING = 20,
};
enum {
    MSI_ENABLE = 1 << 0,
    MSI_COUNT_SHIFT = 1,  /* multiple message capable, log2 */
    MSI_IN_USE_SHIFT = 4, /* multiple message enable, log2 */
    MSI_64 = 1 << 7,
    MSI_MASKABLE = 1 << 8,
};

void pci_msi_init(PciDevice *pci, unsigned vectors, bool maskable)
{
    uint8_t cap = pci_add_capability(pci, MSI_CAP_ID, maskable ? 24 : 16);
    unsigned log2 = 0;

    while (log2 < 5 && (1u << log2) < vectors) {
        log2++;
    }
    pci->msi_cap = cap;
    pci_put16(pci->init, cap + MSI_CONTROL,
              (uint16_t)(log2 << MSI_COUNT_SHIFT | MSI_64 | (maskable ? MSI_MASKABLE : 0)));
    pci_put16(pci->wmask, cap + MSI_CONTROL, MSI_ENABLE | 7 << MSI_IN_USE_SHIFT);
    pci_put32(pci->wmask, cap + MSI_ADDRESS, 0xfffffffc);
    pci_put32(pci->wmask, cap + MSI_ADDRESS + 4, 0xffffffff);
    pci_put16(pci->wmask, cap + MSI_DATA, 0xffff);
    if (maskable) {
        pci_put32(pci->wmask, cap + MSI_MASK, UINT32_MAX >> (32 - (1u << log2)));
        pci_put32(pci->live, cap + MSI_PENDING, UINT32_MAX >> (32 - (1u << log2)));
    }
}

bool pci_msi_enabled(const PciDevice *pci)
{
    return pci->msi_cap && (pci_get16(pci->config, pci->msi_cap + MSI_CONTROL) & MSI_ENABLE);
}

bool pci_msi_message(const PciDevice *pci, unsigned n, uint64_t *addr, uint32_t *data)
{
    const uint8_t *cap = pci->config + pci->msi_cap;
    uint16_t control = pci_get16(cap, MSI_CONTROL);
    unsigned allowed = 1u << MIN((control >> MSI_IN_USE_SHIFT) & 7, (control >> MSI_COUNT_SHIFT) & 7);

    if (!pci_msi_enabled(pci) || !(pci_get16(pci->config, PCI_COMMAND) & PCI_COMMAND_MASTER) ||
        ((control & MSI_MASKABLE) && (pci_get32(cap, MSI_MASK) >> n & 1))) {
        return false;
    }
    *addr = pci_get32(cap, MSI_ADDRESS) | (uint64_t)pci_get32(cap, MSI_ADDRESS + 4) << 32;
    /* 6.8.1.3: the function may change only as many low bits as vectors it was given. */
    *data = (pci_get16(cap, MSI_DATA) & ~(allowed - 1)) | (n & (allowed - 1));
    return true;
}

static void send(PciDevice *pci, unsigned n)
{
    uint64_t addr;
    uint32_t data;

    if (pci_msi_message(pci, n, &addr, &data)) {
        pci->dev.env->msi(pci->dev.env->opaque, addr, data);
    }
}

void pci_msi_notify(PciDevice *pci, unsigned n)
{
    uint8_t *cap = pci->config + pci->msi_cap;

    if (!pci_msi_enabled(pci) || n >= 32) {
        return;
    }
    if ((pci_get16(cap, MSI_CONTROL) & MSI_MASKABLE) && (pci_get32(cap, MSI_MASK) >> n & 1)) {
        pci_put32(cap, MSI_PENDING, pci_get32(cap, MSI_PENDING) | BIT(n));
        return;
    }
    send(pci, n);
}

void pci_msi_update(PciDevice *pci)
{
    uint8_t *cap = pci->config + pci->msi_cap;
    uint32_t due;

    if (!pci_msi_enabled(pci) || !(pci_get16(cap, MSI_CONTROL) & MSI_MASKABLE)) {
        return;
    }
    due = pci_get32(cap, MSI_PENDING) & ~pci_get32(cap, MSI_MASK);
    pci_put32(cap, MSI_PENDING, pci_get32(cap, MSI_PENDING) & ~due);
    for (unsigned n = 0; n < 32; n++) {
        if (due >> n & 1) {
            send(pci, n);
        }
    }
}
