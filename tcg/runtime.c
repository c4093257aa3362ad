/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The routines every block shares: entering, leaving, calling the interpreter, going on after it.  They begin the code
 * memory.  Translated code runs on the stack of return addresses, X86Cpu.jit_calls_sp; C runs on the stack of jit_run()'s
 * caller, X86Cpu.jit_host_sp, which is 16-byte aligned here.
 */
#include "tcg/internal.h"

#include "target/x86/debug.h"
#include "target/x86/mem.h"

static const uint8_t callee_saved[] = {H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15};

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

/* ---- what translated code calls ---- */

bool jit_may_run(const X86Cpu *cpu)
{
    return !__atomic_load_n(&cpu->attention, __ATOMIC_RELAXED) && !cpu->halted && !cpu->wait_sipi &&
           cpu->shadow != SHADOW_SS && /* that of STI only holds back what does not wait */
           !(cpu->eflags & FL_TF) && !cpu->pending_db && !debug_any_armed(cpu) && !cpu->stop_step && jit_mode_ok(cpu);
}

/* The code for cpu->rip if it is known and may run now, or NULL.  Made for another mode: its own checks find out. */
static const uint8_t *code_known(X86Cpu *cpu)
{
    const JitPlace *place = &cpu->jit->table[jit_table_index(cpu->rip)];
    if (!jit_may_run(cpu) || place->rip != cpu->rip) {
        return NULL;
    }
    cpu->eflags &= ~(uint32_t)FL_RF; /* the next instruction clears it, and no breakpoint is armed */
    cpu->jit_mode = jit_mode(cpu);
    return place->code;
}

const uint8_t *jit_next(X86Cpu *cpu)
{
    const Jit *jit = cpu->jit;
    const uint8_t *code = code_known(cpu);
    if (code) {
        cpu->jit_target = (uintptr_t)code;
        return jit_rx(jit, jit->resume);
    }
    return jit_rx(jit, jit->exit_clean);
}

bool jit_run_known(Jit *jit, uintptr_t *jump)
{
    const uint8_t *code = code_known(jit->cpu);
    if (code) {
        *jump = jit_enter(jit, code);
    }
    return code != NULL;
}

/*
 * The checks at the entry of code for rip have failed.  Its page may only have been forgotten, by a flush or for another one
 * with the same word of X86Cpu.itlb; what else it may be is the run loop's.
 */
static const uint8_t *recheck(X86Cpu *cpu)
{
    if (jit_may_run(cpu)) {
        gva_t lin = cpu->code64 ? cpu->rip : (uint32_t)(cpu->rip + cpu->seg[SEG_CS].base);
        cpu->insn_rip = cpu->rip; /* of a fault of the fetch */
        const FetchEntry *f = mmu_fetch(cpu, lin);
        uint32_t *known = &cpu->itlb[itlb_slot(f->global, lin)], id = itlb_id(f->phys, cpu->cpl == 3);
        if (*known != id) {
            *known = id;
            return jit_next(cpu);
        }
    }
    return jit_rx(cpu->jit, cpu->jit->exit_clean);
}

/* Do the instruction at rip.  Where to go on; NULL: behind the call. */
static const uint8_t *interpret(X86Cpu *cpu, const Insn *i, gva_t rip)
{
    const Jit *jit = cpu->jit;
    jit->stats->calls[i->row]++;
    if (unlikely(jit->on_slow)) {
        jit->on_slow(cpu, jit->on_slow_opaque);
    }
    cpu->insn = i;
    cpu->insn_rip = cpu->code64 ? rip : (uint32_t)rip;
    gva_t next = cpu->code64 ? rip + i->len : (uint32_t)(rip + i->len);
    cpu->rip = next;
    cpu->break_block = false;
    i->fn(cpu, i);
    if (unlikely(cpu->break_block || cpu->rip != next)) {
        return jit_next(cpu);
    }
    return NULL;
}

/* The same for a block that goes on with addresses it holds: not when they may be wrong by now. */
static const uint8_t *interpret_holding(X86Cpu *cpu, const Insn *i, gva_t rip)
{
    uint64_t gen = cpu->slots_gen;
    const uint8_t *next = interpret(cpu, i, rip);
    return !next && cpu->slots_gen != gen ? jit_next(cpu) : next;
}

/* The guest's vector registers stay in the host's meanwhile. */
static GENERAL_REGS_ONLY uint64_t host_flags(X86Cpu *cpu)
{
    return flags_compute(cpu) | 0x202;
}

/* The same, and OSZAPC for the host's flags.  Returned in RAX and RDX. */
typedef struct NextAndFlags {
    const uint8_t *next;
    uint64_t flags;
} NextAndFlags;

static NextAndFlags with_flags(X86Cpu *cpu, const uint8_t *next)
{
    return (NextAndFlags){.next = next, .flags = next ? 0 : host_flags(cpu)};
}

