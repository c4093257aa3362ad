/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vocabulary of a chip.  A chip is a struct of three parts: `Device dev` first, then wiring (pins, backends,
 * regions, timers: set by the board, never saved), then `struct { ... } s` with every bit of its state.  Two const
 * tables describe it: Field rows (all of `s`, once) and, if its registers are simple, Reg rows.  Reset, snapshot,
 * `info`, fuzz reset and the conformance test come from the Field rows; dispatch, width rules and tracing from the
 * Reg rows.  `update()` runs after each access, reset and load and derives output pins and timers from the state.
 */
#pragma once

#include "hw/core/clock.h"
#include "hw/core/irq.h"
#include "hw/core/notify.h"
#include "hw/core/region.h"
#include "util/base.h"
#include "util/log.h"

typedef struct Device Device;
typedef struct DeviceType DeviceType;
typedef struct DeviceEnv DeviceEnv;

/* ---- state ---- */

typedef enum FieldKind { FIELD_UINT, FIELD_INT, FIELD_BYTES } FieldKind;

typedef struct Field {
    const char *name;
    uint32_t offset; /* of the first element, from the start of the device struct */
    uint32_t size;   /* bytes of one element: 1, 2, 4, 8, or any for FIELD_BYTES */
    uint32_t count;  /* elements */
    uint32_t stride; /* bytes from one element to the next */
    FieldKind kind;
    bool keep;       /* survives reset (CMOS contents, wall clock offset) */
    uint64_t reset;  /* value at reset; FIELD_BYTES: every byte */
    uint64_t min, max; /* a snapshot with a value outside is refused; FIELD_INT compares as int64_t */
} Field;

#define FIELD_SIZE_(T, m) sizeof(((T *)0)->s.m)
#define FIELD_(T, m, kind_, keep_, reset_, min_, max_)                                                               \
    {.name = #m, .offset = offsetof(T, s.m), .size = FIELD_SIZE_(T, m), .count = 1, .stride = FIELD_SIZE_(T, m),     \
     .kind = kind_, .keep = keep_, .reset = (uint64_t)(reset_), .min = (uint64_t)(min_), .max = (uint64_t)(max_)}
/* A scalar. Its valid range is all that its width holds. */
#define FIELD(T, m, reset_) FIELD_(T, m, FIELD_UINT, false, reset_, 0, UINT64_MAX)
#define FIELD_RANGE(T, m, reset_, min_, max_) FIELD_(T, m, FIELD_UINT, false, reset_, min_, max_)
#define FIELD_BOOL(T, m, reset_) FIELD_(T, m, FIELD_UINT, false, reset_, 0, 1)
#define FIELD_KEEP(T, m, reset_) FIELD_(T, m, FIELD_UINT, true, reset_, 0, UINT64_MAX)
/* Signed, typically a point in virtual time (reset_ TIMER_OFF). */
#define FIELD_TIME(T, m, reset_) FIELD_(T, m, FIELD_INT, false, reset_, INT64_MIN, INT64_MAX)
/* Opaque bytes: a Fifo16, a memory array. */
#define FIELD_BYTES(T, m, reset_) FIELD_(T, m, FIELD_BYTES, false, reset_, 0, UINT64_MAX)
#define FIELD_BYTES_KEEP(T, m, reset_) FIELD_(T, m, FIELD_BYTES, true, reset_, 0, UINT64_MAX)
/* An array of integers, each element with the same reset value. */
#define FIELD_ARRAY(T, m, reset_)                                                                                    \
    {.name = #m, .offset = offsetof(T, s.m), .size = sizeof(((T *)0)->s.m[0]),                                       \
     .count = ARRAY_LEN(((T *)0)->s.m), .stride = sizeof(((T *)0)->s.m[0]), .kind = FIELD_UINT,                      \
     .reset = (uint64_t)(reset_), .max = UINT64_MAX}
/* Member m of every element of the array of structs a. */
#define FIELD_EACH_RANGE(T, a, m, kind_, reset_, min_, max_)                                                         \
    {.name = #a "." #m, .offset = offsetof(T, s.a[0].m), .size = sizeof(((T *)0)->s.a[0].m),                         \
     .count = ARRAY_LEN(((T *)0)->s.a), .stride = sizeof(((T *)0)->s.a[0]), .kind = kind_,                           \
     .reset = (uint64_t)(reset_), .min = (uint64_t)(min_), .max = (uint64_t)(max_)}
#define FIELD_EACH(T, a, m, reset_) FIELD_EACH_RANGE(T, a, m, FIELD_UINT, reset_, 0, UINT64_MAX)

/* ---- registers ---- */

#define REG_ANY_BANK (-1)

/*
 * One register.  Reading: `read` if set, else the backing state member, else 0.  Writing: (value & wmask) goes to
 * `write` if set, else replaces those bits of the backing member; without either it is ignored.  `trace` names it
 * in -d mmio.  A register is `width` bytes wide; other access sizes are split or widened by the core; offsets
 * without a row read as all ones for ports (0 for memory) and drop writes.
 */
