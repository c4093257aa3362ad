/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * f32 and f64 arithmetic against the host's SSE unit: results and flags, every rounding mode with and without DAZ and
 * FTZ, masked and unmasked.
 * Spec: Intel SDM vol 1, 11.5.
 */
#include "target/x86/softfloat.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#if defined(__x86_64__)

typedef uint64_t (*HostFn)(uint64_t a, uint64_t b, uint64_t c, uint32_t *mxcsr);
typedef uint64_t (*SoftFn)(uint64_t a, uint64_t b, uint64_t c, FloatEnv *e);

enum { KIND_F32, KIND_F64, KIND_I32, KIND_I64 };
typedef struct Op {
    const char *name;
    HostFn host;
    SoftFn soft;
    uint8_t kind, operands;
    uint64_t result_mask;
    bool fma;
} Op;

/* ---- the host's instructions: first operand in xmm0, second in xmm1, third in xmm2 ---- */

#define HOST(name, insn)                                                                                               \
    static uint64_t host_##name(uint64_t a, uint64_t b, uint64_t c, uint32_t *mxcsr)                                   \
    {                                                                                                                  \
        const uint32_t usual = 0x1f80;                                                                                 \
        __asm__ volatile("movq %[a], %%xmm0\n\tmovq %[b], %%xmm1\n\tmovq %[c], %%xmm2\n\tldmxcsr %[m]\n\t" insn      \
                         "\n\tstmxcsr %[m]\n\tldmxcsr %[u]\n\tmovq %%xmm0, %[a]"                                       \
                         : [a] "+m"(a), [m] "+m"(*mxcsr)                                                               \
                         : [b] "m"(b), [c] "m"(c), [u] "m"(usual)                                                      \
                         : "xmm0", "xmm1", "xmm2", "rax", "cc");                                                       \
        return a;                                                                                                      \
    }
