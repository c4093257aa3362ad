/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random reads and writes of MSRs, CPUID, control, debug and segment registers, exceptions caught.  The processor
 * must come out of it sane.  "count=N" operations, "seed=N" on the command line. Left out is what legitimately ends
 * the machine: INIT by the APIC, paging off, stopping for good.
 */
#include "lib/guest.h"

static uint64_t state;
static uint64_t random64(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dull;
}
/* Often near what matters: few bits, all ones, small, non-canonical. */
static uint64_t value(void)
{
    uint64_t r = random64();
    switch (r & 7) {
    case 0:
        return 1ull << (r >> 8 & 63);
    case 1:
        return (r >> 8) & 0xffff;
    case 2:
        return ~(1ull << (r >> 8 & 63));
    case 3:
        return random64() & 0x00007fffffffffff;
    case 4:
        return 0;
    case 5:
        return random64() & random64() & random64();
    default:
        return random64();
    }
}

static uint64_t scratch; /* physical page that paravirtual clocks may write */
static uint64_t done[8], caught[8];
static volatile uint64_t op_value;
static volatile uint32_t op_index;

static uint32_t random_msr(void)
{
    static const uint32_t bases[] = {
        0,     0x10,  0x174, 0x1d9,      0x200,      0x250,      0x277,      0x2ff,      0x400,      0x480,     0x6e0,
        0x800, 0x820, 0xda0, 0x4b564d00, 0x40000000, 0xc0000080, 0xc0000100, 0xc0010000, 0xc0010110, 0xc0011020};
    uint64_t r = random64();
    if ((r & 7) == 0) {
        return (uint32_t)random64();
    }
    return bases[(r >> 8) % (sizeof(bases) / 4)] + (uint32_t)(r >> 32 & 0x1f);
}

static void read_msr(void *arg)
{
    (void)arg;
    op_value = rdmsr(op_index);
}
static void write_msr(void *arg)
{
    (void)arg;
    wrmsr(op_index, op_value);
}
static void one_msr(void)
{
    op_index = random_msr();
    bool fault = try_call(read_msr, 0).vector >= 0;
    uint64_t old = op_value;
    done[0]++;
    caught[0] += fault;
    uint64_t v = random64() & 1 ? value() : old ^ 1ull << (random64() & 63);
    switch (op_index) {
    case 0x10: /* the time stamp may go anywhere */
        break;
    case 0x1b: /* the APIC stays an xAPIC, at any place that is no memory of ours */
        v = (v & ~0xd00ull) | 0x900;
        if ((v & 0xffffff000) < 0x20000000) {
            return;
        }
        break;
    case 0x11:
    case 0x12:
    case 0x4b564d00:
    case 0x4b564d01:
    case 0x4b564d02:
    case 0x4b564d03:
    case 0x4b564d04:
    case 0x4b564d05:
        v = (v & 0xfff) < 0xf00 ? (v & 0xfff) | scratch
                                : (v & ~0xffffffffull) | 0xf0000000; /* our page, or no memory */
        break;
    case 0x830:
    case 0x83f:
        return;
    case 0xc0000080:
        v |= 0x800; /* others use NX */
        break;
    default:
        if (op_index >= 0x832 && op_index <= 0x837) {
            v &= ~0x700ull;
        }
        break;
    }
    op_value = v;
    fault = try_call(write_msr, 0).vector >= 0;
    done[1]++;
    caught[1] += fault;
    if (!fault && random64() & 3) { /* mostly put back what was there */
        op_value = old;
        try_call(write_msr, 0);
    }
}

static void one_cpuid(void)
{
    uint64_t r = random64();
    uint32_t out[4], leaf = (uint32_t)(r >> 8 & 0x3f);
    leaf += r & 1 ? 0 : r & 2 ? 0x80000000 : r & 4 ? 0x40000000 : (uint32_t)random64();
    cpuid(leaf, (uint32_t)(r >> 32) & (r & 0x80 ? 0xf : 0xffffffff), out);
    done[2]++;
}

