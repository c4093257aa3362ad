/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The architectural state of one x86 processor.  Every engine works on this struct or synchronises to it;
 * snapshots, gdb and the monitor read it.  Its owner is the vCPU's thread; others touch only what is marked atomic.
 * Spec: Intel SDM vol 1 and 3, AMD APM vol 2.
 */
#pragma once

#include <setjmp.h>

#include "util/base.h"

struct Machine;
struct Insn;

/* ---- registers ---- */

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, REG_ZERO, REG_IP, NUM_REGS };
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, NUM_SEGS };

enum {
    FL_CF = 1 << 0, FL_PF = 1 << 2, FL_AF = 1 << 4, FL_ZF = 1 << 6, FL_SF = 1 << 7, FL_TF = 1 << 8, FL_IF = 1 << 9,
    FL_DF = 1 << 10, FL_OF = 1 << 11, FL_IOPL = 3 << 12, FL_NT = 1 << 14, FL_RF = 1 << 16, FL_VM = 1 << 17,
    FL_AC = 1 << 18, FL_VIF = 1 << 19, FL_VIP = 1 << 20, FL_ID = 1 << 21,
    FL_OSZAPC = FL_OF | FL_SF | FL_ZF | FL_AF | FL_PF | FL_CF,
};
#define FL_IOPL_SHIFT 12

enum {
    CR0_PE = 1 << 0, CR0_MP = 1 << 1, CR0_EM = 1 << 2, CR0_TS = 1 << 3, CR0_ET = 1 << 4, CR0_NE = 1 << 5,
    CR0_WP = 1 << 16, CR0_AM = 1 << 18, CR0_NW = 1 << 29, CR0_CD = 1 << 30,
};
#define CR0_PG 0x80000000ull
enum {
    CR4_VME = 1 << 0, CR4_PVI = 1 << 1, CR4_TSD = 1 << 2, CR4_DE = 1 << 3, CR4_PSE = 1 << 4, CR4_PAE = 1 << 5,
    CR4_MCE = 1 << 6, CR4_PGE = 1 << 7, CR4_PCE = 1 << 8, CR4_OSFXSR = 1 << 9, CR4_OSXMMEXCPT = 1 << 10,
    CR4_UMIP = 1 << 11, CR4_LA57 = 1 << 12, CR4_FSGSBASE = 1 << 16, CR4_PCIDE = 1 << 17, CR4_OSXSAVE = 1 << 18,
    CR4_SMEP = 1 << 20, CR4_SMAP = 1 << 21, CR4_PKE = 1 << 22, CR4_PKS = 1 << 24,
};
enum { EFER_SCE = 1 << 0, EFER_LME = 1 << 8, EFER_LMA = 1 << 10, EFER_NXE = 1 << 11, EFER_SVME = 1 << 12,
       EFER_FFXSR = 1 << 14 };

/* Exception vectors, SDM vol 3 table 6-1. */
enum { EXC_DE, EXC_DB, EXC_NMI, EXC_BP, EXC_OF, EXC_BR, EXC_UD, EXC_NM, EXC_DF, EXC_09, EXC_TS, EXC_NP, EXC_SS,
       EXC_GP, EXC_PF, EXC_15, EXC_MF, EXC_AC, EXC_MC, EXC_XM };
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16, PF_PK = 32 }; /* #PF error code */

/* Segment attributes: bits 8-15 and 20-23 of a descriptor's second dword, in the layout of VMX access rights. */
enum {
    SEG_TYPE = 0xf, SEG_ACCESSED = 1, SEG_WRITE = 2 /* data */, SEG_READ = 2 /* code */, SEG_EXPAND_DOWN = 4,
    SEG_CONFORMING = 4, SEG_CODE = 8, SEG_S = 1 << 4, SEG_DPL = 3 << 5, SEG_P = 1 << 7, SEG_AVL = 1 << 12,
    SEG_L = 1 << 13, SEG_DB = 1 << 14, SEG_G = 1 << 15, SEG_UNUSABLE = 1 << 16,
};
#define SEG_DPL_SHIFT 5

