/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC: acceptance, priorities, acknowledge, EOI, local interrupts, modes of the base register.
 * Spec: Intel SDM vol 3, chapter 11 (numbers below are its sections).
 */
#include "hw/intc/lapic_internal.h"

#include <string.h>

#include "hw/intc/ioapic.h"

#define F(m, reset) FIELD(Lapic, m, reset)
static const Field lapic_state[] = {
    FIELD_RANGE(Lapic, base, APIC_DEFAULT_BASE | APIC_BASE_ENABLE, 0, MASK64(51, 0)),
    F(icr, 0),
    F(tsc_deadline, 0),
    FIELD_TIME(Lapic, timer_start, 0),
    FIELD_TIME(Lapic, timer_next, TIMER_OFF),
    FIELD_ARRAY(Lapic, irr, 0),
    FIELD_ARRAY(Lapic, isr, 0),
    FIELD_ARRAY(Lapic, tmr, 0),
    FIELD_ARRAY(Lapic, lvt, LVT_MASKED),
    F(id, 0),
    F(ldr, 0),
    F(dfr, UINT32_MAX),
    FIELD_RANGE(Lapic, svr, 0xff, 0, 0x3ff),
    FIELD_RANGE(Lapic, tpr, 0, 0, 0xff),
    F(esr, 0),
    F(errors, 0),
    F(timer_initial, 0),
    F(timer_count, 0),
    FIELD_RANGE(Lapic, divide, 0, 0, 0xb),
    FIELD_RANGE(Lapic, lines, 0, 0, 3),
    FIELD_BOOL(Lapic, extint, 0),
};
#undef F

/* ---- bits of the 256-bit registers ---- */

static void set_bit(uint32_t *reg, uint8_t vector, bool value)
{
    uint32_t bit = BIT(vector & 31);
    reg[vector >> 5] = value ? reg[vector >> 5] | bit : reg[vector >> 5] & ~bit;
}

static bool test_bit(const uint32_t *reg, uint8_t vector)
{
    return reg[vector >> 5] >> (vector & 31) & 1;
}

/* The highest vector in a register, 0 for none (vectors below 16 are never set). */
static uint8_t highest(const uint32_t *reg)
{
    for (unsigned i = 8; i-- > 0;) {
        if (reg[i]) {
            return (uint8_t)(i * 32 + 31 - (unsigned)__builtin_clz(reg[i]));
        }
    }
    return 0;
}

/* ---- priorities ---- */

/* 11.8.3.1 */
uint8_t lapic_ppr(const Lapic *l)
{
    uint8_t in_service = highest(l->s.isr) & 0xf0;
    return (l->s.tpr & 0xf0) >= in_service ? (uint8_t)l->s.tpr : in_service;
}

/* The vector to be delivered next, 0 for none. */
static uint8_t deliverable(const Lapic *l)
{
    uint8_t vector = highest(l->s.irr);
    return lapic_enabled(l) && (vector & 0xf0) > (lapic_ppr(l) & 0xf0) ? vector : 0;
}

/* Does the 8259 pair want the processor? */
static bool extint_pending(const Lapic *l)
{
    if (!lapic_enabled(l)) {
        return l->s.lines & BIT(LAPIC_LINT0); /* 11.4.3: the pins are INTR and NMI */
    }
    for (unsigned n = 0; n < 2; n++) {
        uint32_t lvt = l->s.lvt[LVT_LINT0 + n];
        if ((l->s.lines & BIT(n)) && !(lvt & LVT_MASKED) && LVT_MODE(lvt) == APIC_EXTINT) {
            return true;
        }
    }
    return l->s.extint;
}

/* LINT0 can be level-triggered with fixed delivery: it asks again after EOI for as long as it is high, 11.5.1. */
static void lint0_level(Lapic *l)
{
    uint32_t lvt = l->s.lvt[LVT_LINT0];
    bool level = (lvt & LVT_LEVEL) && LVT_MODE(lvt) == APIC_FIXED && !(lvt & (LVT_MASKED | LVT_REMOTE_IRR));
    if (level && (l->s.lines & BIT(LAPIC_LINT0)) && lapic_enabled(l)) {
        l->s.lvt[LVT_LINT0] |= LVT_REMOTE_IRR;
        lapic_local(l, LVT_LINT0);
    }
}

static void lapic_update(Device *dev)
{
    Lapic *l = lapic(dev);
    if (!l->away) {
        lint0_level(l);
    }
    if (!l->away && l->cpu && l->cpu->set_intr) {
        l->cpu->set_intr(l->cpu_opaque, deliverable(l) || extint_pending(l));
    }
    lapic_timer_arm(l);
}

int lapic_ack(Device *dev)
{
    Lapic *l = lapic(dev);
    int vector = deliverable(l);
    if (vector) {
        set_bit(l->s.irr, (uint8_t)vector, false);
        set_bit(l->s.isr, (uint8_t)vector, true);
    } else if (extint_pending(l) && l->cpu && l->cpu->ack_extint) {
        l->s.extint = 0;
        vector = l->cpu->ack_extint(l->cpu_opaque) & 0xff;
    } else {
        vector = -1;
    }
    device_update(dev);
    return vector;
}

