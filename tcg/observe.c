/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The logs of translated code: -d op tells how each instruction was done, -d out_asm what came out. */
#include "tcg/observe.h"

#include <inttypes.h>

#include "target/x86/disas.h"
#include "util/log.h"
#include "util/perfmap.h"

static const char *name_of(const Insn *i, char *buf, size_t size)
{
    return insn_undefined(i) ? "(undefined)" : insn_name(i, buf, size);
}

/* "address name: how, host bytes, cold paths" */
static void log_ops(const Tr *t)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "OP: cpu %u mode %x\n", t->jit->cpu->index, t->src->mode);
    for (unsigned n = 0; n < t->src->num; n++) {
        const TrNote *note = &t->notes[n];
        char buf[32];
        g_string_append_printf(text, "%016" PRIx64 ": %-12s ", t->rip[n], name_of(&t->src->insns[n], buf, sizeof(buf)));
        if (!note->at) {
            g_string_append(text, "not reached: the block ends before\n");
            continue;
        }
        const uint8_t *end = n + 1 < t->src->num && t->notes[n + 1].at ? t->notes[n + 1].at : t->body_end;
        g_string_append_printf(text, "%s, %td bytes", note->emitted ? "emitted" : "handler", end - note->at);
        if (note->stubs) {
            g_string_append_printf(text, ", %u stubs", note->stubs);
        }
        g_string_append_c(text, '\n');
    }
    log_printf("%s\n", text->str);
}

static void append_code(const uint8_t *code, size_t len, GString *out)
{
    for (size_t at = 0; at < len;) {
        unsigned n = disas_length(code + at, (unsigned)MIN(len - at, 15), 2);
        n = n ? n : 1;
        disas_append(out, code + at, n, (uintptr_t)(code + at), 2);
        at += n;
    }
}

/* The two parts of a block's code, as they are run. */
typedef struct Parts {
    const uint8_t *hot, *cold;
    size_t hot_len, cold_len;
} Parts;

static void log_code(const Tr *t, const Parts *p)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "OUT: cpu %u guest %016" PRIx64 ", %zu bytes\n", t->jit->cpu->index, t->src->rip,
                           p->hot_len + p->cold_len);
    append_code(p->hot, p->hot_len, text);
    append_code(p->cold, p->cold_len, text);
    log_printf("%s\n", text->str);
}

static void count(const Tr *t, size_t len)
{
    JitStats *s = t->jit->stats;
    s->blocks++;
    s->insns += t->src->num;
    s->guest_bytes += t->rip[t->src->num] - t->rip[0];
    s->host_bytes += len;
    for (unsigned n = 0; n < t->src->num; n++) {
        (t->notes[n].emitted ? s->emitted : s->handled)[t->src->insns[n].row]++;
    }
}

void observe_block(const Tr *t, const uint8_t *code)
{
    const Jit *jit = t->jit;
    Parts p = {.hot = code, .hot_len = (size_t)(jit_rx(jit, t->hot_end) - code), .cold = jit_rx(jit, t->cold),
               .cold_len = (size_t)(t->a.p - t->cold)};
    count(t, p.hot_len + p.cold_len);
    if (unlikely(perfmap_on())) {
        char name[64];
        g_snprintf(name, sizeof(name), "guest-%" PRIx64 "-cpl%u", t->src->rip, t->src->mode >> 8 & 3);
        perfmap_add(p.hot, p.hot_len, name);
        if (p.cold_len) {
            perfmap_add(p.cold, p.cold_len, name);
        }
    }
    if (unlikely(log_on(LOG_OP))) {
        log_ops(t);
    }
    if (unlikely(log_on(LOG_OUT_ASM))) {
        log_code(t, &p);
    }
}
