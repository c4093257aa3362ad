/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 loads, stores, exchanges, constants, sign changes and stack control.
 * Spec: Intel SDM vol 2 (FLD, FILD, FBLD, FST, FIST, FISTTP, FBSTP, FXCH, FLD1 .., FABS, FCHS, FFREE, FINCSTP);
 * vol 1 sections 8.2, 8.3.2.
 */
#include "target/x86/exec_x87.h"

/* Ten bytes of memory. */
typedef struct __attribute__((packed)) Image80 {
    uint64_t mant;
    uint16_t se;
} Image80;

/* ---- loads ---- */

/* Push a value; false when the stack is full and that exception unmasked. */
static bool push(X87 *f, Float80 v)
{
    if (!fpu_empty(f, 7)) {
        if (!fpu_stack_fault(f, true)) {
            return false;
        }
        v = f80_indefinite();
    } else {
        f->sw &= (uint16_t)~FSW_C1;
    }
    fpu_push(f, v);
    return true;
}

/* A load that converted: stack overflow goes before what the conversion raised. */
static void push_converted(X86Cpu *cpu, const Insn *i, Float80 v, FloatEnv *e)
{
    X87 *f = &cpu->fpu;
    x87_track(cpu, i);
    if (!fpu_empty(f, 7)) {
        push(f, v);
        return;
    }
    /* QUIRK: Zen 4 loads a denormal even when its exception is unmasked. */
    if (fpu_post(f, e) || !(e->flags & FX_INVALID)) {
        fpu_push(f, v);
    }
}

static void fld_m32(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    uint32_t v = mem_read32(cpu, i->seg, insn_ea(cpu, i));
    FloatEnv e = fpu_env(&cpu->fpu);
    push_converted(cpu, i, f80_from_f32(v, &e), &e);
}

static void fld_m64(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    uint64_t v = mem_read64(cpu, i->seg, insn_ea(cpu, i));
    FloatEnv e = fpu_env(&cpu->fpu);
    push_converted(cpu, i, f80_from_f64(v, &e), &e);
}

static Float80 read_f80(X86Cpu *cpu, const Insn *i)
{
    Image80 image;
    gva_t ea = insn_ea(cpu, i);
    mem_probe(cpu, i->seg, ea, 8, ACCESS_READ); /* faults of the significand come first, as on Zen */
    mem_read_bytes(cpu, i->seg, ea, &image, 10);
    return (Float80){.mant = image.mant, .se = image.se};
}

static void fld_m80(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    Float80 v = read_f80(cpu, i);
    x87_track(cpu, i);
    push(&cpu->fpu, v);
}

static void fbld(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    Float80 v = read_f80(cpu, i);
    x87_track(cpu, i);
    push(&cpu->fpu, f80_from_bcd(v.mant, v.se));
}

static void push_int(X86Cpu *cpu, const Insn *i, int64_t v)
{
    x87_track(cpu, i);
    push(&cpu->fpu, f80_from_i64(v));
}

static void fild_m16(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    push_int(cpu, i, (int16_t)mem_read16(cpu, i->seg, insn_ea(cpu, i)));
}

static void fild_m32(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    push_int(cpu, i, (int32_t)mem_read32(cpu, i->seg, insn_ea(cpu, i)));
}

static void fild_m64(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    push_int(cpu, i, (int64_t)mem_read64(cpu, i->seg, insn_ea(cpu, i)));
}

/* Duplicates ST(i) as it is, NaNs and unsupported formats too. */
static void fld_sti(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    unsigned src = i->modrm & 7;
    if (fpu_empty(f, src)) {
        if (fpu_stack_fault(f, false)) {
            fpu_push(f, f80_indefinite());
        }
        return;
    }
    push(f, fpu_get(f, src));
}

/* ---- constants: truncated significands, and whether the next bits round them up ---- */

