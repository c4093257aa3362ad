/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PS/2 keyboard: commands, and scan codes of keys in three sets.
 * Spec: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-key)", sections Commands from the
 * System, Scan Code Sets.
 */
#include "hw/input/ps2.h"

#include <string.h>

enum {
    REPLY_ACK = 0xfa, REPLY_RESEND = 0xfe, REPLY_ECHO = 0xee, REPLY_BAT_OK = 0xaa,
    CMD_SET_LEDS = 0xed, CMD_ECHO = 0xee, CMD_SCAN_SET = 0xf0, CMD_ID = 0xf2, CMD_TYPEMATIC = 0xf3, CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5, CMD_DEFAULT = 0xf6, CMD_ALL_TYPEMATIC = 0xf7, CMD_ALL_MAKE_BREAK = 0xf8, CMD_ALL_MAKE = 0xf9,
    CMD_ALL_BOTH = 0xfa, CMD_KEY_TYPEMATIC = 0xfb, CMD_KEY_MAKE_BREAK = 0xfc, CMD_KEY_MAKE = 0xfd, CMD_RESEND = 0xfe,
    CMD_RESET = 0xff,
};
#define TYPEMATIC_DEFAULT 0x2b /* 10.9 characters a second after 500 ms */

/* Set 2 to set 1, as the controller's ROM has it; index above 0x84 is the identity. */
static const uint8_t to_set1[0x85] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59, /* 00 */
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b, /* 10 */
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d, /* 20 */
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f, /* 30 */
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61, /* 40 */
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, /* 50 */
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, /* 60 */
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54, /* 70 */
    0x80, 0x81, 0x82, 0x41, 0x54,                                                                   /* 80 */
};

/* Set 3 by the make code of set 1; 0: no such key. */
static const uint8_t set3_plain[0x59] = {
    [0x01] = 0x08, [0x02] = 0x16, [0x03] = 0x1e, [0x04] = 0x26, [0x05] = 0x25, [0x06] = 0x2e, [0x07] = 0x36,
    [0x08] = 0x3d, [0x09] = 0x3e, [0x0a] = 0x46, [0x0b] = 0x45, [0x0c] = 0x4e, [0x0d] = 0x55, [0x0e] = 0x66,
    [0x0f] = 0x0d, [0x10] = 0x15, [0x11] = 0x1d, [0x12] = 0x24, [0x13] = 0x2d, [0x14] = 0x2c, [0x15] = 0x35,
    [0x16] = 0x3c, [0x17] = 0x43, [0x18] = 0x44, [0x19] = 0x4d, [0x1a] = 0x54, [0x1b] = 0x5b, [0x1c] = 0x5a,
    [0x1d] = 0x11, [0x1e] = 0x1c, [0x1f] = 0x1b, [0x20] = 0x23, [0x21] = 0x2b, [0x22] = 0x34, [0x23] = 0x33,
    [0x24] = 0x3b, [0x25] = 0x42, [0x26] = 0x4b, [0x27] = 0x4c, [0x28] = 0x52, [0x29] = 0x0e, [0x2a] = 0x12,
    [0x2b] = 0x5c, [0x2c] = 0x1a, [0x2d] = 0x22, [0x2e] = 0x21, [0x2f] = 0x2a, [0x30] = 0x32, [0x31] = 0x31,
    [0x32] = 0x3a, [0x33] = 0x41, [0x34] = 0x49, [0x35] = 0x4a, [0x36] = 0x59, [0x37] = 0x7e, [0x38] = 0x19,
    [0x39] = 0x29, [0x3a] = 0x14, [0x3b] = 0x07, [0x3c] = 0x0f, [0x3d] = 0x17, [0x3e] = 0x1f, [0x3f] = 0x27,
    [0x40] = 0x2f, [0x41] = 0x37, [0x42] = 0x3f, [0x43] = 0x47, [0x44] = 0x4f, [0x45] = 0x76, [0x46] = 0x5f,
    [0x47] = 0x6c, [0x48] = 0x75, [0x49] = 0x7d, [0x4a] = 0x84, [0x4b] = 0x6b, [0x4c] = 0x73, [0x4d] = 0x74,
    [0x4e] = 0x7c, [0x4f] = 0x69, [0x50] = 0x72, [0x51] = 0x7a, [0x52] = 0x70, [0x53] = 0x71, [0x54] = 0x57,
    [0x56] = 0x13, [0x57] = 0x56, [0x58] = 0x5e,
};
static const struct {
    uint8_t set1, set3;
} set3_extended[] = {
    {0x1c, 0x79}, {0x1d, 0x58}, {0x35, 0x77}, {0x37, 0x57}, {0x38, 0x39}, {0x47, 0x6e}, {0x48, 0x63}, {0x49, 0x6f},
    {0x4b, 0x61}, {0x4d, 0x6a}, {0x4f, 0x65}, {0x50, 0x60}, {0x51, 0x6d}, {0x52, 0x67}, {0x53, 0x64}, {0x5b, 0x8b},
    {0x5c, 0x8c}, {0x5d, 0x8d},
};
#define SET3_PAUSE 0x62
/* Keys of set 3 that send break codes until the system says otherwise: shift, control, left alt, caps lock. */
static const uint8_t set3_breaks[] = {0x12, 0x59, 0x11, 0x19, 0x14};

