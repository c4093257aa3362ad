/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Option text: taking it apart, typed look-up, and errors that point at the bad part. */
#include "util/opts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/suggest.h"

#define CARET_WIDTH 100 /* longer texts are shown in part */

G_DEFINE_QUARK(rhea - opts - error, opts_error)

/* ---- errors ---- */

/* One screen column for each character; control characters and broken UTF-8 become '?'. */
static char *printable(const char *text, size_t len)
{
    GString *out = g_string_new(NULL);
    const char *end = text + len;
    while (text < end) {
        gunichar c = g_utf8_get_char_validated(text, end - text);
        if (c == (gunichar)-1 || c == (gunichar)-2) {
            g_string_append_c(out, '?');
            text++;
        } else {
            if (g_unichar_isprint(c)) {
                g_string_append_unichar(out, c);
            } else {
                g_string_append_c(out, '?');
            }
            text = g_utf8_next_char(text);
        }
    }
    return g_string_free(out, FALSE);
}

static void append_caret(GString *message, const char *name, const char *text, unsigned at, unsigned len)
{
    unsigned total = strlen(text);
    unsigned from = at > CARET_WIDTH / 2 && total > CARET_WIDTH ? at - CARET_WIDTH / 2 : 0;
    unsigned shown = MIN(total - from, CARET_WIDTH);
    g_autofree char *line = printable(text + from, shown);
    g_autofree char *before = printable(text + from, at - from);
    g_autofree char *token = printable(text + at, MIN(len, from + shown - at));
    const char *dots = from ? "..." : "";
    g_string_append_printf(message, "\n    %s %s%s%s\n    ", name, dots, line, from + shown < total ? "..." : "");
    unsigned column = strlen(name) + 1 + strlen(dots) + g_utf8_strlen(before, -1);
    for (unsigned i = 0; i < column; i++) {
        g_string_append_c(message, ' ');
    }
    g_string_append_c(message, '^');
    for (long i = g_utf8_strlen(token, -1); i > 1; i--) {
        g_string_append_c(message, '~');
    }
}

static void fail_v(const char *name, const char *text, unsigned at, unsigned len, GError **error, const char *format,
                   va_list args)
{
    GString *message = g_string_new(name);
    g_string_append(message, ": ");
    g_string_append_vprintf(message, format, args);
    append_caret(message, name, text, at, len);
    g_set_error_literal(error, OPTS_ERROR, OPTS_USAGE, message->str);
    g_string_free(message, TRUE);
}

void opts_fail_at(const char *name, const char *text, unsigned at, unsigned len, GError **error, const char *format,
                  ...)
{
    va_list args;
    va_start(args, format);
    fail_v(name, text, at, len, error, format, args);
    va_end(args);
}

void opts_fail(const Opts *opts, const Opt *opt, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_v(opts->name, opts->text, opt->at, opt->len, error, format, args);
    va_end(args);
}

bool bad_usage(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, OPTS_ERROR, OPTS_USAGE, text);
    return false;
}

/* ---- taking apart ---- */

static void opt_clear(void *item)
{
    Opt *opt = item;
    g_free(opt->key);
    g_free(opt->value);
}

/* The text up to a single comma, with ",," undone.  *pos ends on the comma or the end. */
static char *take_value(const char *text, unsigned *pos)
{
    GString *value = g_string_new(NULL);
    unsigned p = *pos;
    while (text[p] && (text[p] != ',' || text[p + 1] == ',')) {
        g_string_append_c(value, text[p]);
        p += text[p] == ',' ? 2 : 1;
    }
    *pos = p;
    return g_string_free(value, FALSE);
}

