/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Self-modifying code at random, against a model.  Functions are made of slots of sixteen bytes, each an operation on
 * EAX, a store into some other slot (into its operand, or over all of it, ahead or behind, in the same function or
 * another), or a call.  Between the calls slots are rewritten from outside by stores of all widths, and pages get other
 * frames.  The model is a copy of the bytes that the guest interprets itself.  "cpus=2": two processors do so to
 * functions that lie among one another's, and each to functions that the other runs next.
 * Spec: Intel SDM vol 3 sections 8.1.3 (self- and cross-modifying code), 11.6.
 */
#include "lib/guest.h"

enum { PAGES = 4, AREA = PAGES * 4096, SLOT = 16, SLOTS = 20, ROOM = 512, FUNCTIONS = AREA / ROOM - 1, MAX_CPUS = 2,
       CALL_DEPTH = 3 };

typedef struct World {
    uint8_t *code;               /* where it runs */
    uint8_t *frames[2][PAGES];   /* what may be mapped there */
    uint8_t model[2][AREA];      /* the bytes of either */
    unsigned active[PAGES];
    unsigned start[FUNCTIONS];   /* offset of its first slot */
} World;

/* One processor's share: functions first, first + step, ... */
typedef struct Share {
    World *w;
    unsigned first, step;
    uint32_t seed;
    unsigned calls, wrong;
} Share;

static uint32_t next(Share *s)
{
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 17;
    s->seed ^= s->seed << 5;
    return s->seed;
}

/* ---- the model ---- */

static uint8_t *model_at(World *w, unsigned at)
{
    return &w->model[w->active[at >> 12]][at];
}

static uint32_t model_get(World *w, unsigned at)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 4; i++) {
        v |= (uint32_t)*model_at(w, at + i) << 8 * i;
    }
    return v;
}

static void model_put(World *w, unsigned at, const void *bytes, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        *model_at(w, at + i) = ((const uint8_t *)bytes)[i];
    }
}

/*
 * Slots:            0     4  5  6 ... 9   10               15
 *   plain           nop4     op imm32     nops             nop   add, sub, xor $imm32, %eax (some after a ROL)
 *                   nop4  op mr imm32     nops             nop   imul, lea
 *   store           c7 05 disp32 imm32    nops             nop   movl $imm32, d(%rip)
 *   behind a jump   nop4  eb 04 operand   6 bytes                stores of %ecx, a call, movups %xmm0, (%rdx)
 * Whatever is in bytes 6 to 9 is good, so that these may be stored to at any time; a slot may be replaced while the
 * function it calls runs, or by itself: what follows is a NOP in all of them.
 */
enum { OPERAND = 6, TAIL = 10 };
static const uint8_t plain_tail[SLOT - TAIL] = {0x90, 0x90, 0x90, 0x66, 0x90, 0x90};
static uint8_t vector_slot[SLOT] __attribute__((aligned(16))); /* what the vector stores write */

typedef struct Input {
    uint32_t c;  /* ECX */
    unsigned d;  /* offset that RDX points to: a slot */
} Input;

static uint32_t model_call(World *w, unsigned f, uint32_t a, const Input *in);

/* The six bytes behind the jump. */
static uint32_t model_tail(World *w, unsigned at, uint32_t a, const Input *in)
{
    uint32_t d = at + SLOT + model_get(w, at + TAIL + 2), v;
    switch (*model_at(w, at + TAIL)) {
    case 0x88:
        model_put(w, d, &in->c, 1);
        break;
    case 0x89:
        model_put(w, d, &in->c, 4);
        break;
    case 0x00:
        *model_at(w, d) += (uint8_t)in->c;
        break;
    case 0x01:
        v = model_get(w, d) + in->c;
        model_put(w, d, &v, 4);
        break;
    case 0xff:
        v = model_get(w, d) + 1;
        model_put(w, d, &v, 4);
        break;
    case 0x0f:
        model_put(w, in->d, vector_slot, SLOT);
        break;
    case 0xe8:
        d = at + TAIL + 5 + model_get(w, at + TAIL + 1);
        for (unsigned f = 0; f < FUNCTIONS; f++) {
            if (w->start[f] == d) {
                return model_call(w, f, a, in);
            }
        }
        break;
    }
    return a;
}

