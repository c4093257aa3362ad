/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keyboard controller of a PC: an 8042 with the PS/2 firmware.
 * Spec: IBM PS/2 Hardware Interface Technical Reference (1991), "Keyboard and Auxiliary Device Controller"; Intel
 * UPI-42 (8042) data sheet for the status register.
 */
#include "hw/input/i8042.h"

#include "hw/input/ps2.h"

/* Status register, port 0x64. */
enum { STATUS_OBF = 1 << 0, STATUS_SYS = 1 << 2, STATUS_COMMAND = 1 << 3, STATUS_UNLOCKED = 1 << 4,
       STATUS_AUX_OBF = 1 << 5 };
/* Command byte. */
enum { MODE_KBD_INT = 1 << 0, MODE_AUX_INT = 1 << 1, MODE_SYS = 1 << 2, MODE_KBD_OFF = 1 << 4, MODE_AUX_OFF = 1 << 5,
       MODE_TRANSLATE = 1 << 6 };
/* Output port. */
enum { OUT_NO_RESET = 1 << 0, OUT_A20 = 1 << 1, OUT_KBD_OBF = 1 << 4, OUT_AUX_OBF = 1 << 5, OUT_LINES = 3 << 6 };
/* Commands. */
enum {
    CMD_READ_MODE = 0x20, CMD_WRITE_MODE = 0x60, CMD_AUX_OFF = 0xa7, CMD_AUX_ON = 0xa8, CMD_AUX_TEST = 0xa9,
    CMD_SELF_TEST = 0xaa, CMD_KBD_TEST = 0xab, CMD_KBD_OFF = 0xad, CMD_KBD_ON = 0xae, CMD_READ_INPUT = 0xc0,
    CMD_READ_OUTPUT = 0xd0, CMD_WRITE_OUTPUT = 0xd1, CMD_WRITE_KBD_OBF = 0xd2, CMD_WRITE_AUX_OBF = 0xd3,
    CMD_WRITE_AUX = 0xd4, CMD_A20_OFF = 0xdd, CMD_A20_ON = 0xdf, CMD_READ_TEST = 0xe0, CMD_PULSE = 0xf0,
};

/*
 * A byte takes 11 bits at up to 16.7 kHz.  The gap matters: handlers that chain to one another read the same byte
 * again from port 0x60, so the next may not be there at once.
 */
#define BYTE_NS 660000

/* Who a byte in the output buffer is from; the controller itself counts as the keyboard. */
enum { SOURCE_NONE, SOURCE_KBD, SOURCE_AUX };

typedef struct I8042 {
    Device dev;
    Irq kbd_irq, mouse_irq, a20, reset;
    Timer timer; /* the next byte has arrived from a device */
    struct {
        int64_t next_at;    /* no byte of a device before this */
        Ps2Mouse mouse;
        Ps2Keyboard kbd;
        uint8_t mode;       /* the command byte */
        uint8_t command;    /* waits for its byte at port 0x60, or 0 */
        uint8_t wrote_command; /* the last write was to 0x64 */
        uint8_t data;       /* output buffer; stays readable when empty */
        uint8_t full;       /* SOURCE_* of the byte in the output buffer */
        uint8_t reply;      /* of the controller, when `replying` */
        uint8_t replying;   /* SOURCE_* as which the reply is to appear */
        uint8_t output;     /* output port bits that are latched: OUT_NO_RESET, OUT_A20 */
        uint8_t unused[2];  /* to a multiple of 8 */
    } s;
} I8042;

static I8042 *i8042(Device *dev)
{
    return container_of(dev, I8042, dev);
}

static const Field i8042_fields[] = {
    FIELD_TIME(I8042, next_at, 0),
    PS2_MOUSE_FIELDS(I8042, mouse),
    PS2_KEYBOARD_FIELDS(I8042, kbd),
    FIELD(I8042, mode, MODE_KBD_INT | MODE_AUX_INT),
    FIELD(I8042, command, 0),
    FIELD_BOOL(I8042, wrote_command, 1),
    FIELD(I8042, data, 0),
    FIELD_RANGE(I8042, full, SOURCE_NONE, SOURCE_NONE, SOURCE_AUX),
    FIELD(I8042, reply, 0),
    FIELD_RANGE(I8042, replying, SOURCE_NONE, SOURCE_NONE, SOURCE_AUX),
    FIELD(I8042, output, OUT_NO_RESET | OUT_A20),
    FIELD_BYTES(I8042, unused, 0),
};

/* ---- output buffer ---- */

static void fill(I8042 *c, uint8_t source, uint8_t value)
{
    c->s.data = value;
    c->s.full = source;
}

static void reply_as(I8042 *c, uint8_t source, uint8_t value)
{
    c->s.reply = value;
    c->s.replying = source;
}

