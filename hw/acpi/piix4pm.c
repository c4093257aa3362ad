/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel PIIX4 power management function: ACPI fixed registers, SCI, soft-off, power button, SMI command port.
 * Spec: 82371AB (PIIX4) datasheet (290562), chapter 7; ACPI specification 6.5, section 4.8.
 */
#include "hw/acpi/piix4pm.h"

/* PM1 event bits, status and enable alike (ACPI table 4.11). */
enum {
    PM1_TMR = 1 << 0,
    PM1_BM = 1 << 4,
    PM1_GBL = 1 << 5,
    PM1_PWRBTN = 1 << 8,
    PM1_RTC = 1 << 10,
    PM1_RSM = 1 << 15
};
#define PM1_STATUS_BITS (PM1_TMR | PM1_BM | PM1_GBL | PM1_PWRBTN | PM1_RTC | PM1_RSM)
#define PM1_ENABLE_BITS (PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_RTC)
/* PM1 control (ACPI table 4.13). */
enum { SCI_EN = 1 << 0, BM_RLD = 1 << 1, SLP_TYP_SHIFT = 10, SLP_TYP = 7 << SLP_TYP_SHIFT, SLP_EN = 1 << 13 };

#define TIMER_BITS 24
#define TIMER_HALF (1ull << (TIMER_BITS - 1)) /* ticks between two changes of the top bit */
#define PM_PORTS 64
#define GPE_PORTS 4

typedef struct Piix4Pm {
    PciDevice pci;
    Irq sci;       /* pin group "sci" */
    Timer timer;   /* the next change of the PM timer's top bit, while its event is enabled */
    void *mapping; /* of the PM ports */
    uint64_t mapped_at;
    struct {
        PCI_CONFIG_STATE;
        int64_t overflow_at; /* virtual time of the top bit's next change that has not set TMR_STS yet */
        uint32_t gpe_status, gpe_enable; /* 16 bits each */
        uint16_t pm1_status, pm1_enable, pm1_control;
        uint8_t apm_control, apm_status;
    } s;
} Piix4Pm;

static Piix4Pm *piix4pm(Device *dev)
{
    return container_of(dev, Piix4Pm, pci.dev);
}

/* ---- the PM timer ---- */

static uint64_t timer_ticks(const Piix4Pm *pm)
{
    return muldiv64((uint64_t)clock_now(pm->pci.dev.env->clock), PIIX4PM_PM_TIMER_HZ, NS_PER_SEC);
}

/* The first instant after now at which the timer's top bit changes. */
static int64_t next_overflow(const Piix4Pm *pm)
{
    uint64_t ticks = (timer_ticks(pm) / TIMER_HALF + 1) * TIMER_HALF;

    return (int64_t)(muldiv64(ticks, NS_PER_SEC, PIIX4PM_PM_TIMER_HZ) + 1);
}

static void latch_overflow(Piix4Pm *pm)
{
    if (clock_now(pm->pci.dev.env->clock) >= pm->s.overflow_at) {
        pm->s.pm1_status |= PM1_TMR;
    }
}

static void timer_fired(void *opaque)
{
    device_update(&((Piix4Pm *)opaque)->pci.dev);
}

/* ---- fixed registers, at PMBA ---- */

static uint64_t pm1_status_read(Device *dev)
{
    latch_overflow(piix4pm(dev));
    return piix4pm(dev)->s.pm1_status;
}

static void pm1_status_write(Device *dev, uint64_t value)
{
    Piix4Pm *pm = piix4pm(dev);

    latch_overflow(pm);
    if (pm->s.pm1_status & value & PM1_TMR) {
        pm->s.overflow_at = next_overflow(pm);
    }
    pm->s.pm1_status &= (uint16_t)~value;
}

static uint64_t pm1_control_read(Device *dev)
{
    return piix4pm(dev)->s.pm1_control;
}

static void pm1_control_write(Device *dev, uint64_t value)
{
    Piix4Pm *pm = piix4pm(dev);
    unsigned type = (value & SLP_TYP) >> SLP_TYP_SHIFT;

    /* SCI_EN is set and cleared through the SMI command port only (ACPI 4.8.2.5). */
    pm->s.pm1_control = (uint16_t)((pm->s.pm1_control & SCI_EN) | (value & (BM_RLD | SLP_TYP)));
    if (value & SLP_EN) {
        if (type == PIIX4PM_SLP_TYP_S5) {
            dev->env->request(dev->env->opaque, REQUEST_SHUTDOWN, 0);
        } else {
            guest_unimp(dev, "sleep type %u: only soft-off exists", type);
        }
    }
}

