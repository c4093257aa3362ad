/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trying the instructions of a block with the interpreter, without consequences. */
#include "accel/tcg/trial.h"

#include <setjmp.h>
#include <string.h>

#include "softmmu/core/machine.h"
#include "target/x86/debug.h"
#include "target/x86/exec.h"
#include "target/x86/mem.h"
#include "target/x86/trial.h"
#include "tcg/jit.h"

/* All that instructions see of a processor lies before its link to other threads. */
#define STATE_SIZE offsetof(X86Cpu, events)

/* A REP over more memory than this is not tried. */
#define MAX_PAGES 64
/* A copy's REP pauses wherever it can, and is given up after so many pauses. */
#define MAX_TURNS 100000

enum { KIND_TRY, KIND_OUTSIDE, KIND_SHIFT /* may leave the flags alone, whatever its row says */ };

/* ---- which instructions may be tried ---- */

/* Time, identity of the moment, waiting, and model-specific registers, which are a door to devices. */
static const char *const outside_names[] = {"rdtsc", "rdtscp", "rdrand", "rdseed", "rdpmc", "rdmsr", "wrmsr", "vmcall",
                                            "vmmcall", "hlt", "monitor", "mwait"};
static const char *const shift_names[] = {"rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar", "shld", "shrd"};

