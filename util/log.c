/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log.  Each message is one write(2), so a crash loses nothing; a destination that fails is told about once on
 * stderr and the log stops there: the machine does not depend on it.
 */
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/suggest.h"

unsigned log_mask;

static const struct {
    const char *name;
    unsigned mask;
    const char *help;
} categories[] = {
    {"in_asm", LOG_IN_ASM, "guest instructions when they are first decoded"},
    {"op", LOG_OP, "how the translator does each guest instruction"},
    {"out_asm", LOG_OUT_ASM, "host code of each translated block"},
    {"int", LOG_INT, "interrupts and exceptions as they are delivered"},
    {"cpu_reset", LOG_CPU_RESET, "CPU state at reset"},
    {"guest_errors", LOG_GUEST_ERRORS, "invalid operations of the guest"},
    {"unimp", LOG_UNIMP, "features the guest asked for that do not exist"},
    {"mmio", LOG_MMIO, "every device register access"},
    {"exec", LOG_EXEC, "every block of instructions as it is entered"},
};

static struct {
    pthread_mutex_t mutex;
    char *path;  /* NULL: stderr; guarded by mutex */
    int fd;      /* valid when path is set; guarded by mutex */
    bool failed; /* guarded by mutex */
    RateLimit bugs; /* of host_bug(); guarded by mutex */
} dest = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void list_categories(void)
{
    printf("Log categories (comma separated):\n");
    for (size_t i = 0; i < ARRAY_LEN(categories); i++) {
        printf("%-15s %s\n", categories[i].name, categories[i].help);
    }
}

static unsigned find_category(const char *name, GError **error)
{
    unsigned all = 0;
    Suggest near = suggest_begin(name);
    g_autoptr(GString) names = g_string_new(NULL);
    for (size_t i = 0; i < ARRAY_LEN(categories); i++) {
        if (strcmp(categories[i].name, name) == 0) {
            return categories[i].mask;
        }
        all |= categories[i].mask;
        suggest_offer(&near, categories[i].name);
        g_string_append_printf(names, "%s%s", i ? ", " : "", categories[i].name);
    }
    if (strcmp(name, "all") == 0) {
        return all;
    }
    g_autofree char *hint = suggest_text(near.best);
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "unknown log category '%s'%s (there are: %s, all)", name,
                hint, names->str);
    return 0;
}

bool log_set_categories(const char *list, bool *help_shown, GError **error)
{
    if (help_shown) {
        *help_shown = false;
    }
    if (strcmp(list, "help") == 0 || strcmp(list, "?") == 0) {
        list_categories();
        if (help_shown) {
            *help_shown = true;
        }
        return true;
    }
    unsigned mask = 0;
    g_auto(GStrv) names = g_strsplit(list, ",", -1);
    for (char **name = names; *name; name++) {
        unsigned bit = find_category(g_strstrip(*name), error);
        if (!bit) {
            return false;
        }
        mask |= bit;
    }
    log_mask = mask;
    return true;
}

static void close_locked(void)
{
    if (dest.path) {
        close(dest.fd);
        g_clear_pointer(&dest.path, g_free);
    }
    dest.failed = false;
}

bool log_set_file(const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        int saved = errno;
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved), "cannot open log file '%s': %s", path,
                    g_strerror(saved));
        return false;
    }
    pthread_mutex_lock(&dest.mutex);
    close_locked();
    dest.path = g_strdup(path);
    dest.fd = fd;
    pthread_mutex_unlock(&dest.mutex);
    return true;
}

void log_close(void)
{
    pthread_mutex_lock(&dest.mutex);
    close_locked();
    pthread_mutex_unlock(&dest.mutex);
}

/* 0 or the errno that stopped it.  A reader that is slow for a second loses the rest of this message. */
static int write_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(fd, text, len);
        if (n > 0) {
            text += n;
            len -= (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            /* stderr can be a terminal that something set non-blocking. */
            struct pollfd pfd = {.fd = fd, .events = POLLOUT};
            if (poll(&pfd, 1, 1000) > 0) {
                continue;
            }
            return 0;
        }
        return n < 0 ? errno : EIO;
    }
    return 0;
}

/* Like write_all(), but a pipe whose reader is gone gives EPIPE whatever this process does about SIGPIPE. */
static int write_no_signal(int fd, const char *text, size_t len)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode))) {
        return write_all(fd, text, len);
    }
    sigset_t pipe_set, old_set, pending;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &old_set);
    int err = write_all(fd, text, len);
    if (err == EPIPE && !sigismember(&pending, SIGPIPE)) {
        const struct timespec zero = {0};
        while (sigtimedwait(&pipe_set, NULL, &zero) < 0 && errno == EINTR) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &old_set, NULL);
    return err;
}

static void put(const char *text, size_t len)
{
    pthread_mutex_lock(&dest.mutex);
    if (!dest.failed) {
        int err = write_no_signal(dest.path ? dest.fd : STDERR_FILENO, text, len);
        if (err) {
            dest.failed = true;
            if (dest.path) {
                g_autofree char *note = g_strdup_printf("cannot write log file '%s': %s; the log ends here\n",
                                                        dest.path, g_strerror(err));
                write_no_signal(STDERR_FILENO, note, strlen(note));
            }
        }
    }
    pthread_mutex_unlock(&dest.mutex);
}

void log_printf(const char *format, ...)
{
    char small[512];
    va_list ap;
    va_start(ap, format);
    int len = vsnprintf(small, sizeof(small), format, ap);
    va_end(ap);
    if (len < 0) {
        return;
    }
    if ((size_t)len < sizeof(small)) {
        put(small, (size_t)len);
        return;
    }
    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    put(text, (size_t)len);
}

void host_bug(const char *format, ...)
{
    uint32_t dropped;
    pthread_mutex_lock(&dest.mutex);
    bool ok = rate_limit_ok(&dest.bugs, &dropped);
    pthread_mutex_unlock(&dest.mutex);
    if (ok) {
        va_list ap;
        va_start(ap, format);
        g_autofree char *text = g_strdup_vprintf(format, ap);
        va_end(ap);
        log_printf("internal error: %s\n", text);
    }
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__)
    __builtin_trap();
#endif
}

bool rate_limit_ok(RateLimit *limit, uint32_t *dropped)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    int64_t now = ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
    *dropped = 0;
    if (limit->window == 0 || now - limit->window >= NS_PER_SEC) {
        limit->window = now;
        limit->used = 0;
    }
    if (limit->used >= RATE_LIMIT_BURST) {
        limit->dropped += limit->dropped < UINT32_MAX;
        return false;
    }
    limit->used++;
    *dropped = limit->dropped;
    limit->dropped = 0;
    return true;
}
