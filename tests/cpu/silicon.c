/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver of the comparison with silicon: batches, comparing, coverage, reproducers. */
#include "tests/cpu/silicon.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "softmmu/core/ram.h"

typedef struct Options {
    uint64_t count, seed, case_seed;
    const char *name; /* only rows of this mnemonic */
    int row;          /* only this row, or -1 */
    bool one;         /* a single case: case_seed */
    bool list;
    unsigned max_reports;
} Options;

typedef struct Tally {
    uint64_t *run, *done, *wrong; /* by row: cases, those that completed without a fault, differences */
    uint64_t cases, differences;
    unsigned reported;
} Tally;

/* ---- comparing ---- */

static bool same_fx(const FxImage *a, const FxImage *b, GString *why)
{
    bool same = true;
    if (a->fcw != b->fcw || a->fsw != b->fsw || a->ftw != b->ftw) {
        g_string_append_printf(why, "  fcw %04x/%04x fsw %04x/%04x ftw %02x/%02x\n", a->fcw, b->fcw, a->fsw, b->fsw,
                               a->ftw, b->ftw);
        same = false;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (a->st[i].mant != b->st[i].mant || a->st[i].se != b->st[i].se) {
            g_string_append_printf(why, "  st%u %04x:%016" PRIx64 " / %04x:%016" PRIx64 "\n", i, a->st[i].se,
                                   a->st[i].mant, b->st[i].se, b->st[i].mant);
            same = false;
        }
    }
    if (a->mxcsr != b->mxcsr) {
        g_string_append_printf(why, "  mxcsr %08x / %08x\n", a->mxcsr, b->mxcsr);
        same = false;
    }
    for (unsigned i = 0; i < 16; i++) {
        if (memcmp(a->xmm[i], b->xmm[i], 16) != 0) {
            g_string_append_printf(why, "  xmm%u %016" PRIx64 "%016" PRIx64 " / %016" PRIx64 "%016" PRIx64 "\n", i,
                                   a->xmm[i][1], a->xmm[i][0], b->xmm[i][1], b->xmm[i][0]);
            same = false;
        }
        if (memcmp(a->ymm[i], b->ymm[i], 16) != 0) {
            g_string_append_printf(why, "  ymm%u upper %016" PRIx64 "%016" PRIx64 " / %016" PRIx64 "%016" PRIx64 "\n", i,
                                   a->ymm[i][1], a->ymm[i][0], b->ymm[i][1], b->ymm[i][0]);
            same = false;
        }
    }
    return same;
}

/* A native branch ends in the trap (or the fault) of the place it went to: that is where it went. */
static void normalise_landing(Outcome *native, const Outcome *engine)
{
    if (engine->vector != -1 || native->vector == -1) {
        return;
    }
    if (native->vector == EXC_BP) {
        native->rip--;
    } else if (!(native->vector == EXC_PF && native->cr2 == native->rip) &&
               !(native->vector == EXC_GP && native->rip == engine->rip)) {
        return;
    }
    native->vector = -1;
    native->error = 0;
    native->cr2 = 0;
}

/* What the host's kernel adds to a page fault: Linux reports addresses of its own half as present. */
static void normalise_fault(Outcome *native, const Outcome *engine)
{
    if (native->vector == EXC_PF && engine->vector == EXC_PF && native->cr2 >= 0x7ffffffff000ull) {
        native->error &= ~(uint32_t)PF_P;
    }
}

/* native first, engine second in every line. */
static bool same_outcome(const Case *c, Outcome *n, Outcome *e, GString *why)
{
    const InsnRow *row = &insn_rows[c->row];
    bool same = true;
    normalise_landing(n, e);
    normalise_fault(n, e);
    if (n->vector != e->vector || n->error != e->error || n->cr2 != e->cr2) {
        g_string_append_printf(why, "  vector %d/%d error %x/%x cr2 %" PRIx64 "/%" PRIx64 "\n", n->vector, e->vector,
                               n->error, e->error, n->cr2, e->cr2);
        same = false;
    }
    if (n->rip != e->rip) {
        g_string_append_printf(why, "  rip %" PRIx64 " / %" PRIx64 "\n", n->rip, e->rip);
        same = false;
    }
    uint64_t mask = c->code_size == 2 ? ~0ull : 0xffffffffull;
    for (unsigned i = 0; i < (c->code_size == 2 ? 16u : 8u); i++) {
        if ((n->r[i] ^ e->r[i]) & mask) {
            g_string_append_printf(why, "  r%u %016" PRIx64 " / %016" PRIx64 "\n", i, n->r[i], e->r[i]);
            same = false;
        }
    }
    uint32_t flags = (FL_OSZAPC | FL_DF) & ~(n->vector == -1 ? row->flags_undef : 0);
    if ((n->flags ^ e->flags) & flags) {
        g_string_append_printf(why, "  flags %03x / %03x (differ %03x)\n", n->flags & 0xfff, e->flags & 0xfff,
                               (n->flags ^ e->flags) & flags);
        same = false;
    }
    if (n->mem_hash != e->mem_hash) {
        g_string_append(why, "  memory differs\n");
        same = false;
    }
    return same_fx(&n->fx, &e->fx, why) && same;
}

