/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules around the x87 arithmetic, handler by handler: when exceptions are delivered, what a fault leaves untouched, the
 * stack, availability, and the layouts of environment images.  They run alone on a processor with paged memory.
 * Spec: Intel SDM vol 1 sections 8.1-8.7, vol 3 table 2-2.
 */
#include "target/x86/fpu.h"

#include <string.h>

#include "target/x86/exec.h"
#include "target/x86/flags.h"
#include "target/x86/segment.h"
#include "tests/unit/x86_guest.h"

/* The last bytes that the guest's tables map. */
enum { MEM_SIZE = 256, MEM = 0x400000 - MEM_SIZE, BAD = 0x509000 };
static Guest *guest;
static uint8_t *memory; /* at MEM */
static X86Cpu *cpu;

/* ---- one instruction at a time ---- */

extern ExecFn *const exec_fld_m32[8], *const exec_fld_m64[8], *const exec_fld_m80[8], *const exec_fld_const[8],
    *const exec_fld_sti[8], *const exec_fild_m64[8], *const exec_fst_m32[8], *const exec_fstp_m64[8],
    *const exec_fstp_m80[8], *const exec_fistp_m64[8], *const exec_fbstp[8], *const exec_x87_arith_pop[8],
    *const exec_x87_arith_m64[8], *const exec_fwait[8], *const exec_fnclex[8], *const exec_fninit[8],
    *const exec_fldcw[8], *const exec_fnstsw_ax[8], *const exec_fnstenv[8], *const exec_fldenv[8],
    *const exec_fnsave[8], *const exec_frstor[8], *const exec_fcmov[8], *const exec_fsqrt[8],
    *const exec_x87_function_pair[8], *const exec_fxtract[8], *const exec_fstp_sti[8];

enum { NO_FAULT = -1 };

static int run(ExecFn *const *exec, unsigned opcode, unsigned modrm, uint64_t ea, unsigned osize)
{
    Insn i = {.opcode = (uint8_t)opcode, .modrm = (uint8_t)modrm, .base = REG_ZERO, .index = REG_ZERO, .asize = 2,
              .osize = (uint8_t)osize, .seg = SEG_DS, .disp = (int64_t)ea, .flags = modrm < 0xc0 ? INSN_MEM : 0};
    cpu->insn = &i;
    if (setjmp(cpu->unwind)) {
        return cpu->exc.vector;
    }
    exec[osize + (modrm < 0xc0 ? 4 : 0)](cpu, &i);
    return NO_FAULT;
}

static int run_mem(ExecFn *const *exec, unsigned opcode, unsigned reg, uint64_t ea)
{
    return run(exec, opcode, reg << 3 | 5, ea, 2);
}

static int fld1(void)
{
    return run(exec_fld_const, 0xd9, 0xe8, 0, 2);
}
static int fldz(void)
{
    return run(exec_fld_const, 0xd9, 0xee, 0, 2);
}

static void setup(void)
{
    if (guest) {
        guest_free(guest);
    }
    guest = guest_new("max", GUEST_LONG64);
    cpu = guest->cpu;
    memory = guest->mem + MEM;
    seg_load_cache(cpu, SEG_CS, 0, 0, 0xffffffff, SEG_P | SEG_S | SEG_ACCESSED | SEG_G | SEG_CODE | SEG_READ | SEG_DB);
    cpu->seg[SEG_CS].selector = 0x10;
    cpu->seg[SEG_DS].selector = 0x18;
    cpu->insn_rip = 0x12345;
    fpu_init(&cpu->fpu);
    memset(memory, 0x55, MEM_SIZE);
}

static void unmask(unsigned exceptions)
{
    fpu_set_control(&cpu->fpu, (uint16_t)(cpu->fpu.cw & ~exceptions));
}

static void assert_st(unsigned i, uint16_t se, uint64_t mant)
{
    g_assert_false(fpu_empty(&cpu->fpu, i));
    g_assert_cmphex(fpu_get(&cpu->fpu, i).se, ==, se);
    g_assert_cmphex(fpu_get(&cpu->fpu, i).mant, ==, mant);
}

/* ---- delivery ---- */

