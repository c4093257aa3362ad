/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vector operands close to one another that go by one check: a load and the store back, fields of a structure, unrolled
 * loops.  The first of them checks the span of all, for writing if any writes; the host's address then stays in H_ADDR or
 * H_T2 while nothing but vector instructions and additions to pointers follow.  Nothing between can change the TLB, except
 * C code: a stub in between does not come back, it goes on in the block that begins behind its instruction.
 */
#include "tcg/emit.h"

enum { MAX_SPAN = 128 };

/* base + (index << scale) + at */
typedef struct Place {
    uint8_t base, index, scale;
    int64_t at;
} Place;

static bool place_of(const Tr *t, unsigned n, Place *p)
{
    const Insn *i = &t->src->insns[n];
    if (i->asize != 3 || i->seg >= SEG_FS || i->base == REG_ZERO || i->disp != (int32_t)i->disp) {
        return false;
    }
    *p = (Place){.base = i->base, .index = i->index, .scale = i->scale, .at = i->disp};
    if (i->base == REG_IP) {
        p->index = REG_ZERO;
        p->at += (int64_t)t->rip[n + 1];
    }
    return true;
}

/* ADD or SUB of an immediate to a register that is in the host's: how far a place with these registers moves. */
static bool is_step(const Insn *i, const Place *p, int64_t *moved)
{
    unsigned op = i->modrm >> 3 & 7;
    if (insn_undefined(i) || insn_row(i)->map != MAP_1 || (i->opcode != 0x81 && i->opcode != 0x83) || is_mem(i) ||
        (op != 0 && op != 5) || i->osize != 3 || host_of(i->rm) == H_NONE) {
        return false;
    }
    int64_t imm = i->opcode == 0x83 ? (int8_t)i->imm : (int32_t)i->imm;
    imm = op == 5 ? -imm : imm;
    *moved = (p->base == i->rm ? imm : 0) + (p->index == i->rm ? imm * (1 << p->scale) : 0);
    return true;
}

static bool same_registers(const Place *a, const Place *b)
{
    return a->base == b->base && a->index == b->index && (a->index == REG_ZERO || a->scale == b->scale);
}

static void drop(Tr *t)
{
    t->shared[0].held = t->shared[1].held = false;
}

/* Make room for a check in the host's flags.  True when that took instructions, which use what is shared. */
static bool clobber_flags(Tr *t)
{
    const uint8_t *before = t->a.p;
    tr_flags_clobber(t);
    if (t->a.p == before) {
        return false;
    }
    drop(t);
    return true;
}

/* ---- the first of a group ---- */

typedef struct Group {
    int64_t lo, hi;
    bool write;
    unsigned last;
} Group;

static Group look_ahead(const Tr *t, const Place *p, const VectorAccess *x)
{
    Group g = {.lo = p->at, .hi = p->at + x->bytes, .write = x->write, .last = t->n};
    int64_t moved, delta = 0;
    for (unsigned n = t->n + 1; n < t->src->num; n++) {
        const Insn *i = &t->src->insns[n];
        VectorAccess y;
        Place q;
        if (is_step(i, p, &moved)) {
            delta += moved;
            continue;
        }
        if (!emit_vector_access(t, i, &y) || !y.steady || (y.bytes && !place_of(t, n, &q))) {
            break;
        }
        if (!y.bytes || !same_registers(p, &q)) {
            continue;
        }
        int64_t lo = MIN(g.lo, q.at + delta), hi = MAX(g.hi, q.at + delta + y.bytes);
        if (hi - lo <= MAX_SPAN && (p->base == REG_IP || lo == (int32_t)lo)) {
            g = (Group){.lo = lo, .hi = hi, .write = g.write || y.write, .last = n};
        }
    }
    return g;
}

