/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 16-bit worlds: virtual-8086 mode with and without VME, real mode, big real mode, the A20 gate.
 * Spec: Intel SDM vol 3 chapter 20 (8086 emulation; 20.3 VME, table 20-2 software interrupts), 2.5 (CR4.VME); IBM
 * PS/2 port 92h, 8042 output port.
 */
#include "lib/guest32.h"

enum { DE = 0, DB = 1, BP = 3, OF = 4, UD = 6, SS = 12, GP = 13 };
#define CF 1u
#define TF (1u << 8)
#define IF (1u << 9)
#define IOPL3 (3u << 12)
#define NT (1u << 14)
#define VM (1u << 17)
#define VIF (1u << 19)
#define VIP (1u << 20)
#define CR4_VME 1u

static uint8_t *const code = (uint8_t *)0x7c00; /* 07c0:0000; the stack is 0000:5e00 */

/* Low memory, which the compiler takes for null pointers. */
static void *low(uint32_t address)
{
    __asm__("" : "+r"(address));
    return (void *)address;
}
#define LOW16(address) (*(volatile uint16_t *)low(address))
#define LOW32(address) (*(volatile uint32_t *)low(address))

static Frame last; /* of the exception that ended the last run */
static bool note(Frame *f)
{
    last = *f;
    return false;
}
static void expect(Trap t, int vector, uint32_t error, const char *what, int line)
{
    check_at(t.vector == vector, what, __FILE__, line, (uint32_t)t.vector, (uint32_t)vector);
    if (t.vector == vector && vector >= 0) {
        check_at(t.error == error, what, __FILE__, line, t.error, error);
    }
}
static uint32_t result;
static Trap v86_bytes(const char *bytes, size_t n, uint32_t flags)
{
    memcpy(code, bytes, n);
    memcpy(code + n, "\xcd\x80", 2);
    return TRY(result = call_v86(0x07c0, 0, flags, 0));
}
#define V86(text, flags) v86_bytes(text, sizeof(text) - 1, flags)
#define EXPECT(t, vector, error) expect(t, vector, error, #t, __LINE__)

