/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random blocks of instructions, interpreted and translated: registers, flags, memory and faults must agree.
 * Blocks are made from the same generator as the comparison with silicon.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accel/interp/step.h"
#include "target/x86/flags.h"
#include "target/x86/mem.h"
#include "tcg/internal.h"
#include "tests/cpu/mix.h"
#include "tests/cpu/setting.h"
#include "tests/cpu/values.h"

enum { MAX_BLOCK = 8 };

typedef struct Seq {
    Setting setting;
    Case first;            /* state, and the first instruction's memory */
    MemInit mem[MAX_BLOCK * 3];
    unsigned num_mem;
    unsigned rows[MAX_BLOCK];
    unsigned num;
    uint8_t bytes[MAX_BLOCK * 15];
    unsigned len;
    uint32_t attr;         /* of all rows: what state they work on */
    uint32_t undef, ever_undef; /* flags nobody defines after the block; after some instruction of it */
    bool lazy;             /* the flags before it are those of an operation, see random_lazy() */
    uint8_t cc_op;
    uint64_t cc_dst, cc_src;
} Seq;

/* A memory operand later in a block must not depend on registers that the block has changed. */
static bool independent(const Insn *i)
{
    if (!(i->flags & INSN_MEM)) {
        return true;
    }
    return i->index == REG_ZERO && (i->base == REG_IP || i->base == REG_ZERO);
}

static void move_rip_relative(Seq *s, const Case *c, const Insn *i, uint8_t *bytes)
{
    if (!(i->flags & INSN_MEM) || i->base != REG_IP) {
        return;
    }
    int32_t disp = (int32_t)i->disp;
    for (unsigned at = 2; at + 4 <= c->len; at++) {
        if (memcmp(bytes + at, &disp, 4) == 0) {
            int32_t moved = disp + (int32_t)(c->ip - (s->first.ip + s->len));
            memcpy(bytes + at, &moved, 4);
            return;
        }
    }
}

static bool add_insn(Seq *s, Rng *rng, const Mix *mix)
{
    Case c;
    Insn i;
    unsigned row = mix_row(mix, rng);
    if (!case_generate_for(&c, row, MAX(s->setting.code_size, 1), rng) ||
        !setting_prefixes(&s->setting, &c, &i, &mix->features, rng)) {
        return false;
    }
    if (s->num == 0) {
        s->first = c;
        setting_fit(&s->setting, &s->first, rng);
        s->first.ip = CODE_BASE + 0x400;
        if (!(insn_rows[row].attr & A_SSE)) { /* what comes later may */
            random_fx(&s->first, rng, insn_rows[row].attr | A_SSE);
        }
    } else if (!independent(&i)) {
        return false;
    }
    if (insn_rows[row].flags_read & s->undef) {
        return false;
    }
    move_rip_relative(s, &c, &i, c.bytes);
    memcpy(s->bytes + s->len, c.bytes, c.len);
    s->len += c.len;
    s->rows[s->num++] = row;
    for (unsigned m = 0; m < c.num_mem; m++) {
        s->mem[s->num_mem++] = c.mem[m];
    }
    s->attr |= insn_rows[row].attr;
    s->ever_undef |= insn_rows[row].flags_undef;
    s->undef = (s->undef & ~insn_rows[row].flags_written) | insn_rows[row].flags_undef;
    return true;
}

/* Flags as an operation of any kind and size leaves them; a shift by hand is as good as one that was executed. */
static void random_lazy(Seq *s, Rng *rng)
{
    static const uint8_t ops[] = {CC_FLAGS, CC_ADD, CC_ADC, CC_SUB, CC_SBB, CC_LOGIC, CC_INC, CC_DEC, CC_SHL, CC_SHR,
                                  CC_SAR, CC_MUL, CC_HOST, CC_CMP, CC_TEST};
    unsigned op = ops[rng_next(rng) % G_N_ELEMENTS(ops)], log2 = op == CC_FLAGS ? 0 : (unsigned)rng_next(rng) & 3;
    uint64_t mask = ~0ull >> (64 - (8u << log2));
    s->lazy = true;
    s->cc_op = (uint8_t)(op + log2);
    mask |= rng_next(rng) << 32; /* and something above the size, perhaps */
    s->cc_dst = op == CC_MUL ? rng_next(rng) & FL_OSZAPC : edge_value(rng) & mask;
    s->cc_src = op == CC_FLAGS                    ? rng_next(rng) & FL_OSZAPC
                : op == CC_INC || op == CC_DEC    ? rng_next(rng) & 1
                : op == CC_HOST                   ? (rng_next(rng) & 0xd500) | 0x200 | (rng_next(rng) & 1)
                                                  : edge_value(rng) & mask;
}

