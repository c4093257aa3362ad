/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pc board's ISA side: timer, clock and CMOS memory, keyboard controller, port 92h, serial ports, debug console,
 * firmware configuration.
 * Spec: IBM PC/AT technical reference (port map); Ralf Brown's CMOS list for the memory size bytes.
 */
#include "hw/i386/pc.h"

#include "hw/char/uart16550.h"
#include "hw/i386/memory_map.h"
#include "hw/input/i8042.h"
#include "hw/misc/port92.h"
#include "hw/nvram/fw_cfg.h"
#include "hw/rtc/mc146818.h"

enum { IRQ_TIMER = 0, IRQ_KEYBOARD = 1, IRQ_RTC = 8, IRQ_MOUSE = 12, IRQ_FPU = 13 };
enum { A20_KEYBOARD, A20_PORT92 };
#define FPU_PORT 0xf0

/* ---- CMOS: what the set-up program of a PC stores ---- */

static void put_word(Device *rtc, unsigned index, uint64_t value)
{
    mc146818_set_cmos(rtc, index, (uint8_t)value);
    mc146818_set_cmos(rtc, index + 1, (uint8_t)(value >> 8));
}

static void fill_cmos(PcBoard *pc)
{
    enum {
        EQUIPMENT = 0x14,
        BASE_KIB = 0x15,
        EXT_KIB = 0x17,
        EXT_KIB_2 = 0x30,
        EXT_64K = 0x34,
        HIGH_64K = 0x5b,
        NUM_CPUS_1 = 0x5f
    };
    MemoryMap map;
    uint64_t above_1m;
    uint64_t above_16m;

    memory_map_init(&map, pc->machine->ram->size);
    above_1m = (map.below_4g - HIGH_RAM_BASE) / KIB;
    above_16m = map.below_4g > 16 * MIB ? (map.below_4g - 16 * MIB) / (64 * KIB) : 0;
    mc146818_set_cmos(pc->rtc, EQUIPMENT, 0x06); /* FPU, pointing device */
    put_word(pc->rtc, BASE_KIB, LOW_RAM_END / KIB);
    put_word(pc->rtc, EXT_KIB, MIN(above_1m, 0xffffull));
    put_word(pc->rtc, EXT_KIB_2, MIN(above_1m, 0xffffull));
    put_word(pc->rtc, EXT_64K, MIN(above_16m, 0xffffull));
    put_word(pc->rtc, HIGH_64K, map.above_4g / (64 * KIB));
    mc146818_set_cmos(pc->rtc, HIGH_64K + 2, (uint8_t)(map.above_4g / (64 * KIB) >> 16));
    mc146818_set_cmos(pc->rtc, NUM_CPUS_1, (uint8_t)(pc->machine->num_cpus - 1));
}

/* ---- reset lines ---- */

static void reset_line(void *opaque, unsigned n, bool level)
{
    PcBoard *pc = opaque;

    if (level) {
        run_request_reset(pc->machine->run, CAUSE_GUEST_RESET);
    }
}

/* ---- the old coprocessor interface: FERR# is interrupt 13, a write to port F0h ends it ---- */

static void fpu_error(void *opaque)
{
    PcBoard *pc = opaque;

    machine_lock(pc->machine->lock);
    irq_set(&pc->fpu_irq, true);
    machine_unlock(pc->machine->lock);
}

static uint64_t fpu_read(void *opaque, uint64_t offset, unsigned size)
{
    return UINT64_MAX;
}

static void fpu_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PcBoard *pc = opaque;

    irq_set(&pc->fpu_irq, false);
}

static const RegionOps fpu_ops = {.read = fpu_read, .write = fpu_write, .max_size = 1};

static void wire_fpu(PcBoard *pc)
{
    region_init_io(&pc->fpu_port, "fpu-busy", 1, &fpu_ops, pc);
    space_map_whole(pc->machine->io, FPU_PORT, &pc->fpu_port);
    pc->fpu_irq = pc_irq_source(pc, IRQ_FPU);
    for (unsigned n = 0; n < pc->machine->num_cpus; n++) {
        pc->machine->cpus[n]->ferr = fpu_error;
        pc->machine->cpus[n]->ferr_opaque = pc;
    }
}

/* ---- firmware configuration ---- */

