/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual time and timers.  A machine has one Clock; it counts nanoseconds from 0 at power-on and stands still
 * while the machine is paused.  A manual clock (tests) moves only by clock_advance().
 */
#pragma once

#include "util/base.h"

typedef struct Clock Clock;
typedef struct Timer Timer;
typedef void TimerFn(void *opaque);

#define TIMER_OFF INT64_MAX

struct Timer {
    Clock *clock;
    TimerFn *fn;
    void *opaque;
    int64_t deadline; /* ns of virtual time, TIMER_OFF when not armed; guarded by clock->lock */
    Timer *next;      /* in the clock's list, sorted by deadline; guarded by clock->lock */
};

/*
 * Time as a line over the host's ticks: ns + ((ticks - start) * mul >> 32), where ticks before `start` count as `start`.
 * `ended` is read first and `begun` last: when they differ the line was being changed, and what was read is worth nothing.
 */
typedef struct ClockLine {
    uint64_t start;         /* ticks */
    uint64_t mul;           /* ns a tick times 2^32; 0 while time stands still */
    uint64_t ns;            /* of virtual time at start */
    uint32_t begun, ended;  /* changes so far */
} ClockLine;

/* A counter that runs by the machine's time. */
typedef struct TickRate {
    uint32_t khz;
    uint64_t per_ns; /* times 2^32 */
} TickRate;

static inline TickRate tick_rate(uint32_t khz)
{
    return (TickRate){.khz = khz, .per_ns = ((uint64_t)khz << 32) / 1000000};
}
static inline uint64_t ticks_at(TickRate rate, int64_t ns)
{
    return (uint64_t)((unsigned __int128)(uint64_t)ns * rate.per_ns >> 32);
}
/* The first ns at which ticks_at() is `ticks` or more. */
static inline int64_t ns_of_ticks(TickRate rate, uint64_t ticks)
{
    return (int64_t)((((unsigned __int128)ticks << 32) + rate.per_ns - 1) / rate.per_ns);
}

/* A clock that follows host CLOCK_MONOTONIC, stopped at 0 until clock_start(). */
Clock *clock_new_host(void);
/* A clock that moves only by clock_advance(). */
Clock *clock_new_manual(void);
void clock_free(Clock *clock);

int64_t clock_now(Clock *clock); /* ns; lock-free, any thread */
/* The line, if its ticks are those of the host's RDTSC (or it has no slope: a manual clock); else NULL. */
const ClockLine *clock_tsc_line(const Clock *clock);
/* Rate of the host's TSC as known by now, kHz; 0 if the clock is no line over it.  May take 2 ms after the clock's creation. */
uint32_t clock_tsc_khz(Clock *clock);
void clock_start(Clock *clock);
void clock_stop(Clock *clock);
bool clock_running(const Clock *clock);

/* Manual clocks: move forward by ns, running every timer that falls due, in order, at its own deadline. */
void clock_advance(Clock *clock, int64_t ns);

/* The earliest deadline, or TIMER_OFF; who asks waits for it, and is told of earlier ones by the notice below. */
int64_t clock_deadline(Clock *clock);
/* Run every timer due at clock_now().  The caller holds the machine lock; callbacks run under it. */
void clock_run_timers(Clock *clock);
/*
 * fn is called, from any thread, when a deadline has been set that is earlier than clock_deadline() told and than those
 * of all calls since.  A deadline that moves away does not matter: the waiter comes once too often.
 */
void clock_set_notify(Clock *clock, void (*fn)(void *opaque), void *opaque);

void timer_init(Timer *timer, Clock *clock, TimerFn *fn, void *opaque);
/* Arm for an absolute virtual time (a past one fires at once from the loop); TIMER_OFF disarms.  Any thread. */
void timer_set(Timer *timer, int64_t deadline);
static inline void timer_cancel(Timer *timer)
{
    timer_set(timer, TIMER_OFF);
}
/* Disarm for good, before the memory that holds the timer goes away. */
void timer_fini(Timer *timer);

/* value * numerator / denominator with a 128-bit product, rounded down. For ns <-> ticks. */
static inline uint64_t muldiv64(uint64_t value, uint64_t numerator, uint64_t denominator)
{
    return (uint64_t)((unsigned __int128)value * numerator / denominator);
}
