/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interpreter's run loop, events and HLT. */
#include "accel/interp/interp.h"

#include <inttypes.h>
#include <string.h>

#include "accel/tcg/chaos.h"
#include "accel/tcg/check.h"
#include "accel/tcg/options.h"
#include "accel/tcg/stats.h"
#include "hw/core/host_ticks.h"
#include "softmmu/core/machine.h"
#include "target/x86/debug.h"
#include "target/x86/flags.h"
#include "target/x86/fpu.h"
#include "target/x86/mem.h"
#include "target/x86/stops.h"
#include "tcg/jit.h"

typedef struct InterpAccel {
    Accel accel;
    GPtrArray *vcpus; /* InterpVcpu * */
    bool translate;
    TcgOptions tcg;   /* if translate */
    DirtyEngine dirty;
} InterpAccel;

/* ---- executing ---- */

static void run_block(X86Cpu *cpu, const Block *b)
{
    const Insn *i = b->insns;
    const Insn *end = i + b->straight;
    cpu->break_block = false;
    do {
        cpu->insn = i;
        cpu->insn_rip = cpu->rip;
        cpu->rip += i->len;
        i->fn(cpu, i);
        i++;
    } while (i != end && !cpu->break_block);
}

/* Run blocks along their links until something has to be looked at or looked up. */
static void run_blocks(InterpVcpu *v, Block *b)
{
    X86Cpu *cpu = v->cpu;
    for (;;) {
        run_block(cpu, b);
        if (!b->linkable || cpu->break_block || unlikely(__atomic_load_n(&cpu->attention, __ATOMIC_RELAXED))) {
            return;
        }
        Block *next = block_follow(cpu, b);
        if (!next) {
            uint64_t flushes = v->cache->flushes;
            next = block_find(v);
            if (!next) {
                return;
            }
            if (likely(v->cache->flushes == flushes)) { /* else b is gone */
                block_link(v, b, next);
            }
        }
        b = next;
    }
}

/*
 * One instruction with everything that is rare: single step, breakpoints, RF, interrupt shadows.
 * Order of events: SDM vol 3 table 6-2.
 */
static void step(InterpVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    cpu->insn_rip = cpu->rip;
    if (cpu->stop_step) {
        stops_note(cpu, STOP_STEP, 0); /* a watchpoint replaces it */
    }
    if (debug_any_armed(cpu)) {
        debug_check_exec(cpu, code_linear(cpu)); /* raises */
    }
    Block *b = block_find(v);
    const Insn *i = b ? b->insns : &v->scratch;
    if (!b) {
        insn_fetch(cpu, &v->scratch);
    }
    insn_step(cpu, i);
}

bool vcpu_must_step(const X86Cpu *cpu)
{
    return cpu->shadow || (cpu->eflags & (FL_TF | FL_RF)) || cpu->pending_db || debug_any_armed(cpu) ||
           cpu->stop_step;
}

/*
 * Translated code may run in the shadow of STI while nothing waits that the shadow would hold back.  The shadow stays
 * until something does: then one instruction is stepped first, so that none is ever too late for STI; HLT included.
 * RF, which each return from a fault sets, says nothing while no breakpoint is armed.
 */
bool vcpu_steps_for_nothing(InterpVcpu *v)
{
    if (!v->cache->jit || !jit_may_run(v->cpu)) {
        return false;
    }
    v->cpu->eflags &= ~(uint32_t)FL_RF;
    return true;
}

/* ---- events ---- */

static void take_interrupt(X86Cpu *cpu)
{
    MachineLock *lock = cpu->machine->lock;
    machine_lock(lock);
    int vector = cpu->apic ? cpu->apic->ack(cpu->apic_opaque) : -1;
    machine_unlock(lock);
    if (vector >= 0) {
        cpu->halted = false;
        cpu_deliver(cpu, (unsigned)vector, INT_EXTERNAL, false, 0);
    }
}

static void take_init(X86Cpu *cpu)
{
    cpu_lower_event(cpu, EVENT_INIT);
    cpu_init_signal(cpu);
    if (cpu->apic) {
        machine_lock(cpu->machine->lock);
        cpu->apic->init(cpu->apic_opaque);
        machine_unlock(cpu->machine->lock);
    }
}

