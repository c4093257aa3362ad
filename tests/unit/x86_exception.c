/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt and exception delivery.  Sections are those of the Intel SDM vol 3. */
#include "tests/unit/x86_guest.h"

#include "target/x86/debug.h"
#include "target/x86/flags.h"
#include "target/x86/segment.h"

enum { HANDLER_UD = AT_HANDLER + 16 * EXC_UD, HANDLER_DF = AT_HANDLER + 16 * EXC_DF };

/* 20.1.4: FLAGS, CS, IP, 16 bits each; no error code. */
static void test_real(void)
{
    Guest *g = guest_new("max", GUEST_REAL);
    guest_put(g, AT_IDT + 13 * 4, 0x12340056, 4);
    cpu_load_eflags(g->cpu, FL_IF | FL_TF | FL_CF, FL_ALL);
    g_assert_true(guest_deliver(g, EXC_GP, INT_EXCEPTION, true, 0x18));
    g_assert_cmphex(g->cpu->seg[SEG_CS].selector, ==, 0x1234);
    g_assert_cmphex(g->cpu->rip, ==, 0x56);
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_KERNEL - 6);
    g_assert_cmphex(guest_stack(g, 0, 2), ==, AT_CODE);
    g_assert_cmphex(guest_stack(g, 2, 2), ==, FL_IF | FL_TF | FL_CF | 2);
    g_assert_cmphex(cpu_eflags(g->cpu) & (FL_IF | FL_TF), ==, 0);
    guest_free(g);
}

/* 6.12.1: same privilege; RF in the image of a fault (17.3.1.1), not of a trap. */
static void test_same_privilege(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    cpu_load_eflags(g->cpu, FL_IF | FL_NT | FL_AC, FL_ALL);
    g_assert_true(guest_deliver(g, EXC_GP, INT_EXCEPTION, true, 0x18));
    g_assert_cmphex(g->cpu->rip, ==, AT_HANDLER + 16 * EXC_GP);
    g_assert_cmphex(guest_stack(g, 0, 4), ==, 0x18);
    g_assert_cmphex(guest_stack(g, 1, 4), ==, AT_CODE);
    g_assert_cmphex(guest_stack(g, 2, 4), ==, SEL_CODE32);
    g_assert_cmphex(guest_stack(g, 3, 4), ==, FL_IF | FL_NT | FL_AC | FL_RF | 2);
    g_assert_cmphex(cpu_eflags(g->cpu), ==, FL_AC | 2);
    g_assert_true(guest_deliver(g, 32 - 1, INT_EXTERNAL, false, 0));
    g_assert_cmphex(guest_stack(g, 2, 4), ==, FL_AC | 2);
    guest_free(g);
}

/* 6.12.1: from CPL 3 on the stack of the TSS; a trap gate leaves IF. */
static void test_inner(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    guest_enter_user(g);
    guest_set_idt(g, EXC_BP, SEL_CODE32, AT_HANDLER, 0xef, 0);
    cpu_load_eflags(g->cpu, FL_IF, FL_ALL);
    g_assert_cmpint(STEP(g, 0xcc), ==, -1);
    g_assert_cmpint(g->cpu->cpl, ==, 0);
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_KERNEL - 20);
    g_assert_cmphex(guest_stack(g, 0, 4), ==, AT_CODE + 1);
    g_assert_cmphex(guest_stack(g, 1, 4), ==, SEL_UCODE32);
    g_assert_cmphex(guest_stack(g, 3, 4), ==, TOP_USER);
    g_assert_cmphex(guest_stack(g, 4, 4), ==, SEL_UDATA32);
    g_assert_cmphex(cpu_eflags(g->cpu), ==, FL_IF | 2);
    g_assert_cmpint(STEP(g, 0xcf), ==, -1); /* and back */
    g_assert_cmpint(g->cpu->cpl, ==, 3);
    g_assert_cmphex(g->cpu->rip, ==, AT_CODE + 1);
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_USER);
    guest_free(g);
}

