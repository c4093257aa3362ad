/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run state and the mailbox of requests between vCPU threads, devices, monitors and the main loop. */
#include "softmmu/core/runstate.h"

#include <pthread.h>

struct RunControl {
    pthread_mutex_t lock;
    RunRequests asked;            /* guarded by lock */
    ShutdownCause reset_cause;    /* guarded by lock */
    void (*notify)(void *opaque); /* guarded by lock */
    void *notify_opaque;          /* guarded by lock */
    int state;                    /* RunState; atomic */
};

RunControl *run_control_new(void)
{
    RunControl *rc = g_new0(RunControl, 1);
    pthread_mutex_init(&rc->lock, NULL);
    rc->state = RUN_PRELAUNCH;
    return rc;
}

void run_control_free(RunControl *rc)
{
    if (rc) {
        pthread_mutex_destroy(&rc->lock);
        g_free(rc);
    }
}

/* Called with the lock held, releases it: the notification may take other locks. */
static void unlock_and_notify(RunControl *rc)
{
    void (*notify)(void *) = rc->notify;
    void *opaque = rc->notify_opaque;
    pthread_mutex_unlock(&rc->lock);
    if (notify) {
        notify(opaque);
    }
}

void run_request_exit(RunControl *rc, ShutdownCause cause, int code)
{
    pthread_mutex_lock(&rc->lock);
    if (!rc->asked.exit) {
        rc->asked.exit = true;
        rc->asked.cause = cause;
        rc->asked.code = code;
    }
    unlock_and_notify(rc);
}

void run_request_reset(RunControl *rc, ShutdownCause cause)
{
    pthread_mutex_lock(&rc->lock);
    if (!rc->asked.reset) {
        rc->asked.reset = true;
        rc->reset_cause = cause;
    }
    unlock_and_notify(rc);
}

void run_request_stop(RunControl *rc)
{
    pthread_mutex_lock(&rc->lock);
    rc->asked.stop = true;
    rc->asked.cont = false;
    unlock_and_notify(rc);
}

void run_request_cont(RunControl *rc)
{
    pthread_mutex_lock(&rc->lock);
    rc->asked.cont = true;
    rc->asked.stop = false;
    unlock_and_notify(rc);
}

bool run_take_requests(RunControl *rc, RunRequests *out)
{
    pthread_mutex_lock(&rc->lock);
    *out = rc->asked;
    if (!out->exit) {
        out->cause = out->reset ? rc->reset_cause : CAUSE_NONE;
    }
    rc->asked = (RunRequests){0};
    rc->reset_cause = CAUSE_NONE;
    pthread_mutex_unlock(&rc->lock);
    return out->exit || out->reset || out->stop || out->cont;
}

void run_control_set_notify(RunControl *rc, void (*fn)(void *opaque), void *opaque)
{
    pthread_mutex_lock(&rc->lock);
    rc->notify = fn;
    rc->notify_opaque = opaque;
    pthread_mutex_unlock(&rc->lock);
}

RunState run_state(const RunControl *rc)
{
    return (RunState)__atomic_load_n(&rc->state, __ATOMIC_ACQUIRE);
}

void run_set_state(RunControl *rc, RunState state)
{
    __atomic_store_n(&rc->state, (int)state, __ATOMIC_RELEASE);
}

const char *run_state_name(RunState state)
{
    switch (state) {
    case RUN_PRELAUNCH:
        return "prelaunch";
    case RUN_RUNNING:
        return "running";
    case RUN_PAUSED:
        return "paused";
    case RUN_SHUTDOWN:
        return "shutdown";
    }
    return "unknown";
}
