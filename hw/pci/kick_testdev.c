/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "kick-testdev": a function with a worker thread that is kicked by eventfds and interrupts by one, as a fast device is.
 * Two windows, memory and ports, with the same registers; see kick_testdev.h.
 */
#include "hw/pci/kick_testdev.h"

#include <poll.h>
#include <unistd.h>

#define WINDOW_SIZE 256u

enum { NUM_WINDOWS = 2, NUM_NOTIFIERS = KICK_TESTDEV_KICKS, STOP = NUM_NOTIFIERS };

typedef struct KickTestdev {
    PciDevice pci;
    WriteNotifier notifiers[NUM_NOTIFIERS]; /* the same in both windows */
    IrqNotifier irq;
    bool installed, watched; /* what the machine was told */
    GThread *worker;
    int stop;                /* eventfd that ends the worker */
    struct {
        PCI_CONFIG_STATE;
        uint32_t kicks[NUM_NOTIFIERS]; /* atomic: counted by the worker */
        uint32_t direct;               /* writes to a kick register that came to the callback */
        uint32_t trail;                /* of writes to TRAIL and LATE */
        uint16_t on, pending;          /* pending: the line is up */
    } s;
} KickTestdev;

static KickTestdev *testdev(void *dev)
{
    return container_of((Device *)dev, KickTestdev, pci.dev);
}

/* ---- the worker ---- */

static void *work(void *opaque)
{
    KickTestdev *t = opaque;
    struct pollfd fds[NUM_NOTIFIERS + 1] = {[STOP] = {.fd = t->stop, .events = POLLIN}};
    for (unsigned n = 0; n < NUM_NOTIFIERS; n++) {
        fds[n] = (struct pollfd){.fd = t->notifiers[n].fd, .events = POLLIN};
    }
    while (!(fds[STOP].revents & POLLIN)) {
        uint64_t kicks = 0;
        poll(fds, ARRAY_LEN(fds), -1);
        for (unsigned n = 0; n < NUM_NOTIFIERS; n++) {
            uint64_t count = event_take(fds[n].fd);
            __atomic_fetch_add(&t->s.kicks[n], (uint32_t)count, __ATOMIC_SEQ_CST);
            kicks += count;
        }
        if (kicks) {
            event_set(t->irq.fd);
        }
    }
    return NULL;
}

/* Main thread: the interrupt while there is no message. */
static void raise_line(void *opaque)
{
    KickTestdev *t = opaque;
    t->s.pending = 1;
    device_update(&t->pci.dev);
}

/* ---- registers ---- */

static uint64_t window_read(void *opaque, uint64_t offset, unsigned size)
{
    const KickTestdev *t = testdev(opaque);
    if (offset >= KICK_TESTDEV_COUNT && offset < KICK_TESTDEV_COUNT + 4 * NUM_NOTIFIERS) {
        return __atomic_load_n(&t->s.kicks[(offset - KICK_TESTDEV_COUNT) / 4], __ATOMIC_SEQ_CST);
    }
    switch (offset) {
    case KICK_TESTDEV_DIRECT:
        return t->s.direct;
    case KICK_TESTDEV_ON:
        return t->s.on;
    case KICK_TESTDEV_PENDING:
        return t->s.pending;
    case KICK_TESTDEV_TRAIL:
        return t->s.trail;
    default:
        return 0;
    }
}

static void window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    KickTestdev *t = testdev(opaque);
    switch (offset) {
    case KICK_TESTDEV_ON:
        t->s.on = value & 1;
        break;
    case KICK_TESTDEV_PENDING:
        t->s.pending = 0;
        break;
    case KICK_TESTDEV_TRAIL:
    case KICK_TESTDEV_LATE:
        t->s.trail = t->s.trail * 31 + (uint32_t)value + (offset == KICK_TESTDEV_LATE);
        break;
    default:
        t->s.direct += offset < KICK_TESTDEV_COUNT;
        break;
    }
}

static const RegionOps window_ops = {.read = window_read, .write = window_write};

/* ---- what is derived ---- */

static void install(KickTestdev *t, bool on)
{
    const DeviceEnv *env = t->pci.dev.env;
    for (unsigned n = 0; n < NUM_WINDOWS && env->set_notifiers; n++) {
        env->set_notifiers(env->opaque, device_region(&t->pci.dev, n), t->notifiers, on ? NUM_NOTIFIERS : 0);
    }
    t->installed = on;
}

static void watch(KickTestdev *t)
{
    const DeviceEnv *env = t->pci.dev.env;
    IrqNotifier now = t->irq;
    bool message = pci_msi_message(&t->pci, 0, &now.addr, &now.data);
    now.fire = message ? NULL : raise_line;
    if (!env->watch || (t->watched && now.fire == t->irq.fire && now.addr == t->irq.addr && now.data == t->irq.data)) {
        return;
    }
    if (t->watched) {
        env->watch(env->opaque, &t->irq, false);
    }
    t->irq.addr = now.addr;
    t->irq.data = now.data;
    t->irq.fire = now.fire;
    env->watch(env->opaque, &t->irq, true);
    t->watched = true;
}

