/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550A serial port as on a PC's COM1..COM4.
 * Spec: National Semiconductor PC16550D data sheet (June 1995), section 8; IBM PC/AT serial adapter (OUT2 gates the
 * interrupt).
 *
 * The baud rate sets how long the character timeout lasts and nothing else: bytes leave at once, and arrive as fast
 * as the guest takes them.  A byte that the backend does not take stays in the transmit FIFO, so the guest sees a
 * slow line, not a loss.
 */
#include "hw/char/uart16550.h"

#include "chardev/chardev.h"
#include "util/fifo.h"

enum { IER_RDI = 1 << 0, IER_THRI = 1 << 1, IER_LSI = 1 << 2, IER_MSI = 1 << 3 };
enum { IIR_NONE = 0x01, IIR_MSI = 0x00, IIR_THRI = 0x02, IIR_RDI = 0x04, IIR_LSI = 0x06, IIR_TIMEOUT = 0x0c };
enum { FCR_ENABLE = 1 << 0, FCR_CLEAR_RX = 1 << 1, FCR_CLEAR_TX = 1 << 2 };
enum { LCR_BREAK = 1 << 6, LCR_DLAB = 1 << 7 };
enum { MCR_DTR = 1 << 0, MCR_RTS = 1 << 1, MCR_OUT1 = 1 << 2, MCR_OUT2 = 1 << 3, MCR_LOOP = 1 << 4 };
enum {
    LSR_DR = 1 << 0, LSR_OE = 1 << 1, LSR_FE = 1 << 3, LSR_BI = 1 << 4, LSR_THRE = 1 << 5, LSR_TEMT = 1 << 6,
    LSR_FIFO_ERROR = 1 << 7,
};
enum { MSR_CTS = 1 << 4, MSR_DSR = 1 << 5, MSR_RI = 1 << 6, MSR_DCD = 1 << 7 };

#define CLOCK_HZ 1843200

typedef struct Uart {
    Device dev;
    Irq irq_pin;
    Chardev *chr;
    Timer timer;
    bool waiting; /* the backend was full and will call writable() */
    uint16_t iobase;
    uint8_t irq, index;
    struct {
        int64_t rx_timeout; /* when what lies in the receive FIFO has waited for four characters' time */
        Fifo16 rx, tx;
        uint16_t breaks; /* bit n: rx.data[n] came with a break */
        uint8_t ier, lcr, mcr, scr, fcr, dll, dlm;
        uint8_t overrun;
        uint8_t deltas; /* MSR bits 3..0 */
        uint8_t thri;   /* the transmitter has become empty and nobody has been told */
    } s;
} Uart;

static const Field uart_state[] = {
    FIELD_TIME(Uart, rx_timeout, TIMER_OFF),
    FIELD_BYTES(Uart, rx, 0),
    FIELD_BYTES(Uart, tx, 0),
    FIELD(Uart, breaks, 0),
    FIELD_RANGE(Uart, ier, 0, 0, 0x0f),
    FIELD(Uart, lcr, 0),
    FIELD_RANGE(Uart, mcr, 0, 0, 0x1f),
    FIELD(Uart, scr, 0),
    FIELD_RANGE(Uart, fcr, 0, 0, 0xc9),
    FIELD(Uart, dll, 12), /* 9600 baud */
    FIELD(Uart, dlm, 0),
    FIELD_BOOL(Uart, overrun, 0),
    FIELD_RANGE(Uart, deltas, 0, 0, 0x0f),
    FIELD_BOOL(Uart, thri, 0),
};

static Uart *uart(Device *dev)
{
    return container_of(dev, Uart, dev);
}

static bool fifos_on(const Uart *u)
{
    return u->s.fcr & FCR_ENABLE;
}

static unsigned depth(const Uart *u)
{
    return fifos_on(u) ? 16 : 1;
}

/* ---- interrupts ---- */

static int64_t four_characters(const Uart *u)
{
    unsigned divisor = u->s.dll | u->s.dlm << 8;
    unsigned bits = 1 + 5 + (u->s.lcr & 3) + (u->s.lcr >> 3 & 1) + 1 + (u->s.lcr >> 2 & 1);
    return (int64_t)muldiv64(4ull * bits * 16 * MAX(divisor, 1), NS_PER_SEC, CLOCK_HZ);
}

/* 8.6: the timeout counts from the last character received or read. */
static void restart_timeout(Uart *u)
{
    bool counts = fifos_on(u) && u->s.rx.num > 0;
    u->s.rx_timeout = counts ? clock_now(u->dev.env->clock) + four_characters(u) : TIMER_OFF;
}