typedef struct Segment {
    uint64_t base;
    uint32_t limit; /* in bytes: granularity already applied */
    uint32_t attr;  /* SEG_* */
    uint16_t selector;
    /*
     * Derived by seg_update(): an access of n bytes at offset o outside 64-bit mode needs no further check when
     * o + n <= fast_r (reads) or fast_w (writes).  0 when every access must take the checked path.
     */
    uint64_t fast_r, fast_w;
} Segment;

/* No base, no limit, readable and writable. */
static inline bool segment_flat(const Segment *s)
{
    return s->base == 0 && s->fast_r == 1ull << 32 && s->fast_w == 1ull << 32;
}

typedef struct TableReg {
    uint64_t base;
    uint16_t limit;
} TableReg;

/* An 80-bit extended real: explicit integer bit in mant bit 63; se = sign (bit 15) and biased exponent. */
typedef struct Float80 {
    uint64_t mant;
    uint16_t se;
} Float80;

typedef union Vec {
    uint8_t b[64];
    uint16_t w[32];
    uint32_t d[16];
    uint64_t q[8];
    int8_t sb[64];
    int16_t sw[32];
    int32_t sd[16];
    int64_t sq[8];
} __attribute__((aligned(64))) Vec;

typedef struct X87 {
    Float80 r[8];      /* physical: ST(i) is r[(top + i) & 7]; MMi is r[i].mant */
    uint8_t top;       /* 0..7 */
    uint8_t empty;     /* bit i: physical register i is empty */
    uint16_t cw;       /* control word */
    uint16_t sw;       /* status word without TOP (bits 11-13 are zero here) */
    uint16_t fop;      /* last opcode, 11 bits */
    uint16_t fcs, fds;
    uint64_t fip, fdp;
} X87;

/* ---- lazy flags ---- */

/*
 * OSZAPC are kept as the last operation and its operands; size suffix 0..3 is log2 of the operand's bytes, so that
 * op + log2size selects a row.  dst is the result, src the second operand; bits above the size do not count.
 */
typedef enum CcOp {
    CC_FLAGS,      /* cc_src holds the OSZAPC bits themselves */
    CC_ADD = 4,    /* dst = a + src                                   CF = dst < src */
    CC_ADC = 8,    /* dst = a + src + 1 (an ADC with carry in clear is a CC_ADD) */
    CC_SUB = 12,   /* dst = a - src (CMP, NEG with a = 0)             a = dst + src */
    CC_SBB = 16,   /* dst = a - src - 1 */
    CC_LOGIC = 20, /* CF = OF = AF = 0 */
    CC_INC = 24,   /* CF kept in cc_src */
    CC_DEC = 28,   /* CF kept in cc_src */
    CC_SHL = 32,   /* src = value before the last one-bit step: CF = its top bit, OF = CF ^ top bit of dst */
    CC_SHR = 36,   /* src = value before the last one-bit step: CF = bit 0, OF = top bit of dst ^ next lower bit */
    CC_SAR = 40,   /* src = value before the last one-bit step: CF = bit 0, OF = 0 */
    CC_MUL = 44,   /* CF = OF = (src != 0); SF ZF PF AF from dst as this CPU does, see flags.c */
    CC_HOST = 48,  /* src bits 15..8 as LAHF leaves them in AH, bit 0 is OF */
    CC_CMP = 52,   /* of dst - src: both are operands */
    CC_TEST = 56,  /* of dst & src: both are operands, CF = OF = AF = 0 */
} CcOp;

/* ---- translation look-aside buffer (see mem.h) ---- */

#define TLB_BITS 13
#define TLB_SIZE (1u << TLB_BITS)
#define TLB_LOG 4096
#define TLB_LARGE_BITS 1024

/*
 * tag: linear page address for which a direct access is allowed, or an address that cannot match.  A hit is
 * (address - tag) <= 4096 - size, which also refuses page crossing.  host = addend + address.
 */
typedef struct TlbEntry {
    uint64_t rtag, wtag;
    uintptr_t addend;
    uint64_t meta; /* META_* of tlb.c */
} TlbEntry;

enum {
    MEM_KERNEL,
    MEM_KERNEL_AC, /* SMAP lifted by EFLAGS.AC */
    MEM_USER,
    MEM_USER_AC,   /* alignment checks on: never filled, so that every access takes the slow path */
    NUM_MEM_MODES,
};

