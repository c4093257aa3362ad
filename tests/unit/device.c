/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/core/device on a chip made up for it: registers, banks, widths, properties, reset, save and load, feedback. */
#include "hw/core/device.h"

#include <string.h>

#include "util/fifo.h"

typedef struct Widget {
    Device dev;
    Irq out[2], loop;
    uint16_t iobase;
    bool fast;
    char *label;
    void *chr;
    unsigned updates, writes;
    struct {
        int64_t due;
        uint32_t wide;
        uint16_t pair[2];
        uint8_t lcr, data, scratch, kept;
        struct {
            uint8_t mode, count;
        } ch[2];
        Fifo16 rx;
        uint8_t pad2[2];
    } s;
} Widget;

static Widget *widget(Device *dev)
{
    return container_of(dev, Widget, dev);
}

static const Field widget_fields[] = {
    FIELD_TIME(Widget, due, TIMER_OFF),
    FIELD(Widget, wide, 0x12345678),
    FIELD_ARRAY(Widget, pair, 7),
    FIELD(Widget, lcr, 0),
    FIELD(Widget, data, 0xaa),
    FIELD_RANGE(Widget, scratch, 3, 1, 9),
    FIELD_KEEP(Widget, kept, 0x42),
    FIELD_EACH(Widget, ch, mode, 1),
    FIELD_EACH_RANGE(Widget, ch, count, FIELD_UINT, 2, 0, 100),
    FIELD_BYTES(Widget, rx, 0),
    FIELD_BYTES(Widget, pad2, 0xee),
};

static uint64_t id_read(Device *dev)
{
    return 0x55;
}

static void data_write(Device *dev, uint64_t value)
{
    widget(dev)->s.data = (uint8_t)value;
    widget(dev)->writes++;
}

static int widget_bank(Device *dev)
{
    return widget(dev)->s.lcr >> 7;
}

static const Reg widget_regs[] = {
    {.offset = 0, .name = "DATA", .bank = 0, .read = id_read, .write = data_write, .wmask = 0x7f},
    {.offset = 0, .name = "KEPT", .bank = 1, BACKED(Widget, kept, 0x0f)},
    {.offset = 1, .name = "LCR", .bank = REG_ANY_BANK, BACKED(Widget, lcr, 0xff)},
    {.offset = 4, .name = "WIDE", .bank = REG_ANY_BANK, .width = 4, BACKED(Widget, wide, 0xffff00ff)},
};

static const Prop widget_props[] = {
    PROP_UINT_(Widget, "iobase", iobase, 0x3f8, 0xfff8, "first port"),
    PROP_BOOL_(Widget, "fast", fast, true, "no waiting"),
    PROP_STR_(Widget, "label", label, "what to call it"),
    PROP_CHR_(Widget, "chardev", chr, "where the bytes go"),
};

static const Pin widget_pins[] = {PIN(Widget, "out", out), PIN(Widget, "loop", loop)};

static uint64_t raw_read(void *opaque, uint64_t offset, unsigned size)
{
    Widget *w = widget(opaque);
    g_assert_cmpuint(w->dev.depth, ==, 1);
    return w->s.scratch;
}

static void raw_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    widget(opaque)->s.scratch = (uint8_t)value;
}

static const RegionOps raw_ops = {.read = raw_read, .write = raw_write, .max_size = 1};

static bool widget_realize(Device *dev, GError **error)
{
    if (widget(dev)->iobase == 0x666) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "not that port");
        return false;
    }
    device_region_init_regs(dev, "regs", 8, true);
    device_region_init_regs(dev, "memory regs", 8, false);
    device_region_init_io(dev, "raw", 2, &raw_ops);
    return true;
}

static void widget_reset(Device *dev)
{
    widget(dev)->s.ch[1].mode = 9;
}

static void widget_update(Device *dev)
{
    Widget *w = widget(dev);
    w->updates++;
    irq_set(&w->out[0], w->s.data & 1);
    irq_set(&w->out[1], w->s.data & 2);
    irq_set(&w->loop, w->s.data & 4);
}

