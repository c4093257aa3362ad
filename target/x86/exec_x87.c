/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 arithmetic, comparisons and conditional moves.
 * Spec: Intel SDM vol 2 (FADD .. FDIVR, FCOM, FUCOM, FCOMI, FICOM, FTST, FXAM, FCMOVcc, FSQRT ...); AMD APM vol 5.
 */
#include "target/x86/exec_x87.h"

/* ---- the eight operations of the reg field ---- */

enum { OP_ADD, OP_MUL, OP_COM, OP_COMP, OP_SUB, OP_SUBR, OP_DIV, OP_DIVR };

static Float80 arith(unsigned op, Float80 st0, Float80 src, FloatEnv *e)
{
    switch (op) {
    case OP_ADD:
        return f80_add(st0, src, e);
    case OP_MUL:
        return f80_mul(st0, src, e);
    case OP_SUB:
        return f80_sub(st0, src, e);
    case OP_SUBR:
        return f80_sub(src, st0, e);
    case OP_DIV:
        return f80_div(st0, src, e);
    default:
        return f80_div(src, st0, e);
    }
}

/* C3 C2 C0 by the answer of f80_compare(): less, equal, greater, unordered. */
static void set_compare(X87 *f, int answer)
{
    static const uint16_t bits[4] = {FSW_C0, FSW_C3, 0, FSW_C3 | FSW_C2 | FSW_C0};
    f->sw = (f->sw & (uint16_t)~(FSW_C3 | FSW_C2 | FSW_C0)) | bits[answer + 1];
}

/* Compare ST(0) and a value.  False if an unmasked exception forbids popping. */
static bool compare(X87 *f, Float80 src, bool quiet, uint8_t source_flags)
{
    FloatEnv e = fpu_env(f);
    e.flags = source_flags;
    int answer = f80_compare(fpu_get(f, 0), src, quiet, &e);
    set_compare(f, answer);
    return fpu_post(f, &e);
}

static bool compare_underflow(X87 *f)
{
    set_compare(f, 2);
    return fpu_stack_fault(f, false);
}

/* ---- ST(0) op memory ---- */

/* The operand of a memory form, with what its conversion raised. */
static void from_memory(X86Cpu *cpu, const Insn *i, Float80 src, FloatEnv *conversion)
{
    X87 *f = &cpu->fpu;
    unsigned op = i->modrm >> 3 & 7;
    bool is_compare = op == OP_COM || op == OP_COMP;
    x87_track(cpu, i);
    if (fpu_empty(f, 0)) {
        bool masked = is_compare ? compare_underflow(f) : fpu_stack_fault(f, false);
        if (masked && !is_compare) {
            fpu_set(f, 0, f80_indefinite());
        } else if (masked && op == OP_COMP) {
            fpu_pop(f);
        }
        return;
    }
    if (is_compare) {
        if (compare(f, src, false, conversion->flags) && op == OP_COMP) {
            fpu_pop(f);
        }
        return;
    }
    FloatEnv e = fpu_env(f);
    e.flags = conversion->flags;
    Float80 result = arith(op, fpu_get(f, 0), src, &e);
    if (fpu_post(f, &e)) {
        fpu_set(f, 0, result);
    }
}

static void arith_m32(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    uint32_t v = mem_read32(cpu, i->seg, insn_ea(cpu, i));
    FloatEnv e = fpu_env(&cpu->fpu);
    from_memory(cpu, i, f80_operand_f32(v, &e), &e);
}

static void arith_m64(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    uint64_t v = mem_read64(cpu, i->seg, insn_ea(cpu, i));
    FloatEnv e = fpu_env(&cpu->fpu);
    from_memory(cpu, i, f80_operand_f64(v, &e), &e);
}

static void arith_i16(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    int16_t v = (int16_t)mem_read16(cpu, i->seg, insn_ea(cpu, i));
    FloatEnv e = fpu_env(&cpu->fpu);
    from_memory(cpu, i, f80_from_i64(v), &e);
}

static void arith_i32(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    int32_t v = (int32_t)mem_read32(cpu, i->seg, insn_ea(cpu, i));
    FloatEnv e = fpu_env(&cpu->fpu);
    from_memory(cpu, i, f80_from_i64(v), &e);
}

/* ---- ST(0) and ST(i) ---- */

/* The result replaces ST(dst). */
static void arith_registers(X87 *f, const Insn *i, unsigned dst, bool pop)
{
    unsigned src = i->modrm & 7;
    if (fpu_empty(f, 0) || fpu_empty(f, src)) {
        if (!fpu_stack_fault(f, false)) {
            return;
        }
        fpu_set(f, dst, f80_indefinite());
    } else {
        FloatEnv e = fpu_env(f);
        Float80 result = arith(i->modrm >> 3 & 7, fpu_get(f, 0), fpu_get(f, src), &e);
        if (!fpu_post(f, &e)) {
            return;
        }
        fpu_set(f, dst, result);
    }
    if (pop) {
        fpu_pop(f);
    }
}

static void arith_st0_sti(X86Cpu *cpu, const Insn *i)
{
    arith_registers(x87_begin(cpu, i), i, 0, false);
}

static void arith_sti_st0(X86Cpu *cpu, const Insn *i)
{
    arith_registers(x87_begin(cpu, i), i, i->modrm & 7, false);
}

static void arith_pop(X86Cpu *cpu, const Insn *i)
{
    arith_registers(x87_begin(cpu, i), i, i->modrm & 7, true);
}

/* ---- comparisons ---- */

