/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real-time clock against the Motorola MC146818A data sheet (1984); section names in the comments. */
#include "hw/rtc/mc146818.h"

#include <time.h>

#include "hw/rtc/calendar.h"
#include "tests/device/harness.h"

enum { A = 10, B, C, D };
enum { UF = 0x10, AF = 0x20, PF = 0x40, IRQF = 0x80, SET = 0x80 };

typedef struct Fixture {
    TestEnv *t;
    Device *rtc;
    TestPin irq8;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->t = test_env_new();
    f->rtc = test_device(f->t, "mc146818rtc", "base", data, NULL);
    test_pin(f->rtc, "irq8", 0, &f->irq8);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    test_env_free(f->t);
}

static uint8_t rd(Fixture *f, uint8_t index)
{
    test_out(f->rtc, 0, index);
    return test_in(f->rtc, 1);
}

static void wr(Fixture *f, uint8_t index, uint8_t value)
{
    test_out(f->rtc, 0, index);
    test_out(f->rtc, 1, value);
}

static void ms(Fixture *f, int64_t n)
{
    clock_advance(f->t->clock, n * NS_PER_MS);
}

/* The time registers in a text: century year month day weekday hour minute second. */
static char *shown(Fixture *f)
{
    return g_strdup_printf("%02x%02x-%02x-%02x %x %02x:%02x:%02x", rd(f, 0x32), rd(f, 9), rd(f, 8), rd(f, 7),
                           rd(f, 6), rd(f, 4), rd(f, 2), rd(f, 0));
}

#define ASSERT_SHOWS(f, want)                                                                                        \
    do {                                                                                                             \
        g_autofree char *shown_ = shown(f);                                                                          \
        g_assert_cmpstr(shown_, ==, want);                                                                           \
    } while (0)

#define DATE "2023-12-31T23:59:58"

/* "Time, calendar and alarm locations": BCD and binary, 24 and 12 hours, the turn of the year. */
static void calendar(Fixture *f, gconstpointer data)
{
    ASSERT_SHOWS(f, "2023-12-31 1 23:59:58");
    ms(f, 1999);
    ASSERT_SHOWS(f, "2023-12-31 1 23:59:59");
    ms(f, 1);
    ASSERT_SHOWS(f, "2024-01-01 2 00:00:00");
    g_assert_cmpint(mc146818_get_time(f->rtc), ==, 1704067200);
    wr(f, B, 0x00); /* BCD, 12 hours */
    g_assert_cmphex(rd(f, 4), ==, 0x12);
    ms(f, 13 * 3600000ll);
    g_assert_cmphex(rd(f, 4), ==, 0x81);
    wr(f, B, 0x06); /* binary, 24 hours */
    g_assert_cmphex(rd(f, 4), ==, 13);
    g_assert_cmphex(rd(f, 9), ==, 24);
    g_assert_cmphex(rd(f, 0x32), ==, 20);
    ms(f, 58 * 86400000ll); /* 28 February, then the leap day */
    g_assert_cmpuint(rd(f, 8), ==, 2);
    g_assert_cmpuint(rd(f, 7), ==, 28);
    ms(f, 86400000ll);
    g_assert_cmpuint(rd(f, 7), ==, 29);
    ms(f, 86400000ll);
    g_assert_cmpuint(rd(f, 8), ==, 3);
    g_assert_cmpuint(rd(f, 7), ==, 1);
}

/* "SET": the registers stand still while it is set, and the clock goes on from them. */
static void set_time(Fixture *f, gconstpointer data)
{
    ms(f, 300);
    wr(f, B, SET | 0x12);
    g_assert_cmphex(rd(f, B), ==, SET | 0x02); /* SET clears UIE */
    ms(f, 5000);
    ASSERT_SHOWS(f, "2023-12-31 1 23:59:58");
    wr(f, 0x32, 0x19);
    wr(f, 9, 0x99);
    wr(f, 8, 0x06);
    wr(f, 7, 0x15);
    wr(f, 6, 0x03);
    wr(f, 4, 0x12);
    wr(f, 2, 0x34);
    wr(f, 0, 0x56);
    wr(f, B, 0x02);
    ASSERT_SHOWS(f, "1999-06-15 3 12:34:56");
    ms(f, 699); /* the divider chain went on: 300 ms of this second had passed */
    g_assert_cmphex(rd(f, 0), ==, 0x56);
    ms(f, 1);
    g_assert_cmphex(rd(f, 0), ==, 0x57);
    wr(f, 4, 0x00); /* without SET it works too, between updates */
    ASSERT_SHOWS(f, "1999-06-15 3 00:34:57");
    /* what no calendar has is brought into it */
    wr(f, B, SET | 0x02);
    wr(f, 8, 0xff);
    wr(f, 7, 0x99);
    wr(f, B, 0x02);
    ASSERT_SHOWS(f, "1999-12-31 3 00:34:57");
}

