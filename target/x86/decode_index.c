/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From rows to lists of candidates per opcode, most specific first; refuses tables in which two rows claim one
 * encoding.
 * Spec: rules at the head of insns.def.
 */
#include "target/x86/decode.h"

#include <stdio.h>

static MatchSet match_set(const InsnRow *r)
{
    static const uint8_t form[] = {[MOD_NONE] = 3, [MOD_ANY] = 3, [MOD_MEM] = 1, [MOD_REG] = 2};
    static const uint8_t prefix[] = {[PFX_ANY] = 15, [PFX_NP] = 1, [PFX_66] = 2, [PFX_F3] = 4, [PFX_F2] = 8};
    MatchSet s = {
        .form = form[r->mod],
        .reg = r->reg == ANY ? 0xff : (uint8_t)(1 << r->reg),
        .rm = r->rm == ANY ? 0xff : (uint8_t)(1 << r->rm),
        .prefix = prefix[r->prefix],
        .l = r->l == ANY ? 15 : (uint8_t)(1 << r->l),
        .b = 3,
    };
    /* Legacy encodings have no W outside 64-bit mode; VEX.W exists there too. */
    unsigned w = r->w == ANY ? 3 : 1u << r->w;
    if (r->modes & MODE_16_32) {
        s.mode_w |= r->map >= MAP_VEX_0F ? w : w & 1;
    }
    if (r->modes & MODE_64) {
        s.mode_w |= w << 2;
    }
    return s;
}

static bool sets_overlap(const MatchSet *a, const MatchSet *b)
{
    return (a->form & b->form) && (a->reg & b->reg) && (a->rm & b->rm) && (a->prefix & b->prefix) &&
           (a->mode_w & b->mode_w) && (a->l & b->l) && (a->b & b->b);
}

static bool set_inside(const MatchSet *a, const MatchSet *b)
{
    return !(a->form & ~b->form) && !(a->reg & ~b->reg) && !(a->rm & ~b->rm) && !(a->prefix & ~b->prefix) &&
           !(a->mode_w & ~b->mode_w) && !(a->l & ~b->l) && !(a->b & ~b->b);
}

static unsigned set_size(const MatchSet *s)
{
    return (unsigned)(__builtin_popcount(s->form) * __builtin_popcount(s->reg) * __builtin_popcount(s->rm)) *
           (unsigned)(__builtin_popcount(s->prefix) * __builtin_popcount(s->mode_w) * __builtin_popcount(s->l)) *
           (unsigned)__builtin_popcount(s->b);
}

/* ---- operands ---- */

static bool token_is(const char *token, size_t len, const char *what)
{
    return strlen(what) == len && memcmp(token, what, len) == 0;
}

static unsigned immediate_kind(const char *token, size_t len)
{
    static const struct {
        const char *code;
        uint8_t kind;
    } codes[] = {
        {"Ib", IMM_IB}, {"sIb", IMM_SIB}, {"Jb", IMM_SIB}, {"Iw", IMM_IW}, {"Iz", IMM_IZ}, {"Jz", IMM_IZ},
        {"Iv", IMM_IV}, {"Ap", IMM_AP},   {"Ob", IMM_O},   {"Ov", IMM_O},  {"Lx", IMM_IB},
    };
    for (unsigned i = 0; i < ARRAY_LEN(codes); i++) {
        if (token_is(token, len, codes[i].code)) {
            return codes[i].kind;
        }
    }
    return IMM_NONE;
}

static bool add_immediate(Candidate *c, unsigned kind)
{
    if (kind == IMM_NONE) {
        return true;
    }
    if (c->imm == IMM_NONE) {
        c->imm = (uint8_t)kind;
    } else if (c->imm == IMM_IW && kind == IMM_IB) {
        c->imm = IMM_IW_IB;
    } else if (c->imm == IMM_IB && kind == IMM_IB) {
        c->imm = IMM_IB_IB;
    } else {
        return false;
    }
    return true;
}

/* Operand codes: a method letter followed by lower-case type letters; "CS", "ST0" are fixed registers. */
static bool parse_operands(Candidate *c, const InsnRow *r)
{
    c->reg_mask = c->rm_mask = 15;
    for (const char *p = r->operands; *p;) {
        size_t len = strcspn(p, ",");
        if (len == 0 || !add_immediate(c, immediate_kind(p, len))) {
            return false;
        }
        if (len > 1 && g_ascii_islower(p[1])) {
            switch (p[0]) {
            case 'P':
            case 'S':
                c->reg_mask = 7;
                break;
            case 'Q':
            case 'N':
                c->rm_mask = 7;
                break;
            case 'R':
                c->force_reg = r->mod == MOD_ANY;
                break;
            case 'H':
            case 'B':
                c->any_vvvv = true;
                break;
            default:
                break;
            }
        }
        p += len + (p[len] == ',');
        if (p[-1] == ',' && !*p) {
            return false;
        }
    }
    return true;
}

