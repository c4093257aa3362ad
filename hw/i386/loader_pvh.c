/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ELF kernels by the PVH boot ABI: 32-bit entry with a start-info block in EBX.
 * Spec: Xen docs/misc/pvh.pandoc; public/arch-x86/hvm/start_info.h (version 1).
 */
#include "hw/i386/loader.h"

#include <elf.h>
#include <string.h>

#define START_MAGIC 0x336ec578u

typedef struct StartInfo {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, cmdline, rsdp, memory_map;
    uint32_t memory_entries, reserved;
} StartInfo;

typedef struct StartModule {
    uint64_t addr, size, cmdline, reserved;
} StartModule;

typedef struct StartMemory {
    uint64_t addr, size;
    uint32_t type, reserved;
} StartMemory;

/* Everything the kernel is told, as one block. */
typedef struct StartBlock {
    StartInfo info;
    StartModule module;
    StartMemory memory[MEMORY_MAP_MAX];
} StartBlock;

bool pvh_probe(const KernelHead *head)
{
    return memcmp(head->b, ELFMAG, SELFMAG) == 0;
}

static bool place_initrd(BootImage *image, const char *name, gpa_t kernel_end, StartBlock *block, GError **error)
{
    const BootFile *file = loader_open_initrd(image, name, error);
    gpa_t addr;

    if (!file) {
        return false;
    }
    if (file->size == 0) {
        return true;
    }
    if (!boot_image_find_high(image, file->size, PAGE_SIZE, kernel_end, image->map.below_4g, &addr)) {
        return loader_initrd_too_large(file, error);
    }
    block->info.modules = 1;
    block->module = (StartModule){.addr = addr, .size = file->size};
    return boot_image_add_file(image, "the initrd", addr, file, 0, file->size, file->size, error);
}

bool pvh_load(BootImage *image, const KernelRequest *request, const BootFile *file, const KernelHead *head,
              GError **error)
{
    g_autoptr(GBytes) cmdline = NULL;
    g_autoptr(GBytes) bytes = NULL;
    const char *append = request->append ? request->append : "";
    StartBlock block = {.info = {.magic = START_MAGIC, .version = 1, .rsdp = request->rsdp}};
    ElfFile elf;
    uint32_t entry;
    gpa_t end;
    gpa_t at;

    if (!elf_parse(file, &elf, error)) {
        return false;
    }
    if (!elf_find_pvh_entry(file, &elf, &entry)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "an ELF without a PVH entry note; build the kernel with CONFIG_PVH=y, or use its bzImage");
        return false;
    }
    if (!elf_load(image, file, &elf, &end, error)) {
        return false;
    }
    if (!memory_map_is_ram(&image->map, entry, 1)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "its PVH entry 0x%x is not in RAM", entry);
        return false;
    }
    if (request->initrd && !place_initrd(image, request->initrd, end, &block, error)) {
        return false;
    }
    cmdline = g_bytes_new(append, strlen(append) + 1);
    if (!boot_image_place_low(image, "the command line", cmdline, 16, &block.info.cmdline, error)) {
        return false;
    }
    for (unsigned n = 0; n < image->map.count; n++) {
        const MemoryEntry *e = &image->map.entries[n];
        block.memory[n] = (StartMemory){.addr = e->addr, .size = e->len, .type = e->kind};
    }
    block.info.memory_entries = image->map.count;
    if (!boot_image_find_low(image, sizeof(block), 16, 0x1000, EBDA_BASE, &at)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no room for the start information below 639 KiB");
        return false;
    }
    block.info.memory_map = at + offsetof(StartBlock, memory);
    block.info.module_list = block.info.modules ? at + offsetof(StartBlock, module) : 0;
    bytes = g_bytes_new(&block, sizeof(block));
    if (!boot_image_add_bytes(image, "the start information", at, bytes, error)) {
        return false;
    }
    image->entry = (BootEntry){.mode = BOOT_FLAT32, .rip = entry, .rbx = at, .tss = true};
    return true;
}
