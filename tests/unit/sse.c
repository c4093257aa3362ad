/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules around SSE and MMX that user-mode comparison with the silicon cannot reach: availability, alignment, what a fault
 * leaves untouched, unmasked exceptions, FXSAVE and XSAVE.  They run on a processor with paged memory.
 * Spec: Intel SDM vol 1, 10.5, 11.5, chapter 13; vol 3 table 2-2, chapter 13; FIPS 197 appendix B.
 */
#include "target/x86/sse.h"

#include <string.h>

#include "target/x86/fpu.h"
#include "tests/unit/x86_guest.h"

/* The last two of the pages that the guest's tables map: what follows them faults. */
enum { MEM_SIZE = 0x2000, MEM_END = 0x400000, MEM = MEM_END - MEM_SIZE, BAD = 0x590000 };
static Guest *guest;
static uint8_t *memory; /* at MEM */
static X86Cpu *cpu;

/* ---- one instruction at a time ---- */

extern ExecFn *const exec_addps[8], *const exec_addss[8], *const exec_divps[8], *const exec_divss[8],
    *const exec_movaps_v_w[8], *const exec_movups_v_w[8], *const exec_movups_w_v[8], *const exec_movaps_w_v[8],
    *const exec_movnti[8], *const exec_fence[8], *const exec_clflush[8], *const exec_maskmovdqu[8],
    *const exec_maskmovq[8], *const exec_pcmpistri[8], *const exec_mmx_paddb[8], *const exec_emms[8],
    *const exec_cvttps2pi[8], *const exec_cvtpi2ps[8], *const exec_movq2dq[8], *const exec_ldmxcsr[8],
    *const exec_stmxcsr[8], *const exec_fxsave[8], *const exec_fxrstor[8], *const exec_xsave[8], *const exec_xsaveopt[8],
    *const exec_xsavec[8], *const exec_xrstor[8], *const exec_aesenc[8], *const exec_aesenclast[8],
    *const exec_aesdec[8], *const exec_aesdeclast[8], *const exec_aesimc[8], *const exec_aeskeygenassist[8],
    *const exec_pclmulqdq[8], *const exec_pand[8];

enum { NO_FAULT = -1, IN_REGISTER = 0 };

static Insn insn;

static int execute(ExecFn *const *exec)
{
    if (setjmp(cpu->unwind)) {
        return cpu->exc.vector;
    }
    exec[insn.osize + (insn.flags & INSN_MEM ? 4 : 0)](cpu, &insn);
    return NO_FAULT;
}

/* Register `reg` with memory at `ea`, or with register rm when ea is IN_REGISTER. */
static int run(ExecFn *const *exec, unsigned reg, unsigned rm, uint64_t ea, uint64_t imm)
{
    insn = (Insn){.reg = (uint8_t)reg, .rm = (uint8_t)rm, .base = REG_ZERO, .index = REG_ZERO, .disp = (int64_t)ea,
                  .asize = 3, .osize = 2, .seg = SEG_DS, .seg_override = 0xff, .imm = imm,
                  .flags = ea != IN_REGISTER ? INSN_MEM : 0};
    return execute(exec);
}

static int run_wide(ExecFn *const *exec, uint64_t ea)
{
    insn = (Insn){.base = REG_ZERO, .index = REG_ZERO, .disp = (int64_t)ea, .asize = 3, .osize = 3, .seg = SEG_DS,
                  .seg_override = 0xff, .flags = INSN_MEM | INSN_REXW};
    return execute(exec);
}

static void reset(void)
{
    if (guest) {
        guest_free(guest);
    }
    guest = guest_new("max", GUEST_LONG64);
    cpu = guest->cpu;
    memory = guest->mem + MEM;
    cpu->insn = &insn;
    cpu->insn_rip = cpu->rip;
    cpu->cr0 |= CR0_NE;
    cpu->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    cpu->xcr0 = 3;
    cpu->mxcsr = MXCSR_DEFAULT;
    memset(&cpu->features, 0xff, sizeof(cpu->features));
    fpu_init(&cpu->fpu);
    for (unsigned k = 0; k < 16; k++) {
        memset(cpu->v[k].b, (int)k + 1, sizeof(cpu->v[k].b));
    }
    for (unsigned k = 0; k < MEM_SIZE; k++) {
        memory[k] = (uint8_t)(k * 7 + 3);
    }
}