/* 11.8.5: a level-triggered interrupt is ended at the I/O APICs too. */
void lapic_eoi(Lapic *l)
{
    uint8_t vector = highest(l->s.isr);
    if (!vector) {
        return;
    }
    set_bit(l->s.isr, vector, false);
    if (!test_bit(l->s.tmr, vector)) {
        return;
    }
    if ((l->s.lvt[LVT_LINT0] & LVT_VECTOR) == vector) {
        l->s.lvt[LVT_LINT0] &= ~LVT_REMOTE_IRR;
    }
    if (l->bus) {
        apic_bus_eoi(l->bus, vector);
    }
}

/* ---- acceptance ---- */

/* 11.5.3: an error of a new kind interrupts. */
void lapic_error(Lapic *l, uint32_t bits)
{
    bool fresh = bits & ~l->s.errors;
    l->s.errors |= bits;
    if (fresh) {
        lapic_local(l, LVT_ERROR);
    }
}

static bool take_fixed(Lapic *l, uint8_t vector, bool level)
{
    if (!lapic_software_enabled(l)) {
        return false;
    }
    if (vector < 16) {
        lapic_error(l, ESR_RECEIVE_ILLEGAL);
        return false;
    }
    set_bit(l->s.irr, vector, true);
    set_bit(l->s.tmr, vector, level);
    return true;
}

static bool take(Lapic *l, const ApicMsg *msg)
{
    static const LapicCpu none;
    const LapicCpu *cpu = l->cpu ? l->cpu : &none;
    void (*signal)(void *) = NULL;
    switch (msg->mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        return take_fixed(l, msg->vector, msg->level);
    case APIC_EXTINT:
        l->s.extint = 1;
        return true;
    case APIC_SIPI:
        if (cpu->sipi) {
            cpu->sipi(l->cpu_opaque, msg->vector);
        }
        return true;
    case APIC_SMI:
        signal = cpu->smi;
        break;
    case APIC_NMI:
        signal = cpu->nmi;
        break;
    case APIC_INIT:
        signal = cpu->init;
        break;
    default:
        return false;
    }
    if (signal) {
        signal(l->cpu_opaque);
    }
    return true;
}

bool lapic_take(Lapic *l, const ApicMsg *msg)
{
    if (!lapic_enabled(l)) {
        return false;
    }
    bool taken = take(l, msg);
    device_update(&l->dev);
    return taken;
}

void lapic_local(Lapic *l, unsigned lvt)
{
    uint32_t entry = l->s.lvt[lvt];
    bool has_mode = lvt != LVT_TIMER && lvt != LVT_ERROR;
    ApicMsg msg = {.vector = entry & LVT_VECTOR, .mode = has_mode ? LVT_MODE(entry) : APIC_FIXED,
                   .level = entry & LVT_REMOTE_IRR};
    if (!(entry & LVT_MASKED) && msg.mode != APIC_EXTINT) {
        lapic_take(l, &msg);
    }
}

static void lapic_input(Device *dev, unsigned n, bool level)
{
    Lapic *l = lapic(dev);
    if (n > LAPIC_LINT1) {
        return;
    }
    bool rises = level && !(l->s.lines & BIT(n));
    l->s.lines = level ? l->s.lines | BIT(n) : l->s.lines & ~BIT(n);
    if (!rises || l->away) {
        return;
    }
    uint32_t lvt = l->s.lvt[LVT_LINT0 + n];
    if (!lapic_enabled(l)) {
        if (n == LAPIC_LINT1 && l->cpu && l->cpu->nmi) {
            l->cpu->nmi(l->cpu_opaque);
        }
    } else if (n == LAPIC_LINT1 || !(lvt & LVT_LEVEL) || LVT_MODE(lvt) != APIC_FIXED) {
        lapic_local(l, LVT_LINT0 + n);
    }
}

/* ---- what the processor sees beside the registers ---- */

uint8_t lapic_get_cr8(Device *dev)
{
    return (uint8_t)(lapic(dev)->s.tpr >> 4);
}

void lapic_set_cr8(Device *dev, uint8_t cr8)
{
    lapic(dev)->s.tpr = (cr8 & 15u) << 4;
    device_update(dev);
}

uint32_t lapic_id(Device *dev)
{
    Lapic *l = lapic(dev);
    return lapic_x2(l) ? l->initial_id : l->s.id >> 24;
}

/* 11.12.10.2: the logical x2APIC ID follows from the APIC ID. */
uint32_t lapic_ldr(const Lapic *l)
{
    return lapic_x2(l) ? (l->initial_id & ~15u) << 12 | BIT(l->initial_id & 15) : l->s.ldr;
}

