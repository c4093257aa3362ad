/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug exceptions: single step, breakpoints on execution, data and I/O, DR6 and DR7, shadows, NMI blocking.
 * Spec: Intel SDM vol 3 chapter 17 (debug), 6.7 (NMI), 6.8.3 (MOV SS).
 */
#include "lib/guest.h"

enum { DB = 1, NMI = 2, BP = 3, GP = 13 };
#define TF (1 << 8)
#define RF (1 << 16)
#define DR7(n, rw, len) (1ull << (2 * (n)) | (uint64_t)((len) << 2 | (rw)) << (16 + 4 * (n)))
enum { EXEC = 0, WRITE = 1, IO = 2, ACCESS = 3, LEN1 = 0, LEN2 = 1, LEN8 = 2, LEN4 = 3 };

/* What the #DB handler saw. */
static volatile unsigned hits;
static volatile uint64_t rips[16], dr6s[16], flags[16];
static uint64_t label_a, label_b, label_c;
static bool keep_tf;

static bool on_debug(Frame *f)
{
    if (hits < 16) {
        rips[hits] = f->rip;
        dr6s[hits] = read_dr6();
        flags[hits] = f->rflags;
    }
    hits++;
    write_dr6(0xffff0ff0);
    if (!keep_tf) {
        f->rflags &= ~(uint64_t)TF;
    }
    if ((dr6s[hits - 1] & 0xf) && f->rip == label_a) {
        f->rflags |= RF; /* go on past an instruction breakpoint */
    }
    return hits < 1000;
}

static void arm(void)
{
    hits = 0;
    label_a = label_b = label_c = 0;
    for (unsigned i = 0; i < 16; i++) {
        rips[i] = dr6s[i] = flags[i] = 0;
    }
}

#define LABEL(n, to) "lea " #n "f(%%rip), %%rax; mov %%rax, " #to "(%%rip);"
#define SET_TF "pushfq; orl $0x100, (%%rsp); popfq;"
#define CLEAR_TF "pushfq; andl $0xfffffeff, (%%rsp); popfq;"

static void single_step(void)
{
    /* POPF that sets TF: the trap comes after the next instruction */
    arm();
    keep_tf = false;
    __asm__ volatile(LABEL(1, label_a) SET_TF "nop; 1: nop" ::: "rax", "memory");
    check_eq(hits, 1);
    check_eq(rips[0], label_a);
    check_eq(dr6s[0] & 0xe00f, 0x4000); /* BS */
    check_eq(flags[0] & TF, TF);
    check_eq(flags[0] & RF, 0);
    /* every instruction until TF is clear; the POPF that clears it still traps */
    arm();
    keep_tf = true;
    __asm__ volatile(LABEL(2, label_b) SET_TF "nop; nop; nop;" CLEAR_TF "2: nop" ::: "rax", "memory");
    check_eq(hits, 6);
    check_eq(rips[5], label_b);
    check_eq(read_flags() & TF, 0);
    /* IRET that sets TF */
    arm();
    keep_tf = false;
    __asm__ volatile(
        LABEL(2, label_b) "mov %%ss, %%eax; push %%rax; lea 8(%%rsp), %%rax; push %%rax; pushfq; orl $0x100, (%%rsp);"
                          "mov %%cs, %%eax; push %%rax; lea 1f(%%rip), %%rax; push %%rax; iretq; 1: nop; 2: nop" ::
                              : "rax", "memory");
    check_eq(hits, 1);
    check_eq(rips[0], label_b);
    /* MOV SS: no trap between it and the next instruction */
    arm();
    keep_tf = true;
    __asm__ volatile(LABEL(1, label_a) LABEL(2, label_b) "mov %%ss, %%ecx;" SET_TF "nop; mov %%ecx, %%ss; 1: nop; "
                                                         "2:" CLEAR_TF ::
                                                             : "rax", "rcx", "memory");
    check_eq(rips[1], label_b);
    check_eq(hits, 5);
    /* a repeated string instruction traps after every iteration */
    arm();
    static uint8_t from[8], to[8];
    __asm__ volatile(
        LABEL(1, label_a) LABEL(2, label_b) "mov $3, %%ecx;" SET_TF "1: rep movsb; 2:" CLEAR_TF ::"S"(from), "D"(to)
        : "rax", "rcx", "memory");
    check_eq(hits, 6);
    check_eq(rips[0], label_a);
    check_eq(rips[1], label_a);
    check_eq(rips[2], label_b);
    /* an instruction that faults does not trap: its handler runs with TF clear */
    arm();
    keep_tf = true;
    Trap t = TRY(__asm__ volatile(SET_TF "ud2" ::: "memory"));
    check_eq(t.vector, 6);
    check_eq(t.rflags & TF, TF);
    check_eq(hits, 0);
    /* software interrupts: #DB after INT is lost (TF cleared), the handler returns with TF and the next one traps */
    arm();
    keep_tf = false;
    bool ignore(Frame * f)
    {
        return f->vector == BP;
    }
    set_handler(BP, ignore);
    __asm__ volatile(LABEL(2, label_b) SET_TF "int3; nop; 2: nop" ::: "rax", "memory");
    check_eq(hits, 1);
    check_eq(rips[0], label_b);
    set_handler(BP, 0);
    /* TF does not stop a HLT-free loop: LOOP counts */
    arm();
    keep_tf = true;
    __asm__ volatile("mov $3, %%ecx;" SET_TF "1: loop 1b;" CLEAR_TF ::: "rcx", "memory");
    check_eq(hits, 6);
    keep_tf = false;
}

