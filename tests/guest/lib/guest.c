/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library of the bare-metal test guests. */
#include "guest.h"

typedef struct Recovery {
    uint64_t regs[8];
} Recovery;
typedef struct Gate {
    uint16_t off0, sel;
    uint8_t ist, attr;
    uint16_t off1;
    uint32_t off2, zero;
} Gate;

extern uint8_t stubs[], gdt[], tss[], ap_trampoline[], ap_trampoline_end[], _end[];
extern uint64_t pml4[], pd[], pd_user[];
int guest_try_asm(Recovery *r) __attribute__((returns_twice));
void guest_recover(Recovery *r) __attribute__((noreturn));
uint64_t guest_call_user(void *entry, void *stack, uint64_t arg);
void guest_return_from_user(uint64_t value) __attribute__((noreturn));
void guest_start(void);
void guest_ap_start(unsigned n);
void guest_interrupt(Frame *f);

static Gate idt[256] __attribute__((aligned(16)));
static Handler *handlers[256];
static Recovery *recovery; /* set while the boot processor is inside try_call() */
static Trap caught;
static unsigned passed, failed, skipped;
static void (*volatile ap_function)(unsigned n);

/* ---- reporting ---- */

static void put(char c)
{
    while (!(in8(0x3fd) & 0x20)) {
    }
    out8(0x3f8, (uint8_t)c);
}

void print(const char *text)
{
    for (; *text; text++) {
        put(*text);
    }
}

void print_hex(uint64_t v)
{
    print("0x");
    int digits = 1;
    while (digits < 16 && v >> (4 * digits)) {
        digits++;
    }
    while (digits--) {
        put("0123456789abcdef"[v >> (4 * digits) & 15]);
    }
}

static void print_number(unsigned v)
{
    if (v >= 10) {
        print_number(v / 10);
    }
    put((char)('0' + v % 10));
}

void check_at(bool ok, const char *what, const char *file, int line, uint64_t got, uint64_t want)
{
    if (ok) {
        passed++;
        return;
    }
    failed++;
    print("FAIL ");
    print(file);
    print(":");
    print_number((unsigned)line);
    print(": ");
    print(what);
    if (got != want) {
        print(": ");
        print_hex(got);
        print(" wanted ");
        print_hex(want);
    }
    print("\n");
}

void skip(const char *why)
{
    skipped++;
    print("SKIP ");
    print(why);
    print("\n");
}

void guest_exit(int code)
{
    out32(0xf4, (uint32_t)code);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

/* ---- exceptions ---- */

void set_gate(unsigned vector, void *target, unsigned ist, unsigned dpl, unsigned type)
{
    uint64_t a = (uint64_t)target;
    idt[vector] = (Gate){(uint16_t)a, 8, (uint8_t)ist, (uint8_t)(0x80 | dpl << 5 | type), (uint16_t)(a >> 16),
                         (uint32_t)(a >> 32), 0};
}

void set_handler(unsigned vector, Handler *handler)
{
    handlers[vector] = handler;
}

static void die(const Frame *f)
{
    print("UNEXPECTED vector ");
    print_number((unsigned)f->vector);
    print(" error ");
    print_hex(f->error);
    print(" rip ");
    print_hex(f->rip);
    print(" cr2 ");
    print_hex(read_cr2());
    print("\n");
    guest_exit(0x11);
}

void guest_interrupt(Frame *f)
{
    if (f->vector == 0x80 && (f->cs & 3) == 3) {
        guest_return_from_user(f->rax);
    }
    if (handlers[f->vector] && handlers[f->vector](f)) {
        return;
    }
    if (!recovery || f->vector >= 32) {
        die(f);
    }
    caught = (Trap){(int)f->vector, f->error, read_cr2(), f->rip, f->rflags, read_dr6()};
    guest_recover(recovery);
}

Trap try_call(void (*fn)(void *), void *arg)
{
    Recovery here;
    uint64_t flags = read_flags();
    caught = (Trap){.vector = -1};
    Recovery *outer = recovery;
    recovery = &here;
    if (guest_try_asm(&here) == 0) {
        fn(arg);
    }
    recovery = outer;
    __asm__ volatile("push %0; popfq" ::"r"(flags) : "cc", "memory");
    return caught;
}

uint64_t call_user(void (*fn)(void), uint64_t arg)
{
    return guest_call_user((void *)((uint64_t)fn + USER_ALIAS), (void *)((uint64_t)user_stack_top + USER_ALIAS - 64), arg);
}

/* ---- memory ---- */

void *memset(void *p, int c, size_t n)
{
    void *d = p;
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return p;
}

void *memcpy(void *d, const void *s, size_t n)
{
    void *to = d;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(s), "+c"(n)::"memory");
    return d;
}

