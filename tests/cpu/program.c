/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making random programs. */
#include "tests/cpu/program.h"

#include <string.h>

#include "tests/cpu/arena.h"
#include "tests/cpu/values.h"

/* Room that is kept for what ends the functions and the program. */
enum { RESERVED_PARTS = 12, RESERVED_BYTES = 64 };

bool program_put(Program *p, const void *bytes, unsigned len)
{
    if (p->num + RESERVED_PARTS >= PROGRAM_PARTS || p->len + RESERVED_BYTES >= PROGRAM_BYTES) {
        return false;
    }
    p->parts[p->num] = (Part){.at = (uint16_t)p->len, .len = (uint8_t)len};
    memcpy(p->bytes + p->len, bytes, len);
    p->part_at[p->len] = (uint16_t)++p->num;
    p->len += len;
    return true;
}

unsigned program_reg(Program *p)
{
    unsigned reg;
    do {
        reg = (unsigned)below(p->rng, p->code_size == 2 ? 16 : 8);
    } while (reg == RSP);
    return reg;
}

void program_put_mov(Program *p, unsigned reg, uint64_t v)
{
    uint8_t b[10];
    unsigned n = 0;
    if (p->code_size != 2 || v == (uint32_t)v) {
        if (reg >= 8) {
            b[n++] = 0x41;
        }
        b[n++] = (uint8_t)(0xb8 | (reg & 7));
        memcpy(b + n, &v, 4);
        program_put(p, b, n + 4);
        return;
    }
    b[n++] = (uint8_t)(0x48 | reg >> 3);
    if (v == (uint64_t)(int64_t)(int32_t)v) {
        b[n++] = 0xc7;
        b[n++] = (uint8_t)(0xc0 | (reg & 7));
        memcpy(b + n, &v, 4);
        n += 4;
    } else {
        b[n++] = (uint8_t)(0xb8 | (reg & 7));
        memcpy(b + n, &v, 8);
        n += 8;
    }
    program_put(p, b, n);
}

/* ---- replacing ---- */

/* Forms of NOP of 1 to 8 bytes that 32-bit and 64-bit code have. */
static const uint8_t nops[8][8] = {
    {0x90}, {0x66, 0x90}, {0x0f, 0x1f, 0}, {0x0f, 0x1f, 0x40, 0}, {0x0f, 0x1f, 0x44, 0, 0}, {0x66, 0x0f, 0x1f, 0x44, 0, 0},
    {0x0f, 0x1f, 0x80, 0, 0, 0, 0}, {0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0},
};

static void blank_bytes(uint8_t *out, unsigned len)
{
    while (len > 0) {
        unsigned n = MIN(len, 8);
        memcpy(out, nops[n - 1], n);
        out += n;
        len -= n;
    }
}

void program_blank(Program *p, const Part *part)
{
    blank_bytes(p->bytes + part->at, part->len);
}

bool program_is_blank(const Program *p, const Part *part)
{
    uint8_t blank[16];
    blank_bytes(blank, part->len);
    return memcmp(blank, p->bytes + part->at, part->len) == 0;
}

void program_end_at(Program *p, uint64_t rip)
{
    uint64_t at = rip - p->start;
    if (at < p->len) {
        p->bytes[at] = 0xf4; /* HLT */
        if (p->part_at[at]) {
            p->parts[p->part_at[at] - 1].end = true;
        }
    }
}

/* ---- instructions of all rows ---- */

/* Which registers the case has chosen values for that the instruction depends on. */
static uint32_t wanted_registers(const Case *c, const Insn *i, const InsnRow *row, Rng *rng)
{
    uint32_t regs = 0;
    if (i->flags & INSN_MEM) {
        regs |= (i->base < 16 ? 1u << i->base : 0) | (i->index < 16 && !(row->attr & A_VSIB) ? 1u << i->index : 0);
    }
    if (row->attr & A_REP) {
        regs |= 1u << RCX | 1u << RSI | 1u << RDI;
    } else if (strstr(row->operands, "X") || strstr(row->operands, "Y") || strstr(row->name, "maskmov")) {
        regs |= 1u << RSI | 1u << RDI;
    }
    if (!strncmp(row->name, "xlat", 4)) {
        regs |= 1u << RBX;
    } else if (!strncmp(row->name, "enter", 5) || !strncmp(row->name, "leave", 5)) {
        regs |= 1u << RBP;
    } else if (!strncmp(row->name, "div", 3) || !strncmp(row->name, "idiv", 4)) {
        regs |= chance(rng, 6) ? 0 : 1u << RAX | 1u << RDX;
    } else if (!strncmp(row->name, "cmpxchg", 7) || row->name[0] == 'x') {
        regs |= chance(rng, 2) ? 1u << RAX | 1u << RDX : 0;
    } else if (!strncmp(row->name, "bt", 2) && i->reg < 16) {
        regs |= 1u << i->reg;
    }
    return c->code_size == 2 ? regs : regs & 0xff;
}

static void move_rip_relative(Program *p, Case *c, const Insn *i)
{
    if (!(i->flags & INSN_MEM) || i->base != REG_IP) {
        return;
    }
    int32_t disp = (int32_t)i->disp;
    for (unsigned at = 2; at + 4 <= c->len; at++) {
        if (memcmp(c->bytes + at, &disp, 4) == 0) {
            int32_t moved = disp + (int32_t)(c->ip - (p->first.ip + p->len));
            memcpy(c->bytes + at, &moved, 4);
            return;
        }
    }
}

