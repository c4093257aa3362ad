/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU models (-cpu NAME,+feat,-feat,key=value) and the CPUID leaves they answer. */
#pragma once

#include "target/x86/cpu.h"

struct CpuModel {
    char *name;
    FeatureSet features;
    char vendor[13];
    uint32_t family, model, stepping;
    char brand[49];
    uint32_t level, xlevel; /* highest basic and extended leaf */
    uint8_t phys_bits;
    bool all;               /* max and host: whatever there is, so nothing can be missing */
    bool enforce;           /* missing features are an error */
    bool expose_pv;         /* KVM paravirtual leaves 0x40000000.. */
    char *missing;          /* features asked for that no engine has, comma separated, or NULL: worth a warning */
};

/* From the text after -cpu.  NULL with an error (did you mean, list of models).  "help" is the caller's. */
CpuModel *cpu_model_parse(const char *text, GError **error);
/* Every feature that the instruction handlers implement. */
FeatureSet cpu_features_implemented(void);
/*
 * Take away the features outside `available`, and those that make no sense without them.  Their names, comma separated,
 * owned by the caller; NULL when nothing was taken.
 */
char *cpu_model_limit(CpuModel *model, const FeatureSet *available);
void cpu_model_free(CpuModel *model);
/* Models and feature names, for -cpu help. */
void cpu_model_list(GString *out);

/* out: EAX EBX ECX EDX.  Uses live state (OSXSAVE, APIC id, XCR0). */
void cpu_cpuid(const X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
