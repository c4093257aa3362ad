/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A debugger's points and steps. */
#include "target/x86/stops.h"

#include "accel/accel.h"
#include "softmmu/core/machine.h"
#include "target/x86/mem.h"

/* ---- the debugger's side ---- */

static bool changed(const Stops *s, GError **error)
{
    const Machine *m = s->machine;
    for (unsigned n = 0; n < m->num_cpus; n++) {
        tlb_flush_all(m->cpus[n]);
    }
    return m->accel->ops->stops_changed(m->accel, s->points, error);
}

Stops *stops_new(Machine *m, StopHit *hit, void *opaque)
{
    Stops *s = g_new0(Stops, 1);
    *s = (Stops){.machine = m, .points = g_array_new(false, false, sizeof(StopPoint)), .hit = hit, .opaque = opaque};
    for (unsigned n = 0; n < m->num_cpus; n++) {
        g_assert(!m->cpus[n]->stops);
        m->cpus[n]->stops = s;
    }
    return s;
}

void stops_free(Stops *s)
{
    g_array_set_size(s->points, 0);
    changed(s, NULL);
    for (unsigned n = 0; n < s->machine->num_cpus; n++) {
        X86Cpu *cpu = s->machine->cpus[n];
        cpu->stops = NULL;
        cpu->stop_step = cpu->stop_due = false;
    }
    g_array_free(s->points, true);
    g_free(s);
}

bool stops_insert(Stops *s, StopPoint point, GError **error)
{
    g_array_append_val(s->points, point);
    if (changed(s, error)) {
        return true;
    }
    g_array_set_size(s->points, s->points->len - 1);
    changed(s, NULL);
    return false;
}

bool stops_remove(Stops *s, StopPoint point)
{
    for (guint i = 0; i < s->points->len; i++) {
        const StopPoint *p = &g_array_index(s->points, StopPoint, i);
        if (p->kind == point.kind && p->lin == point.lin && p->len == point.len) {
            g_array_remove_index(s->points, i);
            changed(s, NULL); /* fewer than the engine had before */
            return true;
        }
    }
    return false;
}

void stops_step(X86Cpu *cpu, bool on)
{
    cpu->stop_step = on;
}

/* ---- the engines' side ---- */

static bool touches(const StopPoint *p, gva_t lin, uint64_t size)
{
    return lin - p->lin < p->len || p->lin - lin < size;
}

static const StopPoint *find(const X86Cpu *cpu, bool exec, gva_t lin, uint64_t size, bool write)
{
    const GArray *points = cpu->stops ? cpu->stops->points : NULL;
    for (guint i = 0; points && i < points->len; i++) {
        const StopPoint *p = &g_array_index(points, StopPoint, i);
        if ((p->kind == STOP_EXEC) == exec && touches(p, lin, size) && (write || p->kind != STOP_WRITE)) {
            return p;
        }
    }
    return NULL;
}

bool stops_exec(const X86Cpu *cpu, gva_t lin)
{
    return !cpu->stop_step && find(cpu, true, lin, 1, true);
}

bool stops_exec_page(const X86Cpu *cpu, gva_t lin)
{
    return find(cpu, true, lin & PAGE_MASK, PAGE_SIZE, true) != NULL;
}

bool stops_data_page(const X86Cpu *cpu, gva_t lin)
{
    return find(cpu, false, lin & PAGE_MASK, PAGE_SIZE, true) != NULL;
}

void stops_note(X86Cpu *cpu, StopKind kind, gva_t lin)
{
    cpu->stop_due = true;
    cpu->stop_kind = kind;
    cpu->stop_lin = lin;
}

void stops_check_data(X86Cpu *cpu, gva_t lin, unsigned size, bool write)
{
    const StopPoint *p = find(cpu, false, lin, size, write);
    if (p) {
        stops_note(cpu, p->kind, p->lin);
        cpu->break_block = true;
        __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
    }
}

void stops_report(X86Cpu *cpu)
{
    const Stops *s = cpu->stops;
    cpu->stop_due = false;
    s->hit(s->opaque, cpu, (StopKind)cpu->stop_kind, cpu->stop_lin);
    run_request_stop(s->machine->run);
}
