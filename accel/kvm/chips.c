/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM's I/O APIC and 8259 pair: their state from our devices and back, and the levels of their inputs. */
#include <string.h>

#include "accel/kvm/irqchip.h"

static int move(const KvmAccel *k, unsigned long request, struct kvm_irqchip *chip)
{
    return kvm_ioctl(k->sys, k->vm, request, chip);
}

/* ---- the I/O APIC ---- */

static int store_ioapic(const KvmAccel *k, const IoapicState *s, uint64_t or_each)
{
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    chip.chip.ioapic.base_address = 0xfec00000;
    chip.chip.ioapic.ioregsel = s->select;
    chip.chip.ioapic.id = s->id >> 24;
    chip.chip.ioapic.irr = or_each ? 0 : s->requests;
    for (unsigned n = 0; n < IRQCHIP_PINS; n++) {
        chip.chip.ioapic.redirtbl[n].bits = s->table[n] | or_each;
    }
    return move(k, KVM_SET_IRQCHIP, &chip);
}

static int fetch_ioapic(const KvmAccel *k)
{
    const Machine *m = k->accel.machine;
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    IoapicState s = {0};
    int r = move(k, KVM_GET_IRQCHIP, &chip);
    if (r < 0) {
        return r;
    }
    s.select = chip.chip.ioapic.ioregsel;
    s.id = chip.chip.ioapic.id << 24;
    s.requests = chip.chip.ioapic.irr;
    for (unsigned n = 0; n < IRQCHIP_PINS; n++) {
        s.table[n] = chip.chip.ioapic.redirtbl[n].bits;
    }
    m->irqchip->set_ioapic(m->irqchip_opaque, &s);
    return 0;
}

/* ---- the 8259 pair ---- */

static int store_pic(const KvmAccel *k, unsigned n, bool masked)
{
    const Machine *m = k->accel.machine;
    PicState s;
    m->irqchip->get_pic(m->irqchip_opaque, n, &s);
    struct kvm_irqchip chip = {.chip_id = n ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER};
    chip.chip.pic = (struct kvm_pic_state){
        .last_irr = s.lines, .irr = s.irr, .imr = masked ? 0xff : s.imr, .isr = s.isr,
        .priority_add = (s.lowest + 1) & 7, .irq_base = s.vector, .read_reg_select = s.read_isr, .poll = s.poll,
        .special_mask = s.special_mask, .init_state = s.init, .auto_eoi = s.auto_eoi,
        .rotate_on_auto_eoi = s.rotate_auto_eoi, .special_fully_nested_mode = s.fully_nested,
        .init4 = s.icw4_follows, .elcr = s.elcr, .elcr_mask = n ? 0xde : 0xf8,
    };
    return move(k, KVM_SET_IRQCHIP, &chip);
}

static int fetch_pic(const KvmAccel *k, unsigned n)
{
    const Machine *m = k->accel.machine;
    struct kvm_irqchip chip = {.chip_id = n ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER};
    int r = move(k, KVM_GET_IRQCHIP, &chip);
    if (r < 0) {
        return r;
    }
    const struct kvm_pic_state *p = &chip.chip.pic;
    PicState s = {
        .irr = p->irr, .imr = p->imr, .isr = p->isr, .elcr = p->elcr, .lowest = (p->priority_add - 1) & 7,
        .vector = p->irq_base, .init = p->init_state, .icw4_follows = p->init4, .auto_eoi = p->auto_eoi,
        .fully_nested = p->special_fully_nested_mode, .rotate_auto_eoi = p->rotate_on_auto_eoi,
        .read_isr = p->read_reg_select, .poll = p->poll, .special_mask = p->special_mask,
    };
    m->irqchip->set_pic(m->irqchip_opaque, n, &s);
    return 0;
}

/* ---- both ---- */

/*
 * KVM keeps the inputs' levels apart from the chips' state, and a level that rises is an edge: so they rise while
 * everything is masked, and the state comes after.
 */
int kvm_chips_store(KvmAccel *k)
{
    const Machine *m = k->accel.machine;
    IoapicState s;
    int r = 0;
    m->irqchip->get_ioapic(m->irqchip_opaque, &s);
    for (unsigned n = 0; n < 2 && r >= 0; n++) {
        r = store_pic(k, n, true);
    }
    r = r < 0 ? r : store_ioapic(k, &s, BIT64(16));
    uint32_t lines = m->irqchip->lines(m->irqchip_opaque);
    for (unsigned n = 0; n < IRQCHIP_PINS; n++) {
        if (n != 2 && r >= 0) {
            struct kvm_irq_level line = {.irq = n, .level = lines >> n & 1};
            r = kvm_ioctl(k->sys, k->vm, KVM_IRQ_LINE, &line);
        }
    }
    for (unsigned n = 0; n < 2 && r >= 0; n++) {
        r = store_pic(k, n, false);
    }
    return r < 0 ? r : store_ioapic(k, &s, 0);
}

int kvm_chips_fetch(KvmAccel *k)
{
    int r = fetch_ioapic(k);
    for (unsigned n = 0; n < 2 && r >= 0; n++) {
        r = fetch_pic(k, n);
    }
    return r;
}

/* KVM's I/O APIC hears of an EOI from KVM's local APICs only.  It must not change between the two calls. */
int kvm_chips_eoi(KvmAccel *k, uint8_t vector)
{
    enum { LEVEL = BIT(15), REMOTE_IRR = BIT(14) };
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    exclusive_begin(k->accel.machine->lock);
    int r = move(k, KVM_GET_IRQCHIP, &chip);
    for (unsigned n = 0; n < IRQCHIP_PINS; n++) {
        uint64_t rte = chip.chip.ioapic.redirtbl[n].bits;
        if ((rte & LEVEL) && (uint8_t)rte == vector) {
            chip.chip.ioapic.redirtbl[n].bits = rte & ~(uint64_t)REMOTE_IRR;
        }
    }
    r = r < 0 ? r : move(k, KVM_SET_IRQCHIP, &chip); /* inputs that are up interrupt again */
    exclusive_end(k->accel.machine->lock);
    return r;
}