static unsigned trigger_level(const Uart *u)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};
    return fifos_on(u) ? levels[u->s.fcr >> 6] : 1;
}

static bool timed_out(const Uart *u)
{
    return u->s.rx.num > 0 && u->s.rx_timeout <= clock_now(u->dev.env->clock);
}

static uint8_t line_errors(const Uart *u)
{
    bool is_break = u->s.rx.num > 0 && (u->s.breaks & BIT(u->s.rx.head & 15));
    return (u->s.overrun ? LSR_OE : 0) | (is_break ? LSR_BI | LSR_FE : 0);
}

/* Table IV: interrupt identification by priority. */
static uint8_t pending(const Uart *u)
{
    if ((u->s.ier & IER_LSI) && line_errors(u)) {
        return IIR_LSI;
    }
    if (u->s.ier & IER_RDI) {
        if (u->s.rx.num >= trigger_level(u)) {
            return IIR_RDI;
        }
        if (timed_out(u)) {
            return IIR_TIMEOUT;
        }
    }
    if ((u->s.ier & IER_THRI) && u->s.thri) {
        return IIR_THRI;
    }
    return (u->s.ier & IER_MSI) && u->s.deltas ? IIR_MSI : IIR_NONE;
}

/* ---- transmitter ---- */

/* Give the backend what waits. */
static void drain(Uart *u)
{
    while (u->s.tx.num > 0) {
        uint8_t byte = u->s.tx.data[u->s.tx.head & 15];
        if (u->chr && chardev_write(u->chr, &byte, 1) == 0) {
            u->waiting = true;
            return;
        }
        fifo16_pop(&u->s.tx);
        u->s.thri = u->s.tx.num == 0 ? 1 : u->s.thri;
    }
}

static void uart_update(Device *dev)
{
    Uart *u = uart(dev);
    irq_set(&u->irq_pin, (u->s.mcr & MCR_OUT2) && pending(u) != IIR_NONE);
    bool wait = (u->s.ier & IER_RDI) && u->s.rx.num > 0 && u->s.rx.num < trigger_level(u) && !timed_out(u);
    int64_t deadline = wait ? u->s.rx_timeout : TIMER_OFF;
    if (u->s.tx.num > 0 && !u->waiting) {
        deadline = clock_now(dev->env->clock); /* loaded with bytes to send */
    }
    if (deadline != TIMER_OFF || u->timer.deadline != TIMER_OFF) {
        timer_set(&u->timer, deadline);
    }
}

/* ---- receiver ---- */

/* 8.4, bit 1: an overrun loses the new byte with FIFOs, the old one without. */
static void receive_byte(Uart *u, uint8_t byte, bool is_break)
{
    if (u->s.rx.num >= depth(u)) {
        u->s.overrun = 1;
        if (fifos_on(u)) {
            return;
        }
        fifo16_clear(&u->s.rx);
    }
    uint16_t slot = (uint16_t)BIT((u->s.rx.head + u->s.rx.num) & 15);
    u->s.breaks = (uint16_t)(is_break ? u->s.breaks | slot : u->s.breaks & ~slot);
    fifo16_push(&u->s.rx, byte);
    restart_timeout(u);
}

static size_t can_receive(void *opaque)
{
    Uart *u = opaque;
    if (!u->dev.realized || (u->s.mcr & MCR_LOOP) || u->s.rx.num >= depth(u)) {
        return 0;
    }
    return depth(u) - u->s.rx.num;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    Uart *u = opaque;
    for (size_t i = 0; i < len; i++) {
        receive_byte(u, buf[i], false);
    }
    device_update(&u->dev);
}

static void event(void *opaque, CharEvent what)
{
    Uart *u = opaque;
    if (what == CHAR_BREAK && !(u->s.mcr & MCR_LOOP)) {
        receive_byte(u, 0, true);
        device_update(&u->dev);
    }
}

static void writable(void *opaque)
{
    Uart *u = opaque;
    u->waiting = false;
    drain(u);
    device_update(&u->dev);
}

static void accept_input(Uart *u)
{
    if (u->chr) {
        chardev_accept_input(u->chr);
    }
}

/* ---- registers ---- */

static int dlab(Device *dev)
{
    return uart(dev)->s.lcr & LCR_DLAB ? 1 : 0;
}

