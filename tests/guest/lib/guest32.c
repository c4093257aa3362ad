/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library of the 32-bit bare-metal test guests. */
#include "guest32.h"

typedef struct Recovery {
    uint32_t regs[6];
} Recovery;
typedef struct Entry {
    uint32_t eip, cs, eflags, esp, ss, es, ds, fs, gs;
} Entry;

int guest_try_asm(Recovery *r) __attribute__((returns_twice));
void guest_recover(Recovery *r) __attribute__((noreturn));
uint32_t guest_enter(Entry *entry, uint32_t arg);
void guest_return(uint32_t value) __attribute__((noreturn));
void guest_start(uint32_t start_info);
void guest_interrupt(Frame *f);

uint64_t idt[256] __attribute__((aligned(16)));
static Handler *handlers[256];
static Recovery *recovery; /* set while inside try_call() */
static Trap caught;

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
    print(" eip ");
    print_hex(f->eip);
    print(" cs ");
    print_hex(f->cs);
    print(" eflags ");
    print_hex(f->eflags);
    print(" cr2 ");
    print_hex(read_cr2());
    print("\n");
    guest_exit(0x11);
}

void guest_interrupt(Frame *f)
{
    if (f->vector == 0x80 && ((f->cs & 3) == 3 || f->eflags & 1 << 17)) {
        guest_return(f->eax);
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
                    .eip = f->eip,
                    .eflags = f->eflags,
                    .cs = (uint16_t)f->cs,
                    .esp = f->esp,
                    .ss = (uint16_t)f->ss,
                    .ds = (uint16_t)f->ds,
                    .es = (uint16_t)f->es,
                    .fs = (uint16_t)f->fs,
                    .gs = (uint16_t)f->gs,
                    .eax = f->eax,
                    .ecx = f->ecx,
                    .edx = f->edx,
                    .esi = f->esi,
                    .edi = f->edi,
                    .dr6 = read_dr6()};
    guest_recover(recovery);
}

Trap try_call(void (*fn)(void *), void *arg)
{
    Recovery here;
    uint32_t flags = read_flags();
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

uint32_t call_user(void (*fn)(void), uint32_t arg)
{
    Entry e = {.eip = (uint32_t)fn,
               .cs = USER_CODE,
               .eflags = read_flags(),
               .esp = (uint32_t)user_stack_top - 64,
               .ss = USER_DATA};
    return guest_enter(&e, arg);
}

uint32_t call_v86(uint16_t cs, uint16_t ip, uint32_t flags, uint32_t arg)
{
    Entry e = {.eip = ip, .cs = cs, .eflags = flags | 1 << 17 | 2, .esp = 0x5e00};
    return guest_enter(&e, arg);
}

void guest_start(uint32_t start_info)
{
    extern uint8_t idt_pointer[];
    option_init(start_info);
    for (unsigned v = 0; v < 256; v++) {
        set_gate(v, stubs + 16 * v, v == 0x80 || v == 3 || v == 4 ? 0xee : 0x8e);
    }
    __asm__ volatile("lidt (%0)" ::"r"(idt_pointer));
    gdt[TSS_SEL / 8] = descriptor((uint32_t)&tss, sizeof(Tss) - 1, 0x89, 0);
    tss.ss0 = DATA32;
    tss.iomap = sizeof(Tss);
    __asm__ volatile("ltr %w0" ::"r"(TSS_SEL));
    guest_main();
    guest_finish();
}
