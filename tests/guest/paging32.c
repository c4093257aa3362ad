/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 32-bit paging (with and without PSE) and PAE paging: rights against a model of the walk, accessed and dirty bits,
 * reserved bits, the PDPTE registers.
 * Spec: Intel SDM vol 3 sections 4.3 (32-bit paging), 4.4 (PAE paging), 4.6 to 4.8.
 */
#include "lib/guest32.h"

enum { GP = 13, PF = 14 };
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80 };
enum { E_P = 1, E_W = 2, E_U = 4, E_RSVD = 8, E_I = 16 };
enum { CR4_PSE = 0x10, CR4_PAE = 0x20, CR4_SMEP = 1 << 20 };
#define CR0_PG 0x80000000u
#define CR0_WP 0x10000u
#define NX (1ull << 63)

static uint8_t *const page = (uint8_t *)0x40005000;
static uint8_t *frame, *other;

typedef enum Kind { READ, WRITE, FETCH } Kind;

/* Argument in EAX: 0x40005000 is built in, so that nothing but the instruction under test uses memory. */
__asm__(".globl user_read, user_write, user_fetch\n"
        "user_read: mov 0x40005000, %al; int $0x80\n"
        "user_write: movb $0xc3, 0x40005000; int $0x80\n"
        "user_fetch: mov $0x40005000, %ecx; call *%ecx; int $0x80\n");
extern void user_read(void), user_write(void), user_fetch(void);
static void (*const user_access[])(void) = {user_read, user_write, user_fetch};

static void access_super(void *kind)
{
    switch ((Kind)(uint32_t)kind) {
    case READ:
        __asm__ volatile("mov (%0), %%al" ::"r"(page) : "eax", "memory");
        break;
    case WRITE:
        __asm__ volatile("movb $0xc3, (%0)" ::"r"(page) : "memory");
        break;
    case FETCH:
        __asm__ volatile("call *%0" ::"r"(page) : "memory");
        break;
    }
}
static void access_user(void *kind)
{
    call_user(user_access[(uint32_t)kind], 0);
}
static Trap touch(Kind kind, bool user)
{
    return try_call(user ? access_user : access_super, (void *)(uint32_t)kind);
}
static void flush(void)
{
    write_cr3(read_cr3());
}

static int model(uint64_t rights, Kind kind, bool user, bool wp, bool nx_on)
{
    int error =
        (rights & P ? E_P : 0) | (kind == WRITE ? E_W : 0) | (user ? E_U : 0) | (kind == FETCH && nx_on ? E_I : 0);
    bool allowed = kind == FETCH ? !(rights & NX) && (!user || rights & U)
                                 : (!user || rights & U) && (kind == READ || rights & W || (!user && !wp));
    return (rights & P) && allowed ? -1 : error;
}

static void check_access(uint64_t rights, Kind kind, bool user, bool wp, bool nx_on, unsigned *wrong)
{
    int want = model(rights, kind, user, wp, nx_on);
    Trap t = touch(kind, user);
    if (want < 0 ? t.vector >= 0 : t.vector != PF || t.error != (uint32_t)want || t.cr2 != (uint32_t)page) {
        ++*wrong;
    }
}

/* ---- two levels of 32-bit entries ---- */

static uint32_t *dir, *table;

static void two_levels_on(bool pse)
{
    dir = alloc_pages(1);
    table = alloc_pages(1);
    for (unsigned i = 0; i < 16; i++) { /* the low 64 MiB, also for user mode */
        if (pse) {
            dir[i] = i << 22 | PS | P | W | U;
            continue;
        }
        uint32_t *t = alloc_pages(1);
        for (unsigned j = 0; j < 1024; j++) {
            t[j] = i << 22 | j << 12 | P | W | U;
        }
        dir[i] = (uint32_t)t | P | W | U;
    }
    dir[256] = (uint32_t)table | P | W | U;
    table[5] = (uint32_t)frame | P | W | U;
    write_cr4((read_cr4() & ~(uint32_t)CR4_PSE) | (pse ? CR4_PSE : 0));
    write_cr3((uint32_t)dir);
    write_cr0(read_cr0() | CR0_PG);
}
static void paging_off(void)
{
    write_cr0(read_cr0() & ~CR0_PG);
}

