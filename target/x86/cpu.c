/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A processor's life: creation, RESET#, INIT, start-up IPI, derived mode, events from other threads.
 * Spec: Intel SDM vol 3, sections 9.1 (initialisation) and 9.4 (multiprocessor start-up).
 */
#include "target/x86/cpu.h"

#include <inttypes.h>
#include <string.h>

#include "softmmu/core/machine.h"
#include "target/x86/cpuid.h"
#include "target/x86/flags.h"
#include "target/x86/mem.h"
#include "target/x86/segment.h"

static _Thread_local X86Cpu *current;

X86Cpu *cpu_current(void)
{
    return current;
}

void cpu_set_current(X86Cpu *cpu)
{
    current = cpu;
}

X86Cpu *cpu_new(struct Machine *m, unsigned index, const CpuModel *model)
{
    X86Cpu *cpu = g_aligned_alloc0(1, sizeof(X86Cpu), 64);
    cpu->machine = m;
    cpu->index = index;
    cpu->apic_id = index;
    cpu->model = model;
    cpu->features = model->features;
    cpu->intel = strcmp(model->vendor, "GenuineIntel") == 0;
    cpu->a20_mask = ~0ull;
    tlb_init(cpu);
    cpu_reset(cpu);
    return cpu;
}

void cpu_free(X86Cpu *cpu)
{
    if (cpu) {
        g_aligned_free(cpu);
    }
}

static void reset_segments(X86Cpu *cpu, uint16_t cs, uint64_t cs_base)
{
    for (unsigned s = 0; s < NUM_SEGS; s++) {
        seg_load_cache(cpu, s, 0, 0, 0xffff, SEG_P | SEG_S | SEG_WRITE | SEG_ACCESSED);
    }
    seg_load_cache(cpu, SEG_CS, cs, cs_base, 0xffff, SEG_P | SEG_S | SEG_CODE | SEG_READ | SEG_ACCESSED);
    cpu->ldtr = (Segment){.limit = 0xffff, .attr = SEG_P | 2};
    cpu->tr = (Segment){.limit = 0xffff, .attr = SEG_P | 11};
    cpu->gdtr = (TableReg){.limit = 0xffff};
    cpu->idtr = (TableReg){.limit = 0xffff};
}

/* What RESET# and INIT have in common (SDM vol 3 table 9-1). */
static void reset_common(X86Cpu *cpu)
{
    memset(cpu->r, 0, sizeof(cpu->r));
    cpu->r[RDX] = cpu->model->stepping | (cpu->model->model & 0xf) << 4 | (cpu->model->family & 0xf) << 8;
    cpu->cc_op = CC_FLAGS;
    cpu->cc_src = cpu->cc_dst = 0;
    cpu->eflags = 2;
    cpu->cr2 = cpu->cr3 = cpu->cr4 = 0;
    cpu->efer = 0;
    memset(cpu->pdpte, 0, sizeof(cpu->pdpte));
    memset(cpu->dr, 0, sizeof(cpu->dr));
    cpu->dr6 = 0xffff0ff0;
    cpu->dr7 = 0x400;
    cpu->shadow = 0;
    cpu->pending_db = 0;
    cpu->nmi_blocked = false;
    cpu->halted = false;
    cpu->delivering = -1;
    reset_segments(cpu, 0xf000, 0xffff0000);
    cpu->rip = 0xfff0;
    cpu->wait_sipi = cpu->index != 0;
    cpu_update_mode(cpu);
    tlb_flush_all(cpu);
}

void cpu_reset(X86Cpu *cpu)
{
    cpu->cr0 = CR0_ET | CR0_NW | CR0_CD;
    cpu->xcr0 = 1;
    cpu->xss = 0;
    cpu->pkru = cpu->pkrs = 0;
    memset(&cpu->fpu, 0, sizeof(cpu->fpu));
    cpu->fpu.cw = 0x40;
    cpu->fpu.empty = 0;
    cpu->mxcsr = 0x1f80;
    memset(cpu->v, 0, sizeof(cpu->v));
    memset(&cpu->msr, 0, sizeof(cpu->msr));
    cpu->msr.pat = 0x0007040600070406ull;
    cpu->msr.misc_enable = 1;
    cpu->msr.mcg_ctl = ~0ull;
    for (unsigned i = 0; i < ARRAY_LEN(cpu->msr.mc_ctl); i++) {
        cpu->msr.mc_ctl[i] = ~0ull;
    }
    __atomic_store_n(&cpu->events, 0, __ATOMIC_SEQ_CST);
    reset_common(cpu);
    if (log_on(LOG_CPU_RESET)) {
        g_autoptr(GString) text = g_string_new(NULL);
        cpu_dump(cpu, text);
        log_printf("CPU %u reset\n%s", cpu->index, text->str);
    }
}

void cpu_init_signal(X86Cpu *cpu)
{
    /* CD and NW keep their values over INIT. */
    cpu->cr0 = CR0_ET | (cpu->cr0 & (CR0_NW | CR0_CD));
    reset_common(cpu);
}

void cpu_sipi(X86Cpu *cpu, uint8_t vector)
{
    cpu->wait_sipi = false;
    cpu->halted = false;
    seg_load_cache(cpu, SEG_CS, (uint16_t)(vector << 8), (uint64_t)vector << 12, 0xffff,
                   SEG_P | SEG_S | SEG_CODE | SEG_READ | SEG_ACCESSED);
    cpu->rip = 0;
}