static NextAndFlags interpret_flags(X86Cpu *cpu, const Insn *i, gva_t rip)
{
    return with_flags(cpu, interpret(cpu, i, rip));
}

static NextAndFlags interpret_holding_flags(X86Cpu *cpu, const Insn *i, gva_t rip)
{
    return with_flags(cpu, interpret_holding(cpu, i, rip));
}

/* ---- the routines ---- */

static void to_host_stack(Asm *a)
{
    asm_store64(a, CPU_MEM(jit_calls_sp), H_RSP);
    asm_load64(a, H_RSP, CPU_MEM(jit_host_sp));
}

static void to_calls_stack(Asm *a)
{
    asm_load64(a, H_RSP, CPU_MEM(jit_calls_sp));
}

static void put_flags(Asm *a, unsigned reg)
{
    asm_push(a, reg);
    asm_byte(a, 0x9d); /* popfq */
}

/* H_ADDR: a jit_site(); becomes the Insn, and H_T1 its address.  Changes H_T2 and flags. */
static void find_insn(const Jit *jit, Asm *a)
{
    asm_op(a, 0, ENC_1, 0x8b, H_T1, op_reg(H_ADDR));
    asm_op(a, 0, ENC_1, 0x83, 4, op_reg(H_T1)); /* and */
    asm_byte(a, (1 << JIT_SITE_BITS) - 1);
    asm_op(a, 0, ENC_1, 0x6b, H_T1, op_reg(H_T1)); /* imul */
    asm_byte(a, sizeof(Insn));
    asm_op(a, 0, ENC_1, 0xc1, 5, op_reg(H_ADDR)); /* shr */
    asm_byte(a, JIT_SITE_BITS);
    asm_op(a, ENC_W, ENC_1, 0xc1, 4, op_reg(H_ADDR)); /* shl */
    asm_byte(a, 4);
    asm_mov_imm(a, H_T2, (uint64_t)(uintptr_t)jit->rx);
    asm_op(a, ENC_W, ENC_1, 0x03, H_ADDR, op_reg(H_T2));
    asm_op(a, ENC_W, ENC_1, 0x03, H_T1, op_mem(H_ADDR, offsetof(JitHead, insns)));
    asm_op(a, 0, ENC_0F, 0xb7, H_T2, op_mem(H_T1, offsetof(Insn, at))); /* movzx */
    asm_op(a, ENC_W, ENC_1, 0x03, H_T2, op_mem(H_ADDR, offsetof(JitHead, rip)));
    asm_mov_rr(a, H_ADDR, H_T1);
    asm_mov_rr(a, H_T1, H_T2);
}

/* In: H_ADDR a jit_site().  Out: everything of the guest loaded, or on to the next block. */
static const uint8_t *emit_call_insn(const Jit *jit, Asm *a, bool holding, bool flags)
{
    static const void *const functions[2][2] = {{(const void *)interpret, (const void *)interpret_flags},
                                                {(const void *)interpret_holding, (const void *)interpret_holding_flags}};
    const uint8_t *here = a->p;
    G_STATIC_ASSERT(sizeof(JitHead) == 1 << 4 && MAX_INSNS <= 1 << JIT_SITE_BITS);
    vectors_emit_spill(jit, a);
    find_insn(jit, a);
    asm_pop(a, H_T2); /* where to return: callee-saved in C */
    store_guest(a);
    to_host_stack(a);
    asm_mov_rr(a, H_RDI, H_CPU);
    asm_mov_rr(a, H_RSI, H_ADDR);
    asm_mov_rr(a, H_RDX, H_T1);
    call_c(a, functions[holding][flags]);
    asm_op(a, ENC_W, ENC_1, 0x85, H_RAX, op_reg(H_RAX)); /* test rax, rax */
    uint8_t *stop = asm_jcc(a, 5);
    to_calls_stack(a);
    asm_push(a, H_T2);
    if (flags) {
        asm_mov_rr(a, H_T1, H_RDX);
    }
    load_guest(a);
    if (flags) {
        put_flags(a, H_T1);
    }
    asm_byte(a, 0xc3);
    asm_patch(stop, a->p);
    asm_op(a, 0, ENC_1, 0xff, 4, op_reg(H_RAX)); /* jmp rax */
    return here;
}

/* Call function(cpu) from a routine of which H_T2 is where to return; the guest's registers are stored meanwhile. */
static void call_with_cpu(Asm *a, const void *function)
{
    asm_pop(a, H_T2);
    store_guest(a);
    to_host_stack(a);
    asm_mov_rr(a, H_RDI, H_CPU);
    call_c(a, function);
    to_calls_stack(a);
    asm_push(a, H_T2);
}

