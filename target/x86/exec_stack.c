/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PUSH POP PUSHA POPA ENTER LEAVE and the stack helpers of exec.h.  RSP changes last: a fault leaves it alone.
 * Spec: Intel SDM vol 1 section 6.2, vol 2 PUSH, POP, PUSHA, POPA, ENTER, LEAVE.
 */
#include "target/x86/exec_int.h"

static inline gva_t stack_mask(const X86Cpu *cpu)
{
    return asize_mask[cpu->stack_size];
}

static inline void set_sp(X86Cpu *cpu, uint64_t sp)
{
    reg_set_log2(cpu, RSP, cpu->stack_size, sp);
}

#define DEFINE_PUSH(bits, log2)                                                                                      \
    void push##bits(X86Cpu *cpu, uint##bits##_t v)                                                                   \
    {                                                                                                                \
        gva_t sp = (cpu->r[RSP] - bits / 8) & stack_mask(cpu);                                                       \
        mem_write##bits(cpu, SEG_SS, sp, v);                                                                         \
        set_sp(cpu, sp);                                                                                             \
    }
FOR_WIDE_SIZES(DEFINE_PUSH)

void push_osize(X86Cpu *cpu, unsigned log2size, uint64_t v)
{
    if (log2size == 1) {
        push16(cpu, (uint16_t)v);
    } else if (log2size == 2) {
        push32(cpu, (uint32_t)v);
    } else {
        push64(cpu, v);
    }
}

uint64_t stack_peek(X86Cpu *cpu, unsigned log2size, unsigned offset)
{
    gva_t sp = (cpu->r[RSP] + offset) & stack_mask(cpu);
    switch (log2size) {
    case 1:
        return mem_read16(cpu, SEG_SS, sp);
    case 2:
        return mem_read32(cpu, SEG_SS, sp);
    default:
        return mem_read64(cpu, SEG_SS, sp);
    }
}

void stack_adjust(X86Cpu *cpu, int64_t bytes)
{
    set_sp(cpu, cpu->r[RSP] + (uint64_t)bytes);
}

/* ---- PUSH, POP ---- */

/* POP to memory: an address that uses rSP sees it after the increment; POP rSP leaves the value read. */
#define DEFINE_PUSH_POP(bits, log2)                                                                                  \
    static void push_r##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        push##bits(cpu, e_get##bits(cpu, i));                                                                        \
    }                                                                                                                \
    static void push_m##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        push##bits(cpu, m_get##bits(cpu, i));                                                                        \
    }                                                                                                                \
    static void push_imm##bits(X86Cpu *cpu, const Insn *i)                                                           \
    {                                                                                                                \
        push##bits(cpu, (uint##bits##_t)i->imm);                                                                     \
    }                                                                                                                \
    static void pop_r##bits(X86Cpu *cpu, const Insn *i)                                                              \
    {                                                                                                                \
        uint##bits##_t v = mem_read##bits(cpu, SEG_SS, cpu->r[RSP] & stack_mask(cpu));                               \
        stack_adjust(cpu, bits / 8);                                                                                 \
        e_set##bits(cpu, i, v);                                                                                      \
    }                                                                                                                \
    static void pop_m##bits(X86Cpu *cpu, const Insn *i)                                                              \
    {                                                                                                                \
        uint64_t rsp = cpu->r[RSP];                                                                                  \
        uint##bits##_t v = mem_read##bits(cpu, SEG_SS, rsp & stack_mask(cpu));                                       \
        stack_adjust(cpu, bits / 8);                                                                                 \
        gva_t ea = insn_ea(cpu, i);                                                                                  \
        cpu->r[RSP] = rsp;                                                                                           \
        mem_write##bits(cpu, i->seg, ea, v);                                                                         \
        stack_adjust(cpu, bits / 8);                                                                                 \
    }
FOR_WIDE_SIZES(DEFINE_PUSH_POP)
EXEC_WIDE_R_M(push_e, push_r, push_m);
EXEC_WIDE_R_M(push_i, push_imm, push_imm);
EXEC_WIDE_R_M(pop_e, pop_r, pop_m);

