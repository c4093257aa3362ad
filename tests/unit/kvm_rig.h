/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine of one processor over the test KVM. */
#pragma once

#include "tests/unit/kvm_fake.h"

enum { PORT = 0x500, MMIO_BASE = 0x800000, CODE = 0x1000, VECTOR = 0x41 };

typedef struct Rig {
    Fake fake;
    Machine *m;
    X86Cpu *cpu;
    CpuModel *model;
    Accel *accel;
    Region ram, io, mmio;
    uint8_t written[16];
    unsigned num_written;
    uint64_t stored;
    bool intr;    /* a vector waits */
    uint8_t tpr;
    uint64_t base;
    const char *opts; /* of the accelerator */
} Rig;

/* script: what the guest does (Fake.script).  The machine lock is held until rig_free(). */
Rig *rig_new(FakeExit *const *script);
/* False when the engine could not be made, with the reason. */
bool rig_start(Rig *r, GError **error);
/* Until the script has ended, or the machine was stopped or reset. */
RunRequests rig_wait(Rig *r);
/* With everything given back. */
void rig_free(Rig *r);
