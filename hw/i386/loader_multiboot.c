/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Multiboot version 1: ELF32 or address-header images, modules, memory map.
 * Spec: Multiboot specification 0.6.96, sections 3.1 (header), 3.2 (machine state), 3.3 (boot information).
 */
#include "hw/i386/loader.h"

#include <elf.h>
#include <string.h>

#include "util/checked.h"

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u
#define HEADER_SEARCH 8192u
#define MAX_MODULES 64

/* Offsets in the header. */
enum {
    MB_FLAGS = 4,
    MB_CHECKSUM = 8,
    MB_HEADER_ADDR = 12,
    MB_LOAD_ADDR = 16,
    MB_LOAD_END = 20,
    MB_BSS_END = 24,
    MB_ENTRY = 28,
};
enum { FLAG_ALIGN = 1 << 0, FLAG_MEMORY = 1 << 1, FLAG_VIDEO = 1 << 2, FLAG_ADDRESSES = 1 << 16 };
#define FLAGS_MUST_KNOW 0xffffu

enum {
    INFO_MEMORY = 1 << 0,
    INFO_BOOT_DEVICE = 1 << 1,
    INFO_CMDLINE = 1 << 2,
    INFO_MODULES = 1 << 3,
    INFO_MMAP = 1 << 6,
    INFO_LOADER_NAME = 1 << 9
};
#define NO_BOOT_DEVICE 0x8000ffffu

typedef struct Info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name, apm_table;
    uint32_t vbe[4];
} Info;

typedef struct Module {
    uint32_t start, end, string, reserved;
} Module;

typedef struct MmapEntry {
    uint32_t size; /* of the rest */
    uint32_t addr[2], len[2];
    uint32_t type;
} MmapEntry;

/* Boot information under construction: one block of memory at `base`. */
typedef struct Block {
    GByteArray *bytes;
    uint32_t base;
} Block;

static bool find_header(const KernelHead *head, unsigned *at)
{
    uint64_t limit = MIN(head->file_size, (uint64_t)HEADER_SEARCH);

    for (unsigned n = 0; n + 12 <= limit; n += 4) {
        if (head32(head, n) == HEADER_MAGIC &&
            head32(head, n) + head32(head, n + MB_FLAGS) + head32(head, n + MB_CHECKSUM) == 0) {
            *at = n;
            return true;
        }
    }
    return false;
}

bool multiboot_probe(const KernelHead *head)
{
    unsigned at;

    return find_header(head, &at);
}

/* Section 3.1.3: the header says where the file's bytes go. */
static bool load_by_addresses(BootImage *image, const BootFile *file, const KernelHead *head, unsigned at,
                              uint32_t *entry, gpa_t *end, GError **error)
{
    uint32_t header_addr = head32(head, at + MB_HEADER_ADDR);
    uint32_t load_addr = head32(head, at + MB_LOAD_ADDR);
    uint32_t load_end = head32(head, at + MB_LOAD_END);
    uint32_t bss_end = head32(head, at + MB_BSS_END);
    uint64_t offset;
    uint64_t data_len;
    uint64_t len;

    if (header_addr < load_addr || header_addr - load_addr > at) {
        g_set_error(
            error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
            "its multiboot header says the text starts at 0x%x and the header at 0x%x, which the file contradicts",
            load_addr, header_addr);
        return false;
    }
    offset = at - (header_addr - load_addr);
    if (load_end != 0 && load_end < load_addr) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "its multiboot header ends the data before it starts");
        return false;
    }
    data_len = load_end ? load_end - load_addr : file->size - offset;
    if (!range_in(offset, data_len, file->size)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "it is truncated: its multiboot header announces more than the file has");
        return false;
    }
    if (bss_end != 0 && bss_end < load_addr + data_len) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "its multiboot header ends the bss before the data");
        return false;
    }
    len = bss_end ? bss_end - load_addr : data_len;
    *entry = head32(head, at + MB_ENTRY);
    *end = load_addr + len;
    return boot_image_add_file(image, "the kernel", load_addr, file, offset, data_len, len, error);
}

static bool load_elf(BootImage *image, const BootFile *file, uint32_t *entry, gpa_t *end, GError **error)
{
    ElfFile elf;

    if (!elf_parse(file, &elf, error)) {
        return false;
    }
    if (elf.is64) {
        g_set_error(
            error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
            "a 64-bit ELF with a multiboot header; multiboot starts 32-bit images: wrap it (objcopy -O elf32-i386)");
        return false;
    }
    *entry = (uint32_t)elf.entry;
    return elf_load(image, file, &elf, end, error);
}

/* ---- boot information ---- */

static uint32_t append(Block *block, const void *data, size_t len)
{
    static const uint8_t zeros[16];
    uint32_t at = block->base + block->bytes->len;

    g_byte_array_append(block->bytes, data, (guint)len);
    g_byte_array_append(block->bytes, zeros, -block->bytes->len & 15);
    return at;
}

static uint32_t append_string(Block *block, const char *text)
{
    return append(block, text, strlen(text) + 1);
}

/* One "file args" of -initrd, loaded after *next. */
static bool load_module(BootImage *image, const char *text, gpa_t *next, Module *module, GError **error)
{
    g_autofree char *name = g_strndup(text, strcspn(text, " "));
    const BootFile *file = loader_open_initrd(image, name, error);
    gpa_t at;

    if (!file) {
        return false;
    }
    if (!boot_image_find_low(image, file->size, PAGE_SIZE, *next, image->map.below_4g, &at)) {
        return loader_initrd_too_large(file, error);
    }
    module->start = (uint32_t)at;
    module->end = (uint32_t)(at + file->size);
    *next = at + file->size;
    return boot_image_add_file(image, "a module", at, file, 0, file->size, file->size, error);
}

