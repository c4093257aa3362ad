/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer instructions as compilers string them together: many operands near one pointer, and runs on the stack. */
#include <string.h>

#include "tests/cpu/program.h"
#include "tests/cpu/values.h"

enum { IMM_NONE, IMM_8, IMM_Z };
enum { BYTE = 1 /* a form for bytes is at the opcode below */, LOCKS = 2 /* may be locked in memory */ };

typedef struct Form {
    uint8_t escape, opcode, digits; /* digits: bit mask of /n, 0: a register */
    uint8_t imm, attr;
} Form;

static const Form forms[] = {
    {0, 0x01, 0, IMM_NONE, BYTE | LOCKS}, {0, 0x03, 0, IMM_NONE, BYTE}, {0, 0x09, 0, IMM_NONE, BYTE | LOCKS},
    {0, 0x0b, 0, IMM_NONE, BYTE}, {0, 0x11, 0, IMM_NONE, BYTE | LOCKS}, {0, 0x13, 0, IMM_NONE, BYTE},
    {0, 0x19, 0, IMM_NONE, BYTE | LOCKS}, {0, 0x1b, 0, IMM_NONE, BYTE}, {0, 0x21, 0, IMM_NONE, BYTE | LOCKS},
    {0, 0x23, 0, IMM_NONE, BYTE}, {0, 0x29, 0, IMM_NONE, BYTE | LOCKS}, {0, 0x2b, 0, IMM_NONE, BYTE},
    {0, 0x31, 0, IMM_NONE, BYTE | LOCKS}, {0, 0x33, 0, IMM_NONE, BYTE}, {0, 0x39, 0, IMM_NONE, BYTE},
    {0, 0x3b, 0, IMM_NONE, BYTE}, {0, 0x81, 0xff, IMM_Z, BYTE}, {0, 0x83, 0xff, IMM_8, 0}, {0, 0x85, 0, IMM_NONE, BYTE},
    {0, 0x87, 0, IMM_NONE, BYTE}, {0, 0x89, 0, IMM_NONE, BYTE}, {0, 0x8b, 0, IMM_NONE, BYTE},
    {0, 0x89, 0, IMM_NONE, 0}, {0, 0x8b, 0, IMM_NONE, 0}, {0, 0x89, 0, IMM_NONE, 0}, {0, 0x8b, 0, IMM_NONE, 0},
    {0, 0x8d, 0, IMM_NONE, 0}, {0, 0xc7, 1, IMM_Z, BYTE}, {0, 0xc1, 0xff, IMM_8, BYTE}, {0, 0xd1, 0xff, IMM_NONE, BYTE},
    {0, 0xd3, 0xff, IMM_NONE, BYTE}, {0, 0xf7, 0x3c, IMM_NONE, BYTE}, {0, 0xf7, 1, IMM_Z, BYTE},
    {0, 0xff, 3, IMM_NONE, BYTE | LOCKS}, {0, 0x69, 0, IMM_Z, 0}, {0, 0x6b, 0, IMM_8, 0}, {0, 0x63, 0, IMM_NONE, 0},
    {0x0f, 0xaf, 0, IMM_NONE, 0}, {0x0f, 0xb6, 0, IMM_NONE, 0}, {0x0f, 0xb7, 0, IMM_NONE, 0},
    {0x0f, 0xbe, 0, IMM_NONE, 0}, {0x0f, 0xbf, 0, IMM_NONE, 0}, {0x0f, 0xb1, 0, IMM_NONE, BYTE | LOCKS},
    {0x0f, 0xc1, 0, IMM_NONE, BYTE | LOCKS}, {0x0f, 0xba, 0xf0, IMM_8, LOCKS}, {0x0f, 0xa4, 0, IMM_8, 0},
    {0x0f, 0xac, 0, IMM_8, 0}, {0x0f, 0xa5, 0, IMM_NONE, 0}, {0x0f, 0xbc, 0, IMM_NONE, 0}, {0x0f, 0xbd, 0, IMM_NONE, 0},
    {0x0f, 0x40, 0, IMM_NONE, 0}, {0x0f, 0x4c, 0, IMM_NONE, 0}, {0x0f, 0x90, 1, IMM_NONE, 0}, {0x0f, 0x9f, 1, IMM_NONE, 0},
};

static unsigned random_digit(Rng *rng, unsigned digits)
{
    unsigned d;
    do {
        d = (unsigned)below(rng, 8);
    } while (!(digits >> d & 1));
    return d;
}

/* Mostly the same few places, so that they overlap; now and then far, or across what is checked together. */
static int32_t near_disp(Rng *rng, bool wide)
{
    switch (below(rng, 16)) {
    case 0:
        return (int8_t)rng_next(rng);
    case 1:
        return wide ? (int32_t)below(rng, 0x1800) - 0xc00 : (int8_t)rng_next(rng);
    default:
        return (int32_t)(below(rng, 9) * 8) - 24 + (chance(rng, 6) ? (int32_t)below(rng, 8) : 0);
    }
}

