/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptor fetches, segment register loads with their checks, and the slow path of the limit check.
 * Spec: Intel SDM vol 3 sections 3.4, 3.5, 5.2 to 5.8; vol 2 MOV, LLDT, LTR, LAR, LSL, VERR.
 */
#include "target/x86/segment.h"

#include "target/x86/mem.h"

/* ---- descriptor tables ---- */

/* Linear address of entry `sel`, if `bytes` of it lie inside the table. */
static bool desc_locate(const X86Cpu *cpu, uint16_t sel, unsigned bytes, gva_t *lin)
{
    uint64_t base = cpu->gdtr.base;
    uint32_t limit = cpu->gdtr.limit;
    if (sel & 4) {
        if (cpu->ldtr.attr & SEG_UNUSABLE) {
            return false;
        }
        base = cpu->ldtr.base;
        limit = cpu->ldtr.limit;
    }
    uint32_t off = sel & ~7u;
    if (off + bytes - 1 > limit) {
        return false;
    }
    *lin = sys_linear(cpu, base + off);
    return true;
}

bool desc_fetch(X86Cpu *cpu, uint16_t sel, Desc *d)
{
    if (sel_null(sel) || !desc_locate(cpu, sel, 8, &d->lin)) {
        return false;
    }
    uint64_t raw = sys_read(cpu, d->lin, 8);
    d->lo = (uint32_t)raw;
    d->hi = (uint32_t)(raw >> 32);
    return true;
}

void desc_need(X86Cpu *cpu, uint16_t sel, Desc *d, unsigned vector, unsigned ext)
{
    if (!desc_fetch(cpu, sel, d)) {
        cpu_raise_error(cpu, vector, sel_error(sel, ext));
    }
}

uint64_t desc_need_upper(X86Cpu *cpu, uint16_t sel, unsigned vector, uint32_t *type)
{
    gva_t lin;
    if (!desc_locate(cpu, sel, 16, &lin)) {
        cpu_raise_error(cpu, vector, sel_error(sel, 0));
    }
    uint64_t raw = sys_read(cpu, sys_linear(cpu, lin + 8), 8);
    *type = (uint32_t)(raw >> 40) & 0x1f;
    return raw << 32;
}

void desc_change_type(X86Cpu *cpu, gva_t lin, uint8_t set, uint8_t clear)
{
    gva_t at = sys_linear(cpu, lin + 5);
    sys_probe(cpu, at, 1, ACCESS_WRITE);
    mem_exclusive_begin(cpu);
    uint8_t type = (uint8_t)sys_read(cpu, at, 1);
    sys_write(cpu, at, (uint8_t)((type & ~clear) | set), 1);
    mem_exclusive_end(cpu);
}

void desc_mark_accessed(X86Cpu *cpu, Desc *d)
{
    if (!(d->hi & 1 << 8)) {
        desc_change_type(cpu, d->lin, SEG_ACCESSED, 0);
        d->hi |= 1 << 8;
    }
}

/* ---- hidden parts ---- */

void seg_update(X86Cpu *cpu, unsigned seg)
{
    Segment *s = &cpu->seg[seg];
    uint64_t end = (uint64_t)s->limit + 1;
    s->fast_r = s->fast_w = 0;
    if (!(cpu->cr0 & CR0_PE)) { /* real mode looks at the limit only */
        s->fast_r = s->fast_w = end;
        return;
    }
    if ((s->attr & (SEG_UNUSABLE | SEG_P | SEG_S)) != (SEG_P | SEG_S)) {
        return;
    }
    if (s->attr & SEG_CODE) {
        s->fast_r = s->attr & SEG_READ ? end : 0;
    } else if (!(s->attr & SEG_EXPAND_DOWN)) {
        s->fast_r = end;
        s->fast_w = s->attr & SEG_WRITE ? end : 0;
    }
}

static bool type_allows(const Segment *s, Access access)
{
    if (s->attr & SEG_CODE) {
        return access == ACCESS_EXEC || (access == ACCESS_READ && (s->attr & SEG_READ));
    }
    return access == ACCESS_READ || (access == ACCESS_WRITE && (s->attr & SEG_WRITE));
}

