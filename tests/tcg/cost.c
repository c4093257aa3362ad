/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the translation of code that a compiler made costs: decodes and translates corpus.hex, which is this program's
 * decoder and page walker as GCC 12 made them, and counts the instructions that the host needs for some of it, one at a
 * time.  The bounds are a little above what it was when they were last looked at: who needs more has made the first run of
 * all code slower.  With a second argument so many instructions are translated, and nothing is counted: for a profiler.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/interp/interp.h"
#include "tcg/internal.h"
#include "tests/cpu/silicon.h"

enum { LAST = BLOCK_MAX_INSNS * 15 }; /* the longest block */
enum { MOST_STEPS = 2300, MOST_BYTES = 14 };

typedef struct Cost {
    Jit *jit;
    const FeatureSet *features;
    Insn *insns_at;      /* where instructions are decoded to */
    uint8_t *code;
    size_t size, at;     /* bytes of code; where the next block begins */
    unsigned insns;
} Cost;

/* The next block, as the run loop makes them. */
static void one_block(Cost *c)
{
    Insn *insns = c->insns_at;
    const uint8_t *bytes = c->code + c->at;
    unsigned num = 0, at = 0;
    DecodeStatus status = DECODE_OK;
    while (num < BLOCK_MAX_INSNS && status == DECODE_OK) {
        Insn *i = &insns[num++];
        status = insn_decode(i, bytes + at, 15, 2, c->features);
        i->at = (uint16_t)at;
        at += i->len;
        if (status == DECODE_OK && (insn_row(i)->attr & A_END)) {
            break;
        }
    }
    gva_t rip = 0x401000 + c->at;
    JitSource source = {.insns = insns, .num = num, .rip = rip, .lin = rip, .mode = jit_mode(c->jit->cpu), .loops = true,
                        .num_pages = 1, .pages = {{.itlb_id = 1}}};
    JitCode code;
    g_assert_true(jit_translate(c->jit, &source, &code));
    c->at += at;
    c->insns += num;
}

static void some(Cost *c, unsigned insns)
{
    for (c->insns = 0; c->insns < insns;) {
        one_block(c);
        if (c->at + LAST > c->size) {
            c->at = 0;
        }
    }
}

/* ---- counting ---- */

static volatile sig_atomic_t steps; /* a signal handler's, which has no argument for it */

static void on_step(int signal)
{
    steps++;
}

/* The trap flag: each instruction is followed by SIGTRAP.  What is below the stack pointer may be in use. */
static void trap_each(bool on)
{
    if (on) {
        __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; orl $0x100, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::: "memory", "cc");
    } else {
        __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; andl $~0x100, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::: "memory", "cc");
    }
}

enum { WARM = 2000, COUNTED = 40 };

static double count(Cost *c)
{
    struct sigaction trap = {.sa_handler = on_step};
    sigaction(SIGTRAP, &trap, NULL);
    some(c, WARM);
    trap_each(true);
    some(c, COUNTED);
    trap_each(false);
    return (double)steps / c->insns;
}

static bool within(const char *what, double is, double most)
{
    printf("%s: %.1f, at most %.0f\n", what, is, most);
    return is <= most;
}

/* ---- */

/* Hexadecimal digits, in lines. */
static void read_code(Cost *c, const char *path)
{
    GError *error = NULL;
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, &error)) {
        g_error("%s", error->message);
    }
    c->code = g_malloc(strlen(text) / 2);
    for (const char *p = text; *p; p += 2) {
        p += *p == '\n';
        if (*p) {
            c->code[c->size++] = (uint8_t)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
        }
    }
}

static Cost start(Engine *e, const FeatureSet *features, const char *path)
{
    GError *error = NULL;
    Case c = {.code_size = 2, .ip = CODE_BASE};
    c.fx.mxcsr = 0x1f80;
    c.fx.fcw = 0x37f;
    engine_load(e, &c);
    Cost cost = {.jit = jit_new(engine_cpu(e), 8 * MIB, NULL, &error), .features = features,
                 .insns_at = g_new0(Insn, BLOCK_MAX_INSNS)};
    if (!cost.jit) {
        g_error("%s", error->message);
    }
    read_code(&cost, path);
    return cost;
}

int main(int argc, char **argv)
{
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    fprintf(stderr, "skipped: the bounds are for optimized code\n");
    return 77;
#endif
    GError *error = NULL;
    FeatureSet features;
    memset(&features, 0xff, sizeof(features));
    if (!insn_table_init(&error)) {
        g_error("%s", error->message);
    }
    Engine *e = engine_start(&features);
    Cost c = start(e, &features, argv[1]);
    const JitStats *s = jit_stats(c.jit);
    if (argc > 2) {
        some(&c, (unsigned)strtoul(argv[2], NULL, 0));
        return 0;
    }
    bool ok = within("host instructions to decode and translate one", count(&c), MOST_STEPS);
    ok &= within("bytes of host code for a guest's byte", (double)s->host_bytes / (double)s->guest_bytes, MOST_BYTES);
    jit_free(c.jit);
    g_free(c.insns_at);
    g_free(c.code);
    engine_stop(e);
    return !ok;
}
