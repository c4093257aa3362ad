/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pausing and resuming: vCPUs park, the clocks stand still and go on. */
#include "accel/kvm/irqchip.h"

#include <string.h>

#include "util/log.h"

void kvm_pause(Accel *accel)
{
    KvmAccel *k = kvm_of(accel);
    vcpu_threads_pause(k->vcpus, accel->machine->lock);
    kvm_deliver_late(k);
    kvm_clocks_stop(k);
    int r = kvm_irqchip_fetch(k);
    if (r < 0) {
        log_printf("kvm: the interrupt controllers' state is lost: %s\n", g_strerror(-r));
    }
}

void kvm_resume(Accel *accel)
{
    KvmAccel *k = kvm_of(accel);
    kvm_map(k);
    int r = kvm_irqchip_store(k);
    if (r < 0) {
        KvmVcpu *first = g_ptr_array_index(k->vcpus, 0);
        kvm_give_up(first, "KVM does not take the interrupt controllers' state: %s", g_strerror(-r));
        return;
    }
    kvm_clocks_start(k);
    vcpu_threads_resume(k->vcpus);
}
