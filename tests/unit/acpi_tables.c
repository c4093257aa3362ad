/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ACPI tables: checksums, pointers, what iasl reads in them. ACPI 6.5, chapter 5. */
#include "hw/i386/acpi_tables.h"

#include <glib/gstdio.h>
#include <string.h>

#define BASE 0xe0000

typedef struct Built {
    GBytes *bytes;
    const uint8_t *p;
    gsize size;
} Built;

static Built build(unsigned cpus)
{
    g_autofree uint32_t *ids = g_new(uint32_t, cpus);
    AcpiConfig config = {.num_cpus = cpus, .apic_ids = ids, .serial_ports = 0x5};
    Built b;

    for (unsigned n = 0; n < cpus; n++) {
        ids[n] = n;
    }
    b.bytes = acpi_tables_build(&config, BASE);
    b.p = g_bytes_get_data(b.bytes, &b.size);
    return b;
}

static uint64_t get(const uint8_t *p, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, p, size);
    return value;
}

static uint8_t sum(const uint8_t *p, size_t len)
{
    uint8_t total = 0;

    for (size_t n = 0; n < len; n++) {
        total = (uint8_t)(total + p[n]);
    }
    return total;
}

/* The table at a guest address, checked. */
static const uint8_t *table(const Built *b, uint64_t addr, const char *signature, size_t *len)
{
    g_assert_cmphex(addr, >=, BASE);
    g_assert_cmphex(addr + 36, <=, BASE + b->size);
    const uint8_t *t = b->p + (addr - BASE);
    g_assert_cmpmem(t, 4, signature, 4);
    *len = get(t + 4, 4);
    g_assert_cmphex(addr + *len, <=, BASE + b->size);
    if (strcmp(signature, "FACS") != 0) {
        g_assert_cmphex(sum(t, *len), ==, 0);
    }
    return t;
}

static void test_pointers(void)
{
    Built b = build(2);
    size_t len;

    g_assert_cmpmem(b.p, 8, "RSD PTR ", 8);
    g_assert_cmphex(sum(b.p, 20), ==, 0);
    g_assert_cmphex(sum(b.p, 36), ==, 0);
    g_assert_cmpuint(b.p[15], ==, 2);
    const uint8_t *rsdt = table(&b, get(b.p + 16, 4), "RSDT", &len);
    g_assert_cmpuint(len, ==, 36 + 2 * 4);
    const uint8_t *xsdt = table(&b, get(b.p + 24, 8), "XSDT", &len);
    g_assert_cmpuint(len, ==, 36 + 2 * 8);
    for (unsigned n = 0; n < 2; n++) {
        g_assert_cmphex(get(rsdt + 36 + 4 * n, 4), ==, get(xsdt + 36 + 8 * n, 8));
    }
    const uint8_t *fadt = table(&b, get(xsdt + 36, 8), "FACP", &len);
    g_assert_cmpuint(len, ==, 244);
    g_assert_cmpuint(get(fadt + 46, 2), ==, 9);
    g_assert_cmphex(get(fadt + 48, 4), ==, 0xb2);
    g_assert_cmphex(get(fadt + 56, 4), ==, 0x600);
    g_assert_cmphex(get(fadt + 64, 4), ==, 0x604);
    g_assert_cmphex(get(fadt + 76, 4), ==, 0x608);
    g_assert_cmphex(get(fadt + 80, 4), ==, 0xafe0);
    g_assert_cmphex(get(fadt + 88, 5), ==, 0x0404000204ull);
    g_assert_cmphex(get(fadt + 112, 4) & 0x510, ==, 0x400); /* reset register, fixed power button, 24-bit timer */
    g_assert_cmphex(get(fadt + 116 + 4, 8), ==, 0xcf9);
    g_assert_cmpuint(fadt[128], ==, 6);
    g_assert_cmphex(get(fadt + 40, 4), ==, get(fadt + 140, 8));
    g_assert_cmphex(get(fadt + 208 + 4, 8), ==, 0x608);
    table(&b, get(fadt + 40, 4), "DSDT", &len);
    g_assert_cmphex(get(fadt + 36, 4) & 63, ==, 0);
    table(&b, get(fadt + 36, 4), "FACS", &len);
    g_assert_cmpuint(len, ==, 64);
    g_bytes_unref(b.bytes);
}

