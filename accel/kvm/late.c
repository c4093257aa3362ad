/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes that may be late (region_allow_late()): KVM keeps them in a ring without an exit, and whoever looks next delivers
 * them all.  A full ring, or a KVM that has none, makes them exits as any other.
 * Spec: Linux Documentation/virt/kvm/api.rst, KVM_(UN)REGISTER_COALESCED_MMIO.
 */
#include <string.h>

#include "accel/kvm/kvm.h"

/* ---- zones ---- */

static bool same(const struct kvm_coalesced_mmio_zone *a, const struct kvm_coalesced_mmio_zone *b)
{
    return a->addr == b->addr && a->size == b->size && a->pio == b->pio;
}

static bool in_array(const GArray *list, const struct kvm_coalesced_mmio_zone *zone)
{
    for (guint i = 0; i < list->len; i++) {
        if (same(&g_array_index(list, struct kvm_coalesced_mmio_zone, i), zone)) {
            return true;
        }
    }
    return false;
}

static void collect(AddressSpace *space, bool ports, GArray *out)
{
    size_t count;
    const FlatRange *r = space_ranges(space, &count);
    for (size_t i = 0; i < count; i++, r++) {
        uint64_t low = MAX(r->region->late_start, r->offset);
        uint64_t high = MIN(r->region->late_start + r->region->late_len, r->offset + (r->end - r->start));
        if (low < high) {
            struct kvm_coalesced_mmio_zone zone = {.addr = r->start + (low - r->offset), .size = (uint32_t)(high - low),
                                                   .pio = ports};
            g_array_append_val(out, zone);
        }
    }
}

void kvm_update_late(KvmAccel *k)
{
    g_autoptr(GArray) wanted = g_array_new(false, false, sizeof(struct kvm_coalesced_mmio_zone));
    if (k->caps.late_page) {
        collect(k->accel.machine->memory, false, wanted);
    }
    if (k->caps.late_page && k->caps.late_ports) {
        collect(k->accel.machine->io, true, wanted);
    }
    for (guint i = k->late_zones->len; i-- > 0;) {
        struct kvm_coalesced_mmio_zone *zone = &g_array_index(k->late_zones, struct kvm_coalesced_mmio_zone, i);
        if (!in_array(wanted, zone) && kvm_ioctl(k->sys, k->vm, KVM_UNREGISTER_COALESCED_MMIO, zone) >= 0) {
            g_array_remove_index_fast(k->late_zones, i);
        }
    }
    for (guint i = 0; i < wanted->len; i++) {
        struct kvm_coalesced_mmio_zone *zone = &g_array_index(wanted, struct kvm_coalesced_mmio_zone, i);
        if (!in_array(k->late_zones, zone) && kvm_ioctl(k->sys, k->vm, KVM_REGISTER_COALESCED_MMIO, zone) >= 0) {
            g_array_append_val(k->late_zones, *zone);
        }
    }
}

void kvm_init_late(KvmAccel *k)
{
    k->late_zones = g_array_new(false, false, sizeof(struct kvm_coalesced_mmio_zone));
}

/* ---- the ring ---- */

void kvm_late_map(KvmVcpu *v)
{
    KvmAccel *k = v->kvm;
    size_t at = k->caps.late_page * PAGE_SIZE;
    if (at && !k->late && at + PAGE_SIZE <= k->run_size) {
        k->late = (struct kvm_coalesced_mmio_ring *)(void *)((uint8_t *)v->run + at);
    }
}

static void deliver(const KvmAccel *k, const struct kvm_coalesced_mmio *e)
{
    const Machine *m = k->accel.machine;
    uint64_t value = 0;
    if (e->len >= 1 && e->len <= sizeof(e->data)) {
        memcpy(&value, e->data, e->len);
        space_write(e->pio ? m->io : m->memory, e->phys_addr, value, e->len);
    }
}

/* Under the lock from the first to the last, so that no other processor's access comes in between. */
static void deliver_all(KvmAccel *k)
{
    struct kvm_coalesced_mmio_ring *ring = k->late;
    machine_lock(k->accel.machine->lock);
    while (ring->first != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE)) {
        if (ring->first >= KVM_COALESCED_MMIO_MAX) { /* KVM's page, but not a place in it */
            ring->first = 0;
            break;
        }
        struct kvm_coalesced_mmio e = ring->coalesced_mmio[ring->first];
        __atomic_store_n(&ring->first, (ring->first + 1) % KVM_COALESCED_MMIO_MAX, __ATOMIC_RELEASE);
        k->late_writes++;
        deliver(k, &e);
    }
    machine_unlock(k->accel.machine->lock);
}

void kvm_deliver_late(KvmAccel *k)
{
    const struct kvm_coalesced_mmio_ring *ring = k->late;
    if (ring && __atomic_load_n(&ring->first, __ATOMIC_ACQUIRE) != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE)) {
        deliver_all(k);
    }
}
