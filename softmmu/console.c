/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which streams the serial ports and monitors use: what the user named, then the defaults of the two faces. */
#include "softmmu/config.h"

#include <string.h>

#define NUM_SERIAL 4

Chardev *config_find_chardev(void *config, const char *id)
{
    Config *c = config;
    return g_hash_table_lookup(c->chardevs, id);
}

static void own(Config *c, Chardev *chr)
{
    g_ptr_array_add(c->chardev_order, chr);
    g_hash_table_insert(c->chardevs, (char *)chardev_id(chr), chr);
}

static bool open_chardevs(Config *c, GError **error)
{
    unsigned pos = 0;
    const OptionUse *use;
    while ((use = options_next(c->options, OPT_CHARDEV, &pos))) {
        Chardev *chr = chardev_new(use->arg, error);
        if (!chr) {
            return false;
        }
        if (config_find_chardev(c, chardev_id(chr))) {
            g_set_error(error, OPTS_ERROR, OPTS_USAGE,
                        "-chardev %s: there is a character device '%s' already; choose another id",
                        use->arg, chardev_id(chr));
            chardev_free(chr);
            return false;
        }
        own(c, chr);
    }
    return true;
}

static Chardev *named(Config *c, const char *option, const char *id, GError **error)
{
    Chardev *chr = config_find_chardev(c, id);
    if (!chr) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "%s: there is no character device '%s'; add -chardev ...,id=%s",
                    option, id, id);
    }
    return chr;
}

/* "chardev:ID" or a back-end.  "none": *chr is NULL.  "mon:..." also gets a monitor. */
static bool open_one(Config *c, const char *option, const char *text, const char *id, Chardev **chr, GError **error)
{
    GError *why = NULL;
    if (g_str_has_prefix(text, "chardev:")) {
        *chr = named(c, option, text + strlen("chardev:"), error);
        return *chr != NULL;
    }
    *chr = chardev_new_for(option, text, id, &why);
    if (why) {
        g_propagate_error(error, why);
        return false;
    }
    if (*chr) {
        own(c, *chr);
    }
    if (*chr && g_str_has_prefix(text, "mon:")) {
        g_ptr_array_add(c->monitors, *chr);
    }
    return true;
}

static bool open_serials(Config *c, GError **error)
{
    unsigned pos = 0, n = 0;
    const OptionUse *use;
    while ((use = options_next(c->options, OPT_SERIAL, &pos))) {
        g_autofree char *id = g_strdup_printf("serial%u", n);
        if (n == NUM_SERIAL) {
            g_set_error(error, OPTS_ERROR, OPTS_USAGE, "-serial %s: this machine has %d serial ports", use->arg,
                        NUM_SERIAL);
            return false;
        }
        if (!open_one(c, "-serial", use->arg, id, &c->board.serial[n++], error)) {
            return false;
        }
    }
    const char *debugcon = options_last(c->options, OPT_DEBUGCON);
    return !debugcon || open_one(c, "-debugcon", debugcon, "debugcon", &c->board.debugcon, error);
}

static bool open_mon(Config *c, const char *text, GError **error)
{
    static const char *const keys[] = {"chardev", "mode", "pretty"};
    g_autoptr(Opts) opts = opts_parse("-mon", text, "chardev", error);
    bool pretty = false;
    if (!opts || !opts_bool(opts, "pretty", &pretty, error)) {
        return false;
    }
    const Opt *chardev = opts_find(opts, "chardev");
    const Opt *mode = opts_find(opts, "mode");
    if (!chardev) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "-mon: chardev= is missing, as in: -mon chardev=ID");
        return false;
    }
    if (mode && strcmp(mode->value, "control") == 0) {
        opts_fail(opts, mode, error, "the machine protocol (QMP) is not supported yet; mode=readline is");
        return false;
    }
    if (mode && strcmp(mode->value, "readline") != 0) {
        opts_fail(opts, mode, error, "mode is readline or control, not '%s'", mode->value);
        return false;
    }
    if (!opts_all_used(opts, keys, ARRAY_LEN(keys), error)) {
        return false;
    }
    Chardev *chr = named(c, "-mon", chardev->value, error);
    if (!chr) {
        return false;
    }
    g_ptr_array_add(c->monitors, chr);
    return true;
}

static bool open_monitors(Config *c, GError **error)
{
    unsigned pos = 0, n = 0;
    const OptionUse *use;
    while ((use = options_next(c->options, OPT_MONITOR, &pos))) {
        g_autofree char *id = g_strdup_printf("compat_monitor%u", n++);
        Chardev *chr;
        if (!open_one(c, "-monitor", use->arg, id, &chr, error)) {
            return false;
        }
        if (chr && !g_str_has_prefix(use->arg, "mon:")) {
            g_ptr_array_add(c->monitors, chr);
        }
    }
    for (pos = 0; (use = options_next(c->options, OPT_MON, &pos));) {
        if (!open_mon(c, use->arg, error)) {
            return false;
        }
    }
    return true;
}

static bool stdio_used(const Config *c)
{
    for (guint i = 0; i < c->chardev_order->len; i++) {
        g_autofree char *text = chardev_describe(g_ptr_array_index(c->chardev_order, i));
        if (g_str_has_suffix(text, "stdio")) {
            return true;
        }
    }
    return false;
}

/*
 * Under QEMU's name the defaults live in a window, which does not exist: the port is there and nobody listens.  With
 * -nographic, and always under our own name, serial port and monitor share the terminal unless it is taken.
 */
static bool open_defaults(Config *c, GError **error)
{
    bool serial = !c->nodefaults && !options_has(c->options, OPT_SERIAL);
    bool monitor = !c->nodefaults && !options_has(c->options, OPT_MONITOR) && !options_has(c->options, OPT_MON);
    bool terminal = (c->nographic || !c->strict) && !stdio_used(c) && !c->daemonize;
    Chardev *chr;
    if (serial) {
        const char *text = !terminal ? "null" : monitor ? "mon:stdio" : "stdio";
        return open_one(c, "-serial", text, "serial0", &c->board.serial[0], error);
    }
    if (monitor && terminal) {
        if (!open_one(c, "-monitor", "stdio", "compat_monitor0", &chr, error)) {
            return false;
        }
        g_ptr_array_add(c->monitors, chr);
    }
    return true;
}

bool config_open_streams(Config *c, GError **error)
{
    if (!open_chardevs(c, error) || !open_serials(c, error) || !open_monitors(c, error) || !open_defaults(c, error)) {
        return false;
    }
    if (c->daemonize && stdio_used(c)) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE,
                    "-daemonize: a process in the background has no stdio; use a file, pty "
                    "or socket instead");
        return false;
    }
    return true;
}
