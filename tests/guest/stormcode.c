/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random bytes executed in ring 3, where only a page of code and a page of data can be reached; every exception is
 * caught, a timer ends what loops.  "count=N" pieces, "seed=N" on the command line.
 */
#include "lib/guest.h"

enum { TIMER = 0x40, SIZE = 64 };
static uint64_t state;
static uint64_t random64(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dull;
}

uint64_t guest_call_user(void *entry, void *stack, uint64_t arg);
static uint8_t *code, *data; /* kernel's view */
static uint8_t *const user_code = (uint8_t *)(3ull << 39), *const user_data = (uint8_t *)(3ull << 39 | 4096 * 2);
static uint64_t vectors[32], ended, timeouts;
static volatile bool armed;

static bool on_timer(Frame *f)
{
    LAPIC(0xb0) = 0;
    if (armed && (f->cs & 3)) {
        timeouts++;

        f->rip = 0; /* #PF at the next instruction, which TRY catches */
    }
    return true;
}

static void run(void *arg)
{
    (void)arg;
    guest_call_user(user_code, user_data + 2048, (uint64_t)user_data + 1024);
}

/* Bytes that look like code more often than chance: a prefix, an opcode, a ModRM with register operands or (rdi). */
static unsigned piece(uint8_t *p)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x48, 0x41, 0x4c, 0x64, 0x2e, 0xc5, 0xc4};
    unsigned n = 0;
    uint64_t r = random64();
    if ((r & 3) == 0) {
        p[n++] = prefixes[(r >> 8) % sizeof(prefixes)];
    }
    if ((r & 0x1c) == 0) {
        p[n++] = prefixes[(r >> 16) % sizeof(prefixes)];
    }
    if (r & 0x20) {
        p[n++] = 0x0f;
        if ((r & 0xc0) == 0) {
            p[n++] = r & 0x100 ? 0x38 : 0x3a;
        }
    }
    p[n++] = (uint8_t)(r >> 24);
    p[n++] = r & 0x200   ? (uint8_t)(0xc0 | r >> 32)
             : r & 0x400 ? (uint8_t)(0x07 | (r >> 32 & 0x38))
                         : (uint8_t)(r >> 32);
    p[n++] = (uint8_t)(r >> 40);
    return n;
}

void guest_main(void)
{
    uint64_t count = option("count", 20000);
    state = option("seed", 1) * 0x9e3779b97f4a7c15ull + 88172645463325252ull;
    code = alloc_pages(1);
    data = alloc_pages(1);
    uint64_t *t3 = alloc_pages(1), *t2 = alloc_pages(1), *t1 = alloc_pages(1);
    t1[0] = (uint64_t)code | 7;
    t1[2] = (uint64_t)data | 7;
    t2[0] = (uint64_t)t1 | 7;
    t3[0] = (uint64_t)t2 | 7;
    pml4[3] = (uint64_t)t3 | 7;
    pml4[1] = 0; /* no other way for ring 3 */
    write_cr3(read_cr3());
    (void)TRY(write_cr4(read_cr4() | 0x50000));   /* FSGSBASE, OSXSAVE */
    wrmsr(0xc0000080, rdmsr(0xc0000080) & ~1ull); /* no SYSCALL */
    pic_disable();
    lapic_enable();
    set_handler(TIMER, on_timer);
    LAPIC(0x3e0) = 0xb;
    LAPIC(0x320) = 0x20000 | TIMER; /* periodic: one may fall between the start and ring 3 */
    for (uint64_t i = 0; i < count; i++) {
        for (unsigned k = 0; k < SIZE;) {
            k += piece(code + k);
        }
        memset(code + SIZE + 8, 0xcc, 64);
        *(uint64_t *)(data + (random64() & 0xff8)) = random64();
        LAPIC(0x380) = 2000000;
        armed = true;
        write_flags(0x202);
        Trap t = try_call(run, 0);
        armed = false;
        __asm__ volatile("cli; cld; fninit");
        if (t.vector < 0) {
            ended++; /* INT 80h by chance */
        } else {
            vectors[t.vector & 31]++;
            if ((t.cs & 3) != 3) {
                print("in the kernel: vector ");
                print_hex((uint64_t)t.vector);
                print(" rip ");
                print_hex(t.rip);
                print("\n");
                check(false);
                return;
            }
        }
    }
    print("timeouts ");
    print_hex(timeouts);
    print(" #UD ");
    print_hex(vectors[6]);
    print(" #GP ");
    print_hex(vectors[13]);
    print(" #PF ");
    print_hex(vectors[14]);
    print("\n");
    check(vectors[6] > 0);
    check(vectors[13] > 0);
    check(vectors[14] > 0);
    check_eq(vectors[8], 0); /* no double fault */
    check_eq(vectors[2] + vectors[9] + vectors[10] + vectors[15] + vectors[18], 0);
}
