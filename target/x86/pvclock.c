/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The KVM paravirtual clock.  TSC and clock run at a fixed ratio, so that the page is written once and stays exact.
 * Spec: Linux Documentation/virt/kvm/x86/msr.rst.
 */
#include "target/x86/pvclock.h"

#include <string.h>

#include "softmmu/core/machine.h"
#include "target/x86/tsc.h"

enum { PVCLOCK_ENABLED = 1, PVCLOCK_TSC_STABLE = 1 };

typedef struct TimeInfo {
    uint32_t version; /* odd while the rest is being written */
    uint32_t pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags, pad[2];
} TimeInfo;
G_STATIC_ASSERT(sizeof(TimeInfo) == 32);

typedef struct WallClock {
    uint32_t version, sec, nsec;
} WallClock;

/* The version goes odd, the body is written, the version goes even: readers retry on odd or changed ones. */
static void publish(X86Cpu *cpu, gpa_t addr, void *body, size_t size)
{
    AddressSpace *memory = cpu->machine->memory;
    uint32_t version = 0;
    if (!space_dma_read(memory, addr, &version, sizeof(version))) {
        return; /* not RAM: there is nothing to tell */
    }
    version = (version + 1) | 1;
    space_dma_write(memory, addr, &version, sizeof(version));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    version++;
    space_dma_write(memory, addr + sizeof(version), (uint8_t *)body + sizeof(version), size - sizeof(version));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    space_dma_write(memory, addr, &version, sizeof(version));
}

void pvclock_update(X86Cpu *cpu)
{
    uint64_t msr = cpu->msr.pvclock_system_time;
    if (!(msr & PVCLOCK_ENABLED)) {
        return;
    }
    /* ns a tick: a 32-bit binary fraction of the shifted count */
    unsigned __int128 mul = ((unsigned __int128)1 << 64) / cpu->machine->tsc.per_ns;
    int8_t shift = 0;
    for (; mul > UINT32_MAX; mul >>= 1) {
        shift++;
    }
    /* Every CPU tells the same line, from power-on: what TSC_STABLE promises. */
    TimeInfo info = {
        .tsc_timestamp = (uint64_t)cpu->msr.tsc_offset,
        .system_time = (uint64_t)cpu->machine->pvclock_ahead,
        .tsc_to_system_mul = (uint32_t)mul,
        .tsc_shift = shift,
        .flags = PVCLOCK_TSC_STABLE,
    };
    publish(cpu, msr & ~1ull, &info, sizeof(info));
}

void pvclock_write_system_time(X86Cpu *cpu, uint64_t value)
{
    cpu->msr.pvclock_system_time = value;
    pvclock_update(cpu);
}

void pvclock_write_wall_clock(X86Cpu *cpu, uint64_t value)
{
    cpu->msr.pvclock_wall_clock = value;
    int64_t boot_ns = g_get_real_time() * 1000 - clock_now(cpu->machine->clock);
    WallClock wall = {
        .sec = (uint32_t)(boot_ns / NS_PER_SEC),
        .nsec = (uint32_t)(boot_ns % NS_PER_SEC),
    };
    publish(cpu, value, &wall, sizeof(wall));
}
