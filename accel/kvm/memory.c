/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory slots: RAM and ROM of the flat view, as KVM is told about them. */
#include <errno.h>

#include "accel/kvm/kvm.h"
#include "util/log.h"

/* False for what is no memory, or what KVM cannot map: that is served by MMIO exits. */
static bool slot_of_range(const KvmAccel *k, const FlatRange *r, KvmSlot *out)
{
    uint64_t start = (r->start + PAGE_SIZE - 1) & PAGE_MASK, end = r->end & PAGE_MASK;
    if (r->region->kind == REGION_IO || start >= end ||
        (r->region->kind == REGION_ROM && !k->caps.readonly_mem)) {
        return false;
    }
    uint8_t *host = r->region->host + r->offset + (start - r->start);
    if ((uintptr_t)host & ~PAGE_MASK) {
        return false;
    }
    *out = (KvmSlot){.start = start, .size = end - start, .host = host, .readonly = r->region->kind == REGION_ROM};
    return true;
}

static bool same_slot(const KvmSlot *a, const KvmSlot *b)
{
    return a->start == b->start && a->size == b->size && a->host == b->host && a->readonly == b->readonly;
}

static bool in_array(const GArray *list, const KvmSlot *slot)
{
    for (guint i = 0; i < list->len; i++) {
        if (same_slot(&g_array_index(list, KvmSlot, i), slot)) {
            return true;
        }
    }
    return false;
}

static int tell(const KvmAccel *k, unsigned number, const KvmSlot *slot)
{
    struct kvm_userspace_memory_region region = {
        .slot = number,
        .flags = slot->readonly ? KVM_MEM_READONLY : k->logging ? KVM_MEM_LOG_DIRTY_PAGES : 0,
        .guest_phys_addr = slot->start,
        .memory_size = slot->size,
        .userspace_addr = (uintptr_t)slot->host,
    };
    return kvm_ioctl(k->sys, k->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static unsigned free_slot(const KvmAccel *k)
{
    unsigned n = 0;
    while (n < k->slots->len && g_array_index(k->slots, KvmSlot, n).size) {
        n++;
    }
    return n;
}

static void add_slot(KvmAccel *k, const KvmSlot *slot)
{
    unsigned n = free_slot(k);
    int r = n < k->caps.max_slots ? tell(k, n, slot) : -ENOSPC;
    if (r < 0) {
        /* Without a slot every access is an exit: slow, and code there runs in the interpreter, but nothing is wrong. */
        log_printf("kvm: no slot for memory at 0x%" PRIx64 ", 0x%" PRIx64 " bytes: %s\n", slot->start, slot->size,
                   g_strerror(-r));
        return;
    }
    if (n == k->slots->len) {
        g_array_append_val(k->slots, *slot);
    } else {
        g_array_index(k->slots, KvmSlot, n) = *slot;
    }
}

/* What stays is left alone: only what changed costs anything. */
static void remove_old(KvmAccel *k, const GArray *wanted)
{
    for (guint n = 0; n < k->slots->len; n++) {
        KvmSlot *slot = &g_array_index(k->slots, KvmSlot, n);
        if (slot->size && !in_array(wanted, slot)) {
            KvmSlot none = *slot;
            none.size = 0;
            int r = tell(k, n, &none);
            if (r < 0) {
                log_printf("kvm: a memory slot cannot be removed: %s\n", g_strerror(-r));
                continue;
            }
            slot->size = 0;
        }
    }
}

void kvm_tell_slots(KvmAccel *k)
{
    for (unsigned n = 0; n < k->slots->len; n++) {
        const KvmSlot *slot = &g_array_index(k->slots, KvmSlot, n);
        int r = slot->size && !slot->readonly ? tell(k, n, slot) : 0;
        if (r < 0) {
            log_printf("kvm: writes to memory at 0x%" PRIx64 " cannot be logged: %s\n", slot->start, g_strerror(-r));
        }
    }
}

/* ---- the A20 gate ---- */

/*
 * While the gate is shut address bit 20 is 0 on its way out of the processor.  What is then in reach of real mode has slots: the
 * first MiB, and once more where the second one was.  All else is exits, whose addresses are masked, and code there is
 * interpreted; page tables would have to be in the first MiB.
 */
static void add_wanted(const KvmAccel *k, KvmSlot slot, GArray *wanted)
{
    if (k->a20_shut) {
        if (slot.start >= MIB) {
            return;
        }
        slot.size = MIN(slot.size, MIB - slot.start);
        KvmSlot again = slot;
        again.start += MIB;
        g_array_append_val(wanted, again);
    }
    g_array_append_val(wanted, slot);
}

void kvm_look_at_a20(KvmVcpu *v)
{
    KvmAccel *k = v->kvm;
    MachineLock *lock = k->accel.machine->lock;
    if (likely((v->cpu->a20_mask != UINT64_MAX) == k->a20_shut)) {
        return;
    }
    exclusive_begin(lock);
    k->a20_shut = v->cpu->a20_mask != UINT64_MAX;
    kvm_update_slots(k);
    exclusive_end(lock);
}

void kvm_update_slots(KvmAccel *k)
{
    kvm_collect_dirty(k);
    g_autoptr(GArray) wanted = g_array_new(false, false, sizeof(KvmSlot));
    size_t count;
    const FlatRange *ranges = space_ranges(k->accel.machine->memory, &count);
    for (size_t i = 0; i < count; i++) {
        KvmSlot slot;
        if (slot_of_range(k, &ranges[i], &slot)) {
            add_wanted(k, slot, wanted);
        }
    }
    remove_old(k, wanted);
    for (guint i = 0; i < wanted->len; i++) {
        const KvmSlot *slot = &g_array_index(wanted, KvmSlot, i);
        if (!in_array(k->slots, slot)) {
            add_slot(k, slot);
        }
    }
}