static void sensitive(void)
{
    /* with IOPL 3 they work, below they are the monitor's */
    EXPECT(V86("\xfa", IOPL3), -1, 0);
    EXPECT(V86("\xfb\xfa", IOPL3), -1, 0);
    EXPECT(V86("\x9c\x58", IOPL3), -1, 0);
    check_eq(result & (IOPL3 | IF), IOPL3);
    EXPECT(V86("\x9c\x9d", IOPL3), -1, 0);
    static const uint8_t ops[] = {0xfa, 0xfb, 0x9c, 0x9d, 0xcf};
    for (unsigned i = 0; i < sizeof(ops); i++) {
        char text[2] = {(char)ops[i], (char)0x90};
        Trap t = v86_bytes(text, 2, 0);
        EXPECT(t, GP, 0);
        check_eq(t.eip, 0);
        check_eq(t.cs, 0x7c0);
        check(t.eflags & VM);
        char wide[3] = {0x66, (char)ops[i], (char)0x90};
        EXPECT(v86_bytes(wide, 3, 0), GP, 0);
    }
    EXPECT(V86("\xcd\x90", 0), GP, 0); /* INT n with IOPL < 3 */
    EXPECT(V86("\xf4", IOPL3), GP, 0); /* HLT is always privileged */
    EXPECT(V86("\x0f\x20\xc0", IOPL3), GP, 0);
    EXPECT(V86("\x0f\x00\xd0", IOPL3), UD, 0); /* LLDT is not known */
    EXPECT(V86("\x0f\x02\xc0", IOPL3), UD, 0); /* LAR */
    EXPECT(V86("\x63\xc0", IOPL3), UD, 0);     /* ARPL */
    /* INT3 and INTO do not mind IOPL, but the gate must have DPL 3 and lead to ring 0 */
    Trap t = V86("\xcc", 0);
    EXPECT(t, BP, 0);
    check_eq(t.eip, 1);
    EXPECT(V86("\xb0\x7f\xfe\xc0\xce", 0), OF, 0);
    EXPECT(V86("\xf1", 0), DB, 0);
    set_gate(3, stubs + 16 * 3, 0x8e);
    EXPECT(V86("\xcc", 0), GP, 3 * 8 + 2);
    set_gate(3, stubs + 16 * 3, 0xee);
    uint64_t saved = idt[0x91];
    gdt[TEST_SEL / 8] = descriptor(0, 0xfffff, 0xfb, 12);
    idt[0x91] = gate(TEST_SEL, 0, 0xee, 0); /* a handler that is not in ring 0 */
    EXPECT(V86("\xcd\x91", IOPL3), GP, TEST_SEL);
    idt[0x91] = saved;
    /* the frame: segment registers on the stack, null in the handler */
    set_handler(UD, note);
    t = V86("\xb8\x11\x11\x8e\xd8\xb8\x22\x22\x8e\xc0\xb8\x33\x33\x8e\xe0\xb8\x44\x44\x8e\xe8\x0f\x0b", IOPL3);
    set_handler(UD, 0);
    EXPECT(t, UD, 0);
    check_eq(last.vds & 0xffff, 0x1111);
    check_eq(last.ves & 0xffff, 0x2222);
    check_eq(last.vfs & 0xffff, 0x3333);
    check_eq(last.vgs & 0xffff, 0x4444);
    check_eq(last.ds & 0xffff, 0);
    check_eq(last.fs & 0xffff, 0);
    check_eq(last.ss & 0xffff, 0);
    check_eq(last.esp & 0xffff, 0x5e00);
    /* addresses: selector times 16, limit FFFFh */
    LOW16(0x12345) = 0xabcd;
    EXPECT(V86("\xb8\x34\x12\x8e\xd8\xa1\x05\x00", IOPL3), -1, 0);
    check_eq(result & 0xffff, 0xabcd);
    EXPECT(V86("\xa1\xff\xff", IOPL3), GP, 0);
    EXPECT(V86("\x36\xa1\xff\xff", IOPL3), SS, 0);
    EXPECT(V86("\xa0\xff\xff", IOPL3), -1, 0);
    EXPECT(V86("\x67\x66\xa1\x00\x00\x01\x00", IOPL3), GP, 0); /* 32-bit offset beyond */
    /* a word at FFFF:0010 is beyond 1 MiB */
    EXPECT(V86("\xb8\xff\xff\x8e\xd8\xa1\x10\x00", IOPL3), -1, 0);
    check_eq(result & 0xffff, LOW16(0x100000));
    /* ports go by the permission map, IOPL or not */
    tss.iomap = 104 + 32;
    memset(tss.map, 0xff, sizeof(tss.map));
    EXPECT(V86("\xe6\x80", IOPL3), GP, 0);
    tss.map[32 + 0x80 / 8] = 0xfe;
    Trap u = V86("\xe6\x80", 0);
    check_eq(u.eip, 2); /* the INT 80h at the end has IOPL 0: #GP from there, not from OUT */
    EXPECT(V86("\xe6\x80", IOPL3), -1, 0);
    EXPECT(V86("\xe7\x80", IOPL3), GP, 0); /* a word needs both bits */
    /* VM cannot be set from ring 3 */
    uint8_t *user = alloc_pages(1);
    memcpy(user, "\x9c\x81\x0c\x24\x00\x00\x02\x00\x9d\x9c\x58\xcd\x80", 13);
    check_eq(call_user((void (*)(void))user, 0) & VM, 0);
}

