/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Port access: permission, I/O breakpoints, and the way to the machine's port space.
 * Spec: Intel SDM vol 1 section 18.5 (protection), vol 3 section 20.2.7 (virtual-8086 mode).
 */
#include "target/x86/exec.h"

#include "softmmu/core/machine.h"
#include "target/x86/debug.h"
#include "target/x86/segment.h"

enum { TSS_IO_MAP_BASE = 0x66, TSS32_MIN_LIMIT = 0x67 };

/* Two bytes of the map are read even if the ports' bits lie in one; both must be inside the TSS. */
static bool bitmap_allows(X86Cpu *cpu, uint16_t port, unsigned size)
{
    const Segment *tr = &cpu->tr;
    uint32_t type = tr->attr & SEG_TYPE;
    if ((type != DESC_TSS32 && type != DESC_TSS32_BUSY) || tr->limit < TSS32_MIN_LIMIT) {
        return false;
    }
    uint32_t map = (uint32_t)sys_read(cpu, sys_linear(cpu, tr->base + TSS_IO_MAP_BASE), 2);
    uint32_t at = map + port / 8;
    if (at + 1 > tr->limit) {
        return false;
    }
    uint32_t bits = (uint32_t)sys_read(cpu, sys_linear(cpu, tr->base + at), 2) >> (port & 7);
    return (bits & ((1u << size) - 1)) == 0;
}

void io_check(X86Cpu *cpu, uint16_t port, unsigned size)
{
    if (!(cpu->cr0 & CR0_PE)) {
        return;
    }
    unsigned iopl = (cpu->eflags & FL_IOPL) >> FL_IOPL_SHIFT;
    bool v86 = (cpu->eflags & FL_VM) != 0;
    if ((v86 || cpu->cpl > iopl) && !bitmap_allows(cpu, port, size)) {
        cpu_raise_gp0(cpu);
    }
}

uint32_t io_in(X86Cpu *cpu, uint16_t port, unsigned size)
{
    if (unlikely(debug_any_armed(cpu))) {
        debug_check_io(cpu, port, size);
    }
    return (uint32_t)space_read(cpu->machine->io, port, size);
}

void io_out(X86Cpu *cpu, uint16_t port, uint32_t value, unsigned size)
{
    if (unlikely(debug_any_armed(cpu))) {
        debug_check_io(cpu, port, size);
    }
    space_write(cpu->machine->io, port, value, size);
}
