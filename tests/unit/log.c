/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util/log: categories, destinations that fail, messages that stay whole, the limiter. */
#include "util/log.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static void test_categories(void)
{
    GError *error = NULL;
    bool help;
    g_assert_true(log_set_categories("int,mmio", &help, &error));
    g_assert_false(help);
    g_assert_cmpuint(log_mask, ==, LOG_INT | LOG_MMIO);
    g_assert_true(log_on(LOG_MMIO));
    g_assert_false(log_on(LOG_EXEC));

    g_assert_false(log_set_categories("guest_error", &help, &error));
    g_assert_nonnull(strstr(error->message, "'guest_error'"));
    g_assert_nonnull(strstr(error->message, "did you mean 'guest_errors'"));
    g_clear_error(&error);
    g_assert_cmpuint(log_mask, ==, LOG_INT | LOG_MMIO); /* nothing changed */
    g_assert_false(log_set_categories("int,,mmio", &help, &error));
    g_clear_error(&error);
    log_mask = 0;
}

static void test_help(void)
{
    if (g_test_subprocess()) {
        bool help;
        g_assert_true(log_set_categories("help", &help, NULL));
        g_assert_true(help);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stdout("*guest_errors*mmio*");
}

static void test_bad_file(void)
{
    GError *error = NULL;
    g_assert_false(log_set_file("/nonexistent/dir/log", &error));
    g_assert_nonnull(strstr(error->message, "/nonexistent/dir/log"));
    g_assert_nonnull(strstr(error->message, "No such file"));
    g_clear_error(&error);
}

static void *writer(void *opaque)
{
    for (int i = 0; i < 500; i++) {
        log_printf("%0*d\n", 700, GPOINTER_TO_INT(opaque)); /* longer than the small buffer */
    }
    return NULL;
}

static void test_threads(void)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("rhea-log-XXXXXX", &path, NULL);
    close(fd);
    g_assert_true(log_set_file(path, NULL));
    GThread *a = g_thread_new("a", writer, GINT_TO_POINTER(1));
    GThread *b = g_thread_new("b", writer, GINT_TO_POINTER(2));
    g_thread_join(a);
    g_thread_join(b);
    log_close();

    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 1001);
    for (int i = 0; i < 1000; i++) {
        g_assert_cmpuint(strlen(lines[i]), ==, 700);
    }
    g_unlink(path);
}

/* The log ends, the process goes on, and stderr says why, once. */
static void test_full_disk(void)
{
    if (g_test_subprocess()) {
        g_assert_true(log_set_file("/dev/full", NULL));
        log_printf("one\n");
        log_printf("two\n");
        log_close();
        return;
    }
    if (!g_file_test("/dev/full", G_FILE_TEST_EXISTS)) {
        g_test_skip("this host has no /dev/full");
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("cannot write log file '/dev/full': No space left on device; the log ends here\n");
}

static void test_broken_pipe(void)
{
    if (g_test_subprocess()) {
        int fds[2];
        g_assert_cmpint(pipe(fds), ==, 0);
        close(fds[0]);
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fds[1]);
        /* a reader that leaves: open needs one there, so keep our own until it is open */
        int reader = open(path, O_RDONLY | O_NONBLOCK);
        g_assert_true(log_set_file(path, NULL));
        close(reader);
        close(fds[1]);
        log_printf("one\n");
        log_printf("two\n");
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*Broken pipe; the log ends here\n");
}

static void test_rate_limit(void)
{
    RateLimit limit = {0};
    uint32_t dropped;
    for (int i = 0; i < RATE_LIMIT_BURST; i++) {
        g_assert_true(rate_limit_ok(&limit, &dropped));
        g_assert_cmpuint(dropped, ==, 0);
    }
    g_assert_false(rate_limit_ok(&limit, &dropped));
    g_assert_false(rate_limit_ok(&limit, &dropped));
    limit.window -= 2 * NS_PER_SEC; /* as if time had passed */
    g_assert_true(rate_limit_ok(&limit, &dropped));
    g_assert_cmpuint(dropped, ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/log/categories", test_categories);
    g_test_add_func("/log/help", test_help);
    g_test_add_func("/log/bad-file", test_bad_file);
    g_test_add_func("/log/threads", test_threads);
    g_test_add_func("/log/full-disk", test_full_disk);
    g_test_add_func("/log/broken-pipe", test_broken_pipe);
    g_test_add_func("/log/rate-limit", test_rate_limit);
    return g_test_run();
}
