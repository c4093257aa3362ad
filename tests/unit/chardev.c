/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Character devices against real files, sockets and pseudo-terminals. */
#include "chardev/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "chardev/telnet.h"
#include "util/opts.h"

/* ---- a client that records ---- */

typedef struct Peer {
    size_t room;
    GString *got;
    unsigned opened, closed, breaks, focus_in, focus_out, writable;
} Peer;

static size_t peer_can_receive(void *opaque)
{
    return ((Peer *)opaque)->room;
}

static void peer_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Peer *p = opaque;
    g_assert_cmpuint(len, <=, p->room);
    p->room -= len;
    g_string_append_len(p->got, (const char *)buf, len);
}

static void peer_event(void *opaque, CharEvent event)
{
    Peer *p = opaque;
    unsigned *const counts[] = {[CHAR_OPENED] = &p->opened,
                                [CHAR_CLOSED] = &p->closed,
                                [CHAR_BREAK] = &p->breaks,
                                [CHAR_FOCUS_IN] = &p->focus_in,
                                [CHAR_FOCUS_OUT] = &p->focus_out};
    ++*counts[event];
}

static void peer_writable(void *opaque)
{
    ((Peer *)opaque)->writable++;
}

static Peer *peer_attach(Chardev *chr)
{
    Peer *p = g_new0(Peer, 1);
    p->room = 1 << 20;
    p->got = g_string_new(NULL);
    CharClient client = {peer_can_receive, peer_receive, peer_event, peer_writable, p};
    GError *error = NULL;
    g_assert_true(chardev_attach(chr, &client, &error));
    g_assert_no_error(error);
    return p;
}

static void peer_free(Peer *p)
{
    g_string_free(p->got, TRUE);
    g_free(p);
}

/* Run the loop until the condition holds, two seconds at most. */
#define RUN_UNTIL(condition)                                                                                         \
    do {                                                                                                             \
        int64_t end_ = g_get_monotonic_time() + 2000000;                                                             \
        while (!(condition) && g_get_monotonic_time() < end_) {                                                      \
            if (!g_main_context_iteration(NULL, FALSE)) {                                                            \
                g_usleep(1000);                                                                                      \
            }                                                                                                        \
        }                                                                                                            \
        g_assert_true(condition);                                                                                    \
    } while (0)

static char *temp_dir(void)
{
    GError *error = NULL;
    char *dir = g_dir_make_tmp("rhea-XXXXXX", &error);
    g_assert_no_error(error);
    return dir;
}

static Chardev *new_chr(const char *format, ...) G_GNUC_PRINTF(1, 2);
static Chardev *new_chr(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    GError *error = NULL;
    Chardev *chr = chardev_new(text, &error);
    g_assert_no_error(error);
    g_assert_nonnull(chr);
    return chr;
}

static void put_text(Chardev *chr, const char *text)
{
    g_assert_cmpuint(chardev_write(chr, (const uint8_t *)text, strlen(text)), ==, strlen(text));
}

static void assert_file(const char *path, const char *expected)
{
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, expected);
}

static void remove_dir(const char *dir)
{
    GDir *d = g_dir_open(dir, 0, NULL);
    const char *name;
    while ((name = g_dir_read_name(d))) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        g_unlink(path);
    }
    g_dir_close(d);
    g_rmdir(dir);
}

/* ---- texts ---- */