static void report(const Case *c, uint64_t case_seed, const char *why, const Options *o, Tally *t)
{
    const InsnRow *row = &insn_rows[c->row];
    t->differences++;
    t->wrong[c->row]++;
    if (t->reported >= o->max_reports) {
        return;
    }
    t->reported++;
    printf("DIFFERENCE row %u %s %s (%u-bit):", c->row, row->name, row->operands, c->code_size == 2 ? 64 : 32);
    for (unsigned i = 0; i < c->len; i++) {
        printf(" %02x", c->bytes[i]);
    }
    printf("\n  flags in %03x, fcw %04x fsw %04x mxcsr %04x\n%s  reproduce: silicon --row %u --case %#" PRIx64 "\n",
           c->flags & 0xfff, c->fx.fcw, c->fx.fsw, c->fx.mxcsr, why, c->row, case_seed);
}

/* ---- running ---- */

static bool row_chosen(unsigned row, const Options *o, const FeatureSet *features)
{
    const InsnRow *r = &insn_rows[row];
    return row_runs_in_user_mode(r) && !(r->attr & A_NODIFF) &&
           feature_in(features, r->feature) && (o->row < 0 || (unsigned)o->row == row) &&
           (!o->name || strcmp(o->name, r->name) == 0);
}

/* One case was run and nothing is in flight: where memory differs. */
static void report_memory(Native *n, Engine *e)
{
    static const uint32_t bases[2] = {DATA_BASE, STACK_BASE}, sizes[2] = {DATA_SIZE, STACK_SIZE};
    for (unsigned area = 0; area < 2; area++) {
        for (uint32_t at = bases[area]; at < bases[area] + sizes[area]; at += 8) {
            uint64_t theirs, mine;
            native_peek(n, at, &theirs, 8);
            memcpy(&mine, engine_memory(e, at), 8);
            if (theirs != mine) {
                printf("  [%08x] %016" PRIx64 " / %016" PRIx64 "\n", at, theirs, mine);
            }
        }
    }
}

static void compare_batch(Engine *e, const Case *cases, const uint64_t *seeds, const Outcome *native, unsigned count,
                          const Options *o, Tally *t, bool *resync)
{
    for (unsigned i = 0; i < count; i++) {
        Outcome mine, theirs = native[i];
        engine_run(e, &cases[i], &mine);
        t->cases++;
        t->run[cases[i].row]++;
        t->done[cases[i].row] += mine.vector == -1;
        g_autoptr(GString) why = g_string_new(NULL);
        if (!same_outcome(&cases[i], &theirs, &mine, why)) {
            report(&cases[i], seeds[i], why->str, o, t);
            if (theirs.mem_hash != mine.mem_hash) {
                *resync = true; /* the rest of the batch would differ for this reason alone */
                return;
            }
        }
    }
}

typedef struct Plan {
    unsigned *rows;
    unsigned num_rows, next;
    Rng rng;
} Plan;

static unsigned make_batch(Plan *p, const Options *o, Case *cases, uint64_t *seeds, uint64_t left)
{
    unsigned count = 0;
    while (count < BATCH && count < left) {
        unsigned row = p->rows[p->next++ % p->num_rows];
        seeds[count] = o->one ? o->case_seed : rng_next(&p->rng);
        Rng rng;
        rng_seed(&rng, seeds[count]);
        if (case_generate(&cases[count], row, &rng)) {
            count++;
        }
    }
    return count;
}

static int run(const Options *o, const FeatureSet *features, Tally *t)
{
    const char *why_not = NULL;
    Native *n = native_start(&why_not);
    if (!n) {
        printf("SKIP: %s\n", why_not);
        return 77;
    }
    Engine *e = engine_start(features);
    Plan plan = {.rows = g_new0(unsigned, insn_num_rows)};
    for (unsigned r = 0; r < insn_num_rows; r++) {
        if (row_chosen(r, o, features)) {
            plan.rows[plan.num_rows++] = r;
        }
    }
    if (plan.num_rows == 0) {
        fprintf(stderr, "silicon: no row that user mode can run is chosen\n");
        return 2;
    }
    rng_seed(&plan.rng, o->seed);
    static Case cases[2][BATCH];
    static uint64_t seeds[2][BATCH];
    unsigned counts[2];
    uint64_t made = 0, turn = 0;
    uint64_t memory_seed = o->seed + 1;
    native_memory_reset(n, memory_seed);
    engine_memory_reset(e, memory_seed);
    counts[0] = make_batch(&plan, o, cases[0], seeds[0], o->count);
    made += counts[0];
    native_submit(n, cases[0], counts[0]);
    int status = 0;
    while (counts[turn & 1]) {
        unsigned this = turn & 1, other = this ^ 1;
        bool resync = false;
        counts[other] = make_batch(&plan, o, cases[other], seeds[other], o->count - made);
        made += counts[other];
        if (counts[other]) {
            native_submit(n, cases[other], counts[other]);
        }
        const Outcome *native = native_wait(n);
        if (!native) {
            status = 1;
            break;
        }
        compare_batch(e, cases[this], seeds[this], native, counts[this], o, t, &resync);
        if (o->one && t->differences) {
            report_memory(n, e);
        }
        if (resync) {
            /* Memory went apart: what is in flight is thrown away and both start again from the same bytes. */
            if (counts[other]) {
                native_wait(n);
            }
            memory_seed++;
            native_memory_reset(n, memory_seed);
            engine_memory_reset(e, memory_seed);
            counts[other] = make_batch(&plan, o, cases[other], seeds[other], o->count - MIN(made, o->count));
            made += counts[other];
            if (counts[other]) {
                native_submit(n, cases[other], counts[other]);
            }
        }
        turn++;
    }
    native_stop(n);
    engine_stop(e);
    g_free(plan.rows);
    return status;
}