static void compare_registers(X86Cpu *cpu, const Insn *i, bool quiet, unsigned pops)
{
    X87 *f = x87_begin(cpu, i);
    unsigned src = i->modrm & 7;
    bool done = fpu_empty(f, 0) || fpu_empty(f, src) ? compare_underflow(f) : compare(f, fpu_get(f, src), quiet, 0);
    for (; done && pops; pops--) {
        fpu_pop(f);
    }
}

static void fcom(X86Cpu *cpu, const Insn *i)
{
    compare_registers(cpu, i, false, 0);
}
static void fcomp(X86Cpu *cpu, const Insn *i)
{
    compare_registers(cpu, i, false, 1);
}
static void fcompp(X86Cpu *cpu, const Insn *i)
{
    compare_registers(cpu, i, false, 2);
}
static void fucom(X86Cpu *cpu, const Insn *i)
{
    compare_registers(cpu, i, true, 0);
}
static void fucomp(X86Cpu *cpu, const Insn *i)
{
    compare_registers(cpu, i, true, 1);
}
static void fucompp(X86Cpu *cpu, const Insn *i)
{
    compare_registers(cpu, i, true, 2);
}

/* To EFLAGS: ZF PF CF by the answer, OF SF AF clear. */
static void compare_to_flags(X86Cpu *cpu, const Insn *i, bool quiet, bool pop)
{
    static const uint32_t bits[4] = {FL_CF, FL_ZF, 0, FL_ZF | FL_PF | FL_CF};
    X87 *f = x87_begin(cpu, i);
    unsigned src = i->modrm & 7;
    bool done;
    int answer = 2;
    if (fpu_empty(f, 0) || fpu_empty(f, src)) {
        done = fpu_stack_fault(f, false);
    } else {
        FloatEnv e = fpu_env(f);
        answer = f80_compare(fpu_get(f, 0), fpu_get(f, src), quiet, &e);
        unsigned c1 = f->sw & FSW_C1;
        done = fpu_post(f, &e);
        f->sw |= c1; /* QUIRK: FCOMI leaves C1 alone on Zen 4, FCOM clears it */
    }
    flags_set(cpu, bits[answer + 1]);
    if (done && pop) {
        fpu_pop(f);
    }
}

static void fcomi(X86Cpu *cpu, const Insn *i)
{
    compare_to_flags(cpu, i, false, false);
}
static void fcomip(X86Cpu *cpu, const Insn *i)
{
    compare_to_flags(cpu, i, false, true);
}
static void fucomi(X86Cpu *cpu, const Insn *i)
{
    compare_to_flags(cpu, i, true, false);
}
static void fucomip(X86Cpu *cpu, const Insn *i)
{
    compare_to_flags(cpu, i, true, true);
}

static void ftst(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    if (fpu_empty(f, 0)) {
        compare_underflow(f);
    } else {
        compare(f, f80_zero(false), false, 0);
    }
}

/* C3 C2 C0 name the class, C1 is the sign, also of an empty register. */
static void fxam(X86Cpu *cpu, const Insn *i)
{
    static const uint16_t bits[] = {
        [F80_ZERO] = FSW_C3, [F80_DENORMAL] = FSW_C3 | FSW_C2, [F80_NORMAL] = FSW_C2,
        [F80_INFINITY] = FSW_C2 | FSW_C0, [F80_QNAN] = FSW_C0, [F80_SNAN] = FSW_C0, [F80_UNSUPPORTED] = 0,
    };
    X87 *f = x87_begin(cpu, i);
    Float80 v = fpu_get(f, 0);
    unsigned class = fpu_empty(f, 0) ? FSW_C3 | FSW_C0 : bits[f80_class(v)];
    f->sw = (uint16_t)((f->sw & ~FSW_CC) | class | (f80_sign(v) ? FSW_C1 : 0));
}

/* ---- conditional moves ---- */

static void fcmov(X86Cpu *cpu, const Insn *i)
{
    /* DA: B E BE U; DB: their opposites. Condition codes of Jcc: 2 B, 4 E, 6 BE, 10 P. */
    static const uint8_t condition[4] = {2, 4, 6, 10};
    X87 *f = x87_begin(cpu, i);
    unsigned src = i->modrm & 7;
    if (fpu_empty(f, 0) || fpu_empty(f, src)) {
        if (fpu_stack_fault(f, false)) {
            fpu_set(f, 0, f80_indefinite());
        }
        return;
    }
    if (flags_condition(cpu, condition[i->modrm >> 3 & 3] | (i->opcode & 1))) {
        fpu_set(f, 0, fpu_get(f, src));
    }
}

EXEC_ONE(x87_arith_m32, arith_m32);
EXEC_ONE(x87_arith_m64, arith_m64);
EXEC_ONE(x87_arith_i16, arith_i16);
EXEC_ONE(x87_arith_i32, arith_i32);
EXEC_ONE(x87_arith_st0_sti, arith_st0_sti);
EXEC_ONE(x87_arith_sti_st0, arith_sti_st0);
EXEC_ONE(x87_arith_pop, arith_pop);
EXEC_ONE(fcom, fcom);
EXEC_ONE(fcomp, fcomp);
EXEC_ONE(fcompp, fcompp);
EXEC_ONE(fucom, fucom);
EXEC_ONE(fucomp, fucomp);
EXEC_ONE(fucompp, fucompp);
EXEC_ONE(fcomi, fcomi);
EXEC_ONE(fcomip, fcomip);
EXEC_ONE(fucomi, fucomi);
EXEC_ONE(fucomip, fucomip);
EXEC_ONE(ftst, ftst);
EXEC_ONE(fxam, fxam);
EXEC_ONE(fcmov, fcmov);
