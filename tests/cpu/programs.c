/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random programs of several blocks, interpreted and translated: registers, flags, vectors, x87, memory and the fault they
 * end with must agree.  The translated side is the real one: blocks are fetched, connected, entered through the jump
 * cache and the stack of returns as in a machine; each program is run once cold, once warm, and now and then in disorder.
 * A program that differs is made small: instructions become NOPs while it still differs.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "accel/interp/interp.h"
#include "accel/interp/step.h"
#include "accel/tcg/chaos.h"
#include "softmmu/core/machine.h"
#include "target/x86/disas.h"
#include "target/x86/flags.h"
#include "target/x86/mem.h"
#include "tcg/jit.h"
#include "tests/cpu/arena.h"
#include "tests/cpu/program.h"
#include "tests/cpu/values.h"

enum { MAX_STEPS = 6000, MAX_REPAIRS = 60, MOST = 64, CODE_MEMORY = 2 << 20, SECONDS_A_PROGRAM = 20 };

typedef struct Rig {
    Engine *a, *b;          /* interpreted, translated */
    Arena *arena_a, *arena_b;
    InterpVcpu vcpu;        /* of b */
    Chaos *chaos;
    Mix mix[3];             /* by code size */
    bool has32;             /* is 32-bit code translated? */
    uint8_t data[DATA_SIZE], stack[STACK_SIZE]; /* memory before each program */
    uint64_t steps, repairs, refused; /* statistics */
} Rig;

typedef struct Options {
    uint64_t count, seed, one;
    unsigned most;
    const char *name;
} Options;

/* ---- the start ---- */

/* The code area; when it holds something else (cold: in any case), who has translated it hears of it. */
static void load_code(X86Cpu *cpu, uint8_t *code, const Program *p, bool cold)
{
    static uint8_t image[CODE_SIZE];
    uint32_t at = p->first.ip - (uint32_t)CODE_BASE;
    memset(image, 0xcc, sizeof(image));
    memcpy(image + at, p->bytes, p->len);
    if (cold || memcmp(code, image, CODE_SIZE) != 0) {
        memcpy(code, image, CODE_SIZE);
        ram_written(cpu->machine->ram, code, CODE_SIZE);
    }
}

static void load(Rig *rig, Engine *e, const Program *p, bool cold)
{
    X86Cpu *cpu = engine_cpu(e);
    fpu_sync(cpu);
    memcpy(engine_memory(e, DATA_BASE), rig->data, DATA_SIZE);
    memcpy(engine_memory(e, STACK_BASE), rig->stack, STACK_SIZE);
    arena_reset(e == rig->a ? rig->arena_a : rig->arena_b);
    engine_reset_control(e);
    engine_load(e, &p->first);
    for (unsigned m = 0; m < p->num_mem; m++) {
        memcpy(engine_memory(e, p->mem[m].addr), p->mem[m].bytes, p->mem[m].len);
    }
    load_code(cpu, engine_memory(e, CODE_BASE), p, cold);
    system_load(p, cpu);
    result_start_fpu(cpu);
}

/* One instruction, interpreted.  No interrupt waits for what it may hold back. */
static bool step(X86Cpu *cpu)
{
    cpu->shadow = 0;
    return interp_step_one(cpu);
}

/* ---- interpreted ---- */

typedef enum Verdict { GOOD, AGAIN /* the program has been changed: from the start */, REFUSED } Verdict;

/* How it goes so far. */
typedef struct Walk {
    uint32_t undef;   /* flags that nobody defines now */
    unsigned steps;
    uint8_t executed[PROGRAM_PARTS];
} Walk;

static bool is_shift(const InsnRow *row)
{
    return row->flags_written && (!strncmp(row->name, "sh", 2) || !strncmp(row->name, "sa", 2) ||
                                  !strncmp(row->name, "ro", 2) || !strncmp(row->name, "rc", 2));
}

/*
 * Does the instruction read what is undefined, or give what is different each time (RDSEED, which a jump into the middle of
 * another may find)?  Otherwise undef becomes what it is after it.
 */
