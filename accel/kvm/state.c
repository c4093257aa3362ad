/* SPDX-License-Identifier: GPL-2.0-or-later */
/* General, segment, control and debug registers and events between X86Cpu and KVM. */
#include "accel/kvm/kvm.h"

#include <string.h>

#include "target/x86/flags.h"
#include "target/x86/mem.h"
#include "target/x86/segment.h"

/* ---- general registers ---- */

#define FOR_GPRS(X)                                                                                                  \
    X(rax, RAX) X(rcx, RCX) X(rdx, RDX) X(rbx, RBX) X(rsp, RSP) X(rbp, RBP) X(rsi, RSI) X(rdi, RDI) X(r8, R8)         \
    X(r9, R9) X(r10, R10) X(r11, R11) X(r12, R12) X(r13, R13) X(r14, R14) X(r15, R15)

static int get_regs(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    struct kvm_regs regs;
    int r = kvm_ioctl(v->kvm->sys, v->fd, KVM_GET_REGS, &regs);
    if (r < 0) {
        return r;
    }
#define GET(theirs, ours) cpu->r[ours] = regs.theirs;
    FOR_GPRS(GET)
#undef GET
    cpu->rip = regs.rip;
    cpu->eflags = ((uint32_t)regs.rflags & FL_ALL & ~(uint32_t)FL_OSZAPC) | 2;
    flags_set(cpu, (uint32_t)regs.rflags);
    return 0;
}

static int set_regs(KvmVcpu *v)
{
    const X86Cpu *cpu = v->cpu;
    struct kvm_regs regs = {.rip = cpu->rip, .rflags = cpu_eflags(cpu)};
#define SET(theirs, ours) regs.theirs = cpu->r[ours];
    FOR_GPRS(SET)
#undef SET
    return kvm_ioctl(v->kvm->sys, v->fd, KVM_SET_REGS, &regs);
}

/* ---- running, halted, waiting for SIPI: KVM's business when it has the local APICs ---- */

static int get_mp_state(KvmVcpu *v)
{
    struct kvm_mp_state s;
    if (!kvm_has_lapics(v->kvm)) {
        return 0;
    }
    int r = kvm_ioctl(v->kvm->sys, v->fd, KVM_GET_MP_STATE, &s);
    if (r >= 0) {
        v->cpu->halted = s.mp_state == KVM_MP_STATE_HALTED;
        v->cpu->wait_sipi = s.mp_state == KVM_MP_STATE_UNINITIALIZED || s.mp_state == KVM_MP_STATE_INIT_RECEIVED;
    }
    return r;
}

int kvm_set_mp_state(KvmVcpu *v)
{
    struct kvm_mp_state s = {.mp_state = v->cpu->wait_sipi ? KVM_MP_STATE_INIT_RECEIVED
                                         : v->cpu->halted  ? KVM_MP_STATE_HALTED
                                                           : KVM_MP_STATE_RUNNABLE};
    return kvm_ioctl(v->kvm->sys, v->fd, KVM_SET_MP_STATE, &s);
}

/* A SIPI may have come since: only resuming says "wait". */
static int keep_mp_state(KvmVcpu *v)
{
    return kvm_has_lapics(v->kvm) && !v->cpu->wait_sipi ? kvm_set_mp_state(v) : 0;
}

/* ---- segments and control registers ---- */

static uint32_t attr_of(const struct kvm_segment *s)
{
    return (uint32_t)s->type | (s->s ? SEG_S : 0) | (uint32_t)s->dpl << SEG_DPL_SHIFT | (s->present ? SEG_P : 0) |
           (s->avl ? SEG_AVL : 0) | (s->l ? SEG_L : 0) | (s->db ? SEG_DB : 0) | (s->g ? SEG_G : 0) |
           (s->unusable ? SEG_UNUSABLE : 0);
}

static struct kvm_segment to_kvm(const Segment *s)
{
    return (struct kvm_segment){
        .base = s->base, .limit = s->limit, .selector = s->selector, .type = s->attr & SEG_TYPE,
        .s = (s->attr & SEG_S) != 0, .dpl = attr_dpl(s->attr) & 3, .present = (s->attr & SEG_P) != 0,
        .avl = (s->attr & SEG_AVL) != 0, .l = (s->attr & SEG_L) != 0, .db = (s->attr & SEG_DB) != 0,
        .g = (s->attr & SEG_G) != 0,
        .unusable = (s->attr & SEG_UNUSABLE) || !(s->attr & SEG_P),
    };
}

static Segment from_kvm(const struct kvm_segment *s)
{
    return (Segment){.base = s->base, .limit = s->limit, .attr = attr_of(s), .selector = s->selector};
}