/* The next byte of the keyboard.  Translation swallows the prefix of a break code and sets bit 7 of what follows. */
static uint8_t take_keyboard(I8042 *c)
{
    uint8_t byte = ps2_keyboard_take(&c->s.kbd), released = 0;
    if (!(c->s.mode & MODE_TRANSLATE)) {
        return byte;
    }
    if (byte == 0xf0) {
        byte = ps2_keyboard_take(&c->s.kbd); /* sequences are queued whole: it is there */
        released = 0x80;
    }
    return ps2_translate(byte) | released;
}

/* The output buffer is empty: is there something for it?  The controller goes first, then the keyboard. */
static void refill(I8042 *c)
{
    int64_t now = clock_now(c->dev.env->clock);
    bool kbd = ps2_keyboard_pending(&c->s.kbd) && !(c->s.mode & MODE_KBD_OFF);
    bool aux = ps2_mouse_pending(&c->s.mouse) && !(c->s.mode & MODE_AUX_OFF);
    if (c->s.replying) {
        fill(c, c->s.replying, c->s.reply);
        c->s.replying = SOURCE_NONE;
    } else if ((kbd || aux) && now < c->s.next_at) {
        return;
    } else if (kbd) {
        fill(c, SOURCE_KBD, take_keyboard(c));
    } else if (aux) {
        fill(c, SOURCE_AUX, ps2_mouse_take(&c->s.mouse));
    }
}

static void set_irqs(const I8042 *c)
{
    irq_set(&c->kbd_irq, c->s.full == SOURCE_KBD && (c->s.mode & MODE_KBD_INT));
    irq_set(&c->mouse_irq, c->s.full == SOURCE_AUX && (c->s.mode & MODE_AUX_INT));
}

static void i8042_update(Device *dev)
{
    I8042 *c = i8042(dev);
    /* Low in between when one byte follows another: the interrupt inputs see edges. */
    set_irqs(c);
    if (c->s.full == SOURCE_NONE) {
        refill(c);
        set_irqs(c);
    }
    irq_set(&c->a20, c->s.output & OUT_A20);
    bool waiting = c->s.full == SOURCE_NONE && c->s.next_at > clock_now(dev->env->clock) &&
                   (ps2_keyboard_pending(&c->s.kbd) || ps2_mouse_pending(&c->s.mouse));
    timer_set(&c->timer, waiting ? c->s.next_at : TIMER_OFF);
}

static void timer_fired(void *opaque)
{
    device_update(opaque);
}

static void i8042_reset(Device *dev)
{
    ps2_keyboard_reset(&i8042(dev)->s.kbd);
}

/* ---- port 0x60 ---- */

static uint64_t data_read(Device *dev)
{
    I8042 *c = i8042(dev);
    if (c->s.full != SOURCE_NONE) {
        c->s.full = SOURCE_NONE;
        c->s.next_at = clock_now(dev->env->clock) + BYTE_NS;
    }
    return c->s.data;
}

static void write_output(I8042 *c, uint8_t value)
{
    c->s.output = value & (OUT_NO_RESET | OUT_A20);
    if (!(value & OUT_NO_RESET)) {
        c->s.output |= OUT_NO_RESET; /* the reset takes the line back */
        irq_pulse(&c->reset);
    }
}

static void data_write(Device *dev, uint64_t value)
{
    I8042 *c = i8042(dev);
    uint8_t byte = (uint8_t)value, command = c->s.command;
    c->s.command = 0;
    c->s.wrote_command = false;
    switch (command) {
    case CMD_WRITE_MODE:
        c->s.mode = byte;
        break;
    case CMD_WRITE_OUTPUT:
        write_output(c, byte);
        break;
    case CMD_WRITE_KBD_OBF:
        reply_as(c, SOURCE_KBD, byte);
        break;
    case CMD_WRITE_AUX_OBF:
        reply_as(c, SOURCE_AUX, byte);
        break;
    case CMD_WRITE_AUX:
        c->s.mode &= (uint8_t)~MODE_AUX_OFF; /* sending enables the interface */
        ps2_mouse_write(&c->s.mouse, byte);
        c->s.next_at = clock_now(dev->env->clock) + BYTE_NS;
        break;
    default:
        c->s.mode &= (uint8_t)~MODE_KBD_OFF;
        ps2_keyboard_write(&c->s.kbd, byte);
        c->s.next_at = clock_now(dev->env->clock) + BYTE_NS;
        break;
    }
}

/* ---- port 0x64 ---- */

static uint64_t status_read(Device *dev)
{
    const I8042 *c = i8042(dev);
    unsigned status = STATUS_UNLOCKED;
    status |= c->s.full != SOURCE_NONE ? STATUS_OBF : 0;
    status |= c->s.full == SOURCE_AUX ? STATUS_AUX_OBF : 0;
    status |= c->s.mode & MODE_SYS ? STATUS_SYS : 0;
    status |= c->s.wrote_command ? STATUS_COMMAND : 0;
    return status;
}

static uint8_t read_output(const I8042 *c)
{
    unsigned value = c->s.output | OUT_LINES;
    value |= c->s.full == SOURCE_KBD ? OUT_KBD_OBF : 0;
    value |= c->s.full == SOURCE_AUX ? OUT_AUX_OBF : 0;
    return (uint8_t)value;
}

