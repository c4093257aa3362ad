/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host code of typical guest sequences, as text: pins.txt holds what it was, so that a change of an emitter is a diff
 * somebody looks at.  Without an argument the text is printed (scripts/pin-jit), with one it is compared with that file.
 */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "target/x86/disas.h"
#include "tcg/internal.h"
#include "tests/cpu/silicon.h"

typedef struct Sequence {
    const char *name;
    const char *hex;
} Sequence;

static const Sequence sequences[] = {
    {"add registers", "4801d8"},
    {"add to a 32-bit register", "01d8"},
    {"8-bit partial write", "00d8"},
    {"high byte", "00e3"},
    {"16-bit add", "6601d8"},
    {"register that lives in memory", "4d01fc"},
    {"immediate", "4881c078563412"},
    {"lea with index", "488d44cb10"},
    {"load", "488b4308"},
    {"load with index, 32 bits", "8b448b04"},
    {"store", "48894308"},
    {"store of an immediate", "c7430805000000"},
    {"read-modify-write", "48014308"},
    {"two loads from one base", "488b4308488b4b10"},
    {"load over fs", "64488b042528000000"},
    {"push and pop", "5358"},
    {"compare and branch", "4839d87402"},
    {"compare with memory and branch", "48394308740a"},
    {"test and branch", "4885c07505"},
    {"dec and branch back", "ffc975fc"},
    {"loop of a load, an add and a compare", "488b104883c0084839c875f4"},
    {"loop of vectors through two pointers", "660f6f084883c010660ffc0a4883c2100f2948f04839c175e7"},
    {"loop with an index, a memory-resident base and a store", "41c6040c014883e90175f5"},
    {"sub, flags wanted by the branch", "4829d87205"},
    {"flags over a load", "4839d8488b4b08740a"},
    {"adc after add", "4801d84811ca"},
    {"setcc", "4839d80f94c0"},
    {"cmovcc", "4839d8480f44c1"},
    {"shift by an immediate", "48c1e003"},
    {"shift by cl", "48d3e0"},
    {"multiply", "480fafc3"},
    {"wide multiply", "48f7e3"},
    {"divide", "48f7f3"},
    {"movzx", "0fb6c3"},
    {"movsxd", "4863c3"},
    {"call", "e800010000"},
    {"ret", "c3"},
    {"indirect jump", "ffe0"},
    {"indirect call", "ffd0"},
    {"jump", "e900010000"},
    {"lock add", "f0480103"},
    {"lock cmpxchg", "f0480fb10b"},
    {"xchg with memory", "488703"},
    {"bsf", "480fbcc3"},
    {"bt with a register", "480fa3d8"},
    {"cdq and idiv", "99f7fb"},
    {"xor of itself", "31c0"},
    {"movaps load", "0f2803"},
    {"addps", "0f58c1"},
    {"addsd from memory", "f20f5803"},
    {"pxor", "660fefc1"},
    {"cvttsd2si", "f2480f2cc1"},
    {"ucomisd and branch", "660f2ec17405"},
    {"x87 add", "d8c1"},
    {"handler", "0fa2"},
};

typedef struct Pin {
    Jit *jit;
    Insn insns[16];
    const uint8_t *base; /* host code that the addresses in the text count from */
} Pin;

/* ---- names for what lies at an address that changes from run to run, or with a struct ---- */

typedef struct Member {
    const char *name;
    size_t offset, size;
} Member;
#define MEMBER(m) {#m, offsetof(X86Cpu, m), sizeof(((X86Cpu *)0)->m)}
static const Member members[] = {
    MEMBER(r), MEMBER(cc_dst), MEMBER(cc_src), MEMBER(cc_op), MEMBER(rip), MEMBER(seg), MEMBER(fpu), MEMBER(mxcsr),
    MEMBER(v), MEMBER(attention), MEMBER(jit_mode), MEMBER(jit_target), MEMBER(jit_table), MEMBER(jit_calls_base),
    MEMBER(jit_calls_limit), MEMBER(jit_held), MEMBER(jit_turns_end), MEMBER(vec_live), MEMBER(fpu_live),
    MEMBER(itlb), MEMBER(tlb), MEMBER(eflags),
};

static bool name_member(uint64_t v, GString *out)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const Member *m = &members[i];
        if (v >= m->offset && v < m->offset + m->size) {
            g_string_append_printf(out, "cpu.%s+%#zx", m->name, (size_t)v - m->offset);
            return true;
        }
    }
    return false;
}

static bool name_address(const Pin *p, uint64_t v, GString *out)
{
    uint64_t at = v + (uintptr_t)p->base, rx = (uintptr_t)p->jit->rx, insns = (uintptr_t)p->insns;
    if (at >= rx && at < rx + p->jit->start) {
        g_string_append(out, "runtime"); /* which one is in the bytes, where it lies moves with each of them */
        return true;
    }
    if (v >= insns && v < insns + sizeof(p->insns)) {
        g_string_append_printf(out, "insn[%zu]", (size_t)(v - insns) / sizeof(Insn));
        return true;
    }
    if (v >> 32 != 0 && v >> 40 != 0xffffff) {
        g_string_append(out, "host");
        return true;
    }
    return false;
}

