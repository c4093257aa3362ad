/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine lock and exclusive sections.
 *
 * gate_mutex guards who is active and who owns the exclusive section; it is held for moments only and is the
 * innermost lock.  A thread that must wait - for the machine lock, or for another's section - first makes its own
 * gate inactive, so that waiting never blocks a section.  Order: machine lock, then section; a section opened without
 * the machine lock must not take it.
 */
#include "softmmu/core/exclusive.h"

#include <pthread.h>

#include "util/log.h"

struct MachineLock {
    pthread_mutex_t mutex;
    /*
     * Turnstile: who has to wait for mutex holds this while it waits, and who sees a waiter goes through it, too.  A
     * vCPU that polls a device would otherwise take mutex again before the woken thread of the timers gets to run.
     */
    pthread_mutex_t queue;
    unsigned waiting; /* threads at the turnstile; atomic */
    const void *owner; /* identity of the thread that holds mutex; atomic */
    unsigned depth;    /* guarded by mutex */

    pthread_mutex_t gate_mutex;
    pthread_cond_t gate_cond;            /* a gate became inactive, or a section ended */
    VcpuGate *gates;            /* guarded by gate_mutex */
    const void *section_owner;  /* guarded by gate_mutex */
    unsigned section_depth;     /* guarded by gate_mutex */
    unsigned pending;           /* threads that wait for a section or are in one; changed under gate_mutex; atomic */
};

/* The gate of a vCPU thread; a thread has one at most.  Per thread, so not state of the process. */
static __thread VcpuGate *own_gate;
static __thread char identity; /* its address tells threads apart */

MachineLock *machine_lock_new(void)
{
    MachineLock *lock = g_new0(MachineLock, 1);
    pthread_mutex_init(&lock->mutex, NULL);
    pthread_mutex_init(&lock->queue, NULL);
    pthread_mutex_init(&lock->gate_mutex, NULL);
    pthread_cond_init(&lock->gate_cond, NULL);
    return lock;
}

void machine_lock_free(MachineLock *lock)
{
    if (!lock) {
        return;
    }
    pthread_mutex_destroy(&lock->mutex);
    pthread_mutex_destroy(&lock->queue);
    pthread_mutex_destroy(&lock->gate_mutex);
    pthread_cond_destroy(&lock->gate_cond);
    g_free(lock);
}

static VcpuGate *gate_of(const MachineLock *lock)
{
    return own_gate && own_gate->lock == lock ? own_gate : NULL;
}

/* ---- gates ---- */

static bool others_section(const MachineLock *lock)
{
    return lock->section_owner && lock->section_owner != &identity;
}

/* gate_mutex held: leave guest code, and tell who waits for that. Returns whether it was active. */
static bool deactivate(MachineLock *lock, VcpuGate *gate)
{
    bool was = gate && gate->active;
    if (was) {
        gate->active = false;
        pthread_cond_broadcast(&lock->gate_cond);
    }
    return was;
}

/* gate_mutex held */
static void activate(MachineLock *lock, VcpuGate *gate)
{
    while (others_section(lock)) {
        pthread_cond_wait(&lock->gate_cond, &lock->gate_mutex);
    }
    gate->active = true;
}

void gate_register(MachineLock *lock, VcpuGate *gate)
{
    gate->lock = lock;
    gate->active = false;
    pthread_mutex_lock(&lock->gate_mutex);
    gate->next = lock->gates;
    lock->gates = gate;
    pthread_mutex_unlock(&lock->gate_mutex);
    own_gate = gate;
}

