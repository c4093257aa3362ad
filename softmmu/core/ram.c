/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest RAM: a memfd, mapped once, and a record a page of who must hear of writes. */
#include "softmmu/core/ram.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static bool fail(GError **error, uint64_t size, const char *what, int err)
{
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(err), "cannot get %llu MiB of guest memory: %s: %s",
                size / MIB, what, g_strerror(err));
    return false;
}

/* Pages are taken from the host when they are touched, so what can never fit must be refused now. */
static bool host_could_hold(uint64_t size, GError **error)
{
    struct sysinfo info;
    if (sysinfo(&info) == 0) {
        uint64_t total = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
        if (size > total) {
            g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
                        "cannot get %llu MiB of guest memory: the host has %llu MiB with swap",
                        size / MIB, total / MIB);
            return false;
        }
    }
    return true;
}

static bool map_ram(Ram *ram, GError **error)
{
    ram->fd = memfd_create("rhea-ram", MFD_CLOEXEC);
    if (ram->fd < 0) {
        return fail(error, ram->size, "memfd_create", errno);
    }
    if (ftruncate(ram->fd, (off_t)ram->size) < 0) {
        return fail(error, ram->size, "ftruncate", errno);
    }
    void *host = mmap(NULL, ram->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, ram->fd, 0);
    if (host == MAP_FAILED) {
        return fail(error, ram->size, "mmap", errno);
    }
    ram->host = host;
    madvise(host, ram->size, MADV_HUGEPAGE); /* a wish: kernels without it say no */

    size_t bytes = (size_t)(ram->size >> PAGE_SHIFT) * sizeof(RamPage);
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) {
        return fail(error, ram->size, "mmap", errno);
    }
    ram->pages = pages;
    return true;
}

Ram *ram_new(uint64_t size, GError **error)
{
    if (size == 0 || size & ~PAGE_MASK) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "guest memory of %" PRIu64 " bytes: it must be a multiple of 4096, and not 0", size);
        return NULL;
    }
    if (!host_could_hold(size, error)) {
        return NULL;
    }
    Ram *ram = g_new0(Ram, 1);
    ram->size = size;
    ram->fd = -1;
    if (!map_ram(ram, error)) {
        ram_free(ram);
        return NULL;
    }
    return ram;
}

void ram_free(Ram *ram)
{
    if (!ram) {
        return;
    }
    if (ram->host) {
        munmap(ram->host, ram->size);
    }
    if (ram->pages) {
        munmap(ram->pages, (size_t)(ram->size >> PAGE_SHIFT) * sizeof(RamPage));
    }
    if (ram->fd >= 0) {
        close(ram->fd);
    }
    g_free(ram);
}

static void tell(Ram *ram, const RamPage *page, uint64_t granules)
{
    for (unsigned n = 0; n < RAM_MAX_READERS; n++) {
        uint64_t *changed = __atomic_load_n(&ram->readers[n], __ATOMIC_ACQUIRE);
        if (!changed) {
            break;
        }
        __atomic_fetch_or(&changed[page - ram->pages], granules, __ATOMIC_SEQ_CST);
    }
}

/*
 * That a page becomes watched costs all vCPUs a stop, so that its last code stays watched for a few writes: much code that
 * is written is run again at once.
 */
static bool ends_watching(RamPage *page, uint64_t hit)
{
    return (__atomic_load_n(&page->code, __ATOMIC_RELAXED) & ~hit) ||
           __atomic_add_fetch(&page->last_hits, 1, __ATOMIC_RELAXED) % RAM_LAST_HITS == 0;
}

/* Bytes first..last (both in the page) are written. */
static bool page_written(Ram *ram, RamPage *page, unsigned first, unsigned last)
{
    ram_mark_dirty(page);
    /* The bytes must be seen by whoever watches them from now on and does not hear of this write. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint64_t hit = __atomic_load_n(&page->code, __ATOMIC_RELAXED) & ram_granules(first, last);
    if (likely(!hit)) {
        return false;
    }
    /*
     * Told twice: before, so that who finds the granule no longer watched has heard; and after, since a reader that has
     * heard watches again, and may do so in between.
     */
    tell(ram, page, hit);
    if (!ends_watching(page, hit)) {
        return true;
    }
    __atomic_fetch_and(&page->code, ~hit, __ATOMIC_SEQ_CST);
    tell(ram, page, hit);
    return true;
}

void ram_add_reader(Ram *ram, uint64_t *changed)
{
    unsigned n = 0;
    while (ram->readers[n]) {
        n++;
        g_assert(n < RAM_MAX_READERS);
    }
    __atomic_store_n(&ram->readers[n], changed, __ATOMIC_RELEASE);
}

void ram_remove_reader(Ram *ram, const uint64_t *changed)
{
    unsigned at = 0, last = 0;
    while (ram->readers[at] != changed) {
        at++;
        g_assert(at < RAM_MAX_READERS);
    }
    for (last = at; last + 1 < RAM_MAX_READERS && ram->readers[last + 1]; last++) {
    }
    __atomic_store_n(&ram->readers[at], ram->readers[last], __ATOMIC_RELEASE);
    __atomic_store_n(&ram->readers[last], NULL, __ATOMIC_RELEASE);
}

bool ram_written(Ram *ram, uint8_t *host, uint64_t len)
{
    bool code_hit = false;
    uint64_t at = (uint64_t)(host - ram->host), end = at + len;
    while (at < end) {
        uint64_t stop = MIN(end, (at & PAGE_MASK) + PAGE_SIZE);
        code_hit |= page_written(ram, &ram->pages[at >> PAGE_SHIFT], (unsigned)(at & ~PAGE_MASK),
                                 (unsigned)((stop - 1) & ~PAGE_MASK));
        at = stop;
    }
    return code_hit;
}
