/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops over arrays as compilers make them, of one block or two: pointers or an index that move on by the size of an element,
 * arrays that run over the ends of pages into pages of other kinds, a count or a bound, flags that are read afterwards.
 */
#include <string.h>

#include "tests/cpu/arena.h"
#include "tests/cpu/program.h"
#include "tests/cpu/values.h"

enum { MOST_ARRAYS = 3, NONE = 16 };
/* What prefixes say of a vector instruction. */
enum { PP_NONE, PP_66, PP_F3, PP_F2 };
enum { INTEGER, LEGACY, VEX };

typedef struct Form {
    uint8_t kind, pp, opcode;
    uint8_t escape; /* INTEGER: 0 or 0x0f */
    uint8_t imm;    /* bytes of an immediate */
    uint8_t digit;  /* of ModRM.reg and one more; 0: a register */
    bool bytes;     /* INTEGER: a form for bytes is at the opcode below */
} Form;

static const Form forms[] = {
    {INTEGER, 0, 0x8b, .bytes = true}, {INTEGER, 0, 0x8b, .bytes = true}, {INTEGER, 0, 0x89, .bytes = true},
    {INTEGER, 0, 0x89, .bytes = true}, {INTEGER, 0, 0x03, .bytes = true}, {INTEGER, 0, 0x01, .bytes = true},
    {INTEGER, 0, 0x13, .bytes = true}, {INTEGER, 0, 0x11, .bytes = true}, {INTEGER, 0, 0x1b, .bytes = true},
    {INTEGER, 0, 0x19, .bytes = true}, {INTEGER, 0, 0x33, .bytes = true}, {INTEGER, 0, 0x21, .bytes = true},
    {INTEGER, 0, 0x2b, .bytes = true}, {INTEGER, 0, 0x3b, .bytes = true}, {INTEGER, 0, 0x39, .bytes = true},
    {INTEGER, 0, 0x85, .bytes = true}, {INTEGER, 0, 0x87, .bytes = true}, {INTEGER, 0, 0x63},
    {INTEGER, 0, 0xb6, .escape = 0x0f}, {INTEGER, 0, 0xb7, .escape = 0x0f}, {INTEGER, 0, 0xbe, .escape = 0x0f},
    {INTEGER, 0, 0xbf, .escape = 0x0f}, {INTEGER, 0, 0xaf, .escape = 0x0f}, {INTEGER, 0, 0x44, .escape = 0x0f},
    {INTEGER, 0, 0x42, .escape = 0x0f}, {INTEGER, 0, 0x6b, .imm = 1}, {INTEGER, 0, 0xff, .digit = 1, .bytes = true},
    {INTEGER, 0, 0xff, .digit = 2, .bytes = true}, {INTEGER, 0, 0xf7, .digit = 4}, {INTEGER, 0, 0xd1, .digit = 5},
    {INTEGER, 0, 0xc1, .digit = 6, .imm = 1}, {INTEGER, 0, 0x83, .digit = 1, .imm = 1},
    {INTEGER, 0, 0x83, .digit = 3, .imm = 1}, {INTEGER, 0, 0x83, .digit = 8, .imm = 1}, {INTEGER, 0, 0x92, .escape = 0x0f},
    {INTEGER, 0, 0xba, .escape = 0x0f, .digit = 6, .imm = 1}, {INTEGER, 0, 0xbc, .escape = 0x0f},
    {LEGACY, PP_NONE, 0x10}, {LEGACY, PP_NONE, 0x11}, {LEGACY, PP_NONE, 0x28}, {LEGACY, PP_NONE, 0x29},
    {LEGACY, PP_F2, 0x10}, {LEGACY, PP_F2, 0x11}, {LEGACY, PP_F3, 0x10}, {LEGACY, PP_F3, 0x11}, {LEGACY, PP_66, 0x6f},
    {LEGACY, PP_F3, 0x6f}, {LEGACY, PP_F3, 0x7f}, {LEGACY, PP_66, 0x7f}, {LEGACY, PP_NONE, 0x58}, {LEGACY, PP_F2, 0x58},
    {LEGACY, PP_F2, 0x59}, {LEGACY, PP_66, 0xfe}, {LEGACY, PP_66, 0xef}, {LEGACY, PP_66, 0x74}, {LEGACY, PP_66, 0x7e},
    {LEGACY, PP_66, 0xd6}, {LEGACY, PP_NONE, 0x2e}, {LEGACY, PP_66, 0x2f}, {LEGACY, PP_F2, 0x2a}, {LEGACY, PP_F2, 0x2c},
    {LEGACY, PP_NONE, 0xc6, .imm = 1}, {LEGACY, PP_66, 0x70, .imm = 1},
    {VEX, PP_NONE, 0x10}, {VEX, PP_NONE, 0x11}, {VEX, PP_NONE, 0x28}, {VEX, PP_NONE, 0x29}, {VEX, PP_F3, 0x6f},
    {VEX, PP_F3, 0x7f}, {VEX, PP_66, 0x6f}, {VEX, PP_66, 0x7f}, {VEX, PP_F2, 0x10}, {VEX, PP_F2, 0x58}, {VEX, PP_NONE, 0x58},
    {VEX, PP_66, 0xfe}, {VEX, PP_66, 0xef}, {VEX, PP_66, 0x74}, {VEX, PP_NONE, 0x2e},
};

