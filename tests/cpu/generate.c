/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes random and edge-case cases out of the instruction table's rows. */
#include "tests/cpu/values.h"

#include <string.h>

/* ---- addresses ---- */

static uint64_t random_target(Rng *rng, unsigned size)
{
    unsigned align = chance(rng, 2) ? 16 : 1;
    uint64_t off;
    switch (below(rng, 8)) {
    case 0: /* across the two pages */
        off = 0x1000 - below(rng, size + 1);
        break;
    case 1: /* up to, or into, the absent page */
        off = DATA_SIZE - below(rng, size * 2 + 1);
        break;
    case 2:
        off = DATA_SIZE - size;
        break;
    default:
        off = below(rng, DATA_SIZE - 160) & ~(uint64_t)(align - 1);
        break;
    }
    return DATA_BASE + off;
}

static void add_memory(Case *c, Rng *rng, uint64_t target)
{
    if (c->num_mem >= ARRAY_LEN(c->mem)) {
        return;
    }
    uint64_t base = target >= STACK_BASE ? STACK_BASE : DATA_BASE;
    uint64_t size = target >= STACK_BASE ? STACK_SIZE : DATA_SIZE;
    if (target < base || target >= base + size) {
        return;
    }
    MemInit *m = &c->mem[c->num_mem++];
    m->addr = (uint32_t)target;
    m->len = (uint32_t)MIN(sizeof(m->bytes), base + size - target);
    random_memory(rng, m->bytes, m->len);
}

/* ---- encodings ---- */

typedef struct Encoder {
    Case *c;
    Rng *rng;
    const InsnRow *row;
    bool rexw, adsize, opsize;
    uint8_t rex;
    uint8_t vvvv;
    unsigned at;
    int disp_at;      /* of a RIP-relative displacement, or -1 */
    uint64_t target;  /* of the memory operand: offset in its segment */
    uint64_t seg_base; /* of that segment */
    bool memory;
} Encoder;

static void put(Encoder *e, uint8_t byte)
{
    e->c->bytes[e->at++] = byte;
}

static void put_le(Encoder *e, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        put(e, (uint8_t)(v >> (8 * i)));
    }
}

/* Make base + (index << scale) + disp equal to the target by choosing the base register's value. */
static void solve_base(Encoder *e, unsigned base, int index, unsigned scale, int64_t disp)
{
    uint64_t mask = e->c->code_size == 2 && !e->adsize ? ~0ull : 0xffffffffull;
    uint64_t idx = index >= 0 ? e->c->r[index] << scale : 0;
    uint64_t junk = mask == ~0ull || e->c->code_size != 2 ? 0 : rng_next(e->rng) << 32;
    if (index == (int)base) {
        /* base * (1 + 2^scale) + disp == target: only now and then solvable; let the address be what it is */
        e->target = ((e->c->r[base] << scale) + e->c->r[base] + (uint64_t)disp) & mask;
        return;
    }
    e->c->r[base] = ((e->target - idx - (uint64_t)disp) & mask) | junk;
}

static int64_t put_disp(Encoder *e, unsigned mod)
{
    int64_t disp = 0;
    if (mod == 1) {
        disp = (int8_t)rng_next(e->rng);
        put_le(e, (uint64_t)disp, 1);
    } else if (mod == 2) {
        disp = chance(e->rng, 2) ? (int32_t)rng_next(e->rng) : (int32_t)(rng_next(e->rng) & 0xfff) - 0x800;
        put_le(e, (uint64_t)disp, 4);
    }
    return disp;
}

