/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local APICs, their bus and the I/O APIC against the Intel SDM vol 3, chapter 11, and the 82093AA data sheet. */
#include "hw/intc/lapic.h"

#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "tests/device/harness.h"

#define CPUS 3

enum {
    ID = 0x20, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, ISR = 0x100, TMR = 0x180,
    IRR = 0x200, ESR = 0x280, ICR = 0x300, ICR2 = 0x310, TIMER = 0x320, LINT0 = 0x350, LINT1 = 0x360, ERROR = 0x370,
    INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0,
};

typedef struct TestCpu {
    bool intr;
    Device *pic; /* answers ExtINT, if there is one */
    unsigned nmis, inits, sipis, smis, extints;
    uint8_t sipi_vector;
    int64_t tsc_offset;
} TestCpu;

typedef struct Fixture {
    TestEnv *t;
    ApicBus bus;
    Device *apic[CPUS], *io;
    TestCpu cpu[CPUS];
} Fixture;

static void on_intr(void *opaque, bool level)
{
    ((TestCpu *)opaque)->intr = level;
}

static void on_nmi(void *opaque)
{
    ((TestCpu *)opaque)->nmis++;
}

static void on_smi(void *opaque)
{
    ((TestCpu *)opaque)->smis++;
}

static void on_init(void *opaque)
{
    ((TestCpu *)opaque)->inits++;
}

static void on_sipi(void *opaque, uint8_t vector)
{
    ((TestCpu *)opaque)->sipis++;
    ((TestCpu *)opaque)->sipi_vector = vector;
}

static int on_extint(void *opaque)
{
    TestCpu *cpu = opaque;
    cpu->extints++;
    return cpu->pic ? i8259_ack(cpu->pic) : 0x08;
}

/* A TSC of 2 GHz. */
static int64_t tsc_to_ns(void *opaque, uint64_t tsc)
{
    return ((int64_t)tsc - ((TestCpu *)opaque)->tsc_offset + 1) / 2;
}

static const LapicCpu cpu_ops = {
    .set_intr = on_intr, .nmi = on_nmi, .smi = on_smi, .init = on_init, .sipi = on_sipi, .ack_extint = on_extint,
    .tsc_to_ns = tsc_to_ns,
};

static void set_up(Fixture *f, gconstpointer data)
{
    f->t = test_env_new();
    for (unsigned i = 0; i < CPUS; i++) {
        char id[8];
        g_snprintf(id, sizeof(id), "%u", i);
        f->apic[i] = test_device(f->t, "apic", "id", id, NULL);
        lapic_set_cpu(f->apic[i], &cpu_ops, &f->cpu[i]);
        g_assert_true(apic_bus_add_lapic(&f->bus, f->apic[i]));
        lapic_mmio_write(f->apic[i], SVR, 0x1ff);
    }
    f->io = test_device(f->t, "ioapic", NULL);
    g_assert_true(apic_bus_add_ioapic(&f->bus, f->io));
}

static void tear_down(Fixture *f, gconstpointer data)
{
    test_env_free(f->t);
}

static uint32_t rd(Fixture *f, unsigned cpu, uint32_t offset)
{
    return lapic_mmio_read(f->apic[cpu], offset);
}

static void wr(Fixture *f, unsigned cpu, uint32_t offset, uint32_t value)
{
    lapic_mmio_write(f->apic[cpu], offset, value);
}

static void ipi(Fixture *f, unsigned from, uint32_t dest, uint32_t low)
{
    wr(f, from, ICR2, dest << 24);
    wr(f, from, ICR, low);
}

static void message(Fixture *f, uint8_t vector)
{
    apic_bus_msi(&f->bus, APIC_DEFAULT_BASE, vector);
}

/* Acknowledge and end all that CPU n has: the vectors in order, as hexadecimal text. */
static char *drain(Fixture *f, unsigned n)
{
    GString *out = g_string_new(NULL);
    while (f->cpu[n].intr) {
        g_string_append_printf(out, "%02x ", (unsigned)lapic_ack(f->apic[n]));
        wr(f, n, EOI, 0);
    }
    return g_string_free(out, false);
}

#define ASSERT_GETS(f, n, want)                                                                                      \
    do {                                                                                                             \
        g_autofree char *got_ = drain(f, n);                                                                         \
        g_assert_cmpstr(got_, ==, want);                                                                             \
    } while (0)

