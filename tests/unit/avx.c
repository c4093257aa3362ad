/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules around AVX and the other VEX instructions that user-mode comparison with the silicon cannot reach:
 * availability, alignment, what a fault leaves done, XCR0 and the AVX part of XSAVE.
 * Spec: Intel SDM vol 1, 13.4-13.8, 14.3, 15.1; vol 2, 2.4, VMASKMOV, VPGATHERDD; vol 3, 2.6 (XCR0), 13.1.
 */
#include <string.h>

#include "target/x86/insn.h"
#include "tests/unit/x86_guest.h"

enum { NO_FAULT = -1, END = 0x400000 /* of mapped memory */, FULL = 7 };

#define VADDPS_XMM0_XMM1_XMM2 0xc5, 0xf0, 0x58, 0xc2
#define VMOVUPS_YMM0_RAX 0xc5, 0xfc, 0x10, 0x00
#define VMOVAPS_YMM0_RAX 0xc5, 0xfc, 0x28, 0x00
#define VMOVAPS_XMM0_RAX 0xc5, 0xf8, 0x28, 0x00
#define VMOVAPS_RAX_YMM0 0xc5, 0xfc, 0x29, 0x00
#define VZEROUPPER 0xc5, 0xf8, 0x77
#define VZEROALL 0xc5, 0xfc, 0x77
#define VMASKMOVPS_YMM0_YMM1_RAX 0xc4, 0xe2, 0x75, 0x2c, 0x00
#define VMASKMOVPS_RAX_YMM1_YMM0 0xc4, 0xe2, 0x75, 0x2e, 0x00
#define VPGATHERDD_YMM0_RAX_YMM1_YMM2 0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x88
#define ANDN_EAX_ECX_EDX 0xc4, 0xe2, 0x70, 0xf2, 0xc2
#define ADDPS_XMM0_XMM1 0x0f, 0x58, 0xc1
#define XSETBV 0x0f, 0x01, 0xd1
#define XSAVE_RBX 0x0f, 0xae, 0x23
#define XRSTOR_RBX 0x0f, 0xae, 0x2b

static Guest *guest_with_avx(GuestMode mode)
{
    Guest *g = guest_new("max", mode);
    g->cpu->cr4 |= CR4_OSXSAVE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    g->cpu->xcr0 = FULL;
    g->cpu->mxcsr = 0x1f80;
    for (unsigned n = 0; n < 16; n++) {
        memset(&g->cpu->v[n], 0, sizeof(Vec));
        memset(g->cpu->v[n].b, (int)(0x10 + n), 32);
    }
    return g;
}

static bool upper_is(const X86Cpu *cpu, unsigned n, uint64_t value)
{
    return cpu->v[n].q[2] == value && cpu->v[n].q[3] == value;
}

static void test_availability(void)
{
    Guest *g = guest_with_avx(GUEST_LONG64);
    X86Cpu *cpu = g->cpu;
    g_assert_cmpint(STEP(g, VADDPS_XMM0_XMM1_XMM2), ==, NO_FAULT);
    cpu->cr0 |= CR0_EM; /* does not count here, unlike for SSE */
    g_assert_cmpint(STEP(g, VADDPS_XMM0_XMM1_XMM2), ==, NO_FAULT);
    cpu->cr0 |= CR0_TS;
    g_assert_cmpint(STEP(g, VADDPS_XMM0_XMM1_XMM2), ==, EXC_NM);
    g_assert_cmpint(STEP(g, ANDN_EAX_ECX_EDX), ==, NO_FAULT); /* general registers only */
    cpu->xcr0 = 3;
    g_assert_cmpint(STEP(g, VADDPS_XMM0_XMM1_XMM2), ==, EXC_UD); /* before #NM */
    g_assert_cmpint(STEP(g, VZEROUPPER), ==, EXC_UD);
    g_assert_cmpint(STEP(g, ANDN_EAX_ECX_EDX), ==, NO_FAULT);
    cpu->xcr0 = FULL;
    cpu->cr4 &= ~(uint64_t)CR4_OSXSAVE;
    g_assert_cmpint(STEP(g, VADDPS_XMM0_XMM1_XMM2), ==, EXC_UD);
    g_assert_cmpint(STEP(g, ANDN_EAX_ECX_EDX), ==, NO_FAULT);
    guest_free(g);
    /* VEX does not exist in real mode. */
    g = guest_with_avx(GUEST_REAL);
    g_assert_cmpint(STEP(g, VADDPS_XMM0_XMM1_XMM2), ==, EXC_UD);
    g_assert_cmpint(STEP(g, ANDN_EAX_ECX_EDX), ==, EXC_UD);
    guest_free(g);
    /* A model without AVX has no such encoding whatever XCR0 holds. */
    g = guest_new("x86-64-v2", GUEST_LONG64);
    g->cpu->cr4 |= CR4_OSXSAVE;
    g->cpu->xcr0 = FULL;
    g_assert_cmpint(STEP(g, VADDPS_XMM0_XMM1_XMM2), ==, EXC_UD);
    guest_free(g);
}

