/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -device NAME,prop=value,...: devices that the user adds to the pc board. */
#include "hw/i386/pc.h"

#include <string.h>

#include "hw/char/uart16550.h"
#include "hw/misc/pc_testdev.h"
#include "util/opts.h"
#include "util/suggest.h"

#define TESTDEV_PRIORITY (-1)

/* ---- ISA ---- */

/* A numeric property of a realized device. */
static bool uint_prop(const Device *dev, const char *name, uint64_t *value)
{
    for (unsigned n = 0; n < dev->type->num_props; n++) {
        const Prop *prop = &dev->type->props[n];
        if (prop->kind == PROP_UINT && strcmp(prop->name, name) == 0) {
            *value = 0;
            memcpy(value, (const char *)dev + prop->offset, prop->size); /* little endian, as every host of ours */
            return true;
        }
    }
    return false;
}

static bool has_pin(const Device *dev, const char *name)
{
    for (unsigned n = 0; n < dev->type->num_pins; n++) {
        if (strcmp(dev->type->pins[n].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool map_isa(PcBoard *pc, Device *dev, uint64_t iobase, GError **error)
{
    const Region *region = device_region(dev, 0);
    FlatRange taken;

    if (iobase >= 0x10000 || region->size > 0x10000 - iobase) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE,
                    "%s: iobase=0x%" G_GINT64_MODIFIER "x: there are only 64 KiB of ports", dev->type->name, iobase);
        return false;
    }
    for (uint64_t port = iobase; port < iobase + region->size; port++) {
        if (space_lookup(pc->machine->io, port, &taken)) {
            g_set_error(error, OPTS_ERROR, OPTS_USAGE,
                        "%s: port 0x%" G_GINT64_MODIFIER "x is taken by %s; choose another iobase", dev->type->name,
                        port, taken.region->name);
            return false;
        }
    }
    space_map_whole(pc->machine->io, iobase, region);
    return true;
}

/* The test device of kvm-unit-tests is at fixed places; its ports may overlap the debug console's, which wins. */
static void attach_testdev(PcBoard *pc, Device *dev)
{
    AddressSpace *io = pc->machine->io;

    space_map(io, PC_TESTDEV_PORT, device_region(dev, 0), 0, device_region(dev, 0)->size, TESTDEV_PRIORITY);
    space_map(io, PC_TESTDEV_IRQ_PORT, device_region(dev, 1), 0, PC_TESTDEV_NUM_IRQS, TESTDEV_PRIORITY);
    space_map_whole(pc->machine->memory, PC_TESTDEV_MEMORY, device_region(dev, 2));
    for (unsigned n = 0; n < PC_TESTDEV_NUM_IRQS; n++) {
        device_connect(dev, "irq", n, pc_irq_source(pc, n));
    }
}

bool pc_isa_attach(PcBoard *pc, Device *dev, GError **error)
{
    uint64_t iobase;
    uint64_t irq;

    if (!machine_own_device(pc->machine, dev, error)) {
        return false;
    }
    if (strcmp(dev->type->name, "pc-testdev") == 0) {
        attach_testdev(pc, dev);
        return true;
    }
    if (strcmp(dev->type->name, "isa-serial") == 0) {
        iobase = uart16550_iobase(dev);
        irq = uart16550_irq(dev);
    } else {
        if (!uint_prop(dev, "iobase", &iobase)) {
            return true;
        }
        if (!uint_prop(dev, "irq", &irq)) {
            irq = 0;
        }
    }
    if (irq > 15) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "%s: irq=%" G_GUINT64_FORMAT ": ISA interrupts are 0 to 15",
                    dev->type->name, irq);
        return false;
    }
    if (!map_isa(pc, dev, iobase, error)) {
        return false;
    }
    if (has_pin(dev, "irq")) {
        device_connect(dev, "irq", 0, pc_irq_source(pc, (unsigned)irq));
    }
    return true;
}

/* ---- from text ---- */

