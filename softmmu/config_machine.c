/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -machine, -accel, -cpu, -m and -smp. */
#include "softmmu/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "target/x86/cpuid.h"
#include "util/suggest.h"

#define MAX_RAM (1020 * GIB) /* 40 bits of physical address less the hole below 4 GiB */
#define MIN_RAM (1 * MIB)
#define STRICT_DEFAULT_RAM (128 * MIB) /* QEMU's */
#define FRIENDLY_DEFAULT_RAM (1 * GIB)

/* ---- memory ---- */

/* What the host can give without swapping, or 0 when it does not say. */
static uint64_t host_available(void)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/proc/meminfo", &text, NULL, NULL)) {
        return 0;
    }
    const char *line = strstr(text, "MemAvailable:");
    return line ? g_ascii_strtoull(line + strlen("MemAvailable:"), NULL, 10) * KIB : 0;
}

static uint64_t default_ram(const Config *c)
{
    uint64_t available = host_available();
    if (c->strict) {
        return STRICT_DEFAULT_RAM;
    }
    if (available && available < 2 * FRIENDLY_DEFAULT_RAM) {
        return MAX(available / 2 / MIB * MIB, 256 * MIB);
    }
    return FRIENDLY_DEFAULT_RAM;
}

static bool check_ram(const Config *c, const Opts *opts, const Opt *size, uint64_t ram, GError **error)
{
    uint64_t available = c->strict ? 0 : host_available();
    g_autofree char *asked = format_size(ram);
    if (ram < MIN_RAM) {
        opts_fail(opts, size, error, "%s of memory is too little; a PC needs 1 MiB at least",
                  ram ? asked : "0 bytes");
        return false;
    }
    if (ram > MAX_RAM) {
        opts_fail(opts, size, error, "%s of memory is more than this machine can address; the limit is 1020 GiB",
                  asked);
        return false;
    }
    if (available && ram > available) {
        g_autofree char *free_text = format_size(available / MIB * MIB);
        opts_fail(opts, size, error, "the host has %s free; use -m %" PRIu64 "M or less", free_text,
                  (uint64_t)(available / MIB * 8 / 10));
        return false;
    }
    return true;
}

static bool read_memory(Config *c, GError **error)
{
    static const char *const keys[] = {"size", "slots", "maxmem"};
    const char *text = options_last(c->options, OPT_M);
    uint64_t ram = 0, maxmem = 0, slots = 0;
    if (!text) {
        c->board.ram_size = default_ram(c);
        return true;
    }
    g_autoptr(Opts) opts = opts_parse("-m", text, "size", error);
    if (!opts || !opts_size(opts, "size", MIB, &ram, error) || !opts_size(opts, "maxmem", MIB, &maxmem, error) ||
        !opts_uint(opts, "slots", 0, 256, &slots, error) || !opts_all_used(opts, keys, ARRAY_LEN(keys), error)) {
        return false;
    }
    const Opt *size = opts_find(opts, "size");
    if (!size) {
        opts_fail_at("-m", text, 0, strlen(text), error, "the size is missing, as in: -m 1G");
        return false;
    }
    if (maxmem > ram) {
        opts_fail(opts, opts_find(opts, "maxmem"), error, "memory hot-plug is not supported yet");
        return false;
    }
    ram = (ram + 0x1fff) & ~0x1fffull; /* whole pages, in pairs as QEMU does */
    c->board.ram_size = ram;
    return check_ram(c, opts, size, ram, error);
}

/* ---- processors ---- */

static bool read_smp(Config *c, GError **error)
{
    static const char *const keys[] = {"cpus", "cores", "threads", "sockets", "dies", "clusters", "maxcpus"};
    static const char *const parts[] = {"cores", "threads", "sockets", "dies", "clusters"};
    const char *text = options_last(c->options, OPT_SMP);
    uint64_t cpus = 0, maxcpus = 0, product = 1;
    const Opt *last_part = NULL;
    if (!text) {
        c->board.num_cpus = 1;
        return true;
    }
    g_autoptr(Opts) opts = opts_parse("-smp", text, "cpus", error);
    if (!opts || !opts_uint(opts, "cpus", 1, UINT32_MAX, &cpus, error) ||
        !opts_uint(opts, "maxcpus", 1, UINT32_MAX, &maxcpus, error)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        uint64_t n = 1;
        if (!opts_uint(opts, parts[i], 1, 4096, &n, error)) {
            return false;
        }
        const Opt *part = opts_find(opts, parts[i]);
        last_part = part ? part : last_part;
        product *= n;
    }
    if (!opts_all_used(opts, keys, ARRAY_LEN(keys), error)) {
        return false;
    }
    uint64_t total = maxcpus ? maxcpus : cpus ? cpus : product;
    cpus = cpus ? cpus : total;
    if (maxcpus && maxcpus < cpus) {
        opts_fail(opts, opts_find(opts, "maxcpus"), error,
                  "maxcpus=%" PRIu64 " is less than the %" PRIu64 " processors at start",
                  maxcpus, cpus);
        return false;
    }
    if (total % product != 0 ||
        (opts_find(opts, "sockets") && opts_find(opts, "cores") && opts_find(opts, "threads") && total != product)) {
        opts_fail(opts, last_part, error,
                  "%" PRIu64 " processors are not a multiple of %" PRIu64 " (cores, threads and so on multiplied)",
                  total, product);
        return false;
    }
    if (cpus > c->board_type->max_cpus) {
        const Opt *count = opts_find(opts, "cpus");
        opts_fail(opts, count ? count : last_part, error,
                  "Invalid SMP CPUs %" PRIu64 "; the max CPUs supported by machine '%s' is (%u)",
                  cpus, c->board_type->name, c->board_type->max_cpus);
        return false;
    }
    c->board.num_cpus = cpus;
    return true;
}

