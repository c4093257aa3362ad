/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI core, i440FX bridge, PIIX3, pci-testdev. PCI 3.0 chapter 6; 82441FX and 82371SB datasheets. */
#include "hw/pci/pci.h"

#include "hw/pci/i440fx.h"
#include "hw/pci/pci_testdev.h"
#include "hw/pci/piix3.h"
#include "tests/device/harness.h"

/* A bus that records its windows. */
typedef struct Window {
    bool io;
    uint64_t addr;
    const Region *region;
} Window;

typedef struct Rig {
    TestEnv *t;
    PciBus *bus;
    GPtrArray *windows; /* Window * */
    Device *bridge, *isa;
    bool pam_read[I440FX_PAM_PIECES], pam_write[I440FX_PAM_PIECES];
    unsigned pam_calls;
} Rig;

static void *rig_map(void *opaque, bool io, uint64_t addr, const Region *region)
{
    Rig *rig = opaque;
    Window *w = g_new0(Window, 1);

    *w = (Window){io, addr, region};
    g_ptr_array_add(rig->windows, w);
    return w;
}

static void rig_unmap(void *opaque, bool io, void *mapping)
{
    Rig *rig = opaque;

    g_assert_cmpint(((Window *)mapping)->io, ==, io);
    g_assert_true(g_ptr_array_remove(rig->windows, mapping));
}

static void rig_pam(void *opaque, unsigned piece, bool read_dram, bool write_dram)
{
    Rig *rig = opaque;

    g_assert_cmpuint(piece, <, I440FX_PAM_PIECES);
    rig->pam_read[piece] = read_dram;
    rig->pam_write[piece] = write_dram;
    rig->pam_calls++;
}

static const PciBusOps rig_ops = {rig_map, rig_unmap};

static PciDevice *as_pci(Device *dev)
{
    return container_of(dev, PciDevice, dev);
}

static Rig *rig_new(void)
{
    Rig *rig = g_new0(Rig, 1);

    rig->t = test_env_new();
    rig->windows = g_ptr_array_new_with_free_func(g_free);
    rig->bus = pci_bus_new(&rig_ops, rig);
    rig->bridge = test_device(rig->t, "i440FX", NULL);
    rig->isa = test_device(rig->t, "PIIX3", NULL);
    g_assert_true(pci_bus_plug(rig->bus, as_pci(rig->bridge), PCI_DEVFN(0, 0), NULL));
    g_assert_true(pci_bus_plug(rig->bus, as_pci(rig->isa), PCI_DEVFN(1, 0), NULL));
    for (unsigned n = 0; n < PCI_NUM_PIRQS; n++) {
        pci_bus_connect(rig->bus, n, device_input(rig->isa, n));
    }
    i440fx_wire(i440fx(rig->bridge), rig->bus, device_region(rig->isa, PIIX3_RESET_CONTROL), rig_pam, rig);
    return rig;
}

static void rig_free(Rig *rig)
{
    test_env_free(rig->t);
    g_assert_cmpuint(rig->windows->len, ==, 0); /* every window was given back */
    g_ptr_array_free(rig->windows, true);
    pci_bus_unref(rig->bus);
    g_free(rig);
}

static uint32_t conf_read(Rig *rig, unsigned slot, unsigned function, unsigned offset, unsigned size)
{
    uint32_t address = 0x80000000u | slot << 11 | function << 8 | (offset & 0xfc);

    test_write(rig->bridge, I440FX_PORTS, 0, address, 4);
    return (uint32_t)test_read(rig->bridge, I440FX_PORTS, 4 + (offset & 3), size);
}

static void conf_write(Rig *rig, unsigned slot, unsigned function, unsigned offset, uint32_t value, unsigned size)
{
    uint32_t address = 0x80000000u | slot << 11 | function << 8 | (offset & 0xfc);

    test_write(rig->bridge, I440FX_PORTS, 0, address, 4);
    test_write(rig->bridge, I440FX_PORTS, 4 + (offset & 3), value, size);
}

