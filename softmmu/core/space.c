/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An address space: mappings are rendered into a flat view when they change, look-ups search the view.  The view is
 * replaced inside an exclusive section, so a vCPU in guest code sees one view or the other and needs no lock.
 */
#include "softmmu/core/space.h"

#include <string.h>

#include "hw/core/notify.h"
#include "softmmu/core/exclusive.h"
#include "softmmu/core/ram.h"
#include "util/log.h"

#define PORT_WIDTH 16
#define NO_RANGE UINT16_MAX

struct Mapping {
    const Region *region;
    uint64_t addr, offset, len;
    int priority;
    uint64_t seq; /* order of mapping: among equals the later wins */
    bool enabled;
};

typedef struct Listener {
    void (*changed)(void *opaque);
    void *opaque;
} Listener;

struct AddressSpace {
    const char *name;
    uint64_t size;       /* 2^width */
    FlatRange *ranges;   /* replaced in exclusive sections */
    size_t num_ranges;
    uint16_t *ports;     /* [64 Ki] index of the range at a port or NO_RANGE; NULL for memory */
    GPtrArray *mappings; /* Mapping *; guarded by the machine lock, as all below */
    GArray *listeners;   /* Listener */
    unsigned depth;      /* space_begin() without its space_commit() */
    bool changed;
    uint64_t seq;
    struct Ram *ram;
    struct MachineLock *lock;
};

AddressSpace *space_new(const char *name, unsigned width)
{
    AddressSpace *space = g_new0(AddressSpace, 1);
    space->name = name;
    space->size = 1ull << width;
    space->mappings = g_ptr_array_new_with_free_func(g_free);
    space->listeners = g_array_new(false, false, sizeof(Listener));
    if (width == PORT_WIDTH) {
        space->ports = g_new(uint16_t, 1u << PORT_WIDTH);
        memset(space->ports, 0xff, sizeof(uint16_t) << PORT_WIDTH);
    }
    return space;
}

void space_free(AddressSpace *space)
{
    if (!space) {
        return;
    }
    g_ptr_array_free(space->mappings, true);
    g_array_free(space->listeners, true);
    g_free(space->ranges);
    g_free(space->ports);
    g_free(space);
}

void space_set_ram(AddressSpace *space, struct Ram *ram)
{
    space->ram = ram;
}

void space_set_lock(AddressSpace *space, struct MachineLock *lock)
{
    space->lock = lock;
}

void space_add_listener(AddressSpace *space, void (*changed)(void *opaque), void *opaque)
{
    Listener l = {changed, opaque};
    g_array_append_val(space->listeners, l);
}

void space_remove_listener(AddressSpace *space, void (*changed)(void *opaque), void *opaque)
{
    for (guint i = 0; i < space->listeners->len; i++) {
        const Listener *l = &g_array_index(space->listeners, Listener, i);
        if (l->changed == changed && l->opaque == opaque) {
            g_array_remove_index(space->listeners, i);
            return;
        }
    }
}

/* ---- rendering ---- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Where anything begins or ends, ascending, no value twice. */
static GArray *edges(const AddressSpace *space)
{
    GArray *list = g_array_new(false, false, sizeof(uint64_t));
    for (guint i = 0; i < space->mappings->len; i++) {
        const Mapping *m = g_ptr_array_index(space->mappings, i);
        if (m->enabled && m->len) {
            uint64_t end = m->addr + m->len;
            g_array_append_val(list, m->addr);
            g_array_append_val(list, end);
        }
    }
    g_array_sort(list, by_value);
    guint kept = 0;
    uint64_t *v = (uint64_t *)(void *)list->data;
    for (guint i = 0; i < list->len; i++) {
        if (kept == 0 || v[kept - 1] != v[i]) {
            v[kept++] = v[i];
        }
    }
    g_array_set_size(list, kept);
    return list;
}

static const Mapping *winner(const AddressSpace *space, uint64_t addr)
{
    const Mapping *best = NULL;
    for (guint i = 0; i < space->mappings->len; i++) {
        const Mapping *m = g_ptr_array_index(space->mappings, i);
        if (!m->enabled || addr < m->addr || addr - m->addr >= m->len) {
            continue;
        }
        if (!best || m->priority > best->priority || (m->priority == best->priority && m->seq > best->seq)) {
            best = m;
        }
    }
    return best;
}

