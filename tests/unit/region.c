/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/core/region: what the callbacks see for each size and alignment. */
#include "hw/core/region.h"

#include <string.h>

typedef struct Trace {
    unsigned calls;
    uint64_t offset[16], value[16];
    unsigned size[16];
} Trace;

/* Byte n of the region reads as n. */
static uint64_t traced_read(void *opaque, uint64_t offset, unsigned size)
{
    Trace *t = opaque;
    t->offset[t->calls] = offset;
    t->size[t->calls++] = size;
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= ((offset + i) & 0xff) << (i * 8);
    }
    return value;
}

static void traced_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Trace *t = opaque;
    t->offset[t->calls] = offset;
    t->value[t->calls] = value;
    t->size[t->calls++] = size;
}

#define CALL(i, offset_, size_)                                                                                      \
    g_assert_cmpuint(t.offset[i], ==, offset_);                                                                      \
    g_assert_cmpuint(t.size[i], ==, size_)

static void test_plain(void)
{
    Trace t = {0};
    RegionOps ops = {.read = traced_read, .write = traced_write};
    Region r;
    region_init_io(&r, "r", 16, &ops, &t);
    g_assert_cmphex(region_read(&r, 4, 4), ==, 0x07060504);
    g_assert_cmpuint(t.calls, ==, 1);
    CALL(0, 4, 4);
}

static void test_split(void)
{
    Trace t = {0};
    RegionOps ops = {.read = traced_read, .write = traced_write, .max_size = 2};
    Region r;
    region_init_io(&r, "r", 16, &ops, &t);
    g_assert_cmphex(region_read(&r, 8, 8), ==, 0x0f0e0d0c0b0a0908ull);
    g_assert_cmpuint(t.calls, ==, 4);
    CALL(0, 8, 2);
    CALL(3, 14, 2);
    t.calls = 0;
    region_write(&r, 0, 0x11223344, 4);
    g_assert_cmpuint(t.calls, ==, 2);
    g_assert_cmphex(t.value[0], ==, 0x3344); /* the low half first */
    g_assert_cmphex(t.value[1], ==, 0x1122);
}

static void test_unaligned(void)
{
    Trace t = {0};
    RegionOps ops = {.read = traced_read, .write = traced_write};
    Region r;
    region_init_io(&r, "r", 16, &ops, &t);
    g_assert_cmphex(region_read(&r, 3, 4), ==, 0x06050403);
    g_assert_cmpuint(t.calls, ==, 4);
    CALL(0, 3, 1);
    t.calls = 0;
    ops.unaligned = true;
    g_assert_cmphex(region_read(&r, 3, 4), ==, 0x06050403);
    g_assert_cmpuint(t.calls, ==, 1);
    CALL(0, 3, 4);
    t.calls = 0;
    g_assert_cmphex(region_read(&r, 2, 3), ==, 0x040302); /* pieces of other than natural sizes go by bytes */
    g_assert_cmpuint(t.calls, ==, 3);
}

static void test_widen(void)
{
    Trace t = {0};
    RegionOps ops = {.read = traced_read, .write = traced_write, .min_size = 4, .max_size = 4};
    Region r;
    region_init_io(&r, "r", 14, &ops, &t);
    g_assert_cmphex(region_read(&r, 6, 1), ==, 0x06);
    CALL(0, 4, 4);
    g_assert_cmphex(region_read(&r, 6, 2), ==, 0x0706);
    CALL(1, 4, 4);
    t.calls = 0;
    region_write(&r, 6, 0xabcd, 2);
    g_assert_cmpuint(t.calls, ==, 1);
    CALL(0, 4, 4);
    g_assert_cmphex(t.value[0], ==, 0xabcd0000); /* the other bytes are zero */
    t.calls = 0;
    g_assert_cmphex(region_read(&r, 3, 2), ==, 0x0403); /* across two words: byte by byte */
    g_assert_cmpuint(t.calls, ==, 2);
    t.calls = 0;
    g_assert_cmphex(region_read(&r, 13, 1), ==, 0xff); /* the word would end outside the region */
    region_write(&r, 13, 1, 1);
    g_assert_cmpuint(t.calls, ==, 0);
}

static void test_eight(void)
{
    Trace t = {0};
    RegionOps ops = {.read = traced_read, .write = traced_write, .max_size = 8};
    Region r;
    region_init_io(&r, "r", 16, &ops, &t);
    region_write(&r, 8, 0x8877665544332211ull, 8);
    CALL(0, 8, 8);
    g_assert_cmphex(t.value[0], ==, 0x8877665544332211ull);
}

static void test_memory(void)
{
    uint8_t bytes[8] = {1, 2, 3, 4};
    Region ram = {.kind = REGION_RAM, .size = 8, .host = bytes}, rom = {.kind = REGION_ROM, .size = 8, .host = bytes};
    region_write(&ram, 4, 0xaabb, 2);
    g_assert_cmphex(region_read(&ram, 2, 4), ==, 0xaabb0403);
    region_write(&rom, 4, 0, 4);
    g_assert_cmphex(region_read(&rom, 4, 2), ==, 0xaabb);
    /* flash: a ROM whose writes go somewhere */
    Trace t = {0};
    RegionOps ops = {.write = traced_write};
    rom.ops = &ops;
    rom.opaque = &t;
    region_write(&rom, 4, 0x90, 1);
    CALL(0, 4, 1);
    g_assert_cmphex(t.value[0], ==, 0x90);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/region/plain", test_plain);
    g_test_add_func("/region/split", test_split);
    g_test_add_func("/region/unaligned", test_unaligned);
    g_test_add_func("/region/widen", test_widen);
    g_test_add_func("/region/eight", test_eight);
    g_test_add_func("/region/memory", test_memory);
    return g_test_run();
}
