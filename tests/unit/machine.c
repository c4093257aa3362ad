/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softmmu/core/machine: what it gives its devices, and what it does with them. */
#include "softmmu/core/machine.h"

#include <string.h>
#include <unistd.h>

typedef struct Probe {
    Device dev;
    uint16_t iobase;
    struct {
        uint8_t value;
    } s;
} Probe;

static int alive; /* realized probes */

static uint64_t probe_read(Device *dev)
{
    return container_of(dev, Probe, dev)->s.value;
}

/* Any value asks for something of the machine. */
static void probe_write(Device *dev, uint64_t value)
{
    container_of(dev, Probe, dev)->s.value = (uint8_t)value;
    dev->env->request(dev->env->opaque, (DeviceRequest)(value % 3), (int)value);
}

static const Field probe_fields[] = {FIELD(Probe, value, 0x5a)};
static const Reg probe_regs[] = {
    {.offset = 0, .name = "VALUE", .bank = REG_ANY_BANK, HANDLED(probe_read, probe_write)},
};
static const Prop probe_props[] = {PROP_UINT_(Probe, "iobase", iobase, 0x100, 0xffff, "port")};

static bool probe_realize(Device *dev, GError **error)
{
    if (container_of(dev, Probe, dev)->iobase == 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "port 0");
        return false;
    }
    device_region_init_regs(dev, "probe", 1, true);
    alive++;
    return true;
}

static void probe_unrealize(Device *dev)
{
    alive--;
}

DEVICE_TYPE(probe, Probe, .name = "probe", .desc = "for the test", FIELDS(probe_fields), REGS(probe_regs),
            PROPS(probe_props), .realize = probe_realize, .unrealize = probe_unrealize);

static Machine *make(void)
{
    GError *error = NULL;
    Machine *m = machine_new(1 * MIB, &error);
    g_assert_no_error(error);
    return m;
}

static void test_devices(void)
{
    Machine *m = make();
    GError *error = NULL;
    Device *a = machine_add_device(m, "probe", "a", &error, "iobase", "0x200", NULL);
    g_assert_no_error(error);
    Device *b = machine_add_device(m, "probe", "b", &error, NULL);
    g_assert_no_error(error);
    g_assert_true(machine_find_device(m, "b") == b);
    g_assert_null(machine_find_device(m, "c"));
    g_assert_cmphex(container_of(a, Probe, dev)->iobase, ==, 0x200);

    g_assert_null(machine_add_device(m, "prob", "x", &error, NULL));
    g_assert_nonnull(strstr(error->message, "did you mean 'probe'"));
    g_clear_error(&error);
    g_assert_null(machine_add_device(m, "probe", "x", &error, "iobase", "many", NULL));
    g_assert_nonnull(strstr(error->message, "iobase=many"));
    g_clear_error(&error);
    g_assert_null(machine_add_device(m, "probe", "x", &error, "iobase", "0", NULL));
    g_assert_cmpstr(error->message, ==, "probe: port 0");
    g_clear_error(&error);
    g_assert_cmpuint(m->devices->len, ==, 2);

    container_of(a, Probe, dev)->s.value = 1;
    machine_reset_devices(m);
    g_assert_cmphex(container_of(a, Probe, dev)->s.value, ==, 0x5a);
    g_assert_cmpint(alive, ==, 2);
    machine_free(m);
    g_assert_cmpint(alive, ==, 0);
}

static void test_requests(void)
{
    Machine *m = make();
    Device *dev = machine_add_device(m, "probe", "a", NULL, NULL);
    RunRequests rq;
    space_map_whole(m->io, 0x100, device_region(dev, 0));
    g_assert_cmphex(space_read(m->io, 0x100, 2), ==, 0xff5a);
    g_assert_false(run_take_requests(m->run, &rq));
    space_write(m->io, 0x100, REQUEST_RESET, 1);
    g_assert_true(run_take_requests(m->run, &rq));
    g_assert_true(rq.reset && rq.cause == CAUSE_GUEST_RESET);
    space_write(m->io, 0x100, 3 + REQUEST_SHUTDOWN, 1);
    g_assert_true(run_take_requests(m->run, &rq));
    g_assert_true(rq.exit && rq.cause == CAUSE_GUEST_SHUTDOWN && rq.code == 0);
    space_write(m->io, 0x100, 3 + REQUEST_EXIT, 1);
    g_assert_true(run_take_requests(m->run, &rq));
    g_assert_true(rq.exit && rq.cause == CAUSE_DEBUG_EXIT && rq.code == 3 + REQUEST_EXIT);
    machine_free(m);
}

