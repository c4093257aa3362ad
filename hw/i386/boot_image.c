/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pieces of memory that a kernel needs before it starts: collected with checks, copied at each reset. */
#include "hw/i386/boot_image.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "util/checked.h"

BootImage *boot_image_new(uint64_t ram_size)
{
    BootImage *image = g_new0(BootImage, 1);

    memory_map_init(&image->map, ram_size);
    image->blobs = g_array_new(false, true, sizeof(BootBlob));
    image->files = g_ptr_array_new_with_free_func((GDestroyNotify)boot_file_free);
    return image;
}

void boot_image_free(BootImage *image)
{
    if (!image) {
        return;
    }
    for (unsigned n = 0; n < image->blobs->len; n++) {
        g_bytes_unref(g_array_index(image->blobs, BootBlob, n).bytes);
    }
    g_array_free(image->blobs, true);
    g_ptr_array_free(image->files, true);
    g_free(image);
}

/* The blob that shares a byte with [addr, addr + len), or NULL.  addr + len does not wrap. */
static const BootBlob *overlapping(const BootImage *image, gpa_t addr, uint64_t len)
{
    for (unsigned n = 0; n < image->blobs->len; n++) {
        const BootBlob *b = &g_array_index(image->blobs, BootBlob, n);
        if (b->len && len && addr < b->addr + b->len && b->addr < addr + len) {
            return b;
        }
    }
    return NULL;
}

/* Firmware tables lie outside what the memory map calls RAM. */
static bool fillable(const BootImage *image, gpa_t addr, uint64_t len)
{
    bool in_rom_area = addr >= ROM_AREA_BASE && addr < HIGH_RAM_BASE && len <= HIGH_RAM_BASE - addr &&
                       image->map.below_4g >= HIGH_RAM_BASE;
    bool in_low = range_in(addr, len, MIN(image->map.below_4g, (uint64_t)LOW_RAM_END));

    return in_rom_area || in_low || memory_map_is_ram(&image->map, addr, len);
}

static bool add(BootImage *image, const char *what, BootBlob blob, GError **error)
{
    if (!fillable(image, blob.addr, blob.len)) {
        uint64_t top = MAX(image->map.below_4g, image->map.above_4g ? 4 * GIB + image->map.above_4g : 0);
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "%s wants 0x%" G_GINT64_MODIFIER "x bytes at 0x%" G_GINT64_MODIFIER
                    "x, which is not all RAM (RAM ends at 0x%" G_GINT64_MODIFIER "x); a larger -m may help",
                    what, blob.len, blob.addr, top);
        return false;
    }
    if (overlapping(image, blob.addr, blob.len)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "%s at 0x%" G_GINT64_MODIFIER "x overlaps another part of what is loaded", what, blob.addr);
        return false;
    }
    if (blob.bytes) {
        g_bytes_ref(blob.bytes);
    }
    g_array_append_val(image->blobs, blob);
    return true;
}

bool boot_image_add_bytes(BootImage *image, const char *what, gpa_t addr, GBytes *bytes, GError **error)
{
    uint64_t len = g_bytes_get_size(bytes);

    return add(image, what, (BootBlob){.addr = addr, .len = len, .data_len = len, .bytes = bytes}, error);
}

bool boot_image_add_file(BootImage *image, const char *what, gpa_t addr, const BootFile *file, uint64_t offset,
                         uint64_t data_len, uint64_t len, GError **error)
{
    if (data_len > len || !range_in(offset, data_len, file->size)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "%s is not wholly in the file: it is truncated or damaged", what);
        return false;
    }
    return add(image, what,
               (BootBlob){.addr = addr, .len = len, .data_len = data_len, .file = file, .offset = offset}, error);
}

bool boot_image_claim(BootImage *image, const char *what, gpa_t addr, uint64_t len, GError **error)
{
    return add(image, what, (BootBlob){.addr = addr, .len = len, .claim_only = true}, error);
}

