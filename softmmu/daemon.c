/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going to the background only when nothing can fail any more, so that the caller sees every error.
 * Spec: daemon(7), fcntl(2) on record locks
 */
#include "softmmu/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/opts.h"

G_NORETURN static void wait_for_child(pid_t child, int fd)
{
    char byte;
    ssize_t n;
    int status;
    do {
        n = read(fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1) {
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

bool daemon_fork(Daemon *d, GError **error)
{
    int fds[2];
    pid_t child = -1;
    if (pipe2(fds, O_CLOEXEC) == 0) {
        child = fork();
    }
    if (child < 0) {
        g_set_error(error, OPTS_ERROR, OPTS_OPEN, "-daemonize: cannot start a process: %s", g_strerror(errno));
        return false;
    }
    if (child > 0) {
        close(fds[1]);
        wait_for_child(child, fds[0]);
    }
    close(fds[0]);
    d->ready_fd = fds[1];
    setsid();
    return true;
}

bool daemon_write_pid(Daemon *d, const char *path, GError **error)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
    d->pid_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->pid_fd < 0 || fcntl(d->pid_fd, F_SETLK, &lock) < 0 || ftruncate(d->pid_fd, 0) < 0 ||
        write(d->pid_fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        bool held = d->pid_fd >= 0 && (errno == EAGAIN || errno == EACCES);
        g_set_error(error, OPTS_ERROR, OPTS_OPEN, "-pidfile: cannot write '%s': %s", path,
                    held ? "the process it names is still running" : g_strerror(errno));
        return false;
    }
    d->pidfile = realpath(path, NULL);
    return true;
}

void daemon_ready(Daemon *d)
{
    if (d->ready_fd < 0) {
        return;
    }
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        if (null > STDERR_FILENO) {
            close(null);
        }
    }
    while (write(d->ready_fd, "", 1) < 0 && errno == EINTR) {
    }
    close(d->ready_fd);
    d->ready_fd = -1;
}

void daemon_clear(Daemon *d)
{
    if (d->pidfile) {
        unlink(d->pidfile);
        free(d->pidfile);
    }
    if (d->pid_fd >= 0) {
        close(d->pid_fd);
    }
    if (d->ready_fd >= 0) {
        close(d->ready_fd);
    }
}
