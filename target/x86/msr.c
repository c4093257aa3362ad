/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model-specific registers: RDMSR and WRMSR by number.
 * Spec: Intel SDM vol 4 chapter 2; vol 3 sections 11.11 (MTRRs), 11.12 (PAT), 15.3 (machine check); AMD APM vol 2
 * appendix A; BIOS and Kernel Developer's Guides for what operating systems look at while they boot.
 */
#include "target/x86/msr.h"

#include <inttypes.h>
#include <string.h>

#include "softmmu/core/machine.h"
#include "target/x86/cpuid.h"
#include "target/x86/debug.h"
#include "target/x86/mem.h"
#include "target/x86/pvclock.h"
#include "target/x86/segment.h"
#include "target/x86/tsc.h"
#include "util/log.h"

#define MC_BANKS 10u
#define MTRR_VARIABLE 8u

static bool is_amd(const X86Cpu *cpu)
{
    return strcmp(cpu->model->vendor, "AuthenticAMD") == 0;
}

static bool has(const X86Cpu *cpu, Feature f)
{
    return feature_in(&cpu->features, f);
}

/* ---- memory types ---- */

/* UC, WC, WT, WP, WB; the PAT knows UC- (7), too. */
static bool memory_type_ok(uint8_t type, bool pat)
{
    return type == 0 || type == 1 || (type >= 4 && type <= 6) || (pat && type == 7);
}

static bool memory_types_ok(uint64_t eight, bool pat)
{
    for (unsigned n = 0; n < 8; n++) {
        if (!memory_type_ok((uint8_t)(eight >> (8 * n)), pat)) {
            return false;
        }
    }
    return true;
}

/* Index of a fixed-range MTRR in mtrr_fixed, or -1. */
static int mtrr_fixed_index(uint32_t msr)
{
    if (msr == MSR_MTRR_FIX64K) {
        return 0;
    }
    if (msr == MSR_MTRR_FIX16K_80000 || msr == MSR_MTRR_FIX16K_A0000) {
        return 1 + (int)(msr - MSR_MTRR_FIX16K_80000);
    }
    return msr >= MSR_MTRR_FIX4K && msr < MSR_MTRR_FIX4K + 8 ? 3 + (int)(msr - MSR_MTRR_FIX4K) : -1;
}

static bool is_mtrr_variable(uint32_t msr)
{
    return msr >= MSR_MTRR_PHYSBASE0 && msr < MSR_MTRR_PHYSBASE0 + 2 * MTRR_VARIABLE;
}

static uint64_t *mtrr_variable(X86Cpu *cpu, uint32_t msr)
{
    unsigned n = msr - MSR_MTRR_PHYSBASE0;
    return n & 1 ? &cpu->msr.mtrr_mask[n / 2] : &cpu->msr.mtrr_base[n / 2];
}

static bool write_mtrr(X86Cpu *cpu, uint32_t msr, uint64_t value)
{
    int fixed = mtrr_fixed_index(msr);
    if (fixed >= 0) {
        if (!memory_types_ok(value, false)) {
            return false;
        }
        cpu->msr.mtrr_fixed[fixed] = value;
        return true;
    }
    if (msr == MSR_MTRR_DEF_TYPE) {
        if ((value & ~0xcffull) || !memory_type_ok((uint8_t)value, false)) {
            return false;
        }
        cpu->msr.mtrr_def_type = value;
        return true;
    }
    uint64_t reserved = MASK64(63, cpu->model->phys_bits);
    bool mask = msr & 1;
    reserved |= mask ? 0x7ff : 0xf00;
    if ((value & reserved) || (!mask && !memory_type_ok((uint8_t)value, false))) {
        return false;
    }
    *mtrr_variable(cpu, msr) = value;
    return true;
}

static bool is_mtrr(uint32_t msr)
{
    return is_mtrr_variable(msr) || mtrr_fixed_index(msr) >= 0 || msr == MSR_MTRR_DEF_TYPE;
}

/* ---- machine check banks ---- */

static bool is_mc_bank(uint32_t msr)
{
    return msr >= MSR_MC0_CTL && msr < MSR_MC0_CTL + 4 * MC_BANKS;
}

