/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guests of interrupts and of timers share: counting handlers, the PM timer as a clock, the 8259 pair. */
#pragma once

#include "guest.h"

static volatile unsigned count[256];
static volatile uint8_t order[64];
static volatile unsigned orders;
static bool pic_eoi = true, no_eoi __attribute__((unused));

static inline void note(Frame *f)
{
    count[f->vector]++;
    if (orders < 64) {
        order[orders++] = (uint8_t)f->vector;
    }
}
static inline bool on_pic(Frame *f)
{
    note(f);
    if (pic_eoi) {
        if (f->vector >= 0x28) {
            out8(0xa0, 0x20);
        }
        out8(0x20, 0x20);
    }
    return true;
}
static inline bool on_apic(Frame *f)
{
    note(f);
    if (!no_eoi) {
        LAPIC(0xb0) = 0;
    }
    return true;
}
static inline void clear(void)
{
    for (unsigned i = 0; i < 256; i++) {
        count[i] = 0;
    }
    orders = 0;
}
static inline void sti(void)
{
    __asm__ volatile("sti; nop; nop" ::: "memory");
}
static inline void cli(void)
{
    __asm__ volatile("cli" ::: "memory");
}
static inline void spin(unsigned n)
{
    while (n--) {
        pause_cpu();
    }
}

/* ---- time ---- */

static uint16_t pm_port;

static inline void find_pm(void)
{
    out32(0xcf8, 0x80000b40); /* 0:1.3, register 40h */
    pm_port = (uint16_t)((in32(0xcfc) & 0xffc0) + 8);
}
/* TSC and PM timer of one moment: the tightest of some readings. */
static inline void moment(uint64_t *tsc, uint32_t *pm)
{
    uint64_t best = ~0ull;
    *tsc = *pm = 0;
    for (unsigned i = 0; i < 20; i++) {
        uint64_t a = rdtsc();
        uint32_t p = in32(pm_port);
        uint64_t b = rdtsc();
        if (b - a < best) {
            best = b - a;
            *tsc = a + (b - a) / 2;
            *pm = p;
        }
    }
}
static inline uint32_t pm_since(uint32_t start)
{
    return (in32(pm_port) - start) & 0xffffff;
}
enum { PM_HZ = 3579545, PIT_HZ = 1193182 };
/* Wait by the PM timer. */
static inline void wait_ms(unsigned ms)
{
    for (uint32_t start = in32(pm_port); pm_since(start) < PM_HZ / 1000 * ms;) {
        pause_cpu();
    }
}
static inline void wait_for(volatile unsigned *what, unsigned n, unsigned ms)
{
    for (uint32_t start = in32(pm_port); *what < n && pm_since(start) < PM_HZ / 1000 * ms;) {
        pause_cpu();
    }
}
static inline bool near(uint64_t got, uint64_t want, unsigned permille)
{
    uint64_t d = got > want ? got - want : want - got;
    return d * 1000 <= want * permille;
}

static uint64_t tsc_hz __attribute__((unused));
/* ---- 8259 ---- */

static inline void pic_init(uint8_t icw4)
{
    out8(0x20, 0x11);
    out8(0x21, 0x20);
    out8(0x21, 4);
    out8(0x21, icw4);
    out8(0xa0, 0x11);
    out8(0xa1, 0x28);
    out8(0xa1, 2);
    out8(0xa1, 1);
    pic_disable();
    LAPIC(0x350) = 0x700; /* ExtINT on LINT0 */
}
static inline uint8_t pic_irr(void)
{
    out8(0x20, 0x0a);
    return in8(0x20);
}
static inline uint8_t pic_isr(void)
{
    out8(0x20, 0x0b);
    return in8(0x20);
}
/* Edges: IRQ 0 by the PIT in mode 0, IRQ 4 by the serial port's empty transmitter, IRQ 1 by the keyboard controller.
 */
static inline void edge0(void)
{
    unsigned before = count[0x20];
    out8(0x43, 0x30);
    out8(0x40, 20);
    out8(0x40, 0);
    wait_for(&count[0x20], before + 1, 300);
}
static inline void pit_quiet(void)
{
    out8(0x43, 0x30); /* mode 0 without a count: OUT low */
}
