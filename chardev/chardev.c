/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Character devices: the table of backends, option texts, and what every backend does alike. */
#include "chardev/chardev.h"

#include <stdio.h>
#include <string.h>

#include "chardev/backend.h"
#include "util/suggest.h"

static const CharBackend *const backends[] = {&char_file,   &char_null,   &char_pipe, &char_pty,
                                              &char_serial, &char_socket, &char_stdio};

/* ---- messages ---- */

void char_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    fprintf(stderr, "%s: %s\n", g_get_prgname() ? g_get_prgname() : "rhea", text);
}

void char_open_error(GError **error, const Opts *opts, const char *what, int err, const char *hint)
{
    g_set_error(error, OPTS_ERROR, OPTS_OPEN, "%s: %s: %s%s", opts->name, what, g_strerror(err), hint ? hint : "");
}

/* ---- backends from text ---- */

static const CharBackend *find_backend(const char *name)
{
    static const struct {
        const char *alias, *name;
    } aliases[] = {{"tty", "serial"}, {"vc", "null"}};
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
        if (strcmp(name, aliases[i].alias) == 0) {
            name = aliases[i].name;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
        if (strcmp(name, backends[i]->name) == 0) {
            return backends[i];
        }
    }
    return NULL;
}

static void fail_backend(const Opts *opts, const Opt *word, GError **error)
{
    static const char *const later[] = {"udp",   "ringbuf",  "memory",    "braille", "msmouse",  "wctablet",
                                        "spice", "spicevmc", "spiceport", "testdev", "parallel", "hub"};
    Suggest near = suggest_begin(word->value);
    for (size_t i = 0; i < ARRAY_LEN(later); i++) {
        if (strcmp(word->value, later[i]) == 0) {
            opts_fail(opts, word, error, "backend '%s' is known but not supported yet", word->value);
            return;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
        suggest_offer(&near, backends[i]->name);
    }
    g_autofree char *hint = suggest_text(near.best);
    opts_fail(opts, word, error, "there is no backend '%s'%s", word->value, hint);
}

/* Every item was used, and what was not is told with what this backend takes. */
static bool check_keys(const Opts *opts, const CharBackend *backend, GError **error)
{
    const char *known[32] = {"backend", "id", "mux"};
    size_t n = 3;
    for (size_t i = 0; backend->keys[i] && n < ARRAY_LEN(known); i++) {
        known[n++] = backend->keys[i];
    }
    return opts_all_used(opts, known, n, error);
}

static Chardev *create(Opts *opts, const char *id, GError **error)
{
    const Opt *word = opts_find(opts, "backend");
    if (!word) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "%s: a backend is missing, as in: %s file,id=log,path=LOG",
                    opts->name, opts->name);
        return NULL;
    }
    const CharBackend *backend = find_backend(word->value);
    bool mux = false;
    if (!backend) {
        fail_backend(opts, word, error);
        return NULL;
    }
    opts_find(opts, "id");
    if (!opts_bool(opts, "mux", &mux, error)) {
        return NULL;
    }
    for (size_t i = 0; backend->keys[i]; i++) {
        opts_find(opts, backend->keys[i]); /* marks them used: what is left is unknown, and told before any effect */
    }
    if (!check_keys(opts, backend, error)) {
        return NULL;
    }
    Chardev *chr = backend->create(opts, error);
    if (!chr) {
        return NULL;
    }
    chr->id = g_strdup(id);
    if (strcmp(backend->name, "pty") == 0) {
        g_autofree char *name = chardev_describe(chr);
        printf("char device redirected to %s (label %s)\n", name + strlen("pty:"), id);
        fflush(stdout);
    }
    return mux ? mux_new(chr, id) : chr;
}

Chardev *chardev_new(const char *text, GError **error)
{
    g_autoptr(Opts) opts = opts_parse("-chardev", text, "backend", error);
    if (!opts) {
        return NULL;
    }
    const char *id = opts_str(opts, "id", NULL);
    if (!id || !id[0]) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "-chardev: id= is missing, as in: -chardev %s,id=char0", text);
        return NULL;
    }
    return create(opts, id, error);
}

/* ---- the short form of -serial and -monitor ---- */

static char *double_commas(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    return g_strjoinv(",,", parts);
}

/* "tcp:HOST:PORT,rest" after the colon of "tcp:" -> "socket,host=HOST,port=PORT,rest". */
static char *from_tcp(const char *option, const char *text, const char *address, bool telnet, GError **error)
{
    size_t len = strcspn(address, ",");
    g_autofree char *pair = g_strndup(address, len);
    char *colon = strrchr(pair, ':');
    if (!colon || !colon[1]) {
        opts_fail_at(option, text, address - text, len, error, "the form is %s:HOST:PORT[,server=on][,wait=off]",
                     telnet ? "telnet" : "tcp");
        return NULL;
    }
    *colon = '\0';
    size_t host_len = strlen(pair);
    bool brackets = pair[0] == '[' && host_len > 1 && pair[host_len - 1] == ']'; /* IPv6 */
    return g_strdup_printf("socket,host=%.*s,port=%s%s%s", (int)(host_len - (brackets ? 2 : 0)), pair + brackets,
                           colon + 1, telnet ? ",telnet=on" : "", address + len);
}