/*
 * Paging-structure cache: where the last-level page table of a region is (2 MiB, or 4 MiB under 32-bit paging), and
 * what the levels above it allow.  Flushes of any kind drop all of it (SDM vol 3 section 4.10.4.1).
 */
typedef struct WalkEntry {
    gva_t region;   /* linear address >> shift of the region */
    uint64_t gen;   /* valid while equal to walk_gen; 0 never is */
    uint8_t *table; /* host address of the table, in RAM */
    bool user, write, no_exec;
} WalkEntry;
#define WALK_CACHE_SIZE 128

/* Whole pages of RAM that lie one after the other, in the guest and in the host. */
typedef struct RamWindow {
    gpa_t start;
    uint64_t size; /* 0: none */
    uint8_t *host;
} RamWindow;

/*
 * What translated code keeps of the TLB for one instruction's memory operand: a hit is (address - page) < limit, then
 * host + (address - page).  limit leaves room for the operand, or is 0: nothing is kept.
 */
typedef struct PageSlot {
    gva_t page;
    uint64_t limit;
    uintptr_t host;
} PageSlot;
#define PAGE_SLOTS 64

typedef struct FetchEntry {
    uint64_t tag;  /* linear page address with bit 0 set for CPL 3 */
    uint64_t phys; /* physical page address */
    const uint8_t *host; /* the page's bytes, NULL when it is not RAM or ROM */
    uint32_t gen;  /* valid while equal to fetch_gen[global] */
    bool global;
} FetchEntry;
#define FETCH_TLB_SIZE 512

/*
 * What the pages around the instruction pointer are mapped to, one word a page, for translated code to check: itlb_slot()
 * holds itlb_id() of the page last run there, or 0 after a flush.  A kernel's text, all of it global, should fit: two of its
 * pages with one slot would leave translated code each time control goes from one to the other.
 */
#define ITLB_LOCAL 1024
#define ITLB_GLOBAL 4096
static inline unsigned itlb_slot(bool global, gva_t lin)
{
    return global ? ITLB_LOCAL + (lin >> 12) % ITLB_GLOBAL : (lin >> 12) % ITLB_LOCAL;
}

/* ---- interrupts ---- */

/* Atomic bits of X86Cpu.events. */
enum {
    EVENT_INTR = 1 << 0, /* level: the local APIC (or PIC) has something to deliver */
    EVENT_NMI = 1 << 1,
    EVENT_INIT = 1 << 2,
    EVENT_SIPI = 1 << 3,
    EVENT_SMI = 1 << 4,
    EVENT_FLUSH = 1 << 5, /* flush all of the TLB */
    EVENT_STOP = 1 << 6,  /* the accelerator wants the thread back */
    EVENT_NMI_AGAIN = 1 << 7, /* with EVENT_NMI: a second one came */
};

typedef enum IntKind {
    INT_EXCEPTION, /* raised by an instruction; error code where the vector has one */
    INT_SOFT,      /* INT n */
    INT_SOFT_EXC,  /* INT3, INTO: DPL checked */
    INT_ICEBP,     /* INT1: no DPL check */
    INT_EXTERNAL,
    INT_NMI,
} IntKind;

/* The interrupt controller as the CPU sees it.  Called with the machine lock held. */
typedef struct ApicOps {
    int (*ack)(void *opaque); /* vector now in service, or -1 (spurious: nothing after all) */
    uint8_t (*get_tpr)(void *opaque); /* CR8: bits 7..4 of the TPR as 0..15 */
    void (*set_tpr)(void *opaque, uint8_t cr8);
    uint64_t (*get_base)(void *opaque);
    bool (*set_base)(void *opaque, uint64_t value); /* false: #GP */
    bool (*read_msr)(void *opaque, uint32_t msr, uint64_t *value); /* x2APIC 0x800-0x8ff and TSC deadline 0x6e0; false: #GP */
    bool (*write_msr)(void *opaque, uint32_t msr, uint64_t value);
    void (*init)(void *opaque); /* the CPU took an INIT */
    /* An interrupt or (nmi) an NMI to the processor of this APIC id, for paravirtual IPIs.  False: there is none. */
    bool (*send)(void *opaque, uint32_t apic_id, uint8_t vector, bool nmi);
} ApicOps;

