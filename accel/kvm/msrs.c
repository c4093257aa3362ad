/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Model-specific registers between X86Cpu and KVM: those that this KVM knows; the others are served by exits. */
#include "accel/kvm/kvm.h"
#include "target/x86/msr.h"
#include "target/x86/pvclock.h"

typedef struct MsrRow {
    uint32_t msr;
    size_t offset; /* of a uint64_t in X86Cpu */
} MsrRow;

#define ROW(number, member) {number, offsetof(X86Cpu, member)}
static const MsrRow rows[] = {
    ROW(MSR_STAR, msr.star),
    ROW(MSR_LSTAR, msr.lstar),
    ROW(MSR_CSTAR, msr.cstar),
    ROW(MSR_FMASK, msr.fmask),
    ROW(MSR_KERNEL_GS_BASE, msr.kernel_gs_base),
    ROW(MSR_TSC_AUX, msr.tsc_aux),
    ROW(MSR_SYSENTER_CS, msr.sysenter_cs),
    ROW(MSR_SYSENTER_ESP, msr.sysenter_esp),
    ROW(MSR_SYSENTER_EIP, msr.sysenter_eip),
    ROW(MSR_PAT, msr.pat),
    ROW(MSR_MISC_ENABLE, msr.misc_enable),
    ROW(MSR_TSC_ADJUST, msr.tsc_adjust),
    ROW(MSR_DEBUGCTL, msr.debugctl),
    ROW(MSR_KVM_SYSTEM_TIME_NEW, msr.pvclock_system_time),
    ROW(MSR_KVM_WALL_CLOCK_NEW, msr.pvclock_wall_clock),
    ROW(MSR_MTRR_DEF_TYPE, msr.mtrr_def_type),
    ROW(MSR_MTRR_FIX64K, msr.mtrr_fixed[0]),
    ROW(MSR_MTRR_FIX16K_80000, msr.mtrr_fixed[1]),
    ROW(MSR_MTRR_FIX16K_A0000, msr.mtrr_fixed[2]),
#define FIX4K(n) ROW(MSR_MTRR_FIX4K + (n), msr.mtrr_fixed[3 + (n)])
    FIX4K(0), FIX4K(1), FIX4K(2), FIX4K(3), FIX4K(4), FIX4K(5), FIX4K(6), FIX4K(7),
#undef FIX4K
#define VARIABLE(n)                                                                                                  \
    ROW(MSR_MTRR_PHYSBASE0 + 2 * (n), msr.mtrr_base[n]), ROW(MSR_MTRR_PHYSBASE0 + 2 * (n) + 1, msr.mtrr_mask[n])
    VARIABLE(0), VARIABLE(1), VARIABLE(2), VARIABLE(3), VARIABLE(4), VARIABLE(5), VARIABLE(6), VARIABLE(7),
#undef VARIABLE
};
#undef ROW

G_STATIC_ASSERT(ARRAY_LEN(rows) <= KVM_MAX_MSRS);

bool kvm_msr_moves(uint32_t msr)
{
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        if (rows[n].msr == msr) {
            return true;
        }
    }
    return msr == MSR_TSC || msr == MSR_APIC_BASE || msr == MSR_EFER || msr == MSR_FS_BASE || msr == MSR_GS_BASE;
}

typedef struct MsrBlock {
    struct kvm_msrs head;
    struct kvm_msr_entry entries[ARRAY_LEN(rows) + 1]; /* the TSC, too */
} MsrBlock;

static uint64_t *slot(X86Cpu *cpu, uint32_t row)
{
    return (uint64_t *)(void *)((char *)cpu + rows[row].offset);
}

static int move_one(const KvmSys *sys, int fd, unsigned long request, uint32_t msr, uint64_t *value)
{
    MsrBlock b = {.head.nmsrs = 1, .entries[0] = {.index = msr, .data = *value}};
    int r = kvm_ioctl(sys, fd, request, &b);
    *value = b.entries[0].data;
    return r;
}

int kvm_set_apic_base(KvmVcpu *v, uint64_t base)
{
    return MIN(move_one(v->kvm->sys, v->fd, KVM_SET_MSRS, MSR_APIC_BASE, &base), 0);
}

/* Known is what can be read and written back. */
void kvm_probe_msrs(KvmAccel *k, int vcpu_fd)
{
    k->msrs = g_new0(uint32_t, ARRAY_LEN(rows));
    k->num_msrs = 0;
    for (uint32_t n = 0; n < ARRAY_LEN(rows); n++) {
        uint64_t value = 0;
        if (move_one(k->sys, vcpu_fd, KVM_GET_MSRS, rows[n].msr, &value) == 1 &&
            move_one(k->sys, vcpu_fd, KVM_SET_MSRS, rows[n].msr, &value) == 1) {
            k->msrs[k->num_msrs++] = n;
        }
    }
}

/* A state put in for the first time replaces all; afterwards only what changed since it was last equal. */
static void remember(KvmVcpu *v)
{
    for (unsigned n = 0; n < v->kvm->num_msrs; n++) {
        v->msr_seen[n] = *slot(v->cpu, v->kvm->msrs[n]);
    }
    v->msrs_known = true;
}

int kvm_get_msrs(KvmVcpu *v)
{
    const KvmAccel *k = v->kvm;
    MsrBlock b = {.head.nmsrs = k->num_msrs + 1};
    for (unsigned n = 0; n < k->num_msrs; n++) {
        b.entries[n].index = rows[k->msrs[n]].msr;
    }
    b.entries[k->num_msrs].index = MSR_TSC;
    int r = kvm_ioctl(k->sys, v->fd, KVM_GET_MSRS, &b);
    if (r < 0) {
        return r;
    }
    uint64_t adjust = v->cpu->msr.tsc_adjust; /* KVM moves it with the counter */
    for (unsigned n = 0; n < MIN((unsigned)r, k->num_msrs); n++) {
        *slot(v->cpu, k->msrs[n]) = b.entries[n].data;
    }
    if ((unsigned)r > k->num_msrs) {
        kvm_tsc_fetched(v, b.entries[k->num_msrs].data, v->cpu->msr.tsc_adjust - adjust);
    }
    remember(v);
    return 0;
}

int kvm_set_msrs(KvmVcpu *v)
{
    const KvmAccel *k = v->kvm;
    MsrBlock b = {0};
    unsigned count = 0;
    kvm_tsc_store(v);
    for (unsigned n = 0; n < k->num_msrs; n++) {
        uint64_t value = *slot(v->cpu, k->msrs[n]);
        if (!v->msrs_known || value != v->msr_seen[n]) {
            b.entries[count++] = (struct kvm_msr_entry){.index = rows[k->msrs[n]].msr, .data = value};
        }
    }
    remember(v);
    b.head.nmsrs = count;
    int r = count ? kvm_ioctl(k->sys, v->fd, KVM_SET_MSRS, &b) : 0;
    /* KVM stops at the first it refuses: the rest is given one by one. */
    for (unsigned n = (unsigned)MAX(r, 0); r >= 0 && n < count; n++) {
        uint64_t value = b.entries[n].data;
        move_one(k->sys, v->fd, KVM_SET_MSRS, b.entries[n].index, &value);
    }
    return MIN(r, 0);
}
