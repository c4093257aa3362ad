/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments and changes of privilege in long mode: SYSCALL, SWAPGS, call gates, far returns, compatibility mode,
 * segment bases, LAR/LSL/VERR/VERW, LDT.
 * Spec: Intel SDM vol 3 chapter 5 (5.8), vol 2 SYSCALL, SYSRET, CALL, RET, IRET, LAR, LSL; AMD APM vol 2 section 4.8.
 */
#include "lib/guest.h"

enum { UD = 6, NP = 11, SS = 12, GP = 13 };
enum { GATE = 0x50, SLOT = 0x60, LDT = 0x70 };
#define SCE 1
#define AC (1 << 18)

uint64_t seen[8];
/* What the kernel's end of SYSCALL and of the call gate notes: RCX R11 flags CS SS RSP, and the frame. */
__asm__(".globl sys_entry, sys_entry32, gate_entry, gate_entry_pop\n"
        "sys_entry:\n"
        "  mov %rcx, seen; mov %r11, seen + 8; mov %rsp, seen + 40; mov boot_stack, %rsp\n"
        "  pushfq; popq seen + 16; mov %cs, seen + 24; mov %ss, seen + 32\n"
        "  mov seen + 40, %rsp; mov $0x5a5a, %eax; sysretq\n"
        "sys_entry32:\n"
        "  mov %rcx, seen; mov $0x1111, %eax; sysretl\n"
        "gate_entry:\n"
        "  mov (%rsp), %rax; mov %rax, seen; mov 8(%rsp), %rax; mov %rax, seen + 8; mov 16(%rsp), %rax; mov %rax, "
        "seen + 16\n"
        "  mov 24(%rsp), %rax; mov %rax, seen + 24; mov %ss, %eax; mov %rax, seen + 32; mov %rsp, seen + 40; "
        "mov %cs, %eax; mov %rax, seen + 48\n"
        "  mov $0x6666, %eax; lretq\n"
        "gate_entry_pop:\n"
        "  pop %rdx; pop %rcx; sub $16, %rsp; push %rcx; push %rdx; mov $0x7777, %eax; lretq $16\n"
        ".globl user_syscall, user_gate, user_gate_pop, user_gate_low, user_ss\n"
        "user_syscall: mov $0, %eax; push $0x40cd7; popfq; 1: syscall; 2: push %rax; pushfq; pop %rcx; "
        "xor $0x8d7, %ecx; test $0x8d5, %ecx; pop %rax; jz 3f; xor %eax, %eax; 3: int $0x80\n"
        "user_gate: mov %rsp, %rbx; lcall *gate_target(%rip); cmp %rsp, %rbx; je 4f; xor %eax, %eax; 4: int $0x80\n"
        "user_gate_pop: push %rax; push %rax; mov %rsp, %rbx; lcall *gate_target(%rip); sub $16, %rsp; "
        "cmp %rsp, %rbx; je 5f; xor %eax, %eax; 5: int $0x80\n"
        "user_ss: mov %ss, %eax; mov %cs, %ecx; shl $16, %ecx; or %ecx, %eax; int $0x80\n"
        "gate_target: .long 0; .word 0x50\n"
        ".globl gate_target\n");
extern void sys_entry(void), sys_entry32(void), gate_entry(void), gate_entry_pop(void);
extern void user_syscall(void), user_gate(void), user_gate_pop(void), user_ss(void);
uint64_t boot_stack;
static uint8_t *low; /* a page below 4 GiB that user mode may use */

static void set_up(void)
{
    boot_stack = (uint64_t)alloc_pages(1) + 4096;
    low = alloc_pages(2);
    pml4[0] |= 4;
    for (unsigned i = 0; i < 4; i++) {
        pdpt[i] |= 4;
    }
    *pte_of(low) |= 4;
    *pte_of(low + 4096) |= 4;
    write_cr3(read_cr3());
    __asm__ volatile("lldt %w0" ::"r"(0));
}