static uint32_t model_call(World *w, unsigned f, uint32_t a, const Input *in)
{
    unsigned at = w->start[f];
    for (unsigned n = 0; n < SLOTS; n++, at += SLOT) {
        uint32_t imm = model_get(w, at + OPERAND);
        uint8_t first = *model_at(w, at), fourth = *model_at(w, at + 4), fifth = *model_at(w, at + 5);
        if (first == 0xc7) {
            model_put(w, at + 10 + model_get(w, at + 2), &imm, 4);
        } else if (fourth == 0xeb) {
            a = model_tail(w, at, a, in);
        } else if (fourth == 0x69) {
            a *= imm;
        } else if (fourth == 0x8d) {
            a += imm;
        } else {
            a = first == 0xc1 ? a << 7 | a >> 25 : a;
            a = fifth == 0x05 ? a + imm : fifth == 0x2d ? a - imm : a ^ imm;
        }
    }
    return a;
}

/* ---- slots ---- */

static unsigned random_function(Share *s)
{
    return s->first + s->step * (next(s) % ((FUNCTIONS - s->first + s->step - 1) / s->step));
}

static unsigned random_slot(Share *s)
{
    return s->w->start[random_function(s)] + SLOT * (next(s) % SLOTS);
}

static void plain_slot(Share *s, uint8_t *slot)
{
    static const uint8_t short_ops[] = {0x05, 0x2d, 0x35};
    uint32_t imm = next(s);
    memcpy(slot, next(s) % 4 ? "\x0f\x1f\x44\x00\x00" : "\xc1\xc0\x07\x66\x90", 5);
    slot[5] = short_ops[next(s) % 3];
    if (next(s) % 3 == 0) {
        bool lea = next(s) % 2;
        memcpy(slot, "\x0f\x1f\x40\x00", 4);
        slot[4] = lea ? 0x8d : 0x69;
        slot[5] = lea ? 0x80 : 0xc0;
    }
    memcpy(slot + OPERAND, &imm, 4);
    memcpy(slot + TAIL, plain_tail, sizeof(plain_tail));
}

/* To the operand of a slot: often one of the next few, sometimes its own. */
static void store_slot(Share *s, unsigned f, unsigned at, uint8_t *slot)
{
    static const uint8_t ops[][2] = {{0x88, 0x0d}, {0x89, 0x0d}, {0x00, 0x0d}, {0x01, 0x0d}, {0xff, 0x05}};
    unsigned near = at + SLOT * (1 + next(s) % 3), target = random_slot(s);
    if (near < s->w->start[f] + SLOTS * SLOT && next(s) % 2) {
        target = near;
    }
    uint32_t imm = next(s), kind = next(s) % 6;
    memcpy(slot + OPERAND, &imm, 4);
    if (kind == 5) {
        uint32_t d = target + OPERAND - (at + 10);
        memcpy(slot, "\xc7\x05", 2);
        memcpy(slot + 2, &d, 4);
        memcpy(slot + TAIL, plain_tail, sizeof(plain_tail));
        return;
    }
    bool byte = !(ops[kind][0] & 1);
    uint32_t d = target + OPERAND + (byte ? next(s) % 4 : 0) - (at + SLOT);
    memcpy(slot, "\x0f\x1f\x40\x00\xeb\x04", 6);
    memcpy(slot + TAIL, ops[kind], 2);
    memcpy(slot + TAIL + 2, &d, 4);
}

/* Functions call only those that come later, and not from too deep. */
static void make_slot(Share *s, unsigned f, unsigned at, uint8_t *slot)
{
    unsigned kind = next(s) % 16, callee = f + s->step * (1 + next(s) % 3);
    plain_slot(s, slot);
    if (kind < 5) {
        store_slot(s, f, at, slot);
    } else if (kind == 5 && callee < FUNCTIONS && f / s->step % CALL_DEPTH < callee / s->step % CALL_DEPTH) {
        uint32_t d = s->w->start[callee] - (at + TAIL + 5);
        memcpy(slot, "\x0f\x1f\x40\x00\xeb\x04", 6);
        slot[TAIL] = 0xe8;
        memcpy(slot + TAIL + 1, &d, 4);
    } else if (kind == 6) {
        memcpy(slot, "\x0f\x1f\x40\x00\xeb\x04", 6);
        memcpy(slot + TAIL, "\x0f\x11\x02\x66\x90\x90", 6);
    }
}