static void test_dma(void)
{
    Machine *m = make();
    Region low = {.name = "ram", .kind = REGION_RAM, .size = m->ram->size, .host = m->ram->host};
    Device *dev = machine_add_device(m, "probe", "a", NULL, NULL);
    char buf[8] = "";
    space_map_whole(m->memory, 0, &low);
    uint64_t *changed = g_new0(uint64_t, m->ram->size >> PAGE_SHIFT);
    ram_add_reader(m->ram, changed);
    m->ram->pages[1].code = 1;
    g_assert_true(dev->env->dma_write(dev->env->opaque, 0x1000, "written", 8));
    g_assert_cmphex(changed[1], ==, 1); /* engines learn of it */
    ram_remove_reader(m->ram, changed);
    g_free(changed);
    g_assert_true(dev->env->dma_read(dev->env->opaque, 0x1000, buf, 8));
    g_assert_cmpstr(buf, ==, "written");
    g_assert_false(dev->env->dma_write(dev->env->opaque, 1 * MIB - 4, "written", 8));
    g_assert_cmphex(m->ram->host[1 * MIB - 4], ==, 0);
    dev->env->msi(dev->env->opaque, 0xfee00000, 0x30); /* without an interrupt controller: nothing */
    machine_free(m);
}

/* Writes that set eventfds instead of reaching the device. */
static void test_write_notifiers(void)
{
    Machine *m = make();
    Device *dev = machine_add_device(m, "probe", "a", NULL, NULL);
    Region *region = device_region(dev, 0);
    WriteNotifier list[] = {{.size = 1, .match = true, .value = 7, .fd = event_new(NULL)},
                            {.size = 2, .fd = event_new(NULL)}};
    space_map_whole(m->io, 0x100, region);
    m->env.set_notifiers(m, region, list, 2);
    space_write(m->io, 0x100, 7, 1);
    space_write(m->io, 0x100, 0xff07, 1); /* what is above the size does not count */
    g_assert_cmpuint(event_take(list[0].fd), ==, 2);
    g_assert_cmpuint(event_take(list[0].fd), ==, 0);
    g_assert_cmphex(container_of(dev, Probe, dev)->s.value, ==, 0x5a);
    space_write(m->io, 0x100, 6, 1);
    g_assert_cmphex(container_of(dev, Probe, dev)->s.value, ==, 6);
    space_write(m->io, 0x100, 7, 2); /* not wholly inside: two bytes, as ever */
    g_assert_cmpuint(event_take(list[0].fd), ==, 1);
    g_assert_cmpuint(event_take(list[1].fd), ==, 0);
    m->env.set_notifiers(m, region, list, 0);
    space_write(m->io, 0x100, 7, 1);
    g_assert_cmpuint(event_take(list[0].fd), ==, 0);
    g_assert_cmphex(container_of(dev, Probe, dev)->s.value, ==, 7);
    close(list[0].fd);
    close(list[1].fd);
    machine_free(m);
}

/* ---- interrupts' eventfds ---- */

static uint32_t sent;
static unsigned fired, engine_has;

static void note_msi(void *opaque, uint64_t addr, uint32_t data)
{
    sent += data;
}

static void note_fire(void *opaque)
{
    fired++;
}

static bool engine(void *opaque, IrqNotifier *n, bool on)
{
    engine_has += on ? 1u : -1u;
    return true;
}

static void dispatch(void)
{
    while (g_main_context_iteration(NULL, false)) {
    }
}

static void test_irq_notifiers(void)
{
    Machine *m = make();
    IrqNotifier message = {.fd = event_new(NULL), .addr = 0xfee00000, .data = 0x41};
    IrqNotifier line = {.fd = event_new(NULL), .fire = note_fire};
    m->env.msi = note_msi;
    m->env.watch(m, &message, true);
    m->env.watch(m, &line, true);
    event_set(message.fd);
    event_set(message.fd);
    event_set(line.fd);
    dispatch();
    g_assert_cmphex(sent, ==, 0x41); /* two that come together are one interrupt */
    g_assert_cmpuint(fired, ==, 1);
    machine_set_irq_engine(m, engine, m);
    g_assert_cmpuint(engine_has, ==, 1); /* lines stay here */
    event_set(message.fd);
    event_set(line.fd);
    dispatch();
    g_assert_cmphex(sent, ==, 0x41);
    g_assert_cmpuint(fired, ==, 2);
    machine_set_irq_engine(m, NULL, NULL);
    g_assert_cmpuint(engine_has, ==, 0);
    dispatch(); /* what the engine left is not lost */
    g_assert_cmphex(sent, ==, 0x82);
    m->env.watch(m, &message, false);
    m->env.watch(m, &line, false);
    event_set(message.fd);
    dispatch();
    g_assert_cmphex(sent, ==, 0x82);
    close(message.fd);
    close(line.fd);
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/machine/devices", test_devices);
    g_test_add_func("/machine/requests", test_requests);
    g_test_add_func("/machine/dma", test_dma);
    g_test_add_func("/machine/write_notifiers", test_write_notifiers);
    g_test_add_func("/machine/irq_notifiers", test_irq_notifiers);
    return g_test_run();
}
