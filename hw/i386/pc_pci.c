/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pc board's PCI bus: host bridge, ISA bridge, power management, and what firmware sets up in them.
 * Spec: 82441FX (290549), 82371SB (290550) and 82371AB (290562) datasheets; PCI BIOS specification 2.1.
 */
#include "hw/i386/pc.h"

#include "hw/acpi/piix4pm.h"
#include "hw/i386/acpi_tables.h"
#include "hw/i386/memory_map.h"
#include "hw/pci/piix3.h"

#define CONFIG_PORTS 0xcf8
#define WINDOW_PRIORITY (-1) /* RAM, ROM and fixed ports win */
#define IO_WINDOW_BASE 0xc000
#define IO_WINDOW_END 0x10000
#define WINDOW64_BASE 0x8000000000ull
#define WINDOW64_END 0x10000000000ull
#define SMB_BASE 0x700

/* PIRQA#..PIRQD# as PC firmware routes them on this board. */
static const uint8_t pirq_irqs[PCI_NUM_PIRQS] = {10, 10, 11, 11};

/* ---- windows; opaque is the machine, which outlives all devices ---- */

static void *map_window(void *opaque, bool io, uint64_t addr, const Region *region)
{
    Machine *m = opaque;

    return space_map(io ? m->io : m->memory, addr, region, 0, region->size, WINDOW_PRIORITY);
}

static void unmap_window(void *opaque, bool io, void *mapping)
{
    Machine *m = opaque;

    space_unmap(io ? m->io : m->memory, mapping);
}

static const PciBusOps bus_ops = {.map = map_window, .unmap = unmap_window};

/* ---- building ---- */

bool pc_pci_init(PcBoard *pc, GError **error)
{
    Machine *m = pc->machine;
    Device *bridge = machine_add_device(m, "i440FX", "host-bridge", error, NULL);
    Device *isa = bridge ? machine_add_device(m, "PIIX3", "isa-bridge", error, NULL) : NULL;

    pc->pm = isa ? machine_add_device(m, "PIIX4_PM", "pm", error, NULL) : NULL;
    if (!pc->pm) {
        return false;
    }
    pc->bridge = i440fx(bridge);
    pc->isa_bridge = &piix3(isa)->pci;
    pc->pci = pci_bus_new(&bus_ops, m);
    if (!pci_bus_plug(pc->pci, &pc->bridge->pci, PCI_DEVFN(0, 0), error) ||
        !pci_bus_plug(pc->pci, pc->isa_bridge, PCI_DEVFN(1, 0), error) ||
        !pci_bus_plug(pc->pci, container_of(pc->pm, PciDevice, dev), PCI_DEVFN(1, 3), error)) {
        return false;
    }
    for (unsigned n = 0; n < PCI_NUM_PIRQS; n++) {
        pci_bus_connect(pc->pci, n, device_input(isa, n));
    }
    for (unsigned n = 3; n < 16; n++) {
        device_connect(isa, "isa", n, pc_irq_source(pc, n));
    }
    device_connect(pc->pm, "sci", 0, pc_irq_source(pc, ACPI_SCI_IRQ));
    pc_map_ports(pc, bridge, I440FX_PORTS, CONFIG_PORTS);
    pc_map_ports(pc, pc->pm, PIIX4PM_GPE, ACPI_GPE_BASE);
    pc_map_ports(pc, pc->pm, PIIX4PM_APM, ACPI_SMI_PORT);
    i440fx_wire(pc->bridge, pc->pci, device_region(isa, PIIX3_RESET_CONTROL), pc_memory_pam_changed, pc);
    return true;
}

/* ---- what firmware does ---- */

/* Where the next window of each kind goes. */
typedef struct Windows {
    uint64_t io, mem, mem64;
} Windows;

static uint64_t take(uint64_t *next, uint64_t end, uint64_t size)
{
    uint64_t at = (*next + size - 1) & ~(size - 1);

    if (at > end || size > end - at) {
        return 0;
    }
    *next = at + size;
    return at;
}