static uint32_t peek32(uint64_t at)
{
    uint32_t v;
    memcpy(&v, memory + at - MEM, 4);
    return v;
}
static uint64_t peek64(uint64_t at)
{
    uint64_t v;
    memcpy(&v, memory + at - MEM, 8);
    return v;
}
static void poke32(uint64_t at, uint32_t v)
{
    memcpy(memory + at - MEM, &v, 4);
}
static void poke64(uint64_t at, uint64_t v)
{
    memcpy(memory + at - MEM, &v, 8);
}

/* ---- availability: SDM vol 3 table 2-2, 13.1 ---- */

static void test_availability(void)
{
    reset();
    cpu->cr0 |= CR0_TS;
    g_assert_cmpint(run(exec_addps, 0, 1, IN_REGISTER, 0), ==, EXC_NM);
    g_assert_cmpint(run(exec_mmx_paddb, 0, 1, IN_REGISTER, 0), ==, EXC_NM);
    g_assert_cmpint(run(exec_fxsave, 0, 0, MEM, 0), ==, EXC_NM);
    g_assert_cmpint(run(exec_stmxcsr, 0, 0, MEM, 0), ==, EXC_NM);
    g_assert_cmpint(run(exec_xsave, 0, 0, MEM, 0), ==, EXC_NM);
    g_assert_cmpint(run(exec_movnti, 0, 0, MEM, 0), ==, NO_FAULT); /* no vector state involved */
    g_assert_cmpint(run(exec_fence, 0, 0, IN_REGISTER, 0), ==, NO_FAULT);
    g_assert_cmpint(run(exec_clflush, 0, 0, MEM, 0), ==, NO_FAULT);
    g_assert_cmpint(run(exec_clflush, 0, 0, BAD, 0), ==, EXC_PF);
    cpu->cr0 |= CR0_EM;
    g_assert_cmpint(run(exec_addps, 0, 1, IN_REGISTER, 0), ==, EXC_UD);
    g_assert_cmpint(run(exec_mmx_paddb, 0, 1, IN_REGISTER, 0), ==, EXC_UD);
    g_assert_cmpint(run(exec_fxrstor, 0, 0, MEM, 0), ==, EXC_NM);
    reset();
    cpu->cr4 = CR4_PAE;
    g_assert_cmpint(run(exec_addps, 0, 1, IN_REGISTER, 0), ==, EXC_UD);
    g_assert_cmpint(run(exec_ldmxcsr, 0, 0, MEM, 0), ==, EXC_UD);
    g_assert_cmpint(run(exec_mmx_paddb, 0, 1, IN_REGISTER, 0), ==, NO_FAULT);
    g_assert_cmpint(run(exec_xsave, 0, 0, MEM, 0), ==, EXC_UD);
    reset();
    cpu->fpu.sw = FSW_IE | FSW_ES; /* a pending x87 exception: MMX waits for it, SSE does not */
    cpu->fpu.cw &= (uint16_t)~FSW_IE;
    g_assert_cmpint(run(exec_mmx_paddb, 0, 1, IN_REGISTER, 0), ==, EXC_MF);
    g_assert_cmpint(run(exec_movq2dq, 0, 1, IN_REGISTER, 0), ==, EXC_MF);
    g_assert_cmpint(run(exec_addps, 0, 1, IN_REGISTER, 0), ==, NO_FAULT);
}

/* ---- alignment: SDM vol 1 10.4.1.1, by linear address ---- */

static void test_alignment(void)
{
    reset();
    g_assert_cmpint(run(exec_movaps_v_w, 0, 0, MEM + 16, 0), ==, NO_FAULT);
    g_assert_cmpint(run(exec_movaps_v_w, 0, 0, MEM + 8, 0), ==, EXC_GP);
    g_assert_cmpint(run(exec_movaps_w_v, 0, 0, MEM + 8, 0), ==, EXC_GP);
    g_assert_cmpint(run(exec_pand, 0, 0, MEM + 1, 0), ==, EXC_GP);
    g_assert_cmpint(run(exec_pand, 0, 0, BAD + 1, 0), ==, EXC_GP); /* before the page fault */
    g_assert_cmpint(run(exec_movups_v_w, 0, 0, MEM + 0xff9, 0), ==, NO_FAULT); /* and across pages */
    g_assert_cmpmem(cpu->v[0].b, 16, memory + 0xff9, 16);
    g_assert_cmpint(run(exec_pcmpistri, 0, 0, MEM + 3, 0), ==, NO_FAULT);
    g_assert_cmpint(run(exec_addss, 0, 0, MEM + 3, 0), ==, NO_FAULT);
    cpu->code64 = false;
    cpu->seg[SEG_DS].base = 8;
    cpu->seg[SEG_DS].fast_r = cpu->seg[SEG_DS].fast_w = 1ull << 32;
    g_assert_cmpint(run(exec_movaps_v_w, 0, 0, MEM + 8, 0), ==, NO_FAULT);
    g_assert_cmpint(run(exec_movaps_v_w, 0, 0, MEM + 16, 0), ==, EXC_GP);
}

