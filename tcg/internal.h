/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the translator's own files. */
#pragma once

#include "target/x86/exec.h"
#include "tcg/jit.h"
#include "tcg/x86_64/asm.h"

/*
 * Where control went before: guest address -> host code, entered with all checks.  An empty place is all zeros: it could
 * only be taken for address 0, whose own place is the first one and holds no address while it is empty.
 */
#define JIT_TABLE_BITS 18
typedef struct JitPlace {
    gva_t rip;
    const uint8_t *code;
} JitPlace;
#define JIT_TABLE_SIZE (sizeof(JitPlace) << JIT_TABLE_BITS)
/* Places 16 bytes apart, as functions are, share no entry inside 4 MiB; the higher and the lowest bits stir. */
static inline unsigned jit_table_index(gva_t rip)
{
    uint32_t r = (uint32_t)rip;
    r = r >> 4 | r << 28;
    return (r ^ r >> 14) & ((1u << JIT_TABLE_BITS) - 1);
}
/* An address no instruction has, for the first place while that is empty; a guest that jumps there looks in another one. */
#define JIT_NO_RIP (1ull << 63 | 1 << 4)

enum { SLOT_CLASSES = 4 }; /* widths of operands, for X86Cpu.slot */

enum { FIND_SIZES = 6 }; /* of operands that Jit.find knows: 1 to 32 bytes */

struct Jit {
    X86Cpu *cpu;
    uint8_t *rw, *rx;     /* two mappings of the same memory: written here, run there */
    size_t size, start;   /* bytes; where blocks begin, after the common routines */
    /*
     * Blocks' code that is run each time lies together, from the beginning; from the middle on lies what is run rarely: ways out
     * not connected yet, calls of handlers.  All in rw.
     */
    uint8_t *next, *cold_next, *middle;
    size_t populated, cold_populated; /* bytes of each: populate_ahead() */
    uint8_t *calls;       /* JIT_CALLS_SIZE bytes, the stack translated code runs on */
    JitPlace *table, *whole_table, *no_table; /* one of the others, see jit_set_alone() */
    FeatureSet host;      /* what the host's processor can run */
    JitStats *stats;
    struct Tr *tr;        /* of jit_translate(): large, and most of it is not cleared for a block */
    void (*on_slow)(X86Cpu *cpu, void *opaque); /* or NULL: called before handlers */
    void *on_slow_opaque;
    /* common routines, addresses in rw (branches are relative, both mappings have the same layout) */
    const uint8_t *enter, *exit, *exit_jump, *exit_clean, *resume, *dispatch, *recheck, *ret_miss, *ret_bottom, *call_miss;
    const uint8_t *ret_checked, *exit_checked, *call_checked; /* to H_ADDR, if canonical; H_T2 is a jit_site() */
    const uint8_t *call_insn[2][2]; /* [1][]: the block holds addresses; [][1]: it expects the host's flags */
    const uint8_t *load_flags;
    const uint8_t *spill_vectors, *load_xmm, *load_ymm; /* flags and general registers stay but for the flags of spill */
    const uint8_t *find[NUM_MEM_MODES][2][FIND_SIZES][2]; /* by write, size; [1]: what is left of the address is in H_T2 */
    const uint8_t *fetch_x87; /* the guest's x87 state into the host; only flags change */
    const uint8_t *slot_miss[NUM_MEM_MODES][2][SLOT_CLASSES][2]; /* by write, width; [1]: the address is in H_T2 */
    uint8_t next_slot[NUM_MEM_MODES][2][SLOT_CLASSES]; /* of X86Cpu.slot, by width: they are given out in turn */
};

/*
 * Translated code runs on a stack of its own: a guest's CALL pushes its return address and calls on the host, a guest's RET
 * compares and returns on the host, so that the host's return predictor serves the guest.
 */
#define JIT_CALLS_SIZE (1u << 20)

/* Before the code of each block, at a multiple of 16 bytes. */
typedef struct JitHead {
    gva_t rip; /* of insns[0] if that is at offset 0 */
    const Insn *insns;
} JitHead;

/* What a stub needs to say about its instruction: one number, for the head at this offset of the code memory. */
enum { JIT_SITE_BITS = 5 };
static inline uint32_t jit_site(size_t head, unsigned n)
{
    return (uint32_t)(head / sizeof(JitHead)) << JIT_SITE_BITS | n;
}

