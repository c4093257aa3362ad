/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vCPU threads: start and end, park and sleep. */
#include "accel/thread.h"

#include "softmmu/core/machine.h"

void vcpu_thread_init(VcpuThread *t, X86Cpu *cpu, void (*kick)(void *opaque), void *opaque)
{
    *t = (VcpuThread){.cpu = cpu, .stop = true};
    t->gate = (VcpuGate){.lock = cpu->machine->lock, .kick_flag = &cpu->attention, .kick = kick, .opaque = opaque};
    g_mutex_init(&t->mutex);
    g_cond_init(&t->cond);
}

bool vcpu_thread_start(VcpuThread *t, GThreadFunc loop, void *opaque, GError **error)
{
    g_autofree char *name = g_strdup_printf("vcpu %u", t->cpu->index);
    t->host = g_thread_try_new(name, loop, opaque, error);
    return t->host != NULL;
}

static void ask_to_park(VcpuThread *t, bool quit)
{
    g_mutex_lock(&t->mutex);
    t->stop = true;
    t->quit |= quit;
    g_cond_broadcast(&t->cond);
    g_mutex_unlock(&t->mutex);
    cpu_raise_event(t->cpu, EVENT_STOP);
}

void vcpu_thread_join(VcpuThread *t)
{
    if (t->host) {
        ask_to_park(t, true);
        g_thread_join(t->host);
        t->host = NULL;
    }
}

void vcpu_thread_fini(VcpuThread *t)
{
    g_mutex_clear(&t->mutex);
    g_cond_clear(&t->cond);
}

/* ---- on the thread itself ---- */

void vcpu_thread_begin(VcpuThread *t)
{
    cpu_set_current(t->cpu);
    gate_register(t->gate.lock, &t->gate);
    gate_enter(&t->gate);
}

void vcpu_thread_end(VcpuThread *t)
{
    gate_unregister(&t->gate);
    g_mutex_lock(&t->mutex);
    t->paused = true;
    g_cond_broadcast(&t->cond);
    g_mutex_unlock(&t->mutex);
}

void vcpu_thread_hold(VcpuThread *t)
{
    ask_to_park(t, false);
}

bool vcpu_park(VcpuThread *t)
{
    gate_leave(&t->gate);
    g_mutex_lock(&t->mutex);
    while (t->stop && !t->quit) {
        t->paused = true;
        g_cond_broadcast(&t->cond);
        g_cond_wait(&t->cond, &t->mutex);
    }
    t->paused = false;
    bool quit = t->quit;
    g_mutex_unlock(&t->mutex);
    if (!quit) {
        gate_enter(&t->gate);
    }
    return !quit;
}

void vcpu_sleep(VcpuThread *t, bool (*can_wake)(const void *opaque), const void *opaque)
{
    g_mutex_lock(&t->mutex);
    t->sleeping = true;
    while (!can_wake(opaque) && !t->stop && !t->quit) {
        g_cond_wait(&t->cond, &t->mutex);
    }
    t->sleeping = false;
    g_mutex_unlock(&t->mutex);
}

/* ---- on others ---- */

void vcpu_wake(VcpuThread *t)
{
    g_mutex_lock(&t->mutex);
    if (t->sleeping) {
        g_cond_broadcast(&t->cond);
    }
    g_mutex_unlock(&t->mutex);
}

static void wait_parked(VcpuThread *t)
{
    g_mutex_lock(&t->mutex);
    while (!t->paused) {
        g_cond_wait(&t->cond, &t->mutex);
    }
    g_mutex_unlock(&t->mutex);
}

void vcpu_threads_pause(GPtrArray *vcpus, MachineLock *lock)
{
    for (guint n = 0; n < vcpus->len; n++) {
        ask_to_park(g_ptr_array_index(vcpus, n), false);
    }
    machine_unlock(lock);
    for (guint n = 0; n < vcpus->len; n++) {
        wait_parked(g_ptr_array_index(vcpus, n));
    }
    machine_lock(lock);
}

void vcpu_threads_resume(GPtrArray *vcpus)
{
    for (guint n = 0; n < vcpus->len; n++) {
        VcpuThread *t = g_ptr_array_index(vcpus, n);
        g_mutex_lock(&t->mutex);
        t->stop = t->paused = false;
        __atomic_store_n(&t->cpu->attention, true, __ATOMIC_SEQ_CST);
        g_cond_broadcast(&t->cond);
        g_mutex_unlock(&t->mutex);
    }
}
