/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 8254 interval timer of a PC with system control port B.
 * Spec: Intel 82C54 data sheet (order 231244-006); port B: Intel 82371SB (PIIX3) data sheet, section 2.5.5.
 *
 * Pin irq0 follows OUT0 up to the tick `seen`.  A host that comes late shows the changes one by one (a guest that
 * counts ticks loses none), at most every MIN_INTERVAL; changes that are closer together than that, or more than
 * MAX_LAG late, become one edge, so that a guest which programs a tiny count cannot occupy the host.
 */
#include "hw/timer/i8254.h"

#include "hw/timer/i8254_counter.h"

#define MIN_INTERVAL 60      /* ticks, 50 us */
#define MAX_LAG 298295       /* ticks, 250 ms */
#define FAR BIT64(32)        /* ticks, an hour: nothing is armed for later than that */
#define REFRESH_TICKS 18     /* counter 1 as every BIOS sets it: 15 us */

enum { PORTB_GATE2 = 1 << 0, PORTB_SPEAKER = 1 << 1, PORTB_RW = 0x0f, PORTB_REFRESH = 1 << 4, PORTB_OUT2 = 1 << 5 };

typedef struct Pit {
    Device dev;
    Irq irq0;
    Timer timer;
    struct {
        Counter counter[3];
        uint64_t seen;  /* tick up to which irq0 has followed OUT0 */
        uint64_t shown; /* tick at which it last changed */
        uint64_t portb; /* bits 0..3 of port 0x61 */
    } s;
} Pit;

#define EACH(m, reset, min, max) FIELD_EACH_RANGE(Pit, counter, m, FIELD_UINT, reset, min, max)
static const Field pit_state[] = {
    EACH(start, 0, 0, UINT64_MAX),
    EACH(held, 0, 0, UINT64_MAX),
    EACH(reload_at, TICK_NEVER, 0, UINT64_MAX),
    EACH(count, 65536, 1, 65536),
    EACH(next, 65536, 1, 65536),
    EACH(latch, 0, 0, 0xffff),
    EACH(status, 0, 0, 0xff),
    EACH(low_byte, 0, 0, 0xff),
    EACH(control, 0x36, 0, 0x3f),
    EACH(loaded, 0, 0, 1),
    EACH(running, 0, 0, 1),
    EACH(gate, 1, 0, 1),
    EACH(write_high, 0, 0, 1),
    EACH(read_high, 0, 0, 1),
    EACH(latched, 0, 0, 2),
    EACH(status_latched, 0, 0, 1),
    FIELD(Pit, seen, 0),
    FIELD(Pit, shown, 0),
    FIELD_RANGE(Pit, portb, 0, 0, PORTB_RW),
};
#undef EACH

static Pit *pit(Device *dev)
{
    return container_of(dev, Pit, dev);
}

static uint64_t tick_now(Pit *p)
{
    return muldiv64((uint64_t)clock_now(p->dev.env->clock), I8254_HZ, NS_PER_SEC);
}

/* The first nanosecond of a tick. */
static int64_t tick_ns(uint64_t tick)
{
    uint64_t ns = muldiv64(tick, NS_PER_SEC, I8254_HZ);
    return (int64_t)(ns + (muldiv64(ns, I8254_HZ, NS_PER_SEC) < tick));
}

/* ---- irq0 ---- */

/*
 * The next change of OUT0 that needs a timer: the low pulse of modes 2, 4 and 5 lasts one tick and is shown
 * together with the rising edge that ends it.
 */
static uint64_t next_event(const Counter *c, uint64_t tick)
{
    uint64_t change = counter_next_change(c, tick);
    unsigned mode = counter_mode(c);
    if (change != TICK_NEVER && (mode == 2 || mode >= 4) && !counter_out(c, change)) {
        change = counter_next_change(c, change);
    }
    return change;
}

/* OUT0 has a rising edge in (from, to]. */
static bool rises(const Counter *c, uint64_t from, uint64_t to)
{
    uint64_t change = counter_next_change(c, from);
    for (unsigned i = 0; i < 2 && change <= to && change != TICK_NEVER; i++) {
        if (counter_out(c, change)) {
            return true;
        }
        change = counter_next_change(c, change);
    }
    return false;
}

/* Bring the pin to the level of a tick, with one edge for all that rose since. */
static void show(Pit *p, uint64_t tick)
{
    const Counter *c = &p->s.counter[0];
    if (rises(c, p->s.seen, tick)) {
        irq_set(&p->irq0, false);
        irq_set(&p->irq0, true);
    }
    irq_set(&p->irq0, counter_out(c, tick));
    p->s.seen = tick;
}

/* All that OUT0 did up to now: before it is given something else to do. */
static void show_all(Pit *p, uint64_t now)
{
    if (p->s.counter[0].reload_at <= now) {
        show(p, p->s.counter[0].reload_at);
        counter_settle(&p->s.counter[0], now);
    }
    show(p, now);
}

