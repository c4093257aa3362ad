/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accel/interp/step.c: which instructions an engine leaves to the interpreter that it has borrowed. */
#include "accel/interp/step.h"
#include "target/x86/insn.h"
#include "tests/unit/x86_guest.h"

/* What an engine that borrows the interpreter may leave to it without anybody noticing. */
static void test_next(void)
{
    static const struct {
        uint8_t code[8];
        InterpNext next;
    } cases[] = {
        {{0x48, 0x01, 0xd8}, NEXT_PLAIN},             /* add rax, rbx */
        {{0x48, 0x03, 0x03}, NEXT_PLAIN},             /* add rax, [rbx] */
        {{0x48, 0x01, 0x03}, NEXT_OTHER},             /* add [rbx], rax */
        {{0x75, 0x10}, NEXT_PLAIN},                   /* jnz */
        {{0x50}, NEXT_OTHER},                         /* push rax */
        {{0xe8, 0, 0, 0, 0}, NEXT_OTHER},             /* call */
        {{0xa4}, NEXT_OTHER},                         /* movsb */
        {{0x66, 0x0f, 0xfe, 0xc1}, NEXT_VECTOR},      /* paddd xmm0, xmm1 */
        {{0x0f, 0x11, 0x03}, NEXT_VECTOR},            /* movups [rbx], xmm0 */
        {{0xd9, 0xe8}, NEXT_VECTOR},                  /* fld1 */
        {{0x0f, 0x01, 0x3b}, NEXT_OTHER},             /* invlpg [rbx] */
        {{0x0f, 0x22, 0xd8}, NEXT_OTHER},             /* mov cr3, rax */
        {{0xfb}, NEXT_OTHER},                         /* sti */
        {{0xe4, 0x60}, NEXT_OTHER},                   /* in al, 60h */
        {{0x0f, 0x31}, NEXT_OTHER},                   /* rdtsc */
        {{0x0f, 0x0b}, NEXT_OTHER},                   /* ud2 */
        {{0xf0, 0x48, 0x0f, 0xb1, 0x0b}, NEXT_OTHER}, /* lock cmpxchg [rbx], rcx */
        {{0x0f, 0x94, 0xc0}, NEXT_PLAIN},             /* setz al */
        {{0x0f, 0x94, 0x03}, NEXT_OTHER},             /* setz [rbx] */
    };
    Guest *g = guest_new("max", GUEST_LONG64);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (unsigned n = 0; n < sizeof(cases[i].code); n++) {
            guest_put(g, AT_CODE + n, cases[i].code[n], 1);
        }
        g->cpu->rip = AT_CODE;
        if (interp_next(g->cpu) != cases[i].next) {
            g_error("case %zu is %d", i, interp_next(g->cpu));
        }
    }
    g->cpu->rip = 0x7fff00000000; /* not mapped */
    g_assert_cmpint(interp_next(g->cpu), ==, NEXT_OTHER);
    guest_free(g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(insn_table_init(NULL));
    g_test_add_func("/step/next", test_next);
    return g_test_run();
}
