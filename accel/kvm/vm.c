/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making KVM's virtual machine. */
#include "accel/kvm/kvm.h"

#include <errno.h>

/* Pages that KVM on Intel processors wants for itself; nothing of a PC is there. */
#define IDENTITY_MAP_ADDR 0xfeffc000ull
#define TSS_ADDR 0xfeffd000ull

bool kvm_fail(GError **error, int r, const char *what)
{
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(-r), "%s: %s", what, g_strerror(-r));
    return false;
}

static int create_vm(const KvmAccel *k)
{
    int vm;
    do {
        vm = kvm_ioctl_n(k->sys, k->fd, KVM_CREATE_VM, 0);
    } while (vm == -EINTR);
    return vm;
}

int kvm_enable(const KvmAccel *k, uint32_t what, uint64_t arg)
{
    struct kvm_enable_cap cap = {.cap = what, .args[0] = arg};
    return kvm_ioctl(k->sys, k->vm, KVM_ENABLE_CAP, &cap);
}

bool kvm_set_up_vm(KvmAccel *k, GError **error)
{
    uint64_t identity = IDENTITY_MAP_ADDR;
    int r;
    k->vm = create_vm(k);
    if (k->vm < 0) {
        return kvm_fail(error, k->vm, "KVM cannot make a virtual machine");
    }
    r = k->caps.identity_map ? kvm_ioctl(k->sys, k->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) : 0;
    if (r < 0) {
        return kvm_fail(error, r, "KVM_SET_IDENTITY_MAP_ADDR");
    }
    r = k->caps.tss_addr ? kvm_ioctl_n(k->sys, k->vm, KVM_SET_TSS_ADDR, TSS_ADDR) : 0;
    if (r < 0) {
        return kvm_fail(error, r, "KVM_SET_TSS_ADDR");
    }
    if (k->caps.user_msr) {
        r = kvm_enable(k, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_INVAL);
        if (r < 0) {
            return kvm_fail(error, r, "KVM does not report unknown model-specific registers");
        }
    }
    /* Without it the guest's programs get #UD for what KVM cannot emulate. */
    r = k->caps.emulation_exit ? kvm_enable(k, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1) : 0;
    if (r < 0) {
        return kvm_fail(error, r, "KVM does not report instructions that it cannot emulate");
    }
    r = kvm_ioctl_n(k->sys, k->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (r < (int)sizeof(struct kvm_run)) {
        return kvm_fail(error, r < 0 ? r : -EINVAL, "KVM_GET_VCPU_MMAP_SIZE");
    }
    k->run_size = (size_t)r;
    return true;
}
