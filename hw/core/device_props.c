/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Properties: from the text of -device NAME,prop=value into members of the device struct. */
#include "hw/core/device.h"

#include <string.h>

#include "hw/core/internal.h"
#include "util/suggest.h"

static void *member(Device *dev, const Prop *prop)
{
    return (char *)dev + prop->offset;
}

void props_set_defaults(Device *dev)
{
    for (uint32_t i = 0; i < dev->type->num_props; i++) {
        const Prop *prop = &dev->type->props[i];
        if (prop->kind == PROP_UINT || prop->kind == PROP_BOOL) {
            member_store(member(dev, prop), prop->size, prop->def);
        }
    }
}

void props_free(Device *dev)
{
    for (uint32_t i = 0; i < dev->type->num_props; i++) {
        const Prop *prop = &dev->type->props[i];
        if (prop->kind == PROP_STRING) {
            g_clear_pointer((char **)member(dev, prop), g_free);
        }
    }
}

static const Prop *find_prop(const DeviceType *type, const char *name)
{
    for (uint32_t i = 0; i < type->num_props; i++) {
        if (strcmp(type->props[i].name, name) == 0) {
            return &type->props[i];
        }
    }
    return NULL;
}

static void unknown_prop(const DeviceType *type, const char *name, GError **error)
{
    Suggest near = suggest_begin(name);
    g_autoptr(GString) names = g_string_new(NULL);
    for (uint32_t i = 0; i < type->num_props; i++) {
        suggest_offer(&near, type->props[i].name);
        g_string_append_printf(names, "%s%s", i ? ", " : "", type->props[i].name);
    }
    g_autofree char *hint = suggest_text(near.best);
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s has no property '%s'%s (%s%s)", type->name, name, hint,
                type->num_props ? "it has: " : "it has none", names->str);
}

/* "123", "0x7b" or "4k": digits with at most one suffix k, M, G or T (powers of 1024). */
static bool parse_uint(const char *text, uint64_t *value)
{
    unsigned base = 10, shift = 0;
    const char *p = text;
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
        base = 16;
        p += 2;
    }
    uint64_t v = 0;
    const char *digits = p;
    for (int d; (d = g_ascii_xdigit_value(*p)) >= 0 && d < (int)base; p++) {
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v)) {
            return false;
        }
    }
    if (p == digits) {
        return false;
    }
    if (*p) {
        const char *suffixes = "kmgt", *found = strchr(suffixes, g_ascii_tolower(*p));
        if (!found || p[1]) {
            return false;
        }
        shift = 10 * (unsigned)(found - suffixes + 1);
    }
    if (v > UINT64_MAX >> shift) {
        return false;
    }
    *value = v << shift;
    return true;
}

static bool parse_bool(const char *text, uint64_t *value)
{
    static const char *const words[2][4] = {{"off", "no", "false", "n"}, {"on", "yes", "true", "y"}};
    for (unsigned v = 0; v < 2; v++) {
        for (unsigned i = 0; i < ARRAY_LEN(words[v]); i++) {
            if (g_ascii_strcasecmp(text, words[v][i]) == 0) {
                *value = v;
                return true;
            }
        }
    }
    return false;
}

bool device_set_prop(Device *dev, const char *name, const char *value, GError **error)
{
    const Prop *prop = find_prop(dev->type, name);
    uint64_t number, max;
    if (!prop) {
        unknown_prop(dev->type, name, error);
        return false;
    }
    switch (prop->kind) {
    case PROP_UINT:
        max = prop->size >= 8 ? UINT64_MAX : (1ull << (prop->size * 8)) - 1;
        max = prop->max ? MIN(max, prop->max) : max;
        if (!parse_uint(value, &number) || number < prop->min || number > max) {
            g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                        "%s: '%s=%s': it takes a number from 0x%" PRIx64 " to 0x%" PRIx64 " (%s)", dev->type->name,
                        name, value, prop->min, max, prop->help);
            return false;
        }
        member_store(member(dev, prop), prop->size, number);
        return true;
    case PROP_BOOL:
        if (!parse_bool(value, &number)) {
            g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: '%s=%s': it takes on or off (%s)",
                        dev->type->name, name, value, prop->help);
            return false;
        }
        *(bool *)member(dev, prop) = number;
        return true;
    case PROP_STRING: {
        char **text = member(dev, prop);
        g_free(*text);
        *text = g_strdup(value);
        return true;
    }
    case PROP_CHARDEV:
        break;
    }
    /* Names of character devices are known to the board, which calls device_set_chardev(). */
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                "%s: '%s=%s': no such character device (add -chardev ...,id=%s)", dev->type->name, name, value,
                value);
    return false;
}

void device_set_chardev(Device *dev, const char *name, void *chardev)
{
    const Prop *prop = find_prop(dev->type, name);
    if (!prop || prop->kind != PROP_CHARDEV) {
        host_bug("%s has no character device property '%s'", dev->type->name, name);
        return;
    }
    memcpy(member(dev, prop), &chardev, sizeof(chardev));
}