static uint64_t *mc_register(X86Cpu *cpu, uint32_t msr)
{
    unsigned bank = (msr - MSR_MC0_CTL) / 4;
    uint64_t *const columns[4] = {cpu->msr.mc_ctl, cpu->msr.mc_status, cpu->msr.mc_addr, cpu->msr.mc_misc};
    return &columns[msr & 3][bank];
}

static bool write_mc(X86Cpu *cpu, uint32_t msr, uint64_t value)
{
    /*
     * SDM 15.3.2.1: control is all or nothing here, but for the one bit that kernels leave out on purpose: GART table
     * walks of AMD's bank 4 (BKDG family 0Fh, MC4_CTL) and bit 0 of Intel's old bank 0.  15.3.2.2: status is cleared by
     * software, never set.
     */
    enum { MC_CTL_OPTIONAL = 1 << 10 | 1 << 0 };
    unsigned column = msr & 3;
    if ((column == 0 && value != 0 && (value | MC_CTL_OPTIONAL) != ~0ull) || (column == 1 && value != 0)) {
        return false;
    }
    *mc_register(cpu, msr) = value;
    return true;
}

/* ---- the interrupt controller's registers: machine lock ---- */

static bool is_apic_msr(const X86Cpu *cpu, uint32_t msr)
{
    return cpu->apic && ((msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST) || msr == MSR_TSC_DEADLINE);
}

static bool apic_msr_exists(const X86Cpu *cpu, uint32_t msr)
{
    return has(cpu, msr == MSR_TSC_DEADLINE ? FEAT_TSC_DEADLINE : FEAT_X2APIC);
}

static bool read_apic(X86Cpu *cpu, uint32_t msr, uint64_t *value)
{
    bool ok = true;
    machine_lock(cpu->machine->lock);
    if (msr == MSR_APIC_BASE) {
        *value = cpu->apic->get_base(cpu->apic_opaque);
    } else {
        ok = apic_msr_exists(cpu, msr) && cpu->apic->read_msr(cpu->apic_opaque, msr, value);
    }
    machine_unlock(cpu->machine->lock);
    return ok;
}

static bool write_apic(X86Cpu *cpu, uint32_t msr, uint64_t value)
{
    bool ok;
    if (msr == MSR_APIC_BASE) {
        enum { X2APIC_ENABLE = 1 << 10 };
        if ((value & (MASK64(63, cpu->model->phys_bits) | 0x2ff)) ||
            ((value & X2APIC_ENABLE) && !has(cpu, FEAT_X2APIC))) {
            return false;
        }
        machine_lock(cpu->machine->lock);
        ok = cpu->apic->set_base(cpu->apic_opaque, value);
        machine_unlock(cpu->machine->lock);
        return ok;
    }
    machine_lock(cpu->machine->lock);
    ok = apic_msr_exists(cpu, msr) && cpu->apic->write_msr(cpu->apic_opaque, msr, value);
    machine_unlock(cpu->machine->lock);
    return ok;
}

/* ---- registers of AMD processors that systems look at while they boot ---- */

/* Read as the value, writes are dropped. */
typedef struct FixedMsr {
    uint32_t msr;
    uint64_t value;
} FixedMsr;

static const FixedMsr amd_fixed[] = {
    {MSR_AMD_SYSCFG, 0},        {MSR_AMD_HWCR, 1u << 24 /* TscFreqSel */}, {MSR_AMD_TOP_MEM, 0},
    {MSR_AMD_TOP_MEM2, 0},      {MSR_AMD_PATCH_LOADER, 0},  {MSR_AMD_INT_PENDING, 0},
    {MSR_AMD_VM_CR, 1u << 4 /* SVMDIS */}, {MSR_AMD_OSVW_LENGTH, 0}, {MSR_AMD_OSVW_STATUS, 0},
    {MSR_AMD_NB_CFG, 0},        {MSR_AMD_LS_CFG, 0},        {MSR_AMD_DC_CFG, 0},
    {MSR_AMD_DE_CFG, 1u << 1 /* LFENCE serialises */}, {MSR_AMD_BU_CFG, 0}, {MSR_AMD_BU_CFG2, 0},
    {MSR_AMD_FAM10H_MMIO, 0},   {MSR_AMD_PSTATE_LIMIT, 0},  {MSR_AMD_PSTATE_CONTROL, 0},
    {MSR_AMD_PSTATE_STATUS, 0},
};

