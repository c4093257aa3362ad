/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM.
 * Spec: Intel SDM vol 2, 4.1 (imm8 control byte, the aggregation and polarity rules).
 */
#include "target/x86/vector.h"

typedef struct StringCompare {
    int32_t a[16], b[16]; /* elements of the first and second operand */
    unsigned count;       /* elements an operand holds: 16 or 8 */
    unsigned len_a, len_b; /* valid ones */
} StringCompare;

/* imm8[1:0]: unsigned bytes, unsigned words, signed bytes, signed words. */
static int32_t element(const Xmm *v, unsigned format, unsigned k)
{
    switch (format & 3) {
    case 0:
        return v->b[k];
    case 1:
        return v->w[k];
    case 2:
        return v->sb[k];
    default:
        return v->sw[k];
    }
}

/* Implicit length: up to the first zero element. */
static unsigned implicit_length(const int32_t *v, unsigned count)
{
    unsigned n = 0;
    while (n < count && v[n] != 0) {
        n++;
    }
    return n;
}

/* Explicit length: absolute value of EAX or EDX (RAX, RDX with REX.W), saturated. */
static unsigned explicit_length(uint64_t reg, bool wide, unsigned count)
{
    int64_t v = wide ? (int64_t)reg : (int32_t)reg;
    uint64_t mag = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    return mag > count ? count : (unsigned)mag;
}

/* Equal any: is element j of b among a's? */
static bool equal_any(const StringCompare *c, unsigned j)
{
    for (unsigned k = 0; j < c->len_b && k < c->len_a; k++) {
        if (c->a[k] == c->b[j]) {
            return true;
        }
    }
    return false;
}

/* Ranges: does element j of b lie within a pair of a's? */
static bool in_ranges(const StringCompare *c, unsigned j)
{
    for (unsigned k = 0; j < c->len_b && k + 1 < c->len_a; k += 2) {
        if (c->b[j] >= c->a[k] && c->b[j] <= c->a[k + 1]) {
            return true;
        }
    }
    return false;
}

/* Equal each: elements beyond both ends are equal, beyond one end they differ. */
static bool equal_each(const StringCompare *c, unsigned j)
{
    if (j >= c->len_a || j >= c->len_b) {
        return j >= c->len_a && j >= c->len_b;
    }
    return c->a[j] == c->b[j];
}

/* Equal ordered: does a start at element j of b, as far as the register goes? */
static bool equal_ordered(const StringCompare *c, unsigned j)
{
    for (unsigned k = 0; k < c->len_a && j + k < c->count; k++) {
        if (j + k >= c->len_b || c->a[k] != c->b[j + k]) {
            return false;
        }
    }
    return true;
}

/* IntRes2, and the flags of SDM vol 2 4.1.6. */
static unsigned compare_strings(X86Cpu *cpu, const Insn *i, bool explicit_lengths, unsigned *count)
{
    Xmm s = in_memory(i) ? sse_load_unaligned(cpu, i) : *xmm(cpu, i->rm), d = *xmm(cpu, i->reg);
    unsigned imm = (unsigned)i->imm;
    StringCompare c = {.count = imm & 1 ? 8 : 16};

    for (unsigned k = 0; k < c.count; k++) {
        c.a[k] = element(&d, imm, k);
        c.b[k] = element(&s, imm, k);
    }
    if (explicit_lengths) {
        bool wide = (i->flags & INSN_REXW) && cpu->code64; /* VEX.W exists, but counts for nothing, elsewhere */
        c.len_a = explicit_length(cpu->r[RAX], wide, c.count);
        c.len_b = explicit_length(cpu->r[RDX], wide, c.count);
    } else {
        c.len_a = implicit_length(c.a, c.count);
        c.len_b = implicit_length(c.b, c.count);
    }
    static bool (*const aggregate[4])(const StringCompare *, unsigned) = {equal_any, in_ranges, equal_each, equal_ordered};
    unsigned result = 0;
    for (unsigned j = 0; j < c.count; j++) {
        bool bit = aggregate[imm >> 2 & 3](&c, j);
        if ((imm & 0x10) && (!(imm & 0x20) || j < c.len_b)) { /* negative polarity; masked: of valid elements only */
            bit = !bit;
        }
        result |= (unsigned)bit << j;
    }
    flags_set(cpu, (result ? FL_CF : 0) | (c.len_b < c.count ? FL_ZF : 0) | (c.len_a < c.count ? FL_SF : 0) |
                       (result & 1 ? FL_OF : 0));
    *count = c.count;
    return result;
}

/* imm8[6]: index of the most or least significant set bit; the number of elements when there is none. */
static void store_index(X86Cpu *cpu, const Insn *i, unsigned result, unsigned count)
{
    unsigned index = count;
    if (result) {
        index = i->imm & 0x40 ? 31 - (unsigned)__builtin_clz(result) : (unsigned)__builtin_ctz(result);
    }
    reg32_set(cpu, RCX, index);
}

/* imm8[6]: a mask of whole elements or of bits. */
static Xmm make_mask(const Insn *i, unsigned result, unsigned count)
{
    Xmm r = {.q = {result}};
    if (i->imm & 0x40) {
        for (unsigned k = 0; k < 16; k++) {
            r.b[k] = result >> (count == 16 ? k : k / 2) & 1 ? 0xff : 0;
        }
    }
    return r;
}

static void compare_to_index(X86Cpu *cpu, const Insn *i, bool explicit_lengths)
{
    unsigned count, result = compare_strings(cpu, i, explicit_lengths, &count);
    store_index(cpu, i, result, count);
}
BOTH_FORMS(pcmpestri, compare_to_index(cpu, i, true));
BOTH_FORMS(pcmpistri, compare_to_index(cpu, i, false));

/* Into XMM0; VEX clears the rest of the register. */
static void compare_to_mask(X86Cpu *cpu, const Insn *i, bool explicit_lengths, bool vex)
{
    unsigned count, result = compare_strings(cpu, i, explicit_lengths, &count);
    Xmm r = make_mask(i, result, count);
    if (vex) {
        ymm_set(cpu, 0, &r, 1);
    } else {
        *xmm(cpu, 0) = r;
    }
}
VECTOR_FORMS(pcmpestrm, sse_enter(cpu); compare_to_mask(cpu, i, true, false), avx_enter(cpu);
             compare_to_mask(cpu, i, true, true));
VECTOR_FORMS(pcmpistrm, sse_enter(cpu); compare_to_mask(cpu, i, false, false), avx_enter(cpu);
             compare_to_mask(cpu, i, false, true));
