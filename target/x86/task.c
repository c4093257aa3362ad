/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Task switches through 16 and 32-bit task state segments.
 * Spec: Intel SDM vol 3 sections 7.2 (TSS layout), 7.3 (order of steps, tables 7-1 and 7-2), 7.4.
 */
#include "target/x86/task.h"

#include "target/x86/debug.h"
#include "target/x86/exec.h"

/* Where a TSS keeps what a switch saves and loads (figures 7-2 and 7-10). */
typedef struct TssLayout {
    uint8_t ip, flags, regs, segs, ldt; /* offsets */
    uint8_t reg_bytes, seg_step, num_segs;
    uint8_t min_limit;
} TssLayout;

static const TssLayout tss32 = {0x20, 0x24, 0x28, 0x48, 0x60, 4, 4, 6, 0x67};
static const TssLayout tss16 = {0x0e, 0x10, 0x12, 0x22, 0x2a, 2, 2, 4, 0x2b};

enum { TSS32_CR3 = 0x1c, TSS32_TRAP = 0x64 };

static const TssLayout *layout_of(uint32_t attr)
{
    return (attr & SEG_TYPE) >= DESC_TSS32 ? &tss32 : &tss16;
}

/* What a task starts with. */
typedef struct TaskState {
    uint32_t cr3, ip, flags, regs[8];
    uint16_t segs[NUM_SEGS], ldt;
    bool trap;
} TaskState;

static uint32_t tss_get(X86Cpu *cpu, uint64_t base, unsigned off, unsigned size)
{
    return (uint32_t)sys_read(cpu, sys_linear(cpu, base + off), size);
}

static void tss_put(X86Cpu *cpu, uint64_t base, unsigned off, uint32_t value, unsigned size)
{
    sys_write(cpu, sys_linear(cpu, base + off), value, size);
}

static void task_save(X86Cpu *cpu, uint32_t flags)
{
    const TssLayout *l = layout_of(cpu->tr.attr);
    uint64_t base = cpu->tr.base;
    tss_put(cpu, base, l->ip, (uint32_t)cpu->rip, l->reg_bytes);
    tss_put(cpu, base, l->flags, flags, l->reg_bytes);
    for (unsigned i = 0; i < 8; i++) {
        tss_put(cpu, base, l->regs + i * l->reg_bytes, (uint32_t)cpu->r[i], l->reg_bytes);
    }
    for (unsigned i = 0; i < l->num_segs; i++) {
        tss_put(cpu, base, l->segs + i * l->seg_step, cpu->seg[i].selector, 2);
    }
}

static void task_read(X86Cpu *cpu, uint64_t base, const TssLayout *l, TaskState *t)
{
    *t = (TaskState){0};
    t->ip = tss_get(cpu, base, l->ip, l->reg_bytes);
    t->flags = tss_get(cpu, base, l->flags, l->reg_bytes);
    for (unsigned i = 0; i < 8; i++) {
        t->regs[i] = tss_get(cpu, base, l->regs + i * l->reg_bytes, l->reg_bytes);
    }
    for (unsigned i = 0; i < l->num_segs; i++) {
        t->segs[i] = (uint16_t)tss_get(cpu, base, l->segs + i * l->seg_step, 2);
    }
    t->ldt = (uint16_t)tss_get(cpu, base, l->ldt, 2);
    if (l == &tss32) {
        t->cr3 = tss_get(cpu, base, TSS32_CR3, 4);
        t->trap = tss_get(cpu, base, TSS32_TRAP, 2) & 1;
    }
}

/* ---- segment registers of the new task; what fails is an invalid TSS ---- */

static void load_code(X86Cpu *cpu, uint16_t sel, unsigned ext)
{
    Desc d;
    desc_need(cpu, sel, &d, EXC_TS, ext);
    uint32_t attr = desc_attr(&d);
    unsigned rpl = sel & 3;
    if (!attr_is_code(attr) || (attr_is_conforming(attr) ? attr_dpl(attr) > rpl : attr_dpl(attr) != rpl)) {
        cpu_raise_error(cpu, EXC_TS, sel_error(sel, ext));
    }
    if (!(attr & SEG_P)) {
        cpu_raise_error(cpu, EXC_NP, sel_error(sel, ext));
    }
    desc_mark_accessed(cpu, &d);
    seg_load_desc(cpu, SEG_CS, sel, &d);
}

static void load_stack(X86Cpu *cpu, uint16_t sel, unsigned ext)
{
    Desc d;
    seg_need_stack(cpu, sel, cpu->cpl, &d, EXC_TS, ext);
    desc_mark_accessed(cpu, &d);
    seg_load_desc(cpu, SEG_SS, sel, &d);
}

static void load_data(X86Cpu *cpu, unsigned seg, uint16_t sel, unsigned ext)
{
    Desc d;
    if (sel_null(sel)) {
        return; /* it is null already */
    }
    desc_need(cpu, sel, &d, EXC_TS, ext);
    uint32_t attr = desc_attr(&d);
    if (!(attr & SEG_S) || (attr & (SEG_CODE | SEG_READ)) == SEG_CODE ||
        (!attr_is_conforming(attr) && attr_dpl(attr) < MAX((unsigned)cpu->cpl, sel & 3u))) {
        cpu_raise_error(cpu, EXC_TS, sel_error(sel, ext));
    }
    if (!(attr & SEG_P)) {
        cpu_raise_error(cpu, EXC_NP, sel_error(sel, ext));
    }
    desc_mark_accessed(cpu, &d);
    seg_load_desc(cpu, seg, sel, &d);
}

