/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control registers, MSRs, CPUID, models, kvmclock, port permission. */
#include "tests/unit/x86_guest.h"

#include <string.h>

#include "target/x86/debug.h"
#include "target/x86/exec.h"
#include "target/x86/flags.h"
#include "target/x86/mmu.h"
#include "target/x86/msr.h"
#include "target/x86/pvclock.h"
#include "target/x86/segment.h"
#include "target/x86/tsc.h"

static void cr0(X86Cpu *cpu, uint64_t v, uint64_t unused)
{
    cpu_write_cr0(cpu, v);
}

static void cr3(X86Cpu *cpu, uint64_t v, uint64_t unused)
{
    cpu_write_cr3(cpu, v);
}

static void cr4(X86Cpu *cpu, uint64_t v, uint64_t unused)
{
    cpu_write_cr4(cpu, v);
}

static void wrmsr(X86Cpu *cpu, uint64_t msr, uint64_t v)
{
    cpu_write_msr(cpu, (uint32_t)msr, v);
}

static void rdmsr(X86Cpu *cpu, uint64_t msr, uint64_t unused)
{
    cpu_read_msr(cpu, (uint32_t)msr);
}

/* SDM vol 3 section 2.5 and 9.8.5. */
static void test_control_registers(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    X86Cpu *cpu = g->cpu;
    assert_raised(g, EXC_GP, guest_raises(g, cr0, CR0_PG, 0), 0);          /* PG without PE */
    assert_raised(g, EXC_GP, guest_raises(g, cr0, CR0_PE | CR0_NW, 0), 0); /* NW without CD */
    assert_raised(g, EXC_GP, guest_raises(g, cr4, CR4_LA57, 0), 0);
    assert_raised(g, EXC_GP, guest_raises(g, cr4, CR4_PCIDE, 0), 0);       /* only in long mode */
    cpu_write_efer(cpu, EFER_LME);
    assert_raised(g, EXC_GP, guest_raises(g, cr0, CR0_PE | CR0_PG, 0), 0); /* LME without PAE */
    g_assert_cmpint(guest_raises(g, cr4, CR4_PAE, 0), ==, -1);
    cpu->cr3 = AT_PML4;
    g_assert_cmpint(guest_raises(g, cr0, CR0_PE | CR0_PG, 0), ==, -1);
    g_assert_true(cpu->long_mode);
    g_assert_cmphex(cpu->efer & EFER_LMA, ==, EFER_LMA);
    assert_raised(g, EXC_GP, guest_raises(g, cr4, 0, 0), 0); /* PAE holds in long mode */
    assert_raised(g, EXC_GP, guest_raises(g, wrmsr, MSR_EFER, 0), 0); /* LME under paging */
    assert_raised(g, EXC_GP, guest_raises(g, cr3, 1ull << 40, 0), 0); /* beyond phys-bits */
    g_assert_cmpint(guest_raises(g, cr4, CR4_PAE | CR4_PCIDE, 0), ==, -1);
    assert_raised(g, EXC_GP, guest_raises(g, cr0, CR0_PE, 0), 0); /* PG off under PCIDE */
    g_assert_cmpint(guest_raises(g, cr3, AT_PML4 | 1ull << 63, 0), ==, -1);
    g_assert_cmphex(cpu->cr3, ==, AT_PML4);
    guest_free(g);
}

/* SDM vol 3 section 4.4.1. */
static void test_pdpte(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    g->cpu->cr4 = CR4_PAE;
    g->cpu->cr3 = AT_DATA;
    guest_put(g, AT_DATA + 8, 0x20000 | 1 << 1 | 1, 8); /* reserved bit 1 */
    assert_raised(g, EXC_GP, guest_raises(g, cr0, CR0_PE | CR0_PG, 0), 0);
    g_assert_cmphex(g->cpu->cr0 & CR0_PG, ==, 0);
    guest_put(g, AT_DATA + 8, 0x20000 | 1, 8);
    g_assert_cmpint(guest_raises(g, cr0, CR0_PE | CR0_PG, 0), ==, -1);
    g_assert_cmphex(g->cpu->pdpte[1], ==, 0x20001);
    guest_free(g);
}

