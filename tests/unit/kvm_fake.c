/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test KVM's system calls. */
#include "tests/unit/kvm_fake.h"

#include <errno.h>
#include <string.h>

enum { FD_KVM = 100, FD_VM, FD_VCPU };

static int fake_open(void *opaque, const char *path)
{
    Fake *f = opaque;
    if (f->open_error) {
        return -f->open_error;
    }
    f->fds++;
    return FD_KVM;
}

static void fake_close(void *opaque, int fd)
{
    Fake *f = opaque;
    g_assert_cmpint(fd, >=, FD_KVM);
    f->fds--;
}

static void *fake_map(void *opaque, int fd, size_t len, uint64_t offset)
{
    Fake *f = opaque;
    void *at = g_malloc0(len);
    f->maps++;
    if (offset) {
        g_assert_cmpuint(offset, ==, KVM_DIRTY_LOG_PAGE_OFFSET * 4096);
        f->ring = at;
        f->ring_size = (unsigned)(len / sizeof(f->ring[0]));
    } else {
        f->run = at;
    }
    return at;
}

static void fake_unmap(void *opaque, void *at, size_t len)
{
    Fake *f = opaque;
    f->maps--;
    if (at == f->ring) {
        f->ring = NULL;
    } else {
        f->run = NULL;
    }
    g_free(at);
}

static void fake_interrupt(void *opaque, pthread_t thread)
{
    (void)opaque; /* KVM_RUN below looks at immediate_exit all the time */
}

static int fake_drain(void *opaque, int fd)
{
    ((Fake *)opaque)->drains++;
    return -EINTR;
}

static int run(Fake *f)
{
    if (__atomic_load_n(&f->run->immediate_exit, __ATOMIC_SEQ_CST)) {
        bool next = f->fragment;
        f->fragment = false;
        return next ? 0 : -EINTR; /* kvm_run still describes the access */
    }
    if (f->storm) {
        return f->storm-- & 1 ? -EINTR : -EAGAIN;
    }
    if (f->script && f->script[f->at]) {
        f->run->ready_for_interrupt_injection = f->run->if_flag = 1;
        return f->script[f->at++](f, f->run);
    }
    __atomic_store_n(&f->done, true, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&f->run->immediate_exit, __ATOMIC_SEQ_CST)) {
        g_usleep(100);
    }
    return -EINTR;
}

static int supported_cpuid(struct kvm_cpuid2 *t)
{
    static const struct kvm_cpuid_entry2 all[] = {
        {.function = 1, .ecx = ~0u, .edx = ~0u},
        {.function = 7, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .ebx = ~0u, .ecx = ~0u, .edx = ~0u},
        {.function = 0xd, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 7},
        {.function = 0xd, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = ~0u},
        {.function = 0xd, .index = 2, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 256, .ebx = 576},
        {.function = 0x80000001, .ecx = ~0u, .edx = ~0u},
    };
    if (t->nent < ARRAY_LEN(all)) {
        return -E2BIG;
    }
    memcpy(t->entries, all, sizeof(all));
    t->nent = ARRAY_LEN(all);
    return 0;
}

/* A TSC that is set to what is less than a second away goes on as it was, as KVM's does. */
static int msrs(Fake *f, bool set, struct kvm_msrs *m)
{
    unsigned moved = MIN(m->nmsrs, f->msr_limit);
    for (unsigned n = 0; n < moved; n++) {
        struct kvm_msr_entry *e = &m->entries[n];
        if (e->index == 0x10 && !set) {
            e->data = f->tsc;
        } else if (e->index == 0x10 && ABS((int64_t)(e->data - f->tsc)) > FAKE_TSC_KHZ * 1000ll) {
            f->tsc = e->data;
        }
    }
    return (int)moved;
}

/* Get is a copy out, set a copy in. */
#define BLOB(name, member)                                                                                            \
    case KVM_GET_##name:                                                                                              \
        memcpy(arg, &f->member, sizeof(f->member));                                                                   \
        return 0;                                                                                                     \
    case KVM_SET_##name:                                                                                              \
        memcpy(&f->member, arg, sizeof(f->member));                                                                   \
        return 0

