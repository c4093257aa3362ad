/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel loaders on images made here: good ones of each kind and every bad kind.
 * Spec: Linux Documentation/arch/x86/boot.rst; Multiboot 0.6.96; Xen PVH boot ABI.
 */
#include "hw/i386/loader.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM (64 * MIB)

/* ---- files ---- */

typedef struct TestFile {
    int fd;
    char *name;
} TestFile;

static TestFile file_new(const void *data, size_t len)
{
    TestFile f = {.fd = memfd_create("kernel", 0)};

    g_assert_cmpint(f.fd, >=, 0);
    g_assert_cmpint(write(f.fd, data, len), ==, (ssize_t)len);
    f.name = g_strdup_printf("/proc/self/fd/%d", f.fd);
    return f;
}

static void file_free(TestFile *f)
{
    close(f->fd);
    g_free(f->name);
}

static BootImage *try_load(const void *data, size_t len, KernelRequest request, uint64_t ram, GError **error)
{
    TestFile f = file_new(data, len);
    BootImage *image = boot_image_new(ram);

    request.kernel = f.name;
    if (!load_kernel(image, &request, error)) {
        boot_image_free(image);
        image = NULL;
    }
    file_free(&f);
    return image;
}

static BootImage *load(const void *data, size_t len, KernelRequest request)
{
    g_autoptr(GError) error = NULL;
    BootImage *image = try_load(data, len, request, RAM, &error);

    g_assert_no_error(error);
    return image;
}

static void refuse_with(const void *data, size_t len, KernelRequest request, uint64_t ram, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(try_load(data, len, request, ram, &error));
    g_assert_nonnull(error);
    g_assert_null(strchr(error->message, '\n'));
    if (!strstr(error->message, text)) {
        g_error("'%s' does not contain '%s'", error->message, text);
    }
}

static void refuse(const void *data, size_t len, const char *text)
{
    refuse_with(data, len, (KernelRequest){.long_mode = true}, RAM, text);
}

static uint64_t peek(const BootImage *image, gpa_t addr, unsigned size)
{
    uint64_t value = 0;

    g_assert_true(boot_image_peek(image, addr, &value, size));
    return value;
}

static void check_text(const BootImage *image, gpa_t addr, const char *text)
{
    char buf[256];

    g_assert_true(boot_image_peek(image, addr, buf, strlen(text) + 1));
    g_assert_cmpstr(buf, ==, text);
}

/* No two blobs share a byte. */
static void check_no_overlap(const BootImage *image)
{
    for (unsigned a = 0; a < image->blobs->len; a++) {
        const BootBlob *x = &g_array_index(image->blobs, BootBlob, a);
        for (unsigned b = a + 1; b < image->blobs->len; b++) {
            const BootBlob *y = &g_array_index(image->blobs, BootBlob, b);
            g_assert_true(x->addr + x->len <= y->addr || y->addr + y->len <= x->addr);
        }
    }
}

static void put(uint8_t *p, unsigned at, uint64_t value, unsigned size)
{
    memcpy(p + at, &value, size);
}

/* ---- bzImage ---- */

#define BZ_SETUP_SECTS 4
#define BZ_PAYLOAD 8192
#define BZ_SIZE ((BZ_SETUP_SECTS + 1) * 512 + BZ_PAYLOAD)

static void make_bzimage(uint8_t *b)
{
    memset(b, 0, BZ_SIZE);
    b[0x1f1] = BZ_SETUP_SECTS;
    put(b, 0x1f4, BZ_PAYLOAD / 16, 4);
    put(b, 0x1fe, 0xaa55, 2);
    put(b, 0x200, 0x6aeb, 2); /* the header ends at 0x26c */
    memcpy(b + 0x202, "HdrS", 4);
    put(b, 0x206, 0x20f, 2);
    b[0x211] = 1;
    put(b, 0x214, 0x100000, 4);
    put(b, 0x22c, 0x7fffffff, 4);
    put(b, 0x230, 0x200000, 4);
    b[0x234] = 1;
    put(b, 0x236, 1, 2);
    put(b, 0x238, 2047, 4);
    put(b, 0x258, 0x1000000, 8);
    put(b, 0x260, 0x800000, 4);
    for (unsigned n = 0; n < BZ_PAYLOAD; n++) {
        b[BZ_SIZE - BZ_PAYLOAD + n] = (uint8_t)(n * 7 + 1);
    }
}

