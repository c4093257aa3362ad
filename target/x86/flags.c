/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lazy flags: OSZAPC computed when somebody looks.  What the manuals leave undefined follows AMD's Zen: shifts set
 * AF, multiplications leave SF ZF AF PF alone.
 * Spec: Intel SDM vol 1 section 3.4.3 and appendix B.
 */
#include "target/x86/flags.h"

static inline GENERAL_REGS_ONLY uint32_t sign_zero_parity(uint64_t dst, unsigned top)
{
    return ((dst >> top) & 1 ? FL_SF : 0) | (dst == 0 ? FL_ZF : 0) | (__builtin_parity((uint8_t)dst) ? 0 : FL_PF);
}

GENERAL_REGS_ONLY uint32_t flags_compute(const X86Cpu *cpu)
{
    unsigned bits = 8u << (cpu->cc_op & 3), top = bits - 1;
    uint64_t dst = cpu->cc_dst, src = cpu->cc_src, mask = ~0ull >> (64 - bits), a;
    bool cf, of, af;

    switch (cpu->cc_op & ~3u) {
    case CC_FLAGS:
        return (uint32_t)src;
    case CC_HOST:
        return (uint32_t)((src >> 8 & (FL_OSZAPC & 0xff)) | (src & 1) << 11);
    case CC_MUL: /* dst holds the flags from before */
        return ((uint32_t)dst & ~(uint32_t)(FL_CF | FL_OF)) | (src ? FL_CF | FL_OF : 0);
    default:
        dst &= mask;
        src &= mask;
        break;
    }
    switch (cpu->cc_op & ~3u) {
    case CC_ADD:
        a = dst - src;
        cf = dst < src;
        af = (a ^ src ^ dst) & 0x10;
        of = ((a ^ dst) & (src ^ dst)) >> top & 1;
        break;
    case CC_ADC:
        a = dst - src - 1;
        cf = dst <= src;
        af = (a ^ src ^ dst) & 0x10;
        of = ((a ^ dst) & (src ^ dst)) >> top & 1;
        break;
    case CC_CMP:
        dst = (dst - src) & mask;
        __attribute__((fallthrough));
    case CC_SUB:
        a = (dst + src) & mask;
        cf = a < src;
        af = (a ^ src ^ dst) & 0x10;
        of = ((a ^ src) & (a ^ dst)) >> top & 1;
        break;
    case CC_SBB:
        a = (dst + src + 1) & mask;
        cf = a <= src;
        af = (a ^ src ^ dst) & 0x10;
        of = ((a ^ src) & (a ^ dst)) >> top & 1;
        break;
    case CC_TEST:
        dst &= src;
        __attribute__((fallthrough));
    case CC_LOGIC:
        cf = of = af = false;
        break;
    case CC_INC:
        cf = src & 1;
        af = (dst & 15) == 0;
        of = dst == 1ull << top;
        break;
    case CC_DEC:
        cf = src & 1;
        af = (dst & 15) == 15;
        of = dst == (1ull << top) - 1;
        break;
    case CC_SHL:
        cf = src >> top & 1;
        of = cf != (dst >> top & 1);
        af = true;
        break;
    case CC_SHR:
        cf = src & 1;
        of = (dst >> top ^ dst >> (top - 1)) & 1;
        af = true;
        break;
    default: /* CC_SAR */
        cf = src & 1;
        of = false;
        af = true;
        break;
    }
    return sign_zero_parity(dst, top) | (cf ? FL_CF : 0) | (of ? FL_OF : 0) | (af ? FL_AF : 0);
}

bool flags_cf(const X86Cpu *cpu)
{
    unsigned bits = 8u << (cpu->cc_op & 3);
    uint64_t mask = ~0ull >> (64 - bits), dst = cpu->cc_dst & mask, src = cpu->cc_src & mask;

    switch (cpu->cc_op & ~3u) {
    case CC_ADD:
    case CC_CMP:
        return dst < src;
    case CC_ADC:
        return dst <= src;
    case CC_SUB:
        return ((dst + src) & mask) < src;
    case CC_SBB:
        return ((dst + src + 1) & mask) <= src;
    case CC_LOGIC:
    case CC_TEST:
        return false;
    case CC_SHL:
        return src >> (bits - 1) & 1;
    case CC_MUL:
        return cpu->cc_src != 0;
    case CC_HOST:
        return cpu->cc_src >> 8 & 1;
    default: /* CC_FLAGS, CC_INC, CC_DEC, CC_SHR, CC_SAR keep it in bit 0 */
        return src & 1;
    }
}

