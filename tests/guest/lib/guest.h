/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a bare-metal test guest is made of.  A guest defines guest_main(), calls check() for everything it proves and
 * returns; the library prints the count on COM1 and leaves through isa-debug-exit at port 0xf4 (0x10: passed, 0x11: failed).
 * The same image runs on every engine and on other emulators: it boots by PVH.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USER_ALIAS (1ull << 39) /* the low 4 GiB again, accessible in user mode */

/* What the stubs push. */
typedef struct Frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
} Frame;

typedef struct Trap {
    int vector; /* -1: none */
    uint64_t error, cr2, rip, rflags, dr6;
} Trap;

void guest_main(void);

/* ---- reporting ---- */
void print(const char *text);
void print_hex(uint64_t v);
void check_at(bool ok, const char *what, const char *file, int line, uint64_t got, uint64_t want);
#define check(cond) check_at((cond), #cond, __FILE__, __LINE__, 0, 0)
#define check_eq(got, want)                                                                                            \
    do {                                                                                                               \
        uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want);                                                     \
        check_at(got_ == want_, #got " == " #want, __FILE__, __LINE__, got_, want_);                                   \
    } while (0)
/* The guest cannot prove something here (a feature is absent): counted apart, with the reason. */
void skip(const char *why);
void guest_exit(int code) __attribute__((noreturn));

/* ---- exceptions ---- */
/* Run fn(arg) and catch the first exception it raises. */
Trap try_call(void (*fn)(void *), void *arg);
#define TRY(statement)                                                                                                 \
    ({                                                                                                                 \
        void fn_(void *arg_) { (void)arg_; statement; }                                                                \
        try_call(fn_, 0);                                                                                              \
    })
/* A handler of the guest's own for a vector: true when it dealt with the frame. */
typedef bool Handler(Frame *f);
void set_handler(unsigned vector, Handler *handler);
void set_gate(unsigned vector, void *target, unsigned ist, unsigned dpl, unsigned type);

/* Run fn at its user alias in ring 3 with rdi = arg; it ends by INT 0x80, whose RAX is returned. */
uint64_t call_user(void (*fn)(void), uint64_t arg);
extern uint8_t user_stack_top[];

/* ---- processor ---- */
#define READER(name, insn, T)                                                                                          \
    static inline T name(void)                                                                                         \
    {                                                                                                                  \
        T v;                                                                                                           \
        __asm__ volatile(insn : "=r"(v));                                                                              \
        return v;                                                                                                      \
    }
#define WRITER(name, insn, T)                                                                                          \
    static inline void name(T v)                                                                                       \
    {                                                                                                                  \
        __asm__ volatile(insn ::"r"(v) : "memory");                                                                    \
    }
READER(read_cr0, "mov %%cr0, %0", uint64_t)
READER(read_cr2, "mov %%cr2, %0", uint64_t)
READER(read_cr3, "mov %%cr3, %0", uint64_t)
READER(read_cr4, "mov %%cr4, %0", uint64_t)
READER(read_dr6, "mov %%dr6, %0", uint64_t)
READER(read_dr7, "mov %%dr7, %0", uint64_t)
READER(read_flags, "pushfq; pop %0", uint64_t)
WRITER(write_cr0, "mov %0, %%cr0", uint64_t)
WRITER(write_cr3, "mov %0, %%cr3", uint64_t)
WRITER(write_cr4, "mov %0, %%cr4", uint64_t)
WRITER(write_dr0, "mov %0, %%dr0", uint64_t)
WRITER(write_dr1, "mov %0, %%dr1", uint64_t)
WRITER(write_dr6, "mov %0, %%dr6", uint64_t)
WRITER(write_dr7, "mov %0, %%dr7", uint64_t)
static inline void invlpg(void *p)
{
    __asm__ volatile("invlpg (%0)" ::"r"(p) : "memory");
}
static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (uint64_t)hi << 32;
}
static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(sub));
}
#define PORT(bits, suffix)                                                                                             \
    static inline uint##bits##_t in##bits(uint16_t port)                                                               \
    {                                                                                                                  \
        uint##bits##_t v;                                                                                              \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(v) : "Nd"(port));                                                \
        return v;                                                                                                      \
    }                                                                                                                  \
    static inline void out##bits(uint16_t port, uint##bits##_t v)                                                      \
    {                                                                                                                  \
        __asm__ volatile("out" suffix " %0, %1" ::"a"(v), "Nd"(port));                                                 \
    }
PORT(8, "b")
PORT(16, "w")
PORT(32, "l")

/* ---- memory ---- */
void *memset(void *p, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
/* The 4 KiB page table entry that maps a linear address of the low 4 GiB or its alias; splits 2 MiB pages. */
uint64_t *pte_of(void *p);
/* Whole zeroed pages, identity mapped. */
void *alloc_pages(unsigned n);

/* ---- interrupts and processors ---- */
#define LAPIC(reg) (*(volatile uint32_t *)(0xfee00000ull + (reg)))
#define IOAPIC_SELECT (*(volatile uint32_t *)0xfec00000ull)
#define IOAPIC_DATA (*(volatile uint32_t *)0xfec00010ull)
void pic_disable(void);
void lapic_enable(void);
/* Start the other processors; fn(n) runs on each, n = 1, 2, ... Returns how many came up within a second of `count`. */
unsigned start_processors(unsigned count, void (*fn)(unsigned n));
static inline void pause_cpu(void)
{
    __asm__ volatile("pause" ::: "memory");
}
