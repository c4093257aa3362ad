/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PIIX4 power management: 82371AB datasheet chapter 7; ACPI 6.5 section 4.8. */
#include "hw/acpi/piix4pm.h"

#include "tests/device/harness.h"

enum { PMSTS = 0, PMEN = 2, PMCNTRL = 4, PMTMR = 8 };

static void acpi_on(Device *dev)
{
    test_write(dev, PIIX4PM_APM, 0, PIIX4PM_ACPI_ENABLE, 1);
}

/* 4.8.2.5: SCI_EN belongs to the SMI command port. */
static void test_enable(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "PIIX4_PM", NULL);

    g_assert_cmphex(test_read(dev, PIIX4PM_REGS, PMCNTRL, 2), ==, 0);
    test_write(dev, PIIX4PM_REGS, PMCNTRL, 1, 2);
    g_assert_cmphex(test_read(dev, PIIX4PM_REGS, PMCNTRL, 2), ==, 0);
    acpi_on(dev);
    g_assert_cmphex(test_read(dev, PIIX4PM_REGS, PMCNTRL, 2), ==, 1);
    g_assert_cmphex(test_read(dev, PIIX4PM_APM, 0, 1), ==, PIIX4PM_ACPI_ENABLE);
    test_write(dev, PIIX4PM_REGS, PMCNTRL, 0, 2);
    g_assert_cmphex(test_read(dev, PIIX4PM_REGS, PMCNTRL, 2), ==, 1);
    test_write(dev, PIIX4PM_APM, 1, 0x5a, 1);
    g_assert_cmphex(test_read(dev, PIIX4PM_APM, 1, 1), ==, 0x5a);
    test_write(dev, PIIX4PM_APM, 0, PIIX4PM_ACPI_DISABLE, 1);
    g_assert_cmphex(test_read(dev, PIIX4PM_REGS, PMCNTRL, 2), ==, 0);
    test_env_free(t);
}

/* 4.8.3.2.1: SLP_EN reads as zero; only the type of S5 does something. */
static void test_soft_off(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "PIIX4_PM", NULL);

    test_write(dev, PIIX4PM_REGS, PMCNTRL, 0x1400, 2); /* a type without SLP_EN */
    test_write(dev, PIIX4PM_REGS, PMCNTRL, 0x3400, 2); /* type 5 */
    g_assert_cmpuint(t->num_requests, ==, 0);
    g_assert_cmphex(test_read(dev, PIIX4PM_REGS, PMCNTRL, 2), ==, 0x1400);
    test_write(dev, PIIX4PM_REGS, PMCNTRL, 0x2000, 2);
    g_assert_cmpuint(t->num_requests, ==, 1);
    g_assert_cmpint(t->requests[0].request, ==, REQUEST_SHUTDOWN);
    test_env_free(t);
}

static void test_power_button(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "PIIX4_PM", NULL);
    TestPin sci;

    test_pin(dev, "sci", 0, &sci);
    test_write(dev, PIIX4PM_REGS, PMEN, 0x100, 2);
    piix4pm_power_button(dev);
    g_assert_false(sci.level); /* not in ACPI mode */
    g_assert_cmphex(test_read(dev, PIIX4PM_REGS, PMSTS, 2), ==, 0x100);
    acpi_on(dev);
    g_assert_true(sci.level);
    test_write(dev, PIIX4PM_REGS, PMSTS, 0x001, 2); /* another bit */
    g_assert_true(sci.level);
    test_write(dev, PIIX4PM_REGS, PMSTS, 0x100, 2);
    g_assert_false(sci.level);
    test_env_free(t);
}

