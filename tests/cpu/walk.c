/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions as loops over arrays have them: loads and stores of vectors close to one another through the same
 * pointers, pointers that move on, and arithmetic between.
 */
#include "tests/cpu/values.h"

#include <string.h>

typedef struct Form {
    uint8_t len, bytes[3];
} Form;

static const Form legacy[] = {
    {2, {0x0f, 0x10}}, {2, {0x0f, 0x11}}, {2, {0x0f, 0x28}}, {2, {0x0f, 0x29}}, {2, {0x0f, 0x58}}, {2, {0x0f, 0x2e}},
    {3, {0xf2, 0x0f, 0x10}}, {3, {0xf2, 0x0f, 0x11}}, {3, {0x66, 0x0f, 0x7e}}, {3, {0x66, 0x0f, 0xef}},
};
static const uint8_t avx[] = {0x10, 0x11, 0x28, 0x29, 0x58, 0x57};

unsigned walk_insn(Rng *rng, bool with_avx, uint8_t *out)
{
    static const uint8_t bases[] = {0, 2, 6}; /* RAX, RDX, RSI */
    unsigned base = bases[below(rng, 3)], n = 0;
    uint8_t disp = (uint8_t)(chance(rng, 8) ? rng_next(rng) : (below(rng, 9) - 4) * 16);
    if (chance(rng, 4)) { /* add or sub base, imm8 */
        uint8_t step[] = {0x48, 0x83, (uint8_t)((chance(rng, 2) ? 0xc0 : 0xe8) | base), disp};
        memcpy(out, step, sizeof(step));
        return sizeof(step);
    }
    if (with_avx && chance(rng, 2)) {
        uint8_t op = avx[below(rng, sizeof(avx))];
        bool three = op >= 0x57;
        out[n++] = 0xc5;
        out[n++] = (uint8_t)(0x80 | (three ? below(rng, 16) : 15) << 3 | (chance(rng, 3) ? 0 : 4));
        out[n++] = op;
    } else {
        const Form *f = &legacy[below(rng, ARRAY_LEN(legacy))];
        memcpy(out, f->bytes, f->len);
        n = f->len;
    }
    unsigned reg = (unsigned)below(rng, 8);
    if (chance(rng, 8)) {
        out[n++] = (uint8_t)(0xc0 | reg << 3 | below(rng, 8));
    } else if (chance(rng, 3)) { /* [base + rcx + disp8] */
        out[n++] = (uint8_t)(0x44 | reg << 3);
        out[n++] = (uint8_t)(1 << 3 | base);
        out[n++] = disp;
    } else {
        out[n++] = (uint8_t)(0x40 | reg << 3 | base);
        out[n++] = disp;
    }
    return n;
}

void walk_registers(Case *c, Rng *rng)
{
    static const uint8_t bases[] = {0, 2, 6};
    for (unsigned i = 0; i < sizeof(bases); i++) {
        uint64_t off = chance(rng, 3) ? below(rng, DATA_SIZE) : 0x1000 * below(rng, 3) + below(rng, 256) - 128;
        off &= chance(rng, 8) ? ~0ull : chance(rng, 2) ? ~15ull : ~31ull;
        c->r[bases[i]] = chance(rng, 10) ? CODE_BASE + 0x800 + (off & 0xff) : DATA_BASE + off; /* code: not writable */
    }
    c->r[1] = (below(rng, 9) - 4) * 16;
}