/* Instructions that only ring 0 may execute, and UMIP. */
static void test_privilege(void)
{
    static const uint8_t privileged[][4] = {
        {0x0f, 0x20, 0xc0}, {0x0f, 0x22, 0xc0}, {0x0f, 0x21, 0xc0}, {0x0f, 0x06}, {0x0f, 0x08}, {0x0f, 0x09},
        {0x0f, 0x30}, {0x0f, 0x32}, {0xf4}, {0x0f, 0x01, 0xf0}, {0x0f, 0x01, 0x10}, {0x0f, 0x00, 0xd8},
    };
    Guest *g = guest_new("max", GUEST_PROT32);
    guest_enter_user(g);
    for (unsigned n = 0; n < ARRAY_LEN(privileged); n++) {
        assert_raised(g, EXC_GP, guest_step(g, privileged[n], 4), 0);
    }
    g_assert_cmpint(STEP(g, 0x0f, 0x01, 0xca), ==, EXC_UD); /* CLAC */
    g_assert_cmpint(STEP(g, 0x0f, 0x20, 0xc8), ==, EXC_UD); /* CR1 */
    g_assert_cmpint(STEP(g, 0x0f, 0x01, 0xe0), ==, -1);     /* SMSW EAX */
    g_assert_cmphex(g->cpu->r[RAX], ==, g->cpu->cr0);
    g->cpu->cr4 |= CR4_UMIP;
    assert_raised(g, EXC_GP, STEP(g, 0x0f, 0x01, 0xe0), 0);
    assert_raised(g, EXC_GP, STEP(g, 0x0f, 0x00, 0xc8), 0); /* STR */
    guest_free(g);
}

/* Vol 2 STI, MOV SS, POPF, PUSHF. */
static void test_flags(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    X86Cpu *cpu = g->cpu;
    g_assert_cmpint(STEP(g, 0xfb), ==, -1);
    g_assert_cmpint(cpu->shadow, ==, SHADOW_STI);
    cpu->shadow = 0;
    g_assert_cmpint(STEP(g, 0xfb), ==, -1); /* IF is set already: no shadow */
    g_assert_cmpint(cpu->shadow, ==, 0);
    cpu->r[RAX] = SEL_DATA32;
    g_assert_cmpint(STEP(g, 0x8e, 0xd0), ==, -1);
    g_assert_cmpint(cpu->shadow, ==, SHADOW_SS);
    guest_enter_user(g);
    assert_raised(g, EXC_GP, STEP(g, 0xfa), 0);
    guest_put(g, TOP_USER - 4, FL_IOPL | FL_CF | FL_ID, 4);
    cpu->r[RSP] = TOP_USER - 4;
    cpu_load_eflags(cpu, FL_IF, FL_ALL);
    g_assert_cmpint(STEP(g, 0x9d), ==, -1); /* neither IF nor IOPL move in ring 3 */
    g_assert_cmphex(cpu_eflags(cpu), ==, FL_IF | FL_CF | FL_ID | 2);
    cpu_load_eflags(cpu, 0, FL_IF);
    cpu->cr4 |= CR4_PVI; /* section 20.4: CLI and STI move VIF */
    g_assert_cmpint(STEP(g, 0xfb), ==, -1);
    g_assert_cmphex(cpu_eflags(cpu) & (FL_IF | FL_VIF), ==, FL_VIF);
    guest_free(g);
}

static void check_port(X86Cpu *cpu, uint64_t port, uint64_t size)
{
    io_check(cpu, (uint16_t)port, (unsigned)size);
}

