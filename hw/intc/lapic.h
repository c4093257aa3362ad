/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC of one processor (xAPIC and x2APIC) and the bus that joins all of them with the I/O APICs.
 * Everything here is called with the machine lock held.
 *
 * A board makes one "apic" device a CPU (property "id"), calls apic_bus_add_lapic() and lapic_set_cpu(), connects
 * LINT0 (input 0: the 8259's intr) and LINT1 (input 1: NMI), routes the page at each CPU's APIC base to
 * lapic_mmio_read/write of that CPU's device, and gives message interrupts to apic_bus_msi().
 */
#pragma once

#include "hw/core/device.h"
#include "hw/core/irqchip.h"

#define APIC_MAX_CPUS 255
#define APIC_MAX_IOAPICS 4
#define APIC_DEFAULT_BASE 0xfee00000ull

enum {
    APIC_BASE_BSP = 1 << 8,
    APIC_BASE_X2APIC = 1 << 10,
    APIC_BASE_ENABLE = 1 << 11,
};

enum { LAPIC_LINT0, LAPIC_LINT1 }; /* inputs */

/* Delivery modes of ICR, LVT, I/O APIC and messages: SDM vol 3, 11.5.1 and 11.6.1. */
typedef enum ApicMode {
    APIC_FIXED, APIC_LOWEST, APIC_SMI, APIC_RESERVED, APIC_NMI, APIC_INIT, APIC_SIPI, APIC_EXTINT,
} ApicMode;

/* An interrupt on its way to some local APICs. */
typedef struct ApicMsg {
    uint32_t dest;
    bool wide;    /* dest is 32 bits (sent in x2APIC mode), else 8 */
    bool logical; /* dest is a logical address */
    bool level;   /* level-triggered: the I/O APICs want the EOI */
    ApicMode mode;
    uint8_t vector;
} ApicMsg;

/* The processor that a local APIC belongs to.  Members may be NULL. */
typedef struct LapicCpu {
    void (*set_intr)(void *opaque, bool level); /* something is to be acknowledged by lapic_ack() */
    void (*nmi)(void *opaque);
    void (*smi)(void *opaque);
    void (*init)(void *opaque);                 /* the CPU answers with lapic_init_reset() when it takes it */
    void (*sipi)(void *opaque, uint8_t vector);
    int (*ack_extint)(void *opaque);            /* vector of the 8259 pair */
    /* The first nanosecond of virtual time at which the guest's TSC is not below a value; TIMER_OFF: never. */
    int64_t (*tsc_to_ns)(void *opaque, uint64_t tsc);
} LapicCpu;

/* Owned by the board; wiring only, no state. */
typedef struct ApicBus {
    Device *lapic[APIC_MAX_CPUS];
    unsigned num_lapics;
    Device *ioapic[APIC_MAX_IOAPICS];
    unsigned num_ioapics;
    const IrqSink *sink; /* who has the local APICs; NULL: they are here */
} ApicBus;

/* False: the bus is full. */
bool apic_bus_add_lapic(ApicBus *bus, Device *lapic);
bool apic_bus_add_ioapic(ApicBus *bus, Device *ioapic);
/* How many local APICs took it. */
unsigned apic_bus_deliver(ApicBus *bus, const ApicMsg *msg);
/* A 32-bit write to the message window, 0xfee00000-0xfeefffff, by a device: SDM vol 3, 11.11. */
void apic_bus_msi(ApicBus *bus, uint64_t addr, uint32_t data);
/* A local APIC has ended a level-triggered interrupt. */
void apic_bus_eoi(const ApicBus *bus, uint8_t vector);

/* cpu: must live as long as the device. */
void lapic_set_cpu(Device *dev, const LapicCpu *cpu, void *opaque);

/* The next vector, now in service; -1: there is nothing after all. */
int lapic_ack(Device *dev);
/* CR8: the priority class of the TPR, 0..15. */
uint8_t lapic_get_cr8(Device *dev);
void lapic_set_cr8(Device *dev, uint8_t cr8);
uint64_t lapic_get_base(Device *dev);
/* False: #GP.  Property "phys-bits" says which address bits are reserved. */
bool lapic_set_base(Device *dev, uint64_t value);
/* MSRs 0x800-0x8ff and IA32_TSC_DEADLINE.  False: #GP. */
bool lapic_read_msr(Device *dev, uint32_t msr, uint64_t *value);
bool lapic_write_msr(Device *dev, uint32_t msr, uint64_t value);
/* INIT: everything but the APIC ID and the base register. */
void lapic_init_reset(Device *dev);
/* The 4 KiB page; 32-bit accesses (the board's region says min_size = max_size = 4). */
uint32_t lapic_mmio_read(Device *dev, uint32_t offset);
void lapic_mmio_write(Device *dev, uint32_t offset, uint32_t value);
/* The guest's TSC was set: a deadline is at another moment now. */
void lapic_tsc_changed(Device *dev);
/*
 * What firmware leaves on the boot processor (MP specification 1.4, 3.6.2.2, virtual wire mode): enabled, LINT0
 * takes the 8259's interrupts, LINT1 is NMI.  For a board that starts a kernel without firmware.
 */
void lapic_virtual_wire(Device *dev);
/* An engine has it: between get and set, while away, the device is inert but for the base and CR8. */
void lapic_set_away(Device *dev, bool away);
void lapic_get_state(Device *dev, LapicState *out);
void lapic_set_state(Device *dev, const LapicState *in);
void lapic_set_base_tpr(Device *dev, uint64_t base, uint8_t cr8);
/* The APIC ID as it is now: 32 bits in x2APIC mode, else 8. */
uint32_t lapic_id(Device *dev);
