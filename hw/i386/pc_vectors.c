/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interrupts of a PC as its BIOS leaves them: the vector table of real mode, handlers for the timer and for
 * interrupts nobody serves, the 8259 pair and the timer running.  Kernels that use real mode without a BIOS call
 * still count on them: a HLT there ends with the next timer tick.
 * Spec: IBM PC/AT Technical Reference, section 5 (BIOS listing: vectors, compatible entry points, 40:6C).
 */
#include "hw/i386/pc_vectors.h"

#include <string.h>

enum { SEGMENT = 0xf000, NUM_VECTORS = 256 };
/* Entry points inside the segment; the timer's and the dummy's are the AT's own. */
enum { ENTRY_TIMER = 0xfea5, ENTRY_MASTER = 0xfec8, ENTRY_SLAVE = 0xfed0, ENTRY_DUMMY = 0xff53 };
enum { VECTOR_MASTER = 0x08, VECTOR_SLAVE = 0x70 };
enum { MODEL_BYTE = 0xfffe, MODEL_AT = 0xfc };

static const uint8_t timer_code[] = {
    0x50,                         /* push ax */
    0x1e,                         /* push ds */
    0xb8, 0x40, 0x00,             /* mov ax, 0x40 */
    0x8e, 0xd8,                   /* mov ds, ax */
    0x83, 0x06, 0x6c, 0x00, 0x01, /* add word [0x6c], 1: ticks since the start */
    0x83, 0x16, 0x6e, 0x00, 0x00, /* adc word [0x6e], 0 */
    0xcd, 0x1c,                   /* int 0x1c */
    0xb0, 0x20,                   /* mov al, 0x20 */
    0xe6, 0x20,                   /* out 0x20, al */
    0x1f,                         /* pop ds */
    0x58,                         /* pop ax */
    0xcf,                         /* iret */
};
/* push ax; mov al, 0x20; out 0x20, al; pop ax; iret */
static const uint8_t master_code[] = {0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf};
/* push ax; mov al, 0x20; out 0xa0, al; out 0x20, al; pop ax; iret */
static const uint8_t slave_code[] = {0x50, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58, 0xcf};
static const uint8_t dummy_code[] = {0xcf};

static unsigned entry_of(unsigned vector)
{
    if (vector == VECTOR_MASTER) {
        return ENTRY_TIMER;
    }
    if (vector > VECTOR_MASTER && vector < VECTOR_MASTER + 8) {
        return ENTRY_MASTER;
    }
    return vector >= VECTOR_SLAVE && vector < VECTOR_SLAVE + 8 ? ENTRY_SLAVE : ENTRY_DUMMY;
}

bool pc_vectors_add(BootImage *image, GError **error)
{
    uint8_t rom[0x10000 - ENTRY_TIMER] = {0};
    uint8_t table[NUM_VECTORS * 4];
    g_autoptr(GBytes) rom_bytes = NULL;
    g_autoptr(GBytes) table_bytes = NULL;

    for (unsigned n = 0; n < NUM_VECTORS; n++) {
        unsigned entry = entry_of(n);
        table[4 * n] = (uint8_t)entry;
        table[4 * n + 1] = (uint8_t)(entry >> 8);
        table[4 * n + 2] = (uint8_t)SEGMENT;
        table[4 * n + 3] = SEGMENT >> 8;
    }
    memcpy(rom, timer_code, sizeof(timer_code));
    memcpy(rom + ENTRY_MASTER - ENTRY_TIMER, master_code, sizeof(master_code));
    memcpy(rom + ENTRY_SLAVE - ENTRY_TIMER, slave_code, sizeof(slave_code));
    memcpy(rom + ENTRY_DUMMY - ENTRY_TIMER, dummy_code, sizeof(dummy_code));
    rom[MODEL_BYTE - ENTRY_TIMER] = MODEL_AT;
    table_bytes = g_bytes_new(table, sizeof(table));
    rom_bytes = g_bytes_new(rom, sizeof(rom));
    return boot_image_add_bytes(image, "the interrupt vectors", 0, table_bytes, error) &&
           boot_image_add_bytes(image, "the interrupt handlers", SEGMENT * 16 + ENTRY_TIMER, rom_bytes, error);
}

/* One chip of the 8259 pair: its region is a command and a data port. */
static void init_pic(const Region *ports, uint8_t vector, uint8_t cascade, uint8_t mask)
{
    enum { ICW1_WITH_ICW4 = 0x11, ICW4_8086 = 0x01 };

    region_write(ports, 0, ICW1_WITH_ICW4, 1);
    region_write(ports, 1, vector, 1);
    region_write(ports, 1, cascade, 1);
    region_write(ports, 1, ICW4_8086, 1);
    region_write(ports, 1, mask, 1);
}

void pc_vectors_reset(Device *pic, Device *pit)
{
    enum { PIT_CONTROL = 3, RATE_GENERATOR = 0x34 };

    /* The timer and the cascade are let through: 18.2 ticks a second. */
    init_pic(device_region(pic, 0), VECTOR_MASTER, 1 << 2, 0xfa);
    init_pic(device_region(pic, 1), VECTOR_SLAVE, 2, 0xff);
    if (pit) {
        region_write(device_region(pit, 0), PIT_CONTROL, RATE_GENERATOR, 1);
        region_write(device_region(pit, 0), 0, 0, 1);
        region_write(device_region(pit, 0), 0, 0, 1);
    }
}