/* ---- faults come before any change ---- */

static void test_faults(void)
{
    reset();
    cpu->fpu.top = 3;
    __typeof__(cpu->exc) none = cpu->exc;
    void *before = g_memdup2(cpu, offsetof(X86Cpu, unwind)); /* all but the TLB */
    ExecFn *const *const loads[] = {exec_addps, exec_divss, exec_mmx_paddb, exec_cvttps2pi, exec_cvtpi2ps, exec_ldmxcsr,
                                    exec_fxrstor, exec_xrstor, exec_pcmpistri};
    for (unsigned k = 0; k < ARRAY_LEN(loads); k++) {
        g_assert_cmpint(run(loads[k], 1, 0, BAD, 0), ==, EXC_PF);
        cpu->exc = none;
        g_assert_cmpmem(cpu, offsetof(X86Cpu, unwind), before, offsetof(X86Cpu, unwind));
    }
    uint8_t old[MEM_SIZE];
    memcpy(old, memory, MEM_SIZE);
    g_assert_cmpint(run(exec_movups_w_v, 1, 0, MEM_END - 8, 0), ==, EXC_PF);
    g_assert_cmpint(run(exec_fxsave, 0, 0, MEM_END - 256, 0), ==, EXC_PF);
    g_assert_cmpint(run(exec_xsave, 0, 0, MEM_END - 512, 0), ==, EXC_PF);
    g_assert_cmpmem(memory, MEM_SIZE, old, MEM_SIZE);
    g_free(before);
}

/* MASKMOVDQU, MASKMOVQ: bytes whose mask is clear are not written; all must be writable, as on Zen. */
static void test_masked_store(void)
{
    reset();
    cpu->r[RDI] = MEM_END - 16;
    memset(cpu->v[1].b, 0, 16);
    cpu->v[1].b[0] = 0x80;
    cpu->v[1].b[3] = 0xff;
    cpu->v[1].b[2] = 0x7f;
    uint8_t old = memory[MEM_SIZE - 14];
    g_assert_cmpint(run(exec_maskmovdqu, 4, 1, IN_REGISTER, 0), ==, NO_FAULT);
    g_assert_cmpuint(memory[MEM_SIZE - 16], ==, 5);
    g_assert_cmpuint(memory[MEM_SIZE - 13], ==, 5);
    g_assert_cmpuint(memory[MEM_SIZE - 14], ==, old);
    cpu->r[RDI]++; /* the last byte is beyond, though not wanted: nothing is written */
    g_assert_cmpint(run(exec_maskmovdqu, 7, 1, IN_REGISTER, 0), ==, EXC_PF);
    g_assert_cmpuint(memory[MEM_SIZE - 13], ==, 5);
    cpu->fpu.r[2].mant = 0x8000000000000000;
    cpu->fpu.r[3].mant = 0x1122334455667788;
    cpu->r[RDI] = MEM;
    g_assert_cmpint(run(exec_maskmovq, 3, 2, IN_REGISTER, 0), ==, NO_FAULT);
    g_assert_cmpuint(memory[7], ==, 0x11);
    g_assert_cmpuint(memory[6], ==, (6 * 7 + 3));
    g_assert_cmpuint(cpu->fpu.empty, ==, 0);
}

/* ---- unmasked exceptions: SDM vol 1 11.5.3; CR4.OSXMMEXCPT ---- */

