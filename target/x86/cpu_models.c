/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU models by name, and what may follow the name after -cpu.
 * Spec: x86-64 psABI section 3.1.1 (micro-architecture levels); the names and properties are those of
 * qemu-system-x86_64's command line.
 */
#include "target/x86/cpuid.h"

#include <errno.h>
#include <string.h>

#include "util/suggest.h"

#define CPU_ERROR g_quark_from_static_string("cpu-model")

typedef struct FeatureName {
    Feature feature;
    const char *name;
} FeatureName;

static const FeatureName feature_names[] = {
#define FEAT(symbol, word, bit, name) {FEAT_##symbol, name},
#include "target/x86/features.def"
#undef FEAT
};

/* Second names. */
static const FeatureName feature_aliases[] = {
    {FEAT_SSE3, "pni"},        {FEAT_PCLMUL, "pclmuldq"}, {FEAT_LM, "i64"},      {FEAT_NX, "xd"},
    {FEAT_FFXSR, "ffxsr"},     {FEAT_CLFSH, "clfsh"},     {FEAT_CX8, "cmpxchg8"}, {FEAT_CX16, "cmpxchg16"},
    {FEAT_TSC_DEADLINE, "tsc-deadline-timer"},            {FEAT_SSE41, "sse4-1"}, {FEAT_SSE42, "sse4-2"},
    {FEAT_ABM, "lzcnt"},       {FEAT_SHA, "sha"},
};

/* What exists on some processors and on none of these: asked for, it is missing; refused, all is well. */
static const char *const absent_names[] = {
    "3dnow", "3dnowext", "acpi", "aes-kle", "amd-no-ssb", "amd-ssbd", "amd-stibp", "amx-bf16", "amx-int8", "amx-tile",
    "arch-capabilities", "arch-lbr", "avic", "avx-ifma", "avx-ne-convert", "avx-vnni", "avx-vnni-int8", "avx10",
    "avx512-4fmaps", "avx512-4vnniw", "avx512-bf16", "avx512-fp16", "avx512-vp2intersect", "avx512-vpopcntdq",
    "avx512bitalg", "avx512bw", "avx512cd", "avx512dq", "avx512er", "avx512f", "avx512ifma", "avx512pf", "avx512vbmi",
    "avx512vbmi2", "avx512vl", "avx512vnni", "bus-lock-detect", "cldemote", "cmp-legacy", "core-capability", "cid",
    "dca", "decodeassists", "ds", "ds-cpl", "dtes64", "est", "extapic", "fb-clear", "flushbyasid", "fma4",
    "full-width-write", "fsrc", "fsrs", "fzrm", "gfni", "hle", "ht", "ia64", "ibpb", "ibrs", "ibrs-all", "ibs",
    "intel-pt", "kvm-asyncpf", "kvm-asyncpf-int", "kvm-hint-dedicated", "kvm-mmu", "kvm-msi-ext-dest-id",
    "kvm-poll-control", "kvm-pv-eoi", "kvm-pv-ipi", "kvm-pv-sched-yield", "kvm-pv-tlb-flush", "kvm-pv-unhalt",
    "kvm-steal-time", "lbrv", "lwp", "mca-overflow-recov", "md-clear", "mds-no", "misalignsse", "movdir64b", "movdiri",
    "mp", "mpx", "no-nested-data-bp", "nodeid-msr", "npt", "nrip-save", "null-sel-clr-base", "osvw", "pause-filter",
    "pbe", "pcommit", "pdcm", "perfctr-core", "perfctr-nb", "pfthreshold", "phe", "phe-en", "pmm", "pmm-en",
    "pn", "pschange-mc-no", "rdctl-no", "rsba", "rtm", "sbdr-ssdp-no", "serialize", "sgx", "sgxlc", "skinit",
    "skip-l1dfl-vmentry", "smx", "spec-ctrl", "split-lock-detect", "ssb-no", "ssbd", "stibp", "succor", "svm-lock",
    "svme-addr-chk", "taa-no", "tbm", "tce", "tm", "tm2", "topoext", "tsc-scale", "tsx-ctrl",
    "tsx-ldtrk", "v-vmsave-vmload", "vgif", "virt-ssbd", "vmcb-clean", "vmx-mbec", "waitpkg",
    "wdt", "xcrypt", "xcrypt-en", "xfd", "xop", "xstore", "xstore-en", "xtpr",
};

