/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What -accel tcg,key=value asks for. */
#pragma once

#include "util/base.h"

typedef struct TcgOptions {
    uint64_t tb_size;   /* bytes of host code kept at most, by all processors together */
    bool single_thread; /* thread=single: one host thread runs every processor */
    uint64_t chaos;     /* seed of disorder, 0: none */
    unsigned check;     /* blocks that run before they are compared with the interpreter, 0: no comparison */
} TcgOptions;

/* Lines for -accel tcg,help. */
extern const char tcg_options_help[];

/* text: what follows "tcg,", or NULL.  False with an error that names the key, the value and what is allowed. */
bool tcg_options_parse(TcgOptions *o, const char *text, GError **error);

/*
 * Bytes of host code for each of num_cpus processors, a multiple of the page size; 0 with an error when the options
 * do not fit so many.
 */
size_t tcg_options_share(const TcgOptions *o, unsigned num_cpus, GError **error);
