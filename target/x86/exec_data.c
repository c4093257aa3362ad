/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves and conversions: MOV MOVZX MOVSX LEA CMOVcc SETcc MOVBE XLAT CBW CWD, LAHF SAHF and the flag bits, BOUND,
 * NOP, PAUSE.
 * Spec: Intel SDM vol 2, the instructions' pages.
 */
#include "target/x86/exec_int.h"

#include <sched.h>

#include "softmmu/core/machine.h"

#define DEFINE_MOV(bits, log2)                                                                                       \
    static void mov_r_g##bits(X86Cpu *cpu, const Insn *i)                                                            \
    {                                                                                                                \
        e_set##bits(cpu, i, g_get##bits(cpu, i));                                                                    \
    }                                                                                                                \
    DEFINE_STORE(mov_m_g##bits, bits, g_get##bits(cpu, i))                                                           \
    static void mov_g_r##bits(X86Cpu *cpu, const Insn *i)                                                            \
    {                                                                                                                \
        g_set##bits(cpu, i, e_get##bits(cpu, i));                                                                    \
    }                                                                                                                \
    DEFINE_LOAD(mov_g_m##bits, bits, g_set##bits(cpu, i, v))                                                         \
    static void mov_r_i##bits(X86Cpu *cpu, const Insn *i)                                                            \
    {                                                                                                                \
        e_set##bits(cpu, i, (uint##bits##_t)i->imm);                                                                 \
    }                                                                                                                \
    DEFINE_STORE(mov_m_i##bits, bits, (uint##bits##_t)i->imm)                                                        \
    DEFINE_STORE(mov_m_a##bits, bits, (uint##bits##_t)cpu->r[RAX])
FOR_SIZES(DEFINE_MOV)
EXEC_R_M(mov_e_g, mov_r_g, mov_m_g);
EXEC_R_M(mov_g_e, mov_g_r, mov_g_m);
EXEC_R_M(mov_e_i, mov_r_i, mov_m_i);
EXEC_8(mov_o_a, exec_ud_fn, exec_ud_fn, exec_ud_fn, exec_ud_fn, mov_m_a8, mov_m_a16, mov_m_a32, mov_m_a64);

static void mov_a_m8(X86Cpu *cpu, const Insn *i)
{
    reg8_set(cpu, 0, m_get8(cpu, i));
}
#define DEFINE_MOV_A(bits, log2)                                                                                     \
    static void mov_a_m##bits(X86Cpu *cpu, const Insn *i)                                                            \
    {                                                                                                                \
        reg##bits##_set(cpu, RAX, m_get##bits(cpu, i));                                                              \
    }
FOR_WIDE_SIZES(DEFINE_MOV_A)
EXEC_8(mov_a_o, exec_ud_fn, exec_ud_fn, exec_ud_fn, exec_ud_fn, mov_a_m8, mov_a_m16, mov_a_m32, mov_a_m64);

/* ---- extensions ---- */

#define DEFINE_EXTEND(name, from, to, cast)                                                                          \
    static void name##_r##to(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        g_set##to(cpu, i, (uint##to##_t)(cast)e_get##from(cpu, i));                                                  \
    }                                                                                                                \
    DEFINE_LOAD(name##_m##to, from, g_set##to(cpu, i, (uint##to##_t)(cast)v))
#define EXTEND_SIZES(bits, log2)                                                                                     \
    DEFINE_EXTEND(movzx_b, 8, bits, uint8_t)                                                                         \
    DEFINE_EXTEND(movzx_w, 16, bits, uint16_t)                                                                       \
    DEFINE_EXTEND(movsx_b, 8, bits, int8_t)                                                                          \
    DEFINE_EXTEND(movsx_w, 16, bits, int16_t)
FOR_WIDE_SIZES(EXTEND_SIZES)
EXEC_WIDE_R_M(movzx_b, movzx_b_r, movzx_b_m);
EXEC_WIDE_R_M(movzx_w, movzx_w_r, movzx_w_m);
EXEC_WIDE_R_M(movsx_b, movsx_b_r, movsx_b_m);
EXEC_WIDE_R_M(movsx_w, movsx_w_r, movsx_w_m);

/* MOVSXD: the source always has 32 bits, of which 16 and 32-bit destinations take the low ones. */
DEFINE_EXTEND(movsxd, 32, 16, int32_t)
DEFINE_EXTEND(movsxd, 32, 32, int32_t)
DEFINE_EXTEND(movsxd, 32, 64, int32_t)
EXEC_WIDE_R_M(movsxd, movsxd_r, movsxd_m);

/* CBW CWDE CDQE, CWD CDQ CQO. */
static void cbw16(X86Cpu *cpu, const Insn *i)
{
    reg16_set(cpu, RAX, (uint16_t)(int8_t)cpu->r[RAX]);
}
static void cbw32(X86Cpu *cpu, const Insn *i)
{
    reg32_set(cpu, RAX, (uint32_t)(int16_t)cpu->r[RAX]);
}
static void cbw64(X86Cpu *cpu, const Insn *i)
{
    reg64_set(cpu, RAX, (uint64_t)(int32_t)cpu->r[RAX]);
}
EXEC_WIDE_R_M(cbw, cbw, cbw);
#define DEFINE_CWD(bits, log2)                                                                                       \
    static void cwd##bits(X86Cpu *cpu, const Insn *i)                                                                \
    {                                                                                                                \
        reg##bits##_set(cpu, RDX, (int##bits##_t)cpu->r[RAX] < 0 ? (uint##bits##_t)-1 : 0);                          \
    }
FOR_WIDE_SIZES(DEFINE_CWD)
EXEC_WIDE_R_M(cwd, cwd, cwd);

/* ---- conditional ---- */

/* The source is read, and a 32-bit destination loses its upper half, whatever the condition says. */
#define DEFINE_CMOV(bits, log2)                                                                                      \
    static void cmov_r##bits(X86Cpu *cpu, const Insn *i)                                                             \
    {                                                                                                                \
        g_set##bits(cpu, i, flags_condition(cpu, i->opcode) ? e_get##bits(cpu, i) : g_get##bits(cpu, i));            \
    }                                                                                                                \
    DEFINE_LOAD(cmov_m##bits, bits, g_set##bits(cpu, i, flags_condition(cpu, i->opcode) ? v : g_get##bits(cpu, i)))
FOR_WIDE_SIZES(DEFINE_CMOV)
EXEC_WIDE_R_M(cmov, cmov_r, cmov_m);

static void setcc(X86Cpu *cpu, const Insn *i)
{
    uint8_t v = flags_condition(cpu, i->opcode);
    if (i->flags & INSN_MEM) {
        m_set8(cpu, i, v);
    } else {
        e_set8(cpu, i, v);
    }
}
EXEC_ONE(setcc, setcc);

/* ---- addresses ---- */

static void lea(X86Cpu *cpu, const Insn *i)
{
    reg_set_log2(cpu, i->reg, i->osize, insn_ea(cpu, i));
}
EXEC_ONE(lea, lea);

static void xlat(X86Cpu *cpu, const Insn *i)
{
    gva_t ea = (cpu->r[RBX] + (uint8_t)cpu->r[RAX]) & asize_mask[i->asize];
    reg8_set(cpu, 0, mem_read8(cpu, i->seg, ea));
}
EXEC_ONE(xlat, xlat);

/* ---- MOVBE ---- */

static inline uint16_t swap16(uint16_t v)
{
    return __builtin_bswap16(v);
}
static inline uint32_t swap32(uint32_t v)
{
    return __builtin_bswap32(v);
}
static inline uint64_t swap64(uint64_t v)
{
    return __builtin_bswap64(v);
}
#define DEFINE_MOVBE(bits, log2)                                                                                     \
    static void movbe_load##bits(X86Cpu *cpu, const Insn *i)                                                         \
    {                                                                                                                \
        g_set##bits(cpu, i, swap##bits(m_get##bits(cpu, i)));                                                        \
    }                                                                                                                \
    static void movbe_store##bits(X86Cpu *cpu, const Insn *i)                                                        \
    {                                                                                                                \
        m_set##bits(cpu, i, swap##bits(g_get##bits(cpu, i)));                                                        \
    }
FOR_WIDE_SIZES(DEFINE_MOVBE)
EXEC_WIDE_R_M(movbe_g_m, movbe_load, movbe_load);
EXEC_WIDE_R_M(movbe_m_g, movbe_store, movbe_store);

/* ---- flags ---- */

static void lahf(X86Cpu *cpu, const Insn *i)
{
    reg8_set(cpu, 1, (uint8_t)((flags_compute(cpu) & (FL_SF | FL_ZF | FL_AF | FL_PF | FL_CF)) | 2));
}
EXEC_ONE(lahf, lahf);

static void sahf(X86Cpu *cpu, const Insn *i)
{
    flags_set(cpu, (flags_compute(cpu) & FL_OF) | (reg8_get(cpu, 1) & (FL_SF | FL_ZF | FL_AF | FL_PF | FL_CF)));
}
EXEC_ONE(sahf, sahf);

static void clc(X86Cpu *cpu, const Insn *i)
{
    flags_set(cpu, flags_compute(cpu) & ~(uint32_t)FL_CF);
}
EXEC_ONE(clc, clc);

static void stc(X86Cpu *cpu, const Insn *i)
{
    flags_set(cpu, flags_compute(cpu) | FL_CF);
}
EXEC_ONE(stc, stc);

static void cmc(X86Cpu *cpu, const Insn *i)
{
    flags_set(cpu, flags_compute(cpu) ^ FL_CF);
}
EXEC_ONE(cmc, cmc);

static void cld(X86Cpu *cpu, const Insn *i)
{
    cpu->eflags &= ~(uint32_t)FL_DF;
}
EXEC_ONE(cld, cld);

static void std(X86Cpu *cpu, const Insn *i)
{
    cpu->eflags |= FL_DF;
}
EXEC_ONE(std, std);

/* ---- the rest ---- */

static void bound(X86Cpu *cpu, const Insn *i)
{
    gva_t ea = insn_ea(cpu, i);
    int32_t index, lower, upper;
    if (i->osize == 1) {
        index = (int16_t)g_get16(cpu, i);
        lower = (int16_t)mem_read16(cpu, i->seg, ea);
        upper = (int16_t)mem_read16(cpu, i->seg, (ea + 2) & asize_mask[i->asize]);
    } else {
        index = (int32_t)g_get32(cpu, i);
        lower = (int32_t)mem_read32(cpu, i->seg, ea);
        upper = (int32_t)mem_read32(cpu, i->seg, (ea + 4) & asize_mask[i->asize]);
    }
    if (index < lower || index > upper) {
        cpu_raise(cpu, EXC_BR);
    }
}
EXEC_ONE(bound, bound);

/* NOP, prefetches, hints: no access to a memory operand. */
static void nop(X86Cpu *cpu, const Insn *i)
{
}
EXEC_ONE(nop, nop);

/*
 * PAUSE says that this processor waits for another one (SDM vol 2 PAUSE).  With more virtual than real processors that
 * one may well be waiting for this thread's time slice; but most waits are over sooner than that takes.
 */
static void do_pause(X86Cpu *cpu, const Insn *i)
{
    enum { YIELD_EVERY = 16 };
    cpu->pauses++;
    if (cpu->machine && cpu->machine->num_cpus > 1) {
        if (cpu->pauses % YIELD_EVERY == 0) {
            sched_yield();
        } else {
            spin_hint();
        }
    }
}
EXEC_ONE(pause, do_pause);

/* UD0, UD1, UD2, and what the decoder hands out for no instruction at all. */
void exec_ud_fn(X86Cpu *cpu, const Insn *i)
{
    cpu_raise_ud(cpu);
}
EXEC_ONE(ud, exec_ud_fn);

void exec_gp0_fn(X86Cpu *cpu, const Insn *i)
{
    cpu_raise_gp0(cpu);
}