static void execution_breakpoints(void)
{
    arm();
    __asm__ volatile(LABEL(1, label_a)::: "rax");
    void run(void *p)
    {
        (void)p;
        __asm__ volatile(
            LABEL(1, label_a) "mov label_a(%%rip), %%rax; mov %%rax, %%dr0; mov %0, %%rax; mov %%rax, %%dr7;"
                              "xor %%ecx, %%ecx; nop; 1: inc %%ecx; nop; xor %%eax, %%eax; mov %%rax, %%dr7; mov "
                              "%%ecx, %k0" ::"r"(DR7(0, EXEC, LEN1))
            : "rax", "rcx", "memory");
    }
    Trap t = try_call(run, 0);
    check_eq(t.vector, -1);
    check_eq(hits, 1);
    check_eq(rips[0], label_a);
    check_eq(dr6s[0] & 0xe00f, 1);
    /* RF is clear in the image of an instruction breakpoint's #DB (17.3.1.1) */
    check_eq(flags[0] & RF, 0);
    /* two breakpoints at one instruction report both; DR2 also matches though it is not enabled? only enabled ones
     * must */
    arm();
    __asm__ volatile(LABEL(1, label_a) "mov label_a(%%rip), %%rax; mov %%rax, %%dr0; mov %%rax, %%dr3; "
                                       "mov %0, %%rax; mov %%rax, %%dr7;"
                                       "nop; 1: nop; xor %%eax, %%eax; mov %%rax, %%dr7" ::"r"(DR7(0, EXEC, LEN1) |
                                                                                               DR7(3, EXEC, LEN1))
                     : "rax", "memory");
    check_eq(hits, 1);
    check_eq(dr6s[0] & 0xe009, 9);
    /* a data breakpoint type does not fire on execution */
    arm();
    __asm__ volatile(LABEL(1, label_a) "mov label_a(%%rip), %%rax; mov %%rax, %%dr0; mov %0, %%rax; mov %%rax, %%dr7;"
                                       "nop; 1: nop; xor %%eax, %%eax; mov %%rax, %%dr7" ::"r"(DR7(0, WRITE, LEN1))
                     : "rax", "memory");
    check_eq(hits, 0);
    /* after MOV SS the breakpoint on the next instruction is suppressed by Intel (6.8.3), not by AMD */
    uint32_t id[4];
    cpuid(0, 0, id);
    arm();
    __asm__ volatile(
        LABEL(1, label_a) "mov label_a(%%rip), %%rax; mov %%rax, %%dr0; mov %0, %%rax; "
                          "mov %%rax, %%dr7; mov %%ss, %%ecx;"
                          "mov %%ecx, %%ss; 1: nop; xor %%eax, %%eax; mov %%rax, %%dr7" ::"r"(DR7(0, EXEC, LEN1))
        : "rax", "rcx", "memory");
    check_eq(hits, id[1] == 0x756e6547 ? 0 : 1);
    /* RF set by IRET holds for one instruction */
    arm();
    __asm__ volatile(
        LABEL(1,
              label_b) "mov label_b(%%rip), %%rax; mov %%rax, %%dr0; mov %0, %%rax; mov %%rax, %%dr7;"
                       "mov %%ss, %%eax; push %%rax; lea 8(%%rsp), %%rax; push %%rax; pushfq; orl $0x10000, (%%rsp);"
                       "mov %%cs, %%eax; push %%rax; push label_b(%%rip); iretq; ud2; 1: nop; pushfq; pop %%rcx; "
                       "xor %%eax, %%eax; mov %%rax, %%dr7;"
                       "mov %%rcx, label_c(%%rip)" ::"r"(DR7(0, EXEC, LEN1))
        : "rax", "rcx", "memory");
    check_eq(hits, 0);
    check_eq(label_c & RF, 0);
}

