/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": edit distance (insertion, deletion, substitution, neighbours swapped) without regard to case. */
#include "util/suggest.h"

#include <string.h>

#define SUGGEST_MAX 64 /* longer words are not typing errors of ours */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = MIN(a, b);
    return MIN(m, c);
}

/* Optimal string alignment distance; both words fit SUGGEST_MAX. */
static unsigned distance(const char *a, size_t la, const char *b, size_t lb)
{
    unsigned rows[3][SUGGEST_MAX + 1];
    unsigned *older = rows[0], *old = rows[1], *now = rows[2];

    for (size_t j = 0; j <= lb; j++) {
        old[j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            char ca = g_ascii_tolower(a[i - 1]), cb = g_ascii_tolower(b[j - 1]);
            now[j] = min3(old[j] + 1, now[j - 1] + 1, old[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == g_ascii_tolower(b[j - 2]) && cb == g_ascii_tolower(a[i - 2])) {
                now[j] = MIN(now[j], older[j - 2] + 1);
            }
        }
        unsigned *spare = older;
        older = old;
        old = now;
        now = spare;
    }
    return old[lb];
}

Suggest suggest_begin(const char *word)
{
    return (Suggest){.word = word, .distance = UINT_MAX};
}

void suggest_offer(Suggest *s, const char *name)
{
    size_t la = strlen(s->word), lb = strlen(name);
    if (la == 0 || la > SUGGEST_MAX || lb > SUGGEST_MAX) {
        return;
    }
    unsigned d = distance(s->word, la, name, lb);
    /* A third of the word may be wrong; what was typed as the beginning of a name is near too. */
    unsigned limit = MAX(1u, (unsigned)MAX(la, lb) / 3);
    if (d > limit && la >= 3 && g_ascii_strncasecmp(s->word, name, la) == 0) {
        d = limit;
    }
    if (d <= limit && d < s->distance && d < MAX(la, lb)) {
        s->distance = d;
        s->best = name;
    }
}

const char *suggest_near(const char *word, const char *const *names, size_t count)
{
    Suggest s = suggest_begin(word);
    for (size_t i = 0; i < count; i++) {
        suggest_offer(&s, names[i]);
    }
    return s.best;
}

char *suggest_text(const char *best)
{
    return best ? g_strdup_printf(", did you mean '%s'?", best) : g_strdup("");
}