static const DeviceType *find_type(Opts *opts, GError **error)
{
    const Opt *driver = opts_find(opts, "driver");
    const DeviceType *type = driver ? device_type_find(driver->value) : NULL;
    Suggest near = suggest_begin(driver ? driver->value : "");
    g_autofree char *hint = NULL;
    size_t count;
    const DeviceType *const *types = device_types(&count);

    if (!driver) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE,
                    "-device %s: the name of a device is missing (-device help lists them)", opts->text);
        return NULL;
    }
    if (type && type->bus == BUS_NONE) {
        opts_fail(opts, driver, error, "'%s' is part of the board and cannot be added", driver->value);
        return NULL;
    }
    if (type) {
        return type;
    }
    for (size_t n = 0; n < count; n++) {
        if (types[n]->bus != BUS_NONE) {
            suggest_offer(&near, types[n]->name);
        }
    }
    hint = suggest_text(near.best);
    opts_fail(opts, driver, error, "'%s' is not a device this program has%s (-device help lists them)", driver->value,
              hint);
    return NULL;
}

static bool set_chardev(PcBoard *pc, Opts *opts, const Opt *opt, Device *dev, GError **error)
{
    Chardev *chr = pc->config->find_chardev ? pc->config->find_chardev(pc->config->find_opaque, opt->value) : NULL;

    if (!chr) {
        opts_fail(opts, opt, error, "there is no -chardev with id=%s; add one, for example -chardev stdio,id=%s",
                  opt->value, opt->value);
        return false;
    }
    device_set_chardev(dev, opt->key, chr);
    return true;
}

static bool is_chardev_prop(const DeviceType *type, const char *name)
{
    for (unsigned n = 0; n < type->num_props; n++) {
        if (type->props[n].kind == PROP_CHARDEV && strcmp(type->props[n].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* bus= names the bus a device of this kind is on anyway. */
static bool check_bus(Opts *opts, const Opt *opt, const DeviceType *type, GError **error)
{
    const char *only = type->bus == BUS_PCI ? "pci.0" : "isa.0";

    if (strcmp(opt->value, only) == 0) {
        return true;
    }
    opts_fail(opts, opt, error, "there is no such bus for '%s'; leave it away or write bus=%s", type->name, only);
    return false;
}

static bool set_props(PcBoard *pc, Opts *opts, Device *dev, GError **error)
{
    for (unsigned n = 0; n < opts->items->len; n++) {
        const Opt *opt = &g_array_index(opts->items, Opt, n);
        g_autoptr(GError) why = NULL;

        if (strcmp(opt->key, "driver") == 0 || strcmp(opt->key, "id") == 0) {
            continue;
        }
        if (strcmp(opt->key, "bus") == 0) {
            if (!check_bus(opts, opt, dev->type, error)) {
                return false;
            }
        } else if (is_chardev_prop(dev->type, opt->key)) {
            if (!set_chardev(pc, opts, opt, dev, error)) {
                return false;
            }
        } else if (!device_set_prop(dev, opt->key, opt->value, &why)) {
            opts_fail(opts, opt, error, "%s", why->message);
            return false;
        }
    }
    return true;
}

/* Realize and connect. */
static bool attach(PcBoard *pc, Device *dev, GError **error)
{
    if (dev->type->bus == BUS_ISA) {
        return pc_isa_attach(pc, dev, error);
    }
    return machine_own_device(pc->machine, dev, error) &&
           pci_bus_plug(pc->pci, container_of(dev, PciDevice, dev), -1, error);
}

static bool add_one(PcBoard *pc, const char *text, GError **error)
{
    g_autoptr(Opts) opts = opts_parse("-device", text, "driver", error);
    const DeviceType *type = opts ? find_type(opts, error) : NULL;
    const char *id;
    g_autofree char *auto_id = NULL;
    Device *dev;

    if (!type) {
        return false;
    }
    auto_id = g_strdup_printf("device%u", pc->num_auto_ids++);
    id = opts_str(opts, "id", auto_id);
    if (machine_find_device(pc->machine, id)) {
        opts_fail(opts, opts_find(opts, "id"), error, "the id '%s' is taken; ids are unique", id);
        return false;
    }
    dev = device_new(type, id, &pc->machine->env);
    if (!set_props(pc, opts, dev, error)) {
        device_free(dev);
        return false;
    }
    if (!attach(pc, dev, error)) {
        g_prefix_error(error, "-device %s: ", text);
        return false;
    }
    return true;
}

bool pc_devices_init(PcBoard *pc, GError **error)
{
    for (unsigned n = 0; pc->config->devices && pc->config->devices[n]; n++) {
        if (!add_one(pc, pc->config->devices[n], error)) {
            return false;
        }
    }
    return true;
}
