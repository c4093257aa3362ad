/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt controllers as a kernel sees them: 8259 pair, local APIC and x2APIC, I/O APIC, interrupted string
 * instructions.
 * Spec: Intel 8259A data sheet, SDM vol 3 chapter 10, 82093AA (I/O APIC).
 */
#include "lib/irq.h"

enum { GP = 13 };

static void edge4(void)
{
    out8(0x3fc, 0x0b);
    out8(0x3f9, 0);
    out8(0x3f9, 2);
}
static void quiet4(void)
{
    out8(0x3f9, 0);
    (void)in8(0x3fa);
}
static void kbd_wait(void)
{
    for (unsigned i = 0; i < 100000 && in8(0x64) & 2; i++) {
        pause_cpu();
    }
}
static void edge1(void)
{
    kbd_wait();
    out8(0x64, 0x60);
    kbd_wait();
    out8(0x60, 0x65); /* interrupt of the keyboard on, mouse's clock off */
    kbd_wait();
    out8(0x64, 0xd2);
    kbd_wait();
    out8(0x60, 0x1e);
    wait_ms(1);
}
static void quiet1(void)
{
    for (unsigned i = 0; i < 16 && in8(0x64) & 1; i++) {
        (void)in8(0x60);
    }
}

static volatile unsigned nest_saw;
static bool on_pic_nesting(Frame *f)
{
    note(f);
    if (f->vector == 0x21) {
        sti(); /* IRQ 4 is pending and lower: not now; IRQ 0 is higher */
        spin(100);
        nest_saw = count[0x24];
        edge0();
        spin(100);
        nest_saw |= count[0x20] << 8;
        cli();
    }
    out8(0x20, 0x20);
    return true;
}

static void pic(void)
{
    for (unsigned v = 0x20; v < 0x30; v++) {
        set_handler(v, on_pic);
    }
    pic_init(1);
    quiet1();
    quiet4();
    pit_quiet();
    clear();
    check_eq(in8(0x21), 0xff);
    check_eq(pic_isr(), 0);
    /* masked requests wait */
    edge4();
    edge1();
    sti();
    spin(1000);
    check_eq(orders, 0);
    cli();
    check_eq(pic_irr() & 0x12, 0x12);
    out8(0x21, 0xed);
    sti();
    spin(1000);
    cli();
    check_eq(orders, 2);
    check_eq(order[0], 0x21); /* the lower number first */
    check_eq(order[1], 0x24);
    check_eq(pic_irr() & 0x12, 0);
    check_eq(pic_isr(), 0);
    quiet1();
    quiet4();
    /* no end of interrupt: it stays in service and blocks itself and what is lower */
    clear();
    pic_eoi = false;
    edge1();
    sti();
    spin(100);
    cli();
    check_eq(count[0x21], 1);
    check_eq(pic_isr(), 2);
    edge4();
    sti();
    spin(1000);
    cli();
    check_eq(count[0x24], 0);
    /* special mask mode lets the lower one through when the one in service is masked */
    out8(0x21, 0xef);
    out8(0x20, 0x68);
    sti();
    spin(1000);
    cli();
    check_eq(count[0x24], 1);
    check_eq(pic_isr(), 0x12);
    out8(0x20, 0x48);
    out8(0x20, 0x64); /* specific EOI of 4, then of 1 */
    check_eq(pic_isr(), 2);
    out8(0x20, 0x61);
    check_eq(pic_isr(), 0);
    quiet1();
    quiet4();
    pic_eoi = true;
    /* rotation: lowest priority to level 1, so 4 comes before 1 */
    out8(0x20, 0xc1);
    out8(0x21, 0xed);
    clear();
    edge1();
    edge4();
    sti();
    spin(1000);
    cli();
    check_eq(order[0], 0x24);
    check_eq(order[1], 0x21);
    quiet1();
    quiet4();
    out8(0x20, 0xc7);
    /* nesting */
    clear();
    out8(0x21, 0xec);
    set_handler(0x21, on_pic_nesting);
    edge4();
    edge1();
    sti();
    spin(1000);
    cli();
    check_eq(nest_saw, 0x100);
    check_eq(count[0x24], 1);
    check_eq(order[1], 0x20);
    set_handler(0x21, on_pic);
    quiet1();
    quiet4();
    pit_quiet();
    /* polling takes the place of the acknowledge cycle */
    out8(0x21, 0xfd);
    edge1();
    out8(0x20, 0x0c);
    check_eq(in8(0x20), 0x81);
    check_eq(pic_isr(), 2);
    out8(0x20, 0x20);
    out8(0x20, 0x0c);
    check_eq(in8(0x20) & 0x80, 0);
    quiet1();
    /* automatic end of interrupt */
    pic_init(3);
    pic_eoi = false;
    out8(0x21, 0xfd);
    clear();
    edge1();
    sti();
    spin(100);
    cli();
    check_eq(count[0x21], 1);
    check_eq(pic_isr(), 0);
    quiet1();
    pic_eoi = true;
    /* edge/level registers: 0, 1, 2, 8 and 13 are always edges */
    out8(0x4d0, 0xff);
    check_eq(in8(0x4d0), 0xf8);
    out8(0x4d1, 0xff);
    check_eq(in8(0x4d1), 0xde);
    out8(0x4d0, 0);
    out8(0x4d1, 0);
    pic_init(1);
}