/* ---- features ---- */

enum { CPUID_1_EDX, CPUID_1_ECX, CPUID_7_EBX, CPUID_7_ECX, CPUID_7_EDX, CPUID_D1_EAX, CPUID_81_EDX, CPUID_81_ECX,
       CPUID_87_EDX, CPUID_88_EBX, NUM_FEATURE_WORDS };
typedef enum Feature {
    FEAT_NONE = -1, /* every CPU has it */
#define FEAT(symbol, word, bit, name) FEAT_##symbol = (word) * 32 + (bit),
#include "target/x86/features.def"
#undef FEAT
} Feature;
typedef struct FeatureSet {
    uint32_t w[NUM_FEATURE_WORDS];
} FeatureSet;
static inline bool feature_in(const FeatureSet *set, Feature f)
{
    return f == FEAT_NONE || (set->w[f >> 5] >> (f & 31)) & 1;
}

typedef struct CpuModel CpuModel; /* cpuid.h */

/* ---- the processor ---- */

typedef struct X86Cpu X86Cpu;
struct X86Cpu {
    union {
        uint64_t r[NUM_REGS]; /* general registers by number; [REG_ZERO] is always 0 */
        struct {
            uint64_t gpr_names_[17];
            uint64_t rip; /* while an instruction executes: address of the next one */
        };
    };
    /* lazy flags: use flags.h */
    uint64_t cc_dst, cc_src;
    uint8_t cc_op; /* CcOp + log2 size */

    /* Derived by cpu_update_mode() whenever CR0, CR4, EFER, CS, SS, CPL or EFLAGS.{VM,AC} change. */
    uint8_t code_size;  /* 0: 16-bit, 1: 32-bit, 2: 64-bit code segment */
    uint8_t stack_size; /* log2 of bytes of the stack pointer: 1, 2 or 3 */
    uint8_t cpl;        /* 0..3; 3 in virtual-8086 mode, 0 in real mode */
    uint8_t mem_mode;   /* MEM_*: which TLB data accesses use */
    bool long_mode;     /* EFER.LMA */
    bool code64;        /* code_size == 2 */
    bool protected_mode; /* CR0.PE and not EFLAGS.VM */

    uint64_t pending_db; /* DR6 bits of data breakpoints hit by the executing instruction */
    bool break_block;   /* set by a handler: leave the block after this instruction */
    uint8_t shadow;     /* interrupts inhibited for one instruction: SHADOW_STI, SHADOW_SS */
    uint8_t pauses;     /* PAUSE instructions met, modulo 256 */
    bool nmi_blocked;   /* until IRET */
    bool halted;
    bool wait_sipi;     /* after INIT on an application processor */
    uint8_t sipi_vector; /* of EVENT_SIPI; atomic */
    uint64_t insn_rip;  /* address of the executing instruction (fault RIP) */
    const struct Insn *insn; /* the executing instruction */

    uint32_t eflags;    /* everything but OSZAPC; bit 1 set */
    Segment seg[NUM_SEGS];
    Segment ldtr, tr;
    TableReg gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4;
    uint64_t dr[4], dr6, dr7;
    uint64_t efer, xcr0, xss;
    uint64_t pdpte[4];  /* PAE paging, loaded with CR3 */
    uint64_t a20_mask;  /* ANDed with every physical address */
    uint32_t pkru, pkrs; /* rights of protection keys: user and supervisor pages */

    X87 fpu;
    /*
     * The registers, TOP, tags and status word of `fpu` are in the host's x87 unit, of this vCPU's thread: fpu_sync()
     * before looking.  The control word and the pointers are right here in any case.
     */
    bool fpu_live;
    uint32_t mxcsr;
    Vec v[32];          /* XMM/YMM/ZMM */

    /* model-specific registers that are plain storage or simple */
    struct {
        uint64_t star, lstar, cstar, fmask, kernel_gs_base, tsc_aux;
        uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
        uint64_t pat, misc_enable, mtrr_def_type, mtrr_fixed[11], mtrr_base[8], mtrr_mask[8];
        uint64_t mcg_status, mcg_ctl, mc_ctl[10], mc_status[10], mc_addr[10], mc_misc[10];
        uint64_t spec_ctrl, tsc_adjust, feature_control, debugctl;
        uint64_t pvclock_system_time, pvclock_wall_clock, pv_eoi, bios_sign_id;
        int64_t tsc_offset; /* guest TSC = host-derived TSC + offset */
    } msr;

