/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction decoder: prefixes, opcode map, ModRM, SIB, displacement, immediates, choice of the row.
 * Spec: Intel SDM vol 2 chapter 2; AMD APM vol 3 chapter 1.
 */
#include "target/x86/decode.h"

#include <stdio.h>

#include "target/x86/exec.h"

enum { MAX_LEN = 15 };
enum { STATE_NONE, STATE_66, STATE_F3, STATE_F2 }; /* mandatory prefix, in the order of VEX.pp */

typedef struct Decoder {
    const uint8_t *bytes;
    unsigned pos, end; /* end: bytes that may be read, at most MAX_LEN */
    unsigned code_size;
    bool p66, p67, lock;
    uint8_t rep;     /* 0xf2, 0xf3 or 0: the last one */
    uint8_t rex;     /* also VEX: W R X B in the same places */
    bool vex;
    bool vvvv;       /* VEX.vvvv is not 1111b, all four bits counted in every mode */
    bool vsib;       /* the index is a vector register */
    uint8_t map, state;
    uint8_t seg_override;
} Decoder;

static bool room(const Decoder *d, unsigned n)
{
    return likely(d->pos + n <= d->end);
}

static int8_t get_s8(Decoder *d)
{
    return (int8_t)d->bytes[d->pos++];
}
static uint16_t get_u16(Decoder *d)
{
    uint16_t v;
    memcpy(&v, d->bytes + d->pos, 2);
    d->pos += 2;
    return GUINT16_FROM_LE(v);
}
static uint32_t get_u32(Decoder *d)
{
    uint32_t v;
    memcpy(&v, d->bytes + d->pos, 4);
    d->pos += 4;
    return GUINT32_FROM_LE(v);
}
static uint64_t get_u64(Decoder *d)
{
    uint64_t v;
    memcpy(&v, d->bytes + d->pos, 8);
    d->pos += 8;
    return GUINT64_FROM_LE(v);
}

/* ---- prefixes and opcode ---- */

/* Legacy prefixes in any order; a REX counts only right before the opcode.  False: out of bytes. */
static bool read_prefixes(Decoder *d)
{
    for (; room(d, 1); d->pos++) {
        uint8_t b = d->bytes[d->pos];
        switch (b) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            /* Ignored in 64-bit mode; an FS or GS before it stays (seen on Zen). */
            if (d->code_size != 2) {
                d->seg_override = (b >> 3) & 3;
            }
            break;
        case 0x64:
        case 0x65:
            d->seg_override = b == 0x64 ? SEG_FS : SEG_GS;
            break;
        case 0x66:
            d->p66 = true;
            break;
        case 0x67:
            d->p67 = true;
            break;
        case 0xf0:
            d->lock = true;
            break;
        case 0xf2:
        case 0xf3:
            d->rep = b;
            break;
        default:
            if (d->code_size == 2 && (b & 0xf0) == 0x40) {
                d->rex = b;
                continue;
            }
            return true;
        }
        d->rex = 0;
    }
    return false;
}

/*
 * C4 and C5 are VEX in 64-bit mode, and elsewhere when what would be the ModRM of LES/LDS has mod 3.
 * SDM vol 2 section 2.3.5.
 */
static bool is_vex(const Decoder *d, uint8_t op)
{
    return (op == 0xc4 || op == 0xc5) && (d->code_size == 2 || (room(d, 1) && d->bytes[d->pos] >= 0xc0));
}

static DecodeStatus read_vex(Decoder *d, Insn *out, uint8_t op)
{
    if (!room(d, op == 0xc4 ? 3 : 2)) {
        return DECODE_SHORT;
    }
    uint8_t a = d->bytes[d->pos++], c = a;
    unsigned map = 1;
    bool bad = d->p66 || d->rep || d->lock || d->rex;
    d->vex = true;
    d->rex = 0x40 | ((a & 0x80) ? 0 : 4);
    if (op == 0xc4) {
        c = d->bytes[d->pos++];
        map = a & 31;
        d->rex |= ((a & 0x40) ? 0 : 2) | ((a & 0x20) ? 0 : 1) | ((c & 0x80) ? 8 : 0);
    }
    if (d->code_size != 2) {
        d->rex &= 0x48; /* R and X are clear by construction, B is ignored */
    }
    d->vvvv = ~c >> 3 & 15;
    out->vvvv = (~c >> 3) & (d->code_size == 2 ? 15 : 7);
    out->vl = (c >> 2) & 1;
    d->state = c & 3;
    d->map = (uint8_t)(MAP_VEX_0F + map - 1);
    return bad || map < 1 || map > 3 ? DECODE_INVALID : DECODE_OK;
}

