/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder by hand-made cases: prefixes, sizes, addressing forms, limits, and the refusal of bad tables.
 * Spec: Intel SDM vol 2 chapter 2; AMD APM vol 3 chapter 1; behaviour of 66 on near branches: AMD.
 */
#include "target/x86/decode.h"

#include <stdio.h>

static FeatureSet all, none;

typedef struct Expect {
    const char *hex;
    unsigned code_size;
    const char *name;   /* NULL: #UD */
    int osize;          /* log2, -1: do not look */
    int base, index, scale, seg; /* -1: no memory operand */
    int64_t disp;
    int64_t imm;
} Expect;

static unsigned parse(const char *hex, uint8_t *out)
{
    unsigned n = 0, b;
    for (int used; sscanf(hex, "%x%n", &b, &used) == 1; hex += used) {
        out[n++] = (uint8_t)b;
    }
    return n;
}

#define NOMEM -1, -1, 0, -1
#define Z REG_ZERO

static const Expect cases[] = {
    /* operand size: code size, 66, REX.W before 66, byte and 64-bit default forms */
    {"01 d8", 0, "add", 1, NOMEM, 0, 0},
    {"66 01 d8", 0, "add", 2, NOMEM, 0, 0},
    {"01 d8", 1, "add", 2, NOMEM, 0, 0},
    {"66 01 d8", 1, "add", 1, NOMEM, 0, 0},
    {"66 48 01 d8", 2, "add", 3, NOMEM, 0, 0},
    {"48 66 01 d8", 2, "add", 1, NOMEM, 0, 0}, /* REX not right before the opcode: ignored */
    {"40 48 01 d8", 2, "add", 3, NOMEM, 0, 0}, /* the last REX counts */
    {"00 d8", 2, "add", 0, NOMEM, 0, 0},
    {"50", 2, "push", 3, NOMEM, 0, 0},
    {"66 50", 2, "push", 1, NOMEM, 0, 0},
    {"68 78 56 34 82", 2, "push", 3, NOMEM, 0, (int32_t)0x82345678},
    {"66 68 34 82", 2, "push", 1, NOMEM, 0, (int16_t)0x8234},
    {"6a 80", 0, "push", 1, NOMEM, 0, -128},
    {"e9 01 00 00 80", 2, "jmp", 3, NOMEM, 0, (int32_t)0x80000001},
    {"66 e9 01 80", 2, "jmp", 1, NOMEM, 0, (int16_t)0x8001},
    {"66 e9 01 80 00 00", 0, "jmp", 2, NOMEM, 0, 0x8001},
    {"98", 0, "cbw", 1, NOMEM, 0, 0},
    {"98", 2, "cwde", 2, NOMEM, 0, 0},
    {"48 98", 2, "cdqe", 3, NOMEM, 0, 0},
    {"67 e3 00", 2, "jecxz", 3, NOMEM, 0, 0},
    {"e3 00", 0, "jcxz", 1, NOMEM, 0, 0},
    {"0f 8e 00 00", 0, "jle", 1, NOMEM, 0, 0},
    {"0f 4d c1", 1, "cmovge", 2, NOMEM, 0, 0},
    /* immediates */
    {"48 b8 88 77 66 55 44 33 22 81", 2, "mov", 3, NOMEM, 0, (int64_t)0x8122334455667788},
    {"b8 88 77 66 85", 2, "mov", 2, NOMEM, 0, 0x85667788},
    {"48 c7 c0 00 00 00 80", 2, "mov", 3, NOMEM, 0, INT32_MIN},
    {"83 c0 ff", 1, "add", 2, NOMEM, 0, -1},
    {"04 ff", 1, "add", 0, NOMEM, 0, 0xff},
    {"c8 34 82 1f", 1, "enter", 2, NOMEM, 0, 0x8234},
    {"f6 c8 12", 1, "test", 0, NOMEM, 0, 0x12}, /* F6 /1 is TEST too */
    {"69 c1 01 00 00 80", 1, "imul", 2, NOMEM, 0, INT32_MIN + 1},
    /* moffs: the size of the offset is the address size */
    {"a1 78 56 34 82", 1, "mov", 2, Z, Z, 0, SEG_DS, 0x82345678, 0},
    {"a1 34 82", 0, "mov", 1, Z, Z, 0, SEG_DS, 0x8234, 0},
    {"a1 88 77 66 55 44 33 22 81", 2, "mov", 2, Z, Z, 0, SEG_DS, (int64_t)0x8122334455667788, 0},
    {"65 67 a1 88 77 66 85", 2, "mov", 2, Z, Z, 0, SEG_GS, 0x85667788, 0},
    /* 16-bit addressing, SDM vol 2 table 2-1 */
    {"8b 00", 0, "mov", 1, RBX, RSI, 0, SEG_DS, 0, 0},
    {"8b 41 fe", 0, "mov", 1, RBX, RDI, 0, SEG_DS, -2, 0},
    {"8b 82 34 82", 0, "mov", 1, RBP, RSI, 0, SEG_SS, (int16_t)0x8234, 0},
    {"8b 03", 0, "mov", 1, RBP, RDI, 0, SEG_SS, 0, 0},
    {"8b 04", 0, "mov", 1, RSI, Z, 0, SEG_DS, 0, 0},
    {"8b 05", 0, "mov", 1, RDI, Z, 0, SEG_DS, 0, 0},
    {"8b 06 34 12", 0, "mov", 1, Z, Z, 0, SEG_DS, 0x1234, 0},
    {"8b 46 00", 0, "mov", 1, RBP, Z, 0, SEG_SS, 0, 0},
    {"67 8b 07", 1, "mov", 2, RBX, Z, 0, SEG_DS, 0, 0},
    /* 32 and 64-bit addressing */
    {"8b 05 78 56 34 82", 1, "mov", 2, Z, Z, 0, SEG_DS, (int32_t)0x82345678, 0},
    {"8b 05 78 56 34 82", 2, "mov", 2, REG_IP, Z, 0, SEG_DS, (int32_t)0x82345678, 0},
    {"41 8b 05 00 00 00 00", 2, "mov", 2, REG_IP, Z, 0, SEG_DS, 0, 0},
    {"8b 04 25 78 56 34 82", 2, "mov", 2, Z, Z, 0, SEG_DS, (int32_t)0x82345678, 0},
    {"8b 04 e5 78 56 34 12", 1, "mov", 2, Z, Z, 0, SEG_DS, 0x12345678, 0}, /* no index: the scale is nothing */
    {"42 8b 04 e5 00 00 00 00", 2, "mov", 2, Z, R12, 3, SEG_DS, 0, 0},
    {"43 8b 04 65 00 00 00 00", 2, "mov", 2, Z, R12, 1, SEG_DS, 0, 0},
    {"8b 04 24", 2, "mov", 2, RSP, Z, 0, SEG_SS, 0, 0},
    {"41 8b 04 24", 2, "mov", 2, R12, Z, 0, SEG_DS, 0, 0},
    {"8b 44 85 80", 1, "mov", 2, RBP, RAX, 2, SEG_SS, -128, 0},
    {"8b 45 00", 1, "mov", 2, RBP, Z, 0, SEG_SS, 0, 0},
    {"41 8b 45 7f", 2, "mov", 2, R13, Z, 0, SEG_DS, 127, 0},
    {"3e 8b 45 00", 1, "mov", 2, RBP, Z, 0, SEG_DS, 0, 0},
    {"3e 8b 45 00", 2, "mov", 2, RBP, Z, 0, SEG_SS, 0, 0}, /* DS override does not exist in 64-bit mode */
    {"64 3e 8b 45 00", 2, "mov", 2, RBP, Z, 0, SEG_FS, 0, 0},
    {"64 65 8b 00", 1, "mov", 2, RAX, Z, 0, SEG_GS, 0, 0},
    {"62 00", 1, "bound", 2, RAX, Z, 0, SEG_DS, 0, 0},
    /* mandatory prefixes and fallbacks */
    {"f3 90", 2, "pause", -1, NOMEM, 0, 0},
    {"f3 41 90", 2, "xchg", 2, NOMEM, 0, 0},
    {"90", 2, "nop", -1, NOMEM, 0, 0},
    {"48 90", 2, "nop", -1, NOMEM, 0, 0},
    {"49 90", 2, "xchg", 3, NOMEM, 0, 0},
    {"0f bc c1", 2, "bsf", 2, NOMEM, 0, 0},
    {"f2 0f bc c1", 2, "bsf", 2, NOMEM, 0, 0},
    {"f3 0f bc c1", 2, "tzcnt", 2, NOMEM, 0, 0},
    {"f2 f3 66 0f bd c1", 2, "lzcnt", 1, NOMEM, 0, 0}, /* the last of F2 F3 */
    {"f3 f2 0f b8 c1", 2, NULL, -1, NOMEM, 0, 0},
    {"66 f2 0f 38 f1 c1", 2, "crc32", 1, NOMEM, 0, 0},
    {"f2 48 0f 38 f1 c1", 2, "crc32", 3, NOMEM, 0, 0},
    {"f2 0f 38 f0 c1", 2, "crc32", 0, NOMEM, 0, 0},
    {"66 0f 38 f0 00", 2, "movbe", 1, RAX, Z, 0, SEG_DS, 0, 0},
    {"66 48 0f 38 f1 00", 2, "movbe", 3, RAX, Z, 0, SEG_DS, 0, 0},
    {"f3 0f 38 f0 00", 2, NULL, -1, NOMEM, 0, 0}, /* #UD on Zen */
    {"0f 38 f0 c0", 2, NULL, -1, NOMEM, 0, 0},
    {"f3 0f 1e fa", 2, "endbr64", -1, NOMEM, 0, 0},
    {"0f 1e fa", 2, "nop", -1, NOMEM, 0, 0},
    {"0f 0d c0", 2, NULL, -1, NOMEM, 0, 0},
    {"0f c7 08", 2, "cmpxchg8b", -1, RAX, Z, 0, SEG_DS, 0, 0},
    {"48 0f c7 08", 2, "cmpxchg16b", -1, RAX, Z, 0, SEG_DS, 0, 0},
    /* LOCK: a form that allows it and a destination in memory */
    {"f0 01 00", 2, "add", 2, RAX, Z, 0, SEG_DS, 0, 0},
    {"f0 01 c0", 2, NULL, -1, NOMEM, 0, 0},
    {"f0 03 00", 2, NULL, -1, NOMEM, 0, 0},
    {"f0 89 00", 2, NULL, -1, NOMEM, 0, 0},
    {"f0 0f a3 00", 2, NULL, -1, NOMEM, 0, 0},
    {"f0 0f ab 00", 2, "bts", 2, RAX, Z, 0, SEG_DS, 0, 0},
    {"f0 38 00", 2, NULL, -1, NOMEM, 0, 0},
    {"f0 90", 2, NULL, -1, NOMEM, 0, 0},
    /* modes */
    {"06", 2, NULL, -1, NOMEM, 0, 0},
    {"27", 2, NULL, -1, NOMEM, 0, 0},
    {"27", 1, "daa", -1, NOMEM, 0, 0},
    {"60", 2, NULL, -1, NOMEM, 0, 0},
    {"60", 0, "pusha", 1, NOMEM, 0, 0},
    {"60", 1, "pushad", 2, NOMEM, 0, 0},
    {"82 c0 01", 1, "add", 0, NOMEM, 0, 1},
    {"82 c0 01", 2, NULL, -1, NOMEM, 0, 0},
    {"62 c0", 1, NULL, -1, NOMEM, 0, 0},
    {"62 00", 2, NULL, -1, NOMEM, 0, 0},
    {"c4 e2 78 ff c1", 2, NULL, -1, NOMEM, 0, 0}, /* VEX without such a row */
    {"c5 f8 77", 1, "vzeroupper", 2, NOMEM, 0, 0},
    {"8f c8 00", 2, NULL, -1, NOMEM, 0, 0}, /* XOP */
    {"8f 00", 2, "pop", 3, RAX, Z, 0, SEG_DS, 0, 0},
    {"fe d0", 2, NULL, -1, NOMEM, 0, 0},
    {"ff f8", 2, NULL, -1, NOMEM, 0, 0},
    {"d0 f0", 2, "shl", 0, NOMEM, 0, 0}, /* /6 */
    {"0f 04", 2, NULL, -1, NOMEM, 0, 0},
    {"d6", 1, "salc", -1, NOMEM, 0, 0},
};

