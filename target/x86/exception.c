/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raising exceptions, and delivering them and interrupts in every mode.
 * Spec: Intel SDM vol 3 chapter 6; section 20.1.4 (real mode) and 20.3.3 (virtual-8086 mode, VME).
 */
#include "target/x86/cpu.h"

#include <inttypes.h>

#include "target/x86/debug.h"
#include "target/x86/flags.h"
#include "target/x86/frame.h"
#include "target/x86/mem.h"
#include "target/x86/task.h"
#include "util/log.h"

/* ---- raising ---- */

static G_NORETURN void throw(X86Cpu *cpu, unsigned vector, bool has_error, uint32_t error, bool trap)
{
    cpu->exc.vector = (uint8_t)vector;
    cpu->exc.kind = INT_EXCEPTION;
    cpu->exc.has_error = has_error;
    cpu->exc.error = error;
    /* A fault while an outside event is delivered leaves RIP where the event found it. */
    if (!trap && cpu->delivering < 0) {
        cpu->rip = cpu->insn_rip;
    }
    longjmp(cpu->unwind, 1);
}

void cpu_raise(X86Cpu *cpu, unsigned vector)
{
    cpu->exc.dr6 = 0;
    throw(cpu, vector, false, 0, false);
}

void cpu_raise_error(X86Cpu *cpu, unsigned vector, uint32_t error)
{
    cpu->exc.dr6 = 0;
    throw(cpu, vector, true, error & 0xffff, false);
}

void cpu_raise_pf(X86Cpu *cpu, gva_t addr, uint32_t error)
{
    cpu->exc.dr6 = 0;
    cpu->exc.cr2 = addr;
    throw(cpu, EXC_PF, true, error, false);
}

void cpu_raise_db(X86Cpu *cpu, uint64_t dr6_bits, bool trap)
{
    cpu->exc.dr6 = dr6_bits;
    throw(cpu, EXC_DB, false, 0, trap);
}

void cpu_raise_gp0(X86Cpu *cpu)
{
    cpu_raise_error(cpu, EXC_GP, 0);
}

void cpu_raise_ud(X86Cpu *cpu)
{
    cpu_raise(cpu, EXC_UD);
}

/* ---- delivery ---- */

typedef struct Event {
    unsigned vector;
    IntKind kind;
    bool has_error;
    uint32_t error;
    unsigned ext;   /* EXT bit of error codes raised meanwhile */
    uint32_t flags; /* image to push */
} Event;

/* Where a gate leads, checked. */
typedef struct Target {
    uint16_t cs;
    Desc code;
    uint64_t rip;
    unsigned cpl;
    unsigned log2size; /* of the frame's items */
    bool clear_if;     /* interrupt gate */
} Target;

static bool is_soft(IntKind kind)
{
    return kind == INT_SOFT || kind == INT_SOFT_EXC;
}

/* Error code that names an IDT entry (SDM vol 3 section 6.13). */
static uint32_t idt_error(const Event *e)
{
    return e->vector * 8 + 2 + e->ext;
}

/* SDM vol 3 section 17.3.1.1: what the image pushed has in RF. */
static bool sets_rf(const X86Cpu *cpu, const Event *e)
{
    if (e->kind != INT_EXCEPTION) {
        return false;
    }
    switch (e->vector) {
    case EXC_DB:
        return (cpu->exc.dr6 & DR6_BD) != 0; /* the one fault among them that is not an instruction breakpoint */
    case EXC_BP:
    case EXC_OF:
    case EXC_DF:
    case EXC_MC:
        return false;
    default:
        return true;
    }
}

/* Load CS from an interrupt vector table of 4-byte entries at `base`. */
static void enter_vector_table(X86Cpu *cpu, uint32_t entry, uint64_t sp, uint32_t clear)
{
    cpu->r[RSP] = sp;
    cpu_load_eflags(cpu, 0, clear);
    seg_load_real(cpu, SEG_CS, (uint16_t)(entry >> 16));
    cpu->rip = entry & 0xffff;
}

static void deliver_real(X86Cpu *cpu, const Event *e)
{
    uint32_t off = e->vector * 4;
    if (off + 3 > cpu->idtr.limit) {
        cpu_raise_error(cpu, EXC_GP, idt_error(e));
    }
    uint32_t entry = (uint32_t)sys_read(cpu, sys_linear(cpu, cpu->idtr.base + off), 4);
    Frame f = frame_current(cpu, e->ext);
    uint64_t items[] = {e->flags, cpu->seg[SEG_CS].selector, cpu->rip};
    uint64_t sp = frame_push(cpu, &f, 1, items, 3);
    enter_vector_table(cpu, entry, sp, FL_IF | FL_TF | FL_AC | FL_RF);
}