static inline const uint8_t *jit_rx(const Jit *jit, const uint8_t *rw)
{
    return jit->rx + (rw - jit->rw);
}

/* Guest state in the host: the guest's registers 0-3, 5-10 are in the host registers of the same numbers. */
enum { H_GUEST_RSP = H_R11, H_ADDR = H_R12, H_T1 = H_R13, H_T2 = H_R14, H_CPU = H_R15 };
/* The host register that holds a guest register, or H_NONE when it lives in X86Cpu.r. */
static inline unsigned host_of(unsigned guest)
{
    return guest == RSP ? (unsigned)H_GUEST_RSP : guest <= R10 ? guest : H_NONE;
}
#define CPU_MEM(member) op_mem(H_CPU, (int32_t)offsetof(X86Cpu, member))
static inline HostOp guest_home(unsigned guest)
{
    return op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, r) + guest * 8));
}

/* ---- liveness.c ---- */

/* OSZAPC in two groups, since INC and DEC keep the carry. */
enum { LIVE_C = 1, LIVE_REST = 2, LIVE_ALL = 3 };

typedef struct InsnFlags {
    uint8_t reads, kills; /* LIVE_* */
    bool may_stop;        /* may fault or be done by the interpreter: flags must be right before it */
} InsnFlags;
InsnFlags insn_flags(const Insn *i);
/* What the decoder made of bytes that are no instruction: it has no row. */
static inline bool insn_undefined(const Insn *i)
{
    return i->fn == exec_ud_fn || i->fn == exec_gp0_fn;
}
/* live[n]: LIVE_* groups that something after instruction n can see. */
void flags_liveness(const Insn *insns, unsigned num, uint8_t *live);

/* ---- writes.c ---- */

/* The general registers that i may change: bit n for register n. */
unsigned insn_writes(const Insn *i);

/* ---- jit.c ---- */

/* As jit_run(), X86Cpu.jit_mode being right. */
uintptr_t jit_enter(Jit *jit, const uint8_t *entry);

/* ---- runtime.c ---- */

void runtime_emit(Jit *jit);
/* Where to go on after a handler that ended its block: an address in the executable mapping. */
const uint8_t *jit_next(X86Cpu *cpu);

/* ---- runtime_flags.c ---- */

/* Emit the routine that brings cc_* into the host's flags; `slow` is one that can do it for every CcOp. */
const uint8_t *runtime_emit_load_flags(Asm *a, const uint8_t *slow);

/* ---- one block being translated ---- */

/* How OSZAPC could be had again, from registers that still hold what made them. */
typedef enum DescKind {
    DESC_NONE, DESC_ADD, DESC_SUB, DESC_CMP, DESC_LOGIC, DESC_TEST,
    DESC_SHL, DESC_SHR, DESC_SAR, /* of X86Cpu.jit_kept, by imm > 0 */
    DESC_INC, DESC_DEC,           /* the carry is in X86Cpu.jit_kept */
} DescKind;
typedef struct FlagDesc {
    DescKind kind;
    uint8_t log2;   /* size */
    uint8_t a;      /* guest register: the result, or the first operand (CMP TEST) */
    uint8_t b;      /* guest register of the second operand, or H_NONE for imm */
    /* either may be DESC_STORED: it is in cc_dst or cc_src already */
    int32_t imm;
} FlagDesc;
#define DESC_STORED 0xfe
static inline bool same_desc(const FlagDesc *x, const FlagDesc *y)
{
    return x->kind == y->kind &&
           (x->kind == DESC_NONE || (x->log2 == y->log2 && x->a == y->a && x->b == y->b && x->imm == y->imm));
}
typedef enum FlagPlace {
    FLAGS_IN_CPU,  /* cc_op, cc_dst, cc_src are right */
    FLAGS_IN_HOST, /* the host's flags; perhaps a desc too */
    FLAGS_IN_DESC, /* only the desc tells */
    FLAGS_DEAD,
} FlagPlace;

/* x87 pointers not yet stored in X86Cpu.fpu. */
typedef struct X87Pointers {
    bool owed;    /* those of instruction n */
    bool operand; /* and the selector of an operand in segment seg */
    uint8_t n, seg;
} X87Pointers;

typedef struct X87Fetch {
    uint8_t *from, *back;
} X87Fetch;

