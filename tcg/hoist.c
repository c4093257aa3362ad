/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops of one block in which memory is checked before the turns (docs/decisions/016).  Where the registers of all memory
 * operands stay or move by the same distance each turn, the pages of all are looked up once, for a number of turns that
 * stay inside them.  Then follows a copy of the loop without any check but for the end of those turns: a guest register that
 * steps is compared with where it will be then.  An operand is what it was in the guest, with one more register: the distance
 * from the guest's address to the host's, and whatever else of the address does not change.
 *
 * What is held here holds while C is not called: a loop that needs a stub, or a handler, is not hoisted.
 */
#include "tcg/emit.h"

#include <string.h>

enum {
    MAX_GROUPS = 4,
    MAX_SPAN = 256,               /* bytes of the operands of a group, in one turn */
    MOST_TURNS = 64, FEWEST = 4,  /* turns at a time: nothing is looked at meanwhile */
    FAR = 1024,                   /* bytes that the turns reach, about; at the end of a page they are counted */
    COUNTED = 0,
};

/* Operands by the same registers. */
typedef struct Group {
    Place place;
    int64_t lo, hi;  /* what the first turn touches, from the registers at its beginning */
    int64_t step;    /* of a turn */
    uint8_t align;   /* lo is checked to be a multiple of it, or 0 */
    bool write;
    bool by_base, by_index; /* which register of the guest stays in the host operand */
    uint8_t reg;     /* of the rest of the address, or H_NONE: in jit_held */
} Group;

struct Hoist {
    Group group[MAX_GROUPS];
    unsigned num;
    bool loads;                  /* operands take registers of the guest's that live in memory through H_ADDR */
    int64_t moved[16], turn[16]; /* registers: since the turn's beginning, in all of it */
    unsigned changed, unknown;   /* bit n: register n changes; and not by such steps */
    unsigned counter;            /* the register that tells the turns */
    unsigned end;                /* what it is after them: a register, or H_NONE: in jit_turns_end */
    unsigned turns;
    uint32_t touched;            /* scratch registers that the body uses itself */
    const uint8_t *top;
    FlagDesc desc;               /* the flags on the way round */
    bool stores;                 /* the flags are stored on the way round: the loop's head may see them */
    bool closed, by_handler;     /* the way round has been emitted; an instruction is done by its handler */
    uint8_t *fails[2 * MAX_GROUPS];
    unsigned num_fails;
};

/* ---- which loops ---- */

static bool find_steps(const Tr *t, Hoist *h)
{
    for (unsigned n = 0; n < t->src->num; n++) {
        unsigned changes = insn_writes(&t->src->insns[n]);
        h->changed |= changes;
        for (unsigned r = 0; r < 16; r++) {
            int64_t by;
            if (!(changes >> r & 1)) {
                continue;
            }
            if (tr_step(&t->src->insns[n], r, &by)) {
                h->turn[r] += by;
            } else {
                h->unknown |= 1u << r;
            }
        }
    }
    for (unsigned r = 0; r < 16; r++) {
        bool fits = h->turn[r] * MOST_TURNS == (int32_t)(h->turn[r] * MOST_TURNS);
        if (!(h->unknown >> r & 1) && fits && h->turn[r] != 0 && host_of(r) != H_NONE) {
            h->counter = r;
            return true;
        }
    }
    return false;
}

static int64_t along(const Place *p, const int64_t *registers)
{
    int64_t base = p->base < 16 ? registers[p->base] : 0, index = p->index < 16 ? registers[p->index] : 0;
    return base + index * (1 << p->scale);
}

static bool steady(const Hoist *h, unsigned reg)
{
    return reg >= 16 || !(h->changed >> reg & 1);
}

/* Only one of an operand's registers may move.  If that is none of the host's, it is loaded for each use. */
static bool new_group(Hoist *h, const MemOperand *x, int64_t at)
{
    const Place *p = &x->place;
    bool moving_base = !steady(h, p->base), moving_index = !steady(h, p->index);
    unsigned moving = moving_base ? p->base : moving_index ? p->index : (unsigned)REG_ZERO;
    if (h->num == MAX_GROUPS || (moving_base && moving_index)) {
        return false;
    }
    h->loads |= moving < 16 && host_of(moving) == H_NONE;
    h->group[h->num++] = (Group){.place = *p, .lo = at, .hi = at + x->bytes, .step = along(p, h->turn), .align = (uint8_t)x->align,
                                 .write = x->write, .by_base = moving_base, .by_index = moving_index};
    return true;
}