static bool after(const char *text, const char *prefix, const char **rest)
{
    *rest = text + strlen(prefix);
    return g_str_has_prefix(text, prefix);
}

/* The -chardev text for a short form; "" for none. */
static char *long_form(const char *option, const char *text, GError **error)
{
    const char *rest;
    if (strcmp(text, "none") == 0) {
        return g_strdup("");
    }
    if (after(text, "file:", &rest) || after(text, "pipe:", &rest)) {
        g_autofree char *path = double_commas(rest);
        return g_strdup_printf("%.4s,path=%s", text, path);
    }
    if (after(text, "tcp:", &rest) || after(text, "telnet:", &rest)) {
        return from_tcp(option, text, rest, text[1] == 'e', error);
    }
    if (after(text, "unix:", &rest)) {
        return g_strdup_printf("socket,path=%s", rest);
    }
    if (text[0] == '/') {
        g_autofree char *path = double_commas(text);
        return g_strdup_printf("serial,path=%s", path);
    }
    if (after(text, "vc:", &rest)) {
        return g_strdup("vc");
    }
    return g_strdup(text); /* a bare backend name, or a mistake that create() explains */
}

Chardev *chardev_new_for(const char *option, const char *text, const char *id, GError **error)
{
    const char *rest;
    bool mux = after(text, "mon:", &rest);
    GError *why = NULL;
    g_autofree char *full = long_form(option, mux ? rest : text, &why);
    if (!full || !full[0]) {
        if (why) {
            g_propagate_error(error, why);
        }
        return NULL;
    }
    /* The terminal shared with the monitor: Ctrl-C goes to the guest, Ctrl-A x ends us. */
    g_autofree char *all =
        g_strconcat(full, mux ? ",mux=on" : "", mux && strcmp(full, "stdio") == 0 ? ",signal=off" : "", NULL);
    g_autoptr(Opts) opts = opts_parse(option, all, "backend", error);
    return opts ? create(opts, id, error) : NULL;
}

Chardev *chardev_new_legacy(const char *text, const char *id, GError **error)
{
    return chardev_new_for("-serial", text, id, error);
}

void chardev_list_backends(GString *out)
{
    for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
        g_string_append_printf(out, "  %-8s %s\n", backends[i]->name, backends[i]->help);
    }
}

/* ---- the public face ---- */

void chardev_free(Chardev *chr)
{
    if (chr) {
        char *id = chr->id;
        chr->ops->free(chr);
        g_free(id);
    }
}

const char *chardev_id(const Chardev *chr)
{
    return chr->id;
}

char *chardev_describe(const Chardev *chr)
{
    return chr->ops->describe(chr);
}

bool chardev_in_use(const Chardev *chr)
{
    return chr->ops->in_use ? chr->ops->in_use(chr) : chr->attached;
}

bool chardev_attach(Chardev *chr, const CharClient *client, GError **error)
{
    if (chr->ops->attach) {
        return chr->ops->attach(chr, client, error);
    }
    if (chr->attached) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "character device '%s' is in use already; mux=on shares it",
                    chr->id);
        return false;
    }
    chr->client = *client;
    chr->attached = true;
    if (chr->ops->opened(chr)) {
        char_event(chr, CHAR_OPENED);
    }
    chr->ops->accept_input(chr);
    return true;
}

void chardev_detach(Chardev *chr, void *opaque)
{
    if (chr->ops->detach) {
        chr->ops->detach(chr, opaque);
    } else if (chr->attached && chr->client.opaque == opaque) {
        chr->attached = false;
        chr->ops->accept_input(chr); /* nobody reads: stop polling */
    }
}

size_t chardev_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    size_t taken = chr->ops->write(chr, buf, len);
    if (chr->watch && taken > 0) {
        chr->watch(chr->watch_opaque, buf, taken);
    }
    return taken;
}

void chardev_watch(Chardev *chr, CharWatchFn *fn, void *opaque)
{
    chr->watch = fn;
    chr->watch_opaque = opaque;
}

void chardev_accept_input(Chardev *chr)
{
    chr->ops->accept_input(chr);
}

/* ---- for backends ---- */

size_t char_can_receive(const Chardev *chr)
{
    return chr->attached ? chr->client.can_receive(chr->client.opaque) : 0;
}

void char_receive(Chardev *chr, const uint8_t *buf, size_t len)
{
    if (chr->attached) {
        chr->client.receive(chr->client.opaque, buf, len);
    }
}

void char_event(Chardev *chr, CharEvent event)
{
    if (chr->attached && chr->client.event) {
        chr->client.event(chr->client.opaque, event);
        if (event == CHAR_OPENED) {
            chr->client.event(chr->client.opaque, CHAR_FOCUS_IN);
        }
    }
}

void char_writable(Chardev *chr)
{
    if (chr->attached && chr->client.writable) {
        chr->client.writable(chr->client.opaque);
    }
}
