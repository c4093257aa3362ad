/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One counter of an 8254 as a function of time.
 * Spec: Intel 82C54 data sheet (order 231244-006), "Mode definitions", "Read operations", "Programming the 82C54".
 */
#include "hw/timer/i8254_counter.h"

enum { RW_LOW = 1, RW_HIGH = 2 }; /* else: low byte, then high byte */

/* Modes 6 and 7 are modes 2 and 3: "Control word format", X. */
unsigned counter_mode(const Counter *c)
{
    unsigned mode = (c->control >> 1) & 7;
    return mode >= 6 ? mode - 4 : mode;
}

static bool bcd(const Counter *c)
{
    return c->control & 1;
}

static unsigned access_mode(const Counter *c)
{
    return (c->control >> 4) & 3;
}

/* GATE low stops the counting in these modes; in 1 and 5 only its rising edge counts: "Gate pin operations". */
static bool gate_stops(const Counter *c)
{
    unsigned mode = counter_mode(c);
    return mode == 0 || mode == 2 || mode == 3 || mode == 4;
}

static bool stopped(const Counter *c)
{
    return !c->gate && gate_stops(c);
}

/* Ticks that the counting element has counted; 0 between a write and the CLK pulse that loads it. */
static uint64_t elapsed(const Counter *c, uint64_t tick)
{
    if (stopped(c)) {
        return c->held;
    }
    uint64_t ticks = tick - c->start;
    return ticks >> 63 ? 0 : ticks;
}

/* Mode 3 with an odd count is high for one tick more: "Mode 3", odd counts. */
static uint32_t high_ticks(uint32_t count)
{
    return (count + 1) / 2;
}

bool counter_out(const Counter *c, uint64_t tick)
{
    uint64_t e = elapsed(c, tick);
    unsigned mode = counter_mode(c);
    if (mode == 0) {
        return c->running && e >= c->count;
    }
    if (!c->running) {
        return true;
    }
    switch (mode) {
    case 1:
        return (tick - c->start) >> 63 ? !c->held : e >= c->count;
    case 2: /* a count of 1 is illegal: the wire stays as it is */
        return !c->gate || c->count < 2 || e % c->count != c->count - 1;
    case 3:
        return !c->gate || e % c->count < high_ticks(c->count);
    default:
        return e != c->count;
    }
}

/* The earlier of two moments that lies after tick. */
static uint64_t first_after(uint64_t tick, uint64_t a, uint64_t b)
{
    return a > tick ? a : b > tick ? b : TICK_NEVER;
}

uint64_t counter_next_change(const Counter *c, uint64_t tick)
{
    if (!c->running || stopped(c)) {
        return TICK_NEVER;
    }
    uint64_t period = c->start + elapsed(c, tick) / c->count * c->count;
    switch (counter_mode(c)) {
    case 0:
        return first_after(tick, c->start + c->count, 0);
    case 1:
        return first_after(tick, c->held ? 0 : c->start, c->start + c->count);
    case 2:
        return c->count < 2 ? TICK_NEVER : first_after(tick, period + c->count - 1, period + c->count);
    case 3:
        return c->count < 2 ? TICK_NEVER : first_after(tick, period + high_ticks(c->count), period + c->count);
    default:
        return first_after(tick, c->start + c->count, c->start + c->count + 1);
    }
}

void counter_settle(Counter *c, uint64_t now)
{
    if (c->reload_at > now) {
        return;
    }
    /* "Mode 3": a new count is loaded at the end of a half-cycle, which may be that of the high half */
    bool low_half = counter_mode(c) == 3 && !counter_out(c, c->reload_at);
    c->start = c->reload_at - (low_half ? high_ticks(c->next) : 0);
    c->count = c->next;
    c->reload_at = TICK_NEVER;
}

/* ---- programming ---- */

/* "Control Word": the control logic is reset at once and OUT takes the mode's first level. */
void counter_control(Counter *c, uint8_t value)
{
    c->control = value & 0x3f;
    c->loaded = c->running = 0;
    c->reload_at = TICK_NEVER;
    c->held = 0;
    c->write_high = c->read_high = 0;
    c->latched = c->status_latched = 0;
}

/* The element is loaded by the next CLK pulse. */
static void load(Counter *c, uint64_t now)
{
    c->count = c->next;
    c->start = now + 1;
    c->reload_at = TICK_NEVER;
    c->running = 1;
}

