/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers and memory operands of translated instructions. */
#include "tcg/emit.h"

#include "target/x86/mem.h"

unsigned tr_use(Tr *t, unsigned guest, unsigned scratch)
{
    unsigned h = host_of(guest);
    if (h != H_NONE) {
        return h;
    }
    asm_load64(&t->a, scratch, guest_home(guest));
    return scratch;
}

void tr_commit(Tr *t, unsigned guest, unsigned h)
{
    unsigned own = host_of(guest);
    if (own == H_NONE) {
        asm_store64(&t->a, guest_home(guest), h);
    } else if (own != h) {
        asm_mov_rr(&t->a, own, h);
    }
}

/* ---- addresses ---- */

static HostOp segment_base(const Insn *i)
{
    return op_mem(H_CPU,
                  (int32_t)(offsetof(X86Cpu, seg) + i->seg * sizeof(Segment) + offsetof(Segment, base)));
}

/* An address known now, FS or GS base added. */
static HostOp constant_address(Tr *t, const Insn *i, uint64_t v)
{
    Asm *a = &t->a;
    if (i->seg < SEG_FS) {
        asm_mov_imm(a, H_ADDR, v);
        return op_mem(H_ADDR, 0);
    }
    asm_load64(a, H_ADDR, segment_base(i));
    if ((int64_t)v == (int32_t)v) {
        return op_mem(H_ADDR, (int32_t)v);
    }
    asm_mov_imm(a, H_T1, v);
    return op_sib(H_ADDR, H_T1, 0, 0);
}

/*
 * The linear address of i's memory operand as base, index, displacement for LEA; H_ADDR and H_T1 may be part of it.
 * False for what only the interpreter knows.
 */
static bool address_parts(Tr *t, const Insn *i, HostOp *lin)
{
    Asm *a = &t->a;
    if (!tr_code64(t)) {
        tr_offset(t, i);
        *lin = op_mem(H_ADDR, 0);
        return true;
    }
    bool constant = i->base == REG_IP || (i->base == REG_ZERO && i->index == REG_ZERO);
    if (constant && (i->base != REG_IP || i->asize == 3)) {
        uint64_t v = i->base == REG_IP ? t->rip[t->n + 1] + (uint64_t)i->disp
                                       : (uint64_t)i->disp & asize_mask[i->asize];
        *lin = constant_address(t, i, v);
        return true;
    }
    if (constant || i->disp != (int32_t)i->disp) {
        return false;
    }
    unsigned index = i->index == REG_ZERO ? H_NONE : tr_use(t, i->index, H_T1);
    unsigned base = i->base == REG_ZERO ? H_NONE : tr_use(t, i->base, H_ADDR);
    *lin = op_sib(base, index, i->scale, (int32_t)i->disp);
    if (i->asize != 3) {
        asm_op(a, 0, ENC_1, 0x8d, H_ADDR, *lin);
        *lin = op_mem(H_ADDR, 0);
    }
    if (i->seg < SEG_FS) {
        return true;
    }
    if (i->asize == 3 && index == H_NONE && base != H_ADDR) {
        asm_load64(a, H_ADDR, segment_base(i));
        *lin = op_sib(H_ADDR, base, 0, (int32_t)i->disp);
        return true;
    }
    if (i->asize == 3) {
        asm_lea64(a, H_ADDR, *lin);
    }
    asm_load64(a, H_T1, segment_base(i));
    *lin = op_sib(H_ADDR, H_T1, 0, 0);
    return true;
}

static void put_address(Tr *t, unsigned dst, HostOp lin)
{
    if (lin.index != H_NONE || lin.base == H_NONE || lin.disp != 0) {
        asm_lea64(&t->a, dst, lin);
    } else if (lin.base != dst) {
        asm_mov_rr(&t->a, dst, lin.base);
    }
}

bool tr_address(Tr *t, const Insn *i)
{
    HostOp lin;
    if (!address_parts(t, i, &lin)) {
        return false;
    }
    put_address(t, H_ADDR, lin);
    return true;
}

bool tr_lea(Tr *t, const Insn *i, HostOp *m)
{
    Insn flat = *i;
    flat.seg = SEG_DS;
    if (!tr_code64(t) && i->osize <= i->asize) { /* what is above the address is above the result as well */
        unsigned base = i->base == REG_ZERO ? H_NONE : host_of(i->base);
        *m = op_sib(base, i->index == REG_ZERO ? H_NONE : host_of(i->index), i->scale, (int32_t)i->disp);
        return true;
    }
    bool known = address_parts(t, &flat, m);
    t->seg = NUM_SEGS;
    return known;
}