static bool add_operand(Hoist *h, const MemOperand *x)
{
    const Place *p = &x->place;
    if ((p->base < 16 && (h->unknown >> p->base & 1)) || (p->index < 16 && (h->unknown >> p->index & 1))) {
        return false;
    }
    int64_t at = p->at + along(p, h->moved);
    for (Group *g = h->group; g < h->group + h->num; g++) {
        int64_t lo = MIN(g->lo, at), hi = MAX(g->hi, at + x->bytes);
        if (tr_same_registers(&g->place, p) && hi - lo <= MAX_SPAN) {
            g->lo = lo;
            g->hi = hi;
            g->write |= x->write;
            g->align = (uint8_t)MAX(g->align, x->align);
            return true;
        }
    }
    return new_group(h, x, at);
}

/* The registers' way through a turn, up to instruction n. */
static void move_on(Hoist *h, const Insn *i)
{
    for (unsigned r = 0; r < 16; r++) {
        int64_t by;
        if (!(h->unknown >> r & 1) && tr_step(i, r, &by)) {
            h->moved[r] += by;
        }
    }
}

static bool find_groups(const Tr *t, Hoist *h)
{
    for (unsigned n = 0; n < t->src->num; n++) {
        MemOperand x = {.write = false}, stack = {.write = false};
        if ((tr_memory_access(t, n, &x) && !add_operand(h, &x)) ||
            (tr_stack_access(&t->src->insns[n], &stack) && !add_operand(h, &stack))) {
            return false;
        }
        move_on(h, &t->src->insns[n]);
    }
    memset(h->moved, 0, sizeof(h->moved));
    return true;
}

static int64_t distance(const Group *g)
{
    return g->step < 0 ? -g->step : g->step;
}

static bool choose_turns(Hoist *h)
{
    int64_t turns = MOST_TURNS;
    for (const Group *g = h->group; g < h->group + h->num; g++) {
        bool near = g->place.base == REG_IP || (g->lo - FAR == (int32_t)(g->lo - FAR) && g->hi == (int32_t)g->hi);
        if (!near || distance(g) > FAR || (g->align && distance(g) % g->align)) {
            return false;
        }
        if (g->step) {
            turns = MIN(turns, (FAR - (g->hi - g->lo)) / distance(g) + 1);
        }
    }
    h->turns = (unsigned)MAX(turns, FEWEST);
    return true;
}

/* What is live behind each instruction when none of them can stop.  Does the loop's head see flags? */
static bool find_liveness(Tr *t)
{
    const JitSource *src = t->src;
    uint8_t now = LIVE_ALL;
    for (unsigned n = src->num; n-- > 0;) {
        InsnFlags f = insn_flags(&src->insns[n]);
        t->live[n] = now;
        now = insn_row(&src->insns[n])->attr & A_END ? LIVE_ALL : (uint8_t)((now & ~f.kills) | f.reads);
    }
    return now != 0;
}

/* ---- the checks in front ---- */

static HostOp home(const Hoist *h, const Group *g)
{
    return op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, jit_held) + (size_t)(g - h->group) * sizeof(uintptr_t)));
}

/* Operands in registers, as many as there are. */
static uint32_t choose_registers(Hoist *h, uint32_t free)
{
    static const uint8_t order[] = {H_ADDR, H_T1, H_T2};
    uint32_t used = 0;
    if (h->loads || h->num > (unsigned)__builtin_popcount(free)) {
        free &= ~(1u << H_ADDR); /* the others come through it */
    }
    for (unsigned n = 0, k = 0; n < h->num; n++) {
        while (k < sizeof(order) && !(free >> order[k] & 1)) {
            k++;
        }
        h->group[n].reg = k < sizeof(order) ? order[k++] : H_NONE;
        used |= h->group[n].reg != H_NONE ? 1u << h->group[n].reg : 0;
    }
    uint32_t left = free & ~used;
    h->end = left ? (unsigned)__builtin_ctz(left) : H_NONE;
    return left ? used | 1u << h->end : used;
}