/* For every CcOp. */
static const uint8_t *emit_load_flags(Asm *a)
{
    const uint8_t *here = a->p;
    call_with_cpu(a, (const void *)host_flags);
    asm_mov_rr(a, H_T1, H_RAX);
    load_guest(a);
    put_flags(a, H_T1);
    asm_byte(a, 0xc3);
    return here;
}

static const uint8_t *emit_fetch_x87(Asm *a)
{
    const uint8_t *here = a->p;
    call_with_cpu(a, (const void *)fpu_make_live);
    load_guest(a);
    asm_byte(a, 0xc3);
    return here;
}

static const uint8_t *emit_enter(Asm *a)
{
    const uint8_t *here = a->p; /* uintptr_t enter(X86Cpu *cpu, code): the C caller's frame, then the guest's registers */
    for (unsigned i = 0; i < G_N_ELEMENTS(callee_saved); i++) {
        asm_push(a, callee_saved[i]);
    }
    asm_op(a, ENC_W, ENC_1, 0x83, 5, op_reg(H_RSP)); /* sub rsp, 8 */
    asm_byte(a, 8);
    asm_mov_rr(a, H_CPU, H_RDI);
    asm_mov_rr(a, H_T1, H_RSI);
    asm_store64(a, CPU_MEM(jit_host_sp), H_RSP);
    to_calls_stack(a);
    load_guest(a);
    asm_op(a, 0, ENC_1, 0xff, 4, op_reg(H_T1)); /* jmp T1 */
    return here;
}

/* exit: H_ADDR -> rip, returns 0; exit_jump: the same, returns H_T1; exit_clean: all is stored already, on C's stack. */
static void emit_exits(Jit *jit, Asm *a)
{
    jit->exit = a->p;
    asm_op(a, 0, ENC_1, 0x31, H_T1, op_reg(H_T1));
    jit->exit_jump = a->p;
    vectors_emit_spill(jit, a);
    asm_store64(a, CPU_MEM(rip), H_ADDR);
    store_guest(a);
    to_host_stack(a);
    asm_mov_rr(a, H_RAX, H_T1);
    uint8_t *frame = asm_jmp(a);
    jit->exit_clean = a->p;
    asm_op(a, 0, ENC_1, 0x31, H_RAX, op_reg(H_RAX));
    asm_patch(frame, a->p);
    asm_op(a, ENC_W, ENC_1, 0x83, 0, op_reg(H_RSP)); /* add rsp, 8 */
    asm_byte(a, 8);
    for (unsigned i = G_N_ELEMENTS(callee_saved); i-- > 0;) {
        asm_pop(a, callee_saved[i]);
    }
    asm_byte(a, 0xc3);
}

/* H_ADDR -> rip, and on to what `function` says. */
static const uint8_t *emit_dispatch(const Jit *jit, Asm *a, const void *function)
{
    const uint8_t *here = a->p;
    vectors_emit_spill(jit, a);
    asm_store64(a, CPU_MEM(rip), H_ADDR);
    store_guest(a);
    to_host_stack(a);
    asm_mov_rr(a, H_RDI, H_CPU);
    call_c(a, function);
    asm_op(a, 0, ENC_1, 0xff, 4, op_reg(H_RAX));
    return here;
}

/* From C's stack to the code at jit_target. */
static const uint8_t *emit_resume(Asm *a)
{
    const uint8_t *here = a->p;
    to_calls_stack(a);
    load_guest(a);
    asm_op(a, 0, ENC_1, 0xff, 4, CPU_MEM(jit_target));
    return here;
}

uint8_t *asm_table_lookup(Asm *a)
{
    /* jit_table_index() times the size of a place, which undoes the shift that it begins with */
    G_STATIC_ASSERT(sizeof(JitPlace) == 1 << 4 && JIT_TABLE_BITS <= 32 - 14);
    asm_op(a, 0, ENC_1, 0x8b, H_T1, op_reg(H_ADDR));
    asm_op(a, 0, ENC_1, 0xc1, 1, op_reg(H_T1)); /* ror T1d, 14 */
    asm_byte(a, 14);
    asm_op(a, 0, ENC_1, 0x31, H_ADDR, op_reg(H_T1)); /* xor T1d, ADDRd */
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T1));      /* and T1d, mask */
    asm_le(a, ((1u << JIT_TABLE_BITS) - 1) << 4, 4);
    asm_load64(a, H_T2, CPU_MEM(jit_table));
    asm_op(a, ENC_W, ENC_1, 0x3b, H_ADDR, op_sib(H_T2, H_T1, 0, offsetof(JitPlace, rip)));
    return asm_jcc(a, 5);
}

HostOp asm_table_code(void)
{
    return op_sib(H_T2, H_T1, 0, offsetof(JitPlace, code));
}