static void test_unmasked(void)
{
    reset();
    cpu->v[0] = (Vec){.d = {0x3f800000, 0x7f7fffff, 0x3f800000, 0x3f800000}};
    cpu->v[1] = (Vec){.d = {0, 0x00800000, 0x40400000, 0x3f800000}}; /* 1/0, overflow, 1/3 */
    Vec old = cpu->v[0];
    cpu->mxcsr = 0x1f80 & ~0x200u; /* divide by zero unmasked: what comes after it is not computed */
    g_assert_cmpint(run(exec_divps, 0, 1, IN_REGISTER, 0), ==, EXC_XM);
    g_assert_cmphex(cpu->mxcsr, ==, (0x1f80 & ~0x200u) | FX_DIVZERO);
    g_assert_cmpmem(&cpu->v[0], 64, &old, 64);
    cpu->mxcsr = 0x1f80 & ~0x1000u; /* inexact unmasked: all flags are there */
    g_assert_cmpint(run(exec_divps, 0, 1, IN_REGISTER, 0), ==, EXC_XM);
    g_assert_cmphex(cpu->mxcsr, ==, (0x1f80 & ~0x1000u) | FX_DIVZERO | FX_OVERFLOW | FX_INEXACT);
    g_assert_cmpmem(&cpu->v[0], 64, &old, 64);
    cpu->cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
    g_assert_cmpint(run(exec_divps, 0, 1, IN_REGISTER, 0), ==, EXC_UD);
    cpu->mxcsr = MXCSR_DEFAULT;
    g_assert_cmpint(run(exec_divps, 0, 1, IN_REGISTER, 0), ==, NO_FAULT);
    g_assert_cmphex(cpu->v[0].d[0], ==, 0x7f800000);
    g_assert_cmphex(cpu->v[0].d[2], ==, 0x3eaaaaab);
    g_assert_cmphex(cpu->v[0].d[4], ==, old.d[4]); /* beyond 128 bits: kept */
}

static void test_mxcsr(void)
{
    reset();
    poke32(MEM, 0x10000);
    g_assert_cmpint(run(exec_ldmxcsr, 0, 0, MEM, 0), ==, EXC_GP);
    g_assert_cmphex(cpu->mxcsr, ==, MXCSR_DEFAULT);
    poke32(MEM, 0xffff);
    g_assert_cmpint(run(exec_ldmxcsr, 0, 0, MEM, 0), ==, NO_FAULT);
    g_assert_cmpint(run(exec_stmxcsr, 0, 0, MEM + 4, 0), ==, NO_FAULT);
    g_assert_cmphex(peek32(MEM + 4), ==, 0xffff);
}

/* ---- MMX state: SDM vol 1 9.5.1 ---- */

static void test_mmx_state(void)
{
    reset();
    cpu->fpu.top = 5;
    g_assert_cmpint(run(exec_mmx_paddb, 2, 1, IN_REGISTER, 0), ==, NO_FAULT);
    g_assert_cmpuint(cpu->fpu.top, ==, 0);
    g_assert_cmpuint(cpu->fpu.empty, ==, 0);
    g_assert_cmphex(cpu->fpu.r[2].se, ==, 0xffff);
    g_assert_cmphex(cpu->fpu.r[1].se, ==, 0);
    g_assert_cmpint(run(exec_emms, 0, 0, IN_REGISTER, 0), ==, NO_FAULT);
    g_assert_cmpuint(cpu->fpu.empty, ==, 0xff);
    g_assert_cmpint(run(exec_cvtpi2ps, 0, 0, MEM, 0), ==, NO_FAULT); /* from memory: no MMX register involved */
    g_assert_cmpuint(cpu->fpu.empty, ==, 0xff);
}

/* ---- FXSAVE: SDM vol 1 10.5, vol 2 table 3-43 ---- */

