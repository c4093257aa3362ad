/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct kernel boot on the pc board: what firmware would have left in memory and chips, then the kernel.
 * Spec: IBM PS/2 and PC BIOS interface (BIOS data area); ACPI specification 6.5, 5.2.5 (where the RSDP may lie).
 */
#include <string.h>

#include "hw/char/uart16550.h"
#include "hw/i386/acpi_tables.h"
#include "hw/i386/boot_cpu.h"
#include "hw/i386/loader.h"
#include "hw/i386/pc.h"
#include "hw/i386/pc_vectors.h"
#include "hw/input/i8042.h"
#include "target/x86/cpuid.h"

enum { BDA_BASE = 0x400, BDA_SIZE = 0x100, BDA_COM1 = 0, BDA_EBDA = 0x0e, BDA_EQUIPMENT = 0x10, BDA_MEMORY = 0x13 };
/* Equipment word: FPU, 80x25 colour, pointing device. */
#define EQUIPMENT 0x26

static void put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static const uint16_t com_ports[4] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

/* Bit n: there is a serial port at COM(n+1)'s address, the board's own or a -device. */
static uint8_t serial_ports(const Machine *m)
{
    uint8_t ports = 0;

    for (guint i = 0; i < m->devices->len; i++) {
        const Device *dev = g_ptr_array_index(m->devices, i);
        for (unsigned n = 0; n < ARRAY_LEN(com_ports); n++) {
            if (strcmp(dev->type->name, "isa-serial") == 0 && uart16550_iobase(dev) == com_ports[n]) {
                ports |= (uint8_t)BIT(n);
            }
        }
    }
    return ports;
}

/* Kernels look here for the size of conventional memory and for the serial ports. */
static bool add_bios_data(BootImage *image, uint8_t serial, GError **error)
{
    uint8_t bda[BDA_SIZE] = {0};
    uint8_t ebda[1024] = {1}; /* its own size in KiB */
    g_autoptr(GBytes) bda_bytes = NULL;
    g_autoptr(GBytes) ebda_bytes = g_bytes_new(ebda, sizeof(ebda));
    unsigned ports = 0;

    for (unsigned n = 0; n < ARRAY_LEN(com_ports); n++) {
        if (serial >> n & 1) {
            put16(bda + BDA_COM1 + 2 * ports++, com_ports[n]);
        }
    }
    put16(bda + BDA_EBDA, EBDA_BASE >> 4);
    put16(bda + BDA_EQUIPMENT, EQUIPMENT | ports << 9);
    put16(bda + BDA_MEMORY, EBDA_BASE / 1024);
    bda_bytes = g_bytes_new(bda, sizeof(bda));
    return boot_image_add_bytes(image, "the BIOS data area", BDA_BASE, bda_bytes, error) &&
           boot_image_add_bytes(image, "the extended BIOS data area", EBDA_BASE, ebda_bytes, error);
}

static bool add_acpi(PcBoard *pc, gpa_t *rsdp, GError **error)
{
    Machine *m = pc->machine;
    g_autofree uint32_t *ids = g_new(uint32_t, m->num_cpus);
    g_autoptr(GBytes) tables = NULL;
    AcpiConfig config = {.num_cpus = m->num_cpus, .apic_ids = ids, .serial_ports = serial_ports(m)};

    for (unsigned n = 0; n < m->num_cpus; n++) {
        ids[n] = m->cpus[n]->apic_id;
    }
    tables = acpi_tables_build(&config, TABLES_BASE);
    *rsdp = TABLES_BASE;
    return boot_image_add_bytes(pc->image, "the ACPI tables", TABLES_BASE, tables, error);
}

bool pc_boot_init(PcBoard *pc, GError **error)
{
    const BoardConfig *config = pc->config;
    KernelRequest request = {
        .kernel = config->kernel,
        .initrd = config->initrd,
        .append = config->append,
        .long_mode = feature_in(&config->cpu_model->features, FEAT_LM),
    };

    pc->image = boot_image_new(config->ram_size);
    return pc_vectors_add(pc->image, error) && add_bios_data(pc->image, serial_ports(pc->machine), error) &&
           (!config->acpi || add_acpi(pc, &request.rsdp, error)) && load_kernel(pc->image, &request, error);
}

/* Scan codes translated to set 1, keyboard interrupt on, self-test passed, mouse off until a driver wants it. */
static void configure_keyboard(PcBoard *pc)
{
    enum { WRITE_COMMAND_BYTE = 0x60, COMMAND_BYTE = 0x65 };
    const Region *ports = device_region(pc->kbc, 0);

    region_write(ports, I8042_COMMAND_PORT - I8042_DATA_PORT, WRITE_COMMAND_BYTE, 1);
    region_write(ports, 0, COMMAND_BYTE, 1);
}

void pc_boot_reset(PcBoard *pc)
{
    Machine *m = pc->machine;
    g_autoptr(GError) error = NULL;

    for (unsigned n = 0; n < m->num_cpus; n++) {
        boot_cpu_set_mtrrs(m->cpus[n]);
    }
    lapic_virtual_wire(pc->cpus[0].lapic);
    pc_pci_configure(pc);
    pc_vectors_reset(pc->pic, pc->pit);
    configure_keyboard(pc);
    if (!boot_image_fill(pc->image, m->ram, &error)) {
        /* The machine was built with these files: one that is gone now leaves nothing to start. */
        g_printerr("rhea: %s\n", error->message);
        run_request_exit(m->run, CAUSE_HOST_QUIT, 1);
        return;
    }
    boot_cpu_enter(m->cpus[0], &pc->image->entry);
}
