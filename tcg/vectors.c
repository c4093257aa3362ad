/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XMM0-15 or YMM0-15 and MXCSR of the guest in the host's: fetching them, bringing them home, and when.
 * C code never runs while they are in the host's registers, except what is compiled without vector instructions.
 */
#include "tcg/internal.h"

static HostOp vector_home(unsigned n)
{
    return op_mem(H_CPU, (int32_t)(offsetof(X86Cpu, v) + n * sizeof(Vec)));
}

static void move_all(Asm *a, bool ymm, bool store)
{
    for (unsigned n = 0; n < 16; n++) {
        if (ymm) {
            asm_vex(a, ENC_L, ENC_0F, store ? 0x29 : 0x28, n, 0, vector_home(n)); /* vmovaps */
        } else {
            asm_op(a, 0, ENC_0F, store ? 0x29 : 0x28, n, vector_home(n)); /* movaps */
        }
    }
}

static void load_mxcsr(Asm *a, HostOp from)
{
    asm_op(a, 0, ENC_0F, 0xae, 2, from);
}

static void zero_upper(Asm *a)
{
    asm_byte(a, 0xc5); /* vzeroupper */
    asm_byte(a, 0xf8);
    asm_byte(a, 0x77);
}

/*
 * Upper halves that are zero must be so by VZEROUPPER: loaded from memory, the processor takes them for used, and each
 * legacy instruction, which keeps them, waits for the one before that wrote its destination.
 */
static void load_ymm(Asm *a)
{
    asm_byte(a, 0x9c); /* pushfq */
    for (unsigned n = 0; n < 16; n++) {
        HostOp upper = vector_home(n);
        upper.disp += 16;
        asm_vex(a, 0, ENC_0F, n ? 0x56 : 0x28, 0, 0, upper); /* vmovaps, then vorps, xmm0 */
    }
    asm_vex(a, ENC_66, ENC_0F38, 0x17, 0, 0, op_reg(0)); /* vptest */
    uint8_t *used = asm_jcc(a, 5);
    zero_upper(a);
    move_all(a, false, false);
    uint8_t *done = asm_jmp(a);
    asm_patch(used, a->p);
    move_all(a, true, false);
    asm_patch(done, a->p);
    asm_byte(a, 0x9d); /* popfq */
}

static const uint8_t *emit_load(Asm *a, bool ymm)
{
    const uint8_t *here = a->p;
    if (ymm) {
        load_ymm(a);
    } else {
        move_all(a, false, false);
    }
    load_mxcsr(a, CPU_MEM(mxcsr));
    asm_store_imm8(a, CPU_MEM(vec_live), ymm ? VEC_YMM : VEC_XMM);
    asm_byte(a, 0xc3);
    return here;
}

static const uint8_t *emit_spill(Asm *a, bool has_avx)
{
    const uint8_t *here = a->p;
    if (has_avx) {
        asm_op(a, 0, ENC_1, 0x80, 7, CPU_MEM(vec_live));
        asm_byte(a, VEC_YMM);
        uint8_t *xmm = asm_jcc(a, 5);
        move_all(a, true, true);
        zero_upper(a);
        uint8_t *done = asm_jmp(a);
        asm_patch(xmm, a->p);
        move_all(a, false, true);
        asm_patch(done, a->p);
    } else {
        move_all(a, false, true);
    }
    asm_op(a, 0, ENC_0F, 0xae, 3, CPU_MEM(mxcsr)); /* stmxcsr */
    load_mxcsr(a, CPU_MEM(jit_host_mxcsr));
    asm_store_imm8(a, CPU_MEM(vec_live), VEC_HOME);
    asm_byte(a, 0xc3);
    return here;
}

void vectors_emit_runtime(Jit *jit, Asm *a)
{
    bool has_avx = feature_in(&jit->host, FEAT_AVX);
    jit->load_xmm = emit_load(a, false);
    jit->load_ymm = has_avx ? emit_load(a, true) : jit->load_xmm;
    jit->spill_vectors = emit_spill(a, has_avx);
}

void vectors_emit_spill(const Jit *jit, Asm *a)
{
    asm_op(a, 0, ENC_1, 0x80, 7, CPU_MEM(vec_live));
    asm_byte(a, VEC_HOME);
    uint8_t *home = asm_jcc(a, 4);
    asm_call_to(a, jit->spill_vectors);
    asm_patch(home, a->p);
}

/* With the guest's AVX off, legacy instructions leave the upper halves alone: those may stay at home. */
static void fetch(Tr *t)
{
    asm_call_to(&t->a, t->src->mode & JIT_MODE_AVX ? t->jit->load_ymm : t->jit->load_xmm);
}

void vectors_emit_fetch(const Jit *jit, Asm *a, unsigned live)
{
    G_STATIC_ASSERT(VEC_HOME == 0);
    asm_op(a, 0, ENC_1, 0x83, 7, op_reg(live)); /* cmp */
    asm_byte(a, VEC_XMM);
    uint8_t *home = asm_jcc(a, 2), *ymm = asm_jcc(a, 7);
    asm_call_to(a, jit->load_xmm);
    uint8_t *done = asm_jmp(a);
    asm_patch(ymm, a->p);
    asm_call_to(a, jit->load_ymm);
    asm_patch(home, a->p);
    asm_patch(done, a->p);
}

void tr_vectors_enter(Tr *t)
{
    t->last_vector = (int)t->src->num - 1;
    while (t->last_vector >= 0 && !emit_uses_vectors(t, &t->src->insns[t->last_vector])) {
        t->last_vector--;
    }
    if (t->last_vector < 0) {
        return;
    }
    if (t->loops) { /* the second copy does not look: they are there at the end too */
        t->last_vector = (int)t->src->num;
    }
    asm_op(&t->a, 0, ENC_1, 0x80, 7, CPU_MEM(vec_live));
    asm_byte(&t->a, VEC_HOME);
    t->vectors_from = asm_jcc(&t->a, 4);
    t->vectors_back = t->a.p;
}

void tr_vectors_emit_stub(Tr *t)
{
    if (!t->vectors_from || t->a.full) {
        return;
    }
    asm_patch(t->vectors_from, t->a.p);
    fetch(t);
    asm_jmp_to(&t->a, t->vectors_back);
}

void tr_vectors_again(Tr *t, unsigned n)
{
    if ((int)n < t->last_vector) {
        fetch(t);
    }
}
