/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter, and what the translator's engine shares with it: one host thread a vCPU runs decoded instructions
 * out of a cache of blocks, keyed by physical address, so that a page mapped twice is decoded once.  Blocks
 * are valid while nothing was written to code of their page; then they are compared with what is there now.
 */
#pragma once

#include "accel/accel.h"
#include "accel/thread.h"
#include "target/x86/cpu.h"
#include "target/x86/insn.h"

extern const AccelOps interp_accel_ops;

struct Jit;
struct Check;
struct Chaos;
struct TcgOptions;
struct JitCode;

#define BLOCK_MAX_INSNS 32
#define BLOCK_MAX_BYTES (BLOCK_MAX_INSNS * 15)
#define BLOCK_MOST_BEFORE_BRANCH 24 /* a branch that ends so many instructions ends the block */
#define BLOCK_MAX_OLDER 3 /* versions of a block kept besides the last one */
#define BLOCK_BUCKET_BITS 18
#define BLOCK_BUCKETS (1u << BLOCK_BUCKET_BITS)
#define JUMP_CACHE_SIZE (1u << 12)
#define BLOCK_ARENA_SIZE (16 * MIB) /* without a translator */

typedef struct Block Block;

/* Where a block went: the next block at a linear address, true while the TLB's generation stands still. */
typedef struct BlockLink {
    gva_t lin;
    uint64_t tlb_gen;
    Block *block;
} BlockLink;

struct Block {
    const uint64_t *changed[2]; /* by page: not 0 when it must be looked at again; constants for code outside RAM */
    const uint8_t *host[2];   /* the first byte; the second page of a block of one instruction that ends there, or NULL */
    const uint8_t *copy;      /* of its bytes, as they were decoded */
    Block *in_page[2];        /* next block that has bytes in the page */
    Block *older;             /* what was at this place before, overwritten: may come back */
    gpa_t phys2;              /* of the second page */
    uint16_t num;             /* instructions */
    uint16_t bytes;
    uint8_t code_size;
    uint8_t straight;         /* instructions up to the first transfer: what the interpreter runs */
    bool dead;                /* overwritten */
    struct JitCode *code;     /* its translations, one for each address and mode, the last used first */
    bool linkable;            /* ends in a near transfer or by its length: CPL and code size stay */
    uint8_t next_link;        /* which of the two is replaced next */
    BlockLink *link;          /* two of them, once the interpreter has been through it; or NULL */
    gpa_t phys;               /* of the first byte */
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
    struct Jit *jit; /* its code points into the arena: both are flushed together; NULL in the interpreter */
    uint8_t *arena;
    size_t size, used; /* bytes */
    size_t populated;  /* bytes: populate_ahead() */
    struct Ram *ram;
    uint64_t *changed; /* by page of RAM: granules written since this page's blocks were last looked at */
    Block **in_page;   /* by page of RAM: the blocks that have bytes there */
    bool flush; /* the memory map changed: drop everything at the next look-up */
    Block *buckets[BLOCK_BUCKETS];
    JumpEntry jump[JUMP_CACHE_SIZE];
    uint64_t decoded, flushes, killed, revived; /* statistics; killed: blocks overwritten */
} BlockCache;

typedef struct InterpVcpu {
    VcpuThread thread;
    X86Cpu *cpu;
    BlockCache *cache;
    struct Chaos *chaos; /* or NULL */
    bool traced;       /* -d exec: blocks are not connected */
    struct Check *check; /* the translator in step with the interpreter, or NULL */
    Insn scratch;      /* the instruction of a step outside the cache */
    bool may_poll;     /* another vCPU may send events, and the host has a core for each */
    int64_t poll_ns;   /* how long HLT looks for an event before it sleeps */
} InterpVcpu;

static inline bool block_valid(const Block *b)
{
    return !__atomic_load_n(b->changed[0], __ATOMIC_RELAXED);
}

/* Linear address of the next instruction. */
static inline gva_t code_linear(const X86Cpu *cpu)
{
    return cpu->code64 ? cpu->rip : (uint32_t)(cpu->seg[SEG_CS].base + cpu->rip);
}

/* The block at cs:rip if `from`, which has just run to its end, went there before; NULL if it must be looked up. */
static inline Block *block_follow(const X86Cpu *cpu, const Block *from)
{
    gva_t lin = code_linear(cpu);
    const BlockLink *l = from->link;
    if (!l) {
        return NULL;
    }
    if (l->lin != lin) {
        l++;
    }
    if (likely(l->lin == lin && l->tlb_gen == cpu->tlb_gen && block_valid(l->block)) &&
        (cpu->code64 || cpu->rip + l->block->bytes - 1 <= cpu->seg[SEG_CS].limit)) {
        return l->block;
    }
    return NULL;
}

/* Remember that `from` went to `to`, which starts at cs:rip. */
void block_link(InterpVcpu *v, Block *from, Block *to);

BlockCache *block_cache_new(size_t arena_size, struct Ram *ram);
void block_cache_free(BlockCache *cache);

/* The engine's functions, for AccelOps of engines that share the run loop.  options: of the translator, NULL: interpret. */
Accel *interp_new(const AccelOps *ops, struct Machine *m, const struct TcgOptions *options, GError **error);
void interp_destroy(Accel *accel);
bool interp_vcpu_create(Accel *accel, struct X86Cpu *cpu, GError **error);
void interp_pause(Accel *accel);
void interp_resume(Accel *accel);
void interp_kick(Accel *accel, struct X86Cpu *cpu);
bool interp_stops_changed(Accel *accel, const GArray *points, GError **error);
void interp_info(Accel *accel, GString *out);
/* The translator's statistics. */
void interp_info_jit(Accel *accel, GString *out);

/*
 * The block at cs:rip, decoding it if need be; NULL when the next instruction must be stepped (it crosses a page, lies in
 * MMIO, or runs into the CS limit).  Raises #PF and #GP of the fetch.
 */
Block *block_find(InterpVcpu *v);
/* The pages a block lies in; second only if it has one. */
typedef struct CodePages {
    const FetchEntry *first, *second;
} CodePages;
/*
 * The same for the translator, which has its own jump cache, and can do an instruction that crosses pages: a block of one
 * instruction, which nobody else gets to see.
 */
Block *block_fetch(InterpVcpu *v, CodePages *pages);
/* Run host code from cs:rip, while there is some.  False: the interpreter must do the next instruction. */
bool translated_run(InterpVcpu *v);
/* Memory that lives as long as the blocks, or NULL: a flush is due. */
void *block_alloc(BlockCache *cache, size_t size);
/* Make a block end after its first num instructions; its host code is forgotten. */
void block_cut(Block *b, unsigned num);
/* Host code of a block for the present address, mode and mapping; NULL when memory is full (a flush is then due). */
struct JitCode *block_code(InterpVcpu *v, Block *b, const CodePages *pages);
/* The same, of its own for jit_set_alone(). */
struct JitCode *block_code_alone(InterpVcpu *v, Block *b, const CodePages *pages);
/* Its pages have just been looked up: the checks at the code's entry will find so. */
void code_mapped(X86Cpu *cpu, const struct JitCode *code);
/* The next instruction must be done by itself: single step, breakpoints, RF, interrupt shadows. */
bool vcpu_must_step(const X86Cpu *cpu);
/* Not so for translated code after all: a shadow of STI that holds nothing back, RF without breakpoints, which it clears. */
bool vcpu_steps_for_nothing(InterpVcpu *v);
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

/* The same, then what single step, data breakpoints and interrupt shadows ask for (raises the trap, accel/interp/step.c). */
void insn_step(X86Cpu *cpu, const Insn *i);
