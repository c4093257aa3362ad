/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library itself: exceptions are caught, user mode is entered and left. */
#include "lib/guest.h"

static void user(void)
{
    __asm__ volatile("lea 1(%rdi), %rax; int $0x80");
}

void guest_main(void)
{
    Trap t = TRY(__asm__ volatile("ud2"));
    check_eq(t.vector, 6);
    t = TRY(*(volatile int *)(1ull << 45) = 1);
    check_eq(t.vector, 14);
    check_eq(t.error, 2);
    check_eq(t.cr2, 1ull << 45);
    check_eq(call_user(user, 41), 42);
    t = TRY(__asm__ volatile("int3"));
    check_eq(t.vector, 3);
}
