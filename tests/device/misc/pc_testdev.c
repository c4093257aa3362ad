/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/misc/pc_testdev, as the tests named at each place use it. */
#include "tests/device/harness.h"

#include "hw/misc/pc_testdev.h"

/* kvm-unit-tests x86/realmode.c, io_test*: out then in at port 0xe0 with each width. */
static void test_echo(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "pc-testdev", NULL);
    test_write(dev, 0, 0, 0xff, 1);
    g_assert_cmphex(test_read(dev, 0, 0, 1), ==, 0xff);
    test_write(dev, 0, 0, 0xeeff, 2);
    g_assert_cmphex(test_read(dev, 0, 0, 2), ==, 0xeeff);
    test_write(dev, 0, 0, 0x12345678, 4);
    g_assert_cmphex(test_read(dev, 0, 0, 4), ==, 0x12345678);
    test_write(dev, 0, 1, 0xab, 1); /* one byte of the four */
    g_assert_cmphex(test_read(dev, 0, 0, 4), ==, 0x1234ab78);
    g_assert_cmphex(test_read(dev, 0, 2, 2), ==, 0x1234);
    test_write(dev, 0, 4, 0x1000, 4); /* flush (x86/eventinj.c): no effect to be seen */
    g_assert_cmphex(test_read(dev, 0, 0, 4), ==, 0x1234ab78);
    test_env_free(t);
}

/* lib/x86/apic.c, set_irq_line(): a byte to port 0x2000 + line. */
static void test_lines(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "pc-testdev", NULL);
    TestPin pins[PC_TESTDEV_NUM_IRQS];
    for (unsigned n = 0; n < PC_TESTDEV_NUM_IRQS; n++) {
        test_pin(dev, "irq", n, &pins[n]);
    }
    test_write(dev, 1, 14, 1, 1);
    g_assert_true(pins[14].level);
    test_write(dev, 1, 23, 1, 1);
    test_write(dev, 1, 14, 0, 1);
    g_assert_false(pins[14].level);
    g_assert_true(pins[23].level);
    test_write(dev, 1, 3, 1, 4); /* a wider access moves one line too */
    for (unsigned n = 0; n < PC_TESTDEV_NUM_IRQS; n++) {
        g_assert_cmpint(pins[n].level, ==, n == 23 || n == 3);
    }
    device_reset(dev);
    g_assert_false(pins[23].level);
    test_env_free(t);
}

/* x86/ioram.h: memory behind callbacks at 0xff000000. */
static void test_memory(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "pc-testdev", NULL);
    g_assert_cmphex(device_region(dev, 2)->size, ==, 0x10000);
    g_assert_cmpint(device_region(dev, 2)->kind, ==, REGION_IO);
    test_write(dev, 2, 0xfff8, 0x1122334455667788ull, 8);
    g_assert_cmphex(test_read(dev, 2, 0xfffb, 4), ==, 0x22334455);
    test_write(dev, 2, 1, 0xa5, 1);
    g_assert_cmphex(test_read(dev, 2, 0, 2), ==, 0xa500);
    test_env_free(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pc-testdev/echo", test_echo);
    g_test_add_func("/pc-testdev/lines", test_lines);
    g_test_add_func("/pc-testdev/memory", test_memory);
    return g_test_run();
}
