/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time stamp counter. */
#include "target/x86/tsc.h"

#include "softmmu/core/machine.h"
#include "target/x86/pvclock.h"

static uint64_t base_ticks(const X86Cpu *cpu)
{
    return (uint64_t)clock_now(cpu->machine->clock) * TSC_PER_NS;
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
    return ticks < 0 ? 0 : (ticks + TSC_PER_NS - 1) / TSC_PER_NS;
}
