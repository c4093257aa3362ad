/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/misc/port92.  Section numbers: Intel ICH data sheet, PORT92. */
#include "tests/device/harness.h"

static void test_a20(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "port92", NULL);
    TestPin a20;
    test_pin(dev, "a20", 0, &a20);
    g_assert_false(a20.level); /* PORT92: default 00h */
    g_assert_cmphex(test_in(dev, 0), ==, 0x00);
    test_out(dev, 0, 0x02);
    g_assert_true(a20.level); /* bit 1: ALT_A20_GATE */
    g_assert_cmphex(test_in(dev, 0), ==, 0x02);
    device_reset(dev);
    g_assert_false(a20.level);
    test_env_free(t);
}

static void test_init(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "port92", NULL);
    TestPin reset;
    test_pin(dev, "reset", 0, &reset);
    test_out(dev, 0, 0x03); /* bit 0: a change from 0 to 1 starts INIT# */
    g_assert_cmpuint(reset.rises, ==, 1);
    g_assert_false(reset.level);
    test_out(dev, 0, 0x01); /* it stays 1: nothing */
    g_assert_cmpuint(reset.rises, ==, 1);
    test_out(dev, 0, 0x00);
    test_out(dev, 0, 0x01);
    g_assert_cmpuint(reset.rises, ==, 2);
    test_env_free(t);
}

static void test_reserved(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "port92", NULL);
    test_out(dev, 0, 0xfe); /* bits 7:2 are reserved and read as 0 */
    g_assert_cmphex(test_in(dev, 0), ==, 0x02);
    test_env_free(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/port92/a20", test_a20);
    g_test_add_func("/port92/init", test_init);
    g_test_add_func("/port92/reserved", test_reserved);
    return g_test_run();
}
