/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator in step with the interpreter.
 *
 * The interpreter goes first, on a copy (trial.c), and its writes are taken back; then the translated block runs for real.
 * Blocks are not connected to one another, so that it ends where the interpreter did.  What cannot be done twice (ports,
 * MMIO, time) is cut out into blocks of one instruction that only the translator runs.  All of it happens with the
 * machine lock held in an exclusive section: no other processor and no device changes memory in between.
 */
#include "accel/tcg/check.h"

#include <inttypes.h>
#include <string.h>

#include "accel/tcg/compare.h"
#include "accel/tcg/trial.h"
#include "softmmu/core/machine.h"
#include "target/x86/fpu.h"
#include "target/x86/mem.h"
#include "tcg/jit.h"

/* Others wait while a batch of blocks runs. */
#define BATCH 256

struct Check {
    InterpVcpu *v;
    Trial *trial;
    GString *why;
    bool failed;
    uint64_t blocks, insns; /* compared */
    uint64_t alone;         /* instructions run by the translator only */
    uint64_t stale;         /* blocks not compared: they used translations the page tables no longer give */
};

/* ---- the real thing ---- */

typedef struct Real {
    bool raised;
} Real;

static Real run_real(X86Cpu *cpu, Jit *jit, const JitCode *code)
{
    jmp_buf outer;
    volatile Real real = {0};
    memcpy(&outer, &cpu->unwind, sizeof(outer));
    if (_setjmp(cpu->unwind) == 0) {
        code_mapped(cpu, code);
        jit_run(jit, code);
    } else {
        real.raised = true;
    }
    memcpy(&cpu->unwind, &outer, sizeof(outer));
    fpu_sync(cpu); /* to be compared, and copied */
    return real;
}

/* ---- one block ---- */

/* Which instruction of the block starts where the processor stands; b->num when none does. */
static unsigned insn_at(const Block *b, gva_t start, gva_t rip)
{
    gva_t at = start;
    for (unsigned n = 0; n < b->num; at += b->insns[n].len, n++) {
        if (at == rip) {
            return n;
        }
    }
    return b->num;
}

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

/*
 * Try once more, from the same memory, what the translator may have had reason to do otherwise.  It stopped before
 * instruction `at` of the block, without a fault: somebody waited, or a handler asked to leave.  live_walks: its page walks
 * set bits that the block itself read.
 */
static bool same_again(Check *c, const Block *b, unsigned at, bool live_walks, bool raised, GString *why)
{
    Trial *t = c->trial;
    X86Cpu *cpu = c->v->cpu;
    Kept kept;
    keep(&kept, t);
    t->live_walks = live_walks;
    trial_run(t, b->insns, b->num, at, at < b->num);
    if (at < b->num && t->end == TRIAL_DONE && (insn_row(&b->insns[at])->attr & A_REP) &&
        t->cpu->r[RCX] != cpu->r[RCX]) {
        trial_run_rep(t, &b->insns[at], cpu);
    }
    trial_undo(t);
    put_back(&kept, t);
    t->live_walks = false;
    return compare_states(t, cpu, raised, why) && compare_memory(t, why);
}

/* Both have run and differ: was there a reason? */
static bool excused(Check *c, const Block *b, gva_t start, bool raised)
{
    g_autoptr(GString) why = g_string_new(NULL);
    unsigned at = raised ? b->num : insn_at(b, start, c->v->cpu->rip);
    return (at < b->num && same_again(c, b, at, false, raised, why)) ||
           (c->trial->num_entries && same_again(c, b, at, true, raised, why));
}

static void fail(Check *c, Block *b, const CodePages *pages, gva_t start, const Real *real, const char *why)
{
    X86Cpu *cpu = c->v->cpu;
    g_autoptr(GString) text = g_string_new(NULL);
    CompareReport r = {.trial = c->trial, .real = cpu, .raised = real->raised, .insns = b->insns, .num = b->num,
                       .rip = start, .bytes = b->host[1] ? NULL : pages->first->host, .why = why};
    compare_report(&r, text);
    log_printf("%s", text->str);
    /* The host code: translate it once more, in the same mode, with the log on. */
    log_mask |= LOG_OP | LOG_OUT_ASM;
    memcpy(cpu, c->trial->before, offsetof(X86Cpu, events));
    block_cut(b, b->num);
    block_code(c->v, b, pages);
    c->failed = true;
    run_request_exit(cpu->machine->run, CAUSE_OWN_FAULT, 0);
}

/* Compare after both have run.  On a difference the block is reported and the machine ends. */
static void compare(Check *c, Block *b, const CodePages *pages, gva_t start, const Real *real)
{
    Trial *t = c->trial;
    X86Cpu *cpu = c->v->cpu;
    GString *why = c->why;
    g_string_truncate(why, 0);
    if (compare_states(t, cpu, real->raised, why) && compare_memory(t, why)) {
        return;
    }
    if (excused(c, b, start, real->raised)) {
        return;
    }
    if (trial_stale(t, cpu)) {
        c->stale++;
        return;
    }
    fail(c, b, pages, start, real, why->str);
}

/* False: the caller's turn. */
static bool check_block(Check *c)
{
    InterpVcpu *v = c->v;
    X86Cpu *cpu = v->cpu;
    Trial *t = c->trial;
    CodePages pages;
    Block *b = block_fetch(v, &pages);
    if (!b) {
        return false;
    }
    fpu_sync(cpu);
    trial_begin(t, cpu);
    trial_run(t, b->insns, b->num, b->num, false);
    trial_undo(t);
    bool alone = false;
    if (t->end == TRIAL_OUTSIDE || t->end == TRIAL_UNKNOWN) {
        alone = t->done == 0;
        unsigned keep = alone ? 1 : t->done;
        block_cut(b, keep);
        if (!alone) {
            trial_run(t, b->insns, b->num, b->num, false);
            trial_undo(t);
        }
    }
    const JitCode *code = block_code(v, b, &pages);
    if (!code) {
        v->cache->flush = true;
        return true;
    }
    gva_t start = cpu->rip;
    Real real = run_real(cpu, v->cache->jit, code);
    if (alone) {
        c->alone++;
    } else {
        c->blocks++;
        c->insns += t->done;
        compare(c, b, &pages, start, &real);
    }
    if (real.raised) {
        longjmp(cpu->unwind, 1);
    }
    return true;
}

/* ---- a batch of blocks ---- */

static bool run_batch(Check *c)
{
    X86Cpu *cpu = c->v->cpu;
    for (unsigned n = 0; n < BATCH; n++) {
        if (!check_block(c)) {
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

Check *check_new(InterpVcpu *v)
{
    Check *c = g_new0(Check, 1);
    c->v = v;
    c->trial = trial_new(v->cpu);
    c->why = g_string_new(NULL);
    return c;
}

void check_free(Check *c)
{
    if (c) {
        trial_free(c->trial);
        g_string_free(c->why, TRUE);
        g_free(c);
    }
}

void check_info(const Check *c, GString *out)
{
    g_string_append_printf(out,
                           "cpu %u: check: %" PRIu64 " blocks of %" PRIu64 " instructions compared, %" PRIu64
                           " instructions run once, %" PRIu64 " blocks with stale translations\n",
                           c->v->cpu->index, c->blocks, c->insns, c->alone, c->stale);
}