/* Which held address is in H_ADDR, and which in H_T2: numbers of Tr.shared, or HOLDS_NONE. */
enum { HOLDS_NONE = 0xff };
typedef struct Holds {
    uint8_t addr, t2;
} Holds;

typedef struct Stub {
    unsigned n;        /* instruction to be done by the interpreter */
    uint8_t *from[3];  /* jumps to here */
    uint8_t *back;     /* where the fast path goes on */
    const uint8_t *routine; /* what does it in place of the handler, called if there is a way back; or NULL */
    const uint8_t *find, *found; /* one of Jit.find for from[0], and where to go on if it succeeds; or NULL */
    FlagPlace place;
    FlagDesc desc;
    bool wants_flags;  /* the host's flags are expected at `back` */
    bool compares;     /* cc_dst is expected to be the first operand there, where the handler leaves the difference */
    X87Pointers pointers;
    Holds holds;       /* expected at `back` */
} Stub;

/* A direct way out, not connected yet. */
typedef struct Exit {
    uint8_t *from;
    gva_t rip;
    JitEntry entry;
} Exit;

/* A branch out of the middle of a block: what is left to do when it is taken. */
typedef struct Side {
    uint8_t *from;
    gva_t rip;
    JitEntry entry;
    FlagPlace place;
    FlagDesc desc;
} Side;

/* An operand whose page is not in its slot. */
typedef struct SlotMiss {
    PageSlot *slot;
    uint8_t *from, *back;
    unsigned host, size; /* register of the address, then of the host's; bytes of the operand */
    int stub, alone;     /* which of these does the instruction when the TLB does not have it either; the other is -1 */
    bool write;
} SlotMiss;

/* An address: base + (index << scale) + at. */
typedef struct Place {
    uint8_t base, index, scale; /* as in Insn; with REG_IP, at is all of it */
    int64_t at;
} Place;

/* A memory operand. */
typedef struct MemOperand {
    Place place;
    unsigned bytes;
    unsigned align;   /* the address must be a multiple of this, or 0 */
    bool write, wants_flags; /* MEM_WRITE, MEM_FLAGS */
    bool vector;      /* H_T2 may be part of the host operand too */
} MemOperand;

/* Checked memory, [lo, hi) from what the guest's registers give, the host's address of lo in X86Cpu.jit_held. */
typedef struct Shared {
    bool held, write; /* write: checked for it */
    uint8_t base, index, scale;
    uint8_t reg;      /* H_ADDR or H_T2 when that has the address too, or H_NONE */
    uint8_t align;    /* lo is known to be a multiple of it, or 0 */
    uint8_t first, last; /* instructions: the one that checked, the last that is expected to use it */
    int64_t lo, hi;
} Shared;
enum { MAX_SHARED = 4 };

/* The first instruction of those that share a check, once more without sharing, for when the check fails. */
typedef struct Alone {
    unsigned n, shared;
    uint8_t *from[2];    /* jumps to here */
    const uint8_t *code;
    FlagPlace place;     /* at the check */
    FlagDesc desc;
    X87Pointers pointers;
    uint8_t *back;       /* where the block goes on behind it: */
    FlagPlace back_place;
    FlagDesc back_desc;
    Shared back_shared;
    Holds holds;
} Alone;

/* For the logs: how an instruction was done. */
typedef struct TrNote {
    const uint8_t *at; /* where its code starts, in rw */
    bool emitted;      /* else a call of its handler */
    uint8_t stubs;
} TrNote;

/* While a copy of a loop is emitted whose memory was checked before. */
typedef struct Hoist Hoist;

