/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softmmu/core/space and ram: priorities, aliases, holes, crossings, ROM, DMA, dirty and code tracking. */
#include "softmmu/core/space.h"

#include <string.h>

#include "softmmu/core/exclusive.h"
#include "softmmu/core/ram.h"

typedef struct Port {
    uint64_t value;
    unsigned reads, writes, size;
    uint64_t offset;
} Port;

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    Port *p = opaque;
    p->reads++;
    p->offset = offset;
    p->size = size;
    return p->value;
}

static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Port *p = opaque;
    p->writes++;
    p->offset = offset;
    p->size = size;
    p->value = value;
}

static const RegionOps port_ops = {.read = port_read, .write = port_write};

static void port_init(Region *r, Port *p, const char *name, uint64_t size, uint64_t value)
{
    *p = (Port){.value = value};
    region_init_io(r, name, size, &port_ops, p);
}

static void expect(AddressSpace *space, const char *text)
{
    g_autoptr(GString) out = g_string_new(NULL);
    space_dump(space, out);
    g_assert_cmpstr(out->str, ==, text);
}

static void test_priority(void)
{
    AddressSpace *space = space_new("test", 16);
    Port p[3];
    Region low, high, late;
    port_init(&low, &p[0], "low", 0x100, 1);
    port_init(&high, &p[1], "high", 0x10, 2);
    port_init(&late, &p[2], "late", 0x20, 3);
    space_map_whole(space, 0x1000, &low);
    Mapping *h = space_map(space, 0x1040, &high, 0, 0x10, 1);
    Mapping *l = space_map_whole(space, 0x1038, &late); /* over low, since later; under high */
    expect(space, "address-space: test\n"
                  "  1000-1037 (i/o): low\n"
                  "  1038-103f (i/o): late\n"
                  "  1040-104f (i/o): high\n"
                  "  1050-1057 (i/o): late @0018\n"
                  "  1058-10ff (i/o): low @0058\n");
    g_assert_cmphex(space_read(space, 0x1041, 1), ==, 2);
    g_assert_cmphex(p[1].offset, ==, 1);
    space_set_enabled(space, h, false);
    space_move(space, l, 0x2000);
    expect(space, "address-space: test\n"
                  "  1000-10ff (i/o): low\n" /* one piece again */
                  "  2000-201f (i/o): late\n");
    space_unmap(space, l);
    g_assert_cmphex(space_read(space, 0x2000, 2), ==, 0xffff);
    space_free(space);
}

static void test_alias(void)
{
    AddressSpace *space = space_new("test", 52);
    uint8_t *host = g_malloc0(0x3000);
    Region ram = {.name = "ram", .kind = REGION_RAM, .size = 0x3000, .host = host};
    space_map(space, 0, &ram, 0, 0x3000, 0);
    space_map(space, 0xfffff000, &ram, 0x1000, 0x1000, 0);
    space_write(space, 0xfffff004, 0x11223344, 4);
    g_assert_cmphex(space_read(space, 0x1004, 4), ==, 0x11223344);
    g_assert_cmphex(space_read(space, 0x1005, 2), ==, 0x2233);
    FlatRange r;
    g_assert_true(space_lookup(space, 0xfffff010, &r));
    g_assert_cmphex(r.start, ==, 0xfffff000);
    g_assert_cmphex(r.offset, ==, 0x1000);
    g_assert_false(space_lookup(space, 0x3000, &r));
    space_free(space);
    g_free(host);
}

static void test_crossing(void)
{
    AddressSpace *space = space_new("test", 16);
    Port p[2];
    Region a, b;
    port_init(&a, &p[0], "a", 2, 0x11);
    port_init(&b, &p[1], "b", 2, 0x22);
    space_map_whole(space, 0x100, &a);
    space_map_whole(space, 0x102, &b);
    g_assert_cmphex(space_read(space, 0x101, 2), ==, 0x2211);
    g_assert_cmphex(space_read(space, 0x103, 4), ==, 0xffffff22); /* into a hole */
    g_assert_cmphex(space_read(space, 0xff, 2), ==, 0x11ff);
    space_write(space, 0x101, 0xaabb, 2);
    g_assert_cmphex(p[0].value, ==, 0xbb);
    g_assert_cmphex(p[1].value, ==, 0xaa);
    g_assert_cmphex(space_read(space, 0xffff, 4), ==, 0xffffffff); /* beyond the end */
    space_write(space, 0xffff, 0, 4);
    space_free(space);
}

static void test_rom(void)
{
    AddressSpace *space = space_new("test", 52);
    uint8_t bytes[16] = {1, 2, 3, 4};
    Region rom = {.name = "rom", .kind = REGION_ROM, .size = 16, .host = bytes};
    space_map_whole(space, 0xf0000, &rom);
    space_write(space, 0xf0000, 0, 4);
    g_assert_cmphex(space_read(space, 0xf0000, 4), ==, 0x04030201);
    space_free(space);
}

static void count_change(void *opaque)
{
    ++*(int *)opaque;
}

