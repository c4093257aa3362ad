/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-1 and SHA-256 steps.
 * Spec: Intel SDM vol 2, SHA1RNDS4 ... SHA256MSG2; FIPS 180-4 sections 4.1, 4.2, 6.1, 6.2.
 */
#include "target/x86/sse.h"

static inline uint32_t rol(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}
static inline uint32_t ror(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}
static inline uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (~x & z);
}
static inline uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (x & z) ^ (y & z);
}

/* QUIRK: as on AMD, memory operands may lie anywhere; by the SDM they must be aligned. */
static inline Xmm sha_rm(X86Cpu *cpu, const Insn *i)
{
    return in_memory(i) ? sse_load_unaligned(cpu, i) : *xmm(cpu, i->rm);
}

#define SHA(name, op)                                                                                                  \
    static void name(X86Cpu *cpu, const Insn *i)                                                                       \
    {                                                                                                                  \
        sse_enter(cpu);                                                                                                \
        Xmm s = sha_rm(cpu, i);                                                                                        \
        op(xmm(cpu, i->reg), &s, (unsigned)i->imm);                                                                    \
    }                                                                                                                  \
    EXEC_ONE(name, name)

/* ---- SHA-1 ---- */

/* Four rounds; d holds D C B A from element 0 on, s four words with E added to the first one (element 3). */
static inline void sha1_rounds(Xmm *d, const Xmm *s, unsigned imm)
{
    static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t a = d->d[3], b = d->d[2], c = d->d[1], dd = d->d[0], ee = 0;
    for (unsigned k = 0; k < 4; k++) {
        uint32_t f = (imm & 3) == 0 ? choose(b, c, dd) : (imm & 3) == 2 ? majority(b, c, dd) : b ^ c ^ dd;
        uint32_t t = f + rol(a, 5) + s->d[3 - k] + ee + constants[imm & 3];
        ee = dd;
        dd = c;
        c = rol(b, 30);
        b = a;
        a = t;
    }
    *d = (Xmm){.d = {dd, c, b, a}};
}
SHA(sha1rnds4, sha1_rounds);

static inline void sha1_next_e(Xmm *d, const Xmm *s, unsigned imm)
{
    uint32_t next = rol(d->d[3], 30);
    *d = *s;
    d->d[3] += next;
}
SHA(sha1nexte, sha1_next_e);

static inline void sha1_message1(Xmm *d, const Xmm *s, unsigned imm)
{
    uint32_t w[6] = {d->d[3], d->d[2], d->d[1], d->d[0], s->d[3], s->d[2]};
    *d = (Xmm){.d = {w[5] ^ w[3], w[4] ^ w[2], w[3] ^ w[1], w[2] ^ w[0]}};
}
SHA(sha1msg1, sha1_message1);

static inline void sha1_message2(Xmm *d, const Xmm *s, unsigned imm)
{
    uint32_t w16 = rol(d->d[3] ^ s->d[2], 1), w17 = rol(d->d[2] ^ s->d[1], 1), w18 = rol(d->d[1] ^ s->d[0], 1);
    *d = (Xmm){.d = {rol(d->d[0] ^ w16, 1), w18, w17, w16}};
}
SHA(sha1msg2, sha1_message2);

/* ---- SHA-256 ---- */

/* Two rounds; d holds H G D C, s F E B A from element 0 on; XMM0 two words with their constants added. */
static void sha256rnds2(X86Cpu *cpu, const Insn *i)
{
    sse_enter(cpu);
    Xmm s = sha_rm(cpu, i), *d = xmm(cpu, i->reg);
    const uint32_t w[2] = {cpu->v[0].d[0], cpu->v[0].d[1]};
    uint32_t a = s.d[3], b = s.d[2], c = d->d[3], dd = d->d[2], e = s.d[1], f = s.d[0], g = d->d[1], h = d->d[0];
    for (unsigned k = 0; k < 2; k++) {
        uint32_t t = choose(e, f, g) + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + w[k] + h;
        uint32_t next = t + majority(a, b, c) + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22));
        h = g;
        g = f;
        f = e;
        e = t + dd;
        dd = c;
        c = b;
        b = a;
        a = next;
    }
    *d = (Xmm){.d = {f, e, b, a}};
}
EXEC_ONE(sha256rnds2, sha256rnds2);

static inline uint32_t sigma0(uint32_t v)
{
    return ror(v, 7) ^ ror(v, 18) ^ v >> 3;
}
static inline uint32_t sigma1(uint32_t v)
{
    return ror(v, 17) ^ ror(v, 19) ^ v >> 10;
}

static inline void sha256_message1(Xmm *d, const Xmm *s, unsigned imm)
{
    uint32_t w[5] = {d->d[0], d->d[1], d->d[2], d->d[3], s->d[0]};
    for (unsigned k = 0; k < 4; k++) {
        d->d[k] = w[k] + sigma0(w[k + 1]);
    }
}
SHA(sha256msg1, sha256_message1);

static inline void sha256_message2(Xmm *d, const Xmm *s, unsigned imm)
{
    uint32_t w16 = d->d[0] + sigma1(s->d[2]), w17 = d->d[1] + sigma1(s->d[3]);
    *d = (Xmm){.d = {w16, w17, d->d[2] + sigma1(w16), d->d[3] + sigma1(w17)}};
}
SHA(sha256msg2, sha256_message2);
