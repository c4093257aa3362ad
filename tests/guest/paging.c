/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 4-level paging: every combination of the permission bits against a model of the walk; accessed and dirty bits;
 * reserved bits; large and global pages, PCID, INVPCID; accesses over the end of a page.
 * Spec: Intel SDM vol 3 chapter 4 (4.5 4-level paging, 4.6 access rights, 4.7 page faults, 4.8 A and D, 4.10
 * caching).
 */
#include "lib/guest.h"

enum { GP = 13, PF = 14 };
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define NX (1ull << 63)
enum { E_P = 1, E_W = 2, E_U = 4, E_RSVD = 8, E_I = 16 };
enum { CR4_PGE = 1 << 7, CR4_PCIDE = 1 << 17, CR4_SMEP = 1 << 20, CR4_SMAP = 1 << 21 };
#define CR0_WP 0x10000ull
#define EFER 0xc0000080
#define AC (1 << 18)

/* The page under test: its linear address and the entry at each level. */
static uint8_t *const page = (uint8_t *)(2ull << 39 | 1ull << 30 | 3ull << 21 | 5ull << 12);
static uint64_t *l4, *l3, *l2, *l1;
static uint8_t *frame, *other; /* what is behind it; another frame */
static bool smep, smap, invpcid, pcid, gigabyte;

typedef enum Kind { READ, WRITE, FETCH } Kind;

__asm__(".globl user_read, user_write, user_fetch, user_stac\n"
        "user_read: mov (%rdi), %al; int $0x80\n"
        "user_write: movb $0xc3, (%rdi); int $0x80\n"
        "user_fetch: call *%rdi; int $0x80\n"
        "user_stac: stac; int $0x80\n");
extern void user_read(void), user_write(void), user_fetch(void), user_stac(void);
static void (*const user_access[])(void) = {user_read, user_write, user_fetch};

static void access_super(void *kind)
{
    switch ((Kind)(uint64_t)kind) {
    case READ:
        __asm__ volatile("mov (%0), %%al" ::"r"(page) : "rax", "memory");
        break;
    case WRITE:
        __asm__ volatile("movb $0xc3, (%0)" ::"r"(page) : "memory");
        break;
    case FETCH:
        __asm__ volatile("call *%0" ::"r"(page) : "memory");
        break;
    }
}
static void access_super_ac(void *kind)
{
    write_flags(read_flags() | AC);
    access_super(kind);
}
static void access_user(void *kind)
{
    call_user(user_access[(uint64_t)kind], (uint64_t)page);
}
static Trap touch(Kind kind, bool user)
{
    return try_call(user ? access_user : access_super, (void *)(uint64_t)kind);
}

static void flush(void)
{
    write_cr3(read_cr3());
}
static void map(uint64_t leaf)
{
    *l4 = (uint64_t)((uint64_t)l3 & ~0xfffull) | P | W | U;
    *l3 = ((uint64_t)l2 & ~0xfffull) | P | W | U;
    *l2 = ((uint64_t)l1 & ~0xfffull) | P | W | U;
    *l1 = (uint64_t)frame | leaf;
    flush();
}

static void set_up(void)
{
    uint32_t id[4];
    cpuid(7, 0, id);
    smep = id[1] >> 7 & 1;
    smap = id[1] >> 20 & 1;
    invpcid = id[1] >> 10 & 1;
    cpuid(1, 0, id);
    pcid = id[2] >> 17 & 1;
    cpuid(0x80000001, 0, id);
    gigabyte = id[3] >> 26 & 1;
    uint64_t *t3 = alloc_pages(1), *t2 = alloc_pages(1), *t1 = alloc_pages(1);
    frame = alloc_pages(1);
    other = alloc_pages(1);
    frame[0] = other[0] = 0xc3; /* RET */
    l4 = &pml4[2];
    l3 = &t3[1];
    l2 = &t2[3];
    l1 = &t1[5];
    map(P | W | U);
}

/* ---- the model ---- */

typedef struct Mode {
    bool wp, smep, smap, ac, user;
} Mode;

/* Error code of an access whose walk ends at a present leaf with these rights, or -1 when it is allowed. */
static int model(uint64_t rights, bool present, Kind kind, Mode m)
{
    int error = (present ? E_P : 0) | (kind == WRITE ? E_W : 0) | (m.user ? E_U : 0) | (kind == FETCH ? E_I : 0);
    bool w = rights & W, u = rights & U, nx = rights & NX, allowed;
    if (m.user) {
        allowed = u && (kind != WRITE || w) && (kind != FETCH || !nx);
    } else if (kind == FETCH) {
        allowed = !nx && !(m.smep && u);
    } else {
        allowed = !(m.smap && u && !m.ac) && (kind != WRITE || w || !m.wp);
    }
    return present && allowed ? -1 : error;
}