/* Input 0: bit 7 of DATA. */
static void widget_input(Device *dev, unsigned n, bool level)
{
    Widget *w = widget(dev);
    w->s.data = (uint8_t)((w->s.data & 0x7f) | (level ? 0x80 : 0));
}

static bool widget_validate(const Device *dev, GError **error)
{
    const Widget *w = container_of(dev, const Widget, dev);
    if (w->s.rx.num > 16) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "a queue of 16 that holds %u", w->s.rx.num);
        return false;
    }
    return true;
}

DEVICE_TYPE(widget, Widget, .name = "widget", .desc = "a chip for the test", .bus = BUS_ISA, FIELDS(widget_fields),
            REGS(widget_regs), PROPS(widget_props), PINS(widget_pins), .realize = widget_realize,
            .reset = widget_reset, .update = widget_update, .bank = widget_bank, .input = widget_input,
            .validate = widget_validate);
extern const DeviceType gadget_type;
typedef struct Gadget {
    Device dev;
    struct {
        uint8_t x;
    } s;
} Gadget;
static const Field gadget_fields[] = {FIELD(Gadget, x, 0)};
DEVICE_TYPE(gadget, Gadget, .name = "gadget", .desc = "another", FIELDS(gadget_fields));

static const DeviceEnv env;

static Widget *make(void)
{
    Device *dev = device_new(&widget_type, "w0", &env);
    GError *error = NULL;
    device_realize(dev, &error);
    g_assert_no_error(error);
    return widget(dev);
}

static uint64_t rd(Widget *w, unsigned region, uint64_t offset, unsigned size)
{
    return region_read(device_region(&w->dev, region), offset, size);
}

static void wr(Widget *w, unsigned region, uint64_t offset, uint64_t value, unsigned size)
{
    region_write(device_region(&w->dev, region), offset, value, size);
}

static void test_registry(void)
{
    size_t count;
    const DeviceType *const *types = device_types(&count);
    g_assert_cmpuint(count, ==, 2);
    g_assert_true(types[0] == &gadget_type && types[1] == &widget_type); /* by name */
    g_assert_true(device_type_find("widget") == &widget_type);
    g_assert_null(device_type_find("wid"));
}

static void test_reset(void)
{
    Widget *w = make();
    g_assert_cmphex(w->s.wide, ==, 0x12345678);
    g_assert_cmphex(w->s.pair[1], ==, 7);
    g_assert_cmpint(w->s.due, ==, TIMER_OFF);
    g_assert_cmphex(w->s.pad2[1], ==, 0xee);
    g_assert_cmphex(w->s.ch[0].mode, ==, 1);
    g_assert_cmphex(w->s.ch[1].mode, ==, 9); /* by the type's own reset */
    g_assert_cmphex(w->s.kept, ==, 0x42);
    uint32_t epoch = w->dev.epoch;
    w->s.kept = 1;
    w->s.wide = 0;
    fifo16_push(&w->s.rx, 5);
    device_reset(&w->dev);
    g_assert_cmphex(w->s.wide, ==, 0x12345678);
    g_assert_cmphex(w->s.kept, ==, 1);
    g_assert_cmpuint(w->s.rx.num, ==, 0);
    g_assert_cmpuint(w->dev.epoch, ==, epoch + 1);
    device_free(&w->dev);
}