static void test_cases(void)
{
    for (unsigned k = 0; k < G_N_ELEMENTS(cases); k++) {
        const Expect *e = &cases[k];
        uint8_t bytes[16];
        char name[32];
        Insn i;
        unsigned len = parse(e->hex, bytes);
        DecodeStatus status = insn_decode(&i, bytes, len, e->code_size, &all);
        g_test_message("%s in %u-bit code", e->hex, 16u << e->code_size);
        if (!e->name) {
            g_assert_cmpint(status, ==, DECODE_INVALID);
            continue;
        }
        g_assert_cmpint(status, ==, DECODE_OK);
        g_assert_cmpstr(insn_name(&i, name, sizeof(name)), ==, e->name);
        g_assert_cmpuint(i.len, ==, len);
        if (e->osize >= 0) {
            g_assert_cmpint(i.osize, ==, e->osize);
        }
        g_assert_cmpint((i.flags & INSN_MEM) != 0, ==, e->base >= 0);
        if (e->base >= 0) {
            g_assert_cmpint(i.base, ==, e->base);
            g_assert_cmpint(i.index, ==, e->index);
            g_assert_cmpint(i.seg, ==, e->seg);
            g_assert_cmpint(i.disp, ==, e->disp);
            if (e->index != REG_ZERO) {
                g_assert_cmpint(i.scale, ==, e->scale);
            }
        }
        g_assert_cmpint((int64_t)i.imm, ==, e->imm);
        /* One byte less is always too short, and nothing beyond is read. */
        for (unsigned n = 0; n < len; n++) {
            uint8_t *exact = g_memdup2(bytes, MAX(n, 1));
            g_assert_cmpint(insn_decode(&i, exact, n, e->code_size, &all), ==, DECODE_SHORT);
            g_free(exact);
        }
    }
}

