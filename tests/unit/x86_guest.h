/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A processor with 4 MiB of RAM and ready-made descriptor tables, stepped one instruction at a time by tests. */
#pragma once

#include "softmmu/core/machine.h"
#include "target/x86/cpu.h"
#include "target/x86/cpuid.h"

/* GDT selectors. */
enum {
    SEL_CODE32 = 0x08, SEL_DATA32 = 0x10, SEL_UCODE32 = 0x1b, SEL_UDATA32 = 0x23, SEL_TSS = 0x28, SEL_CODE64 = 0x38,
    SEL_UCODE64 = 0x43, SEL_CONFORMING = 0x48, SEL_EXPAND_DOWN = 0x50, SEL_LDT = 0x58, SEL_CODE16 = 0x68,
    SEL_DATA16 = 0x70, SEL_ABSENT = 0x78, SEL_TSS_B = 0x80, SEL_TSS16 = 0x88, SEL_GATE = 0x90, SEL_EXEC_ONLY = 0xa0,
    SEL_READ_ONLY = 0xa8, SEL_TASK_GATE = 0xb0,
};
enum {
    AT_GDT = 0x1000, AT_IDT = 0x2000, AT_TSS = 0x3000, AT_TSS_B = 0x3200, AT_TSS16 = 0x3400, AT_LDT = 0x3800,
    AT_CODE = 0x8000, AT_HANDLER = 0x9000, AT_DATA = 0xa000, AT_PML4 = 0x10000, TOP_KERNEL = 0x5000,
    TOP_USER = 0x6000, TOP_IST = 0x7000,
};
#define GDT_LIMIT 0xff
#define DESC_CODE32 0x00cf9b000000ffffull
#define DESC_DATA32 0x00cf93000000ffffull

typedef enum GuestMode { GUEST_REAL, GUEST_PROT32, GUEST_LONG64 } GuestMode;

typedef struct Guest {
    Machine *m;
    CpuModel *model;
    X86Cpu *cpu;
    VcpuGate gate;
    Region ram;
    uint8_t *mem;
} Guest;

/* A CPU of this model at CPL 0 in the given mode, flat segments, IDT gates to AT_HANDLER + 16 * vector. */
Guest *guest_new(const char *model, GuestMode mode);
void guest_free(Guest *g);

void guest_put(Guest *g, uint32_t addr, uint64_t value, unsigned size);
uint64_t guest_get(const Guest *g, uint32_t addr, unsigned size);
void guest_set_desc(Guest *g, unsigned sel, uint64_t desc);
/* Gate in the IDT: type and DPL in attr (0x8e: interrupt gate 32). */
void guest_set_idt(Guest *g, unsigned vector, uint16_t sel, uint64_t rip, unsigned attr, unsigned ist);
/* Enter CPL 3 with flat segments (64-bit ones in long mode). */
void guest_enter_user(Guest *g);

/* Execute one instruction at CS:RIP.  -1, or the vector raised (state rolled back, cpu->exc tells the error). */
int guest_step(Guest *g, const uint8_t *bytes, unsigned len);
#define STEP(g, ...) guest_step(g, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
/* Deliver, with double faults.  False: triple fault. */
bool guest_deliver(Guest *g, unsigned vector, IntKind kind, bool has_error, uint32_t error);
/* Deliver what STEP raised. */
bool guest_deliver_raised(Guest *g);
/* The n-th item of `size` bytes from the top of the current stack. */
uint64_t guest_stack(const Guest *g, unsigned n, unsigned size);
/* The vector or error code that a call raises, or -1. */
int guest_raises(Guest *g, void (*fn)(X86Cpu *cpu, uint64_t a, uint64_t b), uint64_t a, uint64_t b);

#define assert_raised(g, want_vector, got, want_error) \
    do { \
        g_assert_cmpint(got, ==, want_vector); \
        g_assert_cmphex((g)->cpu->exc.has_error ? (g)->cpu->exc.error : 0, ==, want_error); \
    } while (0)

/* Groups of tests, one a file. */
void add_segment_tests(void);
void add_exception_tests(void);
void add_transfer_tests(void);
void add_system_tests(void);