static void test_bzimage64(void)
{
    static uint8_t b[BZ_SIZE], initrd[10000];
    make_bzimage(b);
    memset(initrd, 0x5a, sizeof(initrd));
    TestFile rd = file_new(initrd, sizeof(initrd));
    BootImage *image = load(b, sizeof(b), (KernelRequest){.initrd = rd.name, .append = "console=ttyS0 quiet",
                                                          .long_mode = true, .rsdp = 0xe0000});
    gpa_t zp = image->entry.rsi;

    check_no_overlap(image);
    g_assert_cmpint(image->entry.mode, ==, BOOT_LONG64);
    g_assert_cmphex(image->entry.rip, ==, 0x100200);
    g_assert_cmphex(peek(image, 0x100000, 4), ==, 0x160f0801);
    g_assert_cmphex(zp & 0xfff, ==, 0);
    g_assert_cmphex(peek(image, zp + 0x202, 4), ==, 0x53726448);
    g_assert_cmphex(peek(image, zp + 0x210, 1), ==, 0xff);
    g_assert_cmphex(peek(image, zp + 0x1ef, 1), ==, 0); /* the sentinel */
    g_assert_cmphex(peek(image, zp + 0x70, 8), ==, 0xe0000);
    check_text(image, peek(image, zp + 0x228, 4), "console=ttyS0 quiet");
    /* initrd: page-aligned, as high as RAM goes */
    g_assert_cmphex(peek(image, zp + 0x218, 4), ==, RAM - 0x3000);
    g_assert_cmpuint(peek(image, zp + 0x21c, 4), ==, sizeof(initrd));
    g_assert_cmphex(peek(image, RAM - 0x3000 + 9999, 1), ==, 0x5a);
    /* E820: conventional, EBDA, ROM area, RAM, BIOS ROM */
    g_assert_cmpuint(peek(image, zp + 0x1e8, 1), ==, 5);
    g_assert_cmphex(peek(image, zp + 0x2d0 + 8, 8), ==, 0x9fc00);
    g_assert_cmphex(peek(image, zp + 0x2d0 + 3 * 20, 8), ==, 0x100000);
    g_assert_cmphex(peek(image, zp + 0x2d0 + 3 * 20 + 8, 8), ==, RAM - 0x100000);
    g_assert_cmphex(peek(image, zp + 0x2d0 + 3 * 20 + 16, 4), ==, 1);
    /* setup data: a seed */
    gpa_t seed = peek(image, zp + 0x250, 8);
    g_assert_cmphex(peek(image, seed, 8), ==, 0);
    g_assert_cmpuint(peek(image, seed + 8, 4), ==, 9);
    g_assert_cmpuint(peek(image, seed + 12, 4), ==, 32);
    g_assert_cmphex(image->seed, ==, seed + 16);
    /* tables: 0x10 is 64-bit code, 0x18 data; 4 GiB mapped one to one */
    g_assert_cmphex(peek(image, image->entry.gdt + 16, 8), ==, 0x00af9b000000ffff);
    g_assert_cmphex(peek(image, image->entry.gdt + 24, 8), ==, 0x00cf93000000ffff);
    gpa_t pdpt = peek(image, image->entry.cr3, 8) & ~0xfffull;
    gpa_t pd3 = peek(image, pdpt + 3 * 8, 8) & ~0xfffull;
    g_assert_cmphex(peek(image, pd3 + 511 * 8, 8), ==, 0xffe00083);
    boot_image_free(image);
    file_free(&rd);
}

