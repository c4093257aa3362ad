/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Execution of single instructions, without the block cache. */
#include "accel/interp/step.h"

#include "accel/interp/interp.h"
#include "target/x86/mem.h"

bool interp_step_one(X86Cpu *cpu)
{
    Insn insn;
    if (_setjmp(cpu->unwind) != 0) {
        cpu->rip = cpu->insn_rip;
        return false;
    }
    insn_fetch(cpu, &insn);
    insn_execute(cpu, &insn);
    return true;
}