static void fld_const(X86Cpu *cpu, const Insn *i)
{
    static const struct {
        Float80 v;
        bool inexact, above_half;
    } constants[7] = {
        {{0x8000000000000000, 0x3fff}, false, false}, /* 1 */
        {{0xd49a784bcd1b8afe, 0x4000}, true, false},  /* log2 10 */
        {{0xb8aa3b295c17f0bb, 0x3fff}, true, true},   /* log2 e */
        {{0xc90fdaa22168c234, 0x4000}, true, true},   /* pi */
        {{0x9a209a84fbcff798, 0x3ffd}, true, true},   /* log10 2 */
        {{0xb17217f7d1cf79ab, 0x3ffe}, true, true},   /* ln 2 */
        {{0, 0}, false, false},
    };
    X87 *f = x87_begin(cpu, i);
    unsigned n = i->modrm & 7;
    FloatEnv e = fpu_env(f);
    Float80 v = constants[n].v;
    if (constants[n].inexact && (e.round == ROUND_UP || (e.round == ROUND_NEAREST && constants[n].above_half))) {
        v.mant++;
    }
    push(f, v);
}

/* ---- stores ---- */

enum { STORE_LEGAL = FX_INVALID | FX_OVERFLOW | FX_UNDERFLOW };

/*
 * The end of a store whose value is in `image`.  An unmasked invalid, overflow or underflow exception keeps memory and
 * stack unchanged, but the place is checked in any case.
 */
static void store(X86Cpu *cpu, const Insn *i, const void *image, unsigned size, FloatEnv *e, bool pop)
{
    X87 *f = &cpu->fpu;
    gva_t ea = insn_ea(cpu, i);
    uint8_t blocking = e->flags & ~e->masks & STORE_LEGAL;
    if (size > 8) {
        mem_probe(cpu, i->seg, ea, 8, ACCESS_WRITE);
    }
    if (blocking) {
        mem_probe(cpu, i->seg, ea, size, ACCESS_WRITE);
        e->flags = blocking;
        e->rounded_up = false;
    } else {
        mem_write_bytes(cpu, i->seg, ea, image, size);
    }
    x87_track(cpu, i);
    fpu_post(f, e);
    if (pop && !blocking) {
        fpu_pop(f);
    }
}

/* ST(0) is empty: the indefinite is stored if the exception is masked. */
static void store_underflow(X86Cpu *cpu, const Insn *i, const void *indefinite, unsigned size, bool pop)
{
    X87 *f = &cpu->fpu;
    FloatEnv e = fpu_env(f);
    e.flags = FX_INVALID;
    store(cpu, i, indefinite, size, &e, pop);
    fpu_stack_fault(f, false);
}

static void store_f32(X86Cpu *cpu, const Insn *i, bool pop)
{
    static const f32 indefinite = 0xffc00000;
    x87_check(cpu);
    if (fpu_empty(&cpu->fpu, 0)) {
        store_underflow(cpu, i, &indefinite, 4, pop);
        return;
    }
    FloatEnv e = fpu_env(&cpu->fpu);
    f32 v = f80_to_f32(fpu_get(&cpu->fpu, 0), &e);
    store(cpu, i, &v, 4, &e, pop);
}

static void store_f64(X86Cpu *cpu, const Insn *i, bool pop)
{
    static const f64 indefinite = 0xfff8000000000000;
    x87_check(cpu);
    if (fpu_empty(&cpu->fpu, 0)) {
        store_underflow(cpu, i, &indefinite, 8, pop);
        return;
    }
    FloatEnv e = fpu_env(&cpu->fpu);
    f64 v = f80_to_f64(fpu_get(&cpu->fpu, 0), &e);
    store(cpu, i, &v, 8, &e, pop);
}

static void fst_m32(X86Cpu *cpu, const Insn *i)
{
    store_f32(cpu, i, false);
}
static void fstp_m32(X86Cpu *cpu, const Insn *i)
{
    store_f32(cpu, i, true);
}
static void fst_m64(X86Cpu *cpu, const Insn *i)
{
    store_f64(cpu, i, false);
}
static void fstp_m64(X86Cpu *cpu, const Insn *i)
{
    store_f64(cpu, i, true);
}

static void fstp_m80(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    bool empty = fpu_empty(&cpu->fpu, 0);
    Float80 v = empty ? f80_indefinite() : fpu_get(&cpu->fpu, 0);
    Image80 image = {.mant = v.mant, .se = v.se};
    if (empty) {
        store_underflow(cpu, i, &image, 10, true);
    } else {
        FloatEnv e = fpu_env(&cpu->fpu);
        store(cpu, i, &image, 10, &e, true);
    }
}

