/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conventional PCI: a function's configuration space, its base address registers, its interrupt pin, and the bus
 * that finds functions and merges their pins.  A PCI chip's struct starts with a PciDevice and keeps the 256 bytes
 * of configuration space in its state; what depends on them (mapped windows, routing) is derived in update().
 * Spec: PCI Local Bus Specification 3.0, chapter 6.
 */
#pragma once

#include "hw/core/device.h"

typedef struct PciBus PciBus;
typedef struct PciDevice PciDevice;

/* ---- configuration space ---- */

#define PCI_CONFIG_SIZE 256u
#define PCI_NUM_BARS 6u

enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08,
    PCI_CLASS_PROG = 0x09,
    PCI_CLASS_DEVICE = 0x0a,
    PCI_CACHE_LINE_SIZE = 0x0c,
    PCI_LATENCY_TIMER = 0x0d,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_CAPABILITY_LIST = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
};
enum {
    PCI_COMMAND_IO = 1 << 0,
    PCI_COMMAND_MEMORY = 1 << 1,
    PCI_COMMAND_MASTER = 1 << 2,
    PCI_COMMAND_PARITY = 1 << 6,
    PCI_COMMAND_SERR = 1 << 8,
    PCI_COMMAND_INTX_DISABLE = 1 << 10,
};
enum { PCI_STATUS_INTERRUPT = 1 << 3, PCI_STATUS_CAP_LIST = 1 << 4 };
#define PCI_HEADER_MULTIFUNCTION 0x80

static inline uint16_t pci_get16(const uint8_t *config, unsigned offset)
{
    return (uint16_t)(config[offset] | config[offset + 1] << 8);
}
static inline uint32_t pci_get32(const uint8_t *config, unsigned offset)
{
    return pci_get16(config, offset) | (uint32_t)pci_get16(config, offset + 2) << 16;
}
static inline void pci_put16(uint8_t *config, unsigned offset, uint16_t value)
{
    config[offset] = (uint8_t)value;
    config[offset + 1] = (uint8_t)(value >> 8);
}
static inline void pci_put32(uint8_t *config, unsigned offset, uint32_t value)
{
    pci_put16(config, offset, (uint16_t)value);
    pci_put16(config, offset + 2, (uint16_t)(value >> 16));
}
static inline void pci_put64(uint8_t *config, unsigned offset, uint64_t value)
{
    pci_put32(config, offset, (uint32_t)value);
    pci_put32(config, offset + 4, (uint32_t)(value >> 32));
}

/* ---- a function ---- */

enum { PCI_BAR_IO = 1 << 0, PCI_BAR_64 = 1 << 2, PCI_BAR_PREFETCH = 1 << 3 }; /* as in the register's low bits */
#define PCI_UNMAPPED UINT64_MAX

typedef struct PciBar {
    const Region *region; /* NULL: not implemented; its size, a power of two, is the window's */
    uint8_t flags;        /* PCI_BAR_* */
    uint64_t addr;        /* where it is mapped now, or PCI_UNMAPPED: derived */
    void *mapping;
} PciBar;

struct PciDevice {
    Device dev;
    PciBus *bus;                    /* NULL until plugged */
    char *addr_prop;                /* property `addr`: "slot[.function]" in hexadecimal */
    uint8_t devfn;                  /* slot << 3 | function */
    bool intx;                      /* level of the interrupt pin: derived */
    uint8_t msi_cap;                /* offset of the MSI capability, 0: none */
    uint8_t next_cap;               /* first free byte for pci_add_capability() */
    uint8_t *config;                /* the state's 256 bytes */
    uint8_t init[PCI_CONFIG_SIZE];  /* their value after reset */
    uint8_t wmask[PCI_CONFIG_SIZE]; /* bits software can write */
    uint8_t w1c[PCI_CONFIG_SIZE];   /* bits that software clears by writing 1 */
    uint8_t live[PCI_CONFIG_SIZE];  /* bits that the function itself changes */
    PciBar bars[PCI_NUM_BARS];
};

/* The configuration space as a member of the state `s`, and its Field row. */
#define PCI_CONFIG_STATE uint8_t config[PCI_CONFIG_SIZE]
#define PCI_CONFIG_FIELD(T) FIELD_BYTES(T, config, 0)
/* Properties of every PCI device that -device can create. */
#define PCI_PROPS(T) PROP_STR_(T, "addr", pci.addr_prop, "slot[.function] on the bus, hexadecimal, e.g. 5 or 1f.3")

