/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softmmu/core/exclusive: threads that stand for vCPUs, with devices, sections and look-ups, all at once. */
#include "softmmu/core/exclusive.h"

#include "softmmu/core/runstate.h"
#include "softmmu/core/space.h"

#define NUM_VCPUS 3
#define ROUNDS 30000

typedef struct World {
    MachineLock *lock;
    AddressSpace *space;
    Region a, b;
    uint64_t under_lock;   /* guarded by the machine lock, not atomic */
    uint64_t in_section;   /* changed only in exclusive sections, read by vCPUs in guest code without a lock */
    int inside;            /* vCPUs in guest code; atomic */
} World;

typedef struct Vcpu {
    World *w;
    VcpuGate gate;
    bool kicked;
    unsigned n;
} Vcpu;

static uint64_t count_read(void *opaque, uint64_t offset, unsigned size)
{
    World *w = opaque;
    g_assert_true(machine_locked(w->lock));
    return ++w->under_lock & 0xff;
}

static const RegionOps count_ops = {.read = count_read};

static void enter(Vcpu *v)
{
    gate_enter(&v->gate);
    __atomic_fetch_add(&v->w->inside, 1, __ATOMIC_SEQ_CST);
}

static void leave(Vcpu *v)
{
    __atomic_fetch_sub(&v->w->inside, 1, __ATOMIC_SEQ_CST);
    gate_leave(&v->gate);
}

/* In guest code: look things up, access a device, now and then stop the others. */
static void guest_step(Vcpu *v, unsigned i)
{
    World *w = v->w;
    FlatRange r;
    uint64_t before = w->in_section;
    g_assert_true(space_lookup(w->space, 0x100, &r)); /* either of the two, never a hole or a half */
    g_assert_true(r.region == &w->a || r.region == &w->b);
    g_assert_cmpuint(w->in_section, ==, before);
    if (i % 3 == 0) {
        __atomic_fetch_sub(&w->inside, 1, __ATOMIC_SEQ_CST); /* it may wait for the machine lock */
        space_read(w->space, 0x100, 1);
        __atomic_fetch_add(&w->inside, 1, __ATOMIC_SEQ_CST);
    }
    if (i % 50 == v->n) {
        __atomic_fetch_sub(&w->inside, 1, __ATOMIC_SEQ_CST);
        exclusive_begin(w->lock);
        g_assert_cmpint(__atomic_load_n(&w->inside, __ATOMIC_SEQ_CST), ==, 0);
        exclusive_begin(w->lock); /* nests */
        w->in_section++;
        exclusive_end(w->lock);
        g_assert_cmpint(__atomic_load_n(&w->inside, __ATOMIC_SEQ_CST), ==, 0);
        if (i % 100 == v->n) {
            space_read(w->space, 0x100, 1); /* the machine lock inside a section: may let others in, may not hang */
        }
        exclusive_end(w->lock);
        __atomic_fetch_add(&w->inside, 1, __ATOMIC_SEQ_CST);
    }
}

static void *run_vcpu(void *opaque)
{
    Vcpu *v = opaque;
    gate_register(v->w->lock, &v->gate);
    enter(v);
    for (unsigned i = 0; i < ROUNDS; i++) {
        guest_step(v, i);
        if (exclusive_pending(v->w->lock) || __atomic_exchange_n(&v->kicked, false, __ATOMIC_ACQ_REL)) {
            leave(v);
            enter(v);
        }
    }
    leave(v);
    gate_unregister(&v->gate);
    return NULL;
}

/* The main thread's part: the map changes under the machine lock. */
static void change_map(World *w, Mapping *top, unsigned i)
{
    machine_lock(w->lock);
    machine_lock(w->lock); /* recursive */
    space_set_enabled(w->space, top, i & 1);
    w->under_lock++;
    machine_unlock(w->lock);
    g_assert_true(machine_locked(w->lock));
    machine_unlock(w->lock);
    g_assert_false(machine_locked(w->lock));
}

static void test_storm(void)
{
    World w = {.lock = machine_lock_new(), .space = space_new("test", 52)};
    space_set_lock(w.space, w.lock);
    region_init_io(&w.a, "a", 0x1000, &count_ops, &w);
    region_init_io(&w.b, "b", 0x1000, &count_ops, &w);
    space_map_whole(w.space, 0, &w.a);
    Mapping *top = space_map(w.space, 0, &w.b, 0, 0x1000, 1);

    Vcpu v[NUM_VCPUS] = {0};
    GThread *threads[NUM_VCPUS];
    for (unsigned i = 0; i < NUM_VCPUS; i++) {
        v[i].w = &w;
        v[i].n = i;
        v[i].gate.kick_flag = &v[i].kicked;
        threads[i] = g_thread_new("vcpu", run_vcpu, &v[i]);
    }
    for (unsigned i = 0; i < 500; i++) {
        change_map(&w, top, i);
    }
    for (unsigned i = 0; i < NUM_VCPUS; i++) {
        g_thread_join(threads[i]);
    }
    uint64_t sections = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        sections += i % 50 < NUM_VCPUS;
    }
    g_assert_cmpuint(w.in_section, ==, sections);
    g_assert_cmpuint(w.under_lock, >=, 500 + NUM_VCPUS * (ROUNDS / 3));
    g_assert_false(exclusive_pending(w.lock));
    space_free(w.space);
    machine_lock_free(w.lock);
}

static void wake(void *opaque)
{
    ++*(int *)opaque;
}

static void test_runstate(void)
{
    RunControl *rc = run_control_new();
    RunRequests rq;
    int woken = 0;
    run_control_set_notify(rc, wake, &woken);
    g_assert_cmpint(run_state(rc), ==, RUN_PRELAUNCH);
    g_assert_false(run_take_requests(rc, &rq));
    run_request_reset(rc, CAUSE_GUEST_RESET);
    g_assert_true(run_take_requests(rc, &rq));
    g_assert_true(rq.reset && !rq.exit);
    g_assert_cmpint(rq.cause, ==, CAUSE_GUEST_RESET);
    run_request_exit(rc, CAUSE_DEBUG_EXIT, 33);
    run_request_exit(rc, CAUSE_HOST_QUIT, 0); /* the first cause wins */
    run_request_stop(rc);
    run_request_cont(rc); /* of these two the last */
    g_assert_cmpint(woken, ==, 5);
    g_assert_true(run_take_requests(rc, &rq));
    g_assert_true(rq.exit && rq.cont && !rq.stop);
    g_assert_cmpint(rq.cause, ==, CAUSE_DEBUG_EXIT);
    g_assert_cmpint(rq.code, ==, 33);
    g_assert_false(run_take_requests(rc, &rq));
    run_set_state(rc, RUN_PAUSED);
    g_assert_cmpstr(run_state_name(run_state(rc)), ==, "paused");
    run_control_free(rc);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/exclusive/storm", test_storm);
    g_test_add_func("/runstate/requests", test_runstate);
    return g_test_run();
}
