/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop of a vCPU's thread: KVM_RUN, the events before it, sleep and park. */
#include <errno.h>

#include "accel/kvm/irqchip.h"
#include "target/x86/flags.h"
#include "util/log.h"

enum { APIC_BASE_X2APIC = 1 << 10, APIC_BASE_ENABLE = 1 << 11 };

static uint32_t events_of(const X86Cpu *cpu)
{
    return __atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST);
}

static void look_again(X86Cpu *cpu)
{
    __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
}

/* Would the processor take an interrupt now? */
static bool interrupts_open(const KvmVcpu *v)
{
    if (v->here) {
        /* Whether KVM's local APIC lets one through is seen after the next run. */
        return (v->cpu->eflags & FL_IF) && !v->cpu->shadow && !kvm_has_lapics(v->kvm);
    }
    return v->run->ready_for_interrupt_injection && v->run->if_flag;
}

/* ---- waking, sleeping, parking ---- */

/*
 * The caller has set cpu->attention.  The thread clears immediate_exit before it looks at attention the last time, so
 * one of the two stops it; the signal is for a thread that is in the guest already.
 */
void kvm_vcpu_kick(KvmVcpu *v)
{
    __atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&v->running, __ATOMIC_SEQ_CST)) {
        v->kvm->sys->interrupt(v->kvm->sys->opaque, v->id);
    }
}

static bool can_wake(const void *opaque)
{
    const KvmVcpu *v = opaque;
    uint32_t events = events_of(v->cpu);
    bool open = v->here ? (v->cpu->eflags & FL_IF) != 0 : v->run->if_flag;
    if (v->failed) {
        return events & EVENT_STOP;
    }
    if (v->cpu->wait_sipi) {
        return events & (EVENT_INIT | EVENT_SIPI | EVENT_STOP);
    }
    return ((events & EVENT_INTR) && open) || (events & (EVENT_NMI | EVENT_INIT | EVENT_STOP));
}

static void sleep_until_event(KvmVcpu *v)
{
    gate_leave(&v->thread.gate);
    vcpu_sleep(&v->thread, can_wake, v);
    gate_enter(&v->thread.gate);
    look_again(v->cpu);
}

/*
 * An exit half done - a port read whose register is still to be loaded - is finished without running the guest.  An
 * access in several pieces comes back for the next one.
 */
static void finish_exit(KvmVcpu *v)
{
    while (v->unfinished && !v->failed) {
        v->run->immediate_exit = 1;
        int r = kvm_ioctl_n(v->kvm->sys, v->fd, KVM_RUN, 0);
        v->unfinished = false;
        if (r == 0) {
            kvm_handle_exit(v);
        }
    }
}

/*
 * Before KVM's own local APIC gives its state back: a SIPI may wait in there, whose effect is on KVM's registers, and a
 * timer that has expired is not in the state until KVM looks.
 */
static void drain(KvmVcpu *v)
{
    if (!v->kvm->holds_irqchip || v->failed || !kvm_store_state(v)) {
        return;
    }
    kvm_lapic_before_drain(v);
    v->run->immediate_exit = 0;
    v->run->request_interrupt_window = 0;
    if (v->kvm->sys->drain(v->kvm->sys->opaque, v->fd) == 0) {
        kvm_handle_exit(v);
        finish_exit(v);
    }
}

/* False when the thread must end. */
static bool park(KvmVcpu *v)
{
    kvm_fetch_state(v);
    bool on = vcpu_park(&v->thread);
    if (on) {
        v->failed = false; /* once more */
    }
    return on;
}

/* ---- events ---- */

static void take_init(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    cpu_lower_event(cpu, EVENT_INIT);
    if (!kvm_fetch_state(v)) {
        return;
    }
    cpu_init_signal(cpu);
    if (cpu->apic) {
        machine_lock(cpu->machine->lock);
        cpu->apic->init(cpu->apic_opaque);
        machine_unlock(cpu->machine->lock);
    }
}

/* Here if NMIs are open; by KVM, which knows when the handler has returned, if not. */
static void take_nmi(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    if (!kvm_fetch_state(v)) {
        return;
    }
    cpu_take_nmi(cpu);
    if (!cpu->nmi_blocked) {
        cpu->halted = false;
        cpu->nmi_blocked = true;
        kvm_deliver(v, EXC_NMI, INT_NMI, false, 0);
    } else if (v->kvm->caps.user_nmi && kvm_store_state(v)) {
        kvm_ioctl_n(v->kvm->sys, v->fd, KVM_NMI, 0);
    }
}

/* What other threads asked for.  False when the thread must end. */
static bool serve_events(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    __atomic_store_n(&cpu->attention, false, __ATOMIC_SEQ_CST);
    if (exclusive_pending(cpu->machine->lock)) {
        gate_leave(&v->thread.gate);
        gate_enter(&v->thread.gate);
    }
    uint32_t events = events_of(cpu);
    if (events & (EVENT_STOP | EVENT_INIT | EVENT_NMI)) {
        finish_exit(v);
    }
    if (events & EVENT_STOP) {
        drain(v);
        cpu_lower_event(cpu, EVENT_STOP);
        look_again(cpu);
        return park(v);
    }
    cpu_lower_event(cpu, events & EVENT_FLUSH); /* KVM watches the page tables itself, but not the A20 gate */
    kvm_look_at_a20(v);
    if (events & EVENT_INIT) {
        take_init(v);
        look_again(cpu);
        return true;
    }
    if (events & EVENT_SIPI) {
        cpu_lower_event(cpu, EVENT_SIPI);
        if (cpu->wait_sipi && kvm_fetch_state(v)) {
            cpu_sipi(cpu, __atomic_load_n(&cpu->sipi_vector, __ATOMIC_SEQ_CST));
        }
    }
    if (!cpu->wait_sipi && (events & EVENT_NMI)) {
        take_nmi(v);
        look_again(cpu);
    }
    return true;
}