/* 11.8.3.1: the higher class first; TPR and what is in service hold back their class and those below. */
static void priorities(Fixture *f, gconstpointer data)
{
    message(f, 0x31);
    message(f, 0x52);
    g_assert_true(f->cpu[0].intr);
    g_assert_cmphex(rd(f, 0, IRR + 0x20), ==, BIT(0x12));
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x52);
    g_assert_cmphex(rd(f, 0, PPR), ==, 0x50);
    g_assert_cmphex(rd(f, 0, ISR + 0x20), ==, BIT(0x12));
    g_assert_false(f->cpu[0].intr);
    message(f, 0x5f); /* same class */
    g_assert_false(f->cpu[0].intr);
    message(f, 0x61);
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x61);
    wr(f, 0, EOI, 0);
    g_assert_false(f->cpu[0].intr);
    wr(f, 0, EOI, 0);
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x5f);
    wr(f, 0, TPR, 0x35);
    wr(f, 0, EOI, 0);
    g_assert_cmphex(rd(f, 0, PPR), ==, 0x35);
    g_assert_false(f->cpu[0].intr);
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, -1);
    g_assert_cmpuint(lapic_get_cr8(f->apic[0]), ==, 3);
    lapic_set_cr8(f->apic[0], 2);
    g_assert_cmphex(rd(f, 0, TPR), ==, 0x20);
    ASSERT_GETS(f, 0, "31 ");
}

/* 11.6.1 and 11.6.2: physical, broadcast, shorthands. */
static void ipi_physical(Fixture *f, gconstpointer data)
{
    ipi(f, 0, 2, 0x41);
    ASSERT_GETS(f, 2, "41 ");
    ASSERT_GETS(f, 0, "");
    ipi(f, 0, 0xff, 0x42);
    for (unsigned i = 0; i < CPUS; i++) {
        ASSERT_GETS(f, i, "42 ");
    }
    ipi(f, 1, 0, 0x40043); /* self */
    ASSERT_GETS(f, 1, "43 ");
    ASSERT_GETS(f, 0, "");
    ipi(f, 1, 0, 0x80044); /* all including self */
    ipi(f, 1, 0, 0xc0045); /* all but self */
    ASSERT_GETS(f, 0, "45 44 ");
    ASSERT_GETS(f, 1, "44 ");
    g_assert_cmphex(rd(f, 1, ICR), ==, 0xc0045); /* delivery status reads idle */
}

/* 11.6.2.2: flat and cluster logical destinations; 11.6.2.4: lowest priority. */
static void ipi_logical(Fixture *f, gconstpointer data)
{
    for (unsigned i = 0; i < CPUS; i++) {
        wr(f, i, LDR, 1u << (24 + i));
    }
    ipi(f, 0, 0x06, 0x841);
    ASSERT_GETS(f, 0, "");
    ASSERT_GETS(f, 1, "41 ");
    ASSERT_GETS(f, 2, "41 ");
    wr(f, 1, TPR, 0x20);
    wr(f, 0, TPR, 0x30);
    ipi(f, 0, 0x07, 0x942); /* lowest priority */
    ASSERT_GETS(f, 2, "42 ");
    ASSERT_GETS(f, 1, "");
    wr(f, 0, TPR, 0);
    wr(f, 1, TPR, 0);
    for (unsigned i = 0; i < CPUS; i++) {
        wr(f, i, DFR, 0x0fffffff);
    }
    wr(f, 0, LDR, 0x11u << 24);
    wr(f, 1, LDR, 0x12u << 24);
    wr(f, 2, LDR, 0x21u << 24);
    ipi(f, 0, 0x13, 0x843);
    ASSERT_GETS(f, 0, "43 ");
    ASSERT_GETS(f, 1, "43 ");
    ASSERT_GETS(f, 2, "");
    ipi(f, 0, 0xf1, 0x844); /* bit 0 in all clusters */
    ASSERT_GETS(f, 0, "44 ");
    ASSERT_GETS(f, 1, "");
    ASSERT_GETS(f, 2, "44 ");
}

