/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pc board's ACPI tables: RSDP, RSDT, XSDT, FADT, FACS, MADT, and the DSDT that iasl compiled from dsdt.asl.
 * Spec: ACPI specification 6.5, chapter 5; table numbers below are this edition's.
 */
#include "hw/i386/acpi_tables.h"

#include <string.h>

#include "hw/acpi/piix4pm.h"
#include "hw/i386/dsdt.hex"
#include "hw/i386/memory_map.h"

#define HEADER_CHECKSUM 9
#define RSDP_SIZE 36
#define FACS_SIZE 64
#define NAME_OP 0x08
#define BYTE_PREFIX 0x0a

/* A block under construction. */
typedef struct Tables {
    GByteArray *bytes;
    uint32_t base;
} Tables;

static void put(Tables *t, uint64_t value, unsigned size)
{
    uint8_t le[8];

    for (unsigned n = 0; n < size; n++) {
        le[n] = (uint8_t)(value >> (8 * n));
    }
    g_byte_array_append(t->bytes, le, size);
}

static void put_text(Tables *t, const char *text)
{
    g_byte_array_append(t->bytes, (const uint8_t *)text, (guint)strlen(text));
}

static void put_zeros(Tables *t, unsigned size)
{
    for (unsigned n = 0; n < size; n++) {
        put(t, 0, 1);
    }
}

/* Align, and return the address of what comes next. */
static uint32_t align(Tables *t, unsigned to)
{
    put_zeros(t, -t->bytes->len & (to - 1));
    return t->base + t->bytes->len;
}

static void poke(Tables *t, uint32_t offset, uint64_t value, unsigned size)
{
    for (unsigned n = 0; n < size; n++) {
        t->bytes->data[offset + n] = (uint8_t)(value >> (8 * n));
    }
}

/* Make the sum of [start, start + len) zero by the byte at `at`. */
static void set_checksum(Tables *t, uint32_t start, uint32_t len, uint32_t at)
{
    uint8_t sum = 0;

    t->bytes->data[at] = 0;
    for (uint32_t n = 0; n < len; n++) {
        sum = (uint8_t)(sum + t->bytes->data[start + n]);
    }
    t->bytes->data[at] = (uint8_t)-sum;
}

/* ---- the header that most tables share (table 5.4) ---- */

static uint32_t begin_table(Tables *t, const char *signature, uint8_t revision)
{
    uint32_t at = align(t, 16);

    put_text(t, signature);
    put(t, 0, 4); /* length: end_table() */
    put(t, revision, 1);
    put(t, 0, 1); /* checksum: end_table() */
    put_text(t, "RHEA  RHEAPC  ");
    put(t, 1, 4);
    put_text(t, "RHEA");
    put(t, 1, 4);
    return at;
}

static void end_table(Tables *t, uint32_t addr)
{
    uint32_t start = addr - t->base;
    uint32_t len = t->bytes->len - start;

    poke(t, start + 4, len, 4);
    set_checksum(t, start, len, start + HEADER_CHECKSUM);
}

/* ---- tables ---- */

static uint32_t add_facs(Tables *t)
{
    uint32_t at = align(t, 64);

    put_text(t, "FACS");
    put(t, FACS_SIZE, 4);
    put_zeros(t, 24);
    put(t, 1, 1); /* version */
    put_zeros(t, FACS_SIZE - 33);
    return at;
}

static uint32_t add_dsdt(Tables *t, const AcpiConfig *config)
{
    static const uint8_t coms[] = {NAME_OP, 'C', 'O', 'M', 'S', BYTE_PREFIX};
    uint32_t at = align(t, 16);
    uint32_t start = t->bytes->len;
    uint32_t size = sizeof(dsdt_aml_code);
    uint8_t *name;

    g_byte_array_append(t->bytes, dsdt_aml_code, size);
    name = memmem(t->bytes->data + start, size, coms, sizeof(coms));
    if (name && name + sizeof(coms) < t->bytes->data + start + size) {
        name[sizeof(coms)] = config->serial_ports;
    }
    set_checksum(t, start, size, start + HEADER_CHECKSUM);
    return at;
}

