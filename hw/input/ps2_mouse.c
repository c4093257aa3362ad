/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PS/2 mouse: commands, movement packets, and the wheel that the rates 200, 100, 80 turn on.
 * Spec: IBM PS/2 Hardware Interface Technical Reference, "Mouse"; Microsoft Intelligent Mouse protocol.
 */
#include "hw/input/ps2.h"

enum {
    REPLY_ACK = 0xfa, REPLY_RESEND = 0xfe, REPLY_BAT_OK = 0xaa,
    CMD_SCALE_1 = 0xe6, CMD_SCALE_2 = 0xe7, CMD_RESOLUTION = 0xe8, CMD_STATUS = 0xe9, CMD_STREAM = 0xea,
    CMD_READ = 0xeb,
    CMD_UNWRAP = 0xec, CMD_WRAP = 0xee, CMD_REMOTE = 0xf0, CMD_ID = 0xf2, CMD_RATE = 0xf3, CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5, CMD_DEFAULT = 0xf6, CMD_RESEND = 0xfe, CMD_RESET = 0xff,
};
#define ID_WHEEL 3
#define AXIS_MAX 255 /* 9 bits with the sign in the first byte */
#define WHEEL_MAX 7

/* ---- packets ---- */

static int32_t clamp(int64_t v, int32_t max)
{
    return (int32_t)CLAMP(v, -max, max);
}

/* Scaling 2:1 of the counts of one sample in stream mode. */
static int32_t scale(int32_t v)
{
    static const uint8_t small[6] = {0, 1, 1, 3, 6, 9};
    uint32_t size = (uint32_t)ABS(v);
    int32_t scaled = (int32_t)(size < ARRAY_LEN(small) ? small[size] : size * 2);
    return v < 0 ? -scaled : scaled;
}

static int32_t take_axis(int32_t *moved)
{
    int32_t v = clamp(*moved, AXIS_MAX);
    *moved -= v;
    return v;
}

/* What has happened since the last one, as far as it fits; the rest stays for the next. */
static void packet(Ps2Mouse *m, Fifo16 *to, bool scaled)
{
    int32_t x = take_axis(&m->dx), y = take_axis(&m->dy);
    if (scaled) {
        x = clamp(scale(x), AXIS_MAX);
        y = clamp(scale(y), AXIS_MAX);
    }
    fifo16_push(to, (uint8_t)(0x08 | m->buttons | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0)));
    fifo16_push(to, (uint8_t)x);
    fifo16_push(to, (uint8_t)y);
    if (m->id == ID_WHEEL) {
        int32_t z = clamp(m->dz, WHEEL_MAX);
        m->dz -= z;
        fifo16_push(to, (uint8_t)z);
    } else {
        m->dz = 0;
    }
    m->reported = m->buttons;
}

static bool moved(const Ps2Mouse *m)
{
    return m->dx || m->dy || (m->dz && m->id == ID_WHEEL) || m->buttons != m->reported;
}

/* Stream mode: the next packet once the last has been taken. */
static void stream(Ps2Mouse *m)
{
    if (m->reporting && !m->remote && !m->wrap && m->packets.num == 0 && moved(m)) {
        packet(m, &m->packets, m->scaling);
    }
}

void ps2_mouse_event(Ps2Mouse *m, int dx, int dy, int dz, unsigned buttons)
{
    m->dx = clamp((int64_t)m->dx + dx, PS2_MOVE_MAX);
    m->dy = clamp((int64_t)m->dy - dy, PS2_MOVE_MAX);
    m->dz = clamp((int64_t)m->dz + dz, PS2_MOVE_MAX);
    m->buttons = buttons & 7;
    stream(m);
}

/* ---- commands ---- */

static void forget_moves(Ps2Mouse *m)
{
    m->dx = m->dy = m->dz = 0;
    fifo16_clear(&m->packets);
}

static void set_defaults(Ps2Mouse *m)
{
    m->rate = 100;
    m->resolution = 2;
    m->scaling = m->remote = m->reporting = false;
    m->knock = 0;
    forget_moves(m);
}

