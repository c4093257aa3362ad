/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One block by itself, by code that is connected to nothing, so that it ends where the interpreter did.  What cannot be
 * done twice (ports, MMIO, time) is cut out into blocks of one instruction that only the translator runs.
 */
#include "accel/tcg/check_internal.h"

#include <string.h>

#include "accel/tcg/compare.h"
#include "softmmu/core/machine.h"
#include "target/x86/fpu.h"
#include "target/x86/mem.h"

/* True: it raised. */
static bool run_real(X86Cpu *cpu, Jit *jit, const JitCode *code)
{
    jmp_buf outer;
    volatile bool raised = false;
    memcpy(&outer, &cpu->unwind, sizeof(outer));
    jit_set_alone(jit, true);
    if (_setjmp(cpu->unwind) == 0) {
        code_mapped(cpu, code);
        jit_run(jit, code);
    } else {
        raised = true;
    }
    jit_set_alone(jit, false);
    memcpy(&cpu->unwind, &outer, sizeof(outer));
    fpu_sync(cpu); /* to be compared, and copied */
    return raised;
}

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

/* A block, and how far the translator came in it: b->num, or the instruction before which it stopped without a fault. */
typedef struct Stop {
    const Block *block;
    unsigned at;
} Stop;

static void try_to_there(Check *c, void *opaque)
{
    const Stop *s = opaque;
    const Block *b = s->block;
    Trial *t = c->trial;
    const X86Cpu *cpu = c->v->cpu;
    trial_run(t, b->insns, b->num, s->at, s->at < b->num);
    if (s->at < b->num && t->end == TRIAL_DONE && (insn_row(&b->insns[s->at])->attr & A_REP) &&
        t->cpu->r[RCX] != cpu->r[RCX]) {
        trial_run_rep(t, &b->insns[s->at], cpu);
    }
}

/* Both have run and differ: was there a reason?  Somebody waited, a handler asked to leave, or walks set bits it read. */
static bool excused(Check *c, const Block *b, gva_t start, bool raised)
{
    g_autoptr(GString) why = g_string_new(NULL);
    Stop s = {.block = b, .at = raised ? b->num : insn_at(b, start, c->v->cpu->rip)};
    return (s.at < b->num && check_same_again(c, try_to_there, &s, false, raised, why)) ||
           (c->trial->num_entries && check_same_again(c, try_to_there, &s, true, raised, why));
}

/* Its host code goes to the log: translated once more, in the same mode. */
static void fail(Check *c, Block *b, const CodePages *pages, gva_t start, bool raised)
{
    X86Cpu *cpu = c->v->cpu;
    g_autoptr(GString) code = g_string_new(NULL);
    compare_append_code(b->insns, b->num, b->copy, start, c->trial->before->code_size, code);
    check_fail(c, start, code->str, raised, c->why->str);
    log_mask |= LOG_OP | LOG_OUT_ASM;
    memcpy(cpu, c->trial->before, offsetof(X86Cpu, events));
    b->code = NULL;
    block_code_alone(c->v, b, pages);
}

/* Compare after both have run. */
static void compare(Check *c, Block *b, const CodePages *pages, gva_t start, bool raised)
{
    Trial *t = c->trial;
    X86Cpu *cpu = c->v->cpu;
    g_string_truncate(c->why, 0);
    if ((compare_states(t, cpu, raised, c->why) && compare_memory(t, c->why)) || excused(c, b, start, raised)) {
        return;
    }
    if (trial_stale(t, cpu)) {
        c->stale++;
    } else {
        fail(c, b, pages, start, raised);
    }
}

/* The block ends after `num` instructions from now on.  Code for all of it is connected to other code. */
static void cut(Check *c, Block *b, unsigned num)
{
    if (num < b->num) {
        for (JitCode *code = b->code; code; code = code->next) {
            jit_disable(c->v->cache->jit, code, NULL);
        }
        block_cut(b, num);
    }
}

bool check_single(Check *c)
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
        cut(c, b, alone ? 1 : t->done);
        if (!alone) {
            trial_run(t, b->insns, b->num, b->num, false);
            trial_undo(t);
        }
    }
    const JitCode *code = block_code_alone(v, b, &pages);
    if (!code) {
        v->cache->flush = true;
        return true;
    }
    gva_t start = cpu->rip;
    bool raised = run_real(cpu, v->cache->jit, code);
    if (alone) {
        c->alone++;
    } else {
        c->blocks++;
        c->insns += t->done;
        compare(c, b, &pages, start, raised);
    }
    if (raised) {
        longjmp(cpu->unwind, 1);
    }
    return true;
}
