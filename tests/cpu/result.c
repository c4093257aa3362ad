/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing what the interpreter and the translator left, field by field, with a text about each difference. */
#include "tests/cpu/mix.h"

#include <inttypes.h>
#include <string.h>

#include "target/x86/flags.h"
#include "target/x86/fpu.h"

static void explain_fpu(const X87 *a, const X87 *b, GString *why)
{
    g_string_append_printf(why, "  x87 cw %x/%x sw %x/%x top %u/%u empty %02x/%02x fop %03x/%03x fcs %x/%x fds %x/%x fip %"
                           PRIx64 "/%" PRIx64 " fdp %" PRIx64 "/%" PRIx64 "\n", a->cw, b->cw, a->sw, b->sw, a->top, b->top,
                           a->empty, b->empty, a->fop, b->fop, a->fcs, b->fcs, a->fds, b->fds, a->fip, b->fip, a->fdp,
                           b->fdp);
    for (unsigned i = 0; i < 8; i++) {
        if (a->r[i].mant != b->r[i].mant || a->r[i].se != b->r[i].se) {
            g_string_append_printf(why, "  r%u %04x:%016" PRIx64 " / %04x:%016" PRIx64 "\n", i, a->r[i].se, a->r[i].mant,
                                   b->r[i].se, b->r[i].mant);
        }
    }
}

static bool same_fpu(const X87 *a, const X87 *b)
{
    for (unsigned i = 0; i < 8; i++) {
        if (a->r[i].mant != b->r[i].mant || a->r[i].se != b->r[i].se) {
            return false;
        }
    }
    return a->cw == b->cw && a->sw == b->sw && a->top == b->top && a->empty == b->empty && a->fop == b->fop &&
           a->fcs == b->fcs && a->fds == b->fds && a->fip == b->fip && a->fdp == b->fdp;
}

/* ---- system state ---- */

typedef struct Field {
    const char *name;
    uint16_t offset, size;
} Field;

#define FIELD(member) {#member, offsetof(X86Cpu, member), sizeof(((X86Cpu *)0)->member)}
#define SEGMENT(n) FIELD(seg[n].base), FIELD(seg[n].limit), FIELD(seg[n].attr), FIELD(seg[n].selector)
static const Field fields[RESULT_SYSTEM] = {
    SEGMENT(0), SEGMENT(1), SEGMENT(2), SEGMENT(3), SEGMENT(4), SEGMENT(5), FIELD(cr0), FIELD(cr2), FIELD(cr3), FIELD(cr4),
    FIELD(efer), FIELD(cpl), FIELD(mem_mode), FIELD(code_size), FIELD(msr.star), FIELD(msr.cstar), FIELD(msr.fmask),
    FIELD(msr.kernel_gs_base), FIELD(msr.tsc_aux), FIELD(msr.pat), FIELD(halted), FIELD(xcr0),
};

static bool same_system(const Result *a, const Result *b, GString *why)
{
    bool same = true;
    for (unsigned n = 0; n < RESULT_SYSTEM; n++) {
        if (a->system[n] != b->system[n]) {
            g_string_append_printf(why, "  %s %#" PRIx64 "/%#" PRIx64 "\n", fields[n].name, a->system[n], b->system[n]);
            same = false;
        }
    }
    return same;
}

/* ---- all of it ---- */

static bool same_outcome(const Outcome *a, const Outcome *b, uint32_t undef, GString *why)
{
    bool same = true;
    if (a->vector != b->vector || a->error != b->error || a->cr2 != b->cr2 || a->rip != b->rip) {
        g_string_append_printf(why, "  vector %d/%d error %x/%x cr2 %" PRIx64 "/%" PRIx64 " rip %" PRIx64 "/%" PRIx64 "\n",
                               a->vector, b->vector, a->error, b->error, a->cr2, b->cr2, a->rip, b->rip);
        same = false;
    }
    for (unsigned i = 0; i < 16; i++) {
        if (a->r[i] != b->r[i]) {
            g_string_append_printf(why, "  r%u %016" PRIx64 " / %016" PRIx64 "\n", i, a->r[i], b->r[i]);
            same = false;
        }
    }
    if ((a->flags ^ b->flags) & ~(undef | FL_RF)) { /* RF: a REP that pauses sets it */
        g_string_append_printf(why, "  flags %05x / %05x\n", a->flags, b->flags);
        same = false;
    }
    if (a->fx.mxcsr != b->fx.mxcsr || memcmp(a->fx.xmm, b->fx.xmm, sizeof(a->fx.xmm)) != 0 ||
        memcmp(a->fx.ymm, b->fx.ymm, sizeof(a->fx.ymm)) != 0) {
        g_string_append_printf(why, "  mxcsr %x/%x", a->fx.mxcsr, b->fx.mxcsr);
        for (unsigned i = 0; i < 16; i++) {
            if (memcmp(a->fx.xmm[i], b->fx.xmm[i], 16) != 0) {
                g_string_append_printf(why, "  xmm%u %016" PRIx64 "%016" PRIx64 " / %016" PRIx64 "%016" PRIx64 "\n", i,
                                       a->fx.xmm[i][1], a->fx.xmm[i][0], b->fx.xmm[i][1], b->fx.xmm[i][0]);
            }
            if (memcmp(a->fx.ymm[i], b->fx.ymm[i], 16) != 0) {
                g_string_append_printf(why, "  ymm%u %016" PRIx64 "%016" PRIx64 " / %016" PRIx64 "%016" PRIx64 "\n", i,
                                       a->fx.ymm[i][1], a->fx.ymm[i][0], b->fx.ymm[i][1], b->fx.ymm[i][0]);
            }
        }
        same = false;
    }
    if (a->mem_hash != b->mem_hash) {
        g_string_append(why, "  memory differs\n");
        same = false;
    }
    return same;
}

bool result_same(const Result *want, const Result *got, uint32_t undef, GString *why)
{
    bool same = same_outcome(&want->outcome, &got->outcome, undef, why);
    same &= same_system(want, got, why);
    if (want->paused != got->paused) {
        g_string_append_printf(why, "  PAUSE %d/%d\n", want->paused, got->paused);
        same = false;
    }
    if (!same_fpu(&want->fpu, &got->fpu)) {
        explain_fpu(&want->fpu, &got->fpu, why);
        same = false;
    }
    return same;
}

void result_take(Engine *e, bool done, Result *out)
{
    X86Cpu *cpu = engine_cpu(e);
    fpu_sync(cpu);
    out->fpu = cpu->fpu;
    for (unsigned n = 0; n < RESULT_SYSTEM; n++) {
        out->system[n] = 0;
        memcpy(&out->system[n], (const char *)cpu + fields[n].offset, fields[n].size);
    }
    out->paused = cpu->pauses != 0;
    cpu->pauses = 0;
    engine_outcome(e, done, &out->outcome);
}

void result_start_fpu(X86Cpu *cpu)
{
    X87 *f = &cpu->fpu;
    f->fop = 0x123;
    f->fcs = 0x45;
    f->fds = 0x67;
    f->fip = 0x1122334455667788;
    f->fdp = 0x99aabbccddeeff00;
}

unsigned host_mxcsr(void)
{
    unsigned v;
    __asm__ volatile("stmxcsr %0" : "=m"(v));
    return v & ~0x3fu; /* but for what C code computed */
}