static void two_levels(void)
{
    two_levels_on(false);
    unsigned wrong = 0;
    for (unsigned i = 0; i < 2 * 8 * 4 * 3 * 2; i++) {
        bool wp = i & 1, user = i & 2;
        Kind kind = (Kind)(i / 4 % 3);
        uint32_t pte = i / 12 % 8, pde = i / 96 % 4 << 1;
        write_cr0(wp ? read_cr0() | CR0_WP : read_cr0() & ~CR0_WP);
        dir[256] = (uint32_t)table | P | pde;
        table[5] = (uint32_t)frame | pte;
        flush();
        check_access((pte & pde) | (pte & P), kind, user, wp, false, &wrong);
        bool fine = model((pte & pde) | (pte & P), kind, user, wp, false) < 0;
        wrong += (table[5] & (A | D)) != (uint32_t)(!fine ? 0 : kind == WRITE ? A | D : A);
    }
    check_eq(wrong, 0);
    write_cr0(read_cr0() & ~CR0_WP);
    dir[256] = (uint32_t)table | P | W | U;
    table[5] = (uint32_t)frame | P | W | U | PS; /* PAT */
    flush();
    check_eq(touch(READ, false).vector, -1);
    dir[256] |= PS; /* ignored with CR4.PSE clear */
    flush();
    check_eq(touch(WRITE, true).vector, -1);
    check_eq(dir[256] & (A | D), A);
    /* not-present directory entry */
    dir[256] = 0;
    flush();
    check_eq(touch(WRITE, true).error, E_W | E_U);
    /* an access over the end of the page */
    dir[256] = (uint32_t)table | P | W | U;
    table[5] = (uint32_t)frame | P | W;
    table[6] = (uint32_t)other | P;
    write_cr0(read_cr0() | CR0_WP);
    flush();
    frame[4095] = 0x11;
    Trap t = TRY(*(volatile uint32_t *)(page + 4095) = 0x55555555);
    check_eq(t.error, E_P | E_W);
    check_eq(t.cr2, (uint32_t)page + 4096);
    check_eq(frame[4095], 0x11);
    write_cr0(read_cr0() & ~CR0_WP);
    paging_off();
}

static void four_megabytes(void)
{
    uint32_t id[4];
    cpuid(1, 0, id);
    if (!(id[3] & 8)) {
        skip("no PSE");
        return;
    }
    two_levels_on(true);
    frame[0] = 0xc3;
    /* the same frame through a 4 MiB page at the linear address 0x40000000 */
    uint32_t base = (uint32_t)frame & 0xffc00000;
    volatile uint8_t *alias = (uint8_t *)(0x40000000 + ((uint32_t)frame & 0x3fffff));
    dir[256] = base | PS | P | W | U;
    flush();
    check_eq(*alias, 0xc3);
    check_eq(dir[256] & (A | D), A);
    *alias = 0x77;
    check_eq(frame[0], 0x77);
    check_eq(dir[256] & (A | D), A | D);
    frame[0] = 0xc3;
    dir[256] = base | PS | P | 1 << 12;
    write_cr0(read_cr0() | CR0_WP);
    flush();
    check_eq(TRY(*alias = 1).error, E_P | E_W);
    check_eq(dir[256] & D, 0);
    check_eq(touch(READ, true).error, E_P | E_U);
    write_cr0(read_cr0() & ~CR0_WP);
    /* PSE-36: bits 20-13 are address bits 39-32, bit 21 is reserved (4.3, table 4-4) */
    dir[256] = base | PS | P | W | U | 1 << 21;
    flush();
    check_eq(TRY((void)*alias).error, E_P | E_RSVD); /* QUIRK: observed without P elsewhere */
    check_eq(touch(WRITE, true).error, E_P | E_W | E_U | E_RSVD);
    if (id[3] & 1 << 17) {
        dir[256] = base | PS | P | W | U | 1 << 13; /* 4 GiB higher: there is no memory */
        flush();
        frame[0] = 0xc3;
        *alias = 0x12;
        check(*alias != 0xc3);
        check_eq(frame[0], 0xc3);
    } else {
        skip("no PSE-36");
    }
    /* a change of the entry is seen after INVLPG of any address in it */
    dir[256] = base | PS | P | W;
    flush();
    check_eq(*alias, 0xc3);
    dir[256] = base | PS;
    invlpg((void *)(alias - 0x1000));
    check_eq(TRY((void)*alias).vector, PF);
    paging_off();
    write_cr4(read_cr4() & ~(uint32_t)CR4_PSE);
}

