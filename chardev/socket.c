/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP and unix sockets, as a server for one peer at a time or as a client that may reconnect.
 * Spec: socket(7), RFC 854 for telnet=on
 */
#include "chardev/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib-unix.h>

#include "chardev/address.h"
#include "chardev/telnet.h"

typedef struct CharSocket {
    CharStream s;
    SocketAddress address;
    bool server, telnet, nodelay;
    uint64_t reconnect; /* seconds; 0: never */
    int listen_fd;      /* -1: a client */
    int pending_fd;     /* a connect() under way, or -1 */
    GSource *waiter;    /* for a peer, a connect or the time of the next one */
    Telnet parser;
} CharSocket;

static CharSocket *socket_of(const Chardev *chr)
{
    return container_of(container_of(chr, CharStream, chr), CharSocket, s);
}

static void stop_waiting(CharSocket *c)
{
    if (c->waiter) {
        g_source_destroy(c->waiter);
        g_source_unref(g_steal_pointer(&c->waiter));
    }
}

static void start_waiting(CharSocket *c, GSource *source, GSourceFunc fn)
{
    stop_waiting(c);
    c->waiter = source;
    g_source_set_callback(source, fn, c, NULL);
    g_source_attach(source, NULL);
}

/* ---- a connection ---- */

static void use_connection(CharSocket *c, int fd)
{
    int on = 1;
    stop_waiting(c);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (c->nodelay) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails on unix sockets, harmlessly */
    }
    c->parser = (Telnet){0};
    if (c->telnet && c->server) {
        send(fd, telnet_hello, sizeof(telnet_hello), MSG_DONTWAIT | MSG_NOSIGNAL); /* a new socket has room */
    }
    c->s.in_fd = c->s.out_fd = fd;
    c->s.own_in = c->s.own_out = true;
    c->s.out_kind = OUT_SOCKET;
    stream_open(&c->s);
}

static void start_listening(CharSocket *c);
static void start_reconnect_timer(CharSocket *c);

static void socket_hangup(CharStream *s)
{
    CharSocket *c = container_of(s, CharSocket, s);
    stream_close(s);
    if (c->listen_fd >= 0) {
        start_listening(c);
    } else if (c->reconnect) {
        start_reconnect_timer(c);
    }
}

static size_t socket_filter(CharStream *s, uint8_t *buf, size_t len)
{
    CharSocket *c = container_of(s, CharSocket, s);
    bool got_break = false;
    len = telnet_filter(&c->parser, buf, len, &got_break);
    if (got_break) {
        char_event(&s->chr, CHAR_BREAK);
    }
    return len;
}

/* ---- server ---- */

static bool try_accept(CharSocket *c)
{
    int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    use_connection(c, fd);
    return true;
}

static gboolean peer_arrives(gint fd, GIOCondition condition, gpointer opaque)
{
    try_accept(opaque); /* stops this source when there is one */
    return G_SOURCE_CONTINUE;
}

static void start_listening(CharSocket *c)
{
    start_waiting(c, g_unix_fd_source_new(c->listen_fd, G_IO_IN), G_SOURCE_FUNC(peer_arrives));
}

/* wait=on: nothing starts before there is a peer. */
static void wait_for_peer(CharSocket *c)
{
    struct pollfd pfd = {.fd = c->listen_fd, .events = POLLIN};
    fprintf(stderr, "%s: info: waiting for a connection on %s\n", g_get_prgname() ? g_get_prgname() : "rhea",
            c->s.label);
    do {
        poll(&pfd, 1, -1);
    } while (!try_accept(c));
}

/* ---- client ---- */

static gboolean connect_ends(gint fd, GIOCondition condition, gpointer opaque)
{
    CharSocket *c = opaque;
    int err = 0;
    socklen_t len = sizeof(err);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
    c->pending_fd = -1;
    if (err == 0) {
        use_connection(c, fd);
    } else {
        close(fd);
        start_reconnect_timer(c);
    }
    return G_SOURCE_REMOVE;
}

static gboolean reconnect_due(gpointer opaque)
{
    CharSocket *c = opaque;
    c->pending_fd = address_connect_begin(&c->address);
    if (c->pending_fd >= 0) {
        start_waiting(c, g_unix_fd_source_new(c->pending_fd, G_IO_OUT), G_SOURCE_FUNC(connect_ends));
    } else {
        start_reconnect_timer(c);
    }
    return G_SOURCE_REMOVE;
}

static void start_reconnect_timer(CharSocket *c)
{
    start_waiting(c, g_timeout_source_new_seconds(c->reconnect), reconnect_due);
}

/* ---- Chardev ---- */

static size_t socket_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    CharSocket *c = socket_of(chr);
    static const uint8_t iac = 255;
    size_t done = 0;
    if (!c->telnet) {
        return stream_write(chr, buf, len);
    }
    while (done < len) {
        const uint8_t *escape = memchr(buf + done, iac, len - done);
        size_t run = escape ? (size_t)(escape - (buf + done)) : len - done;
        size_t n = run ? stream_write(chr, buf + done, run) : 0;
        done += n;
        if (n < run) {
            break;
        }
        if (escape) {
            const uint8_t pair[2] = {iac, iac};
            if (c->s.open && STREAM_QUEUE - c->s.used < sizeof(pair)) {
                c->s.starved = true;
                break;
            }
            stream_write(chr, pair, sizeof(pair));
            done++;
        }
    }
    return done;
}

