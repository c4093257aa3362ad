/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System instructions in random programs: those whose consequences lie in the processor and in memory.  Each is a short
 * sequence with operands that mostly make sense; at CPL 3 a privileged one is a fault.
 */
#include <string.h>

#include "target/x86/flags.h"
#include "target/x86/mem.h"
#include "target/x86/msr.h"
#include "target/x86/segment.h"
#include "tests/cpu/arena.h"
#include "tests/cpu/program.h"
#include "tests/cpu/values.h"

/* Bytes of an instruction, up to eight, lowest first; a 0 above them ends it. */
static void put(Program *p, uint64_t bytes)
{
    unsigned len = 1;
    while (len < 8 && bytes >> (8 * len)) {
        len++;
    }
    program_put(p, &bytes, len);
}

/* pushf, some other flags, popf. */
static void put_popf(Program *p)
{
    static const uint32_t changes[] = {FL_CF, FL_OSZAPC, FL_DF, FL_IF, FL_IOPL, FL_AC, FL_ID, FL_IF | FL_OSZAPC, FL_NT};
    uint32_t change = changes[below(p->rng, ARRAY_LEN(changes) - !chance(p->rng, 6))];
    uint8_t bytes[7] = {0x81, 0x34, 0x24}; /* xor dword [rsp], change */
    put(p, 0x9c);
    if (!chance(p->rng, 4)) {
        memcpy(bytes + 3, &change, 4);
        program_put(p, bytes, sizeof(bytes));
    }
    put(p, 0x9d);
}

static void put_msr(Program *p)
{
    static const uint32_t msrs[] = {MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_TSC_AUX,
                                    MSR_FMASK, MSR_CSTAR, MSR_STAR, MSR_PAT, MSR_SYSENTER_EIP, MSR_EFER, MSR_MISC_ENABLE,
                                    MSR_MTRR_DEF_TYPE, MSR_SYSENTER_CS, 0x123456};
    Rng *rng = p->rng;
    uint32_t msr = msrs[below(rng, ARRAY_LEN(msrs))];
    program_put_mov(p, RCX, msr);
    if (chance(rng, 2) || msr == MSR_EFER) {
        put(p, 0x320f);
        return;
    }
    if (chance(rng, 6)) { /* whatever is there, and not always valid */
        put(p, 0x300f);
        return;
    }
    program_put_mov(p, RAX, chance(rng, 2) ? DATA_BASE + below(rng, 256) : msr == MSR_PAT ? 0x70106 : edge_value(rng) & 0x3f);
    program_put_mov(p, RDX, chance(rng, 10) ? edge_value(rng) & 0xffffffff : 0);
    put(p, 0x300f);
}

/* invlpg of some page that programs use. */
static void put_invlpg(Program *p)
{
    Rng *rng = p->rng;
    static const uint8_t digits[] = {0x38, 0x3a, 0x3e}; /* [rax], [rdx], [rsi] */
    uint8_t bytes[3] = {0x0f, 0x01, digits[below(rng, sizeof(digits))]};
    if (chance(rng, 2)) {
        program_put_mov(p, RAX, chance(rng, 3) ? CODE_BASE + 0x800 : ARENA_BASE + 0x1000 * below(rng, ARENA_PAGES));
    }
    program_put(p, bytes, sizeof(bytes));
}

/* Control registers: read, written back, CLTS, LMSW, SMSW. */
static void put_control(Program *p)
{
    static const uint8_t crs[] = {0, 2, 3, 4};
    Rng *rng = p->rng;
    unsigned cr = crs[below(rng, sizeof(crs))], reg = (unsigned)below(rng, 8);
    reg = reg == RSP ? RAX : reg;
    switch (below(rng, 8)) {
    case 0:
        put(p, 0x060f);
        break;
    case 1: /* smsw ax, or with TS; lmsw ax */
        put(p, 0xe0010f);
        put(p, chance(rng, 2) ? 0x08c883 : 0x90);
        put(p, 0xf0010f);
        break;
    case 2:
        put(p, 0x090f); /* wbinvd */
        break;
    default: {
        uint8_t mov[3] = {0x0f, 0x20, (uint8_t)(0xc0 | cr << 3 | reg)};
        program_put(p, mov, sizeof(mov));
        if (!chance(rng, 3)) {
            mov[1] = 0x22;
            program_put(p, mov, sizeof(mov));
        }
        break;
    }
    }
}

