/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 16550A against the PC16550D data sheet (June 1995), section 8. */
#include "hw/char/uart16550.h"

#include <string.h>

#include "chardev/backend.h"
#include "tests/device/harness.h"

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = RBR, FCR = IIR };

/* ---- a backend of our own ---- */

typedef struct TestLine {
    Chardev chr;
    size_t room;       /* bytes it still takes */
    GString *sent;
    const char *input; /* what it has to say */
} TestLine;

static size_t line_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    TestLine *c = container_of(chr, TestLine, chr);
    size_t n = MIN(len, c->room);
    g_string_append_len(c->sent, (const char *)buf, (gssize)n);
    c->room -= n;
    return n;
}

static void line_accept_input(Chardev *chr)
{
    TestLine *c = container_of(chr, TestLine, chr);
    size_t n;
    while (*c->input && (n = char_can_receive(chr)) > 0) {
        n = MIN(n, strlen(c->input));
        const char *piece = c->input;
        c->input += n;
        char_receive(chr, (const uint8_t *)piece, n);
    }
}

static bool line_opened(const Chardev *chr)
{
    return true;
}

static const CharOps line_ops = {
    .write = line_write,
    .accept_input = line_accept_input,
    .opened = line_opened,
};

/* ---- fixture ---- */

typedef struct Fixture {
    TestEnv *t;
    TestLine chr;
    Device *uart;
    TestPin irq;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->t = test_env_new();
    f->chr = (TestLine){.chr.ops = &line_ops, .room = 1000000, .sent = g_string_new(NULL), .input = data};
    f->uart = test_device_new(f->t, "isa-serial");
    device_set_chardev(f->uart, "chardev", &f->chr.chr);
    test_realize(f->uart);
    test_pin(f->uart, "irq", 0, &f->irq);
    test_out(f->uart, MCR, 0x0b);
    test_out(f->uart, LCR, 0x03);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    test_env_free(f->t);
    g_assert_false(f->chr.chr.attached);
    g_string_free(f->chr.sent, true);
}

static void say(Fixture *f, const char *text)
{
    f->chr.input = text;
    chardev_accept_input(&f->chr.chr);
}

static uint8_t in(Fixture *f, unsigned reg)
{
    return test_in(f->uart, reg);
}

static void out(Fixture *f, unsigned reg, uint8_t value)
{
    test_out(f->uart, reg, value);
}

/* ---- tests ---- */

/* Table II: registers by DLAB, and their bits that exist. */
static void registers(Fixture *f, gconstpointer data)
{
    out(f, SCR, 0xa5);
    g_assert_cmphex(in(f, SCR), ==, 0xa5);
    out(f, IER, 0xff);
    g_assert_cmphex(in(f, IER), ==, 0x0f);
    out(f, IER, 0);
    out(f, LCR, 0x83);
    out(f, RBR, 0x01);
    out(f, IER, 0x02);
    g_assert_cmphex(in(f, RBR), ==, 0x01);
    g_assert_cmphex(in(f, IER), ==, 0x02);
    g_assert_cmphex(test_read(f->uart, 0, 0, 2), ==, 0x0201);
    out(f, LCR, 0x03);
    g_assert_cmphex(in(f, IER), ==, 0);
    out(f, MCR, 0xff);
    g_assert_cmphex(in(f, MCR), ==, 0x1f);
    g_assert_cmphex(in(f, IIR), ==, 0x01);
    out(f, FCR, 0xc1);
    g_assert_cmphex(in(f, IIR), ==, 0xc1);
    out(f, FCR, 0xc0); /* without bit 0 nothing counts */
    g_assert_cmphex(in(f, IIR), ==, 0x01);
    g_assert_cmphex(in(f, LSR), ==, 0x60);
}

/* 8.4, 8.6: the transmitter is empty at once; its interrupt is shown once and acknowledged by IIR. */
static void transmit(Fixture *f, gconstpointer data)
{
    out(f, IER, 0x02);
    g_assert_true(f->irq.level); /* 8.7: enabled while empty */
    g_assert_cmphex(in(f, IIR), ==, 0x02);
    g_assert_false(f->irq.level);
    g_assert_cmphex(in(f, IIR), ==, 0x01);
    for (const char *p = "hello"; *p; p++) {
        out(f, THR, (uint8_t)*p);
        g_assert_true(f->irq.level);
        g_assert_cmphex(in(f, LSR), ==, 0x60);
    }
    g_assert_cmpstr(f->chr.sent->str, ==, "hello");
    g_assert_cmpuint(f->irq.rises, ==, 2);
    out(f, MCR, 0x03); /* OUT2 off: the adapter's driver is off */
    g_assert_false(f->irq.level);
}