static GArray *render(const AddressSpace *space)
{
    GArray *view = g_array_new(false, false, sizeof(FlatRange));
    g_autoptr(GArray) list = edges(space);
    for (guint i = 0; i + 1 < list->len; i++) {
        uint64_t start = g_array_index(list, uint64_t, i), end = g_array_index(list, uint64_t, i + 1);
        const Mapping *m = winner(space, start);
        if (!m) {
            continue;
        }
        FlatRange piece = {start, end, m->region, m->offset + (start - m->addr)};
        FlatRange *last = view->len ? &g_array_index(view, FlatRange, view->len - 1) : NULL;
        if (last && last->end == start && last->region == piece.region &&
            last->offset + (start - last->start) == piece.offset) {
            last->end = end;
        } else {
            g_array_append_val(view, piece);
        }
    }
    return view;
}

static void index_ports(AddressSpace *space)
{
    memset(space->ports, 0xff, sizeof(uint16_t) << PORT_WIDTH);
    for (size_t i = 0; i < space->num_ranges && i < NO_RANGE; i++) {
        for (uint64_t port = space->ranges[i].start; port < space->ranges[i].end; port++) {
            space->ports[port] = (uint16_t)i;
        }
    }
}

static void swap_view(AddressSpace *space)
{
    GArray *view = render(space);
    if (space->lock) {
        exclusive_begin(space->lock);
    }
    g_free(space->ranges);
    space->num_ranges = view->len;
    space->ranges = (FlatRange *)(void *)g_array_free(view, false);
    if (space->ports) {
        index_ports(space);
    }
    for (guint i = 0; i < space->listeners->len; i++) {
        const Listener *l = &g_array_index(space->listeners, Listener, i);
        l->changed(l->opaque);
    }
    if (space->lock) {
        exclusive_end(space->lock);
    }
}

void space_begin(AddressSpace *space)
{
    space->depth++;
}

void space_commit(AddressSpace *space)
{
    g_assert(space->depth > 0);
    if (--space->depth == 0 && space->changed) {
        space->changed = false;
        swap_view(space);
    }
}

void space_refresh(AddressSpace *space)
{
    space_begin(space);
    space->changed = true;
    space_commit(space);
}

/* ---- mappings ---- */

Mapping *space_map(AddressSpace *space, uint64_t addr, const Region *region, uint64_t offset, uint64_t len,
                   int priority)
{
    g_assert(len <= space->size && addr <= space->size - len);
    g_assert(offset <= region->size && len <= region->size - offset);
    Mapping *m = g_new0(Mapping, 1);
    *m = (Mapping){.region = region, .addr = addr, .offset = offset, .len = len, .priority = priority,
                   .seq = space->seq++, .enabled = true};
    space_begin(space);
    g_ptr_array_add(space->mappings, m);
    space->changed = true;
    space_commit(space);
    return m;
}

void space_unmap(AddressSpace *space, Mapping *mapping)
{
    space_begin(space);
    space->changed |= mapping->enabled;
    g_ptr_array_remove(space->mappings, mapping);
    space_commit(space);
}

void space_move(AddressSpace *space, Mapping *mapping, uint64_t addr)
{
    g_assert(mapping->len <= space->size && addr <= space->size - mapping->len);
    if (mapping->addr == addr) {
        return;
    }
    space_begin(space);
    mapping->addr = addr;
    space->changed |= mapping->enabled;
    space_commit(space);
}

void space_set_enabled(AddressSpace *space, Mapping *mapping, bool enabled)
{
    if (mapping->enabled == enabled) {
        return;
    }
    space_begin(space);
    mapping->enabled = enabled;
    space->changed = true;
    space_commit(space);
}

/* ---- look-up ---- */