bool boot_image_find_high(const BootImage *image, uint64_t len, uint64_t align, uint64_t lo, uint64_t hi, gpa_t *addr)
{
    while (hi >= lo && hi - lo >= len) {
        uint64_t at = (hi - len) & ~(align - 1);
        const BootBlob *hit;

        if (at < lo) {
            return false;
        }
        hit = overlapping(image, at, len);
        if (!hit) {
            *addr = at;
            return memory_map_is_ram(&image->map, at, len);
        }
        hi = hit->addr;
    }
    return false;
}

bool boot_image_find_low(const BootImage *image, uint64_t len, uint64_t align, uint64_t lo, uint64_t hi, gpa_t *addr)
{
    while (hi >= lo && hi - lo >= len) {
        uint64_t at = (lo + align - 1) & ~(align - 1);
        const BootBlob *hit;

        if (!range_in(at, len, hi)) {
            return false;
        }
        hit = overlapping(image, at, len);
        if (!hit) {
            *addr = at;
            return memory_map_is_ram(&image->map, at, len);
        }
        lo = hit->addr + hit->len;
    }
    return false;
}

bool boot_image_place_low(BootImage *image, const char *what, GBytes *bytes, uint64_t align, gpa_t *addr,
                          GError **error)
{
    /* The first page holds the real-mode vectors and the BIOS data area. */
    if (!boot_image_find_low(image, g_bytes_get_size(bytes), align, 0x1000, EBDA_BASE, addr)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no room for %s in the first 639 KiB", what);
        return false;
    }
    return boot_image_add_bytes(image, what, *addr, bytes, error);
}

/* ---- into RAM ---- */

static uint8_t *ram_at(const BootImage *image, Ram *ram, gpa_t addr)
{
    return ram->host + (addr >= 4 * GIB ? addr - 4 * GIB + image->map.below_4g : addr);
}

static bool fill_one(const BootImage *image, const BootBlob *blob, Ram *ram, GError **error)
{
    uint8_t *to = ram_at(image, ram, blob->addr);

    if (blob->claim_only || blob->len == 0) {
        return true;
    }
    if (blob->bytes) {
        memcpy(to, g_bytes_get_data(blob->bytes, NULL), blob->data_len);
    } else if (!boot_file_read(blob->file, blob->offset, to, blob->data_len)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_IO, "could not read '%s' again: it has shrunk or is gone",
                    blob->file->name);
        return false;
    }
    memset(to + blob->data_len, 0, blob->len - blob->data_len);
    ram_written(ram, to, blob->len);
    return true;
}

bool boot_image_fill(const BootImage *image, Ram *ram, GError **error)
{
    for (unsigned n = 0; n < image->blobs->len; n++) {
        if (!fill_one(image, &g_array_index(image->blobs, BootBlob, n), ram, error)) {
            return false;
        }
    }
    if (image->seed) {
        uint8_t *to = ram_at(image, ram, image->seed);

        /* Too early in the host's own boot there is no randomness: zeros then, and the guest gets on without. */
        if (getrandom(to, BOOT_SEED_SIZE, GRND_NONBLOCK) != BOOT_SEED_SIZE) {
            memset(to, 0, BOOT_SEED_SIZE);
        }
        ram_written(ram, to, BOOT_SEED_SIZE);
    }
    return true;
}

bool boot_image_peek(const BootImage *image, gpa_t addr, void *buf, size_t len)
{
    const BootBlob *b = len ? overlapping(image, addr, 1) : NULL;
    uint64_t at;
    size_t from_data;

    if (!b || b->claim_only || !range_in(addr - b->addr, len, b->len)) {
        return false;
    }
    at = addr - b->addr;
    from_data = at < b->data_len ? MIN(len, b->data_len - at) : 0;
    memset(buf, 0, len);
    if (b->bytes) {
        memcpy(buf, (const uint8_t *)g_bytes_get_data(b->bytes, NULL) + at, from_data);
        return true;
    }
    return from_data == 0 || boot_file_read(b->file, b->offset + at, buf, from_data);
}