/* What the engines implement: nothing else is ever offered. */
static const Feature implemented[] = {
    FEAT_FPU, FEAT_VME, FEAT_DE, FEAT_PSE, FEAT_TSC, FEAT_MSR, FEAT_PAE, FEAT_MCE, FEAT_CX8, FEAT_APIC, FEAT_SEP,
    FEAT_MTRR, FEAT_PGE, FEAT_MCA, FEAT_CMOV, FEAT_PAT, FEAT_PSE36, FEAT_CLFSH, FEAT_MMX, FEAT_FXSR, FEAT_SSE,
    FEAT_SSE2, FEAT_SSE3, FEAT_PCLMUL, FEAT_MONITOR, FEAT_SSSE3, FEAT_CX16, FEAT_PCID, FEAT_SSE41, FEAT_SSE42,
    FEAT_X2APIC, FEAT_MOVBE, FEAT_POPCNT, FEAT_TSC_DEADLINE, FEAT_AES, FEAT_XSAVE, FEAT_RDRAND, FEAT_HYPERVISOR,
    FEAT_FSGSBASE, FEAT_SMEP, FEAT_ERMS, FEAT_INVPCID, FEAT_RDSEED, FEAT_SMAP, FEAT_UMIP, FEAT_RDPID, FEAT_FSRM,
    FEAT_XSAVEOPT, FEAT_XGETBV1, FEAT_SYSCALL, FEAT_NX, FEAT_PDPE1GB, FEAT_RDTSCP, FEAT_LM, FEAT_LAHF_LM, FEAT_INVTSC,
    FEAT_HT, FEAT_ABM, FEAT_CLFLUSHOPT, FEAT_CLWB, FEAT_3DNOWPREFETCH, FEAT_XSAVEC, FEAT_TSC_ADJUST, FEAT_PKU, FEAT_PKS,
    FEAT_AVX, FEAT_AVX2, FEAT_FMA, FEAT_F16C, FEAT_BMI1, FEAT_BMI2, FEAT_ADX, FEAT_SHA, FEAT_VAES, FEAT_VPCLMULQDQ,
};

/* ---- models ---- */

#define B(f) (1u << (FEAT_##f & 31))
#define P6_EDX                                                                                                         \
    (B(FPU) | B(DE) | B(PSE) | B(TSC) | B(MSR) | B(MCE) | B(CX8) | B(PGE) | B(CMOV) | B(PAT) | B(FXSR) | B(MMX) |      \
     B(SSE) | B(SSE2) | B(PAE) | B(SEP) | B(APIC))
#define AMD64_EDX (P6_EDX | B(VME) | B(MTRR) | B(CLFSH) | B(MCA) | B(PSE36))

typedef struct ModelRow {
    const char *name, *desc, *vendor, *brand;
    uint8_t family, model, stepping;
    uint32_t level, xlevel;
    FeatureSet features;
    bool all; /* everything implemented, but for what has to be asked for */
} ModelRow;

#define INTEL "GenuineIntel"
#define AMD "AuthenticAMD"
#define RHEA_BRAND "Rhea virtual CPU"

/* What each generation has of what this program knows. */
#define LONG_EDX (B(LM) | B(SYSCALL) | B(NX))
#define NEHALEM_ECX (B(SSE3) | B(SSSE3) | B(SSE41) | B(SSE42) | B(POPCNT) | B(CX16))
#define SANDYBRIDGE_ECX (NEHALEM_ECX | B(AVX) | B(XSAVE) | B(AES) | B(TSC_DEADLINE) | B(X2APIC) | B(PCLMUL))
#define IVYBRIDGE_ECX (SANDYBRIDGE_ECX | B(F16C) | B(RDRAND))
#define HASWELL_ECX (IVYBRIDGE_ECX | B(MOVBE) | B(FMA) | B(PCID))
#define IVYBRIDGE_7 (B(FSGSBASE) | B(SMEP) | B(ERMS))
#define HASWELL_7 (IVYBRIDGE_7 | B(BMI1) | B(AVX2) | B(BMI2) | B(INVPCID))
#define BROADWELL_7 (HASWELL_7 | B(RDSEED) | B(ADX) | B(SMAP))
#define SKYLAKE_D1 (B(XSAVEOPT) | B(XSAVEC) | B(XGETBV1))