/* SDM vol 1 section 3.6: operand size by code size, REX.W and 66. */
static void fill_osize(Candidate *c, const InsnRow *r)
{
    bool fixed = (r->attr & A_NO66) || (r->prefix == PFX_66 && !(r->attr & A_OP66)) || r->map >= MAP_VEX_0F;
    for (unsigned code = 0; code < 3; code++) {
        for (unsigned k = 0; k < 4; k++) {
            bool w = k & 2, p66 = (k & 1) && !fixed;
            unsigned size = code == 0 && !fixed ? (p66 ? 2 : 1) : (p66 ? 1 : 2);
            if (r->attr & A_BYTE) {
                size = 0;
            } else if (code == 2 && (w || (r->attr & A_F64) || ((r->attr & A_D64) && !p66))) {
                size = 3;
            }
            c->osize[code][k] = (uint8_t)size;
        }
    }
}

/* ---- building ---- */

typedef struct Builder {
    const InsnRow *rows;
    InsnIndex *index;
    GArray *cands;      /* of Candidate: the final lists */
    GArray *by_op[NUM_MAPS][256]; /* of Candidate: everything for an opcode, sorted */
} Builder;

static void describe_row(GString *s, const InsnRow *r)
{
    static const char *const maps[] = {"", "0F ", "0F 38 ", "0F 3A ", "VEX 0F ", "VEX 0F 38 ", "VEX 0F 3A "};
    static const char *const prefixes[] = {"", "NP ", "66 ", "F3 ", "F2 "};
    g_string_append_printf(s, "\"%s %s\" (%s%s%02X", r->name, r->operands, prefixes[r->prefix], maps[r->map],
                           r->opcode);
    if (r->reg != ANY) {
        g_string_append_printf(s, " /%d", r->reg);
    }
    if (r->rm != ANY) {
        g_string_append_printf(s, " rm %d", r->rm);
    }
    g_string_append_c(s, ')');
}

static bool fail(GError **error, const char *what, const InsnRow *a, const InsnRow *b)
{
    GString *s = g_string_new(what);
    g_string_append(s, ": ");
    describe_row(s, a);
    if (b) {
        g_string_append(s, " and ");
        describe_row(s, b);
    }
    g_set_error_literal(error, g_quark_from_static_string("insn-table"), 1, s->str);
    g_string_free(s, TRUE);
    return false;
}

static bool row_sane(const InsnRow *r, GError **error)
{
    if (r->map >= NUM_MAPS || r->mod > MOD_REG || !r->modes || !r->exec) {
        return fail(error, "instruction row with a bad column", r, NULL);
    }
    if ((r->rm != ANY && r->mod != MOD_REG) || (r->reg != ANY && r->mod == MOD_NONE)) {
        return fail(error, "instruction row fixes a ModRM field that it does not have", r, NULL);
    }
    if (((r->attr & A_PLUSR) && (r->opcode & 7)) || ((r->attr & A_CC) && (r->opcode & 15))) {
        return fail(error, "instruction row does not start its opcode range", r, NULL);
    }
    if (r->flags_undef & ~r->flags_written) {
        return fail(error, "instruction row leaves flags undefined that it does not write", r, NULL);
    }
    return true;
}

static bool insert_candidate(Builder *b, const Candidate *c, unsigned map, unsigned op, GError **error)
{
    GArray **list = &b->by_op[map][op];
    const InsnRow *r = &b->rows[c->row];
    if (!*list) {
        *list = g_array_new(FALSE, FALSE, sizeof(Candidate));
    }
    Candidate add = *c;
    for (unsigned i = 0; i < (*list)->len; i++) {
        /* A plain row over (or under) a "+r" row stands for register 0 only. */
        Candidate *o = &g_array_index(*list, Candidate, i);
        if (add.plus_r && !o->plus_r) {
            o->set.b = 1;
        } else if (!add.plus_r && o->plus_r) {
            add.set.b = 1;
        }
    }
    for (unsigned i = 0; i < (*list)->len; i++) {
        const Candidate *o = &g_array_index(*list, Candidate, i);
        const InsnRow *other = &b->rows[o->row];
        if ((other->mod == MOD_NONE) != (r->mod == MOD_NONE)) {
            return fail(error, "instruction rows disagree on a ModRM byte", other, r);
        }
        if (!sets_overlap(&add.set, &o->set)) {
            continue;
        }
        bool in = set_inside(&add.set, &o->set), out = set_inside(&o->set, &add.set);
        if (in && out && other->feature == r->feature) {
            return fail(error, "instruction rows are duplicates", other, r);
        }
        if (!in && !out) {
            return fail(error, "instruction rows are ambiguous", other, r);
        }
    }
    unsigned at = 0;
    while (at < (*list)->len && set_size(&g_array_index(*list, Candidate, at).set) <= set_size(&add.set)) {
        at++;
    }
    g_array_insert_val(*list, at, add);
    return true;
}

