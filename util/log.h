/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log: categories chosen by -d, destination by -D, and a limiter for what a guest can provoke. */
#pragma once

#include "util/base.h"

typedef enum LogCategory {
    LOG_IN_ASM = 1 << 0,       /* each instruction or block when it is first decoded */
    LOG_INT = 1 << 1,          /* interrupts and exceptions as they are delivered */
    LOG_CPU_RESET = 1 << 2,    /* CPU state at reset */
    LOG_GUEST_ERRORS = 1 << 3, /* what a guest does that no sane guest would */
    LOG_UNIMP = 1 << 4,        /* features the guest asked for that do not exist */
    LOG_MMIO = 1 << 5,         /* every device register access */
    LOG_EXEC = 1 << 6,         /* every block as it is entered */
    LOG_OP = 1 << 7,           /* how the translator does each instruction of a block */
    LOG_OUT_ASM = 1 << 8,      /* host code of each block when it is translated */
} LogCategory;

extern unsigned log_mask; /* set once at start-up, read everywhere */

static inline bool log_on(LogCategory category)
{
    return unlikely((log_mask & category) != 0);
}

/*
 * Parse "in_asm,int,..." ("help" lists the categories on stdout and returns with *help_shown true) and
 * set log_mask.  False with an error for an unknown name.
 */
bool log_set_categories(const char *list, bool *help_shown, GError **error);

/* Send the log to a file instead of stderr.  False with an error when it cannot be opened. */
bool log_set_file(const char *path, GError **error);

/* One piece of log text; thread-safe, a call's text is never interleaved with another's. */
void log_printf(const char *format, ...) G_GNUC_PRINTF(1, 2);

void log_close(void);

/* A fault of this program, not of the guest: logged; builds for debugging (no optimisation, or ASan) stop there. */
void host_bug(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* At most RATE_LIMIT_BURST messages in a second of host time; the number dropped is told with the next one. */
#define RATE_LIMIT_BURST 10
typedef struct RateLimit {
    int64_t window; /* host monotonic time of the current second's start, ns */
    uint32_t used;
    uint32_t dropped;
} RateLimit;

/* True if one more message may be logged now. *dropped gets the number suppressed before it. */
bool rate_limit_ok(RateLimit *limit, uint32_t *dropped);
