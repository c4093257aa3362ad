/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pc board without an engine: what a kernel finds at its entry point, and which wires lead where. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hw/acpi/piix4pm.h"
#include "hw/i386/board.h"
#include "target/x86/cpu.h"
#include "target/x86/cpuid.h"
#include "target/x86/segment.h"

#define RAM (64 * MIB)

typedef struct Rig {
    Machine *m;
    const Board *board;
    BoardConfig config;
    CpuModel *model;
    int kernel;
    char *name;
} Rig;

/* A multiboot image of one page at 2 MiB. */
static int make_kernel(void)
{
    uint32_t image[1024] = {0x1badb002, 0x10003, 0u - 0x1badb002u - 0x10003u, 0x200000, 0x200000, 0, 0, 0x200020};
    int fd = memfd_create("kernel", 0);

    g_assert_cmpint(write(fd, image, sizeof(image)), ==, sizeof(image));
    return fd;
}

static bool rig_try(Rig *rig, const char **devices, unsigned cpus, GError **error)
{
    *rig = (Rig){.kernel = make_kernel()};
    rig->name = g_strdup_printf("/proc/self/fd/%d", rig->kernel);
    rig->model = cpu_model_parse("qemu64", NULL);
    g_assert_nonnull(rig->model);
    rig->config = (BoardConfig){.ram_size = RAM, .num_cpus = cpus, .cpu_model = rig->model, .kernel = rig->name,
                                .append = "test", .devices = devices, .pit = true, .acpi = true};
    rig->m = machine_new(RAM, NULL);
    g_assert_nonnull(rig->m);
    rig->board = board_find("pc");
    return rig->board->init(rig->m, &rig->config, error);
}

static Rig rig_new(const char **devices)
{
    Rig rig;
    g_autoptr(GError) error = NULL;

    rig_try(&rig, devices, 2, &error);
    g_assert_no_error(error);
    machine_lock(rig.m->lock);
    rig.board->reset(rig.m);
    machine_unlock(rig.m->lock);
    return rig;
}

static void rig_free(Rig *rig)
{
    machine_lock(rig->m->lock);
    rig->board->destroy(rig->m);
    machine_unlock(rig->m->lock);
    machine_free(rig->m);
    cpu_model_free(rig->model);
    close(rig->kernel);
    g_free(rig->name);
}

static uint64_t in(Rig *rig, uint16_t port, unsigned size)
{
    return space_read(rig->m->io, port, size);
}

static void out(Rig *rig, uint16_t port, uint64_t value, unsigned size)
{
    space_write(rig->m->io, port, value, size);
}

static uint32_t conf(Rig *rig, unsigned slot, unsigned function, unsigned offset)
{
    out(rig, 0xcf8, 0x80000000u | slot << 11 | function << 8 | offset, 4);
    return (uint32_t)in(rig, 0xcfc, 4);
}

/* Multiboot 3.2, and what firmware leaves behind. */
static void test_entry(void)
{
    Rig rig = rig_new(NULL);
    X86Cpu *cpu = rig.m->cpus[0];

    for (unsigned round = 0; round < 2; round++) {
        g_assert_cmphex(cpu->rip, ==, 0x200020);
        g_assert_cmphex(cpu->r[RAX], ==, 0x2badb002);
        g_assert_cmphex(cpu->cr0 & (CR0_PE | CR0_PG), ==, CR0_PE);
        g_assert_cmpuint(cpu->code_size, ==, 1);
        g_assert_cmphex(cpu->seg[SEG_CS].limit, ==, UINT32_MAX);
        g_assert_cmphex(cpu->seg[SEG_SS].attr & SEG_DB, ==, SEG_DB);
        g_assert_cmphex(cpu->a20_mask, ==, UINT64_MAX);
        g_assert_cmphex(cpu->msr.mtrr_def_type, ==, 0xc06);
        g_assert_cmphex(rig.m->cpus[1]->msr.mtrr_def_type, ==, 0xc06);
        g_assert_false(cpu->wait_sipi);
        g_assert_true(rig.m->cpus[1]->wait_sipi);
        g_assert_cmphex(space_read(rig.m->memory, 0x200000, 4), ==, 0x1badb002);
        g_assert_cmphex(space_read(rig.m->memory, cpu->r[RBX], 4) & 0x40, ==, 0x40);
        g_assert_cmphex(space_read(rig.m->memory, 0xe0000, 8), ==, 0x2052545020445352); /* "RSD PTR " */
        g_assert_cmphex(space_read(rig.m->memory, 0x413, 2), ==, 639);
        /* spoil it and reset */
        space_write(rig.m->memory, 0x200000, 0, 4);
        cpu->rip = 0;
        cpu->a20_mask = 0;
        cpu->cr0 = 0;
        machine_lock(rig.m->lock);
        rig.board->reset(rig.m);
        machine_unlock(rig.m->lock);
    }
    rig_free(&rig);
}

