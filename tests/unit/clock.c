/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/core/clock: manual and host clocks, order of timers, re-arming, notification, timers from other threads. */
#include "hw/core/clock.h"
#include "hw/core/host_ticks.h"

typedef struct Event {
    Clock *clock;
    Timer timer;
    int64_t period; /* 0: fire once */
    GArray *log;    /* int64_t: time of each firing */
    int id;
} Event;

static GArray *order; /* ids as they fire */

static void fired(void *opaque)
{
    Event *e = opaque;
    int64_t now = clock_now(e->clock);
    g_array_append_val(e->log, now);
    if (order) {
        g_array_append_val(order, e->id);
    }
    if (e->period) {
        timer_set(&e->timer, now + e->period);
    }
}

static void event_init(Event *e, Clock *clock, int id)
{
    *e = (Event){.clock = clock, .id = id, .log = g_array_new(false, false, sizeof(int64_t))};
    timer_init(&e->timer, clock, fired, e);
}

static void event_fini(Event *e)
{
    timer_fini(&e->timer);
    g_array_free(e->log, true);
}

#define FIRED(e, i) g_array_index((e).log, int64_t, i)

static void test_manual(void)
{
    Clock *clock = clock_new_manual();
    Event a, b;
    event_init(&a, clock, 1);
    event_init(&b, clock, 2);
    b.period = 100;
    g_assert_cmpint(clock_deadline(clock), ==, TIMER_OFF);
    timer_set(&a.timer, 250);
    timer_set(&b.timer, 100);
    g_assert_cmpint(clock_deadline(clock), ==, 100);
    clock_advance(clock, 99);
    g_assert_cmpuint(b.log->len, ==, 0);
    clock_advance(clock, 300); /* to 399: each timer sees its own deadline as now */
    g_assert_cmpuint(b.log->len, ==, 3);
    g_assert_cmpint(FIRED(b, 0), ==, 100);
    g_assert_cmpint(FIRED(b, 2), ==, 300);
    g_assert_cmpuint(a.log->len, ==, 1);
    g_assert_cmpint(FIRED(a, 0), ==, 250);
    g_assert_cmpint(clock_now(clock), ==, 399);
    timer_cancel(&b.timer);
    g_assert_cmpint(clock_deadline(clock), ==, TIMER_OFF);
    clock_advance(clock, 1000);
    g_assert_cmpuint(b.log->len, ==, 3);
    timer_set(&a.timer, 5); /* the past: at once */
    clock_run_timers(clock);
    g_assert_cmpuint(a.log->len, ==, 2);
    event_fini(&a);
    event_fini(&b);
    clock_free(clock);
}

static void test_order(void)
{
    Clock *clock = clock_new_manual();
    Event e[5];
    static const int64_t at[5] = {30, 10, 20, 10, 30};
    static const int expect[5] = {1, 3, 2, 0, 4}; /* equals: as armed */
    order = g_array_new(false, false, sizeof(int));
    for (int i = 0; i < 5; i++) {
        event_init(&e[i], clock, i);
        timer_set(&e[i].timer, at[i]);
    }
    clock_advance(clock, 100);
    g_assert_cmpmem(order->data, order->len * sizeof(int), expect, sizeof(expect));
    for (int i = 0; i < 5; i++) {
        event_fini(&e[i]);
    }
    g_array_free(order, true);
    order = NULL;
    clock_free(clock);
}

static void count_notify(void *opaque)
{
    ++*(int *)opaque;
}

static void test_notify(void)
{
    Clock *clock = clock_new_manual();
    Event a, b;
    int notified = 0;
    event_init(&a, clock, 1);
    event_init(&b, clock, 2);
    clock_set_notify(clock, count_notify, &notified);
    timer_set(&a.timer, 100);
    g_assert_cmpint(notified, ==, 1);
    timer_set(&b.timer, 200); /* not the earliest */
    g_assert_cmpint(notified, ==, 1);
    timer_set(&b.timer, 50);
    g_assert_cmpint(notified, ==, 2);
    timer_cancel(&b.timer);
    g_assert_cmpint(notified, ==, 2);
    timer_set(&b.timer, 60); /* the earliest again, but 50 is still awaited */
    g_assert_cmpint(notified, ==, 2);
    g_assert_cmpint(clock_deadline(clock), ==, 60);
    timer_set(&b.timer, 70);
    timer_set(&b.timer, 65);
    g_assert_cmpint(notified, ==, 2);
    timer_set(&b.timer, 55);
    g_assert_cmpint(notified, ==, 3);
    timer_cancel(&b.timer);
    g_assert_cmpint(clock_deadline(clock), ==, 100);
    timer_set(&b.timer, 99);
    g_assert_cmpint(notified, ==, 4);
    timer_cancel(&b.timer);
    event_fini(&a);
    event_fini(&b);
    clock_free(clock);
}

