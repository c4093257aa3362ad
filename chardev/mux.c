/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One stream for several clients: input goes to one of them, output comes from all.  Keys after the escape character
 * (Ctrl-A) switch, quit and so on; they work even when the guest takes no input.
 */
#include "chardev/backend.h"

#include <string.h>

#define MUX_CLIENTS 4
#define MUX_PENDING 65536 /* input a client has not taken yet; beyond it the stream is not read */

typedef struct MuxSlot {
    bool used;
    CharClient client;
    GByteArray *pending;
} MuxSlot;

typedef struct CharMux {
    Chardev chr;
    Chardev *lower; /* owned */
    MuxSlot slot[MUX_CLIENTS];
    unsigned focus; /* index of slot */
    uint8_t escape;
    bool escaped; /* the last key was the escape character */
    bool timestamps, line_start;
    int64_t start; /* of timestamps: monotonic, us */
    void (*quit)(void *opaque);
    void *quit_opaque;
    GSource *pump_source; /* pending input waits for the main loop */
} CharMux;

static CharMux *mux_of(const Chardev *chr)
{
    return container_of(chr, CharMux, chr);
}

static void slot_event(MuxSlot *slot, CharEvent event)
{
    if (slot->used && slot->client.event) {
        slot->client.event(slot->client.opaque, event);
    }
}

/* Give pending input to the client as far as it has room. */
static void pump(MuxSlot *slot)
{
    while (slot->used && slot->pending->len) {
        size_t room = slot->client.can_receive(slot->client.opaque), n = MIN(room, slot->pending->len);
        if (!n) {
            return;
        }
        g_autofree uint8_t *chunk = g_memdup2(slot->pending->data, n);
        g_byte_array_remove_range(slot->pending, 0, n);
        slot->client.receive(slot->client.opaque, chunk, n);
    }
}

/* ---- keys ---- */

static void say(CharMux *m, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void say(CharMux *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    chardev_write(m->lower, (const uint8_t *)text, strlen(text));
}

static char *key_name(uint8_t key)
{
    if (key < 32) {
        return g_strdup_printf("C-%c", key ? g_ascii_tolower(key + 64) : '@');
    }
    return g_strdup_printf("%c", key);
}

static void help(CharMux *m)
{
    g_autofree char *k = key_name(m->escape);
    say(m,
        "\r\n"
        "%s h    this help\r\n"
        "%s x    end the emulator\r\n"
        "%s s    save snapshot disks (there are none)\r\n"
        "%s b    send a break\r\n"
        "%s t    time stamps on or off\r\n"
        "%s c    switch between the serial port and the monitor\r\n"
        "%s %s  send %s\r\n",
        k, k, k, k, k, k, k, k, k);
}

static void switch_focus(CharMux *m)
{
    unsigned next = m->focus;
    do {
        next = (next + 1) % MUX_CLIENTS;
    } while (!m->slot[next].used && next != m->focus);
    if (next != m->focus) {
        slot_event(&m->slot[m->focus], CHAR_FOCUS_OUT);
        m->focus = next;
        slot_event(&m->slot[next], CHAR_FOCUS_IN);
    }
}

/* The key after the escape character.  True if it is to be sent to the client. */
static bool escape_key(CharMux *m, uint8_t key)
{
    if (key == m->escape) {
        return true;
    }
    switch (key) {
    case 'h':
    case '?':
        help(m);
        break;
    case 'x':
        say(m, "%s: terminated by the escape key\r\n", g_get_prgname() ? g_get_prgname() : "rhea");
        if (m->quit) {
            m->quit(m->quit_opaque);
        }
        break;
    case 's':
        say(m, "\r\nno snapshot disks to save\r\n");
        break;
    case 'b':
        slot_event(&m->slot[m->focus], CHAR_BREAK);
        break;
    case 'c':
        switch_focus(m);
        break;
    case 't':
        m->timestamps = !m->timestamps;
        m->start = g_get_monotonic_time();
        m->line_start = false;
        break;
    default:
        break;
    }
    return false;
}

/* ---- the client of the lower stream ---- */

static size_t lower_can_receive(void *opaque)
{
    CharMux *m = opaque;
    return MUX_PENDING - MIN(m->slot[m->focus].pending->len, MUX_PENDING);
}

static void lower_receive(void *opaque, const uint8_t *buf, size_t len)
{
    CharMux *m = opaque;
    for (size_t i = 0; i < len; i++) {
        bool data = true;
        if (m->escaped) {
            m->escaped = false;
            data = escape_key(m, buf[i]);
        } else if (m->escape && buf[i] == m->escape) {
            m->escaped = true;
            data = false;
        }
        if (data && m->slot[m->focus].pending->len < MUX_PENDING) {
            g_byte_array_append(m->slot[m->focus].pending, &buf[i], 1);
        }
    }
    for (unsigned i = 0; i < MUX_CLIENTS; i++) {
        pump(&m->slot[i]);
    }
}

static void lower_event(void *opaque, CharEvent event)
{
    CharMux *m = opaque;
    if (event == CHAR_BREAK || event == CHAR_FOCUS_IN) {
        slot_event(&m->slot[m->focus], event);
        return;
    }
    for (unsigned i = 0; i < MUX_CLIENTS; i++) {
        slot_event(&m->slot[i], event);
    }
}

static void lower_writable(void *opaque)
{
    CharMux *m = opaque;
    for (unsigned i = 0; i < MUX_CLIENTS; i++) {
        if (m->slot[i].used && m->slot[i].client.writable) {
            m->slot[i].client.writable(m->slot[i].client.opaque);
        }
    }
}

/* ---- output ---- */

static void stamp(CharMux *m)
{
    int64_t ms = (g_get_monotonic_time() - m->start) / 1000;
    say(m, "[%02d:%02d:%02d.%03d] ", (int)(ms / 3600000 % 100), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
        (int)(ms % 1000));
}

static size_t mux_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    CharMux *m = mux_of(chr);
    size_t done = 0;
    if (!m->timestamps) {
        return chardev_write(m->lower, buf, len);
    }
    while (done < len) {
        const uint8_t *newline = memchr(buf + done, '\n', len - done);
        size_t run = newline ? (size_t)(newline - (buf + done)) + 1 : len - done;
        if (m->line_start) {
            stamp(m);
            m->line_start = false;
        }
        size_t n = chardev_write(m->lower, buf + done, run);
        done += n;
        if (n < run) {
            break;
        }
        m->line_start = newline != NULL;
    }
    return done;
}