/* ModRM, SIB and displacement of [base + disp] or [base + small index * scale + disp]; index: or 16. */
static void add_memory_operand(Bytes *o, Rng *rng, unsigned reg, unsigned base, unsigned index)
{
    bool wide = chance(rng, 4), none = !wide && (base & 7) != 5 && chance(rng, 4);
    unsigned mod = none ? 0 : wide ? 2 : 1;
    if (index < 16) {
        bytes_add(o, mod << 6 | (reg & 7) << 3 | 4, 1);
        bytes_add(o, below(rng, 4) << 6 | (index & 7) << 3 | (base & 7), 1);
    } else if ((base & 7) == 4) {
        bytes_add(o, mod << 6 | (reg & 7) << 3 | 4, 1);
        bytes_add(o, 0x24, 1);
    } else {
        bytes_add(o, mod << 6 | (reg & 7) << 3 | (base & 7), 1);
    }
    if (mod) {
        bytes_add(o, (uint64_t)(int64_t)near_disp(rng, wide), wide ? 4 : 1);
    }
}

/* A register to be written: seldom one that pointers are in. */
static unsigned data_reg(Program *p, unsigned base)
{
    unsigned reg = program_reg(p);
    return reg == base && !chance(p->rng, 12) ? (reg ^ 1) == RSP ? RAX : reg ^ 1 : reg;
}

void put_integer(Program *p, unsigned base)
{
    Rng *rng = p->rng;
    const Form *f = &forms[below(rng, ARRAY_LEN(forms))];
    bool long64 = p->code_size == 2, memory = !chance(rng, 4) || f->opcode == 0x8d, bytes = (f->attr & BYTE) && chance(rng, 3);
    bool w = long64 && chance(rng, 2), narrow = !w && !bytes && chance(rng, 5);
    unsigned reg = f->digits ? random_digit(rng, f->digits) : data_reg(p, base);
    unsigned rm = memory ? base : data_reg(p, base), index = memory && chance(rng, 5) ? RCX : 16;
    Bytes o = {.n = 0};
    if (f->opcode == 0x63 && !f->escape && !long64) {
        return; /* ARPL */
    }
    if ((f->attr & LOCKS) && memory && chance(rng, 8)) {
        bytes_add(&o, 0xf0, 1);
    }
    if (narrow) {
        bytes_add(&o, 0x66, 1);
    }
    unsigned rex = (w ? 8 : 0) | (reg & 8 ? 4 : 0) | (rm & 8 ? 1 : 0);
    if (rex || (long64 && chance(rng, 4))) {
        bytes_add(&o, 0x40 | rex, 1);
    }
    if (f->escape) {
        bytes_add(&o, f->escape, 1);
    }
    bytes_add(&o, (unsigned)f->opcode - bytes, 1);
    if (memory) {
        add_memory_operand(&o, rng, reg, base, index);
    } else {
        bytes_add(&o, 0xc0 | (reg & 7) << 3 | (rm & 7), 1);
    }
    if (f->imm) {
        bytes_add(&o, edge_value(rng), f->imm == IMM_8 || bytes ? 1 : narrow ? 2 : 4);
    }
    program_put(p, o.b, o.n);
}

static void put_one_stack(Program *p)
{
    Rng *rng = p->rng;
    bool long64 = p->code_size == 2;
    unsigned reg = chance(rng, 30) ? RSP : program_reg(p);
    Bytes o = {.n = 0};
    unsigned kind = (unsigned)below(rng, 12);
    if (kind < 6 && chance(rng, 16)) {
        bytes_add(&o, 0x66, 1);
    }
    unsigned z = o.n ? 2 : 4; /* bytes of an immediate */
    if (kind >= 6 && kind < 10 && long64 && !chance(rng, 3)) {
        bytes_add(&o, 0x48 | (reg & 8 ? 4 : 0), 1);
    } else if (reg & 8) {
        bytes_add(&o, kind >= 6 ? 0x44 : 0x41, 1);
    }
    switch (kind) {
    case 0 ... 2:
        bytes_add(&o, 0x50 | (reg & 7), 1);
        break;
    case 3 ... 4:
        bytes_add(&o, 0x58 | (reg & 7), 1);
        break;
    case 5:
        o.n = z == 2; /* no REX */
        bytes_add(&o, chance(rng, 2) ? 0x6a : 0x68, 1);
        bytes_add(&o, edge_value(rng), o.b[o.n - 1] == 0x6a ? 1 : z);
        break;
    case 6 ... 9: { /* mov, add, cmp with [rsp + disp8] */
        static const uint8_t ops[] = {0x89, 0x8b, 0x8b, 0x03, 0x29, 0x3b, 0x8d};
        bytes_add(&o, ops[below(rng, ARRAY_LEN(ops))], 1);
        if (reg == RSP) {
            return;
        }
        bytes_add(&o, 0x44 | (reg & 7) << 3, 1);
        bytes_add(&o, 0x24, 1);
        bytes_add(&o, (uint64_t)near_disp(rng, false), 1);
        break;
    }
    case 10: /* push, pop [rsp + disp8] */
        o.n = 0;
        bytes_add(&o, chance(rng, 2) ? 0x74ff : 0x448f, 2);
        bytes_add(&o, 0x24, 1);
        bytes_add(&o, (uint64_t)near_disp(rng, false), 1);
        break;
    default: /* lea, add, sub: space */
        o.n = 0;
        if (long64) {
            bytes_add(&o, 0x48, 1);
        }
        if (chance(rng, 3)) {
            bytes_add(&o, 0x24648d, 3);
        } else {
            bytes_add(&o, chance(rng, 2) ? 0xc483 : 0xec83, 2);
        }
        bytes_add(&o, (below(rng, 9) - 4) * 8, 1);
        break;
    }
    program_put(p, o.b, o.n);
}

void put_stack(Program *p)
{
    for (unsigned n = 1 + (unsigned)below(p->rng, 6); n > 0; n--) {
        put_one_stack(p);
    }
}