/* Comma-separated, ",," is a comma in a name. */
static GPtrArray *split_modules(const char *text)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    GString *one = g_string_new(NULL);

    for (const char *c = text; *c; c++) {
        if (*c == ',' && c[1] != ',') {
            g_ptr_array_add(list, g_string_free(one, false));
            one = g_string_new(NULL);
            continue;
        }
        c += *c == ',';
        g_string_append_c(one, *c);
    }
    g_ptr_array_add(list, g_string_free(one, false));
    return list;
}

static bool load_modules(BootImage *image, const char *text, gpa_t *next, Module *modules, GPtrArray *list,
                         GError **error)
{
    if (list->len > MAX_MODULES) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "-initrd names %u modules; at most %u are possible",
                    list->len, MAX_MODULES);
        return false;
    }
    for (unsigned n = 0; n < list->len; n++) {
        if (!load_module(image, g_ptr_array_index(list, n), next, &modules[n], error)) {
            return false;
        }
    }
    return true;
}

static void fill_memory_map(const MemoryMap *map, MmapEntry *out)
{
    for (unsigned n = 0; n < map->count; n++) {
        const MemoryEntry *e = &map->entries[n];
        out[n] = (MmapEntry){.size = sizeof(MmapEntry) - 4,
                             .addr = {(uint32_t)e->addr, (uint32_t)(e->addr >> 32)},
                             .len = {(uint32_t)e->len, (uint32_t)(e->len >> 32)},
                             .type = e->kind};
    }
}

static bool add_info(BootImage *image, const KernelRequest *request, Block *block, Module *modules, GPtrArray *list,
                     GError **error)
{
    g_autofree char *cmdline = g_strdup_printf("%s %s", request->kernel, request->append ? request->append : "");
    g_autoptr(GBytes) bytes = NULL;
    MmapEntry mmap[MEMORY_MAP_MAX];
    Info info = {.flags =
                     INFO_MEMORY | INFO_BOOT_DEVICE | INFO_CMDLINE | INFO_MODULES | INFO_MMAP | INFO_LOADER_NAME};

    append(block, &info, sizeof(info)); /* overwritten below */
    fill_memory_map(&image->map, mmap);
    info.mem_lower = EBDA_BASE / 1024;
    info.mem_upper = (uint32_t)((image->map.below_4g - HIGH_RAM_BASE) / 1024);
    info.boot_device = NO_BOOT_DEVICE;
    info.cmdline = append_string(block, g_strchomp(cmdline));
    info.boot_loader_name = append_string(block, "rhea");
    for (unsigned n = 0; n < list->len; n++) {
        modules[n].string = append_string(block, g_ptr_array_index(list, n));
    }
    info.mods_count = list->len;
    info.mods_addr = append(block, modules, list->len * sizeof(Module));
    info.mmap_length = image->map.count * (uint32_t)sizeof(MmapEntry);
    info.mmap_addr = append(block, mmap, info.mmap_length);
    memcpy(block->bytes->data, &info, sizeof(info));
    bytes = g_bytes_new(block->bytes->data, block->bytes->len);
    return boot_image_add_bytes(image, "the boot information", block->base, bytes, error);
}

bool multiboot_load(BootImage *image, const KernelRequest *request, const BootFile *file, const KernelHead *head,
                    GError **error)
{
    g_autoptr(GPtrArray) list = request->initrd ? split_modules(request->initrd) : g_ptr_array_new();
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Block block = {.bytes = bytes};
    Module modules[MAX_MODULES] = {{0}};
    unsigned at = 0;
    uint32_t flags;
    uint32_t entry;
    gpa_t next;

    find_header(head, &at);
    flags = head32(head, at + MB_FLAGS);
    if (flags & FLAGS_MUST_KNOW & ~(FLAG_ALIGN | FLAG_MEMORY | FLAG_VIDEO)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "its multiboot header requires features (flags 0x%x) that do not exist", flags & FLAGS_MUST_KNOW);
        return false;
    }
    if (image->map.below_4g <= HIGH_RAM_BASE) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
                    "multiboot needs more than 1 MiB of RAM; use a larger -m");
        return false;
    }
    if (!(flags & FLAG_ADDRESSES ? load_by_addresses(image, file, head, at, &entry, &next, error)
                                 : load_elf(image, file, &entry, &next, error))) {
        return false;
    }
    if (!memory_map_is_ram(&image->map, entry, 1)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "its entry point 0x%x is not in RAM", entry);
        return false;
    }
    /* Modules, then the information: behind the kernel, out of the way of code that is linked low. */
    next = MAX(next, (gpa_t)HIGH_RAM_BASE);
    if (!load_modules(image, request->initrd, &next, modules, list, error)) {
        return false;
    }
    block.base = (uint32_t)((next + PAGE_SIZE - 1) & PAGE_MASK);
    if (!add_info(image, request, &block, modules, list, error)) {
        return false;
    }
    image->entry = (BootEntry){.mode = BOOT_FLAT32, .rip = entry, .rax = LOADER_MAGIC, .rbx = block.base};
    return true;
}