static void test_pending(void)
{
    setup();
    unmask(FSW_ZE);
    fld1();
    fldz();
    g_assert_cmpint(run(exec_x87_arith_pop, 0xde, 0xf9, 0, 2), ==, NO_FAULT); /* 1 / 0: recorded only */
    g_assert_cmphex(fpu_status(&cpu->fpu), ==, FSW_ZE | FSW_ES | FSW_B | 6 << 11);
    assert_st(0, 0, 0); /* operands kept, nothing popped */
    assert_st(1, 0x3fff, F80_INT_BIT);

    g_assert_cmpint(run(exec_fnstsw_ax, 0xdf, 0xe0, 0, 2), ==, NO_FAULT); /* does not wait */
    g_assert_cmphex(cpu->r[RAX] & 0xffff, ==, FSW_ZE | FSW_ES | FSW_B | 6 << 11);
    g_assert_cmpint(fld1(), ==, EXC_MF);
    g_assert_cmpint(run(exec_fwait, 0x9b, 0xc0, 0, 2), ==, EXC_MF);
    g_assert_cmpint(run(exec_fnclex, 0xdb, 0xe2, 0, 2), ==, NO_FAULT);
    g_assert_cmpint(fld1(), ==, NO_FAULT);
}

static unsigned ferr_count;
static void on_ferr(void *opaque)
{
    ferr_count++;
}

/* CR0.NE clear: the board hears of it, the program goes on (SDM vol 1 section 8.7.2). */
static void test_ferr(void)
{
    setup();
    cpu->cr0 &= ~(uint64_t)CR0_NE;
    cpu->ferr = on_ferr;
    ferr_count = 0;
    unmask(FSW_ZE);
    cpu->fpu.sw = FSW_ZE;
    fpu_update_summary(&cpu->fpu);
    g_assert_cmpint(fld1(), ==, NO_FAULT);
    g_assert_cmpuint(ferr_count, ==, 1);
    cpu->ferr = NULL;
    g_assert_cmpint(fld1(), ==, NO_FAULT);
}

static void test_fldcw_raises(void)
{
    setup();
    cpu->fpu.sw = FSW_PE; /* an old masked exception */
    memory[0] = 0x5f;
    memory[1] = 0x03;
    g_assert_cmpint(run_mem(exec_fldcw, 0xd9, 5, MEM), ==, NO_FAULT);
    g_assert_cmphex(cpu->fpu.sw, ==, FSW_PE | FSW_ES | FSW_B);
    g_assert_cmpint(fld1(), ==, EXC_MF);
}

static void test_availability(void)
{
    static const struct {
        uint64_t cr0;
        int x87, fwait;
    } rules[] = { /* SDM vol 3 table 2-2 */
        {0, NO_FAULT, NO_FAULT},
        {CR0_TS, EXC_NM, NO_FAULT},
        {CR0_MP, NO_FAULT, NO_FAULT},
        {CR0_MP | CR0_TS, EXC_NM, EXC_NM},
        {CR0_EM, EXC_NM, NO_FAULT},
        {CR0_EM | CR0_TS, EXC_NM, NO_FAULT},
        {CR0_EM | CR0_MP, EXC_NM, NO_FAULT},
        {CR0_EM | CR0_MP | CR0_TS, EXC_NM, EXC_NM},
    };
    for (unsigned n = 0; n < ARRAY_LEN(rules); n++) {
        setup();
        cpu->cr0 |= rules[n].cr0;
        g_assert_cmpint(fld1(), ==, rules[n].x87);
        g_assert_cmpint(run(exec_fnstsw_ax, 0xdf, 0xe0, 0, 2), ==, rules[n].x87);
        g_assert_cmpint(run(exec_fwait, 0x9b, 0xc0, 0, 2), ==, rules[n].fwait);
    }
}

/* ---- what faults leave alone ---- */

static void test_page_faults(void)
{
    static ExecFn *const *const loads[] = {exec_fld_m32, exec_fld_m64, exec_fld_m80, exec_fild_m64,
                                           exec_x87_arith_m64, exec_fldcw, exec_fldenv, exec_frstor};
    static ExecFn *const *const stores[] = {exec_fst_m32, exec_fstp_m64, exec_fstp_m80, exec_fistp_m64, exec_fbstp,
                                            exec_fnstenv, exec_fnsave};
    for (unsigned n = 0; n < ARRAY_LEN(loads) + ARRAY_LEN(stores); n++) {
        ExecFn *const *exec = n < ARRAY_LEN(loads) ? loads[n] : stores[n - ARRAY_LEN(loads)];
        for (unsigned state = 0; state < 3; state++) {
            setup();
            if (state) { /* an operand that raises everything on its way to memory */
                fpu_push(&cpu->fpu, (Float80){0xffffffffffffffff, 0x7ffe});
            }
            if (state == 2) {
                unmask(FSW_EXCEPTIONS);
            }
            X87 before = cpu->fpu;
            g_assert_cmpint(run_mem(exec, 0xd9, 0, BAD), ==, EXC_PF);
            g_assert_cmpmem(&before, sizeof(before), &cpu->fpu, sizeof(before));
        }
    }
}