static void test_fxsave(void)
{
    reset();
    cpu->fpu.r[0] = (Float80){.mant = 0x123456789abcdef0, .se = 0x4001};
    g_assert_cmpint(run(exec_fxsave, 0, 0, MEM + 8, 0), ==, EXC_GP);
    g_assert_cmpint(run(exec_fxsave, 0, 0, MEM, 0), ==, NO_FAULT);
    g_assert_cmphex(peek32(MEM) & 0xffff, ==, FCW_INIT);
    g_assert_cmphex(peek32(MEM + 24), ==, MXCSR_DEFAULT);
    g_assert_cmphex(peek32(MEM + 28), ==, 0xffff);
    g_assert_cmphex(peek64(MEM + 32), ==, 0x123456789abcdef0);
    g_assert_cmphex(peek32(MEM + 160), ==, 0x01010101);
    g_assert_cmphex(peek32(MEM + 160 + 15 * 16), ==, 0x10101010);
    g_assert_cmpuint(memory[416], ==, (uint8_t)(416 * 7 + 3)); /* the rest is the program's */

    cpu->code64 = false; /* eight registers only */
    cpu->seg[SEG_DS].fast_r = cpu->seg[SEG_DS].fast_w = 1ull << 32;
    cpu->v[8].d[0] = 0xabcdef;
    cpu->v[7].d[0] = 0xfedcba;
    g_assert_cmpint(run(exec_fxsave, 0, 0, MEM, 0), ==, NO_FAULT);
    g_assert_cmphex(peek32(MEM + 160 + 7 * 16), ==, 0xfedcba);
    g_assert_cmphex(peek32(MEM + 160 + 8 * 16), ==, 0x09090909);

    cpu->v[7].d[0] = 0;
    poke32(MEM + 24, 0x20000); /* a reserved bit of MXCSR: nothing is loaded */
    g_assert_cmpint(run(exec_fxrstor, 0, 0, MEM, 0), ==, EXC_GP);
    g_assert_cmphex(cpu->v[7].d[0], ==, 0);
    poke32(MEM + 24, 0x1fa0);
    g_assert_cmpint(run(exec_fxrstor, 0, 0, MEM, 0), ==, NO_FAULT);
    g_assert_cmphex(cpu->v[7].d[0], ==, 0xfedcba);
    g_assert_cmphex(cpu->v[8].d[0], ==, 0xabcdef);
    g_assert_cmphex(cpu->mxcsr, ==, 0x1fa0);

    cpu->cr4 &= ~(uint64_t)CR4_OSFXSR; /* x87 only */
    poke32(MEM + 24, 0xffffffff);
    cpu->v[7].d[0] = 1;
    g_assert_cmpint(run(exec_fxrstor, 0, 0, MEM, 0), ==, NO_FAULT);
    g_assert_cmphex(cpu->v[7].d[0], ==, 1);
    g_assert_cmphex(cpu->mxcsr, ==, 0x1fa0);
}

/* ---- XSAVE: SDM vol 1 13.4-13.10 ---- */

enum { BV = MEM + 512, COMP = MEM + 520 };

static void want(uint32_t components)
{
    cpu->r[RAX] = components;
    cpu->r[RDX] = 0;
}

static void test_xsave(void)
{
    reset();
    want(7);
    poke64(BV, 0x8000000000000006); /* what is not asked for stays: here bits 2 and 63 */
    g_assert_cmpint(run_wide(exec_xsave, MEM + 16), ==, EXC_GP);
    g_assert_cmpint(run_wide(exec_xsave, MEM), ==, NO_FAULT);
    g_assert_cmphex(peek64(BV), ==, 0x8000000000000006); /* x87 is in its initial state, SSE is not */
    g_assert_cmphex(peek32(MEM) & 0xffff, ==, FCW_INIT);
    g_assert_cmphex(peek32(MEM + 160 + 15 * 16), ==, 0x10101010);

    want(1); /* MXCSR belongs to SSE and AVX */
    poke32(MEM + 24, 0x55);
    cpu->fpu.cw = 0x27f;
    g_assert_cmpint(run_wide(exec_xsave, MEM), ==, NO_FAULT);
    g_assert_cmphex(peek32(MEM + 24), ==, 0x55);
    g_assert_cmphex(peek64(BV), ==, 0x8000000000000007);

    fpu_init(&cpu->fpu);
    want(3);
    poke32(MEM, 0x1234);
    g_assert_cmpint(run_wide(exec_xsaveopt, MEM), ==, NO_FAULT);
    g_assert_cmphex(peek32(MEM), ==, 0x1234); /* initial state is not written */
    g_assert_cmphex(peek64(BV), ==, 0x8000000000000006);
    g_assert_cmpint(run_wide(exec_xsavec, MEM), ==, NO_FAULT);
    g_assert_cmphex(peek64(BV), ==, 2);
    g_assert_cmphex(peek64(COMP), ==, 0x8000000000000003);
}