static bool not_comparable(const Rig *rig, Walk *w)
{
    const X86Cpu *cpu = engine_cpu(rig->a);
    Insn i;
    uint64_t at = code_linear(cpu) - CODE_BASE;
    if (at >= CODE_SIZE || insn_decode(&i, engine_memory(rig->a, (uint32_t)(CODE_BASE + at)), (unsigned)MIN(15, CODE_SIZE - at),
                                       cpu->code_size, &cpu->features) != DECODE_OK) {
        return false;
    }
    const InsnRow *row = insn_row(&i);
    bool cpuid = strcmp(row->name, "cpuid") == 0; /* both are the same processor */
    if ((row->flags_read & w->undef) || ((row->attr & A_NODIFF) && !cpuid)) {
        return true;
    }
    w->undef = (is_shift(row) ? w->undef : w->undef & ~row->flags_written) | row->flags_undef;
    return false;
}

/*
 * What cannot be compared, or ends the program too soon, goes: an instruction becomes a NOP, and all goes on if it had
 * not been executed before.
 */
static Verdict repair(Program *p, Walk *w, uint8_t *code, uint64_t rip)
{
    const Part *part = program_part(p, rip);
    if (!part || part->end) {
        program_end_at(p, rip);
        return rip - p->start < p->len ? AGAIN : REFUSED;
    }
    program_blank(p, part);
    memcpy(code, p->bytes + part->at, part->len);
    return w->executed[part - p->parts] ? AGAIN : GOOD;
}

/* mend: NULL, or the seeds for what is to be mended. */
static Verdict interpret(Rig *rig, Program *p, Rng *mend, Result *out, uint32_t *undef)
{
    X86Cpu *cpu = engine_cpu(rig->a);
    Walk w = {0};
    load(rig, rig->a, p, false);
    for (;;) {
        uint64_t rip = cpu->rip;
        const Part *part = program_part(p, rip);
        bool late = w.steps++ > MAX_STEPS;
        *undef = w.undef;
        if (late || not_comparable(rig, &w)) {
            if (!mend) {
                return REFUSED;
            }
            rig->repairs++;
            if (late) {
                program_end_at(p, rip);
                return rip - p->start < p->len ? AGAIN : REFUSED;
            }
            if (repair(p, &w, engine_memory(rig->a, (uint32_t)(rip + p->setting.cs_base)), rip) == AGAIN) {
                return AGAIN;
            }
            continue;
        }
        if (step(cpu) && !cpu->halted) {
            if (part) {
                w.executed[part - p->parts] = 1;
            }
            continue;
        }
        if (!mend || cpu->halted || !part || part->end || chance(mend, part && w.executed[part - p->parts] ? 2 : 8)) {
            break;
        }
        rig->repairs++;
        w.undef = *undef;
        if (cpu->rip != rip || repair(p, &w, engine_memory(rig->a, (uint32_t)(rip + p->setting.cs_base)), rip) == AGAIN) {
            return AGAIN;
        }
    }
    rig->steps += w.steps;
    result_take(rig->a, cpu->halted, out);
    return GOOD;
}

/* ---- translated ---- */

/* Until it raises: false.  True: something is to be looked at, or (ran: false) interpreted. */
static bool run_translated(InterpVcpu *v, volatile bool *ran)
{
    X86Cpu *cpu = v->cpu;
    *ran = false;
    if (_setjmp(cpu->unwind) != 0) {
        cpu->rip = cpu->insn_rip;
        return false;
    }
    cpu->break_block = false;
    *ran = jit_mode_ok(cpu) && (!vcpu_must_step(cpu) || vcpu_steps_for_nothing(v)) && translated_run(v);
    return true;
}

static void translate(Rig *rig, const Program *p, bool cold, Result *out)
{
    X86Cpu *cpu = engine_cpu(rig->b);
    load(rig, rig->b, p, cold);
    volatile bool ran;
    do {
        __atomic_store_n(&cpu->attention, false, __ATOMIC_RELAXED);
    } while (run_translated(&rig->vcpu, &ran) && (ran || step(cpu)) && !cpu->halted);
    if (cpu->vec_live || host_mxcsr() != 0x1f80) {
        printf("left with the guest's vector state: %u, MXCSR %#x\n", cpu->vec_live, host_mxcsr());
        exit(1);
    }
    result_take(rig->b, cpu->halted, out);
}

static void set_chaos(Rig *rig, bool on)
{
    rig->vcpu.chaos = on ? rig->chaos : NULL;
    jit_set_slow_hook(rig->vcpu.cache->jit, on ? chaos_at_slow_path : NULL, rig->chaos);
}

