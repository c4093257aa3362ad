/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a guest's kernel said on a serial port that it panicked: the reset that follows is then no success. */
#pragma once

#include "chardev/chardev.h"

typedef struct PanicWatch {
    unsigned matched; /* characters of the words seen in a row */
    bool seen;
} PanicWatch;

/* The words may come in pieces, but all on one stream.  The watch must live as long as the stream. */
void panic_watch_start(PanicWatch *w, Chardev *chr);
/* After a reset of the machine. */
void panic_watch_reset(PanicWatch *w);