/* Stores of all kinds. */
static void write_code(Share *s, unsigned at, const uint8_t *bytes, unsigned len)
{
    volatile uint8_t *to = s->w->code + at;
    switch (next(s) % 4) {
    case 0:
        for (unsigned i = 0; i < len; i++) {
            to[i] = bytes[i];
        }
        break;
    case 1: {
        volatile uint8_t *d = to;
        const uint8_t *from = bytes;
        uint64_t n = len;
        __asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n)::"memory");
        break;
    }
    default:
        for (unsigned i = 0; i < len;) {
            unsigned left = len - i;
            if (left >= 8) {
                uint64_t v;
                memcpy(&v, bytes + i, 8);
                *(volatile uint64_t *)(to + i) = v;
                i += 8;
            } else if (left >= 4) {
                uint32_t v;
                memcpy(&v, bytes + i, 4);
                __asm__ volatile("xchgl %0, %1" : "+m"(*(volatile uint32_t *)(to + i)), "+r"(v)::"memory");
                i += 4;
            } else {
                to[i] = bytes[i];
                i++;
            }
        }
        break;
    }
    model_put(s->w, at, bytes, len);
}

static void rewrite_slot(Share *s)
{
    unsigned f = random_function(s), at = s->w->start[f] + SLOT * (next(s) % SLOTS);
    uint8_t slot[SLOT] __attribute__((aligned(8)));
    make_slot(s, f, at, slot);
    write_code(s, at, slot, SLOT);
}

static void rewrite_operand(Share *s)
{
    unsigned at = random_slot(s), from = next(s) % 4;
    uint32_t v = next(s);
    write_code(s, at + OPERAND + from, (const uint8_t *)&v, 1 + next(s) % (4 - from));
}

static void call_one(Share *s, unsigned f)
{
    World *w = s->w;
    Input in = {.c = next(s), .d = random_slot(s)};
    uint32_t a = next(s), got = a, want = model_call(w, f, a, &in);
    void *fn = w->code + w->start[f];
    __asm__ volatile("movups %2, %%xmm0; call *%1"
                     : "+a"(got)
                     : "r"(fn), "m"(vector_slot), "c"(in.c), "d"(w->code + in.d)
                     : "memory", "cc");
    s->calls++;
    s->wrong += got != want;
}

/* ---- worlds ---- */

/* crossing: functions lie over the ends of pages, too. */
static World *make_world(Share *shares, unsigned num, bool crossing)
{
    static World world;
    World *w = &world;
    unsigned from = crossing ? 192 : 0;
    uint8_t *others = alloc_pages(PAGES);
    w->code = alloc_pages(PAGES);
    for (unsigned p = 0; p < PAGES; p++) {
        w->frames[0][p] = w->code + 4096 * p;
        w->frames[1][p] = others + 4096 * p;
        w->active[p] = 0;
    }
    for (unsigned f = 0; f < FUNCTIONS; f++) {
        w->start[f] = ROOM * f + from + (shares[0].seed * 7 + f * 37) % (crossing ? 128 : ROOM - SLOTS * SLOT - 1);
    }
    static const uint8_t ret = 0xc3;
    for (unsigned n = 0; n < num; n++) {
        Share *s = &shares[n];
        s->w = w;
        for (unsigned f = s->first; f < FUNCTIONS; f += s->step) {
            for (unsigned k = 0; k < SLOTS; k++) {
                uint8_t slot[SLOT] __attribute__((aligned(8)));
                plain_slot(s, slot);
                write_code(s, w->start[f] + SLOT * k, slot, SLOT);
            }
            write_code(s, w->start[f] + SLOT * SLOTS, &ret, 1);
        }
    }
    return w;
}

/* Both frames of each page hold the same at first. */
static void copy_frames(World *w)
{
    for (unsigned p = 0; p < PAGES; p++) {
        memcpy(w->frames[1][p], w->frames[0][p], 4096);
        memcpy(w->model[1] + 4096 * p, w->model[0] + 4096 * p, 4096);
    }
}

static void other_frame(World *w, unsigned page)
{
    w->active[page] ^= 1;
    *pte_of(w->code + 4096 * page) = (uint64_t)w->frames[w->active[page]][page] | 3;
    invlpg(w->code + 4096 * page);
}

static void same_bytes(World *w, Share *shares, unsigned num)
{
    bool same = true;
    for (unsigned n = 0; n < num; n++) {
        for (unsigned f = shares[n].first; f < FUNCTIONS; f += shares[n].step) {
            for (unsigned k = 0; k <= SLOTS * SLOT; k++) {
                same = same && w->code[w->start[f] + k] == *model_at(w, w->start[f] + k);
            }
        }
    }
    check(same);
}