static uint64_t rbr_read(Device *dev)
{
    Uart *u = uart(dev);
    u->s.breaks &= (uint16_t)~BIT(u->s.rx.head & 15);
    uint8_t byte = fifo16_pop(&u->s.rx);
    restart_timeout(u);
    if (u->s.rx.num == 0) {
        accept_input(u);
    }
    return byte;
}

static void thr_write(Device *dev, uint64_t value)
{
    Uart *u = uart(dev);
    uint8_t byte = (uint8_t)value;
    u->s.thri = 0;
    if (u->s.mcr & MCR_LOOP) {
        receive_byte(u, byte, false);
        u->s.thri = 1;
    } else if (u->s.tx.num == 0 && (!u->chr || chardev_write(u->chr, &byte, 1) == 1)) {
        u->s.thri = 1;
    } else {
        u->waiting = u->waiting || u->s.tx.num == 0;
        if (u->s.tx.num >= depth(u)) {
            fifo16_pop(&u->s.tx); /* a guest that does not wait for THRE overwrites */
        }
        fifo16_push(&u->s.tx, byte);
    }
}

/* 8.7: enabling the interrupt while the transmitter is empty raises it. */
static void ier_write(Device *dev, uint64_t value)
{
    Uart *u = uart(dev);
    if ((value & ~u->s.ier & IER_THRI) && u->s.tx.num == 0) {
        u->s.thri = 1;
    }
    u->s.ier = value & 0x0f;
}

/* 8.6: reading the identification acknowledges the transmitter's interrupt, if it is the one shown. */
static uint64_t iir_read(Device *dev)
{
    Uart *u = uart(dev);
    uint8_t iir = pending(u);
    if (iir == IIR_THRI) {
        u->s.thri = 0;
    }
    return iir | (fifos_on(u) ? 0xc0 : 0);
}

/* 8.5: a change of the enable bit clears both FIFOs; the other bits only count together with it. */
static void fcr_write(Device *dev, uint64_t value)
{
    Uart *u = uart(dev);
    bool toggled = (value ^ u->s.fcr) & FCR_ENABLE;
    bool on = value & FCR_ENABLE;
    u->s.fcr = on ? value & 0xc9 : 0;
    if (toggled || (on && (value & FCR_CLEAR_TX))) {
        u->s.thri |= u->s.tx.num > 0;
        fifo16_clear(&u->s.tx);
    }
    if (toggled || (on && (value & FCR_CLEAR_RX))) {
        fifo16_clear(&u->s.rx);
        u->s.breaks = 0;
        restart_timeout(u);
        accept_input(u);
    }
}

static void lcr_write(Device *dev, uint64_t value)
{
    Uart *u = uart(dev);
    bool starts = value & ~u->s.lcr & LCR_BREAK;
    u->s.lcr = (uint8_t)value;
    if (starts && (u->s.mcr & MCR_LOOP)) {
        receive_byte(u, 0, true);
    }
}

/* Modem inputs: a peer that is always ready, or with LOOP the outputs, 8.8 bit 4. */
static uint8_t modem_lines(uint8_t mcr)
{
    if (!(mcr & MCR_LOOP)) {
        return MSR_CTS | MSR_DSR | MSR_DCD;
    }
    return (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) | (mcr & MCR_OUT1 ? MSR_RI : 0) |
           (mcr & MCR_OUT2 ? MSR_DCD : 0);
}

/* 8.9: bits 0, 1, 3 tell of any change, bit 2 of the end of ringing. */
static void mcr_write(Device *dev, uint64_t value)
{
    Uart *u = uart(dev);
    uint8_t old = modem_lines(u->s.mcr), now = modem_lines(value & 0x1f), changed = old ^ now;
    bool left_loop = u->s.mcr & ~value & MCR_LOOP;
    u->s.mcr = value & 0x1f;
    u->s.deltas |= (uint8_t)((changed & (MSR_CTS | MSR_DSR | MSR_DCD)) >> 4 | (old & ~now & MSR_RI) >> 4);
    if (left_loop) {
        accept_input(u);
    }
}

static uint64_t lsr_read(Device *dev)
{
    Uart *u = uart(dev);
    uint8_t lsr = line_errors(u) | (u->s.rx.num ? LSR_DR : 0) | (u->s.tx.num ? 0 : LSR_THRE | LSR_TEMT);
    if (fifos_on(u) && u->s.breaks) {
        lsr |= LSR_FIFO_ERROR;
    }
    u->s.overrun = 0;
    if (u->s.rx.num > 0) {
        u->s.breaks &= (uint16_t)~BIT(u->s.rx.head & 15);
    }
    return lsr;
}