    /* the exception being raised (cpu_raise) and the one being delivered, for double faults */
    struct {
        uint8_t vector, kind;
        bool has_error;
        uint32_t error;
        uint64_t cr2;
        uint64_t dr6; /* #DB: bits to set in DR6 */
    } exc;
    int8_t delivering; /* vector whose delivery is under way, or -1 */
    /* CPUID's last answer, for translated code: until cpu_update_mode(), or a write of an MSR or XCR0. */
    struct {
        uint32_t leaf, subleaf, out[4];
        bool known;
    } cpuid;

    uint32_t events;    /* EVENT_*; atomic */
    bool attention;     /* look at events at the next block end; atomic */

    FeatureSet features;
    const CpuModel *model;
    bool intel;         /* the model is Intel's: where vendors differ, its rules apply */
    unsigned index;     /* 0 is the boot processor */
    uint32_t apic_id;
    const ApicOps *apic;
    void *apic_opaque;
    void (*ferr)(void *opaque); /* FERR#: a waiting x87 instruction met an unmasked exception with CR0.NE clear; or NULL */
    void *ferr_opaque;
    struct Machine *machine;
    void *engine;       /* the accelerator's own part */
    const struct Stops *stops; /* stops.h; NULL: no debugger */
    gva_t stop_lin;      /* of what stop_due is about */
    uint8_t stop_kind;   /* StopKind */
    bool stop_due;       /* something is to be reported before the next instruction */
    bool stop_step;      /* one instruction, then stop */
    const struct CpuTrial *trial; /* trial.h; NULL but in a copy that tries instructions */
    /* translated code's own, see tcg/internal.h */
    uint32_t jit_mode;   /* jit_mode() while translated code runs */
    uint64_t jit_target, jit_missed; /* scratch */
    uint64_t jit_kept;               /* by shifts, INC and DEC for their flags */
    uintptr_t jit_held[4]; /* the host's addresses of checked guest memory, while a block runs */
    uint64_t jit_turns_end; /* of a loop's counter, after the turns that were checked for */
    const struct Jit *jit;
    const void *jit_table; /* JitPlace[] */
    void *jit_host_sp;   /* stack of the C code that called it */
    void *jit_calls_sp, *jit_calls_base, *jit_calls_limit; /* stack of return addresses: top, empty, nearly full */
    uint32_t itlb[ITLB_LOCAL + ITLB_GLOBAL];
    uint32_t jit_host_mxcsr; /* what handlers written in C run with */
    uint8_t vec_live;   /* VEC_*: what of v[0..15] and mxcsr is in the host's registers, while translated code runs */
    uint8_t joined[64] __attribute__((aligned(64))); /* what mem_find() has put together: in one line of the cache */
    void (*kick)(X86Cpu *cpu); /* set by the accelerator; any thread: look at `events` soon */

    jmp_buf unwind;     /* where cpu_raise() goes */

    TlbEntry tlb[NUM_MEM_MODES][TLB_SIZE];
    PageSlot slot[NUM_MEM_MODES][2][PAGE_SLOTS]; /* [1]: writable pages */
    uint64_t slots_used[NUM_MEM_MODES][2];       /* bit n: slot n may be filled; every flush of the TLB empties them */
    uint64_t slots_gen;                          /* how often they were emptied */
    FetchEntry fetch[FETCH_TLB_SIZE];
    uint16_t tlb_log[2][TLB_LOG]; /* [0] non-global, [1] global fills since the last flush: mode << TLB_BITS | index */
    uint16_t tlb_logged[2];
    uint8_t tlb_modes[2]; /* by log: bit m: something was filled in mode m since the last flush */
    uint64_t tlb_large[TLB_LARGE_BITS / 64]; /* bit n: where a piece of a 2 or 4 MiB page was filled, for INVLPG */
    uint64_t tlb_huge;  /* the same for 1 GiB pages */
    WalkEntry walk[WALK_CACHE_SIZE];
    uint64_t walk_gen;
    RamWindow window;   /* the RAM found last; dropped by tlb_flush_all() */
    uint32_t fetch_gen[2];            /* [0] non-global, [1] global */
    uint64_t tlb_fills; /* misses that were filled, for statistics */
    uint64_t tlb_gen;   /* raised by each flush of any kind: engines drop what they derived from the TLB */
};