/* ---- local APIC ---- */

static void ipi(uint8_t vector)
{
    LAPIC(0x300) = 0x40000 | vector;
    while (LAPIC(0x300) & 0x1000) {
    }
    spin(200);
}
static volatile unsigned inner;
static bool on_nesting(Frame *f)
{
    note(f);
    ipi(0x61); /* same class: waits; 70h: a higher one does not */
    ipi(0x70);
    sti();
    spin(200);
    cli();
    inner = count[0x61] | count[0x70] << 8;
    LAPIC(0xb0) = 0;
    return true;
}

static void lapic(void)
{
    lapic_enable();
    LAPIC(0x350) = 0x10700;
    for (unsigned v = 0x31; v < 0xff; v++) {
        if (v != 0x80) {
            set_handler(v, on_apic);
        }
    }
    /* priority: the highest vector first */
    clear();
    ipi(0x41);
    ipi(0x83);
    ipi(0x62);
    check_eq(LAPIC(0x200 + 0x10 * 2) >> 1 & 1, 1); /* IRR */
    sti();
    spin(200);
    cli();
    check_eq(orders, 3);
    check_eq(order[0], 0x83);
    check_eq(order[1], 0x62);
    check_eq(order[2], 0x41);
    /* TPR and CR8 are one register */
    clear();
    __asm__ volatile("mov %0, %%cr8" ::"r"(5ull));
    check_eq(LAPIC(0x80), 0x50);
    check_eq(LAPIC(0xa0), 0x50);
    ipi(0x5f);
    sti();
    spin(200);
    check_eq(orders, 0);
    ipi(0x60);
    check_eq(orders, 1);
    LAPIC(0x80) = 0x40;
    spin(200);
    cli();
    check_eq(count[0x5f], 1);
    uint64_t cr8;
    __asm__ volatile("mov %%cr8, %0" : "=r"(cr8));
    check_eq(cr8, 4);
    LAPIC(0x80) = 0;
    /* nesting by class */
    clear();
    set_handler(0x60, on_nesting);
    ipi(0x60);
    sti();
    spin(500);
    cli();
    check_eq(inner, 0x100);
    check_eq(count[0x61], 1);
    set_handler(0x60, on_apic);
    /* without EOI nothing of the same or a lower class comes; ISR and PPR show it */
    clear();
    no_eoi = true;
    ipi(0x75);
    sti();
    spin(200);
    ipi(0x71);
    ipi(0x35);
    cli();
    no_eoi = false;
    check_eq(orders, 1);
    check_eq(LAPIC(0x100 + 0x10 * 3), 1 << 0x15);
    check_eq(LAPIC(0xa0), 0x70);
    LAPIC(0xb0) = 0;
    sti();
    spin(500);
    cli();
    check_eq(orders, 3);
    /* an illegal vector is an error, not an interrupt */
    LAPIC(0x370) = 0x10000;
    LAPIC(0x280) = 0;
    LAPIC(0x300) = 0x40005;
    spin(200);
    LAPIC(0x280) = 0;
    check(LAPIC(0x280) & 0x60);
    LAPIC(0x280) = 0;
}

