/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What KVM_RUN came back for.
 * Spec: Linux Documentation/virt/kvm/api.rst, section 5 (the kvm_run structure).
 */
#include <stdio.h>
#include <string.h>

#include "accel/kvm/kvm.h"
#include "util/log.h"

/* ---- the end ---- */

void kvm_give_up(KvmVcpu *v, const char *format, ...)
{
    X86Cpu *cpu = v->cpu;
    if (v->failed) {
        return;
    }
    v->failed = true;
    if (!v->here) {
        kvm_fetch_state(v); /* as far as it goes: a failure in there finds `failed` set */
    }
    g_autoptr(GString) text = g_string_new(NULL);
    va_list args;
    va_start(args, format);
    g_string_append_vprintf(text, format, args);
    va_end(args);
    g_string_append_printf(text, "\nkvm: processor %u stops; the machine is paused, and this is its state:\n", cpu->index);
    cpu_dump(cpu, text);
    fprintf(stderr, "kvm: %s", text->str);
    v->here = true;
    run_request_stop(cpu->machine->run);
}

void kvm_triple_fault(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    kvm_fetch_state(v);
    if (log_on(LOG_INT | LOG_CPU_RESET)) {
        g_autoptr(GString) text = g_string_new(NULL);
        cpu_dump(cpu, text);
        log_printf("triple fault on cpu %u\n%s", cpu->index, text->str);
    }
    /* Shutdown state: nothing but a reset (or INIT) ends it. */
    cpu->halted = true;
    cpu->eflags &= ~(uint32_t)FL_IF;
    cpu->nmi_blocked = true;
    cpu->delivering = -1;
    run_request_reset(cpu->machine->run, CAUSE_GUEST_PANIC);
}

/* ---- ports and memory ---- */

static uint64_t load(const uint8_t *p, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, p, size);
    return value;
}

/* Strings come as many elements of one port. */
static void port_access(KvmVcpu *v)
{
    const struct kvm_run *run = v->run;
    AddressSpace *io = v->cpu->machine->io;
    unsigned size = run->io.size;
    uint64_t end = run->io.data_offset + (uint64_t)size * run->io.count;
    if (size == 0 || size > 8 || end > v->kvm->run_size) {
        kvm_give_up(v, "KVM reports a port access of %u bytes, %u times", size, run->io.count);
        return;
    }
    uint8_t *data = (uint8_t *)v->run + run->io.data_offset;
    for (uint32_t n = 0; n < run->io.count; n++, data += size) {
        if (run->io.direction == KVM_EXIT_IO_OUT) {
            space_write(io, run->io.port, load(data, size), size);
        } else {
            uint64_t value = space_read(io, run->io.port, size);
            memcpy(data, &value, size);
        }
    }
    v->count.io++;
    v->unfinished = true;
}

static void memory_access(KvmVcpu *v)
{
    struct kvm_run *run = v->run;
    AddressSpace *memory = v->cpu->machine->memory;
    unsigned size = run->mmio.len;
    gpa_t addr = run->mmio.phys_addr & v->cpu->a20_mask;
    if (size == 0 || size > sizeof(run->mmio.data)) {
        kvm_give_up(v, "KVM reports a memory access of %u bytes", size);
        return;
    }
    if (run->mmio.is_write) {
        space_write(memory, addr, load(run->mmio.data, size), size);
    } else {
        uint64_t value = space_read(memory, addr, size);
        memcpy(run->mmio.data, &value, size);
    }
    v->count.mmio++;
    v->unfinished = true;
    v->tpr_stale = true; /* it may have been the local APIC */
}

/* ---- registers that KVM has not ---- */

static void msr_access(KvmVcpu *v, bool write)
{
    struct kvm_run *run = v->run;
    uint64_t value = 0;
    if ((run->msr.reason & KVM_MSR_EXIT_REASON_INVAL) && kvm_msr_moves(run->msr.index)) {
        run->msr.error = 1;
    } else if (write) {
        run->msr.error = !kvm_write_own_msr(v, run->msr.index, run->msr.data);
    } else {
        run->msr.error = !kvm_read_own_msr(v, run->msr.index, &value);
        run->msr.data = value;
    }
    v->count.msr++;
    v->unfinished = true;
    v->tpr_stale = true; /* x2APIC */
}

