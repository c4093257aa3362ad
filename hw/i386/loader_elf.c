/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ELF executables for x86, 32 and 64 bits, as kernels.
 * Spec: System V ABI, chapters 4 and 5; elf(5).
 */
#include "hw/i386/loader.h"

#include <elf.h>
#include <string.h>

#include "util/checked.h"

#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define NOTES_MAX (64 * KIB)

static bool damaged(GError **error, const char *what)
{
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "the ELF %s: it is truncated or damaged", what);
    return false;
}

static bool check_ident(const uint8_t *ident, uint16_t type, uint16_t machine, GError **error)
{
    uint16_t want = ident[EI_CLASS] == ELFCLASS64 ? EM_X86_64 : EM_386;

    if (ident[EI_DATA] != ELFDATA2LSB || machine != want) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "an ELF for another machine (e_machine %u), not for x86",
                    machine);
        return false;
    }
    if (type != ET_EXEC && type != ET_DYN) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "an ELF that is not executable (e_type %u: an object file, module or core dump), not a kernel",
                    type);
        return false;
    }
    return true;
}

static bool read_segment(const BootFile *file, const ElfFile *elf, uint64_t at, ElfSegment *seg)
{
    Elf64_Phdr p64;
    Elf32_Phdr p32;

    if (elf->is64) {
        if (!boot_file_read(file, at, &p64, sizeof(p64))) {
            return false;
        }
        *seg = (ElfSegment){.type = p64.p_type,
                            .offset = p64.p_offset,
                            .paddr = p64.p_paddr,
                            .filesz = p64.p_filesz,
                            .memsz = p64.p_memsz,
                            .align = p64.p_align};
        return true;
    }
    if (!boot_file_read(file, at, &p32, sizeof(p32))) {
        return false;
    }
    *seg = (ElfSegment){.type = p32.p_type,
                        .offset = p32.p_offset,
                        .paddr = p32.p_paddr,
                        .filesz = p32.p_filesz,
                        .memsz = p32.p_memsz,
                        .align = p32.p_align};
    return true;
}

bool elf_parse(const BootFile *file, ElfFile *elf, GError **error)
{
    union {
        uint8_t ident[EI_NIDENT];
        Elf32_Ehdr h32;
        Elf64_Ehdr h64;
    } h = {{0}};
    uint64_t phoff;
    unsigned phnum;
    unsigned phentsize;

    *elf = (ElfFile){0};
    if (!boot_file_read(file, 0, h.ident, sizeof(h.ident))) {
        return damaged(error, "header is cut off");
    }
    elf->is64 = h.ident[EI_CLASS] == ELFCLASS64;
    if (!boot_file_read(file, 0, &h, elf->is64 ? sizeof(h.h64) : sizeof(h.h32))) {
        return damaged(error, "header is cut off");
    }
    phoff = elf->is64 ? h.h64.e_phoff : h.h32.e_phoff;
    phnum = elf->is64 ? h.h64.e_phnum : h.h32.e_phnum;
    phentsize = elf->is64 ? h.h64.e_phentsize : h.h32.e_phentsize;
    elf->entry = elf->is64 ? h.h64.e_entry : h.h32.e_entry;
    if (!check_ident(h.ident, elf->is64 ? h.h64.e_type : h.h32.e_type, elf->is64 ? h.h64.e_machine : h.h32.e_machine,
                     error)) {
        return false;
    }
    if (phnum == 0 || phnum > ELF_MAX_SEGMENTS ||
        phentsize != (elf->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) ||
        !range_in(phoff, (uint64_t)phnum * phentsize, file->size)) {
        return damaged(error, "program headers are missing or out of range");
    }
    for (unsigned n = 0; n < phnum; n++) {
        ElfSegment *seg = &elf->segments[n];
        if (!read_segment(file, elf, phoff + (uint64_t)n * phentsize, seg)) {
            return damaged(error, "program headers cannot be read");
        }
        if ((seg->type == PT_LOAD || seg->type == PT_NOTE) && !range_in(seg->offset, seg->filesz, file->size)) {
            return damaged(error, "segments reach beyond the end of the file");
        }
        if (seg->type == PT_LOAD && seg->memsz < seg->filesz) {
            return damaged(error, "segments are larger in the file than in memory");
        }
    }
    elf->count = phnum;
    return true;
}

bool elf_load(BootImage *image, const BootFile *file, const ElfFile *elf, gpa_t *end, GError **error)
{
    *end = 0;
    for (unsigned n = 0; n < elf->count; n++) {
        const ElfSegment *seg = &elf->segments[n];

        if (seg->type != PT_LOAD || seg->memsz == 0) {
            continue;
        }
        if (!boot_image_add_file(image, "an ELF segment", seg->paddr, file, seg->offset, seg->filesz, seg->memsz,
                                 error)) {
            return false;
        }
        *end = MAX(*end, seg->paddr + seg->memsz);
    }
    if (*end == 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "the ELF has nothing to load (no PT_LOAD segment)");
        return false;
    }
    return true;
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)(p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24);
}

/* Notes are {name size, descriptor size, type, name, descriptor}, name and descriptor padded to `align`. */
static bool scan_notes(const uint8_t *notes, uint64_t size, uint64_t align, uint32_t *entry)
{
    uint64_t at = 0;

    while (range_in(at, 12, size)) {
        uint64_t name_len = le32(notes + at);
        uint64_t desc_len = le32(notes + at + 4);
        uint32_t type = le32(notes + at + 8);
        uint64_t name = at + 12;
        uint64_t desc = name + ((name_len + align - 1) & ~(align - 1));

        if (!range_in(desc, desc_len, size)) {
            return false;
        }
        if (type == XEN_ELFNOTE_PHYS32_ENTRY && name_len == 4 && memcmp(notes + name, "Xen", 4) == 0 &&
            (desc_len == 4 || desc_len == 8)) {
            *entry = le32(notes + desc);
            return desc_len == 4 || le32(notes + desc + 4) == 0;
        }
        at = desc + ((desc_len + align - 1) & ~(align - 1));
    }
    return false;
}

bool elf_find_pvh_entry(const BootFile *file, const ElfFile *elf, uint32_t *entry)
{
    for (unsigned n = 0; n < elf->count; n++) {
        const ElfSegment *seg = &elf->segments[n];
        g_autofree uint8_t *notes = NULL;

        if (seg->type != PT_NOTE || seg->filesz == 0 || seg->filesz > NOTES_MAX) {
            continue;
        }
        notes = g_malloc(seg->filesz);
        if (boot_file_read(file, seg->offset, notes, seg->filesz) &&
            scan_notes(notes, seg->filesz, seg->align == 8 ? 8 : 4, entry)) {
            return true;
        }
    }
    return false;
}