/* "Divider control": stopped in reset, first update half a second after it is released. */
static void divider(Fixture *f, gconstpointer data)
{
    ms(f, 123);
    wr(f, A, 0x76);
    ms(f, 10000);
    g_assert_cmphex(rd(f, 0), ==, 0x58);
    wr(f, A, 0x26);
    ms(f, 499);
    g_assert_cmphex(rd(f, 0), ==, 0x58);
    ms(f, 1);
    g_assert_cmphex(rd(f, 0), ==, 0x59);
    ms(f, 1000);
    g_assert_cmphex(rd(f, 0), ==, 0x00);
}

/* "Update cycle": after UIP is read clear, the time does not change for 244 us. */
static void update_in_progress(Fixture *f, gconstpointer data)
{
    g_assert_cmphex(rd(f, A), ==, 0x26);
    ms(f, 997);
    g_assert_cmphex(rd(f, A), ==, 0x26);
    ms(f, 1);
    g_assert_cmphex(rd(f, A), ==, 0xa6);
    g_assert_cmphex(rd(f, 0), ==, 0x58);
    wr(f, B, SET | 0x02);
    g_assert_cmphex(rd(f, A), ==, 0x26);
    wr(f, B, 0x02);
    ms(f, 2);
    g_assert_cmphex(rd(f, A), ==, 0x26);
    g_assert_cmphex(rd(f, 0), ==, 0x59);
}

/* "Update-ended interrupt", "Register C": flags without enables, cleared by the read, pin by enables. */
static void update_ended(Fixture *f, gconstpointer data)
{
    wr(f, A, 0x20);
    wr(f, 1, 0x75); /* the alarm never matches */
    g_assert_cmphex(rd(f, C), ==, 0);
    ms(f, 1000);
    g_assert_cmphex(rd(f, C), ==, UF);
    g_assert_cmphex(rd(f, C), ==, 0);
    wr(f, B, 0x12);
    ms(f, 999);
    g_assert_false(f->irq8.level);
    ms(f, 1);
    g_assert_true(f->irq8.level);
    ms(f, 5000);
    g_assert_cmpuint(f->irq8.rises, ==, 1);
    g_assert_cmpint(clock_deadline(f->t->clock), ==, TIMER_OFF); /* nothing to do until C is read */
    g_assert_cmphex(rd(f, C), ==, IRQF | UF);
    g_assert_false(f->irq8.level);
    ms(f, 1000);
    g_assert_true(f->irq8.level);
}

/* "Alarm interrupt": an exact time, and "don't care" codes 0xc0..0xff. */
static void alarm_times(Fixture *f, gconstpointer data)
{
    wr(f, A, 0x20);
    wr(f, 5, 0x00);
    wr(f, 3, 0x01);
    wr(f, 1, 0x30);
    wr(f, B, 0x22);
    ms(f, 91999);
    g_assert_false(f->irq8.level);
    ms(f, 1);
    g_assert_true(f->irq8.level);
    ASSERT_SHOWS(f, "2024-01-01 2 00:01:30");
    g_assert_cmphex(rd(f, C), ==, IRQF | AF | UF);
    ms(f, 86399000);
    g_assert_false(f->irq8.level);
    ms(f, 1000);
    g_assert_true(f->irq8.level);
    rd(f, C);
    wr(f, 5, 0xff);
    wr(f, 3, 0xc0);
    wr(f, 1, 0x45); /* each minute */
    for (unsigned i = 0; i < 3; i++) {
        ms(f, i ? 59999 : 14999);
        g_assert_false(f->irq8.level);
        ms(f, 1);
        g_assert_true(f->irq8.level);
        rd(f, C);
    }
    wr(f, 1, 0xff); /* each second */
    ms(f, 1000);
    g_assert_true(f->irq8.level);
    rd(f, C);
    wr(f, 1, 0x75); /* never */
    g_assert_cmpint(clock_deadline(f->t->clock), ==, TIMER_OFF);
    ms(f, 100000000);
    g_assert_cmphex(rd(f, C), ==, UF);
    wr(f, B, 0x20); /* 12 hours: 1 PM */
    wr(f, 5, 0x81);
    wr(f, 3, 0x00);
    wr(f, 1, 0x00);
    int64_t seconds = mc146818_get_time(f->rtc) % 86400;
    ms(f, ((13 * 3600 - seconds + 86400) % 86400) * 1000);
    g_assert_true(f->irq8.level);
}