/* A backend that is full: THRE and TEMT stay clear, nothing is lost, the rest follows when there is room. */
static void slow_backend(Fixture *f, gconstpointer data)
{
    out(f, FCR, 0x01);
    out(f, IER, 0x02);
    in(f, IIR);
    f->chr.room = 1;
    out(f, THR, 'a');
    in(f, IIR);
    out(f, THR, 'b');
    g_assert_cmphex(in(f, LSR), ==, 0);
    g_assert_false(f->irq.level);
    out(f, THR, 'c');
    g_assert_cmpstr(f->chr.sent->str, ==, "a");
    Device *copy = test_clone(f->t, f->uart); /* saved with its bytes; no backend: they go nowhere */
    clock_advance(f->t->clock, 1);
    g_assert_cmphex(test_in(copy, LSR), ==, 0x60);
    f->chr.room = 1;
    char_writable(&f->chr.chr);
    g_assert_cmpstr(f->chr.sent->str, ==, "ab");
    g_assert_cmphex(in(f, LSR), ==, 0);
    f->chr.room = 100;
    char_writable(&f->chr.chr);
    g_assert_cmpstr(f->chr.sent->str, ==, "abc");
    g_assert_cmphex(in(f, LSR), ==, 0x60);
    g_assert_true(f->irq.level);
    g_assert_cmphex(in(f, IIR), ==, 0xc2);
}

/* Without FIFOs one byte waits in the receiver and the rest in the backend. */
static void receive_16450(Fixture *f, gconstpointer data)
{
    out(f, IER, 0x01);
    say(f, "xyz");
    g_assert_true(f->irq.level);
    g_assert_cmphex(in(f, IIR), ==, 0x04);
    g_assert_cmphex(in(f, LSR), ==, 0x61);
    g_assert_cmpint(in(f, RBR), ==, 'x');
    g_assert_cmphex(in(f, LSR), ==, 0x61);
    g_assert_cmpint(in(f, RBR), ==, 'y');
    g_assert_cmpint(in(f, RBR), ==, 'z');
    g_assert_false(f->irq.level);
    g_assert_cmphex(in(f, LSR), ==, 0x60);
    g_assert_cmpint(in(f, RBR), ==, 0);
}

/* 8.5, 8.6: trigger level, and the timeout after four characters without a new one or a read. */
static void receive_fifo(Fixture *f, gconstpointer data)
{
    out(f, FCR, 0x81); /* 8 bytes */
    out(f, IER, 0x01);
    say(f, "1234567");
    g_assert_false(f->irq.level);
    const int64_t four = 4 * 10 * NS_PER_SEC / 9600;
    clock_advance(f->t->clock, four - 1000);
    g_assert_false(f->irq.level);
    say(f, "8");
    g_assert_true(f->irq.level);
    g_assert_cmphex(in(f, IIR), ==, 0xc4);
    g_assert_cmpint(in(f, RBR), ==, '1');
    g_assert_false(f->irq.level);
    g_assert_cmphex(in(f, IIR), ==, 0xc1);
    clock_advance(f->t->clock, four + 1);
    g_assert_true(f->irq.level);
    g_assert_cmphex(in(f, IIR), ==, 0xcc);
    g_assert_cmpint(in(f, RBR), ==, '2');
    g_assert_false(f->irq.level);
    say(f, "abcdefghijklmnopqrstuvwxyz"); /* 10 fit */
    g_assert_cmpuint(strlen(f->chr.input), ==, 16);
    GString *got = g_string_new(NULL);
    while (in(f, LSR) & 1) {
        g_string_append_c(got, (char)in(f, RBR));
    }
    g_assert_cmpstr(got->str, ==, "345678abcdefghijklmnopqrstuvwxyz");
    g_string_free(got, true);
    say(f, "q");
    out(f, FCR, 0x83); /* clear the receiver */
    g_assert_cmphex(in(f, LSR), ==, 0x60);
    g_assert_cmpint(clock_deadline(f->t->clock), ==, TIMER_OFF);
}

