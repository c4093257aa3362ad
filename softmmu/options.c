/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command-line parsing: one or two dashes, --name=value, suggestions. */
#include "softmmu/options.h"

#include <string.h>

#include "util/suggest.h"

const OptionRow option_rows[NUM_OPTIONS] = {
#define GROUP(title)
#define OPT(id, name, alias, arg, status, help) [OPT_##id] = {OPT_##id, name, alias, arg, OPTION_##status, help},
#include "softmmu/options.def"
#undef OPT
#undef GROUP
};

/* What people type who know other emulators or containers. */
static const struct {
    const char *word, *option;
} synonyms[] = {
    {"memory", "m"},
    {"mem", "m"},
    {"ram", "m"},
    {"cpus", "smp"},
    {"headless", "nographic"},
    {"cmdline", "append"},
    {"debug", "d"},
    {"log", "d"},
    {"logfile", "D"},
    {"kvm", "enable-kvm"},
    {"no-graphic", "nographic"},
    {"disk", "drive"},
    {"console", "serial"},
    {"paused", "S"},
    {"rom", "bios"},
};

bool options_strict_name(const char *argv0)
{
    static const char *const names[] = {"qemu-system-x86_64", "qemu-system-i386", "qemu-kvm", "kvm"};
    g_autofree char *base = g_path_get_basename(argv0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(base, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const OptionRow *find_row(const char *name, size_t len)
{
    for (size_t i = 0; i < NUM_OPTIONS; i++) {
        const OptionRow *row = &option_rows[i];
        if ((strlen(row->name) == len && strncmp(row->name, name, len) == 0) ||
            (row->alias && strlen(row->alias) == len && strncmp(row->alias, name, len) == 0)) {
            return row;
        }
    }
    return NULL;
}

static const char *nearest(const char *name)
{
    Suggest near = suggest_begin(name);
    for (size_t i = 0; i < ARRAY_LEN(synonyms); i++) {
        if (strcmp(synonyms[i].word, name) == 0) {
            return synonyms[i].option;
        }
    }
    for (size_t i = 0; i < NUM_OPTIONS; i++) {
        if (strlen(option_rows[i].name) > 1) {
            suggest_offer(&near, option_rows[i].name);
        }
    }
    return near.best;
}

static void fail_unknown(const Options *o, const char *word, const char *name, const char *next, GError **error)
{
    const char *best = nearest(name);
    g_autofree char *dashed = best ? g_strdup_printf("-%s", best) : NULL;
    bool with_value = best && next && next[0] != '-' && find_row(best, strlen(best))->arg;
    g_set_error(error, OPTS_ERROR, OPTS_USAGE, "%s%s%s%s%s%s%s", o->strict ? "" : "unknown option ", word,
                o->strict ? ": invalid option" : "", best ? "; did you mean " : "", best ? dashed : "",
                with_value ? " " : "", with_value ? next : "");
}

static bool take_option(Options *o, char **argv, int argc, int *pos, GError **error)
{
    const char *word = argv[*pos];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    const char *equals = o->strict ? NULL : strchr(name, '=');
    const OptionRow *row = find_row(name, equals ? (size_t)(equals - name) : strlen(name));
    OptionUse use = {0};
    if (!row) {
        g_autofree char *bare = equals ? g_strndup(name, equals - name) : g_strdup(name);
        g_autofree char *shown = g_strndup(word, strlen(bare) + (size_t)(name - word));
        fail_unknown(o, shown, bare, equals ? equals + 1 : *pos + 1 < argc ? argv[*pos + 1] : NULL, error);
        return false;
    }
    if (row->status == OPTION_LATER) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "-%s: known option, not supported yet (%s)", row->name, row->help);
        return false;
    }
    use.id = row->id;
    if (equals && !row->arg) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "-%s takes no value", row->name);
        return false;
    }
    if (row->arg) {
        use.arg = equals ? equals + 1 : *pos + 1 < argc ? argv[++*pos] : NULL;
        if (!use.arg) {
            g_set_error(error, OPTS_ERROR, OPTS_USAGE, "-%s: requires an argument, as in: -%s %s", row->name,
                        row->name, row->arg);
            return false;
        }
    }
    g_array_append_val(o->uses, use);
    return true;
}

bool options_parse(Options *o, int argc, char **argv, GError **error)
{
    o->uses = g_array_new(FALSE, TRUE, sizeof(OptionUse));
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            if (!take_option(o, argv, argc, &i, error)) {
                return false;
            }
        } else if (o->file) {
            g_set_error(error, OPTS_ERROR, OPTS_USAGE, "'%s' and '%s': only one file can be given without an option",
                        o->file, argv[i]);
            return false;
        } else {
            o->file = argv[i];
        }
    }
    return true;
}

void options_clear(Options *o)
{
    if (o->uses) {
        g_array_free(o->uses, TRUE);
        o->uses = NULL;
    }
}

const OptionUse *options_next(const Options *o, OptionId id, unsigned *pos)
{
    while (*pos < o->uses->len) {
        const OptionUse *use = &g_array_index(o->uses, OptionUse, (*pos)++);
        if (use->id == id) {
            return use;
        }
    }
    return NULL;
}

bool options_has(const Options *o, OptionId id)
{
    unsigned pos = 0;
    return options_next(o, id, &pos) != NULL;
}

const char *options_last(const Options *o, OptionId id)
{
    const char *last = NULL;
    unsigned pos = 0;
    for (const OptionUse *use; (use = options_next(o, id, &pos));) {
        last = use->arg;
    }
    return last;
}
