/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segmentation in 32-bit protected mode: limits and types, expand-down and null segments, privilege, call gates with
 * parameters, far pointers, stacks of 16 bits, SYSENTER.
 * Spec: Intel SDM vol 3 chapter 5, vol 2 CALL, RET, LDS, ARPL, SYSENTER, SYSEXIT, BOUND, INTO.
 */
#include "lib/guest32.h"

enum { OF = 4, BR = 5, UD = 6, TS = 10, NP = 11, SS = 12, GP = 13 };
enum {
    SEL = TEST_SEL,
    SEL2 = TEST_SEL + 8,
    GATE = TEST_SEL + 16,
    FAST = TEST_SEL + 24 /* four descriptors */,
    LDT_SEL = TEST_SEL + 56
};

static uint8_t *area, *code;
static uint32_t here;

static void expect(Trap t, int vector, uint32_t error, const char *what, int line)
{
    check_at(t.vector == vector, what, __FILE__, line, (uint32_t)t.vector, (uint32_t)vector);
    if (t.vector == vector && vector >= 0) {
        check_at(t.error == error, what, __FILE__, line, t.error, error);
    }
}
#define EXPECT(t, vector, error) expect(t, vector, error, #t, __LINE__)

static Trap user_bytes(const char *bytes, size_t n)
{
    memcpy(code, bytes, n);
    memcpy(code + n, "\xcd\x80", 2);
    here = 0;
    return TRY(here = call_user((void (*)(void))code, 0));
}
#define USER(text) user_bytes(text, sizeof(text) - 1)

static void describe(unsigned sel, uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    gdt[sel / 8] = descriptor(base, limit, access, flags);
}
#define WITH_FS(insn)                                                                                                \
    TRY(__asm__ volatile("mov %w0, %%fs; mov %1, %%ecx; " insn ::"r"(SEL), "r"(offset) : "eax", "ecx", "memory"))

static void limits(void)
{
    static const struct {
        uint32_t limit;
        unsigned flags;
        uint32_t offset;
        bool ok[3]; /* byte, word, dword */
    } rows[] = {
        {0xfff, 4, 0xffc, {true, true, true}},         {0xfff, 4, 0xffd, {true, true, false}},
        {0xfff, 4, 0xffe, {true, true, false}},        {0xfff, 4, 0xfff, {true, false, false}},
        {0xfff, 4, 0x1000, {false, false, false}},     {0, 12, 0xffc, {true, true, true}},
        {0, 12, 0xfff, {true, false, false}},          {1, 12, 0x1ffc, {true, true, true}},
        {1, 12, 0x1ffe, {true, true, false}},          {0, 4, 0, {true, false, false}},
        {0xfff, 4, 0xffffffff, {false, false, false}},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        describe(SEL, (uint32_t)area, rows[i].limit, 0x93, rows[i].flags);
        uint32_t offset = rows[i].offset;
        check_eq(WITH_FS("movb %%fs:(%%ecx), %%al").vector, rows[i].ok[0] ? -1 : GP);
        check_eq(WITH_FS("movw %%ax, %%fs:(%%ecx)").vector, rows[i].ok[1] ? -1 : GP);
        Trap t = WITH_FS("incl %%fs:(%%ecx)");
        EXPECT(t, rows[i].ok[2] ? -1 : GP, 0);
    }
    /* expand-down: what is above the limit, up to 64 KiB or 4 GiB by B */
    static const struct {
        uint32_t limit;
        unsigned flags;
        uint32_t offset;
        bool ok;
    } down[] = {{0xfff, 4, 0x1000, true},  {0xfff, 4, 0xfff, false},   {0xfff, 4, 0, false},
                {0xfff, 4, 0x11000, true}, {0xfff, 0, 0x1000, true},   {0xfff, 0, 0xfffc, true},
                {0xfff, 0, 0xfffd, false}, {0xfff, 0, 0x10000, false}, {0xffff, 0, 0xfffc, false},
                {0, 12, 0xfff, false},     {0, 12, 0x1000, true}};
    for (unsigned i = 0; i < sizeof(down) / sizeof(down[0]); i++) {
        describe(SEL, (uint32_t)area, down[i].limit, 0x97, down[i].flags);
        uint32_t offset = down[i].offset;
        EXPECT(WITH_FS("movl %%fs:(%%ecx), %%eax"), down[i].ok ? -1 : GP, 0);
    }
    /* base and offset add modulo 4 GiB */
    describe(SEL, (uint32_t)area + 0x1000, 0xfffff, 0x93, 12);
    *(uint32_t *)area = 0x12345678;
    uint32_t v;
    __asm__ volatile("mov %w1, %%fs; movl %%fs:-0x1000, %0" : "=r"(v) : "r"(SEL));
    check_eq(v, 0x12345678);
}

