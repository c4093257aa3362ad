/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every registered chip must do, whatever it is: its tables are sound, reset leads to the state of a new one,
 * a snapshot is complete, and no sequence of accesses breaks it.  Each type is its own test case.
 * Spec: hw/core/device.h.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/pci/pci.h"
#include "tests/device/harness.h"

#define ACCESSES 5000
#define SEED 0x52686561

/* One type's failure must not hide the others': said, counted, and on with the next. */
G_GNUC_PRINTF(2, 3)
static void fail(const DeviceType *type, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_printerr("%s: %s\n", type->name, text);
    g_test_fail();
}

/* ---- tables ---- */

static void claim(const DeviceType *type, uint8_t *owned, const Field *f)
{
    for (uint32_t e = 0; e < f->count; e++) {
        for (uint32_t b = 0; b < f->size; b++) {
            uint32_t at = f->offset + e * f->stride + b - type->state_offset;
            if (at >= type->state_size) {
                fail(type, "field '%s' lies outside the state", f->name);
                return;
            }
            if (owned[at]++) {
                fail(type, "byte %u of the state has two Field rows, the second is '%s'", at, f->name);
            }
        }
    }
}

static void check_field(const DeviceType *type, const Field *f)
{
    g_assert_cmpuint(f->count, >=, 1);
    g_assert_cmpuint(f->stride, >=, f->size);
    g_assert_cmpuint(strlen(f->name), <, 256);
    if (f->kind == FIELD_BYTES) {
        g_assert_cmpuint(f->count, ==, 1);
        return;
    }
    g_assert_true(f->size == 1 || f->size == 2 || f->size == 4 || f->size == 8);
    if (f->kind == FIELD_INT) {
        g_assert_cmpint((int64_t)f->reset, >=, (int64_t)f->min);
        g_assert_cmpint((int64_t)f->reset, <=, (int64_t)f->max);
    } else {
        g_assert_cmphex(f->reset, >=, f->min);
        g_assert_cmphex(f->reset, <=, f->max);
        g_assert_true(f->size == 8 || f->reset >> (f->size * 8) == 0);
    }
}

/* Each byte of the state has exactly one row: what has none would be lost by a snapshot. */
static void check_fields(const DeviceType *type)
{
    g_autofree uint8_t *owned = g_malloc0(type->state_size + 1);
    for (uint32_t i = 0; i < type->num_fields; i++) {
        const Field *f = &type->fields[i];
        check_field(type, f);
        claim(type, owned, f);
        for (uint32_t j = 0; j < i; j++) {
            g_assert_cmpstr(type->fields[j].name, !=, f->name);
        }
    }
    for (uint32_t at = 0; at < type->state_size; at++) {
        if (!owned[at]) {
            fail(type, "byte %u of the state (of %u) has no Field row", at, type->state_size);
        }
    }
}

static void check_regs(const DeviceType *type)
{
    for (uint32_t i = 0; i < type->num_regs; i++) {
        const Reg *r = &type->regs[i];
        unsigned width = r->width ? r->width : 1;
        g_assert_true(r->name && *r->name);
        g_assert_true(width == 1 || width == 2 || width == 4 || width == 8);
        if (r->member) {
            g_assert_cmpuint(r->member, >=, type->state_offset);
            g_assert_cmpuint(r->member + r->member_size, <=, type->state_offset + type->state_size);
            g_assert_true(r->member_size == 1 || r->member_size == 2 || r->member_size == 4 || r->member_size == 8);
        }
    }
}

static void check_props(const DeviceType *type)
{
    for (uint32_t i = 0; i < type->num_props; i++) {
        const Prop *p = &type->props[i];
        g_assert_true(p->name && *p->name);
        g_assert_true(p->help && *p->help); /* what -device NAME,help prints */
        g_assert_null(strchr(p->help, '\n'));
        g_assert_cmpuint(p->offset, <, type->size);
        if (p->kind == PROP_UINT) {
            g_assert_true(p->size == 1 || p->size == 2 || p->size == 4 || p->size == 8);
            g_assert_cmphex(p->def, >=, p->min);
            g_assert_cmphex(p->def, <=, p->max ? p->max : UINT64_MAX);
        }
        for (uint32_t j = 0; j < i; j++) {
            g_assert_cmpstr(type->props[j].name, !=, p->name);
        }
    }
}