/* A selector into a segment register, or out of it. */
static void put_segment(Program *p)
{
    static const uint16_t selectors[] = {SEL_DATA, SEL_USER_DATA, SEL_USER_DATA, 0, 3, SEL_CODE64, SEL_USER32, 0x38, 0x14};
    static const uint8_t segs[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS, SEG_FS, SEG_GS, SEG_SS};
    Rng *rng = p->rng;
    unsigned seg = segs[below(rng, sizeof(segs) - !chance(rng, 3))];
    uint16_t sel = seg == SEG_SS && !chance(rng, 6) ? p->supervisor ? SEL_DATA : SEL_USER_DATA
                                                    : selectors[below(rng, ARRAY_LEN(selectors))];
    switch (below(rng, 4)) {
    case 0: { /* mov r32, sreg */
        uint8_t bytes[2] = {0x8c, (uint8_t)(0xc0 | seg << 3 | (unsigned)below(rng, 4))};
        program_put(p, bytes, sizeof(bytes));
        break;
    }
    case 1: { /* push, pop fs */
        bool gs = seg == SEG_GS;
        uint8_t push[2] = {0x6a, (uint8_t)sel};
        program_put(p, push, sizeof(push));
        put(p, gs ? 0xa90f : 0xa10f);
        break;
    }
    default: { /* mov sreg, ax */
        uint8_t bytes[2] = {0x8e, (uint8_t)(0xc0 | seg << 3)};
        program_put_mov(p, RAX, sel);
        program_put(p, bytes, sizeof(bytes));
        break;
    }
    }
}

/* push ss, rsp, flags, cs, address; iret */
static void put_iret(Program *p)
{
    Rng *rng = p->rng;
    int label = label_new(p);
    bool long64 = p->code_size == 2;
    uint8_t cs[2] = {0x6a, (uint8_t)(p->supervisor ? long64 ? SEL_CODE64 : SEL_CODE32 : long64 ? SEL_USER64 : SEL_USER32)};
    uint8_t ss[2] = {0x6a, p->supervisor ? SEL_DATA : SEL_USER_DATA};
    if (chance(rng, 20)) {
        cs[1] ^= 1u << below(rng, 6);
    }
    if (!long64 && p->setting.cs_base) {
        return; /* the descriptors have none */
    }
    if (long64) {
        program_put(p, ss, sizeof(ss));
        put(p, 0x54);
    }
    put(p, 0x9c);
    if (chance(rng, 3)) {
        uint8_t bytes[7] = {0x81, 0x34, 0x24}; /* xor dword [rsp], change */
        uint32_t change = chance(rng, 2) ? FL_IF : FL_OSZAPC | FL_DF;
        memcpy(bytes + 3, &change, 4);
        program_put(p, bytes, sizeof(bytes));
    }
    program_put(p, cs, sizeof(cs));
    put_label_address(p, RAX, label);
    put(p, 0x50);
    if (long64) {
        put(p, 0xcf48);
    } else {
        put(p, 0xcf);
    }
    put_integer(p, RDX);
    label_place(p, label);
}

/* cpuid, mostly twice, and then perhaps with another CR4, which it tells of */
static void put_cpuid(Program *p)
{
    static const uint32_t leaves[] = {0, 1, 1, 7, 7, 13, 0x80000001, 0x80000008, 99}, flips[] = {CR4_OSXSAVE, CR4_PKE};
    Rng *rng = p->rng;
    uint32_t leaf = leaves[below(rng, ARRAY_LEN(leaves))], flip = flips[below(rng, ARRAY_LEN(flips))];
    put(p, 0x5351); /* push rcx; push rbx */
    for (uint64_t n = 1 + below(rng, 3); n > 0; n--) {
        program_put_mov(p, RAX, chance(rng, 8) ? leaves[below(rng, ARRAY_LEN(leaves))] : leaf);
        program_put_mov(p, RCX, chance(rng, 4));
        put(p, 0xa20f);
        put(p, 0xca31); /* xor edx, ecx */
        program_put_mov(p, RAX, DATA_BASE);
        put(p, 0x1031); /* xor [rax], edx */
        if (p->supervisor && chance(rng, 3)) {
            uint8_t xor[5] = {0x35};
            memcpy(xor + 1, &flip, 4);
            put(p, 0xe0200f); /* mov rax, cr4 */
            program_put(p, xor, sizeof(xor));
            put(p, 0xe0220f);
        }
        put_integer(p, RDX);
    }
    put(p, 0x595b);
}

static void put_table(Program *p)
{
    Rng *rng = p->rng;
    static const uint8_t what[] = {0x00, 0x08, 0x20}; /* sgdt, sidt, smsw [rax] */
    switch (below(rng, 4)) {
    case 0: { /* sldt, str, verr, verw, lar, lsl */
        uint8_t bytes[3] = {0x0f, 0x00, (uint8_t)(0xc0 | (chance(rng, 2) ? below(rng, 2) : 4 + below(rng, 2)) << 3)};
        program_put_mov(p, RAX, below(rng, 8) * 8 + below(rng, 4));
        program_put(p, bytes, sizeof(bytes));
        break;
    }
    case 1:
        program_put_mov(p, RAX, below(rng, 8) * 8 + below(rng, 4));
        put(p, chance(rng, 2) ? 0xd0020f : 0xd0030f);
        break;
    default: {
        uint8_t bytes[3] = {0x0f, 0x01, what[below(rng, sizeof(what))]};
        program_put_mov(p, RAX, DATA_BASE + below(rng, DATA_SIZE));
        program_put(p, bytes, sizeof(bytes));
        break;
    }
    }
}