static void test_memory(void)
{
    Rig rig = rig_new(NULL);
    AddressSpace *mem = rig.m->memory;
    FlatRange range;

    g_assert_false(space_lookup(mem, 0xa0000, &range)); /* no display adapter */
    g_assert_false(space_lookup(mem, RAM, &range));
    g_assert_true(space_lookup(mem, 0xfec00000, &range));
    g_assert_true(space_lookup(mem, 0xfee00fff, &range));
    g_assert_cmphex(space_read(mem, RAM, 4), ==, UINT32_MAX);
    space_write(mem, 0xc8000, 0x1234, 2);
    g_assert_cmphex(space_read(mem, 0xc8000, 2), ==, 0x1234);
    /* C8000 (5Bh low nibble): read only, then write only, then neither */
    conf(&rig, 0, 0, 0x58);
    out(&rig, 0xcfc + 3, 0x31, 1);
    space_write(mem, 0xc8000, 0x5678, 2);
    g_assert_cmphex(space_read(mem, 0xc8000, 2), ==, 0x1234);
    out(&rig, 0xcfc + 3, 0x32, 1);
    space_write(mem, 0xc8000, 0x5678, 2);
    g_assert_cmphex(space_read(mem, 0xc8000, 2), ==, 0xffff);
    out(&rig, 0xcfc + 3, 0x30, 1);
    g_assert_cmphex(space_read(mem, 0xc8000, 2), ==, 0xffff);
    out(&rig, 0xcfc + 3, 0x33, 1);
    g_assert_cmphex(space_read(mem, 0xc8000, 2), ==, 0x5678);
    rig_free(&rig);
}

/* 8042 and port 92h are ORed; the gate reaches every processor. */
static void test_a20(void)
{
    Rig rig = rig_new(NULL);

    out(&rig, 0x92, 0, 1);
    g_assert_cmphex(rig.m->cpus[0]->a20_mask, ==, UINT64_MAX); /* the keyboard controller still holds it open */
    out(&rig, 0x64, 0xd1, 1);
    out(&rig, 0x60, 0xdd, 1);
    g_assert_cmphex(rig.m->cpus[0]->a20_mask, ==, ~BIT64(20));
    g_assert_cmphex(rig.m->cpus[1]->a20_mask, ==, ~BIT64(20));
    out(&rig, 0x92, 2, 1);
    g_assert_cmphex(rig.m->cpus[1]->a20_mask, ==, UINT64_MAX);
    rig_free(&rig);
}

static void test_pci(void)
{
    const char *devices[] = {"pci-testdev", NULL};
    Rig rig = rig_new(devices);

    g_assert_cmphex(conf(&rig, 0, 0, 0), ==, 0x12378086);
    g_assert_cmphex(conf(&rig, 1, 0, 0), ==, 0x70008086);
    g_assert_cmphex(conf(&rig, 1, 0, 0x60), ==, 0x0b0b0a0a);
    g_assert_cmphex(conf(&rig, 1, 3, 0), ==, 0x71138086);
    g_assert_cmphex(conf(&rig, 1, 3, 0x40), ==, 0x601);
    g_assert_cmphex(conf(&rig, 1, 3, 0x3c) & 0xff, ==, 9);
    g_assert_cmphex(conf(&rig, 2, 0, 0), ==, 0x00051b36);
    g_assert_cmphex(conf(&rig, 2, 0, 4) & 7, ==, 3);
    g_assert_cmphex(conf(&rig, 3, 0, 0), ==, UINT32_MAX);
    /* both windows of the test device answer where firmware put them */
    gpa_t mem = conf(&rig, 2, 0, 0x10) & ~0xfu;
    uint16_t io = (uint16_t)(conf(&rig, 2, 0, 0x14) & ~3u);
    g_assert_cmphex(mem, >=, 0xe0000000);
    g_assert_cmphex(io, >=, 0xc000);
    space_write(rig.m->memory, mem, 0, 1);
    g_assert_cmphex(space_read(rig.m->memory, mem + 1, 1), ==, 1);
    out(&rig, io, 1, 1);
    g_assert_cmphex(in(&rig, io + 1, 1), ==, 1);
    /* a window over RAM does not hide it */
    space_write(rig.m->memory, 0x300000, 0x77, 1);
    conf(&rig, 2, 0, 0x10);
    out(&rig, 0xcfc, 0x300000, 4);
    g_assert_cmphex(space_read(rig.m->memory, 0x300000, 1), ==, 0x77);
    rig_free(&rig);
}