/* SDM vol 1 section 18.5.2. */
static void test_io_bitmap(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    guest_enter_user(g);
    guest_put(g, AT_TSS + 0x66, 0x68, 2);
    memset(g->mem + AT_TSS + 0x68, 0xff, 0x198);
    guest_put(g, AT_TSS + 0x68 + 0x3f8 / 8, 0, 1);
    g_assert_cmpint(guest_raises(g, check_port, 0x3f8, 1), ==, -1);
    g_assert_cmpint(guest_raises(g, check_port, 0x3fc, 4), ==, -1);
    assert_raised(g, EXC_GP, guest_raises(g, check_port, 0x3fe, 4), 0);
    assert_raised(g, EXC_GP, guest_raises(g, check_port, 0x400, 1), 0);
    assert_raised(g, EXC_GP, guest_raises(g, check_port, 0xffff, 1), 0); /* beyond the TSS */
    cpu_load_eflags(g->cpu, FL_IOPL, FL_IOPL);
    g_assert_cmpint(guest_raises(g, check_port, 0x400, 1), ==, -1);
    guest_free(g);
}

static void test_msrs(void)
{
    Guest *g = guest_new("max", GUEST_LONG64);
    X86Cpu *cpu = g->cpu;
    assert_raised(g, EXC_GP, guest_raises(g, wrmsr, MSR_LSTAR, 1ull << 47), 0);
    assert_raised(g, EXC_GP, guest_raises(g, wrmsr, MSR_GS_BASE, 1ull << 62), 0);
    g_assert_cmpint(guest_raises(g, wrmsr, MSR_GS_BASE, 0xffff800000000000ull), ==, -1);
    g_assert_cmphex(cpu->seg[SEG_GS].base, ==, 0xffff800000000000ull);
    assert_raised(g, EXC_GP, guest_raises(g, wrmsr, MSR_PAT, 2), 0); /* type 2 is reserved */
    assert_raised(g, EXC_GP, guest_raises(g, wrmsr, MSR_EFER, EFER_SVME), 0);
    assert_raised(g, EXC_GP, guest_raises(g, rdmsr, 0xdeadbeef, 0), 0);
    assert_raised(g, EXC_GP, guest_raises(g, rdmsr, 0x48, 0), 0); /* SPEC_CTRL is not offered */
    assert_raised(g, EXC_GP, guest_raises(g, wrmsr, MSR_MTRR_PHYSBASE0, 0x100), 0);
    g_assert_cmphex(cpu_read_msr(cpu, MSR_MTRR_CAP), ==, 0x508);
    /* MC4_CTL (BKDG family 0Fh): kernels turn off the report of GART table walks, bit 10, alone */
    g_assert_cmpint(guest_raises(g, wrmsr, MSR_MC0_CTL + 4 * 4, ~(1ull << 10)), ==, -1);
    assert_raised(g, EXC_GP, guest_raises(g, wrmsr, MSR_MC0_CTL + 4 * 4, 1ull << 10), 0);
    cpu_write_msr(cpu, MSR_TSC, 5000);
    g_assert_cmpuint(cpu_read_msr(cpu, MSR_TSC), ==, 5000); /* the clock does not run in tests */
    g_assert_cmpuint(cpu_read_msr(cpu, MSR_TSC_ADJUST), ==, 5000);
    cpu_write_msr(cpu, MSR_TSC_ADJUST, 0);
    g_assert_cmpuint(cpu_read_tsc(cpu), ==, 0);
    guest_free(g);
}

/* Any host's rate: leaf 15H tells it to two millionths without an overflow in a kernel's 32 bits, time and ticks agree. */
static void test_tsc_rates(void)
{
    static const uint32_t rates[] = {800000, 999999, 1000000, 1700001, 2000000, 2596146, 2999997, 3700123, 4294000};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        Guest *g = guest_new("max", GUEST_LONG64);
        TickRate rate = g->m->tsc = tick_rate(rates[i]);
        uint32_t r[4];
        cpu_cpuid(g->cpu, 0x15, 0, r);
        g_assert_cmpuint((uint64_t)(r[2] / 1000) * r[1], <=, UINT32_MAX);
        double told = (double)r[2] * r[1] / r[0];
        g_assert_cmpfloat(ABS(told / 1000 / rates[i] - 1), <, 2e-6);
        for (int64_t ns = 1; ns < INT64_MAX / 4; ns = 3 * ns + 1) {
            uint64_t ticks = ticks_at(rate, ns);
            g_assert_cmpint(ns_of_ticks(rate, ticks), <=, ns);
            g_assert_cmpuint(ticks_at(rate, ns_of_ticks(rate, ticks + 1)), >, ticks);
            g_assert_cmpuint(ticks_at(rate, ns_of_ticks(rate, ticks + 1) - 1), <=, ticks);
        }
        cpu_write_msr(g->cpu, MSR_KVM_SYSTEM_TIME_NEW, AT_DATA | 1);
        uint64_t mul = guest_get(g, AT_DATA + 24, 4), shift = guest_get(g, AT_DATA + 28, 1);
        uint64_t ns = (uint64_t)((unsigned __int128)(ticks_at(rate, NS_PER_SEC) << shift) * mul >> 32);
        g_assert_cmpuint(ns, >=, NS_PER_SEC - 3);
        g_assert_cmpuint(ns, <=, NS_PER_SEC);
        guest_free(g);
    }
}

