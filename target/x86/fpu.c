/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 status keeping and environment images.
 * Spec: Intel SDM vol 1 sections 8.1-8.7, figures 8-9..8-12; AMD APM vol 2 section 11.4.
 */
#include "target/x86/fpu.h"

#include <string.h>

/* ---- status ---- */

FloatEnv fpu_env(const X87 *f)
{
    /* PC 01 is reserved; QUIRK: Zen 4 rounds it to 64 bits. */
    static const uint8_t precision[4] = {24, 64, 53, 64};
    return (FloatEnv){
        .round = f->cw >> 10 & 3,
        .precision = precision[f->cw >> 8 & 3],
        .masks = f->cw & FSW_EXCEPTIONS,
    };
}

void fpu_update_summary(X87 *f)
{
    f->sw &= (uint16_t)~(FSW_ES | FSW_B);
    if (f->sw & ~f->cw & FSW_EXCEPTIONS) {
        f->sw |= FSW_ES | FSW_B;
    }
}

bool fpu_post(X87 *f, const FloatEnv *e)
{
    unsigned before = FX_INVALID | FX_DENORMAL | FX_DIVZERO;
    bool blocked = e->flags & ~e->masks & before;
    f->sw |= blocked ? e->flags & before : e->flags;
    f->sw &= (uint16_t)~FSW_C1;
    if (e->rounded_up && !blocked) {
        f->sw |= FSW_C1;
    }
    fpu_update_summary(f);
    return !blocked;
}

bool fpu_stack_fault(X87 *f, bool overflow)
{
    f->sw &= (uint16_t)~FSW_C1;
    f->sw |= FSW_IE | FSW_SF | (overflow ? FSW_C1 : 0);
    fpu_update_summary(f);
    return f->cw & FSW_IE;
}

uint16_t fpu_status(const X87 *f)
{
    return (uint16_t)(f->sw | f->top << 11);
}

void fpu_set_status(X87 *f, uint16_t value)
{
    f->top = value >> 11 & 7;
    f->sw = value & (uint16_t)~FSW_TOP;
    fpu_update_summary(f);
}

/* Two bits a register: 0 valid, 1 zero, 2 special, 3 empty. */
uint16_t fpu_full_tags(const X87 *f)
{
    unsigned tags = 0;
    for (int i = 7; i >= 0; i--) {
        unsigned tag = 3;
        if (!(f->empty >> i & 1)) {
            F80Class c = f80_class(f->r[i]);
            tag = c == F80_NORMAL ? 0 : c == F80_ZERO ? 1 : 2;
        }
        tags = tags << 2 | tag;
    }
    return (uint16_t)tags;
}

/* Only empty or not is kept; the rest follows from the contents. */
void fpu_set_full_tags(X87 *f, uint16_t value)
{
    f->empty = 0;
    for (unsigned i = 0; i < 8; i++) {
        f->empty |= (uint8_t)(((value >> 2 * i & 3) == 3) << i);
    }
}

void fpu_set_control(X87 *f, uint16_t value)
{
    f->cw = (value & FCW_WRITABLE) | FCW_ONES;
    fpu_update_summary(f);
}

void fpu_init(X87 *f)
{
    f->cw = FCW_INIT;
    f->sw = 0;
    f->top = 0;
    f->empty = 0xff;
    f->fop = f->fcs = f->fds = 0;
    f->fip = f->fdp = 0;
}

/* ---- FNSTENV, FNSAVE ---- */

static void put16(uint8_t *p, unsigned v)
{
    uint16_t v16 = GUINT16_TO_LE((uint16_t)v);
    memcpy(p, &v16, 2);
}
static void put32(uint8_t *p, uint32_t v)
{
    v = GUINT32_TO_LE(v);
    memcpy(p, &v, 4);
}
static void put64(uint8_t *p, uint64_t v)
{
    v = GUINT64_TO_LE(v);
    memcpy(p, &v, 8);
}
static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}
static uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}
static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

