/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hardware task switches: JMP, CALL, task gates, interrupts and IRET; busy bits, NT, the link; CR3 and LDT; what is
 * refused, before the switch and in the new task.
 * Spec: Intel SDM vol 3 chapter 7 (task management), table 7-1 (checks), 6.12.1.1 (interrupt tasks).
 */
#include "lib/guest32.h"

enum { DB = 1, DF = 8, TS = 10, NP = 11, SS = 12, GP = 13 };
enum {
    B = TEST_SEL,
    C16 = TEST_SEL + 8,
    SEL = TEST_SEL + 16,
    GATE = TEST_SEL + 24,
    FAULTS = TEST_SEL + 32 /* one each of 8..13 */
};
#define NT (1u << 14)

typedef struct Tss16 {
    uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
} Tss16;

static Tss b;
static Tss16 c16;
static Tss faults[6];
static uint32_t *stack_b;

/* The other task: calls task_fn and goes back as task_iret says; the next switch to it starts over. */
void (*task_fn)(void);
uint32_t task_iret;
__asm__(".globl task_entry, fault_entries, fault_entries_end\n"
        "task_entry: call *task_fn; cmpl $0, task_iret; je 1f; iret; jmp task_entry\n"
        "1: ljmp $0x40, $0; jmp task_entry\n"
        /* tasks for exceptions: the error code is on their stack */
        "fault8: push $8; call task_fault\n"
        "fault10: push $10; call task_fault\n"
        "fault11: push $11; call task_fault\n"
        "fault12: push $12; call task_fault\n"
        "fault13: push $13; call task_fault\n");
extern uint8_t task_entry[], fault8[], fault10[], fault11[], fault12[], fault13[];
void task_fault(uint32_t vector, uint32_t error);
void guest_interrupt(Frame *f);

static unsigned type_of(unsigned sel)
{
    return gdt[sel / 8] >> 40 & 0xf;
}
static void set_busy(unsigned sel, bool busy)
{
    gdt[sel / 8] = (gdt[sel / 8] & ~(2ull << 40)) | (busy ? 2ull << 40 : 0);
}
/* Back in the first task, whatever happened. */
static void home(void)
{
    for (unsigned s = B; s <= FAULTS + 40; s += 8) {
        if (s == B || s == C16 || s >= FAULTS) {
            set_busy(s, false);
        }
    }
    set_busy(TSS_SEL, false);
    __asm__ volatile("pushf; andl $0xffffbfff, (%%esp); popf; ltr %w0; clts" ::"r"(TSS_SEL) : "memory", "cc");
}
void task_fault(uint32_t vector, uint32_t error)
{
    unsigned back = faults[vector - 8].link;
    Tss *from = back == B ? &b : &tss;
    Frame f = {.vector = vector,
               .error = error,
               .eip = from->eip,
               .cs = from->cs,
               .eflags = from->eflags,
               .esp = from->esp,
               .eax = back};
    home();
    guest_interrupt(&f);
}

static void make(Tss *t, unsigned sel, const void *entry, void *stack)
{
    memset(t, 0, 104);
    t->eip = (uint32_t)entry;
    t->eflags = 2;
    t->esp = (uint32_t)stack;
    t->cs = CODE32;
    t->ss = t->ds = t->es = t->fs = t->gs = DATA32;
    t->iomap = 104;
    gdt[sel / 8] = descriptor((uint32_t)t, 103, 0x89, 0);
}
static void make_b(void)
{
    make(&b, B, task_entry, stack_b);
    b.ebx = 0xbbbb;
    b.esi = 0x5151;
}
#define JUMP(sel) __asm__ volatile("ljmp %0, $0" ::"i"(sel) : "memory")
#define CALL(sel) __asm__ volatile("lcall %0, $0" ::"i"(sel) : "memory")

