/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accel/kvm over a test KVM: every capability absent, every exit, every ioctl failing, storms of EINTR. */
#include <errno.h>
#include <string.h>

#include "target/x86/cpuid.h"
#include "target/x86/tsc.h"
#include "tests/unit/kvm_rig.h"

/* ---- exits ---- */

static int exit_outs(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_IO;
    run->io.direction = KVM_EXIT_IO_OUT;
    run->io.size = 1;
    run->io.port = PORT;
    run->io.count = 3;
    run->io.data_offset = 4096;
    memcpy((uint8_t *)run + 4096, "abc", 3);
    return 0;
}

static int exit_in(Fake *f, struct kvm_run *run)
{
    exit_outs(f, run);
    run->io.direction = KVM_EXIT_IO_IN;
    run->io.count = 2;
    return 0;
}

static int exit_store(Fake *f, struct kvm_run *run)
{
    g_assert_cmpmem((uint8_t *)run + 4096, 2, "\x5a\x5a", 2); /* what exit_in asked for */
    run->exit_reason = KVM_EXIT_MMIO;
    run->mmio.phys_addr = MMIO_BASE + 8;
    run->mmio.len = 4;
    run->mmio.is_write = 1;
    memcpy(run->mmio.data, "\x01\x02\x03\x04", 4);
    return 0;
}

static int exit_load(Fake *f, struct kvm_run *run)
{
    run->mmio.is_write = 0;
    run->mmio.len = 8;
    return 0;
}

static int exit_rdmsr(Fake *f, struct kvm_run *run)
{
    uint64_t got;
    memcpy(&got, run->mmio.data, 8);
    g_assert_cmphex(got, ==, 0x1122334455667788);
    run->exit_reason = KVM_EXIT_X86_RDMSR;
    run->msr.index = 0x802;
    return 0;
}

static int exit_wrmsr_bad(Fake *f, struct kvm_run *run)
{
    g_assert_cmpuint(run->msr.error, ==, 0);
    g_assert_cmphex(run->msr.data, ==, 7);
    run->exit_reason = KVM_EXIT_X86_WRMSR;
    run->msr.index = 0x12345;
    return 0;
}

static int exit_tpr(Fake *f, struct kvm_run *run)
{
    g_assert_cmpuint(run->msr.error, !=, 0);
    run->exit_reason = KVM_EXIT_SET_TPR;
    run->cr8 = 5;
    return 0;
}

static int exit_window(Fake *f, struct kvm_run *run)
{
    g_assert_cmpuint(run->cr8, ==, 5);
    run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
    return 0;
}

static int exit_halt(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_HLT;
    return 0;
}

static int exit_emulation(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
    run->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
    return 0;
}

/* After the rescue of "inc eax" above: KVM got the processor back behind it. */
static int exit_after_rescue(Fake *f, struct kvm_run *run)
{
    g_assert_cmphex(f->regs.rip, ==, CODE + 1);
    g_assert_cmphex(f->regs.rax, ==, 1);
    run->exit_reason = KVM_EXIT_FAIL_ENTRY;
    return 0;
}

static int exit_fault(Fake *f, struct kvm_run *run)
{
    g_assert_cmphex(f->regs.rip, >, CODE + 1);
    return -EFAULT;
}

static int exit_none(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_NOTIFY;
    return 0;
}

#define EXIT(name, reason)                                                                                            \
    static int name(Fake *f, struct kvm_run *run)                                                                     \
    {                                                                                                                 \
        run->exit_reason = (reason);                                                                                  \
        return 0;                                                                                                     \
    }
EXIT(exit_shutdown, KVM_EXIT_SHUTDOWN)
EXIT(exit_unknown, KVM_EXIT_UNKNOWN)
EXIT(exit_future, 9999)
EXIT(exit_hypercall, KVM_EXIT_HYPERCALL)

static int exit_bad_io(Fake *f, struct kvm_run *run)
{
    exit_outs(f, run);
    run->io.count = UINT32_MAX;
    return 0;
}

static int exit_bad_mmio(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_MMIO;
    run->mmio.len = 200;
    return 0;
}

static int exit_internal(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
    run->internal.suberror = 77;
    return 0;
}

static int exit_system(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
    run->system_event.type = KVM_SYSTEM_EVENT_RESET;
    return 0;
}

