/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a file given without an option is, by content and never by name. */
#pragma once

#include "util/base.h"

/*
 * True if the content is a kernel that -kernel takes; *linux_image tells a Linux bzImage from the rest.  Otherwise an
 * error that says what it is.
 */
bool detect_kernel(const char *path, bool *linux_image, GError **error);
