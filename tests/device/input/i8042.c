/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/input: i8042, PS/2 keyboard and mouse.  TR: IBM PS/2 Hardware Interface Technical Reference (1991). */
#include "hw/input/i8042.h"

#include "hw/input/ps2.h"
#include "tests/device/harness.h"

enum { DATA = 0, COMMAND = 4 };
enum { OBF = 0x01, SYS = 0x04, AUX = 0x20 };

typedef struct Rig {
    TestEnv *t;
    Device *dev;
    TestPin kbd, mouse, a20, reset;
} Rig;

static Rig rig(void)
{
    Rig r = {.t = test_env_new()};
    r.dev = test_device(r.t, "i8042", NULL);
    return r;
}

static void connect(Rig *r)
{
    test_pin(r->dev, "kbd-irq", 0, &r->kbd);
    test_pin(r->dev, "mouse-irq", 0, &r->mouse);
    test_pin(r->dev, "a20", 0, &r->a20);
    test_pin(r->dev, "reset", 0, &r->reset);
}

static void command(Rig *r, uint8_t value)
{
    test_out(r->dev, COMMAND, value);
}

static void data(Rig *r, uint8_t value)
{
    test_out(r->dev, DATA, value);
}

static uint8_t status(Rig *r)
{
    return test_in(r->dev, COMMAND);
}

/* Wait for a byte as a driver does and return it, 0x100 with the AUX bit; -1: none in 5 ms. */
static int next(Rig *r)
{
    for (int i = 0; i < 5; i++) {
        if (status(r) & OBF) {
            int aux = status(r) & AUX ? 0x100 : 0;
            return aux | test_in(r->dev, DATA);
        }
        clock_advance(r->t->clock, NS_PER_MS);
    }
    return -1;
}

#define EXPECT(r, ...)                                                                                               \
    do {                                                                                                             \
        const int expected_[] = {__VA_ARGS__};                                                                       \
        for (size_t i_ = 0; i_ < ARRAY_LEN(expected_); i_++) {                                                       \
            g_assert_cmphex(next(r), ==, expected_[i_]);                                                             \
        }                                                                                                            \
        g_assert_cmpint(next(r), ==, -1);                                                                            \
    } while (0)

static void aux(Rig *r, uint8_t value)
{
    command(r, 0xd4);
    data(r, value);
}

static void write_mode(Rig *r, uint8_t mode)
{
    command(r, 0x60);
    data(r, mode);
}

/* ---- controller: TR "Controller Commands" ---- */

static void test_controller(void)
{
    Rig r = rig();
    g_assert_cmphex(status(&r) & (OBF | SYS), ==, 0);
    command(&r, 0xaa); /* self test */
    g_assert_cmphex(status(&r) & (OBF | SYS), ==, OBF | SYS);
    EXPECT(&r, 0x55);
    command(&r, 0xab); /* interface tests: 00 is no error */
    EXPECT(&r, 0x00);
    command(&r, 0xa9);
    EXPECT(&r, 0x00);
    write_mode(&r, 0x47);
    command(&r, 0x20);
    EXPECT(&r, 0x47);
    command(&r, 0xa7); /* disabling the auxiliary device sets bit 5 */
    command(&r, 0xad); /* and the keyboard bit 4 */
    command(&r, 0x20);
    EXPECT(&r, 0x77);
    command(&r, 0xa8);
    command(&r, 0xae);
    command(&r, 0x20);
    EXPECT(&r, 0x47);
    command(&r, 0xd2); /* write keyboard output buffer */
    data(&r, 0x5a);
    EXPECT(&r, 0x5a);
    command(&r, 0xd3); /* the same as if from the auxiliary device: how drivers look for it */
    data(&r, 0xa5);
    EXPECT(&r, 0x1a5);
    command(&r, 0x20); /* a reply that nobody took gives way to the next */
    command(&r, 0xab);
    EXPECT(&r, 0x47, 0x00);
    test_env_free(r.t);
}

static void test_status(void)
{
    Rig r = rig();
    command(&r, 0xaa);
    g_assert_cmphex(status(&r) & 0x08, ==, 0x08); /* bit 3: the last write was a command */
    EXPECT(&r, 0x55);
    data(&r, 0xee);
    g_assert_cmphex(status(&r) & 0x08, ==, 0);
    EXPECT(&r, 0xee);
    g_assert_cmphex(test_in(r.dev, DATA), ==, 0xee); /* the buffer keeps what was read */
    g_assert_cmphex(test_in(r.dev, 1), ==, 0xff);    /* between the two ports there is nothing of ours */
    test_env_free(r.t);
}

