/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Self-modifying code: an x86 processor sees its own stores to code at the next instruction, through any alias.
 * Spec: Intel SDM vol 3 section 11.6 (self-modifying code), 8.1.3; AMD APM vol 2 section 7.6.1.
 */
#include "lib/guest.h"

static uint8_t *code;
typedef uint64_t Function(uint64_t a, uint64_t b);
#define CALL(at, a, b) (((Function *)(void *)(at))((uint64_t)(a), (uint64_t)(b)))

static uint8_t *emit(uint8_t *at, const char *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return at + n;
}
#define EMIT(at, text) emit(at, text, sizeof(text) - 1)

static void same_block(void)
{
    /* movb $7, 1f+1(%rip) directly before 1: mov $1, %eax */
    uint8_t *p = code;
    p = EMIT(p, "\xc6\x05\x01\x00\x00\x00\x07"); /* movb $7, 1(%rip) */
    p = EMIT(p, "\xb8\x01\x00\x00\x00\xc3");
    check_eq(CALL(code, 0, 0), 7);
    code[8] = 1;
    check_eq(CALL(code, 0, 0), 7);
    /* at every distance ahead, over many line boundaries */
    for (unsigned d = 0; d < 200; d++) {
        uint8_t *start = code + 256 + (d * 7 & 63);
        p = EMIT(start, "\xc6\x05\x00\x00\x00\x00\x42"); /* movb $42h, d+1(%rip) */
        *(uint32_t *)(start + 2) = d + 1;
        for (unsigned i = 0; i < d; i++) {
            *p++ = 0x90;
        }
        p = EMIT(p, "\xb8\x01\x00\x00\x00\xc3");
        check_eq(CALL(start, 0, 0), 0x42);
    }
    /* the opcode itself: INC becomes DEC, NOP becomes HLT's neighbour UD2 */
    p = code;
    p = EMIT(
        p,
        "\x31\xc0\xc6\x05\x01\x00\x00\x00\xc8\xff\xc0\xc3"); /* xor %eax,%eax; movb $c8h,..; inc %eax -> dec %eax */
    check_eq((uint32_t)CALL(code, 0, 0), 0xffffffff);
    p = code;
    p = EMIT(p, "\x66\xc7\x05\x00\x00\x00\x00\x0f\x0b\x90\x90\xc3"); /* movw $0b0fh, 0(%rip) */
    check_eq(TRY(CALL(code, 0, 0)).vector, 6);
    /* a store behind: the loop sees it the next time round */
    static const uint8_t loop[] = {0x31, 0xc0,                            /* xor %eax, %eax */
                                   0xb9, 10,   0,    0,    0,             /* mov $10, %ecx */
                                   0x83, 0xc0, 1,                         /* 7: add $1, %eax */
                                   0x80, 0x05, 0xf8, 0xff, 0xff, 0xff, 1, /* addb $1, 9b(%rip) */
                                   0xff, 0xc9, 0x75, 0xf2, 0xc3};         /* dec %ecx; jnz 7b; ret */
    memcpy(code, loop, sizeof(loop));
    check_eq(CALL(code, 0, 0), 55);
    /* read-modify-write with LOCK, XCHG, CMPXCHG, PUSH, CALL, ENTER as the storing instruction */
    p = EMIT(code,
             "\xb2\x09\xf0\x00\x15\x01\x00\x00\x00\xb8\x01\x00\x00\x00\xc3"); /* mov $9,%dl; lock add %dl,1(%rip) */
    check_eq(CALL(code, 0, 0), 10);
    p = EMIT(code, "\xb2\x0b\x86\x15\x01\x00\x00\x00\xb8\x01\x00\x00\x00\xc3"); /* xchg %dl, 1(%rip) */
    check_eq(CALL(code, 0, 0), 11);
    p = EMIT(code, "\xb0\x01\xb2\x0d\x0f\xb0\x15\x01\x00\x00\x00\xb8\x01\x00\x00\x00\xc3"); /* cmpxchg %dl, 1(%rip) */
    check_eq(CALL(code, 0, 0), 13);
    (void)p;
}

static void stack_code(void)
{
    /* PUSH writes the instruction that follows: push imm32 sign-extended gives 8 bytes 90 90 90 c3 ff.. */
    uint8_t *p = code;
    p = EMIT(p, "\x48\x89\xe1");                 /* mov %rsp, %rcx */
    p = EMIT(p, "\x48\x8d\x25\x0d\x00\x00\x00"); /* lea 13(%rip), %rsp: 8 bytes past the push */
    p = EMIT(p, "\x68\x48\x89\xcc\xc3");         /* push $0xc3cc8948: "mov %rcx,%rsp; ret" */
    p = EMIT(p, "\x0f\x0b\x0f\x0b\x0f\x0b\x0f\x0b");
    check_eq(TRY(CALL(code, 0, 0)).vector, -1);
    /* a function on the stack */
    uint8_t local[64] __attribute__((aligned(16)));
    for (unsigned i = 0; i < 200; i++) {
        EMIT(local, "\xb8\x00\x00\x00\x00\xc3");
        *(volatile uint32_t *)(local + 1) = i;
        if (CALL(local, 0, 0) != i) {
            check_eq(CALL(local, 0, 0), i);
            return;
        }
    }
    check(true);
}

