/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPUID leaves.
 * Spec: Intel SDM vol 2 CPUID; AMD APM vol 3 appendix E; Linux Documentation/virt/kvm/x86/cpuid.rst.
 */
#include "target/x86/cpuid.h"

#include <string.h>

#include "softmmu/core/machine.h"
#include "target/x86/pvclock.h"
#include "target/x86/tsc.h"

enum { EAX, EBX, ECX, EDX };

#define CACHE_LINE 64u
#define PV_BASE 0x40000000u
#define PV_TIMING 0x40000010u
#define EXT_BASE 0x80000000u
/* CPUID.80000001H:EDX repeats these bits of CPUID.01H:EDX on AMD. */
#define AMD_ALIASES 0x0183f3ffu

static bool has(const X86Cpu *cpu, Feature f)
{
    return feature_in(&cpu->features, f);
}

static bool is_amd(const X86Cpu *cpu)
{
    return strcmp(cpu->model->vendor, "AuthenticAMD") == 0;
}

/* All processors are cores of one package, one thread each; APIC ids are their numbers. */
static unsigned num_cores(const X86Cpu *cpu)
{
    return cpu->machine && cpu->machine->num_cpus ? cpu->machine->num_cpus : 1;
}

/* Width of the part of the APIC id that numbers cores. */
static unsigned core_bits(const X86Cpu *cpu)
{
    unsigned bits = 0;
    while ((1u << bits) < num_cores(cpu)) {
        bits++;
    }
    return bits;
}

static uint32_t signature(const CpuModel *m)
{
    uint32_t family = MIN(m->family, 15u);
    return (m->family - family) << 20 | (m->model >> 4 & 0xf) << 16 | family << 8 | (m->model & 0xf) << 4 |
           (m->stepping & 0xf);
}

static void put_text(uint32_t out[4], const unsigned regs[], unsigned words, const char *text)
{
    for (unsigned n = 0; n < words; n++) {
        memcpy(&out[regs[n]], text + 4 * n, 4);
    }
}

static void put_vendor(const X86Cpu *cpu, uint32_t out[4])
{
    static const unsigned order[] = {EBX, EDX, ECX};
    put_text(out, order, 3, cpu->model->vendor);
}

static bool apic_enabled(const X86Cpu *cpu)
{
    enum { APIC_BASE_ENABLE = 1 << 11 };
    if (!cpu->apic) {
        return true;
    }
    machine_lock(cpu->machine->lock);
    bool on = cpu->apic->get_base(cpu->apic_opaque) & APIC_BASE_ENABLE;
    machine_unlock(cpu->machine->lock);
    return on;
}

/* ---- leaf 1: signature and features ---- */

static uint32_t features_1_edx(const X86Cpu *cpu)
{
    uint32_t edx = cpu->features.w[CPUID_1_EDX];
    uint32_t apic = 1u << (FEAT_APIC & 31), ht = 1u << (FEAT_HT & 31);
    if (!apic_enabled(cpu)) {
        edx &= ~apic;
    }
    return num_cores(cpu) > 1 ? edx | ht : edx & ~ht;
}

static void leaf_1(const X86Cpu *cpu, uint32_t out[4])
{
    enum { OSXSAVE = 1 << 27 };
    out[EAX] = signature(cpu->model);
    out[EBX] = (cpu->apic_id & 0xff) << 24 | (CACHE_LINE / 8) << 8;
    if (num_cores(cpu) > 1) {
        out[EBX] |= MIN(1u << core_bits(cpu), 255u) << 16;
    }
    out[ECX] = cpu->features.w[CPUID_1_ECX];
    if (has(cpu, FEAT_XSAVE) && (cpu->cr4 & CR4_OSXSAVE)) {
        out[ECX] |= OSXSAVE;
    }
    out[EDX] = features_1_edx(cpu);
}

/* ---- leaf 4: caches ---- */

typedef struct Cache {
    uint8_t type, level; /* 1 data, 2 instruction, 3 unified */
    uint8_t ways;
    uint16_t kib;
    bool shared;
} Cache;

static const Cache caches[] = {
    {1, 1, 8, 32, false},
    {2, 1, 8, 32, false},
    {3, 2, 16, 1024, false},
    {3, 3, 16, 16384, true},
};

static void leaf_4(const X86Cpu *cpu, uint32_t index, uint32_t out[4])
{
    if (index >= ARRAY_LEN(caches)) {
        return;
    }
    const Cache *c = &caches[index];
    unsigned sharing = c->shared ? 1u << core_bits(cpu) : 1;
    unsigned sets = c->kib * 1024u / (c->ways * CACHE_LINE);
    out[EAX] = c->type | c->level << 5 | 1u << 8 /* self-initialising */ | MIN(sharing - 1, 0xfffu) << 14 |
               MIN((1u << core_bits(cpu)) - 1, 63u) << 26;
    out[EBX] = (CACHE_LINE - 1) | (uint32_t)(c->ways - 1) << 22;
    out[ECX] = sets - 1;
    out[EDX] = 1; /* write-back invalidates lower levels, too */
}