static void test_lines(void)
{
    Rig r = rig();
    connect(&r);
    g_assert_true(r.a20.level); /* the output port is all ones after reset */
    command(&r, 0xdd);
    g_assert_false(r.a20.level);
    command(&r, 0xdf);
    g_assert_true(r.a20.level);
    command(&r, 0xd1);
    data(&r, 0xdd);
    g_assert_false(r.a20.level);
    command(&r, 0xd0);
    EXPECT(&r, 0xc1);
    g_assert_cmpuint(r.reset.rises, ==, 0);
    command(&r, 0xfe); /* pulse bit 0 of the output port */
    g_assert_cmpuint(r.reset.rises, ==, 1);
    command(&r, 0xff); /* pulse nothing */
    command(&r, 0xfd);
    g_assert_cmpuint(r.reset.rises, ==, 1);
    command(&r, 0xd1);
    data(&r, 0x02);
    g_assert_cmpuint(r.reset.rises, ==, 2);
    g_assert_true(r.a20.level);
    test_env_free(r.t);
}

static void test_interrupts(void)
{
    Rig r = rig();
    connect(&r);
    write_mode(&r, 0x43);
    i8042_key(r.dev, 0x1e, true);
    i8042_key(r.dev, 0x1e, false);
    g_assert_true(r.kbd.level);
    g_assert_cmphex(test_in(r.dev, DATA), ==, 0x1e);
    g_assert_false(r.kbd.level); /* reading the data port takes the request back */
    g_assert_cmphex(status(&r) & OBF, ==, 0); /* the next is still on the wire: a chained handler reads the old */
    g_assert_cmphex(test_in(r.dev, DATA), ==, 0x1e);
    clock_advance(r.t->clock, NS_PER_MS);
    g_assert_cmpuint(r.kbd.rises, ==, 2);
    EXPECT(&r, 0x9e);
    aux(&r, 0xf4);
    g_assert_cmphex(next(&r), ==, 0x1fa);
    g_assert_cmpuint(r.mouse.rises, ==, 1);
    write_mode(&r, 0x40); /* interrupts off: polling works on */
    unsigned rises = r.kbd.rises;
    i8042_key(r.dev, 0x1e, true);
    EXPECT(&r, 0x1e);
    g_assert_cmpuint(r.kbd.rises, ==, rises);
    test_env_free(r.t);
}

/* ---- keyboard: TR "Keyboards", Commands from the System ---- */

static void test_keyboard_commands(void)
{
    Rig r = rig();
    write_mode(&r, 0x00); /* no translation */
    data(&r, 0xee);
    EXPECT(&r, 0xee);
    data(&r, 0xf2);
    EXPECT(&r, 0xfa, 0xab, 0x83);
    data(&r, 0xff);
    EXPECT(&r, 0xfa, 0xaa);
    data(&r, 0xed);
    EXPECT(&r, 0xfa);
    data(&r, 0x07);
    EXPECT(&r, 0xfa);
    data(&r, 0xf3);
    EXPECT(&r, 0xfa);
    data(&r, 0x20);
    EXPECT(&r, 0xfa);
    data(&r, 0xf0); /* which scan code set? */
    EXPECT(&r, 0xfa);
    data(&r, 0x00);
    EXPECT(&r, 0xfa, 0x02);
    data(&r, 0xfe); /* resend the last */
    EXPECT(&r, 0x02);
    data(&r, 0x01); /* not a command */
    EXPECT(&r, 0xfe);
    data(&r, 0xed); /* a command instead of the argument is taken as one */
    EXPECT(&r, 0xfa);
    data(&r, 0xf2);
    EXPECT(&r, 0xfa, 0xab, 0x83);
    data(&r, 0xf5);
    EXPECT(&r, 0xfa);
    i8042_key(r.dev, 0x1e, true);
    g_assert_cmpint(next(&r), ==, -1);
    data(&r, 0xf4);
    EXPECT(&r, 0xfa);
    i8042_key(r.dev, 0x1e, true);
    EXPECT(&r, 0x1c);
    test_env_free(r.t);
}

