/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Far transfers, returns, tasks, system calls.  Sections are those of the Intel SDM vol 3. */
#include "tests/unit/x86_guest.h"

#include "target/x86/debug.h"
#include "target/x86/flags.h"
#include "target/x86/segment.h"

static uint64_t call_gate(uint16_t sel, uint32_t off, unsigned type, unsigned dpl, unsigned params)
{
    return (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)params << 32 | (uint64_t)(0x80 | dpl << 5 | type) << 40 |
           (uint64_t)(off >> 16) << 48;
}

#define CALL_FAR(g, sel) STEP(g, 0x9a, 0x00, 0x90, 0, 0, sel, 0)
#define JMP_FAR(g, sel) STEP(g, 0xea, 0x00, 0x90, 0, 0, sel, 0)

/* 5.8.1: direct transfers and their checks. */
static void test_direct(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    g_assert_cmpint(CALL_FAR(g, SEL_CODE32), ==, -1);
    g_assert_cmphex(g->cpu->rip, ==, 0x9000);
    g_assert_cmphex(guest_stack(g, 0, 4), ==, AT_CODE + 7);
    g_assert_cmphex(guest_stack(g, 1, 4), ==, SEL_CODE32);
    g_assert_cmpint(STEP(g, 0xcb), ==, -1);
    g_assert_cmphex(g->cpu->rip, ==, AT_CODE + 7);
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_KERNEL);
    assert_raised(g, EXC_GP, JMP_FAR(g, SEL_DATA32), SEL_DATA32);
    assert_raised(g, EXC_GP, JMP_FAR(g, SEL_UCODE32 & ~3), SEL_UCODE32 & ~3);
    assert_raised(g, EXC_GP, JMP_FAR(g, 0), 0);
    guest_enter_user(g);
    g_assert_cmpint(JMP_FAR(g, SEL_CONFORMING), ==, -1); /* conforming code runs at CPL 3 */
    g_assert_cmphex(g->cpu->seg[SEG_CS].selector, ==, SEL_CONFORMING | 3);
    g_assert_cmpint(g->cpu->cpl, ==, 3);
    guest_free(g);
}

/* 5.8.3 to 5.8.6: a call gate to ring 0 copies parameters; the return nulls data segments of ring 0. */
static void test_call_gate(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    guest_set_desc(g, SEL_GATE, call_gate(SEL_CODE32, 0x9000, DESC_CALL32, 3, 2));
    guest_enter_user(g);
    guest_put(g, TOP_USER - 8, 0x1111111122222222ull, 8);
    g->cpu->r[RSP] = TOP_USER - 8;
    g_assert_cmpint(CALL_FAR(g, SEL_GATE | 3), ==, -1);
    g_assert_cmpint(g->cpu->cpl, ==, 0);
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_KERNEL - 24);
    g_assert_cmphex(guest_stack(g, 0, 4), ==, AT_CODE + 7);
    g_assert_cmphex(guest_stack(g, 2, 4), ==, 0x22222222);
    g_assert_cmphex(guest_stack(g, 3, 4), ==, 0x11111111);
    g_assert_cmphex(guest_stack(g, 4, 4), ==, TOP_USER - 8);
    seg_load(g->cpu, SEG_ES, SEL_DATA32);
    g_assert_cmpint(STEP(g, 0xca, 8, 0), ==, -1); /* RETF 8 */
    g_assert_cmpint(g->cpu->cpl, ==, 3);
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_USER);
    g_assert_cmphex(g->cpu->seg[SEG_ES].attr & SEG_UNUSABLE, !=, 0);
    g_assert_cmphex(g->cpu->seg[SEG_DS].selector, ==, SEL_UDATA32);
    assert_raised(g, EXC_GP, JMP_FAR(g, SEL_GATE | 3), SEL_CODE32); /* JMP may not change privilege */
    guest_set_desc(g, SEL_GATE, call_gate(SEL_CODE32, 0x9000, DESC_CALL32, 0, 2));
    assert_raised(g, EXC_GP, CALL_FAR(g, SEL_GATE | 3), SEL_GATE);
    guest_free(g);
}

static void set_task_b(Guest *g)
{
    guest_put(g, AT_TSS_B + 0x20, 0x9000, 4);
    guest_put(g, AT_TSS_B + 0x24, FL_IF | 2, 4);
    guest_put(g, AT_TSS_B + 0x28, 0xaaaa, 4);          /* EAX */
    guest_put(g, AT_TSS_B + 0x38, TOP_IST, 4);         /* ESP */
    guest_put(g, AT_TSS_B + 0x4c, SEL_CODE32, 4);
    guest_put(g, AT_TSS_B + 0x50, SEL_DATA32, 4);
    guest_put(g, AT_TSS_B + 0x54, SEL_DATA32, 4);
}

