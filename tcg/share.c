/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory operands close to one another that go by one check: a stack frame's, the fields of a structure, a load and the
 * store back, unrolled loops.  The first of them checks the span of all, for writing if any writes.  The host's address of
 * the span then is in X86Cpu.jit_held, and in H_ADDR or H_T2 until these are used otherwise.  It is good while the registers
 * of the guest's address change by known amounts only, and until C has emptied the slots of pages: what holds there holds
 * here.  When the check fails, because the span reaches into another page for one, the first instruction is done alone,
 * out of line, and what follows it is checked again or goes on in the block that begins behind it.
 */
#include "tcg/emit.h"

enum { MAX_SPAN = 128 };

/* How far instruction n moves an address; false when nobody knows. */
static bool moves(const Tr *t, unsigned n, const Place *p, int64_t *by)
{
    const Insn *i = &t->src->insns[n];
    int64_t base, index;
    *by = 0;
    if (!(t->writes[n] & (1u << p->base | 1u << p->index))) {
        return true;
    }
    if (!tr_step(i, p->base, &base) || !tr_step(i, p->index, &index)) {
        return false;
    }
    *by = base + index * (1 << p->scale);
    return true;
}

/* ---- registers that hold addresses ---- */

static HostOp home(const Tr *t, const Shared *s)
{
    return op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, jit_held) + (size_t)(s - t->shared) * sizeof(uintptr_t)));
}

static bool touched(const Tr *t, unsigned reg)
{
    return t->a.touched >> reg & 1;
}

static void now_in(Tr *t, Shared *s, unsigned reg)
{
    for (Shared *other = t->shared; other < t->shared + MAX_SHARED; other++) {
        other->reg = other->reg == reg ? H_NONE : other->reg;
    }
    s->reg = (uint8_t)reg;
    t->a.touched &= ~(1u << reg);
}

/* The register for an address: not the one with an address that is still wanted, if another does. */
static unsigned choose(const Tr *t, bool vector)
{
    for (const Shared *s = t->shared; vector && s < t->shared + MAX_SHARED; s++) {
        if (s->held && s->reg == H_ADDR && !touched(t, H_ADDR) && s->last > t->n) {
            return H_T2;
        }
    }
    return H_ADDR;
}

static unsigned pointer(Tr *t, Shared *s, bool vector)
{
    if (s->reg != H_NONE && !touched(t, s->reg) && (vector || s->reg == H_ADDR)) {
        return s->reg;
    }
    unsigned reg = choose(t, vector);
    asm_load64(&t->a, reg, home(t, s));
    now_in(t, s, reg);
    return reg;
}

Holds tr_holds(const Tr *t)
{
    Holds h = {HOLDS_NONE, HOLDS_NONE};
    for (unsigned n = 0; n < MAX_SHARED; n++) {
        if (t->shared[n].held && t->shared[n].reg != H_NONE) {
            *(t->shared[n].reg == H_ADDR ? &h.addr : &h.t2) = (uint8_t)n;
        }
    }
    return h;
}

void tr_hold_again(Tr *t, Holds holds)
{
    if (holds.addr != HOLDS_NONE) {
        asm_load64(&t->a, H_ADDR, home(t, &t->shared[holds.addr]));
    }
    if (holds.t2 != HOLDS_NONE) {
        asm_load64(&t->a, H_T2, home(t, &t->shared[holds.t2]));
    }
}

/* ---- the first of a group ---- */

typedef struct Group {
    int64_t lo, hi;
    bool write;
    unsigned last;
} Group;

static void consider(Group *g, const Place *p, const MemOperand *x, int64_t delta, unsigned n)
{
    if (!tr_same_registers(p, &x->place)) {
        return;
    }
    int64_t lo = MIN(g->lo, x->place.at + delta), hi = MAX(g->hi, x->place.at + delta + x->bytes);
    if (hi - lo <= MAX_SPAN && (p->base == REG_IP || lo == (int32_t)lo)) {
        *g = (Group){.lo = lo, .hi = hi, .write = g->write || x->write, .last = n};
    }
}