/* ---- leaf 0xb: topology by x2APIC id ---- */

static void leaf_b(const X86Cpu *cpu, uint32_t index, uint32_t out[4])
{
    enum { LEVEL_NONE, LEVEL_THREAD, LEVEL_CORE };
    uint32_t level = index == 0 ? LEVEL_THREAD : index == 1 ? LEVEL_CORE : LEVEL_NONE;
    if (level == LEVEL_THREAD) {
        out[EBX] = 1;
    } else if (level == LEVEL_CORE) {
        out[EAX] = core_bits(cpu);
        out[EBX] = num_cores(cpu);
    }
    out[ECX] = (index & 0xff) | level << 8;
    out[EDX] = cpu->apic_id;
}

/* ---- leaf 0xd: extended state ---- */

enum {
    XSTATE_AVX = 1 << 2, XSTATE_PKRU = 1 << 9, AVX = 2, PKRU = 9, /* components */
    LEGACY_SIZE = 576, AVX_SIZE = 256, PKRU_SIZE = 8, OFF_PKRU = LEGACY_SIZE + AVX_SIZE,
};

/* Of the standard form. */
static uint32_t xsave_size(uint64_t components)
{
    return components & XSTATE_PKRU ? OFF_PKRU + PKRU_SIZE : components & XSTATE_AVX ? OFF_PKRU : LEGACY_SIZE;
}

static void leaf_d(const X86Cpu *cpu, uint32_t index, uint32_t out[4])
{
    if (!has(cpu, FEAT_XSAVE)) {
        return;
    }
    uint64_t known = 3 | (has(cpu, FEAT_AVX) ? XSTATE_AVX : 0) | (has(cpu, FEAT_PKU) ? XSTATE_PKRU : 0);
    if (index == 0) {
        out[EAX] = (uint32_t)known;
        out[EBX] = xsave_size(cpu->xcr0);
        out[ECX] = xsave_size(known);
    } else if (index == 1) {
        out[EAX] = cpu->features.w[CPUID_D1_EAX];
        if (has(cpu, FEAT_XSAVEC) || has(cpu, FEAT_XSAVES)) {
            out[EBX] = LEGACY_SIZE + (cpu->xcr0 & XSTATE_AVX ? AVX_SIZE : 0) +
                       (cpu->xcr0 & XSTATE_PKRU ? PKRU_SIZE : 0);
        }
    } else if (index == AVX && (known & XSTATE_AVX)) {
        out[EAX] = AVX_SIZE;
        out[EBX] = LEGACY_SIZE;
    } else if (index == PKRU && (known & XSTATE_PKRU)) {
        out[EAX] = PKRU_SIZE;
        out[EBX] = OFF_PKRU;
    }
}

static void basic_leaf(const X86Cpu *cpu, uint32_t leaf, uint32_t index, uint32_t out[4])
{
    enum { OSPKE = 1 << 4 };
    switch (leaf) {
    case 0x0:
        out[EAX] = cpu->model->level;
        put_vendor(cpu, out);
        break;
    case 0x1:
        leaf_1(cpu, out);
        break;
    case 0x2:
        out[EAX] = 0x00feff01; /* TLBs: see leaf 18H; caches: see leaf 4 */
        out[EBX] = 0xf0;       /* prefetch of 64 bytes */
        break;
    case 0x4:
        leaf_4(cpu, index, out);
        break;
    case 0x5:
        if (has(cpu, FEAT_MONITOR)) {
            out[EAX] = out[EBX] = CACHE_LINE;
            out[ECX] = 3; /* extensions enumerated; interrupts break even if masked */
        }
        break;
    case 0x6:
        out[EAX] = 1u << 2; /* the APIC timer never stops */
        break;
    case 0x7:
        if (index == 0) {
            out[EBX] = cpu->features.w[CPUID_7_EBX];
            out[ECX] = cpu->features.w[CPUID_7_ECX] | (cpu->cr4 & CR4_PKE ? OSPKE : 0);
            out[EDX] = cpu->features.w[CPUID_7_EDX];
        }
        break;
    case 0xb:
        leaf_b(cpu, index, out);
        break;
    case 0xd:
        leaf_d(cpu, index, out);
        break;
    case 0x15: /* TSC = crystal * EBX / EAX */
        tsc_ratio(cpu->machine->tsc.khz, &out[EBX], &out[EAX]);
        out[ECX] = APIC_BUS_KHZ * 1000;
        break;
    case 0x16:
        out[EAX] = out[EBX] = (cpu->machine->tsc.khz + 500) / 1000;
        out[ECX] = APIC_BUS_KHZ / 1000;
        break;
    default:
        break;
    }
}