static void vme(void)
{
    uint32_t id[4];
    cpuid(1, 0, id);
    if (!(id[3] & 2)) {
        skip("no VME");
        return;
    }
    uint32_t cr4 = read_cr4();
    write_cr4(cr4 | CR4_VME);
    /* redirection bit clear: INT 60h goes to the vector in the program's own table: mov $1234h,%bx; iret */
    memset(tss.map, 0xff, sizeof(tss.map));
    tss.map[0x60 / 8] = 0;
    memcpy(low(0x7e00), "\x8b\xdc\x36\x8b\x57\x04\xbb\x34\x12\xcf",
           10); /* mov %sp,%bx; mov %ss:4(%bx),%dx; mov; iret */
    LOW32(0x60 * 4) = 0x07e00000;
    EXPECT(V86("\xcd\x60\x89\xd8\xc1\xe0\x00\x66\xc1\xe2\x10\x66\x09\xd0", IOPL3), -1, 0);
    check_eq(result & 0xffff, 0x1234);
    /* IOPL below 3: the image on the stack has IOPL 3 and VIF as IF; INT 80h ends it, as its bit is set #GP comes
     * first */
    set_handler(GP, note);
    Trap t = V86("\xcd\x60", VIF);
    EXPECT(t, GP, 0); /* of the INT 80h behind */
    check_eq(t.eip, 2);
    check_eq(last.ebx & 0xffff, 0x1234);
    check_eq(last.edx & (IOPL3 | IF), IOPL3 | IF);
    check(t.eflags & VIF); /* IRET brought it back */
    t = V86("\xcd\x60", 0);
    check_eq(last.edx & (IOPL3 | IF), IOPL3);
    /* the bit set: with IOPL 3 through the IDT, below #GP */
    EXPECT(V86("\xcd\x61", 0), GP, 0);
    /* CLI and STI move VIF */
    t = V86("\xfb", 0);
    check_eq(t.eip, 1);
    check(t.eflags & VIF);
    t = V86("\xfa", VIF);
    check_eq(t.eip, 1);
    check(!(t.eflags & VIF));
    t = V86("\xfb", VIP);
    EXPECT(t, GP, 0);
    check_eq(t.eip, 0); /* a pending interrupt: the monitor's turn */
    /* PUSHF and POPF show VIF as IF and IOPL 3 */
    t = V86("\x9c\x5b", VIF);
    check_eq(t.eip, 2);
    check_eq(last.ebx & (IF | IOPL3), IF | IOPL3);
    t = V86("\x9c\x5b", 0);
    check_eq(last.ebx & (IF | IOPL3), IOPL3);
    t = V86("\x68\x00\x02\x9d", 0);
    check_eq(t.eip, 4);
    check(t.eflags & VIF);
    check_eq(t.eflags & IOPL3, 0);
    t = V86("\x68\x00\x00\x9d", VIF);
    check(!(t.eflags & VIF));
    t = V86("\x68\x00\x01\x9d", 0); /* TF: #GP */
    EXPECT(t, GP, 0);
    check_eq(t.eip, 3);
    t = V86("\x68\x00\x02\x9d", VIP);
    check_eq(t.eip, 3);
    /* the 32-bit forms stay the monitor's */
    EXPECT(V86("\x66\x9c", 0), GP, 0);
    check_eq(last.eip, 0);
    t = V86("\x66\x9d", 0);
    check_eq(t.eip, 0);
    t = V86("\x66\xcf", 0);
    check_eq(t.eip, 0);
    /* IRET */
    t = V86("\x68\x00\x02\x68\xc0\x07\x68\x0c\x00\xcf\x0f\x0b\x90", 0);
    check_eq(t.eip, 13); /* landed at 12, NOP, INT 80h */
    check(t.eflags & VIF);
    /* with IOPL 3 the real IF is meant */
    t = V86("\xfa\x0f\x0b", IOPL3 | VIF);
    check(t.eflags & VIF);
    set_handler(GP, 0);
    /* protected-mode virtual interrupts: ring 3 with IOPL 0 */
    write_cr4((cr4 & ~CR4_VME) | 2);
    uint8_t *user = alloc_pages(1);
    memcpy(user, "\xfb\x0f\x0b", 3);
    t = TRY(call_user((void (*)(void))user, 0));
    EXPECT(t, UD, 0);
    check(t.eflags & VIF);
    check_eq(t.eflags & IF, 0);
    write_cr4(cr4);
    EXPECT(TRY(call_user((void (*)(void))user, 0)), GP, 0);
}

/* ---- real mode: pieces of 16-bit code, copied to 07c0:0000 ---- */