static uint64_t msr_read(Device *dev)
{
    Uart *u = uart(dev);
    uint8_t msr = modem_lines(u->s.mcr) | u->s.deltas;
    u->s.deltas = 0;
    return msr;
}

static const Reg uart_regs[] = {
    {.offset = 0, .name = "RBR/THR", .bank = 0, HANDLED(rbr_read, thr_write)},
    {.offset = 0, .name = "DLL", .bank = 1, BACKED(Uart, dll, 0xff)},
    {.offset = 1, .name = "IER", .bank = 0, BACKED(Uart, ier, 0xff), .write = ier_write},
    {.offset = 1, .name = "DLM", .bank = 1, BACKED(Uart, dlm, 0xff)},
    {.offset = 2, .name = "IIR/FCR", .bank = REG_ANY_BANK, HANDLED(iir_read, fcr_write)},
    {.offset = 3, .name = "LCR", .bank = REG_ANY_BANK, BACKED(Uart, lcr, 0xff), .write = lcr_write},
    {.offset = 4, .name = "MCR", .bank = REG_ANY_BANK, BACKED(Uart, mcr, 0xff), .write = mcr_write},
    {.offset = 5, .name = "LSR", .bank = REG_ANY_BANK, .read = lsr_read},
    {.offset = 6, .name = "MSR", .bank = REG_ANY_BANK, .read = msr_read},
    {.offset = 7, .name = "SCR", .bank = REG_ANY_BANK, BACKED(Uart, scr, 0xff)},
};

/* ---- life ---- */

static void timer_fired(void *opaque)
{
    Uart *u = opaque;
    if (!u->waiting) {
        drain(u);
    }
    device_update(&u->dev);
}

uint16_t uart16550_iobase(const Device *dev)
{
    return container_of(dev, const Uart, dev)->iobase;
}

uint8_t uart16550_irq(const Device *dev)
{
    return container_of(dev, const Uart, dev)->irq;
}

/* COM1..COM4, unless the ports are given. */
static void place(Uart *u)
{
    static const uint16_t bases[4] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    if (u->iobase == 0) {
        u->iobase = bases[u->index & 3];
    }
    if (u->irq == 0) {
        u->irq = u->index & 1 ? 3 : 4;
    }
}

static bool uart_realize(Device *dev, GError **error)
{
    Uart *u = uart(dev);
    place(u);
    if (u->chr) {
        CharClient client = {can_receive, receive, event, writable, u};
        if (!chardev_attach(u->chr, &client, error)) {
            return false;
        }
    }
    timer_init(&u->timer, dev->env->clock, timer_fired, u);
    device_region_init_regs(dev, "uart", 8, true);
    return true;
}

static void uart_unrealize(Device *dev)
{
    Uart *u = uart(dev);
    timer_fini(&u->timer);
    if (u->chr) {
        chardev_detach(u->chr, u);
    }
}

static void uart_reset(Device *dev)
{
    Uart *u = uart(dev);
    u->waiting = false;
    accept_input(u);
}

static bool uart_validate(const Device *dev, GError **error)
{
    const Uart *u = container_of(dev, const Uart, dev);
    if (u->s.rx.num > 16 || u->s.rx.head > 15 || u->s.tx.num > 16 || u->s.tx.head > 15) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "a FIFO with more than 16 bytes");
        return false;
    }
    return true;
}

static const Prop uart_props[] = {
    PROP_UINT_(Uart, "iobase", iobase, 0, 0xfff8, "first port; 0: by index"),
    PROP_UINT_(Uart, "irq", irq, 0, 15, "interrupt line; 0: by index"),
    PROP_UINT_(Uart, "index", index, 0, 3, "0..3: COM1..COM4 (0x3f8 irq 4, 0x2f8 irq 3, 0x3e8 irq 4, 0x2e8 irq 3)"),
    PROP_CHR_(Uart, "chardev", chr, "the other end of the line"),
};

static const Pin uart_pins[] = {PIN(Uart, "irq", irq_pin)};

DEVICE_TYPE(isa_serial, Uart, .name = "isa-serial", .desc = "16550A serial port", .bus = BUS_ISA, FIELDS(uart_state),
            REGS(uart_regs), PROPS(uart_props), PINS(uart_pins), .realize = uart_realize,
            .unrealize = uart_unrealize, .reset = uart_reset, .update = uart_update, .bank = dlab,
            .validate = uart_validate);
