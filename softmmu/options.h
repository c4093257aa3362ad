/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line as a list of options, by the one table in options.def. */
#pragma once

#include "util/base.h"
#include "util/opts.h"

typedef enum OptionId {
#define GROUP(title)
#define OPT(id, name, alias, arg, status, help) OPT_##id,
#include "softmmu/options.def"
#undef OPT
#undef GROUP
    NUM_OPTIONS,
} OptionId;

typedef enum OptionStatus { OPTION_DO, OPTION_TAKE, OPTION_LATER } OptionStatus;

typedef struct OptionRow {
    OptionId id;
    const char *name, *alias;
    const char *arg; /* NULL: takes none */
    OptionStatus status;
    const char *help;
} OptionRow;

extern const OptionRow option_rows[NUM_OPTIONS];

typedef struct OptionUse {
    OptionId id;
    const char *arg; /* borrowed from argv */
} OptionUse;

typedef struct Options {
    const char *program; /* as errors name us */
    bool strict;         /* called by QEMU's name: its defaults, texts and exit codes */
    GArray *uses;        /* OptionUse, in order */
    const char *file;    /* the positional argument, or NULL */
} Options;

/* Which face: from the last part of argv[0]. */
bool options_strict_name(const char *argv0);
/* False with an error.  Options of status LATER are refused here. */
bool options_parse(Options *o, int argc, char **argv, GError **error);
void options_clear(Options *o);

bool options_has(const Options *o, OptionId id);
/* The argument of the last use, or NULL. */
const char *options_last(const Options *o, OptionId id);
/* Uses of one option in order: *pos starts at 0; NULL at the end. */
const OptionUse *options_next(const Options *o, OptionId id, unsigned *pos);