/* SDM vol 1 15.5, vol 2 2.3.10: VEX clears what is above its result, legacy SSE keeps it. */
static void test_upper_halves(void)
{
    Guest *g = guest_with_avx(GUEST_LONG64);
    X86Cpu *cpu = g->cpu;
    g_assert_cmpint(STEP(g, ADDPS_XMM0_XMM1), ==, NO_FAULT);
    g_assert_true(upper_is(cpu, 0, 0x1010101010101010));
    g_assert_cmpint(STEP(g, VADDPS_XMM0_XMM1_XMM2), ==, NO_FAULT);
    g_assert_true(upper_is(cpu, 0, 0));
    g_assert_true(upper_is(cpu, 1, 0x1111111111111111));
    g_assert_cmpint(STEP(g, VZEROUPPER), ==, NO_FAULT);
    g_assert_true(upper_is(cpu, 15, 0));
    g_assert_cmphex(cpu->v[15].q[1], ==, 0x1f1f1f1f1f1f1f1f);
    g_assert_cmpint(STEP(g, VZEROALL), ==, NO_FAULT);
    g_assert_cmphex(cpu->v[15].q[1], ==, 0);
    guest_free(g);
    g = guest_with_avx(GUEST_PROT32); /* eight registers are all there are */
    g_assert_cmpint(STEP(g, VZEROALL), ==, NO_FAULT);
    g_assert_cmphex(g->cpu->v[7].q[0], ==, 0);
    g_assert_cmphex(g->cpu->v[8].q[0], ==, 0x1818181818181818);
    guest_free(g);
}

static void test_alignment(void)
{
    Guest *g = guest_with_avx(GUEST_LONG64);
    X86Cpu *cpu = g->cpu;
    cpu->r[RAX] = AT_DATA + 16;
    g_assert_cmpint(STEP(g, VMOVUPS_YMM0_RAX), ==, NO_FAULT);
    g_assert_cmpint(STEP(g, VMOVAPS_XMM0_RAX), ==, NO_FAULT);
    g_assert_cmpint(STEP(g, VMOVAPS_YMM0_RAX), ==, EXC_GP); /* to its own size */
    g_assert_cmpint(STEP(g, VMOVAPS_RAX_YMM0), ==, EXC_GP);
    cpu->r[RAX] = END - 16;
    g_assert_cmpint(STEP(g, VMOVUPS_YMM0_RAX), ==, EXC_PF);
    g_assert_cmphex(cpu->exc.cr2, ==, END);
    guest_free(g);
}

