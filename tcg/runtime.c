/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The routines every block shares: entering, leaving, calling the interpreter.  They begin the code memory.
 * Host stack: the System V frame of jit_run(), 16-byte aligned at every call.
 */
#include "tcg/internal.h"

static const uint8_t callee_saved[] = {H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15};

static void push(Asm *a, unsigned reg)
{
    if (reg & 8) {
        asm_byte(a, 0x41);
    }
    asm_byte(a, (uint8_t)(0x50 | (reg & 7)));
}

static void pop(Asm *a, unsigned reg)
{
    if (reg & 8) {
        asm_byte(a, 0x41);
    }
    asm_byte(a, (uint8_t)(0x58 | (reg & 7)));
}

static void load_guest(Asm *a)
{
    for (unsigned g = 0; g <= R10; g++) {
        asm_load64(a, host_of(g), guest_home(g));
    }
}

static void store_guest(Asm *a)
{
    for (unsigned g = 0; g <= R10; g++) {
        asm_store64(a, guest_home(g), host_of(g));
    }
}

static void call_c(Asm *a, const void *function)
{
    asm_mov_imm(a, H_RAX, (uint64_t)(uintptr_t)function);
    asm_op(a, 0, ENC_1, 0xff, 2, op_reg(H_RAX));
}

/* Called by translated code: do the instruction at rip.  True when the block must be left. */
static bool interpret(X86Cpu *cpu, const Insn *i, gva_t rip)
{
    cpu->insn = i;
    cpu->insn_rip = rip;
    cpu->rip = rip + i->len;
    cpu->break_block = false;
    i->fn(cpu, i);
    return cpu->break_block || cpu->rip != rip + i->len;
}

/* The same, and OSZAPC for the host's flags in bits 32 up. */
static uint64_t interpret_flags(X86Cpu *cpu, const Insn *i, gva_t rip)
{
    uint64_t stop = interpret(cpu, i, rip);
    return stop | (uint64_t)(flags_compute(cpu) | 0x202) << 32;
}

/* The guest's vector registers stay in the host's meanwhile. */
static GENERAL_REGS_ONLY uint64_t host_flags(X86Cpu *cpu)
{
    return flags_compute(cpu) | 0x202;
}

/* In: H_ADDR the Insn, H_T1 its address.  A call pushed 8 bytes: realign for C. */
static const uint8_t *emit_call_insn(const Jit *jit, Asm *a, const uint8_t *exit, bool flags)
{
    const uint8_t *here = a->p;
    vectors_emit_spill(jit, a);
    store_guest(a);
    asm_op(a, ENC_W, ENC_1, 0x83, 5, op_reg(H_RSP)); /* sub rsp, 8 */
    asm_byte(a, 8);
    asm_mov_rr(a, H_RDI, H_CPU);
    asm_mov_rr(a, H_RSI, H_ADDR);
    asm_mov_rr(a, H_RDX, H_T1);
    call_c(a, flags ? (const void *)interpret_flags : (const void *)interpret);
    asm_op(a, ENC_W, ENC_1, 0x83, 0, op_reg(H_RSP));
    asm_byte(a, 8);
    asm_op(a, 0, ENC_1, 0x84, H_RAX, op_reg(H_RAX)); /* test al, al */
    uint8_t *stop = asm_jcc(a, 5);
    if (flags) {
        asm_op(a, ENC_W, ENC_1, 0xc1, 5, op_reg(H_RAX)); /* shr rax, 32 */
        asm_byte(a, 32);
        asm_mov_rr(a, H_T2, H_RAX);
    }
    load_guest(a);
    if (flags) {
        push(a, H_T2);
        asm_byte(a, 0x9d); /* popfq */
    }
    asm_byte(a, 0xc3);
    asm_patch(stop, a->p);
    load_guest(a); /* the handler's changes, for the way out to store again */
    asm_op(a, ENC_W, ENC_1, 0x83, 0, op_reg(H_RSP));
    asm_byte(a, 8);
    asm_jmp_to(a, exit);
    return here;
}

