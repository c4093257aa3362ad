/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x and xp: memory as numbers, characters or instructions, without side effects on the machine. */
#include "monitor/internal.h"

#include <string.h>

#include "target/x86/disas.h"
#include "target/x86/mem.h"
#include "util/opts.h"

#define MAX_ITEMS 65536

typedef struct Format {
    uint64_t count;
    char kind;     /* o x d u c i */
    unsigned size; /* bytes of one item */
} Format;

/* ---- addresses ---- */

static bool register_value(const X86Cpu *cpu, const char *name, uint64_t *value)
{
    static const char *const names[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    const char *base = name + (name[0] == 'r' || name[0] == 'e');
    uint64_t n;
    if (strcmp(name, "pc") == 0 || strcmp(base, "ip") == 0) {
        *value = cpu->rip + (cpu->code64 ? 0 : cpu->seg[SEG_CS].base);
        return true;
    }
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(base, names[i]) == 0) {
            *value = name[0] == 'r' ? cpu->r[i] : name[0] == 'e' ? (uint32_t)cpu->r[i] : (uint16_t)cpu->r[i];
            return true;
        }
    }
    if (name[0] == 'r' && parse_uint(name + 1, &n) && n >= 8 && n < 16) {
        *value = cpu->r[n];
        return true;
    }
    if (strcmp(name, "cr2") == 0 || strcmp(name, "cr3") == 0) {
        *value = name[2] == '2' ? cpu->cr2 : cpu->cr3;
        return true;
    }
    return false;
}

static bool term_value(const X86Cpu *cpu, const char *term, uint64_t *value)
{
    return term[0] == '$' ? cpu && register_value(cpu, term + 1, value) : parse_uint(term, value);
}

/* Numbers and $registers joined by + and -. */
static bool parse_address(const X86Cpu *cpu, const char *text, uint64_t *address)
{
    bool minus = false;
    *address = 0;
    while (*text) {
        size_t len = strcspn(text, "+- ");
        g_autofree char *term = g_strndup(text, len);
        uint64_t value;
        if (!term_value(cpu, term, &value)) {
            return false;
        }
        *address = minus ? *address - value : *address + value;
        text += len + strspn(text + len, " ");
        if (!*text) {
            return true;
        }
        minus = *text == '-';
        if (*text != '+' && *text != '-') {
            return false;
        }
        text++;
        text += strspn(text, " ");
    }
    return false;
}

static bool parse_format(const char *text, size_t len, Format *f)
{
    const char *end = text + len;
    char *after;
    *f = (Format){.count = 1, .kind = 'x', .size = 4};
    if (text < end && g_ascii_isdigit(*text)) {
        f->count = g_ascii_strtoull(text, &after, 10);
        text = after;
    }
    for (; text < end; text++) {
        const char *size = strchr("bhwg", *text);
        if (size) {
            f->size = 1u << (size - "bhwg");
        } else if (strchr("oxduci", *text)) {
            f->kind = *text;
            f->size = *text == 'c' ? 1 : f->size;
        } else {
            return false;
        }
    }
    return f->count > 0 && f->count <= MAX_ITEMS;
}

/* ---- reading ---- */

/* As many of the bytes as are RAM or ROM. */
static size_t read_bytes(Monitor *mon, uint64_t address, bool physical, uint8_t *buf, size_t len)
{
    size_t n = 0;
    for (; n < len; n++) {
        gpa_t phys = address + n;
        if ((!physical && !mmu_debug_translate(monitor_cpu(mon), address + n, &phys)) ||
            !space_dma_read(mon->host->machine->memory, phys, &buf[n], 1)) {
            break;
        }
    }
    return n;
}

static void put_number(GString *out, const Format *f, uint64_t value)
{
    unsigned bits = f->size * 8;
    int64_t value_signed = (int64_t)(value << (64 - bits)) >> (64 - bits);
    switch (f->kind) {
    case 'o':
        g_string_append_printf(out, " 0%" G_GINT64_MODIFIER "o", value);
        break;
    case 'd':
        g_string_append_printf(out, " %" G_GINT64_FORMAT, value_signed);
        break;
    case 'u':
        g_string_append_printf(out, " %" G_GUINT64_FORMAT, value);
        break;
    case 'c':
        g_string_append_printf(out, g_ascii_isprint((char)value) ? " '%c'" : " '\\x%02x'", (unsigned)value & 0xff);
        break;
    default:
        g_string_append_printf(out, " 0x%0*" G_GINT64_MODIFIER "x", (int)f->size * 2, value);
        break;
    }
}

static void examine_data(Monitor *mon, const Format *f, uint64_t address, bool physical, GString *out)
{
    unsigned per_line = 16 / f->size;
    for (uint64_t i = 0; i < f->count; i++, address += f->size) {
        uint64_t value = 0;
        if (i % per_line == 0) {
            g_string_append_printf(out, "%s%016" G_GINT64_MODIFIER "x:", i ? "\n" : "", address);
        }
        if (read_bytes(mon, address, physical, (uint8_t *)&value, f->size) < f->size) {
            g_string_append(out, " cannot access memory");
            break;
        }
        put_number(out, f, value);
    }
    g_string_append_c(out, '\n');
}

static void examine_code(Monitor *mon, uint64_t count, uint64_t address, bool physical, GString *out)
{
    unsigned code_size = monitor_cpu(mon)->code_size;
    for (uint64_t i = 0; i < count; i++) {
        uint8_t bytes[15];
        unsigned avail = (unsigned)read_bytes(mon, address, physical, bytes, sizeof(bytes));
        unsigned len = disas_length(bytes, avail, code_size);
        if (!len) {
            g_string_append_printf(out, "%016" G_GINT64_MODIFIER "x: cannot access memory\n", address);
            return;
        }
        disas_append(out, bytes, len, address, code_size);
        address += len;
    }
}

void monitor_examine(Monitor *mon, const char *args, bool physical, GString *out)
{
    Format f;
    uint64_t address;
    size_t len = args[0] == '/' ? strcspn(args + 1, " ") : 0;
    const char *rest = args + (args[0] == '/') + len;
    rest += strspn(rest, " ");
    if (!monitor_cpu(mon)) {
        g_string_append(out, "there is no processor\n");
        return;
    }
    bool held = monitor_hold(mon);
    if (!parse_format(args + 1, len, &f)) {
        g_string_append(out, "the format is /COUNT, a letter of oxduci, a size of bhwg, as in x/4xw\n");
    } else if (!parse_address(monitor_cpu(mon), rest, &address)) {
        g_string_append(out, "an address is a number or $register, with + and -, as in x/4xg $rsp+8\n");
    } else if (f.kind == 'i') {
        examine_code(mon, f.count, address, physical, out);
    } else {
        examine_data(mon, &f, address, physical, out);
    }
    monitor_release(mon, held);
}