/* 3.2.2.3.2: enable bit, alignment, absent functions, narrow accesses. */
static void test_mechanism1(void)
{
    Rig *rig = rig_new();

    g_assert_cmphex(conf_read(rig, 0, 0, 0, 4), ==, 0x12378086);
    g_assert_cmphex(conf_read(rig, 0, 0, 2, 2), ==, 0x1237);
    g_assert_cmphex(conf_read(rig, 0, 0, 3, 1), ==, 0x12);
    g_assert_cmphex(conf_read(rig, 0, 0, 0x0a, 2), ==, 0x0600);
    g_assert_cmphex(conf_read(rig, 1, 0, 0, 4), ==, 0x70008086);
    g_assert_cmphex(conf_read(rig, 1, 0, 0x0e, 1), ==, 0x80);
    g_assert_cmphex(conf_read(rig, 1, 1, 0, 4), ==, 0xffffffff);
    g_assert_cmphex(conf_read(rig, 31, 7, 0, 4), ==, 0xffffffff);
    /* without the enable bit, and on another bus */
    test_write(rig->bridge, I440FX_PORTS, 0, 0, 4);
    g_assert_cmphex(test_read(rig->bridge, I440FX_PORTS, 4, 4), ==, 0xffffffff);
    test_write(rig->bridge, I440FX_PORTS, 0, 0x80010000, 4);
    g_assert_cmphex(test_read(rig->bridge, I440FX_PORTS, 4, 4), ==, 0xffffffff);
    /* CONFADD is written by dwords only; bits 1-0 and 30-24 are zero */
    test_write(rig->bridge, I440FX_PORTS, 0, 0xffffffff, 4);
    g_assert_cmphex(test_read(rig->bridge, I440FX_PORTS, 0, 4), ==, 0x80fffffc);
    test_write(rig->bridge, I440FX_PORTS, 3, 0x01, 1);
    g_assert_cmphex(test_read(rig->bridge, I440FX_PORTS, 0, 4), ==, 0x80fffffc);
    rig_free(rig);
}

/* Port 0xcf9 inside CONFADD's dword: a rising bit 2 resets (82371SB 2.5.5.3). */
static void test_reset_control(void)
{
    Rig *rig = rig_new();

    test_write(rig->bridge, I440FX_PORTS, 1, 0x02, 1);
    g_assert_cmpuint(rig->t->num_requests, ==, 0);
    g_assert_cmphex(test_read(rig->bridge, I440FX_PORTS, 1, 1), ==, 0x02);
    test_write(rig->bridge, I440FX_PORTS, 1, 0x06, 1);
    g_assert_cmpuint(rig->t->num_requests, ==, 1);
    g_assert_cmpint(rig->t->requests[0].request, ==, REQUEST_RESET);
    test_write(rig->bridge, I440FX_PORTS, 1, 0x06, 1); /* no edge */
    g_assert_cmpuint(rig->t->num_requests, ==, 1);
    test_write(rig->bridge, I440FX_PORTS, 0, 0x80000600, 4); /* a dword is CONFADD's */
    g_assert_cmpuint(rig->t->num_requests, ==, 1);
    rig_free(rig);
}

/* Table of 3.2.17: PAM0's high nibble is the BIOS area, each other register two 16 KiB pieces. */
static void test_pam(void)
{
    Rig *rig = rig_new();

    for (unsigned n = 0; n < I440FX_PAM_PIECES; n++) {
        g_assert_false(rig->pam_read[n] || rig->pam_write[n]);
    }
    conf_write(rig, 0, 0, 0x59, 0xff, 1);
    g_assert_cmphex(conf_read(rig, 0, 0, 0x59, 1), ==, 0x30);
    g_assert_true(rig->pam_read[12] && rig->pam_write[12]);
    conf_write(rig, 0, 0, 0x5a, 0x21, 1); /* C0000: read only, C4000: write only */
    g_assert_true(rig->pam_read[0] && !rig->pam_write[0]);
    g_assert_true(!rig->pam_read[1] && rig->pam_write[1]);
    conf_write(rig, 0, 0, 0x5f, 0x30, 1); /* EC000 */
    g_assert_true(rig->pam_read[11] && rig->pam_write[11] && !rig->pam_read[10]);
    rig->pam_calls = 0;
    conf_write(rig, 0, 0, 0x5f, 0x30, 1);
    g_assert_cmpuint(rig->pam_calls, ==, 0); /* nothing changed */
    device_reset(rig->bridge);
    g_assert_false(rig->pam_read[12] || rig->pam_write[11]);
    g_assert_cmphex(i440fx_pam_start(12), ==, 0xf0000);
    g_assert_cmphex(i440fx_pam_start(11), ==, 0xec000);
    rig_free(rig);
}