/* Byte registers: AH..BH without REX, SPL..DIL with any. */
static void test_byte_registers(void)
{
    Insn i;
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\x88\xe6", 2, 2, &all), ==, DECODE_OK); /* mov dh, ah */
    g_assert_cmpuint(i.reg8, ==, 1);
    g_assert_cmpuint(i.rm8, ==, RDX * 8 + 1);
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\x40\x88\xe6", 3, 2, &all), ==, DECODE_OK); /* mov sil, spl */
    g_assert_cmpuint(i.reg8, ==, RSP * 8);
    g_assert_cmpuint(i.rm8, ==, RSI * 8);
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\x45\x88\xe6", 3, 2, &all), ==, DECODE_OK); /* mov r14b, r12b */
    g_assert_cmpuint(i.reg8, ==, R12 * 8);
    g_assert_cmpuint(i.rm8, ==, R14 * 8);
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\xb4\x12", 2, 1, &all), ==, DECODE_OK); /* mov ah, 12h */
    g_assert_cmpuint(i.rm8, ==, 1);
    g_assert_cmpuint(i.imm, ==, 0x12);
}

static void test_far_pointer(void)
{
    Insn i;
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\xea\x78\x56\x34\x12\xcd\xab", 7, 1, &all), ==, DECODE_OK);
    g_assert_cmpuint(i.imm, ==, 0x12345678);
    g_assert_cmpuint(i.imm2, ==, 0xabcd);
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\xea\x78\x56\x34\x12", 5, 0, &all), ==, DECODE_OK);
    g_assert_cmpuint(i.imm, ==, 0x5678);
    g_assert_cmpuint(i.imm2, ==, 0x1234);
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\xea\x78\x56\x34\x12\xcd\xab", 7, 2, &all), ==, DECODE_INVALID);
}

