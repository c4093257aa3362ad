/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of the translator; names and meaning are QEMU's where QEMU has them. */
#include "accel/tcg/options.h"

#include <string.h>

#include "accel/tcg/check.h"
#include "util/opts.h"

/* A block of host code is some ten KiB at most; below this a processor would mostly translate. */
#define SHARE_MIN (128 * KIB)
#define TB_SIZE_MIN 4    /* MiB */
#define TB_SIZE_MAX 2047 /* jumps reach 2 GiB */
#define TB_SIZE_DEFAULT 256
#define CHECK_DEFAULT 64 /* blocks */

static const char *const keys[] = {"tb-size", "thread", "check", "chaos"};

const char tcg_options_help[] =
    "tcg options:\n"
    "  tb-size=<MiB>          - host code kept at most, by all processors together, 4 to 2047 (default: 256)\n"
    "  thread=<single|multi>  - host threads that run the processors; single is for one processor (default: multi)\n"
    "  check=<on|off|1..256>  - compare blocks with the interpreter, at most so many at once (on: 64), stop at a\n"
    "                           difference; slow (default: off)\n"
    "  chaos=<SEED|off>       - cause flushes, invalidations and other disorder at random (default: off)\n";

static bool parse_thread(TcgOptions *o, Opts *opts, GError **error)
{
    const char *thread = opts_str(opts, "thread", "multi");
    o->single_thread = strcmp(thread, "single") == 0;
    if (!o->single_thread && strcmp(thread, "multi") != 0) {
        opts_fail(opts, opts_find(opts, "thread"), error, "thread takes single or multi, not '%s'", thread);
        return false;
    }
    return true;
}

static bool parse_check(TcgOptions *o, Opts *opts, GError **error)
{
    const char *check = opts_str(opts, "check", "off");
    uint64_t most = 0;
    bool on = false;
    if (parse_bool(check, &on)) {
        most = on ? CHECK_DEFAULT : 0;
    } else if (!parse_uint(check, &most) || most < 1 || most > CHECK_MOST) {
        opts_fail(opts, opts_find(opts, "check"), error, "check takes on, off or a number from 1 to %u, not '%s'", CHECK_MOST,
                  check);
        return false;
    }
    o->check = (unsigned)most;
    return true;
}

static bool parse_chaos(TcgOptions *o, Opts *opts, GError **error)
{
    const char *seed = opts_str(opts, "chaos", "off");
    if (strcmp(seed, "off") != 0 && !parse_uint(seed, &o->chaos)) {
        opts_fail(opts, opts_find(opts, "chaos"), error, "chaos takes off or a number, not '%s'", seed);
        return false;
    }
    return true;
}

bool tcg_options_parse(TcgOptions *o, const char *text, GError **error)
{
    g_autoptr(Opts) opts = opts_parse("-accel tcg", text ? text : "", NULL, error);
    uint64_t tb_size = TB_SIZE_DEFAULT;
    *o = (TcgOptions){0};
    if (!opts || !opts_uint(opts, "tb-size", TB_SIZE_MIN, TB_SIZE_MAX, &tb_size, error) ||
        !parse_thread(o, opts, error) || !parse_check(o, opts, error) ||
        !parse_chaos(o, opts, error)) {
        return false;
    }
    o->tb_size = tb_size * MIB;
    return opts_all_used(opts, keys, ARRAY_LEN(keys), error);
}

size_t tcg_options_share(const TcgOptions *o, unsigned num_cpus, GError **error)
{
    size_t share = (size_t)(o->tb_size / num_cpus) & ~(size_t)4095;
    if (o->single_thread && num_cpus > 1) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE,
                    "-accel tcg: thread=single runs one processor and there are %u; use thread=multi or -smp 1", num_cpus);
        return 0;
    }
    if (share < SHARE_MIN) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "-accel tcg: tb-size=%u is too small for %u processors, use %u or more",
                    (unsigned)(o->tb_size / MIB), num_cpus, (unsigned)((num_cpus * SHARE_MIN + MIB - 1) / MIB));
        return 0;
    }
    return share;
}