/* ---- the TLB ---- */

Stub *tr_stub(Tr *t)
{
    g_assert(t->num_stubs < MAX_STUBS);
    Stub *s = &t->stubs[t->num_stubs++];
    *s = (Stub){.n = t->n, .place = t->place, .desc = t->desc, .pointers = t->pointers};
    return s;
}

/*
 * The check: index by the page number, distance from the tag, "no page crossed" in the same comparison.  T2 gets the
 * address and loses it, T1 gets the addend.
 */
HostOp tr_tlb_check(Tr *t, HostOp lin, unsigned size, unsigned how, uint8_t *from[2])
{
    Asm *a = &t->a;
    size_t table = offsetof(X86Cpu, tlb) + (t->src->mode & 3) * sizeof(((X86Cpu *)0)->tlb[0]);
    size_t tag = table + (how & MEM_WRITE ? offsetof(TlbEntry, wtag) : offsetof(TlbEntry, rtag));
    enum { SHIFT = 12 - 5 }; /* page number times the size of an entry */
    _Static_assert(sizeof(TlbEntry) == 1 << 5, "SHIFT");
    put_address(t, H_T2, lin);
    if (feature_in(&t->jit->host, FEAT_BMI2)) {
        asm_vex(a, ENC_F2, ENC_0F3A, 0xf0, H_T1, 0, op_reg(H_T2)); /* rorx T1d, T2d, SHIFT */
    } else {
        asm_op(a, 0, ENC_1, 0x8b, H_T1, op_reg(H_T2));
        asm_op(a, 0, ENC_1, 0xc1, 5, op_reg(H_T1)); /* shr */
    }
    asm_byte(a, SHIFT);
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T1)); /* and T1d, index mask * size of an entry */
    asm_le(a, (TLB_SIZE - 1) * sizeof(TlbEntry), 4);
    if (how & MEM_ALIGNED && size > 1) {
        asm_op(a, ENC_BYTE_RM, ENC_1, 0xf6, 0, op_reg(H_T2)); /* test */
        asm_byte(a, (uint8_t)(size - 1));
        from[1] = asm_jcc(a, 5);
    }
    asm_op(a, ENC_W, ENC_1, 0x2b, H_T2, op_sib(H_CPU, H_T1, 0, (int32_t)tag)); /* sub T2, tag */
    asm_op(a, ENC_W, ENC_1, 0x81, 7, op_reg(H_T2));        /* cmp T2, 4096 - size */
    asm_le(a, 4096 - size, 4);
    from[0] = asm_jcc(a, 7); /* ja */
    asm_load64(a, H_T1, op_sib(H_CPU, H_T1, 0, (int32_t)(table + offsetof(TlbEntry, addend))));
    return op_sib(lin.base, H_T1, 0, lin.disp);
}

static HostOp checked(Tr *t, HostOp lin, unsigned size, unsigned how)
{
    Stub *s = tr_stub(t);
    s->wants_flags = how & MEM_FLAGS;
    tr_segment(t, H_ADDR, size, how & MEM_WRITE, s);
    HostOp m = tr_tlb_check(t, lin, size, how, s->from);
    tr_find(t, s, size, how & MEM_WRITE, H_T2, t->a.p);
    return m;
}

/* An address known now, all of it in one page: its entry is known too, only the tag is to be compared. */
static HostOp checked_constant(Tr *t, uint64_t lin, unsigned how)
{
    Asm *a = &t->a;
    size_t entry = offsetof(X86Cpu, tlb) + (t->src->mode & 3) * sizeof(((X86Cpu *)0)->tlb[0]) +
                   (lin >> PAGE_SHIFT & (TLB_SIZE - 1)) * sizeof(TlbEntry);
    HostOp tag = op_mem(H_CPU, (int32_t)(entry + (how & MEM_WRITE ? offsetof(TlbEntry, wtag) : offsetof(TlbEntry, rtag))));
    HostOp addend = op_mem(H_CPU, (int32_t)(entry + offsetof(TlbEntry, addend)));
    int64_t page = (int64_t)(lin & PAGE_MASK);
    tr_flags_clobber(t);
    Stub *s = tr_stub(t);
    s->wants_flags = how & MEM_FLAGS;
    if (page == (int32_t)page) {
        asm_op(a, ENC_W, ENC_1, 0x81, 7, tag); /* cmp tag, page */
        asm_le(a, (uint64_t)page, 4);
        s->from[0] = asm_jcc(a, 5);
        asm_load64(a, H_ADDR, addend);
        return op_mem(H_ADDR, (int32_t)lin);
    }
    asm_mov_imm(a, H_ADDR, (uint64_t)page);
    asm_op(a, ENC_W, ENC_1, 0x3b, H_ADDR, tag);
    s->from[0] = asm_jcc(a, 5);
    asm_op(a, ENC_W, ENC_1, 0x03, H_ADDR, addend);
    return op_mem(H_ADDR, (int32_t)(lin & ~PAGE_MASK));
}

