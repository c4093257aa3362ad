/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt controllers in the host's kernel while the guest runs: the local APICs (split), or those, the I/O APIC and the
 * 8259 pair (on).  Our devices stay their owners: KVM gets the state when vCPUs resume and gives it back when they have
 * parked, on the main thread, so that a paused machine looks the same on every engine.  The PIT is always our device.
 * Spec: Linux Documentation/virt/kvm/api.rst (KVM_CREATE_IRQCHIP, KVM_CAP_SPLIT_IRQCHIP, KVM_SET_GSI_ROUTING).
 */
#include "accel/kvm/irqchip.h"

#include <errno.h>
#include <string.h>

#include "util/log.h"

#define REMOTE_TRIGGER BIT(15)

static int vm_ioctl(const KvmAccel *k, unsigned long request, void *arg)
{
    return kvm_ioctl(k->sys, k->vm, request, arg);
}

/* ---- choosing and making ---- */

bool kvm_irqchip_create(KvmAccel *k, GError **error)
{
    const KvmCaps *c = &k->caps;
    bool offered = k->accel.machine->irqchip && c->irqchip && c->mp_state && c->user_msr;
    KvmIrqchip want = k->irqchip_option;
    const char *lacks = want == KVM_IRQCHIP_ON && !offered                                 ? "interrupt controllers"
                        : want == KVM_IRQCHIP_SPLIT && !(offered && c->split_irqchip) ? "a local APIC alone"
                                                                                       : NULL;
    if (lacks) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "-accel kvm: kernel-irqchip=%s: the host's KVM does not offer %s "
                    "(or this board cannot use it); kernel-irqchip=off works", want == KVM_IRQCHIP_ON ? "on" : "split", lacks);
        return false;
    }
    if (want == KVM_IRQCHIP_AUTO) {
        want = offered && c->split_irqchip ? KVM_IRQCHIP_SPLIT : KVM_IRQCHIP_OFF;
    }
    struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args[0] = IRQCHIP_PINS};
    int r = want == KVM_IRQCHIP_ON      ? kvm_ioctl_n(k->sys, k->vm, KVM_CREATE_IRQCHIP, 0)
            : want == KVM_IRQCHIP_SPLIT ? vm_ioctl(k, KVM_ENABLE_CAP, &split)
                                        : 0;
    if (r < 0 && k->irqchip_option == KVM_IRQCHIP_AUTO) {
        want = KVM_IRQCHIP_OFF; /* offered and not given: ours do as well */
    } else if (r < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(-r), "KVM does not make interrupt controllers: %s",
                    g_strerror(-r));
        return false;
    }
    k->irqchip = want;
    return true;
}

/* ---- routes ---- */

static void add_message(KvmRoutes *t, unsigned gsi, uint64_t addr, uint32_t data)
{
    t->entries[t->head.nr++] = (struct kvm_irq_routing_entry){
        .gsi = gsi, .type = KVM_IRQ_ROUTING_MSI,
        .u.msi = {.address_lo = (uint32_t)addr, .address_hi = (uint32_t)(addr >> 32), .data = data}};
}

static void add_pin(KvmRoutes *t, unsigned gsi, unsigned chip, unsigned pin)
{
    t->entries[t->head.nr++] = (struct kvm_irq_routing_entry){
        .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = {.irqchip = chip, .pin = pin}};
}

/* An I/O APIC entry as a message; KVM exits for the EOI of level-triggered vectors that it finds here. */
static void add_table(KvmRoutes *t, const uint64_t *table)
{
    for (unsigned n = 0; n < IRQCHIP_PINS; n++) {
        uint64_t rte = table[n];
        bool level = rte & REMOTE_TRIGGER;
        if (level) {
            add_message(t, n, 0xfee00000 | (rte >> 56 & 0xff) << 12 | (rte >> 11 & 1) << 2,
                        (rte & 0x7ff) | REMOTE_TRIGGER | BIT(14));
        }
    }
}

/* The board's interrupt n is IRQ n of the 8259 pair and pin n of the I/O APIC, but 0 is pin 2 (and 2 is the cascade). */
static void add_pins(KvmRoutes *t)
{
    for (unsigned n = 0; n < IRQCHIP_PINS; n++) {
        if (n == 2) {
            continue;
        }
        if (n < 16) {
            add_pin(t, n, n < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, n & 7);
        }
        add_pin(t, n, KVM_IRQCHIP_IOAPIC, n == 0 ? 2 : n);
    }
}

static int set_routes(KvmAccel *k)
{
    KvmRoutes t = {0};
    if (k->irqchip == KVM_IRQCHIP_ON) {
        add_pins(&t);
    } else {
        add_table(&t, k->table);
    }
    for (unsigned n = 0; n < KVM_MAX_IRQFDS; n++) {
        if (k->irqfds[n]) {
            add_message(&t, IRQCHIP_PINS + n, k->irqfds[n]->addr, k->irqfds[n]->data);
        }
    }
    return vm_ioctl(k, KVM_SET_GSI_ROUTING, &t);
}

/* ---- eventfds that are interrupts ---- */

static int set_irqfd(const KvmAccel *k, const IrqNotifier *n, bool on)
{
    struct kvm_irqfd fd = {.fd = (uint32_t)n->fd, .gsi = (uint32_t)n->gsi, .flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN};
    return vm_ioctl(k, KVM_IRQFD, &fd);
}

static bool give_up_irqfd(KvmAccel *k, IrqNotifier *n)
{
    set_irqfd(k, n, false);
    k->irqfds[n->gsi - IRQCHIP_PINS] = NULL;
    n->gsi = 0;
    return true;
}

