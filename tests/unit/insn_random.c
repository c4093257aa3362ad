/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random encodings from a row's columns: it uses the table, not the decoder, so that it can test the decoder.
 * Spec: Intel SDM vol 2 chapter 2.
 */
#include "tests/unit/insn_random.h"

static bool chance(GRand *rng, unsigned one_in)
{
    return g_rand_int_range(rng, 0, (gint32)one_in) == 0;
}

static uint8_t random_byte(GRand *rng)
{
    return (uint8_t)g_rand_int(rng);
}

static unsigned put_prefixes(const InsnRow *row, unsigned code_size, GRand *rng, uint8_t *out)
{
    static const uint8_t segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    unsigned n = 0;
    bool jump = (row->attr & A_END) && !(row->attr & A_SYS); /* segment prefixes are branch hints there */
    if (chance(rng, 6) && !jump) {
        out[n++] = segments[g_rand_int_range(rng, 0, 6)];
    }
    if (chance(rng, 6)) {
        out[n++] = 0x67;
    }
    switch (row->prefix) {
    case PFX_66:
        out[n++] = 0x66;
        break;
    case PFX_F3:
        out[n++] = 0xf3;
        break;
    case PFX_F2:
        out[n++] = 0xf2;
        break;
    case PFX_ANY:
        if (row->attr & A_REP && chance(rng, 3)) {
            out[n++] = chance(rng, 2) ? 0xf2 : 0xf3;
        }
        if (chance(rng, 4) && !(code_size == 2 && (row->attr & A_END))) {
            out[n++] = 0x66;
        }
        break;
    default:
        break;
    }
    return n;
}

static unsigned put_rex(const InsnRow *row, unsigned code_size, GRand *rng, uint8_t *out)
{
    bool need_w = row->w == 1, forbid_w = row->w == 0;
    if (code_size != 2 || (!need_w && chance(rng, 2))) {
        return 0;
    }
    uint8_t rex = 0x40 | (random_byte(rng) & 15);
    rex = need_w ? rex | 8 : forbid_w ? rex & ~8 : rex;
    out[0] = rex;
    return 1;
}

static unsigned put_vex(const InsnRow *row, unsigned code_size, GRand *rng, uint8_t *out)
{
    static const uint8_t pp[] = {[PFX_NP] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3};
    unsigned n = 0;
    if (chance(rng, 6)) {
        out[n++] = 0x67;
    }
    bool w = row->w == ANY ? chance(rng, 3) : row->w == 1, l = row->l == ANY ? chance(rng, 2) : row->l == 1;
    bool uses_vvvv = strchr(row->operands, 'H') || strstr(row->operands, "By");
    unsigned vvvv = uses_vvvv ? random_byte(rng) & (code_size == 2 ? 15 : 7) : 0;
    unsigned rxb = code_size == 2 ? random_byte(rng) & 7 : 0;
    uint8_t last = (uint8_t)((~vvvv & 15) << 3 | (unsigned)l << 2 | pp[row->prefix]);
    if (row->map == MAP_VEX_0F && !w && !(rxb & 3) && chance(rng, 2)) {
        out[n++] = 0xc5;
        out[n++] = (uint8_t)((rxb & 4 ? 0 : 0x80) | last);
        return n;
    }
    out[n++] = 0xc4;
    out[n++] = (uint8_t)((~rxb & 7) << 5 | (unsigned)(row->map - MAP_VEX_0F + 1));
    out[n++] = (uint8_t)((w ? 0x80 : 0) | last);
    return n;
}

static unsigned put_opcode(const InsnRow *row, GRand *rng, uint8_t *out)
{
    static const uint8_t escapes[4][2] = {{0}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
    unsigned n = row->map == MAP_1 || row->map >= MAP_VEX_0F ? 0 : row->map == MAP_0F ? 1 : 2;
    memcpy(out, escapes[row->map & 3], n);
    uint8_t op = row->opcode;
    if (row->attr & A_PLUSR) {
        op |= random_byte(rng) & 7;
    } else if (row->attr & A_CC) {
        op |= random_byte(rng) & 15;
    }
    out[n++] = op;
    return n;
}

void insn_random(const InsnRow *row, unsigned code_size, GRand *rng, uint8_t bytes[32])
{
    for (unsigned k = 0; k < 32; k++) {
        bytes[k] = random_byte(rng);
    }
    unsigned n;
    if (row->map >= MAP_VEX_0F) {
        n = put_vex(row, code_size, rng, bytes);
    } else {
        n = put_prefixes(row, code_size, rng, bytes);
        n += put_rex(row, code_size, rng, bytes + n);
    }
    n += put_opcode(row, rng, bytes + n);
    if (row->mod == MOD_NONE) {
        return;
    }
    uint8_t modrm = bytes[n];
    if (row->mod == MOD_REG || (row->mod == MOD_ANY && chance(rng, 3))) {
        modrm |= 0xc0;
    } else if (row->mod == MOD_MEM && modrm >= 0xc0) {
        modrm &= (uint8_t)~(0x40 << (modrm & 1));
    }
    if (row->attr & A_VSIB) {
        modrm = (uint8_t)((modrm & ~7) | 4);
    }
    if (row->reg != ANY) {
        modrm = (uint8_t)((modrm & ~0x38) | row->reg << 3);
    }
    if (row->rm != ANY) {
        modrm = (uint8_t)((modrm & ~7) | row->rm);
    }
    bytes[n] = modrm;
}
