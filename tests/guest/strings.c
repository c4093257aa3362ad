/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions: all sizes against a model, overlap, direction, address sizes, faults in the middle, device
 * memory and ports.
 * Spec: Intel SDM vol 1 section 7.3.9, vol 2 MOVS, STOS, CMPS, SCAS, LODS, INS, OUTS, REP.
 */
#include "lib/guest.h"

enum { PF = 14 };
static uint8_t *area; /* four pages, the frames in another order than the addresses */

typedef struct Regs {
    uint64_t rcx, rsi, rdi, rax, flags;
} Regs;

#define STRING(name, text)                                                                                           \
    static void name(Regs *r)                                                                                        \
    {                                                                                                                \
        __asm__ volatile("push %%rbx; mov %0, %%rbx; push 32(%%rbx); popfq; mov (%%rbx), %%rcx; "                    \
                         "mov 8(%%rbx), %%rsi; mov 16(%%rbx), %%rdi;"                                                \
                         "mov 24(%%rbx), %%rax;" text                                                                \
                         "; mov %%rcx, (%%rbx); mov %%rsi, 8(%%rbx); mov %%rdi, 16(%%rbx);"                          \
                         "mov %%rax, 24(%%rbx); pushfq; pop 32(%%rbx); cld; pop %%rbx" ::"r"(r)                      \
                         : "rax", "rcx", "rdx", "rsi", "rdi", "memory", "cc");                                       \
    }
