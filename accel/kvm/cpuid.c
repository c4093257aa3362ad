/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUID under KVM: the model's leaves, less what this host's KVM lacks.
 * Spec: Linux Documentation/virt/kvm/api.rst (KVM_GET_SUPPORTED_CPUID), kvm/x86/cpuid.rst; Intel SDM vol 2 CPUID.
 */
#include <errno.h>

#include "accel/kvm/kvm.h"
#include "target/x86/cpuid.h"
#include "target/x86/pvclock.h"

enum { MAX_ENTRIES = 512, EXT_BASE = 0x80000000, PV_BASE = 0x40000000, PV_TIMING = 0x40000010 };
enum { XSTATE_AVX = 2, XSTATE_PKRU = 9, AVX_OFFSET = 576, PKRU_OFFSET = 832 };

static struct kvm_cpuid2 *new_table(unsigned entries)
{
    struct kvm_cpuid2 *t = g_malloc0(sizeof(*t) + entries * sizeof(t->entries[0]));
    t->nent = entries;
    return t;
}

struct kvm_cpuid2 *kvm_host_cpuid(const KvmSys *sys, int fd, GError **error)
{
    int r = -E2BIG;
    for (unsigned size = 128; size <= MAX_ENTRIES; size *= 2) {
        struct kvm_cpuid2 *t = new_table(size);
        r = kvm_ioctl(sys, fd, KVM_GET_SUPPORTED_CPUID, t);
        if (r >= 0 && t->nent <= size) {
            return t;
        }
        g_free(t);
        if (r != -E2BIG) {
            break;
        }
    }
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "KVM does not tell what processors it supports: %s",
                g_strerror(-r));
    return NULL;
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *t, uint32_t leaf, uint32_t index)
{
    for (unsigned n = 0; n < t->nent; n++) {
        const struct kvm_cpuid_entry2 *e = &t->entries[n];
        if (e->function == leaf && (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index)) {
            return e;
        }
    }
    return NULL;
}

/* ---- features ---- */

static void clear_feature(FeatureSet *set, Feature f)
{
    set->w[f >> 5] &= ~(1u << (f & 31));
}

static void offer(FeatureSet *set, Feature f)
{
    set->w[f >> 5] |= 1u << (f & 31);
}

/* The rescue's XSAVE must find each component where the host's has it. */
static bool xstate_at(const struct kvm_cpuid2 *host, unsigned component, uint32_t offset)
{
    const struct kvm_cpuid_entry2 *e = find(host, 0xd, component);
    return e && e->index == component && e->eax && e->ebx == offset;
}

void kvm_host_features(const struct kvm_cpuid2 *host, const KvmCaps *caps, FeatureSet *out)
{
    static const struct {
        unsigned word;
        uint32_t leaf, index;
        enum { EAX, EBX, ECX, EDX } reg;
    } words[] = {
        {CPUID_1_EDX, 1, 0, EDX},         {CPUID_1_ECX, 1, 0, ECX},         {CPUID_7_EBX, 7, 0, EBX},
        {CPUID_7_ECX, 7, 0, ECX},         {CPUID_7_EDX, 7, 0, EDX},         {CPUID_D1_EAX, 0xd, 1, EAX},
        {CPUID_81_EDX, 0x80000001, 0, EDX}, {CPUID_81_ECX, 0x80000001, 0, ECX}, {CPUID_87_EDX, 0x80000007, 0, EDX},
        {CPUID_88_EBX, 0x80000008, 0, EBX},
    };
    *out = (FeatureSet){{0}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const struct kvm_cpuid_entry2 *e = find(host, words[i].leaf, words[i].index);
        if (e) {
            const uint32_t regs[] = {e->eax, e->ebx, e->ecx, e->edx};
            out->w[words[i].word] |= regs[words[i].reg];
        }
    }
    offer(out, FEAT_HYPERVISOR);
    offer(out, FEAT_HT);
    /* The deadline timer of KVM's APIC is none that our devices take over; x2APIC registers of ours come as exits. */
    clear_feature(out, FEAT_TSC_DEADLINE);
    if (caps->user_msr) {
        offer(out, FEAT_X2APIC);
    } else {
        clear_feature(out, FEAT_X2APIC);
    }
    if (!caps->xsave || !caps->xcrs) {
        clear_feature(out, FEAT_XSAVE);
    }
    if (!xstate_at(host, XSTATE_AVX, AVX_OFFSET)) {
        clear_feature(out, FEAT_AVX);
    }
    if (!xstate_at(host, XSTATE_PKRU, PKRU_OFFSET)) {
        clear_feature(out, FEAT_PKU);
    }
    clear_feature(out, FEAT_PKS);
    clear_feature(out, FEAT_XSAVES);
}