typedef struct Loop {
    unsigned arrays, pointer[MOST_ARRAYS]; /* registers */
    unsigned index, scale;                 /* a register that goes through all arrays, or NONE */
    int step[MOST_ARRAYS];                 /* bytes; with an index: [0] is what it moves by */
    unsigned counter;                      /* a register, or NONE */
    uint32_t used;                         /* registers that are spoken for */
    unsigned turns;
    uint64_t at;                           /* the first array */
} Loop;

/* ---- encoding ---- */

/* ModRM, SIB and displacement of [base + index * scale + disp]; or of a register, base. */
static void add_operand(Bytes *o, unsigned reg, bool memory, unsigned base, unsigned index, unsigned scale, int disp)
{
    unsigned mod = !memory ? 3 : disp == 0 && (base & 7) != 5 ? 0 : disp == (int8_t)disp ? 1 : 2;
    bool sib = memory && (index != NONE || (base & 7) == 4);
    bytes_add(o, mod << 6 | (reg & 7) << 3 | (sib ? 4 : base & 7), 1);
    if (sib) {
        bytes_add(o, scale << 6 | (index == NONE ? 4 : index & 7) << 3 | (base & 7), 1);
    }
    if (memory && mod) {
        bytes_add(o, (uint64_t)(int64_t)disp, mod == 1 ? 1 : 4);
    }
}

/* R, X, B of a prefix. */
static unsigned extensions(unsigned reg, unsigned base, unsigned index)
{
    return (reg & 8) >> 1 | (index == NONE ? 0 : (index & 8) >> 2) | (base & 8) >> 3;
}

static void add_start(Bytes *o, const Program *p, const Form *f, unsigned rxb, unsigned vvvv, Rng *rng)
{
    static const uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2};
    bool long64 = p->code_size == 2;
    if (f->kind == VEX) {
        unsigned l = (unsigned)below(rng, 2);
        if (rxb & 3) {
            bytes_add(o, 0xc4, 1);
            bytes_add(o, (~rxb & 7) << 5 | 1, 1);
        } else {
            bytes_add(o, 0xc5, 1);
        }
        bytes_add(o, (rxb & 3 ? 0 : rxb & 4 ? 0 : 0x80) | (~vvvv & 15) << 3 | l << 2 | f->pp, 1);
        bytes_add(o, f->opcode, 1);
        return;
    }
    bool bytes = f->kind == INTEGER && f->bytes && chance(rng, 3), w = long64 && chance(rng, 2);
    if (f->pp) {
        bytes_add(o, prefixes[f->pp], 1);
    } else if (f->kind == INTEGER && !bytes && chance(rng, 6)) {
        bytes_add(o, 0x66, 1);
    }
    if (rxb || (w && (f->kind == INTEGER || f->opcode == 0x7e)) || (long64 && bytes)) {
        bytes_add(o, 0x40 | (w ? 8 : 0) | rxb, 1);
    }
    if (f->kind == LEGACY || f->escape) {
        bytes_add(o, 0x0f, 1);
    }
    bytes_add(o, (unsigned)f->opcode - bytes, 1);
}

