/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory operands with a slot of their own for the page they were in last: five instructions instead of nine, and no
 * load on the way to the address.  What walks through memory or stays where it is misses rarely; the miss looks in the TLB.
 */
#include "tcg/internal.h"

#define SLOT_MEM(slot, member) op_mem(H_CPU, slot_offset(t, slot) + (int32_t)offsetof(PageSlot, member))

static int32_t slot_offset(const Tr *t, const PageSlot *slot)
{
    return (int32_t)((const uint8_t *)slot - (const uint8_t *)t->jit->cpu);
}

/* Slots go by width class, so that one limit is right for all that share it: up to 8, 16, 32, 128 bytes. */
static unsigned class_of(unsigned size)
{
    return size <= 8 ? 0 : size <= 16 ? 1 : size <= 32 ? 2 : 3;
}

static int32_t limit_of(unsigned class)
{
    static const uint8_t room[SLOT_CLASSES] = {8, 16, 32, 128};
    return 4096 - room[class] + 1;
}

/* The first of each class is for stacks. */
enum { EACH = PAGE_SLOTS / SLOT_CLASSES };

static PageSlot *slot_of(Tr *t, unsigned size, bool write, unsigned n)
{
    return &t->jit->cpu->slot[t->src->mode & 3][write][class_of(size) * EACH + n];
}

static PageSlot *new_slot(Tr *t, unsigned size, bool write)
{
    uint8_t *next = &t->jit->next_slot[t->src->mode & 3][write][class_of(size)];
    *next = (uint8_t)(*next % (EACH - 1) + 1);
    return slot_of(t, size, write, *next);
}

static SlotMiss *check(Tr *t, PageSlot *slot, unsigned host, unsigned size, bool write)
{
    Asm *a = &t->a;
    SlotMiss *m = &t->misses[t->num_misses++];
    *m = (SlotMiss){.slot = slot, .host = host, .size = size, .write = write, .stub = -1, .alone = -1};
    asm_op(a, ENC_W, ENC_1, 0x2b, host, SLOT_MEM(slot, page));  /* sub host, page */
    asm_op(a, ENC_W, ENC_1, 0x3b, host, SLOT_MEM(slot, limit)); /* cmp host, limit */
    m->from = asm_jcc(a, 3);                                    /* jae */
    asm_op(a, ENC_W, ENC_1, 0x03, host, SLOT_MEM(slot, host));  /* add host, host page */
    m->back = a->p;
    return m;
}

static void check_or_stub(Tr *t, PageSlot *slot, unsigned host, unsigned size, bool write, bool wants_flags)
{
    tr_flags_clobber(t);
    Stub *s = tr_stub(t);
    s->wants_flags = wants_flags;
    tr_segment(t, host, size, write, s);
    int stub = (int)t->num_stubs - 1;
    check(t, slot, host, size, write)->stub = stub;
}

void tr_slot_memory(Tr *t, unsigned host, unsigned size, bool write, bool wants_flags)
{
    check_or_stub(t, new_slot(t, size, write), host, size, write, wants_flags);
}

void tr_slot_stack(Tr *t, unsigned size, bool write, bool wants_flags)
{
    check_or_stub(t, slot_of(t, size, write, 0), H_ADDR, size, write, wants_flags);
}

void tr_slot_shared(Tr *t, unsigned host, unsigned size, bool write, bool stack, unsigned alone)
{
    PageSlot *slot = stack ? slot_of(t, size, write, 0) : new_slot(t, size, write);
    check(t, slot, host, size, write)->alone = (int)alone;
}

/*
 * The routine of a class' misses: looks in the TLB; what is there is kept in the slot.  At the end of a page, where slots do
 * not reach, this is the way.  H_T1 is the slot's number << 16 and the last offset in a page that will do.  ZF: found.
 */
