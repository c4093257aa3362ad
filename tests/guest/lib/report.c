/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What 64-bit and 32-bit guests share: the report on COM1, the command line, memory. */
#include "common.h"

extern uint8_t _end[];
static unsigned passed, failed, skipped;
static const char *command_line = "";

/* ---- reporting ---- */

static void put(char c)
{
    while (!(in8(0x3fd) & 0x20)) {
    }
    out8(0x3f8, (uint8_t)c);
}

void print(const char *text)
{
    for (; *text; text++) {
        put(*text);
    }
}

void print_hex(uint64_t v)
{
    print("0x");
    int digits = 1;
    while (digits < 16 && v >> (4 * digits)) {
        digits++;
    }
    while (digits--) {
        put("0123456789abcdef"[v >> (4 * digits) & 15]);
    }
}

static void print_number(unsigned v)
{
    if (v >= 10) {
        print_number(v / 10);
    }
    put((char)('0' + v % 10));
}

void check_at(bool ok, const char *what, const char *file, int line, uint64_t got, uint64_t want)
{
    if (ok) {
        passed++;
        return;
    }
    failed++;
    print("FAIL ");
    print(file);
    print(":");
    print_number((unsigned)line);
    print(": ");
    print(what);
    if (got != want) {
        print(": ");
        print_hex(got);
        print(" wanted ");
        print_hex(want);
    }
    print("\n");
}

void skip(const char *why)
{
    skipped++;
    print("SKIP ");
    print(why);
    print("\n");
}

void guest_exit(int code)
{
    out32(0xf4, (uint32_t)code);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void guest_finish(void)
{
    print_number(passed);
    print(" passed, ");
    print_number(failed);
    print(" failed, ");
    print_number(skipped);
    print(" skipped\n");
    guest_exit(failed || !passed ? 0x11 : 0x10);
}

/* ---- command line ---- */

/* struct hvm_start_info of PVH: cmdline_paddr at offset 24. */
void option_init(uintptr_t start_info)
{
    uint64_t text;
    memcpy(&text, (void *)(start_info + 24), 8);
    if (text) {
        command_line = (const char *)(uintptr_t)text;
    }
}

static uint64_t number(const char *p)
{
    unsigned base = 10;
    if (p[0] == '0' && p[1] == 'x') {
        base = 16;
        p += 2;
    }
    uint64_t v = 0;
    for (;; p++) {
        unsigned digit = *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a' + 10) : (unsigned)(*p - '0');
        if (digit >= base) {
            return v;
        }
        v = v * base + digit;
    }
}

uint64_t option(const char *name, uint64_t otherwise)
{
    for (const char *p = command_line; *p; p++) {
        size_t n = 0;
        while (name[n] && p[n] == name[n]) {
            n++;
        }
        if (!name[n] && p[n] == '=' && (p == command_line || p[-1] == ' ')) {
            return number(p + n + 1);
        }
    }
    return otherwise;
}

/* ---- memory ---- */

void *memset(void *p, int c, size_t n)
{
    void *d = p;
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return p;
}

void *memcpy(void *d, const void *s, size_t n)
{
    void *to = d;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(s), "+c"(n)::"memory");
    return d;
}

void *alloc_pages(unsigned n)
{
    static uint8_t *next;
    if (!next) {
        next = (uint8_t *)(((uintptr_t)_end + 0x1fffff) & ~(uintptr_t)0x1fffff); /* not in the pages of the image */
    }
    void *p = next;
    next += n * 4096;
    memset(p, 0, n * 4096);
    return p;
}

/* ---- the board ---- */

void pic_disable(void)
{
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
}

void lapic_enable(void)
{
    LAPIC(0xf0) = 0x1ff;
}