/* ---- the parts of a loop ---- */

static unsigned take_reg(Program *p, Loop *l)
{
    unsigned reg;
    do {
        reg = program_reg(p);
    } while (l->used >> reg & 1);
    l->used |= 1u << reg;
    return reg;
}

/* For results: seldom one that the loop needs. */
static unsigned result_reg(Program *p, const Loop *l)
{
    unsigned reg;
    do {
        reg = program_reg(p);
    } while ((l->used >> reg & 1) && !chance(p->rng, 100));
    return reg;
}

static void put_body_insn(Program *p, const Loop *l)
{
    Rng *rng = p->rng;
    const Form *f;
    do {
        f = &forms[below(rng, ARRAY_LEN(forms))];
    } while (f->opcode == 0x63 && p->code_size != 2);
    if (f->kind == VEX && !feature_in(&p->mix->features, FEAT_AVX)) {
        return;
    }
    bool memory = !chance(rng, 5), vector = f->kind != INTEGER;
    unsigned limit = p->code_size == 2 ? 16 : 8, base = l->pointer[below(rng, l->arrays)];
    unsigned index = memory ? l->index : NONE;
    unsigned reg = f->digit ? f->digit - 1u : vector ? (unsigned)below(rng, limit) : result_reg(p, l);
    unsigned rm = memory ? base : vector ? (unsigned)below(rng, limit) : result_reg(p, l);
    int disp = chance(rng, 2) ? 0 : chance(rng, 8) ? (int)below(rng, 600) - 300 : (int)(below(rng, 5) * 8) - 16;
    bool three = f->opcode == 0x58 || f->opcode == 0xfe || f->opcode == 0xef || f->opcode == 0x74;
    Bytes o = {.n = 0};
    add_start(&o, p, f, extensions(f->digit ? 0 : reg, rm, index), three ? (unsigned)below(rng, limit) : 0, rng);
    add_operand(&o, reg, memory, rm, index, l->scale, disp);
    bytes_add(&o, rng_next(rng), f->imm);
    program_put(p, o.b, o.n);
}

/* reg += step, in one of the ways; flags: may it change them? */
static void put_step(Program *p, unsigned reg, int step, bool flags)
{
    Rng *rng = p->rng;
    Bytes o = {.n = 0};
    if (p->code_size == 2) {
        bytes_add(&o, 0x48 | (reg & 8 ? 1 : 0), 1);
    }
    if (!flags || chance(rng, 4)) { /* lea reg, [reg + step] */
        if (p->code_size == 2) {
            o.b[0] |= reg & 8 ? 4 : 0;
        }
        bytes_add(&o, 0x8d, 1);
        add_operand(&o, reg, true, reg, NONE, 0, step);
    } else if ((step == 1 || step == -1) && chance(rng, 2)) {
        bytes_add(&o, 0xff, 1);
        bytes_add(&o, (step == 1 ? 0xc0 : 0xc8) | (reg & 7), 1);
    } else {
        bool sub = chance(rng, 4);
        bytes_add(&o, 0x83, 1);
        bytes_add(&o, (sub ? 0xe8 : 0xc0) | (reg & 7), 1);
        bytes_add(&o, (uint64_t)(sub ? -step : step), 1);
    }
    program_put(p, o.b, o.n);
}

/* cmp reg, imm32 */
static void put_compare(Program *p, unsigned reg, uint64_t with)
{
    Bytes o = {.n = 0};
    if (p->code_size == 2) {
        bytes_add(&o, 0x48 | (reg & 8 ? 1 : 0), 1);
    }
    bytes_add(&o, 0x81, 1);
    bytes_add(&o, 0xf8 | (reg & 7), 1);
    bytes_add(&o, with, 4);
    program_put(p, o.b, o.n);
}

/* Where an array begins that is gone through in so many steps: mostly so that a page ends somewhere on the way. */
static uint64_t array_start(Rng *rng, int step, unsigned turns)
{
    uint64_t page = ARENA_BASE + 0x1000 * (1 + below(rng, ARENA_PAGES - 2)), odd = chance(rng, 3) ? below(rng, 64) : 0;
    if (chance(rng, 8)) {
        page = chance(rng, 2) ? DATA_BASE + 0x1000 * below(rng, 3) : STACK_BASE + 0x1000 * below(rng, 2);
    }
    if (chance(rng, 4)) {
        return page + below(rng, 0x1000);
    }
    /* in the middle of its turns it comes to the page's end, from either side */
    return page + odd - (uint64_t)(int64_t)(step * (int)below(rng, turns + 2)) - (step < 0 && chance(rng, 2) ? 1 : 0);
}

