/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's timer.  The bus clock is 1 GHz, one count a nanosecond with divisor 1 (kernels calibrate it).
 * Spec: Intel SDM vol 3, 11.5.4.
 *
 * A periodic timer that the host serves late fires once for each period it missed, so that a guest that counts
 * ticks loses none, unless it is more than MAX_LAG late or its period is below MIN_INTERVAL.
 */
#include "hw/intc/lapic_internal.h"

#define MIN_INTERVAL 20000           /* ns between two interrupts of a periodic timer */
#define MAX_LAG (250 * NS_PER_MS)

static unsigned timer_mode(const Lapic *l)
{
    return LVT_TIMER_MODE(l->s.lvt[LVT_TIMER]);
}

static int64_t now_ns(Lapic *l)
{
    return clock_now(l->dev.env->clock);
}

/* Divide configuration register, figure 11-10: bits 3, 1, 0; 111 is divide by 1. */
static uint64_t divisor(const Lapic *l)
{
    unsigned code = (l->s.divide & 3) | (l->s.divide >> 1 & 4);
    return code == 7 ? 1 : 2ull << code;
}

/* When the deadline is reached; TIMER_OFF: not armed, or there is no TSC. */
static int64_t deadline_ns(const Lapic *l)
{
    if (!l->s.tsc_deadline || !l->cpu || !l->cpu->tsc_to_ns) {
        return TIMER_OFF;
    }
    return l->cpu->tsc_to_ns(l->cpu_opaque, l->s.tsc_deadline);
}

static int64_t next_expiry(const Lapic *l)
{
    return timer_mode(l) == TIMER_TSC_DEADLINE ? deadline_ns(l) : l->s.timer_next;
}

/* The periodic timer has expired: its next expiry. */
static void next_period(Lapic *l, int64_t now)
{
    uint64_t period = l->s.timer_initial * divisor(l);
    uint64_t late = (uint64_t)now - (uint64_t)l->s.timer_next, periods = 1;
    if (period == 0) {
        l->s.timer_next = TIMER_OFF;
        return;
    }
    if (period < MIN_INTERVAL || late > (uint64_t)MAX_LAG) {
        periods = late / period + 1;
    }
    l->s.timer_next = (int64_t)((uint64_t)l->s.timer_next + periods * period);
}

/* Do what is due; before a register that decides about it changes. */
void lapic_timer_settle(Lapic *l)
{
    int64_t due = next_expiry(l), now = now_ns(l);
    if (due == TIMER_OFF || due > now) {
        return;
    }
    switch (timer_mode(l)) {
    case TIMER_TSC_DEADLINE:
        l->s.tsc_deadline = 0;
        break;
    case TIMER_PERIODIC:
        next_period(l, now);
        break;
    default:
        l->s.timer_next = TIMER_OFF;
        break;
    }
    lapic_local(l, LVT_TIMER);
}

void lapic_timer_arm(Lapic *l)
{
    int64_t due = l->away || (l->s.lvt[LVT_TIMER] & LVT_MASKED) ? TIMER_OFF : next_expiry(l);
    if (due != TIMER_OFF && timer_mode(l) == TIMER_PERIODIC) {
        uint64_t period = l->s.timer_initial * divisor(l);
        int64_t earliest = now_ns(l) + MIN_INTERVAL;
        /* late, or too fast to serve each: a pause for the rest of the machine */
        if (due < earliest && (period < MIN_INTERVAL || due < earliest - MIN_INTERVAL)) {
            due = l->armed != TIMER_OFF && l->armed < earliest ? l->armed : earliest;
        }
    }
    if (due != l->armed) {
        l->armed = due;
        timer_set(&l->timer, due);
    }
}

void lapic_timer_expired(void *opaque)
{
    Lapic *l = opaque;
    l->armed = TIMER_OFF;
    lapic_timer_settle(l);
    device_update(&l->dev);
}

uint32_t lapic_timer_count(Lapic *l)
{
    if (timer_mode(l) == TIMER_TSC_DEADLINE || l->s.timer_next == TIMER_OFF) {
        return 0;
    }
    uint64_t counted = ((uint64_t)now_ns(l) - (uint64_t)l->s.timer_start) / divisor(l);
    if (counted < l->s.timer_count) {
        return (uint32_t)(l->s.timer_count - counted);
    }
    if (timer_mode(l) != TIMER_PERIODIC || !l->s.timer_initial) {
        return 0;
    }
    return (uint32_t)(l->s.timer_initial - (counted - l->s.timer_count) % l->s.timer_initial);
}

/* Count down from `count` from now on; 0 stops. */
static void start(Lapic *l, uint32_t count)
{
    int64_t now = now_ns(l);
    l->s.timer_count = count;
    l->s.timer_start = now;
    l->s.timer_next = count ? now + (int64_t)(count * divisor(l)) : TIMER_OFF;
}

void lapic_timer_write_initial(Lapic *l, uint32_t value)
{
    if (timer_mode(l) == TIMER_TSC_DEADLINE) {
        return; /* 11.5.4.1: writes to the initial count are ignored */
    }
    lapic_timer_settle(l);
    l->s.timer_initial = value;
    start(l, value);
}

void lapic_timer_continue(Lapic *l, uint32_t count)
{
    start(l, count);
    if (!count && l->s.timer_initial && timer_mode(l) == TIMER_PERIODIC) {
        l->s.timer_next = now_ns(l); /* it has just come to 0 */
    }
}

void lapic_timer_write_divide(Lapic *l, uint32_t value)
{
    lapic_timer_settle(l);
    uint32_t count = lapic_timer_count(l);
    l->s.divide = value & 0xb;
    start(l, count);
}

void lapic_timer_write_lvt(Lapic *l, uint32_t value)
{
    lapic_timer_settle(l);
    unsigned old = timer_mode(l), mode = LVT_TIMER_MODE(value);
    uint32_t count = lapic_timer_count(l);
    l->s.lvt[LVT_TIMER] = value;
    if (old == mode) {
        return;
    }
    if (old == TIMER_TSC_DEADLINE || mode == TIMER_TSC_DEADLINE) {
        /* 11.5.4.1: a transition into or out of TSC-deadline mode disarms the timer */
        l->s.tsc_deadline = 0;
        l->s.timer_initial = 0;
        count = 0;
    }
    start(l, count);
}

uint64_t lapic_timer_read_deadline(Lapic *l)
{
    lapic_timer_settle(l);
    return l->s.tsc_deadline;
}

void lapic_timer_write_deadline(Lapic *l, uint64_t value)
{
    if (timer_mode(l) == TIMER_TSC_DEADLINE) {
        l->s.tsc_deadline = value;
        lapic_timer_settle(l); /* a deadline in the past fires at once */
    }
}