/* Generic address structure (table 5.1) of a port block of `bits`. */
static void put_port(Tables *t, uint16_t port, uint8_t bits, uint8_t access)
{
    put(t, port ? 1 : 0, 1); /* system I/O */
    put(t, bits, 1);
    put(t, 0, 1);
    put(t, access, 1);
    put(t, port, 8);
}

static uint32_t add_fadt(Tables *t, const AcpiConfig *config, uint32_t facs, uint32_t dsdt)
{
    enum { LEGACY_DEVICES = 1 << 0, KEYBOARD_8042 = 1 << 1, NO_VGA = 1 << 2 };
    enum {
        WBINVD = 1 << 0,
        PROC_C1 = 1 << 2,
        SLP_BUTTON = 1 << 5,
        RTC_S4 = 1 << 7,
        RESET_REG = 1 << 10,
        PLATFORM_CLOCK = 1 << 15
    };
    uint32_t at = begin_table(t, "FACP", 4);

    put(t, facs, 4);
    put(t, dsdt, 4);
    put(t, 0, 1);
    put(t, 0, 1); /* profile: unspecified */
    put(t, ACPI_SCI_IRQ, 2);
    put(t, ACPI_SMI_PORT, 4);
    put(t, PIIX4PM_ACPI_ENABLE, 1);
    put(t, PIIX4PM_ACPI_DISABLE, 1);
    put(t, 0, 2); /* no S4BIOS, no P-state control */
    put(t, ACPI_PM_BASE, 4);
    put(t, 0, 4);
    put(t, ACPI_PM_BASE + 4, 4);
    put(t, 0, 8); /* PM1b control, PM2 control */
    put(t, ACPI_PM_BASE + 8, 4);
    put(t, ACPI_GPE_BASE, 4);
    put(t, 0, 4);
    put(t, 0x04000204, 4); /* lengths: PM1 event 4, PM1 control 2, PM2 0, timer 4 */
    put(t, 4, 4);          /* GPE0 length 4, no GPE1, no C-state port */
    put(t, 0x0fff0fff, 4); /* latencies of C2 and C3: not there */
    put_zeros(t, 6);       /* flush size and stride, duty cycle */
    put(t, 0, 2);          /* no alarm days or months */
    put(t, 0x32, 1);       /* century byte in CMOS */
    put(t, LEGACY_DEVICES | KEYBOARD_8042 | (config->vga ? 0 : NO_VGA), 2);
    put(t, 0, 1);
    /* PWR_BUTTON clear: the power button is the fixed one. */
    put(t, WBINVD | PROC_C1 | SLP_BUTTON | RTC_S4 | RESET_REG | PLATFORM_CLOCK, 4);
    put_port(t, ACPI_RESET_PORT, 8, 1);
    put(t, ACPI_RESET_VALUE, 1);
    put(t, 0, 3);
    put(t, 0, 8); /* X_FIRMWARE_CTRL: the 32-bit one counts */
    put(t, dsdt, 8);
    put_port(t, ACPI_PM_BASE, 32, 2);
    put_port(t, 0, 0, 0);
    put_port(t, ACPI_PM_BASE + 4, 16, 2);
    put_port(t, 0, 0, 0);
    put_port(t, 0, 0, 0);
    put_port(t, ACPI_PM_BASE + 8, 32, 3);
    put_port(t, ACPI_GPE_BASE, 32, 1);
    put_port(t, 0, 0, 0);
    end_table(t, at);
    return at;
}

/* ---- interrupt controllers (section 5.2.12) ---- */

static void put_override(Tables *t, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    put(t, 2 | 10 << 8, 2);
    put(t, 0, 1); /* ISA */
    put(t, irq, 1);
    put(t, gsi, 4);
    put(t, flags, 2);
}

