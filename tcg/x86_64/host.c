/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's CPUID, in the words of target/x86/features.def. */
#include "tcg/x86_64/host.h"

#include <cpuid.h>
#include <string.h>

/* Has the host's kernel enabled AVX state?  SDM vol 1, 14.3. */
static bool avx_saved(unsigned cpuid_1_ecx)
{
    unsigned low, high;
    if (!(cpuid_1_ecx & bit_OSXSAVE)) {
        return false;
    }
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6;
}

void host_features(FeatureSet *out)
{
    unsigned a, b, c, d;
    memset(out, 0, sizeof(*out));
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        out->w[CPUID_1_EDX] = d;
        out->w[CPUID_1_ECX] = c;
        if (!avx_saved(c)) { /* nothing encoded with VEX may run */
            out->w[CPUID_1_ECX] &= ~(uint32_t)bit_AVX;
        }
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        out->w[CPUID_7_EBX] = b;
        out->w[CPUID_7_ECX] = c;
        out->w[CPUID_7_EDX] = d;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
        out->w[CPUID_81_EDX] = d;
        out->w[CPUID_81_ECX] = c;
    }
}