static const ModelRow models[] = {
    {"486", "Intel 486", INTEL, "", 4, 8, 0, 1, 0, {{[CPUID_1_EDX] = B(FPU) | B(VME) | B(PSE)}}, false},
    {"Broadwell", "Intel Broadwell", INTEL, "Intel Core Processor (Broadwell)", 6, 61, 2, 0xd, 0x80000008,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = HASWELL_ECX, [CPUID_7_EBX] = BROADWELL_7,
       [CPUID_D1_EAX] = B(XSAVEOPT), [CPUID_81_EDX] = LONG_EDX | B(RDTSCP),
       [CPUID_81_ECX] = B(LAHF_LM) | B(ABM) | B(3DNOWPREFETCH)}},
     false},
    {"EPYC", "AMD EPYC, first generation", AMD, "AMD EPYC Processor", 23, 1, 2, 0xd, 0x8000001e,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = (HASWELL_ECX & ~(B(PCID) | B(X2APIC) | B(TSC_DEADLINE))),
       [CPUID_7_EBX] = (BROADWELL_7 & ~(B(INVPCID) | B(ERMS))) | B(CLFLUSHOPT) | B(SHA), [CPUID_D1_EAX] = SKYLAKE_D1,
       [CPUID_81_EDX] = LONG_EDX | B(RDTSCP) | B(PDPE1GB) | B(FFXSR) | B(MMXEXT),
       [CPUID_81_ECX] = B(LAHF_LM) | B(ABM) | B(3DNOWPREFETCH) | B(CR8LEG) | B(SSE4A) | B(SVM)}},
     false},
    {"Haswell", "Intel Haswell", INTEL, "Intel Core Processor (Haswell)", 6, 60, 4, 0xd, 0x80000008,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = HASWELL_ECX, [CPUID_7_EBX] = HASWELL_7,
       [CPUID_D1_EAX] = B(XSAVEOPT), [CPUID_81_EDX] = LONG_EDX | B(RDTSCP), [CPUID_81_ECX] = B(LAHF_LM) | B(ABM)}},
     false},
    {"IvyBridge", "Intel Ivy Bridge", INTEL, "Intel Xeon E3-12xx v2 (Ivy Bridge)", 6, 58, 9, 0xd, 0x80000008,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = IVYBRIDGE_ECX, [CPUID_7_EBX] = IVYBRIDGE_7,
       [CPUID_D1_EAX] = B(XSAVEOPT), [CPUID_81_EDX] = LONG_EDX | B(RDTSCP), [CPUID_81_ECX] = B(LAHF_LM)}},
     false},
    {"Nehalem", "Intel Nehalem", INTEL, "Intel Core i7 9xx (Nehalem Class Core i7)", 6, 26, 3, 11, 0x80000008,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = NEHALEM_ECX, [CPUID_81_EDX] = LONG_EDX,
       [CPUID_81_ECX] = B(LAHF_LM)}},
     false},
    {"Opteron_G1", "AMD Opteron 240", AMD, "AMD Opteron 240 (Gen 1 Class Opteron)", 15, 6, 1, 5, 0x80000008,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = B(SSE3), [CPUID_81_EDX] = LONG_EDX}}, false},
    {"SandyBridge", "Intel Sandy Bridge", INTEL, "Intel Xeon E312xx (Sandy Bridge)", 6, 42, 1, 0xd, 0x80000008,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = SANDYBRIDGE_ECX, [CPUID_D1_EAX] = B(XSAVEOPT),
       [CPUID_81_EDX] = LONG_EDX | B(RDTSCP), [CPUID_81_ECX] = B(LAHF_LM)}},
     false},
    {"Skylake-Client", "Intel Skylake", INTEL, "Intel Core Processor (Skylake)", 6, 94, 3, 0xd, 0x80000008,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = HASWELL_ECX, [CPUID_7_EBX] = BROADWELL_7,
       [CPUID_D1_EAX] = SKYLAKE_D1, [CPUID_81_EDX] = LONG_EDX | B(RDTSCP),
       [CPUID_81_ECX] = B(LAHF_LM) | B(ABM) | B(3DNOWPREFETCH)}},
     false},
    {"Skylake-Server", "Intel Skylake server, without AVX-512", INTEL, "Intel Xeon Processor (Skylake)", 6, 85, 4,
     0xd, 0x80000008,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = HASWELL_ECX, [CPUID_7_EBX] = BROADWELL_7 | B(CLWB),
       [CPUID_7_ECX] = B(PKU), [CPUID_D1_EAX] = SKYLAKE_D1, [CPUID_81_EDX] = LONG_EDX | B(RDTSCP) | B(PDPE1GB),
       [CPUID_81_ECX] = B(LAHF_LM) | B(ABM) | B(3DNOWPREFETCH)}},
     false},
    {"base", "the smallest set that boots: no features", AMD, RHEA_BRAND, 6, 6, 3, 1, 0x80000008, {{0}}, false},
    {"host", "the same as max where the engine is software", AMD, RHEA_BRAND, 15, 107, 1, 0x16, 0x80000021, {{0}},
     true},
    {"kvm32", "32-bit processor without extensions", INTEL, "Common 32-bit KVM processor", 15, 6, 1, 5, 0x80000008,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = B(SSE3)}}, false},
    {"kvm64", "64-bit processor without extensions", INTEL, "Common KVM processor", 15, 6, 1, 0xd, 0x80000008,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = B(SSE3) | B(CX16), [CPUID_81_EDX] = B(LM) | B(SYSCALL) | B(NX)}},
     false},
    {"max", "everything this program implements", AMD, RHEA_BRAND, 15, 107, 1, 0x16, 0x80000021, {{0}}, true},
    {"pentium", "Intel Pentium", INTEL, "", 5, 4, 3, 1, 0,
     {{[CPUID_1_EDX] = B(FPU) | B(VME) | B(DE) | B(PSE) | B(TSC) | B(MSR) | B(MCE) | B(CX8) | B(MMX) | B(APIC)}}, false},
    {"pentium2", "Intel Pentium II", INTEL, "", 6, 5, 2, 2, 0,
     {{[CPUID_1_EDX] = (AMD64_EDX & ~(B(SSE) | B(SSE2) | B(CLFSH)))}}, false},
    {"pentium3", "Intel Pentium III", INTEL, "", 6, 7, 3, 3, 0,
     {{[CPUID_1_EDX] = (AMD64_EDX & ~(B(SSE2) | B(CLFSH)))}}, false},
    {"qemu32", "generic 32-bit processor", INTEL, "QEMU Virtual CPU version 2.5+", 6, 6, 3, 4, 0x80000004,
     {{[CPUID_1_EDX] = P6_EDX, [CPUID_1_ECX] = B(SSE3)}}, false},
    {"qemu64", "generic 64-bit processor", AMD, "QEMU Virtual CPU version 2.5+", 15, 107, 1, 0xd, 0x8000000a,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = B(SSE3) | B(CX16), [CPUID_81_EDX] = B(LM) | B(SYSCALL) | B(NX),
       [CPUID_81_ECX] = B(LAHF_LM)}},
     false},
    {"x86-64-v1", "x86-64 baseline", AMD, RHEA_BRAND, 15, 107, 1, 0x16, 0x80000021,
     {{[CPUID_1_EDX] = AMD64_EDX, [CPUID_1_ECX] = B(X2APIC) | B(TSC_DEADLINE),
       [CPUID_81_EDX] = B(LM) | B(SYSCALL) | B(NX) | B(RDTSCP)}},
     false},
    {"x86-64-v2", "x86-64 level 2: SSE4.2, POPCNT, CMPXCHG16B", AMD, RHEA_BRAND, 15, 107, 1, 0x16, 0x80000021,
     {{[CPUID_1_EDX] = AMD64_EDX,
       [CPUID_1_ECX] = B(X2APIC) | B(TSC_DEADLINE) | B(SSE3) | B(SSSE3) | B(SSE41) | B(SSE42) | B(POPCNT) | B(CX16),
       [CPUID_81_EDX] = B(LM) | B(SYSCALL) | B(NX) | B(RDTSCP), [CPUID_81_ECX] = B(LAHF_LM)}},
     false},
    {"x86-64-v3", "x86-64 level 3: AVX2, FMA, F16C, BMI2, MOVBE, LZCNT", AMD, RHEA_BRAND, 15, 107, 1, 0x16, 0x80000021,
     {{[CPUID_1_EDX] = AMD64_EDX,
       [CPUID_1_ECX] = B(X2APIC) | B(TSC_DEADLINE) | B(SSE3) | B(SSSE3) | B(SSE41) | B(SSE42) | B(POPCNT) | B(CX16) |
                       B(XSAVE) | B(AVX) | B(F16C) | B(FMA) | B(MOVBE),
       [CPUID_7_EBX] = B(AVX2) | B(BMI1) | B(BMI2), [CPUID_D1_EAX] = SKYLAKE_D1,
       [CPUID_81_EDX] = LONG_EDX | B(RDTSCP), [CPUID_81_ECX] = B(LAHF_LM) | B(ABM)}},
     false},
};

