/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Far JMP, CALL and RET: code segments, call gates with their stacks and parameters, task gates and TSSs.
 * Spec: Intel SDM vol 2 CALL, JMP, RET; vol 3 sections 5.8.1 to 5.8.6.
 */
#include "target/x86/far.h"

#include "target/x86/exec.h"
#include "target/x86/frame.h"
#include "target/x86/task.h"

/* ---- checks ---- */

bool far_is_long(const X86Cpu *cpu, const Desc *code)
{
    return cpu->long_mode && (desc_attr(code) & SEG_L);
}

void far_check_target(X86Cpu *cpu, const Desc *code, uint64_t rip)
{
    if (far_is_long(cpu, code) ? !is_canonical(cpu, rip) : rip > desc_limit(code)) {
        cpu_raise_gp0(cpu);
    }
}

static void check_present(X86Cpu *cpu, const Desc *d, uint16_t sel)
{
    if (!(desc_attr(d) & SEG_P)) {
        cpu_raise_error(cpu, EXC_NP, sel_error(sel, 0));
    }
}

static bool long_mode_clash(const X86Cpu *cpu, uint32_t attr)
{
    return cpu->long_mode && (attr & (SEG_L | SEG_DB)) == (SEG_L | SEG_DB);
}

/* JMP or CALL straight to a code segment: no change of privilege. */
static void check_direct(X86Cpu *cpu, uint16_t sel, const Desc *d)
{
    uint32_t attr = desc_attr(d);
    bool ok = attr_is_conforming(attr) ? attr_dpl(attr) <= cpu->cpl
                                       : (sel & 3u) <= cpu->cpl && attr_dpl(attr) == cpu->cpl;
    if (!attr_is_code(attr) || !ok || long_mode_clash(cpu, attr)) {
        cpu_raise_error(cpu, EXC_GP, sel_error(sel, 0));
    }
    check_present(cpu, d, sel);
}

/* ---- gates ---- */

typedef struct CallGate {
    uint16_t cs;
    uint64_t rip;
    unsigned log2size;
    unsigned params;
    Desc code;
} CallGate;

static void check_gate_rights(X86Cpu *cpu, uint16_t sel, const Desc *d)
{
    if (attr_dpl(desc_attr(d)) < MAX((unsigned)cpu->cpl, sel & 3u)) {
        cpu_raise_error(cpu, EXC_GP, sel_error(sel, 0));
    }
}

static void read_call_gate(X86Cpu *cpu, uint16_t sel, const Desc *d, CallGate *g)
{
    check_present(cpu, d, sel);
    bool wide = (desc_attr(d) & SEG_TYPE) == DESC_CALL32;
    g->cs = (uint16_t)(d->lo >> 16);
    g->rip = (d->lo & 0xffff) | (wide ? d->hi & 0xffff0000 : 0);
    g->log2size = wide ? 2 : 1;
    g->params = d->hi & 31;
    if (cpu->long_mode) {
        uint32_t type;
        g->rip |= desc_need_upper(cpu, sel, EXC_GP, &type);
        if (type != 0) {
            cpu_raise_error(cpu, EXC_GP, sel_error(sel, 0));
        }
        g->log2size = 3;
        g->params = 0;
    }
    if (sel_null(g->cs)) {
        cpu_raise_gp0(cpu);
    }
    desc_need(cpu, g->cs, &g->code, EXC_GP, 0);
}

static void check_gate_code(X86Cpu *cpu, const CallGate *g, bool call)
{
    uint32_t attr = desc_attr(&g->code);
    bool ok = call || attr_is_conforming(attr) ? attr_dpl(attr) <= cpu->cpl : attr_dpl(attr) == cpu->cpl;
    if (!attr_is_code(attr) || !ok || (cpu->long_mode && (attr & (SEG_L | SEG_DB)) != SEG_L)) {
        cpu_raise_error(cpu, EXC_GP, sel_error(g->cs, 0));
    }
    check_present(cpu, &g->code, g->cs);
}

/* A call that enters an inner ring on a stack of its own. */
static void gate_call_inner(X86Cpu *cpu, CallGate *g)
{
    unsigned cpl = attr_dpl(desc_attr(&g->code));
    unsigned size = 1u << g->log2size;
    uint64_t items[2 + 31 + 2];
    unsigned n = 0;
    uint16_t ss;
    Desc stack;
    Frame f;
    uint64_t sp = tss_inner_stack(cpu, cpl, 0, &ss);

    if (cpu->long_mode) {
        f = frame_long(sp, 0);
    } else {
        seg_need_stack(cpu, ss, cpl, &stack, EXC_TS, 0);
        f = frame_inner(&stack, ss, sp, 0);
    }
    items[n++] = cpu->seg[SEG_SS].selector;
    items[n++] = cpu->r[RSP];
    for (unsigned i = g->params; i-- > 0;) {
        items[n++] = stack_peek(cpu, g->log2size, i * size);
    }
    items[n++] = cpu->seg[SEG_CS].selector;
    items[n++] = cpu->rip;
    far_check_target(cpu, &g->code, g->rip);
    desc_mark_accessed(cpu, &g->code);
    if (!cpu->long_mode) {
        desc_mark_accessed(cpu, &stack);
    }
    sp = frame_push(cpu, &f, g->log2size, items, n);
    if (cpu->long_mode) {
        seg_load_cache(cpu, SEG_SS, (uint16_t)cpl, 0, 0, SEG_UNUSABLE | cpl << SEG_DPL_SHIFT);
    } else {
        seg_load_desc(cpu, SEG_SS, ss, &stack);
    }
    cpu->r[RSP] = sp;
    seg_load_code(cpu, g->cs, &g->code, cpl);
    cpu->rip = g->rip;
}