static void fbstp(X86Cpu *cpu, const Insn *i)
{
    x87_check(cpu);
    Image80 image = {.mant = 0xc000000000000000, .se = 0xffff};
    if (fpu_empty(&cpu->fpu, 0)) {
        store_underflow(cpu, i, &image, 10, true);
        return;
    }
    FloatEnv e = fpu_env(&cpu->fpu);
    uint64_t low;
    uint16_t high;
    f80_to_bcd(fpu_get(&cpu->fpu, 0), &low, &high, &e);
    image = (Image80){.mant = low, .se = high};
    store(cpu, i, &image, 10, &e, true);
}

/* FIST, FISTP, FISTTP of `size` bytes. */
static void store_int(X86Cpu *cpu, const Insn *i, unsigned size, bool truncate, bool pop)
{
    x87_check(cpu);
    FloatEnv e = fpu_env(&cpu->fpu);
    unsigned mode = truncate ? ROUND_ZERO : e.round;
    bool empty = fpu_empty(&cpu->fpu, 0);
    /* A NaN stands for the empty register: both give the integer indefinite. */
    Float80 v = empty ? f80_indefinite() : fpu_get(&cpu->fpu, 0);
    int64_t wide = 0;
    int32_t middle = 0;
    int16_t narrow = 0;
    void *image = &wide;
    if (size == 2) {
        narrow = f80_to_i16(v, mode, &e);
        image = &narrow;
    } else if (size == 4) {
        middle = f80_to_i32(v, mode, &e);
        image = &middle;
    } else {
        wide = f80_to_i64(v, mode, &e);
    }
    if (empty) {
        store_underflow(cpu, i, image, size, pop);
    } else {
        store(cpu, i, image, size, &e, pop);
    }
}

static void fist_m16(X86Cpu *cpu, const Insn *i)
{
    store_int(cpu, i, 2, false, false);
}
static void fistp_m16(X86Cpu *cpu, const Insn *i)
{
    store_int(cpu, i, 2, false, true);
}
static void fisttp_m16(X86Cpu *cpu, const Insn *i)
{
    store_int(cpu, i, 2, true, true);
}
static void fist_m32(X86Cpu *cpu, const Insn *i)
{
    store_int(cpu, i, 4, false, false);
}
static void fistp_m32(X86Cpu *cpu, const Insn *i)
{
    store_int(cpu, i, 4, false, true);
}
static void fisttp_m32(X86Cpu *cpu, const Insn *i)
{
    store_int(cpu, i, 4, true, true);
}
static void fistp_m64(X86Cpu *cpu, const Insn *i)
{
    store_int(cpu, i, 8, false, true);
}
static void fisttp_m64(X86Cpu *cpu, const Insn *i)
{
    store_int(cpu, i, 8, true, true);
}

/* ---- register to register ---- */

static void copy_to_sti(X87 *f, const Insn *i, bool pop)
{
    Float80 v = fpu_get(f, 0);
    if (fpu_empty(f, 0)) {
        if (!fpu_stack_fault(f, false)) {
            return;
        }
        v = f80_indefinite();
    } else {
        f->sw &= (uint16_t)~FSW_C1;
    }
    fpu_set(f, i->modrm & 7, v);
    if (pop) {
        fpu_pop(f);
    }
}

static void fst_sti(X86Cpu *cpu, const Insn *i)
{
    copy_to_sti(x87_begin(cpu, i), i, false);
}
static void fstp_sti(X86Cpu *cpu, const Insn *i)
{
    copy_to_sti(x87_begin(cpu, i), i, true);
}

/* QUIRK: the alias D9 /3 pops an empty register without a fault and without a copy. */
static void fstp1_sti(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    if (fpu_empty(f, 0)) {
        f->sw &= (uint16_t)~FSW_C1;
        fpu_pop(f);
    } else {
        copy_to_sti(f, i, true);
    }
}

