/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disorder on purpose. */
#include "accel/tcg/chaos.h"

#include <inttypes.h>

#include "softmmu/core/machine.h"
#include "target/x86/mem.h"

enum { DID_PAGE, DID_NONGLOBAL, DID_ALL, DID_CODE, DID_CACHE, DID_ATTENTION, DID_OTHERS, NUM_DEEDS };
static const char *const deeds[NUM_DEEDS] = {"page flushes", "non-global flushes", "full flushes",
                                             "code pages invalidated", "caches dropped", "looks at events",
                                             "kicks of others"};

struct Chaos {
    InterpVcpu *v;
    uint64_t state;
    uint64_t did[NUM_DEEDS];
};

/* xorshift64*; never 0. */
static uint64_t next(Chaos *c)
{
    c->state ^= c->state >> 12;
    c->state ^= c->state << 25;
    c->state ^= c->state >> 27;
    return c->state * 0x2545f4914f6cdd1dull;
}

static void look(X86Cpu *cpu)
{
    __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
}

/* A page the guest works with: where its code, its stack or some register points to. */
static void flush_page(Chaos *c, uint64_t r)
{
    X86Cpu *cpu = c->v->cpu;
    tlb_flush_page(cpu, r & 1 ? cpu->r[r >> 1 & 15] : r & 2 ? cpu->rip : cpu->r[RSP]);
}

/* As if somebody had written the same bytes once more over some code. */
static void invalidate_code(Chaos *c, uint64_t r)
{
    X86Cpu *cpu = c->v->cpu;
    Ram *ram = cpu->machine->ram;
    const FetchEntry *f = &cpu->fetch[r % FETCH_TLB_SIZE];
    if (f->host && ram_owns(ram, f->host)) {
        uint8_t *page = ram->host + (f->host - ram->host);
        ram_written(ram, page, PAGE_SIZE);
    }
}

static void kick_others(Chaos *c)
{
    Machine *m = c->v->cpu->machine;
    for (unsigned i = 0; i < m->num_cpus; i++) {
        look(m->cpus[i]);
    }
}

/* One draw of what is legal everywhere. */
static void disturb(Chaos *c)
{
    uint64_t r = next(c), arg = next(c);
    unsigned deed;
    X86Cpu *cpu = c->v->cpu;
    if (r % 8 != 0) {
        return;
    }
    switch (r >> 8 & 63) {
    case 0:
        deed = DID_ALL;
        tlb_flush_all(cpu);
        break;
    case 1 ... 4:
        deed = DID_NONGLOBAL;
        tlb_flush_nonglobal(cpu);
        break;
    case 5 ... 8:
        deed = DID_CODE;
        invalidate_code(c, arg);
        break;
    case 9 ... 24:
        deed = DID_ATTENTION;
        look(cpu);
        break;
    case 25 ... 28:
        deed = DID_OTHERS;
        kick_others(c);
        break;
    default:
        deed = DID_PAGE;
        flush_page(c, arg);
        break;
    }
    c->did[deed]++;
}

void chaos_at_block(Chaos *c)
{
    disturb(c);
    if (next(c) % 8192 == 0) {
        c->did[DID_CACHE]++;
        c->v->cache->flush = true;
    }
}

void chaos_at_slow_path(X86Cpu *cpu, void *opaque)
{
    disturb(opaque);
}

bool chaos_withholds(Chaos *c)
{
    return next(c) % 4 == 0;
}

Chaos *chaos_new(InterpVcpu *v, uint64_t seed)
{
    Chaos *c = g_new0(Chaos, 1);
    c->v = v;
    c->state = seed * 0x9e3779b97f4a7c15ull + v->cpu->index + 1;
    c->state = c->state ? c->state : 1;
    return c;
}

void chaos_free(Chaos *c)
{
    g_free(c);
}

void chaos_info(const Chaos *c, GString *out)
{
    g_string_append_printf(out, "cpu %u: chaos:", c->v->cpu->index);
    for (unsigned n = 0; n < NUM_DEEDS; n++) {
        g_string_append_printf(out, "%s %" PRIu64 " %s", n ? "," : "", c->did[n], deeds[n]);
    }
    g_string_append_c(out, '\n');
}
