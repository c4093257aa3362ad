/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time stamp counter. */
#include "target/x86/tsc.h"

#include "softmmu/core/machine.h"
#include "target/x86/pvclock.h"

static uint64_t base_ticks(const X86Cpu *cpu)
{
    return ticks_at(cpu->machine->tsc, clock_now(cpu->machine->clock));
}

void tsc_ratio(uint32_t khz, uint32_t *num, uint32_t *den)
{
    enum { NUM_MAX = UINT32_MAX / APIC_BUS_KHZ }; /* kernels multiply 32-bit numbers */
    uint64_t least = UINT64_MAX;
    *num = *den = 1;
    for (uint32_t d = 1; least; d++) {
        uint64_t n = ((uint64_t)khz * d + APIC_BUS_KHZ / 2) / APIC_BUS_KHZ;
        if (n > NUM_MAX) {
            break;
        }
        uint64_t wrong = (uint64_t)ABS((int64_t)(n * APIC_BUS_KHZ) - (int64_t)((uint64_t)khz * d));
        uint64_t parts = wrong * 1000000 / d;
        if (n && parts < least) {
            least = parts;
            *num = (uint32_t)n;
            *den = d;
        }
    }
}

const ClockLine *cpu_tsc_line(const X86Cpu *cpu)
{
    return clock_tsc_line(cpu->machine->clock);
}

uint64_t cpu_read_tsc(X86Cpu *cpu)
{
    return base_ticks(cpu) + (uint64_t)cpu->msr.tsc_offset;
}

/* Both ways to set the counter move TSC_ADJUST by the same amount (17.17.3). */
static void move_tsc(X86Cpu *cpu, uint64_t delta)
{
    cpu->msr.tsc_offset = (int64_t)((uint64_t)cpu->msr.tsc_offset + delta);
    cpu->msr.tsc_adjust += delta;
    pvclock_update(cpu);
}

void cpu_write_tsc(X86Cpu *cpu, uint64_t value)
{
    move_tsc(cpu, value - cpu_read_tsc(cpu));
}

void cpu_write_tsc_adjust(X86Cpu *cpu, uint64_t value)
{
    move_tsc(cpu, value - cpu->msr.tsc_adjust);
}

int64_t cpu_tsc_to_ns(const X86Cpu *cpu, uint64_t tsc)
{
    int64_t ticks = (int64_t)(tsc - (uint64_t)cpu->msr.tsc_offset);
    return ticks < 0 ? 0 : ns_of_ticks(cpu->machine->tsc, (uint64_t)ticks);
}
