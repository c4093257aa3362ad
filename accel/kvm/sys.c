/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The KVM engine's system calls, as the host has them. */
#include "accel/kvm/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int host_open(void *opaque, const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int host_ioctl(void *opaque, int fd, unsigned long request, void *arg)
{
    int r = ioctl(fd, request, arg);
    return r < 0 ? -errno : r;
}

static void *host_map(void *opaque, int fd, size_t len, uint64_t offset)
{
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    return at == MAP_FAILED ? NULL : at;
}

static void host_unmap(void *opaque, void *at, size_t len)
{
    munmap(at, len);
}

static void host_close(void *opaque, int fd)
{
    close(fd);
}

/* Arriving is all this signal is for: it takes a thread out of the guest. */
static void on_signal(int sig)
{
    (void)sig;
}

static void install_handler(void)
{
    static gsize installed;
    if (g_once_init_enter(&installed)) {
        struct sigaction action = {.sa_handler = on_signal};
        sigaction(SIGRTMIN + 4, &action, NULL);
        g_once_init_leave(&installed, 1);
    }
}

static void host_interrupt(void *opaque, pthread_t thread)
{
    install_handler();
    pthread_kill(thread, SIGRTMIN + 4);
}

/* The signal is blocked here and open inside KVM_RUN, which finds it at once. */
static int host_drain(void *opaque, int fd)
{
    struct {
        struct kvm_signal_mask head;
        uint64_t blocked;
    } __attribute__((packed)) open_inside = {.head.len = sizeof(uint64_t)};
    sigset_t one, old;
    install_handler();
    sigemptyset(&one);
    sigaddset(&one, SIGRTMIN + 4);
    pthread_sigmask(SIG_BLOCK, &one, &old);
    sigset_t inside = old;
    sigdelset(&inside, SIGRTMIN + 4);
    memcpy(&open_inside.blocked, &inside, sizeof(open_inside.blocked));
    pthread_kill(pthread_self(), SIGRTMIN + 4);
    int r = host_ioctl(opaque, fd, KVM_SET_SIGNAL_MASK, &open_inside);
    if (r >= 0) {
        r = host_ioctl(opaque, fd, KVM_RUN, NULL);
        host_ioctl(opaque, fd, KVM_SET_SIGNAL_MASK, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL); /* the handler takes the signal away */
    return r;
}

const KvmSys kvm_host_sys = {
    .open = host_open,
    .ioctl = host_ioctl,
    .map = host_map,
    .unmap = host_unmap,
    .close = host_close,
    .interrupt = host_interrupt,
    .drain = host_drain,
};