void fpu_store_env(const X87 *f, FpuLayout l, uint8_t *image)
{
    const unsigned step = l.wide ? 4 : 2;
    uint32_t words[7] = {
        f->cw | 0xffff0000, fpu_status(f) | 0xffff0000, fpu_full_tags(f) | 0xffff0000,
        (uint32_t)f->fip, f->fcs | (uint32_t)f->fop << 16, (uint32_t)f->fdp, f->fds | 0xffff0000,
    };
    if (l.real) {
        uint32_t ip = (uint32_t)f->fip + ((uint32_t)f->fcs << 4), dp = (uint32_t)f->fdp + ((uint32_t)f->fds << 4);
        words[3] = (ip & 0xffff) | 0xffff0000;
        words[4] = f->fop | (ip >> 16) << 12;
        words[5] = (dp & 0xffff) | 0xffff0000;
        words[6] = (dp >> 16) << 12;
    }
    for (unsigned i = 0; i < 7; i++) {
        if (l.wide) {
            put32(image + step * i, words[i]);
        } else {
            put16(image + step * i, words[i]);
        }
    }
}

void fpu_load_env(X87 *f, FpuLayout l, const uint8_t *image)
{
    const unsigned step = l.wide ? 4 : 2;
    uint32_t words[7];
    for (unsigned i = 0; i < 7; i++) {
        words[i] = l.wide ? get32(image + step * i) : get16(image + step * i);
    }
    f->cw = (words[0] & FCW_WRITABLE) | FCW_ONES;
    fpu_set_status(f, (uint16_t)words[1]);
    fpu_set_full_tags(f, (uint16_t)words[2]);
    if (l.real) {
        f->fip = (words[3] & 0xffff) | words[4] >> 12 << 16;
        f->fdp = (words[5] & 0xffff) | words[6] >> 12 << 16;
        f->fcs = f->fds = 0;
        f->fop = words[4] & 0x7ff;
        return;
    }
    f->fip = words[3];
    f->fcs = (uint16_t)words[4];
    f->fdp = words[5];
    f->fds = (uint16_t)words[6];
    f->fop = l.wide ? words[4] >> 16 & 0x7ff : 0;
}

void fpu_store_stack(const X87 *f, uint8_t image[80])
{
    for (unsigned i = 0; i < 8; i++) {
        Float80 v = fpu_get(f, i);
        put64(image + 10 * i, v.mant);
        put16(image + 10 * i + 8, v.se);
    }
}

void fpu_load_stack(X87 *f, const uint8_t image[80])
{
    for (unsigned i = 0; i < 8; i++) {
        f->r[fpu_phys(f, i)] = (Float80){.mant = get64(image + 10 * i), .se = get16(image + 10 * i + 8)};
    }
}

/* ---- FXSAVE ---- */

void fpu_store_fx(const X87 *f, bool wide, uint8_t image[160])
{
    bool pending = f->sw & FSW_ES;
    memset(image, 0, 24);
    put16(image, f->cw);
    put16(image + 2, fpu_status(f));
    image[4] = (uint8_t)~f->empty;
    if (pending) {
        put16(image + 6, f->fop);
        if (wide) {
            put64(image + 8, f->fip);
            put64(image + 16, f->fdp);
        } else {
            put32(image + 8, (uint32_t)f->fip);
            put16(image + 12, f->fcs);
            put32(image + 16, (uint32_t)f->fdp);
            put16(image + 20, f->fds);
        }
    }
    memset(image + 32, 0, 128);
    for (unsigned i = 0; i < 8; i++) {
        Float80 v = fpu_get(f, i);
        put64(image + 32 + 16 * i, v.mant);
        put16(image + 40 + 16 * i, v.se);
    }
}

void fpu_load_fx(X87 *f, bool wide, const uint8_t image[160])
{
    f->cw = (get16(image) & FCW_WRITABLE) | FCW_ONES;
    fpu_set_status(f, get16(image + 2));
    f->empty = (uint8_t)~image[4];
    f->fop = get16(image + 6) & 0x7ff;
    if (wide) {
        f->fip = get64(image + 8);
        f->fdp = get64(image + 16);
        f->fcs = f->fds = 0;
    } else {
        f->fip = get32(image + 8);
        f->fcs = get16(image + 12);
        f->fdp = get32(image + 16);
        f->fds = get16(image + 20);
    }
    for (unsigned i = 0; i < 8; i++) {
        f->r[fpu_phys(f, i)] = (Float80){.mant = get64(image + 32 + 16 * i), .se = get16(image + 40 + 16 * i)};
    }
}
