/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside chardev/: where a socket listens or connects to. */
#pragma once

#include "chardev/backend.h"

typedef struct SocketAddress {
    char *path;             /* unix, or NULL */
    char *host, *port;      /* tcp */
    struct addrinfo *addrs; /* of host and port */
} SocketAddress;

/* Reads path=, host=, port=, ipv4=, ipv6=; resolves.  False with an error. */
bool address_parse(SocketAddress *a, Opts *opts, bool server, GError **error);
void address_free(SocketAddress *a);
/* "tcp:HOST:PORT" or "unix:PATH", owned by the caller. */
char *address_text(const SocketAddress *a);

/* A listening socket, or -1 with an error. */
int address_listen(const SocketAddress *a, const Opts *opts, GError **error);
/* A connected socket, or -1 with errno. */
int address_connect(const SocketAddress *a);
/* A socket that connects while we do other things: poll it for output.  -1 with errno. */
int address_connect_begin(const SocketAddress *a);
