/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls and returns that are no pairs: an engine may guess where a RET goes, and must not depend on it.
 * Spec: Intel SDM vol 1 section 6.4 (CALL and RET), vol 2 (RET).
 */
#include "lib/guest.h"

enum { MANY = 300000 };

/* A CALL whose return address is popped, forwards and followed by a jump backwards, so that no call goes backwards. */
static void never_returned(void)
{
    uint64_t n = MANY, sum = 0;
    __asm__ volatile("1: call 2f\n"
                     "2: pop %%rax\n"
                     "add %%rax, %1\n"
                     "dec %0\n"
                     "jnz 1b\n"
                     : "+r"(n), "+r"(sum)
                     :
                     : "rax", "cc", "memory");
    check_eq(n, 0);
    check(sum % MANY == 0 && sum != 0); /* the same address each time */
}

/* The same backwards, and through a register. */
static void never_returned_elsewhere(void)
{
    uint64_t n = MANY, target;
    __asm__ volatile("jmp 3f\n"
                     "1: pop %%rax\n"
                     "dec %0\n"
                     "jz 4f\n"
                     "3: call 1b\n"
                     "4:\n"
                     : "+r"(n)
                     :
                     : "rax", "cc", "memory");
    check_eq(n, 0);
    n = MANY;
    __asm__ volatile("lea 1f(%%rip), %1\n"
                     "2: call *%1\n"
                     "1: pop %%rax\n"
                     "dec %0\n"
                     "jnz 2b\n"
                     : "+r"(n), "=&r"(target)
                     :
                     : "rax", "cc", "memory");
    check_eq(n, 0);
}

/* Returns without a call, and to another place than the call's: what retpolines do. */
static void returned_elsewhere(void)
{
    uint64_t n = MANY, hits = 0;
    __asm__ volatile("1: lea 2f(%%rip), %%rax\n"
                     "push %%rax\n"
                     "ret\n"
                     "ud2\n"
                     "2: call 3f\n"
                     "ud2\n"
                     "3: lea 4f(%%rip), %%rax\n"
                     "mov %%rax, (%%rsp)\n"
                     "ret\n"
                     "ud2\n"
                     "4: inc %1\n"
                     "dec %0\n"
                     "jnz 1b\n"
                     : "+r"(n), "+r"(hits)
                     :
                     : "rax", "cc", "memory");
    check_eq(hits, MANY);
}

static uint64_t __attribute__((noinline)) deep(uint64_t n)
{
    uint64_t below = n ? deep(n - 1) : 0;
    __asm__ volatile("" : "+r"(below));
    return below + n;
}

/* Deeper than any table of return addresses; the stack is large for it. */
static void recursion(void)
{
    enum { DEPTH = 100000, PAGES = DEPTH * 64 / 4096 };
    uint8_t *stack = alloc_pages(PAGES);
    uint64_t sum;
    __asm__ volatile("mov %%rsp, %%rbx\n"
                     "mov %1, %%rsp\n"
                     "call *%2\n"
                     "mov %%rbx, %%rsp\n"
                     : "=a"(sum)
                     : "r"(stack + (size_t)PAGES * 4096), "r"(deep), "D"((uint64_t)DEPTH)
                     : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "cc", "memory");
    check_eq(sum, (uint64_t)DEPTH * (DEPTH + 1) / 2);
}

/* As many ways to fault as one block can have: memory is read and written by each of its instructions. */
static void many_operands(void)
{
    static uint64_t value = 5, target;
    uint64_t got, scratch;
    __asm__ volatile("lea 1f(%%rip), %2\n"
                     "mov %2, %3\n"
                     "jmp 2f\n"
                     ".balign 512\n"
                     "2: .rept 31\n"
                     "pushq %1\n"
                     ".endr\n"
                     "call *%3\n"
                     "1: lea 8(%%rsp), %%rsp\n"
                     "mov (%%rsp), %0\n"
                     "add $248, %%rsp\n"
                     : "=&r"(got), "+m"(value), "=&r"(scratch), "=m"(target)
                     :
                     : "cc", "memory");
    check_eq(got, 5);
}

void guest_main(void)
{
    many_operands();
    never_returned();
    never_returned_elsewhere();
    returned_elsewhere();
    recursion();
}