static void write_control(void *arg)
{
    (void)arg;
    switch (op_index) {
    case 0:
        write_cr0(op_value | 0x80000001);
        break;
    case 2:
        write_cr2(op_value);
        break;
    case 3:
        write_cr3(op_value);
        break;
    case 4:
        write_cr4((op_value | 0x20) & ~(1ull << 24));
        break; /* not PKS: its rights would lock this code out */
    case 8:
        __asm__ volatile("mov %0, %%cr8" ::"r"(op_value));
        break;
    }
}
static void one_control(void)
{
    static const uint8_t which[] = {0, 2, 3, 4, 8};
    op_index = which[random64() % 5];
    uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), v = value();
    op_value = op_index == 3                     ? cr3 | (v & 0xfff0000000000fff)
               : op_index == 4 && random64() & 1 ? cr4 ^ v
               : op_index == 0 && random64() & 1 ? cr0 ^ v
                                                 : v;
    caught[3] += try_call(write_control, 0).vector >= 0;
    done[3]++;
    write_cr3(cr3 & ~0xfffull);
    write_cr4(cr4);
    write_cr0(cr0);
    __asm__ volatile("mov %0, %%cr8" ::"r"(0ull));
}

static void write_debug(void *arg)
{
    (void)arg;
    switch (op_index) {
    case 0:
        write_dr0(op_value);
        break;
    case 1:
        write_dr1(op_value);
        break;
    case 2:
        write_dr2(op_value);
        break;
    case 3:
        write_dr3(op_value);
        break;
    case 4:
        __asm__ volatile(".byte 0x0f, 0x23, 0xe0" ::"a"(op_value));
        break;
    case 5:
        __asm__ volatile(".byte 0x0f, 0x23, 0xe8" ::"a"(op_value));
        break;
    case 6:
        write_dr6(op_value);
        break;
    case 7:
        write_dr7(op_value);
        break;
    }
}
static bool on_debug(Frame *f)
{
    write_dr7(0);
    f->rflags |= 1 << 16;
    return true;
}
static void one_debug(void)
{
    op_index = random64() & 7;
    op_value = value();
    caught[4] += try_call(write_debug, 0).vector >= 0;
    done[4]++;
    if (random64() & 1) {
        (void)TRY(write_dr7(0));
    }
}