static void test_bzimage32(void)
{
    static uint8_t b[BZ_SIZE];
    make_bzimage(b);
    /* a 64-bit kernel on a processor without long mode, and a kernel without the 64-bit entry */
    for (unsigned n = 0; n < 2; n++) {
        put(b, 0x236, n ? 0 : 1, 2);
        BootImage *image = load(b, sizeof(b), (KernelRequest){.long_mode = n});
        g_assert_cmpint(image->entry.mode, ==, BOOT_FLAT32);
        g_assert_cmphex(image->entry.rip, ==, 0x100000);
        g_assert_cmphex(peek(image, image->entry.gdt + 16, 8), ==, 0x00cf9b000000ffff);
        g_assert_cmphex(image->entry.cr3, ==, 0);
        g_assert_cmpuint(peek(image, image->entry.rsi + 0x218, 8), ==, 0);
        boot_image_free(image);
    }
}

static void test_bzimage_bad(void)
{
    static uint8_t good[BZ_SIZE], b[BZ_SIZE];
    char line[3000];
    make_bzimage(good);
#define CASE(text, ...)                                                                                             \
    memcpy(b, good, sizeof(b));                                                                                      \
    __VA_ARGS__;                                                                                                     \
    refuse(b, sizeof(b), text)
    CASE("older than boot protocol", put(b, 0x206, 0x1ff, 2));
    CASE("zImage", b[0x211] = 0);
    CASE("truncated", put(b, 0x1f4, 0x10000, 4));
    CASE("truncated", b[0x1f1] = 64);
    CASE("larger -m", put(b, 0x260, 0x8000000, 4));
    CASE("out of range", put(b, 0x258, ~0ull, 8));
    CASE("larger -m", put(b, 0x258, 1ull << 40, 8));
#undef CASE
    for (size_t len = 1; len < sizeof(good); len = len * 2 + 1) {
        g_autoptr(GError) error = NULL;
        g_assert_null(try_load(good, len, (KernelRequest){.long_mode = true}, RAM, &error));
    }
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = 0;
    refuse_with(good, sizeof(good), (KernelRequest){.append = line}, RAM, "holds 2047 characters");
    refuse_with(good, sizeof(good), (KernelRequest){0}, 16 * MIB, "larger -m");
}

static void test_initrd_bad(void)
{
    static uint8_t b[BZ_SIZE];
    make_bzimage(b);
    TestFile big = file_new("", 0);
    g_assert_cmpint(ftruncate(big.fd, (off_t)RAM), ==, 0);
    refuse_with(b, sizeof(b), (KernelRequest){.initrd = big.name}, RAM, "could not load initrd");
    g_assert_cmpint(ftruncate(big.fd, (off_t)(40 * MIB)), ==, 0);
    BootImage *image = load(b, sizeof(b), (KernelRequest){.initrd = big.name});
    g_assert_cmphex(peek(image, image->entry.rsi + 0x218, 4), ==, 24 * MIB);
    boot_image_free(image);
    /* the kernel needs everything below 24 MiB for itself */
    g_assert_cmpint(ftruncate(big.fd, (off_t)(40 * MIB + 1)), ==, 0);
    refuse_with(b, sizeof(b), (KernelRequest){.initrd = big.name}, RAM, "use a larger -m");
    put(b, 0x22c, 0x1bfffff, 4); /* initrd_addr_max */
    g_assert_cmpint(ftruncate(big.fd, 4096), ==, 0);
    image = load(b, sizeof(b), (KernelRequest){.initrd = big.name});
    g_assert_cmphex(peek(image, image->entry.rsi + 0x218, 4), ==, 0x1bff000);
    boot_image_free(image);
    refuse_with(b, sizeof(b), (KernelRequest){.initrd = "/nonexistent/initrd"}, RAM, "No such file");
    refuse_with(b, sizeof(b), (KernelRequest){.initrd = "/"}, RAM, "Is a directory");
    g_assert_cmpint(ftruncate(big.fd, 0), ==, 0);
    image = load(b, sizeof(b), (KernelRequest){.initrd = big.name}); /* empty: as if there were none */
    g_assert_cmpuint(peek(image, image->entry.rsi + 0x218, 8), ==, 0);
    boot_image_free(image);
    file_free(&big);
}

