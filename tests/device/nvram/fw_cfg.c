/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fw_cfg against its published interface (docs/specs/fw_cfg.rst of QEMU). */
#include "hw/nvram/fw_cfg.h"

#include <string.h>

#include "tests/device/harness.h"

typedef struct Fixture {
    TestEnv *t;
    Device *dev;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->t = test_env_new();
    f->dev = test_device(f->t, "fw_cfg", NULL);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    test_env_free(f->t);
}

static void choose(Fixture *f, uint16_t key)
{
    test_write(f->dev, 0, 0, key, 2);
}

static void get(Fixture *f, void *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)buf)[i] = (uint8_t)test_read(f->dev, 0, 1, 1);
    }
}

#define REQUEST 0x1000
#define BUFFER 0x2000

/* Run a DMA request; its control word afterwards. */
static uint32_t dma(Fixture *f, uint32_t control, uint32_t len, uint64_t addr)
{
    uint32_t words[4] = {GUINT32_TO_BE(control), GUINT32_TO_BE(len), GUINT32_TO_BE((uint32_t)(addr >> 32)),
                         GUINT32_TO_BE((uint32_t)addr)};
    test_mem_write(f->t, REQUEST, words, sizeof(words));
    test_write(f->dev, 1, 0, 0, 4);
    test_write(f->dev, 1, 4, GUINT32_TO_BE(REQUEST), 4);
    test_mem_read(f->t, REQUEST, words, 4);
    return GUINT32_FROM_BE(words[0]);
}

