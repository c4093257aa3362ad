/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each ioctl of a life that has everything but interrupt controllers in the kernel fails once (kvm_irqchip.c has those): nothing
 * crashes, leaks or hangs, and no kind of ioctl is left out.  So does every exit reason.
 */
#include <unistd.h>

#include "hw/core/notify.h"
#include "target/x86/stops.h"
#include "tests/unit/kvm_rig.h"

enum { PAGES = 1024 };

/* As KvmSys.ioctl sees them. */
static const struct {
    unsigned long request;
    const char *name;
} kinds[] = {
#define KIND(name) {KVM_##name, #name}
    KIND(GET_API_VERSION), KIND(CHECK_EXTENSION), KIND(GET_SUPPORTED_CPUID), KIND(GET_VCPU_MMAP_SIZE), KIND(CREATE_VM),
    KIND(CREATE_VCPU), KIND(SET_USER_MEMORY_REGION), KIND(SET_TSS_ADDR), KIND(SET_IDENTITY_MAP_ADDR), KIND(ENABLE_CAP),
    KIND(GET_CLOCK), KIND(SET_CLOCK), KIND(IOEVENTFD), KIND(REGISTER_COALESCED_MMIO), KIND(UNREGISTER_COALESCED_MMIO),
    KIND(GET_DIRTY_LOG), KIND(CLEAR_DIRTY_LOG), KIND(RESET_DIRTY_RINGS), KIND(SET_CPUID2), KIND(SET_TSC_KHZ), KIND(GET_TSC_KHZ),
    KIND(RUN), KIND(GET_REGS), KIND(SET_REGS), KIND(GET_SREGS), KIND(SET_SREGS), KIND(GET_XSAVE), KIND(SET_XSAVE),
    KIND(GET_FPU), KIND(SET_FPU), KIND(GET_XCRS), KIND(SET_XCRS), KIND(GET_MSRS), KIND(SET_MSRS), KIND(GET_VCPU_EVENTS),
    KIND(SET_VCPU_EVENTS), KIND(GET_DEBUGREGS), KIND(SET_DEBUGREGS), KIND(INTERRUPT), KIND(NMI), KIND(SET_GUEST_DEBUG),
};
static bool refused[ARRAY_LEN(kinds)];

static int exit_hlt(Fake *f, struct kvm_run *run)
{
    Rig *r = f->opaque;
    run->exit_reason = KVM_EXIT_HLT;
    r->intr = true;
    cpu_raise_event(r->cpu, EVENT_INTR);
    return 0;
}

static int exit_nmi(Fake *f, struct kvm_run *run)
{
    Rig *r = f->opaque;
    run->exit_reason = KVM_EXIT_INTR;
    f->events.nmi.masked = 1;
    cpu_raise_event(r->cpu, EVENT_NMI);
    return 0;
}

static void on_hit(void *opaque, X86Cpu *cpu, StopKind kind, gva_t lin)
{
}

static void go(Rig *r)
{
    __atomic_store_n(&r->fake.done, false, __ATOMIC_SEQ_CST);
    kvm_accel_ops.resume(r->accel);
    rig_wait(r);
    kvm_accel_ops.pause(r->accel);
}

static void use_memory(Rig *r)
{
    uint64_t bitmap[PAGES / 64];
    Region over = {.name = "over", .kind = REGION_RAM, .size = PAGE_SIZE, .host = r->m->ram->host};
    dirty_log(r->m, DIRTY_DISPLAY, 0, PAGES, true);
    dirty_take(r->m, DIRTY_DISPLAY, 0, PAGES, bitmap);
    Mapping *mapping = space_map(r->m->memory, MMIO_BASE, &over, 0, PAGE_SIZE, 1);
    space_unmap(r->m->memory, mapping);
    r->cpu->a20_mask = ~BIT64(20);
    go(r);
    r->cpu->a20_mask = UINT64_MAX;
}

static void use_points(Rig *r)
{
    Stops *stops = stops_new(r->m, on_hit, NULL);
    stops_insert(stops, (StopPoint){STOP_EXEC, 0x1234, 1}, NULL);
    go(r);
    stops_free(stops);
    go(r);
}

static unsigned long live(const char *opts, unsigned lacks, bool other_rate, unsigned fail_at)
{
    static FakeExit *const script[] = {exit_hlt, exit_nmi, NULL};
    GError *error = NULL;
    Rig *r = rig_new(script);
    int fd = event_new(NULL);
    WriteNotifier kick = {.offset = 0, .size = 1, .fd = fd};
    region_allow_late(&r->mmio, 8, 16);
    r->mmio.notifiers = &kick;
    r->mmio.num_notifiers = 1;
    r->opts = opts;
    r->fake.opaque = r;
    r->fake.lacks = lacks;
    if (other_rate) { /* the guest has run elsewhere */
        r->m->tsc = tick_rate(2000000);
        run_set_state(r->m->run, RUN_PAUSED);
    }
    r->fake.fail_at = fail_at;
    if (rig_start(r, &error)) {
        rig_wait(r);
        kvm_accel_ops.pause(r->accel);
        use_memory(r);
        use_points(r);
    } else {
        g_assert_nonnull(error);
        g_clear_error(&error);
    }
    unsigned long request = r->fake.failed;
    rig_free(r);
    g_assert_cmpint(event_take(fd), ==, 0);
    close(fd);
    return request;
}

