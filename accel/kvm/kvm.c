/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The KVM engine: made, ended, and what it tells about itself. */
#include "accel/kvm/irqchip.h"

#include "target/x86/cpuid.h"
#include "target/x86/insn.h"

/* While vCPUs are stopped by the exclusive section; before the machine runs there are none. */
static void map_changed(void *opaque)
{
    KvmAccel *k = opaque;
    if (k->mapped) {
        kvm_update_slots(k);
        kvm_update_ioevents(k);
        kvm_update_late(k);
    }
}

static void ports_changed(void *opaque)
{
    KvmAccel *k = opaque;
    if (k->mapped) {
        kvm_update_ioevents(k);
        kvm_update_late(k);
    }
}

void kvm_map(KvmAccel *k)
{
    if (!k->mapped) {
        k->mapped = true;
        map_changed(k);
    }
}

static void kvm_free(KvmAccel *k)
{
    if (k->vm >= 0) {
        k->sys->close(k->sys->opaque, k->vm);
    }
    if (k->fd >= 0) {
        k->sys->close(k->sys->opaque, k->fd);
    }
    g_free(k->host_cpuid);
    g_free(k->msrs);
    g_array_free(k->slots, true);
    g_array_free(k->ioevents, true);
    g_array_free(k->late_zones, true);
    g_ptr_array_free(k->vcpus, true);
    g_free(k);
}

Accel *kvm_new(struct Machine *m, const KvmSys *sys, const char *opts, GError **error)
{
    KvmOptions options;
    if (!kvm_options_parse(&options, opts, error)) {
        return NULL;
    }
    if (!insn_table_init(error)) {
        return NULL;
    }
    KvmAccel *k = g_new0(KvmAccel, 1);
    k->accel = (Accel){.ops = &kvm_accel_ops, .machine = m};
    k->sys = sys;
    k->irqchip_option = options.irqchip;
    k->rescue_features = cpu_features_implemented();
    k->vm = -1;
    k->slots = g_array_new(false, false, sizeof(KvmSlot));
    k->vcpus = g_ptr_array_new();
    kvm_init_ioevents(k);
    kvm_init_late(k);
    k->fd = kvm_probe(sys, &k->caps, error);
    k->host_cpuid = k->fd < 0 ? NULL : kvm_host_cpuid(sys, k->fd, error);
    if (!k->host_cpuid || !kvm_set_up_vm(k, error) || !kvm_dirty_init(k, options.dirty_ring, error)) {
        kvm_free(k);
        return NULL;
    }
    space_add_listener(m->memory, map_changed, k);
    space_add_listener(m->io, ports_changed, k);
    dirty_add_engine(m, &k->dirty);
    return &k->accel;
}

static void kvm_destroy(Accel *accel)
{
    KvmAccel *k = kvm_of(accel);
    space_remove_listener(accel->machine->memory, map_changed, k);
    space_remove_listener(accel->machine->io, ports_changed, k);
    for (guint i = 0; i < k->vcpus->len; i++) {
        KvmVcpu *v = g_ptr_array_index(k->vcpus, i);
        vcpu_thread_join(&v->thread);
    }
    kvm_irqchip_fetch(k);
    dirty_remove_engine(accel->machine, &k->dirty);
    for (guint i = 0; i < k->vcpus->len; i++) {
        kvm_vcpu_free(g_ptr_array_index(k->vcpus, i));
    }
    kvm_free(k);
}

/* ---- information ---- */

static void kvm_info(Accel *accel, GString *out)
{
    KvmAccel *k = kvm_of(accel);
    unsigned slots = 0;
    for (guint n = 0; n < k->slots->len; n++) {
        slots += g_array_index(k->slots, KvmSlot, n).size != 0;
    }
    static const char *const irqchips[] = {"undecided", "off", "split", "on"};
    g_string_append_printf(out, "accelerator: kvm, kernel-irqchip=%s, %u memory slots, %u watched writes, %" PRIu64
                           " late writes, %u model-specific registers, TSC at %u kHz\n",
                           irqchips[k->irqchip], slots, k->ioevents->len, k->late_writes, k->num_msrs,
                           k->accel.machine->tsc.khz);
    for (guint i = 0; i < k->vcpus->len; i++) {
        const KvmVcpu *v = g_ptr_array_index(k->vcpus, i);
        g_string_append_printf(out,
                               "cpu %u: %" PRIu64 " runs; exits: %" PRIu64 " port, %" PRIu64 " memory, %" PRIu64
                               " MSR, %" PRIu64 " halt, %" PRIu64 " interrupt window\n"
                               "cpu %u: %" PRIu64 " rescues by the interpreter, %" PRIu64 " instructions; state fetched %"
                               PRIu64 " times\n",
                               i, v->count.runs, v->count.io, v->count.mmio, v->count.msr, v->count.halt,
                               v->count.window, i, v->count.rescues, v->count.rescued, v->count.fetches);
    }
}

/* ---- the host's ---- */

static bool host_usable(GError **error)
{
    return kvm_usable(&kvm_host_sys, error);
}

static bool host_worthwhile(GError **error)
{
    return kvm_worthwhile(&kvm_host_sys, error);
}

static bool host_limit(struct FeatureSet *set, GError **error)
{
    return kvm_limit_features(&kvm_host_sys, set, error);
}

static Accel *host_create(struct Machine *m, const char *opts, GError **error)
{
    return kvm_new(m, &kvm_host_sys, opts, error);
}

const AccelOps kvm_accel_ops = {
    .name = "kvm",
    .desc = "the host's hypervisor",
    .help = kvm_options_help,
    .probe = host_usable,
    .worthwhile = host_worthwhile,
    .limit_features = host_limit,
    .create = host_create,
    .destroy = kvm_destroy,
    .vcpu_create = kvm_vcpu_create,
    .pause = kvm_pause,
    .resume = kvm_resume,
    .kick = kvm_kick,
    .stops_changed = kvm_stops_changed,
    .info = kvm_info,
};
