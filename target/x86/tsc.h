/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time stamp counter: a constant rate derived from the machine's clock, so that it agrees with every other timer
 * and stands still while the machine is paused.
 * Spec: Intel SDM vol 3 section 17.17.
 */
#pragma once

#include "target/x86/cpu.h"

#define APIC_BUS_KHZ 1000000u

/* TSC rate = APIC_BUS_KHZ * *num / *den, as near as it gets with a product of the first two that fits 32 bits. */
void tsc_ratio(uint32_t khz, uint32_t *num, uint32_t *den);

struct ClockLine;
/* The machine's time as a line over the host's TSC: RDTSC is ticks_at() of it, plus msr.tsc_offset.  NULL: it is none. */
const struct ClockLine *cpu_tsc_line(const X86Cpu *cpu);
/* WRMSR IA32_TSC, IA32_TSC_ADJUST. */
void cpu_write_tsc(X86Cpu *cpu, uint64_t value);
void cpu_write_tsc_adjust(X86Cpu *cpu, uint64_t value);
/* Virtual time at which this CPU's TSC has the value (TSC deadline timer); 0 if that was before power-on. */
int64_t cpu_tsc_to_ns(const X86Cpu *cpu, uint64_t tsc);
