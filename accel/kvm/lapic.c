/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's local APICs: their state from our devices and back.
 * Spec: Intel SDM vol 3, table 11-1 (the register page); Linux Documentation/virt/kvm/api.rst (KVM_GET_LAPIC).
 */
#include <string.h>

#include "accel/kvm/irqchip.h"

enum { REG_ISR = 0x10, REG_IRR = 0x20, REG_LVT_TIMER = 0x32, REG_INITIAL = 0x38, REG_CURRENT = 0x39, MODES = 3 << 17 };

static KvmVcpu *vcpu(const KvmAccel *k, unsigned n)
{
    return g_ptr_array_index(k->vcpus, n);
}

void kvm_lapic_before_drain(KvmVcpu *v)
{
    struct kvm_lapic_state page;
    v->timer_left = 0;
    if (kvm_ioctl(v->kvm->sys, v->fd, KVM_GET_LAPIC, &page) >= 0) {
        memcpy(&v->timer_left, page.regs + REG_CURRENT * 16, sizeof(v->timer_left));
    }
}

/* A timer that expired since, without its vector in the state: KVM had not looked yet.  It fires here at once. */
static void keep_tick(LapicState *s, uint32_t left)
{
    unsigned vector = s->regs[REG_LVT_TIMER] & 0xff;
    bool seen = (s->regs[REG_IRR + vector / 32] | s->regs[REG_ISR + vector / 32]) >> (vector & 31) & 1;
    if (left && !s->regs[REG_CURRENT] && !seen) {
        s->regs[REG_CURRENT] = 1;
    }
}

int kvm_lapic_fetch(KvmAccel *k, unsigned n, uint64_t base)
{
    const Machine *m = k->accel.machine;
    struct kvm_lapic_state page;
    LapicState state = {.base = base};
    int r = kvm_ioctl(k->sys, vcpu(k, n)->fd, KVM_GET_LAPIC, &page);
    if (r < 0) {
        return r;
    }
    for (unsigned i = 0; i < ARRAY_LEN(state.regs); i++) {
        memcpy(&state.regs[i], page.regs + i * 16, sizeof(state.regs[i]));
    }
    keep_tick(&state, vcpu(k, n)->timer_left);
    vcpu(k, n)->timer_left = 0;
    m->irqchip->set_lapic(m->irqchip_opaque, n, &state);
    return 0;
}

int kvm_lapic_store_page(const KvmAccel *k, unsigned n, const LapicState *state)
{
    struct kvm_lapic_state page = {0};
    for (unsigned i = 0; i < ARRAY_LEN(state->regs); i++) {
        memcpy(page.regs + i * 16, &state->regs[i], sizeof(state->regs[i]));
    }
    if (!(state->regs[REG_LVT_TIMER] & MODES) && !state->regs[REG_CURRENT]) {
        memset(page.regs + REG_INITIAL * 16, 0, 4); /* KVM would fire a one-shot timer that has fired once more */
    }
    return kvm_ioctl(k->sys, vcpu(k, n)->fd, KVM_SET_LAPIC, &page);
}

int kvm_lapic_store(KvmAccel *k, unsigned n)
{
    const Machine *m = k->accel.machine;
    KvmVcpu *v = vcpu(k, n);
    LapicState state;
    m->irqchip->get_lapic(m->irqchip_opaque, n, &state);
    int r = kvm_set_apic_base(v, state.base);
    v->apic_base = state.base;
    r = r < 0 ? r : kvm_lapic_store_page(k, n, &state);
    return r < 0 ? r : kvm_set_mp_state(v);
}
