/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A debugger's breakpoints, watchpoints and steps, on every engine: the same stops, and nothing of them in the guest. */
#include "target/x86/stops.h"

#include <string.h>

#include "target/x86/debug.h"
#include "target/x86/segment.h"
#include "tests/unit/engines.h"

enum { CODE = 0x1000, DATA = 0x2000, FAR_DATA = 0x5ffe, STACK = 0x8000, DB_HANDLER = 0x1800, DB_COUNT = 0x3000 };
enum { WAIT_US = 20000000 };

/* Real mode. */
static const uint8_t loop_code[] = {
    0xff, 0x06, 0x00, 0x20,       /* 1000: inc word [0x2000] */
    0xa1, 0x00, 0x20,             /* 1004: mov ax, [0x2000] */
    0x90,                         /* 1007: nop */
    0x9c,                         /* 1008: pushf */
    0x5b,                         /* 1009: pop bx */
    0xc7, 0x06, 0xff, 0x5f, 1, 2, /* 100a: mov word [0x5fff], 0x201: over the end of a page */
    0xeb, 0xee,                   /* 1010: jmp 1000 */
};
enum { AT_INC = 0x1000, AT_MOV = 0x1004, AT_NOP = 0x1007, AT_PUSHF = 0x1008, AT_POP = 0x1009, AT_CROSS = 0x100a, AT_JMP = 0x1010 };

/* inc word [DB_COUNT]; iret */
static const uint8_t db_code[] = {0xff, 0x06, 0x00, 0x30, 0xcf};

typedef struct Rig {
    Machine *m;
    CpuModel *model;
    X86Cpu *cpu;
    Region ram;
    Stops *stops;
    /* the last stop */
    StopKind kind;
    gva_t lin;
    unsigned hits; /* atomic */
} Rig;

static void on_hit(void *opaque, X86Cpu *cpu, StopKind kind, gva_t lin)
{
    Rig *r = opaque;
    g_assert_true(cpu == r->cpu);
    g_assert_true(cpu_current() == cpu);
    r->kind = kind;
    r->lin = lin;
    __atomic_fetch_add(&r->hits, 1, __ATOMIC_SEQ_CST);
}

static Rig *rig_new(const char *engine)
{
    GError *error = NULL;
    Rig *r = g_new0(Rig, 1);
    r->m = machine_new(1 * MIB, NULL);
    r->model = cpu_model_parse("qemu64", NULL);
    r->cpu = cpu_new(r->m, 0, r->model);
    r->m->cpus = g_new0(X86Cpu *, 1);
    r->m->cpus[0] = r->cpu;
    r->m->num_cpus = 1;
    r->ram = (Region){.name = "ram", .kind = REGION_RAM, .size = r->m->ram->size, .host = r->m->ram->host};
    machine_lock(r->m->lock);
    space_map_whole(r->m->memory, 0, &r->ram);
    uint8_t *host = r->m->ram->host;
    memcpy(host + CODE, loop_code, sizeof(loop_code));
    memcpy(host + DB_HANDLER, db_code, sizeof(db_code));
    memcpy(host + EXC_DB * 4, "\x00\x18\x00\x00", 4);
    seg_load_cache(r->cpu, SEG_CS, 0, 0, 0xffff, SEG_P | SEG_S | SEG_CODE | SEG_READ | SEG_ACCESSED);
    r->cpu->rip = CODE;
    r->cpu->r[RSP] = STACK;
    const AccelOps *ops = accel_find(engine);
    r->m->accel = ops->create(r->m, strcmp(engine, "kvm") == 0 ? "kernel-irqchip=off" : NULL, &error);
    g_assert_no_error(error);
    g_assert_true(ops->vcpu_create(r->m->accel, r->cpu, &error));
    r->stops = stops_new(r->m, on_hit, r);
    return r;
}

static void rig_free(Rig *r)
{
    stops_free(r->stops);
    g_assert_null(r->cpu->stops);
    machine_unlock(r->m->lock);
    r->m->accel->ops->destroy(r->m->accel);
    machine_free_with(r->m, r->cpu, r->model);
    g_free(r);
}

/* Let it run until it stops by itself.  False when it does not within `us`. */
static bool run_for(Rig *r, int64_t us)
{
    RunRequests asked = {0};
    unsigned before = r->hits;
    r->m->accel->ops->resume(r->m->accel);
    machine_unlock(r->m->lock);
    for (int64_t end = g_get_monotonic_time() + us; g_get_monotonic_time() < end; g_usleep(100)) {
        if (run_take_requests(r->m->run, &asked)) {
            break;
        }
    }
    machine_lock(r->m->lock);
    r->m->accel->ops->pause(r->m->accel);
    g_assert_cmpuint(__atomic_load_n(&r->hits, __ATOMIC_SEQ_CST) - before, ==, asked.stop);
    return asked.stop;
}

