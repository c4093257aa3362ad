/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stack frames written as a whole, and the stacks that a TSS names.
 * Spec: Intel SDM vol 3 sections 5.8.5, 6.12.1, 6.14.2 to 6.14.5, 7.2.1, 7.7.
 */
#include "target/x86/frame.h"

#include "target/x86/mem.h"

static uint64_t stack_mask(uint32_t attr)
{
    return attr & SEG_DB ? 0xffffffff : 0xffff;
}

Frame frame_current(const X86Cpu *cpu, unsigned ext)
{
    const Segment *ss = &cpu->seg[SEG_SS];
    return (Frame){
        .ss = *ss,
        .sp = cpu->r[RSP],
        .mask = cpu->code64 ? ~0ull : stack_mask(ss->attr),
        .error = ext,
        .flat = cpu->code64,
        .user = cpu->cpl == 3,
    };
}

Frame frame_inner(const Desc *ss, uint16_t sel, uint64_t sp, unsigned ext)
{
    return (Frame){
        .ss = {.selector = sel, .base = desc_base(ss), .limit = desc_limit(ss), .attr = desc_attr(ss)},
        .sp = sp,
        .mask = stack_mask(desc_attr(ss)),
        .error = sel_error(sel, ext),
    };
}

Frame frame_long(uint64_t sp, unsigned ext)
{
    return (Frame){.sp = sp, .mask = ~0ull, .error = ext, .flat = true};
}

static gva_t item_linear(const X86Cpu *cpu, const Frame *f, uint64_t off)
{
    return f->flat ? off : sys_linear(cpu, (uint32_t)(f->ss.base + off));
}

static void item_check(X86Cpu *cpu, const Frame *f, uint64_t off, unsigned size)
{
    bool real = !(cpu->cr0 & CR0_PE);
    if (f->flat ? !is_canonical(cpu, off) || !is_canonical(cpu, off + size - 1)
                : !seg_limit_allows(&f->ss, off, size, real)) {
        cpu_raise_error(cpu, EXC_SS, f->error);
    }
    if (f->user) {
        mem_probe(cpu, SEG_SS, off, size, ACCESS_WRITE);
    } else {
        sys_probe(cpu, item_linear(cpu, f, off), size, ACCESS_WRITE);
    }
}

static void item_write(X86Cpu *cpu, const Frame *f, uint64_t off, unsigned log2size, uint64_t v)
{
    if (!f->user) {
        sys_write(cpu, item_linear(cpu, f, off), v, 1u << log2size);
    } else if (log2size == 1) {
        mem_write16(cpu, SEG_SS, off, (uint16_t)v);
    } else if (log2size == 2) {
        mem_write32(cpu, SEG_SS, off, (uint32_t)v);
    } else {
        mem_write64(cpu, SEG_SS, off, v);
    }
}

uint64_t frame_push(X86Cpu *cpu, const Frame *f, unsigned log2size, const uint64_t *v, unsigned n)
{
    unsigned size = 1u << log2size;
    if (f->flat && log2size == 3) {
        /* All of it at once where the TLB knows the page for writing; then the addresses are canonical, too. */
        uint64_t sp = f->sp - n * 8;
        uint8_t *host = mem_direct(cpu, sp, n * 8, f->user ? cpu->mem_mode : MEM_KERNEL, ACCESS_WRITE);
        if (likely(host)) {
            for (unsigned i = 0; i < n; i++) {
                memcpy(host + i * 8, &v[n - 1 - i], 8);
            }
            return sp;
        }
    }
    for (unsigned i = 1; i <= n; i++) {
        item_check(cpu, f, (f->sp - i * size) & f->mask, size);
    }
    for (unsigned i = 1; i <= n; i++) {
        item_write(cpu, f, (f->sp - i * size) & f->mask, log2size, v[i - 1]);
    }
    uint64_t sp = f->sp - n * size;
    return f->mask == 0xffff ? (f->sp & ~0xffffull) | (sp & 0xffff) : sp & f->mask;
}

/* `bytes` at `off` of the current TSS. */
static uint64_t tss_read(X86Cpu *cpu, uint32_t off, unsigned bytes, unsigned ext)
{
    if (off + bytes - 1 > cpu->tr.limit) {
        cpu_raise_error(cpu, EXC_TS, sel_error(cpu->tr.selector, ext));
    }
    return sys_read(cpu, sys_linear(cpu, cpu->tr.base + off), bytes);
}

uint64_t tss_inner_stack(X86Cpu *cpu, unsigned cpl, unsigned ext, uint16_t *sel)
{
    *sel = 0;
    if (cpu->long_mode) {
        return tss_read(cpu, 4 + cpl * 8, 8, ext);
    }
    if ((cpu->tr.attr & SEG_TYPE) < DESC_TSS32) {
        uint64_t pair = tss_read(cpu, 2 + cpl * 4, 4, ext);
        *sel = (uint16_t)(pair >> 16);
        return pair & 0xffff;
    }
    uint64_t pair = tss_read(cpu, 4 + cpl * 8, 8, ext);
    *sel = (uint16_t)(pair >> 32);
    return pair & 0xffffffff;
}

uint64_t tss_ist(X86Cpu *cpu, unsigned ist, unsigned ext)
{
    return tss_read(cpu, 36 + (ist - 1) * 8, 8, ext);
}
