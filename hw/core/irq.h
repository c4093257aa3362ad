/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A wire: whoever drives it calls irq_set(), whoever receives it gave the function. */
#pragma once

#include "util/base.h"

typedef void IrqFn(void *opaque, unsigned n, bool level);

/* An unconnected wire is all zero.  Set while the board is built, constant afterwards. */
typedef struct Irq {
    IrqFn *fn;
    void *opaque;
    unsigned n; /* which input of the receiver */
} Irq;

static inline void irq_set(const Irq *irq, bool level)
{
    if (irq->fn) {
        irq->fn(irq->opaque, irq->n, level);
    }
}

static inline void irq_pulse(const Irq *irq)
{
    irq_set(irq, true);
    irq_set(irq, false);
}
