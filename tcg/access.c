/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What instructions do with memory, and how they move the registers of their addresses. */
#include "tcg/emit.h"

bool tr_place(const Tr *t, unsigned n, Place *p)
{
    const Insn *i = &t->src->insns[n];
    if (i->asize != 3 || i->seg >= SEG_FS || i->base == REG_ZERO || i->disp != (int32_t)i->disp) {
        return false;
    }
    *p = (Place){.base = i->base, .index = i->index, .scale = i->scale, .at = i->disp};
    if (i->base == REG_IP) {
        p->index = REG_ZERO;
        p->at += (int64_t)t->rip[n + 1];
    }
    return true;
}

bool tr_same_registers(const Place *a, const Place *b)
{
    return a->base == b->base && a->index == b->index && (a->index == REG_ZERO || a->scale == b->scale);
}

bool tr_stack_access(const Insn *i, MemOperand *x)
{
    unsigned ext = i->modrm >> 3 & 7, base = RSP;
    if (insn_row(i)->map != MAP_1 || i->osize != 3) {
        return false;
    }
    switch (i->opcode) {
    case 0x50 ... 0x57:
    case 0x68:
    case 0x6a:
    case 0x9c:
    case 0xe8:
        x->write = true;
        break;
    case 0xff:
        x->write = true;
        if (ext != 2 && ext != 6) {
            return false;
        }
        break;
    case 0xc9:
        base = RBP;
        break;
    case 0x58 ... 0x5f:
    case 0xc2:
    case 0xc3:
        break;
    default:
        return false;
    }
    x->bytes = 8;
    x->place = (Place){.base = (uint8_t)base, .index = REG_ZERO, .at = x->write ? -8 : 0};
    return true;
}

bool tr_memory_access(const Tr *t, unsigned n, MemOperand *x)
{
    const Insn *i = &t->src->insns[n];
    uint32_t attr = insn_row(i)->attr;
    VectorAccess v;
    if (!is_mem(i) || !tr_place(t, n, &x->place)) {
        return false;
    }
    if (attr & A_SSE) {
        bool known = emit_vector_access(t, i, &v) && v.bytes;
        x->bytes = known ? v.bytes : 0;
        x->write = known && v.write;
        x->align = known ? v.align : 0;
        return known;
    }
    x->bytes = bytes_of(i);
    x->write = attr & A_STORE;
    return (attr & (A_LOAD | A_STORE)) && !(attr & (A_X87 | A_MMX)) && !(i->flags & INSN_LOCK);
}

bool tr_step(const Insn *i, unsigned reg, int64_t *by)
{
    unsigned op = i->modrm >> 3 & 7;
    MemOperand x = {.write = false};
    *by = 0;
    if (reg >= REG_ZERO || !(insn_writes(i) >> reg & 1)) {
        return true;
    }
    if (insn_undefined(i) || insn_row(i)->map != MAP_1 || i->osize != 3) {
        return false;
    }
    if ((i->opcode == 0x81 || i->opcode == 0x83) && !is_mem(i) && (op == 0 || op == 5)) {
        int64_t imm = i->opcode == 0x83 ? (int8_t)i->imm : (int32_t)i->imm;
        *by = op == 5 ? -imm : imm;
        return true;
    }
    if (i->opcode == 0xff && !is_mem(i) && op < 2) {
        *by = op == 0 ? 1 : -1;
        return true;
    }
    if (i->opcode == 0x05 || i->opcode == 0x2d) { /* of RAX */
        *by = i->opcode == 0x05 ? (int32_t)i->imm : -(int64_t)(int32_t)i->imm;
        return true;
    }
    if (i->opcode == 0x8d && i->base == reg && i->index == REG_ZERO && i->asize == 3) {
        *by = i->disp;
        return true;
    }
    *by = i->opcode >= 0x58 && i->opcode <= 0x5f ? 8 : -8;
    bool pops_reg = *by > 0 && i->rm == reg;
    return reg == RSP && !pops_reg && i->opcode < 0xc0 && tr_stack_access(i, &x);
}