static void test_xrstor(void)
{
    reset();
    memset(memory, 0, MEM_SIZE);
    want(3);
    poke32(MEM + 24, 0x1f80);
    static const struct {
        unsigned at;
        uint64_t value;
    } bad[] = {{512, 4}, {512, 1ull << 63}, {520, 1}, {528, 1}, {520, 0x8000000000000004}, {24, 0x10000}};
    for (unsigned k = 0; k < ARRAY_LEN(bad); k++) {
        uint64_t old = peek64(MEM + bad[k].at);
        poke64(MEM + bad[k].at, bad[k].value);
        g_assert_cmpint(run_wide(exec_xrstor, MEM), ==, EXC_GP);
        g_assert_cmphex(cpu->v[3].d[0], ==, 0x04040404);
        poke64(MEM + bad[k].at, old);
    }
    poke64(MEM + 536, ~0ull); /* bytes 24-63 of a standard header are not looked at */
    poke32(MEM + 24, 0x1fbf);
    poke32(MEM + 160, 0x11223344);
    poke64(BV, 2);
    cpu->fpu.cw = 0x27f;
    cpu->fpu.top = 3;
    g_assert_cmpint(run_wide(exec_xrstor, MEM), ==, NO_FAULT);
    g_assert_cmphex(cpu->fpu.cw, ==, FCW_INIT); /* not present: initial state */
    g_assert_cmpuint(cpu->fpu.top, ==, 0);
    g_assert_cmphex(cpu->v[0].d[0], ==, 0x11223344);
    g_assert_cmphex(cpu->mxcsr, ==, 0x1fbf);

    poke64(BV, 0); /* standard form: MXCSR is loaded although SSE's part is not there */
    poke32(MEM + 24, 0x1f81);
    g_assert_cmpint(run_wide(exec_xrstor, MEM), ==, NO_FAULT);
    g_assert_cmphex(cpu->mxcsr, ==, 0x1f81);
    g_assert_cmphex(cpu->v[0].d[0], ==, 0);
    g_assert_cmphex(cpu->v[0].d[4], ==, 0x01010101); /* AVX's part is not ours to touch */

    poke64(MEM + 536, 0);
    poke64(COMP, 0x8000000000000003); /* compacted: it is initialised with it */
    g_assert_cmpint(run_wide(exec_xrstor, MEM), ==, NO_FAULT);
    g_assert_cmphex(cpu->mxcsr, ==, MXCSR_DEFAULT);
    poke64(MEM + 568, 1); /* and the whole rest of the header must be zero */
    g_assert_cmpint(run_wide(exec_xrstor, MEM), ==, EXC_GP);
}

/* ---- AES: FIPS 197 appendix B; carry-less products: SDM vol 2 PCLMULQDQ ---- */

static void set_vector(unsigned n, const char *hex)
{
    for (unsigned k = 0; k < 16; k++) {
        cpu->v[n].b[k] = (uint8_t)(g_ascii_xdigit_value(hex[2 * k]) << 4 | g_ascii_xdigit_value(hex[2 * k + 1]));
    }
}

/* XMM1 holds a round key: the next one, by AESKEYGENASSIST. */
static void next_key(unsigned rcon)
{
    g_assert_cmpint(run(exec_aeskeygenassist, 2, 1, IN_REGISTER, rcon), ==, NO_FAULT);
    uint32_t word = cpu->v[2].d[3];
    for (unsigned k = 0; k < 4; k++) {
        word = cpu->v[1].d[k] ^= word;
    }
}

static void test_aes(void)
{
    static const uint8_t rcon[10] = {1, 2, 4, 8, 16, 32, 64, 128, 27, 54};
    uint8_t expected[16], keys[11][16], plain[16];

    reset();
    set_vector(0, "3925841d02dc09fbdc118597196a0b32");
    memcpy(expected, cpu->v[0].b, 16);
    set_vector(0, "3243f6a8885a308d313198a2e0370734");
    memcpy(plain, cpu->v[0].b, 16);
    set_vector(1, "2b7e151628aed2a6abf7158809cf4f3c");
    memcpy(keys[0], cpu->v[1].b, 16);
    cpu->v[0].q[0] ^= cpu->v[1].q[0];
    cpu->v[0].q[1] ^= cpu->v[1].q[1];
    for (unsigned k = 1; k <= 10; k++) {
        next_key(rcon[k - 1]);
        memcpy(keys[k], cpu->v[1].b, 16);
        g_assert_cmpint(run(k < 10 ? exec_aesenc : exec_aesenclast, 0, 1, IN_REGISTER, 0), ==, NO_FAULT);
    }
    g_assert_cmpmem(cpu->v[0].b, 16, expected, 16);

    memcpy(cpu->v[1].b, keys[10], 16); /* and back, with the equivalent inverse cipher */
    cpu->v[0].q[0] ^= cpu->v[1].q[0];
    cpu->v[0].q[1] ^= cpu->v[1].q[1];
    for (unsigned k = 9; k > 0; k--) {
        memcpy(cpu->v[2].b, keys[k], 16);
        g_assert_cmpint(run(exec_aesimc, 1, 2, IN_REGISTER, 0), ==, NO_FAULT);
        g_assert_cmpint(run(exec_aesdec, 0, 1, IN_REGISTER, 0), ==, NO_FAULT);
    }
    memcpy(cpu->v[1].b, keys[0], 16);
    g_assert_cmpint(run(exec_aesdeclast, 0, 1, IN_REGISTER, 0), ==, NO_FAULT);
    g_assert_cmpmem(cpu->v[0].b, 16, plain, 16);
}

