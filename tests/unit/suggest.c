/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util/suggest: near names are found, far ones are not. */
#include "util/suggest.h"

static const char *const names[] = {"iobase", "iosize", "irq", "chardev", "readback", "guest_errors"};

static void test_near(void)
{
    g_assert_cmpstr(suggest_near("iobse", names, ARRAY_LEN(names)), ==, "iobase");   /* a letter missing */
    g_assert_cmpstr(suggest_near("ioabse", names, ARRAY_LEN(names)), ==, "iobase");  /* two swapped */
    g_assert_cmpstr(suggest_near("IOSIZES", names, ARRAY_LEN(names)), ==, "iosize"); /* one more, other case */
    g_assert_cmpstr(suggest_near("qir", names, ARRAY_LEN(names)), ==, NULL);
    g_assert_cmpstr(suggest_near("iqr", names, ARRAY_LEN(names)), ==, "irq");
    g_assert_cmpstr(suggest_near("guest", names, ARRAY_LEN(names)), ==, "guest_errors"); /* the beginning */
}

static void test_far(void)
{
    g_assert_null(suggest_near("", names, ARRAY_LEN(names)));
    g_assert_null(suggest_near("x", names, ARRAY_LEN(names)));
    g_assert_null(suggest_near("bootindex", names, ARRAY_LEN(names)));
    g_autofree char *huge = g_strnfill(100000, 'i');
    g_assert_null(suggest_near(huge, names, ARRAY_LEN(names)));
}

static void test_text(void)
{
    g_autofree char *some = suggest_text("irq"), *none = suggest_text(NULL);
    g_assert_cmpstr(some, ==, ", did you mean 'irq'?");
    g_assert_cmpstr(none, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/suggest/near", test_near);
    g_test_add_func("/suggest/far", test_far);
    g_test_add_func("/suggest/text", test_text);
    return g_test_run();
}
