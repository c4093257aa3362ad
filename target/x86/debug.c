/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Breakpoints of the debug registers.
 * Spec: Intel SDM vol 3 sections 17.2 (debug registers) and 17.3.1 (#DB).
 */
#include "target/x86/debug.h"

#include "target/x86/cpuid.h"
#include "target/x86/mem.h"
#include "target/x86/stops.h"

static unsigned length_of(const X86Cpu *cpu, unsigned n)
{
    static const uint8_t bytes[4] = {1, 2, 8, 4};
    return bytes[cpu->dr7 >> (18 + 4 * n) & 3];
}

unsigned debug_armed(const X86Cpu *cpu, DebugKind kind)
{
    unsigned mask = 0;
    for (unsigned n = 0; n < 4; n++) {
        if ((cpu->dr7 >> (2 * n) & 3) && (cpu->dr7 >> (16 + 4 * n) & 3) == (uint64_t)kind) {
            mask |= BIT(n);
        }
    }
    return mask;
}

/* Does [lin, lin + size) touch breakpoint n?  The address is aligned to the length (17.2.5). */
static bool touches(const X86Cpu *cpu, unsigned n, uint64_t lin, unsigned size)
{
    unsigned len = length_of(cpu, n);
    uint64_t start = cpu->dr[n] & ~(uint64_t)(len - 1);
    return lin - start < len || start - lin < size;
}

bool debug_page_watched(const X86Cpu *cpu, gva_t lin)
{
    if (cpu->stops && stops_data_page(cpu, lin)) {
        return true;
    }
    if (likely(!debug_any_armed(cpu))) {
        return false;
    }
    unsigned mask = debug_armed(cpu, DEBUG_WRITE) | debug_armed(cpu, DEBUG_ACCESS);
    for (unsigned n = 0; n < 4; n++) {
        if ((mask >> n & 1) && touches(cpu, n, lin & ~0xfffull, 4096)) {
            return true;
        }
    }
    return false;
}

/*
 * DR6 reports every condition that matches, armed or not, once one armed breakpoint hits (17.2.3); reporting the
 * armed ones only is allowed and what current processors do.
 */
static uint64_t hits(const X86Cpu *cpu, unsigned mask, uint64_t at, unsigned size)
{
    uint64_t bits = 0;
    for (unsigned n = 0; n < 4; n++) {
        if ((mask >> n & 1) && touches(cpu, n, at, size)) {
            bits |= BIT(n);
        }
    }
    return bits;
}

void debug_check_exec(X86Cpu *cpu, gva_t lin)
{
    if (cpu->eflags & FL_RF) {
        return;
    }
    /* Intel holds breakpoints back after MOV SS, AMD does not. */
    if (cpu->shadow == SHADOW_SS && strcmp(cpu->model->vendor, "GenuineIntel") == 0) {
        return;
    }
    uint64_t bits = hits(cpu, debug_armed(cpu, DEBUG_EXEC), lin, 1);
    if (bits) {
        cpu_raise_db(cpu, bits, false);
    }
}

void debug_check_data(X86Cpu *cpu, gva_t lin, unsigned size, bool write)
{
    if (cpu->stops) {
        stops_check_data(cpu, lin, size, write);
    }
    unsigned mask = debug_armed(cpu, DEBUG_ACCESS) | (write ? debug_armed(cpu, DEBUG_WRITE) : 0);
    uint64_t bits = hits(cpu, mask, lin, size);
    if (bits) {
        cpu->pending_db |= bits;
        cpu->break_block = true;
    }
}

void debug_check_io(X86Cpu *cpu, uint16_t port, unsigned size)
{
    if (!(cpu->cr4 & CR4_DE)) {
        return; /* R/W = 10b is undefined without CR4.DE */
    }
    uint64_t bits = hits(cpu, debug_armed(cpu, DEBUG_IO), port, size);
    if (bits) {
        cpu->pending_db |= bits;
        cpu->break_block = true;
    }
}

void debug_write_dr6(X86Cpu *cpu, uint64_t value)
{
    cpu->dr6 = (value & 0xe00f) | DR6_FIXED;
}

static bool watches_data(const X86Cpu *cpu)
{
    return debug_armed(cpu, DEBUG_WRITE) || debug_armed(cpu, DEBUG_ACCESS);
}

void debug_write_dr7(X86Cpu *cpu, uint64_t value)
{
    bool before = watches_data(cpu);
    cpu->dr7 = (value & 0xffff2bff) | DR7_FIXED;
    if (before || watches_data(cpu)) {
        tlb_flush_all(cpu);
    }
    cpu->break_block = true;
}

void debug_write_address(X86Cpu *cpu, unsigned n, uint64_t value)
{
    cpu->dr[n] = value;
    if (watches_data(cpu)) {
        tlb_flush_all(cpu);
    }
}
