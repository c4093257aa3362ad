/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operands that a look into the TLB has not found, but that need no handler: the paging-structure cache knows the page, or
 * a load reaches over the end of one.  Less is stored than for a handler, and the instruction itself is not left.
 */
#include "tcg/internal.h"

#include "target/x86/mem.h"

/* In RAX and RDX. */
typedef struct Found {
    uint8_t *host; /* or NULL */
    uintptr_t addend;
} Found;

enum { WRITE_SHIFT = 8 };

static Found find(X86Cpu *cpu, gva_t lin, unsigned what)
{
    uint8_t *host = NULL;
    if (likely(!cpu->jit->on_slow)) { /* who wants to hear of slow paths gets them */
        host = mem_find(cpu, lin, what & 0xff, what >> WRITE_SHIFT ? ACCESS_WRITE : ACCESS_READ);
    }
    return (Found){.host = host, .addend = (uintptr_t)host - lin};
}

/* What C may change of the guest's. */
static const uint8_t changed_by_c[] = {RAX, RCX, RDX, RSI, RDI, R8, R9, R10, RSP};

static void imm8(Asm *a, unsigned opcode, unsigned ext, unsigned reg, uint8_t imm)
{
    asm_op(a, 0, ENC_1, (uint8_t)opcode, ext, op_reg(reg));
    asm_byte(a, imm);
}

static HostOp walk_entry(size_t member)
{
    return op_sib(H_CPU, H_RAX, 0, (int32_t)(offsetof(X86Cpu, walk) + member));
}

/* RCX, the address of a page, is to be in the TLB of the mode whose offset is RAX; T1 becomes its entry's offset. */
static uint8_t *emit_look(Asm *a)
{
    asm_op(a, 0, ENC_1, 0x8b, H_T1, op_reg(H_RCX));
    imm8(a, 0xc1, 5, H_T1, PAGE_SHIFT - 5); /* shr */
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T1));
    asm_le(a, (TLB_SIZE - 1) * sizeof(TlbEntry), 4);
    asm_op(a, ENC_W, ENC_1, 0x01, H_RAX, op_reg(H_T1)); /* add */
    asm_op(a, ENC_W, ENC_1, 0x3b, H_RCX, op_sib(H_CPU, H_T1, 0, (int32_t)offsetof(X86Cpu, tlb[0][0].rtag)));
    return asm_jcc(a, 5);
}

/* The most frequent case without C: up to 8 bytes to be read over the end of a page, both pages in the TLB. */
static void emit_joined(Asm *a, unsigned reg)
{
    enum { MODE_SHIFT = TLB_BITS + 5 };
    HostOp addend = op_sib(H_CPU, H_T1, 0, (int32_t)offsetof(X86Cpu, tlb[0][0].addend));
    HostOp copy = op_sib(H_CPU, H_RCX, 0, (int32_t)offsetof(X86Cpu, joined));
    uint8_t *fail[3];
    G_STATIC_ASSERT(sizeof(((X86Cpu *)0)->tlb[0]) == 1 << MODE_SHIFT);
    asm_push(a, H_RDX);
    asm_push(a, H_T1);
    asm_op(a, 0, ENC_1, 0x83, 7, op_reg(H_T1)); /* cmp: no write, and the size */
    asm_byte(a, 8);
    fail[0] = asm_jcc(a, 7);
    asm_op(a, 0, ENC_0F, 0xb6, H_RAX, CPU_MEM(mem_mode)); /* movzx */
    imm8(a, 0xc1, 4, H_RAX, MODE_SHIFT);
    asm_mov_rr(a, H_RCX, reg);
    asm_op(a, ENC_W, ENC_1, 0x81, 1, op_reg(H_RCX)); /* or: the second page */
    asm_le(a, PAGE_SIZE - 1, 4);
    asm_lea64(a, H_RCX, op_mem(H_RCX, 1));
    fail[1] = emit_look(a);
    asm_load64(a, H_RDX, addend);
    asm_load64(a, H_RDX, op_sib(H_RDX, H_RCX, 0, 0));
    asm_mov_rr(a, H_RCX, reg);
    asm_op(a, ENC_W, ENC_1, 0x81, 4, op_reg(H_RCX)); /* and: the first */
    asm_le(a, (uint32_t)PAGE_MASK, 4);
    fail[2] = emit_look(a);
    asm_op(a, ENC_W, ENC_1, 0x03, H_RCX, addend);
    asm_load64(a, H_RAX, op_mem(H_RCX, PAGE_SIZE - 8));
    asm_op(a, 0, ENC_1, 0x8d, H_RCX, op_sib(H_NONE, reg, 3, 0)); /* lea: bits, modulo 64 */
    asm_op(a, ENC_W, ENC_0F, 0xad, H_RDX, op_reg(H_RAX));        /* shrd rax, rdx, cl */
    asm_op(a, 0, ENC_1, 0x8b, H_RCX, op_reg(reg));
    imm8(a, 0x83, 4, H_RCX, 31); /* and */
    asm_store64(a, copy, H_RAX);
    asm_lea64(a, H_RAX, copy);
    asm_mov_rr(a, H_T1, H_RAX);
    asm_op(a, ENC_W, ENC_1, 0x29, reg, op_reg(H_T1)); /* sub */
    asm_mov_rr(a, reg, H_RAX);
    asm_op(a, ENC_W, ENC_1, 0x85, reg, op_reg(reg)); /* test: what follows changes no flags */
    asm_lea64(a, H_RSP, op_mem(H_RSP, 8));
    asm_pop(a, H_RDX);
    asm_pop(a, H_RCX);
    asm_pop(a, H_RAX);
    asm_byte(a, 0xc3);
    for (unsigned n = 0; n < 3; n++) {
        asm_patch(fail[n], a->p);
    }
    asm_pop(a, H_T1);
    asm_pop(a, H_RDX);
}