static void syscalls(void)
{
    wrmsr(0xc0000081, (uint64_t)0x28 << 48 | (uint64_t)0x08 << 32);
    wrmsr(0xc0000082, (uint64_t)sys_entry);
    wrmsr(0xc0000084, 0x40ad5); /* clears AC, OF... arithmetic flags but DF */
    check_eq(call_user(user_syscall, 0), 0x5a5a);
    check(seen[0] - USER_ALIAS > (uint64_t)user_syscall &&
          seen[0] - USER_ALIAS < (uint64_t)user_syscall + 64); /* RCX */
    check_eq(seen[1] & 0x40cd5, 0x40cd5 & ~0x200);             /* R11: the flags before; IOPL 0 kept IF as it was */
    check_eq(seen[2] & 0x40cd7, (0x40cd7 & ~0x40ad5 & ~0x200) | 2);
    check_eq(seen[3] & 0xffff, 8);
    check_eq(seen[4] & 0xffff, 0x10);
    check(seen[5] > USER_ALIAS); /* RSP is not switched */
    /* to 32-bit code */
    memcpy(low, "\x0f\x05\x40\xcd\x80", 5); /* SYSCALL from compatibility mode: inc %eax after it */
    uint32_t id[4];
    cpuid(0, 0, id);
    bool amd = id[2] == 0x444d4163;
    void far_user(void)
    {
        __asm__ volatile("push $0x33; push %0; push $2; push $0x2b; push %1; mov %%rsp, tss + 4; "
                         "iretq" ::"r"((uint64_t)low + 4096),
                         "r"((uint64_t)low));
    }
    wrmsr(0xc0000083, (uint64_t)sys_entry32);
    if (amd) { /* Intel knows no SYSCALL there */
        static uint64_t result;
        bool leave(Frame * f)
        {
            result = f->rax;
            return false;
        }
        set_handler(6, leave);
        memcpy(low + 2, "\x40\x0f\x0b", 3); /* ends with UD2 */
        Trap t = TRY(far_user());
        set_handler(6, 0);
        check_eq(t.vector, UD);
        check_eq(t.cs, 0x2b);
        check_eq(t.ss, 0x33);
        check_eq(t.rip, (uint64_t)low + 3);
        check_eq(result, 0x1112);
        check_eq(seen[0], (uint64_t)low + 2);
    }
    wrmsr(0xc0000080, rdmsr(0xc0000080) & ~(uint64_t)SCE);
    check_eq(TRY(call_user(user_syscall, 0)).vector, UD);
    check_eq(TRY(__asm__ volatile("sysretq" ::: "memory")).vector, UD);
    wrmsr(0xc0000080, rdmsr(0xc0000080) | SCE);
}

static void call_gates(void)
{
    uint64_t *g = &gdt[GATE / 8];
    void gate(void *to, uint64_t dpl, uint64_t sel)
    {
        uint64_t a = (uint64_t)to;
        g[0] = (a & 0xffff) | sel << 16 | (0x8cull | dpl << 5) << 40 | (a >> 16 & 0xffff) << 48;
        g[1] = a >> 32;
    }
    gate(gate_entry, 3, 8);
    check_eq(call_user(user_gate, 0), 0x6666);
    check_eq(seen[1], 0x3b); /* the caller's CS, RSP and SS are on the new stack */
    check_eq(seen[3], 0x33);
    check(seen[2] > USER_ALIAS);
    check_eq(seen[4] & 0xffff, 0); /* SS is null */
    check_eq(seen[5], *(uint64_t *)(tss + 4) - 32);
    check_eq(seen[6] & 0xffff, 8);
    gate(gate_entry_pop, 3, 8);
    check_eq(call_user(user_gate_pop, 0), 0x7777);
    check_eq(call_user(user_ss, 0), 0x3b0033);
    /* what refuses */
    gate(gate_entry, 0, 8);
    Trap t = TRY(call_user(user_gate, 0));
    check_eq(t.vector, GP);
    check_eq(t.error, GATE);
    gate(gate_entry, 3, 8);
    g[0] &= ~(1ull << 47);
    t = TRY(call_user(user_gate, 0));
    check_eq(t.vector, NP);
    check_eq(t.error, GATE);
    gate(gate_entry, 3, 0);
    t = TRY(call_user(user_gate, 0));
    check_eq(t.vector, GP);
    check_eq(t.error, 0);
    gate(gate_entry, 3, 0x18); /* not 64-bit code */
    t = TRY(call_user(user_gate, 0));
    check_eq(t.vector, GP);
    check_eq(t.error, 0x18);
    gate(gate_entry, 3, 0x10);
    t = TRY(call_user(user_gate, 0));
    check_eq(t.vector, GP);
    check_eq(t.error, 0x10);
    gate(gate_entry, 3, 8);
    g[1] |= 0x0c00ull << 32; /* the type field of the upper half must be 0 */
    t = TRY(call_user(user_gate, 0));
    check_eq(t.vector, GP);
    check_eq(t.error, GATE);
    gate((void *)(1ull << 47), 3, 8);
    t = TRY(call_user(user_gate, 0));
    check_eq(t.vector, GP);
    check_eq(t.error, 0);
    /* at the same privilege a call gate keeps the stack */
    gate(gate_entry, 0, 8);
    uint64_t rsp, rax;
    __asm__ volatile("mov %%rsp, %0; lcall *gate_target(%%rip)" : "=&r"(rsp), "=a"(rax)::"rcx", "memory");
    check_eq(rax, 0x6666);
    check_eq(seen[5], rsp - 16);
    check_eq(seen[1], 8);
    g[0] = g[1] = 0;
}