static void test_length_limit(void)
{
    uint8_t bytes[32];
    Insn i;
    memset(bytes, 0x66, sizeof(bytes));
    bytes[14] = 0x90;
    g_assert_cmpint(insn_decode(&i, bytes, 32, 2, &all), ==, DECODE_OK);
    g_assert_cmpuint(i.len, ==, 15);
    bytes[14] = 0x66;
    bytes[15] = 0x90;
    g_assert_cmpint(insn_decode(&i, bytes, 32, 2, &all), ==, DECODE_TOO_LONG);
    g_assert_cmpint(insn_decode(&i, bytes, 15, 2, &all), ==, DECODE_TOO_LONG);
    g_assert_cmpint(insn_decode(&i, bytes, 14, 2, &all), ==, DECODE_SHORT);
    /* ten prefixes and a six-byte instruction */
    memcpy(bytes + 10, "\x81\xc0\x01\x00\x00\x00", 6);
    memset(bytes, 0x2e, 10);
    g_assert_cmpint(insn_decode(&i, bytes, 32, 2, &all), ==, DECODE_TOO_LONG);
    memmove(bytes + 9, bytes + 10, 6);
    g_assert_cmpint(insn_decode(&i, bytes, 32, 2, &all), ==, DECODE_OK);
    g_assert_cmpuint(i.len, ==, 15);
}