static void push_return(X86Cpu *cpu, unsigned log2size)
{
    Frame f = frame_current(cpu, 0);
    uint64_t items[] = {cpu->seg[SEG_CS].selector, cpu->rip};
    cpu->r[RSP] = frame_push(cpu, &f, log2size, items, 2);
}

static void through_call_gate(X86Cpu *cpu, uint16_t sel, const Desc *d, bool call)
{
    CallGate g;
    read_call_gate(cpu, sel, d, &g);
    check_gate_code(cpu, &g, call);
    uint32_t attr = desc_attr(&g.code);
    if (call && !attr_is_conforming(attr) && attr_dpl(attr) < cpu->cpl) {
        gate_call_inner(cpu, &g);
        return;
    }
    far_check_target(cpu, &g.code, g.rip);
    desc_mark_accessed(cpu, &g.code);
    if (call) {
        push_return(cpu, g.log2size);
    }
    seg_load_code(cpu, g.cs, &g.code, cpu->cpl);
    cpu->rip = g.rip;
}

static void through_system(X86Cpu *cpu, uint16_t sel, const Desc *d, bool call)
{
    unsigned type = desc_attr(d) & SEG_TYPE;
    check_gate_rights(cpu, sel, d);
    if (type == DESC_CALL32 || (type == DESC_CALL16 && !cpu->long_mode)) {
        through_call_gate(cpu, sel, d, call);
    } else if (cpu->long_mode) {
        cpu_raise_error(cpu, EXC_GP, sel_error(sel, 0));
    } else if (type == DESC_TASK_GATE) {
        check_present(cpu, d, sel);
        task_switch(cpu, (uint16_t)(d->lo >> 16), call ? TASK_CALL : TASK_JMP, 0, false, 0);
    } else {
        task_switch(cpu, sel, call ? TASK_CALL : TASK_JMP, 0, false, 0); /* refuses what is not a TSS */
    }
}

/* ---- JMP and CALL ---- */

static void far_real(X86Cpu *cpu, uint16_t sel, uint64_t off, unsigned osize, bool call)
{
    if (off > cpu->seg[SEG_CS].limit) {
        cpu_raise_gp0(cpu);
    }
    if (call) {
        push_return(cpu, osize);
    }
    seg_load_real(cpu, SEG_CS, sel);
    cpu->rip = off;
}

static void far_transfer(X86Cpu *cpu, uint16_t sel, uint64_t off, unsigned osize, bool call)
{
    Desc d;
    if (!cpu->protected_mode) {
        far_real(cpu, sel, off, osize, call);
        return;
    }
    if (sel_null(sel)) {
        cpu_raise_gp0(cpu);
    }
    desc_need(cpu, sel, &d, EXC_GP, 0);
    if (!(desc_attr(&d) & SEG_S)) {
        through_system(cpu, sel, &d, call);
        return;
    }
    check_direct(cpu, sel, &d);
    far_check_target(cpu, &d, off);
    desc_mark_accessed(cpu, &d);
    if (call) {
        push_return(cpu, osize);
    }
    seg_load_code(cpu, sel, &d, cpu->cpl);
    cpu->rip = off;
}

/* A far pointer in memory: the offset, then the selector. */
static uint64_t read_pointer(X86Cpu *cpu, const Insn *i, uint16_t *sel)
{
    gva_t ea = insn_ea(cpu, i);
    uint64_t off;
    if (i->osize == 1) {
        off = mem_read16(cpu, i->seg, ea);
    } else if (i->osize == 2) {
        off = mem_read32(cpu, i->seg, ea);
    } else {
        off = mem_read64(cpu, i->seg, ea);
    }
    *sel = mem_read16(cpu, i->seg, (ea + (1u << i->osize)) & asize_mask[i->asize]);
    return off;
}

static uint64_t immediate_offset(const Insn *i)
{
    return i->osize == 1 ? i->imm & 0xffff : i->imm & 0xffffffff;
}

static void do_jmp_far_imm(X86Cpu *cpu, const Insn *i)
{
    far_transfer(cpu, i->imm2, immediate_offset(i), i->osize, false);
}

static void do_call_far_imm(X86Cpu *cpu, const Insn *i)
{
    far_transfer(cpu, i->imm2, immediate_offset(i), i->osize, true);
}

