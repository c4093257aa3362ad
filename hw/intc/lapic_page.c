/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A local APIC's state as the page of its registers, for an engine that has it elsewhere while the guest runs.
 * Spec: Intel SDM vol 3, table 11-1.
 */
#include <string.h>

#include "hw/intc/lapic_internal.h"

enum {
    REG_ID = 0x02, REG_VERSION = 0x03, REG_TPR = 0x08, REG_PPR = 0x0a, REG_LDR = 0x0d, REG_DFR = 0x0e, REG_SVR = 0x0f,
    REG_ISR = 0x10, REG_TMR = 0x18, REG_IRR = 0x20, REG_ESR = 0x28, REG_ICR = 0x30, REG_ICR2 = 0x31, REG_LVT = 0x32,
    REG_INITIAL = 0x38, REG_CURRENT = 0x39, REG_DIVIDE = 0x3e,
};

void lapic_get_state(Device *dev, LapicState *out)
{
    Lapic *l = lapic(dev);
    uint32_t *r = out->regs;
    lapic_timer_settle(l);
    memset(out, 0, sizeof(*out));
    out->base = l->s.base;
    r[REG_ID] = lapic_x2(l) ? l->initial_id << 24 : l->s.id;
    r[REG_VERSION] = LAPIC_VERSION;
    r[REG_TPR] = l->s.tpr;
    r[REG_PPR] = lapic_ppr(l);
    r[REG_LDR] = lapic_ldr(l);
    r[REG_DFR] = l->s.dfr;
    r[REG_SVR] = l->s.svr;
    r[REG_ESR] = l->s.esr;
    r[REG_ICR] = (uint32_t)l->s.icr;
    r[REG_ICR2] = (uint32_t)(l->s.icr >> 32);
    r[REG_INITIAL] = l->s.timer_initial;
    r[REG_CURRENT] = lapic_timer_count(l);
    r[REG_DIVIDE] = l->s.divide;
    memcpy(r + REG_ISR, l->s.isr, sizeof(l->s.isr));
    memcpy(r + REG_TMR, l->s.tmr, sizeof(l->s.tmr));
    memcpy(r + REG_IRR, l->s.irr, sizeof(l->s.irr));
    memcpy(r + REG_LVT, l->s.lvt, sizeof(l->s.lvt));
}

void lapic_set_state(Device *dev, const LapicState *in)
{
    Lapic *l = lapic(dev);
    const uint32_t *r = in->regs;
    l->s.base = in->base;
    if (!lapic_x2(l)) {
        l->s.id = r[REG_ID] & 0xff000000;
        l->s.ldr = r[REG_LDR] & 0xff000000;
        l->s.dfr = r[REG_DFR] | 0x0fffffff;
    }
    l->s.tpr = r[REG_TPR] & 0xff;
    l->s.svr = r[REG_SVR] & 0x3ff;
    l->s.esr = r[REG_ESR];
    l->s.icr = r[REG_ICR] | (uint64_t)r[REG_ICR2] << 32;
    memcpy(l->s.isr, r + REG_ISR, sizeof(l->s.isr));
    memcpy(l->s.tmr, r + REG_TMR, sizeof(l->s.tmr));
    memcpy(l->s.irr, r + REG_IRR, sizeof(l->s.irr));
    memcpy(l->s.lvt, r + REG_LVT, sizeof(l->s.lvt));
    l->s.divide = r[REG_DIVIDE] & 0xb;
    l->s.timer_initial = r[REG_INITIAL];
    lapic_timer_continue(l, r[REG_CURRENT]);
    device_update(dev);
}

void lapic_set_base_tpr(Device *dev, uint64_t base, uint8_t cr8)
{
    Lapic *l = lapic(dev);
    l->s.base = base;
    if (cr8 != l->s.tpr >> 4) {
        l->s.tpr = (cr8 & 15u) << 4; /* the low bits are not in CR8 */
    }
}

void lapic_set_away(Device *dev, bool away)
{
    lapic(dev)->away = away;
    device_update(dev);
}