static void ports(Fixture *f, gconstpointer data)
{
    char buf[8];
    choose(f, FW_CFG_SIGNATURE);
    get(f, buf, 6);
    g_assert_cmpmem(buf, 6, "QEMU\0\0", 6); /* zeros behind the end */
    choose(f, FW_CFG_ID);
    get(f, buf, 4);
    g_assert_cmpmem(buf, 4, "\3\0\0\0", 4);
    fw_cfg_add_u16(f->dev, FW_CFG_NB_CPUS, 0x0203);
    fw_cfg_add_u64(f->dev, FW_CFG_RAM_SIZE, 0x1122334455667788);
    fw_cfg_add_u32(f->dev, FW_CFG_IRQ0_OVERRIDE, 1);
    choose(f, FW_CFG_NB_CPUS);
    get(f, buf, 3);
    g_assert_cmpmem(buf, 3, "\3\2\0", 3);
    choose(f, FW_CFG_RAM_SIZE);
    get(f, buf, 8);
    g_assert_cmpmem(buf, 8, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
    choose(f, FW_CFG_IRQ0_OVERRIDE);
    get(f, buf, 4);
    g_assert_cmpmem(buf, 4, "\1\0\0\0", 4);
    choose(f, 0x3fff); /* no such key */
    g_assert_cmphex(test_read(f->dev, 0, 1, 1), ==, 0);
    test_write(f->dev, 0, 1, 0x55, 1); /* data cannot be written through the port */
    choose(f, FW_CFG_SIGNATURE);
    g_assert_cmphex(test_read(f->dev, 0, 1, 1), ==, 'Q');
    g_assert_false(fw_cfg_add_u16(f->dev, 0x3000, 1));
}

/* The directory is big endian and sorted by name; replacing keeps one entry; names and slots are limited. */
static void directory(Fixture *f, gconstpointer data)
{
    g_assert_true(fw_cfg_add_file(f->dev, "opt/b", "bbb", 3));
    g_assert_true(fw_cfg_add_file(f->dev, "etc/z", "old", 3));
    g_assert_true(fw_cfg_add_file_copy(f->dev, "etc/a", "aaaaa", 5));
    g_assert_true(fw_cfg_add_file(f->dev, "etc/z", "zz", 2));
    struct __attribute__((packed)) {
        uint32_t count;
        struct __attribute__((packed)) {
            uint32_t size;
            uint16_t key, reserved;
            char name[56];
        } file[3];
    } dir;
    choose(f, FW_CFG_FILE_DIR);
    get(f, &dir, sizeof(dir));
    g_assert_cmpuint(GUINT32_FROM_BE(dir.count), ==, 3);
    const char *names[] = {"etc/a", "etc/z", "opt/b"}, *contents[] = {"aaaaa", "zz", "bbb"};
    for (unsigned i = 0; i < 3; i++) {
        char buf[8] = {0};
        g_assert_cmpstr(dir.file[i].name, ==, names[i]);
        g_assert_cmpuint(GUINT32_FROM_BE(dir.file[i].size), ==, strlen(contents[i]));
        g_assert_cmpuint(GUINT16_FROM_BE(dir.file[i].key), >=, FW_CFG_FILE_FIRST);
        choose(f, GUINT16_FROM_BE(dir.file[i].key));
        get(f, buf, 7);
        g_assert_cmpstr(buf, ==, contents[i]);
    }
    char name[64];
    memset(name, 'n', sizeof(name));
    name[56] = 0;
    g_assert_false(fw_cfg_add_file(f->dev, name, "", 0));
    name[55] = 0;
    g_assert_true(fw_cfg_add_file(f->dev, name, "", 0));
    for (unsigned i = 4; i < FW_CFG_MAX_FILES; i++) {
        g_snprintf(name, sizeof(name), "file%u", i);
        g_assert_true(fw_cfg_add_file(f->dev, name, "x", 1));
    }
    g_assert_false(fw_cfg_add_file(f->dev, "one-more", "x", 1));
}

static void dma_interface(Fixture *f, gconstpointer data)
{
    char buf[16];
    g_assert_cmphex(test_read(f->dev, 1, 0, 4), ==, GUINT32_TO_BE(0x51454d55));
    g_assert_cmphex(test_read(f->dev, 1, 4, 4), ==, GUINT32_TO_BE(0x20434647));
    g_assert_cmphex(test_read(f->dev, 1, 0, 1), ==, 'Q');
    fw_cfg_add(f->dev, FW_CFG_KERNEL_DATA, "0123456789", 10);
    memset(buf, 0xee, sizeof(buf));
    test_mem_write(f->t, BUFFER, buf, sizeof(buf));
    g_assert_cmphex(dma(f, FW_CFG_KERNEL_DATA << 16 | 0x0a, 4, BUFFER), ==, 0); /* select and read */
    test_mem_read(f->t, BUFFER, buf, 5);
    g_assert_cmpmem(buf, 5, "0123\xee", 5);
    g_assert_cmphex(dma(f, 0x04, 3, 0), ==, 0); /* skip */
    g_assert_cmphex(dma(f, 0x02, 6, BUFFER), ==, 0);
    test_mem_read(f->t, BUFFER, buf, 7);
    g_assert_cmpmem(buf, 7, "789\0\0\0\xee", 7);
    /* errors: no memory, an item that cannot be written, a length out of all reason */
    choose(f, FW_CFG_KERNEL_DATA);
    g_assert_cmphex(dma(f, 0x02, 4, TEST_RAM_SIZE - 2), ==, 1);
    g_assert_cmphex(dma(f, 0x02, 4, UINT64_MAX - 1), ==, 1);
    g_assert_cmphex(dma(f, 0x10, 1, BUFFER), ==, 1);
    g_assert_cmphex(dma(f, 0x02, UINT32_MAX, 0), ==, 1);
    g_assert_cmphex(dma(f, 0x04, UINT32_MAX, 0), ==, 0);
    g_assert_cmphex(dma(f, 0x04, UINT32_MAX, 0), ==, 0);
    g_assert_cmphex(dma(f, 0x02, 1, BUFFER), ==, 0);
    /* a request where no memory is */
    test_write(f->dev, 1, 0, UINT64_MAX, 8);
    /* 64-bit write */
    uint32_t words[4] = {GUINT32_TO_BE(FW_CFG_SIGNATURE << 16 | 0x0a), GUINT32_TO_BE(4), 0, GUINT32_TO_BE(BUFFER)};
    test_mem_write(f->t, REQUEST, words, sizeof(words));
    test_write(f->dev, 1, 0, GUINT64_TO_BE((uint64_t)REQUEST), 8);
    test_mem_read(f->t, BUFFER, buf, 4);
    g_assert_cmpmem(buf, 4, "QEMU", 4);
}

typedef struct Seen {
    unsigned selected, written;
    uint32_t offset;
    size_t len;
} Seen;

static void on_selected(void *opaque)
{
    ((Seen *)opaque)->selected++;
}

static void on_written(void *opaque, uint32_t offset, size_t len)
{
    Seen *seen = opaque;
    seen->written++;
    seen->offset = offset;
    seen->len = len;
}

static void hooks(Fixture *f, gconstpointer data)
{
    char file[8] = "abcdefg";
    Seen seen = {0};
    FwCfgHooks h = {on_selected, on_written, &seen};
    g_assert_true(fw_cfg_add_file_hooks(f->dev, "etc/w", file, 8, &h));
    choose(f, FW_CFG_FILE_FIRST);
    g_assert_cmpuint(seen.selected, ==, 1);
    test_mem_write(f->t, BUFFER, "XY", 2);
    g_assert_cmphex(dma(f, 0x04, 2, 0), ==, 0);
    g_assert_cmphex(dma(f, 0x10, 2, BUFFER), ==, 0);
    g_assert_cmpstr(file, ==, "abXYefg");
    g_assert_cmpuint(seen.written, ==, 1);
    g_assert_cmpuint(seen.offset, ==, 2);
    g_assert_cmpuint(seen.len, ==, 2);
    g_assert_cmphex(dma(f, 0x10, 5, BUFFER), ==, 1); /* beyond the end */
    g_assert_cmpuint(seen.written, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/fw_cfg/ports", Fixture, NULL, set_up, ports, tear_down);
    g_test_add("/fw_cfg/directory", Fixture, NULL, set_up, directory, tear_down);
    g_test_add("/fw_cfg/dma", Fixture, NULL, set_up, dma_interface, tear_down);
    g_test_add("/fw_cfg/hooks", Fixture, NULL, set_up, hooks, tear_down);
    return g_test_run();
}