/* 7.3, tables 7-1 and 7-2: CALL nests, IRET goes back. */
static void test_task(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    X86Cpu *cpu = g->cpu;
    set_task_b(g);
    cpu->r[RAX] = 0x5555;
    cpu->dr7 |= 1;
    g_assert_cmpint(CALL_FAR(g, SEL_TSS_B), ==, -1);
    g_assert_cmphex(cpu->rip, ==, 0x9000);
    g_assert_cmphex(cpu->r[RAX], ==, 0xaaaa);
    g_assert_cmphex(cpu->r[RSP], ==, TOP_IST);
    g_assert_cmphex(cpu_eflags(cpu), ==, FL_IF | FL_NT | 2);
    g_assert_cmphex(cpu->cr0 & CR0_TS, ==, CR0_TS);
    g_assert_cmphex(cpu->dr7 & 0xff, ==, 0);
    g_assert_cmphex(cpu->tr.selector, ==, SEL_TSS_B);
    g_assert_cmphex(guest_get(g, AT_TSS_B, 2), ==, SEL_TSS);
    g_assert_cmphex(guest_get(g, AT_TSS + 0x20, 4), ==, AT_CODE + 7);
    g_assert_cmphex(guest_get(g, AT_TSS + 0x28, 4), ==, 0x5555);
    g_assert_cmphex(guest_get(g, AT_GDT + SEL_TSS_B + 5, 1), ==, 0x8b);
    g_assert_cmphex(guest_get(g, AT_GDT + SEL_TSS + 5, 1), ==, 0x8b);
    assert_raised(g, EXC_GP, CALL_FAR(g, SEL_TSS_B), SEL_TSS_B); /* busy */
    g_assert_cmpint(STEP(g, 0xcf), ==, -1);
    g_assert_cmphex(cpu->rip, ==, AT_CODE + 7);
    g_assert_cmphex(cpu->r[RAX], ==, 0x5555);
    g_assert_cmphex(guest_get(g, AT_GDT + SEL_TSS_B + 5, 1), ==, 0x89);
    g_assert_cmphex(guest_get(g, AT_TSS_B + 0x24, 4) & FL_NT, ==, 0);
    /* A jump leaves the old task available. */
    g_assert_cmpint(JMP_FAR(g, SEL_TASK_GATE), ==, -1);
    g_assert_cmphex(guest_get(g, AT_GDT + SEL_TSS + 5, 1), ==, 0x89);
    g_assert_cmphex(cpu_eflags(cpu) & FL_NT, ==, 0);
    guest_free(g);
}

/* Interrupts through task gates push the error code on the new stack; faults of the new task's segments are #TS. */
static void test_task_gate(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    set_task_b(g);
    guest_set_idt(g, EXC_GP, SEL_TSS_B, 0, 0x85, 0);
    g_assert_true(guest_deliver(g, EXC_GP, INT_EXCEPTION, true, 0x77));
    g_assert_cmphex(g->cpu->rip, ==, 0x9000);
    g_assert_cmphex(guest_stack(g, 0, 4), ==, 0x77);
    guest_free(g);

    g = guest_new("max", GUEST_PROT32);
    set_task_b(g);
    guest_put(g, AT_TSS_B + 0x54, SEL_TSS, 4);
    assert_raised(g, EXC_TS, JMP_FAR(g, SEL_TSS_B), SEL_TSS);
    g_assert_cmphex(g->cpu->rip, ==, 0x9000); /* raised in the new task */
    g_assert_cmphex(g->cpu->tr.selector, ==, SEL_TSS_B);
    guest_put(g, AT_TSS_B + 0x64, 1, 2);
    guest_free(g);

    g = guest_new("max", GUEST_PROT32);
    set_task_b(g);
    guest_put(g, AT_TSS_B + 0x64, 1, 2); /* T: a debug trap as the task starts */
    g_assert_cmpint(JMP_FAR(g, SEL_TSS_B), ==, EXC_DB);
    g_assert_cmphex(g->cpu->exc.dr6, ==, DR6_BT);
    g_assert_cmphex(g->cpu->rip, ==, 0x9000);
    guest_free(g);
}

