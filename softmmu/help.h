/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What -h, -version and the many "help" arguments print. */
#pragma once

#include "softmmu/options.h"

/* Print what was asked for.  True if something was: the program is done. */
bool help_if_asked(const Options *o, GError **error);