static void compatibility(void)
{
    /* ring 0: IRETQ to 32-bit code and back; 40h is INC EAX there, a REX prefix here */
    static const uint8_t code[] = {0xb8, 1,    0,    0,    0,   0x40,
                                   0x40, 0x8c, 0xc9, 0xff, 0x2b}; /* ... mov %cs,%ecx; ljmp *(%ebx) */
    memcpy(low, code, sizeof(code));
    uint32_t *target = (uint32_t *)(low + 64);
    uint64_t rax, rcx;
    __asm__ volatile("mov %w0, %%ss" ::"r"(0x10)); /* null since user mode was left */
    __asm__ volatile("lea 1f(%%rip), %%rax; mov %%eax, (%%rbx); movl $8, 4(%%rbx); mov %%ss, %%eax; push %%rax; "
                     "lea 8(%%rsp), %%rax; push %%rax;"
                     "pushfq; push $0x18; push %3; mov $-1, %%rax; iretq; 1:"
                     : "=a"(rax), "=c"(rcx)
                     : "b"(target), "r"((uint64_t)low)
                     : "rdx", "memory");
    check_eq(rax, 3);
    check_eq(rcx & 0xffff, 0x18);
    /* ring 3 */
    memcpy(low, "\xb8\x01\x00\x00\x00\x40\x40\xcd\x80", 9);
    void far_user(void)
    {
        __asm__ volatile("push $0x33; push %0; push $2; push $0x2b; push %1; iretq" ::"r"((uint64_t)low + 8192),
                         "r"((uint64_t)low));
    }
    memcpy(low + 7, "\x0f\x0b", 2);
    static uint64_t result, mask;
    bool note(Frame * f)
    {
        result = f->rax;
        mask = f->rsp;
        return false;
    }
    set_handler(UD, note);
    Trap t = TRY(far_user());
    check_eq(t.vector, UD);
    check_eq(result, 3);
    check_eq(t.cs, 0x2b);
    check_eq(t.ss, 0x33);
    check_eq(mask, (uint64_t)low + 8192);
    /* invalid in 64-bit mode, valid here: PUSHA, DAA, INTO (which traps when OF is set), BOUND */
    memcpy(low, "\x60\x61\x27\xb0\x7f\xfe\xc0\xce\x0f\x0b", 10);
    t = TRY(far_user());
    check_eq(t.vector, 4);
    check_eq(t.rip, (uint64_t)low + 8);
    memcpy(low, "\x6a\x33\x1f\xb8\x0b\x00\x00\x00\x62\x05", 10); /* PUSH 33h, POP DS, MOV EAX, BOUND */
    *(uint32_t *)(low + 10) = (uint32_t)(uint64_t)low + 128;
    ((int32_t *)(low + 128))[0] = 0;
    ((int32_t *)(low + 128))[1] = 10;
    t = TRY(far_user());
    check_eq(t.vector, 5);
    check_eq(t.rip, (uint64_t)low + 8);
    /* segment limits count again: data segment of one page */
    gdt[SLOT / 8] = 0x0040f30000000fffull;
    memcpy(low, "\xb8\x63\x00\x00\x00\x8e\xd8\xa0\xff\x0f\x00\x00\xa0\x00\x10\x00\x00", 17);
    *(uint8_t *)pte_of((void *)0) |= 4;
    write_cr3(read_cr3());
    t = TRY(far_user());
    __asm__ volatile("mov %0, %%ds" ::"r"(0x10));
    check_eq(t.vector, GP);
    check_eq(t.error, 0);
    check_eq(t.rip, (uint64_t)low + 12);
    /* user code cannot enter a 64-bit address from there, but can far jump to 64-bit code */
    memcpy(low, "\xea\x00\x00\x00\x00\x3b\x00\x48\x31\xc0\x48\xff\xc8\x0f\x0b", 15);
    *(uint32_t *)(low + 1) = (uint32_t)(uint64_t)low + 7;
    t = TRY(far_user());
    check_eq(t.vector, UD);
    check_eq(result, -1ull);
    check_eq(t.cs, 0x3b);
    set_handler(UD, 0);
}