static void set_count(Counter *c, uint16_t value, uint64_t now)
{
    uint32_t n = value;
    if (bcd(c)) {
        n = (value >> 12) * 1000u + (value >> 8 & 15) * 100u + (value >> 4 & 15) * 10u + (value & 15);
        n = n ? n : 10000;
    }
    c->next = n ? n : 65536;
    c->loaded = 1;
    switch (counter_mode(c)) {
    case 0:
    case 4:
        c->held = 0;
        load(c, now);
        break;
    case 2:
    case 3:
        if (!c->running || stopped(c) || (now - c->start) >> 63) {
            c->held = 0;
            load(c, now);
        } else if (c->reload_at == TICK_NEVER) {
            uint64_t change = counter_next_change(c, now);
            bool falls = counter_mode(c) == 2 && change != TICK_NEVER && !counter_out(c, change);
            c->reload_at = change == TICK_NEVER ? now + 1 : change + falls;
        }
        break;
    default: /* 1 and 5 wait for a trigger */
        break;
    }
}

void counter_write(Counter *c, uint8_t value, uint64_t now)
{
    switch (access_mode(c)) {
    case RW_LOW:
        set_count(c, value, now);
        break;
    case RW_HIGH:
        set_count(c, (uint16_t)(value << 8), now);
        break;
    default:
        c->write_high ^= 1;
        if (!c->write_high) {
            set_count(c, (uint16_t)((c->low_byte & 0xff) | value << 8), now);
        } else {
            c->low_byte = value;
            if (counter_mode(c) == 0) {
                c->running = 0; /* "Mode 0": the first byte disables counting, OUT goes low */
            }
        }
        break;
    }
}

/* ---- reading ---- */

static uint16_t present_count(const Counter *c, uint64_t now)
{
    uint64_t e = c->running ? elapsed(c, now) : 0;
    uint32_t modulus = bcd(c) ? 10000 : 65536, n;
    switch (counter_mode(c)) {
    case 2:
        n = c->count - (uint32_t)(e % c->count);
        break;
    case 3: {
        uint32_t phase = (uint32_t)(e % c->count), high = high_ticks(c->count);
        n = (c->count & ~1u) - 2 * (phase < high ? phase : phase - high);
        break;
    }
    default:
        n = c->count % modulus + modulus - (uint32_t)(e % modulus);
        break;
    }
    n %= modulus;
    if (bcd(c)) {
        n = n / 1000 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10;
    }
    return (uint16_t)n;
}

void counter_latch_count(Counter *c, uint64_t now)
{
    if (!c->latched) { /* a second latch command is ignored until the count is read */
        c->latch = present_count(c, now);
        c->latched = access_mode(c) == RW_LOW || access_mode(c) == RW_HIGH ? 1 : 2;
    }
}

/* "Status byte": OUT, NULL COUNT (what was written is not in the counting element yet), the control word. */
void counter_latch_status(Counter *c, uint64_t now)
{
    if (c->status_latched) {
        return;
    }
    bool waits = !c->loaded || !c->running || c->next != c->count || (now - c->start) >> 63;
    c->status = (uint16_t)((counter_out(c, now) ? 0x80 : 0) | (waits ? 0x40 : 0) | (c->control & 0x3f));
    c->status_latched = 1;
}

uint8_t counter_read(Counter *c, uint64_t now)
{
    if (c->status_latched) {
        c->status_latched = 0;
        return (uint8_t)c->status;
    }
    uint32_t value = c->latched ? c->latch : present_count(c, now);
    if (c->latched) {
        c->latched--;
    }
    switch (access_mode(c)) {
    case RW_LOW:
        return (uint8_t)value;
    case RW_HIGH:
        return (uint8_t)(value >> 8);
    default:
        c->read_high ^= 1;
        return (uint8_t)(c->read_high ? value : value >> 8);
    }
}

/* ---- gate ---- */

void counter_set_gate(Counter *c, bool gate, uint64_t now)
{
    if (gate == c->gate) {
        return;
    }
    unsigned mode = counter_mode(c);
    if (!gate) {
        if (gate_stops(c)) {
            c->held = elapsed(c, now);
            c->reload_at = TICK_NEVER;
        }
    } else if (mode == 0 || mode == 4) {
        c->start = now - c->held;
    } else if (c->loaded) {
        bool low = mode == 1 && !counter_out(c, now);
        load(c, now);
        c->held = low;
    }
    c->gate = gate;
}
