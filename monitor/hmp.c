/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of the monitor, one row each; names and forms follow QEMU's monitor. */
#include "monitor/monitor.h"

#include <string.h>

#include "accel/accel.h"
#include "monitor/internal.h"
#include "target/x86/cpu.h"
#include "util/log.h"
#include "util/opts.h"
#include "util/suggest.h"

typedef struct Command {
    const char *name, *alias;
    const char *args;
    const char *help;
    void (*run)(Monitor *mon, const char *args, GString *out);
} Command;

bool monitor_hold(Monitor *mon)
{
    Machine *m = mon->host->machine;
    if (m->accel && run_state(m->run) == RUN_RUNNING) {
        m->accel->ops->pause(m->accel);
        return true;
    }
    return false;
}

void monitor_release(Monitor *mon, bool held)
{
    if (held) {
        mon->host->machine->accel->ops->resume(mon->host->machine->accel);
    }
}

X86Cpu *monitor_cpu(Monitor *mon)
{
    Machine *m = mon->host->machine;
    return m->num_cpus ? m->cpus[MIN(mon->cpu, m->num_cpus - 1)] : NULL;
}

/* ---- info ---- */

static void info_registers(Monitor *mon, const char *args, GString *out)
{
    Machine *m = mon->host->machine;
    bool all = strcmp(args, "-a") == 0;
    bool held = monitor_hold(mon);
    for (unsigned i = 0; i < m->num_cpus; i++) {
        if (all || m->cpus[i] == monitor_cpu(mon)) {
            g_string_append_printf(out, "\nCPU#%u\n", i);
            cpu_dump(m->cpus[i], out);
        }
    }
    monitor_release(mon, held);
}

static void info_mtree(Monitor *mon, const char *args, GString *out)
{
    g_string_append(out, "address-space: memory\n");
    space_dump(mon->host->machine->memory, out);
    g_string_append(out, "address-space: I/O\n");
    space_dump(mon->host->machine->io, out);
}

/* Devices whose type name begins with one of the words, or all. */
static void dump_devices(Monitor *mon, const char *const *types, size_t count, GString *out)
{
    Machine *m = mon->host->machine;
    bool held = monitor_hold(mon);
    for (guint i = 0; i < m->devices->len; i++) {
        const Device *dev = g_ptr_array_index(m->devices, i);
        for (size_t t = 0; t < count; t++) {
            if (strcmp(dev->type->name, types[t]) == 0) {
                device_dump(dev, out);
            }
        }
    }
    monitor_release(mon, held);
}

static void info_pic(Monitor *mon, const char *args, GString *out)
{
    static const char *const types[] = {"i8259", "ioapic", "lapic"};
    dump_devices(mon, types, ARRAY_LEN(types), out);
}

static void info_device(Monitor *mon, const char *args, GString *out)
{
    Machine *m = mon->host->machine;
    if (!args[0]) {
        for (guint i = 0; i < m->devices->len; i++) {
            const Device *dev = g_ptr_array_index(m->devices, i);
            g_string_append_printf(out, "%-16s %-16s %s\n", dev->id, dev->type->name, dev->type->desc);
        }
        return;
    }
    const Device *dev = machine_find_device(m, args);
    if (!dev) {
        g_string_append_printf(out, "there is no device '%s'; 'info device' lists them\n", args);
        return;
    }
    bool held = monitor_hold(mon);
    device_dump(dev, out);
    monitor_release(mon, held);
}

static void info_status(Monitor *mon, const char *args, GString *out)
{
    RunState state = run_state(mon->host->machine->run);
    g_string_append_printf(out, "VM status: %s%s\n", state == RUN_RUNNING ? "" : "paused",
                           state == RUN_RUNNING     ? "running"
                           : state == RUN_PAUSED    ? ""
                           : state == RUN_PRELAUNCH ? " (prelaunch)"
                                                    : " (shutdown)");
}

static void info_chardev(Monitor *mon, const char *args, GString *out)
{
    if (mon->host->list_chardevs) {
        mon->host->list_chardevs(mon->host->opaque, out);
    }
}

