/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving and restoring x87, SSE and AVX state: FXSAVE, XSAVE and their relatives, LDMXCSR, STMXCSR.
 * Spec: Intel SDM vol 1, 10.5 (FXSAVE), 13.4-13.10 (XSAVE); vol 2 for each instruction; AMD APM vol 2, 11.4.4, 11.5.
 */
#include "target/x86/fpu.h"
#include "target/x86/mmu.h"
#include "target/x86/vector.h"

enum { XSTATE_X87 = 1, XSTATE_SSE = 2, XSTATE_AVX = 4, XSTATE_PKRU = 1 << 9 };
enum { XCOMP_COMPACT_BIT = 63 };
enum {
    OFF_MXCSR = 24, OFF_XMM = 160, FX_SIZE = 512, /* the legacy region */
    OFF_XSTATE_BV = 512, OFF_XCOMP_BV = 520, OFF_AVX = 576, AVX_SIZE = 256,
    OFF_PKRU = OFF_AVX + AVX_SIZE, PKRU_SIZE = 8, /* of the standard form */
    AREA_MAX = OFF_PKRU + PKRU_SIZE,
};

/* ---- the area in memory ---- */

/* Where the operand is; #GP(0) unless its linear address is a multiple of 64, canonical or not. */
static gva_t area_offset(X86Cpu *cpu, const Insn *i, Access access)
{
    gva_t ea = insn_ea(cpu, i);
    if (seg_linear(cpu, i->seg, ea, 1, access) & 63) {
        cpu_raise_gp0(cpu);
    }
    return ea;
}

/* FXSAVE, FXRSTOR: 16 bytes.  QUIRK: here, unlike everywhere else, a bad canonical form counts first, as on Zen. */
static gva_t fx_area_offset(X86Cpu *cpu, const Insn *i, Access access)
{
    gva_t ea = insn_ea(cpu, i), lin = seg_linear(cpu, i->seg, ea, 1, access);
    if (unlikely(!mmu_canonical(cpu, lin))) {
        mem_probe(cpu, i->seg, ea, 1, access); /* raises #SS or #GP */
    }
    if (lin & 15) {
        cpu_raise_gp0(cpu);
    }
    return ea;
}

static void area_probe(X86Cpu *cpu, const Insn *i, gva_t ea, unsigned size, Access access)
{
    mem_probe(cpu, i->seg, ea, size, access);
}

/* QUIRK: XSAVE and XRSTOR look at both ends of the area first, as on Zen: a fault may name its last byte. */
static void area_probe_end(X86Cpu *cpu, const Insn *i, gva_t ea, unsigned size, Access access)
{
    mem_probe(cpu, i->seg, ea, 1, access);
    mem_probe(cpu, i->seg, (ea + size - 1) & asize_mask[i->asize], 1, access);
    area_probe(cpu, i, ea, size, access);
}

/* QUIRK: the last byte first. */
static void fx_probe(X86Cpu *cpu, const Insn *i, gva_t ea, Access access)
{
    mem_probe(cpu, i->seg, (ea + FX_SIZE - 1) & asize_mask[i->asize], 1, access);
    area_probe(cpu, i, ea, FX_SIZE, access);
}

/* Offsets that wrap around are for pieces. */
static bool in_one(const Insn *i, gva_t off, unsigned size)
{
    return likely(off + size - 1 <= asize_mask[i->asize] && off + size - 1 >= off);
}

static void area_read(X86Cpu *cpu, const Insn *i, gva_t ea, uint8_t *area, unsigned from, unsigned size)
{
    gva_t start = (ea + from) & asize_mask[i->asize];
    if (in_one(i, start, size)) {
        mem_read_bytes(cpu, i->seg, start, area + from, size);
        return;
    }
    for (unsigned k = 0; k < size; k += 64) {
        gva_t off = (ea + from + k) & asize_mask[i->asize];
        mem_read_bytes(cpu, i->seg, off, area + from + k, MIN(size - k, 64));
    }
}

