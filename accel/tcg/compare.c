/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing the interpreter's and the translator's results, and telling about a difference. */
#include "accel/tcg/compare.h"

#include <inttypes.h>
#include <string.h>

#include "softmmu/core/ram.h"
#include "target/x86/disas.h"
#include "target/x86/flags.h"

/* ---- registers ---- */

typedef struct Field {
    const char *name;
    size_t offset;
    unsigned size, count; /* bytes of one, how many */
} Field;

#define FIELD(member) {#member, offsetof(X86Cpu, member), sizeof(((X86Cpu *)0)->member), 1}
#define ARRAY(member, n) {#member, offsetof(X86Cpu, member), sizeof(((X86Cpu *)0)->member[0]), n}
static const Field fields[] = {
    ARRAY(r, 16), FIELD(rip), FIELD(cpl), FIELD(mem_mode), FIELD(code_size), FIELD(stack_size), FIELD(long_mode),
    FIELD(protected_mode), FIELD(pending_db), FIELD(shadow), FIELD(nmi_blocked), FIELD(halted), FIELD(gdtr.base),
    FIELD(gdtr.limit), FIELD(idtr.base), FIELD(idtr.limit), FIELD(cr0), FIELD(cr2), FIELD(cr3), FIELD(cr4),
    ARRAY(dr, 4), FIELD(dr6), FIELD(dr7), FIELD(efer), FIELD(xcr0), FIELD(xss), ARRAY(pdpte, 4), FIELD(pkru),
    FIELD(pkrs), FIELD(fpu.top), FIELD(fpu.empty), FIELD(fpu.cw), FIELD(fpu.sw), FIELD(fpu.fop), FIELD(fpu.fcs),
    FIELD(fpu.fds), FIELD(fpu.fip), FIELD(fpu.fdp), FIELD(mxcsr), ARRAY(v, 32), FIELD(msr.star), FIELD(msr.lstar),
    FIELD(msr.fmask), FIELD(msr.kernel_gs_base), FIELD(msr.tsc_aux),
};

static void append_bytes(GString *out, const void *p, unsigned size)
{
    const uint8_t *bytes = p;
    for (unsigned i = size; i-- > 0;) {
        g_string_append_printf(out, "%02x", bytes[i]);
    }
}

static void tell(GString *why, const char *name, const void *before, const void *trial, const void *real, unsigned size)
{
    g_string_append_printf(why, "  %s: was ", name);
    append_bytes(why, before, size);
    g_string_append(why, ", interpreter ");
    append_bytes(why, trial, size);
    g_string_append(why, ", translator ");
    append_bytes(why, real, size);
    g_string_append_c(why, '\n');
}

static bool same_fields(const Trial *t, const X86Cpu *real, GString *why)
{
    bool same = true;
    for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
        for (unsigned n = 0; n < fields[f].count; n++) {
            size_t at = fields[f].offset + n * fields[f].size;
            const char *a = (const char *)t->cpu + at, *b = (const char *)real + at;
            if (memcmp(a, b, fields[f].size) != 0) {
                g_autofree char *name = fields[f].count > 1 ? g_strdup_printf("%s[%u]", fields[f].name, n)
                                                            : g_strdup(fields[f].name);
                tell(why, name, (const char *)t->before + at, a, b, fields[f].size);
                same = false;
            }
        }
    }
    return same;
}

static bool same_segment(const Segment *a, const Segment *b)
{
    return a->base == b->base && a->limit == b->limit && a->attr == b->attr && a->selector == b->selector;
}