static void self_test(I8042 *c)
{
    c->s.mode |= MODE_SYS;
    c->s.full = SOURCE_NONE;
    reply_as(c, SOURCE_KBD, 0x55);
}

static void set_mode(I8042 *c, uint8_t bit, bool on)
{
    c->s.mode = (uint8_t)(on ? c->s.mode | bit : c->s.mode & ~bit);
}

static void command_write(Device *dev, uint64_t value)
{
    I8042 *c = i8042(dev);
    c->s.wrote_command = true;
    c->s.command = 0;
    c->s.replying = SOURCE_NONE; /* a reply that nobody fetched gives way to that of the next command */
    switch (value) {
    case CMD_READ_MODE:
        reply_as(c, SOURCE_KBD, c->s.mode);
        break;
    case CMD_WRITE_MODE:
    case CMD_WRITE_OUTPUT:
    case CMD_WRITE_KBD_OBF:
    case CMD_WRITE_AUX_OBF:
    case CMD_WRITE_AUX:
        c->s.command = (uint8_t)value;
        break;
    case CMD_AUX_OFF:
    case CMD_AUX_ON:
        set_mode(c, MODE_AUX_OFF, value == CMD_AUX_OFF);
        break;
    case CMD_KBD_OFF:
    case CMD_KBD_ON:
        set_mode(c, MODE_KBD_OFF, value == CMD_KBD_OFF);
        break;
    case CMD_AUX_TEST:
    case CMD_KBD_TEST:
        reply_as(c, SOURCE_KBD, 0); /* no fault on clock and data */
        break;
    case CMD_SELF_TEST:
        self_test(c);
        break;
    case CMD_READ_INPUT:
        reply_as(c, SOURCE_KBD, 0x80); /* keyboard not locked */
        break;
    case CMD_READ_OUTPUT:
        reply_as(c, SOURCE_KBD, read_output(c));
        break;
    case CMD_READ_TEST:
        reply_as(c, SOURCE_KBD, 0);
        break;
    case CMD_A20_OFF:
    case CMD_A20_ON:
        c->s.output = (uint8_t)(OUT_NO_RESET | (value == CMD_A20_ON ? OUT_A20 : 0));
        break;
    default:
        if (value < CMD_PULSE) {
            guest_unimp(dev, "controller command 0x%02x", (unsigned)value);
        } else if (!(value & OUT_NO_RESET)) {
            irq_pulse(&c->reset); /* bits of the output port that are 0 in the command are pulsed low */
        }
        break;
    }
}

static const Reg i8042_regs[] = {
    {.offset = 0, .name = "DATA", .bank = REG_ANY_BANK, HANDLED(data_read, data_write)},
    {.offset = 4, .name = "STATUS/COMMAND", .bank = REG_ANY_BANK, HANDLED(status_read, command_write)},
};

/* ---- users ---- */

void i8042_skip_firmware(Device *dev)
{
    i8042(dev)->s.mode = MODE_KBD_INT | MODE_SYS | MODE_AUX_OFF | MODE_TRANSLATE;
    device_update(dev);
}

void i8042_key(Device *dev, uint16_t code, bool down)
{
    ps2_keyboard_key(&i8042(dev)->s.kbd, code, down);
    device_update(dev);
}

void i8042_mouse(Device *dev, int dx, int dy, int dz, unsigned buttons)
{
    ps2_mouse_event(&i8042(dev)->s.mouse, dx, dy, dz, buttons);
    device_update(dev);
}

/* ---- type ---- */

static bool i8042_realize(Device *dev, GError **error)
{
    device_region_init_regs(dev, "i8042", I8042_COMMAND_PORT - I8042_DATA_PORT + 1, true);
    timer_init(&i8042(dev)->timer, dev->env->clock, timer_fired, dev);
    return true;
}

static void i8042_unrealize(Device *dev)
{
    timer_fini(&i8042(dev)->timer);
}

static bool i8042_validate(const Device *dev, GError **error)
{
    const I8042 *c = container_of(dev, const I8042, dev);
    if (!ps2_keyboard_valid(&c->s.kbd) || !ps2_mouse_valid(&c->s.mouse)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "a queue holds more than it can");
        return false;
    }
    return true;
}

static const Pin i8042_pins[] = {
    PIN(I8042, "kbd-irq", kbd_irq),
    PIN(I8042, "mouse-irq", mouse_irq),
    PIN(I8042, "a20", a20),
    PIN(I8042, "reset", reset),
};

DEVICE_TYPE(i8042, I8042, .name = "i8042", .desc = "keyboard controller with PS/2 keyboard and mouse",
            FIELDS(i8042_fields), REGS(i8042_regs), PINS(i8042_pins), .realize = i8042_realize,
            .unrealize = i8042_unrealize, .reset = i8042_reset, .update = i8042_update, .validate = i8042_validate);
