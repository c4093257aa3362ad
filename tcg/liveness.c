/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which flags somebody after an instruction can see. */
#include "tcg/internal.h"

static uint8_t groups(uint32_t flags)
{
    return (flags & FL_CF ? LIVE_C : 0) | (flags & (FL_OSZAPC & ~FL_CF) ? LIVE_REST : 0);
}

/* Shifts and rotates by a count of zero leave the flags alone. */
static bool may_keep_flags(const Insn *i)
{
    return insn_row(i)->map == MAP_1 && (i->opcode == 0xc0 || i->opcode == 0xc1 || (i->opcode & 0xfc) == 0xd0);
}

/* Instructions that cannot raise anything: registers only.  All others may, or may be the interpreter's. */
static bool never_stops(const Insn *i)
{
    const InsnRow *row = insn_row(i);
    unsigned ext = i->modrm >> 3 & 7;
    if ((i->flags & INSN_MEM) || (row->attr & (A_SYS | A_IO | A_X87 | A_SSE | A_MMX))) {
        return false;
    }
    if (row->map == MAP_0F) {
        switch (i->opcode) {
        case 0x1e ... 0x1f:
        case 0x40 ... 0x4f:
        case 0x90 ... 0x9f:
        case 0xaf:
        case 0xb6 ... 0xb7:
        case 0xbe ... 0xbf:
        case 0xc8 ... 0xcf:
            return true;
        default:
            return false;
        }
    }
    if (row->map != MAP_1) {
        return false;
    }
    switch (i->opcode) {
    case 0x00 ... 0x3f:
        return (i->opcode & 7) < 6; /* PUSH of a segment register */
    case 0x40 ... 0x4f:
    case 0x63:
    case 0x69:
    case 0x6b:
    case 0x80 ... 0x85:
    case 0x88 ... 0x8b:
    case 0x8d:
    case 0x90 ... 0x99:
    case 0xa8 ... 0xa9:
    case 0xb0 ... 0xc1:
    case 0xc6 ... 0xc7:
    case 0xd0 ... 0xd3:
    case 0xfe:
        return true;
    case 0xf6 ... 0xf7:
        return ext < 6; /* DIV and IDIV raise #DE */
    case 0xff:
        return ext < 2;
    default:
        return false;
    }
}

InsnFlags insn_flags(const Insn *i)
{
    const InsnRow *row = insn_row(i);
    if (insn_undefined(i)) {
        return (InsnFlags){.may_stop = true};
    }
    InsnFlags f = {.reads = groups(row->flags_read & FL_OSZAPC)};
    uint32_t written = row->flags_written & FL_OSZAPC;
    bool counted = may_keep_flags(i);
    if (counted && (i->opcode == 0xd0 || i->opcode == 0xd1)) {
        counted = false; /* by one */
    } else if (counted && (i->opcode & 0xfe) == 0xc0) {
        counted = (i->imm & (i->osize == 3 ? 63 : 31)) == 0;
    }
    if (!counted) {
        f.kills = (written & FL_CF ? LIVE_C : 0) |
                  ((written & (FL_OSZAPC & ~FL_CF)) == (FL_OSZAPC & ~FL_CF) ? LIVE_REST : 0);
    }
    f.may_stop = !never_stops(i);
    return f;
}

void flags_liveness(const Insn *insns, unsigned num, uint8_t *live)
{
    uint8_t now = LIVE_ALL; /* whoever comes next */
    for (unsigned n = num; n-- > 0;) {
        live[n] = now;
        InsnFlags f = insn_flags(&insns[n]);
        now = (uint8_t)((now & ~f.kills) | f.reads);
        if (f.may_stop) {
            now = LIVE_ALL;
        }
    }
}
