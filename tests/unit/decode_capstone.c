/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every row of the instruction table, and random bytes, decoded by us and by libcapstone: lengths, names, memory
 * operands and registers must agree.  What does not is in tables below, each with its reason.
 * Spec: Intel SDM vol 2; a difference is settled by the manual or by the silicon.
 */
#include <stdio.h>

#include "config.h"
#include "target/x86/insn.h"

#ifndef HAVE_CAPSTONE

static void test_skip(void)
{
    g_test_skip("built without libcapstone");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/decode-capstone", test_skip);
    return g_test_run();
}

#else

#include <capstone/capstone.h>

#include "tests/unit/insn_random.h"

static csh handles[3];
static FeatureSet all;

/* ---- names ---- */

/* Ours, theirs: spelling only. */
static const char *const aliases[][2] = {
#include "tests/unit/decode_aliases.def"
};

static bool same_name(const char *ours, const char *theirs)
{
    if (!strcmp(ours, theirs)) {
        return true;
    }
    for (unsigned k = 0; k < G_N_ELEMENTS(aliases); k++) {
        if (!strcmp(aliases[k][0], ours) && !strcmp(aliases[k][1], theirs)) {
            return true;
        }
    }
    /* CMPPS with its predicate in the name: cmpltps. */
    if (strlen(ours) == 6 && g_str_has_prefix(ours, "vcmp")) {
        return g_str_has_prefix(theirs, "vcmp") && g_str_has_suffix(theirs, ours + 4);
    }
    return strlen(ours) == 5 && g_str_has_prefix(ours, "cmp") && g_str_has_prefix(theirs, "cmp") &&
           g_str_has_suffix(theirs, ours + 3);
}

/* Without "rep ", "lock " and the like. */
static const char *bare_name(const char *mnemonic)
{
    static const char *const prefixes[] = {"lock ", "rep ", "repe ", "repne ", "repz ", "repnz ", "xacquire ",
                                           "xrelease ", "bnd ", "notrack ", "data16 ", "wait "};
    for (unsigned k = 0; k < G_N_ELEMENTS(prefixes); k++) {
        if (g_str_has_prefix(mnemonic, prefixes[k])) {
            return bare_name(mnemonic + strlen(prefixes[k]));
        }
    }
    return mnemonic;
}

/* ---- operands ---- */

static const uint16_t reg64[16] = {X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP,
                                   X86_REG_RSI, X86_REG_RDI, X86_REG_R8,  X86_REG_R9,  X86_REG_R10, X86_REG_R11,
                                   X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15};
static const uint16_t reg32[16] = {X86_REG_EAX, X86_REG_ECX, X86_REG_EDX,  X86_REG_EBX,  X86_REG_ESP,  X86_REG_EBP,
                                   X86_REG_ESI, X86_REG_EDI, X86_REG_R8D,  X86_REG_R9D,  X86_REG_R10D, X86_REG_R11D,
                                   X86_REG_R12D, X86_REG_R13D, X86_REG_R14D, X86_REG_R15D};
static const uint16_t reg16[16] = {X86_REG_AX,   X86_REG_CX,   X86_REG_DX,   X86_REG_BX,  X86_REG_SP,   X86_REG_BP,
                                   X86_REG_SI,   X86_REG_DI,   X86_REG_R8W,  X86_REG_R9W, X86_REG_R10W, X86_REG_R11W,
                                   X86_REG_R12W, X86_REG_R13W, X86_REG_R14W, X86_REG_R15W};
static const uint16_t reg8[16] = {X86_REG_AL,   X86_REG_CL,   X86_REG_DL,   X86_REG_BL,  X86_REG_SPL,  X86_REG_BPL,
                                  X86_REG_SIL,  X86_REG_DIL,  X86_REG_R8B,  X86_REG_R9B, X86_REG_R10B, X86_REG_R11B,
                                  X86_REG_R12B, X86_REG_R13B, X86_REG_R14B, X86_REG_R15B};
static const uint16_t high8[4] = {X86_REG_AH, X86_REG_CH, X86_REG_DH, X86_REG_BH};
static const uint16_t segs[6] = {X86_REG_ES, X86_REG_CS, X86_REG_SS, X86_REG_DS, X86_REG_FS, X86_REG_GS};

static uint16_t by_size(unsigned log2size, unsigned n, unsigned offset8)
{
    if (log2size == 0) {
        return offset8 & 7 ? high8[offset8 >> 3] : reg8[offset8 >> 3];
    }
    return log2size == 1 ? reg16[n] : log2size == 2 ? reg32[n] : reg64[n];
}