/* The lowest address as one without an index; T1 and T2 are free. */
static HostOp lowest(Tr *t, const Place *p, int64_t at)
{
    if (p->base == REG_IP) {
        asm_mov_imm(&t->a, H_T2, (uint64_t)at);
        return op_mem(H_T2, 0);
    }
    unsigned base = tr_use(t, p->base, H_T2);
    if (p->index == REG_ZERO) {
        return op_mem(base, (int32_t)at);
    }
    asm_lea64(&t->a, H_T2, op_sib(base, tr_use(t, p->index, H_T1), p->scale, (int32_t)at));
    return op_mem(H_T2, 0);
}

static void add_guest(Tr *t, unsigned guest, unsigned scale)
{
    if (guest >= 16) {
        return;
    }
    if (scale == 0 && host_of(guest) == H_NONE) {
        asm_op(&t->a, ENC_W, ENC_1, 0x03, H_T1, guest_home(guest));
    } else {
        asm_lea64(&t->a, H_T1, op_sib(H_T1, tr_use(t, guest, H_T2), scale, 0));
    }
}

/* T2, an offset in the group's page, becomes the number of turns that stay in it but one; the least goes to jit_turns_end. */
static void count_turns(Tr *t, const Group *g)
{
    enum { SHIFT = 24 };
    Asm *a = &t->a;
    uint64_t d = (uint64_t)distance(g);
    if (g->step > 0) { /* from the other end */
        asm_op(a, ENC_W, ENC_1, 0x81, 5, op_reg(H_T2)); /* sub */
        asm_le(a, (uint64_t)(PAGE_SIZE - (g->hi - g->lo)), 4);
        asm_op(a, ENC_W, ENC_1, 0xf7, 3, op_reg(H_T2)); /* neg */
    }
    /* divided by d: right for what is below 4096 as d is below 4096, too */
    asm_op(a, ENC_W, ENC_1, 0x69, H_T2, op_reg(H_T2)); /* imul */
    asm_le(a, (1u << SHIFT) / d + 1, 4);
    asm_op(a, ENC_W, ENC_1, 0xc1, 5, op_reg(H_T2)); /* shr */
    asm_byte(a, SHIFT);
    asm_op(a, ENC_W, ENC_1, 0x3b, H_T2, CPU_MEM(jit_turns_end)); /* cmp */
    asm_op(a, ENC_W, ENC_0F, 0x47, H_T2, CPU_MEM(jit_turns_end)); /* cmova */
    asm_store64(a, CPU_MEM(jit_turns_end), H_T2);
}

/* The group's page, for so many turns, or one of those that are counted; H_T1 becomes what the host operands need. */
static void check_group(Tr *t, Hoist *h, const Group *g, unsigned turns)
{
    uint8_t *from[2] = {NULL};
    int64_t way = turns == COUNTED ? 0 : g->step * (int64_t)(turns - 1), lo = g->lo + MIN(way, 0), hi = g->hi + MAX(way, 0);
    tr_tlb_check(t, lowest(t, &g->place, lo), (unsigned)(hi - lo), g->write ? MEM_WRITE : 0, from);
    h->fails[h->num_fails++] = from[0];
    if (g->align) { /* T2 is the offset in the page */
        asm_op(&t->a, ENC_BYTE_RM, ENC_1, 0xf6, 0, op_reg(H_T2)); /* test */
        asm_byte(&t->a, (uint8_t)(g->align - 1));
        h->fails[h->num_fails++] = asm_jcc(&t->a, 5);
    }
    if (turns == COUNTED && g->step) {
        count_turns(t, g);
    }
    if (g->place.base == REG_IP) {
        asm_mov_imm(&t->a, H_T2, (uint64_t)g->lo);
        asm_op(&t->a, ENC_W, ENC_1, 0x03, H_T1, op_reg(H_T2));
        return;
    }
    if (!g->by_base) {
        add_guest(t, g->place.base, 0);
    }
    if (!g->by_index) {
        add_guest(t, g->place.index, g->place.scale);
    }
}