static void expect(Rig *r, StopKind kind, gva_t lin, uint16_t ip)
{
    g_assert_true(run_for(r, WAIT_US));
    g_assert_cmpuint(r->kind, ==, kind);
    if (kind != STOP_STEP) {
        g_assert_cmphex(r->lin, ==, lin);
    }
    g_assert_cmphex(r->cpu->rip, ==, ip);
}

static uint16_t word(const Rig *r, unsigned addr)
{
    uint16_t v;
    memcpy(&v, r->m->ram->host + addr, 2);
    return v;
}

static void insert(Rig *r, StopKind kind, gva_t lin, uint32_t len)
{
    GError *error = NULL;
    stops_insert(r->stops, (StopPoint){kind, lin, len}, &error);
    g_assert_no_error(error);
}

static void drop(Rig *r, StopKind kind, gva_t lin, uint32_t len)
{
    g_assert_true(stops_remove(r->stops, (StopPoint){kind, lin, len}));
}

/* ---- the tests: opaque is the engine's name ---- */

static void test_exec(gconstpointer engine)
{
    Rig *r = rig_new(engine);
    g_assert_false(run_for(r, 20000)); /* code that was run before must stop, too */
    insert(r, STOP_EXEC, AT_NOP, 1);
    for (unsigned n = 0; n < 3; n++) {
        expect(r, STOP_EXEC, AT_NOP, AT_NOP);
        uint16_t count = word(r, DATA);
        expect(r, STOP_EXEC, AT_NOP, AT_NOP); /* it stands on the point */
        g_assert_cmpuint(word(r, DATA), ==, count);
        stops_step(r->cpu, true);
        expect(r, STOP_STEP, 0, AT_PUSHF);
        stops_step(r->cpu, false);
        expect(r, STOP_EXEC, AT_NOP, AT_NOP); /* once around */
        g_assert_cmpuint(word(r, DATA), ==, (uint16_t)(count + 1));
        stops_step(r->cpu, true);
        expect(r, STOP_STEP, 0, AT_PUSHF);
        stops_step(r->cpu, false);
    }
    insert(r, STOP_EXEC, AT_POP, 1);
    expect(r, STOP_EXEC, AT_POP, AT_POP);
    drop(r, STOP_EXEC, AT_POP, 1);
    expect(r, STOP_EXEC, AT_NOP, AT_NOP);
    drop(r, STOP_EXEC, AT_NOP, 1);
    uint16_t count = word(r, DATA);
    g_assert_false(run_for(r, 50000));
    g_assert_cmpuint(word(r, DATA), !=, count); /* it runs */
    g_assert_false(stops_remove(r->stops, (StopPoint){STOP_EXEC, AT_NOP, 1}));
    rig_free(r);
}

static void test_data(gconstpointer engine)
{
    Rig *r = rig_new(engine);
    g_assert_false(run_for(r, 20000));
    insert(r, STOP_WRITE, DATA, 2);
    if (strcmp(engine, "kvm") == 0 && !run_for(r, 1000000)) {
        g_test_skip("the host's KVM emulates, without watchpoints");
        rig_free(r);
        return;
    }
    uint16_t count = word(r, DATA);
    for (unsigned n = 1; n < 4; n++) {
        expect(r, STOP_WRITE, DATA, AT_MOV);
        g_assert_cmpuint(word(r, DATA), ==, (uint16_t)(count + n));
        if (n == 1) {
            count = word(r, DATA) - 1; /* the first time round it may have stood anywhere */
        }
    }
    drop(r, STOP_WRITE, DATA, 2);
    insert(r, STOP_ACCESS, DATA + 1, 1);
    expect(r, STOP_ACCESS, DATA + 1, AT_NOP); /* the read of both bytes */
    expect(r, STOP_ACCESS, DATA + 1, AT_MOV); /* the write */
    expect(r, STOP_ACCESS, DATA + 1, AT_NOP);
    drop(r, STOP_ACCESS, DATA + 1, 1);
    insert(r, STOP_WRITE, FAR_DATA + 2, 1); /* the second half of a store over the end of a page */
    expect(r, STOP_WRITE, FAR_DATA + 2, AT_JMP);
    drop(r, STOP_WRITE, FAR_DATA + 2, 1);
    insert(r, STOP_WRITE, DATA + 2, 2); /* beside what is written */
    g_assert_false(run_for(r, 50000));
    rig_free(r);
}

static void test_steps(gconstpointer engine)
{
    static const uint16_t around[] = {AT_INC, AT_MOV, AT_NOP, AT_PUSHF, AT_POP, AT_CROSS, AT_JMP};
    Rig *r = rig_new(engine);
    stops_step(r->cpu, true);
    for (unsigned n = 1; n < 30; n++) {
        expect(r, STOP_STEP, 0, around[n % ARRAY_LEN(around)]);
    }
    g_assert_cmphex(r->cpu->r[RBX] & 0xffff, ==, 2); /* no TF in what the guest saw of its flags */
    g_assert_cmpuint(word(r, DB_COUNT), ==, 0);
    /* a watchpoint says more than a step */
    insert(r, STOP_WRITE, DATA, 2);
    while (r->cpu->rip != AT_INC) {
        g_assert_true(run_for(r, WAIT_US));
    }
    expect(r, STOP_WRITE, DATA, AT_MOV);
    drop(r, STOP_WRITE, DATA, 2);
    /* another engine's work is not disturbed afterwards */
    stops_step(r->cpu, false);
    g_assert_false(run_for(r, 20000));
    rig_free(r);
}

