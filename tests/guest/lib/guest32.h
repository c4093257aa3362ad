/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a 32-bit bare-metal test guest is made of (common.h has the rest): protected mode with flat segments, paging
 * off, one processor; calls into user mode, virtual-8086 mode and real mode.
 */
#pragma once

#include "common.h"

enum {
    CODE32 = 0x08,
    DATA32 = 0x10,
    CODE16 = 0x18,
    DATA16 = 0x20,
    USER_CODE = 0x2b,
    USER_DATA = 0x33,
    TSS_SEL = 0x40,
    TEST_SEL = 0x48 /* first of the descriptors that tests may write */
};

/* What the stubs push; after eflags only as much as the processor pushed. */
typedef struct Frame {
    uint32_t gs, fs, es, ds, edi, esi, ebp, esp0, ebx, edx, ecx, eax;
    uint32_t vector, error, eip, cs, eflags, esp, ss, ves, vds, vfs, vgs;
} Frame;

typedef struct Trap {
    int vector; /* -1: none */
    uint32_t error, cr2, eip, eflags, cs, esp, ss, ds, es, fs, gs, eax, ecx, edx, esi, edi, dr6;
} Trap;

/* The 32-bit task state segment, SDM vol 3 figure 8-2. */
typedef struct Tss {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, iomap;
    uint8_t map[0x2000 + 1 + 32]; /* 32 bytes more: the redirection bitmap may stand before the permission map */
} Tss;

extern uint64_t gdt[];
extern uint64_t idt[];
extern Tss tss;
extern uint8_t stubs[], user_stack_top[];

/* ---- descriptors ---- */
/* access: bits 8-15; flags: G D L AVL as bits 3-0. */
static inline uint64_t descriptor(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56;
}
static inline uint64_t gate(unsigned selector, uint32_t offset, unsigned access, unsigned count)
{
    return (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)count << 32 | (uint64_t)access << 40 |
           (uint64_t)(offset >> 16) << 48;
}
static inline void set_gate(unsigned vector, void *target, unsigned access)
{
    idt[vector] = gate(CODE32, (uint32_t)target, access, 0);
}

/* ---- exceptions ---- */
/* Run fn(arg) and catch the first exception it raises. */
Trap try_call(void (*fn)(void *), void *arg);
#define TRY(statement)                                                                                               \
    ({                                                                                                               \
        void fn_(void *arg_)                                                                                         \
        {                                                                                                            \
            (void)arg_;                                                                                              \
            statement;                                                                                               \
        }                                                                                                            \
        try_call(fn_, 0);                                                                                            \
    })
/* A handler of the guest's own for a vector: true when it dealt with the frame. */
typedef bool Handler(Frame *f);
void set_handler(unsigned vector, Handler *handler);

/* Run fn in ring 3 with its argument in EAX; it ends by INT 0x80, whose EAX is returned. */
uint32_t call_user(void (*fn)(void), uint32_t arg);
/* Run in virtual-8086 mode, flags as given (VM is added); ends by INT 0x80 through the IDT, whose EAX is returned. */
uint32_t call_v86(uint16_t cs, uint16_t ip, uint32_t flags, uint32_t arg);

/* Run 16-bit code (a far call) in real mode with these registers, and get them back. */
typedef struct RealRegs {
    uint32_t eax, ebx, ecx, edx, esi, edi;
} RealRegs;
void call_real(void *code, RealRegs *regs);
