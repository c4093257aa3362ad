/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pc board's processors with their local APICs, the I/O APIC, the 8259 pair, and the wires among them.
 * Spec: Intel SDM vol 3, chapter 11; Intel MultiProcessor specification 1.4, section 3.6.2.
 */
#include "hw/i386/pc.h"

#include "hw/i386/memory_map.h"
#include "hw/intc/i8259.h"
#include "target/x86/cpuid.h"
#include "target/x86/tsc.h"

#define APIC_PAGE_PRIORITY 10 /* above RAM and PCI: the processor does not let these accesses out */
#define ELCR_PORT 0x4d0

/* ---- the page of registers ---- */

/* The local APIC that this thread's processor sees at the page, or NULL: it is elsewhere, or not mapped at all. */
static Device *lapic_at(const PcApicPage *page)
{
    X86Cpu *cpu = cpu_current();
    Device *lapic;
    uint64_t base;

    if (!cpu || cpu->index >= page->pc->machine->num_cpus) {
        return NULL;
    }
    lapic = page->pc->cpus[cpu->index].lapic;
    base = lapic_get_base(lapic);
    return (base & APIC_BASE_ENABLE) && !(base & APIC_BASE_X2APIC) && (base & PAGE_MASK) == page->addr ? lapic : NULL;
}

/* Before and after an access to a local APIC that an engine has. */
static void borrow(const PcBoard *pc, unsigned cpu, bool begin)
{
    const IrqSink *sink = pc->apic_bus.sink;

    if (sink) {
        sink->borrow(sink->opaque, cpu, begin);
    }
}

static uint64_t page_read(void *opaque, uint64_t offset, unsigned size)
{
    const PcApicPage *page = opaque;
    Device *lapic = lapic_at(page);
    uint64_t value;

    if (!lapic) {
        return UINT64_MAX;
    }
    borrow(page->pc, cpu_current()->index, true);
    value = lapic_mmio_read(lapic, (uint32_t)offset);
    borrow(page->pc, cpu_current()->index, false);
    return value;
}

static void page_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    const PcApicPage *page = opaque;
    Device *lapic = lapic_at(page);

    if (lapic) {
        borrow(page->pc, cpu_current()->index, true);
        lapic_mmio_write(lapic, (uint32_t)offset, (uint32_t)value);
        borrow(page->pc, cpu_current()->index, false);
    }
}

static const RegionOps page_ops = {.read = page_read, .write = page_write, .min_size = 4, .max_size = 4};

static PcApicPage *find_page(PcBoard *pc, gpa_t addr)
{
    for (unsigned n = 0; n < pc->apic_pages->len; n++) {
        PcApicPage *page = g_ptr_array_index(pc->apic_pages, n);
        if (page->addr == addr) {
            return page;
        }
    }
    return NULL;
}

static void use_page(PcBoard *pc, gpa_t addr, unsigned users)
{
    PcApicPage *page = find_page(pc, addr);

    if (!page) {
        page = g_new0(PcApicPage, 1);
        page->pc = pc;
        page->addr = addr;
        region_init_io(&page->region, "local-apic", PAGE_SIZE, &page_ops, page);
        page->mapping = space_map(pc->machine->memory, addr, &page->region, 0, PAGE_SIZE, APIC_PAGE_PRIORITY);
        g_ptr_array_add(pc->apic_pages, page);
    }
    page->users += users;
}

static void leave_page(PcBoard *pc, gpa_t addr)
{
    PcApicPage *page = find_page(pc, addr);

    if (page && --page->users == 0) {
        space_unmap(pc->machine->memory, page->mapping);
        g_ptr_array_remove(pc->apic_pages, page);
    }
}

static void move_page(PcBoard *pc, gpa_t from, gpa_t to)
{
    if (from != to) {
        use_page(pc, to, 1);
        leave_page(pc, from);
    }
}

void pc_apic_move_page(PcBoard *pc, unsigned cpu, uint64_t base)
{
    move_page(pc, lapic_get_base(pc->cpus[cpu].lapic) & PAGE_MASK, base & PAGE_MASK);
}

/* ---- the processor asks its APIC ---- */

static Device *lapic_of(void *opaque)
{
    return ((PcCpu *)opaque)->lapic;
}

