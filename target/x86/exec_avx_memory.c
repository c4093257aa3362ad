/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AVX and AVX2: masked loads and stores, gathers.
 * Spec: Intel SDM vol 2, VMASKMOV, VPMASKMOV, VGATHERDPS ... VPGATHERQQ; vol 2 2.3.12 (VSIB).
 */
#include "target/x86/vector.h"

static inline uint64_t element_read(X86Cpu *cpu, unsigned seg, gva_t off, unsigned log2size)
{
    return log2size == 3 ? mem_read64(cpu, seg, off) : mem_read32(cpu, seg, off);
}

static inline bool element_wanted(const Vec *mask, unsigned k, unsigned log2size)
{
    return log2size == 3 ? mask->sq[k] < 0 : mask->sd[k] < 0;
}

static inline void element_set(Vec *v, unsigned k, unsigned log2size, uint64_t value)
{
    if (log2size == 3) {
        v->q[k] = value;
    } else {
        v->d[k] = (uint32_t)value;
    }
}

/* ---- masked moves: VEX.vvvv is the mask; elements that it leaves out are not accessed ---- */

static inline gva_t element_offset(gva_t ea, unsigned k, unsigned log2size, const Insn *i)
{
    return (ea + (k << log2size)) & asize_mask[i->asize];
}

VECTOR_INLINE void masked_load(X86Cpu *cpu, const Insn *i, unsigned log2size)
{
    avx_enter(cpu);
    unsigned lanes = i->vl + 1u, count = 16 * lanes >> log2size;
    const Vec *mask = &cpu->v[i->vvvv];
    gva_t ea = insn_ea(cpu, i);
    Vec r = {.q = {0}};
    for (unsigned k = 0; k < count; k++) {
        if (element_wanted(mask, k, log2size)) {
            element_set(&r, k, log2size, element_read(cpu, i->seg, element_offset(ea, k, log2size, i), log2size));
        }
    }
    cpu->v[i->reg] = r;
}
VEX_FORM(maskmovps_load, masked_load(cpu, i, 2)); /* and VPMASKMOVD */
VEX_FORM(maskmovpd_load, masked_load(cpu, i, 3)); /* and VPMASKMOVQ */

/* Every element is checked before the first is written. */
VECTOR_INLINE void masked_store(X86Cpu *cpu, const Insn *i, unsigned log2size)
{
    avx_enter(cpu);
    unsigned lanes = i->vl + 1u, count = 16 * lanes >> log2size;
    const Vec *mask = &cpu->v[i->vvvv], *v = &cpu->v[i->reg];
    gva_t ea = insn_ea(cpu, i);
    for (unsigned k = 0; k < count; k++) {
        if (element_wanted(mask, k, log2size)) {
            mem_probe(cpu, i->seg, element_offset(ea, k, log2size, i), 1u << log2size, ACCESS_WRITE);
        }
    }
    for (unsigned k = 0; k < count; k++) {
        if (!element_wanted(mask, k, log2size)) {
            continue;
        }
        gva_t off = element_offset(ea, k, log2size, i);
        if (log2size == 3) {
            mem_write64(cpu, i->seg, off, v->q[k]);
        } else {
            mem_write32(cpu, i->seg, off, v->d[k]);
        }
    }
}
VEX_FORM(maskmovps_store, masked_store(cpu, i, 2));
VEX_FORM(maskmovpd_store, masked_store(cpu, i, 3));

/* ---- gathers ---- */

/* Base, displacement and element `k` of the index register, which Insn.index names. */
static inline gva_t gather_offset(const X86Cpu *cpu, const Insn *i, unsigned k, unsigned log2index)
{
    const Vec *index = &cpu->v[i->index];
    uint64_t n = log2index == 3 ? index->q[k] : (uint64_t)(int64_t)index->sd[k];
    return (cpu->r[i->base] + (n << i->scale) + (uint64_t)i->disp) & asize_mask[i->asize];
}

/*
 * Elements are taken in order; each one that is there is put into the destination and its mask element cleared, so that
 * after a fault the instruction goes on where it stopped.  Results narrower than the indices fill the low half.
 */
VECTOR_INLINE void gather(X86Cpu *cpu, const Insn *i, unsigned log2index, unsigned log2size)
{
    avx_enter(cpu);
    unsigned bytes = 16u * (i->vl + 1u);
    unsigned count = bytes >> MAX(log2index, log2size), width = count << log2size;
    Vec *d = &cpu->v[i->reg], *mask = &cpu->v[i->vvvv];

    if (i->reg == i->vvvv || i->reg == i->index || i->vvvv == i->index) {
        cpu_raise_ud(cpu);
    }
    for (unsigned k = 0; k < count; k++) {
        if (element_wanted(mask, k, log2size)) {
            element_set(d, k, log2size, element_read(cpu, i->seg, gather_offset(cpu, i, k, log2index), log2size));
        }
        element_set(mask, k, log2size, 0);
    }
    memset(d->b + width, 0, sizeof(Vec) - width);
    memset(mask->b + width, 0, sizeof(Vec) - width);
}
VEX_FORM(pgatherdd, gather(cpu, i, 2, 2)); /* and VGATHERDPS */
VEX_FORM(pgatherdq, gather(cpu, i, 2, 3)); /* and VGATHERDPD */
VEX_FORM(pgatherqd, gather(cpu, i, 3, 2)); /* and VGATHERQPS */
VEX_FORM(pgatherqq, gather(cpu, i, 3, 3)); /* and VGATHERQPD */