static bool serve_irqfd(void *opaque, IrqNotifier *n, bool on)
{
    KvmAccel *k = opaque;
    unsigned slot = 0;
    if (!on) {
        return give_up_irqfd(k, n);
    }
    while (slot < KVM_MAX_IRQFDS && k->irqfds[slot]) {
        slot++;
    }
    if (slot == KVM_MAX_IRQFDS) {
        return false;
    }
    k->irqfds[slot] = n;
    n->gsi = (int)(IRQCHIP_PINS + slot);
    if (set_routes(k) < 0 || set_irqfd(k, n, true) < 0) {
        k->irqfds[slot] = NULL;
        n->gsi = 0;
        return false;
    }
    return true;
}

/* ---- what our devices hand on ---- */

static bool sink_message(void *opaque, uint64_t addr, uint32_t data)
{
    struct kvm_msi msi = {.address_lo = (uint32_t)addr, .address_hi = (uint32_t)(addr >> 32), .data = data};
    return vm_ioctl(opaque, KVM_SIGNAL_MSI, &msi) >= 0; /* 0: it waits already */
}

static void sink_line(void *opaque, unsigned n, bool level)
{
    struct kvm_irq_level line = {.irq = n, .level = level};
    vm_ioctl(opaque, KVM_IRQ_LINE, &line);
}

static void sink_eoi(void *opaque, uint8_t vector)
{
    int r = kvm_chips_eoi(opaque, vector);
    if (r < 0) {
        log_printf("kvm: an interrupt's end does not reach the I/O APIC: %s\n", g_strerror(-r));
    }
}

static void sink_table(void *opaque, const uint64_t table[IRQCHIP_PINS])
{
    KvmAccel *k = opaque;
    KvmRoutes before = {0}, after = {0};
    add_table(&before, k->table);
    add_table(&after, table);
    memcpy(k->table, table, sizeof(k->table));
    if (memcmp(&before, &after, sizeof(before)) != 0) {
        set_routes(k); /* a change of the mask is none: it costs KVM a grace period */
    }
}

/* Whose LINT0 is open is for KVM to say: it takes the vector only there. */
static void sink_intr(void *opaque, bool level)
{
    const Machine *m = ((KvmAccel *)opaque)->accel.machine;
    for (unsigned n = 0; n < m->num_cpus; n++) {
        cpu_set_intr(m->cpus[n], level);
    }
}

static void sink_borrow(void *opaque, unsigned n, bool begin)
{
    KvmAccel *k = opaque;
    const Machine *m = k->accel.machine;
    LapicState state;
    m->irqchip->get_lapic(m->irqchip_opaque, n, &state);
    if (begin) {
        kvm_lapic_fetch(k, n, state.base);
    } else {
        kvm_lapic_store_page(k, n, &state);
    }
}

/* ---- all of it ---- */

/* An INIT or SIPI that our APICs have passed on, before KVM's have the state. */
static void settle_startup(X86Cpu *cpu)
{
    if (__atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST) & EVENT_INIT) {
        cpu_lower_event(cpu, EVENT_INIT);
        cpu_init_signal(cpu);
        cpu->apic->init(cpu->apic_opaque);
    }
    if (__atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST) & EVENT_SIPI) {
        cpu_lower_event(cpu, EVENT_SIPI);
        if (cpu->wait_sipi) {
            cpu_sipi(cpu, __atomic_load_n(&cpu->sipi_vector, __ATOMIC_SEQ_CST));
        }
    }
}

int kvm_irqchip_store(KvmAccel *k)
{
    const Machine *m = k->accel.machine;
    int r = 0;
    if (!kvm_has_lapics(k) || k->holds_irqchip) {
        return 0;
    }
    k->sink = (IrqSink){.full = k->irqchip == KVM_IRQCHIP_ON, .message = sink_message, .borrow = sink_borrow, .opaque = k};
    if (k->sink.full) {
        k->sink.line = sink_line;
        k->sink.eoi = sink_eoi;
    } else {
        k->sink.table = sink_table;
        k->sink.intr = sink_intr;
    }
    for (unsigned n = 0; n < m->num_cpus; n++) {
        settle_startup(m->cpus[n]);
    }
    r = set_routes(k);
    if (r >= 0 && k->sink.full) {
        r = kvm_chips_store(k);
    }
    for (unsigned n = 0; n < m->num_cpus && r >= 0; n++) {
        r = kvm_lapic_store(k, n);
    }
    if (r < 0) {
        return r;
    }
    m->irqchip->set_sink(m->irqchip_opaque, &k->sink);
    k->holds_irqchip = true;
    machine_set_irq_engine(k->accel.machine, serve_irqfd, k);
    return 0;
}

/* What cannot be fetched stays as it was when it left. */
int kvm_irqchip_fetch(KvmAccel *k)
{
    const Machine *m = k->accel.machine;
    int r = 0;
    if (!k->holds_irqchip) {
        return 0;
    }
    k->holds_irqchip = false;
    machine_set_irq_engine(k->accel.machine, NULL, NULL);
    for (unsigned n = 0; n < m->num_cpus; n++) {
        uint64_t base = ((const KvmVcpu *)g_ptr_array_index(k->vcpus, n))->apic_base;
        int one = kvm_lapic_fetch(k, n, base);
        r = r < 0 ? r : one;
    }
    if (k->sink.full) {
        int one = kvm_chips_fetch(k);
        r = r < 0 ? r : one;
    }
    m->irqchip->set_sink(m->irqchip_opaque, NULL);
    return r;
}