/* 4.8.3.3: 3.579545 MHz, 24 bits; the status bit is set when bit 23 changes either way. */
static void test_timer(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "PIIX4_PM", NULL);
    TestPin sci;
    const int64_t half = 8388608ll * NS_PER_SEC / 3579545;

    test_pin(dev, "sci", 0, &sci);
    acpi_on(dev);
    g_assert_cmpuint(test_read(dev, PIIX4PM_REGS, PMTMR, 4), ==, 0);
    clock_advance(t->clock, NS_PER_SEC);
    g_assert_cmpuint(test_read(dev, PIIX4PM_REGS, PMTMR, 4), ==, 3579545);
    g_assert_cmphex(test_read(dev, PIIX4PM_REGS, PMSTS, 2) & 1, ==, 0);
    test_write(dev, PIIX4PM_REGS, PMEN, 1, 2);
    clock_advance(t->clock, half - NS_PER_SEC - 1000);
    g_assert_false(sci.level);
    clock_advance(t->clock, 2000);
    g_assert_true(sci.level);
    g_assert_cmpuint(test_read(dev, PIIX4PM_REGS, PMTMR, 4) >> 23, ==, 1);
    test_write(dev, PIIX4PM_REGS, PMSTS, 1, 2);
    g_assert_false(sci.level);
    clock_advance(t->clock, half);
    g_assert_true(sci.level);
    g_assert_cmpuint(test_read(dev, PIIX4PM_REGS, PMTMR, 4), <, 10000); /* wrapped at 24 bits */
    /* not enabled: the status is latched all the same */
    test_write(dev, PIIX4PM_REGS, PMEN, 0, 2);
    test_write(dev, PIIX4PM_REGS, PMSTS, 1, 2);
    clock_advance(t->clock, 3 * half);
    g_assert_false(sci.level);
    g_assert_cmphex(test_read(dev, PIIX4PM_REGS, PMSTS, 2) & 1, ==, 1);
    test_env_free(t);
}

static void test_registers(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "PIIX4_PM", NULL);

    test_write(dev, PIIX4PM_REGS, PMEN, 0xffff, 2);
    g_assert_cmphex(test_read(dev, PIIX4PM_REGS, PMEN, 2), ==, 0x0521);
    test_write(dev, PIIX4PM_GPE, 2, 0xa55a, 2);
    g_assert_cmphex(test_read(dev, PIIX4PM_GPE, 0, 4), ==, 0xa55a0000);
    device_reset(dev);
    g_assert_cmphex(test_read(dev, PIIX4PM_REGS, PMEN, 2), ==, 0);
    g_assert_cmphex(test_read(dev, PIIX4PM_GPE, 2, 2), ==, 0);
    test_env_free(t);
}

static unsigned mapped_at;

static void *map_port(void *opaque, bool io, uint64_t addr, const Region *region)
{
    g_assert_true(io);
    g_assert_cmpuint(region->size, ==, 64);
    mapped_at = (unsigned)addr;
    return &mapped_at;
}

static void unmap_port(void *opaque, bool io, void *mapping)
{
    mapped_at = 0;
}

/* 7.1.28, 7.1.31: the ports appear at PMBA when PMREGMISC says so. */
static void test_base(void)
{
    static const PciBusOps ops = {map_port, unmap_port};
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "PIIX4_PM", NULL);
    PciDevice *pci = container_of(dev, PciDevice, dev);
    PciBus *bus = pci_bus_new(&ops, NULL);

    g_assert_true(pci_bus_plug(bus, pci, PCI_DEVFN(1, 3), NULL));
    g_assert_cmphex(pci_config_read(pci, 0, 4), ==, 0x71138086);
    g_assert_cmphex(pci_config_read(pci, PIIX4PM_PMBA, 4), ==, 1);
    pci_config_write(pci, PIIX4PM_PMBA, 0xffffffff, 4);
    g_assert_cmphex(pci_config_read(pci, PIIX4PM_PMBA, 4), ==, 0xffc1);
    pci_config_write(pci, PIIX4PM_PMBA, 0x600, 4);
    g_assert_cmphex(mapped_at, ==, 0);
    pci_config_write(pci, PIIX4PM_PMREGMISC, 1, 1);
    g_assert_cmphex(mapped_at, ==, 0x600);
    pci_config_write(pci, PIIX4PM_PMBA, 0xb000, 4);
    g_assert_cmphex(mapped_at, ==, 0xb000);
    device_reset(dev);
    g_assert_cmphex(mapped_at, ==, 0);
    test_env_free(t);
    pci_bus_unref(bus);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/piix4pm/enable", test_enable);
    g_test_add_func("/piix4pm/soft-off", test_soft_off);
    g_test_add_func("/piix4pm/power-button", test_power_button);
    g_test_add_func("/piix4pm/timer", test_timer);
    g_test_add_func("/piix4pm/registers", test_registers);
    g_test_add_func("/piix4pm/base", test_base);
    return g_test_run();
}
