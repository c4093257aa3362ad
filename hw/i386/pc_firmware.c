/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pc board's firmware: a file as ROM below 4 GiB, its last 128 KiB again below 1 MiB, behind the host bridge's
 * attributes (pc_memory.c).
 * Spec: 82441FX datasheet (290549), 4.1 (memory map); 82371SB datasheet (290550), 3.2 (BIOS address space).
 */
#include "hw/i386/pc.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "hw/i386/memory_map.h"

#define ROM_UNIT (64 * KIB)
#define ROM_MAX (16 * MIB)
#define ROM_PRIORITY (-1) /* what the host bridge sends to DRAM wins, in the ROM area */

static bool fail(GError **error, const char *name, const char *what)
{
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "could not load firmware '%s': %s", name, what);
    return false;
}

static bool check_size(const char *name, uint64_t size, GError **error)
{
    if (size == 0 || size % ROM_UNIT) {
        return fail(error, name, "its size must be a multiple of 64 KiB");
    }
    return size <= ROM_MAX || fail(error, name, "it is larger than 16 MiB");
}

static void map_rom(PcBoard *pc)
{
    AddressSpace *memory = pc->machine->memory;
    uint64_t size = pc->firmware.size, low = MIN(size, (uint64_t)(HIGH_RAM_BASE - TABLES_BASE));

    space_begin(memory);
    space_map(memory, 4 * GIB - size, &pc->firmware, 0, size, 0);
    space_map(memory, HIGH_RAM_BASE - low, &pc->firmware, size - low, low, ROM_PRIORITY);
    space_commit(memory);
}

bool pc_firmware_init(PcBoard *pc, GError **error)
{
    const char *name = pc->config->bios;
    g_autofree char *bytes = NULL;
    struct stat st;
    gsize size;

    if (stat(name, &st) == 0 && S_ISREG(st.st_mode) && !check_size(name, (uint64_t)st.st_size, error)) {
        return false;
    }
    if (!g_file_get_contents(name, &bytes, &size, error)) {
        g_prefix_error(error, "could not load firmware: ");
        return false;
    }
    if (!check_size(name, size, error)) {
        return false;
    }
    void *host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (host == MAP_FAILED) {
        return fail(error, name, g_strerror(errno));
    }
    memcpy(host, bytes, size);
    pc->firmware = (Region){.name = "bios", .kind = REGION_ROM, .size = size, .host = host};
    map_rom(pc);
    return true;
}

uint64_t pc_firmware_read(const PcBoard *pc, uint32_t addr, unsigned size)
{
    uint64_t from_end = HIGH_RAM_BASE - addr, value = UINT64_MAX;

    if (from_end <= MIN(pc->firmware.size, (uint64_t)(HIGH_RAM_BASE - TABLES_BASE))) {
        memcpy(&value, pc->firmware.host + pc->firmware.size - from_end, size);
    }
    return value;
}

void pc_firmware_fini(PcBoard *pc)
{
    if (pc->firmware.host) {
        munmap(pc->firmware.host, pc->firmware.size);
    }
}
