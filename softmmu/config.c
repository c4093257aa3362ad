/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line as a whole: which parts read what, and the options that stand alone. */
#include "softmmu/config.h"

#include <stdio.h>
#include <string.h>

#include "hw/core/device.h"
#include "softmmu/detect.h"
#include "target/x86/cpuid.h"

void config_note(const Config *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!c->strict) {
        g_autofree char *text = g_strdup_vprintf(format, args);
        fprintf(stderr, "%s: note: %s\n", c->program, text);
    }
    va_end(args);
}

/* ---- options of which only some values exist ---- */

static bool only_none(const Config *c, OptionId id, const char *also, GError **error)
{
    unsigned pos = 0;
    const OptionUse *use;
    while ((use = options_next(c->options, id, &pos))) {
        if (strcmp(use->arg, "none") != 0 && (!also || strcmp(use->arg, also) != 0)) {
            return bad_usage(error, "-%s %s: known option, but only none is supported so far", option_rows[id].name,
                             use->arg);
        }
    }
    return true;
}

static bool read_boot(const Config *c, GError **error)
{
    static const char *const keys[] = {"order", "once", "menu", "splash", "splash-time", "reboot-timeout", "strict"};
    unsigned pos = 0;
    const OptionUse *use;
    while ((use = options_next(c->options, OPT_BOOT, &pos))) {
        g_autoptr(Opts) opts = opts_parse("-boot", use->arg, "order", error);
        if (!opts) {
            return false;
        }
        for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
            const Opt *opt = opts_find(opts, keys[i]);
            if (opt && i < 2 && strspn(opt->value, "abcdefghijklmnop") != strlen(opt->value)) {
                opts_fail(opts, opt, error, "a boot order has letters a to p (a floppy, c disk, d CD, n network)");
                return false;
            }
        }
        if (!opts_all_used(opts, keys, ARRAY_LEN(keys), error)) {
            return false;
        }
    }
    return true;
}

static bool read_rtc(Config *c, GError **error)
{
    static const char *const keys[] = {"base", "clock", "driftfix"};
    unsigned pos = 0;
    const OptionUse *use;
    while ((use = options_next(c->options, OPT_RTC, &pos))) {
        g_autoptr(Opts) opts = opts_parse("-rtc", use->arg, "base", error);
        if (!opts) {
            return false;
        }
        const char *base = opts_str(opts, "base", NULL);
        const Opt *clock = opts_find(opts, "clock");
        opts_find(opts, "driftfix");
        if (clock && strcmp(clock->value, "host") != 0 && strcmp(clock->value, "vm") != 0 &&
            strcmp(clock->value, "rt") != 0) {
            opts_fail(opts, clock, error, "clock is host, rt or vm");
            return false;
        }
        if (!opts_all_used(opts, keys, ARRAY_LEN(keys), error)) {
            return false;
        }
        if (base) {
            g_free(c->rtc_base);
            c->rtc_base = g_strdup(base);
            c->board.rtc_base = c->rtc_base;
        }
    }
    return true;
}

static bool read_action(Config *c, GError **error)
{
    static const struct {
        const char *key, *a, *b, *c;
    } actions[] = {{"reboot", "reset", "shutdown", NULL},
                   {"shutdown", "poweroff", "pause", NULL},
                   {"panic", "shutdown", "pause", "none"},
                   {"watchdog", "none", "reset", "shutdown"}};
    static const char *const keys[] = {"reboot", "shutdown", "panic", "watchdog"};
    unsigned pos = 0;
    const OptionUse *use;
    while ((use = options_next(c->options, OPT_ACTION, &pos))) {
        g_autoptr(Opts) opts = opts_parse("-action", use->arg, NULL, error);
        if (!opts) {
            return false;
        }
        for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
            const Opt *opt = opts_find(opts, actions[i].key);
            if (opt && strcmp(opt->value, actions[i].a) != 0 && strcmp(opt->value, actions[i].b) != 0 &&
                (!actions[i].c || strcmp(opt->value, actions[i].c) != 0)) {
                opts_fail(opts, opt, error, "%s is %s, %s%s%s", actions[i].key, actions[i].a, actions[i].b,
                          actions[i].c ? " or " : "", actions[i].c ? actions[i].c : "");
                return false;
            }
        }
        c->no_reboot = strcmp(opts_str(opts, "reboot", c->no_reboot ? "shutdown" : "reset"), "shutdown") == 0;
        c->no_shutdown = strcmp(opts_str(opts, "shutdown", c->no_shutdown ? "pause" : "poweroff"), "pause") == 0;
        if (!opts_all_used(opts, keys, ARRAY_LEN(keys), error)) {
            return false;
        }
    }
    return true;
}