/* The processor keeps them in registers; KVM does not tell: they are read again. */
static void read_pdptes(X86Cpu *cpu)
{
    memset(cpu->pdpte, 0, sizeof(cpu->pdpte));
    if ((cpu->cr0 & CR0_PG) && (cpu->cr4 & CR4_PAE) && !(cpu->efer & EFER_LMA)) {
        space_dma_read(cpu->machine->memory, cpu->cr3 & 0xffffffe0u & cpu->a20_mask, cpu->pdpte, sizeof(cpu->pdpte));
    }
}

static int get_sregs(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    struct kvm_sregs s;
    int r = kvm_ioctl(v->kvm->sys, v->fd, KVM_GET_SREGS, &s);
    if (r < 0) {
        return r;
    }
    const struct kvm_segment *theirs[NUM_SEGS] = {[SEG_ES] = &s.es, [SEG_CS] = &s.cs, [SEG_SS] = &s.ss,
                                                  [SEG_DS] = &s.ds, [SEG_FS] = &s.fs, [SEG_GS] = &s.gs};
    cpu->cr0 = s.cr0;
    cpu->cr2 = s.cr2;
    cpu->cr3 = s.cr3;
    cpu->cr4 = s.cr4;
    cpu->efer = s.efer;
    for (unsigned n = 0; n < NUM_SEGS; n++) {
        cpu->seg[n] = from_kvm(theirs[n]);
    }
    cpu->ldtr = from_kvm(&s.ldt);
    cpu->tr = from_kvm(&s.tr);
    cpu->gdtr = (TableReg){.base = s.gdt.base, .limit = s.gdt.limit};
    cpu->idtr = (TableReg){.base = s.idt.base, .limit = s.idt.limit};
    if (kvm_has_lapics(v->kvm)) {
        v->apic_base = s.apic_base;
        v->tpr = s.cr8 & 15;
        machine_lock(cpu->machine->lock);
        cpu->machine->irqchip->set_base_tpr(cpu->machine->irqchip_opaque, cpu->index, s.apic_base, v->tpr);
        machine_unlock(cpu->machine->lock);
    }
    read_pdptes(cpu);
    cpu_update_mode(cpu);
    for (unsigned n = 0; n < NUM_SEGS; n++) {
        seg_update(cpu, n);
    }
    return 0;
}

static int set_sregs(KvmVcpu *v)
{
    const X86Cpu *cpu = v->cpu;
    struct kvm_sregs s = {
        .cs = to_kvm(&cpu->seg[SEG_CS]), .ds = to_kvm(&cpu->seg[SEG_DS]), .es = to_kvm(&cpu->seg[SEG_ES]),
        .fs = to_kvm(&cpu->seg[SEG_FS]), .gs = to_kvm(&cpu->seg[SEG_GS]), .ss = to_kvm(&cpu->seg[SEG_SS]),
        .tr = to_kvm(&cpu->tr), .ldt = to_kvm(&cpu->ldtr),
        .gdt = {.base = cpu->gdtr.base, .limit = cpu->gdtr.limit},
        .idt = {.base = cpu->idtr.base, .limit = cpu->idtr.limit},
        .cr0 = cpu->cr0, .cr2 = cpu->cr2, .cr3 = cpu->cr3, .cr4 = cpu->cr4, .efer = cpu->efer,
    };
    if (cpu->apic) {
        machine_lock(cpu->machine->lock);
        s.apic_base = cpu->apic->get_base(cpu->apic_opaque);
        v->tpr = cpu->apic->get_tpr(cpu->apic_opaque);
        machine_unlock(cpu->machine->lock);
    }
    s.cr8 = v->tpr;
    v->run->cr8 = v->tpr;
    v->run->apic_base = v->apic_base = s.apic_base;
    v->tpr_stale = false;
    if (v->flush) { /* what changes CR4.PGE flushes; a KVM that does not take this one had nothing to flush */
        v->flush = false;
        s.cr4 ^= CR4_PGE;
        kvm_ioctl(v->kvm->sys, v->fd, KVM_SET_SREGS, &s);
        s.cr4 ^= CR4_PGE;
    }
    return kvm_ioctl(v->kvm->sys, v->fd, KVM_SET_SREGS, &s);
}

/* ---- debug registers ---- */

static int get_debugregs(KvmVcpu *v)
{
    struct kvm_debugregs d;
    if (!v->kvm->caps.debugregs) {
        return 0;
    }
    int r = kvm_ioctl(v->kvm->sys, v->fd, KVM_GET_DEBUGREGS, &d);
    if (r >= 0) {
        for (unsigned n = 0; n < 4; n++) {
            v->cpu->dr[n] = d.db[n];
        }
        v->cpu->dr6 = d.dr6;
        v->cpu->dr7 = d.dr7;
    }
    return r;
}