static void page_crossing(void)
{
    /* mov imm32 with the immediate on the second page, changed by its last bytes */
    uint8_t *p = code + 4096 - 2;
    EMIT(p, "\xb8\x11\x22\x33\x44\xc3");
    check_eq(CALL(p, 0, 0), 0x44332211);
    code[4096] = 0x99;
    check_eq(CALL(p, 0, 0), 0x44339911);
    code[4097] = 0x88;
    check_eq(CALL(p, 0, 0), 0x44889911);
    p[1] = 0x77;
    check_eq(CALL(p, 0, 0), 0x44889977);
    for (unsigned i = 0; i < 300; i++) {
        code[4096 + i % 3] = (uint8_t)i;
        p[1] = (uint8_t)~i;
        uint32_t want = (uint8_t)~i | (*(uint32_t *)(code + 4096) & 0xffffff) << 8;
        if ((uint32_t)CALL(p, 0, 0) != want) {
            check_eq((uint32_t)CALL(p, 0, 0), want);
        }
    }
    /* the first page stays, the mapping of the second changes */
    uint8_t *second = alloc_pages(1);
    EMIT(second, "\xaa\xbb\xcc\xc3");
    uint64_t *pte = pte_of(code + 4096), saved = *pte;
    *pte = (uint64_t)second | 3;
    invlpg(code + 4096);
    check_eq(CALL(p, 0, 0) >> 8, 0xccbbaa);
    second[0] = 0x55;
    check_eq(CALL(p, 0, 0) >> 8, 0xccbb55);
    *pte = saved;
    invlpg(code + 4096);
    check_eq((CALL(p, 0, 0) >> 8 & 0xff), code[4096]);
    /* an instruction stream that runs over the end: store to the next page from the last instruction of the first */
    p = code + 4096 - 7;
    EMIT(p, "\xc6\x05\x01\x00\x00\x00\x3c\xb8\x01\x00\x00\x00\xc3");
    check_eq(CALL(p, 0, 0), 0x3c);
    code[4097] = 1;
    check_eq(CALL(p, 0, 0), 0x3c);
}

static void aliases(void)
{
    /* the user alias of the same memory is another linear address (and, in ring 0, a supervisor access to a user
     * page) */
    EMIT(code, "\xb8\x01\x00\x00\x00\xc3");
    volatile uint8_t *other = user_address(code);
    check_eq(CALL(code, 0, 0), 1);
    other[1] = 2;
    check_eq(CALL(code, 0, 0), 2);
    check_eq(CALL(other, 0, 0), 2);
    code[1] = 3;
    check_eq(CALL(other, 0, 0), 3);
    /* the store through the alias stands directly before the instruction: mov %sil, 1(%rdi) */
    uint8_t *p = EMIT(code, "\x40\x88\x37\xb8\x01\x00\x00\x00\xc3");
    (void)p;
    for (unsigned i = 1; i < 100; i++) {
        if (CALL(code, user_address(code) + 4, i) != i) {
            check_eq(CALL(code, user_address(code) + 4, i), i);
        }
    }
    /* two virtual pages of one frame */
    uint8_t *twin = alloc_pages(1);
    uint64_t *pte = pte_of(twin);
    *pte = (uint64_t)code | 3;
    invlpg(twin);
    check_eq(CALL(twin, twin + 4, 77), 77);
    check_eq(CALL(code, twin + 4, 78), 78);
    check_eq(CALL(twin, code + 4, 79), 79);
    /* another frame under the same linear address */
    uint8_t *fresh = alloc_pages(1);
    EMIT(fresh, "\xb8\x66\x00\x00\x00\xc3");
    *pte = (uint64_t)fresh | 3;
    invlpg(twin);
    check_eq(CALL(twin, 0, 0), 0x66);
    *pte = (uint64_t)code | 3;
    invlpg(twin);
    check_eq(CALL(twin, twin + 4, 80), 80);
}