static void do_jmp_far_mem(X86Cpu *cpu, const Insn *i)
{
    uint16_t sel;
    uint64_t off = read_pointer(cpu, i, &sel);
    far_transfer(cpu, sel, off, i->osize, false);
}

static void do_call_far_mem(X86Cpu *cpu, const Insn *i)
{
    uint16_t sel;
    uint64_t off = read_pointer(cpu, i, &sel);
    far_transfer(cpu, sel, off, i->osize, true);
}

EXEC_ONE(jmp_far_imm, do_jmp_far_imm);
EXEC_ONE(call_far_imm, do_call_far_imm);
EXEC_ONE(jmp_far_mem, do_jmp_far_mem);
EXEC_ONE(call_far_mem, do_call_far_mem);

/* ---- returns ---- */

void return_check_code(X86Cpu *cpu, Return *r)
{
    if (sel_null(r->cs)) {
        cpu_raise_gp0(cpu);
    }
    desc_need(cpu, r->cs, &r->code, EXC_GP, 0);
    uint32_t attr = desc_attr(&r->code);
    r->cpl = r->cs & 3;
    bool ok = attr_is_conforming(attr) ? attr_dpl(attr) <= r->cpl : attr_dpl(attr) == r->cpl;
    if (!attr_is_code(attr) || r->cpl < cpu->cpl || !ok || long_mode_clash(cpu, attr)) {
        cpu_raise_error(cpu, EXC_GP, sel_error(r->cs, 0));
    }
    check_present(cpu, &r->code, r->cs);
}

void return_check_stack(X86Cpu *cpu, Return *r)
{
    r->pops_stack = true;
    if (!sel_null(r->ss)) {
        seg_need_stack(cpu, r->ss, r->cpl, &r->stack, EXC_GP, 0);
    } else if (!far_is_long(cpu, &r->code) || r->cpl == 3 || (r->ss & 3u) != r->cpl) {
        cpu_raise_gp0(cpu); /* a null SS is for 64-bit code of rings 0-2 only */
    }
}

void return_commit(X86Cpu *cpu, Return *r, unsigned extra)
{
    bool outer = r->cpl > cpu->cpl;
    desc_mark_accessed(cpu, &r->code);
    if (r->pops_stack && !sel_null(r->ss)) {
        desc_mark_accessed(cpu, &r->stack);
    }
    cpu->rip = r->rip;
    if (!r->pops_stack) {
        seg_load_code(cpu, r->cs, &r->code, r->cpl);
        return;
    }
    seg_set_cache(cpu, SEG_CS, (uint16_t)((r->cs & ~3) | r->cpl), desc_base(&r->code), desc_limit(&r->code),
                  desc_attr(&r->code)); /* the mode is updated with SS */
    if (sel_null(r->ss)) {
        seg_load_cache(cpu, SEG_SS, r->ss, 0, 0, SEG_UNUSABLE | r->cpl << SEG_DPL_SHIFT);
    } else {
        seg_load_desc(cpu, SEG_SS, r->ss, &r->stack);
    }
    uint64_t sp = r->rsp + extra;
    if (cpu->stack_size == 1) { /* the upper half stays the inner ring's, as on silicon */
        cpu->r[RSP] = (cpu->r[RSP] & ~0xffffull) | (sp & 0xffff);
    } else {
        cpu->r[RSP] = cpu->stack_size == 2 ? (uint32_t)sp : sp;
    }
    if (outer) {
        seg_drop_inner(cpu);
    }
}

static void ret_far(X86Cpu *cpu, unsigned osize, unsigned extra)
{
    unsigned size = 1u << osize;
    Return r = {0};
    r.rip = stack_peek(cpu, osize, 0);
    r.cs = (uint16_t)stack_peek(cpu, osize, size);
    if (!cpu->protected_mode) {
        if (r.rip > cpu->seg[SEG_CS].limit) {
            cpu_raise_gp0(cpu);
        }
        seg_load_real(cpu, SEG_CS, r.cs);
        cpu->rip = r.rip;
        stack_adjust(cpu, 2 * size + extra);
        return;
    }
    return_check_code(cpu, &r);
    if (r.cpl == cpu->cpl) {
        far_check_target(cpu, &r.code, r.rip);
        desc_mark_accessed(cpu, &r.code);
        stack_adjust(cpu, 2 * size + extra);
        return_commit(cpu, &r, 0);
        return;
    }
    r.rsp = stack_peek(cpu, osize, 2 * size + extra);
    r.ss = (uint16_t)stack_peek(cpu, osize, 3 * size + extra);
    return_check_stack(cpu, &r);
    far_check_target(cpu, &r.code, r.rip);
    return_commit(cpu, &r, extra);
}

static void do_ret_far(X86Cpu *cpu, const Insn *i)
{
    ret_far(cpu, i->osize, 0);
}

static void do_ret_far_imm(X86Cpu *cpu, const Insn *i)
{
    ret_far(cpu, i->osize, i->imm & 0xffff);
}

EXEC_ONE(ret_far, do_ret_far);
EXEC_ONE(ret_far_imm, do_ret_far_imm);