/* Something could be delivered to a sleeping CPU. */
static bool can_wake(const void *opaque)
{
    const X86Cpu *cpu = opaque;
    uint32_t events = __atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST);
    if (cpu->wait_sipi) {
        return events & (EVENT_INIT | EVENT_SIPI | EVENT_STOP | EVENT_FLUSH);
    }
    if ((events & EVENT_INTR) && (cpu->eflags & FL_IF)) {
        return true;
    }
    if ((events & EVENT_NMI) && !cpu->nmi_blocked) {
        return true;
    }
    return events & (EVENT_INIT | EVENT_STOP | EVENT_FLUSH);
}

/*
 * Being woken costs a host's scheduler tens of microseconds, while the event is often one that another vCPU is about to
 * send.  So HLT looks for it first, for a time that grows while events come soon and falls to nothing when one does not.
 */
#define POLL_FIRST_NS 10000
#define POLL_MOST_NS 50000

static bool poll_for_event(const InterpVcpu *v, int64_t until)
{
    enum { LOOKS = 16 }; /* between two questions for the time */
    do {
        for (unsigned i = 0; i < LOOKS; i++) {
            if (can_wake(v->cpu)) {
                return true;
            }
            spin_hint();
        }
    } while (host_ns() < until);
    return false;
}

static void adapt_poll(InterpVcpu *v, int64_t slept)
{
    if (slept > POLL_MOST_NS) {
        v->poll_ns = 0;
    } else if (slept > v->poll_ns) {
        v->poll_ns = MIN(MAX(2 * v->poll_ns, POLL_FIRST_NS), POLL_MOST_NS);
    }
}

static void sleep_until_event(InterpVcpu *v)
{
    int64_t start = v->may_poll ? host_ns() : 0;
    gate_leave(&v->thread.gate);
    if (v->poll_ns && poll_for_event(v, start + v->poll_ns)) {
        gate_enter(&v->thread.gate);
        return;
    }
    vcpu_sleep(&v->thread, can_wake, v->cpu);
    gate_enter(&v->thread.gate);
    if (v->may_poll) {
        adapt_poll(v, host_ns() - start);
    }
}

/* Serve what other threads asked for, highest priority first.  False when the thread must end. */
static bool serve_events(InterpVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    __atomic_store_n(&cpu->attention, false, __ATOMIC_SEQ_CST);
    if (exclusive_pending(cpu->machine->lock)) {
        gate_leave(&v->thread.gate);
        gate_enter(&v->thread.gate);
    }
    uint32_t events = __atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST);
    if (events & EVENT_STOP) {
        cpu_lower_event(cpu, EVENT_STOP);
        fpu_sync(cpu); /* others may look at it now */
        if (!vcpu_park(&v->thread)) {
            return false;
        }
        __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST); /* look again at what else came */
        return true;
    }
    if (events & EVENT_FLUSH) {
        cpu_lower_event(cpu, EVENT_FLUSH);
        tlb_flush_all(cpu);
    }
    if (events & EVENT_INIT) {
        take_init(cpu);
        __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
        return true;
    }
    if (events & EVENT_SIPI) {
        cpu_lower_event(cpu, EVENT_SIPI);
        if (cpu->wait_sipi) {
            cpu_sipi(cpu, __atomic_load_n(&cpu->sipi_vector, __ATOMIC_SEQ_CST));
        }
    }
    if (cpu->wait_sipi) {
        return true;
    }
    if ((events & EVENT_NMI) && !cpu->nmi_blocked) {
        cpu_take_nmi(cpu);
        cpu->halted = false;
        cpu->nmi_blocked = true;
        cpu_deliver(cpu, EXC_NMI, INT_NMI, false, 0);
        __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
        return true;
    }
    if ((events & EVENT_INTR) && (cpu->eflags & FL_IF) && !cpu->stop_step) {
        take_interrupt(cpu);
        /* Another may be pending, and the line's level is still to be looked at once IF is set again. */
        __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
    }
    return true;
}

static void triple_fault(X86Cpu *cpu)
{
    if (log_on(LOG_INT | LOG_CPU_RESET)) {
        fpu_sync(cpu);
        g_autoptr(GString) text = g_string_new(NULL);
        cpu_dump(cpu, text);
        log_printf("triple fault on cpu %u\n%s", cpu->index, text->str);
    }
    /* Shutdown state: nothing but a reset (or INIT) ends it. */
    cpu->halted = true;
    cpu->eflags &= ~(uint32_t)FL_IF;
    cpu->nmi_blocked = true;
    run_request_reset(cpu->machine->run, CAUSE_GUEST_PANIC);
}

/* ---- a debugger's stops ---- */