static void test_transaction(void)
{
    AddressSpace *space = space_new("test", 16);
    Port p;
    Region a;
    int changes = 0;
    port_init(&a, &p, "a", 4, 0);
    space_add_listener(space, count_change, &changes);
    space_begin(space);
    space_begin(space);
    Mapping *m = space_map_whole(space, 0, &a);
    space_map_whole(space, 8, &a);
    space_commit(space);
    g_assert_cmpint(changes, ==, 0);
    FlatRange r;
    g_assert_false(space_lookup(space, 0, &r));
    space_commit(space);
    g_assert_cmpint(changes, ==, 1);
    g_assert_true(space_lookup(space, 11, &r));
    space_set_enabled(space, m, true); /* no change */
    space_move(space, m, 0);
    g_assert_cmpint(changes, ==, 1);
    space_free(space);
}

/* A handler that takes its own mapping away while it runs: a BAR that moves itself. */
typedef struct Suicide {
    AddressSpace *space;
    Mapping *mapping;
    Region region;
} Suicide;

static uint64_t suicide_read(void *opaque, uint64_t offset, unsigned size)
{
    Suicide *s = opaque;
    space_set_enabled(s->space, s->mapping, false);
    return 0x5a;
}

static void test_self_unmap(void)
{
    static const RegionOps ops = {.read = suicide_read};
    MachineLock *lock = machine_lock_new();
    Suicide s = {.space = space_new("test", 52)};
    space_set_lock(s.space, lock);
    region_init_io(&s.region, "s", 4, &ops, &s);
    s.mapping = space_map_whole(s.space, 0x1000, &s.region);
    g_assert_cmphex(space_read(s.space, 0x1000, 1), ==, 0x5a);
    g_assert_cmphex(space_read(s.space, 0x1000, 1), ==, 0xff);
    g_assert_false(machine_locked(lock));
    space_free(s.space);
    machine_lock_free(lock);
}

static void test_dma(void)
{
    AddressSpace *space = space_new("test", 52);
    GError *error = NULL;
    Ram *ram = ram_new(0x4000, &error);
    g_assert_no_error(error);
    Region low = {.name = "ram", .kind = REGION_RAM, .size = ram->size, .host = ram->host};
    uint8_t rom_bytes[16] = "firmware";
    Region rom = {.name = "rom", .kind = REGION_ROM, .size = 16, .host = rom_bytes};
    Port p;
    Region io;
    port_init(&io, &p, "io", 16, 0);
    space_set_ram(space, ram);
    space_map_whole(space, 0, &low);
    space_map_whole(space, 0x4000, &rom);
    space_map_whole(space, 0x4010, &io);
    uint8_t buf[64];
    memset(buf, 0x77, sizeof(buf));
    /* RAM, and RAM running into ROM for a read */
    g_assert_true(space_dma_write(space, 0x3ff0, buf, 16));
    g_assert_true(space_dma_read(space, 0x3ff8, buf, 24));
    g_assert_cmphex(buf[7], ==, 0x77);
    g_assert_cmpmem(buf + 8, 8, "firmware", 8);
    /* never a device, never half */
    memset(buf, 0x55, sizeof(buf));
    g_assert_false(space_dma_write(space, 0x3ff0, buf, 17));
    g_assert_cmphex(ram->host[0x3ff0], ==, 0x77);
    g_assert_false(space_dma_read(space, 0x3ff0, buf, 33));
    g_assert_cmphex(buf[0], ==, 0x55);
    g_assert_false(space_dma_read(space, 0x4010, buf, 4));
    g_assert_cmpuint(p.reads, ==, 0);
    /* holes, the end of the space, overflow, nothing at all */
    g_assert_false(space_dma_read(space, 0x10000, buf, 1));
    g_assert_false(space_dma_write(space, 0x3fff, buf, SIZE_MAX));
    g_assert_false(space_dma_write(space, UINT64_MAX, buf, 2));
    g_assert_true(space_dma_read(space, 0x100, buf, 0));
    space_free(space);
    ram_free(ram);
}