static int exit_einval(Fake *f, struct kvm_run *run)
{
    return -EINVAL;
}

static FakeExit *const everything[] = {
    exit_outs, exit_in, exit_store, exit_load, exit_rdmsr, exit_wrmsr_bad, exit_tpr, exit_window,
    exit_emulation, exit_after_rescue, exit_fault, exit_hypercall, exit_none, NULL,
};

/* ---- tests ---- */

static void test_probe(void)
{
    static const struct {
        int err;
        const char *says;
    } opens[] = {{ENOENT, "kvm_intel"}, {EACCES, "usermod"}, {ENODEV, "firmware"}, {EBUSY, "busy"}, {EIO, "cannot open"}};
    static const unsigned required[] = {KVM_CAP_USER_MEMORY, KVM_CAP_DESTROY_MEMORY_REGION_WORKS, KVM_CAP_EXT_CPUID,
                                        KVM_CAP_IMMEDIATE_EXIT};
    Fake f;
    for (size_t i = 0; i < ARRAY_LEN(opens); i++) {
        g_autoptr(GError) error = NULL;
        fake_init(&f);
        f.open_error = opens[i].err;
        g_assert_false(kvm_usable(&f.sys, &error));
        g_assert_nonnull(strstr(error->message, opens[i].says));
    }
    for (size_t i = 0; i < ARRAY_LEN(required); i++) {
        g_autoptr(GError) error = NULL;
        fake_init(&f);
        f.lacks = required[i];
        g_assert_false(kvm_usable(&f.sys, &error));
        g_assert_nonnull(strstr(error->message, "too old"));
        g_assert_cmpint(f.fds, ==, 0);
    }
    g_autoptr(GError) error = NULL;
    fake_init(&f);
    f.version = 11;
    g_assert_false(kvm_usable(&f.sys, &error));
    g_assert_nonnull(strstr(error->message, "version 11"));
    fake_init(&f);
    g_assert_true(kvm_usable(&f.sys, NULL));
    g_assert_true(kvm_worthwhile(&f.sys, NULL));
    g_assert_cmpint(f.fds, ==, 0);
}

static void check_everything(Rig *r)
{
    RunRequests asked = rig_wait(r);
    kvm_accel_ops.pause(r->accel);
    g_assert_false(asked.stop);
    g_assert_cmpmem(r->written, r->num_written, "abc", 3);
    g_assert_cmphex(r->stored, ==, 0x04030201);
    g_assert_cmpuint(r->tpr, ==, 5);
    /* ADDPS by the last rescue; the state is in X86Cpu now. */
    g_assert_cmphex(r->cpu->rip, ==, CODE + 5);
    g_assert_cmphex(r->cpu->r[RAX], ==, 1);
}

static void test_exits(void)
{
    Rig *r = rig_new(everything);
    g_assert_true(rig_start(r, NULL));
    check_everything(r);
    g_assert_cmpuint(r->fake.slots, ==, 1);
    /* pausing and resuming moves all of it there and back */
    r->cpu->r[RBX] = 0x1234;
    r->cpu->v[3].q[1] = 0x5678;
    r->cpu->v[4].q[3] = 0x9abc;
    r->cpu->fpu.cw = 0x27f;
    ((KvmVcpu *)r->cpu->engine)->xsave[512] |= 0x20; /* a component of the host's, which X86Cpu has not */
    ((KvmVcpu *)r->cpu->engine)->xsave[1000] = 0x77;
    r->fake.done = false;
    kvm_accel_ops.resume(r->accel);
    rig_wait(r);
    kvm_accel_ops.pause(r->accel);
    g_assert_cmphex(((uint8_t *)&r->fake.xsave)[512] & 0x27, ==, 0x27);
    g_assert_cmphex(((uint8_t *)&r->fake.xsave)[1000], ==, 0x77);
    r->cpu->r[RBX] = r->cpu->v[3].q[1] = r->cpu->v[4].q[3] = 0;
    ((KvmVcpu *)r->cpu->engine)->here = false;
    g_assert_true(kvm_fetch_state(r->cpu->engine));
    g_assert_cmphex(r->cpu->r[RBX], ==, 0x1234);
    g_assert_cmphex(r->cpu->v[3].q[1], ==, 0x5678);
    g_assert_cmphex(r->cpu->v[4].q[3], ==, 0x9abc);
    g_assert_cmphex(r->cpu->fpu.cw & 0xf7f, ==, 0x27f);
    rig_free(r);
}