static unsigned tried, wrong;
static uint64_t first_wrong; /* rights, mode and kind of the first difference, to be printed */

static void one(uint64_t leaf, uint64_t mid, unsigned level, Kind kind, Mode m)
{
    uint64_t *upper = level == 2 ? l2 : level == 3 ? l3 : l4;
    *l1 = (uint64_t)frame | leaf;
    uint64_t upper_saved = *upper;
    *upper = (*upper & ~(uint64_t)(W | U)) | mid;
    invlpg(page);
    uint64_t rights = (leaf & mid & (W | U)) | ((leaf | mid) & NX);
    int want = model(rights, leaf & P, kind, m);
    void (*fn)(void *) = m.user ? access_user : m.ac ? access_super_ac : access_super;
    Trap t = try_call(fn, (void *)(uint64_t)kind);
    uint64_t after = *l1;
    bool ok = want < 0 ? t.vector < 0 : t.vector == PF && t.error == (uint64_t)want && t.cr2 == (uint64_t)page;
    /* 4.8: A with any access, D with a write; neither when there was a fault */
    uint64_t marks = want >= 0 ? 0 : kind == WRITE ? A | D : A;
    ok = ok && (after & (A | D)) == marks && (want >= 0 || (*upper & (A | D)) == A);
    tried++;
    if (!ok && !wrong++) {
        first_wrong = rights | (uint64_t)kind << 8 | (uint64_t)m.wp << 12 | (uint64_t)m.smep << 13 |
                      (uint64_t)m.smap << 14 | (uint64_t)m.ac << 15 | (uint64_t)m.user << 16 | (uint64_t)level << 20 |
                      (t.error & 31) << 24 | (uint64_t)(t.vector & 31) << 32 | (leaf & P) | (after & (A | D)) << 40;
    }
    *upper = upper_saved;
}

static void rights(void)
{
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();
    for (unsigned mode = 0; mode < 32; mode++) {
        Mode m = {mode & 1, mode & 2, mode & 4, mode & 8, mode & 16};
        if ((m.smep && !smep) || (m.smap && !smap) || (m.user && m.ac)) {
            continue;
        }
        write_cr0(m.wp ? cr0 | CR0_WP : cr0 & ~CR0_WP);
        write_cr4(cr4 | (m.smep ? CR4_SMEP : 0) | (m.smap ? CR4_SMAP : 0));
        for (unsigned i = 0; i < 16; i++) {
            uint64_t leaf = (i & 7) | (i & 8 ? NX : 0);
            for (unsigned j = 0; j < 8; j++) {
                uint64_t mid = (j & 3) << 1 | (j & 4 ? NX : 0);
                for (Kind kind = READ; kind <= FETCH; kind++) {
                    one(leaf, mid, 2 + (i + j) % 3, kind, m);
                }
            }
        }
        write_cr4(cr4);
        write_cr0(cr0);
    }
    check_eq(wrong, 0);
    if (wrong) {
        print("  first: ");
        print_hex(first_wrong);
        print("\n");
    }
    check(tried > 2000);
    if (!smep || !smap) {
        skip("no SMEP or SMAP");
    }
}

/* STAC and CLAC in the middle of straight code, with flags that live across them. */
static void stac_clac(void)
{
    uint64_t cr4 = read_cr4();
    uint8_t carry, zero, seen;
    if (!smap) {
        skip("no SMAP");
        return;
    }
    map(P | W | U);
    frame[40] = 77;
    write_cr4(cr4 | CR4_SMAP);
    __asm__ volatile("stac; movb 40(%3), %2; cmpb %2, %2; clac; setz %1; stc; stac; clac; setc %0"
                     : "=&q"(carry), "=&q"(zero), "=&q"(seen)
                     : "r"(page));
    check_eq(carry + zero * 2 + seen * 4, 1 + 2 + 77 * 4);
    check_eq(read_flags() & AC, 0);
    check_eq(TRY(__asm__ volatile("stac; movb $3, 41(%0); clac; movb $4, 41(%0)" ::"r"(page))).error, E_P | E_W);
    check_eq(frame[41], 3);
    write_cr4(cr4);
    check_eq(TRY(call_user(user_stac, 0)).vector, 6);
}