static void keep(Tr *t, const Hoist *h, const Group *g)
{
    if (g->reg == H_ADDR) {
        asm_mov_rr(&t->a, H_ADDR, H_T1);
    } else if (g->reg != H_T1) {
        asm_store64(&t->a, home(h, g), H_T1);
    }
}

static void check_all(Tr *t, Hoist *h, unsigned turns)
{
    Asm *a = &t->a;
    int32_t step = (int32_t)h->turn[h->counter];
    unsigned counter = host_of(h->counter), end = h->end == H_NONE ? H_T2 : h->end;
    h->num_fails = 0;
    if (turns == COUNTED) {
        asm_store_imm32(a, CPU_MEM(jit_turns_end), MOST_TURNS - 1);
    }
    for (unsigned last = 0; last < 2; last++) { /* the one that T1 is kept for comes last */
        for (const Group *g = h->group; g < h->group + h->num; g++) {
            if ((g->reg == H_T1) == last) {
                check_group(t, h, g, turns);
                keep(t, h, g);
            }
        }
    }
    if (turns == COUNTED) {
        asm_op(a, ENC_W, ENC_1, 0x69, H_T2, CPU_MEM(jit_turns_end)); /* imul */
        asm_le(a, (uint32_t)step, 4);
        asm_lea64(a, end, op_sib(counter, H_T2, 0, step));
    } else {
        asm_lea64(a, end, op_mem(counter, step * (int32_t)turns));
    }
    if (h->end == H_NONE) {
        asm_store64(a, CPU_MEM(jit_turns_end), end);
    }
    for (const Group *g = h->group; g < h->group + h->num; g++) {
        if (g->reg == H_T2) {
            asm_load64(a, H_T2, home(h, g));
        }
    }
}

/* ---- the turns ---- */

bool tr_hoisted(Tr *t, const MemOperand *x, HostOp *m)
{
    const Hoist *h = t->hoist;
    const Place *p = &x->place;
    int64_t at = p->at + along(p, h->moved);
    for (const Group *g = h->group; g < h->group + h->num; g++) {
        if (!tr_same_registers(&g->place, p) || at < g->lo || at + (int64_t)x->bytes > g->hi || (x->write && !g->write) ||
            (x->align && (x->align > g->align || (at - g->lo) % x->align))) {
            continue;
        }
        unsigned reg = g->reg, moving = g->by_base ? p->base : g->by_index ? p->index : (unsigned)REG_ZERO;
        bool loads = moving < 16 && host_of(moving) == H_NONE;
        if (loads && reg == H_NONE) {
            return false; /* both would be in H_ADDR */
        }
        if (reg == H_NONE) {
            reg = H_ADDR;
            asm_load64(&t->a, reg, home(h, g));
        }
        moving = moving < 16 ? tr_use(t, moving, H_ADDR) : moving;
        if (p->base == REG_IP) {
            *m = op_mem(reg, (int32_t)(at - g->lo));
        } else if (g->by_index) {
            *m = op_sib(reg, moving, p->scale, (int32_t)p->at);
        } else {
            *m = g->by_base ? op_sib(moving, reg, 0, (int32_t)p->at) : op_mem(reg, (int32_t)p->at);
        }
        return true;
    }
    return false;
}

void tr_hoist_after(Tr *t, bool emitted)
{
    move_on(t->hoist, &t->src->insns[t->n]);
    t->hoist->touched |= t->hoist->closed ? 0 : t->a.touched;
    t->hoist->by_handler |= !emitted;
    t->a.touched = 0;
}

bool tr_hoist_again_if(Tr *t, unsigned cc)
{
    Hoist *h = t->hoist;
    if (t->n != t->src->num - 1 || t->place != FLAGS_IN_HOST) {
        return false;
    }
    if (h->stores) {
        tr_flags_to_cpu(t);
    } else if (t->desc.kind == DESC_NONE) {
        return false;
    }
    uint8_t *from = asm_jcc(&t->a, cc);
    if (!t->a.full) {
        asm_patch(from, h->top);
    }
    h->touched |= t->a.touched; /* what follows is the way out */
    h->desc = t->desc;
    h->closed = true;
    return true;
}

