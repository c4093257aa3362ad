/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interpreter's side of the comparison: a CPU in user mode over the same linear memory. */
#include "tests/cpu/silicon.h"

#include <stdlib.h>
#include <string.h>

#include "accel/interp/step.h"
#include "softmmu/core/machine.h"
#include "target/x86/cpuid.h"
#include "target/x86/flags.h"
#include "target/x86/mem.h"
#include "target/x86/segment.h"

enum { RAM_SIZE = 1 << 20, PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, PT_DATA = 0x4000, PT_STACK = 0x5000,
       PT_CODE = 0x6000, PT_MORE = 0x7000, PHYS_DATA = 0x10000, PHYS_STACK = 0x18000, PHYS_CODE = 0x20000 };

#define NO_EXEC (1ull << 63)

struct Engine {
    Machine *m;
    X86Cpu *cpu;
    CpuModel *model;
    VcpuGate gate;
    Region ram;
    uint32_t last_ip, last_len;
};

static void put64(Engine *e, uint32_t phys, uint64_t v)
{
    memcpy(e->m->ram->host + phys, &v, 8);
}

static void map(Engine *e, uint32_t pt, uint64_t lin, uint32_t phys, unsigned pages, bool write)
{
    put64(e, PD + (uint32_t)(lin >> 21 & 511) * 8, pt | 7);
    for (unsigned i = 0; i < pages; i++) {
        put64(e, pt + (uint32_t)((lin >> 12 & 511) + i) * 8, (phys + i * 0x1000) | (write ? NO_EXEC | 7 : 5));
    }
}

void engine_map_page(Engine *e, uint64_t lin, uint64_t entry)
{
    put64(e, PD + (uint32_t)(lin >> 21 & 511) * 8, PT_MORE | 7);
    put64(e, PT_MORE + (uint32_t)(lin >> 12 & 511) * 8, entry);
}

static void fill(uint8_t *p, unsigned len, uint64_t seed)
{
    Rng rng;
    rng_seed(&rng, seed);
    for (unsigned i = 0; i < len; i += 8) {
        uint64_t v = rng_next(&rng);
        memcpy(p + i, &v, 8);
    }
}

void engine_reset_control(Engine *e)
{
    const uint64_t cr0 = CR0_PG | CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_MP | CR0_AM;
    const uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_OSXSAVE;
    const uint64_t efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    X86Cpu *cpu = e->cpu;
    if (cpu->cr0 != cr0 || cpu->cr3 != PML4 || cpu->cr4 != cr4 || cpu->efer != efer) {
        tlb_flush_all(cpu);
    }
    cpu->cr0 = cr0;
    cpu->cr3 = PML4;
    cpu->cr4 = cr4;
    cpu->efer = efer;
    cpu->xcr0 = XSTATE_TESTED;
    cpu->dr6 = 0xffff0ff0;
    cpu->dr7 = 0x400;
}

Engine *engine_start(const FeatureSet *features)
{
    GError *error = NULL;
    Engine *e = g_new0(Engine, 1);
    e->m = machine_new(RAM_SIZE, &error);
    e->model = e->m ? cpu_model_parse("max", &error) : NULL;
    if (!e->model) {
        g_error("%s", error->message);
    }
    e->ram = (Region){.name = "ram", .kind = REGION_RAM, .size = RAM_SIZE, .host = e->m->ram->host};
    machine_lock(e->m->lock);
    space_map_whole(e->m->memory, 0, &e->ram);
    machine_unlock(e->m->lock);
    gate_register(e->m->lock, &e->gate);
    e->cpu = cpu_new(e->m, 0, e->model);
    e->m->cpus = g_new0(X86Cpu *, 1);
    e->m->cpus[0] = e->cpu;
    e->m->num_cpus = 1;
    e->cpu->features = *features;
    put64(e, PML4, PDPT | 7);
    put64(e, PDPT, PD | 7);
    map(e, PT_DATA, DATA_BASE, PHYS_DATA, DATA_SIZE / 0x1000, true);
    map(e, PT_STACK, STACK_BASE, PHYS_STACK, STACK_SIZE / 0x1000, true);
    map(e, PT_CODE, CODE_BASE, PHYS_CODE, CODE_SIZE / 0x1000, false);
    uint8_t *code = e->m->ram->host + PHYS_CODE;
    native_code_init(code);
    e->last_ip = CODE_BASE;
    engine_reset_control(e);
    return e;
}

void engine_stop(Engine *e)
{
    cpu_free(e->cpu);
    gate_unregister(&e->gate);
    g_free(e->m->cpus);
    e->m->cpus = NULL;
    e->m->num_cpus = 0;
    machine_free(e->m);
    cpu_model_free(e->model);
    g_free(e);
}

uint8_t *engine_memory(Engine *e, uint32_t addr)
{
    uint32_t phys = addr >= CODE_BASE ? PHYS_CODE + (addr - (uint32_t)CODE_BASE)
                    : addr >= STACK_BASE ? PHYS_STACK + (addr - (uint32_t)STACK_BASE)
                                         : PHYS_DATA + (addr - (uint32_t)DATA_BASE);
    return e->m->ram->host + phys;
}

void engine_memory_reset(Engine *e, uint64_t seed)
{
    fill(engine_memory(e, DATA_BASE), DATA_SIZE, seed);
    fill(engine_memory(e, STACK_BASE), STACK_SIZE, seed + 1);
}