/* A loop's body over arrays, in the state of a random vector instruction. */
static bool make_walk(Seq *s, Rng *rng, const Mix *mix, unsigned want)
{
    if (!mix->num[CLASS_VECTOR] ||
        !case_generate(&s->first, mix->rows[CLASS_VECTOR][rng_next(rng) % mix->num[CLASS_VECTOR]], rng) ||
        s->first.code_size != 2) {
        return false;
    }
    s->first.ip = CODE_BASE + 0x400;
    walk_registers(&s->first, rng);
    for (unsigned tries = 0; s->num < want && tries < 200; tries++) {
        Insn i;
        unsigned len = walk_insn(rng, feature_in(&mix->features, FEAT_AVX), s->bytes + s->len);
        if (insn_decode(&i, s->bytes + s->len, len, 2, &mix->features) == DECODE_OK) {
            s->len += i.len;
            s->rows[s->num++] = i.row;
            s->attr |= insn_row(&i)->attr;
        }
    }
    return true;
}

static void make_block(Seq *s, Rng *rng, const Mix *mix, unsigned code_size, unsigned most)
{
    memset(s, 0, sizeof(*s));
    setting_random(&s->setting, code_size, rng);
    unsigned want = 1 + (unsigned)(rng_next(rng) % most);
    if (rng_next(rng) & 1) {
        random_lazy(s, rng);
    }
    bool walk = code_size == 2 && rng_next(rng) % 4 == 0 && make_walk(s, rng, mix, want);
    for (unsigned tries = 0; !walk && s->num < want && tries < 200; tries++) {
        if (!add_insn(s, rng, mix)) {
            continue;
        }
        const InsnRow *row = &insn_rows[s->rows[s->num - 1]];
        if ((row->attr & A_END) || strstr(row->name, "ldmxcsr") || strstr(row->name, "xrstor")) {
            break; /* the translator ends blocks there too */
        }
    }
    FxImage *fx = &s->first.fx, vectors = *fx;
    if ((s->attr & (A_X87 | A_MMX)) && row_class(&insn_rows[s->rows[0]]) != CLASS_X87) { /* what comes later has x87 state */
        random_fx(&s->first, rng, s->attr & (A_X87 | A_MMX));
        fx->mxcsr = vectors.mxcsr;
        memcpy(fx->xmm, vectors.xmm, sizeof(fx->xmm));
        memcpy(fx->ymm, vectors.ymm, sizeof(fx->ymm));
    }
}

static gva_t block_rip(const Seq *s)
{
    return s->first.ip - s->setting.cs_base;
}

static void load(Engine *e, const Seq *s)
{
    fpu_sync(engine_cpu(e));
    engine_load(e, &s->first);
    setting_load(&s->setting, engine_cpu(e));
    for (unsigned m = 0; m < s->num_mem; m++) {
        memcpy(engine_memory(e, s->mem[m].addr), s->mem[m].bytes, s->mem[m].len);
    }
    memcpy(engine_memory(e, s->first.ip), s->bytes, s->len);
    result_start_fpu(engine_cpu(e));
    if (s->lazy) {
        X86Cpu *cpu = engine_cpu(e);
        cpu->cc_op = s->cc_op;
        cpu->cc_dst = s->cc_dst;
        cpu->cc_src = s->cc_src;
    }
}

/* The translator knows which registers the instruction at rip changes: it does not change more. */
static void check_writes(const Seq *s, gva_t rip, const uint64_t *before, const X86Cpu *cpu)
{
    unsigned at = (unsigned)(rip - block_rip(s));
    Insn i;
    insn_decode(&i, s->bytes + at, s->len - at, s->setting.code_size, &cpu->features);
    for (unsigned r = 0; r < 16; r++) {
        if (before[r] != cpu->r[r] && !(insn_writes(&i) >> r & 1)) {
            printf("insn_writes() does not know that %s %s changes r%u\n", insn_row(&i)->name, insn_row(&i)->operands, r);
            exit(1);
        }
    }
}

