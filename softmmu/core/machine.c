/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine's common parts, and what it offers its devices. */
#include "softmmu/core/machine.h"

#include <string.h>

#include <glib-unix.h>

#include "util/suggest.h"

#define DEFAULT_TSC_KHZ 2000000 /* where nothing says what the host's is */
#define MEMORY_WIDTH 52 /* the architectural limit of physical addresses, SDM vol 3 4.1.4 */

/* ---- the devices' environment ---- */

static bool env_dma_read(void *opaque, gpa_t addr, void *buf, size_t len)
{
    Machine *m = opaque;
    return space_dma_read(m->memory, addr, buf, len);
}

static bool env_dma_write(void *opaque, gpa_t addr, const void *buf, size_t len)
{
    Machine *m = opaque;
    return space_dma_write(m->memory, addr, buf, len);
}

static void env_request(void *opaque, DeviceRequest request, int code)
{
    Machine *m = opaque;
    switch (request) {
    case REQUEST_SHUTDOWN:
        run_request_exit(m->run, CAUSE_GUEST_SHUTDOWN, 0);
        break;
    case REQUEST_RESET:
        run_request_reset(m->run, CAUSE_GUEST_RESET);
        break;
    case REQUEST_EXIT:
        run_request_exit(m->run, CAUSE_DEBUG_EXIT, code);
        break;
    }
}

/* Until the board has an interrupt controller that takes messages. */
static void env_no_msi(void *opaque, uint64_t addr, uint32_t data)
{
}

/* ---- the log of writes ---- */

/* The pages of RAM that [addr, addr + len) of the guest's memory is: false if it is anything else. */
static bool ram_pages(const Machine *m, gpa_t addr, uint64_t len, uint64_t *first)
{
    FlatRange r;
    if (((addr | len) & ~PAGE_MASK) || !space_lookup(m->memory, addr, &r) || r.region->kind != REGION_RAM ||
        len > r.end - addr) {
        return false;
    }
    const uint8_t *host = r.region->host + r.offset + (addr - r.start);
    *first = (uint64_t)(host - m->ram->host) >> PAGE_SHIFT;
    return ram_owns(m->ram, host);
}

static bool env_log_writes(void *opaque, gpa_t addr, uint64_t len, bool on)
{
    Machine *m = opaque;
    uint64_t first;
    if (!ram_pages(m, addr, len, &first)) {
        return false;
    }
    dirty_log(m, DIRTY_DISPLAY, first, len >> PAGE_SHIFT, on);
    return true;
}

static bool env_take_written(void *opaque, gpa_t addr, uint64_t len, uint64_t *bitmap)
{
    Machine *m = opaque;
    uint64_t first;
    if (!ram_pages(m, addr, len, &first)) {
        return false;
    }
    dirty_take(m, DIRTY_DISPLAY, first, len >> PAGE_SHIFT, bitmap);
    return true;
}

/* ---- eventfds ---- */

static void env_set_notifiers(void *opaque, Region *region, const WriteNotifier *list, unsigned count)
{
    Machine *m = opaque;
    exclusive_begin(m->lock);
    region->notifiers = list;
    region->num_notifiers = count;
    space_refresh(m->memory);
    space_refresh(m->io);
    exclusive_end(m->lock);
}

typedef struct Watch {
    Machine *m;
    IrqNotifier *notifier;
} Watch;

static gboolean irq_arrives(gint fd, GIOCondition condition, gpointer opaque)
{
    const Watch *w = opaque;
    IrqNotifier *n = w->notifier;
    if (!event_take(fd)) {
        return G_SOURCE_CONTINUE;
    }
    if (n->fire) {
        n->fire(n->opaque);
    } else {
        w->m->env.msi(w->m->env.opaque, n->addr, n->data);
    }
    return G_SOURCE_CONTINUE;
}

static void start_serving(Machine *m, IrqNotifier *n)
{
    if (m->irq_engine && !n->fire && m->irq_engine(m->irq_engine_opaque, n, true)) {
        return;
    }
    Watch *w = g_new(Watch, 1);
    *w = (Watch){m, n};
    n->source = g_unix_fd_add_full(G_PRIORITY_HIGH, n->fd, G_IO_IN, irq_arrives, w, g_free);
}

static void end_serving(Machine *m, IrqNotifier *n)
{
    if (n->source) {
        g_source_remove(n->source);
        n->source = 0;
    } else {
        m->irq_engine(m->irq_engine_opaque, n, false);
    }
}