uint8_t ps2_translate(uint8_t code)
{
    return code < ARRAY_LEN(to_set1) ? to_set1[code] : code;
}

/* The code of set 2 that the controller would translate to `code`; 0: none. */
static uint8_t to_set2(uint8_t code)
{
    /* F7 and Alt+SysRq are the highest of the two codes that translate alike */
    for (unsigned i = ARRAY_LEN(to_set1); i-- > 1;) {
        if (to_set1[i] == code) {
            return (uint8_t)i;
        }
    }
    return 0;
}

static uint8_t to_set3(uint16_t code)
{
    if (code == PS2_KEY_PAUSE) {
        return SET3_PAUSE;
    }
    if (code < ARRAY_LEN(set3_plain)) {
        return set3_plain[code];
    }
    for (size_t i = 0; code >> 8 == 0xe0 && i < ARRAY_LEN(set3_extended); i++) {
        if (set3_extended[i].set1 == (code & 0xff)) {
            return set3_extended[i].set3;
        }
    }
    return 0;
}

/* ---- keys ---- */

/* A sequence under construction: queued whole or not at all. */
typedef struct Sequence {
    uint8_t len;
    uint8_t bytes[10];
} Sequence;

static void put(Sequence *s, uint8_t byte)
{
    if (s->len < sizeof(s->bytes)) {
        s->bytes[s->len++] = byte;
    }
}

/* One key of set 1 or 2, with or without the E0 prefix; code is that of set 1. */
static void put_key(Sequence *s, uint8_t set, bool extended, uint8_t code, bool down)
{
    if (extended) {
        put(s, 0xe0);
    }
    if (set == 1) {
        put(s, down ? code : code | 0x80);
    } else {
        if (!down) {
            put(s, 0xf0);
        }
        put(s, to_set2(code));
    }
}

static void sequence_set12(Sequence *s, uint8_t set, uint16_t code, bool down)
{
    uint8_t low = code & 0x7f;
    if (code == PS2_KEY_PAUSE) {
        if (down) { /* make and break at once: control and num lock behind E1 */
            put(s, 0xe1);
            put_key(s, set, false, 0x1d, true);
            put_key(s, set, false, 0x45, true);
            put(s, 0xe1);
            put_key(s, set, false, 0x1d, false);
            put_key(s, set, false, 0x45, false);
        }
    } else if (code == PS2_KEY_PRINT) {
        /* between the codes of a shift that nobody pressed */
        put_key(s, set, true, down ? 0x2a : 0x37, down);
        put_key(s, set, true, down ? 0x37 : 0x2a, down);
    } else if ((code >> 8 == 0 || code >> 8 == 0xe0) && !(code & 0x80) && to_set2(low)) {
        put_key(s, set, code >> 8, low, down);
    }
}

static void sequence_set3(Sequence *s, const Ps2Keyboard *k, uint16_t code, bool down)
{
    uint8_t key = to_set3(code);
    if (!key || (!down && !(k->breaks[key / 8] & (1 << (key & 7))))) {
        return;
    }
    if (!down) {
        put(s, 0xf0);
    }
    put(s, key);
}

void ps2_keyboard_key(Ps2Keyboard *k, uint16_t code, bool down)
{
    Sequence s = {0};
    if (!k->scanning) {
        return;
    }
    if (k->set == 3) {
        sequence_set3(&s, k, code, down);
    } else {
        sequence_set12(&s, k->set, code, down);
    }
    unsigned room = 16 - MIN(k->keys.num, 16);
    if (s.len == 0 || room == 0) {
        return;
    }
    /* one place is kept for the overrun code: FF in set 1, 00 in the others */
    if (s.len >= room) {
        fifo16_push(&k->keys, k->set == 1 ? 0xff : 0x00);
        return;
    }
    for (unsigned i = 0; i < s.len; i++) {
        fifo16_push(&k->keys, s.bytes[i]);
    }
}

