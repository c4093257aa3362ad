/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a PC's RAM is, and the memory map that firmware reports of it.
 * Spec: ACPI specification 6.5, table 15.1 (address range types).
 */
#include "hw/i386/memory_map.h"

#include "util/checked.h"

static void add(MemoryMap *map, uint64_t start, uint64_t end, MemoryKind kind)
{
    if (start < end) {
        map->entries[map->count++] = (MemoryEntry){.addr = start, .len = end - start, .kind = kind};
    }
}

void memory_map_init(MemoryMap *map, uint64_t ram_size)
{
    *map = (MemoryMap){0};
    map->below_4g = MIN(ram_size, PCI_HOLE_BASE);
    map->above_4g = ram_size - map->below_4g;
    add(map, 0, MIN(map->below_4g, (uint64_t)EBDA_BASE), MEMORY_RAM);
    add(map, EBDA_BASE, LOW_RAM_END, MEMORY_RESERVED);
    add(map, TABLES_BASE, HIGH_RAM_BASE, MEMORY_RESERVED);
    add(map, HIGH_RAM_BASE, map->below_4g, MEMORY_RAM);
    add(map, BIOS_ROM_BASE, 4 * GIB, MEMORY_RESERVED);
    add(map, 4 * GIB, 4 * GIB + map->above_4g, MEMORY_RAM);
}

bool memory_map_is_ram(const MemoryMap *map, uint64_t addr, uint64_t len)
{
    for (unsigned n = 0; n < map->count; n++) {
        const MemoryEntry *e = &map->entries[n];
        if (e->kind == MEMORY_RAM && addr >= e->addr && range_in(addr - e->addr, len, e->len)) {
            return true;
        }
    }
    return false;
}
