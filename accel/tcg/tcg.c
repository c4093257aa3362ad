/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The translator's engine: the interpreter's run loop, with host code in place of handlers where there is some. */
#include "accel/tcg/tcg.h"

#include "accel/interp/interp.h"
#include "accel/tcg/options.h"

static bool tcg_probe(GError **error)
{
#ifdef __x86_64__
    return true;
#else
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "the translator has no back end for this host yet");
    return false;
#endif
}

static Accel *tcg_create(struct Machine *m, const char *opts, GError **error)
{
    TcgOptions options;
    if (!tcg_options_parse(&options, opts, error)) {
        return NULL;
    }
    return interp_new(&tcg_accel_ops, m, &options, error);
}

const AccelOps tcg_accel_ops = {
    .name = "tcg",
    .desc = "translator to host code",
    .help = tcg_options_help,
    .caps = ACCEL_CAP_SOFT_CPU,
    .probe = tcg_probe,
    .create = tcg_create,
    .destroy = interp_destroy,
    .vcpu_create = interp_vcpu_create,
    .pause = interp_pause,
    .resume = interp_resume,
    .kick = interp_kick,
    .stops_changed = interp_stops_changed,
    .info = interp_info,
    .info_jit = interp_info_jit,
};
