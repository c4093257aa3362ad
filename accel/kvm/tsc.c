/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's TSC and paravirtual clock in KVM.  The machine's clock says what they show; KVM's counters run on by
 * themselves between two pauses, a few parts in a million faster or slower.  What the guest may have seen stays behind it:
 * where KVM was ahead, the machine's are put forward.
 * Spec: Linux Documentation/virt/kvm/api.rst (KVM_SET_TSC_KHZ, KVM_SET_CLOCK), x86/timekeeping.rst.
 */
#include "accel/kvm/kvm.h"
#include "target/x86/msr.h"
#include "target/x86/tsc.h"

/* KVM's tolerance, too: closer rates are one. */
#define RATE_TOLERANCE 4000

static bool same_rate(uint32_t a, uint32_t b)
{
    return ABS((int64_t)a - b) <= a / RATE_TOLERANCE;
}

bool kvm_choose_tsc_rate(KvmVcpu *v, GError **error)
{
    Machine *m = v->kvm->accel.machine;
    int khz = kvm_ioctl_n(v->kvm->sys, v->fd, KVM_GET_TSC_KHZ, 0);
    v->kvm->tsc_khz = (uint32_t)MAX(khz, 0);
    if (khz > 0 && run_state(m->run) == RUN_PRELAUNCH) {
        m->tsc = tick_rate((uint32_t)khz); /* nobody has seen another */
    }
    if (khz <= 0 || same_rate(m->tsc.khz, (uint32_t)khz)) {
        return true;
    }
    if (v->kvm->caps.tsc_control && kvm_ioctl_n(v->kvm->sys, v->fd, KVM_SET_TSC_KHZ, m->tsc.khz) >= 0) {
        v->kvm->tsc_khz = m->tsc.khz;
        return true;
    }
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                "the guest's time stamp counter runs at %u kHz, which this host's KVM, at %d kHz, cannot do", m->tsc.khz, khz);
    return false;
}

/* ---- the counter of one vCPU ---- */

void kvm_tsc_fetched(KvmVcpu *v, uint64_t value, uint64_t moved)
{
    X86Cpu *cpu = v->cpu;
    cpu->msr.tsc_offset += (int64_t)moved;
    int64_t ahead = (int64_t)(value - cpu_read_tsc(cpu));
    if (ahead > 0) {
        cpu->msr.tsc_offset += ahead;
        v->tsc_ahead += ahead;
    }
    v->tsc_offset = cpu->msr.tsc_offset;
}

/* 0: KVM does not tell, or does not take it. */
static uint64_t move_tsc(const KvmVcpu *v, unsigned long request, uint64_t value)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } b = {.head.nmsrs = 1, .entry = {.index = MSR_TSC, .data = value}};
    return kvm_ioctl(v->kvm->sys, v->fd, request, &b) == 1 ? b.entry.data : 0;
}

/*
 * KVM takes a value within a second of what it expects for an attempt to make the vCPUs' counters equal, and lets them run on as
 * they are.  So it is led away first; and that is how the others become exactly equal to the first.
 */
static void set_tsc(KvmVcpu *v, bool as_first)
{
    enum { FAR_SHIFT = 42 };
    if (!as_first) {
        move_tsc(v, KVM_SET_MSRS, cpu_read_tsc(v->cpu) + BIT64(FAR_SHIFT));
    }
    move_tsc(v, KVM_SET_MSRS, cpu_read_tsc(v->cpu));
    v->tsc_offset = v->cpu->msr.tsc_offset;
}

void kvm_tsc_store(KvmVcpu *v)
{
    if (v->tsc_offset != v->cpu->msr.tsc_offset) {
        set_tsc(v, false);
    }
}

/* ---- all of them ---- */

static KvmVcpu *vcpu(const KvmAccel *k, unsigned n)
{
    return g_ptr_array_index(k->vcpus, n);
}

/* Each was compared with the clock at another moment; they go forward by the same. */
static void go_forward(const KvmAccel *k)
{
    int64_t most = 0, second = (int64_t)k->accel.machine->tsc.khz * 1000;
    for (guint n = 0; n < k->vcpus->len; n++) {
        most = MAX(most, vcpu(k, n)->tsc_ahead);
    }
    for (guint n = 0; n < k->vcpus->len; n++) {
        KvmVcpu *v = vcpu(k, n);
        if (most - v->tsc_ahead < second) { /* else the guest has set them apart */
            v->cpu->msr.tsc_offset += most - v->tsc_ahead;
        }
        v->tsc_offset = v->cpu->msr.tsc_offset;
        v->tsc_ahead = 0;
    }
}

void kvm_clocks_stop(KvmAccel *k)
{
    Machine *m = k->accel.machine;
    struct kvm_clock_data theirs = {0};
    go_forward(k);
    if (k->caps.adjust_clock && kvm_ioctl(k->sys, k->vm, KVM_GET_CLOCK, &theirs) >= 0) {
        int64_t ahead = (int64_t)theirs.clock - clock_now(m->clock);
        m->pvclock_ahead = MAX(m->pvclock_ahead, ahead);
    }
}

void kvm_clocks_start(KvmAccel *k)
{
    const Machine *m = k->accel.machine;
    for (guint n = 0; n < k->vcpus->len; n++) {
        set_tsc(vcpu(k, n), n != 0 && vcpu(k, n)->cpu->msr.tsc_offset == vcpu(k, 0)->cpu->msr.tsc_offset);
    }
    /* Some do not let themselves be set: then the machine's follow before the guest sees any. */
    for (guint n = 0; n < k->vcpus->len; n++) {
        kvm_tsc_fetched(vcpu(k, n), move_tsc(vcpu(k, n), KVM_GET_MSRS, 0), 0);
    }
    go_forward(k);
    struct kvm_clock_data ours = {.clock = (uint64_t)(clock_now(m->clock) + m->pvclock_ahead)};
    if (k->caps.adjust_clock) {
        kvm_ioctl(k->sys, k->vm, KVM_SET_CLOCK, &ours);
    }
}
