/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and freeing KVM's vCPUs. */
#include "accel/kvm/irqchip.h"

#include <errno.h>

static void kick_cpu(X86Cpu *cpu)
{
    KvmVcpu *v = cpu->engine;
    vcpu_wake(&v->thread);
    kvm_vcpu_kick(v);
}

static void kick_gate(void *opaque)
{
    kvm_vcpu_kick(opaque);
}

void kvm_vcpu_free(KvmVcpu *v)
{
    const KvmSys *sys = v->kvm->sys;
    kvm_ring_unmap(v);
    if (v->run) {
        sys->unmap(sys->opaque, v->run, v->kvm->run_size);
    }
    if (v->fd >= 0) {
        sys->close(sys->opaque, v->fd);
    }
    if (v->cpu->engine == v) {
        v->cpu->engine = NULL;
        v->cpu->kick = NULL;
    }
    g_free(v->xsave);
    vcpu_thread_fini(&v->thread);
    g_free(v);
}

static bool set_up_vcpu(KvmVcpu *v, GError **error)
{
    KvmAccel *k = v->kvm;
    v->fd = kvm_ioctl_n(k->sys, k->vm, KVM_CREATE_VCPU, v->cpu->index);
    if (v->fd < 0) {
        return kvm_fail(error, v->fd, "KVM cannot make a processor");
    }
    v->run = k->sys->map(k->sys->opaque, v->fd, k->run_size, 0);
    if (!v->run) {
        return kvm_fail(error, -ENOMEM, "KVM does not show the processor's page");
    }
    kvm_late_map(v);
    if (!kvm_ring_map(v, error)) {
        return false;
    }
    if (k->caps.xsave) {
        v->xsave = g_malloc0(k->caps.xsave_size);
    }
    if (!kvm_choose_tsc_rate(v, error) || !kvm_set_cpuid(v, error)) {
        return false;
    }
    if (!k->msrs) {
        kvm_probe_msrs(k, v->fd);
    }
    return true;
}

bool kvm_vcpu_create(Accel *accel, struct X86Cpu *cpu, GError **error)
{
    KvmAccel *k = kvm_of(accel);
    if (cpu->index >= k->caps.max_vcpus) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "the host's KVM runs %u processors a machine at most",
                    k->caps.max_vcpus);
        return false;
    }
    if (k->vcpus->len == 0 && !kvm_irqchip_create(k, error)) {
        return false;
    }
    KvmVcpu *v = g_new0(KvmVcpu, 1);
    vcpu_thread_init(&v->thread, cpu, kick_gate, v);
    v->kvm = k;
    v->cpu = cpu;
    v->fd = -1;
    v->here = true;
    v->rescue_burst = 1;
    v->points_stale = cpu->stops != NULL;
    if (!set_up_vcpu(v, error)) {
        kvm_vcpu_free(v);
        return false;
    }
    cpu->engine = v;
    cpu->kick = kick_cpu;
    if (!vcpu_thread_start(&v->thread, kvm_vcpu_run, v, error)) {
        kvm_vcpu_free(v);
        return false;
    }
    g_ptr_array_add(k->vcpus, v);
    return true;
}

void kvm_kick(Accel *accel, struct X86Cpu *cpu)
{
    __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
    kick_cpu(cpu);
}
