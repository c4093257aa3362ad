/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One block: entry checks, instructions, ways out, and the cold stubs behind them. */
#include "tcg/internal.h"

#include <string.h>

#include "softmmu/core/ram.h"
#include "tcg/observe.h"
#include "util/populate.h"

enum { CODE_SLACK = 64 }; /* bytes: what is written behind Asm.end, and patching reads and writes a few more */

/* To rip, by way of C: the mode may be another one. */
static void leave(Tr *t, gva_t rip)
{
    asm_mov_imm(&t->a, H_ADDR, rip);
    asm_jmp_to(&t->a, t->jit->dispatch);
}

static void call_insn(Tr *t, unsigned n, bool holding, bool flags)
{
    asm_mov_imm(&t->a, H_ADDR, jit_site((size_t)(t->head - t->jit->rw), n));
    asm_call_to(&t->a, t->jit->call_insn[holding][flags]);
}

/* Handlers after which the block's mode may be another one. */
static bool changes_mxcsr(const Insn *i)
{
    const char *name = insn_row(i)->name;
    return strncmp(name, "ldmxcsr", 7) == 0 || strncmp(name, "vldmxcsr", 8) == 0 || strstr(name, "xrstor");
}

void tr_call_insn(Tr *t)
{
    tr_flags_to_cpu(t);
    tr_x87_before_c(t);
    call_insn(t, t->n, false, false);
    t->fpu_live = false;
    t->place = FLAGS_IN_CPU;
    t->desc.kind = DESC_NONE;
    if (!insn_undefined(&t->src->insns[t->n]) && changes_mxcsr(&t->src->insns[t->n])) {
        leave(t, t->rip[t->n + 1]);
        t->ended = true;
    } else {
        tr_vectors_again(t, t->n);
    }
}

/* ---- ways out ---- */

/* To the address in H_ADDR, through the table of places visited before. */
void tr_exit_indirect(Tr *t)
{
    Asm *a = &t->a;
    uint8_t *miss = asm_table_lookup(a);
    asm_op(a, 0, ENC_1, 0xff, 4, asm_table_code());
    if (!a->full) {
        asm_patch(miss, a->p);
    }
    asm_jmp_to(a, t->jit->exit);
    t->ended = true;
}

/* How a jump from instruction n to rip may enter the block there. */
static JitEntry entry_for(const Tr *t, gva_t rip)
{
    if (((t->src->lin + (rip - t->src->rip)) ^ t->src->lin) & PAGE_MASK) {
        return JIT_ENTRY_CHECKED;
    }
    return rip > t->rip[MIN(t->n, t->src->num - 1)] ? JIT_ENTRY_BODY : JIT_ENTRY_LOOP;
}

/* Pad so that the displacement of a jump with `opcode_bytes` is aligned. */
static void align_jump(Tr *t, unsigned opcode_bytes)
{
    while (((uintptr_t)t->a.p + opcode_bytes) & 3 && !t->a.full) {
        asm_byte(&t->a, 0x90);
    }
}

static void add_exit(Tr *t, uint8_t *from, gva_t rip)
{
    t->exits[t->num_exits++] = (Exit){.from = from, .rip = rip, .entry = entry_for(t, rip)};
}

void tr_exit_to(Tr *t, gva_t rip)
{
    align_jump(t, 1);
    add_exit(t, asm_jmp(&t->a), rip);
    t->ended = true;
}

void tr_branch(Tr *t, unsigned cc, gva_t taken)
{
    if (t->n + 1 == t->src->num) {
        tr_flags_to_cpu(t);
        tr_exit_if(t, cc, taken, t->rip[t->n + 1]);
        return;
    }
    g_assert(t->num_sides < MAX_SIDES);
    uint8_t *from = asm_jcc(&t->a, cc);
    t->sides[t->num_sides++] = (Side){.from = from, .rip = taken, .entry = entry_for(t, taken),
                                      .place = t->place, .desc = t->desc};
}

void tr_exit_if(Tr *t, unsigned cc, gva_t taken, gva_t other)
{
    align_jump(t, 2);
    add_exit(t, asm_jcc(&t->a, cc), taken);
    tr_exit_to(t, other);
}

