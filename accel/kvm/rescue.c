/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where KVM cannot go on, the interpreter does: it works on the same X86Cpu and knows every instruction. */
#include <setjmp.h>

#include "accel/interp/step.h"
#include "accel/kvm/kvm.h"
#include "util/log.h"

/*
 * How many instructions the interpreter does before KVM gets the processor back.  Without paging: when KVM fails at the
 * very place where it got it, the next run is twice as long; a run that KVM could continue halves it.  With paging: the
 * one instruction, and those of vectors behind it, which KVM would fail at next, with not too many between them that only
 * compute.  No others, because a KVM that shadows page tables does not see what we write: an ordinary store, done here,
 * could leave it with a stale table.
 */
enum { BURST_MIN = 1, BURST_MAX = 4096, PLAIN_MAX = 32 };

/* A delivery that faults unwinds to here with the next exception in cpu->exc. */
static bool deliver_raised(KvmVcpu *v)
{
    _setjmp(v->cpu->unwind);
    v->cpu->pending_db = 0;
    if (cpu_deliver_pending(v->cpu)) {
        return true;
    }
    kvm_triple_fault(v);
    return false;
}

bool kvm_deliver(KvmVcpu *v, unsigned vector, IntKind kind, bool has_error, uint32_t error)
{
    X86Cpu *cpu = v->cpu;
    if (_setjmp(cpu->unwind) != 0) {
        return deliver_raised(v);
    }
    cpu->insn_rip = cpu->rip;
    cpu_deliver(cpu, vector, kind, has_error, error);
    return true;
}

void kvm_raise_db(KvmVcpu *v, uint64_t dr6)
{
    if (_setjmp(v->cpu->unwind) == 0) {
        v->cpu->insn_rip = v->cpu->rip;
        cpu_raise_db(v->cpu, dr6, true);
    }
    deliver_raised(v);
}

/* ---- registers that only our model has ---- */

bool kvm_read_own_msr(KvmVcpu *v, uint32_t msr, uint64_t *value)
{
    if (_setjmp(v->cpu->unwind) != 0) {
        return false;
    }
    *value = cpu_read_msr(v->cpu, msr);
    return true;
}

bool kvm_write_own_msr(KvmVcpu *v, uint32_t msr, uint64_t value)
{
    if (_setjmp(v->cpu->unwind) != 0) {
        return false;
    }
    cpu_write_msr(v->cpu, msr, value);
    return true;
}

/* ---- the rescue ---- */

static void announce(KvmVcpu *v, const char *why)
{
    if (!v->announced && log_on(LOG_UNIMP | LOG_INT)) {
        log_printf("kvm: cpu %u: the interpreter helps with %s at 0x%" PRIx64 "\n", v->cpu->index, why, v->cpu->rip);
        v->announced = true;
    }
}

/* False when the processor cannot go on. */
static bool one_instruction(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    uint64_t gen = cpu->tlb_gen;
    bool on = interp_step_whole(cpu) || deliver_raised(v);
    v->flush |= cpu->tlb_gen != gen;
    return on;
}

/* With paging. */
static bool worth_doing(X86Cpu *cpu, unsigned *plain)
{
    InterpNext next = interp_next(cpu);
    *plain = next == NEXT_PLAIN ? *plain + 1 : 0;
    return next != NEXT_OTHER && *plain <= PLAIN_MAX;
}

static void interpret(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    bool paging = cpu->cr0 & CR0_PG;
    unsigned plain = 0;
    for (unsigned n = 0; n == 0 || cpu->shadow || n < (paging ? BURST_MAX : v->rescue_burst); n++) {
        if (n != 0 && paging && !cpu->shadow && !worth_doing(cpu, &plain)) {
            return;
        }
        v->count.rescued++;
        if (!one_instruction(v)) {
            return;
        }
        if (cpu->halted || __atomic_load_n(&cpu->attention, __ATOMIC_ACQUIRE)) {
            return;
        }
    }
}

void kvm_rescue(KvmVcpu *v, const char *why)
{
    X86Cpu *cpu = v->cpu;
    if (!kvm_fetch_state(v) || cpu->wait_sipi) {
        return;
    }
    announce(v, why);
    v->rescue_burst = v->count.rescues && cpu->rip == v->rescue_rip ? MIN(v->rescue_burst * 2, BURST_MAX)
                                                                    : MAX(v->rescue_burst / 2, BURST_MIN);
    v->count.rescues++;
    /* Which instructions exist was for KVM to say: what it gave up on is executed if there is any way. */
    FeatureSet own = cpu->features;
    cpu->features = v->kvm->rescue_features;
    interpret(v);
    cpu->features = own;
    v->rescue_rip = cpu->rip;
    v->tpr_stale = true;
}

void kvm_interpret_one(KvmVcpu *v)
{
    one_instruction(v);
    v->tpr_stale = true;
}
