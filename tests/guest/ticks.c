/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains of interrupts while the engine may change under the guest: each handler arms the next, so that one that is lost
 * ends its chain, and one too many shows in the count.  The work between them has one right result.
 * Options: ticks=N of each chain.
 */
#include "lib/irq.h"

enum { TIMER = 0x51, SELF = 0x52, PIT = 0x53, GAP_NS = 150000, PIT_COUNTS = 150, GIVE_UP_MS = 3000 };

static unsigned want;

static void arm_pit(void)
{
    out8(0x43, 0x30);
    out8(0x40, PIT_COUNTS & 0xff);
    out8(0x40, PIT_COUNTS >> 8);
}

/* One-shot: the next is armed only here. */
static bool on_timer(Frame *f)
{
    if (count[TIMER] + 1 < want) {
        LAPIC(0x380) = GAP_NS;
    }
    return on_apic(f);
}

static bool on_pit(Frame *f)
{
    if (count[PIT] + 1 < want) {
        arm_pit();
    }
    return on_apic(f);
}

static bool on_self(Frame *f)
{
    return on_apic(f);
}

/* A generator with a long memory: a register or flag that is not carried over changes the end. */
static uint64_t work(uint64_t x, unsigned rounds)
{
    while (rounds--) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        __asm__ volatile("add %0, %0; adc $0, %0; rol $5, %0" : "+r"(x)::"cc");
    }
    return x;
}

static bool chains_go_on(unsigned *sum, uint32_t *since)
{
    unsigned now = count[TIMER] + count[PIT] + count[SELF];
    if (now != *sum) {
        *sum = now;
        *since = in32(pm_port);
    }
    return pm_since(*since) < PM_HZ / 1000 * GIVE_UP_MS;
}

void guest_main(void)
{
    uint64_t x = 1, right = 1;
    unsigned sum = 0, rounds = 0, sent = 0;
    want = (unsigned)option("ticks", 300);
    find_pm();
    pic_disable();
    lapic_enable();
    set_handler(TIMER, on_timer);
    set_handler(SELF, on_self);
    set_handler(PIT, on_pit);
    IOAPIC_SELECT = 0x15;
    IOAPIC_DATA = 0;
    IOAPIC_SELECT = 0x14;
    IOAPIC_DATA = PIT; /* pin 2, edge */
    LAPIC(0x3e0) = 0xb; /* divide by 1: nanoseconds */
    LAPIC(0x320) = TIMER;
    sti();
    LAPIC(0x380) = GAP_NS;
    arm_pit();
    uint32_t since = in32(pm_port);
    while ((count[TIMER] < want || count[PIT] < want || count[SELF] < want) && chains_go_on(&sum, &since)) {
        if (sent < want && count[SELF] == sent) {
            sent++;
            LAPIC(0x300) = 0x40000 | SELF;
        }
        x = work(x, 200);
        rounds++;
    }
    wait_ms(20);
    cli();
    check_eq(count[TIMER], want);
    check_eq(count[PIT], want);
    check_eq(count[SELF], want);
    for (unsigned n = 0; n < rounds; n++) {
        right = work(right, 200);
    }
    check_eq(x, right);
}