/*
 * Returns at once where nothing will be found, page faults most of all: `reg` does not reach into another page, and the
 * paging-structure cache does not know its table, or its entry there says no.  All other registers stay.
 */
static void emit_hopeless(Asm *a, unsigned reg)
{
    enum { PTE_P = 1, PTE_W_SHIFT = 1 };
    uint8_t *fail[3];
    G_STATIC_ASSERT(sizeof(WalkEntry) == 1 << 5);
    asm_push(a, H_RAX);
    asm_push(a, H_RCX);
    asm_op(a, 0, ENC_0F, 0xb6, H_RCX, op_reg(H_T1));                       /* movzx: the size */
    asm_op(a, 0, ENC_1, 0x8d, H_RAX, op_sib(reg, H_RCX, 0, -1));           /* lea */
    asm_op(a, 0, ENC_1, 0x31, reg, op_reg(H_RAX));                         /* xor eax, reg */
    asm_op(a, 0, ENC_1, 0xf7, 0, op_reg(H_RAX));                           /* test */
    asm_le(a, PAGE_SIZE, 4);
    uint8_t *crosses = asm_jcc(a, 5);
    asm_op(a, 0, ENC_1, 0xf7, 0, CPU_MEM(cr4));
    asm_le(a, CR4_PAE, 4);
    fail[0] = asm_jcc(a, 4);
    asm_mov_rr(a, H_RCX, reg);
    asm_op(a, ENC_W, ENC_1, 0xc1, 5, op_reg(H_RCX)); /* shr: the region */
    asm_byte(a, 21);
    asm_op(a, 0, ENC_1, 0x8b, H_RAX, op_reg(H_RCX));
    imm8(a, 0x83, 4, H_RAX, WALK_CACHE_SIZE - 1); /* and */
    imm8(a, 0xc1, 4, H_RAX, 5);                   /* shl */
    asm_op(a, ENC_W, ENC_1, 0x3b, H_RCX, walk_entry(offsetof(WalkEntry, region)));
    fail[1] = asm_jcc(a, 5);
    asm_load64(a, H_RCX, CPU_MEM(walk_gen));
    asm_op(a, ENC_W, ENC_1, 0x3b, H_RCX, walk_entry(offsetof(WalkEntry, gen)));
    fail[2] = asm_jcc(a, 5);
    asm_load64(a, H_RAX, walk_entry(offsetof(WalkEntry, table)));
    asm_op(a, 0, ENC_1, 0x8b, H_RCX, op_reg(reg));
    imm8(a, 0xc1, 5, H_RCX, PAGE_SHIFT);
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_RCX));
    asm_le(a, 511, 4);
    asm_op(a, 0, ENC_1, 0x8b, H_RAX, op_sib(H_RAX, H_RCX, 3, 0));
    asm_op(a, 0, ENC_1, 0xf7, 2, op_reg(H_RAX)); /* not */
    asm_op(a, 0, ENC_1, 0x8b, H_RCX, op_reg(H_T1));
    imm8(a, 0xc1, 5, H_RCX, WRITE_SHIFT - PTE_W_SHIFT);
    imm8(a, 0x83, 1, H_RCX, PTE_P);                   /* or */
    asm_op(a, 0, ENC_1, 0x85, H_RCX, op_reg(H_RAX)); /* test */
    uint8_t *hope = asm_jcc(a, 4);
    for (unsigned n = 0; n < 3; n++) {
        asm_patch(fail[n], a->p);
    }
    asm_pop(a, H_RCX);
    asm_pop(a, H_RAX);
    asm_op(a, 0, ENC_1, 0x31, reg, op_reg(reg)); /* xor: ZF */
    asm_byte(a, 0xc3);
    asm_patch(crosses, a->p);
    emit_joined(a, reg);
    asm_patch(hope, a->p);
    asm_pop(a, H_RCX);
    asm_pop(a, H_RAX);
}