static void interpret(Engine *e, const Seq *s, Result *out)
{
    X86Cpu *cpu = engine_cpu(e);
    load(e, s);
    bool done = true;
    gva_t end = block_rip(s) + s->len;
    for (unsigned n = 0; done && n < s->num; n++) {
        gva_t before = cpu->rip;
        uint64_t r[16];
        memcpy(r, cpu->r, sizeof(r));
        done = interp_step_one(cpu);
        if (done) {
            check_writes(s, before, r, cpu);
        }
        if (done && (cpu->rip <= before || cpu->rip > end)) {
            break;
        }
    }
    result_take(e, done, out);
}

/* jump: what the block would like to have connected to what follows, or 0. */
static bool run(X86Cpu *cpu, Jit *jit, const JitCode *code, uintptr_t *jump)
{
    if (_setjmp(cpu->unwind) != 0) {
        cpu->rip = cpu->insn_rip;
        return false;
    }
    cpu->break_block = false;
    *jump = jit_run(jit, code);
    return true;
}

/* Which instruction of the block is at rip; 0 for the first and for none. */
static unsigned insn_at(const Seq *s, const Insn *insns, gva_t rip)
{
    gva_t at = block_rip(s);
    for (unsigned n = 0; n < s->num; n++) {
        if (at == rip) {
            return n;
        }
        at += insns[n].len;
    }
    return 0;
}

/*
 * As one block, or cut in two that are connected, so that what the first leaves in the host's registers is what the
 * second finds there.  end: where the interpreter stopped.
 */
static void translate(Engine *e, Jit *jit, const Seq *s, unsigned cut, gva_t end, const FeatureSet *features,
                      Result *out)
{
    static const uint64_t changed;
    static Insn insns[MAX_BLOCK];
    static uint8_t data[DATA_SIZE], stack[STACK_SIZE];
    unsigned at = 0;
    X86Cpu *cpu = engine_cpu(e);
    gva_t start = block_rip(s), cut_rip = start;
    load(e, s);
    memcpy(data, engine_memory(e, DATA_BASE), cut ? DATA_SIZE : 0);
    memcpy(stack, engine_memory(e, STACK_BASE), cut ? STACK_SIZE : 0);
    for (unsigned n = 0; n < s->num; n++) {
        cut_rip = n == cut ? start + at : cut_rip;
        insn_decode(&insns[n], s->bytes + at, s->len - at, s->setting.code_size, features);
        insns[n].at = (uint16_t)at;
        at += insns[n].len;
    }
    JitSource source = {.insns = insns, .num = cut ? cut : s->num, .rip = start, .lin = s->first.ip,
                        .mode = jit_mode(cpu), .num_pages = 1, .pages = {{.changed = &changed}}};
    JitSource rest = {.insns = insns + cut, .num = s->num - cut, .rip = cut_rip,
                      .lin = cut_rip + s->setting.cs_base, .mode = source.mode, .num_pages = 1,
                      .pages = {{.changed = &changed}}};
    uintptr_t jump = 0;
    jit_flush(jit);
    JitCode code, second;
    bool done = jit_translate(jit, &source, &code) && run(cpu, jit, &code, &jump);
    if (cut && done && cpu->rip == cut_rip && jit_mode(cpu) == source.mode && jit_translate(jit, &rest, &second)) {
        if (jump) {
            jit_connect(jit, jump, &second);
            load(e, s);
            memcpy(engine_memory(e, DATA_BASE), data, DATA_SIZE);
            memcpy(engine_memory(e, STACK_BASE), stack, STACK_SIZE);
        } else { /* the first leaves in any case: to the run loop */
            code = second;
        }
        done = run(cpu, jit, &code, &jump);
    }
    unsigned next;
    while (done && cpu->rip != end && (next = insn_at(s, insns, cpu->rip)) != 0) {
        /* on behind an instruction that has changed the mode, or whose operand was not where it could be shared */
        rest = (JitSource){.insns = insns + next, .num = s->num - next, .rip = cpu->rip,
                           .lin = cpu->rip + s->setting.cs_base, .mode = jit_mode(cpu), .num_pages = 1,
                           .pages = {{.changed = &changed}}};
        done = jit_translate(jit, &rest, &code) && run(cpu, jit, &code, &jump);
    }
    if (cpu->vec_live || host_mxcsr() != 0x1f80) {
        printf("left with the guest's vector state: %u, MXCSR %#x\n", cpu->vec_live, host_mxcsr());
        exit(1);
    }
    result_take(e, done, out);
}