/* NMI, SMI, INIT and start-up reach an APIC that software disabled; INIT level de-assert does nothing. */
static void ipi_signals(Fixture *f, gconstpointer data)
{
    wr(f, 1, SVR, 0xff);
    ipi(f, 0, 1, 0x400);
    ipi(f, 0, 1, 0x200);
    ipi(f, 0, 1, 0xc500);
    ipi(f, 0, 1, 0x8500);
    ipi(f, 0, 1, 0x69a);
    ipi(f, 0, 1, 0x41);
    g_assert_cmpuint(f->cpu[1].nmis, ==, 1);
    g_assert_cmpuint(f->cpu[1].smis, ==, 1);
    g_assert_cmpuint(f->cpu[1].inits, ==, 1);
    g_assert_cmpuint(f->cpu[1].sipis, ==, 1);
    g_assert_cmphex(f->cpu[1].sipi_vector, ==, 0x9a);
    g_assert_false(f->cpu[1].intr);
    ipi(f, 0, 0, 0xc4500); /* INIT to all others */
    g_assert_cmpuint(f->cpu[0].inits, ==, 0);
    g_assert_cmpuint(f->cpu[1].inits, ==, 2);
    g_assert_cmpuint(f->cpu[2].inits, ==, 1);
}

/* 11.5.3: errors become visible by a write of ESR; the error entry interrupts once for a kind. */
static void errors(Fixture *f, gconstpointer data)
{
    wr(f, 0, ERROR, 0xe1);
    ipi(f, 0, 1, 0x0f);
    ASSERT_GETS(f, 0, "e1 ");
    g_assert_cmphex(rd(f, 0, ESR), ==, 0);
    wr(f, 0, ESR, 0);
    g_assert_cmphex(rd(f, 0, ESR), ==, 0x20);
    wr(f, 0, ESR, 0);
    g_assert_cmphex(rd(f, 0, ESR), ==, 0);
    apic_bus_msi(&f->bus, APIC_DEFAULT_BASE, 0x05);
    wr(f, 0, ESR, 0);
    g_assert_cmphex(rd(f, 0, ESR), ==, 0x40);
    rd(f, 0, 0x40);
    wr(f, 0, ESR, 0);
    g_assert_cmphex(rd(f, 0, ESR), ==, 0x80);
}

/* 11.5.4: one-shot with divisor, periodic, mask; the count follows the clock. */
static void timer(Fixture *f, gconstpointer data)
{
    wr(f, 0, DIVIDE, 0x3); /* by 16 */
    wr(f, 0, TIMER, 0x70);
    wr(f, 0, INITIAL, 1000);
    clock_advance(f->t->clock, 8000);
    g_assert_cmpuint(rd(f, 0, CURRENT), ==, 500);
    clock_advance(f->t->clock, 7999);
    g_assert_false(f->cpu[0].intr);
    g_assert_cmpuint(rd(f, 0, CURRENT), ==, 1);
    clock_advance(f->t->clock, 1);
    ASSERT_GETS(f, 0, "70 ");
    g_assert_cmpuint(rd(f, 0, CURRENT), ==, 0);
    g_assert_cmpint(clock_deadline(f->t->clock), ==, TIMER_OFF);

    wr(f, 0, DIVIDE, 0xb); /* by 1 */
    wr(f, 0, TIMER, 0x20071);
    wr(f, 0, INITIAL, 100000);
    for (unsigned i = 0; i < 50; i++) {
        clock_advance(f->t->clock, 100000);
        ASSERT_GETS(f, 0, "71 ");
        g_assert_cmpuint(rd(f, 0, CURRENT), ==, 100000);
    }
    clock_advance(f->t->clock, 30000);
    g_assert_cmpuint(rd(f, 0, CURRENT), ==, 70000);
    wr(f, 0, TIMER, 0x30071); /* masked: nothing fires, no host timer, the count runs on */
    g_assert_cmpint(clock_deadline(f->t->clock), ==, TIMER_OFF);
    clock_advance(f->t->clock, 110000);
    g_assert_cmpuint(rd(f, 0, CURRENT), ==, 60000);
    wr(f, 0, TIMER, 0x20071);
    g_assert_false(f->cpu[0].intr);
    clock_advance(f->t->clock, 60000);
    ASSERT_GETS(f, 0, "71 ");
    wr(f, 0, INITIAL, 0);
    g_assert_cmpint(clock_deadline(f->t->clock), ==, TIMER_OFF);
    wr(f, 0, DIVIDE, 0x0); /* by 2; 0xa: by 128 */
    wr(f, 0, INITIAL, 128);
    clock_advance(f->t->clock, 64);
    g_assert_cmpuint(rd(f, 0, CURRENT), ==, 96);
    wr(f, 0, DIVIDE, 0xa);
    clock_advance(f->t->clock, 128);
    g_assert_cmpuint(rd(f, 0, CURRENT), ==, 95);
}