static void area_write(X86Cpu *cpu, const Insn *i, gva_t ea, const uint8_t *area, unsigned from, unsigned size)
{
    gva_t start = (ea + from) & asize_mask[i->asize];
    if (in_one(i, start, size)) {
        mem_write_bytes(cpu, i->seg, start, area + from, size);
        return;
    }
    for (unsigned k = 0; k < size; k += 64) {
        gva_t off = (ea + from + k) & asize_mask[i->asize];
        mem_write_bytes(cpu, i->seg, off, area + from + k, MIN(size - k, 64));
    }
}

static uint32_t load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return GUINT32_FROM_LE(v);
}
static void store32(uint8_t *p, uint32_t v)
{
    v = GUINT32_TO_LE(v);
    memcpy(p, &v, sizeof(v));
}
static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return GUINT64_FROM_LE(v);
}
static void store64(uint8_t *p, uint64_t v)
{
    v = GUINT64_TO_LE(v);
    memcpy(p, &v, sizeof(v));
}

/* XMM8-15 exist in 64-bit mode only; elsewhere their places are neither read nor written. */
static unsigned vector_count(const X86Cpu *cpu)
{
    return cpu->code64 ? 16 : 8;
}

static void put_mxcsr(const X86Cpu *cpu, uint8_t *area)
{
    store32(area + OFF_MXCSR, cpu->mxcsr);
    store32(area + OFF_MXCSR + 4, MXCSR_MASK);
}

static void put_xmm(const X86Cpu *cpu, uint8_t *area)
{
    for (unsigned k = 0; k < vector_count(cpu); k++) {
        memcpy(area + OFF_XMM + 16 * k, cpu->v[k].b, 16);
    }
}

static void get_xmm(X86Cpu *cpu, const uint8_t *area)
{
    for (unsigned k = 0; k < vector_count(cpu); k++) {
        memcpy(cpu->v[k].b, area + OFF_XMM + 16 * k, 16);
    }
}

/* ---- FXSAVE, FXRSTOR ---- */

static void fx_check(X86Cpu *cpu)
{
    fpu_sync(cpu);
    if (cpu->cr0 & (CR0_EM | CR0_TS)) {
        cpu_raise(cpu, EXC_NM);
    }
}

/* AMD's fast FXSAVE leaves the XMM registers out for the kernel (APM vol 2, 3.1.7). */
static bool fx_has_xmm(const X86Cpu *cpu)
{
    return (cpu->cr4 & CR4_OSFXSR) && !((cpu->efer & EFER_FFXSR) && cpu->code64 && cpu->cpl == 0);
}

static void fxsave(X86Cpu *cpu, const Insn *i)
{
    uint8_t area[FX_SIZE];
    fx_check(cpu);
    gva_t ea = fx_area_offset(cpu, i, ACCESS_WRITE);

    fx_probe(cpu, i, ea, ACCESS_WRITE);
    fpu_store_fx(&cpu->fpu, i->osize == 3, area);
    area_write(cpu, i, ea, area, 0, OFF_MXCSR);
    area_write(cpu, i, ea, area, 32, OFF_XMM - 32);
    if (cpu->cr4 & CR4_OSFXSR) {
        put_mxcsr(cpu, area);
        area_write(cpu, i, ea, area, OFF_MXCSR, 8);
    }
    if (fx_has_xmm(cpu)) {
        put_xmm(cpu, area);
        area_write(cpu, i, ea, area, OFF_XMM, 16 * vector_count(cpu));
    }
}
EXEC_ONE(fxsave, fxsave);