typedef struct PciIds {
    uint16_t vendor, device, class_code; /* class_code: base class << 8 | sub class */
    uint8_t prog_if, revision;
    uint16_t sub_vendor, sub_device;
    bool multifunction;
} PciIds;

/* From realize: header type 0 with these ids; config is the state's member. */
void pci_device_init(PciDevice *pci, uint8_t *config, const PciIds *ids);
/* BAR n is a window on `region` (its size a power of two >= 16, or >= 4 for I/O). */
void pci_add_bar(PciDevice *pci, unsigned n, const Region *region, uint8_t flags);
/* Announce the interrupt pin: 1 is INTA#. */
void pci_set_interrupt_pin(PciDevice *pci, uint8_t pin);
/* Append a capability of len bytes (header included) to the list; returns its offset. */
uint8_t pci_add_capability(PciDevice *pci, uint8_t id, uint8_t len);
/* From unrealize: leave the bus and give back what pci_device_init took. */
void pci_device_fini(PciDevice *pci);

/* From the type's hooks of the same names. */
void pci_device_reset(PciDevice *pci);  /* configuration space as after RST# */
void pci_device_update(PciDevice *pci); /* map and unmap windows by the command register and the BARs */
bool pci_device_validate(const PciDevice *pci, GError **error); /* no read-only bit differs */

/* From the type's update(): does the function want an interrupt (before the command register's disable bit)? */
void pci_set_intx(PciDevice *pci, bool level);

/* len is 1, 2 or 4 and offset aligned to it; other accesses read as all ones and drop writes. */
uint32_t pci_config_read(const PciDevice *pci, unsigned offset, unsigned len);
void pci_config_write(PciDevice *pci, unsigned offset, uint32_t value, unsigned len);

/* DMA as a bus master: false when the command register forbids it or the range is not RAM. */
bool pci_dma_read(PciDevice *pci, gpa_t addr, void *buf, size_t len);
bool pci_dma_write(PciDevice *pci, gpa_t addr, const void *buf, size_t len);

/* ---- message-signalled interrupts: pci_msi.c ---- */

/* A capability with 64-bit address for 1..32 vectors (a power of two), optionally with per-vector masks. */
void pci_msi_init(PciDevice *pci, unsigned vectors, bool maskable);
bool pci_msi_enabled(const PciDevice *pci);
/* The message of vector n as it would be sent now; false: none would be. */
bool pci_msi_message(const PciDevice *pci, unsigned n, uint64_t *addr, uint32_t *data);
/* Send vector n; a masked one is left pending and sent by pci_msi_update() when unmasked. */
void pci_msi_notify(PciDevice *pci, unsigned n);
/* From the type's update(). */
void pci_msi_update(PciDevice *pci);

/* ---- the bus ---- */

/* How windows get into the machine's address spaces. */
typedef struct PciBusOps {
    void *(*map)(void *opaque, bool io, uint64_t addr, const Region *region);
    void (*unmap)(void *opaque, bool io, void *mapping);
} PciBusOps;

#define PCI_NUM_PIRQS 4

/* ops: NULL when nothing is to be mapped (tests). */
PciBus *pci_bus_new(const PciBusOps *ops, void *opaque);
PciBus *pci_bus_ref(PciBus *bus);
void pci_bus_unref(PciBus *bus);
/* Where the merged interrupt request n (PIRQA# is 0) goes.  Pin p of slot s drives request (s + p - 2) mod 4. */
void pci_bus_connect(PciBus *bus, unsigned n, Irq irq);

#define PCI_DEVFN(slot, function) ((slot) << 3 | (function))
/* Plug a realized function in at its `addr` property, else devfn, else (devfn < 0) the first free slot. */
bool pci_bus_plug(PciBus *bus, PciDevice *pci, int devfn, GError **error);
/* The function at devfn 0..255, or NULL. */
PciDevice *pci_bus_find(const PciBus *bus, unsigned devfn);
/* The request 0..3 that the function's pin drives, or -1 when it has no pin. */
int pci_device_pirq(const PciDevice *pci);

/* Windows: called by pci.c. */
void *pci_bus_map(PciBus *bus, bool io, uint64_t addr, const Region *region);
void pci_bus_unmap(PciBus *bus, bool io, void *mapping);
/* The pin's level changed: called by pci.c. */
void pci_bus_pin_changed(PciDevice *pci, bool level);
void pci_bus_unplug(PciDevice *pci);