static void test_features(void)
{
    Insn i;
    char name[32];
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\xf3\x0f\xbc\xc1", 4, 2, &none), ==, DECODE_OK);
    g_assert_cmpstr(insn_name(&i, name, sizeof(name)), ==, "bsf");
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\xf3\x0f\xbd\xc1", 4, 2, &none), ==, DECODE_OK);
    g_assert_cmpstr(insn_name(&i, name, sizeof(name)), ==, "bsr");
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\xf3\x0f\xb8\xc1", 4, 2, &none), ==, DECODE_INVALID);
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\x0f\x44\xc1", 3, 2, &none), ==, DECODE_INVALID);
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\x9f", 1, 2, &none), ==, DECODE_INVALID);
    g_assert_cmpint(insn_decode(&i, (const uint8_t *)"\x9f", 1, 1, &none), ==, DECODE_OK);
}

/* ---- tables that must be refused ---- */

static ExecFn *const nothing[8];

#pragma GCC diagnostic ignored "-Woverride-init" /* ROW: defaults, then what a case changes */
#define ROW(...) {.map = MAP_0F, .mod = MOD_ANY, .reg = ANY, .rm = ANY, .w = ANY, .l = ANY, .modes = MODE_ALL,       \
                  .operands = "", .feature = FEAT_NONE, .exec = nothing, __VA_ARGS__}

static void refuse(const InsnRow *rows, unsigned n, const char *what, const char *a, const char *b)
{
    GError *error = NULL;
    g_assert_null(insn_index_new(rows, n, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, what));
    g_assert_nonnull(strstr(error->message, a));
    g_assert_nonnull(strstr(error->message, b));
    g_error_free(error);
}

static void test_clashes(void)
{
    const InsnRow duplicate[] = {ROW(.opcode = 0x10, .name = "first"), ROW(.opcode = 0x10, .name = "second")};
    refuse(duplicate, 2, "duplicates", "\"first", "\"second");

    const InsnRow crossing[] = {ROW(.opcode = 0x10, .name = "first", .reg = 3),
                                ROW(.opcode = 0x10, .name = "second", .prefix = PFX_F3)};
    refuse(crossing, 2, "ambiguous", "\"first", "\"second");

    const InsnRow widths[] = {ROW(.opcode = 0x10, .name = "first", .w = 1, .mod = MOD_ANY),
                              ROW(.opcode = 0x10, .name = "second", .mod = MOD_MEM)};
    refuse(widths, 2, "ambiguous", "\"first", "\"second");

    const InsnRow range[] = {ROW(.opcode = 0x40, .name = "first", .attr = A_CC),
                             ROW(.opcode = 0x4a, .name = "second")};
    refuse(range, 2, "duplicates", "\"first", "\"second");

    const InsnRow modrm[] = {ROW(.opcode = 0x10, .name = "first"),
                             ROW(.opcode = 0x10, .name = "second", .mod = MOD_NONE, .prefix = PFX_F2)};
    refuse(modrm, 2, "ModRM", "\"first", "\"second");

    const InsnRow fixed_rm[] = {ROW(.opcode = 0x10, .name = "first", .rm = 2)};
    refuse(fixed_rm, 1, "ModRM field", "\"first", "\"first");

    const InsnRow start[] = {ROW(.opcode = 0x41, .name = "first", .mod = MOD_NONE, .attr = A_PLUSR)};
    refuse(start, 1, "range", "\"first", "\"first");

    const InsnRow operands[] = {ROW(.opcode = 0x10, .name = "first", .operands = "Ib,Iz")};
    refuse(operands, 1, "operands", "\"first", "\"first");

    const InsnRow undef[] = {ROW(.opcode = 0x10, .name = "first", .flags_undef = FL_AF)};
    refuse(undef, 1, "undefined", "\"first", "\"first");
}