static void types(void)
{
    uint32_t offset = 0;
    describe(SEL, (uint32_t)area, 0xffff, 0x91, 4); /* read-only */
    EXPECT(WITH_FS("movl %%fs:(%%ecx), %%eax"), -1, 0);
    EXPECT(WITH_FS("movl %%eax, %%fs:(%%ecx)"), GP, 0);
    EXPECT(WITH_FS("lock addl $0, %%fs:(%%ecx)"), GP, 0);
    EXPECT(WITH_FS("cmpl $0, %%fs:(%%ecx)"), -1, 0);
    describe(SEL, (uint32_t)area, 0xffff, 0x9b, 4); /* readable code */
    EXPECT(WITH_FS("movl %%fs:(%%ecx), %%eax"), -1, 0);
    EXPECT(WITH_FS("movl %%eax, %%fs:(%%ecx)"), GP, 0);
    EXPECT(TRY(__asm__ volatile("movl %%eax, %%cs:(%0)" ::"r"(area) : "memory")), GP, 0);
    describe(SEL, (uint32_t)area, 0xffff, 0x99, 4); /* execute-only */
    EXPECT(WITH_FS("nop"), GP, SEL);
    /* the accessed bit is set by the load */
    describe(SEL, 0, 0xfffff, 0x92, 12);
    EXPECT(WITH_FS("nop"), -1, 0);
    check_eq(gdt[SEL / 8] >> 40 & 0xff, 0x93);
    describe(SEL, 0, 0xfffff, 0x98, 12);
    /* null selectors load, and fault when they are used */
    EXPECT(TRY(__asm__ volatile("mov %w0, %%gs" ::"r"(0))), -1, 0);
    EXPECT(TRY(__asm__ volatile("mov %w0, %%gs; movb %%gs:0, %%al" ::"r"(3) : "eax")), GP, 0);
    EXPECT(TRY(__asm__ volatile("mov %w0, %%ss" ::"r"(0))), GP, 0);
    /* system descriptors and the LDT */
    EXPECT(TRY(__asm__ volatile("mov %w0, %%fs" ::"r"(TSS_SEL))), GP, TSS_SEL);
    EXPECT(TRY(__asm__ volatile("mov %w0, %%fs" ::"r"(0xc))), GP, 0xc);
    static uint64_t table[2];
    table[1] = descriptor((uint32_t)area, 7, 0x93, 4);
    describe(LDT_SEL, (uint32_t)table, 15, 0x82, 0);
    __asm__ volatile("lldt %w0" ::"r"(LDT_SEL));
    EXPECT(TRY(__asm__ volatile("mov %w0, %%fs; movl %%fs:4, %%eax" ::"r"(0xc) : "eax")), -1, 0);
    EXPECT(TRY(__asm__ volatile("mov %w0, %%fs; movl %%fs:5, %%eax" ::"r"(0xc) : "eax")), GP, 0);
    EXPECT(TRY(__asm__ volatile("mov %w0, %%fs" ::"r"(0x14))), GP, 0x14);
    __asm__ volatile("lldt %w0" ::"r"(0));
}

