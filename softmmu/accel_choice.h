/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first accelerator of the user's list that works on this host. */
#pragma once

#include "softmmu/config.h"

/* Which one, without creating anything.  *opts: its option text, or NULL.  NULL: no one, the error has all reasons. */
const AccelOps *accel_choose(const Config *c, const char **opts, GError **error);