static bool stop_due(X86Cpu *cpu)
{
    gva_t lin = code_linear(cpu);
    if (cpu->stop_due || cpu->halted || cpu->wait_sipi || !stops_exec(cpu, lin)) {
        return cpu->stop_due;
    }
    stops_note(cpu, STOP_EXEC, lin);
    return true;
}

/* False when the thread must end. */
static bool stop(InterpVcpu *v)
{
    fpu_sync(v->cpu); /* others may look at it now */
    stops_report(v->cpu);
    vcpu_thread_hold(&v->thread);
    return vcpu_park(&v->thread);
}

static void run_loop(InterpVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    if (_setjmp(cpu->unwind) != 0) {
        cpu->pending_db = 0;
        if (!cpu_deliver_pending(cpu)) {
            cpu->delivering = -1;
            triple_fault(cpu);
        }
    }
    for (;;) {
        if (unlikely(cpu->stops) && stop_due(cpu)) {
            if (!stop(v)) {
                return;
            }
            continue;
        }
        if (unlikely(__atomic_load_n(&cpu->attention, __ATOMIC_ACQUIRE)) && !cpu->shadow) {
            if (!serve_events(v)) {
                return;
            }
            continue;
        }
        if (unlikely(cpu->halted || cpu->wait_sipi)) {
            cpu->shadow = 0;
            sleep_until_event(v);
            __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
            continue;
        }
        if (unlikely(vcpu_must_step(cpu)) && !vcpu_steps_for_nothing(v)) {
            step(v);
            continue;
        }
        if (v->cache->jit && jit_mode_ok(cpu) && translated_run(v)) {
            continue;
        }
        Block *b = block_find(v);
        if (likely(b)) {
            run_blocks(v, b);
        } else if (likely(!cpu->stops) || !stop_due(cpu)) { /* other blocks may have run since the last look */
            insn_fetch(cpu, &v->scratch);
            insn_execute(cpu, &v->scratch);
        }
    }
}

/* ---- threads ---- */

static void *vcpu_thread(void *opaque)
{
    InterpVcpu *v = opaque;
    vcpu_thread_begin(&v->thread);
    if (vcpu_park(&v->thread)) {
        run_loop(v);
    }
    vcpu_thread_end(&v->thread);
    return NULL;
}

static void interp_kick_cpu(X86Cpu *cpu)
{
    vcpu_wake(&((InterpVcpu *)cpu->engine)->thread);
}

static void gate_kick(void *opaque)
{
    (void)opaque; /* a sleeping vCPU is outside its gate already: the flag is enough */
}

/* Pages of RAM are logged from now on: direct writes end.  In an exclusive section. */
static void log_changed(void *opaque)
{
    InterpAccel *a = opaque;
    for (guint i = 0; i < a->vcpus->len; i++) {
        InterpVcpu *v = g_ptr_array_index(a->vcpus, i);
        tlb_flush_all(v->cpu);
        v->cpu->break_block = true; /* the block may be in the middle of an access to a device */
        __atomic_store_n(&v->cpu->attention, true, __ATOMIC_SEQ_CST);
    }
}

static void map_changed(void *opaque)
{
    InterpAccel *a = opaque;
    log_changed(a);
    for (guint i = 0; i < a->vcpus->len; i++) {
        ((InterpVcpu *)g_ptr_array_index(a->vcpus, i))->cache->flush = true;
    }
}

/* Code in the pages of the new points is found again, and refused (stops_exec_page()). */
bool interp_stops_changed(Accel *accel, const GArray *points, GError **error)
{
    map_changed(container_of(accel, InterpAccel, accel));
    return true;
}

static bool interp_probe(GError **error)
{
    return true;
}

Accel *interp_new(const AccelOps *ops, struct Machine *m, const TcgOptions *options, GError **error)
{
    if (!insn_table_init(error)) {
        return NULL;
    }
    InterpAccel *a = g_new0(InterpAccel, 1);
    a->accel = (Accel){.ops = ops, .machine = m};
    a->vcpus = g_ptr_array_new();
    a->translate = options != NULL;
    if (options) {
        a->tcg = *options;
    }
    space_add_listener(m->memory, map_changed, a);
    a->dirty = (DirtyEngine){.changed = log_changed, .opaque = a};
    dirty_add_engine(m, &a->dirty);
    return &a->accel;
}

static Accel *interp_create(struct Machine *m, const char *opts, GError **error)
{
    if (opts && *opts) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "accelerator interp takes no options, got '%s'",
                    opts);
        return NULL;
    }
    return interp_new(&interp_accel_ops, m, NULL, error);
}

