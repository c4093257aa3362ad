/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The KVM engine: making the virtual machine and its vCPUs, pausing and resuming them. */
#include "accel/kvm/irqchip.h"

#include <errno.h>
#include <string.h>

#include "target/x86/cpuid.h"
#include "target/x86/insn.h"
#include "target/x86/tsc.h"
#include "util/log.h"

/* Pages that KVM on Intel processors wants for itself; nothing of a PC is there. */
#define IDENTITY_MAP_ADDR 0xfeffc000ull
#define TSS_ADDR 0xfeffd000ull

static bool fail(GError **error, int r, const char *what)
{
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(-r), "%s: %s", what, g_strerror(-r));
    return false;
}

/* ---- the virtual machine ---- */

/* While vCPUs are stopped by the exclusive section; before the machine runs there are none. */
static void map_changed(void *opaque)
{
    kvm_update_slots(opaque);
    kvm_update_ioevents(opaque);
}

static void ports_changed(void *opaque)
{
    kvm_update_ioevents(opaque);
}

static int create_vm(const KvmAccel *k)
{
    int vm;
    do {
        vm = kvm_ioctl_n(k->sys, k->fd, KVM_CREATE_VM, 0);
    } while (vm == -EINTR);
    return vm;
}

static int enable(const KvmAccel *k, uint32_t what, uint64_t arg)
{
    struct kvm_enable_cap cap = {.cap = what, .args[0] = arg};
    return kvm_ioctl(k->sys, k->vm, KVM_ENABLE_CAP, &cap);
}

static bool set_up_vm(KvmAccel *k, GError **error)
{
    uint64_t identity = IDENTITY_MAP_ADDR;
    int r;
    k->vm = create_vm(k);
    if (k->vm < 0) {
        return fail(error, k->vm, "KVM cannot make a virtual machine");
    }
    r = k->caps.identity_map ? kvm_ioctl(k->sys, k->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) : 0;
    if (r < 0) {
        return fail(error, r, "KVM_SET_IDENTITY_MAP_ADDR");
    }
    r = k->caps.tss_addr ? kvm_ioctl_n(k->sys, k->vm, KVM_SET_TSS_ADDR, TSS_ADDR) : 0;
    if (r < 0) {
        return fail(error, r, "KVM_SET_TSS_ADDR");
    }
    if (k->caps.user_msr) {
        r = enable(k, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_INVAL);
        if (r < 0) {
            return fail(error, r, "KVM does not report unknown model-specific registers");
        }
    }
    /* Without it the guest's programs get #UD for what KVM cannot emulate. */
    r = k->caps.emulation_exit ? enable(k, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1) : 0;
    if (r < 0) {
        return fail(error, r, "KVM does not report instructions that it cannot emulate");
    }
    r = kvm_ioctl_n(k->sys, k->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (r < (int)sizeof(struct kvm_run)) {
        return fail(error, r < 0 ? r : -EINVAL, "KVM_GET_VCPU_MMAP_SIZE");
    }
    k->run_size = (size_t)r;
    return true;
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
    g_ptr_array_free(k->vcpus, true);
    g_free(k);
}

Accel *kvm_new(struct Machine *m, const KvmSys *sys, const char *opts, GError **error)
{
    KvmIrqchip irqchip;
    if (!kvm_options_parse(&irqchip, opts, error)) {
        return NULL;
    }
    if (!insn_table_init(error)) {
        return NULL;
    }
    KvmAccel *k = g_new0(KvmAccel, 1);
    k->accel = (Accel){.ops = &kvm_accel_ops, .machine = m};
    k->sys = sys;
    k->irqchip_option = irqchip;
    k->rescue_features = cpu_features_implemented();
    k->vm = -1;
    k->slots = g_array_new(false, false, sizeof(KvmSlot));
    k->vcpus = g_ptr_array_new();
    kvm_init_ioevents(k);
    k->fd = kvm_probe(sys, &k->caps, error);
    k->host_cpuid = k->fd < 0 ? NULL : kvm_host_cpuid(sys, k->fd, error);
    if (!k->host_cpuid || !set_up_vm(k, error)) {
        kvm_free(k);
        return NULL;
    }
    space_add_listener(m->memory, map_changed, k);
    space_add_listener(m->io, ports_changed, k);
    map_changed(k);
    return &k->accel;
}

static KvmAccel *of(Accel *accel)
{
    return container_of(accel, KvmAccel, accel);
}

/* ---- vCPUs ---- */

static void kick_cpu(X86Cpu *cpu)
{
    KvmVcpu *v = cpu->engine;
    kvm_vcpu_wake(v);
    kvm_vcpu_kick(v);
}

static void kick_gate(void *opaque)
{
    kvm_vcpu_kick(opaque);
}

/* Where the TSC can be scaled it runs at the rate of every engine; elsewhere the guest is told the host's. */
static void choose_tsc_rate(KvmVcpu *v)
{
    KvmAccel *k = v->kvm;
    if (k->caps.tsc_control && kvm_ioctl_n(k->sys, v->fd, KVM_SET_TSC_KHZ, TSC_KHZ) >= 0) {
        k->tsc_khz = TSC_KHZ;
        return;
    }
    int khz = kvm_ioctl_n(k->sys, v->fd, KVM_GET_TSC_KHZ, 0);
    k->tsc_khz = (uint32_t)MAX(khz, 0);
}

static void free_vcpu(KvmVcpu *v)
{
    const KvmSys *sys = v->kvm->sys;
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
    g_mutex_clear(&v->mutex);
    g_cond_clear(&v->cond);
    g_free(v);
}

static bool set_up_vcpu(KvmVcpu *v, GError **error)
{
    KvmAccel *k = v->kvm;
    v->fd = kvm_ioctl_n(k->sys, k->vm, KVM_CREATE_VCPU, v->cpu->index);
    if (v->fd < 0) {
        return fail(error, v->fd, "KVM cannot make a processor");
    }
    v->run = k->sys->map(k->sys->opaque, v->fd, k->run_size);
    if (!v->run) {
        return fail(error, -ENOMEM, "KVM does not show the processor's page");
    }
    if (k->caps.xsave) {
        v->xsave = g_malloc0(k->caps.xsave_size);
    }
    choose_tsc_rate(v);
    if (!kvm_set_cpuid(v, error)) {
        return false;
    }
    if (!k->msrs) {
        kvm_probe_msrs(k, v->fd);
    }
    return true;
}

static bool kvm_vcpu_create(Accel *accel, struct X86Cpu *cpu, GError **error)
{
    KvmAccel *k = of(accel);
    if (cpu->index >= k->caps.max_vcpus) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "the host's KVM runs %u processors a machine at most",
                    k->caps.max_vcpus);
        return false;
    }
    if (k->vcpus->len == 0 && !kvm_irqchip_create(k, error)) {
        return false;
    }
    KvmVcpu *v = g_new0(KvmVcpu, 1);
    v->kvm = k;
    v->cpu = cpu;
    v->fd = -1;
    v->here = v->stop = true;
    v->rescue_burst = 1;
    v->gate = (VcpuGate){.lock = accel->machine->lock, .kick_flag = &cpu->attention, .kick = kick_gate, .opaque = v};
    g_mutex_init(&v->mutex);
    g_cond_init(&v->cond);
    if (!set_up_vcpu(v, error)) {
        free_vcpu(v);
        return false;
    }
    cpu->engine = v;
    cpu->kick = kick_cpu;
    g_autofree char *name = g_strdup_printf("vcpu %u", cpu->index);
    v->thread = g_thread_try_new(name, kvm_vcpu_thread, v, error);
    if (!v->thread) {
        free_vcpu(v);
        return false;
    }
    g_ptr_array_add(k->vcpus, v);
    return true;
}