static void set_feature(FeatureSet *set, Feature f, bool on)
{
    uint32_t bit = 1u << (f & 31);
    set->w[f >> 5] = on ? set->w[f >> 5] | bit : set->w[f >> 5] & ~bit;
}

/* Not part of max: MWAIT would keep an idle host busy, an invariant TSC is
   the user's promise not to migrate, HT follows the number of processors. */
static bool on_request_only(Feature f)
{
    return f == FEAT_MONITOR || f == FEAT_INVTSC || f == FEAT_HT;
}

static FeatureSet implemented_set(bool all)
{
    FeatureSet set = {{0}};
    for (unsigned n = 0; n < ARRAY_LEN(implemented); n++) {
        if (all || !on_request_only(implemented[n])) {
            set_feature(&set, implemented[n], true);
        }
    }
    return set;
}

/* ---- names ---- */

/* Equal but for '-', '_' and '.', which users of these names mix freely. */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a && strchr("-_.", *a)) {
            a++;
        }
        while (*b && strchr("-_.", *b)) {
            b++;
        }
        if (*a != *b || !*a) {
            return *a == *b;
        }
    }
}

static Feature find_feature(const char *name)
{
    for (unsigned n = 0; n < ARRAY_LEN(feature_names); n++) {
        if (same_name(feature_names[n].name, name)) {
            return feature_names[n].feature;
        }
    }
    for (unsigned n = 0; n < ARRAY_LEN(feature_aliases); n++) {
        if (same_name(feature_aliases[n].name, name)) {
            return feature_aliases[n].feature;
        }
    }
    return FEAT_NONE;
}

