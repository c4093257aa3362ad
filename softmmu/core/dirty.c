/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log of writes to RAM, by client. */
#include "softmmu/core/dirty.h"

#include <string.h>

#include "softmmu/core/machine.h"

void dirty_add_engine(Machine *m, const DirtyEngine *engine)
{
    g_ptr_array_add(m->dirty_engines, (gpointer)engine);
}

void dirty_remove_engine(Machine *m, const DirtyEngine *engine)
{
    if (g_ptr_array_remove(m->dirty_engines, (gpointer)engine) && m->ram->logged && engine->collect) {
        engine->collect(engine->opaque, 0, m->ram->size >> PAGE_SHIFT);
    }
}

static void tell_engines(const Machine *m)
{
    for (guint i = 0; i < m->dirty_engines->len; i++) {
        const DirtyEngine *e = g_ptr_array_index(m->dirty_engines, i);
        e->changed(e->opaque);
    }
}

static void collect(const Machine *m, uint64_t first, uint64_t count)
{
    for (guint i = 0; m->ram->logged && i < m->dirty_engines->len; i++) {
        const DirtyEngine *e = g_ptr_array_index(m->dirty_engines, i);
        if (e->collect) {
            e->collect(e->opaque, first, count);
        }
    }
}

/* Is there a page that some client logs?  Only when logging ends, so the look through all does not matter. */
static bool any_logged(const Ram *ram)
{
    for (uint64_t n = 0; n < ram->size >> PAGE_SHIFT; n++) {
        if (ram->pages[n].track) {
            return true;
        }
    }
    return false;
}

void dirty_log(Machine *m, unsigned client, uint64_t first, uint64_t count, bool on)
{
    Ram *ram = m->ram;
    g_assert(first <= ram->size >> PAGE_SHIFT && count <= (ram->size >> PAGE_SHIFT) - first);
    exclusive_begin(m->lock);
    collect(m, first, count); /* what others log in there */
    for (RamPage *page = ram->pages + first; page < ram->pages + first + count; page++) {
        if (on) {
            __atomic_fetch_and(&page->dirty, (uint8_t)~client, __ATOMIC_SEQ_CST);
            __atomic_fetch_or(&page->track, (uint8_t)client, __ATOMIC_SEQ_CST);
        } else {
            __atomic_fetch_and(&page->track, (uint8_t)~client, __ATOMIC_SEQ_CST);
        }
    }
    ram->logged = on ? count != 0 || ram->logged : ram->logged && any_logged(ram);
    tell_engines(m);
    exclusive_end(m->lock);
}

uint64_t dirty_take(Machine *m, unsigned client, uint64_t first, uint64_t count, uint64_t *bitmap)
{
    Ram *ram = m->ram;
    uint64_t found = 0;
    g_assert(first <= ram->size >> PAGE_SHIFT && count <= (ram->size >> PAGE_SHIFT) - first);
    memset(bitmap, 0, (count + 63) / 64 * sizeof(uint64_t));
    exclusive_begin(m->lock);
    collect(m, first, count);
    for (uint64_t n = 0; n < count; n++) {
        RamPage *page = &ram->pages[first + n];
        if (__atomic_load_n(&page->track, __ATOMIC_RELAXED) & __atomic_load_n(&page->dirty, __ATOMIC_RELAXED) & client) {
            __atomic_fetch_and(&page->dirty, (uint8_t)~client, __ATOMIC_SEQ_CST);
            bitmap[n / 64] |= BIT64(n % 64);
            found++;
        }
    }
    if (found) {
        tell_engines(m);
    }
    exclusive_end(m->lock);
    return found;
}