static int cpu_ack(void *opaque)
{
    return lapic_ack(lapic_of(opaque));
}

static uint8_t cpu_get_tpr(void *opaque)
{
    return lapic_get_cr8(lapic_of(opaque));
}

static void cpu_set_tpr(void *opaque, uint8_t cr8)
{
    lapic_set_cr8(lapic_of(opaque), cr8);
}

static uint64_t cpu_get_base(void *opaque)
{
    return lapic_get_base(lapic_of(opaque));
}

static bool cpu_set_base(void *opaque, uint64_t value)
{
    PcCpu *c = opaque;
    uint64_t old = lapic_get_base(c->lapic);

    if (!lapic_set_base(c->lapic, value)) {
        return false;
    }
    move_page(c->pc, old & PAGE_MASK, lapic_get_base(c->lapic) & PAGE_MASK);
    return true;
}

static bool cpu_read_apic_msr(void *opaque, uint32_t msr, uint64_t *value)
{
    PcCpu *c = opaque;
    bool ok;

    borrow(c->pc, c->cpu->index, true);
    ok = lapic_read_msr(c->lapic, msr, value);
    borrow(c->pc, c->cpu->index, false);
    return ok;
}

static bool cpu_write_apic_msr(void *opaque, uint32_t msr, uint64_t value)
{
    PcCpu *c = opaque;
    bool ok;

    borrow(c->pc, c->cpu->index, true);
    ok = lapic_write_msr(c->lapic, msr, value);
    borrow(c->pc, c->cpu->index, false);
    return ok;
}

static void cpu_took_init(void *opaque)
{
    lapic_init_reset(lapic_of(opaque));
}

static bool cpu_send(void *opaque, uint32_t apic_id, uint8_t vector, bool nmi)
{
    PcCpu *c = opaque;
    ApicMsg msg = {.dest = apic_id, .wide = true, .mode = nmi ? APIC_NMI : APIC_FIXED, .vector = vector};

    return apic_bus_deliver(&c->pc->apic_bus, &msg) != 0;
}

static const ApicOps apic_ops = {
    .ack = cpu_ack,
    .get_tpr = cpu_get_tpr,
    .set_tpr = cpu_set_tpr,
    .get_base = cpu_get_base,
    .set_base = cpu_set_base,
    .read_msr = cpu_read_apic_msr,
    .write_msr = cpu_write_apic_msr,
    .init = cpu_took_init,
    .send = cpu_send,
};

/* ---- the APIC tells its processor ---- */

static void to_cpu_intr(void *opaque, bool level)
{
    cpu_set_intr(((PcCpu *)opaque)->cpu, level);
}

static void to_cpu_nmi(void *opaque)
{
    cpu_raise_event(((PcCpu *)opaque)->cpu, EVENT_NMI);
}

static void to_cpu_smi(void *opaque)
{
    cpu_raise_event(((PcCpu *)opaque)->cpu, EVENT_SMI);
}

static void to_cpu_init(void *opaque)
{
    cpu_raise_event(((PcCpu *)opaque)->cpu, EVENT_INIT);
}

static void to_cpu_sipi(void *opaque, uint8_t vector)
{
    X86Cpu *cpu = ((PcCpu *)opaque)->cpu;

    __atomic_store_n(&cpu->sipi_vector, vector, __ATOMIC_SEQ_CST);
    cpu_raise_event(cpu, EVENT_SIPI);
}

static int from_pic(void *opaque)
{
    return i8259_ack(((PcCpu *)opaque)->pc->pic);
}

static int64_t tsc_to_ns(void *opaque, uint64_t tsc)
{
    return cpu_tsc_to_ns(((PcCpu *)opaque)->cpu, tsc);
}

static const LapicCpu lapic_cpu = {
    .set_intr = to_cpu_intr,
    .nmi = to_cpu_nmi,
    .smi = to_cpu_smi,
    .init = to_cpu_init,
    .sipi = to_cpu_sipi,
    .ack_extint = from_pic,
    .tsc_to_ns = tsc_to_ns,
};

/* ---- building ---- */

