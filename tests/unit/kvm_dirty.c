/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM's log of writes over the test KVM: bitmaps, cleared by reading and by command, and rings. */
#include <errno.h>
#include <string.h>

#include "tests/unit/kvm_rig.h"

enum { PAGES = 1024 }; /* of the rig's RAM */

static Rig *start(const char *opts, unsigned lacks, FakeExit *const *script)
{
    GError *error = NULL;
    Rig *r = rig_new(script);
    r->opts = opts;
    r->fake.lacks = lacks;
    g_assert_true(rig_start(r, &error));
    g_assert_no_error(error);
    if (!script) {
        kvm_accel_ops.pause(r->accel);
    }
    return r;
}

/* Which pages are named, as text: "3 64-66". */
static char *take(Rig *r, unsigned client, uint64_t first, uint64_t count)
{
    uint64_t bitmap[PAGES / 64], found = 0;
    g_autoptr(GString) text = g_string_new(NULL);
    memset(bitmap, 0xff, sizeof(bitmap));
    uint64_t said = dirty_take(r->m, client, first, count, bitmap);
    for (uint64_t n = 0; n < count; n++) {
        if (bitmap[n / 64] >> n % 64 & 1) {
            g_string_append_printf(text, "%s%u", found++ ? " " : "", (unsigned)(first + n));
        }
    }
    g_assert_cmpuint(said, ==, found);
    return g_strdup(text->str);
}

#define TAKES(r, client, first, count, want)                                                                          \
    do {                                                                                                              \
        g_autofree char *got_ = take(r, client, first, count);                                                        \
        g_assert_cmpstr(got_, ==, want);                                                                              \
    } while (0)

static void kvm_writes(Rig *r, unsigned page)
{
    r->fake.dirty[page / 64] |= BIT64(page % 64);
}

static void test_bitmap(void)
{
    Rig *r = start(NULL, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, NULL);
    g_assert_false(r->fake.manual_clear);
    g_assert_cmphex(r->fake.slot_flags, ==, 0); /* nobody asks: nothing is logged */
    dirty_log(r->m, DIRTY_DISPLAY, 0, PAGES, true);
    g_assert_cmphex(r->fake.slot_flags, ==, KVM_MEM_LOG_DIRTY_PAGES);
    TAKES(r, DIRTY_DISPLAY, 0, PAGES, "");
    kvm_writes(r, 3);
    kvm_writes(r, 64);
    kvm_writes(r, PAGES - 1);
    space_dma_write(r->m->memory, 0x5fff, "ab", 2);
    TAKES(r, DIRTY_DISPLAY, 0, PAGES, "3 5 6 64 1023");
    TAKES(r, DIRTY_DISPLAY, 0, PAGES, "");
    dirty_log(r->m, DIRTY_DISPLAY, 0, PAGES, false);
    g_assert_cmphex(r->fake.slot_flags, ==, 0);
    rig_free(r);
}

/* Each client has its own view, also of what was read from KVM for another one and outside of what that one asked for. */
static void two_clients(unsigned lacks)
{
    Rig *r = start(NULL, lacks, NULL);
    dirty_log(r->m, DIRTY_DISPLAY, 100, 100, true);
    dirty_log(r->m, DIRTY_MIGRATION, 0, PAGES, true);
    kvm_writes(r, 3);
    kvm_writes(r, 130);
    kvm_writes(r, 199);
    TAKES(r, DIRTY_DISPLAY, 100, 100, "130 199");
    kvm_writes(r, 130);
    TAKES(r, DIRTY_MIGRATION, 0, PAGES, "3 130 199");
    TAKES(r, DIRTY_DISPLAY, 100, 100, "130");
    TAKES(r, DIRTY_DISPLAY, 0, PAGES, ""); /* the rest it does not log */
    dirty_log(r->m, DIRTY_MIGRATION, 0, PAGES, false);
    g_assert_cmphex(r->fake.slot_flags, ==, KVM_MEM_LOG_DIRTY_PAGES);
    dirty_log(r->m, DIRTY_DISPLAY, 100, 100, false);
    g_assert_cmphex(r->fake.slot_flags, ==, 0);
    rig_free(r);
}

static void test_two_clients(void)
{
    two_clients(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);
    two_clients(0);
}