static void send_status(Ps2Mouse *m)
{
    unsigned buttons = m->buttons & PS2_BUTTON_LEFT ? 4 : 0;
    buttons |= m->buttons & PS2_BUTTON_MIDDLE ? 2 : 0;
    buttons |= m->buttons & PS2_BUTTON_RIGHT ? 1 : 0;
    fifo16_push(&m->reply, (uint8_t)(m->remote << 6 | m->reporting << 5 | m->scaling << 4 | buttons));
    fifo16_push(&m->reply, m->resolution);
    fifo16_push(&m->reply, m->rate);
}

static void refuse(Ps2Mouse *m)
{
    fifo16_clear(&m->reply);
    fifo16_push(&m->reply, REPLY_RESEND);
}

static void set_rate(Ps2Mouse *m, uint8_t rate)
{
    static const uint8_t rates[] = {10, 20, 40, 60, 80, 100, 200}, knock[] = {200, 100, 80};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        if (rates[i] != rate) {
            continue;
        }
        m->rate = rate;
        m->knock = rate == knock[m->knock % 3] ? m->knock + 1 : rate == knock[0];
        if (m->knock == ARRAY_LEN(knock)) {
            m->knock = 0;
            m->id = ID_WHEEL;
        }
        return;
    }
    refuse(m);
}

static void argument(Ps2Mouse *m, uint8_t command, uint8_t value)
{
    fifo16_push(&m->reply, REPLY_ACK);
    if (command == CMD_RATE) {
        set_rate(m, value);
    } else if (value <= 3) {
        m->resolution = value;
    } else {
        refuse(m);
    }
}

static void command(Ps2Mouse *m, uint8_t value)
{
    fifo16_push(&m->reply, REPLY_ACK);
    switch (value) {
    case CMD_SCALE_1:
    case CMD_SCALE_2:
        m->scaling = value == CMD_SCALE_2;
        break;
    case CMD_RESOLUTION:
    case CMD_RATE:
        m->command = value;
        break;
    case CMD_STATUS:
        send_status(m);
        break;
    case CMD_STREAM:
    case CMD_REMOTE:
        m->remote = value == CMD_REMOTE;
        forget_moves(m);
        break;
    case CMD_READ:
        fifo16_clear(&m->packets);
        packet(m, &m->reply, false);
        break;
    case CMD_WRAP:
    case CMD_UNWRAP:
        m->wrap = value == CMD_WRAP;
        forget_moves(m);
        break;
    case CMD_ID:
        fifo16_push(&m->reply, m->id);
        break;
    case CMD_ENABLE:
    case CMD_DISABLE:
        m->reporting = value == CMD_ENABLE;
        forget_moves(m);
        break;
    case CMD_DEFAULT:
        set_defaults(m);
        break;
    case CMD_RESET:
        set_defaults(m);
        m->id = 0;
        m->wrap = false;
        fifo16_push(&m->reply, REPLY_BAT_OK);
        fifo16_push(&m->reply, 0);
        break;
    case CMD_RESEND:
        fifo16_clear(&m->reply);
        fifo16_push(&m->reply, m->last);
        break;
    default:
        refuse(m);
        break;
    }
}

void ps2_mouse_write(Ps2Mouse *m, uint8_t value)
{
    uint8_t waiting = m->command;
    m->command = 0;
    fifo16_clear(&m->reply);
    fifo16_clear(&m->packets); /* a packet that is cut short is not continued */
    if (m->wrap && value != CMD_RESET && value != CMD_UNWRAP) {
        fifo16_push(&m->reply, value);
    } else if (waiting == CMD_RATE || waiting == CMD_RESOLUTION) {
        argument(m, waiting, value);
    } else {
        command(m, value);
    }
}

bool ps2_mouse_pending(const Ps2Mouse *m)
{
    return m->reply.num || m->packets.num;
}

uint8_t ps2_mouse_take(Ps2Mouse *m)
{
    uint8_t byte = m->reply.num ? fifo16_pop(&m->reply) : fifo16_pop(&m->packets);
    if (byte != REPLY_RESEND) {
        m->last = byte;
    }
    stream(m);
    return byte;
}

bool ps2_mouse_valid(const Ps2Mouse *m)
{
    return m->reply.num <= 16 && m->packets.num <= 16;
}
