/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a kernel on the command line becomes: pieces of memory to fill before the start, and the state in which the
 * boot processor enters it.  Built once; applied at each reset.  Big pieces stay in their files and are read
 * straight into RAM.
 */
#pragma once

#include "hw/i386/memory_map.h"
#include "softmmu/core/ram.h"
#include "util/base.h"

/* ---- a file to load from ---- */

typedef struct BootFile {
    char *name; /* as the user wrote it */
    int fd;     /* regular files; -1: everything is in `bytes` */
    uint64_t size;
    GBytes *bytes;
} BootFile;

/* what: "kernel" or "initrd".  max_size bounds what is read from something that is not a regular file. */
BootFile *boot_file_open(const char *what, const char *name, uint64_t max_size, GError **error);
void boot_file_free(BootFile *file);
/* False when [offset, offset + len) is not in the file, or the file can no longer be read. */
bool boot_file_read(const BootFile *file, uint64_t offset, void *buf, size_t len);

/* ---- the image ---- */

typedef enum BootMode {
    BOOT_FLAT32, /* 32-bit protected mode, flat segments, no paging */
    BOOT_LONG64, /* 64-bit mode over identity page tables */
} BootMode;

typedef struct BootEntry {
    BootMode mode;
    uint64_t rip, rax, rbx, rsi;
    gpa_t gdt; /* of 4 descriptors: null, null, code (0x10), data (0x18); 0: the table register is left alone */
    gpa_t cr3; /* BOOT_LONG64 */
    bool tss;  /* a busy 32-bit TSS at 0 of 0x68 bytes is loaded, as PVH wants */
} BootEntry;

typedef struct BootBlob {
    gpa_t addr;
    uint64_t len; /* bytes occupied; those beyond data_len are zeroed */
    uint64_t data_len;
    GBytes *bytes;        /* either the data */
    const BootFile *file; /* or where it is: a file of the image */
    uint64_t offset;
    bool claim_only; /* nothing is written: the kernel needs the room */
} BootBlob;

typedef struct BootImage {
    MemoryMap map;
    GArray *blobs;    /* BootBlob */
    GPtrArray *files; /* BootFile *, owned */
    gpa_t seed;       /* where BOOT_SEED_SIZE fresh random bytes go at each start; 0: nowhere */
    BootEntry entry;
} BootImage;

#define BOOT_SEED_SIZE 32

BootImage *boot_image_new(uint64_t ram_size);
void boot_image_free(BootImage *image);

/*
 * Occupy [addr, addr + len) and fill it with data, then zeros.  False when it is not all RAM or overlaps another
 * piece; `what` names the piece in the error.
 */
bool boot_image_add_bytes(BootImage *image, const char *what, gpa_t addr, GBytes *bytes, GError **error);
bool boot_image_add_file(BootImage *image, const char *what, gpa_t addr, const BootFile *file, uint64_t offset,
                         uint64_t data_len, uint64_t len, GError **error);
bool boot_image_claim(BootImage *image, const char *what, gpa_t addr, uint64_t len, GError **error);

/*
 * An address for len bytes, aligned (a power of two), inside [lo, hi), RAM and free: the highest or the lowest one.
 * False when there is none.
 */
bool boot_image_find_high(const BootImage *image, uint64_t len, uint64_t align, uint64_t lo, uint64_t hi,
                          gpa_t *addr);
bool boot_image_find_low(const BootImage *image, uint64_t len, uint64_t align, uint64_t lo, uint64_t hi, gpa_t *addr);
/* Find the lowest place in conventional memory (below EBDA_BASE) and add bytes there. */
bool boot_image_place_low(BootImage *image, const char *what, GBytes *bytes, uint64_t align, gpa_t *addr,
                          GError **error);

/* Fill guest RAM.  False when a file can no longer be read. */
bool boot_image_fill(const BootImage *image, Ram *ram, GError **error);

/* Read back what the image will hold at [addr, addr + len), for tests and for patching: false when not covered. */
bool boot_image_peek(const BootImage *image, gpa_t addr, void *buf, size_t len);