static uint16_t address_reg(const Insn *i, unsigned n)
{
    if (n == REG_ZERO) {
        return X86_REG_INVALID;
    }
    if (n == REG_IP) {
        return i->asize == 3 ? X86_REG_RIP : X86_REG_EIP;
    }
    return by_size(i->asize, n, 0);
}

static bool same_memory(const Insn *i, const x86_op_mem *m)
{
    uint64_t mask = ~0ull >> (64 - (8u << i->asize));
    unsigned base = m->base, index = m->index;
    if (index == X86_REG_EIZ || index == X86_REG_RIZ) {
        index = X86_REG_INVALID; /* a SIB byte without index */
    }
    bool vector_index = insn_row(i)->attr & A_VSIB; /* they know it by operand size: only its number counts here */
    if (base != address_reg(i, i->base) || (!vector_index && index != address_reg(i, i->index))) {
        return false;
    }
    if (vector_index && index != X86_REG_XMM0 + (unsigned)i->index && index != X86_REG_YMM0 + (unsigned)i->index) {
        return false;
    }
    if (index != X86_REG_INVALID && m->scale != 1 << i->scale) {
        return false;
    }
    if (i->seg_override != 0xff && m->segment != X86_REG_INVALID && m->segment != segs[i->seg_override]) {
        return false;
    }
    return ((uint64_t)m->disp & mask) == ((uint64_t)i->disp & mask);
}

/* The register that an operand code names, X86_REG_INVALID when this code is not looked at. */
static uint16_t expected_register(const Insn *i, const char *code)
{
    unsigned n, offset8, size = i->osize;
    switch (code[0]) {
    case 'E':
        if (i->flags & INSN_MEM) {
            return X86_REG_INVALID;
        }
        n = i->rm;
        offset8 = i->rm8;
        break;
    case 'Z':
        n = i->rm;
        offset8 = i->rm8;
        break;
    case 'G':
        n = i->reg;
        offset8 = i->reg8;
        break;
    default:
        return X86_REG_INVALID;
    }
    switch (code[1]) {
    case 'b':
        size = 0;
        break;
    case 'w':
        size = 1;
        break;
    case 'd':
        size = 2;
        break;
    case 'v':
    case 'y':
        break;
    default:
        return X86_REG_INVALID;
    }
    return code[2] && code[2] != ',' ? X86_REG_INVALID : by_size(size, n, offset8);
}

static unsigned count_codes(const char *operands)
{
    unsigned n = *operands != 0;
    for (; *operands; operands++) {
        n += *operands == ',';
    }
    return n;
}

/* Rows whose operands are written differently there, so that only length and name are compared. */
static bool skip_operands(const InsnRow *row)
{
    static const char *const names[] = {
        "crc32",  /* the destination is r64 there with REX.W and r32 here by operand code */
        "mov",    /* segment and control registers: sizes are a matter of taste */
        "movsxd", "smsw", "sldt", "str", "lar", "lsl", "lmsw", "lldt", "ltr", "verr", "verw", "arpl",
        "ud0", "ud1", "nop",
    };
    for (unsigned k = 0; k < G_N_ELEMENTS(names); k++) {
        if (!strcmp(row->name, names[k])) {
            return strcmp(row->name, "mov") || row->opcode == 0x8c || row->opcode == 0x8e || row->map == MAP_0F;
        }
    }
    return false;
}

static const char *compare_operands(const Insn *i, const cs_x86 *x)
{
    const InsnRow *row = insn_row(i);
    const char *code = row->operands;
    for (unsigned k = 0; k < x->op_count; k++) {
        if (x->operands[k].type == X86_OP_MEM && (i->flags & INSN_MEM) && !same_memory(i, &x->operands[k].mem)) {
            return "memory operand";
        }
    }
    if (count_codes(code) != x->op_count || skip_operands(row)) {
        return NULL;
    }
    for (unsigned k = 0; k < x->op_count; k++, code += strcspn(code, ",") + 1) {
        uint16_t want = expected_register(i, code);
        if (want != X86_REG_INVALID && x->operands[k].type == X86_OP_REG && x->operands[k].reg != want) {
            return "register";
        }
    }
    return NULL;
}

/* ---- known differences ---- */

typedef struct Known {
    const char *name;    /* of our row, prefix match */
    const char *what;    /* what differs */
    const char *reason;
} Known;