static int set_debugregs(KvmVcpu *v)
{
    const X86Cpu *cpu = v->cpu;
    struct kvm_debugregs d = {.db = {cpu->dr[0], cpu->dr[1], cpu->dr[2], cpu->dr[3]}, .dr6 = cpu->dr6, .dr7 = cpu->dr7};
    return v->kvm->caps.debugregs ? kvm_ioctl(v->kvm->sys, v->fd, KVM_SET_DEBUGREGS, &d) : 0;
}

/* ---- events ---- */

/*
 * An event that KVM has accepted but not delivered is delivered on X86Cpu at once, so that the state never has any.
 * All else is in place already.
 */
static int get_events(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    struct kvm_vcpu_events e;
    if (!v->kvm->caps.vcpu_events) {
        return 0;
    }
    int r = kvm_ioctl(v->kvm->sys, v->fd, KVM_GET_VCPU_EVENTS, &e);
    if (r < 0) {
        return r;
    }
    cpu->nmi_blocked = e.nmi.masked;
    cpu->shadow = e.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS ? SHADOW_SS
                  : e.interrupt.shadow & KVM_X86_SHADOW_INT_STI  ? SHADOW_STI
                                                                 : 0;
    if (e.nmi.pending) {
        cpu_raise_event(cpu, EVENT_NMI);
    }
    if (e.exception.injected) {
        kvm_deliver(v, e.exception.nr, INT_EXCEPTION, e.exception.has_error_code, e.exception.error_code);
    } else if (e.interrupt.injected) {
        kvm_deliver(v, e.interrupt.nr, e.interrupt.soft ? INT_SOFT : INT_EXTERNAL, false, 0);
    } else if (e.nmi.injected) {
        cpu->nmi_blocked = true;
        kvm_deliver(v, EXC_NMI, INT_NMI, false, 0);
    }
    return 0;
}

static int set_events(KvmVcpu *v)
{
    const X86Cpu *cpu = v->cpu;
    struct kvm_vcpu_events e = {.nmi.masked = cpu->nmi_blocked, .flags = KVM_VCPUEVENT_VALID_NMI_PENDING};
    if (!v->kvm->caps.vcpu_events) {
        return 0;
    }
    if (v->kvm->caps.intr_shadow) {
        e.interrupt.shadow = cpu->shadow == SHADOW_SS    ? KVM_X86_SHADOW_INT_MOV_SS
                             : cpu->shadow == SHADOW_STI ? KVM_X86_SHADOW_INT_STI
                                                         : 0;
        e.flags |= KVM_VCPUEVENT_VALID_SHADOW;
    }
    return kvm_ioctl(v->kvm->sys, v->fd, KVM_SET_VCPU_EVENTS, &e);
}

/* ---- all ---- */

typedef struct Part {
    const char *name;
    int (*move)(KvmVcpu *v);
} Part;

/* True if every part moved; the first that does not ends the machine's run. */
static bool move_all(KvmVcpu *v, const Part *parts, size_t count, const char *verb)
{
    for (size_t i = 0; i < count; i++) {
        int r = parts[i].move(v);
        if (r < 0) {
            v->here = true; /* the best there is, for the message */
            kvm_give_up(v, "KVM cannot %s %s: %s", verb, parts[i].name, g_strerror(-r));
            return false;
        }
    }
    return true;
}

bool kvm_fetch_state(KvmVcpu *v)
{
    static const Part parts[] = {
        {"the processor's activity", get_mp_state}, {"general registers", get_regs}, {"segments and control registers", get_sregs},
        {"floating-point state", kvm_get_fpu}, {"model-specific registers", kvm_get_msrs},
        {"debug registers", get_debugregs}, {"pending events", get_events},
    };
    if (v->here) {
        return true;
    }
    v->count.fetches++;
    tlb_flush_all(v->cpu);
    v->here = true; /* get_events() delivers on it */
    return move_all(v, parts, ARRAY_LEN(parts), "give");
}

bool kvm_store_state(KvmVcpu *v)
{
    static const Part parts[] = {
        {"the processor's activity", keep_mp_state}, {"segments and control registers", set_sregs}, {"general registers", set_regs},
        {"floating-point state", kvm_set_fpu}, {"model-specific registers", kvm_set_msrs},
        {"pending events", set_events}, {"debug registers", set_debugregs},
    };
    if (!v->here) {
        return true;
    }
    if (!move_all(v, parts, ARRAY_LEN(parts), "take")) {
        return false;
    }
    v->here = false;
    return true;
}
