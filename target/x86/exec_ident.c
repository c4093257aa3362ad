/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions about identity, time, MSRs, extended state and FS/GS bases.
 * Spec: Intel SDM vol 2 CPUID, RDTSC, RDMSR, RDRAND, XGETBV, MONITOR, RDFSBASE.
 */
#include "target/x86/exec.h"

#include <sys/random.h>

#include "softmmu/core/machine.h"
#include "target/x86/cpuid.h"
#include "target/x86/segment.h"

static void set_edx_eax(X86Cpu *cpu, uint64_t value)
{
    cpu->r[RAX] = (uint32_t)value;
    cpu->r[RDX] = value >> 32;
}

static uint64_t get_edx_eax(const X86Cpu *cpu)
{
    return (uint32_t)cpu->r[RAX] | cpu->r[RDX] << 32;
}

static void do_cpuid(X86Cpu *cpu, const Insn *i)
{
    uint32_t *out = cpu->cpuid.out;
    cpu->cpuid.leaf = (uint32_t)cpu->r[RAX];
    cpu->cpuid.subleaf = (uint32_t)cpu->r[RCX];
    cpu->cpuid.known = true;
    cpu_cpuid(cpu, cpu->cpuid.leaf, cpu->cpuid.subleaf, out);
    cpu->r[RAX] = out[0];
    cpu->r[RBX] = out[1];
    cpu->r[RCX] = out[2];
    cpu->r[RDX] = out[3];
}

/* ---- time ---- */

static void check_tsd(X86Cpu *cpu)
{
    if ((cpu->cr4 & CR4_TSD) && cpu->cpl != 0) {
        cpu_raise_gp0(cpu);
    }
}

static void do_rdtsc(X86Cpu *cpu, const Insn *i)
{
    check_tsd(cpu);
    set_edx_eax(cpu, cpu_read_tsc(cpu));
}

static void do_rdtscp(X86Cpu *cpu, const Insn *i)
{
    check_tsd(cpu);
    set_edx_eax(cpu, cpu_read_tsc(cpu));
    cpu->r[RCX] = (uint32_t)cpu->msr.tsc_aux;
}

static void do_rdpid(X86Cpu *cpu, const Insn *i)
{
    cpu->r[i->rm] = (uint32_t)cpu->msr.tsc_aux;
}

/* No counter counts; the four legacy ones of an AMD processor exist all the same. */
static void do_rdpmc(X86Cpu *cpu, const Insn *i)
{
    if ((cpu->cpl != 0 && !(cpu->cr4 & CR4_PCE)) || (uint32_t)cpu->r[RCX] > 3) {
        cpu_raise_gp0(cpu);
    }
    set_edx_eax(cpu, 0);
}

/* ---- MSRs ---- */

static void do_rdmsr(X86Cpu *cpu, const Insn *i)
{
    require_cpl0(cpu);
    set_edx_eax(cpu, cpu_read_msr(cpu, (uint32_t)cpu->r[RCX]));
}

static void do_wrmsr(X86Cpu *cpu, const Insn *i)
{
    require_cpl0(cpu);
    cpu_write_msr(cpu, (uint32_t)cpu->r[RCX], get_edx_eax(cpu));
    cpu->cpuid.known = false;
    cpu->break_block = true;
}

/* ---- random numbers: the host's generator ---- */

static void random_to(X86Cpu *cpu, const Insn *i)
{
    uint64_t value = 0;
    bool ok = getrandom(&value, sizeof(value), 0) == (ssize_t)sizeof(value);
    if (!ok) {
        value = 0; /* CF clear: the guest tries again */
    }
    if (i->osize == 1) {
        reg16_set(cpu, i->rm, (uint16_t)value);
    } else {
        cpu->r[i->rm] = i->osize == 2 ? (uint32_t)value : value;
    }
    flags_set(cpu, ok ? FL_CF : 0);
}

/* ---- hypercalls, where CPUID shows the KVM leaves ---- */