/* ---- multiboot ---- */

#define MB_SIZE 4096

/* An address-header image: loaded at 0x200000, header 16 bytes in, 1 KiB of bss. */
static void make_multiboot(uint8_t *b)
{
    memset(b, 0x90, MB_SIZE);
    put(b, 16, 0x1badb002, 4);
    put(b, 20, 0x10003, 4);
    put(b, 24, 0u - 0x1badb002u - 0x10003u, 4);
    put(b, 28, 0x200010, 4);
    put(b, 32, 0x200000, 4);
    put(b, 36, 0x200000 + MB_SIZE, 4);
    put(b, 40, 0x200000 + MB_SIZE + 1024, 4);
    put(b, 44, 0x200040, 4);
}

static void test_multiboot(void)
{
    static uint8_t b[MB_SIZE];
    make_multiboot(b);
    TestFile one = file_new("first module", 12), two = file_new("second", 6);
    g_autofree char *initrd = g_strdup_printf("%s with args,%s", one.name, two.name);
    BootImage *image = load(b, sizeof(b), (KernelRequest){.append = "a b", .initrd = initrd});
    gpa_t info = image->entry.rbx;

    check_no_overlap(image);
    g_assert_cmpint(image->entry.mode, ==, BOOT_FLAT32);
    g_assert_cmphex(image->entry.rax, ==, 0x2badb002);
    g_assert_cmphex(image->entry.rip, ==, 0x200040);
    g_assert_cmphex(peek(image, 0x200010, 4), ==, 0x1badb002);
    g_assert_cmphex(peek(image, 0x200000 + MB_SIZE + 1020, 4), ==, 0);
    g_assert_cmphex(peek(image, info, 4), ==, 0x24f);
    g_assert_cmpuint(peek(image, info + 4, 4), ==, 639);
    g_assert_cmpuint(peek(image, info + 8, 4), ==, 63 * 1024);
    char cmdline[64];
    g_assert_true(boot_image_peek(image, peek(image, info + 16, 4), cmdline, 32));
    g_assert_true(g_str_has_prefix(cmdline, "/proc/self/fd/"));
    g_assert_true(g_str_has_suffix(cmdline, " a b"));
    g_assert_cmpuint(peek(image, info + 20, 4), ==, 2);
    gpa_t mods = peek(image, info + 24, 4);
    g_assert_cmpuint(peek(image, mods + 4, 4) - peek(image, mods, 4), ==, 12);
    g_assert_cmphex(peek(image, mods, 4) & 0xfff, ==, 0);
    g_assert_cmphex(peek(image, peek(image, mods, 4), 5), ==, 0x7473726966); /* "first" */
    g_autofree char *text = g_strdup_printf("%s with args", one.name);
    check_text(image, peek(image, mods + 8, 4), text);
    check_text(image, peek(image, mods + 24, 4), two.name);
    g_assert_cmpuint(peek(image, info + 44, 4), ==, 5 * 24);
    gpa_t map = peek(image, info + 48, 4);
    g_assert_cmpuint(peek(image, map, 4), ==, 20);
    g_assert_cmphex(peek(image, map + 12, 8), ==, 0x9fc00);
    check_text(image, peek(image, info + 64, 4), "rhea");
    boot_image_free(image);
    file_free(&one);
    file_free(&two);
}