/* Linux Documentation/virt/kvm/x86/msr.rst: version even when done, mult and shift make ns of ticks. */
static void test_pvclock(void)
{
    Guest *g = guest_new("max", GUEST_LONG64);
    cpu_write_msr(g->cpu, MSR_TSC, 1000);
    cpu_write_msr(g->cpu, MSR_KVM_SYSTEM_TIME_NEW, AT_DATA | 1);
    g_assert_cmpuint(guest_get(g, AT_DATA, 4) & 1, ==, 0);
    g_assert_cmpuint(guest_get(g, AT_DATA + 8, 8), ==, 1000);
    g_assert_cmphex(guest_get(g, AT_DATA + 24, 4), ==, 0x80000000);
    g_assert_cmphex(guest_get(g, AT_DATA + 29, 1), ==, 1);
    uint32_t version = (uint32_t)guest_get(g, AT_DATA, 4);
    cpu_write_msr(g->cpu, MSR_TSC, 3000);
    g_assert_cmpuint(guest_get(g, AT_DATA, 4), ==, version + 2);
    g_assert_cmpuint(guest_get(g, AT_DATA + 8, 8), ==, 3000);
    cpu_write_msr(g->cpu, MSR_KVM_WALL_CLOCK_NEW, AT_DATA + 0x40);
    g_assert_cmpint((int64_t)guest_get(g, AT_DATA + 0x44, 4), >, 1600000000);
    cpu_write_msr(g->cpu, MSR_KVM_SYSTEM_TIME_NEW, 0x7fffffff001ull); /* not RAM: nothing happens */
    guest_free(g);
    g = guest_new("max,kvm=off", GUEST_LONG64);
    assert_raised(g, EXC_GP, guest_raises(g, wrmsr, MSR_KVM_SYSTEM_TIME_NEW, 0), 0);
    guest_free(g);
}

/* SDM vol 3 section 17.2. */
static void test_breakpoints(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    X86Cpu *cpu = g->cpu;
    debug_write_address(cpu, 0, AT_DATA + 4);
    debug_write_dr7(cpu, 1 | 0xdu << 16); /* L0, write, 4 bytes */
    g_assert_true(debug_page_watched(cpu, AT_DATA));
    g_assert_false(debug_page_watched(cpu, AT_DATA + 0x1000));
    debug_check_data(cpu, AT_DATA + 8, 4, true);
    debug_check_data(cpu, AT_DATA + 4, 4, false);
    g_assert_cmphex(cpu->pending_db, ==, 0);
    debug_check_data(cpu, AT_DATA, 5, true);
    g_assert_cmphex(cpu->pending_db, ==, 1);
    cpu->pending_db = 0;
    mem_write8(cpu, SEG_DS, AT_DATA + 7, 1); /* through the slow path */
    g_assert_cmphex(cpu->pending_db, ==, 1);
    debug_write_dr7(cpu, ~0ull);
    g_assert_cmphex(cpu->dr7, ==, 0xffff2fff);
    guest_free(g);
}