typedef struct Reg {
    uint32_t offset; /* in the region */
    const char *name;
    int8_t bank;   /* compared with type->bank(dev); REG_ANY_BANK matches all */
    uint8_t width; /* bytes, 1, 2, 4 or 8; 0 means 1 */
    uint16_t member_size;
    uint32_t member; /* offset in the device struct, 0 when not backed */
    uint64_t wmask;  /* writable bits */
    uint64_t (*read)(Device *dev);
    void (*write)(Device *dev, uint64_t value);
} Reg;

#define BACKED(T, m, wmask_)                                                                                         \
    .member = offsetof(T, s.m), .member_size = FIELD_SIZE_(T, m), .wmask = (wmask_)
#define HANDLED(read_, write_) .read = (read_), .write = (write_), .wmask = UINT64_MAX

/* ---- properties: what -device NAME,prop=value takes ---- */

typedef enum PropKind { PROP_UINT, PROP_BOOL, PROP_STRING, PROP_CHARDEV } PropKind;

typedef struct Prop {
    const char *name;
    PropKind kind;
    uint8_t size;    /* PROP_UINT: bytes of the member */
    uint32_t offset; /* in the device struct; PROP_STRING: a char * owned by the device; PROP_CHARDEV: Chardev * */
    uint64_t def;    /* default */
    uint64_t min, max;
    const char *help; /* one line, lower case, with the unit */
} Prop;

#define PROP_UINT_(T, name_, m, def_, max_, help_)                                                                   \
    {.name = name_, .kind = PROP_UINT, .size = sizeof(((T *)0)->m), .offset = offsetof(T, m), .def = (def_),         \
     .max = (max_), .help = (help_)}
#define PROP_BOOL_(T, name_, m, def_, help_)                                                                         \
    {.name = name_, .kind = PROP_BOOL, .size = 1, .offset = offsetof(T, m), .def = (def_), .max = 1, .help = (help_)}
#define PROP_STR_(T, name_, m, help_) {.name = name_, .kind = PROP_STRING, .offset = offsetof(T, m), .help = (help_)}
#define PROP_CHR_(T, name_, m, help_) {.name = name_, .kind = PROP_CHARDEV, .offset = offsetof(T, m), .help = (help_)}

/* ---- pins ---- */

/* A group of output wires: an Irq or an array of them in the wiring part of the struct. */
typedef struct Pin {
    const char *name;
    uint32_t offset;
    uint32_t count;
} Pin;
#define PIN(T, name_, m) {.name = name_, .offset = offsetof(T, m), .count = sizeof(((T *)0)->m) / sizeof(Irq)}

/* ---- the type ---- */

typedef enum DeviceBusKind {
    BUS_NONE, /* placed by the board only; -device refuses it */
    BUS_ISA,  /* -device creates it; region 0 goes to property `iobase`, the first pin to IRQ `irq`, if it has them */
    BUS_PCI,  /* -device creates it in a free slot */
} DeviceBusKind;

struct DeviceType {
    const char *name; /* as in -device */
    const char *desc; /* one line */
    DeviceBusKind bus;
    uint32_t size; /* sizeof the device struct */
    uint32_t state_offset, state_size;
    const Field *fields;
    uint32_t num_fields;
    const Reg *regs; /* dispatched by device_region_init_regs() */
    uint32_t num_regs;
    const Prop *props;
    uint32_t num_props;
    const Pin *pins;
    uint32_t num_pins;
    /* After properties are set: check them, create regions and timers.  Takes nothing that unrealize does not give
       back.  False with an error for a user's mistake. */
    bool (*realize)(Device *dev, GError **error);
    void (*unrealize)(Device *dev);
    /* After the Field rows were applied: what a constant cannot say.  NULL for most. */
    void (*reset)(Device *dev);
    /* Derive outputs and timers from state. */
    void (*update)(Device *dev);
    /* Which bank of regs is visible now. */
    int (*bank)(Device *dev);
    /* A level on input `n` of the pin group `pin`. */
    void (*input)(Device *dev, unsigned n, bool level);
    /* A loaded state that fits its ranges but makes no sense: false with an error. */
    bool (*validate)(const Device *dev, GError **error);
};

/*
 * Defines and registers `const DeviceType prefix_type`.  T has members `dev` and `s`.
 *   DEVICE_TYPE(uart16550, Uart, .name = "uart16550", .desc = "...", FIELDS(uart_state), REGS(uart_regs), ...)
 * The registry is a linker section, so libraries that hold devices are linked whole.
 */
#define DEVICE_TYPE(prefix, T, ...)                                                                                  \
    const DeviceType prefix##_type = {.size = sizeof(T), .state_offset = offsetof(T, s),                             \
                                      .state_size = sizeof(((T *)0)->s), __VA_ARGS__};                               \
    static const DeviceType *const prefix##_type_entry                                                               \
        __attribute__((used, section("rhea_device_types"))) = &prefix##_type