/* ---- 0x40000000: paravirtual ---- */

static void pv_leaf(const X86Cpu *cpu, uint32_t leaf, uint32_t out[4])
{
    static const unsigned order[] = {EBX, ECX, EDX};
    switch (leaf) {
    case PV_BASE:
        out[EAX] = PV_TIMING;
        put_text(out, order, 3, "KVMKVMKVM\0\0");
        break;
    case PV_BASE + 1:
        out[EAX] = KVM_FEATURE_CLOCKSOURCE | KVM_FEATURE_NOP_IO_DELAY | KVM_FEATURE_CLOCKSOURCE2 |
                   KVM_FEATURE_CLOCKSOURCE_STABLE | KVM_FEATURE_PV_SEND_IPI;
        break;
    case PV_TIMING:
        out[EAX] = cpu->machine->tsc.khz;
        out[EBX] = APIC_BUS_KHZ;
        break;
    default:
        break;
    }
}

/* ---- 0x80000000: extended ---- */

static void ext_features(const X86Cpu *cpu, uint32_t out[4])
{
    enum { CMP_LEGACY = 1 << 1 };
    out[EAX] = signature(cpu->model);
    out[ECX] = cpu->features.w[CPUID_81_ECX];
    out[EDX] = cpu->features.w[CPUID_81_EDX];
    if (is_amd(cpu)) {
        out[EDX] |= features_1_edx(cpu) & AMD_ALIASES;
        out[ECX] |= num_cores(cpu) > 1 ? CMP_LEGACY : 0;
    } else if (!cpu->code64) {
        out[EDX] &= ~(1u << (FEAT_SYSCALL & 31)); /* Intel: SYSCALL in 64-bit code only */
    }
}

static void ext_address_sizes(const X86Cpu *cpu, uint32_t out[4])
{
    unsigned linear = has(cpu, FEAT_LM) ? 48 : 32;
    out[EAX] = cpu->model->phys_bits | linear << 8;
    out[EBX] = cpu->features.w[CPUID_88_EBX];
    if (num_cores(cpu) > 1) {
        out[ECX] = MIN(num_cores(cpu) - 1, 255u) | core_bits(cpu) << 12;
    }
}

static void ext_leaf(const X86Cpu *cpu, uint32_t leaf, uint32_t out[4])
{
    static const unsigned order[] = {EAX, EBX, ECX, EDX};
    enum { LFENCE_SERIALISES = 1 << 2, NULL_CLEARS_BASE = 1 << 6 };
    switch (leaf) {
    case 0x80000000:
        out[EAX] = cpu->model->xlevel;
        put_vendor(cpu, out);
        break;
    case 0x80000001:
        ext_features(cpu, out);
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
        char brand[48] = {0};
        memcpy(brand, cpu->model->brand, strlen(cpu->model->brand));
        put_text(out, order, 4, brand + 16 * (leaf - 0x80000002));
        break;
    }
    case 0x80000005: /* L1: 64 KiB-page TLBs, then KiB, ways, lines per tag, line size */
        out[EAX] = out[EBX] = 0x01ff01ff;
        out[ECX] = out[EDX] = 32u << 24 | 8u << 16 | 1u << 8 | CACHE_LINE;
        break;
    case 0x80000006:
        out[EBX] = 0x42004200;
        out[ECX] = 1024u << 16 | 8u << 12 /* 16 ways */ | 1u << 8 | CACHE_LINE;
        out[EDX] = 32u << 18 /* 16 MiB */ | 8u << 12 | 1u << 8 | CACHE_LINE;
        break;
    case 0x80000007:
        out[EDX] = cpu->features.w[CPUID_87_EDX];
        break;
    case 0x80000008:
        ext_address_sizes(cpu, out);
        break;
    case 0x8000001e:
        out[EAX] = cpu->apic_id;
        out[EBX] = cpu->index & 0xff; /* one thread a core */
        break;
    case 0x80000021:
        out[EAX] = is_amd(cpu) ? LFENCE_SERIALISES | NULL_CLEARS_BASE : 0;
        break;
    default:
        break;
    }
}

void cpu_cpuid(const X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const CpuModel *m = cpu->model;
    memset(out, 0, 4 * sizeof(out[0]));
    if (leaf >= EXT_BASE && leaf <= m->xlevel) {
        ext_leaf(cpu, leaf, out);
    } else if (leaf >= PV_BASE && leaf < PV_BASE + 0x100 && m->expose_pv) {
        pv_leaf(cpu, leaf, out);
    } else if (leaf <= m->level) {
        basic_leaf(cpu, leaf, subleaf, out);
    } else if (!is_amd(cpu)) {
        basic_leaf(cpu, m->level, subleaf, out); /* Intel answers the highest basic leaf, AMD zeros */
    }
}
