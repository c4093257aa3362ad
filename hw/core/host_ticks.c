/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host time, as CLOCK_MONOTONIC and as the time stamp counter. */
#include "hw/core/host_ticks.h"

#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>

static bool tsc_is_invariant(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & BIT(8));
}

static uint64_t read_tsc(void)
{
    __builtin_ia32_lfence();
    return __builtin_ia32_rdtsc();
}
#else
static bool tsc_is_invariant(void)
{
    return false;
}

static uint64_t read_tsc(void)
{
    return 0;
}
#endif

bool host_has_tsc(void)
{
    static const char source[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    g_autofree char *text = NULL;
    return tsc_is_invariant() && g_file_get_contents(source, &text, NULL, NULL) && strcmp(g_strstrip(text), "tsc") == 0;
}

int64_t host_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

uint64_t host_ticks(bool tsc)
{
    return tsc ? read_tsc() : (uint64_t)host_ns();
}