static void load_segments(X86Cpu *cpu, const TaskState *t, unsigned ext)
{
    if (cpu->eflags & FL_VM) {
        for (unsigned i = 0; i < NUM_SEGS; i++) {
            seg_load_real(cpu, i, t->segs[i]);
        }
        seg_load_ldtr(cpu, t->ldt, EXC_TS, ext);
        return;
    }
    /* Selectors first, so that a fault handler sees those of the new task; SS carries the new CPL. */
    uint32_t dpl = (t->segs[SEG_CS] & 3u) << SEG_DPL_SHIFT;
    for (unsigned i = 0; i < NUM_SEGS; i++) {
        seg_load_cache(cpu, i, t->segs[i], 0, 0, SEG_UNUSABLE | (i == SEG_SS ? dpl : 0));
    }
    seg_load_ldtr(cpu, t->ldt, EXC_TS, ext);
    load_code(cpu, t->segs[SEG_CS], ext);
    load_stack(cpu, t->segs[SEG_SS], ext);
    load_data(cpu, SEG_ES, t->segs[SEG_ES], ext);
    load_data(cpu, SEG_DS, t->segs[SEG_DS], ext);
    load_data(cpu, SEG_FS, t->segs[SEG_FS], ext);
    load_data(cpu, SEG_GS, t->segs[SEG_GS], ext);
}

/* The new task's registers, from which on faults are its own. */
static void task_enter(X86Cpu *cpu, const TaskState *t, bool is32, unsigned ext)
{
    cpu->rip = cpu->insn_rip = t->ip;
    for (unsigned i = 0; i < 8; i++) {
        cpu->r[i] = t->regs[i];
    }
    cpu->cr0 |= CR0_TS;
    cpu->dr7 &= ~0x155ull; /* L0-L3, LE */
    cpu->ldtr = (Segment){.selector = t->ldt, .attr = SEG_UNUSABLE};
    if (is32 && (cpu->cr0 & CR0_PG)) {
        cpu_write_cr3(cpu, t->cr3);
    }
    cpu_load_eflags(cpu, t->flags, FL_ALL);
    load_segments(cpu, t, ext);
    if (cpu->rip > cpu->seg[SEG_CS].limit) {
        cpu_raise_error(cpu, EXC_GP, ext);
    }
}

/* The TSS descriptor, fit for this kind of switch (table 7-1). */
static void check_tss(X86Cpu *cpu, uint16_t sel, TaskCause cause, unsigned ext, Desc *d)
{
    unsigned vector = cause == TASK_IRET ? EXC_TS : EXC_GP;
    if (sel & 4) {
        cpu_raise_error(cpu, vector, sel_error(sel, ext));
    }
    desc_need(cpu, sel, d, vector, ext);
    uint32_t type = desc_attr(d) & (SEG_S | SEG_TYPE);
    uint32_t busy = cause == TASK_IRET ? DESC_TSS_BUSY_BIT : 0;
    if (type != (DESC_TSS16 | busy) && type != (DESC_TSS32 | busy)) {
        cpu_raise_error(cpu, vector, sel_error(sel, ext));
    }
    if (!(desc_attr(d) & SEG_P)) {
        cpu_raise_error(cpu, EXC_NP, sel_error(sel, ext));
    }
    if (desc_limit(d) < layout_of(type)->min_limit) {
        cpu_raise_error(cpu, EXC_TS, sel_error(sel, ext));
    }
}

void task_switch(X86Cpu *cpu, uint16_t sel, TaskCause cause, unsigned ext, bool has_error, uint32_t error)
{
    Desc tss;
    check_tss(cpu, sel, cause, ext, &tss);
    const TssLayout *l = layout_of(desc_attr(&tss));
    const TssLayout *old = layout_of(cpu->tr.attr);
    uint64_t base = desc_base(&tss);
    bool nests = cause == TASK_CALL || cause == TASK_INT;
    gva_t old_desc = cpu->gdtr.base + (cpu->tr.selector & ~7u);

    if (cpu->tr.limit < old->min_limit) {
        cpu_raise_error(cpu, EXC_TS, sel_error(cpu->tr.selector, ext));
    }
    sys_probe(cpu, sys_linear(cpu, cpu->tr.base), old->min_limit + 1u, ACCESS_WRITE);
    sys_probe(cpu, sys_linear(cpu, base), l->min_limit + 1u, nests ? ACCESS_WRITE : ACCESS_READ);
    sys_probe(cpu, sys_linear(cpu, old_desc), 8, ACCESS_WRITE);
    sys_probe(cpu, tss.lin, 8, ACCESS_WRITE);

    uint32_t flags = cpu_eflags(cpu);
    if (!nests) {
        desc_change_type(cpu, old_desc, 0, DESC_TSS_BUSY_BIT);
    }
    task_save(cpu, cause == TASK_IRET ? flags & ~(uint32_t)FL_NT : flags);
    TaskState t;
    task_read(cpu, base, l, &t);
    if (nests) {
        tss_put(cpu, base, 0, cpu->tr.selector, 2);
        t.flags |= FL_NT;
    }
    if (cause != TASK_IRET) {
        desc_change_type(cpu, tss.lin, DESC_TSS_BUSY_BIT, 0);
    }
    cpu->tr = (Segment){
        .selector = sel, .base = base, .limit = desc_limit(&tss), .attr = desc_attr(&tss) | DESC_TSS_BUSY_BIT};
    task_enter(cpu, &t, l == &tss32, ext);
    if (has_error) {
        push_osize(cpu, l == &tss32 ? 2 : 1, error);
    }
    if (t.trap) {
        cpu->delivering = -1;
        cpu_raise_db(cpu, DR6_BT, true);
    }
}

void task_return(X86Cpu *cpu)
{
    task_switch(cpu, (uint16_t)tss_get(cpu, cpu->tr.base, 0, 2), TASK_IRET, 0, false, 0);
}