enum { RUNS = 3 };
static const char *const run_names[RUNS] = {"cold", "warm", "in disorder"};

/* Is every translated run like the interpreted one? */
static bool agrees(Rig *rig, const Program *p, const Result *want, uint32_t undef, bool disorder, GString *why)
{
    for (unsigned n = 0; n < (disorder ? RUNS : RUNS - 1); n++) {
        Result got;
        set_chaos(rig, n == 2);
        translate(rig, p, n != 1, &got);
        g_autoptr(GString) text = g_string_new(NULL);
        bool same = result_same(want, &got, undef, text);
        if (!arena_same(rig->arena_a, rig->arena_b, text) || !same) {
            g_string_append_printf(why, " %s:\n%s", run_names[n], text->str);
            return false;
        }
    }
    return true;
}

/* ---- making it small ---- */

static bool differs(Rig *rig, Program *p)
{
    Result want;
    uint32_t undef;
    g_autoptr(GString) why = g_string_new(NULL);
    return interpret(rig, p, NULL, &want, &undef) == GOOD && !agrees(rig, p, &want, undef, true, why);
}

/* Blank whole stretches, then less and less. */
static void shrink(Rig *rig, Program *p)
{
    static Program less;
    for (unsigned stretch = p->num / 2; stretch > 0; stretch /= 2) {
        for (unsigned from = 0; from < p->num; from += stretch) {
            unsigned changed = 0;
            less = *p;
            for (unsigned n = from; n < MIN(from + stretch, p->num); n++) {
                if (!p->parts[n].end && !program_is_blank(p, &p->parts[n])) {
                    program_blank(&less, &p->parts[n]);
                    changed++;
                }
            }
            if (changed && differs(rig, &less)) {
                *p = less;
            }
        }
    }
}

static void report(Rig *rig, Program *p, uint64_t seed)
{
    g_autoptr(GString) text = g_string_new(NULL);
    Result want;
    uint32_t undef;
    shrink(rig, p);
    printf("DIFFERENCE (interpreted / translated) program seed %#" PRIx64 ", NOPs left out:\n", seed);
    for (unsigned n = 0; n < p->num; n++) {
        const Part *part = &p->parts[n];
        if (!program_is_blank(p, part) && !(part->end && n + 1 < p->num)) {
            disas_append(text, p->bytes + part->at, part->len, p->start + part->at, p->code_size);
        }
    }
    interpret(rig, p, NULL, &want, &undef);
    agrees(rig, p, &want, undef, true, text);
    printf("%s", text->str);
    for (unsigned r = 0; r < 16; r++) {
        printf("r%u=%" PRIx64 "%s", r, p->first.r[r], r % 4 == 3 ? "\n" : " ");
    }
    printf("flags=%x mxcsr=%x fcw=%x\n", p->first.flags, p->first.fx.mxcsr, p->first.fx.fcw);
}

/* ---- all of it ---- */

/* False when it differs. */
static bool try_program(Rig *rig, const Options *o, uint64_t seed)
{
    static Program p;
    Rng rng;
    Result want;
    uint32_t undef;
    rng_seed(&rng, seed);
    unsigned code_size = rig->has32 && chance(&rng, 3) ? 1 : 2;
    program_make(&p, &rig->mix[code_size], &rng, code_size, o->most);
    Verdict verdict = AGAIN;
    for (unsigned n = 0; verdict == AGAIN && n < MAX_REPAIRS; n++) {
        verdict = interpret(rig, &p, &rng, &want, &undef);
    }
    /* once more, for what was mended on the way */
    if (verdict != GOOD || interpret(rig, &p, NULL, &want, &undef) != GOOD) {
        rig->refused++;
        return true;
    }
    g_autoptr(GString) why = g_string_new(NULL);
    if (agrees(rig, &p, &want, undef, chance(&rng, 4), why)) {
        return true;
    }
    report(rig, &p, seed);
    return false;
}

