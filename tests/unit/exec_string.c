/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REP MOVS and STOS against a model that moves one element at a time: overlap, direction, page ends, interruption,
 * single-stepping, address wrap.
 * Spec: Intel SDM vol 1 section 7.3.9, vol 2 REP.
 */
#include "target/x86/exec.h"

enum { PAGES = 6, BYTES = PAGES * 4096 };
#define BASE 0x400000ull

typedef struct Fixture {
    X86Cpu *cpu;
    uint8_t *ram, *model;
    FeatureSet all;
} Fixture;

static void map_page(X86Cpu *cpu, gva_t lin, uint8_t *host)
{
    cpu->tlb[0][(lin >> 12) & (TLB_SIZE - 1)] = (TlbEntry){.rtag = lin, .wtag = lin, .addend = (uintptr_t)host - lin};
}

/* A CPU in 64-bit mode whose TLB maps PAGES pages at BASE; there is no machine behind it to reach anything else. */
static void setup(Fixture *f, gconstpointer data)
{
    f->cpu = g_new0(X86Cpu, 1);
    f->ram = g_malloc(BYTES);
    f->model = g_malloc(BYTES);
    memset(&f->all, 0xff, sizeof(f->all));
    X86Cpu *cpu = f->cpu;
    for (unsigned m = 0; m < NUM_MEM_MODES; m++) {
        for (unsigned k = 0; k < TLB_SIZE; k++) {
            cpu->tlb[m][k].rtag = cpu->tlb[m][k].wtag = 1ull << 62;
        }
    }
    for (unsigned k = 0; k < PAGES; k++) {
        map_page(cpu, BASE + k * 4096, f->ram + k * 4096);
    }
    cpu->eflags = 2;
    cpu->code_size = 2;
    cpu->code64 = true;
    cpu->long_mode = true;
}

static void setup16(Fixture *f, gconstpointer data)
{
    setup(f, data);
    X86Cpu *cpu = f->cpu;
    cpu->code_size = 0;
    cpu->code64 = cpu->long_mode = false;
    uint32_t attr = SEG_P | SEG_S | SEG_WRITE | SEG_ACCESSED;
    for (unsigned s = 0; s < NUM_SEGS; s++) {
        cpu->seg[s] = (Segment){.base = BASE - 0xf000, .limit = 0xffff, .attr = attr, .fast_r = 0x10000,
                                .fast_w = 0x10000};
    }
    /* Offsets F000..FFFF are the first page of RAM, 0..FFF the second. */
    map_page(cpu, BASE - 0xf000, f->ram + 4096);
    memset(f->ram, 0, BYTES);
}

static void teardown(Fixture *f, gconstpointer data)
{
    g_free(f->cpu);
    g_free(f->ram);
    g_free(f->model);
}

/* -1 or the vector raised. */
static int run_once(Fixture *f, const char *bytes, unsigned len)
{
    Insn i;
    X86Cpu *cpu = f->cpu;
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)bytes, len, cpu->code_size, &f->all), ==, DECODE_OK);
    cpu->break_block = false;
    cpu->insn_rip = 0x1000;
    cpu->rip = 0x1000 + i.len;
    if (setjmp(cpu->unwind)) {
        return cpu->exc.vector;
    }
    i.fn(cpu, &i);
    return -1;
}

static bool finished(const Fixture *f)
{
    return f->cpu->rip != f->cpu->insn_rip;
}

static void model_run(Fixture *f, bool movs, gva_t src, gva_t dst, uint64_t count, unsigned size, bool back)
{
    for (uint64_t k = 0; k < count; k++) {
        uint8_t element[8];
        memcpy(element, movs ? f->model + (src - BASE) : (const uint8_t *)&f->cpu->r[RAX], size);
        memcpy(f->model + (dst - BASE), element, size);
        src += back ? -(gva_t)size : size;
        dst += back ? -(gva_t)size : size;
    }
}