static bool is_absent_name(const char *name)
{
    for (unsigned n = 0; n < ARRAY_LEN(absent_names); n++) {
        if (same_name(absent_names[n], name)) {
            return true;
        }
    }
    return g_str_has_prefix(name, "vmx-") || g_str_has_prefix(name, "hv-") || g_str_has_prefix(name, "hv_");
}

/* Known properties that change nothing here. */
static bool is_ignored_property(const char *name)
{
    static const char *const ignored[] = {
        "migratable", "host-phys-bits", "host-phys-bits-limit", "check", "pmu", "l3-cache", "host-cache-info",
        "legacy-cache", "fill-mtrr-mask", "full-cpuid-auto-level", "cpuid-0xb", "kvm-no-smi-migration",
        "tcg-cpuid", "tsc-frequency", "lmce", "enforce-cpuid", "start-powered-off", "xen-vapic", "memory",
    };
    for (unsigned n = 0; n < ARRAY_LEN(ignored); n++) {
        if (same_name(ignored[n], name)) {
            return true;
        }
    }
    return g_str_has_prefix(name, "x-");
}

/* ---- parsing ---- */

typedef struct Parse {
    CpuModel *m;
    FeatureSet available;
    FeatureSet plus, minus; /* +feat and -feat count last */
    GString *missing;
    bool enforce;
} Parse;

static const char *const properties[] = {
    "vendor", "family", "model", "stepping", "level", "min-level", "xlevel", "min-xlevel", "phys-bits", "model-id",
    "kvm", "kvmclock", "enforce",
};

static bool fail_unknown(const char *name, GError **error)
{
    Suggest near = suggest_begin(name);
    for (unsigned n = 0; n < ARRAY_LEN(feature_names); n++) {
        suggest_offer(&near, feature_names[n].name);
    }
    for (unsigned n = 0; n < ARRAY_LEN(properties); n++) {
        suggest_offer(&near, properties[n]);
    }
    g_autofree char *hint = suggest_text(near.best);
    g_set_error(error, CPU_ERROR, 1, "unknown CPU feature or property '%s'%s", name, hint);
    return false;
}

static void add_missing(Parse *p, const char *name)
{
    g_string_append_printf(p->missing, "%s%s", p->missing->len ? "," : "", name);
}

