/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several blocks at once, as they run without check=on: connected, found in the table of places, with loops inside blocks.
 *
 * The interpreter goes ahead, on a copy, and says where the chain ends: at a place to which control jumps, the so many-th
 * time.  Code for that place is disabled while the chain runs, so that whoever comes there leaves translated code, and is
 * counted.  When it was not the last time, the block goes on by code of its own that is connected to nothing.
 */
#include "accel/tcg/check_internal.h"

#include "accel/tcg/compare.h"
#include "softmmu/core/machine.h"
#include "target/x86/fpu.h"
#include "target/x86/mem.h"

/* ---- the interpreter's way ---- */

/*
 * The block where the copy stands.  NULL: it must not go on from here, because there is none or its fetch faults, or the
 * chain itself wrote to the page, which it does not do in earnest yet.
 */
static Block *fetch(Check *c)
{
    enum { LONGEST = 15 };
    InterpVcpu *v = c->v;
    X86Cpu *real = v->cpu, *copy = c->trial->cpu;
    Block *volatile b = NULL;
    CodePages pages;
    gva_t lin = code_linear(copy);
    if (trial_must_look(copy) || (lin & (PAGE_SIZE - 1)) > PAGE_SIZE - LONGEST) {
        return NULL;
    }
    v->cpu = copy;
    if (_setjmp(copy->unwind) == 0) {
        const FetchEntry *f = mmu_fetch(copy, lin);
        b = f->host && !trial_wrote(c->trial, f->host) ? block_fetch(v, &pages) : NULL;
    }
    v->cpu = real;
    return b;
}

/* Something waited, and need not any more: it comes right behind the instruction. */
static bool lets_in(const Check *c)
{
    const X86Cpu *before = c->trial->before, *cpu = c->trial->cpu;
    return __atomic_load_n(&c->v->cpu->events, __ATOMIC_RELAXED) &&
           ((cpu->eflags & ~before->eflags & FL_IF) || cpu->nmi_blocked < before->nmi_blocked);
}

static bool begins_with_rep(const Block *b)
{
    return insn_row(&b->insns[0])->attr & A_REP;
}

/*
 * `most` blocks, or until something cannot be tried.  True: the copy stands behind the last of them; false: in the middle of
 * one more.  Page walks of the copy only pretend to set A and D, and so it ends where some would have been set.
 */
static bool walk(Check *c, unsigned most)
{
    Trial *t = c->trial;
    X86Cpu *cpu = t->cpu;
    trial_start(t);
    c->place[0] = (CheckPlace){.rip = cpu->rip, .lin = code_linear(cpu)};
    for (c->num_places = 0;;) {
        CheckPlace *here = &c->place[c->num_places];
        unsigned entries = t->num_entries;
        Block *b = fetch(c);
        /* a REP that pauses would look as if it had been come to once more */
        here->by_jump = here->by_jump && b && !begins_with_rep(b);
        if (!b || c->num_places == most) {
            return true;
        }
        gva_t behind = here->lin + b->bytes;
        if (!trial_go_on(t, b->insns, b->num) || lets_in(c)) {
            return false;
        }
        gva_t lin = code_linear(cpu);
        c->place[++c->num_places] = (CheckPlace){.rip = cpu->rip, .lin = lin, .by_jump = lin != behind};
        most = t->num_entries == entries ? most : c->num_places;
    }
}

static bool same_place(const CheckPlace *a, const CheckPlace *b)
{
    return a->rip == b->rip && a->lin == b->lin;
}

/* How often the chain comes to its place number `end`, up to then. */
static unsigned arrivals(const Check *c, unsigned end)
{
    unsigned count = 0;
    for (unsigned n = 1; n <= end; n++) {
        count += same_place(&c->place[n], &c->place[end]);
    }
    return count;
}

/* Where to end: far from the start, at a place that is seldom come to, since each time costs.  0: nowhere. */
static unsigned choose_end(const Check *c)
{
    unsigned best = 0, best_count = ~0u;
    for (unsigned n = c->num_places; n > 0 && (n > c->num_places / 2 || !best); n--) {
        unsigned count = c->place[n].by_jump ? arrivals(c, n) : ~0u;
        if (count < best_count) {
            best = n;
            best_count = count;
        }
    }
    return best;
}