__asm__(
    ".code16\n"
    ".globl r_arith, r_arith_end, r_int, r_int_end, r_int_handler, r_fault, r_fault_end, r_fault_handler, r_wrap, "
    "r_wrap_end\n"
    ".globl r_big, r_big_end, r_limit, r_limit_end, r_a20, r_a20_end\n"
    /* 16-bit address arithmetic wraps at 64 KiB; 32-bit operands and addresses by prefix */
    "r_arith: movw $0xffff, %bx; movb $0x5a, %ds:(0x7f01); movw $0x7f02, %si; movb (%bx,%si), %al; movb $0, %ah\n"
    "  movl $0x7f00, %ecx; movb 1(%ecx), %ah; movl $0xffffffff, %edx; addw $1, %dx; movl %edx, %esi; smsw %di; lret\n"
    "r_arith_end:\n"
    /* INT n: IF and TF are cleared, FLAGS CS IP on the stack */
    "r_int: sti; stc; int $0x60; pushf; pop %dx; cli; lret\n"
    "r_int_handler: mov %sp, %bp; mov (%bp), %ax; mov 2(%bp), %bx; mov 4(%bp), %cx; pushf; pop %si; iret\n"
    "r_int_end:\n"
    /* divide error: IP of the instruction itself */
    "r_fault: xor %cx, %cx; mov $1, %ax; div %cx; lret\n"
    "r_fault_handler: mov %sp, %bp; mov (%bp), %bx; addw $2, (%bp); iret\n"
    "r_fault_end:\n"
    /* the stack wraps at 64 KiB: SP 0, then a push */
    "r_wrap: mov %sp, %si; mov %ss, %di; mov $0x3000, %ax; mov %ax, %ss; mov $2, %sp; pushw $0x1111; pushw $0x2222; "
    "mov %sp, %bx\n"
    "  popw %cx; popw %dx; mov %di, %ss; mov %si, %sp; lret\n"
    "r_wrap_end:\n"
    /* big real mode: FS gets 4 GiB in protected mode and keeps them; then 32-bit offsets above 64 KiB work */
    "r_big: cli; mov %cr0, %eax; or $1, %al; mov %eax, %cr0; jmp 1f; 1: mov $0x10, %bx; mov %bx, %fs; and $0xfe, "
    "%al; mov %eax, %cr0; jmp 2f; 2:\n"
    "  xor %bx, %bx; movl %fs:(%esi), %eax; mov %bx, %fs; movl %fs:4(%esi), %ecx; movl $0x99, %fs:8(%esi); lret\n"
    "r_big_end:\n"
    /* without it: #GP through vector 13, whose handler goes on at DX */
    "r_limit: movl $0x10000, %esi; xor %bx, %bx; mov $1f - r_limit, %dx; movb (%esi), %al; 1: mov $2f - r_limit, "
    "%dx; movb %ss:(%esi), %al\n"
    "  2: movw $0xffff, %si; mov $3f - r_limit, %dx; movw (%si), %ax; 3: mov $4f - r_limit, %dx; sldt %ax; 4: lret\n"
    "r_limit_end:\n"
    ".globl r_gp, r_gp_end, r_ud, r_ud_end\n"
    "r_gp: mov %sp, %bp; add $0x100, %bx; mov %dx, (%bp); iret\n"
    "r_gp_end:\n"
    "r_ud: mov %sp, %bp; inc %bx; mov %dx, (%bp); iret\n"
    "r_ud_end:\n"
    /* A20: the word at FFFF:0510 is 100500h, or 500h when bit 20 is forced to 0.  The keyboard controller's line and
     * port 92h's are ORed, so both have to be low. */
    "r_a20: mov $0xffff, %ax; mov %ax, %es; movw %es:(0x510), %bx\n"
    "  mov $0xdd, %ah; call 5f; in $0x92, %al; mov %al, %dl; and $0xfc, %al; out %al, $0x92\n"
    "  movw %es:(0x510), %cx; movw $0x7777, %es:(0x510); mov %dl, %al; or $2, %al; and $0xfe, %al; out %al, $0x92\n"
    "  movw %es:(0x510), %si; mov $0xdf, %ah; call 5f; xor %ax, %ax; mov %ax, %es; movw %ds:(0x500), %di; lret\n"
    "  5: call 6f; mov $0xd1, %al; out %al, $0x64; call 6f; mov %ah, %al; out %al, $0x60; call 6f; ret\n"
    "  6: in $0x64, %al; test $2, %al; jnz 6b; ret\n"
    "r_a20_end:\n"
    ".code32\n");