/* 6.12.1.1: INT n needs the gate's DPL; exceptions and external interrupts do not.  6.13: the error code. */
static void test_gate_checks(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    guest_enter_user(g);
    assert_raised(g, EXC_GP, STEP(g, 0xcd, EXC_UD), EXC_UD * 8 + 2);
    g_assert_cmphex(g->cpu->rip, ==, AT_CODE); /* back at the INT */
    guest_set_idt(g, 0x20, SEL_CODE32, AT_HANDLER, 0x0e, 0);
    guest_set_idt(g, EXC_NP, SEL_CODE32, AT_HANDLER, 0x8e, 0);
    g_assert_true(guest_deliver(g, 0x20, INT_EXTERNAL, false, 0)); /* not present: #NP with EXT */
    g_assert_cmphex(guest_stack(g, 0, 4), ==, 0x20 * 8 + 2 + 1);
    guest_free(g);
}

/* Tables 6-4 and 6-5. */
static void test_double_faults(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    guest_set_idt(g, EXC_GP, SEL_CODE32, AT_HANDLER, 0x0e, 0); /* #GP cannot be delivered: #NP, contributory */
    g_assert_true(guest_deliver(g, EXC_GP, INT_EXCEPTION, true, 0));
    g_assert_cmphex(g->cpu->rip, ==, HANDLER_DF);
    g_assert_cmphex(guest_stack(g, 0, 4), ==, 0);
    g_assert_cmphex(guest_stack(g, 1, 4), ==, AT_CODE);
    guest_set_idt(g, EXC_DF, SEL_CODE32, AT_HANDLER, 0x0e, 0);
    g_assert_false(guest_deliver(g, EXC_GP, INT_EXCEPTION, true, 0)); /* triple fault */
    guest_free(g);

    g = guest_new("max", GUEST_PROT32);
    guest_set_idt(g, EXC_UD, SEL_CODE32, AT_HANDLER, 0x0e, 0); /* #UD is benign: plain #NP */
    g_assert_true(guest_deliver(g, EXC_UD, INT_EXCEPTION, false, 0));
    g_assert_cmphex(g->cpu->rip, ==, AT_HANDLER + 16 * EXC_NP);
    guest_free(g);
}

/* A frame that does not fit leaves RSP as it was: #SS, then its own delivery fails, too. */
static void test_bad_stack(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    guest_enter_user(g);
    guest_put(g, AT_TSS + 8, SEL_READ_ONLY, 4); /* SS0 not writable: #TS names it */
    g_assert_cmpint(g->cpu->cpl, ==, 3);
    assert_raised(g, EXC_GP, STEP(g, 0xcd, EXC_TS), EXC_TS * 8 + 2);
    guest_set_idt(g, 0x30, SEL_CODE32, AT_HANDLER, 0xee, 0);
    assert_raised(g, EXC_TS, STEP(g, 0xcd, 0x30), SEL_READ_ONLY);
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_USER);
    g_assert_cmpint(g->cpu->cpl, ==, 3);
    g->cpu->tr.limit = 9; /* 6.15, interrupt 10: TSS too short for SS0:ESP0 */
    assert_raised(g, EXC_TS, STEP(g, 0xcd, 0x30), SEL_TSS);
    guest_free(g);
}

/* 6.14: 64-bit frames are aligned, have SS:RSP always, and null SS on a change of privilege; IST. */
static void test_long(void)
{
    Guest *g = guest_new("max", GUEST_LONG64);
    g->cpu->r[RSP] = TOP_KERNEL - 3;
    g_assert_true(guest_deliver(g, EXC_UD, INT_EXCEPTION, false, 0));
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_KERNEL - 16 - 40);
    g_assert_cmphex(guest_stack(g, 3, 8), ==, TOP_KERNEL - 3);
    g_assert_cmphex(guest_stack(g, 4, 8), ==, SEL_DATA32);
    guest_enter_user(g);
    guest_set_idt(g, EXC_GP, SEL_CODE64, AT_HANDLER, 0x8e, 1);
    g->cpu->rip = AT_CODE;
    g_assert_true(guest_deliver(g, EXC_GP, INT_EXCEPTION, true, 0x50));
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_IST - 48);
    g_assert_cmphex(guest_stack(g, 0, 8), ==, 0x50);
    g_assert_cmphex(guest_stack(g, 5, 8), ==, SEL_UDATA32);
    g_assert_cmphex(g->cpu->seg[SEG_SS].selector, ==, 0);
    g_assert_cmpint(g->cpu->cpl, ==, 0);
    g->cpu->r[RSP] += 8;
    g_assert_cmpint(STEP(g, 0x48, 0xcf), ==, -1);
    g_assert_cmphex(g->cpu->rip, ==, AT_CODE);
    g_assert_cmpint(g->cpu->cpl, ==, 3);
    /* 6.14.1: only 64-bit code segments, only interrupt and trap gates of 64 bits. */
    guest_set_idt(g, 0x40, SEL_CODE32, AT_HANDLER, 0xee, 0);
    assert_raised(g, EXC_GP, STEP(g, 0xcd, 0x40), SEL_CODE32);
    guest_set_idt(g, 0x40, SEL_CODE64, AT_HANDLER, 0xe5, 0);
    assert_raised(g, EXC_GP, STEP(g, 0xcd, 0x40), 0x40 * 8 + 2);
    guest_free(g);
}

