/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -kernel: what kind of kernel a file is, and loading each kind without firmware.
 * Every number in the file is hostile: it is checked against the file's size and the guest's RAM.
 */
#pragma once

#include "hw/i386/boot_image.h"

typedef struct KernelRequest {
    const char *kernel; /* file names as the user wrote them */
    const char *initrd; /* NULL: none; multiboot: "file args,file args" */
    const char *append; /* NULL: empty */
    bool long_mode;     /* the CPU model has 64-bit mode */
    gpa_t rsdp;         /* ACPI root pointer, 0: none */
} KernelRequest;

/*
 * Load by content: Linux bzImage, multiboot 1, ELF with a PVH note.  Adds to the image (which holds what firmware
 * leaves in memory already) and sets its entry.  False with a one-line error that names the file.
 */
bool load_kernel(BootImage *image, const KernelRequest *request, GError **error);

/* ---- the loaders, each told that the content is its own; errors need no file name ---- */

/* The first bytes of the file, for headers; a shorter file is padded with zeros. */
#define KERNEL_HEAD_SIZE 0x9000
typedef struct KernelHead {
    uint8_t b[KERNEL_HEAD_SIZE];
    uint64_t file_size;
} KernelHead;

static inline uint16_t head16(const KernelHead *head, unsigned at)
{
    return (uint16_t)(head->b[at] | head->b[at + 1] << 8);
}
static inline uint32_t head32(const KernelHead *head, unsigned at)
{
    return head16(head, at) | (uint32_t)head16(head, at + 2) << 16;
}
static inline uint64_t head64(const KernelHead *head, unsigned at)
{
    return head32(head, at) | (uint64_t)head32(head, at + 4) << 32;
}

bool linux_probe(const KernelHead *head);
bool linux_load(BootImage *image, const KernelRequest *request, const BootFile *file, const KernelHead *head,
                GError **error);
bool multiboot_probe(const KernelHead *head);
bool multiboot_load(BootImage *image, const KernelRequest *request, const BootFile *file, const KernelHead *head,
                    GError **error);
bool pvh_probe(const KernelHead *head);
bool pvh_load(BootImage *image, const KernelRequest *request, const BootFile *file, const KernelHead *head,
              GError **error);

/* What the content is, when it is known not to be a kernel: "a qcow2 disk image; ...", or NULL. */
const char *loader_known_magic(const KernelHead *head);

/* An initrd file, opened and owned by the image. NULL with an error. */
const BootFile *loader_open_initrd(BootImage *image, const char *name, GError **error);
/* The error for one that does not fit: always false. */
bool loader_initrd_too_large(const BootFile *file, GError **error);

/* ---- ELF ---- */

#define ELF_MAX_SEGMENTS 64

typedef struct ElfSegment {
    uint32_t type; /* PT_LOAD, PT_NOTE */
    uint64_t offset, paddr, filesz, memsz, align;
} ElfSegment;

typedef struct ElfFile {
    bool is64;
    uint64_t entry;
    unsigned count;
    ElfSegment segments[ELF_MAX_SEGMENTS];
} ElfFile;

/* Headers of an x86 executable whose program headers lie in the file.  False with an error. */
bool elf_parse(const BootFile *file, ElfFile *elf, GError **error);
/* Add every PT_LOAD segment; *end is the highest physical address used (exclusive). */
bool elf_load(BootImage *image, const BootFile *file, const ElfFile *elf, gpa_t *end, GError **error);
/* PHYS32_ENTRY of the Xen notes.  False when there is none (no error: it is then not a PVH kernel). */
bool elf_find_pvh_entry(const BootFile *file, const ElfFile *elf, uint32_t *entry);