static const FlatRange *find_range(const AddressSpace *space, uint64_t addr)
{
    if (space->ports) {
        uint16_t n = addr < space->size ? space->ports[addr] : NO_RANGE;
        return n == NO_RANGE ? NULL : &space->ranges[n];
    }
    size_t low = 0, high = space->num_ranges;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const FlatRange *r = &space->ranges[mid];
        if (addr < r->start) {
            high = mid;
        } else if (addr >= r->end) {
            low = mid + 1;
        } else {
            return r;
        }
    }
    return NULL;
}

bool space_lookup(const AddressSpace *space, uint64_t addr, FlatRange *out)
{
    const FlatRange *r = find_range(space, addr);
    if (r) {
        *out = *r;
    }
    return r != NULL;
}

const FlatRange *space_ranges(const AddressSpace *space, size_t *count)
{
    *count = space->num_ranges;
    return space->ranges;
}

/* ---- access ---- */

/* Natural sizes become one host access (the copies have constant sizes): a guest's aligned access is atomic. */
static uint64_t host_load(const uint8_t *p, unsigned size)
{
    uint64_t v64 = 0;
    uint32_t v32;
    uint16_t v16;
    switch (size) {
    case 1:
        return *p;
    case 2:
        memcpy(&v16, p, 2);
        return v16;
    case 4:
        memcpy(&v32, p, 4);
        return v32;
    case 8:
        memcpy(&v64, p, 8);
        return v64;
    default:
        memcpy(&v64, p, size & 7);
        return v64;
    }
}

static void host_store(uint8_t *p, uint64_t value, unsigned size)
{
    switch (size) {
    case 1:
        *p = (uint8_t)value;
        break;
    case 2:
        memcpy(p, &value, 2);
        break;
    case 4:
        memcpy(p, &value, 4);
        break;
    case 8:
        memcpy(p, &value, 8);
        break;
    default:
        memcpy(p, &value, size & 7);
        break;
    }
}

/* region: NULL in a hole. */
static void trace(const AddressSpace *space, const Region *region, uint64_t addr, const char *verb, unsigned size,
                  uint64_t value)
{
    if (region && region->traced) {
        return;
    }
    log_printf("mmio: %s %s 0x%" PRIx64 " [%s] = 0x%0*" PRIx64 "\n", space->name, verb, addr,
               region ? region->name : "nothing there", (int)size * 2, value);
}

/* Does the access lie in the range? */
static bool in_range(const FlatRange *r, uint64_t addr, unsigned size)
{
    return r && size <= r->end - addr;
}

static bool needs_lock(const AddressSpace *space, const Region *region)
{
    return space->lock && region->kind != REGION_RAM && region->ops && !region->ops->unlocked;
}

static uint64_t load_hole(const AddressSpace *space, uint64_t addr)
{
    if (log_on(LOG_MMIO)) {
        trace(space, NULL, addr, "read", 1, 0xff);
    }
    return 0xff;
}

/* The access lies in r, which must not be used after a callback: that may have changed the map. */
static uint64_t load(AddressSpace *space, const FlatRange *r, uint64_t addr, unsigned size)
{
    const Region *region = r->region;
    uint64_t offset = r->offset + (addr - r->start), value;
    if (region->kind != REGION_IO) {
        return host_load(region->host + offset, size);
    }
    value = region_read(region, offset, size);
    if (log_on(LOG_MMIO)) {
        trace(space, region, addr, "read", size, value);
    }
    return value;
}

static void store(AddressSpace *space, const FlatRange *r, uint64_t addr, uint64_t value, unsigned size)
{
    const Region *region = r->region;
    uint64_t offset = r->offset + (addr - r->start);
    if (region->kind == REGION_RAM) {
        uint8_t *host = region->host + offset;
        host_store(host, value, size);
        if (space->ram && ram_owns(space->ram, host)) {
            ram_written(space->ram, host, size);
        }
        return;
    }
    if (log_on(LOG_MMIO)) {
        trace(space, region, addr, "write", size, value & (~0ull >> (64 - size * 8)));
    }
    region_write(region, offset, value, size);
}