#define FOUR(name, text)                                                                                             \
    STRING(name##1, text "b")                                                                                        \
    STRING(name##2, text "w") STRING(name##4, text "l")                                                              \
        STRING(name##8, text "q") static void (*const name[])(Regs *) = {name##1, name##2, name##4, name##8};
FOUR(movs, "movs")
FOUR(rep_movs, "rep movs")
FOUR(rep_stos, "rep stos")
FOUR(rep_lods, "rep lods")
FOUR(repe_cmps, "repe cmps")
FOUR(repne_cmps, "repne cmps")
FOUR(repe_scas, "repe scas")
FOUR(repne_scas, "repne scas")
STRING(rep_movs_a32, "addr32 rep movsb")
STRING(rep_stos_a32, "addr32 rep stosb")
STRING(rep_movs_fs, "rep movsb %%fs:(%%rsi), %%es:(%%rdi)")
STRING(rep_outs, "mov $0x80, %%dx; rep outsb")
STRING(rep_ins4, "mov $0xcfc, %%dx; rep insl")
STRING(rep_ins1, "mov $0xcfc, %%dx; rep insb")

#define DF 0x400

static uint8_t model[4 * 4096];
static void fill(uint32_t seed)
{
    for (unsigned i = 0; i < sizeof(model); i++) {
        seed = seed * 1664525 + 1013904223;
        model[i] = (uint8_t)(seed >> 24);
        area[i] = model[i];
    }
}
static bool same(void)
{
    for (unsigned i = 0; i < sizeof(model); i += 8) {
        if (*(uint64_t *)(model + i) != *(uint64_t *)(area + i)) {
            return false;
        }
    }
    return true;
}

static void set_up(void)
{
    area = alloc_pages(4);
    uint64_t frames[4];
    for (unsigned i = 0; i < 4; i++) {
        frames[i] = *pte_of(area + 4096 * i);
    }
    for (unsigned i = 0; i < 4; i++) {
        *pte_of(area + 4096 * i) = frames[3 - i];
    }
    write_cr3(read_cr3());
}

/* MOVS element by element, as the definition says: overlapping moves spread what they wrote. */
static void model_movs(unsigned to, unsigned from, unsigned n, unsigned size, bool back)
{
    int step = back ? -(int)size : (int)size;
    for (unsigned i = 0; i < n; i++, to += step, from += step) {
        uint8_t e[8];
        for (unsigned k = 0; k < size; k++) {
            e[k] = model[from + k];
        }
        for (unsigned k = 0; k < size; k++) {
            model[to + k] = e[k];
        }
    }
}
static void moves(void)
{
    static const int distances[] = {0,  1,  2,  3,  4,  5,  7,   8,    9,    15,   16,
                                    17, 31, 33, 63, 64, 65, 100, 4095, 4096, 4097, 5000};
    static const unsigned counts[] = {0, 1, 2, 3, 7, 16, 64, 100, 257};
    unsigned wrong = 0, done = 0;
    fill(1);
    for (unsigned l = 0; l < 4; l++) {
        unsigned size = 1u << l;
        for (unsigned d = 0; d < sizeof(distances) / sizeof(distances[0]); d++) {
            for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
                for (unsigned v = 0; v < 4; v++) { /* direction, sign of the distance */
                    bool back = v & 1;
                    unsigned n = counts[c], from = 4096 + 3 * d + (v & 2 ? 2000 : 0);
                    unsigned to = v & 2 ? from - (unsigned)distances[d] : from + (unsigned)distances[d];
                    if (to > sizeof(model) || from + 300 * size > sizeof(model) || to + 300 * size > sizeof(model)) {
                        continue;
                    }
                    if (back) {
                        if (to < 300 * size || from < 300 * size) {
                            continue;
                        }
                    }
                    Regs r = {n, (uint64_t)area + from, (uint64_t)area + to, 0, back ? DF | 2 : 2};
                    rep_movs[l](&r);
                    model_movs(to, from, n, size, back);
                    int64_t moved = back ? -(int64_t)(n * size) : (int64_t)(n * size);
                    wrong += r.rcx != 0 || r.rsi != (uint64_t)area + from + (uint64_t)moved ||
                             r.rdi != (uint64_t)area + to + (uint64_t)moved;
                    done++;
                }
            }
            wrong += !same();
        }
    }
    check_eq(wrong, 0);
    check(done > 1500);
    /* without REP: one element, RCX untouched */
    Regs r = {5, (uint64_t)area, (uint64_t)area + 100, 0, 2};
    movs[2](&r);
    check_eq(r.rcx, 5);
    check_eq(r.rsi, (uint64_t)area + 4);
    model_movs(100, 0, 1, 4, false);
    check(same());
}

static void stores_and_loads(void)
{
    fill(2);
    unsigned wrong = 0;
    for (unsigned l = 0; l < 4; l++) {
        unsigned size = 1u << l;
        for (unsigned at = 4096 - 20; at < 4096 + 4; at++) {
            for (unsigned back = 0; back < 2; back++) {
                Regs r = {9, 0, (uint64_t)area + at, 0x1122334455667788 + at, back ? DF | 2 : 2};
                uint64_t v = r.rax;
                rep_stos[l](&r);
                for (unsigned i = 0; i < 9; i++) {
                    for (unsigned k = 0; k < size; k++) {
                        model[back ? at - i * size + k : at + i * size + k] = (uint8_t)(v >> 8 * k);
                    }
                }
                wrong += r.rcx || r.rdi != (uint64_t)area + at + (back ? -9 * (int64_t)size : 9 * (int64_t)size);
                Regs q = {3, (uint64_t)area + at, 0, ~0ull, 2};
                rep_lods[l](&q);
                uint64_t want = ~0ull;
                for (unsigned k = 0; k < size; k++) {
                    ((uint8_t *)&want)[k] = model[at + 2 * size + k];
                }
                if (size == 4) {
                    want &= 0xffffffff;
                }
                wrong += q.rax != want || q.rsi != (uint64_t)area + at + 3 * size;
            }
        }
    }
    check_eq(wrong, 0);
    check(same());
}

static void compares(void)
{
    unsigned wrong = 0;
    for (unsigned l = 0; l < 4; l++) {
        unsigned size = 1u << l;
        for (unsigned at = 0; at < 20; at++) { /* the element that differs (or is found) */
            memset(area, 0x33, 8192);
            uint8_t *a = area + 4096 - 40, *b = area + 5000;
            a[at * size] = 0x44;
            Regs r = {16, (uint64_t)a, (uint64_t)b, 0, 2};
            repe_cmps[l](&r);
            unsigned n = at < 16 ? at + 1 : 16;
            wrong += r.rcx != 16 - n || r.rsi != (uint64_t)a + n * size || r.rdi != (uint64_t)b + n * size;
            wrong += (r.flags >> 6 & 1) != (at >= 16);
            wrong += at < 16 && (r.flags & 0x8d5) != 4; /* 44h - 33h = 11h: PF alone */
            memset(area, 0x55, 8192);
            memset(b, 0x66, 400);
            b[at * size] = a[at * size] = 0x77;
            for (unsigned k = 1; k < size; k++) {
                b[at * size + k] = a[at * size + k];
            }
            r = (Regs){16, (uint64_t)a, (uint64_t)b, 0, 2};
            repne_cmps[l](&r);
            wrong += r.rcx != 16 - n || (r.flags >> 6 & 1) != (at < 16);
            memset(area, 0, 8192);
            a[at * size] = 9;
            r = (Regs){16, 0, (uint64_t)a, 9, 2};
            repne_scas[l](&r);
            wrong += r.rcx != 16 - n || r.rdi != (uint64_t)a + n * size || (r.flags >> 6 & 1) != (at < 16);
            r = (Regs){16, 0, (uint64_t)a, 0, 2};
            repe_scas[l](&r);
            wrong += r.rcx != 16 - n || r.rdi != (uint64_t)a + n * size || (r.flags >> 6 & 1) != (at >= 16);
            wrong += at < 16 && !(r.flags & 1); /* 0 - 9 borrows */
        }
    }
    check_eq(wrong, 0);
    /* count 0: nothing happens, flags and upper halves stand */
    Regs r = {0, 1ull << 45, 1ull << 45, 7, 0xcd7};
    repe_cmps[0](&r);
    check_eq(r.flags & 0xcd5, 0xcd5);
    check_eq(r.rsi, 1ull << 45);
    rep_movs[3](&r);
    check_eq(r.rdi, 1ull << 45);
}

/* Which registers a fault in the middle leaves (vol 2, REP: the state of the last finished element). */
static void faults(void)
{
    uint8_t *hole = area + 8192; /* the third page is missing */
    uint64_t *pte = pte_of(hole), saved = *pte;
    unsigned wrong = 0;
    for (unsigned l = 0; l < 4; l++) {
        unsigned size = 1u << l;
        for (unsigned n = 0; n < 12; n++) {
            for (unsigned kind = 0; kind < 4; kind++) {
                fill(n + 100 * l);
                *pte = saved & ~1ull;
                invlpg(hole);
                uint64_t src = (uint64_t)area + 64, dst = (uint64_t)hole - n * size;
                bool read = kind == 1;
                Regs r = {32, src, dst, 0x5a5a5a5a5a5a5a5a, 2};
                if (read) {
                    r.rsi = dst;
                    r.rdi = src;
                }
                void (*fn)(Regs *) = kind == 2 ? rep_stos[l] : kind == 3 ? repne_scas[l] : rep_movs[l];
                Trap t = try_call((void (*)(void *))fn, &r);
                __asm__ volatile("cld");
                *pte = saved;
                invlpg(hole);
                bool write = kind == 0 || kind == 2;
                wrong += t.vector != PF || t.error != (write ? 2 : 0) || t.cr2 != (uint64_t)hole;
                wrong += t.rcx != 32 - n;
                wrong += kind < 2 && (t.rsi != r.rsi + n * size);
                wrong += t.rdi != r.rdi + n * size;
                if (kind < 2) {
                    unsigned to = (unsigned)(r.rdi - (uint64_t)area), from = (unsigned)(r.rsi - (uint64_t)area);
                    model_movs(to, from, n, size, false);
                    wrong += !same();
                }
            }
        }
    }
    check_eq(wrong, 0);
    /* an element over the page's end: nothing of it is written */
    fill(7);
    *pte = saved & ~1ull;
    invlpg(hole);
    Regs r = {4, (uint64_t)area, (uint64_t)hole - 12, 0, 2};
    Trap t = try_call((void (*)(void *))rep_movs8, &r);
    *pte = saved;
    invlpg(hole);
    check_eq(t.vector, PF);
    check_eq(t.cr2, (uint64_t)hole);
    check_eq(t.rcx, 3);
    check_eq(t.rdi, (uint64_t)hole - 4);
    model_movs(8192 - 12, 0, 1, 8, false);
    check(same());
    /* downwards */
    *pte = saved & ~1ull;
    invlpg(hole);
    r = (Regs){100, (uint64_t)area + 500, (uint64_t)hole + 4096 + 8, 0, DF | 2};
    t = try_call((void (*)(void *))rep_movs4, &r);
    __asm__ volatile("cld");
    *pte = saved;
    invlpg(hole);
    check_eq(t.cr2, (uint64_t)hole + 4092);
    check_eq(t.rcx, 97);
    check_eq(t.rdi, (uint64_t)hole + 4092);
    check_eq(t.rsi, (uint64_t)area + 500 - 12);
    /* non-canonical end */
    r = (Regs){100, 0, (1ull << 47) - 8, 0, 2};
    t = try_call((void (*)(void *))rep_stos1, &r);
    check(t.vector == PF || t.vector == 13);
}

static void address_sizes(void)
{
    fill(9);
    /* 32-bit addresses: the upper halves of RCX, RSI and RDI are ignored, and cleared when they are written */
    Regs r = {0xffffffff00000005, 0xabcd000000000000 | (uint64_t)area, 0x1234000000000000 | ((uint64_t)area + 200), 0,
              2};
    rep_movs_a32(&r);
    model_movs(200, 0, 5, 1, false);
    check(same());
    check_eq(r.rcx, 0);
    check_eq(r.rsi, (uint64_t)area + 5);
    check_eq(r.rdi, (uint64_t)area + 205);
    /* offsets wrap at 4 GiB: FFFFFFFEh.. then 0 (page 0 is mapped) */
    uint64_t *high = pte_of((void *)0xfffff000ull), saved = *high;
    uint8_t *zero = (uint8_t *)0x10, *frame = alloc_pages(1);
    __asm__ volatile("" : "+r"(zero));
    *high = (uint64_t)frame | 3;
    invlpg((void *)0xfffff000ull);
    uint64_t *low = pte_of((void *)0x0), saved_low = *low;
    uint8_t *frame2 = alloc_pages(1);
    *low = (uint64_t)frame2 | 3;
    invlpg((void *)0);
    r = (Regs){6, 0, 0xfffffffd, 0xee, 2};
    rep_stos_a32(&r);
    check_eq(r.rdi, 3);
    check_eq(frame[4095], 0xee);
    check_eq(frame[4093], 0xee);
    check_eq(frame[4092], 0);
    check_eq(frame2[0], 0xee);
    check_eq(frame2[2], 0xee);
    check_eq(frame2[3], 0);
    *high = saved;
    *low = saved_low;
    write_cr3(read_cr3());
    /* the source's segment can be overridden, the destination's not */
    wrmsr(0xc0000100, (uint64_t)area);
    fill(11);
    r = (Regs){10, 1000, (uint64_t)area + 2000, 0, 2};
    rep_movs_fs(&r);
    model_movs(2000, 1000, 10, 1, false);
    check(same());
    check_eq(r.rsi, 1010);
}

static void devices(void)
{
    /* the local APIC's page: 32-bit registers; MOVS from it, to it, STOS to it */
    lapic_enable();
    LAPIC(0x80) = 0x30;
    fill(12);
    Regs r = {1, 0xfee00080, (uint64_t)area + 8, 0, 2};
    rep_movs4(&r);
    check_eq(*(uint32_t *)(area + 8), 0x30);
    *(uint32_t *)(area + 16) = 0x50;
    r = (Regs){1, (uint64_t)area + 16, 0xfee00080, 0, 2};
    rep_movs4(&r);
    check_eq(LAPIC(0x80), 0x50);
    r = (Regs){1, 0, 0xfee00080, 0x20, 2};
    rep_stos4(&r);
    check_eq(LAPIC(0x80), 0x20);
    LAPIC(0x80) = 0;
    /* pc-testdev's memory, when it is there */
    volatile uint32_t *test = (volatile uint32_t *)0xff000000;
    *test = 0x12345678;
    if (*test == 0x12345678) {
        fill(13);
        r = (Regs){40, (uint64_t)area + 4096 - 70, 0xff000000, 0, 2};
        rep_movs4(&r);
        r = (Regs){160, 0xff000000, (uint64_t)area + 9000, 0, 2};
        rep_movs1(&r);
        model_movs(9000, 4096 - 70, 160, 1, false);
        check(same());
        check_eq(r.rsi, 0xff000000 + 160);
        r = (Regs){10, 0xff000000, 0xff000002, 0, 2}; /* overlap inside a device */
        rep_movs2(&r);
        check_eq(test[4], (uint32_t)model[4096 - 70] * 0x10001 + (uint32_t)model[4096 - 69] * 0x1000100);
        r = (Regs){20, 0, 0xff000000, 0x4321432143214321, 2};
        rep_stos8(&r);
        check_eq(test[39], 0x43214321);
        r = (Regs){160, 0, 0xff000000, 0x99, 2};
        repne_scas1(&r);
        check_eq(r.rcx, 0);
    } else {
        skip("no memory of pc-testdev");
    }
    /* ports: INS reads every time, OUTS writes every time, RCX and the pointers move */
    out32(0xcf8, 0x80000000);
    uint32_t id = in32(0xcfc);
    r = (Regs){5, 0, (uint64_t)area + 4096 - 10, 0, 2};
    rep_ins4(&r);
    check_eq(r.rdi, (uint64_t)area + 4096 + 10);
    check_eq(*(uint32_t *)(area + 4096 - 10), id);
    check_eq(*(uint32_t *)(area + 4096 - 2), id);
    check_eq(*(uint32_t *)(area + 4096 + 6), id);
    r = (Regs){300, (uint64_t)area, 0, 0, 2};
    rep_outs(&r);
    check_eq(r.rcx, 0);
    check_eq(r.rsi, (uint64_t)area + 300);
    r = (Regs){2, (uint64_t)area + 100, 0, 0, DF | 2};
    rep_outs(&r);
    check_eq(r.rsi, (uint64_t)area + 98);
    /* a destination that faults: the byte read from the port is lost only when it could be stored */
    uint8_t *hole = area + 8192;
    uint64_t *pte = pte_of(hole), saved = *pte;
    *pte &= ~1ull;
    invlpg(hole);
    r = (Regs){10, 0, (uint64_t)hole - 3, 0, 2};
    Trap t = try_call((void (*)(void *))rep_ins1, &r);
    *pte = saved;
    invlpg(hole);
    check_eq(t.vector, PF);
    check_eq(t.rcx, 7);
    check_eq(t.rdi, (uint64_t)hole);
}

void guest_main(void)
{
    pic_disable();
    set_up();
    moves();
    stores_and_loads();
    compares();
    faults();
    address_sizes();
    devices();
}