static void bases(void)
{
    static uint64_t words[4] = {11, 22, 33, 44};
    uint64_t v;
    wrmsr(0xc0000100, (uint64_t)words);
    __asm__ volatile("mov %%fs:8, %0" : "=r"(v));
    check_eq(v, 22);
    wrmsr(0xc0000101, (uint64_t)&words[1]);
    wrmsr(0xc0000102, (uint64_t)&words[2]);
    __asm__ volatile("swapgs; mov %%gs:0, %0; swapgs" : "=r"(v));
    check_eq(v, 33);
    __asm__ volatile("mov %%gs:0, %0" : "=r"(v));
    check_eq(v, 22);
    check_eq(rdmsr(0xc0000102), (uint64_t)&words[2]);
    /* SWAPGS and CLI leave the arithmetic flags alone */
    uint8_t carry, zero;
    __asm__ volatile("stc; swapgs; cli; swapgs; setc %0; cmp %1, %1; cli; swapgs; cli; swapgs; setz %b1"
                     : "=&q"(carry), "=q"(zero));
    check_eq(carry, 1);
    check_eq(zero, 1);
    __asm__ volatile("swapgs; swapgs; swapgs; mov %%gs:0, %0; swapgs" : "=r"(v));
    check_eq(v, 33);
    check_eq(read_flags() & 0x200, 0);
    /* a base above 4 GiB, and wrap-around of the sum */
    wrmsr(0xc0000100, -8ull);
    __asm__ volatile("mov %%fs:(%1), %0" : "=r"(v) : "r"((uint64_t)words + 8));
    check_eq(v, 11);
    /* loading the selector takes the base from the descriptor; those of DS, ES, SS are ignored */
    gdt[SLOT / 8] = 0x00cf92000000ffffull | ((uint64_t)words & 0xffffff) << 16 | ((uint64_t)words >> 24 & 0xff) << 56;
    __asm__ volatile("mov %1, %%fs; mov %%fs:24, %0" : "=r"(v) : "r"(SLOT));
    check_eq(v, 44);
    check_eq(rdmsr(0xc0000100), (uint64_t)words);
    __asm__ volatile("mov %1, %%ds; mov (%2), %0; mov %3, %%ds" : "=&r"(v) : "r"(SLOT), "r"(words), "r"(0x10));
    check_eq(v, 11);
    check_eq(gdt[SLOT / 8] >> 40 & 1, 1); /* accessed */
    /* no limit in 64-bit mode */
    gdt[SLOT / 8] = 0x0040930000000000ull;
    __asm__ volatile("mov %1, %%fs; mov %%fs:(%2), %0" : "=&r"(v) : "r"(SLOT), "r"(words));
    check_eq(v, 11);
    uint32_t id[4];
    cpuid(7, 0, id);
    if (id[1] & 1) {
        uint64_t cr4 = read_cr4();
        check_eq(TRY(__asm__ volatile("rdfsbase %%rax" ::: "rax")).vector, UD);
        write_cr4(cr4 | 1 << 16);
        __asm__ volatile("wrfsbase %1; rdfsbase %0" : "=r"(v) : "r"((uint64_t)words));
        check_eq(v, (uint64_t)words);
        check_eq(TRY(__asm__ volatile("wrgsbase %0" ::"r"(1ull << 47))).vector, GP);
        __asm__ volatile("wrgsbase %1; mov %%gs:16, %0" : "=r"(v) : "r"((uint64_t)words));
        check_eq(v, 33);
        write_cr4(cr4);
    } else {
        skip("no FSGSBASE");
    }
}