#define PIECE(name)                                                                                                  \
    extern uint8_t name[], name##_end[];                                                                             \
    static void put_##name(void)                                                                                     \
    {                                                                                                                \
        memcpy(code, name, (size_t)(name##_end - name));                                                             \
    }
PIECE(r_arith)
PIECE(r_int)
PIECE(r_fault)
PIECE(r_wrap)
PIECE(r_big)
PIECE(r_limit)
PIECE(r_a20)
extern uint8_t r_int_handler[], r_fault_handler[], r_gp[], r_gp_end[], r_ud[], r_ud_end[];

static void vector_to(unsigned vector, uint32_t segment, uint32_t offset)
{
    LOW32(4 * vector) = segment << 16 | offset;
}

static void real(void)
{
    RealRegs r = {0};
    put_r_arith();
    call_real(code, &r);
    check_eq(r.eax & 0xffff, 0x5a5a);
    check_eq(r.esi, 0xffff0000); /* ADD of 16 bits keeps the upper half */
    check_eq(r.edi & 1, 0);      /* PE */
    put_r_int();
    vector_to(0x60, 0x7c0, (uint32_t)(r_int_handler - r_int));
    r = (RealRegs){0};
    call_real(code, &r);
    check_eq(r.eax & 0xffff, 4); /* IP behind INT */
    check_eq(r.ebx & 0xffff, 0x7c0);
    check_eq(r.ecx & (IF | CF), IF | CF);
    check_eq(r.esi & (IF | TF), 0);
    check_eq(r.edx & (IF | CF), IF | CF);
    put_r_fault();
    vector_to(DE, 0x7c0, (uint32_t)(r_fault_handler - r_fault));
    r = (RealRegs){0};
    call_real(code, &r);
    check_eq(r.ebx & 0xffff, 5);
    put_r_wrap();
    LOW16(0x30000) = LOW16(0x3fffe) = 0;
    r = (RealRegs){0};
    call_real(code, &r);
    check_eq(LOW16(0x30000), 0x1111);
    check_eq(LOW16(0x3fffe), 0x2222);
    check_eq(r.ebx & 0xffff, 0xfffe);
    check_eq(r.ecx & 0xffff, 0x2222);
    check_eq(r.edx & 0xffff, 0x1111);
    put_r_big();
    uint32_t *high = alloc_pages(1);
    high[0] = 0xfeedface;
    high[1] = 0x0badcafe;
    r = (RealRegs){.esi = (uint32_t)high};
    call_real(code, &r);
    check_eq(r.eax, 0xfeedface);
    check_eq(r.ecx, 0x0badcafe); /* a load in real mode changes the base, not the limit */
    check_eq(high[2], 0x99);
}

static void real_faults(void)
{
    put_r_limit();
    memcpy(low(0x7e00), r_gp, (size_t)(r_gp_end - r_gp));
    memcpy(low(0x7f00), r_ud, (size_t)(r_ud_end - r_ud));
    vector_to(GP, 0x7e0, 0);
    vector_to(SS, 0x7e0, 0);
    vector_to(UD, 0x7f0, 0);
    RealRegs r = {0};
    call_real(code, &r);
    check_eq(r.ebx & 0xff00, 0x300); /* three limits */
    check_eq(r.ebx & 0xff, 1);       /* SLDT is unknown in real mode */
}

static void kbd_wait(void)
{
    for (unsigned i = 0; i < 100000 && in8(0x64) & 2; i++) {
        pause_cpu();
    }
}

static void a20(void)
{
    put_r_a20();
    uint16_t above = LOW16(0x100500);
    LOW16(0x500) = (uint16_t)~above;
    RealRegs r = {0};
    call_real(code, &r);
    check_eq(r.ebx & 0xffff, above);
    check_eq(r.ecx & 0xffff, (uint16_t)~above); /* wrapped */
    check_eq(r.esi & 0xffff, above);            /* and back: the write went to 500h */
    check_eq(r.edi & 0xffff, 0x7777);
    check_eq(LOW16(0x100500), above);
    /* the keyboard controller's output port shows its own input of the gate */
    kbd_wait();
    out8(0x64, 0xd0);
    kbd_wait();
    for (unsigned i = 0; i < 100000 && !(in8(0x64) & 1); i++) {
        pause_cpu();
    }
    check(in8(0x60) & 2);
}

void guest_main(void)
{
    pic_disable();
    __asm__ volatile("lldt %w0" ::"r"(0));
    sensitive();
    vme();
    real();
    real_faults();
    a20();
}
