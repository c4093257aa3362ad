/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A monitor on a stream: prompt, echo, a little line editing, history. */
#include "monitor/monitor.h"

#include <string.h>

#include "monitor/internal.h"

#define UNSENT_MAX (1u << 20) /* of a peer that does not read; more is dropped */

/* ---- output ---- */

static void flush(Monitor *mon)
{
    if (mon->chr && mon->unsent->len) {
        size_t n = chardev_write(mon->chr, (const uint8_t *)mon->unsent->str, mon->unsent->len);
        g_string_erase(mon->unsent, 0, (gssize)n);
    }
}

/* Terminals in raw mode and telnet want CR LF. */
static void put(Monitor *mon, const char *text)
{
    for (; *text && mon->unsent->len < UNSENT_MAX; text++) {
        if (*text == '\n') {
            g_string_append_c(mon->unsent, '\r');
        }
        g_string_append_c(mon->unsent, *text);
    }
}

static void prompt(Monitor *mon)
{
    put(mon, mon->host->prompt);
    put(mon, mon->line->str);
    flush(mon);
}

static void greet(Monitor *mon)
{
    if (!mon->greeted) {
        g_autofree char *text = g_strdup_printf("%s monitor - type 'help' for more information\n", mon->host->name);
        mon->greeted = true;
        put(mon, text);
    } else {
        put(mon, "\n");
    }
    prompt(mon);
}

/* ---- the line ---- */

static void replace_line(Monitor *mon, const char *text)
{
    put(mon, "\r\033[K"); /* to column 0, erase the line */
    g_string_assign(mon->line, text);
    prompt(mon);
}

static void show_history(Monitor *mon, int step)
{
    guint pos = mon->history_pos + (guint)step;
    if (pos <= mon->history->len) { /* also catches -1 */
        mon->history_pos = pos;
        replace_line(mon, pos < mon->history->len ? g_ptr_array_index(mon->history, pos) : "");
    }
}

static void remember(Monitor *mon)
{
    guint len = mon->history->len;
    if (mon->line->len && (!len || strcmp(g_ptr_array_index(mon->history, len - 1), mon->line->str) != 0)) {
        if (len == HISTORY) {
            g_ptr_array_remove_index(mon->history, 0);
        }
        g_ptr_array_add(mon->history, g_strdup(mon->line->str));
    }
    mon->history_pos = mon->history->len;
}

static void enter(Monitor *mon)
{
    g_autoptr(GString) out = g_string_new(NULL);
    put(mon, "\n");
    remember(mon);
    monitor_command(mon, mon->line->str, out);
    g_string_truncate(mon->line, 0);
    put(mon, out->str);
    prompt(mon);
}

static void escape_key(Monitor *mon, uint8_t byte)
{
    if (mon->escape == 1) {
        mon->escape = byte == '[' || byte == 'O' ? 2 : 0;
    } else if (byte >= 0x40) { /* the final byte of a control sequence, ECMA-48 5.4 */
        mon->escape = 0;
        if (byte == 'A' || byte == 'B') {
            show_history(mon, byte == 'A' ? -1 : 1);
        }
    }
}

static void key(Monitor *mon, uint8_t byte)
{
    const char echo[2] = {(char)byte, 0};
    bool line_feed = byte == '\n' && mon->after_cr;
    mon->after_cr = byte == '\r';
    if (line_feed) {
        return;
    }
    if (mon->escape) {
        escape_key(mon, byte);
        return;
    }
    switch (byte) {
    case '\r':
    case '\n':
        enter(mon);
        break;
    case 27:
        mon->escape = 1;
        break;
    case 8:
    case 127:
        if (mon->line->len) {
            g_string_truncate(mon->line, mon->line->len - 1);
            put(mon, "\b \b");
        }
        break;
    case 'C' - 64:
    case 'U' - 64:
        replace_line(mon, "");
        break;
    case '\t':
        byte = ' ';
        G_GNUC_FALLTHROUGH;
    default:
        if (byte >= 32 && mon->line->len < LINE_MAX_LEN) {
            g_string_append_c(mon->line, (char)byte);
            put(mon, byte == (uint8_t)echo[0] ? echo : " ");
        }
        break;
    }
}

/* ---- the stream's client ---- */

static size_t can_receive(void *opaque)
{
    return 256;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    Monitor *mon = opaque;
    for (size_t i = 0; i < len; i++) {
        key(mon, buf[i]);
    }
    flush(mon);
}

static void event(void *opaque, CharEvent what)
{
    Monitor *mon = opaque;
    switch (what) {
    case CHAR_OPENED:
        break; /* CHAR_FOCUS_IN follows when input comes to us */
    case CHAR_CLOSED:
        g_string_truncate(mon->line, 0);
        g_string_truncate(mon->unsent, 0);
        mon->escape = 0;
        mon->greeted = false;
        break;
    case CHAR_FOCUS_IN:
        greet(mon);
        break;
    case CHAR_FOCUS_OUT:
        put(mon, "\n");
        flush(mon);
        break;
    case CHAR_BREAK:
        break;
    }
}

static void writable(void *opaque)
{
    flush(opaque);
}

Monitor *monitor_new(Chardev *chr, const MonitorHost *host, GError **error)
{
    Monitor *mon = g_new0(Monitor, 1);
    CharClient client = {can_receive, receive, event, writable, mon};
    mon->host = host;
    mon->line = g_string_new(NULL);
    mon->unsent = g_string_new(NULL);
    mon->history = g_ptr_array_new_with_free_func(g_free);
    if (chr && !chardev_attach(chr, &client, error)) {
        monitor_free(mon);
        return NULL;
    }
    mon->chr = chr;
    flush(mon); /* a greeting during the attach */
    return mon;
}

void monitor_free(Monitor *mon)
{
    if (mon->chr) {
        chardev_detach(mon->chr, mon);
    }
    g_string_free(mon->line, TRUE);
    g_string_free(mon->unsent, TRUE);
    g_ptr_array_free(mon->history, TRUE);
    g_free(mon);
}
