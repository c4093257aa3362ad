/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's entry and exit paths are full of: CLI, STI, SWAPGS, STAC, CLAC; mostly for code of CPL 0. */
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

/* In its shadow nothing is held back but what waits already, and then the handler is called (vcpu_steps_for_nothing()). */
static bool emit_sti(Tr *t)
{
    Asm *a = &t->a;
    tr_flags_to_cpu(t);
    t->place = FLAGS_IN_CPU;
    asm_op(a, 0, ENC_1, 0xf7, 0, CPU_MEM(eflags)); /* test dword [eflags], IF */
    asm_le(a, FL_IF, 4);
    uint8_t *set = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0xf7, 0, CPU_MEM(events));
    asm_le(a, EVENT_INTR, 4);
    tr_stub(t)->from[0] = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0x81, 1, CPU_MEM(eflags)); /* or */
    asm_le(a, FL_IF, 4);
    asm_store_imm8(a, CPU_MEM(shadow), SHADOW_STI);
    if (!a->full) {
        asm_patch(set, a->p);
    }
    tr_exit_to(t, t->rip[t->n + 1]);
    return true;
}

/* MOV from CR0, CR2, CR3, CR4. */
static bool emit_read_cr(Tr *t, const Insn *i)
{
    static const size_t place[] = {[0] = offsetof(X86Cpu, cr0), [2] = offsetof(X86Cpu, cr2), [3] = offsetof(X86Cpu, cr3),
                                   [4] = offsetof(X86Cpu, cr4)};
    if (i->reg >= G_N_ELEMENTS(place) || !place[i->reg]) {
        return false;
    }
    tr_reg_changes(t, i->rm);
    unsigned h = host_of(i->rm) != H_NONE ? host_of(i->rm) : H_T2;
    asm_load64(&t->a, h, op_mem(H_CPU, (int32_t)place[i->reg]));
    tr_commit(t, i->rm, h);
    return true;
}

static bool emit_rdpkru(Tr *t)
{
    Asm *a = &t->a;
    tr_flags_clobber(t);
    tr_reg_changes(t, RAX);
    tr_reg_changes(t, RDX);
    Stub *s = tr_stub(t);
    asm_op(a, 0, ENC_1, 0xf7, 0, CPU_MEM(cr4)); /* test */
    asm_le(a, CR4_PKE, 4);
    s->from[0] = asm_jcc(a, 4);
    asm_op(a, 0, ENC_1, 0x85, H_RCX, op_reg(H_RCX)); /* test ecx, ecx */
    s->from[1] = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0x8b, H_RAX, CPU_MEM(pkru));
    asm_op(a, 0, ENC_1, 0x31, H_RDX, op_reg(H_RDX)); /* xor */
    return true;
}

/* As the last time: guests ask the same again to serialise. */
bool emit_cpuid(Tr *t)
{
    static const uint8_t to[4] = {RAX, RBX, RCX, RDX};
    Asm *a = &t->a;
    tr_flags_clobber(t);
    for (unsigned n = 0; n < G_N_ELEMENTS(to); n++) {
        tr_reg_changes(t, to[n]);
    }
    Stub *s = tr_stub(t);
    asm_op(a, 0, ENC_1, 0x3b, H_RAX, CPU_MEM(cpuid.leaf)); /* cmp */
    s->from[0] = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0x3b, H_RCX, CPU_MEM(cpuid.subleaf));
    s->from[1] = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0x80, 7, CPU_MEM(cpuid.known));
    asm_byte(a, 0);
    s->from[2] = asm_jcc(a, 4);
    for (unsigned n = 0; n < G_N_ELEMENTS(to); n++) {
        asm_op(a, 0, ENC_1, 0x8b, to[n], op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, cpuid.out) + n * sizeof(uint32_t))));
    }
    return true;
}

static bool emit_0f01(Tr *t, const Insn *i)
{
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

/* What CPL 0 may do in any case. */
static bool emit_privileged(Tr *t, const Insn *i)
{
    if (insn_row(i)->map == MAP_1) {
        return i->opcode == 0xfa ? emit_cli(t) : i->opcode == 0xfb && emit_sti(t);
    }
    if (insn_row(i)->map != MAP_0F) {
        return false;
    }
    switch (i->opcode) {
    case 0x01:
        return emit_0f01(t, i);
    case 0x07:
        return i->osize == 3 && emit_sysret(t);
    case 0x20:
        return emit_read_cr(t, i);
    case 0x30:
        return emit_wrmsr(t);
    case 0x32:
        return emit_rdmsr(t);
    default:
        return false;
    }
}

bool emit_system(Tr *t, const Insn *i)
{
    bool kernel = (t->src->mode >> JIT_MODE_CPL_SHIFT & 3) == 0;
    if (!tr_code64(t)) { /* emit_legacy() has chosen */
        return kernel && emit_privileged(t, i);
    }
    if (insn_row(i)->feature == FEAT_PKU) {
        return i->modrm == 0xee && emit_rdpkru(t);
    }
    if (insn_row(i)->feature == FEAT_FSGSBASE) {
        return emit_fsgsbase(t, i);
    }
    if (insn_row(i)->map == MAP_0F && i->opcode == 0x05) {
        return emit_syscall(t);
    }
    return kernel && emit_privileged(t, i);
}
