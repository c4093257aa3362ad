/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -kernel: what kind of kernel a file is.
 * Spec: Linux Documentation/arch/x86/boot.rst; Multiboot specification 0.6.96; Xen PVH boot ABI.
 */
#include "hw/i386/loader.h"

#include <string.h>

#define ISO_MAGIC_AT 0x8001

/* Non-regular kernel files are read whole: no more than any kernel could be. */
#define PIPE_MAX (1 * GIB)

typedef struct Magic {
    unsigned at;
    unsigned len;
    const char *bytes;
    const char *what;
} Magic;

#define MAGIC(at_, bytes_, what_) {.at = (at_), .len = sizeof(bytes_) - 1, .bytes = (bytes_), .what = (what_)}
static const Magic magics[] = {
    MAGIC(0, "QFI\xfb", "a qcow2 disk image, not a kernel; use it as a disk (-drive file=...)"),
    MAGIC(0, "KDMV", "a VMDK disk image, not a kernel; use it as a disk (-drive file=...)"),
    MAGIC(0, "# Disk DescriptorFile", "a VMDK disk descriptor, not a kernel; use it as a disk (-drive file=...)"),
    MAGIC(0, "vhdxfile", "a VHDX disk image, not a kernel; use it as a disk (-drive file=...)"),
    MAGIC(0, "conectix", "a VHD disk image, not a kernel; use it as a disk (-drive file=...)"),
    MAGIC(64, "\x7f\x10\xda\xbe", "a VDI disk image, not a kernel; use it as a disk (-drive file=...)"),
    MAGIC(ISO_MAGIC_AT, "CD001", "an ISO 9660 CD image, not a kernel; use it as a CD (-cdrom FILE)"),
    MAGIC(0, "070701", "a cpio archive, not a kernel; an initramfs goes to -initrd"),
    MAGIC(0, "070702", "a cpio archive, not a kernel; an initramfs goes to -initrd"),
    MAGIC(0, "\x1f\x8b", "a gzip file, not a kernel; decompress it, or if it is an initramfs use -initrd"),
    MAGIC(0, "\xfd" "7zXZ", "an xz file, not a kernel; decompress it, or if it is an initramfs use -initrd"),
    MAGIC(0, "\x28\xb5\x2f\xfd", "a zstd file, not a kernel; decompress it, or if it is an initramfs use -initrd"),
    MAGIC(0, "BZh", "a bzip2 file, not a kernel; decompress it, or if it is an initramfs use -initrd"),
    MAGIC(0, "hsqs", "a squashfs image, not a kernel; use it as a disk (-drive file=...)"),
    MAGIC(0x438, "\x53\xef", "an ext2/3/4 file system image, not a kernel; use it as a disk (-drive file=...)"),
    MAGIC(0, "!<arch>\n", "an ar archive or Debian package, not a kernel; unpack it first"),
    MAGIC(56, "ARM\x64", "a kernel for ARM64; this machine is an x86 PC"),
    MAGIC(0, "#!", "a script, not a kernel"),
    MAGIC(0, "MZ", "an EFI or DOS program without a Linux header, not a kernel this machine can start directly"),
    MAGIC(510, "\x55\xaa", "a boot sector or a raw disk image, not a kernel; use it as a disk (-drive file=...)"),
};

const char *loader_known_magic(const KernelHead *head)
{
    for (unsigned n = 0; n < ARRAY_LEN(magics); n++) {
        const Magic *m = &magics[n];
        if (m->at + m->len <= KERNEL_HEAD_SIZE && memcmp(head->b + m->at, m->bytes, m->len) == 0) {
            return m->what;
        }
    }
    return NULL;
}

const BootFile *loader_open_initrd(BootImage *image, const char *name, GError **error)
{
    BootFile *file = boot_file_open("initrd", name, image->map.below_4g, error);

    if (file) {
        g_ptr_array_add(image->files, file);
    }
    return file;
}

bool loader_initrd_too_large(const BootFile *file, GError **error)
{
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
                "could not load initrd '%s': it needs %llu MiB, more than the kernel leaves of the RAM below 4 GiB; "
                "use a larger -m",
                file->name, (file->size + MIB - 1) / MIB);
    return false;
}

static bool dispatch(BootImage *image, const KernelRequest *request, const BootFile *file, const KernelHead *head,
                     GError **error)
{
    const char *known;

    if (linux_probe(head)) {
        return linux_load(image, request, file, head, error);
    }
    if (multiboot_probe(head)) {
        return multiboot_load(image, request, file, head, error);
    }
    if (pvh_probe(head)) {
        return pvh_load(image, request, file, head, error);
    }
    known = loader_known_magic(head);
    if (known) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "this is %s", known);
    } else {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "not a kernel: neither a Linux bzImage, nor an ELF with a PVH entry, nor a multiboot image");
    }
    return false;
}

bool load_kernel(BootImage *image, const KernelRequest *request, GError **error)
{
    g_autofree KernelHead *head = g_new0(KernelHead, 1);
    BootFile *file = boot_file_open("kernel", request->kernel, PIPE_MAX, error);
    bool ok = false;

    if (!file) {
        return false;
    }
    g_ptr_array_add(image->files, file);
    head->file_size = file->size;
    if (file->size == 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "the file is empty");
    } else if (!boot_file_read(file, 0, head->b, MIN(file->size, sizeof(head->b)))) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_IO, "the file cannot be read");
    } else {
        ok = dispatch(image, request, file, head, error);
    }
    if (!ok && !(error && *error && g_str_has_prefix((*error)->message, "could not"))) {
        g_prefix_error(error, "could not load kernel '%s': ", request->kernel);
    }
    return ok;
}