static bool read_host(const KvmSys *sys, FeatureSet *out, GError **error)
{
    KvmCaps caps;
    int fd = kvm_probe(sys, &caps, error);
    if (fd < 0) {
        return false;
    }
    struct kvm_cpuid2 *host = kvm_host_cpuid(sys, fd, error);
    if (host) {
        kvm_host_features(host, &caps, out);
    }
    g_free(host);
    sys->close(sys->opaque, fd);
    return host != NULL;
}

bool kvm_limit_features(const KvmSys *sys, FeatureSet *set, GError **error)
{
    FeatureSet host;
    if (!read_host(sys, &host, error)) {
        return false;
    }
    for (unsigned w = 0; w < NUM_FEATURE_WORDS; w++) {
        set->w[w] &= host.w[w];
    }
    return true;
}

bool kvm_worthwhile(const KvmSys *sys, GError **error)
{
    /* x86-64-v2: every processor with usable virtualisation extensions has it, so a KVM without emulates. */
    static const struct {
        Feature feature;
        const char *name;
    } wanted[] = {
        {FEAT_LM, "lm"},         {FEAT_SSE2, "sse2"},   {FEAT_SSE3, "sse3"},     {FEAT_SSSE3, "ssse3"},
        {FEAT_SSE41, "sse4.1"}, {FEAT_SSE42, "sse4.2"}, {FEAT_POPCNT, "popcnt"}, {FEAT_CX16, "cx16"},
    };
    FeatureSet host;
    g_autoptr(GString) lacks = g_string_new(NULL);
    if (!read_host(sys, &host, error)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (!feature_in(&host, wanted[i].feature)) {
            g_string_append_printf(lacks, "%s%s", lacks->len ? ", " : "", wanted[i].name);
        }
    }
    if (lacks->len) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                    "the host's KVM emulates processors poorly (no %s); -accel kvm uses it all the same", lacks->str);
    }
    return lacks->len == 0;
}

/* ---- leaves ---- */

static uint32_t host_reg(const KvmAccel *k, uint32_t leaf, bool eax)
{
    const struct kvm_cpuid_entry2 *e = find(k->host_cpuid, leaf, 0);
    return !e ? 0 : eax ? e->eax : e->ebx;
}

/* Leaves that tell what the engine does, not what the model has. */
static void adjust(const KvmVcpu *v, struct kvm_cpuid_entry2 *e)
{
    const KvmAccel *k = v->kvm;
    if (e->function == PV_BASE + 1) {
        /* Its interrupts would go to KVM's own APICs, which do not exist. */
        e->eax &= host_reg(k, PV_BASE + 1, true) & ~(uint32_t)KVM_FEATURE_PV_SEND_IPI;
    }
}

static void add(struct kvm_cpuid2 *t, const KvmVcpu *v, uint32_t leaf, uint32_t index, bool indexed)
{
    uint32_t out[4];
    if (t->nent >= MAX_ENTRIES) {
        return;
    }
    cpu_cpuid(v->cpu, leaf, index, out);
    struct kvm_cpuid_entry2 *e = &t->entries[t->nent++];
    *e = (struct kvm_cpuid_entry2){
        .function = leaf, .index = index, .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
        .eax = out[0], .ebx = out[1], .ecx = out[2], .edx = out[3],
    };
    adjust(v, e);
}

/* How many subleaves a leaf has; 0: the index does not matter. */
static unsigned subleaves(uint32_t leaf)
{
    switch (leaf) {
    case 0x4:
        return 5;
    case 0x7:
        return 1;
    case 0xb:
        return 3;
    case 0xd:
        return 10;
    default:
        return 0;
    }
}

static void add_leaf(struct kvm_cpuid2 *t, const KvmVcpu *v, uint32_t leaf)
{
    unsigned count = subleaves(leaf);
    for (unsigned i = 0; i < MAX(count, 1u); i++) {
        add(t, v, leaf, i, count != 0);
    }
}

bool kvm_set_cpuid(KvmVcpu *v, GError **error)
{
    const CpuModel *m = v->cpu->model;
    g_autofree struct kvm_cpuid2 *t = new_table(MAX_ENTRIES);
    t->nent = 0;
    for (uint32_t leaf = 0; leaf <= MIN(m->level, 0x40u); leaf++) {
        add_leaf(t, v, leaf);
    }
    if (m->expose_pv) {
        add_leaf(t, v, PV_BASE);
        add_leaf(t, v, PV_BASE + 1);
        add_leaf(t, v, PV_TIMING);
    }
    for (uint32_t leaf = EXT_BASE; leaf <= m->xlevel && leaf < EXT_BASE + 0x40; leaf++) {
        add_leaf(t, v, leaf);
    }
    int r = kvm_ioctl(v->kvm->sys, v->fd, KVM_SET_CPUID2, t);
    if (r < 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "KVM refuses the processor's CPUID: %s", g_strerror(-r));
    }
    return r >= 0;
}
