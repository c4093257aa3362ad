/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library of the bare-metal test guests. */
#include "guest.h"

typedef struct Recovery {
    uint64_t regs[8];
} Recovery;

extern uint8_t ap_trampoline[], ap_trampoline_end[];
int guest_try_asm(Recovery *r) __attribute__((returns_twice));
void guest_recover(Recovery *r) __attribute__((noreturn));
uint64_t guest_call_user(void *entry, void *stack, uint64_t arg);
void guest_return_from_user(uint64_t value) __attribute__((noreturn));
void guest_start(uint64_t start_info);
void guest_ap_start(unsigned n);
void guest_interrupt(Frame *f);

uint64_t idt[512] __attribute__((aligned(16)));
static Handler *handlers[256];
static Recovery *recovery; /* set while the boot processor is inside try_call() */
static Trap caught;
static void (*volatile ap_function)(unsigned n);

/* ---- exceptions ---- */

void set_gate(unsigned vector, void *target, unsigned ist, unsigned dpl, unsigned type)
{
    uint64_t a = (uint64_t)target;
    idt[2 * vector] = (a & 0xffff) | 8 << 16 | (uint64_t)ist << 32 | (uint64_t)(0x80 | dpl << 5 | type) << 40 |
                      (a >> 16 & 0xffff) << 48;
    idt[2 * vector + 1] = a >> 32;
}

void set_handler(unsigned vector, Handler *handler)
{
    handlers[vector] = handler;
}

static void die(const Frame *f)
{
    static bool dying;
    if (dying) {
        guest_exit(0x11); /* the report itself faults */
    }
    dying = true;
    print("UNEXPECTED vector ");
    print_hex(f->vector);
    print(" error ");
    print_hex(f->error);
    print(" rip ");
    print_hex(f->rip);
    print(" cs ");
    print_hex(f->cs);
    print(" rsp ");
    print_hex(f->rsp);
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
    caught = (Trap){.vector = (int)f->vector,
                    .error = f->error,
                    .cr2 = read_cr2(),
                    .rip = f->rip,
                    .rflags = f->rflags,
                    .dr6 = read_dr6(),
                    .cs = f->cs,
                    .rsp = f->rsp,
                    .ss = f->ss,
                    .rcx = f->rcx,
                    .rsi = f->rsi,
                    .rdi = f->rdi,
                    .frame = (uint64_t)f};
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
    write_flags(flags);
    return caught;
}

uint64_t call_user(void (*fn)(void), uint64_t arg)
{
    return guest_call_user((void *)((uint64_t)fn + USER_ALIAS), (void *)((uint64_t)user_stack_top + USER_ALIAS - 64),
                           arg);
}

/* ---- memory ---- */

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
    uint64_t *d = gdt + 8;
    d[0] = 103 | (a & 0xffffff) << 16 | 0x89ull << 40 | (a >> 24 & 0xff) << 56;
    d[1] = a >> 32;
    *(uint16_t *)(tss + 102) = 104;
    __asm__ volatile("ltr %w0" ::"r"(0x40));
}

void guest_start(uint64_t start_info)
{
    option_init(start_info);
    for (unsigned v = 0; v < 256; v++) {
        set_gate(v, stubs + 16 * v, 0, v == 0x80 || v == 3 || v == 4 ? 3 : 0, 14);
    }
    load_tables();
    load_tss();
    guest_main();
    guest_finish();
}