static void test_models(void)
{
    static const char *const good[] = {
        "qemu64", "qemu32", "kvm64", "base", "max", "host", "x86-64-v1", "x86-64-v2", "x86-64-v3", "max,+aes,-avx2", "max,pcid=off",
        "max,vendor=GenuineIntel,level=0xb,phys-bits=36", "host,migratable=off,host-phys-bits=on",
        "kvm64,+vmx,+lahf_lm", "qemu64,sse4_2=on,sse4.1=on", "max,hv_relaxed,hv-spinlocks=0x1fff,check",
        "Opteron_G1,vendor=AuthenticAMD", "IvyBridge,phys-bits=36,host-phys-bits=off", "Skylake-Server,+vmx,+vmx-mbec",
    };
    static const char *const bad[] = {"haswel", "max,+sse5", "max,level=x", "max,aes=maybe", "max,vendor=Foo", "",
                                      "x86-64-v4", "max,phys-bits=20", "max,enforce,+avx512f"};
    for (unsigned n = 0; n < ARRAY_LEN(good); n++) {
        GError *error = NULL;
        CpuModel *m = cpu_model_parse(good[n], &error);
        g_assert_no_error(error);
        g_assert_nonnull(m);
        cpu_model_free(m);
    }
    for (unsigned n = 0; n < ARRAY_LEN(bad); n++) {
        GError *error = NULL;
        g_assert_null(cpu_model_parse(bad[n], &error));
        g_assert_nonnull(error);
        g_clear_error(&error);
    }
    GError *error = NULL;
    g_assert_null(cpu_model_parse("qemu46", &error));
    g_assert_nonnull(strstr(error->message, "qemu64"));
    g_clear_error(&error);
    CpuModel *m = cpu_model_parse("qemu64,+aes,-aes,-sse,+avx512f", NULL);
    g_assert_false(feature_in(&m->features, FEAT_AES)); /* minus wins */
    g_assert_false(feature_in(&m->features, FEAT_SSE3)); /* and takes along what needs it */
    g_assert_cmpstr(m->missing, ==, "avx512f");
    cpu_model_free(m);
}

static void test_cpuid(void)
{
    Guest *g = guest_new("max", GUEST_LONG64);
    uint32_t r[4];
    cpu_cpuid(g->cpu, 0, 0, r);
    g_assert_cmpmem(&r[1], 4, "Auth", 4);
    cpu_cpuid(g->cpu, 1, 0, r);
    g_assert_cmphex(r[0], ==, 0x00060fb1);
    g_assert_cmphex(r[2] >> 27 & 1, ==, 0);
    g->cpu->cr4 |= CR4_OSXSAVE;
    cpu_cpuid(g->cpu, 1, 0, r);
    g_assert_cmphex(r[2] >> 27 & 1, ==, 1);
    cpu_cpuid(g->cpu, 0x40000000, 0, r);
    g_assert_cmpmem(&r[1], 12, "KVMKVMKVM\0\0\0", 12);
    cpu_cpuid(g->cpu, 0x40000010, 0, r);
    g_assert_cmpuint(r[0], ==, g->m->tsc.khz);
    cpu_cpuid(g->cpu, 0x15, 0, r);
    g_assert_cmpuint((uint64_t)r[2] * r[1] / r[0], ==, g->m->tsc.khz * 1000ull);
    cpu_cpuid(g->cpu, 0x80000008, 0, r);
    g_assert_cmphex(r[0], ==, 40 | 48 << 8);
    cpu_cpuid(g->cpu, 0x30, 0, r);
    g_assert_cmphex(r[0] | r[1] | r[2] | r[3], ==, 0);
    /* Four processors: the leaves agree on two bits of core number. */
    g->m->num_cpus = 4;
    cpu_cpuid(g->cpu, 1, 0, r);
    g_assert_cmpuint(r[1] >> 16 & 0xff, ==, 4);
    cpu_cpuid(g->cpu, 4, 0, r);
    g_assert_cmpuint(r[0] >> 26, ==, 3);
    cpu_cpuid(g->cpu, 0xb, 1, r);
    g_assert_cmpuint(r[0], ==, 2);
    g_assert_cmpuint(r[1], ==, 4);
    cpu_cpuid(g->cpu, 0x80000008, 0, r);
    g_assert_cmphex(r[2], ==, 2 << 12 | 3);
    g->m->num_cpus = 0;
    guest_free(g);
}