static void check_tables(const DeviceType *type)
{
    g_assert_true(type->name && *type->name);
    g_assert_true(type->desc && *type->desc);
    g_assert_cmpuint(type->size, >=, sizeof(Device));
    g_assert_cmpuint(type->state_offset + type->state_size, <=, type->size);
    check_fields(type);
    check_regs(type);
    check_props(type);
    for (uint32_t i = 0; i < type->num_pins; i++) {
        g_assert_cmpuint(type->pins[i].count, >=, 1);
        g_assert_cmpuint(type->pins[i].offset + type->pins[i].count * sizeof(Irq), <=, type->size);
    }
}

/* ---- life ---- */

static void swallow(void *opaque, unsigned n, bool level)
{
    ++*(unsigned *)opaque;
}

/* NULL when the type needs something that only its board can give. */
static Device *make(TestEnv *t, const DeviceType *type, unsigned *changes)
{
    Device *dev = test_device_new(t, type->name);
    g_autoptr(GError) error = NULL;
    for (uint32_t i = 0; i < type->num_props; i++) {
        if (type->props[i].kind == PROP_CHARDEV) {
            device_set_chardev(dev, type->props[i].name, test_char_dev(test_char_new(t)));
        }
    }
    if (!device_realize(dev, &error)) {
        g_autofree char *why = g_strdup_printf("needs more than its defaults: %s", error->message);
        g_test_skip(why);
        return NULL;
    }
    for (uint32_t i = 0; i < type->num_pins; i++) {
        for (uint32_t n = 0; n < type->pins[i].count; n++) {
            device_connect(dev, type->pins[i].name, n, (Irq){swallow, changes, n});
        }
    }
    return dev;
}

static GByteArray *save(const Device *dev)
{
    GByteArray *out = g_byte_array_new();
    device_save(dev, out);
    return out;
}

static void expect_equal(const Device *dev, const GByteArray *a, const GByteArray *b, const char *what)
{
    if (a->len != b->len || memcmp(a->data, b->data, a->len) != 0) {
        g_autoptr(GString) text = g_string_new(NULL);
        device_dump(dev, text);
        fail(dev->type, "%s; state now:\n%s", what, text->str);
    }
}

/* Fields that do not survive a reset, compared between two devices of a type. */
static void expect_same_reset(const Device *a, const Device *b)
{
    for (uint32_t i = 0; i < a->type->num_fields; i++) {
        const Field *f = &a->type->fields[i];
        for (uint32_t e = 0; e < f->count && !f->keep; e++) {
            size_t at = f->offset + (size_t)e * f->stride;
            if (memcmp((const char *)a + at, (const char *)b + at, f->size) != 0) {
                fail(a->type, "field '%s' differs between the reset of a used device and of a new one", f->name);
            }
        }
    }
}

/* ---- random use ---- */

static uint64_t random64(GRand *rnd)
{
    uint64_t v = (uint64_t)g_rand_int(rnd) << 32 | g_rand_int(rnd);
    switch (g_rand_int_range(rnd, 0, 4)) {
    case 0:
        return v & 0xff;
    case 1:
        return 1ull << (v & 63);
    case 2:
        return v & 1 ? 0 : ~0ull;
    default:
        return v;
    }
}

static bool is_pci(const DeviceType *type)
{
    for (uint32_t i = 0; i < type->num_fields; i++) {
        if (strcmp(type->fields[i].name, "config") == 0 && type->fields[i].size == PCI_CONFIG_SIZE) {
            return true;
        }
    }
    return false;
}

static void random_config_access(Device *dev, GRand *rnd)
{
    PciDevice *pci = container_of(dev, PciDevice, dev);
    unsigned len = 1u << g_rand_int_range(rnd, 0, 3);
    unsigned offset = (unsigned)g_rand_int_range(rnd, 0, PCI_CONFIG_SIZE) & ~(len - 1);
    if (g_rand_boolean(rnd)) {
        pci_config_write(pci, offset, (uint32_t)random64(rnd), len);
    } else {
        pci_config_read(pci, offset, len);
    }
}

static void random_region_access(Device *dev, GRand *rnd)
{
    const Region *r = device_region(dev, (unsigned)g_rand_int_range(rnd, 0, dev->num_regions));
    unsigned size = (unsigned)g_rand_int_range(rnd, 1, 9);
    if (g_rand_int_range(rnd, 0, 4)) {
        size = 1u << (size & 3); /* mostly natural sizes */
    }
    size = (unsigned)MIN(size, r->size);
    /* half of the accesses go to the first bytes, where registers are */
    uint64_t span = g_rand_boolean(rnd) ? MIN(r->size, 64) : r->size;
    uint64_t offset = random64(rnd) % span;
    offset = MIN(offset, r->size - size);
    if (g_rand_boolean(rnd)) {
        region_write(r, offset, random64(rnd), size);
    } else {
        region_read(r, offset, size);
    }
}

