/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI bus: which function sits where, and the four interrupt requests that their pins merge into.
 * Spec: PCI Local Bus Specification 3.0, sections 2.2.6 and 3.2.2.3; PIIX3 datasheet (290550), PIRQ routing.
 */
#include "hw/pci/pci.h"

#include <errno.h>

struct PciBus {
    unsigned refs;
    const PciBusOps *ops;
    void *opaque;
    Irq pirq[PCI_NUM_PIRQS];
    unsigned asserted[PCI_NUM_PIRQS]; /* pins that are high now */
    PciDevice *functions[256];        /* by devfn */
};

PciBus *pci_bus_new(const PciBusOps *ops, void *opaque)
{
    PciBus *bus = g_new0(PciBus, 1);

    bus->refs = 1;
    bus->ops = ops;
    bus->opaque = opaque;
    return bus;
}

PciBus *pci_bus_ref(PciBus *bus)
{
    bus->refs++;
    return bus;
}

void pci_bus_unref(PciBus *bus)
{
    if (--bus->refs == 0) {
        g_free(bus);
    }
}

void pci_bus_connect(PciBus *bus, unsigned n, Irq irq)
{
    bus->pirq[n % PCI_NUM_PIRQS] = irq;
}

PciDevice *pci_bus_find(const PciBus *bus, unsigned devfn)
{
    return devfn < ARRAY_LEN(bus->functions) ? bus->functions[devfn] : NULL;
}

/* "5", "1f.3" */
static bool parse_addr(const char *text, unsigned *devfn, GError **error)
{
    char *end;
    uint64_t slot = g_ascii_strtoull(text, &end, 16);
    uint64_t function = 0;
    bool ok = end != text;

    if (ok && *end == '.') {
        const char *start = end + 1;
        function = g_ascii_strtoull(start, &end, 16);
        ok = end != start;
    }
    if (!ok || *end || slot > 31 || function > 7) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "addr=%s: not a PCI address; write slot (0 to 1f) or slot.function (0 to 7), such as 5 or 5.1",
                    text);
        return false;
    }
    *devfn = PCI_DEVFN((unsigned)slot, (unsigned)function);
    return true;
}

static int first_free(const PciBus *bus)
{
    for (unsigned slot = 0; slot < 32; slot++) {
        bool used = false;

        for (unsigned function = 0; function < 8; function++) {
            used |= bus->functions[PCI_DEVFN(slot, function)] != NULL;
        }
        if (!used) {
            return (int)PCI_DEVFN(slot, 0);
        }
    }
    return -1;
}

bool pci_bus_plug(PciBus *bus, PciDevice *pci, int devfn, GError **error)
{
    unsigned at = 0;

    if (pci->addr_prop) {
        if (!parse_addr(pci->addr_prop, &at, error)) {
            return false;
        }
    } else if (devfn >= 0) {
        at = (unsigned)devfn & 0xff;
    } else {
        int free_slot = first_free(bus);
        if (free_slot < 0) {
            g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no free PCI slot: the bus has 32");
            return false;
        }
        at = (unsigned)free_slot;
    }
    if (bus->functions[at]) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
                    "PCI address %x.%x is taken by %s; leave addr= away or choose another", at >> 3, at & 7,
                    bus->functions[at]->dev.type->name);
        return false;
    }
    pci->bus = pci_bus_ref(bus);
    pci->devfn = (uint8_t)at;
    bus->functions[at] = pci;
    device_update(&pci->dev);
    return true;
}

void pci_bus_unplug(PciDevice *pci)
{
    PciBus *bus = pci->bus;

    if (pci->intx) {
        pci->intx = false;
        pci_bus_pin_changed(pci, false);
    }
    for (unsigned n = 0; n < PCI_NUM_BARS; n++) {
        PciBar *bar = &pci->bars[n];
        if (bar->addr != PCI_UNMAPPED) {
            pci_bus_unmap(bus, bar->flags & PCI_BAR_IO, bar->mapping);
            bar->addr = PCI_UNMAPPED;
        }
    }
    bus->functions[pci->devfn] = NULL;
    pci->bus = NULL;
    pci_bus_unref(bus);
}

int pci_device_pirq(const PciDevice *pci)
{
    uint8_t pin = pci->init[PCI_INTERRUPT_PIN];

    return pin >= 1 && pin <= 4 ? ((pci->devfn >> 3) + pin - 2) & (PCI_NUM_PIRQS - 1) : -1;
}

void pci_bus_pin_changed(PciDevice *pci, bool level)
{
    PciBus *bus = pci->bus;
    int n = pci_device_pirq(pci);

    if (!bus || n < 0) {
        return;
    }
    bus->asserted[n] += level ? 1u : -1u;
    irq_set(&bus->pirq[n], bus->asserted[n] != 0);
}

void *pci_bus_map(PciBus *bus, bool io, uint64_t addr, const Region *region)
{
    return bus->ops ? bus->ops->map(bus->opaque, io, addr, region) : NULL;
}

void pci_bus_unmap(PciBus *bus, bool io, void *mapping)
{
    if (bus->ops) {
        bus->ops->unmap(bus->opaque, io, mapping);
    }
}
