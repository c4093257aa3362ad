/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control flow of random programs: labels, branches, loops with a bounded count, functions, indirect jumps. */
#include <string.h>

#include "tests/cpu/program.h"
#include "tests/cpu/values.h"

enum { NOWHERE = 0xffff, FUNCTIONS = 3, COUNTERS = 8, MAX_DEPTH = 3 };

/* Words of data for counters and pointers to code, which few others write to. */
static uint32_t private_word(Rng *rng)
{
    return (uint32_t)(DATA_BASE + 0x300 + below(rng, COUNTERS) * 8);
}

/* ---- labels ---- */

int label_new(Program *p)
{
    if (p->labels == PROGRAM_FIXUPS) {
        return p->labels - 1; /* two places for one: whichever comes last */
    }
    p->label_at[p->labels] = NOWHERE;
    return p->labels++;
}

void label_place(Program *p, int label)
{
    p->label_at[label] = (uint16_t)p->len;
}

static void refer(Program *p, unsigned at, unsigned size, bool absolute, int label)
{
    if (p->num_fixups < PROGRAM_FIXUPS) {
        p->fixups[p->num_fixups++] = (Fixup){.at = (uint16_t)at, .size = (uint8_t)size, .absolute = absolute, .label = label};
    }
}

/* An instruction whose last `size` bytes are to name the label. */
static void put_reference(Program *p, const uint8_t *bytes, unsigned len, unsigned size, bool absolute, int label)
{
    if (p->num_fixups < PROGRAM_FIXUPS && program_put(p, bytes, len)) {
        refer(p, p->len - size, size, absolute, label);
    }
}

static void resolve(Program *p, unsigned out)
{
    for (unsigned n = 0; n < p->num_fixups; n++) {
        const Fixup *f = &p->fixups[n];
        unsigned to = p->label_at[f->label] == NOWHERE ? out : p->label_at[f->label];
        int32_t v = f->absolute ? (int32_t)(p->start + to) : (int32_t)to - (int32_t)(f->at + f->size);
        if (f->size == 1 && v != (int8_t)v) {
            v = 0; /* too far: on with the next instruction */
        }
        memcpy(p->bytes + f->at, &v, f->size);
    }
}

void put_label_address(Program *p, unsigned reg, int label)
{
    uint8_t bytes[6] = {0x41, (uint8_t)(0xb8 | (reg & 7))};
    if (p->code_size == 2 && chance(p->rng, 3)) { /* lea reg, [rip + d] */
        uint8_t lea[7] = {(uint8_t)(0x48 | (reg & 8 ? 4 : 0)), 0x8d, (uint8_t)(5 | (reg & 7) << 3)};
        put_reference(p, lea, sizeof(lea), 4, false, label);
    } else {
        put_reference(p, bytes + (reg < 8), 6 - (reg < 8), 4, true, label);
    }
}

/* jmp or call reg */
static void put_indirect(Program *p, unsigned reg, bool call)
{
    uint8_t bytes[3] = {0x41, 0xff, (uint8_t)((call ? 0xd0 : 0xe0) | (reg & 7))};
    program_put(p, bytes + (reg < 8), 3 - (reg < 8));
}

static void put_call(Program *p, int label)
{
    uint8_t call[5] = {0xe8};
    put_reference(p, call, sizeof(call), 4, false, label);
}

void put_jcc(Program *p, unsigned cc, int label)
{
    uint8_t near[6] = {0x0f, (uint8_t)(0x80 | cc)}, shortly[2] = {(uint8_t)(0x70 | cc)};
    if (chance(p->rng, 3)) {
        put_reference(p, near, sizeof(near), 4, false, label);
    } else {
        put_reference(p, shortly, sizeof(shortly), 1, false, label);
    }
}

void put_loop_insn(Program *p, int label)
{
    uint8_t loop[2] = {(uint8_t)(chance(p->rng, 2) ? 0xe2 : 0xe0 + below(p->rng, 3))};
    put_reference(p, loop, sizeof(loop), 1, false, label);
}

static void put_items(Program *p, unsigned most, unsigned depth)
{
    for (unsigned n = 1 + (unsigned)below(p->rng, most); n > 0; n--) {
        put_item(p, depth);
    }
}

/* ---- kinds ---- */

static void put_forward(Program *p, unsigned depth)
{
    Rng *rng = p->rng;
    int label = label_new(p);
    uint8_t jmp[5] = {0xe9}, rcxz[2] = {0xe3}, shortly_always[2] = {0xeb};
    switch (below(rng, 12)) {
    case 0:
        put_reference(p, jmp, sizeof(jmp), 4, false, label);
        break;
    case 1:
        put_reference(p, shortly_always, 2, 1, false, label);
        break;
    case 2:
        put_reference(p, rcxz, 2, 1, false, label);
        break;
    default:
        put_jcc(p, (unsigned)below(rng, 16), label);
        break;
    }
    put_items(p, 3, depth + 1);
    label_place(p, label);
}

