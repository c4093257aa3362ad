/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions in ring 0 that a hypervisor's own emulator seldom knows: SSE, x87, and what they do when they fault.  An
 * engine that borrows the interpreter for them must move all of the processor's state there and back.
 */
#include "lib/irq.h"

enum { OSFXSR = 1 << 9, OSXMMEXCPT = 1 << 10, ROUNDS = 500 };

static void moves_and_sums(void)
{
    uint32_t a[4] = {1, 2, 3, 0xffffffff}, b[4] = {10, 20, 30, 2}, c[4];
    uint64_t x = 0x123456789abcdef0, y = 0;
    __asm__ volatile("movdqu %1, %%xmm0; movdqu %2, %%xmm1; paddd %%xmm1, %%xmm0; movdqu %%xmm0, %0"
                     : "=m"(c)
                     : "m"(a), "m"(b)
                     : "memory");
    check_eq(c[0], 11);
    check_eq(c[2], 33);
    check_eq(c[3], 1);
    __asm__ volatile("movq %1, %%xmm15; pxor %%xmm3, %%xmm3; por %%xmm15, %%xmm3; movq %%xmm3, %0" : "=r"(y) : "r"(x));
    check_eq(y, x);
    /* what other registers hold is still there */
    __asm__ volatile("movq %%xmm15, %0" : "=r"(y));
    check_eq(y, x);
}

static void floating_point(void)
{
    uint64_t root, old = 0x1f80, status = 0;
    int64_t number = 0;
    uint64_t two = 0x4000000000000000, sixteen = 0x4030000000000000;
    __asm__ volatile("movq %1, %%xmm0; sqrtsd %%xmm0, %%xmm0; movq %%xmm0, %0" : "=r"(root) : "r"(sixteen));
    check_eq(root, 0x4010000000000000);
    __asm__ volatile("movq %1, %%xmm0; sqrtsd %%xmm0, %%xmm0; cvtsd2si %%xmm0, %0" : "=r"(number) : "r"(two));
    check_eq(number, 1);
    __asm__ volatile("stmxcsr %0" : "=m"(status));
    check_eq(status & 0x3f, 0x20); /* inexact */
    __asm__ volatile("ldmxcsr %0" ::"m"(old));
    __asm__ volatile("fninit; fld1; fld1; faddp; fistpll %0" : "=m"(number));
    check_eq(number, 2);
}

/* Registers and flags live across a great many of them. */
static void in_a_loop(void)
{
    uint64_t sum = 0, carry = 0;
    __asm__ volatile("pxor %%xmm0, %%xmm0" ::);
    for (uint64_t n = 0; n < ROUNDS; n++) {
        uint64_t v = n * 0x9e3779b97f4a7c15, got;
        __asm__ volatile("movq %2, %%xmm1; stc; paddq %%xmm1, %%xmm0; movq %%xmm0, %0; adc $0, %1"
                         : "=r"(got), "+r"(carry)
                         : "r"(v)
                         : "cc");
        sum += v;
        if (got != sum) {
            check_eq(got, sum);
            return;
        }
    }
    check_eq(carry, ROUNDS);
}

static void faults(void)
{
    uint64_t bad = 1ull << 45, before, after;
    Trap t;
    __asm__ volatile("movq %0, %%xmm7" ::"r"(0x77ull));
    __asm__ volatile("movq %%xmm7, %0" : "=r"(before));
    t = TRY(__asm__ volatile("mov $1, %%rax; shl $45, %%rax; movups (%%rax), %%xmm7" ::: "rax"));
    check_eq(t.vector, 14);
    check_eq(t.cr2, bad);
    check_eq(t.error, 0);
    t = TRY(__asm__ volatile("mov $1, %%rax; shl $45, %%rax; movups %%xmm7, (%%rax)" ::: "rax"));
    check_eq(t.error, 2);
    t = TRY(__asm__ volatile("push $0; mov %%rsp, %%rax; or $8, %%al; dec %%rax; movaps (%%rax), %%xmm7; pop %%rax" ::: "rax"));
    check_eq(t.vector, 13);
    __asm__ volatile("movq %%xmm7, %0" : "=r"(after));
    check_eq(after, before);
    write_cr0(read_cr0() | 8); /* TS */
    t = TRY(__asm__ volatile("pxor %xmm0, %xmm0"));
    write_cr0(read_cr0() & ~8ull);
    check_eq(t.vector, 7);
}

/* An EOI by such an instruction: it must reach the I/O APIC, or a level-triggered line is dead.  Needs -device pc-testdev. */
enum { LINE = 10, LINE_PORT = 0x2000 + LINE, LINE_VECTOR = 0x62 };

static bool on_line(Frame *f)
{
    note(f);
    out8(LINE_PORT, 0);
    __asm__ volatile("pxor %%xmm2, %%xmm2; movd %%xmm2, %0" : "=m"(LAPIC(0xb0)));
    return true;
}

static void end_of_interrupt(void)
{
    find_pm();
    pic_disable();
    lapic_enable();
    set_handler(LINE_VECTOR, on_line);
    IOAPIC_SELECT = 0x11 + 2 * LINE;
    IOAPIC_DATA = 0;
    IOAPIC_SELECT = 0x10 + 2 * LINE;
    IOAPIC_DATA = 0x8000 | LINE_VECTOR;
    sti();
    for (unsigned n = 1; n <= 10; n++) {
        count[LINE_VECTOR] = 0;
        out8(LINE_PORT, 1);
        wait_for(&count[LINE_VECTOR], 1, 2000);
        check(count[LINE_VECTOR] >= 1); /* a KVM may give one interrupt twice */
    }
    cli();
    IOAPIC_DATA = 0x10000;
}

void guest_main(void)
{
    write_cr0((read_cr0() & ~4ull) | 2 | 1 << 5); /* no emulation, monitor, numeric errors */
    write_cr4(read_cr4() | OSFXSR | OSXMMEXCPT);
    moves_and_sums();
    floating_point();
    in_a_loop();
    faults();
    end_of_interrupt();
}
