/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program: options, set-up, the loop, the exit code. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "softmmu/config.h"
#include "softmmu/daemon.h"
#include "softmmu/help.h"
#include "softmmu/options.h"
#include "softmmu/vm.h"
#include "util/log.h"
#include "util/perfmap.h"

/*
 * Descriptors 0 to 2 exist from here on, so that no other file takes their number.  They are opened the wrong way
 * round: reading a closed standard input, or writing to a closed output, fails as it would have.
 */
static void fill_standard_fds(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            int got = open("/dev/null", fd == 1 ? O_RDONLY : O_WRONLY);
            g_assert(got == fd); /* open() takes the lowest free number */
        }
    }
}

/* Under our own name an exit code says what went wrong; QEMU knows 1 only. */
static int exit_code(const Options *o, const GError *error)
{
    if (o->strict) {
        return 1;
    }
    if (error->domain == OPTS_ERROR) {
        return error->code;
    }
    if (error->domain == G_FILE_ERROR && error->code != G_FILE_ERROR_INVAL) {
        return OPTS_OPEN;
    }
    return OPTS_USAGE;
}

/* One message; the caret lines only where a person reads them. */
static int report(const Options *o, GError *error)
{
    int code = exit_code(o, error);
    int len = o->strict ? (int)strcspn(error->message, "\n") : (int)strlen(error->message);
    fflush(stdout);
    fprintf(stderr, "%s: %.*s\n", o->program, len, error->message);
    g_error_free(error);
    return code;
}

static bool open_perfmap(const Options *o, GError **error)
{
    if (options_has(o, OPT_PERFMAP) && !perfmap_open(error)) {
        (*error)->domain = OPTS_ERROR;
        (*error)->code = OPTS_OPEN;
        return false;
    }
    return true;
}

static bool open_log(const Options *o, bool *done, GError **error)
{
    const char *items = options_last(o, OPT_D);
    const char *path = options_last(o, OPT_D_FILE);
    if (path && !log_set_file(path, error)) {
        g_prefix_error(error, "-D: ");
        (*error)->domain = OPTS_ERROR;
        (*error)->code = OPTS_OPEN;
        return false;
    }
    if (items && !log_set_categories(items, done, error)) {
        g_prefix_error(error, "-d %s: ", items);
        return false;
    }
    return true;
}

static bool start(Vm *vm, Config *c, Daemon *d, GError **error)
{
    if (c->daemonize && !daemon_fork(d, error)) {
        return false;
    }
    if (!open_perfmap(c->options, error)) {
        return false;
    }
    if (c->pidfile && !daemon_write_pid(d, c->pidfile, error)) {
        return false;
    }
    if (!config_open_streams(c, error) || !vm_create(vm, c, error)) {
        return false;
    }
    daemon_ready(d);
    return true;
}

static int run(Options *o)
{
    Config config = {0};
    Vm vm = {0};
    Daemon d = {.ready_fd = -1, .pid_fd = -1};
    GError *error = NULL;
    bool done = false;
    int code = 0;
    if (help_if_asked(o, &error) || (!error && (!open_log(o, &done, &error) || done))) {
        return error ? report(o, error) : 0;
    }
    if (!error && config_read(&config, o, &error) && start(&vm, &config, &d, &error)) {
        code = vm_run(&vm);
    }
    vm_destroy(&vm);
    config_clear(&config);
    daemon_clear(&d);
    log_close();
    return error ? report(o, error) : code;
}

int main(int argc, char **argv)
{
    g_autofree char *program = g_path_get_basename(argc > 0 ? argv[0] : "rhea");
    Options o = {.program = program, .strict = options_strict_name(program)};
    GError *error = NULL;
    fill_standard_fds();
    signal(SIGPIPE, SIG_IGN);
    g_set_prgname(program);
    int code = options_parse(&o, argc, argv, &error) ? run(&o) : report(&o, error);
    options_clear(&o);
    return code;
}
