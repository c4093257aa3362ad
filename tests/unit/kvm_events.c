/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accel/kvm over a test KVM: eventfds of devices. */
#include <unistd.h>

#include "tests/unit/kvm_rig.h"

/* ---- write notifiers ---- */

typedef struct Kick {
    Rig *r;
    WriteNotifier list[3];
} Kick;

static void kick_init(Kick *k)
{
    *k = (Kick){.r = rig_new(NULL)};
    k->list[0] = (WriteNotifier){.offset = 0, .fd = event_new(NULL)};
    k->list[1] = (WriteNotifier){.offset = 2, .size = 2, .fd = event_new(NULL)};
    k->list[2] = (WriteNotifier){.offset = 0, .size = 4, .match = true, .value = 0x1234, .fd = event_new(NULL)};
}

static void kick_free(Kick *k)
{
    for (unsigned n = 0; n < 3; n++) {
        close(k->list[n].fd);
    }
    rig_free(k->r);
}

static void notify(Kick *k, Region *region, unsigned count)
{
    k->r->m->env.set_notifiers(k->r->m, region, k->list, count);
}

static const struct kvm_ioeventfd *find(const Rig *r, int fd)
{
    for (unsigned n = 0; n < r->fake.num_ioevents; n++) {
        if (r->fake.ioevents[n].fd == fd) {
            return &r->fake.ioevents[n];
        }
    }
    return NULL;
}

static void test_assign(void)
{
    Kick k;
    kick_init(&k);
    Rig *r = k.r;
    notify(&k, &r->io, 2); /* before the engine is there, and after */
    g_assert_true(rig_start(r, NULL));
    g_assert_cmpuint(r->fake.num_ioevents, ==, 2);
    g_assert_cmphex(find(r, k.list[1].fd)->addr, ==, PORT + 2);
    g_assert_cmphex(find(r, k.list[1].fd)->flags, ==, KVM_IOEVENTFD_FLAG_PIO);
    g_assert_cmpuint(find(r, k.list[1].fd)->len, ==, 2);
    notify(&k, &r->io, 0);
    g_assert_cmpuint(r->fake.num_ioevents, ==, 0);
    notify(&k, &r->mmio, 3);
    g_assert_cmpuint(r->fake.num_ioevents, ==, 3);
    g_assert_cmphex(find(r, k.list[2].fd)->flags, ==, KVM_IOEVENTFD_FLAG_DATAMATCH);
    g_assert_cmphex(find(r, k.list[2].fd)->datamatch, ==, 0x1234);
    g_assert_cmphex(find(r, k.list[2].fd)->addr, ==, MMIO_BASE);
    /* hidden by another region: the writes are not for this one any more */
    Region over = {.name = "over", .kind = REGION_RAM, .size = PAGE_SIZE, .host = r->m->ram->host};
    Mapping *mapping = space_map(r->m->memory, MMIO_BASE, &over, 0, PAGE_SIZE, 1);
    g_assert_cmpuint(r->fake.num_ioevents, ==, 0);
    space_unmap(r->m->memory, mapping);
    g_assert_cmpuint(r->fake.num_ioevents, ==, 3);
    notify(&k, &r->mmio, 0);
    kvm_accel_ops.pause(r->accel);
    kick_free(&k);
}

/* Without the capability, or when KVM refuses, the write comes as an exit and sets the same eventfd. */
static int exit_kick(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_MMIO;
    run->mmio.phys_addr = MMIO_BASE;
    run->mmio.len = 4;
    run->mmio.is_write = 1;
    *(uint32_t *)(void *)run->mmio.data = 0x1234;
    return 0;
}

static void test_by_exit(void)
{
    static const struct {
        unsigned lacks;
        unsigned count; /* of three, that KVM has all the same */
    } cases[] = {{KVM_CAP_IOEVENTFD, 0}, {KVM_CAP_IOEVENTFD_ANY_LENGTH, 2}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Kick k;
        kick_init(&k);
        k.list[0].offset = 8;
        k.r->fake.script = (FakeExit *const[]){exit_kick, NULL};
        k.r->fake.lacks = cases[i].lacks;
        notify(&k, &k.r->mmio, 3);
        g_assert_true(rig_start(k.r, NULL));
        g_assert_cmpuint(k.r->fake.num_ioevents, ==, cases[i].count);
        rig_wait(k.r);
        kvm_accel_ops.pause(k.r->accel);
        g_assert_cmpuint(event_take(k.list[2].fd), ==, 1);
        g_assert_cmphex(k.r->stored, ==, 0); /* the device did not see it */
        kick_free(&k);
    }
}

static void test_refused(void)
{
    Kick k;
    kick_init(&k);
    g_assert_true(rig_start(k.r, NULL));
    kvm_accel_ops.pause(k.r->accel);
    k.r->fake.refuse_ioevents = true;
    notify(&k, &k.r->mmio, 2);
    g_assert_cmpuint(k.r->fake.num_ioevents, ==, 0);
    space_write(k.r->m->memory, MMIO_BASE, 5, 1);
    g_assert_cmpuint(event_take(k.list[0].fd), ==, 1);
    kick_free(&k);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/events/assign", test_assign);
    g_test_add_func("/kvm/events/by_exit", test_by_exit);
    g_test_add_func("/kvm/events/refused", test_refused);
    return g_test_run();
}
