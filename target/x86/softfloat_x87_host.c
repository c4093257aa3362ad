/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transcendental functions by the host's own x87, under the guest's control word.
 * Spec: docs/decisions (x87 transcendentals); Intel SDM vol 1 section 8.3.10: results differ between processors in the
 * last bits, so the silicon is the reference.
 */
#include "target/x86/softfloat_x87.h"

#if defined(__x86_64__)

#include "target/x86/fpu.h"

/*
 * FRSTOR, one instruction, FNSAVE.  Neither the function nor FNSAVE waits for the exceptions that the function may
 * leave pending, so even unmasked ones (with their wrapped results) are seen without a trap.  FNSAVE leaves the host's
 * x87 as FNINIT does, which is what the ABI expects at any call.
 */
#define RUN(text)                                                                                                      \
    __asm__ volatile("frstor %0\n\t" text "\n\tfnsave %0"                                                              \
                     : "+m"(*(uint8_t(*)[FPU_SAVE_MAX])image)                                                          \
                     :                                                                                                 \
                     : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)")

static void run(F80Function fn, uint8_t *image)
{
    switch (fn) {
    case FN_2XM1:
        RUN("f2xm1");
        break;
    case FN_YL2X:
        RUN("fyl2x");
        break;
    case FN_PTAN:
        RUN("fptan");
        break;
    case FN_PATAN:
        RUN("fpatan");
        break;
    case FN_YL2XP1:
        RUN("fyl2xp1");
        break;
    case FN_SINCOS:
        RUN("fsincos");
        break;
    case FN_SIN:
        RUN("fsin");
        break;
    case FN_COS:
        RUN("fcos");
        break;
    }
}

Float80 f80_function(F80Function fn, Float80 a, Float80 b, Float80 *second, bool *partial, FloatEnv *e)
{
    static const FpuLayout layout = {.wide = true};
    X87 host = {.empty = 0xfc, .r = {a, b}};
    unsigned precision = e->precision == 24 ? 0 : e->precision == 53 ? 2 : 3;
    host.cw = (uint16_t)(FCW_ONES | e->round << 10 | precision << 8 | (e->masks & FSW_EXCEPTIONS));

    uint8_t image[FPU_SAVE_MAX];
    fpu_store_env(&host, layout, image);
    fpu_store_stack(&host, image + fpu_env_size(layout));
    run(fn, image);
    fpu_load_env(&host, layout, image);
    fpu_load_stack(&host, image + fpu_env_size(layout));

    e->flags |= host.sw & FSW_EXCEPTIONS;
    e->rounded_up = host.sw & FSW_C1;
    *partial = host.sw & FSW_C2;
    bool pushes = fn == FN_PTAN || fn == FN_SINCOS;
    *second = fpu_get(&host, 0);
    return fpu_get(&host, pushes && !*partial ? 1 : 0);
}

#else

Float80 f80_function(F80Function fn, Float80 a, Float80 b, Float80 *second, bool *partial, FloatEnv *e)
{
    return f80_function_portable(fn, a, b, second, partial, e);
}

#endif
