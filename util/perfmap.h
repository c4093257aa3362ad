/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /tmp/perf-PID.map: names of code made at run time, as perf reads them. */
#pragma once

#include "util/base.h"

/* Start writing it.  False with an error when the file cannot be made; somebody else's file is never followed. */
bool perfmap_open(GError **error);
bool perfmap_on(void);
/* Any thread.  The file stops growing at 256 MiB. */
void perfmap_add(const void *code, size_t len, const char *name);
