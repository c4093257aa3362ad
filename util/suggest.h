/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": the nearest of the names that would have been accepted. */
#pragma once

#include "util/base.h"

/*
 * For names that sit in tables of any shape: begin, offer each name, read the best.
 *   Suggest near = suggest_begin(word); for (...) { suggest_offer(&near, row->name); } use(near.best);
 */
typedef struct Suggest {
    const char *word;
    const char *best; /* NULL while nothing is near; points to an offered name */
    unsigned distance;
} Suggest;

Suggest suggest_begin(const char *word);
void suggest_offer(Suggest *s, const char *name);

/* The nearest of `count` names, or NULL when none is near. */
const char *suggest_near(const char *word, const char *const *names, size_t count);

/* ", did you mean 'best'?" or "" - for the end of a message; owned by the caller. */
char *suggest_text(const char *best);