static void put_place(Tr *t, unsigned reg, const Place *p, int64_t at)
{
    if (p->base == REG_IP) {
        asm_mov_imm(&t->a, reg, (uint64_t)at);
        return;
    }
    unsigned base = tr_use(t, p->base, reg);
    unsigned index = p->index == REG_ZERO ? H_NONE : tr_use(t, p->index, H_T1);
    asm_lea64(&t->a, reg, op_sib(base, index, p->scale, (int32_t)at));
}

static Shared *lead(Tr *t, const Place *p, const VectorAccess *x)
{
    Group g = look_ahead(t, p, x);
    clobber_flags(t);
    Shared *s = &t->shared[0];
    if (s->held && s->last > t->n && !(t->shared[1].held && t->shared[1].last > t->n)) {
        s = &t->shared[1];
    }
    *s = (Shared){.held = true, .base = p->base, .index = p->index, .scale = p->scale, .lo = g.lo, .hi = g.hi,
                  .write = g.write, .first = t->n, .last = g.last, .reg = s == t->shared ? H_ADDR : H_T2};
    put_place(t, s->reg, p, g.lo);
    tr_slot_memory(t, s->reg, (unsigned)(g.hi - g.lo), g.write, x->sets_flags);
    return s;
}

/* ---- the others ---- */

static Shared *find(Tr *t, const Place *p, const VectorAccess *x)
{
    for (Shared *s = t->shared; s < t->shared + 2; s++) {
        Place q = {.base = s->base, .index = s->index, .scale = s->scale};
        if (s->held && same_registers(p, &q) && p->at >= s->lo && p->at + (int64_t)x->bytes <= s->hi &&
            (s->write || !x->write)) {
            return s;
        }
    }
    return NULL;
}

static bool known_aligned(const Shared *s, int64_t at, const VectorAccess *x)
{
    return !x->align || (s->align >= x->align && (at - s->lo) % x->align == 0);
}

static void test_alignment(Tr *t, Shared *s, int64_t at, const VectorAccess *x, uint8_t **from)
{
    unsigned reg = s->reg;
    if ((at - s->lo) % x->align == 0) {
        s->align = x->align;
    } else {
        reg = H_T1;
        asm_lea64(&t->a, reg, op_mem(s->reg, (int32_t)(at - s->lo)));
    }
    asm_op(&t->a, ENC_BYTE_RM, ENC_1, 0xf6, 0, op_reg(reg)); /* test */
    asm_byte(&t->a, (uint8_t)(x->align - 1));
    *from = asm_jcc(&t->a, 5);
}

bool tr_shared_memory(Tr *t, const VectorAccess *x, HostOp *m)
{
    Place p;
    if (!place_of(t, t->n, &p)) {
        drop(t);
        return false;
    }
    Shared *s = find(t, &p, x);
    if (s && !known_aligned(s, p.at, x) && clobber_flags(t)) {
        s = NULL;
    }
    if (!s) {
        s = lead(t, &p, x);
        if (x->align) {
            test_alignment(t, s, p.at, x, &t->stubs[t->num_stubs - 1].from[1]);
        }
    } else if (!known_aligned(s, p.at, x)) {
        Stub *stub = tr_stub(t);
        stub->wants_flags = x->sets_flags;
        test_alignment(t, s, p.at, x, &stub->from[0]);
    }
    t->share_last[s->first] = (uint8_t)t->n;
    *m = op_mem(s->reg, (int32_t)(p.at - s->lo));
    return true;
}

void tr_share_after(Tr *t, bool emitted, size_t bytes)
{
    const Insn *i = &t->src->insns[t->n];
    VectorAccess x;
    for (Shared *s = t->shared; s < t->shared + 2; s++) {
        Place p = {.base = s->base, .index = s->index, .scale = s->scale};
        int64_t moved;
        if (is_step(i, &p, &moved)) {
            enum { LONGEST_ADD = 7 }; /* more than the addition itself, and other registers were used */
            s->held &= emitted && bytes <= LONGEST_ADD;
            s->lo -= moved;
            s->hi -= moved;
        } else {
            s->held &= emitted && emit_vector_access(t, i, &x) && x.steady;
        }
    }
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