static void test_bad_texts(void)
{
    static const struct {
        const char *text, *part;
        int code;
    } bad[] = {
        {"", "backend is missing", OPTS_USAGE},
        {"file,path=x", "id= is missing", OPTS_USAGE},
        {"file,id=a", "needs path=", OPTS_USAGE},
        {"file,id=a,pth=x", "'path'", OPTS_USAGE},
        {"file,id=a,path=/no/such/dir/x", "No such file or directory", OPTS_OPEN},
        {"file,id=a,path=/", "Is a directory", OPTS_OPEN},
        {"nul,id=a", "'null'", OPTS_USAGE},
        {"udp,id=a", "not supported yet", OPTS_USAGE},
        {"socket,id=a", "path=PATH", OPTS_USAGE},
        {"socket,id=a,host=localhost,port=99999", "0 to 65535", OPTS_USAGE},
        {"socket,id=a,path=/no/such/socket", "No such file", OPTS_OPEN},
        {"socket,id=a,path=/tmp/x,wait=off", "for server=on", OPTS_USAGE},
        {"socket,id=a,fd=9999", "not the number of an open socket", OPTS_USAGE},
        {"socket,id=a,path=/tmp/x,server=maybe", "on or off", OPTS_USAGE},
        {"pipe,id=a,path=/no/such/pipe", "mkfifo", OPTS_OPEN},
        {"serial,id=a,path=/dev/null", "serial port", OPTS_OPEN},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        GError *error = NULL;
        g_assert_null(chardev_new(bad[i].text[0] ? bad[i].text : "id=x", &error));
        g_assert_error(error, OPTS_ERROR, bad[i].code);
        g_assert_nonnull(strstr(error->message, bad[i].part));
        g_assert_true(g_str_has_prefix(error->message, "-chardev: "));
        g_error_free(error);
    }
}

