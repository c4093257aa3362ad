/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of writes to RAM: which pages were written since a client last asked, whoever wrote (instructions, the page
 * walk's accessed and dirty bits, DMA) and whatever engine runs.  Pages that nobody logs cost nothing.
 *
 * A logged page that counts as clean is watched (ram_page_watched()), so that our own engines' first write to it takes
 * the slow path; an engine that does not see its guest's writes keeps a log of its own and adds it when asked.
 */
#pragma once

#include "softmmu/core/ram.h"

struct Machine;

/*
 * An engine's part, owned by it.  Both are called with the machine lock held, inside an exclusive section.
 * changed: logging began or ended (Ram.logged says), or pages became clean: no direct write to those may follow.
 * collect: call ram_mark_dirty() for those of pages [first, first + count) that were written past ram_written().
 */
typedef struct DirtyEngine {
    void (*changed)(void *opaque);
    void (*collect)(void *opaque, uint64_t first, uint64_t count); /* NULL: there are none */
    void *opaque;
} DirtyEngine;

/* While there are two, one of them runs nothing. */
void dirty_add_engine(struct Machine *m, const DirtyEngine *engine);
void dirty_remove_engine(struct Machine *m, const DirtyEngine *engine); /* collected before, if it had anything */

/*
 * Log writes to pages [first, first + count) of RAM for the client (one DIRTY_* bit), or end it; they begin clean.
 * Machine lock held; so with dirty_take().
 */
void dirty_log(struct Machine *m, unsigned client, uint64_t first, uint64_t count, bool on);

/*
 * The pages of [first, first + count) that were written since they were logged or taken last: bit n of bitmap is page
 * first + n.  All count as clean afterwards.  Returns how many there are.  bitmap: room for count bits, all of it set.
 */
uint64_t dirty_take(struct Machine *m, unsigned client, uint64_t first, uint64_t count, uint64_t *bitmap);