/* SDM vol 3 section 4.6.2: the rights of a page's key, for user pages in PKRU and for supervisor pages in PKRS. */
static void test_protection_keys(void)
{
    enum { KEY = 5, PAGE = 0x200000, LEAF = AT_PML4 + 0x2008, AD = 1 << (2 * KEY), WD = 2 << (2 * KEY) };
    Guest *g = guest_new("max", GUEST_LONG64);
    X86Cpu *cpu = g->cpu;
    Walk w;
    guest_put(g, LEAF, (uint64_t)KEY << 59 | PAGE | 0x87, 8);
    STEP(g, 0x0f, 0x01, 0xee); /* RDPKRU without CR4.PKE */
    g_assert_cmpint(cpu->exc.vector, ==, EXC_UD);
    cpu->pkru = AD;
    g_assert_cmphex(mmu_walk(cpu, PAGE, ACCESS_READ, MEM_USER, true, &w), ==, WALK_OK);
    g_assert_cmpint(guest_raises(g, cr4, CR4_PAE | CR4_PKE | CR4_PKS, 0), ==, -1);
    g_assert_cmphex(mmu_walk(cpu, PAGE, ACCESS_READ, MEM_USER, true, &w), ==, WALK_FAULT | PF_U | PF_P | PF_PK);
    g_assert_cmphex(mmu_walk(cpu, PAGE, ACCESS_WRITE, MEM_KERNEL, true, &w), ==, WALK_FAULT | PF_W | PF_P | PF_PK);
    g_assert_cmphex(mmu_walk(cpu, PAGE, ACCESS_EXEC, MEM_USER, true, &w), ==, WALK_OK); /* data only */
    cpu->pkru = WD;
    g_assert_cmphex(mmu_walk(cpu, PAGE, ACCESS_READ, MEM_USER, true, &w), ==, WALK_OK);
    g_assert_cmphex(mmu_walk(cpu, PAGE, ACCESS_WRITE, MEM_USER, true, &w), ==,
                    WALK_FAULT | PF_U | PF_W | PF_P | PF_PK);
    g_assert_cmphex(mmu_walk(cpu, PAGE, ACCESS_WRITE, MEM_KERNEL, true, &w), ==, WALK_OK); /* CR0.WP clear */
    cpu->cr0 |= CR0_WP;
    g_assert_cmphex(mmu_walk(cpu, PAGE, ACCESS_WRITE, MEM_KERNEL, true, &w), ==, WALK_FAULT | PF_W | PF_P | PF_PK);
    guest_put(g, LEAF, (uint64_t)KEY << 59 | PAGE | 0x83, 8);
    g_assert_cmphex(mmu_walk(cpu, PAGE, ACCESS_WRITE, MEM_KERNEL, true, &w), ==, WALK_OK); /* PKRU: user pages */
    g_assert_cmpint(guest_raises(g, wrmsr, MSR_PKRS, WD), ==, -1);
    g_assert_cmphex(mmu_walk(cpu, PAGE, ACCESS_WRITE, MEM_KERNEL, true, &w), ==, WALK_FAULT | PF_W | PF_P | PF_PK);
    assert_raised(g, EXC_GP, guest_raises(g, wrmsr, MSR_PKRS, 1ull << 32), 0);
    cpu->r[RAX] = 0x1234;
    cpu->r[RCX] = cpu->r[RDX] = 0;
    g_assert_cmpint(STEP(g, 0x0f, 0x01, 0xef), ==, -1); /* WRPKRU */
    g_assert_cmphex(cpu->pkru, ==, 0x1234);
    cpu->r[RCX] = 1;
    g_assert_cmpint(STEP(g, 0x0f, 0x01, 0xef), ==, EXC_GP);
    guest_free(g);
}

