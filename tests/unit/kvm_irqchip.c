/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accel/kvm over a test KVM: interrupt controllers that are KVM's while the guest runs. */
#include <string.h>
#include <unistd.h>

#include "tests/unit/kvm_rig.h"

/* ---- a board whose controllers are plain memory ---- */

typedef struct Board {
    Rig *r;
    LapicState lapic;
    IoapicState ioapic;
    PicState pic[2];
    const IrqSink *sink;
    unsigned eois, last_eoi;
} Board;

static void set_sink(void *opaque, const IrqSink *sink)
{
    Board *b = opaque;
    b->sink = sink;
    if (sink && sink->table) {
        sink->table(sink->opaque, b->ioapic.table);
    }
}

static void get_lapic(void *opaque, unsigned cpu, LapicState *out)
{
    *out = ((Board *)opaque)->lapic;
}

static void set_lapic(void *opaque, unsigned cpu, const LapicState *in)
{
    ((Board *)opaque)->lapic = *in;
}

static void get_ioapic(void *opaque, IoapicState *out)
{
    *out = ((Board *)opaque)->ioapic;
}

static void set_ioapic(void *opaque, const IoapicState *in)
{
    ((Board *)opaque)->ioapic = *in;
}

static void get_pic(void *opaque, unsigned chip, PicState *out)
{
    *out = ((Board *)opaque)->pic[chip];
}

static void set_pic(void *opaque, unsigned chip, const PicState *in)
{
    ((Board *)opaque)->pic[chip] = *in;
}

static void set_base_tpr(void *opaque, unsigned cpu, uint64_t base, uint8_t cr8)
{
    ((Board *)opaque)->lapic.base = base;
}

static uint32_t lines(void *opaque)
{
    return 0x802;
}

static int ack(void *opaque)
{
    Board *b = opaque;
    cpu_lower_event(b->r->cpu, EVENT_INTR);
    return VECTOR;
}

static void eoi(void *opaque, uint8_t vector)
{
    Board *b = opaque;
    b->eois++;
    b->last_eoi = vector;
}

static const IrqchipOps board_ops = {
    .set_sink = set_sink, .get_lapic = get_lapic, .set_lapic = set_lapic, .get_ioapic = get_ioapic,
    .set_ioapic = set_ioapic, .get_pic = get_pic, .set_pic = set_pic, .set_base_tpr = set_base_tpr, .lines = lines,
    .ack = ack, .eoi = eoi,
};

static Board *board_new(const char *opts, FakeExit *const *script)
{
    Board *b = g_new0(Board, 1);
    b->r = rig_new(script);
    b->r->opts = opts;
    b->r->m->irqchip = &board_ops;
    b->r->m->irqchip_opaque = b;
    for (unsigned n = 0; n < ARRAY_LEN(b->lapic.regs); n++) {
        b->lapic.regs[n] = 0x1000 + n;
    }
    b->lapic.base = 0xfee00900;
    b->ioapic.table[3] = 0x31;                        /* edge */
    b->ioapic.table[9] = 0x0100000000000000 | 0x8039; /* level, to processor 1 */
    b->ioapic.requests = 8;
    b->pic[0] = (PicState){.imr = 0xfb, .isr = 4, .lowest = 7, .vector = 0x20, .lines = 2, .irr = 2};
    b->pic[1] = (PicState){.imr = 0xff, .lowest = 2, .vector = 0x28, .elcr = 0x0e, .rotate_auto_eoi = 1};
    return b;
}

static void board_free(Board *b)
{
    rig_free(b->r);
    g_assert_null(b->sink);
    g_free(b);
}

/* ---- tests ---- */

static int exit_eoi(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_IOAPIC_EOI;
    run->eoi.vector = 0x39;
    return 0;
}

static int exit_none(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_NOTIFY;
    return 0;
}