static void assign_bar(PciDevice *pci, unsigned n, Windows *windows)
{
    const PciBar *bar = &pci->bars[n];
    uint64_t size = bar->region->size;
    uint64_t addr;

    if (bar->flags & PCI_BAR_IO) {
        addr = take(&windows->io, IO_WINDOW_END, size);
    } else {
        addr = take(&windows->mem, PCI_HOLE_END, size);
        if (!addr && (bar->flags & PCI_BAR_64)) {
            addr = take(&windows->mem64, WINDOW64_END, size);
        }
    }
    pci_config_write(pci, PCI_BAR0 + 4 * n, (uint32_t)addr, 4);
    if (bar->flags & PCI_BAR_64) {
        pci_config_write(pci, PCI_BAR0 + 4 * n + 4, (uint32_t)(addr >> 32), 4);
    }
}

static void configure_function(PciDevice *pci, Windows *windows)
{
    uint16_t command = pci_get16(pci->config, PCI_COMMAND);
    int pirq = pci_device_pirq(pci);

    for (unsigned n = 0; n < PCI_NUM_BARS; n++) {
        if (pci->bars[n].region) {
            assign_bar(pci, n, windows);
            command |= pci->bars[n].flags & PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
        }
    }
    pci_config_write(pci, PCI_COMMAND, command, 2);
    if (pirq >= 0) {
        pci_config_write(pci, PCI_INTERRUPT_LINE, pirq_irqs[pirq], 1);
    }
}

static void configure_pm(PciDevice *pm)
{
    pci_config_write(pm, PIIX4PM_PMBA, ACPI_PM_BASE | 1, 4);
    pci_config_write(pm, PIIX4PM_PMREGMISC, 1, 1);
    pci_config_write(pm, PIIX4PM_SMBBA, SMB_BASE | 1, 4);
    pci_config_write(pm, PIIX4PM_SMBHSTCFG, ACPI_SCI_IRQ, 1);
    pci_config_write(pm, PCI_INTERRUPT_LINE, ACPI_SCI_IRQ, 1);
    pci_config_write(pm, PCI_COMMAND, PCI_COMMAND_IO, 2);
}

void pc_pci_configure(PcBoard *pc)
{
    enum { ELCR_REGION = 2 };
    Windows windows = {.io = IO_WINDOW_BASE, .mem = PCI_HOLE_BASE, .mem64 = WINDOW64_BASE};
    uint16_t level = 0;

    space_begin(pc->machine->memory);
    space_begin(pc->machine->io);
    for (unsigned n = 0; n < PCI_NUM_PIRQS; n++) {
        pci_config_write(pc->isa_bridge, PIIX3_PIRQRC + n, pirq_irqs[n], 1);
        level |= (uint16_t)BIT(pirq_irqs[n]);
    }
    level |= BIT(ACPI_SCI_IRQ);
    region_write(device_region(pc->pic, ELCR_REGION), 0, level & 0xff, 1);
    region_write(device_region(pc->pic, ELCR_REGION), 1, level >> 8, 1);
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        PciDevice *pci = pci_bus_find(pc->pci, devfn);
        if (pci) {
            configure_function(pci, &windows);
        }
    }
    configure_pm(container_of(pc->pm, PciDevice, dev));
    /* The whole ROM area becomes RAM: 59h holds F0000h's attributes, 5Ah-5Fh two pieces each. */
    pci_config_write(&pc->bridge->pci, I440FX_PAM0, 0x30, 1);
    for (unsigned n = 1; n < 7; n++) {
        pci_config_write(&pc->bridge->pci, I440FX_PAM0 + n, 0x33, 1);
    }
    space_commit(pc->machine->io);
    space_commit(pc->machine->memory);
}

void pc_pci_fini(PcBoard *pc)
{
    if (!pc->pci) {
        return;
    }
    /* The devices are freed after the board: nothing may reach it any more. */
    for (unsigned n = 0; n < PCI_NUM_PIRQS; n++) {
        pci_bus_connect(pc->pci, n, (Irq){0});
    }
    pc->bridge->pam_changed = NULL;
    pci_bus_unref(pc->pci);
}
