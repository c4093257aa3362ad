/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a file given without an option is, by content and never by name. */
#pragma once

#include "util/base.h"

/* True if the content is a kernel that -kernel takes; otherwise an error that says what it is. */
bool detect_kernel(const char *path, GError **error);