void gate_unregister(VcpuGate *gate)
{
    MachineLock *lock = gate->lock;
    pthread_mutex_lock(&lock->gate_mutex);
    deactivate(lock, gate);
    for (VcpuGate **link = &lock->gates; *link; link = &(*link)->next) {
        if (*link == gate) {
            *link = gate->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock->gate_mutex);
    if (own_gate == gate) {
        own_gate = NULL;
    }
}

void gate_enter(VcpuGate *gate)
{
    pthread_mutex_lock(&gate->lock->gate_mutex);
    activate(gate->lock, gate);
    pthread_mutex_unlock(&gate->lock->gate_mutex);
}

void gate_leave(VcpuGate *gate)
{
    pthread_mutex_lock(&gate->lock->gate_mutex);
    deactivate(gate->lock, gate);
    pthread_mutex_unlock(&gate->lock->gate_mutex);
}

/* ---- the machine lock ---- */

bool machine_locked(const MachineLock *lock)
{
    return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == &identity;
}

/* gate_mutex held: give an own section up; its depth, or 0 when there is none. */
static unsigned yield_section(MachineLock *lock)
{
    if (lock->section_owner != &identity) {
        return 0;
    }
    unsigned depth = lock->section_depth;
    lock->section_owner = NULL;
    __atomic_fetch_sub(&lock->pending, 1, __ATOMIC_ACQ_REL);
    pthread_cond_broadcast(&lock->gate_cond);
    return depth;
}

/* The lock is taken by another thread: wait for it outside guest code. */
static void lock_slowly(MachineLock *lock)
{
    VcpuGate *gate = gate_of(lock);
    pthread_mutex_lock(&lock->gate_mutex);
    unsigned section = yield_section(lock);
    bool was_active = deactivate(lock, gate);
    pthread_mutex_unlock(&lock->gate_mutex);

    __atomic_fetch_add(&lock->waiting, 1, __ATOMIC_ACQ_REL);
    pthread_mutex_lock(&lock->queue);
    pthread_mutex_lock(&lock->mutex);
    pthread_mutex_unlock(&lock->queue);
    __atomic_fetch_sub(&lock->waiting, 1, __ATOMIC_ACQ_REL);

    if (section) {
        exclusive_begin(lock);
        lock->section_depth = section;
    }
    if (was_active) {
        gate_enter(gate);
    }
}

/* It is held for a microsecond at most times, sleeping costs tens of them.  Who queues already goes first. */
static bool lock_soon(MachineLock *lock)
{
    enum { TRIES = 64 }; /* some 2 us: who waits for this thread's gate to become inactive does not notice */
    for (unsigned i = 0; i < TRIES && !__atomic_load_n(&lock->waiting, __ATOMIC_ACQUIRE); i++) {
        if (!__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) && pthread_mutex_trylock(&lock->mutex) == 0) {
            return true;
        }
        spin_hint();
    }
    return false;
}

void machine_lock(MachineLock *lock)
{
    if (machine_locked(lock)) {
        lock->depth++;
        return;
    }
    if (!lock_soon(lock)) {
        lock_slowly(lock);
    }
    __atomic_store_n(&lock->owner, &identity, __ATOMIC_RELAXED);
    lock->depth = 1;
}

void machine_unlock(MachineLock *lock)
{
    if (!machine_locked(lock)) {
        host_bug("the machine lock is released by a thread that does not hold it");
        return;
    }
    if (--lock->depth == 0) {
        __atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
        pthread_mutex_unlock(&lock->mutex);
    }
}

/* ---- exclusive sections ---- */

bool exclusive_pending(const MachineLock *lock)
{
    return __atomic_load_n(&lock->pending, __ATOMIC_ACQUIRE) != 0;
}

/* gate_mutex held: make the others look, and say whether one is still in guest code. */
static bool others_active(MachineLock *lock, const VcpuGate *own, bool kick)
{
    bool active = false;
    for (VcpuGate *gate = lock->gates; gate; gate = gate->next) {
        if (gate == own || !gate->active) {
            continue;
        }
        active = true;
        if (kick) {
            if (gate->kick_flag) {
                __atomic_store_n(gate->kick_flag, true, __ATOMIC_RELEASE);
            }
            if (gate->kick) {
                gate->kick(gate->opaque);
            }
        }
    }
    return active;
}

void exclusive_begin(MachineLock *lock)
{
    VcpuGate *own = gate_of(lock);
    pthread_mutex_lock(&lock->gate_mutex);
    if (lock->section_owner == &identity) {
        lock->section_depth++;
        pthread_mutex_unlock(&lock->gate_mutex);
        return;
    }
    __atomic_fetch_add(&lock->pending, 1, __ATOMIC_ACQ_REL);
    if (lock->section_owner) {
        bool was_active = deactivate(lock, own);
        while (lock->section_owner) {
            pthread_cond_wait(&lock->gate_cond, &lock->gate_mutex);
        }
        if (was_active) {
            own->active = true;
        }
    }
    lock->section_owner = &identity;
    lock->section_depth = 1;
    for (bool kick = true; others_active(lock, own, kick); kick = false) {
        pthread_cond_wait(&lock->gate_cond, &lock->gate_mutex);
    }
    pthread_mutex_unlock(&lock->gate_mutex);
}

void exclusive_end(MachineLock *lock)
{
    pthread_mutex_lock(&lock->gate_mutex);
    if (lock->section_owner != &identity) {
        host_bug("an exclusive section is ended by a thread that is in none");
    } else if (--lock->section_depth == 0) {
        lock->section_owner = NULL;
        __atomic_fetch_sub(&lock->pending, 1, __ATOMIC_ACQ_REL);
        pthread_cond_broadcast(&lock->gate_cond);
    }
    pthread_mutex_unlock(&lock->gate_mutex);
}