#define FIELDS(a) .fields = (a), .num_fields = ARRAY_LEN(a)
#define REGS(a) .regs = (a), .num_regs = ARRAY_LEN(a)
#define PROPS(a) .props = (a), .num_props = ARRAY_LEN(a)
#define PINS(a) .pins = (a), .num_pins = ARRAY_LEN(a)

/* Every registered type, sorted by name. */
const DeviceType *const *device_types(size_t *count);
const DeviceType *device_type_find(const char *name);

/* ---- what a machine (or a test) offers its devices ---- */

typedef enum DeviceRequest {
    REQUEST_SHUTDOWN, /* guest powered off */
    REQUEST_RESET,    /* guest asked for a system reset */
    REQUEST_EXIT,     /* leave with exit code `code` (isa-debug-exit) */
} DeviceRequest;

struct DeviceEnv {
    Clock *clock;
    void *opaque;
    /* RAM and ROM only: a range that touches anything else fails whole (class rule 1). */
    bool (*dma_read)(void *opaque, gpa_t addr, void *buf, size_t len);
    bool (*dma_write)(void *opaque, gpa_t addr, const void *buf, size_t len);
    void (*request)(void *opaque, DeviceRequest request, int code);
    /* Message-signalled interrupt: one 32-bit write to the APIC window. */
    void (*msi)(void *opaque, uint64_t addr, uint32_t data);
    /*
     * Machine lock held.  Log writes to the RAM at [addr, addr + len), whole pages, or end it; and which of those pages were
     * written since (bit n: the n-th), all of which then count as unwritten.  One device logs a page.  False: it is not all
     * RAM.  Both NULL where no guest runs.
     */
    bool (*log_writes)(void *opaque, gpa_t addr, uint64_t len, bool on);
    bool (*take_written)(void *opaque, gpa_t addr, uint64_t len, uint64_t *bitmap);
    /*
     * Machine lock held.  Replace a region's write notifiers (count 0: none); the list is the device's and stays as it is
     * until it is replaced.  Start or end serving an interrupt's eventfd.  Both NULL where no guest runs.
     */
    void (*set_notifiers)(void *opaque, Region *region, const WriteNotifier *list, unsigned count);
    void (*watch)(void *opaque, IrqNotifier *notifier, bool on);
};

#define DEVICE_MAX_REGIONS 8

struct Device {
    const DeviceType *type;
    char *id;             /* unique name in the machine, owned */
    const DeviceEnv *env; /* not owned */
    uint32_t epoch;       /* raised by each reset: a request with an older epoch is dropped when it completes */
    uint32_t depth;       /* handlers of this device on the stack: must never pass 1 */
    bool realized;
    bool updating;     /* device_update() is on the stack: a wire fed back into the device */
    bool update_again; /* such a wire changed something: update() runs once more */
    RateLimit limit; /* of guest_error() */
    uint8_t num_regions;
    Region regions[DEVICE_MAX_REGIONS];
};

/* A new device with default properties, in reset state after device_realize().  env must outlive it. */
Device *device_new(const DeviceType *type, const char *id, const DeviceEnv *env);
/* Set one property from text ("0x3f8", "on", "4k").  False with an error that lists what is accepted. */
bool device_set_prop(Device *dev, const char *name, const char *value, GError **error);
void device_set_chardev(Device *dev, const char *name, void *chardev);
bool device_realize(Device *dev, GError **error);
void device_free(Device *dev);

void device_reset(Device *dev);
void device_update(Device *dev);

/* Connect output wire n of pin group `pin` (NULL: the first).  A wrong name is our bug: asserts. */
void device_connect(Device *dev, const char *pin, unsigned n, Irq irq);
/* The device's input wire n (its type has .input); device_update() follows each change. */
Irq device_input(Device *dev, unsigned n);

/* Regions are created in realize and mapped by the board. */
Region *device_region(Device *dev, unsigned n);
/* A region served by the type's Reg rows.  `ports` chooses what unlisted offsets read as. */
Region *device_region_init_regs(Device *dev, const char *name, uint64_t size, bool ports);
/*
 * A region with raw callbacks (opaque is the device); device_update() runs after each access.  With ops->unlocked the
 * callbacks are called as they are: no update, no trace, no check for re-entry.
 */
Region *device_region_init_io(Device *dev, const char *name, uint64_t size, const RegionOps *ops);

/* "type/id: message" to the log when -d guest_errors is on, at most 10 a second. */
void guest_error(Device *dev, const char *format, ...) G_GNUC_PRINTF(2, 3);
void guest_unimp(Device *dev, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Save: appends {type, version, fields} to out.  Load: all or nothing; unknown field or range error refuses. */
void device_save(const Device *dev, GByteArray *out);
bool device_load(Device *dev, const uint8_t *data, size_t len, GError **error);
/* One line per field, for `info device`. */
void device_dump(const Device *dev, GString *out);
