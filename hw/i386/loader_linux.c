/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux bzImages by the 64-bit and the 32-bit boot protocol.
 * Spec: Linux Documentation/arch/x86/boot.rst, zero-page.rst.
 */
#include "hw/i386/loader.h"

#include <string.h>

#include "util/checked.h"

/* Offsets in the file's first sectors and in the zero page alike. */
enum {
    HDR_SETUP_SECTS = 0x1f1,
    HDR_SYSSIZE = 0x1f4,
    HDR_VID_MODE = 0x1fa,
    HDR_JUMP_LEN = 0x201,
    HDR_MAGIC = 0x202,
    HDR_VERSION = 0x206,
    HDR_TYPE_OF_LOADER = 0x210,
    HDR_LOADFLAGS = 0x211,
    HDR_CODE32_START = 0x214,
    HDR_RAMDISK_IMAGE = 0x218,
    HDR_RAMDISK_SIZE = 0x21c,
    HDR_CMD_LINE_PTR = 0x228,
    HDR_INITRD_ADDR_MAX = 0x22c,
    HDR_XLOADFLAGS = 0x236,
    HDR_CMDLINE_SIZE = 0x238,
    HDR_SETUP_DATA = 0x250,
    HDR_PREF_ADDRESS = 0x258,
    HDR_INIT_SIZE = 0x260,
    HDR_END_MAX = 0x290,
};
/* Zero page only. */
enum {
    ZP_SIZE = 4096,
    ZP_ACPI_RSDP = 0x70,
    ZP_E820_ENTRIES = 0x1e8,
    ZP_E820_TABLE = 0x2d0,
};
enum { LOADED_HIGH = 1 << 0, XLF_KERNEL_64 = 1 << 0 };
#define LOADER_UNDEFINED 0xff
#define VID_MODE_NORMAL 0xffff
#define LOAD_ADDRESS HIGH_RAM_BASE
#define ENTRY64_OFFSET 0x200
#define INITRD_MAX_OLD 0x37ffffffu /* before protocol 2.03 */
#define CMDLINE_MAX_OLD 255u       /* before protocol 2.06 */
#define SETUP_RNG_SEED 9

/* What the header says, checked. */
typedef struct LinuxHeader {
    uint16_t version;
    bool entry64;
    uint64_t setup_len; /* bytes before the protected-mode kernel */
    uint64_t payload_len;
    uint64_t room_end;    /* the kernel uses [LOAD_ADDRESS, room_end) before it reads the memory map */
    uint32_t initrd_max;  /* highest address an initrd's byte may have */
    uint32_t cmdline_max; /* characters */
} LinuxHeader;

bool linux_probe(const KernelHead *head)
{
    return memcmp(head->b + HDR_MAGIC, "HdrS", 4) == 0;
}

static bool refuse(GError **error, const char *message)
{
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, message);
    return false;
}

static bool parse_header(const KernelHead *head, bool long_mode, LinuxHeader *out, GError **error)
{
    unsigned sects = head->b[HDR_SETUP_SECTS] ? head->b[HDR_SETUP_SECTS] : 4;
    uint64_t need;
    uint64_t room = 0;

    *out = (LinuxHeader){.version = head16(head, HDR_VERSION), .setup_len = (sects + 1) * 512ull};
    if (out->version < 0x200 || !(head->b[HDR_LOADFLAGS] & LOADED_HIGH)) {
        return refuse(error, "a zImage or a kernel older than boot protocol 2.00; only bzImages can be started");
    }
    /* syssize counts paragraphs, rounded up; before 2.04 only its low half meant anything. */
    need = (out->version >= 0x204 ? head32(head, HDR_SYSSIZE) : head16(head, HDR_SYSSIZE)) * 16ull;
    if (head->file_size <= out->setup_len || head->file_size - out->setup_len + 15 < need) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "it is truncated: the header announces %" G_GUINT64_FORMAT
                    " bytes, the file has %" G_GUINT64_FORMAT,
                    out->setup_len + need, head->file_size);
        return false;
    }
    out->payload_len = head->file_size - out->setup_len;
    out->entry64 = long_mode && out->version >= 0x20c && (head16(head, HDR_XLOADFLAGS) & XLF_KERNEL_64);
    out->initrd_max = out->version >= 0x203 ? head32(head, HDR_INITRD_ADDR_MAX) : INITRD_MAX_OLD;
    out->cmdline_max = out->version >= 0x206 ? head32(head, HDR_CMDLINE_SIZE) : CMDLINE_MAX_OLD;
    if (out->version >= 0x20a) {
        uint64_t base = MAX(head64(head, HDR_PREF_ADDRESS), (uint64_t)LOAD_ADDRESS);
        if (!add_ck(base, head32(head, HDR_INIT_SIZE), &room)) {
            return refuse(error, "its header is damaged: pref_address and init_size are out of range");
        }
    }
    out->room_end = MAX(room, LOAD_ADDRESS + out->payload_len);
    return true;
}

