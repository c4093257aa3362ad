/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unmasked floating-point exceptions in the middle of code that runs hot: SSE and x87 code first runs with all of them
 * masked, then with one unmasked.  The handler sees the exact instruction, registers and flags, puts the operand right
 * and has the instruction tried again (SSE), or replaces the result (x87).  With CR0.NE clear the x87's come as IRQ 13.
 * Spec: Intel SDM vol 1 sections 8.7, 11.5; vol 3 sections 2.5 (NE), 6.15 (#MF, #XM).
 */
#include "lib/irq.h"

enum { MASKED = 0x1f80, COUNT = 64, X87_MASKED = 0x37f };

static struct {
    unsigned faults;
    uint64_t rip, rcx;
    uint32_t mxcsr;
    uint16_t sw;
    uint64_t fip;
} seen;

static void clear_seen(void)
{
    seen.faults = 0;
}

static uint32_t mxcsr(void)
{
    uint32_t v;
    __asm__ volatile("stmxcsr %0" : "=m"(v));
    return v;
}

static void set_mxcsr(uint32_t v)
{
    __asm__ volatile("ldmxcsr %0" ::"m"(v));
}

/* ---- SSE ---- */

enum { IE = 1, DE = 2, ZE = 4, OE = 8, UE = 16, PE = 32 };

static uint64_t operands[COUNT] __attribute__((aligned(16)));
static uint64_t good;

static bool on_xm(Frame *f)
{
    seen.faults++;
    seen.rip = f->rip;
    seen.rcx = f->rcx;
    seen.mxcsr = mxcsr();
    operands[f->rcx] = good;
    set_mxcsr(seen.mxcsr & ~0x3fu);
    return true;
}

/*
 * Loops over the operands: other state changes in front of the instruction and behind it.  RAX counts, a register adds up
 * indices, XMM2 what was computed; the label tells where the instruction is.
 */
#define LOOP(name, load, operation)                                                                                  \
    extern uint8_t name##_at[];                                                                                      \
    static uint64_t __attribute__((noinline)) name(void)                                                             \
    {                                                                                                                \
        uint64_t turns = 0, sum = 0, n = 0, bits;                                                                    \
        __asm__ volatile("xorps %%xmm2, %%xmm2\n"                                                                    \
                         "1:\n\t" load "\n\t"                                                                        \
                         "inc %[turns]\n\tadd %[n], %[sum]\n\tmovaps %%xmm0, %%xmm3\n"                               \
                         ".globl " #name "_at\n" #name "_at:\n\t" operation "\n\t"                                   \
                         "paddq %%xmm0, %%xmm2\n\tinc %[n]\n\tcmp %[count], %[n]\n\tjne 1b\n\tmovq %%xmm2, %[bits]"  \
                         : [turns] "+a"(turns), [sum] "+r"(sum), [n] "+c"(n), [bits] "=r"(bits)                      \
                         : [count] "i"(COUNT), [op] "r"(operands)                                                    \
                         : "cc", "memory", "r8");                                                                    \
        check_eq(turns, COUNT);                                                                                      \
        check_eq(sum, COUNT * (COUNT - 1) / 2);                                                                      \
        return bits;                                                                                                 \
    }

#define ONE "mov $0x3ff0000000000000, %%r8\n\tmovq %%r8, %%xmm0"
#define HUGE_VALUE "mov $0x7fe0000000000000, %%r8\n\tmovq %%r8, %%xmm0"
#define TINY "mov $0x0010000000000000, %%r8\n\tmovq %%r8, %%xmm0"
LOOP(divide, ONE, "divsd (%[op],%[n],8), %%xmm0")
LOOP(multiply, HUGE_VALUE, "mulsd (%[op],%[n],8), %%xmm0")
LOOP(shrink, TINY, "mulsd (%[op],%[n],8), %%xmm0")
LOOP(root, ONE, "sqrtsd (%[op],%[n],8), %%xmm0")
LOOP(add, ONE, "addsd (%[op],%[n],8), %%xmm0")
LOOP(packed, ONE "; movlhps %%xmm0, %%xmm0; mov %[n], %%r8; and $-2, %%r8", "divpd (%[op],%%r8,8), %%xmm0")
LOOP(compare, ONE, "comisd (%[op],%[n],8), %%xmm0")
LOOP(convert, ONE, "cvtsd2si (%[op],%[n],8), %%r8")

typedef struct Case {
    uint64_t (*fn)(void);
    uint8_t *at;
    uint64_t good, bad; /* the operand that works, and one that does not */
    uint32_t flag;
} Case;

#define ONE_BITS 0x3ff0000000000000ull
#define THIRD 0x3fd5555555555555ull
#define MINUS 0xbff0000000000000ull
#define SIGNALING 0x7ff0000000000001ull
#define DENORMAL 1ull

static void sse_case(const Case *c)
{
    for (unsigned n = 0; n < COUNT; n++) {
        operands[n] = c->good;
    }
    good = c->good;
    set_mxcsr(MASKED);
    uint64_t want = c->fn(), got = 0;
    for (unsigned n = 0; n < 200; n++) { /* hot */
        got = c->fn();
    }
    check_eq(got, want);
    for (unsigned pass = 0; pass < 3; pass++) {
        unsigned bad = pass * 30 % COUNT; /* even: the first that uses it */
        clear_seen();
        operands[bad] = c->bad;
        set_mxcsr(MASKED & ~(c->flag << 7));
        got = c->fn();
        check_eq(seen.faults, 1);
        check_eq(seen.rip, (uint64_t)c->at);
        check_eq(seen.rcx, bad);
        check_eq(seen.mxcsr & c->flag, c->flag);
        check_eq(seen.mxcsr & 0xffc0, MASKED & ~(c->flag << 7));
        check_eq(got, want);
        /* masked again: only a flag */
        operands[bad] = c->bad;
        clear_seen();
        set_mxcsr(MASKED);
        c->fn();
        check_eq(seen.faults, 0);
        check_eq(mxcsr() & c->flag, c->flag);
        operands[bad] = c->good;
    }
}

static void sse(void)
{
    static const Case cases[] = {
        {divide, divide_at, ONE_BITS, 0, ZE},
        {divide, divide_at, ONE_BITS, DENORMAL, DE},
        {divide, divide_at, ONE_BITS, 0x4008000000000000ull, PE},
        {multiply, multiply_at, ONE_BITS, 0x4010000000000000ull, OE},
        {shrink, shrink_at, ONE_BITS, THIRD, UE},
        {root, root_at, ONE_BITS, MINUS, IE},
        {add, add_at, ONE_BITS, SIGNALING, IE},
        {packed, packed_at, ONE_BITS, 0, ZE},
        {compare, compare_at, ONE_BITS, SIGNALING, IE},
        {convert, convert_at, ONE_BITS, 0x7fe0000000000000ull, IE},
    };
    set_handler(19, on_xm);
    for (unsigned n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        sse_case(&cases[n]);
    }
    set_mxcsr(MASKED);
    set_handler(19, 0);
}

/* ---- x87 ---- */

static bool on_mf(Frame *f)
{
    struct __attribute__((packed)) {
        uint32_t cw, sw, tags, ip, cs_op, dp, ds;
    } env;
    __asm__ volatile("fnstenv %0" : "=m"(env));
    seen.faults++;
    seen.rip = f->rip;
    seen.rcx = f->rcx;
    seen.sw = (uint16_t)env.sw;
    seen.fip = env.ip;
    __asm__ volatile("fnclex; fldcw %0" ::"m"(env.cw));
    __asm__ volatile("fstp %%st(0); fld1" ::); /* what the division would have given */
    return true;
}

extern uint8_t quotient_at[], quotient_next[];

/* The sum of 1 / operand; the fault comes with the first x87 instruction behind the division. */
static uint64_t __attribute__((noinline)) quotients(uint16_t cw)
{
    uint64_t n = 0, turns = 0, bits;
    __asm__ volatile("fninit; fldcw %[cw]; fldz\n"
                     "1: fld1\n"
                     ".globl quotient_at, quotient_next\n"
                     "quotient_at: fdivl (%[op],%[n],8)\n\t"
                     "inc %[turns]; mov (%[op],%[n],8), %%r8\n"
                     "quotient_next: faddp %%st, %%st(1)\n\t"
                     "inc %[n]; cmp %[count], %[n]; jne 1b\n\t"
                     "fstpl %[bits]"
                     : [turns] "+a"(turns), [n] "+c"(n), [bits] "=m"(bits)
                     : [count] "i"(COUNT), [op] "r"(operands), [cw] "m"(cw)
                     : "cc", "memory", "r8");
    check_eq(turns, COUNT);
    return bits;
}

static void x87_case(uint64_t bad, uint16_t flag)
{
    for (unsigned n = 0; n < COUNT; n++) {
        operands[n] = ONE_BITS;
    }
    uint64_t want = 0x4050000000000000ull /* 64 */;
    for (unsigned n = 0; n < 100; n++) {
        check_eq(quotients(X87_MASKED), want);
    }
    for (unsigned pass = 0; pass < 3; pass++) {
        unsigned at = pass * 31 % COUNT;
        clear_seen();
        operands[at] = bad;
        uint64_t got = quotients((uint16_t)(X87_MASKED & ~flag));
        check_eq(seen.faults, 1);
        check_eq(seen.rip, (uint64_t)quotient_next);
        check_eq(seen.fip, (uint32_t)(uint64_t)quotient_at);
        check_eq(seen.rcx, at);
        check_eq(seen.sw & (0x80 | flag), 0x80 | flag);
        check_eq(seen.sw >> 11 & 7, 6);
        check_eq(got, want);
        operands[at] = ONE_BITS;
    }
}

/* ---- CR0.NE clear: FERR#, IRQ 13, IGNNE# by port F0h ---- */

static bool on_irq13(Frame *f)
{
    on_mf(f);
    out8(0xf0, 0);
    out8(0xa0, 0x20);
    out8(0x20, 0x20);
    return true;
}

static void ferr(void)
{
    write_cr0(read_cr0() & ~0x20ul);
    set_handler(0x2d, on_irq13);
    pic_init(0);
    out8(0x21, 0xfb); /* the cascade, and 13 */
    out8(0xa1, 0xdf);
    sti();
    for (unsigned n = 0; n < COUNT; n++) {
        operands[n] = ONE_BITS;
    }
    operands[17] = 0;
    clear_seen();
    quotients(X87_MASKED & ~ZE);
    cli();
    check_eq(seen.faults, 1);
    check(seen.rcx >= 17); /* a board may be slower than the next instruction */
    check_eq(seen.sw & 0x84, 0x84);
    write_cr0(read_cr0() | 0x20);
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
}

void guest_main(void)
{
    write_cr0((read_cr0() & ~0xcul) | 0x22); /* no EM, no TS; MP, NE */
    sse();
    set_handler(16, on_mf);
    x87_case(0, ZE);
    x87_case(SIGNALING, IE);
    x87_case(DENORMAL, DE);
    if (option("ferr", 1)) {
        ferr();
    }
    __asm__ volatile("fninit");
}
