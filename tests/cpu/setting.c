/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random segments, stacks and prefixes of 16-bit and 32-bit code. */
#include "tests/cpu/setting.h"

#include <string.h>

#include "target/x86/segment.h"
#include "tests/cpu/values.h"

enum { DATA = SEG_P | SEG_S | SEG_WRITE | SEG_ACCESSED | SEG_DPL | SEG_DB | SEG_G };

/* Where most accesses by this segment go. */
static void area_of(unsigned seg, uint32_t *base, uint32_t *size)
{
    *base = seg == SEG_SS ? STACK_BASE : DATA_BASE;
    *size = seg == SEG_SS ? STACK_SIZE : DATA_SIZE;
}

static void random_segment(SettingSegment *s, unsigned seg, Rng *rng)
{
    uint32_t base, size;
    area_of(seg, &base, &size);
    *s = (SettingSegment){.limit = 0xffffffff, .attr = DATA};
    switch (below(rng, 12)) {
    case 0: /* near by */
    case 1:
        s->base = (uint32_t)below(rng, 128) - (chance(rng, 2) ? 64 : 0);
        break;
    case 2: /* ends among the operands */
        s->limit = base + (uint32_t)below(rng, size);
        break;
    case 3: /* begins there */
        s->limit = base + (uint32_t)below(rng, size);
        s->attr |= SEG_EXPAND_DOWN;
        break;
    case 4:
        s->attr &= ~(uint32_t)SEG_WRITE;
        break;
    case 5:
        s->attr |= seg == SEG_SS ? 0 : SEG_UNUSABLE;
        break;
    default:
        break;
    }
}

/* What addresses of 16 bits reach. */
static void small_segment(SettingSegment *s, unsigned seg, Rng *rng)
{
    uint32_t size;
    area_of(seg, &s->base, &size);
    s->limit = chance(rng, 3) ? 0xffffffff : chance(rng, 3) ? (uint32_t)below(rng, size) : 0xffff;
    s->attr = DATA;
}

void setting_plain(Setting *s, unsigned code_size)
{
    *s = (Setting){.code_size = code_size, .cs_limit = 0xffffffff};
    for (unsigned seg = 0; seg < NUM_SEGS; seg++) {
        s->seg[seg] = (SettingSegment){.limit = 0xffffffff, .attr = DATA};
    }
}

void setting_random(Setting *s, unsigned code_size, Rng *rng)
{
    setting_plain(s, code_size);
    if (code_size == 2) {
        return;
    }
    bool plain = chance(rng, 2), small = code_size == 0 && chance(rng, 2);
    for (unsigned seg = 0; seg < NUM_SEGS; seg++) {
        if (small) {
            small_segment(&s->seg[seg], seg, rng);
        } else if (!plain) {
            random_segment(&s->seg[seg], seg, rng);
        }
    }
    if (chance(rng, code_size == 0 ? 2 : 6)) { /* SP */
        s->seg[SEG_SS] = (SettingSegment){.base = STACK_BASE, .limit = chance(rng, 2) ? 0xffff : 0xffffffff,
                                          .attr = DATA & ~(uint32_t)SEG_DB};
    }
    if (chance(rng, code_size == 0 ? 2 : 6)) {
        s->cs_base = CODE_BASE + (chance(rng, 2) ? 0x10 : 0);
        s->cs_limit = code_size == 0 && chance(rng, 2) ? 0xffff : 0xffffffff;
    }
}

void setting_fit(Setting *s, Case *c, Rng *rng)
{
    uint64_t *r = c->r;
    if (s->code_size == 2) {
        return;
    }
    if (c->num_mem && c->mem[0].addr < STACK_BASE && chance(rng, 6)) {
        s->seg[SEG_DS].limit = c->mem[0].addr - s->seg[SEG_DS].base + (uint32_t)below(rng, 20) - 1;
    }
    bool small = s->code_size == 0 && chance(rng, 2);
    for (unsigned n = 0; n < 8; n++) {
        if (small && (n == RBX || n >= RBP)) {
            r[n] = (r[n] & ~0xffffull) | below(rng, 0x1000);
        }
        r[n] = (uint32_t)r[n] | (chance(rng, 2) ? rng_next(rng) << 32 : 0);
    }
}

bool setting_prefixes(const Setting *s, Case *c, Insn *i, const FeatureSet *features, Rng *rng)
{
    static const uint8_t overrides[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    uint8_t bytes[24];
    unsigned n = 0;
    if (s->code_size == 0 && !chance(rng, 3)) {
        bytes[n++] = 0x67;
    }
    if (s->code_size == 0 && insn_rows[c->row].map < MAP_VEX_0F && chance(rng, 2)) {
        bytes[n++] = 0x66;
    }
    if (s->code_size < 2 && chance(rng, 6)) {
        bytes[n++] = overrides[below(rng, sizeof(overrides))];
    }
    memcpy(bytes + n, c->bytes, c->len);
    n += c->len;
    if (insn_decode(i, bytes, n, s->code_size, features) != DECODE_OK || i->row != c->row || i->len > 15) {
        return false;
    }
    memcpy(c->bytes, bytes, i->len);
    c->len = i->len;
    return true;
}

void setting_load(const Setting *s, X86Cpu *cpu)
{
    enum { CODE = SEG_P | SEG_S | SEG_CODE | SEG_READ | SEG_ACCESSED | SEG_DPL | SEG_G };
    if (s->code_size == 2) {
        return;
    }
    for (unsigned seg = 0; seg < NUM_SEGS; seg++) {
        const SettingSegment *from = &s->seg[seg];
        if (seg != SEG_CS) {
            seg_load_cache(cpu, seg, 0x2b, from->base, from->limit, from->attr);
        }
    }
    seg_load_cache(cpu, SEG_CS, 0x23, s->cs_base, s->cs_limit, s->code_size == 1 ? CODE | SEG_DB : CODE);
    cpu->rip = (uint32_t)(cpu->rip - s->cs_base);
}