static void privilege(void)
{
    describe(SEL, 0, 0xfffff, 0x93, 12);
    EXPECT(TRY(__asm__ volatile("mov %w0, %%fs" ::"r"(SEL + 3))), GP, SEL); /* RPL 3, DPL 0 */
    EXPECT(USER("\xb8\x48\x00\x00\x00\x8e\xe0"), GP, SEL);                  /* CPL 3 */
    EXPECT(USER("\xb8\x33\x00\x00\x00\x8e\xe0"), -1, 0);
    EXPECT(USER("\xb8\x30\x00\x00\x00\x8e\xe0"), -1, 0);    /* a lower RPL does not hurt */
    EXPECT(USER("\xb8\x30\x00\x00\x00\x8e\xd0"), GP, 0x30); /* but in SS */
    EXPECT(USER("\xb8\x10\x00\x00\x00\x8e\xd0"), GP, 0x10);
    EXPECT(USER("\xea\x00\x00\x00\x00\x08\x00"), GP, 8); /* jump to DPL 0 */
    describe(SEL, 0, 0xfffff, 0x9f, 12); /* conforming, DPL 0: may be called and read from anywhere, CPL stays */
    EXPECT(USER("\xb8\x4b\x00\x00\x00\x8e\xe0"), -1, 0);
    /* lcall SEL:2f; int 80h / 2: mov %cs,%eax; lret */
    char text[] = "\x9a\x00\x00\x00\x00\x48\x00\xcd\x80\x8c\xc8\xcb";
    *(uint32_t *)(text + 1) = (uint32_t)code + 9;
    EXPECT(user_bytes(text, 12), -1, 0);
    check_eq(here & 0xffff, SEL | 3);
    describe(SEL, 0, 0xfffff, 0xff, 12); /* conforming with DPL 3: not from ring 0 */
    EXPECT(TRY(__asm__ volatile("lcall %0, $0" ::"i"(SEL))), GP, SEL);
    /* returning inward is refused */
    EXPECT(USER("\x6a\x08\x6a\x00\xcb"), GP, 8);
    EXPECT(USER("\x9c\x6a\x08\x6a\x00\xcf"), GP, 8);
    /* stack segment: limit faults are #SS */
    describe(SEL2, (uint32_t)area, 0xfff, 0xf3, 4);
    EXPECT(USER("\xb8\x53\x00\x00\x00\x8e\xd0\xbc\x00\x10\x00\x00\x58"), SS, 0); /* POP at the limit */
    EXPECT(USER("\xb8\x53\x00\x00\x00\x8e\xd0\xbc\x00\x10\x00\x00\x50\x58"), -1, 0);
    EXPECT(USER("\xb8\x53\x00\x00\x00\x8e\xd0\x31\xe4\x50"), SS, 0);                         /* PUSH below 0 */
    EXPECT(USER("\xb8\x53\x00\x00\x00\x8e\xd0\xbd\xfd\x0f\x00\x00\x8b\x45\x00"), SS, 0);     /* through EBP */
    EXPECT(USER("\xb8\x53\x00\x00\x00\x8e\xd8\xbd\xfd\x0f\x00\x00\x3e\x8b\x45\x00"), GP, 0); /* DS override */
    /* code limit */
    describe(SEL, (uint32_t)code, 15, 0xfb, 4);
    EXPECT(USER("\xea\x10\x00\x00\x00\x4b\x00"), GP, 0); /* target beyond */
    Trap t = USER("\xea\x07\x00\x00\x00\x4b\x00\x90\x90\x90\x90\x90\x90\x90\x90\x90");
    EXPECT(t, GP, 0); /* running over the end */
    check_eq(t.eip, 16);
    t = USER("\xea\x07\x00\x00\x00\x4b\x00\x90\x90\x90\x90\x90\xb8\x01\x02\x03\x04");
    check_eq(t.eip, 12); /* an instruction that lies partly outside */
}

