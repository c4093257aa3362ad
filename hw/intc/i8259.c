/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pair of 8259A interrupt controllers of a PC, the slave on IR2 of the master.
 * Spec: Intel 8259A data sheet (order 231468-003), section names are given where used; ELCR: Intel 82371SB (PIIX3)
 * data sheet, section 2.5.4.
 */
#include "hw/intc/i8259.h"

#define MASTER 0
#define SLAVE 1
#define CASCADE 2 /* the master's input that the slave drives */
#define NO_REQUEST 8

enum {
    ICW1_IC4 = 1 << 0, /* ICW4 follows */
    ICW1_SNGL = 1 << 1,
    ICW1_LTIM = 1 << 3,
    ICW1 = 1 << 4,
    ICW4_AEOI = 1 << 1,
    ICW4_SFNM = 1 << 4,
    OCW2_EOI = 1 << 5,
    OCW2_SL = 1 << 6,
    OCW2_R = 1 << 7,
    OCW3 = 1 << 3,
    OCW3_RIS = 1 << 0,
    OCW3_RR = 1 << 1,
    OCW3_POLL = 1 << 2,
    OCW3_SMM = 1 << 5,
    OCW3_ESMM = 1 << 6,
};

/* Which word of the initialization sequence a write to the odd port is. */
enum { INIT_DONE, INIT_ICW2, INIT_ICW3, INIT_ICW4 };

typedef struct Chip {
    uint8_t lines;  /* levels of the inputs */
    uint8_t edges;  /* edge sense latches; a latch falls with its line */
    uint8_t imr, isr;
    uint8_t lowest; /* the input that has the lowest priority */
    uint8_t init;
    uint8_t icw1, icw2, icw3, icw4;
    uint8_t elcr;
    uint8_t read_isr, poll, special_mask, rotate_aeoi;
} Chip;

typedef struct Pic {
    Device dev;
    Irq intr;
    struct {
        Chip chip[2];
    } s;
} Pic;

#define EACH(m, reset, max) FIELD_EACH_RANGE(Pic, chip, m, FIELD_UINT, reset, 0, max)
static const Field pic_state[] = {
    EACH(lines, 0, 0xff), EACH(edges, 0, 0xff), EACH(imr, 0xff, 0xff),  EACH(isr, 0, 0xff),
    EACH(lowest, 7, 7),   EACH(init, 0, 3),     EACH(icw1, 0, 0xff),    EACH(icw2, 0, 0xff),
    EACH(icw3, 0, 0xff),  EACH(icw4, 0, 0xff),  EACH(elcr, 0, 0xff),    EACH(read_isr, 0, 1),
    EACH(poll, 0, 1),     EACH(special_mask, 0, 1), EACH(rotate_aeoi, 0, 1),
};
#undef EACH

/* ---- priorities ---- */

static uint8_t level_mask(const Chip *c)
{
    return c->icw1 & ICW1_LTIM ? 0xff : c->elcr;
}

/* The interrupt request register: a latched edge whose line is still high, or a level. */
static uint8_t irr(const Chip *c)
{
    uint8_t level = level_mask(c);
    return (uint8_t)(((c->edges & ~level) | level) & c->lines);
}

/* Steps from the highest priority to that of the best input in `mask`; NO_REQUEST for none. */
static unsigned best_rank(const Chip *c, uint8_t mask)
{
    for (unsigned rank = 0; rank < 8; rank++) {
        if (mask & BIT((c->lowest + 1 + rank) & 7)) {
            return rank;
        }
    }
    return NO_REQUEST;
}

static unsigned rank_input(const Chip *c, unsigned rank)
{
    return (c->lowest + 1 + rank) & 7;
}

/* The input to be served now, or NO_REQUEST: "Fully nested mode", "Special mask mode". */
static unsigned request(const Pic *p, unsigned n)
{
    const Chip *c = &p->s.chip[n];
    uint8_t in_service = c->isr;
    if (c->init != INIT_DONE) {
        return NO_REQUEST; /* ready for requests only after the sequence: "Initialization command words" */
    }
    if (c->special_mask) {
        in_service &= (uint8_t)~c->imr;
    }
    unsigned rank = best_rank(c, (uint8_t)(irr(c) & ~c->imr));
    unsigned served = best_rank(c, in_service);
    if (rank == NO_REQUEST || rank > served) {
        return NO_REQUEST;
    }
    unsigned in = rank_input(c, rank);
    if (rank == served && !(n == MASTER && in == CASCADE && (c->icw4 & ICW4_SFNM))) {
        /* only "Special fully nested mode" lets a slave in service interrupt itself with something better */
        return NO_REQUEST;
    }
    return in;
}

static void set_line(Chip *c, unsigned n, bool level)
{
    uint8_t bit = (uint8_t)BIT(n & 7);
    if (!level) {
        c->lines &= (uint8_t)~bit;
        c->edges &= (uint8_t)~bit;
    } else if (!(c->lines & bit)) {
        c->lines |= bit;
        c->edges |= bit;
    }
}