enum { KVM_EPERM = 1, KVM_EINVAL = 22, KVM_ENOSYS = 1000, KVM_HC_SEND_IPI = 10 };

/*
 * RBX and RCX: bit map of APIC ids that starts with the id in RDX; RSI: like the low half of an ICR, with a vector or
 * NMI as delivery mode.  Returns how many processors got it.
 */
static int64_t send_ipis(X86Cpu *cpu)
{
    enum { ICR_VECTOR = 0xff, ICR_NMI = 4 << 8, ICR_ALLOWED = ICR_VECTOR | ICR_NMI | 1 << 14 /* assert */ };
    unsigned width = cpu->code64 ? 64 : 32;
    uint64_t maps[2] = {cpu->r[RBX], cpu->r[RCX]};
    uint32_t icr = (uint32_t)cpu->r[RSI];
    int64_t taken = 0;
    if ((icr & ~(uint32_t)ICR_ALLOWED) || !cpu->apic || !cpu->apic->send) {
        return -KVM_EINVAL;
    }
    machine_lock(cpu->machine->lock);
    for (unsigned bit = 0; bit < 2 * width; bit++) {
        uint64_t id = (uint32_t)cpu->r[RDX] + (uint64_t)bit;
        if ((maps[bit / width] >> (bit % width) & 1) && id < UINT32_MAX) { /* UINT32_MAX would be a broadcast */
            taken += cpu->apic->send(cpu->apic_opaque, (uint32_t)id, icr & ICR_VECTOR, icr & ICR_NMI);
        }
    }
    machine_unlock(cpu->machine->lock);
    return taken;
}

static void do_hypercall(X86Cpu *cpu, const Insn *i)
{
    if (!cpu->model->expose_pv) {
        cpu_raise_ud(cpu);
    }
    uint64_t number = cpu->code64 ? cpu->r[RAX] : (uint32_t)cpu->r[RAX];
    int64_t result = cpu->cpl != 0 ? -KVM_EPERM : number == KVM_HC_SEND_IPI ? send_ipis(cpu) : -KVM_ENOSYS;
    cpu->r[RAX] = cpu->code64 ? (uint64_t)result : (uint32_t)result;
}

/* ---- MONITOR, MWAIT ---- */

static void do_monitor(X86Cpu *cpu, const Insn *i)
{
    if (cpu->cpl != 0) {
        cpu_raise_ud(cpu);
    }
    if ((uint32_t)cpu->r[RCX] != 0) {
        cpu_raise_gp0(cpu);
    }
    unsigned seg = i->seg_override == 0xff ? SEG_DS : i->seg_override;
    mem_read8(cpu, seg, cpu->r[RAX] & asize_mask[i->asize]);
}

/* A wake-up without a cause is allowed: MWAIT ends at once. */
static void do_mwait(X86Cpu *cpu, const Insn *i)
{
    if (cpu->cpl != 0) {
        cpu_raise_ud(cpu);
    }
    if ((uint32_t)cpu->r[RCX] > 1) {
        cpu_raise_gp0(cpu);
    }
    cpu->break_block = true;
}

/* ---- extended control registers ---- */

static void do_xgetbv(X86Cpu *cpu, const Insn *i)
{
    if (!(cpu->cr4 & CR4_OSXSAVE)) {
        cpu_raise_ud(cpu);
    }
    uint32_t index = (uint32_t)cpu->r[RCX];
    if (index > 1 || (index == 1 && !feature_in(&cpu->features, FEAT_XGETBV1))) {
        cpu_raise_gp0(cpu);
    }
    set_edx_eax(cpu, cpu->xcr0); /* XINUSE may report a component in use that is in its initial state */
}

