/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 8254 against the Intel 82C54 data sheet (order 231244-006); section names in the comments. */
#include "hw/timer/i8254.h"

#include "tests/device/harness.h"

enum { COUNTER0, COUNTER1, COUNTER2, CONTROL };

typedef struct Fixture {
    TestEnv *t;
    Device *pit;
    TestPin irq0;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->t = test_env_new();
    f->pit = test_device(f->t, "i8254", NULL);
    test_pin(f->pit, "irq0", 0, &f->irq0);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    test_env_free(f->t);
}

/* Move to the first nanosecond of CLK pulse `tick`. */
static void to_tick(Fixture *f, uint64_t tick)
{
    int64_t ns = (int64_t)((tick * NS_PER_SEC + I8254_HZ - 1) / I8254_HZ);
    clock_advance(f->t->clock, ns - clock_now(f->t->clock));
}

static uint64_t tick(Fixture *f)
{
    return muldiv64((uint64_t)clock_now(f->t->clock), I8254_HZ, NS_PER_SEC);
}

static void load(Fixture *f, unsigned n, uint8_t control, uint16_t count)
{
    test_out(f->pit, CONTROL, (uint8_t)(n << 6 | control));
    if (control & 0x10) {
        test_out(f->pit, n, (uint8_t)count);
    }
    if (control & 0x20) {
        test_out(f->pit, n, (uint8_t)(count >> 8));
    }
}

static unsigned latched(Fixture *f, unsigned n)
{
    test_out(f->pit, CONTROL, (uint8_t)(n << 6));
    unsigned low = test_in(f->pit, n);
    return low | (unsigned)test_in(f->pit, n) << 8;
}

static uint8_t portb(Fixture *f)
{
    return (uint8_t)test_read(f->pit, 1, 0, 1);
}

/* "Mode 0": OUT low until N + 1 CLK pulses after the count was written, then high; the first byte stops it. */
static void mode0(Fixture *f, gconstpointer data)
{
    to_tick(f, 1000);
    load(f, 0, 0x30, 100);
    g_assert_false(f->irq0.level);
    g_assert_cmpuint(latched(f, 0), ==, 100);
    to_tick(f, 1001 + 99);
    g_assert_cmpuint(latched(f, 0), ==, 1);
    g_assert_false(f->irq0.level);
    to_tick(f, 1001 + 100);
    g_assert_true(f->irq0.level);
    to_tick(f, 1001 + 101);
    g_assert_cmpuint(latched(f, 0), ==, 0xffff); /* it counts on */
    to_tick(f, 5000);
    g_assert_cmpuint(f->irq0.rises, ==, 1);
    test_out(f->pit, COUNTER0, 50);
    g_assert_false(f->irq0.level);
    test_out(f->pit, COUNTER0, 0);
    to_tick(f, 5051);
    g_assert_true(f->irq0.level);
    g_assert_cmpint(clock_deadline(f->t->clock), ==, TIMER_OFF);
}

/* "Mode 2": one rising edge each N pulses, exact over ten minutes; the count runs from N to 1. */
static void mode2(Fixture *f, gconstpointer data)
{
    to_tick(f, 77);
    load(f, 0, 0x34, 1193);
    unsigned before = f->irq0.rises;
    to_tick(f, 78);
    g_assert_cmpuint(latched(f, 0), ==, 1193);
    to_tick(f, 78 + 1192);
    g_assert_cmpuint(latched(f, 0), ==, 1);
    g_assert_false(f->irq0.level);
    to_tick(f, 78 + 1193);
    g_assert_cmpuint(latched(f, 0), ==, 1193);
    g_assert_true(f->irq0.level);
    g_assert_cmpuint(f->irq0.rises - before, ==, 1);
    to_tick(f, 78 + 1193ull * 600000);
    g_assert_cmpuint(f->irq0.rises - before, ==, 600000);
    g_assert_cmpuint(latched(f, 0), ==, 1193);
}