static const Known known[] = {
#include "tests/unit/decode_known.def"
};

static bool is_known(const char *name, const char *what)
{
    for (unsigned k = 0; k < G_N_ELEMENTS(known); k++) {
        if (g_str_has_prefix(name, known[k].name) && !strcmp(known[k].what, what)) {
            return true;
        }
    }
    return false;
}

/* ---- one encoding ---- */

typedef struct Tally {
    unsigned tried, agreed, known, unknown_there;
} Tally;

static unsigned failures;

static void complain(const char *what, const uint8_t *bytes, unsigned code_size, const Insn *i, const char *name,
                     const cs_insn *theirs)
{
    GString *s = g_string_new(NULL);
    for (unsigned k = 0; k < 15; k++) {
        g_string_append_printf(s, "%02x ", bytes[k]);
    }
    g_test_message("%s: %s(%u-bit) ours %s %s len %u, theirs %s %s len %u", what, s->str, 16u << code_size, name,
                   insn_row(i)->operands, i->len, theirs ? theirs->mnemonic : "-", theirs ? theirs->op_str : "",
                   theirs ? theirs->size : 0);
    g_string_free(s, TRUE);
    failures++;
}

static void compare_one(const uint8_t *bytes, unsigned code_size, const Insn *i, Tally *tally)
{
    char name[32];
    cs_insn *insn;
    insn_name(i, name, sizeof(name));
    if (code_size == 2 && (i->flags & INSN_ADSIZE) && (i->flags & INSN_REXW)) {
        return; /* libcapstone 4 takes 67 with REX.W for 66 */
    }
    tally->tried++;
    if (cs_disasm(handles[code_size], bytes, 15, 0, 1, &insn) == 0) {
        tally->unknown_there++;
        if (!is_known(name, "unknown")) {
            complain("unknown", bytes, code_size, i, name, NULL);
        }
        return;
    }
    const char *what = insn->size != i->len                            ? "length"
                       : !same_name(name, bare_name(insn->mnemonic)) ? "name"
                                                                     : compare_operands(i, &insn->detail->x86);
    if (!what) {
        tally->agreed++;
    } else if (is_known(name, what)) {
        tally->known++;
    } else {
        complain(what, bytes, code_size, i, name, insn);
    }
    cs_free(insn, 1);
}

static void test_rows(void)
{
    GRand *rng = g_rand_new_with_seed(20240601);
    unsigned silent = 0, total = 0;
    for (unsigned r = 0; r < insn_num_rows; r++) {
        const InsnRow *row = &insn_rows[r];
        Tally tally = {0};
        for (unsigned code_size = 0; code_size < 3; code_size++) {
            if (!(row->modes & (code_size == 2 ? MODE_64 : MODE_16_32))) {
                continue;
            }
            if (code_size == 0 && row->prefix > PFX_NP) {
                continue; /* libcapstone 4 knows no mandatory prefixes in 16-bit code */
            }
            for (unsigned n = 0; n < 60; n++) {
                uint8_t bytes[32];
                Insn i;
                insn_random(row, code_size, rng, bytes);
                if (insn_decode(&i, bytes, 15, code_size, &all) == DECODE_OK && i.row == r) {
                    compare_one(bytes, code_size, &i, &tally);
                }
            }
        }
        g_assert_cmpuint(tally.tried, >, 0);
        total += tally.tried;
        if (tally.agreed == 0) {
            silent++;
            g_test_message("row %u %s %s: never compared equal (%u tried, %u unknown there)", r, row->name,
                           row->operands, tally.tried, tally.unknown_there);
        }
    }
    g_test_message("%u rows, %u encodings, %u rows without one agreement", insn_num_rows, total, silent);
    g_rand_free(rng);
    g_assert_cmpuint(failures, ==, 0);
}

/* ---- random bytes ---- */