/* A period of a nanosecond costs at most one host timer each 20 us. */
static void timer_storm(Fixture *f, gconstpointer data)
{
    wr(f, 0, DIVIDE, 0xb);
    wr(f, 0, TIMER, 0x20071);
    wr(f, 0, INITIAL, 1);
    unsigned fired = 0;
    for (unsigned i = 0; i < 1000; i++) {
        clock_advance(f->t->clock, 1000);
        while (f->cpu[0].intr) {
            lapic_ack(f->apic[0]);
            wr(f, 0, EOI, 0);
            fired++;
        }
    }
    g_assert_cmpuint(fired, >=, 40);
    g_assert_cmpuint(fired, <=, 51);
}

/* 11.5.4.1: TSC deadline. */
static void tsc_deadline(Fixture *f, gconstpointer data)
{
    uint64_t value;
    Device *a = f->apic[0];
    g_assert_true(lapic_write_msr(a, 0x6e0, 1000));
    g_assert_true(lapic_read_msr(a, 0x6e0, &value));
    g_assert_cmpuint(value, ==, 0); /* ignored outside its mode */
    wr(f, 0, TIMER, 0x40072);
    wr(f, 0, INITIAL, 5);
    g_assert_cmpuint(rd(f, 0, INITIAL), ==, 0);
    lapic_write_msr(a, 0x6e0, 20001);
    clock_advance(f->t->clock, 10000);
    g_assert_false(f->cpu[0].intr);
    lapic_read_msr(a, 0x6e0, &value);
    g_assert_cmpuint(value, ==, 20001);
    clock_advance(f->t->clock, 1);
    ASSERT_GETS(f, 0, "72 ");
    lapic_read_msr(a, 0x6e0, &value);
    g_assert_cmpuint(value, ==, 0);
    lapic_write_msr(a, 0x6e0, 5); /* the past */
    ASSERT_GETS(f, 0, "72 ");
    lapic_write_msr(a, 0x6e0, 60000);
    f->cpu[0].tsc_offset = 30000; /* the guest sets its TSC forward */
    lapic_tsc_changed(a);
    clock_advance(f->t->clock, 4999);
    ASSERT_GETS(f, 0, "72 ");
    lapic_write_msr(a, 0x6e0, 90000);
    wr(f, 0, TIMER, 0x72); /* leaving the mode disarms */
    clock_advance(f->t->clock, 1000000);
    ASSERT_GETS(f, 0, "");
}