static bool listed(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static uint8_t *row_kinds(void)
{
    uint8_t *kind = g_new0(uint8_t, insn_num_rows);
    for (unsigned r = 0; r < insn_num_rows; r++) {
        const InsnRow *row = &insn_rows[r];
        if ((row->attr & A_IO) || listed(outside_names, ARRAY_LEN(outside_names), row->name)) {
            kind[r] = KIND_OUTSIDE;
        } else if (listed(shift_names, ARRAY_LEN(shift_names), row->name)) {
            kind[r] = KIND_SHIFT;
        }
    }
    return kind;
}

/* CR8 is the local APIC's. */
static bool is_cr8(const Insn *i)
{
    return insn_row(i)->map == MAP_0F && (i->opcode == 0x20 || i->opcode == 0x22) && i->reg == 8;
}

/* ---- memory ---- */

static Trial *trial_of(X86Cpu *cpu)
{
    return cpu->engine;
}

static G_NORETURN void leave(X86Cpu *cpu)
{
    trial_of(cpu)->end = TRIAL_OUTSIDE;
    longjmp(cpu->unwind, 1);
}

static void on_outside(X86Cpu *cpu)
{
    leave(cpu);
}

bool trial_wrote(const Trial *t, const uint8_t *host)
{
    for (unsigned n = t->num_pages; n-- > 0;) {
        if (((const TrialPage *)g_ptr_array_index(t->pages, n))->host == host) {
            return true;
        }
    }
    return false;
}

static void on_write(X86Cpu *cpu, uint8_t *host, unsigned len)
{
    Trial *t = trial_of(cpu);
    Ram *ram = cpu->machine->ram;
    unsigned offset = (unsigned)((uint64_t)(host - ram->host) & (PAGE_SIZE - 1));
    uint64_t granules = MASK64((offset + len - 1) >> 6, offset >> 6);
    uint8_t *page = host - offset;
    if (__atomic_load_n(&ram_page(ram, page)->code, __ATOMIC_RELAXED) & granules) {
        leave(cpu); /* others would see their code change */
    }
    if (trial_wrote(t, page)) {
        return;
    }
    if (t->num_pages == MAX_PAGES) {
        leave(cpu);
    }
    if (t->num_pages == t->pages->len) {
        g_ptr_array_add(t->pages, g_new(TrialPage, 1));
    }
    TrialPage *p = g_ptr_array_index(t->pages, t->num_pages++);
    p->host = page;
    memcpy(p->before, page, PAGE_SIZE);
}

/* The processor has a TLB of its own and may not walk at all, or earlier: A and D are left to it. */
static bool on_walk_sets(X86Cpu *cpu, uint8_t *host, uint64_t value, bool wide)
{
    Trial *t = trial_of(cpu);
    if (!t->live_walks && t->num_entries < TRIAL_ENTRIES) {
        t->entries[t->num_entries++] = (TrialEntry){.host = host, .value = value, .wide = wide};
    }
    return t->live_walks;
}

static const struct CpuTrial trial_ops = {.write = on_write, .outside = on_outside, .walk_sets = on_walk_sets};

static void on_ferr(void *opaque)
{
    leave(opaque);
}

/* ---- running ---- */

static bool undefined(const Insn *i)
{
    return i->fn == exec_ud_fn || i->fn == exec_gp0_fn; /* they have no row */
}

static bool repeats(const Insn *i)
{
    return !undefined(i) && (insn_row(i)->attr & A_REP) && (i->flags & (INSN_REP | INSN_REPNE));
}

/* A REP that writes more than a trial can take back. */
static bool writes_much(const X86Cpu *cpu, const Insn *i)
{
    return repeats(i) && (insn_row(i)->attr & A_STORE) &&
           (cpu->r[RCX] & asize_mask[i->asize]) > (MAX_PAGES - 2) * PAGE_SIZE >> i->osize;
}

/* May the next instruction be tried?  Otherwise end tells why not. */
static bool may_try(Trial *t, const Insn *i)
{
    if (t->row_kind[i->row] == KIND_OUTSIDE || is_cr8(i) || writes_much(t->cpu, i)) {
        t->end = TRIAL_OUTSIDE;
        return false;
    }
    if (insn_row(i)->flags_read & t->undef) {
        t->end = TRIAL_UNKNOWN;
        return false;
    }
    return true;
}

static void note_flags(Trial *t, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    if (t->row_kind[i->row] != KIND_SHIFT) {
        t->undef &= ~row->flags_written;
    }
    t->undef |= row->flags_undef;
}

static void run_insn(Trial *t, const Insn *i)
{
    X86Cpu *cpu = t->cpu;
    gva_t start = cpu->rip;
    for (unsigned turns = 0;; turns++) {
        cpu->insn = i;
        cpu->insn_rip = start;
        cpu->rip = start + i->len;
        cpu->break_block = false;
        i->fn(cpu, i);
        if (cpu->rip != start || !repeats(i)) {
            break;
        }
        if (turns == MAX_TURNS) {
            leave(cpu);
        }
    }
    if (repeats(i)) {
        cpu->eflags &= ~(uint32_t)FL_RF; /* set where it paused */
    }
    if (!undefined(i)) {
        note_flags(t, i);
    }
}

bool trial_must_look(const X86Cpu *cpu)
{
    return cpu->halted || cpu->wait_sipi || cpu->shadow == SHADOW_SS || (cpu->eflags & FL_TF) || cpu->pending_db ||
           debug_any_armed(cpu) || !jit_mode_ok(cpu);
}

static void run(Trial *t, const Insn *insns, unsigned num, bool to_the_end)
{
    X86Cpu *cpu = t->cpu;
    for (const Insn *i = insns; i < insns + num; i++) {
        gva_t start = cpu->rip;
        if (!undefined(i) && !may_try(t, i)) {
            return;
        }
        run_insn(t, i);
        t->done++;
        if (cpu->rip != start + i->len || (cpu->break_block && (!to_the_end || trial_must_look(cpu)))) {
            return;
        }
    }
}

void trial_start(Trial *t)
{
    memcpy(t->cpu, t->before, STATE_SIZE);
    t->cpu->break_block = false;
    t->end = TRIAL_DONE;
    t->done = 0;
    t->undef = 0;
    t->num_pages = 0;
    if (!t->live_walks) {
        t->num_entries = 0;
    }
}

void trial_run(Trial *t, const Insn *insns, unsigned num, unsigned most, bool to_the_end)
{
    trial_start(t);
    if (_setjmp(t->cpu->unwind) == 0) {
        run(t, insns, MIN(num, most), to_the_end);
    } else if (t->end != TRIAL_OUTSIDE) {
        t->end = TRIAL_RAISED;
    }
}

bool trial_go_on(Trial *t, const Insn *insns, unsigned num)
{
    if (_setjmp(t->cpu->unwind) == 0) {
        unsigned before = t->done;
        run(t, insns, num, true);
        return t->end == TRIAL_DONE && t->done != before;
    }
    if (t->end != TRIAL_OUTSIDE) {
        t->end = TRIAL_RAISED;
    }
    return false;
}

void trial_run_rep(Trial *t, const Insn *rep, const X86Cpu *real)
{
    X86Cpu *cpu = t->cpu;
    gva_t start = cpu->rip;
    uint64_t mask = asize_mask[rep->asize], left = real->r[RCX] & mask;
    cpu->r[RCX] = (cpu->r[RCX] & ~mask) | (((cpu->r[RCX] & mask) - left) & mask);
    t->end = TRIAL_DONE;
    if (_setjmp(cpu->unwind) == 0) {
        run(t, rep, 1, true);
    } else if (t->end != TRIAL_OUTSIDE) {
        t->end = TRIAL_RAISED;
    }
    cpu->r[RCX] |= left;
    cpu->rip = start;
}

void trial_begin(Trial *t, const X86Cpu *real)
{
    memcpy(t->before, real, STATE_SIZE);
    t->cpu->features = real->features;
    t->cpu->apic_id = real->apic_id;
    t->cpu->apic = real->apic;
    t->cpu->apic_opaque = real->apic_opaque;
}

/* Pages that the trial read from, as far as there is room. */
static void note_visited(Trial *t)
{
    const X86Cpu *cpu = t->cpu;
    t->num_visited = 0;
    for (unsigned log = 0; log < 2; log++) {
        for (unsigned n = 0; n < MIN(cpu->tlb_logged[log], TLB_LOG) && t->num_visited < TRIAL_VISITED; n++) {
            unsigned code = cpu->tlb_log[log][n];
            const TlbEntry *e = &cpu->tlb[code >> TLB_BITS][code & (TLB_SIZE - 1)];
            if ((e->meta & 1) && !(e->rtag & ~PAGE_MASK)) {
                t->visited[t->num_visited++] = e->rtag;
            }
        }
    }
}

void trial_undo(Trial *t)
{
    note_visited(t);
    for (unsigned n = 0; n < t->num_pages; n++) {
        TrialPage *p = g_ptr_array_index(t->pages, n);
        memcpy(p->after, p->host, PAGE_SIZE);
        memcpy(p->host, p->before, PAGE_SIZE);
    }
    tlb_flush_all(t->cpu); /* the next trial walks the page tables again, and asks again before it writes */
}

void trial_restore(const Trial *t, X86Cpu *real)
{
    memcpy(real, t->before, STATE_SIZE);
    for (unsigned n = 0; n < t->num_pages; n++) {
        const TrialPage *p = g_ptr_array_index(t->pages, n);
        memcpy(p->host, p->before, PAGE_SIZE);
    }
    for (unsigned n = 0; n < t->num_entries; n++) {
        memcpy(t->entries[n].host, &t->entries[n].value, t->entries[n].wide ? 8 : 4);
    }
}

/* Is this place in RAM another one than the page tables give for the address? */
static bool stale(const X86Cpu *real, gva_t lin, const uint8_t *host)
{
    const Ram *ram = real->machine->ram;
    gpa_t phys;
    return ram_owns(ram, host) &&
           (!mmu_debug_translate(real, lin, &phys) || (phys < ram->size && phys < GIB && ram->host + phys != host));
}

static bool page_stale(const X86Cpu *real, unsigned mode, gva_t page)
{
    const TlbEntry *e = &real->tlb[mode][(page >> PAGE_SHIFT) & (TLB_SIZE - 1)];
    if (e->rtag == page && stale(real, page, (const uint8_t *)(e->addend + page))) {
        return true;
    }
    for (unsigned n = 0; n < 2 * PAGE_SLOTS; n++) {
        const PageSlot *slot = &real->slot[mode][n / PAGE_SLOTS][n % PAGE_SLOTS];
        if (slot->limit && (slot->page ^ page) < PAGE_SIZE && stale(real, slot->page, (const uint8_t *)slot->host)) {
            return true;
        }
    }
    return false;
}

bool trial_stale(const Trial *t, const X86Cpu *real)
{
    unsigned mode = t->before->mem_mode;
    if (t->end == TRIAL_RAISED && t->cpu->exc.vector == EXC_PF) {
        gva_t page = t->cpu->exc.cr2 & PAGE_MASK;
        return real->tlb[mode][(page >> 12) & (TLB_SIZE - 1)].rtag == page;
    }
    for (unsigned n = 0; n < t->num_visited; n++) {
        for (unsigned m = 0; m < NUM_MEM_MODES; m++) {
            if (page_stale(real, m, t->visited[n])) {
                return true;
            }
        }
    }
    return false;
}

/* ---- life ---- */

Trial *trial_new(const X86Cpu *real)
{
    Trial *t = g_new0(Trial, 1);
    t->before = g_aligned_alloc0(1, sizeof(X86Cpu), 64);
    t->cpu = cpu_new(real->machine, real->index, real->model);
    t->cpu->engine = t;
    t->cpu->trial = &trial_ops;
    t->cpu->attention = true;
    t->cpu->ferr = on_ferr;
    t->cpu->ferr_opaque = t->cpu;
    t->pages = g_ptr_array_new_with_free_func(g_free);
    t->row_kind = row_kinds();
    return t;
}

void trial_free(Trial *t)
{
    if (t) {
        g_ptr_array_free(t->pages, TRUE);
        g_free((void *)(uintptr_t)t->row_kind);
        cpu_free(t->cpu);
        g_aligned_free(t->before);
        g_free(t);
    }
}