/* Figure 7-10: a 16-bit TSS keeps words; the task's data segments FS and GS are null. */
static void test_task16(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    guest_put(g, AT_TSS16 + 0x0e, 0x9000, 2);
    guest_put(g, AT_TSS16 + 0x10, 2, 2);
    guest_put(g, AT_TSS16 + 0x1a, TOP_IST, 2); /* SP */
    guest_put(g, AT_TSS16 + 0x24, SEL_CODE16, 2);
    guest_put(g, AT_TSS16 + 0x26, SEL_DATA16, 2);
    g_assert_cmpint(CALL_FAR(g, SEL_TSS16), ==, -1);
    g_assert_cmphex(g->cpu->rip, ==, 0x9000);
    g_assert_cmpint(g->cpu->code_size, ==, 0);
    g_assert_cmphex(g->cpu->r[RSP] & 0xffff, ==, TOP_IST);
    g_assert_cmphex(g->cpu->seg[SEG_FS].attr & SEG_UNUSABLE, !=, 0);
    g_assert_cmphex(cpu_eflags(g->cpu) & FL_NT, ==, FL_NT);
    g_assert_cmpint(STEP(g, 0xcf), ==, -1);
    g_assert_cmphex(g->cpu->tr.selector, ==, SEL_TSS);
    g_assert_cmphex(g->cpu->rip, ==, AT_CODE + 7);
    guest_free(g);
}

/* 5.8.3.1: 64-bit call gates have 16 bytes, lead to 64-bit code and leave SS null. */
static void test_call_gate64(void)
{
    Guest *g = guest_new("max", GUEST_LONG64);
    guest_set_desc(g, SEL_GATE, call_gate(SEL_CODE64, 0x9000, DESC_CALL32, 3, 0));
    guest_set_desc(g, SEL_GATE + 8, 0);
    guest_enter_user(g);
    guest_put(g, AT_DATA, 0, 4);
    guest_put(g, AT_DATA + 4, SEL_GATE | 3, 2);
    g->cpu->r[RBX] = AT_DATA;
    g_assert_cmpint(STEP(g, 0xff, 0x1b), ==, -1); /* CALL FAR [RBX] */
    g_assert_cmpint(g->cpu->cpl, ==, 0);
    g_assert_cmphex(g->cpu->seg[SEG_SS].selector, ==, 0);
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_KERNEL - 32);
    g_assert_cmphex(guest_stack(g, 0, 8), ==, AT_CODE + 2);
    g_assert_cmphex(guest_stack(g, 2, 8), ==, TOP_USER);
    g_assert_cmpint(STEP(g, 0x48, 0xcb), ==, -1); /* RETFQ */
    g_assert_cmpint(g->cpu->cpl, ==, 3);
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_USER);
    guest_set_desc(g, SEL_GATE + 8, 1ull << 40);
    assert_raised(g, EXC_GP, STEP(g, 0xff, 0x1b), SEL_GATE); /* type of the upper half is not 0 */
    guest_set_desc(g, SEL_GATE + 8, 0xffff);
    assert_raised(g, EXC_GP, STEP(g, 0xff, 0x1b), 0); /* target is not canonical */
    guest_free(g);
}

/* Vol 2 IRET: what each privilege may change. */
static void test_iret_flags(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    guest_enter_user(g);
    guest_put(g, TOP_USER - 12, AT_DATA, 4);
    guest_put(g, TOP_USER - 8, SEL_UCODE32, 4);
    guest_put(g, TOP_USER - 4, FL_IF | FL_IOPL | FL_VIF | FL_AC | FL_RF | FL_CF | 2, 4);
    g->cpu->r[RSP] = TOP_USER - 12;
    g_assert_cmpint(STEP(g, 0xcf), ==, -1);
    g_assert_cmphex(cpu_eflags(g->cpu), ==, FL_AC | FL_RF | FL_CF | 2);
    g_assert_cmphex(g->cpu->rip, ==, AT_DATA);
    guest_free(g);
}

/* A return to ring 3 drops data segments of ring 0; 64-bit code goes on using the bases of FS and GS. */
static void test_dropped_base(void)
{
    Guest *g = guest_new("max", GUEST_LONG64);
    static const uint64_t frame[] = {AT_DATA, SEL_UCODE64, 2, TOP_USER, SEL_UDATA32};
    g->cpu->seg[SEG_GS].base = 0x123450000;
    g->cpu->r[RSP] = TOP_KERNEL - sizeof(frame);
    for (unsigned n = 0; n < ARRAY_LEN(frame); n++) {
        guest_put(g, TOP_KERNEL - sizeof(frame) + 8 * n, frame[n], 8);
    }
    g_assert_cmpint(STEP(g, 0x48, 0xcf), ==, -1);
    g_assert_cmpint(g->cpu->cpl, ==, 3);
    g_assert_cmphex(g->cpu->seg[SEG_GS].selector, ==, 0);
    g_assert_cmphex(g->cpu->seg[SEG_GS].base, ==, 0x123450000);
    guest_free(g);
}

