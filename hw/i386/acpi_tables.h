/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pc board's ACPI tables.
 * Spec: ACPI specification 6.5, chapter 5.
 */
#pragma once

#include "util/base.h"

typedef struct AcpiConfig {
    unsigned num_cpus;
    const uint32_t *apic_ids; /* num_cpus of them */
    uint8_t serial_ports;     /* bit n: COM(n+1) exists */
    bool vga;
} AcpiConfig;

/* Addresses that tables and board share. */
enum {
    ACPI_PM_BASE = 0x600,
    ACPI_GPE_BASE = 0xafe0,
    ACPI_SMI_PORT = 0xb2,
    ACPI_SCI_IRQ = 9,
    ACPI_RESET_PORT = 0xcf9,
    ACPI_RESET_VALUE = 6,
};
#define ACPI_SIZE_MAX (64 * KIB) /* of all tables together */

/*
 * All tables as one block to be put at `base` (a multiple of 64); it starts with the root pointer, which is what an
 * operating system is given or searches for.
 */
GBytes *acpi_tables_build(const AcpiConfig *config, uint32_t base);
