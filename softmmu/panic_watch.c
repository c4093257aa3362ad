/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's panic() prints these words (kernel/panic.c) to every console before it resets the machine (panic=-1).
 * Under the machine lock, as every write to a stream.
 */
#include "softmmu/panic_watch.h"

/* Its first letter does not come again: a match that breaks can only begin anew at the letter that broke it. */
static const char words[] = "Kernel panic - not syncing";

static void look(void *opaque, const uint8_t *buf, size_t len)
{
    PanicWatch *w = opaque;
    for (size_t i = 0; i < len && !w->seen; i++) {
        w->matched = buf[i] == (uint8_t)words[w->matched] ? w->matched + 1 : buf[i] == (uint8_t)words[0];
        w->seen = !words[w->matched];
    }
}

void panic_watch_start(PanicWatch *w, Chardev *chr)
{
    panic_watch_reset(w);
    chardev_watch(chr, look, w);
}

void panic_watch_reset(PanicWatch *w)
{
    w->matched = 0;
    w->seen = false;
}