static void enter_v86(Guest *g)
{
    cpu_load_eflags(g->cpu, FL_VM, FL_VM);
    for (unsigned s = 0; s < NUM_SEGS; s++) {
        seg_load_real(g->cpu, s, (uint16_t)(0x800 + s));
    }
    g->cpu->rip = 0x10;
    g->cpu->r[RSP] = 0x100;
}

/* 20.3.1: the frame has the data segments, which are then null. */
static void test_v86(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    enter_v86(g);
    g_assert_cmpint(g->cpu->cpl, ==, 3);
    g_assert_true(guest_deliver(g, EXC_UD, INT_EXCEPTION, false, 0));
    g_assert_cmphex(g->cpu->rip, ==, HANDLER_UD);
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_KERNEL - 36);
    g_assert_cmphex(guest_stack(g, 0, 4), ==, 0x10);
    g_assert_cmphex(guest_stack(g, 1, 4), ==, 0x800 + SEG_CS);
    g_assert_cmphex(guest_stack(g, 2, 4) & FL_VM, ==, FL_VM);
    g_assert_cmphex(guest_stack(g, 5, 4), ==, 0x800 + SEG_ES);
    g_assert_cmphex(guest_stack(g, 8, 4), ==, 0x800 + SEG_GS);
    g_assert_cmphex(g->cpu->seg[SEG_DS].selector, ==, 0);
    g_assert_true(g->cpu->protected_mode);
    g_assert_cmpint(STEP(g, 0xcf), ==, -1); /* IRETD returns to the task */
    g_assert_true(g->cpu->eflags & FL_VM);
    g_assert_cmphex(g->cpu->rip, ==, 0x10);
    g_assert_cmphex(g->cpu->r[RSP], ==, 0x100);
    g_assert_cmphex(g->cpu->seg[SEG_FS].base, ==, (0x800 + SEG_FS) << 4);
    assert_raised(g, EXC_GP, STEP(g, 0xcd, 0x21), 0); /* IOPL 0 */
    assert_raised(g, EXC_GP, STEP(g, 0x9c), 0);
    assert_raised(g, EXC_GP, STEP(g, 0xfa), 0);
    guest_free(g);
}

/* 20.3.3: VME redirects INT n through the bitmap; IF is VIF's. */
static void test_vme(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    g->cpu->cr4 |= CR4_VME;
    guest_put(g, AT_TSS + 102, 0x68 + 32, 2); /* I/O map; the redirection bitmap is the 32 bytes before it */
    guest_put(g, 0x21 * 4, 0x09000040, 4);
    enter_v86(g);
    cpu_load_eflags(g->cpu, FL_VIF | FL_IF, FL_VIF | FL_IF);
    g_assert_cmpint(STEP(g, 0xcd, 0x21), ==, -1);
    g_assert_cmphex(g->cpu->seg[SEG_CS].selector, ==, 0x900);
    g_assert_cmphex(g->cpu->rip, ==, 0x40);
    g_assert_cmphex(cpu_eflags(g->cpu) & (FL_VIF | FL_IF), ==, FL_IF);
    uint32_t sp = (0x800 + SEG_SS) * 16 + 0x100;
    g_assert_cmphex(guest_get(g, sp - 2, 2), ==, FL_IOPL | FL_IF | 2);
    g_assert_cmphex(guest_get(g, sp - 6, 2), ==, 0x12);
    g_assert_cmpint(STEP(g, 0xcf), ==, -1);
    g_assert_cmphex(cpu_eflags(g->cpu) & (FL_VIF | FL_IF | FL_IOPL), ==, FL_VIF | FL_IF);
    guest_put(g, AT_TSS + 0x68 + 0x21 / 8, 2, 1); /* bit set: #GP(0) for IOPL < 3 */
    assert_raised(g, EXC_GP, STEP(g, 0xcd, 0x21), 0);
    g->cpu->eflags |= FL_VIP;
    assert_raised(g, EXC_GP, STEP(g, 0xfb), 0);
    guest_free(g);
}

