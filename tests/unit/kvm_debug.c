/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A debugger's points over the test KVM; tests/unit/stops.c has them on real engines. */
#include "target/x86/debug.h"
#include "target/x86/stops.h"
#include "tests/unit/kvm_rig.h"

typedef struct Seen {
    unsigned hits;
    StopKind kind;
    gva_t lin;
} Seen;

static void on_hit(void *opaque, X86Cpu *cpu, StopKind kind, gva_t lin)
{
    Seen *seen = opaque;
    seen->hits++;
    seen->kind = kind;
    seen->lin = lin;
}

static int debug_exit(struct kvm_run *run, uint32_t exception, uint64_t dr6)
{
    run->exit_reason = KVM_EXIT_DEBUG;
    run->debug.arch = (struct kvm_debug_exit_arch){.exception = exception, .pc = CODE, .dr6 = dr6 | DR6_FIXED};
    return 0;
}

static int exit_second_point(Fake *f, struct kvm_run *run)
{
    return debug_exit(run, EXC_DB, 2);
}

static int exit_single_step(Fake *f, struct kvm_run *run)
{
    return debug_exit(run, EXC_DB, DR6_BS);
}

static int exit_int3(Fake *f, struct kvm_run *run)
{
    return debug_exit(run, EXC_BP, 0);
}

typedef struct Debugged {
    Rig *r;
    Stops *stops;
    Seen seen;
} Debugged;

static void begin(Debugged *d, FakeExit *const *script, unsigned lacks)
{
    *d = (Debugged){.r = rig_new(script)};
    d->r->fake.lacks = lacks;
    d->r->fake.script = NULL;
    g_assert_true(rig_start(d->r, NULL));
    kvm_accel_ops.pause(d->r->accel);
    d->r->fake.script = script;
    d->stops = stops_new(d->r->m, on_hit, &d->seen);
}

static void end(Debugged *d)
{
    stops_free(d->stops);
    rig_free(d->r);
}

static RunRequests go(Debugged *d)
{
    __atomic_store_n(&d->r->fake.done, false, __ATOMIC_SEQ_CST);
    kvm_accel_ops.resume(d->r->accel);
    RunRequests asked = rig_wait(d->r);
    kvm_accel_ops.pause(d->r->accel);
    return asked;
}

static void test_registers(void)
{
    static FakeExit *const script[] = {exit_second_point, NULL};
    Debugged d;
    begin(&d, script, 0);
    Fake *f = &d.r->fake;
    g_assert_true(stops_insert(d.stops, (StopPoint){STOP_EXEC, 0x1234, 1}, NULL));
    g_assert_true(stops_insert(d.stops, (StopPoint){STOP_WRITE, 0x2000, 8}, NULL));
    g_assert_true(stops_insert(d.stops, (StopPoint){STOP_ACCESS, 0x3004, 4}, NULL));
    g_assert_true(stops_insert(d.stops, (StopPoint){STOP_WRITE, 0x4002, 2}, NULL));
    g_assert_true(go(&d).stop);
    g_assert_cmphex(f->debug.control, ==, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP);
    g_assert_cmphex(f->debug.arch.debugreg[0], ==, 0x1234);
    g_assert_cmphex(f->debug.arch.debugreg[3], ==, 0x4002);
    g_assert_cmphex(f->debug.arch.debugreg[7], ==, 0x400 | 0xaa | 0x5f900000ull); /* SDM vol 3 figure 17-1 */
    g_assert_cmpuint(d.seen.hits, ==, 1);
    g_assert_cmpuint(d.seen.kind, ==, STOP_WRITE);
    g_assert_cmphex(d.seen.lin, ==, 0x2000);
    unsigned sets = f->debug_sets;
    g_assert_false(go(&d).stop); /* nothing changed, nothing is told; the script has ended */
    g_assert_cmpuint(f->debug_sets, ==, sets);
    g_assert_true(stops_remove(d.stops, (StopPoint){STOP_EXEC, 0x1234, 1}));
    g_assert_false(go(&d).stop);
    g_assert_cmphex(f->debug.arch.debugreg[0], ==, 0x2000);
    end(&d);
}