/* ---- the translator's ---- */

/* Code that leads to the end of the chain, or on from there. */
static void set_enabled(Check *c, const Block *b, const CheckPlace *end, bool enabled)
{
    Jit *jit = c->v->cache->jit;
    for (JitCode *code = b ? b->code : NULL; code; code = code->next) {
        if (code->rip == end->rip && jit_code_linear(code) == end->lin && !(code->mode & JIT_MODE_ALONE)) {
            if (enabled) {
                jit_enable(jit, code);
            } else {
                jit_disable(jit, code, NULL);
            }
        }
    }
}

static bool stands_at(const X86Cpu *cpu, const CheckPlace *p)
{
    return cpu->rip == p->rip && code_linear(cpu) == p->lin;
}

/* Run what is at cs:rip.  jump: who wants to be connected to it, and then who wants to be to what follows.  False: nothing. */
static bool run_once(Check *c, bool alone, uintptr_t *jump)
{
    InterpVcpu *v = c->v;
    Jit *jit = v->cache->jit;
    CodePages pages;
    uint64_t flushes = v->cache->flushes;
    Block *b = block_fetch(v, &pages);
    JitCode *code = !b ? NULL : alone ? block_code_alone(v, b, &pages) : block_code(v, b, &pages);
    if (!code) {
        v->cache->flush = true; /* only then is there none */
        *jump = 0;
        return b != NULL;
    }
    code_mapped(v->cpu, code);
    if (!alone) {
        if (*jump && flushes == v->cache->flushes) {
            jit_connect(jit, *jump, code);
        }
        jit_remember(jit, code);
    }
    jit_set_alone(jit, alone);
    *jump = jit_run(jit, code);
    jit_set_alone(jit, false);
    *jump = alone ? 0 : *jump;
    return true;
}

/* Until it comes to the end of the chain, or gets lost. */
static void run_chain(Check *c, const CheckPlace *end, unsigned left)
{
    X86Cpu *cpu = c->v->cpu;
    uintptr_t jump = 0;
    bool alone = stands_at(cpu, end);
    while (run_once(c, alone, &jump)) {
        if (__atomic_exchange_n(&cpu->attention, false, __ATOMIC_SEQ_CST)) {
            c->attention = true;
        }
        alone = stands_at(cpu, end);
        if ((alone && --left == 0) || __atomic_load_n(&c->overdue, __ATOMIC_RELAXED) ||
            trial_must_look(cpu)) {
            return;
        }
    }
}

/* True: it raised. */
static bool run_real(Check *c, Block *last, const CheckPlace *end, unsigned left)
{
    X86Cpu *cpu = c->v->cpu;
    Jit *jit = c->v->cache->jit;
    uint64_t flushes = c->v->cache->flushes;
    volatile bool raised = false;
    jmp_buf outer;
    set_enabled(c, last, end, false);
    __atomic_store_n(&c->running, ++c->chains, __ATOMIC_RELAXED);
    memcpy(&outer, &cpu->unwind, sizeof(outer));
    if (_setjmp(cpu->unwind) == 0) {
        run_chain(c, end, left);
    } else {
        raised = true;
        jit_set_alone(jit, false);
    }
    memcpy(&cpu->unwind, &outer, sizeof(outer));
    __atomic_store_n(&c->running, 0, __ATOMIC_RELAXED);
    if (c->v->cache->flushes == flushes) {
        set_enabled(c, last, end, true);
    }
    fpu_sync(cpu); /* to be compared, and copied */
    return raised;
}

/* ---- both ---- */

/* A fetch that faults: perhaps only by a translation that the page tables no longer give, and nothing was done yet. */
static bool fetch_faults(const X86Cpu *cpu)
{
    gva_t lin = cpu->code64 ? cpu->insn_rip : (uint32_t)(cpu->insn_rip + cpu->seg[SEG_CS].base);
    return cpu->exc.vector == EXC_PF && cpu->exc.cr2 - lin < 15 && !(cpu->exc.error & PF_W);
}