static uint64_t pm_timer_read(Device *dev)
{
    return timer_ticks(piix4pm(dev)) & ((1u << TIMER_BITS) - 1);
}

static const Reg piix4pm_regs[] = {
    {0x00, "PMSTS", REG_ANY_BANK, 2, HANDLED(pm1_status_read, pm1_status_write)},
    {0x02, "PMEN", REG_ANY_BANK, 2, BACKED(Piix4Pm, pm1_enable, PM1_ENABLE_BITS)},
    {0x04, "PMCNTRL", REG_ANY_BANK, 2, HANDLED(pm1_control_read, pm1_control_write)},
    {0x08, "PMTMR", REG_ANY_BANK, 4, HANDLED(pm_timer_read, NULL)},
};

/* ---- general purpose events ---- */

/* One byte: status 0-1 (write one to clear), enable 2-3. */
static uint64_t gpe_read(void *opaque, uint64_t offset, unsigned size)
{
    const Piix4Pm *pm = opaque;
    uint32_t word = offset < 2 ? pm->s.gpe_status : pm->s.gpe_enable;

    return word >> (offset & 1 ? 8 : 0) & 0xff;
}

static void gpe_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Piix4Pm *pm = opaque;
    unsigned shift = offset & 1 ? 8 : 0;

    if (offset < 2) {
        pm->s.gpe_status &= ~((uint32_t)(value & 0xff) << shift);
    } else {
        pm->s.gpe_enable = (pm->s.gpe_enable & ~(0xffu << shift)) | (uint32_t)(value & 0xff) << shift;
    }
}

static const RegionOps gpe_ops = {.read = gpe_read, .write = gpe_write, .max_size = 1};

/* ---- ports 0xb2 and 0xb3: to the SMI handler, which on a PC hands ACPI over to the operating system ---- */

static uint64_t apm_read(void *opaque, uint64_t offset, unsigned size)
{
    const Piix4Pm *pm = opaque;

    return offset ? pm->s.apm_status : pm->s.apm_control;
}

static void apm_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Piix4Pm *pm = opaque;

    if (offset) {
        pm->s.apm_status = (uint8_t)value;
        return;
    }
    pm->s.apm_control = (uint8_t)value;
    if (pm->s.apm_control == PIIX4PM_ACPI_ENABLE) {
        pm->s.pm1_control |= SCI_EN;
    } else if (pm->s.apm_control == PIIX4PM_ACPI_DISABLE) {
        pm->s.pm1_control &= (uint16_t)~SCI_EN;
    }
}

static const RegionOps apm_ops = {.read = apm_read, .write = apm_write, .max_size = 1};

/* ---- outputs ---- */

static void update_ports(Piix4Pm *pm)
{
    uint64_t base = pci_get16(pm->s.config, PIIX4PM_PMBA) & ~(PM_PORTS - 1u);
    uint64_t want = pm->s.config[PIIX4PM_PMREGMISC] & 1 && base ? base : PCI_UNMAPPED;

    if (!pm->pci.bus || want == pm->mapped_at) {
        return;
    }
    if (pm->mapped_at != PCI_UNMAPPED) {
        pci_bus_unmap(pm->pci.bus, true, pm->mapping);
    }
    pm->mapped_at = want;
    pm->mapping = NULL;
    if (want != PCI_UNMAPPED) {
        pm->mapping = pci_bus_map(pm->pci.bus, true, want, device_region(&pm->pci.dev, PIIX4PM_REGS));
    }
}

static void piix4pm_update(Device *dev)
{
    Piix4Pm *pm = piix4pm(dev);
    bool event;
    bool wait;

    pci_device_update(&pm->pci);
    update_ports(pm);
    latch_overflow(pm);
    event = (pm->s.pm1_status & pm->s.pm1_enable & PM1_ENABLE_BITS) || (pm->s.gpe_status & pm->s.gpe_enable);
    /* Before ACPI mode an event is an SMI, and the handler of an idle firmware does nothing. */
    irq_set(&pm->sci, event && (pm->s.pm1_control & SCI_EN));
    wait = (pm->s.pm1_enable & PM1_TMR) && !(pm->s.pm1_status & PM1_TMR);
    timer_set(&pm->timer, wait ? pm->s.overflow_at : TIMER_OFF);
}

