/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The KVM engine: the host's hypervisor runs the guest; interrupt controllers and timers are our own devices, as with
 * every other engine, or KVM's while the guest runs (irqchip.c).  What KVM cannot execute is executed by the interpreter
 * (rescue.c).
 *
 * A vCPU's state is in one of two places.  While `here` it is in X86Cpu and KVM's copy is stale; otherwise KVM has it
 * and X86Cpu is stale.  kvm_fetch_state() and kvm_store_state() move it; only the vCPU's thread calls them.
 * Spec: Linux Documentation/virt/kvm/api.rst.
 */
#pragma once

#include <linux/kvm.h>

#include "accel/accel.h"
#include "accel/kvm/sys.h"
#include "accel/thread.h"
#include "softmmu/core/machine.h"
#include "target/x86/cpu.h"

#define KVM_MAX_MSRS 64 /* that are synchronised */
#define KVM_MAX_IRQFDS 256 /* interrupts' eventfds that KVM serves; more are served by the main loop */

/* Who has the interrupt controllers while the guest runs. */
typedef enum KvmIrqchip {
    KVM_IRQCHIP_AUTO,  /* as an option only */
    KVM_IRQCHIP_OFF,   /* our devices */
    KVM_IRQCHIP_SPLIT, /* KVM the local APICs */
    KVM_IRQCHIP_ON,    /* KVM the local APICs, the I/O APIC and the 8259 pair */
} KvmIrqchip;

/* What this host's KVM can do, of what is not required. */
typedef struct KvmCaps {
    bool readonly_mem, xsave, xcrs, vcpu_events, debugregs, user_nmi, user_msr, tss_addr, identity_map, tsc_control;
    bool intr_shadow, emulation_exit, adjust_clock, ioevents, ioevent_any;
    bool irqchip, split_irqchip, mp_state, manual_clear, guest_debug;
    bool late_ports; /* writes that may be late: to ports, too */
    uint32_t late_page; /* where KVM keeps them, in pages from kvm_run; 0: nowhere */
    uint32_t dirty_ring; /* bytes of the largest ring for the log of writes; 0: none */
    uint32_t dirty_ring_cap; /* the KVM_CAP_* of it */
    size_t xsave_size; /* bytes of KVM_GET_XSAVE's answer */
    unsigned max_slots, max_vcpus;
} KvmCaps;

/* A memory slot as KVM has it; size 0: free. */
typedef struct KvmSlot {
    uint64_t start, size;
    uint8_t *host;
    bool readonly;
} KvmSlot;

typedef struct KvmAccel {
    Accel accel;
    const KvmSys *sys;
    int fd, vm;
    KvmCaps caps;
    size_t run_size;
    uint32_t tsc_khz;          /* of the guest's TSC as KVM has it; 0: unknown */
    struct kvm_cpuid2 *host_cpuid;
    bool mapped;               /* the guest has run: KVM follows the maps from then on, not while the board is made */
    GArray *slots;             /* KvmSlot, by slot number; changed in exclusive sections */
    GArray *ioevents;          /* IoEvent of ioevents.c, which KVM has; changed in exclusive sections */
    KvmIrqchip irqchip_option, irqchip; /* irqchip: what came of it, from the first vCPU on */
    IrqSink sink;
    bool holds_irqchip;        /* KVM has the controllers' state */
    uint64_t table[IRQCHIP_PINS]; /* of the I/O APIC, with KVM_IRQCHIP_SPLIT */
    IrqNotifier *irqfds[KVM_MAX_IRQFDS];
    FeatureSet rescue_features; /* of the interpreter's rescues */
    uint32_t *msrs;            /* rows of msrs.c that this KVM knows; NULL until the first vCPU */
    unsigned num_msrs;
    GPtrArray *vcpus;          /* KvmVcpu *, owned */
    GArray *late_zones;        /* struct kvm_coalesced_mmio_zone, which KVM has; changed in exclusive sections */
    struct kvm_coalesced_mmio_ring *late; /* in the first vCPU's kvm_run; NULL: none */
    uint64_t late_writes;      /* delivered from there; machine lock */
    DirtyEngine dirty;
    bool a20_shut;             /* the slots are those of a machine whose A20 gate is shut; changed in exclusive sections */
    bool logging;              /* KVM logs writes to the slots */
    bool manual_clear;         /* its bitmaps are cleared by KVM_CLEAR_DIRTY_LOG */
    uint32_t ring_size;        /* entries of each vCPU's dirty ring, a power of two; 0: it keeps bitmaps */
} KvmAccel;

/* Has KVM local APICs of its own?  Then HLT, INIT and SIPI are its business, too. */
static inline bool kvm_has_lapics(const KvmAccel *k)
{
    return k->irqchip == KVM_IRQCHIP_SPLIT || k->irqchip == KVM_IRQCHIP_ON;
}