/* A store with an unmasked overflow or invalid exception writes nothing and pops nothing. */
static void test_blocked_store(void)
{
    setup();
    unmask(FSW_OE);
    fpu_push(&cpu->fpu, (Float80){F80_INT_BIT, 0x7000});
    g_assert_cmpint(run_mem(exec_fstp_m64, 0xdd, 3, MEM), ==, NO_FAULT);
    g_assert_cmphex(memory[0], ==, 0x55);
    assert_st(0, 0x7000, F80_INT_BIT);
    g_assert_cmphex(cpu->fpu.sw, ==, FSW_OE | FSW_ES | FSW_B);

    setup();
    unmask(FSW_IE);
    g_assert_cmpint(run_mem(exec_fistp_m64, 0xdf, 7, MEM), ==, NO_FAULT); /* empty stack */
    g_assert_cmphex(memory[0], ==, 0x55);
    g_assert_cmphex(fpu_status(&cpu->fpu), ==, FSW_IE | FSW_SF | FSW_ES | FSW_B);
}

/* An unmasked inexact result is stored all the same. */
static void test_inexact_store(void)
{
    setup();
    unmask(FSW_PE);
    fpu_push(&cpu->fpu, (Float80){F80_INT_BIT | 0x7ff, F80_BIAS});
    g_assert_cmpint(run_mem(exec_fstp_m64, 0xdd, 3, MEM), ==, NO_FAULT);
    uint64_t stored;
    memcpy(&stored, memory, 8);
    g_assert_cmphex(stored, ==, 0x3ff0000000000001);
    g_assert_cmphex(fpu_status(&cpu->fpu), ==, FSW_PE | FSW_C1 | FSW_ES | FSW_B); /* rounded up */
}

/* ---- the stack ---- */

static void test_overflow(void)
{
    setup();
    for (unsigned n = 0; n < 8; n++) {
        fld1();
    }
    g_assert_cmphex(fpu_status(&cpu->fpu), ==, 0);
    unmask(FSW_IE);
    fldz();
    g_assert_cmphex(fpu_status(&cpu->fpu), ==, FSW_IE | FSW_SF | FSW_C1 | FSW_ES | FSW_B); /* nothing pushed */
    run(exec_fnclex, 0xdb, 0xe2, 0, 2);
    fpu_set_control(&cpu->fpu, FCW_INIT);
    fldz();
    g_assert_cmphex(fpu_status(&cpu->fpu), ==, FSW_IE | FSW_SF | FSW_C1 | 7 << 11);
    assert_st(0, 0xffff, 0xc000000000000000);
}

static void test_underflow(void)
{
    setup();
    run(exec_fsqrt, 0xd9, 0xfa, 0, 2);
    g_assert_cmphex(fpu_status(&cpu->fpu), ==, FSW_IE | FSW_SF);
    assert_st(0, 0xffff, 0xc000000000000000);

    setup();
    run_mem(exec_fst_m32, 0xd9, 2, MEM);
    uint32_t stored;
    memcpy(&stored, memory, 4);
    g_assert_cmphex(stored, ==, 0xffc00000);
    g_assert_cmphex(fpu_status(&cpu->fpu), ==, FSW_IE | FSW_SF);
    g_assert_true(fpu_empty(&cpu->fpu, 0));
}

static void test_two_results(void)
{
    setup();
    fpu_push(&cpu->fpu, (Float80){0xc000000000000000, F80_BIAS + 5});
    run(exec_fxtract, 0xd9, 0xf4, 0, 2);
    assert_st(0, F80_BIAS, 0xc000000000000000);
    assert_st(1, F80_BIAS + 2, 0xa000000000000000); /* 5 */

    setup();
    fpu_push(&cpu->fpu, (Float80){F80_INT_BIT, F80_BIAS + 63}); /* out of FSINCOS's range */
    run(exec_x87_function_pair, 0xd9, 0xfb, 0, 2);
    g_assert_cmphex(fpu_status(&cpu->fpu), ==, FSW_C2 | 7 << 11);
    assert_st(0, F80_BIAS + 63, F80_INT_BIT);
}