static void test_multiboot_bad(void)
{
    static uint8_t good[MB_SIZE], b[MB_SIZE];
    make_multiboot(good);
#define CASE(text, ...)                                                                                             \
    memcpy(b, good, sizeof(b));                                                                                      \
    __VA_ARGS__;                                                                                                     \
    refuse(b, sizeof(b), text)
    CASE("requires features", put(b, 20, 0x10008, 4); put(b, 24, 0u - 0x1badb002u - 0x10008u, 4));
    CASE("contradicts", put(b, 28, 0x1ffff0, 4));
    CASE("contradicts", put(b, 28, 0x200011, 4));
    CASE("before it starts", put(b, 36, 0x1fffff, 4));
    CASE("truncated", put(b, 36, 0x300000, 4));
    CASE("bss before", put(b, 40, 0x200001, 4));
    CASE("not all RAM", put(b, 40, 0xfffff000, 4));
    CASE("not all RAM", put(b, 28, 0xa0010, 4); put(b, 32, 0xa0000, 4); put(b, 36, 0xa1000, 4); put(b, 40, 0, 4));
    CASE("is not in RAM", put(b, 44, 0xf0000000, 4));
    CASE("not a kernel", b[24] ^= 1);
#undef CASE
    refuse_with(good, sizeof(good), (KernelRequest){.initrd = "/nonexistent"}, RAM, "No such file");
    refuse_with(good, sizeof(good), (KernelRequest){0}, 1 * MIB, "more than 1 MiB");
}

/* ---- ELF ---- */

#define ELF_SIZE 8192

/* Two segments at 2 MiB and 3 MiB and one note with the PVH entry. */
static void make_elf(uint8_t *b, bool is64)
{
    memset(b, 0, ELF_SIZE);
    Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)b;
    Elf64_Phdr *p = (Elf64_Phdr *)(void *)(b + 64);
    memcpy(h->e_ident, ELFMAG, SELFMAG);
    h->e_ident[EI_CLASS] = ELFCLASS64;
    h->e_ident[EI_DATA] = ELFDATA2LSB;
    h->e_type = ET_EXEC;
    h->e_machine = EM_X86_64;
    h->e_phoff = 64;
    h->e_phentsize = sizeof(Elf64_Phdr);
    h->e_phnum = 3;
    h->e_entry = 0xffffffff81000000;
    p[0] = (Elf64_Phdr){PT_LOAD, .p_offset = 0x1000, .p_paddr = 0x200000, .p_filesz = 0x800, .p_memsz = 0x2000};
    p[1] = (Elf64_Phdr){PT_LOAD, .p_offset = 0x1800, .p_paddr = 0x300000, .p_filesz = 0x100, .p_memsz = 0x100};
    p[2] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = 0x1900, .p_filesz = 0x28, .p_align = 4};
    if (!is64) {
        Elf32_Ehdr h32 = {.e_type = ET_EXEC, .e_machine = EM_386, .e_phoff = 64, .e_phentsize = sizeof(Elf32_Phdr),
                          .e_phnum = 3, .e_entry = 0x200000};
        Elf32_Phdr p32[3];
        memcpy(h32.e_ident, h->e_ident, EI_NIDENT);
        h32.e_ident[EI_CLASS] = ELFCLASS32;
        for (unsigned n = 0; n < 3; n++) {
            p32[n] = (Elf32_Phdr){.p_type = p[n].p_type, .p_offset = (uint32_t)p[n].p_offset,
                                  .p_paddr = (uint32_t)p[n].p_paddr, .p_filesz = (uint32_t)p[n].p_filesz,
                                  .p_memsz = (uint32_t)p[n].p_memsz, .p_align = (uint32_t)p[n].p_align};
        }
        memset(b, 0, 0x1000);
        memcpy(b, &h32, sizeof(h32));
        memcpy(b + 64, p32, sizeof(p32));
    }
    memset(b + 0x1000, 0xcc, 0x900);
    /* first another note, then the one */
    put(b, 0x1900, 4, 4);
    put(b, 0x1904, 1, 4);
    put(b, 0x1908, 6, 4);
    memcpy(b + 0x190c, "Xen", 4);
    put(b, 0x1914, 4, 4);
    put(b, 0x1918, 4, 4);
    put(b, 0x191c, 18, 4);
    memcpy(b + 0x1920, "Xen", 4);
    put(b, 0x1924, 0x200100, 4);
}

