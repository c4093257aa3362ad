/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text of command-line options: "word,key=value,flag,path=a,,b".  An error names the option and shows a caret under
 * the bad part.
 */
#pragma once

#include "util/base.h"

/* Codes are the process exit codes of the friendly face. */
typedef enum OptsError {
    OPTS_USAGE = 1,    /* the text is wrong */
    OPTS_OPEN = 2,     /* the text is right but the thing cannot be opened or locked */
    OPTS_NO_BOOT = 3,  /* nothing to boot */
    OPTS_NO_ACCEL = 7, /* a required accelerator is absent */
} OptsError;
#define OPTS_ERROR opts_error_quark()
GQuark opts_error_quark(void);

typedef struct Opt {
    char *key;   /* the implied key for a first bare word */
    char *value; /* ",," already undone; "on" for a bare flag */
    bool bare;   /* a flag without "=" */
    bool used;   /* some opts_*() asked for it */
    unsigned at, len; /* of the value in Opts.text, or of the flag */
    unsigned key_at;
} Opt;

typedef struct Opts {
    char *name; /* "-chardev" */
    char *text;
    GArray *items; /* Opt, in order */
} Opts;

/* implied: key of a first item without "=", or NULL.  NULL with an error for text that cannot be taken apart. */
Opts *opts_parse(const char *name, const char *text, const char *implied, GError **error);
void opts_free(Opts *opts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Opts, opts_free)

/* The last item with this key (a bare "noKEY" counts as KEY=off), or NULL; all of them are marked used. */
const Opt *opts_find(Opts *opts, const char *key);
/* Its value, or def. */
const char *opts_str(Opts *opts, const char *key, const char *def);

/* Each leaves *value alone when the key is absent; false with an error when its text is wrong. */
bool opts_bool(Opts *opts, const char *key, bool *value, GError **error);
bool opts_uint(Opts *opts, const char *key, uint64_t min, uint64_t max, uint64_t *value, GError **error);
/* A number without suffix counts in `unit` bytes. */
bool opts_size(Opts *opts, const char *key, uint64_t unit, uint64_t *value, GError **error);

/* Every item was used.  Otherwise an error about the first that was not, with the nearest of `known`. */
bool opts_all_used(const Opts *opts, const char *const *known, size_t num_known, GError **error);

/* Error OPTS_USAGE "NAME: message" with a caret under the item's value. */
void opts_fail(const Opts *opts, const Opt *opt, GError **error, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* The same for any text: the caret stands under [at, at + len). */
void opts_fail_at(const char *name, const char *text, unsigned at, unsigned len, GError **error, const char *format,
                  ...) G_GNUC_PRINTF(6, 7);
/* Error OPTS_USAGE with this message alone; false. */
bool bad_usage(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* on, off, yes, no, true, false, y, n (any case). */
bool parse_bool(const char *text, bool *value);
/* Decimal or 0x: the whole text. */
bool parse_uint(const char *text, uint64_t *value);
/*
 * "512", "1.5G", "0x1000", "4k": bytes.  False with the reason in *why ("drop the B") for g_free().
 */
bool parse_size(const char *text, uint64_t unit, uint64_t *value, char **why);
/* "2 GiB", "1.5 GiB", "64 KiB": owned by the caller. */
char *format_size(uint64_t bytes);
