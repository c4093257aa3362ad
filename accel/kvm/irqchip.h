/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM's own interrupt controllers: what irqchip.c, lapic.c and chips.c share with the engine.  Machine lock held. */
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

/* ---- lapic.c: a local APIC; 0 or -errno ---- */

/* base: of the APIC, as the vCPU's state has it. */
int kvm_lapic_fetch(KvmAccel *k, unsigned cpu, uint64_t base);
int kvm_lapic_store(KvmAccel *k, unsigned cpu);
/* The registers only. */
int kvm_lapic_store_page(const KvmAccel *k, unsigned cpu, const LapicState *state);
/* The vCPU's thread, before KvmSys.drain. */
void kvm_lapic_before_drain(KvmVcpu *v);

/* ---- chips.c: the I/O APIC and the 8259 pair ---- */

int kvm_chips_store(KvmAccel *k);
int kvm_chips_fetch(KvmAccel *k);
/* A local APIC that is not KVM's for the moment has ended this level-triggered interrupt. */
int kvm_chips_eoi(KvmAccel *k, uint8_t vector);