/* ---- I/O APIC ---- */

static uint32_t io_read(uint32_t reg)
{
    IOAPIC_SELECT = reg;
    return IOAPIC_DATA;
}
static void io_write(uint32_t reg, uint32_t v)
{
    IOAPIC_SELECT = reg;
    IOAPIC_DATA = v;
}
static bool on_level(Frame *f)
{
    note(f);
    if (count[f->vector] == 1) {
        inner = io_read(0x10 + 8) >> 12 & 7; /* delivery status, polarity, remote IRR */
    }
    if (count[f->vector] == 3) {
        quiet4(); /* the source is served at last */
    }
    LAPIC(0xb0) = 0;
    return true;
}
static void ioapic(void)
{
    check_eq(io_read(1) >> 16 & 0xff, 23);
    check((io_read(1) & 0xff) >= 0x11);
    for (unsigned pin = 0; pin < 24; pin++) {
        io_write(0x10 + 2 * pin, 0x10000);
        io_write(0x11 + 2 * pin, LAPIC(0x20) & 0xff000000);
    }
    /* an edge on pin 4 */
    clear();
    quiet4();
    io_write(0x18, 0x51);
    edge4();
    sti();
    spin(500);
    cli();
    check_eq(count[0x51], 1);
    /* an edge while masked is lost */
    quiet4();
    io_write(0x18, 0x10051);
    edge4();
    io_write(0x18, 0x51);
    sti();
    spin(500);
    cli();
    check_eq(count[0x51], 1);
    quiet4();
    /* pin 2 is the PIT */
    io_write(0x14, 0x53);
    out8(0x43, 0x30);
    out8(0x40, 20);
    out8(0x40, 0);
    sti();
    wait_for(&count[0x53], 1, 300);
    cli();
    check_eq(count[0x53], 1);
    io_write(0x14, 0x10000);
    pit_quiet();
    /* level: again after each EOI while the line is high; remote IRR in between */
    set_handler(0x52, on_level);
    clear();
    quiet4();
    io_write(0x10 + 8, 0x8052);
    edge4();
    sti();
    spin(2000);
    cli();
    check_eq(count[0x52], 3);
    check_eq(inner >> 2, 1);
    check_eq(io_read(0x18) & 0x4000, 0);
    /* level while masked waits for the mask */
    clear();
    io_write(0x18, 0x18052);
    edge4();
    sti();
    spin(500);
    check_eq(orders, 0);
    count[0x52] = 2;
    io_write(0x18, 0x8052);
    spin(2000);
    cli();
    check_eq(count[0x52], 3);
    io_write(0x18, 0x10000);
    quiet4();
}

