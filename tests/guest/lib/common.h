/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What 64-bit and 32-bit guests share: the count of what was proved, ports, small readers of registers.
 * A guest defines guest_main(), calls check() for everything it proves and returns; the library prints the count on
 * COM1 and leaves through isa-debug-exit at port 0xf4 (0x10: passed, 0x11: failed).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void guest_main(void);

/* ---- reporting ---- */
void print(const char *text);
void print_hex(uint64_t v);
void check_at(bool ok, const char *what, const char *file, int line, uint64_t got, uint64_t want);
#define check(cond) check_at((cond), #cond, __FILE__, __LINE__, 0, 0)
#define check_eq(got, want)                                                                                          \
    do {                                                                                                             \
        uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want);                                                   \
        check_at(got_ == want_, #got " == " #want, __FILE__, __LINE__, got_, want_);                                 \
    } while (0)
/* The guest cannot prove something here (a feature is absent): counted apart, with the reason. */
void skip(const char *why);
void guest_exit(int code) __attribute__((noreturn));
/* Print the count and leave. */
void guest_finish(void) __attribute__((noreturn));
/* The number after "name=" on the kernel command line (decimal or 0x), else the default. */
uint64_t option(const char *name, uint64_t otherwise);
/* Where PVH left its start_info. */
void option_init(uintptr_t start_info);

/* ---- processor ---- */
#define READER(name, insn, T)                                                                                        \
    static inline T name(void)                                                                                       \
    {                                                                                                                \
        T v;                                                                                                         \
        __asm__ volatile(insn : "=r"(v));                                                                            \
        return v;                                                                                                    \
    }
#define WRITER(name, insn, T)                                                                                        \
    static inline void name(T v)                                                                                     \
    {                                                                                                                \
        __asm__ volatile(insn ::"r"(v) : "memory");                                                                  \
    }
READER(read_cr0, "mov %%cr0, %0", uintptr_t)
READER(read_cr2, "mov %%cr2, %0", uintptr_t)
READER(read_cr3, "mov %%cr3, %0", uintptr_t)
READER(read_cr4, "mov %%cr4, %0", uintptr_t)
READER(read_dr6, "mov %%dr6, %0", uintptr_t)
READER(read_dr7, "mov %%dr7, %0", uintptr_t)
READER(read_flags, "pushf; pop %0", uintptr_t)
WRITER(write_cr0, "mov %0, %%cr0", uintptr_t)
WRITER(write_cr2, "mov %0, %%cr2", uintptr_t)
WRITER(write_cr3, "mov %0, %%cr3", uintptr_t)
WRITER(write_cr4, "mov %0, %%cr4", uintptr_t)
WRITER(write_dr0, "mov %0, %%dr0", uintptr_t)
WRITER(write_dr1, "mov %0, %%dr1", uintptr_t)
WRITER(write_dr2, "mov %0, %%dr2", uintptr_t)
WRITER(write_dr3, "mov %0, %%dr3", uintptr_t)
WRITER(write_dr6, "mov %0, %%dr6", uintptr_t)
WRITER(write_dr7, "mov %0, %%dr7", uintptr_t)
static inline void write_flags(uintptr_t v)
{
    __asm__ volatile("push %0; popf" ::"r"(v) : "cc", "memory");
}
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
#define PORT(bits, suffix)                                                                                           \
    static inline uint##bits##_t in##bits(uint16_t port)                                                             \
    {                                                                                                                \
        uint##bits##_t v;                                                                                            \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(v) : "Nd"(port));                                              \
        return v;                                                                                                    \
    }                                                                                                                \
    static inline void out##bits(uint16_t port, uint##bits##_t v)                                                    \
    {                                                                                                                \
        __asm__ volatile("out" suffix " %0, %1" ::"a"(v), "Nd"(port));                                               \
    }
PORT(8, "b")
PORT(16, "w")
PORT(32, "l")
static inline void pause_cpu(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* ---- memory ---- */
void *memset(void *p, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
/* Whole zeroed pages behind the image, identity mapped. */
void *alloc_pages(unsigned n);

/* ---- the board ---- */
#define LAPIC(reg) (*(volatile uint32_t *)(uintptr_t)(0xfee00000u + (reg)))
#define IOAPIC_SELECT (*(volatile uint32_t *)(uintptr_t)0xfec00000u)
#define IOAPIC_DATA (*(volatile uint32_t *)(uintptr_t)0xfec00010u)
void pic_disable(void);
void lapic_enable(void);