static int vcpu_ioctl(Fake *f, unsigned long request, void *arg)
{
    switch (request) {
    case KVM_RUN:
        return run(f);
        BLOB(REGS, regs);
        BLOB(SREGS, sregs);
        BLOB(XSAVE, xsave);
        BLOB(FPU, fpu);
        BLOB(XCRS, xcrs);
        BLOB(VCPU_EVENTS, events);
        BLOB(DEBUGREGS, debugregs);
        BLOB(LAPIC, lapic);
        BLOB(MP_STATE, mp);
    case KVM_INTERRUPT:
        if (f->num_vectors < ARRAY_LEN(f->vectors)) {
            f->vectors[f->num_vectors++] = ((struct kvm_interrupt *)arg)->irq;
        }
        return 0;
    case KVM_GET_MSRS:
    case KVM_SET_MSRS:
        return msrs(f, request == KVM_SET_MSRS, arg);
    case KVM_SET_GUEST_DEBUG:
        f->debug = *(struct kvm_guest_debug *)arg;
        f->debug_sets++;
        return f->refuse_debug ? -EINVAL : 0;
    case KVM_GET_TSC_KHZ:
        return FAKE_TSC_KHZ;
    case KVM_SET_CPUID2:
    case KVM_SET_TSC_KHZ:
    case KVM_NMI:
        return 0;
    default:
        return -ENOTTY;
    }
}

static int late_zone(Fake *f, const struct kvm_coalesced_mmio_zone *zone, bool on)
{
    unsigned n = 0;
    if (f->refuse_zones) {
        return -ENOSPC;
    }
    if (on) {
        g_assert_cmpuint(f->num_zones, <, ARRAY_LEN(f->zones));
        f->zones[f->num_zones++] = *zone;
        return 0;
    }
    while (n < f->num_zones && memcmp(&f->zones[n], zone, sizeof(*zone)) != 0) {
        n++;
    }
    g_assert_cmpuint(n, <, f->num_zones); /* only what was registered is taken away */
    memmove(&f->zones[n], &f->zones[n + 1], (--f->num_zones - n) * sizeof(*zone));
    return 0;
}

/* The log of writes. */
static int dirty_ioctl(Fake *f, unsigned long request, void *arg)
{
    const struct kvm_dirty_log *log = arg;
    const struct kvm_clear_dirty_log *clear = arg;
    size_t bytes;
    switch (request) {
    case KVM_GET_DIRTY_LOG:
        if (!(f->slot_flags & KVM_MEM_LOG_DIRTY_PAGES)) {
            return -ENOENT;
        }
        bytes = (f->slot_pages[log->slot] + 63) / 64 * 8;
        memset(log->dirty_bitmap, 0, bytes);
        if (log->slot == 0) {
            memcpy(log->dirty_bitmap, f->dirty, MIN(bytes, sizeof(f->dirty)));
        }
        if (!f->manual_clear) {
            memset(f->dirty, 0, sizeof(f->dirty));
        }
        return 0;
    case KVM_CLEAR_DIRTY_LOG:
        g_assert_true(f->manual_clear);
        g_assert_cmpuint(clear->first_page % 64, ==, 0);
        g_assert_cmpuint(clear->first_page + clear->num_pages, <=, f->slot_pages[clear->slot]);
        f->cleared = *clear;
        for (uint32_t n = 0; clear->slot == 0 && n < (clear->num_pages + 63) / 64; n++) {
            f->dirty[clear->first_page / 64 + n] &= ~((uint64_t *)clear->dirty_bitmap)[n];
        }
        return 0;
    case KVM_RESET_DIRTY_RINGS:
        f->ring_resets++;
        return 1;
    default:
        return -ENOTTY;
    }
}

static int set_slot(Fake *f, const struct kvm_userspace_memory_region *r)
{
    if (r->slot == 0) {
        f->slot_flags = r->flags;
    }
    f->slots += (r->memory_size != 0) - (f->slot_pages[r->slot] != 0);
    f->slot_pages[r->slot] = r->memory_size / 4096;
    return 0;
}

static int ioeventfd(Fake *f, const struct kvm_ioeventfd *io)
{
    unsigned n = 0;
    if (f->refuse_ioevents) {
        return -ENOSPC;
    }
    while (n < f->num_ioevents && (f->ioevents[n].addr != io->addr || f->ioevents[n].fd != io->fd)) {
        n++;
    }
    if (!(io->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)) {
        g_assert_cmpuint(f->num_ioevents, <, ARRAY_LEN(f->ioevents));
        f->ioevents[f->num_ioevents++] = *io;
        return 0;
    }
    g_assert_cmpuint(n, <, f->num_ioevents); /* only what was assigned is taken away */
    f->ioevents[n] = f->ioevents[--f->num_ioevents];
    return 0;
}

