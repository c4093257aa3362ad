/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine that device tests run in: see harness.h. */
#include "tests/device/harness.h"

#include <string.h>

/* ---- memory ---- */

static uint8_t *page_of(TestEnv *t, gpa_t addr)
{
    gpointer key = GSIZE_TO_POINTER((addr >> 12) + 1);
    uint8_t *page = g_hash_table_lookup(t->pages, key);
    if (!page) {
        page = g_malloc0(4096);
        g_hash_table_insert(t->pages, key, page);
    }
    return page;
}

static bool copy(TestEnv *t, gpa_t addr, void *to, const void *from, size_t len)
{
    if (len > TEST_RAM_SIZE || addr > TEST_RAM_SIZE - len) {
        return false;
    }
    for (size_t done = 0; done < len;) {
        size_t at = (addr + done) & 4095, piece = MIN(len - done, 4096 - at);
        uint8_t *page = page_of(t, addr + done);
        if (from) {
            memcpy(page + at, (const uint8_t *)from + done, piece);
        } else {
            memcpy((uint8_t *)to + done, page + at, piece);
        }
        done += piece;
    }
    return true;
}

static bool room(const TestEnv *t, size_t len)
{
    return g_hash_table_size(t->pages) + len / 4096 + 2 <= TEST_RAM_PAGES;
}

static bool env_dma_read(void *opaque, gpa_t addr, void *buf, size_t len)
{
    return room(opaque, len) && copy(opaque, addr, buf, NULL, len);
}

static bool env_dma_write(void *opaque, gpa_t addr, const void *buf, size_t len)
{
    return room(opaque, len) && copy(opaque, addr, NULL, buf, len);
}

void test_mem_write(TestEnv *t, gpa_t addr, const void *buf, size_t len)
{
    g_assert_true(copy(t, addr, NULL, buf, len));
}

void test_mem_read(TestEnv *t, gpa_t addr, void *buf, size_t len)
{
    g_assert_true(copy(t, addr, buf, NULL, len));
}

/* ---- records ---- */

static void env_request(void *opaque, DeviceRequest request, int code)
{
    TestEnv *t = opaque;
    unsigned n = t->num_requests++;
    if (n < TEST_LOG_MAX) {
        t->requests[n].request = request;
        t->requests[n].code = code;
    }
}

static void env_msi(void *opaque, uint64_t addr, uint32_t data)
{
    TestEnv *t = opaque;
    unsigned n = t->num_msis++;
    if (n < TEST_LOG_MAX) {
        t->msis[n].addr = addr;
        t->msis[n].data = data;
    }
}

/* ---- life ---- */

TestEnv *test_env_new(void)
{
    TestEnv *t = g_new0(TestEnv, 1);
    t->clock = clock_new_manual();
    t->pages = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    t->devices = g_ptr_array_new();
    t->chars = g_ptr_array_new_with_free_func((GDestroyNotify)chardev_free);
    t->env = (DeviceEnv){
        .clock = t->clock,
        .opaque = t,
        .dma_read = env_dma_read,
        .dma_write = env_dma_write,
        .request = env_request,
        .msi = env_msi,
    };
    return t;
}

void test_env_free(TestEnv *t)
{
    for (guint i = t->devices->len; i-- > 0;) {
        device_free(g_ptr_array_index(t->devices, i));
    }
    g_ptr_array_free(t->devices, true);
    g_ptr_array_free(t->chars, true);
    g_assert_cmpint(clock_deadline(t->clock), ==, TIMER_OFF); /* a freed device left a timer behind */
    clock_free(t->clock);
    g_hash_table_destroy(t->pages);
    g_free(t);
}

Device *test_device_new(TestEnv *t, const char *type_name)
{
    const DeviceType *type = device_type_find(type_name);
    if (!type) {
        g_error("there is no device '%s'", type_name);
    }
    Device *dev = device_new(type, NULL, &t->env);
    g_ptr_array_add(t->devices, dev);
    return dev;
}

void test_realize(Device *dev)
{
    GError *error = NULL;
    device_realize(dev, &error);
    g_assert_no_error(error);
}

Device *test_device(TestEnv *t, const char *type, ...)
{
    Device *dev = test_device_new(t, type);
    va_list ap;
    va_start(ap, type);
    for (const char *name; (name = va_arg(ap, const char *)) != NULL;) {
        GError *error = NULL;
        device_set_prop(dev, name, va_arg(ap, const char *), &error);
        g_assert_no_error(error);
    }
    va_end(ap);
    test_realize(dev);
    return dev;
}

/* ---- regions and wires ---- */

uint64_t test_read(Device *dev, unsigned region, uint64_t offset, unsigned size)
{
    const Region *r = device_region(dev, region);
    g_assert_nonnull(r);
    g_assert_true(offset <= r->size && size <= r->size - offset);
    return region_read(r, offset, size);
}

void test_write(Device *dev, unsigned region, uint64_t offset, uint64_t value, unsigned size)
{
    const Region *r = device_region(dev, region);
    g_assert_nonnull(r);
    g_assert_true(offset <= r->size && size <= r->size - offset);
    region_write(r, offset, value, size);
}

uint8_t test_in(Device *dev, uint64_t offset)
{
    return (uint8_t)test_read(dev, 0, offset, 1);
}

void test_out(Device *dev, uint64_t offset, uint8_t value)
{
    test_write(dev, 0, offset, value, 1);
}

static void pin_changed(void *opaque, unsigned n, bool level)
{
    TestPin *pin = opaque;
    if (level != pin->level) {
        pin->level = level;
        if (level) {
            pin->rises++;
        } else {
            pin->falls++;
        }
    }
}

void test_pin(Device *dev, const char *name, unsigned n, TestPin *pin)
{
    *pin = (TestPin){0};
    device_connect(dev, name, n, (Irq){.fn = pin_changed, .opaque = pin});
    device_update(dev);
    pin->rises = pin->falls = 0;
}

void test_input(Device *dev, unsigned n, bool level)
{
    Irq irq = device_input(dev, n);
    irq_set(&irq, level);
}

Device *test_clone(TestEnv *t, Device *dev)
{
    Device *clone = test_device_new(t, dev->type->name);
    test_realize(clone);
    g_autoptr(GByteArray) a = g_byte_array_new();
    g_autoptr(GByteArray) b = g_byte_array_new();
    GError *error = NULL;
    device_save(dev, a);
    device_load(clone, a->data, a->len, &error);
    g_assert_no_error(error);
    device_save(clone, b);
    g_assert_cmpmem(a->data, a->len, b->data, b->len);
    return clone;
}