/* SDM vol 3 section 5.3: an expand-down segment holds what lies above the limit. */
bool seg_limit_allows(const Segment *s, gva_t off, unsigned size, bool real)
{
    uint64_t last = off + size - 1;
    if (!real && (s->attr & (SEG_CODE | SEG_EXPAND_DOWN)) == SEG_EXPAND_DOWN) {
        uint64_t top = s->attr & SEG_DB ? 0xffffffff : 0xffff;
        return off > s->limit && last <= top;
    }
    /* A 4 GiB segment does not wrap around either: silicon raises the fault for an operand across its end. */
    return last <= s->limit;
}

void seg_check_slow(X86Cpu *cpu, unsigned seg, gva_t off, unsigned size, Access access)
{
    const Segment *s = &cpu->seg[seg];
    bool real = !(cpu->cr0 & CR0_PE);
    if (!real && ((s->attr & (SEG_UNUSABLE | SEG_P)) != SEG_P || !type_allows(s, access))) {
        /* A null SS cannot be in use outside 64-bit mode, so what is left of this case is #GP for all. */
        cpu_raise_error(cpu, seg == SEG_SS && (s->attr & SEG_UNUSABLE) ? EXC_SS : EXC_GP, 0);
    }
    if (!seg_limit_allows(s, off, size, real)) {
        cpu_raise_error(cpu, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
    }
}

void seg_set_cache(X86Cpu *cpu, unsigned seg, uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr)
{
    Segment *s = &cpu->seg[seg];
    bool flat = segment_flat(s);
    s->selector = sel;
    s->base = base;
    s->limit = limit;
    s->attr = attr;
    seg_update(cpu, seg);
    if (seg < SEG_FS && segment_flat(s) != flat) {
        cpu->break_block = true; /* translated code knows which are */
    }
}

void seg_load_cache(X86Cpu *cpu, unsigned seg, uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr)
{
    seg_set_cache(cpu, seg, sel, base, limit, attr);
    if (seg == SEG_CS || seg == SEG_SS) {
        cpu_update_mode(cpu);
    }
}

void seg_load_desc(X86Cpu *cpu, unsigned seg, uint16_t sel, const Desc *d)
{
    seg_load_cache(cpu, seg, sel, desc_base(d), desc_limit(d), desc_attr(d));
}

void seg_load_null(X86Cpu *cpu, unsigned seg, uint16_t sel)
{
    /* A null SS still carries CPL in its DPL field. */
    uint32_t dpl = seg == SEG_SS ? (uint32_t)cpu->cpl << SEG_DPL_SHIFT : 0;
    seg_load_cache(cpu, seg, sel, 0, 0, SEG_UNUSABLE | dpl);
}

void seg_load_code(X86Cpu *cpu, uint16_t sel, const Desc *d, unsigned cpl)
{
    seg_load_desc(cpu, SEG_CS, (uint16_t)((sel & ~3) | cpl), d);
}

void seg_load_real(X86Cpu *cpu, unsigned seg, uint16_t sel)
{
    const Segment *s = &cpu->seg[seg];
    uint64_t base = (uint64_t)sel << 4;
    if (cpu->eflags & FL_VM) {
        seg_load_cache(cpu, seg, sel, base, 0xffff, SEG_P | SEG_DPL | SEG_S | SEG_WRITE | SEG_ACCESSED);
        return;
    }
    /* Real mode keeps limit and size of what protected mode loaded ("unreal mode"); a null one starts afresh. */
    bool fresh = s->attr & SEG_UNUSABLE;
    uint32_t keep = fresh ? 0 : s->attr & (SEG_DB | SEG_G);
    seg_load_cache(cpu, seg, sel, base, fresh ? 0xffff : s->limit, keep | SEG_P | SEG_S | SEG_WRITE | SEG_ACCESSED);
}

/* ---- loads in protected mode ---- */

void seg_need_stack(X86Cpu *cpu, uint16_t sel, unsigned cpl, Desc *d, unsigned vector, unsigned ext)
{
    desc_need(cpu, sel, d, vector, ext);
    uint32_t attr = desc_attr(d);
    if ((sel & 3u) != cpl || attr_dpl(attr) != cpl || !attr_is_writable(attr)) {
        cpu_raise_error(cpu, vector, sel_error(sel, ext));
    }
    if (!(attr & SEG_P)) {
        cpu_raise_error(cpu, EXC_SS, sel_error(sel, ext));
    }
}

static void load_ss(X86Cpu *cpu, uint16_t sel)
{
    Desc d;
    if (sel_null(sel)) {
        /* 64-bit kernels run with a null SS; CPL 3 may not. */
        if (!cpu->code64 || cpu->cpl == 3 || (sel & 3) != cpu->cpl) {
            cpu_raise_gp0(cpu);
        }
        seg_load_null(cpu, SEG_SS, sel);
        return;
    }
    seg_need_stack(cpu, sel, cpu->cpl, &d, EXC_GP, 0);
    desc_mark_accessed(cpu, &d);
    seg_load_desc(cpu, SEG_SS, sel, &d);
}

static void load_data(X86Cpu *cpu, unsigned seg, uint16_t sel)
{
    Desc d;
    if (sel_null(sel)) {
        seg_load_null(cpu, seg, sel);
        return;
    }
    desc_need(cpu, sel, &d, EXC_GP, 0);
    uint32_t attr = desc_attr(&d);
    if (!(attr & SEG_S) || (attr & (SEG_CODE | SEG_READ)) == SEG_CODE) {
        cpu_raise_error(cpu, EXC_GP, sel_error(sel, 0));
    }
    if (!attr_is_conforming(attr) && attr_dpl(attr) < MAX((unsigned)cpu->cpl, sel & 3u)) {
        cpu_raise_error(cpu, EXC_GP, sel_error(sel, 0));
    }
    if (!(attr & SEG_P)) {
        cpu_raise_error(cpu, EXC_NP, sel_error(sel, 0));
    }
    desc_mark_accessed(cpu, &d);
    seg_load_desc(cpu, seg, sel, &d);
}

void seg_load(X86Cpu *cpu, unsigned seg, uint16_t sel)
{
    if (!cpu->protected_mode) {
        seg_load_real(cpu, seg, sel);
    } else if (seg == SEG_SS) {
        load_ss(cpu, sel);
    } else {
        load_data(cpu, seg, sel);
    }
}

void seg_drop_inner(X86Cpu *cpu)
{
    static const uint8_t data_segs[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned n = 0; n < ARRAY_LEN(data_segs); n++) {
        Segment *s = &cpu->seg[data_segs[n]];
        if (!(s->attr & SEG_UNUSABLE) && !attr_is_conforming(s->attr) && attr_dpl(s->attr) < cpu->cpl) {
            s->selector = 0;
            s->attr |= SEG_UNUSABLE; /* the base stays: 64-bit code goes on using those of FS and GS */
            seg_update(cpu, data_segs[n]);
        }
    }
}

/* ---- LDTR and TR ---- */

/* Base of a system segment: 64 bits in long mode, from a 16-byte descriptor. */
static uint64_t system_base(X86Cpu *cpu, uint16_t sel, const Desc *d, unsigned vector)
{
    uint64_t base = desc_base(d);
    if (cpu->long_mode) {
        uint32_t type;
        base |= desc_need_upper(cpu, sel, vector, &type);
        if (type != 0 || !is_canonical(cpu, base)) {
            cpu_raise_error(cpu, vector, sel_error(sel, 0));
        }
    }
    return base;
}

void seg_load_ldtr(X86Cpu *cpu, uint16_t sel, unsigned vector, unsigned ext)
{
    Segment *ldtr = &cpu->ldtr;
    Desc d;
    if (sel_null(sel)) {
        *ldtr = (Segment){.selector = sel, .attr = SEG_UNUSABLE};
        return;
    }
    if (sel & 4) {
        cpu_raise_error(cpu, vector, sel_error(sel, ext));
    }
    desc_need(cpu, sel, &d, vector, ext);
    if ((desc_attr(&d) & (SEG_S | SEG_TYPE)) != DESC_LDT) {
        cpu_raise_error(cpu, vector, sel_error(sel, ext));
    }
    if (!(desc_attr(&d) & SEG_P)) {
        /* A task switch calls it an invalid TSS (SDM vol 3 table 7-1). */
        cpu_raise_error(cpu, vector == EXC_TS ? EXC_TS : EXC_NP, sel_error(sel, ext));
    }
    uint64_t base = system_base(cpu, sel, &d, vector);
    *ldtr = (Segment){.selector = sel, .base = base, .limit = desc_limit(&d), .attr = desc_attr(&d)};
}

void seg_load_tr(X86Cpu *cpu, uint16_t sel)
{
    Desc d;
    if (sel_null(sel)) {
        cpu_raise_gp0(cpu);
    }
    if (sel & 4) {
        cpu_raise_error(cpu, EXC_GP, sel_error(sel, 0));
    }
    desc_need(cpu, sel, &d, EXC_GP, 0);
    uint32_t type = desc_attr(&d) & (SEG_S | SEG_TYPE);
    if (type != DESC_TSS32 && (type != DESC_TSS16 || cpu->long_mode)) {
        cpu_raise_error(cpu, EXC_GP, sel_error(sel, 0));
    }
    if (!(desc_attr(&d) & SEG_P)) {
        cpu_raise_error(cpu, EXC_NP, sel_error(sel, 0));
    }
    uint64_t base = system_base(cpu, sel, &d, EXC_GP);
    desc_change_type(cpu, d.lin, DESC_TSS_BUSY_BIT, 0);
    cpu->tr = (Segment){
        .selector = sel, .base = base, .limit = desc_limit(&d), .attr = desc_attr(&d) | DESC_TSS_BUSY_BIT};
}

/* ---- LAR, LSL, VERR, VERW ---- */

/* Bit n: system descriptor type n is known to the instruction. */
#define TYPES_LAR_LEGACY 0x1a3eu /* 1-5, 9, 11, 12 */
#define TYPES_LAR_LONG 0x1a04u   /* 2, 9, 11, 12 */
#define TYPES_LSL_LEGACY 0x0a0eu /* 1-3, 9, 11 */
#define TYPES_LSL_LONG 0x0a04u   /* 2, 9, 11 */

static bool visible(X86Cpu *cpu, uint16_t sel, Desc *d, uint32_t system_types)
{
    if (!desc_fetch(cpu, sel, d)) {
        return false;
    }
    uint32_t attr = desc_attr(d);
    if (!(attr & SEG_S) && !(system_types >> (attr & SEG_TYPE) & 1)) {
        return false;
    }
    return attr_is_conforming(attr) || attr_dpl(attr) >= MAX((unsigned)cpu->cpl, sel & 3u);
}

bool seg_lar(X86Cpu *cpu, uint16_t sel, uint32_t *rights)
{
    Desc d;
    if (!visible(cpu, sel, &d, cpu->long_mode ? TYPES_LAR_LONG : TYPES_LAR_LEGACY)) {
        return false;
    }
    *rights = d.hi & 0x00f0ff00;
    return true;
}

bool seg_lsl(X86Cpu *cpu, uint16_t sel, uint32_t *limit)
{
    Desc d;
    if (!visible(cpu, sel, &d, cpu->long_mode ? TYPES_LSL_LONG : TYPES_LSL_LEGACY)) {
        return false;
    }
    *limit = desc_limit(&d);
    return true;
}

bool seg_verify(X86Cpu *cpu, uint16_t sel, bool write)
{
    Desc d;
    if (!visible(cpu, sel, &d, 0)) {
        return false;
    }
    uint32_t attr = desc_attr(&d);
    return write ? attr_is_writable(attr) : !(attr & SEG_CODE) || (attr & SEG_READ);
}
