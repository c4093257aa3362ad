/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which instructions random blocks and programs are made of. */
#include "tests/cpu/mix.h"

#include <string.h>

#include "tests/cpu/values.h"

unsigned row_class(const InsnRow *row)
{
    return row->attr & (A_X87 | A_MMX) ? CLASS_X87 : row->attr & A_SSE ? CLASS_VECTOR : CLASS_OTHER;
}

void mix_init(Mix *m, const char *name, unsigned code_size, bool rep, const FeatureSet *features)
{
    unsigned modes = code_size == 2 ? MODE_64 : MODE_16_32;
    memset(m, 0, sizeof(*m));
    m->features = *features;
    for (unsigned k = 0; k < NUM_CLASSES; k++) {
        m->rows[k] = g_new0(unsigned, insn_num_rows);
    }
    for (unsigned r = 0; r < insn_num_rows; r++) {
        const InsnRow *row = &insn_rows[r];
        if (row_runs_in_user_mode(row) && (row->modes & modes) && !(row->attr & A_NODIFF) && (rep || !(row->attr & A_REP)) &&
            feature_in(features, row->feature) && (!name || strcmp(name, row->name) == 0) &&
            strncmp(row->name, "popf", 4) != 0) {
            unsigned k = row_class(row);
            m->rows[k][m->num[k]++] = r;
            m->total++;
        }
    }
}

void mix_free(Mix *m)
{
    for (unsigned k = 0; k < NUM_CLASSES; k++) {
        g_free(m->rows[k]);
    }
}

unsigned mix_row(const Mix *m, Rng *rng)
{
    unsigned k;
    do {
        k = (unsigned)below(rng, NUM_CLASSES);
    } while (!m->num[k]);
    return m->rows[k][below(rng, m->num[k])];
}
