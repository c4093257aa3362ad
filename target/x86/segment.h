/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors and segment registers: fetching, checking and loading them, LDTR and TR included.
 * Spec: Intel SDM vol 3 chapters 3 and 5.
 */
#pragma once

#include "target/x86/cpu.h"

/* A descriptor as read from the GDT or LDT; for 16-byte system descriptors the upper half is read separately. */
typedef struct Desc {
    uint32_t lo, hi;
    gva_t lin; /* where it stands */
} Desc;

/* System descriptor types, SDM vol 3 table 3-2. */
enum {
    DESC_TSS16 = 1, DESC_LDT = 2, DESC_TSS16_BUSY = 3, DESC_CALL16 = 4, DESC_TASK_GATE = 5, DESC_INT16 = 6,
    DESC_TRAP16 = 7, DESC_TSS32 = 9, DESC_TSS32_BUSY = 11, DESC_CALL32 = 12, DESC_INT32 = 14, DESC_TRAP32 = 15,
};
/* What SYSCALL and its like load, but for the privilege and the kind of code. */
#define SEG_FLAT_CODE (SEG_P | SEG_S | SEG_CODE | SEG_READ | SEG_ACCESSED | SEG_G)
#define SEG_FLAT_DATA (SEG_P | SEG_S | SEG_WRITE | SEG_ACCESSED | SEG_G | SEG_DB)
#define DESC_TSS_BUSY_BIT 2

static inline uint32_t desc_attr(const Desc *d)
{
    return (d->hi >> 8) & 0xf0ff;
}
static inline uint32_t desc_base(const Desc *d)
{
    return d->lo >> 16 | (d->hi & 0xff) << 16 | (d->hi & 0xff000000);
}
/* Highest valid offset, in bytes. */
static inline uint32_t desc_limit(const Desc *d)
{
    uint32_t limit = (d->lo & 0xffff) | (d->hi & 0xf0000);
    return d->hi & 1 << 23 ? limit << 12 | 0xfff : limit;
}
static inline unsigned attr_dpl(uint32_t attr)
{
    return (attr & SEG_DPL) >> SEG_DPL_SHIFT;
}
/* A code segment that is not conforming runs only at its own privilege. */
static inline bool attr_is_code(uint32_t attr)
{
    return (attr & (SEG_S | SEG_CODE)) == (SEG_S | SEG_CODE);
}
static inline bool attr_is_conforming(uint32_t attr)
{
    return attr_is_code(attr) && (attr & SEG_CONFORMING);
}
static inline bool attr_is_writable(uint32_t attr)
{
    return (attr & (SEG_S | SEG_CODE | SEG_WRITE)) == (SEG_S | SEG_WRITE);
}
static inline bool sel_null(uint16_t sel)
{
    return (sel & ~3) == 0;
}
/* Error code that names a selector; ext is 1 while an event outside the program is being delivered. */
static inline uint32_t sel_error(uint16_t sel, unsigned ext)
{
    return (sel & ~3u) | ext;
}

/* Addresses of system structures wrap at 4 GiB outside long mode. */
static inline gva_t sys_linear(const X86Cpu *cpu, gva_t lin)
{
    return cpu->long_mode ? lin : (uint32_t)lin;
}
static inline bool is_canonical(const X86Cpu *cpu, uint64_t addr)
{
    unsigned shift = cpu->cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;
    return (uint64_t)((int64_t)(addr << shift) >> shift) == addr;
}

/* False when the selector is null or outside its table. */
bool desc_fetch(X86Cpu *cpu, uint16_t sel, Desc *d);
/* The same, raising vector(selector | ext). */
void desc_need(X86Cpu *cpu, uint16_t sel, Desc *d, unsigned vector, unsigned ext);
/* Upper half of a 16-byte system descriptor; raises vector(selector) when it is outside the table. */
uint64_t desc_need_upper(X86Cpu *cpu, uint16_t sel, unsigned vector, uint32_t *type);
/* Set the accessed bit in memory, if it is not, and in *d. */
void desc_mark_accessed(X86Cpu *cpu, Desc *d);
/* Set or clear bits in the descriptor's type byte, atomically. */
void desc_change_type(X86Cpu *cpu, gva_t lin, uint8_t set, uint8_t clear);

/* Load ES, SS, DS, FS or GS as MOV Sreg does, in any mode. */
void seg_load(X86Cpu *cpu, unsigned seg, uint16_t sel);
/* Real and virtual-8086 mode, CS too. */
void seg_load_real(X86Cpu *cpu, unsigned seg, uint16_t sel);
/* Set the hidden part without any check.  In protected mode the DPL of SS is the CPL. */
void seg_load_cache(X86Cpu *cpu, unsigned seg, uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr);
/* The same without cpu_update_mode(), which the caller owes: for CS and SS loaded together. */
void seg_set_cache(X86Cpu *cpu, unsigned seg, uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr);
void seg_load_desc(X86Cpu *cpu, unsigned seg, uint16_t sel, const Desc *d);
void seg_load_null(X86Cpu *cpu, unsigned seg, uint16_t sel);
/* Load CS for a transfer to `cpl`; the selector's RPL becomes it. */
void seg_load_code(X86Cpu *cpu, uint16_t sel, const Desc *d, unsigned cpl);
/*
 * Fetch and check the descriptor of a stack for privilege `cpl`: vector(sel) for a bad one, #SS(sel) for one that is
 * not present.  Null selectors are bad.
 */
void seg_need_stack(X86Cpu *cpu, uint16_t sel, unsigned cpl, Desc *d, unsigned vector, unsigned ext);
/* Does the segment's limit admit size bytes at off?  Real mode knows no expand-down segments. */
bool seg_limit_allows(const Segment *s, gva_t off, unsigned size, bool real);
/* Recompute fast_r and fast_w. */
void seg_update(X86Cpu *cpu, unsigned seg);
/* Data segments a return to an outer ring must not leave behind (SDM vol 3 section 5.8.6). */
void seg_drop_inner(X86Cpu *cpu);

void seg_load_ldtr(X86Cpu *cpu, uint16_t sel, unsigned vector, unsigned ext);
void seg_load_tr(X86Cpu *cpu, uint16_t sel);

/* LAR, LSL, VERR, VERW: false clears ZF. */
bool seg_lar(X86Cpu *cpu, uint16_t sel, uint32_t *rights);
bool seg_lsl(X86Cpu *cpu, uint16_t sel, uint32_t *limit);
bool seg_verify(X86Cpu *cpu, uint16_t sel, bool write);