/* The local APIC goes to KVM and comes back; the I/O APIC's messages and level-triggered entries are told. */
static void test_split(void)
{
    Board *b = board_new("kernel-irqchip=split", (FakeExit *const[]){exit_eoi, NULL});
    Fake *f = &b->r->fake;
    f->mp.mp_state = KVM_MP_STATE_INIT_RECEIVED;
    g_assert_true(rig_start(b->r, NULL));
    g_assert_true(f->split && !f->has_chips);
    rig_wait(b->r);
    g_assert_cmpuint(f->mp.mp_state, ==, KVM_MP_STATE_RUNNABLE);
    g_assert_cmphex(*(uint32_t *)(void *)(f->lapic.regs + 0x320), ==, 0x1032);
    g_assert_cmpuint(b->eois, ==, 1);
    g_assert_cmphex(b->last_eoi, ==, 0x39);
    g_assert_cmpuint(f->num_routes, ==, 1);
    g_assert_cmpuint(f->routes[0].gsi, ==, 9);
    g_assert_cmphex(f->routes[0].u.msi.address_lo, ==, 0xfee01000);
    g_assert_cmphex(f->routes[0].u.msi.data, ==, 0xc039);
    g_assert_true(b->sink->message(b->sink->opaque, 0xfee02004, 0x4055));
    g_assert_cmphex(f->msi.address_lo, ==, 0xfee02004);
    g_assert_cmphex(f->msi.data, ==, 0x4055);
    unsigned calls = f->calls;
    b->ioapic.table[9] |= 0x10000; /* the mask is none of KVM's business */
    b->sink->table(b->sink->opaque, b->ioapic.table);
    g_assert_cmpuint(f->calls, ==, calls);
    *(uint32_t *)(void *)(f->lapic.regs + 0x80) = 0x77; /* the guest's work */
    kvm_accel_ops.pause(b->r->accel);
    g_assert_cmpuint(f->drains, ==, 1);
    g_assert_null(b->sink);
    g_assert_cmphex(b->lapic.regs[8], ==, 0x77);
    g_assert_cmphex(b->lapic.regs[0x32], ==, 0x1032);
    board_free(b);
}

/* The 8259 pair's interrupt goes in by KVM_INTERRUPT, when KVM has said that it takes one. */
static void test_extint(void)
{
    Board *b = board_new("kernel-irqchip=split", (FakeExit *const[]){exit_none, exit_none, exit_none, NULL});
    g_assert_true(rig_start(b->r, NULL));
    b->sink->intr(b->sink->opaque, true);
    rig_wait(b->r);
    g_assert_cmpuint(b->r->fake.num_vectors, ==, 1);
    g_assert_cmpuint(b->r->fake.vectors[0], ==, VECTOR);
    kvm_accel_ops.pause(b->r->accel);
    board_free(b);
}

static void test_on(void)
{
    Board *b = board_new("kernel-irqchip=on", NULL);
    Fake *f = &b->r->fake;
    IoapicState ioapic = b->ioapic;
    PicState pic[2] = {b->pic[0], b->pic[1]};
    g_assert_true(rig_start(b->r, NULL));
    g_assert_true(f->has_chips && !f->split);
    rig_wait(b->r);
    g_assert_cmphex(f->lines, ==, 0x802);
    g_assert_cmphex(f->chips[KVM_IRQCHIP_IOAPIC].chip.ioapic.redirtbl[9].bits, ==, ioapic.table[9]);
    g_assert_cmphex(f->chips[KVM_IRQCHIP_PIC_MASTER].chip.pic.imr, ==, 0xfb);
    g_assert_cmphex(f->chips[KVM_IRQCHIP_PIC_MASTER].chip.pic.last_irr, ==, 2);
    g_assert_cmpuint(f->chips[KVM_IRQCHIP_PIC_SLAVE].chip.pic.priority_add, ==, 3);
    b->sink->line(b->sink->opaque, 5, true);
    g_assert_cmphex(f->lines, ==, 0x822);
    /* the end of a level-triggered interrupt, written by the interpreter */
    f->chips[KVM_IRQCHIP_IOAPIC].chip.ioapic.redirtbl[9].bits |= 0x4000;
    b->sink->eoi(b->sink->opaque, 0x31);
    g_assert_cmphex(f->chips[KVM_IRQCHIP_IOAPIC].chip.ioapic.redirtbl[9].bits, ==, ioapic.table[9] | 0x4000);
    b->sink->eoi(b->sink->opaque, 0x39);
    g_assert_cmphex(f->chips[KVM_IRQCHIP_IOAPIC].chip.ioapic.redirtbl[9].bits, ==, ioapic.table[9]);
    memset(&b->ioapic, 0, sizeof(b->ioapic));
    memset(b->pic, 0, sizeof(b->pic));
    kvm_accel_ops.pause(b->r->accel);
    g_assert_cmpmem(b->ioapic.table, sizeof(b->ioapic.table), ioapic.table, sizeof(ioapic.table));
    g_assert_cmphex(b->ioapic.requests, ==, 8);
    pic[0].lines = pic[1].lines = 0; /* the board's, not KVM's */
    g_assert_cmpmem(b->pic, sizeof(b->pic), pic, sizeof(pic));
    board_free(b);
}