/* Elements that the mask leaves out are neither accessed nor written; a store writes all or nothing. */
static void test_masked_moves(void)
{
    Guest *g = guest_with_avx(GUEST_LONG64);
    X86Cpu *cpu = g->cpu;
    cpu->r[RAX] = END - 12;
    cpu->v[1] = (Vec){.d = {0x80000000, 0x7fffffff, 0xffffffff}};
    guest_put(g, END - 12, 0x2222222211111111, 8);
    guest_put(g, END - 4, 0x33333333, 4);
    g_assert_cmpint(STEP(g, VMASKMOVPS_YMM0_YMM1_RAX), ==, NO_FAULT);
    g_assert_cmphex(cpu->v[0].q[0], ==, 0x11111111);
    g_assert_cmphex(cpu->v[0].q[1], ==, 0x33333333);
    g_assert_true(upper_is(cpu, 0, 0));
    memset(cpu->v[0].b, 0x77, 32);
    g_assert_cmpint(STEP(g, VMASKMOVPS_RAX_YMM1_YMM0), ==, NO_FAULT);
    g_assert_cmphex(guest_get(g, END - 12, 8), ==, 0x2222222277777777);
    g_assert_cmphex(guest_get(g, END - 4, 4), ==, 0x77777777);
    cpu->v[1].d[3] = 0x80000000; /* the first one that is not there */
    memset(cpu->v[0].b, 0x66, 32);
    g_assert_cmpint(STEP(g, VMASKMOVPS_RAX_YMM1_YMM0), ==, EXC_PF);
    g_assert_cmphex(guest_get(g, END - 12, 8), ==, 0x2222222277777777);
    g_assert_cmpint(STEP(g, VMASKMOVPS_YMM0_YMM1_RAX), ==, EXC_PF);
    g_assert_cmphex(cpu->v[0].q[0], ==, 0x6666666666666666);
    guest_free(g);
}

static void test_gather(void)
{
    Guest *g = guest_with_avx(GUEST_LONG64);
    X86Cpu *cpu = g->cpu;
    cpu->r[RAX] = END - 8;
    cpu->v[1] = (Vec){.sd = {1, 5, 0, 7, -1, 100, -2, 0}};
    cpu->v[2] = (Vec){.d = {0xffffffff, 0x7fffffff, 0x80000000, 0, 0xffffffff, 0xffffffff, 0xffffffff, 0}};
    for (int k = -2; k < 2; k++) {
        guest_put(g, (uint32_t)(END - 8 + 4 * k), 0xa0u + (unsigned)(k + 2), 4);
    }
    g_assert_cmpint(STEP(g, VPGATHERDD_YMM0_RAX_YMM1_YMM2), ==, EXC_PF);
    g_assert_cmphex(cpu->exc.cr2, ==, END - 8 + 400);
    /* What comes before element 5 is done and its mask is clear; the rest waits. */
    static const uint32_t partial[8] = {0xa3, 0x10101010, 0xa2, 0x10101010, 0xa1, 0x10101010, 0x10101010, 0x10101010};
    static const uint32_t left[8] = {0, 0, 0, 0, 0, 0xffffffff, 0xffffffff, 0};
    g_assert_cmpmem(cpu->v[0].d, 32, partial, 32);
    g_assert_cmpmem(cpu->v[2].d, 32, left, 32);
    cpu->v[1].sd[5] = 0;
    cpu->rip = cpu->insn_rip;
    g_assert_cmpint(STEP(g, VPGATHERDD_YMM0_RAX_YMM1_YMM2), ==, NO_FAULT);
    static const uint32_t whole[8] = {0xa3, 0x10101010, 0xa2, 0x10101010, 0xa1, 0xa2, 0xa0, 0x10101010};
    g_assert_cmpmem(cpu->v[0].d, 32, whole, 32);
    g_assert_cmphex(cpu->v[2].q[0] | cpu->v[2].q[1] | cpu->v[2].q[2] | cpu->v[2].q[3], ==, 0);
    /* Destination, index and mask are three registers; the operand is in memory, with a SIB byte. */
    g_assert_cmpint(STEP(g, 0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x80), ==, EXC_UD);
    g_assert_cmpint(STEP(g, 0xc4, 0xe2, 0x75, 0x90, 0x04, 0x88), ==, EXC_UD);
    g_assert_cmpint(STEP(g, 0xc4, 0xe2, 0x7d, 0x90, 0x04, 0x88), ==, EXC_UD);
    g_assert_cmpint(STEP(g, 0xc4, 0xe2, 0x6d, 0x90, 0x00), ==, EXC_UD);
    g_assert_cmpint(STEP(g, 0xc4, 0xe2, 0x6d, 0x90, 0xc1), ==, EXC_UD);
    guest_free(g);
}