/* Stacks stay in a page for long. */
static HostOp stack_memory(Tr *t, const MemOperand *x)
{
    tr_flags_clobber(t);
    put_address(t, H_ADDR, op_mem(host_of(x->place.base), (int32_t)x->place.at));
    tr_slot_stack(t, x->bytes, x->write, x->wants_flags);
    return op_mem(H_ADDR, 0);
}

HostOp tr_stack(Tr *t, unsigned base, int at, bool write)
{
    MemOperand x = {.place = {.base = (uint8_t)base, .index = REG_ZERO, .at = at}, .bytes = 8, .write = write};
    HostOp m;
    if (tr_shared(t, &x, &m)) {
        return m;
    }
    if (t->is_alone) { /* and likely not in the slot's page */
        tr_flags_clobber(t);
        return checked(t, op_mem(host_of(base), at), 8, write ? MEM_WRITE : 0);
    }
    return stack_memory(t, &x);
}

HostOp tr_memory(Tr *t, unsigned size, bool write, bool wants_flags)
{
    tr_flags_clobber(t);
    return checked(t, op_mem(H_ADDR, 0), size, (write ? MEM_WRITE : 0) | (wants_flags ? MEM_FLAGS : 0));
}

HostOp tr_memory_at(Tr *t, unsigned size, unsigned how)
{
    tr_flags_clobber(t);
    HostOp m = checked(t, op_mem(H_ADDR, 0), size, how);
    if (how & MEM_FIXED) {
        asm_lea64(&t->a, H_ADDR, m);
        m = op_mem(H_ADDR, 0);
    }
    return m;
}

bool tr_operand(Tr *t, const Insn *i, unsigned size, unsigned how, HostOp *m)
{
    HostOp lin;
    MemOperand x = {.bytes = size, .write = how & MEM_WRITE, .wants_flags = how & MEM_FLAGS};
    if (!(how & MEM_ALIGNED) && tr_place(t, t->n, &x.place)) {
        if (tr_shared(t, &x, m)) {
            if (t->hoist && (how & MEM_FIXED)) {
                asm_lea64(&t->a, H_ADDR, *m);
                *m = op_mem(H_ADDR, 0);
            }
            return true;
        }
        if (x.place.base == REG_IP && (x.place.at & ~PAGE_MASK) + size <= PAGE_SIZE) {
            *m = checked_constant(t, (uint64_t)x.place.at, how);
            return true;
        }
        if (!t->is_alone && x.place.base == RSP && x.place.index == REG_ZERO) {
            *m = stack_memory(t, &x);
            return true;
        }
    }
    tr_flags_clobber(t);
    if (!address_parts(t, i, &lin)) {
        return false;
    }
    if (lin.index != H_NONE || lin.base == H_NONE) {
        asm_lea64(&t->a, H_ADDR, lin);
        lin = op_mem(H_ADDR, 0);
    }
    *m = checked(t, lin, size, how);
    if (how & MEM_FIXED) {
        asm_lea64(&t->a, H_ADDR, *m);
        *m = op_mem(H_ADDR, 0);
    }
    return true;
}

/* ---- operands E and G of integer instructions ---- */

static bool e_memory(Tr *t, const Insn *i, unsigned log2, unsigned access, FlagUse use, EOp *e)
{
    /* Byte exchanges change RAX-RBX, and tr_flags_load() uses the registers that hold the place. */
    bool fixed = use == FLAGS_NEEDED || (i->osize == 0 && (i->reg8 & 7) != 0);
    unsigned how = (access & E_WRITE ? MEM_WRITE : 0) | (use != FLAGS_KEPT ? MEM_FLAGS : 0) |
                   (access & E_LOCKED ? MEM_ALIGNED : 0) | (fixed ? MEM_FIXED : 0);
    if (!tr_operand(t, i, 1u << log2, how, &e->op)) {
        return false;
    }
    if (use == FLAGS_REPLACED) {
        flags_die(t);
    } else if (use == FLAGS_NEEDED) {
        tr_flags_load(t);
    }
    return true;
}