static bool change_feature(Parse *p, const char *name, bool on, bool last, GError **error)
{
    Feature f = find_feature(name);
    if (f == FEAT_NONE) {
        if (!is_absent_name(name)) {
            return fail_unknown(name, error);
        }
        if (on) {
            add_missing(p, name);
        }
        return true;
    }
    if (on && !feature_in(&p->available, f)) {
        add_missing(p, name);
        return true;
    }
    if (last) {
        set_feature(on ? &p->plus : &p->minus, f, true);
    } else {
        set_feature(&p->m->features, f, on);
    }
    return true;
}

static bool parse_number(const char *key, const char *value, uint64_t min, uint64_t max, uint64_t *out,
                         GError **error)
{
    char *end;
    errno = 0;
    guint64 n = g_ascii_strtoull(value, &end, 0);
    if (errno || end == value || *end || *value == '-' || n < min || n > max) {
        g_set_error(error, CPU_ERROR, 1,
                    "-cpu: %s=%s: want a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, key, value,
                    (guint64)min, (guint64)max);
        return false;
    }
    *out = n;
    return true;
}

static bool parse_bool(const char *key, const char *value, bool *out, GError **error)
{
    static const char *const yes[] = {"on", "yes", "true", "y"}, *const no[] = {"off", "no", "false", "n"};
    for (unsigned n = 0; n < ARRAY_LEN(yes); n++) {
        if (strcmp(value, yes[n]) == 0 || strcmp(value, no[n]) == 0) {
            *out = strcmp(value, yes[n]) == 0;
            return true;
        }
    }
    g_set_error(error, CPU_ERROR, 1, "-cpu: %s=%s: want on or off", key, value);
    return false;
}

static bool set_vendor(CpuModel *m, const char *value, GError **error)
{
    if (strlen(value) != 12) {
        g_set_error(error, CPU_ERROR, 1, "-cpu: vendor=%s: a vendor has 12 characters, like AuthenticAMD", value);
        return false;
    }
    g_strlcpy(m->vendor, value, sizeof(m->vendor));
    return true;
}

/* Numeric properties: false in *known when `key` is none. */
static bool set_number(CpuModel *m, const char *key, const char *value, bool *known, GError **error)
{
    static const struct {
        const char *key;
        uint64_t min, max;
        size_t offset;
        bool at_least;
    } numbers[] = {
        {"family", 0, 0xff + 0xf, offsetof(CpuModel, family), false},
        {"model", 0, 0xff, offsetof(CpuModel, model), false},
        {"stepping", 0, 0xf, offsetof(CpuModel, stepping), false},
        {"level", 0, UINT32_MAX, offsetof(CpuModel, level), false},
        {"min-level", 0, UINT32_MAX, offsetof(CpuModel, level), true},
        {"xlevel", 0, UINT32_MAX, offsetof(CpuModel, xlevel), false},
        {"min-xlevel", 0, UINT32_MAX, offsetof(CpuModel, xlevel), true},
    };
    uint64_t n;
    *known = true;
    if (same_name(key, "phys-bits")) {
        if (!parse_number(key, value, 0, 52, &n, error)) {
            return false;
        }
        if (n != 0 && n < 32) {
            g_set_error(error, CPU_ERROR, 1, "-cpu: phys-bits=%s: want 32 to 52, or 0 for the model's own", value);
            return false;
        }
        m->phys_bits = n ? (uint8_t)n : m->phys_bits;
        return true;
    }
    for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
        if (same_name(key, numbers[i].key)) {
            uint32_t *slot = (uint32_t *)(void *)((char *)m + numbers[i].offset);
            if (!parse_number(key, value, numbers[i].min, numbers[i].max, &n, error)) {
                return false;
            }
            *slot = numbers[i].at_least ? MAX(*slot, (uint32_t)n) : (uint32_t)n;
            return true;
        }
    }
    *known = false;
    return true;
}