static void bulk(void)
{
    /* REP STOS over code that was executed, REP MOVS of new code */
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned f = 0; f < 64; f++) {
            uint8_t *p = EMIT(code + 32 * f, "\xb8\x00\x00\x00\x00\xc3");
            *(uint32_t *)(p - 5) = f * 8 + i;
        }
        for (unsigned f = 0; f < 64; f++) {
            if (CALL(code + 32 * f, 0, 0) != f * 8 + i) {
                check_eq(CALL(code + 32 * f, 0, 0), f * 8 + i);
            }
        }
        memset(code, 0xcc, 2048);
        check_eq(TRY(CALL(code + 32 * i, 0, 0)).vector, 3);
    }
    memset(code, 0xc3, 4096);
    check_eq(CALL(code + 4000, 5, 6), CALL(code, 5, 6));
    /* REP STOSB that runs over the following instructions: all of them become NOPs, up to the RET behind */
    uint8_t *p = code;
    p = EMIT(p, "\xb0\x90\xb9\x20\x00\x00\x00\x48\x8d\x3d\x02\x00\x00\x00\xf3\xaa");
    for (unsigned i = 0; i < 16; i++) {
        p = EMIT(p, "\x0f\x0b");
    }
    p = EMIT(p, "\xb8\x2a\x00\x00\x00\xc3");
    check_eq(CALL(code, 0, 0), 0x2a);
    /* the string instruction overwrites itself: once its own bytes are replaced it does not go on (or had finished)
     */
    p = EMIT(code, "\xb0\x90\xb9\x05\x00\x00\x00\x48\x8d\x3d\x00\x00\x00\x00\xf3\xaa\x0f\x0b\x0f\x0b\x0f\x0b");
    *(uint32_t *)(code + 10) = 2; /* the two bytes of REP STOSB stay, what follows is replaced */
    EMIT(code + 16, "\x0f\x0b\x0f\x0b\x0f\xc3");
    check_eq(TRY(CALL(code, 0, 0)).vector, -1);
}

static void hot_data(void)
{
    /* a counter in the same page (and in the same line) as the loop that counts it */
    uint8_t *p = code;
    p = EMIT(p, "\x31\xc0\xb9\x10\x27\x00\x00"); /* xor %eax,%eax; mov $10000,%ecx */
    p = EMIT(p, "\xff\x05\x33\x00\x00\x00");     /* 7: incl 64(code) */
    p = EMIT(p, "\x03\x05\x2d\x00\x00\x00");     /* add 64(code), %eax */
    p = EMIT(p, "\xff\xc9\x75\xf0\xc3");
    *(uint32_t *)(code + 64) = 0;
    check_eq((uint32_t)CALL(code, 0, 0), 10000u * 10001 / 2);
    check_eq(*(uint32_t *)(code + 64), 10000);
}

static void append(void)
{
    /* a compiler that writes a function behind the other and calls back into what it wrote before */
    uint8_t *pages = alloc_pages(16), *p = pages, *previous = 0;
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t *start = p;
        if (previous) {
            p = EMIT(p, "\xe8\x00\x00\x00\x00"); /* call the one before, add 1 */
            *(int32_t *)(p - 4) = (int32_t)(previous - p);
            p = EMIT(p, "\x83\xc0\x01\xc3");
        } else {
            p = EMIT(p, "\xb8\x00\x00\x00\x00\xc3");
        }
        previous = i % 50 == 49 ? 0 : start;
        uint32_t v = (uint32_t)CALL(start, 0, 0);
        if (v != i % 50) {
            check_eq(v, i % 50);
            return;
        }
    }
    check(true);
    /* call targets patched again and again, as inline caches are */
    uint8_t *site = code, *a = code + 512, *b = code + 1024;
    EMIT(a, "\xb8\x0a\x00\x00\x00\xc3");
    EMIT(b, "\xb8\x0b\x00\x00\x00\xc3");
    EMIT(site, "\xe9\x00\x00\x00\x00");
    bool ok = true;
    for (unsigned i = 0; i < 2000; i++) {
        *(volatile int32_t *)(site + 1) = (int32_t)((i & 1 ? b : a) - (site + 5));
        ok = ok && CALL(site, 0, 0) == (i & 1 ? 0xbu : 0xau);
    }
    check(ok);
    /* a conditional jump turned round while a loop runs over it */
    uint8_t *q = code;
    q = EMIT(q, "\x31\xc0\xb9\xe8\x03\x00\x00"); /* xor %eax,%eax; mov $1000,%ecx */
    q = EMIT(q, "\x80\x35\x02\x00\x00\x00\x01"); /* 7: xorb $1, opcode of the jump: JNZ <-> JZ */
    q = EMIT(q, "\x85\xc9\x75\x02\xff\xc0");     /* test %ecx,%ecx; j(n)z +2; inc %eax */
    q = EMIT(q, "\xff\xc9\x75\xef\xc3");
    check_eq((uint32_t)CALL(code, 0, 0), 500);
}