/* Vol 2 SYSCALL and SYSRET; SYSENTER by vendor. */
static void test_syscall(void)
{
    Guest *g = guest_new("max", GUEST_LONG64);
    X86Cpu *cpu = g->cpu;
    cpu->msr.star = (uint64_t)SEL_CODE64 << 32 | (uint64_t)0x33 << 48;
    cpu->msr.lstar = AT_HANDLER;
    cpu->msr.fmask = FL_IF | FL_DF;
    guest_enter_user(g);
    cpu_load_eflags(cpu, FL_IF | FL_DF | FL_CF, FL_ALL);
    g_assert_cmpint(STEP(g, 0x0f, 0x05), ==, -1);
    g_assert_cmpint(cpu->cpl, ==, 0);
    g_assert_cmphex(cpu->rip, ==, AT_HANDLER);
    g_assert_cmphex(cpu->r[RCX], ==, AT_CODE + 2);
    g_assert_cmphex(cpu->r[R11], ==, FL_IF | FL_DF | FL_CF | 2);
    g_assert_cmphex(cpu_eflags(cpu), ==, FL_CF | 2);
    g_assert_cmphex(cpu->seg[SEG_SS].selector, ==, SEL_CODE64 + 8);
    g_assert_cmpint(STEP(g, 0x48, 0x0f, 0x07), ==, -1);
    g_assert_cmpint(cpu->cpl, ==, 3);
    g_assert_true(cpu->code64);
    g_assert_cmphex(cpu->seg[SEG_CS].selector, ==, 0x43);
    g_assert_cmphex(cpu->rip, ==, AT_CODE + 2);
    g_assert_cmphex(cpu_eflags(cpu), ==, FL_IF | FL_DF | FL_CF | 2);
    g_assert_cmpint(STEP(g, 0x0f, 0x34), ==, EXC_UD); /* AMD: no SYSENTER in long mode */
    /* SYSRET traps on the TF it loads, not one instruction later. */
    cpu_load_eflags(cpu, 0, FL_ALL);
    g_assert_cmpint(STEP(g, 0x0f, 0x05), ==, -1);
    cpu->r[R11] |= FL_TF;
    cpu->r[RCX] = AT_DATA;
    g_assert_cmpint(STEP(g, 0x48, 0x0f, 0x07), ==, EXC_DB);
    g_assert_cmphex(cpu->exc.dr6, ==, DR6_BS);
    g_assert_cmphex(cpu->rip, ==, AT_DATA);
    cpu->efer &= ~(uint64_t)EFER_SCE;
    g_assert_cmpint(STEP(g, 0x0f, 0x05), ==, EXC_UD);
    guest_free(g);

    g = guest_new("max,vendor=GenuineIntel", GUEST_LONG64);
    cpu = g->cpu;
    cpu->msr.sysenter_cs = SEL_CODE64;
    cpu->msr.sysenter_eip = AT_HANDLER;
    cpu->msr.sysenter_esp = TOP_KERNEL;
    guest_enter_user(g);
    g_assert_cmpint(STEP(g, 0x0f, 0x34), ==, -1);
    g_assert_cmpint(cpu->cpl, ==, 0);
    g_assert_cmphex(cpu->rip, ==, AT_HANDLER);
    cpu->r[RCX] = 1ull << 63;
    assert_raised(g, EXC_GP, STEP(g, 0x48, 0x0f, 0x07), 0); /* SYSRET to a non-canonical address */
    guest_free(g);
}

/* Real mode: far calls push 16-bit frames; limits of CS hold. */
static void test_real(void)
{
    Guest *g = guest_new("max", GUEST_REAL);
    g_assert_cmpint(STEP(g, 0x9a, 0x34, 0x12, 0x00, 0x80), ==, -1);
    g_assert_cmphex(g->cpu->seg[SEG_CS].base, ==, 0x80000);
    g_assert_cmphex(g->cpu->rip, ==, 0x1234);
    g_assert_cmphex(guest_stack(g, 0, 2), ==, AT_CODE + 5);
    assert_raised(g, EXC_GP, STEP(g, 0x66, 0xea, 0, 0, 1, 0, 0, 0x80), 0);
    g_assert_cmpint(STEP(g, 0xcb), ==, -1);
    g_assert_cmphex(g->cpu->r[RSP], ==, TOP_KERNEL);
    guest_free(g);
}

void add_transfer_tests(void)
{
    g_test_add_func("/x86/transfer/direct", test_direct);
    g_test_add_func("/x86/transfer/call-gate", test_call_gate);
    g_test_add_func("/x86/transfer/task", test_task);
    g_test_add_func("/x86/transfer/task-gate", test_task_gate);
    g_test_add_func("/x86/transfer/task16", test_task16);
    g_test_add_func("/x86/transfer/call-gate64", test_call_gate64);
    g_test_add_func("/x86/transfer/iret-flags", test_iret_flags);
    g_test_add_func("/x86/transfer/dropped-base", test_dropped_base);
    g_test_add_func("/x86/transfer/syscall", test_syscall);
    g_test_add_func("/x86/transfer/real", test_real);
}