static void expect(Trap t, int vector, uint32_t error, const char *what, int line)
{
    check_at(t.vector == vector, what, __FILE__, line, (uint32_t)t.vector, (uint32_t)vector);
    if (t.vector == vector) {
        check_at(t.error == error, what, __FILE__, line, t.error, error);
    }
}
#define EXPECT(t, vector, error) expect(t, vector, error, #t, __LINE__)

static struct {
    uint32_t ebx, esi, flags, tr, cr0;
    unsigned type_a, type_b;
} saw;
static void look(void)
{
    saw.flags = read_flags();
    saw.cr0 = read_cr0();
    __asm__ volatile("str %0" : "=r"(saw.tr));
    saw.type_a = type_of(TSS_SEL);
    saw.type_b = type_of(B);
}
/* First thing in the task: the registers it was given. */
__asm__(".globl look_entry\nlook_entry: mov %ebx, saw_ebx; mov %esi, saw_esi; jmp task_entry\n");
extern uint8_t look_entry[];
uint32_t saw_ebx, saw_esi;

static void switches(void)
{
    task_fn = look;
    task_iret = 0;
    make_b();
    b.eip = (uint32_t)look_entry;
    uint32_t edi;
    __asm__ volatile("mov $0x7e57, %%edi; lea 1f, %%edx; stc; ljmp %1, $0; 1: mov %%edi, %0"
                     : "=r"(edi)
                     : "i"(B)
                     : "edi", "edx", "memory", "cc");
    check_eq(edi, 0x7e57);
    check_eq(saw_ebx, 0xbbbb);
    check_eq(saw_esi, 0x5151);
    check_eq(saw.tr & 0xffff, B);
    check_eq(saw.type_a, 9); /* a jump frees the old task */
    check_eq(saw.type_b, 11);
    check_eq(saw.flags & NT, 0);
    check(saw.cr0 & 8); /* TS */
    check_eq(type_of(TSS_SEL), 11);
    check_eq(type_of(B), 9);
    check_eq(tss.edi, 0x7e57); /* what the first task left in its TSS */
    check_eq(tss.eip, tss.edx);
    check_eq(tss.eflags & 1, 1);
    check_eq(tss.cs & 0xffff, CODE32);
    check_eq(tss.ss & 0xffff, DATA32);
    check(read_cr0() & 8);
    __asm__ volatile("clts");
    /* it goes on behind its own jump */
    b.ebx = 1;
    JUMP(B);
    check_eq(saw.tr & 0xffff, B);
    /* CALL nests: both busy, link, NT; IRET unnests and clears NT in the image it leaves */
    make_b();
    task_iret = 1;
    CALL(B);
    check_eq(saw.type_a, 11);
    check_eq(saw.type_b, 11);
    check_eq(saw.flags & NT, NT);
    check_eq(b.link & 0xffff, TSS_SEL);
    check_eq(type_of(B), 9);
    check_eq(type_of(TSS_SEL), 11);
    check_eq(read_flags() & NT, 0);
    check_eq(b.eflags & NT, 0);
    CALL(B); /* goes on behind its IRET */
    check_eq(saw.flags & NT, NT);
    /* through a task gate in the GDT */
    make_b();
    gdt[GATE / 8] = gate(B, 0, 0x85, 0);
    CALL(GATE);
    check_eq(saw.tr & 0xffff, B);
    make_b();
    task_iret = 0;
    JUMP(GATE);
    check_eq(saw.type_a, 9);
    /* an interrupt through a task gate; in ring 3 too */
    make_b();
    task_iret = 1;
    idt[0x90] = gate(B, 0, 0xe5, 0);
    __asm__ volatile("int $0x90" ::: "memory");
    check_eq(saw.flags & NT, NT);
    check_eq(read_flags() & NT, 0);
    uint8_t *code = alloc_pages(1);
    memcpy(code, "\xcd\x90\xb8\x99\x00\x00\x00\xcd\x80", 9);
    make_b();
    saw.tr = 0;
    check_eq(call_user((void (*)(void))code, 0), 0x99);
    check_eq(saw.tr & 0xffff, B);
    idt[0x90] = gate(B, 0, 0x85, 0);
    Trap t = TRY(call_user((void (*)(void))code, 0));
    EXPECT(t, GP, 0x90 * 8 + 2);
    home();
}