static void test_sets(void)
{
    Rig r = rig();
    write_mode(&r, 0x00);
    /* set 2 */
    i8042_key(r.dev, 0x1e, true); /* A */
    i8042_key(r.dev, 0x1e, false);
    EXPECT(&r, 0x1c, 0xf0, 0x1c);
    i8042_key(r.dev, 0xe01d, true); /* right control */
    i8042_key(r.dev, 0xe01d, false);
    EXPECT(&r, 0xe0, 0x14, 0xe0, 0xf0, 0x14);
    i8042_key(r.dev, 0x41, true); /* F7: 83, not 02 */
    EXPECT(&r, 0x83);
    i8042_key(r.dev, PS2_KEY_PAUSE, true);
    i8042_key(r.dev, PS2_KEY_PAUSE, false);
    EXPECT(&r, 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77);
    i8042_key(r.dev, PS2_KEY_PRINT, true);
    EXPECT(&r, 0xe0, 0x12, 0xe0, 0x7c);
    i8042_key(r.dev, PS2_KEY_PRINT, false);
    EXPECT(&r, 0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12);
    /* set 1 */
    data(&r, 0xf0);
    data(&r, 0x01);
    EXPECT(&r, 0xfa);
    i8042_key(r.dev, 0xe048, true); /* up */
    i8042_key(r.dev, 0xe048, false);
    EXPECT(&r, 0xe0, 0x48, 0xe0, 0xc8);
    /* set 3: only shift and its like have break codes until told otherwise */
    data(&r, 0xf0);
    data(&r, 0x03);
    EXPECT(&r, 0xfa);
    i8042_key(r.dev, 0x1e, true);
    i8042_key(r.dev, 0x1e, false);
    i8042_key(r.dev, 0x2a, true);
    i8042_key(r.dev, 0x2a, false);
    EXPECT(&r, 0x1c, 0x12, 0xf0, 0x12);
    data(&r, 0xf8);
    EXPECT(&r, 0xfa);
    i8042_key(r.dev, 0xe048, true);
    i8042_key(r.dev, 0xe048, false);
    EXPECT(&r, 0x63, 0xf0, 0x63);
    data(&r, 0xfd); /* key 63: make only */
    data(&r, 0x63);
    EXPECT(&r, 0xfa);
    data(&r, 0xf4);
    EXPECT(&r, 0xfa);
    i8042_key(r.dev, 0xe048, true);
    i8042_key(r.dev, 0xe048, false);
    EXPECT(&r, 0x63);
    test_env_free(r.t);
}

/* Command byte bit 6: set 2 becomes set 1 for the host.  Every key comes out as it was put in. */
static void test_translation(void)
{
    Rig r = rig();
    write_mode(&r, 0x40);
    for (int code = 1; code <= 0x58; code++) {
        if (code == 0x55) {
            continue; /* no such key */
        }
        i8042_key(r.dev, (uint16_t)code, true);
        g_assert_cmphex(next(&r), ==, code);
        i8042_key(r.dev, (uint16_t)code, false);
        EXPECT(&r, code | 0x80);
    }
    i8042_key(r.dev, 0xe05b, true);
    i8042_key(r.dev, 0xe05b, false);
    EXPECT(&r, 0xe0, 0x5b, 0xe0, 0xdb);
    i8042_key(r.dev, PS2_KEY_PAUSE, true);
    EXPECT(&r, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
    data(&r, 0xf2); /* the id is translated too */
    EXPECT(&r, 0xfa, 0xab, 0x41);
    test_env_free(r.t);
}

static void test_overrun(void)
{
    Rig r = rig();
    write_mode(&r, 0x10); /* the keyboard's clock is held */
    for (int i = 0; i < 30; i++) {
        i8042_key(r.dev, 0x1e, true);
    }
    write_mode(&r, 0x00);
    for (int i = 0; i < 15; i++) {
        g_assert_cmphex(next(&r), ==, 0x1c);
    }
    EXPECT(&r, 0x00); /* the overrun code of set 2 */
    i8042_key(r.dev, 0x9999, true); /* no such keys */
    i8042_key(r.dev, 0, true);
    g_assert_cmpint(next(&r), ==, -1);
    test_env_free(r.t);
}

/* ---- mouse: TR "Mouse" ---- */

static void test_mouse_commands(void)
{
    Rig r = rig();
    aux(&r, 0xff);
    EXPECT(&r, 0x1fa, 0x1aa, 0x100);
    aux(&r, 0xf2);
    EXPECT(&r, 0x1fa, 0x100);
    aux(&r, 0xe9); /* status: disabled, 4 counts a mm, 100 a second */
    EXPECT(&r, 0x1fa, 0x100, 0x102, 0x164);
    aux(&r, 0xe8);
    aux(&r, 0x03);
    EXPECT(&r, 0x1fa);
    aux(&r, 0xe7);
    aux(&r, 0xf4);
    EXPECT(&r, 0x1fa);
    aux(&r, 0xe9);
    EXPECT(&r, 0x1fa, 0x130, 0x103, 0x164);
    aux(&r, 0xf3);
    aux(&r, 0x55); /* no such rate */
    EXPECT(&r, 0x1fe);
    aux(&r, 0xee); /* wrap mode: everything comes back */
    EXPECT(&r, 0x1fa);
    aux(&r, 0xf2);
    EXPECT(&r, 0x1f2);
    aux(&r, 0xec);
    EXPECT(&r, 0x1fa);
    aux(&r, 0xe1);
    EXPECT(&r, 0x1fe);
    test_env_free(r.t);
}

static void test_mouse_packets(void)
{
    Rig r = rig();
    i8042_mouse(r.dev, 5, 5, 0, 0); /* disabled after reset */
    g_assert_cmpint(next(&r), ==, -1);
    aux(&r, 0xf4);
    EXPECT(&r, 0x1fa);
    i8042_mouse(r.dev, 10, 3, 0, PS2_BUTTON_LEFT); /* down on the screen is negative */
    EXPECT(&r, 0x129, 0x10a, 0x1fd);
    i8042_mouse(r.dev, 0, 0, 0, PS2_BUTTON_LEFT); /* nothing new */
    g_assert_cmpint(next(&r), ==, -1);
    i8042_mouse(r.dev, -600, 0, 0, 0); /* in pieces of nine bits */
    EXPECT(&r, 0x118, 0x101, 0x100, 0x118, 0x101, 0x100, 0x118, 0x1a6, 0x100);
    aux(&r, 0xf0); /* remote: on request only */
    EXPECT(&r, 0x1fa);
    i8042_mouse(r.dev, 1, -2, 0, 0);
    g_assert_cmpint(next(&r), ==, -1);
    aux(&r, 0xeb);
    EXPECT(&r, 0x1fa, 0x108, 0x101, 0x102);
    test_env_free(r.t);
}

/* Microsoft: sample rates 200, 100, 80 turn the wheel on. */
static void test_wheel(void)
{
    Rig r = rig();
    static const uint8_t rates[] = {200, 200, 100, 80}; /* the first again: the knock starts over */
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        aux(&r, 0xf3);
        aux(&r, rates[i]);
        EXPECT(&r, 0x1fa);
    }
    aux(&r, 0xf2);
    EXPECT(&r, 0x1fa, 0x103);
    aux(&r, 0xf4);
    EXPECT(&r, 0x1fa);
    i8042_mouse(r.dev, 0, 0, -1, PS2_BUTTON_MIDDLE | PS2_BUTTON_RIGHT);
    EXPECT(&r, 0x10e, 0x100, 0x100, 0x1ff);
    aux(&r, 0xff);
    EXPECT(&r, 0x1fa, 0x1aa, 0x100);
    aux(&r, 0xf2);
    EXPECT(&r, 0x1fa, 0x100);
    test_env_free(r.t);
}

