/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every way to reset the machine: triple fault, keyboard controller, CF9h, port 92h.  The count is kept in CMOS
 * memory, which a reset leaves alone; the image is loaded anew each time.  Runs without -no-reboot. Spec: Intel SDM
 * vol 3 6.15 (shutdown on triple fault), 9.1 (state after reset); PIIX3 data sheet, RC register.
 */
#include "lib/guest.h"

enum { MAGIC = 0x70, STAGE = 0x71, FAILED = 0x72 };
static volatile uint32_t fresh = 0x600dcafe;

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

static void wait_for_reset(const char *what)
{
    for (unsigned i = 0; i < 20000000; i++) {
        pause_cpu();
    }
    print(what);
    print(": no reset\n");
    set_cmos(MAGIC, 0);
    guest_exit(0x11);
}

static void fault_three_times(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};
    __asm__ volatile("lidt %0; int3" ::"m"(none));
}

/* What a reset must have put back, as far as the way here leaves it to be seen: a bit for each that it did not. */
static uint8_t not_reset(void)
{
    IOAPIC_SELECT = 0x10 + 2 * 5;
    uint32_t pin = IOAPIC_DATA;
    uint8_t wrong = (uint8_t)((fresh != 0x600dcafe) | (read_dr7() != 0x400 || (read_dr6() & 0xe00f)) << 1 |
                              ((rdmsr(0x1b) & 0xfffff900) != 0xfee00900) << 2 | (LAPIC(0x320) != 0x10000) << 3 |
                              (LAPIC(0x80) != 0) << 4 | !(pin & 0x10000) << 5 | (rdmsr(0xc0000082) != 0) << 6 |
                              (rdmsr(0x174) != 0) << 7);
    fresh = 0;
    write_dr7(0x455);
    wrmsr(0xc0000082, 0x1234);
    wrmsr(0x174, 8);
    LAPIC(0x320) = 0x44;
    LAPIC(0x80) = 0x20;
    IOAPIC_DATA = 0x66;
    write_dr7(0x400);
    return wrong;
}

void guest_main(void)
{
    if (cmos(MAGIC) != 0xa5) {
        set_cmos(MAGIC, 0xa5);
        set_cmos(STAGE, 0);
        set_cmos(FAILED, 0);
        fresh = 0x600dcafe;
    }
    uint8_t stage = cmos(STAGE);
    uint8_t wrong = not_reset();
    if (stage) {
        set_cmos(FAILED, cmos(FAILED) | wrong);
    }
    set_cmos(STAGE, stage + 1);
    switch (stage) {
    case 0:
        fault_three_times();
        wait_for_reset("triple fault");
        break;
    case 1:
        out8(0x64, 0xfe);
        wait_for_reset("keyboard controller");
        break;
    case 2:
        out8(0xcf9, 2);
        out8(0xcf9, 6);
        wait_for_reset("port CF9h");
        break;
    case 3:
        out8(0x92, (uint8_t)(in8(0x92) & ~1));
        out8(0x92, in8(0x92) | 1);
        wait_for_reset("port 92h");
        break;
    case 4: /* a double fault whose handler is missing is as good as three */
        idt[2 * 8] = 0;
        idt[2 * 13] = 0;
        *(volatile uint8_t *)(1ull << 63) = 0;
        wait_for_reset("missing double fault handler");
        break;
    default:
        set_cmos(MAGIC, 0);
        check_eq(cmos(FAILED), 0);
        check_eq(stage, 5);
        break;
    }
}
