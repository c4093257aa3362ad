/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is there a KVM, may we use it, and what can it do? */
#include <errno.h>

#include "accel/kvm/kvm.h"

#define KVM_PATH "/dev/kvm"
#define OLDEST "Linux 4.13"

static void G_GNUC_PRINTF(2, 3) fail(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, text);
}

static void explain_open(int err, GError **error)
{
    switch (err) {
    case ENOENT:
        fail(error, "%s is absent: load the module kvm_intel or kvm_amd; in a virtual machine, its host must allow nested "
             "virtualisation; in a container, pass --device %s", KVM_PATH, KVM_PATH);
        break;
    case EACCES:
    case EPERM:
        fail(error, "no permission to open %s: join its group (sudo usermod -aG kvm $USER, then log in again)", KVM_PATH);
        break;
    case ENODEV:
    case ENXIO:
        fail(error, "%s has no driver behind it: the processor's virtualisation may be disabled in the firmware "
             "setup (VT-x, SVM)", KVM_PATH);
        break;
    case EBUSY:
        fail(error, "%s is busy: another hypervisor has the processor's virtualisation (VirtualBox, VMware)", KVM_PATH);
        break;
    default:
        fail(error, "cannot open %s: %s", KVM_PATH, g_strerror(err));
        break;
    }
}

static int extension(const KvmSys *sys, int fd, unsigned cap)
{
    int r = kvm_ioctl_n(sys, fd, KVM_CHECK_EXTENSION, cap);
    return MAX(r, 0);
}

static bool check_required(const KvmSys *sys, int fd, GError **error)
{
    static const struct {
        unsigned cap;
        const char *name;
    } required[] = {
        {KVM_CAP_USER_MEMORY, "user memory"},
        {KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "removable memory slots"},
        {KVM_CAP_EXT_CPUID, "extended CPUID"},
        {KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
    };
    int version = kvm_ioctl_n(sys, fd, KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        if (version < 0) {
            fail(error, "%s does not answer: %s", KVM_PATH, g_strerror(-version));
        } else {
            fail(error, "the host's KVM has interface version %d, this program needs %d (%s or newer)", version,
                 KVM_API_VERSION, OLDEST);
        }
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(required); i++) {
        if (!extension(sys, fd, required[i].cap)) {
            fail(error, "the host's KVM is too old: it has no %s (%s or newer has)", required[i].name, OLDEST);
            return false;
        }
    }
    return true;
}

static void read_caps(const KvmSys *sys, int fd, KvmCaps *c)
{
    int xsave2 = extension(sys, fd, KVM_CAP_XSAVE2);
    int ring = extension(sys, fd, KVM_CAP_DIRTY_LOG_RING), ordered_ring = extension(sys, fd, KVM_CAP_DIRTY_LOG_RING_ACQ_REL);
    *c = (KvmCaps){
        .readonly_mem = extension(sys, fd, KVM_CAP_READONLY_MEM),
        .xsave = extension(sys, fd, KVM_CAP_XSAVE),
        .xcrs = extension(sys, fd, KVM_CAP_XCRS),
        .vcpu_events = extension(sys, fd, KVM_CAP_VCPU_EVENTS),
        .intr_shadow = extension(sys, fd, KVM_CAP_INTR_SHADOW),
        .debugregs = extension(sys, fd, KVM_CAP_DEBUGREGS),
        .user_nmi = extension(sys, fd, KVM_CAP_USER_NMI),
        .user_msr = extension(sys, fd, KVM_CAP_X86_USER_SPACE_MSR),
        .emulation_exit = extension(sys, fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE),
        .adjust_clock = extension(sys, fd, KVM_CAP_ADJUST_CLOCK),
        .ioevents = extension(sys, fd, KVM_CAP_IOEVENTFD),
        .ioevent_any = extension(sys, fd, KVM_CAP_IOEVENTFD_ANY_LENGTH),
        .irqchip = extension(sys, fd, KVM_CAP_IRQCHIP) && extension(sys, fd, KVM_CAP_IRQ_ROUTING) &&
                   extension(sys, fd, KVM_CAP_SIGNAL_MSI) && extension(sys, fd, KVM_CAP_IRQFD),
        .split_irqchip = extension(sys, fd, KVM_CAP_SPLIT_IRQCHIP),
        .mp_state = extension(sys, fd, KVM_CAP_MP_STATE),
        .manual_clear = extension(sys, fd, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
        .guest_debug = extension(sys, fd, KVM_CAP_SET_GUEST_DEBUG),
        .late_page = (uint32_t)extension(sys, fd, KVM_CAP_COALESCED_MMIO),
        .late_ports = extension(sys, fd, KVM_CAP_COALESCED_PIO),
        .dirty_ring = (uint32_t)(ordered_ring ? ordered_ring : ring),
        .dirty_ring_cap = ordered_ring ? KVM_CAP_DIRTY_LOG_RING_ACQ_REL : KVM_CAP_DIRTY_LOG_RING,
        .tss_addr = extension(sys, fd, KVM_CAP_SET_TSS_ADDR),
        .identity_map = extension(sys, fd, KVM_CAP_SET_IDENTITY_MAP_ADDR),
        .tsc_control = extension(sys, fd, KVM_CAP_TSC_CONTROL),
        .xsave_size = MAX((size_t)xsave2, sizeof(struct kvm_xsave)),
        .max_slots = (unsigned)extension(sys, fd, KVM_CAP_NR_MEMSLOTS),
        .max_vcpus = (unsigned)extension(sys, fd, KVM_CAP_MAX_VCPUS),
    };
    if (!c->max_slots) {
        c->max_slots = 32;
    }
    if (!c->max_vcpus) {
        c->max_vcpus = MAX((unsigned)extension(sys, fd, KVM_CAP_NR_VCPUS), 4u);
    }
}

int kvm_probe(const KvmSys *sys, KvmCaps *caps, GError **error)
{
    int fd = sys->open(sys->opaque, KVM_PATH);
    if (fd < 0) {
        explain_open(-fd, error);
        return -1;
    }
    if (!check_required(sys, fd, error)) {
        sys->close(sys->opaque, fd);
        return -1;
    }
    read_caps(sys, fd, caps);
    return fd;
}

/* A virtual machine is made, too: on some hosts that is what fails. */
bool kvm_usable(const KvmSys *sys, GError **error)
{
    KvmCaps caps;
    int fd = kvm_probe(sys, &caps, error);
    if (fd < 0) {
        return false;
    }
    int vm = kvm_ioctl_n(sys, fd, KVM_CREATE_VM, 0);
    if (vm == -EBUSY) {
        fail(error, "KVM is busy: another hypervisor has the processor's virtualisation (VirtualBox, VMware)");
    } else if (vm < 0) {
        fail(error, "KVM cannot make a virtual machine: %s", g_strerror(-vm));
    } else {
        sys->close(sys->opaque, vm);
    }
    sys->close(sys->opaque, fd);
    return vm >= 0;
}