/* ---- calls: a frame is the guest's return address and the host's ---- */

typedef struct Frame {
    uint8_t *full; /* the jump taken when there is no room for it: nothing says that a guest returns from its calls */
    const uint8_t *back;
} Frame;

static Frame push_frame(Tr *t)
{
    Asm *a = &t->a;
    asm_op(a, ENC_W, ENC_1, 0x3b, H_RSP, CPU_MEM(jit_calls_limit));
    Frame f = {.full = asm_jcc(a, 2)}; /* jb */
    f.back = a->p;
    asm_mov_imm(a, H_T2, t->rip[t->n + 1]);
    asm_push(a, H_T2);
    return f;
}

/*
 * Where the host's RET of the callee arrives.  Behind it, a full stack is forgotten: out of line, because RSP from a CMOV
 * would make each call wait for the one before.
 */
static void after_call(Tr *t, Frame f)
{
    Asm *a = &t->a;
    asm_lea64(a, H_RSP, op_mem(H_RSP, 8));
    align_jump(t, 1);
    add_exit(t, asm_jmp(a), t->rip[t->n + 1]);
    t->exits[t->num_exits - 1].entry = JIT_ENTRY_CHECKED; /* much may have happened */
    t->ended = true;
    if (!a->full) {
        asm_patch(f.full, a->p);
    }
    asm_load64(a, H_RSP, CPU_MEM(jit_calls_base));
    asm_jmp_to(a, f.back);
}

void tr_call_to(Tr *t, gva_t rip)
{
    Frame f = push_frame(t);
    align_jump(t, 1);
    asm_byte(&t->a, 0xe8);
    add_exit(t, asm_hole(&t->a), rip);
    after_call(t, f);
}

void tr_call_indirect(Tr *t)
{
    Asm *a = &t->a;
    Frame f = push_frame(t);
    uint8_t *miss = asm_table_lookup(a);
    asm_op(a, 0, ENC_1, 0xff, 2, asm_table_code());
    uint8_t *back = a->p;
    after_call(t, f);
    if (!a->full) {
        asm_patch(miss, a->p);
    }
    asm_call_to(a, t->jit->exit);
    asm_jmp_to(a, back);
}

void tr_call_code(Tr *t)
{
    Frame f = push_frame(t);
    asm_op(&t->a, 0, ENC_1, 0xff, 2, CPU_MEM(jit_target));
    after_call(t, f);
}

static void emit_exit(Tr *t, const Exit *e)
{
    Asm *a = &t->a;
    if (a->full) {
        return;
    }
    asm_patch(e->from, a->p);
    asm_mov_imm(a, H_ADDR, e->rip);
    asm_byte(a, 0x4c); /* lea T1, [rip + d]: the jump's displacement, and the entry in the lowest bits */
    asm_byte(a, 0x8d);
    asm_byte(a, 0x2d);
    asm_le(a, (uint64_t)(e->from + e->entry - (a->p + 4)), 4);
    asm_jmp_to(a, t->jit->exit_jump);
}

static void emit_side(Tr *t, const Side *s)
{
    if (t->a.full) {
        return;
    }
    asm_patch(s->from, t->a.p);
    tr_flags_store(t, &s->desc, s->place);
    align_jump(t, 1);
    t->exits[t->num_exits++] = (Exit){.from = asm_jmp(&t->a), .rip = s->rip, .entry = s->entry};
}

static void patch_all(Tr *t, uint8_t *const from[], unsigned num)
{
    for (unsigned i = 0; i < num; i++) {
        if (from[i]) {
            asm_patch(from[i], t->a.p);
        }
    }
}

static void emit_routine(Tr *t, const Stub *s)
{
    asm_mov_imm(&t->a, H_T2, jit_site((size_t)(t->head - t->jit->rw), s->n));
    if (s->back) {
        asm_call_to(&t->a, s->routine);
    }
    asm_jmp_to(&t->a, s->back ? s->back : s->routine);
}