/* What the engine lacks of the model: an error if the user insists, otherwise worth a line. */
static bool limit_model(Config *c, const AccelOps *accel, const char *text, GError **error)
{
    FeatureSet available;
    memset(&available, 0xff, sizeof(available));
    if (!accel->limit_features) {
        return true;
    }
    if (!accel->limit_features(&available, error)) {
        return false;
    }
    g_autofree char *lost = cpu_model_limit(c->cpu, &available);
    if (lost && c->cpu->enforce && !c->cpu->all) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "%s on this host lacks %s", accel->name, lost);
        g_prefix_error(error, "-cpu %s: ", text);
        return false;
    }
    if (lost && !c->cpu->all) {
        config_note(c, "-cpu %s without %s: %s on this host has not got them", text, lost, accel->name);
    }
    return true;
}

bool config_cpu_model(Config *c, const AccelOps *accel, GError **error)
{
    const char *text = c->cpu_text ? c->cpu_text : c->strict ? "qemu64" : "max";
    g_autofree char *soft = NULL;
    if ((accel->caps & ACCEL_CAP_SOFT_CPU) && g_str_has_prefix(text, "host") && (text[4] == ',' || !text[4])) {
        soft = g_strdup_printf("max%s", text + 4);
        config_note(c, "-cpu host needs KVM; using -cpu %s", soft);
    }
    c->cpu = cpu_model_parse(soft ? soft : text, error);
    if (!c->cpu) {
        g_prefix_error(error, "-cpu %s: ", text);
        return false;
    }
    c->board.cpu_model = c->cpu;
    return limit_model(c, accel, text, error);
}

/* ---- the board ---- */