static bool add_cpu(PcBoard *pc, unsigned n, GError **error)
{
    Machine *m = pc->machine;
    const CpuModel *model = pc->config->cpu_model;
    PcCpu *c = &pc->cpus[n];
    g_autofree char *name = g_strdup_printf("apic%u", n);
    g_autofree char *id = g_strdup_printf("%u", n);
    g_autofree char *bits = g_strdup_printf("%u", model->phys_bits);

    c->pc = pc;
    c->ops = lapic_cpu;
    c->cpu = cpu_new(m, n, model);
    m->cpus[n] = c->cpu;
    m->num_cpus = n + 1;
    c->lapic = machine_add_device(m, "apic", name, error, "id", id, "phys-bits", bits, "x2apic",
                                  feature_in(&model->features, FEAT_X2APIC) ? "on" : "off", NULL);
    if (!c->lapic) {
        return false;
    }
    apic_bus_add_lapic(&pc->apic_bus, c->lapic);
    lapic_set_cpu(c->lapic, &c->ops, c);
    c->cpu->apic = &apic_ops;
    c->cpu->apic_opaque = c;
    return true;
}

/* INTR of the 8259 pair is LINT0 of every local APIC. */
static void pic_intr(void *opaque, unsigned n, bool level)
{
    PcBoard *pc = opaque;

    if (pc->apic_bus.sink && pc->apic_bus.sink->intr) {
        pc->apic_bus.sink->intr(pc->apic_bus.sink->opaque, level);
    }
    for (unsigned i = 0; i < pc->machine->num_cpus; i++) {
        Irq lint0 = device_input(pc->cpus[i].lapic, LAPIC_LINT0);
        irq_set(&lint0, level);
    }
}

static void send_msi(void *opaque, uint64_t addr, uint32_t data)
{
    Machine *m = opaque;

    apic_bus_msi(&pc_board(m)->apic_bus, addr, data);
}

bool pc_apic_init(PcBoard *pc, GError **error)
{
    Machine *m = pc->machine;
    unsigned count = pc->config->num_cpus;

    pc->cpus = g_new0(PcCpu, count);
    m->cpus = g_new0(X86Cpu *, count);
    pc->apic_pages = g_ptr_array_new_with_free_func(g_free);
    for (unsigned n = 0; n < count; n++) {
        if (!add_cpu(pc, n, error)) {
            return false;
        }
    }
    use_page(pc, APIC_DEFAULT_BASE, count);
    pc->ioapic = machine_add_device(m, "ioapic", "ioapic", error, NULL);
    pc->pic = pc->ioapic ? machine_add_device(m, "i8259", "pic", error, NULL) : NULL;
    if (!pc->pic) {
        return false;
    }
    apic_bus_add_ioapic(&pc->apic_bus, pc->ioapic);
    space_map(m->memory, IOAPIC_BASE, device_region(pc->ioapic, 0), 0, PAGE_SIZE, APIC_PAGE_PRIORITY);
    pc_map_ports(pc, pc->pic, 0, 0x20);
    pc_map_ports(pc, pc->pic, 1, 0xa0);
    pc_map_ports(pc, pc->pic, 2, ELCR_PORT);
    device_connect(pc->pic, "intr", 0, (Irq){.fn = pic_intr, .opaque = pc});
    m->env.msi = send_msi;
    m->irqchip = &pc_irqchip_ops;
    m->irqchip_opaque = pc;
    return true;
}

void pc_apic_reset(PcBoard *pc)
{
    unsigned count = pc->machine->num_cpus;

    space_begin(pc->machine->memory);
    use_page(pc, APIC_DEFAULT_BASE, 1); /* stays while the others go */
    for (unsigned n = pc->apic_pages->len; n-- > 0;) {
        PcApicPage *page = g_ptr_array_index(pc->apic_pages, n);
        if (page->addr != APIC_DEFAULT_BASE) {
            space_unmap(pc->machine->memory, page->mapping);
            g_ptr_array_remove_index(pc->apic_pages, n);
        }
    }
    find_page(pc, APIC_DEFAULT_BASE)->users = count;
    space_commit(pc->machine->memory);
}

void pc_apic_fini(PcBoard *pc)
{
    if (pc->apic_pages) {
        g_ptr_array_free(pc->apic_pages, true);
    }
    g_free(pc->cpus);
}
