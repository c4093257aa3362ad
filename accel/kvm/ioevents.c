/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Write notifiers in KVM (KVM_IOEVENTFD): a guest's write sets the eventfd without an exit.  What KVM does not take, by
 * lack of the capability or for this one, comes as an exit, and the memory dispatcher sets the eventfd.
 */
#include "accel/kvm/kvm.h"
#include "hw/core/notify.h"

/* One as KVM has it. */
typedef struct IoEvent {
    uint64_t addr, value;
    int fd;
    uint8_t size;
    bool match, port;
} IoEvent;

static bool same(const IoEvent *a, const IoEvent *b)
{
    return a->addr == b->addr && a->value == b->value && a->fd == b->fd && a->size == b->size && a->match == b->match &&
           a->port == b->port;
}

static bool in_array(const GArray *list, const IoEvent *event)
{
    for (guint i = 0; i < list->len; i++) {
        if (same(&g_array_index(list, IoEvent, i), event)) {
            return true;
        }
    }
    return false;
}

static int tell(const KvmAccel *k, const IoEvent *e, bool on)
{
    struct kvm_ioeventfd io = {
        .datamatch = e->value, .addr = e->addr, .len = e->size, .fd = e->fd,
        .flags = (e->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0u) | (e->port ? KVM_IOEVENTFD_FLAG_PIO : 0u) |
                 (on ? 0u : KVM_IOEVENTFD_FLAG_DEASSIGN),
    };
    return kvm_ioctl(k->sys, k->vm, KVM_IOEVENTFD, &io);
}

/* Those of a range of the flat view. */
static void collect_range(const KvmAccel *k, const FlatRange *r, bool port, GArray *out)
{
    for (unsigned i = 0; i < r->region->num_notifiers; i++) {
        const WriteNotifier *n = &r->region->notifiers[i];
        IoEvent e = {.addr = r->start + (n->offset - r->offset), .value = n->value, .fd = n->fd, .size = n->size,
                     .match = n->match, .port = port};
        bool inside = n->offset >= r->offset && MAX(n->size, 1u) <= r->end - r->start &&
                      n->offset - r->offset <= r->end - r->start - MAX(n->size, 1u);
        if (inside && (n->size || k->caps.ioevent_any)) {
            g_array_append_val(out, e);
        }
    }
}

static void collect(const KvmAccel *k, AddressSpace *space, bool port, GArray *out)
{
    size_t count;
    const FlatRange *ranges = space_ranges(space, &count);
    for (size_t i = 0; i < count; i++) {
        collect_range(k, &ranges[i], port, out);
    }
}

void kvm_update_ioevents(KvmAccel *k)
{
    g_autoptr(GArray) wanted = g_array_new(false, false, sizeof(IoEvent));
    if (!k->caps.ioevents) {
        return;
    }
    collect(k, k->accel.machine->memory, false, wanted);
    collect(k, k->accel.machine->io, true, wanted);
    for (guint i = k->ioevents->len; i-- > 0;) {
        const IoEvent *e = &g_array_index(k->ioevents, IoEvent, i);
        if (!in_array(wanted, e)) {
            tell(k, e, false); /* fails only when its eventfd is closed, which took it out as well */
            g_array_remove_index_fast(k->ioevents, i);
        }
    }
    for (guint i = 0; i < wanted->len; i++) {
        const IoEvent *e = &g_array_index(wanted, IoEvent, i);
        if (!in_array(k->ioevents, e) && tell(k, e, true) >= 0) {
            g_array_append_val(k->ioevents, *e);
        }
    }
}

void kvm_init_ioevents(KvmAccel *k)
{
    k->ioevents = g_array_new(false, false, sizeof(IoEvent));
}