typedef struct KvmVcpu {
    VcpuThread thread;
    KvmAccel *kvm;
    X86Cpu *cpu;
    int fd;
    struct kvm_run *run;
    uint8_t *xsave;            /* as KVM gave it last, caps.xsave_size bytes; NULL: it has no XSAVE */
    struct kvm_dirty_gfn *ring; /* of kvm->ring_size; NULL: none */
    uint32_t ring_at;          /* the entry that is read next, modulo its size */
    bool here;                 /* X86Cpu has the state */
    bool unfinished;           /* the last exit is completed by the next KVM_RUN: no state may move before */
    bool points_stale;         /* a debugger's points are others than KVM has */
    bool flush;                /* the interpreter flushed TLBs: KVM's are to be flushed, too */
    bool failed;               /* KVM cannot go on, and neither can the interpreter */
    uint64_t apic_base;        /* as last seen in kvm_run */
    uint8_t tpr;               /* CR8 as last given to KVM */
    bool tpr_stale;            /* the local APIC may have changed it */
    uint32_t timer_left;       /* count of the APIC's timer before the last drain, in KVM's APIC */
    int64_t tsc_offset;        /* X86Cpu's, as KVM has it: another value is a TSC that was set */
    int64_t tsc_ahead;         /* ticks that KVM's counter was before the machine's clock since the last pause */
    uint64_t msr_seen[KVM_MAX_MSRS]; /* KVM's values, in the order of kvm->msrs */
    bool msrs_known;
    uint64_t rescue_rip;       /* where the interpreter gave the last rescued run back */
    unsigned rescue_burst;     /* instructions that the interpreter does at the next rescue */
    bool running;              /* atomic: in KVM_RUN, or about to be */
    bool announced;            /* a rescue was logged */

    pthread_t id;              /* of the thread */

    struct {
        uint64_t runs, io, mmio, halt, window, msr, rescues, rescued, fetches;
    } count;
} KvmVcpu;

extern const AccelOps kvm_accel_ops;

/* ---- probe.c ---- */

/* Open KVM and learn what it can do: fd (to be closed by the caller) or -1 with the reason and its fix. */
int kvm_probe(const KvmSys *sys, KvmCaps *caps, GError **error);
/* The same for AccelOps, nothing kept open. */
bool kvm_usable(const KvmSys *sys, GError **error);

/* ---- kvm.c ---- */

static inline KvmAccel *kvm_of(Accel *accel)
{
    return container_of(accel, KvmAccel, accel);
}

/* Before vCPUs run: KVM gets the maps. */
void kvm_map(KvmAccel *k);
/* As AccelOps.create, over other system calls. */
Accel *kvm_new(struct Machine *m, const KvmSys *sys, const char *opts, GError **error);

/* ---- options.c ---- */

extern const char kvm_options_help[];
typedef struct KvmOptions {
    KvmIrqchip irqchip;
    uint32_t dirty_ring; /* entries; 0: bitmaps */
} KvmOptions;
/* text: as AccelOps.create's opts. */
bool kvm_options_parse(KvmOptions *out, const char *text, GError **error);

/* ---- cpuid.c ---- */

/* KVM_GET_SUPPORTED_CPUID, owned by the caller; NULL with an error. */
struct kvm_cpuid2 *kvm_host_cpuid(const KvmSys *sys, int fd, GError **error);
/* What a guest of this KVM, with our interrupt controllers, can have. */
void kvm_host_features(const struct kvm_cpuid2 *host, const KvmCaps *caps, FeatureSet *out);
/* Clear from *set what this host's KVM lacks. */
bool kvm_limit_features(const KvmSys *sys, FeatureSet *set, GError **error);
/* Is this KVM good enough to be chosen when nobody named it? */
bool kvm_worthwhile(const KvmSys *sys, GError **error);
/* Give the vCPU its CPUID. */
bool kvm_set_cpuid(KvmVcpu *v, GError **error);

/* ---- memory.c ---- */

/* The flat view changed: make the slots equal to it.  Inside the exclusive section. */
void kvm_update_slots(KvmAccel *k);
/* Before KVM_RUN, not inside of an exclusive section: make the slots agree with X86Cpu.a20_mask. */
void kvm_look_at_a20(KvmVcpu *v);
/* Whether writes are logged has changed.  The same. */
void kvm_tell_slots(KvmAccel *k);

/* ---- late.c ---- */

void kvm_init_late(KvmAccel *k);
/* A flat view changed.  Inside the exclusive section. */
void kvm_update_late(KvmAccel *k);
/* The vCPU's kvm_run is mapped. */
void kvm_late_map(KvmVcpu *v);
/* Deliver what waits.  Any thread, before it looks at a device on the guest's behalf. */
void kvm_deliver_late(KvmAccel *k);

/* ---- debug.c ---- */

/* As AccelOps. */
bool kvm_stops_changed(Accel *accel, const GArray *points, GError **error);
/* Before KVM_RUN: a debugger's points, if they changed.  False: KVM refused, which was told to the user. */
bool kvm_give_points(KvmVcpu *v);
/* The exit of a breakpoint, or of the guest's own #DB. */
void kvm_debug_exit(KvmVcpu *v);
/* One instruction, with its stop noted.  False: the processor sleeps. */
bool kvm_step(KvmVcpu *v);
/* A stop was noted: report it, and park at the next look at events. */
void kvm_stop(KvmVcpu *v);