static void rig_start(Rig *rig, const Options *o)
{
    GError *error = NULL;
    FeatureSet features;
    if (!insn_table_init(&error)) {
        g_error("%s", error->message);
    }
    native_features(&features);
    for (unsigned size = 1; size < ARRAY_LEN(rig->mix); size++) {
        mix_init(&rig->mix[size], o->name, size, true, &features);
    }
    rig->a = engine_start(&features);
    rig->b = engine_start(&features);
    rig->arena_a = arena_new(rig->a);
    rig->arena_b = arena_new(rig->b);
    engine_memory_reset(rig->a, 1);
    memcpy(rig->data, engine_memory(rig->a, DATA_BASE), DATA_SIZE);
    memcpy(rig->stack, engine_memory(rig->a, STACK_BASE), STACK_SIZE);
    X86Cpu *cpu = engine_cpu(rig->b);
    rig->vcpu = (InterpVcpu){.cpu = cpu, .cache = block_cache_new(2 * CODE_MEMORY, cpu->machine->ram)};
    rig->vcpu.cache->jit = jit_new(cpu, CODE_MEMORY, rig->vcpu.cache->changed, &error);
    if (!rig->vcpu.cache->jit) {
        g_error("%s", error->message);
    }
    rig->chaos = chaos_new(&rig->vcpu, 1);
    Case c = {.code_size = 1, .ip = (uint32_t)CODE_BASE};
    engine_load(rig->b, &c);
    rig->has32 = jit_mode_ok(cpu) && rig->mix[1].total;
}

static void rig_stop(Rig *rig)
{
    chaos_free(rig->chaos);
    block_cache_free(rig->vcpu.cache);
    engine_stop(rig->b);
    engine_stop(rig->a);
    arena_free(rig->arena_b);
    arena_free(rig->arena_a);
    mix_free(&rig->mix[1]);
    mix_free(&rig->mix[2]);
}

static volatile uint64_t current;

/* Translated code that never ends. */
static void on_timer(int sig)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "HANGS: program seed %#" PRIx64 " (%d)\n", current, sig);
    _exit(write(STDOUT_FILENO, text, (size_t)n) == n ? 1 : 3);
}

/* Of processor time: what else runs on the host does not count. */
static void set_timer(unsigned seconds)
{
    const struct itimerval t = {.it_value.tv_sec = seconds};
    setitimer(ITIMER_PROF, &t, NULL);
}

static bool parse(Options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--count")) {
            o->count = strtoull(value, NULL, 0);
        } else if (!strcmp(argv[i], "--seed")) {
            o->seed = strtoull(value, NULL, 0);
        } else if (!strcmp(argv[i], "--program")) {
            o->one = strtoull(value, NULL, 0);
            o->count = 1;
        } else if (!strcmp(argv[i], "--name")) {
            o->name = value;
        } else if (!strcmp(argv[i], "--most")) {
            o->most = (unsigned)CLAMP(strtoul(value, NULL, 0), 2, MOST);
        } else {
            fprintf(stderr, "usage: programs [--count N] [--seed N] [--program SEED] [--name MNEMONIC] [--most N]\n");
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    static Rig rig;
    Options o = {.count = 20000, .seed = (uint64_t)time(NULL), .most = MOST};
    if (!parse(&o, argc, argv)) {
        return 2;
    }
    rig_start(&rig, &o);
    if (rig.mix[2].total == 0) {
        fprintf(stderr, "programs: no row is chosen\n");
        return 2;
    }
    printf("seed %" PRIu64 ", %u rows of 64-bit code, %u of 32-bit code\n", o.seed, rig.mix[2].total,
           rig.has32 ? rig.mix[1].total : 0);
    signal(SIGPROF, on_timer);
    Rng seeds;
    rng_seed(&seeds, o.seed);
    unsigned differences = 0;
    for (uint64_t n = 0; n < o.count && differences < 12; n++) {
        current = o.one ? o.one : rng_next(&seeds);
        if (n % 64 == 0) {
            set_timer(SECONDS_A_PROGRAM);
        }
        differences += !try_program(&rig, &o, current);
    }
    const JitStats *stats = jit_stats(rig.vcpu.cache->jit);
    printf("%" PRIu64 " instructions, %" PRIu64 " repairs, %" PRIu64 " programs refused; %" PRIu64 " blocks, %" PRIu64
           " connected\n%u differences\n", rig.steps, rig.repairs, rig.refused, stats->blocks, stats->connected, differences);
    rig_stop(&rig);
    return differences != 0;
}
