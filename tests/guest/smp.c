/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several processors: start-up, interprocessor interrupts, locked operations, memory order, TLB shootdown, code
 * modified by another processor.  "cpus=N" on the command line says how many there are (2), "forms=0" that the rarer locked
 * operations are not tried.
 * Spec: Intel SDM vol 3 sections 8.1 (atomic operations, cross-modifying code), 8.2 (memory order), 8.4 (start-up),
 * 10.6 (IPIs), 4.10.5 (shootdown).
 */
#include "lib/guest.h"

enum { MAX_CPUS = 8 };
static unsigned cpus;
static unsigned rounds; /* scales everything */

/* ---- jobs: every processor runs fn(n) once ---- */

static void (*volatile job)(unsigned n);
static volatile uint32_t generation, finished;

static void worker(unsigned n)
{
    uint32_t done = 0;
    __asm__ volatile("sti");
    for (;;) {
        while (generation == done) {
            pause_cpu();
        }
        done = generation;
        job(n);
        __asm__ volatile("sti");
        __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
    }
}
static void start_all(void (*fn)(unsigned n))
{
    finished = 0;
    job = fn;
    __atomic_fetch_add(&generation, 1, __ATOMIC_SEQ_CST);
}
static void wait_all(void)
{
    while (finished < cpus - 1) {
        pause_cpu();
    }
}
static void run_all(void (*fn)(unsigned n))
{
    start_all(fn);
    fn(0);
    wait_all();
}

static uint32_t apic_of[MAX_CPUS];
static unsigned self(void)
{
    uint32_t id = LAPIC(0x20) >> 24;
    for (unsigned n = 0; n < cpus; n++) {
        if (apic_of[n] == id) {
            return n;
        }
    }
    return 0;
}
static void learn(unsigned n)
{
    apic_of[n] = LAPIC(0x20) >> 24;
}

/* ---- locked operations ---- */

static struct {
    volatile uint64_t inc, add, xadd, cas, bits, ticket_next, ticket_now, ticketed, locked, lock;
    volatile uint8_t byte;
} c __attribute__((aligned(64)));
static volatile unsigned __int128 wide __attribute__((aligned(16)));
static uint8_t *span; /* two pages: operands over lines and over the page's end */