static unsigned report_coverage(const Options *o, const FeatureSet *features, const Tally *t)
{
    unsigned covered = 0, eligible = 0, system = 0, other = 0;
    for (unsigned r = 0; r < insn_num_rows; r++) {
        const InsnRow *row = &insn_rows[r];
        if (!feature_in(features, row->feature)) {
            other++;
        } else if (!row_runs_in_user_mode(row) || (row->attr & A_NODIFF)) {
            system++;
        } else {
            eligible++;
            covered += t->run[r] != 0;
            if (o->list) {
                printf("row %4u %-12s %-16s %8" PRIu64 " cases %8" PRIu64 " completed\n", r, row->name, row->operands,
                       t->run[r], t->done[r]);
            }
        }
    }
    for (unsigned r = 0; r < insn_num_rows; r++) {
        if (t->wrong[r]) {
            printf("row %4u %-12s %-16s %8" PRIu64 " of %" PRIu64 " differ\n", r, insn_rows[r].name,
                   insn_rows[r].operands, t->wrong[r], t->run[r]);
        }
    }
    printf("%u of %u rows that user mode can run are covered; %u system rows, %u the host or the engine lacks\n", covered,
           eligible, system, other);
    return eligible - covered;
}

static void usage(FILE *out)
{
    fputs("usage: silicon [--count N] [--seed N] [--name MNEMONIC] [--row N [--case SEED]] [--reports N] [--list]\n"
          "Runs random cases of every instruction on this CPU and in the interpreter and compares.\n"
          "  --count N     cases (default 200000)\n"
          "  --seed N      of the run (default: the time)\n"
          "  --name M      only rows of this mnemonic\n"
          "  --row N       only this row; with --case SEED exactly one case: a reproducer\n"
          "  --reports N   differences printed in full (default 20)\n"
          "  --list        cases by row\n", out);
}

static bool parse(int argc, char **argv, Options *o)
{
    *o = (Options){.count = 200000, .seed = (uint64_t)time(NULL), .row = -1, .max_reports = 20};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--list")) {
            o->list = true;
            continue;
        }
        if (!value) {
            return false;
        }
        if (!strcmp(argv[i], "--count")) {
            o->count = strtoull(value, NULL, 0);
        } else if (!strcmp(argv[i], "--seed")) {
            o->seed = strtoull(value, NULL, 0);
        } else if (!strcmp(argv[i], "--case")) {
            o->case_seed = strtoull(value, NULL, 0);
            o->one = true;
        } else if (!strcmp(argv[i], "--row")) {
            o->row = atoi(value);
        } else if (!strcmp(argv[i], "--name")) {
            o->name = value;
        } else if (!strcmp(argv[i], "--reports")) {
            o->max_reports = (unsigned)strtoul(value, NULL, 0);
        } else {
            return false;
        }
        i++;
    }
    if (o->one) {
        o->count = 1;
    }
    return true;
}

int main(int argc, char **argv)
{
    Options o;
    GError *error = NULL;
    if (!parse(argc, argv, &o)) {
        usage(stderr);
        return 2;
    }
    if (!insn_table_init(&error)) {
        fprintf(stderr, "silicon: %s\n", error->message);
        return 2;
    }
    FeatureSet features;
    native_features(&features);
    Tally t = {.run = g_new0(uint64_t, insn_num_rows), .done = g_new0(uint64_t, insn_num_rows),
               .wrong = g_new0(uint64_t, insn_num_rows)};
    printf("seed %" PRIu64 "\n", o.seed);
    int status = run(&o, &features, &t);
    if (status == 0) {
        unsigned missing = o.row < 0 && !o.name ? report_coverage(&o, &features, &t) : 0;
        printf("%" PRIu64 " cases, %" PRIu64 " differences\n", t.cases, t.differences);
        status = t.differences != 0 || missing != 0;
    }
    g_free(t.run);
    g_free(t.done);
    g_free(t.wrong);
    return status;
}
