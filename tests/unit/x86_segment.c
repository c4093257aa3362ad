/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segment loads, limits, LAR and friends.  Sections are those of the Intel SDM vol 3. */
#include "tests/unit/x86_guest.h"

#include "target/x86/mem.h"
#include "target/x86/segment.h"

static void load(X86Cpu *cpu, uint64_t seg, uint64_t sel)
{
    seg_load(cpu, (unsigned)seg, (uint16_t)sel);
}

static int load_sel(Guest *g, unsigned seg, unsigned sel)
{
    return guest_raises(g, load, seg, sel);
}

/* 5.6, 5.7, and vol 2 MOV: what a load checks, and with which fault. */
static void test_load_checks(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    g_assert_cmpint(load_sel(g, SEG_DS, SEL_READ_ONLY), ==, -1);
    g_assert_cmpint(load_sel(g, SEG_ES, SEL_CONFORMING), ==, -1);
    g_assert_cmpint(load_sel(g, SEG_FS, 0), ==, -1);
    g_assert_cmphex(g->cpu->seg[SEG_FS].attr & SEG_UNUSABLE, !=, 0);
    assert_raised(g, EXC_GP, load_sel(g, SEG_DS, SEL_EXEC_ONLY), SEL_EXEC_ONLY);
    assert_raised(g, EXC_GP, load_sel(g, SEG_DS, SEL_TSS), SEL_TSS);
    assert_raised(g, EXC_NP, load_sel(g, SEG_DS, SEL_ABSENT), SEL_ABSENT);
    assert_raised(g, EXC_GP, load_sel(g, SEG_DS, 0x1000), 0x1000); /* beyond the table */
    assert_raised(g, EXC_GP, load_sel(g, SEG_DS, 0x0c), 0x0c);     /* no LDT */
    assert_raised(g, EXC_GP, load_sel(g, SEG_SS, 0), 0);
    assert_raised(g, EXC_GP, load_sel(g, SEG_SS, SEL_READ_ONLY), SEL_READ_ONLY);
    assert_raised(g, EXC_GP, load_sel(g, SEG_SS, SEL_UDATA32), SEL_UDATA32 & ~3);
    assert_raised(g, EXC_SS, load_sel(g, SEG_SS, SEL_ABSENT), SEL_ABSENT);
    guest_enter_user(g);
    assert_raised(g, EXC_GP, load_sel(g, SEG_DS, SEL_DATA32), SEL_DATA32);
    g_assert_cmpint(load_sel(g, SEG_DS, SEL_UDATA32), ==, -1);
    g_assert_cmpint(load_sel(g, SEG_DS, SEL_CONFORMING | 3), ==, -1);
    guest_free(g);
}

/* 3.4.5.1: the accessed bit is set in memory. */
static void test_accessed(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    guest_set_desc(g, SEL_DATA32, DESC_DATA32 & ~(1ull << 40));
    g_assert_cmpint(load_sel(g, SEG_DS, SEL_DATA32), ==, -1);
    g_assert_cmphex(guest_get(g, AT_GDT + SEL_DATA32 + 5, 1), ==, 0x93);
    guest_free(g);
}

static void read4(X86Cpu *cpu, uint64_t seg, uint64_t off)
{
    mem_read32(cpu, (unsigned)seg, off);
}

static void write1(X86Cpu *cpu, uint64_t seg, uint64_t off)
{
    mem_write8(cpu, (unsigned)seg, off, 1);
}

/* 5.3: limits, expand-down segments; 5.5: types. */
static void test_limits(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    X86Cpu *cpu = g->cpu;
    load_sel(g, SEG_ES, SEL_DATA16);
    g_assert_cmpint(guest_raises(g, read4, SEG_ES, 0xfffc), ==, -1);
    assert_raised(g, EXC_GP, guest_raises(g, read4, SEG_ES, 0xfffd), 0);
    load_sel(g, SEG_SS, SEL_DATA16);
    assert_raised(g, EXC_SS, guest_raises(g, read4, SEG_SS, 0xfffd), 0);
    load_sel(g, SEG_ES, SEL_EXPAND_DOWN);
    g_assert_cmpint(guest_raises(g, read4, SEG_ES, 0x1000), ==, -1);
    g_assert_cmpint(guest_raises(g, write1, SEG_ES, 0x2000), ==, -1);
    assert_raised(g, EXC_GP, guest_raises(g, read4, SEG_ES, 0xfff), 0);
    assert_raised(g, EXC_GP, guest_raises(g, read4, SEG_ES, 0), 0);
    load_sel(g, SEG_ES, SEL_READ_ONLY);
    assert_raised(g, EXC_GP, guest_raises(g, write1, SEG_ES, 0x2000), 0);
    assert_raised(g, EXC_GP, guest_raises(g, write1, SEG_CS, 0x2000), 0);
    load_sel(g, SEG_ES, 0);
    assert_raised(g, EXC_GP, guest_raises(g, read4, SEG_ES, 0x2000), 0);
    /* An operand across 4 GiB does not wrap (silicon). */
    assert_raised(g, EXC_GP, guest_raises(g, read4, SEG_DS, 0xffffffff), 0);
    g_assert_false(cpu->code64);
    guest_free(g);
}

