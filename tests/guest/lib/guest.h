/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a 64-bit bare-metal test guest is made of (common.h has the rest).
 * The same image runs on every engine and on other emulators: it boots by PVH.
 */
#pragma once

#include "common.h"

#define USER_ALIAS (1ull << 39) /* the low 4 GiB again, accessible in user mode */

/* What the stubs push. */
typedef struct Frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
} Frame;

typedef struct Trap {
    int vector; /* -1: none */
    uint64_t error, cr2, rip, rflags, dr6, cs, rsp, ss;
    uint64_t rcx, rsi, rdi; /* where a string instruction stood */
    uint64_t frame;         /* address of the frame: which stack it was */
} Trap;

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
void set_gate(unsigned vector, void *target, unsigned ist, unsigned dpl, unsigned type);

/* Run fn at its user alias in ring 3 with rdi = arg; it ends by INT 0x80, whose RAX is returned. */
uint64_t call_user(void (*fn)(void), uint64_t arg);
extern uint8_t user_stack_top[];
static inline void *user_address(void *p)
{
    return (void *)((uint64_t)p + USER_ALIAS);
}

/* ---- memory ---- */
/* The 4 KiB page table entry that maps a linear address of the low 4 GiB or its alias; splits 2 MiB pages. */
uint64_t *pte_of(void *p);
extern uint64_t pml4[], pdpt[], pdpt_user[], pd[], pd_user[];
extern uint64_t gdt[], idt[];
extern uint8_t tss[], stubs[];

/* ---- processors ---- */
/* Start the other processors; fn(n) runs on each, n = 1, 2, ... Returns how many came up within a second of `count`.
 */
unsigned start_processors(unsigned count, void (*fn)(unsigned n));
