/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of writes to memory, bit by bit: known pages are written in every way there is, and the device's bitmap must name
 * them and no others.  Needs -device dirty-testdev.  "cpus=N": so many processors write at the same time (1), "rounds=N"
 * scales the repetitions.
 */
#include "lib/guest.h"

enum { ADDRESS = 0x520, PAGES = 0x524, BUFFER = 0x528, COMMAND = 0x52c, LOG = 1, END, TAKE, WRITE };
enum { NUM = 512, PAGE = 4096, OSFXSR = 1 << 9, MAX_CPUS = 4 };

static uint8_t *area;           /* NUM pages that are logged */
static uint8_t wanted[NUM];     /* by page */
static uint64_t *bitmap;        /* outside */
static unsigned cpus;

static uint8_t *at(unsigned page, unsigned offset)
{
    return area + page * PAGE + offset;
}

static void command(uint32_t what)
{
    out32(COMMAND, what);
}

static void take(void)
{
    out32(BUFFER, (uint32_t)(uintptr_t)bitmap);
    command(TAKE);
}

static bool bit(unsigned page)
{
    return bitmap[page / 64] >> page % 64 & 1;
}

static void compare(const char *what)
{
    bool same = true;
    for (unsigned n = 0; n < NUM; n++) {
        if (bit(n) != wanted[n]) {
            print(what);
            print(wanted[n] ? ": not named: page " : ": named, but not written: page ");
            print_hex(n);
            print("\n");
            same = false;
        }
        wanted[n] = 0;
    }
    check(same);
}

static void expect(const char *what)
{
    take();
    check_eq(in32(COMMAND), 1);
    compare(what);
}

static void want(unsigned page)
{
    wanted[page] = 1;
}

/* ---- ways to write ---- */

static void single_bytes(void)
{
    expect("nothing yet");
    *at(3, 0) = 1;
    *at(7, PAGE - 1) = 1;
    *at(0, 0) = 1;
    *at(NUM - 1, PAGE - 1) = 1;
    want(3), want(7), want(0), want(NUM - 1);
    expect("bytes at the ends of pages");
    *at(3, 100) = 2;
    want(3);
    expect("the same page again");
    (void)*(volatile uint8_t *)at(9, 0);
    (void)*(volatile uint64_t *)at(9, PAGE - 4);
    expect("reads");
}

static void crossing(void)
{
    uint64_t one = 1, zero = 0;
    *(volatile uint16_t *)at(10, PAGE - 1) = 0xffff;
    want(10), want(11);
    *(volatile uint32_t *)at(20, PAGE - 3) = ~0u;
    want(20), want(21);
    *(volatile uint64_t *)at(30, PAGE - 7) = ~0ull;
    want(30), want(31);
    *(volatile uint64_t *)at(40, PAGE - 8) = ~0ull;
    want(40);
    expect("stores over the ends of pages");
    __asm__ volatile("add %1, %0" : "+m"(*(uint64_t *)at(50, PAGE - 4)) : "r"(one));
    want(50), want(51);
    __asm__ volatile("lock xadd %1, %0" : "+m"(*(uint64_t *)at(60, 8)), "+r"(one));
    want(60);
    __asm__ volatile("lock cmpxchg %2, %0" : "+m"(*(uint64_t *)at(70, 16)), "+a"(zero) : "r"(7ull));
    want(70);
    __asm__ volatile("xchg %1, %0" : "+m"(*(uint32_t *)at(80, 0)), "+r"(one));
    want(80);
    __asm__ volatile("push %%rbp; mov %%rsp, %%rbp; mov %0, %%rsp; push $1; call 1f; 1: mov %%rbp, %%rsp; pop %%rbp"
                     :
                     : "r"(at(91, 8))
                     : "memory");
    want(90), want(91);
    expect("read and written, stack");
    __asm__ volatile("movdqu %%xmm0, %0" : "=m"(*(uint8_t(*)[16])at(100, PAGE - 15)));
    want(100), want(101);
    __asm__ volatile("movdqu %%xmm0, %0" : "=m"(*(uint8_t(*)[16])at(102, 0)));
    want(102);
    __asm__ volatile("fnsave %0; fninit" : "=m"(*(uint8_t(*)[108])at(110, PAGE - 100)));
    want(110), want(111);
    expect("vectors, x87");
}

static void strings(void)
{
    memset(at(120, 2000), 1, 3 * PAGE);
    want(120), want(121), want(122), want(123);
    memcpy(at(130, PAGE - 1), at(140, 0), 2);
    want(130), want(131);
    expect("string stores");
    void *from = at(155, 0), *to = at(165, 0);
    uint64_t count = 2 * PAGE / 8 + 1;
    __asm__ volatile("std; rep movsq; cld" : "+D"(to), "+S"(from), "+c"(count)::"memory");
    want(163), want(164), want(165);
    uint32_t elements = 10;
    to = at(170, PAGE - 8);
    __asm__ volatile("rep insl" : "+D"(to), "+c"(elements) : "d"(ADDRESS) : "memory");
    want(170), want(171);
    expect("backwards, from a port");
}

static void dma(void)
{
    out32(BUFFER, (uint32_t)(uintptr_t)at(180, PAGE - 8));
    command(WRITE);
    check_eq(*at(180, PAGE - 8), 'w');
    out32(BUFFER, (uint32_t)(uintptr_t)at(190, PAGE - 16));
    command(WRITE);
    want(180), want(181), want(190);
    expect("DMA");
}