static void test_all(void)
{
    static const struct {
        const char *opts;
        unsigned lacks;
        bool other_rate;
    } lives[] = {{NULL, 0, false}, {NULL, KVM_CAP_XSAVE, true}, {"dirty-ring-size=1024", 0, false}};
    for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
        unsigned long request;
        for (unsigned n = 1; (request = live(lives[i].opts, lives[i].lacks, lives[i].other_rate, n)); n++) {
            for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
                refused[k] |= kinds[k].request == request;
            }
        }
    }
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        if (!refused[k]) {
            g_test_message("KVM_%s was never asked for", kinds[k].name);
            g_test_fail();
        }
    }
}

/* ---- exits ---- */

typedef struct Exit {
    uint32_t reason, detail;
} Exit;

static int exit_given(Fake *f, struct kvm_run *run)
{
    const Exit *e = f->opaque;
    run->exit_reason = e->reason;
    if (e->reason == KVM_EXIT_SYSTEM_EVENT) {
        run->system_event.type = e->detail;
    } else if (e->reason == KVM_EXIT_INTERNAL_ERROR) {
        run->internal.suberror = e->detail;
    } else if (e->reason == KVM_EXIT_HYPERV) {
        run->hyperv.type = e->detail;
    }
    return 0;
}

/* What becomes of the machine: '-' goes on, 's' stops with a message, 'r' is reset, 'x' ends. */
static char outcome(Exit e)
{
    static FakeExit *const script[] = {exit_given, NULL};
    Rig *r = rig_new(script);
    r->fake.opaque = &e;
    g_assert_true(rig_start(r, NULL));
    RunRequests asked = rig_wait(r);
    kvm_accel_ops.pause(r->accel);
    rig_free(r);
    return asked.stop ? 's' : asked.reset ? 'r' : asked.exit ? 'x' : '-';
}

/* Every reason there is and some that there are not, with nothing else told: none crashes, and none is passed over in silence. */
static void test_every_exit(void)
{
    enum { MOST = 60 };
    static const uint32_t goes_on[] = {
        KVM_EXIT_HYPERCALL, KVM_EXIT_IRQ_WINDOW_OPEN, KVM_EXIT_FAIL_ENTRY, KVM_EXIT_INTR, KVM_EXIT_SET_TPR, KVM_EXIT_NMI,
        KVM_EXIT_IOAPIC_EOI, KVM_EXIT_HYPERV, KVM_EXIT_X86_RDMSR, KVM_EXIT_X86_WRMSR, KVM_EXIT_X86_BUS_LOCK, KVM_EXIT_NOTIFY,
    };
    for (uint32_t reason = 0; reason < MOST; reason++) {
        char want = reason == KVM_EXIT_SHUTDOWN ? 'r' : 's';
        for (size_t i = 0; i < ARRAY_LEN(goes_on); i++) {
            want = goes_on[i] == reason ? '-' : want;
        }
        if (reason != KVM_EXIT_HLT) { /* it sleeps; test_all() wakes it */
            g_test_message("exit reason %u", reason);
            g_assert_cmpint(outcome((Exit){reason, 0}), ==, want);
        }
    }
    static const struct {
        Exit exit;
        char want;
    } details[] = {
        {{KVM_EXIT_SYSTEM_EVENT, KVM_SYSTEM_EVENT_SHUTDOWN}, 'x'}, {{KVM_EXIT_SYSTEM_EVENT, KVM_SYSTEM_EVENT_RESET}, 'r'},
        {{KVM_EXIT_SYSTEM_EVENT, KVM_SYSTEM_EVENT_CRASH}, 'r'}, {{KVM_EXIT_SYSTEM_EVENT, 99}, 's'},
        {{KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_EMULATION}, '-'},
        {{KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_SIMUL_EX}, '-'},
        {{KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_DELIVERY_EV}, '-'},
        {{KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON}, '-'},
        {{KVM_EXIT_HYPERV, KVM_EXIT_HYPERV_HCALL}, '-'},
    };
    for (size_t i = 0; i < ARRAY_LEN(details); i++) {
        g_assert_cmpint(outcome(details[i].exit), ==, details[i].want);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/refusals", test_all);
    g_test_add_func("/kvm/every_exit", test_every_exit);
    return g_test_run();
}
