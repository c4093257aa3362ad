/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vocabulary of every file: fixed-width types, bit macros, address types. */
#pragma once

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t gpa_t; /* guest physical address */
typedef uint64_t gva_t; /* guest linear address */

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1u << (n))
#define BIT64(n) (1ull << (n))
/* Mask of the bits lo..hi, both included. */
#define MASK64(hi, lo) ((~0ull >> (63 - (hi))) & (~0ull << (lo)))

/* For functions that run while a guest's vector registers are in the host's. */
#define GENERAL_REGS_ONLY __attribute__((target("general-regs-only")))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* In a loop that waits for another thread: leave the core's resources to its other hardware thread. */
static inline void spin_hint(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define KIB 1024ull
#define MIB (1024ull * KIB)
#define GIB (1024ull * MIB)

#define NS_PER_SEC 1000000000ll
#define NS_PER_MS 1000000ll