static void testdev_update(Device *dev)
{
    KickTestdev *t = testdev(dev);
    pci_device_update(&t->pci);
    if (t->installed != t->s.on) {
        install(t, t->s.on);
    }
    watch(t);
    pci_set_intx(&t->pci, t->s.pending);
}

/* ---- life ---- */

static bool open_events(KickTestdev *t, GError **error)
{
    static const WriteNotifier kicks[NUM_NOTIFIERS] = {
        {.offset = KICK_TESTDEV_ANY},
        {.offset = KICK_TESTDEV_WORD, .size = 2},
        {.offset = KICK_TESTDEV_MATCH, .size = 4, .match = true, .value = KICK_TESTDEV_VALUE},
    };
    for (unsigned n = 0; n < NUM_NOTIFIERS; n++) {
        t->notifiers[n] = kicks[n];
        t->notifiers[n].fd = event_new(error);
        if (t->notifiers[n].fd < 0) {
            return false;
        }
    }
    t->irq = (IrqNotifier){.fd = event_new(error), .fire = raise_line, .opaque = t};
    t->stop = t->irq.fd < 0 ? -1 : event_new(error);
    return t->stop >= 0;
}

static void close_events(KickTestdev *t)
{
    for (unsigned n = 0; n < NUM_NOTIFIERS; n++) {
        if (t->notifiers[n].fd >= 0) {
            close(t->notifiers[n].fd);
        }
    }
    if (t->irq.fd >= 0) {
        close(t->irq.fd);
    }
    if (t->stop >= 0) {
        close(t->stop);
    }
}

static bool testdev_realize(Device *dev, GError **error)
{
    static const PciIds ids = {.vendor = 0x1af4, .device = KICK_TESTDEV_ID, .class_code = 0x00ff, .sub_vendor = 0x1af4,
                               .sub_device = 0x1100};
    KickTestdev *t = testdev(dev);
    pci_device_init(&t->pci, t->s.config, &ids);
    Region *memory = device_region_init_io(dev, "kick-testdev-mmio", WINDOW_SIZE, &window_ops);
    Region *ports = device_region_init_io(dev, "kick-testdev-pio", WINDOW_SIZE, &window_ops);
    region_allow_late(memory, KICK_TESTDEV_LATE, 4);
    region_allow_late(ports, KICK_TESTDEV_LATE, 4);
    pci_add_bar(&t->pci, 0, memory, 0);
    pci_add_bar(&t->pci, 1, ports, PCI_BAR_IO);
    pci_set_interrupt_pin(&t->pci, 1);
    pci_msi_init(&t->pci, 1, false);
    for (unsigned n = 0; n < NUM_NOTIFIERS; n++) {
        t->notifiers[n].fd = -1;
    }
    t->irq.fd = t->stop = -1;
    if (!open_events(t, error)) {
        close_events(t);
        pci_device_fini(&t->pci);
        return false;
    }
    t->worker = dev->env->set_notifiers ? g_thread_new("kick-testdev", work, t) : NULL;
    return true;
}

static void testdev_unrealize(Device *dev)
{
    KickTestdev *t = testdev(dev);
    if (t->watched) {
        dev->env->watch(dev->env->opaque, &t->irq, false);
    }
    if (t->installed) {
        install(t, false);
    }
    if (t->worker) {
        event_set(t->stop);
        g_thread_join(t->worker);
    }
    close_events(t);
    pci_device_fini(&t->pci);
}

static void testdev_reset(Device *dev)
{
    pci_device_reset(&testdev(dev)->pci);
}

static bool testdev_validate(const Device *dev, GError **error)
{
    return pci_device_validate((const PciDevice *)dev, error);
}

static const Field testdev_state[] = {
    PCI_CONFIG_FIELD(KickTestdev),
    FIELD_ARRAY(KickTestdev, kicks, 0),
    FIELD(KickTestdev, direct, 0),
    FIELD(KickTestdev, trail, 0),
    FIELD_BOOL(KickTestdev, on, 0),
    FIELD_BOOL(KickTestdev, pending, 0),
};

static const Prop testdev_props[] = {PCI_PROPS(KickTestdev)};

DEVICE_TYPE(kick_testdev, KickTestdev, .name = "kick-testdev",
            .desc = "PCI test device: a worker thread kicked and heard through eventfds", .bus = BUS_PCI,
            FIELDS(testdev_state), PROPS(testdev_props), .realize = testdev_realize, .unrealize = testdev_unrealize,
            .reset = testdev_reset, .update = testdev_update, .validate = testdev_validate);
