/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The encoder. */
#include "tcg/x86_64/asm.h"

#include <string.h>

static inline uint8_t *put_mem(uint8_t *p, unsigned reg, HostOp rm)
{
    static const uint8_t disp_bytes[] = {0, 1, 4};
    unsigned r = (reg & 7) << 3, low = rm.base & 7;
    unsigned index = rm.index == H_NONE ? 4 : rm.index & 7u;
    /* RBP and R13 as bases have no form without displacement. */
    unsigned mod = rm.disp != (int8_t)rm.disp ? 2 : rm.disp != 0 || low == H_RBP;
    if (unlikely(rm.base == H_NONE)) { /* mod 0, base 5: no base, 32-bit displacement */
        *p++ = (uint8_t)(r | 4);
        *p++ = (uint8_t)(rm.scale << 6 | index << 3 | 5);
        mod = 2;
    } else if (rm.index != H_NONE || low == H_RSP) {
        *p++ = (uint8_t)(mod << 6 | r | 4);
        *p++ = (uint8_t)(rm.scale << 6 | index << 3 | low);
    } else {
        *p++ = (uint8_t)(mod << 6 | r | low);
    }
    memcpy(p, &rm.disp, sizeof(rm.disp));
    return p + disp_bytes[mod];
}

static uint8_t *put_prefixes(uint8_t *p, unsigned flags)
{
    if (flags & ENC_LOCK) {
        *p++ = 0xf0;
    }
    if (flags & ENC_66) {
        *p++ = 0x66;
    }
    if (flags & (ENC_F3 | ENC_F2)) {
        *p++ = flags & ENC_F3 ? 0xf3 : 0xf2;
    }
    return p;
}

/* What begins an instruction: prefixes, REX, opcode.  force: a REX prefix even if it is empty. */
static inline uint8_t *put_opcode(uint8_t *p, uint32_t code, unsigned rex, bool force)
{
    unsigned flags = code >> 16, map = code >> 8 & 0xff;
    if (unlikely(flags & (ENC_LOCK | ENC_66 | ENC_F3 | ENC_F2))) {
        p = put_prefixes(p, flags);
    }
    G_STATIC_ASSERT(ENC_W == 8);
    rex |= flags & ENC_W;
    *p = (uint8_t)(0x40 | rex);
    p += rex != 0 || force;
    if (map != ENC_1) {
        *p++ = 0x0f;
        if (map != ENC_0F) {
            *p++ = map == ENC_0F38 ? 0x38 : 0x3a;
        }
    }
    *p++ = (uint8_t)code;
    return p;
}

void asm_op_reg(Asm *a, uint32_t code, unsigned reg, unsigned rm)
{
    a->touched |= 1u << reg | 1u << rm;
    if (unlikely(a->p >= a->end)) {
        a->full = true;
        return;
    }
    bool force = ((code & ENC_BYTE_REG << 16) && reg >= 4) || ((code & ENC_BYTE_RM << 16) && rm >= 4);
    uint8_t *p = put_opcode(a->p, code, (reg & 8) >> 1 | rm >> 3, force);
    *p++ = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7));
    a->p = p;
}

void asm_op_mem(Asm *a, uint32_t code, unsigned reg, HostOp rm)
{
    a->touched |= 1u << reg;
    if (unlikely(a->p >= a->end)) {
        a->full = true;
        return;
    }
    bool force = (code & ENC_BYTE_REG << 16) && reg >= 4;
    a->p = put_mem(put_opcode(a->p, code, (reg & 8) >> 1 | rm.rex, force), reg, rm);
}

void asm_vex(Asm *a, unsigned flags, unsigned map, uint8_t opcode, unsigned reg, unsigned vvvv, HostOp rm)
{
    uint8_t *p = a->p;
    a->touched |= 1u << reg | 1u << vvvv | (rm.mem ? 0 : 1u << rm.reg);
    if (unlikely(p >= a->end)) {
        a->full = true;
        return;
    }
    unsigned pp = flags & ENC_66 ? 1 : flags & ENC_F3 ? 2 : flags & ENC_F2 ? 3 : 0;
    unsigned last = (~vvvv & 15) << 3 | (flags & ENC_L ? 4u : 0u) | pp;
    bool w = flags & ENC_W;
    bool r = reg & 8;
    bool x = rm.mem && (rm.rex & 2);
    bool b = rm.mem ? rm.rex & 1 : rm.reg & 8;

    if (map == ENC_0F && !w && !x && !b) {
        *p++ = 0xc5;
        *p++ = (uint8_t)((r ? 0 : 0x80) | last);
    } else {
        *p++ = 0xc4;
        *p++ = (uint8_t)((r ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | map);
        *p++ = (uint8_t)((w ? 0x80 : 0) | last);
    }
    *p++ = opcode;
    if (rm.mem) {
        a->p = put_mem(p, reg, rm);
    } else {
        *p++ = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm.reg & 7));
        a->p = p;
    }
}

void asm_mov_imm(Asm *a, unsigned dst, uint64_t v)
{
    uint8_t *p = a->p;
    a->touched |= 1u << dst;
    if (unlikely(p >= a->end)) {
        a->full = true;
        return;
    }
    bool is_signed = v != (uint32_t)v && (uint64_t)(int64_t)(int32_t)v == v, wide = v != (uint32_t)v && !is_signed;
    if (wide || is_signed || (dst & 8)) {
        *p++ = (uint8_t)(0x40 | (wide || is_signed ? 8 : 0) | dst >> 3);
    }
    if (is_signed) {
        *p++ = 0xc7;
        *p++ = (uint8_t)(0xc0 | (dst & 7));
    } else {
        *p++ = (uint8_t)(0xb8 | (dst & 7));
    }
    memcpy(p, &v, sizeof(v));
    a->p = p + (wide ? 8 : 4);
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

static void push_pop(Asm *a, unsigned opcode, unsigned reg)
{
    if (reg & 8) {
        asm_byte(a, 0x41);
    }
    asm_byte(a, (uint8_t)(opcode | (reg & 7)));
}

void asm_push(Asm *a, unsigned reg)
{
    push_pop(a, 0x50, reg);
}

void asm_pop(Asm *a, unsigned reg)
{
    push_pop(a, 0x58, reg);
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