static void emit_stub(Tr *t, Stub *s)
{
    if (t->a.full) {
        return;
    }
    tr_find_emit(t, s);
    patch_all(t, s->from, G_N_ELEMENTS(s->from));
    bool holding = s->back && tr_shares_over(t, s->n);
    if (s->place == FLAGS_IN_DESC) {
        tr_flags_store(t, &s->desc, s->place);
    }
    tr_x87_store_pointers(t, &s->pointers);
    if (s->routine) {
        emit_routine(t, s);
        return;
    }
    call_insn(t, s->n, holding, s->wants_flags);
    if (s->compares) {
        tr_flags_undo_compare(t);
    }
    if (insn_row(&t->src->insns[s->n])->attr & (A_X87 | A_MMX)) {
        asm_call_to(&t->a, t->jit->fetch_x87); /* its handler may have brought the state home */
    }
    if (s->back) {
        tr_vectors_again(t, s->n);
        if (holding) {
            tr_hold_again(t, s->holds);
        }
        asm_jmp_to(&t->a, s->back);
    } else {
        leave(t, t->rip[s->n + 1]); /* a transfer to the instruction behind it */
    }
}

static bool same_flags(const Tr *t, const Alone *o)
{
    return t->place == o->back_place && same_desc(&t->desc, &o->back_desc);
}

/* Back into the block if the check holds for what follows, and the state of the flags allows to do it; or to its successor. */
static void after_alone(Tr *t, const Alone *o)
{
    bool used = t->share_last[o->n] > o->n;
    uint8_t *fail[2] = {NULL};
    if (o->back && same_flags(t, o) && (!used || t->place != FLAGS_IN_HOST)) {
        if (used) {
            tr_share_again(t, o->shared, &o->back_shared, fail);
        }
        tr_hold_again(t, o->holds);
        asm_jmp_to(&t->a, o->back);
        if (!used || t->a.full) {
            return;
        }
        patch_all(t, fail, 2);
    }
    tr_flags_to_cpu(t);
    tr_x87_before_c(t);
    tr_exit_to(t, t->rip[o->n + 1]);
}

/* The instruction that has the stubs from `first` on has been emitted. */
static void stubs_come_back(Tr *t, unsigned first, Holds holds)
{
    for (Stub *s = &t->stubs[first]; s < &t->stubs[t->num_stubs]; s++) {
        if (!s->routine) {
            s->back = t->ended ? NULL : t->a.p;
            s->holds = holds;
        }
    }
}

/* Its flags are right behind it, whoever comes next. */
static void emit_alone(Tr *t, Alone *o)
{
    if (t->a.full) {
        return;
    }
    patch_all(t, o->from, 2);
    o->code = t->a.p;
    t->n = o->n;
    t->place = o->place;
    t->desc = o->desc;
    t->pointers = o->pointers;
    t->live[t->n] = LIVE_ALL;
    t->ended = false;
    unsigned first_stub = t->num_stubs;
    if (!emit_insn(t, &t->src->insns[t->n])) {
        tr_call_insn(t);
    }
    stubs_come_back(t, first_stub, (Holds){HOLDS_NONE, HOLDS_NONE});
    if (!t->ended) {
        after_alone(t, o);
    }
}

static void emit_alones(Tr *t)
{
    t->is_alone = true;
    for (unsigned i = 0; i < t->num_alone; i++) {
        emit_alone(t, &t->alone[i]);
    }
}

/* ---- the block ---- */

/* A check has failed: out, by the short way. */
static void leave_if_not_equal(Tr *t)
{
    Asm *a = &t->a;
    asm_byte(a, 0x75);
    g_assert(a->p + 1 - t->leave <= 128);
    asm_byte(a, (uint8_t)(t->leave - (a->p + 1)));
}

static void check32(Tr *t, HostOp m, uint32_t value)
{
    asm_op(&t->a, 0, ENC_1, 0x81, 7, m);
    asm_le(&t->a, value, 4);
    leave_if_not_equal(t);
}

