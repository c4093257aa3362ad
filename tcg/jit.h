/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator: blocks of decoded guest instructions, with ways out of their middle, become host code that keeps most
 * guest registers in the host registers of the same names and runs most instructions by re-encoding them
 * (docs/decisions/006).  Whatever it does not translate, and whatever a fast path does not cover, is done by the
 * interpreter's handler of that instruction, called from the translated code with the guest's state in X86Cpu.
 *
 * One Jit belongs to one vCPU's thread.
 */
#pragma once

#include "softmmu/core/ram.h"
#include "target/x86/fpu.h"
#include "target/x86/insn.h"

typedef struct Jit Jit;

/* A page of code: how it is mapped, and what it held. */
typedef struct JitPage {
    uint32_t itlb_id;    /* itlb_id() */
    bool global;
    const uint64_t *changed; /* the code is run only while *changed == 0; NULL: it never changes */
} JitPage;

typedef struct JitSource {
    const Insn *insns;       /* with Insn.at; as long as the code is used */
    unsigned num;
    gva_t rip;               /* of the first instruction */
    gva_t lin;               /* its linear address: rip with the base of CS */
    uint32_t mode;           /* jit_mode() */
    bool loops;              /* a block that jumps to its own beginning may do so without being entered again */
    unsigned num_pages;      /* 2: one instruction, which begins in one page and ends in the next */
    JitPage pages[2];
} JitSource;

/*
 * How a jump may enter a block.  A jump inside a page trusts what its own block was entered with: the page's mapping, the
 * mode, the bytes; backwards it looks whether somebody waits, or the bytes changed, so that no loop goes unobserved.
 */
typedef enum JitEntry {
    JIT_ENTRY_BODY,    /* forwards inside a page */
    JIT_ENTRY_LOOP,    /* backwards inside a page */
    JIT_ENTRY_CHECKED, /* from anywhere */
    JIT_ENTRIES,
} JitEntry;

/* One block's host code for one address and mode.  Kept small: there is one for each block. */
typedef struct JitCode {
    gva_t rip;
    const uint8_t *leave; /* where to go when it may not be run */
    struct JitCode *next; /* the caller's */
    uint32_t mode;
    uint32_t cs_base;     /* jit_code_linear() */
    uint32_t itlb_id[2];  /* of its pages, as in JitPage */
    bool global[2];
    uint8_t num_pages;
    uint8_t entry[JIT_ENTRIES]; /* bytes from `leave`: jit_entry() */
    uint8_t body[5];      /* while disabled: what was at JIT_ENTRY_BODY */
    bool disabled;
} JitCode;

static inline const uint8_t *jit_entry(const JitCode *code, JitEntry how)
{
    return code->leave + code->entry[how];
}

/* The linear address of its first byte. */
static inline gva_t jit_code_linear(const JitCode *code)
{
    return code->cs_base ? (uint32_t)(code->rip + code->cs_base) : code->rip;
}

/* Identity of a mapping for fetches: never 0, and the same only for the same page and privilege; 0 if there is none. */
static inline uint32_t itlb_id(gpa_t phys, bool user)
{
    return phys >> 42 ? 0 : (uint32_t)(phys >> PAGE_SHIFT) << 1 | user | 1u << 31;
}

/*
 * code_size: bytes of host code kept at most; near: what JitPage.changed points into, to be in reach of the code, or NULL.
 * NULL with an error when the host refuses the mapping.
 */
Jit *jit_new(X86Cpu *cpu, size_t code_size, const void *near, GError **error);
void jit_free(Jit *jit);

enum {
    JIT_MODE_MEM = 15, /* the bits of X86Cpu.mem_mode */
    JIT_MODE_CODE_SHIFT = 4, /* X86Cpu.code_size */
    JIT_MODE_CPL_SHIFT = 8,
    JIT_MODE_SSE = 1 << 12, /* SSE instructions may run: no EM, no TS, OSFXSR */
    JIT_MODE_FP = 1 << 13,  /* all SIMD exceptions are masked: the host's never fire */
    JIT_MODE_AVX = 1 << 14, /* AVX instructions may run: OSXSAVE, XCR0 has SSE and AVX, no TS */
    JIT_MODE_X87 = 1 << 15, /* x87 and MMX instructions may run: no EM, no TS, all x87 exceptions are masked */
    /* of code that is not 64-bit: */
    JIT_MODE_FLAT_SHIFT = 16,     /* bits 16, 18, 19: ES, SS, DS are flat: no base, no limit, readable and writable */
    JIT_MODE_CS_BASE = 1 << 20,   /* CS has a base, which the code's entry compares */
    JIT_MODE_CS_4G = 1 << 21,     /* its limit is 4 GiB, otherwise 64 KiB */
    JIT_MODE_STACK32 = 1 << 22,   /* SS.B: the stack pointer is ESP, otherwise SP */
    JIT_MODE_PROTECTED = 1 << 23, /* VEX-encoded instructions exist */
    JIT_MODE_ALONE = 1 << 24,     /* never the processor's: code for jit_set_alone() */
};