static void accessed_dirty(void)
{
    map(P | W | U);
    *l4 &= ~(uint64_t)A;
    flush();
    check_eq(touch(READ, false).vector, -1);
    check_eq(*l1 & (A | D), A);
    check_eq(*l2 & A, A);
    check_eq(*l3 & A, A);
    check_eq(*l4 & A, A);
    check_eq((*l2 | *l3 | *l4) & D, 0);
    /* the translation is cached for reading: a write must still set D */
    check_eq(touch(WRITE, false).vector, -1);
    check_eq(*l1 & (A | D), A | D);
    /* D is not set by a write that faults */
    map(P | U);
    check_eq(touch(WRITE, true).error, E_P | E_W | E_U);
    check_eq(*l1 & D, 0);
    /* read-modify-write without a change writes all the same; a failing CMPXCHG too */
    map(P | W);
    __asm__ volatile("xor %%ecx, %%ecx; lock orb %%cl, (%0)" ::"r"(page) : "rcx", "memory");
    check_eq(*l1 & D, D);
    map(P | W);
    __asm__ volatile("mov $1, %%eax; lock cmpxchg %%ecx, (%0)" ::"r"(page + 8) : "rax", "rcx", "memory");
    check_eq(*l1 & D, D);
    map(P);
    Trap t = TRY(__asm__ volatile("mov $1, %%eax; lock cmpxchg %%ecx, (%0)" ::"r"(page + 8)
                                  : "rax", "rcx", "memory"));
    check_eq(t.error, E_P | E_W);
    t = TRY(__asm__ volatile("incb (%0)" ::"r"(page + 8) : "memory"));
    check_eq(t.error, E_P | E_W);
    t = TRY(__asm__ volatile("xchg %%al, (%0)" ::"r"(page + 8) : "rax", "memory"));
    check_eq(t.error, E_P | E_W);
    *l1 &= ~(uint64_t)P;
    flush();
    t = TRY(__asm__ volatile("incb (%0)" ::"r"(page + 8) : "memory"));
    check_eq(t.error, E_W);
    check_eq(t.cr2, (uint64_t)page + 8);
    t = TRY(__asm__ volatile("cmpb $0, (%0)" ::"r"(page + 9) : "memory"));
    check_eq(t.error, 0);
    check_eq(t.cr2, (uint64_t)page + 9);
    /* BT with a register addresses beyond its operand */
    t = TRY(__asm__ volatile("bts %1, (%0)" ::"r"(page - 4096), "r"(4096ull * 8 + 64) : "memory"));
    check_eq(t.cr2, (uint64_t)page + 8);
}

static void reserved_bits(void)
{
    uint32_t id[4];
    cpuid(0x80000008, 0, id);
    unsigned width = id[0] & 0xff;
    uint64_t *entries[] = {l1, l2, l3, l4};
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned bit = width; bit < 52; bit++) {
            map(P | W | U);
            *entries[i] |= 1ull << bit;
            flush();
            check_eq(touch(READ, false).error, E_P | E_RSVD);
            if (bit == width) {
                check_eq(touch(WRITE, false).error, E_P | E_RSVD | E_W);
                check_eq(touch(READ, true).error, E_P | E_RSVD | E_U);
                check_eq(touch(FETCH, true).error, E_P | E_RSVD | E_U | E_I);
                check_eq(*l1 & A, 0);
                *entries[i] &= ~1ull; /* not present comes first */
                flush();
                check_eq(touch(READ, false).error, 0);
            }
        }
    }
    /* bits 52-62 are ignored */
    map(P | W | U | 0x7ffull << 52);
    check_eq(touch(WRITE, true).vector, -1);
    map(P | W | U);
    *l4 |= PS;
    flush();
    check_eq(touch(READ, false).error, E_P | E_RSVD);
    /* NXE clear: bit 63 is reserved, and fetches are not told apart without SMEP */
    for (unsigned i = 0; i < 4; i++) {
        map(P | W | U);
        *entries[i] |= NX;
        wrmsr(EFER, rdmsr(EFER) & ~0x800ull);
        flush();
        Trap t = touch(READ, false), u = touch(FETCH, true);
        *entries[i] &= ~(NX | P);
        flush();
        Trap v = touch(FETCH, true);
        wrmsr(EFER, rdmsr(EFER) | 0x800);
        check_eq(t.error, E_P | E_RSVD);
        check_eq(u.error, E_P | E_RSVD | E_U);
        check_eq(v.error, E_U);
    }
    map(P | W | U);
}