/* 6.2.5.1: sizing; 6.2.2: nothing is decoded before the command register says so. */
static void test_bars(void)
{
    Rig *rig = rig_new();
    Device *dev = test_device(rig->t, "pci-testdev", "addr", "4", NULL);
    Window *w;

    g_assert_true(pci_bus_plug(rig->bus, as_pci(dev), -1, NULL));
    g_assert_cmphex(conf_read(rig, 4, 0, 0, 4), ==, 0x00051b36);
    conf_write(rig, 4, 0, 0x10, 0xffffffff, 4);
    g_assert_cmphex(conf_read(rig, 4, 0, 0x10, 4), ==, 0xfffff000);
    conf_write(rig, 4, 0, 0x14, 0xffffffff, 4);
    g_assert_cmphex(conf_read(rig, 4, 0, 0x14, 4), ==, 0xffffff01);
    conf_write(rig, 4, 0, 0x18, 0xffffffff, 4);
    g_assert_cmphex(conf_read(rig, 4, 0, 0x18, 4), ==, 0);
    conf_write(rig, 4, 0, 0x10, 0xfeb00000, 4);
    conf_write(rig, 4, 0, 0x14, 0xc000, 4);
    g_assert_cmpuint(rig->windows->len, ==, 0);
    conf_write(rig, 4, 0, 0x04, 1, 2);
    g_assert_cmpuint(rig->windows->len, ==, 1);
    w = g_ptr_array_index(rig->windows, 0);
    g_assert_true(w->io && w->addr == 0xc000 && w->region->size == 256);
    conf_write(rig, 4, 0, 0x04, 2, 2);
    g_assert_cmpuint(rig->windows->len, ==, 1);
    w = g_ptr_array_index(rig->windows, 0);
    g_assert_true(!w->io && w->addr == 0xfeb00000 && w->region->size == 4096);
    conf_write(rig, 4, 0, 0x10, 0xfec01000, 4); /* moves */
    w = g_ptr_array_index(rig->windows, 0);
    g_assert_cmphex(w->addr, ==, 0xfec01000);
    conf_write(rig, 4, 0, 0x10, 0xffffffff, 4); /* sizing while enabled: not at the top of the space */
    g_assert_cmpuint(rig->windows->len, ==, 0);
    conf_write(rig, 4, 0, 0x10, 0, 4);
    g_assert_cmpuint(rig->windows->len, ==, 0);
    conf_write(rig, 4, 0, 0x10, 0x1000, 4);
    g_assert_cmpuint(rig->windows->len, ==, 1);
    device_reset(dev);
    g_assert_cmpuint(rig->windows->len, ==, 0);
    rig_free(rig);
}

static void test_bar64(void)
{
    Rig *rig = rig_new();
    Device *dev = test_device(rig->t, "pci-testdev", "membar", "8g", NULL);
    Window *w;

    g_assert_true(pci_bus_plug(rig->bus, as_pci(dev), -1, NULL));
    g_assert_cmpuint(as_pci(dev)->devfn, ==, PCI_DEVFN(2, 0)); /* the first free slot */
    conf_write(rig, 2, 0, 0x18, 0xffffffff, 4);
    conf_write(rig, 2, 0, 0x1c, 0xffffffff, 4);
    g_assert_cmphex(conf_read(rig, 2, 0, 0x18, 4), ==, 0x0000000c);
    g_assert_cmphex(conf_read(rig, 2, 0, 0x1c, 4), ==, 0xfffffffe);
    conf_write(rig, 2, 0, 0x04, 2, 2);
    g_assert_cmpuint(rig->windows->len, ==, 0); /* beyond 52 bits */
    conf_write(rig, 2, 0, 0x1c, 0x100, 4);
    g_assert_cmpuint(rig->windows->len, ==, 1);
    w = g_ptr_array_index(rig->windows, 0);
    g_assert_cmphex(w->addr, ==, 0x10000000000ull);
    rig_free(rig);
}

