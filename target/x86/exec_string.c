/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions.  Registers are committed after every element, so that a fault or an interruption in the middle
 * of a REP leaves a state from which the instruction continues.
 * Spec: Intel SDM vol 1 section 7.3.9, vol 2 MOVS STOS LODS CMPS SCAS INS OUTS, REP.
 */
#include "target/x86/exec_int.h"

typedef struct Rep {
    unsigned size, asize; /* bytes, log2 bytes */
    gva_t mask;
    bool repeat;
    bool back;      /* EFLAGS.DF */
    uint64_t step;  /* +size or -size */
} Rep;

static inline Rep rep_start(const X86Cpu *cpu, const Insn *i)
{
    unsigned size = 1u << i->osize;
    bool back = cpu->eflags & FL_DF;
    return (Rep){
        .size = size,
        .asize = i->asize,
        .mask = asize_mask[i->asize],
        .repeat = i->flags & (INSN_REP | INSN_REPNE),
        .back = back,
        .step = back ? -(uint64_t)size : size,
    };
}

static inline bool rep_done(const X86Cpu *cpu, const Rep *rep)
{
    return rep->repeat && (cpu->r[RCX] & rep->mask) == 0;
}

static inline void advance(X86Cpu *cpu, const Rep *rep, unsigned reg, uint64_t by)
{
    reg_set_log2(cpu, reg, rep->asize, cpu->r[reg] + by);
}

static inline void count_down(X86Cpu *cpu, const Rep *rep, uint64_t n)
{
    if (rep->repeat) {
        reg_set_log2(cpu, RCX, rep->asize, cpu->r[RCX] - n);
    }
}

/*
 * After an element of a REP: true when the next one may follow at once.  Otherwise either everything is done, or the
 * instruction starts again after an interrupt or a single-step trap.
 */
static inline bool rep_next(X86Cpu *cpu, const Rep *rep)
{
    if (!rep->repeat || (cpu->r[RCX] & rep->mask) == 0) {
        return false;
    }
    if (unlikely((cpu->eflags & FL_TF) || cpu->break_block || __atomic_load_n(&cpu->attention, __ATOMIC_RELAXED))) {
        cpu->rip = cpu->insn_rip;
        /* SDM vol 3 17.3.1.1: the image pushed after any iteration but the last has RF, so that no breakpoint repeats. */
        cpu->eflags |= FL_RF;
        cpu->break_block = true;
        return false;
    }
    return true;
}

static inline uint64_t load_element(X86Cpu *cpu, const Rep *rep, unsigned seg, gva_t off)
{
    switch (rep->size) {
    case 1:
        return mem_read8(cpu, seg, off);
    case 2:
        return mem_read16(cpu, seg, off);
    case 4:
        return mem_read32(cpu, seg, off);
    default:
        return mem_read64(cpu, seg, off);
    }
}

static inline void store_element(X86Cpu *cpu, const Rep *rep, gva_t off, uint64_t v)
{
    switch (rep->size) {
    case 1:
        mem_write8(cpu, SEG_ES, off, (uint8_t)v);
        break;
    case 2:
        mem_write16(cpu, SEG_ES, off, (uint16_t)v);
        break;
    case 4:
        mem_write32(cpu, SEG_ES, off, (uint32_t)v);
        break;
    default:
        mem_write64(cpu, SEG_ES, off, v);
        break;
    }
}

static inline gva_t source_offset(const X86Cpu *cpu, const Rep *rep)
{
    return cpu->r[RSI] & rep->mask;
}
static inline gva_t dest_offset(const X86Cpu *cpu, const Rep *rep)
{
    return cpu->r[RDI] & rep->mask;
}

/* ---- runs of elements in directly accessible RAM ---- */

/*
 * How many elements from `off` on, in the direction of DF and at most `want`, lie in one page of RAM that this CPU
 * may access directly; *host gets the lowest byte of the run.  0: go the checked way, element by element.
 */
static uint64_t direct_run(X86Cpu *cpu, const Rep *rep, unsigned seg, gva_t off, Access access, uint64_t want,
                           uint8_t **host)
{
    gva_t lin = seg_linear(cpu, seg, off, rep->size, access);
    const TlbEntry *e = &cpu->tlb[cpu->mem_mode][(lin >> 12) & (TLB_SIZE - 1)];
    gva_t in_page = lin - (access == ACCESS_WRITE ? e->wtag : e->rtag);
    if (in_page > 4096 - rep->size) {
        return 0;
    }
    uint64_t n = rep->back ? in_page / rep->size + 1 : (4096 - in_page) / rep->size;
    n = MIN(n, want);
    uint64_t bytes = n * rep->size;
    gva_t low = rep->back ? off + rep->size - bytes : off;
    if (!cpu->code64) {
        /* No limit inside the run, no wrap of the offset or the linear address. */
        const Segment *s = &cpu->seg[seg];
        uint64_t end = access == ACCESS_WRITE ? s->fast_w : s->fast_r;
        if (low > off + rep->size || low + bytes > end || low + bytes > rep->mask) {
            return 0;
        }
    } else if (rep->asize == 2 && low + bytes > rep->mask) {
        return 0;
    }
    *host = (uint8_t *)(e->addend + lin) - (off - low);
    return n;
}