/* "Mode 2": a count written while counting is used from the end of the cycle on. */
static void mode2_reload(Fixture *f, gconstpointer data)
{
    to_tick(f, 0);
    load(f, 0, 0x34, 1000);
    to_tick(f, 301);
    test_out(f->pit, COUNTER0, 0xd0);
    test_out(f->pit, COUNTER0, 0x07); /* 2000 */
    g_assert_cmpuint(latched(f, 0), ==, 700);
    test_out(f->pit, CONTROL, 0xe2); /* read-back, status: NULL COUNT until the load */
    g_assert_cmphex(test_in(f->pit, 0), ==, 0xf4);
    unsigned before = f->irq0.rises;
    to_tick(f, 1001);
    g_assert_cmpuint(f->irq0.rises - before, ==, 1);
    g_assert_cmpuint(latched(f, 0), ==, 2000);
    test_out(f->pit, CONTROL, 0xe2);
    g_assert_cmphex(test_in(f->pit, 0), ==, 0xb4);
    to_tick(f, 3000);
    g_assert_cmpuint(f->irq0.rises - before, ==, 1);
    to_tick(f, 3001);
    g_assert_cmpuint(f->irq0.rises - before, ==, 2);
}

/* "Mode 3": even counts 1:1, odd ones a tick longer high; the count steps by two. */
static void mode3(Fixture *f, gconstpointer data)
{
    to_tick(f, 10);
    load(f, 0, 0x36, 1001);
    to_tick(f, 11 + 500);
    g_assert_true(f->irq0.level);
    g_assert_cmpuint(latched(f, 0), ==, 0);
    to_tick(f, 11 + 501);
    g_assert_false(f->irq0.level);
    g_assert_cmpuint(latched(f, 0), ==, 1000);
    to_tick(f, 11 + 1000);
    g_assert_false(f->irq0.level);
    to_tick(f, 11 + 1001);
    g_assert_true(f->irq0.level);
    load(f, 0, 0x36, 0); /* 65536: 18.2 Hz */
    unsigned before = f->irq0.rises;
    uint64_t start = tick(f) + 1;
    to_tick(f, start + 65536ull * 18);
    g_assert_cmpuint(f->irq0.rises - before, ==, 18);
    g_assert_cmpuint(latched(f, 0), ==, 0);
}

/* "Mode 3": a new count is loaded at the end of the half-cycle. */
static void mode3_reload(Fixture *f, gconstpointer data)
{
    to_tick(f, 0);
    load(f, 0, 0x36, 1000);
    to_tick(f, 101);
    test_out(f->pit, COUNTER0, 200);
    test_out(f->pit, COUNTER0, 0);
    to_tick(f, 500);
    g_assert_true(f->irq0.level);
    to_tick(f, 501);
    g_assert_false(f->irq0.level);
    to_tick(f, 600);
    g_assert_false(f->irq0.level);
    to_tick(f, 601);
    g_assert_true(f->irq0.level);
    to_tick(f, 701);
    g_assert_false(f->irq0.level);
}

/* "Mode 4": low for one CLK, N + 1 pulses after the count was written. */
static void mode4(Fixture *f, gconstpointer data)
{
    load(f, 2, 0x38, 100);
    test_write(f->pit, 1, 0, 1, 1); /* gate */
    load(f, 2, 0x38, 100);
    to_tick(f, 100);
    g_assert_cmphex(portb(f) & 0x20, ==, 0x20);
    to_tick(f, 101);
    g_assert_cmphex(portb(f) & 0x20, ==, 0);
    to_tick(f, 102);
    g_assert_cmphex(portb(f) & 0x20, ==, 0x20);
    /* on counter 0 the pulse's rising edge interrupts, once */
    unsigned before = f->irq0.rises;
    load(f, 0, 0x38, 100);
    to_tick(f, 102 + 101);
    g_assert_cmpuint(f->irq0.rises, ==, before);
    to_tick(f, 102 + 102);
    g_assert_cmpuint(f->irq0.rises, ==, before + 1);
    to_tick(f, 100000);
    g_assert_cmpuint(f->irq0.rises, ==, before + 1);
}