/* Nested sets and different features are no clash; the more specific row wins, whatever the order. */
static void test_specificity(void)
{
    const InsnRow rows[] = {
        ROW(.opcode = 0x10, .name = "general"),
        ROW(.opcode = 0x10, .name = "f3", .prefix = PFX_F3),
        ROW(.opcode = 0x10, .name = "f3reg", .prefix = PFX_F3, .mod = MOD_REG, .reg = 1, .rm = 1),
        ROW(.opcode = 0x11, .name = "one", .feature = FEAT_SSE),
        ROW(.opcode = 0x11, .name = "two", .feature = FEAT_MMX),
    };
    static const struct {
        const char *bytes;
        unsigned row;
    } expect[] = {{"\x0f\x10\xc9", 0}, {"\xf3\x0f\x10\xc8", 1}, {"\xf3\x0f\x10\xc9", 2}, {"\x0f\x11\xc9", 3}};
    GError *error = NULL;
    InsnIndex *index = insn_index_new(rows, G_N_ELEMENTS(rows), &error);
    g_assert_no_error(error);
    for (unsigned k = 0; k < G_N_ELEMENTS(expect); k++) {
        Insn i;
        g_assert_cmpint(insn_decode_with(index, &i, (const uint8_t *)expect[k].bytes, 4, 2, &all), ==, DECODE_OK);
        g_assert_cmpuint(i.row, ==, expect[k].row);
    }
    FeatureSet mmx = {{0}};
    mmx.w[FEAT_MMX / 32] = BIT(FEAT_MMX % 32);
    Insn i;
    g_assert_cmpint(insn_decode_with(index, &i, (const uint8_t *)"\x0f\x11\xc9", 3, 2, &mmx), ==, DECODE_OK);
    g_assert_cmpuint(i.row, ==, 4);
    insn_index_free(index);
}

/* VEX rows: map, pp, W, L, vvvv and the refusal of legacy prefixes. */
static void test_vex(void)
{
    const InsnRow rows[] = {
        ROW(.map = MAP_VEX_0F, .opcode = 0x58, .name = "vadd", .operands = "Vps,Hps,Wps", .prefix = PFX_NP),
        ROW(.map = MAP_VEX_0F38, .opcode = 0xf2, .name = "andn", .operands = "Gy,By,Ey", .prefix = PFX_NP, .l = 0),
        ROW(.map = MAP_VEX_0F, .opcode = 0x28, .name = "vmov", .operands = "Vps,Wps", .prefix = PFX_NP),
        ROW(.map = MAP_VEX_0F38, .opcode = 0x90, .mod = MOD_MEM, .name = "gather", .operands = "Vx,Mx,Hx",
            .prefix = PFX_66, .attr = A_VSIB),
        ROW(.map = MAP_VEX_0F3A, .opcode = 0x4a, .name = "vblend", .operands = "Vps,Hps,Wps,Lx", .prefix = PFX_66),
    };
    GError *error = NULL;
    InsnIndex *index = insn_index_new(rows, G_N_ELEMENTS(rows), &error);
    g_assert_no_error(error);
    Insn i;
#define VEX(bytes, mode) insn_decode_with(index, &i, (const uint8_t *)(bytes), sizeof(bytes) - 1, mode, &all)
    g_assert_cmpint(VEX("\xc5\xec\x58\xc1", 2), ==, DECODE_OK); /* vaddps ymm0, ymm2, ymm1 */
    g_assert_cmpuint(i.vvvv, ==, 2);
    g_assert_cmpuint(i.vl, ==, 1);
    g_assert_cmpuint(i.row, ==, 0);
    g_assert_cmpint(VEX("\xc4\x42\x98\xf2\xc1", 2), ==, DECODE_OK); /* andn r8, r12, r9 */
    g_assert_cmpuint(i.vvvv, ==, R12);
    g_assert_cmpuint(i.reg, ==, R8);
    g_assert_cmpuint(i.rm, ==, R9);
    g_assert_cmpuint(i.osize, ==, 3);
    g_assert_cmpint(VEX("\xc4\x42\x9c\xf2\xc1", 2), ==, DECODE_INVALID); /* L = 1 */
    g_assert_cmpint(VEX("\x66\xc5\xec\x58\xc1", 2), ==, DECODE_INVALID);
    g_assert_cmpint(VEX("\xf0\xc5\xec\x58\xc1", 2), ==, DECODE_INVALID);
    g_assert_cmpint(VEX("\x40\xc5\xec\x58\xc1", 2), ==, DECODE_INVALID);
    g_assert_cmpint(VEX("\xc5\xed\x58\xc1", 2), ==, DECODE_INVALID); /* pp 66: no such row */
    g_assert_cmpint(VEX("\xc5\xe8\x28\xc1", 2), ==, DECODE_INVALID); /* vvvv must be 1111b */
    g_assert_cmpint(VEX("\xc5\xf8\x28\xc1", 1), ==, DECODE_OK);
    g_assert_cmpint(VEX("\xc4\xe4\x78\x28\xc1", 2), ==, DECODE_INVALID); /* map 4 */
    /* Outside 64-bit mode the top bit of vvvv is ignored, but for a vvvv that is no operand; so is B. */
    g_assert_cmpint(VEX("\xc4\xe1\x28\x58\xc1", 1), ==, DECODE_OK);
    g_assert_cmpuint(i.vvvv, ==, 2);
    g_assert_cmpint(VEX("\xc4\xc1\x68\x58\xc1", 1), ==, DECODE_OK);
    g_assert_cmpuint(i.rm, ==, 1);
    g_assert_cmpint(VEX("\xc4\xe1\x38\x28\xc1", 1), ==, DECODE_INVALID);
    g_assert_cmpint(VEX("\xc5\x28\x28\xc1\x00\x00", 1), !=, DECODE_OK); /* mod is not 3: LDS, no such row here */
    /* A vector index: register 4 is one, the SIB byte must be there, 16-bit addresses have none. */
    g_assert_cmpint(VEX("\xc4\xe2\x6d\x90\x44\xa0\x10", 2), ==, DECODE_OK);
    g_assert_cmpuint(i.index, ==, 4);
    g_assert_cmpuint(i.scale, ==, 2);
    g_assert_cmpuint(i.base, ==, RAX);
    g_assert_cmpint(i.disp, ==, 0x10);
    g_assert_cmpint(VEX("\xc4\xa2\x6d\x90\x04\xa0", 2), ==, DECODE_OK);
    g_assert_cmpuint(i.index, ==, 12);
    g_assert_cmpint(VEX("\xc4\xe2\x6d\x90\x00", 2), ==, DECODE_INVALID);
    g_assert_cmpint(VEX("\xc4\xe2\x6d\x90\x04\xa0", 0), ==, DECODE_INVALID);
    g_assert_cmpint(VEX("\x67\xc4\xe2\x6d\x90\x04\xa0", 0), ==, DECODE_OK);
    g_assert_cmpint(VEX("\xc4\xe3\x69\x4a\xc1\xb5", 2), ==, DECODE_OK); /* a register in an immediate */
    g_assert_cmphex(i.imm, ==, 0xb5);
    g_assert_cmpuint(i.len, ==, 6);
#undef VEX
    insn_index_free(index);
}

