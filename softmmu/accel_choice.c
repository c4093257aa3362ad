/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Choosing an accelerator: why each one before it was skipped, and what to do when none is left. */
#include "softmmu/accel_choice.h"

#include <string.h>
#include <unistd.h>

#include "util/suggest.h"

/* Names that exist in QEMU: absent here is another matter than unknown. */
static bool known_name(const char *name)
{
    static const char *const names[] = {"kvm", "tcg", "hvf", "hax", "whpx", "nvmm", "xen", "qtest"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* NULL if it works, otherwise the reason, owned by the caller. */
static char *why_not(const AccelChoice *choice)
{
    const AccelOps *ops = accel_find(choice->name);
    GError *why = NULL;
    if (!ops) {
        size_t count;
        const AccelOps *const *all = accel_all(&count);
        Suggest near = suggest_begin(choice->name);
        for (size_t i = 0; i < count; i++) {
            suggest_offer(&near, all[i]->name);
        }
        g_autofree char *hint = suggest_text(near.best);
        return known_name(choice->name) ? g_strdup("not supported yet")
                                        : g_strdup_printf("invalid accelerator%s", hint);
    }
    if (ops->probe && !ops->probe(&why)) {
        char *text = g_strdup(why ? why->message : "it does not work on this host");
        g_clear_error(&why);
        return text;
    }
    /* Nobody named it: then it has to be worth it. */
    if (!choice->required && ops->worthwhile && !ops->worthwhile(&why)) {
        char *text = g_strdup(why ? why->message : "it is no good choice on this host");
        g_clear_error(&why);
        return text;
    }
    return NULL;
}

static bool was_tried(const Config *c, const char *name)
{
    for (guint i = 0; i < c->accels->len; i++) {
        if (strcmp(g_array_index(c->accels, AccelChoice, i).name, name) == 0) {
            return true;
        }
    }
    return false;
}

const AccelOps *accel_choose(const Config *c, const char **opts, GError **error)
{
    g_autoptr(GString) reasons = g_string_new(NULL);
    g_autoptr(GString) built = g_string_new(NULL);
    size_t count;
    for (guint i = 0; i < c->accels->len; i++) {
        const AccelChoice *choice = &g_array_index(c->accels, AccelChoice, i);
        g_autofree char *why = why_not(choice);
        if (!why) {
            *opts = choice->opts;
            return accel_find(choice->name);
        }
        g_string_append_printf(reasons, "%s%s: %s", reasons->len ? "; " : "", choice->name, why);
        /* Of a default that was passed over a person may want to know; a script has not asked. */
        if (i + 1 < c->accels->len && (choice->required || isatty(STDERR_FILENO))) {
            config_note(c, "accelerator %s skipped: %s", choice->name, why);
        }
    }
    const AccelOps *const *all = accel_all(&count);
    for (size_t i = 0; i < count; i++) {
        if (!was_tried(c, all[i]->name)) {
            g_string_append_printf(built, "%s-accel %s", built->len ? " or " : "", all[i]->name);
        }
    }
    g_set_error(error, OPTS_ERROR, OPTS_NO_ACCEL, "no accelerator works: %s; use %s", reasons->str, built->str);
    return NULL;
}