/* "Mode 1" and "Mode 5": started by the rising edge of GATE, retriggerable. */
static void triggered_modes(Fixture *f, gconstpointer data)
{
    load(f, 2, 0x32, 100);
    to_tick(f, 50);
    g_assert_cmphex(portb(f) & 0x20, ==, 0x20);
    test_out(f->pit, CONTROL, 0xe8);
    g_assert_cmphex(test_in(f->pit, 2), ==, 0xf2); /* not loaded before the trigger */
    test_write(f->pit, 1, 0, 1, 1);
    to_tick(f, 51);
    g_assert_cmphex(portb(f) & 0x20, ==, 0);
    to_tick(f, 100);
    test_write(f->pit, 1, 0, 0, 1);
    test_write(f->pit, 1, 0, 1, 1); /* again: 100 more */
    g_assert_cmphex(portb(f) & 0x20, ==, 0);
    to_tick(f, 200);
    g_assert_cmphex(portb(f) & 0x20, ==, 0);
    to_tick(f, 201);
    g_assert_cmphex(portb(f) & 0x20, ==, 0x20);
    test_write(f->pit, 1, 0, 0, 1);
    load(f, 2, 0x3a, 30);
    test_write(f->pit, 1, 0, 1, 1);
    to_tick(f, 231);
    g_assert_cmphex(portb(f) & 0x20, ==, 0x20);
    to_tick(f, 232);
    g_assert_cmphex(portb(f) & 0x20, ==, 0);
    to_tick(f, 233);
    g_assert_cmphex(portb(f) & 0x20, ==, 0x20);
}

/* "Gate pin operations summary": low disables counting in mode 0; in mode 2 it sets OUT high and then reloads. */
static void gate(Fixture *f, gconstpointer data)
{
    load(f, 2, 0x30, 100); /* gate low: loaded, not counting */
    to_tick(f, 500);
    g_assert_cmpuint(latched(f, 2), ==, 100);
    test_write(f->pit, 1, 0, 1, 1);
    to_tick(f, 540);
    g_assert_cmpuint(latched(f, 2), ==, 60);
    test_write(f->pit, 1, 0, 0, 1);
    to_tick(f, 900);
    g_assert_cmpuint(latched(f, 2), ==, 60);
    test_write(f->pit, 1, 0, 3, 1);
    to_tick(f, 959);
    g_assert_cmphex(portb(f) & 0x23, ==, 0x03);
    g_assert_false(i8254_speaker(f->pit));
    to_tick(f, 960);
    g_assert_cmphex(portb(f) & 0x23, ==, 0x23);
    g_assert_true(i8254_speaker(f->pit));
    load(f, 2, 0x34, 50);
    to_tick(f, 961 + 30);
    test_write(f->pit, 1, 0, 0, 1);
    g_assert_cmpuint(latched(f, 2), ==, 20);
    to_tick(f, 2000);
    g_assert_cmphex(portb(f) & 0x20, ==, 0x20);
    test_write(f->pit, 1, 0, 1, 1);
    to_tick(f, 2001);
    g_assert_cmpuint(latched(f, 2), ==, 50);
}

