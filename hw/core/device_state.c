/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chip's state from its Field rows: reset, save, load, dump.
 * Format of a saved device, all little endian: u8 length and bytes of the type's name, u16 version, u32 number of
 * fields, then for each: u8 length and bytes of its name, u32 size of an element, u32 count, count * size bytes.
 * A field that is missing takes its reset value (an older snapshot); one that is unknown refuses the whole.
 */
#include "hw/core/device.h"

#include <string.h>

#include "hw/core/internal.h"

#define STATE_VERSION 1

static char *element(const Device *dev, const Field *f, uint32_t i)
{
    return (char *)dev + f->offset + (size_t)i * f->stride;
}

static void field_reset(Device *dev, const Field *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->kind == FIELD_BYTES) {
            memset(element(dev, f, i), (int)(f->reset & 0xff), f->size);
        } else {
            member_store(element(dev, f, i), f->size, f->reset);
        }
    }
}

void fields_reset(Device *dev, bool all)
{
    for (uint32_t i = 0; i < dev->type->num_fields; i++) {
        const Field *f = &dev->type->fields[i];
        if (all || !f->keep) {
            field_reset(dev, f);
        }
    }
}

/* ---- save ---- */

static void put_uint(GByteArray *out, uint64_t value, unsigned size)
{
    g_byte_array_append(out, (const uint8_t *)&value, size);
}

static void put_name(GByteArray *out, const char *name)
{
    size_t len = MIN(strlen(name), 255);
    put_uint(out, len, 1);
    g_byte_array_append(out, (const uint8_t *)name, (guint)len);
}

void device_save(const Device *dev, GByteArray *out)
{
    const DeviceType *type = dev->type;
    put_name(out, type->name);
    put_uint(out, STATE_VERSION, 2);
    put_uint(out, type->num_fields, 4);
    for (uint32_t i = 0; i < type->num_fields; i++) {
        const Field *f = &type->fields[i];
        put_name(out, f->name);
        put_uint(out, f->size, 4);
        put_uint(out, f->count, 4);
        for (uint32_t e = 0; e < f->count; e++) {
            g_byte_array_append(out, (const uint8_t *)element(dev, f, e), f->size);
        }
    }
}

/* ---- load ---- */

typedef struct Reader {
    const uint8_t *data;
    size_t left;
    bool bad; /* ran past the end */
} Reader;

static const uint8_t *get_bytes(Reader *r, size_t len)
{
    if (r->bad || len > r->left) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->data;
    r->data += len;
    r->left -= len;
    return p;
}

static uint64_t get_uint(Reader *r, unsigned size)
{
    const uint8_t *p = get_bytes(r, size);
    return p ? member_load(p, size) : 0;
}

/* Up to 255 bytes and a NUL into name. */
static void get_name(Reader *r, char name[256])
{
    size_t len = (size_t)get_uint(r, 1);
    const uint8_t *p = get_bytes(r, len);
    if (p) {
        memcpy(name, p, len);
    }
    name[p ? len : 0] = 0;
}

G_GNUC_PRINTF(3, 4)
static bool refuse(const Device *dev, GError **error, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "state of %s/%s: %s", dev->type->name, dev->id, text);
    return false;
}

static bool in_range(const Field *f, uint64_t value)
{
    if (f->kind == FIELD_INT) {
        unsigned shift = 64 - f->size * 8;
        int64_t v = (int64_t)(value << shift) >> shift;
        return v >= (int64_t)f->min && v <= (int64_t)f->max;
    }
    return value >= f->min && value <= f->max;
}

static bool load_field(Device *scratch, const Field *f, Reader *r, GError **error)
{
    for (uint32_t e = 0; e < f->count; e++) {
        const uint8_t *p = get_bytes(r, f->size);
        if (!p) {
            return refuse(scratch, error, "it is cut off in field '%s'", f->name);
        }
        if (f->kind != FIELD_BYTES && !in_range(f, member_load(p, f->size))) {
            return refuse(scratch, error, "field '%s' holds %" PRIu64 ", outside its range", f->name,
                          member_load(p, f->size));
        }
        memcpy(element(scratch, f, e), p, f->size);
    }
    return true;
}