static void test_addresses(void)
{
    static const char *const bad[] = {"20", "x", "4.8", "4.", "", "1f.3.1"};
    Rig *rig = rig_new();

    for (size_t n = 0; n < ARRAY_LEN(bad); n++) {
        g_autoptr(GError) error = NULL;
        Device *dev = test_device(rig->t, "pci-testdev", "addr", bad[n], NULL);
        g_assert_false(pci_bus_plug(rig->bus, as_pci(dev), -1, &error));
        g_assert_nonnull(strstr(error->message, "not a PCI address"));
    }
    g_autoptr(GError) error = NULL;
    Device *dev = test_device(rig->t, "pci-testdev", "addr", "1", NULL);
    g_assert_false(pci_bus_plug(rig->bus, as_pci(dev), -1, &error));
    g_assert_nonnull(strstr(error->message, "taken by PIIX3"));
    dev = test_device(rig->t, "pci-testdev", "addr", "1f.3", NULL);
    g_assert_true(pci_bus_plug(rig->bus, as_pci(dev), -1, NULL));
    g_assert_true(pci_bus_find(rig->bus, 0xfb) == as_pci(dev));
    for (unsigned n = 0; n < 29; n++) {
        g_assert_true(pci_bus_plug(rig->bus, as_pci(test_device(rig->t, "pci-testdev", NULL)), -1, NULL));
    }
    g_clear_error(&error);
    g_assert_false(pci_bus_plug(rig->bus, as_pci(test_device(rig->t, "pci-testdev", NULL)), -1, &error));
    g_assert_nonnull(strstr(error->message, "no free PCI slot"));
    rig_free(rig);
}

/* The protocol that test suites follow: choose, read the header, write, count. */
static void test_testdev(void)
{
    TestEnv *t = test_env_new();
    Device *dev = test_device(t, "pci-testdev", NULL);

    for (unsigned window = 0; window < 2; window++) {
        unsigned test = 0;
        for (;; test++) {
            test_write(dev, window, PCI_TESTDEV_TEST, test, 1);
            if (test_read(dev, window, PCI_TESTDEV_WIDTH, 1) != 1) {
                break;
            }
            uint32_t offset = (uint32_t)test_read(dev, window, PCI_TESTDEV_OFFSET, 4);
            uint32_t data = (uint32_t)test_read(dev, window, PCI_TESTDEV_DATA, 4);
            g_assert_cmpuint(offset, <, device_region(dev, window)->size);
            g_assert_cmpuint(test_read(dev, window, PCI_TESTDEV_COUNT, 4), ==, 0);
            g_assert_cmpuint(test_read(dev, window, PCI_TESTDEV_NAME, 1), ==, window ? 'p' : 'm');
            for (unsigned n = 0; n < 16; n++) {
                test_write(dev, window, offset, data, 1);
            }
            g_assert_cmpuint(test_read(dev, window, PCI_TESTDEV_COUNT, 4), ==, 16);
            test_write(dev, window, offset, data ^ 1, 1);
            g_assert_cmpuint(test_read(dev, window, PCI_TESTDEV_COUNT, 4), ==, test == 2 ? 16 : 17);
        }
        g_assert_cmpuint(test, ==, 3);
    }
    test_env_free(t);
}

/* PIIX3 2.2.10: routes, the off bit, reserved interrupts; two requests on one interrupt. */
static void test_routing(void)
{
    Rig *rig = rig_new();
    TestPin irq10, irq11, irq8;

    test_pin(rig->isa, "isa", 10, &irq10);
    test_pin(rig->isa, "isa", 11, &irq11);
    test_pin(rig->isa, "isa", 8, &irq8);
    g_assert_cmphex(conf_read(rig, 1, 0, 0x60, 4), ==, 0x80808080);
    test_input(rig->isa, 0, true);
    g_assert_false(irq10.level);
    conf_write(rig, 1, 0, 0x60, 0x0b0b0a0a, 4);
    g_assert_true(irq10.level && !irq11.level);
    test_input(rig->isa, 1, true);
    test_input(rig->isa, 0, false);
    g_assert_true(irq10.level); /* request B still holds it */
    test_input(rig->isa, 1, false);
    g_assert_false(irq10.level);
    test_input(rig->isa, 2, true);
    g_assert_true(irq11.level);
    conf_write(rig, 1, 0, 0x62, 0x8b, 1);
    g_assert_false(irq11.level);
    conf_write(rig, 1, 0, 0x62, 0x08, 1); /* interrupt 8 cannot be routed to */
    g_assert_false(irq8.level);
    rig_free(rig);
}

