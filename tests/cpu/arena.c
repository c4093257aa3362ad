/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of every kind side by side. */
#include "tests/cpu/arena.h"

#include <inttypes.h>
#include <string.h>

#include "softmmu/core/machine.h"
#include "target/x86/mem.h"
#include "tests/cpu/values.h"

enum { PHYS_ARENA = 0x40000, PHYS_DEVICE = 0x400000, PAGE_BYTES = 0x1000 };

struct Arena {
    Engine *engine;
    Region device;
    uint64_t state; /* of the device: whatever was read and written, in order */
    uint8_t before[ARENA_PAGES * PAGE_BYTES];
};

/* ---- the device ---- */

static uint64_t stir(Arena *a, uint64_t what)
{
    a->state = (a->state ^ what) * 0x9e3779b97f4a7c15ull;
    a->state ^= a->state >> 29;
    return a->state;
}

/* Reads have consequences, so that none is left out and none done twice. */
static uint64_t device_read(void *opaque, uint64_t offset, unsigned size)
{
    return stir(opaque, offset << 8 | size);
}

static void device_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    stir(opaque, value);
    stir(opaque, offset << 8 | size << 4);
}

static const RegionOps device_ops = {.read = device_read, .write = device_write, .max_size = 8, .unlocked = true};

/* ---- pages ---- */

/* Not in order, so that what crosses a page's end goes on elsewhere. */
static uint32_t phys_of(unsigned page)
{
    return PHYS_ARENA + page * 5 % ARENA_PAGES * PAGE_BYTES;
}

static uint8_t *host_of(const Arena *a, unsigned page)
{
    return engine_cpu(a->engine)->machine->ram->host + phys_of(page);
}

static void map_page(Engine *e, unsigned page)
{
    static const char kinds[] = ARENA_KINDS;
    enum { P = 1, W = 2, U = 4 };
    const uint64_t no_exec = 1ull << 63;
    uint64_t lin = ARENA_BASE + page * PAGE_BYTES;
    switch (kinds[page]) {
    case 'd':
        engine_map_page(e, lin, phys_of(page) | no_exec | P | W | U);
        break;
    case 'r':
        engine_map_page(e, lin, phys_of(page) | no_exec | P | U);
        break;
    case 's':
    case 'G':
        engine_map_page(e, lin, phys_of(page) | no_exec | P | W);
        break;
    case 'm':
        engine_map_page(e, lin, PHYS_DEVICE | no_exec | P | W | U);
        break;
    case 'c':
    case 'C': {
        uint8_t *code = engine_memory(e, (uint32_t)CODE_BASE + (kinds[page] == 'C' ? PAGE_BYTES : 0));
        uint64_t phys = (uint64_t)(code - engine_cpu(e)->machine->ram->host);
        engine_map_page(e, lin, phys | no_exec | P | W | U);
        break;
    }
    default:
        engine_map_page(e, lin, 0);
        break;
    }
}

static void put_descriptors(uint8_t *at)
{
    static const uint64_t gdt[] = {
        0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff,
        0x00affb000000ffff,
    };
    memcpy(at, gdt, sizeof(gdt));
}

Arena *arena_new(Engine *e)
{
    Arena *a = g_new0(Arena, 1);
    Machine *m = engine_cpu(e)->machine;
    Rng rng;
    a->engine = e;
    region_init_io(&a->device, "device", PAGE_BYTES, &device_ops, a);
    machine_lock(m->lock);
    space_map_whole(m->memory, PHYS_DEVICE, &a->device);
    machine_unlock(m->lock);
    for (unsigned page = 0; page < ARENA_PAGES; page++) {
        map_page(e, page);
    }
    rng_seed(&rng, 5);
    for (unsigned at = 0; at < sizeof(a->before); at += 16) {
        random_memory(&rng, a->before + at, 16);
    }
    put_descriptors(a->before + (ARENA_GDT - ARENA_BASE));
    return a;
}

void arena_free(Arena *a)
{
    g_free(a);
}

void arena_reset(Arena *a)
{
    a->state = 1;
    for (unsigned page = 0; page < ARENA_PAGES; page++) {
        memcpy(host_of(a, page), a->before + page * PAGE_BYTES, PAGE_BYTES);
    }
}

static bool same_bytes(const uint8_t *want, const uint8_t *got, const char *what, uint64_t lin, GString *why)
{
    if (memcmp(want, got, PAGE_BYTES) == 0) {
        return true;
    }
    unsigned at = 0;
    while (want[at] == got[at]) {
        at++;
    }
    g_string_append_printf(why, "  %s page differs, first at %#" PRIx64 ": %02x/%02x\n", what, lin + at, want[at], got[at]);
    return false;
}

bool arena_same(const Arena *want, const Arena *got, GString *why)
{
    bool same = true;
    for (unsigned page = 0; page < ARENA_PAGES; page++) {
        same &= same_bytes(host_of(want, page), host_of(got, page), "arena", ARENA_BASE + page * PAGE_BYTES, why);
    }
    for (uint32_t at = 0; at < CODE_SIZE; at += PAGE_BYTES) {
        uint32_t lin = (uint32_t)CODE_BASE + at;
        same &= same_bytes(engine_memory(want->engine, lin), engine_memory(got->engine, lin), "code", lin, why);
    }
    if (want->state != got->state) {
        g_string_append(why, "  the device saw other accesses\n");
        same = false;
    }
    return same;
}