/* ---- PAE ---- */

static uint64_t *pointers, *dirs, *table64;

static void pae_on(void)
{
    pointers = alloc_pages(1);
    dirs = alloc_pages(2);
    table64 = alloc_pages(1);
    for (unsigned i = 0; i < 32; i++) {
        dirs[i] = (uint64_t)i << 21 | PS | P | W | U;
    }
    pointers[0] = (uint32_t)dirs | P;
    pointers[1] = ((uint32_t)dirs + 4096) | P; /* linear 0x40000000 */
    dirs[512] = (uint32_t)table64 | P | W | U;
    table64[5] = (uint32_t)frame | P | W | U;
    write_cr4(read_cr4() | CR4_PAE);
    write_cr3((uint32_t)pointers);
    write_cr0(read_cr0() | CR0_PG);
}

static void pae_rights(bool nx)
{
    unsigned wrong = 0;
    for (unsigned i = 0; i < 2 * 2 * 3 * 16 * 8; i++) {
        bool wp = i & 1, user = i & 2;
        Kind kind = (Kind)(i / 4 % 3);
        uint64_t pte = i / 12 % 8, pde = i / 192 % 4 << 1;
        if (nx) {
            pte |= i / 96 & 1 ? NX : 0;
            pde |= i / 768 & 1 ? NX : 0;
        }
        write_cr0(wp ? read_cr0() | CR0_WP : read_cr0() & ~CR0_WP);
        dirs[512] = (uint32_t)table64 | P | pde;
        table64[5] = (uint32_t)frame | pte;
        flush();
        uint64_t rights = (pte & pde & (W | U)) | (pte & P) | ((pte | pde) & NX);
        check_access(rights, kind, user, wp, nx, &wrong);
    }
    check_eq(wrong, 0);
    write_cr0(read_cr0() & ~CR0_WP);
    dirs[512] = (uint32_t)table64 | P | W | U;
    table64[5] = (uint32_t)frame | P | W | U;
    flush();
}