/* From our local APIC; or, if KVM has that, from the 8259 pair beside it. */
static int next_vector(const KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    const Machine *m = cpu->machine;
    int vector = -1;
    machine_lock(m->lock);
    if (kvm_has_lapics(v->kvm)) {
        vector = m->irqchip->ack(m->irqchip_opaque);
    } else if (cpu->apic) {
        vector = cpu->apic->ack(cpu->apic_opaque);
    }
    machine_unlock(m->lock);
    return vector;
}

/* Give KVM the vector if one can be taken, or ask it to say when one can. */
static bool inject(KvmVcpu *v, bool open)
{
    X86Cpu *cpu = v->cpu;
    v->run->request_interrupt_window = 0;
    if (!(events_of(cpu) & EVENT_INTR)) {
        return true;
    }
    if (open) {
        int vector = next_vector(v);
        if (vector >= 0) {
            struct kvm_interrupt irq = {.irq = (uint32_t)vector};
            cpu->halted = false;
            v->run->ready_for_interrupt_injection = 0;
            int r = kvm_ioctl(v->kvm->sys, v->fd, KVM_INTERRUPT, &irq);
            if (r < 0) {
                kvm_give_up(v, "KVM does not take an interrupt: %s", g_strerror(-r));
                return false;
            }
        }
    }
    v->run->request_interrupt_window = (events_of(cpu) & EVENT_INTR) != 0;
    return true;
}

/* ---- KVM_RUN ---- */

/* The task priority and the base of the APIC live in our APIC; KVM has copies of them in registers. */
static void give_tpr(KvmVcpu *v)
{
    const X86Cpu *cpu = v->cpu;
    if (v->tpr_stale && cpu->apic && !kvm_has_lapics(v->kvm)) {
        machine_lock(cpu->machine->lock);
        v->tpr = cpu->apic->get_tpr(cpu->apic_opaque);
        machine_unlock(cpu->machine->lock);
        v->tpr_stale = false;
    }
    v->run->cr8 = v->tpr;
}

static void take_apic_registers(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    uint64_t base = v->run->apic_base;
    uint8_t tpr = v->run->cr8 & 15;
    if (!cpu->apic || kvm_has_lapics(v->kvm) || (base == v->apic_base && tpr == v->tpr)) {
        return;
    }
    machine_lock(cpu->machine->lock);
    if (base != v->apic_base && !cpu->apic->set_base(cpu->apic_opaque, base)) {
        /* KVM let the guest come here, so it came by way of a disabled APIC, which was not seen. */
        cpu->apic->set_base(cpu->apic_opaque, base & ~(uint64_t)(APIC_BASE_ENABLE | APIC_BASE_X2APIC));
        cpu->apic->set_base(cpu->apic_opaque, base);
    }
    if (tpr != v->tpr) {
        cpu->apic->set_tpr(cpu->apic_opaque, tpr);
    }
    machine_unlock(cpu->machine->lock);
    v->apic_base = base;
    v->tpr = tpr;
}

static void run_guest(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    bool open = interrupts_open(v);
    if (!kvm_store_state(v) || !kvm_give_points(v) || !inject(v, open)) {
        return;
    }
    give_tpr(v);
    __atomic_store_n(&v->running, true, __ATOMIC_SEQ_CST);
    __atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&cpu->attention, __ATOMIC_SEQ_CST)) {
        v->run->immediate_exit = 1; /* something came meanwhile; an exit half done is finished all the same */
    }
    v->count.runs++;
    int r = kvm_ioctl_n(v->kvm->sys, v->fd, KVM_RUN, 0);
    __atomic_store_n(&v->running, false, __ATOMIC_SEQ_CST);
    v->unfinished = false;
    take_apic_registers(v);
    if (r == 0) {
        kvm_handle_exit(v);
    } else if (r == -EFAULT) {
        kvm_rescue(v, "a bad address");
    } else if (r != -EINTR && r != -EAGAIN) {
        kvm_give_up(v, "KVM_RUN failed: %s", g_strerror(-r));
    }
}

/* Not in KVM_RUN, which is where KVM's own local APIC wakes it. */
static bool must_sleep(const KvmVcpu *v)
{
    const X86Cpu *cpu = v->cpu;
    return v->failed || (!kvm_has_lapics(v->kvm) &&
                         (cpu->wait_sipi || (cpu->halted && !can_wake(v))));
}

void *kvm_vcpu_run(void *opaque)
{
    KvmVcpu *v = opaque;
    const X86Cpu *cpu = v->cpu;
    v->id = pthread_self();
    vcpu_thread_begin(&v->thread);
    bool on = park(v);
    while (on) {
        if (unlikely(cpu->stop_due)) {
            kvm_stop(v);
        } else if (__atomic_load_n(&cpu->attention, __ATOMIC_ACQUIRE)) {
            on = serve_events(v);
        } else if (must_sleep(v)) {
            sleep_until_event(v);
        } else if (likely(!cpu->stop_step) || !kvm_step(v)) {
            run_guest(v);
        }
    }
    vcpu_thread_end(&v->thread);
    return NULL;
}