void cpu_update_mode(X86Cpu *cpu)
{
    bool pe = (cpu->cr0 & CR0_PE) != 0;
    bool vm = (cpu->eflags & FL_VM) != 0;
    uint32_t cs = cpu->seg[SEG_CS].attr;
    cpu->protected_mode = pe && !vm;
    cpu->long_mode = (cpu->efer & EFER_LMA) != 0;
    cpu->code64 = cpu->long_mode && (cs & SEG_L);
    cpu->code_size = cpu->code64 ? 2 : (cpu->protected_mode || !vm) && (cs & SEG_DB) ? 1 : 0;
    cpu->stack_size = cpu->code64 ? 3 : (cpu->seg[SEG_SS].attr & SEG_DB) ? 2 : 1;
    cpu->cpl = !pe ? 0 : vm ? 3 : (cpu->seg[SEG_SS].attr & SEG_DPL) >> SEG_DPL_SHIFT;
    if (cpu->cpl == 3) {
        bool align = (cpu->cr0 & CR0_AM) && (cpu->eflags & FL_AC);
        cpu->mem_mode = align ? MEM_USER_AC : MEM_USER;
    } else {
        cpu->mem_mode = (cpu->eflags & FL_AC) ? MEM_KERNEL_AC : MEM_KERNEL;
    }
    cpu->cpuid.known = false; /* it tells of CR4 */
    cpu->break_block = true;
}

void cpu_raise_event(X86Cpu *cpu, uint32_t events)
{
    /*
     * One NMI can wait while another is served (SDM vol 3 section 6.7.1).  A processor would have been in its handler
     * long before the second came; this one may be late, and must not lose it for that.
     */
    bool can_repeat = (events & EVENT_NMI) && !cpu->nmi_blocked;
    uint32_t old = __atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST), all;
    do {
        all = old | events | (can_repeat && (old & EVENT_NMI) ? EVENT_NMI_AGAIN : 0);
    } while (!__atomic_compare_exchange_n(&cpu->events, &old, all, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
    if (cpu->kick) {
        cpu->kick(cpu);
    }
}

void cpu_lower_event(X86Cpu *cpu, uint32_t events)
{
    __atomic_and_fetch(&cpu->events, ~events, __ATOMIC_SEQ_CST);
}

void cpu_take_nmi(X86Cpu *cpu)
{
    uint32_t old = __atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST), left;
    do {
        left = old & ~(uint32_t)(old & EVENT_NMI_AGAIN ? EVENT_NMI_AGAIN : EVENT_NMI);
    } while (!__atomic_compare_exchange_n(&cpu->events, &old, left, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}

void cpu_set_intr(X86Cpu *cpu, bool level)
{
    if (level) {
        cpu_raise_event(cpu, EVENT_INTR);
    } else {
        cpu_lower_event(cpu, EVENT_INTR);
    }
}

static void dump_segment(GString *out, const char *name, const Segment *s)
{
    g_string_append_printf(out, "%-4s %04x base=%016" PRIx64 " limit=%08x attr=%05x\n", name, s->selector, s->base,
                           s->limit, s->attr);
}

void cpu_dump(const X86Cpu *cpu, GString *out)
{
    static const char *const names[16] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                          "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};
    static const char *const segs[NUM_SEGS] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    for (unsigned i = 0; i < 16; i++) {
        g_string_append_printf(out, "%-3s=%016" PRIx64 "%c", names[i], cpu->r[i], i % 4 == 3 ? '\n' : ' ');
    }
    uint32_t fl = cpu_eflags(cpu);
    g_string_append_printf(out, "RIP=%016" PRIx64 " RFL=%08x [%c%c%c%c%c%c%c] CPL=%u HLT=%d A20=%d\n", cpu->rip, fl,
                           fl & FL_DF ? 'D' : '-', fl & FL_OF ? 'O' : '-', fl & FL_SF ? 'S' : '-',
                           fl & FL_ZF ? 'Z' : '-', fl & FL_AF ? 'A' : '-', fl & FL_PF ? 'P' : '-',
                           fl & FL_CF ? 'C' : '-', cpu->cpl, cpu->halted, (int)(cpu->a20_mask >> 20 & 1));
    for (unsigned i = 0; i < NUM_SEGS; i++) {
        dump_segment(out, segs[i], &cpu->seg[i]);
    }
    dump_segment(out, "LDT", &cpu->ldtr);
    dump_segment(out, "TR", &cpu->tr);
    g_string_append_printf(out, "GDT  base=%016" PRIx64 " limit=%04x\nIDT  base=%016" PRIx64 " limit=%04x\n",
                           cpu->gdtr.base, cpu->gdtr.limit, cpu->idtr.base, cpu->idtr.limit);
    g_string_append_printf(out, "CR0=%08" PRIx64 " CR2=%016" PRIx64 " CR3=%016" PRIx64 " CR4=%08" PRIx64 "\n", cpu->cr0,
                           cpu->cr2, cpu->cr3, cpu->cr4);
    g_string_append_printf(out, "DR0=%016" PRIx64 " DR1=%016" PRIx64 " DR2=%016" PRIx64 " DR3=%016" PRIx64 "\n",
                           cpu->dr[0], cpu->dr[1], cpu->dr[2], cpu->dr[3]);
    g_string_append_printf(out, "DR6=%08" PRIx64 " DR7=%08" PRIx64 " EFER=%04" PRIx64 "\n", cpu->dr6, cpu->dr7,
                           cpu->efer);
    g_string_append_printf(out, "FCW=%04x FSW=%04x TOP=%u EMPTY=%02x MXCSR=%08x\n", cpu->fpu.cw, cpu->fpu.sw,
                           cpu->fpu.top, cpu->fpu.empty, cpu->mxcsr);
    for (unsigned i = 0; i < 16; i++) {
        g_string_append_printf(out, "XMM%02u=%016" PRIx64 "%016" PRIx64 "%c", i, cpu->v[i].q[1], cpu->v[i].q[0],
                               i % 2 ? '\n' : ' ');
    }
}