/* ---- pieces ---- */

static bool add_kernel(BootImage *image, const LinuxHeader *hdr, const BootFile *file, GError **error)
{
    if (!memory_map_is_ram(&image->map, LOAD_ADDRESS, hdr->room_end - LOAD_ADDRESS)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
                    "it needs %llu MiB of RAM to unpack itself, and there are %llu; use a larger -m",
                    (hdr->room_end + MIB - 1) / MIB, image->map.below_4g / MIB);
        return false;
    }
    return boot_image_add_file(image, "the kernel", LOAD_ADDRESS, file, hdr->setup_len, hdr->payload_len,
                               hdr->payload_len, error) &&
           boot_image_claim(image, "the kernel", LOAD_ADDRESS + hdr->payload_len,
                            hdr->room_end - LOAD_ADDRESS - hdr->payload_len, error);
}

static bool add_initrd(BootImage *image, const LinuxHeader *hdr, const char *name, uint8_t *zero_page, GError **error)
{
    const BootFile *file = loader_open_initrd(image, name, error);
    uint64_t top = MIN(image->map.below_4g, (uint64_t)hdr->initrd_max + 1);
    gpa_t addr;

    if (!file) {
        return false;
    }
    if (file->size == 0) {
        return true;
    }
    if (!boot_image_find_high(image, file->size, PAGE_SIZE, LOAD_ADDRESS, top, &addr)) {
        return loader_initrd_too_large(file, error);
    }
    memcpy(zero_page + HDR_RAMDISK_IMAGE, &(uint32_t){(uint32_t)addr}, 4);
    memcpy(zero_page + HDR_RAMDISK_SIZE, &(uint32_t){(uint32_t)file->size}, 4);
    return boot_image_add_file(image, "the initrd", addr, file, 0, file->size, file->size, error);
}

static bool add_cmdline(BootImage *image, const LinuxHeader *hdr, const char *text, uint8_t *zero_page,
                        GError **error)
{
    size_t len = strlen(text);
    g_autoptr(GBytes) bytes = g_bytes_new(text, len + 1);
    gpa_t addr;

    if (len > hdr->cmdline_max) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "its command line holds %u characters, -append has %" G_GSIZE_FORMAT, hdr->cmdline_max, len);
        return false;
    }
    if (!boot_image_place_low(image, "the command line", bytes, 16, &addr, error)) {
        return false;
    }
    memcpy(zero_page + HDR_CMD_LINE_PTR, &(uint32_t){(uint32_t)addr}, 4);
    return true;
}

/* Fresh randomness at each start, as EFI or virtio-rng would give it later. */
static bool add_seed(BootImage *image, uint8_t *zero_page, GError **error)
{
    struct {
        uint64_t next;
        uint32_t type, len;
        uint8_t seed[BOOT_SEED_SIZE];
    } node = {.type = SETUP_RNG_SEED, .len = BOOT_SEED_SIZE};
    g_autoptr(GBytes) bytes = g_bytes_new(&node, sizeof(node));
    gpa_t addr;

    if (!boot_image_place_low(image, "the random seed", bytes, 16, &addr, error)) {
        return false;
    }
    image->seed = addr + offsetof(typeof(node), seed);
    memcpy(zero_page + HDR_SETUP_DATA, &addr, 8);
    return true;
}

static void put_memory_map(const MemoryMap *map, uint8_t *zero_page)
{
    uint8_t *p = zero_page + ZP_E820_TABLE;

    for (unsigned n = 0; n < map->count; n++, p += 20) {
        memcpy(p, &map->entries[n].addr, 8);
        memcpy(p + 8, &map->entries[n].len, 8);
        memcpy(p + 16, &(uint32_t){map->entries[n].kind}, 4);
    }
    zero_page[ZP_E820_ENTRIES] = (uint8_t)map->count;
}

/* ---- tables for the entry ---- */