static bool is_prefix(uint8_t b, unsigned code_size)
{
    return (b && strchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", b)) ||
           (code_size == 2 && (b & 0xf0) == 0x40);
}

/*
 * What libcapstone takes and we do not, by intention: EVEX, XOP, 3DNow!, and of VEX the mask registers of AVX-512, FMA4,
 * and a vvvv that is no operand.  Looked for behind the prefixes.
 */
static bool foreign_encoding(const uint8_t *b, unsigned code_size)
{
    unsigned at = 0;
    while (at < 14 && is_prefix(b[at], code_size)) {
        at++;
    }
    uint8_t op = b[at], next = b[at + 1];
    bool memory_form = code_size != 2 && next < 0xc0;
    return ((op == 0xc4 || op == 0xc5 || op == 0x62) && !memory_form) || (op == 0x8f && (next & 0x38)) ||
           (op == 0x0f && next == 0x0f);
}

/* Would we take it without these prefixes? */
static bool taken_without(const uint8_t *b, unsigned code_size, const char *drop, Insn *i)
{
    uint8_t rest[16];
    unsigned n = 0, k = 0;
    for (; k < 14 && is_prefix(b[k], code_size); k++) {
        if (!strchr(drop, b[k])) {
            rest[n++] = b[k];
        }
    }
    bool dropped = n < k;
    while (k < 15) {
        rest[n++] = b[k++];
    }
    return dropped && insn_decode(i, rest, n, code_size, &all) == DECODE_OK;
}

/*
 * libcapstone drops a mandatory prefix for which there is no instruction; silicon raises #UD (tried on Zen for every
 * such encoding of a run).  And it knows only some of the rules for LOCK.
 */
static bool prefix_ignored_there(const uint8_t *b, unsigned code_size)
{
    Insn i;
    return taken_without(b, code_size, "\xf0", &i) ||
           (taken_without(b, code_size, "\x66\xf2\xf3", &i) && insn_row(&i)->map != MAP_1);
}

static void test_random_bytes(void)
{
    enum { COUNT = 1200000 };
    GRand *rng = g_rand_new_with_seed(7);
    unsigned both = 0, only_ours = 0, only_theirs = 0;
    failures = 0;
    for (unsigned n = 0; n < COUNT; n++) {
        uint8_t bytes[16];
        for (unsigned k = 0; k < 16; k += 4) {
            uint32_t v = g_rand_int(rng);
            memcpy(bytes + k, &v, 4);
        }
        if (n & 4) {
            bytes[n & 1] = 0x0f; /* the two-byte map would be rare */
        }
        unsigned code_size = n % 3;
        Insn i;
        cs_insn *insn;
        char name[32] = "";
        bool ours = insn_decode(&i, bytes, 15, code_size, &all) == DECODE_OK;
        bool theirs = cs_disasm(handles[code_size], bytes, 15, 0, 1, &insn) != 0;
        if (ours) {
            insn_name(&i, name, sizeof(name));
        }
        if (ours && theirs) {
            both++;
            bool confused = code_size == 2 && (i.flags & INSN_ADSIZE) && (i.flags & INSN_REXW);
            if (insn->size != i.len && !confused && !is_known(name, "length")) {
                complain("length", bytes, code_size, &i, name, insn);
            }
        } else if (ours && code_size == 0 && insn_row(&i)->prefix > PFX_NP) {
            only_ours++; /* as in test_rows() */
        } else if (ours) {
            only_ours++;
            if (!is_known(name, "unknown")) {
                complain("unknown", bytes, code_size, &i, name, NULL);
            }
        } else if (theirs && !foreign_encoding(bytes, code_size)) {
            only_theirs++;
            if (!is_known(bare_name(insn->mnemonic), "refused") && !prefix_ignored_there(bytes, code_size)) {
                complain("refused", bytes, code_size, &i, name, insn);
            }
        }
        if (theirs) {
            cs_free(insn, 1);
        }
    }
    g_test_message("%u byte strings: %u decoded by both, %u only by us, %u only by libcapstone", COUNT, both,
                   only_ours, only_theirs);
    g_rand_free(rng);
    g_assert_cmpuint(both, >, COUNT / 3);
    g_assert_cmpuint(failures, ==, 0);
}

int main(int argc, char **argv)
{
    static const cs_mode modes[3] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    g_test_init(&argc, &argv, NULL);
    memset(&all, 0xff, sizeof(all));
    GError *error = NULL;
    if (!insn_table_init(&error)) {
        g_error("%s", error->message);
    }
    for (unsigned k = 0; k < 3; k++) {
        g_assert_cmpint(cs_open(CS_ARCH_X86, modes[k], &handles[k]), ==, CS_ERR_OK);
        cs_option(handles[k], CS_OPT_DETAIL, CS_OPT_ON);
    }
    g_test_add_func("/decode-capstone/rows", test_rows);
    g_test_add_func("/decode-capstone/random-bytes", test_random_bytes);
    return g_test_run();
}

#endif