/* clock: moved between accesses; NULL: time stands still. */
static void random_use(Device *dev, GRand *rnd, unsigned accesses, Clock *clock)
{
    bool pci = is_pci(dev->type);
    for (unsigned i = 0; i < accesses; i++) {
        if (pci && (dev->num_regions == 0 || g_rand_int_range(rnd, 0, 4) == 0)) {
            random_config_access(dev, rnd);
        } else if (dev->num_regions) {
            random_region_access(dev, rnd);
        }
        if (clock && g_rand_int_range(rnd, 0, 4) == 0) {
            clock_advance(clock, g_rand_int_range(rnd, 0, i % 500 ? 100000 : 100000000));
        }
        if (dev->type->input && g_rand_int_range(rnd, 0, 8) == 0) {
            test_input(dev, 0, g_rand_boolean(rnd));
        }
        g_assert_cmpuint(dev->depth, ==, 0);
    }
}

/* ---- the case ---- */

static void check_reset_of_new(TestEnv *t, const DeviceType *type)
{
    unsigned changes = 0;
    Device *dev = make(t, type, &changes);
    g_autoptr(GByteArray) new = save(dev);
    device_reset(dev);
    g_autoptr(GByteArray) once = save(dev);
    expect_equal(dev, new, once, "a reset changes a new device");
    device_reset(dev);
    g_autoptr(GByteArray) twice = save(dev);
    expect_equal(dev, once, twice, "a second reset changes it again");
}

static void check_use(TestEnv *t, const DeviceType *type, unsigned seed)
{
    unsigned changes = 0;
    GRand *rnd = g_rand_new_with_seed(seed);
    Device *dev = make(t, type, &changes), *twin = make(t, type, &changes);

    random_use(dev, rnd, ACCESSES, t->clock);
    g_autoptr(GByteArray) first = save(dev);
    g_autoptr(GByteArray) again = save(dev);
    expect_equal(dev, first, again, "saving changes it");

    g_autoptr(GError) error = NULL;
    device_load(twin, first->data, first->len, &error);
    g_assert_no_error(error);
    g_autoptr(GByteArray) copied = save(twin);
    expect_equal(twin, first, copied, "save, load into another, save: not the same");

    /* a snapshot is loaded at the virtual time at which it was saved */
    random_use(dev, rnd, ACCESSES / 10, NULL);
    device_load(dev, first->data, first->len, &error);
    g_assert_no_error(error);
    g_autoptr(GByteArray) back = save(dev);
    expect_equal(dev, first, back, "save, use, load, save: not the same");

    Device *fresh = make(t, type, &changes);
    device_reset(dev);
    device_reset(fresh);
    expect_same_reset(dev, fresh);
    g_rand_free(rnd);
}

/* A hostile snapshot: refused, or loaded and then as robust as any other state. */
static void check_bad_snapshot(TestEnv *t, const DeviceType *type)
{
    unsigned changes = 0;
    GRand *rnd = g_rand_new_with_seed(SEED);
    Device *dev = make(t, type, &changes);
    g_autoptr(GByteArray) good = save(dev);
    for (unsigned i = 0; i < 100; i++) {
        g_autofree uint8_t *bad = g_memdup2(good->data, good->len);
        for (unsigned n = 0; n < 1 + i % 8; n++) {
            bad[g_rand_int_range(rnd, 0, (gint32)good->len)] = (uint8_t)g_rand_int(rnd);
        }
        if (device_load(dev, bad, good->len, NULL)) {
            random_use(dev, rnd, 50, t->clock);
        }
    }
    g_rand_free(rnd);
}

static void test_type(gconstpointer data)
{
    const DeviceType *type = data;
    check_tables(type);

    TestEnv *t = test_env_new();
    unsigned changes = 0;
    if (make(t, type, &changes)) {
        check_reset_of_new(t, type);
        check_use(t, type, SEED);
        check_use(t, type, SEED + 1);
        check_bad_snapshot(t, type);
    }
    test_env_free(t);
}

static void test_names(void)
{
    size_t count;
    const DeviceType *const *types = device_types(&count);
    g_assert_cmpuint(count, >, 0);
    for (size_t i = 1; i < count; i++) {
        g_assert_cmpstr(types[i - 1]->name, !=, types[i]->name);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/conformance/names", test_names);
    size_t count;
    const DeviceType *const *types = device_types(&count);
    for (size_t i = 0; i < count; i++) {
        g_autofree char *path = g_strdup_printf("/conformance/%s", types[i]->name);
        g_test_add_data_func(path, types[i], test_type);
    }
    return g_test_run();
}