static bool put_processor(Tables *t, unsigned uid, uint32_t apic_id)
{
    if (apic_id < 255) {
        put(t, 0 | 8 << 8, 2);
        put(t, uid, 1);
        put(t, apic_id, 1);
        put(t, 1, 4); /* enabled */
        return false;
    }
    put(t, 9 | 16 << 8, 2);
    put(t, 0, 2);
    put(t, apic_id, 4);
    put(t, 1, 4);
    put(t, uid, 4);
    return true;
}

static uint32_t add_madt(Tables *t, const AcpiConfig *config)
{
    enum { ACTIVE_HIGH_LEVEL = 0xd };
    /* The SCI and what PCI requests may be routed to. */
    static const uint8_t level_irqs[] = {5, ACPI_SCI_IRQ, 10, 11};
    uint32_t at = begin_table(t, "APIC", 3);
    bool wide = false;

    put(t, LAPIC_BASE, 4);
    put(t, 1, 4); /* an 8259 pair is there too */
    for (unsigned n = 0; n < config->num_cpus; n++) {
        wide |= put_processor(t, n, config->apic_ids[n]);
    }
    put(t, 1 | 12 << 8, 2); /* I/O APIC 0 from interrupt 0 */
    put(t, 0, 2);
    put(t, IOAPIC_BASE, 4);
    put(t, 0, 4);
    put_override(t, 0, 2, 0); /* the timer's wire goes to pin 2 */
    for (unsigned n = 0; n < ARRAY_LEN(level_irqs); n++) {
        put_override(t, level_irqs[n], level_irqs[n], ACTIVE_HIGH_LEVEL);
    }
    put(t, 4 | 6 << 8, 2); /* NMI is on LINT1 of every processor */
    put(t, 0xff, 1);
    put(t, 0, 2);
    put(t, 1, 1);
    if (wide) {
        put(t, 10 | 12 << 8, 2);
        put(t, 0, 2);
        put(t, UINT32_MAX, 4);
        put(t, 1, 1);
        put_zeros(t, 3);
    }
    end_table(t, at);
    return at;
}

/* ---- roots ---- */

static uint32_t add_root(Tables *t, const char *signature, unsigned pointer_size, const uint32_t *tables,
                         unsigned count)
{
    uint32_t at = begin_table(t, signature, 1);

    for (unsigned n = 0; n < count; n++) {
        put(t, tables[n], pointer_size);
    }
    end_table(t, at);
    return at;
}

static void fill_rsdp(Tables *t, uint32_t rsdt, uint32_t xsdt)
{
    memcpy(t->bytes->data, "RSD PTR ", 8);
    memcpy(t->bytes->data + 9, "RHEA  ", 6);
    poke(t, 15, 2, 1); /* revision */
    poke(t, 16, rsdt, 4);
    poke(t, 20, RSDP_SIZE, 4);
    poke(t, 24, xsdt, 8);
    set_checksum(t, 0, 20, 8);
    set_checksum(t, 0, RSDP_SIZE, 32);
}

GBytes *acpi_tables_build(const AcpiConfig *config, uint32_t base)
{
    Tables t = {.bytes = g_byte_array_new(), .base = base};
    uint32_t facs;
    uint32_t dsdt;
    uint32_t tables[2];
    uint32_t rsdt;
    uint32_t xsdt;

    put_zeros(&t, RSDP_SIZE);
    facs = add_facs(&t);
    dsdt = add_dsdt(&t, config);
    tables[0] = add_fadt(&t, config, facs, dsdt);
    tables[1] = add_madt(&t, config);
    rsdt = add_root(&t, "RSDT", 4, tables, ARRAY_LEN(tables));
    xsdt = add_root(&t, "XSDT", 8, tables, ARRAY_LEN(tables));
    fill_rsdp(&t, rsdt, xsdt);
    return g_byte_array_free_to_bytes(t.bytes);
}
