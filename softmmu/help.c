/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Help texts, all from the tables that the program itself works by.  Under QEMU's name the parts that scripts read
 * have QEMU's form: the first line of -h and -version, "name \"...\", bus ..." of -device help, the list of
 * accelerators.
 */
#include "softmmu/help.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "accel/accel.h"
#include "chardev/chardev.h"
#include "hw/core/device.h"
#include "hw/i386/board.h"
#include "target/x86/cpuid.h"
#include "util/suggest.h"

#define QEMU_VERSION "7.2.0" /* whose command line and devices we follow */

static void version(const Options *o, GString *out)
{
    if (o->strict) {
        g_string_append_printf(out, "QEMU emulator version %s (Rhea %s)\n", QEMU_VERSION, RHEA_VERSION);
    } else {
        g_string_append_printf(out, "Rhea %s (takes the options of QEMU emulator version %s)\n", RHEA_VERSION,
                               QEMU_VERSION);
    }
}

static void option_line(GString *out, const OptionRow *row)
{
    g_autofree char *head =
        g_strdup_printf("-%s%s%s%s%s", row->alias ? row->alias : row->name, row->alias ? ", -" : "",
                        row->alias ? row->name : "", row->arg ? " " : "", row->arg ? row->arg : "");
    if (strlen(head) > 22) {
        g_string_append_printf(out, "  %s\n  %-22s  %s\n", head, "", row->help);
    } else {
        g_string_append_printf(out, "  %-22s  %s\n", head, row->help);
    }
}