static void env_watch(void *opaque, IrqNotifier *n, bool on)
{
    Machine *m = opaque;
    if (on) {
        g_ptr_array_add(m->watched, n);
        start_serving(m, n);
    } else if (g_ptr_array_remove(m->watched, n)) {
        end_serving(m, n);
    }
}

void machine_set_irq_engine(Machine *m, bool (*engine)(void *opaque, IrqNotifier *notifier, bool on), void *opaque)
{
    for (guint i = 0; i < m->watched->len; i++) {
        end_serving(m, g_ptr_array_index(m->watched, i));
    }
    m->irq_engine = engine;
    m->irq_engine_opaque = opaque;
    for (guint i = 0; i < m->watched->len; i++) {
        start_serving(m, g_ptr_array_index(m->watched, i));
    }
}

/* ---- life ---- */

Machine *machine_new(uint64_t ram_size, GError **error)
{
    Ram *ram = ram_new(ram_size, error);
    if (!ram) {
        return NULL;
    }
    Machine *m = g_new0(Machine, 1);
    m->ram = ram;
    m->clock = clock_new_host();
    m->tsc = tick_rate(DEFAULT_TSC_KHZ);
    m->lock = machine_lock_new();
    m->run = run_control_new();
    m->devices = g_ptr_array_new();
    m->watched = g_ptr_array_new();
    m->dirty_engines = g_ptr_array_new();
    m->memory = space_new("memory", MEMORY_WIDTH);
    m->io = space_new("I/O", 16);
    space_set_ram(m->memory, ram);
    space_set_lock(m->memory, m->lock);
    space_set_lock(m->io, m->lock);
    m->env = (DeviceEnv){
        .clock = m->clock,
        .opaque = m,
        .dma_read = env_dma_read,
        .dma_write = env_dma_write,
        .request = env_request,
        .msi = env_no_msi,
        .log_writes = env_log_writes,
        .take_written = env_take_written,
        .set_notifiers = env_set_notifiers,
        .watch = env_watch,
    };
    return m;
}

void machine_free(Machine *m)
{
    if (!m) {
        return;
    }
    /* youngest first: a device may use what was made before it */
    for (guint i = m->devices->len; i-- > 0;) {
        device_free(g_ptr_array_index(m->devices, i));
    }
    g_ptr_array_free(m->devices, true);
    g_ptr_array_free(m->watched, true);
    g_ptr_array_free(m->dirty_engines, true);
    space_free(m->memory);
    space_free(m->io);
    clock_free(m->clock);
    run_control_free(m->run);
    machine_lock_free(m->lock);
    ram_free(m->ram);
    g_free(m);
}

/* ---- devices ---- */

static bool set_props(Device *dev, va_list ap, GError **error)
{
    const char *name;
    while ((name = va_arg(ap, const char *)) != NULL) {
        const char *value = va_arg(ap, const char *);
        if (!value || !device_set_prop(dev, name, value, error)) {
            return false;
        }
    }
    return true;
}

static const DeviceType *find_type(const char *name, GError **error)
{
    const DeviceType *type = device_type_find(name);
    if (type) {
        return type;
    }
    size_t count;
    const DeviceType *const *types = device_types(&count);
    Suggest near = suggest_begin(name);
    for (size_t i = 0; i < count; i++) {
        suggest_offer(&near, types[i]->name);
    }
    g_autofree char *hint = suggest_text(near.best);
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "there is no device '%s'%s", name, hint);
    return NULL;
}

Device *machine_own_device(Machine *m, Device *dev, GError **error)
{
    if (!device_realize(dev, error)) {
        device_free(dev);
        return NULL;
    }
    g_ptr_array_add(m->devices, dev);
    return dev;
}

Device *machine_add_device(Machine *m, const char *type_name, const char *id, GError **error, ...)
{
    const DeviceType *type = find_type(type_name, error);
    if (!type) {
        return NULL;
    }
    Device *dev = device_new(type, id, &m->env);
    va_list ap;
    va_start(ap, error);
    bool ok = set_props(dev, ap, error);
    va_end(ap);
    if (!ok) {
        device_free(dev);
        return NULL;
    }
    return machine_own_device(m, dev, error);
}

Device *machine_find_device(const Machine *m, const char *id)
{
    for (guint i = 0; i < m->devices->len; i++) {
        Device *dev = g_ptr_array_index(m->devices, i);
        if (strcmp(dev->id, id) == 0) {
            return dev;
        }
    }
    return NULL;
}

void machine_reset_devices(Machine *m)
{
    for (guint i = 0; i < m->devices->len; i++) {
        device_reset(g_ptr_array_index(m->devices, i));
    }
}