static const FixedMsr common_fixed[] = {
    {MSR_PLATFORM_ID, 0},
    {MSR_EBL_CR_POWERON, 0},
    {MSR_FSB_FREQ, 0},
    {MSR_PERF_STATUS, 0x1000ull << 32 | 0x0a},
    {MSR_SMI_COUNT, 0},
    {MSR_PLATFORM_INFO, 0}, /* read_special() has it; writes do no harm */
    {MSR_RAPL_POWER_UNIT, 0},
    {MSR_PKG_ENERGY_STATUS, 0},
    {MSR_PP0_ENERGY_STATUS, 0},
    {MSR_PP1_ENERGY_STATUS, 0},
    {MSR_DRAM_ENERGY_STATUS, 0},
};

static const FixedMsr *find_fixed(const FixedMsr *table, size_t count, uint32_t msr)
{
    for (size_t n = 0; n < count; n++) {
        if (table[n].msr == msr) {
            return &table[n];
        }
    }
    return NULL;
}

static const FixedMsr *fixed_msr(const X86Cpu *cpu, uint32_t msr)
{
    const FixedMsr *f = find_fixed(common_fixed, ARRAY_LEN(common_fixed), msr);
    if (!f && is_amd(cpu)) {
        f = find_fixed(amd_fixed, ARRAY_LEN(amd_fixed), msr);
    }
    return f;
}

/* K7 and family 10h performance counters: they exist and never count. */
static bool is_amd_counter(const X86Cpu *cpu, uint32_t msr)
{
    return is_amd(cpu) && msr >= MSR_K7_EVNTSEL0 && msr < MSR_K7_EVNTSEL0 + 8;
}

/* ---- plain storage ---- */

typedef enum MsrCheck { CHECK_NONE, CHECK_CANONICAL, CHECK_32 } MsrCheck;

typedef struct PlainMsr {
    uint32_t msr;
    Feature feature;
    MsrCheck check;
    size_t offset; /* of a uint64_t in X86Cpu */
} PlainMsr;

#define PLAIN(number, feature, check, member) {number, feature, check, offsetof(X86Cpu, member)}
static const PlainMsr plain[] = { /* searched from the top: what context switches write comes first */
    PLAIN(MSR_FS_BASE, FEAT_LM, CHECK_CANONICAL, seg[SEG_FS].base),
    PLAIN(MSR_GS_BASE, FEAT_LM, CHECK_CANONICAL, seg[SEG_GS].base),
    PLAIN(MSR_KERNEL_GS_BASE, FEAT_LM, CHECK_CANONICAL, msr.kernel_gs_base),
    PLAIN(MSR_STAR, FEAT_SYSCALL, CHECK_NONE, msr.star),
    PLAIN(MSR_LSTAR, FEAT_LM, CHECK_CANONICAL, msr.lstar),
    PLAIN(MSR_CSTAR, FEAT_LM, CHECK_CANONICAL, msr.cstar),
    PLAIN(MSR_FMASK, FEAT_LM, CHECK_32, msr.fmask),
    PLAIN(MSR_SYSENTER_CS, FEAT_SEP, CHECK_NONE, msr.sysenter_cs),
    PLAIN(MSR_SYSENTER_ESP, FEAT_SEP, CHECK_CANONICAL, msr.sysenter_esp),
    PLAIN(MSR_SYSENTER_EIP, FEAT_SEP, CHECK_CANONICAL, msr.sysenter_eip),
    PLAIN(MSR_MCG_STATUS, FEAT_MCA, CHECK_NONE, msr.mcg_status),
    PLAIN(MSR_MCG_CTL, FEAT_MCA, CHECK_NONE, msr.mcg_ctl),
    PLAIN(MSR_MISC_ENABLE, FEAT_NONE, CHECK_NONE, msr.misc_enable),
};

static const PlainMsr *find_plain(const X86Cpu *cpu, uint32_t msr)
{
    for (size_t n = 0; n < ARRAY_LEN(plain); n++) {
        if (plain[n].msr == msr && has(cpu, plain[n].feature)) {
            return &plain[n];
        }
    }
    return NULL;
}

static uint64_t *plain_slot(X86Cpu *cpu, const PlainMsr *p)
{
    return (uint64_t *)(void *)((char *)cpu + p->offset);
}

