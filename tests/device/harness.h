/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device tests in process: no CPU, no machine.  A TestEnv stands for the machine: a manual clock, sparse RAM for DMA,
 * and records of requests and message interrupts.  A test makes chips in it, reads and writes their regions, looks
 * at their pins and moves the clock:
 *
 *   TestEnv *t = test_env_new();
 *   Device *dev = test_device(t, "port92", NULL);
 *   TestPin a20;
 *   test_pin(dev, "a20", 0, &a20);
 *   test_write(dev, 0, 0, 2, 1);     // region 0, offset 0, value 2, one byte; test_out(dev, 0, 2) is the same
 *   clock_advance(t->clock, 1000);
 *   test_env_free(t);                // and its devices
 *
 * Anything that goes wrong in a helper (unknown type, refused property) ends the test.
 */
#pragma once

#include "chardev/chardev.h"
#include "hw/core/device.h"

#define TEST_LOG_MAX 64
#define TEST_RAM_SIZE (4 * GIB) /* DMA beyond this fails, as it does on a hole */
#define TEST_RAM_PAGES 4096     /* pages that may be touched: a fuzzed device must not eat the host */

typedef struct TestEnv {
    DeviceEnv env;
    Clock *clock;
    GHashTable *pages; /* page number -> 4096 bytes */
    GPtrArray *devices;
    GPtrArray *chars;
    unsigned num_requests; /* counts on past TEST_LOG_MAX */
    struct {
        DeviceRequest request;
        int code;
    } requests[TEST_LOG_MAX];
    unsigned num_msis;
    struct {
        uint64_t addr;
        uint32_t data;
    } msis[TEST_LOG_MAX];
} TestEnv;

TestEnv *test_env_new(void);
void test_env_free(TestEnv *t);

/* RAM as the guest would see it; ends the test outside TEST_RAM_SIZE. */
void test_mem_write(TestEnv *t, gpa_t addr, const void *buf, size_t len);
void test_mem_read(TestEnv *t, gpa_t addr, void *buf, size_t len);

/* A realized device; its properties as name, value, ..., NULL.  The environment owns it. */
Device *test_device(TestEnv *t, const char *type, ...) G_GNUC_NULL_TERMINATED;
/* Not realized yet, for PROP_CHARDEV: set what is needed, then test_realize(). */
Device *test_device_new(TestEnv *t, const char *type);
void test_realize(Device *dev);

/* An access to region n of the device, with all size rules applied. */
uint64_t test_read(Device *dev, unsigned region, uint64_t offset, unsigned size);
void test_write(Device *dev, unsigned region, uint64_t offset, uint64_t value, unsigned size);
/* The same for one byte at region 0. */
uint8_t test_in(Device *dev, uint64_t offset);
void test_out(Device *dev, uint64_t offset, uint8_t value);

/* An output wire: its level and how often it changed since test_pin(). */
typedef struct TestPin {
    bool level;
    unsigned rises, falls;
} TestPin;
/* Connects the device's wire n of group `name` to *pin (which must live as long as the device drives it). */
void test_pin(Device *dev, const char *name, unsigned n, TestPin *pin);
/* Set the device's input n. */
void test_input(Device *dev, unsigned n, bool level);

/* Saves dev, loads it into a new device of its type, checks that the copy saves the same. Returns the copy. */
Device *test_clone(TestEnv *t, Device *dev);

/* A character device of the test: what the chip sends is kept, what the test types reaches the chip. */
typedef struct TestChar TestChar;
TestChar *test_char_new(TestEnv *t); /* owned by the environment */
/* For device_set_chardev(). */
Chardev *test_char_dev(TestChar *c);
/* What was sent since the last call, as text; valid until the next. */
const char *test_char_sent(TestChar *c);
/* The peer takes at most n more bytes (SIZE_MAX: any number); when there is room again the chip is told. */
void test_char_room(TestChar *c, size_t n);
/* Bytes from the peer: as many as the chip can take now; their number. */
size_t test_char_type(TestChar *c, const char *bytes, size_t len);
void test_char_event(TestChar *c, CharEvent event);
/* How often the chip said that it can receive again. */
unsigned test_char_accepts(const TestChar *c);
