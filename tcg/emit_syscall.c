/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYSCALL and SYSRET between 64-bit code of CPL 3 and CPL 0.  What they load is constant but for STAR's selectors, LSTAR and
 * FMASK; odd flags, SCE clear, a waiting interrupt and targets that are not a user's are the handler's.
 * Spec: Intel SDM vol 2 SYSCALL, SYSRET; AMD APM vol 3 the same.
 */
#include "tcg/emit.h"

#include "target/x86/segment.h"

static void and_imm(Asm *a, unsigned reg, uint32_t imm)
{
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(reg));
    asm_le(a, imm, 4);
}

static void or_imm8(Asm *a, unsigned reg, uint8_t imm)
{
    asm_op(a, 0, ENC_1, 0x83, 1, op_reg(reg));
    asm_byte(a, imm);
}

/* To the handler unless EFER.SCE is set and [m] has none of `odd`. */
static void check(Tr *t, HostOp m, uint32_t odd)
{
    Asm *a = &t->a;
    Stub *s = tr_stub(t);
    asm_op(a, 0, ENC_1, 0xf7, 0, m); /* test */
    asm_le(a, odd, 4);
    s->from[0] = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0xf6, 0, CPU_MEM(efer));
    asm_byte(a, EFER_SCE);
    s->from[1] = asm_jcc(a, 4);
}

/* Host register `flags` becomes EFLAGS; H_T1 is used. */
static void put_eflags(Asm *a, unsigned flags)
{
    asm_op(a, 0, ENC_1, 0x8b, H_T1, op_reg(flags));
    and_imm(a, H_T1, FL_OSZAPC);
    asm_store64(a, CPU_MEM(cc_src), H_T1);
    asm_store_imm8(a, CPU_MEM(cc_op), CC_FLAGS);
    and_imm(a, flags, FL_ALL & ~(uint32_t)(FL_OSZAPC | FL_RF | FL_VM));
    or_imm8(a, flags, 2);
    asm_op(a, 0, ENC_1, 0x89, flags, CPU_MEM(eflags));
}

/* The parts of a flat segment but for its selector; `gib4` holds 1 << 32. */
static void put_flat(Asm *a, unsigned seg, uint32_t attr, unsigned gib4)
{
    int32_t at = (int32_t)(offsetof(X86Cpu, seg) + seg * sizeof(Segment));
    G_STATIC_ASSERT(offsetof(Segment, attr) == offsetof(Segment, limit) + 4);
    asm_store_imm32(a, op_mem(H_CPU, at + (int32_t)offsetof(Segment, base)), 0);
    asm_mov_imm(a, H_T1, (uint64_t)attr << 32 | UINT32_MAX);
    asm_store64(a, op_mem(H_CPU, at + (int32_t)offsetof(Segment, limit)), H_T1);
    asm_store64(a, op_mem(H_CPU, at + (int32_t)offsetof(Segment, fast_r)), gib4);
    if (attr & SEG_CODE) {
        asm_store_imm32(a, op_mem(H_CPU, at + (int32_t)offsetof(Segment, fast_w)), 0);
    } else {
        asm_store64(a, op_mem(H_CPU, at + (int32_t)offsetof(Segment, fast_w)), gib4);
    }
}

static void put_selector(Asm *a, unsigned seg, unsigned reg)
{
    int32_t at = (int32_t)(offsetof(X86Cpu, seg) + seg * sizeof(Segment) + offsetof(Segment, selector));
    asm_op(a, ENC_66, ENC_1, 0x89, reg, op_mem(H_CPU, at));
}

static void add8(Asm *a, unsigned reg)
{
    asm_op(a, 0, ENC_1, 0x83, 0, op_reg(reg));
    asm_byte(a, 8);
}

/* 64-bit code of the privilege from here on. */
static void enter(Tr *t, unsigned cpl, unsigned mem)
{
    Asm *a = &t->a;
    uint32_t privilege = cpl << SEG_DPL_SHIFT;
    uint32_t keep = t->src->mode & ~(uint32_t)(JIT_MODE_MEM | 3 << JIT_MODE_CPL_SHIFT);
    asm_mov_imm(a, H_T2, 1ull << 32);
    put_flat(a, SEG_CS, SEG_FLAT_CODE | SEG_L | privilege, H_T2);
    put_flat(a, SEG_SS, SEG_FLAT_DATA | privilege, H_T2);
    asm_store_imm8(a, CPU_MEM(cpl), (uint8_t)cpl);
    asm_store_imm8(a, CPU_MEM(mem_mode), (uint8_t)mem);
    asm_op(a, 0, ENC_1, 0xc7, 0, CPU_MEM(jit_mode));
    asm_le(a, keep | mem | cpl << JIT_MODE_CPL_SHIFT, 4);
    tr_exit_indirect(t);
}

bool emit_syscall(Tr *t)
{
    Asm *a = &t->a;
    tr_eflags(t);
    check(t, CPU_MEM(eflags), FL_AC | FL_TF | FL_RF);
    asm_store64(a, guest_home(R11), H_T2);
    asm_mov_imm(a, H_RCX, t->rip[t->n + 1]);
    asm_op(a, 0, ENC_1, 0x8b, H_T1, CPU_MEM(msr.fmask));
    asm_op(a, 0, ENC_1, 0xf7, 2, op_reg(H_T1)); /* not */
    asm_op(a, 0, ENC_1, 0x21, H_T1, op_reg(H_T2));
    put_eflags(a, H_T2);
    asm_op(a, 0, ENC_1, 0x8b, H_T2, op_mem(H_CPU, (int32_t)offsetof(X86Cpu, msr.star) + 4));
    and_imm(a, H_T2, 0xfffc);
    put_selector(a, SEG_CS, H_T2);
    add8(a, H_T2);
    put_selector(a, SEG_SS, H_T2);
    asm_load64(a, H_ADDR, CPU_MEM(msr.lstar));
    enter(t, 0, MEM_KERNEL);
    return true;
}

bool emit_sysret(Tr *t)
{
    Asm *a = &t->a;
    tr_flags_clobber(t);
    check(t, guest_home(R11), FL_AC | FL_TF);
    Stub *s = tr_stub(t);
    asm_mov_rr(a, H_ADDR, H_RCX);
    asm_op(a, ENC_W, ENC_1, 0xc1, 5, op_reg(H_ADDR)); /* shr: the upper half of the address space */
    asm_byte(a, 47);
    s->from[0] = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0xf7, 0, CPU_MEM(events)); /* test: IF may become set */
    asm_le(a, EVENT_INTR, 4);
    s->from[1] = asm_jcc(a, 5);
    asm_load64(a, H_T2, guest_home(R11));
    put_eflags(a, H_T2);
    asm_op(a, 0, ENC_0F, 0xb7, H_T2, op_mem(H_CPU, (int32_t)offsetof(X86Cpu, msr.star) + 6));
    or_imm8(a, H_T2, 3);
    add8(a, H_T2);
    put_selector(a, SEG_SS, H_T2);
    add8(a, H_T2);
    put_selector(a, SEG_CS, H_T2);
    asm_mov_rr(a, H_ADDR, H_RCX);
    enter(t, 3, MEM_USER);
    return true;
}
