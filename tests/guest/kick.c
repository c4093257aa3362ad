/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Eventfds: kicks of a worker thread by writes to memory and ports, and its interrupts, by pin and by message.  An engine
 * may serve them in the host's kernel; the guest must not be able to tell.  Needs -device kick-testdev.
 */
#include "lib/irq.h"

enum { ANY = 0, WORD = 8, MATCH = 0x10, COUNT = 0x20, DIRECT = 0x30, ON = 0x34, PENDING = 0x38, TRAIL = 0x40, LATE = 0x44 };
enum { VALUE = 0xcafe1234, MSI_VECTOR = 0x61, LINE_VECTOR = 0x62, WAIT_MS = 2000 };

static uint32_t device, window;
static uint16_t port;
static bool by_port;

static uint32_t config(unsigned reg)
{
    out32(0xcf8, 0x80000000 | device | reg);
    return in32(0xcfc);
}

static void set_config(unsigned reg, uint32_t value)
{
    out32(0xcf8, 0x80000000 | device | reg);
    out32(0xcfc, value);
}

static bool find_device(void)
{
    for (device = 0; device < 32 << 11; device += 1 << 11) {
        if (config(0) == 0x10f01af4) {
            return true;
        }
    }
    return false;
}

static uint32_t get(unsigned reg)
{
    return by_port ? in32((uint16_t)(port + reg)) : *(volatile uint32_t *)(uintptr_t)(window + reg);
}

static void put(unsigned reg, unsigned size, uint32_t value)
{
    uint16_t p = (uint16_t)(port + reg);
    uintptr_t a = window + reg;
    if (size == 1 && by_port) {
        out8(p, (uint8_t)value);
    } else if (size == 1) {
        *(volatile uint8_t *)a = (uint8_t)value;
    } else if (size == 2 && by_port) {
        out16(p, (uint16_t)value);
    } else if (size == 2) {
        *(volatile uint16_t *)a = (uint16_t)value;
    } else if (by_port) {
        out32(p, value);
    } else {
        *(volatile uint32_t *)a = value;
    }
}

/* The worker counts when it gets to run. */
static void expect(unsigned kick, uint32_t want)
{
    for (uint32_t start = in32(pm_port); get(COUNT + 4 * kick) != want && pm_since(start) < PM_HZ / 1000 * WAIT_MS;) {
        pause_cpu();
    }
    check_eq(get(COUNT + 4 * kick), want);
}

static void kicks(uint32_t *total)
{
    uint32_t direct = get(DIRECT);
    put(ON, 4, 1);
    put(ANY, 1, 7);
    put(ANY, 2, 7);
    put(ANY, 4, 7);
    put(WORD, 2, 1);
    put(MATCH, 4, VALUE);
    expect(0, total[0] += 3);
    expect(1, total[1] += 1);
    expect(2, total[2] += 1);
    check_eq(get(DIRECT), direct);
    /* not what is watched: the device sees them */
    put(WORD, 4, 1);
    put(WORD, 1, 1);
    put(MATCH, 4, VALUE + 1);
    put(MATCH, 2, (uint16_t)VALUE);
    check_eq(get(DIRECT), direct + 4);
    for (unsigned n = 0; n < 200; n++) {
        put(WORD, 2, n);
    }
    expect(1, total[1] += 200);
    put(ON, 4, 0);
    put(ANY, 4, 7);
    put(MATCH, 4, VALUE);
    check_eq(get(DIRECT), direct + 6);
    check_eq(get(COUNT + 8), total[2]);
}

/* Writes that an engine may deliver late: nothing is lost, and all are in their order, with others' between them. */
static void late_writes(void)
{
    uint32_t want = get(TRAIL);
    for (unsigned n = 0; n < 1000; n++) {
        unsigned to = n % 97 == 96 ? TRAIL : LATE;
        put(to, 4, n * 2654435761u);
        want = want * 31 + n * 2654435761u + (to == LATE);
        if (n % 333 == 0) {
            check_eq(get(TRAIL), want);
        }
    }
    check_eq(get(TRAIL), want);
    put(LATE, 1, 0x55);
    put(LATE + 2, 2, 0x6666); /* no register, as the one behind it; all the same one of these writes */
    want = want * 31 + 0x56;
    check_eq(get(TRAIL), want);
    /* through both windows in turn */
    for (unsigned n = 0; n < 20; n++) {
        by_port = !by_port;
        put(LATE, 4, n);
        want = want * 31 + n + 1;
    }
    check_eq(get(TRAIL), want);
}