/* Table 6-2 and 6.12.1: a 16-bit gate pushes words, whatever the width of the code it interrupts. */
static void test_gate16(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    guest_set_idt(g, EXC_NP, SEL_CODE16, AT_HANDLER, 0x86, 0);
    g->cpu->rip = 0x12345;
    g_assert_true(guest_deliver(g, EXC_NP, INT_EXCEPTION, true, 0x44));
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_KERNEL - 8);
    g_assert_cmphex(guest_stack(g, 0, 2), ==, 0x44);
    g_assert_cmphex(guest_stack(g, 1, 2), ==, 0x2345);
    g_assert_cmpint(g->cpu->code_size, ==, 0);
    guest_free(g);
}

/* A 16-bit stack wraps at 64 KiB and leaves the upper half of ESP alone. */
static void test_stack16(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    seg_load(g->cpu, SEG_SS, SEL_DATA16);
    g->cpu->r[RSP] = 0x00120008;
    g_assert_true(guest_deliver(g, EXC_UD, INT_EXCEPTION, false, 0));
    g_assert_cmphex(g->cpu->r[RSP], ==, 0x0012fffc);
    g_assert_cmphex(guest_get(g, 0xfffc, 4), ==, AT_CODE);
    g_assert_cmphex(guest_get(g, 0x0, 4), ==, SEL_CODE32);
    guest_free(g);
}

static void check_exec(X86Cpu *cpu, uint64_t lin, uint64_t unused)
{
    debug_check_exec(cpu, lin);
}

/* 6.7.1: NMIs wait for IRET; 17.3: DR6, GD, and BTF's end. */
static void test_nmi_and_debug(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    g_assert_true(guest_deliver(g, EXC_NMI, INT_NMI, false, 0));
    g_assert_true(g->cpu->nmi_blocked);
    g_assert_cmpint(STEP(g, 0xcf), ==, -1);
    g_assert_false(g->cpu->nmi_blocked);
    debug_write_dr7(g->cpu, DR7_GD);
    g_assert_cmpint(STEP(g, 0x0f, 0x21, 0xf0), ==, EXC_DB);
    g_assert_true(guest_deliver_raised(g));
    g_assert_cmphex(g->cpu->dr6, ==, DR6_FIXED | DR6_BD);
    g_assert_cmphex(g->cpu->dr7, ==, DR7_FIXED);
    g_assert_cmphex(guest_stack(g, 2, 4) & FL_RF, ==, FL_RF);
    /* 17.2.3: a #DB sets B0-B3 anew, the other bits stay until software clears them. */
    debug_write_dr6(g->cpu, DR6_BS | 2);
    debug_write_address(g->cpu, 2, AT_DATA);
    debug_write_dr7(g->cpu, 1 << 5);
    g->cpu->rip = AT_DATA;
    g_assert_cmpint(guest_raises(g, check_exec, AT_DATA, 0), ==, EXC_DB);
    g_assert_true(guest_deliver_raised(g));
    g_assert_cmphex(g->cpu->dr6, ==, DR6_FIXED | DR6_BS | 4);
    debug_write_dr7(g->cpu, 0);
    g_assert_cmpint(STEP(g, 0xf1), ==, -1); /* INT1 sets nothing in DR6 and pushes the next address */
    g_assert_cmphex(g->cpu->rip, ==, AT_HANDLER + 16 * EXC_DB);
    guest_free(g);
}

void add_exception_tests(void)
{
    g_test_add_func("/x86/exception/real", test_real);
    g_test_add_func("/x86/exception/same", test_same_privilege);
    g_test_add_func("/x86/exception/inner", test_inner);
    g_test_add_func("/x86/exception/gate", test_gate_checks);
    g_test_add_func("/x86/exception/double", test_double_faults);
    g_test_add_func("/x86/exception/stack", test_bad_stack);
    g_test_add_func("/x86/exception/long", test_long);
    g_test_add_func("/x86/exception/v86", test_v86);
    g_test_add_func("/x86/exception/vme", test_vme);
    g_test_add_func("/x86/exception/gate16", test_gate16);
    g_test_add_func("/x86/exception/stack16", test_stack16);
    g_test_add_func("/x86/exception/nmi-debug", test_nmi_and_debug);
}