static bool same_segments(const Trial *t, const X86Cpu *real, GString *why)
{
    static const char *const names[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    bool same = true;
    for (unsigned s = 0; s < ARRAY_LEN(names); s++) {
        const Segment *a = s < NUM_SEGS ? &t->cpu->seg[s] : s == NUM_SEGS ? &t->cpu->ldtr : &t->cpu->tr;
        const Segment *b = s < NUM_SEGS ? &real->seg[s] : s == NUM_SEGS ? &real->ldtr : &real->tr;
        if (!same_segment(a, b)) {
            g_string_append_printf(why,
                                   "  %s: interpreter %04x %016" PRIx64 " %08x %05x, translator %04x %016" PRIx64
                                   " %08x %05x\n",
                                   names[s], a->selector, a->base, a->limit, a->attr, b->selector, b->base, b->limit,
                                   b->attr);
            same = false;
        }
    }
    return same;
}

static bool same_flags(const Trial *t, const X86Cpu *real, GString *why)
{
    /* RF: a REP that pauses sets it for the debugger's sake. */
    uint32_t mask = ~(t->undef | FL_RF), a = cpu_eflags(t->cpu), b = cpu_eflags(real);
    if (((a ^ b) & mask) == 0) {
        return true;
    }
    g_string_append_printf(why, "  eflags: was %08x, interpreter %08x, translator %08x, undefined %08x\n",
                           cpu_eflags(t->before), a, b, t->undef);
    return false;
}

/* Registers of the x87, by field: Float80 has padding. */
static bool same_x87(const Trial *t, const X86Cpu *real, GString *why)
{
    bool same = true;
    for (unsigned n = 0; n < 8; n++) {
        const Float80 *a = &t->cpu->fpu.r[n], *b = &real->fpu.r[n];
        if (a->mant != b->mant || a->se != b->se) {
            const Float80 *was = &t->before->fpu.r[n];
            g_string_append_printf(why,
                                   "  x87 register %u: was %04x.%016" PRIx64 ", interpreter %04x.%016" PRIx64
                                   ", translator %04x.%016" PRIx64 "\n",
                                   n, was->se, was->mant, a->se, a->mant, b->se, b->mant);
            same = false;
        }
    }
    return same;
}

static void append_fault(GString *out, bool raised, const X86Cpu *cpu)
{
    if (!raised) {
        g_string_append(out, "no fault");
        return;
    }
    g_string_append_printf(out, "vector %u error %x", cpu->exc.vector, cpu->exc.has_error ? cpu->exc.error : 0);
    if (cpu->exc.vector == EXC_PF) {
        g_string_append_printf(out, " at %016" PRIx64, cpu->exc.cr2);
    }
}

static bool same_fault(const Trial *t, const X86Cpu *real, bool raised, GString *why)
{
    const X86Cpu *cpu = t->cpu;
    if (raised == (t->end == TRIAL_RAISED) &&
        (!raised || (cpu->exc.vector == real->exc.vector && cpu->exc.has_error == real->exc.has_error &&
                     (!cpu->exc.has_error || cpu->exc.error == real->exc.error) && cpu->exc.dr6 == real->exc.dr6 &&
                     (cpu->exc.vector != EXC_PF || cpu->exc.cr2 == real->exc.cr2)))) {
        return true;
    }
    g_string_append(why, "  fault: interpreter ");
    append_fault(why, t->end == TRIAL_RAISED, cpu);
    g_string_append(why, ", translator ");
    append_fault(why, raised, real);
    g_string_append_c(why, '\n');
    return false;
}

/* Nearly always nothing differs: everything from the segments to the MSRs at once. */
static bool all_same(const Trial *t, const X86Cpu *real)
{
    const X86Cpu *cpu = t->cpu;
    size_t from = offsetof(X86Cpu, seg), size = offsetof(X86Cpu, exc) - from;
    return memcmp(cpu->r, real->r, sizeof(cpu->r)) == 0 && cpu->mem_mode == real->mem_mode && cpu->cpl == real->cpl &&
           cpu->shadow == real->shadow && cpu->halted == real->halted && cpu->pending_db == real->pending_db &&
           cpu->code_size == real->code_size && cpu->nmi_blocked == real->nmi_blocked &&
           memcmp((const char *)cpu + from, (const char *)real + from, size) == 0 &&
           ((cpu_eflags(cpu) ^ cpu_eflags(real)) & ~(t->undef | FL_RF)) == 0;
}

bool compare_states(const Trial *t, const X86Cpu *real, bool raised, GString *why)
{
    if (!raised && t->end != TRIAL_RAISED && likely(all_same(t, real))) {
        return true;
    }
    bool same = same_fault(t, real, raised, why);
    same &= same_fields(t, real, why);
    same &= same_segments(t, real, why);
    same &= same_flags(t, real, why);
    same &= same_x87(t, real, why);
    return same;
}

/* ---- memory ---- */

/* The processor's own page walks set A and D in the page tables; a trial's do not. */
static bool only_walk_bits(uint64_t trial, uint64_t real)
{
    enum { PTE_P = 1, PTE_A_D = 0x60 };
    return (real & PTE_P) && ((trial ^ real) & ~(uint64_t)PTE_A_D) == 0 && (trial & ~real) == 0;
}

static bool same_page(const TrialPage *p, const uint8_t *now, GString *why)
{
    unsigned told = 0;
    bool same = true;
    for (unsigned at = 0; at < PAGE_SIZE; at += 8) {
        uint64_t was, trial, real;
        memcpy(&was, p->before + at, 8);
        memcpy(&trial, p->after + at, 8);
        memcpy(&real, now + at, 8);
        if (trial == real || only_walk_bits(trial, real)) {
            continue;
        }
        same = false;
        if (told++ < 8) {
            g_string_append_printf(why, "  memory %p+%03x: was %016" PRIx64 ", interpreter %016" PRIx64
                                   ", translator %016" PRIx64 "\n", (const void *)p->host, at, was, trial, real);
        }
    }
    return same;
}

bool compare_memory(const Trial *t, GString *why)
{
    bool same = true;
    for (unsigned n = 0; n < t->num_pages; n++) {
        const TrialPage *p = g_ptr_array_index(t->pages, n);
        if (memcmp(p->after, p->host, PAGE_SIZE) != 0) {
            same &= same_page(p, p->host, why);
        }
    }
    return same;
}

/* ---- the report ---- */

void compare_append_code(const Insn *insns, unsigned num, const uint8_t *bytes, gva_t rip, unsigned code_size, GString *out)
{
    unsigned at = 0;
    for (unsigned n = 0; n < num; n++) {
        disas_append(out, bytes + at, insns[n].len, rip + at, code_size);
        at += insns[n].len;
    }
    g_string_append(out, "code ");
    for (unsigned n = 0; n < at; n++) {
        g_string_append_printf(out, "%02x", bytes[n]);
    }
    g_string_append_c(out, '\n');
}

void compare_report(const CompareReport *r, GString *out)
{
    g_string_append_printf(out, "check: translator and interpreter differ, cpu %u, from %016" PRIx64 "\n",
                           r->real->index, r->rip);
    g_string_append_printf(out, "%sdifference (%u instructions):\n%s", r->code, r->trial->done, r->why);
    g_string_append(out, "before:\n");
    cpu_dump(r->trial->before, out);
    g_string_append(out, "after, interpreter: ");
    append_fault(out, r->trial->end == TRIAL_RAISED, r->trial->cpu);
    g_string_append_c(out, '\n');
    cpu_dump(r->trial->cpu, out);
    g_string_append(out, "after, translator: ");
    append_fault(out, r->raised, r->real);
    g_string_append_c(out, '\n');
    cpu_dump(r->real, out);
}
