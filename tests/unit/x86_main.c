/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The groups of tests of the processor's system side as one program. */
#include "target/x86/insn.h"
#include "tests/unit/x86_guest.h"

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    GError *error = NULL;
    if (!insn_table_init(&error)) {
        g_error("%s", error->message);
    }
    add_segment_tests();
    add_exception_tests();
    add_transfer_tests();
    add_system_tests();
    return g_test_run();
}
