/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs cases on the host CPU, in a child process that owns nothing worth breaking. */
#include "tests/cpu/silicon.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "target/x86/sse.h"

#ifdef __x86_64__

/* What native.S reads and writes; the offsets are written there too. */
typedef struct Control {
    uint64_t r_in[16];  /* 0 */
    uint64_t r_out[16]; /* 128 */
    uint64_t flags_in, flags_out; /* 256 264 */
    uint64_t entry;     /* 272: m16:32 for code_size 1 */
    uint64_t entry_cs;  /* 280: directly after the 32-bit offset only if packed, see entry32 */
    uint64_t host_rsp;  /* 288 */
    uint64_t faulted;   /* 296 */
    uint32_t entry32;   /* 304 */
    uint16_t entry32_cs; /* 308 */
    uint8_t have_xsave; /* 310 */
    uint8_t pad[9];
    FxImage fx_in;      /* 320 */
    FxImage fx_out;     /* 1152 */
} Control;
_Static_assert(offsetof(Control, fx_in) == 320 && offsetof(Control, fx_out) == 1152, "native.S knows the offsets");

typedef struct Slot {
    unsigned count;
    Case cases[BATCH];
    Outcome outcomes[BATCH];
} Slot;

/* Shared between parent and child. */
typedef struct Shared {
    sem_t work, done;
    Slot slots[2];
    uint64_t reset_seed;
    uint8_t data[DATA_SIZE], stack[STACK_SIZE]; /* copies for native_peek() */
} Shared;

struct Native {
    pid_t pid;
    Shared *sh;
    unsigned submitted, waited;
};

extern Control native_control;
void native_enter64(void);
void native_enter32(void);
extern const uint8_t native_exit64[], native_fault_exit[];

enum { SIG_STACK = 64 * 1024 };

static Outcome *now; /* the outcome being recorded, for the signal handler */

/* The frame holds an XSAVE image when the kernel's mark is in its software-reserved bytes (asm/sigcontext.h). */
static void copy_signal_state(const void *frame, FxImage *out)
{
    enum { LEGACY = 512, MARK_AT = 464, MARK = 0x46505853 };
    uint32_t mark;
    memcpy(&mark, (const uint8_t *)frame + MARK_AT, 4);
    memcpy(out, frame, mark == MARK && native_control.have_xsave ? sizeof(FxImage) : LEGACY);
    if (!(out->xstate_bv & 4)) {
        memset(out->ymm, 0, sizeof(out->ymm));
    }
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *g = uc->uc_mcontext.gregs;
    static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    if (!now) {
        _exit(3);
    }
    for (int i = 0; i < 16; i++) {
        now->r[i] = (uint64_t)g[order[i]];
    }
    now->rip = (uint64_t)g[REG_RIP];
    now->flags = (uint32_t)g[REG_EFL];
    now->vector = (int32_t)g[REG_TRAPNO];
    now->error = (uint32_t)g[REG_ERR];
    now->cr2 = now->vector == EXC_PF ? (uint64_t)g[REG_CR2] : 0;
    copy_signal_state(uc->uc_mcontext.fpregs, &now->fx);
    /* Leave by the same door as a case that ended well, on the host's stack and in 64-bit code. */
    g[REG_RIP] = (greg_t)(uintptr_t)native_fault_exit;
    g[REG_RSP] = (greg_t)native_control.host_rsp;
    g[REG_EFL] = 0x202;
    g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffll) | 0x33;
    native_control.faulted = 1;
}

/* What this CPU says may be set in MXCSR: put in place of it what the interpreter says. */
static void patch_mxcsr_mask(uint32_t at)
{
    FxImage own;
    uint32_t *mask = (uint32_t *)(uintptr_t)at;
    __asm__ volatile("fxsave64 %0" : "=m"(own));
    if (*mask == own.mxcsr_mask) {
        *mask = MXCSR_MASK;
    }
}

