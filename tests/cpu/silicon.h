/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The comparison with silicon: one instruction with one machine state is a Case; the very bytes are run natively in a
 * guarded child process and by an engine, and everything that user mode can see must agree.
 *
 * Both sides see the same linear memory:
 *   DATA_BASE   two pages, read-write, then one that is absent: operands at and across a page's end
 *   STACK_BASE  one page, read-write, with absent pages on both sides
 *   CODE_BASE   two pages, read and execute
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "target/x86/insn.h"

#define DATA_BASE 0x10000000ull
#define DATA_SIZE 0x2000u
#define STACK_BASE 0x18000000ull
#define STACK_SIZE 0x1000u
#define CODE_BASE 0x20000000ull
#define CODE_SIZE 0x2000u
#define CASE_GS_BASE 0x40ull

/* The XSAVE64 image with components 0 to 2, SDM vol 1 table 10-2 and 13.4; a host without XSAVE fills the first 512 bytes. */
typedef struct FxImage {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    struct {
        uint64_t mant;
        uint16_t se, pad[3];
    } st[8];
    uint64_t xmm[16][2];
    uint8_t rest[96];
    uint64_t xstate_bv, xcomp_bv, header[6];
    uint64_t ymm[16][2]; /* upper halves */
} __attribute__((aligned(64))) FxImage;
enum { XSTATE_TESTED = 7 /* x87, SSE, AVX */ };

typedef struct MemInit {
    uint32_t addr; /* in DATA or STACK */
    uint32_t len;
    uint8_t bytes[80];
} MemInit;

typedef struct Case {
    uint16_t row;
    uint8_t code_size; /* 1: 32-bit compatibility code, 2: 64-bit */
    uint8_t len;
    uint8_t bytes[16];
    uint32_t ip; /* where the bytes are put, in CODE */
    uint64_t r[16];
    uint32_t flags;
    uint8_t num_mem;
    uint32_t mxcsr_mask_at; /* where FXSAVE and XSAVE report MXCSR_MASK, 0: nowhere */
    MemInit mem[3];
    FxImage fx;
} Case;

typedef struct Outcome {
    uint64_t r[16];
    uint64_t rip;
    uint32_t flags;
    int32_t vector; /* exception, or -1 */
    uint32_t error;
    uint64_t cr2;
    uint64_t mem_hash; /* of DATA and STACK */
    FxImage fx;
} Outcome;

/* FNV-like over 8-byte words: cheap, and every byte counts. */
uint64_t silicon_hash(const void *data, uint32_t data_size, const void *stack, uint32_t stack_size);

/* ---- generate.c ---- */

typedef struct Rng {
    uint64_t s[2];
} Rng;
void rng_seed(Rng *rng, uint64_t seed);
uint64_t rng_next(Rng *rng);
/* A random case of this row; false when the row cannot be run in user mode. */
bool case_generate(Case *c, unsigned row, Rng *rng);
/* The same for code of this size, 1 or 2 as in Case; false, too, when the row has no such encoding. */
bool case_generate_for(Case *c, unsigned row, unsigned code_size, Rng *rng);
/*
 * Put the case and the native side's way out behind it into the code area.  A case may read both, so the interpreter's
 * memory has them as well.
 */
void case_put_code(const Case *c, uint8_t *code);
enum { TRAMPOLINE32 = 0x1e00, EXIT_POINTER = 0x1f00 }; /* in the code area: what the ways out go through */
/* Can user mode run this row at all? */
bool row_runs_in_user_mode(const InsnRow *row);

/* ---- native.c ---- */

#define BATCH 512
typedef struct Native Native;
/* Start the child.  NULL (with a message) when this host cannot (not x86-64). */
Native *native_start(const char **why_not);
void native_stop(Native *n);
/* Traps everywhere in the code area, but for what the ways out go through. */
void native_code_init(uint8_t *code);
/* Which instruction sets the host has, so that no row is run that it lacks. */
void native_features(FeatureSet *out);
/* Two batches in flight at most: submit(k + 1), then wait(k). The Case array may be reused after submit. */
void native_submit(Native *n, const Case *cases, unsigned count);
/* The outcomes of the oldest batch not yet waited for; valid until the next but one submit. NULL: the child died. */
const Outcome *native_wait(Native *n);
void native_memory_reset(Native *n, uint64_t seed);
/* Copies of the child's memory after the last batch, for reports: only when nothing is in flight. */
void native_peek(Native *n, uint32_t addr, void *buf, unsigned len);

/* ---- engine.c ---- */

typedef struct Engine Engine;
Engine *engine_start(const FeatureSet *features);
void engine_stop(Engine *e);
void engine_run(Engine *e, const Case *c, Outcome *out);
/* The parts of engine_run(): the state and memory of a case, and what came of it (done: no exception). */
void engine_load(Engine *e, const Case *c);
void engine_outcome(Engine *e, bool done, Outcome *out);
X86Cpu *engine_cpu(Engine *e);
/* Control and debug registers as engine_start() sets them. */
void engine_reset_control(Engine *e);
void engine_memory_reset(Engine *e, uint64_t seed);
uint8_t *engine_memory(Engine *e, uint32_t addr);
/* One page more, in the 2 MiB that all such pages are in: its page table entry. */
void engine_map_page(Engine *e, uint64_t lin, uint64_t entry);
