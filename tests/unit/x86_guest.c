/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test processor: tables, modes, stepping. */
#include "tests/unit/x86_guest.h"

#include <string.h>

#include "target/x86/flags.h"
#include "target/x86/insn.h"
#include "target/x86/mem.h"
#include "target/x86/segment.h"

void guest_put(Guest *g, uint32_t addr, uint64_t value, unsigned size)
{
    memcpy(g->mem + addr, &value, size);
}

uint64_t guest_get(const Guest *g, uint32_t addr, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, g->mem + addr, size);
    return value;
}

void guest_set_desc(Guest *g, unsigned sel, uint64_t desc)
{
    guest_put(g, AT_GDT + (sel & ~7u), desc, 8);
}

void guest_set_idt(Guest *g, unsigned vector, uint16_t sel, uint64_t rip, unsigned attr, unsigned ist)
{
    uint64_t low = (rip & 0xffff) | (uint64_t)sel << 16 | (uint64_t)ist << 32 | (uint64_t)attr << 40 |
                   (rip >> 16 & 0xffff) << 48;
    if (g->cpu->long_mode) {
        guest_put(g, AT_IDT + vector * 16, low, 8);
        guest_put(g, AT_IDT + vector * 16 + 8, rip >> 32, 8);
    } else {
        guest_put(g, AT_IDT + vector * 8, low, 8);
    }
}

static uint64_t system_desc(uint32_t base, uint32_t limit, unsigned type)
{
    return limit | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(0x80 | type) << 40;
}

static void fill_gdt(Guest *g)
{
    guest_set_desc(g, SEL_CODE32, DESC_CODE32);
    guest_set_desc(g, SEL_DATA32, DESC_DATA32);
    guest_set_desc(g, SEL_UCODE32, 0x00cffb000000ffffull);
    guest_set_desc(g, SEL_UDATA32, 0x00cff3000000ffffull);
    guest_set_desc(g, SEL_TSS, system_desc(AT_TSS, 0x1ff, DESC_TSS32));
    guest_set_desc(g, SEL_CODE64, 0x00af9b000000ffffull);
    guest_set_desc(g, SEL_UCODE64, 0x00affb000000ffffull);
    guest_set_desc(g, SEL_CONFORMING, 0x00cf9f000000ffffull);
    guest_set_desc(g, SEL_EXPAND_DOWN, 0x0040970000000fffull); /* valid above 0xfff */
    guest_set_desc(g, SEL_LDT, system_desc(AT_LDT, 0x1f, DESC_LDT));
    guest_set_desc(g, SEL_CODE16, 0x00009b000000ffffull);
    guest_set_desc(g, SEL_DATA16, 0x000093000000ffffull);
    guest_set_desc(g, SEL_ABSENT, 0x00cf13000000ffffull);
    guest_set_desc(g, SEL_TSS_B, system_desc(AT_TSS_B, 0x67, DESC_TSS32));
    guest_set_desc(g, SEL_TSS16, system_desc(AT_TSS16, 0x2b, DESC_TSS16));
    guest_set_desc(g, SEL_EXEC_ONLY, 0x00cf99000000ffffull);
    guest_set_desc(g, SEL_READ_ONLY, 0x00cf91000000ffffull);
    guest_set_desc(g, SEL_TASK_GATE, 0x0000e50000000000ull | (uint64_t)SEL_TSS_B << 16);
}

static void flat(X86Cpu *cpu, unsigned cs, unsigned ss, bool long_code)
{
    uint32_t dpl = (cs & 3u) << SEG_DPL_SHIFT;
    uint32_t common = SEG_P | SEG_S | SEG_ACCESSED | SEG_G | dpl;
    seg_load_cache(cpu, SEG_CS, (uint16_t)cs, 0, 0xffffffff,
                   common | SEG_CODE | SEG_READ | (long_code ? SEG_L : SEG_DB));
    for (unsigned s = 0; s < NUM_SEGS; s++) {
        if (s != SEG_CS) {
            seg_load_cache(cpu, s, (uint16_t)ss, 0, 0xffffffff, common | SEG_WRITE | SEG_DB);
        }
    }
}