static char *socket_describe(const Chardev *chr)
{
    const CharSocket *c = socket_of(chr);
    return g_strdup_printf("%s%s%s", c->s.label, c->server ? ",server=on" : "", c->s.open ? "" : " (disconnected)");
}

static void socket_free(Chardev *chr)
{
    CharSocket *c = socket_of(chr);
    stop_waiting(c);
    c->s.hangup = NULL; /* no new connection during the last flush, and no complaint */
    c->s.warned = true;
    stream_fini(&c->s);
    if (c->pending_fd >= 0) {
        close(c->pending_fd);
    }
    if (c->listen_fd >= 0) {
        close(c->listen_fd);
        if (c->address.path) {
            unlink(c->address.path);
        }
    }
    address_free(&c->address);
    g_free(c);
}

static const CharOps socket_ops = {
    .free = socket_free,
    .write = socket_write,
    .accept_input = stream_accept_input,
    .describe = socket_describe,
    .opened = stream_opened,
};

/* ---- creation ---- */

/* fd=N: a socket that our parent made; listening or connected, as it is. */
static bool adopt_fd(CharSocket *c, Opts *opts, const Opt *opt, GError **error)
{
    uint64_t fd;
    int listening = 0;
    socklen_t len = sizeof(listening);
    if (!parse_uint(opt->value, &fd) || fd > INT32_MAX ||
        getsockopt((int)fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0) {
        opts_fail(opts, opt, error, "'%s' is not the number of an open socket", opt->value);
        return false;
    }
    if (c->server != (listening != 0)) {
        opts_fail(opts, opt, error, "this socket is %s; write server=%s", listening ? "listening" : "connected",
                  listening ? "on" : "off");
        return false;
    }
    fcntl((int)fd, F_SETFD, FD_CLOEXEC);
    c->s.label = g_strdup_printf("fd:%d", (int)fd);
    if (listening) {
        fcntl((int)fd, F_SETFL, fcntl((int)fd, F_GETFL) | O_NONBLOCK);
        c->listen_fd = (int)fd;
    } else {
        use_connection(c, (int)fd);
    }
    return true;
}

static bool open_client(CharSocket *c, const Opts *opts, GError **error)
{
    int fd = address_connect(&c->address);
    if (fd >= 0) {
        use_connection(c, fd);
    } else if (c->reconnect) {
        start_reconnect_timer(c);
    } else {
        g_autofree char *what = g_strdup_printf("cannot connect to %s", c->s.label);
        bool absent = errno == ECONNREFUSED || errno == ENOENT;
        char_open_error(error, opts, what, errno,
                        absent ? "; start its server first, or add server=on to be one" : NULL);
        return false;
    }
    return true;
}

static bool open_socket(CharSocket *c, Opts *opts, GError **error)
{
    const Opt *fd = opts_find(opts, "fd");
    if (fd) {
        return adopt_fd(c, opts, fd, error);
    }
    if (!address_parse(&c->address, opts, c->server, error)) {
        return false;
    }
    c->s.label = address_text(&c->address);
    if (!c->server) {
        return open_client(c, opts, error);
    }
    c->listen_fd = address_listen(&c->address, opts, error);
    return c->listen_fd >= 0;
}

static Chardev *socket_create(Opts *opts, GError **error)
{
    bool server = false, wait = true, telnet = false, nodelay = true;
    uint64_t reconnect = 0;
    if (!opts_bool(opts, "server", &server, error) || !opts_bool(opts, "wait", &wait, error) ||
        !opts_bool(opts, "telnet", &telnet, error) || !opts_bool(opts, "nodelay", &nodelay, error) ||
        !opts_uint(opts, "reconnect", 0, 3600, &reconnect, error)) {
        return NULL;
    }
    if (!server && opts_find(opts, "wait")) {
        opts_fail(opts, opts_find(opts, "wait"), error, "wait= is for server=on");
        return NULL;
    }
    CharSocket *c = g_new0(CharSocket, 1);
    stream_init(&c->s, &socket_ops, NULL);
    c->server = server;
    c->telnet = telnet;
    c->nodelay = nodelay;
    c->reconnect = reconnect;
    c->listen_fd = c->pending_fd = -1;
    c->s.hangup = socket_hangup;
    c->s.filter = telnet ? socket_filter : NULL;
    if (!open_socket(c, opts, error)) {
        socket_free(&c->s.chr);
        return NULL;
    }
    if (c->listen_fd >= 0) {
        start_listening(c);
        if (wait) {
            wait_for_peer(c);
        }
    }
    return &c->s.chr;
}

static const char *const socket_keys[] = {"path",   "host", "port",   "ipv4",    "ipv6",      "fd",
                                          "server", "wait", "telnet", "nodelay", "reconnect", NULL};
const CharBackend char_socket = {"socket",
                                 "host=,port= or path= or fd=[,server=on][,wait=off][,telnet=on][,reconnect=S]",
                                 socket_create, socket_keys};
