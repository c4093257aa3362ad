/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which emitter translates an instruction: by map and opcode. */
#include "tcg/emit.h"

static bool emit_one_byte(Tr *t, const Insn *i)
{
    uint8_t op = i->opcode;
    if (op < 0x40) {
        return (op & 7) < 6 && emit_alu(t, i);
    }
    switch (op) {
    case 0x50 ... 0x57:
        return emit_push(t, i);
    case 0x58 ... 0x5f:
        return i->rm == RSP ? emit_pop_rsp(t, i) : emit_pop(t, i);
    case 0x63:
        return emit_extend(t, i, ENC_1, 2);
    case 0x68:
    case 0x6a:
        return emit_push_imm(t, i);
    case 0x69:
    case 0x6b:
        return emit_imul2(t, i);
    case 0x70 ... 0x7f:
        return emit_jcc(t, i);
    case 0x80:
    case 0x81:
    case 0x82: /* in 32-bit code, the same as 80 */
    case 0x83:
        return emit_alu_imm(t, i);
    case 0x84:
    case 0x85:
        return emit_test(t, i);
    case 0x86:
    case 0x87:
        return emit_xchg(t, i);
    case 0x88 ... 0x8b:
        return emit_mov(t, i);
    case 0x8c:
        return emit_mov_sreg(t, i);
    case 0x8d:
        return emit_lea(t, i);
    case 0x90 ... 0x97:
        if (i->rm == RAX) {
            return insn_row(i)->prefix != PFX_F3; /* NOP; PAUSE is the interpreter's */
        }
        return emit_xchg_rax(t, i);
    case 0x98:
    case 0x99:
        return emit_convert(t, i);
    case 0x9c:
        return emit_pushf(t, i);
    case 0x9d:
        return emit_popf(t, i);
    case 0x9e:
    case 0x9f:
        return emit_ah(t, i);
    case 0xa0 ... 0xa3:
        return emit_mov_moffs(t, i);
    case 0xa4:
    case 0xa5:
    case 0xaa:
    case 0xab:
        return emit_string(t, i);
    case 0xa8:
    case 0xa9:
        return emit_test_imm(t, i);
    case 0xb0 ... 0xbf:
    case 0xc6:
    case 0xc7:
        return emit_mov_imm(t, i);
    case 0xc0:
    case 0xc1:
    case 0xd0 ... 0xd3:
        return emit_shift(t, i);
    case 0xc2:
    case 0xc3:
        return emit_ret(t, i);
    case 0xc9:
        return emit_leave(t, i);
    case 0xd7:
        return emit_xlat(t, i);
    case 0xe8:
        return emit_call(t, i);
    case 0xe9:
    case 0xeb:
        return emit_jump(t, i);
    case 0xf5:
    case 0xf8:
    case 0xf9:
    case 0xfc:
    case 0xfd:
        return emit_flag(t, i);
    case 0xf6:
    case 0xf7:
        return emit_group3(t, i);
    case 0xfe:
        return emit_incdec(t, i);
    case 0xff:
        return is_mem(i) && (i->modrm >> 3 & 7) == 6 ? emit_push_mem(t, i) : emit_group5(t, i);
    default:
        return false;
    }
}

static bool emit_two_byte(Tr *t, const Insn *i)
{
    switch (i->opcode) {
    case 0x01:
        return i->modrm == 0xf9 && emit_rdtsc(t, true);
    case 0x31:
        return emit_rdtsc(t, false);
    case 0x0d:
    case 0x18 ... 0x1f: /* the hints: PREFETCH, ENDBR, multi-byte NOP */
        return true;
    case 0x40 ... 0x4f:
        return emit_cmov(t, i);
    case 0x80 ... 0x8f:
        return emit_jcc(t, i);
    case 0x90 ... 0x9f:
        return emit_setcc(t, i);
    case 0xa2:
        return emit_cpuid(t);
    case 0xa3:
    case 0xab:
    case 0xb3:
    case 0xba:
    case 0xbb:
        return emit_bit(t, i);
    case 0xa4:
    case 0xa5:
    case 0xac:
    case 0xad:
        return emit_double_shift(t, i);
    case 0xae:
        return !is_mem(i) && insn_row(i)->prefix == PFX_NP && emit_fence(t, i);
    case 0xaf:
        return emit_imul2(t, i);
    case 0xb0:
    case 0xb1:
        return emit_cmpxchg(t, i);
    case 0xb8:
    case 0xbc:
    case 0xbd:
        return emit_scan(t, i);
    case 0xc0:
    case 0xc1:
        return emit_xadd(t, i);
    case 0xc7:
        return is_mem(i) && (i->modrm >> 3 & 7) == 1 && emit_cmpxchg_wide(t, i);
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf:
        return emit_extend(t, i, ENC_0F, i->opcode & 1);
    case 0xc8 ... 0xcf:
        return emit_bswap(t, i);
    default:
        return false;
    }
}

static bool emit_0f38(Tr *t, const Insn *i)
{
    switch (i->opcode) {
    case 0xf0:
    case 0xf1:
        return insn_row(i)->prefix == PFX_F2 ? emit_crc32(t, i) : emit_movbe(t, i);
    case 0xf6:
        return emit_adx(t, i);
    default:
        return false;
    }
}

bool emit_insn(Tr *t, const Insn *i)
{
    const InsnRow *row = insn_row(i);
    if (insn_undefined(i) || (row->attr & A_IO)) {
        return false;
    }
    if (!tr_code64(t)) {
        Emitted e = emit_legacy(t, i);
        if (e != EMITTED_AS_64) {
            return e == EMITTED;
        }
    }
    if (row->attr & A_SYS) {
        return emit_system(t, i);
    }
    if (row->attr & (A_X87 | A_MMX | A_SSE)) {
        return row->attr & A_X87 ? emit_x87(t, i) : row->attr & A_MMX ? emit_mmx(t, i) : emit_vector(t, i);
    }
    switch (row->map) {
    case MAP_1:
        return emit_one_byte(t, i);
    case MAP_0F:
        return emit_two_byte(t, i);
    case MAP_0F38:
        return emit_0f38(t, i);
    default:
        return (row->feature == FEAT_BMI1 || row->feature == FEAT_BMI2) && emit_bmi(t, i);
    }
}
