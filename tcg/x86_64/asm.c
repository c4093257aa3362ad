/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The encoder. */
#include "tcg/x86_64/asm.h"

#include <string.h>

static void put_modrm(Asm *a, unsigned reg, HostOp rm)
{
    unsigned r = (reg & 7) << 3;
    if (!rm.mem) {
        asm_byte(a, (uint8_t)(0xc0 | r | (rm.reg & 7)));
        return;
    }
    if (rm.base == H_NONE) { /* mod 0, base 5: no base, 32-bit displacement */
        asm_byte(a, (uint8_t)(r | 4));
        asm_byte(a, (uint8_t)((unsigned)rm.scale << 6 | (rm.index == H_NONE ? 4u : rm.index & 7u) << 3 | 5));
        asm_le(a, (uint32_t)rm.disp, 4);
        return;
    }
    bool sib = rm.index != H_NONE || (rm.base & 7) == H_RSP;
    /* RBP and R13 as bases have no form without displacement. */
    unsigned mod = rm.disp == 0 && (rm.base & 7) != H_RBP ? 0 : rm.disp == (int8_t)rm.disp ? 1 : 2;
    asm_byte(a, (uint8_t)(mod << 6 | r | (sib ? 4u : rm.base & 7u)));
    if (sib) {
        unsigned index = rm.index == H_NONE ? 4u : rm.index & 7u;
        asm_byte(a, (uint8_t)((unsigned)rm.scale << 6 | index << 3 | (rm.base & 7)));
    }
    if (mod == 1) {
        asm_le(a, (uint8_t)rm.disp, 1);
    } else if (mod == 2) {
        asm_le(a, (uint32_t)rm.disp, 4);
    }
}

/* The registers an encoding names but for its address: those it can change. */
static uint32_t mentioned(unsigned reg, HostOp rm)
{
    return 1u << (reg & 15) | (rm.mem ? 0 : 1u << (rm.reg & 15));
}

void asm_op(Asm *a, unsigned flags, unsigned map, uint8_t opcode, unsigned reg, HostOp rm)
{
    a->touched |= mentioned(reg, rm);
    unsigned rex = (flags & ENC_W ? 8u : 0u) | (reg & 8 ? 4u : 0u);
    bool force = (flags & ENC_BYTE_REG) && reg >= 4;
    if (rm.mem) {
        rex |= (rm.index != H_NONE && (rm.index & 8) ? 2u : 0u) | (rm.base != H_NONE && (rm.base & 8) ? 1u : 0u);
    } else {
        rex |= rm.reg & 8 ? 1u : 0u;
        force |= (flags & ENC_BYTE_RM) && rm.reg >= 4;
    }
    if (flags & ENC_LOCK) {
        asm_byte(a, 0xf0);
    }
    if (flags & ENC_66) {
        asm_byte(a, 0x66);
    }
    if (flags & ENC_F3) {
        asm_byte(a, 0xf3);
    } else if (flags & ENC_F2) {
        asm_byte(a, 0xf2);
    }
    if (rex || force) {
        asm_byte(a, (uint8_t)(0x40 | rex));
    }
    if (map != ENC_1) {
        asm_byte(a, 0x0f);
    }
    if (map == ENC_0F38 || map == ENC_0F3A) {
        asm_byte(a, map == ENC_0F38 ? 0x38 : 0x3a);
    }
    asm_byte(a, opcode);
    put_modrm(a, reg, rm);
}

void asm_vex(Asm *a, unsigned flags, unsigned map, uint8_t opcode, unsigned reg, unsigned vvvv, HostOp rm)
{
    a->touched |= mentioned(reg, rm) | 1u << (vvvv & 15);
    unsigned pp = flags & ENC_66 ? 1 : flags & ENC_F3 ? 2 : flags & ENC_F2 ? 3 : 0;
    unsigned last = (~vvvv & 15) << 3 | (flags & ENC_L ? 4u : 0u) | pp;
    bool w = flags & ENC_W;
    bool r = reg & 8;
    bool x = rm.mem && rm.index != H_NONE && (rm.index & 8);
    bool b = rm.mem ? rm.base != H_NONE && (rm.base & 8) : rm.reg & 8;

    if (map == ENC_0F && !w && !x && !b) {
        asm_byte(a, 0xc5);
        asm_byte(a, (uint8_t)((r ? 0 : 0x80) | last));
    } else {
        asm_byte(a, 0xc4);
        asm_byte(a, (uint8_t)((r ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | map));
        asm_byte(a, (uint8_t)((w ? 0x80 : 0) | last));
    }
    asm_byte(a, opcode);
    put_modrm(a, reg, rm);
}

void asm_mov_imm(Asm *a, unsigned dst, uint64_t v)
{
    a->touched |= 1u << dst;
    if (v == (uint32_t)v) {
        if (dst & 8) {
            asm_byte(a, 0x41);
        }
        asm_byte(a, (uint8_t)(0xb8 | (dst & 7)));
        asm_le(a, v, 4);
    } else if ((uint64_t)(int64_t)(int32_t)v == v) {
        asm_op(a, ENC_W, ENC_1, 0xc7, 0, op_reg(dst));
        asm_le(a, v, 4);
    } else {
        asm_byte(a, (uint8_t)(0x48 | (dst >> 3)));
        asm_byte(a, (uint8_t)(0xb8 | (dst & 7)));
        asm_le(a, v, 8);
    }
}

void asm_store_imm32(Asm *a, HostOp m, int32_t v)
{
    asm_op(a, ENC_W, ENC_1, 0xc7, 0, m);
    asm_le(a, (uint32_t)v, 4);
}

void asm_store_imm8(Asm *a, HostOp m, uint8_t v)
{
    asm_op(a, 0, ENC_1, 0xc6, 0, m);
    asm_byte(a, v);
}

uint8_t *asm_hole(Asm *a)
{
    uint8_t *place = a->p;
    asm_le(a, 0, 4);
    return place;
}

uint8_t *asm_jcc(Asm *a, unsigned cc)
{
    asm_byte(a, 0x0f);
    asm_byte(a, (uint8_t)(0x80 | cc));
    return asm_hole(a);
}

uint8_t *asm_jmp(Asm *a)
{
    asm_byte(a, 0xe9);
    return asm_hole(a);
}

void asm_patch(uint8_t *place, const uint8_t *target)
{
    int32_t d = (int32_t)(target - (place + 4));
    memcpy(place, &d, 4);
}

void asm_jmp_to(Asm *a, const uint8_t *target)
{
    uint8_t *place = asm_jmp(a);
    if (!a->full) {
        asm_patch(place, target);
    }
}

void asm_call_to(Asm *a, const uint8_t *target)
{
    a->touched = ~0u;
    asm_byte(a, 0xe8);
    uint8_t *place = asm_hole(a);
    if (!a->full) {
        asm_patch(place, target);
    }
}
