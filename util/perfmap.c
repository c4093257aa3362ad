/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line for each piece of generated code: "start size name", in hexadecimal. */
#include "util/perfmap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_MAX (256 * MIB)

/* Set once at start-up, as the log's destination. */
static struct {
    pthread_mutex_t mutex;
    FILE *file;    /* NULL: off */
    uint64_t size; /* guarded by mutex */
} map = {.mutex = PTHREAD_MUTEX_INITIALIZER};

bool perfmap_open(GError **error)
{
    g_autofree char *path = g_strdup_printf("/tmp/perf-%d.map", (int)getpid());
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(path, flags, 0600);
    if (fd < 0 && errno == EEXIST && unlink(path) == 0) { /* of a process that had our number before */
        fd = open(path, flags, 0600);
    }
    if (fd < 0) {
        int code = errno;
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "-perfmap: cannot create %s: %s", path,
                    g_strerror(code));
        return false;
    }
    map.file = fdopen(fd, "w");
    g_assert(map.file);
    setvbuf(map.file, NULL, _IOLBF, 0); /* perf may look when this process is gone in any way */
    return true;
}

bool perfmap_on(void)
{
    return unlikely(map.file != NULL);
}

void perfmap_add(const void *code, size_t len, const char *name)
{
    pthread_mutex_lock(&map.mutex);
    if (map.file && map.size < FILE_MAX) {
        int n = fprintf(map.file, "%" PRIxPTR " %zx %s\n", (uintptr_t)code, len, name);
        map.size += n > 0 ? (uint64_t)n : 0;
    }
    pthread_mutex_unlock(&map.mutex);
}