static void choose(Program *p, Loop *l)
{
    static const int8_t steps[] = {1, 2, 4, 8, 8, 16, 16, 32, -8, -1, 64};
    Rng *rng = p->rng;
    memset(l, 0, sizeof(*l));
    l->turns = 1 + (unsigned)below(rng, chance(rng, 3) ? 300 : 20);
    l->arrays = 1 + (unsigned)below(rng, MOST_ARRAYS);
    l->index = l->counter = NONE;
    if (chance(rng, 5)) { /* the LOOP instruction counts in it */
        l->counter = RCX;
        l->used |= 1u << RCX;
    }
    int step = steps[below(rng, sizeof(steps))];
    for (unsigned n = 0; n < l->arrays; n++) {
        l->pointer[n] = take_reg(p, l);
        l->step[n] = chance(rng, 5) ? steps[below(rng, sizeof(steps))] : step;
    }
    if (l->counter == NONE && chance(rng, 3)) {
        l->index = take_reg(p, l);
        l->scale = (unsigned)below(rng, 4);
        l->step[0] = step % (1 << l->scale) ? step : step / (1 << l->scale);
    }
}

/* Registers as they are before the first turn.  Returns the index's value then. */
static uint64_t put_start(Program *p, Loop *l)
{
    Rng *rng = p->rng;
    int64_t first = l->index == NONE ? 0 : chance(rng, 2) ? 0 : -(int64_t)l->turns * l->step[0];
    for (unsigned n = 0; n < l->arrays; n++) {
        int step = l->index == NONE ? l->step[n] : l->step[0] * (1 << l->scale);
        uint64_t at = array_start(rng, step, l->turns) - (uint64_t)(first * (1 << l->scale));
        program_put_mov(p, l->pointer[n], p->code_size == 2 ? at : (uint32_t)at);
        if (n == 0) {
            l->at = at;
        }
    }
    if (l->index != NONE) {
        program_put_mov(p, l->index, p->code_size == 2 ? (uint64_t)first : (uint32_t)first);
    }
    return (uint64_t)first;
}

/* How the loop knows when it is over: what comes before its jump, and the jump's condition.  0: LOOP. */
static uint8_t put_bound(Program *p, const Loop *l, uint64_t first, bool flags)
{
    Rng *rng = p->rng;
    uint64_t last = first + (uint64_t)((int64_t)l->turns * l->step[0]);
    static const uint8_t up[] = {0x75, 0x72, 0x7c}, down[] = {0x75, 0x77, 0x7f};
    if (l->counter == RCX) {
        return 0;
    }
    if (l->counter != NONE) {
        Bytes o = {.n = 0};
        bool dec = !flags || chance(rng, 2);
        if (p->code_size == 2 && (l->counter & 8 || chance(rng, 2))) {
            bytes_add(&o, 0x40 | (chance(rng, 2) ? 8 : 0) | (l->counter & 8 ? 1 : 0), 1);
        }
        bytes_add(&o, dec ? 0xff : 0x83, 1);
        bytes_add(&o, (dec ? 0xc8 : 0xe8) | (l->counter & 7), 1);
        bytes_add(&o, 1, dec ? 0 : 1);
        program_put(p, o.b, o.n);
        return chance(rng, 4) ? 0x7f : 0x75;
    }
    if (l->index == NONE) {
        last = l->at + (uint64_t)((int64_t)l->turns * l->step[0]);
        put_compare(p, l->pointer[0], last);
    } else if (last != 0 || chance(rng, 2)) {
        put_compare(p, l->index, last);
    } else { /* up to zero: what its step left in the flags */
        return 0x75;
    }
    return (l->step[0] < 0 ? down : up)[below(rng, first >> 63 || l->step[0] < 0 ? 1 : 3)];
}

