/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 8259A pair against the Intel 8259A data sheet (order 231468-003); section names in the comments. */
#include "hw/intc/i8259.h"

#include "tests/device/harness.h"

enum { MASTER, SLAVE, ELCR };

typedef struct Fixture {
    TestEnv *t;
    Device *pic;
    TestPin intr;
} Fixture;

static void program(Device *pic, unsigned chip, uint8_t icw1, uint8_t base, uint8_t icw3, uint8_t icw4)
{
    test_write(pic, chip, 0, icw1, 1);
    test_write(pic, chip, 1, base, 1);
    test_write(pic, chip, 1, icw3, 1);
    test_write(pic, chip, 1, icw4, 1);
}

static void set_up(Fixture *f, gconstpointer data)
{
    f->t = test_env_new();
    f->pic = test_device(f->t, "i8259", NULL);
    test_pin(f->pic, "intr", 0, &f->intr);
    program(f->pic, MASTER, 0x11, 0x08, 0x04, 0x01);
    program(f->pic, SLAVE, 0x11, 0x70, 0x02, 0x01);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    test_env_free(f->t);
}

static void eoi(Device *pic, unsigned chip)
{
    test_write(pic, chip, 0, 0x20, 1);
}

static uint8_t read_irr(Device *pic, unsigned chip)
{
    test_write(pic, chip, 0, 0x0a, 1);
    return (uint8_t)test_read(pic, chip, 0, 1);
}

static uint8_t read_isr(Device *pic, unsigned chip)
{
    test_write(pic, chip, 0, 0x0b, 1);
    return (uint8_t)test_read(pic, chip, 0, 1);
}

/* "Fully nested mode": a lower request waits for EOI, a higher one interrupts. */
static void fully_nested(Fixture *f, gconstpointer data)
{
    test_input(f->pic, 4, true);
    g_assert_true(f->intr.level);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x0c);
    g_assert_false(f->intr.level);
    g_assert_cmphex(read_isr(f->pic, MASTER), ==, 0x10);
    test_input(f->pic, 5, true);
    g_assert_false(f->intr.level);
    test_input(f->pic, 1, true);
    g_assert_true(f->intr.level);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x09);
    eoi(f->pic, MASTER); /* non-specific: the highest in service, IR1 */
    g_assert_cmphex(read_isr(f->pic, MASTER), ==, 0x10);
    g_assert_false(f->intr.level);
    eoi(f->pic, MASTER);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x0d);
}

/* "Cascade mode": the slave's vector, a nested slave request waits for the master's EOI. */
static void slave_vectors(Fixture *f, gconstpointer data)
{
    test_input(f->pic, 8, true);
    g_assert_cmphex(read_irr(f->pic, MASTER), ==, 0x04);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x70);
    g_assert_cmphex(read_isr(f->pic, MASTER), ==, 0x04);
    g_assert_cmphex(read_isr(f->pic, SLAVE), ==, 0x01);
    test_input(f->pic, 12, true);
    eoi(f->pic, SLAVE);
    g_assert_false(f->intr.level); /* IR2 of the master is still in service */
    eoi(f->pic, MASTER);
    g_assert_true(f->intr.level);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x74);
}

/* "Special fully nested mode": a better request of the slave in service gets through, lower master inputs do not. */
static void special_fully_nested(Fixture *f, gconstpointer data)
{
    program(f->pic, MASTER, 0x11, 0x08, 0x04, 0x11);
    test_input(f->pic, 12, true);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x74);
    test_input(f->pic, 5, true);
    g_assert_false(f->intr.level);
    test_input(f->pic, 9, true);
    g_assert_true(f->intr.level);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x71);
}

/* "Edge and level triggered modes": the input must stay high until INTA, else a default IR7. */
static void spurious(Fixture *f, gconstpointer data)
{
    test_input(f->pic, 3, true);
    test_input(f->pic, 3, false);
    g_assert_false(f->intr.level);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x0f);
    g_assert_cmphex(read_isr(f->pic, MASTER), ==, 0); /* distinguishes it from a true IR7 */
    /* the slave's: its line falls between the master's choice and the slave's cycle; seen by polling the master */
    test_input(f->pic, 10, true);
    test_write(f->pic, MASTER, 0, 0x0c, 1);
    g_assert_cmphex(test_read(f->pic, MASTER, 0, 1), ==, 0x82);
    test_input(f->pic, 10, false);
    test_write(f->pic, SLAVE, 0, 0x0c, 1);
    g_assert_cmphex(test_read(f->pic, SLAVE, 0, 1), ==, 0);
}

/* ELCR (PIIX3 2.5.4): a level requests again after EOI; edge inputs do not; IRQ0, 1, 2, 8, 13 cannot be level. */
static void levels(Fixture *f, gconstpointer data)
{
    test_write(f->pic, ELCR, 0, 0xff, 1);
    test_write(f->pic, ELCR, 1, 0xff, 1);
    g_assert_cmphex(test_read(f->pic, ELCR, 0, 2), ==, 0xdef8);
    test_input(f->pic, 11, true);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x73);
    eoi(f->pic, SLAVE);
    eoi(f->pic, MASTER);
    g_assert_true(f->intr.level);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x73);
    test_input(f->pic, 11, false);
    eoi(f->pic, SLAVE);
    eoi(f->pic, MASTER);
    g_assert_false(f->intr.level);
    test_input(f->pic, 1, true);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x09);
    eoi(f->pic, MASTER);
    g_assert_false(f->intr.level);
}

