/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's own log of what the guest writes, added to RAM's (softmmu/core/dirty.h): a bitmap a slot, or, as an option, a ring a
 * vCPU.  Slots are logged only while somebody asks.
 * Spec: Linux Documentation/virt/kvm/api.rst, KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG, KVM_CAP_DIRTY_LOG_RING.
 */
#include <errno.h>

#include "accel/kvm/kvm.h"
#include "target/x86/mem.h"
#include "util/log.h"

#define RING_OFFSET (KVM_DIRTY_LOG_PAGE_OFFSET * PAGE_SIZE)

/* ---- bitmaps ---- */

static void mark(const KvmAccel *k, uint8_t *host)
{
    Ram *ram = k->accel.machine->ram;
    if (ram_owns(ram, host)) {
        ram_mark_dirty(ram_page(ram, host));
    }
}

/*
 * Where KVM clears what it is told to, only that is protected and reported again; elsewhere reading the bitmap clears all of
 * it, so that all of it is taken.
 */
static int clear(const KvmAccel *k, unsigned number, uint64_t first, uint64_t count, uint64_t *bitmap)
{
    struct kvm_clear_dirty_log log = {.slot = number, .num_pages = (uint32_t)count, .first_page = first,
                                      .dirty_bitmap = bitmap + first / 64};
    return k->manual_clear ? kvm_ioctl(k->sys, k->vm, KVM_CLEAR_DIRTY_LOG, &log) : 0;
}

/* Pages first..end - 1 of a slot. */
static void collect_bitmap(const KvmAccel *k, unsigned number, uint64_t first, uint64_t end)
{
    const KvmSlot *slot = &g_array_index(k->slots, KvmSlot, number);
    uint64_t pages = slot->size >> PAGE_SHIFT;
    g_autofree uint64_t *bitmap = g_new0(uint64_t, (pages + 63) / 64);
    struct kvm_dirty_log log = {.slot = number, .dirty_bitmap = bitmap};
    if (k->manual_clear) { /* in words, but for the last */
        first &= ~63ull;
        end = MIN((end + 63) & ~63ull, pages);
    } else {
        first = 0;
        end = pages;
    }
    int r = kvm_ioctl(k->sys, k->vm, KVM_GET_DIRTY_LOG, &log);
    if (r >= 0) {
        r = clear(k, number, first, end - first, bitmap);
    }
    if (r < 0) {
        log_printf("kvm: the log of writes to a slot is lost, all of it counts as written: %s\n", g_strerror(-r));
    }
    for (uint64_t n = first; n < end; n++) {
        if (r < 0 || (bitmap[n / 64] >> n % 64 & 1)) {
            mark(k, slot->host + (n << PAGE_SHIFT));
        }
    }
}

/* What of a slot is in pages [first, first + count) of RAM. */
static void collect_slot(const KvmAccel *k, unsigned number, uint64_t first, uint64_t count)
{
    const KvmSlot *slot = &g_array_index(k->slots, KvmSlot, number);
    const Ram *ram = k->accel.machine->ram;
    if (!slot->size || slot->readonly || !ram_owns(ram, slot->host)) {
        return;
    }
    uint64_t base = (uint64_t)(slot->host - ram->host) >> PAGE_SHIFT, pages = slot->size >> PAGE_SHIFT;
    uint64_t low = MAX(first, base), high = MIN(first + count, base + pages);
    if (low < high) {
        collect_bitmap(k, number, low - base, high - base);
    }
}

/* ---- rings ---- */

/* What KVM has put into the vCPU's ring, which may be filled again.  Its vCPU does not run.  How many entries there were. */
static uint32_t harvest(KvmVcpu *v)
{
    const KvmAccel *k = v->kvm;
    uint32_t start = v->ring_at;
    for (;;) {
        struct kvm_dirty_gfn *e = &v->ring[v->ring_at & (k->ring_size - 1)];
        if (!(__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY)) {
            return v->ring_at - start;
        }
        const KvmSlot *slot = e->slot < k->slots->len ? &g_array_index(k->slots, KvmSlot, e->slot) : NULL;
        if (slot && e->offset < slot->size >> PAGE_SHIFT) {
            mark(k, slot->host + (e->offset << PAGE_SHIFT));
        }
        __atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
        v->ring_at++;
    }
}

