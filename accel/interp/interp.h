/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter: one host thread a vCPU runs decoded instructions out of a cache of straight-line blocks, keyed by
 * physical address, so that a page mapped twice is decoded once.  A block is valid while the generation of its RAM
 * page stands still (softmmu/core/ram.h); there are no lists to unlink.
 */
#pragma once

#include "accel/accel.h"
#include "softmmu/core/exclusive.h"
#include "target/x86/cpu.h"
#include "target/x86/insn.h"

extern const AccelOps interp_accel_ops;

#define BLOCK_MAX_INSNS 32
#define BLOCK_BUCKETS (1u << 14)
#define JUMP_CACHE_SIZE (1u << 12)
#define BLOCK_ARENA_SIZE (16 * MIB)

typedef struct Block Block;
struct Block {
    gpa_t phys;               /* of the first byte */
    const uint32_t *page_gen; /* generation of the RAM page, or of the engine's ROM generation */
    uint32_t gen;             /* *page_gen when decoded */
    uint16_t num;             /* instructions */
    uint16_t bytes;
    uint8_t code_size;
    Block *next;              /* in the hash bucket */
    Insn insns[];
};

/* A block found before at this address, valid while the TLB's generation and the block's page stand still. */
typedef struct JumpEntry {
    uint64_t rip; /* linear */
    uint64_t tlb_gen;
    uint8_t code_size, cpl;
    Block *block;
} JumpEntry;

typedef struct BlockCache {
    uint8_t *arena;
    size_t used;
    uint32_t fixed_gen; /* "generation" of code outside RAM: raised by map changes */
    bool flush;         /* drop everything at the next look-up */
    Block *buckets[BLOCK_BUCKETS];
    JumpEntry jump[JUMP_CACHE_SIZE];
    uint64_t decoded, flushes; /* statistics */
} BlockCache;

typedef struct InterpVcpu {
    X86Cpu *cpu;
    GThread *thread;
    VcpuGate gate;
    BlockCache *cache;
    Insn scratch;      /* the instruction of a step outside the cache */
    GMutex mutex;
    GCond cond;
    bool sleeping;     /* guarded by mutex */
    bool paused;       /* guarded by mutex: the thread is parked */
    bool stop, quit;   /* guarded by mutex: asked to park, to end */
} InterpVcpu;

BlockCache *block_cache_new(void);
void block_cache_free(BlockCache *cache);

/*
 * The block at cs:rip, decoding it if need be; NULL when the next instruction must be stepped (it crosses a page, lies in
 * MMIO, or runs into the CS limit).  Raises #PF and #GP of the fetch.
 */
Block *block_find(InterpVcpu *v);
/* Decode the one instruction at cs:rip from wherever it lies.  Raises what its fetch raises. */
void insn_fetch(X86Cpu *cpu, Insn *out);

static inline void insn_execute(X86Cpu *cpu, const Insn *i)
{
    cpu->insn = i;
    cpu->insn_rip = cpu->rip;
    cpu->rip += i->len;
    if (!cpu->code64) { /* outside 64-bit code the instruction pointer is 32 bits wide */
        cpu->rip = (uint32_t)cpu->rip;
    }
    i->fn(cpu, i);
}