#define MAX_INSNS 32
#define MAX_ALONE 12
#define MAX_SIDES (MAX_INSNS * 2) /* of two copies */
/* PUSH and DIV of memory have two, CALL through memory has three and is the last */
#define MAX_STUBS (MAX_INSNS * 2 + 1 + MAX_ALONE * 2)
typedef struct Tr {
    Jit *jit;
    Asm a;
    const JitSource *src;
    uint8_t *head, *leave;    /* in rw: its JitHead, and behind it the way out when it may not be entered */
    uint8_t *looks;           /* JIT_ENTRY_LOOP in rw */
    unsigned n;               /* instruction being translated */
    unsigned first_stub, first_alone; /* of this instruction */
    unsigned seg;             /* H_ADDR is an offset in this segment, for the next access to apply; or NUM_SEGS */
    FlagPlace place;
    FlagDesc desc;
    unsigned num_stubs, num_alone, num_misses, num_sides, num_exits, num_fetches; /* of the arrays below */
    Shared shared[MAX_SHARED]; /* by X86Cpu.jit_held */
    uint8_t share_last[MAX_INSNS]; /* [n]: the last instruction that used what instruction n checked */
    bool loops;               /* the last instruction is a Jcc to the first: both stay in this code if the flags allow it */
    const uint8_t *again;     /* where the second copy of such a block begins, or NULL, */
    uint8_t *again_from;      /* the first one's jump there, */
    FlagDesc again_desc;      /* and where the flags are then */
    uint8_t first_slot[NUM_MEM_MODES][2][4]; /* Jit.next_slot at the block's beginning: both copies use the same */
    Hoist *hoist;             /* or NULL */
    bool is_alone;            /* one of these is being emitted: nothing is shared */
    int last_vector;          /* number of the last instruction that runs on the host's vector registers, or -1 */
    uint8_t *vectors_from, *vectors_back; /* the entry's jump to fetch them, and where it goes on */
    bool fpu_live;            /* the guest's x87 state is in the host's x87 unit */
    X87Pointers pointers;
    bool ended;               /* the block's way out has been emitted */
    const uint8_t *body_end;  /* where the last instruction's code ends */
    const uint8_t *hot_end, *cold; /* where the code that is run each time ends, and where the rest begins */
    /* What follows is not cleared before a translation: each is written as a whole when it is taken, and by begin(): */
    gva_t rip[MAX_INSNS + 1]; /* of each instruction, and of what follows */
    uint8_t live[MAX_INSNS];
    uint16_t writes[MAX_INSNS]; /* insn_writes() */
    TrNote notes[MAX_INSNS];
    /* as they are taken: */
    Stub stubs[MAX_STUBS];
    Alone alone[MAX_ALONE];
    SlotMiss misses[MAX_STUBS + MAX_ALONE];
    Side sides[MAX_SIDES];
    Exit exits[4 + MAX_ALONE + MAX_SIDES];
    X87Fetch fetches[MAX_INSNS];
} Tr;

static inline bool tr_code64(const Tr *t)
{
    return (t->src->mode >> JIT_MODE_CODE_SHIFT & 3) == 2;
}

/* ---- flags.c ---- */

/* Host flags are about to be overwritten by something that is not a guest instruction. */
void tr_flags_clobber(Tr *t);
/* Bring OSZAPC into the host's flags. */
void tr_flags_load(Tr *t);
/* The carry alone, through H_T2, when an INC or DEC has put it into jit_kept; false when it is not there. */
bool tr_flags_load_carry(Tr *t);
/* Make cc_* right, whatever the state; host flags stay as they are. */
void tr_flags_store(Tr *t, const FlagDesc *desc, FlagPlace place);
void tr_flags_to_cpu(Tr *t);
/* cc_dst becomes the first operand of the comparison that cc_* are of; no flag changes. */
void tr_flags_undo_compare(Tr *t);
/* A guest register is about to change: what depended on it is saved if anybody wants it. */
void tr_reg_changes(Tr *t, unsigned guest);
/* The instruction has set the host's flags. */
void tr_flags_set(Tr *t, FlagDesc desc);

/* ---- operands.c ---- */

/* The host register with a guest register's value; `scratch` is loaded when it lives in memory. */
unsigned tr_use(Tr *t, unsigned guest, unsigned scratch);
/* After writing host register h with guest's new value. */
void tr_commit(Tr *t, unsigned guest, unsigned h);
/* Linear address of the memory operand into H_ADDR (or segments.c); false when only the interpreter can. */
bool tr_address(Tr *t, const Insn *i);
/* TLB check of H_ADDR for `size` bytes; gives the host operand, with a stub for the rest. */
HostOp tr_memory(Tr *t, unsigned size, bool write, bool wants_flags);
enum {
    MEM_WRITE = 1,   /* or read and write */
    MEM_FLAGS = 2,   /* the host's flags are expected behind the instruction */
    MEM_ALIGNED = 4, /* the stub also when the address is not a multiple of the size */
    MEM_FIXED = 8,   /* the host operand depends on H_ADDR only: H_T1, H_T2 and guest registers may change */
};
/* The same in one step, or from H_ADDR.  The host operand may use guest registers: it holds for one host instruction. */
bool tr_operand(Tr *t, const Insn *i, unsigned size, unsigned how, HostOp *m);
HostOp tr_memory_at(Tr *t, unsigned size, unsigned how);
/* The effective address as an operand for LEA (H_ADDR and H_T1 may be part of it). */
bool tr_lea(Tr *t, const Insn *i, HostOp *m);
/* 8 bytes at RSP (or RBP, for LEAVE) + at.  H_ADDR may be part of the host operand; H_T2 is free. */
HostOp tr_stack(Tr *t, unsigned base, int at, bool write);
Stub *tr_stub(Tr *t);
/*
 * The check alone, of lin, which has no index: its jumps when it fails into from[].  The host operand is lin's base and
 * displacement, and H_T1 as an index.
 */