/* What else QEMU's boards take, by what it means here. */
static bool other_keys(Opts *opts, GError **error)
{
    static const char *const no_effect[] = {"vmport",         "graphics", "mem-merge",       "dump-guest-core",
                                            "fd-bootchk",     "smbus",    "suppress-vmdesc", "i8042",
                                            "default-bus-bypass-iommu"};
    static const char *const off_only[] = {"usb", "nvdimm", "sata"};
    static const char *const later[] = {"kernel",   "initrd",         "append",            "dtb",
                                        "firmware", "memory-backend", "memory-encryption", "max-ram-below-4g"};
    for (size_t i = 0; i < ARRAY_LEN(no_effect); i++) {
        opts_find(opts, no_effect[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(off_only); i++) {
        bool on = false;
        if (!opts_bool(opts, off_only[i], &on, error)) {
            return false;
        }
        if (on) {
            opts_fail(opts, opts_find(opts, off_only[i]), error, "%s=on is known but not supported yet", off_only[i]);
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(later); i++) {
        const Opt *opt = opts_find(opts, later[i]);
        if (opt) {
            opts_fail(opts, opt, error, "%s= is known but not supported yet", later[i]);
            return false;
        }
    }
    return true;
}

static bool read_board_name(Config *c, const Opts *opts, const Opt *type, GError **error)
{
    /* Versioned names stand for one board as long as there is one version. */
    const char *name = g_str_has_prefix(type->value, "pc-i440fx-") ? "pc" : type->value;
    c->board_type = board_find(name);
    if (!c->board_type) {
        size_t count;
        const Board *const *all = board_all(&count);
        Suggest near = suggest_begin(name);
        for (size_t i = 0; i < count; i++) {
            suggest_offer(&near, all[i]->name);
        }
        g_autofree char *hint = suggest_text(near.best);
        opts_fail(opts, type, error, "unsupported machine type '%s'%s; -machine help lists the boards", name, hint);
        return false;
    }
    return true;
}

/* kernel_irqchip is kernel-irqchip: old names of properties had underscores and scripts still use them. */
static Opts *parse_machine(const char *text, GError **error)
{
    Opts *opts = opts_parse("-machine", text, "type", error);
    for (unsigned i = 0; opts && i < opts->items->len; i++) {
        g_strdelimit(g_array_index(opts->items, Opt, i).key, "_", '-');
    }
    return opts;
}

/* The last one given counts. */
static void keep(char **place, const char *value)
{
    if (value) {
        g_free(*place);
        *place = g_strdup(value);
    }
}

static bool read_machine(Config *c, const char *text, GError **error)
{
    static const char *const keys[] = {"type", "accel", "acpi", "pit", "hpet", "smm", "usb", "vmport", "graphics"};
    g_autoptr(Opts) opts = parse_machine(text, error);
    if (!opts || !other_keys(opts, error) || !opts_bool(opts, "acpi", &c->board.acpi, error) ||
        !opts_bool(opts, "pit", &c->board.pit, error) || !opts_bool(opts, "hpet", &c->board.hpet, error) ||
        !opts_bool(opts, "smm", &c->board.smm, error)) {
        return false;
    }
    const Opt *type = opts_find(opts, "type");
    keep(&c->machine_accel, opts_str(opts, "accel", NULL));
    keep(&c->machine_irqchip, opts_str(opts, "kernel-irqchip", NULL));
    return opts_all_used(opts, keys, ARRAY_LEN(keys), error) &&
           (!type || read_board_name(c, opts, type, error));
}

/* ---- the accelerator ---- */

static void add_accel(Config *c, const char *name, const char *opts, bool required)
{
    AccelChoice choice = {g_strdup(name), g_strdup(opts), required};
    if (c->machine_irqchip && strcmp(name, "kvm") == 0 && !(opts && strstr(opts, "kernel-irqchip="))) {
        g_free(choice.opts);
        choice.opts = g_strconcat("kernel-irqchip=", c->machine_irqchip, opts ? "," : NULL, opts, NULL);
    }
    g_array_append_val(c->accels, choice);
}

/* "NAME" or "NAME,key=value" of -accel. */
static void add_accel_text(Config *c, const char *text, bool required)
{
    const char *comma = strchr(text, ',');
    g_autofree char *word = comma ? g_strndup(text, comma - text) : g_strdup(text);
    const char *name = g_str_has_prefix(word, "accel=") ? word + strlen("accel=") : word;
    add_accel(c, name, comma ? comma + 1 : NULL, required);
}

static bool read_accels(Config *c, GError **error)
{
    static const char *const defaults[] = {"kvm", "tcg", "interp"}; /* the fastest that works here */
    unsigned pos = 0;
    const OptionUse *use;
    bool kvm = options_has(c->options, OPT_ENABLE_KVM);
    if (c->machine_accel && options_has(c->options, OPT_ACCEL)) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "-accel and -machine accel=%s: use one of the two",
                    c->machine_accel);
        return false;
    }
    if (options_has(c->options, OPT_REQUIRE_KVM)) {
        add_accel(c, "kvm", NULL, true); /* whatever else is named */
        return true;
    }
    if (kvm) {
        add_accel(c, "kvm", NULL, true);
    }
    while ((use = options_next(c->options, OPT_ACCEL, &pos))) {
        add_accel_text(c, use->arg, true);
    }
    if (c->machine_accel) {
        g_auto(GStrv) names = g_strsplit(c->machine_accel, ":", -1);
        for (size_t i = 0; names[i]; i++) {
            add_accel(c, names[i], NULL, true);
        }
    }
    if (c->accels->len == 0 || (kvm && !c->strict && c->accels->len == 1)) {
        for (size_t i = kvm ? 1 : 0; i < ARRAY_LEN(defaults); i++) {
            add_accel(c, defaults[i], NULL, false);
        }
    }
    return true;
}

bool config_machine(Config *c, GError **error)
{
    unsigned pos = 0;
    const OptionUse *use;
    size_t count;
    c->board_type = board_all(&count)[0];
    c->board.acpi = c->board.pit = true;
    while ((use = options_next(c->options, OPT_MACHINE, &pos))) {
        if (!read_machine(c, use->arg, error)) {
            return false;
        }
    }
    c->board.acpi &= !options_has(c->options, OPT_NO_ACPI);
    c->board.hpet &= !options_has(c->options, OPT_NO_HPET);
    c->cpu_text = options_last(c->options, OPT_CPU);
    return read_accels(c, error) && read_memory(c, error) && read_smp(c, error);
}
