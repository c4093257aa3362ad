/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "pci-testdev": a function whose windows count writes, for test suites of PCI code.
 * Spec: the published description of the device 1b36:0005, "PCI test device".
 */
#include "hw/pci/pci_testdev.h"

#include <string.h>

enum { TESTDEV_MMIO, TESTDEV_PIO, NUM_WINDOWS };
#define MMIO_SIZE 4096u
#define PIO_SIZE 256u
#define NO_TEST 0xff
#define NUM_TESTS 3u

/*
 * The tests differ in how a hypervisor could count the write (in the device, by a hook on the address, by a hook on
 * address and data); every guest sees the same three, counted here in one way.
 */
static const struct {
    const char *name[NUM_WINDOWS];
    bool any_data; /* any value counts, not only `data` */
    uint8_t data;
} tests[NUM_TESTS] = {
    {{"mmio-no-eventfd", "portio-no-eventfd"}, true, 0xfa},
    {{"mmio-wildcard-eventfd", "portio-wildcard-eventfd"}, true, 0xfa},
    {{"mmio-datamatch-eventfd", "portio-datamatch-eventfd"}, false, 0xfa},
};

typedef struct PciTestdev {
    PciDevice pci;
    uint64_t membar; /* property: bytes of BAR 2, 0: none */
    struct {
        PCI_CONFIG_STATE;
        uint32_t count[NUM_WINDOWS];
        uint16_t test[NUM_WINDOWS];
    } s;
} PciTestdev;

static PciTestdev *testdev(Device *dev)
{
    return container_of(dev, PciTestdev, pci.dev);
}

static uint32_t test_offset(unsigned window, unsigned test)
{
    return (window == TESTDEV_MMIO ? MMIO_SIZE : PIO_SIZE) / 2 + test;
}

static uint64_t window_read(PciTestdev *td, unsigned window, uint64_t offset)
{
    unsigned test = td->s.test[window];
    uint8_t header[PCI_TESTDEV_HEADER] = {0};

    if (offset >= sizeof(header) || test >= NUM_TESTS) {
        return 0;
    }
    header[PCI_TESTDEV_TEST] = (uint8_t)test;
    header[PCI_TESTDEV_WIDTH] = 1;
    pci_put32(header, PCI_TESTDEV_OFFSET, test_offset(window, test));
    pci_put32(header, PCI_TESTDEV_DATA, tests[test].data);
    pci_put32(header, PCI_TESTDEV_COUNT, td->s.count[window]);
    g_strlcpy((char *)header + PCI_TESTDEV_NAME, tests[test].name[window], sizeof(header) - PCI_TESTDEV_NAME);
    return header[offset];
}

static void window_write(PciTestdev *td, unsigned window, uint64_t offset, uint8_t value)
{
    unsigned test = td->s.test[window];

    if (offset == PCI_TESTDEV_TEST) {
        td->s.test[window] = value < NUM_TESTS ? value : NO_TEST;
        td->s.count[window] = 0;
    } else if (test < NUM_TESTS && offset == test_offset(window, test) &&
               (tests[test].any_data || value == tests[test].data)) {
        td->s.count[window]++;
    }
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    return window_read(opaque, TESTDEV_MMIO, offset);
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    window_write(opaque, TESTDEV_MMIO, offset, (uint8_t)value);
}

static uint64_t pio_read(void *opaque, uint64_t offset, unsigned size)
{
    return window_read(opaque, TESTDEV_PIO, offset);
}

static void pio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    window_write(opaque, TESTDEV_PIO, offset, (uint8_t)value);
}

static uint64_t empty_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void empty_write(void *opaque, uint64_t offset, uint64_t value, unsigned size) {}

static const RegionOps mmio_ops = {.read = mmio_read, .write = mmio_write, .max_size = 1};
static const RegionOps pio_ops = {.read = pio_read, .write = pio_write, .max_size = 1};
static const RegionOps empty_ops = {.read = empty_read, .write = empty_write, .max_size = 8};

static bool testdev_realize(Device *dev, GError **error)
{
    static const PciIds ids = {
        .vendor = 0x1b36, .device = 0x0005, .class_code = 0x00ff, .sub_vendor = 0x1af4, .sub_device = 0x1100};
    PciTestdev *td = testdev(dev);

    if (td->membar & (td->membar - 1) || (td->membar && td->membar < 16)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "membar=%" G_GUINT64_FORMAT ": must be 0 or a power of two of at least 16", td->membar);
        return false;
    }
    pci_device_init(&td->pci, td->s.config, &ids);
    pci_add_bar(&td->pci, 0, device_region_init_io(dev, "pci-testdev-mmio", MMIO_SIZE, &mmio_ops), 0);
    pci_add_bar(&td->pci, 1, device_region_init_io(dev, "pci-testdev-portio", PIO_SIZE, &pio_ops), PCI_BAR_IO);
    if (td->membar) {
        pci_add_bar(&td->pci, 2, device_region_init_io(dev, "pci-testdev-membar", td->membar, &empty_ops),
                    PCI_BAR_64 | PCI_BAR_PREFETCH);
    }
    return true;
}

static void testdev_unrealize(Device *dev)
{
    pci_device_fini(&testdev(dev)->pci);
}

static void testdev_reset(Device *dev)
{
    pci_device_reset(&testdev(dev)->pci);
}

static void testdev_update(Device *dev)
{
    pci_device_update(&testdev(dev)->pci);
}

static bool testdev_validate(const Device *dev, GError **error)
{
    return pci_device_validate((const PciDevice *)dev, error);
}

static const Field testdev_state[] = {
    PCI_CONFIG_FIELD(PciTestdev),
    FIELD_ARRAY(PciTestdev, count, 0),
    FIELD_ARRAY(PciTestdev, test, NO_TEST),
};

static const Prop testdev_props[] = {
    PCI_PROPS(PciTestdev),
    PROP_UINT_(PciTestdev, "membar", membar, 0, BIT64(40), "bytes of an empty 64-bit memory window (0: none)"),
};

DEVICE_TYPE(pci_testdev, PciTestdev, .name = "pci-testdev", .desc = "PCI test device: windows that count writes",
            .bus = BUS_PCI, FIELDS(testdev_state), PROPS(testdev_props), .realize = testdev_realize,
            .unrealize = testdev_unrealize, .reset = testdev_reset, .update = testdev_update,
            .validate = testdev_validate);