/* ---- call gates ---- */

uint32_t gate_stack[8], gate_segs[4], gate_ss, gate_esp;
__asm__(".globl gate32, gate16, gate16_end\n"
        "gate32:\n"
        "  mov $0x10, %ecx; mov %ss, %edx; mov %edx, %ss:gate_ss; mov %esp, %ss:gate_esp\n"
        "  push %ds; mov %ecx, %ds\n"
        "  mov 4(%esp), %eax; mov %eax, gate_stack; mov 8(%esp), %eax; mov %eax, gate_stack + 4\n"
        "  mov 12(%esp), %eax; mov %eax, gate_stack + 8; mov 16(%esp), %eax; mov %eax, gate_stack + 12\n"
        "  mov 20(%esp), %eax; mov %eax, gate_stack + 16; mov 24(%esp), %eax; mov %eax, gate_stack + 20\n"
        "  mov 28(%esp), %eax; mov %eax, gate_stack + 24\n"
        "  pop %ecx; mov $0x10, %ecx; mov %ecx, %fs; mov $0x33, %ecx; mov %ecx, %gs; mov $0x777, %eax; lret $12\n"
        "gate16:\n" /* copied below 64 KiB */
        "  mov $0x10, %ecx; mov %ecx, %ds\n"
        "  mov (%esp), %eax; mov %eax, gate_stack; mov 4(%esp), %eax; mov %eax, gate_stack + 4\n"
        "  mov 8(%esp), %eax; mov %eax, gate_stack + 8; mov $0x888, %eax; lretw $4\n"
        "gate16_end:\n");
