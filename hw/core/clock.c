/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual time and timers.  Time is a line over the host's ticks, read without a lock: two counts tell a reader that the line
 * was being changed.  The timers are one list sorted by deadline, since a PC has some dozens and arms few at once.
 */
#include "hw/core/clock.h"

#include <pthread.h>

#include "hw/core/host_ticks.h"
#include "util/log.h"

/* Callbacks in one clock_run_timers(): a guest that programs a timer faster than the host may not hold the loop. */
#define RUN_BUDGET 1000
#define CALIBRATE_NS (2 * NS_PER_MS)
#define STEER_NS NS_PER_SEC

/* One moment in both of the host's times. */
typedef struct Moment {
    uint64_t ticks;
    int64_t ns;
} Moment;

struct Clock {
    bool manual;
    bool tsc;        /* ticks are those of the host's TSC, otherwise ns */
    bool running;    /* atomic, changed under lock */
    ClockLine line;  /* changed under lock */
    Moment first;    /* when the clock was made: the longer ago, the better the rate is known */
    Moment steered;  /* last; guarded by lock */
    int64_t owed;    /* ns of host time since then that the line has not shown; guarded by lock */
    pthread_mutex_t lock;     /* guards the list, its timers and changes of the line */
    Timer *due;               /* the earliest */
    int64_t awaited;          /* what clock_deadline() last told, or a notice since; guarded by lock */
    void (*notify)(void *opaque); /* guarded by lock */
    void *notify_opaque;
};

/* The closest of a few attempts: the thread may be interrupted between the two. */
static Moment moment_now(const Clock *clock)
{
    enum { ATTEMPTS = 5 };
    Moment best = {0};
    uint64_t width = UINT64_MAX;
    for (unsigned i = 0; i < ATTEMPTS && width; i++) {
        uint64_t before = host_ticks(clock->tsc);
        int64_t ns = host_ns();
        uint64_t after = host_ticks(clock->tsc);
        if (!clock->tsc) {
            return (Moment){.ticks = (uint64_t)ns, .ns = ns};
        }
        if (after - before < width) {
            width = after - before;
            best = (Moment){.ticks = before + width / 2, .ns = ns};
        }
    }
    return best;
}

static Clock *clock_new(bool manual)
{
    Clock *clock = g_new0(Clock, 1);
    clock->manual = manual;
    clock->tsc = !manual && host_has_tsc();
    clock->first = moment_now(clock);
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
    while (clock->due) {
        Timer *timer = clock->due;
        clock->due = timer->next;
        timer->next = NULL;
        timer->deadline = TIMER_OFF;
    }
    pthread_mutex_destroy(&clock->lock);
    g_free(clock);
}

/* ---- the line ---- */

static uint64_t line_at(const ClockLine *line, uint64_t ticks)
{
    uint64_t start = __atomic_load_n(&line->start, __ATOMIC_RELAXED), mul = __atomic_load_n(&line->mul, __ATOMIC_RELAXED);
    uint64_t passed = ticks - start;
    if ((int64_t)passed < 0) {
        passed = 0; /* the line has been changed meanwhile, or the host's counter has been reset */
    }
    return __atomic_load_n(&line->ns, __ATOMIC_RELAXED) + (uint64_t)((unsigned __int128)passed * mul >> 32);
}

int64_t clock_now(Clock *clock)
{
    const ClockLine *line = &clock->line;
    for (;;) {
        uint32_t ended = __atomic_load_n(&line->ended, __ATOMIC_ACQUIRE);
        /* Ticks are read before any change that is not seen here, so time never goes back. */
        uint64_t now = line_at(line, clock->manual ? 0 : host_ticks(clock->tsc));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&line->begun, __ATOMIC_RELAXED) == ended) {
            return (int64_t)now;
        }
    }
}

/* From now on the line rises by mul, after a step of `jump` ns.  Called with the lock held. */
static void bend(Clock *clock, uint64_t mul, int64_t jump)
{
    ClockLine *line = &clock->line;
    __atomic_store_n(&line->begun, line->begun + 1, __ATOMIC_SEQ_CST);
    uint64_t ticks = clock->manual ? 0 : host_ticks(clock->tsc);
    uint64_t ns = line_at(line, ticks) + (uint64_t)jump;
    __atomic_store_n(&line->start, ticks, __ATOMIC_RELAXED);
    __atomic_store_n(&line->mul, mul, __ATOMIC_RELAXED);
    __atomic_store_n(&line->ns, ns, __ATOMIC_RELAXED);
    __atomic_store_n(&line->ended, line->begun, __ATOMIC_SEQ_CST);
}