/* The table that maps `page` is in the logged memory itself; the MMU writes it. */
static void page_tables(void)
{
    enum { TABLE = 200 };
    static uint8_t *const window = (uint8_t *)(3ull << 39);
    volatile uint64_t *pt = (volatile uint64_t *)(void *)at(TABLE, 0);
    uint64_t *pd_page = alloc_pages(1), *pdpt_page = alloc_pages(1);
    pml4[3] = (uint64_t)pdpt_page | 3;
    pdpt_page[0] = (uint64_t)pd_page | 3;
    pd_page[0] = (uint64_t)pt | 3;
    pt[0] = (uint64_t)at(210, 0) | 3;
    pt[1] = (uint64_t)at(211, 0) | 3;
    want(TABLE);
    expect("a page table is made");
    (void)*(volatile uint8_t *)window;
    check_eq(pt[0] & 0x60, 0x20);
    want(TABLE);
    expect("accessed bit");
    (void)*(volatile uint8_t *)(window + 8);
    expect("it is set already");
    *(volatile uint8_t *)window = 1;
    check_eq(pt[0] & 0x60, 0x60);
    want(TABLE), want(210);
    expect("dirty bit");
    *(volatile uint8_t *)(window + PAGE - 1) = 1;
    want(210);
    expect("both are set already");
    *(volatile uint16_t *)(window + PAGE - 1) = 1;
    want(TABLE), want(210), want(211);
    expect("both bits by one store");
    pml4[3] = 0;
    write_cr3(read_cr3());
}

/* Code in logged memory is watched for two reasons. */
static void code(void)
{
    uint8_t *p = at(220, 64);
    for (uint8_t n = 1; n < 6; n++) {
        p[0] = 0xb8; /* mov eax, n */
        p[1] = n, p[2] = p[3] = p[4] = 0;
        p[5] = 0xc3;
        check_eq(((uint32_t(*)(void))(void *)p)(), n);
        want(220);
        expect("code");
        check_eq(((uint32_t(*)(void))(void *)p)(), n);
        expect("code is run");
    }
}

/* ---- again and again ---- */

/* Stores around the command that cleans their page, in one piece of code that knows the page. */
static void around_commands(unsigned rounds)
{
    out32(BUFFER, (uint32_t)(uintptr_t)bitmap);
    for (unsigned n = 0; n < rounds; n++) {
        __asm__ volatile("mov %%al, (%0); mov %%al, 8(%0); out %%eax, %%dx; mov %%al, 16(%0); mov %%al, 24(%0)"
                         :
                         : "r"(at(230, n)), "a"(TAKE), "d"(COMMAND)
                         : "memory");
        want(230);
        compare("before the command");
        want(230);
        expect("behind the command");
    }
}

static void patterns(unsigned rounds)
{
    uint32_t seed = 12345;
    for (unsigned n = 0; n < rounds; n++) {
        for (unsigned k = 0; k < 40; k++) {
            seed = seed * 1664525 + 1013904223;
            unsigned page = seed >> 8 & (NUM - 1);
            *(volatile uint8_t *)at(page, seed & (PAGE - 1)) = (uint8_t)n;
            want(page);
        }
        expect("a pattern");
    }
}

/* ---- several processors ---- */

static volatile uint32_t generation, finished;

/* Pages that are n modulo the number of processors, about every third, in an order of the round's own. */
static bool in_round(unsigned page, unsigned round)
{
    return (page * 2654435761u + round * 40503u) >> 16 & 1;
}

static void write_round(unsigned n, unsigned round)
{
    for (unsigned k = 0; k < NUM; k++) {
        unsigned page = (k * 37 + round) % NUM;
        if (page % cpus == n && in_round(page, round)) {
            *(volatile uint8_t *)at(page, round & (PAGE - 1)) = (uint8_t)round;
        }
    }
}

static void worker(unsigned n)
{
    uint32_t done = 0;
    for (;;) {
        while (generation == done) {
            pause_cpu();
        }
        done = generation;
        write_round(n, done);
        __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
    }
}

/* Each page is written once a round, while this processor takes the log all the time: nothing may be lost or made up. */
static void together(unsigned rounds)
{
    uint64_t all[NUM / 64];
    check_eq(start_processors(cpus - 1, worker), cpus - 1);
    expect("before the others write");
    for (unsigned round = 1; round <= rounds; round++) {
        memset(all, 0, sizeof(all));
        finished = 0;
        generation = round;
        bool last;
        write_round(0, round);
        do {
            last = finished == cpus - 1;
            take();
            for (unsigned n = 0; n < NUM / 64; n++) {
                all[n] |= bitmap[n];
            }
        } while (!last);
        for (unsigned n = 0; n < NUM; n++) {
            wanted[n] = in_round(n, round);
        }
        memcpy(bitmap, all, sizeof(all));
        compare("a round of all processors");
        expect("nobody writes");
    }
}

void guest_main(void)
{
    unsigned rounds = (unsigned)option("rounds", 50);
    cpus = (unsigned)option("cpus", 1);
    area = alloc_pages(NUM);
    bitmap = alloc_pages(1);
    write_cr4(read_cr4() | OSFXSR);
    out32(ADDRESS, (uint32_t)(uintptr_t)area);
    out32(PAGES, NUM);
    command(LOG);
    if (in32(COMMAND) != 1) {
        check(!"there is no dirty-testdev");
        return;
    }
    single_bytes();
    crossing();
    strings();
    dma();
    page_tables();
    code();
    around_commands(rounds);
    patterns(rounds);
    if (cpus > 1 && cpus <= MAX_CPUS) {
        together(rounds);
    }
    *at(5, 0) = 1;
    command(LOG);
    expect("begun anew");
    command(END);
    take();
    check_eq(in32(COMMAND), 0);
    out32(ADDRESS, 0xffffe000);
    command(LOG);
    check_eq(in32(COMMAND), 0);
}