static void x2apic(void)
{
    uint32_t id[4];
    cpuid(1, 0, id);
    if (!(id[2] & 1 << 21)) {
        skip("no x2APIC");
        return;
    }
    uint64_t base = rdmsr(0x1b);
    check_eq(base & 0xd00, 0x900); /* boot processor, enabled */
    check_eq(TRY(rdmsr(0x802)).vector, GP);
    check_eq(TRY(wrmsr(0x1b, (base | 0x400) & ~0x800ull)).vector, GP); /* x2APIC without enable */
    uint32_t apic_id = LAPIC(0x20) >> 24;
    wrmsr(0x1b, base | 0x400);
    check_eq(rdmsr(0x802), apic_id);
    check_eq(TRY(wrmsr(0x1b, base)).vector, GP); /* back only by way of disabled */
    bool x2_eoi(Frame * f)
    {
        note(f);
        wrmsr(0x80b, 0);
        return true;
    }
    set_handler(0x55, x2_eoi);
    set_handler(0x56, x2_eoi);
    clear();
    wrmsr(0x80f, 0x1ff);
    wrmsr(0x83f, 0x55);                           /* self IPI */
    wrmsr(0x830, (uint64_t)apic_id << 32 | 0x56); /* ICR, physical, 64 bits in one write */
    spin(200);
    sti();
    spin(200);
    cli();
    check_eq(count[0x55], 1);
    check_eq(count[0x56], 1);
    check_eq(TRY(wrmsr(0x80b, 1)).vector, GP);
    check_eq(TRY(wrmsr(0x802, 1)).vector, GP);
    check_eq(TRY(rdmsr(0x83f)).vector, GP);
    check_eq(TRY(rdmsr(0x80e)).vector, GP); /* no DFR */
    check_eq(TRY(rdmsr(0x831)).vector, GP); /* no ICR high */
    check_eq(TRY(wrmsr(0x808, 0x100)).vector, GP);
    check_eq(rdmsr(0x80d), 1ull << (apic_id & 15) | (uint64_t)(apic_id >> 4) << 16); /* LDR */
    wrmsr(0x808, 0x30);
    uint64_t cr8;
    __asm__ volatile("mov %%cr8, %0" : "=r"(cr8));
    check_eq(cr8, 3);
    wrmsr(0x808, 0);
    wrmsr(0x1b, base & ~0xc00ull);
    wrmsr(0x1b, base);
    check_eq(rdmsr(0x1b), base);
    check_eq(LAPIC(0x20) >> 24, apic_id);
    lapic_enable();
}

/* ---- string instructions are interruptible and go on where they were ---- */

enum { REP_COUNT = 8 << 20 };
static volatile unsigned inside;
uint64_t rep_rip;
static bool rep_rf = true;
static uint64_t rep_left = REP_COUNT;
static bool on_tick(Frame *f)
{
    note(f);
    if (f->rip == rep_rip && f->rcx && f->rcx < rep_left) { /* with as much to do as before, it came before an iteration */
        inside++;
        rep_left = f->rcx;
        rep_rf = rep_rf && f->rflags & 1 << 16;
    }
    LAPIC(0xb0) = 0;
    return true;
}
static void interrupted_strings(void)
{
    enum { SIZE = REP_COUNT * 2 };
    uint8_t *a = alloc_pages(SIZE / 4096);
    for (unsigned i = 0; i < SIZE; i += 4096) {
        *(uint64_t *)(a + i) = i * 0x9e3779b97f4a7c15ull;
    }
    set_handler(0x45, on_tick);
    LAPIC(0x3e0) = 0xb;
    LAPIC(0x320) = 0x20045;
    LAPIC(0x380) = 50000;
    sti();
    bool ok = true;
    for (unsigned round = 0; round < 8 && !inside; round++) {
        uint64_t rcx = SIZE / 2, rsi = (uint64_t)a, rdi = (uint64_t)a + SIZE / 2;
        __asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, rep_rip(%%rip); 1: rep movsb"
                         : "+c"(rcx), "+S"(rsi), "+D"(rdi)::"rax", "memory");
        ok = ok && rcx == 0 && rsi == (uint64_t)a + SIZE / 2 && rdi == (uint64_t)a + SIZE;
    }
    cli();
    LAPIC(0x320) = 0x10045;
    LAPIC(0x380) = 0;
    for (unsigned i = 0; i < SIZE / 2; i += 4096) {
        ok = ok && *(uint64_t *)(a + i) == *(uint64_t *)(a + SIZE / 2 + i);
    }
    check(ok);
    if (!inside) {
        skip("no interrupt fell into the string instruction");
    }
    check(rep_rf); /* QUIRK: observed clear elsewhere; vol 3 17.3.1.1 */
}

void guest_main(void)
{
    lapic_enable();
    find_pm();
    pic();
    lapic();
    ioapic();
    x2apic();
    interrupted_strings();
}