/* Something that reads flags: the next one of these may change them. */
void put_flag_reader(Program *p)
{
    Rng *rng = p->rng;
    unsigned reg = program_reg(p), other = program_reg(p), cc = (unsigned)below(rng, 16);
    bool long64 = p->code_size == 2;
    Bytes o = {.n = 0};
    unsigned rex = 0x40 | (long64 && chance(rng, 2) ? 8 : 0) | (reg & 8 ? 1 : 0) | (other & 8 ? 4 : 0);
    switch (below(rng, 8)) {
    case 0 ... 1: /* setcc */
        if (long64) {
            bytes_add(&o, 0x40 | (reg & 8 ? 1 : 0), 1);
        }
        bytes_add(&o, 0x900f | cc << 8, 2);
        bytes_add(&o, 0xc0 | (reg & 7), 1);
        break;
    case 2 ... 3: /* cmov */
        if (long64) {
            bytes_add(&o, rex, 1);
        }
        bytes_add(&o, 0x400f | cc << 8, 2);
        bytes_add(&o, 0xc0 | (other & 7) << 3 | (reg & 7), 1);
        break;
    case 4: /* adc, sbb */
        if (long64) {
            bytes_add(&o, rex, 1);
        }
        bytes_add(&o, chance(rng, 2) ? 0x11 : 0x19, 1);
        bytes_add(&o, 0xc0 | (other & 7) << 3 | (reg & 7), 1);
        break;
    case 5: /* rcl, rcr by one */
        if (long64) {
            bytes_add(&o, 0x40 | (reg & 8 ? 1 : 0), 1);
        }
        bytes_add(&o, 0xd1, 1);
        bytes_add(&o, (chance(rng, 2) ? 0xd0 : 0xd8) | (reg & 7), 1);
        break;
    case 6:
        bytes_add(&o, 0x9f, 1); /* lahf */
        break;
    default: { /* pushf, pop */
        bytes_add(&o, 0x9c, 1);
        program_put(p, o.b, 1);
        o.n = 0;
        if (reg & 8) {
            bytes_add(&o, 0x41, 1);
        }
        bytes_add(&o, 0x58 | (reg & 7), 1);
        break;
    }
    }
    program_put(p, o.b, o.n);
}

void put_array_loop(Program *p)
{
    Rng *rng = p->rng;
    Loop l;
    choose(p, &l);
    /* carry goes from turn to turn when neither steps nor the count change it */
    bool flags = l.counter == NONE && l.index != NONE ? true : !chance(rng, 4);
    uint64_t first = put_start(p, &l);
    if (l.index == NONE && l.counter == NONE && chance(rng, 2)) {
        l.counter = take_reg(p, &l);
    }
    if (l.counter != NONE) {
        program_put_mov(p, l.counter, l.turns);
    }
    int top = label_new(p), out = label_new(p), behind = label_new(p);
    unsigned body = 1 + (unsigned)below(rng, 5), early = (unsigned)below(rng, body + 3);
    unsigned leaves = (unsigned)below(rng, body * 4), skips = (unsigned)below(rng, body * 4);
    label_place(p, top);
    for (unsigned n = 0; n < body; n++) {
        put_body_insn(p, &l);
        if (n == early && l.index == NONE) { /* a pointer moves on in the middle */
            put_step(p, l.pointer[l.arrays - 1], l.step[l.arrays - 1], flags);
        }
        if (n == leaves) {
            put_jcc(p, (unsigned)below(rng, 16), out);
        } else if (n == skips) {
            put_jcc(p, (unsigned)below(rng, 16), behind);
        }
    }
    label_place(p, behind);
    for (unsigned n = 0; n < l.arrays && l.index == NONE; n++) {
        if (early >= body || n != l.arrays - 1) {
            put_step(p, l.pointer[n], l.step[n], flags);
        }
    }
    if (l.index != NONE) {
        put_step(p, l.index, l.step[0], true);
    }
    uint8_t cc = put_bound(p, &l, first, flags);
    if (cc) {
        put_jcc(p, cc & 15, top);
    } else {
        put_loop_insn(p, top);
    }
    label_place(p, out);
    for (unsigned n = (unsigned)below(rng, 4); n > 0; n--) {
        put_flag_reader(p);
    }
}