static bool parse_property(Parse *p, const char *key, const char *value, GError **error)
{
    bool known, on;
    if (!set_number(p->m, key, value, &known, error)) {
        return false;
    }
    if (known) {
        return true;
    }
    if (strcmp(key, "vendor") == 0) {
        return set_vendor(p->m, value, error);
    }
    if (same_name(key, "model-id")) {
        g_strlcpy(p->m->brand, value, sizeof(p->m->brand));
        return true;
    }
    if (is_ignored_property(key)) {
        return true;
    }
    if (is_absent_name(key) && find_feature(key) == FEAT_NONE && g_str_has_prefix(key, "hv")) {
        return true; /* some take numbers or text */
    }
    if (!parse_bool(key, value, &on, error)) {
        if (find_feature(key) == FEAT_NONE && !is_absent_name(key)) {
            g_clear_error(error);
            return fail_unknown(key, error);
        }
        return false;
    }
    if (strcmp(key, "kvm") == 0 || strcmp(key, "kvmclock") == 0) {
        p->m->expose_pv = on;
        return true;
    }
    if (strcmp(key, "enforce") == 0) {
        p->enforce = on;
        return true;
    }
    return change_feature(p, key, on, false, error);
}

static bool parse_item(Parse *p, const char *item, GError **error)
{
    if (*item == '+' || *item == '-') {
        return change_feature(p, item + 1, *item == '+', true, error);
    }
    const char *eq = strchr(item, '=');
    if (!eq) {
        return parse_property(p, item, "on", error);
    }
    g_autofree char *key = g_strndup(item, (size_t)(eq - item));
    return parse_property(p, key, eq + 1, error);
}

/* ---- a model made of its row ---- */

static const ModelRow *find_model(const char *name, GError **error)
{
    Suggest near = suggest_begin(name);
    for (unsigned n = 0; n < ARRAY_LEN(models); n++) {
        if (strcmp(models[n].name, name) == 0) {
            return &models[n];
        }
        suggest_offer(&near, models[n].name);
    }
    if (strcmp(name, "x86-64-v4") == 0) {
        g_set_error(error, CPU_ERROR, 1,
                    "CPU model '%s' needs AVX-512, which no engine here has; use x86-64-v3 or max", name);
        return NULL;
    }
    g_autofree char *hint = suggest_text(near.best);
    g_set_error(error, CPU_ERROR, 1, "unable to find CPU model '%s'%s (-cpu help lists them)", name, hint);
    return NULL;
}

static CpuModel *model_from_row(const ModelRow *row)
{
    CpuModel *m = g_new0(CpuModel, 1);
    m->name = g_strdup(row->name);
    m->all = row->all;
    m->features = row->all ? implemented_set(false) : row->features;
    g_strlcpy(m->vendor, row->vendor, sizeof(m->vendor));
    g_strlcpy(m->brand, row->brand, sizeof(m->brand));
    m->family = row->family;
    m->model = row->model;
    m->stepping = row->stepping;
    m->level = row->level;
    m->xlevel = row->xlevel;
    set_feature(&m->features, FEAT_HYPERVISOR, true);
    m->expose_pv = true;
    return m;
}

/* Features that make no sense without another. */
static void drop_orphans(FeatureSet *set)
{
    static const struct {
        Feature need, orphan;
    } rules[] = {
        {FEAT_XSAVE, FEAT_XSAVEOPT}, {FEAT_XSAVE, FEAT_XSAVEC}, {FEAT_XSAVE, FEAT_XGETBV1},
        {FEAT_XSAVE, FEAT_AVX}, {FEAT_AVX, FEAT_AVX2}, {FEAT_AVX, FEAT_FMA}, {FEAT_AVX, FEAT_F16C},
        {FEAT_AVX, FEAT_VAES}, {FEAT_AES, FEAT_VAES}, {FEAT_AVX, FEAT_VPCLMULQDQ}, {FEAT_PCLMUL, FEAT_VPCLMULQDQ},
        {FEAT_SSE2, FEAT_SHA}, {FEAT_XSAVE, FEAT_PKU}, {FEAT_LM, FEAT_PKU}, {FEAT_LM, FEAT_PKS},
        {FEAT_FXSR, FEAT_SSE}, {FEAT_FXSR, FEAT_XSAVE}, {FEAT_SSE, FEAT_SSE2}, {FEAT_SSE2, FEAT_SSE3},
        {FEAT_SSE2, FEAT_AES}, {FEAT_SSE2, FEAT_PCLMUL}, {FEAT_SSE3, FEAT_SSSE3}, {FEAT_SSSE3, FEAT_SSE41},
        {FEAT_SSE41, FEAT_SSE42}, {FEAT_LM, FEAT_PCID}, {FEAT_PAE, FEAT_LM}, {FEAT_LM, FEAT_LAHF_LM},
        {FEAT_LM, FEAT_FSGSBASE}, {FEAT_LM, FEAT_CX16}, {FEAT_LM, FEAT_PDPE1GB}, {FEAT_APIC, FEAT_X2APIC},
        {FEAT_APIC, FEAT_TSC_DEADLINE}, {FEAT_MCE, FEAT_MCA},
    };
    for (unsigned pass = 0; pass < 3; pass++) {
        for (unsigned n = 0; n < ARRAY_LEN(rules); n++) {
            if (!feature_in(set, rules[n].need)) {
                set_feature(set, rules[n].orphan, false);
            }
        }
    }
}