static void system_insn(void *arg)
{
    (void)arg;
    static uint8_t buffer[64];
    uint64_t v = op_value, x = v >> 16;
    switch (op_index) {
    case 0:
        __asm__ volatile("mov %w0, %%ds" ::"r"(v));
        break;
    case 1:
        __asm__ volatile("mov %w0, %%es" ::"r"(v));
        break;
    case 2:
        __asm__ volatile("mov %w0, %%fs" ::"r"(v));
        break;
    case 3:
        __asm__ volatile("mov %w0, %%gs" ::"r"(v));
        break;
    case 4:
        __asm__ volatile("mov %w0, %%ss; mov %w1, %%ss" ::"r"(v), "r"(0x10));
        break;
    case 5:
        __asm__ volatile("lldt %w0" ::"r"(v & 0xfff8));
        __asm__ volatile("lldt %w0" ::"r"(0));
        break;
    case 6:
        __asm__ volatile("lar %w1, %0" : "+r"(x) : "r"(v) : "cc");
        break;
    case 7:
        __asm__ volatile("lsl %w1, %0" : "+r"(x) : "r"(v) : "cc");
        break;
    case 8:
        __asm__ volatile("verr %w0" ::"r"(v) : "cc");
        break;
    case 9:
        __asm__ volatile("verw %w0" ::"r"(v) : "cc");
        break;
    case 10:
        invlpg((void *)v);
        break;
    case 11:
        __asm__ volatile("lmsw %w0" ::"r"(v | 1));
        break;
    case 12:
        __asm__ volatile("clts");
        break;
    case 13:
        __asm__ volatile("xor %%ecx, %%ecx; xgetbv" ::: "rax", "rcx", "rdx");
        break;
    case 14:
        __asm__ volatile("xsetbv" ::"a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "c"((uint32_t)(v & 1)));
        break;
    case 15:
        __asm__ volatile("rdpmc" : "=a"(x) : "c"((uint32_t)v) : "rdx");
        break;
    case 16:
        __asm__ volatile("rdtscp" : "=a"(x)::"rcx", "rdx");
        break;
    case 17:
        __asm__ volatile("invpcid %0, %1" ::"m"(*(uint8_t(*)[16])buffer), "r"(v & 7));
        break;
    case 18:
        __asm__ volatile("sgdt %0; sidt %0; sldt %w1; str %w1; smsw %w1" : "=m"(*(uint8_t(*)[10])buffer), "+r"(x));
        break;
    case 19:
        __asm__ volatile("ltr %w0" ::"r"(v & 0x3fff));
        break;
    case 20:
        __asm__ volatile("swapgs; swapgs");
        break;
    case 21:
        __asm__ volatile("monitor" ::"a"(buffer), "c"((uint32_t)(v & 1)), "d"(0));
        break;
    case 22:
        __asm__ volatile("wbinvd");
        break;
    case 23:
        __asm__ volatile("rdrand %0; rdseed %0" : "=r"(x)::"cc");
        break;
    case 24:
        __asm__ volatile("push %0; popfq; push $2; popfq" ::"r"(v & ~0x4300ull) : "cc");
        break;
    case 25:
        __asm__ volatile("mov %w0, %%gs; rdgsbase %1; wrfsbase %1" ::"r"(v & 0x78), "r"(x));
        break;
    case 26:
        __asm__ volatile("fxsave (%0); fxrstor (%0)" ::"r"(scratch + 1024 + (v & 0x1f0)) : "memory");
        break;
    case 27:
        __asm__ volatile("xsave (%0); xrstor (%0)" ::"r"(scratch + 1024), "a"((uint32_t)v), "d"(0) : "memory");
        break;
    }
    memcpy(buffer, (void *)&op_value, 8);
}
static void one_system(void)
{
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();
    op_index = random64() % 28;
    op_value = value();
    if (random64() & 1) {
        (void)TRY(write_cr4(cr4 | 0x50000)); /* FSGSBASE, OSXSAVE */
    }
    caught[5] += try_call(system_insn, 0).vector >= 0;
    done[5]++;
    write_cr4(cr4);
    write_cr0(cr0);
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss" ::"r"(0x10));
}

void guest_main(void)
{
    uint64_t count = option("count", 200000);
    state = option("seed", 1) * 0x9e3779b97f4a7c15ull + 88172645463325252ull;
    scratch = (uint64_t)alloc_pages(2);
    set_handler(1, on_debug);
    set_handler(2, on_debug);
    lapic_enable();
    wrmsr(0x277, 0x0007040600070406);
    if (TRY(wrmsr(0x12345678, 0)).vector < 0) {
        skip("this processor takes any MSR");
        check(true);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        switch (random64() % 8) {
        case 0:
        case 1:
        case 2:
            one_msr();
            break;
        case 3:
            one_cpuid();
            break;
        case 4:
            one_control();
            break;
        case 5:
            one_debug();
            break;
        default:
            one_system();
            break;
        }
    }
    for (unsigned i = 0; i < 6; i++) {
        check(done[i] > count / 20);
        check(i == 2 || (caught[i] > 0 && caught[i] < done[i]));
    }
    /* still a processor */
    check_eq(TRY(__asm__ volatile("ud2")).vector, 6);
    check_eq(TRY((void)*(volatile int *)(1ull << 45)).vector, 14);
    uint32_t id[4];
    cpuid(0, 0, id);
    check(id[0] >= 1);
    check_eq(read_cr0() & 0x80000001, 0x80000001);
}
