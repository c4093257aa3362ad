/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code memory (never writable and executable through one mapping), entering it, connecting blocks. */
#include "tcg/jit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tcg/internal.h"
#include "tcg/x86_64/host.h"

typedef uint8_t *EnterFn(X86Cpu *cpu, const uint8_t *code);

Jit *jit_new(X86Cpu *cpu, size_t code_size, GError **error)
{
    Jit *jit = g_new0(Jit, 1);
    jit->cpu = cpu;
    jit->size = code_size;
    int fd = memfd_create("rhea-code", MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)code_size) == 0) {
        jit->rw = mmap(NULL, code_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        jit->rx = mmap(NULL, code_size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
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
    cpu->jit_host_mxcsr = 0x1f80;
    runtime_emit(jit);
    return jit;
}

void jit_free(Jit *jit)
{
    if (jit) {
        munmap(jit->rw, jit->size);
        munmap(jit->rx, jit->size);
        g_free(jit);
    }
}

void jit_flush(Jit *jit)
{
    jit->next = jit->rw + jit->start;
    memset(jit->jumps, 0, sizeof(jit->jumps));
}

size_t jit_code_used(const Jit *jit)
{
    return (size_t)(jit->next - jit->rw);
}

uint8_t *jit_run(Jit *jit, const uint8_t *code)
{
    EnterFn *enter = (EnterFn *)(void *)(jit->rx + (jit->enter - jit->rw));
    return enter(jit->cpu, code);
}

void jit_connect(Jit *jit, uint8_t *jump, const uint8_t *code)
{
    /* Both are places in the executable mapping; the displacement is written through the other one.  It is aligned,
       so that a processor that runs it sees the old or the new target. */
    int32_t d = (int32_t)(code - (jump + 4));
    int32_t *place = (int32_t *)(void *)(jit->rw + (jump - jit->rx));
    __atomic_store_n(place, d, __ATOMIC_RELEASE);
}

void jit_remember(Jit *jit, gva_t rip, uint32_t mode, const uint8_t *code)
{
    JitJump *j = &jit->jumps[(rip ^ rip >> 12) & (JIT_JUMPS - 1)];
    *j = (JitJump){.rip = rip, .tlb_gen = jit->cpu->tlb_gen, .mode = mode, .code = code};
}