/* The INT output of the slave is an input of the master. */
static void cascade(Pic *p)
{
    set_line(&p->s.chip[MASTER], CASCADE, request(p, SLAVE) != NO_REQUEST);
}

bool i8259_intr(Device *dev)
{
    Pic *p = container_of(dev, Pic, dev);
    cascade(p);
    return request(p, MASTER) != NO_REQUEST;
}

static void pic_update(Device *dev)
{
    irq_set(&container_of(dev, Pic, dev)->intr, i8259_intr(dev));
}

static void pic_input(Device *dev, unsigned n, bool level)
{
    Pic *p = container_of(dev, Pic, dev);
    if (n < 16 && n != CASCADE) {
        set_line(&p->s.chip[n >> 3], n & 7, level);
    }
}

/* ---- acknowledge ---- */

/* Input n goes into service: "Interrupt sequence", steps 2 and 3, and "Automatic rotation" in AEOI mode. */
static void serve(Chip *c, unsigned n)
{
    c->edges &= (uint8_t)~BIT(n);
    if (!(c->icw4 & ICW4_AEOI)) {
        c->isr |= (uint8_t)BIT(n);
    } else if (c->rotate_aeoi) {
        c->lowest = (uint8_t)n;
    }
}

/* The vector that a chip puts on the bus; without a request that of IR7, with nothing in service. */
static unsigned acknowledge(Pic *p, unsigned chip)
{
    Chip *c = &p->s.chip[chip];
    unsigned n = request(p, chip);
    if (n == NO_REQUEST) {
        n = 7;
    } else {
        serve(c, n);
    }
    return n;
}

int i8259_ack(Device *dev)
{
    Pic *p = container_of(dev, Pic, dev);
    Chip *master = &p->s.chip[MASTER], *slave = &p->s.chip[SLAVE];
    cascade(p);
    bool from_slave = request(p, MASTER) == CASCADE;
    unsigned n = acknowledge(p, MASTER);
    int vector = (master->icw2 & 0xf8) | (int)n;
    if (from_slave && !(master->icw1 & ICW1_SNGL)) {
        vector = (slave->icw2 & 0xf8) | (int)acknowledge(p, SLAVE);
        set_line(master, CASCADE, false); /* INT falls with INTA: a further request makes a new edge */
    }
    device_update(dev);
    return vector;
}

/* ---- state for an engine ---- */

void i8259_get_state(Device *dev, unsigned chip, PicState *out)
{
    const Chip *c = &container_of(dev, Pic, dev)->s.chip[chip & 1];
    *out = (PicState){
        .irr = irr(c), .imr = c->imr, .isr = c->isr, .lines = c->lines, .elcr = c->elcr, .lowest = c->lowest,
        .vector = c->icw2 & 0xf8, .init = c->init, .icw4_follows = c->icw1 & ICW1_IC4 ? 1 : 0,
        .auto_eoi = c->icw4 & ICW4_AEOI ? 1 : 0, .fully_nested = c->icw4 & ICW4_SFNM ? 1 : 0,
        .rotate_auto_eoi = c->rotate_aeoi, .read_isr = c->read_isr, .poll = c->poll, .special_mask = c->special_mask,
    };
}

void i8259_set_state(Device *dev, unsigned chip, const PicState *in)
{
    Chip *c = &container_of(dev, Pic, dev)->s.chip[chip & 1];
    c->edges = in->irr & c->lines;
    c->imr = in->imr;
    c->isr = in->isr;
    c->elcr = in->elcr;
    c->lowest = in->lowest & 7;
    c->icw2 = in->vector;
    c->init = MIN(in->init, INIT_ICW4);
    c->icw1 = (uint8_t)((c->icw1 & ~ICW1_IC4) | (in->icw4_follows ? ICW1_IC4 : 0));
    c->icw4 = (uint8_t)((c->icw4 & ~(ICW4_AEOI | ICW4_SFNM)) | (in->auto_eoi ? ICW4_AEOI : 0) |
                        (in->fully_nested ? ICW4_SFNM : 0));
    c->rotate_aeoi = in->rotate_auto_eoi != 0;
    c->read_isr = in->read_isr != 0;
    c->poll = in->poll != 0;
    c->special_mask = in->special_mask != 0;
}

/* ---- registers ---- */

/* "Initialization command word 1", effects a to f. */
static void write_icw1(Chip *c, uint8_t value)
{
    c->icw1 = value;
    c->edges = c->imr = c->isr = 0;
    c->lowest = 7;
    c->special_mask = c->read_isr = c->poll = c->rotate_aeoi = 0;
    c->icw3 = 0;
    if (!(value & ICW1_IC4)) {
        c->icw4 = 0;
    }
    c->init = INIT_ICW2;
}