static void put_row(Program *p)
{
    Rng *rng = p->rng;
    const Mix *mix = p->mix;
    unsigned index = mix_row(mix, rng);
    const InsnRow *row = &insn_rows[index];
    Case c;
    Insn i;
    if ((row->attr & A_END) && !chance(rng, 12)) {
        return;
    }
    if (!case_generate_for(&c, index, p->code_size, rng) || !setting_prefixes(&p->setting, &c, &i, &mix->features, rng)) {
        return;
    }
    uint32_t regs = wanted_registers(&c, &i, row, rng);
    bool breaks_stack = (regs & 1u << RSP) || i.reg == RSP || i.rm == RSP || !strncmp(row->name, "leave", 5);
    if (breaks_stack && !chance(rng, 12)) {
        return;
    }
    for (unsigned r = 0; r < 16; r++) {
        if (regs >> r & 1) {
            program_put_mov(p, r, chance(rng, 200) ? 0x8000000000000000ull | c.r[r] : c.r[r]);
        }
    }
    move_rip_relative(p, &c, &i);
    if (program_put(p, c.bytes, c.len)) {
        for (unsigned m = 0; m < c.num_mem && p->num_mem < PROGRAM_MEMS; m++) {
            p->mem[p->num_mem++] = c.mem[m];
        }
    }
}

/* ---- runs through a pointer ---- */

static void put_pointer(Program *p, unsigned reg)
{
    Rng *rng = p->rng;
    if (chance(rng, 4)) { /* near the end of a page */
        uint64_t at = ARENA_BASE + 0x1000 * (1 + below(rng, ARENA_PAGES - 1)) + below(rng, 128) - 64;
        program_put_mov(p, reg, chance(rng, 8) ? at : at & ~15ull);
        return;
    }
    uint64_t off = chance(rng, 3) ? below(rng, DATA_SIZE) : 0x1000 * below(rng, 3) + below(rng, 256) - 128;
    off &= chance(rng, 8) ? ~0ull : ~15ull;
    program_put_mov(p, reg, chance(rng, 30) ? CODE_BASE + 0x800 + (off & 0xff) : DATA_BASE + off); /* code: not writable */
}

static void put_run(Program *p)
{
    Rng *rng = p->rng;
    unsigned reg = p->pointer[below(rng, ARRAY_LEN(p->pointer))];
    if (chance(rng, 2)) {
        put_pointer(p, reg);
    }
    if (chance(rng, 3)) {
        program_put_mov(p, RCX, (below(rng, 9) - 4) * 16);
    }
    bool vectors = p->mix->num[CLASS_VECTOR] && chance(rng, 3);
    for (unsigned n = 1 + (unsigned)below(rng, 6); n > 0; n--) {
        if (vectors && p->code_size == 2) {
            uint8_t bytes[16];
            Insn i;
            unsigned len = walk_insn(rng, feature_in(&p->mix->features, FEAT_AVX), bytes);
            if (insn_decode(&i, bytes, len, 2, &p->mix->features) == DECODE_OK) {
                program_put(p, bytes, i.len);
            }
        } else {
            put_integer(p, reg);
        }
    }
}

void put_item(Program *p, unsigned depth)
{
    switch (below(p->rng, p->supervisor ? 24 : 20)) {
    case 0 ... 4:
        put_flow(p, depth);
        break;
    case 5 ... 9:
        put_run(p);
        break;
    case 10 ... 11:
        put_stack(p);
        break;
    case 12:
    case 20 ... 23:
        put_system(p);
        break;
    default:
        put_row(p);
        break;
    }
}

/* ---- all of it ---- */

/* Flags as an operation of any kind may have left them are the single blocks' business: here they are plain. */
static void random_state(Program *p)
{
    Rng *rng = p->rng;
    while (!case_generate_for(&p->first, mix_row(p->mix, rng), p->code_size, rng)) {
    }
    p->first.num_mem = 0;
    p->first.len = 0;
    p->first.r[RSP] = STACK_BASE + 0x800 + (below(rng, 0x400) & ~7ull);
    random_fx(&p->first, rng, A_SSE | A_X87);
    /* near the end of the first page of code, so that branches cross it, or not */
    p->first.ip = (uint32_t)CODE_BASE + (chance(rng, 2) ? 0x100 : 0x1000 - (uint32_t)below(rng, 0x180));
    p->supervisor = chance(rng, 4);
    if (chance(rng, 2)) {
        setting_random(&p->setting, p->code_size, rng);
    } else {
        setting_plain(&p->setting, p->code_size);
    }
    p->start = p->first.ip - p->setting.cs_base;
    for (unsigned n = 0; n < ARRAY_LEN(p->pointer); n++) {
        p->pointer[n] = chance(rng, 2) ? (uint8_t[]){RAX, RDX, RSI}[n] : (uint8_t)program_reg(p);
    }
}

void program_make(Program *p, const Mix *mix, Rng *rng, unsigned code_size, unsigned most)
{
    memset(p, 0, sizeof(*p));
    p->code_size = code_size;
    p->mix = mix;
    p->rng = rng;
    random_state(p);
    flow_start(p);
    for (unsigned n = 0; n < ARRAY_LEN(p->pointer); n++) {
        put_pointer(p, p->pointer[n]);
    }
    bool loops = chance(rng, 4); /* nothing but such */
    unsigned want = 2 + (unsigned)below(rng, most - 1);
    for (unsigned tries = 0; p->num < want && tries < 400; tries++) {
        if (loops) {
            put_array_loop(p);
        } else {
            put_item(p, 0);
        }
    }
    flow_finish(p);
}