static void test_absent(void)
{
    static const unsigned optional[] = {
        KVM_CAP_READONLY_MEM, KVM_CAP_XSAVE, KVM_CAP_XSAVE2, KVM_CAP_XCRS, KVM_CAP_VCPU_EVENTS, KVM_CAP_INTR_SHADOW,
        KVM_CAP_DEBUGREGS, KVM_CAP_USER_NMI, KVM_CAP_EXIT_ON_EMULATION_FAILURE, KVM_CAP_SET_TSS_ADDR,
        KVM_CAP_SET_IDENTITY_MAP_ADDR, KVM_CAP_TSC_CONTROL, KVM_CAP_ADJUST_CLOCK, KVM_CAP_NR_MEMSLOTS, KVM_CAP_MAX_VCPUS,
        KVM_CAP_X86_USER_SPACE_MSR, KVM_CAP_IOEVENTFD, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
        KVM_CAP_COALESCED_MMIO, KVM_CAP_COALESCED_PIO, KVM_CAP_SET_GUEST_DEBUG,
    };
    for (size_t i = 0; i < ARRAY_LEN(optional); i++) {
        Rig *r = rig_new(everything);
        r->fake.lacks = optional[i];
        g_assert_true(rig_start(r, NULL));
        check_everything(r);
        rig_free(r);
    }
}

static void test_storm(void)
{
    Rig *r = rig_new(everything);
    r->fake.storm = 20000;
    g_assert_true(rig_start(r, NULL));
    check_everything(r);
    rig_free(r);
}

/* Each ioctl of a whole life fails once: creation says so, or the machine stops with a message, or nothing happens. */
static void test_failures(void)
{
    unsigned calls = 1;
    for (unsigned n = 0; n <= calls; n++) { /* 0: none fails, which tells how many there are */
        Rig *r = rig_new((FakeExit *const[]){exit_none, exit_emulation, exit_none, NULL});
        g_autoptr(GError) error = NULL;
        r->fake.fail_at = n;
        if (rig_start(r, &error)) {
            rig_wait(r);
            kvm_accel_ops.pause(r->accel);
        } else {
            g_assert_nonnull(error);
        }
        calls = MAX(calls, r->fake.calls);
        rig_free(r);
    }
    g_assert_cmpuint(calls, >, 50);
}