static void run_one(const Case *c, Outcome *out, uint8_t *code_rw)
{
    Control *k = &native_control;
    static uint32_t last_ip = CODE_BASE;
    static unsigned last_len = 64;
    memset(code_rw + (last_ip - CODE_BASE), 0xcc, last_len);
    last_ip = c->ip;
    last_len = MIN(c->len + 8u, (unsigned)(CODE_SIZE - (c->ip - CODE_BASE)));
    if (c->ip - CODE_BASE < 0x1e00 && c->ip - CODE_BASE + last_len > 0x1e00) {
        last_len = 0x1e00 - (c->ip - CODE_BASE);
    }
    for (unsigned i = 0; i < c->num_mem; i++) {
        memcpy((void *)(uintptr_t)c->mem[i].addr, c->mem[i].bytes, c->mem[i].len);
    }
    case_put_code(c, code_rw);
    memcpy(k->r_in, c->r, sizeof(k->r_in));
    k->flags_in = c->flags;
    k->fx_in = c->fx;
    k->entry = c->ip;
    k->entry32 = c->ip;
    k->entry32_cs = 0x23;
    k->faulted = 0;
    k->fx_in.xstate_bv = XSTATE_TESTED;
    memset(&k->fx_out, 0, sizeof(k->fx_out));
    memset(&out->fx, 0, sizeof(out->fx));
    now = out;
    if (c->code_size == 2) {
        native_enter64();
    } else {
        native_enter32();
    }
    now = NULL;
    if (!k->faulted) {
        memcpy(out->r, k->r_out, sizeof(out->r));
        out->flags = (uint32_t)k->flags_out;
        out->fx = k->fx_out;
        out->rip = c->ip + c->len;
        out->vector = -1;
        out->error = 0;
        out->cr2 = 0;
        if (c->mxcsr_mask_at) {
            patch_mxcsr_mask(c->mxcsr_mask_at);
        }
    }
    out->mem_hash = silicon_hash((void *)DATA_BASE, DATA_SIZE, (void *)STACK_BASE, STACK_SIZE);
}

static void map_fixed(uint64_t addr, size_t len, int prot, int fd, off_t off)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *p = mmap((void *)addr, len, prot, flags | MAP_FIXED_NOREPLACE, fd, off);
    if (p != (void *)addr) {
        perror("silicon: cannot map the test area");
        _exit(4);
    }
}

void native_code_init(uint8_t *code)
{
    memset(code, 0xcc, CODE_SIZE);
    uint64_t exit64 = (uint64_t)(uintptr_t)native_exit64;
    memcpy(code + EXIT_POINTER, &exit64, 8);
    uint8_t *t = code + TRAMPOLINE32; /* reached in 64-bit code: jmp [rip + d] */
    uint32_t d = EXIT_POINTER - (TRAMPOLINE32 + 6);
    t[0] = 0xff;
    t[1] = 0x25;
    memcpy(t + 2, &d, 4);
}

/* Code is written by another mapping than the one it runs in, so that no case can change it.  Returns the former. */
static uint8_t *child_memory(void)
{
    int fd = memfd_create("silicon-code", 0);
    if (fd < 0 || ftruncate(fd, CODE_SIZE) != 0) {
        perror("silicon: no memory for code");
        _exit(4);
    }
    map_fixed(DATA_BASE, DATA_SIZE, PROT_READ | PROT_WRITE, -1, 0);
    map_fixed(STACK_BASE, STACK_SIZE, PROT_READ | PROT_WRITE, -1, 0);
    map_fixed(CODE_BASE, CODE_SIZE, PROT_READ | PROT_EXEC, fd, 0);
    uint8_t *code = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (code == MAP_FAILED) {
        perror("silicon: cannot map the code");
        _exit(4);
    }
    native_code_init(code);
    return code;
}

static void child_signals(void)
{
    static uint8_t stack[SIG_STACK] __attribute__((aligned(64)));
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
    sigaltstack(&ss, NULL);
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    for (unsigned i = 0; i < ARRAY_LEN(signals); i++) {
        sigaction(signals[i], &sa, NULL);
    }
}

static void fill(uint8_t *p, unsigned len, uint64_t seed)
{
    Rng rng;
    rng_seed(&rng, seed);
    for (unsigned i = 0; i < len; i += 8) {
        uint64_t v = rng_next(&rng);
        memcpy(p + i, &v, 8);
    }
}

static bool host_saves_avx(void)
{
    unsigned a, b, c, d, xcr0, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) {
        return false;
    }
    __asm__("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    return (xcr0 & XSTATE_TESTED) == XSTATE_TESTED;
}

static void child_main(Shared *sh)
{
    native_control.have_xsave = host_saves_avx();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    uint8_t *code_rw = child_memory();
    child_signals();
    syscall(SYS_arch_prctl, ARCH_SET_GS, CASE_GS_BASE);
    /* Compatibility code needs real data segments; 64-bit code does not look at them. */
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" ::"r"(0x2b));
    uint64_t seed = 0;
    for (unsigned turn = 0;; turn++) {
        while (sem_wait(&sh->work) != 0) {
        }
        if (sh->reset_seed != seed) {
            seed = sh->reset_seed;
            fill((uint8_t *)DATA_BASE, DATA_SIZE, seed);
            fill((uint8_t *)STACK_BASE, STACK_SIZE, seed + 1);
        }
        Slot *s = &sh->slots[turn & 1];
        for (unsigned i = 0; i < s->count; i++) {
            run_one(&s->cases[i], &s->outcomes[i], code_rw);
        }
        memcpy(sh->data, (void *)DATA_BASE, DATA_SIZE);
        memcpy(sh->stack, (void *)STACK_BASE, STACK_SIZE);
        sem_post(&sh->done);
    }
}

