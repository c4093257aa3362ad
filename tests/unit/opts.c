/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Option texts: escapes, flags, sizes, and the place an error points at. */
#include "util/opts.h"

#include <string.h>

static Opts *parse(const char *text, const char *implied)
{
    GError *error = NULL;
    Opts *opts = opts_parse("-x", text, implied, &error);
    g_assert_no_error(error);
    return opts;
}

static void test_parse(void)
{
    g_autoptr(Opts) o = parse("file,id=a,path=/tmp/a,,b=c,append,nowait,path=last", "backend");
    g_assert_cmpuint(o->items->len, ==, 6);
    g_assert_cmpstr(opts_str(o, "backend", NULL), ==, "file");
    g_assert_cmpstr(opts_str(o, "id", NULL), ==, "a");
    g_assert_cmpstr(opts_str(o, "path", NULL), ==, "last");
    g_assert_cmpstr(g_array_index(o->items, Opt, 2).value, ==, "/tmp/a,b=c");
    bool append = false, wait = true, other = true;
    g_assert_true(opts_bool(o, "append", &append, NULL));
    g_assert_true(opts_bool(o, "wait", &wait, NULL));
    g_assert_true(opts_bool(o, "other", &other, NULL));
    g_assert_true(append);
    g_assert_false(wait);
    g_assert_true(other);
    g_assert_true(opts_all_used(o, NULL, 0, NULL));
    g_assert_cmpstr(opts_str(o, "absent", "def"), ==, "def");
}

static void test_parse_edges(void)
{
    g_autoptr(Opts) empty = parse("", "k");
    g_assert_cmpuint(empty->items->len, ==, 0);
    g_autoptr(Opts) trailing = parse("a=1,", NULL);
    g_assert_cmpuint(trailing->items->len, ==, 1);
    g_autoptr(Opts) blank = parse("a=,b=2", NULL);
    g_assert_cmpstr(opts_str(blank, "a", NULL), ==, "");
    g_assert_cmpstr(opts_str(blank, "b", NULL), ==, "2");
    g_autoptr(Opts) commas = parse(",,", "k");
    g_assert_cmpstr(opts_str(commas, "k", NULL), ==, ",");
    g_autoptr(Opts) flag = parse("server", NULL);
    g_assert_cmpstr(opts_str(flag, "server", NULL), ==, "on");
}

static void expect_error(const char *text, const char *message)
{
    GError *error = NULL;
    g_assert_null(opts_parse("-x", text, "k", &error));
    g_assert_error(error, OPTS_ERROR, OPTS_USAGE);
    g_assert_cmpstr(error->message, ==, message);
    g_error_free(error);
}

static void test_errors(void)
{
    expect_error("a,=b", "-x: a key is missing here; the form is key=value,key=value\n"
                         "    -x a,=b\n"
                         "         ^");
    expect_error("{\"a\":1}", "-x: JSON is not supported yet; write it as key=value,key=value\n"
                              "    -x {\"a\":1}\n"
                              "       ^");
    g_autoptr(Opts) o = parse("f,pth=abc,n=12x", "backend");
    static const char *const known[] = {"backend", "path", "id"};
    GError *error = NULL;
    opts_str(o, "backend", NULL);
    g_assert_false(opts_all_used(o, known, ARRAY_LEN(known), &error));
    g_assert_nonnull(strstr(error->message, "'path'"));
    g_assert_true(g_str_has_suffix(error->message, "\n    -x f,pth=abc,n=12x\n         ^~~"));
    g_clear_error(&error);
    uint64_t n = 7;
    g_assert_false(opts_uint(o, "n", 0, 100, &n, &error));
    g_assert_cmpuint(n, ==, 7);
    g_assert_true(g_str_has_suffix(error->message, "\n                   ^~~"));
    g_clear_error(&error);
}

/* A long text is cut around the caret, and the caret still points at the token. */
static void test_long_text(void)
{
    g_autofree char *pad = g_strnfill(400, 'p');
    g_autofree char *text = g_strdup_printf("a=%s,b=\xc3\xa9\x01,bad=zz,c=%s", pad, pad);
    g_autoptr(Opts) o = parse(text, NULL);
    bool b = false;
    GError *error = NULL;
    g_assert_false(opts_bool(o, "bad", &b, &error));
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 3);
    g_assert_cmpuint(g_utf8_strlen(lines[1], -1), <, 140);
    long column = strchr(lines[2], '^') - lines[2];
    g_assert_true(g_str_has_prefix(g_utf8_offset_to_pointer(lines[1], column), "zz,c="));
    g_error_free(error);
}

static void test_sizes(void)
{
    static const struct {
        const char *text;
        uint64_t unit, value;
    } good[] = {
        {"512", MIB, 512 * MIB}, {"512M", 1, 512 * MIB},  {"1.5G", MIB, 1536 * MIB}, {"4k", 1, 4096},
        {"4K", MIB, 4096},       {"0x10", 1, 16},         {"1t", 1, 1024 * GIB},     {"7b", MIB, 7},
        {"0", MIB, 0},           {"0.5", MIB, 512 * KIB}, {"15E", 1, 15ull << 60},
    };
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"2GB", "drop the B: 2G"}, {"2GiB", "drop the iB: 2G"},
        {"", "write a number"},    {"-1", "negative"},
        {"x", "write a number"},   {"2Q", "suffixes"},
        {"16E", "64 bits"},        {"99999999999999999999", "64 bits"},
        {" 1", "write a number"},  {"1G1", "suffixes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        uint64_t value = 1;
        g_autofree char *why = NULL;
        g_assert_true(parse_size(good[i].text, good[i].unit, &value, &why));
        g_assert_cmpuint(value, ==, good[i].value);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t value;
        g_autofree char *why = NULL;
        g_assert_false(parse_size(bad[i].text, 1, &value, &why));
        g_assert_nonnull(strstr(why, bad[i].why));
    }
}

static void test_scalars(void)
{
    bool b = false;
    uint64_t n = 0;
    g_assert_true(parse_bool("ON", &b) && b);
    g_assert_true(parse_bool("no", &b) && !b);
    g_assert_false(parse_bool("1", &b));
    g_assert_true(parse_uint("0xff", &n) && n == 255);
    g_assert_true(parse_uint("010", &n) && n == 10);
    g_assert_false(parse_uint("-1", &n));
    g_assert_false(parse_uint("", &n));
    g_assert_false(parse_uint("0x", &n));
    g_assert_false(parse_uint("1a", &n));
    g_assert_false(parse_uint("18446744073709551616", &n));
    g_autofree char *gib = format_size(2 * GIB);
    g_autofree char *odd = format_size(1536 * MIB + 1);
    g_assert_cmpstr(gib, ==, "2 GiB");
    g_assert_cmpstr(odd, ==, "1.5 GiB");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/opts/parse", test_parse);
    g_test_add_func("/opts/edges", test_parse_edges);
    g_test_add_func("/opts/errors", test_errors);
    g_test_add_func("/opts/long-text", test_long_text);
    g_test_add_func("/opts/sizes", test_sizes);
    g_test_add_func("/opts/scalars", test_scalars);
    return g_test_run();
}