/* SDM vol 3 section 6.7.1: one NMI is served, one can wait. */
static void test_nmi_pending(void)
{
    Guest *g = guest_new("max", GUEST_PROT32);
    cpu_raise_event(g->cpu, EVENT_NMI);
    g_assert_cmphex(g->cpu->events, ==, EVENT_NMI);
    cpu_raise_event(g->cpu, EVENT_NMI);
    cpu_raise_event(g->cpu, EVENT_NMI);
    g_assert_cmphex(g->cpu->events, ==, EVENT_NMI | EVENT_NMI_AGAIN);
    cpu_take_nmi(g->cpu);
    g_assert_cmphex(g->cpu->events, ==, EVENT_NMI);
    g->cpu->nmi_blocked = true;
    cpu_raise_event(g->cpu, EVENT_NMI);
    g_assert_cmphex(g->cpu->events, ==, EVENT_NMI);
    cpu_take_nmi(g->cpu);
    g_assert_cmphex(g->cpu->events, ==, 0);
    guest_free(g);
}

typedef struct Sent {
    uint32_t ids[4];
    unsigned count;
    uint8_t vector;
    bool nmi;
} Sent;

static bool fake_send(void *opaque, uint32_t apic_id, uint8_t vector, bool nmi)
{
    Sent *sent = opaque;
    if (apic_id == 7) {
        return false;
    }
    sent->ids[sent->count++ & 3] = apic_id;
    sent->vector = vector;
    sent->nmi = nmi;
    return true;
}

/* Linux Documentation/virt/kvm/x86/hypercalls.rst, KVM_HC_SEND_IPI. */
static void test_pv_ipi(void)
{
    static const ApicOps ops = {.send = fake_send};
    Guest *g = guest_new("max", GUEST_LONG64);
    X86Cpu *cpu = g->cpu;
    Sent sent = {0};
    cpu->apic = &ops;
    cpu->apic_opaque = &sent;
    cpu->r[RAX] = 10;
    cpu->r[RBX] = 1 << 2 | 1 << 6; /* ids 3 and 7; there is no 7 */
    cpu->r[RCX] = 1;               /* id 65 */
    cpu->r[RDX] = 1;
    cpu->r[RSI] = 0x4031;
    g_assert_cmpint(STEP(g, 0x0f, 0x01, 0xc1), ==, -1);
    g_assert_cmpuint(cpu->r[RAX], ==, 2);
    g_assert_cmpuint(sent.ids[0], ==, 3);
    g_assert_cmpuint(sent.ids[1], ==, 65);
    g_assert_cmphex(sent.vector, ==, 0x31);
    g_assert_false(sent.nmi);
    cpu->r[RAX] = 10;
    cpu->r[RSI] = 0x400;
    g_assert_cmpint(STEP(g, 0x0f, 0x01, 0xd9), ==, -1);
    g_assert_true(sent.nmi);
    cpu->r[RAX] = 10;
    cpu->r[RDX] = UINT32_MAX; /* the broadcast address is nobody's id */
    g_assert_cmpint(STEP(g, 0x0f, 0x01, 0xc1), ==, -1);
    g_assert_cmpuint(cpu->r[RAX], ==, 0);
    cpu->apic = NULL;
    guest_free(g);
}

void add_system_tests(void)
{
    g_test_add_func("/x86/system/control-registers", test_control_registers);
    g_test_add_func("/x86/system/pdpte", test_pdpte);
    g_test_add_func("/x86/system/protection-keys", test_protection_keys);
    g_test_add_func("/x86/system/privilege", test_privilege);
    g_test_add_func("/x86/system/flags", test_flags);
    g_test_add_func("/x86/system/io-bitmap", test_io_bitmap);
    g_test_add_func("/x86/system/msr", test_msrs);
    g_test_add_func("/x86/system/pvclock", test_pvclock);
    g_test_add_func("/x86/system/tsc_rates", test_tsc_rates);
    g_test_add_func("/x86/system/breakpoints", test_breakpoints);
    g_test_add_func("/x86/system/models", test_models);
    g_test_add_func("/x86/system/nmi-pending", test_nmi_pending);
    g_test_add_func("/x86/system/pv-ipi", test_pv_ipi);
    g_test_add_func("/x86/system/cpuid", test_cpuid);
}