static void test_none_left(void)
{
    Debugged d;
    begin(&d, NULL, 0);
    g_assert_true(stops_insert(d.stops, (StopPoint){STOP_EXEC, 0x1234, 1}, NULL));
    go(&d);
    g_assert_cmphex(d.r->fake.debug.control, !=, 0);
    g_assert_true(stops_remove(d.stops, (StopPoint){STOP_EXEC, 0x1234, 1}));
    go(&d);
    g_assert_cmphex(d.r->fake.debug.control, ==, 0);
    end(&d);
}

/* The guest's own #DB: delivered to it, whether we have points or not. */
static void guests_own(FakeExit *const *script, bool point)
{
    Debugged d;
    begin(&d, script, 0);
    d.r->m->ram->host[EXC_DB * 4 + 1] = 0x18; /* its handler: 0000:1800 */
    d.r->cpu->r[RSP] = 0x8000;
    if (point) {
        g_assert_true(stops_insert(d.stops, (StopPoint){STOP_EXEC, 0x1234, 1}, NULL));
    }
    g_assert_false(go(&d).stop);
    g_assert_cmpuint(d.seen.hits, ==, 0);
    g_assert_cmphex(d.r->cpu->rip, ==, 0x1800);
    end(&d);
}

static void test_guests_own(void)
{
    static FakeExit *const step[] = {exit_single_step, NULL}, *const point[] = {exit_second_point, NULL};
    guests_own(step, false);
    guests_own(step, true);
    guests_own(point, true); /* of a number that we have not */
}

static void test_not_ours(void)
{
    static FakeExit *const script[] = {exit_int3, NULL};
    Debugged d;
    begin(&d, script, 0);
    g_assert_true(go(&d).stop);
    g_assert_cmpuint(d.seen.hits, ==, 0); /* given up, with a message */
    end(&d);
}

static void test_refused(void)
{
    GError *error = NULL;
    Debugged d;
    begin(&d, NULL, KVM_CAP_SET_GUEST_DEBUG);
    g_assert_false(stops_insert(d.stops, (StopPoint){STOP_EXEC, 0x1234, 1}, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    g_assert_false(go(&d).stop);
    g_assert_cmpuint(d.r->fake.debug_sets, ==, 0);
    end(&d);
    /* the ioctl fails: no run without the breakpoint */
    begin(&d, NULL, 0);
    d.r->fake.refuse_debug = true;
    g_assert_true(stops_insert(d.stops, (StopPoint){STOP_EXEC, 0x1234, 1}, NULL));
    g_assert_true(go(&d).stop);
    g_assert_cmpuint(d.seen.hits, ==, 0);
    end(&d);
}

/* Steps need nothing of KVM: inc eax; nop; then what KVM could not do. */
static void test_steps(void)
{
    Debugged d;
    begin(&d, NULL, KVM_CAP_SET_GUEST_DEBUG);
    stops_step(d.r->cpu, true);
    for (unsigned n = 1; n <= 2; n++) {
        g_assert_true(go(&d).stop);
        g_assert_cmpuint(d.seen.hits, ==, n);
        g_assert_cmpuint(d.seen.kind, ==, STOP_STEP);
        g_assert_cmphex(d.r->cpu->rip, ==, CODE + n);
    }
    /* a sleeping processor has nothing to step */
    d.r->cpu->halted = true;
    stops_step(d.r->cpu, true);
    kvm_accel_ops.resume(d.r->accel);
    machine_unlock(d.r->m->lock);
    g_usleep(20000);
    machine_lock(d.r->m->lock);
    kvm_accel_ops.pause(d.r->accel);
    g_assert_cmpuint(d.seen.hits, ==, 2);
    end(&d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/debug/registers", test_registers);
    g_test_add_func("/kvm/debug/none_left", test_none_left);
    g_test_add_func("/kvm/debug/guests_own", test_guests_own);
    g_test_add_func("/kvm/debug/not_ours", test_not_ours);
    g_test_add_func("/kvm/debug/refused", test_refused);
    g_test_add_func("/kvm/debug/steps", test_steps);
    return g_test_run();
}