static Group look_ahead(const Tr *t, const MemOperand *first)
{
    const Place *p = &first->place;
    Group g = {.lo = p->at, .hi = p->at + first->bytes, .write = first->write, .last = t->n};
    int64_t by, delta = 0;
    for (unsigned n = t->n; n < t->src->num; n++) {
        const Insn *i = &t->src->insns[n];
        MemOperand x = {.write = false};
        if (n > t->n && (insn_undefined(i) || (insn_row(i)->attr & (A_SYS | A_IO | A_REP)))) {
            break;
        }
        if (n > t->n && tr_memory_access(t, n, &x)) {
            consider(&g, p, &x, delta, n);
        }
        x.write = false;
        if (n > t->n && tr_stack_access(i, &x)) {
            consider(&g, p, &x, delta, n);
        }
        if (!moves(t, n, p, &by)) {
            break;
        }
        delta += by;
    }
    return g;
}

/* lo as an address without an index; `scratch` may be part of it. */
static HostOp linear(Tr *t, const Shared *s, unsigned scratch)
{
    if (s->base == REG_IP) {
        asm_mov_imm(&t->a, scratch, (uint64_t)s->lo);
        return op_mem(scratch, 0);
    }
    unsigned base = tr_use(t, s->base, scratch);
    if (s->index == REG_ZERO) {
        return op_mem(base, (int32_t)s->lo);
    }
    asm_lea64(&t->a, scratch, op_sib(base, tr_use(t, s->index, H_T1), s->scale, (int32_t)s->lo));
    return op_mem(scratch, 0);
}

static void check_by_tlb(Tr *t, const Shared *s, uint8_t *from[2])
{
    HostOp m = tr_tlb_check(t, linear(t, s, H_ADDR), (unsigned)(s->hi - s->lo), s->write ? MEM_WRITE : 0, from);
    asm_lea64(&t->a, H_ADDR, m);
    asm_store64(&t->a, home(t, s), H_ADDR);
}

void tr_share_again(Tr *t, unsigned n, const Shared *s, uint8_t *from[2])
{
    t->shared[n] = *s;
    check_by_tlb(t, &t->shared[n], from);
}

static void check_by_slot(Tr *t, const Shared *s, unsigned alone)
{
    bool stack = s->base == RSP && s->index == REG_ZERO;
    HostOp lin = linear(t, s, s->reg);
    if (lin.disp) {
        asm_lea64(&t->a, s->reg, lin);
    } else if (lin.base != s->reg) {
        asm_mov_rr(&t->a, s->reg, lin.base);
    }
    tr_slot_shared(t, s->reg, (unsigned)(s->hi - s->lo), s->write, stack, alone);
    asm_store64(&t->a, home(t, s), s->reg);
}

/* One that nobody wants any more, or the one that is wanted for the shortest time. */
static Shared *room(Tr *t)
{
    Shared *best = t->shared;
    for (Shared *s = t->shared; s < t->shared + MAX_SHARED; s++) {
        unsigned last = s->held ? s->last : 0, best_last = best->held ? best->last : 0;
        best = last < best_last ? s : best;
    }
    return best;
}

/* An instruction that may have gone to a stub before this check, and comes back behind it, cannot be the first. */
static bool may_lead(const Tr *t)
{
    return !t->is_alone && t->num_alone < MAX_ALONE && t->num_alone == t->first_alone && t->num_stubs == t->first_stub;
}