/* The same blocks once more. */
static void walk_again(Check *c, void *opaque)
{
    walk(c, *(const unsigned *)opaque);
}

/* The copy stands at place number `end`.  Run as far, and compare. */
static bool agrees(Check *c, unsigned end, bool *raised)
{
    Trial *t = c->trial;
    X86Cpu *cpu = c->v->cpu;
    CheckPlace to = c->place[end];
    Block *last = fetch(c);
    trial_undo(t);
    g_string_truncate(c->why, 0);
    *raised = run_real(c, last, &to, arrivals(c, end));
    if (compare_states(t, cpu, *raised, c->why) && compare_memory(t, c->why)) {
        return true;
    }
    g_autoptr(GString) why = g_string_new(NULL);
    return t->num_entries && check_same_again(c, walk_again, &end, true, *raised, why);
}

static void describe(Check *c, unsigned end, GString *out)
{
    InterpVcpu *v = c->v;
    for (unsigned n = 0; n < end; n++) {
        CodePages pages;
        bool told = false;
        for (unsigned k = 0; k < n && !told; k++) {
            told = same_place(&c->place[k], &c->place[n]);
        }
        g_string_append_printf(out, "block %u at %016" PRIx64 "%s\n", n, c->place[n].rip, told ? ", see above" : ":");
        if (told) {
            continue;
        }
        v->cpu->rip = c->place[n].rip;
        Block *b = block_fetch(v, &pages);
        if (b) {
            compare_append_code(b->insns, b->num, b->copy, v->cpu->rip, v->cpu->code_size, out);
            b->code = NULL; /* translated once more, with the log on */
            block_code(v, b, &pages);
        }
    }
}

/* The shortest chain that still differs is the story. */
static void fail(Check *c, unsigned end, bool raised)
{
    Trial *t = c->trial;
    g_autoptr(GString) code = g_string_new(NULL), why = g_string_new(c->why->str);
    X86Cpu *cpu = c->v->cpu;
    for (unsigned n = 1; n <= end; n++) {
        if (c->place[n].by_jump || n == end) {
            bool other;
            trial_restore(t, cpu);
            if (walk(c, n) && c->num_places == n && !agrees(c, n, &other)) {
                end = n;
                raised = other;
                g_string_assign(why, c->why->str);
                break;
            }
        }
    }
    X86Cpu *left = g_aligned_alloc0(1, sizeof(X86Cpu), 64);
    memcpy(left, cpu, offsetof(X86Cpu, events));
    memcpy(cpu, t->before, offsetof(X86Cpu, events));
    log_mask |= LOG_OP | LOG_OUT_ASM;
    describe(c, end, code);
    memcpy(cpu, left, offsetof(X86Cpu, events));
    g_aligned_free(left);
    check_fail(c, c->place[0].rip, code->str, raised, why->str);
}

bool check_chain(Check *c)
{
    InterpVcpu *v = c->v;
    Trial *t = c->trial;
    X86Cpu *cpu = v->cpu;
    if (c->most < 2) {
        return false;
    }
    c->state = c->state * 6364136223846793005ull + 1442695040888963407ull;
    fpu_sync(cpu);
    trial_begin(t, cpu);
    bool there = walk(c, 2 + (unsigned)(c->state >> 33) % (c->most - 1));
    unsigned end = choose_end(c);
    if (end >= 2 && (end != c->num_places || !there)) {
        trial_undo(t);
        there = walk(c, end); /* ends earlier when it overwrites what was made a block only now */
    }
    if (end < 2 || !there || c->num_places != end) {
        trial_undo(t);
        return false;
    }
    bool raised, same = agrees(c, end, &raised);
    c->blocks += end;
    c->insns += t->done;
    if (!same && (trial_stale(t, cpu) || (raised && fetch_faults(cpu)))) {
        c->stale++;
    } else if (!same) {
        fail(c, end, raised);
    }
    if (c->attention) {
        c->attention = false;
        __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
    }
    if (raised) {
        longjmp(cpu->unwind, 1);
    }
    return true;
}