static void test_pvh(void)
{
    static uint8_t b[ELF_SIZE];
    TestFile rd = file_new("initrd", 6);

    for (unsigned is64 = 0; is64 < 2; is64++) {
        make_elf(b, is64);
        BootImage *image = load(b, sizeof(b), (KernelRequest){.append = "quiet", .initrd = rd.name, .rsdp = 0xe0000});
        gpa_t info = image->entry.rbx;
        check_no_overlap(image);
        g_assert_cmpint(image->entry.mode, ==, BOOT_FLAT32);
        g_assert_cmphex(image->entry.rip, ==, 0x200100);
        g_assert_true(image->entry.tss);
        g_assert_cmphex(peek(image, 0x2007ff, 1), ==, 0xcc);
        g_assert_cmphex(peek(image, 0x200800, 8), ==, 0);
        g_assert_cmphex(peek(image, info, 4), ==, 0x336ec578);
        g_assert_cmpuint(peek(image, info + 4, 4), ==, 1);
        g_assert_cmpuint(peek(image, info + 12, 4), ==, 1);
        gpa_t module = peek(image, info + 16, 8);
        g_assert_cmpuint(peek(image, module + 8, 8), ==, 6);
        g_assert_cmphex(peek(image, peek(image, module, 8), 6), ==, 0x647274696e69);
        check_text(image, peek(image, info + 24, 8), "quiet");
        g_assert_cmphex(peek(image, info + 32, 8), ==, 0xe0000);
        gpa_t map = peek(image, info + 40, 8);
        g_assert_cmpuint(peek(image, info + 48, 4), ==, 5);
        g_assert_cmphex(peek(image, map + 3 * 24, 8), ==, 0x100000);
        g_assert_cmphex(peek(image, map + 3 * 24 + 8, 8), ==, RAM - MIB);
        boot_image_free(image);
    }
    file_free(&rd);
}

static void test_elf_bad(void)
{
    static uint8_t good[ELF_SIZE], b[ELF_SIZE];
    Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)b;
    Elf64_Phdr *p = (Elf64_Phdr *)(void *)(b + 64);
    make_elf(good, true);
#define CASE(text, ...)                                                                                             \
    memcpy(b, good, sizeof(b));                                                                                      \
    __VA_ARGS__;                                                                                                     \
    refuse(b, sizeof(b), text)
    CASE("another machine", h->e_machine = EM_AARCH64);
    CASE("another machine", h->e_ident[EI_DATA] = ELFDATA2MSB);
    CASE("not executable", h->e_type = ET_REL);
    CASE("program headers", h->e_phnum = 0);
    CASE("program headers", h->e_phnum = 0xffff);
    CASE("program headers", h->e_phoff = ~0ull - 10);
    CASE("program headers", h->e_phentsize = 1);
    CASE("beyond the end", p[0].p_filesz = 0x100000; p[0].p_memsz = 0x100000);
    CASE("beyond the end", p[0].p_offset = ~0ull - 4);
    CASE("larger in the file", p[0].p_memsz = 0x7ff);
    CASE("not all RAM", p[0].p_paddr = ~0ull - 0xfff);
    CASE("not all RAM", p[0].p_paddr = RAM - 0x1000);
    CASE("not all RAM", p[0].p_memsz = ~0ull - 0x1000);
    CASE("overlaps", p[1].p_paddr = 0x201fff);
    CASE("without a PVH entry", p[2].p_type = PT_NULL);
    CASE("without a PVH entry", put(b, 0x1914, 0xffffffff, 4));
    CASE("without a PVH entry", put(b, 0x1904, 0xfffffff0, 4));
    CASE("not in RAM", put(b, 0x1924, 0xf0000000, 4));
    CASE("nothing to load", p[0].p_type = PT_NULL; p[1].p_type = PT_NULL);