/* Map and last opcode byte. */
static DecodeStatus read_opcode(Decoder *d, Insn *out)
{
    uint8_t op = d->bytes[d->pos++];
    d->state = d->rep ? (d->rep == 0xf3 ? STATE_F3 : STATE_F2) : d->p66 ? STATE_66 : STATE_NONE;
    if (op == 0x0f) {
        if (!room(d, 1)) {
            return DECODE_SHORT;
        }
        op = d->bytes[d->pos++];
        d->map = MAP_0F;
        if (op == 0x38 || op == 0x3a) {
            if (!room(d, 1)) {
                return DECODE_SHORT;
            }
            d->map = op == 0x38 ? MAP_0F38 : MAP_0F3A;
            op = d->bytes[d->pos++];
        }
    } else if ((op & 0xfe) == 0xc4) {
        if (d->code_size != 2 && !room(d, 1)) {
            return DECODE_SHORT; /* LES, LDS or VEX: the next byte decides */
        }
        if (is_vex(d, op)) {
            DecodeStatus status = read_vex(d, out, op);
            if (status != DECODE_OK) {
                return status;
            }
            op = d->bytes[d->pos++];
        }
    }
    out->opcode = op;
    return DECODE_OK;
}

/* ---- memory operands ---- */

/* SDM vol 2 table 2-1. */
static bool read_mem16(Decoder *d, Insn *out, unsigned mod, unsigned rm)
{
    static const uint8_t base[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
    static const uint8_t index[8] = {RSI, RDI, RSI, RDI, REG_ZERO, REG_ZERO, REG_ZERO, REG_ZERO};
    out->base = base[rm];
    out->index = index[rm];
    if (mod == 0 && rm == 6) {
        out->base = REG_ZERO;
        mod = 2;
    }
    if (!room(d, mod)) {
        return false;
    }
    out->disp = mod == 1 ? get_s8(d) : mod == 2 ? (int16_t)get_u16(d) : 0;
    out->seg = out->base == RBP ? SEG_SS : SEG_DS;
    return true;
}

/* SDM vol 2 tables 2-2 and 2-3, section 2.2.1 for 64-bit mode. */
static bool read_mem32(Decoder *d, Insn *out, unsigned mod, unsigned rm)
{
    unsigned base = rm | (unsigned)(d->rex & 1) << 3;
    out->index = REG_ZERO;
    if (rm == 4) {
        if (!room(d, 1)) {
            return false;
        }
        uint8_t sib = d->bytes[d->pos++];
        unsigned index = ((sib >> 3) & 7) | (unsigned)(d->rex & 2) << 2;
        if (index != 4 || d->vsib) {
            out->index = (uint8_t)index;
            out->scale = sib >> 6;
        }
        base = (sib & 7) | (unsigned)(d->rex & 1) << 3;
        if (mod == 0 && (sib & 7) == 5) {
            base = REG_ZERO;
            mod = 2;
        }
    } else if (mod == 0 && rm == 5) {
        base = d->code_size == 2 ? REG_IP : REG_ZERO;
        mod = 2;
    }
    out->base = (uint8_t)base;
    out->seg = base == RSP || base == RBP ? SEG_SS : SEG_DS;
    if (mod == 1) {
        if (!room(d, 1)) {
            return false;
        }
        out->disp = get_s8(d);
    } else if (mod == 2) {
        if (!room(d, 4)) {
            return false;
        }
        out->disp = (int32_t)get_u32(d);
    }
    return true;
}

static uint8_t byte_reg(const Decoder *d, unsigned n)
{
    return (uint8_t)(d->rex || n < 4 ? n * 8 : (n - 4) * 8 + 1);
}

/* ---- immediates ---- */

static unsigned immediate_size(const Insn *out, unsigned kind)
{
    switch (kind) {
    case IMM_IB:
    case IMM_SIB:
        return 1;
    case IMM_IW:
    case IMM_IB_IB:
        return 2;
    case IMM_IZ:
        return out->osize == 1 ? 2 : 4;
    case IMM_IV:
        return 1u << out->osize;
    case IMM_IW_IB:
        return 3;
    case IMM_AP:
        return out->osize == 1 ? 4 : 6;
    case IMM_O:
        return 1u << out->asize;
    default:
        return 0;
    }
}

static void read_immediate(Decoder *d, Insn *out, unsigned kind)
{
    switch (kind) {
    case IMM_IB:
        out->imm = d->bytes[d->pos++];
        break;
    case IMM_SIB:
        out->imm = (uint64_t)get_s8(d);
        break;
    case IMM_IW:
        out->imm = get_u16(d);
        break;
    case IMM_IZ:
        out->imm = out->osize == 1 ? (uint64_t)(int16_t)get_u16(d) : (uint64_t)(int32_t)get_u32(d);
        break;
    case IMM_IV:
        out->imm = out->osize == 1 ? get_u16(d) : out->osize == 2 ? get_u32(d) : get_u64(d);
        break;
    case IMM_IW_IB:
        out->imm = get_u16(d);
        out->imm2 = d->bytes[d->pos++];
        break;
    case IMM_IB_IB:
        out->imm = d->bytes[d->pos++];
        out->imm2 = d->bytes[d->pos++];
        break;
    case IMM_AP:
        out->imm = out->osize == 1 ? get_u16(d) : get_u32(d);
        out->imm2 = get_u16(d);
        break;
    case IMM_O:
        out->disp = out->asize == 1 ? get_u16(d) : out->asize == 2 ? get_u32(d) : (int64_t)get_u64(d);
        out->base = out->index = REG_ZERO;
        out->seg = SEG_DS;
        out->flags |= INSN_MEM;
        break;
    default:
        break;
    }
}

/* ---- the whole ---- */

static const Candidate *choose(const Decoder *d, const Insn *out, const Candidate *c, const FeatureSet *features)
{
    unsigned prefix = 1u << d->state, b = 1u << (d->rex & 1), l = 1u << out->vl, rm = 1u << (out->modrm & 7);
    unsigned mode_w = 1u << ((d->code_size == 2) * 2 + ((d->rex >> 3) & 1));
    for (;; c++) {
        if ((c->set.prefix & prefix) && (c->set.mode_w & mode_w) && (c->set.rm & rm) && (c->set.l & l) &&
            (c->set.b & b) && feature_in(features, c->feature)) {
            return c;
        }
        if (c->last) {
            return NULL;
        }
    }
}

/*
 * LOCK wants a row that allows it and a destination in memory; a vector index wants a SIB byte; VEX.vvvv must be unused
 * when it is no operand.
 */
static bool legal(const Decoder *d, const Insn *out, const Candidate *c)
{
    if (d->lock && !((c->attr & A_LOCK) && ((out->flags & INSN_MEM) || c->set.form == 2))) {
        return false;
    }
    if ((c->attr & A_VSIB) && ((out->modrm & 7) != 4 || out->asize == 1)) {
        return false;
    }
    return c->any_vvvv || !d->vvvv;
}

static DecodeStatus finish(Decoder *d, Insn *out, DecodeStatus status)
{
    if (status == DECODE_SHORT && d->end == MAX_LEN) {
        status = DECODE_TOO_LONG;
        d->pos = MAX_LEN;
    }
    if (status != DECODE_OK) {
        out->fn = status == DECODE_TOO_LONG ? exec_gp0_fn : exec_ud_fn;
        out->row = 0;
    }
    out->len = (uint8_t)d->pos;
    return status;
}

static void fill_sizes(const Decoder *d, Insn *out, const Candidate *c)
{
    out->osize = c->osize[d->code_size][((d->rex >> 3) & 1) * 2 + d->p66];
    out->row = c->row;
    G_STATIC_ASSERT(INSN_REXW == 8 << 4);
    out->flags = (uint8_t)(d->p66 * INSN_OPSIZE | d->p67 * INSN_ADSIZE | d->lock * INSN_LOCK | (d->rex != 0) * INSN_REX |
                           (d->rex & 8) << 4);
    if (d->rep && c->set.prefix == 15) {
        out->flags |= d->rep == 0xf3 ? INSN_REP : INSN_REPNE;
    }
}

/* Registers and memory operand.  False: out of bytes. */
static bool read_operands(Decoder *d, Insn *out, const Candidate *c, bool has_modrm)
{
    unsigned mod = out->modrm >> 6, rm = out->modrm & 7, reg = (out->modrm >> 3) & 7;
    d->vsib = c->attr & A_VSIB;
    if (!has_modrm) {
        rm = c->plus_r ? (out->opcode & 7) | (unsigned)(d->rex & 1) << 3 : 0;
        out->seg = SEG_DS;
    } else if (mod == 3 || c->force_reg) {
        rm |= (unsigned)(d->rex & 1) << 3;
    } else {
        out->flags |= INSN_MEM;
        if (!(out->asize == 1 ? read_mem16(d, out, mod, rm) : read_mem32(d, out, mod, rm))) {
            return false;
        }
    }
    reg |= (unsigned)(d->rex & 4) << 1;
    out->reg = reg & c->reg_mask;
    out->rm = rm & c->rm_mask;
    out->reg8 = byte_reg(d, reg);
    out->rm8 = byte_reg(d, rm);
    return true;
}

DecodeStatus insn_decode_with(const InsnIndex *index, Insn *out, const uint8_t *bytes, unsigned avail,
                              unsigned code_size, const FeatureSet *features)
{
    Decoder d = {
        .bytes = bytes,
        .end = MIN(avail, MAX_LEN),
        .code_size = code_size,
        .seg_override = 0xff,
    };
    *out = (Insn){.base = REG_ZERO, .index = REG_ZERO};
    if (!read_prefixes(&d)) {
        return finish(&d, out, DECODE_SHORT);
    }
    DecodeStatus status = read_opcode(&d, out);
    if (status != DECODE_OK) {
        return finish(&d, out, status);
    }
    const OpcodeEntry *e = &index->op[d.map][out->opcode];
    unsigned list = 0;
    if (e->has_modrm) {
        if (!room(&d, 1)) {
            return finish(&d, out, DECODE_SHORT);
        }
        out->modrm = bytes[d.pos++];
        list = (out->modrm >= 0xc0) * 8 + ((out->modrm >> 3) & 7);
    }
    if (!e->used || e->list[list] == NO_LIST) {
        return finish(&d, out, DECODE_INVALID);
    }
    const Candidate *c = &index->cand[e->list[list]];
    if (!(c->plain && code_size == 2)) {
        c = choose(&d, out, c, features);
    }
    if (!c) {
        return finish(&d, out, DECODE_INVALID);
    }
    out->asize = (uint8_t)(code_size == 2 ? (d.p67 ? 2 : 3) : (code_size ^ d.p67) ? 2 : 1);
    fill_sizes(&d, out, c);
    if (!read_operands(&d, out, c, e->has_modrm) || !room(&d, immediate_size(out, c->imm))) {
        return finish(&d, out, DECODE_SHORT);
    }
    read_immediate(&d, out, c->imm);
    out->seg_override = d.seg_override;
    if (d.seg_override != 0xff) {
        out->seg = d.seg_override;
    }
    out->fn = c->exec[out->osize + (out->flags & INSN_MEM ? 4 : 0)];
    return finish(&d, out, legal(&d, out, c) ? DECODE_OK : DECODE_INVALID);
}

/* ---- the one table of this program ---- */

/* Built once by insn_table_init(), constant from then on. */
static const InsnIndex *the_index;

bool insn_table_init(GError **error)
{
    if (!the_index) {
        the_index = insn_index_new(insn_rows, insn_num_rows, error);
    }
    return the_index != NULL;
}

DecodeStatus insn_decode(Insn *out, const uint8_t *bytes, unsigned avail, unsigned code_size,
                         const FeatureSet *features)
{
    return insn_decode_with(the_index, out, bytes, avail, code_size, features);
}

/* Names that depend on a size: "by16/by32/by64", with '@' in front by address size. */
const char *insn_name(const Insn *i, char *buf, size_t size)
{
    static const char cond[16][4] = {"o", "no", "b",  "ae", "e", "ne", "be", "a",
                                     "s", "ns", "p", "np", "l", "ge", "le", "g"};
    const InsnRow *row = insn_row(i);
    const char *name = row->name;
    unsigned which = i->osize;
    if (i->fn == exec_ud_fn && i->row == 0) {
        name = "(bad)";
    } else if (*name == '@') {
        name++;
        which = i->asize;
    }
    size_t len = strcspn(name, "/");
    for (; name[len] == '/' && which > 1; which--) {
        name += len + 1;
        len = strcspn(name, "/");
    }
    snprintf(buf, size, "%.*s%s", (int)len, name, row->attr & A_CC ? cond[i->opcode & 15] : "");
    return buf;
}
