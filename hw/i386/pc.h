/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pc board's own struct, shared by its files. */
#pragma once

#include "hw/i386/board.h"
#include "hw/i386/boot_image.h"
#include "hw/intc/ioapic.h"
#include "hw/intc/lapic.h"
#include "hw/pci/i440fx.h"
#include "hw/pci/pci.h"
#include "target/x86/cpu.h"

typedef struct PcBoard PcBoard;

/* One source of an interrupt: sources of the same interrupt are ORed. */
typedef struct PcIrqSource {
    PcBoard *pc;
    unsigned gsi;
    bool level;
} PcIrqSource;

/* How a piece of the ROM area is seen. */
typedef struct PcPamPiece {
    Mapping *ram;    /* reads and writes DRAM */
    Mapping *rom;    /* reads DRAM, drops writes */
    Mapping *shadow; /* reads what is behind (nothing), writes DRAM */
} PcPamPiece;

/* A processor and its local APIC. */
typedef struct PcCpu {
    PcBoard *pc;
    X86Cpu *cpu;
    Device *lapic;
    LapicCpu ops;
} PcCpu;

/* A page at which some processor has its local APIC. */
typedef struct PcApicPage {
    PcBoard *pc;
    gpa_t addr;
    unsigned users; /* processors */
    Region region;
    Mapping *mapping;
} PcApicPage;

struct PcBoard {
    Machine *machine;
    const BoardConfig *config;
    /* memory: pc_memory.c */
    Region ram, rom_area, shadow;
    PcPamPiece pam[I440FX_PAM_PIECES];
    Region firmware; /* size 0: none */
    bool a20[2]; /* the gate's inputs: keyboard controller, port 92h */
    /* interrupts: pc_apic.c, pc_irq.c */
    PcCpu *cpus;
    ApicBus apic_bus;
    GPtrArray *apic_pages; /* PcApicPage * */
    Device *pic, *ioapic;
    unsigned asserted[IOAPIC_PINS]; /* sources of each interrupt that are high */
    GPtrArray *irq_sources;         /* PcIrqSource *, owned */
    /* chips */
    Device *pit, *rtc, *kbc, *fw_cfg, *pm;
    Region fpu_port;
    Irq fpu_irq;
    I440fx *bridge;
    PciDevice *isa_bridge;
    PciBus *pci;
    unsigned num_auto_ids;
    /* direct boot */
    BootImage *image; /* NULL: firmware boots */
};

extern const Board pc_board_type;

static inline PcBoard *pc_board(Machine *m)
{
    return m->board;
}

/* ---- pc_memory.c ---- */

void pc_memory_init(PcBoard *pc);
/* PAM: see I440fx.pam_changed. */
void pc_memory_pam_changed(void *opaque, unsigned piece, bool read_dram, bool write_dram);
/* Input n of the A20 gate. */
Irq pc_a20_input(PcBoard *pc, unsigned n);

/* ---- pc_firmware.c ---- */

/* Load and map what -bios names. */
bool pc_firmware_init(PcBoard *pc, GError **error);
/* What the ROM answers at an address of the ROM area; all ones where there is none. */
uint64_t pc_firmware_read(const PcBoard *pc, uint32_t addr, unsigned size);
void pc_firmware_fini(PcBoard *pc);

/* ---- pc_irq.c ---- */

/* A new source of global interrupt n (ISA interrupts are 0..15). */
Irq pc_irq_source(PcBoard *pc, unsigned gsi);
/* Map `region` of the device at a port. */
void pc_map_ports(PcBoard *pc, Device *dev, unsigned region, uint16_t port);

/* ---- pc_apic.c ---- */

/* Processors with their local APICs, the I/O APIC and the 8259 pair. */
bool pc_apic_init(PcBoard *pc, GError **error);
/* After a reset: all local APICs are at their default address again. */
void pc_apic_reset(PcBoard *pc);
void pc_apic_fini(PcBoard *pc);

/* The page of a processor's registers goes where its base register, about to be set, says. */
void pc_apic_move_page(PcBoard *pc, unsigned cpu, uint64_t base);

/* ---- pc_irqchip.c ---- */

extern const IrqchipOps pc_irqchip_ops; /* opaque: the board */

/* ---- pc_isa.c, pc_pci.c ---- */

bool pc_isa_init(PcBoard *pc, GError **error);
bool pc_pci_init(PcBoard *pc, GError **error);
/* What firmware does at power-on: interrupt routing, power management ports, windows, ROM area as RAM. */
void pc_pci_configure(PcBoard *pc);
void pc_pci_fini(PcBoard *pc);

/* ---- pc_devices.c ---- */

/* Every -device of the configuration. */
bool pc_devices_init(PcBoard *pc, GError **error);
/* Realize, own, map and wire one ISA device whose properties say where it is. */
bool pc_isa_attach(PcBoard *pc, Device *dev, GError **error);

/* ---- pc_boot.c ---- */

/* Load what -kernel names. */
bool pc_boot_init(PcBoard *pc, GError **error);
/* Fill RAM and put the processors where a kernel starts. */
void pc_boot_reset(PcBoard *pc);
