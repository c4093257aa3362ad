/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real-time clock and CMOS memory of a PC.
 * Spec: Motorola MC146818A data sheet (1984); century byte at 0x32 as the ACPI FADT says.
 *
 * While the clock runs the time registers are made from the virtual clock when they are read; while SET or a divider
 * reset holds it they are plain bytes.  The flags of register C follow from the events between `settled` and now, so
 * that timers are armed only for an interrupt that is enabled and not yet shown.
 */
#include "hw/rtc/mc146818.h"

#include <string.h>

#include "hw/rtc/calendar.h"

enum {
    SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, WEEKDAY, DAY, MONTH, YEAR,
    REG_A, REG_B, REG_C, REG_D,
};
enum { A_UIP = 1 << 7, A_DIVIDER_RESET = 6 << 4, A_RATE = 0x0f };
enum { B_24H = 1 << 1, B_BINARY = 1 << 2, B_SQWE = 1 << 3, B_SET = 1 << 7 };
/* Interrupt enables in B, flags in C. */
enum { UPDATE = 1 << 4, ALARM = 1 << 5, PERIODIC = 1 << 6, C_EVENTS = UPDATE | ALARM | PERIODIC, C_IRQF = 1 << 7 };
enum { HOUR_PM = 1 << 7, D_VALID = 1 << 7, INDEX_NMI = 1 << 7 };

#define NS NS_PER_SEC
#define CRYSTAL_HZ 32768
/* "Update cycle": UIP rises 244 us before the update, which takes 1984 us; its end is the second's edge. */
#define UIP_NS (244000 + 1984000)
#define DAY_SECONDS 86400

typedef struct Rtc {
    Device dev;
    Irq irq8;
    Timer timer;
    char *base;
    struct {
        int64_t base_seconds; /* calendar time, since 1970, when the divider chain was at 0 */
        int64_t settled;      /* virtual time up to which register C knows the events */
        uint32_t phase;       /* ns of the divider chain at virtual time 0 */
        uint16_t index;       /* as written to port 0x70 */
        uint16_t weekday;     /* days by which the weekday register is ahead of the calendar */
        uint8_t cmos[128];
    } s;
} Rtc;

static const Field rtc_state[] = {
    FIELD_(Rtc, base_seconds, FIELD_INT, true, 0, 2 * CALENDAR_MIN, CALENDAR_MAX),
    FIELD_(Rtc, settled, FIELD_INT, false, 0, 0, INT64_MAX),
    FIELD_(Rtc, phase, FIELD_UINT, true, 0, 0, NS - 1),
    FIELD_RANGE(Rtc, index, 0, 0, 0xff),
    FIELD_(Rtc, weekday, FIELD_UINT, true, 0, 0, 6),
    FIELD_BYTES_KEEP(Rtc, cmos, 0),
};

static Rtc *rtc(Device *dev)
{
    return container_of(dev, Rtc, dev);
}

static int64_t now_ns(Rtc *r)
{
    return clock_now(r->dev.env->clock);
}

/* ---- time ---- */

/* Nanoseconds that the divider chain has counted. */
static uint64_t divider(const Rtc *r, int64_t ns)
{
    return (uint64_t)ns + r->s.phase;
}

static int64_t seconds_at(const Rtc *r, int64_t ns)
{
    return r->s.base_seconds + (int64_t)(divider(r, ns) / NS);
}

