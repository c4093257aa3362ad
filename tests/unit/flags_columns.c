/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flag columns of every row that runs in user mode: flags that a row does not read must not matter, flags that it
 * does not write must stay.  A translator drops flag computations by these columns.
 * Spec: Intel SDM vol 1 appendix A (EFLAGS cross-reference).
 */
#include "target/x86/exec.h"
#include "tests/unit/insn_random.h"

enum { PAGE = 4096, ROUNDS = 80 };
#define BASE 0x400000ull

static FeatureSet all;

typedef struct Result {
    uint64_t r[16], rip;
    Vec v[16];
    X87 fpu;
    uint32_t flags, mxcsr;
    int vector;
    uint8_t ram[PAGE];
} Result;

static X86Cpu *new_cpu(uint8_t *ram)
{
    X86Cpu *cpu = g_new0(X86Cpu, 1);
    for (unsigned m = 0; m < NUM_MEM_MODES; m++) {
        for (unsigned k = 0; k < TLB_SIZE; k++) {
            cpu->tlb[m][k].rtag = cpu->tlb[m][k].wtag = 1ull << 62;
        }
    }
    cpu->tlb[0][(BASE >> 12) & (TLB_SIZE - 1)] =
        (TlbEntry){.rtag = BASE, .wtag = BASE, .addend = (uintptr_t)ram - BASE};
    cpu->code_size = 2;
    cpu->stack_size = 3;
    cpu->code64 = cpu->long_mode = cpu->protected_mode = true;
    cpu->cr0 = CR0_PE | CR0_PG | CR0_NE;
    cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu->features = all;
    return cpu;
}

/* Registers such that every address that this instruction may form lies in the page.  False: cannot be arranged. */
static bool place_operands(X86Cpu *cpu, const Insn *i, GRand *rng)
{
    const InsnRow *row = insn_row(i);
    for (unsigned k = 0; k < 16; k++) {
        cpu->r[k] = (uint64_t)g_rand_int(rng) << 32 | g_rand_int(rng);
    }
    cpu->r[RSP] = cpu->r[RSI] = cpu->r[RDI] = BASE + 2048;
    cpu->r[RBP] = BASE + 1024;
    if (row->attr & A_REP) {
        cpu->r[RCX] &= 15;
        return i->asize == 3 && !(i->seg_override != 0xff);
    }
    if (!strcmp(row->name, "enter") || !strcmp(row->name, "xlatb")) {
        return false;
    }
    if (!(i->flags & INSN_MEM)) {
        return true;
    }
    bool bit_string = row->map == MAP_0F && (row->opcode & 0xe7) == 0xa3; /* BT family: G is part of the address */
    if (row->attr & (A_X87 | A_MMX | A_SSE) || bit_string || i->asize != 3 || i->seg >= SEG_FS || i->base >= 16 ||
        i->base == i->index || i->base == RSP) {
        return false;
    }
    cpu->r[i->base] = BASE + 2048 - (uint64_t)i->disp - (cpu->r[i->index] << i->scale);
    return true;
}

static void run(X86Cpu *cpu, const Insn *i, uint8_t *ram, const X86Cpu *start, const uint8_t *ram_start,
                uint32_t flags, Result *out)
{
    memcpy(cpu->r, start->r, sizeof(cpu->r));
    memcpy(cpu->v, start->v, sizeof(cpu->v));
    memcpy(ram, ram_start, PAGE);
    cpu->fpu = start->fpu;
    cpu->mxcsr = 0x1f80;
    cpu->eflags = 2;
    flags_set(cpu, flags);
    cpu->insn_rip = 0x1000;
    cpu->rip = 0x1000 + i->len;
    cpu->insn = i;
    cpu->attention = false;
    cpu->break_block = false;
    memset(out, 0, sizeof(*out));
    if (setjmp(cpu->unwind) == 0) {
        i->fn(cpu, i);
        out->vector = -1;
    } else {
        out->vector = cpu->exc.vector;
    }
    memcpy(out->r, cpu->r, sizeof(out->r));
    memcpy(out->v, cpu->v, sizeof(out->v));
    memcpy(out->ram, ram, PAGE);
    out->fpu = cpu->fpu;
    out->rip = cpu->rip;
    out->mxcsr = cpu->mxcsr;
    out->flags = flags_compute(cpu);
}