static void test_short_texts(void)
{
    GError *error = NULL;
    g_assert_null(chardev_new_legacy("none", "s", &error));
    g_assert_no_error(error);
    Chardev *chr = chardev_new_legacy("null", "s", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(chardev_id(chr), ==, "s");
    put_text(chr, "dropped");
    chardev_free(chr);
    g_assert_null(chardev_new_for("-monitor", "tcp:nocolon", "s", &error));
    g_assert_nonnull(strstr(error->message, "-monitor: the form is tcp:HOST:PORT"));
    g_clear_error(&error);
    g_assert_null(chardev_new_for("-serial", "unix:/tmp/a,srver", "s", &error));
    g_assert_nonnull(strstr(error->message, "'server'"));
    g_clear_error(&error);
    GString *list = g_string_new(NULL);
    chardev_list_backends(list);
    g_assert_nonnull(strstr(list->str, "socket"));
    g_string_free(list, TRUE);
}

/* ---- files ---- */

static void test_file(void)
{
    g_autofree char *dir = temp_dir();
    g_autofree char *out = g_build_filename(dir, "out,put", NULL);
    g_autofree char *in = g_build_filename(dir, "in", NULL);
    g_autofree char *legacy = g_strdup_printf("file:%s", out);
    g_assert_true(g_file_set_contents(in, "typed", -1, NULL));
    Chardev *chr = chardev_new_legacy(legacy, "s", NULL);
    put_text(chr, "one");
    chardev_free(chr);
    assert_file(out, "one");
    chr = new_chr("file,id=a,path=%s/out,,put,append=on,input-path=%s", dir, in);
    put_text(chr, "two");
    Peer *p = peer_attach(chr);
    RUN_UNTIL(p->got->len == 5);
    g_assert_cmpstr(p->got->str, ==, "typed");
    g_assert_cmpuint(p->opened, ==, 1);
    chardev_detach(chr, p);
    chardev_free(chr);
    assert_file(out, "onetwo");
    chr = new_chr("file,id=a,path=%s/out,,put", dir);
    chardev_free(chr);
    assert_file(out, "");
    peer_free(p);
    remove_dir(dir);
}

/* A full disk: everything is taken, one message, nothing else. */
static void test_full(void)
{
    if (g_test_subprocess()) {
        Chardev *chr = new_chr("file,id=a,path=/dev/full");
        for (int i = 0; i < 100; i++) {
            put_text(chr, "text");
        }
        chardev_free(chr);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*file:/dev/full: cannot write: No space left on device; output is dropped\n");
}

static void test_pipe(void)
{
    g_autofree char *dir = temp_dir();
    g_autofree char *in = g_strdup_printf("%s/p.in", dir);
    g_autofree char *out = g_strdup_printf("%s/p.out", dir);
    g_assert_cmpint(mkfifo(in, 0600) | mkfifo(out, 0600), ==, 0);
    Chardev *chr = new_chr("pipe,id=a,path=%s/p", dir);
    Peer *p = peer_attach(chr);
    int w = open(in, O_WRONLY), r = open(out, O_RDONLY | O_NONBLOCK);
    char buf[8] = "";
    g_assert_cmpint(write(w, "hi", 2), ==, 2);
    RUN_UNTIL(p->got->len == 2);
    put_text(chr, "ho");
    g_assert_cmpint(read(r, buf, sizeof(buf)), ==, 2);
    g_assert_cmpstr(buf, ==, "ho");
    close(w);
    close(r);
    chardev_free(chr);
    peer_free(p);
    remove_dir(dir);
}

/* A reader that stops: the queue is bounded, the client is told when there is room again, no byte is lost. */
static void test_back_pressure(void)
{
    g_autofree char *dir = temp_dir();
    g_autofree char *path = g_strdup_printf("%s/p", dir);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    g_autofree char *in = g_strdup_printf("%s/p.in", dir);
    g_autofree char *out = g_strdup_printf("%s/p.out", dir);
    g_assert_cmpint(mkfifo(in, 0600) | mkfifo(out, 0600), ==, 0);
    Chardev *chr = new_chr("pipe,id=a,path=%s/p", dir);
    Peer *p = peer_attach(chr);
    uint8_t next_out = 0, next_in = 0;
    size_t sent = 0, seen = 0;
    for (;;) {
        size_t n = chardev_write(chr, &next_out, 1);
        if (!n) {
            break;
        }
        next_out++;
        g_assert_cmpuint(++sent, <, 1 << 20);
    }
    g_assert_cmpuint(p->writable, ==, 0);
    int r = open(out, O_RDONLY | O_NONBLOCK);
    uint8_t buf[4096];
    int64_t end = g_get_monotonic_time() + 5000000;
    while (seen < sent && g_get_monotonic_time() < end) {
        ssize_t n = read(r, buf, sizeof(buf));
        for (ssize_t i = 0; i < n; i++) {
            g_assert_cmpuint(buf[i], ==, next_in++);
        }
        seen += MAX(n, 0);
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpuint(seen, ==, sent);
    g_assert_cmpuint(p->writable, ==, 1);
    g_assert_cmpuint(chardev_write(chr, &next_out, 1), ==, 1);
    close(r);
    chardev_free(chr);
    peer_free(p);
    remove_dir(dir);
}

/* Input waits while the client has no room, and comes after chardev_accept_input(). */
static void test_flow_in(void)
{
    g_autofree char *dir = temp_dir();
    g_autofree char *in = g_build_filename(dir, "in", NULL);
    g_assert_true(g_file_set_contents(in, "abcdef", -1, NULL));
    Chardev *chr = new_chr("file,id=a,path=/dev/null,input-path=%s", in);
    Peer *p = peer_attach(chr);
    p->room = 2;
    RUN_UNTIL(p->got->len == 2);
    for (int i = 0; i < 20; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpuint(p->got->len, ==, 2);
    p->room = 100;
    chardev_accept_input(chr);
    RUN_UNTIL(p->got->len == 6);
    chardev_free(chr);
    peer_free(p);
    remove_dir(dir);
}

/* ---- pty ---- */

static void test_pty(void)
{
    Chardev *chr = new_chr("pty,id=a");
    Peer *p = peer_attach(chr);
    g_autofree char *name = chardev_describe(chr);
    g_assert_true(g_str_has_prefix(name, "pty:/dev/pts/"));
    put_text(chr, "nobody listens");
    g_assert_cmpuint(p->opened, ==, 0);
    int fd = open(name + strlen("pty:"), O_RDWR | O_NOCTTY);
    g_assert_cmpint(fd, >=, 0);
    RUN_UNTIL(p->opened == 1);
    put_text(chr, "hello\n");
    char buf[32] = "";
    g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, 6);
    g_assert_cmpstr(buf, ==, "hello\n");
    g_assert_cmpint(write(fd, "a\rb", 3), ==, 3);
    RUN_UNTIL(p->got->len == 3);
    g_assert_cmpstr(p->got->str, ==, "a\rb");
    close(fd);
    RUN_UNTIL(p->closed == 1);
    put_text(chr, "nobody again");
    fd = open(name + strlen("pty:"), O_RDWR | O_NOCTTY);
    RUN_UNTIL(p->opened == 2);
    close(fd);
    RUN_UNTIL(p->closed == 2);
    chardev_free(chr);
    peer_free(p);
}

/* ---- sockets ---- */

static int connect_unix(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    return fd;
}

static void test_unix_server(void)
{
    g_autofree char *dir = temp_dir();
    g_autofree char *path = g_build_filename(dir, "sock", NULL);
    Chardev *chr = new_chr("socket,id=a,path=%s,server=on,wait=off", path);
    Peer *p = peer_attach(chr);
    char buf[8] = "";
    put_text(chr, "dropped");
    g_assert_cmpuint(p->opened, ==, 0);
    GError *error = NULL;
    g_autofree char *again = g_strdup_printf("unix:%s,server,nowait", path);
    g_assert_null(chardev_new_legacy(again, "b", &error));
    g_assert_error(error, OPTS_ERROR, OPTS_OPEN);
    g_assert_nonnull(strstr(error->message, "Address already in use"));
    g_clear_error(&error);
    /* the look at the busy socket was a connection that came and went */
    for (unsigned round = 1; round <= 2; round++) {
        int fd = connect_unix(path);
        g_assert_cmpint(write(fd, "in", 2), ==, 2);
        RUN_UNTIL(p->got->len == 2 * round);
        put_text(chr, "out");
        g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, 3);
        unsigned closed = p->closed;
        close(fd);
        RUN_UNTIL(p->closed == closed + 1);
    }
    chardev_free(chr);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    peer_free(p);
    remove_dir(dir);
}

/* A socket file whose server died does not stand in the way; a plain file does. */
static void test_unix_stale(void)
{
    g_autofree char *dir = temp_dir();
    g_autofree char *path = g_build_filename(dir, "sock", NULL);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    close(fd);
    Chardev *chr = new_chr("socket,id=a,path=%s,server=on,wait=off", path);
    chardev_free(chr);
    g_assert_true(g_file_set_contents(path, "data", -1, NULL));
    g_autofree char *text = g_strdup_printf("socket,id=a,path=%s,server=on,wait=off", path);
    GError *error = NULL;
    g_assert_null(chardev_new(text, &error));
    g_assert_nonnull(strstr(error->message, "not a socket"));
    g_error_free(error);
    assert_file(path, "data");
    remove_dir(dir);
}

static void test_tcp(void)
{
    /* a port that is free: bind to 0 and look */
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    int holder = socket(AF_INET, SOCK_STREAM, 0);
    g_assert_cmpint(bind(holder, (struct sockaddr *)&in, len) | listen(holder, 4), ==, 0);
    getsockname(holder, (struct sockaddr *)&in, &len);
    unsigned port = ntohs(in.sin_port);
    g_autofree char *server = g_strdup_printf("tcp:127.0.0.1:%u,server=on,wait=off", port);
    g_autofree char *client = g_strdup_printf("tcp:127.0.0.1:%u", port);
    GError *error = NULL;
    g_assert_null(chardev_new_legacy(server, "a", &error));
    g_assert_error(error, OPTS_ERROR, OPTS_OPEN);
    g_assert_nonnull(strstr(error->message, "Address already in use; stop the process that has it"));
    g_clear_error(&error);
    close(holder);
    g_assert_null(chardev_new_legacy(client, "a", &error));
    g_assert_nonnull(strstr(error->message, "Connection refused"));
    g_clear_error(&error);
    Chardev *a = chardev_new_legacy(server, "a", &error);
    g_assert_no_error(error);
    Chardev *b = chardev_new_legacy(client, "b", &error);
    g_assert_no_error(error);
    Peer *pa = peer_attach(a), *pb = peer_attach(b);
    RUN_UNTIL(pa->opened == 1);
    put_text(b, "to a");
    put_text(a, "to b");
    RUN_UNTIL(pa->got->len == 4 && pb->got->len == 4);
    chardev_free(b);
    RUN_UNTIL(pa->closed == 1);
    chardev_free(a);
    peer_free(pa);
    peer_free(pb);
}

static void test_reconnect(void)
{
    g_autofree char *dir = temp_dir();
    g_autofree char *path = g_build_filename(dir, "sock", NULL);
    Chardev *client = new_chr("socket,id=c,path=%s,reconnect=1", path);
    Peer *p = peer_attach(client);
    Chardev *server = new_chr("socket,id=s,path=%s,server=on,wait=off", path);
    RUN_UNTIL(p->opened == 1);
    chardev_free(server);
    RUN_UNTIL(p->closed == 1);
    chardev_free(client);
    peer_free(p);
    remove_dir(dir);
}

static void test_socket_fd(void)
{
    int pair[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    Chardev *chr = new_chr("socket,id=a,fd=%d", pair[0]);
    Peer *p = peer_attach(chr);
    g_assert_cmpuint(p->opened, ==, 1);
    g_assert_cmpint(write(pair[1], "x", 1), ==, 1);
    RUN_UNTIL(p->got->len == 1);
    close(pair[1]);
    RUN_UNTIL(p->closed == 1);
    chardev_free(chr);
    peer_free(p);
}

/* RFC 854: commands vanish from input, IAC is doubled on output. */
static void test_telnet(void)
{
    g_autofree char *dir = temp_dir();
    g_autofree char *path = g_build_filename(dir, "sock", NULL);
    Chardev *chr = new_chr("socket,id=a,path=%s,server=on,wait=off,telnet=on", path);
    Peer *p = peer_attach(chr);
    int fd = connect_unix(path);
    RUN_UNTIL(p->opened == 1);
    uint8_t buf[64];
    g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, sizeof(telnet_hello));
    static const uint8_t input[] = {'a', 255, 253, 1, 'b', 255, 255, '\r', 0,  'c',
                                    255, 250, 24,  1, 255, 240, 255, 243,  'd'};
    for (size_t i = 0; i < sizeof(input); i++) {
        g_assert_cmpint(write(fd, &input[i], 1), ==, 1);
        g_main_context_iteration(NULL, FALSE);
    }
    RUN_UNTIL(p->got->len == 6);
    g_assert_cmpmem(p->got->str, p->got->len, "ab\xff\rcd", 6);
    g_assert_cmpuint(p->breaks, ==, 1);
    put_text(chr, "x\xffy");
    g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, 4);
    g_assert_cmpmem(buf, 4, "x\xff\xffy", 4);
    close(fd);
    chardev_free(chr);
    peer_free(p);
    remove_dir(dir);
}

/* ---- mux ---- */

static void count_quit(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void test_mux(void)
{
    int pair[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    Chardev *chr = new_chr("socket,id=m,fd=%d,mux=on", pair[0]);
    unsigned quits = 0;
    g_assert_true(chardev_mux_setup(chr, 1, count_quit, &quits));
    Peer *a = peer_attach(chr), *b = peer_attach(chr);
    g_assert_cmpuint(a->focus_in, ==, 1);
    g_assert_cmpuint(b->focus_in, ==, 0);
    g_assert_cmpint(write(pair[1],
                          "a1\x01"
                          "cb1\x01"
                          "ca2\x01\x01",
                          12),
                    ==, 12);
    RUN_UNTIL(a->got->len == 5);
    g_assert_cmpstr(a->got->str, ==, "a1a2\x01");
    g_assert_cmpstr(b->got->str, ==, "b1");
    g_assert_cmpuint(a->focus_in, ==, 2);
    g_assert_cmpuint(b->focus_out, ==, 1);
    /* keys work while the client takes no input, which then gets its bytes in order */
    a->room = 0;
    g_assert_cmpint(write(pair[1],
                          "zz\x01"
                          "b\x01xyy",
                          8),
                    ==, 8);
    RUN_UNTIL(quits == 1);
    g_assert_cmpuint(a->breaks, ==, 1);
    g_assert_cmpuint(a->got->len, ==, 5);
    a->room = 100;
    chardev_accept_input(chr);
    RUN_UNTIL(a->got->len == 9);
    g_assert_cmpstr(a->got->str, ==, "a1a2\x01zzyy");
    chardev_detach(chr, a);
    g_assert_cmpint(write(pair[1], "b2", 2), ==, 2);
    RUN_UNTIL(b->got->len == 4);
    chardev_free(chr);
    close(pair[1]);
    peer_free(a);
    peer_free(b);
}

static void test_mux_output(void)
{
    int pair[2];
    char buf[2048] = "";
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    Chardev *chr = new_chr("socket,id=m,fd=%d,mux=on", pair[0]);
    Peer *a = peer_attach(chr);
    chardev_mux_setup(chr, 20, NULL, NULL);
    g_assert_cmpint(write(pair[1], "\x14h\x14t\x01q", 6), ==, 6);
    RUN_UNTIL(a->got->len == 2);
    g_assert_cmpstr(a->got->str, ==, "\x01q");
    g_assert_cmpint(read(pair[1], buf, sizeof(buf)), >, 100);
    g_assert_nonnull(strstr(buf, "C-t x    end the emulator"));
    put_text(chr, "first\nsecond\n");
    memset(buf, 0, sizeof(buf));
    g_assert_cmpint(read(pair[1], buf, sizeof(buf)), >, 0);
    g_assert_true(g_regex_match_simple("^first\n\\[00:00:0\\d\\.\\d{3}\\] second\n$", buf, 0, 0));
    close(pair[1]);
    chardev_free(chr);
    peer_free(a);
}

static void test_in_use(void)
{
    Chardev *chr = new_chr("null,id=a");
    Peer *p = peer_attach(chr);
    CharClient client = {peer_can_receive, peer_receive, NULL, NULL, &client};
    GError *error = NULL;
    g_assert_false(chardev_attach(chr, &client, &error));
    g_assert_nonnull(strstr(error->message, "mux=on"));
    g_error_free(error);
    g_assert_false(chardev_mux_setup(chr, 1, NULL, NULL));
    chardev_detach(chr, p);
    g_assert_false(chardev_in_use(chr));
    chardev_free(chr);
    peer_free(p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    g_test_add_func("/chardev/bad-texts", test_bad_texts);
    g_test_add_func("/chardev/short-texts", test_short_texts);
    g_test_add_func("/chardev/file", test_file);
    g_test_add_func("/chardev/full", test_full);
    g_test_add_func("/chardev/pipe", test_pipe);
    g_test_add_func("/chardev/back-pressure", test_back_pressure);
    g_test_add_func("/chardev/flow-in", test_flow_in);
    g_test_add_func("/chardev/pty", test_pty);
    g_test_add_func("/chardev/unix-server", test_unix_server);
    g_test_add_func("/chardev/unix-stale", test_unix_stale);
    g_test_add_func("/chardev/tcp", test_tcp);
    g_test_add_func("/chardev/reconnect", test_reconnect);
    g_test_add_func("/chardev/socket-fd", test_socket_fd);
    g_test_add_func("/chardev/telnet", test_telnet);
    g_test_add_func("/chardev/mux", test_mux);
    g_test_add_func("/chardev/mux-output", test_mux_output);
    g_test_add_func("/chardev/in-use", test_in_use);
    return g_test_run();
}