/* What of it is due now. */
static void show_due(Pit *p, uint64_t now)
{
    const Counter *c = &p->s.counter[0];
    uint64_t event = next_event(c, p->s.seen);
    if (event > now) {
        irq_set(&p->irq0, counter_out(c, now));
        return;
    }
    bool storm = next_event(c, event) - event < MIN_INTERVAL;
    if (storm || now - event > MAX_LAG || c->reload_at <= now) {
        show_all(p, now);
    } else {
        show(p, event);
    }
    p->s.shown = now;
}

static void arm(Pit *p, uint64_t now)
{
    uint64_t event = p->irq0.fn ? next_event(&p->s.counter[0], p->s.seen) : TICK_NEVER;
    if (event == TICK_NEVER) {
        timer_cancel(&p->timer);
        return;
    }
    if (p->s.shown <= now && event < p->s.shown + MIN_INTERVAL) {
        event = p->s.shown + MIN_INTERVAL;
    }
    timer_set(&p->timer, tick_ns(MIN(event, now + FAR)));
}

static void pit_update(Device *dev)
{
    Pit *p = pit(dev);
    uint64_t now = tick_now(p);
    p->s.seen = MIN(p->s.seen, now); /* a loaded state may come from a later clock */
    if (p->s.shown + MIN_INTERVAL <= now || next_event(&p->s.counter[0], p->s.seen) > now) {
        show_due(p, now);
    } else {
        irq_set(&p->irq0, counter_out(&p->s.counter[0], p->s.seen));
    }
    arm(p, now);
}

static void pit_timer(void *opaque)
{
    device_update(opaque);
}

/* ---- registers ---- */

static uint64_t settled_now(Pit *p, bool write0)
{
    uint64_t now = tick_now(p);
    if (write0 || p->s.counter[0].reload_at <= now) {
        show_all(p, now);
    }
    counter_settle(&p->s.counter[1], now);
    counter_settle(&p->s.counter[2], now);
    return now;
}

/* "Read-back command": D5 and D4 low latch count and status of the counters of D3..D1. */
static void read_back(Pit *p, uint8_t value, uint64_t now)
{
    for (unsigned n = 0; n < 3; n++) {
        if (!(value & BIT(n + 1))) {
            continue;
        }
        if (!(value & BIT(5))) {
            counter_latch_count(&p->s.counter[n], now);
        }
        if (!(value & BIT(4))) {
            counter_latch_status(&p->s.counter[n], now);
        }
    }
}

static void pit_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pit *p = opaque;
    unsigned n = offset < 3 ? (unsigned)offset : (value >> 6) & 3;
    bool latch = offset == 3 && (n == 3 || (value & 0x30) == 0);
    uint64_t now = settled_now(p, n == 0 && !latch);
    if (offset < 3) {
        counter_write(&p->s.counter[n], (uint8_t)value, now);
    } else if (n == 3) {
        read_back(p, (uint8_t)value, now);
    } else if (latch) {
        counter_latch_count(&p->s.counter[n], now);
    } else {
        counter_control(&p->s.counter[n], (uint8_t)value);
    }
}

static uint64_t pit_read(void *opaque, uint64_t offset, unsigned size)
{
    Pit *p = opaque;
    uint64_t now = settled_now(p, false);
    /* the control word cannot be read: no chip drives the bus */
    return offset < 3 ? counter_read(&p->s.counter[offset], now) : 0xff;
}

static uint64_t portb_read(void *opaque, uint64_t offset, unsigned size)
{
    Pit *p = opaque;
    uint64_t now = settled_now(p, false);
    return p->s.portb | ((now / REFRESH_TICKS) & 1 ? PORTB_REFRESH : 0) |
           (counter_out(&p->s.counter[2], now) ? PORTB_OUT2 : 0);
}

static void portb_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pit *p = opaque;
    uint64_t now = settled_now(p, false);
    p->s.portb = value & PORTB_RW;
    counter_set_gate(&p->s.counter[2], value & PORTB_GATE2, now);
}

bool i8254_speaker(Device *dev)
{
    Pit *p = pit(dev);
    uint64_t now = settled_now(p, false);
    return (p->s.portb & PORTB_SPEAKER) && counter_out(&p->s.counter[2], now);
}

/* ---- life ---- */

static const RegionOps pit_ops = {.read = pit_read, .write = pit_write, .max_size = 1};
static const RegionOps portb_ops = {.read = portb_read, .write = portb_write, .max_size = 1};

static bool pit_realize(Device *dev, GError **error)
{
    timer_init(&pit(dev)->timer, dev->env->clock, pit_timer, dev);
    device_region_init_io(dev, "pit", 4, &pit_ops);
    device_region_init_io(dev, "portb", 1, &portb_ops);
    return true;
}

static void pit_unrealize(Device *dev)
{
    timer_fini(&pit(dev)->timer);
}

static void pit_reset(Device *dev)
{
    Pit *p = pit(dev);
    p->s.counter[2].gate = 0;
    p->s.seen = tick_now(p);
}

static const Pin pit_pins[] = {PIN(Pit, "irq0", irq0)};

DEVICE_TYPE(i8254, Pit, .name = "i8254", .desc = "8254 interval timer and port B", FIELDS(pit_state), PINS(pit_pins),
            .realize = pit_realize, .unrealize = pit_unrealize, .reset = pit_reset, .update = pit_update);
