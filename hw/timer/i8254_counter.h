/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One counter of an 8254 as a function of time: nothing is counted, the count and OUT follow from the tick at which
 * the counting element was loaded.  Ticks are CLK pulses since power-on.
 * Spec: Intel 82C54 data sheet (order 231244-006), "Operational description".
 */
#pragma once

#include "util/base.h"

#define TICK_NEVER UINT64_MAX

/* State of a counter; every member is saved. */
typedef struct Counter {
    uint64_t start;      /* tick at which the present period began (modes 0, 1, 4, 5: the count was loaded) */
    uint64_t held;       /* modes 0, 2, 3, 4: ticks since start, while GATE is low; 1: OUT was low when triggered */
    uint64_t reload_at;  /* tick at which `next` is loaded, TICK_NEVER: none waits */
    uint32_t count;      /* the count in the counting element, 1..65536 */
    uint32_t next;       /* the count in the count register, 1..65536 */
    uint32_t latch;      /* latched count, 16 bits */
    uint16_t status;     /* latched status byte */
    uint16_t low_byte;   /* first byte of a two-byte write */
    uint8_t control;     /* D5..D0 of the control word as written */
    uint8_t loaded;      /* a count has been written since the control word */
    uint8_t running;     /* the counting element counts (or, with GATE low, would) */
    uint8_t gate;
    uint8_t write_high;  /* the next byte written is the high one */
    uint8_t read_high;   /* the next byte read is the high one */
    uint8_t latched;     /* bytes of `latch` still to be read, 0..2 */
    uint8_t status_latched;
} Counter;

unsigned counter_mode(const Counter *c);

/* Load a count that waits for the end of a period, if its moment has come. */
void counter_settle(Counter *c, uint64_t now);

bool counter_out(const Counter *c, uint64_t tick);
/* The first change of OUT after `tick`, as far as it is known now; TICK_NEVER: it stays. */
uint64_t counter_next_change(const Counter *c, uint64_t tick);

void counter_control(Counter *c, uint8_t value);
void counter_write(Counter *c, uint8_t value, uint64_t now);
uint8_t counter_read(Counter *c, uint64_t now);
void counter_latch_count(Counter *c, uint64_t now);
void counter_latch_status(Counter *c, uint64_t now);
void counter_set_gate(Counter *c, bool gate, uint64_t now);
