/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes that KVM may keep and deliver late, over the test KVM. */
#include <string.h>

#include "tests/unit/kvm_rig.h"

enum { MOST = KVM_COALESCED_MMIO_MAX };

static struct kvm_coalesced_mmio_ring *ring_of(const Fake *f)
{
    return (struct kvm_coalesced_mmio_ring *)(void *)((uint8_t *)f->run + FAKE_LATE_PAGE * 4096);
}

static void keep(Fake *f, bool port, uint64_t addr, uint8_t value)
{
    struct kvm_coalesced_mmio_ring *ring = ring_of(f);
    ring->coalesced_mmio[ring->last] = (struct kvm_coalesced_mmio){.phys_addr = addr, .len = 1, .pio = port, .data = {value}};
    __atomic_store_n(&ring->last, (ring->last + 1) % MOST, __ATOMIC_RELEASE);
}

/* The guest has written 1, 2 to the port without an exit; 3 is the exit. */
static int exit_behind_two(Fake *f, struct kvm_run *run)
{
    keep(f, true, PORT, 1);
    keep(f, true, PORT, 2);
    run->exit_reason = KVM_EXIT_IO;
    run->io.direction = KVM_EXIT_IO_OUT;
    run->io.port = PORT;
    run->io.size = run->io.count = 1;
    run->io.data_offset = 4096;
    *((uint8_t *)run + 4096) = 3;
    return 0;
}

/* Left over when the guest is stopped, at the end of the ring and its beginning. */
static int exit_and_keep(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_INTR;
    ring_of(f)->first = ring_of(f)->last = MOST - 1;
    keep(f, true, PORT, 4);
    keep(f, false, MMIO_BASE, 5);
    return 0;
}

static Rig *start(FakeExit *const *script, unsigned lacks, unsigned fail_at)
{
    Rig *r = rig_new(script);
    r->fake.lacks = lacks;
    region_allow_late(&r->io, 0, 1);
    region_allow_late(&r->mmio, 8, 16);
    space_refresh(r->m->io);
    space_refresh(r->m->memory);
    g_assert_true(rig_start(r, NULL));
    r->fake.fail_at = fail_at;
    return r;
}

static void test_order(void)
{
    static FakeExit *const script[] = {exit_behind_two, NULL};
    Rig *r = start(script, 0, 0);
    rig_wait(r);
    kvm_accel_ops.pause(r->accel);
    g_assert_cmpuint(r->num_written, ==, 3);
    g_assert_cmpint(memcmp(r->written, "\1\2\3", 3), ==, 0);
    rig_free(r);
}

static void test_pause(void)
{
    static FakeExit *const script[] = {exit_and_keep, NULL};
    Rig *r = start(script, 0, 0);
    rig_wait(r);
    kvm_accel_ops.pause(r->accel);
    g_assert_cmpuint(r->num_written, ==, 1);
    g_assert_cmpuint(r->written[0], ==, 4);
    g_assert_cmpuint(r->stored, ==, 5);
    g_assert_cmpuint(ring_of(&r->fake)->first, ==, 1);
    /* what KVM says is checked */
    struct kvm_coalesced_mmio_ring *ring = ring_of(&r->fake);
    ring->coalesced_mmio[1].len = 9;
    ring->coalesced_mmio[2].len = 0;
    ring->last = 3;
    kvm_deliver_late(kvm_of(r->accel));
    g_assert_cmpuint(ring->first, ==, 3);
    ring->first = MOST;
    kvm_deliver_late(kvm_of(r->accel));
    g_assert_cmpuint(r->num_written, ==, 1);
    rig_free(r);
}

static void test_zones(void)
{
    Rig *r = start(NULL, 0, 0);
    Fake *f = &r->fake;
    kvm_accel_ops.pause(r->accel);
    g_assert_cmpuint(f->num_zones, ==, 2);
    g_assert_cmphex(f->zones[0].addr, ==, MMIO_BASE + 8);
    g_assert_cmphex(f->zones[0].size, ==, 16);
    g_assert_cmpuint(f->zones[0].pio, ==, 0);
    g_assert_cmphex(f->zones[1].addr, ==, PORT);
    g_assert_cmpuint(f->zones[1].pio, ==, 1);
    /* only what of it is visible */
    Region over = {.name = "over", .kind = REGION_RAM, .size = 16, .host = r->m->ram->host};
    Mapping *mapping = space_map(r->m->memory, MMIO_BASE + 16, &over, 0, 16, 1);
    g_assert_cmpuint(f->num_zones, ==, 2);
    g_assert_cmphex(f->zones[1].size, ==, 8);
    space_unmap(r->m->memory, mapping);
    g_assert_cmphex(f->zones[1].size, ==, 16);
    rig_free(r);
}

static void test_absent(void)
{
    static const unsigned lacks[] = {KVM_CAP_COALESCED_MMIO, KVM_CAP_COALESCED_PIO};
    for (unsigned n = 0; n < ARRAY_LEN(lacks); n++) {
        Rig *r = start(NULL, lacks[n], 0);
        kvm_accel_ops.pause(r->accel);
        g_assert_cmpuint(r->fake.num_zones, ==, n);
        rig_free(r);
    }
}

/* A zone that KVM does not take is an exit; one that it does not give up stays known, and is tried again. */
static void test_refused(void)
{
    Rig *r = start(NULL, 0, 0);
    kvm_accel_ops.pause(r->accel);
    r->fake.refuse_zones = true;
    region_allow_late(&r->io, 0, 2);
    space_refresh(r->m->io);
    g_assert_cmpuint(r->fake.num_zones, ==, 2);
    r->fake.refuse_zones = false;
    space_refresh(r->m->io);
    g_assert_cmpuint(r->fake.num_zones, ==, 2);
    g_assert_cmpuint(r->fake.zones[1].size, ==, 2);
    rig_free(r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/late/order", test_order);
    g_test_add_func("/kvm/late/pause", test_pause);
    g_test_add_func("/kvm/late/zones", test_zones);
    g_test_add_func("/kvm/late/absent", test_absent);
    g_test_add_func("/kvm/late/refused", test_refused);
    return g_test_run();
}
