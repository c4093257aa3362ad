/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator: straight-line blocks of decoded guest instructions become host code that keeps most guest registers in
 * the host registers of the same names and runs most instructions by re-encoding them (docs/decisions/005).  Whatever it
 * does not translate, and whatever a fast path does not cover, is done by the interpreter's handler of that instruction,
 * called from the translated code with the guest's state in X86Cpu.
 *
 * One Jit belongs to one vCPU's thread.
 */
#pragma once

#include "target/x86/fpu.h"
#include "target/x86/insn.h"

typedef struct Jit Jit;

/* Where control went before: guest address and mode -> host code. */
typedef struct JitJump {
    gva_t rip;
    uint64_t tlb_gen;
    uint64_t mode;
    const uint8_t *code;
} JitJump;
#define JIT_JUMPS 4096

typedef struct JitSource {
    const Insn *insns;
    unsigned num;
    gva_t rip;               /* of the first instruction */
    uint32_t mode;           /* jit_mode() */
    const uint32_t *page_gen; /* the code is entered only while *page_gen == gen */
    uint32_t gen;
} JitSource;

/* code_size: bytes of host code kept at most.  NULL with an error when the host refuses the mapping. */
Jit *jit_new(X86Cpu *cpu, size_t code_size, GError **error);
void jit_free(Jit *jit);

enum {
    JIT_MODE_SSE = 1 << 12, /* SSE instructions may run: no EM, no TS, OSFXSR */
    JIT_MODE_FP = 1 << 13,  /* all SIMD exceptions are masked: the host's never fire */
    JIT_MODE_AVX = 1 << 14, /* AVX instructions may run: OSXSAVE, XCR0 has SSE and AVX, no TS */
    JIT_MODE_X87 = 1 << 15, /* x87 and MMX instructions may run: no EM, no TS, all x87 exceptions are masked */
};

/* Everything a translation depends on besides its bytes and address. */
static inline uint32_t jit_mode(const X86Cpu *cpu)
{
    bool sse = !(cpu->cr0 & (CR0_EM | CR0_TS)) && (cpu->cr4 & CR4_OSFXSR);
    bool avx = !(cpu->cr0 & CR0_TS) && (cpu->cr4 & CR4_OSXSAVE) && (cpu->xcr0 & 6) == 6;
    bool x87 = !(cpu->cr0 & (CR0_EM | CR0_TS)) && fpu_all_masked(&cpu->fpu);
    bool masked = (cpu->mxcsr & 0x1f80) == 0x1f80;
    return cpu->mem_mode | (uint32_t)cpu->code_size << 4 | (uint32_t)cpu->cpl << 8 | (sse ? JIT_MODE_SSE : 0) |
           (masked ? JIT_MODE_FP : 0) | (avx ? JIT_MODE_AVX : 0) | (x87 ? JIT_MODE_X87 : 0);
}
/* Can code of the present mode be translated at all? */
static inline bool jit_mode_ok(const X86Cpu *cpu)
{
    return cpu->code64 && cpu->mem_mode != MEM_USER_AC;
}

/* Host code for a block; NULL when the code memory is full (then jit_flush() and try again). */
const uint8_t *jit_translate(Jit *jit, const JitSource *source);
/* Forget all host code. */
void jit_flush(Jit *jit);

/*
 * Run from `code` until something has to be looked at.  cpu->rip is then the next instruction.  Returns the jump that
 * would like to be connected to that instruction's code by jit_connect(), or NULL.
 */
uint8_t *jit_run(Jit *jit, const uint8_t *code);
void jit_connect(Jit *jit, uint8_t *jump, const uint8_t *code);
/* Remember code for the address cpu->rip, for indirect jumps. */
void jit_remember(Jit *jit, gva_t rip, uint32_t mode, const uint8_t *code);

size_t jit_code_used(const Jit *jit);