/*
 * Branches one after the other on what one instruction left in the flags: one that is not taken leaves them to the next, and
 * at its end, and behind it, they are read in other ways.  Between them is what changes no flags, or some.
 */
static void put_ladder(Program *p, unsigned depth)
{
    Rng *rng = p->rng;
    int out[2] = {label_new(p), label_new(p)};
    unsigned cc = (unsigned)below(rng, 16);
    put_integer(p, p->pointer[below(rng, ARRAY_LEN(p->pointer))]);
    for (unsigned n = 2 + (unsigned)below(rng, 5); n > 0; n--) {
        put_jcc(p, cc, out[below(rng, 2)]);
        cc = chance(rng, 3) ? cc : chance(rng, 4) ? cc ^ 1 : (unsigned)below(rng, 16);
        switch (below(rng, 6)) {
        case 0:
            put_integer(p, p->pointer[below(rng, ARRAY_LEN(p->pointer))]);
            break;
        case 1:
            put_flag_reader(p);
            break;
        case 2:
            program_put_mov(p, program_reg(p), rng_next(rng) & 0xffffffff);
            break;
        default:
            break;
        }
    }
    for (unsigned n = (unsigned)below(rng, 3); n > 0; n--) {
        put_flag_reader(p);
    }
    if (chance(rng, 3)) {
        put_items(p, 2, depth + 1);
    }
    label_place(p, out[0]);
    put_flag_reader(p);
    label_place(p, out[1]);
    put_flag_reader(p);
}

/* A loop that counts down in a register, in memory, or in RCX by LOOP. */
static void put_loop(Program *p, unsigned depth)
{
    Rng *rng = p->rng;
    unsigned kind = (unsigned)below(rng, 4), turns = 1 + (unsigned)below(rng, chance(rng, 6) ? 40 : 6);
    unsigned reg = kind == 3 ? RCX : program_reg(p);
    uint32_t word = private_word(rng);
    if (kind == 0) { /* mov dword [word], turns */
        uint8_t set[11] = {0xc7, 0x04, 0x25};
        memcpy(set + 3, &word, 4);
        memcpy(set + 7, &turns, 4);
        program_put(p, set, sizeof(set));
    } else {
        program_put_mov(p, reg, turns);
    }
    int top = label_new(p);
    label_place(p, top);
    put_items(p, 4, depth + 1);
    uint8_t cc = chance(rng, 4) ? 0x7f : 0x75; /* jg, jnz */
    if (kind == 3) {
        put_loop_insn(p, top);
        return;
    }
    if (kind == 0) { /* sub dword [word], 1 */
        uint8_t count[8] = {0x83, 0x2c, 0x25};
        memcpy(count + 3, &word, 4);
        count[7] = 1;
        program_put(p, count, sizeof(count));
    } else {
        bool dec = chance(rng, 2);
        uint8_t count[4] = {(uint8_t)(0x48 | reg >> 3), dec ? 0xff : 0x83, (uint8_t)((dec ? 0xc8 : 0xe8) | (reg & 7)), 1};
        unsigned skip = p->code_size != 2;
        program_put(p, count + skip, 4 - dec - skip);
        if (chance(rng, 2)) { /* test reg, reg or cmp reg, 0 */
            uint8_t test[3] = {(uint8_t)(0x48 | (reg >> 3) * 5), 0x85, (uint8_t)(0xc0 | (reg & 7) * 9)};
            uint8_t cmp[4] = {(uint8_t)(0x48 | reg >> 3), 0x83, (uint8_t)(0xf8 | (reg & 7)), 0};
            bool is_test = chance(rng, 2);
            program_put(p, (is_test ? test : cmp) + skip, (is_test ? 3 : 4) - skip);
        }
    }
    put_jcc(p, cc & 15, top);
}

static void put_jump_by_register(Program *p, unsigned depth)
{
    Rng *rng = p->rng;
    int a = label_new(p), b = label_new(p);
    unsigned ra = program_reg(p), rb = program_reg(p);
    put_label_address(p, ra, a);
    if (chance(rng, 2)) { /* one of two: cmov ra, rb */
        put_label_address(p, rb, b);
        uint8_t cmov[4] = {(uint8_t)(0x48 | (ra & 8 ? 4 : 0) | rb >> 3), 0x0f, (uint8_t)(0x40 | below(rng, 16)),
                           (uint8_t)(0xc0 | (ra & 7) << 3 | (rb & 7))};
        unsigned skip = p->code_size != 2;
        program_put(p, cmov + skip, 4 - skip);
    }
    put_indirect(p, ra, false);
    put_items(p, 2, depth + 1);
    label_place(p, a);
    put_items(p, 2, depth + 1);
    label_place(p, b);
}

