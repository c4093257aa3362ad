/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What random programs have besides the memory of single instructions: pages of every kind side by side, for arrays that end
 * where something else begins, and what system instructions need (descriptors, a supervisor's page).
 */
#pragma once

#include <glib.h>

#include "tests/cpu/silicon.h"

#define ARENA_BASE 0x14000000ull
enum { ARENA_PAGES = 13 };
/*
 * By page: d data, r data that is not writable, m a device's registers, s data of the supervisor, c and C the two pages of
 * code, here writable; _ absent; G the descriptors.
 */
#define ARENA_KINDS "ddrdmdsdcCd_G"
#define ARENA_GDT (ARENA_BASE + 12 * 0x1000)

/* Selectors of ARENA_GDT: as SYSCALL and SYSRET want them in a row. */
enum { SEL_CODE64 = 0x08, SEL_DATA = 0x10, SEL_CODE32 = 0x18, SEL_USER32 = 0x23, SEL_USER_DATA = 0x2b, SEL_USER64 = 0x33 };

typedef struct Arena Arena;

/* Map it into the engine's memory, before anything runs.  Ended by arena_free(), after the engine. */
Arena *arena_new(Engine *e);
void arena_free(Arena *a);
/* As it is before each program. */
void arena_reset(Arena *a);
/* Are the pages, the device's state and the code the same?  A line into why for each that is not. */
bool arena_same(const Arena *want, const Arena *got, GString *why);