/* An index by its port, the data by the next one: of all CMOS bytes that stand still. */
static void cmos_index(void)
{
    enum { FIRST = 0x40, LAST = 0x7f };
    for (unsigned n = FIRST; n <= LAST; n++) {
        out8(0x70, (uint8_t)n);
        out8(0x71, (uint8_t)(n ^ 0xa5));
    }
    for (unsigned n = LAST; n >= FIRST; n--) {
        out8(0x70, FIRST); /* only the last one counts */
        out8(0x70, (uint8_t)n);
        check_eq(in8(0x71), n ^ 0xa5);
    }
}

/* ---- interrupts ---- */

static bool in_service;

static bool on_line(Frame *f)
{
    in_service = LAPIC(0x100 + LINE_VECTOR / 32 * 0x10) >> LINE_VECTOR % 32 & 1;
    put(PENDING, 4, 0);
    return on_apic(f);
}

static void ioapic_route(unsigned pin, uint32_t low)
{
    IOAPIC_SELECT = 0x11 + 2 * pin;
    IOAPIC_DATA = 0;
    IOAPIC_SELECT = 0x10 + 2 * pin;
    IOAPIC_DATA = low;
}

/* The worker's interrupts come when it gets to run: none is on its way any more. */
static void settle(void)
{
    wait_ms(30);
    put(PENDING, 4, 0);
}

static void interrupts(uint32_t *total)
{
    unsigned irq = config(0x3c) & 0xff;
    unsigned cap = config(0x34) & 0xff;
    put(ON, 4, 1);
    settle();
    set_handler(LINE_VECTOR, on_line);
    set_handler(MSI_VECTOR, on_apic);
    if (irq > 0 && irq < 24) {
        ioapic_route(irq, 0xa000 | LINE_VECTOR); /* level, low */
        sti();
        put(WORD, 2, 1);
        wait_for(&count[LINE_VECTOR], 1, WAIT_MS);
        expect(1, total[1] += 1);
        settle();
        cli();
        if (in_service) {
            check_eq(count[LINE_VECTOR], 1);
        } else { /* a host's emulated KVM: the line, still up, has interrupted again before the handler took it down */
            check(count[LINE_VECTOR] >= 1);
            skip("interrupts end when they are delivered");
        }
        ioapic_route(irq, 0x10000);
    } else {
        skip("the device has no interrupt line");
    }
    check_eq(config(cap) & 0xff, 5);
    set_config(4, config(4) | 4); /* bus master: messages are writes */
    set_config(cap + 4, 0xfee00000);
    set_config(cap + 8, 0);
    set_config(cap + 12, MSI_VECTOR);
    set_config(cap, 1 << 16);
    put(PENDING, 4, 0);
    clear();
    sti();
    for (unsigned n = 1; n <= 50; n++) {
        put(MATCH, 4, VALUE);
        wait_for(&count[MSI_VECTOR], n, WAIT_MS);
    }
    cli();
    check_eq(count[MSI_VECTOR], 50);
    check_eq(count[LINE_VECTOR], 0);
    expect(2, total[2] += 50);
    /* another vector: the message is told anew */
    set_handler(MSI_VECTOR + 8, on_apic);
    set_config(cap + 12, MSI_VECTOR + 8);
    sti();
    put(MATCH, 4, VALUE);
    wait_for(&count[MSI_VECTOR + 8], 1, WAIT_MS);
    cli();
    check_eq(count[MSI_VECTOR + 8], 1);
    expect(2, total[2] += 1);
}

void guest_main(void)
{
    uint32_t total[3] = {0};
    find_pm();
    pic_disable();
    lapic_enable();
    if (!find_device()) {
        check(!"there is no kick-testdev");
        return;
    }
    set_config(4, config(4) | 3);
    window = config(0x10) & ~15u;
    port = (uint16_t)(config(0x14) & ~3u);
    check(window && port);
    kicks(total);
    late_writes();
    by_port = true;
    kicks(total);
    late_writes();
    cmos_index();
    /* the watched addresses move with the windows */
    by_port = false;
    set_config(4, config(4) & ~3u);
    set_config(0x10, window + 0x1000);
    set_config(0x14, port + 0x100u);
    set_config(4, config(4) | 3);
    window += 0x1000;
    port = (uint16_t)(port + 0x100);
    kicks(total);
    late_writes();
    by_port = true;
    kicks(total);
    interrupts(total);
}