static void large_pages(void)
{
    map(P | W | U);
    uint8_t *big = alloc_pages(1024); /* has a whole 2 MiB inside */
    uint64_t base = ((uint64_t)big + 0x1fffff) & ~0x1fffffull;
    *(uint8_t *)(base + 0x5000) = 0xc3;
    *l2 = base | P | W | U | PS;
    flush();
    check_eq(touch(FETCH, true).vector, -1);
    check_eq(*l2 & (A | D), A);
    check_eq(touch(WRITE, true).vector, -1);
    check_eq(*l2 & (A | D), A | D);
    page[7] = 0x5a;
    check_eq(*(volatile uint8_t *)(base + 0x5007), 0x5a);
    check_eq(*(volatile uint8_t *)(page + 0x1000 - 0x5000 - 0x1000), *(uint8_t *)base);
    for (unsigned bit = 13; bit < 21; bit++) {
        *l2 = base | P | W | U | PS | 1ull << bit;
        flush();
        check_eq(touch(READ, false).error, E_P | E_RSVD);
    }
    *l2 = base | P | W | U | PS | 1 << 12; /* PAT */
    flush();
    check_eq(touch(READ, false).vector, -1);
    *l2 = base | P | PS;
    flush();
    check_eq(touch(WRITE, false).error, E_P | E_W);
    check_eq(touch(READ, true).error, E_P | E_U);
    check_eq(*l2 & D, 0);
    if (!gigabyte) {
        skip("no 1 GiB pages");
        return;
    }
    *l3 = P | W | U | PS;
    flush();
    volatile uint8_t *low = (volatile uint8_t *)((uint64_t)page & ~0x3fffffffull);
    *(uint8_t *)(base + 3) = 0x77;
    check_eq(low[base + 3], 0x77);
    check_eq(*l3 & (A | D), A);
    low[base + 4] = 1;
    check_eq(*l3 & (A | D), A | D);
    for (unsigned bit = 13; bit < 30; bit++) {
        *l3 = P | W | U | PS | 1ull << bit;
        flush();
        check_eq(TRY((void)low[base]).error, E_P | E_RSVD);
    }
    map(P | W | U);
}