static void random_state(X86Cpu *cpu, uint8_t *ram, GRand *rng)
{
    for (unsigned k = 0; k < PAGE; k += 4) {
        uint32_t v = g_rand_int(rng);
        memcpy(ram + k, &v, 4);
    }
    for (unsigned k = 0; k < 16; k++) {
        for (unsigned d = 0; d < 4; d++) {
            cpu->v[k].d[d] = g_rand_int(rng);
        }
    }
    cpu->fpu = (X87){.cw = 0x37f};
    for (unsigned k = 0; k < 8; k++) {
        cpu->fpu.r[k] = (Float80){.mant = 1ull << 63 | g_rand_int(rng), .se = (uint16_t)(0x3ff0 + k)};
    }
}

static void report(const InsnRow *row, unsigned r, const char *what, uint32_t before, const Result *x)
{
    g_error("row %u %s %s: %s (flags %x -> %x, columns: reads %x writes %x undefined %x)", r, row->name,
            row->operands, what, before, x->flags, row->flags_read, row->flags_written, row->flags_undef);
}

static void test_columns(void)
{
    GRand *rng = g_rand_new_with_seed(77);
    uint8_t *ram = g_malloc(PAGE), *ram_start = g_malloc(PAGE);
    X86Cpu *cpu = new_cpu(ram), *start = g_new0(X86Cpu, 1);
    Result *one = g_new0(Result, 1), *two = g_new0(Result, 1);
    unsigned rows = 0, runs = 0;
    for (unsigned r = 0; r < insn_num_rows; r++) {
        const InsnRow *row = &insn_rows[r];
        unsigned done = 0;
        if (!(row->modes & MODE_64) || (row->attr & (A_SYS | A_PRIV | A_NODIFF | A_IO)) ||
            row->flags_written & ~(uint32_t)FL_OSZAPC) {
            continue;
        }
        for (unsigned n = 0; n < ROUNDS; n++) {
            uint8_t bytes[32];
            Insn i;
            insn_random(row, 2, rng, bytes);
            if (insn_decode(&i, bytes, 15, 2, &all) != DECODE_OK || i.row != r || !place_operands(start, &i, rng)) {
                continue;
            }
            random_state(start, ram_start, rng);
            uint32_t flags = g_rand_int(rng) & FL_OSZAPC;
            uint32_t other = flags ^ (g_rand_int(rng) & FL_OSZAPC & ~row->flags_read);
            run(cpu, &i, ram, start, ram_start, flags, one);
            run(cpu, &i, ram, start, ram_start, other, two);
            uint32_t kept = one->vector == -1 ? FL_OSZAPC & ~row->flags_written : FL_OSZAPC;
            if ((one->flags ^ flags) & kept || (two->flags ^ other) & kept) {
                report(row, r, "changes a flag that it does not write", flags, one);
            }
            if ((one->flags ^ two->flags) & row->flags_written & ~row->flags_undef && one->vector == -1) {
                report(row, r, "its flags depend on one that it does not read", flags, one);
            }
            one->flags = two->flags = 0;
            if (memcmp(one, two, sizeof(*one))) {
                report(row, r, "its result depends on a flag that it does not read", flags, one);
            }
            done++;
        }
        rows += done > 0;
        runs += done;
    }
    g_test_message("%u rows, %u pairs of runs", rows, runs);
    g_assert_cmpuint(rows, >, 600);
    g_free(one);
    g_free(two);
    g_free(cpu);
    g_free(start);
    g_free(ram);
    g_free(ram_start);
    g_rand_free(rng);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    memset(&all, 0xff, sizeof(all));
    GError *error = NULL;
    if (!insn_table_init(&error)) {
        g_error("%s", error->message);
    }
    g_test_add_func("/flags-columns", test_columns);
    return g_test_run();
}