/* 8.8 bit 4: loopback of data and modem lines, with overrun; the line outside is cut off meanwhile. */
static void loopback(Fixture *f, gconstpointer data)
{
    g_assert_cmphex(in(f, MSR), ==, 0xb0);
    out(f, MCR, 0x10);
    g_assert_cmphex(in(f, MSR), ==, 0x0b);
    g_assert_cmphex(in(f, MSR), ==, 0x00);
    out(f, MCR, 0x1a);
    g_assert_cmphex(in(f, MSR), ==, 0x99);
    out(f, MCR, 0x15);
    g_assert_cmphex(in(f, MSR), ==, 0x6b);
    out(f, MCR, 0x11);
    g_assert_cmphex(in(f, MSR), ==, 0x24); /* trailing edge of RI */
    say(f, "z");
    out(f, THR, 'm');
    out(f, THR, 'n');
    g_assert_cmphex(in(f, LSR), ==, 0x63);
    g_assert_cmphex(in(f, LSR), ==, 0x61);
    g_assert_cmpint(in(f, RBR), ==, 'n'); /* without FIFOs the old one is lost */
    out(f, FCR, 0x01);
    for (unsigned i = 0; i < 20; i++) {
        out(f, THR, (uint8_t)i);
    }
    g_assert_cmphex(in(f, LSR), ==, 0x63);
    for (unsigned i = 0; i < 16; i++) {
        g_assert_cmpuint(in(f, RBR), ==, i);
    }
    out(f, LCR, 0x43);
    g_assert_cmphex(in(f, LSR), ==, 0xf9); /* break */
    g_assert_cmpuint(in(f, RBR), ==, 0);
    g_assert_cmpstr(f->chr.sent->str, ==, "");
    out(f, MCR, 0x0b);
    g_assert_cmpint(in(f, RBR), ==, 'z');
}

/* 8.4 bits 4 and 7: a break is shown when it is the next to be read; reading LSR clears it. */
static void line_break(Fixture *f, gconstpointer data)
{
    out(f, FCR, 0x01);
    out(f, IER, 0x05);
    say(f, "a");
    char_event(&f->chr.chr, CHAR_BREAK);
    g_assert_cmphex(in(f, LSR), ==, 0xe1);
    g_assert_cmphex(in(f, IIR), ==, 0xc4);
    in(f, RBR);
    g_assert_cmphex(in(f, IIR), ==, 0xc6);
    g_assert_cmphex(in(f, LSR), ==, 0xf9);
    g_assert_cmphex(in(f, IIR), ==, 0xc4);
    g_assert_cmphex(in(f, LSR), ==, 0x61);
    g_assert_cmpuint(in(f, RBR), ==, 0);
    g_assert_cmphex(in(f, IIR), ==, 0xc1);
}

/* What was typed before the machine was ready waits for it. */
static void early_input(Fixture *f, gconstpointer data)
{
    g_assert_cmphex(in(f, LSR), ==, 0x61);
    g_assert_cmpint(in(f, RBR), ==, 'e');
    g_assert_cmpint(in(f, RBR), ==, 'f');
    g_assert_cmphex(in(f, LSR), ==, 0x60);
}

static void modem_interrupt(Fixture *f, gconstpointer data)
{
    out(f, MCR, 0x18);
    in(f, MSR);
    out(f, IER, 0x08);
    out(f, MCR, 0x1a);
    g_assert_cmphex(in(f, IIR), ==, 0x00);
    g_assert_true(f->irq.level);
    in(f, MSR);
    g_assert_false(f->irq.level);
}

static void places(Fixture *f, gconstpointer data)
{
    g_assert_cmphex(uart16550_iobase(f->uart), ==, 0x3f8);
    g_assert_cmpuint(uart16550_irq(f->uart), ==, 4);
    Device *second = test_device(f->t, "isa-serial", "index", "1", NULL);
    g_assert_cmphex(uart16550_iobase(second), ==, 0x2f8);
    g_assert_cmpuint(uart16550_irq(second), ==, 3);
    Device *other = test_device(f->t, "isa-serial", "iobase", "0x220", "irq", "7", NULL);
    g_assert_cmphex(uart16550_iobase(other), ==, 0x220);
    g_assert_cmpuint(uart16550_irq(other), ==, 7);
    test_out(other, THR, 'x'); /* nobody there */
    g_assert_cmphex(test_in(other, LSR), ==, 0x60);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    const struct {
        const char *name;
        void (*fn)(Fixture *, gconstpointer);
    } tests[] = {
        {"/uart16550/registers", registers}, {"/uart16550/transmit", transmit},
        {"/uart16550/slow-backend", slow_backend}, {"/uart16550/receive-16450", receive_16450},
        {"/uart16550/receive-fifo", receive_fifo}, {"/uart16550/loopback", loopback},
        {"/uart16550/break", line_break}, {"/uart16550/modem", modem_interrupt}, {"/uart16550/places", places},
    };
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        g_test_add(tests[i].name, Fixture, "", set_up, tests[i].fn, tear_down);
    }
    g_test_add("/uart16550/early-input", Fixture, "ef", set_up, early_input, tear_down);
    return g_test_run();
}
