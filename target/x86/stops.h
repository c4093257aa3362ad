/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a debugger outside of the guest stops it at: breakpoints, watchpoints and single steps, the same on every engine, and
 * nothing of it visible to the guest.  The guest's own debug registers and TF (debug.h) work beside it.
 *
 * All but the callback is called while the machine is paused, with the machine lock held.
 */
#pragma once

#include "target/x86/cpu.h"

typedef enum StopKind { STOP_EXEC, STOP_WRITE, STOP_ACCESS, STOP_STEP /* no point: a report only */ } StopKind;

typedef struct StopPoint {
    StopKind kind;
    gva_t lin;    /* linear */
    uint32_t len; /* bytes; STOP_EXEC: 1 */
} StopPoint;

/*
 * Called on the vCPU's thread.  lin: STOP_EXEC: of the instruction, which has not run; STOP_WRITE, STOP_ACCESS: of the point,
 * after the instruction that touched it.  The machine is asked to pause after it, and this vCPU runs no further.
 */
typedef void StopHit(void *opaque, X86Cpu *cpu, StopKind kind, gva_t lin);

typedef struct Stops {
    struct Machine *machine;
    GArray *points; /* StopPoint */
    StopHit *hit;
    void *opaque;
} Stops;

/* A machine has one at most.  Freeing it removes all points and steps. */
Stops *stops_new(struct Machine *m, StopHit *hit, void *opaque);
void stops_free(Stops *s);
/* False with an error: the engine cannot have it (the processor's debug registers under KVM are four, aligned). */
bool stops_insert(Stops *s, StopPoint point, GError **error);
/* False: there is no such point. */
bool stops_remove(Stops *s, StopPoint point);
/*
 * The processor does one instruction, then it stops, each time the machine goes on.  An execution point at that instruction
 * does not count, and interrupts wait; without a step the machine stops again where it stands on a point.
 */
void stops_step(X86Cpu *cpu, bool on);

/* ---- for engines, on the vCPU's thread ---- */

/* Is there an execution point at lin, which is about to be executed? */
bool stops_exec(const X86Cpu *cpu, gva_t lin);
/* Some execution point lies in lin's page: it may hold no translated or cached code. */
bool stops_exec_page(const X86Cpu *cpu, gva_t lin);
/* Some watchpoint does: it may not be entered in the TLB. */
bool stops_data_page(const X86Cpu *cpu, gva_t lin);
/* Note a hit; it is reported once the instruction is done. */
void stops_check_data(X86Cpu *cpu, gva_t lin, unsigned size, bool write);
void stops_note(X86Cpu *cpu, StopKind kind, gva_t lin);
/* Tell the debugger what was noted, and ask for the pause.  The engine parks the vCPU. */
void stops_report(X86Cpu *cpu);