static uint8_t data[64] __attribute__((aligned(64)));

static unsigned data_hits(uint64_t address, uint64_t dr7, void (*access)(void))
{
    arm();
    write_dr1((uint64_t)data + address);
    write_dr7(dr7);
    access();
    write_dr7(0x400);
    return hits;
}
#define ACCESSOR(name, text)                                                                                         \
    static void name(void)                                                                                           \
    {                                                                                                                \
        __asm__ volatile("lea data(%%rip), %%rcx;" LABEL(9, label_a) text "; 9: nop; nop" ::                         \
                             : "rax", "rcx", "rdx", "memory");                                                       \
    }
ACCESSOR(write1_at8, "movb $1, 8(%%rcx)")
ACCESSOR(read1_at8, "movb 8(%%rcx), %%dl")
ACCESSOR(write4_at5, "movl $1, 5(%%rcx)")
ACCESSOR(write4_at4, "movl $1, 4(%%rcx)")
ACCESSOR(write8_at8, "movq $1, 8(%%rcx)")
ACCESSOR(write1_at11, "movb $1, 11(%%rcx)")
ACCESSOR(write1_at12, "movb $1, 12(%%rcx)")
ACCESSOR(write1_at15, "movb $1, 15(%%rcx)")
ACCESSOR(write1_at16, "movb $1, 16(%%rcx)")
ACCESSOR(rmw_at8, "lock incl 8(%%rcx)")
ACCESSOR(cmp_at8, "cmpl $0, 8(%%rcx)")
ACCESSOR(prefetch_at8, "prefetcht0 8(%%rcx)")