#define DEFINE_COPY_RUN(bits)                                                                                        \
    static void copy_run##bits(uint8_t *to, const uint8_t *from, uint64_t n, bool back)                              \
    {                                                                                                                \
        for (uint64_t k = 0; k < n; k++) {                                                                           \
            uint64_t at = (back ? n - 1 - k : k) * (bits / 8);                                                       \
            uint##bits##_t v;                                                                                        \
            memcpy(&v, from + at, bits / 8);                                                                         \
            memcpy(to + at, &v, bits / 8);                                                                           \
        }                                                                                                            \
    }
#define DEFINE_FILL_RUN(bits)                                                                                        \
    static void fill_run##bits(uint8_t *to, uint##bits##_t v, uint64_t n)                                            \
    {                                                                                                                \
        for (uint64_t k = 0; k < n; k++) {                                                                           \
            memcpy(to + k * (bits / 8), &v, bits / 8);                                                               \
        }                                                                                                            \
    }
DEFINE_COPY_RUN(8)
DEFINE_COPY_RUN(16)
DEFINE_COPY_RUN(32)
DEFINE_COPY_RUN(64)
DEFINE_FILL_RUN(16)
DEFINE_FILL_RUN(32)
DEFINE_FILL_RUN(64)

/* Overlapping runs repeat the pattern exactly as single elements in order do. */
static void copy_run(const Rep *rep, uint8_t *to, const uint8_t *from, uint64_t n)
{
    uint64_t bytes = n * rep->size;
    if (to + bytes <= from || from + bytes <= to) {
        memcpy(to, from, bytes);
    } else if (rep->size == 1) {
        copy_run8(to, from, n, rep->back);
    } else if (rep->size == 2) {
        copy_run16(to, from, n, rep->back);
    } else if (rep->size == 4) {
        copy_run32(to, from, n, rep->back);
    } else {
        copy_run64(to, from, n, rep->back);
    }
}

static void fill_run(const Rep *rep, uint8_t *to, uint64_t v, uint64_t n)
{
    if (rep->size == 1) {
        memset(to, (int)v, n);
    } else if (rep->size == 2) {
        fill_run16(to, (uint16_t)v, n);
    } else if (rep->size == 4) {
        fill_run32(to, (uint32_t)v, n);
    } else {
        fill_run64(to, v, n);
    }
}

enum { MIN_RUN = 4 }; /* elements: below, the set-up costs more than it saves */

static uint64_t movs_run(X86Cpu *cpu, const Insn *i, const Rep *rep)
{
    uint64_t n = cpu->r[RCX] & rep->mask;
    uint8_t *from, *to;
    if (n < MIN_RUN || (cpu->eflags & FL_TF)) {
        return 0;
    }
    n = direct_run(cpu, rep, i->seg, source_offset(cpu, rep), ACCESS_READ, n, &from);
    uint64_t m = n ? direct_run(cpu, rep, SEG_ES, dest_offset(cpu, rep), ACCESS_WRITE, n, &to) : 0;
    if (m == 0) {
        return 0;
    }
    if (m < n && rep->back) {
        from += (n - m) * rep->size; /* the upper part of the source run */
    }
    copy_run(rep, to, from, m);
    return m;
}

static uint64_t stos_run(X86Cpu *cpu, const Rep *rep)
{
    uint64_t n = cpu->r[RCX] & rep->mask;
    uint8_t *to;
    if (n < MIN_RUN || (cpu->eflags & FL_TF)) {
        return 0;
    }
    n = direct_run(cpu, rep, SEG_ES, dest_offset(cpu, rep), ACCESS_WRITE, n, &to);
    if (n) {
        fill_run(rep, to, cpu->r[RAX], n);
    }
    return n;
}

/* ---- the instructions ---- */

static void movs(X86Cpu *cpu, const Insn *i)
{
    Rep rep = rep_start(cpu, i);
    if (rep_done(cpu, &rep)) {
        return;
    }
    do {
        uint64_t n = rep.repeat ? movs_run(cpu, i, &rep) : 0;
        if (n == 0) {
            store_element(cpu, &rep, dest_offset(cpu, &rep),
                          load_element(cpu, &rep, i->seg, source_offset(cpu, &rep)));
            n = 1;
        }
        advance(cpu, &rep, RSI, n * rep.step);
        advance(cpu, &rep, RDI, n * rep.step);
        count_down(cpu, &rep, n);
    } while (rep_next(cpu, &rep));
}
EXEC_ONE(movs, movs);