/* ---- all of it ---- */

static void patch_fails(Tr *t, const Hoist *h)
{
    for (unsigned n = 0; n < h->num_fails && !t->a.full; n++) {
        asm_patch(h->fails[n], t->a.p);
    }
}

/* Checks and body; false when something of it cannot be without a stub.  out: the jump when the turns are done. */
static bool emit_turns(Tr *t, Hoist *h, uint8_t **out)
{
    Asm *a = &t->a;
    unsigned stubs = t->num_stubs, alone = t->num_alone, fetches = t->num_fetches;
    check_all(t, h, h->turns);
    h->top = a->p;
    asm_op(a, ENC_W, ENC_1, 0x3b, host_of(h->counter), h->end == H_NONE ? CPU_MEM(jit_turns_end) : op_reg(h->end)); /* cmp */
    *out = asm_jcc(a, 4);
    memset(h->moved, 0, sizeof(h->moved));
    h->touched = a->touched = 0;
    h->closed = h->by_handler = false;
    t->place = h->stores ? FLAGS_IN_CPU : FLAGS_DEAD;
    t->desc.kind = DESC_NONE;
    t->ended = false;
    t->hoist = h;
    tr_insns(t);
    t->hoist = NULL;
    return h->closed && !h->by_handler && t->num_stubs == stubs && t->num_alone == alone && t->num_fetches == fetches &&
           !a->full;
}

/* Behind the turns: round again by the block's own checks; or those turns that there is room for. */
static void emit_rest(Tr *t, Hoist *h, uint8_t *out, const uint8_t *entry)
{
    Asm *a = &t->a;
    asm_patch(out, a->p);
    if (!h->stores) {
        tr_flags_store(t, &h->desc, FLAGS_IN_DESC);
    }
    asm_jmp_to(a, entry);
    if (h->num) {
        patch_fails(t, h);
        check_all(t, h, COUNTED);
        asm_jmp_to(a, h->top);
        patch_fails(t, h);
    }
}

static bool hoist(Tr *t, Hoist *h, const uint8_t *entry)
{
    enum { ALL = 1 << H_ADDR | 1 << H_T1 | 1 << H_T2 };
    uint8_t *start = t->a.p, *out;
    uint32_t free = ALL, used;
    unsigned stubs = t->num_stubs, alone = t->num_alone, misses = t->num_misses, exits = t->num_exits;
    unsigned sides = t->num_sides, fetches = t->num_fetches;
    for (;;) {
        used = choose_registers(h, free);
        bool possible = emit_turns(t, h, &out);
        if (possible && !(h->touched & used)) {
            emit_rest(t, h, out, entry);
            return true;
        }
        t->a.p = start;
        t->num_stubs = stubs;
        t->num_alone = alone;
        t->num_misses = misses;
        t->num_sides = sides;
        t->num_exits = exits;
        t->num_fetches = fetches;
        if (possible) {
            free &= ~h->touched;
        } else if (!h->closed && !h->stores) {
            h->stores = true; /* nothing describes them */
        } else {
            return false;
        }
    }
}

bool tr_hoist(Tr *t, const uint8_t *entry)
{
    Hoist h;
    memset(&h, 0, sizeof(h));
    bool done = find_steps(t, &h) && find_groups(t, &h) && choose_turns(&h);
    if (done) {
        h.stores = find_liveness(t);
        done = hoist(t, &h, entry);
    }
    memcpy(t->jit->next_slot, t->first_slot, sizeof(t->first_slot));
    memset(t->shared, 0, sizeof(t->shared));
    memset(t->share_last, 0, sizeof(t->share_last));
    flags_liveness(t->src->insns, t->src->num, t->live);
    t->place = FLAGS_IN_CPU;
    t->desc.kind = DESC_NONE;
    t->ended = false;
    t->a.touched = 0;
    return done;
}