static void take_item(GArray *items, const char *text, const char *implied, unsigned *pos)
{
    unsigned start = *pos;
    Opt opt = {.at = start, .key_at = start};
    size_t key_len = strcspn(text + start, "=,");
    if (text[start + key_len] == '=') {
        opt.key = g_strndup(text + start, key_len);
        opt.at = *pos = start + key_len + 1;
        opt.value = take_value(text, pos);
    } else {
        char *word = take_value(text, pos);
        opt.bare = !(implied && items->len == 0);
        opt.key = opt.bare ? word : g_strdup(implied);
        opt.value = opt.bare ? g_strdup("on") : word;
    }
    opt.len = *pos - opt.at;
    g_array_append_val(items, opt);
}

Opts *opts_parse(const char *name, const char *text, const char *implied, GError **error)
{
    if (text[0] == '{') {
        opts_fail_at(name, text, 0, 1, error, "JSON is not supported yet; write it as key=value,key=value");
        return NULL;
    }
    Opts *opts = g_new0(Opts, 1);
    opts->name = g_strdup(name);
    opts->text = g_strdup(text);
    opts->items = g_array_new(FALSE, TRUE, sizeof(Opt));
    g_array_set_clear_func(opts->items, opt_clear);
    unsigned pos = 0;
    while (text[pos]) {
        unsigned start = pos;
        if (text[pos] == '=' || (text[pos] == ',' && text[pos + 1] != ',')) {
            opts_fail_at(name, text, pos, 1, error, "a key is missing here; the form is key=value,key=value");
            opts_free(opts);
            return NULL;
        }
        take_item(opts->items, text, implied, &pos);
        if (text[pos] == ',') {
            pos++; /* one comma at the very end is harmless */
        }
        g_assert(pos > start);
    }
    return opts;
}

void opts_free(Opts *opts)
{
    if (!opts) {
        return;
    }
    g_array_free(opts->items, TRUE);
    g_free(opts->name);
    g_free(opts->text);
    g_free(opts);
}

/* ---- look-up ---- */

const Opt *opts_find(Opts *opts, const char *key)
{
    const Opt *found = NULL;
    for (unsigned i = 0; i < opts->items->len; i++) {
        Opt *opt = &g_array_index(opts->items, Opt, i);
        if (strcmp(opt->key, key) == 0) {
            opt->used = true;
            found = opt;
        } else if (opt->bare && strncmp(opt->key, "no", 2) == 0 && strcmp(opt->key + 2, key) == 0) {
            opt->used = true;
            g_free(opt->value);
            opt->value = g_strdup("off");
            found = opt;
        }
    }
    return found;
}

const char *opts_str(Opts *opts, const char *key, const char *def)
{
    const Opt *opt = opts_find(opts, key);
    return opt ? opt->value : def;
}

bool opts_bool(Opts *opts, const char *key, bool *value, GError **error)
{
    const Opt *opt = opts_find(opts, key);
    if (opt && !parse_bool(opt->value, value)) {
        opts_fail(opts, opt, error, "%s takes on or off, not '%s'", key, opt->value);
        return false;
    }
    return true;
}

bool opts_uint(Opts *opts, const char *key, uint64_t min, uint64_t max, uint64_t *value, GError **error)
{
    const Opt *opt = opts_find(opts, key);
    uint64_t number;
    if (!opt) {
        return true;
    }
    if (!parse_uint(opt->value, &number)) {
        opts_fail(opts, opt, error, "%s takes a number, not '%s'", key, opt->value);
        return false;
    }
    if (number < min || number > max) {
        opts_fail(opts, opt, error, "%s takes %" PRIu64 " to %" PRIu64 ", not %s", key, min, max, opt->value);
        return false;
    }
    *value = number;
    return true;
}

bool opts_size(Opts *opts, const char *key, uint64_t unit, uint64_t *value, GError **error)
{
    const Opt *opt = opts_find(opts, key);
    g_autofree char *why = NULL;
    if (opt && !parse_size(opt->value, unit, value, &why)) {
        opts_fail(opts, opt, error, "'%s' is not a size: %s", opt->value, why);
        return false;
    }
    return true;
}

