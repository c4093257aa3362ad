/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The proleptic Gregorian calendar.  Spec: ISO 8601; counting from 1 March makes the leap day the last of a year. */
#include "hw/rtc/calendar.h"

#include <stdio.h>

#define DAY 86400
#define DAYS_400_YEARS 146097
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

static int days_in_month(int year, int month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

int64_t calendar_to_seconds(const Calendar *c)
{
    int year = CLAMP(c->year, 0, 9999), month = CLAMP(c->month, 1, 12);
    int day = CLAMP(c->day, 1, days_in_month(year, month));
    int64_t second_of_day = CLAMP(c->hour, 0, 23) * 3600 + CLAMP(c->minute, 0, 59) * 60 + CLAMP(c->second, 0, 59);
    /* years and months from March on */
    int64_t y = month > 2 ? year : year - 1;
    int m = (month + 9) % 12;
    int64_t leap_days = (y + 400) / 4 - (y + 400) / 100 + (y + 400) / 400 - 97;
    int64_t days = y * 365 + leap_days + (m * 153 + 2) / 5 + day - 1 - DAYS_TO_1970;
    return days * DAY + second_of_day;
}

Calendar calendar_from_seconds(int64_t seconds)
{
    seconds = CLAMP(seconds, CALENDAR_MIN, CALENDAR_MAX);
    /* from -0400-03-01 all is positive */
    int64_t total = seconds + (int64_t)(DAYS_TO_1970 + DAYS_400_YEARS) * DAY;
    int64_t days = total / DAY, rest = total % DAY;
    int64_t era = days / DAYS_400_YEARS, day_of_era = days % DAYS_400_YEARS;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = (int)(day_of_era - (year_of_era * 365 + year_of_era / 4 - year_of_era / 100));
    int m = (day_of_year * 5 + 2) / 153;
    Calendar c = {
        .year = (int)(year_of_era + era * 400 - 400) + (m >= 10),
        .month = m < 10 ? m + 3 : m - 9,
        .day = day_of_year - (m * 153 + 2) / 5 + 1,
        .weekday = (int)((days + 3) % 7) + 1, /* -0400-03-01 was a Wednesday */
        .hour = (int)(rest / 3600),
        .minute = (int)(rest / 60 % 60),
        .second = (int)(rest % 60),
    };
    return c;
}

bool calendar_parse(const char *text, int64_t *seconds)
{
    Calendar c = {0};
    int date = 0, all = 0;
    int n = sscanf(text, "%4d-%2d-%2d%n%*1[T ]%2d:%2d:%2d%n", &c.year, &c.month, &c.day, &date, &c.hour, &c.minute,
                   &c.second, &all);
    bool whole = (n == 3 && text[date] == 0) || (n == 6 && text[all] == 0);
    if (!whole || c.year < 0 || c.month < 1 || c.month > 12 || c.day < 1 || c.day > days_in_month(c.year, c.month) ||
        c.hour < 0 || c.hour > 23 || c.minute < 0 || c.minute > 59 || c.second < 0 || c.second > 59) {
        return false;
    }
    *seconds = calendar_to_seconds(&c);
    return true;
}