static const uint8_t *emit_miss_routine(Asm *a, unsigned mode, unsigned write, unsigned class, unsigned host)
{
    const uint8_t *here = a->p;
    size_t table = offsetof(X86Cpu, tlb) + mode * sizeof(((X86Cpu *)0)->tlb[0]);
    int32_t tag = (int32_t)(table + (write ? offsetof(TlbEntry, wtag) : offsetof(TlbEntry, rtag)));
    int32_t slots = (int32_t)offsetof(X86Cpu, slot[mode][write]);
    HostOp used = op_mem(H_CPU, (int32_t)offsetof(X86Cpu, slots_used[mode][write]));
    G_STATIC_ASSERT(sizeof(PageSlot) == 24);
    asm_push(a, H_RAX);
    asm_push(a, H_RCX);
    asm_op(a, 0, ENC_0F, 0xb7, H_RCX, op_reg(H_T1));        /* movzx ecx, T1w */
    asm_op(a, 0, ENC_1, 0xc1, 5, op_reg(H_T1));             /* shr T1d, 16 */
    asm_byte(a, 16);
    asm_load64(a, H_RAX, used);
    asm_op(a, ENC_W, ENC_0F, 0xab, H_T1, op_reg(H_RAX));    /* bts rax, T1: much faster than on memory */
    asm_store64(a, used, H_RAX);
    asm_lea64(a, H_RAX, op_sib(H_T1, H_T1, 1, 0));
    asm_op(a, ENC_W, ENC_1, 0x03, host, op_sib(H_CPU, H_RAX, 3, slots + (int32_t)offsetof(PageSlot, page))); /* add */
    asm_op(a, 0, ENC_1, 0x8b, H_T1, op_reg(host)); /* the address again */
    asm_op(a, 0, ENC_1, 0xc1, 5, op_reg(H_T1));
    asm_byte(a, 7);
    asm_op(a, 0, ENC_1, 0x81, 4, op_reg(H_T1));
    asm_le(a, (TLB_SIZE - 1) * sizeof(TlbEntry), 4);
    asm_op(a, ENC_W, ENC_1, 0x2b, host, op_sib(H_CPU, H_T1, 0, tag));
    asm_op(a, ENC_W, ENC_1, 0x3b, host, op_reg(H_RCX));
    uint8_t *fail = asm_jcc(a, 7); /* ja */
    asm_load64(a, H_RCX, op_sib(H_CPU, H_T1, 0, tag));
    asm_store64(a, op_sib(H_CPU, H_RAX, 3, slots + (int32_t)offsetof(PageSlot, page)), H_RCX);
    asm_op(a, ENC_W, ENC_1, 0x03, H_RCX, op_sib(H_CPU, H_T1, 0, (int32_t)(table + offsetof(TlbEntry, addend))));
    asm_store64(a, op_sib(H_CPU, H_RAX, 3, slots + (int32_t)offsetof(PageSlot, host)), H_RCX);
    asm_store_imm32(a, op_sib(H_CPU, H_RAX, 3, slots + (int32_t)offsetof(PageSlot, limit)), limit_of(class));
    asm_op(a, ENC_W, ENC_1, 0x01, H_RCX, op_reg(host));
    asm_op(a, 0, ENC_1, 0x31, H_RAX, op_reg(H_RAX)); /* xor eax, eax */
    asm_patch(fail, a->p);
    asm_pop(a, H_RCX);
    asm_pop(a, H_RAX);
    asm_byte(a, 0xc3);
    return here;
}

void slots_emit_runtime(Jit *jit, Asm *a)
{
    for (unsigned n = 0; n < NUM_MEM_MODES * 2 * SLOT_CLASSES; n++) {
        unsigned mode = n / SLOT_CLASSES / 2, write = n / SLOT_CLASSES % 2, class = n % SLOT_CLASSES;
        jit->slot_miss[mode][write][class][0] = emit_miss_routine(a, mode, write, class, H_ADDR);
        jit->slot_miss[mode][write][class][1] = emit_miss_routine(a, mode, write, class, H_T2);
    }
}

static void emit_miss(Tr *t, const SlotMiss *m)
{
    Asm *a = &t->a;
    unsigned mode = t->src->mode & 3, n = (unsigned)(m->slot - t->jit->cpu->slot[mode][m->write]);
    if (a->full) {
        return;
    }
    asm_patch(m->from, a->p);
    asm_mov_imm(a, H_T1, n << 16 | (4096 - m->size));
    asm_call_to(a, t->jit->slot_miss[mode][m->write][class_of(m->size)][m->host == H_T2]);
    uint8_t *found = asm_jcc(a, 4);
    uint8_t *fail = asm_jmp(a);
    if (a->full) {
        return;
    }
    asm_patch(found, m->back);
    if (m->alone < 0) {
        t->stubs[m->stub].from[0] = fail;
        tr_find(t, &t->stubs[m->stub], m->size, m->write, m->host, m->back);
    } else {
        asm_patch(fail, t->alone[m->alone].code);
    }
}

void tr_slots_emit_misses(Tr *t)
{
    for (unsigned i = 0; i < t->num_misses; i++) {
        emit_miss(t, &t->misses[i]);
    }
}