extern uint8_t gate32[], gate16[], gate16_end[];
static void call_gates(void)
{
    /* push three parameters, call the gate; then ESP must be back, and FS null */
    static const char call[] =
        "\x68\x11\x11\x00\x00\x68\x22\x22\x00\x00\x68\x33\x33\x00\x00\x9a\x00\x00\x00\x00\x5b\x00\x89\xe6\x8c\xe2";
    gdt[GATE / 8] = gate(CODE32, (uint32_t)gate32, 0xec, 3);
    static uint32_t esp, fs;
    bool note(Frame * f)
    {
        if ((f->cs & 3) == 3) {
            esp = f->esi;
            fs = f->edx;
        }
        return false;
    }
    char text[64];
    memcpy(text, call, sizeof(call) - 1);
    memcpy(text + sizeof(call) - 1, "\x0f\x0b", 2);
    set_handler(UD, note);
    Trap t = user_bytes(text, sizeof(call) + 1);
    EXPECT(t, UD, 0);
    check_eq(t.eax, 0x777);
    check_eq(gate_stack[0], (uint32_t)code + 22);
    check_eq(gate_stack[1] & 0xffff, USER_CODE);
    check_eq(gate_stack[2], 0x3333);
    check_eq(gate_stack[3], 0x2222);
    check_eq(gate_stack[4], 0x1111);
    check_eq(gate_stack[6] & 0xffff, USER_DATA);
    check_eq(gate_stack[5], (uint32_t)user_stack_top - 64 - 12);
    check_eq(gate_ss & 0xffff, tss.ss0);
    check_eq(gate_esp, tss.esp0 - 28);
    check_eq(esp, (uint32_t)user_stack_top - 64);
    check_eq(fs & 0xffff, 0); /* segments of the inner ring do not leak outward */
    check_eq(t.gs, 0x33);
    check_eq(t.cs, USER_CODE);
    /* 16-bit gate: words */
    memcpy((void *)0x7c00, gate16, (size_t)(gate16_end - gate16));
    gdt[GATE / 8] = gate(CODE32, 0x7c00, 0xe4, 2);
    /* code that 16 bits of return address can reach: at 0x6000 */
    uint8_t *low = (uint8_t *)0x6000;
    memcpy(low, "\x66\x68\x44\x44\x66\x68\x55\x55\x9a\x00\x00\x00\x00\x5b\x00\x89\xe6\x0f\x0b", 19);
    t = TRY(call_user((void (*)(void))low, 0));
    EXPECT(t, UD, 0);
    check_eq(t.eax, 0x888);
    check_eq(gate_stack[0], 0x600f | USER_CODE << 16);
    check_eq(gate_stack[1], 0x44445555);
    check_eq(gate_stack[2] >> 16, USER_DATA);
    check_eq(esp & 0xffff, ((uint32_t)user_stack_top - 64) & 0xffff);
    set_handler(UD, 0);
    /* refusals */
    gdt[GATE / 8] = gate(CODE32, (uint32_t)gate32, 0x8c, 0);
    EXPECT(user_bytes(call, sizeof(call) - 1), GP, GATE);
    gdt[GATE / 8] = gate(CODE32, (uint32_t)gate32, 0x6c, 0);
    EXPECT(user_bytes(call, sizeof(call) - 1), NP, GATE);
    gdt[GATE / 8] = gate(0, (uint32_t)gate32, 0xec, 0);
    EXPECT(user_bytes(call, sizeof(call) - 1), GP, 0);
    gdt[GATE / 8] = gate(DATA32, (uint32_t)gate32, 0xec, 0);
    EXPECT(user_bytes(call, sizeof(call) - 1), GP, DATA32);
    describe(SEL, 0, 0xfffff, 0x1b, 12);
    gdt[GATE / 8] = gate(SEL, (uint32_t)gate32, 0xec, 0);
    EXPECT(user_bytes(call, sizeof(call) - 1), NP, SEL);
    /* a jump may not change the privilege */
    gdt[GATE / 8] = gate(CODE32, (uint32_t)gate32, 0xec, 0);
    EXPECT(USER("\xea\x00\x00\x00\x00\x5b\x00"), GP, CODE32);
    /* the new stack: selectors of the wrong kind are #TS, a missing segment #SS.  An interrupt stack is needed as
     * well, so ring 1 is the target: its stack fields may be wrong */
    describe(SEL, 0, 0xfffff, 0xbb, 12);
    gdt[GATE / 8] = gate(SEL, (uint32_t)gate32, 0xec, 0);
    tss.ss1 = 0;
    EXPECT(user_bytes(call, sizeof(call) - 1), TS, 0);
    tss.ss1 = DATA32 | 1;
    EXPECT(user_bytes(call, sizeof(call) - 1), TS, DATA32);
    describe(SEL2, 0, 0xfffff, 0xb3, 12);
    tss.ss1 = SEL2;
    EXPECT(user_bytes(call, sizeof(call) - 1), TS, SEL2); /* RPL 0 */
    tss.ss1 = SEL2 | 1;
    describe(SEL2, 0, 0xfffff, 0xb1, 12);
    EXPECT(user_bytes(call, sizeof(call) - 1), TS, SEL2); /* read-only */
    describe(SEL2, 0, 0xfffff, 0x33, 12);
    EXPECT(user_bytes(call, sizeof(call) - 1), SS, SEL2);
    describe(SEL2, (uint32_t)area, 0xfff, 0xb3, 4);
    tss.esp1 = 0x2000;
    EXPECT(user_bytes(call, sizeof(call) - 1), SS, SEL2); /* no room: the new stack's selector (vol 2 CALL) */
}

