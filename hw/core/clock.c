/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual time and timers.  Time is read without a lock (a sequence count tells a reader that a start or stop was
 * in progress); the timers are one list sorted by deadline, since a PC has some dozens and arms few at once.
 */
#include "hw/core/clock.h"

#include <pthread.h>
#include <time.h>

#include "util/log.h"

/* Callbacks in one clock_run_timers(): a guest that programs a timer faster than the host may not hold the loop. */
#define RUN_BUDGET 1000

struct Clock {
    bool manual;
    uint32_t seq;    /* odd while running and base change; atomic */
    bool running;    /* atomic, changed under lock */
    int64_t base;    /* running: host time at virtual 0; else (and manual): the virtual time itself; atomic */
    pthread_mutex_t lock;     /* guards the list, its timers and changes of running and base */
    Timer *first;
    int64_t awaited;          /* what clock_deadline() last told, or a notice since; guarded by lock */
    void (*notify)(void *opaque); /* guarded by lock */
    void *notify_opaque;
};

static int64_t host_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static Clock *clock_new(bool manual)
{
    Clock *clock = g_new0(Clock, 1);
    clock->manual = manual;
    clock->awaited = TIMER_OFF;
    pthread_mutex_init(&clock->lock, NULL);
    return clock;
}

Clock *clock_new_host(void)
{
    return clock_new(false);
}

Clock *clock_new_manual(void)
{
    return clock_new(true);
}

void clock_free(Clock *clock)
{
    if (!clock) {
        return;
    }
    while (clock->first) {
        Timer *timer = clock->first;
        clock->first = timer->next;
        timer->next = NULL;
        timer->deadline = TIMER_OFF;
    }
    pthread_mutex_destroy(&clock->lock);
    g_free(clock);
}

int64_t clock_now(Clock *clock)
{
    if (clock->manual) {
        return __atomic_load_n(&clock->base, __ATOMIC_ACQUIRE);
    }
    for (;;) {
        uint32_t seq = __atomic_load_n(&clock->seq, __ATOMIC_ACQUIRE);
        bool running = __atomic_load_n(&clock->running, __ATOMIC_ACQUIRE);
        int64_t base = __atomic_load_n(&clock->base, __ATOMIC_ACQUIRE);
        int64_t now = running ? host_ns() - base : base;
        /* Host time was read before any stop that is not seen here, so time never goes back. */
        if (!(seq & 1) && __atomic_load_n(&clock->seq, __ATOMIC_ACQUIRE) == seq) {
            return now;
        }
    }
}

static void set_running(Clock *clock, bool running)
{
    pthread_mutex_lock(&clock->lock);
    if (!clock->manual && clock->running != running) {
        __atomic_store_n(&clock->seq, clock->seq + 1, __ATOMIC_SEQ_CST);
        int64_t base = host_ns() - clock->base; /* both ways: host time minus the other */
        __atomic_store_n(&clock->base, base, __ATOMIC_SEQ_CST);
        __atomic_store_n(&clock->running, running, __ATOMIC_SEQ_CST);
        __atomic_store_n(&clock->seq, clock->seq + 1, __ATOMIC_SEQ_CST);
    }
    pthread_mutex_unlock(&clock->lock);
}

void clock_start(Clock *clock)
{
    set_running(clock, true);
}

void clock_stop(Clock *clock)
{
    set_running(clock, false);
}

bool clock_running(const Clock *clock)
{
    return clock->manual || __atomic_load_n(&clock->running, __ATOMIC_ACQUIRE);
}

/* ---- the list ---- */

static void unlink_timer(Clock *clock, Timer *timer)
{
    if (timer->deadline == TIMER_OFF) {
        return;
    }
    Timer **link = &clock->first;
    while (*link && *link != timer) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = timer->next;
    }
    timer->next = NULL;
    timer->deadline = TIMER_OFF;
}

void timer_init(Timer *timer, Clock *clock, TimerFn *fn, void *opaque)
{
    *timer = (Timer){.clock = clock, .fn = fn, .opaque = opaque, .deadline = TIMER_OFF};
}

void timer_set(Timer *timer, int64_t deadline)
{
    Clock *clock = timer->clock;
    if (!clock) {
        return;
    }
    pthread_mutex_lock(&clock->lock);
    if (timer->deadline == deadline) {
        pthread_mutex_unlock(&clock->lock);
        return;
    }
    unlink_timer(clock, timer);
    void (*notify)(void *) = NULL;
    void *opaque = NULL;
    if (deadline != TIMER_OFF) {
        Timer **link = &clock->first;
        /* behind its equals: timers for one moment run in the order in which they were armed */
        while (*link && (*link)->deadline <= deadline) {
            link = &(*link)->next;
        }
        timer->deadline = deadline;
        timer->next = *link;
        *link = timer;
        if (deadline < clock->awaited) {
            clock->awaited = deadline;
            notify = clock->notify;
            opaque = clock->notify_opaque;
        }
    }
    pthread_mutex_unlock(&clock->lock);
    if (notify) {
        notify(opaque);
    }
}

void timer_fini(Timer *timer)
{
    timer_set(timer, TIMER_OFF);
    timer->clock = NULL;
}

int64_t clock_deadline(Clock *clock)
{
    pthread_mutex_lock(&clock->lock);
    int64_t deadline = clock->first ? clock->first->deadline : TIMER_OFF;
    clock->awaited = deadline;
    pthread_mutex_unlock(&clock->lock);
    return deadline;
}

void clock_set_notify(Clock *clock, void (*fn)(void *opaque), void *opaque)
{
    pthread_mutex_lock(&clock->lock);
    clock->notify = fn;
    clock->notify_opaque = opaque;
    pthread_mutex_unlock(&clock->lock);
}

/* Take the first timer off the list if it is due at `until`; fn and opaque are copied under the lock. */
static bool take_due(Clock *clock, int64_t until, int64_t *deadline, TimerFn **fn, void **opaque)
{
    pthread_mutex_lock(&clock->lock);
    Timer *timer = clock->first;
    bool due = timer && timer->deadline <= until;
    if (due) {
        *deadline = timer->deadline;
        *fn = timer->fn;
        *opaque = timer->opaque;
        unlink_timer(clock, timer);
    }
    pthread_mutex_unlock(&clock->lock);
    return due;
}

void clock_run_timers(Clock *clock)
{
    int64_t now = clock_now(clock), deadline;
    TimerFn *fn;
    void *opaque;
    for (unsigned i = 0; i < RUN_BUDGET && take_due(clock, now, &deadline, &fn, &opaque); i++) {
        fn(opaque);
    }
}

void clock_advance(Clock *clock, int64_t ns)
{
    int64_t now = clock_now(clock), target, deadline;
    TimerFn *fn;
    void *opaque;
    unsigned same = 0;
    if (!clock->manual || ns < 0 || __builtin_add_overflow(now, ns, &target)) {
        return;
    }
    while (take_due(clock, target, &deadline, &fn, &opaque)) {
        if (deadline > now) {
            now = deadline;
            same = 0;
            __atomic_store_n(&clock->base, now, __ATOMIC_RELEASE);
        } else if (++same > RUN_BUDGET) {
            host_bug("a timer is armed again and again for the past");
            break;
        }
        fn(opaque);
    }
    __atomic_store_n(&clock->base, target, __ATOMIC_RELEASE);
}