static Trap from_user(unsigned sel)
{
    static uint8_t *code;
    code = code ? code : alloc_pages(1);
    memcpy(code, "\xea\x00\x00\x00\x00\x00\x00", 7);
    *(uint16_t *)(code + 5) = (uint16_t)sel;
    return TRY(call_user((void (*)(void))code, 0));
}

static void refused_before(void)
{
    make_b();
    set_busy(B, true);
    EXPECT(TRY(JUMP(B)), GP, B);
    EXPECT(TRY(CALL(B)), GP, B);
    EXPECT(TRY(JUMP(TSS_SEL)), GP, TSS_SEL); /* the running task is busy */
    make_b();
    gdt[B / 8] &= ~(1ull << 47);
    EXPECT(TRY(JUMP(B)), NP, B);
    gdt[B / 8] = descriptor((uint32_t)&b, 102, 0x89, 0);
    EXPECT(TRY(JUMP(B)), TS, B);
    make_b();
    EXPECT(from_user(B), GP, B);
    EXPECT(from_user(B + 3), GP, B);
    gdt[GATE / 8] = gate(B, 0, 0x85, 0);
    EXPECT(from_user(GATE), GP, GATE);
    gdt[GATE / 8] = gate(B, 0, 0x05, 0);
    EXPECT(TRY(JUMP(GATE)), NP, GATE);
    gdt[GATE / 8] = gate(DATA32, 0, 0x85, 0);
    EXPECT(TRY(JUMP(GATE)), GP, DATA32);
    gdt[GATE / 8] = gate(B | 4, 0, 0x85, 0);
    EXPECT(TRY(JUMP(GATE)), GP, B | 4);
    idt[0x90] = gate(B, 0, 0x85, 0);
    set_busy(B, true);
    EXPECT(TRY(__asm__ volatile("int $0x90")), GP, B);
    /* IRET with NT: the link must be a busy TSS */
    home();
    make_b();
    tss.link = B;
    EXPECT(TRY(write_flags(NT | 2); __asm__ volatile("iret")), TS, B);
    tss.link = DATA32;
    EXPECT(TRY(write_flags(NT | 2); __asm__ volatile("iret")), TS, DATA32);
    tss.link = 0;
    EXPECT(TRY(write_flags(NT | 2); __asm__ volatile("iret")), TS, 0);
    tss.link = B | 4;
    EXPECT(TRY(write_flags(NT | 2); __asm__ volatile("iret")), TS, B | 4);
    check_eq(read_cr0() & 8, 0); /* none of these switched */
}

