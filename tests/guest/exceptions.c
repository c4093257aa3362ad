/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions in 64-bit mode: vector, error code, pushed RIP and RFLAGS, double faults, IST, privilege.
 * Spec: Intel SDM vol 3 chapter 6 (interrupts and exceptions), vol 2 (each instruction's exception list).
 */
#include "lib/guest.h"

enum { DE, DB, NMI, BP, OF, BR, UD, NM, DF, V9, TS, NP, SS, GP, PF, V15, MF, AC, MC, XM };
#define RF (1 << 16)

static uint8_t *code; /* a page for instructions given as bytes */
static unsigned faults_without_rf;
static bool lax; /* the processor lets wrong values through (seen with emulators): leave out what would be fatal */
static uint64_t here; /* RIP an exception is expected to push */
/* Note the address of the next instruction (or, with AFTER, of the one after it). */
#define AT "lea 77f(%%rip), %%rax; mov %%rax, here(%%rip); 77: "
#define AFTER(insn) "lea 78f(%%rip), %%rax; mov %%rax, here(%%rip); " insn "; 78: "

static Trap run_bytes(const char *bytes, size_t n)
{
    memcpy(code, bytes, n);
    code[n] = 0xc3;
    here = (uint64_t)code;
    return try_call((void (*)(void *))code, 0);
}
#define BYTES(text) run_bytes(text, sizeof(text) - 1)

static void expect(Trap t, int vector, uint64_t error, const char *what, int line)
{
    check_at(t.vector == vector, what, __FILE__, line, (uint64_t)t.vector, (uint64_t)vector);
    if (t.vector == vector && vector >= 0) {
        check_at(t.error == error, what, __FILE__, line, t.error, error);
    }
}
#define EXPECT(t, vector, error) expect(t, vector, error, #t, __LINE__)
/* A fault: RIP is the instruction's own, RF is set in the image (vol 3 17.3.1.1). */
#define EXPECT_FAULT(t, vector, error)                                                                               \
    do {                                                                                                             \
        Trap t_ = (t);                                                                                               \
        expect(t_, vector, error, #t, __LINE__);                                                                     \
        check_at(t_.rip == here, #t ": rip", __FILE__, __LINE__, t_.rip, here);                                      \
        faults_without_rf += !(t_.rflags & RF);                                                                      \
    } while (0)
#define EXPECT_UD(text) EXPECT_FAULT(BYTES(text), UD, 0)

static void undefined_opcodes(void)
{
    EXPECT_UD("\x0f\x0b");
    EXPECT_UD("\x0f\xb9\xc0");
    EXPECT_UD("\x0f\xff\xc0");
    /* invalid in 64-bit mode */
    static const uint8_t gone[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37,
                                   0x3f, 0x60, 0x61, 0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea, 0x82};
    for (unsigned i = 0; i < sizeof(gone); i++) {
        char b[8] = {(char)gone[i], 10, 0, 0, 0, 0, 0, 0};
        EXPECT_FAULT(run_bytes(b, 8), UD, 0);
    }
    /* LOCK where it is not allowed */
    EXPECT_UD("\xf0\x90");
    EXPECT_UD("\xf0\x01\xc0");
    EXPECT_UD("\xf0\x03\x44\x24\xf0");
    EXPECT_UD("\xf0\x88\x44\x24\xf0");
    EXPECT_UD("\xf0\x39\x44\x24\xf0");
    EXPECT_UD("\xf0\x0f\xa3\x44\x24\xf0");
    EXPECT_UD("\xf0\xc1\x64\x24\xf0\x01");
    EXPECT_UD("\xf0\x0f\xc7\xc8");
    /* group opcodes without a meaning, register forms of memory instructions */
    EXPECT_UD("\xfe\xd0");
    EXPECT_UD("\xff\xf8");
    EXPECT_UD("\xff\xe8");
    EXPECT_UD("\x8f\xc8\x50\x90\x90");
    EXPECT_UD("\xc6\xc8\x00");
    EXPECT_UD("\x8d\xc0");
    EXPECT_UD("\x0f\xc7\xc8");
    EXPECT_UD("\x0f\xba\xc0\x00");
    EXPECT_UD("\x0f\xb2\xc0");
    EXPECT_UD("\x0f\xae\xc0");
    EXPECT_UD("\x0f\x01\xd0\x90"); /* XGETBV with CR4.OSXSAVE clear */
    EXPECT_UD("\x0f\x00\xf0");
    EXPECT_UD("\x0f\x38\xff\x00");
    EXPECT_UD("\x0f\xc3\xc0");
    EXPECT_UD("\x0f\xe7\xc0");
    EXPECT_UD("\x0f\x2b\xc0");
    /* control, debug and segment registers that do not exist */
    EXPECT_UD("\x8e\xc8");
    EXPECT_UD("\x8e\xf0");
    EXPECT_UD("\x8c\xf0");
    EXPECT_UD("\x0f\x20\xc8");
    EXPECT_UD("\x0f\x22\xe8");
    EXPECT_UD("\x0f\x20\xf8");
    EXPECT_UD("\x44\x0f\x20\xc8");
    EXPECT_UD("\x0f\xaa"); /* RSM outside SMM */
    /* reserved NOPs and prefixes are none of these */
    EXPECT(BYTES("\x0f\x1f\xc0"), -1, 0);
    EXPECT(BYTES("\x0f\x18\x04\x24"), -1, 0);
    EXPECT(BYTES("\x0f\x0d\x04\x24"), -1, 0);
    EXPECT(BYTES("\xf3\x0f\x1e\xfa"), -1, 0);
    EXPECT(BYTES("\x26\x2e\x36\x3e\x90"), -1, 0);
    /* an instruction has 15 bytes at most */
    EXPECT(BYTES("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"), -1, 0);
    EXPECT_FAULT(BYTES("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"), GP, 0);
    EXPECT_FAULT(BYTES("\xf0\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\x0b"), GP, 0);
}

static void arithmetic_and_traps(void)
{
    EXPECT_FAULT(TRY(__asm__ volatile(AT "divb %%cl" ::"a"(1), "c"(0))), DE, 0);
    EXPECT_FAULT(TRY(__asm__ volatile("mov $1, %%edx; xor %%ecx, %%ecx; " AT "div %%rcx" ::
                                          : "rax", "rcx", "rdx")),
                 DE, 0);
    EXPECT_FAULT(TRY(__asm__ volatile("mov $-1, %%ecx; mov $-1, %%edx; lea 77f(%%rip), %%rax; mov %%rax, here(%%rip);"
                                      "mov $0x80000000, %%eax; 77: idivl %%ecx" ::
                                          : "rax", "rcx", "rdx")),
                 DE, 0);
    EXPECT_FAULT(TRY(__asm__ volatile("mov $0x100, %%ecx; mov $0x100, %%edx;" AT "divw %%cx" ::
                                          : "rax", "rcx", "rdx")),
                 DE, 0);
    /* traps: RIP after the instruction, RF as it was */
    Trap t = TRY(__asm__ volatile(AFTER("int3")::: "rax"));
    EXPECT(t, BP, 0);
    check_eq(t.rip, here);
    check_eq(t.rflags & RF, 0);
    t = TRY(__asm__ volatile(AFTER(".byte 0xcd, 3")::: "rax"));
    EXPECT(t, BP, 0);
    check_eq(t.rip, here);
    t = TRY(__asm__ volatile(AFTER("int $4")::: "rax"));
    EXPECT(t, OF, 0);
    check_eq(t.rip, here);
    t = TRY(__asm__ volatile("int $31" ::: "rax"));
    EXPECT(t, 31, 0);
    /* ICEBP is a #DB without DPL check and without bits in DR6 */
    write_dr6(0xffff0ff0);
    t = TRY(__asm__ volatile(AFTER(".byte 0xf1")::: "rax"));
    EXPECT(t, DB, 0);
    check_eq(t.rip, here);
    check_eq(t.dr6 & 0xe00f, 0);
}

static void device_not_available(void)
{
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();
    write_cr0(cr0 | 8);                                             /* TS */
    EXPECT_FAULT(BYTES("\xd9\xd0"), NM, 0);                         /* FNOP */
    EXPECT_FAULT(BYTES("\xdb\xe3"), NM, 0);                         /* FNINIT */
    EXPECT_FAULT(BYTES("\x0f\x77"), NM, 0);                         /* EMMS */
    EXPECT_FAULT(BYTES("\x0f\x28\xc0"), NM, 0);                     /* MOVAPS */
    EXPECT_FAULT(BYTES("\x9b"), NM, 0);                             /* WAIT: MP and TS */
    EXPECT_FAULT(BYTES("\x0f\xae\x14\x24"), NM, 0);                 /* LDMXCSR */
    EXPECT_FAULT(BYTES("\x0f\xae\x04\x25\x00\x70\x00\x00"), NM, 0); /* FXSAVE */
    write_cr0((cr0 | 8) & ~2ull);
    EXPECT(BYTES("\x9b"), -1, 0); /* without MP */
    EXPECT_FAULT(BYTES("\xd9\xd0"), NM, 0);
    write_cr0(cr0 | 4); /* EM */
    EXPECT_FAULT(BYTES("\xd9\xd0"), NM, 0);
    EXPECT(BYTES("\x9b"), -1, 0);
    EXPECT_UD("\x0f\x77"); /* MMX and SSE with EM: #UD before #NM */
    EXPECT_UD("\x0f\x28\xc0");
    write_cr0(cr0 | 12);
    EXPECT_UD("\x0f\x28\xc0");
    EXPECT_UD("\x0f\x77");
    write_cr0(cr0);
    write_cr4(cr4 & ~0x200ull); /* OSFXSR */
    EXPECT_UD("\x0f\x28\xc0");
    EXPECT_UD("\x66\x0f\x6f\xc0");
    EXPECT(BYTES("\x0f\x77"), -1, 0);
    write_cr4(cr4);
    EXPECT(BYTES("\x0f\x06"), -1, 0); /* CLTS */
}

static void floating_point(void)
{
    /* x87: the fault comes with the next waiting instruction */
    static const uint16_t unmask_ze = 0x037b;
    Trap t = TRY(__asm__ volatile("fninit; fldcw %0; fldz; fld1; fdiv %%st(1), %%st; fnstsw %%ax; "
                                  "fnstcw -16(%%rsp);" AT "fwait" ::"m"(unmask_ze)
                                  : "rax"));
    EXPECT_FAULT(t, MF, 0);
    __asm__ volatile("fninit");
    t = TRY(
        __asm__ volatile("fninit; fldcw %0; fldz; fld1; fdiv %%st(1), %%st; fnclex; fwait; fninit" ::"m"(unmask_ze)));
    EXPECT(t, -1, 0);
    t = TRY(__asm__ volatile("fninit; fldcw %0; fldz; fld1; fdiv %%st(1), %%st;" AT "emms" ::"m"(unmask_ze) : "rax"));
    EXPECT_FAULT(t, MF, 0);
    __asm__ volatile("fninit");
    /* SSE: at once, before the destination changes */
    static const uint32_t unmask = 0x1d80, one = 0x3f800000, reserved = 0x10000;
    t = TRY(__asm__ volatile(
        "ldmxcsr %0; movss %1, %%xmm0; xorps %%xmm1, %%xmm1;" AT "divss %%xmm1, %%xmm0" ::"m"(unmask), "m"(one)
        : "rax"));
    EXPECT_FAULT(t, XM, 0);
    uint32_t kept = 0;
    __asm__ volatile("movss %%xmm0, %0" : "=m"(kept));
    check_eq(kept, one);
    uint64_t cr4 = read_cr4();
    write_cr4(cr4 & ~0x400ull); /* OSXMMEXCPT clear: #UD */
    t = TRY(__asm__ volatile("movss %0, %%xmm0; xorps %%xmm1, %%xmm1;" AT "divss %%xmm1, %%xmm0" ::"m"(one) : "rax"));
    EXPECT_FAULT(t, UD, 0);
    write_cr4(cr4);
    EXPECT_FAULT(TRY(__asm__ volatile(AT "ldmxcsr %0" ::"m"(reserved) : "rax")), GP, 0);
    __asm__ volatile("ldmxcsr %0" ::"m"((uint32_t){0x1f80}));
    EXPECT_FAULT(TRY(__asm__ volatile("lea -63(%%rsp), %%rcx;" AT "movaps (%%rcx), %%xmm0" ::: "rax", "rcx")), GP, 0);
    uint32_t id[4];
    cpuid(1, 0, id);
    EXPECT_FAULT(TRY(__asm__ volatile("lea -56(%%rsp), %%rcx; and $-16, %%rcx; "
                                      "add $8, %%rcx;" AT "cmpxchg16b (%%rcx)" ::
                                          : "rax", "rcx")),
                 id[2] & 1 << 13 ? GP : UD, 0);
}

static void general_protection(void)
{
    /* non-canonical: #GP, through the stack #SS */
    EXPECT_FAULT(TRY(__asm__ volatile("mov $1, %%rcx; shl $63, %%rcx;" AT "mov (%%rcx), %%eax" ::
                                          : "rax", "rcx")),
                 GP, 0);
    EXPECT_FAULT(TRY(__asm__ volatile("mov $1, %%rcx; shl $47, %%rcx;" AT "mov %%eax, (%%rcx)" ::
                                          : "rax", "rcx")),
                 GP, 0);
    EXPECT_FAULT(TRY(__asm__ volatile("mov $1, %%rcx; shl $47, %%rcx; sub $3, %%rcx;" AT "mov %%eax, (%%rcx)" ::
                                          : "rax", "rcx")),
                 GP, 0);
    EXPECT_FAULT(TRY(__asm__ volatile("mov %%rbp, %%rdx; mov $1, %%rbp; shl $47, %%rbp;" AT "mov (%%rbp), %%eax" ::
                                          : "rax", "rdx")),
                 SS, 0);
    EXPECT_FAULT(TRY(__asm__ volatile("mov $1, %%rcx; shl $47, %%rcx; mov %%rcx, %%rdi; "
                                      "mov $1, %%ecx;" AT "rep stosb" ::
                                          : "rax", "rcx", "rdi")),
                 GP, 0);
    /* branches to a non-canonical address */
    EXPECT(TRY(__asm__ volatile("mov $1, %%rcx; shl $47, %%rcx; jmp *%%rcx" ::: "rcx")), GP, 0);
    EXPECT(TRY(__asm__ volatile("mov $1, %%rcx; shl $47, %%rcx; push %%rcx; ret" ::: "rcx")), GP, 0);
    EXPECT(TRY(__asm__ volatile("mov $1, %%rcx; shl $47, %%rcx; call *%%rcx" ::: "rcx")), GP, 0);
    if (TRY(wrmsr(0x12345678, 0)).vector < 0) {
        skip("system registers are not checked here: what follows would end this guest");
        lax = true;
        return;
    }
    EXPECT_FAULT(TRY(__asm__ volatile("mov $0x12345678, %%ecx;" AT "rdmsr" ::: "rax", "rcx", "rdx")), GP, 0);
    EXPECT_FAULT(TRY(__asm__ volatile("mov $0x12345678, %%ecx;" AT "wrmsr" ::: "rax", "rcx", "rdx")), GP, 0);
    EXPECT(TRY(wrmsr(0xc0000080, rdmsr(0xc0000080) | 1ull << 40)), GP, 0);
    EXPECT(TRY(wrmsr(0xc0000080, rdmsr(0xc0000080) & ~0x100ull)), GP, 0); /* LME while paging */
    EXPECT(TRY(wrmsr(0xc0000082, 1ull << 47)), GP, 0);
    EXPECT(TRY(wrmsr(0xc0000100, 1ull << 47)), GP, 0);
    EXPECT(TRY(wrmsr(0x277, 2)), GP, 0);                                   /* PAT type 2 does not exist */
    EXPECT(TRY(write_cr0(read_cr0() & ~1ull)), GP, 0);                     /* PG without PE */
    EXPECT(TRY(write_cr0((read_cr0() | 1 << 29) & ~(1ull << 30))), GP, 0); /* NW without CD */
    EXPECT(TRY(write_cr0(read_cr0() | 1ull << 32)), GP, 0);
    EXPECT(TRY(write_cr4(read_cr4() & ~0x20ull)), GP, 0); /* PAE in long mode */
    EXPECT(TRY(write_cr4(read_cr4() | 1ull << 15)), GP, 0);
    EXPECT(TRY(write_cr4(read_cr4() | 1ull << 31)), GP, 0);
    EXPECT(TRY(__asm__ volatile("mov %0, %%cr8" ::"r"(16ull))), GP, 0);
    EXPECT(TRY(write_dr7(1ull << 32)), GP, 0);
    EXPECT(TRY(write_dr6(1ull << 32)), GP, 0);
    EXPECT(TRY(__asm__ volatile("lgdt (%0)" ::"r"(1ull << 47))), GP, 0);
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) bad = {0xff, 1ull << 47};
    EXPECT(TRY(__asm__ volatile("lidt %0" ::"m"(bad))), GP, 0);
    check(TRY(__asm__ volatile("xor %%ecx, %%ecx; not %%ecx; .byte 0x0f, 0x01, 0xd1" ::: "rcx")).vector == UD);
    /* INVLPG of a non-canonical address does nothing */
    EXPECT(TRY(invlpg((void *)(1ull << 47))), -1, 0);
}

static void load_ds(uint64_t sel)
{
    __asm__ volatile(AT "mov %w0, %%ds; mov %w1, %%ds" ::"c"(sel), "d"(0x10) : "rax");
}
static void load_ss(uint64_t sel)
{
    __asm__ volatile(AT "mov %w0, %%ss; mov %w1, %%ss" ::"c"(sel), "d"(0x10) : "rax");
}
static void load_fs_stack(uint64_t sel)
{
    __asm__ volatile("push %0;" AT "pop %%fs" ::"c"(sel) : "rax");
}
static void far_jump(uint64_t sel)
{
    struct {
        uint32_t offset;
        uint16_t sel;
    } __attribute__((packed)) target = {0, (uint16_t)sel};
    __asm__ volatile("lea 9f(%%rip), %%rax; mov %%eax, %0;" AT "ljmp *%0; 9:" : "+m"(target)::"rax");
}
static void iret_to(uint64_t cs, uint64_t ss)
{
    __asm__ volatile("mov %%rsp, %%rax; push %1; push %%rax; pushfq; push %0; lea 1f(%%rip), %%rax; push %%rax;" AT
                     "iretq; 1:" ::"c"(cs),
                     "d"(ss)
                     : "rax");
}
static void load_tr(uint64_t sel)
{
    __asm__ volatile(AT "ltr %w0" ::"c"(sel) : "rax");
}
static void load_ldt(uint64_t sel)
{
    __asm__ volatile(AT "lldt %w0" ::"c"(sel) : "rax");
}

#define TEST_SEL 0x50
static void selectors(void)
{
    __asm__ volatile("lldt %w0" ::"r"(0));
    gdt[TEST_SEL / 8] = 0x00cf13000000ffff; /* data, not present */
    EXPECT_FAULT(TRY(load_ds(TEST_SEL)), NP, TEST_SEL);
    EXPECT_FAULT(TRY(load_ss(TEST_SEL)), SS, TEST_SEL);
    EXPECT_FAULT(TRY(load_fs_stack(TEST_SEL)), NP, TEST_SEL);
    EXPECT_FAULT(TRY(far_jump(TEST_SEL)), GP, TEST_SEL);
    gdt[TEST_SEL / 8] = 0x00cf91000000ffff; /* read-only */
    EXPECT_FAULT(TRY(load_ss(TEST_SEL)), GP, TEST_SEL);
    EXPECT(TRY(load_ds(TEST_SEL)), -1, 0);
    EXPECT_FAULT(TRY(load_ds(0x1000)), GP, 0x1000); /* beyond the limit */
    EXPECT_FAULT(TRY(load_ds(0x1003)), GP, 0x1000);
    EXPECT_FAULT(TRY(load_ds(0x14)), GP, 0x14); /* no LDT */
    EXPECT_FAULT(TRY(load_ds(0x40)), GP, 0x40); /* a TSS */
    EXPECT_FAULT(TRY(load_ss(0x33)), GP, 0x30); /* RPL 3 at CPL 0 */
    EXPECT_FAULT(TRY(load_ss(0x30)), GP, 0x30); /* DPL 3 */
    EXPECT_FAULT(TRY(load_ss(3)), GP, 0);
    EXPECT(TRY(load_ss(0)), -1, 0); /* null SS at CPL 0 in 64-bit mode */
    EXPECT(TRY(load_ds(3)), -1, 0);
    EXPECT_FAULT(TRY(load_ss(8)), GP, 8);
    EXPECT_FAULT(TRY(far_jump(0)), GP, 0);
    EXPECT_FAULT(TRY(far_jump(0x10)), GP, 0x10);
    EXPECT_FAULT(TRY(far_jump(0x3b)), GP, 0x38); /* DPL 3 */
    gdt[TEST_SEL / 8] = 0x00af1b000000ffff;      /* code, not present */
    EXPECT_FAULT(TRY(far_jump(TEST_SEL)), NP, TEST_SEL);
    EXPECT_FAULT(TRY(iret_to(TEST_SEL, 0x10)), NP, TEST_SEL);
    gdt[TEST_SEL / 8] = 0x00ef9b000000ffff; /* L and D both set */
    EXPECT_FAULT(TRY(far_jump(TEST_SEL)), GP, TEST_SEL);
    gdt[TEST_SEL / 8] = 0x00af99000000ffff; /* execute-only */
    EXPECT_FAULT(TRY(load_ds(TEST_SEL)), GP, TEST_SEL);
    EXPECT_FAULT(TRY(iret_to(0, 0x10)), GP, 0);
    EXPECT_FAULT(TRY(iret_to(0x10, 0x10)), GP, 0x10);
    EXPECT_FAULT(TRY(iret_to(0x38, 0x10)), GP, 0x38); /* RPL below DPL */
    EXPECT_FAULT(TRY(iret_to(0x3b, 0x10)), GP, 0x10); /* SS of another RPL */
    EXPECT_FAULT(TRY(iret_to(0x2000, 0x10)), GP, 0x2000);
    gdt[TEST_SEL / 8] = 0x00cf73000000ffff; /* SS of ring 3, not present */
    EXPECT_FAULT(TRY(iret_to(0x3b, TEST_SEL + 3)), SS, TEST_SEL);
    EXPECT_FAULT(TRY(iret_to(0x2b, 0)), GP, 0); /* null SS for 32-bit code */
    EXPECT(TRY(iret_to(8, 0)), -1, 0);
    __asm__ volatile("mov %w0, %%ss" ::"r"(0x10));
    EXPECT_FAULT(TRY(load_tr(0)), GP, 0);
    EXPECT_FAULT(TRY(load_tr(0x10)), GP, 0x10);
    EXPECT_FAULT(TRY(load_tr(0x40)), GP, 0x40); /* busy already */
    EXPECT_FAULT(TRY(load_tr(0x44)), GP, 0x44); /* in the LDT */
    gdt[TEST_SEL / 8] = 0x0000090000000067;
    gdt[TEST_SEL / 8 + 1] = 0;
    EXPECT_FAULT(TRY(load_tr(TEST_SEL)), NP, TEST_SEL);
    EXPECT_FAULT(TRY(load_ldt(TEST_SEL)), GP, TEST_SEL);
    gdt[TEST_SEL / 8] = 0x0000020000000067;
    EXPECT_FAULT(TRY(load_ldt(TEST_SEL)), NP, TEST_SEL);
    EXPECT(TRY(load_ldt(0)), -1, 0);
    /* NT in long mode: IRET faults; segment error codes come before anything is changed */
    EXPECT(TRY(write_flags(read_flags() | 1 << 14); iret_to(8, 0x10)), GP, 0);
    write_flags(2);
    gdt[TEST_SEL / 8] = gdt[TEST_SEL / 8 + 1] = 0;
}

static void gates(void)
{
    uint64_t saved[2] = {idt[2 * 0x90], idt[2 * 0x90 + 1]};
    uint64_t *g = &idt[2 * 0x90];
    g[0] &= ~(1ull << 47); /* not present */
    EXPECT_FAULT(TRY(__asm__ volatile(AT "int $0x90" ::: "rax")), NP, 0x90 * 8 + 2);
    g[0] = (saved[0] & ~(0xfull << 40)) | 2ull << 40; /* no gate */
    EXPECT_FAULT(TRY(__asm__ volatile(AT "int $0x90" ::: "rax")), GP, 0x90 * 8 + 2);
    g[0] = (saved[0] & ~(0xfull << 40)) | 5ull << 40; /* no task gates in long mode */
    EXPECT_FAULT(TRY(__asm__ volatile(AT "int $0x90" ::: "rax")), GP, 0x90 * 8 + 2);
    g[0] = saved[0] & ~0xffff0000ull; /* null CS */
    EXPECT_FAULT(TRY(__asm__ volatile(AT "int $0x90" ::: "rax")), GP, 0);
    g[0] |= 0x10 << 16; /* data segment */
    EXPECT_FAULT(TRY(__asm__ volatile(AT "int $0x90" ::: "rax")), GP, 0x10);
    g[0] = (saved[0] & ~0xffff0000ull) | 0x18 << 16; /* 32-bit code */
    EXPECT_FAULT(TRY(__asm__ volatile(AT "int $0x90" ::: "rax")), GP, 0x18);
    g[0] = (saved[0] & ~0xffff0000ull) | 0x2000 << 16; /* beyond the GDT */
    EXPECT_FAULT(TRY(__asm__ volatile(AT "int $0x90" ::: "rax")), GP, 0x2000);
    g[0] = saved[0];
    /* beyond the IDT's limit */
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) small = {0x80 * 16 + 15, (uint64_t)idt}, full = {4095, (uint64_t)idt};
    __asm__ volatile("lidt %0" ::"m"(small));
    EXPECT_FAULT(TRY(__asm__ volatile(AT "int $0x90" ::: "rax")), GP, 0x90 * 8 + 2);
    __asm__ volatile("lidt %0" ::"m"(full));
    /* an exception's gate not present: EXT is set, and the first exception was benign, so no double fault */
    uint64_t six = idt[2 * UD];
    idt[2 * UD] &= ~(1ull << 47);
    EXPECT(BYTES("\x0f\x0b"), NP, UD * 8 + 3);
    idt[2 * UD] = six;
    uint64_t three = idt[2 * BP];
    idt[2 * BP] &= ~(1ull << 47);
    EXPECT(BYTES("\xcc"), NP, BP * 8 + 2); /* software: no EXT */
    uint64_t one = idt[2 * DB];
    idt[2 * DB] &= ~(1ull << 47);
    EXPECT(BYTES("\xf1"), NP, DB * 8 + 3); /* ICEBP counts as external */
    idt[2 * BP] = three;
    idt[2 * DB] = one;
}

static uint64_t seen_flags, seen_rsp;
static bool note_flags(Frame *f)
{
    seen_flags = read_flags();
    seen_rsp = (uint64_t)f + sizeof(Frame);
    return true;
}

static void gate_types_and_ist(void)
{
    set_handler(0x91, note_flags);
    set_gate(0x91, stubs + 16 * 0x91, 0, 0, 15);
    write_flags(0x4202); /* NT, IF */
    __asm__ volatile("int $0x91");
    check_eq(seen_flags & 0x4200, 0x200);
    set_gate(0x91, stubs + 16 * 0x91, 0, 0, 14);
    write_flags(0x4202);
    __asm__ volatile("int $0x91");
    check_eq(seen_flags & 0x4200, 0);
    check_eq(read_flags() & 0x4200, 0x4200);
    write_flags(2);
    /* without IST the frame is aligned to 16 bytes on the same stack */
    uint64_t rsp;
    __asm__ volatile("mov %%rsp, %%rbx; lea -3(%%rsp), %%rsp; mov %%rsp, %0; int $0x91; mov %%rbx, %%rsp"
                     : "=&r"(rsp)::"rbx");
    check_eq(seen_rsp, rsp & ~15ull);
    uint8_t *stack = (uint8_t *)alloc_pages(2) + 8192;
    *(uint64_t *)(tss + 36) = (uint64_t)stack; /* IST1 */
    set_gate(0x91, stubs + 16 * 0x91, 1, 0, 14);
    __asm__ volatile("int $0x91");
    check_eq(seen_rsp, (uint64_t)stack);
    /* a page fault while the frame is written on the IST stack */
    uint64_t *pte = pte_of(stack - 4096);
    *pte &= ~1ull;
    invlpg(stack - 4096);
    Trap t = TRY(__asm__ volatile("int $0x91"));
    EXPECT(t, PF, 2);
    check_eq(t.cr2, (uint64_t)stack - 8);
    *pte |= 1;
    *(uint64_t *)(tss + 36) = 1ull << 47;
    if (!lax) {
        EXPECT(TRY(__asm__ volatile("int $0x91")), SS, 0);
    }
    set_gate(0x91, stubs + 16 * 0x91, 0, 0, 14);
    *(uint64_t *)(tss + 36) = (uint64_t)stack;
}

static void double_fault(void)
{
    set_gate(DF, stubs + 16 * DF, 1, 0, 14);
    uint64_t saved = idt[2 * DE];
    idt[2 * DE] &= ~(1ull << 47);
    Trap t = TRY(__asm__ volatile("xor %%ecx, %%ecx; div %%ecx" ::: "rcx", "rax", "rdx"));
    EXPECT(t, DF, 0);
    idt[2 * DE] = saved;
    saved = idt[2 * GP];
    idt[2 * GP] &= ~(1ull << 47);
    EXPECT(TRY(*(volatile int *)(1ull << 63) = 0), DF, 0);
    idt[2 * GP] = saved;
    saved = idt[2 * PF];
    idt[2 * PF] &= ~(1ull << 47);
    t = TRY(*(volatile int *)(1ull << 45) = 1);
    EXPECT(t, DF, 0);
    check_eq(t.cr2, 1ull << 45);
    idt[2 * PF] = saved;
    /* contributory then page fault is no double fault: #GP whose frame hits an unmapped stack */
    uint8_t *stack = (uint8_t *)alloc_pages(1) + 4096;
    *(uint64_t *)(tss + 44) = (uint64_t)stack; /* IST2 */
    *pte_of(stack - 4096) &= ~1ull;
    invlpg(stack - 4096);
    set_gate(GP, stubs + 16 * GP, 2, 0, 14);
    t = TRY(*(volatile int *)(1ull << 63) = 0);
    EXPECT(t, PF, 2);
    check_eq(t.cr2, (uint64_t)stack - 8);
    /* page fault then page fault is one */
    set_gate(PF, stubs + 16 * PF, 2, 0, 14);
    t = TRY(*(volatile int *)(1ull << 45) = 1);
    EXPECT(t, DF, 0);
    check_eq(t.cr2, (uint64_t)stack - 8);
    set_gate(PF, stubs + 16 * PF, 0, 0, 14);
    set_gate(GP, stubs + 16 * GP, 0, 0, 14);
}

/* ---- ring 3 ---- */

__asm__(".globl user_at; user_at: jmp *%rdi");
extern void user_at(void);
static Trap user_bytes(const char *bytes, size_t n)
{
    memcpy(code, bytes, n);
    memcpy(code + n, "\xcd\x80", 2);
    here = (uint64_t)code + USER_ALIAS;
    return TRY(call_user(user_at, here));
}
#define USER(text) user_bytes(text, sizeof(text) - 1)
#define EXPECT_USER_GP(text) EXPECT_FAULT(USER(text), GP, 0)

static void privileged(void)
{
    EXPECT(USER("\x90"), -1, 0);
    EXPECT_USER_GP("\xf4");             /* HLT */
    EXPECT_USER_GP("\xfa");             /* CLI */
    EXPECT_USER_GP("\xfb");             /* STI */
    EXPECT_USER_GP("\xe4\x80");         /* IN */
    EXPECT_USER_GP("\xe6\x80");         /* OUT */
    EXPECT_USER_GP("\x6c");             /* INSB */
    EXPECT_USER_GP("\x6e");             /* OUTSB */
    EXPECT_USER_GP("\x0f\x01\x14\x24"); /* LGDT */
    EXPECT_USER_GP("\x0f\x01\x3c\x24"); /* INVLPG */
    EXPECT_USER_GP("\x0f\x01\xf0");     /* LMSW */
    EXPECT_USER_GP("\x0f\x00\xd0");     /* LLDT */
    EXPECT_USER_GP("\x0f\x00\xd8");     /* LTR */
    EXPECT_USER_GP("\x0f\x06");         /* CLTS */
    EXPECT_USER_GP("\x0f\x08");         /* INVD */
    EXPECT_USER_GP("\x0f\x09");         /* WBINVD */
    EXPECT_USER_GP("\x0f\x20\xc0");     /* MOV from CR0 */
    EXPECT_USER_GP("\x0f\x22\xc0");
    EXPECT_USER_GP("\x0f\x21\xf8"); /* MOV from DR7 */
    EXPECT_USER_GP("\x0f\x30");     /* WRMSR */
    EXPECT_USER_GP("\x0f\x32");     /* RDMSR */
    EXPECT_USER_GP("\x0f\x33");     /* RDPMC with CR4.PCE clear */
    EXPECT_USER_GP("\x0f\x01\xf8"); /* SWAPGS */
    EXPECT_USER_GP("\x0f\x07");     /* SYSRET */
    uint32_t id[4];
    cpuid(0, 0, id);
    bool amd = id[2] == 0x444d4163; /* APM: no SYSENTER and SYSEXIT in long mode */
    EXPECT_FAULT(USER("\x0f\x35"), amd ? UD : GP, 0);
    EXPECT(USER("\x0f\x31"), -1, 0);                                     /* RDTSC */
    EXPECT(USER("\x0f\x01\x44\x24\xf0"), -1, 0);                         /* SGDT */
    EXPECT(USER("\x9c\x81\x0c\x24\x00\x32\x00\x00\x9d\x9c\x58"), -1, 0); /* POPF keeps IF and IOPL */
    uint64_t cr4 = read_cr4();
    write_cr4(cr4 | 4); /* TSD */
    EXPECT_USER_GP("\x0f\x31");
    cpuid(7, 0, id);
    if (id[2] & 4) {
        write_cr4(cr4 | 0x800);                 /* UMIP */
        EXPECT_USER_GP("\x0f\x01\x44\x24\xf0"); /* SGDT */
        EXPECT_USER_GP("\x0f\x01\x4c\x24\xf0"); /* SIDT */
        EXPECT_USER_GP("\x0f\x00\xc0");         /* SLDT */
        EXPECT_USER_GP("\x0f\x00\xc8");         /* STR */
        EXPECT_USER_GP("\x0f\x01\xe0");         /* SMSW */
    } else {
        skip("no UMIP");
    }
    write_cr4(cr4);
    /* software interrupts need the gate's DPL, exceptions and ICEBP do not */
    EXPECT_FAULT(USER("\xcd\x81"), GP, 0x81 * 8 + 2);
    EXPECT_FAULT(USER("\xcd\x06"), GP, 6 * 8 + 2);
    EXPECT(USER("\xcc"), BP, 0);
    EXPECT(USER("\xf1"), DB, 0);
    EXPECT_FAULT(USER("\x0f\x0b"), UD, 0);
    set_gate(BP, stubs + 16 * BP, 0, 0, 14);
    EXPECT_FAULT(USER("\xcc"), GP, BP * 8 + 2);
    set_gate(BP, stubs + 16 * BP, 0, 3, 14);
    /* the stack of an inner ring that cannot be written */
    Trap t = USER("\x0f\x0b");
    check_eq(t.cs, 0x3b);
    check_eq(t.ss, 0x33);
}

static void io_permission(void)
{
    static uint8_t big[104 + 8192 + 1] __attribute__((aligned(16)));
    memcpy(big, tss, 104);
    memset(big + 104, 0xff, 8193);
    *(uint16_t *)(big + 102) = 104;
    big[104 + 0x80 / 8] = 0xf0;   /* ports 80h-83h open */
    big[104 + 0xffff / 8] = 0x7f; /* FFFFh open */
    uint64_t a = (uint64_t)big;
    gdt[10] = (104 + 8192) | (a & 0xffffff) << 16 | 0x89ull << 40 | (a >> 24 & 0xff) << 56;
    gdt[11] = a >> 32;
    __asm__ volatile("ltr %w0" ::"r"(0x50));
    /* guest_call_user() writes RSP0 into the library's TSS: take a fixed stack here */
    *(uint64_t *)(big + 4) = (uint64_t)alloc_pages(2) + 8192;
    EXPECT(USER("\xe6\x80"), -1, 0);
    EXPECT(USER("\xe7\x80"), -1, 0); /* 4 bytes, all open */
    EXPECT_USER_GP("\xe7\x81");      /* the last one closed */
    EXPECT(USER("\x66\xe7\x82"), -1, 0);
    EXPECT_USER_GP("\x66\xe7\x83");
    EXPECT_USER_GP("\xe6\x84");
    EXPECT(USER("\x66\xba\xff\xff\xec"), -1, 0);
    EXPECT(USER("\x66\xba\x80\x00\xec"), -1, 0);
    /* the bitmap ends before the port's bit (and its following byte) */
    gdt[10] = (gdt[10] & ~0xffffull) | (104 + 0x80 / 8);
    gdt[10] &= ~(2ull << 40);
    __asm__ volatile("ltr %w0" ::"r"(0x50));
    EXPECT_USER_GP("\xe6\x80");
    gdt[10] = (gdt[10] & ~0xffffull) | (104 + 0x80 / 8 + 1);
    gdt[10] &= ~(2ull << 40);
    __asm__ volatile("ltr %w0" ::"r"(0x50));
    EXPECT(USER("\xe6\x80"), -1, 0);
    gdt[8] &= ~(2ull << 40);
    __asm__ volatile("ltr %w0" ::"r"(0x40));
}

static void alignment(void)
{
    uint64_t cr0 = read_cr0();
    write_cr0(cr0 | 1 << 18);
    /* push $0x40000|flags, popf sets AC; then an access, then AC clear again before INT */
#define WITH_AC(insn) "\x9c\x81\x0c\x24\x00\x00\x04\x00\x9d" insn "\x9c\x81\x24\x24\xff\xff\xfb\xff\x9d"
    here = 0;
    Trap t = USER(WITH_AC("\x8b\x44\x24\xf1"));
    EXPECT(t, AC, 0);
    check_eq(t.rip, (uint64_t)code + USER_ALIAS + 9);
    EXPECT(USER(WITH_AC("\x66\x8b\x44\x24\xf1")), AC, 0);
    EXPECT(USER(WITH_AC("\x48\x8b\x44\x24\xf4")), AC, 0);
    EXPECT(USER(WITH_AC("\x89\x44\x24\xf2")), AC, 0);
    EXPECT(USER(WITH_AC("\x8b\x44\x24\xf4")), -1, 0);
    EXPECT(USER(WITH_AC("\x8a\x44\x24\xf1")), -1, 0);
    EXPECT(USER("\x8b\x44\x24\xf1"), -1, 0); /* AC clear */
    write_cr0(cr0);
    EXPECT(USER(WITH_AC("\x8b\x44\x24\xf1")), -1, 0); /* AM clear */
    write_cr0(cr0 | 1 << 18);
    write_flags(read_flags() | 1 << 18); /* CPL 0 never checks */
    check_eq(TRY((void)*(volatile uint32_t *)(code + 1)).vector, (uint64_t)-1);
    write_flags(2);
    write_cr0(cr0);
}

void guest_main(void)
{
    code = alloc_pages(2);
    out8(0x21, 0xff); /* some tests set IF: no timer tick must come on a slow engine */
    undefined_opcodes();
    arithmetic_and_traps();
    device_not_available();
    floating_point();
    general_protection();
    selectors();
    gates();
    gate_types_and_ist();
    double_fault();
    privileged();
    io_permission();
    alignment();
    check_eq(faults_without_rf, 0); /* QUIRK: observed clear with some emulators */
}
