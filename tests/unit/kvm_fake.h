/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A KVM for tests: it keeps what it is given, runs a script of exits instead of a guest, lacks what it is told to lack
 * and fails where it is told to.
 */
#pragma once

#include <linux/kvm.h>

#include "accel/kvm/kvm.h"

typedef struct Fake Fake;

/* One KVM_RUN: fill in run and return 0, or -errno. */
typedef int FakeExit(Fake *f, struct kvm_run *run);

struct Fake {
    KvmSys sys;
    int open_error;              /* errno of open(), 0: works */
    int version;
    unsigned lacks;              /* a KVM_CAP_*, 0: none */
    unsigned fail_at;            /* the n-th ioctl from now fails, 1 is the next; 0: none */
    int fail_errno;
    unsigned long failed;        /* the request that did; 0: none yet */
    unsigned calls;              /* ioctls so far */
    bool fragment;               /* finishing an exit asks for the next piece of the same access, once */
    int storm;                   /* so many KVM_RUNs return -EINTR and -EAGAIN in turn */
    unsigned msr_limit;          /* KVM_SET_MSRS takes only so many at once */
    FakeExit *const *script;     /* NULL-terminated */
    unsigned at;                 /* the next exit of it */
    bool done;                   /* atomic: the script has ended */
    int fds, maps;               /* open now: 0 in the end */
    unsigned vectors[8], num_vectors; /* of KVM_INTERRUPT */
    unsigned slots;              /* in use */
    uint64_t slot_pages[64];     /* 0: no such slot */
    struct kvm_ioeventfd ioevents[8]; /* as assigned */
    unsigned num_ioevents;
    bool refuse_ioevents, refuse_zones;
    struct kvm_coalesced_mmio_zone zones[8]; /* for late writes, as registered */
    unsigned num_zones;
    bool has_chips, split;       /* KVM_CREATE_IRQCHIP, KVM_CAP_SPLIT_IRQCHIP */
    struct kvm_lapic_state lapic;
    struct kvm_mp_state mp;
    struct kvm_irqchip chips[3];
    unsigned drains;
    uint64_t tsc;                /* stands still but for KVM_SET_MSRS */
    uint64_t clock;              /* KVM_SET_CLOCK */
    uint32_t lines;              /* KVM_IRQ_LINE */
    struct kvm_msi msi;          /* the last */
    unsigned num_msis, num_irqfds, num_routes;
    struct kvm_irq_routing_entry routes[64];
    struct kvm_run *run;
    struct kvm_dirty_gfn *ring;  /* mapped: ring_size entries */
    unsigned ring_size;
    uint64_t dirty[16];          /* the bitmap of slot 0, up to 1024 pages */
    uint32_t slot_flags;         /* of slot 0 */
    bool manual_clear;           /* enabled: reading it clears nothing */
    struct kvm_clear_dirty_log cleared; /* the last KVM_CLEAR_DIRTY_LOG */
    unsigned ring_resets;
    bool no_rings;               /* neither capability */
    void *opaque;                /* the script's */
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_xsave xsave;
    struct kvm_fpu fpu;
    struct kvm_xcrs xcrs;
    struct kvm_vcpu_events events;
    struct kvm_debugregs debugregs;
    struct kvm_guest_debug debug; /* as set last */
    unsigned debug_sets;
    bool refuse_debug;
};

#define FAKE_RUN_SIZE 12288
#define FAKE_LATE_PAGE 2 /* of the ring of late writes in it */
#define FAKE_TSC_KHZ 3000000

void fake_init(Fake *f);
