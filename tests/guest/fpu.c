/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 state over what interrupts its owner: interrupts whose handlers use the x87 themselves, faults in the middle of
 * x87 code, masks and CR0.TS changed by somebody else, MMX beside it.
 * Spec: Intel SDM vol 1 chapters 8 and 9, vol 3 section 13.4; AMD APM vol 2 section 11.5.
 */
#include "lib/irq.h"

enum { ROUNDS = 20000, TIMER = 0x45, MISSING = 0x40000000 /* an address behind the RAM: unmapped here */ };

typedef struct __attribute__((packed)) Env {
    uint32_t cw, sw, tags, ip, cs_op, dp, ds;
} Env;

static uint8_t area[512] __attribute__((aligned(64)));
static volatile bool disturb;

/* A handler that is another user of the x87. */
static bool on_timer(Frame *f)
{
    if (disturb) {
        __asm__ volatile("fxsave (%0)\n\t"
                         "fninit; fldpi; fldpi; fmulp; fsqrt; movq %%mm3, %%mm4; emms\n\t"
                         "fldcw %1; fldln2; fistpl -8(%%rsp)\n\t"
                         "fxrstor (%0)" ::"r"(area),
                         "m"((uint16_t){0x0c7f})
                         : "memory");
    }
    return on_apic(f);
}

/* x = r x (1 - x) in ST, seven values deep, through memory in all formats; the bits of the end. */
static uint64_t chaos(unsigned rounds, uint16_t *high)
{
    static const double start = 0.3141592653589793, rate = 3.9999;
    static const float half = 0.5f;
    uint8_t value[16];
    uint64_t integer;
    __asm__ volatile("fninit; fldl %[start]; fldl %[rate]; fld1; flds %[half]\n"
                     "1: fld %%st(1); fsub %%st(4), %%st; fmul %%st(3), %%st; fmulp %%st, %%st(4)\n\t"
                     "fld %%st(3); fstpt %[value]; fldt %[value]; fadd %%st(1), %%st; fistpll %[integer]\n\t"
                     "fildll %[integer]; fmul %%st(1), %%st; fstp %%st(0); fcomi %%st(1), %%st; fcmovne %%st(0), %%st\n\t"
                     "dec %[n]; jnz 1b\n\t"
                     "fstp %%st(0); fstp %%st(0); fstp %%st(0); fstpt %[value]"
                     : [value] "=m"(value), [integer] "=m"(integer), [n] "+r"(rounds)
                     : [start] "m"(start), [rate] "m"(rate), [half] "m"(half)
                     : "cc");
    memcpy(high, value + 8, 2);
    memcpy(&integer, value, 8);
    return integer;
}

static void interrupted(void)
{
    uint16_t quiet_high, high;
    uint64_t quiet = chaos(ROUNDS, &quiet_high);
    LAPIC(0x3e0) = 0xb;
    LAPIC(0x320) = 0x20000 | TIMER;
    LAPIC(0x380) = 20000;
    for (unsigned pass = 0; pass < 2; pass++) {
        disturb = pass;
        clear();
        sti();
        uint64_t got = 0;
        for (unsigned n = 0; n < 200 && count[TIMER] < 50; n++) {
            got = chaos(ROUNDS, &high);
        }
        cli();
        check_eq(got, quiet);
        check_eq(high, quiet_high);
        check(count[TIMER] > 0);
    }
    LAPIC(0x320) = 0x10000 | TIMER;
    LAPIC(0x380) = 0;
}

/* A fault leaves the stack and the pointers as the instruction before left them. */
static void faults(void)
{
    Env env;
    uint64_t missing = MISSING;
    Trap t = TRY(__asm__ volatile("fninit; fld1; fldpi\n\t"
                                  "fld %%st(1); fstpl (%0)" ::"r"(missing)
                                  : "memory"));
    check_eq(t.vector, 14);
    check_eq(t.cr2, missing);
    __asm__ volatile("fnstenv %0" : "=m"(env));
    check_eq(env.sw & 0xffff, 5 << 11); /* three values */
    check_eq(env.tags & 0xffff, 0x03ff);
    check_eq(env.cs_op >> 16 & 0x7ff, 0x1c1); /* FLD ST(1) */
    check_eq((uint32_t)t.rip - env.ip, 2);
    uint16_t sw;
    uint8_t value[16];
    static const double three = 3;
    __asm__ volatile("fninit; fldl %2; fld %%st(0); fstpt %1; fnstenv %0" : "=m"(env), "=m"(value) : "m"(three));
    check_eq(env.dp, (uint32_t)(uintptr_t)value);
    check_eq(env.cs_op >> 16 & 0x7ff, (0x33c | (env.cs_op >> 16 & 0xc7)) & 0x7ff); /* FSTP m80: DB /7 */
    /* the stack's ends */
    __asm__ volatile("fninit; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fnstsw %0" : "=m"(sw));
    check_eq(sw, 7 << 11 | 0x241);
    __asm__ volatile("fninit; fchs; fnstsw %0" : "=m"(sw));
    check_eq(sw & ~0x200, 0x41);
}

