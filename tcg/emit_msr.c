/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bases of FS and GS as MSRs, which a kernel's context switches are full of, and by RDFSBASE and its like.  What is not
 * canonical, other MSRs and CR4.FSGSBASE clear are the handler's.
 * Spec: Intel SDM vol 2 RDMSR, WRMSR, RDFSBASE, WRFSBASE; vol 4 table 2-2.
 */
#include "tcg/emit.h"

#include "target/x86/msr.h"

/* The number of the MSR after FS_BASE's into H_T1, with the flags of its comparison with 2; the stub when it is greater. */
static void which_base(Tr *t)
{
    Asm *a = &t->a;
    G_STATIC_ASSERT(MSR_GS_BASE == MSR_FS_BASE + 1 && MSR_KERNEL_GS_BASE == MSR_FS_BASE + 2);
    asm_op(a, 0, ENC_1, 0x8d, H_T1, op_mem(H_RCX, (int32_t)-MSR_FS_BASE)); /* lea T1d */
    asm_op(a, 0, ENC_1, 0x83, 7, op_reg(H_T1));                            /* cmp */
    asm_byte(a, 2);
    tr_stub(t)->from[0] = asm_jcc(a, 7); /* ja */
}

static void compare1(Asm *a)
{
    asm_op(a, 0, ENC_1, 0x83, 7, op_reg(H_T1));
    asm_byte(a, 1);
}

/* The stub when `reg` is not canonical; H_ADDR is used. */
static void check_base(Tr *t, unsigned reg, Stub *s, unsigned from)
{
    Asm *a = &t->a;
    asm_mov_rr(a, H_ADDR, reg);
    asm_op(a, ENC_W, ENC_1, 0xc1, 7, op_reg(H_ADDR)); /* sar: 0 or -1 */
    asm_byte(a, 47);
    asm_lea64(a, H_ADDR, op_mem(H_ADDR, 1));
    asm_op(a, ENC_W, ENC_1, 0x83, 7, op_reg(H_ADDR));
    asm_byte(a, 1);
    s->from[from] = asm_jcc(a, 7);
}

bool emit_rdmsr(Tr *t)
{
    Asm *a = &t->a;
    tr_flags_clobber(t);
    tr_reg_changes(t, RAX);
    tr_reg_changes(t, RDX);
    which_base(t);
    asm_load64(a, H_T2, CPU_MEM(seg[SEG_FS].base));
    asm_op(a, ENC_W, ENC_0F, 0x44, H_T2, CPU_MEM(msr.kernel_gs_base)); /* cmove */
    compare1(a);
    asm_op(a, ENC_W, ENC_0F, 0x44, H_T2, CPU_MEM(seg[SEG_GS].base));
    asm_op(a, 0, ENC_1, 0x8b, H_RAX, op_reg(H_T2));
    asm_mov_rr(a, H_RDX, H_T2);
    asm_op(a, ENC_W, ENC_1, 0xc1, 5, op_reg(H_RDX)); /* shr */
    asm_byte(a, 32);
    return true;
}

static HostOp base_of(unsigned seg)
{
    return op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, seg) + seg * sizeof(Segment) + offsetof(Segment, base)));
}

/* Where the jump `from` goes: H_T2 becomes the segment's base. */
static void put_base(Asm *a, uint8_t *from, unsigned seg)
{
    if (!a->full) {
        asm_patch(from, a->p);
    }
    asm_store64(a, base_of(seg), H_T2);
}

bool emit_wrmsr(Tr *t)
{
    Asm *a = &t->a;
    tr_flags_to_cpu(t);
    t->place = FLAGS_IN_CPU;
    t->desc.kind = DESC_NONE;
    which_base(t);
    asm_mov_rr(a, H_T2, H_RDX);
    asm_op(a, ENC_W, ENC_1, 0xc1, 4, op_reg(H_T2)); /* shl */
    asm_byte(a, 32);
    asm_op(a, 0, ENC_1, 0x8b, H_ADDR, op_reg(H_RAX));
    asm_op(a, ENC_W, ENC_1, 0x09, H_ADDR, op_reg(H_T2)); /* or */
    check_base(t, H_T2, &t->stubs[t->num_stubs - 1], 1);
    compare1(a);
    uint8_t *fs = asm_jcc(a, 2), *gs = asm_jcc(a, 4);
    asm_store64(a, CPU_MEM(msr.kernel_gs_base), H_T2);
    uint8_t *done = asm_jmp(a);
    put_base(a, fs, SEG_FS);
    uint8_t *done_fs = asm_jmp(a);
    put_base(a, gs, SEG_GS);
    if (!a->full) {
        asm_patch(done, a->p);
        asm_patch(done_fs, a->p);
    }
    tr_exit_to(t, t->rip[t->n + 1]);
    return true;
}

bool emit_fsgsbase(Tr *t, const Insn *i)
{
    Asm *a = &t->a;
    HostOp base = base_of(i->modrm & 8 ? SEG_GS : SEG_FS);
    tr_flags_clobber(t);
    tr_reg_changes(t, i->rm);
    Stub *s = tr_stub(t);
    asm_op(a, 0, ENC_1, 0xf7, 0, CPU_MEM(cr4)); /* test */
    asm_le(a, CR4_FSGSBASE, 4);
    s->from[0] = asm_jcc(a, 4);
    unsigned size = i->osize == 3 ? ENC_W : 0;
    if (i->modrm & 16) {
        asm_op(a, size, ENC_1, 0x8b, H_T2, op_reg(tr_use(t, i->rm, H_T2)));
        check_base(t, H_T2, s, 1);
        asm_store64(a, base, H_T2);
    } else {
        asm_op(a, size, ENC_1, 0x8b, H_T2, base);
        tr_commit(t, i->rm, H_T2);
    }
    return true;
}
