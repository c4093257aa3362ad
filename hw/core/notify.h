/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Eventfds between a guest and a device's worker thread, the same on every engine: a guest's write that only says "look"
 * wakes the worker without the device, and the worker interrupts the guest without the machine lock.  An engine that
 * can do either in the host's kernel does; for the others the memory dispatcher and the main loop do.
 * Spec: eventfd(2).
 */
#pragma once

#include "hw/core/region.h"
#include "util/base.h"

/* ---- eventfds ---- */

/* Neither blocks.  -1 with an error. */
int event_new(GError **error);
/* Any thread. */
void event_set(int fd);
/* How often it was set since the last call. */
uint64_t event_take(int fd);

/* ---- a write that is a kick ---- */

/* A guest's write that matches sets `fd`, and the region's callback does not see it. */
typedef struct WriteNotifier {
    uint64_t offset; /* in the region */
    uint8_t size;    /* of the write: 1, 2, 4, 8; 0: any */
    bool match;      /* only a write of `value`; needs a size */
    uint64_t value;
    int fd;
} WriteNotifier;

/* Serve a write that lies in the region: true when a notifier took it.  Any thread. */
bool region_notify(const Region *r, uint64_t offset, uint64_t value, unsigned size);

/* ---- an eventfd that is an interrupt ---- */

/*
 * When `fd` is set, by any thread, the message goes to the APICs; or, with `fire`, that is called on the main thread with
 * the machine lock held, to raise a line.  Owned by the device; what it says may change only while it is not watched.
 */
typedef struct IrqNotifier {
    int fd;
    uint64_t addr;
    uint32_t data;
    void (*fire)(void *opaque);
    void *opaque;
    /* of the machine, while it is watched */
    unsigned source; /* in the main loop; 0: none */
    int gsi;         /* in the engine; 0: it does not serve it */
} IrqNotifier;