/* 5.2.12: every entry is inside the table; one local APIC a processor; the overrides. */
static void test_madt(void)
{
    Built b = build(255);
    size_t len;
    unsigned lapics = 0, ioapics = 0, overrides = 0, nmis = 0;
    const uint8_t *xsdt = table(&b, get(b.p + 24, 8), "XSDT", &len);
    const uint8_t *madt = table(&b, get(xsdt + 36 + 8, 8), "APIC", &len);

    g_assert_cmphex(get(madt + 36, 4), ==, 0xfee00000);
    for (size_t at = 44; at < len; at += madt[at + 1]) {
        g_assert_cmpuint(madt[at + 1], >=, 6);
        g_assert_cmpuint(at + madt[at + 1], <=, len);
        switch (madt[at]) {
        case 0:
            g_assert_cmpuint(madt[at + 3], ==, lapics);
            g_assert_cmpuint(get(madt + at + 4, 4), ==, 1);
            lapics++;
            break;
        case 1:
            g_assert_cmphex(get(madt + at + 4, 4), ==, 0xfec00000);
            ioapics++;
            break;
        case 2:
            if (madt[at + 3] == 0) {
                g_assert_cmpuint(get(madt + at + 4, 4), ==, 2);
            } else {
                g_assert_cmphex(get(madt + at + 8, 2), ==, 0xd);
            }
            overrides++;
            break;
        case 4:
            g_assert_cmpuint(madt[at + 5], ==, 1);
            nmis++;
            break;
        default:
            g_assert_not_reached();
        }
    }
    g_assert_cmpuint(lapics, ==, 255);
    g_assert_cmpuint(ioapics, ==, 1);
    g_assert_cmpuint(overrides, ==, 5);
    g_assert_cmpuint(nmis, ==, 1);
    g_assert_cmpuint(b.size, <, ACPI_SIZE_MAX);
    g_bytes_unref(b.bytes);
}

static char *run_iasl(const char *dir, const char *const *args)
{
    g_autoptr(GError) error = NULL;
    char *out = NULL, *err = NULL;
    int status;

    g_assert_true(g_spawn_sync(dir, (char **)(void *)args, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status,
                               &error));
    if (!g_spawn_check_wait_status(status, NULL)) {
        g_error("iasl: %s%s", out, err);
    }
    g_free(err);
    return out;
}

/* The compiler takes each table apart without complaint, and the DSDT compiles again. */
static void test_round_trip(void)
{
    static const char *const names[] = {"FACP", "APIC", "DSDT"};
    g_autofree char *iasl = g_find_program_in_path("iasl");
    if (!iasl) {
        g_test_skip("iasl is not installed (package acpica-tools)");
        return;
    }
    g_autofree char *dir = g_dir_make_tmp("rhea-acpi-XXXXXX", NULL);
    Built b = build(4);
    size_t len;
    const uint8_t *xsdt = table(&b, get(b.p + 24, 8), "XSDT", &len);
    const uint8_t *fadt = table(&b, get(xsdt + 36, 8), "FACP", &len);
    const uint64_t addrs[] = {get(xsdt + 36, 8), get(xsdt + 44, 8), get(fadt + 40, 4)};

    for (unsigned n = 0; n < 3; n++) {
        const uint8_t *t = table(&b, addrs[n], names[n], &len);
        g_autofree char *aml = g_strdup_printf("%s/%s.aml", dir, names[n]);
        g_autofree char *dsl = g_strdup_printf("%s/%s.dsl", dir, names[n]);
        g_autofree char *text = NULL;
        g_assert_true(g_file_set_contents(aml, (const char *)t, (gssize)len, NULL));
        g_free(run_iasl(dir, (const char *const[]){"iasl", "-d", aml, NULL}));
        g_assert_true(g_file_get_contents(dsl, &text, NULL, NULL));
        g_assert_null(strstr(text, "Incorrect checksum"));
        g_assert_null(strstr(text, "nvalid"));
        if (n == 2) {
            g_assert_nonnull(strstr(text, "Name (COMS, 0x05)"));
            g_assert_nonnull(strstr(text, "LNKD"));
            g_free(run_iasl(dir, (const char *const[]){"iasl", dsl, NULL}));
        }
        g_unlink(aml);
        g_unlink(dsl);
    }
    g_rmdir(dir);
    g_bytes_unref(b.bytes);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/acpi/pointers", test_pointers);
    g_test_add_func("/acpi/madt", test_madt);
    g_test_add_func("/acpi/round-trip", test_round_trip);
    return g_test_run();
}