static void put_memory_operand(Encoder *e, unsigned reg)
{
    Rng *rng = e->rng;
    unsigned mod = (unsigned)below(rng, 3);
    bool long64 = e->c->code_size == 2;
    unsigned hi = e->rex & 1 ? 8 : 0;
    switch (below(rng, 6)) {
    case 0: /* absolute or RIP-relative: mod 0, rm 5 */
        put(e, (uint8_t)(reg << 3 | 5));
        e->disp_at = (int)e->at;
        put_le(e, long64 ? 0 : e->target, 4);
        if (!long64) {
            e->disp_at = -1;
        }
        return;
    case 1:
    case 2: { /* SIB */
        unsigned base = (unsigned)below(rng, 8), index = (unsigned)below(rng, 8), scale = (unsigned)below(rng, 4);
        unsigned full_index = index | (e->rex & 2 ? 8 : 0);
        put(e, (uint8_t)(mod << 6 | reg << 3 | 4));
        put(e, (uint8_t)(scale << 6 | index << 3 | base));
        if (mod == 0 && base == 5) { /* no base: disp32 */
            int has_index = full_index != 4;
            uint64_t disp = e->target;
            if (has_index) {
                disp = e->target - (e->c->r[full_index] << scale);
                if (long64 && (uint64_t)(int64_t)(int32_t)disp != disp) { /* a small index makes it fit */
                    e->c->r[full_index] = below(rng, 256);
                    disp = e->target - (e->c->r[full_index] << scale);
                }
            }
            put_le(e, disp, 4);
            return;
        }
        int64_t disp = put_disp(e, mod);
        solve_base(e, base | hi, full_index == 4 ? -1 : (int)full_index, scale, disp);
        return;
    }
    default: {
        unsigned base = (unsigned)below(rng, 8);
        if (base == 4 || (mod == 0 && base == 5)) {
            base = 3;
        }
        put(e, (uint8_t)(mod << 6 | reg << 3 | base));
        int64_t disp = put_disp(e, mod);
        solve_base(e, base | hi, -1, 0, disp);
        return;
    }
    }
}

/* Gathers: a base and elements around it, most of which are there; a mask that wants some. */
static void put_vector_index_operand(Encoder *e, unsigned reg)
{
    Rng *rng = e->rng;
    FxImage *fx = &e->c->fx;
    unsigned mod = (unsigned)below(rng, 3), base = (unsigned)below(rng, 8), index = (unsigned)below(rng, 8);
    unsigned scale = (unsigned)below(rng, 4), full_index = index | (e->rex & 2 ? 8 : 0);
    bool wide = e->row->opcode & 1, far = chance(rng, 3);
    put(e, (uint8_t)(mod << 6 | reg << 3 | 4));
    put(e, (uint8_t)(scale << 6 | index << 3 | base));
    if (mod == 0 && base == 5) {
        put_le(e, e->target, 4);
    } else {
        solve_base(e, base | (e->rex & 1 ? 8 : 0), -1, 0, put_disp(e, mod));
    }
    for (unsigned k = 0; k < (wide ? 4u : 8u); k++) {
        uint64_t n = chance(rng, 40) ? rng_next(rng) : below(rng, far ? 2048 >> scale : 16) - (far ? 1024u >> scale : 0);
        if (wide) {
            (k < 2 ? fx->xmm : fx->ymm)[full_index][k & 1] = n;
        } else {
            ((uint32_t *)(k < 4 ? fx->xmm : fx->ymm)[full_index])[k & 3] = (uint32_t)n;
        }
    }
    for (unsigned k = 0; k < 4; k++) {
        (k < 2 ? fx->xmm : fx->ymm)[e->vvvv][k & 1] = rng_next(rng) | (chance(rng, 2) ? 0x8000000080000000ull : 0);
    }
}