static void test_conditional_move(void)
{
    setup();
    fld1();
    fldz();
    flags_set(cpu, FL_ZF);
    run(exec_fcmov, 0xda, 0xc1, 0, 2); /* FCMOVB */
    assert_st(0, 0, 0);
    run(exec_fcmov, 0xda, 0xc9, 0, 2); /* FCMOVE */
    assert_st(0, F80_BIAS, F80_INT_BIT);
}

static void test_constants(void)
{
    static const uint64_t pi[4] = {0xc90fdaa22168c235, 0xc90fdaa22168c234, 0xc90fdaa22168c235, 0xc90fdaa22168c234};
    for (unsigned mode = 0; mode < 4; mode++) {
        setup();
        fpu_set_control(&cpu->fpu, (uint16_t)(FCW_INIT | mode << 10));
        run(exec_fld_const, 0xd9, 0xeb, 0, 2);
        assert_st(0, 0x4000, pi[mode]);
        g_assert_cmphex(cpu->fpu.sw, ==, 0);
    }
}

/* ---- images: SDM vol 1 figures 8-9 to 8-12 ---- */

static void known_state(void)
{
    setup();
    X87 *f = &cpu->fpu;
    fpu_set_control(f, 0x0342);
    f->empty = 0;
    f->r[1] = (Float80){F80_INT_BIT, F80_BIAS};
    f->r[2] = (Float80){F80_INT_BIT, 0x7fff};
    f->empty = 0xf0;
    fpu_set_status(f, 0x1922);
    f->fip = 0x00012345;
    f->fcs = 0x1000;
    f->fop = 0x5d1;
    f->fdp = 0x000a6789;
    f->fds = 0x2000;
}

static void test_layouts(void)
{
    static const uint32_t protected32[7] = {0xffff0342, 0xffff99a2, 0xffffff61, 0x00012345, 0x05d11000, 0x000a6789,
                                            0xffff2000};
    static const uint16_t protected16[7] = {0x0342, 0x99a2, 0xff61, 0x2345, 0x1000, 0x6789, 0x2000};
    /* Linear addresses: 0x12345 + 0x10000 and 0xa6789 + 0x20000. */
    static const uint32_t real32[7] = {0xffff0342, 0xffff99a2, 0xffffff61, 0xffff2345, 0x000025d1, 0xffff6789,
                                       0x0000c000};
    static const uint16_t real16[7] = {0x0342, 0x99a2, 0xff61, 0x2345, 0x25d1, 0x6789, 0xc000};
    static const struct {
        bool protected_mode;
        unsigned osize, size;
        const void *image;
    } cases[] = {{true, 2, 28, protected32}, {true, 1, 14, protected16}, {false, 2, 28, real32}, {false, 1, 14, real16}};
    for (unsigned n = 0; n < ARRAY_LEN(cases); n++) {
        known_state();
        cpu->protected_mode = cases[n].protected_mode;
        g_assert_cmpint(run(exec_fnstenv, 0xd9, 0x35, MEM, cases[n].osize), ==, NO_FAULT);
        g_assert_cmpmem(memory, cases[n].size, cases[n].image, cases[n].size);
        g_assert_cmphex(memory[cases[n].size], ==, 0x55);
        g_assert_cmphex(cpu->fpu.cw, ==, 0x037f); /* FNSTENV masks all */
        g_assert_cmphex(fpu_status(&cpu->fpu), ==, 0x1922);

        fpu_init(&cpu->fpu);
        g_assert_cmpint(run(exec_fldenv, 0xd9, 0x25, MEM, cases[n].osize), ==, NO_FAULT);
        uint8_t again[MEM_SIZE];
        FpuLayout l = {.wide = cases[n].osize == 2, .real = !cases[n].protected_mode};
        fpu_store_env(&cpu->fpu, l, again);
        g_assert_cmpmem(again, cases[n].size, cases[n].image, cases[n].size);
    }
}

