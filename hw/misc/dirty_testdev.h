/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "dirty-testdev": a guest's view of the log of writes to its memory, for tests.  32-bit registers in ports:
 *   ADDRESS, PAGES  the logged memory; PAGES is at most DIRTY_TESTDEV_MAX_PAGES
 *   BUFFER          where TAKE puts its bitmap, and what WRITE writes to
 *   COMMAND         LOG begins the log (all clean), END ends it, TAKE writes the bitmap of what was written since, WRITE
 *                   writes DIRTY_TESTDEV_DMA bytes by DMA.  Reads 1 when the last command worked.
 */
#pragma once

#define DIRTY_TESTDEV_MAX_PAGES 4096u
#define DIRTY_TESTDEV_DMA 16u

enum { DIRTY_TESTDEV_ADDRESS = 0, DIRTY_TESTDEV_PAGES = 4, DIRTY_TESTDEV_BUFFER = 8, DIRTY_TESTDEV_COMMAND = 12 };
enum { DIRTY_TESTDEV_LOG = 1, DIRTY_TESTDEV_END, DIRTY_TESTDEV_TAKE, DIRTY_TESTDEV_WRITE };