static bool read_echr(Config *c, GError **error)
{
    const char *text = options_last(c->options, OPT_ECHR);
    uint64_t n = 1;
    if (text && (!parse_uint(text, &n) || n > 255)) {
        return bad_usage(error, "-echr %s: the escape character is a number from 0 (none) to 255; Ctrl-A is 1", text);
    }
    c->escape = n;
    return true;
}

static bool read_name(Config *c, GError **error)
{
    const char *text = options_last(c->options, OPT_NAME);
    g_autoptr(Opts) opts = opts_parse("-name", text ? text : "", "guest", error);
    if (!opts) {
        return false;
    }
    g_free(c->name);
    c->name = g_strdup(opts_str(opts, "guest", NULL));
    return true;
}

static bool read_uuid(const Config *c, GError **error)
{
    const char *text = options_last(c->options, OPT_UUID);
    if (text && !g_uuid_string_is_valid(text)) {
        return bad_usage(error, "-uuid %s: the form is 01234567-89ab-cdef-0123-456789abcdef", text);
    }
    return true;
}

/* ---- devices ---- */

/* -global TYPE.PROPERTY=VALUE is a default for each -device TYPE that does not set the property itself. */
static void apply_global(Config *c, const char *type, const char *prop, const char *value)
{
    for (guint i = 0; i + 1 < c->devices->len; i++) {
        const char *text = g_ptr_array_index(c->devices, i);
        size_t len = strcspn(text, ",");
        g_autofree char *assignment = g_strdup_printf(",%s=", prop);
        if (strlen(type) == len && strncmp(text, type, len) == 0 && !strstr(text, assignment)) {
            g_ptr_array_index(c->devices, i) = g_strdup_printf("%s%s%s", text, assignment, value);
            g_free((char *)text);
        }
    }
}

static bool read_globals(Config *c, GError **error)
{
    unsigned pos = 0;
    const OptionUse *use;
    while ((use = options_next(c->options, OPT_GLOBAL, &pos))) {
        g_autoptr(Opts) opts = opts_parse("-global", use->arg, NULL, error);
        if (!opts) {
            return false;
        }
        const Opt *first = opts->items->len ? &g_array_index(opts->items, Opt, 0) : NULL;
        const char *dot = first ? strchr(first->key, '.') : NULL;
        if (dot && !first->bare) {
            g_autofree char *type = g_strndup(first->key, dot - first->key);
            apply_global(c, type, dot + 1, first->value);
        } else if (opts_find(opts, "driver") && opts_find(opts, "property") && opts_find(opts, "value")) {
            apply_global(c, opts_str(opts, "driver", ""), opts_str(opts, "property", ""),
                         opts_str(opts, "value", ""));
        } else {
            return bad_usage(error, "-global %s: the form is DEVICE.PROPERTY=VALUE", use->arg);
        }
    }
    return true;
}

static bool read_devices(Config *c, GError **error)
{
    unsigned pos = 0;
    const OptionUse *use;
    while ((use = options_next(c->options, OPT_DEVICE, &pos))) {
        if (use->arg[0] == '{') {
            opts_fail_at("-device", use->arg, 0, 1, error,
                         "JSON is not supported yet; write it as NAME,property=value");
            return false;
        }
        g_ptr_array_add(c->devices, g_strdup(use->arg));
    }
    g_ptr_array_add(c->devices, NULL);
    if (!read_globals(c, error)) {
        return false;
    }
    c->board.devices = (const char **)c->devices->pdata;
    return true;
}

/* ---- kernel ---- */

/* A Linux kernel that was given alone talks on the terminal, unless the user says where. */
static void add_console(Config *c)
{
    const char *append = c->board.append ? c->board.append : "";
    if (!strstr(append, "console=")) {
        c->append = g_strdup_printf("%s%sconsole=ttyS0", append, append[0] ? " " : "");
        c->board.append = c->append;
    }
}