/* ---- one processor ---- */

static void turn(Share *s)
{
    switch (next(s) % 8) {
    case 0:
        rewrite_slot(s);
        break;
    case 1 ... 2:
        rewrite_operand(s);
        break;
    default:
        call_one(s, random_function(s));
        break;
    }
}

static void alone(unsigned rounds, bool crossing, uint32_t seed)
{
    Share s = {.step = 1, .seed = seed};
    World *w = make_world(&s, 1, crossing);
    if (!crossing) {
        copy_frames(w);
    }
    for (unsigned n = 0; n < rounds; n++) {
        turn(&s);
        if (!crossing && next(&s) % 64 == 0) {
            other_frame(w, next(&s) % PAGES);
        }
    }
    check(s.calls > rounds / 2);
    check_eq(s.wrong, 0);
    same_bytes(w, &s, 1);
}

/* ---- two processors ---- */

static unsigned cpus, rounds;
static Share shares[MAX_CPUS];
static volatile uint32_t generation, finished;
static void (*volatile job)(unsigned n);

static void worker(unsigned n)
{
    for (uint32_t done = 0;; __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST)) {
        while (generation == done) {
            pause_cpu();
        }
        done = generation;
        job(n);
    }
}

static void run_both(void (*fn)(unsigned n))
{
    finished = 0;
    job = fn;
    __atomic_fetch_add(&generation, 1, __ATOMIC_SEQ_CST);
    fn(0);
    while (finished < cpus - 1) {
        pause_cpu();
    }
}

static void beside(unsigned n)
{
    for (unsigned i = 0; i < rounds; i++) {
        turn(&shares[n]);
    }
}

/* One has the token, rewrites and gives it away; who gets it serialises and runs. */
static volatile uint32_t token;
static Share common;
static void in_turns(unsigned n)
{
    for (unsigned i = 0; i < rounds / 8; i++) {
        while (token % cpus != n) {
            pause_cpu();
        }
        uint32_t id[4];
        cpuid(0, 0, id);
        for (unsigned k = 0; k < 3; k++) {
            call_one(&common, random_function(&common));
        }
        rewrite_slot(&common);
        rewrite_operand(&common);
        __atomic_fetch_add(&token, 1, __ATOMIC_SEQ_CST);
    }
}

/* An immediate byte written by the other without any agreement: old or new, and never old after new. */
static uint8_t *wild;
static volatile uint32_t over, went_back;
static void race(unsigned n)
{
    unsigned (*fn)(void) = (void *)wild;
    if (n == 0) {
        for (unsigned i = 0; i < rounds; i++) {
            *(volatile uint8_t *)(wild + 5) = (uint8_t)(i * 100 / rounds);
        }
        over = 1;
        return;
    }
    for (uint32_t last = 0; !over;) {
        uint32_t v = fn();
        went_back += v < last || v > 99;
        last = v;
    }
}

static void together(uint32_t seed)
{
    for (unsigned n = 0; n < cpus; n++) {
        shares[n] = (Share){.first = n, .step = cpus, .seed = seed + n};
    }
    World *w = make_world(shares, cpus, true);
    run_both(beside);
    for (unsigned n = 0; n < cpus; n++) {
        check(shares[n].calls > rounds / 2);
        check_eq(shares[n].wrong, 0);
    }
    same_bytes(w, shares, cpus);
    common = (Share){.step = 1, .seed = seed};
    w = make_world(&common, 1, true);
    run_both(in_turns);
    check_eq(common.calls, rounds / 8 * 3 * cpus);
    check_eq(common.wrong, 0);
    same_bytes(w, &common, 1);
    wild = alloc_pages(1);
    memcpy(wild, "\x31\xc0\x31\xd2\x04\x00\xc3", 7); /* xor %eax, %eax; xor %edx, %edx; add $0, %al; ret */
    run_both(race);
    check_eq(went_back, 0);
}

void guest_main(void)
{
    uint32_t seed = (uint32_t)option("seed", 1) * 2654435761u | 1;
    cpus = (unsigned)option("cpus", 1);
    rounds = (unsigned)option("rounds", 20000);
    Share any = {.seed = seed};
    plain_slot(&any, vector_slot);
    alone(rounds, true, seed);
    alone(rounds, false, seed + 2);
    if (cpus > 1) {
        pic_disable();
        check_eq(start_processors(cpus - 1, worker), cpus - 1);
        together(seed + 4);
    }
}