static bool add_gdt(BootImage *image, bool entry64, gpa_t *addr, GError **error)
{
    /* __BOOT_CS 0x10 and __BOOT_DS 0x18: flat, ring 0, accessed; code is L for the 64-bit entry, else D. */
    const uint64_t gdt[4] = {0, 0, entry64 ? 0x00af9b000000ffffull : 0x00cf9b000000ffffull, 0x00cf93000000ffffull};
    g_autoptr(GBytes) bytes = g_bytes_new(gdt, sizeof(gdt));

    return boot_image_place_low(image, "the descriptor table", bytes, 16, addr, error);
}

/* The first 4 GiB by 2 MiB pages: one PML4, one directory pointer table, four directories. */
static bool add_page_tables(BootImage *image, gpa_t *addr, GError **error)
{
    enum { ENTRIES = 512, TABLES = 6, PRESENT_WRITE = 3, LARGE = 0x80 };
    g_autofree uint64_t *tables = g_new0(uint64_t, ENTRIES * TABLES);
    g_autoptr(GBytes) bytes = NULL;

    if (!boot_image_find_low(image, TABLES * PAGE_SIZE, PAGE_SIZE, 0x1000, EBDA_BASE, addr)) {
        return refuse(error, "no room for page tables below 639 KiB");
    }
    tables[0] = (*addr + PAGE_SIZE) | PRESENT_WRITE;
    for (unsigned n = 0; n < 4; n++) {
        tables[ENTRIES + n] = (*addr + (2 + n) * PAGE_SIZE) | PRESENT_WRITE;
    }
    for (uint64_t n = 0; n < 4ull * ENTRIES; n++) {
        tables[2 * ENTRIES + n] = n << 21 | LARGE | PRESENT_WRITE;
    }
    bytes = g_bytes_new(tables, TABLES * PAGE_SIZE);
    return boot_image_add_bytes(image, "the page tables", *addr, bytes, error);
}

static void init_zero_page(uint8_t *zero_page, const KernelHead *head, const LinuxHeader *hdr)
{
    /* The header ends where its jump at 0x200 leads to. */
    unsigned end = MIN(HDR_MAGIC + head->b[HDR_JUMP_LEN], HDR_END_MAX);

    memcpy(zero_page + HDR_SETUP_SECTS, head->b + HDR_SETUP_SECTS, end - HDR_SETUP_SECTS);
    zero_page[HDR_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    memcpy(zero_page + HDR_VID_MODE, &(uint16_t){VID_MODE_NORMAL}, 2);
    memcpy(zero_page + HDR_CODE32_START, &(uint32_t){LOAD_ADDRESS}, 4);
    memset(zero_page + HDR_RAMDISK_IMAGE, 0, 8);
    if (hdr->version >= 0x209) {
        memset(zero_page + HDR_SETUP_DATA, 0, 8);
    }
}

bool linux_load(BootImage *image, const KernelRequest *request, const BootFile *file, const KernelHead *head,
                GError **error)
{
    uint8_t zero_page[ZP_SIZE] = {0};
    g_autoptr(GBytes) bytes = NULL;
    LinuxHeader hdr;
    gpa_t gdt;
    gpa_t cr3 = 0;
    gpa_t zp;

    if (!parse_header(head, request->long_mode, &hdr, error) || !add_kernel(image, &hdr, file, error)) {
        return false;
    }
    init_zero_page(zero_page, head, &hdr);
    put_memory_map(&image->map, zero_page);
    memcpy(zero_page + ZP_ACPI_RSDP, &request->rsdp, 8); /* read since protocol 2.14, elsewhere unused */
    if ((request->initrd && !add_initrd(image, &hdr, request->initrd, zero_page, error)) ||
        !add_cmdline(image, &hdr, request->append ? request->append : "", zero_page, error) ||
        (hdr.version >= 0x209 && !add_seed(image, zero_page, error)) || !add_gdt(image, hdr.entry64, &gdt, error) ||
        (hdr.entry64 && !add_page_tables(image, &cr3, error))) {
        return false;
    }
    bytes = g_bytes_new(zero_page, sizeof(zero_page));
    if (!boot_image_place_low(image, "the boot parameters", bytes, PAGE_SIZE, &zp, error)) {
        return false;
    }
    image->entry = (BootEntry){
        .mode = hdr.entry64 ? BOOT_LONG64 : BOOT_FLAT32,
        .rip = LOAD_ADDRESS + (hdr.entry64 ? ENTRY64_OFFSET : 0),
        .rsi = zp,
        .gdt = gdt,
        .cr3 = cr3,
    };
    return true;
}
