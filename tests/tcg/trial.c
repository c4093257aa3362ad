/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check=on from the inside: trials leave nothing behind, and a comparison sees every kind of difference. */
#include <string.h>

#include "accel/interp/interp.h"
#include "accel/interp/step.h"
#include "accel/tcg/check.h"
#include "accel/tcg/compare.h"
#include "accel/tcg/trial.h"
#include "softmmu/core/machine.h"
#include "target/x86/flags.h"
#include "target/x86/fpu.h"
#include "tcg/jit.h"
#include "tests/cpu/silicon.h"

static FeatureSet features;

typedef struct Fixture {
    Engine *engine;
    X86Cpu *cpu;
    Trial *trial;
    Insn insns[16];
    unsigned num;
} Fixture;

static void start(Fixture *f, const uint8_t *bytes, unsigned len)
{
    Case c = {.code_size = 2, .ip = CODE_BASE + 0x400, .len = (uint8_t)len};
    c.fx.mxcsr = 0x1f80;
    c.fx.fcw = 0x37f;
    memcpy(c.bytes, bytes, len);
    c.r[RBX] = DATA_BASE + 0x100;
    c.r[RSP] = STACK_BASE + 0x800;
    f->engine = engine_start(&features);
    f->cpu = engine_cpu(f->engine);
    engine_memory_reset(f->engine, 7);
    engine_load(f->engine, &c);
    f->num = 0;
    for (unsigned at = 0; at < len; at += f->insns[f->num++].len) {
        insn_decode(&f->insns[f->num], bytes + at, len - at, 2, &features);
    }
    f->trial = trial_new(f->cpu);
    trial_begin(f->trial, f->cpu);
}

static void end(Fixture *f)
{
    trial_free(f->trial);
    engine_stop(f->engine);
}

static void try(Fixture *f)
{
    trial_run(f->trial, f->insns, f->num, f->num, false);
    trial_undo(f->trial);
}

/* The processor itself, by the interpreter: where the translator would run. */
static void run_real(Fixture *f)
{
    for (unsigned n = 0; n < f->num; n++) {
        g_assert_true(interp_step_one(f->cpu));
    }
}

static bool same(Fixture *f, const char *word)
{
    g_autoptr(GString) why = g_string_new(NULL);
    bool states = compare_states(f->trial, f->cpu, false, why), memory = compare_memory(f->trial, why);
    g_assert_true((states && memory) == (why->len == 0));
    if (word) {
        g_assert_nonnull(strstr(why->str, word));
    }
    return states && memory;
}

#define START(f, ...)                                                                                                  \
    static const uint8_t code[] = {__VA_ARGS__};                                                                       \
    start(f, code, sizeof(code))

static void test_undone(void)
{
    Fixture f;
    START(&f, 0x48, 0x83, 0x03, 0x05 /* add qword [rbx], 5 */, 0x53 /* push rbx */, 0xff, 0xc0 /* inc eax */);
    uint64_t before, after, stack;
    memcpy(&before, engine_memory(f.engine, DATA_BASE + 0x100), 8);
    memcpy(&stack, engine_memory(f.engine, STACK_BASE + 0x7f8), 8);
    try(&f);
    g_assert_cmpint(f.trial->end, ==, TRIAL_DONE);
    g_assert_cmpuint(f.trial->done, ==, 3);
    g_assert_cmpuint(f.trial->num_pages, ==, 2);
    memcpy(&after, engine_memory(f.engine, DATA_BASE + 0x100), 8);
    g_assert_cmphex(after, ==, before);
    g_assert_cmphex(f.cpu->r[RAX], ==, 0);
    g_assert_cmphex(f.trial->cpu->r[RAX], ==, 1);
    run_real(&f);
    memcpy(&after, engine_memory(f.engine, DATA_BASE + 0x100), 8);
    g_assert_cmphex(after, ==, before + 5);
    g_assert_true(same(&f, NULL));
    end(&f);
}

