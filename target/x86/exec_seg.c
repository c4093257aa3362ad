/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that load and store segment registers or look at descriptors.
 * Spec: Intel SDM vol 2 MOV, PUSH, POP, LDS, LAR, LSL, VERR, ARPL; vol 3 section 6.8.3 (MOV SS).
 */
#include "target/x86/exec.h"
#include "target/x86/segment.h"

/* No interrupt between the load of SS and the next instruction, which usually loads SP. */
static void ss_loaded(X86Cpu *cpu)
{
    cpu->shadow = SHADOW_SS;
    cpu->break_block = true;
}

static unsigned sreg(X86Cpu *cpu, const Insn *i)
{
    unsigned seg = i->modrm >> 3 & 7; /* REX.R does not count */
    if (seg >= NUM_SEGS) {
        cpu_raise_ud(cpu);
    }
    return seg;
}

static uint16_t read_word(X86Cpu *cpu, const Insn *i)
{
    return i->flags & INSN_MEM ? mem_read16(cpu, i->seg, insn_ea(cpu, i)) : (uint16_t)cpu->r[i->rm];
}

static void write_reg(X86Cpu *cpu, unsigned n, unsigned osize, uint64_t value)
{
    if (osize == 1) {
        reg16_set(cpu, n, (uint16_t)value);
    } else {
        cpu->r[n] = osize == 2 ? (uint32_t)value : value;
    }
}

static void do_mov_e_sreg(X86Cpu *cpu, const Insn *i)
{
    uint16_t sel = cpu->seg[sreg(cpu, i)].selector;
    if (i->flags & INSN_MEM) {
        mem_write16(cpu, i->seg, insn_ea(cpu, i), sel);
    } else {
        write_reg(cpu, i->rm, i->osize, sel);
    }
}

static void do_mov_sreg_e(X86Cpu *cpu, const Insn *i)
{
    unsigned seg = sreg(cpu, i);
    if (seg == SEG_CS) {
        cpu_raise_ud(cpu);
    }
    seg_load(cpu, seg, read_word(cpu, i));
    if (seg == SEG_SS) {
        ss_loaded(cpu);
    }
}

static void push_seg(X86Cpu *cpu, const Insn *i, unsigned seg)
{
    push_osize(cpu, i->osize, cpu->seg[seg].selector);
}

/* SP moves by the stack size in force before the load. */
static void pop_seg(X86Cpu *cpu, const Insn *i, unsigned seg)
{
    uint16_t sel = (uint16_t)stack_peek(cpu, i->osize, 0);
    uint64_t old = cpu->r[RSP];
    stack_adjust(cpu, 1 << i->osize);
    uint64_t popped = cpu->r[RSP];
    cpu->r[RSP] = old;
    seg_load(cpu, seg, sel);
    cpu->r[RSP] = popped;
}