static void test_save_restore(void)
{
    for (unsigned osize = 1; osize <= 2; osize++) {
        known_state();
        for (unsigned n = 0; n < 8; n++) {
            cpu->fpu.r[n] = (Float80){F80_INT_BIT + n, (uint16_t)(F80_BIAS + n)};
        }
        X87 before = cpu->fpu;
        g_assert_cmpint(run(exec_fnsave, 0xdd, 0x35, MEM, osize), ==, NO_FAULT);
        g_assert_cmphex(cpu->fpu.cw, ==, FCW_INIT);
        g_assert_cmphex(cpu->fpu.empty, ==, 0xff);
        g_assert_cmphex(memory[osize == 2 ? 108 : 94], ==, 0x55);
        memset(cpu->fpu.r, 0, sizeof(cpu->fpu.r));
        g_assert_cmpint(run(exec_frstor, 0xdd, 0x25, MEM, osize), ==, NO_FAULT);
        g_assert_cmpmem(cpu->fpu.r, sizeof(before.r), before.r, sizeof(before.r));
        g_assert_cmphex(cpu->fpu.empty, ==, before.empty);
        g_assert_cmphex(fpu_status(&cpu->fpu), ==, fpu_status(&before));
        g_assert_cmphex(cpu->fpu.cw, ==, before.cw);
    }
}

/* The pointers of the last instruction; control instructions do not count, register ones keep the operand pointer. */
static void test_pointers(void)
{
    setup();
    run_mem(exec_fld_m32, 0xd9, 0, MEM);
    g_assert_cmphex(cpu->fpu.fip, ==, 0x12345);
    g_assert_cmphex(cpu->fpu.fcs, ==, 0x10);
    g_assert_cmphex(cpu->fpu.fop, ==, 0x105);
    g_assert_cmphex(cpu->fpu.fdp, ==, MEM);
    g_assert_cmphex(cpu->fpu.fds, ==, 0x18);
    cpu->insn_rip = 0x20000;
    run(exec_fsqrt, 0xd9, 0xfa, 0, 2);
    g_assert_cmphex(cpu->fpu.fip, ==, 0x20000);
    g_assert_cmphex(cpu->fpu.fop, ==, 0x1fa);
    g_assert_cmphex(cpu->fpu.fdp, ==, MEM);
    cpu->insn_rip = 0x30000;
    run_mem(exec_fnstenv, 0xd9, 6, MEM + 64);
    g_assert_cmphex(cpu->fpu.fip, ==, 0x20000);
}

/* FNINIT leaves the registers' contents to the next FRSTOR-less reader: tags only. */
static void test_init(void)
{
    setup();
    fld1();
    run(exec_fninit, 0xdb, 0xe3, 0, 2);
    g_assert_cmphex(cpu->fpu.empty, ==, 0xff);
    g_assert_cmphex(cpu->fpu.r[7].mant, ==, F80_INT_BIT);
    g_assert_cmphex(cpu->fpu.fip, ==, 0);
}

/* FXSAVE keeps the pointers only while an unmasked exception is pending (AMD APM vol 2 section 11.4.4.3). */
static void test_fxsave(void)
{
    uint8_t image[160];
    known_state();
    fpu_store_fx(&cpu->fpu, false, image);
    g_assert_cmphex(image[4], ==, 0x0f);
    g_assert_cmphex(image[6] | image[7] << 8, ==, 0x5d1);
    g_assert_cmphex(image[8] | image[9] << 8 | image[10] << 16, ==, 0x12345);
    fpu_set_control(&cpu->fpu, FCW_INIT);
    fpu_store_fx(&cpu->fpu, false, image);
    g_assert_cmphex(image[6] | image[8], ==, 0);
    X87 loaded = {0};
    fpu_load_fx(&loaded, false, image);
    g_assert_cmpmem(loaded.r, sizeof(loaded.r), cpu->fpu.r, sizeof(loaded.r));
    g_assert_cmphex(fpu_status(&loaded), ==, fpu_status(&cpu->fpu));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x87/pending", test_pending);
    g_test_add_func("/x87/ferr", test_ferr);
    g_test_add_func("/x87/fldcw-raises", test_fldcw_raises);
    g_test_add_func("/x87/availability", test_availability);
    g_test_add_func("/x87/page-faults", test_page_faults);
    g_test_add_func("/x87/blocked-store", test_blocked_store);
    g_test_add_func("/x87/inexact-store", test_inexact_store);
    g_test_add_func("/x87/stack-overflow", test_overflow);
    g_test_add_func("/x87/stack-underflow", test_underflow);
    g_test_add_func("/x87/two-results", test_two_results);
    g_test_add_func("/x87/conditional-move", test_conditional_move);
    g_test_add_func("/x87/constants", test_constants);
    g_test_add_func("/x87/layouts", test_layouts);
    g_test_add_func("/x87/save-restore", test_save_restore);
    g_test_add_func("/x87/pointers", test_pointers);
    g_test_add_func("/x87/init", test_init);
    g_test_add_func("/x87/fxsave", test_fxsave);
    int status = g_test_run();
    guest_free(guest);
    return status;
}
