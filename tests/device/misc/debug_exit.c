/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/misc/debug_exit. */
#include <string.h>

#include "tests/device/harness.h"

static void test_exit(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "isa-debug-exit", "iobase", "0xf4", "iosize", "0x4", NULL);
    g_assert_cmpuint(device_region(dev, 0)->size, ==, 4);
    g_assert_cmphex(test_read(dev, 0, 0, 4), ==, 0);
    g_assert_cmpuint(t->num_requests, ==, 0);
    test_write(dev, 0, 0, 0, 4);
    test_write(dev, 0, 0, 0x10, 1);
    test_write(dev, 0, 2, 0x1234, 2);
    test_write(dev, 0, 0, 0xffffffff, 4);
    g_assert_cmpuint(t->num_requests, ==, 4);
    static const int codes[4] = {1, 0x21, 0x2469, 0x7fffffff};
    for (int i = 0; i < 4; i++) {
        g_assert_cmpint(t->requests[i].request, ==, REQUEST_EXIT);
        g_assert_cmphex(t->requests[i].code, ==, codes[i]);
    }
    test_env_free(t);
}

static void test_defaults(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "isa-debug-exit", NULL);
    g_assert_cmpuint(device_region(dev, 0)->size, ==, 2);
    GError *error = NULL;
    Device *bad = test_device_new(t, "isa-debug-exit");
    g_assert_true(device_set_prop(bad, "iobase", "0xffff", &error));
    g_assert_false(device_realize(bad, &error));
    g_assert_nonnull(strstr(error->message, "beyond port 0xffff"));
    g_clear_error(&error);
    g_assert_false(device_set_prop(bad, "iosize", "0", &error));
    g_clear_error(&error);
    test_env_free(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/debug-exit/exit", test_exit);
    g_test_add_func("/debug-exit/defaults", test_defaults);
    return g_test_run();
}
