/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The translator's statistics as text. */
#include "accel/tcg/stats.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOP 20

typedef struct RowCalls {
    unsigned row;
    uint64_t calls;
} RowCalls;

static int more_calls(const void *a, const void *b)
{
    uint64_t x = ((const RowCalls *)a)->calls, y = ((const RowCalls *)b)->calls;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void append_top(const JitStats *s, GString *out)
{
    g_autofree RowCalls *rows = g_new(RowCalls, insn_num_rows);
    uint64_t all = 0;
    for (unsigned r = 0; r < insn_num_rows; r++) {
        rows[r] = (RowCalls){.row = r, .calls = s->calls[r]};
        all += s->calls[r];
    }
    qsort(rows, insn_num_rows, sizeof(rows[0]), more_calls);
    g_string_append_printf(out, "  handler calls  %" PRIu64 ", most of them (translated with, without an emitter):\n", all);
    for (unsigned n = 0; n < TOP && n < insn_num_rows && rows[n].calls; n++) {
        const InsnRow *row = &insn_rows[rows[n].row];
        g_string_append_printf(out, "    %12" PRIu64 " %-10s %-16s (%" PRIu64 ", %" PRIu64 ")\n", rows[n].calls, row->name,
                               row->operands, s->emitted[rows[n].row], s->handled[rows[n].row]);
    }
}

void stats_append(const X86Cpu *cpu, const Jit *jit, uint64_t cache_flushes, GString *out)
{
    const JitStats *s = jit_stats(jit);
    double expansion = s->guest_bytes ? (double)s->host_bytes / (double)s->guest_bytes : 0;
    g_string_append_printf(out, "cpu %u\n", cpu->index);
    g_string_append_printf(out, "  blocks         %" PRIu64 " translated, %" PRIu64 " guest instructions\n", s->blocks,
                           s->insns);
    g_string_append_printf(out, "  bytes          %" PRIu64 " guest, %" PRIu64 " host (%.1f to 1), %zu KiB in use\n",
                           s->guest_bytes, s->host_bytes, expansion, jit_code_used(jit) / 1024);
    g_string_append_printf(out, "  flushes        %" PRIu64 " of the code, %" PRIu64 " of the TLB\n", cache_flushes,
                           cpu->tlb_gen);
    g_string_append_printf(out, "  TLB misses     %" PRIu64 "\n", cpu->tlb_fills);
    g_string_append_printf(out, "  lookups        %" PRIu64 ", %" PRIu64 " jumps connected\n", s->lookups, s->connected);
    g_string_append_printf(out,
                           "  exits          %" PRIu64 " for a jump not connected, %" PRIu64 " for attention, %" PRIu64
                           " for anything else\n", s->exits_jump, s->exits_attention, s->exits_other);
    append_top(s, out);
}