static void test_pclmulqdq(void)
{
    reset();
    cpu->v[0] = (Vec){.q = {0x8000000000000001, 0x53}};
    cpu->v[1] = (Vec){.q = {0xffffffffffffffff, 0xca}};
    Vec a = cpu->v[0];
    g_assert_cmpint(run(exec_pclmulqdq, 0, 1, IN_REGISTER, 0x11), ==, NO_FAULT);
    g_assert_cmphex(cpu->v[0].q[0], ==, 0x3f7e); /* before reduction; 1 modulo x^8 + x^4 + x^3 + x + 1 */
    cpu->v[0] = a;
    g_assert_cmpint(run(exec_pclmulqdq, 0, 1, IN_REGISTER, 0x00), ==, NO_FAULT);
    g_assert_cmphex(cpu->v[0].q[0], ==, 0x7fffffffffffffff);
    g_assert_cmphex(cpu->v[0].q[1], ==, 0x7fffffffffffffff);
}

/* ---- approximations: the values of docs/decisions/004-rcpps-and-rsqrtps.md ---- */

static void test_approximations(void)
{
    g_assert_cmphex(f32_rcp_approx(0x3f800000), ==, 0x3f7ff000);
    g_assert_cmphex(f32_rcp_approx(0xbf813800), ==, 0xbf7d9000);
    g_assert_cmphex(f32_rcp_approx(0x7f7fffff), ==, 0); /* a denormal result is flushed */
    g_assert_cmphex(f32_rcp_approx(0x807fffff), ==, 0xff800000); /* a denormal operand counts as zero */
    g_assert_cmphex(f32_rcp_approx(0x7f800001), ==, 0x7fc00001);
    g_assert_cmphex(f32_rsqrt_approx(0x3f80f800), ==, 0x3f7f0800);
    g_assert_cmphex(f32_rsqrt_approx(0x7f000000), ==, 0x1fb50000);
    g_assert_cmphex(f32_rsqrt_approx(0xbf800000), ==, 0xffc00000);
    g_assert_cmphex(f32_rsqrt_approx(0x80000000), ==, 0xff800000);
    for (uint32_t a = 0x3f800000; a < 0x40800000; a += 997) { /* SDM: relative error at most 1.5 * 2^-12 */
        float x, y;
        uint32_t r = f32_rcp_approx(a);
        memcpy(&x, &a, 4);
        memcpy(&y, &r, 4);
        double error = (double)x * y - 1;
        g_assert_true(error < 1.5 / 4096 && error > -1.5 / 4096);
        r = f32_rsqrt_approx(a);
        memcpy(&y, &r, 4);
        error = (double)x * y * y - 1;
        g_assert_true(error < 3.0 / 4096 && error > -3.0 / 4096);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sse/availability", test_availability);
    g_test_add_func("/sse/alignment", test_alignment);
    g_test_add_func("/sse/faults", test_faults);
    g_test_add_func("/sse/masked-store", test_masked_store);
    g_test_add_func("/sse/unmasked", test_unmasked);
    g_test_add_func("/sse/mxcsr", test_mxcsr);
    g_test_add_func("/sse/mmx-state", test_mmx_state);
    g_test_add_func("/sse/fxsave", test_fxsave);
    g_test_add_func("/sse/xsave", test_xsave);
    g_test_add_func("/sse/xrstor", test_xrstor);
    g_test_add_func("/sse/aes", test_aes);
    g_test_add_func("/sse/pclmulqdq", test_pclmulqdq);
    g_test_add_func("/sse/approximations", test_approximations);
    int result = g_test_run();
    guest_free(guest);
    return result;
}
