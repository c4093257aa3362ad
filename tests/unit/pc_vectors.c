/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real-mode interrupts left to a kernel: every vector leads to a handler that returns. */
#include "hw/i386/pc_vectors.h"

enum { IRET = 0xcf, OUT = 0xe6 };

/* Walks a handler's few instructions; returns the ports it writes as a bit set of 1 (0x20) and 2 (0xa0). */
static unsigned walk(const BootImage *image, gpa_t at)
{
    static const uint8_t lengths[256] = {
        [0x50] = 1, [0x1e] = 1, [0x58] = 1, [0x1f] = 1, [0xb8] = 3, [0x8e] = 2, [0x83] = 5, [0xcd] = 2, [0xb0] = 2,
        [OUT] = 2,
    };
    unsigned ports = 0;
    int pushed = 0;
    for (unsigned n = 0; n < 20; n++) {
        uint8_t code[2] = {0};
        g_assert_true(boot_image_peek(image, at, code, 1));
        if (code[0] == IRET) {
            g_assert_cmpint(pushed, ==, 0);
            return ports;
        }
        g_assert_cmpuint(lengths[code[0]], !=, 0);
        g_assert_true(boot_image_peek(image, at, code, 2));
        pushed += (code[0] == 0x50 || code[0] == 0x1e) - (code[0] == 0x58 || code[0] == 0x1f);
        ports |= code[0] != OUT ? 0 : code[1] == 0x20 ? 1 : code[1] == 0xa0 ? 2 : 4;
        at += lengths[code[0]];
    }
    g_assert_not_reached();
}

/* 8259A data sheet, "End of interrupt": a slave's interrupt is ended in both chips. */
static void test_table(void)
{
    BootImage *image = boot_image_new(16 * MIB);
    g_autoptr(GError) error = NULL;
    g_assert_true(pc_vectors_add(image, &error));
    g_assert_no_error(error);
    for (unsigned vector = 0; vector < 256; vector++) {
        uint8_t entry[4];
        g_assert_true(boot_image_peek(image, vector * 4, entry, 4));
        gpa_t at = (gpa_t)(entry[2] | entry[3] << 8) * 16 + (gpa_t)(entry[0] | entry[1] << 8);
        unsigned want = vector >= 0x08 && vector < 0x10 ? 1 : vector >= 0x70 && vector < 0x78 ? 3 : 0;
        g_assert_cmphex(walk(image, at), ==, want);
    }
    boot_image_free(image);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pc/vectors", test_table);
    return g_test_run();
}
