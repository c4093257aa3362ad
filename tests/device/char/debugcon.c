/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/char/debugcon. */
#include <string.h>

#include "tests/device/harness.h"

static void test_write_read(void)
{
    TestEnv *t = test_env_new();
    TestChar *c = test_char_new(t);
    Device *dev = test_device_new(t, "isa-debugcon");
    device_set_chardev(dev, "chardev", test_char_dev(c));
    test_realize(dev);
    for (const char *p = "hello"; *p; p++) {
        test_out(dev, 0, (uint8_t)*p);
    }
    g_assert_cmpstr(test_char_sent(c), ==, "hello");
    g_assert_cmphex(test_in(dev, 0), ==, 0xe9); /* how software finds the port */
    g_assert_cmpuint(test_char_type(c, "x", 1), ==, 0); /* no input */
    test_char_room(c, 0); /* a peer that does not read: the guest goes on */
    test_out(dev, 0, 'x');
    g_assert_cmpstr(test_char_sent(c), ==, "");
    test_env_free(t);
}

static void test_props(void)
{
    TestEnv *t = test_env_new();
    TestChar *c = test_char_new(t);
    Device *dev = test_device_new(t, "isa-debugcon");
    GError *error = NULL;
    g_assert_false(device_realize(dev, &error)); /* a console that shows nothing is a mistake */
    g_assert_nonnull(strstr(error->message, "chardev=ID"));
    g_clear_error(&error);
    g_assert_true(device_set_prop(dev, "readback", "0x55", NULL));
    device_set_chardev(dev, "chardev", test_char_dev(c));
    test_realize(dev);
    g_assert_cmphex(test_in(dev, 0), ==, 0x55);

    Device *second = test_device_new(t, "isa-debugcon"); /* the stream is taken */
    device_set_chardev(second, "chardev", test_char_dev(c));
    g_assert_false(device_realize(second, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    test_env_free(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/debugcon/write-read", test_write_read);
    g_test_add_func("/debugcon/props", test_props);
    return g_test_run();
}
