/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port through which a test in the guest ends the emulator: writing v gives exit status (v << 1) | 1.
 * The board maps region 0 at the property `iobase`.
 * Spec: QEMU's interface of -device isa-debug-exit, as kvm-unit-tests and Linux test harnesses use it.
 */
#include "hw/core/device.h"

typedef struct DebugExit {
    Device dev;
    uint16_t iobase, iosize;
    struct {
    } s;
} DebugExit;

static const Prop debug_exit_props[] = {
    PROP_UINT_(DebugExit, "iobase", iobase, 0x501, 0xffff, "first port"),
    {.name = "iosize", .kind = PROP_UINT, .size = 2, .offset = offsetof(DebugExit, iosize), .def = 2, .min = 1,
     .max = 0x100, .help = "number of ports"},
};

static uint64_t exit_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void exit_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Device *dev = opaque;
    uint32_t code = ((uint32_t)value << 1) | 1;
    dev->env->request(dev->env->opaque, REQUEST_EXIT, (int)(code & INT32_MAX));
}

static const RegionOps debug_exit_ops = {.read = exit_read, .write = exit_write, .unaligned = true};

static bool debug_exit_realize(Device *dev, GError **error)
{
    const DebugExit *d = container_of(dev, DebugExit, dev);
    if (d->iobase + d->iosize > 0x10000) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "iobase=0x%x with iosize=%u goes beyond port 0xffff",
                    d->iobase, d->iosize);
        return false;
    }
    device_region_init_io(dev, "isa-debug-exit", d->iosize, &debug_exit_ops);
    return true;
}

DEVICE_TYPE(debug_exit, DebugExit, .name = "isa-debug-exit", .desc = "port that ends the emulator with a status",
            .bus = BUS_ISA, PROPS(debug_exit_props), .realize = debug_exit_realize);