static void info_cpus(Monitor *mon, const char *args, GString *out)
{
    Machine *m = mon->host->machine;
    bool held = monitor_hold(mon);
    for (unsigned i = 0; i < m->num_cpus; i++) {
        const X86Cpu *cpu = m->cpus[i];
        g_string_append_printf(out, "%c CPU #%u: pc=0x%016" G_GINT64_MODIFIER "x%s%s\n",
                               cpu == monitor_cpu(mon) ? '*' : ' ', i, cpu->rip, cpu->halted ? " (halted)" : "",
                               cpu->wait_sipi ? " (not started)" : "");
    }
    monitor_release(mon, held);
}

static void info_version(Monitor *mon, const char *args, GString *out)
{
    g_string_append_printf(out, "%s\n", mon->host->version);
}

static void info_accel(Monitor *mon, const char *args, GString *out)
{
    struct Accel *accel = mon->host->machine->accel;
    if (accel) {
        g_string_append_printf(out, "%s: %s\n", accel->ops->name, accel->ops->desc);
        if (accel->ops->info) {
            bool held = monitor_hold(mon);
            accel->ops->info(accel, out);
            monitor_release(mon, held);
        }
    }
}

static void info_jit(Monitor *mon, const char *args, GString *out)
{
    struct Accel *accel = mon->host->machine->accel;
    if (!accel || !accel->ops->info_jit) {
        g_string_append(out, "there is no translator: -accel tcg has one\n");
        return;
    }
    bool held = monitor_hold(mon);
    accel->ops->info_jit(accel, out);
    monitor_release(mon, held);
}

static void info_irq(Monitor *mon, const char *args, GString *out)
{
    static const char *const types[] = {"i8259"};
    dump_devices(mon, types, ARRAY_LEN(types), out);
}

static const Command infos[] = {
    {"accel", NULL, "", "the engine and its statistics", info_accel},
    {"chardev", NULL, "", "character devices", info_chardev},
    {"cpus", NULL, "", "processors", info_cpus},
    {"device", "qtree", "[ID]", "devices, or the state of one", info_device},
    {"irq", NULL, "", "interrupt requests of the legacy controllers", info_irq},
    {"jit", NULL, "", "the translator: blocks, bytes, what is done by handlers", info_jit},
    {"mtree", NULL, "", "memory and port maps", info_mtree},
    {"pic", NULL, "", "interrupt controllers", info_pic},
    {"registers", NULL, "[-a]", "registers of this processor, or of all", info_registers},
    {"status", NULL, "", "whether the machine runs", info_status},
    {"version", NULL, "", "version", info_version},
};

/* ---- commands ---- */

static void run_row(Monitor *mon, const Command *rows, size_t count, const char *what, const char *line,
                    GString *out);

static void cmd_info(Monitor *mon, const char *args, GString *out)
{
    if (!args[0]) {
        for (size_t i = 0; i < ARRAY_LEN(infos); i++) {
            g_string_append_printf(out, "info %s %s -- %s\n", infos[i].name, infos[i].args, infos[i].help);
        }
        return;
    }
    run_row(mon, infos, ARRAY_LEN(infos), "info item", args, out);
}

static void cmd_quit(Monitor *mon, const char *args, GString *out)
{
    run_request_exit(mon->host->machine->run, CAUSE_HOST_QUIT, 0);
}

/* The next command finds it done. */
static void serve(const Monitor *mon)
{
    if (mon->host->serve) {
        mon->host->serve(mon->host->opaque);
    }
}

static void cmd_stop(Monitor *mon, const char *args, GString *out)
{
    run_request_stop(mon->host->machine->run);
    serve(mon);
}

static void cmd_cont(Monitor *mon, const char *args, GString *out)
{
    if (run_state(mon->host->machine->run) == RUN_SHUTDOWN) {
        g_string_append(out, "the guest has powered off; system_reset first\n");
        return;
    }
    run_request_cont(mon->host->machine->run);
    serve(mon);
}

static void cmd_reset(Monitor *mon, const char *args, GString *out)
{
    run_request_reset(mon->host->machine->run, CAUSE_HOST_QUIT);
    serve(mon);
}

static void cmd_powerdown(Monitor *mon, const char *args, GString *out)
{
    if (mon->host->power_button) {
        mon->host->power_button(mon->host->opaque);
    }
}