bool tr_e_reg(Tr *t, unsigned guest, bool high, unsigned log2, unsigned access, FlagUse use, EOp *e)
{
    *e = (EOp){.enc = size_flags(log2), .commit = H_NONE, .high = high};
    if (use == FLAGS_REPLACED) {
        flags_die(t);
    } else if (use == FLAGS_NEEDED) {
        tr_flags_load(t);
    }
    if (access & E_WRITE) {
        tr_reg_changes(t, guest);
    }
    unsigned h = host_of(guest);
    if (h != H_NONE) {
        e->op = op_reg(h);
    } else if (!(access & E_IN_REG) && (log2 == 3 || !(access & E_WRITE))) {
        e->op = guest_home(guest);
    } else {
        if ((access & E_READ) || log2 < 2) {
            asm_load64(&t->a, H_T2, guest_home(guest));
        }
        e->op = op_reg(H_T2);
        e->commit = access & E_WRITE ? (uint8_t)guest : H_NONE;
    }
    return true;
}

bool tr_e(Tr *t, const Insn *i, unsigned log2, unsigned access, FlagUse use, EOp *e)
{
    if (!is_mem(i)) {
        unsigned guest = log2 == 0 ? i->rm8 >> 3 : i->rm;
        return tr_e_reg(t, guest, log2 == 0 && (i->rm8 & 7), log2, access, use, e);
    }
    *e = (EOp){.enc = size_flags(log2) | (i->flags & INSN_LOCK ? ENC_LOCK : 0), .commit = H_NONE};
    return e_memory(t, i, log2, access | (i->flags & INSN_LOCK ? E_LOCKED : 0), use, e);
}

void tr_e_done(Tr *t, const EOp *e)
{
    if (e->commit != H_NONE) {
        asm_store64(&t->a, guest_home(e->commit), e->op.reg);
    }
}

GOp tr_g_reg(Tr *t, unsigned guest, bool high, bool read, unsigned scratch)
{
    GOp g = {.guest = (uint8_t)guest, .high = high, .reg = (uint8_t)host_of(guest)};
    if (g.reg == H_NONE) {
        g.reg = (uint8_t)scratch;
        if (read) {
            asm_load64(&t->a, scratch, guest_home(guest));
        }
    }
    return g;
}

GOp tr_g(Tr *t, const Insn *i, unsigned log2, bool read)
{
    bool byte = log2 == 0;
    return tr_g_reg(t, byte ? i->reg8 >> 3 : i->reg, byte && (i->reg8 & 7), read, is_mem(i) ? H_T2 : H_T1);
}

void tr_g_done(Tr *t, const GOp *g)
{
    if (host_of(g->guest) == H_NONE) {
        asm_store64(&t->a, guest_home(g->guest), g->reg);
    }
}

void tr_op_ext(Tr *t, const EOp *e, unsigned map, uint8_t opcode, unsigned ext)
{
    HostOp op = e->op;
    unsigned enc = e->enc & ~(unsigned)ENC_BYTE_REG;
    if (e->high) {
        op.reg += 4;
        enc &= ~(unsigned)ENC_BYTE_RM;
    }
    asm_op(&t->a, enc, map, opcode, ext, op);
}

/* XCHG of the two low bytes of RAX RCX RDX RBX. */
static void swap_bytes(Tr *t, unsigned reg)
{
    asm_op(&t->a, 0, ENC_1, 0x86, reg + 4, op_reg(reg));
}

void tr_op_pair(Tr *t, const EOp *e, unsigned map, uint8_t opcode, const GOp *g)
{
    HostOp op = e->op;
    unsigned enc = e->enc, reg = g->reg, swap = H_NONE;
    bool e_rex = !e->high && (op.mem || op.reg >= 4);
    bool g_rex = !g->high && (reg >= 4 || (enc & ENC_W));
    if (g->high && e_rex) {
        swap = reg;
    } else if (g->high) {
        reg += 4;
        enc &= ~(unsigned)ENC_BYTE_REG;
    }
    if (e->high && g_rex) {
        swap = op.reg;
    } else if (e->high) {
        op.reg += 4;
        enc &= ~(unsigned)ENC_BYTE_RM;
    }
    if (swap != H_NONE) {
        swap_bytes(t, swap);
    }
    asm_op(&t->a, enc, map, opcode, reg, op);
    if (swap != H_NONE && !(e->high && swap == reg)) { /* else all of it was replaced */
        swap_bytes(t, swap);
    }
}