/* What segments make of code that is not 64-bit. */
static inline uint32_t jit_mode_segments(const X86Cpu *cpu)
{
    const Segment *s = cpu->seg;
    return (uint32_t)segment_flat(&s[SEG_ES]) << (JIT_MODE_FLAT_SHIFT + SEG_ES) |
           (uint32_t)segment_flat(&s[SEG_SS]) << (JIT_MODE_FLAT_SHIFT + SEG_SS) |
           (uint32_t)segment_flat(&s[SEG_DS]) << (JIT_MODE_FLAT_SHIFT + SEG_DS) |
           (s[SEG_CS].base ? JIT_MODE_CS_BASE : 0) | (s[SEG_CS].limit == 0xffffffff ? JIT_MODE_CS_4G : 0) |
           (cpu->stack_size == 2 ? JIT_MODE_STACK32 : 0) | (cpu->protected_mode ? JIT_MODE_PROTECTED : 0);
}

/* Everything a translation depends on besides its bytes and address. */
static inline uint32_t jit_mode(const X86Cpu *cpu)
{
    bool sse = !(cpu->cr0 & (CR0_EM | CR0_TS)) && (cpu->cr4 & CR4_OSFXSR);
    bool avx = !(cpu->cr0 & CR0_TS) && (cpu->cr4 & CR4_OSXSAVE) && (cpu->xcr0 & 6) == 6;
    bool x87 = !(cpu->cr0 & (CR0_EM | CR0_TS)) && fpu_all_masked(&cpu->fpu);
    bool masked = (cpu->mxcsr & 0x1f80) == 0x1f80;
    return cpu->mem_mode | (uint32_t)cpu->code_size << JIT_MODE_CODE_SHIFT | (uint32_t)cpu->cpl << JIT_MODE_CPL_SHIFT |
           (cpu->code64 ? 0 : jit_mode_segments(cpu)) | (sse ? JIT_MODE_SSE : 0) |
           (masked ? JIT_MODE_FP : 0) | (avx ? JIT_MODE_AVX : 0) | (x87 ? JIT_MODE_X87 : 0);
}
/* Can code of the present mode be translated at all? */
static inline bool jit_mode_ok(const X86Cpu *cpu)
{
    uint32_t limit = cpu->seg[SEG_CS].limit;
    return (cpu->code64 || limit == 0xffffffff || limit == 0xffff) && cpu->mem_mode != MEM_USER_AC;
}

/* Host code for a block; false when the code memory is full (then jit_flush() and try again). */
bool jit_translate(Jit *jit, const JitSource *source, JitCode *out);
/* Forget all host code. */
void jit_flush(Jit *jit);

/*
 * Run `code`, made for the present mode, address and mapping, until something has to be looked at.  cpu->rip is then the
 * next instruction.  Returns the jump that would like to be connected to that instruction's code by jit_connect(), or 0.
 */
uintptr_t jit_run(Jit *jit, const JitCode *code);
/* The same with what is remembered for cpu->rip, its result in *jump; false when nothing is, or nothing may run now. */
bool jit_run_known(Jit *jit, uintptr_t *jump);
/* Nothing has to be looked at before the next instruction: what single steps, breakpoints and shadows need is the run loop's. */
bool jit_may_run(const X86Cpu *cpu);
/*
 * While set, code made with JIT_MODE_ALONE, if it is not connected to anything, comes back at its end: no other code is found
 * in the table of places, and that which calls return to is of another mode.
 */
void jit_set_alone(Jit *jit, bool alone);
void jit_connect(Jit *jit, uintptr_t jump, const JitCode *code);
/*
 * The bytes that `code` was made of are others now: whoever enters it goes to `instead`, code for the same place, or leaves
 * when that is NULL.  Undone by jit_enable().
 */
void jit_disable(Jit *jit, JitCode *code, const JitCode *instead);
void jit_enable(Jit *jit, JitCode *code);
/* Remember code by its address, for indirect jumps. */
void jit_remember(Jit *jit, const JitCode *code);

size_t jit_code_used(const Jit *jit);

/* Counted where C runs anyway. */
typedef struct JitStats {
    uint64_t blocks, insns, guest_bytes, host_bytes; /* translated so far */
    uint64_t lookups, connected;   /* blocks looked up by the run loop; jumps connected */
    uint64_t exits_jump, exits_attention, exits_other; /* why translated code was left */
    uint64_t *calls;   /* by row: handlers called, for want of an emitter or from a cold path */
    uint64_t *emitted, *handled; /* by row: translations with and without an emitter */
} JitStats;
JitStats *jit_stats(const Jit *jit);

/* Have fn called before each handler that translated code calls; NULL: none. */
void jit_set_slow_hook(Jit *jit, void (*fn)(X86Cpu *cpu, void *opaque), void *opaque);
