/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM's own interrupt controllers: what irqchip.c and chips.c share with the engine.  Machine lock held. */
#pragma once

#include "accel/kvm/kvm.h"

/* KVM_SET_GSI_ROUTING with its entries behind it. */
typedef struct KvmRoutes {
    struct kvm_irq_routing head;
    struct kvm_irq_routing_entry entries[2 * IRQCHIP_PINS + KVM_MAX_IRQFDS];
} KvmRoutes;

/* ---- irqchip.c ---- */

/* Decide who has the controllers and make KVM's; before the first vCPU. */
bool kvm_irqchip_create(KvmAccel *k, GError **error);
/* All vCPUs parked.  The controllers' state to KVM and back; 0 or -errno. */
int kvm_irqchip_store(KvmAccel *k);
int kvm_irqchip_fetch(KvmAccel *k);

/* The vCPU's thread, before KvmSys.drain. */
void kvm_irqchip_before_drain(KvmVcpu *v);

/* ---- chips.c: the I/O APIC and the 8259 pair ---- */

int kvm_chips_store(KvmAccel *k);
int kvm_chips_fetch(KvmAccel *k);
