/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RDTSC and RDTSCP where the machine's time is a line over the host's TSC (hw/core/clock.h): as clock_now() does it.
 * Spec: Intel SDM vol 2 RDTSC, RDTSCP; docs/decisions/014.
 */
#include "tcg/emit.h"

#include "hw/core/clock.h"
#include "softmmu/core/machine.h"
#include "target/x86/tsc.h"

#define LINE(member) op_mem(H_ADDR, (int32_t)offsetof(ClockLine, member))

static void shift32(Asm *a, unsigned ext, unsigned reg)
{
    asm_op(a, ENC_W, ENC_1, 0xc1, ext, op_reg(reg));
    asm_byte(a, 32);
}

/* shrd rax, rdx, 32: of a product */
static void shrd32(Asm *a)
{
    asm_op(a, ENC_W, ENC_0F, 0xac, H_RDX, op_reg(H_RAX));
    asm_byte(a, 32);
}

/* ns of virtual time into RAX; H_T1 is ClockLine.ended from before. */
static void put_time(Asm *a)
{
    asm_byte(a, 0x0f); /* rdtsc */
    asm_byte(a, 0x31);
    shift32(a, 4, H_RDX);
    asm_op(a, ENC_W, ENC_1, 0x09, H_RDX, op_reg(H_RAX)); /* or */
    asm_op(a, 0, ENC_1, 0x31, H_RDX, op_reg(H_RDX));     /* xor */
    asm_op(a, ENC_W, ENC_1, 0x2b, H_RAX, LINE(start));
    asm_op(a, ENC_W, ENC_0F, 0x42, H_RAX, op_reg(H_RDX)); /* cmovb: read before the line was changed */
    asm_op(a, ENC_W, ENC_1, 0xf7, 4, LINE(mul));          /* mul */
    shrd32(a);
    asm_op(a, ENC_W, ENC_1, 0x03, H_RAX, LINE(ns));
}

bool emit_rdtsc(Tr *t, bool aux)
{
    Asm *a = &t->a;
    const ClockLine *line = cpu_tsc_line(t->jit->cpu);
    if (!line) {
        return false;
    }
    tr_flags_clobber(t);
    tr_reg_changes(t, RAX);
    tr_reg_changes(t, RDX);
    tr_reg_changes(t, RCX);
    Stub *s = tr_stub(t);
    if ((t->src->mode >> JIT_MODE_CPL_SHIFT & 3) != 0) {
        asm_op(a, 0, ENC_1, 0xf6, 0, CPU_MEM(cr4)); /* test */
        asm_byte(a, CR4_TSD);
        s->from[0] = asm_jcc(a, 5);
    }
    asm_mov_imm(a, H_ADDR, (uint64_t)(uintptr_t)line);
    asm_op(a, 0, ENC_1, 0x8b, H_T1, LINE(ended));
    if (aux) { /* after all that comes before */
        asm_byte(a, 0x0f);
        asm_byte(a, 0xae);
        asm_byte(a, 0xe8); /* lfence */
    }
    put_time(a);
    asm_op(a, 0, ENC_1, 0x3b, H_T1, LINE(begun));
    s->from[1] = asm_jcc(a, 5);
    asm_mov_imm(a, H_ADDR, t->jit->cpu->machine->tsc.per_ns);
    asm_op(a, ENC_W, ENC_1, 0xf7, 4, op_reg(H_ADDR)); /* mul */
    shrd32(a);
    asm_op(a, ENC_W, ENC_1, 0x03, H_RAX, CPU_MEM(msr.tsc_offset));
    asm_mov_rr(a, H_RDX, H_RAX);
    shift32(a, 5, H_RDX);
    asm_op(a, 0, ENC_1, 0x8b, H_RAX, op_reg(H_RAX)); /* mov eax, eax */
    if (aux) {
        asm_op(a, 0, ENC_1, 0x8b, H_RCX, CPU_MEM(msr.tsc_aux));
    }
    return true;
}