static void test_registers(void)
{
    Widget *w = make();
    unsigned updates = w->updates;
    g_assert_cmphex(rd(w, 0, 0, 1), ==, 0x55);
    wr(w, 0, 0, 0xff, 1);
    g_assert_cmphex(w->s.data, ==, 0x7f); /* the mask */
    g_assert_cmpuint(w->updates, ==, updates + 2);

    wr(w, 0, 1, 0x80, 1); /* the other bank */
    g_assert_cmphex(rd(w, 0, 0, 1), ==, 0x42);
    wr(w, 0, 0, 0xff, 1);
    g_assert_cmphex(rd(w, 0, 0, 1), ==, 0x4f);
    g_assert_cmphex(w->s.data, ==, 0x7f);

    g_assert_cmphex(rd(w, 0, 2, 1), ==, 0xff); /* a hole among ports, and in memory */
    g_assert_cmphex(rd(w, 1, 2, 1), ==, 0);
    wr(w, 0, 2, 1, 1);
    g_assert_cmphex(rd(w, 0, 0, 4), ==, 0xffff804f); /* several registers at once */
    g_assert_cmpuint(w->dev.depth, ==, 0);
    device_free(&w->dev);
}

static void test_widths(void)
{
    Widget *w = make();
    g_assert_cmphex(rd(w, 0, 4, 4), ==, 0x12345678);
    g_assert_cmphex(rd(w, 0, 5, 1), ==, 0x56); /* a part of a register */
    g_assert_cmphex(rd(w, 0, 6, 2), ==, 0x1234);
    wr(w, 0, 6, 0xabcd, 2); /* backed: the other bytes stay */
    g_assert_cmphex(w->s.wide, ==, 0xabcd5678);
    wr(w, 0, 4, 0xffffffff, 4);
    g_assert_cmphex(w->s.wide, ==, 0xffff56ff); /* bits 15..8 are read-only */
    g_assert_cmphex(rd(w, 0, 0, 8), ==, 0xffff56ffffff0055ull);
    wr(w, 0, 3, 0x11223344, 4); /* from a hole into a register */
    g_assert_cmphex(w->s.wide, ==, 0xff115633);
    device_free(&w->dev);
}

static void test_raw(void)
{
    Widget *w = make();
    unsigned updates = w->updates;
    g_assert_cmphex(rd(w, 2, 0, 2), ==, 0x0303); /* in two pieces */
    g_assert_cmpuint(w->updates, ==, updates + 2);
    wr(w, 2, 1, 8, 1);
    g_assert_cmphex(w->s.scratch, ==, 8);
    g_assert_null(device_region(&w->dev, 3));
    device_free(&w->dev);
}

static void set_wire(void *opaque, unsigned n, bool level)
{
    ((int *)opaque)[n] = level;
}

static void test_wires(void)
{
    Widget *w = make();
    int wires[3] = {-1, -1, -1};
    device_connect(&w->dev, NULL, 1, (Irq){set_wire, wires, 1}); /* NULL: the first group */
    device_connect(&w->dev, "out", 0, (Irq){set_wire, wires, 0});
    wr(w, 0, 0, 2, 1);
    g_assert_cmpint(wires[0], ==, 0);
    g_assert_cmpint(wires[1], ==, 1);
    /* an output wired to the device's own input settles */
    device_connect(&w->dev, "loop", 0, device_input(&w->dev, 0));
    wr(w, 0, 0, 4, 1);
    g_assert_cmphex(w->s.data, ==, 0x84);
    wr(w, 0, 0, 1, 1);
    g_assert_cmphex(w->s.data, ==, 0x01);
    g_assert_cmpint(wires[0], ==, 1);
    /* an input from outside updates */
    unsigned updates = w->updates;
    Irq in = device_input(&w->dev, 0);
    irq_set(&in, true);
    g_assert_cmpuint(w->updates, >, updates);
    device_free(&w->dev);
}

static void refused(Device *dev, const char *name, const char *value, const char *say)
{
    GError *error = NULL;
    g_assert_false(device_set_prop(dev, name, value, &error));
    if (!strstr(error->message, say)) {
        g_error("'%s' does not say '%s'", error->message, say);
    }
    g_assert_null(strchr(error->message, '\n'));
    g_clear_error(&error);
}