/* "Control word format", RW and BCD; "Counter latch command"; "Read-back command". */
static void access_modes(Fixture *f, gconstpointer data)
{
    test_write(f->pit, 1, 0, 1, 1);
    load(f, 2, 0x10, 0x34); /* low byte only */
    g_assert_cmphex(test_in(f->pit, 2), ==, 0x34);
    g_assert_cmphex(test_in(f->pit, 2), ==, 0x34);
    load(f, 2, 0x20, 0x1200); /* high byte only */
    g_assert_cmphex(test_in(f->pit, 2), ==, 0x12);
    load(f, 2, 0x31, 0x1000); /* BCD: 999 comes after 1000 */
    uint64_t start = tick(f) + 1;
    to_tick(f, start + 1);
    g_assert_cmphex(latched(f, 2), ==, 0x0999);
    to_tick(f, start + 1001);
    g_assert_cmphex(latched(f, 2), ==, 0x9999);
    /* a latched count stays until read, the second latch command is ignored; status comes first */
    load(f, 2, 0x30, 500);
    start = tick(f) + 1;
    to_tick(f, start + 100);
    test_out(f->pit, CONTROL, 0xc8); /* count and status of counter 2 */
    to_tick(f, start + 200);
    test_out(f->pit, CONTROL, 0xd8);
    g_assert_cmphex(test_in(f->pit, 2), ==, 0x30);
    g_assert_cmphex(test_in(f->pit, 2), ==, 400 & 0xff);
    g_assert_cmphex(test_in(f->pit, 2), ==, 400 >> 8);
    g_assert_cmphex(test_in(f->pit, 2), ==, 300 & 0xff);
    g_assert_cmphex(test_in(f->pit, CONTROL), ==, 0xff);
}

/* Port B, PIIX3 2.5.5: bits 0-3 are kept, bit 4 toggles with the refresh, every 15 us. */
static void port_b(Fixture *f, gconstpointer data)
{
    test_write(f->pit, 1, 0, 0xff, 1);
    g_assert_cmphex(portb(f) & 0xcf, ==, 0x0f);
    unsigned toggles = 0, last = portb(f) & 0x10;
    for (unsigned us = 0; us < 1500; us++) {
        clock_advance(f->t->clock, 1000);
        unsigned bit = portb(f) & 0x10;
        toggles += bit != last;
        last = bit;
    }
    g_assert_cmpuint(toggles, >=, 98);
    g_assert_cmpuint(toggles, <=, 101);
}

/* A tiny count: at most one timer each 50 us, and nothing at all when no one listens. */
static void no_storm(Fixture *f, gconstpointer data)
{
    unsigned before = f->irq0.rises;
    load(f, 0, 0x34, 2);
    clock_advance(f->t->clock, NS_PER_SEC);
    g_assert_cmpuint(f->irq0.rises - before, >, 15000);
    g_assert_cmpuint(f->irq0.rises - before, <=, 20001);
    load(f, 0, 0x36, 1);
    before = f->irq0.rises;
    clock_advance(f->t->clock, NS_PER_SEC);
    g_assert_cmpuint(f->irq0.rises, ==, before);
    load(f, 2, 0x34, 2);
    device_connect(f->pit, "irq0", 0, (Irq){0});
    load(f, 0, 0x34, 2);
    g_assert_cmpint(clock_deadline(f->t->clock), ==, TIMER_OFF);
}

static void snapshot(Fixture *f, gconstpointer data)
{
    load(f, 0, 0x34, 5000);
    to_tick(f, 1001);
    Device *copy = test_clone(f->t, f->pit);
    TestPin pin;
    test_pin(copy, "irq0", 0, &pin);
    device_update(copy);
    unsigned before = f->irq0.rises, copied = pin.rises;
    to_tick(f, 50001);
    g_assert_cmpuint(f->irq0.rises - before, ==, 10);
    g_assert_cmpuint(pin.rises - copied, ==, 10);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    const struct {
        const char *name;
        void (*fn)(Fixture *, gconstpointer);
    } tests[] = {
        {"/i8254/mode0", mode0}, {"/i8254/mode2", mode2}, {"/i8254/mode2-reload", mode2_reload},
        {"/i8254/mode3", mode3}, {"/i8254/mode3-reload", mode3_reload}, {"/i8254/mode4", mode4},
        {"/i8254/modes1-and-5", triggered_modes}, {"/i8254/gate", gate}, {"/i8254/access", access_modes},
        {"/i8254/port-b", port_b}, {"/i8254/no-storm", no_storm}, {"/i8254/snapshot", snapshot},
    };
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].fn, tear_down);
    }
    return g_test_run();
}