enum { SHADOW_STI = 1, SHADOW_SS = 2 };

/* ---- life: cpu.c ---- */

/* model: from cpu_model_parse().  NULL never. */
X86Cpu *cpu_new(struct Machine *m, unsigned index, const CpuModel *model);
void cpu_free(X86Cpu *cpu);
/* RESET#: SDM vol 3 table 9-1.  The boot processor starts at F000:FFF0, others wait for SIPI. */
void cpu_reset(X86Cpu *cpu);
/* INIT: like reset but x87, SSE, MSRs, TSC keep their values. */
void cpu_init_signal(X86Cpu *cpu);
/* Start-up IPI: real mode at vector << 12. */
void cpu_sipi(X86Cpu *cpu, uint8_t vector);
/* Recompute the derived members above. */
void cpu_update_mode(X86Cpu *cpu);
/* Registers as text, for `info registers` and -d cpu_reset. */
void cpu_dump(const X86Cpu *cpu, GString *out);

/* Any thread: raise events and make the vCPU look. */
void cpu_raise_event(X86Cpu *cpu, uint32_t events);
/* Any thread: the level of the interrupt line. */
void cpu_set_intr(X86Cpu *cpu, bool level);
void cpu_lower_event(X86Cpu *cpu, uint32_t events);
/* The vCPU's thread: one waiting NMI is delivered now; a second one keeps waiting. */
void cpu_take_nmi(X86Cpu *cpu);
/* The CPU whose instructions this thread is executing, or NULL (main thread, workers). */
X86Cpu *cpu_current(void);
void cpu_set_current(X86Cpu *cpu);

/* ---- exceptions: exception.c ---- */

G_NORETURN void cpu_raise(X86Cpu *cpu, unsigned vector);
G_NORETURN void cpu_raise_error(X86Cpu *cpu, unsigned vector, uint32_t error);
G_NORETURN void cpu_raise_pf(X86Cpu *cpu, gva_t addr, uint32_t error);
/* #DB with these DR6 bits; RIP semantics (fault or trap) are the caller's: insn_rip is pushed for faults, rip for traps */
G_NORETURN void cpu_raise_db(X86Cpu *cpu, uint64_t dr6_bits, bool trap);
G_NORETURN void cpu_raise_gp0(X86Cpu *cpu);
G_NORETURN void cpu_raise_ud(X86Cpu *cpu);

/*
 * Deliver an interrupt or exception: real mode, V86 (with VME), protected mode with interrupt, trap and task gates,
 * long mode with IST.  cpu->rip is what is pushed.  May itself raise (unwind).
 */
void cpu_deliver(X86Cpu *cpu, unsigned vector, IntKind kind, bool has_error, uint32_t error);
/*
 * After an unwind: turn cpu->exc (and what was being delivered) into a delivery, by the double-fault rules of SDM vol 3
 * table 6-5.  False on a triple fault: the machine must be reset.
 */
bool cpu_deliver_pending(X86Cpu *cpu);

/* ---- what changes the machine's view of the CPU ---- */

void cpu_write_cr0(X86Cpu *cpu, uint64_t value); /* checks and #GP included */
void cpu_write_cr3(X86Cpu *cpu, uint64_t value);
void cpu_write_cr4(X86Cpu *cpu, uint64_t value);
void cpu_write_efer(X86Cpu *cpu, uint64_t value);
void cpu_set_pkru(X86Cpu *cpu, uint32_t value);
void cpu_set_pkrs(X86Cpu *cpu, uint32_t value);
uint64_t cpu_read_msr(X86Cpu *cpu, uint32_t msr);  /* #GP if there is none */
void cpu_write_msr(X86Cpu *cpu, uint32_t msr, uint64_t value);
uint64_t cpu_read_tsc(X86Cpu *cpu);