void put_system(Program *p)
{
    Rng *rng = p->rng;
    bool long64 = p->code_size == 2;
    unsigned kind = (unsigned)below(rng, 12);
    if (!p->supervisor && !chance(rng, 20)) { /* what is not privileged */
        kind = below(rng, 4) ? 8 + kind % 4 : 0;
    }
    switch (kind) {
    case 0 ... 1:
        put_popf(p);
        break;
    case 2:
        put(p, chance(rng, 2) ? 0xfa : 0xfb); /* cli, sti */
        break;
    case 3:
        put(p, chance(rng, 2) ? 0xfa : 0xfb);
        put_integer(p, RDX);
        put(p, chance(rng, 2) ? 0xfa : 0xfb);
        break;
    case 4:
        put(p, long64 ? 0xf8010f : 0xfa); /* swapgs */
        break;
    case 5:
        put_msr(p);
        break;
    case 6:
        put_invlpg(p);
        break;
    case 7:
        put_control(p);
        break;
    case 8:
        put_segment(p);
        break;
    case 9:
        put_iret(p);
        break;
    case 10:
        if (long64 && !p->supervisor) {
            put(p, 0x050f); /* syscall */
            break;
        }
        put_popf(p);
        break;
    default:
        if (chance(rng, 2)) {
            put_cpuid(p);
        } else {
            put_table(p);
        }
        break;
    }
}

void put_service(Program *p)
{
    Rng *rng = p->rng;
    bool swap = chance(rng, 2);
    p->service = (uint16_t)p->len;
    if (p->code_size != 2) {
        return;
    }
    put(p, 0x51);
    put(p, 0x5341);
    if (swap) {
        put(p, 0xf8010f);
    }
    for (unsigned n = (unsigned)below(rng, 3); n > 0; n--) {
        put_integer(p, p->pointer[0]);
    }
    if (chance(rng, 4)) { /* what only the supervisor may read: mov eax, [it] */
        uint8_t mov[7] = {0x8b, 0x04, 0x25};
        uint32_t at = ARENA_BASE + 6 * 0x1000 + (uint32_t)below(rng, 0xff8);
        memcpy(mov + 3, &at, 4);
        program_put(p, mov, sizeof(mov));
    }
    if (swap) {
        put(p, 0xf8010f);
    }
    put(p, 0x5b41);
    put(p, 0x59);
    put(p, 0x070f48); /* sysretq */
}

void system_load(const Program *p, X86Cpu *cpu)
{
    static const Segment null = {.attr = SEG_UNUSABLE};
    cpu->cr2 = 0;
    cpu->gdtr = (TableReg){.base = ARENA_GDT, .limit = 7 * 8 - 1};
    cpu->idtr = (TableReg){.base = 0x1122334455667788, .limit = 0};
    cpu->ldtr = cpu->tr = null;
    cpu->msr.star = (uint64_t)(SEL_USER32 & ~3) << 48 | (uint64_t)SEL_CODE64 << 32;
    cpu->msr.lstar = p->start + p->service;
    cpu->msr.cstar = 0;
    cpu->msr.fmask = 0x4700;
    cpu->msr.kernel_gs_base = DATA_BASE + 0x80;
    cpu->msr.tsc_aux = 5;
    cpu->msr.pat = 0x0007040600070406ull;
    cpu->msr.misc_enable = 1;
    cpu->msr.mtrr_def_type = 0;
    cpu->msr.sysenter_cs = cpu->msr.sysenter_esp = cpu->msr.sysenter_eip = 0;
    cpu->shadow = 0;
    cpu->pending_db = 0;
    cpu->halted = false;
    setting_load(&p->setting, cpu);
    if (p->supervisor) {
        bool long64 = p->code_size == 2;
        const Segment *cs = &cpu->seg[SEG_CS], *ss = &cpu->seg[SEG_SS];
        seg_load_cache(cpu, SEG_CS, long64 ? SEL_CODE64 : SEL_CODE32, cs->base, cs->limit, cs->attr & ~(uint32_t)SEG_DPL);
        seg_load_cache(cpu, SEG_SS, SEL_DATA, ss->base, ss->limit, ss->attr & ~(uint32_t)SEG_DPL);
    }
    cpu_update_mode(cpu);
}