static bool write_plain(X86Cpu *cpu, const PlainMsr *p, uint64_t value)
{
    if (p->check == CHECK_32) {
        value = (uint32_t)value;
    }
    if (p->check == CHECK_CANONICAL) {
        if (!has(cpu, FEAT_LM)) {
            value = (uint32_t)value;
        } else if (!is_canonical(cpu, value)) {
            return false;
        }
    }
    *plain_slot(cpu, p) = value;
    return true;
}

/* ---- everything that needs code ---- */

static bool pv_clock_msr(const X86Cpu *cpu, uint32_t msr)
{
    return cpu->model->expose_pv && (msr == MSR_KVM_WALL_CLOCK || msr == MSR_KVM_SYSTEM_TIME ||
                                     msr == MSR_KVM_WALL_CLOCK_NEW || msr == MSR_KVM_SYSTEM_TIME_NEW);
}

static bool read_special(X86Cpu *cpu, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case MSR_EFER:
        *value = cpu->efer;
        return has(cpu, FEAT_SYSCALL) || has(cpu, FEAT_NX) || has(cpu, FEAT_LM);
    case MSR_TSC:
        *value = cpu_read_tsc(cpu);
        return has(cpu, FEAT_TSC);
    case MSR_PLATFORM_INFO: /* maximum non-turbo ratio in units of 100 MHz */
        *value = cpu->machine->tsc.khz / 100000u << 8;
        return true;
    case MSR_TSC_ADJUST:
        *value = cpu->msr.tsc_adjust;
        return has(cpu, FEAT_TSC_ADJUST);
    case MSR_TSC_AUX:
        *value = cpu->msr.tsc_aux;
        return has(cpu, FEAT_RDTSCP) || has(cpu, FEAT_RDPID);
    case MSR_MTRR_CAP:
        *value = MTRR_VARIABLE | 1u << 8 /* fixed ranges */ | 1u << 10 /* write combining */;
        return has(cpu, FEAT_MTRR);
    case MSR_PAT:
        *value = cpu->msr.pat;
        return has(cpu, FEAT_PAT);
    case MSR_MCG_CAP:
        *value = MC_BANKS | 1u << 8 /* MCG_CTL */;
        return has(cpu, FEAT_MCA);
    case MSR_BIOS_SIGN_ID:
        *value = cpu->msr.bios_sign_id;
        return true;
    case MSR_DEBUGCTL:
        *value = cpu->msr.debugctl;
        return true;
    case MSR_PKRS:
        *value = cpu->pkrs;
        return has(cpu, FEAT_PKS);
    case MSR_FEATURE_CONTROL:
        *value = cpu->msr.feature_control;
        return has(cpu, FEAT_VMX);
    case MSR_KVM_WALL_CLOCK:
    case MSR_KVM_WALL_CLOCK_NEW:
        *value = cpu->msr.pvclock_wall_clock;
        return true;
    case MSR_KVM_SYSTEM_TIME:
    case MSR_KVM_SYSTEM_TIME_NEW:
        *value = cpu->msr.pvclock_system_time;
        return true;
    default:
        return false;
    }
}

static bool write_special(X86Cpu *cpu, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_TSC:
        if (!has(cpu, FEAT_TSC)) {
            return false;
        }
        cpu_write_tsc(cpu, value);
        return true;
    case MSR_TSC_ADJUST:
        if (!has(cpu, FEAT_TSC_ADJUST)) {
            return false;
        }
        cpu_write_tsc_adjust(cpu, value);
        return true;
    case MSR_TSC_AUX:
        if (!has(cpu, FEAT_RDTSCP) && !has(cpu, FEAT_RDPID)) {
            return false;
        }
        cpu->msr.tsc_aux = (uint32_t)value;
        return value >> 32 == 0;
    case MSR_PAT:
        if (!has(cpu, FEAT_PAT) || !memory_types_ok(value, true)) {
            return false;
        }
        cpu->msr.pat = value;
        return true;
    case MSR_BIOS_SIGN_ID:
        return true; /* software writes 0 before it asks for the revision */
    case MSR_DEBUGCTL:
        cpu->msr.debugctl = value & (DEBUGCTL_LBR | DEBUGCTL_BTF);
        return true;
    case MSR_PKRS:
        if (!has(cpu, FEAT_PKS) || value >> 32) {
            return false;
        }
        cpu_set_pkrs(cpu, (uint32_t)value);
        return true;
    case MSR_AMD_PATCH_LOADER:
        return is_amd(cpu);
    case MSR_PERF_CTL:
        return true;
    case MSR_KVM_WALL_CLOCK:
    case MSR_KVM_WALL_CLOCK_NEW:
        pvclock_write_wall_clock(cpu, value);
        return true;
    case MSR_KVM_SYSTEM_TIME:
    case MSR_KVM_SYSTEM_TIME_NEW:
        pvclock_write_system_time(cpu, value);
        return true;
    default:
        return false;
    }
}