#undef CASE
    refuse(good, 40, "cut off");
    refuse(good, 10, "cut off");
}

/* ---- what is no kernel ---- */

static void test_not_a_kernel(void)
{
    static uint8_t b[0x9000];
    g_autoptr(GError) error = NULL;
    BootImage *image = boot_image_new(RAM);

    refuse(b, 0, "empty");
    refuse(b, sizeof(b), "not a kernel: neither");
    memcpy(b, "QFI\xfb", 4);
    refuse(b, sizeof(b), "qcow2 disk image, not a kernel");
    memset(b, 0, 4);
    memcpy(b + 0x8001, "CD001", 5);
    refuse(b, sizeof(b), "ISO 9660");
    memset(b, 0, sizeof(b));
    put(b, 510, 0xaa55, 2);
    refuse(b, sizeof(b), "boot sector");
    memcpy(b, "070701", 6);
    refuse(b, sizeof(b), "-initrd");
    g_assert_false(load_kernel(image, &(KernelRequest){.kernel = "/nonexistent/kernel"}, &error));
    g_assert_cmpstr(error->message, ==,
                    "could not open kernel file '/nonexistent/kernel': No such file or directory");
    g_clear_error(&error);
    g_assert_false(load_kernel(image, &(KernelRequest){.kernel = "/"}, &error));
    g_assert_cmpstr(error->message, ==, "could not open kernel file '/': Is a directory");
    boot_image_free(image);
}

/* A pipe can be read once only; the image must outlive it. */
static void test_pipe(void)
{
    static uint8_t b[BZ_SIZE];
    int fds[2];
    make_bzimage(b);
    g_assert_cmpint(pipe(fds), ==, 0);
    g_assert_cmpint(write(fds[1], b, sizeof(b)), ==, sizeof(b));
    close(fds[1]);
    g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fds[0]);
    BootImage *image = boot_image_new(RAM);
    g_assert_true(load_kernel(image, &(KernelRequest){.kernel = name}, NULL));
    close(fds[0]);
    g_assert_cmphex(peek(image, 0x100000, 4), ==, 0x160f0801);
    boot_image_free(image);
}

/* ---- into RAM ---- */

static void test_fill(void)
{
    static uint8_t b[BZ_SIZE];
    g_autoptr(GError) error = NULL;
    make_bzimage(b);
    TestFile f = file_new(b, sizeof(b));
    BootImage *image = boot_image_new(RAM);
    Ram *ram = ram_new(RAM, NULL);

    g_assert_true(load_kernel(image, &(KernelRequest){.kernel = f.name, .append = "x", .long_mode = true}, NULL));
    for (unsigned round = 0; round < 2; round++) {
        memset(ram->host, 0xee, 32 * MIB);
        g_assert_true(boot_image_fill(image, ram, NULL));
        g_assert_cmpmem(ram->host + 0x100000, BZ_PAYLOAD, b + BZ_SIZE - BZ_PAYLOAD, BZ_PAYLOAD);
        g_assert_cmphex(ram->host[0x100000 + BZ_PAYLOAD], ==, 0xee); /* only claimed */
        bool random = false;
        for (unsigned n = 1; n < BOOT_SEED_SIZE; n++) {
            random |= ram->host[image->seed + n] != ram->host[image->seed];
        }
        g_assert_true(random);
    }
    /* the file shrinks between two starts */
    g_assert_cmpint(ftruncate(f.fd, 100), ==, 0);
    g_assert_false(boot_image_fill(image, ram, &error));
    g_assert_nonnull(strstr(error->message, "shrunk"));
    boot_image_free(image);
    ram_free(ram);
    file_free(&f);
}

