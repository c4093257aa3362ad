/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside chardev/: the controlling terminal in raw mode, and its way back whatever ends or stops the process. */
#pragma once

#include "util/base.h"

/*
 * Terminal fd to raw mode: no echo, no line editing, every key to the guest; `signals` keeps Ctrl-C, Ctrl-\ and
 * Ctrl-Z for the host.  The old mode comes back at exit, at a fatal signal and while the process is stopped.
 * False when it is not a terminal.  One terminal a process.
 */
bool tty_raw_enter(int fd, bool signals);
void tty_raw_leave(void);