/* For every CcOp. */
static const uint8_t *emit_load_flags(Asm *a)
{
    const uint8_t *here = a->p;
    store_guest(a);
    asm_op(a, ENC_W, ENC_1, 0x83, 5, op_reg(H_RSP));
    asm_byte(a, 8);
    asm_mov_rr(a, H_RDI, H_CPU);
    call_c(a, (const void *)host_flags);
    asm_op(a, ENC_W, ENC_1, 0x83, 0, op_reg(H_RSP));
    asm_byte(a, 8);
    asm_mov_rr(a, H_T2, H_RAX);
    load_guest(a);
    push(a, H_T2);
    asm_byte(a, 0x9d);
    asm_byte(a, 0xc3);
    return here;
}

static const uint8_t *emit_fetch_x87(Asm *a)
{
    const uint8_t *here = a->p;
    store_guest(a);
    asm_op(a, ENC_W, ENC_1, 0x83, 5, op_reg(H_RSP));
    asm_byte(a, 8);
    asm_mov_rr(a, H_RDI, H_CPU);
    call_c(a, (const void *)fpu_make_live);
    asm_op(a, ENC_W, ENC_1, 0x83, 0, op_reg(H_RSP));
    asm_byte(a, 8);
    load_guest(a);
    asm_byte(a, 0xc3);
    return here;
}

void runtime_emit(Jit *jit)
{
    enum { RUNTIME_SIZE = 8192 };
    Asm a = {.p = jit->rw, .end = jit->rw + RUNTIME_SIZE};
    vectors_emit_runtime(jit, &a);
    /* uint8_t *enter(X86Cpu *cpu, code): the C caller's frame, then the guest's registers */
    jit->enter = a.p;
    for (unsigned i = 0; i < G_N_ELEMENTS(callee_saved); i++) {
        push(&a, callee_saved[i]);
    }
    asm_op(&a, ENC_W, ENC_1, 0x83, 5, op_reg(H_RSP));
    asm_byte(&a, 8);
    asm_mov_rr(&a, H_CPU, H_RDI);
    asm_mov_rr(&a, H_T1, H_RSI);
    load_guest(&a);
    asm_op(&a, 0, ENC_1, 0xff, 4, op_reg(H_T1)); /* jmp T1 */
    /* exit: H_ADDR -> rip, returns NULL; exit_jump: the same, returns the jump in H_T1 */
    uint8_t *common = NULL;
    jit->exit_jump = a.p;
    vectors_emit_spill(jit, &a);
    asm_store64(&a, CPU_MEM(rip), H_ADDR);
    store_guest(&a);
    asm_mov_rr(&a, H_RAX, H_T1);
    common = asm_jmp(&a);
    jit->exit = a.p;
    vectors_emit_spill(jit, &a);
    asm_store64(&a, CPU_MEM(rip), H_ADDR);
    const uint8_t *exit_rip_set = a.p;
    store_guest(&a);
    asm_op(&a, 0, ENC_1, 0x31, H_RAX, op_reg(H_RAX));
    asm_patch(common, a.p);
    asm_op(&a, ENC_W, ENC_1, 0x83, 0, op_reg(H_RSP));
    asm_byte(&a, 8);
    for (unsigned i = G_N_ELEMENTS(callee_saved); i-- > 0;) {
        pop(&a, callee_saved[i]);
    }
    asm_byte(&a, 0xc3);
    jit->call_insn = emit_call_insn(jit, &a, exit_rip_set, false);
    jit->call_insn_flags = emit_call_insn(jit, &a, exit_rip_set, true);
    jit->load_flags = runtime_emit_load_flags(&a, emit_load_flags(&a));
    jit->fetch_x87 = emit_fetch_x87(&a);
    g_assert(!a.full);
    jit->next = jit->rw + RUNTIME_SIZE;
    jit->start = RUNTIME_SIZE;
}
