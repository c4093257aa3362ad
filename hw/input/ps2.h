/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two devices on PS/2 ports, as state machines inside another chip's state: a keyboard (scan code sets 1, 2, 3)
 * and a mouse (standard and IntelliMouse).  They take command bytes and give bytes; the controller moves them.
 * Spec: IBM PS/2 Hardware Interface Technical Reference (1991), "Keyboards" and "Mouse"; Microsoft "Intelligent
 * Mouse" (wheel, id 3).
 */
#pragma once

#include "hw/core/device.h"
#include "util/fifo.h"

typedef struct Ps2Keyboard {
    Fifo16 reply;       /* answers to commands: sent before keys */
    Fifo16 keys;        /* scan codes, whole sequences only */
    uint8_t breaks[32]; /* set 3: bit n: key n sends a break code */
    uint8_t set;        /* scan code set 1..3 */
    uint8_t scanning;
    uint8_t leds;       /* bit 0 scroll, 1 num, 2 caps */
    uint8_t typematic;  /* rate and delay as programmed */
    uint8_t command;    /* waits for its argument, or 0 */
    uint8_t last;       /* the byte sent last, for resend */
} Ps2Keyboard;

#define PS2_KEYBOARD_FIELDS(T, m)                                                                                    \
    FIELD_BYTES(T, m.reply, 0), FIELD_BYTES(T, m.keys, 0), FIELD_BYTES(T, m.breaks, 0),                              \
        FIELD_RANGE(T, m.set, 2, 1, 3), FIELD_BOOL(T, m.scanning, 1), FIELD(T, m.leds, 0),                           \
        FIELD(T, m.typematic, 0x2b), FIELD(T, m.command, 0), FIELD(T, m.last, 0)

/* What the field rows cannot say; to be called from the reset of the chip that holds it. */
void ps2_keyboard_reset(Ps2Keyboard *k);
void ps2_keyboard_write(Ps2Keyboard *k, uint8_t value);
bool ps2_keyboard_pending(const Ps2Keyboard *k);
/* The next byte for the host. */
uint8_t ps2_keyboard_take(Ps2Keyboard *k);
/*
 * A key went down or up.  code: its make code in set 1, 0x01..0x7f, with 0xe000 for the keys that have the prefix
 * (0xe01d right control); PS2_KEY_PAUSE has no other form.  Unknown codes are ignored.
 */
#define PS2_KEY_PAUSE 0xe11d
#define PS2_KEY_PRINT 0xe037
void ps2_keyboard_key(Ps2Keyboard *k, uint16_t code, bool down);
bool ps2_keyboard_valid(const Ps2Keyboard *k);

/* What a controller in translate mode makes of a byte of set 2 (codes above 0x84 pass). */
uint8_t ps2_translate(uint8_t code);

enum { PS2_BUTTON_LEFT = 1, PS2_BUTTON_RIGHT = 2, PS2_BUTTON_MIDDLE = 4 };

typedef struct Ps2Mouse {
    int32_t dx, dy, dz; /* moved since the last packet; dy grows upwards, dz towards the user */
    Fifo16 reply, packets;
    uint8_t reporting, remote, wrap, scaling;
    uint8_t resolution; /* log2 of counts a millimetre, 0..3 */
    uint8_t rate;       /* samples a second */
    uint8_t id;         /* 0, or 3: with wheel */
    uint8_t knock;      /* how much of the rates 200, 100, 80 has been seen */
    uint8_t command, last;
    uint8_t buttons, reported; /* now, and in the last packet */
} Ps2Mouse;

#define PS2_MOVE_MAX 4096 /* more is forgotten */
#define PS2_MOUSE_MOVE_(T, m) FIELD_(T, m, FIELD_INT, false, 0, -PS2_MOVE_MAX, PS2_MOVE_MAX)
#define PS2_MOUSE_FIELDS(T, m)                                                                                       \
    PS2_MOUSE_MOVE_(T, m.dx), PS2_MOUSE_MOVE_(T, m.dy), PS2_MOUSE_MOVE_(T, m.dz), FIELD_BYTES(T, m.reply, 0),        \
        FIELD_BYTES(T, m.packets, 0), FIELD_BOOL(T, m.reporting, 0), FIELD_BOOL(T, m.remote, 0),                     \
        FIELD_BOOL(T, m.wrap, 0), FIELD_BOOL(T, m.scaling, 0), FIELD_RANGE(T, m.resolution, 2, 0, 3),                \
        FIELD(T, m.rate, 100), FIELD_RANGE(T, m.id, 0, 0, 3), FIELD_RANGE(T, m.knock, 0, 0, 2),                      \
        FIELD(T, m.command, 0), FIELD(T, m.last, 0), FIELD_RANGE(T, m.buttons, 0, 0, 7),                             \
        FIELD_RANGE(T, m.reported, 0, 0, 7)

void ps2_mouse_write(Ps2Mouse *mouse, uint8_t value);
bool ps2_mouse_pending(const Ps2Mouse *mouse);
uint8_t ps2_mouse_take(Ps2Mouse *mouse);
/* dx grows to the right, dy downwards (as on a screen), dz towards the user; buttons are PS2_BUTTON_*. */
void ps2_mouse_event(Ps2Mouse *mouse, int dx, int dy, int dz, unsigned buttons);
bool ps2_mouse_valid(const Ps2Mouse *mouse);