/* INT n in virtual-8086 mode, through the table at linear address 0 (table 20-2, methods 5 and 6). */
static void deliver_v86_redirected(X86Cpu *cpu, const Event *e)
{
    uint32_t entry = (uint32_t)sys_read(cpu, e->vector * 4, 4);
    bool virtual_if = (cpu->eflags & FL_IOPL) != FL_IOPL;
    uint32_t flags = e->flags;
    if (virtual_if) {
        flags = (flags & ~(uint32_t)FL_IF) | FL_IOPL | (flags & FL_VIF ? FL_IF : 0);
    }
    Frame f = frame_current(cpu, 0);
    uint64_t items[] = {flags, cpu->seg[SEG_CS].selector, cpu->rip};
    uint64_t sp = frame_push(cpu, &f, 1, items, 3);
    enter_vector_table(cpu, entry, sp, (virtual_if ? FL_VIF : FL_IF) | FL_TF | FL_NT | FL_RF);
}

/* The bit of the software interrupt redirection bitmap, which ends where the I/O bitmap starts (20.3.3). */
static bool v86_redirects(X86Cpu *cpu, unsigned vector)
{
    if (!(cpu->cr4 & CR4_VME)) {
        return false;
    }
    if (cpu->tr.limit < 103) {
        cpu_raise_gp0(cpu);
    }
    uint32_t map = (uint32_t)sys_read(cpu, sys_linear(cpu, cpu->tr.base + 102), 2);
    uint32_t at = map - 32 + vector / 8;
    if (map < 32 || at > cpu->tr.limit) {
        cpu_raise_gp0(cpu);
    }
    return !(sys_read(cpu, sys_linear(cpu, cpu->tr.base + at), 1) >> (vector & 7) & 1);
}

/* The checks on the code segment that every interrupt or trap gate shares. */
static void check_target(X86Cpu *cpu, const Event *e, Target *t)
{
    if (sel_null(t->cs)) {
        cpu_raise_error(cpu, EXC_GP, e->ext);
    }
    desc_need(cpu, t->cs, &t->code, EXC_GP, e->ext);
    uint32_t attr = desc_attr(&t->code);
    if (!attr_is_code(attr) || attr_dpl(attr) > cpu->cpl ||
        (cpu->long_mode && (attr & (SEG_L | SEG_DB)) != SEG_L)) {
        cpu_raise_error(cpu, EXC_GP, sel_error(t->cs, e->ext));
    }
    if (!(attr & SEG_P)) {
        cpu_raise_error(cpu, EXC_NP, sel_error(t->cs, e->ext));
    }
    t->cpl = attr_is_conforming(attr) ? cpu->cpl : attr_dpl(attr);
}

static void check_gate(X86Cpu *cpu, const Event *e, uint32_t attr, uint32_t types)
{
    if ((attr & SEG_S) || !(types >> (attr & SEG_TYPE) & 1) || (is_soft(e->kind) && attr_dpl(attr) < cpu->cpl)) {
        cpu_raise_error(cpu, EXC_GP, idt_error(e));
    }
    if (!(attr & SEG_P)) {
        cpu_raise_error(cpu, EXC_NP, idt_error(e));
    }
}

static void enter_target(X86Cpu *cpu, const Target *t)
{
    seg_load_code(cpu, t->cs, &t->code, t->cpl);
    cpu_load_eflags(cpu, 0, FL_TF | FL_VM | FL_NT | FL_RF | (t->clear_if ? FL_IF : 0));
    cpu->rip = t->rip;
}

static void check_target_limit(X86Cpu *cpu, const Event *e, const Target *t)
{
    if (t->rip > desc_limit(&t->code)) {
        cpu_raise_error(cpu, EXC_GP, e->ext);
    }
}

static void deliver_same(X86Cpu *cpu, const Event *e, Target *t)
{
    uint64_t items[4] = {e->flags, cpu->seg[SEG_CS].selector, cpu->rip, e->error};
    Frame f = frame_current(cpu, e->ext);
    check_target_limit(cpu, e, t);
    desc_mark_accessed(cpu, &t->code);
    uint64_t sp = frame_push(cpu, &f, t->log2size, items, e->has_error ? 4 : 3);
    cpu->r[RSP] = sp;
    enter_target(cpu, t);
}