static void test_differences(void)
{
    Fixture f;
    START(&f, 0x48, 0x83, 0x03, 0x05 /* add qword [rbx], 5 */);
    try(&f);
    run_real(&f);
    g_assert_true(same(&f, NULL));
    f.cpu->r[R13] ^= 1;
    g_assert_false(same(&f, "r[13]"));
    f.cpu->r[R13] ^= 1;
    f.cpu->rip++;
    g_assert_false(same(&f, "rip"));
    f.cpu->rip--;
    f.cpu->v[15].b[31] ^= 1;
    g_assert_false(same(&f, "v[15]"));
    f.cpu->v[15].b[31] ^= 1;
    f.cpu->mxcsr ^= 1;
    g_assert_false(same(&f, "mxcsr"));
    f.cpu->mxcsr ^= 1;
    f.cpu->fpu.r[3].se ^= 1;
    g_assert_false(same(&f, "x87 register 3"));
    f.cpu->fpu.r[3].se ^= 1;
    f.cpu->seg[SEG_FS].base ^= 1;
    g_assert_false(same(&f, "fs"));
    f.cpu->seg[SEG_FS].base ^= 1;
    f.cpu->eflags ^= FL_DF;
    g_assert_false(same(&f, "eflags"));
    f.cpu->eflags ^= FL_DF;
    flags_set(f.cpu, cpu_eflags(f.cpu) ^ FL_AF);
    g_assert_false(same(&f, "eflags"));
    flags_set(f.cpu, cpu_eflags(f.cpu) ^ FL_AF);
    engine_memory(f.engine, DATA_BASE + 0x900)[0] ^= 1; /* elsewhere in the page it wrote */
    g_assert_false(same(&f, "memory"));
    engine_memory(f.engine, DATA_BASE + 0x900)[0] ^= 1;
    g_assert_true(same(&f, NULL));
    end(&f);
}

static void test_undefined_flags(void)
{
    Fixture f;
    START(&f, 0x0f, 0xbc, 0xc3 /* bsf eax, ebx */, 0x9f /* lahf */);
    try(&f); /* it stops where flags nobody defined are read */
    g_assert_cmpint(f.trial->end, ==, TRIAL_UNKNOWN);
    g_assert_cmpuint(f.trial->done, ==, 1);
    g_assert_true(interp_step_one(f.cpu));
    flags_set(f.cpu, cpu_eflags(f.cpu) ^ FL_CF);
    g_assert_true(same(&f, NULL));
    flags_set(f.cpu, cpu_eflags(f.cpu) ^ FL_ZF);
    g_assert_false(same(&f, "eflags"));
    end(&f);
}

static void test_outside(void)
{
    Fixture f;
    START(&f, 0xff, 0xc0 /* inc eax */, 0x0f, 0x31 /* rdtsc */);
    try(&f);
    g_assert_cmpint(f.trial->end, ==, TRIAL_OUTSIDE);
    g_assert_cmpuint(f.trial->done, ==, 1);
    end(&f);
}

static void test_fault(void)
{
    Fixture f;
    START(&f, 0xff, 0xc0 /* inc eax */, 0x48, 0x89, 0x04, 0x25, 0, 0, 0, 0x40 /* mov [0x40000000], rax */);
    try(&f);
    g_assert_cmpint(f.trial->end, ==, TRIAL_RAISED);
    g_assert_cmpuint(f.trial->done, ==, 1);
    g_assert_true(interp_step_one(f.cpu));
    g_assert_false(interp_step_one(f.cpu));
    g_autoptr(GString) why = g_string_new(NULL);
    g_assert_true(compare_states(f.trial, f.cpu, true, why));
    g_assert_false(compare_states(f.trial, f.cpu, false, why));
    f.cpu->exc.cr2 ^= 1;
    g_assert_false(compare_states(f.trial, f.cpu, true, why));
    g_assert_nonnull(strstr(why->str, "fault: interpreter vector 14"));
    end(&f);
}