static int reset_rings(const KvmAccel *k)
{
    int r = kvm_ioctl_n(k->sys, k->vm, KVM_RESET_DIRTY_RINGS, 0);
    return MIN(r, 0);
}

/* A KVM that emulates may write past the end of its ring before it exits, which it does not recover from. */
void kvm_ring_full(KvmVcpu *v)
{
    int r = -ENOTTY;
    if (v->ring) {
        r = harvest(v) ? reset_rings(v->kvm) : -ENOSPC;
    }
    if (r < 0) {
        kvm_give_up(v, "KVM's log of writes (dirty-ring-size) is full and cannot be emptied: %s", g_strerror(-r));
    }
}

bool kvm_ring_map(KvmVcpu *v, GError **error)
{
    const KvmAccel *k = v->kvm;
    if (k->ring_size) {
        v->ring = k->sys->map(k->sys->opaque, v->fd, k->ring_size * sizeof(*v->ring), RING_OFFSET);
    }
    return !k->ring_size || v->ring || kvm_fail(error, -ENOMEM, "KVM does not show the processor's log of writes");
}

void kvm_ring_unmap(KvmVcpu *v)
{
    if (v->ring) {
        v->kvm->sys->unmap(v->kvm->sys->opaque, v->ring, v->kvm->ring_size * sizeof(*v->ring));
    }
}

/* ---- both ---- */

static void collect(void *opaque, uint64_t first, uint64_t count)
{
    KvmAccel *k = opaque;
    if (!k->ring_size) {
        for (unsigned n = 0; n < k->slots->len; n++) {
            collect_slot(k, n, first, count);
        }
        return;
    }
    for (guint i = 0; i < k->vcpus->len; i++) {
        harvest(g_ptr_array_index(k->vcpus, i));
    }
    int r = reset_rings(k);
    if (r < 0) {
        log_printf("kvm: the log of writes is not begun anew: %s\n", g_strerror(-r));
    }
}

void kvm_collect_dirty(KvmAccel *k)
{
    if (k->logging) {
        collect(k, 0, k->accel.machine->ram->size >> PAGE_SHIFT);
    }
}

/* The interpreter's rescues write by way of the TLB. */
static void changed(void *opaque)
{
    KvmAccel *k = opaque;
    const Machine *m = k->accel.machine;
    if (k->logging != m->ram->logged) {
        k->logging = m->ram->logged;
        kvm_tell_slots(k);
    }
    for (unsigned n = 0; n < m->num_cpus; n++) {
        tlb_flush_all(m->cpus[n]);
    }
}

/* ---- set-up ---- */

/* A larger ring than KVM takes becomes the largest: it only exits more often. */
static bool enable_ring(KvmAccel *k, uint32_t wanted, GError **error)
{
    uint32_t most = k->caps.dirty_ring / sizeof(struct kvm_dirty_gfn);
    if (!most) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "dirty-ring-size: the host's KVM has no rings for the log of writes; leave the option out");
        return false;
    }
    k->ring_size = MIN(wanted, most);
    int r = kvm_enable(k, k->caps.dirty_ring_cap, k->ring_size * sizeof(struct kvm_dirty_gfn));
    return r >= 0 || kvm_fail(error, r, "KVM does not make rings for the log of writes");
}

bool kvm_dirty_init(KvmAccel *k, uint32_t ring_size, GError **error)
{
    if (ring_size && !enable_ring(k, ring_size, error)) {
        return false;
    }
    k->manual_clear = !ring_size && k->caps.manual_clear &&
                      kvm_enable(k, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE) >= 0;
    k->dirty = (DirtyEngine){.changed = changed, .collect = collect, .opaque = k};
    k->logging = k->accel.machine->ram->logged;
    return true;
}
