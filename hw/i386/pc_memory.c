/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pc board's physical memory: RAM around the VGA window and the PCI hole, the ROM area by the host bridge's
 * attributes, the A20 gate.
 * Spec: 82441FX datasheet (290549), 4.1 (memory map).
 */
#include "hw/i386/pc.h"

#include <string.h>

#include "hw/i386/memory_map.h"

#define ROM_AREA_SIZE (HIGH_RAM_BASE - ROM_AREA_BASE)

/* Reads find the ROM, if there is one; writes go to the RAM underneath, as firmware wants while it copies itself there. */
static uint64_t shadow_read(void *opaque, uint64_t offset, unsigned size)
{
    return pc_firmware_read(opaque, ROM_AREA_BASE + (uint32_t)offset, size);
}

static void shadow_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PcBoard *pc = opaque;
    uint8_t *to = pc->rom_area.host + offset;

    memcpy(to, &value, size);
    ram_written(pc->machine->ram, to, size);
}

static const RegionOps shadow_ops = {.read = shadow_read, .write = shadow_write, .max_size = 8};

static void map_ram(PcBoard *pc, uint64_t addr, uint64_t end, uint64_t offset)
{
    if (addr < end) {
        space_map(pc->machine->memory, addr, &pc->ram, offset, end - addr, 0);
    }
}

static void map_rom_area(PcBoard *pc)
{
    AddressSpace *memory = pc->machine->memory;

    for (unsigned n = 0; n < I440FX_PAM_PIECES; n++) {
        PcPamPiece *piece = &pc->pam[n];
        uint32_t start = i440fx_pam_start(n);
        uint32_t size = i440fx_pam_size(n);
        uint32_t offset = start - ROM_AREA_BASE;

        piece->ram = space_map(memory, start, &pc->ram, start, size, 0);
        piece->rom = space_map(memory, start, &pc->rom_area, offset, size, 0);
        piece->shadow = space_map(memory, start, &pc->shadow, offset, size, 0);
        pc_memory_pam_changed(pc, n, false, false);
    }
}

void pc_memory_init(PcBoard *pc)
{
    Machine *m = pc->machine;
    MemoryMap map;

    memory_map_init(&map, m->ram->size);
    pc->ram = (Region){.name = "ram", .kind = REGION_RAM, .size = m->ram->size, .host = m->ram->host};
    pc->rom_area = (Region){
        .name = "ram-read-only", .kind = REGION_ROM, .size = ROM_AREA_SIZE, .host = m->ram->host + ROM_AREA_BASE};
    region_init_io(&pc->shadow, "ram-write-only", ROM_AREA_SIZE, &shadow_ops, pc);
    space_begin(m->memory);
    map_ram(pc, 0, LOW_RAM_END, 0);
    map_ram(pc, HIGH_RAM_BASE, map.below_4g, HIGH_RAM_BASE);
    map_ram(pc, 4 * GIB, 4 * GIB + map.above_4g, map.below_4g);
    map_rom_area(pc);
    space_commit(m->memory);
}

void pc_memory_pam_changed(void *opaque, unsigned piece, bool read_dram, bool write_dram)
{
    PcBoard *pc = opaque;
    AddressSpace *memory = pc->machine->memory;
    const PcPamPiece *p = &pc->pam[piece];

    space_begin(memory);
    space_set_enabled(memory, p->ram, read_dram && write_dram);
    space_set_enabled(memory, p->rom, read_dram && !write_dram);
    space_set_enabled(memory, p->shadow, !read_dram && write_dram);
    space_commit(memory);
}

/* ---- A20 ---- */

static void a20_changed(void *opaque, unsigned n, bool level)
{
    PcBoard *pc = opaque;
    Machine *m = pc->machine;
    uint64_t mask;

    pc->a20[n & 1] = level;
    mask = pc->a20[0] || pc->a20[1] ? UINT64_MAX : ~BIT64(20);
    if (m->cpus[0]->a20_mask == mask) {
        return;
    }
    exclusive_begin(m->lock);
    for (unsigned i = 0; i < m->num_cpus; i++) {
        m->cpus[i]->a20_mask = mask;
        cpu_raise_event(m->cpus[i], EVENT_FLUSH);
    }
    exclusive_end(m->lock);
}

Irq pc_a20_input(PcBoard *pc, unsigned n)
{
    return (Irq){.fn = a20_changed, .opaque = pc, .n = n};
}
