/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator in step with the interpreter.
 *
 * The interpreter goes first, on a copy (trial.c), and its writes are taken back; then the translated code runs for real: a
 * chain of blocks that ends where the interpreter did (chain.c), or one block (single.c).  All of it happens with the
 * machine lock held in an exclusive section: no other processor and no device changes memory in between.
 */
#include "accel/tcg/check_internal.h"

#include <inttypes.h>
#include <string.h>

#include "accel/tcg/compare.h"
#include "softmmu/core/machine.h"

/* Others wait while a batch of blocks runs. */
#define BATCH 256
/* A chain that has not come to its end after so long never will. */
#define WATCH_SECONDS 5

/* ---- what both kinds of run need ---- */

/* Memory as the translator left it, put aside. */
typedef struct Kept {
    unsigned num_pages, num_entries;
    uint8_t **hosts;
    uint8_t (*pages)[4096];
    uint64_t entries[TRIAL_ENTRIES];
} Kept;

static void keep_entry(uint64_t *value, const TrialEntry *e)
{
    memcpy(value, e->host, e->wide ? 8 : 4);
    memcpy(e->host, &e->value, e->wide ? 8 : 4);
}

/* Make memory what it was before the block. */
static void keep(Kept *k, const Trial *t)
{
    k->num_pages = t->num_pages;
    k->num_entries = t->num_entries;
    k->pages = g_malloc((gsize)t->num_pages * 4096 + 1);
    k->hosts = g_new(uint8_t *, t->num_pages + 1);
    for (unsigned n = 0; n < t->num_entries; n++) {
        keep_entry(&k->entries[n], &t->entries[n]);
    }
    for (unsigned n = 0; n < t->num_pages; n++) {
        const TrialPage *p = g_ptr_array_index(t->pages, n);
        k->hosts[n] = p->host;
        memcpy(k->pages[n], p->host, 4096);
        memcpy(p->host, p->before, 4096);
    }
}

static void put_back(Kept *k, const Trial *t)
{
    for (unsigned n = 0; n < k->num_pages; n++) {
        memcpy(k->hosts[n], k->pages[n], 4096);
    }
    for (unsigned n = 0; n < k->num_entries; n++) {
        memcpy(t->entries[n].host, &k->entries[n], t->entries[n].wide ? 8 : 4);
    }
    g_free(k->pages);
    g_free(k->hosts);
}

bool check_same_again(Check *c, CheckTrial *run, void *opaque, bool live_walks, bool raised, GString *why)
{
    Trial *t = c->trial;
    Kept kept;
    keep(&kept, t);
    t->live_walks = live_walks;
    run(c, opaque);
    trial_undo(t);
    put_back(&kept, t);
    t->live_walks = false;
    return compare_states(t, c->v->cpu, raised, why) && compare_memory(t, why);
}

void check_fail(Check *c, gva_t start, const char *code, bool raised, const char *why)
{
    X86Cpu *cpu = c->v->cpu;
    g_autoptr(GString) text = g_string_new(NULL);
    CompareReport r = {.trial = c->trial, .real = cpu, .raised = raised, .rip = start, .code = code, .why = why};
    compare_report(&r, text);
    log_printf("%s", text->str);
    c->failed = true;
    run_request_exit(cpu->machine->run, CAUSE_OWN_FAULT, 0);
}

/* Translated code that goes astray may never come back by itself. */
static void *watch(void *opaque)
{
    Check *c = opaque;
    uint64_t last = 0;
    g_mutex_lock(&c->mutex);
    while (!c->ended) {
        g_cond_wait_until(&c->cond, &c->mutex, g_get_monotonic_time() + WATCH_SECONDS * G_TIME_SPAN_SECOND);
        uint64_t now = __atomic_load_n(&c->running, __ATOMIC_RELAXED);
        if (now && now == last) {
            __atomic_store_n(&c->overdue, true, __ATOMIC_RELAXED);
            __atomic_store_n(&c->v->cpu->attention, true, __ATOMIC_SEQ_CST);
        }
        last = now;
    }
    g_mutex_unlock(&c->mutex);
    return NULL;
}

/* ---- a batch of blocks ---- */

static bool run_batch(Check *c)
{
    X86Cpu *cpu = c->v->cpu;
    for (uint64_t from = c->blocks + c->alone; c->blocks + c->alone - from < BATCH;) {
        if (!check_chain(c) && !check_single(c)) {
            return false;
        }
        if (c->failed || __atomic_load_n(&cpu->attention, __ATOMIC_RELAXED) || cpu->halted || cpu->wait_sipi ||
            (vcpu_must_step(cpu) && !vcpu_steps_for_nothing(c->v)) || !jit_mode_ok(cpu)) {
            return true;
        }
    }
    return true;
}

bool check_run(Check *c)
{
    X86Cpu *cpu = c->v->cpu;
    MachineLock *lock = cpu->machine->lock;
    jmp_buf outer;
    volatile bool raised = false, ran = true;
    if (c->failed) {
        g_usleep(1000); /* the main thread is about to end the machine */
        return true;
    }
    machine_lock(lock);
    exclusive_begin(lock);
    memcpy(&outer, &cpu->unwind, sizeof(outer));
    if (_setjmp(cpu->unwind) == 0) {
        ran = run_batch(c);
    } else {
        raised = true;
    }
    memcpy(&cpu->unwind, &outer, sizeof(outer));
    exclusive_end(lock);
    machine_unlock(lock);
    if (raised) {
        longjmp(cpu->unwind, 1);
    }
    return ran;
}

/* ---- life ---- */

Check *check_new(InterpVcpu *v, unsigned most)
{
    Check *c = g_new0(Check, 1);
    c->most = most;
    c->state = v->cpu->index;
    c->v = v;
    c->trial = trial_new(v->cpu);
    c->why = g_string_new(NULL);
    g_mutex_init(&c->mutex);
    g_cond_init(&c->cond);
    c->watch = g_thread_new("check", watch, c);
    return c;
}

void check_free(Check *c)
{
    if (c) {
        g_mutex_lock(&c->mutex);
        c->ended = true;
        g_cond_signal(&c->cond);
        g_mutex_unlock(&c->mutex);
        g_thread_join(c->watch);
        g_mutex_clear(&c->mutex);
        g_cond_clear(&c->cond);
        trial_free(c->trial);
        g_string_free(c->why, TRUE);
        g_free(c);
    }
}

void check_info(const Check *c, GString *out)
{
    g_string_append_printf(out,
                           "cpu %u: check: %" PRIu64 " blocks of %" PRIu64 " instructions compared, %" PRIu64
                           " chains of blocks, %" PRIu64 " instructions run once, %" PRIu64 " runs with stale translations\n",
                           c->v->cpu->index, c->blocks, c->insns, c->chains, c->alone, c->stale);
}
