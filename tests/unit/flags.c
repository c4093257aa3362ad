/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lazy flags against the host's own: every operation and size, all six flags, all sixteen conditions.
 * Spec: Intel SDM vol 1 appendix B (conditions).
 */
#include "target/x86/flags.h"

#if defined(__x86_64__)

enum { ROUNDS = 20000 };

typedef struct Step {
    uint64_t a, b, result, flags;
    unsigned count;
} Step;

/* Run "OP a, b" with CF as in flags; result and OSZAPC out. */
#define NATIVE(name, insn, type)                                                                                     \
    static void name(Step *s)                                                                                        \
    {                                                                                                                \
        type a = (type)s->a, b = (type)s->b;                                                                         \
        uint64_t flags = s->flags;                                                                                   \
        __asm__ volatile("subq $128, %%rsp\n\tpushq %1\n\tpopfq\n\t" insn "\n\tpushfq\n\tpopq %1\n\taddq $128, %%rsp"\
                         : "+q"(a), "+r"(flags)                                                                      \
                         : "q"(b), "c"(s->count)                                                                     \
                         : "cc", "memory");                                                                          \
        s->result = a;                                                                                               \
        s->flags = flags & FL_OSZAPC;                                                                                \
    }
#define NATIVE_SIZES(name, op)                                                                                       \
    NATIVE(name##0, op "b %2, %0", uint8_t)                                                                          \
    NATIVE(name##1, op "w %2, %0", uint16_t)                                                                         \
    NATIVE(name##2, op "l %2, %0", uint32_t)                                                                         \
    NATIVE(name##3, op "q %2, %0", uint64_t)
#define NATIVE_ONE(name, op)                                                                                         \
    NATIVE(name##0, op "b %0", uint8_t)                                                                              \
    NATIVE(name##1, op "w %0", uint16_t)                                                                             \
    NATIVE(name##2, op "l %0", uint32_t)                                                                             \
    NATIVE(name##3, op "q %0", uint64_t)
#define NATIVE_SHIFT(name, op)                                                                                       \
    NATIVE(name##0, op "b %%cl, %0", uint8_t)                                                                        \
    NATIVE(name##1, op "w %%cl, %0", uint16_t)                                                                       \
    NATIVE(name##2, op "l %%cl, %0", uint32_t)                                                                       \
    NATIVE(name##3, op "q %%cl, %0", uint64_t)
NATIVE_SIZES(add, "add")
NATIVE_SIZES(adc, "adc")
NATIVE_SIZES(sub, "sub")
NATIVE_SIZES(sbb, "sbb")
NATIVE_SIZES(cmp, "cmp")
NATIVE_SIZES(test, "test")
NATIVE_SIZES(and, "and")
NATIVE_ONE(inc, "inc")
NATIVE_ONE(dec, "dec")
NATIVE_ONE(neg, "neg")
NATIVE_SHIFT(shl, "shl")
NATIVE_SHIFT(shr, "shr")
NATIVE_SHIFT(sar, "sar")

typedef void NativeFn(Step *s);
typedef enum Kind { BINARY, WITH_CARRY, KEEPS_CARRY, NEGATE, OPERANDS, SHIFT } Kind;

typedef struct Op {
    const char *name;
    NativeFn *native[4];
    CcOp cc;
    Kind kind;
} Op;

#define OP(name, cc, kind) {#name, {name##0, name##1, name##2, name##3}, cc, kind}
static const Op ops[] = {
    OP(add, CC_ADD, BINARY), OP(adc, CC_ADC, WITH_CARRY), OP(sub, CC_SUB, BINARY), OP(sbb, CC_SBB, WITH_CARRY),
    OP(and, CC_LOGIC, BINARY), OP(inc, CC_INC, KEEPS_CARRY), OP(dec, CC_DEC, KEEPS_CARRY), OP(neg, CC_SUB, NEGATE),
    OP(cmp, CC_CMP, OPERANDS), OP(test, CC_TEST, OPERANDS),
    OP(shl, CC_SHL, SHIFT), OP(shr, CC_SHR, SHIFT), OP(sar, CC_SAR, SHIFT),
};

/* Operands that hit the corners often: small, all ones, single bits, equal. */
static uint64_t operand(GRand *rng)
{
    uint64_t v = (uint64_t)g_rand_int(rng) << 32 | g_rand_int(rng);
    switch (g_rand_int_range(rng, 0, 6)) {
    case 0:
        return v & 3;
    case 1:
        return ~(v & 3);
    case 2:
        return 1ull << (v & 63);
    case 3:
        return (1ull << (v & 63)) - 1;
    default:
        return v;
    }
}

/* The value before the last one-bit step of a shift. */
static uint64_t before_last(const Op *op, uint64_t a, unsigned n, unsigned bits)
{
    if (op->cc == CC_SHL) {
        return a << (n - 1);
    }
    if (op->cc == CC_SHR) {
        return a >> (n - 1);
    }
    return (uint64_t)((int64_t)(a << (64 - bits)) >> (64 - bits) >> (n - 1));
}

static void set_lazy(X86Cpu *cpu, const Op *op, const Step *in, const Step *out, unsigned size, unsigned bits)
{
    uint64_t mask = ~0ull >> (64 - bits), src = in->b & mask, a = in->a & mask;
    CcOp cc = op->cc;
    switch (op->kind) {
    case WITH_CARRY:
        if (!(in->flags & FL_CF)) {
            cc = cc == CC_ADC ? CC_ADD : CC_SUB;
        }
        break;
    case KEEPS_CARRY:
        src = in->flags & FL_CF;
        break;
    case NEGATE:
        src = a;
        break;
    case SHIFT:
        src = before_last(op, a, in->count, bits) & mask;
        break;
    case OPERANDS:
        flags_lazy(cpu, cc, size, in->a, in->b);
        return;
    default:
        break;
    }
    flags_lazy(cpu, cc, size, out->result & mask, src);
}

static bool condition(uint32_t f, unsigned cc)
{
    bool cf = f & FL_CF, zf = f & FL_ZF, sf = f & FL_SF, of = f & FL_OF, pf = f & FL_PF;
    const bool yes[8] = {of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of};
    return yes[cc >> 1] != (cc & 1);
}

static void test_op(gconstpointer data)
{
    const Op *op = data;
    GRand *rng = g_rand_new_with_seed(42);
    X86Cpu *cpu = g_new0(X86Cpu, 1);
    for (unsigned n = 0; n < ROUNDS * 4; n++) {
        unsigned size = n & 3, bits = 8u << size;
        Step in = {.a = operand(rng), .b = operand(rng), .flags = 0x202 | (g_rand_int(rng) & FL_OSZAPC)};
        if (n % 7 == 0) {
            in.b = in.a;
        }
        in.count = (unsigned)g_rand_int_range(rng, 1, (gint32)MIN(bits, 63));
        Step out = in;
        op->native[size](&out);
        set_lazy(cpu, op, &in, &out, size, bits);
        uint32_t ignore = op->kind == SHIFT || op->cc == CC_LOGIC ? FL_AF : 0;
        if (op->kind == SHIFT && in.count > 1) {
            ignore |= FL_OF;
        }
        uint32_t ours = flags_compute(cpu), theirs = (uint32_t)out.flags;
        if ((ours ^ theirs) & ~ignore) {
            g_error("%s%u %" G_GINT64_MODIFIER "x, %" G_GINT64_MODIFIER "x (count %u): flags %x, the host has %x",
                    op->name, bits, in.a, in.b, in.count, ours, theirs);
        }
        g_assert_cmpint(flags_cf(cpu), ==, (ours & FL_CF) != 0);
        for (unsigned cc = 0; cc < 16; cc++) {
            g_assert_cmpint(flags_condition(cpu, cc), ==, condition(ours, cc));
        }
    }
    g_free(cpu);
    g_rand_free(rng);
}

/* CC_FLAGS and CC_MUL carry flags as such. */
static void test_stored(void)
{
    X86Cpu *cpu = g_new0(X86Cpu, 1);
    for (unsigned bits = 0; bits < 64; bits++) {
        uint32_t f = (bits & 1 ? FL_CF : 0) | (bits & 2 ? FL_PF : 0) | (bits & 4 ? FL_AF : 0) |
                     (bits & 8 ? FL_ZF : 0) | (bits & 16 ? FL_SF : 0) | (bits & 32 ? FL_OF : 0);
        flags_set(cpu, f | 0xffff0000u);
        g_assert_cmpuint(flags_compute(cpu), ==, f);
        g_assert_cmpint(flags_cf(cpu), ==, (f & FL_CF) != 0);
        for (unsigned cc = 0; cc < 16; cc++) {
            g_assert_cmpint(flags_condition(cpu, cc), ==, condition(f, cc));
        }
        for (unsigned overflow = 0; overflow < 2; overflow++) {
            flags_lazy(cpu, CC_MUL, 0, f, overflow);
            uint32_t want = (f & ~(uint32_t)(FL_CF | FL_OF)) | (overflow ? FL_CF | FL_OF : 0);
            g_assert_cmpuint(flags_compute(cpu), ==, want);
            g_assert_cmpint(flags_cf(cpu), ==, overflow);
            for (unsigned cc = 0; cc < 16; cc++) {
                g_assert_cmpint(flags_condition(cpu, cc), ==, condition(want, cc));
            }
        }
    }
    g_free(cpu);
}

/* The parts of EFLAGS: masks, reserved bits, and that IF = 1 lets a waiting interrupt in. */
static void test_load(void)
{
    X86Cpu *cpu = g_new0(X86Cpu, 1);
    cpu->eflags = 2 | FL_DF;
    flags_set(cpu, FL_CF);
    cpu_load_eflags(cpu, FL_ZF | FL_NT, FL_ZF | FL_CF | FL_NT);
    g_assert_cmphex(cpu_eflags(cpu), ==, 2 | FL_DF | FL_ZF | FL_NT);
    cpu_load_eflags(cpu, 0xffffffff, 0x8028 | FL_OF);
    g_assert_cmphex(cpu_eflags(cpu), ==, 2 | FL_DF | FL_ZF | FL_NT | FL_OF);
    g_assert_false(cpu->attention);
    cpu->events = EVENT_INTR;
    cpu->break_block = false;
    cpu_load_eflags(cpu, FL_IF, FL_IF);
    g_assert_true(cpu->attention);
    g_assert_true(cpu->break_block);
    g_free(cpu);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned k = 0; k < G_N_ELEMENTS(ops); k++) {
        g_autofree char *path = g_strdup_printf("/flags/%s", ops[k].name);
        g_test_add_data_func(path, &ops[k], test_op);
    }
    g_test_add_func("/flags/stored", test_stored);
    g_test_add_func("/flags/load", test_load);
    return g_test_run();
}

#else

static void test_skip(void)
{
    g_test_skip("needs an x86-64 host");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/flags", test_skip);
    return g_test_run();
}

#endif
