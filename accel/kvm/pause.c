/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pausing and resuming: vCPUs park, the clocks stand still and go on. */
#include "accel/kvm/irqchip.h"

#include <string.h>

#include "util/log.h"

/* How far the host's clock is ahead of the machine's: more than before if that stood still. */
static int64_t clock_ahead(const KvmAccel *k)
{
    return g_get_monotonic_time() * 1000 - clock_now(k->accel.machine->clock);
}

/* KVM's counter has gone on while the machine's clock stood still: it is set back to where the guest was. */
static void continue_tsc(KvmAccel *k)
{
    if (clock_ahead(k) - k->clock_ahead < NS_PER_MS) {
        return;
    }
    for (guint i = 0; i < k->vcpus->len; i++) {
        ((KvmVcpu *)g_ptr_array_index(k->vcpus, i))->tsc_known = false;
    }
}

void kvm_pause(Accel *accel)
{
    KvmAccel *k = kvm_of(accel);
    vcpu_threads_pause(k->vcpus, accel->machine->lock);
    kvm_deliver_late(k);
    k->clock_ahead = clock_ahead(k);
    int r = kvm_irqchip_fetch(k);
    if (r < 0) {
        log_printf("kvm: the interrupt controllers' state is lost: %s\n", g_strerror(-r));
    }
}

/* The paravirtual clock tells the machine's time, which may have stood still. */
static void set_clock(const KvmAccel *k)
{
    struct kvm_clock_data theirs = {0}, ours = {.clock = (uint64_t)clock_now(k->accel.machine->clock)};
    if (!k->caps.adjust_clock || kvm_ioctl(k->sys, k->vm, KVM_GET_CLOCK, &theirs) < 0) {
        return;
    }
    int64_t ahead = (int64_t)(theirs.clock - ours.clock);
    if (ahead > NS_PER_MS || ahead < -NS_PER_MS) {
        kvm_ioctl(k->sys, k->vm, KVM_SET_CLOCK, &ours);
    }
}

void kvm_resume(Accel *accel)
{
    KvmAccel *k = kvm_of(accel);
    int r = kvm_irqchip_store(k);
    if (r < 0) {
        KvmVcpu *first = g_ptr_array_index(k->vcpus, 0);
        kvm_give_up(first, "KVM does not take the interrupt controllers' state: %s", g_strerror(-r));
        return;
    }
    continue_tsc(k);
    set_clock(k);
    vcpu_threads_resume(k->vcpus);
}