static bool add_fw_cfg(PcBoard *pc, GError **error)
{
    Machine *m = pc->machine;
    MemoryMap map;
    uint8_t e820[2 * 20];
    unsigned count = 1;

    pc->fw_cfg = machine_add_device(m, "fw_cfg", "fw_cfg", error, NULL);
    if (!pc->fw_cfg) {
        return false;
    }
    pc_map_ports(pc, pc->fw_cfg, 0, FW_CFG_IOBASE);
    pc_map_ports(pc, pc->fw_cfg, 1, FW_CFG_DMA_IOBASE);
    memory_map_init(&map, m->ram->size);
    pci_put64(e820, 0, 0);
    pci_put64(e820, 8, map.below_4g);
    pci_put32(e820, 16, MEMORY_RAM);
    if (map.above_4g) {
        pci_put64(e820, 20, 4 * GIB);
        pci_put64(e820, 28, map.above_4g);
        pci_put32(e820, 36, MEMORY_RAM);
        count = 2;
    }
    fw_cfg_add_file_copy(pc->fw_cfg, "etc/e820", e820, count * 20);
    fw_cfg_add_u64(pc->fw_cfg, FW_CFG_RAM_SIZE, m->ram->size);
    fw_cfg_add_u16(pc->fw_cfg, FW_CFG_NB_CPUS, (uint16_t)m->num_cpus);
    fw_cfg_add_u16(pc->fw_cfg, FW_CFG_MAX_CPUS, (uint16_t)m->num_cpus);
    fw_cfg_add_u16(pc->fw_cfg, FW_CFG_NOGRAPHIC, 1);
    fw_cfg_add_u32(pc->fw_cfg, FW_CFG_IRQ0_OVERRIDE, 1);
    return true;
}

/* ---- chips ---- */

static bool add_serial(PcBoard *pc, GError **error)
{
    for (unsigned n = 0; n < ARRAY_LEN(pc->config->serial); n++) {
        g_autofree char *id = g_strdup_printf("serial%u", n);
        g_autofree char *index = g_strdup_printf("%u", n);
        Device *dev;

        if (!pc->config->serial[n]) {
            continue;
        }
        dev = device_new(device_type_find("isa-serial"), id, &pc->machine->env);
        device_set_chardev(dev, "chardev", pc->config->serial[n]);
        if (!device_set_prop(dev, "index", index, error)) {
            device_free(dev);
            return false;
        }
        if (!pc_isa_attach(pc, dev, error)) {
            return false;
        }
    }
    return true;
}

static bool add_debugcon(PcBoard *pc, GError **error)
{
    Device *dev;

    if (!pc->config->debugcon) {
        return true;
    }
    dev = device_new(device_type_find("isa-debugcon"), "debugcon", &pc->machine->env);
    device_set_chardev(dev, "chardev", pc->config->debugcon);
    return pc_isa_attach(pc, dev, error);
}

static bool add_keyboard(PcBoard *pc, GError **error)
{
    Device *port92;

    pc->kbc = machine_add_device(pc->machine, "i8042", "i8042", error, NULL);
    port92 = pc->kbc ? machine_add_device(pc->machine, "port92", "port92", error, NULL) : NULL;
    if (!port92) {
        return false;
    }
    /* One region; the ports between its two belong to others. */
    space_map(pc->machine->io, I8042_DATA_PORT, device_region(pc->kbc, 0), 0, 1, 0);
    space_map(pc->machine->io, I8042_COMMAND_PORT, device_region(pc->kbc, 0), I8042_COMMAND_PORT - I8042_DATA_PORT, 1,
              0);
    pc_map_ports(pc, port92, 0, PORT92_PORT);
    device_connect(pc->kbc, "kbd-irq", 0, pc_irq_source(pc, IRQ_KEYBOARD));
    device_connect(pc->kbc, "mouse-irq", 0, pc_irq_source(pc, IRQ_MOUSE));
    device_connect(pc->kbc, "a20", 0, pc_a20_input(pc, A20_KEYBOARD));
    device_connect(pc->kbc, "reset", 0, (Irq){.fn = reset_line, .opaque = pc});
    device_connect(port92, "a20", 0, pc_a20_input(pc, A20_PORT92));
    device_connect(port92, "reset", 0, (Irq){.fn = reset_line, .opaque = pc});
    return true;
}

static bool add_timers(PcBoard *pc, GError **error)
{
    Machine *m = pc->machine;

    pc->rtc = machine_add_device(m, "mc146818rtc", "rtc", error, "base",
                                 pc->config->rtc_base ? pc->config->rtc_base : "utc", NULL);
    if (!pc->rtc) {
        return false;
    }
    pc_map_ports(pc, pc->rtc, 0, 0x70);
    device_connect(pc->rtc, "irq8", 0, pc_irq_source(pc, IRQ_RTC));
    fill_cmos(pc);
    if (!pc->config->pit) {
        return true;
    }
    pc->pit = machine_add_device(m, "i8254", "pit", error, NULL);
    if (!pc->pit) {
        return false;
    }
    pc_map_ports(pc, pc->pit, 0, 0x40);
    pc_map_ports(pc, pc->pit, 1, 0x61);
    device_connect(pc->pit, "irq0", 0, pc_irq_source(pc, IRQ_TIMER));
    return true;
}

bool pc_isa_init(PcBoard *pc, GError **error)
{
    wire_fpu(pc);
    return add_timers(pc, error) && add_keyboard(pc, error) && add_fw_cfg(pc, error) && add_serial(pc, error) &&
           add_debugcon(pc, error);
}