/* ---- the rest ---- */

static void system_event(KvmVcpu *v)
{
    RunControl *rc = v->cpu->machine->run;
    switch (v->run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
        run_request_exit(rc, CAUSE_GUEST_SHUTDOWN, 0);
        break;
    case KVM_SYSTEM_EVENT_RESET:
        run_request_reset(rc, CAUSE_GUEST_RESET);
        break;
    case KVM_SYSTEM_EVENT_CRASH:
        run_request_reset(rc, CAUSE_GUEST_PANIC);
        break;
    default:
        kvm_give_up(v, "KVM reports an unknown system event %u", v->run->system_event.type);
        break;
    }
}

/* Of a level-triggered interrupt, with KVM's local APIC and our I/O APIC. */
static void end_of_interrupt(const KvmVcpu *v)
{
    const Machine *m = v->cpu->machine;
    machine_lock(m->lock);
    if (m->irqchip) {
        m->irqchip->eoi(m->irqchip_opaque, v->run->eoi.vector);
    }
    machine_unlock(m->lock);
}

static void internal_error(KvmVcpu *v)
{
    uint32_t sub = v->run->internal.suberror;
    switch (sub) {
    case KVM_INTERNAL_ERROR_EMULATION:
        kvm_rescue(v, "an instruction that it cannot emulate");
        break;
    case KVM_INTERNAL_ERROR_SIMUL_EX:
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
        kvm_rescue(v, "an event that it cannot deliver");
        break;
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
        kvm_rescue(v, "an exit that it does not know");
        break;
    default:
        kvm_give_up(v, "KVM has an internal error, suberror %u", sub);
        break;
    }
}

void kvm_handle_exit(KvmVcpu *v)
{
    const struct kvm_run *run = v->run;
    kvm_deliver_late(v->kvm); /* they came before this exit */
    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        port_access(v);
        break;
    case KVM_EXIT_MMIO:
        memory_access(v);
        break;
    case KVM_EXIT_X86_RDMSR:
        msr_access(v, false);
        break;
    case KVM_EXIT_X86_WRMSR:
        msr_access(v, true);
        break;
    case KVM_EXIT_IOAPIC_EOI:
        end_of_interrupt(v);
        break;
    case KVM_EXIT_HLT:
        v->count.halt++;
        v->cpu->halted = true;
        break;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        v->count.window++;
        break;
    case KVM_EXIT_INTR:
    case KVM_EXIT_SET_TPR: /* looked at after every exit */
    case KVM_EXIT_NMI:
    case KVM_EXIT_X86_BUS_LOCK:
    case KVM_EXIT_NOTIFY:
        break;
    case KVM_EXIT_HYPERCALL:
        v->run->hypercall.ret = (uint64_t)-1000; /* KVM_ENOSYS */
        v->unfinished = true;
        break;
    case KVM_EXIT_DEBUG:
        kvm_debug_exit(v);
        break;
    case KVM_EXIT_HYPERV: /* of interfaces that no guest here was told of */
        v->run->hyperv.u.hcall.result = 2; /* HV_STATUS_INVALID_HYPERCALL_CODE */
        v->unfinished = true;
        break;
    case KVM_EXIT_DIRTY_RING_FULL:
        kvm_ring_full(v);
        break;
    case KVM_EXIT_SHUTDOWN:
        kvm_triple_fault(v);
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        system_event(v);
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        internal_error(v);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        kvm_rescue(v, "a state that it cannot enter");
        break;
    case KVM_EXIT_UNKNOWN:
        kvm_give_up(v, "KVM met an exit of the processor that it does not know (0x%" PRIx64 ")",
                    (uint64_t)run->hw.hardware_exit_reason);
        break;
    default:
        kvm_give_up(v, "KVM returned for a reason that is not known here (%u)", run->exit_reason);
        break;
    }
}