static int find_field(const DeviceType *type, const char *name)
{
    for (uint32_t i = 0; i < type->num_fields; i++) {
        if (strcmp(type->fields[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool load_fields(Device *scratch, Reader *r, GError **error)
{
    const DeviceType *type = scratch->type;
    char name[256];
    g_autofree bool *seen = g_new0(bool, type->num_fields + 1);
    uint64_t count = get_uint(r, 4);
    for (uint64_t i = 0; i < count && !r->bad; i++) {
        get_name(r, name);
        uint64_t size = get_uint(r, 4), elements = get_uint(r, 4);
        int n = find_field(type, name);
        if (r->bad) {
            break;
        }
        if (n < 0 || seen[n]) {
            return refuse(scratch, error, "%s field '%s'", n < 0 ? "there is no" : "it has twice the", name);
        }
        const Field *f = &type->fields[n];
        if (size != f->size || elements != f->count) {
            return refuse(scratch, error, "field '%s' has another size", name);
        }
        seen[n] = true;
        if (!load_field(scratch, f, r, error)) {
            return false;
        }
    }
    if (r->bad) {
        return refuse(scratch, error, "it is cut off");
    }
    return r->left == 0 || refuse(scratch, error, "%zu bytes too many", r->left);
}

static bool load_into(Device *scratch, Reader *r, GError **error)
{
    char name[256];
    get_name(r, name);
    uint64_t version = get_uint(r, 2);
    if (r->bad || strcmp(name, scratch->type->name) != 0 || version != STATE_VERSION) {
        return refuse(scratch, error, "not a state of this type and version");
    }
    fields_reset(scratch, true);
    if (!load_fields(scratch, r, error)) {
        return false;
    }
    if (scratch->type->validate && !scratch->type->validate(scratch, error)) {
        g_prefix_error(error, "state of %s/%s: ", scratch->type->name, scratch->id);
        return false;
    }
    return true;
}

bool device_load(Device *dev, const uint8_t *data, size_t len, GError **error)
{
    const DeviceType *type = dev->type;
    g_autofree Device *scratch = g_malloc(type->size);
    memcpy(scratch, dev, type->size);
    Reader reader = {.data = data, .left = len};
    if (!load_into(scratch, &reader, error)) {
        return false;
    }
    memcpy((char *)dev + type->state_offset, (const char *)scratch + type->state_offset, type->state_size);
    dev->epoch++; /* what is in flight belongs to the state that was replaced */
    device_update(dev);
    return true;
}

/* ---- dump ---- */

#define DUMP_BYTES 32

static void dump_bytes(const Device *dev, const Field *f, GString *out)
{
    const uint8_t *p = (const uint8_t *)element(dev, f, 0);
    for (uint32_t i = 0; i < MIN(f->size, DUMP_BYTES); i++) {
        g_string_append_printf(out, " %02x", p[i]);
    }
    if (f->size > DUMP_BYTES) {
        g_string_append_printf(out, " ... (%u bytes)", f->size);
    }
}

void device_dump(const Device *dev, GString *out)
{
    g_string_append_printf(out, "%s (%s)\n", dev->id, dev->type->name);
    for (uint32_t i = 0; i < dev->type->num_fields; i++) {
        const Field *f = &dev->type->fields[i];
        g_string_append_printf(out, "  %s =", f->name);
        if (f->kind == FIELD_BYTES) {
            dump_bytes(dev, f, out);
        } else {
            for (uint32_t e = 0; e < MIN(f->count, DUMP_BYTES); e++) {
                uint64_t v = member_load(element(dev, f, e), f->size);
                if (f->kind == FIELD_INT && v == (uint64_t)TIMER_OFF) {
                    g_string_append(out, " never");
                } else {
                    g_string_append_printf(out, " 0x%" PRIx64, v);
                }
            }
        }
        g_string_append_c(out, '\n');
    }
}