/* Errors that belong to the new task: its state is loaded, so they go to tasks of their own. */
static void refused_after(void)
{
    static uint8_t *stacks;
    static uint8_t *const entries[] = {fault8, 0, fault10, fault11, fault12, fault13};
    uint64_t saved[6];
    stacks = alloc_pages(6);
    for (unsigned i = 0; i < 6; i++) {
        if (entries[i]) {
            make(&faults[i], FAULTS + 8 * i, entries[i], stacks + 4096 * (i + 1));
            saved[i] = idt[8 + i];
            idt[8 + i] = gate(FAULTS + 8 * i, 0, 0x85, 0);
        }
    }
    task_fn = look;
    task_iret = 0;
    gdt[SEL / 8] = descriptor(0, 0xfffff, 0x1b, 12); /* code, not present */
#define BAD(field, value, vector, error)                                                                             \
    do {                                                                                                             \
        make_b();                                                                                                    \
        for (unsigned i_ = 0; i_ < 6; i_++) {                                                                        \
            if (entries[i_]) {                                                                                       \
                make(&faults[i_], FAULTS + 8 * i_, entries[i_], stacks + 4096 * (i_ + 1));                           \
            }                                                                                                        \
        }                                                                                                            \
        b.field = (value);                                                                                           \
        Trap t_ = TRY(JUMP(B));                                                                                      \
        expect(t_, vector, error, #field " " #value, __LINE__);                                                      \
        check_at(t_.eax == B, #field ": in the new task", __FILE__, __LINE__, t_.eax, B);                            \
    } while (0)
    BAD(cs, 0, TS, 0);
    BAD(cs, DATA32, TS, DATA32);
    BAD(cs, 0xff8, TS, 0xff8);
    BAD(cs, USER_CODE & ~3u, TS, USER_CODE & ~3u);
    BAD(cs, SEL, NP, SEL);
    gdt[SEL / 8] = descriptor(0, 0xfffff, 0x13, 12);
    BAD(ss, 0, TS, 0);
    BAD(ss, CODE32, TS, CODE32);
    BAD(ss, USER_DATA, TS, USER_DATA & ~3u);
    BAD(ss, SEL, SS, SEL);
    BAD(ds, SEL, NP, SEL);
    BAD(fs, TSS_SEL, TS, TSS_SEL);
    BAD(gs, 0xff8, TS, 0xff8);
    gdt[SEL / 8] = descriptor(0, 0xfffff, 0x99, 12);
    BAD(es, SEL, TS, SEL);
    BAD(ldt, DATA32, TS, DATA32);
    BAD(ldt, 4, TS, 4);
    gdt[SEL / 8] = descriptor(0, 7, 0x02, 0);
    BAD(ldt, SEL, TS, SEL); /* not present: #TS as well */
    gdt[SEL / 8] = descriptor(0, 0xff, 0x9b, 4);
    b.eip = 0x100000;
    BAD(cs, SEL, GP, 0); /* EIP beyond the limit */
    /* a double fault's task: the way out of a missing handler */
    idt[GP] = 0;
    make(&faults[0], FAULTS, fault8, stacks + 4096);
    Trap t = TRY(__asm__ volatile("mov %w0, %%fs" ::"r"(0xff8)));
    EXPECT(t, DF, 0);
    for (unsigned i = 0; i < 6; i++) {
        if (entries[i]) {
            idt[8 + i] = saved[i];
        }
    }
    home();
}

static void exception_task(void)
{
    /* a page fault's or #GP's task finds the error code on its stack, IRET without popping it would be its own fault
     */
    static uint8_t *stack;
    stack = alloc_pages(1);
    static volatile uint32_t error, back_eip;
    void handle(void)
    {
        error = *(uint32_t *)(stack + 4092);
        back_eip = tss.eip;
        tss.eip += 2; /* past the two bytes of MOV FS */
    }
    make_b();
    b.esp = (uint32_t)stack + 4096;
    task_fn = handle;
    task_iret = 1;
    uint64_t saved = idt[GP];
    idt[GP] = gate(B, 0, 0x85, 0);
    uint32_t at;
    __asm__ volatile("lea 1f, %0; mov $0xff8, %%ecx; 1: mov %%ecx, %%fs" : "=&r"(at)::"ecx", "memory");
    idt[GP] = saved;
    check_eq(error, 0xff8);
    check_eq(back_eip, at);
    home();
}

static void spaces(void)
{
    /* LDT and CR3 come with the task */
    static uint64_t table[2];
    table[1] = descriptor((uint32_t)table, 15, 0x93, 4);
    gdt[SEL / 8] = descriptor((uint32_t)table, 15, 0x82, 0);
    uint32_t *dir_a = alloc_pages(1), *dir_b = alloc_pages(1), *low_a = alloc_pages(1), *low_b = alloc_pages(1);
    static uint32_t ldt, window, cr3;
    void peek(void)
    {
        __asm__ volatile("sldt %0" : "=r"(ldt));
        window = *(volatile uint32_t *)0x40000000;
        cr3 = read_cr3();
        __asm__ volatile("mov %w0, %%gs" ::"r"(0xc)); /* its LDT has an entry 1 */
    }
    for (unsigned i = 0; i < 64; i++) {
        dir_a[i] = dir_b[i] = i << 22 | 0x83;
    }
    dir_a[256] = (uint32_t)low_a | 3;
    dir_b[256] = (uint32_t)low_b | 3;
    low_a[0] = (uint32_t)alloc_pages(1) | 3;
    low_b[0] = (uint32_t)alloc_pages(1) | 3;
    *(uint32_t *)(low_a[0] & ~3u) = 0xaaaa;
    *(uint32_t *)(low_b[0] & ~3u) = 0xb0b0;
    uint32_t cr4 = read_cr4(), cr0 = read_cr0();
    write_cr4(cr4 | 0x10);
    write_cr3((uint32_t)dir_a);
    write_cr0(cr0 | 0x80000000);
    check_eq(*(volatile uint32_t *)0x40000000, 0xaaaa);
    make_b();
    b.cr3 = (uint32_t)dir_b;
    b.ldt = SEL;
    tss.cr3 = (uint32_t)dir_a;
    tss.ldt = 0;
    task_fn = peek;
    task_iret = 1;
    CALL(B);
    uint32_t back = *(volatile uint32_t *)0x40000000, back3 = read_cr3();
    write_cr0(cr0);
    write_cr4(cr4);
    check_eq(ldt & 0xffff, SEL);
    check_eq(window, 0xb0b0);
    check_eq(cr3, (uint32_t)dir_b);
    check_eq(back, 0xaaaa);
    check_eq(back3, (uint32_t)dir_a);
    check_eq(b.gs & 0xffff, 0xc);
    __asm__ volatile("sldt %0" : "=r"(ldt));
    check_eq(ldt & 0xffff, 0);
    /* the trap bit: #DB before the new task's first instruction */
    make_b();
    b.trap = 1;
    write_dr6(0xffff0ff0);
    task_fn = look;
    Trap t = TRY(CALL(B));
    home();
    EXPECT(t, DB, 0);
    check_eq(t.dr6 & 0xe00f, 0x8000);
    check_eq(t.eip, (uint32_t)task_entry);
    write_dr6(0xffff0ff0);
}

static void sixteen_bits(void)
{
    /* a 286 TSS: the code notes AX and goes back by IRET */
    uint8_t *code = (uint8_t *)0x7c00;
    memcpy(code, "\x66\xa3\x00\x7e\x00\x00\xcf\xeb\xf7", 9);
    memset(&c16, 0, sizeof(c16));
    c16.ip = 0x7c00;
    c16.flags = 2;
    c16.ax = 0xface;
    c16.sp = 0x7a00;
    c16.cs = CODE32;
    c16.ss = c16.ds = c16.es = DATA32;
    gdt[C16 / 8] = descriptor((uint32_t)&c16, 43, 0x81, 0);
    *(volatile uint16_t *)0x7e00 = 0;
    CALL(C16);
    check_eq(*(volatile uint16_t *)0x7e00, 0xface);
    check_eq(c16.link, TSS_SEL);
    check_eq(c16.ip, 0x7c07);
    check_eq(type_of(C16), 1);
    check_eq(type_of(TSS_SEL), 11);
    gdt[C16 / 8] = descriptor((uint32_t)&c16, 42, 0x81, 0);
    EXPECT(TRY(CALL(C16)), TS, C16);
    home();
}

void guest_main(void)
{
    pic_disable();
    stack_b = (uint32_t *)((uint8_t *)alloc_pages(2) + 8192);
    switches();
    refused_before();
    refused_after();
    exception_task();
    spaces();
    sixteen_bits();
}