/* A message's eventfd is KVM's while the guest runs, the main loop's while it is paused. */
static void test_irqfd(void)
{
    Board *b = board_new("kernel-irqchip=split", NULL);
    IrqNotifier n = {.fd = event_new(NULL), .addr = 0xfee00000, .data = 0x44};
    Machine *m = b->r->m;
    m->env.watch(m, &n, true);
    g_assert_cmpuint(n.source, !=, 0);
    g_assert_true(rig_start(b->r, NULL));
    g_assert_cmpuint(b->r->fake.num_irqfds, ==, 1);
    g_assert_cmpuint(n.source, ==, 0);
    g_assert_cmphex(b->r->fake.routes[b->r->fake.num_routes - 1].u.msi.data, ==, 0x44);
    g_assert_cmpint(n.gsi, ==, (int)b->r->fake.routes[b->r->fake.num_routes - 1].gsi);
    kvm_accel_ops.pause(b->r->accel);
    g_assert_cmpuint(b->r->fake.num_irqfds, ==, 0);
    g_assert_cmpuint(n.source, !=, 0);
    kvm_accel_ops.resume(b->r->accel);
    m->env.watch(m, &n, false);
    g_assert_cmpuint(b->r->fake.num_irqfds, ==, 0);
    kvm_accel_ops.pause(b->r->accel);
    close(n.fd);
    board_free(b);
}

static void test_choice(void)
{
    static const struct {
        const char *opts;
        unsigned lacks;
        bool works, split, on;
    } cases[] = {
        {NULL, 0, true, true, false},
        {NULL, KVM_CAP_SPLIT_IRQCHIP, true, false, false},
        {NULL, KVM_CAP_SIGNAL_MSI, true, false, false},
        {NULL, KVM_CAP_MP_STATE, true, false, false},
        {"kernel-irqchip=off", 0, true, false, false},
        {"kernel-irqchip=on", KVM_CAP_SPLIT_IRQCHIP, true, false, true},
        {"kernel-irqchip=on", KVM_CAP_IRQ_ROUTING, false, false, false},
        {"kernel-irqchip=split", KVM_CAP_SPLIT_IRQCHIP, false, false, false},
        {"kernel-irqchip=maybe", 0, false, false, false},
        {"irqchip=on", 0, false, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Board *b = board_new(cases[i].opts, (FakeExit *const[]){exit_none, NULL});
        g_autoptr(GError) error = NULL;
        b->r->fake.lacks = cases[i].lacks;
        bool works = rig_start(b->r, &error);
        g_assert_cmpint(works, ==, cases[i].works);
        g_assert_cmpint(b->r->fake.split, ==, cases[i].split);
        g_assert_cmpint(b->r->fake.has_chips, ==, cases[i].on);
        if (works) {
            rig_wait(b->r);
            kvm_accel_ops.pause(b->r->accel);
        } else {
            g_assert_nonnull(error);
        }
        board_free(b);
    }
}

/* Each ioctl of a life fails once. */
static void test_failures(void)
{
    static const char *const opts[] = {"kernel-irqchip=split", "kernel-irqchip=on"};
    for (size_t i = 0; i < ARRAY_LEN(opts); i++) {
        unsigned calls = 1;
        for (unsigned n = 0; n <= calls; n++) {
            Board *b = board_new(opts[i], (FakeExit *const[]){exit_eoi, NULL});
            IrqNotifier notifier = {.fd = event_new(NULL), .addr = 0xfee00000, .data = 0x44};
            b->r->m->env.watch(b->r->m, &notifier, true);
            b->r->fake.fail_at = n;
            if (rig_start(b->r, NULL)) {
                rig_wait(b->r);
                kvm_accel_ops.pause(b->r->accel);
            }
            calls = MAX(calls, b->r->fake.calls);
            b->r->m->env.watch(b->r->m, &notifier, false);
            close(notifier.fd);
            board_free(b);
        }
        g_assert_cmpuint(calls, >, 50);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/irqchip/split", test_split);
    g_test_add_func("/kvm/irqchip/extint", test_extint);
    g_test_add_func("/kvm/irqchip/on", test_on);
    g_test_add_func("/kvm/irqchip/irqfd", test_irqfd);
    g_test_add_func("/kvm/irqchip/choice", test_choice);
    g_test_add_func("/kvm/irqchip/failures", test_failures);
    return g_test_run();
}