/* 11.4.7.1 and 11.4.7.3; lines, ID and base stay. */
static void reset_registers(Lapic *l)
{
    uint64_t base = l->s.base;
    uint32_t id = l->s.id, lines = l->s.lines;
    memset(&l->s, 0, sizeof(l->s));
    l->s.base = base;
    l->s.id = id;
    l->s.lines = lines;
    l->s.timer_next = TIMER_OFF;
    l->s.dfr = UINT32_MAX;
    l->s.svr = 0xff;
    for (unsigned i = 0; i < NUM_LVT; i++) {
        l->s.lvt[i] = LVT_MASKED;
    }
}

void lapic_init_reset(Device *dev)
{
    reset_registers(lapic(dev));
    device_update(dev);
}

uint64_t lapic_get_base(Device *dev)
{
    return lapic(dev)->s.base;
}

/* 11.12.5: the legal transitions between disabled, xAPIC and x2APIC. */
static bool base_allowed(const Lapic *l, uint64_t value)
{
    uint64_t reserved = ~MASK64(l->phys_bits - 1, 12) & ~(uint64_t)(APIC_BASE_ENABLE | APIC_BASE_BSP);
    if (l->x2apic) {
        reserved &= ~(uint64_t)APIC_BASE_X2APIC;
    }
    bool enable = value & APIC_BASE_ENABLE, x2 = value & APIC_BASE_X2APIC;
    if ((value & reserved) || (x2 && !enable)) {
        return false;
    }
    if (lapic_x2(l)) {
        return x2 || !enable; /* back to xAPIC only through disabled */
    }
    return lapic_enabled(l) || !x2; /* from disabled to xAPIC only */
}

bool lapic_set_base(Device *dev, uint64_t value)
{
    Lapic *l = lapic(dev);
    if (!base_allowed(l, value)) {
        return false;
    }
    bool disabled = lapic_enabled(l) && !(value & APIC_BASE_ENABLE);
    l->s.base = value;
    if (disabled) {
        reset_registers(l); /* 11.4.3: as after power-up when it is enabled again */
        l->s.id = l->initial_id << 24;
    }
    device_update(dev);
    return true;
}

void lapic_tsc_changed(Device *dev)
{
    lapic_timer_settle(lapic(dev));
    device_update(dev);
}

void lapic_virtual_wire(Device *dev)
{
    Lapic *l = lapic(dev);
    l->s.svr = SVR_ENABLE | 0x0f;
    l->s.lvt[LVT_LINT0] = APIC_EXTINT << 8;
    l->s.lvt[LVT_LINT1] = APIC_NMI << 8;
    device_update(dev);
}

void lapic_set_cpu(Device *dev, const LapicCpu *cpu, void *opaque)
{
    lapic(dev)->cpu = cpu;
    lapic(dev)->cpu_opaque = opaque;
    device_update(dev);
}

/* ---- life ---- */

static uint64_t page_read(void *opaque, uint64_t offset, unsigned size)
{
    return lapic_mmio_read(opaque, (uint32_t)offset);
}

static void page_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    lapic_mmio_write(opaque, (uint32_t)offset, (uint32_t)value);
}

static const RegionOps page_ops = {.read = page_read, .write = page_write, .min_size = 4, .max_size = 4};

static bool lapic_realize(Device *dev, GError **error)
{
    Lapic *l = lapic(dev);
    timer_init(&l->timer, dev->env->clock, lapic_timer_expired, l);
    l->armed = TIMER_OFF;
    device_region_init_io(dev, "apic", 4096, &page_ops);
    return true;
}

static void lapic_unrealize(Device *dev)
{
    timer_fini(&lapic(dev)->timer);
}

static void lapic_reset(Device *dev)
{
    Lapic *l = lapic(dev);
    l->s.id = l->initial_id << 24;
    l->s.base |= l->initial_id == 0 ? APIC_BASE_BSP : 0;
}

static bool lapic_validate(const Device *dev, GError **error)
{
    const Lapic *l = container_of(dev, const Lapic, dev);
    if ((l->s.base & APIC_BASE_X2APIC) && !(l->s.base & APIC_BASE_ENABLE)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "an APIC in x2APIC mode that is disabled");
        return false;
    }
    return true;
}

static const Prop lapic_props[] = {
    PROP_UINT_(Lapic, "id", initial_id, 0, UINT32_MAX - 1, "APIC id of its processor; 0 is the boot processor"),
    {.name = "phys-bits", .kind = PROP_UINT, .size = 1, .offset = offsetof(Lapic, phys_bits), .def = 40, .min = 32,
     .max = 52, .help = "physical address bits of its processor"},
    PROP_BOOL_(Lapic, "x2apic", x2apic, 1, "the processor has x2APIC mode"),
};

DEVICE_TYPE(lapic, Lapic, .name = "apic", .desc = "local APIC", FIELDS(lapic_state), PROPS(lapic_props),
            .realize = lapic_realize, .unrealize = lapic_unrealize, .reset = lapic_reset, .update = lapic_update,
            .input = lapic_input, .validate = lapic_validate);
