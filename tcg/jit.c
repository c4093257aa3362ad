/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code memory (never writable and executable through one mapping), entering it, connecting blocks. */
#include "tcg/jit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tcg/internal.h"
#include "tcg/x86_64/host.h"

typedef uintptr_t EnterFn(X86Cpu *cpu, const uint8_t *code);

/* Code memory in reach (2 GiB) of `near`, if there is room; else anywhere. */
static uint8_t *map_code(int fd, size_t size, const void *near)
{
    for (uintptr_t distance = 64 * MIB; near && distance < GIB; distance += 64 * MIB) {
        void *want = (void *)(((uintptr_t)near - size - distance) & PAGE_MASK);
        uint8_t *p = mmap(want, size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
        if (p == want) {
            return p;
        }
        if (p != MAP_FAILED) {
            munmap(p, size); /* a kernel that takes the address for a wish */
        }
    }
    return mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
}

static void *map_data(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    g_assert(p != MAP_FAILED);
    return p;
}

Jit *jit_new(X86Cpu *cpu, size_t code_size, const void *near, GError **error)
{
    Jit *jit = g_new0(Jit, 1);
    jit->cpu = cpu;
    jit->size = code_size;
    int fd = memfd_create("rhea-code", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)code_size) == 0) {
        jit->rw = mmap(NULL, code_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        jit->rx = map_code(fd, code_size, near);
    } else {
        jit->rw = jit->rx = MAP_FAILED;
    }
    int code = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (jit->rw == MAP_FAILED || jit->rx == MAP_FAILED) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code),
                    "cannot map %zu MiB of memory for translated code: %s", code_size >> 20, g_strerror(code));
        if (jit->rw != MAP_FAILED) {
            munmap(jit->rw, code_size);
        }
        g_free(jit);
        return NULL;
    }
    host_features(&jit->host);
    jit->stats = g_new0(JitStats, 1);
    jit->stats->calls = g_new0(uint64_t, insn_num_rows);
    jit->stats->emitted = g_new0(uint64_t, insn_num_rows);
    jit->stats->handled = g_new0(uint64_t, insn_num_rows);
    jit->tr = g_new(Tr, 1);
    jit->calls = map_data(JIT_CALLS_SIZE);
    jit->table = map_data(JIT_TABLE_SIZE);
    runtime_emit(jit);
    cpu->jit = jit;
    jit->no_table = map_data(JIT_TABLE_SIZE);
    jit->no_table[0].rip = JIT_NO_RIP;
    jit->whole_table = jit->table;
    cpu->jit_table = jit->table;
    cpu->jit_host_mxcsr = 0x1f80;
    jit_flush(jit);
    return jit;
}

void jit_free(Jit *jit)
{
    if (jit) {
        munmap(jit->rw, jit->size);
        munmap(jit->rx, jit->size);
        munmap(jit->calls, JIT_CALLS_SIZE);
        munmap(jit->whole_table, JIT_TABLE_SIZE);
        munmap(jit->no_table, JIT_TABLE_SIZE);
        g_free(jit->stats->calls);
        g_free(jit->stats->emitted);
        g_free(jit->stats->handled);
        g_free(jit->stats);
        g_free(jit->tr);
        g_free(jit);
    }
}

/* No calls to return from.  The frame at the bottom is for address 0, where a guest may want to return to. */
static void forget_calls(Jit *jit)
{
    enum { SLACK = 64 * KIB }; /* for the frames of host signals */
    uint64_t *bottom = (uint64_t *)(void *)(jit->calls + JIT_CALLS_SIZE - 16);
    bottom[0] = (uintptr_t)jit_rx(jit, jit->ret_bottom);
    bottom[1] = 0;
    jit->cpu->jit_calls_sp = jit->cpu->jit_calls_base = bottom;
    jit->cpu->jit_calls_limit = jit->calls + SLACK;
}

void jit_flush(Jit *jit)
{
    jit->next = jit->rw + jit->start;
    jit->cold_next = jit->middle;
    madvise(jit->table, JIT_TABLE_SIZE, MADV_DONTNEED); /* zeros again */
    jit->table[0].rip = JIT_NO_RIP;
    forget_calls(jit);
}

size_t jit_code_used(const Jit *jit)
{
    return (size_t)(jit->next - jit->rw) + (size_t)(jit->cold_next - jit->middle);
}

uintptr_t jit_enter(Jit *jit, const uint8_t *entry)
{
    EnterFn *enter = (EnterFn *)(void *)jit_rx(jit, jit->enter);
    return enter(jit->cpu, entry);
}

uintptr_t jit_run(Jit *jit, const JitCode *code)
{
    jit->cpu->jit_mode = code->mode;
    return jit_enter(jit, jit_entry(code, code->mode & JIT_MODE_ALONE ? JIT_ENTRY_BODY : JIT_ENTRY_LOOP));
}

void jit_set_alone(Jit *jit, bool alone)
{
    jit->table = alone ? jit->no_table : jit->whole_table;
    jit->cpu->jit_table = jit->table;
}

void jit_connect(Jit *jit, uintptr_t jump, const JitCode *code)
{
    /* The jump is where its displacement lies in the executable mapping, and how it may enter in the lowest two bits.  The
       displacement is aligned and written through the other mapping: whoever runs it goes to the old or the new place. */
    uint8_t *at = (uint8_t *)(jump & ~(uintptr_t)3);
    int32_t d = (int32_t)(jit_entry(code, (JitEntry)(jump & 3)) - (at + 4));
    int32_t *place = (int32_t *)(void *)(jit->rw + (at - jit->rx));
    __atomic_store_n(place, d, __ATOMIC_RELEASE);
}

void jit_disable(Jit *jit, JitCode *code, const JitCode *instead)
{
    uint8_t *at = jit->rw + (jit_entry(code, JIT_ENTRY_BODY) - jit->rx);
    if (!code->disabled) {
        memcpy(code->body, at, sizeof(code->body));
        code->disabled = true;
    }
    int32_t d = (int32_t)((instead ? jit_entry(instead, JIT_ENTRY_CHECKED) : code->leave) - (jit_entry(code, JIT_ENTRY_BODY) + 5));
    at[0] = 0xe9;
    memcpy(at + 1, &d, 4);
}

void jit_enable(Jit *jit, JitCode *code)
{
    if (code->disabled) {
        memcpy(jit->rw + (jit_entry(code, JIT_ENTRY_BODY) - jit->rx), code->body, sizeof(code->body));
        code->disabled = false;
    }
}

void jit_remember(Jit *jit, const JitCode *code)
{
    jit->table[jit_table_index(code->rip)] = (JitPlace){.rip = code->rip, .code = jit_entry(code, JIT_ENTRY_CHECKED)};
}

JitStats *jit_stats(const Jit *jit)
{
    return jit->stats;
}

void jit_set_slow_hook(Jit *jit, void (*fn)(X86Cpu *cpu, void *opaque), void *opaque)
{
    jit->on_slow = fn;
    jit->on_slow_opaque = opaque;
}
