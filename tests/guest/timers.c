/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timers against one another and as sources of interrupts: TSC, ACPI PM timer, kvmclock, PIT, RTC, APIC timer.
 * Spec: Intel 8254 data sheet, MC146818, ACPI 4.8.3.3, SDM vol 3 10.5.4 (APIC timer) and 17.17 (TSC).
 */
#include "lib/irq.h"

static void clocks(void)
{
    uint64_t t0, t1;
    uint32_t p0, p1;
    find_pm();
    moment(&t0, &p0);
    wait_ms(60);
    moment(&t1, &p1);
    tsc_hz = (t1 - t0) * PM_HZ / ((p1 - p0) & 0xffffff);
    check(tsc_hz > 100000000ull && tsc_hz < 10000000000ull);
    /* PIT channel 2, mode 2, against it */
    out8(0x61, (uint8_t)((in8(0x61) & ~2) | 1));
    out8(0x43, 0xb4);
    out8(0x42, 0xff);
    out8(0x42, 0xff);
    wait_ms(1);
    uint16_t pit_read(void)
    {
        out8(0x43, 0x80);
        uint8_t lo = in8(0x42);
        return (uint16_t)(lo | in8(0x42) << 8);
    }
    uint64_t best = ~0ull, a = 0;
    uint16_t c0 = 0, c1 = 0;
    for (unsigned i = 0; i < 20; i++) {
        uint64_t x = rdtsc();
        uint16_t c = pit_read();
        uint64_t y = rdtsc();
        if (y - x < best) {
            best = y - x;
            a = x + (y - x) / 2;
            c0 = c;
        }
    }
    wait_ms(15);
    uint64_t b = 0;
    best = ~0ull;
    for (unsigned i = 0; i < 20; i++) {
        uint64_t x = rdtsc();
        uint16_t c = pit_read();
        uint64_t y = rdtsc();
        if (y - x < best) {
            best = y - x;
            b = x + (y - x) / 2;
            c1 = c;
        }
    }
    uint64_t ticks = (b - a) * PIT_HZ / tsc_hz;
    if (ticks < 65000) {
        check(near((uint16_t)(c0 - c1), ticks, 10));
    } else {
        skip("the PIT was read too late");
    }
    /* monotonic */
    uint64_t last = rdtsc();
    bool ok = true;
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t now = rdtsc();
        ok = ok && now >= last;
        last = now;
    }
    check(ok);
}

static void kvmclock(void)
{
    uint32_t id[4];
    cpuid(0x40000000, 0, id);
    if (id[1] != 0x4b4d564b) {
        skip("no kvmclock");
        return;
    }
    cpuid(0x40000001, 0, id);
    check(id[0] & 1 << 3);
    volatile struct {
        uint32_t version, pad;
        uint64_t tsc, system;
        uint32_t mul;
        int8_t shift;
        uint8_t flags, pad2[2];
    } *clock = alloc_pages(1);
    wrmsr(0x4b564d01, (uint64_t)clock | 1);
    uint64_t ns(uint64_t tsc)
    {
        uint64_t d = tsc - clock->tsc;
        d = clock->shift < 0 ? d >> -clock->shift : d << clock->shift;
        return clock->system + (uint64_t)((unsigned __int128)d * clock->mul >> 32);
    }
    check_eq(clock->version & 1, 0);
    uint64_t t0, t1;
    uint32_t p0, p1;
    moment(&t0, &p0);
    uint64_t n0 = ns(t0);
    wait_ms(60);
    moment(&t1, &p1);
    uint64_t n1 = ns(t1);
    check(near(n1 - n0, (uint64_t)((p1 - p0) & 0xffffff) * 1000000000 / PM_HZ, 2));
    volatile struct {
        uint32_t version, sec, nsec;
    } *wall = (void *)((uint64_t)clock + 64);
    wrmsr(0x4b564d00, (uint64_t)wall);
    check(wall->sec > 1700000000);
    check(wall->nsec < 1000000000);
    wrmsr(0x4b564d01, 0);
}

static void pit_rates(void)
{
    /* mode 2 and mode 3 at 100 Hz, counted over 200 ms; a busy host makes some late, and late ones are not made up
     * for */
    for (uint8_t mode = 2; mode <= 3; mode++) {
        clear();
        out8(0x43, (uint8_t)(0x30 | mode << 1));
        out8(0x40, 11932 & 0xff);
        out8(0x40, 11932 >> 8);
        out8(0x21, 0xfe);
        sti();
        wait_ms(200);
        cli();
        out8(0x21, 0xff);
        check(count[0x20] >= 5 && count[0x20] <= 22);
        wait_ms(2);
    }
    /* mode 0 fires once */
    pit_quiet();
    sti();
    spin(1000);
    clear();
    out8(0x21, 0xfe);
    edge0();
    wait_ms(5);
    cli();
    check_eq(count[0x20], 1);
    /* read-back: OUT high, mode 0 */
    out8(0x43, 0xe2);
    check_eq(in8(0x40) & 0xbf, 0xb0);
    pit_quiet();
    /* HLT wakes up by it, and the handler sees the address after HLT */
    clear();
    out8(0x43, 0x30);
    out8(0x40, 0xff);
    out8(0x40, 0x0f);
    __asm__ volatile("sti; hlt; cli" ::: "memory");
    check_eq(count[0x20], 1);
    out8(0x21, 0xff);
    pit_quiet();
}