static void data_breakpoints(void)
{
    check_eq(data_hits(8, DR7(1, WRITE, LEN1), write1_at8), 1);
    check_eq(rips[0], label_a); /* a trap: after the instruction */
    check_eq(dr6s[0] & 0xe00f, 2);
    check_eq(data_hits(8, DR7(1, WRITE, LEN1), read1_at8), 0);
    check_eq(data_hits(8, DR7(1, ACCESS, LEN1), read1_at8), 1);
    check_eq(data_hits(8, DR7(1, ACCESS, LEN1), write1_at8), 1);
    check_eq(data_hits(8, DR7(1, WRITE, LEN1), write4_at5), 1); /* its last byte */
    check_eq(data_hits(8, DR7(1, WRITE, LEN1), write4_at4), 0);
    check_eq(data_hits(8, DR7(1, WRITE, LEN4), write1_at11), 1);
    check_eq(data_hits(8, DR7(1, WRITE, LEN4), write1_at12), 0);
    check_eq(data_hits(8, DR7(1, WRITE, LEN8), write1_at15), 1);
    check_eq(data_hits(8, DR7(1, WRITE, LEN8), write1_at16), 0);
    check_eq(data_hits(15, DR7(1, WRITE, LEN2), write1_at15),
             1); /* low bits are ignored by length: bytes 14 and 15 */
    check_eq(data_hits(14, DR7(1, WRITE, LEN2), write1_at15), 1);
    check_eq(data_hits(10, DR7(1, WRITE, LEN4), write1_at8), 1);
    check_eq(data_hits(8, DR7(1, WRITE, LEN4), write8_at8), 1);
    check_eq(data_hits(8, DR7(1, WRITE, LEN4), rmw_at8), 1);
    check_eq(data_hits(8, DR7(1, WRITE, LEN4), cmp_at8), 0);
    check_eq(data_hits(8, DR7(1, ACCESS, LEN4), cmp_at8), 1);
    check_eq(data_hits(8, DR7(1, ACCESS, LEN4), prefetch_at8), 0);
    check_eq(data_hits(8, DR7(1, WRITE, LEN4) & ~0xffull, write1_at8), 0);       /* not enabled */
    check_eq(data_hits(8, (DR7(1, WRITE, LEN4) & ~0xffull) | 8, write1_at8), 1); /* G1 alone */
    /* with TF both causes are reported by one exception */
    arm();
    write_dr1((uint64_t)data);
    write_dr7(DR7(1, WRITE, LEN1));
    __asm__ volatile("lea data(%%rip), %%rcx;" SET_TF "movb $1, (%%rcx); nop" ::: "rcx", "memory");
    write_dr7(0x400);
    check_eq(hits, 1);
    check_eq(dr6s[0] & 0xe00f, 0x4002);
    /* REP STOS: reported after the iteration that wrote there, RF set in the image (17.3.1.1) */
    arm();
    write_dr1((uint64_t)data + 2);
    write_dr7(DR7(1, WRITE, LEN1));
    __asm__ volatile(LABEL(1, label_b) LABEL(2, label_c) "lea data(%%rip), %%rdi; mov $8, %%ecx; 1: rep stosb; 2:" ::
                         : "rax", "rcx", "rdi", "memory");
    write_dr7(0x400);
    check_eq(hits, 1);
    check(rips[0] == label_b || rips[0] == label_c);
    check_eq(dr6s[0] & 0xe00f, 2);
    /* MOV SS from a watched place: the trap is held over the next instruction */
    arm();
    *(uint16_t *)data = 0x10;
    write_dr1((uint64_t)data);
    write_dr7(DR7(1, ACCESS, LEN2));
    __asm__ volatile(LABEL(1, label_b) "lea data(%%rip), %%rcx; mov (%%rcx), %%ss; nop; 1: nop" ::
                         : "rax", "rcx", "memory");
    write_dr7(0x400);
    check_eq(hits, 1);
    check_eq(rips[0], label_b);
    check_eq(dr6s[0] & 0xe00f, 2);
    /* an access that faults is no hit */
    arm();
    write_dr1(1ull << 45);
    write_dr7(DR7(1, ACCESS, LEN1));
    Trap t = TRY(*(volatile uint8_t *)(1ull << 45));
    write_dr7(0x400);
    check_eq(t.vector, 14);
    check_eq(hits, 0);
}

static void io_breakpoints(void)
{
    uint64_t cr4 = read_cr4();
    arm();
    write_dr1(0x80);
    write_cr4(cr4 | 8);
    write_dr7(DR7(1, IO, LEN1));
    __asm__ volatile(LABEL(1, label_b) "out %%al, $0x80; 1: nop" ::: "rax", "memory");
    check_eq(hits, 1);
    check_eq(rips[0], label_b);
    check_eq(dr6s[0] & 0xe00f, 2);
    arm();
    __asm__ volatile("in $0x80, %%al; nop" ::: "rax", "memory");
    check_eq(hits, 1);
    arm();
    __asm__ volatile("out %%al, $0x81; nop; in $0x7f, %%ax; nop" ::: "rax", "memory"); /* 7Fh-80h does overlap */
    check_eq(hits, 1);
    write_cr4(cr4);
    write_dr7(0x400);
    arm();
    write_dr7(DR7(1, EXEC, LEN1));
    __asm__ volatile("out %%al, $0x80; nop" ::: "memory");
    check_eq(hits, 0);
    write_dr7(0x400);
    /* CR4.DE: DR4 and DR5 are #UD, otherwise DR6 and DR7 */
    write_cr4(cr4 | 8);
    check_eq(TRY(__asm__ volatile(".byte 0x0f, 0x21, 0xe0" ::: "rax")).vector, 6);
    write_cr4(cr4);
    uint64_t four;
    __asm__ volatile(".byte 0x0f, 0x21, 0xe0" : "=a"(four));
    check_eq(four, read_dr6());
}

