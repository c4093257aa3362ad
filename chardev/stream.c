/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams over file descriptors: polled input as the client has room, output that never waits with a bounded queue.
 * Spec: poll(2), write(2), tty_ioctl(4)
 */
#include "chardev/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <glib-unix.h>

#define FLUSH_MS 200     /* at exit, for output that is still queued */
#define CAREFUL_BURST 64 /* a terminal that polls writable has room for at least this */

typedef struct StreamSource {
    GSource base;
    CharStream *stream;
} StreamSource;

/* ---- polling ---- */

/* Poll for input exactly while the client has room, for output while something is queued. */
static void update_polling(CharStream *s)
{
    bool want_in = s->open && s->in_fd >= 0 && char_can_receive(&s->chr) > 0;
    bool want_out = s->open && s->out_fd >= 0 && s->used > 0;
    if (want_in && !s->in_tag) {
        s->in_tag = g_source_add_unix_fd(s->source, s->in_fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
    } else if (!want_in && s->in_tag) {
        g_source_remove_unix_fd(s->source, g_steal_pointer(&s->in_tag));
    }
    if (want_out && !s->out_tag) {
        s->out_tag = g_source_add_unix_fd(s->source, s->out_fd, G_IO_OUT | G_IO_HUP | G_IO_ERR);
    } else if (!want_out && s->out_tag) {
        g_source_remove_unix_fd(s->source, g_steal_pointer(&s->out_tag));
    }
}

static void hangup(CharStream *s)
{
    if (s->hangup) {
        s->hangup(s);
    } else {
        s->in_fd = -1; /* end of input only: output goes on */
    }
}

static void read_some(CharStream *s)
{
    uint8_t buf[4096];
    size_t room = char_can_receive(&s->chr);
    ssize_t n = room ? read(s->in_fd, buf, MIN(room, sizeof(buf))) : -1;
    if (n < 0 && (!room || errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        if (s->own_in && s->in_fd != s->out_fd) {
            close(s->in_fd);
        }
        if (s->in_tag) {
            g_source_remove_unix_fd(s->source, g_steal_pointer(&s->in_tag));
        }
        hangup(s);
        return;
    }
    size_t len = s->filter ? s->filter(s, buf, n) : (size_t)n;
    if (len) {
        char_receive(&s->chr, buf, len);
    }
}

/* ---- output ---- */

static ssize_t put(CharStream *s, const uint8_t *buf, size_t len)
{
    struct pollfd pfd = {.fd = s->out_fd, .events = POLLOUT};
    switch (s->out_kind) {
    case OUT_SOCKET:
        return send(s->out_fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    case OUT_CAREFUL:
        if (poll(&pfd, 1, 0) <= 0 || !(pfd.revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL))) {
            errno = EAGAIN;
            return -1;
        }
        return write(s->out_fd, buf, MIN(len, CAREFUL_BURST));
    case OUT_PLAIN:
        break;
    }
    return write(s->out_fd, buf, len);
}

static bool may_recover(int err)
{
    return err == ENOSPC || err == EDQUOT || err == EFBIG;
}

/* Write what can be written now; an error drops all of it, with one message for the life of the stream. */
static size_t put_all(CharStream *s, const uint8_t *buf, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = put(s, buf + done, len - done);
        if (n >= 0) {
            done += n;
        } else if (errno == EAGAIN) {
            return done;
        } else if (errno != EINTR) {
            int err = errno;
            if (s->hangup && !may_recover(err)) {
                hangup(s); /* a connection: the peer went away, which is no news */
                return len;
            }
            if (!s->warned) {
                s->warned = true;
                char_warn("%s: cannot write: %s; output is dropped", s->label, g_strerror(err));
            }
            if (!may_recover(err)) {
                if (s->own_out && s->out_fd != s->in_fd) {
                    close(s->out_fd);
                }
                s->out_fd = -1;
            }
            return len;
        }
    }
    return done;
}

static void flush_queue(CharStream *s)
{
    while (s->used && s->open && s->out_fd >= 0) {
        size_t run = MIN(s->used, STREAM_QUEUE - s->head);
        size_t n = put_all(s, s->queue + s->head, run);
        if (s->used == 0 || n == 0) {
            break; /* closed meanwhile, or the peer is full */
        }
        s->head = (s->head + n) % STREAM_QUEUE;
        s->used -= n;
    }
    if (s->out_fd < 0) {
        s->used = 0;
    }
}

static size_t enqueue(CharStream *s, const uint8_t *buf, size_t len)
{
    size_t n = MIN(len, STREAM_QUEUE - s->used);
    for (size_t i = 0; i < n; i++) {
        s->queue[(s->head + s->used + i) % STREAM_QUEUE] = buf[i];
    }
    s->used += n;
    return n;
}

size_t stream_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    CharStream *s = container_of(chr, CharStream, chr);
    if (!s->open || s->out_fd < 0) {
        return len;
    }
    size_t done = s->used ? 0 : put_all(s, buf, len);
    if (done < len && s->open && s->out_fd >= 0) {
        done += enqueue(s, buf + done, len - done);
        s->starved |= done < len;
        update_polling(s);
    }
    return s->open && s->out_fd >= 0 ? done : len;
}