bool opts_all_used(const Opts *opts, const char *const *known, size_t num_known, GError **error)
{
    for (unsigned i = 0; i < opts->items->len; i++) {
        const Opt *opt = &g_array_index(opts->items, Opt, i);
        if (!opt->used) {
            g_autofree char *hint = suggest_text(suggest_near(opt->key, known, num_known));
            opts_fail_at(opts->name, opts->text, opt->key_at, strlen(opt->key), error, "unknown key '%s'%s", opt->key,
                         hint);
            return false;
        }
    }
    return true;
}

/* ---- values ---- */

bool parse_bool(const char *text, bool *value)
{
    static const char *const yes[] = {"on", "yes", "true", "y"};
    static const char *const no[] = {"off", "no", "false", "n"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (g_ascii_strcasecmp(text, yes[i]) == 0 || g_ascii_strcasecmp(text, no[i]) == 0) {
            *value = g_ascii_strcasecmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

bool parse_uint(const char *text, uint64_t *value)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    char *end;
    if (!g_ascii_isxdigit(digits[0])) {
        return false; /* strtoull would take a sign or blanks */
    }
    errno = 0;
    uint64_t number = g_ascii_strtoull(digits, &end, hex ? 16 : 10);
    if (errno || end == digits || *end) {
        return false;
    }
    *value = number;
    return true;
}

/* log2 of the unit's size, or -1. */
static int suffix_shift(char c)
{
    static const char letters[] = "bkmgtpe";
    const char *p = c ? strchr(letters, g_ascii_tolower(c)) : NULL;
    return p ? (int)(p - letters) * 10 : -1;
}

static char *why_bad_suffix(const char *text, const char *suffix)
{
    if (suffix_shift(suffix[0]) > 0 &&
        (g_ascii_strcasecmp(suffix + 1, "b") == 0 || g_ascii_strcasecmp(suffix + 1, "ib") == 0)) {
        return g_strdup_printf("drop the %s: %.*s", suffix + 1, (int)(suffix + 1 - text), text);
    }
    return g_strdup_printf("'%s' is not one of the suffixes k, M, G, T", suffix);
}

bool parse_size(const char *text, uint64_t unit, uint64_t *value, char **why)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    char *end;
    *why = NULL;
    if (!(hex ? g_ascii_isxdigit(digits[0]) : g_ascii_isdigit(digits[0]))) {
        *why = g_strdup(text[0] == '-' ? "it is negative" : "write a number and k, M, G or T, as in 512M");
        return false;
    }
    errno = 0;
    uint64_t whole = g_ascii_strtoull(digits, &end, hex ? 16 : 10);
    bool overflow = errno == ERANGE;
    double fraction = 0;
    if (!hex && *end == '.') {
        double place = 0.1;
        for (end++; g_ascii_isdigit(*end); end++, place /= 10) {
            fraction += (*end - '0') * place;
        }
    }
    if (*end) {
        int shift = suffix_shift(*end);
        if (shift < 0 || end[1]) {
            *why = why_bad_suffix(text, end);
            return false;
        }
        unit = 1ull << shift;
    }
    if (overflow || __builtin_mul_overflow(whole, unit, value) ||
        __builtin_add_overflow(*value, (uint64_t)(fraction * (double)unit), value)) {
        *why = g_strdup("it is more than 64 bits hold");
        return false;
    }
    return true;
}

char *format_size(uint64_t bytes)
{
    static const char *const names[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned n = 0;
    while (n + 1 < ARRAY_LEN(names) && bytes >> (10 * (n + 1))) {
        n++;
    }
    double value = (double)bytes / (double)(1ull << (10 * n));
    if (bytes % (1ull << (10 * n)) == 0) {
        return g_strdup_printf("%" PRIu64 " %s", bytes >> (10 * n), names[n]);
    }
    return g_strdup_printf("%.1f %s", value, names[n]);
}