void piix4pm_power_button(Device *dev)
{
    piix4pm(dev)->s.pm1_status |= PM1_PWRBTN;
    device_update(dev);
}

/* ---- the device ---- */

static bool piix4pm_realize(Device *dev, GError **error)
{
    static const PciIds ids = {.vendor = 0x8086,
                               .device = 0x7113,
                               .class_code = 0x0680,
                               .revision = 3,
                               .sub_vendor = 0x1af4,
                               .sub_device = 0x1100};
    Piix4Pm *pm = piix4pm(dev);
    uint8_t *init = pm->pci.init;
    uint8_t *wmask = pm->pci.wmask;

    pci_device_init(&pm->pci, pm->s.config, &ids);
    pci_put16(wmask, PCI_COMMAND, PCI_COMMAND_IO);
    pci_put16(init, PCI_STATUS, 0x0280);
    pci_set_interrupt_pin(&pm->pci, 1);
    init[PIIX4PM_PMBA] = 1; /* I/O space, hardwired */
    pci_put16(wmask, PIIX4PM_PMBA, 0xffc0);
    wmask[PIIX4PM_PMREGMISC] = 1;
    /* There is no system management mode: firmware that finds APMC_EN set leaves it alone, as after a warm start. */
    init[PIIX4PM_DEVACTB + 3] = (uint8_t)(DEVACTB_APMC_EN >> 24);
    init[PIIX4PM_SMBBA] = 1;
    pci_put16(wmask, PIIX4PM_SMBBA, 0xfff0);
    wmask[PIIX4PM_SMBHSTCFG] = 0x0f;
    pm->mapped_at = PCI_UNMAPPED;
    timer_init(&pm->timer, dev->env->clock, timer_fired, pm);
    device_region_init_regs(dev, "piix4-pm", PM_PORTS, true);
    device_region_init_io(dev, "acpi-gpe0", GPE_PORTS, &gpe_ops);
    device_region_init_io(dev, "apm", 2, &apm_ops);
    return true;
}

static void piix4pm_unrealize(Device *dev)
{
    Piix4Pm *pm = piix4pm(dev);

    timer_fini(&pm->timer);
    if (pm->pci.bus && pm->mapped_at != PCI_UNMAPPED) {
        pci_bus_unmap(pm->pci.bus, true, pm->mapping);
    }
    pci_device_fini(&pm->pci);
}

static void piix4pm_reset(Device *dev)
{
    Piix4Pm *pm = piix4pm(dev);

    pci_device_reset(&pm->pci);
    pm->s.overflow_at = next_overflow(pm);
}

static bool piix4pm_validate(const Device *dev, GError **error)
{
    return pci_device_validate((const PciDevice *)dev, error);
}

static const Field piix4pm_state[] = {
    PCI_CONFIG_FIELD(Piix4Pm),
    FIELD_TIME(Piix4Pm, overflow_at, TIMER_OFF),
    FIELD_RANGE(Piix4Pm, gpe_status, 0, 0, 0xffff),
    FIELD_RANGE(Piix4Pm, gpe_enable, 0, 0, 0xffff),
    FIELD_RANGE(Piix4Pm, pm1_status, 0, 0, PM1_STATUS_BITS),
    FIELD_RANGE(Piix4Pm, pm1_enable, 0, 0, PM1_ENABLE_BITS),
    FIELD_RANGE(Piix4Pm, pm1_control, 0, 0, SCI_EN | BM_RLD | SLP_TYP),
    FIELD(Piix4Pm, apm_control, 0),
    FIELD(Piix4Pm, apm_status, 0),
};

static const Pin piix4pm_pins[] = {PIN(Piix4Pm, "sci", sci)};

DEVICE_TYPE(piix4pm, Piix4Pm, .name = "PIIX4_PM",
            .desc = "PIIX4 power management: ACPI registers, soft-off, PM timer", .bus = BUS_NONE,
            FIELDS(piix4pm_state), REGS(piix4pm_regs), PINS(piix4pm_pins), .realize = piix4pm_realize,
            .unrealize = piix4pm_unrealize, .reset = piix4pm_reset, .update = piix4pm_update,
            .validate = piix4pm_validate);