#define DEFINE_PUSH(name, seg) \
    static void do_push_##name(X86Cpu *cpu, const Insn *i) \
    { \
        push_seg(cpu, i, seg); \
    } \
    EXEC_ONE(push_##name, do_push_##name)
#define DEFINE_POP(name, seg) \
    static void do_pop_##name(X86Cpu *cpu, const Insn *i) \
    { \
        pop_seg(cpu, i, seg); \
    } \
    EXEC_ONE(pop_##name, do_pop_##name)

DEFINE_PUSH(es, SEG_ES);
DEFINE_PUSH(cs, SEG_CS);
DEFINE_PUSH(ss, SEG_SS);
DEFINE_PUSH(ds, SEG_DS);
DEFINE_PUSH(fs, SEG_FS);
DEFINE_PUSH(gs, SEG_GS);
DEFINE_POP(es, SEG_ES);
DEFINE_POP(ds, SEG_DS);
DEFINE_POP(fs, SEG_FS);
DEFINE_POP(gs, SEG_GS);

static void do_pop_ss(X86Cpu *cpu, const Insn *i)
{
    pop_seg(cpu, i, SEG_SS);
    ss_loaded(cpu);
}
EXEC_ONE(pop_ss, do_pop_ss);

/* LDS and friends: the offset goes to a register, the selector behind it to the segment register. */
static void load_far(X86Cpu *cpu, const Insn *i, unsigned seg)
{
    gva_t ea = insn_ea(cpu, i);
    uint64_t off;
    if (i->osize == 1) {
        off = mem_read16(cpu, i->seg, ea);
    } else if (i->osize == 2) {
        off = mem_read32(cpu, i->seg, ea);
    } else {
        off = mem_read64(cpu, i->seg, ea);
    }
    seg_load(cpu, seg, mem_read16(cpu, i->seg, (ea + (1u << i->osize)) & asize_mask[i->asize]));
    write_reg(cpu, i->reg, i->osize, off);
}

#define DEFINE_LOAD_FAR(name, seg) \
    static void do_##name(X86Cpu *cpu, const Insn *i) \
    { \
        load_far(cpu, i, seg); \
    } \
    EXEC_ONE(name, do_##name)

DEFINE_LOAD_FAR(lds, SEG_DS);
DEFINE_LOAD_FAR(les, SEG_ES);
DEFINE_LOAD_FAR(lfs, SEG_FS);
DEFINE_LOAD_FAR(lgs, SEG_GS);
DEFINE_LOAD_FAR(lss, SEG_SS); /* loads both: no shadow needed */

/* ---- looking at descriptors ---- */

static void need_protected(X86Cpu *cpu)
{
    if (!cpu->protected_mode) {
        cpu_raise_ud(cpu);
    }
}

static void set_zf(X86Cpu *cpu, bool zf)
{
    flags_set(cpu, (flags_compute(cpu) & ~(uint32_t)FL_ZF) | (zf ? FL_ZF : 0));
}

static void do_lar(X86Cpu *cpu, const Insn *i)
{
    uint32_t rights;
    need_protected(cpu);
    bool ok = seg_lar(cpu, read_word(cpu, i), &rights);
    if (ok) {
        write_reg(cpu, i->reg, i->osize, rights);
    }
    set_zf(cpu, ok);
}

static void do_lsl(X86Cpu *cpu, const Insn *i)
{
    uint32_t limit;
    need_protected(cpu);
    bool ok = seg_lsl(cpu, read_word(cpu, i), &limit);
    if (ok) {
        write_reg(cpu, i->reg, i->osize, limit);
    }
    set_zf(cpu, ok);
}

static void do_verr(X86Cpu *cpu, const Insn *i)
{
    need_protected(cpu);
    set_zf(cpu, seg_verify(cpu, read_word(cpu, i), false));
}

static void do_verw(X86Cpu *cpu, const Insn *i)
{
    need_protected(cpu);
    set_zf(cpu, seg_verify(cpu, read_word(cpu, i), true));
}

/* Raise the destination's RPL to the source's. */
static void do_arpl(X86Cpu *cpu, const Insn *i)
{
    need_protected(cpu);
    uint16_t rpl = cpu->r[i->reg] & 3;
    MemRef ref;
    bool mem = i->flags & INSN_MEM;
    uint16_t sel;
    if (mem) {
        ref = mem_ref(cpu, i->seg, insn_ea(cpu, i), 2);
        sel = ref_load16(cpu, &ref);
    } else {
        sel = (uint16_t)cpu->r[i->rm];
    }
    bool raise = (sel & 3) < rpl;
    if (raise) {
        sel = (uint16_t)((sel & ~3) | rpl);
    }
    if (mem) {
        ref_store16(cpu, &ref, sel);
    } else {
        reg16_set(cpu, i->rm, sel);
    }
    set_zf(cpu, raise);
}

EXEC_ONE(mov_e_sreg, do_mov_e_sreg);
EXEC_ONE(mov_sreg_e, do_mov_sreg_e);
EXEC_ONE(lar, do_lar);
EXEC_ONE(lsl, do_lsl);
EXEC_ONE(verr, do_verr);
EXEC_ONE(verw, do_verw);
EXEC_ONE(arpl, do_arpl);