static void fxch(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    unsigned other = i->modrm & 7;
    Float80 a = fpu_get(f, 0), b = fpu_get(f, other);
    if (fpu_empty(f, 0) || fpu_empty(f, other)) {
        a = fpu_empty(f, 0) ? f80_indefinite() : a;
        b = fpu_empty(f, other) ? f80_indefinite() : b;
        if (!fpu_stack_fault(f, false)) {
            return;
        }
    } else {
        f->sw &= (uint16_t)~FSW_C1;
    }
    fpu_set(f, 0, b);
    fpu_set(f, other, a);
}

/* FABS and FCHS only touch the sign, whatever the format. */
static void change_sign(X86Cpu *cpu, const Insn *i, uint16_t keep, uint16_t flip)
{
    X87 *f = x87_begin(cpu, i);
    Float80 v = fpu_get(f, 0);
    if (fpu_empty(f, 0)) {
        if (!fpu_stack_fault(f, false)) {
            return;
        }
        v = f80_indefinite();
    } else {
        f->sw &= (uint16_t)~FSW_C1;
        v.se = (v.se & keep) ^ flip;
    }
    fpu_set(f, 0, v);
}

static void fabs_st0(X86Cpu *cpu, const Insn *i)
{
    change_sign(cpu, i, 0x7fff, 0);
}
static void fchs(X86Cpu *cpu, const Insn *i)
{
    change_sign(cpu, i, 0xffff, 0x8000);
}

/* ---- stack control ---- */

static void ffree(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    f->empty |= (uint8_t)(1 << fpu_phys(f, i->modrm & 7));
    f->sw &= (uint16_t)~FSW_C1;
}

static void ffreep(X86Cpu *cpu, const Insn *i)
{
    ffree(cpu, i);
    fpu_pop(&cpu->fpu);
}

static void fincstp(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    f->top = (f->top + 1) & 7;
    f->sw &= (uint16_t)~FSW_C1;
}

static void fdecstp(X86Cpu *cpu, const Insn *i)
{
    X87 *f = x87_begin(cpu, i);
    f->top = (f->top - 1) & 7;
    f->sw &= (uint16_t)~FSW_C1;
}

static void fnop(X86Cpu *cpu, const Insn *i)
{
    x87_begin(cpu, i);
}

EXEC_ONE(fld_m32, fld_m32);
EXEC_ONE(fld_m64, fld_m64);
EXEC_ONE(fld_m80, fld_m80);
EXEC_ONE(fbld, fbld);
EXEC_ONE(fild_m16, fild_m16);
EXEC_ONE(fild_m32, fild_m32);
EXEC_ONE(fild_m64, fild_m64);
EXEC_ONE(fld_sti, fld_sti);
EXEC_ONE(fld_const, fld_const);
EXEC_ONE(fst_m32, fst_m32);
EXEC_ONE(fstp_m32, fstp_m32);
EXEC_ONE(fst_m64, fst_m64);
EXEC_ONE(fstp_m64, fstp_m64);
EXEC_ONE(fstp_m80, fstp_m80);
EXEC_ONE(fbstp, fbstp);
EXEC_ONE(fist_m16, fist_m16);
EXEC_ONE(fistp_m16, fistp_m16);
EXEC_ONE(fisttp_m16, fisttp_m16);
EXEC_ONE(fist_m32, fist_m32);
EXEC_ONE(fistp_m32, fistp_m32);
EXEC_ONE(fisttp_m32, fisttp_m32);
EXEC_ONE(fistp_m64, fistp_m64);
EXEC_ONE(fisttp_m64, fisttp_m64);
EXEC_ONE(fst_sti, fst_sti);
EXEC_ONE(fstp_sti, fstp_sti);
EXEC_ONE(fstp1_sti, fstp1_sti);
EXEC_ONE(fxch, fxch);
EXEC_ONE(fabs, fabs_st0);
EXEC_ONE(fchs, fchs);
EXEC_ONE(ffree, ffree);
EXEC_ONE(ffreep, ffreep);
EXEC_ONE(fincstp, fincstp);
EXEC_ONE(fdecstp, fdecstp);
EXEC_ONE(fnop, fnop);