/* Through a pointer in memory: JMP or CALL. */
static void put_jump_by_memory(Program *p, unsigned depth, const int *functions)
{
    Rng *rng = p->rng;
    bool call = chance(rng, 2);
    int label = call ? functions[below(rng, FUNCTIONS)] : label_new(p);
    uint32_t word = private_word(rng);
    uint8_t set[12] = {0x48, 0xc7, 0x04, 0x25}, jump[7] = {0xff, call ? 0x14 : 0x24, 0x25};
    unsigned skip = p->code_size != 2;
    memcpy(set + 4, &word, 4);
    memcpy(jump + 3, &word, 4);
    put_reference(p, set + skip, 12 - skip, 4, true, label);
    program_put(p, jump, sizeof(jump));
    if (!call) {
        put_items(p, 2, depth + 1);
        label_place(p, label);
    }
}

/* Returns that do not go where their calls came from: push label, ret; call here, pop; call with the address replaced. */
static void put_odd_return(Program *p, unsigned depth)
{
    Rng *rng = p->rng;
    int label = label_new(p);
    uint8_t push[5] = {0x68}, ret = 0xc3;
    unsigned reg = program_reg(p);
    uint8_t pop[2] = {0x41, (uint8_t)(0x58 | (reg & 7))};
    switch (below(rng, 3)) {
    case 0:
        put_reference(p, push, sizeof(push), 4, true, label);
        program_put(p, &ret, 1);
        put_items(p, 2, depth + 1);
        label_place(p, label);
        break;
    case 1: /* call the next instruction, which takes the address off the stack */
        put_call(p, label);
        label_place(p, label);
        program_put(p, pop + (reg < 8), 2 - (reg < 8));
        break;
    default: { /* called, the callee throws the address away and goes elsewhere by another */
        int elsewhere = label_new(p);
        put_call(p, label);
        put_items(p, 2, depth + 1);
        label_place(p, label);
        program_put(p, pop + (reg < 8), 2 - (reg < 8));
        put_reference(p, push, sizeof(push), 4, true, elsewhere);
        program_put(p, &ret, 1);
        put_items(p, 1, depth + 1);
        label_place(p, elsewhere);
        break;
    }
    }
}

void put_flow(Program *p, unsigned depth)
{
    Rng *rng = p->rng;
    if (depth >= MAX_DEPTH) {
        return;
    }
    switch (below(rng, 16)) {
    case 0 ... 2:
        put_forward(p, depth);
        break;
    case 3 ... 4:
        put_loop(p, depth);
        break;
    case 5 ... 7:
        put_array_loop(p);
        break;
    case 8 ... 10:
        put_ladder(p, depth);
        break;
    case 11 ... 12:
        if (chance(rng, 3)) {
            unsigned reg = program_reg(p);
            put_label_address(p, reg, p->function[below(rng, FUNCTIONS)]);
            put_indirect(p, reg, true);
        } else {
            put_call(p, p->function[below(rng, FUNCTIONS)]);
        }
        break;
    case 13:
        put_jump_by_register(p, depth);
        break;
    case 14:
        put_jump_by_memory(p, depth, p->function);
        break;
    default:
        put_odd_return(p, depth);
        break;
    }
}

/* ---- the frame ---- */

void flow_start(Program *p)
{
    for (unsigned n = 0; n < FUNCTIONS; n++) {
        p->function[n] = label_new(p);
    }
}

static void put_way_out(Program *p)
{
    static const uint8_t hlt = 0xf4; /* #GP in user mode, otherwise the end, too */
    p->parts[p->num] = (Part){.at = (uint16_t)p->len, .len = 1, .end = true};
    p->bytes[p->len] = hlt;
    p->part_at[p->len] = (uint16_t)++p->num;
    p->len++;
}

void flow_finish(Program *p)
{
    unsigned out = p->len;
    put_way_out(p);
    put_service(p);
    put_way_out(p);
    for (unsigned n = 0; n < FUNCTIONS; n++) { /* one calls only those behind it */
        Rng *rng = p->rng;
        label_place(p, p->function[n]);
        put_items(p, 3, MAX_DEPTH);
        if (n + 1 < FUNCTIONS && chance(rng, 3)) {
            put_call(p, p->function[n + 1 + below(rng, FUNCTIONS - n - 1)]);
        }
        static const uint8_t ret[] = {0xc3}, ret_0[] = {0xc2, 0, 0}, rep_ret[] = {0xf3, 0xc3};
        switch (below(rng, 6)) {
        case 0:
            program_put(p, ret_0, sizeof(ret_0));
            break;
        case 1:
            program_put(p, rep_ret, sizeof(rep_ret));
            break;
        default:
            program_put(p, ret, sizeof(ret));
            break;
        }
        put_way_out(p); /* when there was no room for that */
    }
    resolve(p, out);
}