static int lar(uint64_t sel, uint32_t *out)
{
    uint8_t zf;
    uint32_t v = 0;
    __asm__ volatile("lar %2, %0; setz %1" : "+r"(v), "=qm"(zf) : "r"((uint32_t)sel) : "cc");
    *out = v;
    return zf;
}
static int lsl(uint64_t sel, uint32_t *out)
{
    uint8_t zf;
    uint32_t v = 0;
    __asm__ volatile("lsl %2, %0; setz %1" : "+r"(v), "=qm"(zf) : "r"((uint32_t)sel) : "cc");
    *out = v;
    return zf;
}
#define VERIFY(insn, sel)                                                                                            \
    ({                                                                                                               \
        uint8_t zf_;                                                                                                 \
        __asm__ volatile(insn " %w1; setz %0" : "=qm"(zf_) : "r"(sel) : "cc");                                       \
        zf_;                                                                                                         \
    })

static void verify(void)
{
    uint32_t v;
    check_eq(lar(0x10, &v), 1);
    check_eq(v & 0xf0ff00, 0xc09300); /* bits 19:16 are undefined */
    check_eq(lsl(0x10, &v), 1);
    check_eq(v, 0xffffffff);
    check_eq(lar(0, &v), 0);
    check_eq(lar(3, &v), 0);
    check_eq(lar(0x3000, &v), 0);
    check_eq(lar(0x14, &v), 0); /* no LDT */
    check_eq(lar(0x40, &v), 1);
    check_eq(v & 0x1f00, 0x0b00); /* busy 64-bit TSS */
    check_eq(lsl(0x40, &v), 1);
    check_eq(v, 0x67);
    gdt[GATE / 8] = 0x00008c0000080000ull;
    gdt[GATE / 8 + 1] = 0;
    check_eq(lar(GATE, &v), 1); /* call gate: LAR yes, LSL no */
    check_eq(lsl(GATE, &v), 0);
    gdt[GATE / 8] = 0x00008e0000080000ull;
    check_eq(lar(GATE, &v), 0); /* interrupt gate */
    gdt[GATE / 8] = 0x0000850000080000ull;
    check_eq(lar(GATE, &v), 0); /* task gate: not in long mode */
    gdt[GATE / 8] = 0x0000830000000067ull;
    check_eq(lar(GATE, &v), 0); /* 16-bit TSS: not in long mode */
    gdt[GATE / 8] = 0x0000020000000123ull;
    check_eq(lsl(GATE, &v), 1); /* LDT, not present: LSL does not mind */
    check_eq(v, 0x123);
    gdt[SLOT / 8] = 0x0008920000001234ull | 1ull << 55; /* granular */
    check_eq(lsl(SLOT, &v), 1);
    check_eq(v, 0x81234fff);
    check_eq(lar(0x13, &v), 0); /* RPL 3 against DPL 0 */
    check_eq(lar(0x33, &v), 1);
    check_eq(VERIFY("verr", 0x10), 1);
    check_eq(VERIFY("verw", 0x10), 1);
    check_eq(VERIFY("verr", 0x08), 1);
    check_eq(VERIFY("verw", 0x08), 0);
    check_eq(VERIFY("verr", 0x13), 0);
    check_eq(VERIFY("verr", 0x40), 0);
    check_eq(VERIFY("verr", 0), 0);
    gdt[SLOT / 8] = 0x00cf90000000ffffull; /* read-only */
    check_eq(VERIFY("verr", SLOT), 1);
    check_eq(VERIFY("verw", SLOT), 0);
    gdt[SLOT / 8] = 0x00af98000000ffffull; /* execute-only */
    check_eq(VERIFY("verr", SLOT), 0);
    gdt[SLOT / 8] = 0x00af9e000000ffffull; /* conforming, readable: any privilege */
    check_eq(VERIFY("verr", SLOT + 3), 1);
    gdt[SLOT / 8] = 0x00cf12000000ffffull; /* not present: still readable by VERR */
    check_eq(VERIFY("verr", SLOT), 1);
    /* ZF is the only flag */
    uint64_t flags;
    __asm__ volatile("push $0x8d7; popfq; verr %w1; pushfq; pop %0" : "=r"(flags) : "r"(0));
    check_eq(flags & 0x8d5, 0x895);
}

