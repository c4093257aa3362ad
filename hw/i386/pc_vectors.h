/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real mode's interrupts as a BIOS leaves them to a kernel. */
#pragma once

#include "hw/core/device.h"
#include "hw/i386/boot_image.h"

/* The vector table at 0 and the handlers at the top of the ROM area. */
bool pc_vectors_add(BootImage *image, GError **error);
/* The interrupt controllers and the timer; pit may be NULL. */
void pc_vectors_reset(Device *pic, Device *pit);