/* What kernels that were started by firmware rely on: keys arrive in set 1, by interrupt. */
static void test_skip_firmware(void)
{
    Rig r = rig();
    connect(&r);
    i8042_skip_firmware(r.dev);
    g_assert_cmphex(status(&r) & SYS, ==, SYS);
    i8042_key(r.dev, 0x39, true);
    g_assert_true(r.kbd.level);
    EXPECT(&r, 0x39);
    command(&r, 0x20);
    EXPECT(&r, 0x65);
    test_env_free(r.t);
}

static void test_snapshot(void)
{
    Rig r = rig();
    write_mode(&r, 0x43);
    i8042_key(r.dev, 0xe01d, true);
    aux(&r, 0xf2);
    Rig copy = {.t = r.t, .dev = test_clone(r.t, r.dev)};
    TestPin kbd;
    test_pin(copy.dev, "kbd-irq", 0, &kbd);
    g_assert_true(kbd.level); /* levels come from state */
    EXPECT(&copy, 0xe0, 0x1d, 0x1fa, 0x100);
    test_env_free(r.t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/i8042/controller", test_controller);
    g_test_add_func("/i8042/status", test_status);
    g_test_add_func("/i8042/lines", test_lines);
    g_test_add_func("/i8042/interrupts", test_interrupts);
    g_test_add_func("/i8042/keyboard-commands", test_keyboard_commands);
    g_test_add_func("/i8042/sets", test_sets);
    g_test_add_func("/i8042/translation", test_translation);
    g_test_add_func("/i8042/overrun", test_overrun);
    g_test_add_func("/i8042/mouse-commands", test_mouse_commands);
    g_test_add_func("/i8042/mouse-packets", test_mouse_packets);
    g_test_add_func("/i8042/wheel", test_wheel);
    g_test_add_func("/i8042/skip-firmware", test_skip_firmware);
    g_test_add_func("/i8042/snapshot", test_snapshot);
    return g_test_run();
}