static void enter_mode(Guest *g, GuestMode mode)
{
    X86Cpu *cpu = g->cpu;
    if (mode == GUEST_REAL) {
        seg_load_cache(cpu, SEG_CS, 0, 0, 0xffff, SEG_P | SEG_S | SEG_CODE | SEG_READ | SEG_ACCESSED);
        cpu->idtr = (TableReg){.base = AT_IDT, .limit = 0x3ff};
        return;
    }
    cpu->cr0 |= CR0_PE | CR0_NE;
    if (mode == GUEST_LONG64) {
        guest_put(g, AT_PML4, (AT_PML4 + 0x1000) | 7, 8);
        guest_put(g, AT_PML4 + 0x1000, (AT_PML4 + 0x2000) | 7, 8);
        guest_put(g, AT_PML4 + 0x2000, 0x87, 8); /* 2 MiB page */
        guest_put(g, AT_PML4 + 0x2008, 0x200087, 8);
        cpu->cr3 = AT_PML4;
        cpu->cr4 = CR4_PAE;
        cpu->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
        cpu->cr0 |= CR0_PG;
    }
    cpu_update_mode(cpu);
    flat(cpu, mode == GUEST_LONG64 ? SEL_CODE64 : SEL_CODE32, SEL_DATA32, mode == GUEST_LONG64);
    cpu->idtr = (TableReg){.base = AT_IDT, .limit = mode == GUEST_LONG64 ? 0xfff : 0x7ff};
    cpu->gdtr = (TableReg){.base = AT_GDT, .limit = GDT_LIMIT};
    cpu->tr = (Segment){.selector = SEL_TSS, .base = AT_TSS, .limit = 0x1ff, .attr = SEG_P | DESC_TSS32_BUSY};
    guest_put(g, AT_GDT + SEL_TSS + 5, 0x80 | DESC_TSS32_BUSY, 1);
    if (mode == GUEST_LONG64) {
        guest_put(g, AT_TSS + 4, TOP_KERNEL, 8);
        guest_put(g, AT_TSS + 36, TOP_IST, 8);
    } else {
        guest_put(g, AT_TSS + 4, TOP_KERNEL, 4);
        guest_put(g, AT_TSS + 8, SEL_DATA32, 4);
    }
    for (unsigned v = 0; v < 32; v++) {
        guest_set_idt(g, v, mode == GUEST_LONG64 ? SEL_CODE64 : SEL_CODE32, AT_HANDLER + 16 * v, 0x8e, 0);
    }
}

Guest *guest_new(const char *model, GuestMode mode)
{
    GError *error = NULL;
    Guest *g = g_new0(Guest, 1);
    g->m = machine_new(4 * MIB, &error);
    g_assert_no_error(error);
    g->mem = g->m->ram->host;
    g->ram = (Region){.name = "ram", .kind = REGION_RAM, .size = 4 * MIB, .host = g->mem};
    machine_lock(g->m->lock);
    space_map_whole(g->m->memory, 0, &g->ram);
    machine_unlock(g->m->lock);
    gate_register(g->m->lock, &g->gate);
    g->model = cpu_model_parse(model, &error);
    g_assert_no_error(error);
    g->cpu = cpu_new(g->m, 0, g->model);
    fill_gdt(g);
    enter_mode(g, mode);
    g->cpu->rip = AT_CODE;
    g->cpu->r[RSP] = TOP_KERNEL;
    return g;
}

void guest_free(Guest *g)
{
    cpu_free(g->cpu);
    gate_unregister(&g->gate);
    machine_free(g->m);
    cpu_model_free(g->model);
    g_free(g);
}

void guest_enter_user(Guest *g)
{
    bool lm = g->cpu->long_mode;
    flat(g->cpu, lm ? SEL_UCODE64 : SEL_UCODE32, SEL_UDATA32, lm);
    g->cpu->r[RSP] = TOP_USER;
}

int guest_step(Guest *g, const uint8_t *bytes, unsigned len)
{
    X86Cpu *cpu = g->cpu;
    Insn insn;
    g_assert_cmpint(insn_decode(&insn, bytes, len, cpu->code_size, &cpu->features), !=, DECODE_SHORT);
    cpu->insn = &insn;
    cpu->insn_rip = cpu->rip;
    cpu->delivering = -1;
    if (setjmp(cpu->unwind)) {
        return cpu->exc.vector;
    }
    cpu->rip += insn.len;
    insn.fn(cpu, &insn);
    return -1;
}

static bool pump(Guest *g, unsigned vector, IntKind kind, bool has_error, uint32_t error, bool first)
{
    X86Cpu *cpu = g->cpu;
    volatile bool start = first;
    if (setjmp(cpu->unwind)) {
        start = false;
    }
    if (start) {
        cpu_deliver(cpu, vector, kind, has_error, error);
        return true;
    }
    return cpu_deliver_pending(cpu);
}

bool guest_deliver(Guest *g, unsigned vector, IntKind kind, bool has_error, uint32_t error)
{
    g->cpu->insn_rip = g->cpu->rip;
    g->cpu->exc.dr6 = 0;
    return pump(g, vector, kind, has_error, error, true);
}

bool guest_deliver_raised(Guest *g)
{
    return pump(g, 0, INT_EXCEPTION, false, 0, false);
}

uint64_t guest_stack(const Guest *g, unsigned n, unsigned size)
{
    return guest_get(g, (uint32_t)g->cpu->r[RSP] + n * size, size);
}

int guest_raises(Guest *g, void (*fn)(X86Cpu *cpu, uint64_t a, uint64_t b), uint64_t a, uint64_t b)
{
    g->cpu->delivering = -1;
    if (setjmp(g->cpu->unwind)) {
        return g->cpu->exc.vector;
    }
    fn(g->cpu, a, b);
    return -1;
}