/* A chip of the test's own, for pins and messages. */
typedef struct Probe {
    PciDevice pci;
    bool want; /* an interrupt; set by the test */
    struct {
        PCI_CONFIG_STATE;
    } s;
} Probe;

static Probe *probe(Device *dev)
{
    return container_of(dev, Probe, pci.dev);
}

static bool probe_realize(Device *dev, GError **error)
{
    static const PciIds ids = {.vendor = 0x1234, .device = 0x5678, .class_code = 0x00ff};

    pci_device_init(&probe(dev)->pci, probe(dev)->s.config, &ids);
    pci_set_interrupt_pin(&probe(dev)->pci, 1);
    pci_msi_init(&probe(dev)->pci, 4, true);
    return true;
}

static void probe_unrealize(Device *dev)
{
    pci_device_fini(&probe(dev)->pci);
}

static void probe_reset(Device *dev)
{
    pci_device_reset(&probe(dev)->pci);
}

static void probe_update(Device *dev)
{
    pci_device_update(&probe(dev)->pci);
    pci_msi_update(&probe(dev)->pci);
    pci_set_intx(&probe(dev)->pci, probe(dev)->want);
}

static const Field probe_state[] = {PCI_CONFIG_FIELD(Probe)};
extern const DeviceType probe_type;
DEVICE_TYPE(probe, Probe, .name = "test-probe", .desc = "test", .bus = BUS_PCI, FIELDS(probe_state),
            .realize = probe_realize, .unrealize = probe_unrealize, .reset = probe_reset, .update = probe_update);

static Probe *plug_probe(Rig *rig, unsigned slot)
{
    Device *dev = test_device(rig->t, "test-probe", NULL);

    g_assert_true(pci_bus_plug(rig->bus, as_pci(dev), (int)PCI_DEVFN(slot, 0), NULL));
    return probe(dev);
}

/* Pin A of slot s drives request (s - 1) mod 4; pins on one request are ORed; a command register can cut one off. */
static void test_intx(void)
{
    Rig *rig = rig_new();
    TestPin irq5, irq10;
    Probe *a = plug_probe(rig, 3), *b = plug_probe(rig, 7), *c = plug_probe(rig, 4);

    test_pin(rig->isa, "isa", 5, &irq5);
    test_pin(rig->isa, "isa", 10, &irq10);
    conf_write(rig, 1, 0, 0x60, 0x0a058080, 4); /* C to 5, D to 10 */
    a->want = true;
    device_update(&a->pci.dev);
    g_assert_true(irq5.level && !irq10.level);
    g_assert_cmphex(conf_read(rig, 3, 0, 6, 2) & 8, ==, 8);
    b->want = true;
    device_update(&b->pci.dev);
    a->want = false;
    device_update(&a->pci.dev);
    g_assert_true(irq5.level);
    g_assert_cmpuint(irq5.rises, ==, 1);
    conf_write(rig, 7, 0, 4, 0x400, 2);
    g_assert_false(irq5.level);
    g_assert_cmphex(conf_read(rig, 7, 0, 6, 2) & 8, ==, 8); /* still asking */
    c->want = true;
    device_update(&c->pci.dev);
    g_assert_true(irq10.level);
    rig_free(rig);
}