/* 9.1.4 and 20.1.1: real mode keeps what protected mode loaded into the limit. */
static void test_unreal(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    g_assert_cmpint(load_sel(g, SEG_DS, SEL_DATA32), ==, -1);
    cpu_write_cr0(g->cpu, g->cpu->cr0 & ~(uint64_t)CR0_PE);
    g_assert_cmpint(load_sel(g, SEG_DS, 0x1234), ==, -1);
    g_assert_cmphex(g->cpu->seg[SEG_DS].base, ==, 0x12340);
    g_assert_cmphex(g->cpu->seg[SEG_DS].limit, ==, 0xffffffff);
    g_assert_cmpint(guest_raises(g, write1, SEG_CS, 0x2000), ==, -1); /* no type checks */
    guest_free(g);
}

/* 64-bit mode: SS may be null below CPL 3 (vol 2 MOV). */
static void test_null_ss(void)
{
    Guest *g = guest_new("max", GUEST_LONG64);
    g_assert_cmpint(load_sel(g, SEG_SS, 0), ==, -1);
    g_assert_cmpint(g->cpu->cpl, ==, 0);
    assert_raised(g, EXC_GP, load_sel(g, SEG_SS, 1), 0);
    guest_enter_user(g);
    assert_raised(g, EXC_GP, load_sel(g, SEG_SS, 3), 0);
    guest_free(g);
}

/* Vol 2 LAR, LSL, VERR, VERW: the types each knows. */
static void test_look(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    uint32_t v;
    g_assert_true(seg_lar(g->cpu, SEL_DATA32, &v));
    g_assert_cmphex(v, ==, 0x00c09300);
    g_assert_true(seg_lsl(g->cpu, SEL_DATA32, &v));
    g_assert_cmphex(v, ==, 0xffffffff);
    g_assert_true(seg_lar(g->cpu, SEL_TASK_GATE, &v));
    g_assert_false(seg_lsl(g->cpu, SEL_TASK_GATE, &v));
    g_assert_true(seg_lsl(g->cpu, SEL_TSS, &v));
    g_assert_cmphex(v, ==, 0x1ff);
    g_assert_false(seg_lar(g->cpu, 0, &v));
    g_assert_true(seg_verify(g->cpu, SEL_READ_ONLY, false));
    g_assert_false(seg_verify(g->cpu, SEL_READ_ONLY, true));
    g_assert_false(seg_verify(g->cpu, SEL_EXEC_ONLY, false));
    g_assert_false(seg_verify(g->cpu, SEL_TSS, false));
    guest_enter_user(g);
    g_assert_false(seg_verify(g->cpu, SEL_DATA32, false));
    g_assert_true(seg_verify(g->cpu, SEL_CONFORMING, false));
    guest_free(g);
    g = guest_new("max", GUEST_LONG64);
    g_assert_false(seg_lar(g->cpu, SEL_TASK_GATE, &v));
    g_assert_false(seg_lsl(g->cpu, SEL_TSS16, &v));
    guest_free(g);
}

static void load_tr(X86Cpu *cpu, uint64_t sel, uint64_t unused)
{
    seg_load_tr(cpu, (uint16_t)sel);
}

static void load_ldtr(X86Cpu *cpu, uint64_t sel, uint64_t unused)
{
    seg_load_ldtr(cpu, (uint16_t)sel, EXC_GP, 0);
}

/* Vol 2 LTR, LLDT. */
static void test_system_segments(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    assert_raised(g, EXC_GP, guest_raises(g, load_tr, SEL_TSS, 0), SEL_TSS); /* busy */
    assert_raised(g, EXC_GP, guest_raises(g, load_tr, 0, 0), 0);
    g_assert_cmpint(guest_raises(g, load_tr, SEL_TSS_B, 0), ==, -1);
    g_assert_cmphex(guest_get(g, AT_GDT + SEL_TSS_B + 5, 1), ==, 0x8b);
    assert_raised(g, EXC_GP, guest_raises(g, load_ldtr, SEL_DATA32, 0), SEL_DATA32);
    g_assert_cmpint(guest_raises(g, load_ldtr, SEL_LDT, 0), ==, -1);
    guest_put(g, AT_LDT + 8, DESC_DATA32, 8);
    g_assert_cmpint(load_sel(g, SEG_DS, 0x0c), ==, -1);
    assert_raised(g, EXC_GP, load_sel(g, SEG_DS, 0x24), 0x24); /* LDT limit is 0x1f */
    guest_free(g);
}

void add_segment_tests(void)
{
    g_test_add_func("/x86/segment/load", test_load_checks);
    g_test_add_func("/x86/segment/accessed", test_accessed);
    g_test_add_func("/x86/segment/limits", test_limits);
    g_test_add_func("/x86/segment/unreal", test_unreal);
    g_test_add_func("/x86/segment/null-ss", test_null_ss);
    g_test_add_func("/x86/segment/look", test_look);
    g_test_add_func("/x86/segment/system", test_system_segments);
}