/* Interrupt controllers. */
static int irq_ioctl(Fake *f, unsigned long request, void *arg)
{
    struct kvm_irqchip *chip = arg;
    const struct kvm_irq_level *line = arg;
    const struct kvm_irq_routing *routes = arg;
    switch (request) {
    case KVM_CREATE_IRQCHIP:
        f->has_chips = true;
        return 0;
    case KVM_ENABLE_CAP:
        f->split |= ((struct kvm_enable_cap *)arg)->cap == KVM_CAP_SPLIT_IRQCHIP;
        f->manual_clear |= ((struct kvm_enable_cap *)arg)->cap == KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2;
        return 0;
    case KVM_GET_IRQCHIP:
        *chip = f->chips[chip->chip_id];
        return 0;
    case KVM_SET_IRQCHIP:
        f->chips[chip->chip_id] = *chip;
        return 0;
    case KVM_IRQ_LINE:
        f->lines = line->level ? f->lines | BIT(line->irq) : f->lines & ~BIT(line->irq);
        return 0;
    case KVM_SIGNAL_MSI:
        f->msi = *(struct kvm_msi *)arg;
        f->num_msis++;
        return 1;
    case KVM_IRQFD:
        f->num_irqfds += ((struct kvm_irqfd *)arg)->flags & KVM_IRQFD_FLAG_DEASSIGN ? -1u : 1u;
        return 0;
    case KVM_SET_GSI_ROUTING:
        g_assert_cmpuint(routes->nr, <=, ARRAY_LEN(f->routes));
        memcpy(f->routes, routes->entries, routes->nr * sizeof(f->routes[0]));
        f->num_routes = routes->nr;
        return 0;
    default:
        return -ENOTTY;
    }
}

static int capability(const Fake *f, unsigned cap)
{
    switch (cap) {
    case KVM_CAP_XSAVE2:
        return sizeof(struct kvm_xsave);
    case KVM_CAP_COALESCED_MMIO:
        return FAKE_LATE_PAGE;
    case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
        return KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET;
    case KVM_CAP_DIRTY_LOG_RING:
    case KVM_CAP_DIRTY_LOG_RING_ACQ_REL:
        return f->no_rings ? 0 : 65536 * (int)sizeof(struct kvm_dirty_gfn);
    default:
        return 64;
    }
}

static int fake_ioctl(void *opaque, int fd, unsigned long request, void *arg)
{
    Fake *f = opaque;
    f->calls++;
    if (f->fail_at && --f->fail_at == 0) {
        f->failed = request;
        return -f->fail_errno;
    }
    switch (request) {
    case KVM_GET_API_VERSION:
        return f->version;
    case KVM_CHECK_EXTENSION:
        return f->lacks && f->lacks == (unsigned)(uintptr_t)arg ? 0 : capability(f, (unsigned)(uintptr_t)arg);
    case KVM_GET_SUPPORTED_CPUID:
        return supported_cpuid(arg);
    case KVM_GET_VCPU_MMAP_SIZE:
        return FAKE_RUN_SIZE;
    case KVM_CREATE_VM:
    case KVM_CREATE_VCPU:
        f->fds++;
        return request == KVM_CREATE_VM ? FD_VM : FD_VCPU;
    case KVM_SET_USER_MEMORY_REGION:
        return set_slot(f, arg);
    case KVM_GET_DIRTY_LOG:
    case KVM_CLEAR_DIRTY_LOG:
    case KVM_RESET_DIRTY_RINGS:
        return dirty_ioctl(f, request, arg);
    case KVM_GET_CLOCK:
        ((struct kvm_clock_data *)arg)->clock = f->clock;
        return 0;
    case KVM_SET_CLOCK:
        f->clock = ((struct kvm_clock_data *)arg)->clock;
        return 0;
    case KVM_REGISTER_COALESCED_MMIO:
    case KVM_UNREGISTER_COALESCED_MMIO:
        return late_zone(f, arg, request == KVM_REGISTER_COALESCED_MMIO);
    case KVM_IOEVENTFD:
        return ioeventfd(f, arg);
    case KVM_SET_TSS_ADDR:
    case KVM_SET_IDENTITY_MAP_ADDR:
        return 0;
    case KVM_CREATE_IRQCHIP:
    case KVM_ENABLE_CAP:
    case KVM_GET_IRQCHIP:
    case KVM_SET_IRQCHIP:
    case KVM_IRQ_LINE:
    case KVM_SIGNAL_MSI:
    case KVM_IRQFD:
    case KVM_SET_GSI_ROUTING:
        return irq_ioctl(f, request, arg);
    default:
        return vcpu_ioctl(f, request, arg);
    }
}

void fake_init(Fake *f)
{
    *f = (Fake){.version = KVM_API_VERSION, .fail_errno = EINVAL, .msr_limit = KVM_MAX_MSRS + 1};
    f->sys = (KvmSys){.open = fake_open, .ioctl = fake_ioctl, .map = fake_map, .unmap = fake_unmap, .close = fake_close,
                      .interrupt = fake_interrupt, .drain = fake_drain, .opaque = f};
}