static void local_table(void)
{
    uint64_t *table = alloc_pages(1);
    uint64_t a = (uint64_t)table;
    table[1] = 0x00cf92000000ffffull;
    gdt[LDT / 8] = 15 | (a & 0xffffff) << 16 | 0x82ull << 40 | (a >> 24 & 0xff) << 56;
    gdt[LDT / 8 + 1] = a >> 32;
    __asm__ volatile("lldt %w0" ::"r"(LDT));
    uint64_t sel;
    __asm__ volatile("sldt %0" : "=r"(sel));
    check_eq(sel, LDT);
    check_eq(TRY(__asm__ volatile("mov %0, %%ds; mov %1, %%ds" ::"r"(0xc), "r"(0x10))).vector, -1);
    check_eq(table[1] >> 40 & 1, 1);
    Trap t = TRY(__asm__ volatile("mov %0, %%ds" ::"r"(0x14)));
    check_eq(t.vector, GP);
    check_eq(t.error, 0x14);
    t = TRY(__asm__ volatile("mov %0, %%ss" ::"r"(0x4)));
    check_eq(t.error, 0x4);         /* entry 0 of the LDT is no null selector */
    gdt[LDT / 8 + 1] |= 1ull << 40; /* upper type field */
    check_eq(TRY(__asm__ volatile("lldt %w0" ::"r"(LDT))).error, LDT);
    __asm__ volatile("lldt %w0" ::"r"(0));
    check_eq(TRY(__asm__ volatile("mov %0, %%ds" ::"r"(0xc))).error, 0xc);
}

static void far_transfers(void)
{
    uint64_t rsp, back;
    __asm__ volatile("mov %%rsp, %%rdx; push $8; lea 1f(%%rip), %%rax; push %%rax; lretq; ud2; 1: mov %%rsp, %0; "
                     "sub %%rdx, %0"
                     : "=&r"(rsp)::"rax", "rdx", "memory");
    check_eq(rsp, 0);
    __asm__ volatile("mov %%rsp, %%rdx; sub $8, %%rsp; movl $8, 4(%%rsp); lea 1f(%%rip), %%rax; mov %%eax, (%%rsp); "
                     "lretl; ud2; 1: mov %%rsp, %0; sub %%rdx, %0"
                     : "=&r"(rsp)::"rax", "rdx", "memory");
    check_eq(rsp, 0);
    /* conforming code keeps CPL: RPL of CS stays 0 */
    gdt[SLOT / 8] = 0x00af9e000000ffffull;
    __asm__ volatile("push %1; lea 1f(%%rip), %%rax; push %%rax; lretq; 1: mov %%cs, %0; push $8; "
                     "lea 2f(%%rip), %%rax; push %%rax; lretq; 2:"
                     : "=&r"(back)
                     : "i"(SLOT)
                     : "rax", "memory");
    check_eq(back & 0xffff, SLOT);
    /* IRETQ always pops SS:RSP; IRET with another operand size pops 32-bit words */
    __asm__ volatile(
        "mov %%rsp, %%rdx; mov %%rsp, %%rcx; mov %%ss, %%eax; push %%rax; lea 8(%%rsp), %%rax; "
        "push %%rax; pushfq; push $8; lea 1f(%%rip), %%rax; push %%rax; iretq; 1: mov %%rsp, %0; sub %%rdx, %0"
        : "=&r"(rsp)::"rax", "rcx", "rdx", "memory");
    check_eq(rsp, 0);
    __asm__ volatile("mov %%rsp, %%rdx; sub $20, %%rsp; lea 1f(%%rip), %%rax; mov %%eax, (%%rsp); "
                     "movl $8, 4(%%rsp); movl $2, 8(%%rsp); mov %%edx, 12(%%rsp); movl $0x10, 16(%%rsp); iretl; "
                     "1: mov %%rsp, %0; sub %%rdx, %0"
                     : "=&r"(rsp)::"rax", "rdx", "memory");
    check_eq(rsp, 0);
    /* flags that IRET may change at CPL 0 */
    uint64_t flags;
    __asm__ volatile("mov %%ss, %%eax; push %%rax; lea 8(%%rsp), %%rax; push %%rax; push $0x243cd7; push $8; "
                     "lea 1f(%%rip), %%rax; push %%rax; iretq; 1: pushfq; pop %0; push $2; popfq"
                     : "=r"(flags)::"rax", "memory");
    check_eq(flags & 0x243cd7, 0x243cd7);
    write_flags(2);
}

void guest_main(void)
{
    set_up();
    syscalls();
    call_gates();
    compatibility();
    bases();
    verify();
    local_table();
    far_transfers();
}