/* "Periodic interrupt selection": 1024 Hz, 8192 Hz, 2 Hz, 256 Hz, none. */
static void periodic(Fixture *f, gconstpointer data)
{
    static const struct {
        uint8_t rate;
        unsigned hz;
    } rates[] = {{6, 1024}, {3, 8192}, {15, 2}, {1, 256}, {2, 128}, {0, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        wr(f, A, 0x20 | rates[i].rate);
        wr(f, B, 0x42);
        rd(f, C);
        unsigned count = 0;
        for (int64_t left = 2 * NS_PER_SEC; left > 0; left -= 15259) {
            clock_advance(f->t->clock, MIN(left, 15259));
            if (f->irq8.level) {
                g_assert_cmphex(rd(f, C) & ~(unsigned)(UF | AF), ==, IRQF | PF); /* midnight: the alarm too */
                count++;
            }
        }
        g_assert_cmpuint(count, ==, 2 * rates[i].hz);
        wr(f, B, 0x02);
    }
}

static void memory(Fixture *f, gconstpointer data)
{
    wr(f, 0x0e, 0x55);
    wr(f, 0x7f, 0xaa);
    g_assert_cmphex(rd(f, 0x0e), ==, 0x55);
    g_assert_cmphex(rd(f, 0xff), ==, 0xaa); /* bit 7 is not part of the index */
    g_assert_true(mc146818_nmi_masked(f->rtc));
    g_assert_cmphex(test_in(f->rtc, 0), ==, 0xff);
    mc146818_set_cmos(f->rtc, 0x34, 0x12);
    g_assert_cmphex(rd(f, 0x34), ==, 0x12);
    g_assert_false(mc146818_nmi_masked(f->rtc));
    wr(f, D, 0);
    wr(f, C, 0xff);
    g_assert_cmphex(rd(f, D), ==, 0x80);
    g_assert_cmphex(rd(f, C) & 0x2f, ==, 0);
    wr(f, B, 0x7a);
    device_reset(f->rtc); /* "RESET" */
    g_assert_cmphex(rd(f, B), ==, 0x02);
    g_assert_cmphex(rd(f, 0x0e), ==, 0x55);
    Device *copy = test_clone(f->t, f->rtc);
    ms(f, 1500);
    g_assert_cmpint(mc146818_get_time(copy), ==, mc146818_get_time(f->rtc));
    mc146818_set_time(f->rtc, 951782400); /* 2000-02-29 */
    ASSERT_SHOWS(f, "2000-02-29 3 00:00:00");
}

static void host_time(void)
{
    TestEnv *t = test_env_new();
    Device *utc = test_device(t, "mc146818rtc", NULL);
    g_assert_cmpint(ABS(mc146818_get_time(utc) - (int64_t)time(NULL)), <=, 1);
    test_device(t, "mc146818rtc", "base", "localtime", NULL);
    Device *wrong = device_new(device_type_find("mc146818rtc"), NULL, &t->env);
    GError *error = NULL;
    g_assert_true(device_set_prop(wrong, "base", "2023-02-29", &error));
    g_assert_false(device_realize(wrong, &error));
    g_assert_nonnull(error);
    g_error_free(error);
    device_free(wrong);
    test_env_free(t);
}

/* Every day of 10000 years, there and back. */
static void calendar_round_trip(void)
{
    int weekday = 7; /* 0000-01-01 was a Saturday */
    Calendar last = {.year = -1};
    for (int64_t s = CALENDAR_MIN; s <= CALENDAR_MAX; s += 86400) {
        Calendar c = calendar_from_seconds(s);
        g_assert_cmpint(c.weekday, ==, weekday);
        g_assert_cmpint(calendar_to_seconds(&c), ==, s);
        bool next_day = c.day == last.day + 1 && c.month == last.month && c.year == last.year;
        bool next_month = c.day == 1 && (c.month == last.month + 1 || (c.month == 1 && c.year == last.year + 1));
        g_assert_true(next_day || next_month);
        last = c;
        weekday = weekday % 7 + 1;
    }
    g_assert_cmpint(last.year, ==, 9999);
    time_t now = 1700000000;
    struct tm tm;
    gmtime_r(&now, &tm);
    Calendar c = calendar_from_seconds(now);
    g_assert_cmpint(c.year, ==, tm.tm_year + 1900);
    g_assert_cmpint(c.month, ==, tm.tm_mon + 1);
    g_assert_cmpint(c.day, ==, tm.tm_mday);
    g_assert_cmpint(c.hour, ==, tm.tm_hour);
    g_assert_cmpint(c.weekday, ==, tm.tm_wday + 1);
    int64_t s;
    g_assert_true(calendar_parse("1970-01-02", &s));
    g_assert_cmpint(s, ==, 86400);
    g_assert_true(calendar_parse("1970-01-01T00:01:01", &s));
    g_assert_cmpint(s, ==, 61);
    g_assert_false(calendar_parse("1970-01-01T00:01", &s));
    g_assert_false(calendar_parse("1970-13-01", &s));
    g_assert_false(calendar_parse("now", &s));
    g_assert_false(calendar_parse("1970-01-01x", &s));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    const struct {
        const char *name;
        void (*fn)(Fixture *, gconstpointer);
    } tests[] = {
        {"/rtc/calendar", calendar}, {"/rtc/set", set_time}, {"/rtc/divider", divider},
        {"/rtc/uip", update_in_progress}, {"/rtc/update-ended", update_ended}, {"/rtc/alarm", alarm_times},
        {"/rtc/periodic", periodic}, {"/rtc/memory", memory},
    };
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        g_test_add(tests[i].name, Fixture, DATE, set_up, tests[i].fn, tear_down);
    }
    g_test_add_func("/rtc/host-time", host_time);
    g_test_add_func("/rtc/calendar-round-trip", calendar_round_trip);
    return g_test_run();
}