/* 6.8.1: address, data, number of messages given, masks and pending bits. */
static void test_msi(void)
{
    Rig *rig = rig_new();
    Probe *p = plug_probe(rig, 5);
    unsigned cap = conf_read(rig, 5, 0, 0x34, 1);

    g_assert_cmphex(cap, ==, 0x40);
    g_assert_cmphex(conf_read(rig, 5, 0, cap, 1), ==, 5);
    g_assert_cmphex(conf_read(rig, 5, 0, cap + 2, 2), ==, 0x0184); /* masks, 64 bits, 4 messages */
    g_assert_cmphex(conf_read(rig, 5, 0, 6, 2) & 0x10, ==, 0x10);
    conf_write(rig, 5, 0, cap + 4, 0xfee01003, 4);
    g_assert_cmphex(conf_read(rig, 5, 0, cap + 4, 4), ==, 0xfee01000);
    conf_write(rig, 5, 0, cap + 12, 0x4143, 2);
    pci_msi_notify(&p->pci, 0);
    g_assert_cmpuint(rig->t->num_msis, ==, 0); /* disabled */
    conf_write(rig, 5, 0, cap + 2, 0x0011, 2); /* enabled, two messages */
    pci_msi_notify(&p->pci, 0);
    g_assert_cmpuint(rig->t->num_msis, ==, 0); /* no bus master */
    conf_write(rig, 5, 0, 4, 4, 2);
    pci_msi_notify(&p->pci, 3);
    g_assert_cmpuint(rig->t->num_msis, ==, 1);
    g_assert_cmphex(rig->t->msis[0].addr, ==, 0xfee01000);
    g_assert_cmphex(rig->t->msis[0].data, ==, 0x4143);
    pci_msi_notify(&p->pci, 2);
    g_assert_cmphex(rig->t->msis[1].data, ==, 0x4142);
    conf_write(rig, 5, 0, cap + 16, 0xffffffff, 4);
    g_assert_cmphex(conf_read(rig, 5, 0, cap + 16, 4), ==, 0xf);
    pci_msi_notify(&p->pci, 1);
    g_assert_cmpuint(rig->t->num_msis, ==, 2);
    g_assert_cmphex(conf_read(rig, 5, 0, cap + 20, 4), ==, 2);
    conf_write(rig, 5, 0, cap + 16, 0, 4);
    g_assert_cmpuint(rig->t->num_msis, ==, 3);
    g_assert_cmphex(rig->t->msis[2].data, ==, 0x4143);
    g_assert_cmphex(conf_read(rig, 5, 0, cap + 20, 4), ==, 0);
    rig_free(rig);
}

static void test_dma_needs_master(void)
{
    Rig *rig = rig_new();
    Probe *p = plug_probe(rig, 5);
    uint32_t value = 0x11223344;

    g_assert_false(pci_dma_write(&p->pci, 0x1000, &value, 4));
    conf_write(rig, 5, 0, 4, 4, 2);
    g_assert_true(pci_dma_write(&p->pci, 0x1000, &value, 4));
    value = 0;
    g_assert_true(pci_dma_read(&p->pci, 0x1000, &value, 4));
    g_assert_cmphex(value, ==, 0x11223344);
    rig_free(rig);
}

/* 6.2.3: error bits are cleared by writing one; read-only bytes stay. */
static void test_read_only(void)
{
    Rig *rig = rig_new();

    for (unsigned offset = 0; offset < 256; offset += 4) {
        conf_write(rig, 1, 0, offset, 0xffffffff, 4);
    }
    g_assert_cmphex(conf_read(rig, 1, 0, 0, 4), ==, 0x70008086);
    g_assert_cmphex(conf_read(rig, 1, 0, 4, 4), ==, 0x02000007);
    g_assert_cmphex(conf_read(rig, 1, 0, 0x0c, 4) >> 16, ==, 0x80);
    g_assert_cmphex(conf_read(rig, 1, 0, 0x60, 4), ==, 0x8f8f8f8f);
    rig_free(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/mechanism1", test_mechanism1);
    g_test_add_func("/pci/reset-control", test_reset_control);
    g_test_add_func("/pci/pam", test_pam);
    g_test_add_func("/pci/bars", test_bars);
    g_test_add_func("/pci/bar64", test_bar64);
    g_test_add_func("/pci/addresses", test_addresses);
    g_test_add_func("/pci/testdev", test_testdev);
    g_test_add_func("/pci/routing", test_routing);
    g_test_add_func("/pci/intx", test_intx);
    g_test_add_func("/pci/msi", test_msi);
    g_test_add_func("/pci/dma-needs-master", test_dma_needs_master);
    g_test_add_func("/pci/read-only", test_read_only);
    return g_test_run();
}