/* The file itself, or one of this name in the -L folders or where packages put firmware. */
static char *find_firmware(const Config *c, const char *name, GError **error)
{
    static const char *const places[] = {"/usr/share/seabios", "/usr/share/qemu", "/usr/local/share/qemu",
                                         "/usr/share/qemu-efi"};
    unsigned pos = 0;
    const OptionUse *use;
    if (g_file_test(name, G_FILE_TEST_EXISTS)) {
        return g_strdup(name);
    }
    while ((use = options_next(c->options, OPT_L, &pos))) {
        g_autofree char *path = g_build_filename(use->arg, name, NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            return g_steal_pointer(&path);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(places) && !strchr(name, '/'); i++) {
        g_autofree char *path = g_build_filename(places[i], name, NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            return g_steal_pointer(&path);
        }
    }
    bad_usage(error, "could not find firmware '%s'; -L DIR says where to look, Debian's package seabios has bios-256k.bin",
              name);
    return NULL;
}

bool config_boot_file(Config *c, GError **error)
{
    const char *kernel = options_last(c->options, OPT_KERNEL);
    bool linux_image = false;
    c->kernel = g_strdup(kernel);
    if (c->options->file) {
        if (c->strict) {
            return bad_usage(error, "%s: a disk image, which is not supported yet; kernels start with -kernel FILE",
                             c->options->file);
        }
        if (kernel) {
            return bad_usage(error, "%s: disks are not supported yet beside -kernel %s", c->options->file, kernel);
        }
        if (!detect_kernel(c->options->file, &linux_image, error)) {
            return false;
        }
        c->kernel = g_strdup(c->options->file);
    }
    c->board.kernel = c->kernel;
    c->board.initrd = options_last(c->options, OPT_INITRD);
    c->board.append = options_last(c->options, OPT_APPEND);
    if (linux_image) {
        add_console(c);
    }
    if (!c->kernel && (c->board.initrd || c->board.append)) {
        return bad_usage(error, "-%s: only allowed with -kernel", c->board.initrd ? "initrd" : "append");
    }
    if (c->kernel) {
        return true; /* it starts without firmware */
    }
    if (!options_has(c->options, OPT_BIOS)) {
        g_set_error(error, OPTS_ERROR, OPTS_NO_BOOT,
                    "nothing to boot: give a kernel, as in: -kernel bzImage (disks are not supported yet)");
        return false;
    }
    c->bios = find_firmware(c, options_last(c->options, OPT_BIOS), error);
    c->board.bios = c->bios;
    return c->bios != NULL;
}

/* ---- all ---- */

bool config_read(Config *c, const Options *options, GError **error)
{
    c->options = options;
    c->strict = options->strict;
    c->program = g_strdup(options->program);
    c->accels = g_array_new(FALSE, TRUE, sizeof(AccelChoice));
    c->monitors = g_ptr_array_new();
    c->devices = g_ptr_array_new_with_free_func(g_free);
    c->chardevs = g_hash_table_new(g_str_hash, g_str_equal);
    c->chardev_order = g_ptr_array_new();
    c->board.find_chardev = config_find_chardev;
    c->board.find_opaque = c;
    c->nographic = options_has(options, OPT_NOGRAPHIC);
    c->board.nodefaults = c->nodefaults = options_has(options, OPT_NODEFAULTS);
    c->no_reboot = options_has(options, OPT_NO_REBOOT);
    c->no_shutdown = options_has(options, OPT_NO_SHUTDOWN);
    c->stopped = options_has(options, OPT_S);
    c->daemonize = options_has(options, OPT_DAEMONIZE);
    c->pidfile = options_last(options, OPT_PIDFILE);
    return read_action(c, error) && read_echr(c, error) && read_name(c, error) && read_uuid(c, error) &&
           only_none(c, OPT_DISPLAY, NULL, error) && only_none(c, OPT_VGA, NULL, error) &&
           only_none(c, OPT_NET, NULL, error) && only_none(c, OPT_NIC, NULL, error) &&
           only_none(c, OPT_PARALLEL, "null", error) && read_boot(c, error) && read_rtc(c, error) &&
           config_machine(c, error) && read_devices(c, error) && config_boot_file(c, error);
}

static void free_accel_choice(AccelChoice *choice)
{
    g_free(choice->name);
    g_free(choice->opts);
}

void config_clear(Config *c)
{
    if (!c->program) {
        return;
    }
    for (guint i = 0; i < c->chardev_order->len; i++) {
        chardev_free(g_ptr_array_index(c->chardev_order, i));
    }
    for (guint i = 0; i < c->accels->len; i++) {
        free_accel_choice(&g_array_index(c->accels, AccelChoice, i));
    }
    g_ptr_array_free(c->chardev_order, TRUE);
    g_hash_table_destroy(c->chardevs);
    g_array_free(c->accels, TRUE);
    g_ptr_array_free(c->monitors, TRUE);
    g_ptr_array_free(c->devices, TRUE);
    if (c->cpu) {
        cpu_model_free(c->cpu);
    }
    g_free(c->machine_accel);
    g_free(c->machine_irqchip);
    g_free(c->kernel);
    g_free(c->append);
    g_free(c->bios);
    g_free(c->rtc_base);
    g_free(c->name);
    g_free(c->program);
}
