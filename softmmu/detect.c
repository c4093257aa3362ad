/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File types by magic numbers.
 * Spec: Linux Documentation/arch/x86/boot.rst (HdrS), Multiboot specification 0.6.96 section 3.1, System V ABI (ELF)
 */
#include "softmmu/detect.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/opts.h"

#define HEAD_SIZE 0x9000
#define MULTIBOOT_SEARCH 8192

typedef struct Magic {
    unsigned at, len;
    const char *bytes;
    const char *what;
} Magic;

#define MAGIC(at_, bytes_, what_) {.at = at_, .len = sizeof(bytes_) - 1, .bytes = bytes_, .what = what_}
/* More telling ones first: many things end their first sector in 55 AA. */
static const Magic magics[] = {
    MAGIC(0, "QFI\xfb", "a qcow2 disk image"),
    MAGIC(0, "KDMV", "a VMDK disk image"),
    MAGIC(0, "vhdxfile", "a VHDX disk image"),
    MAGIC(0, "conectix", "a VHD disk image"),
    MAGIC(64, "\x7f\x10\xda\xbe", "a VDI disk image"),
    MAGIC(0x8001, "CD001", "a CD image"),
    MAGIC(0, "070701", "an initramfs"),
    MAGIC(0, "\x1f\x8b", "a gzip file"),
    MAGIC(0, "\xfd\x37zXZ", "an xz file"),
    MAGIC(0, "\x28\xb5\x2f\xfd", "a zstd file"),
    MAGIC(0x438, "\x53\xef", "an ext2/3/4 file system image"),
    MAGIC(512, "EFI PART", "a raw disk image"),
    MAGIC(0, "MZ", "an EFI program"),
    MAGIC(510, "\x55\xaa", "a raw disk image or boot sector"),
};

static bool has(const uint8_t *head, size_t len, unsigned at, const char *bytes, unsigned n)
{
    return len >= (size_t)at + n && memcmp(head + at, bytes, n) == 0;
}

static bool is_kernel(const uint8_t *head, size_t len, bool *linux_image)
{
    *linux_image = has(head, len, 0x202, "HdrS", 4);
    if (*linux_image || has(head, len, 0, "\177ELF", 4)) {
        return true;
    }
    for (unsigned at = 0; at + 4 <= MIN(len, MULTIBOOT_SEARCH); at += 4) {
        if (memcmp(head + at, "\x02\xb0\xad\x1b", 4) == 0) {
            return true;
        }
    }
    return false;
}

static bool fail_open(const char *path, GError **error)
{
    int err = errno;
    bool url = strstr(path, "://") != NULL;
    g_set_error(error, OPTS_ERROR, OPTS_OPEN, "cannot open '%s': %s%s", path,
                url ? "addresses on the network are not supported yet" : g_strerror(err),
                url ? "; fetch the file first" : "");
    return false;
}

bool detect_kernel(const char *path, bool *linux_image, GError **error)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return fail_open(path, error);
    }
    g_autofree uint8_t *head = g_malloc(HEAD_SIZE);
    ssize_t len = S_ISREG(st.st_mode) ? pread(fd, head, HEAD_SIZE, 0) : 0;
    close(fd);
    if (S_ISREG(st.st_mode) && len > 0 && is_kernel(head, len, linux_image)) {
        return true;
    }
    const char *what = S_ISDIR(st.st_mode)    ? "a directory"
                       : !S_ISREG(st.st_mode) ? "not a regular file"
                       : len == 0             ? "empty"
                                              : NULL;
    for (size_t i = 0; i < ARRAY_LEN(magics) && !what && len > 0; i++) {
        what = has(head, len, magics[i].at, magics[i].bytes, magics[i].len) ? magics[i].what : NULL;
    }
    g_set_error(error, OPTS_ERROR, OPTS_NO_BOOT, "cannot boot '%s': it is %s, %s", path,
                what ? what : "of no known kind",
                len == 0 || !what ? "not a kernel" : "which is not supported yet; kernels (bzImage, ELF) are");
    return false;
}
