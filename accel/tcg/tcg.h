/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The accelerator `tcg`. */
#pragma once

#include "accel/accel.h"

extern const AccelOps tcg_accel_ops;