/* ---- RDMSR, WRMSR ---- */

static bool is_pv_number(uint32_t msr)
{
    return msr == MSR_KVM_WALL_CLOCK || msr == MSR_KVM_SYSTEM_TIME || (msr & 0xffffff00) == MSR_KVM_WALL_CLOCK_NEW;
}

static bool msr_read(X86Cpu *cpu, uint32_t msr, uint64_t *value)
{
    const PlainMsr *p = find_plain(cpu, msr);
    const FixedMsr *f;
    *value = 0;
    if (p) {
        *value = *plain_slot(cpu, p);
        return true;
    }
    if ((msr == MSR_APIC_BASE && cpu->apic) || is_apic_msr(cpu, msr)) {
        return read_apic(cpu, msr, value);
    }
    if (is_mtrr(msr)) {
        int fixed = mtrr_fixed_index(msr);
        *value = fixed >= 0                 ? cpu->msr.mtrr_fixed[fixed]
                 : msr == MSR_MTRR_DEF_TYPE ? cpu->msr.mtrr_def_type
                                            : *mtrr_variable(cpu, msr);
        return has(cpu, FEAT_MTRR);
    }
    if (is_mc_bank(msr)) {
        *value = *mc_register(cpu, msr);
        return has(cpu, FEAT_MCA);
    }
    if (is_pv_number(msr) && !pv_clock_msr(cpu, msr)) {
        return false;
    }
    if (read_special(cpu, msr, value)) {
        return true;
    }
    f = fixed_msr(cpu, msr);
    if (f) {
        *value = f->value;
        return true;
    }
    *value = 0;
    return is_amd_counter(cpu, msr) || msr == MSR_PERF_CTL;
}

static bool msr_write(X86Cpu *cpu, uint32_t msr, uint64_t value)
{
    if (is_apic_msr(cpu, msr)) { /* each interrupt and each timer writes there */
        return write_apic(cpu, msr, value);
    }
    const PlainMsr *p = find_plain(cpu, msr);
    if (p) {
        return write_plain(cpu, p, value);
    }
    if (msr == MSR_EFER) {
        cpu_write_efer(cpu, value); /* raises by itself */
        return true;
    }
    if (msr == MSR_APIC_BASE && cpu->apic) {
        return write_apic(cpu, msr, value);
    }
    if (is_mtrr(msr)) {
        return has(cpu, FEAT_MTRR) && write_mtrr(cpu, msr, value);
    }
    if (is_mc_bank(msr)) {
        return has(cpu, FEAT_MCA) && write_mc(cpu, msr, value);
    }
    if (is_pv_number(msr) && !pv_clock_msr(cpu, msr)) {
        return false;
    }
    /* Registers that are fixed here are configuration on silicon: writing them does no harm there. */
    return write_special(cpu, msr, value) || fixed_msr(cpu, msr) || is_amd_counter(cpu, msr);
}

static void unknown(X86Cpu *cpu, const char *what, uint32_t msr, uint64_t value)
{
    if (log_on(LOG_UNIMP)) {
        log_printf("cpu %u: %s of MSR 0x%x (0x%" PRIx64 ") at 0x%" PRIx64 ": #GP\n", cpu->index, what, msr, value,
                   cpu->insn_rip);
    }
    cpu_raise_gp0(cpu);
}

uint64_t cpu_read_msr(X86Cpu *cpu, uint32_t msr)
{
    uint64_t value;
    if (!msr_read(cpu, msr, &value)) {
        unknown(cpu, "read", msr, 0);
    }
    return value;
}

void cpu_write_msr(X86Cpu *cpu, uint32_t msr, uint64_t value)
{
    if (!msr_write(cpu, msr, value)) {
        unknown(cpu, "write", msr, value);
    }
}
