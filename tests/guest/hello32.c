/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 32-bit library itself: exceptions, user mode, virtual-8086 mode, real mode and back. */
#include "lib/guest32.h"

static void user(void)
{
    __asm__ volatile("lea 1(%eax), %eax; int $0x80");
}

static const uint8_t add_two[] = {0x05, 2, 0, 0xcd, 0x80};      /* add $2, %ax; int $0x80 */
static const uint8_t add_three[] = {0x66, 0x83, 0xc0, 3, 0xcb}; /* add $3, %eax; retf */

void guest_main(void)
{
    Trap t = TRY(__asm__ volatile("ud2"));
    check_eq(t.vector, 6);
    t = TRY(__asm__ volatile("int3"));
    check_eq(t.vector, 3);
    check_eq(call_user(user, 41), 42);
    memcpy((void *)0x7c00, add_two, sizeof(add_two));
    check_eq(call_v86(0x07c0, 0, 0x3000, 40), 42);
    memcpy((void *)0x7c00, add_three, sizeof(add_three));
    RealRegs r = {.eax = 0x12340001, .edi = 7};
    call_real((void *)0x7c00, &r);
    check_eq(r.eax, 0x12340004);
    check_eq(r.edi, 7);
}