/* ---- pausing ---- */

static void ask_to_park(KvmVcpu *v, bool quit)
{
    g_mutex_lock(&v->mutex);
    v->stop = true;
    v->quit |= quit;
    g_cond_broadcast(&v->cond);
    g_mutex_unlock(&v->mutex);
    cpu_raise_event(v->cpu, EVENT_STOP);
}

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

/* Ask, then wait with the machine lock released: a vCPU may be waiting for it in a device access. */
static void kvm_pause(Accel *accel)
{
    KvmAccel *k = of(accel);
    for (guint i = 0; i < k->vcpus->len; i++) {
        ask_to_park(g_ptr_array_index(k->vcpus, i), false);
    }
    machine_unlock(accel->machine->lock);
    for (guint i = 0; i < k->vcpus->len; i++) {
        KvmVcpu *v = g_ptr_array_index(k->vcpus, i);
        g_mutex_lock(&v->mutex);
        while (!v->paused) {
            g_cond_wait(&v->cond, &v->mutex);
        }
        g_mutex_unlock(&v->mutex);
    }
    machine_lock(accel->machine->lock);
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

static void kvm_resume(Accel *accel)
{
    KvmAccel *k = of(accel);
    int r = kvm_irqchip_store(k);
    if (r < 0) {
        KvmVcpu *first = g_ptr_array_index(k->vcpus, 0);
        kvm_give_up(first, "KVM does not take the interrupt controllers' state: %s", g_strerror(-r));
        return;
    }
    continue_tsc(k);
    set_clock(k);
    for (guint i = 0; i < k->vcpus->len; i++) {
        KvmVcpu *v = g_ptr_array_index(k->vcpus, i);
        g_mutex_lock(&v->mutex);
        v->stop = v->paused = false;
        __atomic_store_n(&v->cpu->attention, true, __ATOMIC_SEQ_CST);
        g_cond_broadcast(&v->cond);
        g_mutex_unlock(&v->mutex);
    }
}

static void kvm_destroy(Accel *accel)
{
    KvmAccel *k = of(accel);
    space_remove_listener(accel->machine->memory, map_changed, k);
    space_remove_listener(accel->machine->io, ports_changed, k);
    for (guint i = 0; i < k->vcpus->len; i++) {
        KvmVcpu *v = g_ptr_array_index(k->vcpus, i);
        ask_to_park(v, true);
        g_thread_join(v->thread);
    }
    kvm_irqchip_fetch(k);
    for (guint i = 0; i < k->vcpus->len; i++) {
        free_vcpu(g_ptr_array_index(k->vcpus, i));
    }
    kvm_free(k);
}

static void kvm_kick(Accel *accel, struct X86Cpu *cpu)
{
    __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
    kick_cpu(cpu);
}

/* ---- information ---- */

static void kvm_info(Accel *accel, GString *out)
{
    KvmAccel *k = of(accel);
    unsigned slots = 0;
    for (guint n = 0; n < k->slots->len; n++) {
        slots += g_array_index(k->slots, KvmSlot, n).size != 0;
    }
    static const char *const irqchips[] = {"undecided", "off", "split", "on"};
    g_string_append_printf(out, "accelerator: kvm, kernel-irqchip=%s, %u memory slots, %u watched writes, %u model-specific "
                           "registers, TSC at %u kHz\n", irqchips[k->irqchip], slots, k->ioevents->len, k->num_msrs,
                           k->tsc_khz);
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
    .info = kvm_info,
};