/* ---- the masks and CR0.TS ---- */

static void __attribute__((noinline)) load_control(uint16_t cw)
{
    __asm__ volatile("fldcw %0" ::"m"(cw));
}

static void __attribute__((noinline)) divide_by_zero(void)
{
    __asm__ volatile("fninit; fldz; fld1");
    for (unsigned n = 0; n < 4; n++) {
        load_control(n == 2 ? 0x37b : 0x37f);
        __asm__ volatile("fld %%st(0); fdiv %%st(2), %%st; fstp %%st(0)" ::);
    }
}

static unsigned not_available;
static bool on_nm(Frame *f)
{
    (void)f;
    not_available++;
    __asm__ volatile("clts");
    return true;
}

static void modes(void)
{
    uint64_t pi[4];
    for (unsigned n = 0; n < 4; n++) { /* 24, 64, 53, 64 bits */
        static const uint16_t cw[4] = {0x07f, 0x37f, 0x27f, 0x37f};
        uint8_t value[16];
        load_control(cw[n]);
        __asm__ volatile("fld1; fadd %%st(0), %%st; fsqrt; fstpt %0" : "=m"(value));
        memcpy(&pi[n], value, 8);
    }
    check_eq(pi[0], 0xb504f30000000000);
    check_eq(pi[1], 0xb504f333f9de6484);
    check_eq(pi[2], 0xb504f333f9de6800);
    check_eq(pi[3], 0xb504f333f9de6484);
    check_eq(TRY(divide_by_zero()).vector, 16);
    __asm__ volatile("fnclex");
    check_eq(TRY(__asm__ volatile("fninit; fld1; fstp %%st(0)" ::)).vector, -1);
    set_handler(7, on_nm);
    uint16_t high;
    uint64_t want = chaos(100, &high);
    for (unsigned n = 0; n < 10; n++) {
        write_cr0(read_cr0() | 8);
        check_eq(chaos(100, &high), want);
    }
    check_eq(not_available, 10);
    /* FLDCW that unmasks what is already flagged: the next instruction that waits is told */
    Trap t = TRY(({
        uint16_t cw = 0x37b;
        __asm__ volatile("fninit; fldz; fld1; fdivp; fldcw %0; fnop; fnop; fld1" ::"m"(cw));
    }));
    check_eq(t.vector, 16);
    __asm__ volatile("fninit");
}

/* ---- MMX ---- */

static void mmx(void)
{
    uint64_t v, low;
    uint16_t sw;
    Env env;
    __asm__ volatile("fninit; fldpi; movq %%mm7, %0; movd %3, %%mm2; paddb %%mm2, %%mm2; movq %%mm2, %1; fnstenv %2"
                     : "=m"(v), "=m"(low), "=m"(env)
                     : "r"(0x01020304));
    check_eq(low, 0x02040608);
    check_eq(v, 0xc90fdaa22168c235);
    check_eq(env.sw & 0x3800, 0);
    check(((env.tags & 0xffff) & (env.tags >> 1 & 0x7fff) & 0x5555) == 0); /* none is empty */
    __asm__ volatile("emms; fld1; fnstsw %0; fstp %%st(0)" : "=m"(sw));
    check_eq(sw & 0x41, 0);
}

void guest_main(void)
{
    lapic_enable();
    pic_init(1);
    LAPIC(0x350) = 0x10700; /* no 8259 */
    set_handler(TIMER, on_timer);
    *pte_of((void *)(uintptr_t)MISSING) = 0;
    invlpg((void *)(uintptr_t)MISSING);
    interrupted();
    faults();
    modes();
    mmx();
}