static void test_ram(void)
{
    GError *error = NULL;
    Ram *ram = ram_new(0x3000, &error);
    g_assert_no_error(error);
    RamPage *page = ram_page(ram, ram->host + 0x1fff);
    g_assert_true(page == &ram->pages[1]);
    g_assert_true(ram_owns(ram, ram->host + 0x2fff));
    g_assert_false(ram_owns(ram, ram->host + 0x3000));
    g_assert_false(ram_page_watched(page));
    page->track = DIRTY_DISPLAY;
    g_assert_true(ram_page_watched(page));
    g_assert_false(ram_written(ram, ram->host + 0x1fff, 2)); /* two pages */
    g_assert_false(ram_page_watched(page));
    g_assert_cmphex(ram->pages[2].dirty & DIRTY_MIGRATION, ==, DIRTY_MIGRATION);
    g_assert_cmphex(ram->pages[0].dirty, ==, 0);

    uint64_t first[3] = {0}, second[3] = {0};
    ram_add_reader(ram, first);
    ram_add_reader(ram, second);
    page->code = BIT64(2) | BIT64(63); /* 0x80..0xbf and 0xfc0..0xfff */
    g_assert_false(ram_written(ram, ram->host + 0x1000 + 0x7f, 1));
    g_assert_false(ram_written(ram, ram->host + 0x1000 + 0xc0, 1));
    g_assert_cmphex(first[1], ==, 0);
    g_assert_true(ram_written(ram, ram->host + 0x1000 + 0x7f, 2));
    g_assert_cmphex(first[1], ==, BIT64(2));
    g_assert_cmphex(second[1], ==, BIT64(2));
    g_assert_cmphex(page->code, ==, BIT64(63));
    g_assert_false(ram_written(ram, ram->host + 0x1000 + 0x7f, 2)); /* both know */
    ram_remove_reader(ram, first);
    g_assert_true(ram_written(ram, ram->host, 0x3000));
    g_assert_cmphex(first[1], ==, BIT64(2));
    g_assert_cmphex(second[1], ==, BIT64(2) | BIT64(63));
    g_assert_cmphex(second[0] | second[2], ==, 0);
    ram_remove_reader(ram, second);
    for (unsigned n = 1; n < RAM_LAST_HITS; n++) {
        g_assert_cmphex(page->code, ==, BIT64(63)); /* the last code of the page */
        g_assert_true(ram_written(ram, ram->host + 0x1fff, 1));
    }
    g_assert_cmphex(page->code, ==, 0);
    page->code = 1;
    g_assert_true(ram_written(ram, ram->host, 0x3000));
    g_assert_cmphex(second[1] & 1, ==, 0);
    ram_free(ram);

    g_assert_null(ram_new(0, &error));
    g_clear_error(&error);
    g_assert_null(ram_new(4097, &error));
    g_clear_error(&error);
    g_assert_null(ram_new(100ull << 40, &error));
    g_assert_nonnull(strstr(error->message, "104857600 MiB"));
    g_clear_error(&error);
}

static void test_written_through_space(void)
{
    AddressSpace *space = space_new("test", 52);
    Ram *ram = ram_new(0x2000, NULL);
    Region low = {.name = "ram", .kind = REGION_RAM, .size = ram->size, .host = ram->host};
    space_set_ram(space, ram);
    space_map_whole(space, 0, &low);
    uint64_t changed[2] = {0};
    ram_add_reader(ram, changed);
    ram->pages[1].code = ~0ull;
    space_write(space, 0x1040, 0x90, 1);
    g_assert_cmphex(changed[1], ==, BIT64(1));
    g_assert_true(space_dma_write(space, 0xfff, "ab", 2));
    g_assert_cmphex(changed[1], ==, BIT64(1) | BIT64(0));
    g_assert_cmphex(changed[0], ==, 0);
    space_free(space);
    ram_free(ram);
}

/* Rendering against the definition, address by address. */
static void test_random(void)
{
    GRand *rnd = g_rand_new_with_seed(1234);
    for (int round = 0; round < 200; round++) {
        AddressSpace *space = space_new("random", round & 1 ? 16 : 40);
        Region regions[12];
        Port ports[12];
        uint64_t addr[12], len[12];
        int prio[12];
        for (int i = 0; i < 12; i++) {
            port_init(&regions[i], &ports[i], "r", 64, 0);
            addr[i] = (uint64_t)g_rand_int_range(rnd, 0, 200);
            len[i] = (uint64_t)g_rand_int_range(rnd, 0, 65);
            prio[i] = g_rand_int_range(rnd, -1, 2);
            space_map(space, addr[i], &regions[i], 64 - len[i], len[i], prio[i]);
        }
        for (uint64_t at = 0; at < 300; at++) {
            int best = -1;
            for (int i = 0; i < 12; i++) {
                if (at >= addr[i] && at < addr[i] + len[i] && (best < 0 || prio[i] >= prio[best])) {
                    best = i;
                }
            }
            FlatRange r;
            bool found = space_lookup(space, at, &r);
            g_assert_cmpint(found, ==, best >= 0);
            if (found) {
                g_assert_true(r.region == &regions[best]);
                g_assert_cmpuint(r.offset + (at - r.start), ==, 64 - len[best] + (at - addr[best]));
            }
        }
        space_free(space);
    }
    g_rand_free(rnd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/space/priority", test_priority);
    g_test_add_func("/space/alias", test_alias);
    g_test_add_func("/space/crossing", test_crossing);
    g_test_add_func("/space/rom", test_rom);
    g_test_add_func("/space/transaction", test_transaction);
    g_test_add_func("/space/self-unmap", test_self_unmap);
    g_test_add_func("/space/dma", test_dma);
    g_test_add_func("/space/ram", test_ram);
    g_test_add_func("/space/written", test_written_through_space);
    g_test_add_func("/space/random", test_random);
    return g_test_run();
}