static void report(const Seq *s, uint64_t seed, const char *why)
{
    printf("DIFFERENCE (interpreted / translated) %u-bit block seed %#" PRIx64 ":", 16u << s->setting.code_size, seed);
    for (unsigned n = 0; n < s->num; n++) {
        printf(" %s %s;", insn_rows[s->rows[n]].name, insn_rows[s->rows[n]].operands);
    }
    printf("\n  ");
    for (unsigned i = 0; i < s->len; i++) {
        printf("%02x ", s->bytes[i]);
    }
    printf("\n%s", why);
}

/* Half of the blocks are 64-bit, a third 32-bit, unless the caller or the chosen rows want otherwise. */
static unsigned choose_code_size(unsigned bits, const Mix *mix64, const Mix *mix32, Rng *rng)
{
    unsigned n = (unsigned)below(rng, 6);
    unsigned size = bits == 16 ? 0 : bits == 32 ? 1 : bits == 64 ? 2 : n < 3 ? 2 : n < 5 ? 1 : 0;
    return size == 2 && mix64->total == 0 ? 1 : size < 2 && mix32->total == 0 ? 2 : size;
}

int main(int argc, char **argv)
{
    uint64_t count = 100000, seed = (uint64_t)time(NULL), one = 0, differences = 0;
    unsigned most = MAX_BLOCK, bits = 0;
    const char *name = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--count")) {
            count = strtoull(argv[i + 1], NULL, 0);
        } else if (!strcmp(argv[i], "--seed")) {
            seed = strtoull(argv[i + 1], NULL, 0);
        } else if (!strcmp(argv[i], "--block")) {
            one = strtoull(argv[i + 1], NULL, 0);
            count = 1;
        } else if (!strcmp(argv[i], "--name")) {
            name = argv[i + 1];
        } else if (!strcmp(argv[i], "--bits")) {
            bits = (unsigned)strtoul(argv[i + 1], NULL, 0);
        } else if (!strcmp(argv[i], "--most")) {
            most = MIN((unsigned)strtoul(argv[i + 1], NULL, 0), MAX_BLOCK);
        } else {
            fprintf(stderr, "usage: blocks [--count N] [--seed N] [--block SEED] [--name MNEMONIC] [--most N] "
                            "[--bits 16|32|64]\n");
            return 2;
        }
    }
    GError *error = NULL;
    FeatureSet features;
    if (!insn_table_init(&error)) {
        fprintf(stderr, "blocks: %s\n", error->message);
        return 2;
    }
    native_features(&features);
    Mix mix64, mix32;
    mix_init(&mix64, name, 2, false, &features);
    mix_init(&mix32, name, 1, false, &features);
    Engine *a = engine_start(&features), *b = engine_start(&features);
    Jit *jit = jit_new(engine_cpu(b), 1 << 20, NULL, &error);
    if (!jit || mix64.total + mix32.total == 0) {
        fprintf(stderr, "blocks: %s\n", jit ? "no row is chosen" : error->message);
        return 2;
    }
    engine_memory_reset(a, seed);
    engine_memory_reset(b, seed);
    printf("seed %" PRIu64 ", %u rows of 64-bit code, %u of others\n", seed, mix64.total, mix32.total);
    Rng seeds;
    rng_seed(&seeds, seed);
    for (uint64_t n = 0; n < count && differences < 12; n++) {
        uint64_t own = one ? one : rng_next(&seeds);
        Rng rng;
        Seq s;
        Result want, got;
        rng_seed(&rng, own);
        unsigned code_size = choose_code_size(bits, &mix64, &mix32, &rng);
        make_block(&s, &rng, code_size == 2 ? &mix64 : &mix32, code_size, most);
        interpret(a, &s, &want);
        gva_t end = want.outcome.vector == -1 ? want.outcome.rip : ~0ull;
        if (end - block_rip(&s) < s.len) {
            /* it jumps into itself: whether an instruction has come there or left there is not to be told */
            engine_memory_reset(a, ++seed);
            engine_memory_reset(b, seed);
            continue;
        }
        translate(b, jit, &s, s.num > 1 ? (unsigned)(rng_next(&rng) % s.num) : 0, end, &features, &got);
        g_autoptr(GString) why = g_string_new(NULL);
        uint32_t undef = want.outcome.vector == -1 ? s.undef : s.ever_undef;
        if (!result_same(&want, &got, undef, why)) {
            report(&s, own, why->str);
            differences++;
            engine_memory_reset(a, ++seed);
            engine_memory_reset(b, seed);
        }
    }
    printf("%" PRIu64 " differences\n", differences);
    jit_free(jit);
    engine_stop(b);
    engine_stop(a);
    mix_free(&mix64);
    mix_free(&mix32);
    return differences != 0;
}