/* A guest's timer that is always in the past may not hold the loop. */
static void test_budget(void)
{
    Clock *clock = clock_new_host();
    Event a;
    event_init(&a, clock, 1);
    a.period = -NS_PER_SEC;
    clock_start(clock);
    timer_set(&a.timer, 0);
    clock_run_timers(clock);
    g_assert_cmpuint(a.log->len, >, 1);
    g_assert_cmpuint(a.log->len, <=, 1000);
    event_fini(&a);
    clock_free(clock);
}

static void test_host(void)
{
    Clock *clock = clock_new_host();
    g_assert_false(clock_running(clock));
    g_assert_cmpint(clock_now(clock), ==, 0);
    clock_start(clock);
    g_usleep(3000);
    int64_t t1 = clock_now(clock);
    g_assert_cmpint(t1, >=, 3 * NS_PER_MS);
    clock_stop(clock);
    int64_t t2 = clock_now(clock);
    g_assert_cmpint(t2, >=, t1);
    g_usleep(3000);
    g_assert_cmpint(clock_now(clock), ==, t2);
    clock_start(clock);
    int64_t t3 = clock_now(clock);
    g_assert_cmpint(t3, >=, t2);
    g_assert_cmpint(t3, <, t2 + NS_PER_SEC);
    clock_free(clock);
}

static uint64_t line_now(const ClockLine *line, uint64_t ticks)
{
    g_assert_cmpuint(line->begun, ==, line->ended);
    return line->ns + (uint64_t)((unsigned __int128)(ticks - line->start) * line->mul >> 32);
}

/* What others read by the line is the clock's time, and after a second's steering it is still the host's. */
static void test_line(void)
{
    Clock *manual = clock_new_manual(), *clock = clock_new_host();
    const ClockLine *line = clock_tsc_line(clock);
    clock_advance(manual, 12345);
    g_assert_cmpuint(line_now(clock_tsc_line(manual), 99), ==, 12345);
    int64_t host_start = g_get_monotonic_time(), last = 0;
    clock_start(clock);
    for (int i = 0; i < 12; i++) {
        g_usleep(100000);
        clock_run_timers(clock);
        int64_t before = clock_now(clock), now = line ? (int64_t)line_now(line, host_ticks(true)) : before;
        g_assert_cmpint(before, >=, last);
        g_assert_cmpint(now, >=, before);
        last = clock_now(clock);
        g_assert_cmpint(now, <=, last);
    }
    int64_t host = (g_get_monotonic_time() - host_start) * 1000;
    g_assert_cmpint(last, <=, host);
    g_assert_cmpint(host - last, <, NS_PER_SEC / 10); /* but for what a busy host puts in between */
    clock_stop(clock);
    int64_t stopped = clock_now(clock);
    g_assert_true(!line || line_now(line, host_ticks(true)) == (uint64_t)stopped);
    clock_free(clock);
    clock_free(manual);
}

typedef struct Racer {
    Clock *clock;
    bool stop; /* atomic */
} Racer;

static void *read_clock(void *opaque)
{
    Racer *r = opaque;
    int64_t last = 0;
    while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
        int64_t now = clock_now(r->clock);
        g_assert_cmpint(now, >=, last); /* never backward, whatever the other thread does */
        last = now;
    }
    return NULL;
}

static void *set_timers(void *opaque)
{
    Racer *r = opaque;
    Event e;
    event_init(&e, r->clock, 9);
    for (int i = 0; i < 20000; i++) {
        timer_set(&e.timer, (i * 7919) % 1000);
    }
    event_fini(&e);
    return NULL;
}

static void test_threads(void)
{
    Racer r = {.clock = clock_new_host()};
    GThread *reader = g_thread_new("read", read_clock, &r);
    GThread *a = g_thread_new("a", set_timers, &r), *b = g_thread_new("b", set_timers, &r);
    for (int i = 0; i < 2000; i++) {
        clock_start(r.clock);
        clock_stop(r.clock);
    }
    g_thread_join(a);
    g_thread_join(b);
    __atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
    g_thread_join(reader);
    g_assert_cmpint(clock_deadline(r.clock), ==, TIMER_OFF);
    clock_free(r.clock);
}

static void test_muldiv(void)
{
    g_assert_cmpuint(muldiv64(UINT64_MAX, 3, 3), ==, UINT64_MAX);
    g_assert_cmpuint(muldiv64(1000000000, 1193182, 1000000000), ==, 1193182);
    g_assert_cmpuint(muldiv64(7, 1, 2), ==, 3);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/manual", test_manual);
    g_test_add_func("/clock/order", test_order);
    g_test_add_func("/clock/notify", test_notify);
    g_test_add_func("/clock/budget", test_budget);
    g_test_add_func("/clock/host", test_host);
    g_test_add_func("/clock/line", test_line);
    g_test_add_func("/clock/threads", test_threads);
    g_test_add_func("/clock/muldiv", test_muldiv);
    return g_test_run();
}