static void deliver_inner(X86Cpu *cpu, const Event *e, Target *t)
{
    bool v86 = (cpu->eflags & FL_VM) != 0;
    uint64_t items[10];
    unsigned n = 0;
    uint16_t ss;
    Desc stack;

    uint64_t sp = tss_inner_stack(cpu, t->cpl, e->ext, &ss);
    seg_need_stack(cpu, ss, t->cpl, &stack, EXC_TS, e->ext);
    if (v86) {
        items[n++] = cpu->seg[SEG_GS].selector;
        items[n++] = cpu->seg[SEG_FS].selector;
        items[n++] = cpu->seg[SEG_DS].selector;
        items[n++] = cpu->seg[SEG_ES].selector;
    }
    items[n++] = cpu->seg[SEG_SS].selector;
    items[n++] = cpu->r[RSP];
    items[n++] = e->flags;
    items[n++] = cpu->seg[SEG_CS].selector;
    items[n++] = cpu->rip;
    if (e->has_error) {
        items[n++] = e->error;
    }
    check_target_limit(cpu, e, t);
    desc_mark_accessed(cpu, &stack);
    desc_mark_accessed(cpu, &t->code);
    Frame f = frame_inner(&stack, ss, sp, e->ext);
    sp = frame_push(cpu, &f, t->log2size, items, n);

    cpu_load_eflags(cpu, 0, FL_VM);
    seg_load_desc(cpu, SEG_SS, ss, &stack);
    cpu->r[RSP] = sp;
    enter_target(cpu, t);
    if (v86) {
        seg_load_null(cpu, SEG_GS, 0);
        seg_load_null(cpu, SEG_FS, 0);
        seg_load_null(cpu, SEG_DS, 0);
        seg_load_null(cpu, SEG_ES, 0);
    }
}

static void deliver_protected(X86Cpu *cpu, const Event *e)
{
    bool v86 = (cpu->eflags & FL_VM) != 0;
    uint32_t off = e->vector * 8;
    if (off + 7 > cpu->idtr.limit) {
        cpu_raise_error(cpu, EXC_GP, idt_error(e));
    }
    uint64_t raw = sys_read(cpu, sys_linear(cpu, cpu->idtr.base + off), 8);
    uint32_t lo = (uint32_t)raw, hi = (uint32_t)(raw >> 32), attr = (hi >> 8) & 0xff;
    check_gate(cpu, e, attr,
               1u << DESC_TASK_GATE | 1u << DESC_INT16 | 1u << DESC_TRAP16 | 1u << DESC_INT32 | 1u << DESC_TRAP32);
    unsigned type = attr & SEG_TYPE;
    if (type == DESC_TASK_GATE) {
        cpu->eflags |= e->flags & FL_RF; /* the old task's TSS takes the image */
        task_switch(cpu, (uint16_t)(lo >> 16), TASK_INT, e->ext, e->has_error, e->error);
        return;
    }
    Target t = {.cs = (uint16_t)(lo >> 16), .log2size = type & 8 ? 2 : 1, .clear_if = !(type & 1)};
    t.rip = (lo & 0xffff) | (type & 8 ? hi & 0xffff0000 : 0);
    check_target(cpu, e, &t);
    if (v86 && t.cpl != 0) {
        cpu_raise_error(cpu, EXC_GP, sel_error(t.cs, e->ext));
    }
    if (t.cpl < cpu->cpl) {
        deliver_inner(cpu, e, &t);
    } else {
        deliver_same(cpu, e, &t);
    }
}

static void deliver_long(X86Cpu *cpu, const Event *e)
{
    uint32_t off = e->vector * 16;
    if (off + 15 > cpu->idtr.limit) {
        cpu_raise_error(cpu, EXC_GP, idt_error(e));
    }
    uint64_t raw = sys_read(cpu, cpu->idtr.base + off, 8);
    uint64_t upper = sys_read(cpu, cpu->idtr.base + off + 8, 8);
    uint32_t lo = (uint32_t)raw, hi = (uint32_t)(raw >> 32), attr = (hi >> 8) & 0xff;
    unsigned ist = hi & 7;
    check_gate(cpu, e, attr, 1u << DESC_INT32 | 1u << DESC_TRAP32);
    Target t = {.cs = (uint16_t)(lo >> 16), .log2size = 3, .clear_if = !(attr & 1)};
    t.rip = (lo & 0xffff) | (hi & 0xffff0000) | upper << 32;
    check_target(cpu, e, &t);

    uint64_t sp = cpu->r[RSP];
    uint16_t none;
    if (ist != 0) {
        sp = tss_ist(cpu, ist, e->ext);
    } else if (t.cpl < cpu->cpl) {
        sp = tss_inner_stack(cpu, t.cpl, e->ext, &none);
    }
    if (!is_canonical(cpu, sp)) {
        cpu_raise_error(cpu, EXC_SS, e->ext);
    }
    if (!is_canonical(cpu, t.rip)) {
        cpu_raise_error(cpu, EXC_GP, e->ext);
    }
    uint64_t items[] = {
        cpu->seg[SEG_SS].selector, cpu->r[RSP], e->flags, cpu->seg[SEG_CS].selector, cpu->rip, e->error,
    };
    Frame f = frame_long(sp & ~15ull, e->ext); /* 6.14.2: 16-byte aligned */
    desc_mark_accessed(cpu, &t.code);
    sp = frame_push(cpu, &f, 3, items, e->has_error ? 6 : 5);

    if (t.cpl < cpu->cpl) { /* 6.14.4: a null SS whose RPL is the new CPL */
        seg_set_cache(cpu, SEG_SS, (uint16_t)t.cpl, 0, 0, SEG_UNUSABLE | t.cpl << SEG_DPL_SHIFT);
    }
    cpu->r[RSP] = sp;
    enter_target(cpu, &t);
}