/* ---- Chardev ---- */

static void stop_pump_source(CharMux *m)
{
    if (m->pump_source) {
        g_source_destroy(m->pump_source);
        g_source_unref(g_steal_pointer(&m->pump_source));
    }
}

static gboolean pump_all(void *opaque)
{
    CharMux *m = opaque;
    stop_pump_source(m);
    for (unsigned i = 0; i < MUX_CLIENTS; i++) {
        pump(&m->slot[i]);
    }
    return G_SOURCE_REMOVE;
}

/* The client is inside its own register handler, perhaps on a vCPU thread: input comes later, from the main loop. */
static void mux_accept_input(Chardev *chr)
{
    CharMux *m = mux_of(chr);
    bool pending = false;
    for (unsigned i = 0; i < MUX_CLIENTS; i++) {
        pending |= m->slot[i].used && m->slot[i].pending->len > 0;
    }
    if (pending && !m->pump_source) {
        m->pump_source = g_timeout_source_new(0);
        g_source_set_callback(m->pump_source, pump_all, m, NULL);
        g_source_attach(m->pump_source, NULL);
    }
    chardev_accept_input(m->lower);
}

static bool mux_attach(Chardev *chr, const CharClient *client, GError **error)
{
    CharMux *m = mux_of(chr);
    bool first = !chardev_in_use(chr);
    for (unsigned i = 0; i < MUX_CLIENTS; i++) {
        MuxSlot *slot = &m->slot[i];
        if (!slot->used) {
            slot->used = true;
            slot->client = *client;
            g_byte_array_set_size(slot->pending, 0);
            m->focus = first ? i : m->focus;
            if (m->lower->ops->opened(m->lower)) {
                slot_event(slot, CHAR_OPENED);
                if (first) {
                    slot_event(slot, CHAR_FOCUS_IN);
                }
            }
            chardev_accept_input(m->lower);
            return true;
        }
    }
    g_set_error(error, OPTS_ERROR, OPTS_USAGE,
                "character device '%s' is shared by %d users already; that is the limit", chr->id, MUX_CLIENTS);
    return false;
}

static void mux_detach(Chardev *chr, void *opaque)
{
    CharMux *m = mux_of(chr);
    for (unsigned i = 0; i < MUX_CLIENTS; i++) {
        if (m->slot[i].used && m->slot[i].client.opaque == opaque) {
            m->slot[i].used = false;
            g_byte_array_set_size(m->slot[i].pending, 0);
            if (m->focus == i) {
                switch_focus(m);
            }
            return;
        }
    }
}

static bool mux_in_use(const Chardev *chr)
{
    const CharMux *m = mux_of(chr);
    for (unsigned i = 0; i < MUX_CLIENTS; i++) {
        if (m->slot[i].used) {
            return true;
        }
    }
    return false;
}

static char *mux_describe(const Chardev *chr)
{
    g_autofree char *lower = chardev_describe(mux_of(chr)->lower);
    return g_strdup_printf("mux:%s", lower);
}

static bool mux_opened(const Chardev *chr)
{
    return mux_of(chr)->lower->ops->opened(mux_of(chr)->lower);
}

static void mux_free(Chardev *chr)
{
    CharMux *m = mux_of(chr);
    stop_pump_source(m);
    chardev_free(m->lower);
    for (unsigned i = 0; i < MUX_CLIENTS; i++) {
        g_byte_array_free(m->slot[i].pending, TRUE);
    }
    g_free(m);
}

static const CharOps mux_ops = {
    .free = mux_free,
    .write = mux_write,
    .accept_input = mux_accept_input,
    .describe = mux_describe,
    .opened = mux_opened,
    .attach = mux_attach,
    .detach = mux_detach,
    .in_use = mux_in_use,
};

Chardev *mux_new(Chardev *lower, const char *id)
{
    CharMux *m = g_new0(CharMux, 1);
    m->chr.ops = &mux_ops;
    m->chr.id = g_strdup(id);
    m->lower = lower;
    m->escape = 1; /* Ctrl-A */
    for (unsigned i = 0; i < MUX_CLIENTS; i++) {
        m->slot[i].pending = g_byte_array_new();
    }
    CharClient client = {lower_can_receive, lower_receive, lower_event, lower_writable, m};
    bool attached = chardev_attach(lower, &client, NULL);
    g_assert(attached); /* it is new: nobody else can have it */
    return &m->chr;
}

bool chardev_is_mux(const Chardev *chr)
{
    return chr->ops == &mux_ops;
}

bool chardev_mux_setup(Chardev *chr, uint8_t escape, void (*quit)(void *opaque), void *opaque)
{
    if (!chardev_is_mux(chr)) {
        return false;
    }
    CharMux *m = mux_of(chr);
    m->escape = escape;
    m->quit = quit;
    m->quit_opaque = opaque;
    return true;
}
