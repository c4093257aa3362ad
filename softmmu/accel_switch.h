/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another engine for a machine that exists. */
#pragma once

#include "softmmu/config.h"

/*
 * text: NAME or NAME,key=value as after -accel.  Main thread, machine lock held once; the machine may run.  False with
 * an error: the engine is the one it was (or, if that cannot be made again, the process is asked to end).
 */
bool accel_switch(Machine *m, const char *text, GError **error);