static void far_pointers(void)
{
    struct {
        uint32_t offset;
        uint16_t sel;
    } __attribute__((packed)) p = {0x12345678, DATA32}, bad = {1, 8 * 30}, null = {0x99, 0};
    uint32_t v, s;
    __asm__ volatile("lfs %2, %0; mov %%fs, %1" : "=r"(v), "=r"(s) : "m"(p));
    check_eq(v, 0x12345678);
    check_eq(s & 0xffff, DATA32);
    __asm__ volatile("mov $-1, %0; lgsw %2, %w0; mov %%gs, %1"
                     : "=&r"(v), "=r"(s)
                     : "m"(*((uint8_t(*)[6]) & (uint8_t[6]){0x21, 0x43, 0x33})));
    check_eq(v, 0xffff4321);
    check_eq(s & 0xffff, 0x33);
    __asm__ volatile("mov %%es, %%ecx; les %1, %0; mov %%ecx, %%es" : "=&r"(v) : "m"(p) : "ecx");
    check_eq(v, 0x12345678);
    __asm__ volatile("mov $7, %%ecx; lfs %1, %%ecx; mov %%ecx, %0" : "=r"(v) : "m"(null) : "ecx");
    check_eq(v, 0x99);
    static uint32_t kept;
    Trap t = TRY(__asm__ volatile("mov $7, %%ecx; lfs %0, %%ecx" ::"m"(bad) : "ecx"));
    kept = t.ecx;
    EXPECT(t, GP, 8 * 30);
    check_eq(kept, 7); /* neither the register nor the segment */
    /* ARPL */
    uint32_t flags;
    __asm__ volatile("mov $0x30, %%ecx; mov $0x33, %%edx; arpl %%dx, %%cx; pushf; pop %0; mov %%ecx, %1"
                     : "=r"(flags), "=r"(v)::"ecx", "edx");
    check_eq(v, 0x33);
    check(flags & 0x40);
    __asm__ volatile("mov $0x33, %%ecx; mov $0x31, %%edx; arpl %%dx, %%cx; pushf; pop %0; mov %%ecx, %1"
                     : "=r"(flags), "=r"(v)::"ecx", "edx");
    check_eq(v, 0x33);
    check(!(flags & 0x40));
    /* INTO, BOUND */
    t = TRY(__asm__ volatile("mov $0x7f, %%al; inc %%al; into" ::: "eax"));
    EXPECT(t, OF, 0);
    check_eq(*(uint8_t *)(t.eip - 1), 0xce);
    EXPECT(TRY(__asm__ volatile("xor %%eax, %%eax; into" ::: "eax")), -1, 0);
    int32_t bounds[2] = {-5, 10};
    EXPECT(TRY(__asm__ volatile("bound %0, %1" ::"r"(-5), "m"(bounds))), -1, 0);
    EXPECT(TRY(__asm__ volatile("bound %0, %1" ::"r"(10), "m"(bounds))), -1, 0);
    t = TRY(__asm__ volatile("bound %0, %1" ::"r"(11), "m"(bounds)));
    EXPECT(t, BR, 0);
    check_eq(*(uint8_t *)t.eip, 0x62);
    EXPECT(TRY(__asm__ volatile("bound %0, %1" ::"r"(-6), "m"(bounds))), BR, 0);
}