static uint8_t cmos(uint8_t reg)
{
    out8(0x70, reg);
    return in8(0x71);
}
static void set_cmos(uint8_t reg, uint8_t v)
{
    out8(0x70, reg);
    out8(0x71, v);
}
static volatile uint8_t rtc_causes;
static bool on_rtc(Frame *f)
{
    note(f);
    rtc_causes |= cmos(0x0c);
    out8(0xa0, 0x20);
    out8(0x20, 0x20);
    return true;
}
static void rtc(void)
{
    set_handler(0x28, on_rtc);
    uint8_t b = cmos(0x0b);
    set_cmos(0x0a, 0x2a); /* 64 Hz */
    (void)cmos(0x0c);
    clear();
    out8(0xa1, 0xfe);
    out8(0x21, 0xfb);
    set_cmos(0x0b, b | 0x40);
    sti();
    wait_ms(200);
    cli();
    set_cmos(0x0b, b);
    (void)cmos(0x0c);
    check(count[0x28] >= 3 && count[0x28] <= 15);
    check_eq(rtc_causes & 0xe0, 0xc0);
    /* update-ended and alarm (every second) come together */
    for (uint8_t r = 1; r <= 5; r += 2) {
        set_cmos(r, 0xc0);
    }
    clear();
    rtc_causes = 0;
    uint8_t second = cmos(0);
    set_cmos(0x0b, b | 0x30);
    sti();
    wait_for(&count[0x28], 1, 1500);
    cli();
    set_cmos(0x0b, b);
    check_eq(count[0x28], 1);
    check_eq(rtc_causes & 0xb0, 0xb0);
    check(cmos(0) != second);
    check_eq(cmos(0x0c) & 0x80, 0);
    pic_disable();
}

/* Counts a second.  The host may take the processor away between two readings, which makes it too many: the least of some. */
static uint64_t lapic_hz(void)
{
    uint64_t least = ~0ull;
    for (unsigned i = 0; i < 4; i++) {
        LAPIC(0x380) = 0xffffffff;
        uint64_t a = rdtsc();
        wait_ms(10);
        uint64_t b = rdtsc();
        uint64_t hz = (0xffffffffull - LAPIC(0x390)) * tsc_hz / (b - a);
        least = hz < least ? hz : least;
    }
    return least;
}

static void lapic_timer(void)
{
    clear();
    LAPIC(0x3e0) = 0xb; /* divide by 1 */
    LAPIC(0x320) = 0x45;
    uint64_t hz = lapic_hz();
    check(hz > 1000000);
    LAPIC(0x3e0) = 3; /* 16 */
    check(near(lapic_hz(), hz / 16, 100));
    LAPIC(0x3e0) = 0xb;
    /* one shot */
    uint32_t start = in32(pm_port);
    LAPIC(0x380) = (uint32_t)(hz / 200); /* 5 ms */
    sti();
    wait_for(&count[0x45], 1, 500);
    uint32_t took = pm_since(start);
    wait_ms(12);
    cli();
    check_eq(count[0x45], 1);
    check(took >= PM_HZ / 1000 * 49 / 10);
    check_eq(LAPIC(0x390), 0);
    /* periodic */
    clear();
    LAPIC(0x320) = 0x20045;
    LAPIC(0x380) = (uint32_t)(hz / 100);
    sti();
    wait_ms(200);
    cli();
    check(count[0x45] >= 5 && count[0x45] <= 22);
    /* masked: it runs on, silently */
    LAPIC(0x320) = 0x30045;
    clear();
    sti();
    wait_ms(5);
    cli();
    check(count[0x45] <= 1); /* one may have been pending */
    LAPIC(0x380) = 0;
    check_eq(LAPIC(0x390), 0);
    uint32_t id[4];
    cpuid(1, 0, id);
    if (!(id[2] & 1 << 24)) {
        skip("no TSC deadline");
        return;
    }
    LAPIC(0x320) = 0x40045;
    __asm__ volatile("mfence");
    clear();
    uint64_t deadline = rdtsc() + tsc_hz / 20;
    wrmsr(0x6e0, deadline);
    uint64_t armed = rdmsr(0x6e0);
    check(armed == deadline || (armed == 0 && rdtsc() >= deadline));
    sti();
    wait_for(&count[0x45], 1, 500);
    cli();
    check(rdtsc() >= deadline);
    check_eq(count[0x45], 1);
    check_eq(rdmsr(0x6e0), 0);
    clear();
    wrmsr(0x6e0, 1); /* long ago: at once */
    sti();
    wait_for(&count[0x45], 1, 100);
    check_eq(count[0x45], 1);
    wrmsr(0x6e0, rdtsc() + tsc_hz / 10);
    wrmsr(0x6e0, 0); /* disarmed */
    wait_ms(150);
    cli();
    check_eq(count[0x45], 1);
    LAPIC(0x380) = 1000; /* ignored in this mode */
    check_eq(LAPIC(0x390), 0);
    LAPIC(0x320) = 0x10045;
    check_eq(rdmsr(0x6e0), 0);
}

void guest_main(void)
{
    lapic_enable();
    clocks();
    kvmclock();
    for (unsigned v = 0x20; v < 0x30; v++) {
        set_handler(v, on_pic);
    }
    set_handler(0x45, on_apic);
    pic_init(1);
    pit_quiet();
    pit_rates();
    rtc();
    LAPIC(0x350) = 0x10700;
    lapic_timer();
}