static void cmd_nmi(Monitor *mon, const char *args, GString *out)
{
    X86Cpu *cpu = monitor_cpu(mon);
    if (cpu) {
        cpu_raise_event(cpu, EVENT_NMI);
    }
}

static void cmd_cpu(Monitor *mon, const char *args, GString *out)
{
    uint64_t n;
    if (!parse_uint(args, &n) || n >= mon->host->machine->num_cpus) {
        g_string_append_printf(out, "processors are numbered 0 to %u\n", mon->host->machine->num_cpus - 1);
        return;
    }
    mon->cpu = n;
}

static void cmd_log(Monitor *mon, const char *args, GString *out)
{
    GError *error = NULL;
    if (strcmp(args, "none") == 0) {
        log_mask = 0;
    } else if (!log_set_categories(args, NULL, &error)) {
        g_string_append_printf(out, "%s\n", error->message);
        g_error_free(error);
    }
}

static void cmd_x(Monitor *mon, const char *args, GString *out)
{
    monitor_examine(mon, args, false, out);
}

static void cmd_xp(Monitor *mon, const char *args, GString *out)
{
    monitor_examine(mon, args, true, out);
}

static void cmd_accel_switch(Monitor *mon, const char *args, GString *out)
{
    g_autoptr(GError) error = NULL;
    if (!args[0]) {
        g_string_append(out, "which engine? accel-switch NAME, as after -accel\n");
    } else if (mon->host->accel_switch && !mon->host->accel_switch(mon->host->opaque, args, &error)) {
        g_string_append_printf(out, "%s\n", error->message);
    }
}

static void cmd_help(Monitor *mon, const char *args, GString *out);

static const Command commands[] = {
    {"accel-switch", NULL, "NAME[,key=value]", "go on with another engine", cmd_accel_switch},
    {"cont", "c", "", "go on", cmd_cont},
    {"cpu", NULL, "N", "look at processor N", cmd_cpu},
    {"help", "?", "[COMMAND]", "this list", cmd_help},
    {"info", NULL, "[ITEM]", "show something; alone: what there is", cmd_info},
    {"log", NULL, "ITEM[,ITEM]|none", "choose log items, as -d", cmd_log},
    {"nmi", NULL, "", "non-maskable interrupt", cmd_nmi},
    {"quit", "q", "", "end the emulator", cmd_quit},
    {"stop", "s", "", "stop the machine", cmd_stop},
    {"system_powerdown", NULL, "", "press the power button", cmd_powerdown},
    {"system_reset", NULL, "", "reset the machine", cmd_reset},
    {"x", NULL, "/FMT ADDRESS", "memory at a linear address; FMT is a count, one of oxduci, one of bhwg", cmd_x},
    {"xp", NULL, "/FMT ADDRESS", "memory at a physical address", cmd_xp},
};

static void cmd_help(Monitor *mon, const char *args, GString *out)
{
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const Command *c = &commands[i];
        if (!args[0] || strcmp(args, c->name) == 0 || (c->alias && strcmp(args, c->alias) == 0)) {
            g_string_append_printf(out, "%s%s%s %s -- %s\n", c->name, c->alias ? "|" : "", c->alias ? c->alias : "",
                                   c->args, c->help);
            found = true;
        }
    }
    if (!found) {
        g_string_append_printf(out, "there is no command '%s'\n", args);
    }
}

static void run_row(Monitor *mon, const Command *rows, size_t count, const char *what, const char *line, GString *out)
{
    size_t len = strcspn(line, " /"); /* "x/10i": the format follows at once */
    g_autofree char *name = g_strndup(line, len);
    const char *args = line + len + strspn(line + len, " ");
    Suggest near = suggest_begin(name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0 || (rows[i].alias && strcmp(rows[i].alias, name) == 0)) {
            rows[i].run(mon, args, out);
            return;
        }
        suggest_offer(&near, rows[i].name);
    }
    g_autofree char *hint = suggest_text(near.best);
    g_string_append_printf(out, "unknown %s: '%s'%s\n", what, name, hint);
}

void monitor_command(Monitor *mon, const char *line, GString *out)
{
    g_autofree char *text = g_strstrip(g_strdup(line));
    if (text[0]) {
        run_row(mon, commands, ARRAY_LEN(commands), "command", text, out);
    }
}
