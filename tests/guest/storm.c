/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random accesses to every port and to the whole physical map.  Nothing is expected of them but that the machine is
 * still there at the end.  "count=N" accesses, "seed=N" on the command line.
 * Left out is what legitimately ends the machine: reset and power-off registers, INIT, A20, debug exit, own memory.
 */
#include "lib/guest.h"

static uint64_t state;
static uint32_t random32(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static uint64_t done_reads, done_writes, traps;
static uint32_t pm_base;

static bool overlaps(uint32_t port, uint32_t width, uint32_t first, uint32_t last)
{
    return port <= last && port + width > first;
}

static bool harmful(uint32_t port, uint32_t width, uint32_t *v)
{
    if (overlaps(port, width, 0xf4, 0xf7) || overlaps(port, width, 0x92, 0x92) ||
        overlaps(port, width, 0xcf9, 0xcf9)) {
        return true;
    }
    if (overlaps(port, width, pm_base + 4, pm_base + 5) || overlaps(port, width, 0x501, 0x501)) {
        return true; /* PM1 control: sleep; pc-testdev's exit */
    }
    if (overlaps(port, width, 0x64, 0x64)) {
        uint8_t command = (uint8_t)(*v >> 8 * (0x64 - port));
        return command >= 0xf0 || command == 0xd1 || command == 0xdd || command == 0xdf || port != 0x64;
    }
    if (overlaps(port, width, 0x514, 0x51b)) { /* DMA: not into our memory */
        *v |= 0x80;
        return port != 0x518 || width != 4;
    }
    if (overlaps(port, width, 0xcfc, 0xcff)) { /* the power management function keeps its place */
        uint32_t address = in32(0xcf8);
        return (address & 0x80000000) && (address & 0xff00) == 0x0b00;
    }
    return false;
}

static void one_port(void)
{
    /* half of them where devices are */
    uint32_t r = random32();
    uint32_t port = r & 1   ? random32() & 0xffff
                    : r & 2 ? random32() & 0x3ff
                    : r & 4 ? 0xcf8 + (random32() & 7)
                            : random32() & 0xff;
    uint32_t width = 1u << (r >> 8) % 3, v = random32();
    if (r & 0x10) {
        switch (width) {
        case 1:
            (void)in8((uint16_t)port);
            break;
        case 2:
            (void)in16((uint16_t)port);
            break;
        default:
            (void)in32((uint16_t)port);
            break;
        }
        done_reads++;
        return;
    }
    if (port >= 0xcf8 && port < 0xcfc && width == 4) {
        v = 0x80000000 | (v & 0xfffc & (r & 0x20 ? 0x1fff : 0xffff));
    }
    if (harmful(port, width, &v)) {
        return;
    }
    switch (width) {
    case 1:
        out8((uint16_t)port, (uint8_t)v);
        break;
    case 2:
        out16((uint16_t)port, (uint16_t)v);
        break;
    default:
        out32((uint16_t)port, v);
        break;
    }
    done_writes++;
}

static uint8_t *window; /* two linear pages */
static uint64_t *window_pte;

static uint64_t random_page(uint32_t r)
{
    switch (r & 7) {
    case 0:
        return 0xa0000 + (uint64_t)(random32() % 0x60) * 4096;
    case 1:
        return 0xfee00000;
    case 2:
        return 0xfec00000;
    case 3:
        return 0xfe000000 + ((uint64_t)random32() % 0x2000) * 4096;
    case 4:
        return 0xff000000 + ((uint64_t)random32() % 0x1000) * 4096;
    case 5:
        return 0x20000000 + ((uint64_t)random32() % 0xc0000) * 4096;
    case 6:
        return (uint64_t)random32() << 12 & 0xfffffff000 & ~0ull << 32; /* above 4 GiB */
    default:
        return 0xffff0000 + (uint64_t)(random32() & 15) * 4096;
    }
}

static void one_memory(void *arg)
{
    (void)arg;
    uint32_t r = random32();
    uint64_t at = random_page(r);
    window_pte[0] = at | 3;
    window_pte[1] = (at + 4096) | 3;
    invlpg(window);
    invlpg(window + 4096);
    /* some accesses to one page, mostly aligned */
    for (unsigned i = 0; i < 8; i++) {
        uint32_t q = random32(), width = 1u << (q & 3), offset = random32() & 0xfff;
        uint64_t v = (uint64_t)random32() << 32 | random32();
        offset = q & 0x30 ? offset & ~(width - 1) : offset;
        if (at == 0xfee00000) {
            offset &= 0xff0;
            v &= ~0x0700ull; /* fixed delivery only: INIT would end this guest */
            if (q & 0x40 && (offset == 0x300 || (offset >= 0x2f0 && offset < 0x310))) {
                continue;
            }
            width = 4;
        } else if (at == 0xfec00000) {
            offset = q & 0x80 ? offset & ~15u & 0x30 : offset;
            v &= ~0x0700ull;
            width = 4;
        } else if (at + 4096 == 0xfee00000 || at + 4096 == 0xfec00000 || (at & 0xfff00000) == 0xfee00000) {
            offset &= 0x7f8;
        }
        volatile uint8_t *p = window + offset;
        if (q & 0x40) {
            switch (width) {
            case 1:
                *p = (uint8_t)v;
                break;
            case 2:
                *(volatile uint16_t *)p = (uint16_t)v;
                break;
            case 4:
                *(volatile uint32_t *)p = (uint32_t)v;
                break;
            default:
                *(volatile uint64_t *)p = v;
                break;
            }
            done_writes++;
        } else if ((q & 0xf00) == 0) { /* read-modify-write */
            if (at != 0xfee00000 && at != 0xfec00000) {
                __asm__ volatile("lock addl %1, %0" : "+m"(*(volatile uint32_t *)p) : "r"((uint32_t)v & ~0x700u));
            }
            done_writes++;
        } else {
            switch (width) {
            case 1:
                (void)*p;
                break;
            case 2:
                (void)*(volatile uint16_t *)p;
                break;
            case 4:
                (void)*(volatile uint32_t *)p;
                break;
            default:
                (void)*(volatile uint64_t *)p;
                break;
            }
            done_reads++;
        }
    }
}

static bool ignore(Frame *f)
{
    (void)f;
    return true;
}

void guest_main(void)
{
    uint64_t count = option("count", 400000);
    state = option("seed", 1) * 0x9e3779b97f4a7c15ull + 88172645463325252ull;
    for (unsigned v = 32; v < 256; v++) {
        set_handler(v, ignore);
    }
    set_handler(2, ignore);
    out32(0xcf8, 0x80000b40);
    pm_base = in32(0xcfc) & 0xffc0;
    window = alloc_pages(2);
    window_pte = pte_of(window);
    if (((uint64_t)window >> 12 & 511) == 511) {
        window = alloc_pages(2);
        window_pte = pte_of(window);
    }
    while (done_reads + done_writes < count) {
        for (unsigned i = 0; i < 64; i++) {
            one_port();
        }
        for (unsigned i = 0; i < 8; i++) {
            traps += try_call(one_memory, 0).vector >= 0;
        }
    }
    __asm__ volatile("cli");
    /* the serial port as it was */
    out8(0x3fb, 3);
    out8(0x3f9, 0);
    out8(0x3fa, 7);
    out8(0x3fc, 3);
    print("\nreads ");
    print_hex(done_reads);
    print(" writes ");
    print_hex(done_writes);
    print("\n");
    check(done_reads > count / 4);
    check(done_writes > count / 8);
    check_eq(traps, 0);
}