HostOp tr_tlb_check(Tr *t, HostOp lin, unsigned size, unsigned how, uint8_t *from[2]);

/*
 * ---- segments.c: addresses of code that is not 64-bit ----
 * An operand's offset goes into H_ADDR and its segment, if it is not flat, into Tr.seg.  The access that follows checks the
 * segment's limit and adds its base: tr_segment() on the register with the offset, before the stub's other checks.
 */
void tr_offset(Tr *t, const Insn *i);
/* The same for the stack: `host` (a register with a guest's) + disp, as wide as the stack pointer is. */
void tr_stack_offset(Tr *t, unsigned host, int32_t disp);
/* Changes H_T1 and the host's flags. */
void tr_segment(Tr *t, unsigned reg, unsigned size, bool write, Stub *s);

/* ---- find.c ---- */

void find_emit_runtime(Jit *jit, Asm *a);
/*
 * After a look into the TLB that fails by s->from[0]: H_T1 is then the entry's offset in the table, and `reg` (H_T2 or H_ADDR)
 * the address less the entry's tag.  At `found` the entry's addend is expected in H_T1, or the host's address in `reg`.
 */
void tr_find(const Tr *t, Stub *s, unsigned size, bool write, unsigned reg, const uint8_t *found);
/* The stub's beginning; from[0] is done with. */
void tr_find_emit(Tr *t, Stub *s);

/* ---- slots.c ---- */

/*
 * The same check by a slot of the operand's own, for operands that mostly stay in a page from one time to the next.
 * `host` (H_ADDR or H_T2): the linear address; becomes the host's.  No other register but H_T1 changes.  size: up to 128.
 */
void tr_slot_memory(Tr *t, unsigned host, unsigned size, bool write, bool wants_flags);
/* The same by the slot of stacks, H_ADDR being the address. */
void tr_slot_stack(Tr *t, unsigned size, bool write, bool wants_flags);
/* Either, failing into Tr.alone[alone]. */
void tr_slot_shared(Tr *t, unsigned host, unsigned size, bool write, bool stack, unsigned alone);
void tr_slots_emit_misses(Tr *t);
/* The routines that fill a slot from the TLB, one for each kind: the sites call them. */
void slots_emit_runtime(Jit *jit, Asm *a);

/* ---- access.c ---- */

/* The address of instruction n's memory operand; false when it has a form not known here. */
bool tr_place(const Tr *t, unsigned n, Place *p);
bool tr_same_registers(const Place *a, const Place *b);
/* The operand in memory, about: its size may be less. */
bool tr_memory_access(const Tr *t, unsigned n, MemOperand *x);
/* 8 bytes of the stack, from RSP (LEAVE: RBP). */
bool tr_stack_access(const Insn *i, MemOperand *x);
/* How far i moves a register; false when nobody knows. */
bool tr_step(const Insn *i, unsigned reg, int64_t *by);

/* ---- share.c ---- */

/* The operand by a check that it shares with others; false when there are none, and nothing has been emitted. */
bool tr_shared(Tr *t, const MemOperand *x, HostOp *m);
/* After each instruction. */
void tr_share_after(Tr *t, bool emitted);
/* What H_ADDR and H_T2 hold between two instructions, and its return after C was called. */
Holds tr_holds(const Tr *t);
void tr_hold_again(Tr *t, Holds holds);
/* Does something behind instruction n use a check made before it, or by it? */
bool tr_shares_over(const Tr *t, unsigned n);
/* Put the check of s into t once more; from[]: its jumps when it fails. */
void tr_share_again(Tr *t, unsigned n, const Shared *s, uint8_t *from[2]);