static bool condition_of(uint32_t f, unsigned which)
{
    switch (which) {
    case 0:
        return f & FL_OF;
    case 1:
        return f & FL_CF;
    case 2:
        return f & FL_ZF;
    case 3:
        return f & (FL_CF | FL_ZF);
    case 4:
        return f & FL_SF;
    case 5:
        return f & FL_PF;
    case 6:
        return !(f & FL_SF) != !(f & FL_OF);
    default:
        return (f & FL_ZF) || !(f & FL_SF) != !(f & FL_OF);
    }
}

/* After CMP or SUB: compare the operands, both moved to the top of 64 bits. */
static inline bool condition_sub(uint64_t d, uint64_t s, uint8_t parity_byte, unsigned which)
{
    uint64_t a = d + s;
    switch (which) {
    case 0:
        return (int64_t)((a ^ s) & (a ^ d)) < 0;
    case 1:
        return a < s;
    case 2:
        return d == 0;
    case 3:
        return a <= s;
    case 4:
        return (int64_t)d < 0;
    case 5:
        return !__builtin_parity(parity_byte);
    case 6:
        return (int64_t)a < (int64_t)s;
    default:
        return (int64_t)a <= (int64_t)s;
    }
}

/* After AND, OR, XOR, TEST: CF = OF = 0. */
static inline bool condition_logic(uint64_t d, uint8_t parity_byte, unsigned which)
{
    switch (which) {
    case 0:
    case 1:
        return false;
    case 2:
    case 3:
        return d == 0;
    case 5:
        return !__builtin_parity(parity_byte);
    case 7:
        return (int64_t)d <= 0;
    default: /* 4 and 6 */
        return (int64_t)d < 0;
    }
}

bool flags_condition(const X86Cpu *cpu, unsigned cc)
{
    unsigned which = (cc >> 1) & 7, op = cpu->cc_op & ~3u, shift = 64 - (8u << (cpu->cc_op & 3));
    uint64_t d = cpu->cc_dst << shift;
    bool zf_sf_from_dst = op != CC_FLAGS && op < CC_MUL, yes;

    if (which == 2 && zf_sf_from_dst) {
        yes = d == 0; /* the most frequent ones first */
    } else if (op == CC_SUB) {
        yes = condition_sub(d, cpu->cc_src << shift, (uint8_t)cpu->cc_dst, which);
    } else if (op == CC_CMP) {
        uint64_t s = cpu->cc_src << shift;
        yes = condition_sub(d - s, s, (uint8_t)(cpu->cc_dst - cpu->cc_src), which);
    } else if (op == CC_LOGIC) {
        yes = condition_logic(d, (uint8_t)cpu->cc_dst, which);
    } else if (op == CC_TEST) {
        yes = condition_logic(d & cpu->cc_src << shift, (uint8_t)(cpu->cc_dst & cpu->cc_src), which);
    } else if (which == 4 && zf_sf_from_dst) {
        yes = (int64_t)d < 0;
    } else {
        yes = condition_of(flags_compute(cpu), which);
    }
    return yes != (cc & 1);
}

enum { EFLAGS_KNOWN = FL_OSZAPC | FL_TF | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_RF | FL_VM | FL_AC | FL_VIF | FL_VIP |
                      FL_ID };

void cpu_load_eflags(X86Cpu *cpu, uint32_t value, uint32_t mask)
{
    uint32_t before = cpu->eflags, other = mask & EFLAGS_KNOWN & ~(uint32_t)FL_OSZAPC;
    if ((mask & FL_OSZAPC) == FL_OSZAPC) {
        flags_set(cpu, value);
    } else if (mask & FL_OSZAPC) {
        flags_set(cpu, (flags_compute(cpu) & ~mask) | (value & mask));
    }
    cpu->eflags = (before & ~other) | (value & other) | 2;

    uint32_t changed = before ^ cpu->eflags;
    if (changed & (FL_VM | FL_AC)) {
        cpu_update_mode(cpu);
    }
    if (changed & FL_TF) {
        cpu->break_block = true; /* single steps are the run loop's */
    }
    if (changed & cpu->eflags & FL_IF) {
        cpu->break_block = true;
        if (__atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST) & EVENT_INTR) {
            __atomic_store_n(&cpu->attention, true, __ATOMIC_SEQ_CST);
        }
    }
}
