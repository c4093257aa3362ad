/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's x87 state in the host's x87 unit and back.  It stays there while C code runs, which on x86-64 uses SSE.
 * Spec: Intel SDM vol 1 figure 8-9, 8.1.10 (image of FNSAVE and FRSTOR, 32-bit protected mode).
 */
#include "target/x86/fpu.h"

typedef struct __attribute__((packed)) HostImage {
    uint32_t cw, sw, tags, fip, fcs, fdp, fds;
    struct __attribute__((packed)) {
        uint64_t mant;
        uint16_t se;
    } st[8];
} HostImage;

#if defined(__x86_64__)

void fpu_spill(X86Cpu *cpu)
{
    HostImage image;
    X87 *f = &cpu->fpu;
    __asm__ volatile("fnsave %0" : "=m"(image)); /* leaves the unit as the ABI wants it at any call */
    fpu_set_status(f, (uint16_t)image.sw);
    fpu_set_full_tags(f, (uint16_t)image.tags);
    for (unsigned i = 0; i < 8; i++) {
        f->r[fpu_phys(f, i)] = (Float80){.mant = image.st[i].mant, .se = image.st[i].se};
    }
    cpu->fpu_live = false;
}

GENERAL_REGS_ONLY void fpu_make_live(X86Cpu *cpu)
{
    HostImage image;
    X87 *f = &cpu->fpu;
    if (cpu->fpu_live) {
        return;
    }
    image.cw = f->cw;
    image.sw = (uint32_t)(f->sw | f->top << 11);
    image.tags = 0;
    image.fip = image.fcs = image.fdp = image.fds = 0;
    for (unsigned i = 0; i < 8; i++) {
        image.tags |= (f->empty >> i & 1 ? 3u : 0u) << 2 * i; /* the processor works out the rest itself */
        unsigned phys = (f->top + i) & 7;
        image.st[i].mant = f->r[phys].mant;
        image.st[i].se = f->r[phys].se;
    }
    __asm__ volatile("frstor %0" : : "m"(image));
    cpu->fpu_live = true;
}

#else /* never live */

void fpu_spill(X86Cpu *cpu)
{
    cpu->fpu_live = false;
}

GENERAL_REGS_ONLY void fpu_make_live(X86Cpu *cpu)
{
    (void)cpu;
}

#endif
