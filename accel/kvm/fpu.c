/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87, SSE and AVX state between X86Cpu and KVM: an XSAVE image in standard form, or what older interfaces have.
 * Spec: Intel SDM vol 1, 13.4 (XSAVE area); Linux Documentation/virt/kvm/api.rst (KVM_GET_XSAVE, KVM_GET_FPU).
 */
#include <string.h>

#include "accel/kvm/kvm.h"
#include "target/x86/fpu.h"

enum { XSTATE_X87 = 1, XSTATE_SSE = 2, XSTATE_AVX = 4, XSTATE_PKRU = 1 << 9 };
enum { OFF_MXCSR = 24, OFF_XMM = 160, OFF_XSTATE_BV = 512, OFF_AVX = 576, OFF_PKRU = 832 };

/* The components that the guest can have: those of the model. */
static uint64_t components(const X86Cpu *cpu)
{
    return XSTATE_X87 | XSTATE_SSE | (feature_in(&cpu->features, FEAT_AVX) ? XSTATE_AVX : 0) |
           (feature_in(&cpu->features, FEAT_PKU) ? XSTATE_PKRU : 0);
}

static void get_vectors(X86Cpu *cpu, const uint8_t *image, unsigned at, bool present)
{
    for (unsigned n = 0; n < 16; n++) {
        if (present) {
            memcpy(cpu->v[n].b + at, image + 16 * n, 16);
        } else {
            memset(cpu->v[n].b + at, 0, 16);
        }
    }
}

static void from_image(X86Cpu *cpu, const uint8_t *image)
{
    uint64_t present;
    memcpy(&present, image + OFF_XSTATE_BV, sizeof(present));
    memcpy(&cpu->mxcsr, image + OFF_MXCSR, sizeof(cpu->mxcsr));
    if (present & XSTATE_X87) {
        fpu_load_fx(&cpu->fpu, true, image);
    } else {
        memset(cpu->fpu.r, 0, sizeof(cpu->fpu.r));
        fpu_init(&cpu->fpu);
    }
    get_vectors(cpu, image + OFF_XMM, 0, present & XSTATE_SSE);
    if (components(cpu) & XSTATE_AVX) {
        get_vectors(cpu, image + OFF_AVX, 16, present & XSTATE_AVX);
    }
    if (components(cpu) & XSTATE_PKRU) {
        uint32_t pkru = 0;
        if (present & XSTATE_PKRU) {
            memcpy(&pkru, image + OFF_PKRU, sizeof(pkru));
        }
        cpu_set_pkru(cpu, pkru);
    }
}

/* Components that our model has not stay as KVM gave them: some hosts' guests see the host's own CPUID and use them. */
static void to_image(const X86Cpu *cpu, uint8_t *image)
{
    uint64_t present;
    memcpy(&present, image + OFF_XSTATE_BV, sizeof(present));
    present |= components(cpu);
    fpu_store_fx(&cpu->fpu, true, image);
    memcpy(image + OFF_MXCSR, &cpu->mxcsr, sizeof(cpu->mxcsr));
    for (unsigned n = 0; n < 16; n++) {
        memcpy(image + OFF_XMM + 16 * n, cpu->v[n].b, 16);
        if (components(cpu) & XSTATE_AVX) {
            memcpy(image + OFF_AVX + 16 * n, cpu->v[n].b + 16, 16);
        }
    }
    if (components(cpu) & XSTATE_PKRU) {
        memcpy(image + OFF_PKRU, &cpu->pkru, sizeof(cpu->pkru));
    }
    memcpy(image + OFF_XSTATE_BV, &present, sizeof(present));
}

/* ---- without XSAVE ---- */

static int get_old(KvmVcpu *v)
{
    X86Cpu *cpu = v->cpu;
    struct kvm_fpu f;
    uint8_t image[OFF_XMM];
    int r = kvm_ioctl(v->kvm->sys, v->fd, KVM_GET_FPU, &f);
    if (r < 0) {
        return r;
    }
    memset(image, 0, sizeof(image));
    memcpy(image, &f.fcw, 2);
    memcpy(image + 2, &f.fsw, 2);
    image[4] = f.ftwx;
    memcpy(image + 6, &f.last_opcode, 2);
    memcpy(image + 8, &f.last_ip, 8);
    memcpy(image + 16, &f.last_dp, 8);
    memcpy(image + 32, f.fpr, sizeof(f.fpr));
    fpu_load_fx(&cpu->fpu, true, image);
    get_vectors(cpu, &f.xmm[0][0], 0, true);
    cpu->mxcsr = f.mxcsr;
    return 0;
}

static int set_old(KvmVcpu *v)
{
    const X86Cpu *cpu = v->cpu;
    struct kvm_fpu f = {.mxcsr = cpu->mxcsr};
    uint8_t image[OFF_XMM];
    fpu_store_fx(&cpu->fpu, true, image);
    memcpy(&f.fcw, image, 2);
    memcpy(&f.fsw, image + 2, 2);
    f.ftwx = image[4];
    memcpy(&f.last_opcode, image + 6, 2);
    memcpy(&f.last_ip, image + 8, 8);
    memcpy(&f.last_dp, image + 16, 8);
    memcpy(f.fpr, image + 32, sizeof(f.fpr));
    for (unsigned n = 0; n < 16; n++) {
        memcpy(f.xmm[n], cpu->v[n].b, 16);
    }
    return kvm_ioctl(v->kvm->sys, v->fd, KVM_SET_FPU, &f);
}

/* ---- XCR0 ---- */

static bool has_xcr0(const KvmVcpu *v)
{
    return v->kvm->caps.xcrs && feature_in(&v->cpu->features, FEAT_XSAVE);
}

static int get_xcr0(KvmVcpu *v)
{
    struct kvm_xcrs x = {0};
    if (!has_xcr0(v)) {
        return 0;
    }
    int r = kvm_ioctl(v->kvm->sys, v->fd, KVM_GET_XCRS, &x);
    for (unsigned n = 0; r >= 0 && n < MIN(x.nr_xcrs, (uint32_t)KVM_MAX_XCRS); n++) {
        if (x.xcrs[n].xcr == 0) {
            v->cpu->xcr0 = x.xcrs[n].value;
        }
    }
    return r;
}

static int set_xcr0(KvmVcpu *v)
{
    struct kvm_xcrs x = {.nr_xcrs = 1, .xcrs[0] = {.xcr = 0, .value = v->cpu->xcr0}};
    return has_xcr0(v) ? kvm_ioctl(v->kvm->sys, v->fd, KVM_SET_XCRS, &x) : 0;
}

int kvm_get_fpu(KvmVcpu *v)
{
    if (!v->xsave) {
        return get_old(v);
    }
    unsigned long request = v->kvm->caps.xsave_size > sizeof(struct kvm_xsave) ? KVM_GET_XSAVE2 : KVM_GET_XSAVE;
    int r = kvm_ioctl(v->kvm->sys, v->fd, request, v->xsave);
    if (r >= 0) {
        from_image(v->cpu, v->xsave);
        r = get_xcr0(v);
    }
    return r;
}

int kvm_set_fpu(KvmVcpu *v)
{
    if (!v->xsave) {
        return set_old(v);
    }
    to_image(v->cpu, v->xsave);
    int r = kvm_ioctl(v->kvm->sys, v->fd, KVM_SET_XSAVE, v->xsave);
    return r < 0 ? r : set_xcr0(v);
}
