/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IRET in every mode.
 * Spec: Intel SDM vol 2 IRET; vol 3 sections 6.7.1 (NMI), 20.2.5 and 20.3.4 (virtual-8086 mode), 7.4 (nested tasks).
 */
#include "target/x86/exec.h"
#include "target/x86/far.h"
#include "target/x86/task.h"

#define WORD_FLAGS (FL_OSZAPC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT)

/* The flags an IRET image may change, by privilege before the return. */
static uint32_t flag_mask(const X86Cpu *cpu, unsigned osize)
{
    uint32_t mask = FL_OSZAPC | FL_TF | FL_DF | FL_NT;
    unsigned iopl = (cpu->eflags & FL_IOPL) >> FL_IOPL_SHIFT;
    if (osize > 1) {
        mask |= FL_RF | FL_AC | FL_ID;
    }
    if (cpu->cpl <= iopl) {
        mask |= FL_IF;
    }
    if (cpu->cpl == 0) {
        mask |= FL_IOPL | (osize > 1 ? FL_VIF | FL_VIP : 0);
    }
    return mask;
}

typedef struct IretFrame {
    uint64_t rip;
    uint16_t cs;
    uint32_t flags;
    bool whole; /* the next two are there as well */
    uint16_t ss;
    uint64_t rsp;
} IretFrame;

static IretFrame peek_frame(X86Cpu *cpu, unsigned osize)
{
    unsigned size = 1u << osize;
    IretFrame f = {.whole = false};
    if (cpu->code64 && osize == 3) { /* five items in any case: at once where the TLB knows the page */
        const uint8_t *host = mem_direct(cpu, cpu->r[RSP], 5 * 8, cpu->mem_mode, ACCESS_READ);
        if (likely(host)) {
            uint64_t item[5];
            memcpy(item, host, sizeof(item));
            return (IretFrame){.rip = item[0], .cs = (uint16_t)item[1], .flags = (uint32_t)item[2], .whole = true,
                               .rsp = item[3], .ss = (uint16_t)item[4]};
        }
    }
    f.rip = stack_peek(cpu, osize, 0);
    f.cs = (uint16_t)stack_peek(cpu, osize, size);
    f.flags = (uint32_t)stack_peek(cpu, osize, 2 * size);
    return f;
}

static void commit_real(X86Cpu *cpu, const IretFrame *f, unsigned osize, uint32_t flags, uint32_t mask)
{
    if (f->rip > cpu->seg[SEG_CS].limit) {
        cpu_raise_gp0(cpu);
    }
    stack_adjust(cpu, 3 << osize);
    seg_load_real(cpu, SEG_CS, f->cs);
    cpu->rip = f->rip;
    cpu_load_eflags(cpu, flags, mask);
}

static void iret_real(X86Cpu *cpu, unsigned osize)
{
    IretFrame f = peek_frame(cpu, osize);
    uint32_t mask = WORD_FLAGS | (osize > 1 ? FL_RF | FL_AC | FL_ID : 0);
    commit_real(cpu, &f, osize, f.flags, mask);
}

static void iret_v86(X86Cpu *cpu, unsigned osize)
{
    if ((cpu->eflags & FL_IOPL) == FL_IOPL) {
        IretFrame f = peek_frame(cpu, osize);
        uint32_t mask = (WORD_FLAGS & ~(uint32_t)FL_IOPL) | (osize > 1 ? FL_RF | FL_AC | FL_ID : 0);
        commit_real(cpu, &f, osize, f.flags, mask);
        return;
    }
    if (!(cpu->cr4 & CR4_VME) || osize != 1) {
        cpu_raise_gp0(cpu);
    }
    IretFrame f = peek_frame(cpu, osize);
    if ((f.flags & FL_TF) || ((f.flags & FL_IF) && (cpu->eflags & FL_VIP))) {
        cpu_raise_gp0(cpu);
    }
    uint32_t flags = (f.flags & ~(uint32_t)FL_VIF) | (f.flags & FL_IF ? FL_VIF : 0);
    commit_real(cpu, &f, osize, flags, (WORD_FLAGS & ~(uint32_t)(FL_IOPL | FL_IF)) | FL_VIF);
}

/* From ring 0 to a virtual-8086 task: ESP, SS, ES, DS, FS, GS follow on the stack. */
static void iret_to_v86(X86Cpu *cpu, const IretFrame *f)
{
    static const uint8_t order[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint16_t sel[4];
    uint32_t esp = (uint32_t)stack_peek(cpu, 2, 12);
    uint16_t ss = (uint16_t)stack_peek(cpu, 2, 16);
    for (unsigned n = 0; n < 4; n++) {
        sel[n] = (uint16_t)stack_peek(cpu, 2, 20 + 4 * n);
    }
    cpu_load_eflags(cpu, f->flags, WORD_FLAGS | FL_RF | FL_VM | FL_AC | FL_ID | FL_VIF | FL_VIP);
    seg_load_real(cpu, SEG_CS, f->cs);
    seg_load_real(cpu, SEG_SS, ss);
    for (unsigned n = 0; n < 4; n++) {
        seg_load_real(cpu, order[n], sel[n]);
    }
    cpu->rip = f->rip & 0xffff;
    cpu->r[RSP] = esp;
}

static void iret_protected(X86Cpu *cpu, unsigned osize)
{
    unsigned size = 1u << osize;
    if (cpu->eflags & FL_NT) {
        if (cpu->long_mode) {
            cpu_raise_gp0(cpu);
        }
        task_return(cpu);
        return;
    }
    IretFrame f = peek_frame(cpu, osize);
    if (osize == 2 && (f.flags & FL_VM) && cpu->cpl == 0 && !cpu->long_mode) {
        iret_to_v86(cpu, &f);
        return;
    }
    uint32_t mask = flag_mask(cpu, osize);
    Return r = {.cs = f.cs, .rip = f.rip};
    return_check_code(cpu, &r);
    if (cpu->code64 || r.cpl != cpu->cpl) {
        r.rsp = f.whole ? f.rsp : stack_peek(cpu, osize, 3 * size);
        r.ss = f.whole ? f.ss : (uint16_t)stack_peek(cpu, osize, 4 * size);
        return_check_stack(cpu, &r);
        far_check_target(cpu, &r.code, r.rip);
    } else {
        far_check_target(cpu, &r.code, r.rip);
        desc_mark_accessed(cpu, &r.code);
        stack_adjust(cpu, 3 * size);
    }
    return_commit(cpu, &r, 0);
    cpu_load_eflags(cpu, f.flags, mask);
}

static void do_iret(X86Cpu *cpu, const Insn *i)
{
    if (cpu->nmi_blocked) {
        cpu->nmi_blocked = false; /* even if it faults */
        __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST); /* one may have waited */
    }
    if (!(cpu->cr0 & CR0_PE)) {
        iret_real(cpu, i->osize);
    } else if (cpu->eflags & FL_VM) {
        iret_v86(cpu, i->osize);
    } else {
        iret_protected(cpu, i->osize);
    }
    cpu->break_block = true;
}

EXEC_ONE(iret, do_iret);
