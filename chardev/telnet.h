/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside chardev/: the little of the telnet protocol that a console needs. */
#pragma once

#include "util/base.h"

typedef struct Telnet {
    uint8_t state; /* where the last input ended */
} Telnet;

/* What a server sends first: it echoes, no line mode, eight bits both ways. */
extern const uint8_t telnet_hello[12];

/* Take the commands out of input, in place; returns what is left.  *got_break is set when a break was among them. */
size_t telnet_filter(Telnet *t, uint8_t *buf, size_t len, bool *got_break);