/* The page may be mapped otherwise. */
static void check_mapping(Tr *t, unsigned n)
{
    const JitPage *page = &t->src->pages[n];
    size_t slot = offsetof(X86Cpu, itlb) + itlb_slot(page->global, t->src->lin + n * PAGE_SIZE) * sizeof(uint32_t);
    check32(t, op_mem(H_CPU, (int32_t)slot), page->itlb_id);
}

/* The bytes may have changed. */
static void check_bytes(Tr *t, unsigned n)
{
    Asm *a = &t->a;
    const JitPage *page = &t->src->pages[n];
    if (!page->changed) {
        return;
    }
    /* cmp qword [rip + d], 0: 8 bytes */
    int64_t d = (const uint8_t *)page->changed - (jit_rx(t->jit, a->p) + 8);
    if (d == (int32_t)d) {
        asm_byte(a, 0x48);
        asm_byte(a, 0x83);
        asm_byte(a, 0x3d);
        asm_le(a, (uint64_t)d, 4);
    } else {
        asm_mov_imm(a, H_T1, (uint64_t)(uintptr_t)page->changed);
        asm_op(a, ENC_W, ENC_1, 0x83, 7, op_mem(H_T1, 0));
    }
    asm_byte(a, 0);
    leave_if_not_equal(t);
}

/* Somebody waits. */
static void check_attention(Tr *t)
{
    asm_op(&t->a, 0, ENC_1, 0x80, 7, CPU_MEM(attention));
    asm_byte(&t->a, 0);
    leave_if_not_equal(t);
}

void tr_check_still(Tr *t)
{
    check_bytes(t, 0);
    check_attention(t);
}

static uint8_t entry_here(const Tr *t)
{
    g_assert(t->a.p - t->leave <= UINT8_MAX);
    return (uint8_t)(t->a.p - t->leave);
}

/* What leads from the code to the instructions, for jit_site(), and the way out for checks that fail; then the checks. */
static void emit_entry(Tr *t, JitCode *out)
{
    Asm *a = &t->a;
    const JitSource *src = t->src;
    bool two = src->num_pages == 2;
    t->head = a->p;
    asm_le(a, src->rip - src->insns[0].at, 8);
    asm_le(a, (uint64_t)(uintptr_t)src->insns, 8);
    t->leave = a->p;
    out->leave = jit_rx(t->jit, a->p);
    asm_mov_imm(a, H_ADDR, src->rip);
    asm_jmp_to(a, t->jit->recheck);
    out->entry[JIT_ENTRY_CHECKED] = entry_here(t);
    check_mapping(t, 0);
    if (two) { /* a jump from the first page knows nothing about the second */
        check_mapping(t, 1);
        check_bytes(t, 1);
    }
    check32(t, CPU_MEM(jit_mode), src->mode);
    if (src->mode & JIT_MODE_CS_BASE) {
        check32(t, CPU_MEM(seg[SEG_CS].base), (uint32_t)(src->lin - src->rip));
    }
    out->entry[JIT_ENTRY_LOOP] = two ? out->entry[JIT_ENTRY_CHECKED] : entry_here(t);
    t->looks = a->p;
    tr_check_still(t);
    out->entry[JIT_ENTRY_BODY] = two ? out->entry[JIT_ENTRY_CHECKED] : entry_here(t);
}

void tr_insns(Tr *t)
{
    const JitSource *src = t->src;
    for (t->n = 0; t->n < src->num && !t->ended; t->n++) {
        const uint8_t *at = t->a.p;
        t->first_stub = t->num_stubs;
        t->first_alone = t->num_alone;
        t->seg = NUM_SEGS;
        bool emitted = emit_insn(t, &src->insns[t->n]);
        if (!emitted) {
            tr_call_insn(t);
        }
        tr_share_after(t, emitted);
        if (!t->again && !t->hoist) {
            t->notes[t->n] = (TrNote){.at = at, .emitted = emitted, .stubs = (uint8_t)(t->num_stubs - t->first_stub)};
            t->body_end = t->a.p;
        }
        if (t->num_stubs != t->first_stub) {
            stubs_come_back(t, t->first_stub, tr_holds(t));
        }
        for (unsigned o = t->first_alone; o < t->num_alone; o++) {
            Alone *alone = &t->alone[o];
            alone->back = t->ended ? NULL : t->a.p;
            alone->back_place = t->place;
            alone->back_desc = t->desc;
            alone->back_shared = t->shared[alone->shared];
            alone->holds = tr_holds(t);
        }
    }
    if (t->ended) {
        return;
    }
    tr_flags_to_cpu(t);
    const Insn *last = &src->insns[src->num - 1];
    if (insn_undefined(last) || (insn_row(last)->attr & A_SYS)) {
        leave(t, t->rip[src->num]); /* HLT, STI, MOV SS ...: there may be something to look at */
    } else {
        tr_exit_to(t, t->rip[src->num]);
    }
}