static void finish(Parse *p)
{
    CpuModel *m = p->m;
    m->enforce = p->enforce;
    for (unsigned n = 0; n < NUM_FEATURE_WORDS; n++) {
        m->features.w[n] = ((m->features.w[n] | p->plus.w[n]) & ~p->minus.w[n]) & p->available.w[n];
    }
    drop_orphans(&m->features);
    if (!feature_in(&m->features, FEAT_HYPERVISOR)) {
        m->expose_pv = false;
    }
    if (m->phys_bits == 0) {
        bool wide = feature_in(&m->features, FEAT_PAE) || feature_in(&m->features, FEAT_PSE36);
        m->phys_bits = feature_in(&m->features, FEAT_LM) ? 40 : wide ? 36 : 32;
    }
}

CpuModel *cpu_model_parse(const char *text, GError **error)
{
    g_auto(GStrv) items = g_strsplit(text, ",", -1);
    const ModelRow *row = find_model(items[0] ? items[0] : "", error);
    if (!row) {
        return NULL;
    }
    Parse p = {.m = model_from_row(row), .available = implemented_set(true), .missing = g_string_new(NULL)};
    bool ok = true;
    for (unsigned n = 1; ok && items[n]; n++) {
        ok = *items[n] == '\0' || parse_item(&p, items[n], error);
    }
    if (ok && p.enforce && p.missing->len) {
        g_set_error(error, CPU_ERROR, 1, "-cpu %s: not available here: %s", text, p.missing->str);
        ok = false;
    }
    char *missing = g_string_free(p.missing, FALSE);
    if (!ok) {
        g_free(missing);
        cpu_model_free(p.m);
        return NULL;
    }
    finish(&p);
    if (*missing) {
        p.m->missing = missing;
    } else {
        g_free(missing);
    }
    return p.m;
}

FeatureSet cpu_features_implemented(void)
{
    return implemented_set(true);
}

char *cpu_model_limit(CpuModel *model, const FeatureSet *available)
{
    g_autoptr(GString) lost = g_string_new(NULL);
    FeatureSet before = model->features;
    for (unsigned n = 0; n < NUM_FEATURE_WORDS; n++) {
        model->features.w[n] &= available->w[n];
    }
    drop_orphans(&model->features);
    for (unsigned n = 0; n < ARRAY_LEN(feature_names); n++) {
        Feature f = feature_names[n].feature;
        if (feature_in(&before, f) && !feature_in(&model->features, f)) {
            g_string_append_printf(lost, "%s%s", lost->len ? "," : "", feature_names[n].name);
        }
    }
    return lost->len ? g_strdup(lost->str) : NULL;
}

void cpu_model_free(CpuModel *model)
{
    if (model) {
        g_free(model->name);
        g_free(model->missing);
        g_free(model);
    }
}

void cpu_model_list(GString *out)
{
    g_string_append(out, "Available CPUs:\n");
    for (unsigned n = 0; n < ARRAY_LEN(models); n++) {
        g_string_append_printf(out, "  %-14s %s\n", models[n].name, models[n].desc);
    }
    g_string_append(out, "\nRecognized CPUID flags:\n");
    FeatureSet available = implemented_set(true);
    unsigned column = 0;
    for (unsigned n = 0; n < ARRAY_LEN(feature_names); n++) {
        if (!feature_in(&available, feature_names[n].feature)) {
            continue;
        }
        size_t len = strlen(feature_names[n].name) + 1;
        if (column == 0 || column + len > 78) {
            g_string_append(out, column ? "\n " : " ");
            column = 1;
        }
        g_string_append_printf(out, " %s", feature_names[n].name);
        column += (unsigned)len;
    }
    g_string_append_c(out, '\n');
}