bool interp_vcpu_create(Accel *accel, struct X86Cpu *cpu, GError **error)
{
    InterpAccel *a = container_of(accel, InterpAccel, accel);
    size_t share = a->translate ? tcg_options_share(&a->tcg, accel->machine->num_cpus, error) : 0;
    if (a->translate && !share) {
        return false;
    }
    BlockCache *cache = block_cache_new(a->translate ? share * 2 : BLOCK_ARENA_SIZE, accel->machine->ram);
    if (a->translate && !(cache->jit = jit_new(cpu, share, cache->changed, error))) {
        block_cache_free(cache);
        return false;
    }
    InterpVcpu *v = g_new0(InterpVcpu, 1);
    vcpu_thread_init(&v->thread, cpu, gate_kick, NULL);
    v->cpu = cpu;
    v->cache = cache;
    if (a->translate && a->tcg.check) {
        v->check = check_new(v, a->tcg.check);
    }
    if (a->translate && a->tcg.chaos) {
        v->chaos = chaos_new(v, a->tcg.chaos);
        jit_set_slow_hook(cache->jit, chaos_at_slow_path, v->chaos);
    }
    v->may_poll = accel->machine->num_cpus > 1 && g_get_num_processors() >= accel->machine->num_cpus;
    cpu->engine = v;
    cpu->kick = interp_kick_cpu;
    g_ptr_array_add(a->vcpus, v);
    return vcpu_thread_start(&v->thread, vcpu_thread, v, error);
}

void interp_pause(Accel *accel)
{
    vcpu_threads_pause(container_of(accel, InterpAccel, accel)->vcpus, accel->machine->lock);
}

void interp_resume(Accel *accel)
{
    vcpu_threads_resume(container_of(accel, InterpAccel, accel)->vcpus);
}

void interp_destroy(Accel *accel)
{
    InterpAccel *a = container_of(accel, InterpAccel, accel);
    space_remove_listener(accel->machine->memory, map_changed, a);
    dirty_remove_engine(accel->machine, &a->dirty);
    for (guint i = 0; i < a->vcpus->len; i++) {
        InterpVcpu *v = g_ptr_array_index(a->vcpus, i);
        vcpu_thread_join(&v->thread);
        v->cpu->engine = NULL;
        v->cpu->kick = NULL;
        block_cache_free(v->cache);
        check_free(v->check);
        chaos_free(v->chaos);
        vcpu_thread_fini(&v->thread);
        g_free(v);
    }
    g_ptr_array_free(a->vcpus, TRUE);
    g_free(a);
}

void interp_kick(Accel *accel, struct X86Cpu *cpu)
{
    __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
    interp_kick_cpu(cpu);
}

void interp_info_jit(Accel *accel, GString *out)
{
    InterpAccel *a = container_of(accel, InterpAccel, accel);
    for (guint i = 0; i < a->vcpus->len; i++) {
        const InterpVcpu *v = g_ptr_array_index(a->vcpus, i);
        stats_append(v->cpu, v->cache->jit, v->cache->flushes, out);
    }
}

void interp_info(Accel *accel, GString *out)
{
    InterpAccel *a = container_of(accel, InterpAccel, accel);
    g_string_append_printf(out, "accelerator: %s\n", accel->ops->name);
    for (guint i = 0; i < a->vcpus->len; i++) {
        const InterpVcpu *v = g_ptr_array_index(a->vcpus, i);
        g_string_append_printf(out, "cpu %u: %" PRIu64 " instructions decoded, %" PRIu64 " cache flushes, %zu KiB in use\n"
                               "cpu %u: %" PRIu64 " blocks overwritten, %" PRIu64 " of them came back\n",
                               i, v->cache->decoded, v->cache->flushes, v->cache->used / 1024, i, v->cache->killed,
                               v->cache->revived);
        if (v->cache->jit) {
            g_string_append_printf(out, "cpu %u: %zu KiB of translated code\n", i, jit_code_used(v->cache->jit) / 1024);
        }
        if (v->check) {
            check_info(v->check, out);
        }
        if (v->chaos) {
            chaos_info(v->chaos, out);
        }
    }
}

const AccelOps interp_accel_ops = {
    .name = "interp",
    .desc = "portable interpreter, the reference for all other engines",
    .caps = ACCEL_CAP_SOFT_CPU,
    .probe = interp_probe,
    .create = interp_create,
    .destroy = interp_destroy,
    .vcpu_create = interp_vcpu_create,
    .pause = interp_pause,
    .resume = interp_resume,
    .kick = interp_kick,
    .stops_changed = interp_stops_changed,
    .info = interp_info,
};