/* Both mappings of what `next` fills from `begin` to `end`. */
static void populate(Jit *jit, uint8_t *begin, const uint8_t *end, const uint8_t *next, size_t *done)
{
    size_t from = *done;
    if (populate_ahead(begin, (size_t)(end - begin), (size_t)(next - begin), done)) {
        madvise(jit->rx + (begin - jit->rw) + from, *done - from, MADV_POPULATE_READ);
    }
}

/* What a block needs before its first instruction can be translated. */
static Tr *begin(Jit *jit, const JitSource *src)
{
    Tr *t = jit->tr;
    populate(jit, jit->rw, jit->middle, jit->next, &jit->populated);
    populate(jit, jit->middle, jit->rw + jit->size, jit->cold_next, &jit->cold_populated);
    memset(t, 0, offsetof(Tr, rip));
    t->jit = jit;
    t->src = src;
    t->place = FLAGS_IN_CPU;
    t->a = (Asm){.p = jit->next, .end = jit->middle - CODE_SLACK};
    t->rip[0] = src->rip;
    for (unsigned n = 0; n < src->num; n++) {
        t->rip[n + 1] = (t->rip[n] + src->insns[n].len) & (tr_code64(t) ? ~0ull : 0xffffffffu);
        t->writes[n] = (uint16_t)insn_writes(&src->insns[n]);
        t->notes[n] = (TrNote){.at = NULL};
    }
    flags_liveness(src->insns, src->num, t->live);
    t->loops = tr_is_loop(t);
    memcpy(t->first_slot, jit->next_slot, sizeof(t->first_slot));
    return t;
}

/* What is run rarely, in its own part of the code memory. */
static void emit_cold(Tr *t)
{
    Jit *jit = t->jit;
    t->hot_end = t->a.p;
    t->cold = jit->cold_next;
    t->a = (Asm){.p = jit->cold_next, .end = jit->rw + jit->size - CODE_SLACK, .full = t->a.full};
    tr_vectors_emit_stub(t);
    emit_alones(t);
    tr_slots_emit_misses(t);
    for (unsigned i = 0; i < t->num_stubs; i++) {
        emit_stub(t, &t->stubs[i]);
    }
    tr_x87_emit_fetches(t);
    for (unsigned i = 0; i < t->num_exits; i++) {
        emit_exit(t, &t->exits[i]);
    }
}

bool jit_translate(Jit *jit, const JitSource *src, JitCode *out)
{
    Tr *t = begin(jit, src);
    *out = (JitCode){.rip = src->rip, .cs_base = (uint32_t)(src->lin - src->rip), .mode = src->mode,
                     .num_pages = (uint8_t)src->num_pages};
    for (unsigned n = 0; n < src->num_pages; n++) {
        out->itlb_id[n] = src->pages[n].itlb_id;
        out->global[n] = src->pages[n].global;
    }
    emit_entry(t, out);
    tr_vectors_enter(t);
    if (t->loops && tr_hoist(t, t->looks)) {
        t->loops = false;
    }
    tr_insns(t);
    tr_loop_again(t);
    for (unsigned i = 0; i < t->num_sides; i++) {
        emit_side(t, &t->sides[i]);
    }
    emit_cold(t);
    if (t->a.full) {
        return false;
    }
    jit->next = (uint8_t *)(((uintptr_t)t->hot_end + 15) & ~(uintptr_t)15);
    jit->cold_next = t->a.p;
    observe_block(t, out->leave);
    return true;
}