static void load_fx(X86Cpu *cpu, const FxImage *fx)
{
    X87 *f = &cpu->fpu;
    f->cw = fx->fcw;
    f->sw = fx->fsw & ~0x3800;
    f->top = fx->fsw >> 11 & 7;
    f->empty = (uint8_t)~fx->ftw;
    f->fop = 0;
    f->fip = f->fdp = 0;
    f->fcs = f->fds = 0;
    for (unsigned i = 0; i < 8; i++) {
        f->r[(f->top + i) & 7] = (Float80){.mant = fx->st[i].mant, .se = fx->st[i].se};
    }
    cpu->mxcsr = fx->mxcsr;
    for (unsigned i = 0; i < 16; i++) {
        memset(&cpu->v[i], 0, sizeof(cpu->v[i]));
        memcpy(&cpu->v[i], fx->xmm[i], 16);
        memcpy(cpu->v[i].b + 16, fx->ymm[i], 16);
    }
}

static void store_fx(const X86Cpu *cpu, FxImage *fx)
{
    const X87 *f = &cpu->fpu;
    fx->fcw = f->cw;
    fx->fsw = (uint16_t)(f->sw | f->top << 11);
    fx->ftw = (uint8_t)~f->empty;
    for (unsigned i = 0; i < 8; i++) {
        fx->st[i].mant = f->r[(f->top + i) & 7].mant;
        fx->st[i].se = f->r[(f->top + i) & 7].se;
    }
    fx->mxcsr = cpu->mxcsr;
    for (unsigned i = 0; i < 16; i++) {
        memcpy(fx->xmm[i], &cpu->v[i], 16);
        memcpy(fx->ymm[i], cpu->v[i].b + 16, 16);
    }
}

void engine_load(Engine *e, const Case *c)
{
    X86Cpu *cpu = e->cpu;
    uint8_t *code = e->m->ram->host + PHYS_CODE;
    memset(code + (e->last_ip - CODE_BASE), 0xcc, MIN(32u, CODE_SIZE - (e->last_ip - (uint32_t)CODE_BASE)));
    memcpy(code + (c->ip - CODE_BASE), c->bytes, c->len);
    e->last_ip = c->ip;
    for (unsigned i = 0; i < c->num_mem; i++) {
        memcpy(engine_memory(e, c->mem[i].addr), c->mem[i].bytes, c->mem[i].len);
    }
    memcpy(cpu->r, c->r, sizeof(c->r));
    cpu->rip = c->ip;
    cpu->eflags = (c->flags & ~(uint32_t)FL_OSZAPC) | 2;
    flags_set(cpu, c->flags);
    uint32_t data = SEG_P | SEG_S | SEG_WRITE | SEG_ACCESSED | SEG_DPL | SEG_DB | SEG_G;
    uint32_t exec = SEG_P | SEG_S | SEG_CODE | SEG_READ | SEG_ACCESSED | SEG_DPL | SEG_G;
    seg_load_cache(cpu, SEG_CS, c->code_size == 2 ? 0x33 : 0x23, 0, 0xffffffff,
                   exec | (c->code_size == 2 ? SEG_L : SEG_DB));
    seg_load_cache(cpu, SEG_SS, 0x2b, 0, 0xffffffff, data);
    seg_load_cache(cpu, SEG_DS, 0x2b, 0, 0xffffffff, data);
    seg_load_cache(cpu, SEG_ES, 0x2b, 0, 0xffffffff, data);
    seg_load_cache(cpu, SEG_FS, 0, 0, 0xffffffff, data);
    seg_load_cache(cpu, SEG_GS, 0, CASE_GS_BASE, 0xffffffff, data);
    load_fx(cpu, &c->fx);
    cpu_update_mode(cpu);
    __atomic_store_n(&cpu->attention, false, __ATOMIC_RELAXED);
}

uint64_t silicon_hash(const void *data, uint32_t data_size, const void *stack, uint32_t stack_size)
{
    uint64_t h[4] = {1, 2, 3, 4};
    const uint64_t *parts[2] = {data, stack};
    const uint32_t sizes[2] = {data_size, stack_size};
    for (unsigned p = 0; p < 2; p++) {
        for (uint32_t i = 0; i < sizes[p] / 8; i += 4) {
            for (unsigned k = 0; k < 4; k++) {
                h[k] = (h[k] ^ parts[p][i + k]) * 0x9e3779b97f4a7c15ull;
                h[k] ^= h[k] >> 29;
            }
        }
    }
    return h[0] ^ h[1] * 3 ^ h[2] * 5 ^ h[3] * 7;
}

X86Cpu *engine_cpu(Engine *e)
{
    return e->cpu;
}

void engine_run(Engine *e, const Case *c, Outcome *out)
{
    X86Cpu *cpu = e->cpu;
    engine_load(e, c);
    case_put_code(c, e->m->ram->host + PHYS_CODE);
    bool done;
    unsigned guard = 0;
    do { /* a repeated string instruction may stop between iterations */
        done = interp_step_one(cpu);
    } while (done && cpu->rip == c->ip && (insn_rows[c->row].attr & A_REP) && ++guard < 1000);
    engine_outcome(e, done, out);
}

void engine_outcome(Engine *e, bool done, Outcome *out)
{
    const X86Cpu *cpu = e->cpu;
    memset(out, 0, offsetof(Outcome, fx));
    memcpy(out->r, cpu->r, sizeof(out->r));
    out->rip = done ? cpu->rip : cpu->insn_rip;
    out->flags = cpu_eflags(cpu);
    out->vector = done ? -1 : cpu->exc.vector;
    if (!done) {
        out->error = cpu->exc.has_error ? cpu->exc.error : 0;
        out->cr2 = cpu->exc.vector == EXC_PF ? cpu->exc.cr2 : 0;
    }
    store_fx(cpu, &out->fx);
    out->mem_hash = silicon_hash(engine_memory(e, DATA_BASE), DATA_SIZE, engine_memory(e, STACK_BASE), STACK_SIZE);
}
