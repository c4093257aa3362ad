/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telnet as seen by a console: options are stated once and never negotiated further, commands are removed.
 * Spec: RFC 854 (commands), 855 (options), 856 (binary), 857 (echo), 858 (suppress go-ahead)
 */
#include "chardev/telnet.h"

enum { SE = 240, BRK = 243, IP = 244, SB = 250, WILL = 251, WONT = 252, DO = 253, DONT = 254, IAC = 255 };
enum { OPT_BINARY = 0, OPT_ECHO = 1, OPT_SGA = 3 };
enum { DATA, COMMAND, OPTION, SUB, SUB_COMMAND, CR };

const uint8_t telnet_hello[12] = {IAC, WILL, OPT_ECHO,   IAC, WILL, OPT_SGA,
                                  IAC, WILL, OPT_BINARY, IAC, DO,   OPT_BINARY};

static uint8_t command(uint8_t byte, bool *got_break)
{
    switch (byte) {
    case WILL:
    case WONT:
    case DO:
    case DONT:
        return OPTION;
    case SB:
        return SUB;
    case BRK:
    case IP:
        *got_break = true;
        return DATA;
    default:
        return DATA;
    }
}

size_t telnet_filter(Telnet *t, uint8_t *buf, size_t len, bool *got_break)
{
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = buf[i];
        switch (t->state) {
        case CR:
            t->state = DATA;
            if (byte == 0) {
                break; /* RFC 854: CR NUL is a bare carriage return */
            }
            G_GNUC_FALLTHROUGH;
        case DATA:
            if (byte == IAC) {
                t->state = COMMAND;
            } else {
                t->state = byte == '\r' ? CR : DATA;
                buf[out++] = byte;
            }
            break;
        case COMMAND:
            t->state = byte == IAC ? DATA : command(byte, got_break);
            if (byte == IAC) {
                buf[out++] = IAC;
            }
            break;
        case OPTION:
            t->state = DATA;
            break;
        case SUB:
            t->state = byte == IAC ? SUB_COMMAND : SUB;
            break;
        case SUB_COMMAND:
            t->state = byte == SE ? DATA : SUB;
            break;
        default:
            t->state = DATA;
            break;
        }
    }
    return out;
}
