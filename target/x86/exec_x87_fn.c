/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 functions: remainders, scaling, extraction, roots, rounding, logarithms and trigonometry.
 * Spec: Intel SDM vol 2 (FPREM, FPREM1, FSCALE, FXTRACT, FSQRT, FRNDINT, F2XM1, FYL2X, FYL2XP1, FPTAN, FPATAN, FSIN ...).
 */
#include "target/x86/exec_x87.h"

/* ---- one operand, result in its place ---- */

static void unary(X86Cpu *cpu, const Insn *i, Float80 (*fn)(Float80, FloatEnv *))
{
    X87 *f = x87_begin(cpu, i);
    if (fpu_empty(f, 0)) {
        if (fpu_stack_fault(f, false)) {
            fpu_set(f, 0, f80_indefinite());
        }
        return;
    }
    FloatEnv e = fpu_env(f);
    Float80 result = fn(fpu_get(f, 0), &e);
    if (fpu_post(f, &e)) {
        fpu_set(f, 0, result);
    }
}

static void fsqrt(X86Cpu *cpu, const Insn *i)
{
    unary(cpu, i, f80_sqrt);
}

static void frndint(X86Cpu *cpu, const Insn *i)
{
    unary(cpu, i, f80_round_int);
}

/* ---- ST(0) by ST(1) ---- */

static void remainder_step(X86Cpu *cpu, const Insn *i, bool nearest)
{
    X87 *f = x87_begin(cpu, i);
    f->sw &= (uint16_t)~FSW_C2;
    if (fpu_empty(f, 0) || fpu_empty(f, 1)) {
        if (fpu_stack_fault(f, false)) {
            fpu_set(f, 0, f80_indefinite());
        }
        return;
    }
    FloatEnv e = fpu_env(f);
    unsigned quotient;
    bool partial;
    Float80 result = f80_remainder(fpu_get(f, 0), fpu_get(f, 1), nearest, &quotient, &partial, &e);
    e.rounded_up = quotient & 1; /* C1 is the quotient's bit 0 here, C3 bit 1, C0 bit 2 */
    if (!fpu_post(f, &e)) {
        return;
    }
    bool no_quotient = f80_class(result) >= F80_QNAN;
    if (no_quotient) {
        fpu_set(f, 0, result);
        return; /* C0 and C3 stay */
    }
    f->sw &= (uint16_t)~(FSW_C0 | FSW_C3);
    f->sw |= (quotient & 2 ? FSW_C3 : 0) | (quotient & 4 ? FSW_C0 : 0) | (partial ? FSW_C2 : 0);
    fpu_set(f, 0, result);
}

static void fprem(X86Cpu *cpu, const Insn *i)
{
    remainder_step(cpu, i, false);
}

static void fprem1(X86Cpu *cpu, const Insn *i)
{
    remainder_step(cpu, i, true);
}

static void fscale(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    if (fpu_empty(f, 0) || fpu_empty(f, 1)) {
        if (fpu_stack_fault(f, false)) {
            fpu_set(f, 0, f80_indefinite());
        }
        return;
    }
    FloatEnv e = fpu_env(f);
    Float80 result = f80_scale(fpu_get(f, 0), fpu_get(f, 1), &e);
    if (fpu_post(f, &e)) {
        fpu_set(f, 0, result);
    }
}

/* ---- two results: one replaces ST(0), the other is pushed ---- */

/* Stack faults of FXTRACT, FPTAN and FSINCOS.  True if there was one. */
static bool pair_fault(X87 *f)
{
    bool underflow = fpu_empty(f, 0);
    if (!underflow && fpu_empty(f, 7)) {
        return false;
    }
    if (fpu_stack_fault(f, !underflow)) {
        fpu_set(f, 0, f80_indefinite());
        fpu_push(f, f80_indefinite());
    }
    return true;
}

static void fxtract(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    if (pair_fault(f)) {
        return;
    }
    FloatEnv e = fpu_env(f);
    Float80 exponent, significand = f80_extract(fpu_get(f, 0), &exponent, &e);
    if (fpu_post(f, &e)) {
        fpu_set(f, 0, exponent);
        fpu_push(f, significand);
    }
}

static void function_pair(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    f->sw &= (uint16_t)~FSW_C2;
    if (pair_fault(f)) {
        return;
    }
    FloatEnv e = fpu_env(f);
    Float80 second;
    bool partial;
    Float80 result = f80_function(i->modrm & 15, fpu_get(f, 0), f80_zero(false), &second, &partial, &e);
    if (!fpu_post(f, &e)) {
        return;
    }
    if (partial) {
        f->sw |= FSW_C2;
        return;
    }
    fpu_set(f, 0, result);
    fpu_push(f, second);
}

/* ---- transcendental functions with one result ---- */

static void function_unary(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    bool trigonometric = (i->modrm & 15) != FN_2XM1;
    if (trigonometric) {
        f->sw &= (uint16_t)~FSW_C2;
    }
    if (fpu_empty(f, 0)) {
        if (fpu_stack_fault(f, false)) {
            fpu_set(f, 0, f80_indefinite());
        }
        return;
    }
    FloatEnv e = fpu_env(f);
    Float80 second;
    bool partial;
    Float80 result = f80_function(i->modrm & 15, fpu_get(f, 0), f80_zero(false), &second, &partial, &e);
    if (!fpu_post(f, &e)) {
        return;
    }
    if (partial) {
        f->sw |= FSW_C2;
        return;
    }
    fpu_set(f, 0, result);
}

/* FYL2X, FYL2XP1, FPATAN: the result goes to ST(1), then ST(0) is popped. */
static void function_binary(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    if (fpu_empty(f, 0) || fpu_empty(f, 1)) {
        if (fpu_stack_fault(f, false)) {
            fpu_set(f, 1, f80_indefinite());
            fpu_pop(f);
        }
        return;
    }
    FloatEnv e = fpu_env(f);
    Float80 second;
    bool partial;
    Float80 result = f80_function(i->modrm & 15, fpu_get(f, 0), fpu_get(f, 1), &second, &partial, &e);
    if (fpu_post(f, &e)) {
        fpu_set(f, 1, result);
        fpu_pop(f);
    }
}

EXEC_ONE(fsqrt, fsqrt);
EXEC_ONE(frndint, frndint);
EXEC_ONE(fprem, fprem);
EXEC_ONE(fprem1, fprem1);
EXEC_ONE(fscale, fscale);
EXEC_ONE(fxtract, fxtract);
EXEC_ONE(x87_function_pair, function_pair);
EXEC_ONE(x87_function_unary, function_unary);
EXEC_ONE(x87_function_binary, function_binary);
