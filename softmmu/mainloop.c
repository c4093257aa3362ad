/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GLib's main context driven by hand, so that the machine lock is released exactly while we sleep and virtual timers
 * get nanoseconds where GLib has milliseconds.
 * Spec: GLib "The Main Event Loop" (prepare, query, check, dispatch); signalfd(2), ppoll(2)
 */
#include "softmmu/mainloop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <glib-unix.h>

/* ---- signals ---- */

static char *describe_signal(const struct signalfd_siginfo *info)
{
    g_autofree char *path = g_strdup_printf("/proc/%u/comm", info->ssi_pid);
    g_autofree char *comm = NULL;
    if (info->ssi_pid == 0 || info->ssi_code == SI_KERNEL) {
        return g_strdup_printf("terminating on signal %u", info->ssi_signo);
    }
    if (!g_file_get_contents(path, &comm, NULL, NULL)) {
        comm = g_strdup("<unknown process>");
    }
    return g_strdup_printf("terminating on signal %u from pid %u (%s)", info->ssi_signo, info->ssi_pid,
                           g_strchomp(comm));
}

static gboolean signal_arrives(gint fd, GIOCondition condition, gpointer opaque)
{
    MainLoop *loop = opaque;
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof(info)) == sizeof(info) && !loop->signal_text) {
        loop->signal_text = describe_signal(&info);
        run_request_exit(loop->machine->run, CAUSE_HOST_SIGNAL, (int)info.ssi_signo);
    }
    return G_SOURCE_CONTINUE;
}

static bool open_signals(MainLoop *loop, GError **error)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    loop->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (loop->signal_fd < 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot watch for signals: %s", g_strerror(errno));
        return false;
    }
    loop->signal_source = g_unix_fd_source_new(loop->signal_fd, G_IO_IN);
    g_source_set_callback(loop->signal_source, G_SOURCE_FUNC(signal_arrives), loop, NULL);
    g_source_attach(loop->signal_source, loop->context);
    return true;
}

/* ---- life ---- */

static void wake(void *opaque)
{
    g_main_context_wakeup(opaque);
}

bool main_loop_init(MainLoop *loop, Machine *m, GError **error)
{
    loop->machine = m;
    loop->context = g_main_context_default();
    loop->fds = g_array_new(FALSE, TRUE, sizeof(GPollFD));
    loop->signal_fd = -1;
    g_array_set_size(loop->fds, 16);
    g_main_context_acquire(loop->context);
    /* The default slack of 50 us would delay every guest timer. */
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    clock_set_notify(m->clock, wake, loop->context);
    run_control_set_notify(m->run, wake, loop->context);
    return open_signals(loop, error);
}

void main_loop_fini(MainLoop *loop)
{
    if (!loop->machine) {
        return;
    }
    clock_set_notify(loop->machine->clock, NULL, NULL);
    run_control_set_notify(loop->machine->run, NULL, NULL);
    if (loop->signal_source) {
        g_source_destroy(loop->signal_source);
        g_source_unref(loop->signal_source);
    }
    if (loop->signal_fd >= 0) {
        close(loop->signal_fd);
    }
    g_main_context_release(loop->context);
    g_array_free(loop->fds, TRUE);
    g_free(loop->signal_text);
}

/* ---- one turn ---- */

/* Nanoseconds until the next virtual timer, -1 for never. */
static int64_t timer_wait(Clock *clock)
{
    int64_t deadline = clock_running(clock) ? clock_deadline(clock) : TIMER_OFF;
    if (deadline == TIMER_OFF) {
        return -1;
    }
    int64_t left = deadline - clock_now(clock); /* read once: it may pass between two readings */
    return MAX(left, 0);
}

static void sleep_for(MainLoop *loop, int count, int64_t ns)
{
    struct timespec ts = {.tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC};
    /* GPollFD has the layout of struct pollfd: GLib passes it to poll() itself */
    ppoll((struct pollfd *)(void *)loop->fds->data, (nfds_t)count, ns < 0 ? NULL : &ts, NULL);
}

void main_loop_iterate(MainLoop *loop)
{
    int priority, timeout_ms, count;
    g_main_context_prepare(loop->context, &priority);
    while ((count = g_main_context_query(loop->context, priority, &timeout_ms, (GPollFD *)(void *)loop->fds->data,
                                         (int)loop->fds->len)) > (int)loop->fds->len) {
        g_array_set_size(loop->fds, (guint)count);
    }
    int64_t wait = timer_wait(loop->machine->clock);
    if (timeout_ms >= 0 && (wait < 0 || timeout_ms * NS_PER_MS < wait)) {
        wait = timeout_ms * NS_PER_MS;
    }
    machine_unlock(loop->machine->lock);
    sleep_for(loop, count, wait);
    machine_lock(loop->machine->lock);
    if (clock_running(loop->machine->clock)) {
        clock_run_timers(loop->machine->clock);
    }
    if (g_main_context_check(loop->context, priority, (GPollFD *)(void *)loop->fds->data, count)) {
        g_main_context_dispatch(loop->context);
    }
}