static void test_props(void)
{
    Widget *w = widget(device_new(&widget_type, NULL, &env));
    g_assert_cmpstr(w->dev.id, ==, "widget");
    g_assert_cmphex(w->iobase, ==, 0x3f8);
    g_assert_true(w->fast);
    g_assert_true(device_set_prop(&w->dev, "iobase", "0x2F8", NULL));
    g_assert_cmphex(w->iobase, ==, 0x2f8);
    g_assert_true(device_set_prop(&w->dev, "iobase", "010", NULL)); /* decimal, as a user means it */
    g_assert_cmpuint(w->iobase, ==, 10);
    g_assert_true(device_set_prop(&w->dev, "iobase", "2k", NULL));
    g_assert_cmpuint(w->iobase, ==, 2048);
    g_assert_true(device_set_prop(&w->dev, "fast", "off", NULL));
    g_assert_false(w->fast);
    g_assert_true(device_set_prop(&w->dev, "label", "one", NULL));
    g_assert_true(device_set_prop(&w->dev, "label", "two", NULL));
    g_assert_cmpstr(w->label, ==, "two");

    refused(&w->dev, "iobse", "1", "did you mean 'iobase'");
    refused(&w->dev, "zzz", "1", "iobase, fast, label, chardev");
    refused(&w->dev, "iobase", "0x10000", "0x0 to 0xfff8");
    refused(&w->dev, "iobase", "", "number");
    refused(&w->dev, "iobase", "0x", "number");
    refused(&w->dev, "iobase", "-1", "number");
    refused(&w->dev, "iobase", "99999999999999999999", "number");
    refused(&w->dev, "iobase", "18014398509481984k", "number"); /* overflows by its suffix */
    refused(&w->dev, "fast", "maybe", "on or off");
    refused(&w->dev, "chardev", "c0", "'chardev=c0'");
    int stream;
    device_set_chardev(&w->dev, "chardev", &stream);
    g_assert_true(w->chr == &stream);

    GError *error = NULL;
    g_assert_true(device_set_prop(&w->dev, "iobase", "0x666", NULL));
    g_assert_false(device_realize(&w->dev, &error));
    g_assert_cmpstr(error->message, ==, "widget: not that port");
    g_clear_error(&error);
    device_free(&w->dev);
}

/* ---- save and load ---- */

static GByteArray *save(Widget *w)
{
    GByteArray *out = g_byte_array_new();
    device_save(&w->dev, out);
    return out;
}

static void test_save_load(void)
{
    Widget *w = make(), *other = make();
    w->s.due = -5;
    w->s.ch[1].count = 100;
    w->s.pair[1] = 0xbeef;
    w->s.kept = 7;
    w->s.data = 1;
    fifo16_push(&w->s.rx, 0x77);
    g_autoptr(GByteArray) a = save(w);
    unsigned updates = other->updates;
    g_assert_true(device_load(&other->dev, a->data, a->len, NULL));
    g_assert_cmpmem(&w->s, sizeof(w->s), &other->s, sizeof(other->s));
    g_assert_cmpuint(other->updates, ==, updates + 1);
    g_autoptr(GByteArray) b = save(other);
    g_assert_cmpmem(a->data, a->len, b->data, b->len);

    g_autoptr(GString) text = g_string_new(NULL);
    device_dump(&w->dev, text);
    g_assert_nonnull(strstr(text->str, "ch.count = 0x2 0x64\n"));
    g_assert_nonnull(strstr(text->str, "pad2 = ee ee\n"));
    device_free(&w->dev);
    device_free(&other->dev);
}