void *alloc_pages(unsigned n)
{
    static uint8_t *next;
    if (!next) {
        next = (uint8_t *)(((uint64_t)_end + 0x1fffff) & ~0x1fffffull); /* not in the pages of the image */
    }
    void *p = next;
    next += n * 4096;
    memset(p, 0, n * 4096);
    return p;
}

uint64_t *pte_of(void *p)
{
    uint64_t a = (uint64_t)p;
    uint64_t *dir = a & USER_ALIAS ? pd_user : pd;
    uint64_t *pde = &dir[(a & 0xffffffff) >> 21];
    if (*pde & 0x80) {
        uint64_t flags = *pde & 7, base = *pde & 0xffe00000;
        uint64_t *pt = alloc_pages(1);
        for (unsigned i = 0; i < 512; i++) {
            pt[i] = (base + i * 4096) | flags;
        }
        *pde = (uint64_t)pt | 7;
        write_cr3(read_cr3());
    }
    uint64_t *pt = (uint64_t *)(*pde & ~0xfffull);
    return &pt[a >> 12 & 511];
}

/* ---- interrupts and processors ---- */

void pic_disable(void)
{
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
}

void lapic_enable(void)
{
    LAPIC(0xf0) = 0x1ff;
}

static void load_tables(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr = {sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("lidt %0" ::"m"(idtr));
}

unsigned start_processors(unsigned count, void (*fn)(unsigned n))
{
    extern volatile uint32_t ap_count;
    memcpy((void *)0x8000, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
    ap_function = fn;
    lapic_enable();
    LAPIC(0x310) = 0;
    LAPIC(0x300) = 0xc4500; /* INIT, all but self */
    for (int i = 0; i < 100000; i++) {
        in8(0x80);
    }
    LAPIC(0x300) = 0xc4608; /* start-up at 0x8000 */
    for (int i = 0; i < 2000000 && ap_count < count; i++) {
        in8(0x80);
    }
    return ap_count;
}

void guest_ap_start(unsigned n)
{
    load_tables();
    lapic_enable();
    ap_function(n);
}

static void load_tss(void)
{
    uint64_t a = (uint64_t)tss;
    uint64_t *d = (uint64_t *)(gdt + 0x40);
    d[0] = 103 | (a & 0xffffff) << 16 | 0x89ull << 40 | (a >> 24 & 0xff) << 56;
    d[1] = a >> 32;
    *(uint16_t *)(tss + 102) = 104;
    __asm__ volatile("ltr %w0" ::"r"(0x40));
}

void guest_start(void)
{
    for (unsigned v = 0; v < 256; v++) {
        set_gate(v, stubs + 16 * v, 0, v == 0x80 || v == 3 || v == 4 ? 3 : 0, 14);
    }
    load_tables();
    load_tss();
    guest_main();
    print_number(passed);
    print(" passed, ");
    print_number(failed);
    print(" failed, ");
    print_number(skipped);
    print(" skipped\n");
    guest_exit(failed || !passed ? 0x11 : 0x10);
}