static void stos(X86Cpu *cpu, const Insn *i)
{
    Rep rep = rep_start(cpu, i);
    if (rep_done(cpu, &rep)) {
        return;
    }
    do {
        uint64_t n = rep.repeat ? stos_run(cpu, &rep) : 0;
        if (n == 0) {
            store_element(cpu, &rep, dest_offset(cpu, &rep), cpu->r[RAX]);
            n = 1;
        }
        advance(cpu, &rep, RDI, n * rep.step);
        count_down(cpu, &rep, n);
    } while (rep_next(cpu, &rep));
}
EXEC_ONE(stos, stos);

static void lods(X86Cpu *cpu, const Insn *i)
{
    Rep rep = rep_start(cpu, i);
    if (rep_done(cpu, &rep)) {
        return;
    }
    do {
        uint64_t v = load_element(cpu, &rep, i->seg, source_offset(cpu, &rep));
        if (rep.size == 1) {
            reg8_set(cpu, 0, (uint8_t)v);
        } else {
            reg_set_log2(cpu, RAX, i->osize, v);
        }
        advance(cpu, &rep, RSI, rep.step);
        count_down(cpu, &rep, 1);
    } while (rep_next(cpu, &rep));
}
EXEC_ONE(lods, lods);

/* F3 goes on while equal, F2 while not equal. */
static inline bool compare_goes_on(const Insn *i, bool equal)
{
    return equal == !(i->flags & INSN_REPNE);
}

static inline void compare_flags(X86Cpu *cpu, const Insn *i, uint64_t a, uint64_t b)
{
    uint64_t mask = ~0ull >> (64 - (8u << i->osize));
    flags_lazy(cpu, CC_SUB, i->osize, (a - b) & mask, b & mask);
}

static void cmps(X86Cpu *cpu, const Insn *i)
{
    Rep rep = rep_start(cpu, i);
    if (rep_done(cpu, &rep)) {
        return;
    }
    uint64_t a = 0, b;
    bool source_first = rep.size == 1 && (i->flags & INSN_REP); /* which of two faults comes, on Zen */
    do {
        if (source_first) {
            a = load_element(cpu, &rep, i->seg, source_offset(cpu, &rep));
        }
        b = load_element(cpu, &rep, SEG_ES, dest_offset(cpu, &rep));
        if (!source_first) {
            a = load_element(cpu, &rep, i->seg, source_offset(cpu, &rep));
        }
        compare_flags(cpu, i, a, b);
        advance(cpu, &rep, RSI, rep.step);
        advance(cpu, &rep, RDI, rep.step);
        count_down(cpu, &rep, 1);
    } while (compare_goes_on(i, a == b) && rep_next(cpu, &rep));
}
EXEC_ONE(cmps, cmps);

static void scas(X86Cpu *cpu, const Insn *i)
{
    Rep rep = rep_start(cpu, i);
    if (rep_done(cpu, &rep)) {
        return;
    }
    uint64_t a = cpu->r[RAX] & (~0ull >> (64 - (8u << i->osize))), b;
    do {
        b = load_element(cpu, &rep, SEG_ES, dest_offset(cpu, &rep));
        compare_flags(cpu, i, a, b);
        advance(cpu, &rep, RDI, rep.step);
        count_down(cpu, &rep, 1);
    } while (compare_goes_on(i, a == b) && rep_next(cpu, &rep));
}
EXEC_ONE(scas, scas);

/* ---- port strings: the memory side is checked before the port sees anything; no 64-bit form ---- */

static void ins(X86Cpu *cpu, const Insn *i)
{
    Rep rep = rep_start(cpu, i);
    if (rep_done(cpu, &rep)) {
        return;
    }
    uint16_t port = (uint16_t)cpu->r[RDX];
    rep.size = MIN(rep.size, 4);
    rep.step = rep.back ? -(uint64_t)rep.size : rep.size;
    io_check(cpu, port, rep.size);
    do {
        mem_probe(cpu, SEG_ES, dest_offset(cpu, &rep), rep.size, ACCESS_WRITE);
        /* No host address is kept meanwhile: the device may change the memory map, or a page may become watched. */
        store_element(cpu, &rep, dest_offset(cpu, &rep), io_in(cpu, port, rep.size));
        advance(cpu, &rep, RDI, rep.step);
        count_down(cpu, &rep, 1);
    } while (rep_next(cpu, &rep));
}
EXEC_ONE(ins, ins);

static void outs(X86Cpu *cpu, const Insn *i)
{
    Rep rep = rep_start(cpu, i);
    if (rep_done(cpu, &rep)) {
        return;
    }
    uint16_t port = (uint16_t)cpu->r[RDX];
    rep.size = MIN(rep.size, 4);
    rep.step = rep.back ? -(uint64_t)rep.size : rep.size;
    io_check(cpu, port, rep.size);
    do {
        uint32_t v = (uint32_t)load_element(cpu, &rep, i->seg, source_offset(cpu, &rep));
        io_out(cpu, port, v, rep.size);
        advance(cpu, &rep, RSI, rep.step);
        count_down(cpu, &rep, 1);
    } while (rep_next(cpu, &rep));
}
EXEC_ONE(outs, outs);
