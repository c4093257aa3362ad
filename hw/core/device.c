/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Life of a chip: the registry of types, new, realize, reset, update, wires, free. */
#include "hw/core/device.h"

#include <string.h>

#include "hw/core/internal.h"

/* Rounds of update() when a device's output comes back to its own input; levels settle in two. */
#define UPDATE_ROUNDS 8

/* ---- registry ---- */

/* The linker makes these symbols of a section with a C name; weak: a program may have no devices at all. */
extern const DeviceType *const __start_rhea_device_types[] __attribute__((weak, visibility("hidden")));
extern const DeviceType *const __stop_rhea_device_types[] __attribute__((weak, visibility("hidden")));

static int by_name(const void *a, const void *b)
{
    const DeviceType *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

const DeviceType *const *device_types(size_t *count)
{
    static const DeviceType **sorted;
    *count = (size_t)(__stop_rhea_device_types - __start_rhea_device_types);
    if (g_once_init_enter(&sorted)) {
        const DeviceType **list = g_new0(const DeviceType *, *count + 1);
        for (size_t i = 0; i < *count; i++) {
            list[i] = __start_rhea_device_types[i];
        }
        qsort(list, *count, sizeof(*list), by_name);
        g_once_init_leave(&sorted, list);
    }
    return sorted;
}

const DeviceType *device_type_find(const char *name)
{
    size_t count;
    const DeviceType *const *types = device_types(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(types[i]->name, name) == 0) {
            return types[i];
        }
    }
    return NULL;
}

/* ---- life ---- */

Device *device_new(const DeviceType *type, const char *id, const DeviceEnv *env)
{
    Device *dev = g_malloc0(type->size);
    dev->type = type;
    dev->id = g_strdup(id ? id : type->name);
    dev->env = env;
    props_set_defaults(dev);
    fields_reset(dev, true);
    return dev;
}

bool device_realize(Device *dev, GError **error)
{
    if (dev->type->realize && !dev->type->realize(dev, error)) {
        g_prefix_error(error, "%s: ", dev->type->name);
        return false;
    }
    dev->realized = true;
    device_reset(dev);
    return true;
}

void device_free(Device *dev)
{
    if (!dev) {
        return;
    }
    if (dev->realized && dev->type->unrealize) {
        dev->type->unrealize(dev);
    }
    dev->realized = false;
    regions_free(dev);
    props_free(dev);
    g_free(dev->id);
    g_free(dev);
}

void device_reset(Device *dev)
{
    dev->epoch++;
    fields_reset(dev, false);
    if (dev->type->reset) {
        dev->type->reset(dev);
    }
    device_update(dev);
}

void device_update(Device *dev)
{
    if (!dev->type->update || !dev->realized) {
        return;
    }
    if (dev->updating) {
        dev->update_again = true;
        return;
    }
    dev->updating = true;
    for (unsigned round = 0; round < UPDATE_ROUNDS; round++) {
        dev->update_again = false;
        dev->type->update(dev);
        if (!dev->update_again) {
            break;
        }
    }
    dev->updating = false;
}

/* ---- wires ---- */

/* A board that wires what is not there: found by the first run of that board, never by a guest. */
G_NORETURN static void wiring_bug(const Device *dev, const char *what, const char *name, unsigned n)
{
    host_bug("%s has no %s '%s' number %u", dev->type->name, what, name ? name : "", n);
    __builtin_trap();
}

void device_connect(Device *dev, const char *pin, unsigned n, Irq irq)
{
    for (uint32_t i = 0; i < dev->type->num_pins; i++) {
        const Pin *p = &dev->type->pins[i];
        if (pin && strcmp(p->name, pin) != 0) {
            continue;
        }
        if (n < p->count) {
            memcpy((char *)dev + p->offset + n * sizeof(Irq), &irq, sizeof(irq));
            return;
        }
        break;
    }
    wiring_bug(dev, "pin", pin, n);
}

static void input_changed(void *opaque, unsigned n, bool level)
{
    Device *dev = opaque;
    dev->type->input(dev, n, level);
    /* Inside an access handler of this very device the update that follows the access is enough. */
    if (dev->depth == 0) {
        device_update(dev);
    }
}

Irq device_input(Device *dev, unsigned n)
{
    if (!dev->type->input) {
        wiring_bug(dev, "input", NULL, n);
    }
    return (Irq){.fn = input_changed, .opaque = dev, .n = n};
}

/* ---- messages about the guest ---- */

G_GNUC_PRINTF(3, 0)
static void guest_message(Device *dev, const char *kind, const char *format, va_list ap)
{
    uint32_t dropped;
    if (!rate_limit_ok(&dev->limit, &dropped)) {
        return;
    }
    g_autofree char *text = g_strdup_vprintf(format, ap);
    if (dropped) {
        log_printf("%s: %s/%s: %s (%u messages before it were dropped)\n", kind, dev->type->name, dev->id, text,
                   dropped);
    } else {
        log_printf("%s: %s/%s: %s\n", kind, dev->type->name, dev->id, text);
    }
}

void guest_error(Device *dev, const char *format, ...)
{
    if (log_on(LOG_GUEST_ERRORS)) {
        va_list ap;
        va_start(ap, format);
        guest_message(dev, "guest error", format, ap);
        va_end(ap);
    }
}

void guest_unimp(Device *dev, const char *format, ...)
{
    if (log_on(LOG_UNIMP)) {
        va_list ap;
        va_start(ap, format);
        guest_message(dev, "unimplemented", format, ap);
        va_end(ap);
    }
}