static void test_manual_clear(void)
{
    Rig *r = start(NULL, 0, NULL);
    g_assert_true(r->fake.manual_clear);
    dirty_log(r->m, DIRTY_DISPLAY, 100, 20, true);
    kvm_writes(r, 3);
    kvm_writes(r, 110);
    TAKES(r, DIRTY_DISPLAY, 100, 20, "110");
    g_assert_cmpuint(r->fake.cleared.first_page, ==, 64); /* whole words, and no more than those */
    g_assert_cmpuint(r->fake.cleared.num_pages, ==, 64);
    g_assert_cmphex(r->fake.dirty[0], ==, 8);
    rig_free(r);
}

/* What cannot be told counts as written. */
static void test_failures(void)
{
    for (unsigned n = 1; n <= 2; n++) { /* reading, clearing */
        Rig *r = start(NULL, 0, NULL);
        dirty_log(r->m, DIRTY_DISPLAY, 64, 3, true);
        r->fake.fail_at = n;
        TAKES(r, DIRTY_DISPLAY, 64, 3, "64 65 66");
        TAKES(r, DIRTY_DISPLAY, 64, 3, "");
        rig_free(r);
    }
    Rig *r = start(NULL, 0, NULL);
    r->fake.fail_at = 1; /* the slot is not logged, so that reading fails as well */
    dirty_log(r->m, DIRTY_DISPLAY, 64, 2, true);
    g_assert_cmphex(r->fake.slot_flags, ==, 0);
    TAKES(r, DIRTY_DISPLAY, 64, 2, "64 65");
    TAKES(r, DIRTY_DISPLAY, 64, 2, "64 65");
    rig_free(r);
}

/* A slot's bits are read before it goes, and those of the engine before it does. */
static void test_slots_change(void)
{
    Rig *r = start(NULL, 0, NULL);
    Region over = {.name = "over", .kind = REGION_IO, .size = PAGE_SIZE, .ops = r->io.ops, .opaque = r};
    dirty_log(r->m, DIRTY_DISPLAY, 0, PAGES, true);
    kvm_writes(r, 7);
    Mapping *mapping = space_map(r->m->memory, 0x200000, &over, 0, PAGE_SIZE, 1);
    r->fake.dirty[0] = 0;
    TAKES(r, DIRTY_DISPLAY, 0, PAGES, "7");
    space_unmap(r->m->memory, mapping);
    kvm_writes(r, 9);
    machine_unlock(r->m->lock);
    kvm_accel_ops.destroy(r->accel);
    r->accel = NULL;
    machine_lock(r->m->lock);
    TAKES(r, DIRTY_DISPLAY, 0, PAGES, "9");
    rig_free(r);
}

/* ---- rings ---- */

static void push(Fake *f, unsigned entry, uint32_t slot, uint64_t offset)
{
    f->ring[entry % f->ring_size] = (struct kvm_dirty_gfn){.flags = KVM_DIRTY_GFN_F_DIRTY, .slot = slot, .offset = offset};
}

static void test_ring(void)
{
    Rig *r = start("dirty-ring-size=1024", 0, NULL);
    Fake *f = &r->fake;
    g_assert_false(f->manual_clear);
    g_assert_cmpuint(f->ring_size, ==, 1024);
    dirty_log(r->m, DIRTY_DISPLAY, 0, PAGES, true);
    g_assert_cmphex(f->slot_flags, ==, KVM_MEM_LOG_DIRTY_PAGES);
    unsigned entry = 0;
    for (unsigned round = 0; round < 3; round++) { /* once around */
        for (unsigned n = 0; n < 600; n++) {
            push(f, entry++, 0, 10 + round);
        }
        push(f, entry++, 0, 1023);
        push(f, entry++, 0, 1024); /* behind the slot, and a slot that there is not: KVM is not believed all */
        push(f, entry++, 77, 0);
        unsigned resets = f->ring_resets;
        g_autofree char *want = g_strdup_printf("%u 1023", 10 + round);
        TAKES(r, DIRTY_DISPLAY, 0, PAGES, want);
        g_assert_cmpuint(f->ring_resets, ==, resets + 1);
        g_assert_cmphex(f->ring[(entry - 1) % 1024].flags, ==, KVM_DIRTY_GFN_F_RESET);
    }
    TAKES(r, DIRTY_DISPLAY, 0, PAGES, "");
    f->fail_at = 1; /* said in the log, no more */
    TAKES(r, DIRTY_DISPLAY, 0, PAGES, "");
    rig_free(r);
}

static int exit_full(Fake *f, struct kvm_run *run)
{
    push(f, (*(unsigned *)f->opaque)++, 0, 42);
    run->exit_reason = KVM_EXIT_DIRTY_RING_FULL;
    return 0;
}