static bool add_row(Builder *b, unsigned n, GError **error)
{
    const InsnRow *r = &b->rows[n];
    if (!row_sane(r, error)) {
        return false;
    }
    Candidate c = {
        .set = match_set(r),
        .row = (uint16_t)n,
        .feature = r->feature,
        .attr = r->attr,
        .exec = r->exec,
        .plus_r = (r->attr & A_PLUSR) != 0,
    };
    if (!parse_operands(&c, r)) {
        return fail(error, "instruction row with unknown operands", r, NULL);
    }
    fill_osize(&c, r);
    unsigned span = r->attr & A_CC ? 16 : r->attr & A_PLUSR ? 8 : 1;
    for (unsigned k = 0; k < span; k++) {
        if (!insert_candidate(b, &c, r->map, r->opcode + k, error)) {
            return false;
        }
    }
    return true;
}

/* Does it match every encoding in 64-bit code that its list is looked up for? */
static bool is_plain(const Candidate *c)
{
    const MatchSet *s = &c->set;
    return s->prefix == 15 && (s->mode_w & 12) == 12 && s->rm == 0xff && s->l == 15 && s->b == 3 && c->feature == FEAT_NONE;
}

/* Append the candidates of one opcode that pass for a form and a reg field. */
static uint16_t emit_list(Builder *b, const GArray *all, unsigned form, unsigned reg)
{
    unsigned first = b->cands->len;
    for (unsigned i = 0; i < all->len; i++) {
        const Candidate *c = &g_array_index(all, Candidate, i);
        if ((c->set.form & form) && (c->set.reg >> reg & 1)) {
            g_array_append_vals(b->cands, c, 1);
            g_array_index(b->cands, Candidate, b->cands->len - 1).plain = is_plain(c);
        }
    }
    if (b->cands->len == first) {
        return NO_LIST;
    }
    g_array_index(b->cands, Candidate, b->cands->len - 1).last = true;
    return (uint16_t)first;
}

static void emit_opcode(Builder *b, unsigned map, unsigned op)
{
    const GArray *all = b->by_op[map][op];
    OpcodeEntry *e = &b->index->op[map][op];
    if (!all) {
        return;
    }
    e->used = true;
    e->has_modrm = b->rows[g_array_index(all, Candidate, 0).row].mod != MOD_NONE;
    bool same = true; /* one list for all sixteen forms */
    for (unsigned i = 0; i < all->len; i++) {
        const MatchSet *s = &g_array_index(all, Candidate, i).set;
        same = same && s->form == 3 && s->reg == 0xff;
    }
    for (unsigned k = 0; k < 16; k++) {
        e->list[k] = k && same ? e->list[0] : emit_list(b, all, k < 8 ? 1 : 2, k & 7);
    }
}

InsnIndex *insn_index_new(const InsnRow *rows, unsigned n, GError **error)
{
    Builder b = {.rows = rows, .index = g_new0(InsnIndex, 1), .cands = g_array_new(FALSE, FALSE, sizeof(Candidate))};
    bool ok = true;
    for (unsigned i = 0; i < n && ok; i++) {
        ok = add_row(&b, i, error);
    }
    for (unsigned map = 0; map < NUM_MAPS; map++) {
        for (unsigned op = 0; op < 256; op++) {
            if (ok) {
                emit_opcode(&b, map, op);
            }
            if (b.by_op[map][op]) {
                g_array_free(b.by_op[map][op], TRUE);
            }
        }
    }
    b.index->num_cand = b.cands->len;
    b.index->cand = (Candidate *)(void *)g_array_free(b.cands, FALSE);
    if (!ok) {
        insn_index_free(b.index);
        return NULL;
    }
    return b.index;
}

void insn_index_free(InsnIndex *index)
{
    if (index) {
        g_free(index->cand);
        g_free(index);
    }
}