/* A RET to H_ADDR that is not where the last CALL came from: that CALL is forgotten. */
static const uint8_t *emit_ret_miss(Jit *jit, Asm *a)
{
    /* the frame at the bottom was taken for a match: put it back */
    jit->ret_bottom = a->p;
    asm_load64(a, H_RSP, CPU_MEM(jit_calls_base));
    const uint8_t *here = a->p;
    asm_op(a, ENC_W, ENC_1, 0x3b, H_RSP, CPU_MEM(jit_calls_base));
    uint8_t *empty = asm_jcc(a, 4);
    asm_lea64(a, H_RSP, op_mem(H_RSP, 16));
    asm_patch(empty, a->p);
    uint8_t *miss = asm_table_lookup(a);
    asm_op(a, 0, ENC_1, 0xff, 4, asm_table_code());
    asm_patch(miss, a->p);
    asm_jmp_to(a, jit->exit);
    return here;
}

/* What a CALL through a place that is not in the table calls instead: to the address in jit_missed. */
static const uint8_t *emit_call_miss(const Jit *jit, Asm *a)
{
    const uint8_t *here = a->p;
    asm_load64(a, H_ADDR, CPU_MEM(jit_missed));
    asm_jmp_to(a, jit->exit);
    return here;
}

/* sar H_ADDR's copy, 47: 0 or -1 in a canonical address.  A jump taken when it is none; changes H_T1. */
static uint8_t *if_not_canonical(Asm *a)
{
    asm_mov_rr(a, H_T1, H_ADDR);
    asm_op(a, ENC_W, ENC_1, 0xc1, 7, op_reg(H_T1));
    asm_byte(a, 47);
    asm_lea64(a, H_T1, op_mem(H_T1, 1));
    asm_op(a, ENC_W, ENC_1, 0x83, 7, op_reg(H_T1));
    asm_byte(a, 1);
    return asm_jcc(a, 7);
}

/*
 * Transfers that no connected code waits for, to H_ADDR.  A target that is not canonical is a fault of the instruction that
 * H_T2 tells: its handler raises it.
 */
static void emit_checked_transfers(Jit *jit, Asm *a)
{
    jit->ret_checked = a->p; /* the frame is still there */
    uint8_t *ret_bad = if_not_canonical(a);
    asm_lea64(a, H_GUEST_RSP, op_mem(H_GUEST_RSP, 8));
    asm_jmp_to(a, jit->ret_miss);
    jit->exit_checked = a->p;
    uint8_t *exit_bad = if_not_canonical(a);
    asm_jmp_to(a, jit->exit);
    jit->call_checked = a->p; /* called: H_T1 is then what to call instead */
    uint8_t *call_bad = if_not_canonical(a);
    asm_store64(a, CPU_MEM(jit_missed), H_ADDR);
    asm_mov_imm(a, H_T1, (uint64_t)(uintptr_t)jit_rx(jit, jit->call_miss));
    asm_byte(a, 0xc3);
    asm_patch(call_bad, a->p);
    asm_pop(a, H_T1);
    asm_patch(ret_bad, a->p);
    asm_patch(exit_bad, a->p);
    asm_mov_rr(a, H_ADDR, H_T2);
    asm_call_to(a, jit->call_insn[0][0]);
    asm_load64(a, H_ADDR, CPU_MEM(rip)); /* not reached, unless it knows a reason to go on */
    asm_jmp_to(a, jit->exit);
}

void runtime_emit(Jit *jit)
{
    enum { RUNTIME_SIZE = 16384 };
    Asm a = {.p = jit->rw, .end = jit->rw + RUNTIME_SIZE - ASM_SLACK};
    vectors_emit_runtime(jit, &a);
    slots_emit_runtime(jit, &a);
    find_emit_runtime(jit, &a);
    jit->enter = emit_enter(&a);
    emit_exits(jit, &a);
    jit->dispatch = emit_dispatch(jit, &a, (const void *)jit_next);
    jit->recheck = emit_dispatch(jit, &a, (const void *)recheck);
    jit->resume = emit_resume(&a);
    for (unsigned n = 0; n < 4; n++) {
        jit->call_insn[n / 2][n % 2] = emit_call_insn(jit, &a, n / 2, n % 2);
    }
    jit->load_flags = runtime_emit_load_flags(&a, emit_load_flags(&a));
    jit->fetch_x87 = emit_fetch_x87(&a);
    jit->ret_miss = emit_ret_miss(jit, &a);
    jit->call_miss = emit_call_miss(jit, &a);
    emit_checked_transfers(jit, &a);
    g_assert(!a.full);
    jit->start = RUNTIME_SIZE;
    jit->next = jit->rw + jit->start;
    jit->middle = jit->cold_next = jit->rw + (jit->size / 5 * 3 & ~(size_t)4095);
}