static void usage(const Options *o, GString *out)
{
    version(o, out);
    g_string_append_printf(out, "usage: %s [options] [%s]\n", o->program, o->strict ? "disk_image" : "kernel");
    if (!o->strict) {
        g_string_append_printf(out,
                               "\nexamples:\n  %s bzImage --initrd initrd.img --append console=ttyS0\n"
                               "  %s -kernel bzImage -nographic -m 512M -smp 2\n"
                               "Options take one or two dashes; Ctrl-A x leaves, Ctrl-A h helps.\n",
                               o->program, o->program);
    }
#define GROUP(title) g_string_append_printf(out, "\n%s:\n", title);
#define OPT(id, name, alias, arg, how, help)                                                                         \
    if (option_rows[OPT_##id].status != OPTION_LATER) {                                                              \
        option_line(out, &option_rows[OPT_##id]);                                                                    \
    }
#include "softmmu/options.def"
#undef OPT
#undef GROUP
}

static bool is_help(const char *word)
{
    return word && (strcmp(word, "help") == 0 || strcmp(word, "?") == 0);
}

/* ---- lists ---- */

static void list_boards(GString *out)
{
    size_t count;
    const Board *const *all = board_all(&count);
    g_string_append(out, "Supported machines are:\n");
    for (size_t i = 0; i < count; i++) {
        g_string_append_printf(out, "%-20s %s%s\n", all[i]->name, all[i]->desc, i == 0 ? " (default)" : "");
    }
}

static void list_accels(GString *out)
{
    size_t count;
    const AccelOps *const *all = accel_all(&count);
    g_string_append(out, "Accelerators supported in QEMU binary:\n");
    for (size_t i = 0; i < count; i++) {
        g_string_append_printf(out, "%s\n", all[i]->name);
    }
}

static void list_devices(GString *out)
{
    size_t count;
    const DeviceType *const *types = device_types(&count);
    for (size_t i = 0; i < count; i++) {
        if (types[i]->bus != BUS_NONE) {
            g_string_append_printf(out, "name \"%s\", bus %s, desc \"%s\"\n", types[i]->name,
                                   types[i]->bus == BUS_ISA ? "ISA" : "PCI", types[i]->desc);
        }
    }
}

static const char *prop_type(const Prop *prop, char *buf, size_t size)
{
    switch (prop->kind) {
    case PROP_UINT:
        g_snprintf(buf, size, "uint%u", prop->size * 8u);
        return buf;
    case PROP_BOOL:
        return "bool";
    case PROP_STRING:
        return "str";
    case PROP_CHARDEV:
        return "chardev";
    }
    return "?";
}

static void list_props(const DeviceType *type, GString *out)
{
    g_string_append_printf(out, "%s options:\n", type->name);
    for (uint32_t i = 0; i < type->num_props; i++) {
        const Prop *prop = &type->props[i];
        char kind[16];
        g_autofree char *head = g_strdup_printf("%s=<%s>", prop->name, prop_type(prop, kind, sizeof(kind)));
        g_string_append_printf(out, "  %-22s - %s", head, prop->help ? prop->help : "");
        if (prop->kind == PROP_UINT) {
            g_string_append_printf(out, " (default: %" PRIu64 ")", prop->def);
        } else if (prop->kind == PROP_BOOL) {
            g_string_append_printf(out, " (default: %s)", prop->def ? "on" : "off");
        }
        g_string_append_c(out, '\n');
    }
}

/* What would happen if it were asked for here. */
static void describe_accel(const AccelOps *ops, GString *out)
{
    g_autoptr(GError) why = NULL;
    if (ops->probe && !ops->probe(&why)) {
        g_string_append_printf(out, "On this host: does not work: %s\n", why ? why->message : "no reason is known");
    } else if (ops->worthwhile && !ops->worthwhile(&why)) {
        g_string_append_printf(out, "On this host: works when asked for by name: %s\n", why ? why->message : "");
    } else {
        g_string_append(out, "On this host: works\n");
    }
}

/* "NAME,help": false with an error when there is no such device. */
static bool device_help(const char *text, bool *asked, GString *out, GError **error)
{
    size_t len = strcspn(text, ",");
    const char *rest = text + len + (text[len] == ',');
    if (is_help(text)) {
        *asked = true;
        list_devices(out);
    } else if (is_help(rest)) {
        g_autofree char *name = g_strndup(text, len);
        const DeviceType *type = device_type_find(name);
        *asked = true;
        if (!type) {
            size_t count;
            const DeviceType *const *types = device_types(&count);
            Suggest near = suggest_begin(name);
            for (size_t i = 0; i < count; i++) {
                suggest_offer(&near, types[i]->name);
            }
            g_autofree char *hint = suggest_text(near.best);
            opts_fail_at("-device", text, 0, len, error, "'%s' is not a valid device model name%s", name, hint);
            return false;
        }
        list_props(type, out);
    }
    return true;
}

/* "NAME,help": false with an error when there is no such engine. */
static bool accel_help(const char *text, bool *asked, GString *out, GError **error)
{
    size_t len = strcspn(text, ",");
    if (!text[len] || !is_help(text + len + 1)) {
        return true;
    }
    g_autofree char *name = g_strndup(text, len);
    const AccelOps *ops = accel_find(name);
    *asked = true;
    if (!ops) {
        opts_fail_at("-accel", text, 0, len, error, "'%s' is not an accelerator; -accel help lists them", name);
        return false;
    }
    if (ops->help) {
        g_string_append(out, ops->help);
    } else {
        g_string_append_printf(out, "There are no options for %s.\n", name);
    }
    describe_accel(ops, out);
    return true;
}

/* ---- what was asked ---- */

static bool any_help(const Options *o, OptionId id)
{
    unsigned pos = 0;
    const OptionUse *use;
    while ((use = options_next(o, id, &pos))) {
        if (is_help(use->arg)) {
            return true;
        }
    }
    return false;
}

static bool collect(const Options *o, GString *out, GError **error)
{
    unsigned pos = 0;
    const OptionUse *use;
    bool asked = false;
    if (options_has(o, OPT_HELP)) {
        usage(o, out);
    } else if (options_has(o, OPT_VERSION)) {
        version(o, out);
    } else if (any_help(o, OPT_MACHINE)) {
        list_boards(out);
    } else if (any_help(o, OPT_ACCEL)) {
        list_accels(out);
    } else if (any_help(o, OPT_CPU)) {
        cpu_model_list(out);
    } else if (any_help(o, OPT_CHARDEV)) {
        g_string_append(out, "Available chardev backend types:\n");
        chardev_list_backends(out);
    } else if (any_help(o, OPT_DISPLAY) || any_help(o, OPT_VGA)) {
        g_string_append(out, "none\n");
    } else {
        while (!asked && (use = options_next(o, OPT_ACCEL, &pos))) {
            if (!accel_help(use->arg, &asked, out, error)) {
                return false;
            }
        }
        pos = 0;
        while (!asked && (use = options_next(o, OPT_DEVICE, &pos))) {
            if (!device_help(use->arg, &asked, out, error)) {
                return false;
            }
        }
    }
    return true;
}

bool help_if_asked(const Options *o, GError **error)
{
    g_autoptr(GString) out = g_string_new(NULL);
    if (!collect(o, out, error)) {
        return false;
    }
    if (out->len && (fputs(out->str, stdout) < 0 || fflush(stdout) != 0)) {
        g_set_error(error, OPTS_ERROR, OPTS_OPEN, "cannot write to standard output: %s", g_strerror(errno));
        return false;
    }
    return out->len > 0;
}