/* ---- commands ---- */

static void all_breaks(Ps2Keyboard *k, bool on)
{
    memset(k->breaks, on ? 0xff : 0, sizeof(k->breaks));
}

static void one_break(Ps2Keyboard *k, uint8_t key, bool on)
{
    uint8_t bit = (uint8_t)(1 << (key & 7));
    k->breaks[key / 8] = (uint8_t)(on ? k->breaks[key / 8] | bit : k->breaks[key / 8] & ~bit);
}

static void set_defaults(Ps2Keyboard *k)
{
    fifo16_clear(&k->keys);
    k->typematic = TYPEMATIC_DEFAULT;
    all_breaks(k, false);
    for (size_t i = 0; i < ARRAY_LEN(set3_breaks); i++) {
        one_break(k, set3_breaks[i], true);
    }
}

void ps2_keyboard_reset(Ps2Keyboard *k)
{
    set_defaults(k);
}

static void argument(Ps2Keyboard *k, uint8_t command, uint8_t value)
{
    fifo16_push(&k->reply, REPLY_ACK);
    switch (command) {
    case CMD_SET_LEDS:
        k->leds = value & 7;
        break;
    case CMD_TYPEMATIC:
        k->typematic = value & 0x7f;
        break;
    case CMD_SCAN_SET:
        if (value == 0) {
            fifo16_push(&k->reply, k->set);
        } else if (value <= 3) {
            k->set = value;
            fifo16_clear(&k->keys);
        } else {
            fifo16_clear(&k->reply);
            fifo16_push(&k->reply, REPLY_RESEND);
        }
        break;
    default: /* one of CMD_KEY_*: further keys may follow, up to the next command */
        one_break(k, value, command == CMD_KEY_MAKE_BREAK);
        k->command = command;
        break;
    }
}

static void command(Ps2Keyboard *k, uint8_t value)
{
    fifo16_push(&k->reply, REPLY_ACK);
    switch (value) {
    case CMD_SET_LEDS:
    case CMD_SCAN_SET:
    case CMD_TYPEMATIC:
    case CMD_KEY_TYPEMATIC:
    case CMD_KEY_MAKE_BREAK:
    case CMD_KEY_MAKE:
        k->command = value;
        break;
    case CMD_ID:
        fifo16_push(&k->reply, 0xab);
        fifo16_push(&k->reply, 0x83);
        break;
    case CMD_ENABLE:
        fifo16_clear(&k->keys);
        k->scanning = true;
        break;
    case CMD_DISABLE:
    case CMD_DEFAULT:
        set_defaults(k);
        k->scanning = value == CMD_DEFAULT;
        break;
    case CMD_ALL_TYPEMATIC:
    case CMD_ALL_MAKE:
        all_breaks(k, false);
        break;
    case CMD_ALL_MAKE_BREAK:
    case CMD_ALL_BOTH:
        all_breaks(k, true);
        break;
    case CMD_RESET:
        set_defaults(k);
        k->scanning = true;
        k->set = 2;
        k->leds = 0;
        fifo16_push(&k->reply, REPLY_BAT_OK);
        break;
    default:
        fifo16_clear(&k->reply);
        fifo16_push(&k->reply, value == CMD_ECHO ? REPLY_ECHO : value == CMD_RESEND ? k->last : REPLY_RESEND);
        break;
    }
}

void ps2_keyboard_write(Ps2Keyboard *k, uint8_t value)
{
    uint8_t waiting = k->command;
    k->command = 0;
    fifo16_clear(&k->reply); /* a new byte from the system ends what was being sent */
    if (waiting && value < CMD_SET_LEDS) {
        argument(k, waiting, value);
    } else {
        command(k, value);
    }
}

bool ps2_keyboard_pending(const Ps2Keyboard *k)
{
    return k->reply.num || k->keys.num;
}

uint8_t ps2_keyboard_take(Ps2Keyboard *k)
{
    uint8_t byte = k->reply.num ? fifo16_pop(&k->reply) : fifo16_pop(&k->keys);
    if (byte != REPLY_RESEND) {
        k->last = byte;
    }
    return byte;
}

bool ps2_keyboard_valid(const Ps2Keyboard *k)
{
    return k->reply.num <= 16 && k->keys.num <= 16;
}
