/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pc board: i440FX host bridge, PIIX3 ISA bridge, PIIX4 power management, and the chips of a PC/AT.
 * Every part is built by its own file; here is their order, system reset and the end.
 */
#include "hw/i386/pc.h"

#include "hw/acpi/piix4pm.h"
#include "util/opts.h"

#define MIN_RAM (2 * MIB)

static bool pc_check(const BoardConfig *config, GError **error)
{
    if (config->ram_size < MIN_RAM) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "the pc machine needs at least 2 MiB of memory (-m 2M)");
        return false;
    }
    if (config->hpet || config->smm) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "the pc machine has no %s; leave %s=on away",
                    config->hpet ? "HPET" : "system management mode", config->hpet ? "hpet" : "smm");
        return false;
    }
    if (!config->kernel && !config->bios) {
        g_set_error(error, OPTS_ERROR, OPTS_NO_BOOT,
                    "nothing to boot: give a kernel with -kernel FILE, or firmware with -bios FILE");
        return false;
    }
    return true;
}

static bool pc_init(Machine *m, const BoardConfig *config, GError **error)
{
    PcBoard *pc = g_new0(PcBoard, 1);

    m->board = pc;
    pc->machine = m;
    pc->config = config;
    pc->irq_sources = g_ptr_array_new_with_free_func(g_free);
    if (!pc_check(config, error)) {
        return false;
    }
    space_begin(m->memory);
    space_begin(m->io);
    pc_memory_init(pc);
    bool ok = pc_apic_init(pc, error) && pc_pci_init(pc, error) && pc_isa_init(pc, error);
    space_commit(m->io);
    space_commit(m->memory);
    return ok && pc_devices_init(pc, error) && (config->kernel ? pc_boot_init(pc, error) : pc_firmware_init(pc, error));
}

static void pc_reset(Machine *m)
{
    PcBoard *pc = pc_board(m);

    machine_reset_devices(m);
    for (unsigned n = 0; n < m->num_cpus; n++) {
        cpu_reset(m->cpus[n]);
    }
    pc_apic_reset(pc);
    if (pc->image) {
        pc_boot_reset(pc);
    } /* else the boot processor is at the reset vector, in the firmware */
}

static void pc_power_button(Machine *m)
{
    piix4pm_power_button(pc_board(m)->pm);
}

/* The devices are still there and die after the board: cut every way from them to it. */
static void pc_destroy(Machine *m)
{
    PcBoard *pc = pc_board(m);

    if (!pc) {
        return;
    }
    /* From here on maps change without being rendered: nobody will look at them. */
    space_begin(m->memory);
    space_begin(m->io);
    pc_pci_fini(pc);
    pc_apic_fini(pc);
    for (unsigned n = 0; n < m->num_cpus; n++) {
        cpu_free(m->cpus[n]);
    }
    g_free(m->cpus);
    m->cpus = NULL;
    m->num_cpus = 0;
    boot_image_free(pc->image);
    pc_firmware_fini(pc);
    g_ptr_array_free(pc->irq_sources, true);
    g_free(pc);
    m->board = NULL;
}

const Board pc_board_type = {
    .name = "pc",
    .alias = "pc-i440fx",
    .desc = "standard PC: i440FX, PIIX3, PIIX4 power management",
    .max_cpus = APIC_MAX_CPUS,
    .init = pc_init,
    .reset = pc_reset,
    .power_button = pc_power_button,
    .destroy = pc_destroy,
};