static void test_endings(void)
{
    static const struct {
        FakeExit *exit;
        bool stop, reset;
    } endings[] = {
        {exit_shutdown, false, true}, {exit_system, false, true},  {exit_unknown, true, false}, {exit_future, true, false},
        {exit_bad_io, true, false},   {exit_bad_mmio, true, false}, {exit_internal, true, false}, {exit_einval, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        Rig *r = rig_new((FakeExit *const[]){endings[i].exit, NULL});
        g_assert_true(rig_start(r, NULL));
        RunRequests asked = rig_wait(r);
        g_assert_cmpint(asked.stop, ==, endings[i].stop);
        g_assert_cmpint(asked.reset, ==, endings[i].reset);
        kvm_accel_ops.pause(r->accel);
        rig_free(r);
    }
}

/* HLT sleeps until the interrupt line rises; the vector goes in by KVM_INTERRUPT. */
static void test_interrupt(void)
{
    Rig *r = rig_new((FakeExit *const[]){exit_halt, NULL});
    g_assert_true(rig_start(r, NULL));
    machine_unlock(r->m->lock);
    g_usleep(20000);
    g_assert_false(__atomic_load_n(&r->fake.done, __ATOMIC_SEQ_CST));
    machine_lock(r->m->lock);
    r->intr = true;
    cpu_set_intr(r->cpu, true);
    rig_wait(r);
    g_assert_true(r->fake.done);
    g_assert_cmpuint(r->fake.num_vectors, ==, 1);
    g_assert_cmpuint(r->fake.vectors[0], ==, VECTOR);
    kvm_accel_ops.pause(r->accel);
    rig_free(r);
}

/* What KVM accepted and did not deliver is delivered when the state comes over: real mode, vector 0x41 to 0:0x2000. */
static void test_pending(void)
{
    Rig *r = rig_new((FakeExit *const[]){exit_none, NULL});
    r->m->ram->host[VECTOR * 4 + 1] = 0x20;
    r->cpu->r[RSP] = 0x8000;
    g_assert_true(rig_start(r, NULL));
    rig_wait(r);
    r->fake.events.interrupt.injected = 1;
    r->fake.events.interrupt.nr = VECTOR;
    kvm_accel_ops.pause(r->accel);
    g_assert_cmphex(r->cpu->rip, ==, 0x2000);
    g_assert_cmphex(r->cpu->r[RSP], ==, 0x7ffa);
    rig_free(r);
}

/* Two pieces of one access: a pause between them serves the second, too. */
static int exit_first_piece(Fake *f, struct kvm_run *run)
{
    exit_outs(f, run);
    run->io.count = 1;
    f->fragment = true;
    cpu_raise_event(f->opaque, EVENT_STOP); /* the pause comes while this one is served */
    return 0;
}

static void test_pieces(void)
{
    Rig *r = rig_new((FakeExit *const[]){exit_first_piece, NULL});
    r->fake.opaque = r->cpu;
    g_assert_true(rig_start(r, NULL));
    rig_wait(r);
    kvm_accel_ops.pause(r->accel);
    g_assert_cmpmem(r->written, r->num_written, "aa", 2);
    rig_free(r);
}

/* A register of the moving state that KVM refuses stays refused; the local APIC's are our own. */
static int exit_efer(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_X86_WRMSR;
    run->msr.reason = KVM_MSR_EXIT_REASON_INVAL;
    run->msr.index = 0xc0000080;
    run->msr.data = 1;
    return 0;
}

static int exit_eoi(Fake *f, struct kvm_run *run)
{
    g_assert_cmpuint(run->msr.error, ==, 1);
    run->msr.index = 0x80b;
    return 0;
}

static int exit_eoi_done(Fake *f, struct kvm_run *run)
{
    g_assert_cmpuint(run->msr.error, ==, 0);
    return exit_none(f, run);
}

static void test_msrs(void)
{
    Rig *r = rig_new((FakeExit *const[]){exit_efer, exit_eoi, exit_eoi_done, NULL});
    g_assert_true(rig_start(r, NULL));
    rig_wait(r);
    g_assert_cmpuint(r->fake.at, ==, 3);
    kvm_accel_ops.pause(r->accel);
    rig_free(r);
}

/* Meanwhile KVM's counters are so much ahead of the clock, which stands still. */
static void run_again(Rig *r, int64_t ticks, int64_t ns)
{
    r->fake.done = false;
    kvm_accel_ops.resume(r->accel);
    r->fake.tsc += (uint64_t)ticks;
    r->fake.clock += (uint64_t)ns;
    rig_wait(r);
    kvm_accel_ops.pause(r->accel);
}

/* The machine's rate is KVM's; its counter is what the clock says after each pause, however short, and never goes back. */
static void test_tsc_over_pause(void)
{
    Rig *r = rig_new(NULL);
    clock_start(r->m->clock);
    g_assert_true(rig_start(r, NULL));
    g_assert_cmpuint(r->m->tsc.khz, ==, FAKE_TSC_KHZ);
    rig_wait(r);
    kvm_accel_ops.pause(r->accel);
    clock_stop(r->m->clock);
    uint64_t stopped = cpu_read_tsc(r->cpu), ns;
    r->fake.tsc += 1000000; /* KVM's go on, unseen: no guest runs */
    r->fake.clock += 1000000;
    run_again(r, 0, 0);
    ns = r->fake.clock;
    g_assert_cmpint((int64_t)ns, ==, clock_now(r->m->clock) + r->m->pvclock_ahead);
    g_assert_cmpuint(r->fake.tsc, ==, stopped);
    g_assert_cmpuint(cpu_read_tsc(r->cpu), ==, stopped);
    /* what the guest has seen of counters that are too fast stays seen */
    run_again(r, 777, 55);
    g_assert_cmpuint(cpu_read_tsc(r->cpu), ==, stopped + 777);
    r->fake.tsc += 1000000;
    r->fake.clock += 1000000;
    run_again(r, 0, 0);
    g_assert_cmpuint(r->fake.tsc, ==, stopped + 777);
    g_assert_cmpuint(r->fake.clock, ==, ns + 55);
    /* those that are too slow are put right */
    run_again(r, -500, -500);
    g_assert_cmpuint(cpu_read_tsc(r->cpu), ==, stopped + 777);
    run_again(r, 0, 0);
    g_assert_cmpuint(r->fake.tsc, ==, stopped + 777);
    g_assert_cmpuint(r->fake.clock, ==, ns + 55);
    rig_free(r);
}

/* A guest that has seen another rate cannot go to a KVM that cannot scale; one within its tolerance can. */
static void test_tsc_rate(void)
{
    static const struct {
        uint32_t khz;
        unsigned lacks;
        bool works;
    } cases[] = {{2000000, 0, true}, {2000000, KVM_CAP_TSC_CONTROL, false}, {FAKE_TSC_KHZ - 500, KVM_CAP_TSC_CONTROL, true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Rig *r = rig_new(NULL);
        g_autoptr(GError) error = NULL;
        r->fake.lacks = cases[i].lacks;
        r->m->tsc = tick_rate(cases[i].khz);
        run_set_state(r->m->run, RUN_RUNNING);
        g_assert_cmpint(rig_start(r, &error), ==, cases[i].works);
        g_assert_cmpint(error != NULL, ==, !cases[i].works);
        g_assert_cmpuint(r->m->tsc.khz, ==, cases[i].khz);
        if (cases[i].works) {
            rig_wait(r);
            kvm_accel_ops.pause(r->accel);
        }
        rig_free(r);
    }
}

static void test_slots(void)
{
    Rig *r = rig_new(NULL);
    g_assert_true(rig_start(r, NULL));
    Region rom = {.name = "rom", .kind = REGION_ROM, .size = PAGE_SIZE, .host = r->m->ram->host};
    Mapping *mapping = space_map(r->m->memory, 0x10000, &rom, 0, PAGE_SIZE, 1);
    g_assert_cmpuint(r->fake.slots, ==, 3); /* RAM before it, it, RAM behind it */
    space_move(r->m->memory, mapping, 0x20000);
    g_assert_cmpuint(r->fake.slots, ==, 3);
    space_unmap(r->m->memory, mapping);
    g_assert_cmpuint(r->fake.slots, ==, 1);
    kvm_accel_ops.pause(r->accel);
    rig_free(r);
}

/* Features come from what KVM supports; the local APIC's deadline timer is not among them. */
static void test_features(void)
{
    Fake f;
    FeatureSet set;
    fake_init(&f);
    memset(&set, 0xff, sizeof(set));
    g_assert_true(kvm_limit_features(&f.sys, &set, NULL));
    g_assert_true(feature_in(&set, FEAT_AVX));
    g_assert_true(feature_in(&set, FEAT_X2APIC));
    g_assert_false(feature_in(&set, FEAT_TSC_DEADLINE));
    g_assert_false(feature_in(&set, FEAT_PKU)); /* no component 9 */
    f.lacks = KVM_CAP_XSAVE;
    g_assert_true(kvm_limit_features(&f.sys, &set, NULL));
    g_assert_false(feature_in(&set, FEAT_XSAVE));
    CpuModel *m = cpu_model_parse("max", NULL);
    g_autofree char *lost = cpu_model_limit(m, &set);
    g_assert_nonnull(strstr(lost, "xsave"));
    g_assert_nonnull(strstr(lost, "avx2")); /* makes no sense without */
    g_assert_false(feature_in(&m->features, FEAT_AVX2));
    cpu_model_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/probe", test_probe);
    g_test_add_func("/kvm/exits", test_exits);
    g_test_add_func("/kvm/absent", test_absent);
    g_test_add_func("/kvm/storm", test_storm);
    g_test_add_func("/kvm/failures", test_failures);
    g_test_add_func("/kvm/endings", test_endings);
    g_test_add_func("/kvm/interrupt", test_interrupt);
    g_test_add_func("/kvm/pending", test_pending);
    g_test_add_func("/kvm/pieces", test_pieces);
    g_test_add_func("/kvm/msrs", test_msrs);
    g_test_add_func("/kvm/tsc_over_pause", test_tsc_over_pause);
    g_test_add_func("/kvm/tsc_rate", test_tsc_rate);
    g_test_add_func("/kvm/slots", test_slots);
    g_test_add_func("/kvm/features", test_features);
    return g_test_run();
}