/* 11.12.5 and 11.12.1: modes of the base register, x2APIC registers and their #GP rules. */
static void x2apic(Fixture *f, gconstpointer data)
{
    Device *a = f->apic[2];
    uint64_t value, base = lapic_get_base(a);
    g_assert_cmphex(base, ==, 0xfee00800);
    g_assert_cmphex(lapic_get_base(f->apic[0]), ==, 0xfee00900);
    g_assert_false(lapic_read_msr(a, 0x802, &value));
    g_assert_false(lapic_set_base(a, base | BIT64(40)));
    g_assert_false(lapic_set_base(a, base | 1));
    g_assert_false(lapic_set_base(a, (base & ~0x800ull) | 0x400));
    g_assert_true(lapic_set_base(a, base | 0x400));
    g_assert_cmphex(rd(f, 2, ID), ==, UINT32_MAX); /* the page is gone */
    g_assert_false(lapic_set_base(a, base));       /* not back to xAPIC directly */
    g_assert_true(lapic_read_msr(a, 0x802, &value));
    g_assert_cmphex(value, ==, 2);
    g_assert_true(lapic_read_msr(a, 0x80d, &value));
    g_assert_cmphex(value, ==, 4);
    g_assert_false(lapic_write_msr(a, 0x80d, 4));
    g_assert_false(lapic_read_msr(a, 0x80e, &value)); /* DFR does not exist */
    g_assert_false(lapic_read_msr(a, 0x831, &value));
    g_assert_false(lapic_write_msr(a, 0x808, 0x100));
    g_assert_false(lapic_write_msr(a, 0x80b, 1));
    g_assert_false(lapic_read_msr(a, 0x80b, &value));
    g_assert_false(lapic_write_msr(a, 0x828, 1));
    g_assert_false(lapic_write_msr(a, 0x83f, 0x100));
    g_assert_true(lapic_write_msr(a, 0x83f, 0x55));
    g_assert_cmpint(lapic_ack(a), ==, 0x55);
    g_assert_true(lapic_write_msr(a, 0x80b, 0));
    /* 64-bit ICR: physical id in the high half; logical cluster 0, bits 0 and 2; broadcast */
    g_assert_true(lapic_write_msr(a, 0x830, 1ull << 32 | 0x61));
    ASSERT_GETS(f, 1, "61 ");
    g_assert_true(lapic_read_msr(a, 0x830, &value));
    g_assert_cmphex(value, ==, 1ull << 32 | 0x61);
    wr(f, 0, LDR, 1u << 24);
    g_assert_true(lapic_write_msr(a, 0x830, 5ull << 32 | 0x862));
    ASSERT_GETS(f, 0, "62 ");
    g_assert_cmpint(lapic_ack(a), ==, 0x62);
    g_assert_true(lapic_write_msr(a, 0x80b, 0));
    g_assert_true(lapic_write_msr(a, 0x830, 0xffffffffull << 32 | 0x63));
    ASSERT_GETS(f, 0, "63 ");
    ASSERT_GETS(f, 1, "63 ");
    /* disabled: registers are lost; then xAPIC only */
    g_assert_true(lapic_set_base(a, base & ~0x800ull));
    g_assert_false(lapic_set_base(a, base | 0x400));
    g_assert_true(lapic_set_base(a, base));
    g_assert_cmphex(rd(f, 2, SVR), ==, 0xff);
    g_assert_cmphex(rd(f, 2, ID), ==, 0x02000000);
}

/* MP specification 3.6.2.2 and SDM 11.5.1: ExtINT and NMI through LINT0 and LINT1; pins of a disabled APIC. */
static void lint(Fixture *f, gconstpointer data)
{
    device_reset(f->apic[0]);
    lapic_virtual_wire(f->apic[0]);
    test_input(f->apic[0], LAPIC_LINT0, true);
    g_assert_true(f->cpu[0].intr);
    wr(f, 0, TPR, 0xff); /* does not hold back ExtINT */
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x08);
    g_assert_cmpuint(f->cpu[0].extints, ==, 1);
    test_input(f->apic[0], LAPIC_LINT0, false);
    g_assert_false(f->cpu[0].intr);
    test_input(f->apic[0], LAPIC_LINT1, true);
    test_input(f->apic[0], LAPIC_LINT1, true);
    g_assert_cmpuint(f->cpu[0].nmis, ==, 1);
    test_input(f->apic[0], LAPIC_LINT1, false);
    wr(f, 0, LINT0, 0x10700);
    test_input(f->apic[0], LAPIC_LINT0, true);
    g_assert_false(f->cpu[0].intr);
    g_assert_true(lapic_set_base(f->apic[0], APIC_DEFAULT_BASE));
    g_assert_true(f->cpu[0].intr); /* INTR */
    test_input(f->apic[0], LAPIC_LINT1, true);
    g_assert_cmpuint(f->cpu[0].nmis, ==, 2);
    test_input(f->apic[0], LAPIC_LINT0, false);
    g_assert_true(lapic_set_base(f->apic[0], APIC_DEFAULT_BASE | APIC_BASE_ENABLE));
    /* level-triggered fixed LINT0 asks again after EOI */
    wr(f, 0, SVR, 0x1ff);
    wr(f, 0, LINT0, 0x8045);
    test_input(f->apic[0], LAPIC_LINT0, true);
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x45);
    g_assert_cmphex(rd(f, 0, LINT0), ==, 0xc045);
    wr(f, 0, EOI, 0);
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x45);
    test_input(f->apic[0], LAPIC_LINT0, false);
    wr(f, 0, EOI, 0);
    g_assert_false(f->cpu[0].intr);
}

