/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU's host thread, of any engine: it begins parked, runs the guest when told to, sleeps in HLT, and parks again when the
 * machine pauses.  Its gate (softmmu/core/exclusive.h) is closed while it parks or sleeps.
 */
#pragma once

#include "softmmu/core/exclusive.h"
#include "target/x86/cpu.h"

typedef struct VcpuThread {
    X86Cpu *cpu;
    GThread *host;   /* NULL until it is started */
    VcpuGate gate;
    GMutex mutex;
    GCond cond;
    bool sleeping;   /* guarded by mutex */
    bool paused;     /* guarded by mutex: parked, or ended */
    bool stop, quit; /* guarded by mutex: asked to park, to end */
} VcpuThread;

/* kick: as VcpuGate's, called from any thread after cpu->attention was set. */
void vcpu_thread_init(VcpuThread *t, X86Cpu *cpu, void (*kick)(void *opaque), void *opaque);
/* loop(opaque) runs on a thread named after the processor; it calls vcpu_thread_begin() first and vcpu_thread_end() last. */
bool vcpu_thread_start(VcpuThread *t, GThreadFunc loop, void *opaque, GError **error);
/* Ask it to end and wait until it has.  A thread that was never started has ended. */
void vcpu_thread_join(VcpuThread *t);
/* After the join. */
void vcpu_thread_fini(VcpuThread *t);

/* ---- on the thread itself ---- */

void vcpu_thread_begin(VcpuThread *t);
void vcpu_thread_end(VcpuThread *t);
/* Park at the next look at events, until the machine has been paused and goes on: a debugger was told of a stop. */
void vcpu_thread_hold(VcpuThread *t);
/* Wait while the machine is paused; the processor's state is in X86Cpu.  False when the thread must end. */
bool vcpu_park(VcpuThread *t);
/* Wait until can_wake(opaque), looked at after every vcpu_wake(), or until it shall park.  The gate is closed already. */
void vcpu_sleep(VcpuThread *t, bool (*can_wake)(const void *opaque), const void *opaque);

/* ---- on others ---- */

void vcpu_wake(VcpuThread *t);
/*
 * vcpus: of pointers to structs that begin with a VcpuThread.  Main thread, machine lock held; pause releases it while it
 * waits, because a vCPU may be waiting for it in a device access.
 */
void vcpu_threads_pause(GPtrArray *vcpus, MachineLock *lock);
void vcpu_threads_resume(GPtrArray *vcpus);
