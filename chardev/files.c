/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backends on files: null, stdio, file, pipe and host serial ports. */
#include "chardev/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "chardev/tty.h"

/* ---- null ---- */

static void null_free(Chardev *chr)
{
    g_free(chr);
}

static size_t null_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    return len;
}

static void null_accept_input(Chardev *chr) {}

static char *null_describe(const Chardev *chr)
{
    return g_strdup("null");
}

static bool null_opened(const Chardev *chr)
{
    return true;
}

static const CharOps null_ops = {
    .free = null_free,
    .write = null_write,
    .accept_input = null_accept_input,
    .describe = null_describe,
    .opened = null_opened,
};

static Chardev *null_create(Opts *opts, GError **error)
{
    Chardev *chr = g_new0(Chardev, 1);
    chr->ops = &null_ops;
    return chr;
}

static const char *const no_keys[] = {NULL};
const CharBackend char_null = {"null", "output is dropped, no input", null_create, no_keys};

/* ---- stdio ---- */

/* Standard input and output are one stream of the process. */
static bool stdio_taken;

static void stdio_free(Chardev *chr)
{
    CharStream *s = container_of(chr, CharStream, chr);
    stream_fini(s);
    tty_raw_leave();
    stdio_taken = false;
    g_free(s);
}

static const CharOps stdio_ops = {
    .free = stdio_free,
    .write = stream_write,
    .accept_input = stream_accept_input,
    .describe = stream_describe,
    .opened = stream_opened,
};

static Chardev *stdio_create(Opts *opts, GError **error)
{
    bool signals = true;
    if (!opts_bool(opts, "signal", &signals, error)) {
        return NULL;
    }
    if (stdio_taken) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE,
                    "%s: stdio is already in use; share it with -chardev stdio,id=con,mux=on and -serial chardev:con "
                    "-mon chardev=con",
                    opts->name);
        return NULL;
    }
    stdio_taken = true;
    CharStream *s = g_new0(CharStream, 1);
    stream_init(s, &stdio_ops, g_strdup("stdio"));
    s->in_fd = STDIN_FILENO;
    stream_adopt_out(s, STDOUT_FILENO);
    tty_raw_enter(STDIN_FILENO, signals);
    stream_open(s);
    return &s->chr;
}

static const char *const stdio_keys[] = {"signal", NULL};
const CharBackend char_stdio = {"stdio", "the terminal; signal=on|off (Ctrl-C ends rhea, or goes to the guest)",
                                stdio_create, stdio_keys};

/* ---- file ---- */

static const char *need_path(Opts *opts, GError **error)
{
    const char *path = opts_str(opts, "path", NULL);
    if (!path || !path[0]) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "%s: %s needs path=FILE", opts->name,
                    opts_str(opts, "backend", ""));
        return NULL;
    }
    return path;
}

static int open_file(Opts *opts, const char *path, int flags, GError **error)
{
    /* Non-blocking after the open only: opening a FIFO waits for its reader, as a user expects of "file". */
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0) {
        g_autofree char *what = g_strdup_printf("cannot open '%s'", path);
        char_open_error(error, opts, what, errno, NULL);
        return -1;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

static Chardev *file_create(Opts *opts, GError **error)
{
    const char *path = need_path(opts, error);
    const char *input = opts_str(opts, "input-path", NULL);
    bool append = false;
    if (!path || !opts_bool(opts, "append", &append, error)) {
        return NULL;
    }
    int out = open_file(opts, path, O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), error);
    int in = out >= 0 && input ? open_file(opts, input, O_RDONLY, error) : -1;
    if (out < 0 || (input && in < 0)) {
        if (out >= 0) {
            close(out);
        }
        return NULL;
    }
    CharStream *s = g_new0(CharStream, 1);
    stream_init(s, &stream_ops, g_strdup_printf("file:%s", path));
    s->in_fd = in;
    s->out_fd = out;
    s->own_in = s->own_out = true;
    stream_open(s);
    return &s->chr;
}

static const char *const file_keys[] = {"path", "append", "input-path", NULL};
const CharBackend char_file = {"file", "path=FILE[,append=on][,input-path=FILE]", file_create, file_keys};

/* ---- pipe ---- */

static Chardev *pipe_create(Opts *opts, GError **error)
{
    const char *path = need_path(opts, error);
    if (!path) {
        return NULL;
    }
    /* O_RDWR: neither side waits for its peer, and a peer may come and go. */
    g_autofree char *in_path = g_strdup_printf("%s.in", path);
    g_autofree char *out_path = g_strdup_printf("%s.out", path);
    int in = open(in_path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    int out = open(out_path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (in < 0 || out < 0) {
        if (in >= 0) {
            close(in);
        }
        if (out >= 0) {
            close(out);
        }
        in = out = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    }
    if (in < 0) {
        g_autofree char *what = g_strdup_printf("cannot open '%s.in' and '%s.out', nor '%s'", path, path, path);
        g_autofree char *hint = g_strdup_printf("; create them with: mkfifo %s.in %s.out", path, path);
        char_open_error(error, opts, what, errno, hint);
        return NULL;
    }
    CharStream *s = g_new0(CharStream, 1);
    stream_init(s, &stream_ops, g_strdup_printf("pipe:%s", path));
    s->in_fd = in;
    s->out_fd = out;
    s->own_in = s->own_out = true;
    stream_open(s);
    return &s->chr;
}

static const char *const pipe_keys[] = {"path", NULL};
const CharBackend char_pipe = {"pipe", "path=FIFO (input FIFO.in, output FIFO.out)", pipe_create, pipe_keys};

/* ---- a host serial port or terminal ---- */

static Chardev *serial_create(Opts *opts, GError **error)
{
    const char *path = need_path(opts, error);
    if (!path) {
        return NULL;
    }
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct termios mode;
    if (fd < 0 || tcgetattr(fd, &mode) < 0) {
        g_autofree char *what = g_strdup_printf("cannot use '%s' as a serial port", path);
        char_open_error(error, opts, what, errno, NULL);
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    cfmakeraw(&mode);
    tcsetattr(fd, TCSANOW, &mode);
    CharStream *s = g_new0(CharStream, 1);
    stream_init(s, &stream_ops, g_strdup_printf("serial:%s", path));
    s->in_fd = s->out_fd = fd;
    s->own_in = s->own_out = true;
    stream_open(s);
    return &s->chr;
}

static const char *const serial_keys[] = {"path", NULL};
const CharBackend char_serial = {"serial", "path=/dev/ttyS0 (a serial port of the host)", serial_create, serial_keys};