static void fill(Fixture *f, GRand *rng)
{
    for (unsigned k = 0; k < BYTES; k += 4) {
        uint32_t v = g_rand_int(rng);
        memcpy(f->ram + k, &v, 4);
    }
    memcpy(f->model, f->ram, BYTES);
}

/* First address of a run inside the mapped pages whose elements cross no page. */
static gva_t pick(GRand *rng, uint64_t count, unsigned size, bool back)
{
    gva_t low = BASE + (gva_t)g_rand_int_range(rng, 0, (gint32)(BYTES / size - count + 1)) * size;
    return back ? low + (count - 1) * size : low;
}

/* The same inside one page, at any address; `room` bytes stay free on both sides. */
static gva_t pick_unaligned(GRand *rng, uint64_t count, unsigned size, bool back, unsigned room)
{
    gva_t low = BASE + 4096 + (gva_t)g_rand_int_range(rng, (gint32)room, (gint32)(4096 - count * size - room));
    return back ? low + (count - 1) * size : low;
}

static void test_random(Fixture *f, gconstpointer data)
{
    /* movs b w d q, stos b w d q */
    static const char *const code[8] = {"\xf3\x90\xa4", "\x66\xf3\xa5", "\xf3\x90\xa5", "\xf3\x48\xa5",
                                        "\xf3\x90\xaa", "\x66\xf3\xab", "\xf3\x90\xab", "\xf3\x48\xab"};
    GRand *rng = g_rand_new_with_seed(9);
    X86Cpu *cpu = f->cpu;
    for (unsigned n = 0; n < 3000; n++) {
        unsigned k = n & 7, size = 1u << (k & 3);
        bool movs = k < 4, back = g_rand_boolean(rng);
        uint64_t count = (uint64_t)g_rand_int_range(rng, 1, n % 5 ? 300 : (gint32)(4 * 4096 / size));
        char bytes[3] = {code[k][0], code[k][1], code[k][2]};
        unsigned len = 3;
        if ((uint8_t)bytes[1] == 0x90) {
            bytes[1] = bytes[2];
            len = 2;
        }
        fill(f, rng);
        gva_t src, dst;
        if (count * size < 4000) { /* perhaps overlapping, by less than an element too */
            src = pick_unaligned(rng, count, size, back, 24);
            dst = n % 3 ? pick_unaligned(rng, count, size, back, 24) : src + (gva_t)g_rand_int_range(rng, -20, 21);
        } else {
            src = pick(rng, count, size, back);
            dst = pick(rng, count, size, back);
        }
        cpu->eflags = 2 | (back ? FL_DF : 0);
        cpu->r[RSI] = src;
        cpu->r[RDI] = dst;
        cpu->r[RCX] = count;
        cpu->r[RAX] = (uint64_t)g_rand_int(rng) << 32 | g_rand_int(rng);
        model_run(f, movs, src, dst, count, size, back);
        g_assert_cmpint(run_once(f, bytes, len), ==, -1);
        g_assert_true(finished(f));
        g_assert_cmpmem(f->ram, BYTES, f->model, BYTES);
        uint64_t moved = back ? -(count * size) : count * size;
        g_assert_cmphex(cpu->r[RCX], ==, 0);
        g_assert_cmphex(cpu->r[RDI], ==, dst + moved);
        g_assert_cmphex(cpu->r[RSI], ==, movs ? src + moved : src);
    }
    g_rand_free(rng);
}

/* With something to attend to, at least one element is done, then the instruction stands again at its start. */
static void test_interruption(Fixture *f, gconstpointer data)
{
    X86Cpu *cpu = f->cpu;
    memset(f->ram, 0, BYTES);
    cpu->attention = true;
    cpu->r[RAX] = 0x55;
    cpu->r[RDI] = BASE + 100;
    cpu->r[RCX] = 3 * 4096;
    unsigned rounds = 0;
    do {
        uint64_t before = cpu->r[RCX];
        run_once(f, "\xf3\xaa", 2);
        g_assert_cmpuint(cpu->r[RCX], <, before);
        g_assert_cmphex(cpu->r[RDI], ==, BASE + 100 + 3 * 4096 - cpu->r[RCX]);
        g_assert_true(finished(f) || cpu->break_block);
        rounds++;
    } while (!finished(f));
    g_assert_cmpuint(rounds, >=, 3); /* never more than a page between looks */
    for (unsigned k = 0; k < BYTES; k++) {
        g_assert_cmpint(f->ram[k], ==, k >= 100 && k < 100 + 3 * 4096 ? 0x55 : 0);
    }
}

