/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The block cache's part for code that is written to.  Called by the vCPU's own thread, inside its gate. */
#pragma once

#include "accel/interp/interp.h"

/* Does memory hold what the block was made of? */
bool block_same_bytes(const Block *b);
/* From now on writes to the block's bytes are seen.  May wait for an exclusive section. */
void block_watch(const InterpVcpu *v, const Block *b);
/* The block is alive, and in the lists of its pages. */
void block_list(BlockCache *c, Block *b);
/* A page is about to be run from: blocks whose bytes have been written since are compared, and killed if they differ. */
void blocks_look_if_changed(InterpVcpu *v, const FetchEntry *f);
/* The version of a dead block that memory holds now: it lives again, and the others are its older ones.  NULL: there is none. */
Block *block_revive(InterpVcpu *v, Block *newest);
/* A few versions are kept; jumps that still lead to others leave there. */
void block_forget_oldest(BlockCache *c, Block *b);