static bool operand_is(const char *operands, const char *what)
{
    size_t n = strlen(what);
    for (const char *p = operands; *p; p += strcspn(p, ","), p += *p == ',') {
        if (strncmp(p, what, n) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_method(const char *operands, char method)
{
    for (const char *p = operands; *p; p += strcspn(p, ","), p += *p == ',') {
        if (*p == method && p[1] >= 'a' && p[1] <= 'z') {
            return true;
        }
    }
    return false;
}

bool row_runs_in_user_mode(const InsnRow *row)
{
    return !(row->attr & (A_SYS | A_IO | A_PRIV));
}

static void put_address_prefixes(Encoder *e)
{
    Rng *rng = e->rng;
    bool long64 = e->c->code_size == 2;
    if (chance(rng, 12) && long64) {
        static const uint8_t segs[] = {0x2e, 0x36, 0x3e, 0x26, 0x65};
        uint8_t seg = segs[below(rng, 5)];
        put(e, seg);
        if (seg == 0x65) {
            e->seg_base = CASE_GS_BASE;
            e->target -= CASE_GS_BASE;
        }
    }
    if (chance(rng, 12)) {
        e->adsize = long64; /* 16-bit addresses only reach memory that is not there */
        if (long64) {
            put(e, 0x67);
        }
    }
}

static void put_prefixes(Encoder *e)
{
    const InsnRow *row = e->row;
    Rng *rng = e->rng;
    bool long64 = e->c->code_size == 2;
    put_address_prefixes(e);
    if (row->prefix == PFX_66) {
        put(e, 0x66);
    } else if (row->prefix == PFX_ANY && !(row->attr & A_BYTE) && chance(rng, 3)) {
        e->opsize = true;
        put(e, 0x66);
    }
    if (row->attr & A_REP) {
        if (!chance(rng, 3)) {
            put(e, chance(rng, 2) ? 0xf3 : 0xf2);
        }
    } else if (row->prefix == PFX_F3) {
        put(e, 0xf3);
    } else if (row->prefix == PFX_F2) {
        put(e, 0xf2);
    }
    if ((row->attr & A_LOCK) && e->memory && chance(rng, 4)) {
        put(e, 0xf0);
    } else if (chance(rng, 400)) {
        put(e, 0xf0); /* illegal: #UD */
    }
    if (!long64) {
        return;
    }
    e->rexw = row->w == 1 || (row->w == ANY && chance(rng, 3));
    if (e->rexw || chance(rng, 2)) {
        e->rex = (uint8_t)(0x40 | (e->rexw ? 8 : 0) | (chance(rng, 2) ? below(rng, 8) : 0));
        put(e, e->rex);
    }
}

/*
 * VEX in its two- and three-byte forms; R, X, B and vvvv are inverted.  Outside 64-bit mode R and X must be 1 (it would be
 * LES or LDS) and B is ignored.  Now and then something that is #UD: another prefix, a wrong L, a vvvv that is not used.
 */
static void put_vex(Encoder *e)
{
    static const uint8_t stray[] = {0x66, 0xf2, 0xf3, 0xf0, 0x48};
    static const uint8_t pp[] = {[PFX_ANY] = 0, [PFX_NP] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3};
    const InsnRow *row = e->row;
    Rng *rng = e->rng;
    bool long64 = e->c->code_size == 2;
    put_address_prefixes(e);
    if (chance(rng, 200)) {
        put(e, stray[below(rng, long64 ? 5 : 4)]);
    }
    bool uses_vvvv = has_method(row->operands, 'H') || has_method(row->operands, 'B');
    unsigned vvvv = uses_vvvv || chance(rng, 100) ? (unsigned)below(rng, 16) : 0;
    unsigned l = row->l == ANY || chance(rng, 100) ? (unsigned)below(rng, 2) : (unsigned)row->l;
    unsigned w = row->w == ANY ? chance(rng, 3) : (unsigned)row->w;
    unsigned rxb = long64 ? chance(rng, 2) ? (unsigned)below(rng, 8) : 0 : chance(rng, 4);
    unsigned last = (~vvvv & 15) << 3 | l << 2 | pp[row->prefix];
    e->vvvv = (uint8_t)vvvv;
    e->rexw = w;
    e->rex = (uint8_t)(long64 ? 0x40 | w << 3 | rxb : 0);
    if (row->map == MAP_VEX_0F && !w && !(rxb & 3) && (long64 || vvvv < 8) && chance(rng, 2)) {
        put(e, 0xc5);
        put(e, (uint8_t)((rxb & 4 ? 0 : 0x80) | last));
        return;
    }
    put(e, 0xc4);
    put(e, (uint8_t)((~rxb & 7) << 5 | (unsigned)(row->map - MAP_VEX_0F + 1)));
    put(e, (uint8_t)(w << 7 | last));
}

static void put_opcode(Encoder *e)
{
    static const uint8_t escapes[][2] = {[MAP_0F] = {0x0f, 0}, [MAP_0F38] = {0x0f, 0x38}, [MAP_0F3A] = {0x0f, 0x3a}};
    if (e->row->map != MAP_1 && e->row->map < MAP_VEX_0F) {
        put(e, escapes[e->row->map][0]);
        if (escapes[e->row->map][1]) {
            put(e, escapes[e->row->map][1]);
        }
    }
    uint8_t op = e->row->opcode;
    if (e->row->attr & A_PLUSR) {
        op |= (uint8_t)below(e->rng, 8);
    } else if (e->row->attr & A_CC) {
        op |= (uint8_t)below(e->rng, 16);
    }
    put(e, op);
}

static void put_modrm(Encoder *e)
{
    const InsnRow *row = e->row;
    unsigned reg = row->reg == ANY ? (unsigned)below(e->rng, 8) : (unsigned)row->reg;
    if (row->mod == MOD_NONE) {
        return;
    }
    if (e->memory && (row->attr & A_VSIB)) {
        put_vector_index_operand(e, reg);
    } else if (e->memory) {
        put_memory_operand(e, reg);
    } else {
        unsigned rm = row->rm == ANY ? (unsigned)below(e->rng, 8) : (unsigned)row->rm;
        put(e, (uint8_t)(0xc0 | reg << 3 | rm));
    }
}

static unsigned operand_bytes(const Encoder *e)
{
    if (e->row->attr & A_BYTE) {
        return 1;
    }
    if (e->rexw) { /* REX.W beats 66 */
        return 8;
    }
    return e->opsize ? 2 : 4;
}

/* Far enough not to land in the branch itself or in the way out behind it. */
static uint64_t branch_distance(Rng *rng, unsigned most)
{
    uint64_t d = 24 + below(rng, most - 24);
    return chance(rng, 2) ? d : 0 - d;
}

static void put_immediates(Encoder *e)
{
    for (const char *p = e->row->operands; *p; p += strcspn(p, ","), p += *p == ',') {
        unsigned size = operand_bytes(e);
        unsigned z = MIN(size, 4);
        if ((e->row->attr & (A_D64 | A_F64)) && size != 2) {
            z = 4;
        }
        if (!strncmp(p, "Ib", 2) || !strncmp(p, "Lx", 2) || !strncmp(p, "sIb", 3)) {
            put_le(e, chance(e->rng, 2) ? edge_value(e->rng) : rng_next(e->rng), 1);
        } else if (!strncmp(p, "Iw", 2)) {
            put_le(e, edge_value(e->rng), 2);
        } else if (!strncmp(p, "Iz", 2)) {
            put_le(e, edge_value(e->rng), z);
        } else if (!strncmp(p, "Iv", 2)) {
            put_le(e, edge_value(e->rng), size);
        } else if (!strncmp(p, "Jb", 2)) {
            put_le(e, branch_distance(e->rng, 112), 1);
        } else if (!strncmp(p, "Jz", 2)) {
            put_le(e, branch_distance(e->rng, 0x200), size == 2 ? 2 : 4);
        } else if (*p == 'O') {
            bool wide = e->c->code_size == 2 && !e->adsize;
            put_le(e, e->target, wide ? 8 : 4);
        }
    }
}

enum { OTHER_COMPONENTS = 0x2e0 }; /* of XSAVE: AVX-512, PKRU */

static bool saves_state(const InsnRow *row)
{
    return strstr(row->name, "xsave") != NULL;
}

static bool restores_state(const InsnRow *row)
{
    return strstr(row->name, "xrstor") != NULL;
}

/*
 * State images: MXCSR without reserved bits that only some hosts have (bit 17, MISALIGNSSE), and mostly valid; a header
 * that XRSTOR mostly takes; components that the interpreter has.  mem[0] is the start of the operand.
 */
static void state_image(Case *c, const InsnRow *row, Rng *rng, uint64_t target)
{
    enum { MXCSR_AT = 24, MASK_AT = 28, HEADER_AT = 512 };
    bool loads_mxcsr = strstr(row->name, "ldmxcsr") != NULL, xsave = row->name[0] == 'x';
    unsigned at = loads_mxcsr ? 0 : MXCSR_AT;
    if ((loads_mxcsr || restores_state(row)) && c->num_mem && c->mem[0].len >= at + 4) {
        uint32_t mxcsr;
        memcpy(&mxcsr, c->mem[0].bytes + at, 4);
        mxcsr &= chance(rng, 4) ? ~(1u << 17) : 0xffffu;
        memcpy(c->mem[0].bytes + at, &mxcsr, 4);
    }
    if (saves_state(row)) {
        c->mxcsr_mask_at = (uint32_t)(target + MASK_AT);
    }
    if (!xsave) {
        return;
    }
    add_memory(c, rng, target + HEADER_AT);
    if (c->num_mem == 0) {
        return;
    }
    MemInit *m = &c->mem[c->num_mem - 1];
    if (m->addr == target + HEADER_AT && m->len >= 64) {
        uint64_t header[8] = {below(rng, 8)};
        if (restores_state(row) && chance(rng, 3)) {
            header[1] = 1ull << 63 | 7;
        }
        if (chance(rng, 8)) { /* perhaps not valid */
            header[below(rng, 8)] ^= rng_next(rng) & ~(uint64_t)OTHER_COMPONENTS;
        }
        memcpy(m->bytes, header, sizeof(header));
    }
}

/* FLDCW, FLDENV, FRSTOR: mostly with all exceptions masked, as translated code has it. */
static void control_word(Case *c, const InsnRow *row, Rng *rng)
{
    bool loads = operand_is(row->name, "fldcw") || operand_is(row->name, "fldenv") || operand_is(row->name, "frstor");
    if (loads && c->num_mem && !chance(rng, 4)) {
        c->mem[0].bytes[0] |= 0x3f;
    }
}

/* Registers that an instruction uses without naming them in its encoding get useful values. */
static void implicit_registers(Case *c, const InsnRow *row, Rng *rng)
{
    const char *ops = row->operands;
    if (has_method(ops, 'X') || !strncmp(row->name, "lods", 4) || !strncmp(row->name, "movs", 4) ||
        !strncmp(row->name, "cmps", 4)) {
        c->r[RSI] = random_target(rng, 8);
        add_memory(c, rng, c->r[RSI]);
    }
    if (has_method(ops, 'Y') || strstr(row->name, "maskmovdqu") || operand_is(row->name, "maskmovq")) {
        c->r[RDI] = random_target(rng, 8);
        if (chance(rng, 4)) {
            c->r[RDI] = c->r[RSI] + below(rng, 17) - 8; /* overlap */
        }
        add_memory(c, rng, c->r[RDI]);
    }
    if (row->attr & A_REP) {
        c->r[RCX] = chance(rng, 6) ? below(rng, 200) : below(rng, 12);
    }
    if (!strncmp(row->name, "xlat", 4)) {
        c->r[RBX] = random_target(rng, 1) - (c->r[RAX] & 0xff);
    }
    if (!strncmp(row->name, "bt", 2) && has_method(ops, 'G')) {
        for (int i = 0; i < 16; i++) { /* bit offsets that mostly stay near the operand */
            if (!chance(rng, 4)) {
                c->r[i] = below(rng, 1024) - (chance(rng, 2) ? 512 : 0);
            }
        }
    }
    if (!strncmp(row->name, "cmpxchg", 7) && chance(rng, 2) && c->num_mem) {
        memcpy(&c->r[RAX], c->mem[0].bytes, 8);
        if (c->mem[0].len >= 16) {
            memcpy(&c->r[RDX], c->mem[0].bytes + (strstr(row->name, "16") ? 8 : 4), 8);
        }
    }
    if (!strncmp(row->name, "div", 3) || !strncmp(row->name, "idiv", 4)) {
        if (!chance(rng, 4)) { /* a quotient that fits */
            c->r[RDX] = chance(rng, 2) ? 0 : (uint64_t)((int64_t)c->r[RAX] >> 63);
        }
    }
    if (!strncmp(row->name, "leave", 5) || !strncmp(row->name, "enter", 5)) {
        c->r[RBP] = STACK_BASE + 0x100 + below(rng, 0xe00);
    }
}

static void random_registers(Case *c, Rng *rng)
{
    for (int i = 0; i < 16; i++) {
        c->r[i] = edge_value(rng);
        if (c->code_size == 1) {
            c->r[i] &= i < 8 ? 0xffffffffu : ~0ull;
        }
    }
    c->r[RSP] = STACK_BASE + (chance(rng, 10) ? below(rng, STACK_SIZE + 64) - 32 : 0x200 + (below(rng, 0xc00) & ~7ull));
    c->flags = 0x202 | ((uint32_t)rng_next(rng) & FL_OSZAPC) | (chance(rng, 4) ? FL_DF : 0);
}

/* Bytes that the memory operand may have. */
static unsigned operand_room(const InsnRow *row)
{
    if (saves_state(row) || restores_state(row)) {
        return 832;
    }
    return !(row->attr & A_SSE) ? 8 : row->map >= MAP_VEX_0F ? 32 : 16;
}

/* RIP-relative displacements are known when the length is. */
static void fix_rip_relative(Encoder *e)
{
    if (e->disp_at < 0) {
        return;
    }
    uint32_t d = (uint32_t)(e->target - (e->c->ip + e->at));
    memcpy(&e->c->bytes[e->disp_at], &d, 4);
}

static uint32_t choose_ip(Rng *rng, unsigned len)
{
    switch (below(rng, 16)) {
    case 0: /* across the two code pages */
        return (uint32_t)(CODE_BASE + 0x1000 - below(rng, len + 1));
    default:
        return (uint32_t)(CODE_BASE + 0x400 + below(rng, 0x800));
    }
}

bool case_generate(Case *c, unsigned row_index, Rng *rng)
{
    const InsnRow *row = &insn_rows[row_index];
    return case_generate_for(c, row_index,
                             row->modes == MODE_64      ? 2
                             : row->modes == MODE_16_32 ? 1
                             : chance(rng, 6)           ? 1
                                                        : 2,
                             rng);
}

bool case_generate_for(Case *c, unsigned row_index, unsigned code_size, Rng *rng)
{
    const InsnRow *row = &insn_rows[row_index];
    if (!row_runs_in_user_mode(row) || !(row->modes & (code_size == 2 ? MODE_64 : MODE_16_32))) {
        return false;
    }
    memset(c, 0, offsetof(Case, mem));
    c->row = (uint16_t)row_index;
    c->code_size = (uint8_t)code_size;
    random_registers(c, rng);
    random_fx(c, rng, row->attr);
    bool components = row->name[0] == 'x' && (saves_state(row) || restores_state(row)); /* chosen by EAX */
    if (components) {
        c->r[RAX] = (chance(rng, 2) ? 7 : rng_next(rng)) & ~(uint64_t)OTHER_COMPONENTS;
    }
    Encoder e = {.c = c, .rng = rng, .row = row, .disp_at = -1};
    e.memory = row->mod == MOD_MEM || (row->mod == MOD_ANY && chance(rng, 2));
    e.target = random_target(rng, operand_room(row));
    if ((saves_state(row) || restores_state(row)) && !chance(rng, 20)) {
        e.target &= ~63ull;
    }
    if (row->map >= MAP_VEX_0F) {
        put_vex(&e);
    } else {
        put_prefixes(&e);
    }
    put_opcode(&e);
    put_modrm(&e);
    put_immediates(&e);
    if (e.at > 15 || (components && (c->r[RAX] & OTHER_COMPONENTS))) {
        return case_generate_for(c, row_index, code_size, rng);
    }
    c->len = (uint8_t)e.at;
    c->ip = choose_ip(rng, c->len);
    fix_rip_relative(&e);
    if (e.memory || has_method(row->operands, 'O')) {
        add_memory(c, rng, e.target + e.seg_base);
        state_image(c, row, rng, e.target + e.seg_base);
        control_word(c, row, rng);
    }
    implicit_registers(c, row, rng);
    if (!saves_state(row) && !restores_state(row)) { /* their image may be at the stack's top */
        add_memory(c, rng, c->r[RSP] & ~7ull);
    }
    if (!strncmp(row->name, "popf", 4) && c->num_mem) {
        /* TF, NT and AC would trap in the harness itself: guest tests cover them. */
        unsigned at = (unsigned)(c->r[RSP] & 7);
        uint32_t flags;
        memcpy(&flags, c->mem[c->num_mem - 1].bytes + at, 4);
        flags &= ~(uint32_t)(FL_TF | FL_NT | FL_AC);
        memcpy(c->mem[c->num_mem - 1].bytes + at, &flags, 4);
    }
    return true;
}

void case_put_code(const Case *c, uint8_t *code)
{
    uint32_t at = c->ip - (uint32_t)CODE_BASE;
    memcpy(code + at, c->bytes, c->len);
    uint8_t *after = code + at + c->len;
    if (at + c->len + 8 > EXIT_POINTER) {
        return;
    }
    if (c->code_size == 2) {
        uint32_t d = EXIT_POINTER - (at + c->len + 6);
        after[0] = 0xff; /* jmp [rip + d] */
        after[1] = 0x25;
        memcpy(after + 2, &d, 4);
    } else {
        uint32_t target = CODE_BASE + TRAMPOLINE32;
        after[0] = 0xea; /* jmp 0x33:trampoline */
        memcpy(after + 1, &target, 4);
        after[5] = 0x33;
        after[6] = 0;
    }
}