/* SDM vol 3 2.6: bit 0 always, AVX not without SSE, nothing that CPUID does not list. */
static void test_xcr0(void)
{
    static const struct {
        uint32_t value;
        bool fine;
    } cases[] = {{1, true}, {3, true}, {7, true}, {0, false}, {2, false}, {5, false}, {6, false}, {0xe7, false}};
    Guest *g = guest_with_avx(GUEST_LONG64);
    X86Cpu *cpu = g->cpu;
    uint32_t r[4];
    for (unsigned n = 0; n < G_N_ELEMENTS(cases); n++) {
        cpu->r[RAX] = cases[n].value;
        cpu->r[RCX] = cpu->r[RDX] = 0;
        cpu->xcr0 = 1;
        g_assert_cmpint(STEP(g, XSETBV), ==, cases[n].fine ? NO_FAULT : EXC_GP);
        g_assert_cmphex(cpu->xcr0, ==, cases[n].fine ? cases[n].value : 1);
        cpu_cpuid(cpu, 0xd, 0, r);
        g_assert_cmphex(r[0] & 7, ==, 7);
        g_assert_cmpuint(r[1], ==, cpu->xcr0 & 4 ? 832 : 576);
    }
    cpu_cpuid(cpu, 0xd, 2, r);
    g_assert_cmpuint(r[0], ==, 256);
    g_assert_cmpuint(r[1], ==, 576);
    guest_free(g);
    g = guest_new("x86-64-v2,+xsave", GUEST_LONG64); /* without AVX */
    g->cpu->cr4 |= CR4_OSXSAVE;
    g->cpu->r[RAX] = 7;
    g_assert_cmpint(STEP(g, XSETBV), ==, EXC_GP);
    guest_free(g);
}

/* SDM vol 1 13.4.3: YMM_Hi128 at 576; 13.6: XINUSE; XRSTOR of an absent component clears it. */
static void test_xsave(void)
{
    Guest *g = guest_with_avx(GUEST_LONG64);
    X86Cpu *cpu = g->cpu;
    cpu->r[RDX] = 0;
    memset(g->mem + AT_DATA, 0, 1024);
    cpu->r[RBX] = AT_DATA;
    cpu->r[RAX] = FULL;
    g_assert_cmpint(STEP(g, XSAVE_RBX), ==, NO_FAULT);
    g_assert_cmphex(guest_get(g, AT_DATA + 512, 8) & 6, ==, 6);
    g_assert_cmphex(guest_get(g, AT_DATA + 160 + 16 * 3, 8), ==, 0x1313131313131313);
    g_assert_cmphex(guest_get(g, AT_DATA + 576 + 16 * 3, 8), ==, 0x1313131313131313);
    g_assert_cmpint(STEP(g, VZEROUPPER), ==, NO_FAULT);
    g_assert_cmpint(STEP(g, XRSTOR_RBX), ==, NO_FAULT);
    g_assert_true(upper_is(cpu, 3, 0x1313131313131313));
    guest_put(g, AT_DATA + 512, 3, 8);
    g_assert_cmpint(STEP(g, XRSTOR_RBX), ==, NO_FAULT);
    g_assert_true(upper_is(cpu, 3, 0));
    g_assert_cmphex(cpu->v[3].q[0], ==, 0x1313131313131313);
    g_assert_cmpint(STEP(g, XSAVE_RBX), ==, NO_FAULT); /* now AVX is in its initial state */
    g_assert_cmphex(guest_get(g, AT_DATA + 512, 8) & 6, ==, 2);
    cpu->xcr0 = 3; /* the image names what is not enabled */
    guest_put(g, AT_DATA + 512, 7, 8);
    g_assert_cmpint(STEP(g, XRSTOR_RBX), ==, EXC_GP);
    guest_free(g);
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    g_test_init(&argc, &argv, NULL);
    if (!insn_table_init(&error)) {
        g_error("%s", error->message);
    }
    g_test_add_func("/avx/availability", test_availability);
    g_test_add_func("/avx/upper-halves", test_upper_halves);
    g_test_add_func("/avx/alignment", test_alignment);
    g_test_add_func("/avx/masked-moves", test_masked_moves);
    g_test_add_func("/avx/gather", test_gather);
    g_test_add_func("/avx/xcr0", test_xcr0);
    g_test_add_func("/avx/xsave", test_xsave);
    return g_test_run();
}