/* One line of disassembly with names in place of numbers; in_cpu: the operand is [r15 + ...]. */
static void append_named(const Pin *p, const char *text, GString *out)
{
    bool in_cpu = strstr(text, "[r15") != NULL;
    while (*text) {
        char *end;
        if (strncmp(text, "0x", 2) != 0) {
            g_string_append_c(out, *text++);
            continue;
        }
        uint64_t v = g_ascii_strtoull(text, &end, 16);
        bool named = name_address(p, v, out) || (in_cpu && v >= 0x80 && strchr(end, ']') && name_member(v, out));
        if (!named) {
            g_string_append_len(out, text, end - text);
        }
        text = end;
    }
}

/* ---- one sequence ---- */

static unsigned from_hex(const char *hex, uint8_t *bytes)
{
    unsigned n = 0;
    for (; hex[2 * n]; n++) {
        bytes[n] = (uint8_t)(g_ascii_xdigit_value(hex[2 * n]) << 4 | g_ascii_xdigit_value(hex[2 * n + 1]));
    }
    return n;
}

/* "address: bytes  text" without the first two. */
static void append_text(const Pin *p, const uint8_t *bytes, unsigned len, uint64_t address, GString *out)
{
    g_autoptr(GString) line = g_string_new(NULL);
    disas_append(line, bytes, len, address, 2);
    const char *text = line->str + strlen("0123456789abcdef: ") + 2 * MAX(len, 11) + 1;
    g_string_append(out, "    ");
    append_named(p, text, out);
}

static void append_host(const Pin *p, const uint8_t *code, const uint8_t *end, GString *out)
{
    while (code < end) {
        unsigned n = disas_length(code, (unsigned)MIN(end - code, 15), 2);
        n = n ? n : 1;
        append_text(p, code, n, (uint64_t)(code - p->base), out);
        code += n;
    }
}

static void pin(Pin *p, const Sequence *s, const FeatureSet *features, GString *out)
{
    uint8_t bytes[64];
    unsigned len = from_hex(s->hex, bytes), num = 0;
    g_string_append_printf(out, "== %s\n", s->name);
    for (unsigned at = 0; at < len; at += p->insns[num++].len) {
        insn_decode(&p->insns[num], bytes + at, len - at, 2, features);
        p->insns[num].at = (uint16_t)at;
    }
    JitSource source = {.insns = p->insns, .num = num, .rip = 0x401000, .lin = 0x401000,
                        .mode = jit_mode(p->jit->cpu), .loops = true, .num_pages = 1, .pages = {{.itlb_id = 1}}};
    JitCode code;
    jit_flush(p->jit);
    g_assert_true(jit_translate(p->jit, &source, &code));
    p->base = (const uint8_t *)0;
    for (unsigned n = 0, at = 0; n < num; at += p->insns[n++].len) {
        append_text(p, bytes + at, p->insns[n].len, 0x401000 + at, out);
    }
    g_string_append(out, "host:\n");
    p->base = jit_entry(&code, JIT_ENTRY_BODY);
    const Tr *t = p->jit->tr;
    append_host(p, p->base, jit_rx(p->jit, t->hot_end), out);
    g_string_append(out, "rarely:\n");
    append_host(p, jit_rx(p->jit, t->cold), jit_rx(p->jit, t->a.p), out);
}

static char *all_pins(void)
{
    GError *error = NULL;
    FeatureSet features;
    GString *out = g_string_new(NULL);
    Case c = {.code_size = 2, .ip = CODE_BASE};
    c.fx.mxcsr = 0x1f80;
    c.fx.fcw = 0x37f;
    if (!insn_table_init(&error)) {
        g_error("%s", error->message);
    }
    memset(&features, 0xff, sizeof(features));
    Engine *e = engine_start(&features);
    engine_load(e, &c);
    Pin p = {.jit = jit_new(engine_cpu(e), 1 << 20, NULL, &error)};
    if (!p.jit) {
        g_error("%s", error->message);
    }
    for (size_t i = 0; i < ARRAY_LEN(sequences); i++) {
        pin(&p, &sequences[i], &features, out);
    }
    jit_free(p.jit);
    engine_stop(e);
    return g_string_free(out, FALSE);
}

/* ---- comparing ---- */

static int compare(const char *path, const char *now)
{
    g_autofree char *was = NULL;
    GError *error = NULL;
    if (!g_file_get_contents(path, &was, NULL, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    g_auto(GStrv) a = g_strsplit(was, "== ", -1);
    g_auto(GStrv) b = g_strsplit(now, "== ", -1);
    unsigned changed = 0;
    for (unsigned i = 0; a[i] || b[i]; i++) {
        if (!a[i] || !b[i]) {
            printf("sequences were added or removed\n");
            changed++;
            break;
        }
        if (strcmp(a[i], b[i]) != 0) {
            printf("--- was: %s+++ is: %s", a[i], b[i]);
            changed++;
        }
    }
    printf("%u of %zu sequences changed%s\n", changed, ARRAY_LEN(sequences),
           changed ? "; if that is meant: scripts/pin-jit" : "");
    return changed != 0;
}

int main(int argc, char **argv)
{
#ifndef HAVE_CAPSTONE
    fprintf(stderr, "skipped: built without libcapstone\n");
    return 77;
#endif
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2")) {
        fprintf(stderr, "skipped: the pins are of a host with AVX2, FMA and BMI2\n");
        return 77;
    }
    g_autofree char *now = all_pins();
    if (argc > 1) {
        return compare(argv[1], now);
    }
    fputs(now, stdout);
    return 0;
}