void stream_accept_input(Chardev *chr)
{
    update_polling(container_of(chr, CharStream, chr));
}

/* ---- the event source ---- */

static gboolean source_check(GSource *source)
{
    CharStream *s = ((StreamSource *)source)->stream;
    return (s->in_tag && g_source_query_unix_fd(source, s->in_tag)) ||
           (s->out_tag && g_source_query_unix_fd(source, s->out_tag));
}

static gboolean source_dispatch(GSource *source, GSourceFunc fn, gpointer data)
{
    CharStream *s = ((StreamSource *)source)->stream;
    bool in = s->in_tag && g_source_query_unix_fd(source, s->in_tag);
    bool out = s->out_tag && g_source_query_unix_fd(source, s->out_tag);
    if (out) {
        flush_queue(s);
        if (s->starved && s->used <= STREAM_QUEUE / 2) {
            s->starved = false;
            char_writable(&s->chr);
        }
    }
    if (in && s->in_tag) {
        read_some(s);
    }
    update_polling(s);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.check = source_check, .dispatch = source_dispatch};

/* ---- life ---- */

void stream_init(CharStream *s, const CharOps *ops, char *label)
{
    s->chr.ops = ops;
    s->label = label;
    s->in_fd = s->out_fd = -1;
    s->source = g_source_new(&source_funcs, sizeof(StreamSource));
    ((StreamSource *)s->source)->stream = s;
    g_source_attach(s->source, NULL);
}

void stream_open(CharStream *s)
{
    s->open = true;
    s->head = s->used = 0;
    char_event(&s->chr, CHAR_OPENED);
    update_polling(s);
}

static void close_fds(CharStream *s)
{
    if (s->own_in && s->in_fd >= 0) {
        close(s->in_fd);
    }
    if (s->own_out && s->out_fd >= 0 && s->out_fd != s->in_fd) {
        close(s->out_fd);
    }
    s->in_fd = s->out_fd = -1;
}

void stream_close(CharStream *s)
{
    bool was_open = s->open;
    bool starved = s->starved;
    s->open = s->starved = false;
    s->head = s->used = 0;
    update_polling(s);
    close_fds(s);
    if (was_open) {
        char_event(&s->chr, CHAR_CLOSED);
    }
    if (starved) {
        char_writable(&s->chr); /* everything is taken and dropped from now on */
    }
}

void stream_fini(CharStream *s)
{
    int64_t end = g_get_monotonic_time() + FLUSH_MS * 1000;
    s->chr.attached = false;
    flush_queue(s);
    while (s->used && s->open && s->out_fd >= 0 && g_get_monotonic_time() < end) {
        struct pollfd pfd = {.fd = s->out_fd, .events = POLLOUT};
        poll(&pfd, 1, FLUSH_MS / 10);
        flush_queue(s);
    }
    g_source_destroy(s->source);
    g_source_unref(s->source);
    close_fds(s);
    g_free(s->label);
}

static void stream_free(Chardev *chr)
{
    CharStream *s = container_of(chr, CharStream, chr);
    stream_fini(s);
    g_free(s);
}

char *stream_describe(const Chardev *chr)
{
    return g_strdup(container_of(chr, CharStream, chr)->label);
}

bool stream_opened(const Chardev *chr)
{
    return container_of(chr, CharStream, chr)->open;
}

const CharOps stream_ops = {
    .free = stream_free,
    .write = stream_write,
    .accept_input = stream_accept_input,
    .describe = stream_describe,
    .opened = stream_opened,
};

/* ---- shared descriptors ---- */

/*
 * O_NONBLOCK belongs to the open file description, which our parent shell shares.  A terminal or pipe can be opened
 * again under /proc, which gives a description of our own.  (Not the master side of a pty: that would make a new
 * one.)
 */
static int reopen_nonblocking(int fd, const struct stat *st)
{
    if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(5, 2)) {
        return -1;
    }
    char path[32];
    g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void stream_adopt_out(CharStream *s, int fd)
{
    struct stat st;
    s->out_fd = fd;
    s->own_out = false;
    s->out_kind = OUT_PLAIN;
    if (fstat(fd, &st) < 0) {
        return; /* the first write tells */
    }
    if (S_ISSOCK(st.st_mode)) {
        s->out_kind = OUT_SOCKET;
    } else if (S_ISFIFO(st.st_mode) || isatty(fd)) {
        int own = reopen_nonblocking(fd, &st);
        s->own_out = own >= 0;
        s->out_fd = own >= 0 ? own : fd;
        s->out_kind = own >= 0 ? OUT_PLAIN : OUT_CAREFUL;
    }
}
