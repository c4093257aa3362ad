/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls of the KVM engine behind function pointers, so that tests can put a KVM of their own in their place.
 */
#pragma once

#include <pthread.h>

#include "util/base.h"

typedef struct KvmSys {
    /* File descriptor, or -errno. */
    int (*open)(void *opaque, const char *path);
    /* What ioctl(2) returns, or -errno.  arg: a pointer, or a number as one. */
    int (*ioctl)(void *opaque, int fd, unsigned long request, void *arg);
    /* Shared and writable, from offset on; NULL on failure. */
    void *(*map)(void *opaque, int fd, size_t len, uint64_t offset);
    void (*unmap)(void *opaque, void *at, size_t len);
    void (*close)(void *opaque, int fd);
    /* Make a thread's KVM_RUN, or its next one, return -EINTR; the caller has set immediate_exit. */
    void (*interrupt)(void *opaque, pthread_t thread);
    /*
     * KVM_RUN of the calling thread's vCPU with a signal waiting: nothing of the guest is executed, but KVM does what it
     * had put off.  0 or -errno, -EINTR as a rule.
     */
    int (*drain)(void *opaque, int vcpu_fd);
    void *opaque;
} KvmSys;

/* The host's. */
extern const KvmSys kvm_host_sys;

static inline int kvm_ioctl(const KvmSys *sys, int fd, unsigned long request, void *arg)
{
    return sys->ioctl(sys->opaque, fd, request, arg);
}
static inline int kvm_ioctl_n(const KvmSys *sys, int fd, unsigned long request, uintptr_t n)
{
    return sys->ioctl(sys->opaque, fd, request, (void *)n);
}
