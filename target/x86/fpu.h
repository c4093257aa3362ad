/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x87 environment: stack, status and tag words, exception posting, and the images that FNSTENV, FNSAVE and FXSAVE
 * exchange with memory.
 * Spec: Intel SDM vol 1 chapter 8; AMD APM vol 1 section 6, vol 2 section 11.4.
 */
#pragma once

#include "target/x86/softfloat_x87.h"

enum {
    FSW_IE = 1 << 0, FSW_DE = 1 << 1, FSW_ZE = 1 << 2, FSW_OE = 1 << 3, FSW_UE = 1 << 4, FSW_PE = 1 << 5,
    FSW_SF = 1 << 6, FSW_ES = 1 << 7, FSW_C0 = 1 << 8, FSW_C1 = 1 << 9, FSW_C2 = 1 << 10, FSW_C3 = 1 << 14,
    FSW_B = 1 << 15,
    FSW_EXCEPTIONS = 0x3f,
    FSW_TOP = 7 << 11,
    FSW_CC = FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3,
};
#define FCW_INIT 0x037f
/* Bit 6 always reads as one; bits 7 and 13-15 as zero (QUIRK: observed on AMD Zen 4). */
#define FCW_ONES 0x0040
#define FCW_WRITABLE 0x1f3f

/* ---- the stack ---- */

static inline unsigned fpu_phys(const X87 *f, unsigned i)
{
    return (f->top + i) & 7;
}
static inline bool fpu_empty(const X87 *f, unsigned i)
{
    return f->empty >> fpu_phys(f, i) & 1;
}
static inline Float80 fpu_get(const X87 *f, unsigned i)
{
    return f->r[fpu_phys(f, i)];
}
static inline void fpu_set(X87 *f, unsigned i, Float80 v)
{
    f->r[fpu_phys(f, i)] = v;
    f->empty &= (uint8_t)~(1 << fpu_phys(f, i));
}
static inline void fpu_pop(X87 *f)
{
    f->empty |= (uint8_t)(1 << f->top);
    f->top = (f->top + 1) & 7;
}
static inline void fpu_push(X87 *f, Float80 v)
{
    f->top = (f->top - 1) & 7;
    fpu_set(f, 0, v);
}

/* ---- status ---- */

/* Rounding, precision and masks of the control word; no flags yet. */
FloatEnv fpu_env(const X87 *f);
/* ES and B from the flags and the masks. */
void fpu_update_summary(X87 *f);
/*
 * Add an operation's flags to the status word and set C1.  False if an unmasked invalid, denormal or zero-divide
 * exception keeps the operands as they are.
 */
bool fpu_post(X87 *f, const FloatEnv *e);
/* Stack fault (C1: overflow).  True if it is masked: the operation goes on with the indefinite. */
bool fpu_stack_fault(X87 *f, bool overflow);
/* Status and tag words as the guest sees them. */
uint16_t fpu_status(const X87 *f);
uint16_t fpu_full_tags(const X87 *f);
void fpu_set_status(X87 *f, uint16_t value);
void fpu_set_full_tags(X87 *f, uint16_t value);
void fpu_set_control(X87 *f, uint16_t value);
void fpu_init(X87 *f); /* FNINIT: the registers' contents stay */

/*
 * Bring home what translated code keeps in the host's x87 unit (fpu_live.c): before anything looks at X86Cpu.fpu, by the
 * vCPU's own thread.  C code that uses `long double` may not run in that thread before this either.
 */
void fpu_spill(X86Cpu *cpu);
static inline void fpu_sync(X86Cpu *cpu)
{
    if (unlikely(cpu->fpu_live)) {
        fpu_spill(cpu);
    }
}
/* The other way round, for translated code; nothing if it is there.  All six exceptions must be masked in the control word. */
GENERAL_REGS_ONLY void fpu_make_live(X86Cpu *cpu);

/* May translated code leave x87 and MMX instructions to the host as far as exceptions go? */
static inline bool fpu_all_masked(const X87 *f)
{
    return (f->cw & FSW_EXCEPTIONS) == FSW_EXCEPTIONS;
}
/* A handler has replaced the control word: code translated for the other answer must be left. */
static inline void fpu_control_changed(X86Cpu *cpu, bool were_masked)
{
    if (fpu_all_masked(&cpu->fpu) != were_masked) {
        cpu->break_block = true;
    }
}

/* FWAIT's rule for #NM, then pending exceptions (fpu_check.c); the other checks are in exec.h. */
void x87_check_fwait(X86Cpu *cpu);

/* ---- images ---- */

/* FNSTENV's image: how many bytes it has (14 or 28).  The layout depends on operand size and mode. */
typedef struct FpuLayout {
    bool wide; /* 32-bit operand size */
    bool real; /* real or virtual-8086 mode: linear addresses and the opcode packed together */
} FpuLayout;
#define FPU_SAVE_MAX 108
static inline unsigned fpu_env_size(FpuLayout l)
{
    return l.wide ? 28 : 14;
}
void fpu_store_env(const X87 *f, FpuLayout l, uint8_t *image);
void fpu_load_env(X87 *f, FpuLayout l, const uint8_t *image);
/* ST(0)..ST(7), ten bytes each: the rest of FNSAVE's image. */
void fpu_store_stack(const X87 *f, uint8_t image[80]);
void fpu_load_stack(X87 *f, const uint8_t image[80]);

/*
 * The x87 part of FXSAVE and XSAVE: bytes 0-23 (wide: 64-bit pointers) and 32-159.  Bytes 24-31 (MXCSR) are left alone.
 * QUIRK: as AMD does, opcode and pointers are saved as zero unless an unmasked exception is pending.
 */
void fpu_store_fx(const X87 *f, bool wide, uint8_t image[160]);
void fpu_load_fx(X87 *f, bool wide, const uint8_t image[160]);