static void registers(void)
{
    write_dr7(0x400 | 1 << 13); /* GD */
    arm();
    __asm__ volatile(LABEL(1, label_b) "1: mov %%dr0, %%rax" ::: "rax", "memory");
    /* the handler's own accesses are allowed: GD is clear there.  The instruction is executed then, as GD stays
     * clear. */
    check_eq(hits, 1);
    check_eq(rips[0], label_b);
    check_eq(dr6s[0] & 0xe00f, 0x2000); /* BD */
    check_eq(read_dr7() & 1 << 13, 0);
    write_dr6(0);
    check_eq(read_dr6() & 0xfffeffff, 0xfffe0ff0); /* fixed bits; bit 16 is RTM's */
    write_dr7(0);
    check_eq(read_dr7(), 0x400);
    write_dr7(0x455);
    check_eq(read_dr7(), 0x455);
    write_dr7(0x400);
    write_dr0(0x123456789abcull);
    uint64_t v;
    __asm__ volatile("mov %%dr0, %0" : "=r"(v));
    check_eq(v, 0x123456789abcull);
    write_dr6(0xffff0ff0);
}

static volatile unsigned nmis, nested, depth, max_depth;
static bool nmi_inner;
static void send_nmi(void)
{
    LAPIC(0x310) = LAPIC(0x20);
    LAPIC(0x300) = 0x400;
    for (int i = 0; i < 1000; i++) {
        pause_cpu();
    }
}
static bool on_nmi(Frame *f)
{
    (void)f;
    nmis++;
    if (++depth > max_depth) {
        max_depth = depth;
    }
    if (nmis == 1) {
        send_nmi(); /* held until IRET */
        nested = nmis - 1;
        if (nmi_inner) {
            __asm__ volatile("int $0x92"); /* its IRET ends the blocking */
            nested = nmis - 1;
        }
    }
    depth--;
    return true;
}

static void nmi(void)
{
    lapic_enable();
    bool nothing(Frame * f)
    {
        (void)f;
        return true;
    }
    set_handler(0x92, nothing);
    set_handler(NMI, on_nmi);
    nmis = max_depth = 0;
    send_nmi();
    check_eq(nmis, 2);
    check_eq(nested, 0);
    check_eq(max_depth, 1);
    nmi_inner = true;
    nmis = max_depth = 0;
    send_nmi();
    check_eq(nmis, 2);
    check_eq(nested, 1);
    check_eq(max_depth, 2);
    /* IF does not matter */
    check_eq(read_flags() & 0x200, 0);
}

/* Interrupt shadows: a fixed interrupt is pending when IF becomes 1. */
static uint64_t int_rip;
static unsigned ints;
static bool on_int(Frame *f)
{
    int_rip = f->rip;
    ints++;
    LAPIC(0xb0) = 0;
    f->rflags &= ~0x200ull;
    return true;
}
static void pend(void)
{
    LAPIC(0x300) = 0x40093; /* self, fixed */
    for (int i = 0; i < 2000; i++) {
        pause_cpu();
    }
    ints = 0;
    int_rip = 0;
    label_b = 1;
}
static void shadows(void)
{
    pic_disable();
    set_handler(0x93, on_int);
    pend();
    __asm__ volatile(LABEL(1, label_b) "sti; nop; 1: nop; cli" ::: "rax", "memory");
    check_eq(ints, 1);
    check_eq(int_rip, label_b); /* one instruction after STI */
    pend();
    __asm__ volatile("sti; cli; nop" ::: "memory"); /* CLI in the shadow: nothing */
    check_eq(ints, 0);
    __asm__ volatile(LABEL(1, label_b) "sti; sti; 1: nop; cli" ::
                         : "rax", "memory"); /* the second STI gives no further shadow */
    check_eq(ints, 1);
    check_eq(int_rip, label_b);
    pend();
    __asm__ volatile(LABEL(1, label_b) "mov %%ss, %%ecx; sti; mov %%ecx, %%ss; nop; 1: nop; cli" ::
                         : "rax", "rcx", "memory");
    check_eq(ints, 1);
    check_eq(int_rip, label_b);
    pend();
    __asm__ volatile(LABEL(1, label_b) "pushfq; orl $0x200, (%%rsp); popfq; 1: nop; cli" ::
                         : "rax", "memory"); /* POPF: no shadow */
    check_eq(ints, 1);
    check_eq(int_rip, label_b);
    pend();
    __asm__ volatile(LABEL(1, label_b) "sti; hlt; 1: cli" ::: "rax", "memory"); /* the wake-up cannot be missed */
    check_eq(ints, 1);
    check_eq(int_rip, label_b);
}

void guest_main(void)
{
    set_handler(DB, on_debug);
    single_step();
    execution_breakpoints();
    data_breakpoints();
    io_breakpoints();
    registers();
    nmi();
    shadows();
}