/* The 8259 pair behind LINT0: intr falls while it is acknowledged, and rises again for the next request. */
static void virtual_wire(Fixture *f, gconstpointer data)
{
    static const uint8_t init[2][4] = {{0x11, 0x20, 0x04, 0x01}, {0x11, 0x28, 0x02, 0x01}};
    Device *pic = f->cpu[0].pic = test_device(f->t, "i8259", NULL);
    device_connect(pic, "intr", 0, device_input(f->apic[0], LAPIC_LINT0));
    lapic_virtual_wire(f->apic[0]);
    for (unsigned i = 0; i < 8; i++) {
        test_write(pic, i / 4, i % 4 ? 1 : 0, init[i / 4][i % 4], 1);
    }
    test_input(pic, 12, true);
    test_input(pic, 1, true);
    g_assert_true(f->cpu[0].intr);
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x21);
    g_assert_false(f->cpu[0].intr);
    test_write(pic, 0, 0, 0x20, 1);
    g_assert_true(f->cpu[0].intr);
    message(f, 0x31); /* the APIC's own come first */
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x31);
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x2c);
    g_assert_false(f->cpu[0].intr);
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, -1);
}

/* 11.4.7.2: software disable masks the table, keeps what is pending and takes no new interrupts. */
static void software_disable(Fixture *f, gconstpointer data)
{
    message(f, 0x61);
    wr(f, 0, LINT0, 0x700);
    wr(f, 0, SVR, 0xff);
    g_assert_cmphex(rd(f, 0, LINT0), ==, 0x10700);
    wr(f, 0, LINT0, 0x700);
    g_assert_cmphex(rd(f, 0, LINT0), ==, 0x10700);
    message(f, 0x62);
    ASSERT_GETS(f, 0, "61 ");
    lapic_init_reset(f->apic[0]);
    g_assert_cmphex(rd(f, 0, LINT0), ==, 0x10000);
    g_assert_cmphex(rd(f, 0, SVR), ==, 0xff);
}

static void io_write(Fixture *f, unsigned reg, uint32_t value)
{
    test_write(f->io, 0, 0, reg, 4);
    test_write(f->io, 0, 0x10, value, 4);
}

static uint32_t io_read(Fixture *f, unsigned reg)
{
    test_write(f->io, 0, 0, reg, 4);
    return (uint32_t)test_read(f->io, 0, 0x10, 4);
}

/* 82093AA 3.2: registers, edges, masks. */
static void ioapic_edges(Fixture *f, gconstpointer data)
{
    g_assert_cmphex(io_read(f, 1), ==, 0x00170020);
    io_write(f, 0, 0xffffffff);
    g_assert_cmphex(io_read(f, 0), ==, 0x0f000000);
    g_assert_cmphex(io_read(f, 0x10), ==, 0x10000);
    io_write(f, 0x15, 1u << 24);
    io_write(f, 0x14, 0x51);
    test_input(f->io, 2, true);
    test_input(f->io, 2, true);
    ASSERT_GETS(f, 1, "51 ");
    test_input(f->io, 2, false);
    ASSERT_GETS(f, 1, "");
    io_write(f, 0x14, 0x10051);
    test_input(f->io, 2, true);
    io_write(f, 0x14, 0x51);
    ASSERT_GETS(f, 1, ""); /* the edge came while masked */
    io_write(f, 0x17, 0xff000000);
    io_write(f, 0x16, 0x400); /* NMI */
    test_input(f->io, 3, true);
    for (unsigned i = 0; i < CPUS; i++) {
        g_assert_cmpuint(f->cpu[i].nmis, ==, 1);
    }
    io_write(f, 0x1e, 0x700); /* ExtINT on pin 7 */
    test_input(f->io, 7, true);
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x08);
    g_assert_false(f->cpu[0].intr);
}

/* 82093AA 3.2.4: a level waits for its EOI by remote IRR and is sent again while it is asserted. */
static void ioapic_levels(Fixture *f, gconstpointer data)
{
    io_write(f, 0x25, 1u << 24);
    io_write(f, 0x24, 0xa061);
    test_input(f->io, 10, true);
    g_assert_cmphex(io_read(f, 0x24), ==, 0xe061);
    g_assert_cmpint(lapic_ack(f->apic[1]), ==, 0x61);
    g_assert_cmphex(rd(f, 1, TMR + 0x30), ==, BIT(1));
    g_assert_false(f->cpu[1].intr);
    wr(f, 1, EOI, 0);
    g_assert_true(f->cpu[1].intr);
    g_assert_cmpint(lapic_ack(f->apic[1]), ==, 0x61);
    test_input(f->io, 10, false);
    wr(f, 1, EOI, 0);
    g_assert_false(f->cpu[1].intr);
    g_assert_cmphex(io_read(f, 0x24), ==, 0xa061);
    /* the EOI register does the same; so does going through edge mode */
    test_input(f->io, 10, true);
    test_input(f->io, 10, false);
    test_write(f->io, 0, 0x40, 0x61, 4);
    g_assert_cmphex(io_read(f, 0x24), ==, 0xa061);
    test_input(f->io, 10, true);
    io_write(f, 0x24, 0x12061);
    g_assert_cmphex(io_read(f, 0x24), ==, 0x12061);
    ASSERT_GETS(f, 1, "61 ");
    /* nobody takes it: it stays pending until someone does */
    io_write(f, 0x25, 9u << 24);
    io_write(f, 0x24, 0xa061);
    g_assert_cmphex(io_read(f, 0x24), ==, 0xa061);
    io_write(f, 0x25, 2u << 24);
    ASSERT_GETS(f, 1, "");
    g_assert_cmpint(lapic_ack(f->apic[2]), ==, 0x61);
}