Native *native_start(const char **why_not)
{
#ifdef __SANITIZE_ADDRESS__
    *why_not = "AddressSanitizer's shadow memory lies where cases must find no memory at all";
    return NULL;
#endif
    Native *n = calloc(1, sizeof(*n));
    n->sh = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (n->sh == MAP_FAILED) {
        *why_not = "no shared memory";
        free(n);
        return NULL;
    }
    sem_init(&n->sh->work, 1, 0);
    sem_init(&n->sh->done, 1, 0);
    fflush(NULL);
    n->pid = fork();
    if (n->pid == 0) {
        child_main(n->sh);
    }
    if (n->pid < 0) {
        *why_not = "cannot fork";
        munmap(n->sh, sizeof(Shared));
        free(n);
        return NULL;
    }
    return n;
}

void native_stop(Native *n)
{
    kill(n->pid, SIGKILL);
    waitpid(n->pid, NULL, 0);
    munmap(n->sh, sizeof(Shared));
    free(n);
}

void native_memory_reset(Native *n, uint64_t seed)
{
    n->sh->reset_seed = seed;
}

void native_submit(Native *n, const Case *cases, unsigned count)
{
    Slot *s = &n->sh->slots[n->submitted++ & 1];
    s->count = count;
    memcpy(s->cases, cases, count * sizeof(Case));
    sem_post(&n->sh->work);
}

const Outcome *native_wait(Native *n)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 30;
    while (sem_timedwait(&n->sh->done, &limit) != 0) {
        int status;
        if (errno == ETIMEDOUT) {
            fprintf(stderr, "silicon: the native child does not answer\n");
            return NULL;
        }
        if (waitpid(n->pid, &status, WNOHANG) == n->pid) {
            fprintf(stderr, "silicon: the native child ended (status %#x)\n", (unsigned)status);
            return NULL;
        }
    }
    return n->sh->slots[n->waited++ & 1].outcomes;
}

void native_peek(Native *n, uint32_t addr, void *buf, unsigned len)
{
    if (addr >= STACK_BASE) {
        memcpy(buf, n->sh->stack + (addr - STACK_BASE), len);
    } else {
        memcpy(buf, n->sh->data + (addr - DATA_BASE), len);
    }
}

void native_features(FeatureSet *out)
{
    unsigned a, b, c, d;
    memset(out, 0, sizeof(*out));
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        out->w[CPUID_1_EDX] = d;
        out->w[CPUID_1_ECX] = c & ~(unsigned)bit_OSXSAVE; /* CR4's */
        if (!host_saves_avx()) {
            out->w[CPUID_1_ECX] &= ~(bit_AVX | bit_FMA | bit_F16C);
        }
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        out->w[CPUID_7_EBX] = b;
        out->w[CPUID_7_ECX] = c;
        out->w[CPUID_7_EDX] = d;
    }
    if (__get_cpuid_count(13, 1, &a, &b, &c, &d)) {
        out->w[CPUID_D1_EAX] = a;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
        out->w[CPUID_81_EDX] = d;
        out->w[CPUID_81_ECX] = c;
    }
    if (__get_cpuid(0x80000007, &a, &b, &c, &d)) {
        out->w[CPUID_87_EDX] = d;
    }
    if (__get_cpuid(0x80000008, &a, &b, &c, &d)) {
        out->w[CPUID_88_EBX] = b;
    }
}

#else

Native *native_start(const char **why_not)
{
    *why_not = "the host is not x86-64";
    return NULL;
}
void native_stop(Native *n)
{
}
void native_code_init(uint8_t *code)
{
    memset(code, 0xcc, CODE_SIZE);
}
void native_memory_reset(Native *n, uint64_t seed)
{
}
void native_submit(Native *n, const Case *cases, unsigned count)
{
}
const Outcome *native_wait(Native *n)
{
    return NULL;
}
void native_peek(Native *n, uint32_t addr, void *buf, unsigned len)
{
}
void native_features(FeatureSet *out)
{
    memset(out, 0xff, sizeof(*out));
}

#endif
