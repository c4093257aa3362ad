/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Socket addresses: resolving, listening, connecting.
 * Spec: getaddrinfo(3), unix(7), ip(7)
 */
#include "chardev/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FLAGS (SOCK_STREAM | SOCK_CLOEXEC)

static bool resolve(SocketAddress *a, const Opts *opts, int family, bool server, GError **error)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = server ? AI_PASSIVE : 0};
    int rc = getaddrinfo(a->host[0] ? a->host : NULL, a->port, &hints, &a->addrs);
    if (rc != 0) {
        g_set_error(error, OPTS_ERROR, OPTS_OPEN, "%s: cannot resolve host '%s', port '%s': %s", opts->name, a->host,
                    a->port, gai_strerror(rc));
        return false;
    }
    return true;
}

static bool parse_unix(SocketAddress *a, Opts *opts, GError **error)
{
    struct sockaddr_un un;
    const Opt *path = opts_find(opts, "path");
    if (!path->value[0] || strlen(path->value) >= sizeof(un.sun_path)) {
        opts_fail(opts, path, error, "the path of a unix socket has 1 to %zu bytes, this one has %zu",
                  sizeof(un.sun_path) - 1, strlen(path->value));
        return false;
    }
    a->path = g_strdup(path->value);
    return true;
}

bool address_parse(SocketAddress *a, Opts *opts, bool server, GError **error)
{
    bool ipv4 = true, ipv6 = true;
    uint64_t number;
    if (!opts_bool(opts, "ipv4", &ipv4, error) || !opts_bool(opts, "ipv6", &ipv6, error)) {
        return false;
    }
    if (opts_find(opts, "path")) {
        return parse_unix(a, opts, error);
    }
    const Opt *port = opts_find(opts, "port");
    if (!port) {
        g_set_error(error, OPTS_ERROR, OPTS_USAGE, "%s: a socket needs path=PATH, or host=HOST,port=PORT, or fd=N",
                    opts->name);
        return false;
    }
    if (parse_uint(port->value, &number) ? number > 65535 : g_ascii_isdigit(port->value[0]) || !port->value[0]) {
        opts_fail(opts, port, error, "a port is a number from 0 to 65535, not '%s'", port->value);
        return false;
    }
    a->host = g_strdup(opts_str(opts, "host", ""));
    a->port = g_strdup(port->value);
    return resolve(a, opts, ipv4 == ipv6 ? AF_UNSPEC : ipv4 ? AF_INET : AF_INET6, server, error);
}

void address_free(SocketAddress *a)
{
    g_free(a->path);
    g_free(a->host);
    g_free(a->port);
    if (a->addrs) {
        freeaddrinfo(a->addrs);
    }
}

char *address_text(const SocketAddress *a)
{
    return a->path ? g_strdup_printf("unix:%s", a->path) : g_strdup_printf("tcp:%s:%s", a->host, a->port);
}

static struct sockaddr_un unix_address(const SocketAddress *a)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, a->path, strlen(a->path)); /* address_parse() checked the length */
    return un;
}

/* ---- connecting ---- */

int address_connect(const SocketAddress *a)
{
    int fd = -1;
    if (a->path) {
        struct sockaddr_un un = unix_address(a);
        fd = socket(AF_UNIX, FLAGS, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
            int err = errno;
            close(fd);
            errno = err;
            fd = -1;
        }
        return fd;
    }
    for (const struct addrinfo *i = a->addrs; i && fd < 0; i = i->ai_next) {
        fd = socket(i->ai_family, FLAGS, 0);
        if (fd >= 0 && connect(fd, i->ai_addr, i->ai_addrlen) < 0) {
            int err = errno;
            close(fd);
            errno = err;
            fd = -1;
        }
    }
    return fd;
}

int address_connect_begin(const SocketAddress *a)
{
    struct sockaddr_un un = {0};
    const struct sockaddr *addr;
    socklen_t len;
    if (a->path) {
        un = unix_address(a);
        addr = (const struct sockaddr *)&un;
        len = sizeof(un);
    } else {
        addr = a->addrs->ai_addr;
        len = a->addrs->ai_addrlen;
    }
    int fd = socket(addr->sa_family, FLAGS | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, addr, len) < 0 && errno != EINPROGRESS) {
        int err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

/* ---- listening ---- */

/* A socket file outlives its server.  Remove it only when nobody answers on it any more. */
static bool remove_stale(const SocketAddress *a, const Opts *opts, GError **error)
{
    struct stat st;
    if (lstat(a->path, &st) < 0) {
        return true;
    }
    if (!S_ISSOCK(st.st_mode)) {
        g_set_error(error, OPTS_ERROR, OPTS_OPEN,
                    "%s: cannot listen on '%s': the path exists and is not a socket; remove it "
                    "or choose another path",
                    opts->name, a->path);
        return false;
    }
    int fd = address_connect(a);
    if (fd >= 0) {
        close(fd);
        g_autofree char *what = g_strdup_printf("cannot listen on '%s'", a->path);
        char_open_error(error, opts, what, EADDRINUSE,
                        "; another process serves this path: stop it or choose another path");
        return false;
    }
    unlink(a->path);
    return true;
}

static int listen_unix(const SocketAddress *a, const Opts *opts, GError **error)
{
    struct sockaddr_un un = unix_address(a);
    if (!remove_stale(a, opts, error)) {
        return -1;
    }
    int fd = socket(AF_UNIX, FLAGS | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(fd, 1) < 0) {
        g_autofree char *what = g_strdup_printf("cannot listen on '%s'", a->path);
        char_open_error(error, opts, what, errno, NULL);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static int listen_tcp(const struct addrinfo *i)
{
    int on = 1;
    int fd = socket(i->ai_family, FLAGS | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, i->ai_addr, i->ai_addrlen) < 0 || listen(fd, 1) < 0) {
        int err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

int address_listen(const SocketAddress *a, const Opts *opts, GError **error)
{
    int fd = -1;
    if (a->path) {
        return listen_unix(a, opts, error);
    }
    for (const struct addrinfo *i = a->addrs; i && fd < 0; i = i->ai_next) {
        fd = listen_tcp(i);
        if (fd < 0 && errno == EADDRINUSE) {
            break; /* the same port on another address would surprise */
        }
    }
    if (fd < 0) {
        g_autofree char *what = g_strdup_printf("cannot listen on %s:%s", a->host, a->port);
        const char *hint = errno == EADDRINUSE ? "; stop the process that has it or choose another port"
                           : errno == EACCES   ? "; ports below 1024 need root, choose a higher one"
                                               : NULL;
        char_open_error(error, opts, what, errno, hint);
    }
    return fd;
}
