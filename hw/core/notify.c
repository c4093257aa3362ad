/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Eventfds, and which of a region's a write sets. */
#include "hw/core/notify.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int event_new(GError **error)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "cannot make an eventfd: %s",
                    g_strerror(errno));
    }
    return fd;
}

/* A full counter (EAGAIN) is set already. */
void event_set(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

uint64_t event_take(int fd)
{
    uint64_t count = 0;
    ssize_t r;
    do {
        r = read(fd, &count, sizeof(count));
    } while (r < 0 && errno == EINTR);
    return r == sizeof(count) ? count : 0;
}

bool region_notify(const Region *r, uint64_t offset, uint64_t value, unsigned size)
{
    uint64_t mask = ~0ull >> (64 - size * 8);
    for (unsigned i = 0; i < r->num_notifiers; i++) {
        const WriteNotifier *n = &r->notifiers[i];
        if (n->offset == offset && (!n->size || n->size == size) && (!n->match || n->value == (value & mask))) {
            event_set(n->fd);
            return true;
        }
    }
    return false;
}