/*
 * ---- vectors.c: where XMM0-15 or YMM0-15 and MXCSR are ----
 * X86Cpu.vec_live tells.  A block that uses them looks once, at its entry, and fetches them if need be; they then stay in
 * the host's registers of the same numbers, over other blocks too, until C is called or translated code is left.
 */
enum { VEC_HOME, VEC_XMM, VEC_YMM };
void vectors_emit_runtime(Jit *jit, Asm *a);
/* Bring them home if they are not; changes flags. */
void vectors_emit_spill(const Jit *jit, Asm *a);
/* And back, `live` being what X86Cpu.vec_live was; the same. */
void vectors_emit_fetch(const Jit *jit, Asm *a, unsigned live);
/* At a block's entry, where the host's flags are free; the stub is put behind the block. */
void tr_vectors_enter(Tr *t);
void tr_vectors_emit_stub(Tr *t);
/* After instruction n was done by C, which has brought them home: back, if an instruction behind it uses them. */
void tr_vectors_again(Tr *t, unsigned n);

/* ---- x87.c ---- */

/* The next instruction works on the host's x87 unit.  H_ADDR stays; call before the host's flags are used. */
void tr_x87_enter(Tr *t);
/* The x87 instruction i has been emitted, its operand's address is in H_ADDR: its pointers. */
void tr_x87_track(Tr *t, const Insn *i);
/* C code or another block may look at the pointers now. */
void tr_x87_before_c(Tr *t);
void tr_x87_store_pointers(Tr *t, const X87Pointers *p);
/* The out-of-line parts of tr_x87_enter(). */
void tr_x87_emit_fetches(Tr *t);
/* Is it one of the x87 instructions that do not record their addresses? */
bool insn_x87_control(const Insn *i);

/* ---- translate.c ---- */
/* Instruction n by its interpreter handler. */
void tr_call_insn(Tr *t);
void tr_exit_to(Tr *t, gva_t rip);          /* direct */
void tr_exit_indirect(Tr *t);               /* to the address in H_ADDR */
/* A branch on the host's flags, which are the guest's. */
void tr_branch(Tr *t, unsigned cc, gva_t taken);
/* A branch at the end of a block, with nothing left to do. */
void tr_exit_if(Tr *t, unsigned cc, gva_t taken, gva_t other);
/* The guest's CALL, after its push: to rip, or to the address in H_ADDR. */
void tr_call_to(Tr *t, gva_t rip);
void tr_call_indirect(Tr *t);
void tr_call_code(Tr *t); /* to the host's code whose address is in jit_target */
/* Look H_ADDR up in the table: a jump taken when it is not there; else the code is tr_table_code(). */
uint8_t *asm_table_lookup(Asm *a);
HostOp asm_table_code(void);

/* The block's instructions, from the first one, and its ways out. */
void tr_insns(Tr *t);
/* Leave by Tr.leave when the block's bytes may have changed, or somebody waits. */
void tr_check_still(Tr *t);

/* ---- loops.c ---- */

/* Is the block one that jumps to its own beginning, and may stay in its code? */
bool tr_is_loop(const Tr *t);
/* The way back of a loop; false when this is none, or the flags are not where its second copy expects them. */
bool tr_again_if(Tr *t, unsigned cc);
/* The second copy of a loop, if its way back wants one. */
void tr_loop_again(Tr *t);

/* ---- hoist.c ---- */

/*
 * The checks of a loop's memory for several turns, and these turns; what comes next runs when the checks fail.  False when
 * the loop is none for that, and nothing has been emitted.  entry: where it looks whether it may go on.
 */
bool tr_hoist(Tr *t, const uint8_t *entry);
/* In such turns: the operand; false when it is none that was checked. */
bool tr_hoisted(Tr *t, const MemOperand *x, HostOp *m);
void tr_hoist_after(Tr *t, bool emitted);
bool tr_hoist_again_if(Tr *t, unsigned cc);

/* ---- emit.c: true when it translated instruction i ---- */
bool emit_insn(Tr *t, const Insn *i);
/* ---- emit_vector.c: would emit_insn() run it on the host's vector registers? ---- */
bool emit_uses_vectors(const Tr *t, const Insn *i);