static void fxrstor(X86Cpu *cpu, const Insn *i)
{
    uint8_t area[FX_SIZE];
    fx_check(cpu);
    gva_t ea = fx_area_offset(cpu, i, ACCESS_READ);

    fx_probe(cpu, i, ea, ACCESS_READ);
    area_read(cpu, i, ea, area, 0, OFF_XMM + 16 * vector_count(cpu));
    if (cpu->cr4 & CR4_OSFXSR) {
        uint32_t mxcsr = load32(area + OFF_MXCSR);
        if (mxcsr & ~MXCSR_MASK) {
            cpu_raise_gp0(cpu);
        }
        cpu->mxcsr = mxcsr;
    }
    bool masked = fpu_all_masked(&cpu->fpu);
    fpu_load_fx(&cpu->fpu, i->osize == 3, area);
    fpu_control_changed(cpu, masked);
    if (fx_has_xmm(cpu)) {
        get_xmm(cpu, area);
    }
}
EXEC_ONE(fxrstor, fxrstor);

/* ---- MXCSR ---- */

static void load_mxcsr(X86Cpu *cpu, const Insn *i)
{
    uint32_t v = mem_read32(cpu, i->seg, insn_ea(cpu, i));
    if (v & ~MXCSR_MASK) {
        cpu_raise_gp0(cpu);
    }
    cpu->mxcsr = v;
}
BOTH_FORMS(ldmxcsr, load_mxcsr(cpu, i));

static void store_mxcsr(X86Cpu *cpu, const Insn *i)
{
    mem_write32(cpu, i->seg, insn_ea(cpu, i), cpu->mxcsr);
}
BOTH_FORMS(stmxcsr, store_mxcsr(cpu, i));

/* ---- XSAVE ---- */

/* SDM vol 1 13.7: availability; the components asked for. */
static uint64_t xsave_enter(X86Cpu *cpu)
{
    fpu_sync(cpu);
    if (!(cpu->cr4 & CR4_OSXSAVE)) {
        cpu_raise_ud(cpu);
    }
    if (cpu->cr0 & CR0_TS) {
        cpu_raise(cpu, EXC_NM);
    }
    return cpu->xcr0 & ((uint64_t)(uint32_t)cpu->r[RDX] << 32 | (uint32_t)cpu->r[RAX]);
}

static bool bytes_zero(const void *p, size_t size)
{
    const uint8_t *b = p;
    for (size_t k = 0; k < size; k++) {
        if (b[k]) {
            return false;
        }
    }
    return true;
}

static bool x87_in_use(const X87 *f)
{
    bool registers = false;
    for (unsigned k = 0; k < 8; k++) {
        registers |= f->r[k].mant || f->r[k].se;
    }
    return registers || f->cw != FCW_INIT || f->sw || f->top || f->empty != 0xff || f->fop || f->fip || f->fdp ||
           f->fcs || f->fds;
}

/* XINUSE of 13.6: components that are not in their initial state; MXCSR does not count. */
static uint64_t xstate_in_use(const X86Cpu *cpu)
{
    uint64_t use = x87_in_use(&cpu->fpu) ? XSTATE_X87 : 0, low = 0, high = 0;
    for (unsigned k = 0; k < vector_count(cpu); k++) {
        low |= cpu->v[k].q[0] | cpu->v[k].q[1];
        high |= cpu->v[k].q[2] | cpu->v[k].q[3];
    }
    return use | (low ? XSTATE_SSE : 0) | (high ? XSTATE_AVX : 0) | (cpu->pkru ? XSTATE_PKRU : 0);
}

static unsigned area_size(uint64_t components)
{
    return components & XSTATE_PKRU ? AREA_MAX : components & XSTATE_AVX ? OFF_PKRU : OFF_AVX;
}

/* In the compacted form components follow one another without holes: AVX, when it is listed, then PKRU. */
static unsigned compact_pkru(uint64_t listed)
{
    return listed & XSTATE_AVX ? OFF_PKRU : OFF_AVX;
}

static unsigned compact_size(uint64_t listed)
{
    return compact_pkru(listed) + (listed & XSTATE_PKRU ? PKRU_SIZE : 0);
}