static uint8_t value(void)
{
    return *(volatile uint8_t *)(page + 16);
}
/* Map one frame, use it, put the other into the entry, invalidate by `how`: the other must be seen. */
#define STALE(flags, how)                                                                                            \
    do {                                                                                                             \
        map(P | W | (flags));                                                                                        \
        invlpg(page);                                                                                                \
        check_eq(value(), 1);                                                                                        \
        *l1 = (uint64_t)other | P | W | (flags);                                                                     \
        how;                                                                                                         \
        check_at(value() == 2, "stale after " #how, __FILE__, __LINE__, 0, 0);                                       \
    } while (0)
static void do_invpcid(uint64_t type, uint64_t id, uint64_t address)
{
    struct {
        uint64_t id, address;
    } d = {id, address};
    __asm__ volatile("invpcid %0, %1" ::"m"(d), "r"(type) : "memory");
}

static void caching(void)
{
    uint64_t cr4 = read_cr4(), cr0 = read_cr0();
    frame[16] = 1;
    other[16] = 2;
    STALE(0, invlpg(page));
    STALE(0, invlpg(page + 4095));
    STALE(0, write_cr3(read_cr3()));
    STALE(G, invlpg(page));
    STALE(G, write_cr4(cr4 & ~(uint64_t)CR4_PGE); write_cr4(cr4));
    STALE(G, write_cr4(cr4 ^ CR4_PGE); write_cr4(cr4));
    STALE(0, write_cr0(cr0 & ~CR0_WP); write_cr0(cr0); flush());
    /* upper levels: INVLPG drops the caches of them too (4.10.4.1) */
    map(P | W);
    check_eq(value(), 1);
    uint64_t *fresh = alloc_pages(1);
    fresh[5] = (uint64_t)other | P | W;
    *l2 = (uint64_t)fresh | P | W;
    invlpg(page);
    check_eq(value(), 2);
    /* a present entry is never cached from a walk that failed */
    map(0);
    check_eq(touch(READ, false).vector, PF);
    *l1 |= P | W;
    check_eq(value(), 1);
    /* nor do more rights need an invalidation after the fault they caused (4.10.4.3) */
    map(P);
    check_eq(value(), 1);
    check_eq(touch(WRITE, false).vector, PF);
    *l1 |= W;
    check_eq(touch(WRITE, false).vector, -1);
    if (!pcid || !invpcid) {
        skip("no PCID or INVPCID");
        return;
    }
    check_eq(TRY(do_invpcid(4, 0, 0)).vector, GP);
    check_eq(TRY(do_invpcid(0, 1ull << 12, 0)).vector, GP);
    check_eq(TRY(do_invpcid(0, 0, 1ull << 47)).vector, GP);
    check_eq(TRY(do_invpcid(1, 3, 0)).vector, GP); /* PCID 3 with CR4.PCIDE clear */
    STALE(0, do_invpcid(0, 0, (uint64_t)page));
    STALE(0, do_invpcid(1, 0, 0));
    STALE(G, do_invpcid(2, 0, 0));
    STALE(0, do_invpcid(3, 0, 0));
    uint64_t cr3 = read_cr3();
    check_eq(TRY(write_cr3(cr3 | 1ull << 63)).vector, GP); /* reserved without PCIDE */
    write_cr3(cr3 | 8);
    check_eq(TRY(write_cr4(cr4 | CR4_PCIDE)).vector, GP); /* CR3 bits 11-0 must be 0 */
    write_cr4(cr4);
    write_cr3(cr3);
    write_cr4(cr4 | CR4_PCIDE);
    check_eq(TRY(write_cr0(read_cr0() & 0x7fffffff)).vector, GP); /* PG while PCIDE */
    STALE(0, write_cr3(cr3));
    STALE(0, do_invpcid(3, 0, 0));
    STALE(0, write_cr3(cr3 | 5); invlpg(page); write_cr3(cr3));
    STALE(0, write_cr3(cr3 | 5); do_invpcid(0, 0, (uint64_t)page); write_cr3(cr3 | 1ull << 63));
    STALE(0, write_cr3(cr3 | 5); do_invpcid(1, 0, 0); write_cr3(cr3 | 1ull << 63));
    STALE(G, do_invpcid(2, 0, 0));
    STALE(G, invlpg(page));
    check_eq(read_cr3(), cr3); /* bit 63 is not stored */
    /* the other PCID has translations of its own */
    map(P | W);
    write_cr3(cr3 | 7);
    check_eq(read_cr3(), cr3 | 7);
    *l1 = (uint64_t)other | P | W;
    write_cr3(cr3 | 9);
    check_eq(value(), 2);
    write_cr3(cr3);
    write_cr4(cr4);
    map(P | W | U);
}

/* Use the page, give its region another last-level table, invalidate by `how`: the page's neighbour is in the new one. */
#define MOVED(flags, how)                                                                                            \
    do {                                                                                                             \
        map(P | W | (flags));                                                                                        \
        l1[1] = (uint64_t)frame | P | W | (flags);                                                                   \
        invlpg(page);                                                                                                \
        check_eq(value(), 1);                                                                                        \
        *l2 = (uint64_t)fresh | P | W | U;                                                                           \
        how;                                                                                                         \
        check_at(*(volatile uint8_t *)(page + 4096 + 16) == 2, "stale table after " #how, __FILE__, __LINE__, 0, 0); \
        invlpg(page + 4096);                                                                                         \
    } while (0)

/* What is remembered of the levels above the last (4.10.3): dropped by every invalidation, never final for a fault. */
static void upper_levels(void)
{
    uint64_t cr4 = read_cr4();
    uint64_t *fresh = alloc_pages(1);
    fresh[5] = fresh[6] = (uint64_t)other | P | W | U;
    MOVED(0, invlpg(page));
    MOVED(0, flush());
    MOVED(G, flush()); /* tables have no G: only the page itself stays */
    MOVED(G, write_cr4(cr4 ^ CR4_PGE); write_cr4(cr4));
    if (invpcid) {
        MOVED(0, do_invpcid(0, 0, (uint64_t)page));
        MOVED(0, do_invpcid(1, 0, 0));
        MOVED(G, do_invpcid(2, 0, 0));
        MOVED(G, do_invpcid(3, 0, 0));
    }
    if (pcid) {
        uint64_t cr3 = read_cr3();
        write_cr4(cr4 | CR4_PCIDE);
        MOVED(0, write_cr3(cr3));
        MOVED(0, write_cr3(cr3 | 5); invlpg(page); write_cr3(cr3));
        write_cr4(cr4);
    }
    /* a table that was absent is seen when it comes, without an invalidation */
    map(P | W);
    uint64_t table = *l2;
    *l2 = 0;
    flush();
    check_eq(touch(READ, false).vector, PF);
    *l2 = table;
    check_eq(value(), 1);
    /* more rights in an upper level: one fault at most for what was remembered (4.10.4.3) */
    map(P | W | U);
    *l2 &= ~(uint64_t)(W | U);
    flush();
    check_eq(value(), 1);
    *l2 |= W | U;
    touch(WRITE, true);
    check_eq(touch(WRITE, true).vector, -1);
    /* a page inside the region turns into a large one, and back */
    uint8_t *big = alloc_pages(1024);
    uint64_t base = ((uint64_t)big + 0x1fffff) & ~0x1fffffull;
    *(uint8_t *)(base + 0x5000 + 16) = 3;
    *(uint8_t *)(base + 0x6000 + 16) = 4;
    *l2 = base | P | W | U | PS;
    invlpg(page);
    check_eq(value(), 3);
    check_eq(*(volatile uint8_t *)(page + 4096 + 16), 4);
    *l2 = (uint64_t)fresh | P | W | U;
    invlpg(page + 0x100000); /* any address of the large page drops all its pieces */
    check_eq(value(), 2);
    check_eq(*(volatile uint8_t *)(page + 4096 + 16), 2);
    l1[1] = 0;
    map(P | W | U);
}

/* More translations than any log of them holds, in three regions; all must go. */
static void many_pages(uint64_t flags, void (*drop)(void))
{
    static uint64_t *tables[3];
    uint8_t *first = page - (5ull << 12) + (1ull << 21);
    for (unsigned t = 0; t < 3; t++) {
        tables[t] = tables[t] ? tables[t] : alloc_pages(1);
        l2[1 + t] = (uint64_t)tables[t] | P | W | U;
    }
    unsigned stale = 0;
    for (unsigned turn = 1; turn <= 2; turn++) {
        for (unsigned n = 0; n < 3 * 512; n++) {
            tables[n / 512][n % 512] = (uint64_t)(turn == 1 ? frame : other) | P | W | flags;
        }
        drop();
        for (unsigned n = 0; n < 3 * 512; n++) {
            stale += *(volatile uint8_t *)(first + n * 4096ull + 16) != turn;
        }
    }
    check_eq(stale, 0);
    l2[1] = l2[2] = l2[3] = 0;
    drop();
}
static void drop_globals(void)
{
    uint64_t cr4 = read_cr4();
    write_cr4(cr4 ^ CR4_PGE);
    write_cr4(cr4);
}
static void many(void)
{
    many_pages(0, flush);
    many_pages(G, drop_globals);
    many_pages(0, drop_globals);
}

/* The page under test and the one after it; they are not neighbours in physical memory. */
static void crossing(void)
{
    uint64_t *next = l1 + 1;
    uint8_t *end = page + 4096;
    uint8_t *frame2 = alloc_pages(2) + 4096;
    map(P | W | U);
    *next = (uint64_t)frame2 | P | W | U;
    flush();
    *(volatile uint64_t *)(end - 3) = 0x8877665544332211;
    check_eq(frame[4093], 0x11);
    check_eq(frame[4095], 0x33);
    check_eq(frame2[0], 0x44);
    check_eq(frame2[4], 0x88);
    check_eq(*(volatile uint64_t *)(end - 3), 0x8877665544332211);
    check_eq(*l1 & *next & D, D);
    __asm__ volatile("lock addl $0x01010101, (%0)" ::"r"(end - 2) : "memory");
    check_eq(*(volatile uint64_t *)(end - 3), 0x8877665645342311);
    *(volatile uint64_t *)(end - 3) = 0x8877665544332211;
    /* the second page is missing: CR2 is its first byte, and nothing is written to the first */
    static const uint64_t second[] = {0, P, P | U};
    for (unsigned i = 0; i < 3; i++) {
        *next = (uint64_t)frame2 | second[i];
        flush();
        uint64_t error = E_W | (second[i] & P);
        Trap t = TRY(*(volatile uint64_t *)(end - 3) = 0);
        check_eq(t.vector, PF);
        check_eq(t.error, error);
        check_eq(t.cr2, (uint64_t)end);
        check_eq(frame[4093], 0x11);
        t = TRY(__asm__ volatile("lock addl $1, (%0)" ::"r"(end - 2) : "memory"));
        check_eq(t.error, error);
        check_eq(t.cr2, (uint64_t)end);
        check_eq(frame[4093], 0x11);
        check_eq(frame[4095], 0x33);
    }
    *next = 0;
    *l1 = 0;
    flush();
    Trap t = TRY(*(volatile uint64_t *)(end - 3) = 0);
    check_eq(t.cr2, (uint64_t)end - 3); /* the first page is looked at first */
    *l1 = (uint64_t)frame | P | W | U;
    flush();
    t = TRY((void)*(volatile uint32_t *)(end - 1));
    check_eq(t.cr2, (uint64_t)end);
    check_eq(t.error, 0);
    check_eq(TRY((void)*(volatile uint32_t *)(end - 4)).vector, -1);
    /* instructions */
    frame[4094] = 0xb8; /* MOV EAX, imm32 over the end */
    t = TRY(__asm__ volatile("call *%0" ::"r"(end - 2) : "rax", "memory"));
    check_eq(t.vector, PF);
    check_eq(t.error, E_I);
    check_eq(t.cr2, (uint64_t)end);
    check_eq(t.rip, (uint64_t)end - 2);
    frame[4094] = 0x31; /* XOR EAX, EAX; then RET as the last byte */
    frame[4093] = 0x90;
    frame[4095] = 0xc0;
    t = TRY(__asm__ volatile("call *%0" ::"r"(end - 2) : "rax", "memory"));
    check_eq(t.rip, (uint64_t)end); /* it was executed, the next one is missing */
    check_eq(t.cr2, (uint64_t)end);
    frame[4095] = 0xc3;
    frame[4094] = 0x90;
    check_eq(TRY(__asm__ volatile("call *%0" ::"r"(end - 2) : "rax", "memory")).vector, -1);
    *next = (uint64_t)frame2 | P | NX;
    flush();
    frame[4094] = 0xb8;
    t = TRY(__asm__ volatile("call *%0" ::"r"(end - 2) : "rax", "memory"));
    check_eq(t.error, E_P | E_I);
    check_eq(t.cr2, (uint64_t)end);
    *next = (uint64_t)frame2 | P;
    flush();
    memcpy(frame + 4094, "\xb8\x11", 2);
    memcpy(frame2, "\x22\x33\x44\xc3", 4);
    uint32_t eax;
    __asm__ volatile("call *%1" : "=a"(eax) : "r"(end - 2) : "memory");
    check_eq(eax, 0x44332211);
    map(P | W | U);
}

/* What an instruction leaves behind when a part of it faults. */
static void restart(void)
{
    map(0);
    Trap t;
    volatile uint64_t *saved = &((uint64_t *)other)[100];
    saved[0] = saved[1] = 0;
    t = TRY(__asm__ volatile("mov %%rsp, %0; pop (%1)" : "=m"(*saved) : "r"(page) : "memory"));
    check_eq(t.rsp, saved[0]); /* POP to a bad place: RSP stands */
    t = TRY(__asm__ volatile("mov %%rsp, %0; push (%1)" : "=m"(*saved) : "r"(page) : "memory"));
    check_eq(t.rsp, saved[0]);
    t = TRY(__asm__ volatile("mov %%rsp, %0; call *(%1)" : "=m"(*saved) : "r"(page) : "memory"));
    check_eq(t.rsp, saved[0]);
    t = TRY(__asm__ volatile("mov %%rsp, %%rbx; mov %1, %%rbp; mov %%rsp, %0; leave"
                             : "=m"(*saved)
                             : "r"(page)
                             : "rbx", "memory"));
    check_eq(t.rsp, saved[0]);
    t = TRY(__asm__ volatile("mov $7, %%ecx; mov %0, %%rsi; lea 8(%%rsi), %%rdi; lodsb" ::"r"(page)
                             : "rcx", "rsi", "rdi", "rax"));
    check_eq(t.rsi, (uint64_t)page);
    check_eq(t.cr2, (uint64_t)page);
    /* CR2 holds the exact byte also for wide operands; a stack frame that cannot be pushed is a #PF of the write */
    t = TRY(__asm__ volatile("movups (%0), %%xmm0" ::"r"(page + 0x123)));
    check_eq(t.cr2, (uint64_t)page + 0x123);
    t = TRY(__asm__ volatile("fxsave (%0)" ::"r"(page + 0x200) : "memory"));
    check_eq(t.error, E_W);
    map(P | W | U);
}

static void implicit_accesses(void)
{
    /*
     * System structures are read with supervisor rights whatever CPL is, and SMAP knows no AC for them (4.6.1).  The
     * GDT lies over two pages: what delivery needs before the page under test, selector 50h in it.
     */
    uint64_t cr4 = read_cr4();
    uint8_t *first = alloc_pages(1);
    memcpy(first + 4096 - 0x50, gdt, 0x50);
    uint64_t *descriptor = (uint64_t *)frame;
    *descriptor = gdt[2];
    l1[-1] = (uint64_t)first | P | W;
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) moved = {0x57, (uint64_t)page - 0x50}, home;
    __asm__ volatile("sgdt %0" : "=m"(home));
    void reload(void)
    {
        __asm__ volatile("push %0; popfq; mov %1, %%ds; mov %2, %%ds" ::"r"((uint64_t)AC | 2), "r"(0x50), "r"(0x10)
                         : "memory");
    }
    map(P | W);
    __asm__ volatile("lgdt %0" ::"m"(moved));
    check_eq(TRY(reload()).vector, -1);
    map(P | W | U);
    check_eq(TRY(reload()).vector, -1);
    if (smap) {
        write_cr4(cr4 | CR4_SMAP);
        Trap t = TRY(reload());
        write_cr4(cr4);
        check_eq(t.vector, PF); /* QUIRK: observed to be let through elsewhere */
        check_eq(t.error, E_P);
        check_eq(t.cr2, (uint64_t)page);
        write_cr4(cr4 | CR4_SMAP);
        t = TRY(__asm__ volatile("stac; mov (%0), %%al; clac; nop" ::"r"(page) : "rax"));
        Trap u = TRY(__asm__ volatile("stac; clac; mov (%0), %%al" ::"r"(page) : "rax"));
        Trap v = TRY(__asm__ volatile("stac; push $2; popfq; movb $0x5a, 64(%0)" ::"r"(page) : "memory"));
        write_cr4(cr4);
        check_eq(t.vector, -1);
        check_eq(u.error, E_P);
        check_eq(v.error, E_P | E_W);
    }
    /* the accessed bit of a descriptor is written: a read-only page faults with WP, as a supervisor write */
    *descriptor &= ~(1ull << 40);
    map(P);
    Trap t = TRY(reload());
    check_eq(t.vector, PF);
    check_eq(t.error, E_P | E_W);
    map(P | W);
    check_eq(TRY(reload()).vector, -1);
    check_eq(*descriptor >> 40 & 1, 1);
    __asm__ volatile("lgdt %0; mov %1, %%ds" ::"m"(home), "r"(0x10));
    map(P | W | U);
}

/* Protection keys (4.6.2): PKRU for user pages, IA32_PKRS for supervisor pages; data accesses only. */
static void write_pkru(uint32_t v)
{
    __asm__ volatile("wrpkru" ::"a"(v), "c"(0), "d"(0));
}
static void protection_keys(void)
{
    enum { E_PK = 0x20, AD = 1, WD = 2 };
    uint32_t id[4];
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();
    cpuid(7, 0, id);
    if (id[2] & 1 << 3) {
        check_eq(TRY(write_pkru(0)).vector, 6); /* CR4.PKE clear */
        for (unsigned i = 0; i < 3 * 2 * 2 * 4 * 3; i++) {
            Kind kind = (Kind)(i % 3);
            bool user = i / 3 & 1, wp = i / 6 & 1;
            uint32_t rights_of = i / 12 & 3, key = (uint32_t[]){0, 5, 15}[i / 48 % 3];
            map(P | W | U | (uint64_t)key << 59);
            write_cr0(wp ? cr0 | CR0_WP : cr0 & ~CR0_WP);
            write_cr4(cr4 | 1 << 22);
            write_pkru(key ? rights_of << 2 * key : 0); /* key 0 is that of the user stack */
            Trap t = touch(kind, user);
            write_pkru(0);
            bool denied =
                key && kind != FETCH && ((rights_of & AD) || (kind == WRITE && (rights_of & WD) && (user || wp)));
            check_eq(t.vector, denied ? PF : -1);
            if (denied) {
                check_eq(t.error, E_P | E_PK | (kind == WRITE ? E_W : 0) | (user ? E_U : 0));
            }
            write_cr4(cr4);
        }
        /* supervisor pages do not know PKRU */
        map(P | W | 5ull << 59);
        write_cr4(cr4 | 1 << 22);
        write_pkru(AD << 10);
        check_eq(touch(WRITE, false).vector, -1);
        write_pkru(0);
        write_cr4(cr4);
    } else {
        skip("no protection keys");
    }
    if (id[2] & 1u << 31) {
        for (unsigned i = 0; i < 3 * 2 * 4; i++) {
            Kind kind = (Kind)(i % 3);
            bool wp = i / 3 & 1;
            uint32_t rights_of = i / 6;
            map(P | W | 7ull << 59);
            write_cr0(wp ? cr0 | CR0_WP : cr0 & ~CR0_WP);
            write_cr4(cr4 | 1 << 24);
            wrmsr(0x6e1, rights_of << 14);
            Trap t = touch(kind, false);
            wrmsr(0x6e1, 0);
            write_cr4(cr4);
            bool denied = kind != FETCH && ((rights_of & AD) || (kind == WRITE && (rights_of & WD) && wp));
            check_eq(t.vector, denied ? PF : -1);
            if (denied) {
                check_eq(t.error, E_P | E_PK | (kind == WRITE ? E_W : 0));
            }
        }
        check_eq(TRY(wrmsr(0x6e1, 1ull << 32)).vector, GP);
    } else {
        skip("no supervisor protection keys");
    }
    write_cr0(cr0);
    map(P | W | U);
}

void guest_main(void)
{
    set_up();
    rights();
    stac_clac();
    accessed_dirty();
    reserved_bits();
    large_pages();
    caching();
    upper_levels();
    many();
    protection_keys();
    crossing();
    restart();
    implicit_accesses();
}