static int exit_stuck(Fake *f, struct kvm_run *run)
{
    run->exit_reason = KVM_EXIT_DIRTY_RING_FULL;
    return 0;
}

static void test_ring_full(void)
{
    static FakeExit *const full[] = {exit_full, exit_full, exit_full, NULL}, *const stuck[] = {exit_full, exit_stuck, NULL};
    unsigned entries = 0;
    Rig *r = rig_new(full);
    r->opts = "dirty-ring-size=1024";
    r->fake.opaque = &entries;
    g_assert_true(rig_start(r, NULL));
    g_assert_false(rig_wait(r).stop);
    kvm_accel_ops.pause(r->accel);
    g_assert_cmpuint(r->fake.ring_resets, ==, 3);
    g_assert_cmphex(r->m->ram->pages[42].dirty, ==, DIRTY_ALL);
    rig_free(r);
    /* full, and nothing is in it: it would go on for ever */
    entries = 0;
    r = rig_new(stuck);
    r->opts = "dirty-ring-size=1024";
    r->fake.opaque = &entries;
    g_assert_true(rig_start(r, NULL));
    g_assert_true(rig_wait(r).stop);
    kvm_accel_ops.pause(r->accel);
    rig_free(r);
    /* and for a KVM that was never asked to have one */
    r = rig_new(stuck + 1);
    g_assert_true(rig_start(r, NULL));
    g_assert_true(rig_wait(r).stop);
    kvm_accel_ops.pause(r->accel);
    rig_free(r);
}

static void test_options(void)
{
    static const struct {
        const char *opts;
        unsigned lacks;
        const char *says;
    } bad[] = {
        {"dirty-ring-size=1000", 0, "power of two"},
        {"dirty-ring-size=512", 0, "from 1024"},
        {"dirty-ring-size=131072", 0, "to 65536"},
        {"dirty-ring-size=x", 0, "dirty-ring-size"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        GError *error = NULL;
        Rig *r = rig_new(NULL);
        r->opts = bad[i].opts;
        g_assert_false(rig_start(r, &error));
        g_assert_nonnull(strstr(error->message, bad[i].says));
        g_clear_error(&error);
        rig_free(r);
    }
    Rig *r = start("dirty-ring-size=0", 0, NULL);
    g_assert_null(r->fake.ring);
    rig_free(r);
    /* the older of the two capabilities does as well */
    r = start("dirty-ring-size=65536", KVM_CAP_DIRTY_LOG_RING_ACQ_REL, NULL);
    g_assert_cmpuint(r->fake.ring_size, ==, 65536);
    rig_free(r);
}

static void test_no_rings(void)
{
    GError *error = NULL;
    Rig *r = rig_new(NULL);
    r->opts = "dirty-ring-size=1024";
    r->fake.no_rings = true;
    g_assert_false(rig_start(r, &error));
    g_assert_nonnull(strstr(error->message, "leave the option out"));
    g_clear_error(&error);
    rig_free(r);
}

/* Every ioctl of a life with a ring fails once. */
static void test_ring_ioctls_fail(void)
{
    for (unsigned n = 1; n < 80; n++) {
        GError *error = NULL;
        Rig *r = rig_new(NULL);
        r->opts = "dirty-ring-size=1024";
        r->fake.fail_at = n;
        if (rig_start(r, &error)) {
            uint64_t bitmap[PAGES / 64];
            kvm_accel_ops.pause(r->accel);
            dirty_log(r->m, DIRTY_MIGRATION, 0, PAGES, true);
            dirty_take(r->m, DIRTY_MIGRATION, 0, PAGES, bitmap);
            dirty_log(r->m, DIRTY_MIGRATION, 0, PAGES, false);
        } else {
            g_assert_nonnull(error);
            g_clear_error(&error);
        }
        rig_free(r);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/dirty/bitmap", test_bitmap);
    g_test_add_func("/kvm/dirty/two_clients", test_two_clients);
    g_test_add_func("/kvm/dirty/manual_clear", test_manual_clear);
    g_test_add_func("/kvm/dirty/failures", test_failures);
    g_test_add_func("/kvm/dirty/slots_change", test_slots_change);
    g_test_add_func("/kvm/dirty/ring", test_ring);
    g_test_add_func("/kvm/dirty/ring_full", test_ring_full);
    g_test_add_func("/kvm/dirty/options", test_options);
    g_test_add_func("/kvm/dirty/no_rings", test_no_rings);
    g_test_add_func("/kvm/dirty/ring_ioctls_fail", test_ring_ioctls_fail);
    return g_test_run();
}