/* The processor paused in the middle of a REP: the trial runs as many iterations. */
static void test_rep(void)
{
    Fixture f;
    START(&f, 0xf3, 0xab /* rep stosd */);
    f.cpu->r[RDI] = DATA_BASE;
    f.cpu->r[RCX] = 100;
    trial_begin(f.trial, f.cpu);
    try(&f);
    g_assert_cmphex(f.trial->cpu->r[RCX], ==, 0);
    memset(engine_memory(f.engine, DATA_BASE), 0, 40);
    f.cpu->r[RDI] += 40;
    f.cpu->r[RCX] -= 10;
    trial_run(f.trial, f.insns, 1, 0, true);
    trial_run_rep(f.trial, f.insns, f.cpu);
    trial_undo(f.trial);
    g_assert_true(same(&f, NULL));
    f.cpu->r[RCX]--;
    g_assert_false(same(&f, "r[1]"));
    end(&f);
}

/* ---- chains of blocks ---- */

typedef struct Saboteur {
    unsigned calls, at; /* handlers called, and the one before which a register changes; 0: none */
} Saboteur;

static void sabotage(X86Cpu *cpu, void *opaque)
{
    Saboteur *s = opaque;
    cpu->r[R13] ^= ++s->calls == s->at;
}

/* A loop with instructions that handlers do, until it faults at its end.  Did the machine end by a fault of its own? */
static bool runs_apart(unsigned at, char **info)
{
    Fixture f;
    START(&f, 0xb9, 0x28, 0, 0, 0 /* mov ecx, 40 */, 0xc8, 0, 0, 0 /* enter */, 0xc9 /* leave */, 0xff, 0xc9 /* dec ecx */,
          0x75, 0xf7 /* jnz */, 0xf4 /* hlt */);
    GError *error = NULL;
    InterpVcpu v = {.cpu = f.cpu, .cache = block_cache_new(4 << 20, f.cpu->machine->ram)};
    v.cache->jit = jit_new(f.cpu, 1 << 20, v.cache->changed, &error);
    g_assert_no_error(error);
    v.check = check_new(&v, 16);
    Saboteur s = {.at = at};
    jit_set_slow_hook(v.cache->jit, sabotage, &s);
    RunRequests asked = {.exit = false};
    if (_setjmp(f.cpu->unwind) == 0) {
        while (!run_take_requests(f.cpu->machine->run, &asked) && translated_run(&v)) {
            __atomic_store_n(&f.cpu->attention, false, __ATOMIC_RELAXED);
        }
    }
    g_assert_true(at || s.calls >= 40);
    g_autoptr(GString) text = g_string_new(NULL);
    check_info(v.check, text);
    *info = g_strdup(text->str);
    check_free(v.check);
    block_cache_free(v.cache);
    end(&f);
    return asked.exit && asked.cause == CAUSE_OWN_FAULT;
}

static void test_chain(void)
{
    g_autofree char *info = NULL;
    g_assert_false(runs_apart(0, &info));
    g_assert_null(strstr(info, ", 0 chains"));
    for (unsigned at = 5; at < 40; at += 6) { /* in one chain or another */
        g_autofree char *other = NULL;
        g_assert_true(runs_apart(at, &other));
    }
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    g_test_init(&argc, &argv, NULL);
    if (!insn_table_init(&error)) {
        g_error("%s", error->message);
    }
    memset(&features, 0xff, sizeof(features));
    g_test_add_func("/trial/undone", test_undone);
    g_test_add_func("/trial/differences", test_differences);
    g_test_add_func("/trial/undefined-flags", test_undefined_flags);
    g_test_add_func("/trial/outside", test_outside);
    g_test_add_func("/trial/fault", test_fault);
    g_test_add_func("/trial/rep", test_rep);
    g_test_add_func("/check/chain", test_chain);
    return g_test_run();
}