static void write_init_word(Chip *c, uint8_t value)
{
    bool icw4 = c->icw1 & ICW1_IC4;
    switch (c->init) {
    case INIT_ICW2:
        c->icw2 = value;
        c->init = !(c->icw1 & ICW1_SNGL) ? INIT_ICW3 : icw4 ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW3:
        c->icw3 = value;
        c->init = icw4 ? INIT_ICW4 : INIT_DONE;
        break;
    default:
        c->icw4 = value;
        c->init = INIT_DONE;
        break;
    }
}

/* "Operation control word 2": the eight commands of R, SL and EOI. */
static void write_ocw2(Chip *c, uint8_t value)
{
    unsigned n = value & 7;
    switch (value & (OCW2_R | OCW2_SL | OCW2_EOI)) {
    case 0:
    case OCW2_R:
        c->rotate_aeoi = value & OCW2_R ? 1 : 0;
        return;
    case OCW2_SL: /* no operation */
        return;
    case OCW2_R | OCW2_SL:
        c->lowest = (uint8_t)n;
        return;
    case OCW2_EOI:
    case OCW2_R | OCW2_EOI: {
        /* "End of interrupt": a masked level is not cleared by a non-specific EOI in special mask mode */
        uint8_t isr = (uint8_t)(c->special_mask ? c->isr & ~c->imr : c->isr);
        unsigned rank = best_rank(c, isr);
        if (rank == NO_REQUEST) {
            return;
        }
        n = rank_input(c, rank);
        break;
    }
    default:
        break;
    }
    c->isr &= (uint8_t)~BIT(n);
    if (value & OCW2_R) {
        c->lowest = (uint8_t)n;
    }
}

static void write_ocw3(Chip *c, uint8_t value)
{
    if (value & OCW3_ESMM) {
        c->special_mask = value & OCW3_SMM ? 1 : 0;
    }
    if (value & OCW3_POLL) {
        c->poll = 1; /* overrides a read-register command: note of "Operation control word 3" */
    } else if (value & OCW3_RR) {
        c->read_isr = value & OCW3_RIS;
    }
}

static void chip_write(Pic *p, unsigned n, uint64_t offset, uint8_t value)
{
    Chip *c = &p->s.chip[n];
    if (offset == 0) {
        if (value & ICW1) {
            write_icw1(c, value);
        } else if (value & OCW3) {
            write_ocw3(c, value);
        } else {
            write_ocw2(c, value);
        }
    } else if (c->init != INIT_DONE) {
        write_init_word(c, value);
    } else {
        c->imr = value;
    }
}

static uint8_t chip_read(Pic *p, unsigned n, uint64_t offset)
{
    Chip *c = &p->s.chip[n];
    cascade(p);
    if (c->poll) {
        /* "Poll command": the next read is the acknowledge; bit 7 says whether there was a request */
        c->poll = 0;
        unsigned in = request(p, n);
        if (in == NO_REQUEST) {
            return 0;
        }
        serve(c, in);
        if (n == SLAVE) {
            set_line(&p->s.chip[MASTER], CASCADE, false);
        }
        return (uint8_t)(0x80 | in);
    }
    if (offset == 1) {
        return c->imr;
    }
    return c->read_isr ? c->isr : irr(c);
}

static uint64_t master_read(void *opaque, uint64_t offset, unsigned size)
{
    return chip_read(opaque, MASTER, offset);
}

static void master_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    chip_write(opaque, MASTER, offset, (uint8_t)value);
}

static uint64_t slave_read(void *opaque, uint64_t offset, unsigned size)
{
    return chip_read(opaque, SLAVE, offset);
}

static void slave_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    chip_write(opaque, SLAVE, offset, (uint8_t)value);
}

static uint64_t elcr_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((Pic *)opaque)->s.chip[offset & 1].elcr;
}

/* IRQ0, 1, 2, 8 and 13 are always edge-triggered. */
static void elcr_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    ((Pic *)opaque)->s.chip[offset & 1].elcr = (uint8_t)(value & (offset & 1 ? 0xde : 0xf8));
}

static const RegionOps master_ops = {.read = master_read, .write = master_write, .max_size = 1};
static const RegionOps slave_ops = {.read = slave_read, .write = slave_write, .max_size = 1};
static const RegionOps elcr_ops = {.read = elcr_read, .write = elcr_write, .max_size = 1};

static bool pic_realize(Device *dev, GError **error)
{
    device_region_init_io(dev, "pic-master", 2, &master_ops);
    device_region_init_io(dev, "pic-slave", 2, &slave_ops);
    device_region_init_io(dev, "elcr", 2, &elcr_ops);
    return true;
}

static const Pin pic_pins[] = {PIN(Pic, "intr", intr)};

DEVICE_TYPE(i8259, Pic, .name = "i8259", .desc = "8259A interrupt controller pair", FIELDS(pic_state), PINS(pic_pins),
            .realize = pic_realize, .update = pic_update, .input = pic_input);