static void pae(void)
{
    uint32_t id[4];
    cpuid(1, 0, id);
    if (!(id[3] & 1 << 6)) {
        skip("no PAE");
        return;
    }
    cpuid(0x80000001, 0, id);
    bool nx = id[3] >> 20 & 1;
    cpuid(0x80000000, 0, id);
    bool tells = id[0] >= 0x80000008;
    cpuid(0x80000008, 0, id);
    unsigned width = tells ? id[0] & 0xff : 36;
    pae_on();
    pae_rights(false);
    check_eq(pointers[1] & A, 0); /* a PDPTE has no accessed bit */
    /* NX without EFER.NXE is reserved */
    table64[5] |= NX;
    flush();
    check_eq(touch(READ, false).error, E_P | E_RSVD);
    table64[5] &= ~NX;
    /* address bits beyond the width, and unlike in 4-level paging all bits up to 62 */
    for (unsigned bit = width; bit < 63; bit++) {
        table64[5] = (uint32_t)frame | P | W | U | 1ull << bit;
        flush();
        check_eq(touch(READ, false).error, E_P | E_RSVD);
        table64[5] &= ~(1ull << bit);
        dirs[512] |= 1ull << bit;
        flush();
        check_eq(touch(WRITE, true).error, E_P | E_RSVD | E_W | E_U);
        dirs[512] &= ~(1ull << bit);
    }
    flush();
    if (nx) {
        wrmsr(0xc0000080, rdmsr(0xc0000080) | 0x800);
        pae_rights(true);
        wrmsr(0xc0000080, rdmsr(0xc0000080) & ~0x800ull);
    } else {
        skip("no NX");
    }
    /* 2 MiB pages */
    uint32_t base = (uint32_t)frame & 0xffe00000;
    volatile uint8_t *alias = (uint8_t *)(0x40000000 + ((uint32_t)frame & 0x1fffff));
    dirs[512] = base | PS | P | W | U;
    flush();
    frame[0] = 0xc3;
    check_eq(*alias, 0xc3);
    *alias = 0x21;
    check_eq(frame[0], 0x21);
    check_eq(dirs[512] & (A | D), A | D);
    for (unsigned bit = 13; bit < 21; bit++) {
        dirs[512] = base | PS | P | W | U | 1 << bit;
        flush();
        check_eq(TRY((void)*alias).error, E_P | E_RSVD);
    }
    dirs[512] = (uint32_t)table64 | P | W | U;
    frame[0] = 0xc3;
    flush();
    /* PDPTEs are loaded with CR3 (4.4.1): memory may change behind them */
    check_eq(touch(READ, true).vector, -1);
    pointers[1] = 0;
    invlpg(page);
    check_eq(touch(READ, true).vector, -1);
    flush();
    check_eq(touch(READ, true).error, E_U);
    check_eq(touch(FETCH, false).error, 0);
    /* reserved bits: #GP at the load, and the old ones stay */
    static const uint64_t reserved[] = {2, 4, 0x20, 0x40, 0x80, 0x100, 1ull << 62, NX};
    for (unsigned i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        pointers[2] = P | reserved[i];
        Trap t = TRY(flush());
        check_eq(t.vector, GP);
        check_eq(t.error, 0);
        pointers[2] = reserved[i]; /* not present: not looked at */
        check_eq(TRY(flush()).vector, -1);
    }
    pointers[2] = P | 2;
    check_eq(TRY(write_cr4(read_cr4() ^ 0x80)).vector, GP); /* PGE: loads them too */
    pointers[2] = 0;
    pointers[1] = ((uint32_t)dirs + 4096) | P;
    check_eq(touch(READ, true).vector, PF);
    write_cr4(read_cr4() ^ 0x80);
    check_eq(touch(READ, true).vector, -1);
    write_cr4(read_cr4() ^ 0x80);
    paging_off();
    pointers[2] = P | 2;
    check_eq(TRY(write_cr0(read_cr0() | CR0_PG)).vector, GP);
    pointers[2] = 0;
    check_eq(read_cr0() & CR0_PG, 0);
    /* CR3 has 32-byte alignment here: a pointer table in the middle of a page */
    memcpy(pointers + 8, pointers, 32);
    memset(pointers, 0, 32);
    write_cr3((uint32_t)(pointers + 8));
    write_cr0(read_cr0() | CR0_PG);
    check_eq(touch(WRITE, true).vector, -1);
    paging_off();
    write_cr4(read_cr4() & ~(uint32_t)CR4_PAE);
}

static void smep(void)
{
    uint32_t id[4];
    cpuid(7, 0, id);
    if (!(id[1] & 1 << 7)) {
        skip("no SMEP");
        return;
    }
    two_levels_on(false);
    for (unsigned i = 0; i < 16; i++) {
        dir[i] &= ~(uint32_t)U; /* our own code */
    }
    table[5] = (uint32_t)frame | P | W | U;
    flush();
    write_cr4(read_cr4() | CR4_SMEP);
    Trap t = touch(FETCH, false), u = touch(READ, false);
    write_cr4(read_cr4() & ~(uint32_t)CR4_SMEP);
    check_eq(t.vector, PF);
    check_eq(t.error, E_P | E_I);
    check_eq(u.vector, -1);
    paging_off();
}

void guest_main(void)
{
    frame = alloc_pages(1);
    other = alloc_pages(1);
    frame[0] = other[0] = 0xc3;
    two_levels();
    four_megabytes();
    pae();
    smep();
}
