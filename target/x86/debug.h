/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug registers: what they watch and what a hit does.  Data and I/O hits collect in cpu->pending_db, which the
 * instruction loop turns into a trap after the instruction; instruction breakpoints are checked before it.
 * Spec: Intel SDM vol 3 chapter 17.2, 17.3.
 */
#pragma once

#include "target/x86/cpu.h"

enum {
    DR6_BD = 1 << 13, DR6_BS = 1 << 14, DR6_BT = 1 << 15,
    DR7_ENABLED = 0xff, /* L0 G0 .. L3 G3 */
    DR7_GD = 1 << 13,
};
#define DR6_FIXED 0xffff0ff0u /* bits that read as one */
#define DR7_FIXED 0x400u
enum { DEBUGCTL_LBR = 1 << 0, DEBUGCTL_BTF = 1 << 1 };

typedef enum DebugKind { DEBUG_EXEC, DEBUG_WRITE, DEBUG_IO, DEBUG_ACCESS } DebugKind; /* the R/W fields */

/* Bit n: breakpoint n is enabled and of this kind. */
unsigned debug_armed(const X86Cpu *cpu, DebugKind kind);

static inline bool debug_any_armed(const X86Cpu *cpu)
{
    return unlikely((cpu->dr7 & DR7_ENABLED) != 0);
}
static inline bool debug_data_armed(const X86Cpu *cpu)
{
    return debug_any_armed(cpu) || unlikely(cpu->stops != NULL);
}

/* Some data breakpoint, or a debugger's, lies in the page of lin: it may not be entered in the TLB. */
bool debug_page_watched(const X86Cpu *cpu, gva_t lin);
/* Raise #DB (fault) if an instruction breakpoint is at lin and RF is clear.  Before each instruction. */
void debug_check_exec(X86Cpu *cpu, gva_t lin);
void debug_check_data(X86Cpu *cpu, gva_t lin, unsigned size, bool write);
void debug_check_io(X86Cpu *cpu, uint16_t port, unsigned size);

/* MOV to DR: reserved bits, and the TLB follows what is watched. */
void debug_write_dr6(X86Cpu *cpu, uint64_t value);
void debug_write_dr7(X86Cpu *cpu, uint64_t value);
void debug_write_address(X86Cpu *cpu, unsigned n, uint64_t value);
