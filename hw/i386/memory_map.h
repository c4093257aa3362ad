/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a PC's RAM is, and the memory map that firmware reports of it.
 * Spec: ACPI specification 6.5, table 15.1 (address range types).
 */
#pragma once

#include "util/base.h"

enum {
    LOW_RAM_END = 0xa0000, /* below: conventional memory; from here the VGA window */
    EBDA_BASE = 0x9fc00,   /* extended BIOS data area: 1 KiB that is not the system's */
    ROM_AREA_BASE = 0xc0000,
    TABLES_BASE = 0xe0000, /* firmware tables, in the part of the ROM area that is searched for their anchors */
    HIGH_RAM_BASE = 0x100000,
};
#define PCI_HOLE_BASE 0xe0000000ull /* RAM never reaches into the last 512 MiB below 4 GiB */
#define PCI_HOLE_END 0xfec00000ull
#define IOAPIC_BASE 0xfec00000ull
#define LAPIC_BASE 0xfee00000ull
#define BIOS_ROM_BASE 0xfffc0000ull

typedef enum MemoryKind { MEMORY_RAM = 1, MEMORY_RESERVED = 2 } MemoryKind; /* as in E820, multiboot and PVH */

typedef struct MemoryEntry {
    uint64_t addr, len;
    MemoryKind kind;
} MemoryEntry;

#define MEMORY_MAP_MAX 8

typedef struct MemoryMap {
    uint64_t below_4g, above_4g; /* bytes of RAM from 0 and from 4 GiB */
    unsigned count;
    MemoryEntry entries[MEMORY_MAP_MAX]; /* ascending */
} MemoryMap;

void memory_map_init(MemoryMap *map, uint64_t ram_size);
/* [addr, addr + len) is wholly RAM that a boot loader may fill. */
bool memory_map_is_ram(const MemoryMap *map, uint64_t addr, uint64_t len);
