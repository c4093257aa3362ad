/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw terminal mode that never outlives us.  A signal handler has no argument to find a struct by, and a process has
 * one controlling terminal: hence the one static struct of this file.
 * Spec: termios(3), signal-safety(7), credentials(7) on job control
 */
#include "chardev/tty.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct {
    int fd;
    volatile sig_atomic_t raw; /* the terminal is, or after a stop will again be, in our mode */
    bool hooks;                /* atexit and signal handlers are in place, for good */
    struct termios saved, mode;
} terminal;

/* tcsetattr() from a background process raises SIGTTOU, whose default would stop us. */
static void set_mode(const struct termios *mode)
{
    sigset_t block, old;
    sigemptyset(&block);
    sigaddset(&block, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &block, &old);
    while (tcsetattr(terminal.fd, TCSANOW, mode) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* A background process must leave the terminal alone: its mode belongs to whoever is in front. */
static bool in_foreground(void)
{
    return tcgetpgrp(terminal.fd) == getpgrp();
}

static void restore(void)
{
    if (terminal.raw && in_foreground()) {
        set_mode(&terminal.saved);
    }
}

/* The handler was installed with SA_RESETHAND: raising again does what the signal does by default. */
static void on_fatal(int sig)
{
    restore();
    raise(sig);
}

static void on_stop(int sig)
{
    int saved_errno = errno;
    restore();
    raise(SIGSTOP); /* back here after SIGCONT, whose handler restores raw mode */
    errno = saved_errno;
}

static void on_continue(int sig)
{
    int saved_errno = errno;
    if (terminal.raw && in_foreground()) {
        set_mode(&terminal.mode);
    }
    errno = saved_errno;
}

/* Only where nobody else has a handler. */
static void hook(int sig, void (*fn)(int), int flags)
{
    struct sigaction old, action = {.sa_handler = fn, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    if (sigaction(sig, NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL) {
        sigaction(sig, &action, NULL);
    }
}

static void install_hooks(void)
{
    static const int fatal[] = {SIGHUP,  SIGINT, SIGQUIT, SIGILL,  SIGABRT, SIGBUS,  SIGFPE, SIGSEGV,
                                SIGTERM, SIGSYS, SIGXCPU, SIGXFSZ, SIGALRM, SIGUSR1, SIGUSR2};
    if (terminal.hooks) {
        return;
    }
    terminal.hooks = true;
    atexit(restore);
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++) {
        hook(fatal[i], on_fatal, SA_RESETHAND | SA_NODEFER | SA_ONSTACK);
    }
    hook(SIGTSTP, on_stop, SA_RESTART | SA_ONSTACK);
    hook(SIGCONT, on_continue, SA_RESTART | SA_ONSTACK);
}

bool tty_raw_enter(int fd, bool signals)
{
    struct termios saved;
    if (!isatty(fd) || tcgetattr(fd, &saved) < 0) {
        return false;
    }
    terminal.fd = fd;
    terminal.saved = saved;
    terminal.mode = saved;
    terminal.mode.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    terminal.mode.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN | (signals ? 0 : ISIG));
    terminal.mode.c_cflag = (terminal.mode.c_cflag & ~(CSIZE | PARENB)) | CS8;
    terminal.mode.c_oflag |= OPOST; /* the monitor's and our own messages end in plain newlines */
    terminal.mode.c_cc[VMIN] = 1;
    terminal.mode.c_cc[VTIME] = 0;
    install_hooks();
    terminal.raw = 1;
    if (in_foreground()) {
        set_mode(&terminal.mode);
    }
    return true;
}

void tty_raw_leave(void)
{
    restore();
    terminal.raw = 0;
}