/* "Initialization command word 1": LTIM makes all inputs level, edges are forgotten, IMR cleared. */
static void initialization(Fixture *f, gconstpointer data)
{
    test_input(f->pic, 6, true);
    test_write(f->pic, MASTER, 1, 0xff, 1);
    g_assert_false(f->intr.level);
    program(f->pic, MASTER, 0x11, 0x20, 0x04, 0x01);
    g_assert_cmphex(test_read(f->pic, MASTER, 1, 1), ==, 0);
    g_assert_false(f->intr.level); /* a new low-to-high transition is needed */
    program(f->pic, MASTER, 0x19, 0x20, 0x04, 0x01);
    g_assert_true(f->intr.level);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x26);
    /* single: no ICW3; without IC4 no ICW4 */
    test_write(f->pic, MASTER, 0, 0x12, 1);
    test_write(f->pic, MASTER, 1, 0x40, 1);
    test_write(f->pic, MASTER, 1, 0xbf, 1);
    g_assert_cmphex(test_read(f->pic, MASTER, 1, 1), ==, 0xbf);
}

/* "Automatic rotation", "Specific rotation", "End of interrupt". */
static void rotation(Fixture *f, gconstpointer data)
{
    test_write(f->pic, MASTER, 0, 0xc4, 1); /* set priority: IR4 is the lowest, IR5 the highest */
    test_input(f->pic, 4, true);
    test_input(f->pic, 6, true);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x0e);
    test_write(f->pic, MASTER, 0, 0xa0, 1); /* rotate on non-specific EOI: IR6 is the lowest */
    g_assert_cmphex(read_isr(f->pic, MASTER), ==, 0);
    test_input(f->pic, 7, true);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x0f);
    test_write(f->pic, MASTER, 0, 0xe7, 1); /* rotate on specific EOI */
    test_input(f->pic, 0, true);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x08);
    test_write(f->pic, MASTER, 0, 0x60, 1); /* specific EOI of IR0 */
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x0c);
}

/* "Automatic end of interrupt mode", with rotation. */
static void auto_eoi(Fixture *f, gconstpointer data)
{
    program(f->pic, MASTER, 0x11, 0x08, 0x04, 0x03);
    test_write(f->pic, MASTER, 0, 0x80, 1);
    test_input(f->pic, 3, true);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x0b);
    g_assert_cmphex(read_isr(f->pic, MASTER), ==, 0);
    test_input(f->pic, 1, true);
    test_input(f->pic, 5, true);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x0d); /* IR3 became the lowest: IR4, 5, 6, 7, 0, 1 */
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x09);
}

/* "Special mask mode": a masked level in service inhibits nothing; non-specific EOI leaves it alone. */
static void special_mask(Fixture *f, gconstpointer data)
{
    test_input(f->pic, 1, true);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x09);
    test_input(f->pic, 4, true);
    g_assert_false(f->intr.level);
    test_write(f->pic, MASTER, 1, 0x02, 1);
    test_write(f->pic, MASTER, 0, 0x68, 1);
    g_assert_true(f->intr.level);
    g_assert_cmpint(i8259_ack(f->pic), ==, 0x0c);
    eoi(f->pic, MASTER);
    g_assert_cmphex(read_isr(f->pic, MASTER), ==, 0x02);
    eoi(f->pic, MASTER);
    g_assert_cmphex(read_isr(f->pic, MASTER), ==, 0x02);
    test_write(f->pic, MASTER, 0, 0x48, 1);
    eoi(f->pic, MASTER);
    g_assert_cmphex(read_isr(f->pic, MASTER), ==, 0);
}

/* "Poll command": the next read acknowledges; then reads go back to the register chosen before. */
static void poll(Fixture *f, gconstpointer data)
{
    test_write(f->pic, MASTER, 0, 0x0c, 1);
    g_assert_cmphex(test_read(f->pic, MASTER, 0, 1) & 0x80, ==, 0);
    test_input(f->pic, 5, true);
    test_write(f->pic, MASTER, 0, 0x0c, 1);
    g_assert_cmphex(test_read(f->pic, MASTER, 0, 1), ==, 0x85);
    g_assert_false(f->intr.level);
    g_assert_cmphex(read_isr(f->pic, MASTER), ==, 0x20);
}

static void masked_request(Fixture *f, gconstpointer data)
{
    test_write(f->pic, MASTER, 1, 0x10, 1);
    test_input(f->pic, 4, true);
    g_assert_false(f->intr.level);
    g_assert_cmphex(read_irr(f->pic, MASTER), ==, 0x10);
    Device *copy = test_clone(f->t, f->pic);
    test_write(copy, MASTER, 1, 0, 1);
    g_assert_cmpint(i8259_ack(copy), ==, 0x0c);
    test_write(f->pic, MASTER, 1, 0, 1);
    g_assert_true(f->intr.level);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    const struct {
        const char *name;
        void (*fn)(Fixture *, gconstpointer);
    } tests[] = {
        {"/i8259/fully-nested", fully_nested}, {"/i8259/slave", slave_vectors},
        {"/i8259/special-fully-nested", special_fully_nested}, {"/i8259/spurious", spurious},
        {"/i8259/levels", levels}, {"/i8259/initialization", initialization}, {"/i8259/rotation", rotation},
        {"/i8259/auto-eoi", auto_eoi}, {"/i8259/special-mask", special_mask}, {"/i8259/poll", poll},
        {"/i8259/masked", masked_request},
    };
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].fn, tear_down);
    }
    return g_test_run();
}