/* 11.11: address and data of a message. */
static void messages(Fixture *f, gconstpointer data)
{
    apic_bus_msi(&f->bus, 0xfee01000, 0x4071);
    ASSERT_GETS(f, 1, "71 ");
    wr(f, 1, LDR, 2u << 24);
    wr(f, 2, LDR, 4u << 24);
    wr(f, 1, TPR, 0x10);
    apic_bus_msi(&f->bus, 0xfee0600c, 0x0172); /* logical, hint, lowest priority */
    ASSERT_GETS(f, 1, "");
    ASSERT_GETS(f, 2, "72 ");
    apic_bus_msi(&f->bus, 0xfee02000, 0x8073); /* level de-assert */
    apic_bus_msi(&f->bus, 0xfed02000, 0x0073);
    ASSERT_GETS(f, 2, "");
}

static void on_sink_eoi(void *opaque, uint8_t vector)
{
    *(unsigned *)opaque = *(unsigned *)opaque << 8 | vector;
}

/* An engine has the I/O APIC: it is told of the end of a level-triggered interrupt, and ours is left alone. */
static void eoi_to_engine(Fixture *f, gconstpointer data)
{
    unsigned ended = 0;
    IrqSink sink = {.full = true, .eoi = on_sink_eoi, .opaque = &ended};
    io_write(f, 0x10 + 2 * 5, 0x8066);
    test_input(f->io, 5, true);
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x66);
    f->bus.sink = &sink;
    wr(f, 0, EOI, 0);
    g_assert_cmphex(ended, ==, 0x66);
    f->bus.sink = NULL;
    g_assert_cmphex(io_read(f, 0x10 + 2 * 5) & 0x4000, ==, 0x4000);
}

static void snapshot(Fixture *f, gconstpointer data)
{
    message(f, 0x31);
    wr(f, 0, DIVIDE, 0xb);
    wr(f, 0, TIMER, 0x70);
    wr(f, 0, INITIAL, 500);
    TestCpu other = {0};
    Device *copy = test_clone(f->t, f->apic[0]);
    lapic_set_cpu(copy, &cpu_ops, &other);
    g_assert_cmpint(lapic_ack(copy), ==, 0x31);
    clock_advance(f->t->clock, 500);
    g_assert_cmpint(lapic_ack(copy), ==, 0x70);
    g_assert_cmpint(lapic_ack(f->apic[0]), ==, 0x70);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    const struct {
        const char *name;
        void (*fn)(Fixture *, gconstpointer);
    } tests[] = {
        {"/lapic/priorities", priorities}, {"/lapic/ipi-physical", ipi_physical}, {"/lapic/ipi-logical", ipi_logical},
        {"/lapic/ipi-signals", ipi_signals}, {"/lapic/errors", errors}, {"/lapic/timer", timer},
        {"/lapic/timer-storm", timer_storm}, {"/lapic/tsc-deadline", tsc_deadline}, {"/lapic/x2apic", x2apic},
        {"/lapic/lint", lint},
        {"/lapic/virtual-wire", virtual_wire},
        {"/lapic/software-disable", software_disable}, {"/ioapic/edges", ioapic_edges},
        {"/ioapic/levels", ioapic_levels}, {"/apic/messages", messages}, {"/lapic/snapshot", snapshot},
        {"/apic/eoi-to-engine", eoi_to_engine},
    };
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].fn, tear_down);
    }
    return g_test_run();
}
