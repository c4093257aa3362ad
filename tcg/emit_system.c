/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's entry and exit paths are full of: CLI, SWAPGS, STAC, CLAC.  Privileged: only for code of CPL 0. */
#include "tcg/emit.h"

/* No interrupt becomes possible by it: nothing to look at. */
static bool emit_cli(Tr *t)
{
    tr_flags_clobber(t);
    asm_op(&t->a, 0, ENC_1, 0x81, 4, CPU_MEM(eflags)); /* and dword [eflags], ~IF */
    asm_le(&t->a, ~(uint32_t)FL_IF, 4);
    return true;
}

static bool emit_swapgs(Tr *t)
{
    asm_load64(&t->a, H_T1, CPU_MEM(seg[SEG_GS].base));
    asm_load64(&t->a, H_T2, CPU_MEM(msr.kernel_gs_base));
    asm_store64(&t->a, CPU_MEM(seg[SEG_GS].base), H_T2);
    asm_store64(&t->a, CPU_MEM(msr.kernel_gs_base), H_T1);
    return true;
}

/* EFLAGS.AC chooses the TLB of data accesses, so that what follows is code of another mode: always of the same one. */
static bool emit_set_ac(Tr *t, bool set)
{
    Asm *a = &t->a;
    unsigned mode = set ? MEM_KERNEL_AC : MEM_KERNEL;
    tr_flags_to_cpu(t);
    asm_op(a, 0, ENC_1, 0x81, set ? 1 : 4, CPU_MEM(eflags)); /* or, and */
    asm_le(a, set ? (uint32_t)FL_AC : ~(uint32_t)FL_AC, 4);
    asm_op(a, 0, ENC_1, 0xc6, 0, CPU_MEM(mem_mode));
    asm_byte(a, (uint8_t)mode);
    asm_op(a, 0, ENC_1, 0xc7, 0, CPU_MEM(jit_mode));
    asm_le(a, (t->src->mode & ~(uint32_t)JIT_MODE_MEM) | mode, 4);
    tr_exit_to(t, t->rip[t->n + 1]);
    return true;
}

bool emit_system(Tr *t, const Insn *i)
{
    uint8_t map = insn_row(i)->map;
    if ((t->src->mode >> JIT_MODE_CPL_SHIFT & 3) != 0) {
        return false;
    }
    if (map == MAP_1 && i->opcode == 0xfa) {
        return emit_cli(t);
    }
    if (map != MAP_0F || i->opcode != 0x01) {
        return false;
    }
    switch (i->modrm) {
    case 0xca:
    case 0xcb:
        return emit_set_ac(t, i->modrm == 0xcb);
    case 0xf8:
        return emit_swapgs(t);
    default:
        return false;
    }
}