/* In: `reg`, the address; T1, what to find.  Out: `reg`, the host's address, and T1, the addend; ZF: nothing. */
static const uint8_t *emit_call(const Jit *jit, Asm *a, unsigned reg)
{
    const uint8_t *here = a->p;
    emit_hopeless(a, reg);
    for (unsigned n = 0; n < G_N_ELEMENTS(changed_by_c); n++) {
        asm_store64(a, guest_home(changed_by_c[n]), host_of(changed_by_c[n]));
    }
    asm_mov_rr(a, H_RDI, H_CPU);
    asm_mov_rr(a, H_RSI, reg);
    asm_mov_rr(a, H_RDX, H_T1);
    asm_op(a, 0, ENC_0F, 0xb6, H_T1, CPU_MEM(vec_live)); /* movzx: callee-saved in C */
    vectors_emit_spill(jit, a);
    asm_store64(a, CPU_MEM(jit_calls_sp), H_RSP);
    asm_load64(a, H_RSP, CPU_MEM(jit_host_sp));
    asm_mov_imm(a, H_RAX, (uint64_t)(uintptr_t)find);
    asm_op(a, 0, ENC_1, 0xff, 2, op_reg(H_RAX)); /* call */
    asm_load64(a, H_RSP, CPU_MEM(jit_calls_sp));
    vectors_emit_fetch(jit, a, H_T1);
    asm_mov_rr(a, reg, H_RAX);
    asm_mov_rr(a, H_T1, H_RDX);
    for (unsigned n = 0; n < G_N_ELEMENTS(changed_by_c); n++) {
        asm_load64(a, host_of(changed_by_c[n]), guest_home(changed_by_c[n]));
    }
    asm_op(a, ENC_W, ENC_1, 0x85, reg, op_reg(reg)); /* test */
    asm_byte(a, 0xc3);
    return here;
}

void find_emit_runtime(Jit *jit, Asm *a)
{
    static const uint8_t regs[2] = {H_ADDR, H_T2};
    const uint8_t *call[2] = {emit_call(jit, a, regs[0]), emit_call(jit, a, regs[1])};
    for (unsigned n = 0; n < NUM_MEM_MODES * 2 * FIND_SIZES * 2; n++) {
        unsigned in_t2 = n & 1, write = n >> 1 & 1, log2 = n / 4 % FIND_SIZES, mode = n / 4 / FIND_SIZES;
        size_t table = offsetof(X86Cpu, tlb) + mode * sizeof(((X86Cpu *)0)->tlb[0]);
        int32_t tag = (int32_t)(table + (write ? offsetof(TlbEntry, wtag) : offsetof(TlbEntry, rtag)));
        jit->find[mode][write][log2][in_t2] = a->p;
        asm_op(a, ENC_W, ENC_1, 0x03, regs[in_t2], op_sib(H_CPU, H_T1, 0, tag)); /* add: the address again */
        asm_mov_imm(a, H_T1, write << WRITE_SHIFT | 1u << log2);
        asm_jmp_to(a, call[in_t2]);
    }
}

void tr_find(const Tr *t, Stub *s, unsigned size, bool write, unsigned reg, const uint8_t *found)
{
    if (size & (size - 1) || size >= 1u << FIND_SIZES) {
        return;
    }
    s->find = t->jit->find[t->src->mode & 3][write][__builtin_ctz(size)][reg == H_T2];
    s->found = found;
}

void tr_find_emit(Tr *t, Stub *s)
{
    Asm *a = &t->a;
    if (!s->find || a->full) {
        return;
    }
    asm_patch(s->from[0], a->p);
    s->from[0] = NULL;
    asm_call_to(a, s->find);
    uint8_t *found = asm_jcc(a, 5);
    if (!a->full) {
        asm_patch(found, s->found);
    }
}