uint64_t space_read(AddressSpace *space, uint64_t addr, unsigned size)
{
    const FlatRange *r = find_range(space, addr);
    if (unlikely(!in_range(r, addr, size))) {
        if (size == 1) {
            return load_hole(space, addr);
        }
        uint64_t value = 0;
        for (unsigned i = 0; i < size; i++) {
            value |= space_read(space, addr + i, 1) << (i * 8);
        }
        return value;
    }
    if (r->region->kind != REGION_IO || !needs_lock(space, r->region)) {
        return load(space, r, addr, size);
    }
    machine_lock(space->lock);
    r = find_range(space, addr); /* the map may have changed while this thread waited */
    uint64_t value = in_range(r, addr, size) ? load(space, r, addr, size) : ~0ull >> (64 - size * 8);
    machine_unlock(space->lock);
    return value;
}

void space_write(AddressSpace *space, uint64_t addr, uint64_t value, unsigned size)
{
    const FlatRange *r = find_range(space, addr);
    if (unlikely(!in_range(r, addr, size))) {
        if (size == 1) {
            if (log_on(LOG_MMIO)) {
                trace(space, NULL, addr, "write", 1, value & 0xff);
            }
            return;
        }
        for (unsigned i = 0; i < size; i++) {
            space_write(space, addr + i, value >> (i * 8), 1);
        }
        return;
    }
    if (unlikely(r->region->num_notifiers) &&
        region_notify(r->region, r->offset + (addr - r->start), value, size)) {
        return;
    }
    if (!needs_lock(space, r->region)) {
        store(space, r, addr, value, size);
        return;
    }
    machine_lock(space->lock);
    r = find_range(space, addr); /* the map may have changed while this thread waited */
    if (in_range(r, addr, size)) {
        store(space, r, addr, value, size);
    }
    machine_unlock(space->lock);
}

/* ---- DMA ---- */

/* Is all of [addr, addr + len) RAM (or, for reads, ROM)? */
static bool dma_reachable(const AddressSpace *space, gpa_t addr, size_t len, bool write)
{
    if (len > space->size || addr > space->size - len) {
        return false;
    }
    gpa_t end = addr + len;
    while (addr < end) {
        const FlatRange *r = find_range(space, addr);
        if (!r || r->region->kind == REGION_IO || (write && r->region->kind != REGION_RAM)) {
            return false;
        }
        addr = r->end;
    }
    return true;
}

bool space_dma_read(AddressSpace *space, gpa_t addr, void *buf, size_t len)
{
    if (!dma_reachable(space, addr, len, false)) {
        return false;
    }
    uint8_t *to = buf;
    while (len) {
        const FlatRange *r = find_range(space, addr);
        size_t piece = (size_t)MIN(len, r->end - addr);
        memcpy(to, r->region->host + r->offset + (addr - r->start), piece);
        to += piece;
        addr += piece;
        len -= piece;
    }
    return true;
}

bool space_dma_write(AddressSpace *space, gpa_t addr, const void *buf, size_t len)
{
    if (!dma_reachable(space, addr, len, true)) {
        return false;
    }
    const uint8_t *from = buf;
    while (len) {
        const FlatRange *r = find_range(space, addr);
        size_t piece = (size_t)MIN(len, r->end - addr);
        uint8_t *host = r->region->host + r->offset + (addr - r->start);
        memcpy(host, from, piece);
        if (space->ram && ram_owns(space->ram, host)) {
            ram_written(space->ram, host, piece);
        }
        from += piece;
        addr += piece;
        len -= piece;
    }
    return true;
}

void space_dump(const AddressSpace *space, GString *out)
{
    static const char *const kinds[] = {"i/o", "ram", "rom"};
    int digits = space->ports ? 4 : 16;
    g_string_append_printf(out, "address-space: %s\n", space->name);
    for (size_t i = 0; i < space->num_ranges; i++) {
        const FlatRange *r = &space->ranges[i];
        g_string_append_printf(out, "  %0*" PRIx64 "-%0*" PRIx64 " (%s): %s", digits, r->start, digits, r->end - 1,
                               kinds[r->region->kind], r->region->name ? r->region->name : "?");
        if (r->offset) {
            g_string_append_printf(out, " @%0*" PRIx64, digits, r->offset);
        }
        g_string_append_c(out, '\n');
    }
}