static void counters(unsigned n)
{
    volatile uint64_t *line = (volatile uint64_t *)(span + 61), *page = (volatile uint64_t *)(span + 4096 - 3);
    volatile uint16_t *edge = (volatile uint16_t *)(span + 127);
    for (unsigned i = 0; i < rounds; i++) {
        __asm__ volatile("lock incq %0" : "+m"(c.inc)::"memory");
        __asm__ volatile("lock addb $1, %0" : "+m"(c.byte)::"memory");
        __asm__ volatile("lock addq $3, %0" : "+m"(c.add)::"memory");
        uint64_t one = 1;
        __asm__ volatile("lock xaddq %1, %0" : "+m"(c.xadd), "+r"(one)::"memory");
        uint64_t old = c.cas;
        while (!__atomic_compare_exchange_n(&c.cas, &old, old + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        }
        __asm__ volatile("lock btcq %1, %0" : "+m"(c.bits) : "r"((uint64_t)n) : "memory");
        __asm__ volatile("lock addq $1, %0" : "+m"(*line)::"memory");
        __asm__ volatile("lock addq $1, %0" : "+m"(*page)::"memory");
        __asm__ volatile("lock incw %0" : "+m"(*edge)::"memory");
        /* 128 bits: both halves move together */
        uint64_t lo = (uint64_t)wide, hi = (uint64_t)(wide >> 64);
        uint8_t ok;
        do {
            __asm__ volatile("lock cmpxchg16b %0; setz %1"
                             : "+m"(wide), "=qm"(ok), "+a"(lo), "+d"(hi)
                             : "b"(lo + 1), "c"(hi + 2)
                             : "memory", "cc");
        } while (!ok);
        /* XCHG locks by itself */
        uint64_t mine = 1;
        do {
            mine = 1;
            __asm__ volatile("xchg %0, %1" : "+m"(c.lock), "+r"(mine)::"memory");
        } while (mine);
        c.locked = c.locked + 1;
        c.lock = 0;
        if (i % 16 == 0) {
            uint64_t ticket = __atomic_fetch_add(&c.ticket_next, 1, __ATOMIC_SEQ_CST);
            while (c.ticket_now != ticket) {
                pause_cpu();
            }
            c.ticketed = c.ticketed + 1;
            c.ticket_now = ticket + 1;
        }
    }
}

/* The forms that counters() has not: in every round each processor does something to all of them that adds up. */
static struct {
    volatile uint64_t down, borrow, carry, flips, sign, guarded;
    volatile uint32_t toggles, pair[2] __attribute__((aligned(8)));
    volatile uint16_t owned;
    volatile uint64_t locks[8];
} forms __attribute__((aligned(64)));
static volatile unsigned lost;

static void lock_bit(uint64_t bit)
{
    uint8_t was;
    do {
        __asm__ volatile("lock btsq %2, %1; setc %0" : "=qm"(was), "+m"(forms.locks[2]) : "r"(bit) : "memory", "cc");
    } while (was);
}

static volatile uint32_t arrived;
static void meet(uint32_t time)
{
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    while (arrived < time * cpus) {
        pause_cpu();
    }
}

/* Waiting would keep the processors out of each other's way: they start together, now and then. */
static void hammer(unsigned n)
{
    uint16_t own = (uint16_t)(0x101u << n);
    for (unsigned i = 0; i < rounds * 8; i++) {
        if (i % rounds == 0) {
            meet(i / rounds + 1);
        }
        __asm__ volatile("lock decq %0" : "+m"(forms.down)::"memory", "cc");
        __asm__ volatile("stc; lock adcq $1, %0" : "+m"(forms.carry)::"memory", "cc");
        __asm__ volatile("stc; lock sbbq $1, %0" : "+m"(forms.borrow)::"memory", "cc");
        __asm__ volatile("lock xorl %1, %0" : "+m"(forms.toggles) : "r"(1u << n) : "memory", "cc");
        __asm__ volatile("lock notq %0" : "+m"(forms.flips)::"memory");
        __asm__ volatile("lock negq %0" : "+m"(forms.sign)::"memory", "cc");
        __asm__ volatile("lock orw %1, %0" : "+m"(forms.owned) : "r"(own) : "memory", "cc");
        lost += (forms.owned & own) != own;
        __asm__ volatile("lock andw %1, %0" : "+m"(forms.owned) : "r"((uint16_t)~own) : "memory", "cc");
        lost += (forms.owned & own) != 0;
    }
}

static void guards(unsigned n)
{
    volatile uint32_t *odd = (volatile uint32_t *)(span + 253); /* over the end of a line */
    (void)n;
    for (unsigned i = 0; i < rounds; i++) {
        uint32_t lo = forms.pair[0], hi = forms.pair[1];
        uint8_t ok;
        do {
            __asm__ volatile("lock cmpxchg8b %0; setz %1"
                             : "+m"(forms.pair), "=qm"(ok), "+a"(lo), "+d"(hi)
                             : "b"(lo + 1), "c"(hi - 1)
                             : "memory", "cc");
        } while (!ok);
        lock_bit((uint64_t)-70); /* in the operand two before the one that is named */
        uint32_t mine = 1;
        do {
            mine = 1;
            __asm__ volatile("xchgl %0, %1" : "+m"(*odd), "+r"(mine)::"memory");
        } while (mine);
        forms.guarded = forms.guarded + 1;
        *odd = 0;
        __asm__ volatile("lock btrq %1, %0" : "+m"(forms.locks[2]) : "r"((uint64_t)-70) : "memory", "cc");
    }
}

static void locked_forms(void)
{
    forms.sign = 5;
    run_all(hammer);
    run_all(guards);
    uint64_t guarded = (uint64_t)rounds * cpus, n = 8 * guarded;
    check_eq(forms.down, -n);
    check_eq(forms.carry, 2 * n);
    check_eq(forms.borrow, -2 * n);
    check_eq(forms.toggles, 0);
    check_eq(forms.flips, 0);
    check_eq(forms.sign, 5);
    check_eq(forms.owned, 0);
    check_eq(lost, 0);
    check_eq(forms.pair[0], (uint32_t)guarded);
    check_eq(forms.pair[1], (uint32_t)-guarded);
    check_eq(forms.guarded, guarded);
    check_eq(forms.locks[0], 0);
}

static void locked(void)
{
    span = alloc_pages(2);
    run_all(counters);
    uint64_t n = (uint64_t)rounds * cpus;
    check_eq(c.inc, n);
    check_eq(c.byte, (uint8_t)n);
    check_eq(c.add, 3 * n);
    check_eq(c.xadd, n);
    check_eq(c.cas, n);
    check_eq(c.bits, rounds & 1 ? (1u << cpus) - 1 : 0);
    check_eq(*(uint64_t *)(span + 61), n);
    check_eq(*(uint64_t *)(span + 4096 - 3), n);
    check_eq(*(uint16_t *)(span + 127), (uint16_t)n);
    check_eq((uint64_t)wide, n);
    check_eq((uint64_t)(wide >> 64), 2 * n);
    check_eq(c.locked, n);
    check_eq(c.ticketed, (uint64_t)((rounds + 15) / 16) * cpus);
}

/* ---- data in a page of code that runs ---- */

static uint8_t *mixed;
static volatile unsigned bad;
static void mixed_page(unsigned n)
{
    (void)n;
    unsigned (*fn)(void) = (void *)mixed;
    for (unsigned i = 0; i < rounds / 8 + 1; i++) {
        if (fn() != 0x1234) {
            bad++;
        }
        __asm__ volatile("lock addl $1, %0" : "+m"(*(uint32_t *)(mixed + 64)));
        __asm__ volatile("lock addl $1, %0" : "+m"(*(uint32_t *)(mixed + 4092)));
    }
}
static void data_beside_code(void)
{
    mixed = alloc_pages(1);
    memcpy(mixed, "\xb8\x34\x12\x00\x00\xc3", 6);
    run_all(mixed_page);
    check_eq(bad, 0);
    check_eq(*(uint32_t *)(mixed + 64), (rounds / 8 + 1) * cpus);
    check_eq(*(uint32_t *)(mixed + 4092), (rounds / 8 + 1) * cpus);
}

/* ---- litmus tests: one pass over an array per processor, the verdict afterwards ---- */

enum { CELLS = 4096 };
static volatile uint32_t x[CELLS], y[CELLS], r[4][CELLS];
static volatile uint32_t gate_count;
static void line_up(unsigned n)
{
    (void)n;
    __atomic_fetch_add(&gate_count, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; gate_count < cpus && i < 100000000; i++) {
        pause_cpu();
    }
}
static void reset_cells(void)
{
    for (unsigned i = 0; i < CELLS; i++) {
        x[i] = y[i] = r[0][i] = r[1][i] = r[2][i] = r[3][i] = 0;
    }
    gate_count = 0;
}
#define LITMUS(name, body)                                                                                           \
    static void name(unsigned n)                                                                                     \
    {                                                                                                                \
        line_up(n);                                                                                                  \
        for (unsigned k = 0; k < CELLS; k++) {                                                                       \
            unsigned i = k * 1021 % CELLS; /* walk over lines */                                                     \
            body                                                                                                     \
        }                                                                                                            \
    }
LITMUS(
    store_buffer_fenced,
    if (n == 0) {
        x[i] = 1;
        __asm__ volatile("mfence" ::: "memory");
        r[0][i] = y[i];
    } else if (n == 1) {
        y[i] = 1;
        __asm__ volatile("mfence" ::: "memory");
        r[1][i] = x[i];
    })
LITMUS(
    store_buffer_xchg,
    if (n == 0) {
        uint32_t one = 1;
        __asm__ volatile("xchg %0, %1" : "+m"(x[i]), "+r"(one)::"memory");
        r[0][i] = y[i];
    } else if (n == 1) {
        uint32_t one = 1;
        __asm__ volatile("xchg %0, %1" : "+m"(y[i]), "+r"(one)::"memory");
        r[1][i] = x[i];
    })
LITMUS(
    message,
    if (n == 0) {
        x[i] = 1;
        y[i] = 1;
    } else if (n == 1) {
        r[0][i] = y[i];
        r[1][i] = x[i];
    })
LITMUS(
    load_buffer,
    if (n == 0) {
        r[0][i] = x[i];
        y[i] = 1;
    } else if (n == 1) {
        r[1][i] = y[i];
        x[i] = 1;
    })
LITMUS(
    independent, switch (n) {
case 0:
    x[i] = 1;
    break;
case 1:
    y[i] = 1;
    break;
case 2:
    r[0][i] = x[i];
    r[1][i] = y[i];
    break;
case 3:
    r[2][i] = y[i];
    r[3][i] = x[i];
    break;
    })

static void litmus(void)
{
    unsigned wrong[5] = {0};
    for (unsigned pass = 0; pass < rounds / 500 + 1; pass++) {
        reset_cells();
        run_all(store_buffer_fenced);
        for (unsigned i = 0; i < CELLS; i++) {
            wrong[0] += !r[0][i] && !r[1][i];
        }
        reset_cells();
        run_all(store_buffer_xchg);
        for (unsigned i = 0; i < CELLS; i++) {
            wrong[1] += !r[0][i] && !r[1][i];
        }
        reset_cells();
        run_all(message);
        for (unsigned i = 0; i < CELLS; i++) {
            wrong[2] += r[0][i] && !r[1][i];
        }
        reset_cells();
        run_all(load_buffer);
        for (unsigned i = 0; i < CELLS; i++) {
            wrong[3] += r[0][i] && r[1][i];
        }
        if (cpus >= 4) {
            reset_cells();
            run_all(independent);
            for (unsigned i = 0; i < CELLS; i++) {
                wrong[4] += r[0][i] && !r[1][i] && r[2][i] && !r[3][i];
            }
        }
    }
    for (unsigned i = 0; i < 5; i++) {
        check_eq(wrong[i], 0);
    }
}

/* ---- interprocessor interrupts ---- */

static volatile unsigned got[MAX_CPUS], nmi_got[MAX_CPUS];
static bool on_ipi(Frame *f)
{
    (void)f;
    __atomic_fetch_add(&got[self()], 1, __ATOMIC_SEQ_CST);
    LAPIC(0xb0) = 0;
    return true;
}
static bool on_nmi(Frame *f)
{
    (void)f;
    __atomic_fetch_add(&nmi_got[self()], 1, __ATOMIC_SEQ_CST);
    return true;
}
static void send(uint32_t to, uint32_t command)
{
    LAPIC(0x310) = to << 24;
    LAPIC(0x300) = command;
    while (LAPIC(0x300) & 0x1000) {
        pause_cpu();
    }
}
static bool reached(volatile unsigned *what, unsigned n)
{
    uint64_t start = rdtsc();
    while (*what < n && rdtsc() - start < 10000000000ull) {
        pause_cpu();
    }
    return *what == n;
}
static volatile uint32_t sleepers;
static void sleep_once(unsigned n)
{
    if (n) {
        unsigned before = got[n];
        __atomic_fetch_add(&sleepers, 1, __ATOMIC_SEQ_CST);
        __asm__ volatile("cli" ::: "memory");
        while (got[n] == before) {
            __asm__ volatile("sti; hlt; cli" ::: "memory");
        }
    }
}
static void sleep_deaf(unsigned n)
{
    if (n == 1) {
        __asm__ volatile("cli" ::: "memory");
        __atomic_fetch_add(&sleepers, 1, __ATOMIC_SEQ_CST);
        __asm__ volatile("hlt" ::: "memory"); /* IF clear: only an NMI wakes it */
    }
}
static void ipis(void)
{
    set_handler(0x40, on_ipi);
    set_handler(2, on_nmi);
    run_all(learn);
    for (unsigned n = 1; n < cpus; n++) {
        for (unsigned m = 0; m < n; m++) {
            check(apic_of[n] != apic_of[m]);
        }
    }
    for (unsigned i = 1; i <= 100; i++) {
        for (unsigned n = 1; n < cpus; n++) {
            send(apic_of[n], 0x40);
            if (!reached(&got[n], i)) {
                check_eq(got[n], i);
                return;
            }
        }
    }
    check_eq(got[0], 0);
    send(0, 0xc0040); /* all but self */
    for (unsigned n = 1; n < cpus; n++) {
        check(reached(&got[n], 101));
    }
    __asm__ volatile("sti");
    check_eq(got[0], 0);
    send(0, 0x80040); /* all */
    for (unsigned n = 0; n < cpus; n++) {
        check(reached(&got[n], n ? 102 : 1));
    }
    send(0xff, 0x40); /* broadcast by destination */
    for (unsigned n = 0; n < cpus; n++) {
        check(reached(&got[n], n ? 103 : 2));
    }
    /* logical destinations, flat model */
    void logical(unsigned n)
    {
        LAPIC(0xe0) = 0xffffffff;
        LAPIC(0xd0) = 1u << (24 + n);
    }
    run_all(logical);
    send(2, 0x840);
    check(reached(&got[1], 104));
    send(3, 0x840);
    check(reached(&got[1], 105));
    check(reached(&got[0], 3));
    send(0x80, 0x840); /* nobody */
    /* lowest priority: exactly one */
    unsigned sum = 0, after = 0;
    for (unsigned n = 0; n < cpus; n++) {
        sum += got[n];
    }
    send((1u << cpus) - 1, 0x940);
    uint64_t start = rdtsc();
    while (after <= sum && rdtsc() - start < 10000000000ull) {
        after = 0;
        for (unsigned n = 0; n < cpus; n++) {
            after += got[n];
        }
    }
    for (unsigned i = 0; i < 100000; i++) {
        pause_cpu();
    }
    after = 0;
    for (unsigned n = 0; n < cpus; n++) {
        after += got[n];
    }
    check_eq(after, sum + 1);
    __asm__ volatile("cli");
    /* a sleeping processor wakes up */
    for (unsigned i = 0; i < 50; i++) {
        sleepers = 0;
        start_all(sleep_once);
        while (sleepers < cpus - 1) {
            pause_cpu();
        }
        send(0, 0xc0040);
        wait_all();
    }
    check_eq(finished, cpus - 1);
    sleepers = 0;
    start_all(sleep_deaf);
    while (!sleepers) {
        pause_cpu();
    }
    unsigned before = got[1];
    send(apic_of[1], 0x40);
    for (unsigned i = 0; i < 100000; i++) {
        pause_cpu();
    }
    check_eq(got[1], before);
    send(apic_of[1], 0x400);
    wait_all();
    check_eq(nmi_got[1], 1);
    check(reached(&got[1], before + 1)); /* the fixed one waited for IF */
}

/* ---- TLB shootdown ---- */

static uint64_t *shot_pte;
static volatile uint32_t *shot_page, *frames[2];
static volatile uint32_t seq, acks, stale, stop;
static bool on_shoot(Frame *f)
{
    (void)f;
    invlpg((void *)(uint64_t)shot_page);
    __atomic_fetch_add(&acks, 1, __ATOMIC_SEQ_CST);
    LAPIC(0xb0) = 0;
    return true;
}
static void reader(unsigned n)
{
    while (n && !stop) {
        uint32_t before = seq, v = *shot_page, after = seq;
        if (before == after && !(before & 1) && v != (before >> 1 & 1)) {
            __atomic_fetch_add(&stale, 1, __ATOMIC_SEQ_CST);
        }
    }
}
static void shootdown(void)
{
    set_handler(0x41, on_shoot);
    shot_page = alloc_pages(1);
    frames[0] = alloc_pages(1);
    frames[1] = alloc_pages(1);
    *frames[1] = 1;
    shot_pte = pte_of((void *)(uint64_t)shot_page);
    *shot_pte = (uint64_t)frames[0] | 3;
    invlpg((void *)(uint64_t)shot_page);
    void flush(unsigned n)
    {
        (void)n;
        write_cr3(read_cr3());
    }
    run_all(flush);
    start_all(reader);
    for (unsigned i = 1; i <= rounds / 20 + 10; i++) {
        acks = 0;
        __atomic_fetch_add(&seq, 1, __ATOMIC_SEQ_CST);
        *shot_pte = (uint64_t)frames[i & 1] | 3;
        invlpg((void *)(uint64_t)shot_page);
        send(0, 0xc0041);
        while (acks < cpus - 1) {
            pause_cpu();
        }
        __atomic_fetch_add(&seq, 1, __ATOMIC_SEQ_CST);
    }
    stop = 1;
    wait_all();
    check_eq(stale, 0);
}

/* ---- code modified by another processor ---- */

static uint8_t *patched;
static volatile uint32_t offered, taken, mismatches;
static void follow(unsigned n)
{
    unsigned (*fn)(void) = (void *)patched;
    if (n != 1) {
        return;
    }
    for (uint32_t i = 1; i <= rounds / 10 + 10; i++) {
        while (offered != i) {
            pause_cpu();
        }
        uint32_t id[4];
        cpuid(0, 0, id); /* 8.1.3: a serialising instruction before the new code */
        if (fn() != i) {
            mismatches++;
        }
        taken = i;
    }
}
static void run_wild(unsigned n)
{
    unsigned (*fn)(void) = (void *)patched;
    uint32_t last = 0;
    while (n && !stop) {
        uint32_t v = fn();
        if (v < last || v > rounds) {
            __atomic_fetch_add(&mismatches, 1, __ATOMIC_SEQ_CST);
        }
        last = v;
    }
}
static void cross_modifying(void)
{
    patched = alloc_pages(1);
    memcpy(patched, "\x90\x90\x90\xb8\x00\x00\x00\x00\xc3", 9); /* the immediate is aligned: one store changes it */
    start_all(follow);
    for (uint32_t i = 1; i <= rounds / 10 + 10; i++) {
        *(volatile uint32_t *)(patched + 4) = i;
        __asm__ volatile("" ::: "memory");
        offered = i;
        while (taken != i) {
            pause_cpu();
        }
    }
    wait_all();
    check_eq(mismatches, 0);
    /* without any synchronisation an aligned immediate is still either old or new, and never goes back */
    *(volatile uint32_t *)(patched + 4) = 0;
    stop = 0;
    start_all(run_wild);
    for (uint32_t i = 1; i <= rounds / 4; i++) {
        *(volatile uint32_t *)(patched + 4) = i;
        for (unsigned k = 0; k < 20; k++) {
            pause_cpu();
        }
    }
    stop = 1;
    wait_all();
    check_eq(mismatches, 0);
    check_eq(((unsigned (*)(void))(void *)patched)(), rounds / 4);
}

/* ---- time stamps of different processors ---- */

static volatile uint64_t ball;
static volatile uint32_t turn, backwards;
static void ping_pong(unsigned n)
{
    for (unsigned i = 0; n < 2 && i < rounds / 20 + 10; i++) {
        while (turn % 2 != n) {
            pause_cpu();
        }
        __asm__ volatile("lfence" ::: "memory"); /* RDTSC does not wait for the load that ended the loop */
        uint64_t now = rdtsc();
        if (now < ball) {
            backwards++;
        }
        ball = now;
        __atomic_fetch_add(&turn, 1, __ATOMIC_SEQ_CST);
    }
}

static void restart_one(void)
{
    /* INIT stops a processor, a start-up IPI starts it again; a second one is ignored (8.4.3) */
    extern volatile uint32_t ap_count;
    uint32_t before = ap_count;
    send(apic_of[1], 0x4500);
    for (unsigned i = 0; i < 20000; i++) {
        pause_cpu();
    }
    send(apic_of[1], 0x4608);
    uint64_t start = rdtsc();
    while (ap_count == before && rdtsc() - start < 10000000000ull) {
        pause_cpu();
    }
    check_eq(ap_count, before + 1);
    send(apic_of[1], 0x4608);
    for (unsigned i = 0; i < 20000; i++) {
        pause_cpu();
    }
    check_eq(ap_count, before + 1);
}

void guest_main(void)
{
    cpus = (unsigned)option("cpus", 2);
    rounds = (unsigned)option("rounds", 4000);
    pic_disable();
    check_eq(start_processors(cpus - 1, worker), cpus - 1);
    locked();
    if (option("forms", 1)) {
        locked_forms();
    }
    data_beside_code();
    litmus();
    ipis();
    shootdown();
    cross_modifying();
    run_all(ping_pong);
    check_eq(backwards, 0);
    restart_one();
}
