/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A debugger's points under KVM, in the processor's debug registers, and its steps, which the interpreter does: it knows what
 * becomes of the guest's own TF, and no PUSHF shows ours.  While there are points the guest's own breakpoints do not fire.
 * Spec: Linux Documentation/virt/kvm/api.rst, KVM_SET_GUEST_DEBUG; Intel SDM vol 3 section 17.2.
 */
#include <errno.h>

#include "accel/kvm/kvm.h"
#include "target/x86/debug.h"
#include "target/x86/stops.h"

enum { NUM_POINTS = 4, DR6_HITS = 15 };

/* DR7's four bits of a point: R/W and LEN; -1: there is no such breakpoint. */
static int dr7_bits(const StopPoint *p)
{
    static const struct {
        uint32_t len;
        int bits;
    } lengths[] = {{1, 0}, {2, 1 << 2}, {4, 3 << 2}, {8, 2 << 2}};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        if (lengths[i].len == p->len && (p->lin & (p->len - 1)) == 0) {
            return p->kind == STOP_EXEC ? (p->len == 1 ? 0 : -1) : lengths[i].bits | (p->kind == STOP_WRITE ? 1 : 3);
        }
    }
    return -1;
}

bool kvm_stops_changed(Accel *accel, const GArray *points, GError **error)
{
    KvmAccel *k = kvm_of(accel);
    const char *why = points->len == 0         ? NULL
                      : !k->caps.guest_debug   ? "the host's KVM has no breakpoints"
                      : points->len > NUM_POINTS ? "under KVM there are four breakpoints and watchpoints"
                                               : NULL;
    for (guint i = 0; !why && i < points->len; i++) {
        if (dr7_bits(&g_array_index(points, StopPoint, i)) < 0) {
            why = "under KVM a watchpoint has 1, 2, 4 or 8 bytes and is aligned to them";
        }
    }
    for (guint i = 0; i < k->vcpus->len; i++) {
        ((KvmVcpu *)g_ptr_array_index(k->vcpus, i))->points_stale = true;
    }
    if (why) {
        g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, why);
    }
    return !why;
}

bool kvm_give_points(KvmVcpu *v)
{
    const GArray *points = v->cpu->stops ? v->cpu->stops->points : NULL;
    struct kvm_guest_debug d = {0};
    if (!v->points_stale || !v->kvm->caps.guest_debug) {
        return true;
    }
    for (guint n = 0; points && n < MIN(points->len, NUM_POINTS); n++) {
        const StopPoint *p = &g_array_index(points, StopPoint, n);
        int bits = dr7_bits(p);
        d.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
        d.arch.debugreg[n] = p->lin;
        d.arch.debugreg[7] |= DR7_FIXED | (bits < 0 ? 0 : 2ull << (2 * n) | (uint64_t)bits << (16 + 4 * n));
    }
    int r = kvm_ioctl(v->kvm->sys, v->fd, KVM_SET_GUEST_DEBUG, &d);
    if (r < 0) {
        kvm_give_up(v, "KVM does not take breakpoints: %s", g_strerror(-r));
        return false;
    }
    v->points_stale = false;
    return true;
}

void kvm_debug_exit(KvmVcpu *v)
{
    const struct kvm_debug_exit_arch *d = &v->run->debug.arch;
    const GArray *points = v->cpu->stops ? v->cpu->stops->points : NULL;
    unsigned hits = (unsigned)d->dr6 & DR6_HITS;
    unsigned n = hits ? (unsigned)__builtin_ctz(hits) : 0;
    if (d->exception != EXC_DB) {
        kvm_give_up(v, "KVM reports a breakpoint of vector %u, which nobody set", d->exception);
    } else if (hits && points && n < points->len) {
        const StopPoint *p = &g_array_index(points, StopPoint, n);
        stops_note(v->cpu, p->kind, p->lin);
    } else if (kvm_fetch_state(v)) {
        kvm_raise_db(v, d->dr6 & (DR6_HITS | DR6_BD | DR6_BS | DR6_BT)); /* the guest's own */
    }
}

bool kvm_step(KvmVcpu *v)
{
    if (!kvm_fetch_state(v) || v->cpu->halted || v->cpu->wait_sipi) {
        return false;
    }
    stops_note(v->cpu, STOP_STEP, 0); /* a watchpoint replaces it */
    kvm_interpret_one(v);
    return true;
}

void kvm_stop(KvmVcpu *v)
{
    kvm_fetch_state(v); /* for the debugger's eyes */
    stops_report(v->cpu);
    vcpu_thread_hold(&v->thread);
}
