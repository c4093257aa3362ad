/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Byte queues with checked push and pop, plain data so that a snapshot can save them. */
#pragma once

#include "util/base.h"

/* 16 bytes: UART receive and transmit, keyboard and mouse queues. */
typedef struct Fifo16 {
    uint8_t head; /* index of the oldest byte, 0..15 */
    uint8_t num;  /* bytes held, 0..16 */
    uint8_t data[16];
} Fifo16;

static inline bool fifo16_push(Fifo16 *f, uint8_t byte)
{
    if (f->num >= 16) {
        return false;
    }
    f->data[(f->head + f->num++) & 15] = byte;
    return true;
}

/* The oldest byte, or 0 when the queue is empty. */
static inline uint8_t fifo16_pop(Fifo16 *f)
{
    if (f->num == 0) {
        return 0;
    }
    uint8_t byte = f->data[f->head & 15];
    f->head = (f->head + 1) & 15;
    f->num--;
    return byte;
}

static inline void fifo16_clear(Fifo16 *f)
{
    f->head = f->num = 0;
}