/* Every cut and, for a start, every flipped bit: refused or loaded, never half, never a crash. */
static void test_load_garbage(void)
{
    Widget *w = make(), *fresh = make();
    w->s.wide = 1;
    g_autoptr(GByteArray) good = save(w);
    for (guint len = 0; len < good->len; len++) {
        g_autofree uint8_t *cut = g_memdup2(good->data, len ? len : 1);
        g_assert_false(device_load(&fresh->dev, cut, len, NULL));
        g_assert_cmphex(fresh->s.wide, ==, 0x12345678);
    }
    for (guint bit = 0; bit < good->len * 8; bit++) {
        g_autofree uint8_t *bad = g_memdup2(good->data, good->len);
        bad[bit / 8] ^= 1 << (bit % 8);
        g_autoptr(GError) error = NULL;
        Widget *v = make();
        uint8_t before[sizeof(v->s)];
        memcpy(before, &v->s, sizeof(before));
        if (!device_load(&v->dev, bad, good->len, &error)) {
            g_assert_nonnull(error);
            g_assert_cmpmem(before, sizeof(before), &v->s, sizeof(v->s));
        } else {
            g_assert_cmpuint(v->s.scratch, >=, 1);
            g_assert_cmpuint(v->s.scratch, <=, 9);
            g_assert_cmpuint(v->s.ch[0].count, <=, 100);
            g_assert_cmpuint(v->s.rx.num, <=, 16);
        }
        device_free(&v->dev);
    }
    g_byte_array_append(good, (const uint8_t *)"", 1);
    g_assert_false(device_load(&fresh->dev, good->data, good->len, NULL)); /* a byte too many */
    device_free(&w->dev);
    device_free(&fresh->dev);
}

/* A field of a later version is refused, one of an earlier version that is missing takes its reset value. */
static void test_load_versions(void)
{
    Widget *w = make();
    w->s.wide = 1;
    static const uint8_t partial[] = {6, 'w', 'i', 'd', 'g', 'e', 't', 1, 0, 1, 0, 0, 0,
                                      3, 'l', 'c', 'r', 1, 0, 0, 0, 1, 0, 0, 0, 0x12};
    g_assert_true(device_load(&w->dev, partial, sizeof(partial), NULL));
    g_assert_cmphex(w->s.lcr, ==, 0x12);
    g_assert_cmphex(w->s.wide, ==, 0x12345678);
    uint8_t unknown[sizeof(partial)];
    memcpy(unknown, partial, sizeof(partial));
    unknown[16] = 'q';
    g_autoptr(GError) error = NULL;
    g_assert_false(device_load(&w->dev, unknown, sizeof(unknown), &error));
    g_assert_nonnull(strstr(error->message, "'lcq'"));
    device_free(&w->dev);
}

static void test_guest_error(void)
{
    if (g_test_subprocess()) {
        log_mask = LOG_GUEST_ERRORS;
        Widget *w = make();
        for (int i = 0; i < 1000; i++) {
            guest_error(&w->dev, "number %d", i);
        }
        device_free(&w->dev);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("guest error: widget/w0: number 0\n*number 9\n");
    g_test_trap_assert_stderr_unmatched("*number 999*");
}

static void test_trace(void)
{
    if (g_test_subprocess()) {
        Widget *w = make();
        log_mask = LOG_MMIO;
        wr(w, 0, 0, 0x83, 1);
        rd(w, 0, 4, 4);
        rd(w, 0, 2, 1);
        rd(w, 2, 1, 1);
        log_mask = 0;
        device_free(&w->dev);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("mmio: widget/w0 write DATA = 0x83\n"
                              "mmio: widget/w0 read WIDE = 0x12345678\n"
                              "mmio: widget/w0 read regs+0x2 = 0xff\n"
                              "mmio: widget/w0 read raw+0x1 = 0x03\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/device/registry", test_registry);
    g_test_add_func("/device/reset", test_reset);
    g_test_add_func("/device/registers", test_registers);
    g_test_add_func("/device/widths", test_widths);
    g_test_add_func("/device/raw", test_raw);
    g_test_add_func("/device/wires", test_wires);
    g_test_add_func("/device/props", test_props);
    g_test_add_func("/device/save-load", test_save_load);
    g_test_add_func("/device/load-garbage", test_load_garbage);
    g_test_add_func("/device/load-versions", test_load_versions);
    g_test_add_func("/device/guest-error", test_guest_error);
    g_test_add_func("/device/trace", test_trace);
    return g_test_run();
}
