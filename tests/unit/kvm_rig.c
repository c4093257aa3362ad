/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test machine: RAM with a few instructions, a port, a page of registers, and an interrupt controller of one vector. */
#include "tests/unit/kvm_rig.h"

#include <string.h>

#include "target/x86/segment.h"
#include "tests/unit/engines.h"

#define WAIT_US 5000000

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x5a;
}

static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rig *r = opaque;
    if (r->num_written < sizeof(r->written)) {
        r->written[r->num_written++] = (uint8_t)value;
    }
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x1122334455667788;
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    ((Rig *)opaque)->stored = value;
}

static const RegionOps port_ops = {.read = port_read, .write = port_write};
static const RegionOps mmio_ops = {.read = mmio_read, .write = mmio_write, .max_size = 8};

static int apic_ack(void *opaque)
{
    Rig *r = opaque;
    bool had = r->intr;
    r->intr = false;
    cpu_lower_event(r->cpu, EVENT_INTR);
    return had ? VECTOR : -1;
}

static uint8_t apic_get_tpr(void *opaque)
{
    return ((Rig *)opaque)->tpr;
}

static void apic_set_tpr(void *opaque, uint8_t tpr)
{
    ((Rig *)opaque)->tpr = tpr;
}

static uint64_t apic_get_base(void *opaque)
{
    return ((Rig *)opaque)->base;
}

static bool apic_set_base(void *opaque, uint64_t base)
{
    ((Rig *)opaque)->base = base;
    return true;
}

static bool apic_msr_read(void *opaque, uint32_t msr, uint64_t *value)
{
    *value = 7;
    return msr == 0x802;
}

static bool apic_msr_write(void *opaque, uint32_t msr, uint64_t value)
{
    return msr == 0x80b;
}

static void apic_init(void *opaque)
{
}

static const ApicOps apic_ops = {
    .ack = apic_ack, .get_tpr = apic_get_tpr, .set_tpr = apic_set_tpr, .get_base = apic_get_base,
    .set_base = apic_set_base, .read_msr = apic_msr_read, .write_msr = apic_msr_write, .init = apic_init,
};

Rig *rig_new(FakeExit *const *script)
{
    /* inc eax; nop; addps xmm0, xmm0; jmp $ */
    static const uint8_t code[] = {0x40, 0x90, 0x0f, 0x58, 0xc0, 0xeb, 0xfe};
    Rig *r = g_new0(Rig, 1);
    fake_init(&r->fake);
    r->fake.script = script;
    r->m = machine_new(4 * MIB, NULL);
    r->model = cpu_model_parse("max", NULL);
    r->cpu = cpu_new(r->m, 0, r->model);
    r->base = 0xfee00900;
    r->cpu->apic = &apic_ops;
    r->cpu->apic_opaque = r;
    r->m->cpus = g_new0(X86Cpu *, 1);
    r->m->cpus[0] = r->cpu;
    r->m->num_cpus = 1;
    r->ram = (Region){.name = "ram", .kind = REGION_RAM, .size = r->m->ram->size, .host = r->m->ram->host};
    region_init_io(&r->io, "port", 4, &port_ops, r);
    region_init_io(&r->mmio, "mmio", PAGE_SIZE, &mmio_ops, r);
    machine_lock(r->m->lock);
    space_map_whole(r->m->memory, 0, &r->ram);
    space_map_whole(r->m->memory, MMIO_BASE, &r->mmio);
    space_map_whole(r->m->io, PORT, &r->io);
    memcpy(r->m->ram->host + CODE, code, sizeof(code));
    seg_load_cache(r->cpu, SEG_CS, 0, 0, 0xffff, SEG_P | SEG_S | SEG_CODE | SEG_READ | SEG_ACCESSED);
    r->cpu->rip = CODE;
    r->cpu->cr4 |= CR4_OSFXSR;
    return r;
}

bool rig_start(Rig *r, GError **error)
{
    r->accel = kvm_new(r->m, &r->fake.sys, r->opts, error);
    if (!r->accel || !kvm_accel_ops.vcpu_create(r->accel, r->cpu, error)) {
        return false;
    }
    r->m->accel = r->accel;
    kvm_accel_ops.resume(r->accel);
    return true;
}

RunRequests rig_wait(Rig *r)
{
    RunRequests asked = {0};
    machine_unlock(r->m->lock);
    for (int64_t end = g_get_monotonic_time() + WAIT_US; g_get_monotonic_time() < end; g_usleep(200)) {
        if (run_take_requests(r->m->run, &asked) || __atomic_load_n(&r->fake.done, __ATOMIC_SEQ_CST)) {
            break;
        }
    }
    machine_lock(r->m->lock);
    return asked;
}

void rig_free(Rig *r)
{
    machine_unlock(r->m->lock);
    if (r->accel) {
        kvm_accel_ops.destroy(r->accel);
    }
    g_assert_cmpint(r->fake.fds, ==, 0);
    g_assert_cmpint(r->fake.maps, ==, 0);
    machine_free_with(r->m, r->cpu, r->model);
    g_free(r);
}
