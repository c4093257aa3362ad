/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's fastest counter that can stand in for its monotonic clock. */
#pragma once

#include "util/base.h"

/*
 * Is the host's time stamp counter one for all processors and of constant rate?  Its kernel knows best: it keeps its own time
 * by a counter that has passed its tests.
 */
bool host_has_tsc(void);
/* CLOCK_MONOTONIC, ns. */
int64_t host_ns(void);
/* tsc: that counter, read after all that comes before; else host_ns(). */
uint64_t host_ticks(bool tsc);