const ClockLine *clock_tsc_line(const Clock *clock)
{
    return clock->tsc || clock->manual ? &clock->line : NULL;
}

/* ns a tick by all that has passed since the clock was made, times 2^32. */
static uint64_t rate(const Clock *clock, Moment now)
{
    if (!clock->tsc) {
        return 1ull << 32;
    }
    while (now.ns - clock->first.ns < CALIBRATE_NS) {
        now = moment_now(clock);
    }
    return (uint64_t)(((unsigned __int128)(uint64_t)(now.ns - clock->first.ns) << 32) / (now.ticks - clock->first.ticks));
}

uint32_t clock_tsc_khz(Clock *clock)
{
    if (!clock->tsc) {
        return 0;
    }
    pthread_mutex_lock(&clock->lock);
    uint64_t mul = rate(clock, moment_now(clock));
    pthread_mutex_unlock(&clock->lock);
    return (uint32_t)(((NS_PER_MS << 32) + mul / 2) / mul);
}

/* The line rises by mul from now on; where that begins in the host's time.  Called with the lock held. */
static void bend_at(Clock *clock, Moment now, uint64_t mul)
{
    bend(clock, mul, 0);
    uint64_t later = clock->line.start - now.ticks;
    clock->steered = (Moment){.ticks = clock->line.start,
                              .ns = now.ns + (int64_t)((unsigned __int128)later * rate(clock, now) >> 32)};
}

/*
 * The rate as it is known by now, and a little more or less, so that the line comes back to the host's monotonic time.  What a
 * suspension of the host takes from one of the two counters is not slewed: time steps forward, or what the line has shown too
 * much is forgotten.  Called with the lock held.
 */
static void steer_to(Clock *clock, Moment now)
{
    enum { SLEW_SHIFT = 11 }; /* at most by 1 / 2048 */
    int64_t shown = (int64_t)(line_at(&clock->line, now.ticks) - clock->line.ns);
    clock->owed += now.ns - clock->steered.ns - shown;
    if (ABS(clock->owed) > NS_PER_SEC || (int64_t)(now.ticks - clock->steered.ticks) <= 0) {
        int64_t jump = MAX(clock->owed, 0);
        uint64_t mul = clock->line.mul;
        clock->owed = 0;
        clock->first = now;
        bend(clock, mul, jump);
        clock->steered = now;
        return;
    }
    uint64_t mul = rate(clock, now);
    int64_t most = (int64_t)(mul >> SLEW_SHIFT), slew = (int64_t)((__int128)clock->owed * (int64_t)mul / (2 * STEER_NS));
    bend_at(clock, now, mul + (uint64_t)CLAMP(slew, -most, most));
}

/* Once a second. */
static void steer(Clock *clock)
{
    pthread_mutex_lock(&clock->lock);
    if (clock->tsc && clock->running && host_ns() - clock->steered.ns >= STEER_NS) {
        steer_to(clock, moment_now(clock));
    }
    pthread_mutex_unlock(&clock->lock);
}

static void set_running(Clock *clock, bool running)
{
    pthread_mutex_lock(&clock->lock);
    if (!clock->manual && clock->running != running) {
        Moment now = moment_now(clock);
        bend_at(clock, now, running ? rate(clock, now) : 0);
        __atomic_store_n(&clock->running, running, __ATOMIC_SEQ_CST);
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
    Timer **link = &clock->due;
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
        Timer **link = &clock->due;
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
    int64_t deadline = clock->due ? clock->due->deadline : TIMER_OFF;
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
    Timer *timer = clock->due;
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
    steer(clock);
    for (unsigned i = 0; i < RUN_BUDGET && take_due(clock, now, &deadline, &fn, &opaque); i++) {
        fn(opaque);
    }
}

static void move_to(Clock *clock, int64_t now)
{
    pthread_mutex_lock(&clock->lock);
    bend(clock, 0, now - (int64_t)clock->line.ns);
    pthread_mutex_unlock(&clock->lock);
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
            move_to(clock, now);
        } else if (++same > RUN_BUDGET) {
            host_bug("a timer is armed again and again for the past");
            break;
        }
        fn(opaque);
    }
    move_to(clock, target);
}
