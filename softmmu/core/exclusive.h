/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two locks of a machine.  The machine lock protects devices, maps and backends.  An exclusive section stops every
 * vCPU at a safe point: map changes, atomic operations the host cannot do, write-protecting a page that became code.
 *
 * A vCPU thread is `active` while it executes guest code; it is not while it waits for either lock, sleeps in HLT
 * or is paused, and it must poll exclusive_pending() at safe points (block ends).  An exclusive section may be
 * opened with or without the machine lock held.
 */
#pragma once

#include "util/base.h"

typedef struct MachineLock MachineLock;

/* One per vCPU thread, owned by the accelerator. */
typedef struct VcpuGate {
    MachineLock *lock;
    bool active;                  /* guarded by lock->gate_mutex */
    bool *kick_flag;              /* set to true when the vCPU must reach a safe point soon; atomic */
    void (*kick)(void *opaque);   /* may be NULL: more than the flag is needed (a signal) */
    void *opaque;
    struct VcpuGate *next;
} VcpuGate;

MachineLock *machine_lock_new(void);
void machine_lock_free(MachineLock *lock);

/* Recursive per thread. On a vCPU thread the gate is inactive while it waits. */
void machine_lock(MachineLock *lock);
void machine_unlock(MachineLock *lock);
bool machine_locked(const MachineLock *lock); /* by this thread */

void gate_register(MachineLock *lock, VcpuGate *gate); /* also makes it the calling thread's gate */
void gate_unregister(VcpuGate *gate);
/* Start running guest code: waits while another thread is in an exclusive section. */
void gate_enter(VcpuGate *gate);
/* Stop running guest code. */
void gate_leave(VcpuGate *gate);

/* Atomic flag, cheap: some thread waits for this vCPU. */
bool exclusive_pending(const MachineLock *lock);
/*
 * All other vCPUs are outside guest code until exclusive_end(). Nestable on one thread.  A thread that then has to
 * wait for the machine lock may lose the section for that time: take the machine lock first where that matters.
 */
void exclusive_begin(MachineLock *lock);
void exclusive_end(MachineLock *lock);