static void write_components(X86Cpu *cpu, const Insn *i, gva_t ea, uint64_t which, unsigned off_pkru)
{
    uint8_t area[AREA_MAX];
    if (which & XSTATE_X87) {
        fpu_store_fx(&cpu->fpu, i->osize == 3, area);
        area_write(cpu, i, ea, area, 0, OFF_MXCSR);
        area_write(cpu, i, ea, area, 32, OFF_XMM - 32);
    }
    if (which & XSTATE_SSE) {
        put_xmm(cpu, area);
        area_write(cpu, i, ea, area, OFF_XMM, 16 * vector_count(cpu));
    }
    if (which & XSTATE_AVX) {
        for (unsigned k = 0; k < vector_count(cpu); k++) {
            memcpy(area + OFF_AVX + 16 * k, cpu->v[k].b + 16, 16);
        }
        area_write(cpu, i, ea, area, OFF_AVX, 16 * vector_count(cpu));
    }
    if (which & XSTATE_PKRU) {
        store64(area + off_pkru, cpu->pkru);
        area_write(cpu, i, ea, area, off_pkru, PKRU_SIZE);
    }
}

static void write_mxcsr(X86Cpu *cpu, const Insn *i, gva_t ea)
{
    uint8_t area[OFF_MXCSR + 8];
    put_mxcsr(cpu, area);
    area_write(cpu, i, ea, area, OFF_MXCSR, 8);
}

/* XSAVE writes what was asked for; XSAVEOPT leaves out what is in its initial state. */
static inline void save_standard(X86Cpu *cpu, const Insn *i, bool optimise)
{
    uint64_t want = xsave_enter(cpu), use = xstate_in_use(cpu);
    gva_t ea = area_offset(cpu, i, ACCESS_WRITE);
    uint8_t area[OFF_XCOMP_BV];

    area_probe_end(cpu, i, ea, area_size(want), ACCESS_WRITE);
    area_read(cpu, i, ea, area, OFF_XSTATE_BV, 8);
    uint64_t present = (load64(area + OFF_XSTATE_BV) & ~want) | (use & want);
    write_components(cpu, i, ea, optimise ? want & use : want, OFF_PKRU);
    if (want & (XSTATE_SSE | XSTATE_AVX)) {
        write_mxcsr(cpu, i, ea);
    }
    store64(area + OFF_XSTATE_BV, present);
    area_write(cpu, i, ea, area, OFF_XSTATE_BV, 8);
}

static void xsave(X86Cpu *cpu, const Insn *i)
{
    save_standard(cpu, i, false);
}
EXEC_ONE(xsave, xsave);

static void xsaveopt(X86Cpu *cpu, const Insn *i)
{
    save_standard(cpu, i, true);
}
EXEC_ONE(xsaveopt, xsaveopt);

/* Compacted: the places of the standard form, if SSE's part is there or not, but for PKRU. */
static void xsavec(X86Cpu *cpu, const Insn *i)
{
    uint64_t want = xsave_enter(cpu);
    uint64_t present = want & (xstate_in_use(cpu) | (cpu->mxcsr != MXCSR_DEFAULT ? XSTATE_SSE : 0));
    gva_t ea = area_offset(cpu, i, ACCESS_WRITE);
    uint8_t area[OFF_XCOMP_BV + 8];

    area_probe_end(cpu, i, ea, compact_size(want), ACCESS_WRITE);
    write_components(cpu, i, ea, present, compact_pkru(want));
    if (present & XSTATE_SSE) {
        write_mxcsr(cpu, i, ea);
    }
    store64(area + OFF_XSTATE_BV, present);
    store64(area + OFF_XCOMP_BV, want | 1ull << XCOMP_COMPACT_BIT);
    area_write(cpu, i, ea, area, OFF_XSTATE_BV, 16);
}
EXEC_ONE(xsavec, xsavec);