/* The guest steps itself: its handler counts each of its instructions, under our points and steps as without. */
static void test_guest_tf(gconstpointer engine)
{
    Rig *r = rig_new(engine);
    r->cpu->eflags |= FL_TF;
    stops_step(r->cpu, true);
    expect(r, STOP_STEP, 0, DB_HANDLER);     /* inc, and its trap */
    expect(r, STOP_STEP, 0, DB_HANDLER + 4); /* in the handler TF is off */
    expect(r, STOP_STEP, 0, AT_MOV);
    g_assert_cmpuint(word(r, DB_COUNT), ==, 1);
    g_assert_cmphex(r->cpu->dr6 & DR6_BS, ==, DR6_BS);
    stops_step(r->cpu, false);
    insert(r, STOP_EXEC, AT_NOP, 1);
    expect(r, STOP_EXEC, AT_NOP, AT_NOP);
    g_assert_cmpuint(word(r, DB_COUNT), ==, 2);
    insert(r, STOP_EXEC, AT_JMP, 1);
    drop(r, STOP_EXEC, AT_NOP, 1);
    expect(r, STOP_EXEC, AT_JMP, AT_JMP);
    g_assert_cmpuint(word(r, DB_COUNT), ==, 6); /* nop, pushf, pop, mov */
    g_assert_cmphex(r->cpu->r[RBX] & FL_TF, ==, FL_TF); /* its own, which it may see */
    rig_free(r);
}

/* The guest's own breakpoint, while our steps and points are elsewhere. */
static void test_guest_dr(gconstpointer engine)
{
    bool kvm = strcmp(engine, "kvm") == 0;
    Rig *r = rig_new(engine);
    r->cpu->dr[0] = AT_POP;
    r->cpu->dr7 = DR7_FIXED | 2;
    stops_step(r->cpu, true);
    while (r->cpu->rip != AT_POP) {
        g_assert_true(run_for(r, WAIT_US));
    }
    expect(r, STOP_STEP, 0, DB_HANDLER);
    g_assert_cmphex(r->cpu->dr6 & 15, ==, 1);
    stops_step(r->cpu, false);
    r->m->ram->host[DB_HANDLER + 4] = 0xf4; /* halt there: IRET would come back to it, with RF clear */
    if (!kvm) { /* there the processor has one set of debug registers, and it is ours */
        insert(r, STOP_WRITE, DATA, 2);
        r->cpu->rip = AT_CROSS;
        r->cpu->dr6 = DR6_FIXED;
        expect(r, STOP_WRITE, DATA, AT_MOV);
        g_assert_false(run_for(r, 50000));
        g_assert_cmphex(r->cpu->dr6 & 15, ==, 1);
    } else {
        r->cpu->rip = AT_CROSS;
        r->cpu->dr6 = DR6_FIXED;
        g_assert_false(run_for(r, 50000));
        g_assert_cmphex(r->cpu->dr6 & 15, ==, 1);
    }
    g_assert_true(r->cpu->halted);
    g_assert_cmphex(r->cpu->dr[0], ==, AT_POP);
    rig_free(r);
}

/* What an engine cannot have it refuses, and keeps what it had. */
static void test_limits(gconstpointer engine)
{
    bool kvm = strcmp(engine, "kvm") == 0;
    Rig *r = rig_new(engine);
    GError *error = NULL;
    insert(r, STOP_EXEC, AT_NOP, 1);
    g_assert_cmpint(stops_insert(r->stops, (StopPoint){STOP_WRITE, DATA + 0x101, 2}, &error), ==, !kvm);
    g_assert_cmpint(error != NULL, ==, kvm);
    g_clear_error(&error);
    for (unsigned n = 0; n < 8; n++) {
        bool ok = stops_insert(r->stops, (StopPoint){STOP_EXEC, 0x7000 + n, 1}, &error);
        g_assert_cmpint(ok, ==, !kvm || n < 3);
        g_assert_cmpint(error != NULL, ==, !ok);
        g_clear_error(&error);
    }
    expect(r, STOP_EXEC, AT_NOP, AT_NOP);
    rig_free(r);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        GTestDataFunc run;
    } tests[] = {{"stops/exec", test_exec},         {"stops/data", test_data},
                 {"stops/steps", test_steps},       {"stops/guest_tf", test_guest_tf},
                 {"stops/guest_dr", test_guest_dr}, {"stops/limits", test_limits}};
    g_test_init(&argc, &argv, NULL);
    for (size_t n = 0; n < ARRAY_LEN(tests); n++) {
        engines_add_test(tests[n].name, tests[n].run);
    }
    return g_test_run();
}