/* SDM vol 3 section 18.3.1.4: TF traps after each iteration. */
static void test_single_step(Fixture *f, gconstpointer data)
{
    X86Cpu *cpu = f->cpu;
    cpu->eflags = 2 | FL_TF;
    cpu->r[RSI] = BASE;
    cpu->r[RDI] = BASE + 4096;
    cpu->r[RCX] = 5;
    for (unsigned left = 5; left-- > 0;) {
        run_once(f, "\xf3\x48\xa5", 3);
        g_assert_cmpuint(cpu->r[RCX], ==, left);
        g_assert_cmpint(finished(f), ==, left == 0);
    }
    g_assert_cmphex(cpu->r[RSI], ==, BASE + 40);
}

/* A count of zero touches nothing, not even the upper halves with 67. */
static void test_zero(Fixture *f, gconstpointer data)
{
    X86Cpu *cpu = f->cpu;
    cpu->r[RCX] = 0xffffffff00000000ull;
    cpu->r[RDI] = 0x1234567800000000ull;
    cpu->r[RSI] = 0x8765432100000000ull;
    run_once(f, "\x67\xf3\xa4", 3);
    g_assert_true(finished(f));
    g_assert_cmphex(cpu->r[RCX], ==, 0xffffffff00000000ull);
    g_assert_cmphex(cpu->r[RDI], ==, 0x1234567800000000ull);
}

/* 16-bit code: SI, DI and CX alone change; offsets wrap at 64 KiB. */
static void test_wrap16(Fixture *f, gconstpointer data)
{
    X86Cpu *cpu = f->cpu;
    cpu->r[RAX] = 0xaa;
    cpu->r[RDI] = 0xdead0000ff80;
    cpu->r[RCX] = 0xbeef00000100;
    g_assert_cmpint(run_once(f, "\xf3\xaa", 2), ==, -1);
    g_assert_true(finished(f));
    g_assert_cmphex(cpu->r[RDI], ==, 0xdead00000080);
    g_assert_cmphex(cpu->r[RCX], ==, 0xbeef00000000);
    for (unsigned k = 0; k < BYTES; k++) {
        bool set = (k >= 0xf80 && k < 0x1000) || (k >= 4096 && k < 4096 + 0x80);
        g_assert_cmpint(f->ram[k], ==, set ? 0xaa : 0);
    }
}

/* A word at offset FFFF crosses the segment's end: #GP, with what came before committed. */
static void test_limit16(Fixture *f, gconstpointer data)
{
    X86Cpu *cpu = f->cpu;
    cpu->r[RDI] = 0xfff1;
    cpu->r[RCX] = 20;
    g_assert_cmpint(run_once(f, "\xf3\xab", 2), ==, EXC_GP);
    g_assert_cmphex(cpu->r[RDI], ==, 0xffff);
    g_assert_cmphex(cpu->r[RCX], ==, 13);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    GError *error = NULL;
    if (!insn_table_init(&error)) {
        g_error("%s", error->message);
    }
#define ADD(name, setup_fn, fn) g_test_add("/exec-string/" name, Fixture, NULL, setup_fn, fn, teardown)
    ADD("random", setup, test_random);
    ADD("interruption", setup, test_interruption);
    ADD("single-step", setup, test_single_step);
    ADD("zero", setup, test_zero);
    ADD("wrap16", setup16, test_wrap16);
    ADD("limit16", setup16, test_limit16);
#undef ADD
    return g_test_run();
}
