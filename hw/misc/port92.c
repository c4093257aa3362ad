/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System control port A: fast A20 gate and fast processor reset.
 * Spec: Intel 82801 (ICH) data sheet, "PORT92 - Fast A20 and Init Register"; IBM PS/2 Hardware Interface Technical
 * Reference, "System Control Port A".
 */
#include "hw/misc/port92.h"

#include "hw/core/device.h"

enum { INIT_NOW = 1 << 0, ALT_A20 = 1 << 1 };

typedef struct Port92 {
    Device dev;
    Irq a20, reset;
    struct {
        uint8_t value;
    } s;
} Port92;

static Port92 *port92(Device *dev)
{
    return container_of(dev, Port92, dev);
}

static void write_value(Device *dev, uint64_t value)
{
    Port92 *p = port92(dev);
    bool rises = value & ~p->s.value & INIT_NOW;
    p->s.value = value & (INIT_NOW | ALT_A20);
    if (rises) {
        irq_pulse(&p->reset);
    }
}

static const Field port92_fields[] = {FIELD(Port92, value, 0)};
static const Reg port92_regs[] = {
    {.offset = 0, .name = "PORT92", .bank = REG_ANY_BANK, BACKED(Port92, value, 0xff), .write = write_value},
};
static const Pin port92_pins[] = {PIN(Port92, "a20", a20), PIN(Port92, "reset", reset)};

static void port92_update(Device *dev)
{
    irq_set(&port92(dev)->a20, port92(dev)->s.value & ALT_A20);
}

static bool port92_realize(Device *dev, GError **error)
{
    device_region_init_regs(dev, "port92", 1, true);
    return true;
}

DEVICE_TYPE(port92, Port92, .name = "port92", .desc = "fast A20 gate and processor reset", FIELDS(port92_fields),
            REGS(port92_regs), PINS(port92_pins), .realize = port92_realize, .update = port92_update);