static void log_event(const X86Cpu *cpu, const Event *e)
{
    static const char *const kinds[] = {"exception", "int", "int3/into", "int1", "external", "nmi"};
    log_printf("cpu %u: %s %02x error %04x at %04x:%016" PRIx64 " cpl %u sp %04x:%016" PRIx64
               " flags %08x cr2 %016" PRIx64 "\n",
               cpu->index, kinds[e->kind], e->vector, e->has_error ? e->error : 0, cpu->seg[SEG_CS].selector,
               cpu->rip, cpu->cpl, cpu->seg[SEG_SS].selector, cpu->r[RSP], e->flags, cpu->cr2);
}

void cpu_deliver(X86Cpu *cpu, unsigned vector, IntKind kind, bool has_error, uint32_t error)
{
    Event e = {
        .vector = vector,
        .kind = kind,
        .has_error = has_error,
        .error = error,
        .ext = !is_soft(kind),
        .flags = cpu_eflags(cpu),
    };
    if (sets_rf(cpu, &e)) {
        e.flags |= FL_RF;
    }
    if (log_on(LOG_INT)) {
        log_event(cpu, &e);
    }
    /*
     * A fault while an instruction's own interrupt is delivered belongs to that instruction (RIP goes back to it) and
     * is benign for the double fault rules; outside events count as benign, too, but keep RIP.
     */
    bool own = kind == INT_SOFT || kind == INT_SOFT_EXC || kind == INT_ICEBP;
    cpu->delivering = own ? -1 : kind == INT_EXCEPTION ? (int8_t)vector : EXC_NMI;
    cpu->halted = false;
    cpu->shadow = 0;
    cpu->break_block = true;
    if (kind == INT_NMI) {
        cpu->nmi_blocked = true;
    }
    if (!(cpu->cr0 & CR0_PE)) {
        deliver_real(cpu, &e);
    } else if (cpu->long_mode) {
        deliver_long(cpu, &e);
    } else if ((cpu->eflags & FL_VM) && kind == INT_SOFT) {
        if (v86_redirects(cpu, vector)) {
            deliver_v86_redirected(cpu, &e);
        } else if ((cpu->eflags & FL_IOPL) != FL_IOPL) {
            cpu_raise_gp0(cpu);
        } else {
            deliver_protected(cpu, &e);
        }
    } else {
        deliver_protected(cpu, &e);
    }
    cpu->delivering = -1;
}

/* ---- double faults, SDM vol 3 tables 6-4 and 6-5 ---- */

typedef enum FaultClass { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT } FaultClass;

static FaultClass fault_class(int vector)
{
    switch (vector) {
    case EXC_DE:
    case EXC_TS:
    case EXC_NP:
    case EXC_SS:
    case EXC_GP:
        return CONTRIBUTORY;
    case EXC_PF:
        return PAGE_FAULT;
    case EXC_DF:
        return DOUBLE_FAULT;
    default:
        return BENIGN;
    }
}

bool cpu_deliver_pending(X86Cpu *cpu)
{
    unsigned vector = cpu->exc.vector;
    bool has_error = cpu->exc.has_error;
    uint32_t error = cpu->exc.error;
    FaultClass first = cpu->delivering < 0 ? BENIGN : fault_class(cpu->delivering);
    FaultClass second = fault_class((int)vector);

    if (vector == EXC_PF) {
        cpu->cr2 = cpu->exc.cr2;
    }
    if (first == DOUBLE_FAULT && second != BENIGN) {
        if (log_on(LOG_INT)) {
            log_printf("cpu %u: triple fault: vector %02x while delivering a double fault\n", cpu->index, vector);
        }
        return false;
    }
    if ((first == CONTRIBUTORY && second == CONTRIBUTORY) ||
        (first == PAGE_FAULT && (second == CONTRIBUTORY || second == PAGE_FAULT))) {
        vector = EXC_DF;
        has_error = true;
        error = 0;
    } else if (vector == EXC_DB) {
        cpu->dr6 = (cpu->dr6 & ~15ull) | cpu->exc.dr6; /* B0-B3 are set anew, the others are sticky */
        cpu->dr7 &= ~(uint64_t)DR7_GD;
        cpu->msr.debugctl &= ~(uint64_t)DEBUGCTL_BTF;
    }
    cpu->delivering = -1;
    cpu_deliver(cpu, vector, INT_EXCEPTION, has_error, error);
    return true;
}