static void dma(void)
{
    /* fw_cfg's DMA interface (signature "QEMU", file directory at selector 19h) writes into a page that was executed
     */
    out16(0x510, 0);
    if (in8(0x511) != 'Q' || in8(0x511) != 'E') {
        skip("no fw_cfg");
        return;
    }
    out16(0x510, 1);
    if (!(in8(0x511) & 2)) {
        skip("no fw_cfg DMA");
        return;
    }
    volatile struct {
        uint32_t control, length;
        uint64_t address;
    } *d = (void *)(code + 8192);
    uint8_t *target = code + 4096;
    memset(target, 0xc3, 64);
    check_eq(TRY(CALL(target, 0, 0)).vector, -1);
    d->control = __builtin_bswap32(0 << 16 | 0xa); /* select 0 and read: "QEMU" */
    d->length = __builtin_bswap32(4);
    d->address = __builtin_bswap64((uint64_t)target);
    out32(0x514, __builtin_bswap32((uint32_t)((uint64_t)d >> 32)));
    out32(0x518, __builtin_bswap32((uint32_t)(uint64_t)d));
    for (unsigned i = 0; i < 1000000 && d->control; i++) {
        pause_cpu();
    }
    check_eq(d->control, 0);
    check_eq(*(uint32_t *)target, 0x554d4551);
    /* "QEMU": 51 PUSH RCX, 45 4D REX prefixes before 55 PUSH RBP */
    EMIT(target + 4, "\x48\x83\xc4\x10\xb8\x31\x00\x00\x00\xc3");
    check_eq(CALL(target, 0, 0), 0x31);
    memset(target, 0xc3, 4);
    CALL(target, 0, 0);
    d->control = __builtin_bswap32(0 << 16 | 0xa);
    out32(0x518, __builtin_bswap32((uint32_t)(uint64_t)d));
    for (unsigned i = 0; i < 1000000 && d->control; i++) {
        pause_cpu();
    }
    check_eq(CALL(target, 0, 0), 0x31);
}

static void random_patches(void)
{
    /* 64 functions in one page, patched and called in a random order, against a model */
    uint32_t model[64], seed = 12345;
    bool ok = true;
    for (unsigned f = 0; f < 64; f++) {
        uint8_t *p = EMIT(code + 64 * f, "\xb8\x00\x00\x00\x00\x05\x00\x00\x00\x00\xc3"); /* mov, add */
        (void)p;
        model[f] = 0;
    }
    for (unsigned i = 0; i < 30000; i++) {
        seed = seed * 1664525 + 1013904223;
        unsigned f = seed >> 26;
        if (seed & 0x300) {
            ok = ok && (uint32_t)CALL(code + 64 * f, 0, 0) == model[f];
        } else {
            unsigned at = seed >> 12 & 1 ? 1 : 6, byte = seed >> 13 & 3;
            uint8_t *where = code + 64 * f + at + byte;
            model[f] -= (uint32_t)*where << 8 * byte;
            *(volatile uint8_t *)where = (uint8_t)(seed >> 16);
            model[f] += (uint32_t)*where << 8 * byte;
        }
    }
    check(ok);
}

static void versions(void)
{
    /* a function with a few texts that come and go, as tracing and breakpoints make them; its callers stay as they are */
    static const char text[6][7] = {"\x83\xc0\x01\xc3", "\x83\xc0\x02\xc3", "\xeb\x00\xff\xc8\xc3", "\xf7\xd8\xc3",
                                    "\x01\xc0\xc3", "\x0f\xc8\xc3"};
    uint8_t *f = code + 60; /* over the end of a line */
    uint8_t *p = EMIT(code + 512, "\x89\xf8\xb9\x03\x00\x00\x00\xe8\x00\x00\x00\x00"); /* mov %edi,%eax; mov $3,%ecx; call f */
    *(int32_t *)(p - 4) = (int32_t)(f - p);
    p = EMIT(p, "\xff\xc9\x75\xf7\xc3"); /* dec %ecx; jnz the call */
    uint32_t seed = 99;
    bool ok = true;
    for (unsigned i = 0; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        unsigned v = (seed >> 16) % (i < 10000 ? 3 : 6); /* few enough to be remembered, then too many */
        memcpy(f, text[v], sizeof(text[v]));
        for (unsigned again = 0; again <= (seed >> 30); again++) {
            uint32_t want = seed;
            for (unsigned n = 0; n < 3; n++) {
                want = v == 0 ? want + 1 : v == 1 ? want + 2 : v == 2 ? want - 1 : v == 3 ? -want : v == 4 ? want * 2 :
                       __builtin_bswap32(want);
            }
            ok = ok && (uint32_t)CALL(code + 512, seed, 0) == want;
        }
    }
    check(ok);
}

void guest_main(void)
{
    code = alloc_pages(4);
    same_block();
    stack_code();
    page_crossing();
    aliases();
    bulk();
    hot_data();
    append();
    dma();
    random_patches();
    versions();
}