/* ---- PUSHA, POPA ---- */

/*
 * Memory and registers change word by word, rSP last: after a fault in the middle the instruction starts again (as on
 * silicon).
 */
#define DEFINE_PUSHA(bits)                                                                                           \
    static void pusha##bits(X86Cpu *cpu, const Insn *i)                                                              \
    {                                                                                                                \
        for (unsigned n = 0; n < 8; n++) {                                                                           \
            gva_t sp = (cpu->r[RSP] - (n + 1) * (bits / 8)) & stack_mask(cpu);                                       \
            mem_write##bits(cpu, SEG_SS, sp, (uint##bits##_t)cpu->r[n]);                                             \
        }                                                                                                            \
        stack_adjust(cpu, -8 * (bits / 8));                                                                          \
    }                                                                                                                \
    static void popa##bits(X86Cpu *cpu, const Insn *i)                                                               \
    {                                                                                                                \
        for (unsigned n = 0; n < 8; n++) {                                                                           \
            uint##bits##_t v = mem_read##bits(cpu, SEG_SS, (cpu->r[RSP] + n * (bits / 8)) & stack_mask(cpu));        \
            if (7 - n != RSP) {                                                                                      \
                reg##bits##_set(cpu, 7 - n, v);                                                                      \
            }                                                                                                        \
        }                                                                                                            \
        stack_adjust(cpu, 8 * (bits / 8));                                                                           \
    }
DEFINE_PUSHA(16)
DEFINE_PUSHA(32)
EXEC_8(pusha, exec_ud_fn, pusha16, pusha32, exec_ud_fn, exec_ud_fn, exec_ud_fn, exec_ud_fn, exec_ud_fn);
EXEC_8(popa, exec_ud_fn, popa16, popa32, exec_ud_fn, exec_ud_fn, exec_ud_fn, exec_ud_fn, exec_ud_fn);

/* ---- ENTER, LEAVE ---- */

static uint64_t read_frame(X86Cpu *cpu, unsigned log2size, gva_t off)
{
    off &= stack_mask(cpu);
    return log2size == 1   ? mem_read16(cpu, SEG_SS, off)
           : log2size == 2 ? mem_read32(cpu, SEG_SS, off)
                           : mem_read64(cpu, SEG_SS, off);
}

static gva_t store_frame(X86Cpu *cpu, unsigned log2size, gva_t sp, uint64_t v)
{
    sp = (sp - (1u << log2size)) & stack_mask(cpu);
    if (log2size == 1) {
        mem_write16(cpu, SEG_SS, sp, (uint16_t)v);
    } else if (log2size == 2) {
        mem_write32(cpu, SEG_SS, sp, (uint32_t)v);
    } else {
        mem_write64(cpu, SEG_SS, sp, v);
    }
    return sp;
}

/*
 * The frame is stored word by word below an unchanged rSP; registers change when all of it is there and a write to
 * the new top would be possible, so that a fault can be restarted (Zen does the same).
 */
static void enter(X86Cpu *cpu, const Insn *i)
{
    unsigned level = i->imm2 & 31;
    gva_t sp = store_frame(cpu, i->osize, cpu->r[RSP], cpu->r[RBP]), frame = sp;
    for (unsigned k = 1; k < level; k++) {
        sp = store_frame(cpu, i->osize, sp, read_frame(cpu, i->osize, cpu->r[RBP] - (k << i->osize)));
    }
    if (level > 0) {
        sp = store_frame(cpu, i->osize, sp, frame);
    }
    sp = (sp - i->imm) & stack_mask(cpu);
    mem_probe(cpu, SEG_SS, sp, 1u << i->osize, ACCESS_WRITE);
    reg_set_log2(cpu, RBP, i->osize, frame);
    set_sp(cpu, sp);
}
EXEC_ONE(enter, enter);

static void leave(X86Cpu *cpu, const Insn *i)
{
    uint64_t v = read_frame(cpu, i->osize, cpu->r[RBP]);
    set_sp(cpu, cpu->r[RBP] + (1u << i->osize));
    reg_set_log2(cpu, RBP, i->osize, v);
}
EXEC_ONE(leave, leave);
