/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run loop's part for the translator: blocks and their host code, found, made and connected. */
#include "accel/interp/interp.h"

#include <inttypes.h>
#include <string.h>

#include "accel/tcg/chaos.h"
#include "accel/tcg/check.h"
#include "softmmu/core/machine.h"
#include "target/x86/mem.h"
#include "tcg/jit.h"

static JitPage page_of(const X86Cpu *cpu, const FetchEntry *f, const uint64_t *changed)
{
    return (JitPage){.itlb_id = itlb_id(f->phys, cpu->cpl == 3), .global = f->global,
                     .changed = ram_owns(cpu->machine->ram, f->host) ? changed : NULL};
}

static bool same_place(const JitCode *a, const JitCode *b)
{
    return a->rip == b->rip && a->cs_base == b->cs_base && a->mode == b->mode &&
           memcmp(a->itlb_id, b->itlb_id, sizeof(a->itlb_id)) == 0 && memcmp(a->global, b->global, sizeof(a->global)) == 0;
}

static bool is_for(const JitCode *code, const JitSource *source)
{
    for (unsigned n = 0; n < source->num_pages; n++) {
        if (code->itlb_id[n] != source->pages[n].itlb_id || code->global[n] != source->pages[n].global) {
            return false;
        }
    }
    return code->rip == source->rip && jit_code_linear(code) == source->lin && code->mode == source->mode;
}

/* Jumps that lead to code of the block's older versions go on to the present one. */
static void forward_older(Jit *jit, const Block *b, const JitCode *code)
{
    for (const Block *old = b->older; old; old = old->older) {
        for (JitCode *c = old->code; c; c = c->next) {
            if (same_place(c, code)) {
                jit_disable(jit, c, code);
            }
        }
    }
}

/* more: bits of the mode besides the processor's. */
static JitCode *code_for(InterpVcpu *v, Block *b, const CodePages *pages, uint32_t more)
{
    X86Cpu *cpu = v->cpu;
    JitSource source = {.insns = b->insns, .num = b->num, .rip = cpu->rip, .lin = code_linear(cpu),
                        .mode = jit_mode(cpu) | more, .loops = !v->traced && !more, .num_pages = b->host[1] ? 2 : 1,
                        .pages = {page_of(cpu, pages->first, b->changed[0])}};
    if (b->host[1]) {
        source.pages[1] = page_of(cpu, pages->second, b->changed[1]);
    }
    for (JitCode **link = &b->code; *link; link = &(*link)->next) {
        JitCode *c = *link;
        if (is_for(c, &source)) {
            *link = c->next;
            c->next = b->code;
            b->code = c;
            forward_older(v->cache->jit, b, c);
            return c;
        }
    }
    JitCode *c = block_alloc(v->cache, sizeof(*c));
    if (!c || !jit_translate(v->cache->jit, &source, c)) {
        return NULL;
    }
    c->next = b->code;
    b->code = c;
    forward_older(v->cache->jit, b, c);
    return c;
}

JitCode *block_code(InterpVcpu *v, Block *b, const CodePages *pages)
{
    return code_for(v, b, pages, 0);
}

JitCode *block_code_alone(InterpVcpu *v, Block *b, const CodePages *pages)
{
    return code_for(v, b, pages, JIT_MODE_ALONE);
}

void code_mapped(X86Cpu *cpu, const JitCode *code)
{
    for (unsigned n = 0; n < code->num_pages; n++) {
        cpu->itlb[itlb_slot(code->global[n], jit_code_linear(code) + n * PAGE_SIZE)] = code->itlb_id[n];
    }
}

/* One line a block, as -d exec prints. */
static void log_exec(const X86Cpu *cpu, const JitCode *code)
{
    log_printf("Trace %u: %p [%016" PRIx64 "/%x]\n", cpu->index, (const void *)jit_entry(code, JIT_ENTRY_LOOP), code->rip,
               code->mode);
}

static void count_exit(const X86Cpu *cpu, JitStats *stats, uintptr_t jump)
{
    if (jump) {
        stats->exits_jump++;
    } else if (__atomic_load_n(&cpu->attention, __ATOMIC_RELAXED)) {
        stats->exits_attention++;
    } else {
        stats->exits_other++;
    }
}

/* Connect and remember code that has just been looked up. */
static void join(InterpVcpu *v, uintptr_t jump, const JitCode *code)
{
    Jit *jit = v->cache->jit;
    if (unlikely(v->traced)) {
        log_exec(v->cpu, code);
        return;
    }
    if (unlikely(v->chaos) && chaos_withholds(v->chaos)) {
        return;
    }
    if (jump) {
        jit_connect(jit, jump, code);
        jit_stats(jit)->connected++;
    }
    jit_remember(jit, code);
}

/*
 * After an interrupt or a fault: the code was often met before.  When it is not what should run here (made for another mode,
 * another page), it comes back at once and has done nothing.  True: there is something to look at.
 */
static bool run_known(InterpVcpu *v, uintptr_t *jump)
{
    if (v->traced || v->cache->flush || !jit_run_known(v->cache->jit, jump)) {
        return false;
    }
    count_exit(v->cpu, jit_stats(v->cache->jit), *jump);
    return !jit_may_run(v->cpu);
}

/* Blocks that follow one another are connected as they do, until something has to be looked at. */
static bool run_blocks(InterpVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    Jit *jit = v->cache->jit;
    uintptr_t jump = 0;
    if (run_known(v, &jump)) {
        return true;
    }
    do {
        if (unlikely(v->chaos)) {
            chaos_at_block(v->chaos);
        }
        uint64_t flushes = v->cache->flushes;
        CodePages pages;
        Block *b = block_fetch(v, &pages);
        if (!b) {
            return false;
        }
        JitCode *code = block_code(v, b, &pages);
        if (!code) {
            v->cache->flush = true;
            return true;
        }
        JitStats *stats = jit_stats(jit);
        stats->lookups++;
        code_mapped(cpu, code);
        join(v, v->cache->flushes == flushes ? jump : 0, code);
        jump = jit_run(jit, code);
        count_exit(cpu, stats, jump);
    } while (jump);
    return true;
}

bool translated_run(InterpVcpu *v)
{
    if (unlikely(v->check)) {
        return check_run(v->check);
    }
    if (unlikely(v->traced != log_on(LOG_EXEC))) {
        v->traced = !v->traced;
        v->cache->flush = true; /* connected blocks tell nobody where they go */
    }
    return run_blocks(v);
}