static void do_xsetbv(X86Cpu *cpu, const Insn *i)
{
    enum { XCR0_X87 = 1, XCR0_SSE = 2, XCR0_AVX = 4, XCR0_PKRU = 1 << 9 };
    if (!(cpu->cr4 & CR4_OSXSAVE)) {
        cpu_raise_ud(cpu);
    }
    require_cpl0(cpu);
    uint64_t value = get_edx_eax(cpu);
    uint64_t known = XCR0_X87 | XCR0_SSE | (feature_in(&cpu->features, FEAT_AVX) ? XCR0_AVX : 0) |
                     (feature_in(&cpu->features, FEAT_PKU) ? XCR0_PKRU : 0);
    if ((uint32_t)cpu->r[RCX] != 0 || !(value & XCR0_X87) || (value & ~known) ||
        ((value & XCR0_AVX) && !(value & XCR0_SSE))) {
        cpu_raise_gp0(cpu);
    }
    cpu->xcr0 = value;
    cpu->cpuid.known = false;
    cpu->break_block = true;
}

/* ---- protection keys ---- */

static void do_rdpkru(X86Cpu *cpu, const Insn *i)
{
    if (!(cpu->cr4 & CR4_PKE)) {
        cpu_raise_ud(cpu);
    }
    if ((uint32_t)cpu->r[RCX] != 0) {
        cpu_raise_gp0(cpu);
    }
    set_edx_eax(cpu, cpu->pkru);
}

static void do_wrpkru(X86Cpu *cpu, const Insn *i)
{
    if (!(cpu->cr4 & CR4_PKE)) {
        cpu_raise_ud(cpu);
    }
    if ((uint32_t)cpu->r[RCX] != 0 || (uint32_t)cpu->r[RDX] != 0) {
        cpu_raise_gp0(cpu);
    }
    cpu_set_pkru(cpu, (uint32_t)cpu->r[RAX]);
}

/* ---- FSGSBASE ---- */

static void check_fsgsbase(X86Cpu *cpu)
{
    if (!(cpu->cr4 & CR4_FSGSBASE)) {
        cpu_raise_ud(cpu);
    }
}

static void read_base(X86Cpu *cpu, const Insn *i, unsigned seg)
{
    check_fsgsbase(cpu);
    uint64_t base = cpu->seg[seg].base;
    cpu->r[i->rm] = i->osize == 3 ? base : (uint32_t)base;
}

static void write_base(X86Cpu *cpu, const Insn *i, unsigned seg)
{
    check_fsgsbase(cpu);
    uint64_t base = i->osize == 3 ? cpu->r[i->rm] : (uint32_t)cpu->r[i->rm];
    if (!is_canonical(cpu, base)) {
        cpu_raise_gp0(cpu);
    }
    cpu->seg[seg].base = base;
}

static void do_rdfsbase(X86Cpu *cpu, const Insn *i)
{
    read_base(cpu, i, SEG_FS);
}

static void do_rdgsbase(X86Cpu *cpu, const Insn *i)
{
    read_base(cpu, i, SEG_GS);
}

static void do_wrfsbase(X86Cpu *cpu, const Insn *i)
{
    write_base(cpu, i, SEG_FS);
}

static void do_wrgsbase(X86Cpu *cpu, const Insn *i)
{
    write_base(cpu, i, SEG_GS);
}

EXEC_ONE(cpuid, do_cpuid);
EXEC_ONE(rdtsc, do_rdtsc);
EXEC_ONE(rdtscp, do_rdtscp);
EXEC_ONE(rdpid, do_rdpid);
EXEC_ONE(rdpmc, do_rdpmc);
EXEC_ONE(rdmsr, do_rdmsr);
EXEC_ONE(wrmsr, do_wrmsr);
EXEC_ONE(rdrand, random_to);
EXEC_ONE(hypercall, do_hypercall);
EXEC_ONE(monitor, do_monitor);
EXEC_ONE(mwait, do_mwait);
EXEC_ONE(xgetbv, do_xgetbv);
EXEC_ONE(xsetbv, do_xsetbv);
EXEC_ONE(rdpkru, do_rdpkru);
EXEC_ONE(wrpkru, do_wrpkru);
EXEC_ONE(rdfsbase, do_rdfsbase);
EXEC_ONE(rdgsbase, do_rdgsbase);
EXEC_ONE(wrfsbase, do_wrfsbase);
EXEC_ONE(wrgsbase, do_wrgsbase);
