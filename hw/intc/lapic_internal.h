/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local APIC's struct, shared by lapic*.c and apic_bus.c. */
#pragma once

#include "hw/intc/lapic.h"

/* Local vector table, in the order of the registers from 0x320. */
enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, NUM_LVT };
/* An integrated APIC without suppression of EOI broadcasts. */
#define LAPIC_VERSION ((NUM_LVT - 1u) << 16 | 0x14)
#define LVT_VECTOR 0xff
#define LVT_MODE(lvt) ((ApicMode)((lvt) >> 8 & 7))
#define LVT_REMOTE_IRR BIT(14)
#define LVT_LEVEL BIT(15)
#define LVT_MASKED BIT(16)

/* Timer modes: LVT bits 18:17. */
enum { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_TSC_DEADLINE, TIMER_RESERVED };
#define LVT_TIMER_MODE(lvt) ((lvt) >> 17 & 3)

#define SVR_ENABLE BIT(8)

/* ESR: SDM vol 3, figure 11-9. */
enum { ESR_SEND_ILLEGAL = 1 << 5, ESR_RECEIVE_ILLEGAL = 1 << 6, ESR_ILLEGAL_REGISTER = 1 << 7 };

typedef struct Lapic {
    Device dev;
    ApicBus *bus;
    const LapicCpu *cpu;
    void *cpu_opaque;
    Timer timer;
    bool away;     /* an engine has it: no timer, no output */
    int64_t armed; /* what timer was last set to */
    uint32_t initial_id;
    uint8_t phys_bits;
    bool x2apic;
    struct {
        uint64_t base; /* IA32_APIC_BASE */
        uint64_t icr;
        uint64_t tsc_deadline; /* 0: not armed */
        int64_t timer_start;   /* virtual time at which the current count was timer_count */
        int64_t timer_next;    /* when it reaches 0, TIMER_OFF: stopped */
        uint32_t irr[8], isr[8], tmr[8];
        uint32_t lvt[NUM_LVT];
        uint32_t id; /* the xAPIC register: bits 31..24 */
        uint32_t ldr, dfr, svr, tpr, esr;
        uint32_t errors; /* since the last write of ESR */
        uint32_t timer_initial, timer_count, divide;
        uint32_t lines;  /* bit 0 LINT0, bit 1 LINT1 */
        uint32_t extint; /* an ExtINT message waits for its acknowledge */
    } s;
} Lapic;

static inline Lapic *lapic(Device *dev)
{
    return container_of(dev, Lapic, dev);
}
static inline bool lapic_x2(const Lapic *l)
{
    return l->s.base & APIC_BASE_X2APIC;
}
static inline bool lapic_enabled(const Lapic *l)
{
    return l->s.base & APIC_BASE_ENABLE;
}
static inline bool lapic_software_enabled(const Lapic *l)
{
    return lapic_enabled(l) && (l->s.svr & SVR_ENABLE);
}

/* lapic.c */
uint32_t lapic_ldr(const Lapic *l);
uint8_t lapic_ppr(const Lapic *l);
/* Take a message that is addressed to this APIC; false: it does not accept. */
bool lapic_take(Lapic *l, const ApicMsg *msg);
/* An interrupt of the local vector table fires. */
void lapic_local(Lapic *l, unsigned lvt);
void lapic_error(Lapic *l, uint32_t bits);
void lapic_eoi(Lapic *l);

/* apic_bus.c */
void lapic_send_ipi(Lapic *l);
void lapic_send_self(Lapic *l, uint8_t vector);

/* lapic_timer.c */
void lapic_timer_settle(Lapic *l);
void lapic_timer_arm(Lapic *l);
void lapic_timer_expired(void *opaque);
uint32_t lapic_timer_count(Lapic *l);
void lapic_timer_write_initial(Lapic *l, uint32_t value);
void lapic_timer_write_divide(Lapic *l, uint32_t value);
void lapic_timer_write_lvt(Lapic *l, uint32_t value);
/* Count on from `count`, which came from elsewhere. */
void lapic_timer_continue(Lapic *l, uint32_t count);
uint64_t lapic_timer_read_deadline(Lapic *l);
void lapic_timer_write_deadline(Lapic *l, uint64_t value);
