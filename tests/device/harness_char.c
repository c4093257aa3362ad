/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The character device of a test: see harness.h. */
#include "chardev/backend.h"
#include "tests/device/harness.h"

struct TestChar {
    Chardev chr;
    GString *sent;
    char *taken; /* what test_char_sent() returned */
    size_t room;
    bool starved; /* a write was short */
    unsigned accepts;
};

static TestChar *test_char(const Chardev *chr)
{
    return container_of(chr, TestChar, chr);
}

static size_t fake_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    TestChar *c = test_char(chr);
    size_t n = MIN(len, c->room);
    g_string_append_len(c->sent, (const char *)buf, (gssize)n);
    c->room -= c->room == SIZE_MAX ? 0 : n;
    c->starved = n < len;
    return n;
}

static void fake_accept_input(Chardev *chr)
{
    test_char(chr)->accepts++;
}

static char *fake_describe(const Chardev *chr)
{
    return g_strdup("test");
}

static bool fake_opened(const Chardev *chr)
{
    return true;
}

static void fake_free(Chardev *chr)
{
    TestChar *c = test_char(chr);
    g_string_free(c->sent, true);
    g_free(c->taken);
    g_free(c);
}

static const CharOps fake_ops = {
    .free = fake_free,
    .write = fake_write,
    .accept_input = fake_accept_input,
    .describe = fake_describe,
    .opened = fake_opened,
};

TestChar *test_char_new(TestEnv *t)
{
    TestChar *c = g_new0(TestChar, 1);
    c->chr.ops = &fake_ops;
    c->chr.id = g_strdup("test");
    c->sent = g_string_new(NULL);
    c->room = SIZE_MAX;
    g_ptr_array_add(t->chars, &c->chr);
    return c;
}

Chardev *test_char_dev(TestChar *c)
{
    return &c->chr;
}

const char *test_char_sent(TestChar *c)
{
    g_free(c->taken);
    c->taken = g_string_free(c->sent, false);
    c->sent = g_string_new(NULL);
    return c->taken;
}

void test_char_room(TestChar *c, size_t n)
{
    c->room = n;
    if (n && c->starved) {
        c->starved = false;
        char_writable(&c->chr);
    }
}

size_t test_char_type(TestChar *c, const char *bytes, size_t len)
{
    size_t n = MIN(char_can_receive(&c->chr), len);
    if (n) {
        char_receive(&c->chr, (const uint8_t *)bytes, n);
    }
    return n;
}

void test_char_event(TestChar *c, CharEvent event)
{
    char_event(&c->chr, event);
}

unsigned test_char_accepts(const TestChar *c)
{
    return c->accepts;
}