static Shared *lead(Tr *t, const MemOperand *x, const Group *g)
{
    const Place *p = &x->place;
    tr_flags_clobber(t);
    Shared *s = room(t);
    Alone *o = &t->alone[t->num_alone++];
    *o = (Alone){.n = t->n, .shared = (unsigned)(s - t->shared), .place = t->place, .desc = t->desc, .pointers = t->pointers};
    unsigned reg = choose(t, x->vector);
    *s = (Shared){.held = true, .base = p->base, .index = p->index, .scale = p->scale, .lo = g->lo, .hi = g->hi,
                  .write = g->write, .first = (uint8_t)t->n, .last = (uint8_t)g->last, .reg = (uint8_t)reg};
    if (x->vector || p->base == RSP) {
        check_by_slot(t, s, t->num_alone - 1);
    } else {
        check_by_tlb(t, s, o->from);
    }
    now_in(t, s, reg);
    return s;
}

/* ---- the others ---- */

static Shared *find(Tr *t, const MemOperand *x)
{
    const Place *p = &x->place;
    for (Shared *s = t->shared; s < t->shared + MAX_SHARED; s++) {
        Place q = {.base = s->base, .index = s->index, .scale = s->scale};
        if (s->held && tr_same_registers(p, &q) && p->at >= s->lo && p->at + (int64_t)x->bytes <= s->hi &&
            (s->write || !x->write)) {
            return s;
        }
    }
    return NULL;
}

static void test_alignment(Tr *t, Shared *s, const MemOperand *x, uint8_t **from)
{
    int64_t off = x->place.at - s->lo;
    unsigned reg = s->reg;
    if (off % x->align == 0) {
        s->align = (uint8_t)x->align;
    } else {
        reg = H_T1;
        asm_lea64(&t->a, reg, op_mem(s->reg, (int32_t)off));
    }
    uint32_t before = t->a.touched;
    asm_op(&t->a, ENC_BYTE_RM, ENC_1, 0xf6, 0, op_reg(reg)); /* test */
    t->a.touched = before;
    asm_byte(&t->a, (uint8_t)(x->align - 1));
    *from = asm_jcc(&t->a, 5);
}

bool tr_shared(Tr *t, const MemOperand *x, HostOp *m)
{
    if (t->hoist) {
        return tr_hoisted(t, x, m);
    }
    if (t->is_alone) {
        return false;
    }
    Shared *s = find(t, x);
    if (s) {
        bool aligned = !x->align || (s->align >= x->align && (x->place.at - s->lo) % x->align == 0);
        if (!aligned) {
            tr_flags_clobber(t);
        }
        pointer(t, s, x->vector);
        if (!aligned) {
            Stub *stub = tr_stub(t);
            stub->wants_flags = x->wants_flags;
            test_alignment(t, s, x, &stub->from[0]);
        }
    } else {
        Group g = look_ahead(t, x);
        if (g.last == t->n || !may_lead(t)) {
            return false;
        }
        s = lead(t, x, &g);
        if (x->align) {
            test_alignment(t, s, x, &t->alone[t->num_alone - 1].from[1]);
        }
    }
    t->share_last[s->first] = (uint8_t)t->n;
    *m = op_mem(s->reg, (int32_t)(x->place.at - s->lo));
    return true;
}

void tr_share_after(Tr *t, bool emitted)
{
    if (t->hoist) {
        tr_hoist_after(t, emitted);
        return;
    }
    const Insn *i = &t->src->insns[t->n];
    bool system = insn_undefined(i) || (insn_row(i)->attr & (A_SYS | A_IO | A_REP));
    for (Shared *s = t->shared; s < t->shared + MAX_SHARED; s++) {
        if (!s->held) {
            continue;
        }
        Place p = {.base = s->base, .index = s->index, .scale = s->scale};
        int64_t by;
        s->held = emitted && !system && moves(t, t->n, &p, &by);
        if (!s->held) {
            continue;
        }
        s->lo -= by;
        s->hi -= by;
        s->held = s->base == REG_IP || s->lo == (int32_t)s->lo;
        s->reg = s->reg != H_NONE && touched(t, s->reg) ? H_NONE : s->reg;
    }
    t->a.touched = 0;
}

bool tr_shares_over(const Tr *t, unsigned n)
{
    for (unsigned first = 0; first <= n; first++) {
        if (t->share_last[first] > n) {
            return true;
        }
    }
    return false;
}
