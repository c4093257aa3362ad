/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The common routine that brings lazy OSZAPC into the host's flags: the recorded operation is done once more on the
 * recorded values, in one short entry per operation and size.
 * Uses H_T1 and H_T2; calls `slow`, which does the same for every CcOp, for the few that no entry covers.
 */
#include "tcg/internal.h"

enum { ENTRY_LOG2 = 5, NUM_ENTRIES = CC_TEST + 4 };

static unsigned size_prefix(unsigned log2)
{
    return log2 == 0 ? ENC_BYTE_REG | ENC_BYTE_RM : log2 == 1 ? ENC_66 : log2 == 3 ? ENC_W : 0;
}

/* "op T2, reg" at a size, by the opcode of its byte form. */
static void sized(Asm *a, unsigned log2, uint8_t opcode, unsigned reg)
{
    asm_op(a, size_prefix(log2), ENC_1, (uint8_t)(opcode | (log2 != 0)), reg, op_reg(H_T2));
}

static void load_operands(Asm *a)
{
    asm_load64(a, H_T2, CPU_MEM(cc_dst));
    asm_load64(a, H_T1, CPU_MEM(cc_src));
}

/* First operand = result - second (- 1 with carry in), then the addition again. */
static void redo_add(Asm *a, unsigned log2, bool carry)
{
    load_operands(a);
    if (carry) {
        asm_byte(a, 0xf9); /* stc */
    }
    asm_op(a, ENC_W, ENC_1, carry ? 0x19 : 0x29, H_T1, op_reg(H_T2));
    if (carry) {
        asm_byte(a, 0xf9);
    }
    sized(a, log2, carry ? 0x10 : 0x00, H_T1);
}

static void redo_sub(Asm *a, unsigned log2, bool carry)
{
    load_operands(a);
    if (carry) {
        asm_byte(a, 0xf9);
    }
    asm_op(a, ENC_W, ENC_1, carry ? 0x11 : 0x01, H_T1, op_reg(H_T2));
    if (carry) {
        asm_byte(a, 0xf9);
    }
    sized(a, log2, carry ? 0x18 : 0x38, H_T1);
}

/* INC and DEC keep the carry, which is bit 0 of cc_src. */
static void redo_step(Asm *a, unsigned log2, bool down)
{
    asm_load64(a, H_T2, CPU_MEM(cc_dst));
    asm_lea64(a, H_T2, op_mem(H_T2, down ? 1 : -1));
    asm_op(a, 0, ENC_0F, 0xba, 4, CPU_MEM(cc_src)); /* bt */
    asm_byte(a, 0);
    sized(a, log2, 0xfe, down);
}

/* AH and "1 in AL overflows" to the flags.  RAX is in T2 meanwhile. */
static void from_ah(Asm *a, uint8_t add)
{
    asm_byte(a, 0x04); /* add al, imm: OF */
    asm_byte(a, add);
    asm_byte(a, 0x9e); /* sahf: the others */
    asm_mov_rr(a, H_RAX, H_T2);
}

static void from_host(Asm *a)
{
    asm_mov_rr(a, H_T2, H_RAX);
    asm_op(a, 0, ENC_0F, 0xb7, H_RAX, CPU_MEM(cc_src)); /* movzx: AH by LAHF, AL is OF */
    from_ah(a, 0x7f);
}

static void from_bits(Asm *a)
{
    asm_mov_rr(a, H_T2, H_RAX);
    asm_op(a, 0, ENC_1, 0x8b, H_RAX, CPU_MEM(cc_src));
    asm_byte(a, 0x86); /* xchg al, ah: OF, bit 11, is bit 3 of AL now */
    asm_byte(a, 0xc4);
    from_ah(a, 0x78);
}

static bool emit_entry(Asm *a, unsigned op, unsigned log2)
{
    switch (op) {
    case CC_FLAGS:
        from_bits(a);
        return true;
    case CC_ADD:
    case CC_ADC:
        redo_add(a, log2, op == CC_ADC);
        return true;
    case CC_SUB:
    case CC_SBB:
        redo_sub(a, log2, op == CC_SBB);
        return true;
    case CC_LOGIC:
        asm_load64(a, H_T2, CPU_MEM(cc_dst));
        sized(a, log2, 0x84, H_T2); /* test */
        return true;
    case CC_CMP:
    case CC_TEST:
        load_operands(a);
        sized(a, log2, op == CC_CMP ? 0x38 : 0x84, H_T1);
        return true;
    case CC_INC:
    case CC_DEC:
        redo_step(a, log2, op == CC_DEC);
        return true;
    case CC_HOST:
        from_host(a);
        return true;
    default:
        return false;
    }
}

const uint8_t *runtime_emit_load_flags(Asm *a, const uint8_t *slow)
{
    const uint8_t *here = a->p;
    asm_op(a, 0, ENC_0F, 0xb6, H_T2, CPU_MEM(cc_op));
    asm_op(a, 0, ENC_1, 0xc1, 4, op_reg(H_T2)); /* shl T2d, log2 of an entry's size */
    asm_byte(a, ENTRY_LOG2);
    asm_byte(a, 0x4c); /* lea T1, [rip + d]: the first entry */
    asm_byte(a, 0x8d);
    asm_byte(a, 0x2d);
    uint8_t *place = a->p;
    asm_le(a, 0, 4);
    asm_op(a, ENC_W, ENC_1, 0x01, H_T2, op_reg(H_T1));
    asm_op(a, 0, ENC_1, 0xff, 4, op_reg(H_T1)); /* jmp T1 */
    while ((uintptr_t)a->p & 31) {
        asm_byte(a, 0xcc);
    }
    asm_patch(place, a->p);
    for (unsigned n = 0; n < NUM_ENTRIES; n++) {
        const uint8_t *end = a->p + (1u << ENTRY_LOG2);
        if (emit_entry(a, n & ~3u, n & 3)) {
            asm_byte(a, 0xc3);
        } else {
            asm_jmp_to(a, slow);
        }
        g_assert(a->p <= end);
        while (a->p < end) {
            asm_byte(a, 0xcc);
        }
    }
    return here;
}
