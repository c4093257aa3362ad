/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pseudo-terminal that users open with screen, minicom or cat.  The master side tells nothing when somebody opens
 * the other side, so while nobody has it open we look now and then; output of that time is dropped.
 * Spec: pty(7), poll(2): POLLHUP on a master means that no slave is open
 */
#include "chardev/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define LOOK_MS 200

typedef struct CharPty {
    CharStream s;
    int master;
    GSource *look; /* while nobody has the other side open */
} CharPty;

static CharPty *pty_of(const Chardev *chr)
{
    return container_of(container_of(chr, CharStream, chr), CharPty, s);
}

static void stop_looking(CharPty *p)
{
    if (p->look) {
        g_source_destroy(p->look);
        g_source_unref(g_steal_pointer(&p->look));
    }
}

static bool slave_open(const CharPty *p)
{
    struct pollfd pfd = {.fd = p->master, .events = POLLOUT};
    return poll(&pfd, 1, 0) >= 0 && !(pfd.revents & POLLHUP);
}

static bool try_connect(CharPty *p)
{
    if (!p->s.open && slave_open(p)) {
        stop_looking(p);
        p->s.in_fd = p->s.out_fd = p->master;
        stream_open(&p->s);
    }
    return p->s.open;
}

static gboolean look(void *opaque)
{
    CharPty *p = opaque;
    try_connect(p); /* destroys this source when it succeeds */
    return G_SOURCE_CONTINUE;
}

static void start_looking(CharPty *p)
{
    p->look = g_timeout_source_new(LOOK_MS);
    g_source_set_callback(p->look, look, p, NULL);
    g_source_attach(p->look, NULL);
}

static void pty_hangup(CharStream *s)
{
    CharPty *p = container_of(s, CharPty, s);
    stream_close(s); /* the master stays open: the stream does not own it */
    if (!p->look) {
        start_looking(p);
    }
}

static size_t pty_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    CharPty *p = pty_of(chr);
    return try_connect(p) ? stream_write(chr, buf, len) : len;
}

static void pty_free(Chardev *chr)
{
    CharPty *p = pty_of(chr);
    stop_looking(p);
    p->s.hangup = NULL;
    p->s.warned = true;
    stream_fini(&p->s);
    close(p->master);
    g_free(p);
}

static const CharOps pty_ops = {
    .free = pty_free,
    .write = pty_write,
    .accept_input = stream_accept_input,
    .describe = stream_describe,
    .opened = stream_opened,
};

/* A pty pair, raw, closed on the slave side. */
static int open_master(char *name, size_t size)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    struct termios mode;
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, name, size) != 0) {
        if (master >= 0) {
            close(master);
        }
        return -1;
    }
    fcntl(master, F_SETFD, FD_CLOEXEC);
    fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
    /* POLLHUP is reported only after a slave has been open once. */
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave >= 0) {
        if (tcgetattr(slave, &mode) == 0) {
            cfmakeraw(&mode);
            tcsetattr(slave, TCSANOW, &mode);
        }
        close(slave);
    }
    return master;
}

static Chardev *pty_create(Opts *opts, GError **error)
{
    char name[64];
    int master = open_master(name, sizeof(name));
    if (master < 0) {
        char_open_error(error, opts, "cannot make a pseudo-terminal", errno, NULL);
        return NULL;
    }
    CharPty *p = g_new0(CharPty, 1);
    stream_init(&p->s, &pty_ops, g_strdup_printf("pty:%s", name));
    p->s.hangup = pty_hangup;
    p->master = master;
    start_looking(p);
    return &p->s.chr;
}

static const char *const pty_keys[] = {NULL};
const CharBackend char_pty = {"pty", "a pseudo-terminal; its name is printed", pty_create, pty_keys};