/* Target: below 100 ns an instruction; the bound is loose, this machine may be busy. */
static void test_speed(void)
{
    static const uint8_t code[] = {0x48, 0x8b, 0x44, 0x24, 0x08, 0x0f, 0xb6, 0xc0, 0x83, 0xe0, 0x0f, 0x74,
                                   0x05, 0xe8, 0x00, 0x00, 0x00, 0x00, 0xc3};
    unsigned total = 0;
    gint64 start = g_get_monotonic_time();
    for (unsigned round = 0; round < 100000; round++) {
        for (unsigned at = 0; at < sizeof(code);) {
            Insn i;
            insn_decode(&i, code + at, (unsigned)sizeof(code) - at, 2, &all);
            at += i.len;
            total++;
        }
    }
    double ns = (double)(g_get_monotonic_time() - start) * 1000 / total;
    g_test_message("%.1f ns per instruction", ns);
    g_assert_cmpfloat(ns, <, 2000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    memset(&all, 0xff, sizeof(all));
    GError *error = NULL;
    if (!insn_table_init(&error)) {
        g_error("%s", error->message);
    }
    g_test_add_func("/decode/cases", test_cases);
    g_test_add_func("/decode/byte-registers", test_byte_registers);
    g_test_add_func("/decode/far-pointer", test_far_pointer);
    g_test_add_func("/decode/length-limit", test_length_limit);
    g_test_add_func("/decode/features", test_features);
    g_test_add_func("/decode/clashes", test_clashes);
    g_test_add_func("/decode/specificity", test_specificity);
    g_test_add_func("/decode/vex", test_vex);
    g_test_add_func("/decode/speed", test_speed);
    return g_test_run();
}