#define HOST_BOTH(name, insn)                                                                                          \
    HOST(f32_##name, insn "ss %%xmm1, %%xmm0")                                                                         \
    HOST(f64_##name, insn "sd %%xmm1, %%xmm0")
HOST_BOTH(add, "add")
HOST_BOTH(sub, "sub")
HOST_BOTH(mul, "mul")
HOST_BOTH(div, "div")
HOST_BOTH(min, "min")
HOST_BOTH(max, "max")
/* -1 less, 0 equal, 1 greater, 2 unordered out of ZF, PF and CF */
#define COMPARE(insn)                                                                                                  \
    insn " %%xmm1, %%xmm0\n\tmov $2, %%eax\n\tjp 1f\n\tmov $-1, %%eax\n\tjc 1f\n\tmov $0, %%eax\n\tjz 1f\n\t"          \
         "mov $1, %%eax\n1:\tmovd %%eax, %%xmm0"
HOST(f32_comi, COMPARE("comiss"))
HOST(f64_comi, COMPARE("comisd"))
HOST(f32_ucomi, COMPARE("ucomiss"))
HOST(f64_ucomi, COMPARE("ucomisd"))
HOST(f32_sqrt, "sqrtss %%xmm0, %%xmm0")
HOST(f64_sqrt, "sqrtsd %%xmm0, %%xmm0")
HOST(f32_round, "roundss $4, %%xmm0, %%xmm0")
HOST(f64_round, "roundsd $4, %%xmm0, %%xmm0")
HOST(f32_round_up, "roundss $10, %%xmm0, %%xmm0")
HOST(f64_round_up, "roundsd $10, %%xmm0, %%xmm0")
HOST(f32_to_i32, "cvtss2si %%xmm0, %%eax\n\tmovd %%eax, %%xmm0")
HOST(f64_to_i32, "cvtsd2si %%xmm0, %%eax\n\tmovd %%eax, %%xmm0")
HOST(f32_to_i64, "cvtss2si %%xmm0, %%rax\n\tmovq %%rax, %%xmm0")
HOST(f64_to_i64, "cvtsd2si %%xmm0, %%rax\n\tmovq %%rax, %%xmm0")
HOST(f32_trunc_i32, "cvttss2si %%xmm0, %%eax\n\tmovd %%eax, %%xmm0")
HOST(f64_trunc_i64, "cvttsd2si %%xmm0, %%rax\n\tmovq %%rax, %%xmm0")
HOST(f32_from_i32, "movd %%xmm0, %%eax\n\tcvtsi2ss %%eax, %%xmm0")
HOST(f64_from_i32, "movd %%xmm0, %%eax\n\tcvtsi2sd %%eax, %%xmm0")
HOST(f32_from_i64, "movq %%xmm0, %%rax\n\tcvtsi2ss %%rax, %%xmm0")
HOST(f64_from_i64, "movq %%xmm0, %%rax\n\tcvtsi2sd %%rax, %%xmm0")
HOST(f32_to_f64, "cvtss2sd %%xmm0, %%xmm0")
HOST(f64_to_f32, "cvtsd2ss %%xmm0, %%xmm0")
HOST(f32_fma, "vfmadd213ss %%xmm2, %%xmm0, %%xmm1\n\tvmovaps %%xmm1, %%xmm0")
HOST(f64_fma, "vfmadd213sd %%xmm2, %%xmm0, %%xmm1\n\tvmovapd %%xmm1, %%xmm0")

/* ---- ours in the same form ---- */

#define SOFT(name, expr)                                                                                               \
    static uint64_t soft_##name(uint64_t a, uint64_t b, uint64_t c, FloatEnv *e)                                       \
    {                                                                                                                  \
        return (uint64_t)(expr);                                                                                       \
    }
#define SOFT_TWO(F, name) SOFT(F##_##name, F##_##name((F)a, (F)b, e))
#define SOFT_FORMAT(F)                                                                                                 \
    SOFT_TWO(F, add)                                                                                                   \
    SOFT_TWO(F, sub)                                                                                                   \
    SOFT_TWO(F, mul)                                                                                                   \
    SOFT_TWO(F, div)                                                                                                   \
    SOFT_TWO(F, min)                                                                                                   \
    SOFT_TWO(F, max)                                                                                                   \
    SOFT(F##_comi, F##_compare((F)a, (F)b, false, e))                                                                  \
    SOFT(F##_ucomi, F##_compare((F)a, (F)b, true, e))                                                                  \
    SOFT(F##_sqrt, F##_sqrt((F)a, e))                                                                                  \
    SOFT(F##_round, F##_round_int((F)a, e->round, true, e))                                                            \
    SOFT(F##_round_up, F##_round_int((F)a, ROUND_UP, false, e))                                                        \
    SOFT(F##_to_i32, F##_to_i32((F)a, e->round, e))                                                                    \
    SOFT(F##_to_i64, F##_to_i64((F)a, e->round, e))                                                                    \
    SOFT(F##_from_i32, F##_from_i32((int32_t)a, e))                                                                    \
    SOFT(F##_from_i64, F##_from_i64((int64_t)a, e))                                                                    \
    SOFT(F##_fma, F##_fma((F)a, (F)b, (F)c, e))
SOFT_FORMAT(f32)
SOFT_FORMAT(f64)
SOFT(f32_trunc_i32, f32_to_i32((f32)a, ROUND_ZERO, e))
SOFT(f64_trunc_i64, f64_to_i64((f64)a, ROUND_ZERO, e))
SOFT(f32_to_f64, f32_to_f64((f32)a, e))
SOFT(f64_to_f32, f64_to_f32((f64)a, e))

#define OP(name, kind, operands, mask) {#name, host_##name, soft_##name, kind, operands, mask, operands == 3}
#define OPS_FORMAT(F, K, mask)                                                                                         \
    OP(F##_add, K, 2, mask), OP(F##_sub, K, 2, mask), OP(F##_mul, K, 2, mask), OP(F##_div, K, 2, mask),                \
    OP(F##_min, K, 2, mask), OP(F##_max, K, 2, mask), OP(F##_comi, K, 2, M32), OP(F##_ucomi, K, 2, M32),               \
    OP(F##_sqrt, K, 1, mask), OP(F##_round, K, 1, mask), OP(F##_round_up, K, 1, mask), OP(F##_to_i32, K, 1, M32),      \
    OP(F##_to_i64, K, 1, M64), OP(F##_from_i32, KIND_I32, 1, mask), OP(F##_from_i64, KIND_I64, 1, mask),               \
    OP(F##_fma, K, 3, mask)
#define M32 0xffffffffull
#define M64 (~0ull)
static const Op ops[] = {
    OPS_FORMAT(f32, KIND_F32, M32),
    OPS_FORMAT(f64, KIND_F64, M64),
    OP(f32_trunc_i32, KIND_F32, 1, M32),
    OP(f64_trunc_i64, KIND_F64, 1, M64),
    OP(f32_to_f64, KIND_F32, 1, M64),
    OP(f64_to_f32, KIND_F64, 1, M32),
};

/* ---- operands ---- */

static const uint64_t edges_f64[] = {
    0, 1, 2, 0x000fffffffffffff, 0x0008000000000000, 0x0010000000000000, 0x0010000000000001, 0x001fffffffffffff,
    0x0020000000000000, 0x0030000000000001, 0x1e50000000000000, 0x1ff0000000000003, 0x36a0000000000000,
    0x3690000000000001, 0x380fffffe0000000, 0x380ffffff0000000, 0x3810000000000000, 0x3ca0000000000000,
    0x3fd5555555555555, 0x3fe0000000000000, 0x3fe0000000000001, 0x3fefffffffffffff, 0x3ff0000000000000,
    0x3ff0000000000001, 0x3ff8000000000000, 0x4000000000000000, 0x4004000000000000, 0x41dfffffffc00000,
    0x41dfffffffdfffff, 0x41dfffffffe00000, 0x41e0000000000000, 0x41e0000000200000, 0x4330000000000001,
    0x4340000000000000, 0x43dfffffffffffff, 0x43e0000000000000, 0x47efffffe0000000, 0x47efffffefffffff,
    0x47effffff0000000, 0x5ff0000000000001, 0x7fe0000000000000, 0x7fefffffffffffff, 0x7ff0000000000000,
    0x7ff0000000000001, 0x7ff4000000000123, 0x7ff8000000000000, 0x7ffc000000000456,
};
static const uint64_t edges_f32[] = {
    0, 1, 2, 0x7fffff, 0x400000, 0x800000, 0x800001, 0xffffff, 0x1000000, 0x1800001, 0x1fc00000, 0x20000003, 0x33800000,
    0x3eaaaaab, 0x3f000000, 0x3f000001, 0x3f7fffff, 0x3f800000, 0x3f800001, 0x3fc00000, 0x40000000, 0x40200000,
    0x4b000001, 0x4b800000, 0x4effffff, 0x4f000000, 0x5effffff, 0x5f000000, 0x60000001, 0x7f000000, 0x7f7fffff,
    0x7f800000, 0x7f800001, 0x7fa00123, 0x7fc00000, 0x7fe00456,
};
static const uint64_t edges_int[] = {0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xffffff, 0x1000001, 0x1ffffff, 0x7fffffffffffffff,
    0x8000000000000000, 0x1fffffffffffff, 0x20000000000001, 0x3ffffffffffffd, 0xffffffffffffffff, 0x7ffffffffffffdff,
    0x7ffffffffffffe00, 0x7fffffbfffffffff, 0x7fffffc000000000};

static const uint64_t *edges_of(unsigned kind, size_t *n)
{
    *n = kind == KIND_F32 ? ARRAY_LEN(edges_f32) : kind == KIND_F64 ? ARRAY_LEN(edges_f64) : ARRAY_LEN(edges_int);
    return kind == KIND_F32 ? edges_f32 : kind == KIND_F64 ? edges_f64 : edges_int;
}

static uint64_t random64(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    uint64_t x = *state ^ *state >> 29;
    return x * 0x9e3779b97f4a7c15ull;
}

/* Mixes random bits, numbers of near exponents, short significands and edges. */
static uint64_t random_operand(unsigned kind, uint64_t *state)
{
    uint64_t r = random64(state), pick = random64(state) >> 40;
    size_t n;
    const uint64_t *edges = edges_of(kind, &n);

    if (pick % 8 == 0) {
        return edges[r % n] ^ (pick & 256 ? kind == KIND_F32 ? 0x80000000u : 1ull << 63 : 0);
    }
    if (kind >= KIND_I32) {
        return r >> (pick & 63);
    }
    if (pick % 8 < 3) {
        return r;
    }
    unsigned zeros = pick % 8 < 5 ? (unsigned)(pick >> 8) % (kind == KIND_F32 ? 20 : 50) : 0;
    if (kind == KIND_F32) {
        uint64_t exp = 112 + ((pick >> 3) & 31);
        return (r & 0x80000000) | exp << 23 | ((r & 0x7fffff) >> zeros << zeros);
    }
    uint64_t exp = 1008 + ((pick >> 3) & 31);
    return (r & 1ull << 63) | exp << 52 | ((r & 0xfffffffffffffull) >> zeros << zeros);
}

/* ---- comparison ---- */

static FloatEnv env_of(uint32_t mxcsr)
{
    return (FloatEnv){.round = (mxcsr >> 13) & 3, .daz = mxcsr & 0x40, .ftz = mxcsr & 0x8000,
                      .masks = (mxcsr >> 7) & 0x3f, .precision = 64};
}

static void check(const Op *op, uint64_t a, uint64_t b, uint64_t c, uint32_t mxcsr)
{
    uint32_t after = mxcsr;
    uint64_t want = op->host(a, b, c, &after) & op->result_mask;
    unsigned flags = after & 0x3f;

    for (unsigned sticky = 0; sticky <= FX_INEXACT; sticky += FX_INEXACT) {
        FloatEnv e = env_of(mxcsr);
        e.flags = (uint8_t)sticky;
        uint64_t got = op->soft(a, b, c, &e) & op->result_mask;
        if (got != want || e.flags != (flags | sticky)) {
            g_test_message("%s(%#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ") mxcsr %#x: %#" PRIx64 " flags %#x, the host has %#"
                           PRIx64 " flags %#x", op->name, a, b, c, mxcsr, got, e.flags, want, flags | sticky);
            g_test_fail();
            return;
        }
    }
}

static uint32_t mode_mxcsr(unsigned mode)
{
    return 0x1f80 | (mode & 3) << 13 | (mode & 4 ? 0x40 : 0) | (mode & 8 ? 0x8000 : 0);
}

static bool usable(const Op *op)
{
    return !op->fma || __builtin_cpu_supports("fma");
}

static void test_edges(gconstpointer data)
{
    const Op *op = data;
    size_t n;
    const uint64_t *edges = edges_of(op->kind, &n);
    uint64_t sign = op->kind == KIND_F32 || op->kind == KIND_I32 ? 0x80000000 : 1ull << 63;

    if (!usable(op)) {
        g_test_skip("the host has no FMA");
        return;
    }
    for (size_t i = 0; i < 2 * n; i++) {
        uint64_t a = edges[i / 2] ^ (i & 1 ? sign : 0);
        for (size_t j = 0; j < (op->operands > 1 ? 2 * n : 1); j++) {
            uint64_t b = edges[j / 2] ^ (j & 1 ? sign : 0);
            for (unsigned mode = 0; mode < 16; mode++) {
                check(op, a, b, edges[(i * 7 + j) % n] ^ (j & 2 ? sign : 0), mode_mxcsr(mode));
            }
            if (g_test_failed()) {
                return;
            }
        }
    }
}

static void test_random(gconstpointer data)
{
    const Op *op = data;
    uint64_t state = (uint64_t)(op - ops) + 1;

    if (!usable(op)) {
        g_test_skip("the host has no FMA");
        return;
    }
    for (unsigned i = 0; i < 60000 && !g_test_failed(); i++) {
        uint64_t a = random_operand(op->kind, &state), b = random_operand(op->kind, &state);
        check(op, a, b, random_operand(op->kind, &state), mode_mxcsr(i & 15));
    }
}

/* ---- unmasked exceptions ---- */

static sigjmp_buf trap_exit;
static volatile uint32_t trap_mxcsr;

static void on_fpe(int sig, siginfo_t *info, void *context)
{
    trap_mxcsr = ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr;
    siglongjmp(trap_exit, 1);
}

/*
 * The flags the host leaves with some exceptions unmasked, and whether it trapped.  Flags of exceptions found after
 * the computation stay clear when one found before it is unmasked (SDM vol 1 11.5.3).
 */
static void check_unmasked(const Op *op, uint64_t a, uint64_t b, uint64_t c, uint32_t mxcsr)
{
    volatile bool trapped = true;
    volatile uint32_t flags = 0;
    volatile uint64_t want = 0;

    if (!sigsetjmp(trap_exit, 0)) {
        uint32_t m = mxcsr;
        want = op->host(a, b, c, &m) & op->result_mask;
        flags = m & 0x3f;
        trapped = false;
    } else {
        flags = trap_mxcsr & 0x3f;
    }
    FloatEnv e = env_of(mxcsr);
    uint64_t got = op->soft(a, b, c, &e) & op->result_mask;
    unsigned unmasked = e.flags & ~e.masks & 0x3f;
    if (unmasked & (FX_INVALID | FX_DENORMAL | FX_DIVZERO)) {
        e.flags &= FX_INVALID | FX_DENORMAL | FX_DIVZERO;
    }
    if (trapped != (unmasked != 0) || e.flags != flags || (!trapped && got != want)) {
        g_test_message("%s(%#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ") mxcsr %#x: %#" PRIx64 " flags %#x, the host has %#" PRIx64
                       " flags %#x%s", op->name, a, b, c, mxcsr, got, e.flags, want, flags, trapped ? " and traps" : "");
        g_test_fail();
    }
}

static void test_unmasked(gconstpointer data)
{
    const Op *op = data;
    struct sigaction action = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO | SA_NODEFER}, old;
    size_t n;
    const uint64_t *edges = edges_of(op->kind, &n);

    if (!usable(op)) {
        g_test_skip("the host has no FMA");
        return;
    }
    sigaction(SIGFPE, &action, &old);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < (op->operands > 1 ? n : 1) && !g_test_failed(); j++) {
            /* one exception unmasked, then two, in a rounding mode and DAZ/FTZ state that vary */
            unsigned bits = 0x80u << (i + 2 * j) % 6 | (j & 1 ? 0x80u << (i + j / 2) % 6 : 0);
            check_unmasked(op, edges[i], edges[j], edges[(i * 5 + j) % n], mode_mxcsr((i + j / 3) & 15) & ~bits);
            check_unmasked(op, edges[i], edges[j], edges[(i * 3 + j) % n], 0x1f80 & ~bits);
        }
    }
    sigaction(SIGFPE, &old, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        g_autofree char *edges = g_strdup_printf("/softfloat_sse/%s/edges", ops[i].name);
        g_autofree char *random = g_strdup_printf("/softfloat_sse/%s/random", ops[i].name);
        g_autofree char *unmasked = g_strdup_printf("/softfloat_sse/%s/unmasked", ops[i].name);
        g_test_add_data_func(edges, &ops[i], test_edges);
        g_test_add_data_func(random, &ops[i], test_random);
        g_test_add_data_func(unmasked, &ops[i], test_unmasked);
    }
    return g_test_run();
}

#else

static void test_no_host(void)
{
    g_test_skip("the host is no x86-64: there is no SSE unit to compare with");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/softfloat_sse", test_no_host);
    return g_test_run();
}

#endif
