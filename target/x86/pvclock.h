/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The KVM paravirtual clock: a page in guest memory tells how to turn the TSC into nanoseconds since power-on.
 * Spec: Linux Documentation/virt/kvm/x86/msr.rst and cpuid.rst.
 */
#pragma once

#include "target/x86/cpu.h"

enum {
    MSR_KVM_WALL_CLOCK = 0x11, MSR_KVM_SYSTEM_TIME = 0x12, MSR_KVM_WALL_CLOCK_NEW = 0x4b564d00,
    MSR_KVM_SYSTEM_TIME_NEW = 0x4b564d01,
};
/* CPUID 0x40000001 EAX. */
enum { KVM_FEATURE_CLOCKSOURCE = 1 << 0, KVM_FEATURE_NOP_IO_DELAY = 1 << 1, KVM_FEATURE_CLOCKSOURCE2 = 1 << 3,
       KVM_FEATURE_PV_SEND_IPI = 1 << 11, KVM_FEATURE_CLOCKSOURCE_STABLE = 1 << 24 };

void pvclock_write_system_time(X86Cpu *cpu, uint64_t value);
void pvclock_write_wall_clock(X86Cpu *cpu, uint64_t value);
/* Rewrite the page after the TSC moved or the state was loaded. */
void pvclock_update(X86Cpu *cpu);
