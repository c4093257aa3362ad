/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of hw/core share: not for chips or boards. */
#pragma once

#include "hw/core/device.h"

/* Little endian load and store of a member of 1, 2, 4 or 8 bytes. */
uint64_t member_load(const void *member, unsigned size);
void member_store(void *member, unsigned size, uint64_t value);

/* Put the reset values into dev's state; `all`: fields that survive a reset too. */
void fields_reset(Device *dev, bool all);

/* Free what device_region_init_*() made. */
void regions_free(Device *dev);

void props_set_defaults(Device *dev);
void props_free(Device *dev);
