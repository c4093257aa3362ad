/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host's processor can run. */
#pragma once

#include "target/x86/cpu.h"

void host_features(FeatureSet *out);