/* ACPI mode, the power button's SCI at the I/O APIC (pin 9), soft-off, reset register. */
static void test_power(void)
{
    Rig rig = rig_new(NULL);
    RunRequests asked;

    g_assert_cmphex(in(&rig, 0x604, 2), ==, 0);
    out(&rig, 0xb2, 0xf1, 1);
    g_assert_cmphex(in(&rig, 0x604, 2), ==, 1);
    out(&rig, 0x602, 0x100, 2);
    space_write(rig.m->memory, 0xfec00000, 0x10 + 2 * 9, 4); /* its redirection entry: level, masked */
    space_write(rig.m->memory, 0xfec00010, 0x18031, 4);
    machine_lock(rig.m->lock);
    rig.board->power_button(rig.m);
    machine_unlock(rig.m->lock);
    g_assert_cmphex(in(&rig, 0x600, 2) & 0x100, ==, 0x100);
    /* level-triggered at the 8259 too: ELCR, and the request shows in the slave's IRR */
    g_assert_cmphex(in(&rig, 0x4d1, 1), ==, 0x0e);
    out(&rig, 0xa0, 0x0a, 1);
    g_assert_cmphex(in(&rig, 0xa0, 1) & 2, ==, 2);
    out(&rig, 0x600, 0x100, 2);
    g_assert_cmphex(in(&rig, 0xa0, 1) & 2, ==, 0);
    g_assert_false(run_take_requests(rig.m->run, &asked));
    out(&rig, 0xcf9, 6, 1);
    g_assert_true(run_take_requests(rig.m->run, &asked));
    g_assert_true(asked.reset && !asked.exit);
    out(&rig, 0x604, 0x2001, 2);
    g_assert_true(run_take_requests(rig.m->run, &asked));
    g_assert_true(asked.exit);
    g_assert_cmpint(asked.cause, ==, CAUSE_GUEST_SHUTDOWN);
    rig_free(&rig);
}

/* Two sources on one interrupt are ORed: the test device's line 5 and a PCI request routed there. */
static void test_shared_line(void)
{
    const char *devices[] = {"pc-testdev", NULL};
    Rig rig = rig_new(devices);

    out(&rig, 0x4d0, 0x20, 1);
    out(&rig, 0x20, 0x0a, 1);
    out(&rig, 0x2005, 1, 1);
    g_assert_cmphex(in(&rig, 0x20, 1) & 0x20, ==, 0x20);
    out(&rig, 0x2005, 0, 1);
    g_assert_cmphex(in(&rig, 0x20, 1) & 0x20, ==, 0);
    rig_free(&rig);
}

/* The page at each processor's APIC base: without a processor it answers nobody; it follows the base register. */
static void test_apic_page(void)
{
    Rig rig = rig_new(NULL);
    X86Cpu *cpu = rig.m->cpus[1];
    AddressSpace *mem = rig.m->memory;

    g_assert_cmphex(space_read(mem, 0xfee00020, 4), ==, UINT32_MAX);
    cpu_set_current(cpu);
    g_assert_cmphex(space_read(mem, 0xfee00020, 4), ==, 1u << 24);
    machine_lock(rig.m->lock);
    g_assert_true(cpu->apic->set_base(cpu->apic_opaque, 0x3000800));
    machine_unlock(rig.m->lock);
    g_assert_cmphex(space_read(mem, 0x3000020, 4), ==, 1u << 24);
    g_assert_cmphex(space_read(mem, 0xfee00020, 4), ==, UINT32_MAX);
    cpu_set_current(rig.m->cpus[0]);
    g_assert_cmphex(space_read(mem, 0xfee00020, 4), ==, 0);
    machine_lock(rig.m->lock);
    rig.board->reset(rig.m);
    machine_unlock(rig.m->lock);
    cpu_set_current(cpu);
    g_assert_cmphex(space_read(mem, 0xfee00020, 4), ==, 1u << 24);
    cpu_set_current(NULL);
    space_write(mem, 0x3000020, 0x55, 1);
    g_assert_cmphex(space_read(mem, 0x3000020, 1), ==, 0x55); /* RAM again */
    rig_free(&rig);
}

static void test_bad_devices(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"pci-testde", "did you mean 'pci-testdev'"},
        {"PIIX3", "part of the board"},
        {"pci-testdev,adr=1", "did you mean 'addr'"},
        {"pci-testdev,addr=40", "not a PCI address"},
        {"pci-testdev,addr=0", "taken by i440FX"},
        {"pci-testdev,membar=5", "power of two"},
        {"pci-testdev,bus=isa.0", "no such bus"},
        {"isa-debug-exit,iobase=0x40", "port 0x40 is taken"},
        {"isa-debug-exit,iobase=0xffff,iosize=4", "beyond port 0xffff"},
        {"isa-serial,chardev=none", "no -chardev with id=none"},
        {"isa-debug-exit,id=pic", "id 'pic' is taken"},
        {"", "missing"},
    };

    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        const char *devices[] = {cases[n].text, NULL};
        g_autoptr(GError) error = NULL;
        Rig rig;
        g_assert_false(rig_try(&rig, devices, 1, &error));
        if (!error || !strstr(error->message, cases[n].message)) {
            g_error("-device %s: '%s' does not contain '%s'", cases[n].text, error ? error->message : "(none)",
                    cases[n].message);
        }
        rig_free(&rig);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pc/entry", test_entry);
    g_test_add_func("/pc/memory", test_memory);
    g_test_add_func("/pc/a20", test_a20);
    g_test_add_func("/pc/pci", test_pci);
    g_test_add_func("/pc/power", test_power);
    g_test_add_func("/pc/shared-line", test_shared_line);
    g_test_add_func("/pc/apic-page", test_apic_page);
    g_test_add_func("/pc/bad-devices", test_bad_devices);
    return g_test_run();
}