static void small_stacks(void)
{
    /* B clear: SP alone moves, the upper half of ESP stands */
    describe(SEL, (uint32_t)area, 0xffff, 0x93, 0);
    uint32_t esp, v;
    __asm__ volatile("mov %%esp, %%edx; mov %%ss, %%ecx; mov %w2, %%ss; mov $0xabcd0002, %%esp; pushw $0x1234; "
                     "mov %%esp, %0; pushw $0x5678; mov %%esp, %1; mov %%ecx, %%ss; mov %%edx, %%esp"
                     : "=&r"(esp), "=&r"(v)
                     : "r"(SEL)
                     : "ecx", "edx", "memory");
    check_eq(esp, 0xabcd0000);
    check_eq(v, 0xabcdfffe);
    check_eq(*(uint16_t *)area, 0x1234);
    check_eq(*(uint16_t *)(area + 0xfffe), 0x5678);
    __asm__ volatile("mov %%esp, %%edx; mov %%ss, %%ecx; mov %w2, %%ss; mov $0x1234fffc, %%esp; pop %0; "
                     "mov %%esp, %1; mov %%ecx, %%ss; mov %%edx, %%esp"
                     : "=&r"(v), "=&r"(esp)
                     : "r"(SEL)
                     : "ecx", "edx", "memory");
    check_eq(esp, 0x12340000);
    check_eq(v >> 16, 0x5678);
    /* ENTER, LEAVE and CALL use BP's and SP's 16 bits likewise */
    __asm__ volatile("push %%ebp; mov %%esp, %%edx; mov %%ss, %%ecx; mov %w2, %%ss; mov $0x77770100, %%esp; "
                     "mov $0x8888aaaa, %%ebp; enter $16, $0; mov %%esp, %0; leave; mov %%esp, %1;"
                     "mov %%ecx, %%ss; mov %%edx, %%esp; pop %%ebp"
                     : "=&a"(v), "=&S"(esp)
                     : "D"(SEL)
                     : "ecx", "edx", "memory");
    check_eq(v, 0x777700ec);
    check_eq(esp, 0x77770100);
    /* pushing a segment register takes a whole slot of the stack */
    __asm__ volatile("mov %%esp, %%edx; push %%fs; mov %%esp, %0; mov %%edx, %%esp; sub %%edx, %0" : "=r"(v)::"edx");
    check_eq(v, -4u);
}

uint32_t fast_seen[4];
__asm__(
    ".globl fast_entry, fast_user\n"
    "fast_entry: mov %cs, %eax; mov %eax, fast_seen; mov %ss, %eax; mov %eax, fast_seen + 4; mov %esp, fast_seen + "
    "8\n"
    "  pushf; pop %eax; mov %eax, fast_seen + 12; sti; mov %esi, %edx; mov %edi, %ecx; mov $0x4321, %eax; sysexit\n"
    "fast_user: mov $1f, %esi; mov %esp, %edi; push $0x10202; popf; sysenter; ud2\n"
    "1: mov %cs, %ecx; mov %ss, %edx; shl $16, %edx; or %edx, %ecx; mov %ecx, %eax; int $0x80\n");
extern void fast_entry(void), fast_user(void);
static void sysenter(void)
{
    uint32_t id[4];
    cpuid(1, 0, id);
    if (!(id[3] & 1 << 11)) {
        skip("no SYSENTER");
        return;
    }
    uint64_t *d = &gdt[FAST / 8];
    d[0] = gdt[CODE32 / 8];
    d[1] = gdt[DATA32 / 8];
    d[2] = gdt[USER_CODE / 8];
    d[3] = gdt[USER_DATA / 8];
    wrmsr(0x174, 0);
    EXPECT(TRY(call_user(fast_user, 0)), GP, 0);
    EXPECT(TRY(__asm__ volatile("sysexit")), GP, 0);
    wrmsr(0x174, FAST);
    wrmsr(0x175, (uint32_t)area + 0x1000);
    wrmsr(0x176, (uint32_t)fast_entry);
    /* SYSEXIT takes EDX as EIP and ECX as ESP */
    uint32_t v = call_user(fast_user, 0);
    check_eq(v & 0xffff, (FAST + 16) | 3);
    check_eq(v >> 16, (FAST + 24) | 3);
    check_eq(fast_seen[0] & 0xffff, FAST);
    check_eq(fast_seen[1] & 0xffff, FAST + 8);
    check_eq(fast_seen[2], (uint32_t)area + 0x1000);
    check_eq(fast_seen[3] & 0x30200, 0); /* IF, RF, VM clear */
    EXPECT(USER("\x0f\x35"), GP, 0);
}

void guest_main(void)
{
    pic_disable();
    area = alloc_pages(40);
    code = alloc_pages(1);
    __asm__ volatile("lldt %w0" ::"r"(0));
    limits();
    types();
    privilege();
    call_gates();
    far_pointers();
    small_stacks();
    sysenter();
}