/* Any change of a good image is loaded or refused, and what is loaded lies in RAM without overlap. */
static void test_mutations(void)
{
    static uint8_t good[3][ELF_SIZE + BZ_SIZE], b[ELF_SIZE + BZ_SIZE];
    const size_t sizes[3] = {BZ_SIZE, MB_SIZE, ELF_SIZE};
    const size_t heads[3] = {0x280, 64, 240};
    unsigned loaded = 0;
    make_bzimage(good[0]);
    make_multiboot(good[1]);
    make_elf(good[2], true);
    GRand *rng = g_rand_new_with_seed(20240611);

    for (unsigned round = 0; round < 6000; round++) {
        unsigned kind = round % 3;
        memcpy(b, good[kind], sizes[kind]);
        for (unsigned n = g_rand_int(rng) % 4; n < 4; n++) {
            static const uint8_t edge[] = {0, 1, 0x7f, 0x80, 0xff};
            size_t at = g_rand_int(rng) % heads[kind];
            b[at] = g_rand_boolean(rng) ? edge[g_rand_int(rng) % sizeof(edge)] : (uint8_t)g_rand_int(rng);
        }
        size_t len = g_rand_int(rng) % 8 ? sizes[kind] : g_rand_int(rng) % sizes[kind];
        g_autoptr(GError) error = NULL;
        BootImage *image = try_load(b, len, (KernelRequest){.long_mode = round & 1, .append = "a"}, RAM, &error);
        g_assert_true((image == NULL) == (error != NULL));
        if (image) {
            loaded++;
            check_no_overlap(image);
            for (unsigned n = 0; n < image->blobs->len; n++) {
                const BootBlob *blob = &g_array_index(image->blobs, BootBlob, n);
                g_assert_cmphex(blob->addr + blob->len, <=, RAM);
                g_assert_cmpuint(blob->data_len, <=, blob->len);
            }
        }
        boot_image_free(image);
    }
    g_assert_cmpuint(loaded, >, 100);
    g_rand_free(rng);
}

static void test_memory_map(void)
{
    MemoryMap map;

    memory_map_init(&map, 3 * GIB);
    g_assert_cmphex(map.below_4g, ==, 3 * GIB);
    g_assert_cmphex(map.above_4g, ==, 0);
    memory_map_init(&map, 8 * GIB);
    g_assert_cmphex(map.below_4g, ==, 0xe0000000);
    g_assert_cmphex(map.above_4g, ==, 8 * GIB - 0xe0000000ull);
    g_assert_cmpuint(map.count, ==, 6);
    g_assert_true(memory_map_is_ram(&map, 4 * GIB, map.above_4g));
    g_assert_false(memory_map_is_ram(&map, 4 * GIB, map.above_4g + 1));
    g_assert_false(memory_map_is_ram(&map, 0xdfffffff, 2));
    g_assert_false(memory_map_is_ram(&map, 0x9fbff, 2));
    g_assert_false(memory_map_is_ram(&map, ~0ull, 2));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/loader/memory-map", test_memory_map);
    g_test_add_func("/loader/bzimage64", test_bzimage64);
    g_test_add_func("/loader/bzimage32", test_bzimage32);
    g_test_add_func("/loader/bzimage-bad", test_bzimage_bad);
    g_test_add_func("/loader/initrd-bad", test_initrd_bad);
    g_test_add_func("/loader/multiboot", test_multiboot);
    g_test_add_func("/loader/multiboot-bad", test_multiboot_bad);
    g_test_add_func("/loader/pvh", test_pvh);
    g_test_add_func("/loader/elf-bad", test_elf_bad);
    g_test_add_func("/loader/not-a-kernel", test_not_a_kernel);
    g_test_add_func("/loader/pipe", test_pipe);
    g_test_add_func("/loader/fill", test_fill);
    g_test_add_func("/loader/mutations", test_mutations);
    return g_test_run();
}