static bool divider_held(const Rtc *r)
{
    return (r->s.cmos[REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

/* The time registers do not advance. */
static bool stopped(const Rtc *r)
{
    return divider_held(r) || (r->s.cmos[REG_B] & B_SET);
}

static uint8_t encode(const Rtc *r, int value)
{
    return (uint8_t)(r->s.cmos[REG_B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static int decode(const Rtc *r, uint8_t value)
{
    return r->s.cmos[REG_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static uint8_t encode_hour(const Rtc *r, int hour)
{
    if (r->s.cmos[REG_B] & B_24H) {
        return encode(r, hour);
    }
    return (uint8_t)(encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0));
}

static int decode_hour(const Rtc *r, uint8_t value)
{
    if (r->s.cmos[REG_B] & B_24H) {
        return decode(r, value);
    }
    return decode(r, value & 0x7f) % 12 + (value & HOUR_PM ? 12 : 0);
}

/* Bring the time registers up to date. */
static void store_time(Rtc *r, int64_t ns)
{
    Calendar c = calendar_from_seconds(seconds_at(r, ns));
    uint8_t *m = r->s.cmos;
    m[SECONDS] = encode(r, c.second);
    m[MINUTES] = encode(r, c.minute);
    m[HOURS] = encode_hour(r, c.hour);
    m[WEEKDAY] = encode(r, (c.weekday - 1 + r->s.weekday) % 7 + 1);
    m[DAY] = encode(r, c.day);
    m[MONTH] = encode(r, c.month);
    m[YEAR] = encode(r, c.year % 100);
    m[MC146818_CENTURY] = encode(r, c.year / 100);
}

/* The clock goes on from the time registers; the divider chain is where it is. */
static void load_time(Rtc *r, int64_t ns)
{
    const uint8_t *m = r->s.cmos;
    Calendar c = {
        .year = decode(r, m[MC146818_CENTURY]) * 100 + decode(r, m[YEAR]),
        .month = decode(r, m[MONTH]),
        .day = decode(r, m[DAY]),
        .hour = decode_hour(r, m[HOURS]),
        .minute = decode(r, m[MINUTES]),
        .second = decode(r, m[SECONDS]),
    };
    int64_t seconds = calendar_to_seconds(&c);
    r->s.base_seconds = seconds - (int64_t)(divider(r, ns) / NS);
    int weekday = calendar_from_seconds(seconds).weekday;
    r->s.weekday = (uint16_t)((decode(r, m[WEEKDAY]) + 14 - weekday) % 7);
}

static bool is_time(unsigned index)
{
    return index == MC146818_CENTURY || (index <= YEAR && index != SECONDS_ALARM && index != MINUTES_ALARM &&
                                         index != HOURS_ALARM);
}

/* ---- events ---- */

/* Cycles of the crystal between two periodic events, 0 for none: "Periodic interrupt selection". */
static uint32_t periodic_cycles(const Rtc *r)
{
    unsigned rate = r->s.cmos[REG_A] & A_RATE;
    if (rate == 0 || divider_held(r)) {
        return 0;
    }
    return rate <= 2 ? 64u << rate : 1u << (rate - 1);
}

static uint64_t periodic_count(const Rtc *r, int64_t ns, uint32_t cycles)
{
    return muldiv64(divider(r, ns), CRYSTAL_HZ, NS) / cycles;
}

/* The values that an alarm register matches, of 0..limit-1: one, or all for "don't care". */
static uint64_t alarm_mask(const Rtc *r, unsigned index, int limit)
{
    uint8_t reg = r->s.cmos[index];
    if ((reg & 0xc0) == 0xc0) {
        return MASK64(limit - 1, 0);
    }
    int value = index == HOURS_ALARM ? decode_hour(r, reg) : decode(r, reg);
    return value < limit ? BIT64(value) : 0;
}

/* Seconds from a time to the next one that matches the alarm, 1..86400; 0: it never does. */
static uint32_t seconds_to_alarm(const Rtc *r, int64_t seconds)
{
    uint64_t hours = alarm_mask(r, HOURS_ALARM, 24), minutes = alarm_mask(r, MINUTES_ALARM, 60);
    uint64_t second_mask = alarm_mask(r, SECONDS_ALARM, 60);
    if (!hours || !minutes || !second_mask) {
        return 0;
    }
    uint32_t start = (uint32_t)((seconds - CALENDAR_MIN) % DAY_SECONDS + DAY_SECONDS) % DAY_SECONDS, ahead = 1;
    while (ahead <= DAY_SECONDS) {
        uint32_t t = (start + ahead) % DAY_SECONDS;
        if (!(hours >> (t / 3600) & 1)) {
            ahead += 3600 - t % 3600;
        } else if (!(minutes >> (t / 60 % 60) & 1)) {
            ahead += 60 - t % 60;
        } else if (!(second_mask >> (t % 60) & 1)) {
            ahead++;
        } else {
            return ahead;
        }
    }
    return 0;
}

/* Set the flags of all events up to now. */
static void settle(Rtc *r)
{
    int64_t now = now_ns(r), from = MIN(r->s.settled, now);
    uint32_t cycles = periodic_cycles(r);
    uint8_t *flags = &r->s.cmos[REG_C];
    r->s.settled = now;
    if (cycles && periodic_count(r, now, cycles) != periodic_count(r, from, cycles)) {
        *flags |= PERIODIC;
    }
    int64_t before = seconds_at(r, from), after = seconds_at(r, now);
    if (stopped(r) || before == after) {
        return;
    }
    *flags |= UPDATE;
    uint32_t ahead = seconds_to_alarm(r, before);
    if (ahead && before + ahead <= after) {
        *flags |= ALARM;
    }
}

/* The virtual time at which the divider chain reaches a count. */
static int64_t divider_ns(const Rtc *r, uint64_t count)
{
    return count > (uint64_t)INT64_MAX ? TIMER_OFF : (int64_t)count - (int64_t)r->s.phase;
}

/* When the next enabled interrupt becomes due that is not shown already. */
static int64_t next_interrupt(const Rtc *r)
{
    unsigned wanted = r->s.cmos[REG_B] & ~r->s.cmos[REG_C] & C_EVENTS;
    uint64_t count = divider(r, r->s.settled), second = count / NS;
    uint32_t cycles = periodic_cycles(r);
    int64_t next = TIMER_OFF;
    if ((wanted & PERIODIC) && cycles) {
        uint64_t crystal = (periodic_count(r, r->s.settled, cycles) + 1) * cycles;
        uint64_t at = muldiv64(crystal, NS, CRYSTAL_HZ);
        next = divider_ns(r, at + (muldiv64(at, CRYSTAL_HZ, NS) < crystal));
    }
    if (stopped(r)) {
        return next;
    }
    if (wanted & UPDATE) {
        next = MIN(next, divider_ns(r, (second + 1) * NS));
    }
    uint32_t ahead = wanted & ALARM ? seconds_to_alarm(r, seconds_at(r, r->s.settled)) : 0;
    return ahead ? MIN(next, divider_ns(r, (second + ahead) * NS)) : next;
}

static uint8_t reg_c(const Rtc *r)
{
    uint8_t flags = r->s.cmos[REG_C] & C_EVENTS;
    return flags & r->s.cmos[REG_B] ? flags | C_IRQF : flags;
}

static void rtc_update(Device *dev)
{
    Rtc *r = rtc(dev);
    irq_set(&r->irq8, reg_c(r) & C_IRQF);
    timer_set(&r->timer, next_interrupt(r));
}

static void rtc_timer(void *opaque)
{
    settle(opaque);
    device_update(&((Rtc *)opaque)->dev);
}

/* ---- registers ---- */

/* A and B decide whether the clock runs. */
static void write_control(Rtc *r, unsigned index, uint8_t value)
{
    int64_t now = r->s.settled;
    bool was_stopped = stopped(r), was_held = divider_held(r);
    if (!was_stopped) {
        store_time(r, now);
    }
    if (index == REG_A) {
        r->s.cmos[REG_A] = value & ~A_UIP;
    } else {
        /* "SET": it clears UIE */
        r->s.cmos[REG_B] = value & B_SET ? value & (uint8_t)~UPDATE : value;
    }
    if (was_held && !divider_held(r)) {
        /* "Divider control": the first update comes half a second after the reset is released */
        r->s.phase = (uint32_t)((NS / 2 + NS - now % NS) % NS);
    }
    if (was_stopped && !stopped(r)) {
        load_time(r, now);
    }
}

static void data_write(Rtc *r, unsigned index, uint8_t value)
{
    settle(r);
    switch (index) {
    case REG_A:
    case REG_B:
        write_control(r, index, value);
        return;
    case REG_C:
    case REG_D:
        return;
    default:
        break;
    }
    bool running_time = is_time(index) && !stopped(r);
    if (running_time) {
        store_time(r, r->s.settled);
    }
    r->s.cmos[index] = value;
    if (running_time) {
        load_time(r, r->s.settled);
    }
}

static uint8_t data_read(Rtc *r, unsigned index)
{
    uint8_t value;
    settle(r);
    switch (index) {
    case REG_A:
        value = r->s.cmos[REG_A] & (uint8_t)~A_UIP;
        if (!stopped(r) && divider(r, r->s.settled) % NS >= NS - UIP_NS) {
            value |= A_UIP;
        }
        return value;
    case REG_C:
        value = reg_c(r);
        r->s.cmos[REG_C] = 0; /* "Register C": cleared by a read */
        return value;
    case REG_D:
        return D_VALID;
    default:
        if (is_time(index) && !stopped(r)) {
            store_time(r, r->s.settled);
        }
        return r->s.cmos[index];
    }
}

static uint64_t rtc_read(void *opaque, uint64_t offset, unsigned size)
{
    Rtc *r = opaque;
    return offset == 1 ? data_read(r, r->s.index & 0x7f) : 0xff; /* the index is write-only */
}

static void rtc_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rtc *r = opaque;
    if (offset == 0) {
        r->s.index = (uint16_t)(value & 0xff);
    } else {
        data_write(r, r->s.index & 0x7f, (uint8_t)value);
    }
}

/* ---- for the board ---- */

void mc146818_set_cmos(Device *dev, unsigned index, uint8_t value)
{
    if (index > REG_D && index < sizeof(rtc(dev)->s.cmos) && !is_time(index)) {
        rtc(dev)->s.cmos[index] = value;
    }
}

uint8_t mc146818_get_cmos(Device *dev, unsigned index)
{
    return index > REG_D && index < sizeof(rtc(dev)->s.cmos) ? rtc(dev)->s.cmos[index] : 0;
}

int64_t mc146818_get_time(Device *dev)
{
    Rtc *r = rtc(dev);
    if (!stopped(r)) {
        return seconds_at(r, now_ns(r));
    }
    Rtc copy = *r;
    load_time(&copy, now_ns(r));
    return seconds_at(&copy, now_ns(r));
}

void mc146818_set_time(Device *dev, int64_t seconds)
{
    Rtc *r = rtc(dev);
    int64_t now = now_ns(r);
    settle(r);
    r->s.base_seconds = CLAMP(seconds, CALENDAR_MIN, CALENDAR_MAX) - (int64_t)(divider(r, now) / NS);
    r->s.weekday = 0;
    store_time(r, now);
    device_update(dev);
}

bool mc146818_nmi_masked(Device *dev)
{
    return rtc(dev)->s.index & INDEX_NMI;
}

/* ---- life ---- */

static const RegionOps rtc_ops = {.read = rtc_read, .write = rtc_write, .max_size = 1};

/* Calendar time at power-on, from the host's clock unless a date is given. */
static bool base_time(const Rtc *r, int64_t *seconds, uint32_t *ns, GError **error)
{
    gint64 us = g_get_real_time();
    *seconds = us / G_USEC_PER_SEC;
    *ns = (uint32_t)(us % G_USEC_PER_SEC * 1000);
    if (!r->base || strcmp(r->base, "utc") == 0) {
        return true;
    }
    if (strcmp(r->base, "localtime") == 0) {
        g_autoptr(GDateTime) local = g_date_time_new_from_unix_local(*seconds);
        *seconds += local ? g_date_time_get_utc_offset(local) / G_USEC_PER_SEC : 0;
        return true;
    }
    *ns = 0;
    if (!calendar_parse(r->base, seconds)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "base=%s: not \"utc\", \"localtime\" or a date like 2026-06-17 or 2026-06-17T16:01:21", r->base);
        return false;
    }
    return true;
}

static bool rtc_realize(Device *dev, GError **error)
{
    Rtc *r = rtc(dev);
    int64_t seconds, now = now_ns(r);
    uint32_t ns;
    if (!base_time(r, &seconds, &ns, error)) {
        return false;
    }
    r->s.cmos[REG_A] = 0x26; /* what firmware sets: 32768 Hz, periodic rate 1024 Hz */
    r->s.cmos[REG_B] = B_24H;
    r->s.cmos[REG_D] = D_VALID;
    r->s.phase = (uint32_t)((ns + NS - now % NS) % NS);
    r->s.base_seconds = seconds - (int64_t)(divider(r, now) / NS);
    store_time(r, now);
    timer_init(&r->timer, dev->env->clock, rtc_timer, r);
    region_allow_late(device_region_init_io(dev, "rtc", 2, &rtc_ops), 0, 1); /* the index */
    return true;
}

static void rtc_unrealize(Device *dev)
{
    timer_fini(&rtc(dev)->timer);
}

/* "RESET": the interrupt enables, SQWE and register C are cleared; time and memory are not touched. */
static void rtc_reset(Device *dev)
{
    Rtc *r = rtc(dev);
    r->s.cmos[REG_B] &= (uint8_t)~(C_EVENTS | B_SQWE);
    r->s.cmos[REG_C] = 0;
    r->s.settled = now_ns(r);
}

static const Prop rtc_props[] = {
    PROP_STR_(Rtc, "base", base, "time at power-on: utc, localtime or a date (2026-06-17T16:01:21)"),
};

static const Pin rtc_pins[] = {PIN(Rtc, "irq8", irq8)};

DEVICE_TYPE(mc146818, Rtc, .name = "mc146818rtc", .desc = "MC146818 real-time clock and CMOS memory",
            FIELDS(rtc_state), PROPS(rtc_props), PINS(rtc_pins), .realize = rtc_realize,
            .unrealize = rtc_unrealize, .reset = rtc_reset, .update = rtc_update);
