/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt controllers that an engine may have in the host's kernel while the guest runs.  The devices stay the owners:
 * their state goes to the engine when the machine starts to run and comes back when it pauses, and meanwhile they hand on
 * what arrives.  Everything here: machine lock held.
 */
#pragma once

#include "util/base.h"

#define IRQCHIP_PINS 24 /* of the I/O APIC, and interrupts of the board */

/* The registers of the xAPIC page by number (offset / 16), SDM vol 3, table 11-1; IDs as there, in x2APIC mode, too. */
typedef struct LapicState {
    uint32_t regs[64];
    uint64_t base;
} LapicState;

typedef struct IoapicState {
    uint64_t table[IRQCHIP_PINS];
    uint32_t select, id; /* id: as the register has it */
    uint32_t requests;   /* edges that wait, levels that are up */
} IoapicState;

/* One 8259. */
typedef struct PicState {
    uint8_t irr, imr, isr, lines, elcr;
    uint8_t lowest;         /* the input with the lowest priority */
    uint8_t vector;         /* of input 0 */
    uint8_t init;           /* the next word of the sequence, 0: none */
    uint8_t icw4_follows, auto_eoi, fully_nested, rotate_auto_eoi, read_isr, poll, special_mask;
} PicState;

/* Where interrupts go while the engine has the controllers. */
typedef struct IrqSink {
    bool full; /* the I/O APIC and the 8259 pair, too, not only the local APICs */
    /* An interrupt message as on the bus; true if some local APIC took it. */
    bool (*message)(void *opaque, uint64_t addr, uint32_t data);
    /* full: interrupt n of the board; a level-triggered interrupt that a borrowed local APIC (below) has ended. */
    void (*line)(void *opaque, unsigned n, bool level);
    void (*eoi)(void *opaque, uint8_t vector);
    /* not full: the I/O APIC's table changed; INTR of the 8259 pair. */
    void (*table)(void *opaque, const uint64_t table[IRQCHIP_PINS]);
    void (*intr)(void *opaque, bool level);
    /* The device is the local APIC of this processor for a moment: its state comes, and goes back. */
    void (*borrow)(void *opaque, unsigned cpu, bool begin);
    void *opaque;
} IrqSink;

/* What the board offers. */
typedef struct IrqchipOps {
    /* The engine has them from now on; NULL: it has given their state back. */
    void (*set_sink)(void *opaque, const IrqSink *sink);
    void (*get_lapic)(void *opaque, unsigned cpu, LapicState *out);
    void (*set_lapic)(void *opaque, unsigned cpu, const LapicState *in);
    void (*get_ioapic)(void *opaque, IoapicState *out);
    void (*set_ioapic)(void *opaque, const IoapicState *in);
    void (*get_pic)(void *opaque, unsigned chip, PicState *out);
    void (*set_pic)(void *opaque, unsigned chip, const PicState *in);
    /* The base register and CR8 only, which travel with the processor. */
    void (*set_base_tpr)(void *opaque, unsigned cpu, uint64_t base, uint8_t cr8);
    /* Levels of the board's interrupts. */
    uint32_t (*lines)(void *opaque);
    /* The 8259 pair's vector, -1: it has none. */
    int (*ack)(void *opaque);
    /* A level-triggered interrupt has ended. */
    void (*eoi)(void *opaque, uint8_t vector);
} IrqchipOps;
