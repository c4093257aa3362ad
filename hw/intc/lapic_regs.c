/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's registers: the xAPIC page and the x2APIC MSRs.
 * Spec: Intel SDM vol 3, table 11-1 (page), table 11-6 (MSRs), section 11.12.
 */
#include "hw/intc/lapic_internal.h"

#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC 0x800

/* Registers by number: the page's offset / 16, the MSR - 0x800. */
enum {
    REG_ID = 0x02, REG_VERSION = 0x03, REG_TPR = 0x08, REG_APR = 0x09, REG_PPR = 0x0a, REG_EOI = 0x0b, REG_RRD = 0x0c,
    REG_LDR = 0x0d, REG_DFR = 0x0e, REG_SVR = 0x0f, REG_ISR = 0x10, REG_TMR = 0x18, REG_IRR = 0x20, REG_ESR = 0x28,
    REG_ICR = 0x30, REG_ICR2 = 0x31, REG_LVT = 0x32, REG_INITIAL = 0x38, REG_CURRENT = 0x39, REG_DIVIDE = 0x3e,
    REG_SELF_IPI = 0x3f,
};

/* Writable bits of the local vector table. */
static const uint32_t lvt_mask[NUM_LVT] = {
    [LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff,
    [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,   [LVT_ERROR] = 0x100ff,
};
#define LVT_READ_ONLY (BIT(12) | BIT(14))

/* ---- reading ---- */

static uint32_t reg_read(Lapic *l, unsigned reg)
{
    if (reg >= REG_ISR && reg < REG_ESR) {
        const uint32_t *bits = reg < REG_TMR ? l->s.isr : reg < REG_IRR ? l->s.tmr : l->s.irr;
        return bits[reg & 7];
    }
    if (reg >= REG_LVT && reg < REG_LVT + NUM_LVT) {
        return l->s.lvt[reg - REG_LVT];
    }
    switch (reg) {
    case REG_ID:
        return lapic_x2(l) ? l->initial_id : l->s.id;
    case REG_VERSION:
        return LAPIC_VERSION;
    case REG_TPR:
        return l->s.tpr;
    case REG_PPR:
        return lapic_ppr(l);
    case REG_LDR:
        return lapic_ldr(l);
    case REG_DFR:
        return l->s.dfr;
    case REG_SVR:
        return l->s.svr;
    case REG_ESR:
        return l->s.esr;
    case REG_ICR:
        return (uint32_t)l->s.icr;
    case REG_ICR2:
        return (uint32_t)(l->s.icr >> 32);
    case REG_INITIAL:
        return l->s.timer_initial;
    case REG_CURRENT:
        return lapic_timer_count(l);
    case REG_DIVIDE:
        return l->s.divide;
    case REG_EOI:
    case REG_APR:
    case REG_RRD:
        return 0;
    default:
        lapic_error(l, ESR_ILLEGAL_REGISTER);
        return 0;
    }
}

/* ---- writing ---- */

static void write_svr(Lapic *l, uint32_t value)
{
    l->s.svr = value & 0x1ff;
    if (!(value & SVR_ENABLE)) {
        /* 11.4.7.2: while disabled by software, all entries of the table are masked */
        for (unsigned i = 0; i < NUM_LVT; i++) {
            l->s.lvt[i] |= LVT_MASKED;
        }
    }
}

static void write_lvt(Lapic *l, unsigned n, uint32_t value)
{
    value &= lvt_mask[n];
    if (!(l->s.svr & SVR_ENABLE)) {
        value |= LVT_MASKED;
    }
    if (n == LVT_TIMER) {
        lapic_timer_write_lvt(l, value);
        return;
    }
    if (n == LVT_LINT0 && (value & LVT_LEVEL) && LVT_MODE(value) == APIC_FIXED) {
        value |= l->s.lvt[n] & LVT_REMOTE_IRR;
    }
    l->s.lvt[n] = value;
}

static void reg_write(Lapic *l, unsigned reg, uint32_t value)
{
    if (reg >= REG_LVT && reg < REG_LVT + NUM_LVT) {
        write_lvt(l, reg - REG_LVT, value);
        return;
    }
    switch (reg) {
    case REG_ID:
        l->s.id = value & 0xff000000;
        break;
    case REG_TPR:
        l->s.tpr = value & 0xff;
        break;
    case REG_EOI:
        lapic_eoi(l);
        break;
    case REG_LDR:
        l->s.ldr = value & 0xff000000;
        break;
    case REG_DFR:
        l->s.dfr = value | 0x0fffffff;
        break;
    case REG_SVR:
        write_svr(l, value);
        break;
    case REG_ESR:
        /* 11.5.3: a write makes the errors since the last write visible */
        l->s.esr = l->s.errors;
        l->s.errors = 0;
        break;
    case REG_ICR:
        l->s.icr = (l->s.icr & MASK64(63, 32)) | (value & 0x000ccfff);
        lapic_send_ipi(l);
        break;
    case REG_ICR2:
        l->s.icr = (l->s.icr & UINT32_MAX) | (uint64_t)(value & 0xff000000) << 32;
        break;
    case REG_INITIAL:
        lapic_timer_write_initial(l, value);
        break;
    case REG_DIVIDE:
        lapic_timer_write_divide(l, value);
        break;
    case REG_VERSION: /* read-only */
    case REG_APR:
    case REG_PPR:
    case REG_RRD:
    case REG_CURRENT:
        break;
    default:
        if (reg < REG_ISR || reg >= REG_ESR) {
            lapic_error(l, ESR_ILLEGAL_REGISTER);
        }
        break;
    }
}

/* ---- the page ---- */

uint32_t lapic_mmio_read(Device *dev, uint32_t offset)
{
    Lapic *l = lapic(dev);
    if (!lapic_enabled(l) || lapic_x2(l)) {
        return UINT32_MAX; /* nothing answers */
    }
    return offset & 0xf ? 0 : reg_read(l, offset >> 4 & 0xff);
}

void lapic_mmio_write(Device *dev, uint32_t offset, uint32_t value)
{
    Lapic *l = lapic(dev);
    if (!lapic_enabled(l) || lapic_x2(l) || (offset & 0xf)) {
        return;
    }
    reg_write(l, offset >> 4 & 0xff, value);
    device_update(dev);
}

/* ---- the MSRs ---- */

static bool msr_readable(unsigned reg)
{
    switch (reg) {
    case REG_ID:
    case REG_VERSION:
    case REG_TPR:
    case REG_PPR:
    case REG_LDR:
    case REG_SVR:
    case REG_ICR:
    case REG_INITIAL:
    case REG_CURRENT:
    case REG_DIVIDE:
        return true;
    default:
        return (reg >= REG_ISR && reg <= REG_ESR) || (reg >= REG_LVT && reg < REG_LVT + NUM_LVT);
    }
}

/* The bits that may be set in a write, 11.12.1.3; false for a register that takes none. */
static bool msr_writable(unsigned reg, uint64_t *allowed)
{
    switch (reg) {
    case REG_EOI: /* only zero may be written to these two */
    case REG_ESR:
        *allowed = 0;
        return true;
    case REG_TPR:
    case REG_SELF_IPI:
        *allowed = 0xff;
        return true;
    case REG_SVR:
        *allowed = 0x3ff;
        return true;
    case REG_ICR:
        *allowed = MASK64(63, 32) | 0x000cdfff;
        return true;
    case REG_INITIAL:
        *allowed = UINT32_MAX;
        return true;
    case REG_DIVIDE:
        *allowed = 0xb;
        return true;
    default:
        if (reg < REG_LVT || reg >= REG_LVT + NUM_LVT) {
            return false;
        }
        *allowed = lvt_mask[reg - REG_LVT] | LVT_READ_ONLY;
        return true;
    }
}

bool lapic_read_msr(Device *dev, uint32_t msr, uint64_t *value)
{
    Lapic *l = lapic(dev);
    if (msr == MSR_TSC_DEADLINE) {
        *value = lapic_timer_read_deadline(l);
        device_update(dev);
        return true;
    }
    unsigned reg = msr - MSR_X2APIC;
    if (!lapic_x2(l) || reg > 0xff || !msr_readable(reg)) {
        return false;
    }
    *value = reg == REG_ICR ? l->s.icr : reg_read(l, reg);
    return true;
}

bool lapic_write_msr(Device *dev, uint32_t msr, uint64_t value)
{
    Lapic *l = lapic(dev);
    unsigned reg = msr - MSR_X2APIC;
    uint64_t allowed;
    if (msr == MSR_TSC_DEADLINE) {
        lapic_timer_write_deadline(l, value);
        device_update(dev);
        return true;
    }
    if (!lapic_x2(l) || reg > 0xff || !msr_writable(reg, &allowed) || (value & ~allowed)) {
        return false;
    }
    if (reg == REG_ICR) {
        l->s.icr = value & ~(uint64_t)BIT(12);
        lapic_send_ipi(l);
    } else if (reg == REG_SELF_IPI) {
        /* 11.12.11: like an ICR write with the self shorthand, fixed, edge */
        lapic_send_self(l, (uint8_t)value);
    } else {
        reg_write(l, reg, (uint32_t)value);
    }
    device_update(dev);
    return true;
}
