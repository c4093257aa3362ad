/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A console of one port: what is written appears, reading tells that the port is there.
 * The board maps region 0 at the property `iobase`.
 * Spec: QEMU's interface of -device isa-debugcon; Bochs' port 0xe9; SeaBIOS and OVMF write to port 0x402.
 */
#include "chardev/chardev.h"
#include "hw/core/device.h"

typedef struct Debugcon {
    Device dev;
    Chardev *chr;
    uint16_t iobase;
    uint8_t readback;
    struct {
    } s;
} Debugcon;

static Debugcon *debugcon(Device *dev)
{
    return container_of(dev, Debugcon, dev);
}

static const Prop debugcon_props[] = {
    PROP_UINT_(Debugcon, "iobase", iobase, 0xe9, 0xffff, "port"),
    PROP_UINT_(Debugcon, "readback", readback, 0xe9, 0xff, "what reading the port gives"),
    PROP_CHR_(Debugcon, "chardev", chr, "id of the character device that shows what is written"),
};

static uint64_t port_read(Device *dev)
{
    return debugcon(dev)->readback;
}

/* A peer that does not read loses bytes, as a real port that nobody listens to. */
static void port_write(Device *dev, uint64_t value)
{
    uint8_t byte = (uint8_t)value;
    chardev_write(debugcon(dev)->chr, &byte, 1);
}

static const Reg debugcon_regs[] = {
    {.offset = 0, .name = "DEBUGCON", .bank = REG_ANY_BANK, HANDLED(port_read, port_write)},
};

static size_t no_input(void *opaque)
{
    return 0;
}

static void drop_input(void *opaque, const uint8_t *buf, size_t len)
{
}

static bool debugcon_realize(Device *dev, GError **error)
{
    Debugcon *d = debugcon(dev);
    CharClient client = {.can_receive = no_input, .receive = drop_input, .opaque = dev};
    if (!d->chr) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "it needs a character device: add chardev=ID, and -chardev stdio,id=ID or another");
        return false;
    }
    if (!chardev_attach(d->chr, &client, error)) {
        return false;
    }
    device_region_init_regs(dev, "isa-debugcon", 1, true);
    return true;
}

static void debugcon_unrealize(Device *dev)
{
    chardev_detach(debugcon(dev)->chr, dev);
}

DEVICE_TYPE(debugcon, Debugcon, .name = "isa-debugcon", .desc = "debug console on one port", .bus = BUS_ISA,
            REGS(debugcon_regs), PROPS(debugcon_props), .realize = debugcon_realize,
            .unrealize = debugcon_unrealize);
