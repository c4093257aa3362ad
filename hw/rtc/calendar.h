/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The proleptic Gregorian calendar, for years 0..9999. */
#pragma once

#include "util/base.h"

typedef struct Calendar {
    int year, month, day; /* 0..9999, 1..12, 1..31 */
    int weekday;          /* 1 is Sunday */
    int hour, minute, second;
} Calendar;

#define CALENDAR_MIN (-62167219200ll) /* 0000-01-01 00:00:00 */
#define CALENDAR_MAX 253402300799ll   /* 9999-12-31 23:59:59 */

/* Members out of range are brought into it first (a day 31 of June is its 30th). */
int64_t calendar_to_seconds(const Calendar *c);
/* seconds since 1970, brought into the range above. */
Calendar calendar_from_seconds(int64_t seconds);
/* "2026-06-17" or "2026-06-17T16:01:21". */
bool calendar_parse(const char *text, int64_t *seconds);
