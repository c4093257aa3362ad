/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's entry and exit paths are full of: CLI, SWAPGS.  Privileged, so only for code of CPL 0. */
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

bool emit_system(Tr *t, const Insn *i)
{
    uint8_t map = insn_row(i)->map;
    if ((t->src->mode >> JIT_MODE_CPL_SHIFT & 3) != 0) {
        return false;
    }
    if (map == MAP_1 && i->opcode == 0xfa) {
        return emit_cli(t);
    }
    return map == MAP_0F && i->opcode == 0x01 && i->modrm == 0xf8 && emit_swapgs(t);
}