/* 13.8.1, 13.8.2: what the header may hold. */
static void check_header(X86Cpu *cpu, const uint8_t *area)
{
    uint64_t present = load64(area + OFF_XSTATE_BV), format = load64(area + OFF_XCOMP_BV);
    bool valid;

    if (format >> XCOMP_COMPACT_BIT) {
        uint64_t listed = format & ~(1ull << XCOMP_COMPACT_BIT);
        valid = feature_in(&cpu->features, FEAT_XSAVEC) && !(listed & ~cpu->xcr0) && !(present & ~listed) &&
                bytes_zero(area + OFF_XCOMP_BV + 8, OFF_AVX - OFF_XCOMP_BV - 8);
    } else {
        valid = format == 0 && !(present & ~cpu->xcr0) && load64(area + OFF_XCOMP_BV + 8) == 0;
    }
    if (!valid) {
        cpu_raise_gp0(cpu);
    }
}

static void load_x87(X86Cpu *cpu, const Insn *i, const uint8_t *area, bool present)
{
    bool masked = fpu_all_masked(&cpu->fpu);
    if (present) {
        fpu_load_fx(&cpu->fpu, i->osize == 3, area);
    } else {
        memset(cpu->fpu.r, 0, sizeof(cpu->fpu.r));
        fpu_init(&cpu->fpu);
    }
    fpu_control_changed(cpu, masked);
}

/* 16 bytes of each vector register, from byte `at` of it. */
static void load_vectors(X86Cpu *cpu, const uint8_t *image, unsigned at, bool present)
{
    for (unsigned k = 0; k < vector_count(cpu); k++) {
        if (present) {
            memcpy(cpu->v[k].b + at, image + 16 * k, 16);
        } else {
            memset(cpu->v[k].b + at, 0, 16);
        }
    }
}

static void xrstor(X86Cpu *cpu, const Insn *i)
{
    uint8_t area[AREA_MAX];
    uint64_t want = xsave_enter(cpu);
    gva_t ea = area_offset(cpu, i, ACCESS_READ);

    mem_probe(cpu, i->seg, ea, 1, ACCESS_READ);
    area_read(cpu, i, ea, area, OFF_XSTATE_BV, 64);
    check_header(cpu, area);
    uint64_t present = load64(area + OFF_XSTATE_BV);
    uint64_t listed = load64(area + OFF_XCOMP_BV);
    bool compact = listed != 0;
    unsigned off_pkru = compact ? compact_pkru(listed) : OFF_PKRU;
    unsigned size = compact ? area_size(want & present & ~XSTATE_PKRU) : area_size(want);
    if (compact && (want & present & XSTATE_PKRU)) {
        size = off_pkru + PKRU_SIZE;
    }
    area_probe_end(cpu, i, ea, size, ACCESS_READ);
    area_read(cpu, i, ea, area, 0, FX_SIZE);
    if (want & present & XSTATE_AVX) {
        area_read(cpu, i, ea, area, OFF_AVX, AVX_SIZE);
    }
    uint32_t pkru = 0;
    if (want & present & XSTATE_PKRU) {
        uint8_t image[AREA_MAX];
        area_read(cpu, i, ea, image, off_pkru, PKRU_SIZE);
        pkru = load32(image + off_pkru);
    }

    /* The standard form always has a MXCSR; the compacted one only together with the XMM registers. */
    uint64_t with_mxcsr = compact ? XSTATE_SSE : XSTATE_SSE | XSTATE_AVX;
    uint32_t mxcsr = compact && !(present & XSTATE_SSE) ? MXCSR_DEFAULT : load32(area + OFF_MXCSR);
    if (want & with_mxcsr) {
        if (mxcsr & ~MXCSR_MASK) {
            cpu_raise_gp0(cpu);
        }
        cpu->mxcsr = mxcsr;
    }
    if (want & XSTATE_X87) {
        load_x87(cpu, i, area, present & XSTATE_X87);
    }
    if (want & XSTATE_SSE) {
        load_vectors(cpu, area + OFF_XMM, 0, present & XSTATE_SSE);
    }
    if (want & XSTATE_AVX) {
        load_vectors(cpu, area + OFF_AVX, 16, present & XSTATE_AVX);
    }
    if (want & XSTATE_PKRU) {
        cpu_set_pkru(cpu, pkru);
    }
}
EXEC_ONE(xrstor, xrstor);