/* ---- dirty.c ---- */

/* Before the first vCPU.  ring_size: see KvmOptions. */
bool kvm_dirty_init(KvmAccel *k, uint32_t ring_size, GError **error);
/* Slots are about to change: what was written so far goes to RAM's log.  Inside the exclusive section. */
void kvm_collect_dirty(KvmAccel *k);
bool kvm_ring_map(KvmVcpu *v, GError **error);
void kvm_ring_unmap(KvmVcpu *v);
/* The exit that asks for room.  The vCPU's thread. */
void kvm_ring_full(KvmVcpu *v);

/* ---- ioevents.c ---- */

void kvm_init_ioevents(KvmAccel *k);
/* A flat view or a region's notifiers changed.  Inside the exclusive section. */
void kvm_update_ioevents(KvmAccel *k);

/* ---- state.c, fpu.c, msrs.c ---- */

/* X86Cpu <-> KVM, if it is not there yet.  False: KVM refused, which was told to the user. */
bool kvm_fetch_state(KvmVcpu *v);
bool kvm_store_state(KvmVcpu *v);
int kvm_get_fpu(KvmVcpu *v); /* these four: 0 or -errno */
int kvm_set_fpu(KvmVcpu *v);
int kvm_get_msrs(KvmVcpu *v);
int kvm_set_msrs(KvmVcpu *v);
/* The local APIC's base register, and running, halted or waiting for SIPI, in KVM's own APIC: 0 or -errno. */
int kvm_set_apic_base(KvmVcpu *v, uint64_t base);
int kvm_set_mp_state(KvmVcpu *v);
/* Find out which registers this KVM knows. */
void kvm_probe_msrs(KvmAccel *k, int vcpu_fd);
/* Part of the state that moves: when KVM refuses an access to it, that is final. */
bool kvm_msr_moves(uint32_t msr);

/* ---- vm.c ---- */

/* *error from -errno and what was tried; false. */
bool kvm_fail(GError **error, int r, const char *what);
/* KVM_ENABLE_CAP: 0 or -errno. */
int kvm_enable(const KvmAccel *k, uint32_t what, uint64_t arg);
/* The virtual machine of kvm->fd; its parts that exist on failure are closed by the caller. */
bool kvm_set_up_vm(KvmAccel *k, GError **error);

/* ---- tsc.c ---- */

/* The machine's rate is KVM's if the guest has not seen another; otherwise KVM's must be, or become, the machine's. */
bool kvm_choose_tsc_rate(KvmVcpu *v, GError **error);
/* The vCPU's thread.  value: KVM's counter, read just now; moved: by how much the guest has changed it since. */
void kvm_tsc_fetched(KvmVcpu *v, uint64_t value, uint64_t moved);
void kvm_tsc_store(KvmVcpu *v);
/* All vCPUs parked, the machine's clock runs: what KVM's clocks have shown is the machine's; and the other way round. */
void kvm_clocks_stop(KvmAccel *k);
void kvm_clocks_start(KvmAccel *k);

/* ---- vcpu.c ---- */

/* As AccelOps. */
bool kvm_vcpu_create(Accel *accel, struct X86Cpu *cpu, GError **error);
void kvm_kick(Accel *accel, struct X86Cpu *cpu);
/* Its thread has ended. */
void kvm_vcpu_free(KvmVcpu *v);

/* ---- run.c ---- */

/* The loop of a vCPU's thread; opaque is the KvmVcpu. */
void *kvm_vcpu_run(void *opaque);
/* Any thread. */
void kvm_vcpu_kick(KvmVcpu *v);

/* ---- pause.c ---- */

/* As AccelOps. */
void kvm_pause(Accel *accel);
void kvm_resume(Accel *accel);

/* ---- exits.c ---- */

/* Act on kvm_run after KVM_RUN returned 0. */
void kvm_handle_exit(KvmVcpu *v);
/* A message with the processor's state, and the machine stops. */
void kvm_give_up(KvmVcpu *v, const char *format, ...) G_GNUC_PRINTF(2, 3);
void kvm_triple_fault(KvmVcpu *v);

/* ---- rescue.c ---- */

/* Execute what KVM cannot, in the interpreter; `why` for the log. */
void kvm_rescue(KvmVcpu *v, const char *why);
/* Deliver an event on X86Cpu, which has the state.  False: triple fault, already served. */
bool kvm_deliver(KvmVcpu *v, unsigned vector, IntKind kind, bool has_error, uint32_t error);
/* One instruction in the interpreter, with what it raises; X86Cpu has the state. */
void kvm_interpret_one(KvmVcpu *v);
/* Deliver #DB with these bits of DR6, on X86Cpu, which has the state. */
void kvm_raise_db(KvmVcpu *v, uint64_t dr6);
/* RDMSR, WRMSR by our own model.  False: #GP. */
bool kvm_read_own_msr(KvmVcpu *v, uint32_t msr, uint64_t *value);
bool kvm_write_own_msr(KvmVcpu *v, uint32_t msr, uint64_t value);
