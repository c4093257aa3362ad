/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel or initrd on the host.  A regular file stays open and is read again at each reset: nothing of it is kept
 * in our memory, and one that shrinks meanwhile is a read error, not a signal.
 */
#include "hw/i386/boot_image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/checked.h"

static void set_errno_error(GError **error, const char *verb, const char *what, const char *name, int err)
{
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(err), "could not %s %s file '%s': %s", verb, what,
                name, g_strerror(err));
}

/* A pipe (process substitution) or device: all of it, now. */
static bool slurp(BootFile *file, const char *what, uint64_t max_size, GError **error)
{
    GByteArray *all = g_byte_array_new();
    uint8_t buf[16384];
    ssize_t n;

    do {
        n = read(file->fd, buf, sizeof(buf));
        if (n > 0) {
            g_byte_array_append(all, buf, (guint)n);
        }
    } while ((n > 0 && all->len <= max_size && all->len <= G_MAXINT32) || (n < 0 && errno == EINTR));
    if (n < 0) {
        set_errno_error(error, "read", what, file->name, errno);
    } else if (n > 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
                    "could not load %s '%s': it is larger than the guest's memory", what, file->name);
    }
    file->size = all->len;
    file->bytes = g_byte_array_free_to_bytes(all);
    close(file->fd);
    file->fd = -1;
    return n == 0;
}

BootFile *boot_file_open(const char *what, const char *name, uint64_t max_size, GError **error)
{
    BootFile *file = g_new0(BootFile, 1);
    struct stat st;
    bool ok = false;

    file->name = g_strdup(name);
    file->fd = open(name, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &st) < 0) {
        set_errno_error(error, "open", what, name, errno);
    } else if (S_ISDIR(st.st_mode)) {
        set_errno_error(error, "open", what, name, EISDIR);
    } else if (S_ISREG(st.st_mode)) {
        file->size = (uint64_t)st.st_size;
        ok = true;
    } else {
        ok = slurp(file, what, max_size, error);
    }
    if (!ok) {
        boot_file_free(file);
        return NULL;
    }
    return file;
}

void boot_file_free(BootFile *file)
{
    if (!file) {
        return;
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    g_bytes_unref(file->bytes);
    g_free(file->name);
    g_free(file);
}

bool boot_file_read(const BootFile *file, uint64_t offset, void *buf, size_t len)
{
    uint8_t *to = buf;

    if (!range_in(offset, len, file->size)) {
        return false;
    }
    if (file->bytes) {
        if (len) {
            memcpy(to, (const uint8_t *)g_bytes_get_data(file->bytes, NULL) + offset, len);
        }
        return true;
    }
    while (len > 0) {
        ssize_t n = pread(file->fd, to, len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        to += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}
